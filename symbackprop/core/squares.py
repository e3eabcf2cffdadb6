"""Rows that are at least 0 and have derivative 0 wherever they are 0: sums of squares, in whatever spelling.

The derivative of √s and of every other power of such a row is 0·∞ at 0; it is taken as 0 there, the shortest
subgradient, as a norm's is. What is clipped at 0 is such a row too: √max(s, 0) is flat where it is 0.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from itertools import count, permutations
from typing import NamedTuple, TypeAlias, TypeVar

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_norm, is_repeated, is_reshaped, is_sum, kind
from symbackprop.core.graph import SEVERAL, Leaf, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one, size_of

T = TypeVar("T")
MAX_LOOKED_AT = 200
MAX_DEPTH = 60
SINGLE = -1  # the letter of an axis of size 1
MAX_TAKEN_APART = 40  # rows of a term
Letters: TypeAlias = tuple[int, ...]
Factors: TypeAlias = tuple[tuple[Node, Letters], ...]


class Least(IntEnum):
    """What is known of a row where it is smallest: nothing; it is 0 and its derivative is; it is above 0."""

    UNKNOWN = 0
    FLAT = 1
    POSITIVE = 2


def is_flat(form: f.Formula, args: Sequence[Node]) -> bool:
    """Whether a formula over rows is at least 0 and has derivative 0 where it is 0."""
    return _Search().of_formula(form, args) == Least.FLAT


class _Search:
    """One look through the rows that a formula reads; every row is judged once."""

    def __init__(self) -> None:
        self.found: dict[int, Least] = {}
        self.given: dict[int, bool] = {}
        self.depth = 0

    def is_given(self, row: Node) -> bool:
        """Whether a row is data only: a weight, which is taken to be at least 0."""
        if row.id not in self.given:
            self.given[row.id] = self._inside(self._is_given, row, len(self.given), False)
        return self.given[row.id]

    def _is_given(self, row: Node) -> bool:
        if isinstance(row.attr, Leaf):
            return row.attr.role in ("data", "constant") or row.attr.value is not None
        return row.kind != SEVERAL and all(self.is_given(a) for a in row.args)

    def of(self, row: Node) -> Least:
        if row.id not in self.found:
            self.found[row.id] = self._inside(self._of, row, len(self.found), Least.UNKNOWN)
        return self.found[row.id]

    def _inside(self, look: Callable[[Node], T], row: Node, seen: int, otherwise: T) -> T:
        """What is found at a row, unless it is too far down or too many were seen."""
        if self.depth > MAX_DEPTH or seen > MAX_LOOKED_AT:
            return otherwise
        self.depth += 1
        try:
            return look(row)
        finally:
            self.depth -= 1

    def _of(self, row: Node) -> Least:
        entries = kind(row)
        if isinstance(row.attr, Leaf) and row.attr.value is not None:
            return self.of_formula(f.Num(row.attr.value), ())
        if row.value is not None:
            return self.of_formula(f.Num(row.value), ())
        if row.form is not None:
            return self.of_formula(row.form, row.args)
        if isinstance(row.attr, Pattern):
            return self._of_product(row)
        if is_norm(row) or (not row.args and row.op.range[0] >= 0):
            return Least.FLAT
        if entries.added or row.op.chooses:
            inner = self.of(row.args[0])
            return min(Least.FLAT, inner) if entries.tied else inner
        if entries.joined:
            return min(self.of(a) for a in row.args)
        return self._of_loop(row) if row.is_result else Least.UNKNOWN

    # -- products by index letters
    def _of_product(self, row: Node) -> Least:
        """Σ of products: factors that come twice, with the same letters, are squares; the others have to be flat."""
        single, squares = _factors(row)
        parts = [(f.Arg(0), (a,)) for a, _ in single]
        return self._with_weights(min, parts, [Least.FLAT] * squares)

    # -- loops
    def _of_loop(self, row: Node) -> Least:
        """A result of a loop whose carries start flat and stay so."""
        scan, loop = row.args[0], row.args[0].attr
        for leaf, outer in zip(loop.leaves(), scan.args, strict=True):
            start = Least.FLAT if self.is_given(outer) else min(self.of(outer), Least.FLAT)
            self.found[leaf.id] = start if leaf in loop.carry else self.of(outer)
        results = [self.of(r) for r in loop.results()]
        stays = all(self.found[c.id] <= r for c, r in zip(loop.carry, results, strict=False))
        return min(results[row.attr], Least.FLAT) if stays else Least.UNKNOWN

    # -- formulas
    def of_formula(self, form: f.Formula, args: Sequence[Node]) -> Least:
        match form:
            case f.Num(value):
                return Least.UNKNOWN if value.is_negative else Least.FLAT if value.is_zero else Least.POSITIVE
            case f.Arg(index):
                return self.of(args[index])
            case f.Neg(f.Arg(index)) if args[index].op.chooses:
                return self._of_smallest(args[index].args[0])
            case f.Add(terms):
                found = self._with_weights(max, [(t, args) for t in terms])
                return found or self._of_difference(terms, args)
            case f.Mul(factors):
                return self._with_weights(min, [(x, args) for x in factors])
            case f.Div(num, den):
                return self._of_quotient(num, den, args)
            case f.Pow(base, exponent):
                return self._of_power(base, exponent, args)
            case f.Call(name, parts):
                return self._of_call(name, parts, args)
        return Least.UNKNOWN

    def _of_smallest(self, row: Node) -> Least:
        """min(a), which is −max(−a)."""
        return self.of_formula(row.form.body, row.args) if isinstance(row.form, f.Neg) else Least.UNKNOWN

    def _is_data(self, form: f.Formula, args: Sequence[Node]) -> bool:
        return all(self.is_given(args[i]) for i in f.arguments(form)) and bool(f.arguments(form))

    def _with_weights(self, combine: Callable[[list[Least]], Least], parts: Sequence[tuple[f.Formula, Sequence[Node]]],
                      known: Sequence[Least] = ()) -> Least:
        """A sum (its largest) or product (its smallest) of parts; data among them count as weights of the others."""
        found = [*known, *[self.of_formula(*p) for p in parts if not self._is_data(*p)]]
        given = [self.of_formula(*p) for p in parts if self._is_data(*p)]
        if Least.UNKNOWN in found or (Least.UNKNOWN in given and not found):
            return Least.UNKNOWN
        return combine([*found, *[g for g in given if g != Least.UNKNOWN]])

    def _of_quotient(self, num: f.Formula, den: f.Formula, args: Sequence[Node]) -> Least:
        over = self.of_formula(den, args) == Least.POSITIVE or self._is_data(den, args)
        return self.of_formula(num, args) if over else Least.UNKNOWN

    def _of_power(self, base: f.Formula, exponent: f.Formula, args: Sequence[Node]) -> Least:
        if isinstance(exponent, f.Num) and exponent.value.is_even and exponent.value.is_positive:
            return Least.FLAT
        below = self.of_formula(base, args)
        rises = exponent.value.is_positive if isinstance(exponent, f.Num) else self._is_data(exponent, args)
        return below if rises or below == Least.POSITIVE else Least.UNKNOWN

    def _of_call(self, name: str, parts: Sequence[f.Formula], args: Sequence[Node]) -> Least:
        known = [self.of_formula(p, args) for p in parts]
        record = TABLE[name]
        if record.positive:
            return Least.POSITIVE
        if record.flat or record.boolean:
            return max(known[0], Least.FLAT) if record.flat else Least.FLAT
        if record.chooses:
            return (max if record.largest else min)(known[k] for k in record.chooses)
        return known[0] if record.power else Least.UNKNOWN

    def _of_difference(self, terms: Sequence[f.Formula], args: Sequence[Node]) -> Least:
        """A square that is written out; the mean of squares less the square of the mean, which is a variance."""
        if is_square(terms, args, max(a.ndim for a in args)):
            return Least.FLAT
        match terms:
            case (squares, f.Neg(body)) | (f.Neg(body), squares):
                return Least.FLAT if _is_variance(_mean(squares, args), _squared_mean(body, args)) else Least.UNKNOWN
        return Least.UNKNOWN


class _Mean(NamedTuple):
    """c·Σ a over axes."""

    factor: sp.Expr
    of: Node
    axes: tuple[tuple[int, ...], bool]


def _is_variance(squares: _Mean | None, square: _Mean | None) -> bool:
    if squares is None or square is None or squares.axes != square.axes or squares.factor != square.factor:
        return False
    source = squares.of
    is_square = source.form == f.Arg(0) ** 2 and source.args[0] is square.of
    return is_square and bool(sp.cancel(square.factor * size_of(square.of.shape, square.axes[0])) == 1)


def _mean(form: f.Formula, args: Sequence[Node]) -> _Mean | None:
    factor, rest = f.split_sign(form)
    row = args[rest.index] if isinstance(rest, f.Arg) else None
    if row is not None and row.form is not None:
        inner = _mean(row.form, row.args)
        return None if inner is None else inner._replace(factor=factor * inner.factor)
    return _Mean(factor, row.args[0], row.attr) if row is not None and is_sum(row) else None


def _squared_mean(form: f.Formula, args: Sequence[Node]) -> _Mean | None:
    """The mean whose square a formula is."""
    factor, rest = f.split_sign(form)
    mean = _mean(rest.base, args) if isinstance(rest, f.Pow) and rest.exponent == f.lift(2) else None
    return None if mean is None else mean._replace(factor=sp.sqrt(factor) * mean.factor)


Factor: TypeAlias = tuple[Node, str]


def _factors(row: Node) -> tuple[list[Factor], int]:
    """The operands of a product with their letters that are no squares, and how many squares there are. Products among
    the operands are looked into: the diagonal of X Xᵀ holds squares."""
    free = iter(c for c in string.ascii_letters if c not in row.attr.letters)
    single, squares = _paired(_operands(row))
    for product in [x for x in single if isinstance(x[0].attr, Pattern)]:
        if not any(x is product for x in single):
            continue
        names = dict(zip(product[0].attr.out, product[1], strict=True))
        inside = [(a, _renamed(letters, names, free)) for a, letters in _operands(product[0])]
        single, more = _paired([*[x for x in single if x is not product], *inside])
        squares += more
    return single, squares


def _renamed(letters: str, names: dict[str, str], free: Iterator[str]) -> str:
    """Letters under the names that they have outside; one that is summed inside gets a name of its own."""
    for c in letters:
        if c not in names:
            names[c] = next(free)
    return "".join(names[c] for c in letters)


def _operands(row: Node) -> list[Factor]:
    return list(zip(row.args, row.attr.ins, strict=True))


def _paired(factors: Sequence[Factor]) -> tuple[list[Factor], int]:
    """The factors that are left when equal ones are taken away two by two, and how many pairs that are."""
    left: list[Factor] = []
    for factor in factors:
        same = next((x for x in left if x[0] is factor[0] and x[1] == factor[1]), None)
        left = [x for x in left if x is not same] if same else [*left, factor]
    return left, (len(factors) - len(left)) // 2


# -- squares that are written out: a² − 2ab + b² entry by entry, and |a|² + |b|² − 2ab of vectors, as in a Gram matrix.
# A term is expanded to a number times two rows whose axes carry letters, the summed ones among them; what stands
# between (views, sums, products by index letters) is gone then, and three such terms make a square or they do not.


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
        if is_reshaped(row):
            inside = self._reshaped(row, letters)
        elif is_repeated(row):
            inside = self.row(row.args[0], _aligned(row.args[0], letters))
        elif is_sum(row):
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
        return self.row(a, tuple([SINGLE if is_one(d) else next(names) for d in a.shape]))

    def _before_sum(self, row: Node, letters: Letters) -> Letters:
        axes, keepdims = row.attr
        outer = iter(letters)
        found = []
        for k, d in enumerate(row.args[0].shape):
            kept = next(outer) if keepdims or k not in axes else SINGLE
            found.append((SINGLE if is_one(d) else next(self.fresh)) if k in axes else kept)
        return tuple(found)

    def _product(self, row: Node, letters: Letters) -> Term:
        names = dict(zip(row.attr.out, letters, strict=True))
        number: sp.Expr = sp.S.One
        factors: Factors = ()
        for a, own in zip(row.args, row.attr.ins, strict=True):
            for c in own:
                if c not in names:
                    names[c] = next(self.fresh)
            inner = self.row(a, tuple([SINGLE if is_one(d) else names[c] for c, d in zip(own, a.shape, strict=True)]))
            number, factors = number * inner.number, (*factors, *inner.factors)
        return Term(number, factors)


def _aligned(a: Node, letters: Letters) -> Letters:
    """The letters of an operand that is broadcast to the axes with these letters."""
    own = letters[len(letters) - a.ndim :]
    return tuple([SINGLE if is_one(d) else c for c, d in zip(own, a.shape, strict=True)])
