"""The schema of a derivation's JSON as data, and what of a text does not follow it.

A schema is a type, a set of the values allowed, a list with the schema of its items, a dict with a schema for every key
(all of them there, and no other), or a tuple of schemas of which one has to fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = Any

NUMBER = (int, float, str)  # an infinity is text: JSON has none
MATH: dict[str, Schema] = {"text": str, "latex": str, "cites": [str]}
PROSE = [(str, MATH, {"anchor": str, "text": str})]
VALUE = (None, {"shown": (None, MATH), "data": (*NUMBER, list)})
KINDS = {"definition", "chain", "cached", "local", "substitution", "result", "element", "layout", "value", "note"}
KINDS |= {"loop"}  # the heading of a loop
LINE = {"kind": KINDS, "left": (None, MATH), "sign": str, "right": MATH, "reason": PROSE, "value": VALUE}
SHAPE = (None, MATH)

DECLARATION = {
    "name": str,
    "anchor": str,
    "math": MATH,
    "role": {"param", "data", "input", "constant", "upstream"},
    "shape": SHAPE,
    "note": PROSE,
    "value": VALUE,
    "whole": bool,
}
EQUATION = {
    "number": int,
    "name": str,
    "anchor": str,
    "line": LINE,
    "shape": SHAPE,
    "introduced": bool,
    "value": VALUE,
    "depth": int,
}
STEP = {
    "number": int,
    "name": str,
    "anchor": str,
    "target": MATH,
    "symbol": MATH,
    "title": PROSE,
    "role": {"seed", "intermediate", "result", "loop"},
    "shape": SHAPE,
    "lines": [LINE],
    "cached": [{"anchor": str, "text": str}],
    "path": PROSE,
    "value": VALUE,
    "depth": int,
}
ROW = {
    "name": str,
    "anchor": str,
    "parameter": MATH,
    "gradient": MATH,
    "shape": SHAPE,
    "cost": MATH,
    "stores": [MATH],
}
DERIVATION = {
    "schema": int,
    "name": str,
    "summary": str,
    "source": str,
    "view": {"scalar", "index", "jacobian", "matrix"},
    "layout": {"shape", "jacobian"},
    "detail": {"board", "brief", "full"},
    "heading": PROSE,
    "conventions": [PROSE],
    "glossary": [PROSE],
    "declarations": [DECLARATION],
    "forward": [EQUATION],
    "steps": [STEP],
    "table": [ROW],
    "total_cost": MATH,
    "stored": [MATH],
    "updates": [LINE],
    "notes": [PROSE],
}


def problems(value: object, schema: Schema = DERIVATION, where: str = "$") -> Iterator[str]:
    """Where the value is not what the schema says, one sentence for each place."""
    if isinstance(schema, tuple):
        if all(any(problems(value, one, where)) for one in schema):
            yield from problems(value, _nearest(value, schema), where)
    elif isinstance(schema, dict):
        yield from _object_problems(value, schema, where)
    elif isinstance(schema, list):
        yield from _list_problems(value, schema[0], where)
    elif isinstance(schema, set):
        yield from () if isinstance(value, str) and value in schema else (f"{where}: {value!r} is not allowed",)
    elif not (value is None if schema is None else type(value) is schema):
        yield f"{where}: {value!r} stands where {schema} belongs"


def _object_problems(value: object, schema: dict[str, Schema], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    yield from (f"{where}.{key}: missing" for key in schema if key not in value)
    yield from (f"{where}.{key}: not in the schema" for key in value if key not in schema)
    for key in schema.keys() & value.keys():
        yield from problems(value[key], schema[key], f"{where}.{key}")


def _list_problems(value: object, item: Schema, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: {value!r} is no list"
        return
    for k, one in enumerate(value):
        yield from problems(one, item, f"{where}[{k}]")


def _nearest(value: object, schemas: tuple[Schema, ...]) -> Schema:
    """The alternative to complain about: the object with the most of the value's keys, or the first."""
    if not isinstance(value, dict):
        return schemas[0]
    return max(schemas, key=lambda s: len(s.keys() & value.keys()) if isinstance(s, dict) else -1)
