"""What backward computes again rather than reads from forward: light work on what it has anyway."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from symbackprop.core import formula as f
from symbackprop.core.facts import is_view, kind
from symbackprop.core.graph import SEVERAL, Leaf, Node

MAX_AGAIN, MAX_DEPTH = 5, 4  # nodes of a formula that is computed again, and how many such rows deep


class Again:
    """Decides which forward rows backward computes again. ``named`` are the ids of rows with a name, which are kept
    where they are read; ``reads`` says what the computation of a row reads."""

    def __init__(self, named: Collection[int], reads: Callable[[Node], Iterable[Node]] = lambda row: row.args) -> None:
        self.named, self.reads = named, reads

    def is_cheap(self, row: Node, depth: int = MAX_DEPTH) -> bool:
        """Light work on rows that are kept anyway, or on such rows again."""
        return depth > 0 and is_light(row) and all(self._at_hand(a, depth - 1) for a in self.reads(row))

    def _at_hand(self, row: Node, depth: int) -> bool:
        return row.value is not None or row.is_leaf or row.id in self.named or self.is_cheap(row, depth)


def is_light(row: Node) -> bool:
    """Whether a row is a view, or little arithmetic."""
    if row.kind == SEVERAL or row.is_result or kind(row).joined:
        return False
    made = row.is_leaf and row.value is None and not isinstance(row.attr, Leaf)  # index ranges, identity matrices
    if made or (row.kind != "float" and row.op.jacobian is None) or is_view(row):
        return True
    return row.form is not None and not f.has_calls(row.form) and f.size(row.form) <= MAX_AGAIN
