"""Blocks of Jacobians and Hessians, kept compressed: what structure a block has, and the arrays that it is made of.

A block is a sum of parts. The terms of a part have the same δ's between letters of rows and of columns: where all axes
have one it is diagonal, where some have, block diagonal. What splits into a product over the first axes and one over
the others is a Kronecker product A ⊗ B, along a letter that both sides share a sum of them; what splits into rows and
columns has rank one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

from symbackprop.core import build
from symbackprop.core.graph import Node
from symbackprop.core.shapes import ONE, Shape
from symbackprop.derive.eliminating import Algebra
from symbackprop.derive.row_products import (
    Operand,
    as_gram,
    contracted,
    gram,
    never_negative,
    number_of,
    operands,
    turned,
)
from symbackprop.derive.terms import UNIT, Index, Term, Terms, all_letters, canonical, collected, is_number

DIAGONAL, BLOCK_DIAGONAL, KRONECKER = "diagonal", "block diagonal", "kronecker"
KRONECKERS, LOW_RANK, SYMMETRIC, DENSE = "sum of kronecker", "low rank", "symmetric", "dense"


Split = tuple[Index, Index]  # the letters of each of two sides


@dataclass(frozen=True)
class Part:
    """Terms of one ``structure``. ``ties`` say which letter of a row a letter of a column equals. ``halves`` are those
    of a Kronecker product or of a product of a column and a row, each a sum of terms; along ``cut`` they are added up.
    ``crossed``: the second axis of a column belongs to the first of a row (∂X⁻¹/∂X)."""

    structure: str
    terms: tuple[Term, ...]
    ties: Mapping[int, int]
    halves: tuple[tuple[Term, ...], ...] = ()
    cut: int = 0
    crossed: bool = False


class Block:
    """∂(entries of one array)/∂(entries of another one): ``row`` and ``column`` are their names, ``shape`` those of
    both. ``structure`` is one of the words above, ``arrays`` the rows that it is made of, ``dense`` the whole as a row,
    ``diagonal`` its diagonal as one."""

    def __init__(self, algebra: Algebra, names: tuple[str, str], shapes: tuple[Shape, Shape], own: Index, into: Index,
                 terms: Terms, symmetric: bool) -> None:
        self.algebra, self.space = algebra, algebra.space
        self.row, self.column = names
        self.shapes, self.own, self.into = shapes, own, into
        self.terms, self.symmetric = tuple(terms), symmetric

    @property
    def shape(self) -> Shape:
        return (*self.shapes[0], *self.shapes[1])

    def transposed(self) -> Block:
        """The block with rows and columns in each other's place."""
        names, shapes = (self.column, self.row), (self.shapes[1], self.shapes[0])
        return Block(self.algebra, names, shapes, self.into, self.own, list(self.terms), self.symmetric)

    @cached_property
    def structure(self) -> str:
        """The structure of the only part, else what they are together. A block of zeros has rank 0."""
        kinds = {part.structure for part in self.parts}
        if len(self.parts) <= 1:
            return next(iter(kinds), LOW_RANK)
        if kinds <= {DIAGONAL, BLOCK_DIAGONAL, KRONECKER, KRONECKERS} and self._splits:
            return KRONECKERS
        return SYMMETRIC if self.symmetric else DENSE

    @cached_property
    def definite(self) -> bool:
        """Whether it shows that xᵀHx is never negative: every term is a Gram matrix whose weights are not, or
        Q (diag(p) − p pᵀ) Qᵀ for probabilities p."""
        if not self.symmetric or not self.terms:
            return False
        open_ = [t for t in self.terms if t.number < 0]
        whole = [t for t in self.terms if t.number > 0]
        pairs = [next((k for k, t in enumerate(whole) if self._is_variance(t, s)), None) for s in open_]
        return None not in pairs and len({*pairs}) == len(pairs) and all(map(self._is_positive, whole))

    def _is_positive(self, term: Term) -> bool:
        """Whether a term is a Gram matrix whose weights are never negative."""
        ties = self._ties(term)
        rest = self.untied(term, ties)
        pairs = [(i, j) for i, j in zip(self.own, self.into, strict=True) if i and j not in ties]
        if any(ties.get(j, i) != i for i, j in zip(self.own, self.into, strict=True)):
            return False
        if pairs:
            own, into = (tuple([pair[k] for pair in pairs]) for k in (0, 1))
            found = as_gram(self.algebra, rest, own, into)
            return found is not None and found.definite
        return rest.number > 0 and all(never_negative(self.algebra, k, p) for k, p in rest.powers.items())

    def _is_variance(self, whole: Term, less: Term) -> bool:
        """Whether two terms are Q diag(p) Qᵀ and −Q p pᵀ Qᵀ, the p being probabilities."""
        rows = {k: self.algebra.row(k) for k in less.powers}
        places = [k for k, row in rows.items() if row is not None and row.op.distribution]
        for a in places:
            for b in places:
                (i, j), row = (a[1][rows[a].attr], b[1][rows[b].attr]), rows[a]  # type: ignore[union-attr]
                if a == b or row is not rows[b] or i == j:
                    continue
                tied = self.algebra.times(less.with_powers({**less.powers, b: 0}), self.algebra.delta(i, j))
                found = self.algebra.summed(tied._replace(number=-less.number), ())
                if found.number == whole.number and self.key(found) == self.key(whole):
                    return True
        return False

    def __repr__(self) -> str:
        return f"<block {self.row}, {self.column}: {self.structure}>"

    # -- parts
    @cached_property
    def parts(self) -> tuple[Part, ...]:
        whole = self._as_one_product()
        return (whole,) if whole is not None else tuple(self._by_ties())

    def _as_one_product(self) -> Part | None:
        """All terms as one Kronecker product, as (diag p − p pᵀ) ⊗ x xᵀ."""
        if len(self.terms) < 2:
            return None
        for split in self._splits:
            found = [self.halves(t, split, 0) for t in self.terms]
            known = [x for x in found if x is not None]
            for k in (0, 1) if len(known) == len(found) else ():
                if len({self.key(x[k]) for x in known}) == 1:
                    other = tuple([x[1 - k]._replace(number=x[1 - k].number * x[k].number) for x in known])
                    one = known[0][k]._replace(number=UNIT.number)
                    return Part(KRONECKER, self.terms, {}, ((one,), other) if k == 0 else (other, (one,)))
        return None

    def key(self, term: Term) -> object:
        """What terms have in common that differ in a number alone."""
        return canonical(term.powers.items(), all_letters(term.powers) - term.summed)[0]

    def _by_ties(self) -> Iterator[Part]:
        groups: dict[tuple[tuple[int, int], ...], list[Term]] = {}
        for term in self.terms:
            groups.setdefault(tuple(sorted(self._ties(term).items())), []).append(term)
        for ties, terms in groups.items():
            yield from self._parts_of(dict(ties), terms)

    def _ties(self, term: Term) -> dict[int, int]:
        """Which letter of a column is equal to which one of a row."""
        found: dict[int, int] = {}
        for a, b in self.algebra.deltas(term):
            for i, j in ((a, b), (b, a)):
                if i in self.own and j in self.into:
                    found.setdefault(j, i)
        return found

    def untied(self, term: Term, ties: Mapping[int, int]) -> Term:
        """A term without its δ's between rows and columns, whose letters are those of the rows."""
        pairs = {frozenset(pair) for pair in ties.items()}
        rest = {k: p for k, p in term.powers.items() if not (self.algebra.is_delta(k) and frozenset(k[1]) in pairs)}
        keep = {i: i for i in term.summed}
        return self.algebra.renamed(term.with_powers(rest), {**keep, **ties})

    def _parts_of(self, ties: dict[int, int], terms: Sequence[Term]) -> Iterator[Part]:
        pairs = [(i, j) for i, j in zip(self.own, self.into, strict=False) if i and j]
        square = len(self.own) == len(self.into) and len(pairs) == len([i for i in self.own if i])
        tied = [j in ties and ties[j] == i for i, j in pairs]
        if square and tied and all(tied):
            yield Part(DIAGONAL, tuple(terms), ties)
            return
        if square and any(tied):
            used = {i for t in terms for i in all_letters(self.untied(t, ties).powers)}
            alone = not any(i in used for i in ties.values())
            yield Part(KRONECKER if alone else BLOCK_DIAGONAL, tuple(terms), ties)
            return
        split = [self._split(t) for t in terms]
        known = [x for x in split if x is not None]
        if len(known) == len(split):
            yield from known
        else:
            yield Part(SYMMETRIC if self.symmetric else DENSE, tuple(terms), ties)

    def _split(self, term: Term) -> Part | None:
        """A term as a column times a row, a Kronecker product or a sum of such along one letter."""
        ways = [(LOW_RANK, (self.own, self.into), 0, False)] if any(self.own) and any(self.into) else []
        for cut in (0, *sorted(term.summed)):
            kind = KRONECKERS if cut else KRONECKER
            ways += [(kind, split, cut, False) for split in self._splits]
            ways += [(kind, split, cut, True) for split in self._crossed]
        for kind, split, cut, crossed in ways:
            halves = self.halves(term, split, cut)
            if halves is not None:
                return Part(kind, (term,), {}, ((halves[0],), (halves[1],)), cut, crossed)
        return None

    @cached_property
    def _splits(self) -> list[Split]:
        """The ways in which the axes of rows and columns are those of two matrices, the even ones first."""
        own, into = (tuple([i for i in index if i]) for index in (self.own, self.into))
        places = [(s, t) for s in range(len(own) + 1) for t in range(len(into) + 1)]
        places.sort(key=lambda x: abs(2 * x[0] - len(own)) + abs(2 * x[1] - len(into)))
        found = [((*own[:s], *into[:t]), (*own[s:], *into[t:])) for s, t in places]
        return [(a, b) for a, b in found if a and b and a not in (own, into)]

    @property
    def _crossed(self) -> list[Split]:
        """The same where the first axis of rows goes with the last one of columns."""
        own, into = (tuple([i for i in index if i]) for index in (self.own, self.into))
        return [((own[0], into[1]), (own[1], into[0]))] if len(own) == len(into) == 2 else []

    def halves(self, term: Term, split: Split, cut: int) -> tuple[Term, Term] | None:
        """A term as one product over the letters of each side; ``cut`` is a letter that both may read."""
        sides = [{i for i in half if i} for half in split]
        groups: list[tuple[set[int], list[object]]] = []
        for key in term.powers:
            letters = {i for i in key[1] if i and i != cut}
            joined = [g for g in groups if g[0] & letters]
            groups = [g for g in groups if g not in joined]
            groups.append((letters.union(*[g[0] for g in joined]), [key, *[k for g in joined for k in g[1]]]))
        if any(letters & sides[0] and letters & sides[1] for letters, _ in groups):
            return None
        right = {k for letters, keys in groups if letters & sides[1] for k in keys}
        if not right or len(right) == len([k for k in term.powers if not is_number(k)]):
            return None
        powers = [{k: p for k, p in term.powers.items() if (k in right) == side} for side in (False, True)]
        first, second = [Term(UNIT.number, (term.summed & all_letters(p)) - {cut}, p) for p in powers]
        return first._replace(number=term.number), second

    # -- rows
    @cached_property
    def arrays(self) -> tuple[Node, ...]:
        """The rows that the block is made of, those of each part."""
        return tuple([x.row for part in self.parts for x in self.operands(part)])

    def operands(self, part: Part) -> list[Operand]:
        """The rows of a part at their letters: one, or those of its halves."""
        if part.cut:
            found = operands(self.algebra, part.terms[0])
            number = number_of(self.space, part.terms[0])
            return found if number == 1 else [Operand(found[0].row * number, found[0].letters), *found[1:]]
        if part.halves:
            return [self._sum(half, None) for half in part.halves]
        return [self._sum([self.untied(t, part.ties) for t in part.terms], part)]

    def _sum(self, terms: Iterable[Term], part: Part | None) -> Operand:
        """A sum of terms as one row over the letters that any of them has."""
        found = [self._row(t, {*part.ties.values()} if part else ()) for t in terms]
        letters = tuple([i for i in self._letters() if any(i in x.letters for x in found)])
        whole = None
        for x in found:
            row = self._spread(x, letters)
            whole = row if whole is None else whole + row
        assert whole is not None
        return Operand(whole, letters)

    def _letters(self) -> Index:
        return tuple([i for i in (*self.own, *self.into) if i])

    def _row(self, term: Term, tied: Collection[int] = ()) -> Operand:
        """A term as one row; of a symmetric block the letters that rows and columns share by ties are both sides'."""
        free = self._letters()
        pairs = [(i, j) for i, j in zip(self.own, self.into, strict=False) if i and i not in tied]
        own, into = (tuple([pair[k] for pair in pairs]) for k in (0, 1))
        found = gram(self.algebra, term, own, into, free) if self.symmetric and own else None
        found = found or contracted(self.algebra, term, free)
        if found is None:
            return Operand(self.algebra.graph.const(number_of(self.space, term)), ())
        return turned(found, tuple([i for i in free if i in found.letters]))

    def _spread(self, x: Operand, letters: Index) -> Node:
        """A row with an axis for every letter, of size 1 where it has none."""
        sizes = [self.space.sizes[i] if i in x.letters else ONE for i in letters]
        return x.row if len(x.letters) == len(letters) or not x.letters else build.reshape(x.row, sizes)

    @cached_property
    def dense(self) -> Node:
        """The whole block as one row, of the shape of its array and then that of the one it is differentiated by."""
        graph = self.algebra.graph
        if not self.terms:
            return graph.full(0, self.shape)
        with graph.evaluating():
            whole = reduce(add, [row for part in self.parts for row in self._dense(part)])
            letters = self._letters()
            whole = graph.broadcast(whole, tuple([self.space.sizes[i] for i in letters]))
            return build.reshape(whole, self.shape)

    # -- the diagonal
    @cached_property
    def diagonal_terms(self) -> Terms:
        """The entries whose column is their row, of a block that is as wide as high, over the letters of rows: no
        matrix is behind them."""
        to = {j: i for i, j in zip(self.own, self.into, strict=True) if i}
        found = [self.algebra.summed(self.algebra.renamed(t, to), ()) for t in self.terms]
        return collected([t for t in found if not self.algebra.vanishes(t)])

    @cached_property
    def diagonal(self) -> Node:
        """These entries as one row, of the shape of the block's array."""
        graph, letters = self.algebra.graph, tuple([i for i in self.own if i])
        with graph.evaluating():
            whole = graph.const(0)
            for t in self.diagonal_terms:
                found = contracted(self.algebra, t, letters)
                whole += graph.const(number_of(self.space, t)) if found is None else self._spread(found, letters)
            whole = graph.broadcast(whole, tuple([self.space.sizes[i] for i in letters]))
            return build.reshape(whole, self.shapes[0])

    def _dense(self, part: Part) -> Iterator[Node]:
        letters = self._letters()
        if part.halves:
            for x in map(self._row, part.terms):
                yield self._spread(x, letters)
            return
        (x,) = self.operands(part)
        terms = [self.algebra.atom(x.row, x.letters)] if x.letters else []
        eyes = [self.algebra.delta(i, j) for j, i in part.ties.items()]
        found = contracted(self.algebra, self.algebra.times(UNIT, *terms, *eyes), letters)
        row = x.row if found is None else self._spread(found, letters)
        yield row if terms or found is None else row * x.row
