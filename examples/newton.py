"""Logistic regression by Newton's method, with the Hessian in closed form, and by SciPy's trust-ncg, with products.

The records of breast cancer are scikit-learn's. Run: python examples/newton.py
"""

from __future__ import annotations

import numpy as np
from emitting import emitted
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer

from symbackprop import flat

MODEL = """
dim N, D
data X: N x D, y: N
param w: D, b
z = X @ w + b
loss L = mean(binary_cross_entropy_with_logits(z, y)) + 0.01 * (sum(w**2) + b**2)
"""
Errors = list[float]


def newton(f: object, steps: int = 12) -> tuple[np.ndarray, Errors]:
    """Where the gradient is next to nothing, and how long it was after each step."""
    x, lengths = f.x0, []  # type: ignore[attr-defined]
    for _ in range(steps):
        gradient = f.jac(x)  # type: ignore[attr-defined]
        lengths.append(float(np.linalg.norm(gradient)))
        if lengths[-1] < 1e-12:
            break
        x = x - np.linalg.solve(f.hess(x), gradient)  # type: ignore[attr-defined]
    return x, lengths


def main() -> tuple[Errors, float]:
    """Prints both fits; the lengths of the gradient under Newton's method, and how far apart the two ends are."""
    records = load_breast_cancer()
    X = (records.data - records.data.mean(0)) / records.data.std(0)
    start = {"w": np.zeros(X.shape[1]), "b": 0.0}
    f = flat(emitted(MODEL, hvp=True, hessian=True), {"X": X, "y": records.target * 1.0}, start)
    x, lengths = newton(f)
    for k, length in enumerate(lengths):
        print(f"Newton, step {k}: |gradient| {length:.1e}")
    fit = minimize(f.fun_and_jac, f.x0, jac=True, hessp=f.hessp, method="trust-ncg", options={"gtol": 1e-10})
    apart = float(np.abs(fit.x - x).max())
    print(f"trust-ncg: {fit.nit} steps, {fit.nhev} of products, |gradient| {np.linalg.norm(fit.jac):.1e}")
    print(f"both end {apart:.1e} apart, at a loss of {f.fun(x):.6f}")
    return lengths, apart


if __name__ == "__main__":
    main()
