"""What a wrong gradient looks like, and what usually makes it look so.

Every hypothesis is tried on all trials at once: a factor that is 5 in one trial, 3 in another and N in both is N.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import TypeAlias

import numpy as np

from symbackprop.verify.gradient import Evidence
from symbackprop.verify.interpreter import Array, Sizes

Trials: TypeAlias = Sequence[Evidence]
CLOSE = 1e-5


def likely_cause(trials: Trials) -> str:
    """One sentence on how the gradient differs from the numeric one, and the mistake that does this."""
    seen = [t for t in trials if t.where.size]
    if not any(t.wrong.any() for t in seen):
        return "the values differ"
    for rule in RULES:
        said = rule(seen)
        if said:
            return said
    return f"{_counted(seen)} entries differ"


def shape_cause(found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """The mistake behind a gradient of the wrong shape."""
    if found == expected[::-1]:
        return "it is transposed"
    if len(found) > len(expected) and found[len(found) - len(expected) :] == expected:
        return "a sum over the leading axis is missing: it was broadcast in forward"
    if len(found) == len(expected) and all(e in (1, f) for e, f in zip(expected, found, strict=True)):
        return "a sum over a broadcast axis is missing"
    if len(found) < len(expected):
        return "it was summed over too many axes, or not broadcast back"
    return "a gradient has the shape of its variable"


def _counted(trials: Trials) -> str:
    return f"{sum(int(t.wrong.sum()) for t in trials)} of {sum(t.where.size for t in trials)}"


def _matches(trials: Trials, predicted: Callable[[Evidence], Array]) -> bool:
    return all(_close(t.analytic, predicted(t)) for t in trials)


def _close(a: Array, b: Array) -> bool:
    return bool(np.max(np.abs(a - b), initial=0.0) <= CLOSE * np.max(np.abs(b), initial=0.0))


def _not_finite(trials: Trials) -> str | None:
    bad = sum(int((~np.isfinite(t.analytic)).sum()) for t in trials)
    if not bad:
        return None
    total = sum(t.where.size for t in trials)
    return f"{bad} of {total} entries are not finite: an overflow, or 0/0 or log 0 on the way"


def _zero(trials: Trials) -> str | None:
    if any(np.any(t.analytic) for t in trials):
        return None
    return "it is zero: a branch that reaches the result is missing"


def _factor(trials: Trials) -> str | None:
    """A constant ratio: the sign, a square's 2, a mean's N."""
    for text, factor in _factors(trials[0].sizes):
        if _matches(trials, lambda t, factor=factor: factor(t.sizes) * t.numeric):  # type: ignore[misc]
            return text
    ratios = [_ratio(t) for t in trials]
    constant = sum(t.where.size for t in trials) > 1 and np.ptp(ratios) <= CLOSE * abs(ratios[0])
    if constant and _matches(trials, lambda t: _ratio(t) * t.numeric):
        return f"every entry is off by the same factor {ratios[0]:.6g}"
    return None


def _ratio(t: Evidence) -> float:
    below = float(t.numeric @ t.numeric)
    return float(t.analytic @ t.numeric) / below if below else 0.0


def _factors(sizes: Sizes) -> Iterator[tuple[str, Callable[[Sizes], float]]]:
    """Factors that mistakes make, with what they mean, the likelier ones first."""
    yield "the sign is flipped: ratio -1", lambda s: -1.0
    yield "twice too large (ratio 2): a factor 1/2 is missing, or a term counts twice", lambda s: 2.0
    yield "half of what it should be (ratio 1/2): the factor 2 of a square is missing", lambda s: 0.5
    yield "ratio -2: the sign is flipped and a factor 1/2 is missing", lambda s: -2.0
    yield "ratio -1/2: the sign is flipped and a factor 2 is missing", lambda s: -0.5
    for count in (1, 2, 3):
        for names in combinations_with_replacement(sizes, count):
            yield from _by_dimensions("*".join(names), names)


def _by_dimensions(shown: str, names: Sequence[str]) -> Iterator[tuple[str, Callable[[Sizes], float]]]:
    def size(sizes: Sizes) -> float:
        return float(np.prod([sizes[n] for n in names]))

    if len(names) > 1:
        shown = f"({shown})"
    yield f"{shown} times too large (ratio {shown}): the 1/{shown} of a mean is missing", size
    yield f"{shown} times too small (ratio 1/{shown}): divided by {shown} once too often", lambda s: 1 / size(s)
    yield f"ratio -{shown}: the sign is flipped and the 1/{shown} of a mean is missing", lambda s: -size(s)
    yield f"ratio -1/{shown}: the sign is flipped, and divided by {shown} once too often", lambda s: -1 / size(s)


def _transposed(trials: Trials) -> str | None:
    square = all(t.whole and len(t.shape) == 2 and t.shape[0] == t.shape[1] for t in trials)
    if square and _matches(trials, lambda t: t.numeric.reshape(t.shape).T.reshape(-1)):
        return "it is transposed"
    return None


def _single(trials: Trials) -> str | None:
    wrong = max(int(t.wrong.sum()) for t in trials)
    if wrong > 1 or min(t.where.size for t in trials) < 4:
        return None
    return "a single entry differs, the others are right"


def _size_written_out(trials: Trials) -> str | None:
    """Right at some sizes, off by a constant factor at others."""
    right, wrong = [t for t in trials if not t.wrong.any()], [t for t in trials if t.wrong.any()]
    scaled = all(t.wrong.sum() > 1 and _close(t.analytic, _ratio(t) * t.numeric) for t in wrong)
    if not right or not scaled or any(t.sizes == right[0].sizes for t in wrong):
        return None
    at = ", ".join(f"{n} = {s}" for n, s in right[0].sizes.items() if any(t.sizes[n] != s for t in wrong))
    return f"right at {at}, off by a constant factor at other sizes: a number stands where a dimension belongs"


def _own_value(trials: Trials) -> str | None:
    """The difference is a multiple of the parameter: weight decay."""
    if sum(t.where.size for t in trials) < 3:
        return None
    missing = [t.numeric - t.analytic for t in trials]
    norms = [float(t.values @ t.values) for t in trials]
    if not all(norms):
        return None
    factors = [float(d @ t.values) / n for d, t, n in zip(missing, trials, norms, strict=True)]
    fits = all(_close(d, c * t.values) for d, c, t in zip(missing, factors, trials, strict=True))
    if fits and np.ptp(factors) <= CLOSE * abs(factors[0]):
        return f"off by {factors[0]:.6g} times the parameter itself: a regulariser's term is missing or wrong"
    return None


def _zeros_inside(trials: Trials) -> str | None:
    """Where it is not zero it is right."""
    if any(np.any(t.analytic[t.wrong]) for t in trials):
        return None
    return f"{_counted(trials)} entries are zero and should not be, the others are right: a part is left out"


def _not_masked(trials: Trials) -> str | None:
    """Where it should not be zero it is right."""
    if any(np.any(t.numeric[t.wrong]) for t in trials):
        return None
    return f"{_counted(trials)} entries should be zero, the others are right: a mask or a condition is missing"


def _some_rows(trials: Trials) -> str | None:
    """Whole rows are wrong and whole rows are right."""
    if not all(t.whole and len(t.shape) > 1 for t in trials):
        return None
    rows = [t.wrong.reshape(t.shape[0], -1).any(axis=1) for t in trials]
    count, total = sum(int(r.sum()) for r in rows), sum(r.size for r in rows)
    if 2 * count > total:
        return None
    return f"{count} of {total} rows differ, the others are right: do the contributions of repeated indices add up?"


def _per_entry(trials: Trials) -> str | None:
    """Every entry is wrong, each in its own way."""
    ratios = np.concatenate([t.analytic[t.numeric != 0] / t.numeric[t.numeric != 0] for t in trials])
    if ratios.size < 2 or any(np.any(~t.wrong & (t.numeric != 0)) for t in trials):
        return None
    if not (np.all(ratios > 0) or np.all(ratios < 0)):
        return "all entries differ, by no common factor: a local derivative or a term of a sum is wrong"
    low, high = np.min(np.abs(ratios)), np.max(np.abs(ratios))
    sign = "the sign is flipped and " if ratios[0] < 0 else ""
    own = f"every entry is off by a factor of its own ({low:.3g} to {high:.3g})"
    return f"{sign}{own}: a local derivative is missing or wrong"


RULES = (
    _not_finite, _zero, _factor, _size_written_out, _transposed, _single, _own_value, _zeros_inside, _not_masked,
    _some_rows, _per_entry,
)
