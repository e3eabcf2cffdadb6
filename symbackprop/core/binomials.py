"""Squares that are written out: a² − 2ab + b² entry by entry, and |a|² + |b|² − 2ab of vectors, as in a Gram matrix.

A term is expanded to a number times two rows whose axes carry letters, the summed ones among them; what stands between
(views, sums, products by index letters) is gone then, and three such terms make a square or they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, permutations
from typing import NamedTuple, TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import is_one

NONE = -1  # the letter of an axis of size 1
MAX_TAKEN_APART = 40  # rows of a term
Letters: TypeAlias = tuple[int, ...]
Factors: TypeAlias = tuple[tuple[Node, Letters], ...]


class Term(NamedTuple):
    """A number times a product of rows with their letters; letters from ``rank`` on are summed."""

    number: sp.Expr
    factors: Factors


def is_square(terms: Sequence[f.Formula], args: Sequence[Node], rank: int) -> bool:
    """Whether three terms over rows that broadcast to ``rank`` axes are c(a − b)², perhaps summed."""
    found = [_Expansion(rank).formula(t, args, tuple(range(rank))) for t in terms]
    return len(found) == 3 and any(_makes_square(a, b, cross, rank) for a, b, cross in permutations(found))


def _makes_square(a: Term | None, b: Term | None, cross: Term | None, rank: int) -> bool:
    if a is None or b is None or cross is None or not len(a.factors) == len(b.factors) == len(cross.factors) == 2:
        return False
    if a.number != b.number or cross.number != -2 * a.number:
        return False
    first, second = cross.factors
    shared = _summed(first[1], rank) == _summed(second[1], rank)
    return shared and _is_square_of(a, first, rank) and _is_square_of(b, second, rank)


def _summed(letters: Letters, rank: int) -> set[int]:
    return {c for c in letters if c >= rank}


def _is_square_of(term: Term, factor: tuple[Node, Letters], rank: int) -> bool:
    """Whether a term is a row times itself, with the letters of the factor but for the names of the summed ones."""
    (row, letters), other = term.factors
    if row is not factor[0] or other[0] is not row or other[1] != letters or len(letters) != len(factor[1]):
        return False
    pairs = set(zip(letters, factor[1], strict=True))
    same = all(x == y or (x >= rank and y >= rank) for x, y in pairs)
    return same and len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs})


class _Expansion:
    """Expands one term."""

    def __init__(self, rank: int) -> None:
        self.fresh: Iterator[int] = count(rank)
        self.seen = 0

    def formula(self, form: f.Formula, args: Sequence[Node], letters: Letters) -> Term | None:
        """A formula over rows whose values have these letters."""
        number, rest = f.split_sign(form)
        factors: Factors = ()
        for base, exponent in f.powers(rest):
            if not isinstance(base, f.Arg) or exponent not in (1, 2):
                return None
            inner = self.row(args[base.index], _aligned(args[base.index], letters))
            number, factors = number * inner.number**exponent, factors + inner.factors * int(exponent)
        return Term(number, factors)

    def row(self, row: Node, letters: Letters) -> Term:
        """A row with its axes named; the row itself where there is nothing to take apart."""
        inside: Term | None = None
        self.seen += 1
        if self.seen > MAX_TAKEN_APART:
            return Term(sp.S.One, ((row, letters),))
        if row.op.name == "reshape":
            inside = self._reshaped(row, letters)
        elif row.op.name == "broadcast":
            inside = self.row(row.args[0], _aligned(row.args[0], letters))
        elif row.op.name == "sum":
            inside = self.row(row.args[0], self._before_sum(row, letters))
        elif isinstance(row.attr, Pattern):
            inside = self._product(row, letters)
        elif row.form is not None:
            inside = self.formula(row.form, row.args, letters)
        return Term(sp.S.One, ((row, letters),)) if inside is None else inside

    def _reshaped(self, row: Node, letters: Letters) -> Term | None:
        """Axes of size 1 that come and go."""
        a = row.args[0]
        kept = [c for c, d in zip(letters, row.shape, strict=True) if not is_one(d)]
        if [d for d in row.shape if not is_one(d)] != [d for d in a.shape if not is_one(d)]:
            return None
        names = iter(kept)
        return self.row(a, tuple([NONE if is_one(d) else next(names) for d in a.shape]))

    def _before_sum(self, row: Node, letters: Letters) -> Letters:
        axes, keepdims = row.attr
        outer = iter(letters)
        found = []
        for k, d in enumerate(row.args[0].shape):
            kept = next(outer) if keepdims or k not in axes else NONE
            found.append((NONE if is_one(d) else next(self.fresh)) if k in axes else kept)
        return tuple(found)

    def _product(self, row: Node, letters: Letters) -> Term:
        names = dict(zip(row.attr.out, letters, strict=True))
        number: sp.Expr = sp.S.One
        factors: Factors = ()
        for a, own in zip(row.args, row.attr.ins, strict=True):
            for c in own:
                if c not in names:
                    names[c] = next(self.fresh)
            inner = self.row(a, tuple([NONE if is_one(d) else names[c] for c, d in zip(own, a.shape, strict=True)]))
            number, factors = number * inner.number, (*factors, *inner.factors)
        return Term(number, factors)


def _aligned(a: Node, letters: Letters) -> Letters:
    """The letters of an operand that is broadcast to the axes with these letters."""
    own = letters[len(letters) - a.ndim :]
    return tuple([NONE if is_one(d) else c for c, d in zip(own, a.shape, strict=True)])
