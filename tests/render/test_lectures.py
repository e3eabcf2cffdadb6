"""The forms that readers of the lectures know: the same factors in the same order, and the lectures' numbers."""

from __future__ import annotations

import pytest

from symbackprop.render.board import build_document
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from tests.render.helpers import derivation, document, said, step, text_lines

SCALAR = {
    ("two-weight-tanh", "w2"): ["dL/dw₂ = dL/do·do/da·da/dw₂", "dL/dw₂ = −(y − o)·(1 − o²)·h"],
    ("two-weight-tanh", "w1"): ["dL/dw₁ = dL/do·do/da·da/dh·dh/db·db/dw₁",
                                "dL/dw₁ = −(y − o)·(1 − o²)·w₂·(1 − h²)·x"],
    ("two-step-rnn", "w_o"): ["dL/dw_o = −(y − o)·h₂"],
    ("two-step-rnn", "c2"): ["dL/dc₂ = −(y − o)·w_o·(1 − h₂²)·w_e"],
    ("two-step-rnn", "c1"): ["dL/dc₁ = −(y − o)·w_o·(1 − h₂²)·w_h·(1 − h₁²)·w_e"],
    ("two-step-rnn", "w_e"): ["dL/dw_e = −(y − o)·w_o·(1 − h₂²)·c₂ − (y − o)·w_o·(1 − h₂²)·w_h·(1 − h₁²)·c₁",
                              "∂a/∂w_e = c₂"],
    ("two-step-rnn", "w_h"): ["dL/dw_h = −(y − o)·w_o·(1 − h₂²)·h₁ − (y − o)·w_o·(1 − h₂²)·w_h·(1 − h₁²)·h₀"],
    ("linear-chain-graph", "b"): ["dL/db = dL/de·de/dd·dd/db", "= 2c"],
    ("two-paths", "c"): ["dO/dc = dO/dL·dL/dc + dO/dR·dR/dc"],
    ("square-of-three", "x"): ["dz/dx = 3·2x", "= 6x"],
    ("cube", "x"): ["df/dx = 3x²"],
    ("max-gate", "z"): ["dL/dz = dL/dm·(1[z > w] + ½·1[z = w])"],
    ("sum-times-max", "y"): ["df/dy = df/da·da/dy + df/db·db/dy"],
    ("sigmoid-circuit-gate", "s"): ["df/ds = f·(1 − f)"],
}

MATRIX = {
    ("linear-layer", "X"): ["∂L/∂X = (∂L/∂Y) Wᵀ"],
    ("svm-hinge", "W"): ["∂L/∂W = δ_sᵀ X + 2λ·W"],
    ("linear-layer", "W"): ["∂L/∂W = Xᵀ (∂L/∂Y)"],
    ("squared-norm", "q"): ["δ_q = 2q"],
    ("squared-norm", "W"): ["∂f/∂W = δ_q xᵀ"],
    ("squared-norm", "x"): ["∂f/∂x = Wᵀ δ_q"],
    ("elementwise-relu", "x"): ["∂L/∂x = ∂L/∂f ⊙ 1[x > 0]"],
    ("logistic-regression", "z"): ["= ŷ − y"],
    ("logistic-regression", "w"): ["∂L/∂w = δ_z·x"],
    ("softmax-regression", "z"): ["δ_z = ŷ − onehot(y)"],
    ("softmax-regression", "W"): ["∂L/∂W = δ_z xᵀ"],
    ("mlp-relu-sigmoid", "a2"): ["δ_a₂ = −(y/a₂ + (y − 1)/(1 − a₂))"],
    ("mlp-relu-sigmoid", "z2"): ["∂a₂/∂z₂ = a₂·(1 − a₂)", "= a₂ − y"],
    ("ffnn-softmax", "z"): ["∂h/∂z = 1 − h^⊙2", "δ_z = δ_h ⊙ (1 − h^⊙2)"],
    ("window-lm", "W2"): ["∂L/∂W₂ = hᵀ δ_logits"],
    ("window-lm", "C"): ["∂L/∂C = scatter(δ_c, words)"],
    ("rnn-lm", "W_h"): ["= Σ_t hₜ₋₁ᵀ δ_z_hₜ"],
}

