"""Emitted modules at the special points of powers, roots and norms: at every level, in float64 and float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from symbackprop.core.reverse import grad
from symbackprop.model.model import Model
from tests.codegen.helpers import emit

INF = np.inf


class Point(NamedTuple):
    """A model, numbers for it (integers are data), and the loss and the gradients that are right."""

    text: str
    given: dict[str, Any]
    loss: float
    slopes: dict[str, Any]
    data: tuple[str, ...] = ()


COLUMN = "dim N, D\nparam x: N x D\n"
VECTOR = "dim N\nparam x: N\n"
POINTS = {
    "polynomial": Point("dim K\nparam x\ndata c: K\nloss L = sum(c * x**arange(K))", {"x": 0.0, "c": [1.0, 2, 3]}, 1,
                        {"x": 2}, ("c",)),
    "exponents in data": Point("dim N\nparam x: N\ndata n: N\nloss L = sum(x**n)",
                               {"x": [-2.0, 0, 0, 0, 1, INF, -0.0], "n": [3.0, 0, 1, 2, 7, 0, 0]}, -4,
                               {"x": [12, 0, 1, 0, 7, 0, 0]}, ("n",)),
    "whole exponents": Point("dim N\nparam x: N\ndata n: N int < 9\nloss L = sum(x**n)",
                             {"x": [-2.0, 0, 0, -3], "n": [3, 0, 1, 0]}, -6, {"x": [12, 0, 1, 0]}, ("n",)),
    "exponents that are parameters": Point("dim N\nparam a: N, b: N\nloss L = sum(a**b)",
                                           {"a": [0.0, 0, 1, 2], "b": [2.0, 1, 5, 1]}, 3,
                                           {"a": [0, 1, 5, 1], "b": [0, 0, 0, 2 * np.log(2)]}),
    "literal bases": Point("param x\nloss L = 0**x + 1**x + 2**x", {"x": 1.0}, 3, {"x": 2 * np.log(2)}),
    "alternating signs": Point("dim N\nparam x\ndata n: N int < 9\nloss L = sum(x * 0**n + x * (-2)**n)",
                               {"x": 1.0, "n": [0, 1, 2]}, 4, {"x": 4}, ("n",)),
    "focal loss without focus": Point("dim N\nparam p: N\ndata g\nloss L = sum(-(1 - p)**g * log(p))",
                                      {"p": [1.0, 0.5], "g": 0.0}, np.log(2), {"p": [-1, -2]}, ("g",)),
    "focal loss": Point("dim N\nparam p: N\ndata g\nloss L = sum(-(1 - p)**g * log(p))",
                        {"p": [1.0], "g": 2.0}, 0, {"p": [0]}, ("g",)),
    "quotient": Point("param x\nloss L = 1 / x**3", {"x": INF}, 0, {"x": 0}),
    "std": Point(VECTOR + "loss L = sqrt(sum((x - mean(x))^2) / (N - 1))", {"x": [1.0, 1, 1]}, 0, {"x": [0, 0, 0]}),
    "std in steps": Point(VECTOR + "m = mean(x)\nd = x - m\nv = sum(d * d) / N\nloss L = v^0.5", {"x": [1.0, 1]}, 0,
                          {"x": [0, 0]}),
    "root in steps": Point(VECTOR + "s = sum(x^2)\nt = maximum(s, 0)\nn = sqrt(t)\nloss L = n + s^0.3 + s^1.5",
                           {"x": [0.0, 0]}, 0, {"x": [0, 0]}),
    "pairwise distances": Point(
        COLUMN + "G = x @ x.T\nq = diag(G)\nS = q[:, None] + q[None, :] - 2 * G\nloss L = sum(sqrt(maximum(S, 0)))",
        {"x": [[0.0, 0], [3, 4], [0, 0]]}, 20, {"x": [[-1.2, -1.6], [2.4, 3.2], [-1.2, -1.6]]}),
    "norms of rows": Point(COLUMN + "loss L = sum(norm(x, axis=1))", {"x": [[3.0, 4], [0, 0]]}, 5,
                           {"x": [[0.6, 0.8], [0, 0]]}),
    "norms of columns": Point(COLUMN + "loss L = sum(norm(x, axis=0, keepdims=True))", {"x": [[3.0, 0], [4, 0]]}, 5,
                              {"x": [[0.6, 0], [0.8, 0]]}),
    "tiny": Point(VECTOR + "loss L = 1e20 * norm(x)", {"x": [3e-30, 4e-30]}, 5e-10, {"x": [6e19, 8e19]}),
    "huge": Point(COLUMN + "loss L = sum(norm(x, axis=1))", {"x": [[3e30, 4e30], [0, 0]]}, 5e30,
                  {"x": [[0.6, 0.8], [0, 0]]}),
    "a norm of one": Point("param x: 1\nloss L = norm(x)", {"x": [-3e30]}, 3e30, {"x": [-1]}),
    "a norm of nothing": Point(VECTOR + "loss L = norm(x)", {"x": []}, 0, {"x": []}),
    "rows without entries": Point(COLUMN + "loss L = sum(norm(x, axis=1))", {"x": [[], []]}, 0, {"x": [[], []]}),
    "clipped by its norm": Point(VECTOR + "loss L = norm(x)^2 + exp(-norm(x)^2)", {"x": [0.0, 0]}, 1, {"x": [0, 0]}),
    "cosine": Point("dim N, D\nparam a: N x D, b: D\nloss L = sum(cosine_similarity(a, b))",
                    {"a": [[1.0, 2], [0, 0]], "b": [0.0, 2]}, 2 / np.sqrt(5),
                    {"a": [[-2 / 5**1.5, 1 / 5**1.5], [0, 1e8]], "b": [1 / 20**0.5, 0]}),
    "cosine of nothing": Point("dim N, D\nparam a: N x D, b: D\nloss L = sum(cosine_similarity(a, b))",
                               {"a": [[1.0, 2], [0, 0]], "b": [0.0, 0]}, 0,
                               {"a": [[0, 0], [0, 0]], "b": [1e8 / 5**0.5, 2e8 / 5**0.5]}),
}


def arrays(point: Point, dtype: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    whole = {k: np.asarray(v) for k, v in point.given.items()}
    typed = {k: a if a.dtype.kind == "i" else a.astype(dtype) for k, a in whole.items()}
    return ({k: a for k, a in typed.items() if k not in point.data}, {k: typed[k] for k in point.data})


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", POINTS)
def test_special_points(name: str, level: int, tmp_path: Path) -> None:
    point = POINTS[name]
    module = emit(point.text, tmp_path, level=level)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        with np.errstate(all="ignore"):
            loss, grads = module.loss_and_grads(*arrays(point, dtype))
        np.testing.assert_allclose(loss, point.loss, rtol=tolerance, atol=tolerance)
        assert {k: g.dtype for k, g in grads.items()} == dict.fromkeys(point.slopes, np.dtype(dtype))
        for k, expected in point.slopes.items():
            np.testing.assert_allclose(grads[k], np.asarray(expected, float), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 3e307])
@pytest.mark.parametrize("text", ["norm(x)", "sum(norm(x, axis=1))", "sum(norm(x, axis=(0, 1), keepdims=True))"])
def test_norms_whose_squares_no_float_holds(text: str, scale: float, tmp_path: Path) -> None:
    module = emit(COLUMN + f"loss L = {text}", tmp_path)
    loss, grads = module.loss_and_grads({"x": scale * np.array([[3.0, 4.0]])}, {})
    tolerance = 1e-3 if scale < 1e-300 else 1e-14
    np.testing.assert_allclose(loss, 5 * scale, rtol=tolerance)
    np.testing.assert_allclose(grads["x"], [[0.6, 0.8]], rtol=tolerance)


def test_zeros_beside_other_rows_give_no_warning(tmp_path: Path) -> None:
    """Warnings are errors here."""
    module = emit(COLUMN + "loss L = sum(norm(x, axis=1)) + sum(norm(x, axis=0)^2)", tmp_path)
    _, grads = module.loss_and_grads({"x": np.array([[0.0, 0.0], [3e200, 4e200], [3.0, 4.0]]) * 1e-50}, {})
    assert np.isfinite(grads["x"]).all()


@pytest.mark.parametrize("text", ["norm(x)^2", "exp(-norm(x)^2)", "norm(x)^4", "sum(norm(x[:, None], axis=1)^2)"])
def test_hessian_vector_products_at_zero(text: str, tmp_path: Path) -> None:
    model = Model.parse(VECTOR + f"data v: N\nq = {text}\noutput Y = x + v")
    g = model.graph
    first = grad(g.names["q"], [g.names["x"]])[0]
    product = grad(first, [g.names["x"]], g.names["v"])[0]
    model.output("H", product)
    module = emit(model, tmp_path)
    v = np.array([1.0, -1.0])
    found, _ = module.forward({"x": np.zeros(2)}, {"v": v})
    factor = {"exp(-norm(x)^2)": -2, "norm(x)^4": 0}.get(text, 2)
    np.testing.assert_allclose(found["H"], factor * v)
