# mypy: disable-error-code="no-any-return, type-arg"
"""What emitted modules do with what they are given: names, kinds, shapes and ranges are checked once, by forward."""

from __future__ import annotations

import numpy as np


def check_names(given: dict, declared: dict | tuple, what: str) -> None:
    """ValueError unless given is a mapping with exactly the declared names."""
    check_mapping(given, what)
    if {*given} != {*declared}:
        missing = [name for name in declared if name not in given]
        extra = [name for name in given if name not in declared]
        wrong = f"no {missing[0]!r}" if missing else f"an unknown name {extra[0]!r}"
        raise ValueError(f"{what} has {wrong}; it needs {', '.join(declared) or 'nothing'}")


def kinds_of(params: dict, data: dict) -> tuple | None:
    """The names in two dicts, and the types, shapes and dtypes of what they hold; None where that is neither float nor
    array."""
    if type(params) is not dict or type(data) is not dict:
        return None
    given = [*params.values(), *data.values()]
    try:
        return [*params], [*data], [float if type(a) is float else (type(a), a.shape, a.dtype) for a in given]
    except AttributeError:
        return None


def check_mapping(given: object, what: str) -> None:
    """ValueError for what is no mapping, as a dict is or what np.load returns."""
    if not hasattr(given, "keys"):
        raise ValueError(f"{what} has to be a dict of arrays by name, not {type(given).__name__}")


def as_array(name: str, value: object) -> np.ndarray:
    """The value as an array of real numbers; ValueError naming it for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is not an array of real numbers: its dtype is {array.dtype}")
    return array


def as_integers(name: str, array: np.ndarray) -> np.ndarray:
    """Integer data; an empty list is fine, floats are not."""
    if array.dtype.kind == "f" and array.size:
        raise ValueError(f"{name} has to hold integers, not {array.dtype}")
    return array.astype(np.intp, copy=False)


def in_dtype(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array in a dtype; one without axes as a number. What is that already stays the same."""
    ready = type(array) is dtype.type or (type(array) is np.ndarray and array.dtype == dtype and array.ndim > 0)
    return array if ready else np.asarray(array, dtype)[()]


def float_dtypes(given: dict) -> dict:
    """The precisions asked for, by name: of what has a dtype of floats; lists and plain numbers follow the others."""
    dtypes = {name: np.asarray(value).dtype for name, value in given.items() if hasattr(value, "dtype")}
    return {name: dtype for name, dtype in dtypes.items() if dtype.kind == "f"}


def computing_dtype(dtypes: dict, default: type) -> np.dtype:
    """The dtype to compute in: what the given ones have in common, at least float32, or the default."""
    kinds = set(dtypes.values())
    return np.result_type(np.float32, *kinds) if kinds else np.dtype(default)


def as_floats(params: dict, default: type) -> dict[str, np.ndarray]:
    """The parameters as arrays of floats, in the dtypes that forward takes them to have."""
    check_mapping(params, "params")
    dtypes = float_dtypes(params)
    dtype = computing_dtype(dtypes, default)
    return {name: as_array(name, value).astype(dtypes.get(name, dtype)) for name, value in params.items()}


def misfit(name: str, array: np.ndarray, shape: tuple, sizes: dict) -> ValueError:
    """The ValueError for an array of another shape than the declared one."""
    symbolic = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    words = "".join(c if c.isalnum() or c == "_" else " " for c in symbolic).split()
    known = ", ".join(f"{d} = {sizes[d]}" for d in dict.fromkeys([*shape, *words]) if d in sizes)
    text = f"{name} has shape {array.shape}, expected {symbolic}" + (f" with {known}" if known else "")
    if array.ndim == len(shape):
        axis, wanted = next((k, sizes.get(d, d)) for k, d in enumerate(shape) if array.shape[k] != sizes.get(d, d))
        text += f": axis {axis} is {array.shape[axis]}, not {wanted}"
    return ValueError(text)


def fitting(given: dict, like: dict, shapes: dict, what: str, needed: bool = True) -> dict:
    """What is given by name, with arrays of the shapes of those in ``like``; ValueError where one has another shape,
    or is needed and missing."""
    check_mapping(given, what)
    missing = [name for name in like if name not in given]
    if missing and needed:
        raise ValueError(f"{what} has no {missing[0]!r}")
    arrays = {name: as_array(f"{what}[{name!r}]", given[name]) for name in like if name in given}
    for name, array in arrays.items():
        if array.shape != like[name].shape:
            sizes = {d: n for other, w in like.items() for d, n in zip(shapes.get(other, ()), w.shape, strict=False)}
            raise misfit(f"{what}[{name!r}]", array, shapes.get(name, like[name].shape), sizes)
    return {**given, **arrays}


def check_directions(v: dict, needed: dict, perhaps: dict) -> None:
    """ValueError unless v has the names that are ``needed``, and of others at most those that come ``perhaps``."""
    check_mapping(v, "v")
    wrong = [f"no {name!r}" for name in needed if name not in v]
    wrong += [f"an unknown name {name!r}" for name in v if name not in needed and name not in perhaps]
    if wrong:
        also = f", and perhaps {', '.join(perhaps)}" if perhaps else ""
        raise ValueError(f"v has {wrong[0]}; it needs {', '.join(needed) or 'nothing'}{also}")


