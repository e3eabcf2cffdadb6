"""Mistakes in the local derivative of one elementwise row."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.record import Edge
from symbackprop.core.shapes import same_shape
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
        yield Candidate(wrong.kind, tell, {edge: _instead(wrong)}, wrong.cost, _pattern(edge, wrong))


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


def _pattern(edge: Edge, wrong: Wrong) -> Hashable:
    """The same mistake elsewhere: at another call of the same function, or with all indices moved alike."""
    if wrong.exchange is not None:
        return None if wrong.exchange == () else ("exchange", edge.consumer.attr, edge.index, wrong.exchange)
    head = edge.consumer.attr.head
    return None if head is None else (head, wrong.kind, wrong.form)


def _instead(wrong: Wrong) -> Swap:
    def swap(sweep: Backward, edge: Edge, upstream: Array) -> Array:
        return sweep.times(edge, upstream, sweep.formula(wrong.form, wrong.rows, edge.consumer))

    return swap


def wrongs(reference: Reference, edge: Edge, known: Sequence[Node]) -> Iterator[Wrong]:
    """The wrong formulas for one local derivative."""
    consumer, form = edge.consumer, edge.consumer.attr.partial(edge.index)
    rows = consumer.args
    if form not in (f.ONE, f.Num(sp.S.NegativeOne)):
        yield Wrong(m.MEAN if _is_share(form) else m.MISSING_FACTOR, f.ONE, rows, "the factor {factor} is missing")
        yield Wrong(m.EXTRA_FACTOR, f.mul(form, form), rows, "the factor {factor} is there twice")
        if not isinstance(form, f.Num):
            yield Wrong(m.WRONG_DERIVATIVE, f.div(f.ONE, form), rows, "{factor} divides where it should multiply")
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
    v.FUNCTION: "in {factor}, the function {part} is not right: you have {wrong}",
}


def _is_share(form: f.Formula) -> bool:
    """1/N of a mean."""
    return isinstance(form, f.Num) and sp.fraction(form.value)[0] == 1


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
