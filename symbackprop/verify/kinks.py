"""Kinks: where a row has no derivative, and how far a point is from them.

A difference quotient that reaches across a kink says nothing about the derivative beside it. The gap of an entry is 0
on the kink and changes sign across it, so a change of sign between two points tells that the kink lies between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.verify.interpreter import Array, Step

_AT_ZERO = {"relu", "leaky", "elu_unit", "negexpm1", "abs", "sign", "where", "truth", "root", "reciprocal"}
_AT_TIES = {
    "maximum", "minimum", "above", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal",
}  # fmt: skip


def gap_rule(step: Step) -> Callable[[Sequence[Array]], Array] | None:
    """The gap of a step's entries as a function of its arguments' values; None for a smooth row."""
    if step.row.op.name == "max":
        return lambda args: args[0] - np.max(args[0], axis=step.attr[0], keepdims=True)
    if not isinstance(step.attr, Kernel) or not isinstance(step.attr.form, f.Call):
        return None
    operands = step.attr.form.args
    if step.attr.head in _AT_ZERO:
        return lambda args: _value(operands[0], args)
    if step.attr.head in _AT_TIES:
        return lambda args: _value(operands[0], args) - _value(operands[1], args)
    return None


def _value(operand: f.Formula, args: Sequence[Array]) -> Any:
    return args[operand.index] if isinstance(operand, f.Arg) else float(operand.value)  # type: ignore[attr-defined]


class Gaps:
    """The gaps of one evaluation, in the order in which the steps ran."""

    def __init__(self) -> None:
        self.found: list[Array] = []
        self._rules: dict[int, Callable[[Sequence[Array]], Array] | None] = {}

    def watch(self, step: Step, args: Sequence[Array]) -> None:
        key = id(step)
        if key not in self._rules:
            self._rules[key] = gap_rule(step)
        rule = self._rules[key]
        if rule is not None:
            self.found.append(np.asarray(rule(args)))

    def take(self) -> list[Array]:
        """What was found since the last call."""
        found, self.found = self.found, []
        return found


def crossed(here: Sequence[Array], there: Sequence[Array]) -> bool:
    """Whether a kink lies between two points, or one of them on it while the other is not."""
    return not all(np.array_equal(np.sign(a), np.sign(b), equal_nan=True) for a, b in zip(here, there, strict=True))


def touched(gaps: Sequence[Array]) -> bool:
    """Whether a complex step starts on a kink: a gap of 0 that the step moves."""
    return any(bool(np.any((g.real == 0) & (g.imag != 0))) for g in gaps if np.iscomplexobj(g))
