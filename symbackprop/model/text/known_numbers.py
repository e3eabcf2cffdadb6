"""Arithmetic on numbers known before run time: exact, and refused where no float could hold the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import add, mul, sub, truediv
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Leaf, Node, label
from symbackprop.core.scalars import TABLE, Opaque, to_sympy
from symbackprop.errors import ModelError
from symbackprop.model.text.expressions import MAX_FLOAT

MAX_BITS = 4096
MAX_EXPONENT = 1024
MAX_OPERATIONS = 60
MOST_FACTORS = 170  # of a factorial: one more, and no float holds it
EXACT = 2**53  # up to here floats hold every whole number
LARGEST = 10**30  # what has more digits is hard to read


@lru_cache(maxsize=1 << 12, typed=True)  # of hundreds of loops all have t-1
def fold(sign: str, a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """``a sign b`` for numbers and expressions in dimensions."""
    if sign == "/" and b == 0:
        raise ModelError("division by the number 0")
    if sign not in _ARITHMETIC:
        raise ModelError(f"{sign} needs arrays, but {short(a)} and {short(b)} are numbers; use *")
    return checked(_ARITHMETIC[sign](a, b))


def power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """base**exponent, its size bounded before it is computed."""
    if exponent.is_number and abs(exponent) > MAX_EXPONENT and base not in (0, 1, -1):
        raise ModelError(f"the exponent {short(exponent)} is too large for a number")
    if exponent.is_Rational and base.is_Rational:
        bits = max(int(base.p).bit_length(), int(base.q).bit_length())
        if bits * abs(exponent) > MAX_BITS or exponent.q > MAX_EXPONENT:
            raise ModelError(f"({short(base)})**({short(exponent)}) has too many digits")
        if base == 0 and exponent < 0:
            raise ModelError("0 to a negative power is not a number")
    return base**exponent


_ARITHMETIC: dict[str, Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    "+": add, "-": sub, "*": mul, "/": truediv, "**": power,
}


def of_sizes(function: Callable[..., sp.Expr], args: Sequence[sp.Expr]) -> sp.Expr:
    """A function of the floats that numbers are, and of sizes: 1 // 0.1 is 9."""
    return checked(function(*[sp.Rational(float(a)) if a.is_number and not a.is_Integer else a for a in args]))


# functions of whole numbers from 0 on, whose spelling goes over lgamma
_OF_WHOLE: dict[str, Callable[..., sp.Expr]] = {
    "factorial": sp.factorial, "gamma": sp.gamma, "comb": sp.binomial, "binom": sp.binomial,
    "perm": lambda n, k: sp.ff(n, min(k, n + 1)),
    "beta": lambda a, b: 1 / (a * sp.binomial(a + b - 1, a)),
}


def of_whole(name: str, numbers: Sequence[object]) -> sp.Expr | None:
    """The value of such a function where it can be read: ``comb(5, 2)`` is 10. Of large numbers, too: exp(lgamma) has
    few digits there."""
    whole = [n for n in numbers if isinstance(n, sp.Integer) and 0 <= n < LARGEST]
    few = bool(whole) and min(whole) <= MOST_FACTORS  # of comb(n, k) k, or n + 1 of which the last is 0
    value = _OF_WHOLE[name](*whole) if name in _OF_WHOLE and few and len(whole) == len(numbers) else None
    return value if isinstance(value, sp.Rational) and value.p < LARGEST and value.q <= EXACT else None


def checked(value: sp.Expr) -> sp.Expr:
    """The value, when it is a finite real number that a float can hold, or a short expression in dimensions."""
    if value.is_Rational:
        if max(int(value.p).bit_length(), int(value.q).bit_length()) > MAX_BITS or abs(value) > MAX_FLOAT:
            raise ModelError(f"{short(value)} is beyond what a float can hold")
    elif value.free_symbols:
        if value.count_ops() > MAX_OPERATIONS:
            raise ModelError(f"an expression in dimensions has more than {MAX_OPERATIONS} operations")
    elif value.is_real is False or value.is_finite is False or not value.is_number:
        raise ModelError(f"{short(value)} is not a finite real number")
    elif abs(value.evalf(5)) > MAX_FLOAT:
        raise ModelError("a number is beyond what a float can hold")
    return value


def whole(value: object, what: str) -> int:
    """An int from a number, or an error that says what it should have been."""
    if isinstance(value, sp.Expr) and value.is_Integer:
        return int(value)
    raise ModelError(f"{what} is a whole number, not {short(value)}")


def number_of(row: Node) -> sp.Expr | None:
    """The number that a row without axes is, under whatever names: ``stride = 2``, ``n = X.shape[0]``, ``const n = 5``,
    and what is computed of such; None for any other."""
    known: dict[int, sp.Expr] = {}
    for part in row.graph.topological([row]) if not row.shape else ():
        number = part.attr.value if isinstance(part.attr, Leaf) else part.value
        if number is None and part.form is not None and part.args:
            number = _computed(part, [known[a.id] for a in part.args])
        if number is None or part.shape:
            return None
        known[part.id] = number
    return known.get(row.id)


def _computed(row: Node, args: Sequence[sp.Expr]) -> sp.Expr | None:
    """A formula of numbers, where it is exact."""
    exact = TABLE[row.head].exact if row.head is not None else None
    if exact is not None and isinstance(row.form, f.Call):
        return exact(*[to_sympy(x, args) for x in row.form.args])
    number = to_sympy(row.attr.form, args)
    return None if number.has(Opaque) else number


def numbered(value: Any) -> Any:
    """What is given where a function asks for whole numbers: those that have names are numbers there."""
    if isinstance(value, tuple):
        return tuple(map(numbered, value))
    number = number_of(value) if isinstance(value, Node) else None
    return value if number is None or number.is_integer is False else number


def short(value: object) -> str:
    """A value as an error message shows it: never long."""
    if isinstance(value, Node):
        return label(value)
    if isinstance(value, tuple):
        return "a tuple"
    if isinstance(value, sp.Integer) and int(value).bit_length() > 200:
        return f"a number of about {int(value).bit_length() * 3 // 10} digits"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
