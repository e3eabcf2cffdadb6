"""How much room text and boxes take, about: the reader's fonts are not known when a picture is made, so widths err on
the safe side."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum

from symbackprop.core.maths import Rounded
from symbackprop.core.printer import Run, Text
from symbackprop.render.document import ROLES
from symbackprop.render.graph.picture import Box, Wire
from symbackprop.render.graph.typesetting import columns, is_tall, line, lines, runs_of

NARROW = set("iIljtf.,;:'|![](){}/ ⎡⎣⎢⎤⎦⎥‖ᵀ₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹₋₊ₜ⁻")
WIDE = set("mwMWΣΠ@—→⊙×+=−<>≤≥∂ΦΩΨ")
SMALL = 0.72  # size of subscripts and exponents


def width(text: Text, size: float) -> float:
    """The width of a line with subscripts at a font size, in pixels."""  # fsum: sum rounds otherwise since Python 3.12
    return fsum(fsum(map(_character, run.text)) * size * (SMALL if run.level else 1.0) for run in runs_of(text))


def _character(c: str) -> float:
    if unicodedata.combining(c):
        return 0.0
    if c in NARROW:
        return 0.34
    if c in WIDE:
        return 0.84
    return 0.68 if c.isupper() else 0.54


def wrapped(text: Text, limit: int, rows: int) -> list[Text]:
    """Text in at most ``rows`` lines of about ``limit`` characters, broken at spaces; the rest becomes an ellipsis."""
    lines: list[list[Run]] = [[]]
    for word in _words(runs_of(text)):
        if lines[-1] and _length(lines[-1]) + _length(word) + 1 > limit:
            lines.append([])
        under = bool(lines[-1] and word) and lines[-1][-1].rooted and word[0].rooted
        lines[-1] += [*([Run(" ", rooted=under)] if lines[-1] else []), *word]
    if len(lines) > rows:
        lines = [*lines[: rows - 1], [*lines[rows - 1], Run(" …")]]
    return [_drawn(_cut(line, 2 * limit)) for line in lines]


def _words(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """What stands between spaces."""
    word: list[Run] = []
    for run in runs:
        first, *others = run.text.split(" ")
        word += [run._replace(text=first)] if first else []
        for other in others:
            yield word
            word = [run._replace(text=other)] if other else []
    yield word


def _length(runs: Sequence[Run]) -> int:
    return sum(len(run.text) for run in runs)


def _cut(runs: Sequence[Run], limit: int) -> list[Run]:
    """The first characters, and an ellipsis for the others."""
    kept: list[Run] = []
    for run in runs:
        room = limit - _length(kept)
        kept += [run._replace(text=run.text[:room])]
        if len(run.text) > room:
            return [*kept, Run("…")]
    return kept


def _drawn(runs: Sequence[Run]) -> Text:
    return Text("".join(run.text for run in runs), runs=tuple(runs))


NAME, FORMULA, SHAPE, NUMBER, FACTOR, SYMBOL = 15.0, 14.0, 11.5, 13.0, 12.0, 15.0  # font sizes
LINE, NUMBER_LINE = 19.0, 16.0
RADIUS = 20.0
LANE = 9.0  # on either side of a wire
LIMIT, ROWS = 34, 3  # of formulas
BLANK = 8.0


@dataclass(frozen=True)
class Size:
    """``length`` along the drawing; ``before`` and ``after`` across it, from the axis on which wires run. ``half`` is
    half the width of the shape that wires touch, ``stub`` the piece of wire behind it that carries the numbers,
    ``slack`` what its numbers reach beyond it on either side, along the drawing."""

    length: float
    before: float
    after: float
    half: float
    stub: float = 0.0
    slack: float = 0.0


def lines_of(box: Box) -> list[Text]:
    """What stands in a box: its equation, in a few lines."""
    if box.formula is None:
        return [box.name]
    if box.kind == "block":
        return [box.name, *wrapped(box.formula, LIMIT, ROWS - 1)]
    return wrapped(box.equation, LIMIT, ROWS)


def shape_size(box: Box) -> tuple[float, float]:
    """Width and height of the shape itself."""
    if box.symbol is not None:
        radius = max(RADIUS, width(box.symbol, SYMBOL) / 2 + 7)
        return 2 * radius, 2 * radius
    lines = lines_of(box)
    wide = max(width(line, FORMULA) for line in lines)
    wide = max(wide, width(box.shape, SHAPE) if box.shape else 0.0)
    slant = 2 * 9.0 if box.kind in (*ROLES, "element") else 0.0
    return max(wide + 26.0 + slant, 44.0), LINE * len(lines) + (15.0 if box.shape else 0.0) + 13.0


def labels_size(box: Box) -> tuple[float, float, float]:
    """Width of the numbers of a box, height of its value, height of its gradient."""
    widths = [_number_width(value) for value in (box.value, box.gradient) if value is not None]
    value, gradient = (NUMBER_LINE * len(lines(x)) for x in (box.value, box.gradient))
    return max(widths, default=0.0), value, gradient


def _number_width(value: Rounded) -> float:
    brackets = 2 * width(Text("["), NUMBER) if is_tall(value) else 0.0
    return (max(width(x, NUMBER) for x in [*lines(value), *_room(value)]) + brackets) * 1.08 + 4.0


def _room(value: Rounded) -> list[Text]:
    """A wide number of as many digits, where it may become one."""
    wide, count = f"−0.{'0' * value.digits}", columns(value)
    return [Text("  ".join([wide] * count))] if value.steady else []


def factor_text(wire: Wire) -> Text:
    """What the gradient that comes down a wire is multiplied by, or becomes; how that is called, where it is long."""
    if wire.rule is None:
        return line.row(Text("× "), line(wire.local)) if wire.local else Text("")
    return wire.rule.formula if len(wire.rule.formula.text) <= LIMIT else Text(wire.local_name)


def factor_size(wire: Wire, down: bool) -> Size:
    """The room of a local gradient above its wire, or at the right of one that runs down."""
    texts = [factor_text(wire), *[Text(f"× {x.text}") for x in (_room(wire.local) if wire.local else [])]]
    wide = max(width(x, FACTOR) for x in texts) * 1.08 + 4.0
    if down:
        return Size(NUMBER_LINE, LANE, BLANK / 2 + wide, 0.0)
    return Size(wide, NUMBER_LINE, LANE, 0.0)


def size_of(box: Box, down: bool) -> Size:
    """The room of a box with its numbers and, for a gate, its name."""
    wide, high = shape_size(box)
    label, above, below = labels_size(box)
    name = width(box.name, NAME) if box.symbol else 0.0
    if down:
        side = label + 2 * BLANK if label else 0.0
        length = max(high, above + below + 4.0)
        slack = (length - high) / 2
        return Size(length, wide / 2 + (name + 6.0 if name else 0.0), wide / 2 + side, wide / 2, slack=slack)
    stub = label + 2 * BLANK if label else 0.0
    before = max(high / 2 + (17.0 if name else 0.0), above + 6.0)
    return Size(wide + stub, before, max(high / 2, below + 6.0), high / 2, stub)
