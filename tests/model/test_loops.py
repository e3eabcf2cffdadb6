"""Loops in model text: unrolled over literal bounds, scans over symbolic ones, written back as loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop import verify
from symbackprop.core import functions as F
from symbackprop.core.loops import scan
from symbackprop.derive import derive
from symbackprop.errors import ModelError
from symbackprop.model import Model, load, to_text
from symbackprop.model.text import parse
from symbackprop.verify import evaluate
from tests.model.helpers import described

RNG = np.random.default_rng(1)
Array = Any

RNN = """
dim T, N, E, H
data c: T x N x E, h[0]: N x H          # time is the first axis, t counts from 1; h[0] is the initial state
param W_e: E x H, W_h: H x H
for t in 1..T:
    h[t] = tanh(c[t] @ W_e + h[t-1] @ W_h)
loss L = mean(h[T] ** 2)                # h[T] is the last state; h (all of them): T x N x H
"""


def rnn_values() -> dict[str, Array]:
    shapes = {"c": (5, 2, 3), "h0": (2, 4), "W_e": (3, 4), "W_h": (4, 4)}
    return {name: RNG.normal(size=shape) for name, shape in shapes.items()}


def rnn_states(v: dict[str, Array]) -> Array:
    h, states = v["h0"], []
    for c in v["c"]:
        h = np.tanh(c @ v["W_e"] + h @ v["W_h"])
        states.append(h)
    return np.array(states)


def value(model: Model, values: dict[str, Array], name: str = "") -> Array:
    row = model.equations[name] if name else model.results()[0]
    return evaluate([row], values)[0]


def both_ways(text: str) -> Model:
    """The model, once it is clear that its own text gives the same one, before and after a derivation."""
    model = Model.parse(text)
    written = to_text(model)
    again = Model.parse(written)
    assert described(again) == described(model), written
    assert to_text(again) == written
    derive(model)
    assert to_text(model) == written
    return model


# -- literal bounds --------------------------------------------------------------------------------------------------


def test_unrolled_loop_is_the_formulas_written_out() -> None:
    loop = Model.parse("""
        data c[1], c[2], h[0]
        param w, u
        for t in 1..2:
            a = w * c[t] + u * h[t-1]
            h[t] = tanh(a)
        loss L = h[2]
    """)
    flat = Model.parse("""
        data c1, c2, h0
        param w, u
        a1 = w * c1 + u * h0
        h1 = tanh(a1)
        a2 = w * c2 + u * h1
        h2 = tanh(a2)
        loss L = h2
    """)
    assert described(loop) == described(flat)


def test_families() -> None:
    model = Model.parse("dim D\ndata X[0]: D\nparam W[1..12]: D x D\nfor l in 1..12:\n    X[l] = W[l] @ X[l-1]\n"
                        "loss L = sum(X[12])")
    assert list(model.params) == [f"W{k}" for k in range(1, 13)]
    assert list(model.equations) == [*[f"X{k}" for k in range(1, 13)], "L"]


@pytest.mark.parametrize("first", ["data h[0]", "data x\nh[0] = x", "data h[0..1]"])
def test_members_of_a_family_are_given_a_line_each(first: str) -> None:
    model = Model.parse(f"{first}\nparam w\nh[2] = tanh(w * h[0])\nh[3] = tanh(w * h[2])\nloss L = h[3]")
    assert [name for name in model.equations if name != "h0"] == ["h2", "h3", "L"]


def test_counters_index_arrays_from_one() -> None:
    body = "for t in 1..3:\n    z[t] = w * c[t] * t\n"
    model = Model.parse(f"data c: 3\nparam w\n{body}loss L = z[1] + 10 * z[2] + 100 * z[3]")
    assert value(model, {"c": np.array([1.0, 2.0, 3.0]), "w": 1.0}) == 1 + 40 + 900


def test_downwards_nested_and_on_one_line() -> None:
    nested = "for i in 1..2:\n  for j in 1..2:\n    q = i * w ** j\n"
    model = Model.parse(f"param w\nz[3] = w\nfor t in 2..0: z[t] = z[t+1] * 2\n{nested}"
                        "loss L = z[0] + q1_1 + q1_2 + q2_1 + q2_2")
    assert value(model, {"w": 3.0}) == 24 + 3 + 9 + 6 + 18


def test_what_a_body_assigns_is_read_behind_the_loop() -> None:
    model = Model.parse("param w\nfor t in 1..3:\n    a = w * t\nloss L = a[1] * a[3]")
    assert value(model, {"w": 2.0}) == 12


# -- symbolic bounds -------------------------------------------------------------------------------------------------


def test_rnn() -> None:
    model = both_ways(RNN)
    values = rnn_values()
    assert value(model, values) == pytest.approx(np.mean(rnn_states(values)[-1] ** 2), rel=1e-14)


def test_rnn_as_in_python() -> None:
    m = Model()
    T, N, E, H = m.dims("T N E H")
    c, h0 = m.data("c", (T, N, E)), m.data("h0", (N, H))
    W_e, W_h = m.param("W_e", (E, H)), m.param("W_h", (H, H))

    def step(carry: Any, elements: Any) -> Any:
        h = F.tanh(elements[0] @ W_e + carry[0] @ W_h)
        h.name = "h[t]"
        return h, h  # text stacks what it declares

    (last,), _ = scan(step, h0, c, names=("h",))
    m.loss("L", F.mean(last**2))
    assert described(m) == described(Model.parse(RNN))
    assert to_text(m) == to_text(Model.parse(RNN))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("sum(h ** 2)", lambda h: np.sum(h**2)),
        ("sum(h[1])", lambda h: np.sum(h[0])),
        ("sum(h[T])", lambda h: np.sum(h[-1])),
        ("sum(h[T-1])", lambda h: np.sum(h[-2])),
        ("sum(h[2] * h[T])", lambda h: np.sum(h[1] * h[-1])),
        ("sum(h[T][0]**2)", lambda h: np.sum(h[-1][0] ** 2)),  # a row of the last state, no step
        ("sum(h[:, 0])", lambda h: np.sum(h[:, 0])),
        ("sum(h[1:])", lambda h: np.sum(h[1:])),
    ],
)
def test_reading_a_loop(formula: str, expected: Any) -> None:
    model = both_ways(RNN.replace("mean(h[T] ** 2)", formula))
    values = rnn_values()
    assert value(model, values) == pytest.approx(expected(rnn_states(values)), rel=1e-14)


def test_plain_names_in_a_body() -> None:
    model = both_ways(RNN.replace("    h[t] = tanh(c[t] @ W_e + h[t-1] @ W_h)",
                                  "    a = c[t] @ W_e + h[t-1] @ W_h\n    h[t] = tanh(a)").replace("h[T] ** 2", "a"))
    values = rnn_values()
    assert value(model, values) == pytest.approx(np.mean(np.arctanh(rnn_states(values))), rel=1e-9)


def test_loop_over_layers() -> None:
    model = both_ways("dim L, N, D\ndata X[0]: N x D\nparam W: L x D x D\nfor l in 1..L:\n    X[l] = X[l-1] @ W[l]\n"
                      "output Y = X[L]")
    values = {"X0": RNG.normal(size=(2, 3)), "W": RNG.normal(size=(4, 3, 3))}
    expected = np.linalg.multi_dot([values["X0"], *values["W"]])
    assert value(model, values) == pytest.approx(expected, rel=1e-12)


def test_backwards_shifted_and_counting() -> None:
    model = both_ways("""
