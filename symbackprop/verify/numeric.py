"""The numeric gradient of one leaf: slopes along its entries, and along whole directions where it has too many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.verify.differences import (
    AUTO,
    CENTRAL,
    COMPLEX,
    Estimate,
    Line,
    NotAnalytic,
    Objective,
    slope,
)
from symbackprop.verify.interpreter import Array


@dataclass(frozen=True)
class Slopes:
    """Slopes along some entries of a leaf: their flat places, values, error estimates, and whether a kink was met."""

    where: Array
    values: Array
    noise: Array
    kink: Array
    method: str


class Prober:
    """Takes slopes of an objective in one leaf, by one method; ``auto`` is the complex step where it applies. ``tick``
    hears of every slope."""

    def __init__(
        self, objective: Objective, leaf: Node, method: str, tick: Callable[[int], None] | None = None
    ) -> None:
        self.objective, self.leaf, self.tick = objective, leaf, tick
        self.method = COMPLEX if method == AUTO else method
        self.may_change = method == AUTO
        self.x = np.asarray(objective.base[leaf.id])
        self.start = objective.at(leaf, self.x)[1]
        self.reached = objective.reads(leaf)
        typical = float(np.sqrt(np.mean(self.x**2))) if self.x.size else 1.0
        self.scales = np.clip(np.maximum(np.abs(self.x), typical), 1e-2, 1.0).reshape(-1)

    def entries(self, where: Array) -> Slopes:
        """φ' along each of the entries at the flat places ``where``."""
        found = [self.along(np.asarray([i]), np.ones(1)) for i in where]
        values, noise, kink = (np.asarray([getattr(e, a) for e in found]) for a in ("slope", "noise", "kink"))
        return Slopes(where, values, noise, kink.astype(bool), self.method)

    def along(self, where: Array, direction: Array) -> Estimate:
        """φ' along a direction that moves the entries at ``where``."""
        if self.tick is not None:
            self.tick(1)
        if not self.reached:
            return Estimate(0.0, 0.0)
        line = Line(self.objective, self.leaf, where, direction, self.start)
        scale = float(np.min(self.scales[where] / np.abs(direction)))
        try:
            return slope(line, self.method, scale)
        except NotAnalytic:
            if not self.may_change:
                raise
            self.method = CENTRAL
            return slope(line, CENTRAL, scale)


def with_entry(slopes: Slopes, one: Slopes) -> Slopes:
    """The slopes with one more entry, in order."""
    place = int(np.searchsorted(slopes.where, one.where[0]))
    return Slopes(
        np.insert(slopes.where, place, one.where),
        np.insert(slopes.values, place, one.values),
        np.insert(slopes.noise, place, one.noise),
        np.insert(slopes.kink, place, one.kink),
        slopes.method,
    )
