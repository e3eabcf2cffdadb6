"""Elementwise kernels: a scalar function of the entries, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from operator import add, mul
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import noughts, selection
from symbackprop.core.accumulate import cancelled
from symbackprop.core.entry import At, Indices, Term, Terms, aligned
from symbackprop.core.graph import BOOL, FLOAT, INT, Node, common_shape
from symbackprop.core.hazards import LINEAR, Hazards
from symbackprop.core.kernel import Kernel, upstream_times
from symbackprop.core.maths import called
from symbackprop.core.registry import Cotangents, Op, Sample, register
from symbackprop.core.scalars import BY_HEAD, PLACEHOLDERS, TABLE, Opaque
from symbackprop.core.shapes import Shape


def _infer(kernel: Kernel, args: tuple[Node, ...]) -> tuple[Shape, str]:
    shape = common_shape(args)
    if kernel.boolean:
        return shape, BOOL
    if isinstance(kernel.form, f.Arg):
        return shape, args[0].kind
    whole = args and FLOAT not in {a.kind for a in args} and _is_whole(kernel.form)
    return shape, INT if whole else FLOAT


@cache
def _is_whole(form: f.Formula) -> bool:
    """Whether integers stay integers: sums and products with whole coefficients. Truth values in them are integers."""
    if isinstance(form, f.Num):
        return bool(form.value.is_integer)
    if isinstance(form, (f.Div, f.Pow)):
        return False
    if isinstance(form, f.Call) and not TABLE[form.name].whole:
        return False
    return all([_is_whole(c) for c in form.children])


def _vjp(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """upstream · ∂f/∂x_i for every x_i; the derivative reads the row's own output where it can."""
    slope = output.attr.partial
    return [
        _cotangent(i, output, upstream, idle) if want and slope(i) != f.ZERO else None for i, want in enumerate(wanted)
    ]


def _cotangent(i: int, output: Node, upstream: Node, idle: Hazards) -> Node:
    row = selection.of_branch(upstream, output, i)
    if row is None:
        row = selection.inside(upstream, lambda u: _times_derivative(u, output, i, idle))
        row = output.graph.broadcast(row, output.shape)
    return selection.chosen(row, i, output, upstream, idle)


def _times_derivative(upstream: Node, output: Node, i: int, idle: Hazards) -> Node:
    short = cancelled(upstream, output, i)
    if short is not None:
        return short
    form = upstream_times(output.attr.partial(i), len(output.args))
    row = output.graph.apply(form, *output.args, output, upstream)
    return noughts.cotangent(row, upstream, output, i, bool(idle & LINEAR))


Arrays = Sequence[Any]
BY_LOGARITHM = 100  # whole powers below it are products to NumPy


def evaluate_expr(np: Any, expr: sp.Expr, values: Mapping[sp.Symbol, Any]) -> Any:
    """The value of a kernel's expression over the placeholders."""
    last = max((PLACEHOLDERS.index(x) for x in values), default=-1)
    return _program(expr)(np, [values.get(x) for x in PLACEHOLDERS[: last + 1]])


@cache
def _program(expr: sp.Expr) -> Callable[[Any, Arrays], Any]:
    """The value of a canonical expression over arrays (the placeholders in order), by the reference of each function:
    independent of how a formula is written. SymPy's tree is walked once; what remains are calls of NumPy.

    Arrays keep the precision they come in: float64, complex, long double.
    """
    if expr.is_Symbol:
        place = PLACEHOLDERS.index(expr)
        return lambda np, arrays: arrays[place]
    if not expr.free_symbols and not expr.has(Opaque):
        number = int(expr) if expr.is_Integer and abs(expr) < 2**53 else float(expr)
        return lambda np, arrays: number
    parts = [_program(a) for a in expr.args]
    if expr.is_Add or expr.is_Mul:
        joined = add if expr.is_Add else mul
        if all(a.is_Symbol for a in expr.args):
            places = [PLACEHOLDERS.index(a) for a in expr.args]
            return lambda np, arrays: reduce(joined, [arrays[k] for k in places])
        return lambda np, arrays: reduce(joined, [p(np, arrays) for p in parts])
    if expr.is_Pow:
        return _power(expr, parts)
    function = BY_HEAD[expr.func].reference
    return lambda np, arrays: function(np, *[p(np, arrays) for p in parts])


@cache
def _program_of(kernel: Kernel) -> Callable[[Any, Arrays], Any]:
    return _program(kernel.expr)


def _power(expr: sp.Expr, parts: list[Callable[[Any, Arrays], Any]]) -> Callable[[Any, Arrays], Any]:
    base, exponent = parts
    if expr.exp == sp.Rational(1, 2):
        return lambda np, arrays: np.sqrt(base(np, arrays) * 1.0)
    if expr.exp.is_number and abs(expr.exp) < BY_LOGARITHM:
        return lambda np, arrays: np.power(base(np, arrays) * 1.0, exponent(np, arrays))
    return lambda np, arrays: _large_power(np, base(np, arrays) * 1.0, exponent(np, arrays))


def _large_power(np: Any, base: Any, exponent: Any) -> Any:
    """A power whose exponent may be large. NumPy takes such powers of complex numbers by their logarithm, in which a
    small imaginary part is lost beside the π of a negative real part: whole powers are taken of the opposite number."""
    if not np.iscomplexobj(base):
        return np.power(base, exponent)
    turned = (np.real(base) < 0) & (np.round(np.real(exponent)) == exponent)
    sign = np.where(turned, -1.0, 1.0)
    return np.power(sign * base, exponent) * np.power(sign, np.real(exponent))


def _entry(kernel: Kernel, shapes: Sequence[Shape], index: Indices) -> Terms:
    return [Term(tuple([At(k, aligned(s, index)) for k, s in enumerate(shapes)]), kernel.form)]


register(Op(
    name="elementwise",
    signature="f(a, b, …)",
    shape_rule="NumPy broadcast of the arguments",
    derivative="upstream * df/da, summed over the axes that were broadcast",
    domain="per function: see the scalar functions",
    infer=_infer,
    vjp=_vjp,
    show=lambda node, args: called(node.attr.head or "formula", *args),
    entry=_entry,
    reference=lambda np, kernel, *arrays: _program_of(kernel)(np, arrays),
    samples=(
        Sample(((2, 3), (3,)), Kernel(f.Arg(0) * f.Arg(1))),
        Sample(((2, 1), (1, 3)), Kernel((f.Arg(0) - f.Arg(1)) ** 2 / 2)),
        Sample(((4,),), Kernel(f.call("tanh", f.Arg(0)))),
    ),
))
