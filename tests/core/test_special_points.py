"""Every elementwise function, and every function of a function, at 0, far out and at infinity: value, first and second
derivative against closed forms in mpmath, from the rows and from emitted modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import Parameter, signature
from math import inf
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core.functions import FUNCTIONS, pointwise
from symbackprop.core.reverse import grad
from symbackprop.core.scalars import TABLE
from symbackprop.model import Model
from symbackprop.verify.interpreter import evaluate
from tests.codegen.helpers import emit
from tests.sweeps import few_in_ci

mp = mpmath.mp  # `lambdify` computes in this context
x = sp.Symbol("x", real=True)
PHI = (1 + sp.erf(x / sp.sqrt(2))) / 2
SIGMA = 1 / (1 + sp.exp(-x))


def _gate(u: sp.Expr) -> sp.Expr:
    """(1 + tanh u)/2 without cancellation."""
    return 1 / (1 + sp.exp(-2 * u))


# a closed form, or one between any two kinks
CLOSED: dict[str, sp.Expr | tuple[sp.Expr, ...]] = {
    "exp": sp.exp(x), "log": sp.log(x), "log1p": sp.log(1 + x), "expm1": sp.exp(x) - 1, "sqrt": sp.sqrt(x),
    "abs": (-x, x), "sign": (sp.Integer(-1), sp.Integer(1)), "sin": sp.sin(x), "cos": sp.cos(x),
    "tanh": 2 * _gate(x) - 1, "sigmoid": SIGMA, "softplus": (sp.log(1 + sp.exp(x)), x + sp.log(1 + sp.exp(-x))),
    "erf": sp.erf(x), "normal_cdf": (sp.erfc(-x / sp.sqrt(2)) / 2, PHI),
    "normal_pdf": sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi), "relu": (sp.Integer(0), x),
    "leaky_relu": (x / 100, x), "elu": (sp.exp(x) - 1, x), "gelu": (x * sp.erfc(-x / sp.sqrt(2)) / 2, x * PHI),
    "gelu_tanh": x * _gate(sp.sqrt(2 / sp.pi) * (x + sp.Rational("0.044715") * x**3)),
    "gelu_sigmoid": x / (1 + sp.exp(-sp.Rational("1.702") * x)), "silu": x * SIGMA, "swish": x * SIGMA,
    "mish": x * (1 - 2 / (1 + (1 + sp.exp(x)) ** 2)), "logit": sp.log(x) - sp.log(1 - x),
    "hardtanh": (sp.Integer(-1), x, sp.Integer(1)),
    "tan": sp.tan(x), "asin": sp.asin(x), "acos": sp.acos(x), "atan": sp.atan(x), "sinh": sp.sinh(x),
    "cosh": sp.cosh(x), "log_cosh": tuple(sp.log(1 + sp.exp(2 * v)) - v - sp.log(2) for v in (x, -x)),
    "asinh": sp.asinh(x), "acosh": sp.acosh(x), "atanh": sp.atanh(x), "erfc": 1 - sp.erf(x), "erfinv": sp.erfinv(x),
    "lgamma": sp.loggamma(x), "digamma": sp.digamma(x), "i0": sp.besseli(0, x), "expit": SIGMA, "square": x**2,
    "negative": -x, "rsqrt": 1 / sp.sqrt(x), "exp2": 2**x, "log2": sp.log(x) / sp.log(2),
    "log10": sp.log(x) / sp.log(10), "clip": x,  # without bounds
    "entr": -x * sp.log(x), "ndtri": sp.sqrt(2) * sp.erfinv(2 * x - 1), "erfcx": sp.exp(x**2) * sp.erfc(x),
    "i1": sp.besseli(1, x), "i0e": tuple(sp.exp(v) * sp.besseli(0, x) for v in (x, -x)),
    "i1e": tuple(sp.exp(v) * sp.besseli(1, x) for v in (x, -x)),
}
STEPS = {"floor", "ceil", "trunc", "round", "frac"}  # their slopes are 0 and 1, see test_added
# where functions are defined, ends that are left out included: what is infinite at both, or changes there by a hair
DOMAIN = {"log": (0, inf), "sqrt": (0, inf), "log1p": (-0.9, inf), "logit": (0, 1), "asin": (-1, 1), "acos": (-1, 1),
          "atanh": (-1, 1), "erfinv": (-1, 1), "acosh": (1, inf), "lgamma": (0, inf), "digamma": (0, inf),
          "rsqrt": (0, inf), "log2": (0, inf), "log10": (0, inf), "entr": (0, inf), "ndtri": (0, 1)}
AT_ENDS = {"log", "sqrt", "rsqrt", "log2", "log10", "entr", "ndtri"}  # defined there, too
PERIODIC = ("sin", "cos", "tan")
NOT_AT_INFINITY = (*PERIODIC, "atan", "asinh", "acosh", "entr")  # no value, or ∞/∞ in a slope
AT_KINKS = {  # value and slopes where the sides differ: the stated conventions
    "abs": {0: (0, 0, 0)}, "sign": {0: (0, 0, 0)}, "relu": {0: (0, 0, 0)}, "leaky_relu": {0: (0, 0.01, 0)},
    "elu": {0: (0, 1, 1)}, "entr": {0: (0, 0, -inf)}, "i0e": {0: (1, 0, 0.5)},
    "i1e": {0: (0, 0.5, 0)}, "hardtanh": {-1: (-1, 0, 0), 1: (1, 0, 0)},
}
FAR = {"i0": 100, "i1": 100, "i0e": 1e4, "i1e": 1e4, "erfcx": 1e3}  # mpmath's have their limits
HUGE, TINY = mp.mpf("1e400"), mp.mpf("1e-400")
POINTS = [0.0, -0.0, 0.25, 1.0, -1.0, 40.0, -40.0, 1000.0, -1000.0, 1e160, -1e160, np.inf, -np.inf]


def elementwise() -> list[str]:
    """The functions of one array, from the registry."""
    found = [r.name for r in TABLE.values() if r.public and r.arity == 1]
    made = [n for n in FUNCTIONS if getattr(pointwise, n, None) is FUNCTIONS[n] and n not in found]
    return [n for n in [*found, *made] if _required(n) == 1 and n not in STEPS]


def _required(name: str) -> int:
    parameters = signature(FUNCTIONS[name]).parameters.values()
    return sum(p.default is Parameter.empty for p in parameters)


NAMES = elementwise()


def test_every_elementwise_function_has_a_closed_form() -> None:
    assert set(NAMES) == set(CLOSED)


@cache
def closed(name: str, order: int, passed: int) -> Callable[[Any], Any]:
    """The derivative of that order behind so many kinks."""
    form = CLOSED[name]
    side = form[passed] if isinstance(form, tuple) else form
    return sp.lambdify(x, sp.diff(side, x, order), modules="mpmath")  # type: ignore[no-any-return]


def exact(name: str, order: int, at: Any) -> Any:
    """The closed form at a number; its limit at infinity, and at 0 from above where it is singular there."""
    with mp.workdps(60):
        value = mp.mpf(at)
        value = mp.sign(value) * HUGE if mp.isinf(value) else value
        form = closed(name, order, sum(bool(value >= kink) for kink in kinks(name)))
        try:
            found = mp.mpf(form(value))
        except ZeroDivisionError:
            found = mp.mpf(form(TINY))
        limit = mp.isinf(at) or at == 0  # what is large there is infinite
        return mp.sign(found) * mp.inf if limit and abs(found) > 100 else found


def kinks(name: str) -> dict[int, tuple[float, ...]]:
    """Where a function has different closed forms on both sides; several have them at 0, and are smooth there."""
    return AT_KINKS.get(name, {0: ()} if isinstance(CLOSED[name], tuple) else {})


def expected(name: str, at: float) -> list[float]:
    if at in AT_KINKS.get(name, {}):
        return [float(v) for v in AT_KINKS[name][int(at)]]
    return [float(exact(name, order, at)) for order in range(3)]


def in_domain(name: str, at: float) -> bool:
    if (np.isinf(at) and name in NOT_AT_INFINITY) or abs(at) > FAR.get(name, inf):
        return False
    low, high = DOMAIN.get(name, (-inf, inf))
    at_end = low <= at <= high and (np.isinf(at) or (name in AT_ENDS and not np.signbit(at)))
    return low < at < high or at_end


def rows(outer: str, inner: str | None = None) -> tuple[Model, list[Any]]:
    """The function, its slope and its curvature as rows of a model whose parameter is x: N."""
    m = Model("m")
    n = m.dims("N")
    a = m.param("x", (n,))
    row = FUNCTIONS[outer](a if inner is None else FUNCTIONS[inner](a))
    slope = grad(F.sum(row), [a])[0]
    return m, [row, slope, grad(F.sum(slope), [a])[0]]


def assert_close(found: Any, right: Any, tolerance: float, said: str) -> None:
    np.testing.assert_allclose(found, right, rtol=tolerance, atol=tolerance * 1e-3, err_msg=said)


@pytest.mark.parametrize("name", NAMES)
def test_reference_at_special_points(name: str) -> None:
    _, wanted = rows(name)
    points = np.array([p for p in POINTS if in_domain(name, p)])
    with np.errstate(all="ignore"):
        found = [np.broadcast_to(v, points.shape) for v in evaluate(wanted, {"x": points})]
    for k, point in enumerate(points):
        assert_close([v[k] for v in found], expected(name, point), 1e-11, f"{name} at {point}")


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", few_in_ci(NAMES, 3))
def test_emitted_at_special_points(name: str, level: int, tmp_path: Path) -> None:
    m, wanted = rows(name)
    for k, row in enumerate(wanted):
        m.output(f"Y{k}", row)
    rows_module = emit(m, tmp_path, level=level)
    module = emit(f"dim N\nparam x: N\nloss L = sum({name}(x))", tmp_path, level=level)
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 2e-5)):
        with np.errstate(all="ignore"):
            points = np.unique(np.array([p for p in POINTS if in_domain(name, p)], dtype))
            points = points[np.isfinite(points)] if name in NOT_AT_INFINITY else points
            found, _ = rows_module.forward({"x": points}, {})
            slopes = module.loss_and_grads({"x": points}, {})[1]["x"]
            right = np.array([expected(name, float(p)) for p in points]).astype(dtype)
        assert slopes.dtype == dtype and {v.dtype for v in found.values()} <= {np.dtype(d) for d in (dtype, bool, int)}
        assert_close(np.stack([found[f"Y{i}"] for i in range(3)], 1), right, tolerance, f"{name} at {points}")
        assert_close(slopes, right[:, 1], tolerance, f"backward of {name} at {points}")


@pytest.mark.parametrize("target", [
    "numpy", pytest.param("jax", marks=pytest.mark.oracle), pytest.param("torch", marks=pytest.mark.oracle),
])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nan_is_passed_on(target: str, dtype: str, tmp_path: Path) -> None:
    if target != "numpy":
        pytest.importorskip(target)
    outputs = "".join(f"output {name}_ = {name}(x)\n" for name in [*NAMES, *sorted(STEPS)])
    module = emit(f"dim N\nparam x: N\n{outputs}", tmp_path, target=target, dtype=dtype)
    with np.errstate(all="ignore"):
        found = module.forward({"x": np.array([0.5, np.nan], dtype)}, {})[0]
    assert {name for name, values in found.items() if not np.isnan(np.asarray(values)[1])} == set()


@pytest.mark.parametrize("name, at, right", [
    ("i0e", inf, (0, 0, 0)), ("i1e", -inf, (0, 0, 0)), ("erfcx", inf, (0, 0, 0)), ("erfcx", -inf, (inf, -inf, inf)),
])
def test_where_mpmath_does_not_reach(name: str, at: float, right: tuple[float, ...]) -> None:
    _, wanted = rows(name)
    with np.errstate(all="ignore"):
        assert [v.item() for v in evaluate(wanted, {"x": np.array([at])})] == [*right]


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-5), (np.float32, 1e-3)])
@pytest.mark.parametrize("name", ["i0e", "i1e"])
def test_bessel_functions_far_out_keep_the_digits_of_their_slopes(name: str, dtype: type, tolerance: float,
                                                                  tmp_path: Path) -> None:
    """They fall as 1/√(2πx); the slope was a difference of two such numbers, 0 or of either sign."""
    module = emit(f"param x: 3\nloss L = sum({name}(x))", tmp_path)
    points = np.array([1e6, -1e7, 1e8], dtype)
    _, grads = module.loss_and_grads({"x": points}, {})
    sign = np.sign(points) if name == "i0e" else 1
    assert_close(grads["x"] * np.abs(points) ** 1.5, -sign / np.sqrt(8 * np.pi), tolerance, name)


# -- functions of functions


def is_plain(*numbers: Any) -> bool:
    """Whether floats hold these numbers."""
    return all(v == 0 or 1e-300 < abs(v) < 1e300 for v in numbers)


def chain(outer: str, inner: str, at: float) -> list[float] | None:
    """f(g(x)) and its first two derivatives by the chain rule; None where a number on the way is none of the floats, g
    leaves f's domain or comes to a kink."""
    u, u1, u2 = (exact(inner, k, at) for k in range(3))
    if at in AT_KINKS.get(inner, {}) or not is_plain(u) or not in_domain(outer, float(u)) or mp.isnan(u):
        return None
    if outer in PERIODIC and abs(u) > 1e6:  # which part of a period that is, no float says
        return None
    edges = [*AT_KINKS.get(outer, {}), *DOMAIN.get(outer, ())]
    if any(abs(u - edge) < 1e-12 for edge in edges):
        return None
    f, f1, f2 = (exact(outer, k, float(u)) for k in range(3))
    if max(abs(v) for v in (u1, u2, f1, f2)) > 1e100:
        return None
    return [float(f), float(f1 * u1), float(f2 * u1**2 + f1 * u2)]


@pytest.mark.parametrize("outer", few_in_ci(NAMES, 3, 1))
def test_compositions(outer: str) -> None:
    for inner in NAMES[NAMES.index(outer) % 3 :: 3]:
        cases = {p: chain(outer, inner, p) for p in POINTS if in_domain(inner, p)}
        points = np.array([p for p, right in cases.items() if right is not None])
        if points.size:
            _, wanted = rows(outer, inner)
            with np.errstate(all="ignore"):
                found = [np.broadcast_to(v, points.shape) for v in evaluate(wanted, {"x": points})]
            for k, point in enumerate(points):
                assert_close([v[k] for v in found], cases[point], 1e-8, f"{outer} of {inner} at {point}")
