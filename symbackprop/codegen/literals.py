"""Text inside emitted code: everything a user wrote (names, summaries, model text) passes through here."""

from __future__ import annotations

from symbackprop.core.shapes import Dim, Shape, dim_text


def string(text: str) -> str:
    """A Python string literal in double quotes."""
    return '"' + "".join(_character(c) for c in text) + '"'


def _character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return c if c.isprintable() else _escaped(c)


def _escaped(c: str) -> str:
    """A character by its number."""
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


def doc_text(text: str) -> str:
    """Text inside a docstring or a comment: one line, nothing that could end the string or the comment."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.replace("\\", "\\\\").replace('"', "'")


def model_literal(text: str) -> str:
    """Model text as a triple-quoted literal that reads like the text itself."""
    lines = [_line(line) for line in text.rstrip("\n").split("\n")]
    return '"""\\\n' + "\n".join(lines) + '\n"""'


def _line(line: str) -> str:
    safe = line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in safe)


def shape_like(items: list[str]) -> str:
    """A tuple of the items."""
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"


def shape_literal(shape: Shape) -> str:
    """``("N", "D")``, ``()``; sizes known by number stay numbers."""
    return shape_like([dim_literal(d) for d in shape])


def dim_literal(d: Dim) -> str:
    return str(int(d)) if d.is_Integer else string(dim_text(d))
