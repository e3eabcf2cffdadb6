"""What the examples of second derivatives share: the emitted module of a model text, imported from a file."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop import Model, codegen


def emitted(model: Model | str, **options: Any) -> ModuleType:
    """The NumPy module of a model; options as of `codegen`, such as hvp=True."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "emitted.py"
        path.write_text(codegen(model, **options), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    return found
