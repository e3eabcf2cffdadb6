"""Where everything stands: the layout of a picture in layers, frames first, each then counting as one item.

Vertices are numbers 0, 1, … in the order of the model; an edge goes from a lower layer to a higher one. Where an edge
passes through layers, a dummy vertex (a number from ``count`` on) keeps its place free. Within a layer the order is
fixed and neighbours keep a distance; the positions that come nearest to those of the neighbouring layers, in least
squares, are found exactly (pool adjacent violators), layer by layer, down and up. Everything is deterministic: ties
keep the order of the model.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

from symbackprop.core.printer import Text
from symbackprop.render.graph.picture import Box, Frame, Item, Picture, Wire
from symbackprop.render.graph.sizes import BLANK, LANE, SHAPE, Size, factor_size, size_of, width
from symbackprop.render.graph.typesetting import line

Point: TypeAlias = tuple[float, float]  # along the drawing, across it


@dataclass(frozen=True)
class PlacedBox:
    """A box whose wires enter at ``start`` and run along the axis at ``axis``."""

    box: Box
    start: float
    axis: float
    size: Size


@dataclass(frozen=True)
class PlacedFrame:
    """A frame from one corner to the other."""

    frame: Frame
    start: Point
    end: Point


@dataclass(frozen=True)
class Curve:
    """A wire through points: straight from the first to the second, bending to the third, straight again … Its local
    gradient stands in the room ``label``."""

    wire: Wire
    points: tuple[Point, ...]
    label: tuple[Point, Point] | None = None  # from corner to corner


@dataclass
class Scene:
    """A laid-out picture; coordinates run along and across the drawing, ``along`` and ``across`` say how far."""

    boxes: list[PlacedBox] = field(default_factory=list)
    frames: list[PlacedFrame] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    along: float = 0.0
    across: float = 0.0

    def moved(self, along: float, across: float) -> Scene:
        """The same scene at another place."""
        def shift(p: Point) -> Point:
            return p[0] + along, p[1] + across

        return Scene(
            [PlacedBox(b.box, b.start + along, b.axis + across, b.size) for b in self.boxes],
            [PlacedFrame(f.frame, shift(f.start), shift(f.end)) for f in self.frames],
            [replace(c, points=tuple(map(shift, c.points)), label=c.label and (shift(c.label[0]), shift(c.label[1])))
             for c in self.curves],
            self.along + along, self.across + across,
        )

    def take(self, other: Scene) -> None:
        """Add everything of another scene, where it stands."""
        self.boxes += other.boxes
        self.frames += other.frames
        self.curves += other.curves
        self.along, self.across = max(self.along, other.along), max(self.across, other.across)


Edge = tuple[int, int]
SWEEPS, PASSES, LEAST = 24, 12, 2
EFFORT = 50_000  # so many vertices are placed again: those of large pictures, of which most are dummies, less often
FAR = 2  # a leaf that is used this many layers further on, or fewer, stays in the first column


@dataclass
class Layered:
    """Vertices in layers. ``chains`` holds, for each edge, the vertices from its source to its target."""

    count: int
    layers: list[list[int]]
    chains: list[list[int]]
    above: dict[int, list[int]]
    below: dict[int, list[int]]

    def turns(self, most: int) -> range:
        """How often all vertices are placed again: so many times, or as often as is borne."""
        return range(max(min(most, EFFORT // (len(self.above) or 1)), LEAST))


def layered(count: int, edges: Sequence[Edge], near: bool, spread: int = 1) -> Layered:
    """Layers with few crossings. ``near`` puts every source right before its first reader; else sources that are needed
    soon stay in the first layer, as on a blackboard. ``spread`` 2 keeps the layers with odd numbers for dummies."""
    level = [spread * k for k in _levels(count, edges, near)]
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
    for sweep in graph.turns(SWEEPS):
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


Extent = tuple[float, float]  # how far a vertex reaches before and after its axis
LEAF = 0.1
STRAIGHT = 6.0  # how much more an edge between two dummies wants to be straight


def positions(graph: Layered, extent: Callable[[int], Extent], gap: float) -> dict[int, float]:
    """The axis of every vertex across the layers; the leftmost reach is 0."""
    at = _packed(graph, extent, gap)
    count = len(graph.layers)
    for turn in graph.turns(PASSES):
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
        weight = math.fsum(p for _, p in near)
        wishes.append(math.fsum(at[w] * p for w, p in near) / weight if near else at[v])
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


GAP_ALONG, GAP_ACROSS = 38.0, 24.0
GAP_FACTOR = 26.0  # on either side of a local gradient
PADDING, HEAD, GUTTER = 18.0, 26.0, 20.0
NEAR_END = 12.0
WIRE = Size(0.0, LANE, LANE, 0.0)  # the room of a dummy
PORT = 15.0  # the distance between wires that enter one item


def lay_out(picture: Picture, down: bool, room: float = math.inf) -> Scene:
    """The scene of a picture, running down or to the right. Parts that no wire connects stand beside each other, in
    several rows when they need more than ``room``."""
    parts = [Layout(part, down).scene() for part in components(picture)]
    whole = Scene()
    along, across, deepest = 0.0, 0.0, 0.0
    for part in parts:
        if across and across + part.across > room:
            along, across, deepest = along + deepest + GAP_ALONG, 0.0, 0.0
        whole.take(part.moved(along, across))
        across, deepest = across + part.across + 2 * GAP_ACROSS, max(deepest, part.along)
    return whole


def components(picture: Picture) -> list[Picture]:
    """The parts that no wire connects, in the order of their first items."""
    group = {item.key: item.key for item in picture.items}

    def find(key: str) -> str:
        while group[key] != key:
            key = group[key]
        return key

    for wire in picture.wires:
        group[find(wire.target)] = find(wire.source)
    parts: dict[str, list[Item]] = {}
    for item in picture.items:
        parts.setdefault(find(item.key), []).append(item)
    return [
        Picture(tuple(items), tuple(w for w in picture.wires if find(w.source) == root), picture.title)
        for root, items in parts.items()
    ]


class Layout:
    """Lays out one level; frames are laid out first and then count as one item."""

    def __init__(self, picture: Picture, down: bool) -> None:
        self.picture, self.down = picture, down
        self.items = list(picture.items)
        self.index = {item.key: i for i, item in enumerate(self.items)}
        self.wires = [w for w in picture.wires if not w.back]
        self.leaves = set(range(len(self.items))) - {self.index[w.target] for w in self.wires}
        self.inner = {i: lay_out(f.inside, down) for i, f in enumerate(self.items) if isinstance(f, Frame)}
        self.sizes = {i: self._size(i, item) for i, item in enumerate(self.items)}
        self.spread = 2 if any(w.is_labelled for w in self.wires) else 1

    def scene(self) -> Scene:
        edges = [(self.index[w.source], self.index[w.target]) for w in self.wires]
        graph = layered(len(self.items), edges, self.down, self.spread)
        for wire, chain in zip(self.wires, graph.chains, strict=True):
            if wire.is_labelled:  # the last dummy of the wire keeps the place of its label free
                self.sizes[chain[-2]] = factor_size(wire, self.down)
        axis = positions(graph, self._extent, GAP_ACROSS)
        spans = self._spans(graph)
        scene = Scene()
        for k, layer in enumerate(graph.layers):
            for v in layer:
                if v < graph.count:
                    self._put(scene, v, spans[k], axis[v])
        scene.curves += self._curves(graph, axis, spans)
        scene.along = spans[-1][1] if spans else 0.0
        scene.across = max((axis[v] + self._extent(v)[1] for v in axis), default=0.0)
        self._carry_back(scene)
        return scene

    # -- sizes
    def _size(self, i: int, item: Item) -> Size:
        if isinstance(item, Box):
            return size_of(item, self.down)
        inside = self.inner[i]
        along, across = inside.along + 2 * PADDING, inside.across + 2 * PADDING
        title = width(line.row(item.title, Text(f"   {item.note}")), SHAPE + 1.5) + 2 * PADDING
        along, across = (along + HEAD, max(across, title)) if self.down else (max(along, title), across + HEAD)
        return Size(along, across / 2, across / 2, across / 2)

    def _extent(self, v: int) -> tuple[float, float]:
        size = self.sizes.get(v, WIRE)
        return size.before, size.after

    def _spans(self, graph: Layered) -> list[tuple[float, float]]:
        """From where to where each layer reaches."""
        spans, at = [], 0.0
        for layer in graph.layers:
            length = max((self.sizes.get(v, WIRE).length for v in layer), default=0.0)
            spans.append((at, at + length))
            at += length + (GAP_ALONG if self.spread == 1 else GAP_FACTOR)
        return spans

    def _start(self, v: int, span: tuple[float, float]) -> float:
        """Items stand in the middle of their layer when the drawing runs down, leaves not far from its end, where their
        readers are; else all stand at the beginning."""
        slack = span[1] - span[0] - self.sizes[v].length
        behind = min(slack / 2, NEAR_END) if v in self.leaves else slack / 2
        return span[1] - behind - self.sizes[v].length if self.down else span[0]

    # -- placing
    def _put(self, scene: Scene, v: int, span: tuple[float, float], axis: float) -> None:
        item, size, start = self.items[v], self.sizes[v], self._start(v, span)
        if isinstance(item, Box):
            scene.boxes.append(PlacedBox(item, start, axis, size))
            return
        low = axis - size.before
        scene.frames.append(PlacedFrame(item, (start, low), (start + size.length, axis + size.after)))
        head = (HEAD, 0.0) if self.down else (0.0, HEAD)
        inside = self.inner[v]
        slack = (2 * size.before - inside.across - 2 * PADDING - head[1]) / 2
        moved = inside.moved(start + PADDING + head[0], low + PADDING + head[1] + slack)
        scene.boxes += moved.boxes
        scene.frames += moved.frames
        scene.curves += moved.curves

    # -- wires
    def _curves(self, graph: Layered, axis: dict[int, float], spans: Sequence[tuple[float, float]]) -> list[Curve]:
        level = {v: k for k, layer in enumerate(graph.layers) for v in layer}
        ports = self._ports(graph, axis)
        return [
            Curve(wire, self._points(chain, ports[e], axis, [spans[level[v]] for v in chain]),
                  self._label(chain[-2], axis, spans[level[chain[-2]]]) if wire.is_labelled else None)
            for e, (wire, chain) in enumerate(zip(self.wires, graph.chains, strict=True))
        ]

    def _label(self, v: int, axis: dict[int, float], span: tuple[float, float]) -> tuple[Point, Point]:
        """Above the wire, or at its right; as near to the reader as may be."""
        size, at = self.sizes[v], axis[v]
        low, high = (at + BLANK / 2, at + size.after) if self.down else (at - size.before, at)
        return (span[1] - size.length, low), (span[1], high)

    def _points(self, chain: Sequence[int], port: float, axis: dict[int, float],
                spans: Sequence[tuple[float, float]]) -> tuple[Point, ...]:
        """Out of the source, straight through every layer between, into the target."""
        first, last = chain[0], chain[-1]
        begin = self._start(first, spans[0]) + self.sizes[first].length - self.sizes[first].slack
        points = [(begin, axis[first]), (spans[0][1], axis[first])]
        for v, span in zip(chain[1:-1], spans[1:-1], strict=True):
            points += [(span[0], axis[v]), (span[1], axis[v])]
        across = axis[last] + port
        end = self._start(last, spans[-1]) + self.sizes[last].slack + self._inset(last, port)
        points += [(spans[-1][0], across), (end, across)]
        return tuple(points)

    def _inset(self, v: int, port: float) -> float:
        """A wire that does not enter a circle in its middle has a little further to go."""
        item, half = self.items[v], self.sizes[v].half
        if isinstance(item, Box) and item.symbol:
            inset: float = half - (half**2 - port**2) ** 0.5
            return inset
        return 0.0

    def _ports(self, graph: Layered, axis: dict[int, float]) -> list[float]:
        """Where each wire enters its target, from the middle; in the order in which they arrive."""
        entering: dict[int, list[int]] = defaultdict(list)
        for e, chain in enumerate(graph.chains):
            entering[chain[-1]].append(e)
        ports = [0.0] * len(graph.chains)
        for v, edges in entering.items():
            edges.sort(key=lambda e: axis[graph.chains[e][-2]])
            step = min(PORT, 1.5 * self.sizes[v].half / len(edges))
            for k, e in enumerate(edges):
                ports[e] = (k - (len(edges) - 1) / 2) * step
        return ports

    def _carry_back(self, scene: Scene) -> None:
        """Wires to the next round go round the outside."""
        at = {b.box.key: b for b in scene.boxes}
        for wire in self.picture.wires:
            if wire.back:
                scene.across += GUTTER
                a, b, lane = at[wire.source], at[wire.target], scene.across
                out, into = a.start + a.size.length, b.start
                turn = min(out + 12.0, scene.along + 12.0)
                points = ((out, a.axis), (turn, a.axis), (turn, lane), (into - 14.0, lane), (into - 14.0, b.axis),
                          (into, b.axis))
                scene.curves.append(Curve(wire, points))
