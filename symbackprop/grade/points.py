"""Random points at which answers are compared: sizes, numbers for every declared array, and what rows come to there.

Targets of a cross entropy are special: a lecture's ŷ − y holds for targets that sum to one, and a case distinction on y
holds for y ∈ {0, 1}. Points come in three styles, so that such an answer is judged on the targets that it means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.registry import composed
from symbackprop.core.shapes import evaluate_shape
from symbackprop.core.sizes import sized
from symbackprop.errors import ModelError, ShapeError
from symbackprop.grade.equality import same
from symbackprop.grade.reference import Reference
from symbackprop.verify.aiming import NO, YES, Aim, Search, Tried, Values
from symbackprop.verify.conditions import Edge, Side, sides_of
from symbackprop.verify.coverage import Coverage, Unseen
from symbackprop.verify.interpreter import Program, Sizes
from symbackprop.verify.kinks import operands_of
from symbackprop.verify.sampling import Sample, choose_sizes, draw

Array: TypeAlias = Any
GENERAL, DISTRIBUTION, HARD = "general", "distribution", "hard"
SMALL, ATTEMPTS = 8, 24
FAR = 30.0  # beyond it a probability is 0 or 1


class Point:
    """Numbers for the leaves of a reference; rows are evaluated when they are asked for and remembered."""

    def __init__(self, sizes: Mapping[str, int], values: Mapping[int, Array], style: str) -> None:
        self.sizes, self.values, self.style = sizes, dict(values), style
        self._shapes: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def value(self, row: Node) -> Array:
        """The value of a row in float64; not finite where the row is not defined at this point."""
        if row.id not in self.values:
            self.values.update(self.computed([row], {}))
        return self.values[row.id]

    def computed(self, rows: Sequence[Node], given: Mapping[int, Array]) -> dict[int, Array]:
        """The values of rows, some further rows being given."""
        known = {**self.values, **given}
        with np.errstate(all="ignore"):
            return Program(rows, self.sizes, frozenset(known)).run(known)

    def of(self, row: Node, leaf: Node) -> Callable[[Array], Array]:
        """A row as a function of a further leaf, to be called often."""
        program = Program([row], self.sizes, frozenset({*self.values, leaf.id}))
        read = {row.id, *(a for step in program.steps for a in step.args)}
        known = {i: self.values[i] for i in read if i in self.values}

        def value(array: Array) -> Array:
            with np.errstate(all="ignore"):
                return program.run({**known, leaf.id: array})[row.id]

        return value

    def number(self, size: sp.Expr) -> float:
        """An expression in dimensions as a number."""
        return float(sized(size, self.sizes))

    def size(self, shape: tuple[Any, ...]) -> tuple[int, ...]:
        """A symbolic shape in numbers."""
        if shape not in self._shapes:
            self._shapes[shape] = evaluate_shape(shape, self.sizes)
        return self._shapes[shape]


class Points:
    """Where the points of one style come from; ``given`` are sizes of dimensions."""

    def __init__(self, reference: Reference, given: Mapping[str, int], style: str = GENERAL, seed: int = 0) -> None:
        self.reference, self.given, self.style, self.seed = reference, given, style, seed
        self.rng = np.random.default_rng(seed)
        model = reference.model
        self.leaves = [*model.leaves().values(), *model.upstream.values()]
        self.bounds: set[Edge] = set()  # what the search for points, of one answer or another, never passed
        self.tried = Tried()
        self.drawn: list[Point] = []  # beside the usual ones, for all answers
        self.near: dict[Edge, list[Point]] = {}  # at the edges of conditions, for all answers

    def first(self, count: int) -> list[Point]:
        """``count`` points with finite values everywhere, sizes changing from point to point."""
        return [self._point(_sizes(self.reference, self.rng, self.given, trial)) for trial in range(count)]

    def more(self, sizes: Mapping[str, int]) -> Point:
        """A point of some sizes."""
        return self._point(_sizes(self.reference, self.rng, {**sizes, **self.given}, 0))

    def further(self, usual: Sequence[Point], count: int) -> Iterator[Point]:
        """So many points of the sizes of the usual ones; the same whichever answer asks for them."""
        for k, point in enumerate(islice(cycle(usual), count)):
            if k == len(self.drawn):
                self.drawn.append(self.more(point.sizes))
            yield self.drawn[k]

    def at(self, values: Mapping[int, Array], sizes: Mapping[str, int]) -> Point:
        """The point with these numbers in its leaves, targets being made what the style says."""
        return Point(sizes, self.meant(values, sizes), self.style)

    def _point(self, sizes: dict[str, int]) -> Point:
        for attempt in range(ATTEMPTS):
            sample = draw(self.reference.model, sizes, self.rng, attempt)
            point = self.at(self._leaves(sample), sizes)
            needed = [*self.reference.results, *self.reference.gradients.values()]
            point.values.update(point.computed(needed, {}))
            if all(np.all(np.isfinite(point.value(row))) for row in needed if row.kind == "float"):
                return point
        raise ModelError(f"no numbers were found for which {self.reference.model.name} and its gradients are finite")

    def _leaves(self, sample: Sample) -> dict[int, Array]:
        model = self.reference.model
        values = {row.id: np.asarray(sample.values[name]) for name, row in model.leaves().items()}
        return values | {model.upstream[n].id: value for n, value in sample.upstream.items() if n in model.upstream}

    def meant(self, values: Mapping[int, Array], sizes: Mapping[str, int]) -> dict[int, Array]:
        """The numbers with targets made what the style says, and the model's constants."""
        rows = self.reference.model.constants.values()
        constants = {r.id: np.asarray(float(sized(r.attr.value, sizes))) for r in rows}
        targets = class_targets(self.reference) if self.style != GENERAL else []
        return {**values, **constants, **{r.id: _as_target(values[r.id], r, self.style) for r in targets}}


