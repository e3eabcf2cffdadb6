"""Naive forms that overflow, recognised when they are written, and the stable rows that replace them.

log(1 + e^x) is softplus(x), log softmax(z) is z − logsumexp(z), log σ(z) is −softplus(−z), log Φ(x) is a function of
its own, √Σx² has derivative 0 at 0.
The value is the same where the naive form has one; the gradient is finite where the naive form's is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from symbackprop.core import build
from symbackprop.core.facts import is_norm, is_reshaped, kind
from symbackprop.core.formula import (
    ONE,
    Add,
    Arg,
    Call,
    Formula,
    Neg,
    Num,
    Pow,
    changed,
    has,
    is_even,
    mul,
    over,
    power,
)
from symbackprop.core.formula import powers as factors_of
from symbackprop.core.graph import Node
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.squares import is_flat


def _log(x: Node) -> Node | None:
    if x.name is not None:
        return None
    if x.op.distribution:
        return x.args[0] - build.logsumexp(x.args[0], x.attr, keepdims=True)
    if x.form is None:
        return None
    log = None if x.function is None else x.function.log
    return _log_of_sum(x) if log is None or isinstance(log, Arg) else x.graph.apply(log, *x.args)


def _log_of_sum(x: Node) -> Node | None:
    """log(1 + f(a)) and log(1 − f(a)) where f has forms for these: log(1 + e^a), log(1 − σ(a)) and log(1 − Φ(a))."""
    if len(x.args) != 1 or not _is_one_plus(x.attr.form) or x.args[0].name is not None:
        return None
    inner, record = x.args[0], x.args[0].function
    if record is None:
        return None
    if Arg(0) in x.attr.form.terms:
        log = record.log1p
    else:
        log = _log_of_call(record.complement) if Neg(Arg(0)) in x.attr.form.terms else None
    return None if log is None else x.graph.apply(log, *inner.args)


def _log_of_call(form: Formula | None) -> Formula | None:
    """log of a function of something, as the function's record has it."""
    log = TABLE[form.name].log if isinstance(form, Call) else None
    return None if log is None or not isinstance(form, Call) else over(log, form.args)


def _is_one_plus(form: Formula) -> bool:
    return isinstance(form, Add) and len(form.terms) == 2 and ONE in form.terms


def _sqrt(x: Node) -> Node | None:
    """The root of a sum of squares is a norm."""
    return x.graph.call("root", x) if x.value is None and is_flat(Arg(0), [x]) else None


def powers(row: Node) -> Node:
    """Arithmetic whose powers can be differentiated at 0: an even power of a norm or of |x| is one of what is inside,
    and any other power of a sum of squares has derivative 0 at 0, as a norm has."""
    if row.arithmetic is None or not has(row.arithmetic, Pow):
        return row
    args = list(row.args)
    form = _powers(row.arithmetic, args)
    return row if form == row.arithmetic else row.graph.arithmetic(form, args)


def _powers(form: Formula, args: list[Node]) -> Formula:
    """The formula with its powers rewritten; ``args`` grows."""
    whole = changed(form, lambda part: _powers(part, args))
    if not isinstance(whole, Pow) or not isinstance(whole.exponent, Num):
        return whole
    if is_even(whole.exponent.value):
        factors = [_even_power(base, n, args) for base, n in factors_of(whole)]
        return mul(*[power(base, Num(n)) for base, n in factors]) if factors != factors_of(whole) else whole
    return _flat_power(whole.base, whole.exponent, args) or whole


def _even_power(base: Formula, exponent: sp.Expr, args: list[Node]) -> tuple[Formula, sp.Expr]:
    """The base and the exponent of an even power; of an unnamed root without the root."""
    row = args[base.index] if isinstance(base, Arg) else None
    inside = None if row is None or not is_even(exponent) else _squared(row)
    if inside is None:
        return base, exponent
    args.append(inside[0])
    return Arg(len(args) - 1), exponent * inside[1]


def _squared(row: Node) -> tuple[Node, sp.Expr] | None:
    """(a, c) where row² is a^2c: for an unnamed norm, root or absolute value, and views of one."""
    if row.name is not None:
        return None
    if kind(row).views and len(row.args) == 1:
        inside = _squared(row.args[0])
        return None if inside is None else (_viewed(row, inside[0]), inside[1])
    if is_norm(row):
        return build.reduce_sum(_square(row.args[0]), *row.attr), sp.S.Half
    square = None if row.function is None else row.function.square
    return None if square is None or not row.args else (row.args[0], square)  # |1| of ones has no arguments


def _square(row: Node) -> Node:
    """a², what the norm of a kept apart taken in, as where it is written so."""
    inside = row.arithmetic if row.name is None and row.origin is None else None
    return row**2 if inside is None else row.graph.arithmetic(power(inside, 2), row.args)


def _viewed(view: Node, row: Node) -> Node:
    """A row under a view; what is reshaped twice is reshaped once, as where it is written so."""
    again = is_reshaped(view) and is_reshaped(row) and row.name is None
    return build.reshape(row.args[0], view.shape) if again else view.graph.again(view, [row])


def _flat_power(base: Formula, exponent: Num, args: list[Node]) -> Formula | None:
    """A broken power of a sum of squares."""
    if exponent.value.is_integer is not False or not exponent.value.is_positive or not is_flat(base, args):
        return None
    if exponent.value != sp.S.Half:
        return Call("flat_power", (base, exponent))
    graph = args[0].graph
    args.append(graph.call("root", graph.arithmetic(base, args)))
    return Arg(len(args) - 1)


def stable_form(name: str, args: Sequence[Node]) -> Node | None:
    """The stable row that stands for a function of rows; None where there is none."""
    role = TABLE[name].role
    return _log(args[0]) if role is Role.LOG else _sqrt(args[0]) if role is Role.ROOT else None
