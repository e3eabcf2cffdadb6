"""Emitted modules pass; with one mistake anywhere in them they fail.

A sample of the mistakes, with a fixed seed, is tried with every run of the tests; `scripts/mutants.py` tries them all.
"""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

from symbackprop import codegen, load
from symbackprop.model import Model, zoo
from symbackprop.verified import verify_source
from tests.verify.mutation import CRASHED, SIZES, SURVIVED, subjects

SAMPLE, SEED = 12, 0


@cache
def emitted(name: str) -> tuple[Model, str]:
    model = load(name)
    return model, codegen(model, verify=False)  # it is verified below


@pytest.mark.parametrize("name", zoo.names())
def test_every_built_in_model_passes(name: str) -> None:
    model, source = emitted(name)
    report = verify_source(source, model, sizes=SIZES.get(name))
    assert report.verdict == "pass", report.text()
    assert all(g.max_relative_error is not None and g.max_relative_error <= 1e-6 for g in report.gradients)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["two-weight-tanh", "autoencoder", "ffnn-softmax-batch", "window-lm"])
def test_a_mistake_anywhere_is_caught(name: str) -> None:
    """Of every part of a module some mistakes; that a workspace for other sizes is refused is not looked at."""
    for subject in subjects([name]):
        chosen = Random(SEED).sample(subject.mutants.all, min(SAMPLE, len(subject.mutants.all)))
        missed = [str(m) for m in chosen if m.place != "buffers" and subject.fate(m) in (SURVIVED, CRASHED)]
        assert not missed, f"{subject.group} of {name}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["two-weight-tanh", "sigmoid-circuit", "ffnn-softmax-batch", "activations"])
def test_modules_of_either_precision_pass(name: str, dtype: str) -> None:
    model = load(name)
    report = verify_source(codegen(model, dtype=dtype, verify=False), model, trials=1)
    assert report.verdict == "pass", report.text()
