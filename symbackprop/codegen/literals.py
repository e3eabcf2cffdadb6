"""Text inside emitted code: everything a user wrote (names, summaries, model text) passes through here."""

from __future__ import annotations

import json


def string(text: str) -> str:
    """A Python string literal in double quotes, in ASCII."""
    return json.dumps(text)


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
    return "".join(c if c.isprintable() or c == "\t" else f"\\u{ord(c):04x}" for c in safe)
