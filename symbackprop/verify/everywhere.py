"""All gradients of a module in one number: the slope along a direction through all arrays at once.

It takes as many evaluations of the model as one entry does. Where it is not what the gradients say, the gradient and
the entry that make it so are found by halving. How far off it may be is read off the arithmetic: the interpreter runs
again with every row that rounds off by a little, as another order of sums and products would leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop, with_bodies
from symbackprop.verify.differences import (
    CENTRAL,
    CLOSE,
    MANY,
    NORMAL,
    TINY,
    Estimate,
    NotAnalytic,
    Objective,
    Ray,
    halved,
    imaginary,
    slope,
)
from symbackprop.verify.interpreter import Array, Step, Watch, magnitude
from symbackprop.verify.kinks import Unstated, crossed, stated, switches_of, unstated
from symbackprop.verify.module import numbers
from symbackprop.verify.rounding import DOUBLE, LARGEST, SINGLE, SLACK, Rounding, of_slope

TIMES = 3
WITHIN, AGREE = 1e-9, 1e-8
TAYLOR, TAYLOR_NOISE, BLURRED = 6, 1e4, 1e-2
CLOSER, GROWN = 1e-4, 10  # a slope like 1/sqrt(h) grows a hundredfold
STILL, STEEP = 1e-12, 1e6  # the slope of what only rounding moves, one that is infinite but for rounding
SMALL = {DOUBLE: 1e-3, SINGLE: 0.1}  # a gradient so small beside the largest one is compared with that


@dataclass(frozen=True)
class Miss:
    """An entry at which a gradient (or a result) is not what the model says, and where that was: in ``words``."""

    name: str
    index: tuple[int, ...]
    module: float
    model: float
    words: str = ""

    def __str__(self) -> str:
        place = f"{self.name}{list(self.index)}" if self.index else self.name
        return f"{self.words}: {place} is {self.module:.8g}, and {self.model:.8g} by the model"


class Everywhere:
    """The slopes of an objective along directions through several leaves, in arithmetic that rounds by ``eps``. An
    ``exact`` point is on kinks, where the stated conventions hold and what leads there does not round. Raises
    `NotAnalytic` or `Unstated` where a slope cannot be had."""

    def __init__(self, objective: Objective, leaves: Mapping[str, Node], rng: Any, eps: float = DOUBLE,
                 exact: bool = False) -> None:
        self.objective, self.rng, self.eps, self.exact = objective, rng, eps, exact
        self.within = max(WITHIN, SLACK * eps)
        self.leaves = {n: leaf for n, leaf in leaves.items() if leaf.is_leaf}
        self.method = ""

    @np.errstate(all="ignore")
    def miss(self, gradients: Mapping[str, Array], times: int) -> Miss | None:
        """An entry that is wrong, if so many directions show one. Gradients of other shapes are left to others."""
        given = {n: g for n, g in gradients.items() if n in self.leaves and np.shape(g) == self._shape(n)}
        if not given:
            return None
        for lost in [n for n, g in given.items() if not np.all(np.isfinite(g))]:
            miss = self._found(lost, given[lost], int(np.argmin(np.isfinite(given[lost]))))
            if abs(miss.model) <= LARGEST[self.eps] and not self._is_infinite(miss) and not self._is_any(miss):
                return miss
            del given[lost]  # it is infinite or any number, or larger than what the module computes in holds
        if not given:
            return None
        for _ in range(times):
            along = self._direction(given)
            if self._gap(given, along, known=False) > 0 and not self._misled(along) and not self._underflows(along):
                return self._located(given, along)
        return None

    def _direction(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """A random one, in which no gradient drowns another."""
        norms = {n: float(np.linalg.norm(g)) for n, g in given.items()}
        floor = SMALL[self.eps] * max(norms.values())
        floor += 20 * self.eps / self.within * self.objective.beside(norms.values())
        scales = {n: 1 / (norm + floor) if norm + floor else 1.0 for n, norm in norms.items()}
        return {n: self.rng.choice([-1.0, 1.0], g.shape) * self.rng.uniform(0.5, 1.5, g.shape) * scales[n]
                for n, g in given.items()}

    def rates(self, forward: Callable[[dict[str, Array]], Mapping[str, Any]], gradients: Mapping[str, Array]
              ) -> list[float]:
        """The powers of h as which |f(x + hv) − f(x) − h⟨g, v⟩| falls from one h to the next, f and g being the
        module's own: 2 where g is the gradient of f. Only h that meet no kink, over which the model is near its slope,
        and that leave more than rounding, count."""
        given = {n: g for n, g in gradients.items() if n in self.leaves and np.shape(g) == self._shape(n)}
        if not given or not all(np.all(np.isfinite(g)) for g in given.values()):
            return []
        along, left = self._direction(given), list[tuple[float, float]]()
        slope, start = sum(float(np.sum(g * along[n])) for n, g in given.items()), self._total(forward({}))
        size = max(abs(start), self.objective.magnitude)
        noise = TAYLOR_NOISE * self.eps * size
        if self.objective.blurred(Rounding(self.eps, np.random.default_rng(0))) > BLURRED * size:  # as sin(10³⁹·w) is
            return []
        own = self._slope(along).slope
        for h in [self._reach(along) / 4**k for k in range(TAYLOR)]:
            value, gaps = Ray(self.objective, self._by_id(along)).at(h)
            near = abs(value - self.objective.value - h * own) < abs(h * own) / 2
            if near and not crossed(self.objective.start, gaps):
                x = {n: self.objective.given[self.leaves[n].id] + h * v for n, v in along.items()}
                left.append((h, abs(self._total(forward(x)) - start - h * slope)))
        left = [(h, r) for h, r in left if r > noise]
        return [float(np.log(a / b) / np.log(g / h)) for (g, a), (h, b) in pairwise(left)]

    def _total(self, results: Mapping[str, Any]) -> float:
        """The objective of the module's loss or outputs."""
        rows = zip(self.objective.rows, self.objective.weights, strict=True)
        return float(sum(np.sum(w * np.asarray(results[r.name or ""])) for r, w in rows))

    def _misled(self, along: Mapping[str, Array]) -> bool:
        """Whether the complex step is wrong, as it is in silence through an op whose reference is not analytic: central
        differences, where they can be had, are certain of another slope: they see no slope that changes the objective
        by less than it rounds by. From then on they are what counts."""
        if self.method == CENTRAL:
            return False
        reach = self._reach(along)
        ours, theirs = self._slope(along), slope(Ray(self.objective, self._by_id(along)), CENTRAL, reach)
        gap, certain = abs(ours.slope - theirs.slope), 10 * theirs.noise + 1e-4 * abs(theirs.slope)
        wrong = not theirs.kink and gap > certain and gap * reach > self.objective.blurred(self._blur)
        self.method = CENTRAL if wrong else self.method
        return wrong

    def _underflows(self, along: Mapping[str, Array]) -> bool:
        """Whether the complex step is lost, times something so small that what it makes of that is no number with all
        digits, and a logarithm or a quotient makes it large again: log(exp(-740))."""
        watch = Underflow(self._reals)
        if self.method != CENTRAL:
            self._slope(along, watch)
        return watch.met

    def differs(self, results: Mapping[str, Any]) -> Miss | None:
        """An entry of the loss or of an output that is wrong."""
        for row in self.objective.rows:
            ours, theirs = np.asarray(self.objective.base[row.id]), numbers(results.get(row.name or ""))
            if theirs is None or theirs.shape != ours.shape or not ours.size:
                continue
            with np.errstate(all="ignore"):
                error = np.where(theirs == ours, 0.0, np.abs(theirs - ours)) / magnitude(ours)
            if np.max(error) <= max(AGREE, SLACK * self.eps) or np.max(error) <= self.objective.spread(row, self._blur):
                continue
            index = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), ours.shape))
            return Miss(row.name or "", index, float(theirs[index]), float(ours[index]))
        return None

    # -- one direction
    def _gap(self, gradients: Mapping[str, Array], along: Mapping[str, Array], known: bool = True) -> float:
        """By how much a slope misses what the gradients say, beyond what is allowed, and relative to that. Where it is
        ``known`` to be too much, what rounding makes of it is not looked at again."""
        terms = np.concatenate([np.reshape(gradients[n] * v, -1) for n, v in along.items()])
        found, missed = self._slope(along), 0.0
        if found.kink or not np.isfinite(found.slope):
            return 0.0
        missed = abs(float(terms.sum()) - found.slope)
        allowed = self.within * max(float(np.linalg.norm(terms)), 1.0) + found.noise
        if missed > allowed and not known:
            allowed += self._rounding(along, found.slope)
        return missed / allowed - 1 if allowed else np.inf if missed else 0.0

    def _slope(self, along: Mapping[str, Array], change: Watch | None = None, by: float = TINY) -> Estimate:
        moved, reach = self._by_id(along), self._reach(along)
        if self.method == CENTRAL:
            return slope(Ray(self.objective, moved, change), CENTRAL, reach)
        if by * CLOSE * reach < NORMAL:  # gradients that underflow have steps that do
            return Estimate(np.nan, 0.0)
        try:
            ray = Ray(self.objective, moved, change or Pinned(self._reals))
            return Estimate(imaginary(ray, by * min(reach, 1.0))[0], 0.0)
        except NotAnalytic:
            self.method = CENTRAL
            return self._slope(along, change)

    @cached_property
    def _kept(self) -> set[int]:
        """The rows that are not moved at an exact point: those that switches read."""
        return feeding(self.objective.rows) if self.exact else set()

    @cached_property
    def _reals(self) -> list[Array]:
        """The values of all steps at the point, in the order in which they are computed."""
        steps, found = self.objective.program.steps, list[Array]()
        if all(step.shape is not None for step in steps):  # no loops
            return [self.objective.base[step.row.id] for step in steps]
        self.objective.values({}, recording(found))
        return found

    def _by_id(self, along: Mapping[str, Array]) -> dict[int, Array]:
        return {self.leaves[n].id: v for n, v in along.items()}

    def _reach(self, along: Mapping[str, Array]) -> float:
        """A step along a direction over which the model changes noticeably."""
        sizes = [float(np.max(np.abs(v), initial=0.0)) for v in along.values()]
        return 0.1 / max(sizes) if max(sizes) else 1.0

    def _rounding(self, along: Mapping[str, Array], found: float) -> float:
        """What rounding may make of a slope."""
        if self.method == CENTRAL and self.exact:
            return 0.0
        return of_slope(lambda change: self._slope(along, change).slope, found, self._blur, self.method != CENTRAL)

    @property
    def _blur(self) -> Rounding:
        return Rounding(self.eps, self.rng, self._kept)

    # -- which entry
    def _located(self, gradients: Mapping[str, Array], along: Mapping[str, Array]) -> Miss | None:
        names = [*along]
        if len(names) > MANY:
            names = [names[halved(np.arange(len(names)), lambda some: self._gap(
                gradients, {names[k]: along[names[k]] for k in some}))]]
        missed = {n: self._gap(gradients, {n: along[n]}, known=False) for n in names}
        name = max(missed, key=lambda n: missed[n])
        if missed[name] <= 0:
            return None
        whole = np.arange(along[name].size)
        place = halved(whole, lambda half: self._gap(gradients, {name: _only(along[name], half)}))
        return self._found(name, gradients[name], place)

    def _found(self, name: str, gradient: Array, place: int) -> Miss:
        index = tuple(int(i) for i in np.unravel_index(place, self._shape(name)))
        here = self._slope(self._along_one(name, index)).slope
        return Miss(name, index, float(gradient.reshape(-1)[place]), here)

    def _is_infinite(self, miss: Miss) -> bool:
        """Whether a slope is infinite as the module says, as that of acos at -1 is: it grows as the complex step gets
        smaller, where a finite one stays."""
        if self.method == CENTRAL or not np.isinf(miss.module) or miss.module * miss.model <= 0:
            return False
        closer = self._slope(self._along_one(miss.name, miss.index), by=TINY * CLOSER).slope
        return abs(closer) > GROWN * abs(miss.model)

    def _is_any(self, miss: Miss) -> bool:
        """Whether a slope is 0·∞, and what is not a number in the module."""
        watch = Indefinite(self._reals)
        if not np.isnan(miss.module) or self.method == CENTRAL:
            return False
        self._slope(self._along_one(miss.name, miss.index), watch)
        return watch.met

    def _along_one(self, name: str, index: tuple[int, ...]) -> dict[str, Array]:
        """The direction of one entry."""
        found = np.zeros(self._shape(name))
        found[index] = 1.0
        return {name: found}

    def _shape(self, name: str) -> tuple[int, ...]:
        return np.shape(self.objective.given[self.leaves[name].id])


