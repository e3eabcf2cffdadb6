"""Random loops, in each other and one after the other: what is emitted for their gradients and Hessian-vector products
computes what the interpreter does, at every level, and so does their model text.

A short sample runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=2000 python -m pytest tests/codegen/test_random_loops.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symbackprop import Model, grad, mean, scan, sin, softmax, tanh
from symbackprop import sum as total
from symbackprop.codegen import codegen
from symbackprop.core.graph import Node
from symbackprop.verify.interpreter import evaluate

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "15"))
SIZES = {"T": 3, "K": 2, "N": 2}

STEPS: dict[str, Callable[[Node, Node], Node]] = {
    "product": lambda a, b: a @ b,
    "times": lambda a, b: a * b,
    "tanh": lambda a, b: tanh(a + b),
    "sin": lambda a, b: sin(a) - b / 2,
    "softmax": lambda a, b: softmax(a) * b,
    "turned": lambda a, b: a.T + b,
    "column": lambda a, b: a * total(b, axis=1, keepdims=True),
}
LINE = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9))
LINES = st.lists(LINE, min_size=1, max_size=4)
BODY = st.fixed_dictionaries({
    "lines": LINES, "after": LINES, "carries": st.integers(1, 2), "reverse": st.booleans(), "stacked": st.booleans(),
    "previous": st.booleans(),
})


def over(rows: Sequence[Node], lines: list[tuple[str, int, int]]) -> list[Node]:
    """The rows that the lines compute, each over any of those before it; tanh keeps them small."""
    found = list(rows)
    for name, i, j in lines:
        found.append(tanh(STEPS[name](found[-1 - i % len(found)], found[-1 - j % len(found)])))
    return found[len(rows) :]


def loop(plan: dict[str, Any], start: Node, xs: Node, weight: Node, inner: Callable[..., Node] | None = None) -> Node:
    """One loop over square matrices; what reads its results is one matrix."""

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> Any:
        element = inner(c[0], e[0]) if inner else e[0]
        rows = over([*c, weight, element], plan["lines"])
        return ((c[-1], rows[-1])[-len(c) :], (rows[-1], c[0]))

    carries = (start, start.T)[: plan["carries"]]
    last, (now, before) = scan(step, carries, xs, reverse=plan["reverse"], index="k" if inner is None else "t")
    stacks = mean(now, axis=0) * int(plan["stacked"]) + mean(before, axis=0) * int(plan["previous"])
    return over([*last, stacks + weight], plan["after"])[-1]


def model_of(first: dict[str, Any], second: dict[str, Any], nested: bool) -> Model:
    m = Model("random-loops")
    T, K, N = m.dims("T K N")
    h0, w, v = m.data("h0", (N, N)), m.param("w", (N, N)), m.data("v", (N, N))
    if nested:
        y = m.data("y", (T, K, N, N))
        result = loop(first, h0, y, w, lambda c, e: loop(second, c, e, w))
    else:
        x, z = m.data("x", (T, N, N)), m.data("z", (K, N, N))
        result = loop(second, loop(first, h0, x, w), z, w)
    slope = grad(m.let("L", mean(result * sin(result))), [w])[0]
    m.output("G", slope)
    m.output("H", grad(total(slope * v), [w])[0])
    return m


def values(m: Model) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {n: rng.normal(size=[SIZES[d.name] for d in row.shape]) for n, row in m.leaves().items()}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES < 500)
@given(BODY, BODY, st.booleans(), st.sampled_from([0, 1, 2]))
def test_second_derivatives(first: dict[str, Any], second: dict[str, Any], nested: bool, level: int) -> None:
    m = model_of(first, second, nested)
    at = values(m)
    sizes = {d: SIZES[d] for d in m.sizes}
    expected = dict(zip(m.output_rows, evaluate(m.results(), at, sizes), strict=True))
    space: dict[str, Any] = {}
    exec(codegen(m, wrt=[], level=level), space)
    module = SimpleNamespace(**space)
    found, _ = module.forward({"w": at["w"]}, {n: at[n] for n in module.DATA})
    text = Model.parse(module.MODEL)
    read = dict(zip(text.output_rows, evaluate(text.results(), at, sizes), strict=True))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(read[name], value, rtol=1e-9, atol=1e-12)
