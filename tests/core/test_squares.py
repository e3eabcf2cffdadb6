"""Powers of what is at least 0 and flat where it is 0: in whatever spelling, the gradient at 0 is 0, as a norm's is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from symbackprop.core.loops import scan
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import dim
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close, differences
from tests.sweeps import few_in_ci

N = dim("N")
Write = Callable[[Node], Node]


def column(x: Node) -> Node:
    return x[:, None]


def summed(x: Node) -> Node:
    """Σ x² by a loop."""
    (last,), _ = scan(lambda carry, now: (carry[0] + now[0] ** 2, ()), [x.graph.const(0)], [x])
    return last


FLAT: dict[str, Write] = {
    "sum": lambda x: F.sum(x**2),
    "product": lambda x: F.sum(x * x),
    "mean": lambda x: F.mean(x**2),
    "dot": lambda x: F.dot(x, x),
    "matmul": lambda x: x @ x,
    "einsum": lambda x: F.einsum("i,i->", x, x),
    "weighted einsum": lambda x: F.einsum("i,i,i->", x, F.exp(x), x),
    "fourth powers": lambda x: F.sum(x**4) / 3,
    "written out": lambda x: x[0] ** 2 + x[1] ** 2 + x[2] ** 2,
    "scaled": lambda x: 2 * F.sum(x**2) / (N + 1) + F.mean(F.abs(x) ** 3),
    "symbolic divisor": lambda x: F.sum((x - F.mean(x)) ** 2) / (N - 1),
    "var": lambda x: F.var(x),
    "var by hand": lambda x: F.mean((x - F.mean(x)) ** 2),
    "var as a difference": lambda x: F.mean(x**2) - F.mean(x) ** 2,
    "var of sums": lambda x: F.sum(x**2) / N - (F.sum(x) / N) ** 2,
    "clipped": lambda x: F.maximum(F.sum(x**2), 0),
    "clipped from above": lambda x: F.minimum(F.sum(x**2), 1000),
    "relu": lambda x: F.relu(F.sum(x**2)),
    "abs": lambda x: F.abs(F.sum(x**2)),
    "abs of anything": lambda x: F.abs(x[0] + x[1] + x[2]),
    "where": lambda x: F.where(F.sum(x**2) > 1e-12, F.sum(x**2), 0),
    "times a positive row": lambda x: F.sum(x**2) * F.exp(x[0]) / (1 + F.exp(x[1])),
    "weights": lambda x: F.sum((x > 5) * x**2 + x**2),
    "largest": lambda x: F.max(x**2),
    "smallest": lambda x: F.min((x - F.mean(x)) ** 2 + x**2),
    "trace": lambda x: F.trace(column(x) @ column(x).T),
    "trace of an outer product": lambda x: F.trace(F.outer(x, x)),
    "diagonal": lambda x: F.sum(F.diag(column(x) @ column(x).T)),
    "concat": lambda x: F.sum(F.concat(x**2, x**4)),
    "concat with zeros": lambda x: F.sum(F.concat(x**2, x.graph.full(0, (N,)))),
    "views": lambda x: F.reshape(F.transpose(column(x) ** 2), -1)[1] + F.sum(x[::-1] ** 2),
    "windows": lambda x: F.sum(F.unfold(x**2, 2)),
    "running sums": lambda x: F.sum(F.cumsum(x**2)),
    "loop": summed,
    "norm": lambda x: F.norm(x),
    "norm of norms": lambda x: F.norm(F.norm(column(x), axis=1)),
    "root": lambda x: F.sqrt(F.sum(x**2)),
    "written out square": lambda x: F.sum(x[0] ** 2 - 2 * x[0] * x[1] + x[1] ** 2),
    "square of a difference of vectors": lambda x: x @ x + x[::-1] @ x[::-1] - 2 * (x @ x[::-1]),
    "distances, not clipped": lambda x: F.sum(F.sqrt(gram(column(x)))) ** 2,
    "distances in a plane, not clipped": lambda x: F.sum(F.sqrt(gram(F.stack(x, x[::-1], axis=1)))) ** 2,
    "square of a difference by sums": lambda x: F.sum(x**2) + F.sum(x[::-1] ** 2) - 2 * F.sum(x * x[::-1]),
    "distances by diagonals, not clipped": lambda x: F.sum(F.sqrt(by_diagonals(x))) ** 2,
    "gram": lambda x: F.sum(F.maximum(gram(column(x)), 0)),
    "gram by diagonals": lambda x: F.sum(F.relu(by_diagonals(x))),
}


def gram(a: Node) -> Node:
    """|a|² + |b|² − 2ab for all pairs of rows."""
    square = F.sum(a**2, axis=1)
    return square[:, None] + square - 2 * a @ a.T


def by_diagonals(x: Node) -> Node:
    product = F.einsum("id,jd->ij", column(x), column(x))
    return F.diag(product)[:, None] + F.diag(product)[None, :] - 2 * product


POWERS: dict[str, Write] = {
    "sqrt": F.sqrt,
    "0.5": lambda s: s**0.5,
    "1/2": lambda s: s ** sp.Rational(1, 2),
    "0.3": lambda s: s**0.3,
    "3/2": lambda s: s**1.5,
}


def slope(write: Write, at: Any) -> Any:
    x = Graph().leaf("x", (N,), "param")
    with np.errstate(all="ignore"):
        return evaluate(grad(write(x), [x]), {"x": at})[0]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("name", few_in_ci(FLAT, 3))
def test_the_gradient_at_zero_is_zero(name: str, power: str, named: bool) -> None:
    def write(x: Node) -> Node:
        inside = FLAT[name](x)
        return POWERS[power](x.graph.let("s", inside) if named else inside)

    close(slope(write, np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("name", FLAT)
def test_the_gradient_elsewhere_is_the_derivative(name: str) -> None:
    at = np.array([0.4, -0.7, 1.9])

    def write(x: Node) -> Node:
        return F.sqrt(FLAT[name](x)) + FLAT[name](x) ** 0.3

    def number(v: Any) -> Any:
        x = Graph().leaf("x", (N,), "param")
        return evaluate([write(x)], {"x": v})[0]

    if "gram" not in name and "not clipped" not in name:  # whose diagonal is on its kink, give or take a rounding
        close(slope(write, at), differences(number, [at], 0, 1.0), 1e-7)


@pytest.mark.parametrize("wide", [F.diag, lambda g: F.sum(g, axis=1)], ids=["diagonal", "sums"])
def test_entries_of_pairwise_distances(wide: Write) -> None:
    """Two equal points and one apart: the distance of equal ones has gradient 0, the others their unit vectors."""
    at = np.array([1.0, 1.0, 4.0])
    found = slope(lambda x: F.sum(wide(F.sqrt(F.maximum(gram(column(x)), 0)))), at)
    close(found, np.zeros(3) if wide is F.diag else 2 * np.array([-1.0, -1.0, 2.0]))


@pytest.mark.parametrize("write", [
    lambda x: F.sum(F.sqrt(x)),
    lambda x: F.sum(x**0.5),
    lambda x: F.sqrt(F.sum(x)),
    lambda x: F.sqrt(x[0] + x[1] ** 2),
    lambda x: F.sqrt(1 - F.exp(x[0])),
    lambda x: F.sqrt(x[0] * F.exp(x[1])),
    lambda x: F.sqrt(F.maximum(x[0], -1)),
])
def test_what_is_not_flat_keeps_its_infinite_slope(write: Write) -> None:
    assert np.isinf(slope(write, np.zeros(3))).any()


@pytest.mark.parametrize("write", [
    lambda x, y, z: x @ x + y @ y - 2 * (x @ z),
    lambda x, y, z: x @ x + y @ y - (x @ y),
    lambda x, y, z: x @ x + y @ y + 2 * (x @ y),
    lambda x, y, z: x @ x + 3 * (y @ y) - 2 * (x @ y),
    lambda x, y, z: x[:, None] ** 2 + y**2 - 2 * F.outer(y, x),
    lambda x, y, z: x**2 + y**2 - 2 * x * F.sum(y),
    lambda x, y, z: F.einsum("i,j,i,j->", x, y, x, y) + y @ y - 2 * F.einsum("i,j,j->", x, y, y),
    lambda x, y, z: F.mean(x**2) - F.mean(y) ** 2,
    lambda x, y, z: F.mean(x**2) - F.sum(x) ** 2,
    lambda x, y, z: F.sum(x**2) - F.mean(x) ** 2,
    lambda x, y, z: F.einsum("i,j->", x, x),
    lambda x, y, z: F.sum(x[:, None] @ x[None, :]),
])
def test_what_only_looks_like_a_square(write: Callable[..., Node]) -> None:
    g = Graph()
    row = F.sqrt(write(*[g.leaf(name, (N,), "param") for name in "xyz"]))
    assert row.attr.head == "sqrt"


@pytest.mark.parametrize("write", [
    lambda x: F.sqrt(F.sum(x**2) + 1e-5),
    lambda x: F.sqrt(F.maximum(F.sum(x**2), 1e-12)),
    lambda x: F.sqrt(F.exp(F.sum(x))),
])
def test_what_is_never_zero_needs_no_guard(write: Write) -> None:
    row = write(Graph().leaf("x", (N,), "param"))
    assert row.attr.head == "sqrt"


@pytest.mark.parametrize("step", [
    lambda h, x: h + x**2,
    lambda h, x: h * h,
    lambda h, x: (2 * h) * (3 * h),
    lambda h, x: h - 2 * h * x + x * x,
    lambda h, x: F.exp(h) + h,
    lambda h, x: h @ h.T @ h,
    lambda h, x: F.maximum(h, x) - F.minimum(h * h, x),
])
def test_what_is_deep_is_soon_seen(step: Callable[[Node, Node], Node]) -> None:
    """Neither the stack nor the time runs out."""
    g = Graph()
    x = g.leaf("x", (3, 3), "param")
    h = x**2
    for t in range(150):
        h = g.let(f"h{t}", step(h, x))
    assert F.sqrt(h).shape == x.shape


def test_a_loop_that_starts_from_data() -> None:
    g = Graph()
    x, start = g.leaf("x", (3,), "param"), g.leaf("s0")
    (last,), _ = scan(lambda carry, now: (carry[0] + now[0] ** 2, ()), [start], [x])
    close(evaluate(grad(F.sqrt(last), [x]), {"x": np.zeros(3), "s0": 0.0})[0], np.zeros(3))


def test_data_are_weights_whatever_their_sign() -> None:
    g = Graph()
    x, m, n = g.leaf("x", (3,), "param"), g.leaf("m", (3,)), g.leaf("n")
    for inside in (F.sum(m * x**2), F.einsum("i,i,i->", m, x, x), F.sum(x**2) / n, F.sum(m * x**2) / F.sum(m)):
        at = {"x": np.zeros(3), "m": np.array([1.0, 0.0, 1.0]), "n": 3.0}
        close(evaluate(grad(F.sqrt(inside), [x]), at)[0], np.zeros(3))


@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_by_axes(axis: Any) -> None:
    """Rows and columns that are 0 beside others that are not."""
    at = np.array([[3.0, 0.0], [4.0, 0.0], [0.0, 0.0]])
    for write in (lambda x: F.norm(x, axis=axis), lambda x: F.sum(x**2, axis=axis) ** 0.5):
        x = Graph().leaf("x", (3, 2), "param")
        expected = at / 5 if axis != 1 else np.sign(at)
        close(evaluate(grad(F.sum(write(x)), [x]), {"x": at})[0], expected)


# -- even powers cancel before they are differentiated

SQUARES: dict[str, tuple[Write, float]] = {  # each with what its Hessian at 0 is a multiple of: the identity
    "norm^2": (lambda x: F.norm(x) ** 2, 2),
    "norm*norm": (lambda x: 3 * F.norm(x) * F.norm(x), 6),
    "(2 norm)^2": (lambda x: (2 * F.norm(x)) ** 2, 8),
    "exp(-norm^2)": (lambda x: F.exp(-(F.norm(x) ** 2)), -2),
    "1/(1 + norm^2)": (lambda x: 1 / (1 + F.norm(x) ** 2), -2),
    "norm^4": (lambda x: F.norm(x) ** 4, 0),
    "norm^3": (lambda x: F.norm(x) ** 3, 0),
    "sqrt^2": (lambda x: F.sqrt(F.sum(x**2)) ** 2, 2),
    "std^2": (lambda x: F.sqrt(F.mean(x**2)) ** 2 * 3, 2),
    "norms of rows": (lambda x: F.sum(F.norm(F.reshape(x, (3, 1)), axis=1) ** 2), 2),
    "norms of columns": (lambda x: F.sum(F.norm(F.reshape(x, (3, 1)), axis=0) ** 2), 2),
    "one norm of several": (lambda x: F.norm(F.stack(x, 2 * x), axis=1)[1] ** 2, 8),
    "abs^2": (lambda x: F.sum(F.abs(x) ** 2), 2),
    "abs*abs": (lambda x: F.sum(F.abs(x) * F.abs(x)), 2),
    "named": (lambda x: x.graph.let("n", F.norm(x)) ** 2, 2),
    "named exp": (lambda x: F.exp(-(x.graph.let("n", F.norm(x)) ** 2)), -2),
    "named^4": (lambda x: x.graph.let("n", F.norm(x)) ** 4, 0),
    "named root": (lambda x: x.graph.let("n", F.sqrt(x.graph.let("s", F.sum(x**2)))) ** 2, 2),
}


@pytest.mark.parametrize("name", SQUARES)
def test_second_derivative_of_even_powers_at_zero(name: str) -> None:
    write, factor = SQUARES[name]
    x = Graph().leaf("x", (3,), "param")
    v = x.graph.leaf("v", (3,))
    gradient = grad(write(x), [x])[0]
    direction = np.array([1.0, -2.0, 0.5])
    at = {"x": np.zeros(3), "v": direction}
    close(evaluate([gradient], at)[0], np.zeros(3))
    close(evaluate(grad(gradient, [x], v), at)[0], factor * direction)


def test_a_named_norm_is_squared_as_declared() -> None:
    x = Graph().leaf("x", (3,), "param")
    n = x.graph.let("n", F.norm(x))
    assert (n**2).args == (n,)


# -- norms of numbers whose squares no float holds


@pytest.mark.parametrize("scale", [1e-320, 3e-300, 1e-200, 1.0, 1e200, 3e300])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norm_of_huge_and_tiny_numbers(axis: Any, keepdims: bool, scale: float) -> None:
    entries = np.array([[3.0, 0.0], [4.0, 0.0]])
    at = scale * entries
    lengths = scale * np.sqrt((entries**2).sum(axis=axis, keepdims=keepdims))
    x = Graph().leaf("x", (2, 2), "param")
    row = F.norm(x, axis=axis, keepdims=keepdims)
    value, gradient = evaluate([row, *grad(F.sum(row), [x])], {"x": at})
    assert np.shape(value) == lengths.shape
    tolerance = 1e-3 if scale < 1e-300 else 1e-14  # of numbers that have few digits left
    np.testing.assert_allclose(value, lengths, rtol=tolerance)
    np.testing.assert_allclose(gradient, entries / 5 if axis != 1 else np.sign(entries), rtol=tolerance)


def test_norm_of_nothing_and_of_one() -> None:
    x = Graph().leaf("x", (N,), "param")
    close(evaluate([F.norm(x)], {"x": np.zeros(0)})[0], 0.0)
    one = Graph().leaf("x", (1,), "param")
    value, gradient = evaluate([F.norm(one), *grad(F.norm(one), [one])], {"x": np.array([-3e200])})
    assert value == 3e200
    close(gradient, np.array([-1.0]))


@pytest.mark.parametrize("outer", [
    lambda r: 1 / (1 + r), lambda r: 1 / (1 + r) ** 2, lambda r: r / (1 + r), lambda r: r**2 / (1 + r),
    lambda r: 3 - 2 / (2 - r), lambda r: F.exp(-r) / (1 + r), lambda r: (1 + r) ** -0.5,
    lambda r: F.log(1 + 1 / (1 + r)), lambda r: r * F.exp(-r),
])
@pytest.mark.parametrize("norm", [F.norm, lambda x: F.sqrt(F.sum(x**2)), lambda x: F.sqrt(F.mean(x**2))])
def test_functions_of_a_norm_are_flat_where_it_is_zero(norm: Write, outer: Write) -> None:
    """Under a quotient the gradient of 1/(1 + norm(x)) was divided by the norm, and NaN at 0."""
    def number(v: Any) -> Any:
        return evaluate([outer(norm(Graph().leaf("x", (N,), "param")))], {"x": v})[0]

    at = np.array([0.5, -0.25, 0.75])
    close(slope(lambda x: outer(norm(x)), np.zeros(3)), np.zeros(3))
    close(slope(lambda x: outer(norm(x)), at), differences(number, [at], 0, 1.0), 1e-7)
