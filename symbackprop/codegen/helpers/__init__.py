"""The stable helper functions of emitted modules, as text: a module carries those it uses and nothing else.

They live in ordinary Python files beside this one, so that they are read, linted and tested like all other code; the
files are parsed here, never imported, so emitting needs no NumPy. Those of the JAX target are NumPy's with ``jnp`` for
``np``, but for what `jax.py` defines itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from symbackprop.codegen.tree import names_read

FILES = ("checks.py", "scalar.py", "arrays.py", "windows.py", "results.py", "workspace.py")


class Helper(NamedTuple):
    """One function, class or table: its text and the helpers that it uses."""

    text: str
    uses: frozenset[str]


Definition = ast.FunctionDef | ast.ClassDef | ast.Assign


@cache
def library(target: str = "numpy") -> dict[str, Helper]:
    """All helpers of a target by name, in the order of the files."""
    found: dict[str, tuple[Definition, str]] = {}
    for file in FILES:
        found |= _definitions(file, "np" if target == "numpy" else "jnp")
    if target == "jax":
        found |= _definitions("jax.py", "jnp")
    used = {name: names_read([tree]) & found.keys() - {name} for name, (tree, _) in found.items()}
    return {name: Helper(text, frozenset(used[name])) for name, (_, text) in found.items()}


def _definitions(file: str, module: str) -> dict[str, tuple[Definition, str]]:
    """The definitions of a file by name, with ``module`` for what it calls np."""
    source = Path(__file__).with_name(file).read_text(encoding="utf-8")
    lines = source.splitlines()
    found: dict[str, tuple[Definition, str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, Definition):
            name = node.targets[0].id if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) else ""
            found[name or getattr(node, "name", "")] = node, "\n".join(_text(node, lines, module))
    return found


def _text(node: Definition, lines: list[str], module: str) -> Iterator[str]:
    """The lines of a definition, its decorators among them."""
    places: dict[int, list[int]] = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id == "np":
            places.setdefault(inner.lineno, []).append(inner.col_offset)
    first, last = min([node.lineno, *[d.lineno for d in getattr(node, "decorator_list", [])]]), node.end_lineno or 0
    for number in range(first, last + 1):
        line = lines[number - 1] if number < last else lines[number - 1][: node.end_col_offset]
        for start in sorted(places.get(number, ()), reverse=True):
            line = line[:start] + module + line[start + 2 :]
        yield line.split("  # noqa")[0]


@cache
def helper_names() -> frozenset[str]:
    return frozenset(library()) | frozenset(library("jax"))


def needed(names: Iterable[str], target: str = "numpy") -> list[str]:
    """The texts of the helpers among ``names`` and of those that they use, in the order of the library."""
    found: set[str] = set()
    known = library(target)
    pending = [n for n in names if n in known]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(known[name].uses)
    return [helper.text for name, helper in known.items() if name in found]
