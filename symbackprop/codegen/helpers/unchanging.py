# mypy: disable-error-code="no-any-return, type-arg"
"""Helpers of modules for JAX and PyTorch in the place of NumPy's that change arrays or decide by their values."""

from __future__ import annotations

import numpy as np

from symbackprop.codegen.helpers.arrays import largest
from symbackprop.codegen.helpers.scalar import is_selected, moderate


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


def within(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 150, in float32 20: in front of an exponential whose rest is held constant."""
    bound = 150 if x.dtype == np.float64 else 20
    return np.clip(x, -bound, bound)


def log_product(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """log(x * y); of the signs, and by the logarithms of both, where the product might over- or underflow."""
    near = moderate(x, y)
    product = np.where(near, x, np.sign(x)) * np.where(near, y, np.sign(y))
    return np.log(product) + (np.log(np.where(near, 1, np.abs(x))) + np.log(np.where(near, 1, np.abs(y))))


def log_quotient(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """log(x / y); of the signs, and by the logarithms of both, where the quotient might over- or underflow."""
    near = moderate(x, y)
    over = np.where(near, x, np.sign(x)) / np.where(near, y, np.sign(y))
    return np.log(over) + (np.log(np.where(near, 1, np.abs(x))) - np.log(np.where(near, 1, np.abs(y))))


def total_of(e: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The sum along an axis, which stays with size 1."""
    return e.sum(axis=axis, keepdims=True)


def unless_zero(total: np.ndarray) -> np.ndarray:
    """The sums to divide by; 1 in place of 0, which is the sum of nothing."""
    return np.where(total == 0, 1, total)


def softmax(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """e^a / sum(e^a) along an axis, shifted by the largest entry so that nothing overflows; 0 where all are -inf."""
    e = np.exp(a - largest(a, axis))
    return e / unless_zero(total_of(e, axis))


def softmax_parts(a: np.ndarray, axis: int | tuple, keepdims: bool = False) -> tuple:
    """softmax(a), the largest entry of a, which stays with size 1, and logsumexp of what a has less than that, from the
    same exponentials."""
    top = largest(a, axis)
    e = np.exp(a - top)
    total = total_of(e, axis)
    logs = np.log(total)
    return e / unless_zero(total), top, logs if keepdims else logs.squeeze(axis)


def softmax_log(a: np.ndarray, axis: int | tuple) -> tuple[np.ndarray, np.ndarray]:
    """softmax(a) and its logarithm, from the same exponentials."""
    log = a - largest(a, axis)
    e = np.exp(log)
    total = total_of(e, axis)
    return e / unless_zero(total), log - np.log(total)


def softmax_logsumexp(a: np.ndarray, axis: int | tuple, keepdims: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """softmax(a) and logsumexp(a), from the same exponentials."""
    p, top, total = softmax_parts(a, axis, True)
    logs = total + top
    return p, logs if keepdims else logs.squeeze(axis)


def norm(a: np.ndarray, axis: int | tuple | None = None, keepdims: bool = False) -> np.ndarray:
    """sqrt(sum(a**2)) along axes, of the entries over the largest one, so that no square over- or underflows."""
    axes = tuple(range(a.ndim)) if axis is None else axis
    top = largest(np.abs(a), axes)
    scale = np.where(top > 0, top, 1)
    total = np.sqrt(total_of(np.square(a / scale), axes)) * scale
    return total if keepdims else total.squeeze(axes)
