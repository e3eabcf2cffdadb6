"""How much room text and boxes take, about: the reader's fonts are not known when a picture is made, so widths err on
the safe side."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from symbackprop.render.document import ROLES
from symbackprop.render.graph.picture import Box

NARROW = set("iIljtf.,;:'|![](){}/ ⎡⎣⎢⎤⎦⎥‖ᵀ₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹₋₊ₜ⁻")
WIDE = set("mwMWΣΠ@—→⊙×+=−<>≤≥∂ΦΩΨ")
SMALL = 0.72  # size of subscripts and exponents
_WORD = "[^\\W_⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ₜᵀ]"
_SCRIPT = re.compile(
    rf"_(?P<size>{_WORD}+(?:×{_WORD}+|×\([^()]*\))+)|_(?P<low>{_WORD}(?:{_WORD}|[,×−+](?={_WORD}))*)|(?P<lows>[₀₁₂₃₄₅₆₇₈₉₊₋ₜ]+)"
    rf"|\^(?P<high>⊙?−?{_WORD}+|\[\w+\])|(?P<highs>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|ᵀ)"
)
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₜ⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ", "0123456789+−t0123456789−⊤")
_ALPHA = "[^\\W\\d_ᵀ]"
_MARKS = "\u0300-\u036f\u20d7"
_LETTER = re.compile(rf"(?<!{_ALPHA})({_ALPHA})(?=[{_MARKS}]|(?!{_ALPHA}))[{_MARKS}]*")


class Piece(NamedTuple):
    """A run of characters: on the line (0), lowered (1) or raised (−1); slanted (a variable) or not."""

    text: str
    level: int
    slanted: bool


def pieces(text: str) -> Iterator[Piece]:
    """Text cut at its scripts and at its variables: ``W_e relu(h²)`` has e lowered and 2 raised."""
    end = 0
    for m in _SCRIPT.finditer(text):
        yield from _runs(text[end : m.start()], 0)
        low, high = m["size"] or m["low"] or m["lows"], m["high"] or m["highs"]
        yield from _runs((low or high).translate(_PLAIN), 1 if low else -1)
        end = m.end()
    yield from _runs(text[end:], 0)


def _runs(text: str, level: int) -> Iterator[Piece]:
    end = 0
    for m in _LETTER.finditer(text):
        if m.start() > end:
            yield Piece(text[end : m.start()], level, False)
        yield Piece(m[0], level, True)
        end = m.end()
    if end < len(text):
        yield Piece(text[end:], level, False)


def width(text: str, size: float) -> float:
    """The width of a line with subscripts at a font size, in pixels."""
    return sum(sum(map(_character, p.text)) * size * (SMALL if p.level else 1.0) for p in pieces(text))


def _character(c: str) -> float:
    if unicodedata.combining(c):
        return 0.0
    if c in NARROW:
        return 0.34
    if c in WIDE:
        return 0.84
    return 0.68 if c.isupper() else 0.54


def wrapped(text: str, limit: int, rows: int) -> list[str]:
    """Text in at most ``rows`` lines of about ``limit`` characters, broken at spaces; the rest becomes an ellipsis."""
    lines: list[str] = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) + 1 > limit:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    if len(lines) > rows:
        lines = [*lines[: rows - 1], lines[rows - 1] + " …"]
    return [line if len(line) <= 2 * limit else line[: 2 * limit] + "…" for line in lines]


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
    slant = 2 * 9.0 if box.kind in (*ROLES, "element") else 0.0
    return max(wide + 26.0 + slant, 44.0), LINE * len(lines) + (15.0 if box.shape else 0.0) + 13.0


def labels_size(box: Box) -> tuple[float, float, float]:
    """Width of the numbers of a box, height of its value, height of its gradient."""
    widths = [width(line, NUMBER) * 1.08 + 4.0 for line in (*box.value, *box.gradient)]
    return max(widths, default=0.0), NUMBER_LINE * len(box.value), NUMBER_LINE * len(box.gradient)


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
