"""The key below a picture: what the shapes and the numbers in it mean."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.render.graph.measure import width
from symbackprop.render.graph.picture import Picture
from symbackprop.render.graph.svg_parts import SHAPES, rounded, text

SIZE = 12.0
ROW = 24.0
ENTRIES = (
    ("data", "data"), ("input", "input (gradient wanted)"), ("param", "parameter"), ("gate", "gate"),
    ("row", "computed"), ("loss", "loss"), ("output", "output"), ("carry", "from the round before"),
    ("element", "element of a sequence"), ("block", "block of rows"), ("const", "constant"), ("upstream", "upstream"),
)


def draw(picture: Picture, x: float, y: float, wide: float) -> tuple[str, float, float]:
    """The key in rows no wider than ``wide``; its text, width and height."""
    parts, left, widest, rows = [], 0.0, 0.0, 1
    for write, size in _entries(picture):
        if left and left + size > wide:
            left, rows = 0.0, rows + 1
        parts.append(write(x + left, y + ROW * (rows - 1)))
        left += size
        widest = max(widest, left)
    return f'<g class="g-legend">{"".join(parts)}</g>', widest, ROW * rows + 12.0


Entry = tuple[Callable[[float, float], str], float]


def _entries(picture: Picture) -> list[Entry]:
    kinds = {b.kind for b in picture.boxes()}
    entries = [_shape(kind, words) for kind, words in ENTRIES if kind in kinds]
    if picture.numeric:
        entries += [_number("g-value", "value", "above: forward"), _number("g-gradient", "gradient", "below: backward")]
    return entries


def _shape(kind: str, words: str) -> Entry:
    def write(x: float, y: float) -> str:
        shape = SHAPES.get(kind, rounded)
        wide = 14.0 if kind == "gate" else 26.0
        sign = shape(x + 13.0, y, wide, 14.0) if kind not in ("row", "loss", "output", "carry", "block") else (
            rounded(x + 13.0, y, wide, 14.0, 4.0)
        )
        return f'<g class="g-{kind}">{sign}</g>' + text(x + 34.0, y + 4.0, words, "g-note", SIZE)

    return write, 34.0 + width(words, SIZE) + 22.0


def _number(kind: str, word: str, words: str) -> Entry:
    def write(x: float, y: float) -> str:
        first = width(word, SIZE) + 8.0
        return text(x, y + 4.0, word, kind, SIZE) + text(x + first, y + 4.0, words, "g-note", SIZE)

    return write, width(word, SIZE) + 8.0 + width(words, SIZE) + 22.0
