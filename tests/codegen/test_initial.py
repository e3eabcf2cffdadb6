"""Initial values follow from how a parameter is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symbackprop import Model, codegen, verify
from symbackprop.codegen.initial import NORMAL, ONE, ZERO, Initial, initial_values
from symbackprop.model.text.write import to_text
from symbackprop.verify.initial import rules
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


def test_of_a_diagonal_its_entries_are_counted_once() -> None:
    model = Model.parse('dim N, D\nparam C: N x D x D, u: D\nloss L = sum(sin(einsum("ijj,j->i", C, u)))')
    assert str(initial_values(model)["C"].fan_in) == "D"


def test_an_image_is_no_weight_of_a_kernel_of_one_entry() -> None:
    text = "data x: 6, w: 1 x 1 x 1\nparam v: 6\nloss L = conv1d(v[None, :, None], w)[0, :, 0] @ x"
    assert verify(Model.parse(text), seed=0).passed


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


SPELLED = {
    "a product of products": ("z = m * b + 0 * a\nY = z * b", "Y = broadcast(m * b * b, (N, H))", "b", ZERO),
    "a product with what is computed": ("z = b * m\nY = z * tanh(a)", "Y = b * (m * tanh(a))", "b", ONE),
    "a gain of a sum": ("z = a + m\nY = b * z", "Y = b * (a + m)", "b", ONE),
    "a gain beside something computed": ("z = b * a\nY = z + tanh(a)", "Y = b * a + tanh(a)", "b", ZERO),
    "a gain over something computed": ("z = b * a\nY = z / exp(m)", "Y = b * (a / exp(m))", "b", ONE),
    "a divisor": ("z = 2 * m * b\nY = a / z", "Y = a / (m * b * 2)", "b", ONE),
    "a variance": ("z = sqrt(b)\nY = (a - r) / z", "Y = (a - r) * b**-0.5", "b", ONE),
    "a logarithm": ("z = b * b\nY = a * log(z)", "Y = 2 * a * log(b)", "b", ONE),
    "a divisor beside a number": ("z = b + 1\nY = a / z", "Y = a / (1 + b)", "b", ZERO),
    "what is normalised": ("z = exp(m)\nY = r / z + sin(r)", "Y = r / exp(m) + sin(r)", "r", NORMAL),
    "a sum of equal terms": ("z = a + r\nY = z + r", "Y = a + 2 * r", "r", ZERO),
    "a factor of a term": ("z = a * r\nY = z + m", "Y = a * r + m", "r", NORMAL),
    "parameters among themselves": ("z = r - q\nY = z^2", "Y = (r - q)^2", "r", NORMAL),
    "parameters beside something else": ("z = r - q\nY = tanh(z + a)", "Y = tanh(r + a - q)", "r", ZERO),
    "a sign": ("z = -r\nY = a + z", "Y = a - r", "r", ZERO),
    "in a loop": ("z = tanh(a)\nfor t in 1..T:\n    Y[t] = b * z * c[t]",
                  "for t in 1..T:\n    z[t] = b * c[t]\n    Y[t] = z[t] * tanh(a)", "b", ONE),
    "what is carried": ("h[0] = a\nfor t in 1..T:\n    h[t] = b * h[t-1]\nY = h[T]",
                        "h[0] = a\nfor t in 1..T:\n    z[t] = h[t-1] * c[t]\n    h[t] = z[t] * b\nY = h[T]", "b", ONE),
    "a ReLU behind sums": ("z = a @ W\nY = z + b\ny2 = Y + r\nY3 = relu(y2)", "Y = relu(a @ W + b + r)", "W", NORMAL),
}


@pytest.mark.parametrize("case", SPELLED)
def test_a_start_is_that_of_the_arithmetic_however_it_is_cut_into_rows(case: str) -> None:
    *spelled, name, expected = SPELLED[case]
    head = "dim T, N, H\ndata m: N x H, a: N x H, c: T x N x H\nparam b: H, r: 1 x H, q: 1 x H, W: H x H\n"
    models = [Model.parse(head + text + "\nloss L = sum(sin(Y))") for text in spelled]
    one, other = [initial_values(model)[name] for model in models]
    assert one == other and one.kind == expected
    assert initial_values(Model.parse(to_text(models[0])))[name] == one
    first, second = [rules(model, {"T": 5, "N": 6, "H": 7})[name] for model in models]
    assert first == second and len(first) == 1 and first[0].mean == (expected == ONE)
    assert (first[0].deviation > 0) == (expected == NORMAL)
