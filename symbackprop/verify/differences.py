"""Derivatives by differences of values: central differences with extrapolation, and the complex step.

Both look at the model along a line, φ(t) = f(x + t·v), and return φ'(0) with an estimate of its error; neither knows
how the derivative was found symbolically.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import frexp, inf, isfinite, ldexp
from typing import Any

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.verify.interpreter import Array, Program, Sizes, Step, Watch, magnitude
from symbackprop.verify.kinks import Gap, Gaps, crossed, on_kinks, touched
from symbackprop.verify.rounding import DOUBLE, Paths, Rounding, equated, of_slope, of_value

CENTRAL, COMPLEX, AUTO = "central", "complex", "auto"
REACHES = (5e-3, 3e-4, 2e-5, 1e-6)
CLOSER, CERTAIN, STEEP = (1e-8, 1e-10, 1e-12), 1e-5, 1e4
NORMAL = float(np.finfo(np.float64).tiny)  # smaller numbers have lost digits
ROUNDING = 64 * DOUBLE
TINY = ldexp(1.0, -66)
CLOSE = ldexp(1.0, -400)  # what does not cancel may grow at every step of a loop, and its square has to vanish still
JITTER = 1e-9
MANY = 100  # slopes taken together


@dataclass(frozen=True)
class Estimate:
    """A slope and how far off it may be; ``kink`` says that no step avoided one, and then the slope means nothing."""

    slope: float
    noise: float
    kink: bool = False


AT_KINK = Estimate(0.0, inf, True)
UNKNOWN = Estimate(float("nan"), inf)


class NotAnalytic(Exception):
    """The model has a row that the complex step cannot pass through."""


class Held:
    """The values of rows that are held constant: those of the first run, in the order in which the steps of each row
    (one in every round of a loop) ran."""

    def __init__(self) -> None:
        self.kept: dict[int, list[Array]] = {}
        self.coming: dict[int, Iterator[Array]] | None = None

    def again(self) -> None:
        """From here on a run reads what the first one kept."""
        self.coming = {step: iter(values) for step, values in self.kept.items()}

    def watch(self, step: Step, value: Array) -> Array:
        if not step.row.op.held:
            return value
        if self.coming is not None:
            return next(self.coming[id(step)])
        self.kept.setdefault(id(step), []).append(value)
        return value


class Objective:
    """The number whose gradient is checked: the loss, or Σ upstream·output over the outputs of a layer.

    ``weights`` are the upstream gradients, one array a row, and ``given`` the values of all leaves by id. ``also`` are
    rows whose values are wanted too: slopes may be taken in any row that the program computes. While ``change`` is set,
    it says of every step what value to go on with. Its ``magnitude`` is the size of what is added up in it.
    """

    def __init__(self, rows: Sequence[Node], weights: Sequence[Array], given: dict[int, Array], sizes: Sizes,
                 also: Sequence[Node] = ()) -> None:
        self.rows, self.weights, self.given = rows, weights, given
        self.gaps, self.held = Gaps(), Held()
        self.change: Watch | None = None
        self.program = Program([*rows, *also], sizes, watch=self._watch, read=self._read)
        with np.errstate(all="ignore"):
            self.base = self.program.run(given)
        self.start = self.gaps.take()
        self.value = self.total(self.base)
        self.magnitude = float(sum(np.sum(np.abs(w * self.base[r.id])) for r, w in zip(rows, weights, strict=True)))

    def _watch(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        value = self.gaps.watch(step, args, self.held.watch(step, value))
        return value if self.change is None else self.change(step, args, value)

    def _read(self, value: Array) -> Array:
        return self.change.read(value) if isinstance(self.change, Rounding) else value

    def beside(self, slopes: Iterable[float] = ()) -> float:
        """What a derivative may be nothing beside: the magnitude or, where that is larger, as beside a constant that no
        slope sees, the largest of the slopes, 1 at least."""
        return min(self.magnitude, max([1.0, *slopes]))

    def values(self, moved: Mapping[int, Array], change: Watch | None = None) -> tuple[dict[int, Array], list[Gap]]:
        """The values of all rows when some leaves hold other arrays, and the gaps to all kinks on the way."""
        with self._anew(change):
            return self.program.run({**self.given, **moved}), self.gaps.take()

    @contextmanager
    def _anew(self, change: Watch | None) -> Iterator[None]:
        """Another evaluation, without what one that was broken off has left."""
        self.gaps.take()
        self.held.again()
        self.change = change
        try:
            with np.errstate(all="ignore"):
                yield
        finally:
            self.change = None

    def off(self) -> float:
        """How far off rounding leaves the results, beside their size; what is asked to be equal does not round."""
        values = self.values({}, Rounding(DOUBLE, np.random.default_rng(0), equated(self.rows)))[0]
        pairs = [(np.abs(values[r.id] - self.base[r.id]), np.abs(self.base[r.id])) for r in self.rows]
        return max(float(np.max(gap, initial=0.0)) / magnitude(value) for gap, value in pairs)

    def spread(self, row: Node, rounding: Rounding) -> float:
        """How far off rounding may leave an entry of a row, beside the row's size."""
        ours = self.base[row.id]
        off = of_value(lambda change: self.values({}, change)[0][row.id], ours, rounding)
        return off / magnitude(ours)

    def blurred(self, rounding: Rounding) -> float:
        """How far off rounding may leave the objective."""
        return of_value(lambda change: self.total(self.values({}, change)[0]), self.total(self.base), rounding)

    def total(self, values: Mapping[int, Array]) -> Any:
        """The objective, of the values of all rows."""
        with np.errstate(all="ignore"):  # outputs may be infinite, of both signs
            return sum(np.sum(w * values[r.id]) for r, w in zip(self.rows, self.weights, strict=True))

    def at(self, leaf: Node, array: Array, change: Watch | None = None) -> tuple[Any, list[Gap]]:
        """The value when ``leaf`` holds ``array``, and the gaps to all kinks on the way. What does not depend on the
        leaf rounds too."""
        base = self.values({}, change)[0] if isinstance(change, Rounding) else self.base
        with self._anew(change):
            return self.total(self.program.rerun(base, leaf, array)), self.gaps.take()

    def gaps_behind(self, leaf: Node) -> list[Gap]:
        """The gaps, at the point itself, of the steps that depend on a leaf."""
        steps = self.program.readers(leaf) if self.start else []
        if any(step.shape is None for step in steps):  # the gaps of a loop are those of its body
            return self.at(leaf, self.base[leaf.id])[1]
        rows = {step.row.id for step in steps}
        return [gap for gap in self.start if gap.step.row.id in rows]

    def kinks(self, leaves: Sequence[Node]) -> int:
        """How many entries lie on a kink that a small step of these leaves leaves."""
        rng = np.random.default_rng(0)
        near = {leaf.id: self.given[leaf.id] * (1 + JITTER * rng.normal(size=self.given[leaf.id].shape))
                + JITTER * JITTER * rng.normal(size=self.given[leaf.id].shape) for leaf in leaves}
        return on_kinks(self.start, self.values(near)[1])

    def reads(self, leaf: Node) -> bool:
        """Whether the objective depends on a leaf at all."""
        return leaf.id in self.program.plan.read or any(r is leaf for r in self.rows)

    @cached_property
    def slopes_of_numbers(self) -> dict[int, Estimate]:
        """The slopes by the complex step in all leaves that are one number, taken together where there are many of them
        and every row is one number; nothing where a kink or a row that is not analytic is on the way."""
        leaves = [k for k, a in self.given.items() if np.shape(a) == () and np.asarray(a).dtype.kind == "f"]
        if len(leaves) < MANY or self.start or not self.program.plan.is_of_numbers:
            return {}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error")
                found = self._together(leaves, TINY)
                closer = self._together([k for k, by in found.items() if 0 < abs(by) < TINY], TINY / 4)
        except (TypeError, Warning):
            return {}
        return {k: Estimate(by, 2 * abs(by - closer.get(k, by))) for k, by in found.items() if isfinite(by)}

    def _together(self, leaves: Sequence[int], h: float) -> dict[int, float]:
        """The slopes in some leaves by steps of one size, many in one run."""
        found: dict[int, float] = {}
        for part in (leaves[k : k + MANY] for k in range(0, len(leaves), MANY)):
            steps = 1j * h * np.eye(len(part))
            values = self.program.spread({**self.given, **{k: self.given[k] + steps[i] for i, k in enumerate(part)}})
            total = sum(w * values[r.id] for r, w in zip(self.rows, self.weights, strict=True))
            found |= zip(part, map(float, np.broadcast_to(np.imag(total), len(part)) / h), strict=True)
        return found


