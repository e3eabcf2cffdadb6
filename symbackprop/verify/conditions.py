"""The sides of a model's conditions: what every row that selects can select, and what it is called.

A condition is a row whose record has a switch (`where`, comparisons, ReLU, minimum …) or a maximum over entries, when
it depends on declared arrays: what only depends on sizes, as a causal mask does, is no condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import BOOL, Node
from symbackprop.core.loops import Loop
from symbackprop.core.notation import Brief, number_text
from symbackprop.core.scalars import Switch
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verify.interpreter import Array, Sizes, Step
from symbackprop.verify.paths import Paths
from symbackprop.verify.ranges import REALS, Range, leaf_range, of_formula, range_of
from symbackprop.verify.switches import HOLDS, operands_in, operands_of, switches_of

MAX_PLACES = 8
MAX_DIGITS = 12


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
    leaves: frozenset[int]
    condition: str = field(compare=False)
    holds: bool = field(compare=False)

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
    flat = np.transpose(a, (*kept, *axes)).reshape(*[a.shape[k] for k in kept], -1)
    inside = np.zeros(flat.shape[-1], bool)
    inside[np.array_split(np.arange(inside.size), place[1])[place[0]]] = True
    first, second = (np.max(flat[..., part], axis=-1, initial=-np.inf) for part in (inside, ~inside))
    with np.errstate(all="ignore"):
        return np.where(first == second, 0.0, first - second).reshape(step.shape)


@dataclass(frozen=True)
class Fact:
    """What is known of a row: where its values lie and which leaves it depends on."""

    range: Range = REALS
    leaves: frozenset[int] = frozenset()


def sides_of(rows: Sequence[Node], sizes: Sizes) -> list[Side]:
    """The sides, of all conditions among the rows that ``rows`` need, that may be reached and matter."""
    return _Walk(sizes).through(rows, {}, frozenset(), None)


class _Walk:
    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes

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
                found += self.through(row.attr.results(), body, row.attr.stop(), row if root is None else root)
            elif facts[row.id].leaves:
                own = self._sides(row, args, row if root is None else root, facts[row.id].leaves)
                found += [s for s in own if s.switch is None or not paths.is_blocked(row, s.switch, s.sign)]
        return found

    def _fact(self, row: Node, args: Sequence[Fact]) -> Fact:
        if row.op.name == "leaf":
            free = row.attr.value is None
            return Fact(leaf_range(row), frozenset([row.id]) if free else frozenset())
        leaves = frozenset().union(*[a.leaves for a in args])
        if row.kind == BOOL and switches_of(row):
            switch, *_ = switches_of(row)
            margin = _margin_range(row, switch, args)
            return Fact(Range(float(not margin.can(switch.no)), float(margin.can(switch.yes)), atoms=True), leaves)
        return Fact(range_of(row, [a.range for a in args]), leaves)

    def _body(self, row: Node, args: Sequence[Fact]) -> dict[int, Fact]:
        """What the leaves of a body are known to be; a carried one may become anything that the loop reads."""
        loop: Loop = row.attr
        everything = frozenset().union(*[a.leaves for a in args])
        carried = Fact(REALS._replace(atoms=any(a.range.atoms for a in args)), everything)
        count = len(loop.carry)
        return {leaf.id: carried if k < count else args[k] for k, leaf in enumerate(loop.leaves())}

    def _sides(self, row: Node, args: Sequence[Fact], root: Node, leaves: frozenset[int]) -> list[Side]:
        if row.op.name == "max":
            return self._places(row, root, leaves)
        return [side for switch in switches_of(row) for side in self._pieces(row, switch, args, root)]

    def _pieces(self, row: Node, switch: Switch, args: Sequence[Fact], root: Node) -> list[Side]:
        compared = [args[p.index].leaves for p in operands_of(row.attr, switch) if isinstance(p, f.Arg)]
        leaves = frozenset().union(*compared)
        if not leaves:  # a constant, as 1[t = 1] of a step that is written out
            return []
        margin, name = _margin_range(row, switch, args), _relation(row, switch)
        signs = [(switch.no, False), (switch.yes, True)]
        return [Side(row, s, switch, None, root, leaves, name, yes) for s, yes in signs if margin.can(s)]

    def _places(self, row: Node, root: Node, leaves: frozenset[int]) -> list[Side]:
        a = row.args[0]
        count = prod(size for k, size in enumerate(evaluate_shape(a.shape, self.sizes)) if k in row.attr[0])
        parts = min(count, MAX_PLACES)
        of = Brief().ref(a).text
        splits = np.array_split(np.arange(count), parts)
        names = [f"{s[0]}" if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in splits]
        return [
            Side(row, ">", None, (k, parts), root, leaves, f"entry {name} of {of} is the largest", True)
            for k, name in enumerate(names)
            if parts > 1
        ]


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
        return _relation(inner, own[0]) if own else Brief().row(inner).text
    return " ".join([_written(row, left), switch.yes, _written(row, right)])


def _written(row: Node, operand: f.Formula) -> str:
    if isinstance(operand, f.Arg):
        return Brief().ref(row.args[operand.index]).text
    assert isinstance(operand, f.Num)
    exact = number_text(operand.value).text
    return exact if len(exact) <= MAX_DIGITS or not operand.value.is_number else f"{float(operand.value):g}"
