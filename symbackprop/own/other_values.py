"""A row with another value wherever backward reads it: an ε left out or elsewhere, another array in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise, product
from typing import TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, INT, Node
from symbackprop.core.roles import Role
from symbackprop.core.shapes import same_shape
from symbackprop.grade import mistakes as m
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference
from symbackprop.own.array_mistakes import AXIS, ORDERS, read_as_laid
from symbackprop.verify.interpreter import Program

EPS = "eps"
SMALL_NUMBER, MAX_INSIDE = 1e-2, 6
Value: TypeAlias = Callable[[Point], Array]
ALONE, UNNAMED, FORWARD = "alone", "what is not named", "all that follows"


class Sweep(NumericSweep):
    """The sweep, with the values of the forward pass that the gradient is computed from."""

    @cached_property
    def of_kept(self) -> tuple[Program, dict[int, Array]]:
        """The gradient from the values of all rows of the forward pass, and these."""
        kept = {n.id: self.point.value(n) for n in self.reference.order}
        kept |= {u.id: self.point.value(u) for u in self.reference.model.upstream.values()}
        gradient = self.reference.gradient(self.target)
        return Program([gradient], self.point.sizes, frozenset(kept)), kept


@dataclass(frozen=True)
class Substitution:
    """Rows with other values wherever backward reads them. ``reach`` says what follows them: nothing, the rows without
    a name that are worked out from them again, or the whole forward pass."""

    kind: str
    says: str
    values: tuple[tuple[Node, Value], ...]
    reach: str = ALONE

    def gradient(self, sweep: Sweep) -> Array:
        """What it makes of the gradient that the sweep leads to."""
        point, reference = sweep.point, sweep.reference
        program, kept = sweep.of_kept
        if self.reach != ALONE:
            kept = {n.id: point.value(n) for n in self._given(reference)}
            stop = frozenset({*kept, *(row.id for row, _ in self.values)})
            program = Program([reference.gradient(sweep.target)], point.sizes, stop)
        with np.errstate(all="ignore"):
            return program.run({**kept, **{r.id: value(point) for r, value in self.values}})[program.rows[0].id]

    def _given(self, reference: Reference) -> list[Node]:
        rows = [n for n in reference.order if n.is_leaf or (self.reach == UNNAMED and reference.is_named(n))]
        return [*rows, *reference.model.upstream.values()]


def substitutions(reference: Reference) -> Iterator[Substitution]:
    """Wrong values for rows: an ε left out or elsewhere; another array of the same shape in place of a named one, or
    the same with the wrong sign."""
    yield from _reaching(_roots(reference))
    for old in reference.floats:
        for new in (*reference.floats, *_inside(reference, old)):
            if new is not old and same_shape(new.shape, old.shape):
                kind, words = m.exchange(old, new, reference.name(old), reference.name(new))
                yield Substitution(kind, f"{words}, wherever backward reads it", ((old, _of(new)),))
        says = f"{reference.name(old)} has the wrong sign wherever backward reads it"
        yield Substitution(m.SIGN, says, ((old, _changed(old, np.negative)),))
        lost = f"the factor {reference.name(old)} is missing wherever backward reads it"
        yield from (Substitution(m.MISSING_FACTOR, lost, ((old, _changed(old, np.ones_like)),), reach)
                    for reach in (ALONE, UNNAMED, FORWARD) if old.is_leaf)
    yield from _of_other_steps(reference)
    yield from _relaid([r for r in (*reference.model.upstream.values(), *reference.floats) if r.is_leaf], reference)
    yield from _other_axes(reference)


def _of_other_steps(reference: Reference) -> Iterator[Substitution]:
    """The states of a loop each taken from the step after it, or before it."""
    for family, rows in _families(reference):
        steps = list(pairwise(rows))
        for word, pairs in (("after", steps), ("before", [(late, early) for early, late in steps])):
            says = f"{family} of the step {word} stands in the place of every step's, wherever backward reads it"
            yield from (Substitution(m.STALE_INDEX, says, tuple((old, _of(new)) for old, new in pairs), reach)
                        for reach in (ALONE, UNNAMED))


def _families(reference: Reference) -> Iterator[tuple[str, list[Node]]]:
    """The states of loops, from what a loop begins with on, where they are alike."""
    for family, last in reference.lasts.items():
        names = [f"{family}[0]" if f"{family}[0]" in reference.rows else f"{family}0",
                 *[f"{family}[{k}]" for k in range(1, last + 1)]]
        rows = [r for n in names if (r := reference.rows.get(n)) is not None]
        if len(rows) > 1 and all(r.kind == FLOAT and same_shape(r.shape, rows[0].shape) for r in rows):
            yield family, rows


def _relaid(rows: Sequence[Node], reference: Reference) -> Iterator[Substitution]:
    """Arrays of three axes and more that are reshaped where their axes have to be moved."""
    for row, axes in product(rows, ORDERS):
        if row.ndim == len(axes):
            order = ", ".join(map(str, axes))
            says = f"{reference.name(row)} is reshaped as if its axes were {order}, which have to be moved first, " \
                   "wherever backward reads it"
            yield Substitution(m.TRANSPOSE, says, ((row, _changed(row, partial(read_as_laid, axes))),), UNNAMED)


def _other_axes(reference: Reference) -> Iterator[Substitution]:
    """A softmax that is worked out again over another axis."""
    for row in reference.order:
        for axis in (k for k in range(row.ndim) if row.op.distribution and k != row.attr):
            says = f"the softmax {reference.name(row)} runs over axis {axis}, where axis {row.attr} belongs, " \
                   "wherever backward reads it"
            yield Substitution(AXIS, says, ((row, _softmax(row.args[0], axis)),))


def _softmax(row: Node, axis: int) -> Value:
    def value(point: Point) -> Array:
        z = np.asarray(point.value(row), float)
        e = np.exp(z - np.max(z, axis=axis, keepdims=True))
        return e / np.sum(e, axis=axis, keepdims=True)

    return value


def _inside(reference: Reference, row: Node) -> list[Node]:
    """The unnamed arrays of the same shape that a row is made of: one that a step was forgotten of."""
    rows = row.graph.topological([row])
    return [r for r in rows if r is not row and r.kind != INT and not reference.is_named(r) and not r.is_leaf
            and same_shape(r.shape, row.shape)][-MAX_INSIDE:]


def _reaching(found: Iterator[Substitution]) -> Iterator[Substitution]:
    """Each with all that may follow from it, and the same slip made at several rows at once."""
    single = list(found)
    together: dict[str, list[Substitution]] = {}
    for s in single:
        together.setdefault(s.says.partition(":")[0], []).append(s)
    several = [replace(g[0], says=f"{g[0].says}; the same in {len(g)} places",
                       values=tuple(v for s in g for v in s.values)) for g in together.values() if len(g) > 1]
    yield from (replace(s, reach=reach) for s in (*single, *several) for reach in (ALONE, UNNAMED, FORWARD))


def _of(row: Node) -> Value:
    return lambda point: np.asarray(point.value(row), float)


def _changed(row: Node, change: Callable[[Array], Array]) -> Value:
    return lambda point: change(point.value(row))


# -- ε
def _roots(reference: Reference) -> Iterator[Substitution]:
    """sqrt(v + ε) as sqrt(v), sqrt(v) + ε or v + ε."""
    roots = [(root, forms) for root in reference.order if (forms := _forms_of(reference, root))]
    for number in range(len(_FORMS)):
        for root, forms in roots:
            words, value = forms[number]
            yield Substitution(EPS, words, ((root, value),))


def _forms_of(reference: Reference, root: Node) -> list[tuple[str, Value]]:
    """(words, value) of every way in which a root with an ε is written wrongly."""
    eps = _small(root.args[0]) if root.role is Role.ROOT else None
    if eps is None:
        return []
    inner, (text, value) = root.args[0], eps
    v = reference.name(inner.args[0]) if reference.is_named(inner.args[0]) else "v"
    return [(says.format(v=v, eps=text), _root(inner, value, make)) for says, make in _FORMS]


def _with_number(number: float, v: Array, eps: float) -> Array:
    return np.sqrt(v + number) if number != eps else v * np.nan


_FORMS: tuple[tuple[str, Callable[[Array, float], Array]], ...] = (
    ("{eps} is missing: sqrt({v}) stands where sqrt({v} + {eps}) belongs", lambda v, eps: np.sqrt(v)),
    ("{eps} is in the wrong place: sqrt({v}) + {eps} stands where sqrt({v} + {eps}) belongs",
     lambda v, eps: np.sqrt(v) + eps),
    ("{eps} is there squared: sqrt({v} + {eps}**2) stands where sqrt({v} + {eps}) belongs",
     lambda v, eps: np.sqrt(v + eps**2)),
    *((f"another number stands where {{eps}} belongs: {number:g}", partial(_with_number, number))
      for number in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)),
    ("the square root is missing: {v} + {eps} stands where sqrt({v} + {eps}) belongs", lambda v, eps: v + eps),
)


def _root(inner: Node, eps: float, make: Callable[[Array, float], Array]) -> Value:
    return lambda point: make(point.value(inner) - eps, eps)


def _small(row: Node) -> tuple[str, float] | None:
    """The small number that a row adds: how it is written, and its value."""
    adds = isinstance(row.form, f.Add)
    for part in row.attr.form.children if adds else ():
        if isinstance(part, f.Num) and part.value.is_number and 0 < part.value < SMALL_NUMBER:
            return "eps", float(part.value)
        if isinstance(part, f.Arg):
            leaf = row.args[part.index]
            value = getattr(leaf.attr, "value", None) if leaf.is_leaf else None
            if value is not None and value.is_number and 0 < value < SMALL_NUMBER:
                return leaf.name or "eps", float(value)
    return None
