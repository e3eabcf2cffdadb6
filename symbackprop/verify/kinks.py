"""Kinks: where a row has no derivative, and how far a point is from them.

A difference quotient that reaches across a kink says nothing about the derivative beside it. The gap of an entry is 0
on the kink and changes sign across it, so a change of sign between two points tells that the kink lies between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE, Switch
from symbackprop.verify.interpreter import Array, Step

NEAR = 0.5


class Gap(NamedTuple):
    """The gaps of one step's entries; with ``relative``, one that changes by half its size passes the kink too. With
    ``at_zero``, a gap of 0 is no place to be at; truth values are 0 where they do not hold."""

    step: Step
    values: Array
    relative: bool
    at_zero: bool


Rule: TypeAlias = Callable[[Sequence[Array]], Array]


def gap_rules(step: Step) -> list[tuple[Rule, bool, bool]]:
    """The gaps of a step's entries as functions of its arguments' values, whether they are relative, and whether 0 is
    to be avoided; none for a smooth row. What is singular need not change sign to pass by 0: √x² does not."""
    op = step.row.op
    if op.gaps is not None:
        return [(lambda args: op.gaps(np, step.attr, *args), op.singular, op.singular)]
    roots = roots_in(step.attr.form) if isinstance(step.attr, Kernel) else []
    if roots:
        return [(partial(operand_in, under), True, True) for under in roots]
    return [(partial(_difference, readers_of(step.attr, switch)), False, switch.yes not in ("==", "!="))
            for switch in switches_of(step.row)]


def roots_in(form: f.Formula) -> list[f.Formula]:
    """What stands under roots, √a or a^0.3, or in another function whose slope is infinite at 0."""
    if isinstance(form, f.Call) and TABLE[form.name].singular:
        return [form.args[0]]
    own = [form.base] if isinstance(form, f.Pow) and _is_root(form) else []
    return [*dict.fromkeys([*own, *chain.from_iterable(map(roots_in, form.children))])] if f.has(form, f.Pow) else []


def _is_root(power: f.Pow) -> bool:
    n = power.exponent
    return isinstance(power.base, f.Arg) and isinstance(n, f.Num) and n.value.is_number and bool(0 < n.value < 1)


def _difference(operands: Sequence[Rule], args: Sequence[Array]) -> Array:
    return np.subtract(*[read(args) for read in operands])


class Gaps:
    """The gaps of one evaluation, in the order in which the steps ran."""

    def __init__(self) -> None:
        self.found: list[Gap] = []
        self._rules: dict[int, list[tuple[Rule, bool, bool]]] = {}

    def watch(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        key = id(step)
        if key not in self._rules:
            self._rules[key] = gap_rules(step)
        for rule, *how in self._rules[key]:
            self.found.append(Gap(step, np.asarray(rule(args)) * 1.0, *how))
        return value

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


def on_kinks(here: Sequence[Gap], there: Sequence[Gap]) -> int:
    """How many entries lie on a kink that a step leaves."""
    pairs = [(a.values, b.values) for a, b in zip(here, there, strict=True) if a.at_zero]
    return sum(int(np.sum((a == 0) & (b != 0))) for a, b in pairs)


# -- what a row with pieces compares, as its record says, and what its relations mean in numbers
HOLDS = {
    "<": np.less, ">": np.greater, "<=": np.less_equal, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}


def switches_of(row: Node) -> tuple[Switch, ...]:
    """Where an elementwise row passes from one piece to another; none where it has no pieces."""
    head = row.attr.head if isinstance(row.attr, Kernel) else None
    return TABLE[head].switches if head is not None else ()


def operands_of(kernel: Kernel, switch: Switch) -> tuple[f.Formula, f.Formula]:
    """What a kernel with a switch compares: each is an argument or a number."""
    assert isinstance(kernel.form, f.Call)
    given = kernel.form.args
    left, right = (given[p.index] if isinstance(p, f.Arg) else p for p in (switch.left, switch.right))
    return left, right


def operands_in(step: Step, switch: Switch, args: Sequence[Any]) -> tuple[Any, Any]:
    """The same of a step in numbers, given the values of its arguments."""
    left, right = readers_of(step.attr, switch)
    return left(args), right(args)


@cache
def readers_of(kernel: Kernel, switch: Switch) -> tuple[Rule, Rule]:
    """What gives the operands of a switch, given the values of a row's arguments."""
    left, right = map(_reader, operands_of(kernel, switch))
    return left, right


def _reader(operand: f.Formula) -> Rule:
    if isinstance(operand, f.Arg):
        return itemgetter(operand.index)
    number = number_of(operand)
    return lambda args: number


def operand_in(operand: f.Formula, args: Sequence[Any]) -> Any:
    """The value of an operand of a call: an argument of its row or a number."""
    if isinstance(operand, f.Arg):
        return args[operand.index]
    return number_of(operand)


