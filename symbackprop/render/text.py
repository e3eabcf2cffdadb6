"""The document as plain text: Unicode mathematics in aligned columns."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from symbackprop.core.maths import Math, Rounded
from symbackprop.render.document import ROLES, Document, Equation, Line, Prose, Ref, Step
from symbackprop.render.print.text import text
from symbackprop.render.templates import render

GAP = "   "
MAX_CELL, PAGE = 64, 100
Cells = tuple[str, ...]


def to_text(document: Document) -> str:
    """The whole derivation."""
    if document.detail == "board":
        return render("board.txt", **board(document))
    return render("derivation.txt", **sections(document))


def board(document: Document) -> dict[str, object]:
    """Finished lines for the template of a board: running text for what is given, one row for every equation."""
    return {
        "title": document.name,
        "summary": document.summary,
        "said": [*wrapped("; ".join(given(document))), *wrapped("; ".join(map(prose, document.glossary)))],
        "forward": columns([equation(e) for e in document.forward], (GAP, " ", " ")),
        "conventions": wrapped("; ".join(map(prose, document.conventions))),
        "steps": columns([row for s in document.steps for row in board_rows(s)], (" ", " ", GAP)),
        "updates": columns([line(u) for u in document.updates], (" ", " ", GAP)),
        "notes": [line for n in document.notes for line in wrapped(prose(n))],
    }


def board_rows(s: Step) -> list[Cells]:
    """The equations of a step, its shape beside the last."""
    indent = "  " * s.depth
    if s.role == "loop":
        inner = [(f"{indent}  {left}", *rest) for left, *rest in map(line, s.lines)]
        return [(f"{indent}{prose(s.title)}:",), *[(left, sign, right, "", why) for left, sign, right, why in inner]]
    shape = "" if s.shape is None else f"[{text(s.shape)}]"
    rows = [line(x) for x in s.lines]
    return [(indent + left, sign, right, shape if k == len(rows) - 1 else "", reason)
            for k, (left, sign, right, reason) in enumerate(rows)]


def sections(document: Document) -> dict[str, object]:
    """Finished lines for the template, by section."""
    return {
        "title": document.name,
        "summary": document.summary,
        "source": document.source,
        "heading": wrapped(prose(document.heading)),
        "conventions": wrapped("Conventions: " + "; ".join(prose(c) for c in document.conventions) + "."),
        "glossary": [prose(g) for g in document.glossary],
        "given": declarations(document),
        "forward": columns([equation(e) for e in document.forward], (GAP, " ", " ")),
        "steps": [step(s) for s in document.steps],
        "table": table(document),
        "total": text(document.total_cost), "rate": text(document.rate),
        "stored": ", ".join(map(text, document.stored)) or "nothing",
        "updates": columns([line(u) for u in document.updates], (" ", " ", GAP)),
        "notes": [line for n in document.notes for line in wrapped(prose(n))],
    }


def prose(parts: Prose) -> str:
    """Running text."""
    return "".join([text(p) if isinstance(p, Math) else p.text if isinstance(p, Ref) else p for p in parts])


def wrapped(words: str) -> list[str]:
    """Running text in lines of the page's width."""
    return textwrap.wrap(words, PAGE, break_long_words=False, break_on_hyphens=False)


# -- rows of displays
def equation(e: Equation) -> Cells:
    shape = f"({text(e.shape)})" if e.shape is not None else ""
    left, sign, right, reason = line(e.line)
    left = "  " * e.depth + ("let " if e.introduced else "") + left
    if e.line.kind == "loop":
        return (f"({e.number})", f"{left}for {right}:")
    return (f"({e.number})", left, sign, right, shape, reason)


def line(x: Line) -> Cells:
    """Left side, sign, right side, reason."""
    right = beside(text(x.right), valued(x.number))
    return ("" if x.left is None else text(x.left), x.sign, right, prose(x.reason))


def beside(words: str, block: str) -> str:
    """A block of several lines behind a text, the later lines below the first."""
    return words + block.replace("\n", "\n" + " " * width(words))


def valued(number: Rounded | None) -> str:
    """`` = 0.27`` behind a formula."""
    return "" if number is None else beside(" = ", text(number))


def step(s: Step) -> dict[str, object]:
    shape = f"  ({text(s.shape)})" if s.shape is not None else ""
    path = f"   path {prose(s.path)}" if len(s.path) > 1 else ""
    indent = "  " * s.depth
    lines = [indent + row for row in columns([line(x) for x in s.lines], (" ", " ", GAP))]
    return {"title": f"{indent}Step {s.number}.  {prose(s.title)}{shape}{path}", "lines": lines}


def declarations(document: Document) -> list[str]:
    """One line a role."""
    return columns([(role, _listed(names)) for role, names in by_role(document).items()])


def given(document: Document) -> list[str]:
    """The same as running text."""
    return [f"{role} {', '.join(names)}" for role, names in by_role(document).items()]


def by_role(document: Document) -> dict[str, list[str]]:
    """What is declared, with its shape and its number."""
    roles: dict[str, list[str]] = {}
    for d in document.declarations:
        shape = f": {text(d.shape)}" if d.shape is not None else ""
        note = f" ({prose(d.note)})" if d.note else ""
        number = valued(None if d.value is None else d.value.shown)
        roles.setdefault(ROLES[d.role][1], []).append(beside(f"{text(d.math)}{shape}{note}", number))
    return roles


def _listed(names: Sequence[str]) -> str:
    """Names with commas between; matrices one below the other."""
    if any("\n" in name for name in names):
        return ",\n".join(names)
    return "\n".join(textwrap.wrap(", ".join(n.replace(" ", "\u00a0") for n in names), PAGE)).replace("\u00a0", " ")


def table(document: Document) -> list[str]:
    head = ("with respect to", "gradient", "shape", "multiplications", "forward must store")
    rows = [(text(r.parameter), text(r.gradient), "scalar" if r.shape is None else text(r.shape), text(r.cost),
             ", ".join(map(text, r.stores)) or "nothing") for r in document.table]
    return columns([head, *rows], rule=True)


# -- columns
def columns(rows: Sequence[Cells], gaps: Sequence[str] = (), rule: bool = False) -> list[str]:
    """Cells in aligned columns, ``gaps`` between them. A cell of several lines (a matrix) makes its row taller; a very
    long one does not push the others aside."""
    if not rows:
        return []
    count = max(map(len, rows))
    padded = [(*row, *[""] * (count - len(row))) for row in rows]
    whole = [p for row, p in zip(rows, padded, strict=True) if len(row) > 2 or count == 2] or padded
    widths = [max(_fitting(row[k]) for row in whole) for k in range(count)]
    between = [*gaps, *[GAP] * (count - 1 - len(gaps)), ""]
    lines = [line for row in padded for line in _row(row, widths, between)]
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


def width(words: str) -> int:
    """How many columns a text takes: combining characters take none."""
    return len(words) - sum(map(bool, map(unicodedata.combining, words)))


def pad(words: str, size: int) -> str:
    return words + " " * (size - width(words))
