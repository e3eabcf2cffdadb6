"""A layer norm written by hand in NumPy: one term of its backward is forgotten, and `check` names it."""

from __future__ import annotations

import numpy as np

from symbackprop import Model, check

MODEL = Model.parse("""
dim N, D
input x: N x D
param g: D, b: D
const eps = 1e-5
mu = mean(x, axis=1, keepdims=True)
v = var(x, axis=1, keepdims=True)
xh = (x - mu) / sqrt(v + eps)
output y = g * xh + b
""", name="layer-norm")


def forgotten_mean(x, g, xh, v, dy, eps):
    """Nothing flows back through the mean."""
    dg, db = (dy * xh).sum(axis=0), dy.sum(axis=0)
    dxh = dy * g
    dx = (dxh - xh * (dxh * xh).mean(axis=1, keepdims=True)) / np.sqrt(v + eps)
    return dx, dg, db


def backward(x, g, xh, v, dy, eps):
    """The whole of it."""
    dg, db = (dy * xh).sum(axis=0), dy.sum(axis=0)
    dxh = dy * g
    dx = dxh - dxh.mean(axis=1, keepdims=True) - xh * (dxh * xh).mean(axis=1, keepdims=True)
    dx = dx / np.sqrt(v + eps)
    return dx, dg, db


def main() -> bool:
    """Print what is said of both; whether the second is right."""
    print(check(MODEL, forgotten_mean).text())
    report = check(MODEL, backward)
    print(report.text())
    return bool(report)


if __name__ == "__main__":
    main()
