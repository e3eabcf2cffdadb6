"""-O1: (softmax(Z) − onehot(y))/N without forming the one-hot array: one pass for the array, one entry a row mended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.shapes import is_one, same_shape


class Split(NamedTuple):
    """An elementwise formula over a one-hot argument, split: its value where that is 0, and where it is 1.

    ``at`` is the index that says where it is 1; ``reads`` are the other arguments and the index array.
    """

    base: f.Formula
    hit: f.Formula
    at: Node
    reads: tuple[Node, ...]


def split_one_hot(row: Node, given: Collection[int] = ()) -> Split | None:
    """The split of a row that reads a one-hot array of its own shape; None for any other row. Arrays in ``given`` are
    there already."""
    if not row.ndim or row.op.name != "elementwise" or row.attr.head is not None:
        return None
    for place, arg in enumerate(row.args):
        index = one_hot_index(arg) if arg.name is None and arg.id not in given else None
        if index is not None and same_shape(arg.shape, row.shape) and _fits(row, place):
            base, hit = (_with(row.attr.form, place, value) for value in (f.ZERO, f.ONE))
            others = tuple(a for k, a in enumerate(row.args) if k != place)
            split = Split(base, hit, index, (*others, flat_index(index)))
            return split if base != hit and _is_whole(base, row) else None
    return None


def flat_index(index: Node) -> Node:
    """The index array without its last axis of size 1, where that is a row."""
    plain = index.op.name == "reshape" and index.name is None and same_shape(index.args[0].shape, index.shape[:-1])
    return index.args[0] if plain else index


def _with(form: f.Formula, place: int, value: f.Num) -> f.Formula:
    return f.substitute(form, lambda leaf: value if leaf is f.Arg(place) else leaf)


def _fits(row: Node, place: int) -> bool:
    """Whether the other arguments can be read at single entries: of the row's shape, without axes, or one per row."""
    return all(
        k == place or not a.ndim or same_shape(a.shape, row.shape) or (row.ndim == 2 and _is_column(a))
        for k, a in enumerate(row.args)
    )


def _is_whole(base: f.Formula, row: Node) -> bool:
    """Whether the value without the one-hot array has the row's shape: a number is filled in, a scalar is none."""
    read = [row.args[i] for i in f.arguments(base)]
    return not read or any(same_shape(a.shape, row.shape) for a in read)


def _is_column(a: Node) -> bool:
    return a.ndim == 2 and is_one(a.shape[1]) and not is_one(a.shape[0])


def one_hot_index(row: Node) -> Node | None:
    """The index row (its last axis of size 1) when a row is 1 where the last axis is at the index, else 0."""
    if row.op.name != "elementwise" or row.attr.head != "equal" or len(row.args) != 2:
        return None
    for index, places in (row.args, row.args[::-1]):
        if _is_range(places, row) and index.kind == "int" and index.ndim == row.ndim and is_one(index.shape[-1]):
            return index
    return None


def _is_range(places: Node, row: Node) -> bool:
    """arange along the last axis of a row."""
    flat = places.args[0] if places.op.name == "reshape" else places
    ones: Sequence[object] = places.shape[:-1]
    return flat.op.name == "arange" and all(map(is_one, ones)) and places.shape[-1:] == row.shape[-1:]
