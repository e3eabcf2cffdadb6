"""Naive forms that overflow, recognised when they are written, and the stable rows that replace them.

log(1 + e^x) is softplus(x), log softmax(z) is z − logsumexp(z), log σ(z) is −softplus(−z), log Φ(x) is a function of
its own, √Σx² has derivative 0 at 0.
The value is the same where the naive form has one; the gradient is finite where the naive form's is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.core import build
from symbackprop.core.formula import ONE, Add, Arg, Formula, Mul, Neg, Num, Pow
from symbackprop.core.graph import Node


def _log(x: Node) -> Node | None:
    if x.name is not None:
        return None
    if x.op.name == "softmax":
        return x.args[0] - build.logsumexp(x.args[0], x.attr, keepdims=True)
    if x.op.name != "elementwise":
        return None
    if x.attr.head == "sigmoid":
        return -x.graph.call("softplus", -x.args[0])
    if x.attr.head == "normal_cdf":
        return x.graph.call("log_normal_cdf", x.args[0])
    return _log_of_sum(x)


def _log_of_sum(x: Node) -> Node | None:
    """log(1 + e^a), log(1 − σ(a)) and log(1 − Φ(a))."""
    form = x.attr.form
    if len(x.args) != 1 or not _is_one_plus(form):
        return None
    inner = x.args[0]
    head = inner.attr.head if inner.op.name == "elementwise" else None
    if head == "exp" and inner.name is None and Arg(0) in form.terms:
        return x.graph.call("softplus", inner.args[0])
    if head == "sigmoid" and inner.name is None and Neg(Arg(0)) in form.terms:
        return -x.graph.call("softplus", inner.args[0])
    if head == "normal_cdf" and inner.name is None and Neg(Arg(0)) in form.terms:
        return x.graph.call("log_normal_cdf", -inner.args[0])
    return None


def _is_one_plus(form: Formula) -> bool:
    return isinstance(form, Add) and len(form.terms) == 2 and ONE in form.terms


def _sqrt(x: Node) -> Node | None:
    """The root of a sum of squares is a norm."""
    return x.graph.call("root", x) if _is_sum_of_squares(x, 6) else None


def _is_sum_of_squares(x: Node, depth: int) -> bool:
    """Whether a row is at least 0 and has derivative 0 where it is 0."""
    if x.op.name in ("sum", "reshape", "broadcast"):
        return _is_sum_of_squares(x.args[0], depth)
    if x.op.name == "einsum" and len(x.args) == 2 and x.args[0] is x.args[1]:
        left, right = x.attr.split("->")[0].split(",")
        return bool(left == right)
    return x.op.name == "elementwise" and depth > 0 and _is_square(x.attr.form, x.args, depth - 1)


def _is_square(form: Formula, args: Sequence[Node], depth: int) -> bool:
    match form:
        case Pow(_, Num(exponent)):
            return bool(exponent.is_even and exponent.is_positive)
        case Arg(index):
            return _is_sum_of_squares(args[index], depth)
        case Add(terms):
            return all(_is_square(t, args, depth) for t in terms)
        case Mul((Num(factor), rest)):
            return bool(factor.is_positive) and _is_square(rest, args, depth)
    return False


STABLE: dict[str, Callable[[Node], Node | None]] = {"log": _log, "sqrt": _sqrt}
