"""What the tests of HIPS autograd check to the second order, as model text against NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tests.conformance.checking import agrees
from tests.conformance.frame import Case, Suite


class Check(NamedTuple):
    """A file of tests, what it checks as model text, the same with NumPy, and the arrays."""

    file: str
    text: str
    function: Callable[..., Any]
    shapes: dict[str, tuple[int, ...]]
    shift: float = 0.0  # of absolute values, for what is defined above it only


def _one(text: str, function: Callable[..., Any], shift: float = 0.0, file: str = "scalar_ops") -> Check:
    return Check(file, text, lambda x: function(x), {"x": (4,)}, shift)


MATRIX, TWO, SQUARE = {"x": (3, 4)}, {"x": (3, 4), "y": (3, 4)}, {"x": (3, 3)}
CHECKS = (
    _one("abs(x)", np.abs), _one("sin(x)", np.sin), _one("cos(x)", np.cos), _one("tan(x)", np.tan, 0.1),
    _one("sinh(x)", np.sinh), _one("cosh(x)", np.cosh), _one("tanh(x)", np.tanh),
    _one("asin(x/9)", lambda x: np.arcsin(x/9)),
    _one("acos(x/9)", lambda x: np.arccos(x/9)), _one("atan(x)", np.arctan), _one("asinh(x)", np.arcsinh),
    _one("acosh(x)", np.arccosh, 1.1), _one("atanh(x/9)", lambda x: np.arctanh(x/9)), _one("square(x)", np.square),
    _one("sqrt(x)", np.sqrt, 0.3), _one("exp(x)", np.exp), _one("exp2(x)", np.exp2), _one("expm1(x)", np.expm1),
    _one("log(x)", np.log, 0.3), _one("log2(x)", np.log2, 0.3), _one("log10(x)", np.log10, 0.3),
    _one("log1p(x)", np.log1p, 0.3), _one("1/x", lambda x: 1/x, 0.3), _one("-x", np.negative),
    _one("x^3", lambda x: x**3), _one("x^-2.5", lambda x: x**-2.5, 0.3), _one("2^x", lambda x: 2.0**x),
    _one("sin(pi*x)/(pi*x)", np.sinc, 0.3),
    *[Check("binary_ops", text, function, TWO, 0.3) for text, function in (
        ("x + y", np.add), ("x - y", np.subtract), ("x*y", np.multiply), ("x/y", np.divide), ("x^y", np.power),
        ("atan2(x, y)", np.arctan2), ("maximum(x, y)", np.maximum), ("minimum(x, y)", np.minimum),
        ("logaddexp(x, y)", np.logaddexp), ("sqrt(x^2 + y^2)", np.hypot))],
    *[Check("systematic", text, function, MATRIX) for text, function in (
        ("sum(x, axis=0)", lambda x: x.sum(0)), ("mean(x, axis=1)", lambda x: x.mean(1)),
        ("var(x, axis=0)", lambda x: x.var(0)),
        ("std(x, axis=1)", lambda x: x.std(1)), ("std(x, axis=0, ddof=1)", lambda x: x.std(0, ddof=1)),
        ("prod(x, axis=1)", lambda x: x.prod(1)), ("max(x, axis=0)", lambda x: x.max(0)),
        ("min(x, axis=1)", lambda x: x.min(1)),
        ("cumsum(x, axis=1)", lambda x: x.cumsum(1)), ("sort(x, axis=1)", lambda x: np.sort(x, 1)),
        ("x.T", lambda x: x.T),
        ("reshape(x, (2, 6))", lambda x: x.reshape(2, 6)), ("roll(x, 1, 0)", lambda x: np.roll(x, 1, 0)),
        ("flip(x, axis=1)", lambda x: np.flip(x, 1)),
        ("tile(x, (2, 1))", lambda x: np.tile(x, (2, 1))),
        ("repeat(x, 2, 0)", lambda x: np.repeat(x, 2, 0)),
        ("concat(x, 2*x, axis=0)", lambda x: np.concatenate([x, 2*x])),
        ("stack(x, x^2, axis=1)", lambda x: np.stack([x, x**2], 1)), ("x[1:, ::-1]", lambda x: x[1:, ::-1]),
        ("tril(x)", np.tril), ("triu(x)", np.triu),
        ("where(x > 0, x^2, sin(x))", lambda x: np.where(x > 0, x**2, np.sin(x))),
        ("clip(x, -0.5, 0.5)", lambda x: np.clip(x, -0.5, 0.5)), ("diag(x @ x.T)", lambda x: np.diag(x @ x.T)))],
    *[Check("systematic", text, function, {"x": (3, 4), "y": (4, 2)}) for text, function in (
        ("x @ y", np.matmul), ('einsum("ij,jk->ki", x, y)', lambda x, y: np.einsum("ij,jk->ki", x, y)),
        ("kron(x, y)", np.kron), ("outer(x[0], y[:, 1])", lambda x, y: np.outer(x[0], y[:, 1])))],
    *[Check("linalg", text, function, SQUARE) for text, function in (
        ("inv(x + 4*eye(3))", lambda x: np.linalg.inv(x + 4*np.eye(3))), ("det(x)", np.linalg.det),
        ("logdet(x @ x.T + eye(3))", lambda x: np.linalg.slogdet(x @ x.T + np.eye(3))[1]),
        ("solve(x + 4*eye(3), x.T)", lambda x: np.linalg.solve(x + 4*np.eye(3), x.T)),
        ("cholesky(x @ x.T + eye(3))", lambda x: np.linalg.cholesky(x @ x.T + np.eye(3))),
        ("norm(x)", np.linalg.norm), ("norm(x, axis=1)", lambda x: np.linalg.norm(x, axis=1)), ("trace(x)", np.trace),
        ("pinv(x[:, :2])", lambda x: np.linalg.pinv(x[:, :2])), ("svdvals(x)", lambda x: np.linalg.svd(x)[1]))],
)


def cases() -> Iterator[Case]:
    for one in CHECKS:
        yield Case(f"test_{one.file}: {one.text}", lambda one=one: check(one))


def check(one: Check) -> None:
    rng = np.random.default_rng(2)
    arrays = {n: rng.normal(size=shape) for n, shape in one.shapes.items()}
    if one.shift:
        arrays = {n: np.abs(a) + one.shift for n, a in arrays.items()}
    agrees(one.text, lambda **a: one.function(*a.values()), arrays, near=1e-6)


SUITE = Suite(
    "HIPS autograd's checks",
    "The functions that `test_scalar_ops.py`, `test_binary_ops.py`, `test_systematic.py` and `test_linalg.py` of HIPS "
    "autograd are about, to the second order: ours against NumPy, derivatives by differences. The cases are our own, "
    "not taken from those files one by one; complex numbers, Python's containers and tracing are left out.",
    cases,
)
