"""How a gradient comes about: through which consumers of its row, along which edges."""

from __future__ import annotations

from symbackprop.core.graph import Node
from symbackprop.records import record


@record(frozen=True)
class Edge:
    """From a consumer to its argument at ``index``: one factor of the chain rule."""

    consumer: Node
    index: int

    @property
    def argument(self) -> Node:
        return self.consumer.args[self.index]


@record(frozen=True)
class Contribution:
    """What one branch contributes: ``upstream`` (the gradient of ``consumer``) times the local derivatives on ``path``.

    ``path`` runs from the named consumer down to the target, through rows too small to be named; of sums in a sum it
    has the first edge and the last. ``value`` is the contribution as a row. ``consumer`` is None for the seed of the
    sweep.
    """

    consumer: Node | None
    upstream: Node | None
    path: tuple[Edge, ...]
    value: Node
