"""Functions called from Python: what their arguments may be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from symbackprop.errors import ModelError


@pytest.fixture
def z() -> Node:
    return Graph().leaf("z", (3,))


@pytest.mark.parametrize("label", [1, np.int64(1), sp.Integer(1)])
def test_a_number_stands_for_an_array_by_place_and_by_name(z: Node, label: object) -> None:
    calls = (F.cross_entropy(z, label), F.cross_entropy(z, target=label), F.cross_entropy(logits=z, target=label))
    assert {row.id for row in calls} == {F.cross_entropy(z, z.graph.const(1)).id}
    assert F.nll(z, label) is F.nll(z, z.graph.const(1))


@pytest.mark.parametrize("call", [F.solve, F.cross_entropy, F.outer])
@pytest.mark.parametrize("given", ["a", None, {1, 2}, ["a", "b"], object()])
def test_what_is_neither_a_row_nor_a_number_is_refused(z: Node, call: Callable[..., Node], given: object) -> None:
    with pytest.raises(ModelError, match=r"is neither a row nor a number"):
        call(z, given)
