"""Terms of a normal form: a rational number times powers of rows at indices, some indices summed over.

An index is a letter (a positive integer) for every axis; an axis of size 1 has none, which is written 0. So a
broadcast, a transposition, an inserted axis and a sum only rename letters. Sizes and irrational numbers are factors
too: they have negative ids and no index.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache, reduce
from typing import NamedTuple, TypeAlias, TypeVar

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import Dim, is_one, typical

Index: TypeAlias = tuple[int, ...]
Key: TypeAlias = tuple[int, Index]
Exponent: TypeAlias = int | Fraction
Powers: TypeAlias = dict[Key, Exponent]
ONE, ZERO = Fraction(1), Fraction(0)
MAX_WORK = 20_000  # terms looked at in one pass, a second or so; counted, so that every run does the same


class Term(NamedTuple):
    """``number`` · Π row[index]^power, summed over the letters in ``summed``. ``weighed``: where a factor is 0, an
    infinite or undefined rest counts as 0 (a weight of 0, see `formula.nought`)."""

    number: Fraction
    summed: frozenset[int]
    powers: Powers
    weighed: bool = False

    def with_powers(self, powers: Mapping[Key, Exponent]) -> Term:
        """The same number and sums over other factors, those to the power 0 left out."""
        return self._replace(powers={k: p for k, p in powers.items() if p})


Terms: TypeAlias = list[Term]
UNIT = Term(ONE, frozenset(), {})


Step = TypeVar("Step", bound=Callable[..., object])
STEPS: dict[str, Callable[..., object]] = {}  # identities of whole sums, by what a derivation calls them
CANCELLED, OPENED, FACTOR = "cancelled", "multiplied out", "common factor"
DIFFERENCE = "1/q − v/q² = u/q² for q = u + v"
MERGED, ORDER = "A C + B C = (A + B) C", "(A B) C = A (B C)"
CHOSEN = "1[c] P + (1 − 1[c]) Q = where(c, P, Q)"
KNOWN_PRODUCT, KNOWN_SUM = "a product that is there already", "a sum that is there already"


def step(name: str) -> Callable[[Step], Step]:
    """Makes a function an identity of that name; its docstring has the proof."""

    def register(apply: Step) -> Step:
        STEPS[name] = apply
        return apply

    return register


class TooLong(Exception):
    """A normal form has more terms or factors than are looked at: the swept form stays."""


def is_number(key: Key) -> bool:
    return key[0] < 0


@lru_cache(1 << 14)
def letters(key: Key) -> frozenset[int]:
    return frozenset([i for i in key[1] if i])


def all_letters(keys: Iterable[Key]) -> set[int]:
    return {i for k in keys for i in k[1] if i}


class Space:
    """The letters in use, with the size of each, and the numbers that stand as factors. ``roots`` are rows that are
    never negative; ``cancelled`` counts products in which a row was divided by itself."""

    def __init__(self) -> None:
        self.sizes: list[Dim] = [sp.S.One]
        self.weights = [1.0]
        self.numbers: list[sp.Expr] = [sp.S.One]
        self.roots: set[int] = set()
        self.work = self.cancelled = 0
        self._areas: dict[frozenset[int], float] = {}
        self._known: dict[sp.Expr, Term | None] = {}
        self._ids: dict[sp.Expr, int] = {}

    def fresh(self, dim: Dim) -> int:
        self.sizes.append(dim)
        self.weights.append(typical(dim))
        return len(self.sizes) - 1

    def area(self, over: frozenset[int]) -> float:
        """How many entries there are for letters, a symbolic size counting as 32."""
        found = self._areas.get(over)
        if found is None:
            found = self._areas[over] = reduce(lambda area, i: area * self.weights[i], over, 1.0)
        return found

    def spend(self, work: int = 1) -> None:
        """Counts terms that are looked at; past the limit nothing more is shortened."""
        self.work += work
        if self.work > MAX_WORK:
            raise TooLong

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """While work is done that is linear in the rows."""
        before, self.work = self.work, -sys.maxsize
        try:
            yield
        finally:
            self.work = before

    def index(self, node: Node) -> Index:
        """An index of its own for a row."""
        return tuple([0 if is_one(d) else self.fresh(d) for d in node.shape])

    def number(self, value: sp.Expr) -> Term | None:
        """An exact number as a term: a rational times powers of sizes and irrational numbers; None for 0."""
        if value not in self._known:
            self._known[value] = self._split(value) if value != 0 else None
        return self._known[value]

    def _split(self, value: sp.Expr) -> Term:
        rational = ONE
        powers: Powers = {}
        for factor in sp.Mul.make_args(value):
            if factor.is_Rational:
                rational *= Fraction(int(factor.p), int(factor.q))
                continue
            base, exponent = factor.as_base_exp()
            if not exponent.is_Rational:
                base, exponent = factor, sp.S.One
            if base.is_infinite or base is sp.nan:
                raise TooLong
            key: Key = (-self._id(base), ())
            powers[key] = powers.get(key, 0) + _exponent(exponent)
        return Term(rational, frozenset(), powers)

    def is_positive(self, key: Key) -> bool:
        """Whether a factor is a positive number."""
        return is_number(key) and bool(self.numbers[-key[0]].is_positive)

    def _id(self, base: sp.Expr) -> int:
        if base not in self._ids:
            self._ids[base] = len(self.numbers)
            self.numbers.append(base)
        return self._ids[base]

    def value(self, number: Fraction, keys: Iterable[tuple[Key, Exponent]] = ()) -> sp.Expr:
        """The number that a rational and factors without rows are."""
        found: sp.Expr = rational(number)
        for (id_, _), p in keys:
            found = found * self.numbers[-id_] ** rational(p)
        return found

    def renamed(self, term: Term, to: Mapping[int, int]) -> Term:
        """A term with its letters replaced; summed ones that are not named get letters of their own."""
        self.spend()
        to = {0: 0, **to}
        for i in term.summed:
            to.setdefault(i, self.fresh(self.sizes[i]))
        powers = {(id_, tuple([to[i] for i in index])): p for (id_, index), p in term.powers.items()}
        return Term(term.number, frozenset([to[i] for i in term.summed]), powers, term.weighed)


def rational(number: Exponent) -> sp.Rational:
    """A rational number as SymPy's."""
    whole = Fraction(number)
    return sp.Rational(whole.numerator, whole.denominator)


