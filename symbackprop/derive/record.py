"""What a sweep did, as steps tell it: which gradients deserve one, and through which consumers each came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symbackprop.core.graph import SEVERAL, Node
from symbackprop.core.loops import Loop
from symbackprop.core.settling import Part, Settled


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
class Found:
    """A row that deserves a step: the contributions to its gradient and their sum."""

    node: Node
    contributions: tuple[Contribution, ...]
    total: Node


@dataclass(frozen=True)
class Looped:
    """The sweep through a loop: the loop's row, the row of its reverse loop, and what was found in the body."""

    node: Node
    reverse: Node
    inner: Sequence[Record]


Record = Found | Looped


def recorded(swept: Iterable[Settled], made: Sequence[Node]) -> list[Record]:
    """The record of a sweep; its reverse loops are among the rows that it ``made``."""
    loops = [(n.attr.forward, n) for n in made if isinstance(n.attr, Loop) and n.attr.forward is not None]
    return Recorder({id(forward): row for forward, row in loops}).record(swept)


@dataclass
class Recorder:
    """The reverse loops by the loops that they reverse; the gradients found; the ways through rows read in passing."""

    reverses: dict[int, Node]
    totals: dict[int, Node] = field(default_factory=dict)
    routes: dict[int, Contribution] = field(default_factory=dict)

    def record(self, swept: Iterable[Settled]) -> list[Record]:
        return [record for settled in swept for record in self._records(settled)]

    def _records(self, settled: Settled) -> list[Record]:
        node = settled.node
        if node.kind == SEVERAL:
            reverse = self.reverses[id(node.attr)]
            return [Looped(node, reverse, Recorder(self.reverses).record(reverse.attr.swept))]
        contributions = tuple(map(self._contribution, settled.parts))
        if settled.whole:
            self.totals[node.id] = settled.total
            return [Found(node, contributions, settled.total)]
        if contributions[0].consumer is not None:
            self.routes[node.id] = contributions[0]
        return []

    def _contribution(self, part: Part) -> Contribution:
        if part.consumer is None:
            return Contribution(None, None, (), part.value)
        edge, way = Edge(part.consumer, part.index), self.routes.get(part.consumer.id)
        if way is not None:
            return Contribution(way.consumer, way.upstream, (*way.path, edge), part.value)
        return Contribution(part.consumer, self.totals.get(part.consumer.id), (edge,), part.value)
