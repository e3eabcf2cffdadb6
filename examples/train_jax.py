"""A JAX training loop whose hidden layer is emitted: `apply` has its derived backward pass under jax.grad, jax.jit and
jax.vmap, beside JAX's own functions. The gradients are compared with JAX's first.

Needs the extra `jax`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from emitting import emitted

LAYER = """
dim N, D, H
input X: N x D
param W: D x H, b: H, V: D x H, c: H
output Y = silu(X @ W + b) * (X @ V + c)
"""
STEPS = 300


def spirals(key: jax.Array, count: int = 100) -> tuple[jax.Array, jax.Array]:
    """Three arms that wind around each other, as points and the number of their arm."""
    along, arm = jnp.tile(jnp.linspace(0.1, 1, count), 3), jnp.repeat(jnp.arange(3), count)
    angle = 4 * along + arm * 2 * jnp.pi / 3 + 0.1 * jax.random.normal(key, (3 * count,))
    return jnp.stack([along * jnp.cos(angle), along * jnp.sin(angle)], 1), arm


def loss_of(layer: Any, params: Any, x: jax.Array, arm: jax.Array) -> jax.Array:
    """The mean cross-entropy of a network of the emitted layer and a linear one."""
    logits = layer.apply(params["hidden"], {"X": x}) @ params["out"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), arm[:, None], 1).mean()


def difference(layer: Any, params: Any, x: jax.Array) -> float:
    """The largest difference of the layer's gradients from JAX's own, of all the points one by one."""
    def plain(p: Any, data: Any) -> jax.Array:
        return jax.nn.silu(data["X"] @ p["W"] + p["b"]) * (data["X"] @ p["V"] + p["c"])

    ours, theirs = (jax.vmap(jax.grad(lambda p, a, f=f: (f(p, {"X": a[None]}) ** 2).sum()), (None, 0))(params, x)
                    for f in (layer.apply, plain))
    return max(float(abs(ours[n] - theirs[n]).max()) for n in params)


def main() -> float:
    """Train; the share of points whose arm is found."""
    layer, keys = emitted(LAYER, wrap="jax", dtype="float32"), jax.random.split(jax.random.key(0), 3)
    x, arm = spirals(keys[0])
    params = {"hidden": layer.init_params(keys[1], D=2, H=64), "out": 0.1 * jax.random.normal(keys[2], (64, 3))}
    print(f"gradients differ from JAX's by {difference(layer, params['hidden'], x):.0e}")

    @jax.jit
    def step(params: Any, velocity: Any) -> tuple[Any, Any, jax.Array]:
        loss, grads = jax.value_and_grad(lambda p: loss_of(layer, p, x, arm))(params)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, grads)
        return jax.tree.map(lambda p, v: p - 0.1 * v, params, velocity), velocity, loss

    velocity = jax.tree.map(jnp.zeros_like, params)
    for k in range(STEPS):
        params, velocity, loss = step(params, velocity)
        if k % 100 == 0 or k == STEPS - 1:
            print(f"step {k}: loss {loss:.3f}")
    logits = layer.apply(params["hidden"], {"X": x}) @ params["out"]
    right = float((logits.argmax(1) == arm).mean())
    print(f"{100 * right:.1f} % of the points right")
    return right


if __name__ == "__main__":
    main()
