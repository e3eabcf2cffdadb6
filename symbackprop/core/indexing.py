"""``a[…]`` as rows: integers, slices, new axes and integer data."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_range
from symbackprop.core.graph import BOOL, INT, Node, label, mark, reached
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import (
    ONE,
    Dim,
    as_dim,
    broadcast,
    is_below_zero,
    is_one,
    same,
    same_shape,
    shape_text,
    steps_in,
)
from symbackprop.errors import ChoosesEntries, ShapeError


def getitem(a: Node, key: Any) -> Node:
    """NumPy's basic indexing along each axis; integer data along one of them, or along neighbours, which together point
    to one entry."""
    for k in key if isinstance(key, tuple) else [key]:
        if _is_mask(k):
            raise ChoosesEntries(_no_mask(a, k))
    if isinstance(key, Node):
        return build.gather(a, key)
    keys = list(map(f.written_out, key if isinstance(key, tuple) else [key]))
    _refuse_apart(keys)
    keys = _fill_ellipsis(a, keys)
    if sum(k is not None for k in keys) > a.ndim:
        raise ShapeError(f"too many indices for {label(a)} ({shape_text(a.shape)})")
    keys = _beside(a, keys)
    if len([k for k in keys if _chooses(k)]) > 1 and any(isinstance(k, list) for k in keys):
        return _together(a, keys)
    axis, integers = 0, list[tuple[int, Node]]()
    for k in keys:
        integers += [(axis, k)] if isinstance(k, Node) else []
        a, axis = (a, axis + 1) if isinstance(k, Node) else _apply(a, axis, k)
    return _by_integers(a, integers[0][0], [k for _, k in integers]) if integers else a


def _by_integers(a: Node, axis: int, indices: list[Node]) -> Node:
    """Integer data along the axes from ``axis`` on, broadcast against each other: their axes stand there then. All
    places in order, as in ``a[arange(N), y]`` or ``a[arange(N)[:, None], arange(T), y]``, are not looked up."""
    shape = broadcast([k.shape for k in indices], lambda: list(map(label, indices)))
    place, ahead = axis + len(shape), indices[: len(shape)]
    rows = [k if same_shape(k.shape, shape) else k.graph.broadcast(k, shape) for k in indices]
    in_order = all(_counts(k, len(shape), j, a.shape[axis + j]) for j, k in enumerate(ahead))
    if in_order and len(rows) > 1 and len(ahead) == len(shape):
        rest = rows[len(shape) :]
    else:
        a, rest = along(a, axis, rows[0]), rows[1:]
    for index in rest:
        if same_shape(index.shape, a.shape[:-1]):
            a = _picked(a, index)
            continue
        wide = build.reshape(index, (*[ONE] * axis, *shape, *[ONE] * (a.ndim - place)))
        wide = a.graph.broadcast(wide, (*a.shape[:place], ONE, *a.shape[place + 1 :]))
        a = build.squeeze(build.take_along(a, wide, place), place)
    return a


def _counts(index: Node, ndim: int, axis: int, size: Dim) -> bool:
    """Whether an index counts all places along one axis of those that the indices have together."""
    long = [ndim - index.ndim + k for k, d in enumerate(index.shape) if not is_one(d)]
    return is_range(index) and long == [axis] and same(index.shape[axis - ndim], size)


def _picked(a: Node, index: Node) -> Node:
    """One entry of every line, which prints as the call that says so."""
    count = a.graph.count
    row = build.pick(a, index)
    return mark(row, "pick", (a, index), {}, fresh=row.id >= count)


def _refuse_apart(keys: list[Any]) -> None:
    """Refuse integer data that NumPy would take together with another index. ``...`` stands between them even where it
    is no axis at all."""
    places = [k for k, key in enumerate(keys) if _chooses(key)]
    if any(isinstance(k, (Node, list)) for k in keys) and places[-1] - places[0] >= len(places):
        sliced = any(k is not None and not _chooses(k) for k in keys[places[0] : places[-1]])
        between, other = ("a slice", "a[0][:, i]") if sliced else ("None", "a[i, j][:, None]")
        raise ShapeError(f"{between} stands between integers and integer data: NumPy moves axes there; take one index "
                         f"after the other, {other}")


def _chooses(key: Any) -> bool:
    return key is not None and key is not Ellipsis and not isinstance(key, slice)


def _beside(a: Node, keys: list[Any]) -> list[Any]:
    """The keys, of which a list beside integer data is integer data if it counts from 0."""
    if not any(isinstance(k, Node) for k in keys):
        return keys
    counted = [build.arange(a.graph, len(k)) if isinstance(k, list) and k == [*range(len(k))] else k for k in keys]
    if any(isinstance(k, list) for k in counted):
        raise ShapeError("a list of places stands beside integer data, and NumPy takes them together: declare the list "
                         "as integer data too")
    return counted


def _together(a: Node, keys: list[Any]) -> Node:
    """Lists of places beside each other, broadcast: each place of one with that of the others is one entry."""
    places = [p for p, k in enumerate(keys) if _chooses(k)]
    deepest = max(_depth(keys[p]) for p in places)
    lists = [keys[p] if _depth(keys[p]) == deepest else [keys[p]] for p in places]
    count = max(map(len, lists))
    if any(len(k) not in (1, count) for k in lists) or not count:
        raise ShapeError(f"lists of {' and '.join(str(len(k)) for k in lists)} places are taken together, one place of "
                         "each at a time: they need the same length")
    each = zip(*(k * count if len(k) == 1 else k for k in lists), strict=True)
    rows = [getitem(a, tuple((dict(enumerate(keys)) | dict(zip(places, at, strict=True))).values())) for at in each]
    return build.concat([build.expand(row, places[0]) for row in rows], places[0])


def _depth(key: Any) -> int:
    """How many axes the places of a list have."""
    return 1 + max(map(_depth, key), default=0) if isinstance(key, list) else 0


def along(a: Node, axis: int, index: Node) -> Node:
    """``a[…, index, …]``: entries along an axis by integer data, whose axes stand in its place."""
    first, rest, n = [axis], [k for k in range(a.ndim) if k != axis], index.ndim
    front = build.gather(build.transpose(a, first + rest) if axis else a, index)
    order = [*range(n, n + axis), *range(n), *range(n + axis, front.ndim)]
    return build.transpose(front, order) if axis and n else front


def _is_mask(key: Any) -> bool:
    """Truth values: of a row, an array or a list."""
    if isinstance(key, list):
        return any(map(_is_mask, key))
    if isinstance(key, Node):
        return holds(key)
    return isinstance(key, bool) or getattr(getattr(key, "dtype", None), "kind", "") == "b"


def holds(row: Node) -> bool:
    """Whether a row is truth values: ``(a > 0) * (b > 0)`` is, that both hold; a sum of them counts."""
    return all(part.kind == BOOL or _parts(part) for part in reached([row], _parts))


def _parts(row: Node) -> tuple[Node, ...]:
    """What a row is true or false of."""
    return row.args if row.kind == INT and _combines(row.form) else ()


def _combines(form: f.Formula | None) -> bool:
    """Whether a formula is true or false of what is."""
    both = isinstance(form, (f.Arg, f.Mul)) or (isinstance(form, f.Call) and bool(TABLE[form.name].chooses))
    return both and form is not None and all(map(_combines, form.children))


def _no_mask(a: Node, mask: Any) -> str:
    """How many entries a mask chooses depends on numbers; a row has one shape."""
    name, what = label(a), label(mask) if isinstance(mask, Node) else "mask"
    return (
        f"{name}[{what}] would choose entries by truth values, how many is not known before there are numbers: "
        f"write where({what}, {name}, 0), with -inf for the 0 in a softmax"
    )


def _fill_ellipsis(a: Node, keys: list[Any]) -> list[Any]:
    place = next((i for i, k in enumerate(keys) if k is Ellipsis), None)
    if place is None:
        return keys
    used = sum(k is not None and k is not Ellipsis for k in keys)
    return keys[:place] + [slice(None)] * (a.ndim - used) + keys[place + 1 :]


def _apply(a: Node, axis: int, key: Any) -> tuple[Node, int]:
    """One index at one axis; returns the row and the next axis."""
    if key is None:
        return build.expand(a, axis), axis + 1
    if isinstance(key, slice):
        return _slice(a, axis, key), axis + 1
    if isinstance(key, (int, sp.Expr)) and not isinstance(key, bool):
        row = _place_of(a, axis, key)
        return build.reshape(row, (*row.shape[:axis], *row.shape[axis + 1 :])), axis
    if isinstance(key, list) and key and all(isinstance(k, (int, sp.Expr)) for k in key):
        return build.concat([_place_of(a, axis, k) for k in key], axis), axis + 1
    hint = "" if isinstance(key, str) or not hasattr(key, "__len__") else "; declare it as integer data"
    raise ShapeError(f"{label(a)} cannot be indexed by {key!r:.60}{hint}")


def _place_of(a: Node, axis: int, key: int | sp.Expr) -> Node:
    """One place along an axis, which stays with a size of 1."""
    return build.slice_axis(a, axis, position(key, a.shape[axis], label(a)), 1)


def position(key: int | sp.Expr, size: Dim, name: str, behind: int = 0) -> Dim:
    """An index as a place from 0 on; ``behind`` are the places after the last entry that it may be too."""
    value = sp.sympify(key) if isinstance(key, int) else key
    start = size + value if is_below_zero(value) else value
    if is_below_zero(start) or is_below_zero(size - 1 + behind - start):
        raise ShapeError(f"index {key} is out of range for an axis of {name} with size {size}")
    return start


def _slice(a: Node, axis: int, key: slice) -> Node:
    size, step = a.shape[axis], 1 if key.step is None else int(key.step)
    if step == 0:
        raise ShapeError("the step of a slice cannot be 0")
    first, last = (sp.S.Zero, size) if step > 0 else (sp.S.NegativeOne, size - 1)
    start = _bound(key.start, size, first, last) if key.start is not None else first if step > 0 else last
    stop = _bound(key.stop, size, first, last) if key.stop is not None else last if step > 0 else first
    length = steps_in(stop - start if step > 0 else start - stop, step)
    if length.is_nonpositive:
        return build.slice_axis(a, axis, 0, 0)
    return build.slice_axis(a, axis, start, length, step)


def _bound(value: Any, size: Dim, first: Dim, last: Dim) -> Dim:
    """A slice bound clipped to the places from ``first`` to ``last``, as NumPy does, as far as the signs are known."""
    bound = as_dim(value) if isinstance(value, int) and value >= 0 else sp.sympify(value)
    if bound.is_negative:
        bound = size + bound
    if (bound - last).is_positive:
        return last
    return first if (bound - first).is_negative else bound
