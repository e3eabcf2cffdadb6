"""Random points at which answers are compared: sizes, numbers for every declared array, and what rows come to there.

Targets of a cross entropy are special: a lecture's ŷ − y holds for targets that sum to one, and a case distinction on y
holds for y ∈ {0, 1}. Points come in three styles, so that such an answer is judged on the targets that it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.core.shapes import evaluate_shape
from symbackprop.errors import ModelError, ShapeError
from symbackprop.grade.reference import Reference
from symbackprop.verify.interpreter import Program
from symbackprop.verify.sampling import Sample, choose_sizes, draw

Array: TypeAlias = Any
GENERAL, DISTRIBUTION, HARD = "general", "distribution", "hard"
SMALL, ATTEMPTS = 8, 24


class Point:
    """Numbers for the leaves of a reference; rows are evaluated when they are asked for and remembered."""

    def __init__(self, sizes: Mapping[str, int], values: Mapping[int, Array], style: str) -> None:
        self.sizes, self.values, self.style = sizes, dict(values), style
        self._shapes: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def value(self, row: Node) -> Array:
        """The value of a row in float64; not finite where the row is not defined at this point."""
        if row.id not in self.values:
            self.values.update(self.computed([row], {}))
        return self.values[row.id]

    def computed(self, rows: Sequence[Node], given: Mapping[int, Array]) -> dict[int, Array]:
        """The values of rows, some further rows being given."""
        known = {**self.values, **given}
        with np.errstate(all="ignore"):
            return Program(rows, self.sizes, frozenset(known)).run(known)

    def size(self, shape: tuple[Any, ...]) -> tuple[int, ...]:
        """A symbolic shape in numbers."""
        if shape not in self._shapes:
            self._shapes[shape] = evaluate_shape(shape, self.sizes)
        return self._shapes[shape]


def points(reference: Reference, count: int, given: Mapping[str, int] | None = None, style: str = GENERAL,
           seed: int = 0) -> list[Point]:  # fmt: skip
    """``count`` points with finite values everywhere, sizes changing from point to point."""
    rng = np.random.default_rng(seed)
    return [_point(reference, rng, given or {}, style, trial) for trial in range(count)]


def _point(reference: Reference, rng: Any, given: Mapping[str, int], style: str, trial: int) -> Point:
    sizes = _sizes(reference, rng, given, trial)
    for attempt in range(ATTEMPTS):
        sample = draw(reference.model, sizes, rng, attempt)
        point = Point(sizes, _leaves(reference, sample, style), style)
        needed = [*reference.results, *reference.gradients.values()]
        point.values.update(point.computed(needed, {}))
        if all(np.all(np.isfinite(point.value(row))) for row in needed if row.kind == "float"):
            return point
    raise ModelError(f"no numbers were found for which {reference.model.name} and its gradients are finite")


def _sizes(reference: Reference, rng: Any, given: Mapping[str, int], trial: int) -> dict[str, int]:
    """Small sizes; a dimension with a large default is shrunk unless a shape needs it."""
    large = [n for n, default in reference.model.sizes.items() if default is not None and default > SMALL]
    shrunk = {n: 2 + (k + trial) % (SMALL - 2) for k, n in enumerate(large)}
    try:
        return choose_sizes(reference.model, rng, {**shrunk, **given}, trial)
    except ShapeError:
        return choose_sizes(reference.model, rng, given, trial)


def _leaves(reference: Reference, sample: Sample, style: str) -> dict[int, Array]:
    model = reference.model
    values = {row.id: np.asarray(sample.values[name]) for name, row in model.leaves().items()}
    values |= {model.upstream[name].id: value for name, value in sample.upstream.items() if name in model.upstream}
    values |= {row.id: np.asarray(float(row.attr.value)) for row in model.constants.values()}
    if style != GENERAL:
        for row in class_targets(reference):
            values[row.id] = _as_target(values[row.id], row, style)
    return values


def class_targets(reference: Reference) -> list[Node]:
    """The leaves that a cross entropy compares with: distributions along the last axis, or probabilities."""
    found: dict[int, Node] = {}
    for node in reference.order:
        if node.origin is not None and node.origin.function in _LOSSES:
            target = node.origin.args[1]
            if isinstance(target, Node) and target.is_leaf and target.kind == "float" and target.value is None:
                found[target.id] = target
    return list(found.values())


_LOSSES = {"cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"}


def _as_target(value: Array, row: Node, style: str) -> Array:
    """A distribution along the last axis (a probability where there is none); a hard one is all 0 and 1."""
    if row.ndim == 0 or value.shape[-1] == 1:
        positive = 1 / (1 + np.exp(-value))
        return np.round(positive) if style == HARD else positive
    if style == HARD:
        return (value == value.max(axis=-1, keepdims=True)) * 1.0
    weights = np.exp(value)
    return weights / weights.sum(axis=-1, keepdims=True)
