"""The stable helpers of emitted modules against exact values; they are ordinary functions and are called as such."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from symbackprop import codegen
from symbackprop.codegen.helpers import arrays, checks, helper_names, library, needed, results, scalar
from symbackprop.targets import TARGETS

POINTS = np.concatenate([np.linspace(-8, 8, 1601), [-30.0, -27.3, 27.3, 30.0, 1e-300, -1e-8, 0.0, 1.0, -1.0]])


def ulps(found: Any, exact: Any) -> float:
    """The largest relative error in units of the rounding error."""
    return float(np.max(np.abs(found - exact) / np.maximum(np.abs(exact), 1e-300))) / 2.0**-52


def test_erf_is_exact_to_rounding() -> None:
    assert ulps(scalar.erf(POINTS), np.array([math.erf(x) for x in POINTS])) < 4


def test_normal_cdf_is_exact_in_both_tails() -> None:
    mpmath.mp.dps = 30
    points = POINTS[::4]
    assert ulps(scalar.normal_cdf(points), np.array([float(mpmath.ncdf(x)) for x in points])) < 6


def test_ndtri_is_exact_in_both_tails() -> None:
    points = np.array([5e-324, 1e-310, 1e-280, 1e-100, 1e-20, 1e-5, 0.1, 0.4999, 0.7, 1 - 1e-9, 1 - 2.0**-50])
    with mpmath.workdps(30):
        exact = [mpmath.findroot(lambda y, p=p: mpmath.ncdf(y) / p - 1, float(scalar.ndtri(p))) for p in points]
    assert ulps(scalar.ndtri(points), np.array(exact, float)) < 6
    assert scalar.ndtri(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("x", [0.0, 1.0, 19.0, 21.0, 700.0, 712.0])
def test_bessel_functions_are_floats_where_the_exponential_is_none(x: float) -> None:
    with mpmath.workdps(30):
        assert ulps(scalar.i0(np.array([x])), float(mpmath.besseli(0, x))) < 6


@pytest.mark.parametrize("function", [scalar.erf, scalar.normal_cdf])
def test_special_values_and_precision(function: Any) -> None:
    low = 0.0 if function is scalar.normal_cdf else -1.0
    np.testing.assert_array_equal(function(np.array([-np.inf, np.inf, np.nan])), [low, 1, np.nan])
    assert function(np.ones(3, np.float32)).dtype == np.float32
    assert np.abs(function(POINTS.astype(np.float32)) - function(POINTS)).max() < 1e-6


def test_sigmoid_and_softplus_are_exact_everywhere() -> None:
    mpmath.mp.dps = 30
    points = np.array([-700.0, -40, -1, -1e-9, 0, 1e-9, 1, 40, 700])
    exact = np.array([float(1 / (1 + mpmath.exp(-mpmath.mpf(x)))) for x in points])
    assert ulps(scalar.sigmoid(points), exact) < 4
    exact = np.array([float(mpmath.log1p(mpmath.exp(mpmath.mpf(x)))) for x in points])
    assert ulps(scalar.softplus(points), exact) < 4
    np.testing.assert_array_equal(scalar.sigmoid(np.array([-1000.0, 1000.0])), [0, 1])
    np.testing.assert_array_equal(scalar.softplus(np.array([-1000.0, 1000.0])), [0, 1000])


def test_heaviside_halves_at_a_tie() -> None:
    np.testing.assert_array_equal(scalar.heaviside(np.array([-1.0, 0, 1]), 0), [0, 0.5, 1])
    assert scalar.heaviside(np.ones(2, np.float32), 0).dtype == np.float32
    assert scalar.heaviside(0.0, 0.0) == 0.5


def test_guarded_quotients() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(scalar.reciprocal(np.array([0.0, 2.0])), [0, 0.5])
        np.testing.assert_array_equal(scalar.ratio(np.array([0.0, 2.0]), np.array([0.0, 4.0])), [0, 0.5])
        np.testing.assert_array_equal(scalar.times_log(np.array([0.0, 2.0]), np.array([0.0, 1.0])), [0, 0])


@pytest.mark.parametrize("width", [0, 3, 100])
def test_guarded_sums_of_products_are_those_of_the_array_of_them(width: int) -> None:
    """Whatever is 0, infinite or NaN; long rows are left to BLAS."""
    rng, odd = np.random.default_rng(width), [0, 0, np.inf, -np.inf, np.nan]
    for _ in range(40):
        s, a = (rng.normal(size=(5, width)) for _ in range(2))
        for x in (s, a):
            x[rng.random(x.shape) < rng.choice([0, 0.2])] = rng.choice(odd)
        with np.errstate(all="ignore"):
            expected, found = scalar.where_selected(s * a, s).sum(axis=1), scalar.dot_selected(s, a, axis=1)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_softmax_and_logsumexp_with_masked_entries() -> None:
    a = np.array([[0.0, -np.inf, 1.0], [1000.0, 1000.0, -1000.0]])
    np.testing.assert_allclose(arrays.softmax(a, 1)[1], [0.5, 0.5, 0])
    assert arrays.softmax(a, 1)[0, 1] == 0
    np.testing.assert_allclose(arrays.logsumexp(a, 1), [np.log(1 + np.e), 1000 + np.log(2)])
    p, s = arrays.softmax_logsumexp(a, 1)
    np.testing.assert_array_equal(p, arrays.softmax(a, 1))
    np.testing.assert_array_equal(s, arrays.logsumexp(a, 1))
    p, log = arrays.softmax_log(a, 1)
    np.testing.assert_array_equal(p, arrays.softmax(a, 1))
    np.testing.assert_allclose(log[:, [0, 2]], [[-np.log1p(np.e), 1 - np.log1p(np.e)], [-np.log(2), -2000 - np.log(2)]])
    assert all(x is y for x, y in zip(arrays.softmax_log(a, 1, out=(p, log)), (p, log), strict=True))
    with np.errstate(divide="ignore"):
        assert arrays.logsumexp(np.full((1, 2), -np.inf), 1) == -np.inf
    assert arrays.logsumexp(np.full((1, 2), np.inf), 1) == np.inf


@pytest.mark.parametrize("shape", [(5,), (2, 3), (0,)])
@pytest.mark.parametrize("rest", [(), (4,), (2, 3)])
def test_scatter_add_is_add_at(shape: tuple[int, ...], rest: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    index, g = rng.integers(0, 3, shape), rng.normal(size=(*shape, *rest))
    expected = np.zeros((4, *rest))
    np.add.at(expected, index, g)
    np.testing.assert_allclose(arrays.scatter_add(g, index, 4), expected, atol=1e-15)
    np.testing.assert_allclose(arrays.scatter_add(np.asfortranarray(g), index, 4), expected, atol=1e-15)


def test_convolution_of_an_empty_batch() -> None:
    x, w = np.zeros((0, 5, 5, 2)), np.zeros((3, 3, 2, 4))
    y = arrays.conv2d(x, w, (1, 1), (1, 1), (5, 5))
    assert y.shape == (0, 5, 5, 4)
    assert arrays.conv2d_input(y, w, (1, 1), (1, 1), (5, 5)).shape == x.shape
    assert arrays.conv2d_input(y[:, :3, :3], w, (2, 2), (1, 1), (5, 5)).shape == x.shape
    assert arrays.conv2d_kernel(x, y, (1, 1), (1, 1), (3, 3)).shape == w.shape


@pytest.mark.parametrize("axes", [(1, 3), (0, 2), (2, 1)])
def test_reducing_short_axes(axes: tuple[int, ...]) -> None:
    a = np.random.default_rng(0).normal(size=(3, 2, 4, 2, 5))
    np.testing.assert_array_equal(arrays.over_short_axes(np.maximum, a, axes), a.max(axis=axes))
    np.testing.assert_allclose(arrays.over_short_axes(np.add, a, axes), a.sum(axis=axes), rtol=1e-14)
    a[0, 0, 0, 0, 0] = np.nan
    assert np.isnan(arrays.over_short_axes(np.maximum, a, axes)).sum() == 1


def test_overlapping_windows_add_up() -> None:
    a = np.arange(6.0)
    windows_of_a = arrays.unfold(a, 0, 3, 2)
    np.testing.assert_array_equal(windows_of_a, [[0, 1, 2], [2, 3, 4]])
    np.testing.assert_array_equal(arrays.fold(windows_of_a, 0, 6, 2), [0, 1, 4, 3, 4, 0])


# -- the library


def test_helpers_are_taken_with_those_they_use() -> None:
    texts = needed(["normal_cdf"])
    assert [t.split("(")[0].split(" =")[0] for t in texts] == [
        "ERFC_SCALED", "def chebyshev", "def erfc_times_exp", "def normal_cdf"
    ]
    assert needed([]) == []


@pytest.mark.parametrize("module", ["jnp", "torch"])
def test_only_numpy_writes_into_arrays(module: str) -> None:
    """A helper that does has a version of its own for other libraries, but for the one that only NumPy's rows call."""
    trees = {word: ast.walk(ast.parse(helper.text)) for word, helper in library(module).items()}
    writing = [word for word, tree in trees.items() if any(isinstance(k, ast.keyword) and k.arg == "out" for k in tree)]
    assert writing == ["to_largest"]


