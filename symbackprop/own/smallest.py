"""The smallest input at which a gradient is wrong: sizes and values shrunk as far as it stays so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symbackprop.core.graph import FLOAT
from symbackprop.errors import ModelError
from symbackprop.grade.points import Array, Point
from symbackprop.own.truth import Truth

MAX_RUNS, MAX_ENTRIES = 40, 12
Wrong = Callable[[str, Point], "tuple[Array, Array] | None"]


def smallest(truth: Truth, name: str, wrong: Wrong) -> str:
    """``smallest input found: at x = [1, 0] it is [2, 0], right is [1, 0]``; empty where none is small enough."""
    point = _small_sizes(truth, name, wrong)
    if point is None or truth.right(name, point).size > MAX_ENTRIES:
        return ""
    point = _plain_values(truth, name, wrong, point)
    found = wrong(name, point)
    if found is None or max(a.size for a in found) > MAX_ENTRIES:
        return ""
    leaves = {n: point.value(truth.reference.rows[n]) for n in truth.model.leaves() if n in truth.reference.rows}
    shown = [f"{n} = {_text(v)}" for n, v in leaves.items() if np.size(v) <= MAX_ENTRIES and np.any(v)]
    if not shown and not np.any(found[1]) and np.all(np.isfinite(found[0])):
        return f"where everything is 0 it is {_text(found[0])}, not 0: a constant is added, or a buffer is not set to 0"
    shown += ["0 elsewhere" if shown else "0 everywhere"] if any(not np.any(v) for v in leaves.values()) else []
    return f"smallest input found: at {', '.join(shown)} it is {_text(found[0])}, right is {_text(found[1])}"


def _small_sizes(truth: Truth, name: str, wrong: Wrong) -> Point | None:
    """A point at the smallest sizes at which the gradient is wrong."""
    for size in (1, 2):
        try:
            point = truth.sources[truth.style].more({**dict.fromkeys(truth.reference.model.sizes, size), **truth.sizes})
        except ModelError:
            continue
        if wrong(name, point) is not None:
            return point
    return None


def _plain_values(truth: Truth, name: str, wrong: Wrong, point: Point) -> Point:
    """The point with as many zeros, ones and whole numbers as leave the gradient wrong."""
    source, runs = truth.sources[truth.style], 0
    for leaf in (r for r in source.leaves if r.kind == FLOAT and not r.attr.stated):
        for change in (np.zeros_like, np.ones_like, np.round, lambda value: np.round(value, 1)):
            values = {r.id: point.value(r) for r in source.leaves}
            changed = source.at({**values, leaf.id: np.asarray(change(values[leaf.id]))}, point.sizes)
            runs += 1
            if runs > MAX_RUNS:
                return point
            if wrong(name, changed) is not None:
                point = changed
                break
    return point


def _text(value: Array) -> str:
    array = np.asarray(value)
    return np.array2string(array, precision=4, separator=", ", suppress_small=True).replace("\n", "") if array.ndim \
        else f"{float(array):.4g}"
