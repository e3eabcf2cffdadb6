"""The document as one self-contained HTML page, and as a fragment for notebooks.

The page needs no network and no script: a script, allowed by its hash in the page's content security policy, adds the
dark switch, copying, and pointing out where a δ was computed. Mathematics is MathML. Everything that comes from a model
is escaped by Jinja or by the XML writer.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from symbackprop.core.maths import Math, Rounded
from symbackprop.derive.steps import Derivation
from symbackprop.render.board import build_document
from symbackprop.render.descent import POWER
from symbackprop.render.document import ROLES, BoardLine, Document, Line, Prose, Ref, Step, board_lines, listed
from symbackprop.render.graph import picture_of, svg_fragment
from symbackprop.render.options import Options
from symbackprop.render.print.latex import latex
from symbackprop.render.print.mathml import MathmlPrinter, mathml
from symbackprop.render.print.text import text
from symbackprop.resources import templates

NONE = Markup("")
STYLES = ("colours.css", "page.css")  # of every page
BUFFERED = 1000  # pieces of a page that are handed on together


def derivation_html(derivation: Derivation, options: Options | None = None) -> str:
    """The page of a derivation, with its graph."""
    return "".join(derivation_page(derivation, options or Options()))


def derivation_page(derivation: Derivation, options: Options) -> Iterator[str]:
    """The same in pieces. How much is shown can be chosen there: what the options ask for comes first."""
    return stream("derivation.html", scripts=("page.js",), **_whole(derivation, options))


def derivation_section(derivation: Derivation, options: Options | None = None) -> str:
    """What is on that page, for one that has a head, a foot and `page.css` of its own, and no script."""
    return render("section.html", **_whole(derivation, options or Options()))


def _whole(derivation: Derivation, options: Options) -> dict[str, Any]:
    document, board = (build_document(derivation, replace(options, detail=detail)) for detail in ("full", "board"))
    parts = document_parts(document) | {"board": board_rows(board), "detail": options.detail}
    return parts | {"document": document, "whole": True, "graph": Markup(graph_of(derivation, document, options))}


class BoardRow(NamedTuple):
    """A line of a board, finished; the heading of a loop has words alone."""

    depth: int
    heading: Markup = NONE
    left: Markup = NONE
    sign: str = ""
    right: Markup = NONE
    shape: Markup = NONE
    reason: Markup = NONE


def board_rows(board: Document) -> list[BoardRow]:
    """The lines of a board, which lead to equations alone: what they say of steps stands beside them."""
    titles = {k: v for k, v in anchor_titles(board).items() if not k.startswith("step-")}
    inline, display = (MathmlPrinter(titles, large).formulas for large in (False, True))

    def row(x: BoardLine) -> BoardRow:
        if x.line is None:
            return BoardRow(x.depth, prose(x.title, titles, inline))
        left = display(x.line.left) if x.line.left is not None else NONE
        shape = inline(x.shape) if x.shape is not None else NONE
        right, reason = display(x.line.right) + numeric(x.line.number), prose(x.line.reason, titles, inline)
        return BoardRow(x.depth, NONE, left, x.line.sign, right, shape, reason)

    return [*map(row, board_lines(board.steps))]


def to_fragment(document: Document) -> str:
    """The derivation for a notebook's cell: the same mathematics without page, script or links."""
    return render("fragment.html", document=document, whole=False, **document_parts(document, links=False))


def to_live(document: Document) -> str:
    """The derivation for the playground, whose page is around it: a board or steps, whichever the document has."""
    board = board_rows(document) if document.detail == "board" else []
    return render("live.html", document=document, board=board, whole=True, **document_parts(document))


def graph_of(derivation: Derivation, document: Document, options: Options) -> str:
    """The graph with links from its boxes to the lines of the document."""
    picture = picture_of(derivation, options.values, options.sizes, options.digits)
    lines = {d.name: d.anchor for d in document.declarations} | {e.name: e.anchor for e in document.forward}
    steps = {s.name: s.anchor for s in document.steps}
    return svg_fragment(picture, down=True, anchors=lines, steps=steps)


