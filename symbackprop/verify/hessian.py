"""Whole Hessians, their diagonals and Jacobians that a module computes, against differences of its own gradients and
results, which are verified apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from symbackprop.verify.module import Candidate, Outcome, arrays_of, numbers
from symbackprop.verify.sampling import Sample

STEPS, DIRECTIONS = (2e-3, 1e-3), 3
DIAGONAL, ESTIMATE = "hessian_diagonal", "hessian_diagonal_estimate"
ENTRIES, SAMPLES, BEYOND = 4, 64, 7  # of an array that are looked at; drawn; standard errors that no mean is off
AGREE, RIGHT, SAME = 1e-6, 1e-5, 1e-9  # two differences; a product and these; what is computed twice
ROUNDED = 1e-6  # of numbers as large as all that is compared: what is smaller is left by rounding


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
    finite, scale = bool(np.all(np.isfinite(whole))), max(_largest(whole[np.isfinite(whole)]), _scale(outcome))
    if finite and _largest(whole - whole.T) > SAME * scale:
        yield "hessian_dense is not symmetric"
    elif any(_is_wrong(candidate, sample, whole, names, k, scale) for k in range(DIRECTIONS)):
        yield "hessian_dense is not the derivative of the gradient"
    yield from _blocks(candidate, sample, whole, names, sizes, scale)


def _is_wrong(candidate: Candidate, sample: Sample, whole: Any, names: list[str], seed: int, scale: float) -> bool:
    """Whether H v is not how the gradient changes along v, where differences at two steps agree on that; in each array
    beside what is in this one."""
    rng = np.random.default_rng(seed)
    v = {n: rng.choice([-1.0, 1.0], np.shape(sample.values[n])) for n in names}
    first, second = (_slope(candidate, sample, v, names, step) for step in STEPS)
    along = whole @ np.concatenate([np.ravel(v[n]) for n in names])
    if not _agree(first, second, along):
        return False  # a kink, or a point where the gradient changes too fast
    ends = np.cumsum([np.size(v[n]) for n in names])[:-1]
    return any(not _largest(a - s) <= _tolerance(f, s, max(_largest(a), _largest(s)), scale)
               for a, f, s in zip(*(np.split(x, ends) for x in (along, first, second)), strict=True))


def _agree(first: Any, second: Any, found: Any) -> bool:
    """Whether differences at two steps tell how something changes."""
    known = bool(np.all(np.isfinite(first) & np.isfinite(second)))
    return known and not _largest(first - second) > AGREE * (1 + _largest(second) + _largest(found))


def _tolerance(first: Any, second: Any, size: float, scale: float) -> float:
    """How far off what is as large as ``size`` may be: by how little differences know of it, and rounding leaves of
    numbers as large as ``scale``."""
    return RIGHT * (2 * size + ROUNDED * scale + _largest(first - second) / AGREE)


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def _scale(outcome: Outcome) -> float:
    """The largest of the results and gradients."""
    arrays = [np.asarray(x, float) for x in (*outcome.results.values(), *outcome.gradients.values())]
    return max(_largest(a[np.isfinite(a)]) for a in arrays)


# -- diagonals
def diagonals(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for what is wrong with hessian_diagonal, or with its estimate and the error that this tells."""
    asked = [n for n in (DIAGONAL, ESTIMATE) if candidate.is_loss and candidate.has(n)]
    names = list(candidate.model.params) or list(candidate.model.targets())
    missing = dict.fromkeys(names) if asked and set(names) <= outcome.gradients.keys() else {}
    for name in asked if missing else ():
        options: dict[str, Any] = {"rng": 0, "samples": SAMPLES} if name == ESTIMATE else {}
        found = candidate.ask(name, *candidate.inputs(sample), sample, **options)
        parts = list(candidate.pair(found, name)) if name == ESTIMATE else [found]
        parts = [arrays_of(candidate.mapping(name, part, "a dict of arrays")) for part in parts]
        shapes = {n: np.shape(sample.values[n]) for n in missing if n in parts[0]}
        if any({n: np.shape(a) for n, a in part.items()} != shapes for part in parts):
            yield f"{name} returned other names or shapes than those of {', '.join(missing)}"
            return
        missing = {n: None for n in missing if n not in shapes}
        yield from _entries(candidate, sample, list(shapes), name, parts, _scale(outcome))
    if missing:
        yield f"{' and '.join(asked)} returned nothing for {', '.join(missing)}"


def _entries(candidate: Candidate, sample: Sample, names: list[str], name: str, parts: list[Any], scale: float
             ) -> Iterator[str]:
    """What is wrong with some entries of each array: the mean of v_i (H v)_i has the variance Σ_{j≠i} H_ij²."""
    rng = np.random.default_rng(0)
    for n in names:
        size = int(np.size(sample.values[n]))
        for k in rng.permutation(size)[:ENTRIES]:
            place = np.unravel_index(k, np.shape(sample.values[n]))
            first, column = _columns(candidate, sample, names, n, place)  # where all v beside these are 0
            if not _agree(first, column, 0.0):
                continue
            start = sum(int(np.size(sample.values[m])) for m in names[: names.index(n)])
            right, others = column[start + k], float(np.sqrt(np.sum(np.delete(column, start + k) ** 2) / SAMPLES))
            off, own = abs(float(parts[0][n][place]) - right), slice(start, start + size)
            near = _tolerance(first[own], column[own], _largest(column[own]), max(scale, _largest(column)))
            if not off <= near + (BEYOND * others if len(parts) > 1 else 0):
                yield f"{name} is not the diagonal of the Hessian: {n}[{', '.join(map(str, place))}]"
                return
            if len(parts) > 1 and not others / 2 - near <= parts[1][n][place] <= 2 * others + near:
                yield f"{name} tells another standard error than that of {n}[{', '.join(map(str, place))}]"
                return


