"""A composition of somebody else's function: made into a model, emitted, run, and held against that function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symbackprop import Model
from symbackprop.codegen import codegen
from symbackprop.core.graph import Node

TOLERANCE = 1e-8


class Session:
    """The model of one call: its arrays become inputs (a gradient is wanted) or data, whose values stay known."""

    def __init__(self) -> None:
        self.model = Model("conformance")
        self.arrays: dict[str, np.ndarray] = {}
        self.known: dict[int, np.ndarray] = {}
        self.masks: set[int] = set()
        self.name = self.process = ""
        self.names = 0

    def leaf(self, array: np.ndarray, wanted: bool) -> Node:
        """A row for an array: an input, integers below what they need, or data."""
        name, array = f"x{len(self.arrays)}", np.asarray(array)
        mask = array.dtype.kind == "b"
        if array.dtype.kind in "bui" and (array.size == 0 or array.min() >= 0):
            array = array.astype(np.int64)
            row = self.model.data(name, array.shape, below=int(array.max(initial=0)) + 1)
        else:
            array = array.astype(np.float64)
            row = (self.model.input if wanted else self.model.data)(name, array.shape)
        self.arrays[name], self.known[row.id] = array, array
        self.masks |= {row.id} if mask else set()
        return row

    def given(self, array: Any) -> Node:
        """Integers that a caller works out before (which places a mask chooses)."""
        return self.leaf(np.asarray(array), False)

    def value(self, row: Any) -> Any:
        """The numbers of an argument, where a size depends on them."""
        if not isinstance(row, Node):
            return row
        found = self.known[row.id]
        return found.astype(bool) if row.id in self.masks else found

    def fresh(self, word: str) -> str:
        """A name that nothing has."""
        self.names += 1
        return f"{word}_{chr(97 + self.names // 26)}{chr(97 + self.names % 26)}"

    def called(self, word: str, row: Node) -> Node:
        """A row that may be given a name."""
        return row

    def has(self, row: Node) -> bool:
        """Whether a row is an argument, whose numbers are known."""
        return row.id in self.known

    def run(self, outputs: Sequence[Node], upstream: Sequence[np.ndarray], target: str = "numpy"
            ) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
        """Values of the outputs and gradients of the inputs, by the emitted module."""
        m = self.model
        names = [m.output(f"Y{k}", y).name for k, y in enumerate(outputs)]
        space: dict[str, Any] = {"__name__": "emitted"}
        exec(compile(codegen(m, target=target), "emitted", "exec"), space)
        data = {n: a for n, a in self.arrays.items()}
        found, cache = space["forward"]({}, data)
        values = [found] if len(names) == 1 else [found[n] for n in names]
        seeds: Any = upstream[0] if len(names) == 1 else dict(zip(names, upstream, strict=True))
        return [np.asarray(v) for v in values], space["backward"](cache, seeds)


class Differs(Exception):
    """A value that is not the expected one."""


def agree(what: str, ours: Any, theirs: Any, tolerance: float = TOLERANCE) -> None:
    """Raise `Differs` where shapes or values are not equal."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if ours.shape != theirs.shape:
        raise Differs(f"{what}: shape {ours.shape}, not {theirs.shape}")
    if not ours.size:
        return
    finite = theirs[np.isfinite(theirs)]
    scale = max(1.0, float(np.max(np.abs(finite), initial=0.0)))
    good = np.isclose(ours, theirs, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
    if not good.all():
        k = tuple(map(int, np.argwhere(~good)[0]))
        raise Differs(f"{what}{list(k) if k else ''}: {ours[k]:.8g}, not {theirs[k]:.8g}")


Composition = Callable[..., Any]
