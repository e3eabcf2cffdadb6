"""Whole numbers that a text lists are places in an array, as in NumPy: labels, ``y = np.array([0, 2, 1])``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop import codegen
from symbackprop.errors import ShapeError
from symbackprop.model import Model
from tests.core.helpers import value

SHAPES = {"X": (4, 3), "w": (3,)}


def log_softmax(x: Any) -> Any:
    return x - np.log(np.exp(x).sum(1, keepdims=True))


@pytest.mark.parametrize(("lines", "computed"), [
    ("y = torch.tensor([0, 2, 1, 1])\nloss L = F.cross_entropy(X, y)",
     lambda X, w: -log_softmax(X)[np.arange(4), [0, 2, 1, 1]].mean()),
    ("y = np.array([0, 2, 1, 1])\nloss L = -np.mean(log_softmax(X)[np.arange(4), y])",
     lambda X, w: -log_softmax(X)[np.arange(4), [0, 2, 1, 1]].mean()),
    ("k = np.array([2, 0, 2])\nloss L = np.sum(w[k]**2)", lambda X, w: (w[[2, 0, 2]] ** 2).sum()),
    ("k = np.array([[2, 0], [1, 1]])\nloss L = np.sum(w[k][0]) * w[1]", lambda X, w: (w[2] + w[0]) * w[1]),
    ("k = np.array([2, 1, 3])\nloss L = np.sum(w/k + k/2*w + k**-1*w) + np.std(k)*w[0]",
     lambda X, w: (w / [2, 1, 3] + np.array([1, 0.5, 1.5]) * w + w / [2, 1, 3]).sum() + np.std([2, 1, 3]) * w[0]),
    ("def f(x, *, k=2):\n    return x**k\nloss L = np.sum(f(w, k=3))", lambda X, w: (w**3).sum()),
])
def test_listed_numbers_are_places_and_numbers(lines: str, computed: Any) -> None:
    model, rng = Model.parse("param X: 4 x 3, w: 3\n" + lines), np.random.default_rng(0)
    given = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    assert model.loss_row is not None
    found = value(model.loss_row, **{name: given[name] for name in model.leaves()})
    np.testing.assert_allclose(found, computed(**given), rtol=1e-12)
    codegen(model)  # verified


@pytest.mark.parametrize("places", ["[0, 3]", "[0, -1]"])
def test_places_that_an_array_does_not_have(places: str) -> None:
    with pytest.raises(ShapeError, match="places count from 0"):
        Model.parse(f"param w: 3\ny = np.array({places})\nloss L = sum(w[y])")


@pytest.mark.parametrize("numbers", ["[0.5, 1]", "[0.0, 1.5]"])
def test_other_numbers_are_none(numbers: str) -> None:
    with pytest.raises(ShapeError, match="not integer data"):
        Model.parse(f"param w: 3\ny = np.array({numbers})\nloss L = sum(w[y])")
