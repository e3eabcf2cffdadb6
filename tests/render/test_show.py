"""A model shown as text, LaTeX, model text and JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from symbackprop.model import Model, load, zoo
from symbackprop.render.show import show

KEYS = {
    "name", "summary", "source", "tags", "notes", "warnings", "dims", "functions", "data", "inputs", "params",
    "constants", "equations", "loss", "outputs", "notation", "example", "conventions",
}

TEXT = """\
two-paths: a parameter that reaches the objective through a loss and through a regulariser
source: USC CSCI 544, lecture 8, feed-forward neural nets

data
  x   scalar
  y   scalar

parameters
  c   scalar

constants
  lam   = 0.1

equations
  L = (y - c * x)**2 / 2   scalar
  R = c**2                 scalar
  loss O = L + lam * R     scalar
"""


def test_text() -> None:
    assert show(load("two-paths")) == TEXT


def test_conventions_stand_where_they_occur() -> None:
    text = show(Model.parse("param x, z\nloss L = relu(x) + maximum(x, z)"))
    assert "\nconventions\n  ReLU'(0)              = 0\n" in text
    assert text.endswith("\n  ties of max and min   share the gradient equally\n")
    assert "conventions" not in show(Model.parse("param x\nloss L = tanh(x)"))


def test_text_of_a_batch_model() -> None:
    text = show(load("window-lm", dims={"N": 32}))
    assert "dimensions\n  N = 32, K = 3, V, E, H\n" in text
    assert "words   N x K, integers below V" in text
    assert "loss L = -mean(log(pick(o, y)))   scalar" in text


def test_text_of_a_loop() -> None:
    loop = "for t in 1..T:\n    h[t] = tanh(w * x[t] + h[t-1])\n"
    model = Model.parse(f"dim T, N\ndata x: T x N, h[0]: N\nparam w\n{loop}loss L = sum(h[T])")
    assert "  for t in 1..T:\n      h[t] = tanh(w * x[t] + h[t-1])   N\n  loss L = sum(h[T])" in show(model)
    assert "  h[0]   N\n" in show(model)


def test_warnings_are_shown() -> None:
    assert "its gradient is zero" in show(Model.parse("param w, u\nloss L = w"))


@pytest.mark.parametrize("name", zoo.names())
def test_json(name: str) -> None:
    data = json.loads(show(load(name), "json"))
    assert set(data) == KEYS
    assert data["name"] == name
    assert (data["loss"] is None) == bool(data["outputs"])


def test_json_of_a_model() -> None:
    data = json.loads(show(load("window-lm"), "json"))
    assert data["data"] == [
        {"name": "words", "shape": ["N", "K"], "below": "V", "stated": None},
        {"name": "y", "shape": ["N"], "below": "V", "stated": None},
    ]
    assert data["equations"][0] == {
        "name": "c", "keyword": "let", "formula": "C[words]", "shape": ["N", "K", "E"], "kind": "float", "depth": 0
    }
    assert data["dims"][1] == {"name": "K", "size": 3}
    assert data["loss"] == "L" and data["conventions"] == {"relu0": "0"}


def test_model_text() -> None:
    assert show(load("cube"), "sbp").endswith("input x\nloss f = x**3\n")


@pytest.mark.parametrize("name", ["two-weight-tanh", "window-lm"])
def test_latex(name: str) -> None:
    text = show(load(name), "latex")
    assert text.startswith("\\begin{align*}\n") and text.endswith("\n\\end{align*}\n")
    assert "h &= " in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX engine")
def test_latex_of_every_model_compiles(tmp_path: Path) -> None:
    pages = "\n\n".join(show(load(name), "latex") for name in zoo.names())
    head = "\\documentclass{article}\\usepackage{amsmath,amssymb}\\begin{document}\n"
    (tmp_path / "all.tex").write_text(f"{head}{pages}\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-1500:]
