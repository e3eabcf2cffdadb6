"""Random loops, up to three in each other or one after the other, over sequences of any lengths, of which steps may be
left out, and with parameters that they share: what is emitted for their gradients and Hessian-vector products computes
what the interpreter does, at every level, for both targets, and so does their model text.

A short sample runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=2000 python -m pytest tests/codegen/test_random_loops.py
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symbackprop import Model, grad, mean, scan, sin, softmax, tanh, where
from symbackprop import sum as total
from symbackprop.codegen import codegen
from symbackprop.core.graph import Node
from symbackprop.verify.interpreter import evaluate

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "8"))
LENGTHS = "TKJ"  # of the loops, the outermost or first one's first
WAYS = [*[("numpy", level) for level in (0, 1, 2)] * 2, *[("jax", level) for level in (0, 1) if find_spec("jax")]]

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
    "previous": st.booleans(), "ragged": st.booleans(),
})
Plan = dict[str, Any]
Sizes = dict[str, int]
SIZES = st.fixed_dictionaries({"T": st.integers(1, 4), "K": st.integers(1, 3), "J": st.integers(1, 2),
                               "N": st.integers(1, 3)})


# -- failures that were found, shrunk
HANDED = {"lines": [("column", 1, 1)], "after": [("column", 0, 0)], "carries": 1, "reverse": False, "stacked": False,
          "previous": True, "ragged": False}  # every step hands on the same array: its gradient was 0

AROUND = {"lines": [("tanh", 0, 4), ("turned", 1, 3)], "after": [("turned", 1, 0)], "carries": 2, "reverse": True,
          "stacked": False, "previous": False, "ragged": False}  # c0, c1 = c1, c1_t, and nothing reads c0

DEEP = [  # what was declared, beside the form that is emitted, was written out for minutes
    {"reverse": True, "carries": 1, "stacked": False, "previous": False, "ragged": True, "lines": [("times", 5, 8)],
     "after": [("turned", 5, 6), ("sin", 0, 5), ("column", 2, 8), ("product", 4, 7)]},
    {"reverse": True, "carries": 2, "stacked": True, "previous": True, "ragged": False, "after": [("softmax", 9, 7)],
     "lines": [("turned", 4, 0), ("turned", 2, 9), ("tanh", 0, 9), ("tanh", 6, 9)]},
    {"reverse": True, "carries": 1, "stacked": False, "previous": False, "ragged": False,
     "lines": [("tanh", 0, 4), ("turned", 0, 7), ("product", 7, 5), ("softmax", 9, 1)],
     "after": [("product", 9, 0), ("turned", 5, 6), ("column", 9, 8), ("softmax", 0, 6)]},
]


INSIDE = [  # a place of an array beside rows that have no name in a block
    {"reverse": False, "carries": 1, "stacked": False, "previous": True, "ragged": False, "lines": [("column", 0, 0)],
     "after": [("column", 0, 0)]},
    {"reverse": False, "carries": 2, "stacked": False, "previous": False, "ragged": False,
     "lines": [("column", 0, 0), ("column", 2, 9)],
     "after": [("column", 0, 0), ("column", 0, 0), ("sin", 3, 8), ("tanh", 0, 0)]},
]


def over(rows: Sequence[Node], lines: list[tuple[str, int, int]]) -> list[Node]:
    """The rows that the lines compute, each over any of those before it; tanh keeps them small."""
    found = list(rows)
    for name, i, j in lines:
        found.append(tanh(STEPS[name](found[-1 - i % len(found)], found[-1 - j % len(found)])))
    return found[len(rows) :]


def loop(plans: Sequence[Plan], start: Node, xs: Node, kept: Sequence[Node], weights: Sequence[Node]) -> Node:
    """One loop over square matrices, with those of the further plans in it; what reads its results is one matrix."""
    plan, *inner = plans

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> Any:
        element = loop(inner, c[0], e[0], kept[1:], weights) if inner else e[0]
        rows = over([*c, *weights, element], plan["lines"])
        now = (c[-1], rows[-1])[-len(c) :]
        if plan["ragged"]:
            now = tuple(where(e[1] > 0, new, old) for new, old in zip(now, c, strict=True))
        return now, (rows[-1], c[0])

    carries = (start, start.T)[: plan["carries"]]
    sequences = [xs, kept[0]][: 1 + plan["ragged"]]
    last, (now, before) = scan(step, carries, sequences, reverse=plan["reverse"], index="tkj"[3 - len(kept)])
    stacks = mean(now, axis=0) * int(plan["stacked"]) + mean(before, axis=0) * int(plan["previous"])
    return over([*last, stacks + weights[0]], plan["after"])[-1]


def model_of(plans: Sequence[Plan], nested: bool, second: bool) -> Model:
    """A loss of loops; or its gradients as outputs, and products with its Hessian."""
    m = Model("random-loops")
    *lengths, n = m.dims([*LENGTHS[: len(plans)], "N"])
    shape, params = (n, n), [m.param(name, (n, n)) for name in ("w", "u")]
    h0, v = m.input("h0", shape), m.data("v", shape)
    kept = [m.data(f"kept{k}", (length,), below=2) for k, length in enumerate(lengths)]
    kept = [*kept, *[kept[0]] * (3 - len(kept))]  # which are not read
    if nested:
        result = loop(plans, h0, m.data("y", (*lengths, n, n)), kept, params)
    else:
        result = h0
        for k, (plan, length) in enumerate(zip(plans, lengths, strict=True)):
            result = loop([plan], result, m.data(f"x{k}", (length, n, n)), kept[k:], params)
    value = mean(result * sin(result))
    if not second:
        m.loss("L", value)
        return m
    slopes = grad(m.let("L", value), [params[0], h0])
    m.output("G", slopes[0])
    m.output("H", grad(total(slopes[0] * v) + total(slopes[1] * v), [params[0]])[0])
    return m


def values(m: Model, sizes: Sizes) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        n: rng.integers(2, size=[sizes[d.name] for d in row.shape]) if n.startswith("kept")
        else rng.normal(size=[sizes[d.name] for d in row.shape]) for n, row in m.leaves().items()
    }


def module_of(source: str) -> SimpleNamespace:
    space: dict[str, Any] = {}
    exec(source, space)
    return SimpleNamespace(**space)


def unread(source: str) -> set[str]:
    """Variables of its functions that a module gives a value by name, a = b or a, b = b, c, and never reads."""
    found = set()
    for function in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)):
        inner = list(ast.walk(function))
        read = {n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        read |= {n.target.id for n in inner if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
        for code in (n for n in inner if isinstance(n, ast.Assign)):
            pairs = isinstance(code.value, ast.Tuple)
            given = [t for target in code.targets for t in (getattr(target, "elts", [target]) if pairs else [target])]
            found |= {t.id for t in given if isinstance(t, ast.Name)} - read
    return found


def called(target: str, function: Callable[..., Any], *args: Any) -> Any:
    """What a function of a module returns, compiled where it is one for JAX."""
    if target == "numpy":
        return function(*args)
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    with jax.enable_x64(True):
        return jax.jit(function)(*args)


@settings(max_examples=EXAMPLES)
@example(INSIDE, True, True, ("numpy", 1), [{"T": 1, "K": 1, "J": 1, "N": 1}])
@example([HANDED], False, False, ("numpy", 0), [{"T": 2, "K": 1, "J": 1, "N": 1}])
@example([AROUND], False, False, ("numpy", 1), [{"T": 2, "K": 1, "J": 1, "N": 1}])
@example(DEEP, False, True, ("numpy", 1), [{"T": 2, "K": 1, "J": 2, "N": 1}])
@given(st.lists(BODY, min_size=1, max_size=3), st.booleans(), st.booleans(), st.sampled_from(WAYS),
       st.lists(SIZES, min_size=1, max_size=2))
def test_derivatives(plans: list[Plan], nested: bool, second: bool, way: tuple[str, int], many: list[Sizes]) -> None:
    target, level = way
    m = model_of(plans, nested, second)
    source = codegen(m, level=level, target=target, **({"wrt": []} if second else {}))
    assert not unread(source)
    module = module_of(source)
    text = Model.parse(module.MODEL)
    for chosen in many:
        sizes = {d: chosen[d] for d in m.sizes}
        at = values(m, sizes)
        params, data = ({n: at[n] for n in names} for names in (module.PARAMS, module.DATA))
        expected = results(m, at, sizes)
        if second:
            found = dict(called(target, module.forward, params, data)[0])
        else:
            loss, grads = called(target, module.loss_and_grads, params, data)
            found = {"L": loss, **grads}
        read = results(text, at, sizes)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(read[name], value, rtol=1e-9, atol=1e-12)


def results(m: Model, at: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """The outputs, or the loss and the gradients of what has one, by the interpreter."""
    if m.loss_row is None:
        return dict(zip(m.output_rows, evaluate(m.results(), at, sizes), strict=True))
    wrt = m.targets()
    return dict(zip(["L", *wrt], evaluate([m.loss_row, *grad(m.loss_row, list(wrt.values()))], at, sizes), strict=True))
