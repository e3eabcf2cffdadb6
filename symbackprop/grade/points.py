"""Random points at which answers are compared: sizes, numbers for every declared array, and what rows come to there.

Targets of a cross entropy are special: a lecture's ŷ − y holds for targets that sum to one, and a case distinction on y
holds for y ∈ {0, 1}. Points come in three styles, so that such an answer is judged on the targets that it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import evaluate_shape
from symbackprop.core.sizes import sized
from symbackprop.errors import ModelError, ShapeError
from symbackprop.grade.reference import Reference
from symbackprop.verify.interpreter import Program
from symbackprop.verify.sampling import Sample, choose_sizes, draw

Array: TypeAlias = Any
GENERAL, DISTRIBUTION, HARD = "general", "distribution", "hard"
SMALL, ATTEMPTS = 8, 24
FAR = 30.0  # beyond it a probability is 0 or 1


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

    def number(self, size: sp.Expr) -> float:
        """An expression in dimensions as a number."""
        return float(sized(size, self.sizes))

    def size(self, shape: tuple[Any, ...]) -> tuple[int, ...]:
        """A symbolic shape in numbers."""
        if shape not in self._shapes:
            self._shapes[shape] = evaluate_shape(shape, self.sizes)
        return self._shapes[shape]


class Points:
    """Where the points of one style come from; ``given`` are sizes of dimensions."""

    def __init__(self, reference: Reference, given: Mapping[str, int], style: str = GENERAL, seed: int = 0) -> None:
        self.reference, self.given, self.style, self.seed = reference, given, style, seed
        self.rng = np.random.default_rng(seed)
        model = reference.model
        self.leaves = [*model.leaves().values(), *model.upstream.values()]

    def first(self, count: int) -> list[Point]:
        """``count`` points with finite values everywhere, sizes changing from point to point."""
        return [self._point(_sizes(self.reference, self.rng, self.given, trial)) for trial in range(count)]

    def more(self, sizes: Mapping[str, int]) -> Point:
        """A point of some sizes."""
        return self._point(_sizes(self.reference, self.rng, {**sizes, **self.given}, 0))

    def at(self, values: Mapping[int, Array], sizes: Mapping[str, int]) -> Point:
        """The point with these numbers in its leaves, targets being made what the style says."""
        return Point(sizes, self.meant(values), self.style)

    def _point(self, sizes: dict[str, int]) -> Point:
        for attempt in range(ATTEMPTS):
            sample = draw(self.reference.model, sizes, self.rng, attempt)
            point = self.at(self._leaves(sample), sizes)
            needed = [*self.reference.results, *self.reference.gradients.values()]
            point.values.update(point.computed(needed, {}))
            if all(np.all(np.isfinite(point.value(row))) for row in needed if row.kind == "float"):
                return point
        raise ModelError(f"no numbers were found for which {self.reference.model.name} and its gradients are finite")

    def _leaves(self, sample: Sample) -> dict[int, Array]:
        model = self.reference.model
        values = {row.id: np.asarray(sample.values[name]) for name, row in model.leaves().items()}
        return values | {model.upstream[n].id: value for n, value in sample.upstream.items() if n in model.upstream}

    def meant(self, values: Mapping[int, Array]) -> dict[int, Array]:
        """The numbers with targets made what the style says, and the model's constants."""
        constants = {r.id: np.asarray(float(r.attr.value)) for r in self.reference.model.constants.values()}
        targets = class_targets(self.reference) if self.style != GENERAL else []
        return {**values, **constants, **{r.id: _as_target(values[r.id], r, self.style) for r in targets}}


def _sizes(reference: Reference, rng: Any, given: Mapping[str, int], trial: int) -> dict[str, int]:
    """Small sizes; a dimension with a large default is shrunk unless a shape needs it."""
    large = [n for n, default in reference.model.sizes.items() if default is not None and default > SMALL]
    shrunk = {n: 2 + (k + trial) % (SMALL - 2) for k, n in enumerate(large)}
    try:
        return choose_sizes(reference.model, rng, {**shrunk, **given}, trial)
    except ShapeError:
        return choose_sizes(reference.model, rng, given, trial)


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
        positive = 1 / (1 + np.exp(-np.clip(value, -FAR, FAR)))
        return np.round(positive) if style == HARD else positive
    if style == HARD:
        return (value == value.max(axis=-1, keepdims=True)) * 1.0
    weights = np.exp(np.maximum(value - value.max(axis=-1, keepdims=True), -FAR))
    return weights / weights.sum(axis=-1, keepdims=True)
