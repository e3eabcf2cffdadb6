"""Breaking long formulas into lines at the places that the notation marks."""

from __future__ import annotations

import re

from symbackprop.render.document import BREAK
from symbackprop.render.measure import width

_DEPTH = re.compile(r"\\[{}]|[{}]|\\(?:left|right)(?:\\[A-Za-z]+|\\?.)|[()\[\]]|" + BREAK)
_TALL = re.compile(r"\\(left|right)(\\[A-Za-z]+|\\?[()\[\]{}|.])")

_OPEN = ("{", *(f"\\left{d}" for d in ("(", "[", r"\lVert", "|", ".")))
_CLOSE = ("}", *(f"\\right{d}" for d in (")", "]", r"\rVert", "|", ".")))


def broken(breakable: str, first: float, later: float) -> list[str]:
    """Lines of at most ``first`` and then ``later`` points: broken outside parentheses where that is enough, else in
    them; tall parentheses become ones of fixed size where a break has to come between them."""
    loose = _TALL.sub(lambda m: ("\\bigl" if m[1] == "left" else "\\bigr") + m[2], breakable)
    for text, inside in ((breakable, False), (breakable, True), (loose, True)):
        lines = _fill(_pieces(text, inside), first, later)
        if all(width(line) <= later for line in lines):
            break
    return lines


def _pieces(breakable: str, inside: bool) -> list[str]:
    """The parts between the marks at which a break is legal: not within braces or tall parentheses; within plain ones
    when ``inside``."""
    pieces, depth, start = [], 0, 0
    for match in _DEPTH.finditer(breakable):
        token = match[0]
        if token == BREAK and depth == 0:
            pieces.append(breakable[start : match.start()])
            start = match.end()
        elif token in _OPEN or (not inside and token in "(["):
            depth += 1
        elif token in _CLOSE or (not inside and token in ")]"):
            depth -= 1
    return [p.replace(BREAK, "") for p in (*pieces, breakable[start:])]


def _fill(pieces: list[str], first: float, later: float) -> list[str]:
    lines = [pieces[0]]
    for piece in pieces[1:]:
        room = first if len(lines) == 1 else later
        if width(lines[-1] + piece) <= room:
            lines[-1] += piece
        else:
            lines.append(piece.lstrip())
    return lines
