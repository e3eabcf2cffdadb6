"""Ways of writing the same steps: with derivatives of scalars, entry by entry, with Jacobians, with matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symbackprop.derive.steps import Derivation, LoopStep
from symbackprop.errors import UsageError
from symbackprop.render.context import Context
from symbackprop.render.views.index import IndexView
from symbackprop.render.views.jacobian import JacobianView
from symbackprop.render.views.matrix import MatrixView
from symbackprop.render.views.scalar import ScalarView

VIEWS: dict[str, Callable[[Context], Any]] = {
    "scalar": ScalarView,
    "index": IndexView,
    "jacobian": JacobianView,
    "matrix": MatrixView,
}


REASONS = {
    "scalar": "every quantity is a number",
    "jacobian": "the model asks for it",
    "matrix": "the model has arrays",
}


def choose_view(derivation: Derivation, wanted: str) -> tuple[Callable[[Context], Any], str, bool]:
    """The view, why it is the one, and whether it is the scalar one."""
    scalar = all_scalar(derivation)
    if wanted == "auto":
        name = "scalar" if scalar else "jacobian" if "jacobian" in derivation.model.tags else "matrix"
        return VIEWS[name], REASONS[name], scalar
    if wanted == "scalar" and not scalar:
        raise UsageError(f"{derivation.model.name} has arrays, so it has no scalar view; try --view index or matrix")
    return VIEWS[wanted], "as asked for", wanted == "scalar"


def all_scalar(derivation: Derivation) -> bool:
    """Whether every row of the model is a number computed by elementwise formulas."""
    rows = derivation.model.graph.topological([*derivation.model.results(), *derivation.model.equations.values()])
    plain = all(not r.shape and r.op.name in ("leaf", "const", "elementwise") for r in rows)
    return plain and not any(isinstance(s, LoopStep) for s in derivation.steps)
