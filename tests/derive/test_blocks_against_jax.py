"""Whole Hessians of the models whose higher derivatives are compared with JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop.core.reverse import vjp
from symbackprop.derive.compressed import hessian_of
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close
from tests.core.test_higher import INDEX, MODELS, Jax, jax, numbers, rows_of
from tests.sweeps import few_in_ci

pytestmark = pytest.mark.oracle
WRT = ["W", "b", "V"]


@pytest.mark.parametrize("name", few_in_ci(MODELS, 2))
def test_every_block(name: str) -> None:
    graph, leaves, loss = rows_of(MODELS[name])
    rows, at = [leaves[w] for w in WRT], numbers()
    blocks = hessian_of(vjp([loss], [graph.const(1)], rows), WRT, rows)

    def by_name(given: dict[str, Any]) -> Any:
        return MODELS[name](Jax, at["X"], given["W"], given["b"], given["V"], INDEX)

    want = jax.jit(jax.hessian(by_name))({w: at[w] for w in WRT})
    got = evaluate([block.dense for block in blocks.values()], {**at, "i": INDEX})
    for (a, b), found in zip(blocks, got, strict=True):
        close(found, np.asarray(want[a][b]), 1e-10)
