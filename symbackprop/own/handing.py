"""What a backward is handed at a point, by the names of its parameters, and whether it has changed that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from symbackprop.apart.forms import SEED as UPSTREAM
from symbackprop.apart.forms import Given, Raw
from symbackprop.grade.points import Point
from symbackprop.own.truth import GRADIENT, SEED, VALUE, Meaning, Truth

GROUPS = {"params": ("params", "parameters", "weights"), "data": ("data", "inputs", "batch"), "dims": ("dims",)}


def handed(truth: Truth, point: Point, words: Iterable[str], filled: Iterable[str]) -> Given:
    """All that a form whose parameters are these words may be handed, in float64; ``filled`` are those that are handed
    in to be filled with results."""
    groups = {w: group for group, known in GROUPS.items() for w in known
              if w not in truth.own and w not in truth.model.sizes}
    meanings = {w: m for w in words if w not in groups and (m := truth.argument(w)) is not None}
    results = {w: n for w in filled if w not in truth.own and (n := truth.gradient_of(w)) is not None
               and (w not in meanings or meanings[w].kind != SEED)}
    params, data = ({n: truth.value(Meaning(VALUE, n), point) for n in truth.model.leaves()
                     if (n in truth.model.params) == wanted} for wanted in (True, False))
    upstream = {} if truth.loss else {n: truth.upstream(n, point) for n in truth.model.output_rows}
    inner = {w: truth.value(Meaning(VALUE, m.name), point) for w, m in meanings.items() if m.kind == GRADIENT}
    alone = len(inner) == 1 and all(m.kind != SEED for m in meanings.values())
    return Given(
        {w: (_label(truth, m), truth.value(m, point)) for w, m in meanings.items()},
        params, data, {n: truth.size(n, point) for n in truth.model.sizes}, upstream, groups,
        {w: truth.right(n, point).shape for w, n in results.items()}, inner if alone else {},
    )


def _label(truth: Truth, meaning: Meaning) -> str:
    outputs = list(truth.model.output_rows)
    name = meaning.name or (outputs[0] if len(outputs) == 1 else UPSTREAM)
    return f"d{name}" if meaning.kind in (SEED, GRADIENT) and name != UPSTREAM else name


def changed(given: Given, raw: Raw) -> list[str]:
    """The names of handed arrays that are no longer what they were."""
    before = {**given.params, **given.data, **{f"d{n}": v for n, v in given.upstream.items()}}
    for label, value in given.values.values():
        before |= {f"d{n}": v for n, v in value.items()} if isinstance(value, Mapping) else {label: value}
    return list(dict.fromkeys(n for n, now in raw.handed if n in before and not _same(before[n], now)))


def _same(before: Any, now: Any) -> bool:
    """Whether an array is what it was when it was handed over in its precision."""
    now = np.asarray(now)
    was = np.asarray(before).astype(now.dtype)
    return was.size == now.size and np.array_equal(was.reshape(now.shape), now, equal_nan=True)
