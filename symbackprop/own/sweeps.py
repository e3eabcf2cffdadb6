"""The numeric sweep of `grade`, for very many mistakes at the same point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.derive.record import Edge
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.verify.interpreter import Program


class Sweep(NumericSweep):
    """The sweep for very many mistakes: what a structural row hands back is prepared once for every other factor."""

    def through(self, edge: Edge, upstream: Array, args: Sequence[Node]) -> Array:
        key = (edge, tuple(a.id for a in args))
        if key not in self._links:
            self._links[key] = self._link(edge, args)
            leaf, part = self._links[key]
            self._programs[key] = Program([part], self.point.sizes, frozenset({*self.point.values, leaf.id}))
        leaf, part = self._links[key]
        with np.errstate(all="ignore"):
            return self._programs[key].run({**self.point.values, leaf.id: upstream})[part.id]

    @cached_property
    def _programs(self) -> dict[tuple[Edge, tuple[int, ...]], Program]:
        return {}

    @cached_property
    def of_kept(self) -> tuple[Program, dict[int, Array]]:
        """The gradient from the values of all rows of the forward pass, and these."""
        kept = {n.id: self.point.value(n) for n in self.reference.order}
        kept |= {u.id: self.point.value(u) for u in self.reference.model.upstream.values()}
        gradient = self.reference.gradient(self.target)
        return Program([gradient], self.point.sizes, frozenset(kept)), kept
