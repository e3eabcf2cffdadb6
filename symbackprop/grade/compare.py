"""When two arrays of numbers are the same, and by which factor they differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symbackprop.grade.points import Array

# Inputs are of order one and sizes below ten, so rounding is at most a few hundred operations of 1e-16 each;
# cancellation in an odd but right form costs some four digits more. Wrong answers differ in the first digits.
SAME = 1e-9
FLOOR = 1e-4  # what is 0 comes out as 1e-16 where terms of order one cancel
ROUNDED = 2e-3


def same(a: Array, b: Array, tolerance: float = SAME) -> bool:
    """Equal to within ``tolerance`` of the largest entry; never where something is not finite."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        return False
    scale = np.max(np.abs(b), initial=0.0)
    return bool(np.max(np.abs(a - b), initial=0.0) <= tolerance * max(scale, FLOOR))


def factor_between(a: Array, b: Array) -> float | None:
    """The number c with a = c·b; None where there is none, nan where both are zero and any would do."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not np.all(np.isfinite(a)):
        return None
    norm = float(np.sum(b * b))
    if norm == 0:
        return float("nan") if not np.any(a) else None
    c = float(np.sum(a * b)) / norm
    return c if c != 0 and same(a, c * b) else None


def factors_between(pairs: Sequence[tuple[Array, Array]]) -> list[float] | None:
    """The factor at every point; None where some point has none or no point tells."""
    found = [factor_between(a, b) for a, b in pairs]
    known = [c for c in found if c is not None]
    if len(known) < len(found) or all(np.isnan(c) for c in known):
        return None
    return known


def close_numbers(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two lists of factors agree; where one is nan, any factor would do."""
    return all(np.isnan(x) or np.isnan(y) or abs(x - y) <= 1e-7 * abs(y) for x, y in zip(a, b, strict=True))
