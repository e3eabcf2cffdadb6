"""Sides of conditions that no result can depend on, because what reads them selects them away.

In ``where(x > 0, log(where(x > 0, x, 1)), 0)`` the inner 1 is never used: wherever it is chosen, the outer condition
chooses 0. Such a side need not be looked for. Two conditions exclude each other when they compare multiples of the same
rows; anything else counts as possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.scalars import TABLE, Switch
from symbackprop.verify.switches import HOLDS, operands_of, switches_of

Affine: TypeAlias = tuple[dict[int, sp.Expr], sp.Expr]  # coefficients by row id, and a number
Literal: TypeAlias = tuple[Affine, str]  # that stands in this relation to 0


class Paths:
    """The rows between conditions and the ``results`` of one scope: a model or the body of a loop."""

    def __init__(self, results: Sequence[Node], stop: frozenset[int] = frozenset()) -> None:
        self.ends = {r.id for r in results}
        self.readers: dict[int, list[tuple[Node, list[Literal]]]] = {}
        self.choosers: dict[frozenset[int], set[int]] = {}
        for row in results[0].graph.topological(results, stop) if results else ():
            for place, a in enumerate(row.args if row.id not in stop else ()):
                needed = list(_needed(row, place))
                self.readers.setdefault(a.id, []).append((row, needed))
                for (terms, _), _ in needed:
                    self.choosers.setdefault(frozenset(terms), set()).add(row.id)

    def is_blocked(self, row: Node, switch: Switch, sign: str) -> bool:
        """Whether a row with a switch is selected away on every way to a result where it is on this side."""
        literal = _literal(row, switch, sign)
        if not self.choosers.get(frozenset(literal[0][0]), set()) - {row.id}:
            return False  # no other row chooses by what this one compares
        stack, seen = [row], {row.id}
        while stack:
            node = stack.pop()
            if node.id in self.ends:
                return False
            for reader, needed in self.readers.get(node.id, ()):
                if reader.id not in seen and not any(_exclude(literal, other) for other in needed):
                    seen.add(reader.id)
                    stack.append(reader)
        return True


def _needed(row: Node, place: int) -> Iterator[Literal]:
    """What has to hold for a row to depend on its argument at ``place``."""
    if not isinstance(row.attr, Kernel):
        return
    form = row.attr.form
    for switch in switches_of(row):
        mattering = [s for s in (switch.no, switch.yes) if place in _on_side(row.attr, switch, s)[1]]
        yield from (_literal(row, switch, sign) for sign in mattering if len(mattering) == 1)
    factors = form.factors if isinstance(form, f.Mul) else ()
    for factor in factors:
        if isinstance(factor, f.Arg) and factor.index != place:
            yield from _not_zero(row.args[factor.index])


def _not_zero(row: Node) -> Iterator[Literal]:
    """What has to hold for a factor not to be 0."""
    for switch in switches_of(row):
        alive = [s for s in (switch.no, switch.yes) if _may_be_nonzero(row, switch, s)]
        yield from (_literal(row, switch, sign) for sign in alive if len(alive) == 1)


def _may_be_nonzero(row: Node, switch: Switch, sign: str) -> bool:
    values = _on_side(row.attr, switch, sign)[0]
    return not values.size or bool(np.any(values))


@cache
def _on_side(kernel: Kernel, switch: Switch, sign: str) -> tuple[Any, frozenset[int]]:
    """The values of a function at some points on one side, and the arguments that they depend on there (all of them
    where no point is on it)."""
    centre = next((_number(p) for p in operands_of(kernel, switch) if isinstance(p, f.Num)), 0.0)
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
    left, right = (_operand(p, points) for p in operands_of(kernel, switch))
    return np.broadcast_to(HOLDS[sign](left - right, 0), points.shape[1:])


def _computed(kernel: Kernel, points: Any) -> Any:
    assert isinstance(kernel.form, f.Call)
    with np.errstate(all="ignore"):
        found = TABLE[kernel.form.name].reference(np, *[_operand(p, points) for p in kernel.form.args])
    return np.broadcast_to(found, points.shape[1:])


def _operand(operand: f.Formula, points: Any) -> Any:
    return points[operand.index] if isinstance(operand, f.Arg) else _number(operand)


def _number(operand: f.Formula) -> float:
    """A number; one that holds dimensions is some number."""
    assert isinstance(operand, f.Num)
    return float(operand.value) if operand.value.is_number else 1.0


# -- relations between rows
def _literal(row: Node, switch: Switch, sign: str) -> Literal:
    """That a row with a switch is on a side, over the rows that it compares; a truth value that it reads is taken by
    what it says."""
    left, right = operands_of(row.attr, switch)
    if isinstance(left, f.Arg) and right == f.ZERO and sign in ("==", "!="):
        inner = _source(row.args[left.index])
        own = switches_of(inner)
        if own and inner.attr.boolean:
            return _literal(inner, own[0], own[0].yes if sign == "!=" else own[0].no)
    return _affine_of(f.Arg(0) - f.Arg(1), [_affine(row, left), _affine(row, right)]), sign


def _source(row: Node) -> Node:
    while row.op.name == "broadcast":
        row = row.args[0]
    return row


def _affine(row: Node, operand: f.Formula) -> Affine:
    if isinstance(operand, f.Num):
        return {}, operand.value
    assert isinstance(operand, f.Arg)
    return _of_row(_source(row.args[operand.index]))


def _of_row(row: Node) -> Affine:
    """A row as a sum of multiples of rows; itself where it is no such sum."""
    if row.value is not None:
        return {}, row.value
    if isinstance(row.attr, Kernel) and row.attr.head is None:
        parts = [({a.id: sp.S.One}, sp.S.Zero) for a in map(_source, row.args)]
        try:
            return _affine_of(row.attr.form, parts)
        except ValueError:
            pass
    return {row.id: sp.S.One}, sp.S.Zero


def _affine_of(form: f.Formula, args: Sequence[Affine]) -> Affine:
    """A formula over sums; `ValueError` where it is no sum of multiples."""
    match form:
        case f.Num(value):
            return {}, value
        case f.Arg(index):
            return args[index]
        case f.Neg(body):
            return _scaled(_affine_of(body, args), sp.S.NegativeOne)
        case f.Add(terms):
            return _sum([_affine_of(t, args) for t in terms])
        case f.Mul((f.Num(number), rest)):
            return _scaled(_affine_of(rest, args), number)
    raise ValueError(form)


def _scaled(a: Affine, by: sp.Expr) -> Affine:
    return {k: c * by for k, c in a[0].items()}, a[1] * by


def _sum(parts: Sequence[Affine]) -> Affine:
    total: dict[int, sp.Expr] = {}
    for terms, _ in parts:
        for k, c in terms.items():
            total[k] = total.get(k, sp.S.Zero) + c
    return {k: c for k, c in total.items() if c != 0}, sum((p[1] for p in parts), sp.S.Zero)


def _exclude(a: Literal, b: Literal) -> bool:
    """Whether two relations cannot hold together, but for single points."""
    (terms, number), sign = a
    (others, other), other_sign = b
    if not terms or terms.keys() != others.keys():
        return False
    ratios = {sp.nsimplify(terms[k] / others[k]) for k in terms}
    ratio = ratios.pop()
    shift = number - ratio * other  # a = ratio · b + shift
    if ratios or not (ratio.is_number and shift.is_number):
        return False
    tried = _between(float(-shift / ratio), "==" in (sign, other_sign))
    return not any(_both(m, float(ratio), float(shift), sign, other_sign) for m in tried)


def _both(m: float, ratio: float, shift: float, sign: str, other: str) -> bool:
    return bool(HOLDS[sign](ratio * m + shift, 0) and HOLDS[other](m, 0))


def _between(threshold: float, ends: bool) -> list[float]:
    """Numbers beside and between 0 and a threshold, and these two where an equality asks for one of them."""
    low, high = min(0.0, threshold), max(0.0, threshold)
    return [low - 1, *[(low + high) / 2] * (low < high), high + 1, *[low, high] * ends]
