"""What notebooks show, and the example notebook, which runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import symbackprop
from symbackprop import load, tanh, verify
from symbackprop.core.graph import Node
from symbackprop.derive import derive
from symbackprop.grade.grading import Grader
from symbackprop.model import Model
from symbackprop.render.notebook import LARGE, node_lines
from symbackprop.render.print.latex import latex
from tests.render.helpers import derivation

NOTEBOOK = Path(__file__).parents[2] / "examples" / "derivation.ipynb"


def test_expressions() -> None:
    model = load("two-weight-tanh")
    assert model.params["w1"]._repr_latex_() == "$$w_{1}$$"
    assert model.equations["a"]._repr_latex_() == r"$$a = w_{2} \, h$$"
    assert (model.params["w1"] * 3)._repr_latex_() == r"$$3 \, w_{1}$$"
    html = model.equations["a"]._repr_html_()
    assert html is not None and "<math" in html


def test_gradients_are_expressions() -> None:
    shown = derive(load("linear-layer")).gradients["W"]._repr_latex_()
    assert shown == r"$$X^{\top} \, \mathit{dY} \quad (D \times M)$$"


def test_large_expressions_are_cut_into_parts() -> None:
    x: Node = Model("chain").param("x", (3,))
    row = x
    for k in range(200):
        row = tanh(row * (k + 2))
    lines = node_lines(row)
    assert len(lines) > 5 and [latex(x.left) for x in lines[:2] if x.left] == ["t_{1}", "t_{2}"]
    assert max(len(latex(x.right)) for x in lines) < 40 * LARGE


def test_shared_parts_do_not_grow_without_bound() -> None:
    row = Model("shared").param("x")
    for _ in range(60):
        row = tanh(row) * tanh(row + 1)
    assert len(row._repr_latex_()) < 100_000


def test_models() -> None:
    model = load("two-weight-tanh")
    assert model._repr_latex_().startswith("$$\\begin{aligned}\nb &= w_{1} \\, x \\\\\n")
    html = model._repr_html_()
    assert html is not None and type(html) is str
    assert html.startswith("<p><strong>two-weight-tanh</strong>: two weights and two tanh")
    assert "parameters: <math>" in html


def test_loops_are_shown_with_their_bodies() -> None:
    shown = load("rnn-lm")._repr_latex_()
    body = shown.index(r"& \text{for }t = 1, \ldots, T")
    assert body < shown.index(r"\quad h_{t} &= \tanh(") < shown.index(r"h &= \text{all }h_{t}")


def test_every_model_and_derivation_shows_itself(any_model: str) -> None:
    d = derivation(any_model)
    for shown in (d.model, d, *d.gradients.values()):
        assert shown._repr_latex_().startswith("$$")
        html = shown._repr_html_()
        assert html is not None and html.count("<math") >= 1
        assert "<script" not in html and not re.search(r"\sid=", html), "cells of a notebook share one page"


def test_in_a_terminal_a_derivation_is_its_text() -> None:
    d, printed = derivation("two-weight-tanh"), list[str]()
    d._repr_pretty_(SimpleNamespace(text=printed.append), False)
    assert printed == [d.text()]


def test_reports_show_themselves() -> None:
    report = verify(load("logistic-regression"))
    html = report._repr_html_()
    assert "<table>" in html and "<td>w</td>" in html
    latex = report._repr_latex_()
    assert latex.startswith("$$\\begin{array}{lllllll}\n") and latex.count(r"\hline") == 1
    assert r"\hline \text{w} & \text{D} & \text{ok}" in latex


def test_graded_answers_show_themselves() -> None:
    report = Grader(load("two-weight-tanh")).grade("dw2 = -(y-o)*h <b>", "answers")
    html = report._repr_html_()
    assert html.startswith("<pre>two-weight-tanh: ") and "<b>" not in html


def test_a_derivation_is_a_notebook_and_a_cell_of_model_text_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = "param w\nloss L = ln(w)^2"
    cells = json.loads(derive(Model.parse(text)).printed("ipynb"))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["code", "markdown", "code"]
    space: dict[str, Any] = {}
    exec("".join(cells[0]["source"] + ["\n"] + cells[2]["source"]), space)
    assert list(space["model"].params) == ["w"] and "pass" in capsys.readouterr().out
    shell = SimpleNamespace(user_ns={}, register_magic_function=lambda *given: cells.append(given))
    symbackprop.load_ipython_extension(shell)
    magic, *named = cells[-1]
    assert named == ["cell", "sbp"] and magic("net", text).model is shell.user_ns["net"]
    assert magic("", "loss L = q") is None and "ln is read as log" in (told := capsys.readouterr().err)
    assert "error: " in told and "'q' is not declared" in told


@pytest.mark.slow
def test_the_example_notebook_runs() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not c.get("outputs") for c in notebook.cells if c.cell_type == "code"), "it is kept without outputs"
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert not [o for o in shown if o.output_type == "error"]
    kinds = {kind for o in shown for kind in o.get("data", {})}
    assert {"text/html", "text/latex", "image/svg+xml"} <= kinds
