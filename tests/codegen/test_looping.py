"""Loops whose bodies share rows: emitted second derivatives against JAX, and the module files against their own text.

The reverse of a loop reads rows of its body as elements of sequences, and so does the reverse of that: one row is
something else in every loop, and in the model text too. CI emits each model at one level, and for JAX; at all levels,
all of them verified:

    SWEEP=all python -m pytest tests/codegen/test_looping.py
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import (
    Model,
    codegen,
    cross_entropy,
    exp,
    grad,
    log,
    mean,
    scan,
    sigmoid,
    sin,
    softmax,
    sqrt,
    tanh,
    verify,
    where,
)
from symbackprop import sum as total
from symbackprop.codegen.initial import initial_values
from symbackprop.core.graph import Node
from symbackprop.verified import verify_source
from symbackprop.verify.initial import rules
from symbackprop.verify.interpreter import evaluate
from tests.codegen.helpers import body, emit, run
from tests.sweeps import ALL, few_in_ci, sample
from tests.verify.helpers import check

pytest.importorskip("jax")
pytestmark = pytest.mark.oracle

from tests.zoo.helpers import distance  # noqa: E402
from tests.zoo.second_order import Second, by_jax, numbers, outputs_of, with_outputs  # noqa: E402  (they need JAX)

WAYS: list[dict[str, Any]] = [{"level": 0}, {"level": 1}, {"level": 2}, {"target": "jax"}]
SIZES = {"T": 3, "K": 2, "N": 2, "H": 2, "V": 3, "S": 3}
LOOPS: dict[str, Callable[[Model], tuple[Node, list[str]]]] = {}


def loop(build: Callable[[Model], tuple[Node, list[str]]]) -> Callable[[Model], tuple[Node, list[str]]]:
    LOOPS[build.__name__.replace("_", " ")] = build
    return build


@loop
def rnn(m: Model) -> tuple[Node, list[str]]:
    T, N, H = m.dims("T N H")
    x, h0, U = m.data("x", (T, N, H)), m.data("h0", (N, H)), m.param("U", (H, H))
    (last,), (every,) = scan(lambda c, e: (h := tanh(e[0] + c[0] @ U), h), h0, x, names=["h"])
    return mean(last**2) + mean(sin(every)), ["U"]


@loop
def in_reverse_order(m: Model) -> tuple[Node, list[str]]:
    T, N, H = m.dims("T N H")
    x, h0, U = m.data("x", (T, N, H)), m.param("h0", (N, H)), m.param("U", (H, H))
    (last,), _ = scan(lambda c, e: (tanh(e[0] * c[0] + c[0] @ U), ()), h0, x, names=["h"], reverse=True)
    return total(last**3), ["U", "h0"]


@loop
def several_carries(m: Model) -> tuple[Node, list[str]]:
    T, N = m.dims("T N")
    x, w, a0, b0 = m.data("x", (T, N)), m.param("w", (N,)), m.param("a0", (N,)), m.data("b0", (N,))

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        a, b = c
        return (b, tanh(a * w) + b * e[0]), (a, b * e[0])

    (a, b), (before, moved) = scan(step, (a0, b0), x, names=["a", "b"])
    return total(a * b) + mean(before * sin(moved)), ["w", "a0"]


@loop
def both_ways(m: Model) -> tuple[Node, list[str]]:
    T, N, H = m.dims("T N H")
    x, h0, U, V = m.data("x", (T, N, H)), m.data("h0", (N, H)), m.param("U", (H, H)), m.param("V", (H, H))
    _, (a,) = scan(lambda c, e: (h := tanh(e[0] + c[0] @ U), h), h0, x, names=["a"])
    _, (b,) = scan(lambda c, e: (h := tanh(e[0] + e[1] @ V + c[0] @ V), h), h0, (x, a), names=["b"], reverse=True)
    return mean(a * b), ["U", "V"]


@loop
def layers(m: Model) -> tuple[Node, list[str]]:
    K, N, H = m.dims("K N H")
    x0, W, b = m.data("x0", (N, H)), m.param("W", (K, H, H)), m.param("b", (K, H))
    (x,), _ = scan(lambda c, e: (c[0] + tanh(softmax(c[0] @ e[0]) + e[1]), ()), x0, (W, b), names=["x"], index="k")
    return mean(x**2), ["W", "b"]


@loop
def a_loop_in_a_loop(m: Model) -> tuple[Node, list[str]]:
    T, K, N, H = m.dims("T K N H")
    x, h0, U, W = m.data("x", (T, K, N, H)), m.data("h0", (N, H)), m.param("U", (H, H)), m.param("W", (H, H))

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> tuple[Node, tuple[Node, Node]]:
        (g,), (all_g,) = scan(lambda c, e: (r := tanh(e[0] + c[0] @ U), r * r), c[0], e[0], index="k", names=["g"])
        h = tanh(g @ W + mean(all_g, axis=0))
        return h, (h, all_g)

    (last,), (every, inner) = scan(step, h0, x, names=["h"])
    return total(last**2) + mean(sin(every)) + mean(inner**2), ["U", "W"]


@loop
def words_in_a_loop_in_a_loop(m: Model) -> tuple[Node, list[str]]:
    T, K, N, V = m.dims("T K N V")
    y, h0, U = m.data("y", (T, K, N), below=V), m.data("h0", (N, V)), m.param("U", (V, V))

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> tuple[Node, Node]:
        (g,), (losses,) = scan(lambda c, e: (r := tanh(c[0] @ U), cross_entropy(r, e[0])), c[0], e[0], index="k")
        return softmax(g), total(losses)

    (h,), (losses,) = scan(step, h0, y, names=["h"])
    return mean(losses) + total(h**3), ["U"]


@loop
def a_gradient_in_the_body(m: Model) -> tuple[Node, list[str]]:
    T, N, H = m.dims("T N H")
    X, y, w0, rate = m.data("X", (T, N, H)), m.data("y", (T, N)), m.param("w0", (H,)), m.param("rate")

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> tuple[Node, Node]:
        loss = mean(tanh(e[0] @ c[0] - e[1]) ** 2)
        return c[0] - rate * grad(loss, [c[0]])[0], loss

    (w,), (losses,) = scan(step, w0, (X, y), names=["w"])
    return total(w**2) + mean(losses), ["w0", "rate"]


@loop
def a_gradient_in_the_loss(m: Model) -> tuple[Node, list[str]]:
    T, N, H = m.dims("T N H")
    x, h0, U = m.data("x", (T, N, H)), m.data("h0", (N, H)), m.param("U", (H, H))
    (last,), _ = scan(lambda c, e: (tanh(e[0] + c[0] @ U), ()), h0, x, names=["h"])
    return mean(last**2) + mean(m.let("gx", grad(mean(last**2), [x])[0]) ** 2), ["U"]


@loop
def stacks_of_the_same_row(m: Model) -> tuple[Node, list[str]]:
    T, N = m.dims("T N")
    x, w, h0 = m.data("x", (T, N)), m.param("w", (N,)), m.data("h0", (N,))
    _, stacks = scan(lambda c, e: (h := tanh(c[0] * w + e[0]), (h, h, c[0], e[0])), h0, x, names=["h"])
    a, b, before, given = (m.let(name, stack) for name, stack in zip("ABCD", stacks, strict=True))
    return mean(a * sin(b) * before * given), ["w"]


@loop
def a_carry_that_no_step_changes(m: Model) -> tuple[Node, list[str]]:
    T, N = m.dims("T N")
    x, w, h0 = m.data("x", (T, N)), m.param("w", (N,)), m.data("h0", (N,))
    (a, b), (before,) = scan(lambda c, e: ((c[1], sin(w)), c[0] * e[0]), (h0, h0), x, names=["a", "b"])
    return total(a * b**2) + mean(before**2), ["w"]


@loop
def convolutions(m: Model) -> tuple[Node, list[str]]:
    from symbackprop import conv2d

    T, N, S = m.dims("T N S")
    x, W = m.data("x", (T, N, S, S, 1)), m.param("W", (3, 3, 1, 1))
    (last,), _ = scan(lambda c, e: (tanh(e[0] + conv2d(c[0], W, padding=1)), ()), x[0], x, names=["X"])
    return mean(last**2), ["W"]


@loop
def forms_that_cancel(m: Model) -> tuple[Node, list[str]]:
    T, N = m.dims("T N")
    x, w, h0 = m.data("x", (T, N)), m.param("w", (N,)), m.param("h0", (N,))

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> tuple[Node, Node]:
        h, bent = tanh(c[0] * w), sigmoid(c[0] + e[0])
        return 1 - h**2 + (1 - bent) * e[0], log(1 + exp(c[0])) * (exp(h) - 1) + sqrt(bent**2 + h**2)

    (last,), (every,) = scan(step, h0, x, names=["h"])
    return mean(last**2) + mean(sin(every)), ["w", "h0"]


@loop
def steps_that_are_left_out(m: Model) -> tuple[Node, list[str]]:
    T, N = m.dims("T N")
    x, kept = m.data("x", (T, N)), m.data("kept", (T,), below=2)
    w, h0 = m.param("w", (N,)), m.param("h0", (N,))

    def step(c: tuple[Node, ...], e: tuple[Node, ...]) -> tuple[Node, Node]:
        new = tanh(tanh(w * c[0]) + e[0])
        return where(e[1] > 0, new, c[0]), new

    (last,), (every,) = scan(step, h0, (x, kept), names=["h"])
    return mean(last**2) + mean(sin(every)), ["w", "h0"]


def made(name: str) -> Second:
    model = Model(name.replace(" ", "-"))
    loss, wrt = LOOPS[name](model)
    return with_outputs(model, model.let("J", loss), wrt)


@pytest.mark.parametrize("name", few_in_ci(LOOPS, 2))
def test_second_derivatives(name: str, tmp_path: Path) -> None:
    """The third, which backward returns, by the module's own check; in CI each loop is written in one way of
    four, and those of a module for JAX are checked for one loop, as each call compiles anew."""
    second = made(name)
    model = second.model
    sizes = {d: SIZES[d] for d in model.sizes}
    at = numbers(model, sizes)
    expected = by_jax(second, at, sizes)
    for way in WAYS if ALL else (WAYS[list(LOOPS).index(name) // 2 % 4],):
        source = codegen(model, verify=False, **way)  # it is verified below
        found = outputs_of(run(source, tmp_path), at)
        assert {k: d for k, v in expected.items() if (d := distance(found[k], v)) > 1e-9} == {}
        if way is not WAYS[3] or name in sample(LOOPS, len(LOOPS)):
            report = verify_source(source, model, sizes=sizes, trials=1)
            assert report.passed, report.text()


@pytest.mark.parametrize("name", LOOPS)
def test_the_text_says_the_same(name: str) -> None:
    model = made(name).model
    sizes = {d: SIZES[d] for d in model.sizes}
    at = numbers(model, sizes)
    again = Model.parse(model.text())
    for ours, theirs in zip(evaluate(again.results(), at, sizes), evaluate(model.results(), at, sizes), strict=True):
        assert distance(ours, theirs) < 1e-12


@pytest.mark.parametrize("name", LOOPS)
def test_parameters_start_as_those_of_the_text_do(name: str) -> None:
    """A leaf of a body is also one of the loop that sweeps it back, which reads it otherwise."""
    model = made(name).model
    again, sizes = Model.parse(model.text()), {d: SIZES[d] for d in model.sizes}
    ours, theirs = (initial_values(m) for m in (model, again))
    assert ours == theirs and rules(model, sizes) == rules(again, sizes)


def test_no_name_is_dropped_from_the_text() -> None:
    """Two names for the stack of one row."""
    model = made("stacks of the same row").model
    again = Model.parse(model.text())
    assert set(model.equations) <= set(again.equations)


def test_single_precision_stays(tmp_path: Path) -> None:
    model = made("a loop in a loop").model
    at = numbers(model, {d: SIZES[d] for d in model.sizes})
    single = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in at.items()}
    found = outputs_of(emit(model, tmp_path), single)
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}


def test_a_row_is_called_as_the_loop_knows_it() -> None:
    """What one loop carries back, the next but one reads from its stack."""
    forward = body(codegen(made("rnn").model, wrt=[]), "forward")
    first, second, third = ["".join(takewhile(lambda line: line.startswith(" " * 8), after.splitlines()[1:]))
                            for after in forward.split("range(T)")[2:]]
    assert "= dh_next + " in first
    assert "_prev[t]" not in first
    assert "dh_next" not in second.replace("ddh_next", "")
    assert "dh_next_2 + " in third


def test_a_model_that_is_a_hessian_vector_product() -> None:
    m = Model("rnn-hvp")
    T, N, H = m.dims("T N H")
    x, h0, U, v = m.data("x", (T, N, H)), m.data("h0", (N, H)), m.input("U", (H, H)), m.data("v", (H, H))
    (last,), _ = scan(lambda c, e: (h := tanh(e[0] + c[0] @ U), h), h0, x, names=["h"])
    slope = m.let("g", grad(m.let("L", mean(last**2)), [U])[0])
    m.output("Hv", grad(slope, [U], seed=v)[0])
    report = verify(m, trials=1)
    assert report.passed, report.text()


VIEW = """
dim T, N
data x: T x N x N, h[0]: N x N
param U: N x N
for t in 1..T:
    z[t] = h[t-1] @ U + x[t] * h[t-1]
    h[t] = z[t].T
