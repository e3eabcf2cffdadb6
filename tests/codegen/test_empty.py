"""Sizes of 0: a mean of nothing is NaN, a quotient is infinite, a loop of no step hands on what it begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.model.text import parse
from symbackprop.verify.sampling import draw
from tests.codegen.helpers import emit

HEAD = "dim T, N, D\ndata x: T x D, k: D int < 5\nparam w: D, v: D\n"
UP = HEAD + "h[0] = v\nfor t in 1..T:\n    h[t] = tanh(h[t-1] * w + x[t])\n"
DOWN = HEAD + "h[T+1] = v\nfor t in T..1:\n    h[t] = tanh(h[t+1] * w + x[t])\n"
LOOPS = [
    UP + "loss L = sum(h) + sum(h[T] * w)",
    DOWN + "loss L = sum(h) + sum(h[1] * w)",
    HEAD + "h[T+1] = k\nfor t in T..1:\n    h[t] = h[t+1] * w + x[t]\nloss L = sum(h[1]) + sum(h)",
    HEAD + "h[0] = k\nfor t in 1..T:\n    h[t] = h[t-1] * w + x[t]\nloss L = sum(h[T]) + sum(h)",
    HEAD + "j[0] = k\nfor t in 1..T:\n    j[t] = j[t-1] + 1\n    s[t] = w * j[t-1] * x[t]\n"
    "loss L = sum(s) + sum(j[T] * w)",
    HEAD + "j[T+1] = k\nfor t in T..1:\n    j[t] = j[t+1] + 1\n    s[t] = w * j[t+1] * x[t]\n"
    "loss L = sum(s) + sum(j[1] * v)",
    HEAD + "g[T+1] = 2\nfor t in T..1:\n    g[t] = sum(x[t]) + g[t+1] * w[0]\nloss L = sum(g * w[1]) + g[1]**2",
    "dim T, N, D\ndata x: T x N x D\nparam W: D x D, v: N x D\nh[T+1] = v\n"
    "for t in T..1:\n    h[t] = tanh(h[t+1] @ W + x[t])\n"
    "loss L = sum(h[1])",
]
WINDOWS = [
    "dim N\nparam x: N\nloss L = sum(unfold(x, 2, stride=2)**2)",
    "dim N\nparam x: N\nloss L = sum(unfold(x, 1)**2)",
    "dim N, D\nparam x: D x N, w: D\nloss L = sum(w[:, None, None] * unfold(x, 3, axis=1, stride=3))",
    "dim N, D\nparam x: D x N x D\nloss L = sum(avg_pool1d(x, 2)**2)",
    "dim N, D\nparam x: D x N x N x D, w: 3 x 3 x D x D\nloss L = sum(conv2d(x, w, padding=1)**2)",
    "dim N, D\nparam x: D x N x D x D, w: 2 x D x D x D\nloss L = sum(conv2d(x, w, stride=2)**2)",
    "dim N, D\nparam x: D x D x N x D, w: 2 x 2 x D x D\nloss L = sum(conv_transpose2d(x, w, stride=2)**2)",
]
MATRICES = [f"dim N\nparam A: N x N\nloss L = {loss}" for loss in (
    "sum(eigvalsh(A + A.T))", "sum(svdvals(A))", "sum(lu(A)[1])", "det(A)", "logdet(A)", "sum(inv(A))",
    "sum(qr(A)[1])", "sum(pinv(A))", "sum(cholesky(A @ A.T))", "sum(matrix_exp(A))",
)]
MEANS = [
    "dim N, D\nparam x: N x D\nloss L = mean(x**2)",
    "dim N, D\nparam x: N x D, w: D\nloss L = sum(w * mean(x, axis=0))",
    "dim N, D\nparam x: N x D, w: D\nloss L = sum(w) / N + sum(x)",
    "dim N, D\nparam x: N x D\nloss L = sum(var(x, axis=0)) + sum(layer_norm(x))",
    "dim N, C\ndata y: N int < C\nparam z: N x C\nloss L = mean(cross_entropy(z, y))",
    "dim N, D\nparam m: N x D, s: N x D\nloss L = mean(exp(s) + m**2 - 1 - s) / 2",
    "dim N\nparam x: N, w\nloss L = w * (1 / N + 2 / (N * (N + 1))) + w / sqrt(N) + sum(x)",
    UP + "loss L = mean(h)",
    DOWN + "loss L = mean(h)",
    DOWN + "loss L = mean(h * x) + mean(h[1])",
]


def given(text: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The model, and arrays without a step or a row."""
    model = parse(text)
    values = draw(model, {n: 0 if n in ("T", "N") else 2 for n in model.sizes}, np.random.default_rng(0)).values
    data = {n: values[n] for n in model.leaves() if n not in model.params}
    return model, {n: values[n] for n in model.params}, data


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("text", [*LOOPS, *WINDOWS, *MATRICES, *MEANS])
def test_sizes_of_nothing(text: str, level: int, tmp_path: Path) -> None:
    model, params, data = given(text)
    module = emit(model, tmp_path, level=level)
    loss, grads = module.loss_and_grads(params, data)
    module.outputs(params, data)
    assert np.isfinite(loss) == (text not in MEANS)
    assert {n: g.shape for n, g in grads.items()} == {n: np.shape(v) for n, v in params.items()}


