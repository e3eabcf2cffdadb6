"""`symbackprop import`: what it writes, and what it says where it cannot."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x, y):
        h = torch.tanh(self.fc1(x))
        return nn.functional.cross_entropy(self.fc2(h), y)


class Random(Net):
    def forward(self, x, y):
        noise = torch.rand_like(x)
        return super().forward(x + noise, y)


ARGS = torch.zeros(5, 4), torch.tensor([0, 1, 2, 0, 1])


def net():
    return Net(), ARGS


def noisy():
    return Random(), ARGS


def named():
    batch = {0: torch.export.Dim("B")}
    return Net(), ARGS, (batch, batch)


alone = Net()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NET, encoding="utf-8")


def run(*args: str) -> Result:
    result = CliRunner().invoke(load_cli().cli, ["import", *args], prog_name="symbackprop")
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def test_without_pytorch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("nets.py:net")
    assert result.exit_code == 4 and "pip install 'symbackprop[torch]'" in result.stderr


@pytest.mark.parametrize("wrong", ["W", "a.b=", "=W", "a.b=2W", "a=ä"])
def test_what_to_rename_is_name_and_name(wrong: str) -> None:
    result = run("nets.py:net", "--rename", wrong)
    assert result.exit_code == 2 and "is not NAME=NAME, as in fc.weight=W" in result.stderr


@pytest.mark.oracle
class TestWithPyTorch:
    @pytest.fixture(autouse=True)
    def torch(self) -> None:
        pytest.importorskip("torch", minversion="2.9")

    def test_writes_text_and_weights(self) -> None:
        import numpy as np

        result = run("nets.py:net", "-o", "net.sbp", "--weights", "w.npz", "--rename", "fc1.weight=A,fc2.bias=c")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        lines = Path("net.sbp").read_text(encoding="utf-8").splitlines()
        assert lines[:4] == ["# name: net", "dim N", "param A: 8 x 4, b1: 8, W2: 3 x 8, c: 3",
                             "data x: N x 4, y: N int < 3"]
        assert {k: v.shape for k, v in np.load("w.npz").items()} == {"A": (8, 4), "b1": (8,), "W2": (3, 8), "c": (3,)}

    def test_axes_have_the_names_of_dynamic_shapes(self) -> None:
        assert "dim B\n" in run("nets.py:named").stdout

    def test_report_lists_operators_and_what_is_refused(self) -> None:
        good, bad = run("nets.py:net", "--report"), run("nets.py:noisy", "--report", "--json")
        assert good.exit_code == 0 and good.stdout.startswith("all of it can be read")
        assert "2  aten.linear" in good.stdout
        found = json.loads(bad.stdout)
        assert bad.exit_code == 3 and found["operators"]["aten.rand_like.default"] == 1
        (refused,) = found["refused"]
        assert refused["op"] == "aten.rand_like.default" and refused["where"].endswith("nets.py:18")
        assert "it is random: draw the numbers outside" in refused["says"]

    @pytest.mark.parametrize(("args", "code", "said"), [
        (["nets.py:noisy"], 3, "nets.py:18: model error: aten.rand_like.default: it is random"),
        (["nets.py:alone"], 2, "nets.py:alone is 'Net': a function that returns (module, args)"),
        (["nets.py:nothing"], 2, "nets.py has no 'nothing'"),
        (["nets"], 2, "'nets' is no FILE.py:NAME"),
        (["nets.py:net", "--rename", "fc1.weigth=A"], 2, "'fc1.weigth' to rename. Did you mean 'fc1.weight'?"),
        (["nets.py:net", "-o", "nets.py"], 2, "nets.py is what the command reads"),
    ])
    def test_what_is_wrong_is_told(self, args: list[str], code: int, said: str) -> None:
        result = run(*args)
        assert result.exit_code == code and said in result.stderr
