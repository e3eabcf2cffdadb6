"""The sides of a model's conditions: what every row that selects can select, and what it is called.

A condition is a row whose record has a switch (`where`, comparisons, ReLU, minimum …) or a maximum over entries, when
it depends on declared arrays: what only depends on sizes, as a causal mask does, is no condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import reduce
from math import prod
from operator import or_
from typing import Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_product, is_repeated, is_reshaped, is_sum
from symbackprop.core.graph import BOOL, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.literals import number_text
from symbackprop.core.loops import Loop
from symbackprop.core.notation import Brief
from symbackprop.core.scalars import Switch
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verify.interpreter import Array, Sizes, Step
from symbackprop.verify.kinks import HOLDS, on_side, operands_in, operands_of, switches_of
from symbackprop.verify.ranges import REALS, Range, leaf_range, of_formula, range_of

Affine: TypeAlias = tuple[dict[int, sp.Expr], sp.Expr]  # coefficients by row id, and a number
Edge: TypeAlias = tuple[Any, ...]
Literal: TypeAlias = tuple[Affine, str]  # that stands in this relation to 0
MAX_PLACES = 8
MAX_DIGITS = 12


@dataclass(frozen=True)
class Leaves:
    """Some of the declared arrays, by id: a bit for each, since every row may depend on thousands."""

    bits: int
    places: Mapping[int, int]

    def __contains__(self, leaf: int) -> bool:
        return leaf in self.places and bool(self.bits >> self.places[leaf] & 1)


@dataclass(frozen=True)
class Side:
    """One side of a condition: the entries of ``row`` at which the margin of the two operands of a ``switch`` stands in
    the relation ``sign`` to 0. ``place`` is, for a maximum over entries, the (number, count) of the part of them that
    is largest.

    ``root`` is the row of the model that computes it (the loop, for a row of a loop's body) and ``leaves`` are the
    declared arrays that it depends on.
    """

    row: Node
    sign: str
    switch: Switch | None
    place: tuple[int, int] | None
    root: Node
    leaves: Leaves = field(compare=False)
    condition: str = field(compare=False)
    holds: bool = field(compare=False)

    @property
    def edge(self) -> Edge:
        """What is compared and how, alike for all rows that are on this side at the same points."""
        if self.switch is None:
            return self.place, self.row.args[0], self.row.attr
        operands = operands_of(self.row.attr, self.switch)
        return self.sign, *[self.row.args[p.index] if isinstance(p, f.Arg) else p for p in operands]

    def margin(self, step: Step, args: Sequence[Array]) -> Array:
        """How far each entry of the row is from its other side."""
        if self.place is not None:
            return _lead(self.place, step, args[0])
        assert self.switch is not None
        left, right = operands_in(step, self.switch, args)
        with np.errstate(all="ignore"):
            return np.where(np.equal(left, right), 0.0, np.subtract(left, right, dtype=float))

    def at(self, step: Step, args: Sequence[Array]) -> Array:
        """Which entries of the row are on this side."""
        return HOLDS[self.sign](self.margin(step, args), 0)


def _lead(place: tuple[int, int], step: Step, a: Array) -> Array:
    """By how much the entries of one part exceed all others, in the shape of the maximum."""
    axes = step.attr[0]
    kept = [k for k in range(a.ndim) if k not in axes]
    flat = np.transpose(a, (*kept, *axes)).astype(float).reshape(*[a.shape[k] for k in kept], -1)
    inside = np.zeros(flat.shape[-1], bool)
    inside[np.array_split(np.arange(inside.size), place[1])[place[0]]] = True
    first, second = (np.max(flat[..., part], axis=-1, initial=-np.inf) for part in (inside, ~inside))
    with np.errstate(all="ignore"):
        return np.where(first == second, 0.0, first - second).reshape(step.shape)


@dataclass(frozen=True)
class Fact:
    """What is known of a row: where its values lie and which leaves it depends on, a bit each."""

    range: Range = REALS
    leaves: int = 0


def sides_of(rows: Sequence[Node], sizes: Sizes) -> list[Side]:
    """The sides, of all conditions among the rows that ``rows`` need, that may be reached and matter."""
    return _Walk(sizes).through(rows, {}, frozenset(), None)


class _Walk:
    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.leaves: dict[int, int] = {}  # the places of their bits

    def through(
        self, rows: Sequence[Node], known: Mapping[int, Fact], stop: frozenset[int], root: Node | None
    ) -> list[Side]:
        """The sides among the rows; ``known`` are the facts about the leaves of a loop's body."""
        facts, found, paths = dict(known), list[Side](), Paths(rows, stop)
        for row in rows[0].graph.topological(rows, stop) if rows else []:
            if row.id in facts:
                continue
            args = [facts[a.id] for a in row.args]
            facts[row.id] = self._fact(row, args)
            if isinstance(row.attr, Loop):
                body = self._body(row, args)
                found += self.through(row.attr.results(), body, row.attr.stop, row if root is None else root)
            elif facts[row.id].leaves:
                own = self._sides(row, args, row if root is None else root, facts[row.id].leaves)
                found += [s for s in own if s.switch is None or (not paths.is_blocked(row, s.switch, s.sign)
                          and (root is not None or not paths.is_infinite(row, s.switch, s.sign)))]
        return found

    def _fact(self, row: Node, args: Sequence[Fact]) -> Fact:
        if row.is_declared:
            free = row.attr.value is None
            return Fact(leaf_range(row), 1 << self.leaves.setdefault(row.id, len(self.leaves)) if free else 0)
        leaves = _together(args)
        if row.kind == BOOL and switches_of(row):
            switch, *_ = switches_of(row)
            margin = _margin_range(row, switch, args)
            return Fact(Range(float(not margin.can(switch.no)), float(margin.can(switch.yes)), atoms=True), leaves)
        return Fact(range_of(row, [a.range for a in args]), leaves)

    def _body(self, row: Node, args: Sequence[Fact]) -> dict[int, Fact]:
        """What the leaves of a body are known to be; a carried one may become anything that the loop reads."""
        loop: Loop = row.attr
        carried = Fact(REALS._replace(atoms=any(a.range.atoms for a in args)), _together(args))
        count = len(loop.carry)
        return {leaf.id: carried if k < count else args[k] for k, leaf in enumerate(loop.leaves())}

    def _sides(self, row: Node, args: Sequence[Fact], root: Node, leaves: int) -> list[Side]:
        if row.op.chooses:
            return self._places(row, root, leaves)
        return [side for switch in switches_of(row) for side in self._pieces(row, switch, args, root)]

    def _pieces(self, row: Node, switch: Switch, args: Sequence[Fact], root: Node) -> list[Side]:
        leaves = _together(args[p.index] for p in operands_of(row.attr, switch) if isinstance(p, f.Arg))
        if not leaves:  # a constant, as 1[t = 1] of a step that is written out
            return []
        margin, name = _margin_range(row, switch, args), _relation(row, switch)
        signs = [(switch.no, False), (switch.yes, True)]
        of = Leaves(leaves, self.leaves)
        return [Side(row, s, switch, None, root, of, name, yes) for s, yes in signs if margin.can(s)]

    def _places(self, row: Node, root: Node, leaves: int) -> list[Side]:
        a = row.args[0]
        count = prod(size for k, size in enumerate(evaluate_shape(a.shape, self.sizes)) if k in row.attr[0])
        parts = min(count, MAX_PLACES)
        of, read = Brief().operand(a), Leaves(leaves, self.leaves)
        splits = np.array_split(np.arange(count), parts)
        names = [f"{s[0]}" if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in splits]
        return [
            Side(row, ">", None, (k, parts), root, read, f"entry {name} of {of} is the largest", True)
            for k, name in enumerate(names)
            if parts > 1
        ]


def _together(facts: Iterable[Fact]) -> int:
    """The leaves that any of some rows depends on."""
    return reduce(or_, [fact.leaves for fact in facts], 0)


def _margin_range(row: Node, switch: Switch, args: Sequence[Fact]) -> Range:
    """Where the difference of the two operands of a switch can lie."""
    ranges = [a.range for a in args]
    left, right = (of_formula(part, ranges) for part in operands_of(row.attr, switch))
    difference = of_formula(f.Arg(0) - f.Arg(1), [left, right])
    return difference._replace(atoms=any(r.atoms for r in ranges))


def _relation(row: Node, switch: Switch) -> str:
    """The condition as model text; for a truth value, that value written out."""
    left, right = operands_of(row.attr, switch)
    if isinstance(left, f.Arg) and row.args[left.index].kind == BOOL and switch.yes == "!=":
        inner = row.args[left.index]
        own = switches_of(inner)
        return _relation(inner, own[0]) if own else Brief().right(inner)
    return " ".join([_written(row, left), switch.yes, _written(row, right)])


def meeting(row: Node) -> str:
    """That the two operands which a row compares are equal, in words."""
    left, right = operands_of(row.attr, switches_of(row)[0])
    return f"{_written(row, left)} = {_written(row, right)}"


def _written(row: Node, operand: f.Formula) -> str:
    if isinstance(operand, f.Arg):
        return Brief().operand(row.args[operand.index])
    assert isinstance(operand, f.Num)
    exact = number_text(operand.value).text
    return exact if len(exact) <= MAX_DIGITS or not operand.value.is_number else f"{float(operand.value):g}"


# -- sides that no result can depend on, because what reads them selects them away: in where(x > 0, log(where(x > 0, x,
# 1)), 0) the inner 1 is never used, since wherever it is chosen, the outer condition chooses 0. Such a side need not be
# looked for. Two conditions exclude each other when they compare multiples of the same rows; anything else is possible

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
        choosers = self.choosers.get(frozenset(literal[0][0]), ())
        if len(choosers) == (row.id in choosers):
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

    def is_infinite(self, row: Node, switch: Switch, sign: str) -> bool:
        """Whether all results that depend on a row with a switch are infinite, or no numbers, where it is on this side:
        ∞ is chosen there, and what reads it adds and multiplies. There are no slopes to compare."""
        literal = _literal(row, switch, sign)
        stack, seen = [(row, _is_infinite_where(row, literal))], {row.id}
        while stack:
            node, infinite = stack.pop()
            if node.id in self.ends and not infinite:
                return False
            for reader, _ in self.readers.get(node.id, ()):
                after = _hands_on(reader, node) if infinite else _is_infinite_where(reader, literal)
                if not after and (infinite or not is_repeated(reader)):
                    return False
                if reader.id not in seen:
                    seen.add(reader.id)
                    stack.append((reader, after))
        return True


def _is_infinite_where(row: Node, literal: Literal) -> bool:
    """Whether a row with a switch is ∞ or −∞ at all entries where a relation holds."""
    for switch in switches_of(row):
        for sign in (switch.no, switch.yes):
            if _literal(row, switch, sign) == literal:
                values, moving = on_side(row.attr, switch, sign)
                return bool(values.size) and not moving and bool(np.all(np.isinf(values)))
    return False


def _hands_on(reader: Node, row: Node) -> bool:
    """Whether a row has no finite entry where an argument has an infinite one: sums and products of its entries."""
    if isinstance(reader.attr, Kernel):
        return _is_linear_in(reader.attr.form, {k for k, a in enumerate(reader.args) if a is row})
    return is_sum(reader) or is_product(reader) or is_repeated(reader) or is_reshaped(reader)


def _is_linear_in(form: f.Formula, places: Set[int]) -> bool:
    match form:
        case f.Arg(index):
            return index in places
        case f.Neg(body) | f.Div(body, _):
            return _is_linear_in(body, places)
        case f.Add(parts) | f.Mul(parts):
            return any(_is_linear_in(part, places) for part in parts)
    return False


def _needed(row: Node, place: int) -> Iterator[Literal]:
    """What has to hold for a row to depend on its argument at ``place``."""
    if not isinstance(row.attr, Kernel):
        return
    form = row.attr.form
    for switch in switches_of(row):
        mattering = [s for s in (switch.no, switch.yes) if place in on_side(row.attr, switch, s)[1]]
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
    values = on_side(row.attr, switch, sign)[0]
    return not values.size or bool(np.any(values))


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
    while is_repeated(row):
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