def _sizes(reference: Reference, rng: Any, given: Mapping[str, int], trial: int) -> dict[str, int]:
    """Small sizes; a dimension with a large default is shrunk unless a shape needs it."""
    large = [n for n, default in reference.model.sizes.items() if default is not None and default > SMALL]
    shrunk = {n: 2 + (k + trial) % (SMALL - 2) for k, n in enumerate(large)}
    try:
        return choose_sizes(reference.model, rng, {**shrunk, **given}, trial)
    except ShapeError:
        return choose_sizes(reference.model, rng, given, trial)


def class_targets(reference: Reference) -> list[Node]:
    """The leaves that a cross entropy compares with: distributions along the last axis, or probabilities."""
    found: dict[int, Node] = {}
    for node in reference.order:
        place = None if node.origin is None else composed(node.origin.function).target
        if node.origin is not None and place is not None:
            target = node.origin.args[place]
            if isinstance(target, Node) and target.is_leaf and target.kind == "float" and target.value is None:
                found[target.id] = target
    return list(found.values())


def _as_target(value: Array, row: Node, style: str) -> Array:
    """A distribution along the last axis (a probability where there is none); a hard one is all 0 and 1."""
    if row.ndim == 0 or value.shape[-1] == 1:
        positive = 1 / (1 + np.exp(-np.clip(value, -FAR, FAR)))
        return np.round(positive) if style == HARD else positive
    if style == HARD:
        return (value == value.max(axis=-1, keepdims=True)) * 1.0
    weights = np.exp(np.maximum(value - value.max(axis=-1, keepdims=True), -FAR))
    return weights / weights.sum(axis=-1, keepdims=True)


# -- points at which conditions are on the sides that the usual points miss


SIZES, WAYS = 2, 8
NEAR = 3
BOTH = 2  # sides of one condition
WIDE = (1.0, 30.0, 1000.0)
GUARD = 1e-6
A_TRIFLE = 1 + 2.0**-40


def _guards(side: Side) -> bool:
    """Whether a condition keeps a number off 0, as the eps of cosine_similarity: a person's formula need not say it."""
    compared = () if side.switch is None else operands_of(side.row.attr, side.switch)
    return any(isinstance(p, f.Num) and p.value.is_number and 0 < p.value <= GUARD for p in compared)


