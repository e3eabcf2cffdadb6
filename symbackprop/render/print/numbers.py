"""Numbers in print: as fractions, as decimals, rounded; expressions in dimensions as trees."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from symbackprop.core.maths import Fn, Frac, Math, Num, Op, Pow, Size, Sum, Sym, Values, negative, product
from symbackprop.core.notation import decimal_text
from symbackprop.core.scalars import TABLE

HALF = sp.Rational(1, 2)
SHORT = 12  # the largest denominator of a fraction that could be a decimal


def spelled(value: sp.Expr) -> Math:
    """A number that is no fraction, written out: √D, 2/√π, ⌊S/2⌋."""
    if value.could_extract_minus_sign():
        return negative(spelled(-value))
    top, bottom = sp.fraction(value)
    if bottom != 1 and not value.is_Rational:
        return Frac(spelled(top), spelled(bottom))
    if value.is_Symbol or value is sp.pi:
        return Sym("pi" if value is sp.pi else value.name)
    if value.is_Add:
        return Sum(tuple([(t.could_extract_minus_sign(), spelled(_size(t))) for t in value.as_ordered_terms()]))
    if value.is_Mul:
        return _spelled_product(value)
    if value.is_Pow:
        base = spelled(value.base)
        return Fn("sqrt", (base,)) if value.exp == HALF else Pow(base, spelled(value.exp))
    if value.args:
        name, args = type(value).__name__, tuple(map(spelled, value.args))
        return Fn(name, args) if name in TABLE else Op(name, args)
    return Num(value)


def _size(value: sp.Expr) -> sp.Expr:
    return -value if value.could_extract_minus_sign() else value


def _spelled_product(value: sp.Expr) -> Math:
    number, rest = value.as_coeff_mul()
    return product(*([] if number == 1 else [Num(number)]), *[spelled(x) for x in rest])


def is_simple(value: sp.Expr) -> bool:
    """A name, a whole number, a root: what needs no parentheses anywhere."""
    return bool(value.is_Symbol or (value.is_Integer and value >= 0) or (value.is_Pow and value.exp == HALF))


Monomial = tuple[int, list[tuple[str, int]]]  # a coefficient; dimensions and their powers


def monomials(m: Size) -> list[Monomial] | None:
    """A size as terms in the dimensions, highest degree first; None for others."""
    terms = size_terms(m.value, {name: k for k, name in enumerate(m.order)})
    return None if terms is None else [(c, [(x.name, p) for x, p in factors]) for c, factors in terms]


def decimal(size: sp.Rational) -> tuple[str, str] | None:
    """Mantissa and exponent of a positive fraction that is written as a decimal; None where it stays a fraction."""
    literal = decimal_text(size)
    if size.q <= SHORT or literal is None:
        return None
    mantissa, _, exponent = literal.partition("e")
    return mantissa, exponent


def rounded(value: float, digits: int) -> tuple[str, str]:
    """Mantissa and exponent with ``digits`` decimals; whole numbers plainly, very large and very small ones with a
    power of ten."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value), ""
    if value == round(value) and abs(value) < 10**9:
        return str(round(value)), ""
    size = abs(value)
    if size >= 10**9 or size < 0.5 * 10**-digits:
        mantissa, exponent = f"{value:.{min(digits, 3)}e}".split("e")
        return mantissa, str(int(exponent))
    return f"{value:.{digits}f}", ""


def entries(values: Values) -> tuple[float, ...]:
    """The numbers of a vector or of one row of a matrix."""
    return tuple([v for v in values if not isinstance(v, tuple)]) if isinstance(values, tuple) else (values,)


# -- sizes written out: N·D·H + D, factors in the order in which the model declares its dimensions
def size_terms(size: sp.Expr, order: Mapping[str, int]) -> list[tuple[int, list[tuple[sp.Symbol, int]]]] | None:
    """A polynomial in the dimensions as (coefficient, [(dimension, power)]), highest degree first; None for others."""
    terms = [_monomial(t, order) for t in sp.Add.make_args(sp.expand(size))]
    known = [t for t in terms if t is not None]
    if len(known) < len(terms):
        return None
    return sorted(known, key=lambda t: (-sum(p for _, p in t[1]), [_rank(s, order) for s, _ in t[1]], -t[0]))


def _monomial(term: sp.Expr, order: Mapping[str, int]) -> tuple[int, list[tuple[sp.Symbol, int]]] | None:
    coefficient, powers = term.as_coeff_Mul()
    factors = sorted(powers.as_powers_dict().items(), key=lambda item: _rank(item[0], order)) if powers != 1 else []
    plain = all(base.is_Symbol and power.is_Integer and power > 0 for base, power in factors)
    if not coefficient.is_Integer or not plain:
        return None
    return int(coefficient), [(base, int(power)) for base, power in factors]


def _rank(symbol: sp.Expr, order: Mapping[str, int]) -> tuple[int, str]:
    name = symbol.name if symbol.is_Symbol else str(symbol)
    return order.get(name, len(order)), name