class Line:
    """φ(t) = f(x + t·v) for one leaf; ``where`` are the flat places of v's entries, ``along`` their values, ``change``
    is that of the values."""

    def __init__(self, objective: Objective, leaf: Node, where: Array, along: Array, start: list[Gap],
                 change: Watch | None = None) -> None:
        self.objective, self.leaf, self.start = objective, leaf, start
        self.where, self.along, self.change = where, along, change
        self.x = np.asarray(objective.base[leaf.id])

    def at(self, t: complex) -> tuple[Any, list[Gap]]:
        point = np.array(self.x, dtype=np.complex128 if isinstance(t, complex) else self.x.dtype)
        flat = point.reshape(-1)
        flat[self.where] += t * self.along
        return self.objective.at(self.leaf, point, self.change)


class Ray:
    """φ(t) = f(x + t·v) for several leaves at once; ``along`` holds v by leaf id, ``change`` is that of the values."""

    def __init__(self, objective: Objective, along: Mapping[int, Array], change: Watch | None = None) -> None:
        self.objective, self.start, self.along, self.change = objective, objective.start, along, change

    def at(self, t: complex) -> tuple[Any, list[Gap]]:
        moved = {leaf: self.objective.given[leaf] + t * v for leaf, v in self.along.items()}
        values, gaps = self.objective.values(moved, self.change)
        return self.objective.total(values), gaps


