"""Emitted modules pass; with one mistake in their backward function they fail.

A sample of the mistakes is tried with every run of the tests. All of them, in every built-in model, take some minutes:
``MUTANTS=all pytest tests/verify/test_emitted.py``.
"""

from __future__ import annotations

import os
from functools import cache
from itertools import islice

import pytest

from symbackprop import codegen, load
from symbackprop.check import verify_source
from symbackprop.model import Model, zoo
from tests.verify.mutate import mutants

SAMPLE = 4
SIZES = {"elementwise-relu": {"n": 12}}  # 4096 in the lecture


@cache
def emitted(name: str) -> tuple[Model, str]:
    model = load(name)
    return model, codegen(model)


@pytest.mark.parametrize("name", zoo.names())
def test_every_built_in_model_passes(name: str) -> None:
    model, source = emitted(name)
    report = verify_source(source, model, sizes=SIZES.get(name))
    assert report.verdict == "pass", report.text()
    assert all(g.max_relative_error is not None and g.max_relative_error <= 1e-6 for g in report.gradients)


@pytest.mark.parametrize("name", zoo.names())
def test_a_mistake_in_backward_is_caught(name: str) -> None:
    model, source = emitted(name)
    found = list(mutants(source))
    step = 1 if os.environ.get("MUTANTS") == "all" else max(1, len(found) // SAMPLE)
    verdicts = {
        str(mutant): verify_source(mutant.source, model, sizes=SIZES.get(name)).verdict
        for mutant in islice(found, 0, None, step)
    }
    assert verdicts and {m: v for m, v in verdicts.items() if v != "fail"} == {}
