"""Emitting a model and its backward pass as a module of plain NumPy, of JAX or of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symbackprop.codegen.request import Request
from symbackprop.cycles import uncollected
from symbackprop.model.model import Model
from symbackprop.targets import WRAPS


@uncollected()
def codegen(
    model: Model, *, dtype: str = "float64", level: int = 1, wrt: Iterable[str] | None = None,
    optimizer: str | None = None, target: str | None = None, along: Iterable[str] = (), whole: Iterable[str] = (),
    wrap: str | None = None, shard: Mapping[str, str] | None = None, checkpoint: str | None = None,
) -> str:
    """The text of a module that computes a model and its gradients with NumPy or, by ``target``, with JAX or PyTorch.

    ``dtype`` is what init_params makes and what plain numbers are computed in, ``level`` the optimisation level (0, 1,
    or 2: with a workspace), ``wrt`` the names whose gradients backward returns, intermediates among them (default:
    every parameter and input); the module then says so in its constant GRADIENTS, which `verify` reads.
    ``optimizer`` (sgd, momentum, adagrad, adam, adamw) adds ``init_state`` and ``update``, ``along`` the functions of
    these names: derivatives along a direction (see `derive.products`), ``whole`` a Jacobian, a Hessian or its
    diagonal (see `derive.compressed`), ``wrap`` what makes it a part of another library, torch or jax (see
    `codegen.wrapping`), ``shard`` a training step over the devices of a mesh (see `codegen.wrapping`), ``checkpoint``
    is how often loops keep what they carry, ``every:K`` steps or ``sqrt`` (see `codegen.checkpoints`), or a model
    without loops what crosses from one block to the next (see `codegen.checkpoints`). Raises
    `UsageError` for anything else, `ModelError` where the model cannot be emitted.
    """
    asked = Request(target or target_of(wrap, shard), dtype, level, None if wrt is None else tuple(wrt), optimizer,
                    tuple(along), tuple(whole), wrap, shard, checkpoint)
    model.require_definitions()
    asked.refuse_nonsense()
    return asked.module(model)


def target_of(wrap: str | None, shard: object) -> str:
    """What a module computes with, where nothing is said."""
    return "jax" if shard is not None else wrap if wrap in WRAPS else "numpy"


__all__ = ["codegen"]
