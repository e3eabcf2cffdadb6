"""When a returned gradient is the right one: to within the rounding of the precision that it was computed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symbackprop.grade.points import Array, Point
from symbackprop.own.truth import Truth

RELATIVE = {"float64": 1e-7, "float32": 1e-4, "float16": 2e-2, "bfloat16": 5e-2}
SINGLE = 3e-6  # what a float32 step somewhere in the code leaves of float64, beside what cancels
NOISE = 20.0
DOUBLE = 2.0**-29  # the rounding of float64, as a share of that of float32
TINY = 1e-8
CLOSE, SINGLE_STEP, OFF, SHAPE = "close", "a step in float32", "off", "shape"


@dataclass
class Pair:
    """A returned gradient and the right one at one point, with what they may differ by, relative to the largest.

    ``loose`` is what they may differ by where a step of the code is computed in float32.
    """

    given: Array
    right: Array
    tolerance: float
    state: str = OFF
    loose: float = 0.0

    def loosened(self) -> Pair:
        return replace(self, tolerance=max(self.tolerance, self.loose))

    @property
    def scale(self) -> float:
        return max(float(np.max(np.abs(self.right), initial=0.0)), TINY)

    def agrees(self, value: Array) -> bool:
        """Whether the returned gradient is ``value``."""
        value = np.asarray(value)
        return value.shape == self.given.shape and distance(self.given, value, self.scale) <= self.tolerance

    def distance(self) -> float:
        """How far the returned gradient is off, as a share of the right one's largest entry."""
        return float("inf") if self.state == SHAPE else distance(self.given, self.right, self.scale)

    def worst(self) -> tuple[int, ...]:
        with np.errstate(all="ignore"):
            off = np.abs(np.nan_to_num(self.given - self.right, nan=np.inf, posinf=np.inf, neginf=np.inf))
        return tuple(int(k) for k in np.unravel_index(int(np.argmax(off)), off.shape)) if off.size else ()


def distance(a: Array, b: Array, scale: float) -> float:
    """The largest difference, as a share of ``scale``; infinite where something is not finite."""
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        return float("inf")
    return float(np.max(np.abs(a - b), initial=0.0)) / scale


def pair(truth: Truth, name: str, point: Point, given: Array, precision: str, wanted: float | None) -> Pair:
    """The comparison of a returned gradient with the right one; of a stack over time with the reading that it fits."""
    found = [_pair(truth, name, point, given, right, precision, wanted)
             for right in (truth.right(name, point), *truth.other_readings(name, point))]
    return next((p for p in found if p.state in (CLOSE, SINGLE_STEP)), found[0])


def _pair(truth: Truth, name: str, point: Point, given: Array, right: Array, precision: str, wanted: float | None
          ) -> Pair:
    fitted = fitting(given, right)
    scale = max(float(np.max(np.abs(right), initial=0.0)), TINY)
    if fitted is None:
        return Pair(given, right, RELATIVE.get(precision, RELATIVE["float64"]), SHAPE)
    off = distance(fitted, right, scale)
    allowed = wanted if wanted is not None else RELATIVE.get(precision, RELATIVE["float64"])
    if off <= allowed:
        return Pair(fitted, right, allowed, CLOSE)
    if wanted is not None:
        return Pair(fitted, right, allowed)
    noise = NOISE * truth.noise(name, point) / scale
    if precision != "float64":
        return Pair(fitted, right, allowed + noise, CLOSE if off <= allowed + noise else OFF)
    loose = SINGLE + noise
    return Pair(fitted, right, allowed + DOUBLE * noise, SINGLE_STEP if off <= min(loose, 1e-4) else OFF, loose)


def fitting(given: Array, right: Array) -> Array | None:
    """The gradient in the shape of the right one where only axes of size 1 differ, or a number stands for a constant
    array."""
    if given.shape == right.shape:
        return given
    if [n for n in given.shape if n != 1] == [n for n in right.shape if n != 1]:
        return given.reshape(right.shape)
    if not given.shape and right.size and np.all(right == right.flat[0]):
        return np.full(right.shape, given)
    return None


def all_close(pairs: Sequence[Pair]) -> bool:
    return all(p.state in (CLOSE, SINGLE_STEP) for p in pairs)
