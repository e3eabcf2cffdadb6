"""The derivations as their lectures write them: the same names, the same factors, in the same order."""

from __future__ import annotations

import pytest

from tests.zoo.helpers import derive, equations

SCALAR = {
    "two-weight-tanh": {
        "dL/do": "−(y − o)",
        "dL/dw₂": "dL/do·do/da·da/dw₂ | −(y − o)·(1 − o²)·h",
        "dL/dw₁": "dL/do·do/da·da/dh·dh/db·db/dw₁ | −(y − o)·(1 − o²)·w₂·(1 − h²)·x",
    },
    "two-step-rnn": {
        "dL/dw_o": "dL/do·do/dw_o | −(y − o)·h₂",
        "dL/dc₂": "dL/do·do/dh₂·dh₂/da·da/dc₂ | −(y − o)·w_o·(1 − h₂²)·w_e",
        "dL/dc₁": "dL/do·do/dh₂·dh₂/da·da/dh₁·dh₁/db·db/dc₁ | −(y − o)·w_o·(1 − h₂²)·w_h·(1 − h₁²)·w_e",
        "dL/dw_e": "dL/do·do/dh₂·dh₂/da·∂a/∂w_e + dL/do·do/dh₂·dh₂/da·da/dh₁·dh₁/db·∂b/∂w_e"
        " | −(y − o)·w_o·(1 − h₂²)·c₂ − (y − o)·w_o·(1 − h₂²)·w_h·(1 − h₁²)·c₁",
        "dL/dw_h": "dL/do·do/dh₂·dh₂/da·∂a/∂w_h + dL/do·do/dh₂·dh₂/da·da/dh₁·dh₁/db·∂b/∂w_h"
        " | −(y − o)·w_o·(1 − h₂²)·h₁ − (y − o)·w_o·(1 − h₂²)·w_h·(1 − h₁²)·h₀",
        "∂a/∂w_e": "c₂",
    },
    "linear-chain-graph": {
        "dL/de": "c",
        "dL/dc": "e",
        "dL/da": "dL/de·de/da | c",
        "dL/dd": "dL/de·de/dd | c",
        "dL/db": "dL/de·de/dd·dd/db | c·2 | 2c",
    },
    "two-paths": {
        "dO/dc": "dO/dL·dL/dc + dO/dR·dR/dc",
        "dL/dc": "−(y − c·x)·x",
        "dR/dc": "2c",
    },
    "sum-times-z": {"df/df": "1", "df/dz": "q", "df/dq": "z", "df/dy": "df/dq·dq/dy | z", "df/dx": "df/dq·dq/dx | z"},
    "sigmoid-circuit": {
        "df/dd": "−1/d²",
        "du/dn": "u",
        "dn/ds": "−1",
        "df/ds": "df/dd·dd/du·du/dn·dn/ds | (1 − f)·f",
        "df/dw₀": "df/ds·ds/dr·dr/dp·dp/dw₀ | (1 − f)·f·x₀",
        "dp/dw₀": "x₀",
    },
    "sigmoid-circuit-gate": {"df/ds": "f·(1 − f)", "df/dw₁": "df/ds·ds/dw₁ | f·(1 − f)·x₁"},
    "max-gate": {"dL/dz": "dL/dm·dm/dz", "dL/dw": "dL/dm·dm/dw"},
    "sum-times-max": {
        "df/da": "b",
        "df/db": "a",
        "df/dx": "df/da·da/dx | b",
        "df/dy": "df/da·da/dy + df/db·db/dy",
        "df/dz": "df/db·db/dz",
    },
    "square-of-three": {"dz/dx": "dz/dy·dy/dx | 3·2x | 6x"},
    "cube": {"df/dx": "3x²"},
}
MATRIX = {
    "linear-layer": {"∂L/∂X": "∂L/∂Y·∂Y/∂X | (∂L/∂Y) Wᵀ", "∂L/∂W": "∂L/∂Y·∂Y/∂W | Xᵀ (∂L/∂Y)"},
    "squared-norm": {"δ_q": "2q", "∂f/∂W": "∂f/∂q·∂q/∂W | δ_q xᵀ", "∂f/∂x": "∂f/∂q·∂q/∂x | Wᵀ δ_q"},
    "elementwise-relu": {"∂L/∂x": "∂L/∂f ⊙ 1[x > 0]"},
    "logistic-regression": {
        "δ_ŷ": "−(y/ŷ + (y − 1)/(1 − ŷ))",
        "δ_z": "ŷ − y",
        "∂L/∂w": "∂L/∂z·∂z/∂w | δ_z·x",
        "∂L/∂b": "δ_z",
    },
    "logistic-regression-batch": {"δ_z": "(ŷ − y)/N", "∂L/∂w": "Xᵀ δ_z", "∂L/∂b": "Σ_n δ_z[n]"},
    "softmax-regression": {"δ_z": "ŷ − onehot(y)", "∂L/∂W": "∂L/∂z·∂z/∂W | δ_z xᵀ", "∂L/∂b": "δ_z"},
    "mlp-relu-sigmoid": {
        "δ_a₂": "−(y/a₂ + (y − 1)/(1 − a₂))",
        "∂a₂/∂z₂": "a₂·(1 − a₂)",
        "δ_z₂": "∂L/∂a₂·∂a₂/∂z₂ | a₂ − y",
        "∂L/∂W₂": "δ_z₂·a₁",
        "∂L/∂b₂": "δ_z₂",
        "δ_z₁": "δ_a₁ ⊙ 1[z₁ > 0]",
        "∂L/∂W₁": "δ_z₁ xᵀ",
        "∂L/∂b₁": "δ_z₁",
    },
    "ffnn-softmax": {
        "δ_s": "ŷ − onehot(y)",
        "∂L/∂U": "δ_s hᵀ",
        "δ_h": "Uᵀ δ_s",
        "∂h/∂z": "1 − h^⊙2",
        "∂L/∂W": "δ_z xᵀ",
    },
    "ffnn-softmax-relu": {"δ_z": "δ_h ⊙ 1[z > 0]", "∂L/∂W": "δ_z xᵀ", "∂L/∂b": "δ_z"},
    "ffnn-softmax-folded": {"δ_z": "δ_h ⊙ (1 − h^⊙2)", "∂L/∂W": "δ_z x₁ᵀ"},
    "ffnn-softmax-batch": {"δ_s": "(ŷ − onehot(y))/N", "∂L/∂U": "hᵀ δ_s", "∂L/∂W": "Xᵀ δ_z", "∂L/∂b": "Σ_n δ_z[n]"},
    "window-lm": {
        "δ_logits": "o ⊙ (δ_o − (Σ_v (δ_o ⊙ o)[:, v]) 1_Vᵀ)",
        "∂L/∂W₂": "hᵀ δ_logits",
        "∂L/∂W₁": "xᵀ δ_z",
        "∂L/∂C": "∂L/∂c·∂c/∂C | scatter(δ_c, words)",
    },
    "two-layer-net": {"∂L/∂W₂": "(∂L/∂f) hᵀ", "δ_z": "δ_h ⊙ 1[z > 0]", "∂L/∂W₁": "δ_z xᵀ", "∂L/∂x": "W₁ᵀ δ_z"},
    "three-layer-net": {"δ_h₁": "W₂ᵀ δ_z₂", "∂L/∂W₁": "δ_z₁ xᵀ", "∂L/∂W₂": "δ_z₂ h₁ᵀ", "∂L/∂W₃": "(∂L/∂f) h₂ᵀ"},
    "three-layer-net-sigmoid": {"∂h₂/∂z₂": "h₂ ⊙ (1 − h₂)", "δ_z₁": "δ_h₁ ⊙ h₁ ⊙ (1 − h₁)"},
    "activations": {
        "∂a_logistic/∂z_logistic": "a_logistic ⊙ (1 − a_logistic)",
        "∂a_tanh/∂z_tanh": "1 − a_tanh^⊙2",
        "∂a_relu/∂z_relu": "1[z_relu > 0]",
        "∂a_gelu/∂z_gelu": "Φ(z_gelu) + z_gelu ⊙ φ(z_gelu)",
        "∂g/∂z_g": "g ⊙ (1 − g)",
        "∂L/∂v": "∂L/∂GLU ⊙ g",
    },
    "svm-hinge": {"δ_z": "δ_h ⊙ 1[z > 0]"},
    "rnn-lm": {
        "δ_z": "(o − onehot(target))/(T·N)",
        "δ_z_hₜ": "δ_hₜ ⊙ (1 − hₜ^⊙2)",
        "δ_hₜ₋₁^later": "δ_z_hₜ W_hᵀ",
        "∂L/∂W_h": "Σ_t (∂L/∂W_h)_t | Σ_t hₜ₋₁ᵀ δ_z_hₜ",
        "∂L/∂W_e": "Σ_t (∂L/∂W_e)_t | Σ_t cₜᵀ δ_z_hₜ",
    },
}


