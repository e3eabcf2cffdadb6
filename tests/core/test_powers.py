"""Powers and quotients where a base, an exponent or a coefficient is 0, huge or negative: IEEE limits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from symbackprop.core.notation import Notation
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import dim
from symbackprop.errors import ModelError
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close

INF, NAN = np.inf, np.nan
BASES = [0.0, -0.0, 1e-300, 0.5, 1.0, 2.0, 1e300, INF, -1.0, -2.0, -INF]
EXPONENTS = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, -1.0, -2.0, -0.5, 7.0, 300.0]


def numbers(rows: list[Node], **at: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        return [float(v) for v in evaluate(rows, at)]


def falling(b: float, order: int) -> float:
    """b(b − 1)…, as many factors as the order."""
    return float(np.prod([b - k for k in range(order)]))


def slope_in_base(a: float, b: float, order: int) -> float:
    """aᵇ for order 0, else dᵏ/daᵏ aᵇ: of a polynomial it ends, of every other power it is a power. What NumPy's arrays
    say of √−∞ is NaN in every version; of a number it depends on the version."""
    with np.errstate(all="ignore"):
        factor = falling(b, order)
        return 0.0 if factor == 0 else float((factor * np.array([a]) ** (b - order))[0])


def slope_in_exponent(a: float, b: float, order: int) -> float:
    """dᵏ/dbᵏ aᵇ = aᵇ·(log a)ᵏ, where 0·log 0 is 0."""
    with np.errstate(all="ignore"):
        value = np.power(np.float64(a), b)
        return 0.0 if value == 0 else float(value * np.log(np.float64(a)) ** order)


DECIDED = [(a, b) for a, b in product(BASES, EXPONENTS) if (a, b) != (-INF, 1.5)]  # √−∞ is what NumPy's version says


@pytest.mark.parametrize(("a", "b"), DECIDED)
def test_derivatives_of_a_power_of_two_variables(a: float, b: float) -> None:
    g = Graph()
    x, y = g.leaf("x"), g.leaf("y")
    row = x**y
    first_x, first_y = grad(row, [x, y])
    found = numbers([first_x, first_y, grad(first_x, [x])[0], grad(first_y, [y])[0]], x=a, y=b)
    expected = [f(a, b, k) for k in (1, 2) for f in (slope_in_base, slope_in_exponent)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_how_they_are_written() -> None:
    g = Graph()
    x, n = g.leaf("x"), g.leaf("n")
    by_x, by_n = grad(x**n, [x, n])
    assert Notation().right(by_x) == "n * x**(n - 1)"
    assert Notation().right(by_n) == "x**n * log(x)"
    assert Notation().right(grad(by_x, [x])[0]) == "n * (n - 1) * x**(n - 2)"


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("at", [0.0, -0.0, 1.0, -2.0, 0.3])
def test_a_polynomial_with_its_exponents_in_an_array(at: float, integers: bool) -> None:
    """The k-th derivative at 0 is k!·c_k; elsewhere Horner's."""
    g = Graph()
    x, c = g.leaf("x"), g.leaf("c", (5,))
    n = g.leaf("n", (5,), kind="int", below=dim("K")) if integers else F.CONSTANTS["arange"](g, 5)
    row = F.sum(c * x**n)
    given = {"x": at, "c": np.array([1.0, 2.0, -3.0, 4.0, 5.0])} | ({"n": np.arange(5), "K": 9} if integers else {})
    polynomial = np.polynomial.Polynomial(given["c"])
    sizes = {"K": given.pop("K")} if integers else {}
    for order in range(6):
        with np.errstate(all="ignore"):
            close(evaluate([row], given, sizes)[0], polynomial.deriv(order)(at) if order else polynomial(at))
        row = grad(row, [x])[0]


@pytest.mark.parametrize("at", [-2.0, -0.0, 0.0, 1.0, INF, -INF])
@pytest.mark.parametrize("n", [-3, -2, -1, 1, 2, 3, 4, 0.5, 2.5])
def test_literal_exponents(at: float, n: float) -> None:
    x = Graph().leaf("x")
    row = x**n
    for order in range(3):
        np.testing.assert_allclose(numbers([row], x=at)[0], slope_in_base(at, n, order), rtol=1e-14)
        row = grad(row, [x])[0]


def test_an_exponent_that_is_a_size_may_be_zero() -> None:
    """x^(N−1) has derivative 0 when N is 1."""
    x = Graph().leaf("x", (dim("N"),))
    first = grad(F.sum(x ** (dim("N") - 1)), [x])[0]
    with np.errstate(all="ignore"):
        close(evaluate([first], {"x": np.zeros(1)})[0], np.zeros(1))
        close(evaluate([first], {"x": np.zeros(2)})[0], np.ones(2))
        close(evaluate(grad(F.sum(first), [x]), {"x": np.zeros(2)})[0], np.zeros(2))


# -- literal bases


