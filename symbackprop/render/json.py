"""The document as JSON; the schema is described in docs/derivation-json.md and numbered by `SCHEMA`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from symbackprop.core.maths import Math, anchors
from symbackprop.render.document import Document, Ref
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import text

SCHEMA = 1


def to_json(document: Document) -> str:
    """Text of a JSON object, keys in the order of the schema."""
    return json.dumps(as_data(document), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def as_data(document: Document) -> dict[str, Any]:
    """The document as plain data. Mathematics is ``{"text", "latex", "cites"}``, a reference ``{"anchor", "text"}``."""
    return {"schema": SCHEMA, **_fields(document)}


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Math):
        return {"text": text(value), "latex": latex(value), "cites": list(anchors(value))}
    if isinstance(value, Ref) or (is_dataclass(value) and not isinstance(value, type)):
        return _fields(value)
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> float | str:
    """JSON has no infinities: they become text."""
    return value if abs(value) < float("inf") else str(value)
