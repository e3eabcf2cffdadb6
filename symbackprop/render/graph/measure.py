"""How wide text is, about: the reader's fonts are not known when a picture is made, so widths err on the safe side."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

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
    return sum(_plain(p.text) * size * (SMALL if p.level else 1.0) for p in pieces(text))


def _plain(text: str) -> float:
    return sum(_character(c) for c in text)


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
