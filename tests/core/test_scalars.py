"""Every scalar function of the table: its value against mpmath, its derivatives against SymPy's and mpmath's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Graph
from symbackprop.core.notation import Notation
from symbackprop.core.ops.elementwise import evaluate_expr
from symbackprop.core.reverse import grad
from symbackprop.core.scalars import PLACEHOLDERS, TABLE, Scalar, register, to_sympy
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close, value

SCALARS = [pytest.param(r, id=r.name) for r in TABLE.values()]
mp = mpmath.mp.clone()
mp.dps = 40


def _sign(x: Any) -> Any:
    return mp.sign(x)


def _bernoulli(p: Any, y: Any) -> Any:
    return -(y * mp.log(p) + (1 - y) * mp.log(1 - p))


def _step(a: Any, b: Any, tie: Any) -> Any:
    return tie if a == b else mp.mpf(a > b)


ORACLE: dict[str, Callable[..., Any]] = {
    "exp": mp.exp,
    "log": mp.log,
    "log1p": lambda x: mp.log(1 + x),
    "expm1": lambda x: mp.exp(x) - 1,
    "sqrt": mp.sqrt,
    "root": mp.sqrt,
    "reciprocal": lambda x: 1 / x,
    "abs": abs,
    "logit": lambda x: mp.log(x / (1 - x)),
    "hardtanh": lambda x: min(max(x, mp.mpf(-1)), mp.mpf(1)),
    "sign": _sign,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "log_cosh": lambda x: mp.log(mp.cosh(x)),
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "round": mp.nint,
    "trunc": lambda x: mp.sign(x) * mp.floor(abs(x)),
    "floor_divide": lambda a, b: mp.floor(a / b),
    "remainder": lambda a, b: a - b * mp.floor(a / b),
    "erfc": mp.erfc,
    "erfinv": mp.erfinv,
    "lgamma": mp.loggamma,
    "digamma": mp.digamma,
    "polygamma": lambda n, x: mp.polygamma(int(mp.nint(n)), x),
    "i0": lambda x: mp.besseli(0, x),
    "bessel_ratio": lambda n, x: mp.besseli(int(mp.nint(n)), x) / x ** int(mp.nint(n)),
    "bessel_scaled": lambda n, x: mp.exp(-abs(x)) * mp.besseli(int(mp.nint(n)), x) / x ** int(mp.nint(n)),
    "bessel_slope": lambda n, x: mp.diff(
        lambda v: mp.exp(-abs(v)) * mp.besseli(int(mp.nint(n)), v) / v ** int(mp.nint(n)), x),
    "ndtri": lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1),
    "erfcx": lambda x: mp.exp(x**2) * mp.erfc(x),
    "erfcx_fall": lambda x: 2 / mp.sqrt(mp.pi) - 2 * x * mp.exp(x**2) * mp.erfc(x),
    "hypot": mp.hypot,
    "over_hypot": lambda x, y: x / mp.hypot(x, y),
    "over_squares": lambda x, y: x / (x * x + y * y),
    "atan_quotient": lambda x, y: mp.atan(x / y),
    "log_product": lambda x, y: mp.log(x * y),
    "log_quotient": lambda x, y: mp.log(x / y),
    "log_one_minus_exp": lambda x: mp.log(1 - mp.exp(x)),
    "twice_sigmoid": lambda x: 2 / (1 + mp.exp(-x)),
    "log_twice_sigmoid": lambda x: mp.log(2 / (1 + mp.exp(-x))),
    "log_softplus": lambda x: mp.log(mp.log(1 + mp.exp(x))),
    "softplus_share": lambda x: 1 / (1 + mp.exp(-x)) / mp.log(1 + mp.exp(x)),
    "log1p_excess": lambda x: x - mp.log(1 + x),
    "log_exp_mean": lambda x: mp.log((mp.exp(x) - 1) / x),
    "exp_share": lambda n, x: mp.quad(lambda t: t ** mp.nint(n) * mp.exp(t * x), [0, 1]) * x / (mp.exp(x) - 1),
    "log_mean": lambda n, x: mp.diff(lambda v: mp.log(1 + v) / v, x, int(mp.nint(n))),
    "sine_mean": lambda n, x: mp.besselj(mp.nint(n) + 0.5, abs(x)) * mp.sqrt(mp.pi / 2 / abs(x)) / abs(x) ** mp.nint(n),
    "tanh_mean": lambda n, x: mp.besseli(mp.nint(n) + 0.5, abs(x)) / mp.besseli(mp.nint(n) - 0.5, abs(x)) / abs(x),
    "gauss_mean": lambda n, x: mp.quad(lambda t: t ** (2 * mp.nint(n)) * mp.exp(-(x**2) * t**2), [0, 1]),
    "arc_mean": lambda n, x, c, p: mp.rf(p, mp.nint(n)) * mp.quad(
        lambda t: t ** (2 * mp.nint(n)) * (1 - c * x**2 * t**2) ** (-p - mp.nint(n)), [0, 1]),
    "log_i0": lambda x: mp.log(mp.besseli(0, x)),
    "bessel_share": lambda n, x: mp.besseli(mp.nint(n), x) / x ** mp.nint(n) / mp.besseli(0, x),
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "erf": mp.erf,
    "normal_cdf": mp.ncdf,
    "normal_pdf": mp.npdf,
    "log_normal_cdf": lambda x: mp.log(mp.ncdf(x)),
    "inverse_mills": lambda x: mp.npdf(x) / mp.ncdf(x),
    "inverse_mills_fall": lambda x: mp.npdf(x) / mp.ncdf(x) * (x + mp.npdf(x) / mp.ncdf(x)),
    "logaddexp": lambda a, b: mp.log(mp.exp(a) + mp.exp(b)),
    "logit_loss": lambda z, y: mp.log(1 + mp.exp(z)) - y * z,
    "relu": lambda x, tie: max(x, mp.mpf(0)),
    "leaky": lambda x, a, tie: x if x > 0 else a * x,
    "elu_unit": lambda x, a: x if x > 0 else a * (mp.exp(x) - 1),
    "negexpm1": lambda x: mp.exp(min(x, mp.mpf(0))) - 1,
    "maximum": max,
    "minimum": min,
    "where": lambda c, a, b: a if c else b,
    "truth": lambda c: mp.mpf(c != 0),
    "above": _step,
    "ratio": lambda a, b: a / b,
    "nought": lambda a, w: a,
    "gated": lambda a, b: a * b,
    "limited": lambda a: a,
    "beyond": lambda a: mp.mpf(0),
    "within": lambda a: a,
    "monomial": lambda c, a, b, m: c * a**b * mp.log(a) ** m,
    "bernoulli_loss": _bernoulli,
    "greater": lambda a, b: mp.mpf(a > b),
    "greater_equal": lambda a, b: mp.mpf(a >= b),
    "less": lambda a, b: mp.mpf(a < b),
    "less_equal": lambda a, b: mp.mpf(a <= b),
    "equal": lambda a, b: mp.mpf(a == b),
    "not_equal": lambda a, b: mp.mpf(a != b),
}


def points(record: Scalar) -> list[tuple[float, ...]]:
    rng = np.random.default_rng(3)
    return [tuple(float(rng.uniform(low, high)) for low, high in record.domain) for _ in range(12)]


def oracle_of(record: Scalar) -> Callable[..., Any]:
    if record.name not in ORACLE:
        pytest.skip(f"no counterpart of {record.name} in mpmath is listed; its derivative is tested by differences")
    return ORACLE[record.name]


def slope(function: Callable[..., Any], point: tuple[float, ...], i: int, order: int = 1) -> float:
    places = [order if k == i else 0 for k in range(len(point))]
    return float(mp.diff(function, tuple(map(mp.mpf, point)), tuple(places)))


def row_of(record: Scalar, point: tuple[float, ...]) -> tuple[Graph, list[Any], Any, dict[str, float]]:
    """The function applied to leaves for its real arguments and to numbers for its conventions."""
    g = Graph()
    leaves = [g.leaf(f"x{i}") for i in range(record.arity)]
    row = g.call(record.name, *leaves, *point[record.arity :])
    return g, leaves, row, {f"x{i}": v for i, v in enumerate(point[: record.arity])}


@pytest.mark.parametrize("record", SCALARS)
def test_reference_value(record: Scalar) -> None:
    oracle = oracle_of(record)
    for point in points(record):
        close(record.reference(np, *map(np.asarray, point)), float(oracle(*map(mp.mpf, point))), 1e-14)


@pytest.mark.parametrize("record", SCALARS)
def test_every_float_has_a_value(record: Scalar) -> None:
    """No reference fails, at NaN and at the ends of the floats either: a comparison of NaN in SymPy did."""
    for odd in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0):
        for place in range(record.arity):
            point = list(map(np.asarray, points(record)[0]))
            point[place] = np.asarray(odd)
            with np.errstate(all="ignore"):
                assert isinstance(float(np.real(record.reference(np, *point))), float)


@pytest.mark.parametrize("record", SCALARS)
def test_reference_value_of_longer_numbers(record: Scalar) -> None:
    """`verify` looks into numbers of more digits where a module differs; mpmath takes none of NumPy's."""
    for point in points(record):
        longer = record.reference(np, *[np.asarray(v, np.longdouble) for v in point])
        close(float(longer), float(record.reference(np, *map(np.asarray, point))), 1e-13)


