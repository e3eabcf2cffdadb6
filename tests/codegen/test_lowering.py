"""What is computed in another way than it says has the same value: at random, at ties, at infinities, of nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from symbackprop import Model, codegen
from symbackprop.core import functions as F
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verified import verify_source
from tests.codegen.helpers import body, emit


class Case(NamedTuple):
    """A model, what its passes have at -O1, and what they have not."""

    text: str
    has: str
    lacks: str


GATES = """dim N, H
input z: N x 3*H, q: N x H
output y = tanh(z[:, H:2*H]) * z[:, 0:H] + z[:, 2*H:3*H] * q"""
CASES = {
    "gates": Case(GATES, "np.concatenate([", "pad("),
    "gates and more": Case(f"{GATES}\noutput u = z * z", "np.concatenate([", "pad("),
    "a gap": Case("dim N, H\ninput z: N x 3*H\noutput y = z[:, 0:H] * z[:, 2*H:3*H]", "pad(", "concatenate"),
    "overlapping parts": Case("dim N\ninput z: 4*N\noutput y = z[0:3*N] * z[N:4*N]", "pad(", "concatenate"),
    "gates of a loop": Case("""dim T, N, H
input x: T x N x H, h[0]: N x H
param W: H x 2*H
for t in 1..T:
    z[t] = h[t-1] @ W
    h[t] = tanh(z[t][:, 0:H] + x[t]) * z[t][:, H:2*H]
output y = h""", "np.concatenate([", "pad("),
    "stacks of a loop": Case("""dim T, N, V
input x: T x N x V, h[0]: N x V
data y: T x N int < V
param W: V x V
for t in 1..T:
    h[t] = tanh(x[t] + h[t-1] @ W)
    l[t] = cross_entropy(h[t], y[t])
output o = l""", "h_t = h[t] = np.tanh(", "h[t] = h_t"),
    "an entry of a stacked row is changed first": Case("""dim T, N, V
input x: T x N x V, h[0]: N x V
data y: T x N int < V
param W: V x V
for t in 1..T:
    h[t] = x[t] + h[t-1] @ W
    l[t] = cross_entropy(h[t], y[t])
output o = l""", "dx[t] = dh_t", "= dx[t] ="),
    "two tables": Case("dim N, V, D\ninput U: V x D\ndata i: N int < V, j: N x 2 int < V\n"
                       "output y = U[i] * U[j][:, 0]\noutput u = U[j] + 1", "np.concatenate([", "+ scatter_add"),
    "picked": Case("""dim N, T, V
input z: N x T x V
data y: N x T int < V
output lp = -cross_entropy(z, y)""", "[at] = ", "put_along_axis"),
    "largest of windows": Case("dim N\ninput x: N x 4 x 6 x 2\noutput y = max_pool2d(x, 2)", "to_largest(", " == "),
    "largest of overlapping windows": Case("dim N\ninput x: N x 5 x 5 x 2\noutput y = max_pool2d(x, 3, stride=1)",
                                           "to_largest(", " == "),
    "largest of windows of ReLU": Case("dim N\ninput x: N x 4 x 6 x 2\noutput y = max_pool2d(relu(x), 2)",
                                       "(y > 0)", "x > 0"),
    "largest of overlapping windows of ReLU": Case("""dim N
input x: N x 5 x 5 x 2
output y = max_pool2d(relu(2 * x), 3, stride=1)""", "(y > 0)", "z > 0"),
    "windows of a ReLU with a name": Case("""dim N
input x: N x 4 x 4 x 2
h = relu(x)
output y = max_pool2d(h, 2)""", "(x > 0)", "(y > 0)"),
    "means of windows": Case("dim N\ninput x: N x 4 x 6 x 2\noutput y = avg_pool2d(x, 2)",
                             "np.repeat(np.repeat(", " fold("),
    "means of windows of the first axis": Case(
        "dim N\ninput x: 6 x N\noutput y = mean(unfold(x, 3, axis=0, stride=3), axis=1)", "np.repeat(", " fold("),
    "means of overlapping windows": Case("dim N\ninput x: N x 4 x 6 x 2\noutput y = avg_pool2d(x, 2, stride=1)",
                                         " fold(", "np.repeat("),
    "sums of the places in windows": Case(
        "dim N\ninput x: N x 6\noutput y = sum(unfold(x, 2, axis=1, stride=2), axis=1)", " fold(", "np.repeat("),
    "copies": Case("dim N\ninput x: N x 3\noutput y = repeat(x, 3, axis=1) * repeat(x, 3, axis=1)\n"
                   "output z = repeat(x, N)", "np.repeat(", "broadcast_to"),
    "the whole again": Case("dim N\ninput x: N x 3\noutput y = tile(x, (2, 1)) * 2", "broadcast_to", "np.repeat("),
    "channels": Case("dim N\ninput x: N x 2 x 3 x 2, b: 2\noutput y = tanh(x + b)", "np.einsum(", ".sum("),
    "guarded sums": Case("""dim N, V
input p: N x V, t: N x V
output y = sum(t * log(p), axis=1)
output s = sum(t * log(p) + p * log(t))
output u = sum(p * log(t), axis=0)""", "dot_selected(", ").sum(axis="),
    "guarded sums of more": Case("dim N, V\ninput p: N x V, t: N x V, w: N x V\noutput s = sum(w * t * log(p), axis=1)",
                                 "sum_selected(", ").sum(axis="),
    "sums of products": Case("""dim N, D
