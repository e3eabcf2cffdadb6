# mypy: disable-error-code="no-any-return, type-arg"
"""What emitted modules do with what they return: gradients get their array's dtype and the upstream factor."""

from __future__ import annotations

import numpy as np

from symbackprop.codegen.helpers.checks import as_array


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
    """The arrays in the dtypes to return them in."""
    return {name: np.asarray(array, dtypes.get(name))[()] for name, array in arrays.items()}


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


def stack(kept: dict, name: str, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """An array of a workspace, made when it is first asked for."""
    if name not in kept:
        kept[name] = np.empty(shape, dtype)
    return kept[name]