def missing(text: str, forms: dict[str, str]) -> dict[str, list[str]]:
    """The right sides (parted by bars) that are not printed for their left side in this order, with what is."""
    printed = equations(text)
    return {left: printed.get(left, []) for left, rights in forms.items()
            if not in_order(rights.split(" | "), printed.get(left, []))}


def in_order(wanted: list[str], printed: list[str]) -> bool:
    rest = iter(printed)
    return all(any(right == found for found in rest) for right in wanted)


@pytest.mark.parametrize("name", SCALAR)
def test_scalar_models(name: str) -> None:
    assert missing(derive(name), SCALAR[name]) == {}


@pytest.mark.parametrize("name", MATRIX)
def test_models_of_arrays(name: str) -> None:
    assert missing(derive(name, "--view", "matrix"), MATRIX[name]) == {}


INDEX = {
    "linear-layer": {
        "∂L/∂X_ij": "Σ_n,k ∂L/∂Y_nk·∂Y_nk/∂X_ij | Σ_k (∂L/∂Y)[i,k]·W_jk",
        "∂Y/∂x₁₁": "[[w₁₁, w₁₂, w₁₃], [0, 0, 0]]",
        "∂L/∂x₁₁": "∂L/∂y₁₁·w₁₁ + ∂L/∂y₁₂·w₁₂ + ∂L/∂y₁₃·w₁₃",
        "∂L/∂x₂₂": "∂L/∂y₂₁·w₂₁ + ∂L/∂y₂₂·w₂₂ + ∂L/∂y₂₃·w₂₃",
        "∂L/∂w₂₃": "∂L/∂y₁₃·x₁₂ + ∂L/∂y₂₃·x₂₂",
        "∂L/∂X": "(∂L/∂Y) Wᵀ",
        "∂L/∂W": "Xᵀ (∂L/∂Y)",
    },
    "squared-norm": {"∂f/∂q_i": "2q_i", "∂q_k/∂W_ij": "x_j·1[k = i]", "∂f/∂W_ij": "δ_q[i]·x_j"},
    "logistic-regression": {"∂L/∂z": "∂L/∂ŷ·∂ŷ/∂z | ŷ − y", "∂z/∂w_i": "x_i", "∂L/∂w_i": "∂L/∂z·∂z/∂w_i | δ_z·x_i"},
    "softmax-regression": {"∂L/∂z_i": "ŷ_i − 1[y = i]", "∂L/∂W_ij": "δ_z[i]·x_j"},
}
LAYER = {  # x and W, b, u of s = uᵀ tanh(W x + b)
    "∂s/∂u": "hᵀ",
    "∇_u s": "h",
    "∂s/∂h": "uᵀ",
    "∂h/∂z": "diag(1 − h^⊙2)",
    "∂s/∂z": "∂s/∂h·∂h/∂z | uᵀ·diag(1 − h^⊙2)",
    "∂z/∂x": "W",
    "∂z/∂b": "I",
    "∂s/∂b": "∂s/∂h·∂h/∂z·∂z/∂b | uᵀ·diag(1 − h^⊙2)·I | δ_z",
    "∇_b s": "δ_zᵀ",
    "∂s/∂W": "∂s/∂z·∂z/∂W",
    "∇_W s": "δ_zᵀ xᵀ",
    "∂s/∂x": "∂s/∂h·∂h/∂z·∂z/∂x | δ_z·W",
}


