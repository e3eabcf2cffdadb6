"""Extreme numbers: overflow, kinks, zeros of norms, probabilities 0 and 1, branches that are not taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from symbackprop.core.notation import Notation
from symbackprop.core.reverse import grad
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close, gradients, value

BIG = np.array([-1000.0, -40.0, -1.0, 0.0, 1.0, 40.0, 1000.0])


def vector(n: int = 7) -> Node:
    return Graph().leaf("x", (n,))


def both(row: Node, x: Node, at: Any) -> tuple[Any, Any]:
    """Value and gradient of the sum of a row, numbers that overflow on the way being allowed."""
    with np.errstate(all="ignore"):
        return value(row, x=at), gradients(row, [x], {"x": at})[0]


def sigma(z: Any) -> Any:
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


@pytest.mark.parametrize("write", [
    lambda x: F.log(1 + F.exp(x)),
    lambda x: F.log(F.exp(x) + 1),
    lambda x: F.softplus(x),
    lambda x: -F.log(1 - F.sigmoid(x)),
    lambda x: -F.log(F.sigmoid(-x)),
])
def test_log_one_plus_exp(write: Callable[[Node], Node]) -> None:
    x = vector()
    row, slope = both(write(x), x, BIG)
    close(row, np.maximum(BIG, 0) + np.log1p(np.exp(-np.abs(BIG))))
    close(slope, sigma(BIG))


@pytest.mark.parametrize("write", [lambda x: x * F.sigmoid(x), F.silu, lambda x: F.swish(x, 1)])
def test_x_times_sigmoid(write: Callable[[Node], Node]) -> None:
    x = vector()
    row, slope = both(write(x), x, BIG)
    s = sigma(BIG)
    close(row, BIG * s)
    close(slope, s + BIG * s * (1 - s))


@pytest.mark.parametrize("write", [lambda z: F.log(F.softmax(z)), F.log_softmax])
def test_log_softmax_of_large_logits(write: Callable[[Node], Node]) -> None:
    x = vector(3)
    at = np.array([1000.0, 0.0, -1000.0])
    row, slope = both(write(x), x, at)
    close(row, at - 1000.0)
    close(slope, np.array([1.0, 1.0, 1.0]) - 3 * np.array([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("write", [
    lambda x: F.sqrt(F.sum(x**2)),
    lambda x: F.sqrt(F.sum(x * x)),
    lambda x: F.sqrt(F.mean(x**2)),
    lambda x: F.sqrt(F.dot(x, x)),
    lambda x: F.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2),
    lambda x: F.sqrt(F.var(x)),
    lambda x: F.norm(x),
])
def test_norm_at_zero_has_gradient_zero(write: Callable[[Node], Node], named: bool) -> None:
    x = vector(3)
    row = write(x)
    _, slope = both(x.graph.let("r", row) if named else row, x, np.zeros(3))
    close(slope, np.zeros(3))


def test_norm_at_zero_has_gradient_zero_with_its_square_named() -> None:
    x = vector(3)
    s = x.graph.let("s", F.sum(x**2))
    _, slope = both(x.graph.let("n", F.sqrt(s)), x, np.zeros(3))
    close(slope, np.zeros(3))


def test_norm_of_some_rows_zero() -> None:
    g = Graph()
    x = g.leaf("x", (2, 3))
    at = np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]])
    _, slope = both(F.norm(x, axis=1), x, at)
    close(slope, np.array([[0, 0, 0], [0.6, 0.8, 0]]))


def test_a_root_that_is_no_norm_keeps_its_infinite_slope() -> None:
    x = vector(1)
    _, slope = both(F.sqrt(x), x, np.zeros(1))
    assert np.isinf(slope[0])


WHERE = [
    pytest.param(lambda x: F.where(x > 0, F.log(x), 0), lambda v: 1 / v, id="log"),
    pytest.param(lambda x: F.where(x > 0, F.sqrt(x), 0), lambda v: 0.5 / np.sqrt(v), id="sqrt"),
    pytest.param(lambda x: F.where(x > 0, 1 / x, 0), lambda v: -1 / v**2, id="quotient"),
    pytest.param(lambda x: F.where(x <= 0, 0, x * F.log(x)), lambda v: np.log(v) + 1, id="entropy"),
    pytest.param(lambda x: F.where(x > 0, F.tanh(F.log(2 * x)), 0), lambda v: (1 - np.tanh(np.log(2 * v)) ** 2) / v,
                 id="inside another function"),
    pytest.param(lambda x: F.where(x > 0, x**0.5 * 3 + 1, 0), lambda v: 1.5 / np.sqrt(v), id="power"),
    pytest.param(lambda x: F.where(x > 0, F.where(x > 0.5, F.log(x), x**-1), 0),
                 lambda v: np.where(v > 0.5, 1 / v, -1 / v**2), id="nested"),
]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("write", "slope_of"), WHERE)
def test_a_branch_not_taken_has_no_influence(write: Callable[[Node], Node], slope_of: Callable[[Any], Any],
                                             named: bool) -> None:
    x = vector(4)
    row = x.graph.let("r", write(x)) if named else write(x)
    at = np.array([-1.0, 0.0, 0.25, 2.0])
    _, slope = both(row, x, at)
    close(slope, np.array([0.0, 0.0, *slope_of(at[2:])]))


def test_a_named_branch_not_taken_has_no_influence() -> None:
    x = vector(3)
    a = x.graph.let("a", F.log(x))
    _, slope = both(F.sum(F.where(x > 0, a, 0)), x, np.array([0.0, 0.5, 2.0]))
    close(slope, np.array([0.0, 2.0, 0.5]))


def test_an_overflowing_branch_not_taken_has_no_influence() -> None:
    x = vector(2)
    row, slope = both(F.where(x < 50, F.exp(x), 7), x, np.array([1.0, 1000.0]))
    close(row, np.array([np.e, 7.0]))
    close(slope, np.array([np.e, 0.0]))


def test_second_derivative_of_a_branch_not_taken() -> None:
    x = Graph().leaf("x")
    first = grad(F.where(x > 0, F.log(x), 0), [x])[0]
    with np.errstate(all="ignore"):
        assert [float(evaluate(grad(first, [x]), {"x": v})[0]) for v in (0.0, 2.0)] == [0.0, -0.25]


def test_the_gradient_of_a_branch_reads_well() -> None:
    x = vector()
    up = x.graph.leaf("u", x.shape)
    (of_log,) = grad(F.where(x > 0, F.log(x), 0), [x], up)
    assert Notation().right(of_log) == "where(x > 0, where(x > 0, u, 0) / x, 0)"
    harmless = grad(F.where(x > 0, 3 * x, 0), [x], up)[0]
    assert harmless.attr.head is None, "a bounded branch keeps the product with the mask, which is cheaper"


PROBABILITIES = [(0.0, 0.0, 1.0), (1.0, 1.0, -1.0), (0.5, 1.0, -2.0), (0.25, 0.5, -(0.5 / 0.25 - 0.5 / 0.75))]


@pytest.mark.parametrize(("p", "y", "slope"), PROBABILITIES)
def test_binary_cross_entropy_at_certainty(p: float, y: float, slope: float) -> None:
    g = Graph()
    prob, target = g.leaf("p"), g.leaf("y")
    row = F.binary_cross_entropy(prob, target)
    expected = 0.0 if p == y and p in (0, 1) else -(y * np.log(p) + (1 - y) * np.log(1 - p))
    close(value(row, p=p, y=y), expected)
    close(evaluate(grad(row, [prob]), {"p": p, "y": y})[0], slope)


@pytest.mark.parametrize("y", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("z", [-1000.0, -1.0, 0.0, 1.0, 1000.0])
def test_sigmoid_with_cross_entropy(z: float, y: float) -> None:
    """The derivative in the logit is σ(z) − y at every z, through a named probability too."""
    g = Graph()
    logit, target = g.leaf("z"), g.leaf("y")
    a = g.let("a", F.sigmoid(logit))
    rows = [F.binary_cross_entropy(a, target), F.binary_cross_entropy_with_logits(logit, target)]
    for row in rows:
        close(evaluate(grad(row, [logit]), {"z": z, "y": y})[0], sigma(np.float64(z)) - y)
    close(value(rows[1], z=z, y=y), max(z, 0) - y * z + np.log1p(np.exp(-abs(z))))


def test_the_loss_of_a_probability_reads_as_in_the_lecture() -> None:
    g = Graph()
    z, y = g.leaf("z"), g.leaf("y")
    a = g.let("a", F.sigmoid(z))
    by_a, by_z = grad(F.binary_cross_entropy(a, y), [a, z])
    assert Notation().right(by_a) == "-(y / a + (y - 1) / (1 - a))"
    assert Notation().right(by_z) == "a - y"


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_cross_entropy_of_large_logits(scale: float) -> None:
    g = Graph()
    z, y = g.leaf("z", (2, 3)), g.leaf("y", (2,), kind="int", below=3)
    at = {"z": scale * np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 2.0]]), "y": np.array([2, 2])}
    row = F.cross_entropy(z, y)
    close(value(row, **at), [2 * scale + np.log1p(np.exp(-scale) + np.exp(-2 * scale)),
                             np.log1p(2 * np.exp(-2 * scale))])
    p = np.exp(at["z"] - at["z"].max(1, keepdims=True))
    close(gradients(row, [z], at)[0], p / p.sum(1, keepdims=True) - np.eye(3)[at["y"]])


def test_masked_scores_get_no_weight_and_no_gradient() -> None:
    g = Graph()
    s, keep = g.leaf("s", (3,)), g.leaf("keep", (3,))
    row = F.softmax(F.where(keep, s, -np.inf))
    at = {"s": np.array([1.0, 2.0, 3.0]), "keep": np.array([1.0, 1.0, 0.0])}
    p = np.array([1, np.e, 0]) / (1 + np.e)
    close(value(row, **at), p)
    u = np.array([1.0, -2.0, 5.0])
    close(gradients(row, [s], at, u)[0], p * (u - (u * p).sum()))


@pytest.mark.parametrize("name", ["relu", "abs", "maximum"])
def test_nan_and_infinity_are_not_hidden(name: str) -> None:
    x = vector(2)
    row = F.maximum(x, 0) if name == "maximum" else getattr(F, name)(x)
    found = value(row, x=np.array([np.nan, np.inf]))
    assert np.isnan(found[0]) and np.isinf(found[1])


def test_max_shares_the_gradient_of_ties() -> None:
    x = vector(4)
    close(gradients(F.max(x), [x], {"x": np.array([1.0, 3.0, 3.0, 2.0])})[0], [0, 0.5, 0.5, 0])
    close(gradients(F.min(x), [x], {"x": np.array([1.0, 3.0, 1.0, 2.0])})[0], [0.5, 0, 0.5, 0])
