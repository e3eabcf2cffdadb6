"""Pieces of SVG: shapes, lines of text with scripts, numbers and points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from symbackprop.render.graph.box_sizes import FORMULA, LINE, NUMBER, NUMBER_LINE, SHAPE, lines_of
from symbackprop.render.graph.measure import SMALL, pieces
from symbackprop.render.graph.picture import Box
from symbackprop.render.graph.scene import Point

SLANT = 9.0

# ---------------------------------------------------------------- shapes


def rounded(x: float, y: float, w: float, h: float, radius: float = 8.0) -> str:
    """A rectangle with round corners: computed rows."""
    return (
        f'<rect class="g-shape" x="{number(x - w / 2)}" y="{number(y - h / 2)}" '
        f'width="{number(w)}" height="{number(h)}" rx="{number(radius)}"/>'
    )


def pill(x: float, y: float, w: float, h: float) -> str:
    """Round at both ends: parameters."""
    return rounded(x, y, w, h, h / 2)


def circle(x: float, y: float, w: float, h: float) -> str:
    """Gates."""
    return f'<circle class="g-shape" cx="{number(x)}" cy="{number(y)}" r="{number(h / 2)}"/>'


def slanted(x: float, y: float, w: float, h: float) -> str:
    """A parallelogram: data."""
    left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    corners = [(left + SLANT, top), (right, top), (right - SLANT, bottom), (left, bottom)]
    return f'<path class="g-shape" d="M{"L".join(map(point, corners))}Z"/>'


def doubled(x: float, y: float, w: float, h: float) -> str:
    """A parallelogram with a second line inside: data whose gradient is wanted."""
    return slanted(x, y, w, h) + slanted(x, y, w - 9.0, h - 6.0)


SHAPES: dict[str, Callable[[float, float, float, float], str]] = {
    "param": pill, "data": slanted, "element": slanted, "const": slanted, "upstream": slanted, "input": doubled,
    "gate": circle,
}


# ---------------------------------------------------------------- text

SHIFT = {0: 0.0, 1: 0.26, -1: -0.36}  # how far scripts stand below the line
MATHEMATICAL = {"g-formula", "g-name", "g-symbol"}


def text(x: float, y: float, content: str, kind: str, size: float, anchor: str = "start") -> str:
    """A line of text with its subscripts lowered."""
    if not content:
        return ""
    mathematical = kind in MATHEMATICAL
    spans, level = "", 0
    for piece in pieces(content):
        shift = SHIFT[piece.level] * size - SHIFT[level] * size
        attributes = f' dy="{number(shift)}"' if shift else ""
        attributes += f' font-size="{number(size * SMALL)}"' if piece.level else ""
        attributes += ' class="g-var"' if piece.slanted and mathematical else ""
        spans += f"<tspan{attributes}>{escape(piece.text)}</tspan>" if attributes else escape(piece.text)
        level = piece.level
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    where = f'x="{number(x)}" y="{number(y)}" font-size="{number(size)}"{place}'
    return f'<text class="{kind}" {where} xml:space="preserve">{spans}</text>'


def equation(box: Box, x: float, y: float) -> str:
    """The equation of a box and its shape below, around a middle."""
    lines = lines_of(box)
    high = LINE * len(lines) + (14.0 if box.shape else 0.0)
    top = y - high / 2
    parts = [text(x, top + 14.0 + LINE * k, line, "g-formula", FORMULA, "middle") for k, line in enumerate(lines)]
    if box.shape:
        parts.append(text(x, top + LINE * len(lines) + 10.0, box.shape, "g-dim", SHAPE, "middle"))
    return "".join(parts)


def matrix(x: float, y: float, width: float, lines: Sequence[str], kind: str) -> str:
    """Numbers from the top ``y`` down, in the middle of ``width``; a matrix gets tall brackets."""
    if not lines:
        return ""
    middle = x + width / 2
    tall = len(lines) > 1 and lines[0].startswith("⎡")
    texts = [line[1:-1] if tall else line for line in lines]
    parts = [
        text(middle, y + NUMBER_LINE * k + 12.5, line, kind, NUMBER, "middle") for k, line in enumerate(texts)
    ]
    if tall:
        high = NUMBER_LINE * len(lines)
        parts.append(
            f'<path class="{kind}-line" d="M{point((x + 4, y + 1))}h-4v{number(high - 1)}h4'
            f'M{point((x + width - 4, y + 1))}h4v{number(high - 1)}h-4"/>'
        )
    return "".join(parts)


# ---------------------------------------------------------------- numbers and points


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    digits = f"{value:.1f}"
    return digits.removesuffix(".0").replace("-0.0", "0")


def point(p: Point) -> str:
    return f"{number(p[0])} {number(p[1])}"


def near(corner: Point, other: Point, radius: float = 7.0) -> Point:
    """A point on the way from a corner to another point, ``radius`` from the corner."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    share = min(1.0, radius / max(abs(dx), abs(dy), 1e-9))
    return corner[0] + dx * share, corner[1] + dy * share

