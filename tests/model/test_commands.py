"""`symbackprop models` and `symbackprop show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from symbackprop.model import load, to_text, zoo


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(load_cli().cli, args, input=stdin)


def test_models() -> None:
    result = run("models")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(zoo.names())


def test_models_as_json() -> None:
    data = json.loads(run("models", "--json").stdout)
    assert [set(entry) for entry in data] == [{"name", "summary", "source", "tags"}] * len(zoo.names())
    assert isinstance(data[0]["tags"], list)


def test_models_with_a_tag() -> None:
    data = json.loads(run("models", "--tag", "lecture-c", "--json").stdout)
    assert data and all("lecture-c" in entry["tags"] for entry in data)
    result = run("models", "--tag", "lecture-x")
    assert result.exit_code == 2 and "no built-in model has the tag 'lecture-x'" in result.stderr


@pytest.mark.parametrize("form", ["text", "latex", "sbp", "json"])
def test_show(form: str) -> None:
    result = run("show", "two-weight-tanh", "--format", form)
    assert result.exit_code == 0 and "h" in result.stdout


def test_show_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    text = to_text(load("window-lm"))
    (tmp_path / "net.sbp").write_text(text)
    assert run("show", str(tmp_path / "net.sbp"), "--format", "sbp").stdout == text
    assert run("show", "-", "--format", "sbp", stdin=text).stdout == text


def test_show_with_sizes_and_convention() -> None:
    out = run("show", "elementwise-relu", "--dim", "N=9", "--relu0", "0.5", "--format", "sbp").stdout
    assert "convention relu0 = 1 / 2\n" in out and "dim N = 9\n" in out


@pytest.mark.parametrize(
    ("args", "stdin", "code", "message"),
    [
        (["two-wieght-tanh"], None, 2, "Did you mean 'two-weight-tanh'?"),
        (["missing.sbp"], None, 2, "cannot read missing.sbp"),
        (["-"], "param w\nloss L = w @ w", 3, "error: <stdin>:2: shape error: @ needs arrays"),
        (["-"], "", 3, "error: <stdin>: model error: the text is empty"),
        (["linear-layer", "--dim", "Q=3"], None, 3, "linear-layer has no dimension 'Q'; it has N, D, M"),
        (["linear-layer", "--dim", "N=0"], None, 3, "a whole number from 1 to"),
    ],
)
def test_errors(args: list[str], stdin: str | None, code: int, message: str) -> None:
    result = run("show", *args, stdin=stdin)
    assert result.exit_code == code
    assert message in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""
