"""What forward keeps for backward, and what backward computes again because that is cheaper than keeping it.

Kept: arrays that were given, rows with a name, and unnamed rows that cost more than a pass over memory. Computed again:
views, masks, one-hot arrays, index ranges and short sums and products of what is kept anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.codegen.passes.softmax import softmax_key
from symbackprop.codegen.passes.states import states_before
from symbackprop.codegen.rows import Rows, is_view
from symbackprop.core import formula as f
from symbackprop.core.graph import Node

MAX_AGAIN, MAX_DEPTH = 5, 4  # nodes of a formula that is computed again, and how many such rows deep


class Forward:
    """Which rows forward computes: ``order`` for its results, and every row with a name."""

    def __init__(self, order: Iterable[Node], named: Iterable[Node]) -> None:
        self.rows = {row.id: row for row in order}
        self.named = {row.id for row in named}
        keys = [softmax_key(row) for row in self.rows.values()]
        self.softmaxes = {key for key in keys if key is not None}

    def computes(self, row: Node, share: bool) -> bool:
        if row.op.name == "out":
            return row.args[0].id in self.rows
        if row.op.name == "concat" and (states := states_before(row)) is not None:
            return states.scan.id in self.rows
        if share and row.op.name == "softmax":
            return row.id in self.rows or softmax_key(row) in self.softmaxes
        return row.id in self.rows


def kept_rows(rows: Rows, gradients: Iterable[Node], forward: Forward, share: bool) -> list[Node]:
    """The rows that backward reads from forward, leaves included, in the order backward meets them."""
    again = Again(rows, forward)
    kept: dict[int, Node] = {}
    seen: set[int] = set()
    stack = list(reversed(list(gradients)))
    while stack:
        row = stack.pop()
        if row.id in seen or row.value is not None:
            continue
        seen.add(row.id)
        computed = forward.computes(row, share) and not again.is_cheap(row)
        if computed or row.op.name == "leaf" or row.id in forward.named:
            kept[row.id] = row
        else:
            stack.extend(reversed(rows.args(row)))
    return [row for row in kept.values() if row.op.name != "leaf" or row.attr.role not in ("upstream", "constant")]


class Again:
    """Decides which forward rows backward computes again."""

    def __init__(self, rows: Rows, forward: Forward) -> None:
        self.rows, self.forward = rows, forward

    def is_cheap(self, row: Node, depth: int = MAX_DEPTH) -> bool:
        """Light work on rows that are kept anyway, or on such rows again."""
        return depth > 0 and _is_light(row) and all(self._at_hand(a, depth - 1) for a in self.rows.args(row))

    def _at_hand(self, row: Node, depth: int) -> bool:
        free = row.value is not None or row.op.name in ("leaf", "arange", "eye")
        return free or row.id in self.forward.named or self.is_cheap(row, depth)


def _is_light(row: Node) -> bool:
    if row.op.name in ("out", "concat"):
        return False
    if (row.kind != "float" and row.op.jacobian is None) or row.op.name in ("arange", "eye") or is_view(row):
        return True
    return row.op.name == "elementwise" and not f.has_calls(row.attr.form) and f.size(row.attr.form) <= MAX_AGAIN
