"""How often rows are written in the code of others."""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.codegen.rows import Rows
from symbackprop.core.graph import Node


def count_uses(rows: Rows, order: Iterable[Node], roots: Iterable[Node]) -> dict[int, int]:
    """How often each row is written in the code of the rows in ``order``; being a result counts as two."""
    counts: dict[int, int] = {}
    for row in order:
        for argument, n in rows.occurrences(row).items():
            counts[argument] = counts.get(argument, 0) + n
    for root in roots:
        counts[root.id] = counts.get(root.id, 0) + 2
    return counts
