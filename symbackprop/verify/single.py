"""What float32 holds of a model at a point. Where it does not hold a value on the way to a result, or a number of a
formula there, the result may be anything in float32, and so may the gradient of what reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symbackprop.core.graph import Leaf, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import with_bodies
from symbackprop.model.model import Model
from symbackprop.verify.aiming import literals_of
from symbackprop.verify.interpreter import Step, largest
from symbackprop.verify.rounding import LARGEST, SINGLE
from symbackprop.verify.sampling import Sample, named_values

LEAST, MOST = float(np.finfo(np.float32).tiny), LARGEST[SINGLE]


def held_in_single(model: Model, sample: Sample) -> set[str]:
    """The results that float32 holds, with all that they are computed from."""
    beyond: set[int] = set()

    def look(step: Step, args: Sequence[Any], value: Any) -> Any:
        if any(not _holds(x) for x in _numbers(step.row)) or (step.shape is not None and largest(value) > MOST):
            beyond.add(step.row.id)
        return value

    rows = {row.name or "": row for row in model.results()}
    named_values(model, rows, sample, look)
    return {name for name, row in rows.items()
            if beyond.isdisjoint([r.id for r in with_bodies(model.graph.topological([row]))])}


def reaching(model: Model, results: set[str]) -> set[str]:
    """The parameters and inputs that some of the results are computed from."""
    rows = [row for row in model.results() if row.name in results]
    read = {row.id for row in model.graph.topological(rows)} if rows else set()
    return {name for name, row in model.targets().items() if row.id in read}


def _numbers(row: Node) -> list[float]:
    """The numbers that a row is computed from, itself if it is one."""
    if isinstance(row.attr, Kernel):
        return list(literals_of(row.attr.form))
    value = row.attr.value if isinstance(row.attr, Leaf) else row.value
    return [float(value)] if value is not None and value.is_number else []


def _holds(number: float) -> bool:
    return number == 0 or not np.isfinite(number) or LEAST <= abs(number) <= MOST
