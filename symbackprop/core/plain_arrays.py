"""Numbers and small arrays that compute as NumPy's do, where there is no NumPy: what references of scalar functions and
of ops call.

Nothing raises: 1/0 is infinite, log(−1) is nan, as IEEE has it. A reference that is called with `Plain` for NumPy and
with a `Real` gives the number that it would give with NumPy, one that is called with `Arrays` the array. Arrays are
lists, for a few dozen entries.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import product
from math import inf, nan, prod
from typing import Any, TypeAlias


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


# -- arrays
ONE = Plain()
Places: TypeAlias = "tuple[tuple[int, ...], list[int]]"  # the shape of a part, and where its entries stand


class Missing(Exception):
    """A function of NumPy that there is not here."""


def _by(act: Callable[..., Any]) -> Callable[[Array, Any], Array]:
    return lambda self, other: mapped(act, self, other)


def _from(act: Callable[..., Any]) -> Callable[[Array, Any], Array]:
    return lambda self, other: mapped(act, other, self)


class Array:
    """Numbers in rows: ``entries`` are all of them, the last axis fastest."""

    __slots__ = ("entries", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Sequence[int], entries: list[Any]) -> None:
        self.shape, self.entries = tuple(map(int, shape)), entries

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> type:
        return type(self.entries[0]) if self.entries else float

    @property
    def flat(self) -> Iterator[Any]:
        return iter(self.entries)

    @property
    def T(self) -> Array:
        return transposed(self, range(self.ndim)[::-1])

    def reshape(self, *shape: Any) -> Array:
        wanted = shape[0] if isinstance(shape[0], tuple) else shape
        return Array(wanted, self.entries)

    def tolist(self) -> Any:
        """The entries in nested lists; of no axes, the number."""
        if not self.shape:
            return self.entries[0]
        return [self[k].tolist() if self.ndim > 1 else self[k] for k in range(self.shape[0])]

    # -- one number, or several
    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __float__(self) -> float:
        return float(self.entries[0])

    def __index__(self) -> int:
        return int(self.entries[0])

    def __bool__(self) -> bool:
        return bool(self.entries[0])

    # -- entry by entry
    __add__, __radd__ = _by(operator.add), _from(operator.add)
    __sub__, __rsub__ = _by(operator.sub), _from(operator.sub)
    __mul__, __rmul__ = _by(operator.mul), _from(operator.mul)
    __truediv__, __rtruediv__ = _by(divided), _from(divided)
    __pow__, __rpow__ = _by(power), _from(power)
    __and__, __or__ = _by(operator.and_), _by(operator.or_)
    __lt__, __le__, __gt__, __ge__ = map(_by, (operator.lt, operator.le, operator.gt, operator.ge))
    __eq__, __ne__ = _by(operator.eq), _by(operator.ne)  # type: ignore[assignment]

    def __neg__(self) -> Array:
        return mapped(operator.neg, self)

    def __matmul__(self, other: Array) -> Array:
        lead = "abcdefgh"[: self.ndim - 1]
        return einsum(f"{lead}y,yz->{lead}z", self, other)

    # -- parts
    def places(self, key: Any) -> Places:
        """A part as NumPy's brackets say it: numbers, slices, ``...`` and None."""
        keys = key if isinstance(key, tuple) else (key,)
        dots = next((k for k, x in enumerate(keys) if x is Ellipsis), len(keys))
        rest = self.ndim - sum(x is not None and x is not Ellipsis for x in keys)
        shape, places, axis, steps = list[int](), [0], 0, strides(self.shape)
        for x in (*keys[:dots], *[slice(None)] * rest, *keys[dots + 1 :]):
            if x is None:
                shape.append(1)
                continue
            size = self.shape[axis]
            read = range(*x.indices(size)) if isinstance(x, slice) else [range(size)[operator.index(x)]]
            shape += [len(read)] if isinstance(x, slice) else []
            places = [p + k * steps[axis] for p in places for k in read]
            axis += 1
        return tuple(shape), places

    def __getitem__(self, key: Any) -> Any:
        """A part; an entry is a number."""
        shape, places = self.places(key)
        return Array(shape, [self.entries[p] for p in places]) if shape else self.entries[places[0]]

    def __setitem__(self, key: Any, value: Any) -> None:
        shape, places = self.places(key)
        for p, x in zip(places, spread(asarray(value), shape), strict=True):
            self.entries[p] = x


