"""Where people fall: lines that are right as they stand, and rarely what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from inspect import Parameter
from typing import Any, NamedTuple

from symbackprop.core.formula import Add, Arg, Call, Div
from symbackprop.core.graph import Node, label
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one, same, shape_text
from symbackprop.model.text import tree
from symbackprop.model.text.languages import PYTHON, Language

# what parameters that take logits, logarithms of probabilities and probabilities are called
OF_PROBABILITIES = LOGITS, LOGARITHMS, PROBABILITIES = "logits", "log_probabilities", "prob"

_MINUS_ONE = tree.Negative(tree.ONE)


def of_call(name: str, parameters: Sequence[Parameter], values: Sequence[Any]) -> Iterator[str]:
    """Probabilities where logits or logarithms are expected, of which the softmax or nothing is taken again, and any
    numbers where probabilities are."""
    for parameter, value in zip(parameters, values, strict=False):
        if not isinstance(value, Node):
            continue
        if parameter.name == LOGITS and _is_probability(value):
            yield f"{name} takes logits, and {_shown(value)} are probabilities: what they are computed from is expected"
        if parameter.name == LOGARITHMS and _is_probability(value):
            yield (f"{name} takes logarithms of probabilities, and {_shown(value)} are probabilities: "
                   "log_softmax gives them")
        if parameter.name == PROBABILITIES and _is_product(value):
            yield f"{name} takes probabilities, and {label(value)} may be any numbers: {name}_with_logits takes these"


def _shown(row: Node) -> str:
    return "exp(…) / sum(exp(…))" if row.name is None and _is_normalized(row) else label(row)


def _is_probability(row: Node) -> bool:
    called = TABLE[row.form.name] if isinstance(row.form, Call) else None
    sigmoid = called is not None and called.range == (0.0, 1.0) and not called.boolean
    return row.op.distribution or sigmoid or _is_normalized(row)


def _is_normalized(row: Node) -> bool:
    """Whether it is ``exp(z) / sum(exp(z))``, along an axis."""
    if row.form != Div(Arg(0), Arg(1)):
        return False
    above, below = row.args
    while below.role is Role.RESHAPED:
        below = below.args[0]
    return isinstance(above.form, Call) and TABLE[above.form.name].log == Arg(0) and (
        below.role is Role.SUM and below.args[0] is above)


def _is_product(row: Node) -> bool:
    """Whether it is a matrix product of arrays that are given, perhaps with one added: a linear layer."""
    is_sum = isinstance(row.form, Add) and row.form.terms == tuple(map(Arg, range(len(row.args))))
    added = row.args if is_sum else (row,)
    products = [part for part in added if isinstance(part.attr, Pattern)]
    return bool(products) and all(part.is_leaf for part in added if part not in products)


def of_operator(sign: str, a: Any, b: Any, function: str = "",
                language: Language | None = None) -> Sequence[str]:
    """An N×1 array beside one of N: NumPy makes N×N of them, as a function of the entries of both does. A vector beside
    a matrix, which other languages repeat down its columns."""
    if sign == "@" or not (isinstance(a, Node) and isinstance(b, Node)) or {len(a.shape), len(b.shape)} != {1, 2}:
        return ()
    column, row = (a, b) if len(a.shape) == 2 else (b, a)
    n = row.shape[0]
    if is_one(column.shape[1]) and same(column.shape[0], n) and not is_one(n):
        both = f"{function}{_side(a, sign)} {sign} {_side(b, sign)}"
        return (f"{both} is {shape_text((n, n))}, every entry with every other: "
                f"{label(column)} is {shape_text(column.shape)}, {label(row)} is {shape_text(row.shape)}",)
    if language in (None, PYTHON):
        return ()
    return (f"{language.name} repeats {label(row)} down the columns of {label(column)}: here every row of that meets "
            "it",)


def _side(operand: Any, sign: str) -> str:
    """An operand as it stands beside a sign, in brackets as a factor."""
    written = label(operand)
    return written if sign not in ("*", "/") or re.fullmatch(r"[\w.\[\]]*|\w+\([^()]*\)", written) else f"({written})"


class Factors(NamedTuple):
    """What stands beside a sign, and its values: of all that is in front of the sign, of the last factor there, and of
    the one behind it."""

    left: tree.Expr
    right: tree.Expr
    product: Any
    last: Any
    value: Any


def _of_inverses(factors: Factors) -> Iterator[str]:
    """A^-1 @ b is read with 1/A of every entry, as NumPy has it; on paper it is the inverse."""
    for expr, value in ((factors.left, factors.last), (factors.right, factors.value)):
        if isinstance(expr, tree.Power) and isinstance(value, Node) and expr.exponent == _MINUS_ONE and (
                value.ndim > 1):
            base = expr.base.name if isinstance(expr.base, tree.Name) else "…"
            yield f"a matrix to the power -1 is 1/{base} of every entry, as in NumPy; its inverse is inv({base})"


def _of_transposed(factors: Factors) -> Iterator[str]:
    """``x' * y`` of two vectors, a number on paper and in Matlab, ``x * y'``, a matrix there, and the products there of
    a matrix and of what is turned."""
    left, right, a, _, b = factors
    if not (isinstance(a, Node) and isinstance(b, Node)):
        return
    if a.ndim == b.ndim == 1 and isinstance(right, tree.Transpose) and not isinstance(left, tree.Transpose):
        yield (f"a vector has no other side: {label(a)} * {label(b)}.T is a product of entries, "
               f"outer({label(a)}, {label(b)}) that of every two")
    elif not isinstance(left, tree.Transpose):
        return
    elif a.ndim == b.ndim == 1:
        yield (f"a vector has no other side: {label(a)}.T * {label(b)} is a product of entries, "
               f"{label(a)} @ {label(b)} their sum")
    elif left.sign != ".T" and {a.ndim, b.ndim} <= {1, 2} and same(a.shape[-1], b.shape[0]):
        yield f"{label(a)} * {label(b)} is a product of entries, {label(a)} @ {label(b)} the matrix product"


def _of_quotients(factors: Factors) -> Iterator[str]:
    """``x^1/2`` and ``e^-x/2``, whose power stands alone above the line of division."""
    left = factors.left
    match left:
        case tree.Power(tree.Name(base), exponent):
            pass
        case tree.Call(name, (exponent,)) if name in TABLE and TABLE[name].log == Arg(0):  # of e^-x
            base = "e"
        case tree.Power(_, exponent):
            base = "(…)"
        case _:
            return
    bare = left.place is not None and exponent.place is not None and left.place.end == exponent.place.end  # no brackets
    if bare and exponent == tree.ONE:
        yield f"{base}^1/… is {base} divided by what follows: a root is {base}^(1/…)"
    elif bare and isinstance(exponent, tree.Negative):
        yield f"{base}^-…/… divides the whole power: a quotient in the exponent takes brackets, {base}^(-…/…)"


OF_SIGNS: Mapping[str, Callable[[Factors], Iterator[str]]] = {
    "*": _of_transposed, "/": _of_quotients, "@": _of_inverses,
}


def of_first_steps(statements: Sequence[tree.Statement], arrays: Collection[str]) -> Iterator[tuple[int, str]]:
    """The line of ``a[1] = u[1]`` above a loop that begins with the same entry of u: entries are counted from 0 there
    and from 1 in the loop. A loop that reads later entries too, ``u[t] - u[t-1]``, means it."""
    begun = dict[str, tuple[int, int]]()
    for s in statements:
        if isinstance(s, tree.Equation) and isinstance(s.target.index, tree.Number):
            begun |= {u: (s.line, int(at.value)) for u, at in _read_at(s.value)
                      if isinstance(at, tree.Number) and u in arrays}
        elif isinstance(s, tree.For) and isinstance(s.start, tree.Number):
            t, start = s.variable, int(s.start.value)
            latest = _latest(s) if begun else {}
            for u in [u for u in begun if u in latest and begun[u][1] == start + latest[u] - 1]:
                line, k = begun.pop(u)
                read = f"{t}{latest[u]:+d}" if latest[u] else t
                yield line, (f"{u}[{k}] is the same as {u}[{read}] at {t} = {start} in the loop below: arrays are "
                             "counted from 0 outside of loops, and by counters from 1")


def of_later_steps(statements: Sequence[tree.Statement]) -> Iterator[tuple[int, str]]:
    """The line of ``h[1:]`` below a loop that begins with h[1]: slices count the steps from 0."""
    first = dict[str, int]()
    for s in statements:
        if isinstance(s, tree.Equation):
            for u in [u for u, at in _read_at(s.value) if u in first and _begins(at, first[u])] if first else ():
                left_out = "step" if first[u] == 1 else f"{first[u]} steps"
                yield s.line, (f"{u}[{first[u]}:] leaves out the first {left_out}: the entries of a slice are counted "
                               f"from 0; all steps, {u}[{first[u]}] and later, are {u}")
        elif isinstance(s, tree.For) and isinstance(s.start, tree.Number) and not s.from_zero:
            first |= dict.fromkeys((e.target.name for e in s.body if isinstance(e, tree.Equation)), int(s.start.value))


def _begins(at: tree.Expr, first: int) -> bool:
    return isinstance(at, tree.Slice) and isinstance(at.start, tree.Number) and at.start.value == first


def _latest(loop: tree.For) -> dict[str, int]:
    """How far ahead of its counter a loop reads each array: 0 for u[t], -1 where it reads u[t-1] and no later one."""
    latest = dict[str, int]()
    for u, at in [r for e in loop.body if isinstance(e, tree.Equation) for r in _read_at(e.value)]:
        k = tree.ahead(at, loop.variable)
        if k is not None:
            latest[u] = max(k, latest.get(u, k))
    return latest


def _read_at(expr: tree.Expr) -> Iterator[tuple[str, tree.Expr]]:
    """The names that a formula reads by an index, and the first index of each."""
    for part in tree.all_parts(expr):
        if isinstance(part, tree.Index) and isinstance(part.base, tree.Name):
            yield part.base.name, part.items[0]
