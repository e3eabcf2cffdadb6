"""Terms whose identity matrices are eliminated: what remains of a product of Jacobians (Laue, Mitterreiter and Giesen,
"Computing higher order derivatives of matrix and tensor expressions", 2018; "A simple and efficient tensor calculus",
2020).

A tangent ∂r/∂w is a sum of terms number · Π row[letters]^power · Π δ(a, b), summed over the letters that are neither
r's nor w's. A δ is an identity matrix at two letters: where one of them is summed over, it renames that letter, so no
identity matrix is ever multiplied with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce

import sympy as sp

from symbackprop.core.build import eye
from symbackprop.core.facts import chooses_entries, is_identity, is_simplex, is_symmetric
from symbackprop.core.graph import BOOL, Graph, Node
from symbackprop.core.shapes import Dim
from symbackprop.derive.terms import (
    ONE,
    Exponent,
    Index,
    Key,
    Powers,
    Space,
    Term,
    all_letters,
    is_number,
    product,
)

Pair = tuple[int, int]


class Algebra:
    """What terms over the rows of a table come to."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.space = graph, Space()
        self.rows: dict[int, Node] = {}
        self._eyes: dict[Dim, Node] = {}

    def row(self, key: Key) -> Node | None:
        """The row of a factor; None of a number."""
        return None if is_number(key) else self.rows[key[0]]

    def atom(self, row: Node, index: Index, power: Exponent = 1) -> Term:
        """One row at an index, that of a symmetric one in order."""
        self.rows[row.id] = row
        return Term(ONE, frozenset(), {(row.id, _ordered(row, index)): power})

    def number(self, value: sp.Expr) -> Term | None:
        """A number; None for 0."""
        return self.space.number(value)

    def is_delta(self, key: Key) -> bool:
        row = self.row(key)
        return row is not None and is_identity(row)

    def delta(self, a: int, b: int) -> Term:
        """1 where two letters are equal."""
        return self.atom(self.identity(self.space.sizes[a]), (a, b))

    def identity(self, size: Dim) -> Node:
        """The identity matrix: one row, in whatever part of the table it was made."""
        if size not in self._eyes:
            self._eyes[size] = eye(self.graph, size)
        return self._eyes[size]

    def deltas(self, term: Term) -> list[Pair]:
        """The pairs of letters that are equal wherever the term is not 0."""
        return [(key[1][0], key[1][1]) for key in term.powers if self.is_delta(key)]

    def times(self, *terms: Term) -> Term:
        return reduce(partial(product, self.space), terms)

    def renamed(self, term: Term, to: Mapping[int, int]) -> Term:
        """Other letters in the place of some, also where two become one; the summed ones that are not named get
        letters of their own."""
        named = {0: 0, **to}
        for i in sorted(term.summed):
            named.setdefault(i, self.space.fresh(self.space.sizes[i]))
        summed = frozenset([named[i] for i in term.summed])
        return self._put(term._replace(summed=summed), {**{i: i for i in all_letters(term.powers)}, **named})

    def _put(self, term: Term, to: Mapping[int, int]) -> Term:
        powers: Powers = {}
        for (id_, index), p in term.powers.items():
            at = tuple([to.get(i, i) for i in index])
            at = at if id_ < 0 else _ordered(self.rows[id_], at)
            truth = id_ >= 0 and (self.rows[id_].kind == BOOL or chooses_entries(self.rows[id_]))  # its own square
            powers[id_, at] = p if truth else powers.get((id_, at), 0) + p
        return term.with_powers(powers)

    def summed(self, term: Term, over: Iterable[int]) -> Term:
        """Σ over letters, what is known of the sum settled: δ renames, Σ 1 = its size, Σ p = 1 of a distribution."""
        term = term._replace(summed=term.summed | {i for i in over if i})
        while (found := self._renames(term)) is not None:
            key, to = found
            rest = term.with_powers({**term.powers, key: 0})
            term = self._put(rest._replace(summed=rest.summed - to.keys()), to)
        for key in self._totals(term):
            term = term.with_powers({**term.powers, key: 0})._replace(summed=term.summed - {_along(self, key)})
        loose = sorted(term.summed - all_letters(term.powers))
        sizes = [self.space.number(self.space.sizes[i]) for i in loose]
        return self.times(term._replace(summed=term.summed - {*loose}), *[x for x in sizes if x is not None])

    def _renames(self, term: Term) -> tuple[Key, dict[int, int]] | None:
        """A δ that goes, and which letter it renames to which."""
        for key in term.powers:
            if self.is_delta(key):
                a, b = key[1]
                if a == b:
                    return key, {}
                if a in term.summed or b in term.summed:
                    return key, {a: b} if a in term.summed else {b: a}
        return None

    def vanishes(self, term: Term) -> bool:
        """Whether entries of two parts of an axis that have none in common are to be at one place."""
        parts = [(key[1][1], self.rows[key[0]].attr) for key in term.powers
                 if not is_number(key) and chooses_entries(self.rows[key[0]])]
        return any(i == j and _is_behind(a, b) for i, a in parts for j, b in parts)

    def _totals(self, term: Term) -> list[Key]:
        """Distributions whose axis is summed over, where nothing else reads its letter."""
        found = []
        for key, p in term.powers.items():
            along = _along(self, key) if p == 1 else 0
            if along in term.summed and not any(along in k[1] for k in term.powers if k != key):
                found += [key] if key[1].count(along) == 1 else []
        return found


def _along(algebra: Algebra, key: Key) -> int:
    """The letter along which the entries of a factor add up to 1; 0 where they do not."""
    row = algebra.row(key)
    if row is None:
        return 0
    if is_simplex(row):
        return key[1][-1]
    return key[1][row.attr] if row.op.distribution else 0


def _is_behind(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    """Whether a range along an axis begins where another one has ended."""
    (_, start, _, step), (_, first, length, pace) = a, b
    return bool(step > 0 and pace > 0 and (start - first - (length - 1) * pace).is_positive)


def _ordered(row: Node, index: Index) -> Index:
    """The index of a row; of a symmetric one its letters in order: those of rows are younger than those of columns."""
    symmetric = is_symmetric(row) or is_identity(row)
    return (*index[:-2], *sorted(index[-2:], reverse=True)) if symmetric else index
