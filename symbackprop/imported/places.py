# mypy: disable-error-code="no-any-return"
"""Entries chosen by numbers that are known, and put where these point: places of the flat array."""

from __future__ import annotations

from typing import Any

import numpy as np

from symbackprop.core import build, functions
from symbackprop.core.graph import Node
from symbackprop.errors import ModelError

F: Any = functions  # whose functions are registered, not declared
Array = Any


def shape(x: Node) -> tuple[Any, ...]:
    """The sizes of a row, as numbers where they are."""
    return tuple(int(d) if d.is_Integer else d for d in x.shape)


def sizes(x: Node) -> tuple[int, ...]:
    """The sizes of a row; `ModelError` where one is symbolic."""
    found = shape(x)
    if not all(isinstance(n, int) for n in found):
        raise ModelError(f"all axes need fixed sizes here, and the shape is {' x '.join(map(str, found))}")
    return found


def numbered(x: Node) -> Array:
    """The place of every entry in the flat array."""
    return np.arange(int(np.prod(sizes(x)))).reshape(sizes(x))


def at_places(s: Any, x: Node, places: Array) -> Node:
    """Entries of the flat array."""
    flat = build.reshape(x, (-1,))
    if not places.size:
        return x.graph.full(0, places.shape)
    return F.take(flat, s.given(places), 0)


def put_places(s: Any, x: Node, places: Array, values: Any) -> Node:
    """x with values at places of the flat array in the stead of what is there; the last one counts."""
    values = F.broadcast(x.graph.lift(values), places.shape)
    flat, line, count = build.reshape(x, (-1,)), places.reshape(-1), int(np.prod(sizes(x)))
    if not line.size:
        return x
    kept = np.array(sorted({int(p): k for k, p in enumerate(line)}.values()))
    source, line = F.take(build.reshape(values, (-1,)), s.given(kept), 0), line[kept]
    hole = np.zeros(count, int)
    hole[line] = 1
    flat = flat * (1 - s.given(hole))
    return build.reshape(F.index_add(flat, s.given(line), source), x.shape)


def along_places(s: Any, x: Node, dim: int, index: Node) -> Array:
    """The flat places that an index along an axis points to."""
    where_ = s.value(index).astype(int)
    grid = list(np.indices(where_.shape))
    grid[dim % x.ndim] = where_
    return np.asarray(numbered(x)[tuple(grid)])


def collected(s: Any, x: Node, places: Array, source: Node, how: str, include_self: bool) -> Node:
    """Entries that go to the same place, reduced: a row of them for every place, as long as the fullest needs."""
    count, line = int(np.prod(sizes(x))), places.reshape(-1)
    lists: list[list[int]] = [[] for _ in range(count)]
    for k, p in enumerate(line):
        lists[p].append(k + count)
    held = [([k] if include_self or not lists[k] else []) + lists[k] for k in range(count)]
    return build.reshape(rows_reduced(s, F.concat(build.reshape(x, (-1,)), build.reshape(source, (-1,)), axis=0),
                                      held, how), x.shape)


def rows_reduced(s: Any, entries: Node, held: list[list[int]], how: str) -> Node:
    """Lists of places of a vector, each reduced to one entry."""
    width = max([len(h) for h in held] + [1])
    table = s.given([[*h, *[0] * (width - len(h))] for h in held])
    mask = s.given([[1] * len(h) + [0] * (width - len(h)) for h in held])
    rows = F.take(entries, table, 0)
    fill = {"sum": 0, "mean": 0, "prod": 1, "amax": -np.inf, "amin": np.inf, "max": -np.inf, "min": np.inf}[how]
    rows = F.where(mask, rows, fill)
    if how in ("sum", "mean"):
        total = F.sum(rows, 1)
        return total / s.given([max(len(h), 1) for h in held]) if how == "mean" else total
    return {"prod": F.prod, "amax": F.max, "max": F.max, "amin": F.min, "min": F.min}[how](rows, 1)


def padded(s: Any, x: Node, pad: Any, mode: str = "constant", value: Any = None) -> Node:
    """Borders of a number, or of what is inside; the last axis first, as PyTorch has it."""
    edges = [(pad[2 * k], pad[2 * k + 1]) for k in range(len(pad) // 2)]
    for k, (before, behind) in enumerate(edges):
        axis = x.ndim - 1 - k
        n = shape(x)[axis]
        if not before and not behind:
            continue
        if mode in ("constant", "circular"):
            low, high = max(-before, 0), max(-behind, 0)
            x = build.slice_axis(x, axis, low, n - low - high) if low or high else x
            before, behind, n = max(before, 0), max(behind, 0), n - low - high
        if mode == "constant":
            around = [x.graph.full(value or 0, (*x.shape[:axis], w, *x.shape[axis + 1 :])) for w in (before, behind)]
            x = F.concat(*([around[0]] * (before > 0) + [x] + [around[1]] * (behind > 0)), axis=axis)
        else:
            places = np.arange(-before, n + behind)
            places = {"replicate": np.clip(places, 0, n - 1), "circular": places % max(n, 1),
                      "reflect": np.abs(n - 1 - np.abs(n - 1 - places))}[mode]
            x = F.take(x, s.given(places), axis)
    return x
