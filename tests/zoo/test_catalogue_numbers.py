"""The numbers of the lectures, at their own digits: computed by emitted modules, and printed by `derive --at`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.zoo.helpers import Arrays, derive, model, module, numbers, run


class Example(NamedTuple):
    """A worked example: where, the values of the forward pass, the gradients of the last of them."""

    model: str
    at: Arrays
    forward: dict[str, float]
    gradients: dict[str, float]
    digits: int = 1


SIGMOID = {"w0": 2, "w1": -3, "w2": -3, "x0": -1, "x1": -2}
SIGMOID_SLOPES = {"w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20, "s": 0.20}
EXAMPLES = [
    Example("linear-chain-graph", {"a": 3, "b": 1, "c": -2}, {"d": 2, "e": 5, "L": -10},
            {"e": -2, "c": 5, "a": -2, "d": -2, "b": -4}),
    Example("sum-times-z", {"x": -2, "y": 5, "z": -4}, {"q": 3, "f": -12},
            {"f": 1, "z": 3, "q": -4, "y": -4, "x": -4}),
    Example("sigmoid-circuit", SIGMOID,
            {"p": -2, "q": 6, "r": 4, "s": 1, "n": -1, "u": 0.37, "d": 1.37, "f": 0.73},
            {"f": 1, "d": -0.53, "u": -0.53, "n": -0.20, "r": 0.20, "q": 0.20, "p": 0.20, **SIGMOID_SLOPES}, 2),
    Example("sigmoid-circuit-gate", SIGMOID, {"s": 1, "f": 0.73}, {"f": 1, **SIGMOID_SLOPES}, 2),
    Example("sum-times-max", {"x": 1, "y": 2, "z": 0}, {"a": 3, "b": 2, "f": 6},
            {"a": 2, "b": 3, "x": 2, "y": 5, "z": 0}),
    Example("square-of-three", {"x": 2}, {"y": 4, "z": 12}, {"y": 3, "x": 12}),
    Example("square-of-three", {"x": -7}, {"y": 49, "z": 147}, {"y": 3, "x": -42}),
    Example("cube", {"x": 1}, {"f": 1}, {"x": 3}),
    Example("cube", {"x": 4}, {"f": 64}, {"x": 48}),
]
NAMED = [pytest.param(e, id=f"{e.model} {','.join(f'{k}={v}' for k, v in e.at.items())}") for e in EXAMPLES]


def at_text(at: Arrays) -> str:
    return ",".join(f"{name}={value}" for name, value in at.items())


def printed(value: float, digits: int) -> str:
    """A number as the derivation prints it: whole numbers without decimals."""
    text = f"{value:.0f}" if value == round(value) else f"{value:.{digits}f}"
    return text.replace("-", "−")


def spelled(name: str) -> str:
    """``w0`` as text prints it."""
    return name.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def given(name: str, at: Arrays) -> tuple[Arrays, Arrays]:
    params = {k: v for k, v in at.items() if k in model(name).params}
    return params, {k: v for k, v in at.items() if k not in params}


@pytest.mark.parametrize("example", NAMED)
def test_modules_compute_them(example: Example) -> None:
    params, data = given(example.model, example.at)
    loss = module(example.model).LOSS
    emitted = module(example.model, tuple(name for name in example.gradients if name != loss))
    found = emitted.outputs(params, data)
    assert {k: round(float(found[k]), example.digits) for k in example.forward} == example.forward
    value, grads = emitted.loss_and_grads(params, data)
    assert round(float(value), example.digits) == example.forward[loss]
    expected = {k: v for k, v in example.gradients.items() if k != loss}
    assert {k: round(float(grads[k]), example.digits) for k in expected} == expected


@pytest.mark.parametrize("example", NAMED)
def test_derive_prints_them(example: Example) -> None:
    text = derive(example.model, "--at", at_text(example.at), "--digits", str(example.digits))
    found, loss = numbers(text), module(example.model).LOSS
    expected = {spelled(k): printed(v, example.digits) for k, v in example.forward.items()}
    expected |= {f"d{loss}/d{spelled(k)}": printed(v, example.digits) for k, v in example.gradients.items()}
    assert {k: found.get(k) for k in expected} == expected


def test_sigmoid_gate_local_gradient() -> None:
    """One σ gate: 1 goes in, 0.73 comes out, the local gradient is (1 − σ)σ = 0.20."""
    assert numbers(derive("sigmoid-circuit-gate", "--at", at_text(SIGMOID), "--digits", "2"))["df/ds"] == "0.20"
    out, _ = module("sigmoid-circuit-gate").forward(*given("sigmoid-circuit-gate", SIGMOID))
    one, _ = module("sigmoid-circuit").forward(*given("sigmoid-circuit", SIGMOID))
    assert round(float(out), 2) == 0.73 and float(out) == pytest.approx(float(one), rel=1e-15)
    assert round(float(out * (1 - out)), 2) == 0.20


def test_max_routes_its_gradient() -> None:
    found = numbers(derive("max-gate", "--at", "z=2,w=-1,dm=2"))
    assert found == {"m": "2", "dL/dm": "2", "dm/dz": "1", "dL/dz": "2", "dm/dw": "0", "dL/dw": "0"}
    assert run("max-gate", {}, {"z": 2.0, "w": -1.0}, 2.0) == ({"m": 2.0}, {"z": 2.0, "w": 0.0})


@pytest.mark.parametrize(("x", "times"), [(1, 3), (4, 48)])
def test_cube_moves_by_its_slope(x: float, times: int) -> None:
    """Moving x by 0.01 moves x³ about 3 times as much at 1, about 48 times at 4."""
    moved, before = (run("cube", {}, {"x": at})[0]["f"] for at in (x + 0.01, x))
    assert round(float(moved - before) / 0.01) == times
    assert run("cube", {}, {"x": x})[1]["x"] == times


W, X = [[0.1, 0.5], [-0.3, 0.8]], [0.2, 0.4]


def test_squared_norm() -> None:
    emitted = module("squared-norm", ("q", "W", "x"))
    params, data = {"W": np.array(W)}, {"x": np.array(X)}
    assert np.round(emitted.outputs(params, data)["q"], 2).tolist() == [0.22, 0.26]
    loss, grads = emitted.loss_and_grads(params, data)
    assert round(float(loss), 3) == 0.116
    assert np.round(grads["q"], 2).tolist() == [0.44, 0.52]
    assert np.round(grads["W"], 3).tolist() == [[0.088, 0.176], [0.104, 0.208]]
    assert np.round(grads["x"], 3).tolist() == [-0.112, 0.636]


def test_squared_norm_printed() -> None:
    at = "W=[[.1,.5],[-.3,.8]],x=[.2,.4]"
    two, three = (derive("squared-norm", "--at", at, "--digits", digits) for digits in "23")
    assert "q = W x = [0.22, 0.26]" in two
    assert "f = ‖q‖² = 0.116 " in three
    assert "δ_q = 2q = [0.44, 0.52]" in two
    above, below = three.partition("⎡0.088  0.176⎤")[::2]
    assert above.endswith("∂f/∂W = δ_q xᵀ = ") and below.splitlines()[1].strip() == "⎣0.104  0.208⎦"
    assert "Wᵀ δ_q = [−0.112, 0.636]" in three


# -- closed forms of the scalar networks, with the lecture's letters
def tanh_net(x: float, y: float, w1: float, w2: float) -> dict[str, Any]:
    h = np.tanh(w1 * x)
    o = np.tanh(w2 * h)
    return {"w2": -(y - o) * (1 - o**2) * h, "w1": -(y - o) * (1 - o**2) * w2 * (1 - h**2) * x}


def two_steps(c1: float, c2: float, h0: float, y: float, w_e: float, w_h: float, w_o: float) -> dict[str, Any]:
    h1 = np.tanh(w_e * c1 + w_h * h0)
    h2 = np.tanh(w_e * c2 + w_h * h1)
    da = -(y - w_o * h2) * w_o * (1 - h2**2)
    db = da * w_h * (1 - h1**2)
    return {"w_o": -(y - w_o * h2) * h2, "c2": da * w_e, "c1": db * w_e, "w_e": da * c2 + db * c1,
            "w_h": da * h1 + db * h0}


def two_branches(x: float, y: float, c: float) -> dict[str, Any]:
    return {"c": -(y - c * x) * x + 0.1 * 2 * c}


CLOSED = {"two-weight-tanh": tanh_net, "two-step-rnn": two_steps, "two-paths": two_branches}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        at = {k: float(rng.normal()) for k in model(name).leaves()}
        expected = CLOSED[name](**at)
        grads = run(name, *given(name, at))[1]
        assert set(grads) == set(expected)
        assert {k: float(v) for k, v in grads.items()} == pytest.approx(expected, rel=1e-12)
        loss = module(name).LOSS
        shown = numbers(derive(name, "--at", at_text(at), "--digits", "5"))
        assert {k: shown[f"d{loss}/d{spelled(k)}"] for k in grads} == {k: printed(v, 5) for k, v in expected.items()}
