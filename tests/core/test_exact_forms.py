"""Forms that neither cancel nor overflow have the values of what was written, and its derivatives, wherever it has any:
at signs and integers, too, for which a logarithm would be NaN. How exact they are everywhere is a suite of
conformance; here they are at a few places far out."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.core.reverse import grad
from symbackprop.derive.stable import derive_stable
from symbackprop.model.model import Model
from symbackprop.verify.interpreter import evaluate
from tests.codegen.helpers import emit

WRITTEN = (
    "exp(x) - 1", "3 - 3*exp(x*y)", "y + 2*exp(x) - 2 - x", "1 - cos(x)", "cos(x) - 1 + y", "cosh(x) - 1",
    "1 - sin(x)^2", "1 + tanh(x)", "y*(1 - tanh(x)^2)", "1 - sigmoid(x)", "sigmoid(x)*(1 - sigmoid(x))*y",
    "1 - erf(x)", "x - log(1 + x)", "exp(x)*exp(y)", "y*exp(x)/exp(y)^2", "cosh(x)*exp(-x)", "sinh(y)/cosh(x)^2",
    "exp(x^2)*erfc(x)", "x/exp(y)", "(exp(x) - 1)/x", "x^3/(exp(x) - 1)^2", "log(1 + x)/x", "sin(2*x)/x",
    "(1 - cos(x))/x^2", "tanh(x)/(3*x)", "sqrt(x + 2) - sqrt(y + 2)", "sqrt(1 + x) - 1", "2 - sqrt(4 + x*y)",
    "(1 + x)^2 - 1", "(x + y)^3 - x^3", "9 - (x - 3)^2", "(1 + x)^y", "sqrt(x^2 + y^2)", "sqrt(4*x^2 + 9)",
    "x*y/sqrt(x^2 + y^2)", "x/sqrt(x^2 + 1)^3", "atan2(x, y)", "atan(x/y)", "log(x*y)", "log(x/y)", "log(-2*x*y)",
    "log(3*x^2)", "log(x^3)", "log(x^2*y)", "log(1/(x*y))", "log(1 + x*y)", "log(x + sqrt(x^2 + 1))",
    "log(sqrt(4 + x^2) - x)", "log(exp(x) + exp(-x))", "log(1 - exp(x))", "log(-expm1(x))", "log(exp(x) - 1)",
    "log(expm1(x)*expm1(y))", "log(i0(x))", "asinh(x)", "acosh(1 + x^2)",
    "acosh(1 - x*y)", "acosh(exp(x))", "acosh(1 + expm1(x*y))", "acosh(cosh(x))", "acosh(3 - x)",
    "sqrt(3*x^2)", "sqrt(1 - exp(-x^2*y^2)^2)", "y*(2 - 2*sigmoid(x)^2)", "1 - erf(x)^2",
    "1 - normal_cdf(x)^2", "cosh(x)^2 - 1", "acos(tanh(x))", "asin(sigmoid(x))", "acos(exp(-x^2))", "asin(x - 1)",
    "acos(1 - x*y)", "asin(x/3)", "asinh(sinh(x))", "atanh(tanh(x*y/9))", "erfinv(erf(x/3))", "ndtri(normal_cdf(x))",
    "1 - (1 - x*y)", "2 - 2*x/(1 + x)", "1 - 1/(1 + x^2)", "1 - (1 - exp(-x))", "1 + expm1(x)", "log(2 + 2*expm1(x))",
    "log(1 - expm1(x))", "log(1 + sinh(x))", "log(3 - expm1(x))", "log(x*y + sinh(x)*y)", "log(sinh(x))",
    "log(normal_pdf(x))", "sqrt(1 + x^2) - 1", "3 - sqrt(9 + x^2*y^2)", "log((1 + x*y)/(1 - x*y))", "log(1/(1 + x)^3)",
    "log(1 - x/(1 + x))", "log(3 + 2*expm1(x*y))",
    "log(exp(x) - exp(y))", "log(3*exp(x) - 2*exp(y))", "log(exp(x) - 2)", "log(sigmoid(x) - sigmoid(y))",
    "log(2*normal_cdf(x) - 2*normal_cdf(y))", "log(erf(x) - erf(y))", "log(erfc(y) - erfc(x))",
    "log(tanh(x) - tanh(y))", "log(softplus(x) - softplus(y))", "log(y*y*exp(x) - exp(y))", "sqrt(expm1(x))",
    "log(sigmoid(x)/sigmoid(y))", "log(-(tanh(y) - tanh(x)))", "log1p(-sigmoid(x)^2)", "log1p(-erf(x)^2)",
    "log(-log(sigmoid(x)))", "log(-erf(x)*sinh(y))", "1 - expm1(x)/(1 + expm1(x))", "2*expm1(x)/(1 + expm1(x)) - 2",
    "sinh(x)/cosh(x)", "expm1(x)/cosh(y)", "exp(y)*sinh(x)", "cosh(x)/sinh(y)^2", "y*sinh(x)^2/exp(2*y)",
    "exp(x*y)*sigmoid(-x*y)", "exp(5*x/2)*sigmoid(-x)^2", "expm1(x)*exp(-3*x)", "exp(x)/expm1(x)^2",
    "exp(-x)/sigmoid(x)^2", "cosh(x)*sigmoid(-2*x)/y", "y*sinh(x)*normal_cdf(-x)^2", "1/(y*expm1(x)*erfc(x))",
    "x/((2 + exp(x))^2*y)", "exp(x)^2/(1 + exp(x)^2)", "y*exp(x)/(exp(2*x) + 3*exp(y) + 1/2)",
    "(2*exp(x) - 3)/(2*exp(x) + 3)", "x/(y*sinh(x))", "exp(y)/(exp(x) + exp(y))^3/(1 + exp(x))",
    "1/(1 + x^2*exp(x))", "x*exp(x)/(2 + x*exp(x))", "sinh(x)/(1 + cosh(x))", "(1 + exp(-2*x))/cosh(x)",
    "exp(-x)*softplus(x)", "exp(y)*softplus(-y)^2*x", "expm1(x)*exp(-x^2)", "(1 + cosh(x))*exp(-x^2)/y",
    "normal_pdf(x)/normal_cdf(x)", "y*normal_pdf(x)/(1 - normal_cdf(x))", "y*exp(-x^2)/erfc(x)",
    "(exp(x) - exp(-x))/(2 + exp(x) + exp(-x))", "sigmoid(x)/softplus(x)", "exp(x)/(x^2 + y^2*exp(x))",
    "sinh(x)/(x^2 + sinh(x)^2)", "exp(x)*(1 + x^2*exp(y))^-0.5", "1/(exp(x) + x^2*exp(-y))^2",
)
PLACES = [*product((-3.0, -1.0, 0.5, 2.0), (-2.0, 1.0, 3.0)), (0.1, 0.2)]


@pytest.mark.parametrize("text", WRITTEN)
def test_values_and_gradients_are_those_of_what_is_written(text: str) -> None:
    places = np.array(PLACES).T
    model = Model.parse(f"dim N\nparam x: N, y: N\nloss L = sum(sin(0.7*({text})))")
    given = dict(zip("xy", places, strict=True))
    params, stable = model.targets(), derive_stable(model)
    terms = [row.args[0] for row in (model.loss_row, stable.model.loss_row) if row is not None]
    rows = [[term, *(g for g in grad(loss, list(params.values())))] for term, loss in
            zip(terms, (model.loss_row, stable.model.loss_row), strict=True) if loss is not None]
    with np.errstate(all="ignore"):
        written, exact = (evaluate(r, given, {"N": places.shape[1]}) for r in rows)
    assert np.isfinite(written[0]).any()
    for a, b in zip(written, exact, strict=True):
        known = np.isfinite(a)
        np.testing.assert_array_equal(np.isnan(written[0]), np.isnan(exact[0]))
        np.testing.assert_allclose(b[known], a[known], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("part", "whole"), [("exp(x)", "e - 1"), ("sqrt(x^2 + 1)", "x / e"), ("tanh(x)", "1 - e")])
def test_names_are_barriers(part: str, whole: str) -> None:
    """What is computed from a named row is computed from its value."""
    assert f"L = {whole}" in codegen(Model.parse(f"param x\ne = {part}\nloss L = {whole}")).split("def forward")[1]


@pytest.mark.parametrize("text", ["3 + expm1(x)", "3 - (1 - exp(x))", "2 + expm1(x)/2", "5 + 2*expm1(x)"])
def test_the_log_of_a_sum_is_a_float_where_an_exponential_in_it_is_none(text: str) -> None:
    stable = derive_stable(Model.parse(f"param x\nloss L = log({text})")).model
    assert stable.loss_row is not None
    (slope,) = grad(stable.loss_row, list(stable.targets().values()))
    for x, about in ((800.0, (800.0, 1.0)), (-800.0, (0.0, 0.0))):
        value, found = evaluate([stable.loss_row, slope], {"x": np.array(x)}, {})
        assert abs(value - about[0]) < 2 and found == about[1]


@pytest.mark.parametrize(("text", "slope"), [("2 + 2*sinh(x)", 1.0), ("1 + sinh(x)/4", 0.25), ("3 - 3*sinh(x)", -1.0),
                                             ("1 + sinh(x)*cosh(x)", 1.0)])
def test_the_log_of_a_sum_has_a_slope_where_a_function_in_it_is_0(text: str, slope: float) -> None:
    stable = derive_stable(Model.parse(f"param x\nloss L = log({text})")).model
    assert stable.loss_row is not None
    (found,) = evaluate(grad(stable.loss_row, list(stable.targets().values())), {"x": np.array(0.0)}, {})
    assert found == slope


def test_neither_has_it_behind_a_view() -> None:
    stable = derive_stable(Model.parse("dim N\nparam x: N\nloss L = sum(log(2 + 2*sinh(x)[:, None]))")).model
    assert stable.loss_row is not None
    (found,) = evaluate(grad(stable.loss_row, list(stable.targets().values())), {"x": np.zeros(2)}, {"N": 2})
    np.testing.assert_array_equal(found, np.ones(2))


@pytest.mark.parametrize(("text", "at", "value", "slopes"), [
    ("log(1 + w*exp(x))", (0.0, 1.0), 0.0, (np.e, 0.0)),
    ("log(1 + w*exp(x))", (1e-30, 1.0), 1e-30 * np.e, (np.e, 1e-30 * np.e)),
    ("log(1 + w*exp(x))", (2.0, 800.0), 800 + np.log(2), (0.5, 1.0)),
    ("log(1 + w*exp(x))", (-0.25, 0.0), np.log(0.75), (4 / 3, -1 / 3)),
    ("log(w*exp(x) + (1 - w)*exp(-x))", (1.0, -800.0), -800.0, (-np.inf, 1.0)),
    ("log(w*exp(x) + (1 - w)*exp(-x))", (1.0, 2.0), 2.0, (1 - np.exp(-4.0), 1.0)),
    ("log(2 + w^2*exp(x))", (0.0, 1.0), np.log(2), (0.0, 0.0)),
    ("log1p(w*exp(x))", (0.0, -3.0), 0.0, (np.exp(-3.0), 0.0)),
    ("log(sum(stack([w, 1])*exp(stack([x, 0]))))", (0.0, 1.0), 0.0, (np.e, 0.0)),
    ("log(sum(stack([w, 1])*exp(stack([x, 0]))))", (0.0, 400.0), 0.0, (np.exp(400.0), 0.0)),
    ("log(sum(stack([w, 1])*exp(stack([x, 0]))))", (0.0, 1e4), 0.0, (np.exp(600.0), 0.0)),
    ("log(sum(stack([w, 1])*exp(stack([x, 0]))))", (1.0, 1e4), 1e4, (1.0, 1.0)),
])
def test_a_factor_beside_an_exponential_may_be_0_or_negative_in_a_logarithm(
    text: str, at: tuple[float, float], value: float, slopes: tuple[float, float]
) -> None:
    stable = derive_stable(Model.parse(f"param w\nparam x\nloss L = {text}")).model
    assert stable.loss_row is not None
    rows = [stable.loss_row, *grad(stable.loss_row, list(stable.targets().values()))]
    found = evaluate(rows, dict(zip("wx", map(np.array, at), strict=True)), {})
    known = np.isfinite([value, *slopes])
    np.testing.assert_allclose(np.array(found)[known], np.array([value, *slopes])[known], rtol=1e-13, atol=0)


@pytest.mark.parametrize(("text", "at", "value", "slope"), [
    ("sinh(x)/cosh(x)", 1e3, 1.0, 0.0), ("expm1(x)/cosh(x)", 1e8, 2.0, 0.0), ("exp(-x)*sinh(x)", 1e3, 0.5, 0.0),
    ("cosh(x)/sinh(x)", -1e3, -1.0, 0.0),
    ("1 - expm1(x)/(1 + expm1(x))", 40.0, np.exp(-40.0), -np.exp(-40.0)),
    ("1 - expm1(x)/(1 + expm1(x))", 800.0, 0.0, 0.0),
    ("log1p(-erf(x)^2)", 1e-10, -1.2732395447351628e-20, -2.5464790894703256e-10),
    ("log1p(-sigmoid(x)^2)", -40.0, -1.8048513878454152e-35, -3.6097027756908303e-35),
    ("log1p(-sigmoid(x)^2)", 40.0, np.log(2) - 40, -1.0),
    ("log1p(-normal_cdf(x)^2)", -20.0, -7.582445786569957e-178, -3.0405233135246495e-176),
])
def test_what_little_is_left_has_its_value_and_slope(text: str, at: float, value: float, slope: float) -> None:
    stable = derive_stable(Model.parse(f"param x\nloss L = {text}")).model
    assert stable.loss_row is not None
    rows = [stable.loss_row, *grad(stable.loss_row, list(stable.targets().values()))]
    np.testing.assert_allclose(evaluate(rows, {"x": np.array(at)}, {}), [value, slope], rtol=1e-13)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("text", "right", "left"), [  # the limits of value and slope; None: infinite
    ("exp(x)*sigmoid(-x)", (1, 0), (0, 0)), ("sinh(x)*sigmoid(-x)", (0.5, 0), None), ("expm1(x)*exp(-x)", (1, 0), None),
    ("expm1(x)*sigmoid(-x)", (1, 0), (-1, 0)), ("exp(x)/(1 + exp(x))^2", (0, 0), (0, 0)),
    ("exp(2*x)/(1 + exp(x))^2", (1, 0), (0, 0)), ("exp(x)/(1 + exp(2*x))", (0, 0), (0, 0)),
    ("exp(x)*erfc(x)", (0, 0), (0, 0)), ("exp(x)*normal_pdf(x)", (0, 0), (0, 0)), ("exp(x)/expm1(x)", (1, 0), (0, 0)),
    ("1/(exp(x) - 1)", (0, 0), (-1, 0)), ("1/sinh(x)", (0, 0), (0, 0)), ("x^2/expm1(x)", (0, 0), None),
    ("exp(x)/(3*exp(x) + 2)", (1 / 3, 0), (0, 0)), ("1/(2 + exp(x))", (0, 0), (0.5, 0)),
    ("exp(x)/(exp(x) + exp(2*x) + 1)", (0, 0), (0, 0)), ("exp(x)^2/(2 + exp(x)^2)", (1, 0), (0, 0)),
    ("cosh(x)/(exp(x) + exp(-x) + 2)", (0.5, 0), (0.5, 0)),
    ("exp(-x)/(1 - exp(-x))", (0, 0), (-1, 0)), ("exp(x)*(1 - exp(-x))", None, (-1, 0)),
    ("tanh(x)/(1 - exp(-x))", (1, 0), (0, 0)), ("x*exp(-x)/(1 - exp(-x))", (0, 0), None),
    ("1/(1 + 2*x*exp(x))", (0, 0), (1, 0)), ("x*exp(x)/(1 + x*exp(x))", (1, 0), (0, 0)),
    ("1/(1 + cosh(x))", (0, 0), (0, 0)), ("sinh(x)/(1 + cosh(x))", (1, 0), (-1, 0)),
    ("(1 + exp(-2*x))/cosh(x)", (0, 0), None), ("exp(-x)*softplus(x)", (0, 0), (1, 0)),
    ("expm1(x)*exp(-x^2)", (0, 0), (0, 0)), ("exp(x)/softplus(x)", None, (1, 0)),
    ("sigmoid(x)/softplus(x)", None, (1, 0)),
    ("(1 + cosh(x))*exp(-x^2)", (0, 0), (0, 0)),
    ("erfc(x)*(x + expm1(x))", (0, 0), None), ("sinh(x)/(x^2 + sinh(x)^2)", (0, 0), (0, 0)),
    ("x/(x^2 + exp(x))", (0, 0), None), ("normal_pdf(x)/normal_cdf(x)", (0, 0), None),
    ("normal_pdf(x)/(1 - normal_cdf(x))", None, (0, 0)), ("(1 + x*exp(x))^-1", (0, 0), (1, 0)),
])
def test_quotients_and_products_where_an_exponential_in_them_is_no_float(
    text: str, right: tuple[float, float] | None, left: tuple[float, float] | None, level: int, tmp_path: Path,
) -> None:
    """inf/inf and inf·0 were NaN from x = 710 on."""
    module = emit(f"param x\nloss L = {text}", tmp_path, level=level)
    for sign, limit in ((1, right), (-1, left)):
        for at in (400.0, 710.0, 745.0, 1e4) if limit is not None else ():
            loss, grads = module.loss_and_grads({"x": np.float64(sign * at)}, {})
            np.testing.assert_allclose([loss, grads["x"]], limit, rtol=1e-12, atol=1e-150)


@pytest.mark.parametrize("text", [
    "1/(1 + cosh(x))", "sinh(x)/(1 + cosh(x))", "x*exp(x)/(1 + x*exp(x))", "exp(-x^2)*(1 + cosh(x))",
    "sinh(x)/(x^2 + sinh(x)^2)",
])
def test_second_derivatives_of_such_quotients_are_0_far_out(text: str, tmp_path: Path) -> None:
    module = emit(f"param x\nloss L = {text}", tmp_path, along=["hvp"])
    for at in (800.0, -800.0, 1e5):
        assert abs(module.hvp({"x": at}, {}, {"x": 1.0})["x"]) < 1e-14


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("x", [-1e4, -40.0, 0.5, 40.0])
def test_the_hazard_of_a_normal_variable(x: float, level: int, tmp_path: Path) -> None:
    with mpmath.workdps(60):
        rest = mpmath.erfc(mpmath.mpf(x) / mpmath.sqrt(2)) / 2 if x < 1e3 else mpmath.mpf(0)
        hazard = mpmath.npdf(mpmath.mpf(x)) / rest
        right = [float(hazard), float(hazard * (hazard - x))]
    text = "param x\nloss L = normal_pdf(x)/(1 - normal_cdf(x))"
    loss, grads = emit(text, tmp_path, level=level).loss_and_grads({"x": x}, {})
    np.testing.assert_allclose([loss, grads["x"]], right, rtol=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("text", "at", "value", "slope"), [
    ("acosh(1 + x)", 2e-20, 2e-10, 5e9), ("acosh(1 + x^2)", 2e200, np.log(8) + 400 * np.log(10), 1e-200),
    ("acosh(exp(x))", 2e-20, 2e-10, 5e9), ("acosh(1 + expm1(x))", 800.0, 800 + np.log(2), 1.0),
    ("acosh(cosh(x))", -1e-20, 1e-20, -1.0), ("acosh(cosh(x))", 800.0, 800.0, 1.0),
])
def test_acosh_next_to_1_and_beyond_what_a_float_holds(
    text: str, at: float, value: float, slope: float, level: int, tmp_path: Path,
) -> None:
    loss, grads = emit(f"param x\nloss L = {text}", tmp_path, level=level).loss_and_grads({"x": at}, {})
    np.testing.assert_allclose([loss, grads["x"]], [value, slope], rtol=1e-13)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("text", "at", "value", "slopes"), [  # by mpmath
    ("normal_cdf(x) - normal_cdf(y)", (-39.0, -40.0), -765.0831565643775, (39.02560741993011, -2.7334909240424957e-16)),
    ("normal_cdf(x) - normal_cdf(y)", (10.0, 9.0), -43.628216632280822, (6.8183565725648992e-4, -9.109138123669665)),
    ("erf(x) - erf(y)", (-19.5, -20.0), -383.79409004068108, (39.051148166175221, -1.0335173930573344e-7)),
    ("erf(x) - erf(y)", (50.5, 50.0), -2504.4845878484514, (1.502412194272581e-20, -100.01999200798818)),
    ("sigmoid(x) - sigmoid(y)", (41.0, 40.0), -40.458675145387082, (0.58197670686932643, -1.5819767068693264)),
    ("sigmoid(x) - sigmoid(y)", (-39.0, -40.0), -39.458675145387082, (1.5819767068693264, -0.58197670686932643)),
    ("tanh(x) - tanh(y)", (101.0, 100.0), -199.45226627730891, (0.3130352854993313, -2.3130352854993313)),
    ("exp(x) - exp(y)", (1001.0, 1000.0), 1000.5413248546129, (1.5819767068693264, -0.58197670686932642)),
    ("exp(x) - 3 + 0*y", (1000.0, 1.0), 1000.0, (1.0, 0.0)),
])
def test_the_log_of_a_difference_of_what_is_far_out(
    text: str, at: tuple[float, float], value: float, slopes: tuple[float, float], level: int, tmp_path: Path,
) -> None:
    params = dict(zip("xy", at, strict=True))
    loss, grads = emit(f"param x, y\nloss L = log({text})", tmp_path, level=level).loss_and_grads(params, {})
    np.testing.assert_allclose([loss, grads["x"], grads["y"]], [value, *slopes], rtol=1e-11)


@pytest.mark.parametrize("text", [
    "sqrt(expm1(x))", "sqrt(exp(x) - 1)", "acosh(exp(x))", "sqrt(sinh(x))", "expm1(x)**0.3",
])
def test_the_root_of_what_passes_through_0_has_an_infinite_slope_there(text: str, tmp_path: Path) -> None:
    with np.errstate(all="ignore"):
        loss, grads = emit(f"param x\nloss L = {text}", tmp_path).loss_and_grads({"x": 0.0}, {})
    assert (loss, grads["x"]) == (0, np.inf)


SUMS = (
    "log(sum(w*exp(a), axis=1))", "log(w @ exp(a))", "log(exp(a) @ w.T)", 'log(einsum("nk,k->n", w, exp(a)))',
    "log(mean(w*exp(a), axis=1, keepdims=True))", "log(sum(w*exp(a)))", "log(exp(b).T @ w.T)", "log(w @ exp(b))",
    'log(einsum("nk,km->nm", w, exp(b)))', "log(sum(w[:, :, None]*exp(b), axis=1))",
    "log(w*2 @ (exp(b)*w[0][:, None]))",
)
BESIDE = (
    "log(1 + w @ exp(a))", "log1p(w @ exp(b))", "log(2 + sum(w*exp(a), axis=1)/3)",
    "log(1 + (w @ exp(a))[:, None]*exp(b[0]))", "log(1 + sum(w*exp(a), axis=1) + w @ exp(2*a))",
)
FACTORS = np.array([[0.0, 1.0, 2.0], [0.5, 0.0, 0.25]])
EXPONENTS = np.array([[1.0, 0.5], [-1.0, 2.0], [0.25, -0.5]])


def _slopes(text: str, w: np.ndarray, b: np.ndarray, stable: bool) -> list[np.ndarray]:
    """The value of a sum of logarithms and its gradients."""
    model = Model.parse(f"dim N, K, M\nparam w: N x K, a: K, b: K x M\nloss L = sum({text})")
    model = derive_stable(model).model if stable else model
    assert model.loss_row is not None
    rows = [model.loss_row, *grad(model.loss_row, list(model.targets().values()))]
    return evaluate(rows, {"w": w, "a": b[:, 0], "b": b}, {"N": 2, "K": 3, "M": 2})


@pytest.mark.parametrize("text", SUMS)
@pytest.mark.parametrize("far", [0.0, 2000.0, -2000.0])
def test_weights_beside_exponentials_may_be_0_however_they_are_summed(text: str, far: float) -> None:
    """The slopes are the same wherever the exponents are together."""
    found, known = _slopes(text, FACTORS, EXPONENTS + far, True), _slopes(text, FACTORS, EXPONENTS, False)
    logs = found[0] - known[0]
    np.testing.assert_allclose(logs, far*round(float(logs)/far) if far else 0, atol=1e-10)
    for one, other in zip(found[1:], known[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("text", BESIDE)
def test_a_sum_beside_a_number_may_be_0_in_a_logarithm(text: str) -> None:
    for w in (FACTORS, FACTORS*[[0.0], [1.0]], 0*FACTORS):
        for one, other in zip(*(_slopes(text, w, EXPONENTS, stable) for stable in (True, False)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
        value, of_w, *others = _slopes(text, w, EXPONENTS*900, True)
        assert all(np.isfinite(row).all() for row in (value, *others, of_w[w != 0]))
        assert not np.isnan(of_w).any()  # that by a weight of 0 may be e^900


@pytest.mark.parametrize("exponents", [[700.0, -79.0], [700.0, -300.0], [-100.0, -600.0], [800.0, 1.0]])
def test_in_a_product_what_is_largest_may_have_the_weight_0(exponents: list[float]) -> None:
    w, b = np.array([[0.0, 1.0]]), np.array(exponents)[:, None]
    model = derive_stable(Model.parse("dim N, K, M\nparam w: N x K, b: K x M\nloss L = sum(log(w @ exp(b)))")).model
    assert model.loss_row is not None
    rows = [model.loss_row, *grad(model.loss_row, [model.params["b"]])]
    loss, slope = evaluate(rows, {"w": w, "b": b}, {"N": 1, "K": 2, "M": 1})
    assert loss == pytest.approx(exponents[1], rel=1e-12)
    np.testing.assert_allclose(slope, [[0.0], [1.0]], rtol=1e-12)


@pytest.mark.parametrize("exponents", [[40, -45], [80, -40], [200, 150]])
def test_in_a_product_in_float32_too(exponents: list[int], tmp_path: Path) -> None:
    module = emit("dim N, K\nparam w: N x K, a: K\nloss L = sum(log(w @ exp(a)))", tmp_path)
    given = {"w": np.array([[0, 1]], np.float32), "a": np.array(exponents, np.float32)}
    with np.errstate(over="ignore"):  # the slope by a weight of 0 may be e^120
        loss, grads = module.loss_and_grads(given, {})
    assert loss == pytest.approx(exponents[1], rel=1e-6)
    np.testing.assert_allclose(grads["a"], [0, 1], rtol=1e-5)


FAR = [(1e-9, 2.0), (30.0, 20.0), (-30.0, 2.0), (700.0, 3.0)]
DIGITS = 1000  # e^2100 beside 1
CANCEL = {"2 - sqrt(4 + x*y)", "9 - (x - 3)^2", "1 - 1/(1 + x^2)", "3 - sqrt(9 + x^2*y^2)", "acosh(1 + expm1(x*y))",
          "(exp(x) - exp(-x))/(2 + exp(x) + exp(-x))"}
EXACT: dict[str, Any] = {
    **vars(mpmath), "i0": lambda v: mpmath.besseli(0, v), "normal_cdf": mpmath.ncdf, "normal_pdf": mpmath.npdf,
    "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)), "softplus": lambda v: mpmath.log1p(mpmath.exp(v)),
    "ndtri": lambda v: mpmath.sqrt(2) * mpmath.erfinv(2 * v - 1),
}


@pytest.mark.parametrize("text", [t for t in WRITTEN if t not in CANCEL])
def test_forms_are_exact_far_out(text: str) -> None:
    model = derive_stable(Model.parse(f"dim N\nparam x: N, y: N\nloss L = sum({text})")).model
    assert model.loss_row is not None
    given = dict(zip("xy", np.array(FAR).T, strict=True))
    with np.errstate(all="ignore"):
        (values,) = evaluate([model.loss_row.args[0]], given, {"N": len(FAR)})
    for (x, y), found in zip(FAR, values, strict=True):
        wanted = _of_many_digits(text, x, y)
        if np.isfinite(wanted) and abs(wanted) > 1e-300:
            assert found == pytest.approx(wanted, rel=1e-9, abs=0), (x, y)


def _of_many_digits(text: str, x: float, y: float) -> float:
    """NaN where it is no real number, or what it is is not known."""
    with mpmath.workdps(DIGITS):
        try:
            value = mpmath.mpmathify(eval(text.replace("^", "**"), EXACT, {"x": mpmath.mpf(x), "y": mpmath.mpf(y)}))
        except (ValueError, ZeroDivisionError, mpmath.libmp.NoConvergence):
            return float("nan")
        return float(value.real) if value.imag == 0 else float("nan")
