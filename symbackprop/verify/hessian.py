"""Whole Hessians that a module computes, against differences of its own gradients, which are verified apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from symbackprop.verify.module import Candidate, Outcome, numbers
from symbackprop.verify.sampling import Sample

STEPS, DIRECTIONS = (2e-3, 1e-3), 3
AGREE, RIGHT, SAME = 1e-6, 1e-5, 1e-9  # two differences; a product and these; what is computed twice


def hessians(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for what is wrong with hessian_dense, and with the blocks of hessian where they can be seen."""
    if not candidate.is_loss or not candidate.has("hessian_dense"):
        return
    names = list(candidate.model.params) or list(candidate.model.targets())
    if not set(names) <= outcome.gradients.keys():
        return
    sizes = [int(np.size(sample.values[n])) for n in names]
    whole = numbers(candidate.ask("hessian_dense", *candidate.inputs(sample), sample))
    if whole is None or whole.shape != (sum(sizes), sum(sizes)):
        shape = "no array" if whole is None else f"an array of shape {whole.shape}"
        yield f"hessian_dense returned {shape}, expected {(sum(sizes), sum(sizes))}"
        return
    if not np.all(np.isfinite(whole)):
        return
    size = float(np.max(np.abs(whole), initial=0.0))
    if np.max(np.abs(whole - whole.T), initial=0.0) > SAME * (1 + size):
        yield "hessian_dense is not symmetric"
    elif any(_is_wrong(candidate, sample, whole, names, k) for k in range(DIRECTIONS)):
        yield "hessian_dense is not the derivative of the gradient"
    yield from _blocks(candidate, sample, whole, names, sizes)


def _is_wrong(candidate: Candidate, sample: Sample, whole: Any, names: list[str], seed: int) -> bool:
    """Whether H v is not how the gradient changes along v, where differences at two steps agree on that."""
    rng = np.random.default_rng(seed)
    v = {n: rng.choice([-1.0, 1.0], np.shape(sample.values[n])) for n in names}
    first, second = (_slope(candidate, sample, v, names, step) for step in STEPS)
    along = whole @ np.concatenate([np.ravel(v[n]) for n in names])
    size = float(np.max(np.abs(second), initial=0.0)) + float(np.max(np.abs(along), initial=0.0))
    known = bool(np.all(np.isfinite(first) & np.isfinite(second)))
    if not known or np.max(np.abs(first - second), initial=0.0) > AGREE * (1 + size):
        return False  # a kink, or a point where the gradient changes too fast
    return bool(np.max(np.abs(along - second), initial=0.0) > RIGHT * (1 + size))


def _slope(candidate: Candidate, sample: Sample, v: Mapping[str, Any], names: list[str], step: float) -> Any:
    """The change of the gradient along v, by a difference of fourth order."""
    def gradient(k: int) -> Any:
        params, data = candidate.inputs(sample)
        moved = [{n: np.asarray(a + k * step * v[n])[()] if n in v else a for n, a in some.items()}
                 for some in (params, data)]
        found = candidate.run_on(moved[0], moved[1], sample).gradients
        return np.concatenate([np.ravel(np.asarray(found[n], float)) for n in names])

    return (gradient(-2) - 8 * gradient(-1) + 8 * gradient(1) - gradient(2)) / (12 * step)


def _blocks(candidate: Candidate, sample: Sample, whole: Any, names: list[str], sizes: list[int]) -> Iterator[str]:
    """Blocks that differ from the matrix. Those of a module in a process of its own are not looked at."""
    found = candidate.ask("hessian", *candidate.inputs(sample), sample) if candidate.has("hessian") else {}
    ends, pairs = np.cumsum([0, *sizes]), product(enumerate(names), enumerate(names))
    for (i, a), (j, b) in pairs if isinstance(found, dict) else ():
        dense = getattr(found.get((a, b)), "dense", None)
        block = numbers(dense()) if callable(dense) else None
        part = whole[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
        if block is not None and (block.size != part.size or not np.allclose(
                block.reshape(part.shape), part, rtol=1e-7, atol=SAME * (1 + float(np.max(np.abs(whole)))))):
            yield f"the block {a}, {b} of hessian is not that of hessian_dense"
            return
