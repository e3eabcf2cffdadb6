"""The graph as text: one line a box in aligned columns, loops and blocks indented, numbers at the end."""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.render.graph.picture import KINDS, Box, Picture
from symbackprop.render.text import columns

INDENT = "  "
PLAIN = ("row", "gate", "block")  # kinds that need no word in a table
Cells = tuple[str, str, str, str, str]


def picture_text(picture: Picture) -> str:
    """Name and equation, shape, what it is or reads, value, gradient."""
    rows = list(_rows(picture, ""))
    return "\n".join([picture.title, "", *columns(rows)]) + "\n"


def _rows(picture: Picture, indent: str) -> Iterator[Cells]:
    names = {item.key: item.name for item in picture.items}
    for item in picture.items:
        reads = ", ".join(names[w.source] for w in picture.wires if w.target == item.key and not w.back)
        if isinstance(item, Box):
            yield _row(item, reads, indent)
            continue
        note = f"   ({item.note})" if item.note else ""
        yield f"{indent}{item.title}:{note}", "", _arrow(reads), "", ""
        yield from _rows(item.inside, indent + INDENT)


def _row(box: Box, reads: str, indent: str) -> Cells:
    kind = ", ".join(x for x in ("" if box.kind in PLAIN else KINDS[box.kind], _arrow(reads)) if x)
    value = "\n".join(box.value)
    gradient = ""
    if box.gradient:
        pad = " " * (len(box.gradient_name) + 3)
        gradient = f"{box.gradient_name} = " + f"\n{pad}".join(box.gradient)
    return f"{indent}{box.equation}", box.shape, kind, value, gradient


def _arrow(reads: str) -> str:
    return f"← {reads}" if reads else ""
