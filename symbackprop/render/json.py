"""The document as JSON; the schema is described in docs/derivation-json.md and numbered by `SCHEMA`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import sympy as sp

from symbackprop.core.literals import number_text
from symbackprop.core.maths import Math, anchors
from symbackprop.render.document import Document
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import text

SCHEMA = 1
DATA = "as data"  # where a tree keeps what it is as data: many hold the same ones


def to_json(document: Document) -> str:
    """Text of a JSON object, keys in the order of the schema; a tree stands in one line. Mathematics is ``{"text",
    "latex", "cites", "tree"}``, a reference ``{"anchor", "text"}``."""
    return "".join(json_pieces(document))


def json_pieces(document: Document) -> Iterator[str]:
    """The same in pieces: one for every equation, every step …"""
    yield f'{{\n "schema": {SCHEMA}'
    for f in fields(document):
        yield f",\n {_line(f.name)}: "
        value = getattr(document, f.name)
        yield from _members(value) if isinstance(value, tuple) and value else (_written(_plain(value), "\n "),)
    yield "\n}\n"


def _members(values: tuple[Any, ...]) -> Iterator[str]:
    newline, start = "\n  ", "["
    for value in values:
        yield f"{start}{newline}{_written(_plain(value), newline)}"
        start = ","
    yield "\n ]"


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Math):
        return {"text": text(value), "latex": latex(value), "cites": list(anchors(value)), "tree": tree(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return _number(value) if isinstance(value, float) else value


def tree(value: Any) -> Any:
    """A tree as plain data: a node is an object with its kind in ``node`` and its fields, but for those that have the
    value they usually have; numbers and sizes are model text."""
    if isinstance(value, Math):
        return value.__dict__.get(DATA) or value.__dict__.setdefault(DATA, _node(value))
    if isinstance(value, tuple):
        return [tree(v) for v in value]
    if isinstance(value, sp.Basic):
        return _exact(value)
    return _number(value) if isinstance(value, float) else value


def _node(m: Math) -> dict[str, Any]:
    told = {"node": type(m).__name__}
    for name, usual in _usual(type(m)):
        own = getattr(m, name)
        if own is not usual and own != usual:
            told[name] = tree(own)
    return told


def _usual(kind: type[Math]) -> tuple[tuple[str, Any], ...]:
    """The fields of a kind of node with the values that they usually have."""
    if kind not in _KNOWN:
        _KNOWN[kind] = tuple([(f.name, f.default) for f in fields(kind)])
    return _KNOWN[kind]


_KNOWN: dict[type[Math], tuple[tuple[str, Any], ...]] = {}


@lru_cache(maxsize=4096)
def _exact(value: sp.Basic) -> str:
    return number_text(value).text


def _number(value: float) -> float | str:
    """JSON has no infinities: they become text."""
    return value if abs(value) < float("inf") else str(value)


def _written(value: Any, newline: str) -> str:
    """Indented JSON, but trees in one line."""
    inner = newline + " "
    if isinstance(value, dict) and value:
        items = [f"{_line(k)}: {_line(v) if k == 'tree' else _written(v, inner)}" for k, v in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{newline}}}"
    if isinstance(value, list) and value:
        return f"[{inner}{f',{inner}'.join([_written(v, inner) for v in value])}{newline}]"
    return _line(value)


_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
