"""How large the factor that backpropagation through time repeats is, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop import derive
from symbackprop.model import load

SIZES = {"T": 4, "N": 2, "V": 5, "E": 3, "H": 3}


def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    t, n, v, e, h = SIZES.values()
    return {
        "words": rng.integers(v, size=(t, n)),
        "target": rng.integers(v, size=(t, n)),
        "h0": rng.normal(size=(n, h)),
        "C": rng.normal(size=(v, e)),
        "W_e": rng.normal(size=(e, h)),
        "W_h": rng.normal(size=(h, h)),
        "b": rng.normal(size=h),
        "W_o": rng.normal(size=(h, v)),
        "b_o": rng.normal(size=v),
    }


def expected(given: dict[str, np.ndarray]) -> list[float]:
    """Spectral norms of diag(1 − h_t²) W_hᵀ at every step, and of their product, the largest over the batch."""
    h, norms, product = given["h0"], [], None
    for words in given["words"]:
        h = np.tanh(given["C"][words] @ given["W_e"] + h @ given["W_h"] + given["b"])
        jacobians = np.stack([np.diag(1 - row**2) @ given["W_h"].T for row in h])
        product = jacobians if product is None else jacobians @ product
        norms.append(max(np.linalg.norm(j, 2) for j in jacobians))
    return [*norms, max(np.linalg.norm(p, 2) for p in product)]


def test_the_norm_of_every_step_and_of_the_product_is_printed() -> None:
    given = values()
    *each, whole = expected(given)
    text = derive(load("rnn-lm")).text(values=given, digits=6)
    line = next(line for line in text.splitlines() if "‖∂hₜ/∂hₜ₋₁‖" in line)
    assert all(f"{norm:.6f}" in line for norm in each)
    line = next(line for line in text.splitlines() if "/∂h₀‖" in line)
    assert f"{whole:.6f}" in line


def test_without_numbers_only_the_factor_is_printed() -> None:
    text = derive(load("rnn-lm")).text()
    assert "Π_t diag" in text and "‖∂hₜ" not in text


@pytest.mark.parametrize("form", ["latex", "markdown", "to_json"])
def test_other_formats(form: str) -> None:
    assert f"{expected(values())[-1]:.4f}" in getattr(derive(load("rnn-lm")), form)(values=values())
