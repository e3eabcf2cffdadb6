"""Entries, slices and joined arrays are written as a reader would."""

from __future__ import annotations

import pytest

from symbackprop import Model, codegen, derive


def page(text: str) -> str:
    return derive(Model.parse(text)).text()


@pytest.mark.parametrize(("text", "told", "untold"), [
    ("param W: 2 x 2\ndata x: 2\na = tanh(W[0] * x)\nb = sin(W[1] * x)\nloss L = sum(a * b)",
     "stack(", "concat("),  # rows of a matrix, which their gradients are joined to again
    ("dim N\nparam a: N, b: N\nS = stack(a, a * b)\nloss L = sum(S**3)", "S = stack(a, a ⊙ b)", "[None]"),
    ("dim N\nparam a: N, b: N\nS = stack(a, b, axis=1)\nloss L = sum(S**3)", "S = stack(a, b, axis 1)", "[:, None]"),
    ("param w: 3\ny = w[0] * w[1]\nloss L = y**2", "slice: the gradient goes back", "the same entries, but"),
    ("dim N\nparam A: N x N\nt = trace(A)\nloss L = t**2", "the diagonal gets the gradient", "old order"),
    ("param x: 4\nz = interpolate(x[None, :, None], 8, mode=\"linear\")\nloss L = sum(z**2)",
     "max(1 − |min(max(½(", "arange(8)[i]"),
    ("dim N\nparam A: N x N\ndata v: N\nB = einsum(\"i,ij->ij\", v, A)\nloss L = sum((A.T + B)**2)", "A_", "Aᵀ["),
    ("dim N\ndata X: N x 2\nparam w: 2, v: 2\nA = X @ [[1, 2], [3, 4]]\n"
     "loss L = sum((A @ w)**2) + sum((X @ [[1, 2], [3, 4]] @ v)**3)", "= [[1, 2], [3, 4]]", "X [["),
])
def test_what_is_at_a_place_is_written_plainly(text: str, told: str, untold: str) -> None:
    found = page(text)
    assert told in found and untold not in found


def test_an_element_of_what_a_loop_of_a_function_reads_goes_by_the_name_of_the_whole() -> None:
    found = page("dim T, C\ndata y: 3 int < C\nparam z: T x C\nloss L = ctc(log_softmax(z), y)")
    assert "+ cₜ" in found and "let c " in found and "x₀" not in found and found.count("reshape_6") == 1


def test_means_of_arcs_are_told_apart() -> None:
    found = codegen(Model.parse("dim N\nparam x: N\nloss L = sum(asin(x)/x) + sum(atan(x)/x)"))
    assert "= arc_mean(0, x, 1, " in found and "= arc_mean(0, x, -1, 1)" in found and "arc_mean(0, x)" not in found


def test_copies_of_two_vectors_are_their_outer_product() -> None:
    found = page("dim N, D\nparam A: N x D, s: N, w: D\nloss L = sum(sin(A * s[:, None] * w))")
    assert "s wᵀ" in found and "(1_N wᵀ)" not in found.split("Step 3")[1].split("Step 4")[0]


def test_a_gradient_that_is_a_row_of_the_model_is_written_out_by_its_name() -> None:
    found = page("dim D\ndata x: D\nparam W: D x D, b: D\nz = W @ x + b\nh = relu(z)\nloss L = sum(h**2) / 2")
    assert "= h xᵀ" in found and "ReLU(z) xᵀ" not in found
