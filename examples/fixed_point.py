"""The gradient through a fixed point z = f(z), by the implicit function theorem: no iteration is differentiated.

The fixed point is found by Newton's method, each step of which solves (I − J)s = f(z) − z with products J v (jvp). The
gradient of a loss of it is that of f under the upstream gradient λ, where (I − Jᵀ)λ = ∂L/∂z, solved with products Jᵀu
(backward), as in deep equilibrium models (Bai, Kolter and Koltun 2019). Run: python examples/fixed_point.py
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from emitting import emitted
from scipy.sparse.linalg import LinearOperator, gmres

LAYER = """
dim H
input z: H, x: H
param W: H x H, b: H
output f = tanh(W @ z + x + b)
"""
HEAD = """
dim H
input z: H
data target: H
param scale
loss L = sum((scale * z - target)**2) / 2
"""
Arrays = dict[str, np.ndarray]


def solved(product: object, right: np.ndarray) -> np.ndarray:
    """The solution of (I − M)s = right, where M is known by its products."""
    matrix = LinearOperator((len(right),) * 2, matvec=lambda v: v - product(v))  # type: ignore[operator]
    found, _ = gmres(matrix, right, rtol=1e-12, atol=0.0)
    return np.asarray(found)


def fixed_point(layer: ModuleType, params: Arrays, x: np.ndarray) -> tuple[np.ndarray, int]:
    """z = f(z), and after how many steps."""
    z, still = np.zeros(len(x)), {n: np.zeros_like(a) for n, a in params.items()}
    steps = 0
    while steps < 50:
        data = {"z": z, "x": x}
        off = layer.forward(params, data)[0] - z
        if np.abs(off).max() < 1e-13:
            break
        steps += 1
        z = z + solved(lambda v, data=data: layer.jvp(params, data, {**still, "z": v})["f"], off)
    return z, steps


def gradient(layer: ModuleType, head: ModuleType, params: Arrays, x: np.ndarray, given: Arrays) -> tuple[float, Arrays]:
    """The loss at the fixed point, and its gradients by the layer's parameters."""
    z, _ = fixed_point(layer, params, x)
    loss, slopes = head.loss_and_grads({"scale": np.array(1.0)}, {"z": z, **given})
    cache = layer.forward(params, {"z": z, "x": x})[1]
    upstream = solved(lambda u: layer.backward(cache, u)["z"], slopes["z"])
    return float(loss), {n: g for n, g in layer.backward(cache, upstream).items() if n in params}


def main() -> float:
    """The largest difference between a gradient and differences of the loss, relative to the largest entry."""
    rng, size = np.random.default_rng(0), 8
    layer, head = emitted(LAYER, jvp=True), emitted(HEAD)
    params = {"W": 0.3 * rng.normal(size=(size, size)), "b": rng.normal(size=size)}
    x, given = rng.normal(size=size), {"target": rng.normal(size=size)}
    _, steps = fixed_point(layer, params, x)
    loss, grads = gradient(layer, head, params, x, given)
    worst = 0.0
    for n, g in grads.items():
        v = rng.normal(size=g.shape)
        near = [gradient(layer, head, {**params, n: params[n] + t * v}, x, given)[0] for t in (1e-5, -1e-5)]
        worst = max(worst, abs((near[0] - near[1]) / 2e-5 - float(np.sum(g * v))) / float(np.abs(g).max()))
    print(f"fixed point after {steps} steps of Newton's method; loss {loss:.6f}; "
          f"gradients agree with differences to {worst:.0e}")
    return worst


if __name__ == "__main__":
    main()
