"""Looking for a point on a given side of a condition, from points on its other side.

Arrays that the condition depends on are moved, one entry or many, along a line: to where a step of Newton's method
expects the margin to vanish and a little beyond, and by growing and shrinking amounts, so that thresholds are found
however far they are. Entries are also set to the numbers that the condition compares with. All of it is decided by the
seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import INT, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import evaluate_dim
from symbackprop.verify.conditions import Edge, Side
from symbackprop.verify.coverage import Coverage
from symbackprop.verify.interpreter import Array, Program, Sizes, Step
from symbackprop.verify.kinks import HOLDS

Values: TypeAlias = Mapping[int, Array]
Line: TypeAlias = dict[int, Array]  # what a step of 1 adds to leaves, by id
NO, DEGENERATE, YES = 0, 1, 2
WORK, FEWEST, MOST, MORE = 3e8, 120, 1200, 100
OFFERS, OFFER = 60, 8  # points that are looked at closely, and how many evaluations each of them takes
POINT = 20  # evaluations that comparing at a point takes
AGAIN = 4  # points that are looked at on a side that was reached before and did not matter
IN_ALL = 2e9  # entries computed for all sides together, some seconds
ENOUGH = 2
TOUCHING = 1e-12
PASSES = 12
BEYOND = (1e-4, -1e-4, 1e-2, -1e-2, 0.3, -0.3, 1.0)
CLOSE, BESIDE = 1e-7, 1e-5
NUMBERS = 12
WIDEST = 1000


@dataclass
class Tried:
    """What searches for one row after another have come to: the first point on a side on which nothing depended, with
    its sizes, and how often none was found by an edge and sizes. After ``ENOUGH`` searches, or one that never came to
    the side, only that point is looked at: pages of fifty lines have the same conditions in each."""

    near: dict[Side, tuple[Sizes, Values]] = field(default_factory=dict)
    vainly: Counter[tuple[Edge, str]] = field(default_factory=Counter)


class Aim:
    """Finds points on the sides that a coverage misses. ``usable`` says of leaf values how many entries are 0 (None:
    the point is no use), ``weights`` what the rows are summed with at some sizes; ``meant`` makes values ones that the
    leaves are meant to have. One who aims again for other rows hands on what was ``tried``."""

    def __init__(
        self,
        coverage: Coverage,
        leaves: Sequence[Node],
        rng: Any,
        usable: Callable[[Values, Sizes], int | None],
        weights: Callable[[Sizes], Sequence[Array]],
        meant: Callable[[Values, Sizes], Values] = lambda values, sizes: dict(values),
        tried: Tried | None = None,
    ) -> None:
        self.coverage, self.leaves, self.rng = coverage, leaves, rng
        self.usable, self.weights, self.meant = usable, weights, meant
        self.tried = Tried() if tried is None else tried
        self.work = IN_ALL

    def at(self, side: Side, bases: Sequence[Values], sizes: Sizes, anew: bool = False) -> Values | None:
        """Values on a side that matter there, from points of the same sizes; those that are on some side where nothing
        depends on it are starting points too. None, too, when enough was looked for, but ``anew``."""
        place = side.edge, str(sizes)
        known = not anew and self.tried.vainly[place] >= ENOUGH
        near = {s: values for s, (at, values) in self.tried.near.items() if at == sizes}
        if self.work <= 0 or (known and side not in near):
            return None
        bases = [*bases, *near.values()]
        usual = cache(partial(self.usable, bases[0], sizes))

        def accept(values: Values) -> int:
            found = self.usable(values, sizes)
            if found is None:
                return NO
            if not self.coverage.shown(values, sizes, self.weights(sizes), [side]):
                if side in self.coverage.reached:
                    self.tried.near.setdefault(side, (sizes, values))
                return NO
            most = usual()
            return YES if most is None or found <= most else DEGENERATE

        if known:
            return near[side] if accept(near[side]) == YES else None
        offers = AGAIN if side in self.coverage.reached else OFFERS
        search = Search(side, self.leaves, sizes, self.rng, accept, self.meant, offers)
        values = search.found(bases)
        shown = POINT * (values is not None) + OFFER * (offers - search.offers)
        self.work -= search.spent * search.program.cost + shown * self.coverage.cost(sizes, self.weights(sizes))
        self.coverage.bounds |= {side} if search.touched else set()
        self.tried.vainly[place] += 0 if values is not None else ENOUGH if search.offers == offers else 1
        return values

    def sizes_wanted(self, given: Sizes) -> dict[str, int]:
        """Sizes of dimensions that bound integers, such that these can equal the numbers that conditions on the sides
        still missing compare with."""
        wanted: dict[str, int] = {}
        for side in self.coverage.missing:
            for leaf in self.leaves:
                bound = leaf.attr.below if leaf.id in side.leaves else None
                if bound is not None and bound.is_Symbol and bound.name not in given:
                    wanted[bound.name] = int(max(n for n in numbers_in(side.root) if n <= WIDEST)) + 2
        return wanted


class Search:
    """The search for one side; ``accept`` says of values on it whether they will do (NO, DEGENERATE, YES)."""

    def __init__(self, side: Side, leaves: Sequence[Node], sizes: Sizes, rng: Any, accept: Callable[[Values], int],
                 meant: Callable[[Values, Sizes], Values], offers: int) -> None:
        self.side, self.sizes, self.rng, self.accept, self.meant = side, sizes, rng, accept, meant
        self.leaves = [leaf for leaf in leaves if leaf.id in side.leaves and not leaf.attr.stated]
        self.program = Program([side.root], sizes, watch=self._watch)
        self.left = int(np.clip(WORK / self.program.cost, FEWEST, MOST))
        self.spent = 0
        self.margins: list[Array] = []
        self.second: Values | None = None
        self.offers = self.most = offers
        self.nearest, self.typical = np.inf, 0.0

    def found(self, bases: Sequence[Values]) -> Values | None:
        """Values on the side, with no more zeros than usual if there are such; None where nothing is found."""
        for turn in range(PASSES):
            for drawn in self._around(dict(bases[-1 - turn % len(bases)])):
                values = self.meant(drawn, self.sizes)
                if self.left <= 0 or self.offers <= 0:
                    return self.second
                if np.any(HOLDS[self.side.sign](self._margin(values), 0)) and self._accepted(values):
                    return values
        return self.second

    def beside(self, base: dict[int, Array]) -> Iterator[Values]:
        """Values on the side, closely beside its edge."""
        for line in [line for leaf in self.leaves if leaf.kind != INT for line in self._lines(base, leaf)]:
            for t in self._roots(base, line, self._margin(base)):
                for values in (self.meant(self._moved(base, line, t * (1 + by)), self.sizes) for by in (CLOSE, -CLOSE)):
                    margin = self._margin(values)
                    close = (margin != 0) & (np.abs(margin) <= BESIDE * self.typical)
                    if np.any(close & HOLDS[self.side.sign](margin, 0)):
                        yield values

    def _accepted(self, values: Values) -> bool:
        self.offers -= 1
        self._spend(OFFER)
        verdict = self.accept(values)
        if verdict == DEGENERATE and self.second is None:
            self.second, self.left = values, min(self.left, MORE)
        return verdict == YES

    def _spend(self, evaluations: int) -> None:
        self.left, self.spent = self.left - evaluations, self.spent + evaluations

    # -- the condition
    def _watch(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        if step.row is self.side.row:
            self.margins.append(np.reshape(self.side.margin(step, args), -1))
        return value

    def _margin(self, values: Values) -> Array:
        """The margins of all entries, at every step of a loop."""
        self._spend(1)
        self.margins = []
        with np.errstate(all="ignore"):
            self.program.run(values)
        found = np.concatenate(self.margins) if self.margins else np.zeros(0)
        sizes = np.abs(found[np.isfinite(found)])
        self.nearest = min(self.nearest, float(np.min(sizes, initial=np.inf)))
        self.typical = max(self.typical, float(np.median(sizes)) if sizes.size else 0.0)
        return found

    @property
    def touched(self) -> bool:
        """Whether the search came to where the side begins, and not a step beyond: the margin has its bound there, as
        that of max(d², 0) has in a squared distance d²."""
        never = self.offers == self.most and self.side.sign in ("<", ">")
        return never and self.nearest <= TOUCHING * min(self.typical, 1.0)

    # -- where to look
    def _around(self, base: dict[int, Array]) -> Iterator[Values]:
        if self.side.sign in ("==", "!="):
            yield from self._filled(base)
        lines = [line for leaf in self.leaves for line in self._lines(base, leaf)]
        floats = {leaf.id: base[leaf.id] for leaf in self.leaves if leaf.kind != INT}
        lines += [floats] if len(floats) > 1 else []
        for k in self.rng.permutation(len(lines)):
            yield from self._along(base, lines[k])
        if self.side.sign not in ("==", "!="):
            yield from self._filled(base)

    def _lines(self, base: Values, leaf: Node) -> list[Line]:
        """One entry, all entries alike, and where they are floats at random and in proportion."""
        shape = np.shape(base[leaf.id])
        entry = np.zeros(shape)
        entry.reshape(-1)[int(self.rng.integers(entry.size))] = 1.0
        found = [entry, np.ones(shape)]
        if leaf.kind != INT:
            found += [self.rng.normal(size=shape), np.asarray(base[leaf.id])]
        return [{leaf.id: line} for line in found]

    def _along(self, base: dict[int, Array], line: Line) -> Iterator[Values]:
        start = self._margin(base)
        for t in self._roots(base, line, start):
            if self.side.sign == "==":
                yield self._moved(base, line, t)
                yield self._moved(base, line, t, rounded=True)
            else:
                yield from (self._moved(base, line, t * (1 + more)) for more in BEYOND)
        for t in _growing(self.rng):
            yield self._moved(base, line, t)

    def _roots(self, base: dict[int, Array], line: Line, start: Array) -> Iterator[float]:
        """Where the margins of the nearest entry and of another one are expected to vanish: the secant method."""
        whole = any(leaf.kind == INT and leaf.id in line for leaf in self.leaves)
        h = 1.0 if whole else 2.0**-10
        with np.errstate(all="ignore"):
            slope = (self._margin(self._moved(base, line, h)) - start) / h
            steps = -start / slope
        able = np.flatnonzero(np.isfinite(steps) & (steps != 0))
        if not able.size:
            return
        nearest = able[np.argmin(np.abs(steps[able]))]
        for entry in dict.fromkeys([int(nearest), int(self.rng.choice(able))]):
            yield from self._secant(base, line, entry, (0.0, float(start[entry])), float(steps[entry]))

    def _secant(self, base: dict[int, Array], line: Line, entry: int, last: tuple[float, float], t: float
                ) -> Iterator[float]:
        for _ in range(4):
            yield t
            margin = float(self._margin(self._moved(base, line, t))[entry])
            if not np.isfinite(margin) or margin in (0.0, last[1]):
                return
            last, t = (t, margin), t - margin * (t - last[0]) / (margin - last[1])

    def _moved(self, base: dict[int, Array], line: Line, t: float, rounded: bool = False) -> Values:
        values = dict(base)
        for leaf in self.leaves:
            if leaf.id in line:
                moved = base[leaf.id] + t * line[leaf.id]
                if rounded:
                    moved = np.where(line[leaf.id] != 0, np.round(moved, 9), moved)
                values[leaf.id] = self._valid(leaf, moved)
        return values

    def _valid(self, leaf: Node, array: Array) -> Array:
        """Whole numbers below their bound where integers are declared."""
        if leaf.kind != INT:
            return np.asarray(array, dtype=float)
        bound = None if leaf.attr.below is None else evaluate_dim(leaf.attr.below, self.sizes) - 1
        low, high = (-(2.0**31), 2.0**31) if bound is None else (0, bound)
        return np.clip(np.nan_to_num(np.round(array)), low, high).astype(np.int64)

    # -- numbers that are compared with
    def _filled(self, base: dict[int, Array]) -> Iterator[Values]:
        """Some or all entries of one leaf set to a number of the model, or to entries of another leaf."""
        for leaf in self.leaves:
            old = base[leaf.id]
            others = [np.broadcast_to(o, np.shape(old)) for o in self._others(base, leaf)]
            candidates: list[Any] = [*numbers_in(self.side.root), *others]
            for new in candidates:
                some = self.rng.random(np.shape(old)) < 0.5
                if not some.all():
                    yield {**base, leaf.id: self._valid(leaf, np.where(some, new, old))}
                yield {**base, leaf.id: self._valid(leaf, np.broadcast_to(new, np.shape(old)))}

    def _others(self, base: Values, leaf: Node) -> Iterator[Array]:
        """The other leaves of the condition that fit into this one."""
        for other in self.leaves:
            a, b = np.shape(base[other.id]), np.shape(base[leaf.id])
            if other is not leaf and a == b[len(b) - len(a) :]:
                yield base[other.id]


def _growing(rng: Any) -> list[float]:
    """Amounts of every size, of both signs, and for lines in proportion factors down to 0."""
    sizes = 2.0 ** np.arange(-6.0, 41.0) * rng.uniform(1, 1.5)
    near = [-1.0 + s for s in (0.5, 0.1, 1e-2, 1e-4, 1e-8, 1e-13, 0.0)]
    return [*[float(s * sign) for s in sizes for sign in (1, -1)], *near]


def numbers_in(root: Node) -> list[float]:
    """The numbers in the formulas that lead to a row, and 0 and 1."""
    found: dict[float, None] = {0.0: None, 1.0: None}
    stack = list(root.graph.topological([root]))
    while stack:
        row = stack.pop()
        if row.value is not None and row.value.is_number:
            found[float(row.value)] = None
        if isinstance(row.attr, Loop):
            stack += row.attr.rows()
        elif isinstance(row.attr, Kernel):
            found |= dict.fromkeys(literals_of(row.attr.form))
    return list(found)[:NUMBERS]


def literals_of(form: f.Formula) -> Iterator[float]:
    if isinstance(form, f.Num) and form.value.is_number:
        yield float(form.value)
    for part in form.children:
        yield from literals_of(part)
