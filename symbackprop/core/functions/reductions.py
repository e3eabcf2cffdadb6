"""Reductions along axes; ``axis`` and ``keepdims`` mean what they mean in NumPy."""

from __future__ import annotations

from math import inf
from string import ascii_lowercase

import sympy as sp

from symbackprop.core import build
from symbackprop.core.formula import exact
from symbackprop.core.functions.calls import function, hint, plain, whole
from symbackprop.core.functions.constants import causal_mask_of
from symbackprop.core.functions.pointwise import abs, sqrt
from symbackprop.core.graph import Node, Operand, mark
from symbackprop.core.maths import A, Fn, Num, Pow, Words, X, Z, called, equal, minus
from symbackprop.core.ops.indexing import argsort, sort
from symbackprop.core.ops.reductions import prod
from symbackprop.core.registry import known
from symbackprop.core.roles import Role
from symbackprop.core.shapes import Axis, DimLike, normalise_axes, normalise_axis, size_of
from symbackprop.errors import ShapeError


@known(means=(called("mean", X), " is the sum over the number of terms"),
       title="mean", rule=("every term gets an equal share",), by_entry=True, by_formula=True, role=Role.AVERAGE)
@function
def mean(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ over the axes, divided by how many entries that are."""
    average: Node = build.reduce_sum(a, axis, keepdims) / size_of(a.shape, normalise_axes(axis, a.ndim))
    return average


@known(means=(called("min", X), " is the least entry along the axes"))
@function
def min(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest entry; equal smallest entries share the gradient."""
    return -build.reduce_max(-a, axis, keepdims)


@known("Var", role=Role.AVERAGE,
       means=(equal(called("var", X), called("mean", Pow(minus(X, called("mean", X)), Num(sp.Integer(2))))),))
@function
def var(a: Node, axis: Axis = None, keepdims: bool = False, ddof: Operand = 0) -> Node:
    """The mean squared distance from the mean, divided by n − ddof."""
    centred = hint(a - hint(mean(a, axis, True), "mu"), "{}_tilde")
    if ddof == 0:
        return mean(centred**2, axis, keepdims)
    total: Node = build.reduce_sum(centred**2, axis, keepdims)
    count = size_of(a.shape, normalise_axes(axis, a.ndim)) - ddof
    return total / count  # type: ignore[no-any-return]


@function
def std(a: Node, axis: Axis = None, keepdims: bool = False, ddof: Operand = 0) -> Node:
    """√var, the standard deviation."""
    return sqrt(var(a, axis, keepdims, ddof))


@plain
def softmax(a: Node, axis: Axis = -1, keepdims: bool = True) -> Node:
    """e^a / Σ e^a along the axes, stable. It has the shape of a, whatever ``keepdims`` says."""
    return build.softmax(a, normalise_axes(axis, a.ndim))


@known("logsoftmax", means=(equal(called("log_softmax", Z), Fn("log", (called("softmax", Z),))),), by_entry=True)
@function
def log_softmax(a: Node, axis: Axis = -1, keepdims: bool = True) -> Node:
    """a − logsumexp(a) along the axes. It has the shape of a, whatever ``keepdims`` says."""
    return a - build.logsumexp(a, axis, keepdims=True)


@function
def norm(a: Node, axis: Axis = None, keepdims: bool = False, order: Operand = 2) -> Node:
    """√Σ a², or (Σ |a|^order)^(1/order): 1, any number above, inf (the largest |a|); 0 counts what is not 0. One of a
    negative order is 0, with the gradient 0, where an entry is 0."""
    if order == 2:
        return build.norm(a, axis, keepdims)
    size = whole(abs(a))
    if order in (inf, -inf):
        return build.reduce_max(size, axis, keepdims) if order > 0 else min(size, axis, keepdims)
    if order == 0:
        return build.reduce_sum(a.graph.call("not_equal", a, 0), axis, keepdims)
    if order == 1:
        return build.reduce_sum(size, axis, keepdims)
    if isinstance(order, Node) or order > 0:
        return _power_norm(size, axis, keepdims, order)
    none = a.graph.call("equal", a, 0)  # whose powers are infinite
    found = _power_norm(a.graph.call("where", none, 1, size), axis, keepdims, order)
    return prod(1 - none, axis, keepdims) * found


def _power_norm(size: Node, axis: Axis, keepdims: bool, order: Operand) -> Node:
    return size.graph.call("flat_power", build.reduce_sum(size**order, axis, keepdims), 1 / size.graph.lift(order))


def _along(a: Node, axis: Axis) -> tuple[Node, int]:
    """The array, with the axes flattened into one, the last, where there are several, and the axis."""
    places = normalise_axes(axis, a.ndim)
    if len(places) == 1:
        return a, places[0]
    others = tuple(k for k in range(a.ndim) if k not in places)
    row = build.reshape(build.transpose(a, others + places), (*(a.shape[k] for k in others), -1))
    return row, row.ndim - 1


def _place(a: Node, axis: Axis, keepdims: bool, largest: bool) -> Node:
    row, place = _along(a, axis)
    first = build.slice_axis(argsort(-row if largest else row, place), place, 0, 1)
    shape = build.reduced_shape(a.shape, normalise_axes(axis, a.ndim), keepdims)
    return build.reshape(first, shape)


@function
def argmax(a: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The place of the largest entry, the first of equal ones; integers without a gradient."""
    return _place(a, axis, keepdims, True)


@function
def argmin(a: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The place of the smallest entry, the first of equal ones; integers without a gradient."""
    return _place(a, axis, keepdims, False)


@function
def topk(a: Node, k: DimLike, axis: int = -1) -> Node:
    """The k largest entries along an axis, descending; ``argsort(-a)`` says where they are."""
    place = normalise_axis(axis, a.ndim)
    return build.take_along(a, build.slice_axis(argsort(-a, place), place, 0, k), place)


@function
def quantile(a: Node, q: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The entry that a share q of all is below, interpolated linearly; neighbours share the gradient."""
    row, place = _along(a, axis)
    share = q.value if isinstance(q, Node) else exact(q)
    if share is None or not (share.is_number and 0 <= share <= 1):
        raise ShapeError(f"quantile: the share is a number from 0 to 1, not {q}")
    ordered, last = sort(row, place), share * (row.shape[place] - 1)
    low, high = (build.slice_axis(ordered, place, k, 1) for k in (sp.floor(last), sp.ceiling(last)))
    found = low if low is high else low + (high - low) * (last - sp.floor(last))
    return build.reshape(found, build.reduced_shape(a.shape, normalise_axes(axis, a.ndim), keepdims))


@function
def median(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The middle entry, or the mean of the two in the middle."""
    return quantile(a, sp.Rational(1, 2), axis, keepdims)


def _so_far(a: Node, axis: int) -> tuple[Node, int]:
    """Entries up to each place: place and earlier entry are two axes, −∞ stands for the later ones."""
    place = normalise_axis(axis, a.ndim)
    n = a.shape[place]
    mask = build.reshape(causal_mask_of(a.graph, n), (n, n, *[1] * (a.ndim - place - 1)))
    return a.graph.call("where", mask, build.expand(a, place), -sp.oo), place + 1


@function
def cummax(a: Node, axis: int = 0) -> Node:
    """Running maxima along an axis; equal largest entries share the gradient."""
    return build.reduce_max(*_so_far(a, axis))


@function
def logcumsumexp(a: Node, axis: int = 0) -> Node:
    """Running logsumexp along an axis."""
    return build.logsumexp(*_so_far(a, axis))


@known(means=(called("cumsum", A, Words("axis")), " adds up the entries up to each one along the axis, its gradient "
              "those from each one on"),
       title="cumulative sum", rule=("every entry gets the gradients from its own place on",))
@plain
def cumsum(a: Node, axis: int = 0) -> Node:
    """Running sums along an axis, as a product with a triangle of ones."""
    place = normalise_axis(axis, a.ndim)
    n = a.shape[place]
    letters = ascii_lowercase[: a.ndim]
    out = letters.replace(letters[place], "z")
    row = build.einsum(f"z{letters[place]},{letters}->{out}", causal_mask_of(a.graph, n), a)
    return mark(row, "cumsum", (a, axis), {})