def feeding(rows: Sequence[Node]) -> set[int]:
    """The rows that functions with pieces and largest entries read, directly or not; with one in the body of a loop,
    all of the body."""
    found = set[int]()
    for row in reversed(rows[0].graph.topological(rows)):
        body = list(with_bodies([row])) if isinstance(row.attr, Loop) else [row]
        if row.id in found or any(switches_of(r) or r.op.chooses for r in body):
            found |= {a.id for a in row.args} | {r.id for r in body if r is not row}
    return found


def recording(found: list[Array]) -> Watch:
    """Appends the values of all steps, in the order in which they are computed."""

    def watch(step: Step, args: Sequence[Array], value: Array) -> Array:
        found.append(value)
        return value

    return watch


def slope_in(objective: Objective, row: Node, along: Array, change: Watch | None = None) -> float | None:
    """The slope of an objective in any row along a direction, on kinks as it is stated; None where it cannot be had.
    ``change`` is that of the values."""
    x, reals = np.asarray(objective.base[row.id]), list[Array]()
    objective.at(row, x, recording(reals))
    h = TINY / max(float(np.max(np.abs(along), initial=0.0)), 1.0)
    try:
        found = float(np.imag(objective.at(row, x + 1j * h * along, change or Pinned(reals))[0])) / h
    except (TypeError, Unstated):
        return None
    return found if np.isfinite(found) else None


