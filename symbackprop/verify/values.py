"""Given numbers: arrays by name against what a model declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core.graph import INT, SIMPLEX, SYMMETRIC, Node
from symbackprop.core.shapes import Dim, dim_text, evaluate_dim, evaluate_shape, shape_text
from symbackprop.errors import ModelError, ShapeError, did_you_mean

OFF = 1e-6  # how far what is stated of an array may be off: numbers in float32, or written with a few digits


class Sizes(dict[str, int]):
    """Sizes by dimension; one that is missing is the user's to give."""

    def __missing__(self, name: str) -> int:
        hint = f"no array shows it: give it, as in --dim {name}=4"
        raise ModelError(f"no size is given for the dimension {name}; {hint}")


def infer_sizes(leaves: Iterable[Node], values: Mapping[str, Any], given: Mapping[str, int],
                defaults: Mapping[str, int | None] | None = None) -> Sizes:
    """A size for every dimension: the given one, else what the leaves' arrays say it is, else the default. Raises
    `ShapeError` for an array with more or fewer axes than its leaf."""
    pairs: list[tuple[Dim, int]] = []
    for leaf in leaves:
        if leaf.name is not None and leaf.name in values:
            shape = _numeric(leaf.name, values[leaf.name]).shape
            _check_rank(leaf, shape)
            pairs += zip(leaf.shape, shape, strict=True)
    sizes = learned(pairs, given)
    for name, size in (defaults or {}).items():
        if name not in sizes and size is not None:
            sizes = learned(pairs, {**sizes, name: size})
    return sizes


def learned(axes: Iterable[tuple[Dim, int]], given: Mapping[str, int]) -> Sizes:
    """The given sizes, and those that follow from axes and how long they are."""
    sizes, pairs, count = Sizes(given), list(axes), -1
    while len(sizes) > count:
        count = len(sizes)
        for dim, size in pairs:
            _learn(dim, size, sizes)
    return sizes


def _learn(dim: Dim, size: int, sizes: Sizes) -> None:
    """Solve ``dim = size`` where one dimension is unknown in it and the equation is linear in that: K*E, or C/G."""
    if dim.is_Symbol:
        sizes.setdefault(dim.name, size)
        return
    unknown = [s for s in dim.free_symbols if s.name not in sizes]
    if len(unknown) != 1:
        return
    known = dim.subs({s: sizes[s.name] for s in dim.free_symbols if s is not unknown[0]})
    difference = sp.expand(sp.fraction(sp.together(known - size))[0])
    slope = difference.coeff(unknown[0], 1)
    value = -difference.coeff(unknown[0], 0) / slope if slope != 0 else sp.nan
    if value.is_Integer and value >= 0 and known.subs(unknown[0], value) == size:
        sizes[unknown[0].name] = int(value)


def checked_values(leaves: Iterable[Node], values: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[int, Any]:
    """The arrays by leaf id; floats of any precision stay as they are, whole numbers become float64 where floats are
    declared. Raises `ModelError` or `ShapeError` naming the leaf."""
    return {leaf.id: _checked(leaf, values, sizes) for leaf in leaves}


def _checked(leaf: Node, values: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    assert leaf.name is not None
    if leaf.name not in values:
        near = did_you_mean(leaf.name, values)
        raise ModelError(f"no value is given for {leaf.name} ({shape_text(leaf.shape)}).{near}")
    array = _numeric(leaf.name, values[leaf.name])
    _check_shape(leaf, array.shape, sizes)
    if leaf.kind == INT:
        return _check_range(leaf, array, sizes)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def _numeric(name: str, value: Any) -> Any:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(f"the value of {name} is no array: its lists have different lengths or depths") from None
    if array.dtype.kind not in "fciub":
        raise ModelError(f"the value of {name} is not numeric: {value!r:.60}")
    return array


def _check_shape(leaf: Node, shape: Sequence[int], sizes: Mapping[str, int]) -> None:
    _check_rank(leaf, shape)
    expected = evaluate_shape(leaf.shape, sizes)
    if tuple(shape) != expected:
        raise ShapeError(f"{_wrong(leaf, shape)} = {expected}")


def _check_rank(leaf: Node, shape: Sequence[int]) -> None:
    if len(shape) != leaf.ndim:
        raise ShapeError(_wrong(leaf, shape))


def _wrong(leaf: Node, shape: Sequence[int]) -> str:
    return f"{leaf.name} has shape {tuple(shape)}, expected {shape_text(leaf.shape)}"


def check_stated(leaf: Node, array: Any) -> None:
    """`ModelError` where what is stated of an array does not hold."""
    if leaf.attr.stated == SIMPLEX:
        sums = np.sum(array, axis=-1)
        off, said = np.abs(sums - 1) > OFF, f"{leaf.name} is declared simplex, but"
        if np.any(off):
            raise ModelError(f"{said} its last axis adds up to {np.extract(off, sums)[0]:g}, not to 1")
        if np.any(np.asarray(array) < 0):
            raise ModelError(f"{said} it holds {np.min(array):g}, which is below 0")
    if leaf.attr.stated == SYMMETRIC and not np.allclose(array, np.swapaxes(array, -1, -2)):
        raise ModelError(f"{leaf.name} is declared symmetric, but its transpose has other entries")


def _check_range(leaf: Node, array: Any, sizes: Mapping[str, int]) -> Any:
    whole = array.astype(np.int64)
    if not np.array_equal(whole, array):
        raise ModelError(f"{leaf.name} is declared as integers, but its values are not whole numbers")
    if leaf.attr.below is None or not whole.size:
        return whole
    bound = evaluate_dim(leaf.attr.below, sizes)
    if whole.min() < 0 or whole.max() >= bound:
        worst = whole.min() if whole.min() < 0 else whole.max()
        raise ModelError(f"{leaf.name} holds {worst}, outside 0 <= {leaf.name} < {dim_text(leaf.attr.below)} = {bound}")
    return whole
