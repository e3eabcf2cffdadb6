"""What a module states about itself, in constants, against its own MODEL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from symbackprop.core.graph import INT
from symbackprop.core.shapes import Dim, Shape, dim_text
from symbackprop.model.model import Model
from symbackprop.verify.lines import line_of
from symbackprop.verify.module import Candidate, Outcome
from symbackprop.verify.sampling import Sample

DTYPES = (np.float32, np.float64)


def constants(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for each constant that is missing, or says something else than MODEL, and for missing functions."""
    module, right = candidate.module, expected(candidate.model)
    for name, value in right.items():
        if hasattr(module, name):
            yield from _compared(candidate, name, getattr(module, name), value)
        elif candidate.states_arrays:
            yield f"the module has no {name}, which is {value!r:.60} by its MODEL"
    if candidate.states_arrays:
        if candidate.has("update") and not hasattr(module, "OPTIMIZER"):
            yield "the module has update, but no OPTIMIZER that says by which rule"
        wanted = ("outputs", "init_params", *(["loss_and_grads"] if candidate.is_loss else []))
        yield from [f"the module has no function {name}" for name in wanted if not candidate.has(name)]
    dtype = getattr(module, "DTYPE", np.float64)
    if not _is_float(dtype):
        yield f"DTYPE is {dtype!r:.60}, expected float32 or float64{line_of(module, 'DTYPE')}"


def expected(model: Model) -> dict[str, Any]:
    """The constants by name, as MODEL has them."""
    params = {n: _shape(r.shape) for n, r in model.params.items()}
    data = {n: _shape(r.shape) for n, r in model.leaves().items() if n not in params}
    bounds = {n: _dim(r.attr.below) for n, r in model.leaves().items() if r.kind == INT}
    found = {"NAME": model.name, "PARAMS": params, "DATA": data, "DIMS": dict(model.sizes), "INTEGERS": bounds}
    if model.loss_row is not None:
        return {**found, "LOSS": model.loss_row.name}
    return {**found, "LOSS": None, "OUTPUTS": tuple(model.output_rows)}


def _shape(shape: Shape) -> tuple[str | int, ...]:
    return tuple([_dim(d) for d in shape])


def _dim(d: Dim) -> str | int:
    return int(d) if d.is_Integer else dim_text(d)


def _compared(candidate: Candidate, name: str, found: Any, right: Any) -> Iterator[str]:
    if not isinstance(right, dict) or not isinstance(found, Mapping):
        if found != right:
            yield f"{name} is {found!r:.60}, expected {right!r:.60}: so MODEL has it{line_of(candidate.module, name)}"
        return
    for key in [*right, *[k for k in found if k not in right]]:
        if key not in right or key not in found or found[key] != right[key]:
            said = f"is {found[key]!r:.60}" if key in found else "is missing"
            wanted = f"expected {right[key]!r:.60}" if key in right else "which the model does not have"
            yield f"{name}: {key} {said}, {wanted}: so MODEL has it{line_of(candidate.module, name)}"
            return


def _is_float(dtype: Any) -> bool:
    try:
        return dtype is not None and np.dtype(dtype) in DTYPES
    except TypeError:
        return False
