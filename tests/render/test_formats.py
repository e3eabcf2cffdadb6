"""The formats: what each must be beyond what its golden files show."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from symbackprop.core.maths import Math, anchors
from symbackprop.derive import derive
from symbackprop.model import Model, zoo
from symbackprop.render.document import Document, Ref
from symbackprop.render.json import to_json
from symbackprop.render.latex import to_latex, to_slides
from symbackprop.render.markdown import to_markdown
from symbackprop.render.text import columns, to_text
from symbackprop.render.views import VIEWS
from tests.render.helpers import document, document_with_numbers
from tests.render.random_models import random_loop, random_model
from tests.sweeps import few_in_ci, sample

TEX = re.compile(r"\\[A-Za-z]+|\$|[_^]\{")  # commands, and what stands below or above in braces
OVERFULL = re.compile(r"Overfull \\hbox \((\d+\.\d+)pt too wide\)(.*)")


def found_by_latex(*names: str) -> bool:
    command = ["kpsewhich", *names]
    return bool(shutil.which("kpsewhich")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_beamer = pytest.mark.skipif(not found_by_latex("beamer.cls", "pgfmath.sty"), reason="no class beamer")
needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def compiled(tmp_path: Path, text: str) -> str:
    """The log of pdflatex on a document, which has to succeed."""
    (tmp_path / "d.tex").write_text(text, encoding="utf-8")
    run = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "d.tex"],
                         cwd=tmp_path, capture_output=True, check=False, timeout=120)
    log = (tmp_path / "d.log").read_text(encoding="utf-8", errors="replace")
    assert run.returncode == 0, log[-3000:]
    return log


def body(text: str) -> str:
    return text.split(r"\begin{document}", 1)[1].rsplit(r"\end{document}", 1)[0]


@pytest.mark.parametrize("view", VIEWS)
def test_text_has_no_latex(view: str) -> None:
    """Of built-in models and of random ones, loops among them."""
    models = [*map(zoo.build, sample(zoo.names(), 6)), *map(random_model, range(5)), *map(random_loop, range(10))]
    fitting = [d for d in map(derive, models) if view != "scalar" or VIEWS[view].suits(d)]
    assert fitting
    for d in fitting:
        assert not TEX.findall(d.text(view=view)), d.model.name


@needs_latex
@pytest.mark.parametrize("numbers", [False, True], ids=["symbols", "numbers"])
def test_every_document_compiles_without_overfull_boxes(tmp_path: Path, numbers: bool) -> None:
    """All models in one run: a document each would take minutes."""
    make = document_with_numbers if numbers else document
    names = [n for n in zoo.names() if not numbers or zoo.build(n).example]
    texts = [to_latex(make(name), standalone=True) for name in names]
    head = texts[0].split(r"\begin{document}", 1)[0]
    whole = head + r"\begin{document}" + "\n".join(map(body, texts)) + r"\end{document}"
    log = compiled(tmp_path, whole)
    assert [m for m in OVERFULL.findall(log) if float(m[0]) > 5] == []


@needs_latex
@pytest.mark.parametrize("view", ["index", "jacobian"])
def test_the_other_views_compile(tmp_path: Path, view: str) -> None:
    names = ("linear-layer", "ner-window", "window-lm", "svm-hinge")
    texts = [to_latex(document(n, view=view), standalone=True) for n in names]
    head = texts[0].split(r"\begin{document}", 1)[0]
    log = compiled(tmp_path, head + r"\begin{document}" + "\n".join(map(body, texts)) + r"\end{document}")
    assert [m for m in OVERFULL.findall(log) if float(m[0]) > 5] == []


@needs_latex
def test_every_board_compiles_without_overfull_boxes(tmp_path: Path) -> None:
    texts = [to_latex(document(n, detail="board"), standalone=True) for n in zoo.names()]
    head = texts[0].split(r"\begin{document}", 1)[0]
    log = compiled(tmp_path, head + r"\begin{document}" + "\n".join(map(body, texts)) + r"\end{document}")
    assert OVERFULL.findall(log) == []


@needs_beamer
def test_slides_compile_and_nothing_leaves_them(tmp_path: Path) -> None:
    texts = [to_slides(document(n, detail="board")) for n in ("two-step-rnn", "rnn-lm", "ner-window", "vae", "lstm")]
    head = texts[0].split(r"\begin{document}", 1)[0]
    log = compiled(tmp_path, head + r"\begin{document}" + "\n".join(map(body, texts)) + r"\end{document}")
    assert "Overfull" not in log


def test_slides_show_one_step_after_the_other() -> None:
    doc = document("two-step-rnn", detail="board")
    assert to_slides(doc).count(r"\uncover<+->") == len(doc.steps) + len(doc.updates)


@needs_latex
def test_mathematics_in_markdown_compiles(tmp_path: Path) -> None:
    """Every display and every formula in running text, as LaTeX reads them; letters in words are MathJax's."""
    texts = [to_markdown(document_with_numbers(n)).encode("ascii", "replace").decode() for n in zoo.names()]
    displays = [d for text in texts for d in re.findall(r"\$\$\n(.*?)\n\$\$", text, re.DOTALL)]
    inline = [m for text in texts for m in re.findall(r"(?<!\$)\$([^$\n]+)\$(?!\$)", text)]
    assert len(displays) > 500 and len(inline) > 1000
    lines = [*(rf"\[{d}\]" for d in displays), *(f"${m}$\n" for m in dict.fromkeys(inline))]
    head = r"\documentclass{article}\usepackage{amsmath,amssymb}\newcommand\lt{<}\newcommand\gt{>}\begin{document}"
    compiled(tmp_path, "\n".join([head, *lines, r"\end{document}"]))


