"""Sums of which a part is lost: the last rows of a block, all but the last sample, one head of a group.

A sum over an axis of the upstream gradient is linear in its entries: how often each of them was counted follows from
the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.derive.record import Edge
from symbackprop.grade.mistakes import MISSING_SUM, Finding
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.own.array_mistakes import one_entry, summed_axes
from symbackprop.own.compare import SHAPE, Pair
from symbackprop.own.sweeps import Sweep

WHOLE = 1e-3  # how far from a whole number a count may be


def partial_sum(reference: Reference, target: Node, sweeps: Sequence[Sweep], pairs: Sequence[Pair]) -> Finding | None:
    """Which entries of a sum that makes a gradient are counted, where not every one is counted once."""
    if any(p.state == SHAPE for p in pairs):
        return None
    for edge in reference.edges(target):
        for axis in summed_axes(edge):
            counts = [_counts(s, edge, axis, p) for s, p in zip(sweeps, pairs, strict=True)]
            known = [c for c in counts if c is not None]
            if len(known) == len(counts) and any(np.any(c != 1) for c in known):
                return _finding(reference, edge, axis, known)
    return None


def _counts(sweep: Sweep, edge: Edge, axis: int, pair: Pair) -> Array | None:
    """How often every entry along an axis is counted; None where that does not explain the numbers."""
    upstream = sweep.right(edge.consumer)
    parts = [np.ravel(sweep.passed(edge, one_entry(upstream, axis, k))) for k in range(upstream.shape[axis])]
    columns = np.stack(parts, axis=1)
    if not np.all(np.isfinite(columns)):
        return None
    wanted = (pair.given - pair.right).reshape(-1)
    for counts in _usual(columns.shape[1]) if columns.shape[0] <= columns.shape[1] else [_solved(columns, wanted)]:
        if np.max(np.abs(columns @ (counts - 1) - wanted)) <= pair.tolerance * pair.scale:
            return counts
    return None


def _solved(columns: Array, wanted: Array) -> Array:
    """The whole numbers of times, or all 1 where they are none."""
    counts = 1 + np.linalg.lstsq(columns, wanted, rcond=1e-9)[0]
    whole = np.round(counts)
    plain = np.max(np.abs(counts - whole)) <= WHOLE and np.max(whole) <= 2 and np.min(whole) >= 0
    return whole if plain else np.ones(len(counts))


def _usual(size: int) -> Iterator[Array]:
    """The counts to try where the numbers do not determine them: one entry alone, or the first or last ones lost."""
    for k in (size - 1, 0):
        yield (np.arange(size) == k) * 1.0
    for lost in range(1, size - 1):
        yield (np.arange(size) < size - lost) * 1.0
        yield (np.arange(size) >= lost) * 1.0


def _finding(reference: Reference, edge: Edge, axis: int, counts: Sequence[Array]) -> Finding:
    name, above = reference.name(edge.argument), reference.name(edge.consumer)
    where = f"axis {axis} of d{above}" if reference.is_named(edge.consumer) else f"axis {axis}"
    told = next(c for c in counts if np.any(c != 1))
    lost, twice = np.flatnonzero(told == 0), np.flatnonzero(told == 2)
    words = [_entries(lost, len(told)) + " left out of" if len(lost) else "",
             _entries(twice, len(told)) + " counted twice in" if len(twice) else ""]
    says = f"{' and '.join(w for w in words if w)} the sum over {where} in d{name}"
    if all(np.all(np.diff(c) >= 0) and np.all(c <= 1) for c in counts):
        says += ": the loop begins too late, or = stands where += belongs and only the last block is kept"
    return Finding(MISSING_SUM, says, name)


def _entries(places: Array, size: int) -> str:
    if len(places) == 1 and places[0] in (0, size - 1):
        return f"the {'first' if places[0] == 0 else 'last'} of {size} entries is"
    return f"{'entry' if len(places) == 1 else 'entries'} {', '.join(map(str, places))} of {size} " \
           f"{'is' if len(places) == 1 else 'are'}"
