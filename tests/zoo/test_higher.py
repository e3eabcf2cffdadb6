"""Third derivatives of whole models against JAX: through loops, through convolution, through both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from symbackprop import Model
from symbackprop.core import functions as F
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verify.interpreter import evaluate
from tests.sweeps import few_in_ci
from tests.zoo.helpers import distance

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
jnp, nn = jax.numpy, jax.nn
pytestmark = pytest.mark.oracle

Arrays = dict[str, Any]
SIZES = {"T": 3, "N": 2, "E": 2, "H": 3, "L": 2, "S": 5, "K": 2, "C": 3}


def rnn(a: Arrays) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = jnp.tanh(x @ a["W"] + h @ a["U"])
        return h, h

    last, every = jax.lax.scan(step, a["h0"], a["x"])
    return jnp.mean(every**2) + jnp.sum(jnp.sin(last))


def lstm(a: Arrays) -> Any:
    def step(carry: Any, x: Any) -> Any:
        h, s = carry
        i, f, g = jnp.split(x @ a["W"] + h @ a["U"], 3, -1)
        s = nn.sigmoid(f) * s + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(g) * jnp.tanh(s)
        return (h, s), h

    (_, s), h = jax.lax.scan(step, (a["h0"], a["s0"]), a["x"])
    return jnp.mean(h**2) + jnp.mean(s)


def layers(a: Arrays) -> Any:
    x = a["X0"]
    for w in a["W"]:
        c = x + nn.silu(x @ w)
        c = c - c.mean(-1, keepdims=True)
        x = c / jnp.sqrt((c**2).mean(-1, keepdims=True) + 1e-5)
    return jnp.mean(x**3) + jnp.mean(x[:, 0] ** 2)


def correlate(x: Any, w: Any, stride: int = 1, padding: int = 0) -> Any:
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, w, (stride,) * 2, [(padding,) * 2] * 2, dimension_numbers=numbers)


def conv(a: Arrays) -> Any:
    z = jnp.tanh(correlate(a["X"], a["W"], 1, 1) + a["b"])
    return jnp.mean(correlate(z, a["V"], 2) ** 2)


def conv_net(a: Arrays) -> Any:
    z = nn.softplus(correlate(a["X"], a["W"]))
    pooled = jax.lax.reduce_window(z, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID")
    logits = pooled.reshape(len(z), -1) @ a["U"]
    return jnp.mean(nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, a["y"][:, None], -1)[:, 0])


def conv_in_loop(a: Arrays) -> Any:
    x = a["X"]
    for _ in range(SIZES["T"]):
        x = jnp.tanh(x + correlate(x, a["W"], 1, 1))
    return jnp.mean(x**2)


MODELS: dict[str, tuple[str, Callable[[Arrays], Any]]] = {
    "rnn": ("""
dim T, N, E, H
data x: T x N x E, h[0]: N x H
param W: E x H, U: H x H
for t in 1..T:
    h[t] = tanh(x[t] @ W + h[t-1] @ U)
loss L = mean(h ** 2) + sum(sin(h[T]))
""", rnn),
    "lstm": ("""
dim T, N, E, H
data x: T x N x E, h[0]: N x H, s[0]: N x H
param W: E x 3*H, U: H x 3*H
for t in 1..T:
    z[t] = x[t] @ W + h[t-1] @ U
    s[t] = sigmoid(z[t][:, H:2*H]) * s[t-1] + sigmoid(z[t][:, 0:H]) * tanh(z[t][:, 2*H:3*H])
    h[t] = sigmoid(z[t][:, 2*H:3*H]) * tanh(s[t])
loss J = mean(h ** 2) + mean(s[T])
""", lstm),
    "layers": ("""
dim L, N, H
data X[0]: N x H
param W: L x H x H
for l in 1..L:
    X[l] = layer_norm(X[l-1] + silu(X[l-1] @ W[l]))
loss J = mean(X[L] ** 3) + mean(X[L][:, 0] ** 2)
""", layers),
    "conv": ("""
dim N, S, C, K
data X: N x S x S x C
param W: 3 x 3 x C x K, b: K, V: 2 x 2 x K x C
Z = tanh(conv2d(X, W, padding=1) + b)
loss L = mean(conv2d(Z, V, stride=2) ** 2)
""", conv),
    "conv net": ("""
dim N, C, K
data X: N x 5 x 5 x C, y: N int < 2
param W: 2 x 2 x C x K, U: 9*K x 2
P = max_pool2d(softplus(conv2d(X, W)), 2, stride=1)
loss L = mean(cross_entropy(reshape(P, N, 9*K) @ U, y))
""", conv_net),
    "convolution in a loop": ("""
dim T, N, S, C
data X[0]: N x S x S x C
param W: 3 x 3 x C x C
for t in 1..T:
    X[t] = tanh(X[t-1] + conv2d(X[t-1], W, padding=1))
loss L = mean(X[T] ** 2)
""", lambda a: conv_in_loop({**a, "X": a["X0"]})),
}
CHAINS = {
    "rnn": ["WWW", "WUW", "UUU"], "lstm": ["UWU", "WWW"], "layers": ["WWW"], "conv": ["WWW", "WbV", "VWW"],
    "conv net": ["WWW", "WUW"], "convolution in a loop": ["WWW"],
}
CASES = [(name, chain) for name, chains in CHAINS.items() for chain in chains]


def arrays(model: Model) -> Arrays:
    rng = np.random.default_rng(11)
    shapes = {name: (row.kind, evaluate_shape(row.shape, SIZES)) for name, row in model.leaves().items()}
    return {n: rng.integers(0, 2, s) if kind == "int" else 0.6 * rng.normal(size=s) for n, (kind, s) in shapes.items()}


def directions(at: Arrays, chain: str) -> list[Any]:
    rng = np.random.default_rng(12)
    return [rng.normal(size=at[name].shape) for name in chain[:-1]]


def ours(model: Model, at: Arrays, chain: str) -> Any:
    """∂/∂w₃ (c₂·∂/∂w₂ (c₁·∂L/∂w₁)), c₁ and c₂ being fixed arrays."""
    row, given = model.loss_row, dict(at)
    for k, (name, c) in enumerate(zip(chain, directions(at, chain), strict=False)):
        given[f"towards{k}"] = c
        arrow = model.graph.leaf(f"towards{k}", model.params[name].shape)
        row = F.sum(arrow * grad(row, [model.params[name]])[0])
    return evaluate(grad(row, [model.params[chain[-1]]]), given, SIZES)[0]


def theirs(loss: Callable[[Arrays], Any], at: Arrays, chain: Sequence[str]) -> Any:
    names = sorted(set(chain))

    def function(p: Arrays) -> Any:
        return loss({**at, **p})

    for name, c in zip(chain, directions(at, "".join(chain)), strict=False):
        function = _along(function, name, c)
    return jax.jit(jax.grad(function))({n: at[n] for n in names})[chain[-1]]


def _along(function: Callable[[Arrays], Any], name: str, c: Any) -> Callable[[Arrays], Any]:
    return lambda p: jnp.sum(c * jax.grad(function)(p)[name])


@pytest.mark.parametrize(("name", "chain"), few_in_ci([pytest.param(n, c, id=f"{n} {c}") for n, c in CASES], 2))
def test_third_derivatives(name: str, chain: str) -> None:
    text, loss = MODELS[name]
    model = Model.parse(text)
    at = arrays(model)
    expected = theirs(loss, at, chain)
    assert np.any(np.asarray(expected))
    assert distance(ours(model, at, chain), expected) <= 1e-10
