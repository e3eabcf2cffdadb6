"""The loss and every gradient of every built-in model's module against PyTorch, in double precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from symbackprop.model import zoo
from tests.zoo.helpers import SIZES, Arrays, as_meant, distance, draw, model, module, run

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

from tests.zoo.oracles import ORACLES  # noqa: E402  (it needs PyTorch)

SEEDS = 3

def drawn(name: str, seed: int) -> tuple[Arrays, Arrays]:
    """Parameters and data of a model, in the ranges that they are meant to have."""
    params, data = draw(name, model(name).default_sizes(SIZES.get(name)), seed)
    return params, as_meant(name, data)


def weights(name: str, params: Arrays, data: Arrays) -> Arrays | None:
    """A layer's upstream gradients, drawn for the shapes of its outputs."""
    emitted = module(name)
    if emitted.LOSS is not None:
        return None
    rng = np.random.default_rng(4)
    found = emitted.outputs(params, data)
    return {out: rng.normal(size=np.shape(found[out])) for out in emitted.OUTPUTS}


def ours(name: str, params: Arrays, data: Arrays, upstream: Arrays | None) -> tuple[Arrays, Arrays]:
    alone = upstream is not None and len(upstream) == 1
    return run(name, params, data, next(iter(upstream.values())) if alone else upstream)


def theirs(name: str, given: Mapping[str, Any], wanted: list[str], upstream: Arrays | None) -> tuple[Arrays, Arrays]:
    """Loss or outputs, and gradients, by PyTorch."""
    tensors = {k: torch.tensor(v, requires_grad=k in wanted) for k, v in given.items()}
    found = ORACLES[name](tensors)
    total = found if upstream is None else sum((torch.tensor(upstream[k]) * v).sum() for k, v in found.items())
    results = {module(name).LOSS: found} if upstream is None else found
    slopes = torch.autograd.grad(total, [tensors[k] for k in wanted])
    return {k: v.detach() for k, v in results.items()}, dict(zip(wanted, slopes, strict=True))


def far(found: Arrays, expected: Arrays, tolerance: float) -> dict[str, float]:
    """What differs by more than the tolerance, and by how much."""
    distances = {k: distance(found[k], v) for k, v in expected.items()}
    return {k: d for k, d in distances.items() if d > tolerance}


def test_every_built_in_model_has_an_oracle() -> None:
    assert sorted(ORACLES) == list(zoo.names())


@pytest.mark.parametrize("name", zoo.names())
def test_loss_and_gradients(name: str) -> None:
    wanted = [*model(name).targets()]
    reached = set()
    for seed in range(SEEDS):
        params, data = drawn(name, seed)
        upstream = weights(name, params, data)
        results, grads = ours(name, params, data, upstream)
        expected_results, expected = theirs(name, {**params, **data}, wanted, upstream)
        assert sorted(grads) == sorted(wanted)
        assert far(results, expected_results, 1e-12) == far(grads, expected, 1e-10) == {}
        reached |= {k for k, v in expected.items() if bool(v.any())}
    assert reached == set(wanted), "a gradient that is always zero proves nothing"
