"""From wrong numbers to the mistake: every single mistake is made on purpose and compared with what the code returned.

The engines are those of `grade`, over arrays: mistakes at one edge of the chain rule (`grade.derivation_mistakes`) and
those that only code makes (`array_mistakes`). Where two gradients are wrong, what explains the one nearer to the loss
is tried for the other first, alone and together with every further mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from itertools import product

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import bracketed, dim_text, shape_text
from symbackprop.derive.record import Edge
from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import AT_EDGES, Candidate, Place, Swap, repeated
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference
from symbackprop.own import array_mistakes as own
from symbackprop.own.array_mistakes import displaced_masks
from symbackprop.own.compare import OFF, SHAPE, Pair, distance
from symbackprop.own.other_values import EPS, Sweep, substitutions
from symbackprop.own.truth import Truth, is_large, row_of
from symbackprop.verify.interpreter import Program

MAX_WORK, MAX_SEARCH, MAX_SWEPT, MAX_PAIRS = 6_000_000, 20_000, 200_000, 40
_PLAIN = (m.MISSING_FACTOR, m.SIGN, m.CONSTANT, m.MEAN, m.MISSING_PATH, m.TERM, m.EXPONENT)
STEP = 1e-5
ROUNDED, FEW = 2e-3, 6
Swaps = Mapping[Edge, Swap]


@dataclass
class Diagnosis:
    """The mistake in one returned gradient: the ``pairs`` of returned and right arrays at ``points``.

    ``others`` are the right gradients of the other arrays at the same points, ``right`` and ``wrong`` the names of
    those that were returned; ``earlier`` the mistakes that explain other ones. ``thorough``: pairs of mistakes are
    tried too. ``pool`` holds the mistakes at every row, for all gradients.
    """

    truth: Truth
    name: str
    points: Sequence[Point]
    pairs: Sequence[Pair]
    others: Mapping[str, Sequence[Array]]
    right: Sequence[str] = ()
    wrong: Sequence[str] = ()
    earlier: Sequence[Candidate] = ()
    thorough: bool = True
    pool: dict[int, list[Candidate]] = field(default_factory=dict)
    found: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        row = row_of(self.truth, self.name)
        self.reference, self.target = self.truth.reference, row
        self.sweeps = [Sweep(self.reference, p, row) for p in self.points]
        self.telling = int(np.argmax([np.count_nonzero(p.right) for p in self.pairs]))
        self._candidates: list[Candidate] | None = None
        self._shadows: dict[int, Array | None] = {}
        self._passed: dict[Edge, Array] = {}
        self._edges: dict[int, frozenset[Edge]] = {}
        self.work = MAX_SEARCH // len(self.reference.downstream(row))
        self.sweeps_left = MAX_SWEPT // len(self.reference.downstream(row))
        self._project()

    def _project(self) -> None:
        """Two random projections of the difference that is to be explained, and how rows move with them."""
        pair, point = self.pairs[self.telling], self.points[self.telling]
        self.tangents: dict[int, list[Array]] | None = None
        if pair.state == SHAPE:
            return
        weights = np.random.default_rng(0).normal(size=(2, *pair.right.shape))
        self.wanted = np.array([float(np.sum(w * (pair.given - pair.right))) for w in weights])
        self.projected_right = np.array([float(np.sum(w * pair.right)) for w in weights])
        self.slack = float(np.sum(np.abs(weights[0]))) * pair.scale * (pair.tolerance + 1e-7)
        self.tangents = tangents(self.reference, point, self.target, weights)

    def finding(self) -> Finding:
        """The mistake, or that no single one explains the numbers."""
        rules = RULES if self.thorough else RULES[: RULES.index(Diagnosis.another_value)]
        if self.large:
            rules = RULES[: RULES.index(Diagnosis.one_mistake) + self.thorough]
        with np.errstate(all="ignore"):
            found = next((x for rule in rules if (x := rule(self)) is not None), None)
        return found or Finding(m.UNEXPLAINED, f"no single mistake explains d{self.name}{self._pattern()}")

    @property
    def large(self) -> bool:
        return is_large(self.reference)

    def spend(self) -> bool:
        """Whether one more try in the dark is allowed; large models get fewer."""
        self.work -= 1
        return self.work >= 0

    # -- comparing
    def agrees(self, values: Callable[[int], Array]) -> bool:
        """Whether the returned gradients are ``values(k)`` at every point k, the most telling one first."""
        order = [self.telling, *[k for k in range(len(self.pairs)) if k != self.telling]]
        return all(self._agrees_at(k, values) for k in order)

    def _agrees_at(self, k: int, values: Callable[[int], Array]) -> bool:
        try:
            return self.pairs[k].agrees(values(k))
        except (ValueError, IndexError, np.linalg.LinAlgError, ModelError):  # the inverse of a matrix of ones
            return False

    # -- what needs no derivation
    def undefined(self) -> Finding | None:
        if all(np.all(np.isfinite(p.given)) for p in self.pairs):
            return None
        return Finding(m.UNDEFINED, f"d{self.name} has entries that are not finite, where the gradient has finite ones")

    def swapped(self) -> Finding | None:
        """Two gradients, each in the place of the other."""
        found = self.another_gradient()
        return found if found is not None and found.wrong.removeprefix("d") in self.wrong else None

    def another_gradient(self) -> Finding | None:
        """The gradient of another array."""
        for other, rights in self.others.items():
            if other != self.name and self.agrees(lambda k, rights=rights: rights[k]):  # type: ignore[misc]
                says = f"d{other} stands where d{self.name} belongs"
                says = f"the results are swapped: {says}" if other in self.wrong else says
                return Finding(own.SWAPPED, says, "", f"d{self.name}", f"d{other}")
        return None

    def shape(self) -> Finding | None:
        if not any(p.state == SHAPE for p in self.pairs):
            return None
        k = next(k for k, p in enumerate(self.pairs) if p.state == SHAPE)
        pair, sweep = self.pairs[k], self.sweeps[k]
        found = own.misshaped(self.reference, sweep, self.target, pair.given,
                              lambda value: Pair(pair.given, value, pair.tolerance).agrees(value))
        given, right = [" x ".join(map(str, s.shape)) or "scalar" for s in (pair.given, pair.right)]
        says = f"d{self.name} has the shape {given}, expected {right} ({shape_text(self.target.shape)})"
        return replace(found, says=f"{found.says}; {says}") if found else Finding(m.SHAPE, says)

    def zero(self) -> Finding | None:
        if any(np.any(p.given) for p in self.pairs):
            return None
        says = f"d{self.name} is zero: nothing flows back to {self.name}"
        return self.one_mistake() or Finding(m.MISSING_PATH, says, "", "", "0")

    # -- a constant
    def constant(self) -> Finding | None:
        return self._multiple([p.right for p in self.pairs])

    def _multiple(self, values: Sequence[Array], any_number: bool = True) -> Finding | None:
        found = multiple(self.reference, self.points, self.pairs, values, self.truth.fixed)
        return found if any_number or found is None or found.factor != ANY else None

    # -- mistakes in the derivation
    def every(self) -> list[Candidate]:
        """Every mistake at one edge or row, and wherever else it can be made, likely ones first."""
        if self._candidates is None:
            rows = self.reference.downstream(self.target)
            found = [c for row in rows for c in self._at(row)]
            self._candidates = sorted([*found, *repeated(found)], key=lambda c: c.cost)[: MAX_WORK // len(rows)]
        return self._candidates

    def _at(self, row: Node) -> list[Candidate]:
        """The mistakes at a row and at the edges that lead to it; the same for every gradient that flows through."""
        if row.id not in self.pool:
            large = self.large
            places = [Place(self.reference, e, self.target, self._known(e)) for e in self.reference.edges(row)]
            at_edge = (*AT_EDGES.values(), *(own.FEW_AT_EDGES if large else own.AT_EDGES), displaced_masks)
            found = [c for place in places for rule in at_edge for c in rule(place)]
            at_row = own.FEW_AT_ROWS if large else own.AT_ROWS
            self.pool[row.id] = [*found, *[c for rule in at_row for c in rule(self.reference, row, self.target)]]
        return self.pool[row.id]

    def _known(self, edge: Edge) -> Sequence[Node]:
        """The rows that may stand in the place of another at an edge: those with a name, in a large model only of other
        steps, and what the consumer itself reads."""
        args = [a for a in edge.consumer.args if a.kind == FLOAT]
        if not self.large:
            return [*self.reference.floats, *(a for a in args if not self.reference.is_named(a))]
        names = {m.base_name(self.reference.names.get(a.id, "")) for a in args} - {""}
        named = [r for n, r in self.reference.rows.items() if m.base_name(n) in names and r.kind == FLOAT]
        return [*named, *(a for a in args if not self.reference.is_named(a))]

    def shadows(self, candidate: Candidate) -> Array | None:
        """How a mistake changes two random projections of the gradient, to first order, which is all where its edges
        end in one row; None where it has to be worked out."""
        if len({e.argument.id for e in candidate.swaps}) > 1 or self.tangents is None:
            return None
        sweep, found = self.sweeps[self.telling], np.zeros(2)
        for edge, swap in candidate.swaps.items():
            if edge.argument.id not in self.tangents:
                return None
            upstream = sweep.right(edge.consumer)
            if edge not in self._passed:
                self._passed[edge] = np.asarray(sweep.passed(edge, upstream))
            try:
                change = np.asarray(swap(sweep, edge, upstream)) - self._passed[edge]
                found += np.array([np.sum(t * change) for t in self.tangents[edge.argument.id]])
            except (ValueError, IndexError):
                return np.full(2, np.nan)
        return found

    def same_as_earlier(self) -> Finding | None:
        """The mistake that explains another gradient."""
        for candidate in self.earlier:
            if self._explains(candidate.swaps):
                self.found.append(candidate)
                return candidate.tell()
        return None

    def _explains(self, swaps: Swaps) -> bool:
        return self.agrees(self._with(swaps))

    def one_mistake(self) -> Finding | None:
        """One that leaves the gradients right that were returned right comes before one that does not."""
        for candidate in sorted(self.every(), key=lambda c: not c.swaps.keys().isdisjoint(self._shared)):
            if self._may_explain(candidate) and self._explains(candidate.swaps):
                self.found.append(candidate)
                return candidate.tell()
        return None

    @cached_property
    def _shared(self) -> frozenset[Edge]:
        """The edges that also lead to a gradient that was returned right: what goes wrong there would spoil it."""
        return frozenset().union(*[self._edges_to(row_of(self.truth, n)) for n in self.right])

    def _may_explain(self, candidate: Candidate) -> bool:
        shadow = self.shadow_of(candidate)
        if shadow is None:
            self.sweeps_left -= 1
            return self.thorough and (not self.large or self.sweeps_left >= 0)
        return bool(np.all(np.abs(shadow - self.wanted) <= self.slack + 1e-4 * np.abs(self.wanted)))

    def shadow_of(self, candidate: Candidate) -> Array | None:
        if id(candidate) not in self._shadows:
            self._shadows[id(candidate)] = self.shadows(candidate)
        return self._shadows[id(candidate)]

    def _edges_to(self, row: Node) -> frozenset[Edge]:
        if row.id not in self._edges:
            self._edges[row.id] = frozenset(self.reference.chain(row))
        return self._edges[row.id]

    def another_value(self) -> Finding | None:
        """A row with another value wherever backward reads it."""
        best, least = None, float("inf")
        for wrong in substitutions(self.reference):
            if not self.spend() or (best is not None and best.kind != wrong.kind):
                break
            if self.agrees(lambda k, w=wrong: w.gradient(self.sweeps[k])):  # type: ignore[misc]
                off = sum(distance(p.given, wrong.gradient(s), p.scale)
                          for p, s in zip(self.pairs, self.sweeps, strict=True))
                best, least = (wrong, off) if off < least else (best, least)
                if wrong.kind != EPS:  # forms with an ε are close to each other
                    break
        return None if best is None else Finding(best.kind, best.says)

    def with_a_constant(self) -> Finding | None:
        """A mistake besides which a constant is wrong as well."""
        for candidate in self.every():
            shadow = self.shadow_of(candidate)
            if shadow is not None and not self._is_multiple(shadow):
                continue
            if not self.spend():
                return None
            extra = self._constant_beside(self._with(candidate.swaps))
            if extra is not None:
                return _two(candidate.tell(), extra)
        return None

    def _with(self, swaps: Swaps) -> Callable[[int], Array]:
        """The right gradient with some mistakes, at each point worked out once."""
        return cache(lambda k: self.sweeps[k].gradient(swaps))

    def _constant_beside(self, values: Callable[[int], Array]) -> Finding | None:
        """The constant that is wrong besides the mistakes in some values."""
        try:
            if ratio(self.pairs[self.telling], values(self.telling)) is None:
                return None
            return self._multiple([values(k) for k in range(len(self.sweeps))], any_number=False)
        except (ValueError, IndexError):
            return None

    def _is_multiple(self, shadow: Array) -> bool:
        """Whether the returned gradient may be a multiple of the right one changed so: its projections are."""
        a, b = self.projected_right + self.wanted, self.projected_right + shadow
        return bool(abs(a[0] * b[1] - a[1] * b[0]) <= 1e-3 * abs(a[0] * b[1]) + self.slack**2)

    def two_mistakes(self) -> Finding | None:
        """Two mistakes in different places whose changes add up to the difference."""
        known = [(c, s) for c in self.every() if (s := self.shadow_of(c)) is not None and np.all(np.isfinite(s))]
        for a, b in _adding_up(known, self.wanted, self.slack):
            if not self.spend():
                return None
            if not a.swaps.keys() & b.swaps.keys() and self._explains({**a.swaps, **b.swaps}):
                return _two(a.tell(), b.tell())
        cheap = [c for c in self.every() if c.kind in _PLAIN][:MAX_PAIRS]
        for i, a in enumerate(cheap):
            for b in cheap[:i]:
                if not self.spend():
                    return None
                if not a.swaps.keys() & b.swaps.keys() and self._explains({**a.swaps, **b.swaps}):
                    return _two(b.tell(), a.tell())
        return None

    # -- the whole array
    def transformed(self) -> Finding | None:
        """The right gradient turned, made symmetric, averaged or cut."""
        for kind, says, change in _TRANSFORMS:
            if self.agrees(lambda k, change=change: change(self.pairs[k].right)):  # type: ignore[misc]
                return Finding(kind, says.format(name=self.name))
        return None

    def times_a_row(self) -> Finding | None:
        """The right gradient times an array of the model, or divided by one."""
        for kind, says, row, power in rows_lost_or_twice(self.reference):
            if not self.spend():
                break
            if self.agrees(partial(self._times, row, power)):
                return Finding(kind, says)
        return None

    def _times(self, row: Node, power: int, k: int) -> Array:
        return self.pairs[k].right * np.asarray(self.points[k].value(row), float) ** power

    def rounded(self) -> Finding | None:
        if all(p.state != SHAPE and np.max(np.abs(p.given - p.right), initial=0.0) <= ROUNDED * p.scale
               for p in self.pairs):
            says = f"d{self.name} agrees to three digits or more: a number is rounded, or a small constant is left out"
            return Finding(m.ROUNDED, says)
        return None

    def _pattern(self) -> str:
        """Which entries are wrong, where that is a part that can be named."""
        pair = next((p for p in self.pairs if p.state == OFF), self.pairs[self.telling])
        if pair.state == SHAPE or not pair.right.ndim:
            return ""
        wrong = np.abs(pair.given - pair.right) > pair.tolerance * pair.scale
        share = f"; {int(wrong.sum())} of {wrong.size} entries are wrong"
        for axis in range(wrong.ndim):
            others = tuple(a for a in range(wrong.ndim) if a != axis)
            lines = np.flatnonzero(wrong.any(axis=others))
            if 0 < len(lines) < wrong.shape[axis] and wrong.ndim > 1 and len(lines) <= FEW:
                return f"{share}, all with index {', '.join(map(str, lines))} of axis {axis}"
        return share if not wrong.all() else ""


RULES: tuple[Callable[[Diagnosis], Finding | None], ...] = (
    Diagnosis.undefined,
    Diagnosis.swapped,
    Diagnosis.shape,
    Diagnosis.zero,
    Diagnosis.same_as_earlier,
    Diagnosis.constant,
    Diagnosis.one_mistake,
    Diagnosis.another_gradient,
    Diagnosis.transformed,
    Diagnosis.times_a_row,
    Diagnosis.another_value,
    Diagnosis.with_a_constant,
    Diagnosis.two_mistakes,
    Diagnosis.rounded,
)


def _two(first: Finding, second: Finding) -> Finding:
    if first.says == second.says:
        return first
    return replace(first, says=f"two things: {first.says}; and besides, {second.says}", also=second.kind)


# -- pairs


def _adding_up(known: Sequence[tuple[Candidate, Array]], wanted: Array, slack: float
               ) -> Iterator[tuple[Candidate, Candidate]]:
    """Pairs of candidates whose changes add up to the whole difference in both projections."""
    if not known:
        return
    shadows = np.array([s for _, s in known])
    order = np.argsort(shadows[:, 0])
    ordered = shadows[order, 0]
    off = slack + 1e-4 * np.abs(wanted)
    for i, shadow in enumerate(shadows):
        low, high = np.searchsorted(ordered, [wanted[0] - shadow[0] - off[0], wanted[0] - shadow[0] + off[0]])
        for j in order[low:high]:
            if j > i and abs(shadow[1] + shadows[j, 1] - wanted[1]) <= off[1] and np.any(shadow) and np.any(shadows[j]):
                yield known[i][0], known[int(j)][0]


def tangents(reference: Reference, point: Point, target: Node, weights: Array) -> dict[int, list[Array]]:
    """How every row between ``target`` and the results moves when ``target`` moves along each of ``weights``."""
    rows = [r for r in reference.downstream(target) if r.kind == FLOAT]
    given = {n.id: point.value(n) for n in reference.order if n.is_leaf or n.op.held}
    base = np.asarray(point.value(target))
    program = Program(rows, point.sizes, frozenset({*given, target.id}))
    found: dict[int, list[Array]] = {r.id: [] for r in rows}
    for w in weights:
        with np.errstate(all="ignore"):
            up, down = (program.run({**given, target.id: base + s * STEP * w}) for s in (1, -1))
            for row in rows:  # what is -inf by a mask does not move
                found[row.id].append(np.nan_to_num((np.asarray(up[row.id]) - np.asarray(down[row.id])) / (2 * STEP)))
    return found


# -- transforms of the whole gradient; one without the axes for it agrees with nothing


def _square(change: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda a: change(a) if a.ndim >= 2 and a.shape[-1] == a.shape[-2] else np.full(a.shape, np.nan)


def _t(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)


_TRANSFORMS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    (m.TRANSPOSE, "d{name} is transposed: a transpose is missing or too many", _square(_t)),
    (m.TRANSPOSE, "the entries of d{name} lie in memory as those of its transpose: an index slips, or it is reshaped "
     "where it has to be transposed", lambda a: a.T.reshape(a.shape) if a.ndim == 2 else a * np.nan),
    *((m.TRANSPOSE, f"the entries of d{{name}} lie in memory as those of transpose(d{{name}}, {axes}): it is reshaped "
       "where its axes have to be moved", partial(own.as_laid, axes)) for axes in own.ORDERS),
    (own.CONVENTION, "d{name} is that of a symmetric {name}, d + d.T - diag(d): off the diagonal there is a factor 2 "
     "too many", _square(lambda a: a + _t(a) - a * np.eye(a.shape[-1]))),
    (own.SHIFTED, "d{name} adds up along axis 0: an accumulator is not set back to 0 there",
     partial(np.cumsum, axis=0)),
)


# -- gradients that are the right one times a constant: the sign, a 2, the 1/N of a mean; or times an array
ANY = "any number"
SAME_FACTOR = 2e-4
Usual = Iterator[tuple[str, str, list[float]]]


def multiple(reference: Reference, points: Sequence[Point], pairs: Sequence[Pair], values: Sequence[Array],
             steps: Mapping[str, int]) -> Finding | None:
    """Which constant the returned gradients are of ``values``; the factor of one without a meaning is `ANY`. ``steps``
    are the sizes that are written out."""
    factors = [ratio(p, v) for p, v in zip(pairs, values, strict=True)]
    known = [c for c in factors if c is not None]
    off = min(SAME_FACTOR, 10 * max(p.tolerance for p in pairs))
    if len(known) < len(factors) or all(np.isnan(c) for c in known) or _equal(known, [1.0] * len(known), off):
        return None
    for kind, says, usual in _usual(reference, points, steps):
        if _equal(known, usual, off):
            also = [x for _, x, constant in _constants(reference, points) if _equal(known, constant, off) and x != says]
            return Finding(kind, " or ".join([says.partition(":")[0], *also]) if also else says)
    first = next(c for c in known if not np.isnan(c))
    return Finding(m.CONSTANT, _number(first), ANY) if _equal(known, [first] * len(known), off) else None


def rows_lost_or_twice(reference: Reference) -> Iterator[tuple[str, str, Node, int]]:
    """(kind, words, a row, the power of it that is then there too much) of every array that may multiply all of
    a gradient: what stands in front of all its terms, as the 1/s of a normalisation, is lost or there twice."""
    rows = [r for r in reference.order if r.kind == FLOAT and r.value is None]
    for row in sorted(rows, key=lambda r: not reference.is_named(r)):
        power = -1 if any(_divides(r, row) for r in reference.order) else 1
        name = reference.name(row) if row.head else bracketed(reference.name(row))
        text = f"1/{name}" if power < 0 else name
        yield m.MISSING_FACTOR, f"the factor {text} is missing in all of it", row, -power
        yield m.EXTRA_FACTOR, f"the factor {text} is there once too often in all of it", row, power


def _number(factor: float) -> str:
    for turned, words in ((factor, "the factor 1/{} is missing"), (1 / factor, "a factor 1/{} is there too often")):
        if abs(turned - round(turned)) <= SAME_FACTOR and 2 < turned < 1000:
            return f"{words.format(round(turned))}: it is {factor:.6g} times the right one"
    return f"it is {factor:.6g} times the right one"


def ratio(pair: Pair, value: Array) -> float | None:
    """The c with given = c·value; nan where both are zero and any would do."""
    value = np.asarray(value)
    if value.shape != pair.given.shape or not (np.all(np.isfinite(pair.given)) and np.all(np.isfinite(value))):
        return None
    norm = float(np.sum(value * value))
    if norm == 0:
        return float("nan") if not np.any(pair.given) else None
    c = float(np.sum(pair.given * value)) / norm
    scale = max(float(np.max(np.abs(c * value), initial=0.0)), 1e-300)
    return c if c != 0 and np.max(np.abs(pair.given - c * value), initial=0.0) <= pair.tolerance * scale else None


def _equal(a: Sequence[float], b: Sequence[float], off: float) -> bool:
    return all(np.isnan(x) or np.isnan(y) or abs(x - y) <= off * abs(y) for x, y in zip(a, b, strict=True))


def _usual(reference: Reference, points: Sequence[Point], steps: Mapping[str, int]) -> Usual:
    """(kind, words, what it multiplies the gradient with at every point), likelier first."""
    for kind, says, number in _NUMBERS:
        yield kind, says, [number] * len(points)
    yield from _means(_sizes(reference, points, steps))
    yield from _roots(reference, points)
    yield from _constants(reference, points)


def _constants(reference: Reference, points: Sequence[Point]) -> Usual:
    """The named constants and their squares, 1/τ for one that the model divides by."""
    for power, (name, row) in product((1, 2), reference.model.constants.items()):
        divided = power == 1 and any(_divides(r, row) for r in reference.order)
        values = [float(point.value(row)) ** power for point in points]
        text = f"1/{name}" if divided else name if power == 1 else f"{name}**{power}"
        if all(values):
            inverse = [1 / value for value in values]
            yield m.MISSING_FACTOR, f"the factor {text} is missing", values if divided else inverse
            yield m.EXTRA_FACTOR, f"the factor {text} is there once too often", inverse if divided else values


def _divides(row: Node, other: Node) -> bool:
    """Whether a row is something divided by another."""
    match row.form:
        case f.Div(_, f.Arg(place)):
            return row.args[place] is other
    return False


_NUMBERS = (
    (m.SIGN, "the sign is wrong", -1.0),
    (m.CONSTANT, "the factor 1/2 is missing, or a 2 is there once too often: it is twice the right one", 2.0),
    (m.CONSTANT, "the factor 2 is missing, or a 1/2 is there once too often: it is half of the right one", 0.5),
)


def _sizes(reference: Reference, points: Sequence[Point], steps: Mapping[str, int]
           ) -> Iterator[tuple[str, list[float]]]:
    """What means divide by, as a text and as numbers: sizes, steps of a loop, and both together."""
    sizes = [(d, [p.number(d) for p in points]) for d in reference.lengths if d.free_symbols]
    yield from ((bracketed(dim_text(d)), values) for d, values in sizes)
    for name, count in steps.items():
        yield name, [float(count)] * len(points)
        yield from ((bracketed(dim_text(sp.Symbol(name) * d)), [count * v for v in values]) for d, values in sizes)


def _means(sizes: Iterator[tuple[str, list[float]]]) -> Usual:
    for text, values in sizes:
        yield m.MEAN, f"the factor 1/{text} is missing: it is {text} times too large, a sum and not a mean", values
        small = f"the factor 1/{text} is there once too often: it is {text} times too small, a mean and not a sum"
        yield m.MEAN, small, [1 / v for v in values]


def _roots(reference: Reference, points: Sequence[Point]) -> Usual:
    for d in reference.dimensions:
        values, text = [p.number(d) for p in points], bracketed(dim_text(d))
        yield m.MISSING_FACTOR, f"the factor 1/sqrt({text}) is missing", [v**0.5 for v in values]
        yield m.EXTRA_FACTOR, f"the factor 1/sqrt({text}) is there once too often", [v**-0.5 for v in values]
