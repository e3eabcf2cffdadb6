"""Functions of every entry: the scalar table, and activations composed of it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import sympy as sp

from symbackprop.core.formula import Arg, call
from symbackprop.core.functions.calls import FUNCTIONS, function, graph_of, hint, plain
from symbackprop.core.graph import Node, Operand
from symbackprop.core.registry import known
from symbackprop.core.scalars import TABLE


def _unary(name: str) -> Callable[..., Node]:
    def apply(x: Operand) -> Node:
        return graph_of(x).call(name, x)

    return _named(apply, name, f"{name} of every entry.")


def _binary(name: str) -> Callable[..., Node]:
    def apply(a: Operand, b: Operand) -> Node:
        return graph_of(a, b).call(name, a, b)

    return _named(apply, name, f"Elementwise {name}.")


def _named(apply: Callable[..., Node], name: str, about: str) -> Callable[..., Node]:
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = about
    return apply


MAKE = {1: _unary, 2: _binary}
FUNCTIONS |= {s.name: MAKE[s.arity](s.name) for s in TABLE.values() if s.public and s.arity in MAKE}
exp, log, sqrt, abs, sin, cos = (FUNCTIONS[name] for name in ("exp", "log", "sqrt", "abs", "sin", "cos"))
sign, trunc, tanh, sigmoid, softplus, normal_cdf = (
    FUNCTIONS[name] for name in ("sign", "trunc", "tanh", "sigmoid", "softplus", "normal_cdf")
)
maximum, minimum, equal, not_equal = (FUNCTIONS[name] for name in ("maximum", "minimum", "equal", "not_equal"))
greater_equal, less_equal, less = (FUNCTIONS[name] for name in ("greater_equal", "less_equal", "less"))
log1p, erfinv, i0 = (FUNCTIONS[name] for name in ("log1p", "erfinv", "i0"))


@plain
def expit(x: Node) -> Node:
    """sigmoid, by SciPy's name."""
    return sigmoid(x)


@plain
def add(a: Node, b: Operand) -> Node:
    """a + b."""
    return a + b


@plain
def subtract(a: Node, b: Operand) -> Node:
    """a − b."""
    return a - b


@plain
def multiply(a: Node, b: Operand) -> Node:
    """a · b, entry by entry."""
    return a * b


@plain
def divide(a: Node, b: Operand) -> Node:
    """a/b."""
    return a / b


@plain
def negative(a: Node) -> Node:
    """−a."""
    return -a


@plain
def pow(a: Node, exponent: Operand) -> Node:
    """a to a power."""
    return a**exponent


@plain
def square(x: Node) -> Node:
    """x²."""
    return x**2


@plain
def rsqrt(x: Node) -> Node:
    """1/√x."""
    inverse: Node = 1 / sqrt(x)
    return inverse


@plain
def exp2(x: Node) -> Node:
    """2^x."""
    power: Node = 2**x
    return power


@function
def log2(x: Node) -> Node:
    """The logarithm to the base 2: log(x)/log(2)."""
    found: Node = log(x) / sp.log(2)
    return found


@function
def log10(x: Node) -> Node:
    """The logarithm to the base 10: log(x)/log(10)."""
    found: Node = log(x) / sp.log(10)
    return found


@function
def frac(x: Node) -> Node:
    """What is behind the point: x − trunc(x), with the sign of x."""
    return x - trunc(x)


@function
def clip(x: Node, low: Operand | None = None, high: Operand | None = None) -> Node:
    """x no further than the bounds, which may be infinite or None; at a bound x gets half of the gradient."""
    x = x if _is_none(low, -inf) else maximum(x, low)
    return x if _is_none(high, inf) else minimum(x, high)


def _is_none(bound: Operand | None, end: float) -> bool:
    return bound is None or (not isinstance(bound, Node) and bound == end)


@function
def xlogy(x: Node, y: Operand) -> Node:
    """x·log(y), which is 0 where x is 0."""
    return x * x.graph.call("log", y)


