"""The lines of an answers file: comments dropped, open brackets joined, loops with their bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.errors import SyntaxProblem

MAX_TEXT, MAX_LINE, MAX_LINES = 1_000_000, 20_000, 5_000
_LOOP = re.compile(
    r"for\s+(?P<counter>[A-Za-z_]\w*)\s*(?:in|=|from)\s*(?P<reverse>reversed\s*\()?\s*(?P<range>.+?)\s*:?\s*$",
    re.IGNORECASE,
)
_RANGES = (
    re.compile(r"(?P<start>[\w+\- ]+?)\s*(?:,?\s*\.\.\.?\s*,?|…|,\s*…\s*,|\bto\b|\bdownto\b)\s*(?P<stop>[\w+\- ]+)$"),
    re.compile(r"(?P<start>[\w+\- ]+?)\s*,\s*(?P<stop>[\w+\- ]+?)$"),
)
_PYTHON = re.compile(
    r"range\s*\(\s*(?:(?P<start>[\w+\- ]+?)\s*,)?\s*(?P<stop>[\w+\- ]+?)\s*(?:,\s*(?P<step>[-+]?\s*1)\s*)?$"
)


@dataclass(frozen=True)
class Line:
    """One statement: its first line's number, its indentation, its text. ``body`` belongs to a loop."""

    number: int
    text: str
    loop: Loop | None = None


@dataclass(frozen=True)
class Loop:
    """``for counter in start..stop:`` and the lines in it."""

    counter: str
    start: str
    stop: str
    body: tuple[Line, ...]


def read_lines(text: str) -> tuple[Line, ...]:
    """The statements of a text. Raises `SyntaxProblem`, with the line as its place, where there is no structure."""
    if len(text) > MAX_TEXT:
        raise SyntaxProblem(f"the answers have {len(text)} characters; at most {MAX_TEXT} are read")
    flat = _joined(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    if len(flat) > MAX_LINES:
        raise SyntaxProblem(f"the answers have more than {MAX_LINES} lines")
    return tuple(_block(flat, 0, 0)[0])


def _joined(physical: Sequence[str]) -> list[tuple[int, int, str]]:
    """(number, indentation, text) of every statement."""
    result: list[tuple[int, int, str]] = []
    pending = ""
    for number, raw in enumerate(physical, 1):
        if len(raw) > MAX_LINE:
            raise SyntaxProblem(f"line {number} has more than {MAX_LINE} characters")
        bare = raw.split("#", 1)[0].split("//", 1)[0].rstrip().expandtabs(4)
        if not pending and bare.strip():
            start, indent = number, len(bare) - len(bare.lstrip())
        more = bare.endswith("\\") and not bare.endswith("\\\\")
        pending = f"{pending} {bare.strip().removesuffix(chr(92))}".strip()
        open_brackets = sum(pending.count(c) for c in "([") - sum(pending.count(c) for c in ")]")
        if pending and not more and (open_brackets <= 0 or _starts_statement(physical, number)):
            result.append((start, indent, pending))
            pending = ""
    return [*result, (start, indent, pending)] if pending else result


def _starts_statement(physical: Sequence[str], number: int) -> bool:
    """Whether the next line is a statement of its own, so that an open bracket is a slip and not a line break."""
    rest = next((raw for raw in physical[number:] if raw.split("#", 1)[0].strip()), "x = ")
    return re.match(r"\s*[^\W\d][\w/∂\[\]. ]*(:|\+)?=(?!=)", rest) is not None


def _block(flat: Sequence[tuple[int, int, str]], place: int, indent: int) -> tuple[list[Line], int]:
    lines: list[Line] = []
    while place < len(flat) and flat[place][1] >= indent:
        number, own, text = flat[place]
        place += 1
        if not re.match(r"for\b", text, re.IGNORECASE):
            lines.append(Line(number, text))
            continue
        head, _, inline = text.partition(":")
        counter, start, stop = _range(head, number)
        body, place = ([Line(number, inline.strip())], place) if inline.strip() else _block(flat, place, own + 1)
        if not body:
            raise SyntaxProblem("the loop has no body: indent the lines that belong to it", f"line {number}")
        lines.append(Line(number, text, Loop(counter, start, stop, tuple(body))))
    return lines, place


def _bounds(text: str) -> tuple[str, str] | None:
    """(first, last) of a range; the end of Python's ``range`` is not part of it."""
    python = _PYTHON.match(text)
    if python is not None:
        last = "+ 1" if (python["step"] or "").startswith("-") else "- 1"
        return (python["start"] or "0").strip(), f"{python['stop'].strip()} {last}"
    found = next((m for r in _RANGES if (m := r.match(text))), None)
    return None if found is None else (found["start"].strip(), found["stop"].strip())


def _range(text: str, number: int) -> tuple[str, str, str]:
    """(counter, start, stop) of a loop's head."""
    head = _LOOP.match(text)
    within = "" if head is None else head["range"].strip().rstrip(") ")
    bounds = _bounds(within)
    if head is None or bounds is None:
        raise SyntaxProblem("a loop is written `for t in 1..T:` or `for t in T..1:`", f"line {number}")
    start, stop = bounds
    return (head["counter"], stop, start) if head["reverse"] else (head["counter"], start, stop)