def _columns(candidate: Candidate, sample: Sample, names: list[str], n: str, place: tuple[Any, ...]
             ) -> tuple[Any, Any]:
    """How the gradient changes with one entry, by differences at two steps."""
    v = {m: np.zeros(np.shape(sample.values[m])) for m in names}
    v[n][place] = 1.0
    first, second = (_slope(candidate, sample, v, names, step) for step in STEPS)
    return first, second


def _slope(candidate: Candidate, sample: Sample, v: Mapping[str, Any], names: list[str], step: float) -> Any:
    """The change of the gradient along v."""
    def gradient(outcome: Outcome) -> Any:
        return np.concatenate([np.ravel(np.asarray(outcome.gradients[n], float)) for n in names])

    return _change(candidate, sample, v, step, gradient)


def _change(candidate: Candidate, sample: Sample, v: Mapping[str, Any], step: float, of: Callable[[Outcome], Any]
            ) -> Any:
    """The change along v of what a module gives, by a difference of fourth order."""
    def at(k: int) -> Any:
        params, data = candidate.inputs(sample)
        moved = [{n: np.asarray(a + k * step * v[n])[()] if n in v else a for n, a in some.items()}
                 for some in (params, data)]
        return of(candidate.run_on(moved[0], moved[1], sample))

    return (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * step)


# -- Jacobians
def jacobians(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for what is wrong with the blocks of jacobian, each beside differences of the results."""
    if not candidate.has("jacobian"):
        return
    given = candidate.ask("jacobian", *candidate.inputs(sample), sample)
    found: dict[Any, Any] = {**candidate.mapping("jacobian", given, "a dict of blocks")}
    names = [n for n, row in candidate.targets.items() if row.is_leaf]
    if set(found) != set(product(outcome.results, names)):
        expected = f"not of {', '.join(outcome.results)} by {', '.join(names)}"
        yield f"jacobian returned blocks of {', '.join(map(str, found)) or 'nothing'}, {expected}"
        return
    rng = np.random.default_rng(0)
    for name in names:
        v = rng.choice([-1.0, 1.0], np.shape(sample.values[name]))
        for result in outcome.results:
            said = _wrong_block(candidate, sample, found[result, name], result, name, v, _scale(outcome))
            yield from [f"the block {result}, {name} of jacobian {said}"] if said else []


def _wrong_block(candidate: Candidate, sample: Sample, block: Any, result: str, name: str, v: Any, scale: float
                 ) -> str:
    """What is wrong with one block: its shape, or how a result changes along v in one array."""
    first, second = (_change(candidate, sample, {name: v}, step, lambda o: np.asarray(o.results[result], float))
                     for step in STEPS)
    whole = _dense(block)
    if whole is None or whole.shape != (*second.shape, *v.shape):
        return f"is {'no array' if whole is None else f'of shape {whole.shape}'}, expected {(*second.shape, *v.shape)}"
    along = np.tensordot(whole, v, v.ndim) if v.ndim else whole * v
    if not _agree(first, second, whole):
        return ""
    near = _tolerance(first, second, max(_largest(second), _largest(whole)), scale)
    wrong = not np.all(np.isfinite(whole)) or _largest(along - second) > near
    return "is not the derivative of the result" if wrong else ""


# -- blocks
def _dense(block: Any) -> Any:
    """All of a block as an array; None where it has none."""
    try:
        return numbers(block.dense())
    except Exception:  # which the module's own code may raise
        return None


def _blocks(candidate: Candidate, sample: Sample, whole: Any, names: list[str], sizes: list[int], scale: float
            ) -> Iterator[str]:
    """Blocks that differ from the matrix."""
    if not candidate.has("hessian"):
        return
    given = candidate.ask("hessian", *candidate.inputs(sample), sample)
    found: dict[Any, Any] = {**candidate.mapping("hessian", given, "a dict of blocks")}
    if {*found} != {*product(names, names)}:
        yield f"hessian returned other blocks than those of all pairs of {', '.join(names)}"
        return
    ends = np.cumsum([0, *sizes])
    for (i, a), (j, b) in product(enumerate(names), enumerate(names)):
        block, part = _dense(found[a, b]), whole[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
        shape = np.shape(sample.values[a]) + np.shape(sample.values[b])
        if block is None or block.shape != shape or not _alike(block.reshape(part.shape), part, scale):
            yield f"the block {a}, {b} of hessian is not that of hessian_dense"
            return


def _alike(block: Any, part: Any, scale: float) -> bool:
    return bool(np.allclose(block, part, rtol=1e-7, atol=SAME * scale, equal_nan=True))
