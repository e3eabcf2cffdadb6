"""One call from a derivation to printed text: what the command line and the methods of `Derivation` use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symbackprop.derive.steps import Derivation
from symbackprop.errors import MissingExtra
from symbackprop.render.anatomy import Options, build_document
from symbackprop.render.document import Document
from symbackprop.render.json import to_json
from symbackprop.render.latex import to_latex
from symbackprop.render.markdown import to_markdown
from symbackprop.render.text import to_text

FORMATS: dict[str, Callable[[Document], str]] = {
    "text": to_text,
    "latex": to_latex,
    "markdown": to_markdown,
    "json": to_json,
}


def printed(derivation: Derivation, form: str, **options: Any) -> str:
    """The derivation in a format; ``options`` are those of `anatomy.Options`."""
    if form == "html":
        from symbackprop.render.html import derivation_html

        return derivation_html(derivation, Options(**options))
    return FORMATS[form](build_document(derivation, Options(**options)))


def standalone_latex(derivation: Derivation, **options: Any) -> str:
    """A LaTeX document that compiles."""
    return to_latex(build_document(derivation, Options(**options)), standalone=True)


def summary_latex(derivation: Derivation) -> str:
    """The gradients alone, for a notebook."""
    document = build_document(derivation)
    rows = [rf"{s.symbol.latex} &= {s.lines[-1].right.latex}" for s in document.steps if s.role != "seed" and s.lines]
    return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"


def fragment_html(derivation: Derivation) -> str | None:
    """The derivation in a notebook's cell; None without latex2mathml."""
    from symbackprop.render.html import to_fragment

    try:
        return to_fragment(build_document(derivation))
    except MissingExtra:
        return None
