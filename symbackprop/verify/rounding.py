"""What rounding may make of values and of slopes, read off the arithmetic: a model runs again with every row a little
off, as another order of sums and products would leave it, and with slopes that cannot cancel.

This is the one bound by which something that differs may still be right. It is taken where something does differ.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from math import isfinite
from typing import Any

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.facts import is_view, kind
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.loops import with_bodies
from symbackprop.core.scalars import TABLE
from symbackprop.verify.interpreter import Array, Step, Watch, is_log, largest
from symbackprop.verify.kinks import operands_of, stated, switches_of
from symbackprop.verify.ranges import REALS, Range, of_formula

DOUBLE, SINGLE = float(np.finfo(np.float64).eps), float(np.finfo(np.float32).eps)
LARGEST = {eps: float(np.finfo(dtype).max) for eps, dtype in ((DOUBLE, np.float64), (SINGLE, np.float32))}
SMALLEST = {DOUBLE: 2.0**-1074, SINGLE: 2.0**-149}  # what rounds where numbers have lost their digits
RUNS, SLACK, ROUNDINGS = 3, 32, 4
DEEP = 4
DIGITS = 20  # of a number that is exact behind its point


class Rounding:
    """Changes every row that rounds off by a little, and what a logarithm is computed from at each reading; a logarithm
    itself by as much as its argument's relative error, even where it is 0. ``kept`` are rows that do not round."""

    def __init__(self, eps: float, rng: Any, kept: Container[int] = ()) -> None:
        self.eps, self.rng, self.kept = eps, rng, kept

    def __call__(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        value, row = stated(step, args, value), step.row
        exact = step.shape is None or row.kind != FLOAT or switches_of(row) or is_view(row) or row.op.chooses
        if exact or kind(row).moved or not row.args or row.id in self.kept:
            return value
        return self.read(value) + (self.eps * self._by(value) if is_log(row) else 0.0)

    def runs(self) -> list[Rounding]:
        """What the model runs with: this several times, and once every value as float32 holds it, where equal ones may
        be what differs by less."""
        return [self] * RUNS + [Held(self.eps, self.rng, self.kept)] * (self.eps == SINGLE)

    def _by(self, value: Array) -> Array:
        return ROUNDINGS * self.rng.uniform(-1, 1, np.shape(value))

    def read(self, value: Array) -> Array:
        if np.iscomplexobj(value):
            return self.read(np.real(value)) + 1j * self.read(np.imag(value))
        by = self._by(value)
        return np.where(value != 0, value * (1 + self.eps * by) + SMALLEST[self.eps] * by, value)


class Reordered(Rounding):
    """Changes every value that has more than a few binary digits, equal ones alike: a sum of such values is 0 by the
    order in which it is taken, while one of others is 0 in every order."""

    def __init__(self, turn: int) -> None:
        super().__init__(DOUBLE, None)
        self.turn = turn

    def _by(self, value: Array) -> Array:
        digits = np.ldexp(value, DIGITS)
        return np.where(digits == np.round(digits), 0.0, ROUNDINGS * np.sin(2.0**self.turn * digits))


class Held(Rounding):
    """Changes every value to what float32 holds of it."""

    def read(self, value: Array) -> Array:
        single = np.complex64 if np.iscomplexobj(value) else np.float32
        return np.asarray(value).astype(single).astype(np.result_type(value))


class Paths:
    """Gives the slope of every step a sign and a size by chance, so that what cancels no longer does: the slope becomes
    as large as all the products along paths that a backward pass may add up, in whatever form it is written.

    A sum rounds by a few units in the last place of the sizes of its terms, however small it is itself (Higham,
    Accuracy and Stability of Numerical Algorithms, 4.2): dW = Xᵀ dz does where dz is the little that p leaves of 1. A
    bounded function's slope is computed from its value, as σ(1 − σ) is, whose terms are as large as 1. With values
    that ``change`` they are off by as much as a backward pass that makes use of Σ(x − mean x) = 0.
    """

    def __init__(self, rng: Any, change: Watch = stated) -> None:
        self.rng, self.change = rng, change

    def __call__(self, step: Step, args: Sequence[Array], value: Array) -> Array:
        real, value = self.change(step, args, value), stated(step, args, value)
        if step.shape is None or not np.iscomplexobj(value):
            return real
        moved = np.abs(np.imag(value))
        if is_bounded(step.row):
            moved = moved + sum(_moved(row, a) for row, a in zip(step.row.args, args, strict=True))
        if is_log(step.row):  # which is computed from further back, where terms have cancelled
            of_argument = np.abs(np.imag(step.compute(*args)))
            moved = moved + np.where(np.isfinite(of_argument), of_argument, 0.0)
        factor = self.rng.choice([-1.0, 1.0], moved.shape) * self.rng.uniform(0.5, 1.5, moved.shape)
        return np.real(real) + 1j * factor * moved


def _moved(row: Node, value: Array) -> Array:
    """The size of the slope of an argument; of an exponential that of its own one: 1/(1 + exp(-x)) is σ(x)."""
    size = np.abs(np.imag(value))
    if row.head is None or TABLE[row.head].log != f.Arg(0):
        return size
    with np.errstate(all="ignore"):
        return np.nan_to_num(size / np.abs(np.real(value)), nan=0.0, posinf=0.0)


def of_value(run: Callable[[Watch], Array], found: Array, rounding: Rounding) -> float:
    """How far off rounding may leave a value, in any of its entries that are finite; infinite where it leaves none."""
    gaps = np.array([np.abs(run(change) - found) for change in rounding.runs()])
    lost = np.isfinite(found) & ~np.any(np.isfinite(gaps), axis=0)
    return np.inf if np.any(lost) else SLACK * largest(gaps)


def of_slope(run: Callable[[Watch], float], found: float, rounding: Rounding, analytic: bool = True) -> float:
    """How far off rounding may leave a slope, which ``run`` takes with what is changed in it; ``analytic`` says that it
    goes along with the values, as imaginary parts. Infinite where a slope that is a little off is none."""
    off = max(abs(other - found) if isfinite(other) else np.inf for other in map(run, rounding.runs()))
    return SLACK * max([off, *[_of_paths(run, rounding, seed) for seed in range(RUNS if analytic else 0)]])


def _of_paths(run: Callable[[Watch], float], rounding: Rounding, seed: int) -> float:
    """What a few units in the last place of the terms make of a slope, and those of the values in them."""
    terms, others = (run(Paths(np.random.default_rng(seed), change)) for change in (stated, rounding))
    found = max(rounding.eps * abs(terms), abs(others - terms))
    return found if isfinite(found) else 0.0


def equated(rows: Sequence[Node]) -> set[int]:
    """The rows that others are computed from which ask whether two numbers are equal."""
    asked = [row.args[p.index] for row in with_bodies(rows[0].graph.topological(rows)) for s in switches_of(row)
             if "==" in (s.no, s.yes) for p in operands_of(row.attr, s) if isinstance(p, f.Arg)]
    return {row.id for row in rows[0].graph.topological(asked)} if asked else set()


def is_bounded(row: Node) -> bool:
    """Whether a row is a softmax, calls a function whose values have bounds on both sides, or is one that is written
    out, as 1/(1 + exp(-x))."""
    called = [TABLE[name].range for name in f.calls(row.form)] if row.form is not None else []
    found = [*called, _range(row, DEEP)[:2]]
    return row.op.distribution or any(isfinite(low) and isfinite(high) for low, high in found)


def _range(row: Node, deep: int) -> Range:
    """The values that a row can have by its formula and those above it."""
    if row.form is None or not deep:
        return REALS
    return of_formula(row.form, [_range(a, deep - 1) for a in row.args])
