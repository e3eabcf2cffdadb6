"""All levels: every gradient returned is an array of its own.

A gradient that is an input, a kept array or a view of one is copied, and so is one that two names would share, or whose
entries all are one number in memory: changing one in place, as optimisers do, must not change another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from symbackprop.codegen.rows import sharing
from symbackprop.core.graph import Node


def to_copy(results: Iterable[Node], known: Collection[int]) -> set[int]:
    """The positions of the results that have to be copied; ``known`` are rows that somebody else holds."""
    found, claimed = set(), set(known)
    for position, row in enumerate(results):
        if not row.ndim:
            continue
        *views, owner = [row] if row.value is not None else sharing(row)
        if owner.op.name == "leaf" or owner.id in claimed or any(v.op.name == "broadcast" for v in views):
            found.add(position)
        claimed.add(owner.id)
    return found
