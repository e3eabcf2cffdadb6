"""Arrays on their way into somebody's code and back: NumPy's, PyTorch's, JAX's.

PyTorch and JAX are touched only where the checked file has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def into(library: str, value: Any, device: str = "cpu") -> Any:
    """A NumPy array as an array of the library's own, in the same precision; a plain number stays one."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    return _INTO[library](value, device)


def _numpy(value: Any, _device: str) -> Any:
    return value.copy() if np.ndim(value) else np.asarray(value)[()]


def _torch(value: Any, device: str) -> Any:
    return sys.modules["torch"].tensor(np.array(value), device=device)


def _jax(value: Any, _device: str) -> Any:
    return sys.modules["jax"].numpy.asarray(np.array(value))


_INTO: dict[str, Callable[[Any, str], Any]] = {"numpy": _numpy, "torch": _torch, "jax": _jax}


def back(value: Any) -> tuple[Array, str] | None:
    """(a float64 copy of a returned array, the name of its own precision); None where it is no array of numbers."""
    if value is None or isinstance(value, (str, bytes, dict)):
        return None
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        kind = str(value.dtype).removeprefix("torch.")
        return None if value.is_complex() else (value.detach().cpu().double().numpy().copy(), kind)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    named = getattr(array.dtype, "name", "")
    if array.dtype.kind not in "fiub" and "float" not in named:
        return None
    return np.array(array, dtype=np.float64), named


def arrays_in(value: Any, depth: int = 4) -> list[tuple[str, Array]]:
    """(where it stands, a copy) of every array in a cache: a dict, list, tuple or object of arrays."""
    found: list[tuple[str, Array]] = []
    _collect(value, "", depth, found, set())
    return found


def _collect(value: Any, where: str, depth: int, found: list[tuple[str, Array]], seen: set[int]) -> None:
    if isinstance(value, (str, bytes, int, float, type(None))) or callable(value) or id(value) in seen:
        return
    seen.add(id(value))
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        array = back(value)
        if array is not None:
            found.append((where or "the cache", array[0]))
    elif depth:
        inner = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, (list, tuple)) \
            else getattr(value, "__dict__", {})
        for key, part in inner.items():
            _collect(part, str(key) if not where else f"{where}.{key}", depth - 1, found, seen)
