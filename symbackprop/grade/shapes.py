"""Answers of the wrong shape: what they would be in the right one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from symbackprop.core.build import reduce_sum, transpose
from symbackprop.core.graph import Node
from symbackprop.core.shapes import is_one, same_shape, shape_text, size_of
from symbackprop.grade import mistakes as m
from symbackprop.grade.compare import same
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Point


def mended_shapes(row: Node, right: Node) -> Iterator[tuple[str, str, Node]]:
    """(kind, words, row) for every simple way to bring an answer to the shape of the right one."""
    if row.ndim == 2 and same_shape(row.shape[::-1], right.shape):
        yield m.TRANSPOSE, "it is transposed", transpose(row)
    for count in range(1, row.ndim - right.ndim + 1) if row.ndim > right.ndim else ():
        for axes in combinations(range(row.ndim), count):
            if same_shape(tuple(d for i, d in enumerate(row.shape) if i not in axes), right.shape):
                words = f"the sum over the axis {_axes(axes)} is missing: it was broadcast in forward"
                yield m.MISSING_SUM, words, reduce_sum(row, axes)
                average: Node = reduce_sum(row, axes) / size_of(row.shape, axes)
                yield m.MISSING_SUM, f"the mean over the axis {_axes(axes)} is missing", average
    if row.ndim == right.ndim:
        axes = tuple(i for i, d in enumerate(right.shape) if is_one(d) and not is_one(row.shape[i]))
        over = reduce_sum(row, axes, keepdims=True)
        if axes and same_shape(over.shape, right.shape):
            yield m.MISSING_SUM, f"the sum over the axis {_axes(axes)} is missing: it was broadcast in forward", over


def _axes(axes: Sequence[int]) -> str:
    return str(axes[0]) if len(axes) == 1 else str(tuple(axes))


def summed_too_far(row: Node, right: Node, points: Sequence[Point]) -> Finding | None:
    """The right gradient summed over axes that it should keep."""
    for count in range(1, right.ndim - row.ndim + 1):
        for axes in combinations(range(right.ndim), count):
            over = reduce_sum(right, axes)
            if same_shape(over.shape, row.shape) and all(same(p.value(row), p.value(over)) for p in points):
                return Finding(m.SUMMED, f"it is summed over the axis {_axes(axes)}, which the gradient keeps")
    return None


def shape_words(row: Node, right: Node) -> str:
    """Both shapes."""
    return f"its shape is {shape_text(row.shape)}, expected {shape_text(right.shape)}"