@pytest.mark.parametrize("target", ["numpy", "jax", "torch"])
def test_whole_derivatives_of_nothing(target: str, tmp_path: Path) -> None:
    """Where they are made by products there was nothing to stack."""
    pytest.importorskip(target)
    head = "dim N\ninput x: N x 2, w: 2\n"
    given = {"x": np.zeros((0, 2), np.float32), "w": np.ones(2, np.float32)}
    module = emit(head + "loss L = sum(w**2) * prod(w) + sum(cumsum(x, axis=1) * w)", tmp_path, target=target,
                  along=["hvp"], whole=["hessian"])
    assert {k: np.shape(b.dense()) for k, b in module.hessian({}, given).items()} == {
        ("x", "x"): (0, 2, 0, 2), ("x", "w"): (0, 2, 2), ("w", "x"): (2, 0, 2), ("w", "w"): (2, 2)}
    whole = np.asarray(module.hessian_dense({}, given))
    np.testing.assert_allclose(whole, [[6, 6], [6, 6]])
    assert whole.dtype == np.float32
    found = emit(head + "output Y = cumsum(x, axis=1) * w", tmp_path, target=target, whole=["jacobian"])
    assert np.shape(found.jacobian({}, given)["Y", "w"].dense()) == (0, 2, 2)


ENDS = [
    "dim T, N\ndata x: T x N\nparam h[0]: N\nfor t in 1..T:\n    h[t] = tanh(h[t-1] + x[t])\noutput Y = h[T]",
    "dim T, N\ndata x: T x N\nparam h[0]: N\nfor t in 1..T:\n    h[t] = tanh(h[t-1] + x[t])\n"
    "output Y = h[T]\noutput Z = h[T]\noutput U = h[T] * 2",
    "dim T, N\ndata x: T x N\nparam a: N, h[0]: N, c[0]: N\nfor t in 1..T:\n    h[t] = tanh(h[t-1] + x[t])\n"
    "    c[t] = c[t-1] * x[t]\nloss L = sum(h[T]) + sum(c[T] * a)",
    "dim T, N\ndata x: T x N\nparam h[0]: N, c[0]: N\nfor t in 1..T:\n    h[t] = tanh(h[t-1] + x[t])\n"
    "    c[t] = c[t-1] * h[t]\nloss L = sum(h * c)",
]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("text", ENDS)
def test_what_a_loop_of_no_step_hands_on_is_an_array_of_its_own(text: str, level: int, tmp_path: Path) -> None:
    model, params, data = given(text)
    module = emit(model, tmp_path, level=level)
    results, cache = module.forward(params, data)
    found = results if isinstance(results, dict) else {"Y": results}
    upstream = 1.0 if model.loss_row is not None else {n: np.ones_like(y) for n, y in found.items()}
    grads = module.backward(cache, upstream if len(found) > 1 or model.loss_row is not None else upstream["Y"])
    arrays = [*params.values(), *[y for y in found.values() if np.ndim(y)], *grads.values()]
    arrays += [*upstream.values()] if isinstance(upstream, dict) else []
    shared = [(k, j) for k, a in enumerate(arrays) for j, b in enumerate(arrays[:k]) if np.shares_memory(a, b)]
    assert not shared


UNREAD = [
    (HEAD + "h[0] = v\nfor t in 1..T:\n    h[t] = tanh(x[t] * w)\nloss L = sum(h[T] ** 2)", "v"),
    (HEAD + "h[T+1] = v\nfor t in T..1:\n    h[t] = tanh(x[t] * w)\nloss L = sum(h[1] ** 2)", "v"),
    (HEAD + "h[0] = v\nfor t in 1..T:\n    h[t] = tanh(x[t] * w)\n    s[t] = h[t] * x[t]\n"
     "loss L = sum(h[T] ** 2) + sum(s)", "v"),
    (HEAD + "h[0] = v\nfor t in 1..T:\n    h[t] = tanh(w)\nloss L = sum(h[T] ** 2)", "v"),
]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("text", "start"), UNREAD)
def test_after_no_step_a_state_is_what_it_began_with_though_no_step_reads_it(
    text: str, start: str, level: int, tmp_path: Path
) -> None:
    model, params, data = given(text)
    loss, grads = emit(model, tmp_path, level=level).loss_and_grads(params, data)
    assert loss == np.vdot(params[start], params[start])
    np.testing.assert_array_equal(grads[start], 2 * params[start])
    np.testing.assert_array_equal(grads["w"], 0)