JACOBIAN = {
    ("ner-window", "u"): ["∂s/∂u = hᵀ", "∇_u s = h"],
    ("ner-window", "z"): ["∂s/∂z = uᵀ·diag(1 − h^⊙2)", "= δ_h ⊙ (1 − h^⊙2)ᵀ"],
    ("ner-window", "b"): ["∂s/∂b = uᵀ·diag(1 − h^⊙2)·I", "= δ_z"],
    ("ner-window", "W"): ["∇_W s = δ_zᵀ xᵀ"],
    ("ner-window", "x"): ["∂s/∂x = uᵀ·diag(1 − h^⊙2)·W", "= δ_z·W"],
    ("jacobians", "z"): ["∂h/∂z = diag(1 − h^⊙2)"],
    ("jacobians", "x"): ["∂z/∂x = W"],
    ("jacobians", "b"): ["∂z/∂b = I"],
}

INDEX = {
    ("squared-norm", "q"): ["∂f/∂q_i = Σ_m 2q_m·1[m = i]", "= 2q_i"],
    ("squared-norm", "W"): ["∂q_k/∂W_ij = Σ_n x_n·1[k = i]·1[n = j]", "= x_j·1[k = i]", "= δ_q[i]·x_j"],
    ("linear-layer", "X"): ["∂Y/∂x₁₁ = [[w₁₁, w₁₂, w₁₃], [0, 0, 0]]",
                            "∂L/∂x₁₁ = ∂L/∂y₁₁·w₁₁ + ∂L/∂y₁₂·w₁₂ + ∂L/∂y₁₃·w₁₃", "∂L/∂X = (∂L/∂Y) Wᵀ"],
    ("linear-layer", "W"): ["∂L/∂W_ij = Σ_n,k ∂L/∂Y_nk·∂Y_nk/∂W_ij", "= X_ni·1[k = j]"],
    ("softmax-regression", "z"): ["∂L/∂z_i = −1[y = i] + e^z_i/(Σ_c e^z_c)", "= ŷ_i − 1[y = i]"],
    ("logistic-regression", "w"): ["∂L/∂w_i = δ_z·x_i"],
}


@pytest.mark.parametrize("case", SCALAR, ids=" ".join)
def test_scalar_view(case: tuple[str, str]) -> None:
    assert set(SCALAR[case]) <= set(text_lines(step(document(case[0]), case[1])))


@pytest.mark.parametrize("case", MATRIX, ids=" ".join)
def test_matrix_view(case: tuple[str, str]) -> None:
    assert set(MATRIX[case]) <= set(text_lines(step(document(case[0]), case[1])))


@pytest.mark.parametrize("case", JACOBIAN, ids=" ".join)
def test_jacobian_view(case: tuple[str, str]) -> None:
    assert set(JACOBIAN[case]) <= set(text_lines(step(document(case[0], view="jacobian"), case[1])))


@pytest.mark.parametrize("case", INDEX, ids=" ".join)
def test_index_view(case: tuple[str, str]) -> None:
    assert set(INDEX[case]) <= set(text_lines(step(document(case[0], view="index"), case[1])))


