"""Functions of every entry."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from tests.conformance.frame import NotExpressible
from tests.conformance.torch_calls.table import CALLS, of


@of("clone", "contiguous", "positive", "conj", "conj_physical", "resolve_conj", "resolve_neg", "alias_copy", "real",
    "double")
def same(x: Node, **_: Any) -> Node:
    return x


@of("to")
def to(x: Node, *_: Any, **__: Any) -> Node:
    return x


@of("add", "__radd__")
def add(x: Node, other: Any, alpha: Any = 1) -> Node:
    return x + (other if alpha == 1 else alpha * other)


@of("sub", "subtract")
def sub(x: Node, other: Any, alpha: Any = 1) -> Node:
    return x - (other if alpha == 1 else alpha * other)


@of("rsub", "__rsub__")
def rsub(x: Node, other: Any, alpha: Any = 1) -> Node:
    return other - (x if alpha == 1 else alpha * x)


@of("mul", "__rmul__")
def mul(x: Node, other: Any) -> Node:
    return x * other


@of("div", "true_divide")
def div(x: Node, other: Any, rounding_mode: str | None = None) -> Node:
    quotient = x / other
    return {"trunc": F.trunc, "floor": lambda q: F.floor_divide(x, other), None: lambda q: q}[rounding_mode](quotient)


@of("__rdiv__")
def rdiv(x: Node, other: Any) -> Node:
    return other / x


@of("pow", "float_power")
def power(x: Any, exponent: Any) -> Node:
    return x**exponent


@of("__rpow__")
def rpow(x: Node, base: Any) -> Node:
    return base**x


@of("__rmod__")
def rmod(x: Node, other: Any) -> Node:
    return F.remainder(other, x)


@of("fmod")
def fmod(x: Node, other: Any) -> Node:
    return x - F.stop_gradient(F.trunc(x / other)) * other


@of("addcmul")
def addcmul(x: Node, a: Node, b: Node, value: Any = 1) -> Node:
    return x + value * a * b


@of("addcdiv")
def addcdiv(x: Node, a: Node, b: Node, value: Any = 1) -> Node:
    return x + value * a / b


@of("lerp")
def lerp(x: Node, end: Node, weight: Any) -> Node:
    return x + weight * (end - x)


@of("clamp")
def clamp(x: Node, min: Any = None, max: Any = None) -> Node:
    return F.clip(x, min, max)


@of("clamp_min")
def clamp_min(x: Node, min: Any) -> Node:
    return F.maximum(x, min)


@of("clamp_max")
def clamp_max(x: Node, max: Any) -> Node:
    return F.minimum(x, max)


@of("copysign")
def copysign(x: Node, other: Any) -> Node:
    return F.where(x.graph.lift(other) < 0, -F.abs(x), F.abs(x))


@of("deg2rad")
def deg2rad(x: Node) -> Node:
    return x * (sp.pi / 180)


@of("rad2deg")
def rad2deg(x: Node) -> Node:
    return x * (180 / sp.pi)


@of("fmax")
def fmax(x: Node, other: Node) -> Node:
    return F.maximum(x, other)


@of("fmin")
def fmin(x: Node, other: Node) -> Node:
    return F.minimum(x, other)


@of("logaddexp2")
def logaddexp2(x: Node, other: Node) -> Node:
    return F.logaddexp(x * sp.log(2), other * sp.log(2)) / sp.log(2)


@of("ldexp")
def ldexp(x: Node, other: Node) -> Node:
    return x * 2**other


@of("frexp")
def frexp(x: Node) -> Node:
    exponent = F.where(F.equal(x, 0), 0, F.floor(F.log2(F.abs(F.where(F.equal(x, 0), 1, x)))) + 1)
    return x / F.stop_gradient(2**exponent)


@of("nextafter")
def nextafter(x: Node, other: Node) -> Node:
    raise NotExpressible("the floating-point number that is next to another")


@of("sgn")
def sgn(x: Node) -> Node:
    return F.sign(x)


@of("angle")
def angle(x: Node) -> Node:
    return F.where(x < 0, sp.pi, 0)


@of("sinc")
def sinc(x: Node) -> Node:
    turn = sp.pi * F.where(F.equal(x, 0), 1, x)
    return F.where(F.equal(x, 0), 1, F.sin(turn) / turn)


@of("round")
def rounded(x: Node, decimals: int = 0) -> Node:
    scale = sp.Integer(10) ** decimals
    return F.round(x * scale) / scale if decimals else F.round(x)


@of("nan_to_num")
def nan_to_num(x: Node, nan: Any = 0, posinf: Any = None, neginf: Any = None) -> Node:
    largest = 1.7976931348623157e308
    x = F.where(F.equal(x, sp.oo), largest if posinf is None else posinf, x)
    x = F.where(F.equal(x, -sp.oo), -largest if neginf is None else neginf, x)
    return F.where(F.equal(x, x), x, nan)


@of("reciprocal")
def reciprocal(x: Node) -> Node:
    return 1 / x


@of("logit")
def logit(x: Node, eps: Any = None) -> Node:
    return F.logit(x if eps is None else F.clip(x, eps, 1 - eps))


@of("mvlgamma")
def mvlgamma(x: Node, p: int) -> Node:
    total = sum(F.lgamma(x - sp.Rational(k, 2)) for k in range(p))
    return total + sp.log(sp.pi) * sp.Rational(p * (p - 1), 4)


@of("polygamma", "special.polygamma")
def polygamma(x: Node, n: int) -> Node:
    return F.polygamma(n, x) if n else F.digamma(x)


@of("special.ndtr")
def ndtr(x: Node) -> Node:
    return F.normal_cdf(x)


@of("special.log_ndtr")
def log_ndtr(x: Node) -> Node:
    return x.graph.call("log_normal_cdf", x)


@of("hypot")
def hypot(x: Node, y: Node) -> Node:
    return x.graph.call("root", x**2 + y**2)


@of("fill")
def fill(x: Node, value: Any) -> Node:
    return x.graph.broadcast(x.graph.lift(int(value) if isinstance(value, bool) else value), x.shape)


@of("zero_")
def zero(x: Node) -> Node:
    return x.graph.full(0, x.shape)


# -- activations
@of("nn.functional.celu")
def celu(x: Node, alpha: Any = 1) -> Node:
    return F.elu(x / alpha) * alpha


@of("nn.functional.elu")
def elu(x: Node, alpha: Any = 1) -> Node:
    return F.elu(x, alpha)


@of("nn.functional.selu")
def selu(x: Node, **_: Any) -> Node:
    return 1.0507009873554804934193349852946 * F.elu(x, 1.6732632423543772848170429916717)


@of("nn.functional.gelu")
def gelu(x: Node, approximate: str = "none") -> Node:
    return F.gelu(x) if approximate == "none" else F.gelu_tanh(x)


@of("nn.functional.glu")
def glu(x: Node, dim: int = -1) -> Node:
    a, b = F.split(x, 2, dim)
    return a * F.sigmoid(b)


@of("nn.functional.hardswish")
def hardswish(x: Node, **_: Any) -> Node:
    return x * F.clip(x + 3, 0, 6) / 6


@of("nn.functional.hardsigmoid")
def hardsigmoid(x: Node, **_: Any) -> Node:
    return F.clip(x + 3, 0, 6) / 6


@of("nn.functional.logsigmoid")
def logsigmoid(x: Node) -> Node:
    return -F.softplus(-x)


@of("nn.functional.softsign")
def softsign(x: Node) -> Node:
    return x / (1 + F.abs(x))


@of("nn.functional.tanhshrink")
def tanhshrink(x: Node) -> Node:
    return x - F.tanh(x)


@of("nn.functional.threshold")
def threshold(x: Node, threshold: Any, value: Any, inplace: bool = False) -> Node:
    return F.where(x > threshold, x, value)


@of("nn.functional.softshrink")
def softshrink(x: Node, lambd: Any = 0.5) -> Node:
    return F.where(x > lambd, x - lambd, F.where(x < -lambd, x + lambd, 0))


@of("nn.functional.hardshrink")
def hardshrink(x: Node, lambd: Any = 0.5) -> Node:
    return F.where((x >= -lambd) * (x <= lambd), 0, x)


@of("nn.functional.hardtanh")
def hardtanh(x: Node, min_val: Any = -1, max_val: Any = 1, inplace: bool = False) -> Node:
    return F.where(x <= min_val, min_val, F.where(x >= max_val, max_val, x))


@of("nn.functional.relu6")
def relu6(x: Node, **_: Any) -> Node:
    return F.where(x <= 0, 0, F.where(x >= 6, 6, x))


@of("nn.functional.softplus")
def softplus(x: Node, beta: Any = 1, threshold: Any = 20) -> Node:
    return F.where(beta * x > threshold, x, F.softplus(beta * x) / beta)


@of("nn.functional.prelu")
def prelu(x: Node, weight: Node) -> Node:
    if weight.ndim and int(weight.shape[0]) > 1:
        weight = F.reshape(weight, (-1, *[1] * (x.ndim - 2)))
    elif weight.ndim > x.ndim:
        weight = F.reshape(weight, ())
    return F.prelu(x, weight)


@of("nn.functional.leaky_relu")
def leaky_relu(x: Node, negative_slope: Any = 0.01, inplace: bool = False) -> Node:
    return F.leaky_relu(x, negative_slope)


for _name in ("relu", "silu", "mish"):
    CALLS[f"nn.functional.{_name}"] = lambda s, x, _f=F.FUNCTIONS[_name], **_: _f(x)
