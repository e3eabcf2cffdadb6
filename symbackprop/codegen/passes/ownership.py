"""All levels: every gradient returned is an array of its own.

A gradient that is an input, a kept array or a view of one is copied, and so is one that two names would share: changing
one in place, as optimisers do, must not change another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from symbackprop.codegen.rows import base
from symbackprop.core.graph import Node


def to_copy(results: Iterable[Node], known: Collection[int]) -> set[int]:
    """The positions of the results that have to be copied; ``known`` are rows that somebody else holds."""
    found, claimed = set(), set(known)
    for position, row in enumerate(results):
        owner = base(row)
        if owner.value is not None or not row.ndim:
            continue
        if owner.op.name == "leaf" or owner.id in claimed:
            found.add(position)
        claimed.add(owner.id)
    return found
