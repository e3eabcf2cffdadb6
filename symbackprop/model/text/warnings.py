"""Where people fall: lines that are right as they stand, and rarely what was meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from inspect import Parameter
from typing import Any

from symbackprop.core.formula import Call
from symbackprop.core.graph import Node, label
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one, same, shape_text
from symbackprop.model.text import tree

LOGITS = "logits"  # what parameters that take them are called


def of_call(name: str, parameters: Sequence[Parameter], values: Sequence[Any]) -> Iterator[str]:
    """Probabilities where logits are expected: their softmax is taken again."""
    for parameter, value in zip(parameters, values, strict=False):
        if parameter.name == LOGITS and isinstance(value, Node) and _is_probability(value):
            yield f"{name} takes logits, and {label(value)} are probabilities: what they are computed from is expected"


def _is_probability(row: Node) -> bool:
    called = TABLE[row.form.name] if isinstance(row.form, Call) else None
    return row.op.distribution or (called is not None and called.range == (0.0, 1.0) and not called.boolean)


def of_operator(sign: str, a: Any, b: Any, function: str = "") -> Iterator[str]:
    """An N×1 array beside one of N: NumPy makes N×N of them, as a function of the entries of both does."""
    for column, row in ((a, b), (b, a)):
        if not (isinstance(column, Node) and isinstance(row, Node) and (column.ndim, row.ndim) == (2, 1)):
            continue
        n = row.shape[0]
        if sign != "@" and is_one(column.shape[1]) and same(column.shape[0], n) and not is_one(n):
            yield (f"{function}{label(a)} {sign} {label(b)} is {shape_text((n, n))}, every entry with every other: "
                   f"{label(column)} is {shape_text(column.shape)}, {label(row)} is {shape_text(row.shape)}")


def of_transposed(sign: str, expr: tree.Expr, a: Any, b: Any) -> Iterator[str]:
    """``x' * y`` of two vectors, which is a number on paper and in Matlab."""
    vectors = isinstance(a, Node) and isinstance(b, Node) and a.ndim == b.ndim == 1
    if sign == "*" and vectors and isinstance(expr, tree.Transpose):
        yield (f"a vector has no other side: {label(a)}.T * {label(b)} is a product of entries, "
               f"{label(a)} @ {label(b)} their sum")


def of_first_steps(statements: Sequence[tree.Statement], arrays: Collection[str]) -> Iterator[tuple[int, str]]:
    """The line of ``a[1] = u[1]`` above a loop that reads u[t], and what is said of it: entries are counted from 0
    there and from 1 in the loop, which reads the same one again."""
    begun = dict[str, tuple[int, int]]()
    for s in statements:
        if isinstance(s, tree.Equation) and isinstance(s.target.index, tree.Number):
            at = s.target.index
            begun |= {u: (s.line, int(at.value)) for u, place in _read_at(s.value) if place == at and u in arrays}
        elif isinstance(s, tree.For):
            t = s.variable
            read = [r for e in s.body if isinstance(e, tree.Equation) for r in _read_at(e.value)]
            for u in [u for u in begun if (u, tree.Name(t)) in read]:
                line, k = begun.pop(u)
                yield line, (f"{u}[{k}] is the same as {u}[{t}] at {t} = {k + 1} in the loop below: arrays are counted "
                             "from 0 outside of loops, and by counters from 1")


def _read_at(expr: tree.Expr) -> Iterator[tuple[str, tree.Expr]]:
    """The names that a formula reads by an index, and the first index of each."""
    for part in tree.all_parts(expr):
        if isinstance(part, tree.Index) and isinstance(part.base, tree.Name):
            yield part.base.name, part.items[0]
