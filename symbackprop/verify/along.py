"""Derivatives along a direction v that a module has beside its gradients, against differences of what it gives near.

``jvp`` has to be the slope of the results, ``hvp`` that of the gradients, which have been compared with the model at
the same point; ⟨u, H v⟩ is ⟨v, H u⟩, and ⟨u, J v⟩ what the gradient says of v. What ``ggn`` has to be says
`curvature`. Nothing here knows how they were derived.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from symbackprop.apart.files import CallFailed
from symbackprop.errors import ModelError
from symbackprop.verify.convexity import Claim, GaussNewton, weights
from symbackprop.verify.differences import (
    AUTO,
    REACHES,
    TINY,
    NotAnalytic,
    Objective,
    Prober,
    Ray,
    Slope,
    imaginary,
    romberg,
)
from symbackprop.verify.interpreter import Array, Step, largest
from symbackprop.verify.kinks import Unstated, crossed
from symbackprop.verify.module import Candidate, Outcome, numbers, refused
from symbackprop.verify.report import FAIL, INCONCLUSIVE, PASS, ProductReport
from symbackprop.verify.rounding import DOUBLE, RUNS, SINGLE, SLACK, Rounding, of_slope
from symbackprop.verify.sampling import Sample, in_single

Arrays: TypeAlias = dict[str, Array]
Of: TypeAlias = Callable[[Outcome], Mapping[str, Any]]
Asked: TypeAlias = "Callable[[Along], Arrays]"
RESULTS: Of = attrgetter("results")
GRADIENTS: Of = attrgetter("gradients")
HVP, JVP, GGN = "hvp", "jvp", "ggn"
TOLERANCE, UNCERTAIN, AGREE, ALIKE = 1e-6, 1e-4, 1e-8, 1e-2
COARSE = 1e-2  # far out, where most of what is computed is lost in rounding, beside the largest entry of all
CANCELLED, SAFE, NEARLY = 4096 * DOUBLE, 4, 16
NOTHING = 1e-6
OTHER = (0.7, 0.9)  # of a step
SWINGS, RESOLVING = 0.5, (0.1, 0.02)  # of the time that what changes as fast as claimed takes to be another
SMALL = 1e-3  # an entry that is so small beside the largest one is compared with that


class Along:
    """The derivatives of a module along random directions at one point, where it has given ``outcome``; at a point of a
    ``special`` kind, where numbers may be far out, they are not compared as closely. ``coarse`` is what rounding leaves
    of them there, beside their size."""

    def __init__(self, candidate: Candidate, sample: Sample, objective: Objective, outcome: Outcome, rng: Any,
                 special: bool) -> None:
        self.candidate, self.sample, self.objective, self.outcome, self.rng = candidate, sample, objective, outcome, rng
        self.special, self.coarse = special, COARSE if special else 0.0
        self.leaves = {n: row for n, row in candidate.targets.items() if row.is_leaf}

    def findings(self) -> list[ProductReport]:
        """What every function that the module has is found to be."""
        return self.as_closely_as_can_be(self._findings)

    def as_closely_as_can_be(self, find: Callable[[], Iterator[ProductReport]]) -> list[ProductReport]:
        """What is found; where something is wrong, as closely as rounding lets second derivatives be compared, and
        nothing where they are nothing but rounding."""
        found = list(find())
        if all(r.verdict != FAIL for r in found):
            return found
        rounded = self.rounded(DOUBLE)
        if not self.coarse and rounded > AGREE:
            self.coarse = min(rounded, COARSE)
            found = list(find())
        if rounded > COARSE:
            found = [ProductReport(r.name, INCONCLUSIVE, None) if r.verdict == FAIL else r for r in found]
        return found

    def rounded(self, eps: float) -> float:
        """What rounding by ``eps`` leaves of second derivatives, as at a point far out, wherever the point lies: where
        the terms of a slope are κ times as large as it is, theirs are κ² times as large as they are. The slope is taken
        as large as it is along most directions: along one of them all may cancel by chance."""
        v = self.direction()
        terms = _terms(v, self._gradients)
        size = float(np.linalg.norm(terms))
        kappa = self._rounding(v, float(terms.sum())) / (SLACK * DOUBLE * size) if size else np.inf
        return SLACK * eps * kappa**2

    @property
    def _gradients(self) -> Arrays:
        return {n: np.asarray(self.outcome.gradients[n], float) for n in self.leaves}

    @cached_property
    def size(self) -> float:
        """What a derivative may be nothing beside."""
        return self.objective.beside(map(largest, self._gradients.values()))

    def _findings(self) -> Iterator[ProductReport]:
        names = [name for name in (JVP, HVP, GGN) if self.candidate.has(name)]
        if not names or not self.leaves:
            return
        v, u = self.direction(), self.direction()
        near = Near(self.candidate, self.sample, self.objective, v, [*self.leaves]) if {*names} - {GGN} else None
        for name in names:
            found = self.given(name, v)
            if near is not None and name != GGN:
                of, again = RESULTS if name == JVP else GRADIENTS, partial(_given, name, v)
                yield from self.compared(f"{name}: {{}}", of, found, near, again)
            elif not self.special:
                yield from self._beside_matrix(found, u, v)
            yield self._paired(name, found, u, v)
            if name == GGN and not self.special:
                yield self._not_negative(v)

    def _beside_matrix(self, found: Arrays, u: Arrays, v: Arrays) -> Iterator[ProductReport]:
        """Every array of ggn beside the matrix of the model."""
        slopes = (matrix := self.matrix).slopes(v)
        for n in found:
            yield matrix.compared(f"{GGN}: {n}", {n: found[n]}, slopes, {n: u[n]})

    @cached_property
    def matrix(self) -> GaussNewton:
        return GaussNewton(self.objective, self.leaves)

    def outputs(self) -> Iterator[str]:
        """What is not as it is claimed of the rows that the loss is a convex function of."""
        matrix = self.matrix
        if matrix.outputs:
            yield from Claim(self.objective, self.leaves, matrix.outputs, matrix.held, self.rng).wrong()

    @property
    def floor(self) -> float:
        """What is nothing beside the numbers of a point far out, or where all cancels, as the little that p leaves of 1
        is."""
        return NOTHING * max(map(largest, self.sample.values.values()), default=0.0) if self.coarse == COARSE else 0.0

    @cached_property
    def leaves_numbers(self) -> bool:
        """Whether an intermediate of the model moves infinitely fast there, or by no number: what goes forwards along a
        direction then has 0·∞ where what goes backwards leaves out what does not count. So it is where the square of
        one, by which second derivatives are divided, is 0 or ∞ though it is not."""
        lost: list[bool] = []

        def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
            for part in value if isinstance(value, list) else [value]:
                size = np.abs(np.real(part).astype(float))
                square = size * size
                lost.append(not np.all(np.isfinite(np.imag(part))) or bool(np.any((square == 0) & (size != 0)))
                            or bool(np.any(np.isinf(square) & np.isfinite(size))))
            return value

        moved = {self.leaves[n].id: self.objective.given[self.leaves[n].id] + 1j * TINY * a
                 for n, a in self.direction().items()}
        try:
            self.objective.values(moved, watch)
        except (TypeError, ModelError):  # a row that takes no complex numbers: nothing is known
            return False
        return any(lost)

    def direction(self) -> Arrays:
        """Random numbers as large as the arrays."""
        found = {}
        for n in self.leaves:
            x = np.asarray(self.sample.values[n])
            size = float(np.clip(np.sqrt(np.mean(x**2)) if x.size else 1.0, 1e-2, 1.0))
            found[n] = size * self.rng.choice([-1.0, 1.0], x.shape) * self.rng.uniform(0.5, 1.5, x.shape)
        return found

    def given(self, name: str, v: Arrays) -> Arrays:
        """What the module gives along v, as arrays; raises `CallFailed` for what is none of the right shapes."""
        found = self.candidate.along(name, self.sample, v)
        right: Mapping[str, Any] = self.outcome.results if name == JVP else v
        if set(found) != set(right):
            raise CallFailed(f"{name} returned {', '.join(map(str, found)) or 'nothing'}, expected {', '.join(right)}")
        arrays = {n: numbers(found[n]) for n in right}
        for n, array in arrays.items():
            if array is None or np.shape(array) != np.shape(right[n]):
                shape = "no array" if array is None else f"an array of shape {np.shape(array)}"
                raise CallFailed(f"{name} returned {shape} for {n}, expected {np.shape(right[n])}")
        return arrays

    def compared(self, said: str, of: Of, found: Arrays, near: Near, asked: Asked | None = None
                 ) -> Iterator[ProductReport]:
        """Arrays by name beside the slopes of the results or gradients; ``said`` is what one is called, {} its name.
        Where they can be ``asked`` for at points nearby, what rounding makes of them is measured."""
        expected, again = near.of(of), None
        whole = max((largest(s.value) for slopes in expected.values() for s in slopes), default=0.0)
        for n in found:
            if n not in expected:  # a kink lies near
                yield ProductReport(said.format(n), INCONCLUSIVE, None)
                continue
            beside = partial(self._beside, said.format(n), of, n, found[n], whole=whole)
            report = beside(expected[n], closely=asked is not None)
            if report.verdict == FAIL:
                again = again or near.resolving(of, found).of(of, again=True)
                report = beside(again[n], closely=asked is not None)
                if report.verdict == FAIL and asked is not None and self._rounds(report, of, n, asked, near):
                    report = beside(again[n])
                    report = ProductReport(report.name, INCONCLUSIVE, None) if report.verdict == FAIL else report
                swings = report.verdict == FAIL and not _is_seen_again(again[n])
                report = ProductReport(report.name, INCONCLUSIVE, None) if swings else report
            yield report

    def _rounds(self, report: ProductReport, of: Of, n: str, asked: Asked, near: Near) -> bool:
        """Whether what differs is no more than what comes of inputs that are a few units in the last place off, in what
        is compared or in what its slopes are taken of: where all cancels there is nothing but rounding."""
        moved = [self._jittered() for _ in range(RUNS)]
        apart = _apart([asked(along)[n] for along in moved], report.worst_index)
        if n in of(self.outcome):
            apart += _apart([of(m.candidate.run(m.sample))[n] for m in moved], report.worst_index) / min(near.reaches)
        return abs((report.module or 0.0) - (report.numeric or 0.0)) <= SLACK * apart

    def _jittered(self) -> Along:
        moved, values = copy(self), self.sample.values
        by = {n: 1 + DOUBLE * self.rng.choice([-2, -1, 1, 2], np.shape(x)) if np.asarray(x).dtype.kind == "f" else 1
              for n, x in values.items()}
        moved.sample = replace(self.sample, values={n: np.asarray(x * by[n]) for n, x in values.items()})
        return moved

    def _beside(self, said: str, of: Of, n: str, array: Array, slopes: list[Slope], whole: float, closely: bool = False
                ) -> ProductReport:
        """One array beside its slopes; ``closely``, every entry beside its own."""
        before = of(self.outcome)
        if self.coarse <= TOLERANCE and closely:
            own = np.abs(before.get(n, 0.0))
            return compared(said, array, slopes, own if np.shape(own) == np.shape(array) else largest(own), small=0.0)
        if self.coarse <= TOLERANCE:
            return compared(said, array, slopes, max(largest(before.get(n, 0.0)), self.size))
        if not np.all(np.isfinite(array)) and self.leaves_numbers:
            return ProductReport(said, INCONCLUSIVE, None)
        return compared(said, array, slopes, max(map(largest, before.values())), max(whole, self.floor), self.coarse)

    def _paired(self, name: str, found: Arrays, u: Arrays, v: Arrays) -> ProductReport:
        """⟨u, H v⟩ = ⟨v, H u⟩, of G likewise; ⟨upstream, J v⟩ = ⟨gradient, v⟩."""
        if name != JVP:
            terms, others = _terms(u, found), _terms(v, self.given(name, u))
        else:
            rows = zip(self.objective.rows, self.objective.weights, strict=True)
            terms = _terms({r.name or "": w for r, w in rows}, found)
            others = _terms(v, self._gradients)
        one, other = float(terms.sum()), float(others.sum())
        size = max(float(np.linalg.norm(terms)), float(np.linalg.norm(others)), abs(one), abs(other))
        size = max(size, CANCELLED / AGREE * self.size, self.floor)
        error = abs(one - other) / size if size else 0.0
        matrix = "H" if name == HVP else "G"
        what = f"⟨u, {matrix} v⟩ and ⟨v, {matrix} u⟩" if name != JVP else "⟨upstream, J v⟩ and ⟨gradient, v⟩"
        if not np.isfinite(error):
            return ProductReport(f"{name}: {what}", INCONCLUSIVE, None)
        right = error <= max(AGREE, self.coarse) or (name == JVP and abs(one - other) <= self._rounding(v, other))
        return ProductReport(f"{name}: {what}", PASS if right else FAIL, error, (), one, other)

    def _rounding(self, v: Arrays, found: float) -> float:
        """What rounding may make of the slope along v; nothing where it cannot be told."""
        along = {self.leaves[n].id: a for n, a in v.items()}
        try:
            return of_slope(lambda change: imaginary(Ray(self.objective, along, change), TINY)[0], found,
                            Rounding(DOUBLE, np.random.default_rng(0)))
        except (NotAnalytic, Unstated):
            return 0.0

    def _not_negative(self, v: Arrays) -> ProductReport:
        """⟨v, G v⟩ ≥ 0: what is convex bends upwards, where data are weights as they are taken to be."""
        data = {n: weights(row, self.sample.values[n], self.rng) for n, row in self.candidate.model.leaves().items()
                if n not in self.leaves and n in self.sample.values}
        moved = replace(self.sample, values={**self.sample.values, **data})
        terms = _terms(v, {n: np.asarray(a, float) for n, a in self.candidate.along(GGN, moved, v).items()})
        total, size = float(terms.sum()), float(np.linalg.norm(terms))
        size = max(size, CANCELLED / AGREE * self.size, self.floor)
        error = max(-total / size, 0.0) if size else 0.0
        if not np.isfinite(total):
            return ProductReport(f"{GGN}: ⟨v, G v⟩", INCONCLUSIVE, None)
        return ProductReport(f"{GGN}: ⟨v, G v⟩", PASS if error <= AGREE else FAIL, error, (), total, max(total, 0.0))


def _terms(left: Mapping[str, Array], right: Mapping[str, Array]) -> Array:
    return np.concatenate([np.reshape(left[n] * right[n], -1) for n in left])


def _given(name: str, v: Arrays, along: Along) -> Arrays:
    return along.given(name, v)


def _apart(arrays: Sequence[Any], index: tuple[int, ...]) -> float:
    """How far apart an entry of several arrays is."""
    return float(np.ptp([np.asarray(a, float)[index] for a in arrays]))


class Near:
    """What a module gives at points along v beside one, where no kink lies between: results, and the gradients
    ``wanted``. Of one that it does not promise that is the model's slope along ``u``."""

    def __init__(self, candidate: Candidate, sample: Sample, objective: Objective, v: Arrays,
                 wanted: Collection[str] = (), u: Arrays | None = None, reaches: Sequence[float] = REACHES[:3]) -> None:
        self.candidate, self.sample, self.objective, self.v = candidate, sample, objective, v
        self.wanted, self.u, self.reaches = wanted, u or {}, reaches
        self.rows = candidate.model.leaves()
        self.ray = Ray(objective, {self.rows[n].id: a for n, a in v.items()})
        self.steps: dict[float, list[Outcome] | None] = {}

    def resolving(self, of: Of, claimed: Arrays) -> Near:
        """The same with steps over which what is claimed changes the whole little: one that swings faster than steps
        are long looks as if it hardly moved."""
        outcomes = [o for some in self.steps.values() for o in some or ()]
        top = max((largest(a) for outcome in outcomes for a in of(outcome).values()), default=0.0)
        rate = max(map(largest, claimed.values()), default=0.0) / top if top else 0.0
        if rate * min(self.reaches) < SWINGS or not np.isfinite(rate):
            return self
        return Near(self.candidate, self.sample, self.objective, self.v, self.wanted, self.u,
                    [by / rate for by in RESOLVING])

    def _around(self, h: float) -> list[Outcome] | None:
        """The module's outcomes at ±h, ±h/2, ±h/4; None where a kink lies between."""
        if h not in self.steps:
            self.steps[h] = self._taken(h)
        return self.steps[h]

    def _taken(self, h: float) -> list[Outcome] | None:
        places = [sign * h / by for by in (1, 2, 4) for sign in (1, -1)]
        if any(crossed(self.ray.start, self.ray.at(t)[1]) for t in places):
            return None
        return [self._at(t) for t in places]

    def _at(self, t: float) -> Outcome:
        moved = {n: np.asarray(self.sample.values[n]) + t * a for n, a in self.v.items()}
        outcome = self.candidate.run(replace(self.sample, values={**self.sample.values, **moved}))
        gradients = {n: outcome.gradients[n] for n in self.wanted if n in outcome.gradients}
        return Outcome(outcome.results, gradients | self._slopes_along(moved))

    def _slopes_along(self, moved: Arrays) -> Arrays:
        """The slopes of the model along u, where some arrays are moved."""
        ours, rows = self.objective, {n: self.rows[n] for n in self.u}
        given = {**ours.given, **{self.rows[n].id: a for n, a in moved.items()}}
        there = Objective(ours.rows, ours.weights, given, ours.program.sizes, [*rows.values()]) if rows else ours
        return {n: np.asarray(Prober(there, rows[n], AUTO).along(np.arange(u.size), np.ravel(u)).slope)
                for n, u in self.u.items()}

    def of(self, of: Of, again: bool = False) -> dict[str, list[Slope]]:
        """The slopes of the results or the gradients, by steps of several sizes, until they are sure; ``again``: by all
        of them, and steps of other lengths measure how far off they are, by rounding and by what swings faster than
        they are long."""
        found: dict[str, list[Slope]] = {}
        for h in self.reaches:
            if found and not again and all(map(_is_sure, found.values())):
                break
            if (outcomes := self._around(h)) is None:
                continue
            slopes = self._slopes(of, h, outcomes)
            ways = OTHER if again else ()
            others = [self._slopes(of, h * by, more) for by in ways if (more := self._around(h * by))]
            for n, one in slopes.items():
                noise = [one.noise, *[np.abs(one.value - other[n].value) for other in others]]
                found.setdefault(n, []).append(Slope(one.value, np.max(np.broadcast_arrays(*noise), axis=0)))
        return found

    def _slopes(self, of: Of, h: float, outcomes: list[Outcome]) -> dict[str, Slope]:
        values = [of(o) for o in outcomes]
        return {n: romberg(h, [np.asarray(a[n], float) for a in values]) for n in values[0]}