def slope(line: Line | Ray, method: str, scale: float) -> Estimate:
    """φ'(0); ``scale`` is the size of t over which the model changes noticeably."""
    return complex_step(line) if method == COMPLEX else central(line, scale)


def complex_step(line: Line | Ray) -> Estimate:
    """Im φ(i·h)/h for an h so small that its square vanishes: nothing is subtracted, so all digits of f count.

    What is itself as small as that square is looked at once more with another h. Raises `NotAnalytic` where a row
    refuses complex numbers.
    """
    found, gaps = imaginary(line, TINY)
    if touched(line.start, gaps):
        return AT_KINK
    if not isfinite(found):
        return UNKNOWN
    noise = abs(found - imaginary(line, TINY / 4)[0]) if 0 < abs(found) < TINY else 0.0
    return Estimate(found, 2 * noise)


def imaginary(line: Line | Ray, h: float) -> tuple[float, list[Gap]]:
    """Im φ(i·h)/h, and the gaps there."""
    h *= CLOSE if isinstance(line.change, Paths) else 1.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value, gaps = line.at(1j * h)
    except (TypeError, Warning) as error:
        raise NotAnalytic(str(error)) from error
    return float(np.imag(value)) / h, gaps


def central(line: Line | Ray, scale: float) -> Estimate:
    """Central differences over the longest step that meets no kink; shorter ones where they are more certain."""
    best = AT_KINK
    natural = line.objective.magnitude / scale
    for reach in REACHES:
        found = _extrapolated(line, _power_of_two(reach * scale))
        if not found.kink and found.noise <= best.noise:
            best = found
        if best.noise <= 1e-9 * max(abs(best.slope), 1e-3 * natural):
            break
    return best if not best.kink else _closer(line, scale)


