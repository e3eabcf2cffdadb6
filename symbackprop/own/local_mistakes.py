"""Mistakes in a local derivative that code makes and formulas on paper do not: a gradient where a value belongs, the
derivative of an activation skipped, the value of a cached result in another place.

Rules and candidates are those of `grade.derivation_mistakes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.roles import Role
from symbackprop.core.scalars import AT_ZERO, TABLE
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import (
    ACTIVATIONS,
    Candidate,
    Place,
    Swap,
    by_formula,
    in_one_place,
    nothing,
    replaced,
    variants,
)
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.own.truth import has_kink

SHORT = 60


def candidate(place: Place, kind: str, says: str, swap: Swap, price: int, patterns: tuple[object, ...] = ()
              ) -> Candidate:
    """A mistake at one edge whose sentence is at hand."""
    return at_once(kind, says, place.factor, {place.edge: swap}, price, patterns)


def at_once(kind: str, says: str, name: str, swaps: Mapping[Edge, Swap], price: int, patterns: tuple[object, ...] = ()
            ) -> Candidate:
    """The same at several edges together, in what is called by a name."""
    return Candidate(kind, lambda: Finding(kind, says, name), swaps, 0, patterns, price)


# -- u where 1 - u belongs, a mask of the wrong array


def complements(place: Place) -> Iterator[Candidate]:
    """u where 1 − u belongs in a local derivative, as σ·σ for σ(1 − σ), or the reverse."""
    consumer = place.edge.consumer
    if consumer.form is None:
        return
    right = consumer.attr.partial(place.edge.index)
    for wrong, (old, new) in _complements(right):
        texts = [place.reference.written(x, consumer.args, consumer) for x in (right, new, old)]
        says = f"in {place.equals(texts[0])}, {texts[1]} stands where {texts[2]} belongs"
        pattern = ("complement", consumer.attr, place.edge.index, wrong)
        yield candidate(place, m.WRONG_FACTOR, says, by_formula(wrong), 29, (pattern,))


def _complements(form: f.Formula) -> Iterator[tuple[f.Formula, tuple[f.Formula, f.Formula]]]:
    """(whole formula, (the part that was there, what stands there now))"""

    def here(part: f.Formula) -> Iterator[tuple[f.Formula, tuple[f.Formula, f.Formula]]]:
        other = _complement(part)
        if other is not None:
            yield other, (part, other)

    return in_one_place(form, here)


def _complement(form: f.Formula) -> f.Formula | None:
    match form:
        case f.Add((f.Num(one), f.Neg(body))) if one == 1:
            return body
        case f.Arg() | f.Out() | f.Call():
            return f.add(f.ONE, f.neg(form))
    return None


def powers(place: Place) -> Iterator[Candidate]:
    """Mistakes in d(c*x**n) = n*c*x**(n - 1) where n and c are one number: n left out, the exponent left as it is."""
    consumer = place.edge.consumer
    if consumer.form is None:
        return
    for wrong, (old, n, what) in in_one_place(consumer.attr.partial(place.edge.index), _powers):
        texts = [place.reference.written(x, consumer.args, consumer) for x in (old, wrong)]
        says = f"in {place.factor}, {what} in {texts[0]}, the derivative of a power {n}: you have {texts[1]}"
        yield candidate(place, m.EXPONENT if "exponent" in what else m.CONSTANT, says, by_formula(wrong), 29,
                        (("power", consumer.attr, place.edge.index, wrong),))


def _powers(form: f.Formula) -> Iterator[tuple[f.Formula, tuple[f.Formula, int, str]]]:
    """(part, (the part that was there, the power that it comes from, what is wrong))"""
    number = next((x for x in form.factors if isinstance(x, f.Num)), None) if isinstance(form, f.Mul) else None
    if not isinstance(form, f.Mul) or number is None:
        return
    for k, factor in enumerate(form.factors):
        base, power = (factor.base, factor.exponent) if isinstance(factor, f.Pow) else (factor, f.ONE)
        if isinstance(power, f.Num) and power.value.is_Integer and power.value > 0 and not isinstance(factor, f.Num):
            n, others = int(power.value) + 1, [x for i, x in enumerate(form.factors) if i != k]
            lost = [f.Num(x.value / n) if x is number else x for x in others]
            yield f.mul(*lost, factor), (form, n, f"the factor {n} is missing")
            yield f.mul(*lost, f.power(base, f.Num(sp.Integer(n)))), (
                form, n, f"the factor {n} is missing and the exponent is not lowered")


# -- a gradient where a value belongs


def gradients_for_values(place: Place) -> Iterator[Candidate]:
    """``da * a * (1 - da)``: the gradient where the value belongs in a local derivative, or the two exchanged."""
    edge, consumer = place.edge, place.edge.consumer
    if consumer.form is None:
        return
    form, other = consumer.attr.partial(edge.index), f.Arg(len(consumer.args))
    for leaf, row in _leaves(form, consumer):
        if not same_shape(row.shape, consumer.shape):
            continue
        name = place.reference.name(row)
        above = place.reference.name(consumer) if place.reference.is_named(consumer) else name
        for wrong in dict.fromkeys([*_once(form, leaf, other), replaced(form, leaf, other)]):
            says = f"in {place.equals(place.reference.written(form, consumer.args, consumer))}, the gradient " \
                   f"d{above} stands where {name} belongs"
            pattern = ("gradient for value", consumer.attr, edge.index, wrong)
            yield candidate(place, m.SUBSTITUTION, says, partial(_with_gradient, wrong), 30, (pattern,))
        says = f"in d{place.reference.name(edge.argument)}, {name} and its gradient d{above} are exchanged"
        pattern = ("exchanged with value", consumer.attr, edge.index, leaf)
        swap = partial(_exchanged, replaced(form, leaf, other), row)
        yield candidate(place, m.SUBSTITUTION, says, swap, 30, (pattern,))


def _leaves(form: f.Formula, consumer: Node) -> Iterator[tuple[f.Formula, Node]]:
    yield from ((f.Arg(i), consumer.args[i]) for i in f.arguments(form))
    if f.reads_out(form):
        yield f.OUT, consumer


def _once(form: f.Formula, old: f.Formula, new: f.Formula) -> Iterator[f.Formula]:
    """The formula with one occurrence of a leaf as another."""
    return (whole for whole, _ in in_one_place(form, lambda part: [(new, None)] if part == old else []))


def _with_gradient(form: f.Formula, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    consumer = edge.consumer
    return sweep.times(edge, upstream, sweep.formula(form, (*consumer.args, upstream), consumer))


def _exchanged(form: f.Formula, row: Node, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    consumer = edge.consumer
    local = sweep.formula(form, (*consumer.args, upstream), consumer)
    return sweep.times(edge, sweep.point.value(row), local)


# -- a derivative written by the result


def by_result(place: Place) -> Iterator[Candidate]:
    """Mistakes in ``d * y / a``, which is how code writes the derivative of y = a * b by a: y is cached."""
    edge, consumer = place.edge, place.edge.consumer
    if has_kink(edge):
        yield from _other_masks(place)
    if not _is_proportional(consumer.form, edge.index):
        return
    by, other = f.Arg(edge.index), f.Arg(len(consumer.args))
    name = f"d{m.clipped(place.reference.name(edge.argument), SHORT)}"
    if place.reference.is_named(consumer):
        says = f"the factor {place.reference.name(consumer)} is missing in {name}"
        yield candidate(place, m.MISSING_FACTOR, says, by_formula(f.div(f.ONE, by)), 24)
    for new, kind, says, moved in place.exchanges(consumer):
        pattern = (("by result", consumer.attr, edge.index, moved),) if moved else ()
        yield candidate(place, kind, f"in {name}, {says}", by_formula(f.div(other, by), new), 31, pattern)


def _other_masks(place: Place) -> Iterator[Candidate]:
    """A mask made of another result, which has the sign of its argument: ``h[t - 1] > 0``."""
    consumer = place.edge.consumer
    form = replaced(consumer.attr.partial(0), f.Arg(0), f.Arg(len(consumer.args)))
    for new, kind, says, moved in place.exchanges(consumer):
        pattern = (("mask", consumer.attr, moved),) if moved else ()
        words = f"in the mask of {place.reference.name(consumer)}, {says}"
        yield candidate(place, kind, words, by_formula(form, new), 31, pattern)


def inner_slips(place: Place) -> Iterator[Candidate]:
    """A slip in an array that a local derivative reads, as it is worked out again there: ``sigmoid(g)`` where
    ``silu(g)`` belongs, targets without one of their terms."""
    edge = _reader(place)
    consumer = edge.consumer
    read = [] if consumer.form is None else f.arguments(consumer.attr.partial(edge.index))
    for i in read:
        for kind, says, wrong in _slips(place.reference, consumer.args[i]):
            pattern = ("inner", consumer.attr, edge.index, i, *wrong)
            swap = partial(_with_inner, edge, i, wrong)
            yield candidate(place, kind, f"in {place.factor}, {says}", swap, 32, (pattern,))


def _reader(place: Place) -> Edge:
    """The edge at which what an edge hands on as it is was multiplied with something."""
    consumer, above = place.edge.consumer, place.reference.edges(place.edge.consumer)
    passes = consumer.form is not None and consumer.attr.partial(place.edge.index) == f.ONE
    return above[0] if passes and len(above) == 1 else place.edge


Slip: TypeAlias = tuple[f.Formula, tuple[int, ...]]  # a wrong formula, and the arguments that lead to where it stands
DEEP = 2


def _slips(reference: Reference, row: Node, depth: int = 0) -> Iterator[tuple[str, str, Slip]]:
    """(kind, words, the slip) of a row and of what it is made of without a name."""
    if row.form is None:
        return
    yield from ((kind, says, (wrong, ())) for kind, says, wrong in _slips_here(reference, row))
    for k, arg in enumerate(row.args if depth < DEEP else ()):
        if not reference.is_named(arg) and not arg.is_leaf:
            yield from ((kind, says, (wrong, (k, *path)))
                        for kind, says, (wrong, path) in _slips(reference, arg, depth + 1))


def _slips_here(reference: Reference, row: Node) -> Iterator[tuple[str, str, f.Formula]]:
    """(kind, words, wrong formula over the row's arguments)"""
    assert row.form is not None
    shown = m.clipped(reference.name(row), SHORT)
    if row.head is not None and len(row.args) == 1:
        for name in (n for n in FUNCTIONS if n != row.head):
            wrong = f.call(name, f.Arg(0)) if name else f.Arg(0)
            yield m.SUBSTITUTION, f"{reference.written(wrong, row.args, row)} stands where {shown} belongs", wrong
    for part in row.form.children if isinstance(row.form, f.Call) and len(row.args) > 1 else ():
        yield m.SUBSTITUTION, f"{reference.written(part, row.args, row)} stands where {shown} belongs", part
    for v in variants(row.form):
        if v.kind in (m.TERM, m.MISSING_FACTOR, m.CONSTANT, m.SIGN):
            yield v.kind, f"in {shown}, {v.says.format(part=reference.written(v.part, row.args, row))}", v.form


def _slipped(sweep: NumericSweep, row: Node, slip: Slip) -> Array:
    """The value of a row with a slip in it or in what it is made of."""
    wrong, path = slip
    args: list[Node | Array] = list(row.args)
    if not path:
        return sweep.formula(wrong, args)
    args[path[0]] = _slipped(sweep, row.args[path[0]], (wrong, path[1:]))
    return sweep.formula(row.attr.form, args)


FUNCTIONS = ("", *(n for n in ACTIVATIONS if TABLE[n].switches != AT_ZERO))


def _with_inner(reader: Edge, index: int, slip: Slip, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    consumer = reader.consumer
    args: list[Node | Array] = list(consumer.args)
    args[index] = _slipped(sweep, consumer.args[index], slip)
    local = sweep.formula(consumer.attr.partial(reader.index), args, consumer)
    if reader is edge:
        return sweep.times(edge, upstream, local)
    return sweep.passed(edge, sweep.times(reader, sweep.above(consumer), local))


def _is_proportional(form: f.Formula | None, index: int) -> bool:
    match form:
        case f.Mul(factors):
            return f.Arg(index) in factors and len(factors) > 1
        case f.Div(num, den):
            return index not in f.arguments(den) and (num == f.Arg(index) or _is_proportional(num, index))
    return False


# -- another number in a function, a case distinction left out


def other_numbers(place: Place) -> Iterator[Candidate]:
    """Another number in a function of several arguments wherever it is called: the slope of a leaky ReLU."""
    form = place.edge.consumer.form
    if not isinstance(form, f.Call):
        return
    for k, number in enumerate(form.args):
        right = number.value if isinstance(number, f.Num) else sp.S.Zero
        for other in USUAL_NUMBERS if right.is_number and right != 0 else ():
            wrong = f.rebuild(form, (*form.args[:k], f.Num(other), *form.args[k + 1 :]))
            if other != right and f.arguments(wrong) == f.arguments(form):
                yield _with_number(place, Kernel(wrong).partial(place.edge.index), (float(other), float(right)))


def _with_number(place: Place, local: f.Formula, numbers: tuple[float, float]) -> Candidate:
    consumer = place.edge.consumer
    shown = m.clipped(place.reference.written(consumer.attr.form, consumer.args, consumer), SHORT)
    says = f"another constant: {numbers[0]:g} stands where {numbers[1]:g} belongs in {shown}"
    return candidate(place, m.CONSTANT, says, by_formula(local), 28, (("number", consumer.head, numbers),))


USUAL_NUMBERS = tuple(sp.Rational(n, 1000) for n in (0, 1, 10, 20, 50, 100, 200, 300, 500, 1000, 2000))


def cases(place: Place) -> Iterator[Candidate]:
    """What one case of a case distinction hands back taken in every case: Huber's loss without its clip."""
    edge, reference = place.edge, place.reference
    match edge.consumer.form:
        case f.Call(role=Role.CHOICE, args=(condition, f.Arg(first), f.Arg(second))) if edge.index in (first, second):
            others = [e for e in reference.edges(edge.consumer.args[first + second - edge.index])
                      if e.consumer is edge.consumer]
            names = [m.clipped(text, SHORT) for text in (
                reference.name(edge.argument), reference.written(condition, edge.consumer.args, edge.consumer))]
            where = f"{'not ' * (edge.index == second)}{names[1]}"
            says = f"the case distinction is missing: {names[0]} is taken in every case, where it belongs to {where}"
            swaps: dict[Edge, Swap] = {edge: by_formula(f.ONE), **dict.fromkeys(others, nothing)}
            if others:
                yield at_once(m.MISSING_FACTOR, says, place.factor, swaps, 21)


# -- the derivative of an activation skipped


def skipped(place: Place) -> Iterator[Candidate]:
    """``dh @ W.T`` where ``da @ W.T`` belongs and h = tanh(a): in one of the terms that a is handed back to."""
    edge, reference = place.edge, place.reference
    link = _activation_above(place, edge.consumer) if edge.consumer.form is None else None
    if link is None or link.consumer.form is None:
        return
    h, name, a = [m.clipped(reference.name(r), SHORT) for r in (link.consumer, edge.argument, link.argument)]
    local = reference.written(link.consumer.attr.partial(0), link.consumer.args, link.consumer)
    says = f"the factor {local} is missing in the term of d{name} through {a}: d{h} is handed back as it is"
    pattern = ("skipped", link.consumer.attr, m.base_name(h), edge.consumer.op.name, edge.index)
    yield candidate(place, m.MISSING_FACTOR, says, handing_on(link.consumer), 21, (pattern,))


def _activation_above(place: Place, row: Node) -> Edge | None:
    """The edge to the activation that a row flows into alone, perhaps added to others on the way."""
    edges = place.reference.edges(row)
    if len(edges) != 1 or edges[0].consumer.form is None or not same_shape(edges[0].consumer.shape, row.shape):
        return None
    form = edges[0].consumer.attr.partial(edges[0].index)
    if form == f.ONE:
        return _activation_above(place, edges[0].consumer)
    return edges[0] if len(edges[0].consumer.args) == 1 else None


def handing_on(row: Node, sign: int = 1) -> Swap:
    """The gradient of another row handed on."""
    return lambda sweep, edge, upstream: sweep.passed(edge, sign * sweep.above(row))


# -- powers of a root


def root_powers(place: Place) -> Iterator[Candidate]:
    """Another power of a standard deviation in the branch through the variance: ``std**-1.5`` for ``var**-1.5``."""
    consumer = place.edge.consumer
    if consumer.role is not Role.ROOT:
        return
    root, name = (m.clipped(place.reference.name(r), SHORT) for r in (consumer, place.edge.argument))
    right = consumer.attr.partial(place.edge.index)
    for half in (x for x in range(-6, 7) if x):
        power = f.Num(sp.Rational(half, 2))
        says = f"the power of {root} in the branch through {name} is wrong: there is a factor {root}**{power.value} " \
               "that does not belong there"
        pattern = ("root power", half)
        yield candidate(place, m.EXPONENT, says, by_formula(f.mul(right, f.power(f.OUT, power))), 34, (pattern,))


AT_EDGES = (root_powers, complements, powers, gradients_for_values, by_result, inner_slips, other_numbers, cases,
            skipped)
