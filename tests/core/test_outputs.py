"""The outputs of a Gauss–Newton matrix: the rows that a loss is a convex function of, in whatever spelling."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from symbackprop.core.outputs import convex_outputs
from symbackprop.errors import ModelError
from symbackprop.model.text import parse
from tests.counting import growth

ROWS = "dim N, D, C\ndata X: N x D, t: N, Y: N x C\nparam W: D x C, w: D, b\nZ = tanh(X) @ W\nr = tanh(X @ w) + b\n"


@pytest.mark.parametrize(("loss", "expected"), [
    ("mean((t - r)**2) / 2", "r"),
    ("mean(3 * (2 * r - t)**2)", "r"),
    ("(r - t) @ (r - t)", "r"),
    ("norm(r - t)", "r"),
    ("sum(huber(r, t))", "r"),
    ("sum(exp(r) - t * r)", "r"),
    ("mean(log(1 + exp(-t * r)))", "r"),
    ("mean(softplus(r) - t * r)", "r"),
    ("mean(binary_cross_entropy(sigmoid(r), t))", "r"),
    ("-mean(t * log(sigmoid(r)) + (1 - t) * log(1 - sigmoid(r)))", "r"),
    ("mean(binary_cross_entropy(r**2, t))", "r**2"),
    ("mean(cross_entropy(Z, Y))", "Z"),
    ("-sum(Y * log(softmax(Z)))", "Z"),
    ("sum(logsumexp(Z, axis=-1)) + 0.1 * sum(W**2)", "W, Z"),
    ("mean((t - r)**2) + 0.1 * sum(abs(w))", "r"),
    ("sum(maximum(r, 0)) + w @ w", "w"),
    ("-sum(log(r**2 + 1)) + sum(exp(r))", "r, r**2 + 1"),
    ("mean((tanh(X @ w) + b - t)**2)", "tanh(X @ w), b"),
    ("sum(exp(2 * tanh(X @ w) - b))", "2 * tanh(X @ w) - b"),
    ("sum((r - [1, b][0])**4)", "r"),
    ("sum((r - 2 * b)**2 + (r + b)**2)", "r, b"),
    ("sum(log_cosh(r - t))", "r"),
    ("sum(log(cosh(tanh(X @ w) + b - t)))", "tanh(X @ w) + b - t"),
    ("sum(sqrt(1 + (r - t)**2) - 1)", "r"),
    ("mean(4 * (sqrt(1 + ((tanh(X @ w) + b - t) / 2)**2) - 1))", "tanh(X @ w), b"),
    ("sum(log(exp(tanh(X @ w) + b - t) + exp(-(tanh(X @ w) + b - t))))", "tanh(X @ w), b"),
    ("sum((1 + (r - t)**2)**0.5 - 1)", "r"),
    ("mean(4 * (1 + ((tanh(X @ w) + b - t) / 2)**2)**0.5 - 4)", "tanh(X @ w), b"),
    ("sum(2 * ((1 + r**2 / 4)**0.5 - 1))", "r"),
    ("sum(1 / cosh(r))", "cosh(r)"),
    ("sum(exp((3 * tanh(r))**1000))", "tanh(r)"),
])
def test_outputs_of_losses(loss: str, expected: str) -> None:
    model = parse(f"{ROWS}loss L = {loss}")
    assert model.loss_row is not None
    found = convex_outputs(model.loss_row, list(model.targets().values()))
    assert {row.name or str(row) for row in found.curved} == set(expected.split(", "))


@pytest.mark.parametrize("loss", ["sum(r)", "sum(sin(r))", "sum(r**3)", "-sum((t - r)**2)", "r @ tanh(r)",
                                  "sum(gaussian_nll(r, t, exp(b)))", "mean(maximum(0, 1 - t * r))",
                                  "sum((tanh(X @ w) + b)**3)", "-sum((tanh(X @ w) + b - t)**2)",
                                  "sum((tanh(X @ w) * b - t)**2)", "sum((r - b)**2 - (r + b)**2)",
                                  "sum((tanh(X @ w) + b)**2 * b)", "-sum(sqrt(1 + (r - t)**2))",
                                  "sum(r - 2 * (1 + r**2)**0.5)", "sum(sqrt(1 + (r**2 - 1)**2))"])
def test_there_is_none_where_nothing_is_known_to_be_convex(loss: str) -> None:
    model = parse(f"{ROWS}loss L = {loss}")
    assert model.loss_row is not None
    with pytest.raises(ModelError, match="L is not known to be a convex function of any rows"):
        convex_outputs(model.loss_row, list(model.targets().values()))


def test_a_part_that_is_not_convex_counts_to_first_order() -> None:
    model = parse(f"{ROWS}loss L = mean((t - r)**2) + sum(sin(r))")
    assert model.loss_row is not None
    found = convex_outputs(model.loss_row, list(model.targets().values()))
    assert [row.name for row in found.curved] == ["r"] and [str(row) for row in found.held] == ["sin(r)"]


def test_a_number_that_a_penalty_is_multiplied_with_is_named() -> None:
    model = parse("dim N, D\ndata X: N x D, t: N\nparam w: D, lam\nloss L = sum((X @ w - t)**2) + lam * sum(w**2)")
    assert model.loss_row is not None
    with pytest.raises(ModelError, match="it has one where lam is no parameter: data lam"):
        convex_outputs(model.loss_row, list(model.targets().values()))


def test_of_many_numbers_few_are_tried_out_as_data() -> None:
    """Each began the search anew: of 200 the refusal took 21 seconds."""
    def refusing(n: int) -> Callable[[], None]:
        weights = [f"w{k}" for k in range(n)]
        model = parse(f"data x\nparam {', '.join(weights)}\nloss L = {' + '.join([f'x*sin({w})' for w in weights])}")

        def refuse() -> None:
            assert model.loss_row is not None
            with pytest.raises(ModelError, match="is not known to be a convex function"):
                convex_outputs(model.loss_row, list(model.targets().values()))

        return refuse

    assert growth(refusing, 25) < 2.6
