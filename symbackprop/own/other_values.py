"""A row with another value wherever backward reads it: an ε left out or elsewhere, another array in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, product
from typing import TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_convolution, is_sum
from symbackprop.core.graph import FLOAT, INT, Node
from symbackprop.core.registry import OPS
from symbackprop.core.roles import Role
from symbackprop.core.shapes import bracketed, dim_text, same_shape
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import Candidate, variants
from symbackprop.grade.numeric_sweep import NumericSweep, formula_at
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference
from symbackprop.own.array_mistakes import AXIS, SHORT, declared_name, named_above, softmax_over
from symbackprop.own.local_mistakes import at_once
from symbackprop.own.sweeps import Sweep
from symbackprop.verify.interpreter import Program

EPS, MASK = "eps", "mask"
SMALL_NUMBER, MAX_INSIDE = 1e-2, 6
Value: TypeAlias = Callable[[Point], Array]
ALONE, UNNAMED, NEXT, FORWARD = "alone", "what is not named", "up to the next name", "all that follows"


@dataclass(frozen=True)
class Substitution:
    """Rows with other values wherever backward reads them. ``reach`` says what follows them: nothing, the rows without
    a name that are worked out from them again, also the first ones with a name, or the whole forward pass."""

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
        again = {n for row, _ in self.values for e in reference.edges(row) for n in named_above(reference, e.consumer)}
        again = again if self.reach == NEXT else set()
        named = self.reach != FORWARD
        rows = [n for n in reference.order
                if n.is_leaf or (named and reference.is_named(n) and reference.name(n) not in again)]
        return [*rows, *reference.model.upstream.values()]


def substitutions(reference: Reference) -> Iterator[Substitution]:
    """Wrong values for rows: an ε left out or elsewhere, a sum for a mean, a kernel turned over; another array of the
    same shape in place of a named one."""
    yield from _reaching(_roots(reference))
    yield from _reaching(_sums(reference))
    yield from _reaching(_one_less(reference))
    yield from _reaching(_constants(reference))
    yield from _reaching(_other_axes(reference))
    yield from _turned(reference)
    yield from _unmasked(reference)
    named = [r for r in dict.fromkeys(reference.rows.values()) if r.kind == FLOAT and r.value is None]
    yield from (s for row in named if row.form is not None for s in _slipped(reference, row, row.form))
    for old in named:
        for new in (*named, *_inside(reference, old)):
            if new is not old and same_shape(new.shape, old.shape):
                kind, words = m.exchange(old, new, reference.name(old), reference.name(new))
                yield Substitution(kind, f"{words}, wherever backward reads it", ((old, _of(new)),))
        says = f"{reference.name(old)} has the wrong sign wherever backward reads it"
        yield Substitution(m.SIGN, says, ((old, _changed(old, np.negative)),))
    yield from _worked_out_again(reference)


def _worked_out_again(reference: Reference) -> Iterator[Substitution]:
    """A slip where backward works out a part of the forward pass again: tanh(X @ W) without the b."""
    slips = [s for row in reference.order if row.kind == FLOAT and row.form is not None
             for s in _slipped(reference, row, row.form)]
    yield from (replace(s, reach=reach) for reach in (NEXT, FORWARD) for s in slips)


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


def roots_in_part(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """The same in some of the local derivatives that read the root, as where code works out 1 / sqrt(v + ε) twice."""
    forms = _forms_of(reference, row)
    readers = {e.consumer.id: e.consumer for e in reference.edges(row)} if forms else {}
    edges = [e for c in readers.values() for a in dict.fromkeys(c.args) for e in reference.edges(a)
             if e.consumer is c and c.form is not None and c.args.index(row) in _read(c, e.index)]
    edges += [e for e in reference.edges(row.args[0]) if e.consumer is row] if forms else []
    for (words, value), count in product(forms, range(1, len(edges) + 1) if len(edges) <= MAX_INSIDE else ()):
        for chosen in combinations(edges, count):
            where = ", ".join(dict.fromkeys(reference.local_name(e, target) for e in chosen))
            says = words if count == len(edges) else f"in {where}, {words}"
            for again in (False, True):
                swaps = dict.fromkeys(chosen, partial(_reading, row, value, again))
                yield at_once(EPS, says, where, swaps, 36 + count)


def _read(consumer: Node, index: int) -> set[int]:
    """The arguments that a local derivative is made of, also by way of the consumer's own value."""
    form = consumer.attr.partial(index)
    return {*f.arguments(form), *(f.arguments(consumer.attr.form) if f.reads_out(form) else ())}


