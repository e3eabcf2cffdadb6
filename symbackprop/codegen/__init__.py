"""Emitting a model and its backward pass as a module of plain NumPy, of JAX or of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

from symbackprop.codegen.checkpoints import steps_of
from symbackprop.codegen.lowering import lowered
from symbackprop.codegen.module import ModulePrinter
from symbackprop.codegen.names import named_for_code
from symbackprop.codegen.planning import build_program
from symbackprop.codegen.program import Program
from symbackprop.codegen.wrapping import IMPORTS, below, optimizer_lines, step_below
from symbackprop.cycles import uncollected
from symbackprop.derive.compressed import JACOBIAN, wholes
from symbackprop.derive.products import HVP, products
from symbackprop.derive.stable import derive_stable
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.model.model import Model, nesting_told
from symbackprop.model.text.write import Writer, to_text, with_text_names
from symbackprop.targets import DTYPES, LEVELS, TARGETS, WRAPS


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


@dataclass(frozen=True)
class Request:
    """The options of `codegen`, which says what they are."""

    target: str
    dtype: str
    level: int
    wrt: tuple[str, ...] | None
    optimizer: str | None
    along: tuple[str, ...]
    whole: tuple[str, ...]
    wrap: str | None
    shard: Mapping[str, str] | None
    checkpoint: str | None

    @cached_property
    def printer(self) -> type[ModulePrinter]:
        """What writes a program for the target."""
        found: type[ModulePrinter] = import_module(TARGETS[self.target].module).PRINTER
        return found

    @cached_property
    def steps(self) -> int | None:
        """How many steps of a loop are between checkpoints; None without any."""
        return None if self.checkpoint is None else steps_of(self.checkpoint)

    def refuse_nonsense(self) -> None:
        """Raises `UsageError` for what is no option, and for options that do not go together."""
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype is {' or '.join(DTYPES)}, not {self.dtype!r}")
        if self.level not in LEVELS:
            raise UsageError(f"the optimisation level is 0, 1 or 2, not {self.level!r}")
        if self.target not in TARGETS:
            *others, last = TARGETS
            known = f"{', '.join(others)} or {last}"
            raise UsageError(f"the target is {known}, not {self.target!r}.{did_you_mean(self.target, TARGETS)}")
        if self.wrap is not None and (self.wrap not in WRAPS or self.target != self.wrap):
            raise UsageError(f"a module is wrapped for {' or '.join(WRAPS)}, not for {self.wrap!r} with the target "
                             f"{self.target}")
        if self.shard is not None and self.target != "jax":
            raise UsageError(f"a training step over many devices is written for jax, not for {self.target}")
        if self.level not in self.printer.levels:
            raise UsageError(f"-O{self.level} is not for {self.target}: {self.printer.refused}")
        if self.steps is not None and (self.target != "numpy" or self.along or self.whole):
            raise UsageError("checkpoints are for forward and backward of a module for NumPy: leave out "
                             + ("other targets" if self.target != "numpy" else "products and whole derivatives"))

    def program(self, named: Model, text: str) -> Program:
        """The program of a model, which stands in ``text``."""
        swept = named_for_code(derive_stable(named, self.wrt))
        derivation = lowered(swept, self.level, self.printer.arrays.marks)
        blocks = wholes(swept, self.whole)
        asked = [HVP for x in blocks if x.kind != JACOBIAN and x.blocks is None]  # which products are asked for
        further = products(swept, dict.fromkeys([*self.along, *asked]), named)
        return build_program(derivation, named, text, self.level, self.dtype, self.printer.arrays, further, blocks,
                             self.steps)

    def module(self, model: Model) -> str:
        """The text of the module for a model."""
        with nesting_told(model):
            writer = Writer(model)
            named = with_text_names(model, writer)
            with named.graph.apart():
                program = self.program(named, to_text(model, writer=writer))
            return self.written(program, named)

    def written(self, program: Program, named: Model) -> str:
        """A program as text, with what stands below its lines."""
        made, sharded = self.printer(program), self.shard is not None
        optimizer = self.optimizer or ("sgd" if sharded else None)
        lines = optimizer_lines(optimizer, self.printer.arrays) if optimizer is not None else ()
        module = made.text(lines, IMPORTS.get("shard" if sharded else self.wrap or "", ()))
        if self.wrap is not None:
            module += below(made, self.wrap, HVP in self.along)
        if self.shard is not None:
            module += step_below(program, named, self.shard, made.sizes)
        return module


__all__ = ["codegen"]