dim T, N
data x: T x N
param W: N x N
b[T+1] = ones(N)
for t in T..1:
    b[t] = tanh(b[t+1] @ W + t * x[t])
h[0] = x[0]
for t in 1..T-1:
    h[t] = h[t-1] @ W + x[t+1] * b[t]
loss L = sum(b[1]) + sum(h[T-1])
""")
    x, W = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))
    b, states = np.ones(3), {}
    for t in (4, 3, 2, 1):
        b = states[t] = np.tanh(b @ W + t * x[t - 1])
    h = x[0]
    for t in (1, 2, 3):
        h = h @ W + x[t] * states[t]
    assert value(model, {"x": x, "W": W}) == pytest.approx(np.sum(b) + np.sum(h), rel=1e-12)


def test_the_inner_counter_in_front_of_the_outer_one() -> None:
    model = Model.parse("""
dim N, D, K
param A: N x D x K, B: D x N, c
s[0] = 0
for j in 1..D:
    q[0] = s[j-1]
    for i in 1..N:
        q[i] = c * q[i-1] + sum(A[i, j]) + B[j, i] * A[i, j, 0]
    s[j] = q[N]
loss L = s[D]
""")
    A, B, total = RNG.normal(size=(3, 4, 2)), RNG.normal(size=(4, 3)), 0.0
    for j in range(4):
        for i in range(3):
            total = 0.7 * total + A[i, j].sum() + B[j, i] * A[i, j, 0]
    for same in (model, Model.parse(to_text(model))):
        assert value(same, {"A": A, "B": B, "c": 0.7}) == pytest.approx(total, rel=1e-12)
    assert derive(model).gradients["A"].shape == model.graph.names["A"].shape


def test_a_loop_in_another_one_with_its_counter() -> None:
    """It ended in a KeyError."""
    for text in ("dim N\nparam w: N\nfor i in 1..N:\n    for i in 1..N:\n        y = w[i]*2\nloss L = sum(w)",
                 "param w\nfor i in 1..3:\n    for i in 1..2:\n        y[i] = w*i\nloss L = w"):
        with pytest.raises(ModelError):
            parse(text)


def test_nested() -> None:
    model = both_ways("""
