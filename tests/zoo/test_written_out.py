"""A gradient beside its δ form: written out in the letters of the forward pass, as the lectures give it."""

from __future__ import annotations

import pytest

from tests.zoo.helpers import derive, equations

FORMS = {
    "squared-norm": {"∂f/∂W": ["δ_q xᵀ", "2q xᵀ"], "∂f/∂x": ["Wᵀ δ_q", "2Wᵀ q"]},
    "logistic-regression": {"∂L/∂w": ["δ_z·x", "(ŷ − y)·x"], "∂L/∂b": ["δ_z", "ŷ − y"]},
    "logistic-regression-batch": {"∂L/∂w": ["Xᵀ δ_z", "Xᵀ (ŷ − y)/N"], "∂L/∂b": ["Σ_n δ_z[n]", "1/N Σ_n (ŷ_n − y_n)"]},
    "softmax-regression": {"∂L/∂W": ["δ_z xᵀ", "(ŷ − onehot(y)) xᵀ"], "∂L/∂b": ["δ_z", "ŷ − onehot(y)"]},
    "mlp-relu-sigmoid": {"∂L/∂W₂": ["δ_z₂·a₁", "(a₂ − y)·a₁"], "∂L/∂b₂": ["δ_z₂", "a₂ − y"]},
    "ffnn-softmax": {"∂L/∂U": ["δ_s hᵀ", "(ŷ − onehot(y)) hᵀ"]},
}


@pytest.mark.parametrize("name", FORMS)
def test_short_deltas_are_written_out(name: str) -> None:
    printed = equations(derive(name))
    assert {left: printed[left][-2:] for left in FORMS[name]} == FORMS[name]


def test_long_deltas_keep_their_name() -> None:
    """∂L/∂W = δ_z xᵀ with δ_z = δ_h ⊙ (1 − h²): another δ is no letter of the forward pass."""
    assert equations(derive("ffnn-softmax"))["∂L/∂W"][-1] == "δ_z xᵀ"
    assert equations(derive("linear-layer"))["∂L/∂W"][-1] == "Xᵀ (∂L/∂Y)"
