"""Sums of products of whole powers of arguments and of such sums, collected: the number in front of each product. It is
what SymPy's canonical form holds, found without its objects, of which one kernel makes hundreds; most kernels are such
sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from itertools import count
from typing import TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.scalars import PLACEHOLDERS

Number: TypeAlias = int | Fraction
Powers: TypeAlias = tuple[tuple[int, int], ...]  # (base, exponent), by base: an argument, or below 0 a sum
Collected: TypeAlias = Mapping[Powers, Number]
_PLACES = {symbol: index for index, symbol in enumerate(PLACEHOLDERS)}
_SUMS: dict[frozenset[tuple[Powers, Number]], int] = {}
_TERMS: dict[int, Collected] = {}  # of the sum -1, -2 …
_NUMBERS = count(-1, -1)
_OTHER = f.Call.bit | f.Out.bit


@cache
def collected(form: f.Formula) -> Collected | None:
    """The products that a formula adds; None where it is, or may be to SymPy, anything else."""
    if form.kinds & _OTHER:
        return None
    match form:
        case f.Arg(index):
            return {((index, 1),): 1}
        case f.Num(sp.Rational() as value):
            return _number(value)
        case f.Neg(body):
            return _product([{(): -1}, collected(body)])
        case f.Add(terms):
            return _sum([collected(term) for term in terms])
        case f.Mul(factors):
            return _product(map(_as_factor, factors))
        case f.Div(num, den):
            return _product([_as_factor(num), _power(_as_factor(den), -1)])
        case f.Pow(base, f.Num(sp.Integer() as exponent)):
            return _power(_as_factor(base), exponent.p)
    return None


@cache
def _as_factor(form: f.Formula) -> Collected | None:
    """The same as one product: several are a sum to the power of 1."""
    known = collected(form)
    return known if known is None or len(known) < 2 else {((_base(known), 1),): 1}


def _number(value: sp.Rational) -> Collected:
    return {(): value.p if value.q == 1 else Fraction(value.p, value.q)} if value.p else {}


def _sum(parts: Iterable[Collected | None]) -> Collected | None:
    found: dict[Powers, Number] = {}
    for part in parts:
        if part is None:
            return None
        for powers, number in part.items():
            found[powers] = found.get(powers, 0) + number
    return {powers: number for powers, number in found.items() if number}


def _product(parts: Iterable[Collected | None]) -> Collected | None:
    """One product, a sum being a power of one; a sum times a number alone is that sum, as it is to SymPy."""
    number: Number = 1
    found: dict[int, int] = {}
    for part in parts:
        if part is None:
            return None
        if not part:
            number = 0
        powers, times = _as_one(part)
        number *= times
        for base, exponent in powers:
            found[base] = found.get(base, 0) + exponent
    return _of_powers(found, number) if number else {}


def _as_one(terms: Collected) -> tuple[Powers, Number]:
    """One product: several are a sum to the power of 1."""
    if len(terms) == 1:
        [one] = terms.items()
        return one
    return ((_base(terms), 1),), 1


def _of_powers(found: Mapping[int, int], number: Number) -> Collected:
    powers = tuple(sorted([(base, exponent) for base, exponent in found.items() if exponent]))
    if len(powers) == 1 and powers[0][0] < 0 and powers[0][1] == 1:
        return {inner: n * number for inner, n in terms_of(powers[0][0]).items()}
    return {powers: number}


def _base(terms: Collected) -> int:
    """The number of a sum."""
    key = frozenset(terms.items())
    found = _SUMS.get(key)
    if found is None:
        number = next(_NUMBERS)  # no two threads get the same
        _TERMS[number] = terms
        found = _SUMS.setdefault(key, number)
    return found


def terms_of(base: int) -> Collected:
    """The products that a sum with this number adds."""
    return _TERMS[base]


def _power(a: Collected | None, exponent: int) -> Collected | None:
    if not a:
        return None
    powers, number = _as_one(a)
    raised = 1 if number == 1 else Fraction(number) ** exponent  # fractions are slow
    return _of_powers({base: n * exponent for base, n in powers}, raised)


def placed(sum_of: Collected, place: dict[int, int]) -> Collected:
    """The same of other arguments, by the places of these; those of sums are put beside them."""
    found: dict[Powers, Number] = {}
    for powers, number in sum_of.items():
        for base, _ in powers:
            if base not in place:
                place[base] = _base(placed(terms_of(base), place))
        found[tuple(sorted([(place[base], n) for base, n in powers]))] = number
    return found


def collected_by_sympy(expr: sp.Expr) -> Collected | None:
    """The same of SymPy's canonical form: what it finds to be such a sum, as (a + b)²/(a + b) is."""
    return _sum([_product(map(_factor, sp.Mul.make_args(term))) for term in sp.Add.make_args(expr)])


def _factor(x: sp.Expr) -> Collected | None:
    base, exponent = x.as_base_exp() if x.is_Pow else (x, sp.S.One)
    if isinstance(x, sp.Rational):
        return _number(x)
    if base in _PLACES and exponent.is_Integer:
        return {((_PLACES[base], exponent.p),): 1}
    return _power(collected_by_sympy(base), exponent.p) if base.is_Add and exponent.is_Integer else None


@cache
def _slope_of(base: int, index: int) -> Collected:
    """The derivative of an argument or of a sum."""
    return slope(terms_of(base), index) if base < 0 else {(): 1} if base == index else {}


def slope(sum_of: Collected, index: int) -> Collected:
    """The derivative in an argument."""
    terms: list[Collected | None] = []
    for powers, number in sum_of.items():
        for base, exponent in powers:
            inner = _slope_of(base, index)
            if inner:
                rest = {powers: number * exponent}
                terms.append(_product([rest, {((base, -1),): 1}, inner]))
    return _sum(terms) or {}
