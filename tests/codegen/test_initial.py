"""Initial values follow from how a parameter is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symbackprop import Model, codegen
from symbackprop.codegen.initial import NORMAL, Initial, initial_values
from symbackprop.model.text.write import to_text
from tests.codegen.helpers import emit

TEXT = """
dim N, D, H, C, V
data X: N x D, y: N int < C, i: N int < V
param W1: D x H, b1: H, gain: H, shift: H, E: V x H, W2: H x C, b2: C, s
A = relu(X @ W1 + b1)
B = gain * layer_norm(A + E[i]) + shift
loss L = mean(cross_entropy(s * (B @ W2 + b2), y))
"""
SIZES = {"N": 2, "D": 200, "H": 300, "C": 5, "V": 50}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scales(tmp_path: Path, dtype: str) -> None:
    params = emit(TEXT, tmp_path, dtype=dtype).init_params(np.random.default_rng(0), **SIZES)
    assert {v.dtype for v in params.values()} == {np.dtype(dtype)}
    assert params["W1"].std() == pytest.approx((2 / 200) ** 0.5, rel=0.02)  # a ReLU follows
    assert params["W2"].std() == pytest.approx((1 / 300) ** 0.5, rel=0.05)
    assert params["E"].std() == pytest.approx(0.1, rel=0.05)
    for zero in ("b1", "b2", "shift"):
        assert not params[zero].any()
    np.testing.assert_array_equal(params["gain"], np.ones(300))
    assert np.shape(params["s"]) == ()


def test_the_generator_decides(tmp_path: Path) -> None:
    module = emit(TEXT, tmp_path)
    one, two = (module.init_params(np.random.default_rng(3), **SIZES) for _ in range(2))
    assert all(np.array_equal(one[k], two[k]) for k in one)
    assert list(one) == list(module.PARAMS)


def test_weights_of_loops_and_convolutions(tmp_path: Path) -> None:
    loop = """
    dim T, N, E, H
    data c: T x N x E, h[0]: N x H
    param W_e: E x H, W_h: H x H, b: H
    for t in 1..T:
        h[t] = tanh(c[t] @ W_e + h[t-1] @ W_h + b)
    loss L = mean(h[T] ** 2)
    """
    params = emit(loop, tmp_path).init_params(np.random.default_rng(0), E=200, H=300)
    assert params["W_h"].std() == pytest.approx(300**-0.5, rel=0.02)
    assert params["W_e"].std() == pytest.approx(200**-0.5, rel=0.02)
    assert not params["b"].any()
    conv = "dim N, K\ndata x: N x 8 x 8 x 3\nparam w: 3 x 3 x 3 x K, b: K\nloss L = sum(relu(conv2d(x, w) + b))"
    params = emit(conv, tmp_path).init_params(np.random.default_rng(0), K=100)
    assert params["w"].std() == pytest.approx((2 / 27) ** 0.5, rel=0.05)
    assert not params["b"].any()


def test_seeds(tmp_path: Path) -> None:
    module = emit("param w\nloss L = w**2", tmp_path)
    for seed in (3, np.array(3), np.int64(3), np.random.default_rng(3)):
        assert module.init_params(seed)["w"] == module.init_params(3)["w"]
    assert module.init_params(None)["w"] != module.init_params(None)["w"]
    for wrong in (1.5, "no", np.array(1.5), -1, {}):
        with pytest.raises(ValueError, match=r"rng has to be a numpy.random.Generator, or a whole number as a seed: "):
            module.init_params(wrong)


def test_no_row_of_a_weight(tmp_path: Path) -> None:
    params = emit(TEXT, tmp_path).init_params(0, D=0, H=0, C=2, V=3)
    assert {n: v.shape for n, v in params.items() if n.startswith("W")} == {"W1": (0, 0), "W2": (0, 2)}


def test_the_model_says_what_a_parameter_does(tmp_path: Path) -> None:
    """log(x e^Z + 1) is written as log(1 + exp(Z + log x)), where Z looks like a bias."""
    text = "dim N, D\ndata x: N x D\nparam Z: N x D\nh = log(x * exp(Z)^2 + 1)\nloss L = sum(h^2)"
    values = [emit(text, tmp_path, level=level).init_params(0, N=20, D=30)["Z"] for level in (0, 1)]
    np.testing.assert_array_equal(*values)
    assert values[0].std() == pytest.approx(1.0, rel=0.1)


def test_what_is_added_to_parameters_alone_is_no_bias(tmp_path: Path) -> None:
    text = "dim N, D\ndata x: N x D\nparam P: N x D, X: N x D\nloss L = sum(tanh(x + P)) + sum((X - X[::-1])^2)"
    params = emit(text, tmp_path).init_params(0, N=20, D=30)
    assert not params["P"].any() and params["X"].std() == pytest.approx(1.0, rel=0.1)


def test_a_lone_number_is_normal_wherever_it_is_used() -> None:
    model = Model.parse("param s\ndata x: 3 x 3\nloss L = sum(x @ broadcast(s, (3, 3)))")
    assert initial_values(model)["s"] == Initial(NORMAL)


def test_what_only_a_loop_without_readers_does_counts_however_the_model_is_read() -> None:
    """The state is 0 at every step, which its text says outright: behind that nobody reads the loop."""
    text = (
        "dim T, N, H\ndata x: N x H, c: T x N x H\nparam W: H x H, r: 1 x H\nh[0] = x\nfor t in 1..T:\n"
        "    u[t] = c[t] * (x @ W)\n    v[t] = u[t] * r\n    h[t] = tanh(h[t-1] - h[t-1])\n"
        "loss L = mean(cumsum(h[T], axis=0)**2)"
    )
    model = Model.parse(text)
    again = Model.parse(to_text(model))
    assert initial_values(model) == initial_values(again)
    assert initial_values(model)["W"].kind == NORMAL
    assert "init_params" in codegen(model)  # verified, against its own text too