@pytest.mark.parametrize("name", zoo.names())
def test_markdown_is_safe_for_code_hosting_sites(name: str) -> None:
    """No command that a site refuses, no backslash before punctuation in mathematics, displays that Markdown leaves."""
    text = to_markdown(document(name))
    assert r"\operatorname" not in text
    displays = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, re.M | re.S)
    assert text.count("$$") == 2 * len(displays)
    for display in displays:
        assert not re.search(r"\\[^A-Za-z]", display)
        assert not re.search(r"^\s*[-+=#>*]", display, re.M)
        assert "<" not in display and "|" not in display


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
def test_no_mark_is_left_in_any_format(name: str) -> None:
    doc = document(name)
    for text in (to_text(doc), to_latex(doc), to_latex(doc, standalone=True), to_markdown(doc), to_json(doc)):
        assert not re.search("[\ue000-\uf8ff]", text)


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 1))
def test_every_reference_points_to_something(name: str) -> None:
    doc = document(name)
    there = list(doc.anchors())
    assert len(set(there)) == len(there)
    assert set(cited(doc)) <= set(there)


def cited(doc: Document) -> list[str]:
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, Math):
            found.extend(anchors(value))
        elif isinstance(value, Ref):
            found.append(value.anchor)
        elif isinstance(value, tuple):
            for v in value:
                walk(v)
        elif hasattr(value, "__dataclass_fields__"):
            for v in vars(value).values():
                walk(v)

    walk(doc)
    return found


def test_columns_count_combining_characters_as_nothing() -> None:
    assert columns([("x̂", "="), ("xy", "=")]) == ["x̂    =", "xy   ="]


def test_a_line_says_where_its_parts_were_computed() -> None:
    w2 = next(s for s in document("two-weight-tanh").steps if s.name == "w2")
    known = w2.lines[1].left
    assert known is not None and anchors(known) == ("step-3",)


def test_no_transpose_of_a_transpose_is_printed() -> None:
    """In the Jacobian view a gradient of a vector is a row; LaTeX stops at a second superscript."""
    d = derive(Model.parse("""
dim N, D
input x: D, A: N x D
y = A @ x
z = y @ A
loss L = sum(tanh(z)) + z @ x
"""))
    assert "ᵀᵀ" not in d.text(view="jacobian")
    assert r"^{\top}^{\top}" not in d.latex(view="jacobian")
