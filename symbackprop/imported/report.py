"""`symbackprop import`: what a file hands over, and what a module is made of and cannot be read of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from symbackprop.errors import UsageError
from symbackprop.imported.reading import Reading

HANDED = "a function that returns (module, args), args being what the module is called with"


def reading(spec: str, rename: Mapping[str, str], fold: bool) -> Reading:
    """What becomes of net.onnx, or of NAME of a file, whose repeated blocks are loops with ``fold``."""
    from symbackprop.model.load import python_value

    if spec.endswith(".onnx"):
        from symbackprop.imported import onnx

        return onnx.read(spec, rename=rename)
    from symbackprop.imported import torch

    torch.needed()
    module, args, shapes = handed(python_value(spec), spec)
    return torch.read(module, args, dynamic_shapes=shapes, rename=rename, fold=fold,
                      name=spec.rpartition(".py:")[2])


def handed(value: Any, spec: str) -> tuple[Any, Any, Any]:
    """The module, its arguments and the dynamic shapes among what NAME of a file is or returns."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        raise UsageError(f"{spec} is {type(value).__name__!r}: {HANDED}, is expected")
    module, args, shapes = (*value, None)[:3]
    return module, args, shapes


def report_text(reading: Reading) -> str:
    """What is refused, a line each, then how often every operator stands in the module."""
    refused = [str(problem) for problem in reading.problems]
    counts = [f"{count:5}  {name}" for name, count in sorted(reading.operators.items())]
    head = f"refused: {len(refused)}" if refused else "all of it can be read"
    return "\n".join([head, *(f"    {line}" for line in refused), "operators:", *counts])


def report_data(reading: Reading) -> dict[str, Any]:
    """The same as plain data."""
    refused = [{"op": problem.near, "where": problem.where, "says": problem.message} for problem in reading.problems]
    return {"operators": dict(sorted(reading.operators.items())), "refused": refused}


def archive(arrays: Mapping[str, Any]) -> bytes:
    """Arrays by name as the bytes of an .npz file."""
    import numpy as np

    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
