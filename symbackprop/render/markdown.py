"""The document in Markdown whose mathematics GitHub, GitLab and notebooks typeset.

Mathematics stands between dollar signs and uses no command that Markdown would read as an escape (a backslash before a
punctuation mark), so that it survives every renderer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symbackprop.render.document import Declaration, Document, Equation, Line, Math, Prose, Ref, Row, Step, Value
from symbackprop.render.templates import render

_PLAIN = {r"\,": r"\thinspace ", r"\!": r"\negthinspace ", r"\;": r"\thickspace ", r"\_": r"\text{-}",
          r"\{": r"\lbrace ", r"\}": r"\rbrace ", r"\\": r"\cr ", r"\ ": r"\enspace "}  # fmt: skip
_PUNCTUATED = re.compile(r"\\[,!;_{}\\ ]")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|$~])")


def to_markdown(document: Document) -> str:
    """The whole derivation."""
    return render("derivation.md", **sections(document))


def sections(d: Document) -> dict[str, object]:
    """Finished Markdown for the template, by section."""
    return {
        "title": escaped(d.name), "summary": escaped(d.summary), "source": escaped(d.source),
        "heading": prose(d.heading), "conventions": "; ".join(prose(c) for c in d.conventions),
        "glossary": [prose(g) for g in d.glossary], "given": given(d), "forward": [equation(e) for e in d.forward],
        "steps": [step(s) for s in d.steps], "table": [row(r) for r in d.table], "total": inline(d.total_cost),
        "stored": ", ".join(map(inline, d.stored)) or "nothing", "updates": [line(u) for u in d.updates],
        "notes": [prose(n) for n in d.notes],
    }  # fmt: skip


def escaped(text: str) -> str:
    """Running text whose characters mean only themselves."""
    return _SPECIAL.sub(r"\\\1", text)


def tame(latex: str) -> str:
    """LaTeX without backslashes before punctuation and without commands that code-hosting sites refuse."""
    latex = _PUNCTUATED.sub(lambda m: _PLAIN[m[0]], latex).replace(r"\operatorname", r"\mathrm")
    return latex.replace("|", r"\vert ").replace("<", r"\lt ").replace(">", r"\gt ")


def inline(math: Math) -> str:
    return f"${tame(math.latex)}$"


def prose(parts: Prose) -> str:
    return "".join(inline(p) if isinstance(p, Math) else p.text if isinstance(p, Ref) else escaped(p) for p in parts)


# -- displays: rows of an aligned environment
def line(x: Line) -> str:
    left = x.left.latex if x.left is not None else ""
    reason = f"& & {_upright(x.reason)}" if x.reason else ""
    sign = r"\colon\enspace" if x.sign == ":" else x.sign
    return tame(f"{left} & {sign} {x.right.latex}{_valued(x.value, x.right)} {reason}").strip()


def equation(e: Equation) -> str:
    let = r"\text{let } " if e.introduced else ""
    left = r"\quad " * e.depth + (e.line.left.latex if e.line.left is not None else "")
    if e.line.kind == "loop":
        return tame(rf"\text{{({e.number})}}\quad & \text{{for }} {e.line.right.latex}\colon")
    shape = f"({e.shape.latex})" if e.shape is not None else ""
    reason = rf"\enspace {_upright(e.line.reason)}" if e.line.reason else ""
    value = _valued(e.line.value)
    return tame(rf"\text{{({e.number})}}\quad {let}{left} & = {e.line.right.latex}{value} & & {shape}{reason}").strip()


def _upright(parts: Prose) -> str:
    """Prose inside mathematics: words as ``\\text{…}``, no dollar signs."""
    pieces: list[str] = []
    words = ""
    for part in parts:
        if isinstance(part, Math):
            pieces += [_text(words), part.latex]
            words = ""
        else:
            words += _words(part)
    return "".join([*pieces, _text(words)])


def _text(words: str) -> str:
    return rf"\text{{{words}}}" if words else ""


def _words(part: str | Ref) -> str:
    return (part.text if isinstance(part, Ref) else part).replace("_", " ")


def _valued(value: Value | None, right: Math | None = None) -> str:
    if value is None or value.shown is None or (right is not None and right.text == value.shown.text):
        return ""
    return f" = {value.shown.latex}"


# -- sections
def given(d: Document) -> list[str]:
    return list(map(_declared, d.declarations))


def _declared(x: Declaration) -> str:
    place = rf" \in {x.numbers}^{{{x.shape.latex}}}" if x.shape is not None else ""
    said = f" ({prose(x.note)})" if x.note else ""
    return f"{x.role} ${tame(x.math.latex + place + _valued(x.value))}${said}"


def step(s: Step) -> dict[str, object]:
    shape = f" ({inline(s.shape)})" if s.shape is not None else ""
    path = prose(s.path) if len(s.path) > 1 else ""
    return {"number": s.number, "title": prose(s.title) + shape, "path": path, "lines": [line(x) for x in s.lines]}


def row(r: Row) -> str:
    cells: Sequence[str] = (
        inline(r.parameter), inline(r.gradient), inline(r.shape) if r.shape is not None else "scalar", inline(r.cost),
        ", ".join(map(inline, r.stores)) or "nothing",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"
