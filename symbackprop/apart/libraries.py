"""Arrays on their way into somebody's code and back: NumPy's, PyTorch's, JAX's.

PyTorch and JAX are touched only where the checked file has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True)
class Foreign:
    """The numbers of an array in a precision that NumPy lacks, as bfloat16."""

    array: Array
    precision: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.array, dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)


def into(library: str, value: Any, device: str) -> Any:
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


def native(value: Any) -> Array | Foreign | None:
    """Any library's array as NumPy's; None for what is no array of numbers."""
    if isinstance(value, Foreign):
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        tensor = value.detach().cpu()
        kind = str(tensor.dtype).removeprefix("torch.")
        return tensor.numpy() if hasattr(np, kind) else Foreign(tensor.double().numpy(), kind)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind in "fiubc":
        return array
    named = str(getattr(array.dtype, "name", ""))
    return Foreign(np.array(array, dtype=np.float64), named) if "float" in named else None


def as_numpys(value: Any) -> Any:
    """A tensor of PyTorch as an array of NumPy's, with which it shares its memory; anything else as it is."""
    return native(value) if hasattr(value, "detach") and hasattr(value, "cpu") else value


def precision(value: Any) -> np.dtype[Any] | None:
    """NumPy's dtype for a dtype of any library, as ``torch.float64`` or ``jnp.float32``; None for anything else."""
    named = value if isinstance(value, np.dtype) or _is_numpys(value) else getattr(value, "dtype", None)
    word = str(value)
    if word.startswith("torch."):
        named = getattr(np, word.removeprefix("torch."), None)
    return np.dtype(named) if isinstance(named, (type, np.dtype)) else None


def _is_numpys(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, np.generic)


def back(value: Any) -> tuple[Array, str] | None:
    """(a float64 copy of a returned array, the name of its own precision); None where it is no array of real
    numbers. Complex ones without an imaginary part are real."""
    if value is None or isinstance(value, (str, bytes, dict)):
        return None
    found = native(value)
    if found is None or isinstance(found, Foreign):
        return None if found is None else (np.array(found.array, dtype=np.float64), found.precision)
    if found.dtype.kind == "c":
        return None if np.any(found.imag) else (np.array(found.real, dtype=np.float64), str(found.real.dtype.name))
    return np.array(found, dtype=np.float64), str(found.dtype.name)


DEPTH = 4  # of what a cache holds in each other


def arrays_in(value: Any) -> list[tuple[str, Array]]:
    """(where it stands, a copy) of every array in a cache: a dict, list, tuple or object of arrays."""
    found: list[tuple[str, Array]] = []
    _collect(value, "", DEPTH, found, set())
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


def alike(values: Any) -> tuple[Any, ...]:
    """What two calls share where JAX compiles a function of a tree of such values once: all but the numbers of
    floating-point arrays."""
    leaves, tree = sys.modules["jax"].tree_util.tree_flatten(values)
    return tree, *(repr(v) if a is None or isinstance(a, Foreign) else
                   (a.shape, str(a.dtype), b"" if a.dtype.kind == "f" else a.tobytes())
                   for v, a in ((v, native(v)) for v in leaves))


def traced(function: Callable[..., Any], anew: bool) -> Callable[..., Any]:
    """A function over JAX's or NumPy's arrays compiled as a whole, which takes a tenth of what it takes operation by
    operation where all sizes are new. ``anew``: its Python runs again. The call raises where that is not the same:
    Python looks at numbers, or something of the trace is kept somewhere."""
    jax = sys.modules["jax"]

    def call(*args: Any, **options: Any) -> Any:
        given, tree = jax.tree_util.tree_flatten((args, options))
        leaves = [_jax(v, "") if isinstance(v, np.ndarray) and v.dtype.kind in "fiub" else v for v in given]
        known = tuple(None if isinstance(a, jax.Array) else a for a in leaves)
        arrays = [a for a in leaves if isinstance(a, jax.Array)]
        if not anew:
            return _jitted(function, tree, known, tuple(map(type, known)))(*arrays)
        with jax.checking_leaks():
            return _jitted.__wrapped__(function, tree, known, ())(*arrays)

    return call


@cache
def _jitted(function: Callable[..., Any], tree: Any, known: tuple[Any, ...], kinds: tuple[type, ...]
            ) -> Callable[..., Any]:
    """The function of the arrays alone, which are None among the ``known`` arguments; 2 and 2.0 are equal, but of two
    ``kinds``."""

    def of_arrays(*arrays: Any) -> Any:
        left = iter(arrays)
        positional, named = tree.unflatten([next(left) if a is None else a for a in known])
        return function(*positional, **named)

    return sys.modules["jax"].jit(of_arrays)  # type: ignore[no-any-return]