def number_of(operand: f.Formula) -> float:
    """A number; one that holds dimensions is some number."""
    assert isinstance(operand, f.Num)
    return float(operand.value) if operand.value.is_number else 1.0


@cache
def on_side(kernel: Kernel, switch: Switch, sign: str) -> tuple[Any, frozenset[int]]:
    """The values of a function at some points on one side, and the arguments that they depend on there (all of them
    where no point is on it)."""
    centre = next((number_of(p) for p in operands_of(kernel, switch) if isinstance(p, f.Num)), 0.0)
    points = centre + np.random.default_rng(0).integers(-3, 4, (kernel.arity, 400)) * 1.0
    points = points[:, _is_on(kernel, switch, sign, points)]
    values, moving = _computed(kernel, points), set[int]()
    for k in range(len(points)):
        moved = points + (np.arange(len(points)) == k)[:, None] * 0.25
        kept = _is_on(kernel, switch, sign, moved)
        if not values.size or np.any(_computed(kernel, moved)[kept] != values[kept]):
            moving.add(k)
    return values, frozenset(moving)


def _is_on(kernel: Kernel, switch: Switch, sign: str, points: Any) -> Any:
    left, right = (operand_in(p, points) for p in operands_of(kernel, switch))
    return np.broadcast_to(HOLDS[sign](left, right), points.shape[1:])


def _computed(kernel: Kernel, points: Any) -> Any:
    assert isinstance(kernel.form, f.Call)
    with np.errstate(all="ignore"):
        found = TABLE[kernel.form.name].reference(np, *[operand_in(p, points) for p in kernel.form.args])
    return np.broadcast_to(found, points.shape[1:])


# -- on a kink: the slope there by the convention that is stated for the function, over the values of its arguments
class Unstated(Exception):
    """A function has a kink at a point, and no slope is stated for it."""


def stated(step: Step, args: Sequence[Array], value: Array) -> Array:
    """The value of a step that a complex step goes through, with what the conventions say on its kinks: NumPy compares
    complex numbers by their imaginary parts where the real ones are equal. Raises `Unstated`."""
    switches, largest = switches_of(step.row), step.row.op.chooses
    if not (switches or largest) or not any(np.iscomplexobj(a) for a in args):
        return value
    if largest:
        return _shared(step, args[0])
    real, operands = [np.real(a) for a in args], step.attr.form.args
    record = TABLE[step.attr.head]
    if record.boolean:
        return np.asarray(step.compute(*real))
    if step.row.role is Role.CHOICE:
        return np.where(*[operand_in(p, args if k else real) for k, p in enumerate(operands)])
    on = _on(step, real, value)
    return np.where(on, np.real(value) + 1j * _stated_slope(step, args), value) if np.any(on) else value


def _on(step: Step, real: Sequence[Array], value: Array) -> Array:
    """The entries that are on a switch."""
    switches = switches_of(step.row)
    return np.any([np.broadcast_to(np.equal(*operands_in(step, s, real)), np.shape(value)) for s in switches], axis=0)


def unstated(step: Step, args: Sequence[Array], value: Array) -> Array:
    """The value with what is not stated for it on its kinks: the largest slope of the largest entries, the slopes of
    all arguments together, the other outcome of a comparison."""
    real, moved = [np.real(a) for a in args], [np.imag(a) for a in args]
    if step.row.op.chooses:
        axes, keepdims = step.attr
        largest = real[0] == np.max(real[0], axis=axes, keepdims=True)
        return np.real(value) + 1j * np.max(np.where(largest, moved[0], -np.inf), axis=axes, keepdims=keepdims)
    on = _on(step, real, value)
    if TABLE[step.attr.head].boolean:
        return np.where(on, 1 - value, value)
    return np.where(on, np.real(value) + 1j * sum(np.abs(m) for m in moved), value)


def _stated_slope(step: Step, args: Sequence[Array]) -> Array:
    """What the imaginary parts of the arguments become by the stated slopes."""
    rule = TABLE[step.attr.head].stated
    if rule is None:
        raise Unstated(step.attr.head)
    given = [operand_in(p, args) for p in step.attr.form.args]
    slopes = rule(*map(np.real, given))
    return sum(slope * np.imag(x) for slope, x in zip(slopes, given, strict=False))


def _shared(step: Step, a: Array) -> Array:
    """The largest entries, whose slopes count in equal shares."""
    axes, keepdims = step.attr
    largest = np.real(a) == np.max(np.real(a), axis=axes, keepdims=True)
    slope = np.sum(np.imag(a) * largest, axis=axes, keepdims=keepdims)
    top = np.max(np.real(a), axis=axes, keepdims=keepdims)
    return top + 1j * slope / np.sum(largest, axis=axes, keepdims=keepdims)
