"""Every op and every scalar function gives at every level what it gives at -O1, which tests/codegen/test_registry.py
holds against references and differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.core.registry import Op, Sample
from symbackprop.core.scalars import Scalar
from tests.codegen.helpers import emit
from tests.codegen.targets import OPS, SCALARS, Arrays, Given, of_ops, of_scalars


def results(given: Given, folder: Path, level: int) -> Arrays:
    """Outputs and gradients by name; two calls, the second with whatever is kept from the first."""
    module = emit(given.model, folder, level=level)
    for _ in range(2):
        found, cache = module.forward(given.params, given.data)
        outputs = found if isinstance(found, dict) else {"": found}
        upstream = {n: np.full(np.shape(v), 0.5 + k) for k, (n, v) in enumerate(sorted(outputs.items()))}
        grads = module.backward(cache, upstream if isinstance(found, dict) else upstream[""])
    return {**outputs, **grads}


def agree(given: Given, folder: Path) -> None:
    expected = results(given, folder, 1)
    for level in (0, 2):
        found: dict[str, Any] = results(given, folder, level)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert np.shape(found[name]) == np.shape(value) and found[name].dtype == value.dtype, name
            np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-13, err_msg=f"{name} at -O{level}")


@pytest.mark.parametrize("cases", OPS, ids=lambda some: f"{some[0][0].name} to {some[-1][0].name}")
def test_every_op(cases: list[tuple[Op, Sample]], tmp_path: Path) -> None:
    given = of_ops(cases)
    agree(Given(given.model, given.params, given.data), tmp_path)


@pytest.mark.parametrize("shape", [(3, 4), ()], ids=["matrix", "scalar"])
@pytest.mark.parametrize("records", SCALARS, ids=lambda some: f"{some[0].name} to {some[-1].name}")
def test_every_scalar_function(records: list[Scalar], shape: tuple[int, ...], tmp_path: Path) -> None:
    agree(of_scalars(records, shape), tmp_path)
