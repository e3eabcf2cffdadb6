"""The stable helper functions of emitted modules, as text: a module carries those it uses and nothing else.

They live in ordinary Python files beside this one, so that they are read, linted and tested like all other code; the
files are parsed here, never imported, so emitting needs no NumPy. Those of another target are NumPy's with the name
that it has for NumPy, such as ``jnp``, but for what a file of that name defines itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from symbackprop.codegen.tree import names_read

FILES = ("checks.py", "scalar.py", "arrays.py", "results.py")


class Helper(NamedTuple):
    """One function, class or table: its text and the helpers that it uses."""

    text: str
    uses: frozenset[str]


Definition = ast.FunctionDef | ast.ClassDef | ast.Assign


@cache
def library(module: str = "np") -> dict[str, Helper]:
    """All helpers by name, in the order of the files; ``module`` is what NumPy is called."""
    found: dict[str, tuple[Definition, str]] = {}
    for file in (*FILES, *[own for own in _own_files() if own == f"{module}.py"]):
        found |= _definitions(file, module)
    used = {name: names_read([tree]) & found.keys() - {name} for name, (tree, _) in found.items()}
    return {name: Helper(text, frozenset(used[name])) for name, (_, text) in found.items()}


def _own_files() -> list[str]:
    return sorted({path.name for path in Path(__file__).parent.glob("*.py")} - {*FILES, "__init__.py"})


def _definitions(file: str, module: str) -> dict[str, tuple[Definition, str]]:
    """The definitions of a file by name, with ``module`` for what it calls np."""
    source = Path(__file__).with_name(file).read_text(encoding="utf-8")
    lines = [line.split("  # noqa")[0] for line in re.sub(r"\bnp\b", module, source).splitlines()]
    found: dict[str, tuple[Definition, str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, Definition):
            first = min([node.lineno, *[d.lineno for d in getattr(node, "decorator_list", [])]])
            name = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else node.name
            found[name] = node, "\n".join(lines[first - 1 : node.end_lineno])
    return found


@cache
def helper_names() -> frozenset[str]:
    return frozenset(library()).union(*[library(own.removesuffix(".py")) for own in _own_files()])


def needed(names: Iterable[str], module: str = "np") -> list[str]:
    """The texts of the helpers among ``names`` and of those that they use, in the order of the library."""
    found: set[str] = set()
    known = library(module)
    pending = [n for n in names if n in known]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(known[name].uses)
    return [helper.text for name, helper in known.items() if name in found]
