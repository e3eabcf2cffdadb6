"""δ ↦ what becomes of it, where the upstream gradient is a value of the forward pass: it is mapped linearly."""

from __future__ import annotations

import pytest

from symbackprop.derive import derive
from symbackprop.model import Model
from tests.render.claims import WRONG
from tests.render.test_strict import found

HEAD = "dim N, D\ndata x: D, X: N x D\nparam W: D x D, V: D x D\n"
MODELS = {
    "vectors": ("h = W @ x\ny = V @ h\nloss L = y @ h", "δ ↦ δ hᵀ"),
    "matrices": ("H = X @ W\nY = H @ V\nloss L = sum(Y * H)", "δ ↦ Hᵀ δ"),
    "a row between": ("h = W @ x\ny = 2 * (V @ h) + x\nloss L = y @ h", "δ ↦ δ hᵀ"),
    "a roll": ("y = x * roll(W @ x, 2)\nloss L = y @ y", "δ ↦ roll(δ, −2)"),
    "a roll the other way": ("y = roll(W, -1, 1) @ x\nloss L = y @ y", "δ ↦ roll(δ, 1, axis 1)"),
    "parts that fill an axis": ("y = x[2:] @ V[2:] * (x[:2] @ V[:2])\nloss L = y @ y", "concat("),
    "a leaf": ("y = outer(x, x) @ V\nloss L = sum(y * outer(x, x))", "δ ↦ (x xᵀ)ᵀ δ"),
}


def test_places_of_single_entries_among_zeros_are_said() -> None:
    page = derive(Model.parse("dim N\nparam w: N\nloss L = w[0]*w[2] + sum((w[1:] - w[:-1])**2)")).text(view="index")
    assert "[i] + 1[i = 2]·w_0" in page and "+ 1[i = 0]·w_2" in page


@pytest.mark.parametrize("name", MODELS)
def test_only_the_upstream_gradient_is_mapped(name: str) -> None:
    source, image = MODELS[name]
    d = derive(Model.parse(HEAD + source))
    assert image in d.text(view="matrix")
    assert not [x for x in found(d) if x.verdict == WRONG]
