"""Levels of hints, JSON, exit codes, a class's table."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from symbackprop.errors import SyntaxProblem, UsageError
from symbackprop.grade import ClassReport, grade_folder, grade_path, read_answers, table
from symbackprop.grade.mistakes import KINDS
from tests.grade.helpers import grader, item, report

TANH = "two-weight-tanh"
RIGHT = "dw2 = -(y-o)*(1-o^2)*h\ndw1 = -(y-o)*(1-o^2)*w2*(1-h^2)*x\n"
WRONG = "dw2 = -(y-o)*(1-h^2)*h\n"


def run(*args: str, given: str | None = None) -> Result:
    return CliRunner().invoke(load_cli().cli, ["grade", *args], input=given, prog_name="symbackprop")


def test_hints_say_more_level_by_level() -> None:
    found = item(TANH, WRONG, "dw2")
    assert found.hint(0) == "wrong"
    assert found.hint(1) == f"wrong: {KINDS['substitution']}"
    assert found.hint(2) == "wrong: in do/da = 1 - o**2, h stands where o belongs: you have 1 - h**2"
    assert found.hint(3).startswith(found.hint(2)) and found.hint(3).endswith("dw2 = da * h")


@pytest.mark.parametrize(("loss", "shortest"), [
    ("mean(huber(e, 0, 2))", "right is dw = where(abs(e) <= 2, e, 2 * sign(e)) / N"),
    ("mean(where(e > 1, e**2, e))", "right is dw = where(e > 1, 2 * e, 1) / N"),
])
def test_a_function_in_pieces_is_answered_in_its_short_form(loss: str, shortest: str) -> None:
    text = f"dim N\ndata y: N\nparam w: N\ne = w - y\nloss L = {loss}"
    assert item(text, "dw = 3 * e / N", "dw").hint(3).endswith(shortest)


def test_a_missing_answer_is_given_at_the_last_level_only() -> None:
    found = item(TANH, WRONG, "dw1")
    assert [found.hint(k) for k in (0, 1, 2)] == ["missing"] * 3
    assert "dw1 = db * x" in found.hint(3)


def test_an_answer_without_an_explanation_says_so() -> None:
    found = item(TANH, "dw1 = exp(y)*o + x*sin(w2)", "dw1")
    assert found.hint(2) == "wrong: no single mistake explains this answer"


def test_the_documented_keys_of_the_json() -> None:
    data = report(TANH, WRONG).to_json(2)
    assert list(data) == [
        "format", "version", "model", "answers", "verdict", "right", "of", "hints", "gradients", "unread", "notes",
    ]
    assert (data["format"], data["version"], data["verdict"], data["right"], data["of"]) == (
        "symbackprop-grade", 1, "wrong", 0, 2,
    )
    first = data["gradients"][0]
    assert list(first) == [
        "name", "role", "shape", "verdict", "line", "given", "read_as", "equality", "mistake", "hint", "notes",
        "taken_as_given", "answer",
    ]
    assert first["mistake"] == {
        "kind": "substitution",
        "factor": "do/da",
        "expected": "1 - o**2",
        "found": "1 - h**2",
        "says": "in do/da = 1 - o**2, h stands where o belongs: you have 1 - h**2",
        "also": "",
    }
    assert first["answer"] is None and report(TANH, WRONG).to_json(3)["gradients"][0]["answer"][-1] == "dw2 = da * h"
    assert json.loads(report(TANH, WRONG).json(2)) == data


def test_how_a_right_answer_is_known_to_be_right() -> None:
    assert item(TANH, RIGHT, "dw2").equality == "same formula"
    assert item(TANH, "dw2 = h*o - h*y + h*y*o^2 - h*o^3", "dw2").equality == "algebra"
    assert item(TANH, "dw2 = (o-y) sech(a)^2 h", "dw2").equality == "numbers"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    (tmp_path / "ann.sbp").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "bob.txt").write_text(WRONG, encoding="utf-8")
    (tmp_path / "=cy.sbp").write_text("dw2 = foo\n", encoding="utf-8")
    (tmp_path / "dan.sbp").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    return tmp_path


def test_the_table_of_a_class(answers: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(table(grade_folder(grader(TANH), answers)))))
    assert [(r["file"], r["verdict"], r["right"], r["of"]) for r in rows] == [
        ("'=cy.sbp", "unreadable", "0", "2"),
        ("ann.sbp", "right", "2", "2"),
        ("bob.txt", "wrong", "0", "2"),
        ("dan.sbp", "unreadable", "0", "2"),
        ("notes.pdf", "unreadable", "0", "2"),
    ]
    assert rows[-1]["not read"].startswith("files that end in .pdf are not read")
    assert rows[1]["not read"] == "" and all(r["not read"] for r in rows if r["verdict"] == "unreadable")
    assert (rows[2]["dw1"], rows[2]["dw2"], rows[2]["missing"]) == ("missing", "wrong: substitution", "1")


def test_the_json_of_a_class(answers: Path) -> None:
    graded = grade_path(grader(TANH), str(answers))
    assert isinstance(graded, ClassReport) and graded.exit_code == 3
    data = json.loads(graded.json(0))
    assert [r["answers"] for r in data["reports"]] == ["=cy.sbp", "ann.sbp", "bob.txt", "dan.sbp", "notes.pdf"]


def test_folders_and_files_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no answers"):
        grade_folder(grader(TANH), tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        read_answers(tmp_path / "none.sbp")
    (tmp_path / "big.sbp").write_text("#" * 1_000_001, encoding="utf-8")
    with pytest.raises(SyntaxProblem, match="more than 1000000 bytes"):
        read_answers(tmp_path / "big.sbp")


@pytest.mark.parametrize(("lines", "code"), [(RIGHT, 0), (WRONG, 1), ("", 1), ("dw2 = foo\n", 3), ("hello\n", 3)])
def test_exit_codes(tmp_path: Path, lines: str, code: int) -> None:
    path = tmp_path / "a.sbp"
    path.write_text(lines, encoding="utf-8")
    assert run(TANH, str(path)).exit_code == code


def test_the_command(tmp_path: Path, answers: Path) -> None:
    assert run(TANH, "-", given=RIGHT).stdout == f"{TANH}: 2 of 2 right\n  dw2  right\n  dw1  right\n"
    assert "wrong: in do/da = 1 - o**2" in run(TANH, str(answers / "bob.txt")).stdout
    assert "do/da" not in run(TANH, str(answers / "bob.txt"), "--hints", "0").stdout
    assert json.loads(run(TANH, str(answers / "bob.txt"), "--json").stdout)["verdict"] == "wrong"
    result = run(TANH, str(answers), "-o", str(tmp_path / "class.csv"))
    assert result.exit_code == 3 and (tmp_path / "class.csv").read_text(encoding="utf-8").startswith(
        "file,verdict,right"
    )
    assert run(TANH, str(tmp_path / "none")).exit_code == 2


def test_sizes_can_be_given() -> None:
    assert run("linear-layer", "-", "--dim", "N=5", given="dX = dY @ W.T\ndW = X.T @ dY\n").exit_code == 0
