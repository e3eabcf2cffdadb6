"""Names in emitted code: one function decides how a model's name is spelled, one class hands names out."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, lru_cache
from importlib import import_module
from itertools import chain

from symbackprop.codegen.helpers import helper_names
from symbackprop.core.loops import Loop
from symbackprop.core.names import free_name
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.targets import ALONG, TARGETS, WHOLE

_OWN = {
    "lax", "step", "carry", "static", "device",
    "params", "data", "cache", "grads", "upstream", "dtype", "dtypes", "sizes", "arrays", "rng", "dims", "at",
    "forward", "backward", "loss_and_grads", "init_params", "read", "outputs", "make_workspace", "workspace", "kept",
    "checked", "typed", "SEEN",
    *ALONG, *WHOLE, "hessian_dense", "along", "found", "wanted",
    "NAME", "MODEL", "PARAMS", "DATA", "INTEGERS", "LOSS", "OUTPUTS", "GRADIENTS", "DIMS", "DTYPE", "self",
    "apply", "Module", "NAMES", "SOUGHT", "RESULTS", "KEPT", "UPSTREAM", "OPERATOR", "forward_op", "backward_op",
    "hvp_op", "schema", "separate", "without_values", "owned", "converted", "empty", "cached", "alike", "remember",
    "remember_all", "gradients", "second", "Any", "Iterable", "partial", "SPECS", "shardings", "sharded", "constrained",
    "train_step",
}


@cache
def reserved() -> frozenset[str]:
    """Every name that emitted code uses itself: Python's, what targets import, the helpers' and the module's own."""
    python = {*dir(builtins), *keyword.kwlist, *keyword.softkwlist}
    return frozenset({*_OWN, *python, *helper_names(), *_imported()})


def _imported() -> Iterator[str]:
    """What modules of any target import, as they call it."""
    lines = chain.from_iterable(import_module(target.module).PRINTER.imports for target in TARGETS.values())
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from [alias.asname or alias.name for alias in node.names]


def escape(name: str) -> str:
    """A model's name as a Python variable: reserved names get one more trailing underscore, so no two names meet."""
    word = slug(name)
    return word + "_" if word.rstrip("_") in reserved() or word in reserved() else word


@lru_cache(maxsize=1 << 14)
def slug(name: str) -> str:
    """An identifier: ``h[t]`` is h_t, ``h[t-1]`` is h_prev, ``c[1]`` is c1."""
    word = re.sub(r"\[(\d+)\]", r"\1", name)
    word = re.sub(r"\[[^\]]*-1\]", "_prev", word)
    word = re.sub(r"\W+", "_", word.replace("]", "")).strip("_") if not word.isidentifier() else word
    return word if word.isidentifier() and word.isascii() else "v_" + re.sub(r"\W", "_", word, flags=re.ASCII)


class Scope:
    """The variables of one module: a name is given to one thing only."""

    def __init__(self, names: Iterable[str]) -> None:
        self.taken = set(names)
        self._temps = 0
        self.counters: set[str] = set()

    def fresh(self, wanted: str) -> str:
        """``wanted`` escaped, or the first of wanted_2, wanted_3 … that is free."""
        base = name = escape(wanted)
        count = 1
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self.taken.add(name)
        return name

    def temp(self) -> str:
        """The next free one of t1, t2 …"""
        while True:
            self._temps += 1
            name = f"t{self._temps}"
            if name not in self.taken:
                self.taken.add(name)
                return name

    def index(self, wanted: str) -> str:
        """A loop counter: ``wanted``, or the first variant that no other thing is called; asked again, the same."""
        name = escape(wanted)
        while name in self.taken and name not in self.counters:
            name += "_"
        self.counters.add(name)
        self.taken.add(name)
        return name


def named_for_code(derivation: Derivation) -> Derivation:
    """The derivation with what code calls otherwise."""
    return replace(derivation, names=derivation.names | _shares_outside(derivation, derivation.steps))


def _shares_outside(derivation: Derivation, steps: Iterable[Step | LoopStep]) -> dict[int, str]:
    """What code calls the gradient of all steps of a value that later ones, or others in its step, read too: dh_out is
    only what comes from outside the loop; dh[t] would not be the dh_t that is found there."""
    found, names = dict[int, str](), derivation.names
    known = derivation.forward_ids.union([row.id for row in derivation.gradients.values()])
    for step in [s for s in steps if isinstance(s, LoopStep)]:
        loop: Loop = step.reverse.attr
        whole = {s.total.id for s in step.steps if isinstance(s, Step)}
        for leaf, row in zip(loop.sequences, step.reverse.args[len(loop.carry):], strict=False):
            of_loop = leaf.is_declared and leaf.attr.gradient_of is not None and leaf.id not in whole
            if of_loop and row.id in names and row.id not in known:
                name = free_name([*names.values()], f"{names[row.id]}_out")
                found |= {row.id: name, leaf.id: f"{name}[{loop.index}]"}
        found |= _shares_outside(derivation, step.steps)
    return found
