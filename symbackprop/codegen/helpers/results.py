# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""What emitted modules do with what they return: gradients get their array's dtype and the upstream factor."""

from __future__ import annotations

import numpy as np


def scaled(grads, dtypes, upstream):
    """The gradients of a loss times its upstream gradient, a number; each in the dtype of its array."""
    if not isinstance(upstream, float) and np.ndim(upstream) != 0:
        raise ValueError(f"upstream has to be a number, the gradient of the loss; its shape is {np.shape(upstream)}")
    if upstream != 1:
        grads = {name: grad * upstream for name, grad in grads.items()}
    return returned(grads, dtypes)


def returned(arrays, dtypes):
    """The arrays in the dtypes to return them in."""
    return {name: np.asarray(array, dtypes.get(name))[()] for name, array in arrays.items()}


def upstream_array(name, value, shape, dtype):
    """The upstream gradient of an output, checked against the output's shape."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"the upstream gradient of {name} is no array of real numbers: its dtype is {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {array.shape}, expected {shape}")
    return array.astype(dtype, copy=False)[()]


def upstream_arrays(values, shapes, dtype):
    """The upstream gradients of several outputs, by name; one that is left out is zero."""
    if not hasattr(values, "keys") or not {*values} <= {*shapes}:
        raise ValueError(f"upstream has to be a dict with gradients of {', '.join(shapes)}")
    return {
        name: upstream_array(name, values[name], shape, dtype) if name in values else np.zeros(shape, dtype)
        for name, shape in shapes.items()
    }


# -- workspaces of -O2 modules: arrays that one call leaves for the next one to write into


def buffers(workspace, sizes, dtype):
    """The arrays of a workspace by variable, an empty table without one; ValueError for one of other sizes."""
    if workspace is None:
        return {}
    if workspace["sizes"] != sizes or workspace["dtype"] != dtype:
        raise ValueError(f"the workspace was made for {workspace['sizes']}, {workspace['dtype']}; not {sizes}, {dtype}")
    return workspace["arrays"]


def stack(kept, name, shape, dtype):
    """An array of a workspace, made when it is first asked for."""
    if name not in kept:
        kept[name] = np.empty(shape, dtype)
    return kept[name]