# ---------------------------------------------------------------- templates


def render(name: str, styles: Sequence[str] = STYLES, scripts: Sequence[str] = (), **parts: Any) -> str:
    """A template filled in. Style sheets and scripts come with the hashes that allow them."""
    return "".join(stream(name, styles, scripts, **parts))


def stream(name: str, styles: Sequence[str] = STYLES, scripts: Sequence[str] = (), **parts: Any) -> Iterator[str]:
    """The same in pieces."""
    style, code = Markup("").join(map(asset, styles)), Markup("").join(map(asset, scripts))
    template = _environment().get_template(f"{name}.j2")
    made = template.stream(style=style, script=code, policy=policy(style, code), **parts)
    made.enable_buffering(BUFFERED)
    return made


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates()), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["roles"] = {role: one for role, (one, _) in ROLES.items()}
    return environment


@lru_cache(maxsize=8)
def asset(name: str) -> Markup:
    """A style sheet or script of ours."""
    return Markup((templates() / name).read_text(encoding="utf-8"))


def policy(style: str, script: str) -> str:
    """A content security policy under which nothing runs, loads or styles but what the page brings."""
    scripts = f"'{_digest(script)}'" if script else "'none'"
    styles = f"'{_digest(style)}'"
    return f"default-src 'none'; style-src {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# ---------------------------------------------------------------- what templates call


def document_parts(document: Document, links: bool = True) -> dict[str, Any]:
    """The functions that write a document's mathematics and prose."""
    titles = anchor_titles(document) if links else {}
    inline, display = (MathmlPrinter(titles, large).formulas for large in (False, True))
    return {
        "inline": inline,
        "display": display,
        "prose": lambda parts: prose(parts, titles, inline),
        "titled": lambda parts: prose(parts, titles, display),
        "plain": plain,
        "spelled": text,
        "listed": listed,
        "h": text(POWER),
        "numeric": numeric,
        "copied": step_latex,
        "latex_of": line_latex,
        "results": [s for s in document.steps if s.role == "result" and not s.depth],
        "numbers": any(d.value is not None for d in document.declarations),
    }


def anchor_titles(document: Document) -> dict[str, str]:
    """What a reference to each anchor says."""
    titles = {d.anchor: f"given: {text(d.math)}" for d in document.declarations}
    titles |= {e.anchor: f"computed in the forward pass, ({e.number})" for e in document.forward}
    titles |= {r.anchor: f"proved below, (R{r.number})" for r in document.rules}
    return titles | {s.anchor: f"computed in step {s.number}" for s in document.steps}


def prose(parts: Prose, titles: Mapping[str, str], printed: Callable[[Math], Markup]) -> Markup:
    """Running text with mathematics and links."""
    return Markup("".join([_part(p, titles, printed) for p in parts]))


def _part(part: str | Math | Ref, titles: Mapping[str, str], printed: Callable[[Math], Markup]) -> Markup:
    if isinstance(part, Math):
        return printed(part)
    if isinstance(part, Ref) and part.anchor in titles:
        return Markup('<a class="ref" href="#{}" title="{}">{}</a>').format(part.anchor, titles[part.anchor], part.text)
    return escape(part.text if isinstance(part, Ref) else part)


def plain(parts: Prose) -> str:
    """Running text in Unicode, for names that are read aloud."""
    return "".join([p if isinstance(p, str) else p.text if isinstance(p, Ref) else text(p) for p in parts])


def numeric(number: Rounded | None) -> Markup:
    """`` = 0.27`` behind a formula."""
    if number is None:
        return Markup("")
    return Markup('<span class="number"><span class="sign">=</span> {}</span>').format(mathml(number))


def line_latex(line: Line) -> str:
    """An equation, to be copied."""
    return f"{'' if line.left is None else latex(line.left)} {line.sign} {latex(line.right)}".strip()


def step_latex(step: Step) -> str:
    """The lines of a step as an ``align*``, to be copied."""
    rows = [f"  {'' if x.left is None else latex(x.left)} &{x.sign} {latex(x.right)}" for x in step.lines]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
