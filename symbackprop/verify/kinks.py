"""Kinks: where a row has no derivative, and how far a point is from them.

A difference quotient that reaches across a kink says nothing about the derivative beside it. The gap of an entry is 0
on the kink and changes sign across it, so a change of sign between two points tells that the kink lies between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.verify.interpreter import Array, Step

_AT_ZERO = {"relu", "leaky", "elu_unit", "negexpm1", "abs", "sign", "where", "truth"}
_SINGULAR = {"root", "sqrt", "reciprocal"}  # they need not change sign to pass by 0: √x² does not
_AT_TIES = {
    "maximum", "minimum", "above", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal",
}  # fmt: skip
NEAR = 0.5


class Gap(NamedTuple):
    """The gaps of one row's entries; with ``relative``, one that changes by half its size passes the kink too."""

    values: Array
    relative: bool
    row: int


Rule: TypeAlias = Callable[[Sequence[Array]], Array]


def gap_rule(step: Step) -> tuple[Rule, bool] | None:
    """The gap of a step's entries as a function of its arguments' values, and whether it is relative; None for a smooth
    row."""
    if step.row.op.name == "max":
        return lambda args: args[0] - np.max(args[0], axis=step.attr[0], keepdims=True), False
    if step.row.op.name == "norm":
        return lambda args: step.compute(*args), True
    if not isinstance(step.attr, Kernel) or not isinstance(step.attr.form, f.Call):
        return None
    name, operands = step.attr.form.name, step.attr.form.args
    if name in _AT_ZERO or name in _SINGULAR:
        return lambda args: _value(operands[0], args), name in _SINGULAR
    if name in _AT_TIES:
        return lambda args: _value(operands[0], args) - _value(operands[1], args), False
    return None


def _value(operand: f.Formula, args: Sequence[Array]) -> Any:
    return args[operand.index] if isinstance(operand, f.Arg) else float(operand.value)  # type: ignore[attr-defined]


class Gaps:
    """The gaps of one evaluation, in the order in which the steps ran."""

    def __init__(self) -> None:
        self.found: list[Gap] = []
        self._rules: dict[int, tuple[Rule, bool] | None] = {}

    def watch(self, step: Step, args: Sequence[Array]) -> None:
        key = id(step)
        if key not in self._rules:
            self._rules[key] = gap_rule(step)
        known = self._rules[key]
        if known is not None:
            self.found.append(Gap(np.asarray(known[0](args)) * 1.0, known[1], step.row.id))

    def take(self) -> list[Gap]:
        """What was found since the last call."""
        found, self.found = self.found, []
        return found


def crossed(here: Sequence[Gap], there: Sequence[Gap]) -> bool:
    """Whether a kink lies between two points, or one of them on it while the other is not."""
    return any(_crossed(a.values, b.values, a.relative) for a, b in zip(here, there, strict=True))


def _crossed(a: Array, b: Array, relative: bool) -> bool:
    if relative:
        return bool(np.any(np.abs(b - a) > NEAR * np.abs(a)))
    return not np.array_equal(np.sign(a), np.sign(b), equal_nan=True)


def touched(here: Sequence[Gap], there: Sequence[Gap]) -> bool:
    """Whether a step, however small, leaves a kink: a gap of 0 that it moves."""
    return any(bool(np.any((a.values == 0) & (b.values != 0))) for a, b in zip(here, there, strict=True))


def sides(gaps: Sequence[Gap]) -> set[tuple[int, float]]:
    """On which sides of its kink each row has entries: (row, sign)."""
    return {(gap.row, float(s)) for gap in gaps if not gap.relative for s in np.unique(np.sign(gap.values))}
