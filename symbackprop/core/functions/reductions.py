"""Reductions along axes; ``axis`` and ``keepdims`` mean what they mean in NumPy."""

from __future__ import annotations

from string import ascii_lowercase

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.calls import function, hint, plain
from symbackprop.core.functions.constants import causal_mask_of
from symbackprop.core.graph import Node, mark
from symbackprop.core.maths import Frac, Num, Sym
from symbackprop.core.registry import known
from symbackprop.core.shapes import Axis, normalise_axes, normalise_axis, size_of


@known(rule=("mean of n terms: each gets ", Frac(Num(sp.S.One), Sym("n"))), by_entry=True)
@function
def mean(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ over the axes, divided by how many entries that are."""
    average: Node = build.reduce_sum(a, axis, keepdims) / size_of(a.shape, normalise_axes(axis, a.ndim))
    return average


@function
def min(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest entry; equal smallest entries share the gradient."""
    return -build.reduce_max(-a, axis, keepdims)


@known("Var")
@function
def var(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The mean squared distance from the mean (divided by n, not n − 1)."""
    centred = hint(a - hint(mean(a, axis, True), "mu"), "{}_tilde")
    return mean(centred**2, axis, keepdims)


@plain
def softmax(a: Node, axis: Axis = -1, keepdims: bool = True) -> Node:
    """e^a / Σ e^a along the axes, stable. It has the shape of a, whatever ``keepdims`` says."""
    return build.softmax(a, normalise_axes(axis, a.ndim))


@known("logsoftmax", by_entry=True)
@function
def log_softmax(a: Node, axis: Axis = -1, keepdims: bool = True) -> Node:
    """a − logsumexp(a) along the axes. It has the shape of a, whatever ``keepdims`` says."""
    return a - build.logsumexp(a, axis, keepdims=True)


norm = function(build.norm)


@known(rule=("cumulative sum: every entry gets the gradients from its own place on",))
@plain
def cumsum(a: Node, axis: int = 0) -> Node:
    """Running sums along an axis, as a product with a triangle of ones."""
    place = normalise_axis(axis, a.ndim)
    n = a.shape[place]
    letters = ascii_lowercase[: a.ndim]
    out = letters.replace(letters[place], "z")
    row = build.einsum(f"z{letters[place]},{letters}->{out}", causal_mask_of(a.graph, n), a)
    return mark(row, "cumsum", (a, axis), {})
