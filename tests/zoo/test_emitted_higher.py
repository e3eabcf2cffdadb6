"""Emitted first and second derivatives of every built-in model: against PyTorch for all, against JAX.

CI compares a sample with JAX, whose compiler takes its time. All of them, and all levels:

    SWEEP=all python -m pytest tests/zoo/test_emitted_higher.py
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.model import zoo
from tests.codegen.helpers import run as imported
from tests.codegen.test_kinds import Composition
from tests.sweeps import ALL, few_in_ci
from tests.zoo.helpers import SIZES, as_meant, distance

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

from tests.zoo.oracles import ORACLES  # noqa: E402  (it needs PyTorch)
from tests.zoo.second_order import Second, by_jax, numbers, outputs_of, second_order  # noqa: E402  (it needs JAX)

SAMPLE = ("two-step-rnn", "conv-net", "rnn-lm", "ffnn-softmax-batch", "svm-hinge")
NOT_IN_TORCH = {"svm-hinge"}  # which cannot differentiate its multi_margin_loss twice
IN_JAX = zoo.names() if ALL else SAMPLE
LEVELS = [(n, level) for n in (zoo.names() if ALL else ("rnn-lm", "residual-block", "max-gate")) for level in (0, 2)
          if n not in NOT_IN_TORCH]


@cache
def made(name: str) -> Second:
    return second_order(zoo.build(name))


@cache
def drawn(name: str) -> tuple[dict[str, int], dict[str, Any]]:
    model = made(name).model
    sizes = model.default_sizes(SIZES.get(name))
    return sizes, as_meant(name, numbers(model, sizes))


@cache
def by_torch(name: str) -> dict[str, Any]:
    """G and H of the model as PyTorch's own layers compute it, by differentiating twice."""
    second, (_, at) = made(name), drawn(name)
    tensors = {k: torch.tensor(v, requires_grad=k in second.wrt) for k, v in at.items()}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the others have no second derivative
        found = ORACLES[name](tensors)
        loss = sum((tensors[f"u_{k}"] * v).sum() for k, v in found.items()) if isinstance(found, dict) else found
        rows = [tensors[n] for n in second.wrt]
        first = torch.autograd.grad(loss, rows, create_graph=True)
        along = sum((g * tensors[f"v_{n}"]).sum() for n, g in zip(second.wrt, first, strict=True))
        constant = not along.requires_grad  # L is linear
        products = [None] * len(rows) if constant else torch.autograd.grad(along, rows, allow_unused=True)
    zero = {n: torch.zeros_like(r) for n, r in zip(second.wrt, rows, strict=True)}
    slopes = {f"G_{n}": g for n, g in zip(second.wrt, first, strict=True)}
    curvature = {f"H_{n}": zero[n] if h is None else h for n, h in zip(second.wrt, products, strict=True)}
    return {k: v.detach().numpy() for k, v in (slopes | curvature).items()}


def emitted(name: str, folder: Path, level: int = 1) -> dict[str, Any]:
    return outputs_of(imported(codegen(made(name).model, wrt=[], level=level), folder), drawn(name)[1])


def far(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, float]:
    assert set(expected) == set(found)
    distances = {k: distance(found[k], v) for k, v in expected.items()}
    return {k: d for k, d in distances.items() if d > 1e-9}


@pytest.mark.parametrize("name", few_in_ci([n for n in zoo.names() if n not in NOT_IN_TORCH], 2))
def test_against_torch(name: str, tmp_path: Path) -> None:
    assert far(emitted(name, tmp_path), by_torch(name)) == {}


@pytest.mark.parametrize("name", IN_JAX)
def test_against_jax(name: str, tmp_path: Path) -> None:
    sizes, at = drawn(name)
    assert far(emitted(name, tmp_path), by_jax(made(name), at, sizes)) == {}


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_every_level(name: str, level: int, tmp_path: Path) -> None:
    assert far(emitted(name, tmp_path, level), by_torch(name)) == {}


@pytest.mark.parametrize("name", ["rnn-lm", "conv-net"])
def test_single_precision_stays(name: str, tmp_path: Path) -> None:
    module = imported(codegen(made(name).model, wrt=[]), tmp_path)
    at = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in drawn(name)[1].items()}
    found = outputs_of(module, at)
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}
    assert max(distance(found[k], v) for k, v in by_torch(name).items()) < 1e-4


def test_a_row_that_repeats_one_is_not_that_one() -> None:
    """Sums of the same terms over other letters: y[1] in every row, and its sum."""
    steps = [("row", (17, 8, 11), False), ("abs", (21, 32, 29), False), ("cumsum", (21, 35, 39), False),
             ("rows", (10, 28, 27), True), ("mean", (3, 7, 8), False)]
    assert "G_x" in codegen(second_order(Composition(steps).model()).model)
