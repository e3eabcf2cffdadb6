"""Kernels: interned elementwise functions. Equal formulas are one object; equal *values* share one identity.

The derivative of a kernel is found once per process however many rows apply it.
"""

from __future__ import annotations

from typing import ClassVar

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.calculus import partial, to_sympy
from symbackprop.core.scalars import TABLE

MAX_ARGS = 12
MAX_SIZE = 60


class Kernel:
    """An elementwise function of ``arity`` arguments: how it is written (`form`) and what it is (`expr`)."""

    __slots__ = ("_partials", "arity", "expr", "form", "identity")
    _table: ClassVar[dict[f.Formula, Kernel]] = {}
    _identities: ClassVar[dict[tuple[sp.Expr, int], int]] = {}

    form: f.Formula
    expr: sp.Expr
    arity: int
    identity: int
    _partials: dict[int, f.Formula]

    def __new__(cls, form: f.Formula) -> Kernel:
        kernel = cls._table.get(form)
        if kernel is None:
            kernel = cls._table[form] = object.__new__(cls)
            kernel.form, kernel.expr = form, to_sympy(form)
            kernel.arity = len(f.arguments(form))
            key = (kernel.expr, kernel.arity)
            kernel.identity = cls._identities.setdefault(key, len(cls._identities))
            kernel._partials = {}
        return kernel

    def partial(self, index: int) -> f.Formula:
        """∂kernel/∂Arg(index), over the arguments and the kernel's own output."""
        if index not in self._partials:
            self._partials[index] = partial(self.form, index)
        return self._partials[index]

    @property
    def head(self) -> str | None:
        """The name of the function when the kernel is one call, else None (arithmetic)."""
        return self.form.name if isinstance(self.form, f.Call) else None

    @property
    def boolean(self) -> bool:
        """Whether the value is a truth value (0 or 1)."""
        return isinstance(self.form, f.Call) and TABLE[self.form.name].boolean

    def __repr__(self) -> str:
        return f"Kernel({self.expr})"
