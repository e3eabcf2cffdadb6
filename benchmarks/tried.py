"""Other ways to compute what emitted modules compute, beside the way that they do, or did at -O1.

    python benchmarks/tried.py

Float32, one thread, CPU time. For each: microseconds of what is emitted, the other way's time divided by that (**below
1, the other way is faster**; median of the ratios of 25 rounds in random order), and the largest error of both against
float64, over the largest entry. The allocator keeps what is freed.
"""

from __future__ import annotations

import os
import sys

KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33), "OPENBLAS_NUM_THREADS": "1"}
if __name__ == "__main__" and any(os.environ.get(k) != v for k, v in KEEPING.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEPING)

import random  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from symbackprop.codegen.helpers import arrays as helpers  # noqa: E402

ROUNDS, REPEATS = 25, 10
T, N, D, H = 50, 32, 64, 128
Way = Callable[..., Any]


class Trial(NamedTuple):
    """What is tried: the way of the modules, the other one, and the arrays that both are given."""

    name: str
    emitted: Way
    other: Way
    given: tuple[Any, ...]


# -- recurrent layers: four gates, each with weights of its own


def gates(h: Any, x: Any, *weights: Any) -> Any:
    """Products with the four weights at every step; everything that a step adds is there before the loop."""
    for t in range(len(x)):
        a, b, c, d = (np.tanh(h @ w + x[t, k]) for k, w in enumerate(weights))
        h = a * b + c * d
    return h


def gates_joined(h: Any, x: Any, *weights: Any) -> Any:
    """One product with weights that are joined before the loop, in one buffer, of which gates are slices."""
    n = weights[0].shape[1]
    whole, x = np.concatenate(weights, axis=1), np.concatenate(list(x.swapaxes(0, 1)), axis=2)
    for t in range(len(x)):
        z = h @ whole
        z += x[t]
        np.tanh(z, out=z)
        h = z[:, :n] * z[:, n : 2 * n] + z[:, 2 * n : 3 * n] * z[:, 3 * n :]
    return h


def gates_back(dz: Any, *weights: Any) -> Any:
    turned, dh = [w.T.copy() for w in weights], 0
    for step in dz:
        dh = sum((d @ w for d, w in zip(step, turned, strict=True)), 0)
    return dh


def gates_back_joined(dz: Any, *weights: Any) -> Any:
    whole, dh = np.concatenate(weights, axis=1).T.copy(), 0
    buffer = np.empty((dz.shape[2], len(whole)), dz.dtype)
    for step in dz:
        for k, d in enumerate(step):  # each gate's gradient is computed in its part
            buffer[:, k * d.shape[1] : (k + 1) * d.shape[1]] = d
        dh = buffer @ whole
    return dh


def turned_once(dz: Any, w: Any) -> Any:
    back = w.T.copy()
    for d in dz[:, 0]:
        found = d @ back
    return found


def turned_always(dz: Any, w: Any) -> Any:
    for d in dz[:, 0]:
        found = d @ w.T
    return found


# -- norms


def batch_norm(x: Any, g: Any, b: Any) -> Any:
    c = x - x.sum(axis=0) / len(x)
    return c / np.sqrt(np.einsum("ij,ij->j", c, c) / len(x) + 1e-5) * g + b


def batch_norm_folded(x: Any, g: Any, b: Any) -> Any:
    """γ·(x − μ)/σ + β = (γ/σ)·x + (β − γ·μ/σ)."""
    mu = x.sum(axis=0) / len(x)
    c = x - mu
    k = g / np.sqrt(np.einsum("ij,ij->j", c, c) / len(x) + 1e-5)
    return x * k + (b - mu * k)


# -- convolutions, 3 × 3 with padding 1


ONE, WINDOW = (1, 1), (3, 3)


def scattered(y: Any, w: Any) -> Any:
    """The gradient by the image: every entry spread over its window."""
    n, rows, columns, k = y.shape
    out = np.zeros((n, rows + 2, columns + 2, w.shape[2]), y.dtype)
    flat = y.reshape(-1, k)
    for i, j in np.ndindex(WINDOW):
        out[:, i : i + rows, j : j + columns] += (flat @ w[i, j].T).reshape(n, rows, columns, -1)
    return out[:, 1:-1, 1:-1]


def flipped(y: Any, w: Any) -> Any:
    """The same as a convolution with the flipped kernel."""
    return helpers.conv2d(y, w[::-1, ::-1].transpose(0, 1, 3, 2), ONE, ONE, y.shape[1:3])


def twice(x: Any, w: Any, y: Any) -> Any:
    """Forward, and the kernel's gradient, which gathers the windows again."""
    size = x.shape[1:3]
    return helpers.conv2d(x, w, ONE, ONE, size), helpers.conv2d_kernel(x, y, ONE, ONE, WINDOW)


def once(x: Any, w: Any, y: Any) -> Any:
    """The same with the windows kept: nine times the image."""
    k = w.shape[-1]
    rows = helpers.patches(x, WINDOW, ONE, ONE, x.shape[1:3])
    return (rows @ w.reshape(-1, k)).reshape(*x.shape[:3], k), (rows.T @ y.reshape(-1, k)).reshape(w.shape)


def pooled(a: Any) -> Any:
    top = np.maximum(a[:, ::2], a[:, 1::2])
    return np.maximum(top[:, :, ::2], top[:, :, 1::2])


# -- softmaxes


def normalised(z: Any, y: Any) -> Any:
    p, top, log = helpers.softmax_parts(z, 1)
    at, dz = (np.arange(len(z)), y), p / len(z)
    dz[at] = (p[at] - 1) / len(z)
    return (top[:, 0] - z[at] + log).sum() / len(z), dz


