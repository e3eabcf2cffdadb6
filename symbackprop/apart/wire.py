"""How values travel between the two processes: what is small as JSON, arrays as their bytes.

Nothing that comes in is ever unpickled or run. A message is `MAGIC`, the length of its JSON, the JSON, and the bytes of
the arrays that it counts.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any, BinaryIO

import numpy as np

from symbackprop.apart.files import called
from symbackprop.apart.libraries import Foreign, native, precision

MAGIC = b"sbp1"
_HEAD = struct.Struct(">4sQ")
_DTYPE = re.compile(r"[<>|=]?[fiubc]\d{1,2}")
LONGEST = 1 << 28  # bytes of JSON


class WireError(Exception):
    """What came in is no message."""


@dataclass(frozen=True)
class Thing:
    """A value that does not travel: of which class it is, and by which number the other process knows it (0: none)."""

    kind: str
    number: int = 0


@dataclass(frozen=True)
class Dense:
    """All of an array that the other process keeps compressed: of that only the whole travels."""

    array: Any

    def dense(self) -> Any:
        return self.array


Find = Callable[[Any], "Thing | None"]


# -- messages
def message(value: Any, find: Find = lambda value: None) -> bytes:
    """A value as a message; ``find`` says which objects stay here, as what."""
    buffers: list[bytes] = []
    tree = packed(value, buffers, find)
    text = json.dumps([tree, [len(b) for b in buffers]]).encode()
    return b"".join([_HEAD.pack(MAGIC, len(text)), text, *buffers])


def read(stream: BinaryIO, largest: float = float("inf"), get: Callable[[Thing], Any] = lambda thing: thing) -> Any:
    """The next value; ``get`` turns a thing into what it stands for here. Raises `EOFError` at the end of the stream
    and `WireError` for what is no message or has more than ``largest`` bytes."""
    magic, length = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if magic != MAGIC or length > LONGEST:
        raise WireError("no message")
    try:
        tree, sizes = json.loads(_exactly(stream, length))
        if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) > largest:
            raise WireError("too long")
        parts = memoryview(_exactly(stream, sum(sizes)))
        return unpacked(tree, [parts[end - n : end] for n, end in zip(sizes, accumulate(sizes), strict=True)], get)
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise WireError(str(error)) from error


def _exactly(stream: BinaryIO, length: int) -> bytes:
    found = stream.read(length)
    if len(found) != length:
        raise EOFError
    return found


# -- values
def packed(value: Any, buffers: list[bytes], find: Find) -> Any:
    """A value as JSON: a plain one as it is, any other as a list that begins with what it is."""
    thing = value if isinstance(value, Thing) else find(value)
    if thing is not None:
        return ["thing", thing.kind, thing.number]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return _packed_arrays(value, buffers, find) or [
            "dict", [[packed(k, buffers, find), packed(v, buffers, find)] for k, v in value.items()]]
    if isinstance(value, (tuple, list)):
        items = [packed(v, buffers, find) for v in value]
        return ["list" if isinstance(value, list) else "tuple", items]
    if isinstance(value, np.random.Generator):
        return ["generator", packed(value.bit_generator.state, buffers, find)]
    return _packed_array(value, buffers) or _packed_whole(value, buffers) or ["thing", type(value).__name__, 0]


def _packed_arrays(value: Mapping[Any, Any], buffers: list[bytes], find: Find) -> Any:
    """A dict, by name, of arrays and scalars of NumPy's that are of one dtype and lie in memory as they are counted: a
    model may have thousands. None for any other."""
    arrays = [*value.values()]
    if not all((type(v) is np.ndarray or isinstance(v, np.generic)) and v.flags.c_contiguous and find(v) is None
               for v in arrays):
        return None
    dtypes = {v.dtype for v in arrays}
    if len(dtypes) != 1 or (dtype := dtypes.pop()).kind not in "fiubc" or not all(type(k) is str for k in value):
        return None
    buffers.append(b"".join([v.tobytes() for v in arrays]))
    shapes = [v.shape if isinstance(v, np.ndarray) else None for v in arrays]
    return ["arrays", dtype.str, [*value], shapes, len(buffers) - 1]


def _unpacked_arrays(dtype: str, names: list[str], shapes: list[Any], data: memoryview) -> dict[str, Any]:
    flat, start, found = np.frombuffer(data, dtype), 0, dict[str, Any]()
    for name, shape in zip(names, shapes, strict=True):
        end = start + (1 if shape is None else prod(shape))
        found[name] = flat[start] if shape is None else flat[start:end].reshape(shape).copy()
        start = end
    if start != len(flat):
        raise WireError("more numbers than arrays")
    return found


def _packed_whole(value: Any, buffers: list[bytes]) -> Any:
    """What has a method ``dense`` that gives an array."""
    if isinstance(value, type) or not callable(dense := getattr(value, "dense", None)):
        return None
    try:
        found = _packed_array(called(dense, "dense", None), buffers)
    except Exception:
        return None
    return None if found is None else ["dense", found]


def _packed_array(value: Any, buffers: list[bytes]) -> Any:
    """An array, a scalar of NumPy's, or the name of a precision; None for anything else."""
    if not hasattr(value, "shape") or isinstance(value, (type, np.dtype)):
        dtype = precision(value)
        return None if dtype is None else ["dtype", dtype.name]
    array = native(value)
    if array is None:
        return None
    numbers, kind = (array.array, array.precision) if isinstance(array, Foreign) else (array, "")
    buffers.append(np.ascontiguousarray(numbers).tobytes())
    what = "scalar" if isinstance(value, np.generic) and not kind else "array"
    return [what, numbers.dtype.str, list(numbers.shape), len(buffers) - 1, kind, _layout(numbers)]


