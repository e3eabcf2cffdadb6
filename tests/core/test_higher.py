"""Derivatives of derivatives against JAX: the sweep applied to its own results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from symbackprop.core.reverse import grad
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close
from tests.sweeps import few_in_ci

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
jnp, nn = jax.numpy, jax.nn
pytestmark = pytest.mark.oracle

SHAPES = {"X": (4, 3), "W": (3, 3), "b": (3,), "V": (3, 2)}
INDEX = np.array([2, 0, 2, 1])


class Jax:
    """The same functions in JAX, so that a model is written once."""

    tanh, sigmoid, softplus, softmax = jnp.tanh, nn.sigmoid, nn.softplus, nn.softmax
    exp, log, sin, sum, mean = jnp.exp, jnp.log, jnp.sin, jnp.sum, jnp.mean
    logsumexp, einsum, silu, roll = nn.logsumexp, jnp.einsum, nn.silu, jnp.roll
    sqrt, cumsum, reshape = jnp.sqrt, jnp.cumsum, jnp.reshape
    gelu = staticmethod(lambda x: nn.gelu(x, approximate=False))
    stack = staticmethod(lambda a, b, axis: jnp.stack([a, b], axis))
    concat = staticmethod(lambda a, b, axis: jnp.concatenate([a, b], axis))
    norm = staticmethod(lambda a: jnp.sqrt(jnp.sum(a**2)))
    var = staticmethod(lambda a, axis: jnp.var(a, axis=axis))

    @staticmethod
    def layer_norm(x: Any) -> Any:
        c = x - x.mean(-1, keepdims=True)
        return c / jnp.sqrt((c**2).mean(-1, keepdims=True) + 1e-5)

    @staticmethod
    def rms_norm(x: Any) -> Any:
        return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)

    @staticmethod
    def cross_entropy(z: Any, y: Any) -> Any:
        return nn.logsumexp(z, -1) - jnp.take_along_axis(z, y[:, None], -1)[:, 0]

    @staticmethod
    def cross_entropy_dist(z: Any, p: Any) -> Any:
        return -(p * nn.log_softmax(z)).sum(-1)


class Rows:
    """The functions of the language under the names used here."""

    def __getattr__(self, name: str) -> Any:
        return F.cross_entropy if name == "cross_entropy_dist" else getattr(F, name)


MODELS: dict[str, Callable[..., Any]] = {
    "tanh": lambda f, X, W, b, V, i: f.sum(f.tanh(f.tanh(X @ W + b) @ V) ** 2),
    "softplus": lambda f, X, W, b, V, i: f.mean(f.softplus(X @ W + b) @ V),
    "sigmoid": lambda f, X, W, b, V, i: f.sum(f.sigmoid(f.sigmoid(X @ W) * b)),
    "gelu": lambda f, X, W, b, V, i: f.mean(f.gelu(X @ W + b) @ V),
    "silu": lambda f, X, W, b, V, i: f.sum(f.silu(X @ W + b)),
    "softmax": lambda f, X, W, b, V, i: f.sum(f.softmax(X @ W + b) @ V * X[:, :2]),
    "logsumexp": lambda f, X, W, b, V, i: f.sum(f.logsumexp(X @ W * b, axis=-1) ** 2),
    "layer norm": lambda f, X, W, b, V, i: f.sum(f.tanh(f.layer_norm(X @ W) * b) @ V),
    "rms norm": lambda f, X, W, b, V, i: f.mean((f.rms_norm(X @ W + b) @ V) ** 3),
    "variance": lambda f, X, W, b, V, i: f.sum(f.var(f.exp(X @ W), axis=0) * b),
    "cross entropy": lambda f, X, W, b, V, i: f.mean(f.cross_entropy(f.tanh(X @ W) + b, i)),
    "soft targets": lambda f, X, W, b, V, i: f.mean(f.cross_entropy_dist(X @ W, f.softmax(b * X))),
    "rows by index": lambda f, X, W, b, V, i: f.sum(f.tanh(W[i] * X) ** 2 @ V),
    "slices": lambda f, X, W, b, V, i: f.sum(f.sin(W[1:] @ W[:, ::-1]) * X[1:3] * b[::-1]),
    "concat": lambda f, X, W, b, V, i: f.sum(f.concat(f.tanh(X @ W), X * b, axis=1) ** 3),
    "stack and roll": lambda f, X, W, b, V, i: f.sum(f.stack(f.roll(X @ W, 1, 0), f.exp(X) * b, axis=0) ** 2),
    "einsum": lambda f, X, W, b, V, i: f.sum(f.einsum("ni,ij,nj,j->n", X, W, f.tanh(X), b) ** 2),
    "attention": lambda f, X, W, b, V, i: f.sum(f.softmax((X @ W) @ (X * b).T / 2) @ X @ V),
    "norm": lambda f, X, W, b, V, i: f.norm(X @ W + b) ** 3 + f.sqrt(1 + f.sum(V**2)),
    "quotients": lambda f, X, W, b, V, i: f.sum((X @ W) / (2 + f.sin(b)) ** 2 + f.log(3 + X * b)),
    "cumulative": lambda f, X, W, b, V, i: f.sum(f.exp(f.cumsum(W * b, axis=0) / 4)),
    "quadratic": lambda f, X, W, b, V, i: b @ W @ b + f.sum(f.reshape(W, (9,))[2:5] * b),
}


def numbers() -> dict[str, Any]:
    rng = np.random.default_rng(21)
    return {name: 0.6 * rng.normal(size=shape) for name, shape in SHAPES.items()}


def directions(name: str, count: int) -> list[Any]:
    rng = np.random.default_rng(len(name))
    return [rng.normal(size=SHAPES[name]) for _ in range(count)]


def rows_of(model: Callable[..., Any]) -> tuple[Graph, dict[str, Node], Node]:
    g = Graph()
    leaves = {name: g.leaf(name, shape) for name, shape in SHAPES.items()}
    return g, leaves, model(Rows(), *leaves.values(), g.leaf("i", (4,), kind="int", below=3))


def ours(model: Callable[..., Any], chain: Sequence[str]) -> Any:
    """∂/∂w₃ (c₂·∂/∂w₂ (c₁·∂L/∂w₁)) … for the leaves in ``chain``, c being fixed arrays."""
    g, leaves, row = rows_of(model)
    given = {**numbers(), "i": INDEX}
    for k, name in enumerate(chain[:-1]):
        c = g.leaf(f"c{k}", SHAPES[name])
        given[f"c{k}"] = directions(name, k + 1)[k]
        row = F.sum(c * grad(row, [leaves[name]])[0])
    return evaluate(grad(row, [leaves[chain[-1]]]), given)[0]


def theirs(model: Callable[..., Any], chain: Sequence[str]) -> Any:
    at, names = numbers(), list(SHAPES)

    def loss(*arrays: Any) -> Any:
        return model(Jax, *arrays, INDEX)

    function = loss
    for k, name in enumerate(chain[:-1]):
        function = _weighted(function, names.index(name), directions(name, k + 1)[k])
    return np.asarray(jax.jit(jax.grad(function, names.index(chain[-1])))(*at.values()))


def _weighted(function: Callable[..., Any], place: int, c: Any) -> Callable[..., Any]:
    return lambda *arrays: jnp.sum(c * jax.grad(function, place)(*arrays))


@pytest.mark.parametrize("chain", [("W",), ("b",), ("W", "W"), ("b", "W"), ("W", "b", "W")], ids=lambda c: "".join(c))
@pytest.mark.parametrize("name", few_in_ci(MODELS, 3))
def test_derivatives_up_to_the_third(name: str, chain: tuple[str, ...]) -> None:
    close(ours(MODELS[name], chain), theirs(MODELS[name], chain), 1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_hessians_are_symmetric(name: str) -> None:
    """uᵀHv = vᵀHu, u and v in different parameters."""
    _, leaves, row = rows_of(MODELS[name])
    given = {**numbers(), "i": INDEX}
    g = row.graph
    u, v = g.leaf("u", SHAPES["W"]), g.leaf("v", SHAPES["b"])
    given |= {"u": directions("W", 1)[0], "v": directions("b", 1)[0]}
    by_w, by_b = grad(row, [leaves["W"], leaves["b"]])
    one = F.sum(v * grad(F.sum(u * by_w), [leaves["b"]])[0])
    other = F.sum(u * grad(F.sum(v * by_b), [leaves["W"]])[0])
    first, second = evaluate([one, other], given)
    close(first, second, 1e-12)
