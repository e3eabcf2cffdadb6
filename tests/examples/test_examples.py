"""The examples train what they say: those on records and digits in full, the slow ones for a few updates."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.sweeps import few_in_ci

pytestmark = pytest.mark.skipif(not all(map(find_spec, ("sklearn", "tqdm"))), reason="needs scikit-learn and tqdm")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """Imports an example by name, its folder on the path."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load(name: str) -> ModuleType:
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    return load


@pytest.mark.parametrize(("name", "least", "epochs"),
                         [("breast_cancer", 0.96, None), ("digits", 0.97, None), ("digits_conv", 0.97, 12)])
def test_held_out_accuracy(example, capsys, monkeypatch, name: str, least: float, epochs: int | None) -> None:
    program = example(name)
    if epochs is not None:
        monkeypatch.setattr(program, "EPOCHS", epochs)
    assert program.main() >= least
    assert "training loss" in capsys.readouterr().out


@pytest.fixture
def short_book(example, monkeypatch, tmp_path):
    """The beginning of the book only."""
    prose = example("prose")
    book = tmp_path / "book.txt"
    book.write_text(prose.BOOK.read_text(encoding="utf-8")[:60_000], encoding="utf-8")
    monkeypatch.setattr(prose, "BOOK", book)
    return prose


def test_the_window_model_beats_the_unigram_model(example, short_book, monkeypatch) -> None:
    program = example("window_language_model")
    monkeypatch.setattr(program, "EPOCHS", 2)
    found, simple = program.main()
    assert found < simple


@pytest.mark.parametrize("name", few_in_ci(["character_rnn", "character_gpt"], 2))
def test_the_character_models_learn(example, short_book, monkeypatch, capsys, name: str) -> None:
    program = example(name)
    monkeypatch.setattr(program, "EPOCHS", 2)
    found, _ = program.main()
    letters = len(short_book.characters().vocabulary)
    assert found < 0.9 * np.log2(letters)
    assert len(capsys.readouterr().out.splitlines()[-1]) > 20


def test_the_turing_machine_learns_and_draws(example, monkeypatch, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    program = example("turing_machine")
    picture = tmp_path / "addressing.png"
    monkeypatch.setattr(program, "UPDATES", 200)
    monkeypatch.setattr(sys, "argv", ["turing_machine.py", str(picture)])
    assert program.main() < 0.6
    assert picture.read_bytes().startswith(b"\x89PNG")