def _exponent(value: sp.Expr) -> Exponent:
    return int(value) if value.is_Integer else Fraction(int(value.p), int(value.q))


def multiplied(space: Space, a: Sequence[Term], b: Sequence[Term], limit: int) -> Terms:
    """Every term of one sum times every term of the other."""
    if len(a) * len(b) > limit:
        raise TooLong
    return [product(space, x, y) for x in a for y in b]


def product(space: Space, x: Term, y: Term) -> Term:
    """x·y: powers of the same entry add up, u·(1/u) = 1. Sums in both run over letters of their own."""
    space.spend()
    if x.summed & y.summed:
        y = space.renamed(y, {i: i for i in all_letters(y.powers) - y.summed})
    powers, divided = dict(x.powers), False
    for key, p in y.powers.items():
        before = powers.get(key, 0)
        powers[key] = before + p
        divided |= before * p < 0 and not is_number(key)
    number = y.number if x.number == 1 else x.number if y.number == 1 else x.number * y.number
    space.cancelled += divided
    whole = Term(number, x.summed | y.summed, powers, x.weighed or y.weighed)
    return whole if all(powers.values()) else whole.with_powers(powers)


def raised(space: Space, term: Term, exponent: Exponent) -> Term | None:
    """A term to a power, where that is a term: no sum, and no root of a number."""
    if term.summed or term.weighed:
        return None
    if Fraction(exponent).denominator != 1 and not _has_root(space, term):
        return None
    number = term.number ** int(exponent) if term.number != 1 else ONE
    return Term(number, frozenset(), {k: p * exponent for k, p in term.powers.items()})


def _has_root(space: Space, term: Term) -> bool:
    """Whether the root of a product is the product of the roots of its factors: √(x²) is not x, √(x·y) not √x·√y, but
    for what is never negative."""
    if term.number != 1:
        return False
    signed = [p for k, p in term.powers.items() if k[0] not in space.roots and not space.is_positive(k)]
    return not signed or (len(term.powers) == 1 and Fraction(signed[0]).numerator % 2 == 1)


# -- equality up to the names of summed letters
def canonical(powers: Iterable[tuple[Key, Exponent]], free: Iterable[int], loose: bool = False
              ) -> tuple[tuple[object, ...], dict[int, int]]:
    """What two products have in common that differ in the names of their summed letters (with ``loose``, of all), and
    the number that each renamed letter got. Letters are told apart by where they stand."""
    items, fixed = list(powers), {0} if loose else {*free, 0}
    places: dict[int, list[tuple[int, int, Exponent]]] = {}
    for (id_, index), p in items:
        for place, i in enumerate(index):
            if i not in fixed:
                places.setdefault(i, []).append((id_, place, p))
    order = sorted(places, key=lambda i: sorted(places[i])) if len(places) > 1 else places
    names = {i: -k - 1 for k, i in enumerate(order)}
    key = sorted([(id_, p, tuple([names.get(i, i) for i in index])) for (id_, index), p in items])
    return tuple(key), names


def alike(term: Term) -> object:
    """What terms have in common that can be added up."""
    if not term.summed:
        return frozenset(term.powers.items()), term.weighed
    free = all_letters(term.powers) - term.summed
    return canonical(term.powers.items(), free)[0], term.weighed


def _factors(term: Term) -> frozenset[tuple[int, Exponent]]:
    """The rows that a term multiplies, whatever their letters: what alike terms surely have in common."""
    return frozenset([(key[0], p) for key, p in term.powers.items()])


@step(CANCELLED)
def collected(terms: Sequence[Term]) -> Terms:
    """Like terms added up, those that vanish left out: a·T + b·T = (a + b)·T, which is 0 where b is −a."""
    if len(terms) == 1:
        return [*terms]
    factors = [*map(_factors, terms)]
    if len({*factors}) == len(terms):
        return [t for t in terms if t.number]
    several = Counter(factors)
    found: dict[object, Term] = {}
    for term, own in zip(terms, factors, strict=True):
        key = alike(term) if several[own] > 1 else own
        known = found.get(key)
        found[key] = term if known is None else known._replace(number=known.number + term.number)
    return [t for t in found.values() if t.number]
