"""Elementwise kernels: a scalar function of the entries, with broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.accumulate import cancelled
from symbackprop.core.graph import BOOL, FLOAT, INT, Node, common_shape
from symbackprop.core.kernel import Kernel, upstream_times
from symbackprop.core.notation import Notation, Text
from symbackprop.core.registry import Op, Sample, register
from symbackprop.core.scalars import BY_HEAD
from symbackprop.core.shapes import Shape


def _infer(kernel: Kernel, args: tuple[Node, ...]) -> tuple[Shape, str]:
    shape = common_shape(args)
    if kernel.boolean:
        return shape, BOOL
    whole = args and all(a.kind != FLOAT for a in args) and _is_whole(kernel.form)
    return shape, INT if whole else FLOAT


def _is_whole(form: f.Formula) -> bool:
    """Whether integers stay integers: sums and products with whole coefficients."""
    if isinstance(form, f.Num):
        return bool(form.value.is_integer)
    if isinstance(form, (f.Div, f.Pow)):
        return False
    if isinstance(form, f.Call) and form.name not in ("maximum", "minimum", "relu", "abs", "where"):
        return False
    return all(_is_whole(c) for c in f.children(form))


def _vjp(i: int, upstream: Node, output: Node, *inputs: Node) -> Node | None:
    """upstream · ∂f/∂x_i; the derivative reads the row's own output where it can."""
    local = output.attr.partial(i)
    if local == f.ZERO:
        return None
    short = cancelled(upstream, output, i)
    if short is not None:
        return short
    row = output.graph.apply(upstream_times(local, len(inputs)), *inputs, output, upstream)
    return output.graph.broadcast(row, output.shape)


def _show(p: Notation, node: Node, args: Sequence[Text]) -> Text:
    return p.formula(node.attr.form, args)


def evaluate_expr(np: Any, expr: sp.Expr, values: dict[sp.Symbol, Any]) -> Any:
    """The value of a canonical kernel expression by each function's reference: independent of how it is written."""
    if expr in values:
        return values[expr]
    if not expr.free_symbols:
        return float(expr)
    parts = [evaluate_expr(np, a, values) for a in expr.args]
    if expr.is_Add:
        return sum(parts[1:], parts[0])
    if expr.is_Mul:
        result = parts[0]
        for part in parts[1:]:
            result = result * part
        return result
    if expr.is_Pow:
        return _power(np, expr, parts)
    return BY_HEAD[expr.func].reference(np, *parts)


def _power(np: Any, expr: sp.Expr, parts: list[Any]) -> Any:
    base, exponent = np.asarray(parts[0], dtype=float), parts[1]
    if expr.exp == sp.Rational(1, 2):
        return np.sqrt(base)
    return np.power(base, exponent)


register(
    Op(
        name="elementwise",
        signature="f(a, b, …)",
        shape_rule="NumPy broadcast of the arguments",
        derivative="upstream * df/da, summed over the axes that were broadcast",
        domain="per function: see the scalar functions",
        infer=_infer,
        vjp=_vjp,
        show=_show,
        numpy=_show,
        reference=lambda np, kernel, *arrays: evaluate_expr(np, kernel.expr, kernel_values(kernel, arrays)),
        samples=(
            Sample(((2, 3), (3,)), Kernel(f.Arg(0) * f.Arg(1))),
            Sample(((2, 1), (1, 3)), Kernel((f.Arg(0) - f.Arg(1)) ** 2 / 2)),
            Sample(((4,),), Kernel(f.call("tanh", f.Arg(0)))),
        ),
    )
)


def kernel_values(kernel: Kernel, arrays: Sequence[Any]) -> dict[sp.Symbol, Any]:
    """The placeholders of a kernel bound to arrays."""
    from symbackprop.core.calculus import PLACEHOLDERS

    return dict(zip(PLACEHOLDERS, arrays, strict=False))
