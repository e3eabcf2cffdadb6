"""Emitted modules pass; with one mistake in their backward function they fail.

A sample of the mistakes is tried with every run of the tests. All of them, in every built-in model, take some minutes:
``MUTANTS=all pytest tests/verify/test_emitted.py``.
"""

from __future__ import annotations

import os
from functools import cache

import pytest

from symbackprop import codegen, load
from symbackprop.model import Model, zoo
from symbackprop.verified import verify_source
from tests.verify.mutate import Slips

SAMPLE = 4
SIZES = {
    "elementwise-relu": {"N": 12},  # 4096 in the lecture
    "neural-turing-machine": {"T": 2, "N": 2, "I": 2, "O": 2, "H": 2, "R": 3, "W": 2},
}
TRIALS = {"neural-turing-machine": 1}


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
    slips = Slips(source)
    count = len(slips.all)
    wanted = count if os.environ.get("MUTANTS") == "all" else 1 if "architecture" in model.tags else SAMPLE
    step = max(1, count // wanted)
    verdicts = {
        str(slip): verify_source(slips.module(slip), model, sizes=SIZES.get(name), trials=TRIALS.get(name)).verdict
        for slip in slips.all[step // 2 :: step]
    }
    assert verdicts and {slip: v for slip, v in verdicts.items() if v != "fail"} == {}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["two-weight-tanh", "sigmoid-circuit", "ffnn-softmax-batch", "activations"])
def test_modules_of_either_precision_pass(name: str, dtype: str) -> None:
    model = load(name)
    report = verify_source(codegen(model, dtype=dtype), model, trials=1)
    assert report.verdict == "pass", report.text()
