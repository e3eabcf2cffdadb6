"""Lines of code on the page: comments beside or above them, long lines broken, long lists wrapped."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from symbackprop.codegen.tree import Expr, bare, entries, names_read, pieces, statement, text

WIDTH = 110
COLUMN = 52  # where comments start when the code is short enough
INDENT = "    "


@dataclass(frozen=True)
class Line:
    """One statement of code (of a loop or a function its head), its comment, how deep in loops it stands, and the
    expression that it gives its first target."""

    code: ast.stmt
    comment: str = ""
    depth: int = 0
    value: Expr | None = None

    @cached_property
    def names(self) -> set[str]:
        return names_read([self.code])


def layout(lines: Iterable[Line], depth: int = 1) -> list[str]:
    """The lines as text, indented."""
    return [found for line in lines for found in _one(line, INDENT * (depth + line.depth))]


def _one(line: Line, indent: str) -> Iterator[str]:
    code = indent + statement(line.code)
    beside = f"{code.ljust(COLUMN)}  # {line.comment}" if line.comment else code
    if len(beside) <= WIDTH:
        yield beside.rstrip()
        return
    if line.comment:
        yield from _comment(line.comment, indent)
    yield from broken(line.code, indent)


def _comment(comment: str, indent: str) -> Iterator[str]:
    """A comment above its line, wrapped."""
    text = indent + "#"
    for word in comment.split(" "):
        if len(text) + len(word) >= WIDTH and text.strip() != "#":
            yield text
            text = indent + "#  "
        text += " " + word
    yield text


def broken(code: ast.stmt, indent: str) -> list[str]:
    """A long statement over several lines: a dictionary by its entries, a sum before its signs."""
    flat = indent + statement(code)
    if len(flat) <= WIDTH or not isinstance(code, (ast.Assign, ast.Return)) or code.value is None:
        return [flat]
    head = " = ".join(map(bare, code.targets)) + " =" if isinstance(code, ast.Assign) else "return"
    value, *rest = code.value.elts if isinstance(code.value, ast.Tuple) else [code.value]
    if isinstance(value, ast.Dict):
        return listed(f"{head} {{", entries(value), "".join(["}", *[f", {text(r)}" for r in rest]]), indent)
    parts = list(pieces(code.value))
    return [f"{indent}{head} (", *[f"{indent}{INDENT}{p}" for p in parts], f"{indent})"] if len(parts) > 1 else [flat]


def listed(head: str, items: Iterable[str], tail: str, indent: str = INDENT) -> list[str]:
    """``head item, item tail`` in one line, or the items wrapped between the two."""
    items = list(items)
    flat = indent + head + ", ".join(items) + tail
    if len(flat) <= WIDTH:
        return [flat]
    lines, text = [indent + head], indent + INDENT
    for item in items:
        if len(text) + len(item) + 1 > WIDTH and text.strip():
            lines.append(text.rstrip())
            text = indent + INDENT
        text += item + ", "
    return [*lines, text.rstrip(), indent + tail]
