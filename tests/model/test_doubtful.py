"""What formulas on paper say by their indices: entries beside sums, numbers without an index, and d/dx."""

from __future__ import annotations

import pytest

from symbackprop.errors import ModelError
from symbackprop.model.text import parse_alone
from symbackprop.model.text.write import to_text


@pytest.mark.parametrize(("typed", "says"), [
    (r"-z_y + \log\sum_j e^{z_j}", "z_y may be an entry of z"),
    (r"-\log \frac{e^{s_y}}{\sum_j e^{s_j}}", "s_y may be an entry of s"),
    (r"-\log p_{y} + \lambda \sum_k p_k^2", "p_y may be an entry of p"),
    (r"x_1^2 + \sum_i x_i", r"write x\[0\]"),
    (r"\sum_{i=1}^n x_i + x_n", "x_n may be an entry of x"),
    (r"\frac{d}{dx} x^2", "d/dx is what is derived"),
    (r"\frac{dy}{dx}", "d/dx is what is derived"),
    (r"\dfrac{\mathrm{d}}{\mathrm{d}x} x^2", "d/dx is what is derived"),
])
def test_what_may_mean_something_else_is_refused(typed: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse_alone(typed)


@pytest.mark.parametrize(("typed", "read"), [
    (r"\sum_i (x_i - m)^2", "data x: N; param m; loss L = sum((x - m)**2)"),
    (r"\sum_i w_i (x_i - c)^2 + c^2", "data x: N; param w: N, c; loss L = sum(w * (x - c)**2) + c**2"),
    (r"\sum_i (y_i - A e^{-k t_i})^2", "data y: N, t: N; param A, k; loss L = sum((y - A * exp(-k * t))**2)"),
    (r"\log \sum_j e^{x_j - m} + m", "data x: N; param m; loss L = log(sum(exp(x - m))) + m"),
    (r"\sum_i \sigma(x_i - b)", "data x: N; param b; loss L = sum(sigmoid(x - b))"),
    (r"\sum_{n} (t_n - W x_n)^2", "data t: N, x: D; param W: N x D; loss L = sum((t - W @ x)**2)"),
    (r"\sum_i (y_i - w^\top x_i)^2", "data y: N, X: N x D; param w: D; loss L = sum((y - X @ w)**2)"),
    (r"\sum_{j=1}^p \beta_j x_j + \beta_0", "data x: N; param beta: N, beta_0; loss L = sum(beta * x) + beta_0"),
    (r"\lambda_1 \sum_i |w_i| + \lambda_2 \sum_i w_i^2",
     "param lam_1, w: N, lam_2; loss L = lam_1 * sum(abs(w)) + lam_2 * sum(w**2)"),
    (r"\frac{d}{n} x^2", "data x; param d, n; loss L = d * x**2 / n"),
])
def test_names_without_an_index_are_numbers_in_sums_over_entries(typed: str, read: str) -> None:
    lines = [line for line in to_text(parse_alone(typed)).strip().split("\n") if not line.startswith(("#", "dim"))]
    assert "; ".join(lines) == read
