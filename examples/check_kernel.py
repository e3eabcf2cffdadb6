"""A kernel in the style of Triton, run on the CPU in float32, block by block: a weight is missing in an inner sum."""

from __future__ import annotations

import numpy as np

from symbackprop import Model, check

MODEL = Model.parse("dim N, D\ninput x: N x D\nparam g: D\noutput y = g * rms_norm(x)", name="rms-norm")
BLOCK, EPS = 2, np.float32(1e-5)


def program(pid, x, g, dy, dx, partial, weighted):
    """One program: the rows of one block."""
    rows = np.arange(pid * BLOCK, (pid + 1) * BLOCK)
    rows = rows[rows < x.shape[0]]  # the mask of the loads
    block, d = x[rows], dy[rows]
    rstd = 1 / np.sqrt((block * block).mean(axis=1, keepdims=True) + EPS)
    inner = ((d * g if weighted else d) * block).mean(axis=1, keepdims=True)
    dx[rows] = rstd * d * g - block * rstd**3 * inner
    partial[pid] = (d * block * rstd).sum(axis=0)


def launch(x, g, dy, weighted):
    """All programs, and the sum of what they left."""
    programs = -(-x.shape[0] // BLOCK)
    dx, partial = np.empty_like(x), np.empty((programs, x.shape[1]), x.dtype)
    for pid in range(programs):
        program(pid, x, g, dy, dx, partial, weighted)
    return dx, partial.sum(axis=0)


def unweighted(x, g, dy):
    """The inner sum without g."""
    dx, dg = launch(x, g, dy, weighted=False)
    return dx, dg


def backward(x, g, dy):
    """The inner sum with g."""
    dx, dg = launch(x, g, dy, weighted=True)
    return dx, dg


def main() -> bool:
    """Print what is said of both; whether the second is right."""
    print(check(MODEL, unweighted, dtype="float32").text())
    report = check(MODEL, backward, dtype="float32")
    print(report.text())
    return bool(report)


if __name__ == "__main__":
    main()
