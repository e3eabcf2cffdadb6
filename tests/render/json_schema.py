"""The schema of a derivation's JSON as data, and what of a text does not follow it.

A schema is a type, a set of the values allowed, a list with the schema of its items, a dict with a schema for every key
(all of them there, and no other), a tuple of schemas of which one has to fit, or a function that finds the problems.
Trees are checked against the dataclasses of their nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, ForwardRef, Union, get_args, get_origin, get_type_hints

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.maths import Math

Schema = Any

NUMBER = (int, float, str)  # an infinity is text: JSON has none
NODES = {c.__name__: c for c in vars(maths).values() if isinstance(c, type) and issubclass(c, Math) and c is not Math}


def tree_problems(value: object, where: str) -> Iterator[str]:
    """Where a tree is not made of nodes with their fields; those that have a usual value may be left out."""
    kind = NODES.get(str(value.get("node"))) if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind is None:
        yield f"{where}: {value!r} is no node"
        return
    types = {f.name: f.type for f in fields(kind)}
    needed = {f.name for f in fields(kind) if f.default is MISSING}
    yield from (f"{where}.{key}: missing" for key in needed - value.keys())
    yield from (f"{where}.{key}: no field of {kind.__name__}" for key in value.keys() - types.keys() - {"node"})
    hints = get_type_hints(kind, vars(maths))
    for key in types.keys() & value.keys():
        yield from field_problems(value[key], hints[key], f"{where}.{key}")


def field_problems(value: object, hint: Any, where: str) -> Iterator[str]:
    """Where a value is not of the type that a field of a node has."""
    if get_origin(hint) in (Union, UnionType):
        if all(any(field_problems(value, one, where)) for one in get_args(hint)):
            yield f"{where}: {value!r} is none of {hint}"
    elif get_origin(hint) is tuple:
        yield from _tuple_problems(value, get_args(hint), where)
    elif isinstance(hint, (ForwardRef, str)):
        name = hint if isinstance(hint, str) else hint.__forward_arg__
        yield from field_problems(value, getattr(maths, name), where)
    elif isinstance(hint, type) and issubclass(hint, Math):
        yield from tree_problems(value, where)
        if hint is not Math and isinstance(value, dict) and value.get("node") != hint.__name__:
            yield f"{where}: {value.get('node')} stands where {hint.__name__} belongs"
    elif type(value) not in ((str,) if hint is sp.Expr else NUMBER if hint is float else (hint,)):
        yield f"{where}: {value!r} stands where {hint} belongs"


def _tuple_problems(value: object, hints: tuple[Any, ...], where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: {value!r} is no list"
        return
    each = [hints[0]] * len(value) if hints[-1] is Ellipsis else list(hints)
    if len(each) != len(value):
        yield f"{where}: {len(value)} items, not {len(each)}"
    for k, (one, hint) in enumerate(zip(value, each, strict=False)):
        yield from field_problems(one, hint, f"{where}[{k}]")


MATH: dict[str, Schema] = {"text": str, "latex": str, "cites": [str], "tree": tree_problems}
PROSE = [(str, MATH, {"anchor": str, "text": str})]
VALUE = (None, {"shown": (None, MATH), "data": (*NUMBER, list)})
KINDS = {"definition", "chain", "cached", "local", "substitution", "result", "element", "layout", "value", "note"}
KINDS |= {"terms", "part", "closed", "check", "written", "loop"}  # the heading of a loop
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
    "role": {"seed", "intermediate", "result", "loop", "second"},
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
    "costs": PROSE,
    "rate": MATH,
    "stored": [MATH],
    "updates": [LINE],
    "checks": [LINE],
    "notes": [PROSE],
    "rules": [{"number": int, "anchor": str, "title": str, "lines": [LINE]}],
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
    elif schema is tree_problems:
        yield from tree_problems(value, where)
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
