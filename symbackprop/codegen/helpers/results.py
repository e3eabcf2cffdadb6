# mypy: disable-error-code="no-any-return, type-arg"
"""What emitted modules do with what they return: gradients get their array's dtype and the upstream factor."""

from __future__ import annotations

import numpy as np

from symbackprop.codegen.helpers.checks import as_array, generator, in_dtype


def check_cache(cache: dict, mark: str) -> None:
    """ValueError for what forward did not return."""
    if not isinstance(cache, dict) or mark not in cache:
        raise ValueError("backward takes the cache, which is the second of the two that forward returns")


def scaled(grads: dict, dtypes: dict, upstream: np.ndarray | float) -> dict[str, np.ndarray]:
    """The gradients of a loss times its upstream gradient, a number; each in the dtype of its array."""
    if not isinstance(upstream, float) and as_array("upstream", upstream).ndim != 0:
        raise ValueError(f"upstream has to be a number, the gradient of the loss; its shape is {np.shape(upstream)}")
    if upstream != 1:
        grads = {name: grad * upstream for name, grad in grads.items()}
    return returned(grads, dtypes)


def returned(arrays: dict, dtypes: dict) -> dict[str, np.ndarray]:
    """The arrays in the dtypes to return them in; those of intermediates stay as they are."""
    return {n: in_dtype(a, dtypes[n]) if n in dtypes else np.asarray(a)[()] for n, a in arrays.items()}


class Block:
    """A block of a Jacobian or Hessian, kept compressed: a sum of products of arrays at letters, some of them equal.

    ``structure`` says what it looks like, ``arrays`` are what it is made of; ``dense()`` is all of it, with the axes of
    the array that is differentiated and then those of the one by which. ``parts`` are (arrays, letters, ties).
    """

    def __init__(self, structure: str, letters: str, shape: tuple, parts: tuple) -> None:
        self.structure, self.letters, self.shape, self.parts = structure, letters, shape, parts
        self.arrays = tuple(array for arrays, _, _ in parts for array in arrays)

    def __repr__(self) -> str:
        return f"Block({self.structure!r}, {self.shape})"

    def dense(self) -> np.ndarray:
        """All entries."""
        sizes = dict(zip(self.letters, self.shape, strict=True))
        whole = np.zeros(self.shape, np.result_type(*self.arrays) if self.arrays else float)
        for arrays, letters, ties in self.parts:
            eyes = [np.eye(sizes[tie[0]], dtype=whole.dtype) for tie in ties]
            array, kept = multiplied([*arrays, *eyes], [*letters, *ties], self.letters)
            whole = whole + array.reshape([sizes[c] if c in kept else 1 for c in self.letters])
        return whole


def multiplied(arrays: list, letters: list, wanted: str) -> tuple[np.ndarray, str]:
    """The product of arrays at letters, two at a time, and the letters that it has of those that are wanted."""
    arrays, letters = list(arrays), list(letters)
    while len(arrays) > 1:
        rest = wanted + "".join(letters[2:])
        kept = "".join(c for c in dict.fromkeys(letters[0] + letters[1]) if c in rest)
        arrays[:2] = [np.einsum(f"{letters[0]},{letters[1]}->{kept}", arrays[0], arrays[1])]
        letters[:2] = [kept]
    kept = "".join(c for c in wanted if c in letters[0])
    return np.einsum(f"{letters[0]}->{kept}", np.asarray(arrays[0])), kept


def compiled(product: object) -> object:
    """A product that is taken many times, as it is: NumPy has nothing to compile."""
    return product


def by_products(hvp: object, params: dict, data: dict, dims: dict | None, names: tuple) -> dict[tuple[str, str], Block]:
    """A Hessian by products with unit vectors, where no compressed form is known."""
    given = {**params, **data}
    zeros = {name: np.zeros(np.shape(given[name])) for name in names}
    columns: dict = {name: [] for name in names}
    along = compiled(lambda v: hvp(params, data, v, dims=dims))  # type: ignore[operator]
    for name in names:
        for k in range(max(np.size(given[name]), 1)):  # one column of an empty array: its dtype
            unit = (np.arange(np.size(given[name])) == k) * 1.0
            v = {**zeros, name: unit.reshape(np.shape(given[name]))}
            columns[name].append(along(v))  # type: ignore[operator]
    found = {}
    for a in names:
        for b in names:
            shape = np.shape(given[a]) + np.shape(given[b])
            array = np.stack([np.asarray(column[a]) for column in columns[b]], -1)
            letters = "abcdefghijklmnopqrstuvwxyz"[: len(shape)]
            terms = ((array[..., : np.size(given[b])].reshape(shape),), (letters,), ())
            found[a, b] = Block("dense", letters, shape, (terms,))
    return found