NUMBERS = {
    "linear-chain-graph": (2, {"L": "−10"}, {"e": "−2", "c": "5", "a": "−2", "d": "−2", "b": "−4"}),
    "sum-times-z": (2, {"q": "3", "f": "−12"}, {"z": "3", "q": "−4", "x": "−4", "y": "−4"}),
    "sigmoid-circuit": (2, {"d": "1.37", "f": "0.73"}, {
        "f": "1", "d": "−0.53", "u": "−0.53", "n": "−0.20", "s": "0.20", "w0": "−0.20", "x0": "0.39", "w1": "−0.39",
        "x1": "−0.59", "w2": "0.20"}),
    "sigmoid-circuit-gate": (2, {"f": "0.73"}, {"s": "0.20", "w0": "−0.20", "x0": "0.39", "w1": "−0.39", "x1": "−0.59",
                                                "w2": "0.20"}),
    "max-gate": (2, {"m": "2"}, {"z": "2", "w": "0"}),
    "sum-times-max": (2, {"a": "3", "b": "2", "f": "6"}, {"a": "2", "b": "3", "x": "2", "y": "5", "z": "0"}),
    "cube": (2, {"f": "64"}, {"x": "48"}),
    "squared-norm": (3, {"q": "[0.220, 0.260]", "f": "0.116"}, {
        "q": "[0.440, 0.520]", "x": "[−0.112, 0.636]", "W": "⎡0.088  0.176⎤\n⎣0.104  0.208⎦"}),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    """Forward values and gradients at the digits of the lectures."""
    digits, forward, gradients = NUMBERS[name]
    d = derivation(name)
    doc = build_document(d, Options(values=dict(d.model.example), digits=digits))
    shown = {e.name: text(e.value.shown) for e in doc.forward if e.value is not None and e.value.shown is not None}
    assert {k: shown[k] for k in forward} == forward
    found = {s.name: text(s.value.shown) for s in doc.steps if s.value is not None and s.value.shown is not None}
    assert {k: found[k] for k in gradients} == gradients


def test_the_first_two_factors_are_cached_from_the_other_weight() -> None:
    (cached,) = [x for x in step(document("two-weight-tanh"), "w1").lines if x.kind == "cached"]
    assert said(cached.reason) == "cached: step 6; the first 2 factors are shared with dL/dw₂ (step 4)"


def test_the_immediate_partial_says_what_is_held_fixed() -> None:
    local = next(x for x in step(document("two-step-rnn"), "w_e").lines if x.left and text(x.left) == "∂a/∂w_e")
    assert said(local.reason).endswith("; h₁ held fixed")


def test_the_update_rule_follows() -> None:
    updates = [f"{text(u.left)} = {text(u.right)}" for u in document("two-weight-tanh").updates if u.left]
    assert updates == ["w₁_new = w₁_old − η·dL/dw₁", "w₂_new = w₂_old − η·dL/dw₂"]


def test_the_vanishing_gradient_factor() -> None:
    (loop,) = [s for s in document("rnn-lm").steps if s.role == "loop"]
    assert text_lines(loop)[-1] == "∂h[T]/∂h₀ = Π_t diag(1 − hₜ^⊙2) W_hᵀ"


def test_a_model_in_one_line_gets_its_intermediates_named() -> None:
    from tests.render.helpers import build

    doc = build("data x, y\nparam w1, w2\nloss L = 1/2*(y - tanh(w2*tanh(w1*x)))**2")
    assert [e.name for e in doc.forward if e.introduced] == ["z", "h", "z_2", "h_2"]
    assert "dL/dw₁ = −(y − h₂)·(1 − h₂²)·w₂·(1 − h²)·x" in text_lines(step(doc, "w1"))


def test_a_gradient_that_is_written_with_another_follows_it() -> None:
    """∂L/∂V = x (∂L/∂v)ᵀ comes after ∂L/∂v, although the product reads V first."""
    targets = [s.target.name for s in derivation("activations").steps]
    assert targets.index("v") < targets.index("V")
    assert targets.index("c") < targets.index("V_s")


def test_a_convolution_in_index_view() -> None:
    """dW is a correlation, dx the convolution with the flipped kernel: Σ over places that run against each other."""
    doc = document("conv-net", view="index")
    kernel, image = step(doc, "W2"), step(doc, "P1")
    assert any(line.endswith("Σ_n,k,l P₁[n,k+i−1,l+j−1,p]·δ_Z₂[n,k,l,q]") for line in text_lines(kernel))
    assert any(line.endswith("Σ_q,r,m δ_Z₂[s,i+1−q,j+1−r,m]·W₂[q,r,p,m]") for line in text_lines(image))


def test_what_cancels_is_shown_with_the_step_between() -> None:
    between = {"auto": "= −(y·(1 − a₂) + (y − 1)·a₂)", "index": "= −(y·(1 − a₂) + (y − 1)·a₂)"}
    for view, line in between.items():
        assert line in text_lines(step(document("mlp-relu-sigmoid", view=view), "z2"))


def test_the_norm_of_a_matrix_says_which_and_powers_of_arrays_that_they_are_entry_by_entry() -> None:
    def told(model: str) -> str:
        return derivation(model).text(detail="board")

    assert "‖a‖ of a matrix is the root" in told("svm-hinge") and "Frobenius" not in told("squared-norm")
    assert "^⊙2 is taken entry by entry" in told("ner-window") and "entry by entry" not in told("two-step-rnn")
