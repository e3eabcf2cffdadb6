"""Expressions as people write them, at points where the way they are written overflows, cancels or divides by 0: values
and gradients of emitted modules against mpmath with 60 digits, next to PyTorch, JAX and autograd.

An expression is model text and, with `^` for a power, Python too: mpmath and the libraries compute the same text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tests.conformance.checking import declared, emitted
from tests.conformance.frame import Case, Suite, cells

ENOUGH = 12  # digits
DIGITS = 60
Point = Any  # a number, an array, or a tuple of these for x, y …
NAMES = "xyz"


Computer = Callable[[str, Sequence[Any]], list[Any]]  # text, x, y …: value, derivative by x, by y …


class Exact(NamedTuple):
    """The value and the derivatives by x, y …, and what an error of each is relative to where that is larger than
    they: how much they change where the inputs change by their own sizes, as these are rounded."""

    values: list[Any]
    scales: list[Any]


class Hard(NamedTuple):
    """An expression (its entries are summed) and points; ``slopes`` are its derivatives by x, y … where they are no
    limit of differences: at an infinite entry, or by a convention; ``says`` what it is. One that ``saturates`` has
    errors of its slopes relative to the largest of them."""

    text: str
    points: Sequence[Point]
    slopes: tuple[str, ...] = ()
    says: str = ""
    saturates: bool = False


SIGMOID = "the slope as s(1 − s): 0 from x = 37 on, where it is below 1e-16"
TANH = "the slope as 1 − t²: 0 from |x| = 19 on, where it is below 1e-16"
WIDE = (-1e3, -800.0, -40.0, -1.0, 0.0, 1e-9, 1.0, 40.0, 800.0, 1e3)
TINY = (-1e-3, -1e-9, -1e-200, 1e-200, 1e-16, 1e-9, 1e-5, 1e-2)
FAR = np.array([-800.0, 0.0, 800.0])
SPREAD = np.array([1.0, -700.0, 3.0, 1000.0])
CLOSE = np.array([1e8, 1e8 + 1, 1e8 + 3])

HARD = (
    # softplus, sigmoid and their logarithms
    Hard("log1p(exp(x))", WIDE),
    Hard("log(1 + exp(x))", WIDE),
    Hard("log(1 + exp(-x))", WIDE),
    Hard("log(exp(x) + exp(-x))", WIDE),
    Hard("softplus(x)", WIDE),
    Hard("log(sigmoid(x))", WIDE),
    Hard("log(1 - sigmoid(x))", WIDE),
    Hard("log(1/(1 + exp(-x)))", WIDE),
    Hard("log1p(-sigmoid(x))", WIDE),
    Hard("1/(1 + exp(-x))", WIDE, says=SIGMOID, saturates=True),
    Hard("exp(x)/(1 + exp(x))", WIDE, says=SIGMOID, saturates=True),
    Hard("1 - sigmoid(x)", WIDE, says=SIGMOID, saturates=True),
    Hard("sigmoid(x)*(1 - sigmoid(x))", WIDE),
    Hard("sqrt(1 - sigmoid(x)^2)", (-20.0, *WIDE, 20.0, 300.0), says=SIGMOID, saturates=True),
    Hard("acos(sigmoid(x))", (-20.0, *WIDE, 20.0, 300.0)),
    Hard("asin(sigmoid(x))", (-20.0, *WIDE, 20.0, 300.0)),
    Hard("x*sigmoid(x)", WIDE),
    Hard("x/(1 + exp(-x))", WIDE),
    Hard("logit(sigmoid(x))", (-800.0, -30.0, -1.0, 0.5, 1.0, 30.0)),
    Hard("-(0.3*log(sigmoid(x)) + 0.7*log(1 - sigmoid(x)))", WIDE),
    # hyperbolic functions
    Hard("log(1 - tanh(x)^2)", WIDE),
    Hard("log(1 + tanh(x))", WIDE),
    Hard("log(1 - tanh(x))", WIDE),
    Hard("1 - tanh(x)^2", WIDE),
    Hard("1 - tanh(x)", WIDE),
    Hard("sqrt(1 - tanh(x)^2)", (-1e3, -700.0, -40.0, -1.0, 0.5, 20.0, 700.0, 1e3)),
    Hard("acos(tanh(x))", (*WIDE, 20.0, 300.0)),
    Hard("asin(tanh(x))", (-300.0, -20.0, *WIDE, 20.0, 300.0)),
    Hard("atanh(tanh(x))", (-1e3, -20.0, -1.0, 1e-200, 1e-9, 20.0, 1e3)),
    Hard("log((1 + x)/(1 - x))", (*TINY, -0.5, 0.9)),
    Hard("log(sinh(x))", (1e-200, 1e-9, 1.0, 40.0, 800.0, 1e3)),
    Hard("asinh(sinh(x))", (-1e3, -40.0, 1e-200, 1e-9, 1.0, 40.0, 1e3)),
    Hard("1/cosh(x)", (-1e3, -700.0, -1.0, 0.5, 30.0, 700.0, 1e3)),
    Hard("log(cosh(x))", WIDE),
    Hard("(exp(x) - exp(-x))/(exp(x) + exp(-x))", WIDE, says=TANH, saturates=True),
    Hard("tanh(x)/x", (*TINY, 30.0, 1e4)),
    Hard("asinh(x)", (*WIDE, -1e200, 1e200)),
    Hard("log(x + sqrt(x^2 + 1))", (*WIDE, -1e8, 1e8)),
    Hard("atanh(x)", (*TINY, 1 - 1e-10, -1 + 1e-10)),
    Hard("acosh(x)", (1 + 1e-10, 1.5, 1e10, 1e200)),
    # logsumexp and softmax
    Hard("logsumexp(x)", (FAR, SPREAD, CLOSE)),
    Hard("logsumexp(x)", (np.array([-np.inf, 0.0, 1.0]), np.array([-np.inf, 800.0, -np.inf])), ("softmax(x)",)),
    Hard("log(sum(exp(x)))", (FAR, SPREAD, CLOSE)),
    Hard("log(sum(exp(x)))", (np.array([-np.inf, 0.0, 1.0]),), ("softmax(x)",)),
    Hard("log(mean(exp(x)))", (FAR, SPREAD, CLOSE)),
    Hard("log(exp(x[0]) + exp(x[1]))", (np.array([-800.0, -801.0]), np.array([800.0, -800.0]), np.array([1e4, 1e4]))),
    Hard("log(softmax(x))[0]", (FAR, SPREAD, CLOSE)),
    Hard("log(softmax(x)[1])", (FAR, SPREAD, CLOSE)),
    Hard("log(exp(x)/sum(exp(x)))[0]", (FAR, SPREAD, CLOSE)),
    Hard("softmax(x)[1]", (FAR, SPREAD, CLOSE)),
    Hard("(exp(x)/sum(exp(x)))[1]", (FAR, SPREAD, CLOSE)),
    Hard("sum(softmax(x)*log(softmax(x)))", (FAR, SPREAD, CLOSE)),
    Hard("-sum(y*log(softmax(x)))", ((FAR, np.array([0.2, 0.0, 0.8])), (CLOSE, np.array([1.0, 0.0, 0.0])))),
    Hard("-log(softmax(x)[2]) + logsumexp(x)", (FAR, SPREAD)),
    Hard("sum(y*(log(y) - log(softmax(x))))", ((FAR, np.array([0.2, 0.3, 0.5])),)),
    # x log x, entropies and divergences at 0
    Hard("x*log(x)", (1e-300, 1e-16, 1.0, 1e16)),
    Hard("xlogy(x, x)", (1e-300, 1e-16, 1.0, 1e16)),
    Hard("xlogy(x, y)", ((0.0, 2.0), (1e-300, 1e-300)), ("log(y)", "x/y")),
    Hard("y*log(sigmoid(x)) + (1 - y)*log(1 - sigmoid(x))", ((800.0, 1.0), (-800.0, 0.0), (40.0, 0.0), (-40.0, 1.0))),
    # expm1 and log1p by hand
    Hard("exp(x) - 1", TINY),
    Hard("(exp(x) - 1)/x", TINY),
    Hard("x/(exp(x) - 1)", (*TINY, 800.0)),
    Hard("expm1(x)/x", (*TINY, -800.0)),
    Hard("log(1 + x)", TINY),
    Hard("log(1 + x)/x", TINY),
    Hard("log(1 - exp(x))", (-800.0, -40.0, -1.0, -1e-3, -1e-9, -1e-16)),
    Hard("log1p(-exp(x))", (-800.0, -40.0, -1.0, -1e-3, -1e-9, -1e-16)),
    Hard("log(-expm1(x))", (-800.0, -40.0, -1.0, -1e-3, -1e-9, -1e-16)),
    Hard("log(exp(x) - 1)", (1e-16, 1e-9, 1e-3, 1.0, 40.0, 800.0)),
    Hard("log(expm1(x))", (1e-16, 1e-9, 1e-3, 1.0, 40.0, 800.0)),
    Hard("sqrt(1 - exp(-x)^2)", (1e-300, 1e-16, 1e-9, 1.0, 20.0, 40.0, 300.0)),
    Hard("1 + expm1(x)", (-700.0, -40.0, -1.0, 1e-9, 1.0)),
    Hard("log(1 + expm1(x))", WIDE),
    Hard("log(1 - expm1(x))", (-800.0, -1.0, 0.0, 0.5)),
    Hard("1 - exp(-x)", (1e-200, 1e-16, 1e-9, 1.0, 40.0, 800.0)),
    # cancellation
    Hard("1 - cos(x)", (1e-100, 1e-9, 1e-5, 1.0)),
    Hard("(1 - cos(x))/x^2", (1e-9, 1e-5, 1.0)),
    Hard("sin(x)/x", (1e-200, 1e-9, 1e-5, 1.0)),
    Hard("sqrt(x + 1) - sqrt(x)", (1e-9, 1.0, 1e8, 1e16, 1e30)),
    Hard("sqrt(1 + x) - 1", TINY),
    Hard("sqrt(1 + x^2) - 1", (1e-150, 1e-9, 1e-5, 1.0, 1e200)),
    Hard("acos(1 - x)", (1e-300, 1e-16, 1e-9, 1.0)),
    Hard("1 - x/(1 + x)", (1e-9, 1.0, 1e16, 1e200)),
    Hard("x - log(1 + x)", (-1e-3, 1e-9, 1e-5, 1.0)),
    Hard("(1 + x)^2 - 1", TINY),
    # norms and roots
    Hard("sqrt(x)", (1e-300, 1e-16, 1e300)),
    Hard("sqrt(x^2 + y^2)", ((3.0, 4.0), (3e200, 4e200), (3e-200, 4e-200), (1e-300, 0.0))),
    Hard("hypot(x, y)", ((3.0, 4.0), (3e200, 4e200), (3e-200, 4e-200), (1e-300, 0.0))),
    Hard("norm(x)", (np.array([3e200, 4e200]), np.array([3e-200, 4e-200]), np.array([3.0, 4.0]))),
    Hard("norm(x)", (np.zeros(3),), ("0*x",), "the norm has the gradient 0 at 0"),
    Hard("sqrt(sum(x^2))", (np.array([3e200, 4e200]), np.array([3e-200, 4e-200]))),
    Hard("x/sqrt(x^2 + 1)", (*WIDE, 1e200)),
    Hard("abs(x)", (0.0,), ("0*x",), "|x| has the derivative 0 at 0"),
    # variances
    Hard("var(x)", (CLOSE, np.full(4, 0.1), np.array([1e8, -1e8, 1.0]))),
    Hard("std(x)", (CLOSE, np.array([1e-140, 3e-140])), says="not at 1e-200, where the variance is no float"),
    Hard("sqrt(x^2)", (-1e200, -1.0, 1e-200, 1e-300, 1e300)),
    Hard("std(x)", (np.full(4, 0.1),), ("0*x",), "the standard deviation of equal numbers has the gradient 0"),
    Hard("(layer_norm(x)*y)", ((CLOSE, np.array([1.0, -2.0, 4.0])), (np.full(3, 0.1), np.array([1.0, 2.0, 4.0]))),
         says="not for y nearly parallel to x, where fewer digits are right"),
    # Gaussian tails
    Hard("erf(x)", (1e-200, 1e-9, 1.0, 6.0, 30.0)),
    Hard("erfc(x)", (-30.0, 0.5, 5.0, 10.0, 25.0)),
    Hard("log(erfc(x))", (-30.0, -1.0, 0.5, 5.0, 25.0, 40.0, 1e4)),
    Hard("log((1 + erf(x/sqrt(2)))/2)", (-60.0, -40.0, -10.0, -1.0, 1.0, 10.0)),
    Hard("log(1 - erf(x))", (-5.0, 0.5, 5.0, 10.0, 40.0)),
    Hard("log(erfc(-x/sqrt(2))/2)", (-1e4, -40.0, -10.0, -1.0, 1.0, 10.0)),
    Hard("log(normal_pdf(x))", (-1e3, -40.0, 0.0, 1.0, 40.0, 1e3)),
    Hard("acos(normal_cdf(x))", (-5.0, 0.0, 1.0, 8.0, 20.0, 30.0)),
    Hard("exp(-x^2/2)", (0.0, 1.0, 20.0, 38.0, 1e4, 1e200)),
    Hard("exp(x^2)*erfc(x)", (-3.0, 0.5, 5.0, 20.0, 30.0, 1e4)),
    Hard("log(exp(-x^2/2))", (1.0, 40.0, 1e4)),
    # powers and angles
    Hard("x^2", (0.0, 1e-200, 1e150)),
    Hard("x^y", ((0.0, 2.0), (0.0, 3.0)), ("y*x^(y - 1)", "0*x"), "x^y has the derivative 0 by y where x is 0"),
    Hard("x^1.5", (0.0, 1e-200, 1e200), ("1.5*x^0.5",)),
    Hard("(1 + x)^y", ((1e-9, 1e9), (1e-16, 1e16), (1e-12, 1e10))),
    Hard("atan2(x, y)", ((0.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (1e200, 1e200), (1e-200, 1e-200), (1e-300, 1.0))),
    Hard("atan(x)", (*WIDE, 1e200)),
    Hard("atan(x/y)", ((1.0, 1e-300), (1e200, 1e200), (1e-200, 1e-200))),
    Hard("log(x*y)", ((1e200, 1e200), (1e-200, 1e-200))),
    Hard("log(x/y)", ((1e200, 1e-200), (1e-200, 1e200))),
    Hard("log(x^100)", (1e-10, 1e10)),
    Hard("exp(x)*exp(-x)", (800.0, -800.0, 1.0)),
    Hard("exp(x)/exp(y)", ((800.0, 799.0), (-800.0, -799.0))),
    Hard("logaddexp(x, y)", ((1e4, 1e4), (-800.0, 800.0), (0.0, -1e-9))),
    Hard("prod(x)", (np.array([0.0, 2.0, 3.0]), np.array([0.0, 0.0, 3.0]), np.array([1e-200, 1e200, 3.0]))),
    Hard("lgamma(x)", (1e-200, 1e-5, 1 + 1e-9, 2 + 1e-9, 1e5, 1e200)),
    Hard("log(i0(x))", (0.0, 1.0, 800.0, 1e4)),
)


def cases() -> Iterator[Case]:
    seen: list[str] = []
    for hard in HARD:
        seen.append(hard.text)
        again = f" ({seen.count(hard.text)})" if seen.count(hard.text) > 1 else ""
        yield Case(hard.text + again, lambda hard=hard: check(hard))


def check(hard: Hard) -> str:
    """How many digits are right at the worst of the points."""
    places = [tuple(map(np.asarray, p if isinstance(p, tuple) else (p,))) for p in hard.points]
    right = [exactly(hard, place) for place in places]
    if hard.saturates:
        most = max(np.max(abs(slope)) for exact in right for slope in exact.values[1:])
        right = [Exact(e.values, [e.scales[0], *[s + most for s in e.scales[1:]]]) for e in right]
    found = {name: [digits(by, hard.text, place, exact) for place, exact in zip(places, right, strict=True)]
             for name, by in computers().items()}
    worst = {name: min(all_) for name, all_ in found.items()}
    if worst["ours"] < ENOUGH:
        at = [hard.points[k] for k, most in enumerate(found["ours"]) if most < ENOUGH]
        raise AssertionError(f"{worst}; at {at}")
    return cells(*worst.values(), hard.says)


def digits(by: Computer, text: str, place: Sequence[Any], exact: Exact) -> int:
    """Of how many digits the value and all derivatives are right, 16 at most; 0 where it cannot be computed."""
    try:
        found = by(text, place)
    except (ArithmeticError, NotImplementedError):
        return 0
    parts = zip(found, exact.values, exact.scales, strict=True)
    return min(_digits(float(a), b, c) for one in parts for a, b, c in zip(*map(np.ravel, one), strict=True))


def _digits(found: float, exact: Any, scale: Any) -> int:
    from mpmath import fabs, isfinite, log10

    if float(exact) == found or (fabs(exact) < 1e-307 and abs(found) < 1e-307):
        return 16
    if not isfinite(exact) or not math.isfinite(found):
        return 0
    size = max(fabs(exact), scale)
    return max(0, min(16, int(-log10(fabs(exact - found) / size) + 0.3))) if size else 0


# -- who computes


def ours(text: str, place: Sequence[Any]) -> list[Any]:
    """The module's, at the level where they are worst."""
    params = dict(zip(NAMES, place, strict=False))
    lines = [declared("param", n, a) for n, a in params.items()]
    with np.errstate(all="ignore"):
        module = emitted("\n".join([*lines, f"loss L = {_summed(text)}"]))
        loss, grads = module.loss_and_grads(params, {})
    return [loss, *[grads[n] for n in params]]