class Beyond:
    """Looks for such points for a pair of rows that agree at the usual ones, and knows in the end what stays unseen."""

    def __init__(self, rows: Sequence[Node], source: Points, usual: Sequence[Point]) -> None:
        self.rows, self.source, self.usual = rows, source, usual
        self.rng = np.random.default_rng(source.seed)
        # in gradients sides cancel and are multiplied by 0, so that they need not matter
        self.coverage = Coverage(rows, usual[0].sizes, source.reference.results, mattering=False)
        self.coverage.bounds |= {side for side in self.coverage.sides if _guards(side) or side.edge in source.bounds}
        self.aim = Aim(self.coverage, source.leaves, self.rng, self._usable, self._weights, source.meant,
                       source.tried)
        self.kept: dict[str, list[Array]] = {}
        self.tried: list[tuple[Values, bool]] = []  # points looked at for a side; whether the model has no value there

    def points(self) -> Iterator[Point]:
        """A further point for every side that the usual ones miss and that is found."""
        for point in self.usual:
            self._see(point)
        for sizes in list({str(p.sizes): p.sizes for p in self.usual}.values())[:SIZES]:
            yield from self._aimed([p for p in self.usual if p.sizes == sizes])
        wanted = self.aim.sizes_wanted(self.source.given)
        if wanted:
            first = self.source.more(wanted)
            self._see(first)
            yield first
            yield from self._aimed([first])

    def together(self) -> Iterator[Point]:
        """More points where there are several conditions: sides that were seen may meet in a way that was not. Large
        arrays show at one point how they meet at many entries."""
        if len(self.coverage.sides) > BOTH:
            shown = [side.row.shape for side in self.coverage.sides if side.row is side.root]  # of loops not how often
            entries = min((int(np.prod(self.usual[0].size(shape), dtype=int)) for shape in shown), default=1)
            yield from self.source.further(self.usual, WAYS * len(self.usual) // max(entries, 1))

    def at_edges(self, ties: bool) -> Iterator[Point]:
        """Points where the conditions turn that only one of the rows has: x > 0.001 is not x > 0 between the two. With
        ``ties`` also where what a condition on data compares is equal, as m > 0 and m >= 0 tell apart; no gradient has
        one right value where a condition on what it is taken by turns."""
        edges = Counter(edge for row in self.rows for edge in {s.edge for s in sides_of([row], self.usual[0].sizes)})
        own = [side for side in self.coverage.sides if edges[side.edge] == 1 and side not in self.coverage.bounds]
        for side in own:
            if side.switch is not None and side.sign not in ("==", "!="):
                yield from self._kept(side, self._beside)
                yield from self._kept(replace(side, sign="=="), self._tied) if ties and self._is_of_data(side) else ()

    def _kept(self, side: Side, found: Callable[[Search, Values], Iterable[Values | None]]) -> list[Point]:
        """The points that are found for a side, for all answers."""
        if side.edge not in self.source.near:
            self.source.near[side.edge] = [p for base in self.usual[:NEAR] for p in self._found(side, base, found)]
        return self.source.near[side.edge]

    def _found(self, side: Side, base: Point, found: Callable[[Search, Values], Iterable[Values | None]]
               ) -> Iterator[Point]:
        def accept(values: Values) -> int:
            return NO if self._usable(values, base.sizes) is None else YES

        search = Search(side, self.source.leaves, base.sizes, self.rng, accept, self.source.meant, NEAR)
        near = [values for values in found(search, self._given(base)) if values is not None and accept(values) == YES]
        return (self.source.at(values, base.sizes) for values in near)

    @staticmethod
    def _beside(search: Search, base: Values) -> Iterable[Values]:
        return islice(search.beside(dict(base)), NEAR)

    @staticmethod
    def _tied(search: Search, base: Values) -> Iterable[Values | None]:
        return [search.found([base])]

    def _is_of_data(self, side: Side) -> bool:
        return all(leaf.attr.role == "data" for leaf in self.source.leaves if leaf.id in side.leaves)

    def agree(self, point: Point) -> bool:
        """Whether the rows are equal at a point; where they are not, whether they differ as rounding lets them: near
        edges all of a sum may cancel, and what is left moves as much when all numbers grow by a trifle."""
        values = [point.value(row) for row in self.rows]
        if same(*values):
            return True
        near = self.source.at({i: v * A_TRIFLE if v.dtype.kind == "f" else v for i, v in self._given(point).items()},
                              point.sizes)
        moved = [np.abs(near.value(row) - value) for row, value in zip(self.rows, values, strict=True)]
        weights, sides = self._weights(point.sizes), self.coverage.sides
        here, there = [self.coverage.shown(self._given(p), p.sizes, weights, sides) for p in (point, near)]
        return here == there and bool(np.all(np.abs(values[0] - values[1]) <= 8 * sum(moved)))

    def _aimed(self, bases: list[Point]) -> Iterator[Point]:
        before = -1
        while before < len(bases) and self.coverage.missing:
            before = len(bases)
            for side in self.coverage.missing:
                found = None
                if side not in self.coverage.seen:
                    found = self._aim(side, bases)
                    if self._stayed_outside() and self._excluded(side, bases[0].sizes):
                        self.coverage.bounds.add(side)
                    self.source.bounds |= {s.edge for s in self.coverage.bounds}
                if found is not None:
                    bases.append(self.source.at(found, bases[0].sizes))
                    self.coverage.seen.add(side)
                    self._see(bases[-1])
                    yield bases[-1]

    def _aim(self, side: Side, bases: Sequence[Point], anew: bool = False) -> Values | None:
        self.tried.clear()
        return self.aim.at(side, [self._given(p) for p in bases], bases[0].sizes, anew)

    def _excluded(self, side: Side, sizes: Mapping[str, int]) -> bool:
        """Whether the model has no value on a side, as x < 0 of log(x): no way there from further points ends at one,
        wherever the arrays that the condition does not read go."""
        for _ in range(WAYS):
            if self._aim(side, [self.source.more(sizes)], anew=True) is not None or not self._stayed_outside():
                return False
            if not all(self._is_outside(self._elsewhere(side, self.tried[-1][0]), sizes) for _ in range(WAYS)):
                return False
        return True

    def _stayed_outside(self) -> bool:
        """Whether points on the side were looked at, after the one to start from, and all are outside of the domain."""
        return len(self.tried) > 1 and all(outside for _, outside in self.tried[1:])

    def _is_outside(self, values: Values, sizes: Sizes) -> bool:
        point = self.source.at(values, sizes)
        return any(np.any(np.isnan(point.value(row))) for row in self.source.reference.results)

    def _elsewhere(self, side: Side, values: Values) -> Values:
        """The point with the arrays that a condition does not read of other signs and sizes."""
        moved = {leaf.id for leaf in self.source.leaves if leaf.kind == FLOAT and leaf.id not in side.leaves}
        return {i: v * self.rng.choice([-1, 1]) * self.rng.choice(WIDE) if i in moved else v for i, v in values.items()}

    @property
    def unseen(self) -> list[Unseen]:
        """What no point reached; where numbers that parameters move are equal, no gradient has one right value."""
        ties = {s for s in self.coverage.missing if s.sign == "==" and not self._is_of_data(s)}
        self.coverage.bounds |= ties
        return self.coverage.unseen()

    def _see(self, point: Point) -> None:
        self.coverage.seen |= self.coverage.shown(self._given(point), point.sizes, self._weights(point.sizes))

    def _given(self, point: Point) -> Values:
        return {leaf.id: point.values[leaf.id] for leaf in self.source.leaves}

    def _usable(self, values: Values, sizes: Sizes) -> int | None:
        """How many entries of the leaves are 0; None where a row is not finite or the model has no value."""
        point = self.source.at(values, sizes)
        self.tried.append((values, self._is_outside(values, sizes)))
        if self.tried[-1][1] or not all(np.all(np.isfinite(point.value(row))) for row in self.rows):
            return None
        return int(sum(np.sum(value == 0) for value in self._given(point).values()))

    def _weights(self, sizes: Sizes) -> list[Array]:
        """Random, so that sums which are always the same tell all the same."""
        if str(sizes) not in self.kept:
            shapes = [Point(sizes, {}, "").size(row.shape) for row in self.rows]
            self.kept[str(sizes)] = [self.rng.normal(size=shape) for shape in shapes]
        return self.kept[str(sizes)]
