# mypy: disable-error-code="no-any-return, type-arg"
"""Helpers of modules for JAX and PyTorch in the place of NumPy's that change arrays or decide by their values."""

from __future__ import annotations

import numpy as np

from symbackprop.codegen.helpers.arrays import softmax_parts
from symbackprop.codegen.helpers.scalar import is_selected


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where both are 0."""
    none = (a == 0) & (b == 0)
    return np.where(none, 0, a / np.where(none, 1, b))


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    return np.where(gate == 0, 0, x) * gate


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + e^x), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def where_selected(a: np.ndarray | float, s: np.ndarray | float) -> np.ndarray:
    """a, and 0 where it is infinite or NaN but s is 0: nothing that counts reads it there."""
    return np.where(is_selected(a, s), a, 0)


def limited(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 1e100, 1e12 in float32: a factor beside gates such as sigmoid', which are 0 beyond."""
    bound = 1e100 if x.dtype == np.float64 else 1e12
    return np.clip(x, -bound, bound)


def beyond(x: np.ndarray) -> np.ndarray:
    """What an exponent x is beyond ±300, in float32 beyond ±40: e^(x - beyond(x)) and its square are floats."""
    bound = 300 if x.dtype == np.float64 else 40
    return x - np.clip(x, -bound, bound)


def unless_zero(total: np.ndarray) -> np.ndarray:
    """The sums to divide by; 1 in place of 0, which is the sum of nothing."""
    return np.where(total == 0, 1, total)


def softmax_logsumexp(a: np.ndarray, axis: int | tuple, keepdims: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """softmax(a) and logsumexp(a), from the same exponentials."""
    p, top, total = softmax_parts(a, axis, True)
    logs = total + top
    return p, logs if keepdims else logs.squeeze(axis)
