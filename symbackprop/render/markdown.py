"""The document in Markdown whose mathematics GitHub, GitLab and notebooks typeset.

Mathematics stands between dollar signs and uses no command that Markdown would read as an escape (a backslash before a
punctuation mark), so that it survives every renderer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from symbackprop.core.maths import Math, Rounded
from symbackprop.patterns import lazy
from symbackprop.render.descent import POWER
from symbackprop.render.document import (
    ROLES,
    BoardLine,
    Declaration,
    Document,
    Equation,
    Line,
    Prose,
    Ref,
    Row,
    Step,
    board_lines,
    listed,
)
from symbackprop.render.print.latex import LatexPrinter
from symbackprop.render.templates import render


class MarkdownPrinter(LatexPrinter):
    """LaTeX without backslashes before punctuation and without commands that code-hosting sites refuse."""

    dialect: ClassVar = {
        r"\,": r"\thinspace ", r"\!": r"\negthinspace ", r"\;": r"\thickspace ", r",\;": r",\thickspace ",
        r"\_": r"\text{-}", r"\\": r"\cr ", r"\operatorname": r"\mathrm", "|": r"\vert ", "<": r"\lt ", ">": r"\gt ",
    }


SIGNS = {":": r"\colon\enspace", "≈": r"\approx", "⋮": r"\vdots\enspace"}
_PRINTER = MarkdownPrinter()
_SPECIAL = lazy(r"([\\`*_{}\[\]<>#|$~])")


def to_markdown(document: Document) -> str:
    """The whole derivation."""
    if document.detail == "board":
        return render("board.md", **opening(document), rows=[*map(board_row, board_lines(document.steps))])
    return render("derivation.md", **opening(document), **sections(document))


def board_row(x: BoardLine) -> str:
    """A line of a board, its shape before the reason."""
    indent = r"\quad " * x.depth
    if x.line is None:
        return f"{indent}{_upright(x.title)}\\colon"
    return indent + line(replace(x.line, reason=x.reason))


def opening(d: Document) -> dict[str, object]:
    """Finished Markdown of what the long form and a board have in common, by section."""
    return {
        "title": escaped(d.name), "summary": escaped(d.summary),
        "conventions": "; ".join(prose(c) for c in d.conventions), "glossary": [prose(g) for g in d.glossary],
        "given": given(d), "forward": [equation(e) for e in d.forward], "updates": [line(u) for u in d.updates],
        "checks": [line(u) for u in d.checks], "notes": [prose(n) for n in d.notes],
    }


def sections(d: Document) -> dict[str, object]:
    """The same of what the long form alone has."""
    return {
        "source": escaped(d.source), "heading": prose(d.heading), "steps": [step(s) for s in d.steps],
        "table": [row(r) for r in d.table], "costs": prose(d.costs), "rate": inline(d.rate), "h": latex(POWER),
        "rules": [{"number": r.number, "title": r.title, "lines": [line(x) for x in r.lines]} for r in d.rules],
    }


def escaped(text: str) -> str:
    """Running text whose characters mean only themselves."""
    return _SPECIAL.sub(r"\\\1", text)


def latex(m: Math) -> str:
    return _PRINTER(m).text


def inline(m: Math) -> str:
    return f"${latex(m)}$"


def prose(parts: Prose) -> str:
    return "".join(inline(p) if isinstance(p, Math) else p.text if isinstance(p, Ref) else escaped(p) for p in parts)


# -- displays: rows of an aligned environment
def line(x: Line) -> str:
    left = "" if x.left is None else latex(x.left)
    reason = f"& & {_upright(x.reason)}" if x.reason else ""
    return f"{left} & {_sign(x)} {latex(x.right)}{_valued(x.number)} {reason}".strip()


def _sign(x: Line) -> str:
    return SIGNS.get(x.sign, x.sign)


def equation(e: Equation) -> str:
    let = r"\text{let } " if e.introduced else ""
    left = r"\quad " * e.depth + ("" if e.line.left is None else latex(e.line.left))
    if e.line.kind == "loop":
        return rf"\text{{({e.number})}}\quad & \text{{for }} {latex(e.line.right)}\colon"
    shape = f"({latex(e.shape)})" if e.shape is not None else ""
    reason = rf"\enspace {_upright(e.line.reason)}" if e.line.reason else ""
    value = _valued(None if e.line.value is None else e.line.value.shown)
    right = f"{_sign(e.line)} {latex(e.line.right)}{value}"
    return rf"\text{{({e.number})}}\quad {let}{left} & {right} & & {shape}{reason}".strip()


def _upright(parts: Prose) -> str:
    """Prose inside mathematics: words as ``\\text{…}``, no dollar signs."""
    pieces: list[str] = []
    words = ""
    for part in parts:
        if isinstance(part, Math):
            pieces += [_text(words), latex(part)]
            words = ""
        else:
            words += _words(part)
    return "".join([*pieces, _text(words)])


def _text(words: str) -> str:
    return rf"\text{{{words}}}" if words else ""


def _words(part: str | Ref) -> str:
    return (part.text if isinstance(part, Ref) else part).replace("_", " ")


def _valued(number: Rounded | None) -> str:
    return "" if number is None else f" = {latex(number)}"


# -- sections
def given(d: Document) -> list[str]:
    return list(map(_declared, d.declarations))


def _declared(x: Declaration) -> str:
    numbers = r"\mathbb{Z}" if x.whole else r"\mathbb{R}"
    place = rf" \in {numbers}^{{{latex(x.shape)}}}" if x.shape is not None else ""
    said = f" ({prose(x.note)})" if x.note else ""
    return f"{ROLES[x.role][0]} ${latex(x.math)}{place}{_valued(None if x.value is None else x.value.shown)}${said}"


def step(s: Step) -> dict[str, object]:
    shape = f" ({inline(s.shape)})" if s.shape is not None else ""
    path = prose(s.path) if len(s.path) > 1 else ""
    return {"number": s.number, "title": prose(s.title) + shape, "path": path, "lines": [line(x) for x in s.lines]}


def row(r: Row) -> str:
    cells: Sequence[str] = (
        inline(r.parameter), inline(r.gradient), inline(r.shape) if r.shape is not None else "scalar", inline(r.cost),
        prose(listed(r.stores)),
    )
    return f"| {' | '.join(cells)} |"