@pytest.mark.parametrize("name", INDEX)
def test_entry_by_entry(name: str) -> None:
    assert missing(derive(name, "--view", "index"), INDEX[name]) == {}


@pytest.mark.parametrize("name", ["ner-window", "jacobians"])
def test_jacobians_first_then_the_shape_convention(name: str) -> None:
    assert missing(derive(name), LAYER) == {}


def test_numerator_layout() -> None:
    """In the Jacobian layout nothing but a matrix, which has no row of its own there, is turned."""
    printed = equations(derive("jacobians", "--layout", "jacobian"))
    assert printed["∂s/∂x"][-1] == "δ_z·W" and [left for left in printed if left.endswith(")ᵀ")] == ["(∂s/∂W)ᵀ"]


def test_delta_is_computed_once() -> None:
    text = derive("ner-window")
    (step,) = [line.split()[1] for line in text.splitlines() if "δ_z = ∂s/∂z" in line]
    assert text.count(f"cached: step {step.rstrip('.')}\n") == 3  # for W, x and b


def test_cached_factors_are_named() -> None:
    text = derive("two-weight-tanh")
    assert "the first 2 factors are shared with dL/dw₂ (step 4)" in text
    assert "w₁_new = w₁_old − η·dL/dw₁" in text and "w₂_new = w₂_old − η·dL/dw₂" in text
    assert "h₁ held fixed" in derive("two-step-rnn")


def test_vanishing_gradient_factor() -> None:
    (factor,) = [line for line in derive("rnn-lm").splitlines() if "∂h[T]/∂h₀" in line]
    assert "= Π_t diag(1 − hₜ^⊙2) W_hᵀ" in factor


ERRATA = {
    "two-weight-tanh": "chain rule of calculus",
    "logistic-regression": "σ(−(w·x + b)) is meant",
    "softmax-regression": "every class needs its own",
    "mlp-relu-sigmoid": "loss.backward() is meant",
    "ner-window": "uᵀ ∘ f′(z) is meant",
    "sum-times-z": "(x + y) z is meant",
    "svm-hinge": "the negative gradient is meant",
    "squared-norm": "the squared norm is meant",
}


@pytest.mark.parametrize("name", ERRATA)
def test_errata_are_printed(name: str) -> None:
    assert ERRATA[name] in derive(name).partition("\nNotes\n")[2]


@pytest.mark.parametrize(("relu0", "stated"), [("0", "0"), ("1", "1"), ("0.5", "½")])
def test_the_convention_at_zero_is_stated(relu0: str, stated: str) -> None:
    assert f"ReLU′(0) = {stated};" in derive("mlp-relu-sigmoid", "--relu0", relu0)


def test_the_lectures_convention_at_zero() -> None:
    assert equations(derive("mlp-relu-sigmoid", "--relu0", "1"))["∂a₁/∂z₁"] == ["1[z₁ ≥ 0]"]
