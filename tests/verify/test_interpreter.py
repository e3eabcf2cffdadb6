"""The interpreter against NumPy written by hand."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop import derive
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.loops import scan
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model.model import Model
from symbackprop.verify import evaluate
from symbackprop.verify.interpreter import Program

RNG = np.random.default_rng(3)


def one(row: Node, **values: Any) -> Any:
    return evaluate([row], values)[0]


@pytest.fixture
def mlp() -> tuple[Model, dict[str, Any]]:
    m = Model("mlp")
    N, D, H, C = m.dims("N D H C")
    X, y = m.data("X", (N, D)), m.data("y", (N,), below=C)
    W1, b1, W2 = m.param("W1", (D, H)), m.param("b1", (H,)), m.param("W2", (H, C))
    A1 = m.let("A1", F.relu(X @ W1 + b1))
    m.loss("L", F.mean(F.cross_entropy(A1 @ W2, y)) + F.sum(W1**2) / 2)
    values = {
        "X": RNG.normal(size=(5, 4)),
        "y": np.array([0, 2, 1, 2, 2]),
        "W1": RNG.normal(size=(4, 6)),
        "b1": RNG.normal(size=6),
        "W2": RNG.normal(size=(6, 3)),
    }
    return m, values


def by_hand(v: dict[str, Any]) -> Any:
    Z = np.maximum(v["X"] @ v["W1"] + v["b1"], 0) @ v["W2"]
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return -np.log(P[np.arange(5), v["y"]]).mean() + (v["W1"] ** 2).sum() / 2


def test_a_network(mlp: tuple[Model, dict[str, Any]]) -> None:
    m, values = mlp
    loss, A1 = evaluate([*m.results(), m.equations["A1"]], values)
    assert np.isclose(loss, by_hand(values), rtol=1e-14)
    assert np.allclose(A1, np.maximum(values["X"] @ values["W1"] + values["b1"], 0), rtol=1e-14)


def test_a_rerun_computes_what_a_leaf_changes_and_nothing_else(mlp: tuple[Model, dict[str, Any]]) -> None:
    m, values = mlp
    given = {m.graph.names[n].id: np.asarray(a) for n, a in values.items()}
    program = Program(m.results(), {"N": 5, "D": 4, "H": 6, "C": 3})
    base = program.run(given)
    values["W2"] = values["W2"] * 1.5
    found = program.rerun(base, m.params["W2"], values["W2"])
    assert np.isclose(found[m.results()[0].id], by_hand(values), rtol=1e-14)
    assert found[m.equations["A1"].id] is base[m.equations["A1"].id]


def test_the_complex_step_goes_through(mlp: tuple[Model, dict[str, Any]]) -> None:
    m, values = mlp
    h = 1e-6
    ahead, behind = dict(values, b1=values["b1"] + h), dict(values, b1=values["b1"] - h)
    slope = one(m.results()[0], **dict(values, b1=values["b1"] + 1e-30j)).imag / 1e-30
    assert np.isclose(slope, (by_hand(ahead) - by_hand(behind)) / (2 * h), rtol=1e-7)


@pytest.mark.parametrize(
    "name", ["abs", "erf", "gelu", "sigmoid", "softplus", "relu", "tanh", "elu", "leaky_relu", "silu", "mish"]
)
def test_references_continue_analytically_off_their_kinks(name: str) -> None:
    m = Model()
    x = m.data("x", (4,))
    y = F.FUNCTIONS[name](x)
    point = np.array([-1.3, -0.2, 0.4, 2.1])
    slope = one(y, x=point + 1e-30j).imag / 1e-30
    assert np.allclose(slope, (one(y, x=point + 1e-6) - one(y, x=point - 1e-6)) / 2e-6, atol=1e-9)


@pytest.mark.parametrize("power", [7, 99, 100, 101, 2999, -101])
@pytest.mark.parametrize("shown", [True, False])
def test_large_powers_of_negative_numbers_have_the_slope_of_all_others(power: int, shown: bool) -> None:
    """NumPy takes whole powers from 100 on by the logarithm, where a small imaginary part is lost beside π."""
    m = Model()
    x, n = m.data("x", (3,)), m.data("n")
    point = np.array([-0.99, -1.01, 0.98])
    given = {"x": point + 1e-30j} if shown else {"x": point + 1e-30j, "n": float(power)}
    found = one(x**power if shown else x**n, **given)
    assert np.allclose(found.imag / 1e-30, power * point ** (power - 1), rtol=1e-11)
    assert np.allclose(found.real, point**power, rtol=1e-11)


def test_long_doubles_stay_long() -> None:
    m = Model()
    x = m.data("x", (3,))
    found = one(F.sum(F.exp(x) * x), x=np.full(3, 0.1, dtype=np.longdouble))
    assert found.dtype == np.longdouble


def test_dimensions_are_numbers_in_formulas_and_constants() -> None:
    m = Model()
    N, D = m.dims("N D")
    x = m.data("x", (N, D))
    k = m.const("k", 1 / sp.sqrt(D))
    found = one(F.sum(x) / N * k + N**2, x=np.ones((3, 4)))
    assert np.isclose(found, 12 / 3 / 2 + 9)


def test_a_formula_that_ignores_an_argument_keeps_its_shape() -> None:
    m = Model()
    N = m.dims("N")
    x, y = m.data("x", (N, 1)), m.data("y", (2,))
    found = one(x * (N - 3) + y * 0, x=np.ones((3, 1)), y=np.ones(2))
    assert found.shape == (3, 2) and not found.any()


def test_whole_numbers_stay_indices() -> None:
    m = Model()
    N, V = m.dims("N V")
    table, idx = m.data("table", (V, 2)), m.data("idx", (N,), below=V - 1)
    values = {"table": RNG.normal(size=(5, 2)), "idx": np.array([0, 3, 3])}
    assert np.array_equal(one(table[idx + 1], **values), values["table"][[1, 4, 4]])


def test_a_loop_runs_its_body() -> None:
    m = Model()
    T, N, H = m.dims("T N H")
    c, h0, W = m.data("c", (T, N, H)), m.data("h0", (N, H)), m.data("W", (H, H))
    (last,), (states,) = scan(lambda s, x: ((F.tanh(x[0] + s[0] @ W),), (s[0],)), h0, c)
    values = {"c": RNG.normal(size=(4, 2, 3)), "h0": RNG.normal(size=(2, 3)), "W": RNG.normal(size=(3, 3))}
    h, seen = values["h0"], []
    for t in range(4):
        seen.append(h)
        h = np.tanh(values["c"][t] + h @ values["W"])
    found = evaluate([last, states], values)
    assert np.allclose(found[0], h, rtol=1e-14) and np.allclose(found[1], seen, rtol=1e-14)


def test_depth_costs_no_recursion() -> None:
    m = Model()
    x = m.data("x")
    row = x
    for _ in range(5000):
        row = F.tanh(row)
    assert 0 < one(row, x=1.0) < 0.03


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"X": np.ones((2, 3))}, ModelError, "no value is given for y"),
        ({"X": np.ones((2, 3)), "y": [0, 1, 1]}, ShapeError, "y has shape (3,), expected N = (2,)"),
        ({"X": np.ones(3), "y": [0, 1]}, ShapeError, "X has shape (3,), expected N x D"),
        ({"X": np.ones((2, 3)), "y": [0, 3]}, ModelError, "y holds 3, outside 0 <= y < D = 3"),
        ({"X": np.ones((2, 3)), "y": [0, -1]}, ModelError, "y holds -1"),
        ({"X": np.ones((2, 3)), "y": [0, 0.5]}, ModelError, "not whole numbers"),
        ({"X": [["a", "b"]], "y": [0]}, ModelError, "not numeric"),
        ({"X": [[1.0], [1.0, 2.0]], "y": [0]}, ShapeError, "no array"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], error: type[Exception], words: str) -> None:
    m = Model()
    N, D = m.dims("N D")
    X, y = m.data("X", (N, D)), m.data("y", (N,), below=D)
    with pytest.raises(error) as caught:
        evaluate([F.mean(F.cross_entropy(X, y))], values)
    assert words in str(caught.value)


def test_a_size_that_no_array_tells_is_asked_for() -> None:
    m = Model()
    N = m.dims("N")
    with pytest.raises(ModelError, match="no size is given for the dimension N"):
        evaluate([m.constant("eye", N)], {})
    assert evaluate([m.constant("eye", N)], {}, {"N": 2})[0].shape == (2, 2)


def test_sizes_are_solved_for() -> None:
    m = Model()
    N, K = m.dims("N K")
    x, y = m.data("x", (3 * N + 1,)), m.data("y", (N * K,))
    assert one(F.sum(x) / N + F.sum(y) / K, x=np.ones(7), y=np.ones(10)) == 7 / 2 + 10 / 5


def test_given_arrays_are_not_changed(mlp: tuple[Model, dict[str, Any]]) -> None:
    m, values = mlp
    before = {n: a.copy() for n, a in values.items()}
    evaluate([*m.equations.values()], values)
    assert all(np.array_equal(values[n], before[n]) for n in values)


def test_what_depends_on_a_leaf_is_not_kept_for_every_leaf() -> None:
    count = 800
    lines = [f"param w{k}\nh{k} = tanh(w{k}*h{k - 1})" for k in range(1, count)]
    model = Model.parse("\n".join(["data h0", *lines, f"loss L = h{count - 1} + 1"]))
    program = Program(model.results(), {})
    tracemalloc.start()
    places = [len(program.readers(leaf)) for leaf in model.params.values()]
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert places == [2 * (count - k) + 1 for k in range(1, count)] and kept < 1e6


def test_what_a_backward_pass_keeps_of_loops_in_loops_is_computed_later() -> None:
    model = Model.parse("dim T, m\ndata x: T x m\nparam h: m\nfor t in range(T):\n    s = h[0]\n"
                        "    for j in range(1, m):\n        s = tanh(s + h[j] * x[t, j])\n    h = h * s\n"
                        "loss L = sum(h)")
    arrays = {"x": np.ones((2, 3)), "h": np.array([0.5, 1, 2])}
    before = evaluate(model.results(), arrays)
    derive(model)
    assert evaluate(model.results(), arrays) == before
