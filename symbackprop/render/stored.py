"""What backward reads from forward: the rows that each gradient is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from symbackprop.core.facts import plainly
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, carry_before, is_computed
from symbackprop.derive.again import Again
from symbackprop.derive.steps import Derivation, Step


class Stored:
    """The forward rows that the gradients of a derivation read, by the gradient. States before a step are the leaf of
    the loop's carry; light rows that backward computes again are entered, and what steps of ``reverses`` do."""

    def __init__(self, derivation: Derivation, steps: Sequence[Step], scans: Iterable[Node], reverses: Iterable[Node]
                 ) -> None:
        self.names, self.forward_ids = derivation.names, derivation.forward_ids
        given = [(scan.graph, scan.attr.results(), scan.attr.stop()) for scan in reverses]
        inside = [row.id for graph, rows, stop in given for row in graph.topological(rows, stop) if row.id not in stop]
        self.computed = self.forward_ids.intersection(inside)
        self.again = Again(derivation.names)
        self.carries = {leaf.id: (scan, k) for scan in scans for k, leaf in enumerate(scan.attr.carry)}
        self.found = {s.total.id for s in steps}
        self.own = {s.total.id for s in steps if s.target.args or s.target.id in self.carries}
        totals = {s.total.id: s.total for s in steps}
        self.reads = {i: tuple(self._from_forward(self._top(total))) for i, total in totals.items()}
        self.kept = {row.id: row for rows in self.reads.values() for row in rows}

    def of(self, total: Node) -> tuple[Node, ...]:
        """The forward rows that a gradient reads."""
        return tuple(dict.fromkeys([x for row in self.reads[total.id] for x in self._held_as(row)]))

    def is_kept(self, row: Node) -> bool:
        """Whether backward has a row from forward where it reads it."""
        return row.id in self.forward_ids and (row.id in self.names or not self.again.is_cheap(row))

    def _top(self, total: Node) -> tuple[Node, ...]:
        return (total,) if _is_result(total) or total.id in self.forward_ids else self._made_of(total)

    def _from_forward(self, rows: Iterable[Node]) -> Iterator[Node]:
        """The rows of the forward pass that computing these reads."""
        seen, stack = set(), [*rows][::-1]
        while stack:
            row = stack.pop()
            if row.id in seen or row.value is not None:
                continue
            seen.add(row.id)
            leaf = carry_before(row)
            held = self._state(row) if leaf is None else leaf
            if held.id in self.carries or (held.args and held.id not in self.computed and self.is_kept(held)):
                yield held
            elif held.id in self.forward_ids or held.id not in self.found:
                stack.extend(reversed(self._made_of(held)))

    def _made_of(self, row: Node) -> tuple[Node, ...]:
        """What a row is computed from; what a loop backwards stacks from its own rows, if no other step finds it; what
        the leaf of a body stands for."""
        if row.is_leaf:
            return () if not row.is_declared or row.attr.of is None else (row.attr.of,)
        if not row.is_result or row.args[0].attr.forward is None:
            return row.args
        found = row.args[0].attr.results()[row.attr]
        return () if found.id in self.own else self._made_of(found)

    def _held_as(self, row: Node) -> tuple[Node, ...]:
        """States before a step are all but the first among those after the steps, where these are kept anyway. Those of
        a loop that runs backwards are told by these."""
        if row.id not in self.carries:
            return (row,)
        scan, place = self.carries[row.id]
        first, last = scan.args[place], scan.attr.carried[place]
        start = () if plainly(first).is_leaf else tuple(self._from_forward([first]))
        if last.id in self.carries and is_computed(scan.attr, place):  # handed on by another carry
            return (*self._held_as(last), *start)
        after = [x for x in self.kept.values() if x is last or _is_stack(x, scan, last)]
        after += [last] if scan.attr.reverse else []
        return (after[0], *start) if after else (row,)

    def _state(self, row: Node) -> Node:
        """What a stack that the model does not name is made of: a row of the steps, also of the states before."""
        if row.id in self.forward_ids or not _is_result(row):
            return row
        loop: Loop = row.args[0].attr
        result = loop.results()[row.attr]
        return next((after for leaf, after in zip(loop.carry, loop.carried, strict=True) if leaf is result), result)


def _is_stack(row: Node, scan: Node, of: Node) -> bool:
    """Whether a row is all values that a row of a loop's body has."""
    found = row.is_result and row.args[0] is scan and row.attr >= len(scan.attr.carry)
    return found and scan.attr.results()[row.attr] is of


def _is_result(row: Node) -> bool:
    """Whether a row is what comes out of a loop of the forward pass."""
    return row.is_result and row.args[0].attr.forward is None
