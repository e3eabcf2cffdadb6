"""Symbolic shapes: dimensions are SymPy integers or positive integer symbols and sums and products of them.

Comparing dimensions is the hottest thing a reverse sweep does, so identity is tried first and SymPy only last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import sympy as sp

from symbackprop.errors import Place, ShapeError

Dim: TypeAlias = sp.Expr
MAX_DIM = 2**31 - 1
Shape: TypeAlias = tuple[sp.Expr, ...]
DimLike: TypeAlias = int | sp.Expr
Axis: TypeAlias = int | Sequence[int] | None
ONE: Dim = sp.S.One


class Symbol(sp.Symbol):  # type: ignore[misc]
    """SymPy's symbol of the same name and assumptions, which also unpacks: ``D, = m.dims("D")`` is ``D``."""

    __slots__ = ()
    _iterable = False  # to SymPy, which also asks for __iter__, it is one symbol

    def __getitem__(self, place: int) -> Symbol:
        if place != 0:
            raise IndexError(place)
        return self

    def __eq__(self, other: object) -> bool:
        same_class = type(other) in (sp.Symbol, Symbol)
        return self is other or (same_class and self._hashable_content() == other._hashable_content())  # type: ignore[attr-defined]

    __hash__ = sp.Symbol.__hash__


def dim(name: str) -> Dim:
    """The symbolic dimension of that name."""
    return Symbol(name, integer=True, positive=True)


def as_dim(value: DimLike) -> Dim:
    """A dimension from an int or a symbolic expression."""
    if isinstance(value, bool) or not isinstance(value, (int, sp.Expr)):
        raise ShapeError(f"a dimension is an integer or a symbol, not {value!r}")
    result = sp.Integer(value) if isinstance(value, int) else value
    if is_below_zero(result) and result.is_Integer:
        raise ShapeError(f"a dimension cannot be negative: {value}")
    return result


def as_shape(dims: Iterable[DimLike]) -> Shape:
    """A tuple of sizes as a shape; a size alone is a slip that would be hard to read later."""
    if isinstance(dims, (str, sp.Expr)) or not isinstance(dims, Iterable):
        raise ShapeError(f"a shape is a tuple of sizes, such as (N, D) or (N,), not {dims!r}")
    return tuple(as_dim(d) for d in dims)


def same(a: Dim, b: Dim) -> bool:
    """Whether two dimensions are equal for all sizes."""
    if a is b:
        return True
    if a.is_Atom and b.is_Atom:
        return bool(a == b)
    return _equal(a, b)


@lru_cache(1 << 12)
def _equal(a: Dim, b: Dim) -> bool:
    return bool(a == b) or apart(a, b) == 0


@lru_cache(1 << 12)  # hundreds of loops ask it of the same few
def apart(a: Dim, b: Dim) -> Dim:
    """How much larger a is than b."""
    return sp.expand(a - b)


def smaller(m: Dim, n: Dim, what: str) -> Dim:
    """The smaller one of two sizes. Raises a `ShapeError`, which says ``what`` it decides, where that is not known."""
    if same(m, n) or (m - n).is_nonpositive:
        return m
    if (n - m).is_nonpositive:
        return n
    raise ShapeError(f"whether {m} or {n} is the smaller one says {what}: write the larger one as a sum, "
                     f"{n} + K x {n} for more rows than columns, {m} x {m} + K for fewer, or numbers for both")


def same_shape(a: Shape, b: Shape) -> bool:
    return a is b or a == b or (len(a) == len(b) and all(map(same, a, b)))


def steps_in(span: Dim, step: int) -> Dim:
    """How many places there are in a span, one every ``step``."""
    return span if abs(step) == 1 else sp.ceiling(span / abs(step))


def is_one(d: Dim) -> bool:
    return d is ONE


def is_below_zero(d: Dim) -> bool:
    """Whether a size is negative whatever the dimensions are; of a number SymPy would deduce much more."""
    return d.p < 0 if d.is_Integer else bool(d.is_negative)


def shape_text(shape: Shape) -> str:
    """``N x D``, or ``scalar``."""
    return " x ".join(dim_text(d) for d in shape) if shape else "scalar"


