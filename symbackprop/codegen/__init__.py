"""Emitting a model and its backward pass as a module of plain NumPy, of JAX or of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from symbackprop.cycles import uncollected
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.targets import TARGETS

if TYPE_CHECKING:
    from symbackprop.model.model import Model

WHOLE = ("hessian", "jacobian", "hessian_diagonal")  # and whole ones, in blocks, or a diagonal
DTYPES = ("float64", "float32")
LEVELS = (0, 1, 2)
WRAPS = ("torch", "jax")  # the libraries that a module can be made a part of, which it computes with
ALONG = ("hvp", "jvp", "ggn")  # functions that a module has where they are asked for: derivatives along a direction


@uncollected()
def codegen(
    model: Model,
    *,
    dtype: str = "float64",
    level: int = 1,
    wrt: Iterable[str] | None = None,
    optimizer: str | None = None,
    target: str | None = None,
    along: Iterable[str] = (),
    whole: Iterable[str] = (),
    wrap: str | None = None,
    shard: Mapping[str, str] | None = None,
    checkpoint: str | None = None,
) -> str:
    """The text of a module that computes a model and its gradients with NumPy or, by ``target``, with JAX or PyTorch.

    ``dtype`` is what init_params makes and what plain numbers are computed in, ``level`` the optimisation level (0, 1,
    or 2: with a workspace), ``wrt`` the names whose gradients backward returns, intermediates among them (default:
    every parameter and input); the module then says so in its constant GRADIENTS, which `verify` reads.
    ``optimizer`` (sgd, momentum, adagrad, adam, adamw) adds ``init_state`` and ``update``, ``along`` the functions of
    these names: derivatives along a direction (see `derive.products`), ``whole`` a Jacobian, a Hessian or its
    diagonal (see `derive.blocks`), ``wrap`` what makes it a part of another library, torch or jax (see
    `codegen.wrapping`), ``shard`` a training step over the devices of a mesh (see `codegen.sharding`), ``checkpoint``
    is how often loops keep what they carry, ``every:K`` steps or ``sqrt`` (see `codegen.checkpoints`). Raises
    `UsageError` for anything else, `ModelError` where the model cannot be emitted.
    """
    from symbackprop.codegen.checkpoints import steps_of
    from symbackprop.codegen.lowering import lowered
    from symbackprop.codegen.optimizers import optimizer_lines
    from symbackprop.codegen.planning import build_program
    from symbackprop.codegen.sharding import step_below
    from symbackprop.codegen.wrapping import IMPORTS, below
    from symbackprop.derive.blocks import JACOBIAN, wholes
    from symbackprop.derive.products import HVP, products
    from symbackprop.derive.stable import derive_stable
    from symbackprop.model.nesting import nesting_told
    from symbackprop.model.text.write import to_text, with_text_names

    along, target = [*along], target or target_of(wrap, shard)
    model.require_definitions()
    if dtype not in DTYPES:
        raise UsageError(f"dtype is {' or '.join(DTYPES)}, not {dtype!r}")
    if level not in LEVELS:
        raise UsageError(f"the optimisation level is 0, 1 or 2, not {level!r}")
    if target not in TARGETS:
        *others, last = TARGETS
        known = f"{', '.join(others)} or {last}"
        raise UsageError(f"the target is {known}, not {target!r}.{did_you_mean(target, TARGETS)}")
    if wrap is not None and (wrap not in WRAPS or target != wrap):
        raise UsageError(f"a module is wrapped for {' or '.join(WRAPS)}, not for {wrap!r} with the target {target}")
    if shard is not None and target != "jax":
        raise UsageError(f"a training step over many devices is written for jax, not for {target}")
    optimizer = optimizer or (None if shard is None else "sgd")
    printer = import_module(TARGETS[target].module).PRINTER
    if level not in printer.levels:
        raise UsageError(f"-O{level} is not for {target}: {printer.refused}")
    steps = None if checkpoint is None else steps_of(checkpoint)
    if steps is not None and (target != "numpy" or along or [*whole]):
        raise UsageError("checkpoints are for forward and backward of a module for NumPy: leave out "
                         + ("other targets" if target != "numpy" else "products and whole derivatives"))
    with nesting_told(model):
        named = with_text_names(model)
        with named.graph.apart():
            swept = derive_stable(named, wrt)
            derivation = lowered(swept, level, printer.arrays.marks)
            blocks = wholes(swept, whole)
            asked = [HVP for x in blocks if x.kind != JACOBIAN and x.blocks is None]  # which products are asked for
            further = products(swept, dict.fromkeys([*along, *asked]), named)
            text = to_text(model)
            program = build_program(derivation, named, text, level, dtype, printer.arrays, further, blocks, steps)
        made = printer(program)
        lines = optimizer_lines(optimizer, printer.arrays) if optimizer is not None else ()
        module: str = made.text(lines, IMPORTS.get("shard" if shard is not None else wrap or "", ()))
        if wrap is not None:
            module += below(made, wrap, HVP in along)
        if shard is not None:
            module += step_below(program, named, shard, made.sizes)
    return module


def target_of(wrap: str | None, shard: object = None) -> str:
    """What a module computes with, where nothing is said."""
    return "jax" if shard is not None else wrap if wrap in WRAPS else "numpy"


__all__ = ["ALONG", "DTYPES", "LEVELS", "WHOLE", "WRAPS", "codegen"]