class Pinned:
    """What a complex step goes on with: the real parts are those at the point itself, since a square of a step that is
    ever so small is on one side of a kink, and the imaginary parts are slopes, on kinks those stated."""

    def __init__(self, reals: Sequence[Array]) -> None:
        self.reals = iter(reals)

    def __call__(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        real, moved = next(self.reals), stated(step, args, value)
        return real + 1j * moved.imag if step.shape is not None and np.iscomplexobj(moved) else moved


class Otherwise(Pinned):
    """The same where one row has another slope on its kinks than the stated one, and a comparison another outcome."""

    def __init__(self, reals: Sequence[Array], row: Node) -> None:
        super().__init__(reals)
        self.row = row

    def __call__(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        found = super().__call__(step, args, value)
        return unstated(step, args, found) if step.row is self.row else found


class Indefinite(Pinned):
    """The same, and whether a slope of 0 meets an infinite one, as at acos(x/|x|)."""

    met = False

    def __call__(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        if isinstance(step.attr, Kernel) and any(map(np.iscomplexobj, args)):
            still = np.all(np.broadcast_arrays(*[np.abs(np.imag(a)) <= STILL * TINY for a in args]), axis=0)
            moved = step.compute(*[np.real(a) + 1j * CLOSE * np.iscomplexobj(a) for a in args])
            self.met |= bool(np.any(still & (np.abs(np.imag(moved)) > STEEP * CLOSE)))
        return super().__call__(step, args, value)


class Underflow(Pinned):
    """The same, and whether what is no longer small depends on something whose complex step has underflowed."""

    met = False

    def __call__(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        found = super().__call__(step, args, value)
        if isinstance(step.attr, Kernel) and any(map(np.iscomplexobj, args)):
            moved = step.compute(*[_as_lost(a) if np.iscomplexobj(a) else a for a in args])
            self.met |= bool(np.any((np.abs(found.real) * TINY >= NORMAL) & (
                np.abs(np.imag(moved)) > STILL * np.abs(found.real))))
        return found


def _as_lost(a: Array) -> Array:
    """An argument with steps as large as it is where its own underflows, and none elsewhere."""
    size = np.abs(np.real(a))
    return np.real(a) + 1j * np.where(size * TINY < NORMAL, size, 0.0)


def _only(direction: Array, where: Array | int) -> Array:
    """The entries of a direction at some flat places, the others 0."""
    kept = np.zeros(direction.size)
    kept[where] = direction.reshape(-1)[where]
    return kept.reshape(direction.shape)
