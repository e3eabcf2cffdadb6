"""How much room a box takes, for a drawing that runs to the right or down."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.render.graph.measure import width, wrapped
from symbackprop.render.graph.picture import Box

NAME, FORMULA, SHAPE, NUMBER, SYMBOL = 15.0, 14.0, 11.5, 13.0, 15.0  # font sizes
LINE, NUMBER_LINE = 19.0, 16.0
RADIUS = 20.0
LIMIT, ROWS = 34, 3  # of formulas
BLANK = 8.0


@dataclass(frozen=True)
class Size:
    """``length`` along the drawing; ``before`` and ``after`` across it, from the axis on which wires run. ``half`` is
    half the width of the shape that wires touch, ``stub`` the piece of wire behind it that carries the numbers."""

    length: float
    before: float
    after: float
    half: float
    stub: float = 0.0


def lines_of(box: Box) -> list[str]:
    """What stands in a box: its equation, in a few lines."""
    if not box.formula:
        return [box.name]
    if box.kind == "block":
        return [box.name, *wrapped(box.formula, LIMIT, ROWS - 1)]
    return wrapped(f"{box.name} = {box.formula}", LIMIT, ROWS)


def shape_size(box: Box) -> tuple[float, float]:
    """Width and height of the shape itself."""
    if box.symbol:
        radius = max(RADIUS, width(box.symbol, SYMBOL) / 2 + 7)
        return 2 * radius, 2 * radius
    lines = lines_of(box)
    wide = max(width(line, FORMULA) for line in lines)
    wide = max(wide, width(box.shape, SHAPE))
    slant = 2 * 9.0 if box.kind in ("data", "input", "const", "upstream", "element", "param") else 0.0
    return max(wide + 26.0 + slant, 44.0), LINE * len(lines) + (15.0 if box.shape else 0.0) + 13.0


def number_size(lines: tuple[str, ...]) -> tuple[float, float]:
    """Width and height of a number or a matrix."""
    if not lines:
        return 0.0, 0.0
    return max(width(line, NUMBER) for line in lines) * 1.08 + 4.0, NUMBER_LINE * len(lines)


def labels_size(box: Box) -> tuple[float, float, float]:
    """Width of the numbers of a box, height of its value, height of its gradient."""
    (a, up), (b, down) = number_size(box.value), number_size(box.gradient)
    return max(a, b), up, down


def size_of(box: Box, down: bool) -> Size:
    """The room of a box with its numbers and, for a gate, its name."""
    wide, high = shape_size(box)
    label, above, below = labels_size(box)
    name = width(box.name, NAME) if box.symbol else 0.0
    if down:
        side = label + 2 * BLANK if label else 0.0
        length = max(high, above + below + 4.0)
        return Size(length, wide / 2 + (name + 6.0 if name else 0.0), wide / 2 + side, wide / 2)
    stub = label + 2 * BLANK if label else 0.0
    before = max(high / 2 + (17.0 if name else 0.0), above + 6.0)
    return Size(wide + stub, before, max(high / 2, below + 6.0), high / 2, stub)
