"""Gates: scalar rows of one elementary operation, drawn as a circle with the operation's sign, as in a circuit."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.maths import Num, Pow, Sym
from symbackprop.core.scalars import TABLE
from symbackprop.render.print.text import text

PLUS, MINUS, TIMES = "+", "−", "∗"
_NAMES = {"sigmoid": "σ", "relu": "ReLU", "maximum": "max", "minimum": "min", "abs": "|x|", "root": "√x", "sqrt": "√x"}


def gate_symbol(row: Node) -> str:
    """The sign in the circle, or nothing when the row is not a scalar gate."""
    if row.op.name != "elementwise" or row.shape or any(a.shape for a in row.args):
        return ""
    return _symbol(f.written(row.attr.form)) or ""


def _symbol(form: f.Formula) -> str | None:
    match form:
        case f.Neg(f.Arg()):
            return f"{TIMES}{MINUS}1"
        case f.Add(terms):
            return _sum(terms)
        case f.Mul(factors):
            return _product(factors)
        case f.Div(top, f.Arg()) if isinstance(top, (f.Arg, f.Num)):
            return "/" if isinstance(top, f.Arg) else f"{text(Num(top.value))}/x"
        case f.Pow(f.Arg(), f.Num(value)):
            return text(Pow(Sym("x"), Num(value)))
        case f.Call(name, parts) if all(isinstance(p, f.Arg) for p in parts[: TABLE[name].arity]):
            return _NAMES.get(name, name) if TABLE[name].public else None
    return None


def _sum(terms: Sequence[f.Formula]) -> str | None:
    numbers = [t for t in terms if isinstance(t, f.Num)]
    others = [t for t in terms if not isinstance(t, f.Num)]
    if all(isinstance(t, f.Arg) for t in others):
        if not numbers:
            return PLUS
        value = numbers[0].value
        sign = "" if f.is_negative(value) else PLUS
        return sign + text(Num(value)) if len(others) == len(numbers) == 1 else None
    match tuple(terms):
        case (f.Arg(), f.Neg(f.Arg())):
            return MINUS
        case (f.Num(value), f.Neg(f.Arg())):
            return f"{text(Num(value))}{MINUS}x"
    return None


def _product(factors: Sequence[f.Formula]) -> str | None:
    match tuple(factors):
        case (f.Num(value), f.Arg()):
            return TIMES + text(Num(value))
    return TIMES if all(isinstance(x, f.Arg) for x in factors) else None
