"""Lines of a module's file, as a sentence about a mistake ends with them."""

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
    number = _number("".join(_lines(path)), name, function)
    return "" if number is None else f" ({shown(path, number)})"


def shown(path: str | Path, number: int, since: int | None = None) -> str:
    """``net.py:12: m_new = …``: a line of a file, without its comment; ``net.py:9 to 12: …`` with those before it."""
    place = number if since is None else f"{since} to {number}"
    return f"{Path(path).name}:{place}: {_lines(path)[number - 1].partition('  #')[0].strip()}"


def _lines(path: str | Path) -> list[str]:
    linecache.checkcache(str(path))
    return linecache.getlines(str(path))


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
