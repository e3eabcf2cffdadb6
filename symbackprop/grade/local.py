"""Mistakes in the local derivative of one elementwise row."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade import variants as v
from symbackprop.grade.candidates import Candidate, Swap
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.grade.sweep import Backward

_KIND = {
    v.SIGN: m.SIGN,
    v.TERM: m.TERM,
    v.FACTOR: m.MISSING_FACTOR,
    v.EXPONENT: m.EXPONENT,
    v.CONSTANT: m.CONSTANT,
    v.NUMBER: m.CONSTANT,
    v.FUNCTION: m.WRONG_DERIVATIVE,
    v.INVERTED: m.WRONG_DERIVATIVE,
}


@dataclass(frozen=True)
class Wrong:
    """A wrong local derivative: a formula over ``rows`` and the row's own value, and what is wrong with it.

    ``part`` is the sub-formula that was touched; ``exchange`` says which families of names were exchanged, and is empty
    where that is no pattern.
    """

    kind: str
    form: f.Formula
    rows: tuple[Node, ...]
    says: str
    cost: int = 0
    part: f.Formula | None = None
    exchange: tuple[object, ...] | None = None


def local_candidates(reference: Reference, edge: Edge, target: Node, known: Sequence[Node]) -> Iterator[Candidate]:
    """Every single mistake in ∂consumer/∂argument; ``known`` are the rows that could be mistaken for each other."""
    for wrong in wrongs(reference, edge, known):
        tell = partial(_finding, reference, edge, target, wrong)
        yield Candidate(wrong.kind, tell, {edge: _instead(wrong)}, wrong.cost, _patterns(reference, edge, wrong))
    if reference.is_named(edge.consumer):
        name = f"d{reference.name(edge.consumer)}"
        finding = Finding(m.MISSING_FACTOR, f"the gradient {name} that comes from above is missing", name)
        yield Candidate(m.MISSING_FACTOR, lambda: finding, {edge: _alone}, 3)


def _alone(sweep: Backward, edge: Edge, upstream: Array) -> Array:
    """The local derivative without the gradient that comes from above."""
    return sweep.times(edge, np.ones_like(upstream), sweep.local(edge))


def _finding(reference: Reference, edge: Edge, target: Node, wrong: Wrong) -> Finding:
    """The sentence for a wrong local derivative."""
    consumer = edge.consumer
    factor = reference.local_name(edge, target)
    right = written(reference, consumer.attr.partial(edge.index), consumer.args, consumer)
    shown = written(reference, wrong.form, wrong.rows, consumer)
    words = {"factor": f"{factor} = {right}", "wrong": shown}
    if wrong.part is not None:
        words["part"] = written(reference, wrong.part, consumer.args, consumer)
    return Finding(wrong.kind, wrong.says.format(**words), factor, right, shown)


def _patterns(reference: Reference, edge: Edge, wrong: Wrong) -> tuple[Hashable, ...]:
    """The same mistake elsewhere: at another step or call of the same function, with all indices moved alike."""
    consumer = edge.consumer
    if wrong.exchange is not None:
        return (("exchange", consumer.attr, edge.index, wrong.exchange),) if wrong.exchange else ()
    family = [m.base_name(reference.names.get(row.id, "")) for row in (*consumer.args, consumer)]
    step = (consumer.attr, edge.index, tuple(family), wrong.kind, wrong.form)
    return (step,) if consumer.attr.head is None else (step, (consumer.attr.head, wrong.kind, wrong.form))


def _instead(wrong: Wrong) -> Swap:
    def swap(sweep: Backward, edge: Edge, upstream: Array) -> Array:
        return sweep.times(edge, upstream, sweep.formula(wrong.form, wrong.rows, edge.consumer))

    return swap


def wrongs(reference: Reference, edge: Edge, known: Sequence[Node]) -> Iterator[Wrong]:
    """The wrong formulas for one local derivative."""
    consumer, form = edge.consumer, edge.consumer.attr.partial(edge.index)
    rows = consumer.args
    if form not in (f.ONE, f.Num(sp.S.NegativeOne)):
        yield Wrong(_missing_kind(form, consumer), f.ONE, rows, "the factor {factor} is missing")
        yield Wrong(m.EXTRA_FACTOR, f.mul(form, form), rows, "the factor {factor} is there twice")
        if not isinstance(form, f.Num):
            yield Wrong(m.WRONG_DERIVATIVE, f.div(f.ONE, form), rows, "{factor} divides where it should multiply")
    if isinstance(form, f.Arg):
        yield Wrong(m.WRONG_FACTOR, f.add(f.ONE, f.neg(form)), rows, "{factor} is needed; you have {wrong}")
    for variant in v.variants(form):
        yield Wrong(_KIND[variant.what], variant.form, rows, _SAYS[variant.what], part=variant.part)
    yield from _exchanges(reference, form, consumer, known)
    if consumer.attr.head is not None and len(f.arguments(consumer.attr.form)) == 1:
        yield from _other_functions(consumer, form)


_SAYS = {
    v.SIGN: "in {factor}, the sign of {part} is wrong: you have {wrong}",
    v.TERM: "in {factor}, the term {part} is missing: you have {wrong}",
    v.FACTOR: "in {factor}, the part {part} is missing: you have {wrong}",
    v.EXPONENT: "in {factor}, the exponent of {part} is wrong: you have {wrong}",
    v.NUMBER: "in {factor}, the number {part} is missing: you have {wrong}",
    v.CONSTANT: "in {factor}, the number {part} is wrong: you have {wrong}",
    v.INVERTED: "in {factor}, {part} multiplies where it should divide: you have {wrong}",
    v.FUNCTION: "in {factor}, the function {part} is not right: you have {wrong}",
}


def _missing_kind(form: f.Formula, consumer: Node) -> str:
    """What leaving out a whole local derivative is: 1/N is that of a mean, another number a constant."""
    if not isinstance(form, f.Num):
        return m.MISSING_FACTOR
    sizes = (1 / form.value).as_powers_dict()
    shares = all(base.is_integer and power == 1 for base, power in sizes.items())
    averaged = consumer.origin is not None and consumer.origin.function in ("mean", "var")
    return m.MEAN if shares and (form.value.free_symbols or averaged) else m.CONSTANT


def _exchanges(reference: Reference, form: f.Formula, consumer: Node, known: Sequence[Node]) -> Iterator[Wrong]:
    """One row for another of the same shape."""
    args = consumer.args
    leaves: list[tuple[f.Formula, Node]] = [(f.Arg(i), args[i]) for i in f.arguments(form)]
    if f.reads_out(form):
        leaves.append((f.OUT, consumer))
    for leaf, old in leaves:
        for new in known:
            if new is not old and same_shape(new.shape, old.shape):
                swapped = v.replaced(form, leaf, f.Arg(len(args)))
                kind, says = m.exchange(old, new, reference.name(old), reference.name(new))
                have = "" if swapped == f.Arg(len(args)) else ": you have {wrong}"
                pattern = m.moved_index(old, new, reference.name(old), reference.name(new))
                yield Wrong(kind, swapped, (*args, new), "in {factor}, " + says + have, exchange=pattern)


def _other_functions(consumer: Node, form: f.Formula) -> Iterator[Wrong]:
    """The derivative of another activation, the function itself, or the derivative at its own output."""
    head, kind, args = consumer.attr.head, m.WRONG_DERIVATIVE, consumer.args
    for name, derivative in v.derivative_forms():
        if name != head:
            says = f"{{factor}} is the derivative of {head}; you have that of {name}, {{wrong}}"
            yield Wrong(kind, derivative, args, says, cost=1)
    yield Wrong(kind, f.OUT, args, f"{{factor}} is needed; you have {head} itself, {{wrong}}, not its derivative")
    yield Wrong(kind, f.Arg(0), args, f"{{factor}} is needed; you have the argument of {head}, {{wrong}}", cost=1)
    again = f.OUT if not f.reads_out(form) else f.Call(head, (f.OUT, *consumer.attr.form.args[1:]))
    at = v.replaced(form, f.OUT if f.reads_out(form) else f.Arg(0), again)
    yield Wrong(kind, at, args, "{factor}: you apply the derivative to the output, {wrong}", cost=2)


def written(reference: Reference, form: f.Formula, rows: Sequence[Node], out: Node) -> str:
    """A formula as model text."""
    note = reference.notation
    return note.formula(form, [note.ref(r) for r in rows], note.ref(out)).text


def exchangeable(reference: Reference) -> list[Node]:
    """The rows that a person could write in the place of another: all named arrays of floats."""
    found = {r.id: r for r in reference.rows.values() if r.kind == FLOAT and r.value is None}
    return list(found.values())
