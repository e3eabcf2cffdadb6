"""The built-in models: one `.sbp` file each in this directory, the file's name being the model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.model.text.header import Header, read_header

DIRECTORY = Path(__file__).parent


class Entry(NamedTuple):
    """What a listing says about a built-in model."""

    name: str
    summary: str
    source: str
    tags: tuple[str, ...]


@cache
def names() -> tuple[str, ...]:
    """The names of all built-in models, sorted."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.sbp")))


def text(name: str) -> str:
    """The model text of a built-in model."""
    return (DIRECTORY / f"{name}.sbp").read_text(encoding="utf-8")


def build(name: str, relu0: Any = None, define: Mapping[str, str] | None = None) -> Model:
    """A fresh copy of a built-in model."""
    return parse(text(name), name=name, path=f"{name}.sbp", relu0=relu0, define=define)


def entries(tag: str | None = None) -> list[Entry]:
    """The listing, read from the headers alone; only models with the tag when one is given."""
    found = [_entry(name, read_header(text(name))) for name in names()]
    return [e for e in found if tag is None or tag in e.tags]


def _entry(name: str, header: Header) -> Entry:
    return Entry(name, header.summary, header.source, header.tags)


def listing_text(listed: Sequence[Entry]) -> str:
    """Name, summary, tags in columns."""
    width = max((len(e.name) for e in listed), default=0)
    return "\n".join(f"{e.name.ljust(width)}   {e.summary} [{', '.join(e.tags)}]" for e in listed) + "\n"


def tags() -> list[str]:
    """Every tag that some model has."""
    return sorted({tag for entry in entries() for tag in entry.tags})