def off(slope: Slope) -> float:
    """How far off some entry may be."""
    return float(np.max(slope.noise, initial=0.0))


def _is_sure(slopes: list[Slope]) -> bool:
    """Whether steps of one size say all that has to be known."""
    return any(off(s) <= AGREE * largest(s.value) for s in slopes)


def compared(name: str, array: Array, slopes: list[Slope], before: Array | float, whole: float = 0.0,
             within: float = TOLERANCE, small: float = SMALL) -> ProductReport:
    """What an array is beside its slopes: wrong where it differs from all that are as sure as is asked for, or nearly
    as sure as the surest, by more than they may be off. What these are the slopes of is as large as ``before``; an
    entry may be ``small`` beside the largest one, or beside the ``whole``."""
    best = min(slopes, key=off)
    scale = max(whole, largest(best.value))
    if not array.size:
        return ProductReport(name, PASS, 0.0)
    if not np.all(np.isfinite(best.value)) or np.max(best.noise) > UNCERTAIN * max(scale, np.max(before)):
        return ProductReport(name, INCONCLUSIVE, None)
    with np.errstate(all="ignore"):
        size = np.maximum(np.maximum(np.abs(array), np.abs(best.value)), max(small * scale, whole))
        size = np.maximum(size, CANCELLED / within * before)
        enough = max(within * scale / SAFE, NEARLY * off(best))
        far = [np.abs(array - s.value) - SAFE * s.noise for s in slopes if off(s) <= enough]
        error = np.where(array == best.value, 0.0, np.min(far, axis=0) / size)
    error = np.where(np.isfinite(array), np.maximum(error, 0.0), np.inf)
    place = np.unravel_index(int(np.argmax(error)), error.shape)
    worst = float(error[place])
    index = tuple(map(int, place))
    return ProductReport(name, PASS if worst <= within else FAIL, worst, index, float(array[place]),
                         float(best.value[place]))


