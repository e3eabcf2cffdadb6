"""Copies of models, whose loops are written out."""

from __future__ import annotations

import pytest

from symbackprop.derive import derive
from symbackprop.grade.equality import same
from symbackprop.grade.points import Points
from symbackprop.model.copying import loop_dimensions
from symbackprop.model.zoo import build
from symbackprop.verify.interpreter import evaluate
from tests.grade.helpers import SMALL, reference


@pytest.mark.parametrize("name", SMALL)
def test_a_copy_has_the_gradients_of_its_model(name: str) -> None:
    model = build(name)
    own, copy = derive(model), reference(name)
    at = Points(copy, {}).first(1)[0]
    sizes = {**at.sizes, **dict.fromkeys(loop_dimensions(model), 3)}
    values = {n: at.value(copy.rows[n]) for n in model.leaves()}
    for n, wanted in zip(own.gradients, evaluate(list(own.gradients.values()), values, sizes), strict=True):
        assert same(at.value(copy.gradient(copy.rows[n])), wanted), n


def test_grading_leaves_the_model_as_it_is() -> None:
    from symbackprop.grade import grade

    model = build("ffnn-softmax-batch")
    before = (len(model.graph.nodes), dict(model.graph.names))
    grade(model, "ds = y_hat - one_hot(y, C)\ndU = h.T @ ds")
    assert (len(model.graph.nodes), model.graph.names) == before
