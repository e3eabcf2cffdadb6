"""Single floats that compute as NumPy's do, where there is no NumPy: what references of scalar functions call.

Nothing raises: 1/0 is infinite, log(−1) is nan, as IEEE has it. A reference that is called with `Plain` for NumPy, and
with a `Real`, gives the number that it would give with NumPy.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any


class Real(float):
    """A float whose quotients and powers are NumPy's."""

    def __add__(self, other: float) -> Real:
        return Real(float(self) + float(other))

    def __sub__(self, other: float) -> Real:
        return Real(float(self) - float(other))

    def __rsub__(self, other: float) -> Real:
        return Real(float(other) - float(self))

    def __mul__(self, other: float) -> Real:
        return Real(float(self) * float(other))

    def __truediv__(self, other: float) -> Real:
        return divided(self, other)

    def __rtruediv__(self, other: float) -> Real:
        return divided(other, self)

    def __pow__(self, other: float, modulus: None = None) -> Real:
        return power(self, other)

    def __rpow__(self, other: float, modulus: None = None) -> Real:
        return power(other, self)

    def __neg__(self) -> Real:
        return Real(-float(self))

    def __abs__(self) -> Real:
        return Real(abs(float(self)))

    __radd__, __rmul__ = __add__, __mul__


def divided(top: float, bottom: float) -> Real:
    """A quotient; by 0 it is infinite, or nan."""
    top, bottom = float(top), float(bottom)
    if bottom:
        return Real(top / bottom)
    return Real(math.copysign(math.inf, top) * math.copysign(1.0, bottom) if top and top == top else math.nan)


def power(base: float, exponent: float) -> Real:
    """A power; of a negative number with an exponent that is not whole it is nan. With ½ it is the root, as NumPy takes
    it of single numbers: of −∞ it is nan, where C has ∞."""
    base, exponent = float(base), float(exponent)
    if exponent == 0.5:
        return Real(math.sqrt(base) if base >= 0 else math.nan)
    odd = exponent % 2 == 1
    if base == 0 and exponent < 0:
        return Real(math.copysign(math.inf, base) if odd else math.inf)
    try:
        return Real(math.pow(base, exponent))
    except OverflowError:
        return Real(-math.inf if base < 0 and odd else math.inf)
    except ValueError:
        return Real(math.nan)


def _made(function: Callable[..., float], **at: float) -> Callable[..., Real]:
    """A function of `math` that gives nan, or what it is ``at`` a point, where that raises."""
    def value(self: Plain, *args: float) -> Real:
        try:
            return Real(function(*map(float, args)))
        except OverflowError:
            return Real(math.inf)
        except ValueError:
            return Real(at.get(f"at{int(args[0])}", math.nan) if float(args[0]).is_integer() else math.nan)

    return value


def _whole(function: Callable[[float], int]) -> Callable[[Plain, float], Real]:
    """A function that rounds; what is not finite stays."""
    return lambda self, x: Real(math.copysign(function(float(x)), x) if math.isfinite(x) else x)


class Plain:
    """In the place of NumPy, for one number."""

    inf, nan, pi = math.inf, math.nan, Real(math.pi)
    exp, expm1, sqrt = _made(math.exp), _made(math.expm1), _made(math.sqrt)
    log, log1p = _made(math.log, at0=-math.inf), _made(math.log1p, **{"at-1": -math.inf})
    sin, cos, tan, tanh, cosh = map(_made, (math.sin, math.cos, math.tan, math.tanh, math.cosh))
    arcsin, arccos, arctan, arcsinh, arccosh = map(
        _made, (math.asin, math.acos, math.atan, math.asinh, math.acosh))
    arctan2 = _made(math.atan2)
    arctanh = _made(math.atanh, at1=math.inf, **{"at-1": -math.inf})

    def sinh(self, x: float) -> Real:
        return Real(math.copysign(float(self._sinh(abs(x))), x))

    _sinh = _made(math.sinh)

    def power(self, base: float, exponent: float) -> Real:
        return power(base, exponent)

    def abs(self, x: float) -> Real:
        return Real(abs(float(x)))

    def where(self, condition: Any, a: float, b: float) -> Real:
        return Real(a if condition else b)

    def maximum(self, a: float, b: float) -> Real:
        return Real(a if a != a or a >= b else b)

    def minimum(self, a: float, b: float) -> Real:
        return Real(a if a != a or a <= b else b)

    def sign(self, x: float) -> Real:
        return Real(x if x != x else (x > 0) - (x < 0))

    floor, ceil, trunc, round = _whole(math.floor), _whole(math.ceil), _whole(math.trunc), _whole(round)
    less, less_equal, equal, not_equal, greater_equal, greater = map(
        staticmethod, (operator.lt, operator.le, operator.eq, operator.ne, operator.ge, operator.gt))

    def remainder(self, a: float, b: float) -> Real:
        return Real(float(a) % float(b) if b and math.isfinite(a) else math.nan)

    def floor_divide(self, a: float, b: float) -> Real:
        return Real(float(a) // float(b) if b else float(a) * math.copysign(math.inf, b))

    def real(self, x: float) -> Real:
        return Real(x)

    asarray = real

    def iscomplexobj(self, x: Any) -> bool:
        return False

    def isfinite(self, x: float) -> bool:
        return math.isfinite(x)

    def isinf(self, x: float) -> bool:
        return math.isinf(x)

    def isin(self, x: float, among: list[int]) -> bool:
        return x in among

    def unique(self, x: float) -> list[Real]:
        return [Real(x)]

    def vectorize(self, function: Callable[[float], float], otypes: object = None) -> Callable[[float], Real]:
        return lambda x: Real(function(float(x)) if x == x else math.nan)
