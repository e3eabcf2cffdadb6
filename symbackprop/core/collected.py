"""Sums of products of whole powers, collected: the number in front of each product. It is what SymPy's canonical form
of such a sum holds, found without its objects, of which one kernel makes hundreds; most kernels are such sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache, reduce
from typing import TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.scalars import PLACEHOLDERS

Powers: TypeAlias = tuple[tuple[int, int], ...]  # (argument, exponent), by argument
Collected: TypeAlias = Mapping[Powers, int | Fraction]
_PLACES = {symbol: index for index, symbol in enumerate(PLACEHOLDERS)}


@cache
def collected(form: f.Formula) -> Collected | None:
    """The products of arguments that a formula adds; None where it is, or may be to SymPy, anything else."""
    match form:
        case f.Arg(index):
            return {((index, 1),): 1}
        case f.Num(sp.Rational() as value):
            return _number(value)
        case f.Neg(body):
            return _times(collected(body), {(): -1})
        case f.Add(terms):
            return _sum([collected(term) for term in terms])
        case f.Mul(factors):
            return reduce(_times, [collected(factor) for factor in factors])
        case f.Div(num, den):
            return _times(collected(num), _power(collected(den), -1))
        case f.Pow(base, f.Num(sp.Integer() as exponent)):
            return _power(collected(base), exponent.p)
    return None


def _number(value: sp.Rational) -> Collected:
    return {(): value.p if value.q == 1 else Fraction(value.p, value.q)} if value.p else {}


def _sum(parts: Iterable[Collected | None]) -> Collected | None:
    found: dict[Powers, int | Fraction] = {}
    for part in parts:
        if part is None:
            return None
        for powers, number in part.items():
            found[powers] = found.get(powers, 0) + number
    return {powers: number for powers, number in found.items() if number}


def _times(a: Collected | None, b: Collected | None) -> Collected | None:
    """One of them is a single product: a sum times anything but a number stays a product to SymPy."""
    if a is None or b is None or (len(a) > 1 and any(b)) or (len(b) > 1 and any(a)):
        return None
    return {_together(p, q): m * n for p, m in a.items() for q, n in b.items()}


def _together(a: Powers, b: Powers) -> Powers:
    if not a or not b:
        return a or b
    found = dict(a)
    for index, exponent in b:
        found[index] = found.get(index, 0) + exponent
    return tuple(sorted([(index, exponent) for index, exponent in found.items() if exponent]))


def _power(a: Collected | None, exponent: int) -> Collected | None:
    if a is None or len(a) != 1:
        return None
    ((powers, number),) = a.items()
    return {tuple([(i, n * exponent) for i, n in powers]): Fraction(number) ** exponent}


def collected_by_sympy(expr: sp.Expr) -> Collected | None:
    """The same of SymPy's canonical form: what it finds to be such a sum, as (a + b)²/(a + b) is."""
    found: dict[Powers, int | Fraction] = {}
    for term in sp.Add.make_args(expr):
        whole = reduce(_times, map(_factor, sp.Mul.make_args(term)))
        if whole is None:
            return None
        found |= whole
    return found


def _factor(x: sp.Expr) -> Collected | None:
    base, exponent = x.as_base_exp() if x.is_Pow else (x, sp.S.One)
    if isinstance(x, sp.Rational):
        return _number(x)
    return {((_PLACES[base], exponent.p),): 1} if base in _PLACES and exponent.is_Integer else None


def slope(sum_of: Collected, index: int) -> Collected:
    """The derivative in an argument."""
    found: dict[Powers, int | Fraction] = {}
    for powers, number in sum_of.items():
        exponent = dict(powers).get(index, 0)
        if exponent:
            found[_together(powers, ((index, -1),))] = number * exponent
    return found
