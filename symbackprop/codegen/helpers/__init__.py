"""The stable helper functions of emitted modules, as text: a module carries those it uses and nothing else.

They live in ordinary Python files beside this one, so that they are read, linted and tested like all other code; the
files are parsed here, never imported, so emitting needs no NumPy. Those of another target are NumPy's with the name
that it has for NumPy, such as ``jnp``, but for what `unchanging` and a file of that name define; and a function of
NumPy that such a file defines, or gives another name (``ndarray = torch.Tensor``), is that one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from symbackprop.codegen.tree import names_read

FILES = ("checks.py", "scalar.py", "arrays.py", "results.py")
UNCHANGING = "unchanging.py"  # for targets other than NumPy


class Helper(NamedTuple):
    """One function, class or table: its text, the helpers that it uses, and the places of arguments that are plain
    numbers, never arrays."""

    text: str
    uses: frozenset[str]
    numbers: frozenset[int]


Definition = ast.FunctionDef | ast.ClassDef | ast.Assign


@cache
def library(module: str = "np") -> dict[str, Helper]:
    """All helpers by name, in the order of the files; ``module`` is what NumPy is called."""
    found: dict[str, tuple[Definition, str]] = {}
    for file in FILES:
        found |= _definitions(file, module)
    if module != "np":
        found |= _definitions(UNCHANGING, module, "jax.Array" if module == "jnp" else "") | _added(module)
    used = {name: names_read([tree]) & found.keys() - {name} for name, (tree, _) in found.items()}
    return {name: Helper(text, frozenset(used[name]), _numbers(tree)) for name, (tree, text) in found.items()}


def _numbers(definition: Definition) -> frozenset[int]:
    args = definition.args.args if isinstance(definition, ast.FunctionDef) else []
    plain = (isinstance(a.annotation, ast.Name) and a.annotation.id in ("float", "int") for a in args)
    return frozenset(k for k, is_plain in enumerate(plain) if is_plain)


@cache
def spelled(function: str, module: str) -> str:
    """What a module calls NumPy's function of that name: ``jnp.exp``, or as a helper that stands for it."""
    own = _own(module).get(function)
    return f"{module}.{function}" if own is None else _renames(own[0]) or function


def _own_files() -> list[str]:
    return sorted({path.name for path in Path(__file__).parent.glob("*.py")} - {*FILES, UNCHANGING, "__init__.py"})


@cache
def _own(module: str) -> dict[str, tuple[Definition, str]]:
    """What the file of a target defines, if there is one."""
    return _definitions(f"{module}.py") if f"{module}.py" in _own_files() else {}


def _added(module: str) -> dict[str, tuple[Definition, str]]:
    """What of it is a function, a class or a table, and no other name."""
    return {name: own for name, own in _own(module).items() if _renames(own[0]) is None}


def _renames(definition: Definition) -> str | None:
    """The other name that a definition gives to a function of NumPy."""
    value = definition.value if isinstance(definition, ast.Assign) else None
    return ast.unparse(value) if isinstance(value, (ast.Name, ast.Attribute)) else None


def _definitions(file: str, module: str = "np", array: str = "") -> dict[str, tuple[Definition, str]]:
    """The definitions of a file by name, with a target's names for NumPy and its functions, and another one for its
    arrays."""
    source = Path(__file__).with_name(file).read_text(encoding="utf-8")
    renamed = _Renamed(module, array)
    tree = ast.parse(source) if module == "np" else renamed.visit(ast.parse(source))
    lines = [line.split("  # noqa")[0].encode() for line in source.splitlines()]  # columns count bytes
    for row, start, end, own in sorted(renamed.places, reverse=True):
        lines[row - 1] = lines[row - 1][:start] + own.encode() + lines[row - 1][end:]
    found: dict[str, tuple[Definition, str]] = {}
    for node in tree.body:
        if isinstance(node, Definition):
            first = min([node.lineno, *[d.lineno for d in getattr(node, "decorator_list", [])]])
            name = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else node.name
            found[name] = node, b"\n".join(lines[first - 1 : node.end_lineno]).decode()
    return found


class _Renamed(ast.NodeTransformer):
    """Gives NumPy's functions a target's names, and says where they stand."""

    def __init__(self, module: str, array: str) -> None:
        self.module, self.array, self.places = module, array, list[tuple[int, int, int, str]]()

    def visit(self, node: ast.AST) -> Any:
        match node:
            case ast.Attribute(ast.Name("np"), function):
                return self._put(node, function)
            case ast.BinOp(ast.Attribute(ast.Name("np"), "ndarray"), ast.BitOr()) if self.module == "torch":
                return self._put(node, "ndarray")  # its functions take and return no plain numbers
        return self.generic_visit(node)

    def _put(self, node: ast.expr, function: str) -> ast.expr:
        own = (function == "ndarray" and self.array) or spelled(function, self.module)
        self.places.append((node.lineno, node.col_offset, node.end_col_offset or 0, own))
        return ast.parse(own, mode="eval").body


@cache
def helper_names() -> frozenset[str]:
    """Those of all targets, of whose libraries the texts are not needed."""
    return frozenset(library()).union(*[_added(own.removesuffix(".py")) for own in _own_files()])


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
