"""What the parts of a row's cotangent add up to: in which order they are read, and whether the sum is a row of its own.

The order is that of the board: the terms that the loss has itself, as those of a regulariser, come after the branches
through the network. A sum is an operand of its own, which no formula takes apart, unless it can be read in passing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.core.accumulate import total
from symbackprop.core.facts import has_new_axes, kind
from symbackprop.core.graph import SEVERAL, Node


@dataclass(slots=True)
class Part:
    """One contribution to a row's cotangent: its value, and the consumer and argument place it came through.
    ``chosen`` says that its value is a ``where`` that holds all that was chosen on the way."""

    value: Node
    consumer: Node | None
    index: int
    chosen: bool = False


@dataclass(slots=True)
class Settled:
    """A row with its cotangent: the parts in the order in which they are read, and their sum (of a loop the parts are
    the cotangents of its results, and ``total`` is the first). ``whole`` says that the sum deserves a name."""

    node: Node
    parts: tuple[Part, ...]
    total: Node
    whole: bool

    @property
    def chosen(self) -> bool:
        return len(self.parts) == 1 and self.parts[0].chosen

    @property
    def upstream(self) -> Node | dict[int, Node]:
        """What the derivative rule takes: the cotangent; of a loop those of its results, by number."""
        if self.node.kind != SEVERAL:
            return self.total
        return {p.consumer.attr: p.value for p in self.parts if p.consumer is not None}


class Settling:
    """How the rows of one sweep are settled: one after the other, consumers first."""

    def __init__(self, outputs: Sequence[Node], upstream: Sequence[Node], wrt: Sequence[Node], fused: bool) -> None:
        self.fused, self.asked = fused, {row.id for row in (*outputs, *wrt)}
        self.loss = outputs[0] if upstream[0].value == 1 else None
        self.count = outputs[0].graph.count
        self.readers: dict[int, Node | None] = {}
        self.terms: set[int] = set()

    def settle(self, node: Node, parts: Sequence[Part]) -> Settled:
        if node.kind == SEVERAL:
            return Settled(node, tuple(parts), parts[0].value, whole=False)
        parts = sorted(parts, key=self._place) if len(parts) > 1 else parts
        reader = self._reader(parts[0])
        if reader is not None and reader is self.loss and all(self._reader(p) is reader for p in parts[1:]):
            self.terms.add(node.id)
        cotangent = total([p.value for p in parts])
        several = len(parts) > 1 and cotangent.value is None  # ways that meet are no way to read in passing
        whole = is_called(node) or node.id in self.asked or several
        whole = whole or not (has_new_axes(node) or is_simple(cotangent))
        if not whole:
            self.readers[node.id] = reader
        elif cotangent.id >= self.count and not self.fused:
            node.graph.set_apart(cotangent)
        return Settled(node, tuple(parts), cotangent, whole)

    def _reader(self, part: Part) -> Node | None:
        """The row with a name that reads a row, perhaps through rows that are read in passing."""
        return None if part.consumer is None else self.readers.get(part.consumer.id, part.consumer)

    def _place(self, part: Part) -> int:
        """2 for a term of the loss itself, 1 for a branch through a row that only the loss reads: a regulariser."""
        reader = self._reader(part)
        if reader is None or self.loss is None:
            return 0
        return 2 if reader is self.loss else int(reader.id in self.terms)


def is_called(node: Node) -> bool:
    """Whether a row has a name; the steps of a loop give theirs to what collects them, inside another loop too."""
    collected = node.args[0].attr.results()[node.attr] if node.is_result else node
    return node.name is not None or collected.name is not None


def is_simple(cotangent: Node, depth: int = 4) -> bool:
    """Whether an unnamed row's gradient can be read in passing: a constant, a named gradient or a plain view of one,
    or arithmetic on leaves."""
    if cotangent.is_leaf or cotangent.value is not None or cotangent.apart:
        return True
    if depth == 0:
        return False
    if cotangent.arithmetic is not None and len(cotangent.args) > 1:
        return all(a.is_leaf for a in cotangent.args)
    entries = kind(cotangent)
    seen = cotangent.arithmetic is not None or cotangent.is_result or (entries.added and not entries.tied)
    return seen and not entries.indices and is_simple(cotangent.args[0], depth - 1)
