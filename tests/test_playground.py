"""What the playground asks is answered as the command line would, in plain data, and without NumPy."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from symbackprop.codegen import codegen
from symbackprop.derive import derive
from symbackprop.model import load, zoo
from symbackprop.playground import JOBS, answer, example, examples, reply

ROOT = Path(__file__).parents[1]
SMALL, LOOP = "two-weight-tanh", "lstm"
HOSTILE = """\
# name: <script>alert(1)</script>
# summary: "><img src=x onerror=alert(2)>
# source: </style><b>&amp;</b>
# note: {{ 7 * 7 }} <svg/onload=alert(3)>
data onload
param w   # <script>alert(4)</script>
notation w = "\\mathbf{w}"
loss L = (onload - w)^2
"""
ALONE = """
import sys
for name in ("numpy", "click", "scipy", "torch", "jax"):
    sys.modules[name] = None
from symbackprop.playground import JOBS, answer, example
for job in JOBS:
    assert answer({"job": job, "text": example("lstm")})["ok"], job
"""


def result(job: str, text: str, **options: Any) -> dict[str, Any]:
    told = json.loads(reply(json.dumps({"job": job, "text": text, "options": options})))
    assert told["ok"], told
    return dict(told["result"])


def error(text: str, job: str = "derivation", **options: Any) -> dict[str, Any]:
    told = answer({"job": job, "text": text, "options": options})
    assert told["ok"] is False
    return dict(told["error"])


def test_nothing_but_sympy_and_jinja_is_needed() -> None:
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", [SMALL, LOOP])
def test_what_is_printed_is_what_the_command_line_prints_whatever_was_asked_before(name: str) -> None:
    text, fresh = example(name), derive(load(name))
    for job in JOBS:
        result(job, text)
    for form in ("text", "latex", "markdown"):
        assert result("printed", text, form=form, detail="brief")["text"] == fresh.printed(form, detail="brief")
    module = result("module", text)
    assert (module["text"], module["file"]) == (codegen(load(name)), f"{name.replace('-', '_')}.py")
    assert "import torch" in result("module", text, target="torch")["text"]
    assert result("graph", text)["html"].startswith("<svg")


@pytest.mark.parametrize(("detail", "steps", "boards"), [("board", 0, 1), ("brief", 1, 0), ("full", 1, 0)])
def test_the_derivation_comes_in_three_lengths(detail: str, steps: int, boards: int) -> None:
    html = result("derivation", example(SMALL), detail=detail)["html"]
    assert (html.count('<div class="steps">'), html.count('<div class="board">')) == (steps, boards)
    anchors = set(re.findall(r' id="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= anchors and "eq-1" in anchors


def test_a_circuit_has_numbers_that_move() -> None:
    first, text = result("graph", example("sum-times-max")), example("sum-times-max")
    assert first["leaves"]["y"] == {"shape": [], "entries": [2], "below": None} and len(first["sweep"]) == 9
    moved = result("graph", text, values={"z": [3], "unknown": [4], "x": [1, 2]})
    assert {name: leaf["entries"] for name, leaf in moved["leaves"].items()} == {"x": [1], "y": [2], "z": [3]}
    assert moved["sweep"][-1]["words"].endswith("= 3 · 1 + 3 · 0 = 3")
    keys = set(re.findall(r' data-key="([^"]+)"', moved["html"]))
    assert {stop["key"] for stop in moved["sweep"]} <= keys
    assert result("graph", text, numbers=False)["sweep"] == []


def test_the_graph_of_a_loop_has_numbers_where_they_are_asked_for() -> None:
    assert result("graph", example(LOOP))["leaves"] == {}
    found = result("graph", example(LOOP), numbers=True)
    assert found["leaves"]["words"]["below"] == found["sizes"]["V"] == 3 and found["sizes"]["T"] == 2
    assert any(stop["words"].startswith("∂L/∂U_i = ") for stop in found["sweep"])


def test_the_module_of_an_abstract_function_waits_for_its_definition() -> None:
    text = "function f\ndata x\nparam w\nloss L = (f(w*x))^2\n"
    assert result("module", text) | {"text": None} == result("module", text, define={"f": " "}) | {"text": None}
    assert result("module", text)["functions"] == {"f": ""} and result("module", text)["text"] == ""
    assert "np.tanh" in result("module", text, define={"f": "tanh", "g": "sin"})["text"]
    assert "tanhh" in error(text, "module", define={"f": "tanhh"})["message"]


def test_an_error_says_where_it_stands() -> None:
    said = error("data x\nparam w\nloss L = w*y + z\n")
    assert (said["kind"], said["line"], said["column"], said["end"]) == ("name error", 3, 12, 13)
    assert said["shown"][:2] == ["loss L = w*y + z", "           ^"]
    assert said["told"].startswith("model.sbp:3: name error: ")
    assert said["others"] == [] and "<" not in said["message"]


def test_an_error_without_a_place_and_further_errors_are_data_too() -> None:
    assert error("")["line"] == 0
    assert error("param w\nparam w\nloss L = w")["line"] == 2
    several = error("data x\na = x +\nb = x *\nloss L = x")
    assert [several["line"], *[other["line"] for other in several["others"]]] == [2, 3]


@pytest.mark.parametrize(("job", "options"), [
    ("derivatoin", {}), ("derivation", {"detail": "long"}), ("printed", {"form": "pdf"}), ("module", {"target": "c++"}),
    ("module", {"level": "many"}),
])
def test_what_cannot_be_asked_is_told(job: str, options: dict[str, str]) -> None:
    said = error(example(SMALL), job, **options)
    assert said["kind"] == "error" and said["message"]


def test_names_and_comments_stay_text() -> None:
    for job, part in (("derivation", "html"), ("graph", "html")):
        html = result(job, HOSTILE)[part]
        tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z/][^\s>]*)", html)}
        assert not tags & {"script", "img", "style", "b", "svg/onload=alert(3)"}
        assert not re.search(r"<[^>]*\son\w+\s*=", html)


def test_the_page_comes_with_a_derivation_and_no_script_of_its_own() -> None:
    spec = importlib.util.spec_from_file_location("site_builder", ROOT / "scripts" / "playground.py")
    assert spec is not None and spec.loader is not None
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    assert builder.compare_numbers() == ["conv-net", "llama-block", "neural-turing-machine"]
    page = builder.page(is_on_site=False)
    assert 'href="../' in builder.page(is_on_site=True)
    assert '<div class="steps">' in page and "def backward(" in page and "<svg" in page
    assert not re.search(r"<script(?! src)|<style| style=|javascript:", page)
    loaded = re.findall(r'(?:src|href)="([^#"][^"]*)"', page)
    assert loaded == ["data:,", "./playground.css", "./page.js", "./playground.js"]


def test_every_model_is_an_example_that_says_its_name() -> None:
    listed = [model for group in examples() for model in group["models"]]
    assert sorted(model["name"] for model in listed) == [*zoo.names()]
    assert result("derivation", example(LOOP), detail="board")["name"] == LOOP
