"""The page, the sheet and its key as texts, and the command that makes them."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from symbackprop.exercise import exercise
from symbackprop.model import Model
from tests.exercise.helpers import asked, data, of
from tests.render.test_html import Page

RULE = r"\rule[-2pt]{7cm}"


def run(*args: str) -> Result:
    return CliRunner().invoke(load_cli().cli, args, prog_name="symbackprop")


@pytest.mark.parametrize("name", ["two-weight-tanh", "rnn-lm"])
@pytest.mark.parametrize("difficulty", ["easy", "hard"])
def test_the_page_is_whole_and_needs_nothing_else(name: str, difficulty: str) -> None:
    made = asked(name, difficulty)
    text = made.html()
    page = Page(text)
    assert len(text) < 500_000
    assert page.tags["form"] == len(made.blanks) == text.count('class="answer"')
    assert {x[1:] for x in page.links} <= set(page.ids) and len(set(page.ids)) == len(page.ids)
    assert "default-src 'none'" in unescape(text) and "connect-src" not in text
    outside = [value for tag, key, value in page.attributes if key in ("src", "srcset", "action") or "//" in value]
    assert [x for x in outside if not x.startswith("http://www.w3.org/1998/Math")] == []


def test_what_a_model_says_stays_text() -> None:
    model = Model("</script><script>alert(1)</script>", summary="<img src=x>", source="</style>")
    model.loss("L", model.param("w") * model.data("onload") ** 2)
    page = Page(exercise(model, difficulty="hard").html())
    assert page.tags["script"] == 2 and not page.tags["img"]


def test_the_sheet_has_lines_to_write_on_and_the_key_has_answers() -> None:
    made = asked("ffnn-softmax-batch", "medium")
    sheet, key = made.latex(), made.latex(key=True)
    assert sheet.count(RULE) == key.count(r"\boxed") == len(made.blanks) and r"\boxed" not in sheet and RULE not in key
    assert sheet.startswith("\\documentclass") and r"\frac{\partial L}{\partial" in sheet
    assert key.replace(r"\boxed", "").count(r"\delta_{") > sheet.count(r"\delta_{")


def test_the_chain_rule_stands_above_a_gradient_unless_it_is_asked_too() -> None:
    one = "data x\nparam w\nz = w*x\nh = tanh(z)\nloss L = h^2"
    chain = r"\frac{\partial L}{\partial h} \cdot \frac{\partial h}{\partial z}"
    assert [of(one, steps="z", difficulty=d).latex().count(chain) for d in ("medium", "hard")] == [1, 0]


def test_the_command_writes_what_the_ending_says(tmp_path: Path) -> None:
    for name, begins in (("a.html", "<!DOCTYPE html>"), ("a.tex", "\\documentclass")):
        assert run("exercise", "two-weight-tanh", "-o", str(tmp_path / name)).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").lstrip().startswith(begins)
    shown = run("exercise", "two-weight-tanh", "--format", "latex", "--key", "--steps", "w1", "--seed", "5")
    assert shown.exit_code == 0 and shown.stdout.count(r"\boxed") == 1 and "seed 5" in shown.stdout


@pytest.mark.parametrize("args", [["--key"], ["--difficulty", "hardd"], ["--steps", "q"], ["-o", "a.csv"]])
def test_a_wrong_call_is_told(args: list[str]) -> None:
    found = run("exercise", "two-weight-tanh", *args)
    assert found.exit_code == 2 and "error:" in found.stderr


def test_easy_data_says_what_it_is_of() -> None:
    found = json.loads(data(asked("rnn-lm", "easy", "3", 7)))
    assert (found["model"], found["seed"], found["difficulty"], found["dims"]) == ("rnn-lm", 7, "easy", {"T": 2})
    assert [q["number"] for q in found["questions"]] == [1, 2, 3]
