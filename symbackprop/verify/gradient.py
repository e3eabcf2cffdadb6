"""Judging one analytic gradient against slopes: every entry, or sampled entries and random directions.

An entry passes when it differs from its slope by no more than ``TOLERANCE`` of its own size, by what the error estimate
of the slope allows, or by rounding: 1e-10 of the gradient's largest entry, 1e-12 of the largest gradient of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symbackprop.verify.interpreter import Array, Sizes
from symbackprop.verify.numeric import Prober, Slopes

TOLERANCE = 1e-6
UNRESOLVED = 1e-3
DIRECTIONS = 4
PASS, FAIL, KINK, INCONCLUSIVE = "pass", "fail", "kink", "inconclusive"


@dataclass(frozen=True)
class Evidence:
    """Analytic and numeric values of one gradient at the entries judged in one trial (kinks left out), with the leaf's
    own values there. ``whole`` says that these are all entries, in order."""

    where: Array
    analytic: Array
    numeric: Array
    values: Array
    wrong: Array
    shape: tuple[int, ...]
    sizes: Sizes
    whole: bool


@dataclass(frozen=True)
class Finding:
    """What one trial found about one gradient; ``worst`` is a flat place."""

    verdict: str
    error: float
    worst: int | None
    analytic: float | None
    numeric: float | None
    method: str
    checked: int
    kinks: tuple[int, ...]
    evidence: Evidence


def judge(analytic: Array, slopes: Slopes, prober: Prober, sizes: Sizes, largest: float) -> Finding:
    """The verdict on the entries that slopes were taken of. ``largest`` is the largest change of the objective that any
    gradient of the model stands for, per unit step."""
    a, n = analytic.reshape(-1)[slopes.where], slopes.values
    smooth = ~slopes.kink
    noise = np.maximum(slopes.noise, np.median(slopes.noise[smooth]) if smooth.any() else 0.0)
    error = _relative(a, n, noise, smooth, _rounding(prober, largest, 4e-15)[slopes.where])
    wrong = smooth & np.isfinite(n) & ~(error <= TOLERANCE)
    unclear = smooth & ~wrong & _unresolved(a, n, noise, _rounding(prober, largest, 2e-16)[slopes.where])
    verdict = FAIL if wrong.any() else INCONCLUSIVE if unclear.any() else PASS if smooth.any() or not n.size else KINK
    worst = _worst(error, np.abs(a - n), wrong, unclear, smooth)
    evidence = _evidence(a, slopes, smooth, wrong, prober, sizes)
    return Finding(
        verdict,
        0.0 if worst is None else float(error[worst]),
        None if worst is None else int(slopes.where[worst]),
        None if worst is None else float(a[worst]),
        None if worst is None else float(n[worst]),
        slopes.method,
        int(smooth.sum()),
        tuple(int(i) for i in slopes.where[slopes.kink]),
        evidence,
    )


def _relative(a: Array, n: Array, noise: Array, smooth: Array, rounding: Array) -> Array:
    """|a − n| over the entry's size, that being no smaller than what cannot be told apart from 0; inf for a NaN."""
    known = smooth & np.isfinite(n)
    scale = float(np.max(np.abs(n), initial=0.0, where=known))
    allowed = np.maximum(np.where(known, noise, 0.0), np.maximum(1e-10 * scale, rounding))
    with np.errstate(all="ignore"):
        size = np.maximum(np.maximum(np.abs(a), np.abs(n)), allowed / TOLERANCE)
        error = np.where(a == n, 0.0, np.abs(a - n) / size)
    return np.where(np.isfinite(error), error, np.inf)


def _rounding(prober: Prober, largest: float, digits: float) -> Array:
    """What rounding can make of entries that are sums of terms that cancel."""
    return (1e-12 * largest + digits * prober.objective.magnitude) / prober.scales


def _unresolved(a: Array, n: Array, noise: Array, rounding: Array) -> Array:
    """Entries whose slope is too uncertain to tell a right gradient from a wrong one. A gradient of 0 is not one of
    them: there only the noise of the slope is seen."""
    scale = max(float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x))) for x in (a, n))
    vanishes = np.max(np.abs(a), initial=0.0) <= np.minimum(UNRESOLVED * noise, rounding)
    return ~np.isfinite(n) | ((noise > UNRESOLVED * scale) & ~vanishes)


def _worst(error: Array, distance: Array, wrong: Array, unclear: Array, smooth: Array) -> int | None:
    """The place to report: the worst of the wrong entries, else of the unclear, else of all; of those that are equally
    bad, the largest."""
    for chosen in (wrong, unclear, smooth):
        if chosen.any():
            close = chosen & (error >= 0.999 * np.max(error[chosen]))
            return int(np.argmax(np.where(close & np.isfinite(distance), distance, -1.0 * ~close)))
    return None


def _evidence(a: Array, slopes: Slopes, smooth: Array, wrong: Array, prober: Prober, sizes: Sizes) -> Evidence:
    keep = smooth & np.isfinite(slopes.values)
    where, x = slopes.where[keep], prober.x
    whole = len(where) == x.size
    return Evidence(where, a[keep], slopes.values[keep], x.reshape(-1)[where], wrong[keep], x.shape, sizes, whole)


def wrong_entry(analytic: Array, prober: Prober, rng: Any, largest: float) -> int | None:
    """An entry at which random directions over the whole gradient disagree with it, found by halving; None when they
    agree (or meet kinks)."""
    everywhere = np.arange(prober.x.size)
    for _ in range(DIRECTIONS):
        direction = rng.choice([-1.0, 1.0], prober.x.size) * prober.scales
        if _gap(analytic, prober, everywhere, direction, largest) > 0:
            return _halve(analytic, prober, everywhere, direction, largest)
    return None


def _gap(analytic: Array, prober: Prober, where: Array, direction: Array, largest: float) -> float:
    """By how much a directional derivative misses what the gradient says, beyond what is allowed."""
    found = prober.along(where, direction[where])
    if found.kink or not np.isfinite(found.slope):
        return 0.0
    terms = analytic.reshape(-1)[where] * direction[where]
    allowed = 1e-9 * float(np.linalg.norm(terms)) + found.noise + 1e-12 * largest + 4e-15 * prober.objective.magnitude
    missed = abs(float(terms.sum()) - found.slope)
    return missed / allowed - 1 if np.isfinite(missed) else np.inf


def _halve(analytic: Array, prober: Prober, where: Array, direction: Array, largest: float) -> int:
    while len(where) > 1:
        halves = np.array_split(where, 2)
        gaps = [_gap(analytic, prober, half, direction, largest) for half in halves]
        where = halves[int(np.argmax(gaps))]
    return int(where[0])
