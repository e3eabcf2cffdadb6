"""Functions of a file for JAX that take long: compiled as a whole from the third call of a kind on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symbackprop.apart import child
from symbackprop.apart.child import Answers

pytest.importorskip("jax")
pytestmark = pytest.mark.oracle

FILE = """\
import jax
import jax.numpy as jnp

runs = []

def forward(x, n):
    runs.append(n)
    return jax.lax.scan(lambda c, _: (jnp.sin(c) + n.sum(), None), x, length=3)[0]

def looks(x):
    runs.append(0)
    return x * float(x[0])
"""
X, N = np.array([0.5, 2.0]), np.array([1, 2])


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    path = tmp_path / "looping.py"
    path.write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(child, "SLOW", 0)
    found = Answers(20)
    found._load(path)
    return found


def runs(module: ModuleType) -> int:
    return len(module.runs)


def test_the_third_call_of_a_kind_is_compiled(answers: Answers) -> None:
    found = [answers.call("forward", (X * k, N), {}, "")[0] for k in (1, 2, 3, 4, 5)]
    assert runs(answers.module) == 3  # twice as it stands, and for the compiler
    for k, value in enumerate(found, start=1):
        expected = answers.module.forward(X * k, N)
        np.testing.assert_allclose(np.asarray(value), np.asarray(expected), rtol=1e-6)


def test_other_whole_numbers_are_another_kind(answers: Answers) -> None:
    for k in range(4):
        answers.call("forward", (X, N + k), {}, "")
    assert runs(answers.module) == 4


def test_what_cannot_be_compiled_runs_as_it_stands(answers: Answers) -> None:
    for k in (1, 2, 3, 4, 5):
        found = answers.call("looks", (X * k,), {}, "")[0]
        np.testing.assert_allclose(np.asarray(found), X * k * X[0] * k)
    assert runs(answers.module) == 6  # one attempt of the five


def test_what_was_compiled_is_forgotten_where_memory_gets_short(answers: Answers, monkeypatch: pytest.MonkeyPatch
                                                                ) -> None:
    monkeypatch.setattr(child, "_memory_left", lambda: 0.4)
    jax, cleared = answers.module.jax, list[int]()
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(1))
    answers.call("forward", (X, N), {}, "")
    assert cleared == [1]
