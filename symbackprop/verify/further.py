"""Points beside the random ones: sizes of 1 and larger ones, sizes near every number that a slice or a window holds,
arguments of exponentials that saturate them, points exactly on the switches of functions with pieces, float32, and
numbers that are all 0, of one sign or large.

At each of them the module's results and all its gradients are compared with the interpreter along random directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import isfinite
from operator import itemgetter
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core.graph import FLOAT, INT, SIMPLEX, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop, with_bodies
from symbackprop.core.notation import Brief
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model.model import Model
from symbackprop.verify.aiming import numbers_in
from symbackprop.verify.conditions import meeting
from symbackprop.verify.cost import run_cost
from symbackprop.verify.differences import TINY, NotAnalytic, Objective, Ray, imaginary
from symbackprop.verify.everywhere import Otherwise, Pinned, recording
from symbackprop.verify.interpreter import Array, Program, Step, Watch, largest
from symbackprop.verify.kinks import Gap, Unstated, switches_of
from symbackprop.verify.rounding import DOUBLE, RUNS, SINGLE, Reordered
from symbackprop.verify.sampling import Needs, Random, Sample, draw, in_single, intervals, leaf_values, needs_of
from symbackprop.verify.single import held_in_single, reaching

LARGER, LARGE, WIDEST, EXPENSIVE = (11, 12, 13, 14, 15, 16, 17), (5, 6, 7, 8, 9), 40, 3e6
LONG = 1e9  # entries of one run, some seconds
ATTEMPTS, FITS, OUTPUTS = 6, 200, 8
FAR, GROWN, TRIED, SATURATED, LEAVES = 800.0, 8.0, 12, 720.0, 3
SO_LARGE, NUMBERS = "so large that functions saturate", 1e300
APART = 8  # so far beyond that the largest entries of two rows are as far from each other
DYADIC = (-1.0, -0.5, 0.0, 0.5, 1.0)
CLEAR, TRIES, SINGULAR, ROUNDED = 1e-9, 16, 1e10, 1e-13
BLOCK, BLOCKS, MANY = 300, 3, 300  # integers that one byte does not hold


@dataclass(frozen=True)
class Situation:
    """A point to compare at: what is special about it, in words, the arithmetic that the module computes in, and
    whether the point is exactly on switches, and the results and gradients that are not compared there. What is
    ``brief`` is compared along one direction alone."""

    words: str
    sample: Sample
    objective: Objective
    eps: float = DOUBLE
    exact: bool = False
    without: frozenset[str] = frozenset()
    brief: bool = False


class Further:
    """Finds such points for a model; ``fixed`` are sizes that have to stay, ``written`` whole numbers in the text of
    the module, which may be the sizes of its blocks, ``compared`` those that it compares something with, which may be a
    size, ``declared`` large sizes to be met once. ``few``: where every other size costs much, one other set of sizes
    has to do. What could not be met is in ``without``."""

    def __init__(self, model: Model, rng: Random, fixed: Mapping[str, int], few: bool = False,
                 written: Iterable[int] = (), compared: Iterable[int] = (),
                 declared: Mapping[str, int] | None = None) -> None:
        self.model, self.rng, self.fixed, self.few = model, rng, dict(fixed), few
        self.pools: list[Sequence[int]] = [
            *[(n,) for n in sorted(set(compared)) if 1 < n <= BLOCK][:BLOCKS],
            *[(n + 1, n + 2) for n in sorted(set(written)) if LARGER[0] < n <= BLOCK][:BLOCKS],
        ]
        self.free, self.declared = [n for n in model.sizes if n not in fixed], dict(declared or {})
        self.without: list[str] = []

    def situations(self, found: Sequence[Sample]) -> Iterator[Situation]:
        """All of them, from points at which the model is finite."""
        first = found[0]
        yield from self._single(first)
        yield from self._of_one_output(first)
        needs = needs_of(self.model) if self.free else None
        if needs is not None:
            yield from self._of_sizes(needs)
        yield from self._with_most_empty([*found, *self._masked(first)])
        yield from self._on_switches(first, needs)
        yield from self._extreme(first)

    # -- float32
    def _single(self, first: Sample) -> Iterator[Situation]:
        """The same point in numbers that float32 holds, where it holds the results too."""
        single = in_single(first)
        values = {n: v.astype(first.values[n].dtype) for n, v in single.values.items()}
        upstream = {n: v.astype(float) for n, v in single.upstream.items()}
        sample = Sample(first.sizes, values, upstream)
        try:
            held = held_in_single(self.model, sample)
        except (ModelError, ShapeError, np.linalg.LinAlgError):
            return
        lost = {row.name or "" for row in self.model.results()} - held
        if lost:
            self.without.append(f"float32: it does not hold {', '.join(sorted(lost)) if held else 'the results'}, or "
                                "what leads there")
        upstream = {n: u * (n not in lost) for n, u in upstream.items()}
        found = self.at("in float32", replace(sample, upstream=upstream)) if held else None
        if found is not None:
            yield replace(found, eps=SINGLE, without=frozenset(lost | reaching(self.model, lost)))

    # -- outputs
    def _of_one_output(self, first: Sample) -> Iterator[Situation]:
        """⟨u, Jv⟩ = ⟨Jᵀu, v⟩ where u is an upstream gradient of a single one of the outputs, 0 for the others."""
        for name in self.rng.permutation(list(first.upstream))[:OUTPUTS] if len(first.upstream) > 1 else ():
            upstream = {n: u * (n == name) for n, u in first.upstream.items()}
            found = self.at(f"with an upstream gradient of {name} alone", replace(first, upstream=upstream))
            if found is not None:
                yield found

    # -- sizes
    def _of_sizes(self, needs: Needs) -> Iterator[Situation]:
        for pools in self._pools():
            found = self._drawn(self._fitting(pools, needs))
            if found is not None:
                yield found
        declared = self._drawn(self.declared, LONG) if self.declared else None
        if declared is not None:
            yield declared

    def _pools(self) -> Iterator[Mapping[str, Sequence[int]]]:
        """The sizes to choose from for every free dimension, one set of them for each point."""
        mixed: list[dict[str, Sequence[int]]] = [
            {n: (1,) if n in ones else (2, 3, 4, 5) for n in self.free} for ones in self._apart()
        ]
        if self.few:
            self.without.append("sizes of 1 in all dimensions, larger ones and those near numbers in slices: at each "
                                "of them the module would be compiled anew")
            yield mixed[0]
            return
        near = sorted({n + d for n in literals(self.model) for d in (-1, 0, 1) if 1 <= n + d <= WIDEST})
        yield dict.fromkeys(self.free, (1,))
        if len(self.free) > 1:
            yield from mixed
            yield dict.fromkeys(self.free, (int(self.rng.integers(2, 6)),))
        if near:
            yield dict.fromkeys(self.free, near)
        largest = dict.fromkeys(self.free, LARGER[-2])  # an even number: odd ones have no halves
        yield dict.fromkeys(self.free, LARGER if self._cost(largest) < EXPENSIVE else LARGE)
        bounds = {s.name for row in self.model.leaves().values() if row.kind == INT and row.attr.below is not None
                  for s in row.attr.below.free_symbols} & set(self.free)
        if bounds and self._cost({n: MANY if n in bounds else 4 for n in self.free}) < EXPENSIVE:
            yield {n: (MANY,) if n in bounds else (2, 3, 4) for n in self.free}
        yield from (dict.fromkeys(self.free, pool) for pool in self.pools
                    if self._cost(dict.fromkeys(self.free, pool[-1])) < EXPENSIVE)

    def _apart(self) -> list[set[str]]:
        """Sets of free dimensions of which, for any two, some has the one and not the other: those whose place has a
        binary digit of 1, and those where it is 0."""
        order = [str(n) for n in self.rng.permutation(self.free)]
        digits = range(max(len(order) - 1, 1).bit_length())
        ones = [{n for k, n in enumerate(order) if k >> digit & 1} for digit in digits]
        return [side for some in ones if some for side in (some, set(order) - some)] or [set()]

    def _fitting(self, pools: Mapping[str, Sequence[int]], needs: Needs) -> dict[str, int] | None:
        """Sizes that the shapes allow, as many as possible from their pools; None where there are none."""
        for attempt in range(FITS):
            sizes = {n: int(self.rng.choice(pools[n])) for n in self.free}
            for n in self.free:
                if self.rng.random() < attempt / FITS:
                    sizes[n] = self.model.sizes[n] or int(self.rng.integers(1, 9))
            sizes = {n: self.fixed.get(n, sizes.get(n, 0)) for n in self.model.sizes}
            if needs.met(sizes):
                return sizes
        return None

    def _cost(self, sizes: Mapping[str, int]) -> float:
        """Entries computed by one run of the model."""
        return run_cost(self.model, {**self.fixed, **sizes})

    def _drawn(self, sizes: dict[str, int] | None, most: float = EXPENSIVE) -> Situation | None:
        if sizes is None:
            return None
        if self._cost(sizes) > most:
            if most > EXPENSIVE or sizes != self.declared:  # those are met by themselves
                self.without.append(f"{said(sizes)}: too much to compute")
            return None
        why = "no random inputs were found at which the result is finite and has slopes"
        try:
            for attempt in range(ATTEMPTS):
                found = self.at(f"at {said(sizes)}", draw(self.model, sizes, self.rng, attempt))
                if found is not None and not undefined(found.objective):
                    return found
        except ShapeError:
            why = "too much to hold in memory"
        self.without.append(f"{said(sizes)}: {why}")
        return None

    def at(self, words: str, sample: Sample) -> Situation | None:
        """The point, where the model is finite there and its gradients are not too long in coming."""
        try:
            objective = self._objective(sample)
        except (ModelError, ShapeError, np.linalg.LinAlgError):  # the last: a matrix without an inverse
            return None
        return Situation(words, sample, objective) if isfinite(float(objective.value)) else None

    def _objective(self, sample: Sample) -> Objective:
        weights = [sample.upstream.get(row.name or "", np.ones(())) for row in self.model.results()]
        return Objective(self.model.results(), weights, leaf_values(self.model, sample), sample.sizes)

    # -- what random points are not
    def _extreme(self, first: Sample) -> Iterator[Situation]:
        """All parameters 0, or all data; all numbers of one sign, and large: as far as the model is finite there."""
        limits = intervals(self.model.results())
        for words, change, lengths in _EXTREMES:
            for by in lengths:
                values = {n: self._changed(n, leaf, first, change, by, limits.get(n, (-np.inf, np.inf)))
                          for n, leaf in self.model.leaves().items()}
                found = self.at(words, replace(first, values=values))
                if found is not None and in_reach(found.objective, 2) and not self._is_doubtful(found.objective):
                    yield replace(found, brief=True)
                    break

    def _changed(self, name: str, leaf: Node, first: Sample, change: Change, by: float, limits: tuple[float, float]
                 ) -> Array:
        """An array at such a point: as it is where it may be no other."""
        old = first.values[name]
        if not _free(leaf):
            return old
        return np.clip(change(old, by, leaf.attr.role == "data"), *limits).astype(old.dtype)

    @staticmethod
    def _is_doubtful(objective: Objective) -> bool:
        """Whether another order of operations is on another side of a switch, or a slope is infinite or none."""
        on = any(np.any(np.abs(g.values) < CLEAR) for g in objective.start)
        return undefined(objective) or (on and _passes_by(objective))

    # -- exponentials
    def _with_most_empty(self, points: Sequence[Sample]) -> Iterator[Situation]:
        """From the point at which most is empty, and from one at which nothing is, where there are both."""
        rows = [r for r in with_bodies(self.model.graph.topological(self.model.results())) if _saturates(r)]
        told = [(self._emptied(p) if rows else (0, 0), p) for p in points]
        least, most = min(told, key=itemgetter(0)), max(told, key=itemgetter(0))
        yield from self._saturated(most[1], rows)
        if most[0][0] and not least[0][0]:
            yield from self._saturated(least[1], rows)

    def _saturated(self, first: Sample, rows: Sequence[Node]) -> Iterator[Situation]:
        """A leaf scaled such that the argument of an exponential is ±800: beyond the logarithm of the largest float;
        and far beyond, where the largest entry of one row of a softmax is none for the next."""
        left, few = {r.id: r for r in rows}, LEAVES if rows else 0
        for name in self.rng.permutation([n for n, r in self.model.leaves().items() if _free(r)])[:TRIED]:
            factor = self._factor(first, str(name), list(left.values()) or rows) if left or few > 0 else None
            few -= factor is not None
            words = f"with {name} {SO_LARGE}: no point was found at which that can be computed"
            for by in (1, APART, -1) if factor is not None else ():
                values = {**first.values, str(name): first.values[str(name)] * factor * by}
                found = self._finite(str(name), replace(first, values=values), rows)
                self.without += [words] if found is None and by != APART and words not in self.without else []
                if found is not None:
                    reached = self._arguments(found.sample, str(name), 1.0, list(left.values())) if by < 0 else {}
                    left = {k: row for k, row in left.items() if reached.get(k, 0.0) < SATURATED}
                    yield found

    def _finite(self, name: str, sample: Sample, rows: Sequence[Node]) -> Situation | None:
        """The point, or where the result is infinite there one with data of 0 and 1: targets whose weight of 0 leaves
        a log 0 out. No other value may be infinite or undefined there."""
        words = f"with {name} {SO_LARGE}"
        if (found := self.at(words, sample)) is not None:
            return found if can_be_computed(found.objective) else None
        points = (p for p in self._with_bits(name, sample) if self._defined(p)
                  and max(self._arguments(p, name, 1.0, rows).values(), default=0.0) >= SATURATED)
        return next((s for p in points if (s := self.at(words, p)) is not None and can_be_computed(s.objective)), None)

    def _defined(self, sample: Sample) -> bool:
        """Whether every value is a number or log 0."""
        below: list[bool] = []

        def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
            for part in value if isinstance(value, list) else [value]:  # a loop has several
                below.append(bool(np.all(part < np.inf)))  # not so of what is not a number
            return value

        return self._ran(sample, watch) and all(below)

    def _ran(self, sample: Sample, watch: Watch) -> bool:
        """Whether the model can be computed at all: not so where a matrix has no inverse."""
        try:
            with np.errstate(all="ignore"):
                Program(self.model.results(), sample.sizes, watch=watch).run(leaf_values(self.model, sample))
        except ModelError:
            return False
        return True

    def _emptied(self, sample: Sample) -> tuple[int, int]:
        """How many lines a softmax or a logsumexp has that are empty beside others that are not, and how many values of
        the model are infinite."""
        empty, infinite = 0, 0

        def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
            nonlocal empty, infinite
            infinite += sum(int(np.isinf(v).sum()) for v in (value if isinstance(value, list) else [value]))
            if step.row.op.distribution or step.row.op.logarithm:
                axes = step.row.attr if step.row.op.distribution else tuple(map(int, step.row.attr[0]))
                none = np.all(np.isneginf(np.real(args[0])), axis=axes)
                empty += int(min(np.sum(none), np.sum(~none)))
            return value

        return (empty, infinite) if self._ran(sample, watch) else (0, 0)

    def _with_bits(self, name: str, sample: Sample) -> Iterator[Sample]:
        data = [n for n, r in self.model.leaves().items() if n != name and _free(r) and r.attr.role == "data"]
        for k in range(TRIES if self._cost(sample.sizes) < EXPENSIVE else 0):
            for other in data:
                bits = k if k < 2 else self.rng.integers(0, 2, np.shape(sample.values[other]))
                values = {**sample.values, other: np.zeros(np.shape(sample.values[other])) + bits}
                yield replace(sample, values=values)

    def _masked(self, first: Sample) -> Iterator[Sample]:
        """The point with half of an array of data 0 or 1, or all of it 1, where that can be: what a mask leaves nothing
        of is shifted otherwise than the rest, and all are where it leaves something of each."""
        for name, leaf in self.model.leaves().items():
            old = np.asarray(first.values[name])
            if leaf.attr.role != "data" or not old.ndim or leaf.attr.stated == SIMPLEX:
                continue
            kept = np.arange(len(old)) % 2 == 0
            for number, left in ((0, kept), (1, kept), (1, False)):
                masked = np.where(left, old.T, number).T.astype(old.dtype)
                sample = replace(first, values={**first.values, name: masked})
                if self.at("", sample) is not None:
                    yield sample

    def _factor(self, first: Sample, name: str, rows: Sequence[Node]) -> float | None:
        """What a leaf is multiplied with for the largest argument of some exponential to be 800."""
        before, after = (self._arguments(first, name, by, rows) for by in (1.0, FAR))
        for row, size in before.items():
            grown = after.get(row, 0.0) / size if size else 0.0
            if grown > GROWN and isfinite(grown) and size < FAR:
                return float(FAR ** (np.log(FAR / size) / np.log(grown)))
        return None

    def _arguments(self, first: Sample, name: str, by: float, rows: Sequence[Node]) -> dict[int, float]:
        """The largest argument of each of the rows, with a leaf multiplied by a number."""
        wanted, found = {r.id for r in rows}, dict[int, float]()

        def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
            if step.row.id in wanted and args:  # not what is made of numbers alone
                size = largest(args[0])  # masks are infinite
                found[step.row.id] = max(found.get(step.row.id, 0.0), size)
            return value

        self._ran(replace(first, values={**first.values, name: first.values[name] * by}), watch)
        return found

    # -- switches
    def _on_switches(self, first: Sample, needs: Needs | None) -> Iterator[Situation]:
        """Points on which ReLUs are at 0, largest entries equal, numbers equal to what they are compared with: all in
        numbers whose sums and products are exact, so that every order of operations meets them."""
        switching = switching_rows(self.model)
        if not switching:
            return
        pools = dict.fromkeys(self.free, (2, 4))
        sizes = first.sizes if needs is None or self.few else self._fitting(pools, needs) or first.sizes
        missing, idle = {on_switch(r): r for r in switching}, set[str]()
        for k in range(TRIES if self._cost(sizes) < EXPENSIVE else 2):
            found = self.at("", self._dyadic(draw(self.model, sizes, self.rng), switching, alike=k % 2 == 1))
            here = {on_switch(r): r for r in met(found.objective, switching)} if found is not None else {}
            new = [] if found is None else deciding(found.objective, {w: here[w] for w in missing if w in here})
            idle |= set(here)
            if found is not None and new:
                missing = {w: r for w, r in missing.items() if w not in new}
                yield replace(found, exact=True, words=f"where {' and '.join(new[:3])}{' …' if len(new) > 3 else ''}")
            if not missing:
                return
        self.without += [f"what holds where exactly {w}" for w in missing if w not in idle]

    def _dyadic(self, sample: Sample, switching: Sequence[Node], alike: bool) -> Sample:
        """Few numbers that meet each other often, those that conditions compare with among them; two for each array
        where entries are to be ``alike``."""
        numbers = {n for row in switching for n in numbers_in(row) if abs(n) <= 4 and (8 * n) % 1 == 0}
        limits = intervals(self.model.results())

        def drawn(name: str, old: Array) -> Array:
            low, high = limits.get(name, (-np.inf, np.inf))
            choices = [x for x in sorted({*DYADIC, *numbers}) if low <= x <= high]
            choices = list(self.rng.choice(choices, 2)) if alike and choices else choices
            return self.rng.choice(choices, old.shape) if choices and old.dtype.kind == "f" else old

        return replace(sample, values={n: np.asarray(drawn(n, v)) for n, v in sample.values.items()})


Change = Callable[[Array, float, bool], Array]
_EXTREMES: Sequence[tuple[str, Change, Sequence[float]]] = (
    ("with all parameters 0", lambda old, by, data: old if data else 0 * old, (1,)),
    ("with all data 0", lambda old, by, data: 0 * old if data else old, (1,)),
    ("with all numbers positive", lambda old, by, data: by * np.abs(old), (1, 8)),
    ("with all numbers negative", lambda old, by, data: -by * np.abs(old), (1, 8)),
    ("with large numbers", lambda old, by, data: by * old, (2.0**20, 128, 8)),
)


def _free(leaf: Node) -> bool:
    """Whether any multiple of an array is one that it may be."""
    return leaf.kind == FLOAT and leaf.attr.stated != SIMPLEX


def said(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{n} = {s}" for n, s in sizes.items())


def literals(model: Model) -> set[int]:
    """The whole numbers in slices, paddings, windows, shifts and repetitions of a model."""
    found = set[int]()
    for row in with_bodies(model.graph.topological(model.results())):
        if not isinstance(row.attr, (Loop, Kernel)) and not row.is_leaf:
            found |= set(_whole(row.attr))
        found |= {abs(int(n)) for d in row.shape if isinstance(d, sp.Expr) for n in d.atoms(sp.Integer)}
    return {n for n in found if n > 1}


def _whole(attr: Any) -> Iterator[int]:
    if isinstance(attr, tuple):
        for part in attr:
            yield from _whole(part)
    elif isinstance(attr, sp.Expr):
        yield from (abs(int(n)) for n in attr.atoms(sp.Integer))
    elif isinstance(attr, int):
        yield abs(attr)


def _saturates(row: Node) -> bool:
    """Whether a row is a function, which may overflow or saturate: an elementwise one without pieces, or a softmax."""
    return (row.head is not None and not switches_of(row)) or (row.op.jacobian is not None and not row.op.selects)


# -- on the switches of functions with pieces
def switching_rows(model: Model) -> list[Node]:
    """The rows that choose by numbers which come from arrays."""
    rows = list(with_bodies(model.graph.topological(model.results())))
    moved = {r.id for r in rows if r.is_leaf and r.kind == FLOAT and r.value is None}
    for row in rows:
        moved |= {row.id} if row.kind != INT and any(a.id in moved for a in row.args) else set()
    choosing = [r for r in rows if r.op.chooses or (any(a.kind == FLOAT for a in r.args[:1]) and switches_of(r))]
    return [r for r in choosing if r.id in moved]


def met(objective: Objective, switching: Sequence[Node]) -> list[Node]:
    """The rows whose switches are met exactly; none where another order of operations, or more digits, may pass by
    one of them, or where a slope is infinite or none."""
    wanted = {r.id for r in switching}
    rows = dict.fromkeys([gap.step.row for gap in objective.start if gap.step.row.id in wanted and _met(gap)])
    return [*rows] if rows and not undefined(objective) and not _passes_by(objective) else []


def _passes_by(objective: Objective) -> bool:
    """Whether a switch is nearly met, or met in one order of operations and not in another one or with more digits."""
    if any(np.any((g.values != 0) & (np.abs(g.values) < CLEAR)) for g in objective.start):
        return True
    others = chain([longer_gaps(objective)], (objective.values({}, Reordered(turn))[1] for turn in range(RUNS)))
    return any(np.any((a.values == 0) != (b.values == 0)) for other in others
               for a, b in zip(objective.start, other, strict=True))


def undefined(objective: Objective) -> bool:
    """Whether a slope is infinite or none at a point, such as that of a root at 0: also where another order of
    operations may find it to be so."""
    return any(g.relative and np.any(np.abs(g.values) < ROUNDED) for g in objective.start) or singular(objective)


def can_be_computed(objective: Objective) -> bool:
    """Whether gradients are defined at a point, and in reach of numbers: a backward pass takes squares of what forward
    computes, as that of 1/x does."""
    return in_reach(objective, 2) and not singular(objective) and not underflows(objective)


def in_reach(objective: Objective, power: int) -> bool:
    """Whether all that a model computes at a point can be raised to a power."""
    values = (part for v in objective.base.values() for part in (v if isinstance(v, list) else [v]))
    end = NUMBERS ** (1 / power)
    return all(size == 0 or 1 / end < size < end for size in map(largest, values))


def underflows(objective: Objective) -> bool:
    """Whether the model loses the argument of a function whose slope is infinite at 0: what a² + b² is under a root
    where it is next to nothing, or nothing in numbers that are no longer. The model is at the root's kink there, or as
    good as; a module that computes the root as hypot(a, b) is not."""
    for ours, longer in zip(objective.start, longer_gaps(objective), strict=True):
        size = np.abs(ours.values)
        lost = np.where(size == 0, longer.values != 0, size < NUMBERS**-0.5)
        if ours.relative and np.any(lost):
            return True
    return False


def longer_gaps(objective: Objective) -> list[Gap]:
    """The gaps at a point, computed in numbers with more digits and exponents, where the machine has these."""
    return objective.values({leaf: a.astype(np.longdouble) for leaf, a in objective.given.items()
                             if a.dtype.kind == "f"})[1]


def singular(objective: Objective) -> bool:
    """Whether a function of matrices is given one that has no inverse in numbers: no gradient is defined there."""
    found: list[float] = []

    def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
        if step.row.op.matrices and args[0].ndim > 1 and args[0].size:
            finite = bool(np.isfinite(args[0]).all())
            found.append(float(np.max(np.linalg.cond(args[0].astype(np.float64)))) if finite else np.inf)
        return value

    objective.values({}, watch)
    return any(not c < SINGULAR for c in found)


def deciding(objective: Objective, switches: Mapping[str, Node]) -> list[str]:
    """Which of the rows that are on their switches decide: where one has another slope there, that along a direction
    through all arrays is another one. A unit that nothing reads, or whose input does not move, shows no convention."""
    if not switches:
        return []
    rng, reals = np.random.default_rng(0), list[Array]()
    objective.values({}, recording(reals))
    along = {leaf: rng.uniform(0.5, 1.5, a.shape) for leaf, a in objective.given.items() if a.dtype.kind == "f"}

    def slope(change: Pinned) -> float | None:
        try:
            return imaginary(Ray(objective, along, change), TINY)[0]
        except (NotAnalytic, Unstated):
            return None

    stated = slope(Pinned(reals))  # the same for all
    return [w for w, row in switches.items() if stated is None or stated != slope(Otherwise(reals, row))]


def _met(gap: Gap) -> bool:
    """Whether two operands of a step are equal, or several entries the largest."""
    on, op = int(np.sum(gap.values == 0)), gap.step.row.op
    return on > (np.size(op.reference(np, gap.step.attr, gap.values)) if op.chooses else 0)


def on_switch(row: Node) -> str:
    """What is met on the switch of a row, in words."""
    largest = row.op.chooses
    return f"several entries of {Brief().operand(row.args[0])} are the largest" if largest else meeting(row)