input x: N x D, w: N x 1, b: D
output y = sum(tanh(x) * x, axis=1)
output u = sum(exp(x) * b, axis=1, keepdims=True)
output v = sum(x * w, axis=0)
output s = sum(x^2, axis=0)""", "np.einsum(", "* x).sum(axis"),
}


def results(model: Model, folder: Path, level: int, arrays: dict[str, Any]) -> dict[str, Any]:
    module = emit(model, folder, level=level)
    params = {n: a for n, a in arrays.items() if n in model.params}
    found, cache = module.forward(params, {n: a for n, a in arrays.items() if n not in params})
    outputs = found if isinstance(found, dict) else {"": found}
    upstream = {n: np.random.default_rng(5).normal(size=np.shape(a)) for n, a in outputs.items()}
    grads = module.backward(cache, upstream if isinstance(found, dict) else upstream[""])
    return {**outputs, **{f"d{n}": g for n, g in grads.items()}}


def drawn(model: Model, sizes: dict[str, int], seed: int) -> dict[str, Any]:
    """Small whole numbers, so that there are ties."""
    rng = np.random.default_rng(seed)
    shapes = {n: evaluate_shape(r.shape, sizes) for n, r in model.leaves().items()}
    below = {n: evaluate_shape((r.attr.below,), sizes)[0] for n, r in model.leaves().items() if r.kind == "int"}
    return {n: rng.integers(0, below[n], s) if n in below else rng.integers(-2, 3, s) / 2 for n, s in shapes.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_same_values(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = Model.parse(case.text, name="lowered")
    code = passes(model)
    assert case.has in code and case.lacks not in code, code
    for seed, size in enumerate((2, 3, 0)):
        sizes = {d: size for d in model.sizes} | ({"V": 3} if "V" in model.sizes else {})
        arrays = drawn(model, sizes, seed)
        floats = [a for n, a in arrays.items() if a.dtype.kind == "f" and a.size]
        for value in (None, np.nan, np.inf) if seed == 1 else (None,):
            if value is not None:
                floats[0].reshape(-1)[1] = value
            with np.errstate(all="ignore"):
                plain, ours = (results(model, tmp_path, level, arrays) for level in (0, 1))
            for n, expected in plain.items():
                np.testing.assert_allclose(ours[n], expected, rtol=1e-12, atol=1e-13, err_msg=n)


def passes(model: Model) -> str:
    """The code of forward and backward."""
    source = codegen(model, level=1, verify=False)
    return body(source, "forward") + body(source, "backward")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_shares_of_windows_of_a_relu_that_are_put_elsewhere(level: int) -> None:
    """The mask of a ReLU goes to the largest entries only where the windows added up are those that were taken."""
    windows = "unfold(unfold(relu(z), 2, axis=0, stride=2), 2, axis=2, stride=2)"
    ties = f"equal({windows}, max({windows}, axis=(1, 3))[:, None, :, None, :])"
    model = Model.parse(f"""dim C
param z: 5 x 5 x C
data g: 2 x 2 x C
loss L = sum(unfold(unfold(relu(z), 2, axis=1, stride=2), 2, axis=0, stride=3)
  * (g[:, None, :, None, :] * {ties} / sum({ties}, axis=(1, 3), keepdims=True)))""")
    assert verify_source(codegen(model, level=level, verify=False), model, trials=1).passed


@pytest.mark.parametrize("level", [1, 2])
def test_ties_that_another_row_reads_are_there_for_the_gradient_too(level: int) -> None:
    """Those of a pool, where the outputs are first and second derivatives."""
    model = Model("pool")
    shape = (model.dim("N"), 4, 4, 2)
    X, v = model.param("X", shape), model.data("v", shape)
    (first,) = grad(F.sum(F.max_pool2d(F.tanh(X), 2) ** 2), [X])
    model.output("G", first)
    model.output("H", grad(F.sum(first * v), [X])[0])
    assert verify_source(codegen(model, level=level, verify=False), model, trials=1).passed


GATED = ["silu(x)", "swish(x, 1.5)", "gelu_sigmoid(x)", "2 * silu(x)", "silu(silu(x))"]


@pytest.mark.parametrize("text", GATED)
def test_the_slope_of_a_gate_is_made_of_what_it_gates(text: str, tmp_path: Path) -> None:
    """s + x·s·(1 − s) at random, and where x·s or x is infinite, tiny or 0."""
    model = Model.parse(f"dim N\ninput x: N\noutput y = {text}", name="gate")
    assert "limited(x)" not in body(codegen(model, verify=False), "backward")
    plain, quick = (emit(model, tmp_path, level=level) for level in (0, 1))
    special = [0, -0.0, 5e-324, -1e-300, 1e13, -1e13, 1e200, -1e200, np.inf, -np.inf, 37, -37, 745, -745]
    x = np.concatenate([np.random.default_rng(0).normal(scale=5, size=2000), special])
    with np.errstate(all="ignore"):
        results = [m.backward(m.forward({}, {"x": x})[1], np.ones_like(x))["x"] for m in (plain, quick)]
    assert np.isfinite(results[1][np.isfinite(x)]).all()
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12, atol=1e-15)
