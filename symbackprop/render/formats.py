"""The formats that derivations are printed in: each is one function here, called with a derivation and the options.

`--format`, ``d.printed(…)`` and the tests read `FORMATS`. What a format needs is imported when it prints, since the
command line asks for the names alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from symbackprop.cycles import uncollected
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.render.options import Options

if TYPE_CHECKING:
    from symbackprop.derive.steps import Derivation
    from symbackprop.render.document import Document

Format = Callable[["Derivation", Options], "str | Iterator[str]"]
FORMATS: dict[str, Format] = {}


def printed(derivation: Derivation, form: str, **options: Any) -> str:
    """The derivation in a format; ``options`` are those of `Options`."""
    return "".join(pieces(derivation, form, **options))


def pieces(derivation: Derivation, form: str, **options: Any) -> Iterator[str]:
    """The same one piece after the other, as they are made: a page may be larger than all that it is made of."""
    if form not in FORMATS:
        raise UsageError(f"no format is called {form!r}; there are {', '.join(FORMATS)}.{did_you_mean(form, FORMATS)}")
    from symbackprop.model.model import nesting_told

    with uncollected(), nesting_told(derivation.model):
        made = FORMATS[form](derivation, Options(**options))
        yield from (made,) if isinstance(made, str) else made


def form(write: Format) -> Format:
    """Makes a function a format of its name."""
    FORMATS[write.__name__] = write
    return write


@form
def text(derivation: Derivation, options: Options) -> str:
    """Plain text with Unicode mathematics."""
    from symbackprop.render.text import to_text

    return to_text(_document(derivation, options))


@form
def latex(derivation: Derivation, options: Options) -> str:
    """A fragment of LaTeX, or a document that compiles."""
    from symbackprop.render.latex import to_latex

    return to_latex(_document(derivation, options), options.standalone)


@form
def beamer(derivation: Derivation, options: Options) -> str:
    """Slides in LaTeX: the derivation of a board, one step an overlay."""
    from symbackprop.render.latex import to_slides

    return to_slides(_document(derivation, replace(options, detail="board")))


@form
def markdown(derivation: Derivation, options: Options) -> str:
    """Markdown with mathematics between dollar signs."""
    from symbackprop.render.markdown import to_markdown

    return to_markdown(_document(derivation, options))


@form
def html(derivation: Derivation, options: Options) -> Iterator[str]:
    """One self-contained page, with the graph."""
    from symbackprop.render.html import derivation_page

    return derivation_page(derivation, options)


@form
def json(derivation: Derivation, options: Options) -> Iterator[str]:
    """The document as data, whole; docs/derivation-json.md describes the schema."""
    from symbackprop.render.json import json_pieces

    return json_pieces(_document(derivation, replace(options, whole=True)))


@form
def ipynb(derivation: Derivation, options: Options) -> str:
    """A notebook: the model, its derivation, its check."""
    from symbackprop.render.notebook import to_notebook

    return to_notebook(_document(derivation, options), derivation.model)


def _document(derivation: Derivation, options: Options) -> Document:
    from symbackprop.render.board import build_document

    return build_document(derivation, options)
