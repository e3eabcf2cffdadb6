"""`symbackprop derive`: options, files, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import cli
from symbackprop import Model, derive, load
from symbackprop.render.formats import pieces

MODEL = "dim N\ndata x: N\nparam w: N\nz = w @ x\nloss L = z**2\n"


def run(*args: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["derive", *args], input=text)


@pytest.mark.parametrize(("form", "start"), [
    ("text", "two-weight-tanh: "), ("latex", r"% For a document"), ("markdown", "# two-weight-tanh"), ("json", "{"),
])
def test_formats(form: str, start: str) -> None:
    result = run("two-weight-tanh", "--format", form)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(start)


@pytest.mark.parametrize("form", ["text", "html", "json"])
def test_a_result_that_comes_in_pieces_is_written_whole_and_ends_in_one_newline(form: str, tmp_path: Path) -> None:
    whole = derive(load("lstm")).printed(form)
    assert run("lstm", "--format", form).stdout == whole.rstrip("\n") + "\n"
    assert run("lstm", "--format", form, "-o", str(tmp_path / "a")).exit_code == 0
    assert (tmp_path / "a").read_text(encoding="utf-8") == whole.rstrip("\n") + "\n"


def test_a_page_is_handed_on_as_it_is_made() -> None:
    layers = "".join(f"h{k + 1} = tanh(w{k}*h{k})\n" for k in range(60))
    params = ", ".join(f"w{k}" for k in range(60))
    model = Model.parse(f"data h0\nparam {params}\n{layers}loss L = h60**2\n", name="layers")
    made = [len(piece) for piece in pieces(derive(model), "html")]
    assert max(made) < sum(made) / 3


@pytest.mark.parametrize(("name", "start"), [
    ("a.txt", "two-weight-tanh: "), ("a", "two-weight-tanh: "), ("a.tex", r"% For a document"),
    ("a.md", "# two-weight"), ("a.HTML", "<!DOCTYPE html>"), ("a.json", "{"),
])
def test_the_name_of_the_file_says_the_format(name: str, start: str, tmp_path: Path) -> None:
    assert run("two-weight-tanh", "-o", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert run("cube", "--format", "markdown", "-o", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("# cube")


def test_a_name_of_no_format_is_refused(tmp_path: Path) -> None:
    result = run("cube", "-o", str(tmp_path / "a.png"))
    assert result.exit_code == 2 and "a .png is none of text, latex" in result.stderr and "graph` can" in result.stderr
    result = run("cube", "-o", str(tmp_path / "a.docx"))
    assert result.exit_code == 2 and ".docx is no known ending; the known ones are .txt, .tex" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_a_page_as_pdf(tmp_path: Path) -> None:
    assert run("cube", "-o", str(tmp_path / "a.pdf")).exit_code == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("cube", "-o", str(tmp_path / "a.pdf"))
    assert (result.exit_code, result.stderr) == (
        4, "error: a .pdf is made by pdflatex, which is not installed; -o can write latex instead\n")
    assert not list(tmp_path.iterdir())


def test_a_standalone_document() -> None:
    result = run("cube", "--format", "latex", "--standalone")
    assert result.stdout.startswith(r"\documentclass")
    assert result.stdout.rstrip().endswith(r"\end{document}")


def test_standalone_is_for_latex() -> None:
    result = run("cube", "--standalone")
    assert result.exit_code == 2
    assert "--standalone is for --format latex" in result.stderr


def test_model_text_from_stdin_and_values() -> None:
    result = run("-", "--at", "x=[1,2],w=[.5,.25]", "--digits", "2", text=MODEL)
    assert result.exit_code == 0, result.output
    assert "z = wᵀ x = 1" in result.stdout
    assert "[2, 4]" in result.stdout


def test_values_from_a_file_and_output_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.sbp").write_text(MODEL)
    (tmp_path / "v.json").write_text(json.dumps({"x": [1, 2], "w": [0.5, 0.25]}))
    out = tmp_path / "out.json"
    result = run(str(tmp_path / "m.sbp"), "--at", str(tmp_path / "v.json"), "--format", "json", "-o", str(out))
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    steps = {s["name"]: s for s in json.loads(out.read_text(encoding="utf-8"))["steps"]}
    assert steps["w"]["value"]["data"] == [2.0, 4.0]


def test_wrt_layout_view_detail_and_sizes() -> None:
    result = run("linear-layer", "--wrt", "X", "--view", "index", "--detail", "brief", "--dim", "N=1,D=1,M=1")
    assert result.exit_code == 0, result.output
    assert "∂L/∂X_ij" in result.stdout and "∂L/∂W" not in result.stdout
    assert "M×D" in run("linear-layer", "--layout", "jacobian").stdout


def test_the_relu_convention() -> None:
    assert "ReLU′(0) = 0.5" in run("elementwise-relu", "--relu0", "0.5").stdout.replace("½", "0.5")


@pytest.mark.parametrize(("args", "code", "message"), [
    (["two-weight-tan"], 2, "two-weight-tanh"),
    (["cube", "--wrt", "z"], 3, "no array 'z'"),
    (["cube", "--at", "x"], 2, "--at"),
    (["cube", "--at", "y=1"], 3, "no data or parameter 'y'"),
    (["two-weight-tanh", "--at", "x=1"], 3, "no value is given for y, w1, w2"),
    (["cube", "--at", "nowhere.json"], 2, "cannot read nowhere.json"),
    (["linear-layer", "--view", "scalar"], 2, "has arrays"),
    (["cube", "--digits", "0"], 2, "digits"),
    (["cube", "--view", "vector"], 2, "vector"),
])
def test_errors(args: list[str], code: int, message: str) -> None:
    result = run(*args)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("typed", "meant"), [("--formt", "--format"), ("--vew", "--view"), ("--check", "")])
def test_an_option_that_is_near_is_offered_and_no_other(typed: str, meant: str) -> None:
    """Click offers --help for --check, which is no option here."""
    said = run("cube", typed).stderr
    assert f"No such option '{typed}'." in said
    assert said.strip().endswith(f"Did you mean '{meant}'?" if meant else f"'{typed}'.")
