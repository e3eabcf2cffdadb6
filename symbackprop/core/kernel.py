"""Kernels: interned elementwise functions. Equal formulas are one object; equal *values* share one identity.

The derivative of a kernel is found once per process however many rows apply it, and so is what becomes of a formula
when constants and other kernels are put in place of its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any, ClassVar

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.calculus import partial
from symbackprop.core.collected import collected, collected_by_sympy, placed
from symbackprop.core.scalars import TABLE, to_sympy

MAX_ARGS = 12
MAX_SIZE = 60


class Kernel:
    """An elementwise function of ``arity`` arguments: how it is written (`form`) and what it is (`expr`).

    ``head`` is the name of the function when the kernel is one call, else None (arithmetic); ``boolean`` says whether
    the value is a truth value (0 or 1).
    """

    __slots__ = ("_partials", "arity", "boolean", "form", "head", "identity")
    _table: ClassVar[dict[f.Formula, Kernel]] = {}
    _identities: ClassVar[dict[Any, int]] = {}
    _numbers: ClassVar[Iterator[int]] = count()  # no two threads get the same

    form: f.Formula
    arity: int
    identity: int
    head: str | None
    boolean: bool
    _partials: dict[int, f.Formula]

    def __new__(cls, form: f.Formula) -> Kernel:
        kernel = cls._table.get(form)
        if kernel is None:
            kernel = cls._table[form] = object.__new__(cls)
            kernel.form = form
            kernel.arity = len(f.arguments(form))
            kernel.head = f.called(form)
            kernel.boolean = is_truth(form)
            kernel.identity = cls._identity(value_of(form), kernel.arity)
            kernel._partials = {}
        return kernel

    @property
    def expr(self) -> sp.Expr:
        """SymPy's canonical form of it."""
        return to_sympy(self.form)

    @classmethod
    def _identity(cls, value: Any, arity: int) -> int:
        found = cls._identities.get((value, arity))
        return cls._identities.setdefault((value, arity), next(cls._numbers)) if found is None else found

    def partial(self, index: int) -> f.Formula:
        """∂kernel/∂Arg(index), over the arguments and the kernel's own output."""
        if index not in self._partials:
            self._partials[index] = partial(self.form, index)
        return self._partials[index]

    def __repr__(self) -> str:
        return f"Kernel({self.expr})"


@cache
def identity_in(kernel: Kernel, order: tuple[int, ...]) -> int:
    """The identity of the same formula with Arg(order[0]) called Arg(0), Arg(order[1]) called Arg(1) …"""
    known = collected(kernel.form)
    if known is None:
        return Kernel(renumbered(kernel.form, order)).identity
    there = placed(known, {old: new for new, old in enumerate(order)})
    return kernel._identity(frozenset(there.items()), kernel.arity)


def value_of(form: f.Formula) -> Any:
    """What formulas of one value have in common: the products of powers that they add, else SymPy's canonical form.
    What SymPy leaves as it is has no other."""
    if isinstance(form, f.Call) and TABLE[form.name].stays and not any([part.children for part in form.args]):
        return form
    found = collected(form)
    expr = to_sympy(form) if found is None else None
    found = collected_by_sympy(expr) if found is None else found
    return expr if found is None else frozenset(found.items())


def is_truth(form: f.Formula) -> bool:
    """Whether a formula is a truth value; an indicator that is a share at a tie, by its convention, is a number."""
    if not isinstance(form, f.Call) or not TABLE[form.name].boolean:
        return False
    return all(a in (f.ZERO, f.ONE) or isinstance(a, f.Arg) for a in form.args[TABLE[form.name].arity :])


@cache
def upstream_times(local: f.Formula, arity: int) -> f.Formula:
    """The chain rule's product δ·f', as a formula over the arguments, the output Arg(arity) and δ = Arg(arity + 1)."""
    return f.mul(f.Arg(arity + 1), f.over_output(local, arity))


@cache
def composed(form: f.Formula, parts: tuple[f.Formula, ...]) -> tuple[f.Formula, tuple[int, ...]]:
    """A formula with ``parts`` in the place of its arguments (in order of appearance), folded. Arguments are numbered
    anew by first appearance; the tuple holds their old numbers, those that cancelled being gone."""
    places = [part.index for part in parts if isinstance(part, f.Arg)]
    if len({*places}) == len(parts):  # other names alone
        return renumbered(form, f.arguments(form)), tuple(places)
    part_of: dict[f.Formula, f.Formula] = dict(zip(map(f.argument, f.arguments(form)), parts, strict=True))
    whole = f.substitute(form, part_of.__getitem__)  # Out has no row here
    order = f.arguments(whole)
    return renumbered(whole, order), order


def renumbered(form: f.Formula, order: tuple[int, ...]) -> f.Formula:
    """The same formula with Arg(order[0]) called Arg(0), Arg(order[1]) called Arg(1) …"""
    if order == tuple(range(len(order))):
        return form
    return f.renamed(form, {old: new for new, old in enumerate(order)})


def moved(form: f.Formula, slots: tuple[int, ...]) -> f.Formula:
    """The same formula with Arg(i) called Arg(slots[i])."""
    return form if slots == tuple(range(len(slots))) else _moved(form, slots)


@cache
def _moved(form: f.Formula, slots: tuple[int, ...]) -> f.Formula:
    if len(set(slots)) == len(slots):
        return f.renamed(form, slots)
    return f.substitute(form, lambda leaf: f.Arg(slots[index_of(leaf)]))


def index_of(leaf: f.Formula) -> int:
    """The number of an argument of a formula that reads no output."""
    assert isinstance(leaf, f.Arg), "Out has no row here"
    return leaf.index