loss L = sum(h[T]**3) + sum(z**2)
"""
THROUGH = """
dim T, K, N
data x: T x N x N, y: T x K x N x N, h[0]: N x N
param U: N x N
for t in 1..T:
    a[0] = h[t-1] @ U + x[t] * h[t-1]
    b[0] = a[0] * h[t-1]
    for k in 1..K:
        a[k] = b[k-1]
        b[k] = a[k-1]
    h[t] = a[K].T
loss L = sum(h[T]**3) + sum(h**2)
"""


GUARDED = """
dim T, N, H
param b: N x H, r: N x H
h[0] = zeros(N, H)
c[0] = b
for t in 1..T:
    u[t] = h[t-1] + r
    h[t] = sin(b**2)
    c[t] = tanh(c[t-1])
loss L = sum(sin(h[T])**2)
"""


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("text", [VIEW, THROUGH, GUARDED], ids=["a view", "handed through a loop", "handed back"])
def test_what_is_carried_is_not_overwritten(text: str, level: int, tmp_path: Path) -> None:
    """At -O2 the array behind h[t] would be the one that the next step computes into."""
    report = check(tmp_path, codegen(Model.parse(text), level=level, hvp=True))
    assert report.passed, report.text()


LONG_LSTM = Path(__file__).parents[2] / "benchmarks" / "models" / "lstm.sbp"


def test_an_lstm_goes_back_in_as_few_lines_as_people_write() -> None:
    """39 by hand. What one formula reads once stands there, in its comment too; what is carried is computed as such."""
    code = codegen(Model.parse(LONG_LSTM.read_text(encoding="utf-8")))
    backward = code[code.index("def backward(") :].split("\n\n\n")[0]
    assert len(backward.splitlines()) <= 42
    assert "dz_g_t = dc_t * i[t] * (1 - g[t] ** 2)        # dz_g_t = dc_t ⊙ i[t] ⊙ (1 − g[t]²)   N×H" in backward
    assert "dg_t" not in backward
    assert "dh_next = dc_next = np.zeros((N, H), dtype)" in backward
    assert "dc_next = dc_t * f[t]" in backward


CROSSED = """
dim T, N
data x: T x N
param a[0]: N, b[0]: N, w: N
for t in 1..T:
    a[t] = b[t-1] * w
    b[t] = a[t-1] + x[t] * b[t-1]
loss L = sum(a[T]**2) + sum(b[T]**3)
"""


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_a_step_carries_on_waits_for_those_that_read_the_one_before(level: int, tmp_path: Path) -> None:
    report = check(tmp_path, codegen(Model.parse(CROSSED), level=level))
    assert report.passed, report.text()
