"""The document as plain text: Unicode mathematics in aligned columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from symbackprop.render.document import Document, Equation, Line, Math, Prose, Ref, Step, Value
from symbackprop.render.templates import render

GAP = "   "
MAX_CELL = 64
ROLES = {"data": "data", "param": "parameters", "input": "inputs", "constant": "constants", "upstream": "upstream"}
Cells = tuple[str, ...]


def to_text(document: Document) -> str:
    """The whole derivation."""
    return render("derivation.txt", **sections(document))


def sections(document: Document) -> dict[str, object]:
    """Finished lines for the template, by section."""
    return {
        "title": document.name,
        "summary": document.summary,
        "source": document.source,
        "heading": prose(document.heading),
        "conventions": "; ".join(prose(c) for c in document.conventions),
        "glossary": [prose(g) for g in document.glossary],
        "given": declarations(document),
        "forward": columns([equation(e) for e in document.forward], (GAP, " ", " ")),
        "steps": [step(s) for s in document.steps],
        "table": table(document),
        "total": document.total_cost.text,
        "stored": ", ".join(m.text for m in document.stored) or "nothing",
        "updates": columns([line(u) for u in document.updates], (" ", " ")),
        "notes": [prose(n) for n in document.notes],
    }


def prose(parts: Prose) -> str:
    """Running text."""
    return "".join(p.text if isinstance(p, (Math, Ref)) else p for p in parts)


# -- rows of displays
def equation(e: Equation) -> Cells:
    shape = f"({e.shape.text})" if e.shape is not None else ""
    return (f"({e.number})", *line(e.line)[:3], shape, line(e.line)[3])


def line(x: Line) -> Cells:
    """Left side, sign, right side, reason."""
    return (x.left.text if x.left is not None else "", x.sign, x.right.text + valued(x.value, x.right), prose(x.reason))


def valued(value: Value | None, right: Math | None = None) -> str:
    """`` = 0.27`` behind a formula that is not that number already."""
    if value is None or value.shown is None or (right is not None and right.text == value.shown.text):
        return ""
    return f" = {value.shown.text}"


def step(s: Step) -> dict[str, object]:
    shape = f"  ({s.shape.text})" if s.shape is not None else ""
    path = f"   path {prose(s.path)}" if len(s.path) > 1 else ""
    lines = columns([line(x) for x in s.lines], (" ", " ", GAP))
    return {"title": f"Step {s.number}.  {prose(s.title)}{shape}{path}", "lines": lines}


def declarations(document: Document) -> list[str]:
    """One line a role."""
    roles: dict[str, list[str]] = {}
    for d in document.declarations:
        shape = f": {d.shape.text}" if d.shape is not None else ""
        note = f" ({prose(d.note)})" if d.note else ""
        roles.setdefault(ROLES[d.role], []).append(f"{d.math.text}{shape}{note}{valued(d.value)}")
    return columns([(role, (",\n" if "\n" in "".join(names) else ", ").join(names)) for role, names in roles.items()])


def table(document: Document) -> list[str]:
    head = ("parameter", "gradient", "shape", "multiplications", "forward must store")
    rows = [(r.parameter.text, r.gradient.text, r.shape.text if r.shape is not None else "scalar", r.cost.text,
             ", ".join(m.text for m in r.stores) or "nothing") for r in document.table]  # fmt: skip
    return columns([head, *rows], rule=True)


# -- columns
def columns(rows: Sequence[Cells], gaps: Sequence[str] = (), rule: bool = False) -> list[str]:
    """Cells in aligned columns, ``gaps`` between them. A cell of several lines (a matrix) makes its row taller; one that
    is very long does not push the others aside."""
    if not rows:
        return []
    count = max(map(len, rows))
    padded = [(*row, *[""] * (count - len(row))) for row in rows]
    widths = [max(_fitting(row[k]) for row in padded) for k in range(count)]
    between = [*gaps, *[GAP] * (count - 1 - len(gaps)), ""]
    lines = [text for row in padded for text in _row(row, widths, between)]
    if rule:
        lines.insert(1, GAP.join("─" * w for w in widths))
    return lines


def _fitting(cell: str) -> int:
    size = max(width(part) for part in cell.split("\n"))
    return size if size <= MAX_CELL else 0


def _row(cells: Cells, widths: Sequence[int], gaps: Sequence[str]) -> Iterable[str]:
    split = [cell.split("\n") for cell in cells]
    for k in range(max(map(len, split))):
        parts = [(block[k] if k < len(block) else "", w) for block, w in zip(split, widths, strict=True)]
        yield "".join(pad(part, w) + gap for (part, w), gap in zip(parts, gaps, strict=True)).rstrip()


def width(text: str) -> int:
    """How many columns a text takes: combining characters take none."""
    return sum(not unicodedata.combining(c) for c in text)


def pad(text: str, size: int) -> str:
    return text + " " * (size - width(text))
