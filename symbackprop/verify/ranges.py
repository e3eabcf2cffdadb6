"""Which values a row can have at all, by interval arithmetic: a square is never negative, a softmax lies in [0, 1].

A side of a condition that lies outside of these is no side. Intervals forget how their ends hang together (x − x may be
anything), so what they rule out is impossible, and what they allow need not be possible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache, reduce
from itertools import product
from math import inf, isnan, nan
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_largest, is_simplex, kind
from symbackprop.core.graph import BOOL, Leaf, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import TABLE
from symbackprop.verify.kinks import on_side

_INSIDE = (-1e3, -30.0, -4.0, -2.0, -1.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1.0, 2.0, 4.0, 30.0, 1e3)


class Range(NamedTuple):
    """From ``low`` to ``high``, both perhaps infinite. ``atoms`` says that the row may keep one value while what it
    depends on moves (ReLU does), so that being equal to something is more than an accident."""

    low: float
    high: float
    atoms: bool = False

    def can(self, sign: str) -> bool:
        """Whether ``value sign 0`` may hold, at more than a point."""
        around = self.low < 0 < self.high
        touching = self.atoms and self.low <= 0 <= self.high
        return {
            "<": self.low < 0,
            ">": self.high > 0,
            "<=": self.low < 0 or touching,
            ">=": self.high > 0 or touching,
            "==": touching or (self.low == self.high == 0),
            "!=": around or self.low != 0 or self.high != 0,
        }[sign]


REALS = Range(-inf, inf)
UNIT = Range(0.0, 1.0)


def range_of(row: Node, args: Sequence[Range]) -> Range:
    """The range of a row, given those of its arguments."""
    if row.value is not None:
        return _number(row.value)
    atoms = any(a.atoms for a in args)
    found = _structural(row, args) if not isinstance(row.attr, Kernel) else of_formula(row.attr.form, args)
    return found._replace(atoms=atoms or found.atoms)


def _structural(row: Node, args: Sequence[Range]) -> Range:
    if row.kind == BOOL:
        return UNIT
    if row.op.range != REALS[:2]:
        return Range(*row.op.range)
    entries = kind(row)
    if entries.views or is_largest(row):
        return args[0]
    if entries.joined:
        return Range(min(a.low for a in args), max(a.high for a in args))
    if isinstance(row.attr, Pattern):
        return _einsum(row, args)
    return _any_number_of(args[0]) if entries.added else REALS


def _any_number_of(a: Range) -> Range:
    """A sum of some such values."""
    return Range(0.0 if a.low >= 0 else -inf, 0.0 if a.high <= 0 else inf)


def _einsum(row: Node, args: Sequence[Range]) -> Range:
    """A sum of products; operands that stand in it twice with the same letters are squares."""
    operands = list(zip(row.args, row.attr.ins, args, strict=True))
    total = Range(1.0, 1.0)
    while operands:
        node, letters, own = operands.pop(0)
        twin = next((o for o in operands if o[0] is node and o[1] == letters), None)
        if twin is not None:
            operands.remove(twin)
        total = _times(total, own if twin is None else _power(own, 2.0))
    return _any_number_of(total)


def of_formula(form: f.Formula, args: Sequence[Range]) -> Range:
    """The range of a formula over arguments of these ranges."""
    return _of_formula(form, tuple(args))


@lru_cache(maxsize=1 << 16)
def _of_formula(form: f.Formula, args: tuple[Range, ...]) -> Range:
    """The same, found once for all rows of the formula and for each time that one is asked about."""
    match form:
        case f.Num(value):
            return _number(value)
        case f.Arg(index):
            return args[index]
        case f.Out():
            return REALS
    parts = [_of_formula(part, args) for part in form.children]
    match form:
        case f.Neg():
            return Range(-parts[0].high, -parts[0].low)
        case f.Add():
            low, high = sum(p.low for p in parts), sum(p.high for p in parts)
            return Range(-inf if isnan(low) else low, inf if isnan(high) else high)
        case f.Mul():
            return reduce(_times, parts)
        case f.Div():
            return _times(parts[0], _power(parts[1], -1.0))
        case f.Pow(_, f.Num(exponent)) if exponent.is_number:
            return _power(parts[0], float(exponent))
        case f.Pow():
            return Range(0.0, inf) if parts[0].low >= 0 else REALS
        case f.Call(name, _):
            return _call(name, tuple(parts))
    raise TypeError(f"not a formula: {form!r}")


def _number(value: sp.Expr) -> Range:
    """A number; one that holds dimensions may be anything, of its sign."""
    if value.is_number:
        return Range(float(value), float(value))
    return Range(0.0, inf) if value.is_positive else REALS


def _times(a: Range, b: Range) -> Range:
    ends = [0.0 if 0.0 in (x, y) else x * y for x in a[:2] for y in b[:2]]
    return Range(min(ends), max(ends))


def _power(a: Range, exponent: float) -> Range:
    if exponent < 0:
        return _inverse(_power(a, -exponent))
    if exponent % 1 and a.low < 0:
        return Range(0.0, inf)
    with np.errstate(all="ignore"):
        ends = [float(np.float64(x) ** exponent) for x in a[:2]]
    return Range(0.0 if a.low < 0 < a.high and exponent % 2 == 0 else min(ends), max(ends))


def _inverse(a: Range) -> Range:
    if a.low < 0 < a.high:
        return REALS
    if a.low >= 0:
        return Range(1 / a.high if a.high else inf, 1 / a.low if a.low else inf)
    return Range(1 / a.high if a.high else -inf, 1 / a.low)


@cache
def _call(name: str, parts: tuple[Range, ...]) -> Range:
    """The range of a function, by its values at the ends of its arguments and at 0; where it has larger ones between
    them, it may have any."""
    record = TABLE[name]
    if record.boolean:
        return UNIT._replace(atoms=True)
    special = _values(record.reference, [_points(p, (0.0,)) for p in parts])
    inner = _values(record.reference, [_points(p, _INSIDE) for p in parts])
    low = special[0] if inner[0] >= special[0] else -inf
    high = special[1] if inner[1] <= special[1] else inf
    return Range(low, high, _is_flat(name))


@cache
def _is_flat(name: str) -> bool:
    """Whether a function with a switch does not depend on what it compares on one of its sides, as ReLU below 0."""
    kernel, switches = Kernel(f.call(name, *map(f.Arg, range(len(TABLE[name].domain))))), TABLE[name].switches
    sides = [({p.index for p in s if isinstance(p, f.Arg)}, on_side(kernel, s, sign)[1])
             for s in switches for sign in (s.no, s.yes)]
    return any(not compared <= moving for compared, moving in sides)


def _points(p: Range, inside: Sequence[float]) -> tuple[float, ...]:
    return tuple(dict.fromkeys((p.low, *[x for x in inside if p.low < x < p.high], p.high)))


def _values(reference: Callable[..., Any], places: Sequence[tuple[float, ...]]) -> tuple[float, float]:
    """The smallest and the largest finite or infinite value; nan where there is none."""
    with np.errstate(all="ignore"):
        grid = [np.asarray(x) for x in zip(*product(*places), strict=True)]
        found = np.asarray(reference(np, *grid), dtype=float)
    found = found[~np.isnan(found)]
    return (float(found.min()), float(found.max())) if found.size else (nan, nan)


def leaf_range(row: Node) -> Range:
    """Integers lie below their bound; data is drawn, and may be drawn equal to something."""
    leaf = row.attr
    if not isinstance(leaf, Leaf):
        return REALS
    if leaf.value is not None:
        return _number(leaf.value)
    if is_simplex(row):
        return UNIT
    return Range(0.0 if leaf.below is not None else -inf, inf, atoms=leaf.role == "data")
