"""Model to text to model: the same graph."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from symbackprop.derive import derive
from symbackprop.model import Model, load, to_text, zoo
from tests.model.helpers import described, model_texts

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "60"))


@pytest.mark.parametrize("name", zoo.names())
def test_built_in_models(name: str) -> None:
    model = load(name)
    text = to_text(model)
    again = Model.parse(text)
    assert described(again) == described(model)
    assert to_text(again) == text
    assert (again.name, again.summary, again.source, again.tags, again.example, again.notes) == (
        model.name, model.summary, model.source, model.tags, model.example, model.notes
    )  # fmt: skip


@pytest.mark.parametrize("name", ["two-step-rnn", "window-lm", "max-gate"])
def test_deriving_leaves_the_text_alone(name: str) -> None:
    model = load(name)
    before = to_text(model)
    derive(model)
    assert to_text(model) == before


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model_texts())
def test_random_models(text: str) -> None:
    model = Model.parse(text)
    written = to_text(model)
    again = Model.parse(written)
    assert described(again) == described(model), written
    assert to_text(again) == written