def _summed(text: str) -> str:
    return f"sum({text})" if text.startswith("(layer_norm") else text


def by_torch(text: str, place: Sequence[Any]) -> list[Any]:
    import torch

    from tests.conformance.languages import torch_language

    given = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in place]
    value = run(text, torch_language(), given).sum()
    value.backward()
    return [float(value), *[torch.zeros_like(a) if a.grad is None else a.grad.numpy() for a in given]]


def by_jax(text: str, place: Sequence[Any]) -> list[Any]:
    import jax

    from tests.conformance.languages import jax_language

    with jax.enable_x64(True):
        function = jax.value_and_grad(lambda *a: run(text, jax_language(), a).sum(), argnums=range(len(place)))
        value, slopes = function(*map(jax.numpy.asarray, place))
        return [float(value), *map(np.asarray, slopes)]


def by_autograd(text: str, place: Sequence[Any]) -> list[Any]:
    from autograd import value_and_grad

    from tests.conformance.languages import autograd_language

    with np.errstate(all="ignore"):
        value, slopes = value_and_grad(lambda a: np.sum(run(text, autograd_language(), a)))(tuple(place))
    return [value, *slopes]


PEERS: dict[str, tuple[str, Computer]] = {
    "torch": ("torch", by_torch), "JAX": ("jax", by_jax), "autograd": ("autograd", by_autograd),
}


