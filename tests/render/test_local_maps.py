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
    "a leaf": ("y = outer(x, x) @ V\nloss L = sum(y * outer(x, x))", "δ ↦ (x xᵀ)ᵀ δ"),
}


@pytest.mark.parametrize("name", MODELS)
def test_only_the_upstream_gradient_is_mapped(name: str) -> None:
    source, image = MODELS[name]
    d = derive(Model.parse(HEAD + source))
    assert image in d.text(view="matrix")
    assert not [x for x in found(d) if x.verdict == WRONG]