def _layout(array: Any) -> str:
    """How an array lies in memory, where that is something that code might rely on in vain."""
    strides = [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
    return "" if not strides else "repeated" if not any(strides) else "scattered" if min(strides) < 0 else ""


def scattered(array: Any) -> Any:
    """The same numbers as every other entry of a larger array, from its end."""
    if array.ndim == 0:
        return array
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype, order="F")
    wide[..., ::-2] = array
    return wide[..., ::-2]


def _laid_out(array: Any, layout: str) -> Any:
    if layout == "repeated" and array.size:
        return np.broadcast_to(array.reshape(-1)[0], array.shape)
    return scattered(array) if layout == "scattered" else array


def unpacked(tree: Any, buffers: Sequence[memoryview], get: Callable[[Thing], Any]) -> Any:
    if not isinstance(tree, list):
        return tree
    match tree:
        case ["thing", str(kind), int(number)]:
            return get(Thing(kind, number))
        case ["dict", list(items)]:
            return {unpacked(k, buffers, get): unpacked(v, buffers, get) for k, v in items}
        case ["arrays", str(dtype), list(names), list(shapes), int(k)] if _DTYPE.fullmatch(dtype):
            return _unpacked_arrays(dtype, names, shapes, buffers[k])
        case ["list", list(items)]:
            return [unpacked(v, buffers, get) for v in items]
        case ["tuple", list(items)]:
            return tuple(unpacked(v, buffers, get) for v in items)
        case ["generator", state]:
            return _generator(unpacked(state, buffers, get))
        case ["dense", whole]:
            return Dense(unpacked(whole, buffers, get))
        case ["dtype", str(name)]:
            return np.dtype(name)
        case ["array" | "scalar" as what, str(dtype), list(shape), int(k), kind, layout] if _DTYPE.fullmatch(dtype):
            array = _laid_out(np.frombuffer(buffers[k], dtype).reshape([int(n) for n in shape]).copy(), layout)
            return Foreign(array, kind) if kind else array[()] if what == "scalar" else array
    raise WireError("a value of no known kind")


def _generator(state: Any) -> np.random.Generator:
    """A generator of random numbers in a given state, of one of NumPy's own kinds."""
    kinds = {k.__name__: k for k in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox,
                                     np.random.SFC64)}
    made = kinds[state["bit_generator"]]()
    made.state = state
    return np.random.Generator(made)
