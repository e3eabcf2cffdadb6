"""Loops that begin with constants, integers or truth values: emitted at every level, and held against the same loop
over literal bounds, which has no loop in it at all.

A short sample of random loops runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=500 python -m pytest tests/codegen/test_loop_starts.py
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop import Model, derive
from symbackprop.codegen import codegen
from symbackprop.core import functions as F
from symbackprop.core.loops import scan
from symbackprop.errors import ShapeError
from symbackprop.verified import verify_source
from tests.codegen.helpers import emit
from tests.sweeps import few_in_ci

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "12"))

LSTM = """
dim T, N, D, H
data x: T x N x D
param W: D x 4*H, U: H x 4*H, b: 4*H
h[0] = zeros(N, H)
c[0] = zeros(N, H)
for t in 1..T:
    z = x[t] @ W + h[t-1] @ U + b
    i = sigmoid(z[:, :H])
    f = sigmoid(z[:, H:2*H])
    o = sigmoid(z[:, 2*H:3*H])
    g = tanh(z[:, 3*H:])
    c[t] = f * c[t-1] + i * g
    h[t] = o * tanh(c[t])
loss L = mean(h[T] ** 2)
"""
HEAD = "dim T, N\ndata x: T x N, k: N int < 4\nparam w: N, v: N\n"
LOOP = "for t in 1..T:\n    c[t] = 0.5 * c[t-1] + w * x[t]\nloss L = mean(c ** 2)"
NESTED = "for t in 1..T:\n    s[0] = {}\n    for j in 1..T:\n        s[j] = {}\n    c[t] = {}\nloss L = sum(c[T] ** 2)"
MODELS = {
    "lstm": LSTM,
    "a scalar": "dim T\ndata x: T\nparam w\nc[0] = 0\nfor t in 1..T:\n    c[t] = c[t-1] + w * x[t]\nloss L = c[T] ** 2",
    "a number that backward reads": "dim T\ndata x: T\nparam w\nc[0] = 1/2\nfor t in 1..T:\n"
    "    c[t] = c[t-1] * tanh(w * c[t-1] + x[t])\nloss L = c[T]",
    "a number made of a size": "dim T\ndata x: T\nparam w\nz = T / 4\nc[0] = z\nfor t in 1..T:\n"
    "    c[t] = tanh(w * c[t-1] + x[t])\nloss L = c[T]",
    "an index": "dim T, V\ndata x: T, i: T int < V\nparam w, E: V\nk[0] = 0\nc[0] = w\nfor t in 1..T:\n"
    "    c[t] = c[t-1] * E[k[t-1]] + x[t]\n    k[t] = i[t]\nloss L = c[T]",
    "zeros": HEAD + "c[0] = zeros(N)\n" + LOOP,
    "ones": HEAD + "c[0] = ones(N)\n" + LOOP,
    "like another array": HEAD + "c[0] = 0 * x[0]\n" + LOOP,
    "named, without brackets": HEAD + "c0 = zeros(N)\n" + LOOP,
    "named otherwise": HEAD + "z = zeros(N)\nc[0] = z\n" + LOOP,
    "integer data": HEAD + "c[0] = k\n" + LOOP,
    "a range": HEAD + "c[0] = arange(N)\n" + LOOP,
    "truth values": HEAD + "c[0] = v > 0\n" + LOOP,
    "computed integers": HEAD + "c[0] = where(v > 0, 1, 0)\n" + LOOP,
    "computed": HEAD + "c[0] = tanh(v) * x[0]\n" + LOOP,
    "a one-hot row": "dim T, N\ndata x: T x N, k: int < N\nparam w: N\nc[0] = one_hot(k, N)\n" + LOOP,
    "read outside too": HEAD + "c[0] = zeros(N)\n" + LOOP + " + sum(c[0] - w)",
    "backwards": HEAD + "c[T+1] = zeros(N)\nfor t in T..1:\n    c[t] = c[t+1] * w + x[t]\nloss L = sum(c[1] ** 2)",
    "several that widen each other": (
        HEAD + "a[0] = k\nb[0] = k\nc[0] = k\nfor t in 1..T:\n    c[t] = c[t-1] + b[t-1]\n"
        "    b[t] = b[t-1] + a[t-1]\n    a[t] = 0.5 * a[t-1] + w * x[t]\nloss L = sum(c[T] ** 2)"
    ),
    "nested": HEAD + "c[0] = zeros(N)\n" + NESTED.format("zeros(N)", "tanh(s[j-1] + w)", "c[t-1] * w + s[T] * x[t]"),
    "nested, from the outer": HEAD + "c[0] = k\n" + NESTED.format("c[t-1]", "s[j-1] + 1", "w * s[T] + x[t]"),
    "nested, integers that become floats": (
        HEAD + "c[0] = k\n" + NESTED.format("k", "s[j-1] + c[t-1]", "0.5 * c[t-1] * w + s[T] + x[t]")
    ),
    "truth values that are counted": (
        HEAD + "c[0] = zeros(N) > 1\nfor t in 1..T:\n    c[t] = c[t-1] + (x[t] > 0)\nloss L = sum((c[T] * w) ** 2)"
    ),
    "truth values handed on as numbers": (
        HEAD + "c[0] = zeros(N)\nfor t in 1..T:\n    s = c[t-1] + (x[t] > 0) + (x[t] > 1)\n"
        "    c[t] = x[t] > 0.5\nloss L = sum((s * w) ** 2) + sum(c * w)"
    ),
    "integers handed on as floats": (
        HEAD + "c[0] = ones(N) / 2\nfor t in 1..T:\n    s = c[t-1] * w\n    c[t] = k\nloss L = sum(s**2) + sum(c * w)"
    ),
    "integers all the way": "dim T = 4\nparam w\nc[0] = 1\nfor t in 1..T:\n    c[t] = c[t-1] * t\nloss L = c[T] * w**2",
    "handed on under another name": (
        HEAD + "c[0] = v\nfor t in 1..T:\n    s = tanh(c[t-1] * w + x[t])\n    c[t] = s\n    q = c[t-1] * s\n"
        "loss L = sum(q) + sum(c[T] ** 2)"
    ),
    "handed on as it came": (
        HEAD + "c[0] = v\nfor t in 1..T:\n    c[t] = c[t-1]\n    s = c[t-1] * w\nloss L = sum(c[T]**2) + sum(s**2)"
    ),
    "the same every step": (
        "dim T = 3, N\nparam w: N\nc[0] = zeros(N)\nfor t in 1..T:\n    c[t] = c[t-1] + w\nloss L = sum(c[T] ** 2)"
    ),
}


@pytest.mark.parametrize("text", few_in_ci(MODELS.values(), 4), ids=MODELS)
def test_derived_printed_emitted_and_verified(text: str) -> None:
    model = Model.parse(text, name="start")
    assert derive(model).latex()
    read_again = Model.parse(model.text())
    for source in dict.fromkeys((codegen(read_again), *[codegen(model, level=level) for level in (0, 1, 2)])):
        report = verify_source(source, model)
        assert report.passed, report.text()


def test_an_lstm_is_what_it_is_by_hand(tmp_path: Path) -> None:
    module, rng = emit(LSTM, tmp_path), np.random.default_rng(0)
    x, params = rng.normal(size=(5, 2, 3)), module.init_params(rng, D=3, H=4)
    h, c = np.zeros((2, 4)), np.zeros((2, 4))
    for t in range(5):
        z = x[t] @ params["W"] + h @ params["U"] + params["b"]
        i, f, o = (1 / (1 + np.exp(-z[:, n * 4 : n * 4 + 4])) for n in range(3))
        c = f * c + i * np.tanh(z[:, 12:])
        h = o * np.tanh(c)
    assert module.forward(params, {"x": x})[0] == pytest.approx((h**2).mean(), rel=1e-12)


def test_python_loops_begin_with_numbers_too() -> None:
    m = Model("python")
    T, N = m.dims("T N")
    x, k, w = m.data("x", (T, N)), m.data("k", (N,), below=3), m.param("w", (N,))
    starts = [m.constant("zeros", N), k, 0]

    def body(carry: Any, now: Any) -> Any:
        a, b, c = carry
        return (a * w + now[0], b + a, c + F.sum(b) / 2), ()

    (a, b, c), _ = scan(body, starts, x)
    m.loss("L", F.sum(a * b) + c)
    for level in (0, 1, 2):
        report = verify_source(codegen(m, level=level), m)
        assert report.passed, report.text()


def test_python_loops_without_sequences() -> None:
    m = Model("python")
    T, w = m.dims("T", T=3), m.param("w")
    (a, b), _ = scan(lambda carry, _: ((carry[0] * w + 1, 2), ()), [0.5, m.graph.const(1)], length=T)
    m.loss("L", a * b)
    assert verify_source(codegen(m), m)
    with pytest.raises(ShapeError, match="a loop needs an array of the model"):
        scan(lambda carry, _: (carry, ()), 0, length=T)


def test_a_carry_of_another_shape_is_still_refused() -> None:
    with pytest.raises(ShapeError, match=r"carries c\[t-1\] \(scalar\) but computes N for the next step"):
        Model.parse(HEAD + "c[0] = 0\n" + LOOP)


# -- random loops
STARTS = ["zeros(N)", "ones(N)", "2 * ones(N)", "0 * x[0]", "k", "arange(N)", "v", "tanh(v)",
          "where(v > 0, 1, 0)", "k - 1", "0.5 * ones(N)"]
PARTS = ["a[t-1]", "b[t-1]", "w", "x[t]", "k", "2", "0.5", "where(x[t] > 0, 1, 0)", "where(b[t-1] > 1, k, 2)"]


@st.composite
def expressions(draw: Any) -> str:
    terms = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4))
    forms = st.sampled_from(["{} + {}", "{} - {}", "{} * {}", "maximum({}, {})", "({}) * {}"])
    text: str = terms[0]
    for term in terms[1:]:
        text = draw(forms).format(text, term)
    return text


@st.composite
def loops(draw: Any) -> str:
    lines = [f"{name}[0] = {draw(st.sampled_from(STARTS))}" for name in "ab"]
    lines += ["for t in 1..{T}:", f"    a[t] = 0 * w + {draw(expressions())}" if draw(st.booleans()) else
              f"    a[t] = {draw(expressions())} + 0 * k", f"    b[t] = {draw(expressions())} + 0 * k"]
    return "\n".join([*lines, "loss L = mean((a[{T}] * w + b[{T}]) ** 2)"]) + "\n"


@settings(max_examples=EXAMPLES)
@given(loops(), st.integers(0, 2), st.integers(0, 10**6))
def test_random_loops_are_what_they_are_unrolled(text: str, level: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = {"w": rng.normal(size=2), "v": rng.normal(size=2)}
    data = {"x": rng.normal(size=(3, 2)), "k": rng.integers(0, 4, 2)}
    with TemporaryDirectory() as folder, np.errstate(all="ignore"):
        module = emit(HEAD + text.replace("{T}", "T"), Path(folder), level=level)
        flat = emit(HEAD.replace("T x N", "3 x N") + text.replace("{T}", "3"), Path(folder), level=0)
        loss, grads = module.loss_and_grads(params, data)
        expected, right = flat.loss_and_grads(params, data)
    assert loss == pytest.approx(expected, rel=1e-9), text
    for name in params:
        np.testing.assert_allclose(grads[name], right[name], rtol=1e-9, atol=1e-12, err_msg=text)
