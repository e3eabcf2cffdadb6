"""verify(model), and the command on models and on files."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import symbackprop
from symbackprop.__main__ import load_cli
from symbackprop.core.functions import mean, tanh
from symbackprop.errors import CheckFailed, UsageError
from symbackprop.verified import is_emitted, verify_source
from tests.verify.helpers import mutant
from tests.verify.modules import MLP, SQUARE

TEXT = "dim N, D\ndata X: N x D, y: N\nparam w: D\np = tanh(X @ w)\nloss L = mean((p - y)**2)\n"


def run(*words: str, **options: Any) -> Result:
    return CliRunner().invoke(load_cli().cli, ["verify", *map(str, words)], **options)


def test_a_model_declared_in_python_verifies() -> None:
    m = symbackprop.Model("regression")
    N, D = m.dims("N D")
    X, y, w = m.data("X", (N, D)), m.data("y", (N,)), m.param("w", (D,))
    m.loss("L", mean((tanh(X @ w) - y) ** 2))
    report = symbackprop.verify(m)
    assert report and report.model == "regression" and report.method == "complex"
    assert symbackprop.verify(m, sizes={"N": 2}, trials=1, method="central", seed=4).sizes[0]["N"] == 2


def test_a_built_in_model_verifies_by_name() -> None:
    assert symbackprop.verify("two-weight-tanh").verdict == "pass"


def test_the_text_of_a_module_is_checked_as_a_file() -> None:
    model = symbackprop.load("two-weight-tanh")
    source = symbackprop.codegen(model)
    assert verify_source(source, model)
    report = verify_source(mutant(source, ("do = -(y - o)", "do = (y - o)")), model)
    assert report.verdict == "fail"
    assert all("ratio -1" in g.cause for g in report.gradients)


def with_a_flipped_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("symbackprop.codegen")
    emit = module.codegen
    monkeypatch.setattr(module, "codegen", lambda *a, **k: emit(*a, **k).replace("do = -(y - o)", "do = (y - o)"))


def test_code_that_fails_its_check_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_flipped_sign(monkeypatch)
    with pytest.raises(CheckFailed, match=r"the gradient of w1, w2 is wrong\n(.|\n)*the sign is flipped"):
        symbackprop.codegen("two-weight-tanh")
    assert "do = (y - o)" in symbackprop.codegen("two-weight-tanh", verify=False)


def test_code_that_could_not_be_checked_is_handed_out_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="could not decide everything"):
        assert "def backward" in symbackprop.codegen("param w\nloss L = log(-exp(w))\n")


@pytest.mark.parametrize("wrt", ["a w", ["w"], [], ["a"]])
def test_code_for_some_gradients_is_checked_for_those(wrt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "def backward" in symbackprop.codegen("param w, v, x\na = w*x\nloss L = v*a**2\n", wrt=wrt)
    with_a_flipped_sign(monkeypatch)
    with pytest.raises(CheckFailed, match="the gradient of w2 is wrong"):
        symbackprop.codegen("two-weight-tanh", wrt="w2")


def test_a_model_may_be_named_or_written_out() -> None:
    text = "param w\nloss L = w**2\n"
    assert [*symbackprop.derive(text).gradients] == ["w"] and symbackprop.verify(text)
    assert [*symbackprop.derive("two-weight-tanh", "w1").gradients] == ["w1"]
    for wrong in ("two-weight-tan", "text", 3, None):
        for function in (symbackprop.derive, symbackprop.codegen, symbackprop.verify):
            with pytest.raises(UsageError):
                function(wrong)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (MLP, True),
        ("from symbackprop import Model\nmodel = Model('m')\n", False),
        ("def model(): pass\n", False),
        ("from nets import model\n", False),
        ("model: object = 3\n", False),
        ("MODEL = 'text'\nmodel = 3\n", True),
        ("x = 1\n", True),
        ("def (", True),
    ],
)
def test_emitted_modules_are_told_from_declarations(tmp_path: Path, source: str, expected: bool) -> None:
    path = tmp_path / "net.py"
    path.write_text(source)
    assert is_emitted(str(path)) is expected
    assert not is_emitted(f"{path}:net") and not is_emitted("mlp") and not is_emitted("net.sbp")


def test_the_command_on_a_module_that_is_right(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(MLP)
    result = run(path, "--seed", "5", "--trials", "3", "--dim", "N=2")
    assert result.exit_code == 0 and result.stderr == f"note: {path} is executed, in a process of its own\n"
    assert result.stdout.startswith("mlp: pass") and "3 random points, seed 5" in result.stdout


def test_the_command_on_a_flipped_sign(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(mutant(MLP, ("dW2 = A1.T", "dW2 = -A1.T")))
    result = run(path)
    assert result.exit_code == 1 and "W2: the sign is flipped" in result.stdout
    data = json.loads(run(path, "--json").stdout)
    assert data["verdict"] == "fail"
    assert [g["name"] for g in data["gradients"] if g["verdict"] == "fail"] == ["W2"]


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("def (", 3, "SyntaxError"),
        ("import nowhere", 3, "ModuleNotFoundError"),
        ("x = 1", 3, "no MODEL"),
        (mutant(SQUARE, ("q = X @ A\nloss", "q = X @ A.T.T.Q\nloss")), 3, "MODEL"),
    ],
)
def test_the_command_on_a_broken_module(tmp_path: Path, source: str, code: int, words: str) -> None:
    path = tmp_path / "net.py"
    path.write_text(source)
    result = run(path)
    assert result.exit_code == code and result.stdout == ""
    assert "\nerror: " in result.stderr and words in result.stderr and "Traceback" not in result.stderr


def test_the_command_on_models(tmp_path: Path) -> None:
    text, declared = tmp_path / "net.sbp", tmp_path / "net.py"
    text.write_text(TEXT)
    declared.write_text(f"from symbackprop import Model\nmodel = Model.parse({TEXT!r})\nother = model\n")
    for target in ("two-weight-tanh", text, declared, f"{declared}:other"):
        assert run(target).exit_code == 0
    assert run("-", input=TEXT).exit_code == 0


def test_what_cannot_be_decided_is_not_passed(tmp_path: Path) -> None:
    text = tmp_path / "net.sbp"
    text.write_text("param w\nloss L = log(-exp(w))\n")
    result = run(text)
    assert result.exit_code == 1 and result.stdout.startswith("net: inconclusive")
    assert "no random inputs were found" in result.stdout


def test_wrong_calls(tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere.py").exit_code == 2
    assert run("two-weight-tanhh").exit_code == 2
    assert run("two-weight-tanh", "--method", "magic").exit_code == 2
    assert run("two-weight-tanh", "--dim", "Q=3").exit_code in (2, 3)


@pytest.mark.parametrize("convention", ["0", "0.5", "1"])
def test_the_convention_at_the_kink_of_relu_is_passed_on(convention: str) -> None:
    assert run("mlp-relu-sigmoid", "--relu0", convention, "--trials", "1").exit_code == 0
