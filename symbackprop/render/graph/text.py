"""The graph as text: one line a box in aligned columns, loops and blocks indented, numbers at the end, local gradients
behind what is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from symbackprop.render.graph.picture import BELOW, KINDS, ON_EDGES, Box, Picture, Wire
from symbackprop.render.graph.sizes import factor_text
from symbackprop.render.print.text import text
from symbackprop.render.text import beside, columns

INDENT = "  "
KEY = f"in brackets: {ON_EDGES}; gradient: {BELOW}"
PLAIN = ("row", "gate", "block")  # kinds that need no word in a table
Cells = tuple[str, str, str, str, str]


def picture_text(picture: Picture) -> str:
    """Name and equation, shape, what it is or reads, value, gradient; and what numbers in brackets are."""
    rows = list(_rows(picture, ""))
    key = ["", KEY] if any(picture.factors()) else []
    return "\n".join([picture.title, "", *columns(rows), *key]) + "\n"


def _rows(picture: Picture, indent: str) -> Iterator[Cells]:
    names = {item.key: item.name.text for item in picture.items}
    for item in picture.items:
        reads = ", ".join(_read(names, w) for w in picture.wires if w.target == item.key and not w.back)
        if isinstance(item, Box):
            yield _row(item, reads, indent)
            continue
        note = f"   ({item.note})" if item.note else ""
        yield f"{indent}{item.title.text}:{note}", "", _arrow(reads), "", ""
        yield from _rows(item.inside, indent + INDENT)


def _row(box: Box, reads: str, indent: str) -> Cells:
    kind = ", ".join(x for x in ("" if box.kind in PLAIN else KINDS[box.kind], _arrow(reads)) if x)
    value = text(box.value) if box.value else ""
    gradient = beside(f"{box.gradient_name} = ", text(box.gradient)) if box.gradient else ""
    return f"{indent}{box.equation.text}", box.shape.text if box.shape else "", kind, value, gradient


def _read(names: Mapping[str, str], wire: Wire) -> str:
    return names[wire.source] + (f" ({factor_text(wire).text})" if wire.is_labelled else "")


def _arrow(reads: str) -> str:
    return f"← {reads}" if reads else ""
