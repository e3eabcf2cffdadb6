"""Masks beside the kink: code that asks ``z >= -1e-3`` where z > 0 belongs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import Candidate, Place
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.own.array_mistakes import candidate
from symbackprop.own.truth import has_kink

THRESHOLDS = [sign * 10.0**-k for k in range(1, 8) for sign in (-1, 1)]


def displaced_masks(place: Place) -> Iterator[Candidate]:
    """The derivative of a function with a kink taken from a threshold beside it."""
    name = place.reference.name(place.edge.argument)
    for threshold in THRESHOLDS if has_kink(place.edge) else ():
        side = "below" if threshold < 0 else "above"
        says = f"the mask of {name} is not at 0: entries just {side} it count as on its other side"
        yield candidate(place, m.SUBSTITUTION, says, partial(_from, threshold), 36, (("mask at", threshold),))


def _from(threshold: float, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    values = [sweep.point.value(a) for a in edge.consumer.args]
    values[0] = values[0] - threshold
    out = sweep.formula(edge.consumer.attr.form, values)
    return sweep.times(edge, upstream, sweep.formula(edge.consumer.attr.partial(0), values, out))
