"""Where everything stands: the layout of a picture, frames first, each then counting as one item."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from symbackprop.render.graph.box_sizes import SHAPE, Size, size_of
from symbackprop.render.graph.layers import Layered, layered
from symbackprop.render.graph.measure import width
from symbackprop.render.graph.picture import Box, Frame, Item, Picture
from symbackprop.render.graph.place import positions
from symbackprop.render.graph.scene import Curve, PlacedBox, PlacedFrame, Point, Scene

GAP_ALONG, GAP_ACROSS, LANE = 38.0, 24.0, 9.0
PADDING, HEAD, GUTTER = 18.0, 26.0, 20.0
NEAR_END = 12.0
PORT = 15.0  # the distance between wires that enter one item


def lay_out(picture: Picture, down: bool, room: float = math.inf) -> Scene:
    """The scene of a picture, running down or to the right. Parts that no wire connects stand beside each other, in
    several rows when they need more than ``room``."""
    parts = [Layout(part, down).scene() for part in components(picture)]
    whole = Scene(down)
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
        self.sizes = [self._size(i, item) for i, item in enumerate(self.items)]

    def scene(self) -> Scene:
        edges = [(self.index[w.source], self.index[w.target]) for w in self.wires]
        graph = layered(len(self.items), edges, near=self.down)
        axis = positions(graph, self._extent, GAP_ACROSS)
        spans = self._spans(graph)
        scene = Scene(self.down)
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
        title = width(f"{item.title}   {item.note}", SHAPE + 1.5) + 2 * PADDING
        along, across = (along + HEAD, max(across, title)) if self.down else (max(along, title), across + HEAD)
        return Size(along, across / 2, across / 2, across / 2)

    def _extent(self, v: int) -> tuple[float, float]:
        if v >= len(self.items):
            return LANE, LANE
        return self.sizes[v].before, self.sizes[v].after

    def _spans(self, graph: Layered) -> list[tuple[float, float]]:
        """From where to where each layer reaches."""
        spans, at = [], 0.0
        for layer in graph.layers:
            length = max((self.sizes[v].length for v in layer if v < graph.count), default=0.0)
            spans.append((at, at + length))
            at += length + GAP_ALONG
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
            Curve(wire, self._points(chain, ports[e], axis, [spans[level[v]] for v in chain]))
            for e, (wire, chain) in enumerate(zip(self.wires, graph.chains, strict=True))
        ]

    def _points(self, chain: Sequence[int], port: float, axis: dict[int, float],
                spans: Sequence[tuple[float, float]]) -> tuple[Point, ...]:
        """Out of the source, straight through every layer between, into the target."""
        first, last = chain[0], chain[-1]
        points = [(self._start(first, spans[0]) + self.sizes[first].length, axis[first]), (spans[0][1], axis[first])]
        for v, span in zip(chain[1:-1], spans[1:-1], strict=True):
            points += [(span[0], axis[v]), (span[1], axis[v])]
        across = axis[last] + port
        points += [(spans[-1][0], across), (self._start(last, spans[-1]) + self._inset(last, port), across)]
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
