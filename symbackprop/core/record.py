"""The observer that keeps what a sweep did: which gradients deserve a step, and how each came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symbackprop.core.accumulate import total
from symbackprop.core.graph import Graph, Node
from symbackprop.core.reverse import Part

_VIEWS = {"broadcast", "reshape", "sum", "slice", "out"}


@dataclass(frozen=True)
class Edge:
    """From a consumer to its argument at ``index``: one factor of the chain rule."""

    consumer: Node
    index: int

    @property
    def argument(self) -> Node:
        return self.consumer.args[self.index]


@dataclass(frozen=True)
class Contribution:
    """What one branch contributes: ``upstream`` (the gradient of ``consumer``) times the local derivatives on ``path``.

    ``path`` runs from the named consumer down to the target, through rows too small to be named. ``value`` is the
    contribution as a row. ``consumer`` is None for the seed of the sweep.
    """

    consumer: Node | None
    upstream: Node | None
    path: tuple[Edge, ...]
    value: Node


@dataclass(frozen=True)
class Settled:
    """A row that deserves a step: the contributions to its gradient and their sum."""

    node: Node
    contributions: tuple[Contribution, ...]
    total: Node


@dataclass(frozen=True)
class Looped:
    """The sweep through a loop: the loop's row and the row of its reverse loop."""

    node: Node
    reverse: Node


class Recorder:
    """Records a sweep. ``always`` are rows that get a step whatever their gradient; ``last`` is the row (the loss)
    whose own terms are written after the branches through the network."""

    def __init__(self, graph: Graph, always: Iterable[Node], last: Node | None = None) -> None:
        self.graph, self.last = graph, last
        self.always = {n.id for n in always}
        self.routes: dict[int, tuple[Node, Node | None, tuple[Edge, ...]]] = {}
        self.totals: dict[int, Node] = {}
        self.terms: set[int] = set()
        self.records: list[Settled | Looped] = []

    def settle(self, node: Node, parts: Sequence[Part]) -> Node:
        parts = sorted(parts, key=self._comes_last)
        contributions = tuple(self._contribution(p) for p in parts)
        if self.last is not None and all(c.consumer is self.last for c in contributions):
            self.terms.add(node.id)
        cotangent = total([p.value for p in parts])
        if node.name is not None or node.id in self.always or not self._is_simple(cotangent):
            self.totals[node.id] = cotangent
            self.graph.sealed.add(cotangent.id)
            self.records.append(Settled(node, contributions, cotangent))
        else:
            self._pass_through(node, contributions)
        return cotangent

    def looped(self, node: Node, reverse: Node) -> None:
        """Called when the sweep has gone through a loop."""
        self.records.append(Looped(node, reverse))

    def _pass_through(self, node: Node, contributions: Sequence[Contribution]) -> None:
        first = contributions[0]
        if first.consumer is not None:
            self.routes[node.id] = (first.consumer, first.upstream, first.path)

    def _contribution(self, part: Part) -> Contribution:
        if part.consumer is None:
            return Contribution(None, None, (), part.value)
        edge = Edge(part.consumer, part.index)
        if part.consumer.id in self.routes:
            consumer, upstream, path = self.routes[part.consumer.id]
            return Contribution(consumer, upstream, (*path, edge), part.value)
        return Contribution(part.consumer, self.totals.get(part.consumer.id), (edge,), part.value)

    def _comes_last(self, part: Part) -> int:
        """2 for a term of the loss itself, 1 for a branch through a row that only the loss reads: a regulariser."""
        if part.consumer is None or self.last is None:
            return 0
        route = self.routes.get(part.consumer.id)
        consumer = part.consumer if route is None else route[0]
        return 2 if consumer is self.last else int(consumer.id in self.terms)

    def _is_simple(self, cotangent: Node, depth: int = 4) -> bool:
        """Whether an unnamed row's gradient can be read in passing: a constant, a named gradient or a plain view of
        one, or arithmetic on leaves."""
        if cotangent.is_leaf or cotangent.value is not None or cotangent.id in self.graph.sealed:
            return True
        if depth == 0:
            return False
        view = cotangent.op.name in _VIEWS or (cotangent.op.name == "einsum" and len(cotangent.args) == 1)
        if view:
            return self._is_simple(cotangent.args[0], depth - 1)
        small = cotangent.op.name == "elementwise" and cotangent.attr.head is None
        if small and len(cotangent.args) == 1:
            return self._is_simple(cotangent.args[0], depth - 1)
        return small and all(a.is_leaf for a in cotangent.args)
