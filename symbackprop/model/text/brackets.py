"""Brackets of a line that is text, for the corrected lines of errors: what cannot be read has no tree."""

from __future__ import annotations

from collections.abc import Callable

_TURNED = str.maketrans("()[]", ")(][")
Stop = Callable[[int], bool]


def _never(place: int) -> bool:
    return False


def unopened(text: str, stop: Stop = _never) -> int:
    """The place of the first bracket that closes what the text does not open, or the first one outside of brackets of
    which ``stop`` says so; the end where there is neither."""
    depth = 0
    for place, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth < 0 or (not depth and stop(place)):
            return place
    return len(text)


def unclosed(text: str, stop: Stop = _never) -> int:
    """The place behind the last bracket that the text leaves open, or behind the last one outside of brackets of which
    ``stop`` says so; the beginning where there is neither."""
    return len(text) - unopened(text[::-1].translate(_TURNED), lambda k: stop(len(text) - 1 - k))
