"""The value of log x from what x is computed from, so that the interpreter has a loss where a probability underflows.

It is found by itself, in numbers, and shares nothing with the rewriting that emitted modules are derived from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.facts import kind
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.registry import OPS
from symbackprop.core.scalars import TABLE

Array: TypeAlias = Any
_softplus = TABLE["softplus"].reference


class Logs:
    """Logs over the values of one run, by row id; ``attr`` gives a row's attribute in numbers."""

    def __init__(self, values: Mapping[int, Array], attr: Callable[[Node], Any]) -> None:
        self.values, self.attr = values, attr

    def of(self, x: Node) -> Array | None:
        """log x where there is a formula for it that does not overflow; what a body is given has no arguments in it."""
        if any(a.id not in self.values for a in x.args):
            return None
        if x.op.name == "softmax":
            z = self.values[x.args[0].id]
            return z - OPS["logsumexp"].reference(np, ((self.attr(x),), True), z)
        if isinstance(x.attr, Kernel):
            return self.of_formula(x.attr.form, x)
        if x.op.name == "sum":
            inner = self.of(x.args[0])
            return None if inner is None else OPS["logsumexp"].reference(np, self.attr(x), inner)
        if kind(x).views:
            inner = self.of(x.args[0])
            others = [self.values[a.id] for a in x.args[1:]]
            return None if inner is None else x.op.reference(np, self.attr(x), inner, *others)
        return None

    def of_formula(self, form: f.Formula, x: Node) -> Array | None:
        """log of a formula over the arguments of a row."""
        match form:
            case f.Arg(index):
                return self.of(x.args[index])
            case f.Num(value) if value.is_positive and not value.free_symbols:
                return np.log(float(value))
            case f.Call("exp", (f.Arg(index),)):
                return self.values[x.args[index].id]
            case f.Call("sigmoid", (f.Arg(index),)):
                return -_softplus(np, -self.values[x.args[index].id])
            case f.Mul(factors):
                return self._joined(factors, x, lambda a, b: a + b)
            case f.Div(num, den):
                return self._joined((num, den), x, lambda a, b: a - b)
            case f.Add((f.Num(one), f.Neg(f.Arg(index)))) if one == 1 and self._is(x.args[index], "sigmoid"):
                return -_softplus(np, self.values[x.args[index].args[0].id])
            case f.Add((f.Num(one), f.Neg(f.Pow(f.Arg(index), f.Num(two))))) if one == 1 and two == 2:
                return self._of_tanh(x.args[index])
            case f.Add(terms):
                return self._joined(terms, x, lambda a, b: a + _softplus(np, b - a))
        return None

    def _of_tanh(self, row: Node) -> Array | None:
        """log(1 − tanh² u) = −2 log cosh u."""
        if not self._is(row, "tanh"):
            return None
        u = self.values[row.args[0].id]
        return 2 * (np.log(2.0) - u - _softplus(np, -2 * u))

    def _joined(self, parts: tuple[f.Formula, ...], x: Node, join: Callable[[Array, Array], Array]) -> Array | None:
        logs = [self.of_formula(p, x) for p in parts]
        if any(log is None for log in logs) or all(isinstance(p, f.Num) for p in parts):
            return None
        total = logs[0]
        for log in logs[1:]:
            total = join(total, log)
        return total

    def _is(self, row: Node, head: str) -> bool:
        called = isinstance(row.attr, Kernel) and row.attr.form == f.call(head, f.Arg(0))
        return called and row.args[0].id in self.values
