"""What is not selected: what is known of rows without numbers, and second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.functions.constants import causal_mask_of
from symbackprop.core.graph import Graph, Node
from symbackprop.core.hazards import INFINITE, bit_of, hazards
from symbackprop.core.loops import scan
from symbackprop.core.notation import Notation
from symbackprop.core.reverse import grad
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close


def leaf(*shape: int) -> Node:
    return Graph().leaf("x", shape, "param")


def guarded(rows: Sequence[Node]) -> bool:
    """Whether anything is selected beyond the choices that are written out."""
    used = rows[0].graph.topological(rows)
    return any(n.op.name == "elementwise" and n.attr.head == "where_selected" for n in used)


BOUNDED: list[Callable[[Node], Node]] = [
    F.tanh, F.layer_norm, F.rms_norm, F.softmax, F.gelu, F.max, lambda x: x / (1 + x**2), lambda x: F.exp(-(x**2)),
    lambda x: x / F.sqrt(F.var(x) + 1e-5), lambda x: F.log(1e-8 + F.relu(x)), lambda x: F.log(1 + F.exp(x)),
    lambda x: F.sqrt(1 + F.abs(x)), lambda x: (x**2 + 1) ** -0.5, lambda x: x / F.maximum(F.norm(x), 1e-3),
    lambda x: x / F.where(x > 0, 2, 3), lambda x: F.exp(build.arange(x.graph, 3)) * x,
]
UNBOUNDED: list[Callable[[Node], Node]] = [
    F.log, F.log1p, F.sqrt, F.exp, F.expm1, lambda x: 1 / x, lambda x: x**0.5, lambda x: x**-2, lambda x: x / F.norm(x),
    lambda x: x / F.sum(x), lambda x: 1 / (1 - x**2), lambda x: F.where(x > 0, x, F.log(x)), lambda x: F.log(x - 1),
    lambda x: F.sum(F.log(x)) * x, lambda x: F.where(x > 0, x, -np.inf), lambda x: 2 ** (x / F.relu(x)),
]


@pytest.mark.parametrize("function", BOUNDED)
def test_what_cannot_be_infinite(function: Callable[[Node], Node]) -> None:
    x = leaf(3)
    assert hazards(function(x)) == bit_of(x)
    assert not guarded(grad(F.sum(F.relu(function(x))), [x])), "ordinary derivations stay as they are"


@pytest.mark.parametrize("function", UNBOUNDED)
def test_what_may_be_infinite(function: Callable[[Node], Node]) -> None:
    x = leaf(3)
    assert hazards(function(x)) == bit_of(x) | INFINITE


def test_constants_have_no_hazards() -> None:
    g = Graph()
    assert not hazards(F.log(build.arange(g, 4) / 3)) and not hazards(g.const(2))


def rows(*names: str) -> list[Node]:
    g, shapes = Graph(), {"X": (4, 3), "m": (4,), "W": (3, 2), "V": (2, 2), "y": (4, 2)}
    return [g.leaf(name, shapes[name], "data" if name in "Xmy" else "param") for name in names]


def test_activations_and_losses_by_hand_hide_no_arrays() -> None:
    """A where over products is no mask: NaN in the data reaches both branches, or the loss."""
    X, W, V, y = rows("X", "W", "V", "y")
    z = X @ W
    for a in (F.where(z > 0, z, 0), F.where(z > 0, z, z / 10), F.huber(z, y), F.relu(z)):
        assert not guarded(grad(F.sum((a @ V - y) ** 2), [W, V]))


def test_a_causal_mask_hides_no_arrays() -> None:
    X, W = rows("X", "W")
    q = X @ W
    p = F.softmax(F.where(causal_mask_of(X.graph, 4), q @ q.T, -np.inf))
    assert not guarded(grad(F.sum((p @ q) ** 2), [W]))


def test_a_mask_is_pushed_to_the_data_it_hides_and_prints_as_before() -> None:
    X, m, W = rows("X", "m", "W")
    slope = grad(F.sum(F.where(m[:, None], X @ W, 0)), [W])[0]
    assert guarded([slope])
    assert Notation().right(slope) == "X.T @ broadcast(reshape(m, (4, 1)) != 0, (4, 2))"
    at = {"X": np.where([[1], [0], [1], [1]], 2.0, np.nan) * np.ones((1, 3)), "m": np.array([1.0, 0, 1, 1])}
    close(evaluate([slope], {**at, "W": np.ones((3, 2))})[0], np.full((3, 2), 6.0))


SECOND: dict[str, tuple[Callable[[Node], Node], Any, Any]] = {
    "a sum": (lambda x: F.where(F.sum(x, 1) > 0, F.sum(F.log(x), 1), 0), [[0.0, 0.0], [1.0, 2.0]], [0, 0, -1, -0.25]),
    "a transpose": (lambda x: F.where(x.T > 0, F.log(x).T, 0), [[0.0, 2.0], [1.0, 0.0]], [0, -0.25, -1, 0]),
    "a power": (lambda x: F.where(x.T > 0, (x**-1).T, 0), [[0.0, 2.0]], [0, 0.25]),
    "relu": (lambda x: F.relu(F.log(x)), [[0.0, 2.0]], [0, -0.25]),
    "a clipped quotient": (lambda x: F.minimum(1 / x, 3), [[0.0, 2.0]], [0, 0.25]),
    "a slice": (lambda x: F.log(x)[:, 1:], [[0.0, 2.0]], [0, -0.25]),
    "a root of what is cut off": (lambda x: F.sqrt(F.relu(x)), [[-1.0, 4.0]], [0, -1 / 32]),
    "nothing": (lambda x: F.softmax(F.where(x > 0, x, -np.inf)) ** 2, [[-1.0, -2.0]], [0, 0]),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name: str) -> None:
    function, at, expected = SECOND[name]
    x = leaf(*np.shape(at))
    first = grad(F.sum(function(x)), [x])[0]
    with np.errstate(all="ignore"):
        found = evaluate(grad(F.sum(first), [x]), {"x": np.array(at)})[0]
    close(found.ravel(), expected)


def test_a_gradient_that_is_0_by_chance_keeps_its_derivative() -> None:
    """At log x = t the first derivative of ½(log x − t)² is 0 and the second is 1/x²."""
    x = leaf(2)
    first = grad(F.sum(F.where(x > 0, (F.roll(F.log(x), 1, 0) - 1) ** 2 / 2, 0)), [x])[0]
    close(evaluate(grad(F.sum(first), [x]), {"x": np.array([np.e, np.e])})[0], np.full(2, np.exp(-2)))


def test_a_loop_that_does_not_read_what_it_is_given() -> None:
    """Its gradient is 0, whatever comes before the loop."""
    x = leaf(3)
    _, (stack,) = scan(lambda carry, elements: ((), elements[0] * 0 + 2), (), F.softmax(x))
    assert not np.any(evaluate(grad(F.sum(stack), [x]), {"x": np.arange(3.0)})[0])
