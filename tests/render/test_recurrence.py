"""The factor that backpropagation through time repeats: of numbers, vectors and batches."""

from __future__ import annotations

import pytest

from tests.render.helpers import build, said, text_lines

HEAD = "dim T, N, D\ndata x: T, X: T x D, B: T x N x D, s[0], h[0]: D, m[0]: N x D\nparam u, g: D, W: D x D\n"
CASES = {
    "a number": ("s[t] = tanh(x[t] + u * s[t-1])\nloss L = s[T]**2", "∂s[T]/∂s₀ = Π_t (1 − sₜ²)·u", False),
    "a constant": ("s[t] = 0.9 * s[t-1] + u * x[t]\nloss L = s[T]**2", "∂s[T]/∂s₀ = Π_t 9/10", False),
    "a vector": ("h[t] = tanh(g * h[t-1] + X[t])\nloss L = sum(h[T]**2)",
                 "∂h[T]/∂h₀ = Π_t diag(1 − hₜ²) diag(g)", False),
    "a multiple": ("h[t] = 0.9 * h[t-1] + g * X[t]\nloss L = sum(h[T]**2)", "∂h[T]/∂h₀ = Π_t 9/10 I", False),
    "a number times a vector": ("h[t] = u * h[t-1] + X[t]\nloss L = sum(h[T]**2)", "∂h[T]/∂h₀ = Π_t u·I", False),
    "a number and a matrix": ("h[t] = tanh(u * (W @ h[t-1]) + X[t])\nloss L = sum(h[T]**2)",
                              "∂h[T]/∂h₀ = Π_t u·diag(1 − hₜ²) W", False),
    "a batch": ("m[t] = tanh((m[t-1] * g) @ W + B[t])\nloss L = sum(m[T]**2)",
                "∂m[T]/∂m₀ = Π_t diag(1 − mₜ^⊙2) Wᵀ diag(g)", True),
}


@pytest.mark.parametrize("name", CASES)
def test_factor(name: str) -> None:
    step, line, rows = CASES[name]
    body, loss = step.split("\n")
    document = build(f"{HEAD}for t in 1..T:\n    {body}\n{loss}")
    loop = next(x for x in document.steps if x.role == "loop")
    assert text_lines(loop)[-1] == line
    assert ("for every row" in said(loop.lines[-1].reason)) == rows
