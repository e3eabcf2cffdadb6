"""How much to compare: every entry up to about 10⁴ in all, else a sample of each gradient and random directions."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verify.interpreter import Sizes, Step

DENSE, DENSE_AGAIN = 10_000, 300
FEWEST, MOST, AGAIN = 24, 600, 6
WORK = 3e9  # entries computed, about half a minute
LARGEST = 10**300  # of an estimate: a loop that reads a hundred arrays goes beyond any float


def trials_for(entries: int) -> int:
    """How many random points: many for a scalar graph, where one point shows one branch only."""
    return 5 if entries <= 40 else 2 if entries <= 2000 else 1


def places(targets: Mapping[str, Node], sizes: Sizes, cost: float, rng: Any, trial: int) -> dict[str, Any]:
    """The flat places to compare in each gradient, in order. Trials after the first are there for other sizes and other
    sides of kinks: a few entries of each gradient will do."""
    counts = {n: prod(evaluate_shape(row.shape, sizes)) for n, row in targets.items()}
    if sum(counts.values()) <= (DENSE_AGAIN if trial else DENSE):
        return {n: np.arange(c) for n, c in counts.items()}
    share = AGAIN if trial else int(np.clip(WORK / cost / len(counts), FEWEST, MOST))
    return {n: _some(c, share, rng) for n, c in counts.items()}


def _some(count: int, share: int, rng: Any) -> Any:
    """The first, the last, and others at random."""
    if count <= share:
        return np.arange(count)
    return np.unique(np.concatenate([[0, count - 1], rng.integers(0, count, share - 2)]))


def cost_of(steps: list[Step], sizes: Sizes) -> float:
    """Entries computed by one evaluation; a call of NumPy counts like 3000 of them."""
    return sum(3000.0 + _work(step, sizes) for step in steps)


def _work(step: Step, sizes: Sizes) -> float:
    if isinstance(step.row.attr, Pattern):
        letters = step.attr.sizes([evaluate_shape(a.shape, sizes) for a in step.row.args])
        return float(prod(letters.values()))
    own = step.shape if step.shape is not None else _axes(step.row, sizes)
    return float(min(prod(own), LARGEST))


def _axes(row: Node, sizes: Sizes) -> list[int]:
    """The sizes of all axes of a row's arguments."""
    return [size for a in row.args for size in evaluate_shape(a.shape, sizes)]
