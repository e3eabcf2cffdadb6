"""What a model says about itself: comment lines ``# key: value`` before its first statement."""

from __future__ import annotations

from dataclasses import dataclass, field

from symbackprop.model.text.tokens import physical_lines
from symbackprop.patterns import lazy

_ENTRY = lazy(r"#\s*(name|summary|source|tags|example|note):\s*(.*\S)\s*\Z")


@dataclass
class Header:
    """Name, one-line summary, source, tags, example values (as text) and notes."""

    name: str = ""
    summary: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    example: str = ""
    notes: list[str] = field(default_factory=list)


def read_header(text: str) -> Header:
    """The header of a model text; other comments are only comments."""
    header = Header()
    for line in physical_lines(text):
        line = line.strip()
        if line and not line.startswith("#"):
            break
        entry = _ENTRY.match(line)
        if entry:
            _store(header, entry.group(1), entry.group(2))
    return header


def _store(header: Header, key: str, value: str) -> None:
    if key == "note":
        header.notes.append(value)
    elif key == "tags":
        header.tags = tuple(t.strip() for t in value.split(",") if t.strip())
    else:
        setattr(header, key, value)


def header_lines(header: Header) -> list[str]:
    """The comment lines that `read_header` reads back."""
    entries = [
        ("name", header.name),
        ("summary", header.summary),
        ("source", header.source),
        ("tags", ", ".join(header.tags)),
        ("example", header.example),
        *[("note", note) for note in header.notes],
    ]
    return [f"# {key}: {' '.join(value.split())}" for key, value in entries if value.strip()]
