"""Breaking long formulas into lines at the places that the notation marks."""

from __future__ import annotations

import re

from symbackprop.render.document import BREAK
from symbackprop.render.measure import width

_DEPTH = re.compile(r"\\[{}]|[{}]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|" + BREAK)
_TALL = re.compile(r"\\(left|right)(\\[A-Za-z]+|\\?[()\[\]{}|.])")


def broken(breakable: str, first: float, later: float) -> list[str]:
    """Lines of at most ``first`` and then ``later`` points; fewer breaks where it fits, none inside braces. Tall
    parentheses become ones of fixed size where a break has to come between them."""
    lines = _fill(_pieces(breakable), first, later)
    if any(width(line) > later for line in lines) and _TALL.search(breakable):
        loose = _TALL.sub(lambda m: ("\\bigl" if m[1] == "left" else "\\bigr") + m[2], breakable)
        lines = _fill(_pieces(loose), first, later)
    return lines


def _pieces(breakable: str) -> list[str]:
    """The parts between the marks at which a break is legal: outside braces and tall parentheses."""
    pieces, depth, start = [], 0, 0
    for match in _DEPTH.finditer(breakable):
        token = match[0]
        if token == BREAK and depth == 0:
            pieces.append(breakable[start : match.start()])
            start = match.end()
        depth += 1 if token in ("{", r"\left") else -1 if token in ("}", r"\right") else 0
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
