"""Which sides of its conditions some rows were evaluated on, so that the result depends on what holds there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from symbackprop.core.graph import BOOL, INT, Node
from symbackprop.verify.conditions import Side, sides_of
from symbackprop.verify.interpreter import Array, Program, Sizes, Step

NEGLIGIBLE = 1e-12
WORK = 2e8  # more than that, and a side that is reached is taken to matter
FAR = (1e3, -1e3, 1e6, -1e6)


@dataclass(frozen=True)
class Unseen:
    """A side that no point reached: the condition as model text, the equation it stands in, and whether it is that it
    holds or that it does not hold that was never seen."""

    condition: str
    equation: str
    side: bool

    def __str__(self) -> str:
        where = f" (in {self.equation})" if self.equation else ""
        return f"{self.condition}{where} was never {_word(self.side)}: what holds there is not checked"

    def to_json(self) -> dict[str, Any]:
        return {"condition": self.condition, "equation": self.equation, "side": self.side}


def _word(holds: bool) -> str:
    return "true" if holds else "false"


class Coverage:
    """The sides of the conditions that ``rows`` read. Conditions are called by the named rows among those that
    ``equations`` need.

    ``seen`` are the sides that mattered at some point: nothing else selects them away. ``reached`` are those that some
    entry was on at all, ``faint`` those where only a far larger value would have made a difference, and ``bounds``
    those whose edge was met and never passed. ``mattering``: a side that was reached counts only if something depended
    on it, or never does on any side of that condition.
    """

    def __init__(self, rows: Sequence[Node], sizes: Sizes, equations: Sequence[Node] = (), mattering: bool = True
                 ) -> None:
        self.rows, self.equations, self.mattering = list(rows), list(equations or rows), mattering
        self.sides = sides_of(self.rows, sizes)
        self.seen: set[Side] = set()
        self.reached: set[Side] = set()
        self.faint: set[Side] = set()
        self.bounds: set[Side] = set()
        self._last: tuple[Sizes, Sequence[Array] | None, Look] | None = None

    @property
    def missing(self) -> list[Side]:
        return [s for s in self.sides if s not in self.seen and s not in self.bounds]

    def shown(
        self,
        values: Mapping[int, Array],
        sizes: Sizes,
        weights: Sequence[Array] | None = None,
        wanted: Sequence[Side] | None = None,
    ) -> set[Side]:
        """The sides of those ``wanted`` (the missing ones) that matter at a point (leaf values by id). ``weights`` are
        what the rows are summed with."""
        wanted = self.missing if wanted is None else wanted
        if not wanted:
            return set()
        look = self._look(sizes, weights)
        here = look.reached(wanted, values)
        self.reached |= here
        if len(here) * look.program.cost > WORK:
            return here
        shown = {side for side in self.sides if side in here and look.matters(side, values)}
        unsure = here - shown - self.faint if self.mattering else set()
        self.faint |= {s for s in unsure if any(look.matters(s, values, by) for by in FAR)}
        return shown

    def cost(self, sizes: Sizes, weights: Sequence[Array] | None) -> float:
        """Entries computed by one run of the rows."""
        return self._look(sizes, weights).program.cost

    def _look(self, sizes: Sizes, weights: Sequence[Array] | None) -> Look:
        """Remembered: the same sizes and weights are asked for point by point."""
        if self._last is None or self._last[0] != sizes or self._last[1] is not weights:
            self._last = dict(sizes), weights, Look(self.rows, sizes, weights)
        return self._last[2]

    def unseen(self) -> list[Unseen]:
        """The sides that were not seen, in words; those that several rows share are told once."""
        decided = {s.row for s in self.seen} if self.mattering else set()
        found = [s for s in self.missing if s not in self.faint and (s not in self.reached or s.row in decided)]
        told: dict[tuple[str, bool], Unseen] = {}
        for side in sorted(found, key=lambda s: not self._equations.get(s.root.id)):  # those in an equation first
            words = Unseen(side.condition, self._equations.get(side.root.id, ""), side.holds)
            told.setdefault((side.condition, side.holds), words)
        return list(told.values())

    def one_sided(self) -> list[str]:
        """What is taken to have one side only, in words."""
        said = "{} is taken never to be {}: its bound was met and not passed"
        return [said.format(s.condition, _word(s.holds)) for s in self.sides if s in self.bounds]

    @cached_property
    def _equations(self) -> dict[int, str]:
        """The named row that each row is written in."""
        found: dict[int, str] = {}
        for row in reversed(self.rows[0].graph.topological(self.equations)):
            if row.name is not None and not row.is_leaf:
                found[row.id] = row.name
            for a in row.args:
                found.setdefault(a.id, found.get(row.id, ""))
        return found


class Look:
    """Evaluates rows at points and tells on which sides they are. With an entry of a row changed, another total says
    that the entry matters."""

    def __init__(self, rows: Sequence[Node], sizes: Sizes, weights: Sequence[Array] | None = None) -> None:
        self.rows, self.weights = rows, weights or [1.0] * len(rows)
        self.program = Program(rows, sizes, watch=lambda step, args, value: self.watch(step, args, value))
        self.watch: Callable[[Step, Sequence[Array], Array], Array] = lambda step, args, value: value
        self.total = 0.0

    def reached(self, sides: Sequence[Side], values: Mapping[int, Array]) -> set[Side]:
        of_row: dict[int, list[Side]] = {}
        for side in sides:
            of_row.setdefault(side.row.id, []).append(side)
        found: set[Side] = set()

        def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
            found.update(s for s in of_row.get(step.row.id, ()) if s not in found and np.any(s.at(step, args)))
            return value

        self.total = self._total(values, watch)
        return found

    def matters(self, side: Side, values: Mapping[int, Array], by: float = 1.0) -> bool:
        """Whether the total (known from `reached`) is another one when the row's values on this side are moved by their
        size, times ``by``."""
        if side.row.kind == INT:
            return True

        def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
            return _changed(value, side.at(step, args), step, by) if step.row is side.row else value

        other = self._total(values, watch)
        return not (isfinite(other) and abs(other - self.total) <= NEGLIGIBLE * max(abs(other), abs(self.total)))

    def _total(self, values: Mapping[int, Array], watch: Callable[[Step, Sequence[Array], Array], Array]) -> float:
        self.watch = watch
        with np.errstate(all="ignore"):
            found = self.program.run(values)
            return float(sum(np.sum(w * found[r.id]) for r, w in zip(self.rows, self.weights, strict=True)))


def _changed(value: Array, where: Array, step: Step, by: float) -> Array:
    """Other values at some entries: a truth value is turned over, a number moved by its size or by 1, an infinite one
    made finite."""
    if step.row.kind == BOOL:
        return np.where(where, 1.0 - value, value)
    finite = np.where(np.isfinite(value), value, 0.0)
    move = (1.0 + np.random.default_rng(0).random(np.shape(value))) * np.maximum(np.abs(finite), 1.0) * by
    return np.where(where, finite + move, value)
