"""Numbers of formulas as Python code: literals, and arithmetic on sizes. Never a NumPy scalar, which would turn float32
arrays into float64."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from symbackprop.core.notation import ATOM, POWER, PRODUCT, SUM, Text, wrap
from symbackprop.errors import ModelError

MAX_EXACT = 2**53


def number_code(value: sp.Expr, symbol: Callable[[str], str]) -> Text:
    """A number, which may contain dimensions, as code; ``symbol`` says how a dimension is called."""
    if value.is_Symbol:
        return Text(symbol(value.name))
    if not value.free_symbols:
        return literal(value)
    if value.is_Add:
        parts = [number_code(a, symbol) for a in value.args]
        return Text(" + ".join(wrap(p, SUM + 1) for p in parts), SUM)
    num, den = sp.fraction(value)
    if den != 1:
        top, bottom = number_code(num, symbol), number_code(den, symbol)
        return Text(f"{wrap(top, PRODUCT)} / {wrap(bottom, PRODUCT + 1)}", PRODUCT)
    if value.is_Mul:
        parts = [number_code(a, symbol) for a in value.args]
        return Text(" * ".join(wrap(p, PRODUCT + 1) for p in parts), PRODUCT)
    if value.is_Pow:
        return _power(value, symbol)
    if isinstance(value, sp.log):
        return Text(f"float(np.log({number_code(value.args[0], symbol).text}))")
    return _whole(value, symbol)


def _power(value: sp.Expr, symbol: Callable[[str], str]) -> Text:
    base, exponent = number_code(value.base, symbol), number_code(value.exp, symbol)
    return Text(f"{wrap(base, POWER + 1)} ** {wrap(exponent, POWER + 1)}", POWER)


def _whole(value: sp.Expr, symbol: Callable[[str], str]) -> Text:
    from symbackprop.codegen.sizes import integer_code

    if value.is_integer:
        return integer_code(value, symbol)
    raise ModelError(f"the number {value} has no form as code")


def literal(value: sp.Expr) -> Text:
    """A number without dimensions: exact integers, the shortest decimal of every other number."""
    if value.is_infinite:
        return Text("np.inf") if value.is_extended_positive else Text("-np.inf", SUM)
    exact = value.is_Integer and abs(value) <= MAX_EXACT
    text = str(int(value)) if exact else repr(to_float(value))
    return Text(text, SUM if text.startswith("-") else ATOM)


def to_float(value: sp.Expr) -> float:
    """The nearest float; `ModelError` where there is none."""
    try:
        number = float(value)
    except (OverflowError, TypeError) as error:
        raise ModelError(f"{value} is not a number that a float can hold") from error
    if number in (float("inf"), float("-inf")) or number != number:
        raise ModelError(f"{value} is not a number that a float can hold")
    return number