dim T, S, N
data c: T x S x N, w: T
param U: N x N
g[0] = zeros(N)
for t in 1..T:
    e[0] = g[t-1] * 2
    for s in 1..S:
        p = c[t, s] @ U
        e[s] = tanh(p + e[s-1] + s * t)
    g[t] = tanh(e[S]) + sum(p) + w[t]
loss L = sum(g[T])
""")
    c, w, U = RNG.normal(size=(3, 2, 4)), RNG.normal(size=3), RNG.normal(size=(4, 4))
    g = np.zeros(4)
    for t in range(3):
        e, total = 2 * g, 0.0
        for s in range(2):
            p = c[t, s] @ U
            total += p.sum()
            e = np.tanh(p + e + (s + 1) * (t + 1))
        g = np.tanh(e) + total + w[t]
    assert value(model, {"c": c, "w": w, "U": U}) == pytest.approx(g.sum(), rel=1e-12)


def test_words_are_looked_up_inside() -> None:
    model = both_ways("dim T, N, V, E\ndata words: T x N int < V, h[0]: N x E\nparam C: V x E\nfor t in 1..T:\n"
                      "    h[t] = tanh(C[words[t]] + h[t-1])\nloss L = sum(h[T])")
    words, C, h = RNG.integers(0, 5, size=(3, 2)), RNG.normal(size=(5, 4)), np.zeros((2, 4))
    expected = h
    for row in words:
        expected = np.tanh(C[row] + expected)
    assert value(model, {"words": words, "C": C, "h0": h}) == pytest.approx(expected.sum(), rel=1e-12)


def test_two_carries_and_an_unrolled_loop_inside() -> None:
    model = both_ways("dim T, N\ndata x: T x N, h[0]: N, s[0]: N\nparam w\nfor t in 1..T:\n    for k in 1..2:\n"
                      "        a[k] = h[t-1] * k + w * x[t]\n    h[t] = a[1] - s[t-1]\n    s[t] = a[2] * h[t]\n"
                      "loss L = sum(h[T] + s[T])")
    x, w = RNG.normal(size=(3, 2)), 0.7
    h, s = np.ones(2), np.zeros(2)
    for row in x:
        a1, a2 = h + w * row, 2 * h + w * row
        h = a1 - s
        s = a2 * h
    assert value(model, {"x": x, "w": w, "h0": np.ones(2), "s0": np.zeros(2)}) == pytest.approx(np.sum(h + s))


def test_a_value_that_does_not_change_has_a_stack_too() -> None:
    model = Model.parse("dim T, N\ndata x: T x N\nparam w: N\nfor t in 1..T:\n    a = w * 2\n    z = a * x[t]\n"
                        "loss L = sum(z) + sum(a)")
    x, w = RNG.normal(size=(3, 2)), RNG.normal(size=2)
    assert value(model, {"x": x, "w": w}) == pytest.approx(np.sum(2 * w * x) + 3 * np.sum(2 * w), rel=1e-12)


@pytest.mark.parametrize(
    ("begin", "head", "before", "printed"),
    [("1", "2..T", "t-1", "for t = 2, …, T:"), ("T", "T-1..2", "t+1", "for t = T − 1, …, 2:")],
)
def test_a_loop_counts_as_its_text_does(begin: str, head: str, before: str, printed: str) -> None:
    model = both_ways(f"dim T, N\ndata x: T x N, c[{begin}]: N\nparam w\nfor t in {head}:\n"
                      f"    k = tanh(w * c[{before}]) + x[t] * t\n    c[t] = c[{before}] + k\n"
                      "loss L = sum(c[2]) + mean(k ** 2) + 3 * sum(k[T-1])")
    x, c, w = RNG.normal(size=(5, 2)), RNG.normal(size=2), 0.7
    steps, k, given = list(range(2, 6)) if begin == "1" else list(range(4, 1, -1)), {}, {f"c{begin}": c}
    states = {}
    for t in steps:
        k[t] = np.tanh(w * c) + x[t - 1] * t
        c = states[t] = c + k[t]
    expected = states[2].sum() + np.mean(np.square([*k.values()])) + 3 * k[4].sum()
    assert value(model, {"x": x, "w": w, **given}) == pytest.approx(expected, rel=1e-13)
    assert printed in derive(model).text()


def test_what_a_loop_runs_over_is_not_called_as_what_it_carries() -> None:
    model = Model.parse("dim T\ndata x: T\nparam w\nu = x * w\na[1] = u[0]\nfor t in 2..T:\n"
                        "    a[t] = tanh(a[t-1]) + u[t]\nloss L = a[T]")
    assert "a" not in derive(model).names.values()


@pytest.mark.parametrize("name", ["rnn-lm", "lstm", "gru"])
def test_built_in_loops_are_written_as_loops(name: str) -> None:
    text = to_text(load(name))
    assert "for t in 1..T:" in text
    both_ways(text)


def test_a_declared_array_may_be_said_to_be_the_state_before_the_first_step() -> None:
    lines = "dim T, N\ndata c: T x N, {}: N\nparam w\n{}for t in 1..T:\n    h[t] = w * h[t-1] + c[t]\nloss L = sum(h)"
    said, declared = (parse(lines.format(*how), name="net") for how in (("h0", "h[0] = h0\n"), ("h[0]", "")))
    assert to_text(said) == to_text(declared)
    with pytest.raises(ModelError, match="spelled h0 in Python, and h0 is already taken: rename one of them"):
        parse(lines.format("h0", "h[0] = 2 * h0\n"))


@pytest.mark.parametrize(("first", "loop", "told"), [
    ("a[1] = u[1]", "for t in 2..T:\n    a[t] = a[t-1] * w + u[t]", "u[1] is the same as u[t] at t = 2 in the loop"),
    ("a[0] = w + u[0]", "for t in 1..T-1: a[t] = a[t-1] * w + u[t]", "u[0] is the same as u[t] at t = 1 in the loop"),
    ("a[1] = u[0]", "for t in 2..T: a[t] = a[t-1] * w + u[t]", ""),
    ("a[1] = u[0]", "for t in 2..T: a[t] = a[t-1] * w + u[t-1]", "u[0] is the same as u[t-1] at t = 2 in the loop"),
    ("a[1] = u[0]", "for t in 2..T: a[t] = a[t-1] * w + u[t] - u[t-1]", ""),
    ("a[0] = u[0]", "for t in 1..T-1: a[t] = a[t-1] * w + u[t+1]", ""),
])
def test_an_entry_that_is_read_again_in_a_loop_is_told(first: str, loop: str, told: str) -> None:
    said = parse(f"dim T\ndata u: T\nparam w\n{first}\n{loop}\nloss L = sum(a)").remarks
    assert (len(said) == 1 and said[0].startswith(f"<text>:4: {told}")) if told else said == []


@pytest.mark.parametrize(("loop", "read", "told"), [
    ("for t in 1..T: a[t] = w * a[t-1] + u[t]", "sum(a[1:])", "a[1:] leaves out the first step: "),
    ("for t in 1..T: a[t] = w * a[t-1] + u[t]", "sum(a[1:] - a[:-1])", "a[1:] leaves out the first step: "),
    ("for t in 1..T: a[t] = w * a[t-1] + u[t]", "sum(a) + a[1]", ""),
    ("for t in 1..T: a[t] = w * a[t-1] + u[t]", "sum(u[1:])", ""),
    ("for t in 2..T: a[t] = w * a[t-1] + u[t]", "sum(a[1:])", ""),
    ("for t in 2..T: a[t] = w * a[t-1] + u[t]", "sum(a[2:])", "a[2:] leaves out the first 2 steps: "),
])
def test_a_slice_of_the_steps_that_begins_like_the_loop_is_told(loop: str, read: str, told: str) -> None:
    begun = "a[1] = w" if "2.." in loop else "a[0] = w"
    said = parse(f"dim T\ndata u: T\nparam w\n{begun}\n{loop}\nloss L = {read}").remarks
    assert (len(said) == 1 and said[0].startswith(f"<text>:6: {told}")) if told else said == []


def test_a_slice_of_the_steps_of_a_python_loop_counts_as_the_loop_does() -> None:
    text = "dim T\ndata u: T\nparam w\na = np.zeros(T)\nfor t in range(T):\n    a[t] = w * u[t]\nloss L = sum(a[1:])"
    assert not [said for said in parse(text).remarks if "leaves out" in said]


@pytest.mark.parametrize("place", ["t - 1", "t - 2", "2 - t", "-t", "2*t - 3"])
def test_a_place_in_front_of_the_first_entry_is_refused_in_literal_loops_too(place: str) -> None:
    """As in loops over a symbolic axis; counted from 0 it would be the last entry."""
    text = f"data X: 4\nparam w\nh[0] = w\nfor t in 1..3: h[t] = h[t-1] + X[{place}]*w\nloss L = h[3]"
    with pytest.raises(ModelError, match="before the first entry"):
        Model.parse(text)


@pytest.mark.parametrize("read", ["stack(a)", "2 * stack(a) - a"])
def test_steps_are_stacked_already(read: str) -> None:
    lines = "dim T\ndata u: T\nparam w\na[0] = w\nfor t in 1..T: a[t] = w * a[t-1] + u[t]\nloss L = sum({} * u)"
    by_name = lines.format(read.replace("stack(a)", "a"))
    assert to_text(parse(lines.format(read))) == to_text(parse(by_name))


def test_a_family_that_begins_with_a_number_is_no_array_whose_entries_are_changed() -> None:
    model = Model.parse("data h[0], y\nparam w\nh[1] = tanh(w * h[0])\nh[2] = tanh(w * h[1])\nk[0] = w\nk[1] = k[0]^2\n"
                        "loss L = (y - h[2])^2 * k[1]")
    assert [*model.equations] == ["h1", "h2", "k0", "k1", "L"]


@pytest.mark.parametrize(("begin", "steps", "again"), [
    ("g[0] = a\ng[1] = b", "2..T", "g[t-1] * g[t-2]"),
    ("g[T+1] = a\ng[T+2] = b\ng[T+3] = a * b", "T..1", "g[t+1] * g[t+2] - g[t+3]"),
])
def test_steps_further_back_are_kept_by_the_steps_between(begin: str, steps: str, again: str) -> None:
    model = parse(f"dim T\ndata x: T\nparam a, b\n{begin}\nfor t in {steps}:\n    g[t] = x[t] + a * ({again})\n"
                  "loss L = sum(g^2)")
    x, a, b = RNG.normal(size=6), 0.3, -0.7
    if "T..1" in steps:
        g = [0.0] * 6 + [a, b, a * b]
        for t in reversed(range(6)):
            g[t] = x[t] + a * (g[t + 1] * g[t + 2] - g[t + 3])
        total = sum(v**2 for v in g[:6])
    else:
        g = [a, b]
        for t in range(1, 6):
            g.append(x[t] + a * g[-1] * g[-2])
        total = sum(v**2 for v in g[2:])
    assert model.loss_row is not None
    np.testing.assert_allclose(evaluate([model.loss_row], {"x": x, "a": np.array(a), "b": np.array(b)})[0], total)
    assert verify(model, seed=0)
    assert to_text(parse(to_text(model))) == to_text(model)


def test_what_is_called_as_a_value_of_steps_before_stays_what_it_is() -> None:
    text = ("dim T\ndata x: T\nparam w, v\n{} = v^2\nh[0] = w\nh[1] = v\n"
            "for t in 2..T:\n    h[t] = w*h[t-1] + {}*h[t-2] + x[t]\nloss L = h[T]")
    one, other = (parse(text.format(name, name)) for name in ("h_lag1", "c"))
    given = {name: np.asarray(0.5) for name in one.leaves() if name != "x"} | {"x": np.array([1.0, -2.0, 0.3])}
    assert evaluate(one.results(), given)[0] == evaluate(other.results(), given)[0] != 0


@pytest.mark.parametrize(("lines", "says"), [
    ("s = 0\nfor i in range(3):\n    i = i * 2\n    s += w * i\nloss = s", "i counts the steps of the loop"),
    ("s = 0\nfor i in range(3):\n    i += 1\n    s += w**i\nloss = s", "i counts the steps of the loop"),
    ("s = 0\nfor t in range(T):\n    for t in range(N):\n        s += w * t\nloss = s", "around this one"),
])
def test_a_counter_counts_one_loop_and_nothing_else(lines: str, says: str) -> None:  # it was the new value less 1
    with pytest.raises(ModelError, match=says):
        Model.parse(f"dim T, N\nparam w\n{lines}")