def exponentials(z: Any, y: Any) -> Any:
    """e and Σe are kept, and divided by N·Σe."""
    at, n, e = (np.arange(len(z)), y), len(z), z - helpers.largest(z, 1)
    picked = e[at]
    np.exp(e, out=e)
    total = helpers.total_of(e, 1)
    dz = e / (total * n)
    dz[at] = (e[at] / total[:, 0] - 1) / n
    return (np.log(total[:, 0]) - picked).sum() / n, dz


def in_blocks(z: Any) -> Any:
    """A softmax of 64 rows at a time, which stay in the cache."""
    out = np.empty_like(z)
    for k in range(0, len(z), 64):
        e = np.subtract(z[k : k + 64], helpers.largest(z[k : k + 64], 1), out=out[k : k + 64])
        np.exp(e, out=e)
        e /= helpers.total_of(e, 1)
    return out


# -- polynomials


def slope(a: Any, t: Any) -> Any:
    """The factor of tanh-GELU's gradient, as it is emitted."""
    return 1 + t + 0.8 * a * (1 - t**2) * (1 + 0.134145 * a**2)


def slope_factored(a: Any, t: Any) -> Any:
    """1 + t + a·(1 − t)·(1 + t)·(c + d·a²) = (1 + t)·(1 + (1 − t)·a·(c + d·a²))."""
    q = a * a
    q *= 0.8 * 0.134145
    q += 0.8
    q *= a
    q *= 1 - t
    q += 1
    q *= 1 + t
    return q


def trials() -> Iterator[Trial]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape)

    for n, width in ((N, H), (4, 32)):
        size, steps = f"batch {n}, width {width}", normal(T, 4, n, width)
        weights = tuple(normal(width, width) / width**0.5 for _ in range(4))
        yield Trial(f"gates as slices of one product, forward, {size}", gates, gates_joined,
                    (normal(n, width), steps, *weights))
        yield Trial(f"the same, backward, {size}", gates_back, gates_back_joined, (steps, *weights))
    yield Trial("no transposed copy of a loop's weight", turned_once, turned_always,
                (normal(T, 4, N, H), normal(H, H) / H**0.5))
    for offset in (0, 1000):
        given = normal(512, 512) + offset, normal(512), normal(512)
        yield Trial(f"affine of a batch norm folded, entries about {offset}", batch_norm, batch_norm_folded, given)
    image, small = normal(32, 14, 14, 16), normal(32, 14, 14, 32)
    yield Trial("windows kept for the kernel's gradient", twice, once, (image, normal(3, 3, 16, 32), small))
    yield Trial("dx by the flipped kernel, 16 → 32 channels", scattered, flipped, (small, normal(3, 3, 16, 32)))
    yield Trial("dx by the flipped kernel, 32 → 16 channels", scattered, flipped, (image, normal(3, 3, 32, 16)))
    yield Trial("bias and ReLU after the pool", lambda a, b: pooled(np.maximum(a + b, 0)),
                lambda a, b: np.maximum(pooled(a) + b, 0), (normal(32, 28, 28, 16), normal(16)))
    for rows in (256, 4096):
        yield Trial(f"bias gradient as a product with ones, {rows} rows", lambda a: a.sum(axis=0),
                    lambda a: np.ones(len(a), a.dtype) @ a, (normal(rows, 256) ** 2,))
    for shape in ((512, 1000), (4, 10**6)):
        yield Trial(f"sum over the last axis by einsum, {shape[0]} × {shape[1]:,}", lambda a: a.sum(axis=1),
                    lambda a: np.einsum("ab->a", a), (normal(*shape) ** 2,))
    yield Trial("e and Σe kept for a softmax", normalised, exponentials,
                (normal(512, 1000), rng.integers(0, 1000, 512)))
    yield Trial("a softmax in blocks of rows", lambda z: helpers.softmax(z, 1), in_blocks, (normal(512, 1000),))
    yield Trial("slope of tanh-GELU factored", slope, slope_factored, (normal(512, 512), np.tanh(normal(512, 512))))


# -- time and error


def flat(result: Any) -> Any:
    return np.concatenate([np.ravel(r) for r in (result if isinstance(result, tuple) else (result,))]).astype(float)


def error(way: Way, given: tuple[Any, ...], exact: Any) -> float:
    return float(np.abs(flat(way(*given)) - exact).max() / np.abs(exact).max())


def timed(way: Way, given: tuple[Any, ...]) -> float:
    way(*given)
    start = time.process_time()
    for _ in range(REPEATS):
        way(*given)
    return (time.process_time() - start) / REPEATS


def main() -> None:
    print("| the other way | emitted, µs | its time | error | its error |\n|---|---|---|---|---|")
    for trial in trials():
        single = tuple(a.astype(np.float32) if a.dtype == float else a for a in trial.given)
        exact = flat(trial.emitted(*[a.astype(float) if a.dtype == np.float32 else a for a in single]))
        ways, pairs = (trial.emitted, trial.other), list[dict[Way, float]]()
        for _ in range(ROUNDS):
            pairs.append({way: timed(way, single) for way in random.sample(ways, 2)})
        took = statistics.median(p[trial.emitted] for p in pairs)
        ratio = statistics.median(p[trial.other] / p[trial.emitted] for p in pairs)
        errors = " | ".join(f"{error(way, single, exact):.0e}" for way in ways)
        print(f"| {trial.name} | {took * 1e6:,.0f} | {ratio:.2f} | {errors} |", flush=True)


if __name__ == "__main__":
    main()
