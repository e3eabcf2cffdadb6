"""Checking a module file against the model text it carries."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.checker import verify_module
from symbackprop.verify.module import load_module
from symbackprop.verify.report import Report


def verify_file(path: str | Path, *, relu0: Any = None, **options: Any) -> Report:
    """Check an emitted, perhaps hand-edited, module by its own MODEL text; options as for `verify_module`.

    Raises `BrokenModule` where the file does not load, `ModelError` where its text is no model.
    """
    module = load_module(path)
    return verify_module(module, model_of(module, Path(path), relu0), **options)


def model_of(module: ModuleType, path: Path, relu0: Any = None) -> Model:
    """The model that a module says it came from."""
    name = getattr(module, "NAME", None)
    try:
        return parse(
            module.MODEL,
            name=name if isinstance(name, str) else None,
            path=f"{path}, MODEL",
            relu0=None if relu0 is None else float(relu0),
        )
    except ModelError as error:
        raise error.at(f"{path}, MODEL") from None