# -- making arrays
def asarray(x: Any) -> Array:
    """An array of a number, of nested lists, or of what is one."""
    if isinstance(x, Array):
        return x
    if not isinstance(x, (list, tuple, range)):
        return Array((), [x])
    parts = [asarray(part) for part in x]
    return Array((len(parts), *(parts[0].shape if parts else ())), [e for part in parts for e in part.entries])


def strides(shape: Sequence[int]) -> list[int]:
    """How far apart neighbours along every axis stand."""
    return [prod(shape[k + 1 :]) for k in range(len(shape))]


def read(a: Array, steps: Sequence[int], shape: Sequence[int]) -> list[Any]:
    """The entries of an array in an order: by how far to go along each axis of a shape."""
    places = [0]
    for step, size in zip(steps, shape, strict=True):
        places = [p + step * k for p in places for k in range(size)]
    return [a.entries[p] for p in places]


def spread(a: Array, shape: Sequence[int]) -> list[Any]:
    """The entries of an array that is broadcast to a shape."""
    if a.shape == tuple(shape):
        return a.entries
    own = [0 if size == 1 else step for size, step in zip(a.shape, strides(a.shape), strict=True)]
    if any(n not in (1, m) for n, m in zip(a.shape[::-1], [*shape][::-1], strict=False)):
        raise ValueError(f"shapes {a.shape} and {tuple(shape)} do not fit")
    return read(a, [0] * (len(shape) - a.ndim) + own, shape)


def mapped(act: Callable[..., Any], *args: Any) -> Array:
    """A function of numbers at every entry."""
    arrays = [asarray(a) for a in args]
    shape: list[int] = []
    for k in range(max(a.ndim for a in arrays), 0, -1):
        sizes = {a.shape[-k] for a in arrays if a.ndim >= k} - {1}
        shape.append(min(sizes, default=1))
    return Array(shape, [act(*x) for x in zip(*[spread(a, shape) for a in arrays], strict=True)])


# -- moving and adding up
def transposed(a: Array, axes: Sequence[int]) -> Array:
    shape, steps = [a.shape[k] for k in axes], strides(a.shape)
    return Array(shape, read(a, [steps[k] for k in axes], shape))


def einsum(pattern: str, *arrays: Array) -> Array:
    """The products of entries with the same letters, summed over letters that are not in the result."""
    ins, out = pattern.replace(" ", "").split("->")
    sizes: dict[str, int] = {}
    for a, letters in zip(arrays, ins.split(","), strict=True):
        sizes |= dict(zip(letters, a.shape, strict=True))
    order = [*out, *[c for c in sizes if c not in out]]
    shape = [sizes[c] for c in order]
    columns = [read(a, _steps(a, letters, order), shape) for a, letters in zip(arrays, ins.split(","), strict=True)]
    products = [prod(x) for x in zip(*columns, strict=True)]
    together = prod(shape[len(out) :])
    return Array(shape[: len(out)], [sum(products[k : k + together]) for k in range(0, len(products), together)])


def _steps(a: Array, letters: str, order: Iterable[str]) -> list[int]:
    own = strides(a.shape)
    return [sum(step for step, letter in zip(own, letters, strict=True) if letter == c) for c in order]


def axes_of(a: Array, axis: Any) -> list[int]:
    """Axes as they are given, one or several, counted from the first."""
    return [k % a.ndim for k in (axis if isinstance(axis, tuple) else (axis,))]


def reduced(act: Callable[[Any, Any], Any], a: Any, axis: Any, keepdims: bool, *begin: Any) -> Array:
    """The entries along axes brought together by a function of two numbers."""
    array = asarray(a)
    over = [*range(array.ndim)] if axis is None else axes_of(array, axis)
    left = [k for k in range(array.ndim) if k not in over]
    moved, together = transposed(array, [*left, *over]), prod(array.shape[k] for k in over)
    if not together and not begin:
        raise ValueError("there is nothing along an axis of size 0")
    shape = [1 if k in over else n for k, n in enumerate(array.shape)] if keepdims else [array.shape[k] for k in left]
    parts = [moved.entries[k * together : (k + 1) * together] for k in range(prod(shape))]
    return Array(shape, [reduce(act, part, *begin) for part in parts])


