"""Numbers of formulas as Python code: literals, and arithmetic on sizes. Never a NumPy scalar, which would turn float32
arrays into float64."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial, reduce

import sympy as sp

from symbackprop.codegen.sizes import integer_code
from symbackprop.codegen.tree import Code, attribute, binary, call, constant
from symbackprop.errors import ModelError

MAX_EXACT = 2**53  # up to there every whole number is a float


def number_code(value: sp.Expr, symbol: Callable[[str], Code], module: str = "np", largest: int = MAX_EXACT) -> Code:
    """A number, which may contain dimensions, as code; ``symbol`` says how a dimension is called, ``module`` who has
    ``log`` and ``inf``; whole numbers above ``largest`` are written as floats."""
    code = partial(number_code, symbol=symbol, module=module, largest=largest)
    if value.is_Symbol:
        return symbol(value.name)
    if not value.free_symbols:
        return literal(value, module, largest)
    num, den = sp.fraction(value)
    if value.is_Add:
        return reduce(lambda left, right: binary(left, ast.Add, right), map(code, value.args))
    if den != 1:
        return call("quotient", code(num), code(den)) if den.free_symbols else binary(code(num), ast.Div, code(den))
    if value.is_Mul:
        return reduce(lambda left, right: binary(left, ast.Mult, right), map(code, value.args))
    if value.is_Pow:
        return binary(code(value.base), ast.Pow, code(value.exp))
    if isinstance(value, sp.log):
        logarithm = call(attribute(module, "log"), code(value.args[0]))
        return call("float", logarithm) if module == "np" else logarithm
    if value.is_integer:
        return integer_code(value, symbol)
    raise ModelError(f"the number {value} has no form as code")


def literal(value: sp.Expr, module: str = "np", largest: int = MAX_EXACT) -> Code:
    """A number without dimensions: exact integers, the shortest decimal of every other number."""
    if value.is_infinite:
        infinity = attribute(module, "inf")
        return infinity if value.is_extended_positive else ast.UnaryOp(ast.USub(), infinity)
    exact = value.is_Integer and abs(value) <= largest
    return constant(int(value) if exact else to_float(value))


def to_float(value: sp.Expr) -> float:
    """The nearest float; `ModelError` where there is none."""
    try:
        number = float(value)
    except (OverflowError, TypeError) as error:
        raise ModelError(f"{value} is not a number that a float can hold") from error
    if number in (float("inf"), float("-inf")) or number != number:
        raise ModelError(f"{value} is not a number that a float can hold")
    return number
