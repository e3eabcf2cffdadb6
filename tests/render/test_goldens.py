"""Every built-in model's derivation is what it was; `python scripts/goldens.py` accepts new ones."""

from __future__ import annotations

import difflib

import pytest

from symbackprop.model import zoo
from symbackprop.render.json import to_json
from symbackprop.render.latex import to_latex
from symbackprop.render.text import to_text
from tests.render.helpers import (
    CURVED,
    GOLDENS,
    LECTURED,
    PAGED,
    TWICE,
    VIEWED,
    curved,
    derivation,
    document,
    document_with_numbers,
    skeleton,
    twice,
)


def compare(name: str, text: str) -> None:
    expected = (GOLDENS / name).read_text(encoding="utf-8")
    diff = "\n".join(difflib.unified_diff(expected.splitlines(), text.splitlines(), name, "now", lineterm="", n=1))
    assert text == expected, f"{diff[:3000]}\naccept with `python scripts/goldens.py`"


@pytest.mark.parametrize("name", zoo.names())
def test_text(name: str) -> None:
    compare(f"{name}.txt", to_text(document_with_numbers(name)))


@pytest.mark.parametrize("name", zoo.names())
def test_latex(name: str) -> None:
    compare(f"{name}.tex", to_latex(document(name)))


@pytest.mark.parametrize("name", zoo.names())
def test_board(name: str) -> None:
    compare(f"{name}.board.txt", to_text(document(name, detail="board")))


@pytest.mark.parametrize("name", PAGED)
def test_json(name: str) -> None:
    compare(f"{name}.json", to_json(document_with_numbers(name)))


@pytest.mark.parametrize("name", PAGED)
def test_html(name: str) -> None:
    compare(f"{name}.html", skeleton(derivation(name).html()))


@pytest.mark.parametrize(("name", "view"), VIEWED.items())
def test_view(name: str, view: str) -> None:
    compare(f"{name}.{view}.txt", to_text(document(name, view=view)))


@pytest.mark.parametrize("name", LECTURED)
def test_what_lectures_show_beside(name: str) -> None:
    compare(f"{name}.txt", LECTURED[name]())


@pytest.mark.parametrize("name", TWICE)
def test_second_derivatives(name: str) -> None:
    long, board = twice(name)
    compare(f"hessian-{name}.txt", long)
    compare(f"hessian-{name}.board.tex", board)


@pytest.mark.parametrize("name", CURVED)
def test_gauss_newton(name: str) -> None:
    compare(f"ggn-{name}.txt", curved(name))


def test_no_golden_is_left_over() -> None:
    names = {f"{n}.{ending}" for n in zoo.names() for ending in ("txt", "tex", "board.txt")}
    names |= {f"{n}.{ending}" for n in PAGED for ending in ("json", "html")}
    names |= {f"{n}.{view}.txt" for n, view in VIEWED.items()}
    names |= {f"{n}.txt" for n in LECTURED}
    names |= {f"hessian-{n}.{ending}" for n in TWICE for ending in ("txt", "board.tex")}
    names |= {f"ggn-{n}.txt" for n in CURVED}
    assert {p.name for p in GOLDENS.iterdir()} == names


def test_goldens_are_few_enough_to_be_read() -> None:
    assert sum(len(p.read_bytes().splitlines()) for p in GOLDENS.iterdir()) <= 30_000
