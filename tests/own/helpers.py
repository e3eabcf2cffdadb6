"""Running the cases: a file with the code, perhaps edited, checked against its model."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from symbackprop import Model, check, load
from symbackprop.apart.source import loaded, member
from symbackprop.own import Report, check_file
from tests.own.cases import CODE, MODELS, Right, Wrong

NEEDS = {"torches.py": "torch", "jaxes.py": "jax"}


def model(name: str) -> Model:
    return Model.parse(MODELS[name], name=name) if name in MODELS else load(name)


def checked(case: Right | Wrong, folder: Path, apart: bool = False, **options: Any) -> Report:
    """The report on a case; the code is written to ``folder``, and run here, or in a process of its own."""
    library = NEEDS.get(case.file, "numpy")
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    source = (CODE / case.file).read_text(encoding="utf-8")
    if isinstance(case, Wrong):
        assert case.old in source, f"{case}: {case.old!r} is not in {case.file}"
        source = source.replace(case.old, case.new)
    path = folder / case.file
    path.write_text(source, encoding="utf-8")
    if apart:
        return check_file(model(case.model), f"{path}:{case.name}" if case.name else str(path), **options)
    with loaded(path) as module:
        return check(model(case.model), member(module, case.name, path) if case.name else module, **options)