def test_every_helper_says_what_it_does_and_uses_numpy_only() -> None:
    assert {"sigmoid", "softmax", "check_shapes", "scaled", "conv2d"} <= helper_names()
    for name, helper in library().items():
        tree = ast.parse(helper.text).body[0]
        if isinstance(tree, ast.FunctionDef):
            assert ast.get_docstring(tree), name
            stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            assert not stored & helper_names(), name
    for module in (arrays, checks, results, scalar):
        assert {n for n in vars(module) if not n.startswith("__")} - helper_names() <= {"np", "annotations"}


@pytest.mark.parametrize(("call", "exact"), [
    ("lgamma(2)", 0.0), ("digamma(3)", mpmath.digamma(3)), ("polygamma(1, 3)", mpmath.polygamma(1, 3)),
])
def test_of_a_whole_number(call: str, exact: Any) -> None:
    """It is written as a float: powers of integers with negative exponents are refused by NumPy."""
    names: dict[str, Any] = {}
    exec(codegen(f"param x\nloss L = x * {call}", verify=False), names)
    assert abs(names["forward"]({"x": 2.0}, {})[0] - 2 * float(exact)) < 1e-14


NUMPYS = {  # other targets do without
    "is_moderate", "squares", "dot_selected", "over_short_axes", "to_largest", "patches", "stack",
}


@pytest.mark.slow
@pytest.mark.parametrize("target", [t for t, known in TARGETS.items() if all(map(find_spec, known.packages))])
def test_strict_mypy_takes_every_helper(target: str, tmp_path: Path) -> None:
    """With what the libraries say of their types, where they are installed."""
    printer = import_module(TARGETS[target].module).PRINTER
    module = printer.arrays.module
    found = [helper.text for name, helper in library(module).items() if target == "numpy" or name not in NUMPYS]
    head = [f'# mypy: disable-error-code="{printer.unchecked}"', *printer.imports]
    (tmp_path / "helpers.py").write_text("\n\n\n".join(["\n".join(head), *found]), encoding="utf-8")
    mypy = ["mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'mypy'}", str(tmp_path / "helpers.py")]
    run = subprocess.run([sys.executable, "-m", *mypy], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