def _reading(root: Node, value: Value, again: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """A local derivative with another value for a root; ``again`` works the consumer's own value out from it too."""
    consumer, wrong = edge.consumer, value(sweep.point)
    if consumer is root:
        return sweep.times(edge, upstream, 1 / (2 * wrong))
    args = [wrong if a is root else sweep.point.value(a) for a in consumer.args]
    out = sweep.formula(consumer.attr.form, args) if again else consumer
    return sweep.times(edge, upstream, sweep.formula(consumer.attr.partial(edge.index), args, out))


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


# -- constants, sums for means, kernels turned over
def _sums(reference: Reference) -> Iterator[Substitution]:
    for row in reference.order:
        if isinstance(row.form, f.Mul) and len(row.args) == 1 and is_sum(row.args[0]) and any(
                isinstance(p, f.Num) for p in row.form.factors):
            says = f"a sum stands where a mean belongs: {m.clipped(reference.name(row), 60)} lacks its division"
            yield Substitution(m.MEAN, says, ((row, _of(row.args[0])),))


def _one_less(reference: Reference) -> Iterator[Substitution]:
    """1/(N − 1) for 1/N in a mean of squares, as with ``ddof=1``."""
    for row in reference.order:
        match row.form:
            case f.Mul((f.Num(share), f.Arg())) if share.free_symbols and is_sum(row.args[0]):
                texts = [bracketed(dim_text(d)) for d in (1 / share - 1, 1 / share)]
                says = f"1/{texts[0]} stands where 1/{texts[1]} belongs: {m.clipped(reference.name(row), 60)}"
                yield Substitution(m.MEAN, says, ((row, _shared_by_less(row, 1 / share)),))


def _shared_by_less(row: Node, count: sp.Expr) -> Value:
    return lambda point: point.value(row) * point.number(count) / (point.number(count) - 1)


def _constants(reference: Reference) -> Iterator[Substitution]:
    for name, row in reference.model.constants.items():
        c = row.attr.value
        for words, wrong in (("1", sp.S.One), (f"2*{name}", 2 * c), (f"{name}/2", c / 2), (f"{name}**2", c**2)):
            if wrong != c:
                yield Substitution(m.CONSTANT, f"{words} stands where {name} belongs", ((row, _number(wrong)),))


def _other_axes(reference: Reference) -> Iterator[Substitution]:
    """A softmax over another axis, what is subtracted being the largest over that one or the right one."""
    for row in (r for r in reference.order if r.op.distribution):
        name, scores = m.clipped(reference.name(row), SHORT), row.args[0]
        for axis in (a for a in range(row.ndim) if a != row.attr):
            says = f"the softmax {name} is taken over axis {axis}, not over axis {row.attr}"
            for largest in (axis, row.attr):
                yield Substitution(AXIS, says, ((row, _softmax_along(scores, axis, largest)),))


def _softmax_along(scores: Node, axis: int, largest: int) -> Value:
    return lambda point: softmax_over(point.value(scores), axis, largest)


def _number(value: sp.Expr) -> Value:
    return lambda point: np.asarray(point.number(value))


def _turned(reference: Reference) -> Iterator[Substitution]:
    for row in reference.order:
        if is_convolution(row):
            kernel = row.args[1]
            name = declared_name(reference, kernel)
            says = f"{name} is turned over: the window's places run backwards"
            yield Substitution(m.TRANSPOSE, says, ((kernel, _changed(kernel, lambda w: w[::-1, ::-1])),))
            if same_shape(kernel.shape[:1], kernel.shape[1:2]):
                says = f"the two axes of the window of {name} are exchanged"
                yield Substitution(m.TRANSPOSE, says, ((kernel, _changed(kernel, lambda w: np.swapaxes(w, 0, 1))),))


def _unmasked(reference: Reference) -> Iterator[Substitution]:
    """A softmax whose mask is left out, or is laid over the probabilities, which then do not add up to 1."""
    for row in reference.order:
        inner = row.args[0].form if row.op.distribution else None
        match inner:
            case f.Call(role=Role.CHOICE, args=(f.Arg(c), f.Arg(s), f.Num())):
                mask, scores = row.args[0].args[c], row.args[0].args[s]
                p = reference.name(row) if reference.is_named(row) else "the softmax"
                everywhere = (mask, _formula(f.ONE, mask))
                left_out = f"the mask of {p} is missing"
                yield Substitution(MASK, left_out, ((row, _softmax_of(scores, row.attr)),))
                yield Substitution(MASK, left_out, ((row, _softmax_of(scores, row.attr)), everywhere))
                yield Substitution(MASK, f"the mask is applied after the softmax, where it belongs in front of it: the "
                                   f"entries of {p} do not add up to 1", ((row, _softmax_of(scores, row.attr, mask)),))


def _slipped(reference: Reference, row: Node, form: f.Formula) -> Iterator[Substitution]:
    """A row worked out with a slip: without one of its terms, or a number that it is multiplied with or divided by, as
    by 1 - p in dropout."""
    for v in variants(form):
        if v.kind in (m.MISSING_FACTOR, m.CONSTANT, m.TERM):
            lost = isinstance(form, f.Div) and v.part == form.den
            part = reference.written(f.div(f.ONE, v.part) if lost else v.part, row.args, row)
            what = "term" if v.kind == m.TERM else "factor"
            where = m.clipped(reference.name(row), SHORT)
            says = f"the {what} {part} is missing in {where}, wherever backward reads it"
            yield Substitution(v.kind, says, ((row, _formula(v.form, row)),))


def _formula(form: f.Formula, row: Node) -> Value:
    return lambda point: np.broadcast_to(formula_at(point, form, row.args), point.size(row.shape))


def _softmax_of(scores: Node, axis: int, mask: Node | None = None) -> Value:
    def value(point: Point) -> Array:
        p = OPS["softmax"].reference(np, axis, point.value(scores))
        return p if mask is None else p * point.value(mask)

    return value
