"""Emitting a model and running what was emitted, as a file."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.codegen import codegen
from symbackprop.model.model import Model
from symbackprop.model.text import parse

ALONG = ("hvp", "jvp")  # the products that every model has; ggn asks for a loss that is convex in outputs
_numbers = count()


def run(text: str, folder: Path) -> ModuleType:
    """The module of an emitted text, imported from a file of its own."""
    path = folder / f"emitted_{next(_numbers)}.py"
    path.write_text(text, encoding="utf-8")
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def emit(model: Model | str, folder: Path, **options: Any) -> ModuleType:
    """The module of a model, or of model text."""
    return run(codegen(parse(model) if isinstance(model, str) else model, **options), folder)


def body(text: str, function: str) -> str:
    """The code of one function of a module's text, comments and docstring left out."""
    start = text.index(f"def {function}(")
    lines = text[start:].split("\n\n\n")[0].splitlines()[2:]
    return "\n".join(line.split("  #")[0].rstrip() for line in lines if not line.strip().startswith("#"))