@pytest.mark.parametrize(("base", "at", "value", "slope"), [
    (0, 1.0, 0.0, 0.0),
    (0.0, 0.5, 0.0, 0.0),
    (0, 0.0, 1.0, 0.0),
    (1, 3.0, 1.0, 0.0),
    (1, -INF, 1.0, 0.0),
    (2, 0.0, 1.0, np.log(2)),
    (2, -INF, 0.0, 0.0),
    (0.5, 2.0, 0.25, 0.25 * np.log(0.5)),
])
def test_literal_bases(base: float, at: float, value: float, slope: float) -> None:
    x = Graph().leaf("x")
    close(numbers([base**x, *grad(base**x, [x])], x=at), [value, slope])


def test_a_negative_literal_base() -> None:
    """Its powers with whole exponents are numbers; a derivative in the exponent there is none."""
    g = Graph()
    x, n = g.leaf("x"), g.leaf("n", kind="int", below=dim("K"))
    close(evaluate(grad(x * (-2) ** n, [x]), {"x": 1.0, "n": 3}, {"K": 5})[0], -8.0)
    with pytest.raises(ModelError, match="a power of -2 has no derivative in its exponent: the base is negative"):
        grad((-2) ** x, [x])


def test_x_to_the_x() -> None:
    x = Graph().leaf("x")
    close(numbers([x**x, *grad(x**x, [x])], x=2.0), [4.0, 4 * np.log(2) + 4])
    close(numbers([x**x, *grad(x**x, [x])], x=0.0), [1.0, -INF])


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 0.5])
def test_focal_loss_with_its_gamma_in_the_data(gamma: float) -> None:
    """−(1 − p)^γ log p: at p = 1 it is flat for every γ above 0 and has slope −1 for γ = 0."""
    g = Graph()
    p, y = g.leaf("p", (3,)), g.leaf("gamma")
    row = F.sum(-((1 - p) ** y) * F.log(p))
    at = np.array([0.25, 0.5, 0.999999])
    slope = gamma * (1 - at) ** (gamma - 1) * np.log(at) - (1 - at) ** gamma / at
    close(evaluate(grad(row, [p]), {"p": at, "gamma": gamma})[0], slope)
    if gamma != 0.5:
        with np.errstate(all="ignore"):
            ends = evaluate(grad(row, [p]), {"p": np.ones(3), "gamma": gamma})[0]
        close(ends, np.full(3, -1.0 if gamma == 0 else 0.0))


# -- quotients

QUOTIENTS: dict[str, tuple[Callable[[Node], Node], float, float]] = {  # c·x^n, whatever it is written as
    "1/x": (lambda x: 1 / x, 1, -1),
    "c/x": (lambda x: -3 / x, -3, -1),
    "1/(2x)": (lambda x: 1 / (2 * x), 0.5, -1),
    "1/x^2": (lambda x: 1 / x**2, 1, -2),
    "1/(x*x)": (lambda x: 1 / (x * x), 1, -2),
    "1/(3x)^3": (lambda x: 1 / (3 * x) ** 3, 1 / 27, -3),
    "x/x^3": (lambda x: x / x**3, 1, -2),
    "(1/x)^2": (lambda x: (1 / x) ** 2, 1, -2),
    "1/x as a row": (lambda x: x.graph.let("r", 1 / x) * 2, 2, -1),
    "x^-1": (lambda x: x**-1, 1, -1),
    "x^-2": (lambda x: x**-2, 1, -2),
    "1/sqrt": (lambda x: x**-0.5, 1, -0.5),
}


@pytest.mark.parametrize("at", [0.0, -0.0, INF, -INF, 2.0, -0.5, 1e-100, 1e100])
@pytest.mark.parametrize("name", QUOTIENTS)
def test_quotients_up_to_the_third_derivative(name: str, at: float) -> None:
    write, factor, n = QUOTIENTS[name]
    if n != int(n) and np.signbit(at):
        return
    x = Graph().leaf("x")
    row = write(x)
    for order in range(3):
        np.testing.assert_allclose(numbers([row], x=at)[0], factor * slope_in_base(at, n, order), rtol=1e-13)
        row = grad(row, [x])[0]


@pytest.mark.parametrize("at", [-800.0, 0.0, 800.0])
def test_one_over_an_exponential(at: float) -> None:
    x = Graph().leaf("x")
    row = 1 / F.exp(x)
    first = grad(row, [x])[0]
    with np.errstate(over="ignore"):
        value = np.exp(-at)
    close(numbers([row, first, *grad(first, [x])], x=at), [value, -value, value])


def test_a_quotient_of_products_has_short_derivatives() -> None:
    g = Graph()
    a, b, c = (g.leaf(name) for name in "abc")
    assert Notation().right(grad(a / (b * c), [b])[0]) == "-a / (b * c) / b"
    assert Notation().right(grad(a / b**3, [b])[0]) == "-3 * (a / b**3) / b"
