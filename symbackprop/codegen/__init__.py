"""Emitting a model and its backward pass as a module of plain NumPy."""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.codegen.build import build_program
from symbackprop.codegen.module import ModulePrinter
from symbackprop.codegen.numpy import NumPy
from symbackprop.codegen.optimizers import optimizer_lines
from symbackprop.derive.stable import derive_stable
from symbackprop.errors import UsageError
from symbackprop.model.model import Model
from symbackprop.model.text.write import to_text, with_text_names

DTYPES = ("float64", "float32")
LEVELS = (0, 1, 2)


def codegen(
    model: Model,
    *,
    dtype: str = "float64",
    level: int = 1,
    wrt: Iterable[str] | None = None,
    optimizer: str | None = None,
) -> str:
    """The text of a NumPy module that computes a model and its gradients.

    ``dtype`` is what init_params makes and what plain numbers are computed in, ``level`` the optimisation level (0, 1,
    or 2: with a workspace), ``wrt`` the names whose gradients backward returns, intermediates among them (default:
    every parameter and input); the module then says so in its constant GRADIENTS, which `verify` reads.
    ``optimizer`` (sgd, momentum, adagrad, adam, adamw) adds ``init_state`` and ``update``. Raises `UsageError` for
    anything else, `ModelError` where the model cannot be emitted.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype is {' or '.join(DTYPES)}, not {dtype!r}")
    if level not in LEVELS:
        raise UsageError(f"the optimisation level is 0, 1 or 2, not {level!r}")
    program = build_program(derive_stable(with_text_names(model), wrt), to_text(model), level, dtype, NumPy)
    return ModulePrinter(program).text(optimizer_lines(optimizer, NumPy) if optimizer is not None else ())


__all__ = ["codegen"]
