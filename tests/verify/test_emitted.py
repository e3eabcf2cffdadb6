"""Emitted modules pass; with one mistake anywhere in them they fail.

A sample of the mistakes, with a fixed seed, is tried with every run of the tests; `scripts/mutants.py` tries them all.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from symbackprop import codegen, load
from symbackprop.model import Model, zoo
from symbackprop.verified import verify_source
from tests.sweeps import few_in_ci
from tests.verify.mutation import CRASHED, SIZES, SURVIVED, subjects

SAMPLE, SEED = 6, 0


@cache
def emitted(name: str) -> tuple[Model, str]:
    model = load(name)
    return model, codegen(model, verify=False)  # it is verified below


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 5, 1))
def test_every_built_in_model_passes(name: str) -> None:
    model, source = emitted(name)
    report = verify_source(source, model, sizes=SIZES.get(name))
    assert report.verdict == "pass", report.text()
    assert all(g.max_relative_error is not None and g.max_relative_error <= 1e-6 for g in report.gradients)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", few_in_ci(["two-weight-tanh", "autoencoder", "ffnn-softmax-batch", "window-lm"], 2))
def test_a_mistake_anywhere_is_caught(name: str) -> None:
    """Of every part of a module some mistakes; that a workspace for other sizes is refused is not looked at."""
    for subject in subjects([name]):
        chosen = Random(SEED).sample(subject.mutants.all, min(SAMPLE, len(subject.mutants.all)))
        missed = [str(m) for m in chosen if m.place != "buffers" and subject.fate(m) in (SURVIVED, CRASHED)]
        assert not missed, f"{subject.group} of {name}"


def runner() -> ModuleType:
    """`scripts/mutants.py` as a module."""
    spec = importlib.util.spec_from_file_location("mutants_script", Path(__file__).parents[2] / "scripts/mutants.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_an_earlier_run_found_counts_for_the_same_mutants_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    script, path = runner(), tmp_path / "kept.jsonl"
    script.SUBJECTS.update((s.key, s) for s in subjects(["sigmoid-circuit", "two-weight-tanh"]))
    earlier = list(script.tasks(script.distinct_ones(), 8, 0))
    path.write_text("".join(json.dumps([key, ks, ["caught"] * len(ks)]) + "\n" for key, ks in earlier))
    script.SUBJECTS.clear()
    script.SUBJECTS.update((s.key, s) for s in subjects(["two-weight-tanh"]))
    known = script.kept(path, script.distinct_ones())
    assert set(known) == {(key, k) for key, ks in earlier for k in ks if (key, k) in script.distinct_ones()}
    assert {key.split(", ")[0] for key, _ in known} >= {"forward and backward", "initial values", "constants"}
    assert all(", two-weight-tanh, " in key for key, _ in known)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["two-weight-tanh", "sigmoid-circuit", "ffnn-softmax-batch", "activations"])
def test_modules_of_either_precision_pass(name: str, dtype: str) -> None:
    model = load(name)
    report = verify_source(codegen(model, dtype=dtype, verify=False), model, trials=1)
    assert report.verdict == "pass", report.text()
