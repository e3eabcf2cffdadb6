"""NumPy's reductions on rows; without an axis they take all entries, as NumPy does."""

from __future__ import annotations

from typing import Any

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls.table import TABLE, flat, named, rows
from symbackprop.core.shapes import Axis, normalise_axes, size_of
from symbackprop.errors import UsageError


def _largest(a: Node, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Node:
    return build.reduce_max(a, axis, keepdims)


def _smallest(a: Node, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Node:
    return F.reductions.min(a, axis, keepdims=keepdims)


@named("var")
def var(a: Node, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False,
        *, correction: int | None = None) -> Node:
    lost = ddof if correction is None else correction
    if not lost:
        return F.reductions.var(a, axis, keepdims=keepdims)
    centred = a - F.reductions.mean(a, axis, keepdims=True)
    count = size_of(a.shape, normalise_axes(axis, a.ndim)) - lost
    average: Node = build.reduce_sum(centred**2, axis, keepdims) / count
    return average


@named("average")
def average(a: Node, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Node:
    if returned:
        raise UsageError("np.average on the rows of a model does not return the sum of the weights")
    if weights is None:
        return F.reductions.mean(a, axis, keepdims=keepdims)
    a, w = rows(a, weights)
    if w.ndim != a.ndim and axis is not None:
        (place,) = normalise_axes(axis, a.ndim)
        w = build.reshape(w, tuple(w.shape[0] if k == place else 1 for k in range(a.ndim)))
    weight = a.graph.broadcast(w, a.shape)
    return build.reduce_sum(a * w, axis, keepdims) / build.reduce_sum(weight, axis, keepdims)


@named("linalg.norm")
def norm(x: Node, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Node:
    """The Euclidean norm, of all entries or along axes; of vectors also the norms 1 and inf."""
    axes = normalise_axes(axis, x.ndim)
    vectors = len(axes) == 1
    if ord is None or (ord == 2 and vectors) or (ord == "fro" and len(axes) == 2):
        return F.reductions.norm(x, axis, keepdims=keepdims)
    size = F.pointwise.abs(x)
    if vectors and ord == 1:
        return build.reduce_sum(size, axis, keepdims)
    if vectors and ord == float("inf"):
        return build.reduce_max(size, axis, keepdims)
    raise UsageError(f"np.linalg.norm on the rows of a model has no ord={ord!r} over {len(axes)} axes")


TABLE |= {
    "sum": lambda a, axis=None, dtype=None, out=None, keepdims=False: build.reduce_sum(a, axis, keepdims),
    "mean": lambda a, axis=None, dtype=None, out=None, keepdims=False: F.reductions.mean(a, axis, keepdims=keepdims),
    "max": _largest,
    "amax": _largest,
    "min": _smallest,
    "amin": _smallest,
    "ptp": lambda a, axis=None, out=None, keepdims=False: (
        _largest(a, axis, out, keepdims) - _smallest(a, axis, out, keepdims)
    ),
    "std": lambda a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=None: (
        F.pointwise.sqrt(var(a, axis, None, None, ddof, keepdims, correction=correction))
    ),
    "cumsum": lambda a, axis=None, dtype=None, out=None: F.reductions.cumsum(flat(a, axis), axis or 0),
    "count_nonzero": lambda a, axis=None, *, keepdims=False: (
        build.reduce_sum(F.pointwise.not_equal(a, 0), axis, keepdims)
    ),
    "any": lambda a, axis=None, out=None, keepdims=False: _largest(F.pointwise.not_equal(a, 0), axis, out, keepdims),
    "all": lambda a, axis=None, out=None, keepdims=False: _smallest(F.pointwise.not_equal(a, 0), axis, out, keepdims),
}
