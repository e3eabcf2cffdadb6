"""What of a loop is computed for all steps at once: the results of steps, and only where that takes no more memory."""

from __future__ import annotations

from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import Model, codegen, derive
from symbackprop.codegen import stacked
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verified import verify_source
from tests.codegen.helpers import body, emit

SCAN = """dim T, N, D, S
input x: T x N x D, delta: T x N x D, B: T x N x S, C: T x N x S
data h[0]: N x D x S
param A: D x S
for t in 1..T:
    h[t] = exp(delta[t][:, :, None] * A) * h[t-1] + (delta[t] * x[t])[:, :, None] * B[t][:, None, :]
    y[t] = sum(h[t] * C[t][:, None, :], axis=2)
output Y = y"""
RULE = """dim T, N, D
input q: T x N x D, k: T x N x D, v: T x N x D, beta: T x N
data S[0]: N x D x D
for t in 1..T:
    e[t] = v[t] - einsum("nij,nj->ni", S[t-1], k[t])
    S[t] = S[t-1] + einsum("ni,nj->nij", e[t], beta[t][:, None] * k[t])
    o[t] = einsum("nij,nj->ni", S[t], q[t])
output O = o"""
LARGE = """dim T, D, M
data x: T x D
param A: D x M, w: M
h[0] = zeros(M)
for t in 1..T:
    y[t] = sum(tanh(x[t][:, None] * A), axis=0)
    h[t] = w * h[t-1] + y[t]
loss L = sum(h^2)"""

MADE = """dim T, N, D
input x: T x N x D
data h[0]: N x D
for t in 1..T:
    p[t] = softmax(x[t])
    a[t] = tanh(p[t])
    h[t] = h[t-1] / 2 + a[t]
loss L = sum(h[T]) + sum(a^2)"""
CARRIED = """dim T, N, D
input x: T x N x D
data h[0]: N x D, c[0]: N x D
for t in 1..T:
    h[t] = tanh(x[t])
    y[t] = sin(h[t])
    c[t] = c[t-1] * h[t-1] + exp(y[t])
loss L = sum(c * y)"""
ALIKE = """dim T, N, D
data x: T x N x D, h[0]: N x D
param v: N x D, W: D x D
for t in 1..T:
    a[t] = x[t] - v @ W
    h[t] = tanh(a[t] + h[t-1] / 2)
loss L = mean(sin(a)) + sum(h**2)"""
TWICE = """dim T, N, H
param b: H, s
data m: T, h[0]: N x H
for t in 1..T:
    u[t] = h[t-1] * sum(h[t-1], axis=1, keepdims=True) * s
    v[t] = u[t] * b * s
    h[t] = tanh(tanh(v[t]) * (m[t] * b))
loss L = sum(h[T])"""  # what s gets of u and of v is equal
TEXTS = {"scan": SCAN, "delta rule": RULE, "large": LARGE, "made by steps": MADE, "carried from no step": CARRIED,
         "two equal stacks": TWICE}


def inside(source: str, function: str) -> list[str]:
    """What stands in the loops of a function."""
    return [line.split("#")[0].strip() for line in body(source, function).splitlines() if line.startswith("        ")]


@pytest.mark.parametrize(("text", "forward", "backward"), [(SCAN, 2, 2), (RULE, 3, 4)], ids=["scan", "delta rule"])
def test_steps_hold_what_is_carried(text: str, forward: int, backward: int) -> None:
    source = codegen(Model.parse(text, name="steps"))
    for function, most in (("forward", forward), ("backward", backward)):
        lines = [line for line in inside(source, function) if " = " in line]
        assert 0 < len(lines) <= most, lines


def test_no_array_of_all_steps_is_larger_than_there_were() -> None:
    """tanh(x_t A) of all steps would be T times as large as anything that is kept."""
    source = codegen(Model.parse(LARGE, name="large"), wrt=["w"])
    assert any("np.tanh" in line for line in inside(source, "forward"))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_levels_agree(text: str, steps: int, tmp_path: Path) -> None:
    """Outside of the loop as inside, without a step too; what is returned shares no memory with what is given."""
    model = Model.parse(text, name="levels")
    plain, found = (emit(model, tmp_path, level=level) for level in (0, 1))
    rng = np.random.default_rng(0)
    sizes = {d: steps if d == "T" else 3 for d in model.sizes}
    given = {n: rng.uniform(0.1, 1, evaluate_shape(row.shape, sizes)) for n, row in model.leaves().items()}
    params, data = ({n: a for n, a in given.items() if (n in model.params) is own} for own in (True, False))
    results = []
    for module in (plain, found):
        value, cache = module.forward(params, data)
        upstream = [] if model.loss_row is not None else [np.cos(np.arange(np.size(value))).reshape(np.shape(value))]
        results.append({"value": value, **module.backward(cache, *upstream)})
    for name in results[0]:
        np.testing.assert_allclose(results[1][name], results[0][name], rtol=1e-12, atol=1e-14)
    for a, b in product(results[1].values(), chain(params.values(), data.values())):
        assert not np.shares_memory(a, b)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_checked_at_every_level(text: str) -> None:
    model = Model.parse(text, name="checked")
    for options in ({"level": 1}, {"level": 2}, {"level": 1, "checkpoint": "sqrt"}):
        assert verify_source(codegen(model, verify=False, **options), model).passed


def test_deriving_says_the_same_after_emitting() -> None:
    model = Model.parse(SCAN, name="again")
    before = derive(model).text()
    codegen(model, verify=False)
    assert derive(model).text() == before


@pytest.mark.parametrize("text", [CARRIED, ALIKE], ids=["carried from no step", "alike at every step"])
def test_directions_agree(text: str, tmp_path: Path) -> None:
    """What is the same at every step has no axis for time, along a direction either."""
    model = Model.parse(text, name="along")
    modules = [emit(model, tmp_path, level=level, along=("hvp", "jvp")) for level in (0, 1, 2)]
    rng = np.random.default_rng(0)
    shapes = {n: evaluate_shape(row.shape, {"T": 3, "N": 2, "D": 4}) for n, row in model.leaves().items()}
    given, v = ({n: rng.uniform(0.1, 1, shape) for n, shape in shapes.items()} for _ in range(2))
    params, data = ({n: a for n, a in given.items() if (n in model.params) is own} for own in (True, False))
    v = {n: v[n] for n in modules[0].loss_and_grads(params, data)[1]}
    first, *others = ({**module.hvp(params, data, v), **module.jvp(params, data, v)} for module in modules)
    for name in first:
        for other in others:
            np.testing.assert_allclose(other[name], first[name], rtol=1e-11, atol=1e-13, err_msg=name)


def rows_walked(carries: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows are walked through to find what loops stack, of a loop with so many carried numbers."""
    text = ["dim T", "data x: T", "param w", *[f"h{k}x[0] = w*{k + 1}" for k in range(carries)], "for t in 1..T:"]
    text += [f"    h{k}x[t] = tanh(w*h{k}x[t-1] + h{max(k - 1, 0)}x[t-1]*x[t])" for k in range(carries)]
    text += ["loss L = " + " + ".join(f"h{k}x[T]" for k in range(carries))]
    walked, walk = [0], stacked.arguments_first

    def counted(*args: Any) -> Any:
        found = walk(*args)
        walked[0] += len(found)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(stacked, "arguments_first", counted)
        codegen(Model.parse("\n".join(text)), verify=False)
    return walked[0]


def test_what_a_loop_stacks_is_not_looked_for_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (rows_walked(carries, monkeypatch) for carries in (10, 40))
    assert 0 < many < 6 * few
