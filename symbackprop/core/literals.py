"""Numbers in print: as model text, as fractions, as decimals, rounded; expressions in dimensions as trees."""

from __future__ import annotations

from functools import lru_cache
from sys import float_info
from typing import NamedTuple, TypeVar

import sympy as sp
from sympy.printing.str import StrPrinter

from symbackprop.core.formula import is_negative
from symbackprop.core.maths import Fn, Frac, Math, Num, Op, Pow, Sum, Sym, Values, negative, product
from symbackprop.core.scalars import HALF, TABLE

T = TypeVar("T")
SHORT = 12  # the largest denominator of a fraction that could be a decimal
LONG = 10**16  # the smallest whole number that may be written with a power of ten
LARGEST = int(float_info.max)


def spelled(value: sp.Expr, order: tuple[str, ...] = ()) -> Math:
    """A number that is no fraction, written out: √D, 2/√π, ⌊S/2⌋. Factors stand in the order of the dimensions."""
    if value.free_symbols and monomials(value, order) is not None:
        return Num(value, order)
    if is_negative(value):
        return negative(spelled(-value, order))
    top, bottom = fraction(value)
    if bottom != 1 and not value.is_Rational:
        return Frac(spelled(top, order), spelled(bottom, order))
    if value is sp.pi:
        return Sym("pi")
    if value.is_Add:
        signed = [(is_negative(t), t) for t in value.as_ordered_terms()]
        return Sum(tuple([(minus, spelled(-t if minus else t, order)) for minus, t in _positive_first(signed)]))
    if value.is_Mul:
        return _spelled_product(value, order)
    if value.is_Pow:
        base = spelled(value.base, order)
        return Fn("sqrt", (base,)) if value.exp == HALF else Pow(base, spelled(value.exp, order))
    if value.args:
        name, args = type(value).__name__, tuple([spelled(x, order) for x in value.args])
        return Fn(name, args) if name in TABLE and not isinstance(value, (sp.floor, sp.ceiling)) else Op(name, args)
    return Num(value)


def fraction(value: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Top and bottom of a number; roots of whole numbers are divided out: √2/(2·√π) is 1/√(2π)."""
    top, bottom = sp.fraction(value)
    for root in sp.Mul.make_args(top):
        whole = root.is_Pow and root.exp == HALF and root.base.is_Integer
        if whole and (bottom / root.base).as_coeff_Mul()[0].is_Integer:
            top, bottom = top / root, bottom / root.base * root
    return top, bottom


def _positive_first(terms: list[tuple[bool, T]]) -> list[tuple[bool, T]]:
    """Terms, whether they are subtracted first, with one in front that is not: N − D and not −D + N."""
    first = next((k for k, (minus, _) in enumerate(terms) if not minus), 0)
    return [terms[first], *terms[:first], *terms[first + 1 :]]


def _spelled_product(value: sp.Expr, order: tuple[str, ...]) -> Math:
    number, rest = value.as_coeff_mul()
    roots = [x for x in rest if x.is_Pow and x.exp == HALF]
    if len(roots) > 1:  # one root of their product
        root, others = Fn("sqrt", (spelled(sp.Mul(*[x.base for x in roots]), order),)), value / sp.Mul(*roots)
        return root if others == 1 else product(spelled(others, order), root)
    ordered = sorted(rest, key=lambda x: min([_place(s.name, order) for s in x.free_symbols], default=(0, "")))
    return product(*([] if number == 1 else [Num(number)]), *[spelled(x, order) for x in ordered])


def _place(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    """Where a dimension stands among factors: as declared, others behind."""
    return (order.index(name) if name in order else len(order)), name


def is_simple(value: sp.Expr) -> bool:
    """A name, a whole number, a root: what needs no parentheses anywhere."""
    roots = all([x.is_Pow and x.exp == HALF for x in sp.Mul.make_args(value)])  # which print as one
    return bool(value.is_Symbol or (value.is_Integer and value >= 0) or roots)


Monomial = tuple[int, list[tuple[str, int]]]  # a coefficient; dimensions and their powers


@lru_cache(maxsize=4096)
def monomials(value: sp.Expr, order: tuple[str, ...]) -> list[Monomial] | None:
    """A size as terms in the dimensions, highest degree first, behind one that is added; None for others. Factors stand
    in the order in which the model declares its dimensions: N·D·H + D."""
    def place(name: str) -> tuple[int, str]:
        return _place(name, order)

    terms: list[Monomial] = []
    for term in sp.Add.make_args(value if value.is_Atom else sp.expand(value)):
        coefficient, rest = term.as_coeff_Mul()
        powers = list(rest.as_powers_dict().items()) if rest != 1 else []
        if not coefficient.is_Integer or not all(x.is_Symbol and p.is_Integer and p > 0 for x, p in powers):
            return None
        terms.append((int(coefficient), sorted([(x.name, int(p)) for x, p in powers], key=lambda xp: place(xp[0]))))
    terms.sort(key=lambda t: (-sum([p for _, p in t[1]]), [place(x) for x, _ in t[1]], -t[0]))
    return [t for _, t in _positive_first([(t[0] < 0, t) for t in terms])]


def decimal(size: sp.Rational) -> tuple[str, str] | None:
    """Mantissa and exponent of a positive number that is written as a decimal; None where it stays a fraction, or a
    whole number that is not too long."""
    literal = decimal_text(size) if size.q > SHORT or size.p >= LONG * size.q else None
    if literal is None:
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


SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def superscript(whole: str) -> str:
    """A whole number as Unicode superscripts."""
    return whole.translate(SUPERSCRIPTS)


# -- as model text
SUM, PRODUCT, POWER, ATOM = 10, 20, 30, 100  # how strongly what is written binds


class Literal(NamedTuple):
    """A number as model text, and how strongly it binds."""

    text: str
    level: int = ATOM


def number_text(value: sp.Expr) -> Literal:
    """A number as a literal: integers, short decimals, fractions, and expressions in dimensions."""
    if value.is_Integer and (abs(value.p) < LONG or not is_decimal(value)):
        return Literal(str(value.p), ATOM if value.p >= 0 else SUM)
    if value.is_Rational:
        return rational_text(value)
    if value.is_Symbol:
        return Literal(str(value.name))
    text = _Printer().doprint(value)
    fraction = value.is_Mul or (value.is_Pow and value.exp.could_extract_minus_sign())
    return Literal(text, SUM if value.is_Add or text.startswith("-") else PRODUCT if fraction else _level(value))


def _level(value: sp.Expr) -> int:
    return POWER if value.is_Pow else ATOM


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy's printer, with e as a call (a dimension may be called E) and ∞ as inf."""

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "inf"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-inf"


def rational_text(value: sp.Rational) -> Literal:
    """p/q, or a decimal where that is exact and shorter."""
    decimal = decimal_text(value)
    if decimal is not None and is_decimal(value):
        return Literal(decimal, ATOM if value >= 0 else SUM)
    return Literal(f"{value.p} / {value.q}", PRODUCT if value >= 0 else SUM)


def is_decimal(value: sp.Rational) -> bool:
    """Whether a number is written as a decimal: 0.001 and 1e20, but 1 / 2."""
    decimal = decimal_text(value)
    return decimal is not None and len(decimal) < len(f"{value.p}/{value.q}")


def decimal_text(value: sp.Rational) -> str | None:
    """The decimal literal that is exactly this rational, when it has one of at most 15 digits."""
    if abs(value) > LARGEST:
        return None
    literal = repr(float(value)).replace("e-0", "e-").replace("e+", "e")
    return literal if sp.Rational(literal) == value else None