def estimated(hvp: object, rng: object, samples: int, params: dict, data: dict, dims: dict | None, names: tuple
              ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The diagonal of a Hessian in these arrays as the mean of v * H v over random signs v, and its standard error, by
    name."""
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 2:
        raise ValueError(f"samples has to be a whole number, 2 or more, not {samples!r}")
    given, draws = {**params, **data}, generator(rng)  # type: ignore[arg-type]
    mean, spread = ({name: np.zeros(()) for name in names} for _ in range(2))
    along = compiled(lambda v: hvp(params, data, v, dims=dims))  # type: ignore[operator]
    for k in range(samples):
        v = {name: signs(draws, name, given) for name in names}
        v = {**{name: np.zeros(np.shape(array)) for name, array in params.items()}, **v}
        product = along(v)  # type: ignore[operator]
        for name in names:
            term = v[name] * product[name]
            off = term - mean[name]
            mean[name] = mean[name] + off / (k + 1)
            spread[name] = spread[name] + off * (term - mean[name])
    errors = {name: np.sqrt(spread[name] / (samples - 1) / samples) for name in names}
    dtypes = {name: product[name].dtype for name in names}
    return returned(mean, dtypes), returned(errors, dtypes)


def signs(draws: object, name: str, given: dict) -> np.ndarray:
    """Random signs of the shape of one of the arrays."""
    drawn = draws.standard_normal(np.shape(given[name]))  # type: ignore[attr-defined]
    return np.where(drawn < 0, -1.0, 1.0)


def by_backward(forward: object, backward: object, params: dict, data: dict, dims: dict | None, names: tuple,
                outputs: tuple) -> dict[tuple[str, str], Block]:
    """A Jacobian by unit upstream gradients, where no compressed form is known."""
    given, found = {**params, **data}, {}
    results, cache = forward(params, data, dims=dims)  # type: ignore[operator]
    back = compiled(lambda upstream: backward(cache, upstream))  # type: ignore[operator]
    for output in outputs:
        value = results[output] if len(outputs) > 1 else results
        size, rows = np.size(value), []
        for k in range(max(size, 1)):
            unit = ((np.arange(size) == k) * 1.0).reshape(np.shape(value))[()]
            rows.append(back({output: unit} if len(outputs) > 1 else unit))  # type: ignore[operator]
        for name in names:
            shape = np.shape(value) + np.shape(given[name])
            array = np.stack([np.asarray(row[name]) for row in rows])[:size].reshape(shape)
            letters = "abcdefghijklmnopqrstuvwxyz"[: len(shape)]
            found[output, name] = Block("dense", letters, shape, (((array,), (letters,), ()),))
    return found


def joined(blocks: dict, params: dict, data: dict, names: tuple) -> np.ndarray:
    """Blocks in their places in one matrix."""
    given = {**params, **data}
    rows = [[blocks[a, b].dense().reshape(np.size(given[a]), np.size(given[b])) for b in names] for a in names]
    return np.concatenate([np.concatenate(row, 1) for row in rows], 0)


def those_in(wanted: set, found: dict) -> dict:
    """What was found of the names that are wanted."""
    return {name: array for name, array in found.items() if name in wanted}


def upstream_array(name: str, value: object, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """The upstream gradient of an output, checked against the output's shape."""
    array = as_array(f"the upstream gradient of {name}", value)
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {array.shape}, expected {shape}")
    return array.astype(dtype, copy=False)[()]


def upstream_arrays(values: dict, shapes: dict, dtype: np.dtype) -> dict[str, np.ndarray]:
    """The upstream gradients of several outputs, by name; one that is left out is zero."""
    if not hasattr(values, "keys") or not {*values} <= {*shapes}:
        raise ValueError(f"upstream has to be a dict with gradients of {', '.join(shapes)}")
    return {
        name: upstream_array(name, values[name], shape, dtype) if name in values else np.zeros(shape, dtype)
        for name, shape in shapes.items()
    }


# -- workspaces of -O2 modules: arrays that one call leaves for the next one to write into


def buffers(workspace: dict | None, sizes: dict, dtype: np.dtype) -> dict:
    """The arrays of a workspace by variable, an empty table without one; ValueError for one of other sizes."""
    if workspace is None:
        return {}
    if not isinstance(workspace, dict) or "arrays" not in workspace:
        raise ValueError("workspace has to be what make_workspace(params, data) returns")
    if workspace["sizes"] != sizes or workspace["dtype"] != dtype:
        raise ValueError(f"the workspace was made for {workspace['sizes']}, {workspace['dtype']}; not {sizes}, {dtype}")
    return workspace["arrays"]


def stack(kept: dict, name: str, shape: tuple, dtype: np.dtype | type) -> np.ndarray:
    """An array of a workspace, made when it is first asked for."""
    if name not in kept:
        kept[name] = np.empty(shape, dtype)
    return kept[name]