@pytest.mark.parametrize("record", SCALARS)
def test_head_and_partials_agree(record: Scalar) -> None:
    """SymPy's diff of the head is the derivative that the table states."""
    symbols = PLACEHOLDERS[: len(record.domain)]
    form = f.Call(record.name, tuple(f.Arg(i) for i in range(len(symbols))))
    for i, stated in enumerate(record.partials[: record.arity]):
        if stated is None:
            continue
        by_sympy = sp.diff(record.head(*symbols), symbols[i])
        by_table = to_sympy(stated, out=to_sympy(form))
        for point in points(record):
            at = dict(zip(symbols, map(np.asarray, point), strict=True))
            close(evaluate_expr(np, by_table, at), evaluate_expr(np, by_sympy, at), 1e-12)


@pytest.mark.parametrize("record", SCALARS)
def test_first_derivative(record: Scalar) -> None:
    oracle = oracle_of(record)
    for point in points(record):
        _, leaves, row, at = row_of(record, point)
        for i, g in enumerate(evaluate(grad(row, leaves), at)):
            close(g, slope(oracle, point, i), 1e-12)


@pytest.mark.parametrize("record", SCALARS)
def test_second_derivatives(record: Scalar) -> None:
    """∂²f/∂x_i∂x_k for all i, k, by differentiating the gradient's own rows."""
    oracle = oracle_of(record)
    for point in points(record)[:4]:
        _, leaves, row, at = row_of(record, point)
        for i, first in enumerate(grad(row, leaves)):
            for k, second in enumerate(evaluate(grad(first, leaves), at)):
                order = [0] * len(point)
                order[i] += 1
                order[k] += 1
                close(second, float(mp.diff(oracle, tuple(map(mp.mpf, point)), tuple(order))), 1e-10)


