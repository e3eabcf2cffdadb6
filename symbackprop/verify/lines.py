"""Where in its file a module gives something a value: what a sentence about a mistake ends with."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from pathlib import Path
from types import ModuleType


def line_of(module: ModuleType, name: str, function: str = "") -> str:
    """`` (net.py:12: m_new = …)``: the line of a function of the module (of none: of the module itself) that gives
    ``name`` a value, as a variable or under that key; where there is none the function's own; else nothing."""
    path = getattr(module, "__file__", None)
    if path is None or not Path(path).is_file():
        return ""
    linecache.checkcache(path)
    lines = linecache.getlines(path)
    number = _number("".join(lines), name, function)
    if number is None:
        return ""
    return f" ({Path(path).name}:{number}: {lines[number - 1].partition('  #')[0].strip()})"


@lru_cache(maxsize=64)
def _number(source: str, name: str, function: str) -> int | None:
    body = ast.parse(source).body
    functions = {n.name: n for n in body if isinstance(n, ast.FunctionDef)}
    if function and function not in functions:
        return None
    places = [functions[function]] if function else [n for n in body if isinstance(n, (ast.Assign, ast.AnnAssign))]
    found = [line for place in places for n in ast.walk(place) if (line := _gives(n, name))]
    return min(found, default=functions[function].lineno if function else None)


def _gives(node: ast.AST, name: str) -> int | None:
    """The line of a variable of that name that is assigned to, or of a key of that name."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
        return node.lineno
    return node.lineno if isinstance(node, ast.Constant) and node.value == name else None
