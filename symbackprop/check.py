"""`verify`: a model's emitted module, written to a file, run from there, checked against the model.

The only place where emission and verification meet; neither knows the other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from symbackprop.model.model import Model
from symbackprop.verify import Report, load_module, verify_module


def verify(model: Model | str, **options: Any) -> Report:
    """Check the gradients that would be emitted for a model (or a built-in model by name).

    Options: ``seed``, ``trials`` (random points; chosen by size when left out), ``method`` (auto, central, complex),
    ``sizes`` of dimensions, ``progress``. The report is true in a condition when everything passed.
    """
    from symbackprop.codegen import codegen

    model = _loaded(model)
    return verify_source(codegen(model), model, **options)


def verify_source(source: str, model: Model, **options: Any) -> Report:
    """Check the text of a module against a model, as a file loaded from disk."""
    with tempfile.TemporaryDirectory(prefix="symbackprop-") as folder:
        path = Path(folder) / f"{model.name.replace('-', '_')}.py"
        path.write_text(source, encoding="utf-8")
        return verify_module(load_module(path), model, **options)


def _loaded(model: Model | str) -> Model:
    if isinstance(model, Model):
        return model
    from symbackprop.model import load

    return load(model)
