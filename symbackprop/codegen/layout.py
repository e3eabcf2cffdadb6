"""Lines of code on the page: comments beside or above them, long lines broken, long lists wrapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WIDTH = 110
COLUMN = 52  # where comments start when the code is short enough
INDENT = "    "


@dataclass(frozen=True)
class Line:
    """One statement of code, its comment, and how deep in loops it stands."""

    code: str
    comment: str = ""
    depth: int = 0


def layout(lines: Iterable[Line], depth: int = 1) -> list[str]:
    """The lines as text, indented."""
    return [text for line in lines for text in _one(line, INDENT * (depth + line.depth))]


def _one(line: Line, indent: str) -> Iterator[str]:
    code = indent + line.code
    beside = f"{code.ljust(COLUMN)}  # {line.comment}" if line.comment else code
    if len(beside) <= WIDTH:
        yield beside.rstrip()
        return
    if line.comment:
        yield from _comment(line.comment, indent)
    yield from broken(line.code, indent)


def _comment(comment: str, indent: str) -> Iterator[str]:
    """A comment above its line, wrapped."""
    text = indent + "#"
    for word in comment.split(" "):
        if len(text) + len(word) >= WIDTH and text.strip() != "#":
            yield text
            text = indent + "#  "
        text += " " + word
    yield text


def broken(code: str, indent: str) -> list[str]:
    """A long assignment over several lines, broken before the operators that bind most weakly."""
    name, equals, right = code.partition(" = ")
    if len(indent + code) <= WIDTH or not equals:
        return [indent + code]
    for signs in ((" + ", " - "), (" * ", " / ", " @ ")):
        parts = split_outside(right, signs)
        if len(parts) > 1:
            return [f"{indent}{name} = (", *[f"{indent}{INDENT}{p.strip()}" for p in parts], f"{indent})"]
    return [indent + code]


def split_outside(text: str, signs: tuple[str, ...]) -> list[str]:
    """The text cut before every one of the signs that stands outside all brackets."""
    parts, start, level = [], 0, 0
    for k, c in enumerate(text):
        level += (c in "([{") - (c in ")]}")
        if level == 0 and k > start and text.startswith(signs, k):
            parts.append(text[start:k])
            start = k
    return [*parts, text[start:]]


def listed(head: str, items: Iterable[str], tail: str, indent: str = INDENT) -> list[str]:
    """``head item, item tail`` in one line, or the items wrapped between the two."""
    items = list(items)
    flat = indent + head + ", ".join(items) + tail
    if len(flat) <= WIDTH:
        return [flat]
    lines, text = [indent + head], indent + INDENT
    for item in items:
        if len(text) + len(item) + 1 > WIDTH and text.strip():
            lines.append(text.rstrip())
            text = indent + INDENT
        text += item + ", "
    return [*lines, text.rstrip(), indent + tail]
