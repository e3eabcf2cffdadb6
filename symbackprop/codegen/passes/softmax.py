"""-O1: forward's logsumexp and backward's softmax of the same array come from the same exponentials."""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.core.graph import Node


def softmax_key(row: Node) -> tuple[int, int] | None:
    """(argument, axis) of a softmax, or of a logsumexp along one axis."""
    if row.op.name == "softmax":
        return row.args[0].id, row.attr
    if row.op.name == "logsumexp" and len(row.attr[0]) == 1:
        return row.args[0].id, row.attr[0][0]
    return None


def softmax_pairs(order: Iterable[Node]) -> dict[int, tuple[Node, Node]]:
    """For every softmax whose logsumexp is computed too: (softmax, logsumexp), by the ids of both."""
    found: dict[tuple[int, int], dict[str, Node]] = {}
    for row in order:
        key = softmax_key(row)
        if key is not None:
            found.setdefault(key, {}).setdefault(row.op.name, row)
    pairs = [(p["softmax"], p["logsumexp"]) for p in found.values() if len(p) == 2]
    return {row.id: pair for pair in pairs for row in pair}