def _is_seen_again(slopes: list[Slope]) -> bool:
    """Whether steps of another size give what the surest ones do, or there are none: of what swings faster than steps
    are long, each gives something else, however sure it is. Steps that know less than how large it is say nothing."""
    best = min(slopes, key=off)
    size = largest(best.value)
    others = [s for s in slopes if s is not best and off(s) <= size]
    with np.errstate(all="ignore"):
        return len(slopes) == 1 or any(
            bool(np.all(np.abs(s.value - best.value) <= UNCERTAIN * size + SAFE * (s.noise + best.noise)))
            for s in others)


# -- what is promised beside right numbers
def promised(along: Along) -> Iterator[str]:
    """One sentence for everything that a function does otherwise than told: what it changes, refuses, leaves out, the
    precision that it returns."""
    for name in (JVP, HVP, GGN):
        if along.candidate.has(name) and along.leaves:
            try:
                yield from _kept(name, along)
                yield from _in_single(name, along)
                yield from _refused(name, along)
                yield from _left_out(name, along)
                yield from along.outputs() if name == GGN else ()
            except CallFailed as failure:
                yield str(failure)


def _kept(name: str, along: Along) -> Iterator[str]:
    candidate, sample, v = along.candidate, along.sample, along.direction()
    params, data = candidate.inputs(sample)
    given, before = {**params, **data, **v}, {n: np.array(a) for n, a in {**params, **data, **v}.items()}
    first = candidate.along(name, sample, v, given=(params, data))
    changed = [n for n, a in given.items() if not np.array_equal(a, before[n], equal_nan=True)]
    yield from [f"{name} changes {n}, which it is given" for n in changed]
    takes = candidate.has("make_workspace")
    options = {"workspace": candidate.ask("make_workspace", params, data, sample)} if takes else {}
    for _ in range(2 if options else 1):
        again = candidate.along(name, sample, v, **options)
        wrong = [n for n in first if not _same(first[n], again[n])]
        yield from [f"{name}, called again{' in a workspace' if options else ''}, gives another {n}" for n in wrong[:1]]


