"""What is wrong with a text as its writer sees it: the line, a caret below the place, and the line that is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from symbackprop.errors import MOST, ModelError, Place
from symbackprop.model.text.characters import readable
from symbackprop.model.text.tokens import physical_lines

_WIDEST, _LONGEST = 100, 10_000  # columns of a line that are shown, characters of a text that is read again


def explained(errors: Sequence[ModelError], text: str, read: Callable[[str], Sequence[ModelError]]) -> ModelError:
    """The first error with the others; each shows its place and, where it knows what may be meant, the corrected line:
    the text with it has been read again, and nothing was wrong with that line any more."""
    lines = [readable(line) for line in physical_lines(text)]
    for error in errors[:MOST]:
        if error.place is not None:
            line = lines[error.place.line - 1]
            place = _narrowed(line, error.place, error.near)
            right = next(_corrected(error, place, lines, read), "")
            error.shown = [*_marked(line, place), *([f"{right.strip()}   corrected"] if right else [])]
    errors[0].others = errors[1:]
    return errors[0]


def _narrowed(line: str, place: Place, near: str) -> Place:
    """Where in a place the word stands that an error is about."""
    word = re.search(rf"\b{re.escape(near)}\b", line[place.start - 1 : place.end - 1]) if near.isidentifier() else None
    if word is None:
        return place
    return place._replace(start=place.start + word.start(), end=place.start + word.end())


def _marked(line: str, place: Place) -> list[str]:
    """The part of a line around a place, below it a mark."""
    first = 0 if place.end <= _WIDEST else place.start - 1 - _WIDEST // 4
    shown = line[first : first + _WIDEST].expandtabs(1)
    left, right = place.start - 1 - first, min(place.end - 1 - first, len(shown))
    lead = len(shown) - len(shown.lstrip())
    return [shown[lead:], " " * (left - lead) + "^" * max(right - left, 1)]


def _corrected(error: ModelError, place: Place, lines: Sequence[str],
               read: Callable[[str], Sequence[ModelError]]) -> Iterator[str]:
    """The lines with what may be meant that nothing is wrong with."""
    line, texts = lines[place.line - 1], error.instead if sum(map(len, lines)) <= _LONGEST else ()
    before, there, after = line[: place.start - 1], line[place.start - 1 : place.end - 1], line[place.end - 1 :]
    for text in texts:
        right = before + text.replace("…", there) + after
        others = [right if k == place.line else old for k, old in enumerate(lines, 1)]
        if len(right) <= _WIDEST and not any(e.line == error.line for e in read("\n".join(others))):
            yield right
