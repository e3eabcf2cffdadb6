# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""What emitted modules do with what they are given: names, kinds, shapes and ranges are checked once, by forward."""

from __future__ import annotations

import numpy as np


def check_names(given, declared, what):
    """ValueError unless given is a dict with exactly the declared names."""
    if not isinstance(given, dict):
        raise ValueError(f"{what} has to be a dict of arrays by name, not {type(given).__name__}")
    missing = [name for name in declared if name not in given]
    extra = [name for name in given if name not in declared]
    if missing or extra:
        wrong = f"no {missing[0]!r}" if missing else f"an unknown name {extra[0]!r}"
        raise ValueError(f"{what} has {wrong}; it needs {', '.join(declared) or 'nothing'}")


def as_array(name, value):
    """The value as an array of real numbers; ValueError naming it for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is not an array of real numbers: its dtype is {array.dtype}")
    return array


def as_integers(name, array):
    """Integer data; an empty list is fine, floats are not."""
    if array.dtype.kind == "f" and array.size:
        raise ValueError(f"{name} has to hold integers, not {array.dtype}")
    return array.astype(np.intp)


def float_dtypes(given):
    """The precisions asked for, by name: of what has a dtype of floats; lists and plain numbers follow the others."""
    dtypes = {name: getattr(value, "dtype", None) for name, value in given.items()}
    return {name: dtype for name, dtype in dtypes.items() if dtype is not None and dtype.kind == "f"}


def computing_dtype(dtypes, default):
    """The dtype to compute in: what the given ones have in common, at least float32, or the default."""
    kinds = set(dtypes.values())
    return np.result_type(np.float32, *kinds) if kinds else np.dtype(default)


def misfit(name, array, shape, sizes):
    """The ValueError for an array of another shape than the declared one."""
    symbolic = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    known = ", ".join(f"{d} = {sizes[d]}" for d in dict.fromkeys(shape) if d in sizes)
    return ValueError(f"{name} has shape {array.shape}, expected {symbolic}" + (f" with {known}" if known else ""))


def check_ranks(arrays, shapes):
    """ValueError for the first array that has more or fewer axes than declared."""
    for name, shape in shapes.items():
        if arrays[name].ndim != len(shape):
            raise misfit(name, arrays[name], shape, {})


def check_shapes(arrays, shapes, sizes):
    """ValueError for the first array whose shape is not the declared one under these sizes."""
    for name, shape in shapes.items():
        if arrays[name].shape != tuple([sizes.get(dim, dim) for dim in shape]):
            raise misfit(name, arrays[name], shape, sizes)


def check_range(name, array, bound, sizes):
    """ValueError unless 0 <= array < bound everywhere."""
    if array.size and not (array.min() >= 0 and array.max() < sizes.get(bound, bound)):
        wrong = array.min() if array.min() < 0 else array.max()
        limit = f"{bound} = {sizes[bound]}" if bound in sizes else bound
        raise ValueError(f"{name} holds {wrong}, outside 0 <= {name} < {limit}")


def chosen(dims, defaults, needed):
    """The sizes needed, from those given or the defaults; ValueError for a name that is unknown or missing."""
    unknown = [name for name in dims if name not in defaults]
    if unknown:
        raise ValueError(f"there is no dimension {unknown[0]!r}; the model has {', '.join(defaults) or 'none'}")
    found = {name: dims.get(name, defaults[name]) for name in needed}
    missing = [name for name, size in found.items() if size is None]
    if missing:
        raise ValueError(f"init_params needs a size for {missing[0]}, as in init_params(rng, {missing[0]}=4)")
    return [int(size) for size in found.values()]
