"""Documents of built-in models, and the golden files they are compared with."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from symbackprop.core.maths import Math
from symbackprop.derive import derive
from symbackprop.derive.steps import Derivation
from symbackprop.model import Model, zoo
from symbackprop.render.board import build_document
from symbackprop.render.document import Document, Prose, Ref, Step
from symbackprop.render.graph import draw
from symbackprop.render.json import to_json
from symbackprop.render.latex import to_latex
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from symbackprop.render.text import to_text
from tests.derive.test_blocks import CATALOGUE

GOLDENS = Path(__file__).parent / "goldens"
VIEWED = {"linear-layer": "index", "squared-norm": "index", "softmax-regression": "index", "mlp-relu-sigmoid": "index",
          "window-lm": "index", "jacobians": "matrix", "ner-window": "matrix", "logistic-regression": "jacobian",
          "two-layer-net": "jacobian", "two-weight-tanh": "index"}
LECTURED: dict[str, Callable[[], str]] = {  # what the lectures show beside a model's derivation
    "squared-norm.descent": lambda: _descended("squared-norm", 0.5),
    "squared-norm.overshooting": lambda: _descended("squared-norm", 6.0),
    "sum-times-z.graph": lambda: draw(zoo.build("sum-times-z"), "text", zoo.build("sum-times-z").example),
    "ner-window.abstract": lambda: _abstract("ner-window"),
    "logistic-regression.index": lambda: to_text(document("logistic-regression", view="index")),
}
PAGED = ("cube", "linear-layer", "rnn-lm")  # numbers, a matrix, a loop: what of JSON and HTML is kept as files


@cache
def built(name: str) -> Model:
    return zoo.build(name)


@cache
def derivation(name: str) -> Derivation:
    return derive(built(name))


@cache
def document(name: str, **options: object) -> Document:
    return build_document(derivation(name), Options(**options))  # type: ignore[arg-type]


def document_with_numbers(name: str, digits: int = 3) -> Document:
    model = derivation(name).model
    return build_document(derivation(name), Options(values=dict(model.example) or None, digits=digits))


def step(doc: Document, name: str) -> Step:
    """The step that finds the whole gradient of ``name``, not what one step of a loop contributes to it."""
    return [s for s in doc.steps if s.name == name][-1]


def text_lines(s: Step) -> list[str]:
    """``left = right`` for every line of a step."""
    return [f"{text(x.left) if x.left is not None else ''} {x.sign} {text(x.right)}".strip() for x in s.lines]


def said(prose: Prose) -> str:
    """Running text in Unicode."""
    return "".join([text(p) if isinstance(p, Math) else p.text if isinstance(p, Ref) else p for p in prose])


def build(source: str) -> Document:
    """The document of a model text."""
    return build_document(derive(Model.parse(source)))


def skeleton(page: str) -> str:
    """A page without its style, script and MathML (which the converter's version decides): structure, words, LaTeX."""
    page = re.sub(r"<(style|script)\b[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    page, count = re.sub(r"sha256-[A-Za-z0-9+/=]+", "sha256", page), 1
    while count:
        page, count = re.subn(r"<math\b(?:(?!<math\b).)*?</math>", "∎", page, flags=re.DOTALL)
    return page


def _descended(name: str, rate: float) -> str:
    """A board in numbers, with three steps of gradient descent."""
    options = Options(detail="board", values=zoo.build(name).example, lr=rate, steps=3)
    return to_text(build_document(derivation(name), options))


def _abstract(name: str) -> str:
    """The board of a built-in model whose activation is left open."""
    lines = zoo.text(name).replace("tanh(", "f(").splitlines()
    model = Model.parse("\n".join(["function f", *lines]), name=name)
    return to_text(build_document(derive(model), Options(view="jacobian", detail="board")))


TWICE = ("logistic", "quadratic", "ridge", "softmax", "factors", "logdet", "gaussian", "poisson", "network",
         "symmetric", "one-softmax", "several")


CURVED = ("factors", "network")


def twice(name: str) -> tuple[str, str]:
    """A model of the catalogue of Hessians, derived twice: the long form, and the board in LaTeX."""
    d = derive(Model.parse(CATALOGUE[name], name=name), order=2)
    return d.text(), d.latex(detail="board")


def curved(name: str) -> str:
    """The Gauss–Newton matrix of one, as text."""
    return derive(Model.parse(CATALOGUE[name], name=name), ggn=True).text()


def golden_files() -> dict[str, str]:
    """Every golden file's name and what it should hold: text with the model's numbers, LaTeX without, the board, other
    views, and JSON and the skeleton of the HTML page for a few. The Markdown pages are kept in docs/derivations; the
    JSON of every model is held to its schema, every page to what makes it sound."""
    files: dict[str, str] = {}
    for name in zoo.names():
        files[f"{name}.txt"] = to_text(document_with_numbers(name))
        files[f"{name}.tex"] = to_latex(document(name))
        files[f"{name}.board.txt"] = to_text(document(name, detail="board"))
    for name in PAGED:
        files[f"{name}.json"] = to_json(document_with_numbers(name))
        files[f"{name}.html"] = skeleton(derivation(name).html())
    for name, view in VIEWED.items():
        files[f"{name}.{view}.txt"] = to_text(document(name, view=view))
    for name, write in LECTURED.items():
        files[f"{name}.txt"] = write()
    for name in TWICE:
        files[f"hessian-{name}.txt"], files[f"hessian-{name}.board.tex"] = twice(name)
    files |= {f"ggn-{name}.txt": curved(name) for name in CURVED}
    return files
