"""Names as mathematicians write them."""

from __future__ import annotations

import pytest

from symbackprop.core.maths import Sym
from symbackprop.core.names import text_name
from symbackprop.render.print.latex import latex

CASES = {
    "w2": ("w₂", "w_{2}"),
    "x11": ("x₁₁", "x_{11}"),
    "W_e": ("W_e", "W_{e}"),
    "x_hat": ("x̂", r"\hat{x}"),
    "y_hat1": ("ŷ₁", r"\hat{y}_{1}"),
    "h[t]": ("hₜ", "h_{t}"),
    "h[t-1]": ("hₜ₋₁", "h_{t-1}"),
    "h[0]": ("h₀", "h_{0}"),
    "h[T]": ("h[T]", "h_{T}"),
    "delta": ("δ", r"\delta"),
    "delta_z1": ("δ_z1", r"\delta_{z_{1}}"),
    "Sigma": ("Σ", r"\Sigma"),
    "W_out": ("W_out", r"W_{\mathrm{out}}"),
    "Wq": ("W_q", "W_{q}"),
    "lambda_": ("λ", r"\lambda"),
    "eps": ("ε", r"\varepsilon"),
    "loss": ("loss", r"\mathit{loss}"),
    "w2b_c": ("w2b_c", r"\mathit{w2b\_c}"),
}


@pytest.mark.parametrize("name", CASES)
def test_name(name: str) -> None:
    assert (text_name(name), latex(Sym(name))) == CASES[name]
