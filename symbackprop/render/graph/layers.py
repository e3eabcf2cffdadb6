"""Layered drawing, first half: which layer a vertex stands in, and in which order within it.

Vertices are numbers 0, 1, … in the order of the model; an edge goes from a lower layer to a higher one. Where an edge
passes through layers, a dummy vertex (a number from ``count`` on) keeps its place free. Everything is deterministic:
ties keep the order of the model.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
SWEEPS = 24
FAR = 2  # a leaf that is used this many layers further on, or fewer, stays in the first column


@dataclass
class Layered:
    """Vertices in layers. ``chains`` holds, for each edge, the vertices from its source to its target."""

    count: int
    layers: list[list[int]]
    chains: list[list[int]]
    above: dict[int, list[int]]
    below: dict[int, list[int]]


def layered(count: int, edges: Sequence[Edge], near: bool) -> Layered:
    """Layers with few crossings. ``near`` puts every source right before its first reader; else sources that are needed
    soon stay in the first layer, as on a blackboard."""
    level = _levels(count, edges, near)
    graph = _with_dummies(count, edges, level)
    _order(graph)
    return graph


def _levels(count: int, edges: Sequence[Edge], near: bool) -> list[int]:
    """The longest path from a source, sources moved towards what reads them."""
    readers: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for a, b in edges:
        readers[a].append(b)
        waiting[b] += 1
    level, sources = [0] * count, [v for v in range(count) if not waiting[v]]
    ready = list(sources)
    for v in ready:
        for w in readers[v]:
            level[w] = max(level[w], level[v] + 1)
            waiting[w] -= 1
            if not waiting[w]:
                ready.append(w)
    for v in sources:
        first = min((level[w] for w in readers[v]), default=0) - 1
        if near or first > FAR:
            level[v] = max(first, 0)
    return level


def _with_dummies(count: int, edges: Sequence[Edge], level: Sequence[int]) -> Layered:
    layers: list[list[int]] = [[] for _ in range(max(level, default=-1) + 1)]
    for v in range(count):
        layers[level[v]].append(v)
    chains, fresh = [], count
    for a, b in edges:
        chain = [a]
        for k in range(level[a] + 1, level[b]):
            layers[k].append(fresh)
            chain.append(fresh)
            fresh += 1
        chains.append([*chain, b])
    above: dict[int, list[int]] = {v: [] for v in range(fresh)}
    below: dict[int, list[int]] = {v: [] for v in range(fresh)}
    for chain in chains:
        for v, w in pairwise(chain):
            below[v].append(w)
            above[w].append(v)
    return Layered(count, layers, chains, above, below)


# ---------------------------------------------------------------- order


def _order(graph: Layered) -> None:
    """Barycentre sweeps down and up with swaps of neighbours; the best order seen stays."""
    best, fewest = [list(layer) for layer in graph.layers], crossings(graph)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        _sweep(graph, down=sweep % 2 == 0)
        _swap_neighbours(graph)
        now = crossings(graph)
        if now < fewest:
            best, fewest = [list(layer) for layer in graph.layers], now
    graph.layers[:] = best


def _sweep(graph: Layered, down: bool) -> None:
    fixed = graph.above if down else graph.below
    count = len(graph.layers)
    for k in range(1, count) if down else range(count - 2, -1, -1):
        place = {v: i for i, v in enumerate(graph.layers[k - 1 if down else k + 1])}
        here = {v: i for i, v in enumerate(graph.layers[k])}
        wish = {v: _mean([place[w] for w in fixed[v]], here[v]) for v in graph.layers[k]}
        graph.layers[k].sort(key=wish.__getitem__)


def _mean(places: Sequence[int], otherwise: int) -> float:
    return sum(places) / len(places) if places else otherwise


def _swap_neighbours(graph: Layered) -> None:
    """Exchange neighbours while that removes crossings."""
    for k, layer in enumerate(graph.layers):
        before = {v: i for i, v in enumerate(graph.layers[k - 1])} if k else {}
        after = {v: i for i, v in enumerate(graph.layers[k + 1])} if k + 1 < len(graph.layers) else {}
        for i in range(len(layer) - 1):
            v, w = layer[i], layer[i + 1]
            if _between(graph, w, v, before, after) < _between(graph, v, w, before, after):
                layer[i], layer[i + 1] = w, v


def _between(graph: Layered, v: int, w: int, before: dict[int, int], after: dict[int, int]) -> int:
    """Crossings between the edges of v and those of w when v stands first."""
    total = 0
    for place, neighbours in ((before, graph.above), (after, graph.below)):
        total += sum(place[a] > place[b] for a in neighbours[v] for b in neighbours[w])
    return total


def crossings(graph: Layered) -> int:
    """How many pairs of edges cross."""
    total = 0
    for upper, lower in pairwise(graph.layers):
        place = {v: i for i, v in enumerate(lower)}
        seen: list[int] = []
        for v in upper:
            targets = sorted(place[w] for w in graph.below[v])
            total += sum(len(seen) - bisect_right(seen, t) for t in targets)
            for t in targets:
                insort(seen, t)
    return total