def declared(name: str, shape: Shape, *more: str) -> str:
    """A declaration as model text writes it: ``X: N x D``, ``y: N int < C``, ``k: int < 3``, ``eta``."""
    said = [*([shape_text(shape)] if shape else []), *more]
    return f"{name}: {' '.join(said)}" if said else name


def dim_text(d: Dim) -> str:
    """A dimension as model text writes it: ``K*E``, ``H + 1``."""
    text = str(sp.sstr(d)).replace("ceiling(", "ceil(")
    return text.replace(" ", "") if d.is_Mul else text


def bracketed(text: str) -> str:
    """Text as a factor: what is no single name or number stands in parentheses."""
    return text if text.replace("_", "").isalnum() else f"({text})"


Naming: TypeAlias = Callable[[], Sequence[str]]


def broadcast(shapes: Sequence[Shape], names: Naming = tuple) -> Shape:
    """NumPy's broadcast of the shapes; an error calls both operands by their ``names`` and says the axis."""
    if len(shapes) == 1:
        return shapes[0]
    rank = max((len(s) for s in shapes), default=0)
    return tuple(_broadcast_axis(shapes, names, back) for back in range(-rank, 0))


def _broadcast_axis(shapes: Sequence[Shape], names: Naming, back: int) -> Dim:
    result, owner = ONE, 0
    for k, shape in enumerate(shapes):
        if -back > len(shape) or is_one(shape[back]):
            continue
        if is_one(result):
            result, owner = shape[back], k
        elif not same(result, shape[back]):
            raise ShapeError(_mismatch(shapes, names(), owner, k, back))
    return result


def _mismatch(shapes: Sequence[Shape], names: Sequence[str], i: int, j: int, back: int) -> str:
    a, b = (names[k] if k < len(names) else f"operand {k + 1}" for k in (i, j))
    return (
        f"{a} ({shape_text(shapes[i])}) and {b} ({shape_text(shapes[j])}) do not broadcast: "
        f"axis {back} is {dim_text(shapes[i][back])} in one and {dim_text(shapes[j][back])} in the other"
    )


def _the_only_axis(line: str, place: Place) -> str:
    """The line with axis 0 in what stands at a place."""
    there = line[place.start - 1 : place.end - 1]
    return line[: place.start - 1] + re.sub(r"\b(axis|dim)\s*=\s*-?\d+", r"\1=0", there) + line[place.end - 1 :]


def normalise_axis(axis: int, rank: int) -> int:
    """The non-negative form of a NumPy axis."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is out of range for an array with {rank} {'axis' if rank == 1 else 'axes'}",
                         instead=(_the_only_axis,) if rank == 1 else ())
    return int(axis) % rank


def normalise_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """The axes that ``axis=`` means, sorted; None means all."""
    if axis is None:
        return tuple(range(rank))
    axes = list(axis) if isinstance(axis, Sequence) else [axis]
    result = sorted(normalise_axis(a, rank) for a in axes)
    if len(set(result)) < len(result):
        raise ShapeError(f"an axis is named twice in axis={tuple(axes)}")
    return tuple(result)


def evaluate_dim(d: Any, sizes: Mapping[str, int]) -> int:
    """The size of a dimension under ``sizes`` (name → int)."""
    if isinstance(d, int) or d.is_Integer:
        return int(d)
    if d.is_Symbol:
        return int(sizes[d.name])
    value = d.subs({s: sizes[s.name] for s in d.free_symbols})
    if not value.is_Integer:
        raise ShapeError(f"the dimension {dim_text(d)} is {value}, not a whole number")
    return int(value)


def evaluate_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate_dim(d, sizes) for d in shape)


def size_of(shape: Shape, axes: Iterable[int] | None = None) -> Dim:
    """The number of entries along ``axes`` (all when None)."""
    return sp.Mul(*[shape[i] for i in (range(len(shape)) if axes is None else axes)])


def nested(shape: Shape, entries: Sequence[Any]) -> list[Any]:
    """Entries in order as the lists of lists that an array of a shape is made of."""
    if len(shape) == 1:
        return [*entries]
    each = len(entries) // int(shape[0])
    return [nested(shape[1:], entries[k : k + each]) for k in range(0, len(entries), each)]


@lru_cache(maxsize=4096)
def typical(dim: Dim) -> float:
    """How large a size is taken to be; a symbol counts as 32."""
    return float(dim.subs(dict.fromkeys(dim.free_symbols, 32)))
