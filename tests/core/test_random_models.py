"""Random compositions of the language's functions: gradients against JAX, and against difference quotients.

A short sample runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=3000 python -m pytest tests/core/test_random_models.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from symbackprop.core import functions as F
from symbackprop.core.forward import jvp
from symbackprop.core.graph import Graph, Node
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import evaluate_shape
from symbackprop.errors import ModelError
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
jnp, nn = jax.numpy, jax.nn
pytestmark = pytest.mark.oracle

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "30"))
LEAVES = {"x": (2, 3), "w": (3, 3), "v": (3,), "s": ()}


class Rule(NamedTuple):
    """One function of the language and its counterpart; ``fits`` says for which shapes it makes sense."""

    arity: int
    fits: Callable[..., bool]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]


def any_shape(*shapes: Any) -> bool:
    return True


def broadcasts(a: Any, b: Any) -> bool:
    return all(x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b), strict=False)) and len(a) + len(b) < 6


def at_least(rank: int) -> Callable[..., bool]:
    return lambda *shapes: len(shapes[0]) >= rank


def multiplies(a: Any, b: Any) -> bool:
    return bool(a and b) and a[-1] == (b[0] if len(b) == 1 else b[-2]) and len(a) <= 2 and len(b) <= 2


def alike(a: Any, b: Any) -> bool:
    return bool(a) and a == b and len(a) < 3


RULES = {
    "add": Rule(2, broadcasts, lambda a, b: a + b, lambda a, b: a + b),
    "subtract": Rule(2, broadcasts, lambda a, b: a - b, lambda a, b: a - b),
    "multiply": Rule(2, broadcasts, lambda a, b: a * b, lambda a, b: a * b),
    "divide": Rule(2, broadcasts, lambda a, b: a / (1 + b**2), lambda a, b: a / (1 + b**2)),
    "scale": Rule(1, any_shape, lambda a: 0.5 - a / 3, lambda a: 0.5 - a / 3),
    "square": Rule(1, any_shape, lambda a: (a / 2) ** 2, lambda a: (a / 2) ** 2),
    "tanh": Rule(1, any_shape, F.tanh, jnp.tanh),
    "sigmoid": Rule(1, any_shape, F.sigmoid, nn.sigmoid),
    "softplus": Rule(1, any_shape, F.softplus, nn.softplus),
    "log1pexp": Rule(1, any_shape, lambda a: F.log(1 + F.exp(a)), nn.softplus),
    "sin": Rule(1, any_shape, F.sin, jnp.sin),
    "gelu": Rule(1, any_shape, F.gelu, lambda a: nn.gelu(a, approximate=False)),
    "silu": Rule(1, any_shape, F.silu, nn.silu),
    "relu": Rule(1, any_shape, F.relu, nn.relu),
    "maximum": Rule(2, broadcasts, F.maximum, jnp.maximum),
    "where": Rule(2, broadcasts, lambda a, b: F.where(a > b, a, b * 2), lambda a, b: jnp.where(a > b, a, b * 2)),
    "guarded log": Rule(1, any_shape, lambda a: F.where(a > 0.5, F.log(a), 0),
                        lambda a: jnp.where(a > 0.5, jnp.log(jnp.where(a > 0.5, a, 1.0)), 0.0)),
    "matmul": Rule(2, multiplies, lambda a, b: a @ b, lambda a, b: a @ b),
    "transpose": Rule(1, at_least(2), lambda a: a.T, jnp.transpose),
    "sum": Rule(1, at_least(1), lambda a: F.sum(a, axis=-1), lambda a: jnp.sum(a, -1)),
    "mean": Rule(1, at_least(1), lambda a: F.mean(a, axis=0, keepdims=True), lambda a: jnp.mean(a, 0, keepdims=True)),
    "max": Rule(1, at_least(1), lambda a: F.max(a, axis=0), lambda a: jnp.max(a, 0)),
    "var": Rule(1, at_least(1), lambda a: F.var(a, axis=-1), lambda a: jnp.var(a, -1)),
    "softmax": Rule(1, at_least(1), F.softmax, nn.softmax),
    "logsumexp": Rule(1, at_least(1), lambda a: F.logsumexp(a, axis=-1), lambda a: nn.logsumexp(a, -1)),
    "log_softmax": Rule(1, at_least(1), F.log_softmax, nn.log_softmax),
    "layer_norm": Rule(1, at_least(1), lambda a: F.layer_norm(a, eps=0.1), lambda a: (a - a.mean(-1, keepdims=True))
                       / jnp.sqrt(jnp.var(a, -1, keepdims=True) + 0.1)),
    "concat": Rule(2, alike, lambda a, b: F.concat(a, b, axis=0), lambda a, b: jnp.concatenate([a, b], 0)),
    "stack": Rule(2, alike, lambda a, b: F.stack(a, b, axis=0), lambda a, b: jnp.stack([a, b], 0)),
    "backwards": Rule(1, at_least(1), lambda a: a[::-1], lambda a: a[::-1]),
    "first": Rule(1, at_least(1), lambda a: a[0], lambda a: a[0]),
    "new axis": Rule(1, lambda a: len(a) < 3, lambda a: a[None], lambda a: a[None]),
    "roll": Rule(1, at_least(1), lambda a: F.roll(a, 1, 0), lambda a: jnp.roll(a, 1, 0)),
    "flat": Rule(1, any_shape, lambda a: F.reshape(a, -1), lambda a: jnp.reshape(a, -1)),
    "cumsum": Rule(1, at_least(1), lambda a: F.cumsum(a, axis=0), lambda a: jnp.cumsum(a, 0)),
    "outer product": Rule(2, lambda a, b: len(a) == len(b) == 1, F.outer, jnp.outer),
}

Step = tuple[str, tuple[int, ...], bool]
STEPS = st.lists(st.tuples(st.sampled_from(sorted(RULES)), st.tuples(*[st.integers(0, 40)] * 2), st.booleans()),
                 min_size=2, max_size=9)


class Program:
    """Steps that fit, over any earlier results, named or not; the loss reads the results that nothing else reads."""

    def __init__(self, steps: list[Step]) -> None:
        shapes, self.steps = list(LEAVES.values()), []
        for rule, places, named in steps:
            args = tuple(len(shapes) - 1 - p % len(shapes) for p in places[: RULES[rule].arity])
            shape = self._shape(rule, [shapes[a] for a in args])
            if shape is not None and np.prod(shape, dtype=int) <= 60:
                self.steps.append((rule, args, named))
                shapes.append(shape)
        read = {a for _, args, _ in self.steps for a in args}
        self.ends = [k for k in range(len(LEAVES), len(shapes)) if k not in read]

    @staticmethod
    def _shape(rule: str, shapes: list[Any]) -> tuple[int, ...] | None:
        if not RULES[rule].fits(*shapes):
            return None
        return jax.eval_shape(RULES[rule].theirs, *[jax.ShapeDtypeStruct(s, jnp.float64) for s in shapes]).shape

    def rows(self) -> tuple[Graph, list[Node], Node]:
        g = Graph()
        leaves = [g.leaf(name, shape) for name, shape in LEAVES.items()]
        results = list(leaves)
        for k, (rule, args, named) in enumerate(self.steps):
            row = self._row(rule, [results[a] for a in args])
            results.append(g.let(f"r{k}", row) if named else row)
        loss = g.const(0)
        for k in self.ends:
            loss = loss + F.sum(F.sin(results[k] + k))
        return g, leaves, loss

    @staticmethod
    def _row(rule: str, args: list[Node]) -> Node:
        try:
            return RULES[rule].ours(*args)
        except ModelError as error:  # a − a is the number 0, and the logarithm of that number is refused
            assert "finite real number" in str(error)
            reject()

    def loss(self, *leaves: Any) -> Any:
        results = list(leaves)
        for rule, args, _ in self.steps:
            results.append(RULES[rule].theirs(*[results[a] for a in args]))
        return sum((jnp.sum(jnp.sin(results[k] + k)) for k in self.ends), jnp.float64(0))


def numbers(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in LEAVES.values()]


def of_jax(program: Program, at: list[Any]) -> Any:
    """JAX's loss and gradients. Compiled, it may compute what a maximum is taken of twice, not to the same last bit,
    and finds no entry that is the largest: 0/0. Step by step it does not."""
    gradients = jax.value_and_grad(program.loss, argnums=range(len(at)))
    value, slopes = jax.jit(gradients)(*at)
    return (value, slopes) if all(np.isfinite(s).all() for s in slopes) else gradients(*at)


RANDOM = settings(max_examples=EXAMPLES)


@RANDOM
@given(STEPS, st.integers(0, 9))
def test_gradients(steps: list[Step], seed: int) -> None:
    program, at = Program(steps), numbers(seed)
    _, leaves, loss = program.rows()
    with np.errstate(all="ignore"):
        found = evaluate([loss, *grad(loss, leaves)], dict(zip(LEAVES, at, strict=True)))
    value, slopes = of_jax(program, at)
    close(found[0], value, 1e-9)
    for ours, theirs in zip(found[1:], slopes, strict=True):
        close(ours, theirs, 1e-9)


@RANDOM
@given(STEPS, st.integers(0, 9))
def test_hessian_vector_products(steps: list[Step], seed: int) -> None:
    """The gradient of v·∇L against differences of ∇L along v, where nothing has a kink."""
    smooth = [s for s in steps if s[0] not in ("relu", "maximum", "where", "max", "guarded log")]
    program, at = Program(smooth), numbers(seed)
    g, leaves, loss = program.rows()
    towards = [np.cos(np.arange(a.size)).reshape(a.shape) for a in at]
    first = grad(loss, leaves)
    arrows = [g.leaf(f"d{k}", a.shape) for k, a in enumerate(at)]
    along = sum((F.sum(a * d) for a, d in zip(first, arrows, strict=True)), g.const(0))
    given_ = dict(zip(LEAVES, at, strict=True)) | {f"d{k}": d for k, d in enumerate(towards)}
    found = evaluate(grad(along, leaves), given_)
    h = 1e-4
    ahead, behind = (
        evaluate(first, dict(zip(LEAVES, [a + s * h * d for a, d in zip(at, towards, strict=True)], strict=True)))
        for s in (1, -1)
    )
    for ours, plus, minus in zip(found, ahead, behind, strict=True):
        slope = (plus - minus) / (2 * h)
        np.testing.assert_allclose(ours, slope, rtol=1e-5, atol=1e-5 * (1 + np.max(np.abs(slope), initial=0)))


def tangents(function: Callable[..., Any], at: tuple[Any, ...], towards: tuple[Any, ...]) -> Any:
    """Compiled; as written where that is not finite: XLA makes −∞ of the maximum of a normalised array, which it is
    not."""
    found = jax.jit(partial(jax.jvp, function))(at, towards)[1]
    finite = all(np.all(np.isfinite(a)) for a in jax.tree.leaves(found))
    return found if finite else jax.jvp(function, at, towards)[1]


@settings(RANDOM, max_examples=max(8, EXAMPLES // 4))
@given(STEPS, st.integers(0, 9))
def test_tangents(steps: list[Step], seed: int) -> None:
    """The loss along a direction, and its gradient along it, where nothing has a kink."""
    smooth = [s for s in steps if s[0] not in ("relu", "maximum", "where", "max", "guarded log")]
    at, towards = numbers(seed), numbers(seed + 10)
    for program, curved in ((Program(steps), False), (Program(smooth), True)):
        g, leaves, loss = program.rows()
        arrows = [g.leaf(f"d{k}", a.shape) for k, a in enumerate(at)]
        rows, function = (grad(loss, leaves), jax.grad(program.loss, range(4))) if curved else ([loss], program.loss)
        given_ = dict(zip(LEAVES, at, strict=True)) | {f"d{k}": d for k, d in enumerate(towards)}
        with np.errstate(all="ignore"):
            found = evaluate(jvp(rows, leaves, arrows), given_)
        expected = tangents(function, tuple(at), tuple(towards))
        for ours, theirs in zip(found, expected if curved else [expected], strict=True):
            close(ours, theirs, 1e-8)


@RANDOM
@given(STEPS)
def test_shapes_are_those_of_the_numbers(steps: list[Step]) -> None:
    program = Program(steps)
    g, _, loss = program.rows()
    at = dict(zip(LEAVES, numbers(0), strict=True))
    used = g.topological([loss])
    with np.errstate(all="ignore"):
        for row, found in zip(used, evaluate(used, at), strict=True):
            assert evaluate_shape(row.shape, {}) == np.shape(found)
