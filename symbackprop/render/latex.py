"""The document in LaTeX: a fragment for a document that loads amsmath, amssymb, booktabs and longtable, or a whole
document that compiles with pdflatex."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.render.breaking import broken
from symbackprop.render.document import BREAK, Document, Equation, Line, Math, Prose, Ref, Row, Step, Value
from symbackprop.render.escape import latex_text
from symbackprop.render.measure import width
from symbackprop.render.templates import render

GRADIENT = 160.0  # the column of gradients in the closing table
PAGE = 470.0  # points: an A4 page with margins of 2 cm has 481
REASON = 165.0  # the least room for a reason beside the formulas


def to_latex(document: Document, standalone: bool = False) -> str:
    """The whole derivation; ``standalone`` adds the preamble and links between steps."""
    return render("derivation.tex", standalone=standalone, **Writer(standalone).sections(document))


class Writer:
    """Turns finished lines into rows of displays; ``links`` makes references clickable."""

    def __init__(self, links: bool) -> None:
        self.links = links

    def sections(self, d: Document) -> dict[str, object]:
        """Finished LaTeX for the template, by section."""
        return {
            "title": latex_text(d.name), "summary": latex_text(d.summary), "source": latex_text(d.source),
            "heading": self.prose(d.heading), "conventions": [self.prose(c) for c in d.conventions],
            "glossary": [self.prose(g) for g in d.glossary], "given": self.given(d),
            "forward": self.forward(d.forward), "steps": [self.step(s) for s in d.steps],
            "table": [self.row(r) for r in d.table], "total": f"${d.total_cost.latex}$",
            "stored": ", ".join(f"${m.latex}$" for m in d.stored) or "nothing",
            "updates": self.display([(u, self.prose(u.reason)) for u in d.updates]),
            "notes": [self.prose(n) for n in d.notes],
        }  # fmt: skip

    # -- text
    def prose(self, parts: Prose) -> str:
        return "".join(self._part(p) for p in parts)

    def _part(self, part: str | Math | Ref) -> str:
        if isinstance(part, Math):
            return f"${part.latex}$"
        if isinstance(part, Ref):
            return rf"\hyperlink{{{part.anchor}}}{{{part.text}}}" if self.links else part.text
        return latex_text(part)

    def target(self, anchor: str) -> str:
        return rf"\hypertarget{{{anchor}}}{{}}" if self.links else ""

    def given(self, d: Document) -> list[str]:
        roles: dict[str, list[str]] = {}
        for x in d.declarations:
            shape = rf" \in {x.numbers}^{{{x.shape.latex}}}" if x.shape is not None else ""
            note = f" ({self.prose(x.note)})" if x.note else ""
            value = _valued(x.value).replace(BREAK, "")
            roles.setdefault(x.role, []).append(f"${x.math.latex}{shape}{value}${note}")
        return [f"{ROLES[role]}: {', '.join(names)}" for role, names in roles.items()]

    # -- displays
    def forward(self, equations: Sequence[Equation]) -> list[str]:
        """Rows of an alignat: shapes and remarks in a column of their own, below where a formula needs the room."""
        lefts = [self._left(e) for e in equations]
        sides = [self._side(e) for e in equations]
        whole = PAGE - 60.0 - max(map(width, lefts), default=0.0)
        room = max(whole - max(map(width, sides), default=0.0), whole / 2)
        rows = zip(equations, lefts, sides, strict=True)
        return [self._equation(e, left, side, room, whole) for e, left, side in rows]

    def _left(self, e: Equation) -> str:
        let = r"\text{let } " if e.introduced else ""
        return r"\quad " * e.depth + let + (e.line.left.latex if e.line.left is not None else "")

    def _side(self, e: Equation) -> str:
        shape = f"({e.shape.latex})" if e.shape is not None else ""
        reason = rf"\text{{{self.prose(e.line.reason)}}}" if e.line.reason and e.line.kind != "loop" else ""
        return r" \quad ".join(x for x in (shape, reason) if x)

    def _equation(self, e: Equation, left: str, side: str, room: float, whole: float) -> str:
        if e.line.kind == "loop":
            return rf"{self.target(e.anchor)}& \text{{for }} {e.line.right.latex}\colon && \tag{{{e.number}}}"
        right = e.line.right.breakable + _valued(e.line.value)
        head = f"{self.target(e.anchor)}{left} &= "
        if width(right) <= room:
            return f"{head}{right.replace(BREAK, '')} &\\quad& {side} \\tag{{{e.number}}}"
        first, *more = [rf"\rlap{{$\displaystyle {line}$}}" for line in broken(right, whole, whole)]
        below = [*more, *([side] if side else [])]
        rows = [f"{head}{first} \\tag{{{e.number}}}", *[f"&\\quad {x} \\notag" for x in below]]
        return " \\\\\n".join(rows)

    def step(self, s: Step) -> dict[str, object]:
        title = self.prose(s.title).replace("$", r"$\displaystyle ", 1)
        shape = rf" \quad $({s.shape.latex})$" if s.shape is not None else ""
        path = f"path {self.prose(s.path)}" if len(s.path) > 1 else ""
        indent = r"\quad " * s.depth
        return {"anchor": self.target(s.anchor) + indent, "number": s.number, "title": title + shape, "path": path,
                "rows": self.display([(x, self.prose(x.reason)) for x in s.lines])}  # fmt: skip

    def display(self, lines: Sequence[tuple[Line, str]]) -> list[str]:
        """Rows of an alignat; reasons stand beside the formulas when all of them leave room, else below."""
        left = max((width(x.left.latex) for x, _ in lines if x.left is not None), default=0.0)
        rights = [x.right.breakable + _valued(x.value, x.right) for x, _ in lines]
        widest = max((width(r) for r in rights), default=0.0)
        beside = PAGE - left - widest - 40.0
        rows: list[str] = []
        for (x, reason), right in zip(lines, rights, strict=True):
            rows += self._beside(x, right, reason, beside) if beside >= REASON else self._below(x, right, reason, left)
        return [row + " \\\\" for row in rows[:-1]] + rows[-1:]

    def _beside(self, x: Line, right: str, reason: str, room: float) -> list[str]:
        row = self._head(x) + right.replace(BREAK, "")
        return [rf"{row} &\quad& {_box(reason, min(room, 3 * REASON))}" if reason else row]

    def _below(self, x: Line, right: str, reason: str, left: float) -> list[str]:
        room = PAGE - left - 20.0
        first, *more = broken(right, room, room - 20.0)
        below = [rf"&\qquad {_box(reason, room - 20.0)}"] if reason else []
        return [self._head(x) + first, *[rf"&\qquad {part}" for part in more], *below]

    def _head(self, x: Line) -> str:
        return f"{x.left.latex if x.left is not None else ''} &{SIGNS.get(x.sign, x.sign)} "

    # -- the closing table
    def row(self, r: Row) -> str:
        shape = f"${r.shape.latex}$" if r.shape is not None else "scalar"
        stores = ", ".join(f"${m.latex}$" for m in r.stores) or "nothing"
        return f"${r.parameter.latex}$ & {self._gradient(r)} & {shape} & ${r.cost.latex}$ & {stores}"

    def _gradient(self, r: Row) -> str:
        """A gradient in its column, in several lines if need be; one that cannot be broken stands in its step."""
        lines = broken(r.gradient.breakable, GRADIENT, GRADIENT - 10.0)
        if any(width(line) > GRADIENT for line in lines):
            return f"see {self._part(Ref(r.anchor, r.anchor.replace('-', ' ')))}"
        return r" \newline ".join(f"${'' if not k else BIG_GAP}{line}$" for k, line in enumerate(lines))


BIG_GAP = r"\quad "
SIGNS = {":": r"\colon\;"}
ROLES = {"data": "Data", "param": "Parameters", "input": "Inputs", "constant": "Constants", "upstream": "Given"}


def _valued(value: Value | None, right: Math | None = None) -> str:
    if value is None or value.shown is None or (right is not None and right.text == value.shown.text):
        return ""
    return f"{BREAK} = {value.shown.latex}"


def _box(reason: str, size: float) -> str:
    return rf"\parbox[t]{{{size:.0f}pt}}{{\raggedright\footnotesize {reason}}}"
