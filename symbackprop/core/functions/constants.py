"""Constant arrays. They need to be told the graph, since no argument carries it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symbackprop.core import build
from symbackprop.core.formula import exact
from symbackprop.core.graph import Graph, Node, mark
from symbackprop.core.maths import Indicator, M, N, Relation, Sym, at, called, equal
from symbackprop.core.registry import COMPOSED, Composed
from symbackprop.core.shapes import DimLike


def causal_mask_of(graph: Graph, n: DimLike) -> Node:
    """n x n: 1 where the column is not after the row, else 0."""
    places = build.arange(graph, n)
    mask = graph.call("greater_equal", build.expand(places, 1), build.expand(places, 0))
    return mark(mask, "causal_mask", (exact(n),), {})


def _zeros(graph: Graph, *shape: DimLike) -> Node:
    """Zeros of a shape."""
    return graph.full(0, _dims(shape))


def _ones(graph: Graph, *shape: DimLike) -> Node:
    """Ones of a shape."""
    return graph.full(1, _dims(shape))


CONSTANTS: dict[str, Callable[..., Node]] = {
    "arange": lambda graph, n: build.arange(graph, n),
    "eye": lambda graph, n: build.eye(graph, n),
    "zeros": _zeros,
    "ones": _ones,
    "causal_mask": causal_mask_of,
}
COMPOSED["causal_mask"] = Composed(
    "mask", means=(equal(at(called("causal_mask", Sym("T")), N, M), Indicator(Relation(M, "≤", N))),))


def _dims(shape: Sequence[Any]) -> Sequence[DimLike]:
    return shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