def directions(v: dict, needed: dict, perhaps: dict, arrays: dict, sizes: dict, dtype: np.dtype) -> dict:
    """The arrays in v, by the names of those along which they point and in their shapes; ValueError for others. Of the
    inputs, which come ``perhaps``, one that is left out is 0."""
    check_directions(v, needed, perhaps)
    found = {}
    for name, shape in {**needed, **perhaps}.items():
        array = as_array(f"v[{name!r}]", v[name]) if name in v else np.zeros(np.shape(arrays[name]))
        if array.shape != np.shape(arrays[name]):
            raise misfit(f"v[{name!r}]", array, shape, sizes)
        found[name] = array.astype(dtype, copy=False)[()]
    return found


def check_ranks(arrays: dict, shapes: dict) -> None:
    """ValueError for the first array that has more or fewer axes than declared."""
    for name, shape in shapes.items():
        if arrays[name].ndim != len(shape):
            raise misfit(name, arrays[name], shape, {})


def check_shapes(arrays: dict, shapes: dict, sizes: dict) -> None:
    """ValueError for the first array whose shape is not the declared one under these sizes."""
    for name, shape in shapes.items():
        if arrays[name].shape != tuple([sizes.get(dim, dim) for dim in shape]):
            raise misfit(name, arrays[name], shape, sizes)


def check_range(name: str, array: np.ndarray, bound: str | int, sizes: dict) -> None:
    """ValueError unless 0 <= array < bound everywhere."""
    if array.size and not (array.min() >= 0 and array.max() < sizes.get(bound, bound)):
        wrong = array.min() if array.min() < 0 else array.max()
        limit = f"{bound} = {sizes[bound]}" if bound in sizes else bound
        raise ValueError(f"{name} holds {wrong}, outside 0 <= {name} < {limit}")


def generator(rng: np.random.Generator | int) -> np.random.Generator:
    """A numpy.random.Generator; a seed makes one, which may be a 0-d array."""
    if not isinstance(rng, int) and hasattr(rng, "standard_normal"):
        return rng
    try:
        return np.random.default_rng(np.asarray(rng)[()] if getattr(rng, "shape", None) == () else rng)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rng has to be a numpy.random.Generator, or a whole number as a seed: {error}") from None


def named_sizes(given: dict, declared: dict) -> dict[str, int]:
    """Sizes given by name, checked; ValueError for an unknown name and for what is no size."""
    if not hasattr(given, "items"):
        raise ValueError(f"dims has to be a dict of sizes by name, as in {{'N': 4}}, not {given!r}")
    for name, size in given.items():
        if name not in declared:
            near = nearest(str(name), declared)
            known = ", ".join(declared) or "none"
            raise ValueError(f"there is no dimension {name!r}; the model has {known}" + near)
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise ValueError(f"the size of {name} has to be a whole number, 0 or more, not {size!r}")
    return {name: int(size) for name, size in given.items()}


def nearest(name: str, known: dict) -> str:
    """A question whether the name with the most letters in common was meant."""
    common = {k: sum(min(k.lower().count(c), name.lower().count(c)) for c in set(k.lower())) for k in known}
    best = max(known, key=lambda k: common[k] / (len(k) + len(name)), default="")
    return f". Did you mean {best!r}?" if common.get(best) else ""


def add_sizes(sizes: dict, dims: dict, defaults: dict, arrays: dict, shapes: dict) -> None:
    """Put the sizes in dims into the table; ValueError where an array shows another one."""
    told = named_sizes(dims, defaults)
    for name, shape in shapes.items():
        for axis, found in enumerate(arrays[name].shape):
            dim = shape[axis]
            if told.get(dim, found) != found:
                wrong = f"{name} has {found} entries along axis {axis} ({dim})"
                raise ValueError(f"{wrong}, but dims says {dim} = {told[dim]}")
    sizes.update(told)


def require(sizes: dict, dim: str) -> None:
    """ValueError unless a size that no array shows was given."""
    if dim not in sizes:
        call = f"forward(params, data, dims={{'{dim}': 4}})"
        raise ValueError(f"no array shows how large {dim} is: give it, as in {call}")


def whole(size: str, top: int, bottom: int) -> int:
    """top / bottom; ValueError where it is not a whole number."""
    if bottom == 0 or top % bottom:
        raise ValueError(f"{size} has to be a whole number, but is {top}/{bottom}")
    return top // bottom


def at_most(name: str, size: int, other: str, limit: int) -> None:
    """ValueError where one size is larger than another, so that a slice would leave its array, or a number of steps or
    entries be below 0."""
    if size > limit and name == "0":
        raise ValueError(f"the sizes are too small: {other} = {limit} has to be 0 or more")
    if size > limit:
        raise ValueError(f"a slice leaves its array: {name} = {size} is more than {other} = {limit}")


def chosen(dims: dict, defaults: dict, needed: tuple, hidden: tuple = ()) -> list[int]:
    """The sizes needed, from those given or the defaults; ValueError for a name that is unknown or missing, and for
    another size than the default where no array would show it: forward would compute with the default."""
    dims = named_sizes(dims, defaults)
    for name in hidden:
        if defaults[name] is not None and dims.get(name, defaults[name]) != defaults[name]:
            size, default = dims[name], defaults[name]
            raise ValueError(
                f"no array shows that {name} = {size}, and forward computes with {name} = {default}: leave {name} out "
                f"here, and call forward(params, data, dims={{'{name}': {size}}}) with arrays that fit"
            )
    found = {name: dims.get(name, defaults[name]) for name in needed}
    missing = [name for name, size in found.items() if size is None]
    if missing:
        raise ValueError(f"init_params needs a size for {missing[0]}, as in init_params(rng, {missing[0]}=4)")
    return list(found.values())
