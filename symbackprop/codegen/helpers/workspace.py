# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Workspaces of -O2 modules: arrays that one call leaves for the next one to write into."""

from __future__ import annotations

import numpy as np


def buffers(workspace, sizes, dtype):
    """The arrays of a workspace by variable, an empty table without one; ValueError for one of other sizes."""
    if workspace is None:
        return {}
    if workspace["sizes"] != sizes or workspace["dtype"] != dtype:
        raise ValueError(f"the workspace was made for {workspace['sizes']}, {workspace['dtype']}; not {sizes}, {dtype}")
    return workspace["arrays"]


def stack(w, name, shape, dtype):
    """An array of a workspace, made when it is first asked for."""
    if name not in w:
        w[name] = np.empty(shape, dtype)
    return w[name]
