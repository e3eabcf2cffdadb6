"""The checker shares nothing with what it checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from symbackprop.verify import interpreter

FOLDER = Path(interpreter.__file__).parent
ALLOWED = tuple(f"symbackprop.{part}" for part in ("errors", "targets", "apart", "core", "model", "verify"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield node.module or ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "__import__", "import_module"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.name)
def test_verify_imports_the_core_and_the_model_only(path: Path) -> None:
    ours = [name for name in imported(ast.parse(path.read_text())) if name.split(".")[0] == "symbackprop"]
    assert [name for name in ours if not name.startswith(ALLOWED)] == []
    assert "symbackprop.core.reverse" not in ours, "the checker does not know the reverse sweep"