@cache
def computers() -> dict[str, Computer]:
    return {"ours": ours} | {name: by for name, (_, by) in PEERS.items()}


def run(text: str, language: dict[str, Any], place: Sequence[Any]) -> Any:
    """An expression of the table, with a library's functions."""
    return eval(text.replace("^", "**"), {}, {**language, **dict(zip(NAMES, place, strict=False))})


# -- what is right
def exactly(hard: Hard, place: Sequence[Any]) -> Exact:
    """Value and derivatives by mpmath: these from differences, of more digits than are asked for."""
    from mpmath import mp

    from tests.conformance.languages import mpmath_language

    language = mpmath_language()
    with mp.workdps(DIGITS * 40):
        given = [np.vectorize(mp.mpf, otypes=[object])(a) for a in place]
        if hard.slopes:
            slopes = [run(s, language, given) for s in hard.slopes]
            parts = [np.broadcast_to(s, np.shape(a)) for s, a in zip(slopes, given, strict=True)]
            parts = [np.sum(run(hard.text, language, given)), *parts]
            return Exact(parts, [np.zeros(np.shape(part)) for part in parts])
        return _differences(lambda *a: np.sum(run(hard.text, language, a)), given)


def _differences(function: Callable[..., Any], given: Sequence[Any]) -> Exact:
    """Value and derivatives, each with what it changes by where every input changes by its own size."""
    from mpmath import mp

    places = [(k, place) for k, array in enumerate(given) for place in np.ndindex(*array.shape)]
    sizes = [abs(given[k][place]) for k, place in places]
    steps = [mp.mpf(10) ** (-DIGITS * 4) * (size or 1) for size in sizes]

    def at(*moves: tuple[int, int]) -> Any:
        moved = [a.copy() for a in given]
        for which, sign in moves:
            k, place = places[which]
            moved[k][place] += sign * steps[which]
        return function(*moved)

    slopes = [(at((i, 1)) - at((i, -1))) / (2 * steps[i]) for i in range(len(places))]
    scales = [sum(abs(size * _mixed(at, i, j) / (4 * steps[i] * steps[j])) for j, size in enumerate(sizes) if size)
              for i in range(len(places))]
    parts = [np.empty(np.shape(a), object) for a in (*given, *given)]
    for (k, place), slope, scale in zip(places, slopes, scales, strict=True):
        parts[k][place], parts[len(given) + k][place] = slope, scale
    moved = sum(abs(slope * size) for slope, size in zip(slopes, sizes, strict=True))
    return Exact([at(), *parts[: len(given)]], [moved, *parts[len(given) :]])


def _mixed(at: Callable[..., Any], i: int, j: int) -> Any:
    """4·h·k times the second derivative by two entries."""
    return sum(a * b * at((i, a), (j, b)) for a in (1, -1) for b in (1, -1))


SUITE = Suite(
    "Stability",
    "Expressions as people write them, at points where the way they are written overflows, cancels or divides by 0: "
    "of how many digits the value and all derivatives are right, at the worst of some points, against mpmath; a row "
    f"passes with {ENOUGH}. An error is relative to the value itself, or to what the value changes by where the inputs "
    "change by their own sizes, which their rounding forces. The points stand in `tests/conformance/stability.py`.",
    cases,
    needs=("mpmath", "scipy", *[package for package, _ in PEERS.values()]),
    columns=("ours", *PEERS, ""),
    sample=3,
)