def _same(one: Any, other: Any) -> bool:
    a, b = np.asarray(one, float), np.asarray(other, float)
    return bool(np.allclose(a, b, 1e-9, 1e-9 * max(largest(a), largest(b)), equal_nan=True))


def _in_single(name: str, along: Along) -> Iterator[str]:
    """What is given in float32 comes back in it, and much the same."""
    v = along.direction()
    single = in_single(along.sample)
    found = along.candidate.along(name, single, {n: a.astype(np.float32) for n, a in v.items()})
    for n, a in found.items():
        kept = getattr(a, "dtype", None)
        if kept is not None and kept != np.float32:
            yield f"{name} returns {kept} for {n}, given float32"
    doubled = {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in single.values.items()}
    right = along.candidate.along(name, replace(single, values=doubled), v)
    size = max(1e-3, *[float(np.linalg.norm(np.asarray(a, float))) for a in right.values()])
    for n, a in found.items():
        far = float(np.linalg.norm(np.asarray(a, float) - np.asarray(right[n], float))) / size
        if np.isfinite(far) and far > ALIKE and far > along.rounded(SINGLE):
            yield f"{name} of float32 arrays is far from that of float64 ones in {n}"


def _refused(name: str, along: Along) -> Iterator[str]:
    v, params = along.direction(), [n for n in along.leaves if n in along.candidate.model.params]
    cases: list[tuple[str, Any]] = [("an unknown name", {**v, "no_such_name": np.ones(2)})]
    if params:
        cases.append((f"no {params[0]}", {n: a for n, a in v.items() if n != params[0]}))
    shown = next(iter(v))
    cases.append((f"another shape of {shown}", {**v, shown: np.ones((*v[shown].shape, 2))}))
    for what, wrong in cases:
        if not refused({*v, "no_such_name", "v"}, along.candidate.along, name, along.sample, wrong):
            yield f"{name} takes a v with {what}, and does not refuse it"


def _left_out(name: str, along: Along) -> Iterator[str]:
    """An input that v leaves out is one along which nothing moves."""
    v = along.direction()
    params = {n: a for n, a in v.items() if n in along.candidate.model.params}
    if len(params) == len(v):
        return
    zero = {n: a if n in params else 0 * a for n, a in v.items()}
    alone, whole = (along.candidate.along(name, along.sample, some) for some in (params, zero))
    if name != JVP and set(alone) != set(params):
        yield f"{name} returns {', '.join(alone) or 'nothing'} for a v with {', '.join(params) or 'nothing'}"
    differ = [n for n in alone if not _same(alone[n], whole[n])]
    yield from [f"{name} gives another {n} where inputs are left out of v" for n in differ]
