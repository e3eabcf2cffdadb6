"""The stable helper functions of emitted modules, as text: a module carries those it uses and nothing else.

They live in ordinary Python files beside this one, so that they are read, linted and tested like all other code; the
files are parsed here, never imported, so emitting needs no NumPy.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILES = ("checks.py", "scalar.py", "arrays.py", "windows.py", "results.py", "workspace.py")


_NO_CODE = re.compile(r'""".*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*', re.DOTALL)
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")


class Helper(NamedTuple):
    """One function or table: its text and the helpers that it uses."""

    text: str
    uses: frozenset[str]


@cache
def library() -> dict[str, Helper]:
    """All helpers by name, in the order of the files."""
    found: dict[str, str] = {}
    for file in FILES:
        found.update(_definitions(Path(__file__).with_name(file).read_text(encoding="utf-8")))
    return {name: Helper(text, frozenset(identifiers(text) & found.keys() - {name})) for name, text in found.items()}


def _definitions(source: str) -> Iterator[tuple[str, str]]:
    for node in ast.parse(source).body:
        lines = (ast.get_source_segment(source, node) or "").splitlines()
        text = "\n".join(line.split("  # noqa")[0] for line in lines)
        if isinstance(node, ast.FunctionDef):
            yield node.name, text
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, text


def identifiers(code: str) -> set[str]:
    """The names in a piece of code: everything but attributes, strings and comments. The strings of emitted code and of
    the helpers stand in double quotes."""
    return set(_NAME.findall(_NO_CODE.sub(" ", code)))


@cache
def helper_names() -> frozenset[str]:
    return frozenset(library())


def needed(names: Iterable[str]) -> list[str]:
    """The texts of the helpers among ``names`` and of those that they use, in the order of the library."""
    found: set[str] = set()
    pending = [n for n in names if n in library()]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(library()[name].uses)
    return [helper.text for name, helper in library().items() if name in found]
