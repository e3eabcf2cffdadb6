"""The factor that backpropagation through time repeats: of numbers, vectors and batches."""

from __future__ import annotations

import pytest

from symbackprop.render.print.text import text
from symbackprop.render.text import to_text
from tests.render.helpers import build, said, text_lines

HEAD = "dim T, N, D\ndata x: T, X: T x D, B: T x N x D, s[0], h[0]: D, m[0]: N x D\nparam u, g: D, W: D x D\n"
CASES = {
    "a number": ("s[t] = tanh(x[t] + u * s[t-1])\nloss L = s[T]**2", "∂s[T]/∂s₀ = Π_t (1 − sₜ²)·u", False),
    "a constant": ("s[t] = 0.9 * s[t-1] + u * x[t]\nloss L = s[T]**2", "∂s[T]/∂s₀ = Π_t 9/10", False),
    "a vector": ("h[t] = tanh(g * h[t-1] + X[t])\nloss L = sum(h[T]**2)",
                 "∂h[T]/∂h₀ = Π_t diag(1 − hₜ^⊙2) diag(g)", False),
    "a multiple": ("h[t] = 0.9 * h[t-1] + g * X[t]\nloss L = sum(h[T]**2)", "∂h[T]/∂h₀ = Π_t 9/10 I", False),
    "a number times a vector": ("h[t] = u * h[t-1] + X[t]\nloss L = sum(h[T]**2)", "∂h[T]/∂h₀ = Π_t u·I", False),
    "a number and a matrix": ("h[t] = tanh(u * (W @ h[t-1]) + X[t])\nloss L = sum(h[T]**2)",
                              "∂h[T]/∂h₀ = Π_t u·diag(1 − hₜ^⊙2) W", False),
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


BACKWARDS = """
dim T, D
data x: T x D, r[T+1]: D
param W: D x D
for t in T..1:
    r[t] = tanh(W @ r[t+1] + x[t])
loss J = sum(r[1]**2)
"""


def test_a_loop_that_runs_backwards_starts_from_what_its_first_step_reads() -> None:
    page = to_text(build(BACKWARDS))
    assert "data         x: T×D, r[T+1]: D\n" in page
    assert "rT₁" not in page


def test_the_last_value_of_a_loop_is_not_said_to_be_itself() -> None:
    last = next(x.line for x in build(BACKWARDS).forward if said(x.line.reason) == "after the last step")
    assert (text(last.left), text(last.right)) == ("r₁", "(rₜ)_t=1")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["z[T]", "h[T]"])
def test_the_glossary_explains_the_diagonal_where_a_factor_shows_it_alone(place: str) -> None:
    """Where z is read outside of the loop, paths part and no factor is printed."""
    page = to_text(build(f"dim T, N\ndata x: T x N, h[0]: N\nparam w: N\nfor t in 1..T:\n    z[t] = w*h[t-1] + x[t]\n"
                         f"    h[t] = tanh(z[t])\nloss L = sum({place}*h[T])"))
    assert ("= Π_t diag(" in page) == ("on its diagonal" in page) == (place == "h[T]")
