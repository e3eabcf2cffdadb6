"""Loops against JAX: values, gradients, derivatives of gradients, and what a loop costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symbackprop import Model
from symbackprop.core import functions as F
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
jnp, nn = jax.numpy, jax.nn
pytestmark = pytest.mark.oracle

SIZES = {"T": 3, "N": 2, "E": 2, "H": 2, "V": 4, "L": 3}

RNN = """
dim T, N, E, H
data c: T x N x E, h[0]: N x H
param W_e: E x H, W_h: H x H, b: H
for t in 1..T:
    h[t] = tanh(c[t] @ W_e + h[t-1] @ W_h + b)
"""


def rnn(a: dict[str, Any]) -> Any:
    h, all_h = a["h0"], []
    for x in a["c"]:
        h = jnp.tanh(x @ a["W_e"] + h @ a["W_h"] + a["b"])
        all_h.append(h)
    return jnp.stack(all_h)


def lstm(a: dict[str, Any]) -> Any:
    h, s, loss = a["h0"], a["s0"], 0.0
    for t in range(3):
        z = a["c"][t] @ a["W"] + h @ a["U"]
        i, f, g = nn.sigmoid(z[:, :2]), nn.sigmoid(z[:, 2:4]), jnp.tanh(z[:, 4:])
        s = f * s + i * g
        h = nn.sigmoid(s) * jnp.tanh(s)
        loss = loss + jnp.sum(h * s)
    return loss + jnp.mean(h**2)


def words(a: dict[str, Any]) -> Any:
    h, loss = a["h0"], 0.0
    for t in range(3):
        h = jnp.tanh(a["C"][a["w"][t]] + h @ a["W_h"])
        z = h @ a["W_o"]
        loss = loss + jnp.mean(nn.logsumexp(z, -1) - jnp.take_along_axis(z, a["y"][t][:, None], -1)[:, 0])
    return loss / 3


def layers(a: dict[str, Any]) -> Any:
    x = a["X0"]
    for k in range(3):
        x = x + nn.relu(x @ a["W"][k] + a["b"][k])
    return jnp.mean(x**2)


def unused(a: dict[str, Any]) -> Any:
    h = a["h0"]
    for x in a["c"]:
        h = jnp.tanh(h @ a["W_h"]) * x.mean()
    return jnp.sum(h[0]) * a["b"].sum()


MODELS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "last state": (RNN + "loss L = mean(h[T] ** 2)", lambda a: jnp.mean(rnn(a)[-1] ** 2)),
    "all states": (RNN + "loss L = sum(h * h) / 7", lambda a: jnp.sum(rnn(a) ** 2) / 7),
    "both": (RNN + "loss L = sum(sin(h)) + mean(h[T] ** 3)",
             lambda a: jnp.sum(jnp.sin(rnn(a))) + jnp.mean(rnn(a)[-1] ** 3)),
    "two carried arrays": ("""
dim T, N, E, H
data c: T x N x E, h[0]: N x H, s[0]: N x H
param W: E x 3*H, U: H x 3*H
for t in 1..T:
    z[t] = c[t] @ W + h[t-1] @ U
    i[t] = sigmoid(z[t][:, 0:H])
    f[t] = sigmoid(z[t][:, H:2*H])
    g[t] = tanh(z[t][:, 2*H:3*H])
    s[t] = f[t] * s[t-1] + i[t] * g[t]
    h[t] = sigmoid(s[t]) * tanh(s[t])
loss L = sum(h * s) + mean(h[T] ** 2)
""", lstm),
    "words": ("""
dim T, N, H, V
data w: T x N int < V, y: T x N int < V, h[0]: N x H
param C: V x H, W_h: H x H, W_o: H x V
for t in 1..T:
    h[t] = tanh(C[w[t]] + h[t-1] @ W_h)
    e[t] = mean(cross_entropy(h[t] @ W_o, y[t]))
loss L = mean(e)
""", words),
    "layers": ("""
dim L, N, H
data X[0]: N x H
param W: L x H x H, b: L x H
for l in 1..L:
    X[l] = X[l-1] + relu(X[l-1] @ W[l] + b[l])
loss J = mean(X[L] ** 2)
""", layers),
    "parameter outside the loop": ("""
dim T, N, E, H
data c: T x N x E, h[0]: N x H
param W_h: H x H, b: H
for t in 1..T:
    h[t] = tanh(h[t-1] @ W_h) * mean(c[t])
loss L = sum(h[T][0]) * sum(b)
""", unused),
}


def arrays(model: Model) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    return {
        name: rng.integers(0, SIZES["V"], evaluate_shape(row.shape, SIZES)) if row.kind == "int"
        else rng.normal(size=evaluate_shape(row.shape, SIZES)) * 0.7
        for name, row in model.leaves().items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_values_and_gradients(name: str) -> None:
    text, theirs = MODELS[name]
    model = Model.parse(text)
    at = arrays(model)
    params = {k: at[k] for k in model.params}
    value, slopes = jax.jit(jax.value_and_grad(lambda p: theirs({**at, **p})))(params)
    found = evaluate([model.loss_row, *grad(model.loss_row, list(model.params.values()))], at, SIZES)
    close(found[0], value)
    for key, ours in zip(model.params, found[1:], strict=True):
        close(ours, slopes[key])


@pytest.mark.parametrize("name", MODELS)
def test_hessian_vector_products(name: str) -> None:
    """The reverse loop is a loop, so it can be differentiated again."""
    text, theirs = MODELS[name]
    model = Model.parse(text)
    at = arrays(model)
    params = {k: at[k] for k in model.params}
    towards = {k: np.cos(1.0 + np.arange(v.size)).reshape(v.shape) for k, v in params.items()}

    def along(p: Any) -> Any:
        slopes = jax.grad(lambda q: theirs({**at, **q}))(p)
        return sum(jnp.sum(slopes[k] * towards[k]) for k in towards)

    expected = jax.jit(jax.grad(along))(params)
    g, rows = model.graph, list(model.params.values())
    arrows = [g.leaf(f"v_{r.name}", r.shape) for r in rows]
    total = g.const(0)
    for slope, arrow in zip(grad(model.loss_row, rows), arrows, strict=True):
        total = total + F.sum(slope * arrow)
    given = {**at, **{f"v_{k}": v for k, v in towards.items()}}
    for key, ours in zip(model.params, evaluate(grad(total, rows), given, SIZES), strict=True):
        close(ours, expected[key], 1e-9)


def test_rows_do_not_depend_on_the_length() -> None:
    counts = set()
    for length in (3, 1000, None):
        dims = f"dim T = {length}, N, E, H" if length else "dim T, N, E, H"
        model = Model.parse(RNN.replace("dim T, N, E, H", dims) + "loss L = mean(h[T] ** 2)")
        grad(model.loss_row, list(model.params.values()))
        counts.add(len(model.graph.nodes))
    assert len(counts) == 1


def test_a_loop_of_one_step() -> None:
    model = Model.parse(RNN + "loss L = sum(h)")
    at = {k: v[:1] if k == "c" else v for k, v in arrays(model).items()}
    found = evaluate(grad(model.loss_row, [model.params["W_h"]]), at, {**SIZES, "T": 1})[0]
    h1 = np.tanh(at["c"][0] @ at["W_e"] + at["h0"] @ at["W_h"] + at["b"])
    close(found, at["h0"].T @ (1 - h1**2))
