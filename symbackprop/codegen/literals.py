"""Text inside emitted code: everything a user wrote (names, summaries, model text) passes through here."""

from __future__ import annotations


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
