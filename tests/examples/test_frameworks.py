"""The examples with emitted layers in networks of PyTorch and JAX train what they say, in fewer steps."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize(("library", "steps"), [("torch", 40), ("jax", 120)])
def test_an_emitted_layer_learns_in_a_network(library: str, steps: int, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(library)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    program = importlib.import_module(f"train_{library}")
    monkeypatch.setattr(program, "STEPS", steps)
    assert program.main() > 0.8
    said = capsys.readouterr().out.splitlines()[0]
    assert "gradients differ from" in said and float(said.split()[-1]) < 1e-5