class Arrays:
    """In the place of NumPy. What is not named here is a function of one number, at every entry."""

    inf, nan, pi = inf, nan, ONE.pi
    asarray = real = staticmethod(asarray)

    def __getattr__(self, name: str) -> Callable[..., Array]:
        if name.startswith("_") or not hasattr(ONE, name):
            raise Missing(f"np.{name}")
        return partial(mapped, getattr(ONE, name))

    def array(self, x: Any, dtype: object = None) -> Array:
        found = asarray(x)
        return Array(found.shape, [*found.entries])

    def zeros(self, shape: Sequence[int], dtype: Callable[[int], Any] = float) -> Array:
        return Array(shape, [dtype(0)] * prod(shape))

    def zeros_like(self, a: Array) -> Array:
        return self.zeros(a.shape)

    def result_type(self, *arrays: Any) -> type:
        return float

    def iscomplexobj(self, x: Any) -> bool:
        return False

    def ndindex(self, *shape: int) -> Iterator[tuple[int, ...]]:
        return product(*map(range, shape))

    def vectorize(self, function: Callable[[float], float], otypes: object = None) -> Callable[[Any], Array]:
        return partial(mapped, ONE.vectorize(function))

    def unique(self, x: Any) -> list[Any]:
        return sorted({*asarray(x).entries})

    def isin(self, x: Any, among: Sequence[float]) -> Array:
        return mapped(lambda entry: entry in among, x)

    # -- moving entries
    def take(self, a: Array, index: Any, axis: int) -> Array:
        wanted = asarray(index if isinstance(index, (Array, int)) else list(index))
        steps, axis = strides(a.shape), axis % a.ndim
        lead, behind = a.shape[:axis], a.shape[axis + 1 :]
        rows = [range(a.shape[axis])[operator.index(k)] * steps[axis] for k in map(int, wanted.entries)]
        starts = [sum(k * s for k, s in zip(at, steps, strict=False)) for at in product(*map(range, lead))]
        places = [p + row + k for p in starts for row in rows for k in range(prod(behind))]
        return Array((*lead, *wanted.shape, *behind), [a.entries[p] for p in places])

    def take_along_axis(self, a: Array, index: Array, axis: int) -> Array:
        axis %= a.ndim
        out = self.zeros(index.shape, a.dtype)
        for place in self.ndindex(*index.shape):
            at = [k if n > 1 else 0 for k, n in zip(place, a.shape, strict=True)]
            at[axis] = int(index[place])
            out[place] = a[tuple(at)]
        return out

    def concatenate(self, parts: Sequence[Array], axis: int) -> Array:
        first = [self.moveaxis(p, axis, 0) for p in parts]
        whole = Array((sum(map(len, first)), *first[0].shape[1:]), [x for p in first for x in p.entries])
        return self.moveaxis(whole, 0, axis)

    def stack(self, parts: Sequence[Any], axis: int = 0) -> Array:
        return self.moveaxis(asarray([*parts]), 0, axis)

    def moveaxis(self, a: Array, source: int, target: int) -> Array:
        axes = [k for k in range(a.ndim) if k != source % a.ndim]
        axes.insert(target % a.ndim, source % a.ndim)
        return transposed(a, axes)

    def squeeze(self, a: Array, axis: Any) -> Array:
        gone = axes_of(a, axis)
        return Array([n for k, n in enumerate(a.shape) if k not in gone], a.entries)

    def pad(self, a: Array, widths: Sequence[tuple[int, int]]) -> Array:
        out = self.zeros([n + low + high for n, (low, high) in zip(a.shape, widths, strict=True)])
        out[tuple([slice(low, low + n) for n, (low, _) in zip(a.shape, widths, strict=True)])] = a
        return out

    def argsort(self, a: Array, axis: int, kind: str) -> Array:
        moved = self.moveaxis(a, axis, -1)
        size = moved.shape[-1]
        rows = [moved.entries[k : k + size] for k in range(0, len(moved.entries), size or 1)]
        places = [sorted(range(size), key=row.__getitem__) for row in rows]
        return self.moveaxis(Array(moved.shape, [k for row in places for k in row]), -1, axis)

    # -- bringing entries together
    def einsum(self, pattern: str, *arrays: Array, optimize: bool = False) -> Array:
        return einsum(pattern, *arrays)

    def sum(self, a: Any, axis: Any = None, keepdims: bool = False) -> Array:
        return reduced(operator.add, a, axis, keepdims, 0)

    def prod(self, a: Any, axis: Any = None) -> Array:
        return reduced(operator.mul, a, axis, False, 1)

    def max(self, a: Any, axis: Any = None, keepdims: bool = False, initial: float | None = None) -> Array:
        begin = () if initial is None else (initial,)
        return reduced(ONE.maximum, a, axis, keepdims, *begin)
