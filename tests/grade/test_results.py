"""What a page of exercises saves, graded for a class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symbackprop.errors import SyntaxProblem
from symbackprop.grade import Grader, grade_path
from symbackprop.grade.results import FORMAT, is_result
from symbackprop.model import load

ANSWERS = {"da": "do*(1-o^2)", "do/da": "1 - a^2", "dw1": "db*x"}


def saved(answers: dict[str, str], model: str = "two-weight-tanh", shown: str = "", **more: Any) -> str:
    items = [{"name": n, "given": x, "verdict": "shown" if n == shown else "right", "tries": 1, "hints": 0}
             for n, x in answers.items()]
    return json.dumps({"format": FORMAT, "version": 1, "model": model, "seed": 0, "difficulty": "hard", "dims": {},
                       "student": "Ada", "answers": items} | more)


def graded(text: str, model: str = "two-weight-tanh") -> dict[str, str]:
    return {i.name: i.verdict for i in Grader(load(model)).grade_file(text, "ada.json").required}


def test_only_what_was_asked_counts_and_the_page_is_not_believed() -> None:
    assert graded(saved(ANSWERS)) == {"da": "right", "do/da": "wrong", "dw1": "right"}


def test_what_has_no_answer_or_was_shown_is_missing_and_what_follows_counts() -> None:
    assert graded(saved({"do": "", "da": "do*(1-o^2)"})) == {"do": "missing", "da": "right"}
    assert graded(saved(ANSWERS, shown="da")) == {"da": "missing", "do/da": "wrong", "dw1": "right"}


def test_loops_are_written_out_as_in_the_page() -> None:
    text = saved({"dh[1]": "dA[2] @ W_h.T + dz[1] @ W_o.T", "db_o": "sum(dz, axis=(0, 1))"}, "rnn-lm", dims={"T": 2})
    assert graded(text, "rnn-lm")["db_o"] == "right"


def test_a_class_of_saved_files(tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_text(saved(ANSWERS), encoding="utf-8")
    (tmp_path / "bob.json").write_text(saved(ANSWERS | {"do/da": "1 - o*o"}), encoding="utf-8")
    (tmp_path / "eve.json").write_text(saved(ANSWERS, "cube"), encoding="utf-8")
    (tmp_path / "old.json").write_text('{"format": "symbackprop-grade"}', encoding="utf-8")
    head, ada, bob, eve = grade_path(Grader(load("two-weight-tanh")), str(tmp_path)).text(2).splitlines()
    assert head == "file,verdict,right,wrong,missing,unreadable,of,da,do/da,dw1,dw2,not read"
    assert ada.startswith("ada.json,wrong,2,1,0,0,3,right,wrong: ")
    assert bob == "bob.json,right,3,0,0,0,3,right,right,right,,"
    assert eve.startswith("eve.json,unreadable,") and "it holds answers to cube, not to two-weight-tanh" in eve


def test_answers_that_a_file_has_lost_are_missing(tmp_path: Path) -> None:
    right = {"da": "do*(1-o^2)", "dw1": "db*x"}
    (tmp_path / "ada.json").write_text(saved(right, steps=3), encoding="utf-8")
    (tmp_path / "bob.json").write_text(saved(right, steps=2), encoding="utf-8")
    _, ada, bob = grade_path(Grader(load("two-weight-tanh")), str(tmp_path)).text(2).splitlines()
    assert ada.startswith("ada.json,wrong,2,0,1,0,3,") and bob.startswith("bob.json,right,2,0,0,0,2,")
    report = Grader(load("two-weight-tanh")).grade_file(saved(right, steps=3), "ada.json")
    assert report.text(1).splitlines()[-1] == "  note: 1 of 3 answers are not in the file"


@pytest.mark.parametrize("text", [saved(ANSWERS, steps=2), saved(ANSWERS, steps=10**6),
                                  saved(ANSWERS).replace('"given"', '"gave"'), saved(ANSWERS, version=2),
                                  saved(ANSWERS, dims=3), saved({"da": "x" * 2000})])
def test_other_files_of_the_format_are_refused(text: str) -> None:
    assert is_result(text)
    with pytest.raises(SyntaxProblem, match="no file of answers"):
        graded(text)


@pytest.mark.parametrize("answers", [{}, {"dq": "1"}, {"dq": ""}])
def test_a_file_that_answers_nothing_is_not_right(answers: dict[str, str]) -> None:
    with pytest.raises(SyntaxProblem, match="nothing of any step of two-weight-tanh"):
        graded(saved(answers))
