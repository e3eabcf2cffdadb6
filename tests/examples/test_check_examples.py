"""The examples of `check`: the wrong backward is explained, the right one passes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAYS = {
    "check_layer_norm": "the branch through mu is missing",
    "check_assignment": "the factor 1/N is missing",
    "check_kernel": "dy stands where dy * g belongs",
    "check_conic": "the term dB is twice what it should be",
    "check_autograd_function": "1 - sigmoid(e) is needed, not its complement: you have sigmoid(e)**2",
}


def test_every_such_program_is_here() -> None:
    assert {p.stem for p in EXAMPLES.glob("check_*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_what_is_wrong_is_said(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "check_autograd_function":
        pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sys.modules.pop(name, None)
    assert importlib.import_module(name).main() is True
    printed = capsys.readouterr().out
    assert SAYS[name] in printed and ": pass – " in printed
