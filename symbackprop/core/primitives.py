"""Ops under their own names, for rows that no library function writes: any gradient can be written down."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core import build
from symbackprop.core.functions import plain
from symbackprop.core.graph import Node
from symbackprop.core.shapes import DimLike, as_shape


@plain
def broadcast(a: Node, shape: Sequence[DimLike]) -> Node:
    """Repeated to a shape, as NumPy's broadcast_to."""
    return a.graph.broadcast(a, as_shape(shape))


@plain
def pad(a: Node, axis: int, start: DimLike, size: DimLike, step: int = 1) -> Node:
    """The entries at start, start + step, … of a zero axis of that size: the adjoint of a slice."""
    return build.pad_axis(a, axis, start, size, step)


@plain
def scatter_add(g: Node, index: Node, rows: DimLike) -> Node:
    """Rows of g added up in the rows of a zero table that the index names: the adjoint of table[index]."""
    return build.scatter_add(g, index, rows)


@plain
def put_along_axis(g: Node, index: Node, axis: int, size: DimLike) -> Node:
    """Entries of g added where the index points along the axis: the adjoint of take_along_axis."""
    return build.put_along(g, index, axis, size)
