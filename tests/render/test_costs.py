"""Multiplications, counted by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp

from symbackprop.codegen.numpy import PRINTER
from symbackprop.codegen.planning import build_program
from symbackprop.codegen.program import Block, For
from symbackprop.core.costs import multiplications, own_cost, unshared
from symbackprop.core.maths import Num
from symbackprop.derive import derive
from symbackprop.derive.closing import closed
from symbackprop.model import Model, zoo
from symbackprop.render.board import build_document
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from tests.render.random_models import random_loop, random_model
from tests.sweeps import few_in_ci

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
        ("dim N\nparam X: N x N\nY = inv(X)", N**3),
        ("dim N, M\nparam X: N x N, w: N x M\nY = solve(X, w)", (N**3 - N) / 3 + N**2 * M),
        ("dim N, M\nparam X: M x N x N\nY = logdet(X)", M * (N**3 - N) / 3),
        ("param X: 3 x 3\nY = cholesky(X)", 4 + 3),
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


# -- the total is what the emitted module multiplies


GATES = """
dim T, D
data x: T x D
param W: D x D, c: D
h[0] = zeros(D)
for t in 1..T:
    h[t] = relu(W @ h[t-1]) * exp(c) + x[t]
loss L = sum(h[T])
"""
AGAIN = "dim N\nparam x: N, c\nloss L = sum((x * c + 1)**2)"
UNUSED = "data x, y\nparam w\np = sigmoid(w * x)\nloss L = -(y * log(p) + (1 - y) * log(1 - p))"


def emitted(block: Block) -> sp.Expr:
    """The multiplications of the statements of a body, and of what is written inside of them."""
    cost: sp.Expr = sp.S.Zero
    seen = set(block.names)
    for statement in block.statements:
        if isinstance(statement, For):
            cost += statement.length * emitted(statement.body)
            continue
        pending = [] if block.variable(statement.row) != statement.name else [statement.row]  # else a copy
        while pending:
            row = pending.pop()
            cost += own_cost(row)
            pending += [a for a in row.args if a.id not in seen and a.op.name != "scan"]
            seen.add(row.id)
    return cost


def differing(model: Model) -> sp.Expr:
    """What the page of a model counts beyond the code of its backward pass, as it is written without optimisation."""
    derivation = derive(model)
    total = build_document(derivation, Options()).total_cost
    assert isinstance(total, Num)
    code = build_program(closed(derivation), derivation.model, "", 0, "float64", PRINTER.arrays).backward
    return sp.expand(total.value - emitted(code))


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
def test_the_total_of_a_built_in_model_is_what_its_code_multiplies(name: str) -> None:
    assert differing(zoo.build(name)) == 0


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 1))
def test_no_multiplication_stands_in_two_rows_of_the_table(name: str) -> None:
    """What the steps of a loop compute for all gradients stands in none of them."""
    page = build_document(derive(zoo.build(name)), Options())
    costs = [m.value for m in (page.total_cost, *[row.cost for row in page.table]) if isinstance(m, Num)]
    left = sp.expand(costs[0] - sum(costs[1:]))
    assert all(c >= 0 for c in left.as_coefficients_dict().values()), left


@pytest.mark.parametrize("text", [GATES, AGAIN, UNUSED])
def test_the_total_counts_what_backward_computes_and_nothing_else(text: str) -> None:
    assert differing(Model.parse(text)) == 0


@pytest.mark.parametrize("make", [random_loop, random_model])
def test_the_total_of_a_random_model_is_what_its_code_multiplies(make: Callable[[int], Model]) -> None:
    assert {seed: cost for seed in range(15) if (cost := differing(make(seed))) != 0} == {}


LAYERS = "dim K, D\ndata x: D\nparam W: K x D x D, b: K x D\nh[0] = x\nfor k in 1..K:\n"
LAYERS += "    h[k] = tanh(W[k] @ h[k-1] + b[k])\nloss J = sum(h[K])"
SCALARS = "dim T\ndata x: T\nparam u, w\nh[0] = 0\nfor t in 1..T:\n    h[t] = u*h[t-1] + w*x[t]\nloss L = h[T]"


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        (LAYERS, {"W": ("K·D²", ["hₖ"]), "b": ("0", [])}),
        (SCALARS, {"u": ("T", ["hₜ₋₁"]), "w": ("T", [])}),
    ],
)
def test_what_the_steps_of_a_loop_compute_for_one_gradient_stands_in_its_row(source: str, rows: object) -> None:
    table = build_document(derive(Model.parse(source)), Options()).table
    assert {row.name: (text(row.cost), [text(m) for m in row.stores]) for row in table} == rows


def test_what_a_backward_pass_costs_that_shares_nothing() -> None:
    """f = ((a·a)·(a·a)): two products forward; backward 2b·2a, where b = a² is kept and 2b stands once."""
    d = derive(Model.parse("param a\nb = a * a\nc = b * b\nloss L = c * c"))
    paths = unshared(d.gradients.values())
    assert paths is not None and paths > multiplications(d.gradients.values(), d.forward_ids)


def test_a_loop_is_not_computed_anew() -> None:
    loop = "dim T\nparam w\ndata h0\nfor t in 1..T:\n    h[t] = tanh(w * h[t-1])\nloss L = h[T]"
    assert unshared(derive(Model.parse(loop)).gradients.values()) is None