def _closer(line: Line | Ray, scale: float) -> Estimate:
    """Where every usual step meets a kink: a far shorter one, for a slope so steep that it is certain still, as that of
    x/max(|x|, 1e-12)."""
    for reach in CLOSER:
        found = _extrapolated(line, _power_of_two(reach * scale))
        if not found.kink and abs(found.slope) >= STEEP and found.noise <= CERTAIN * abs(found.slope):
            return found
    return AT_KINK


def _extrapolated(line: Line | Ray, h: float) -> Estimate:
    """Romberg's scheme on steps h, h/2, h/4: the error of the result is of order h⁶; the last correction bounds it."""
    quotients, top = [], 0.0
    for step in (h, h / 2, h / 4):
        ahead, behind = line.at(step), line.at(-step)
        if crossed(line.start, ahead[1]) or crossed(line.start, behind[1]):
            return AT_KINK
        quotients.append((float(ahead[0]) - float(behind[0])) / (2 * step))
        top = max(top, abs(float(ahead[0])), abs(float(behind[0])))
    first, second, third = quotients
    coarse, fine = (4 * second - first) / 3, (4 * third - second) / 3
    found = (16 * fine - coarse) / 15
    noise = abs(found - fine) + ROUNDING * max(top, line.objective.magnitude) / h
    return Estimate(found, noise) if isfinite(found) else UNKNOWN


def _power_of_two(step: float) -> float:
    """Steps that floats hold exactly."""
    return ldexp(1.0, frexp(step)[1] - 1)


# -- the slopes of one leaf
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
        self.start = objective.gaps_behind(leaf)
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
        if self.method == COMPLEX and not self.x.ndim:
            known = self.objective.slopes_of_numbers.get(self.leaf.id)
            if known is not None:
                return Estimate(known.slope * float(direction[0]), known.noise * abs(float(direction[0])))
        scale = self._scale(where, direction)
        try:
            return slope(line, self.method, scale)
        except NotAnalytic:
            if not self.may_change:
                raise
            self.method = CENTRAL
            return slope(line, CENTRAL, scale)

    def rounding(self, where: Array, direction: Array, found: float) -> float:
        """What rounding may make of a slope."""
        differs = self.method == CENTRAL

        def run(change: Watch) -> float:
            line = Line(self.objective, self.leaf, where, direction, self.start, change)
            return central(line, self._scale(where, direction)).slope if differs else imaginary(line, TINY)[0]

        return of_slope(run, found, Rounding(DOUBLE, np.random.default_rng(0)), analytic=not differs)

    def _scale(self, where: Array, direction: Array) -> float:
        return float(np.min(self.scales[where] / np.abs(direction)))


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


def halved(where: Array, gap: Callable[[Array], float]) -> int:
    """Of some flat places the one at which there is a gap, found by halving."""
    while len(where) > 1:
        halves = np.array_split(where, 2)
        where = halves[int(np.argmax([gap(half) for half in halves]))]
    return int(where[0])


# -- of arrays
@dataclass(frozen=True)
class Slope:
    """The slopes of the entries of an array by steps of one size, and how far off they may be."""

    value: Array
    noise: Array


def romberg(h: float, values: list[Array]) -> Slope:
    """The slope of what is given at ±h, ±h/2, ±h/4, of order h⁶."""
    with np.errstate(all="ignore"):
        first, second, third = ((values[2 * k] - values[2 * k + 1]) / (2 * h / 2**k) for k in range(3))
        fine = (4 * third - second) / 3
        found = (16 * fine - (4 * second - first) / 3) / 15
        top = np.max(np.abs(values), axis=0)
        return Slope(found, np.abs(found - fine) + 4 * ROUNDING * top / h)