@pytest.mark.parametrize("record", SCALARS)
def test_whole_numbers_are_numbers(record: Scalar) -> None:
    """An array of integers has the values of the same floats: mpmath takes no integer of NumPy's."""
    point = [np.arange(1, 4)] * record.arity
    conventions = [np.asarray(p) for p in points(record)[0][record.arity :]]
    with np.errstate(all="ignore"):
        found = record.reference(np, *point, *conventions)
        np.testing.assert_array_equal(found, record.reference(np, *(p * 1.0 for p in point), *conventions))


@pytest.mark.parametrize("record", SCALARS)
def test_value_of_the_row(record: Scalar) -> None:
    for point in points(record)[:3]:
        _, _, row, at = row_of(record, point)
        close(value(row, **at), record.reference(np, *map(np.asarray, point)))


@pytest.mark.parametrize("record", SCALARS)
def test_printing(record: Scalar) -> None:
    _, leaves, row, _ = row_of(record, points(record)[0])
    text = Notation().right(row)
    read = range(record.arity) if record.guards is None else f.arguments(record.guards)
    printed = [leaves[i] for i in read if i < record.arity]
    assert all(leaf.name in text for leaf in printed)


@pytest.mark.parametrize(("change", "message"), [
    ({"partials": ()}, "derivatives"),
    ({"reference": None}, "required"),
    ({"domain": (), "shown": 1}, "required"),
    ({"partials": (f.Pow(f.Arg(0), sp.Rational(1, 2)),)}, "half_done: 1/2 is no formula"),  # type: ignore[arg-type]
    ({"log": 2}, "half_done: 2 is no formula"),
    ({"finite": f.Call("exp", (sp.S.One,))}, "half_done: 1 is no formula"),  # type: ignore[arg-type]
])
def test_registration_refuses_an_incomplete_record(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register(replace(TABLE["tanh"], name="half_done", **change))
    assert "half_done" not in TABLE


def test_registration_refuses_a_second_record_of_a_name() -> None:
    with pytest.raises(ValueError, match="twice"):
        register(TABLE["tanh"])


# -- conventions at kinks and ties


@pytest.mark.parametrize("tie", [0, 1, 0.5])
def test_relu_at_zero_follows_the_convention(tie: float) -> None:
    g = Graph(relu0=tie)
    x = g.leaf("x", (3,))
    row = g.call("relu", x, g.relu0)
    seed = g.leaf("seed", (3,))
    found = evaluate(grad(row, [x], seed), {"x": np.array([-1.0, 0.0, 2.0]), "seed": np.ones(3)})[0]
    close(found, np.array([0.0, tie, 1.0]))


@pytest.mark.parametrize(("name", "at_zero"), [("abs", 0.0), ("sign", 0.0)])
def test_derivative_at_zero(name: str, at_zero: float) -> None:
    g = Graph()
    x = g.leaf("x")
    close(evaluate(grad(g.call(name, x), [x]), {"x": 0.0})[0], at_zero)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_share_the_gradient(name: str) -> None:
    g = Graph()
    a, b = g.leaf("a"), g.leaf("b")
    close(evaluate(grad(g.call(name, a, b), [a, b]), {"a": 1.5, "b": 1.5}), [0.5, 0.5])


@pytest.mark.parametrize("name", ["maximum", "minimum", "relu"])
def test_nan_is_passed_on(name: str) -> None:
    g = Graph()
    x = g.leaf("x")
    assert np.isnan(value(g.call(name, x, 0), x=np.nan))


@pytest.mark.parametrize("x", [-1000.0, -745.0, -30.0, 0.0, 30.0, 745.0, 1000.0])
def test_sigmoid_and_softplus_are_stable(x: float) -> None:
    close(TABLE["sigmoid"].reference(np, np.asarray(x)), float(1 / (1 + mp.exp(-mp.mpf(x)))), 1e-15)
    close(TABLE["softplus"].reference(np, np.asarray(x)), float(mp.log1p(mp.exp(mp.mpf(x)))), 1e-15)
