"""Layered drawing, second half: where each vertex stands across its layer.

Within a layer the order is fixed and neighbours keep a distance; the positions that come nearest to those of the
neighbouring layers, in least squares, are found exactly (pool adjacent violators), layer by layer, down and up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.render.graph.layers import Layered

Extent = tuple[float, float]  # how far a vertex reaches before and after its axis
PASSES = 12
LEAF = 0.1
STRAIGHT = 6.0  # how much more an edge between two dummies wants to be straight


def positions(graph: Layered, extent: Callable[[int], Extent], gap: float) -> dict[int, float]:
    """The axis of every vertex across the layers; the leftmost reach is 0."""
    at = _packed(graph, extent, gap)
    count = len(graph.layers)
    for turn in range(PASSES):
        down = turn % 2 == 0
        for k in range(1, count) if down else range(count - 2, -1, -1):
            _settle(graph.layers[k], graph, at, extent, gap, (graph.above,) if down else (graph.below,))
    for _ in range(2):
        for layer in graph.layers:
            _settle(layer, graph, at, extent, gap, (graph.above, graph.below))
    start = min((at[v] - extent(v)[0] for v in at), default=0.0)
    return {v: x - start for v, x in at.items()}


def _packed(graph: Layered, extent: Callable[[int], Extent], gap: float) -> dict[int, float]:
    at: dict[int, float] = {}
    for layer in graph.layers:
        for v, shift in zip(layer, _shifts(layer, extent, gap), strict=True):
            at[v] = shift
        middle = (at[layer[0]] + at[layer[-1]]) / 2 if layer else 0.0
        at.update({v: at[v] - middle for v in layer})
    return at


def _shifts(layer: Sequence[int], extent: Callable[[int], Extent], gap: float) -> list[float]:
    """The positions when everything stands as close as it may."""
    shifts = [0.0] * len(layer)
    for i in range(1, len(layer)):
        shifts[i] = shifts[i - 1] + extent(layer[i - 1])[1] + gap + extent(layer[i])[0]
    return shifts


def _settle(layer: Sequence[int], graph: Layered, at: dict[int, float], extent: Callable[[int], Extent], gap: float,
            sides: Sequence[dict[int, list[int]]]) -> None:
    """Move one layer as near to its neighbours as order and distances allow."""
    wishes, weights = [], []
    for v in layer:
        near = [(w, _pull(graph, v, w)) for side in sides for w in side[v]]
        weight = sum(p for _, p in near)
        wishes.append(sum(at[w] * p for w, p in near) / weight if near else at[v])
        weights.append(weight or 0.05)
    shifts = _shifts(layer, extent, gap)
    free = isotonic([x - s for x, s in zip(wishes, shifts, strict=True)], weights)
    at.update({v: x + s for v, x, s in zip(layer, free, shifts, strict=True)})


def _pull(graph: Layered, v: int, w: int) -> float:
    """How much v wants to stand where w does: leaves make room for what is computed."""
    if not graph.above[w] or not graph.above[v]:
        return LEAF
    dummies = (v >= graph.count) + (w >= graph.count)
    return STRAIGHT if dummies == 2 else 2.0 if dummies else 1.0


def isotonic(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to ``wishes`` in weighted least squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for wish, weight in zip(wishes, weights, strict=True):
        mean, total, length = wish, weight, 1
        while blocks and blocks[-1][0] > mean:
            m, t, n = blocks.pop()
            mean, total, length = (m * t + mean * total) / (t + total), t + total, length + n
        blocks.append((mean, total, length))
    return [mean for mean, _, length in blocks for _ in range(length)]