@function
def xlog1py(x: Node, y: Operand) -> Node:
    """x·log(1 + y), which is 0 where x is 0."""
    return x * x.graph.call("log1p", y)


@function
def entr(x: Node) -> Node:
    """−x·log(x), the term of an entropy; 0 at 0, −∞ below it."""
    return where(less(x, 0), -sp.oo, -xlogy(x, x))


@function
def i1(x: Node) -> Node:
    """The modified Bessel function of order 1."""
    return x * x.graph.call("bessel_ratio", 1, x)


@function
def i0e(x: Node) -> Node:
    """e^−|x|·i0(x), neither part of which has to be a float."""
    scaled: Node = x.graph.call("bessel_scaled", 0, x)
    return scaled


@function
def i1e(x: Node) -> Node:
    """e^−|x|·i1(x), neither part of which has to be a float."""
    return _gated(x, x.graph.call("bessel_scaled", 1, x))


@plain
def relu(x: Node) -> Node:
    """max(0, x); its derivative at 0 is the model's relu0 convention."""
    return x.graph.call("relu", x, x.graph.relu0)


@plain
def leaky_relu(x: Node, slope: Operand = 0.01) -> Node:
    """x where x > 0, else slope·x."""
    return x.graph.call("leaky", x, slope, x.graph.relu0)


@plain
def prelu(x: Node, slope: Node) -> Node:
    """Leaky ReLU whose slope is a parameter."""
    return leaky_relu(x, slope)


@plain
def elu(x: Node, alpha: Operand = 1) -> Node:
    """x where x > 0, else alpha·(e^x − 1)."""
    return x.graph.call("elu_unit", x, alpha)


def _gated(x: Node, gate: Node) -> Node:
    """x times a gate that falls to 0 faster than x grows: the product is 0 at an infinite x."""
    return x.graph.apply(call("gated", Arg(0), Arg(1)), x, gate)


def _inside(x: Node) -> Node:
    """x inside a gate: kept within bounds outside of which the gate is constant."""
    return x.graph.apply(call("limited", Arg(0)), x)


@known("GELU", gives="h a", reads="z")
@function
def gelu(x: Node) -> Node:
    """x·Φ(x), exact."""
    return _gated(x, hint(normal_cdf(x), "p"))


@known("GELU", gives="h a", reads="z")
@function
def gelu_tanh(x: Node) -> Node:
    """½x(1 + tanh(√(2/π)(x + 0.044715x³)))."""
    inner = hint(sp.sqrt(2 / sp.pi) * (x + sp.Rational("0.044715") * _inside(x) ** 3), "u")
    half: Node = sp.Rational(1, 2) * x
    return _gated(half, 1 + hint(tanh(inner), "t"))


@known("GELU", gives="h a", reads="z")
@function
def gelu_sigmoid(x: Node) -> Node:
    """x·σ(1.702x)."""
    return _gated(x, hint(sigmoid(sp.Rational("1.702") * x), "s"))


@known("SiLU", gives="h a", reads="z")
@function
def silu(x: Node) -> Node:
    """x·σ(x)."""
    return _gated(x, hint(sigmoid(x), "s"))


@known("Swish", gives="h a", reads="z")
@function
def swish(x: Node, beta: Operand = 1) -> Node:
    """x·σ(βx)."""
    return _gated(x, hint(sigmoid(beta * _inside(x)), "s"))


@known("Mish", gives="h a", reads="z")
@function
def mish(x: Node) -> Node:
    """x·tanh(softplus(x))."""
    return _gated(x, hint(tanh(softplus(x)), "t"))


@plain
def where(condition: Operand, a: Operand, b: Operand) -> Node:
    """a where the condition holds, else b; the branch not taken has no influence on the gradient."""
    graph = graph_of(condition, a, b)
    return graph.call("where", condition, a, b)
