"""Multiplications, counted by hand."""

from __future__ import annotations

import pytest
import sympy as sp

from symbackprop.model import Model
from symbackprop.render.costs import own_cost

N, D, M = sp.symbols("N D M", integer=True, positive=True)


def cost(text: str) -> sp.Expr:
    """The cost of the row Y."""
    return own_cost(Model.parse(f"{text}\noutput Y_ = Y").equations["Y"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dim N, D, M\ndata X: N x D\nparam W: D x M\nY = X @ W", N * D * M),
        ("dim N, D\ndata X: N x D\nparam w: D\nY = X * w", N * D),
        ("dim N\nparam w: N\nY = w ** 3 / 2", 3 * N),
        ("dim N\nparam w: N\nY = tanh(w) + w - 1", 0),
        ("dim N, D, M\ndata X: N x 8 x 8 x D\nparam w: 3 x 3 x D x M\nY = conv2d(X, w, padding=1)", N * 64 * M * 9 * D),
        ("dim N, D, M\ndata X: N x 8 x 8 x D\nparam w: 2 x 2 x D x M\nY = conv2d(X, w, stride=2)", N * 16 * M * 4 * D),
    ],
)
def test_one_row(text: str, expected: sp.Expr) -> None:
    assert sp.expand(cost(text) - expected) == 0


def test_the_parts_of_a_convolution_cost_what_it_costs() -> None:
    """Each backward product visits the same triples of input, kernel and output entries as the forward one."""
    from symbackprop import grad

    m = Model.parse(
        "dim N, D, M\ninput X: N x 9 x 9 x D\nparam w: 3 x 3 x D x M\n"
        "Y = conv2d(X, w, stride=2, padding=1)\nloss L = sum(Y**2)"
    )
    forward = m.equations["Y"]
    backward = grad(m.loss_row, [m.inputs["X"], m.params["w"]])
    assert [row.op.name for row in backward] == ["conv2d_input", "conv2d_kernel"]
    assert {sp.expand(own_cost(row)) for row in (forward, *backward)} == {sp.expand(N * 25 * M * 9 * D)}
