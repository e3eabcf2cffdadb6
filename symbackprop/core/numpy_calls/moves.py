"""NumPy's functions that make, move, join and choose entries, on rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import sympy as sp

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.indexing import getitem
from symbackprop.core.numpy_calls.table import TABLE, flat, named, rows
from symbackprop.core.ops.views import flip
from symbackprop.core.shapes import Shape, as_shape, normalise_axis, size_of
from symbackprop.errors import ShapeError, UsageError


@named("full_like")
def full_like(a: Node, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
              ) -> Node:
    return a.graph.broadcast(a.graph.lift(fill_value), a.shape if shape is None else _sizes(shape))


@named("reshape")
def reshape(a: Node, shape: Any = None, order: str = "C", *, newshape: Any = None) -> Node:
    sizes = newshape if shape is None else shape
    return build.reshape(a, sizes if isinstance(sizes, (tuple, list)) else (sizes,))


@named("swapaxes")
def swapaxes(a: Node, axis1: int, axis2: int) -> Node:
    return build.swapaxes(a, axis1, axis2)


@named("moveaxis")
def moveaxis(a: Node, source: Any, destination: Any) -> Node:
    froms, tos = ([x] if isinstance(x, int) else list(x) for x in (source, destination))
    froms, tos = ([normalise_axis(x, a.ndim) for x in axes] for axes in (froms, tos))
    order = [k for k in range(a.ndim) if k not in froms]
    for to, k in sorted(zip(tos, froms, strict=True)):
        order.insert(to, k)
    return build.transpose(a, order)


@named("expand_dims")
def expand_dims(a: Node, axis: Any) -> Node:
    wanted = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    for place in sorted(normalise_axis(k, a.ndim + len(wanted)) for k in wanted):
        a = build.expand(a, place)
    return a


@named("squeeze")
def squeeze(a: Node, axis: Any = None) -> Node:
    return build.squeeze(a, axis)


@named("atleast_1d")
def atleast_1d(a: Node) -> Node:
    return a if a.ndim else build.reshape(a, (1,))


@named("atleast_2d")
def atleast_2d(a: Node) -> Node:
    return a if a.ndim > 1 else build.reshape(a, (1, -1) if a.ndim else (1, 1))


@named("roll")
def roll(a: Node, shift: Any, axis: Any = None) -> Node:
    if axis is None:
        return build.reshape(F.arrange.roll(flat(a), shift, 0), a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for k, by in zip(axes, shift if isinstance(shift, (tuple, list)) else [shift] * len(axes), strict=True):
        a = F.arrange.roll(a, by, k)
    return a


@named("diff")
def diff(a: Node, n: int = 1, axis: int = -1) -> Node:
    place = normalise_axis(axis, a.ndim)
    for _ in range(n):
        rest = a.shape[place] - 1
        a = build.slice_axis(a, place, 1, rest) - build.slice_axis(a, place, 0, rest)
    return a


# -- joining and splitting
@named("concatenate", "concat")
def concatenate(arrays: Any, axis: int | None = 0, out: Any = None, dtype: Any = None) -> Node:
    parts = rows(*arrays)
    return build.concat([flat(p, axis) for p in parts], axis or 0)


def _column(a: Node) -> Node:
    return build.reshape(a, (-1, 1)) if a.ndim < 2 else a


@named("hstack")
def hstack(tup: Any, dtype: Any = None) -> Node:
    parts = [atleast_1d(a) for a in rows(*tup)]
    return build.concat(parts, 0 if parts[0].ndim == 1 else 1)


@named("split", "array_split")
def split(ary: Node, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    place = normalise_axis(axis, ary.ndim)
    whole, cuts = ary.shape[place], indices_or_sections
    if not isinstance(cuts, (tuple, list)):
        share = sp.cancel(whole / cuts)
        if share.is_integer is False or (share.is_Rational and not share.is_Integer):
            raise ShapeError(f"np.split: {whole} entries are not {cuts} equal parts")
        cuts = [share * k for k in range(1, int(cuts))]
    bounds = [0, *cuts, whole]
    return [build.slice_axis(ary, place, a, b - a) for a, b in pairwise(bounds)]


# -- choosing
@named("where")
def where(condition: Any, x: Any = None, y: Any = None) -> Node:
    if x is None or y is None:
        raise UsageError("np.where on the rows of a model needs three arguments: condition, x, y")
    return F.pointwise.where(condition, x, y)


@named("clip")
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None) -> Node:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    (row,) = rows(a) if isinstance(a, Node) else (a,)
    row = row if low is None else F.pointwise.maximum(row, low)
    return row if high is None else F.pointwise.minimum(row, high)


@named("take")
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Node:
    (a, index) = rows(a, indices) if isinstance(indices, Node) else (a, indices)
    if axis is None:
        return flat(a)[index]
    return getitem(a, (*[slice(None)] * normalise_axis(axis, a.ndim), index))


@named("take_along_axis")
def take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Node:
    row, index = rows(arr, indices)
    return build.take_along(row, index, axis)


def _sizes(shape: Any) -> Shape:
    return as_shape(shape if isinstance(shape, Sequence) else (shape,))


TABLE |= {
    "shape": lambda a: a.shape,
    "ndim": lambda a: a.ndim,
    "size": lambda a, axis=None: size_of(a.shape) if axis is None else a.shape[axis],
    "zeros_like": lambda a, dtype=None, order="K", subok=True, shape=None: full_like(a, 0, shape=shape),
    "ones_like": lambda a, dtype=None, order="K", subok=True, shape=None: full_like(a, 1, shape=shape),
    "broadcast_to": lambda array, shape, subok=False: array.graph.broadcast(array, _sizes(shape)),
    "ravel": lambda a, order="C": build.reshape(a, (-1,)),
    "transpose": lambda a, axes=None: build.transpose(a, axes),
    "permute_dims": lambda a, axes=None: build.transpose(a, axes),
    "matrix_transpose": lambda x: swapaxes(x, -1, -2),
    "flip": lambda m, axis=None: flip(m, axis),
    "fliplr": lambda m: flip(m, 1),
    "flipud": lambda m: flip(m, 0),
    "repeat": lambda a, repeats, axis=None: F.arrange.repeat(flat(a, axis), repeats, axis or 0),
    "stack": lambda arrays, axis=0, out=None, dtype=None: F.arrange.stack(*rows(*arrays), axis=axis),
    "vstack": lambda tup, dtype=None: build.concat([atleast_2d(a) for a in rows(*tup)], 0),
    "row_stack": lambda tup, dtype=None: build.concat([atleast_2d(a) for a in rows(*tup)], 0),
    "column_stack": lambda tup: build.concat([_column(a) for a in rows(*tup)], 1),
    "tril": lambda m, k=0: F.matrices.tril(m, k),
    "triu": lambda m, k=0: F.matrices.triu(m, k),
    "tile": lambda A, reps: F.arrange.tile(A, *reps if isinstance(reps, (tuple, list)) else (reps,)),
    "kron": lambda a, b: F.matrices.kron(a, b),
    "searchsorted": lambda a, v: F.FUNCTIONS["searchsorted"](a, v),
    **{f"linalg.{name}": F.FUNCTIONS[name] for name in
       ("inv", "solve", "det", "slogdet", "cholesky", "eigh", "eigvalsh", "pinv", "matrix_power", "svdvals")},
}
