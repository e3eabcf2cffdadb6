"""Entries chosen by integers and by masks, and put where they point."""

from __future__ import annotations

from typing import Any

import numpy as np

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.imported.onnx_operators import along_places, at_places, collected, numbered, put_places, rows_reduced
from tests.conformance.frame import NotApplicable
from tests.conformance.torch_calls.table import of, shape


@of("__getitem__")
def getitem(s: Any, x: Node, key: Any) -> Node:
    import torch

    def theirs(k: Any) -> Any:
        if isinstance(k, Node):
            return torch.from_numpy(s.value(k))
        return [theirs(v) for v in k] if isinstance(k, list) else tuple(map(theirs, k)) if isinstance(k, tuple) else k

    plain = key if isinstance(key, tuple) else tuple(key) if isinstance(key, list) else (key,)
    if all(isinstance(k, (int, slice, type(None), type(...))) and not isinstance(k, bool) for k in plain) and not (
            isinstance(key, list)):
        return x[plain]
    return at_places(s, x, torch.from_numpy(numbered(x))[theirs(key)].numpy())


@of("gather")
def gather(s: Any, x: Node, dim: int, index: Node, sparse_grad: bool = False) -> Node:
    if not x.ndim:
        found = F.take_along_axis(build.reshape(x, (1,)), F.reshape(index, (-1,)), 0)
        return F.reshape(found, index.shape)
    if 0 in shape(index):
        return x.graph.full(0, index.shape)
    for k in range(x.ndim):
        if k != dim % x.ndim and shape(index)[k] < shape(x)[k]:
            x = build.slice_axis(x, k, 0, shape(index)[k])
    return F.take_along_axis(x, index, dim)


@of("take_along_dim")
def take_along_dim(s: Any, x: Node, index: Node, dim: int | None = None) -> Node:
    n = int(np.prod(shape(x))) if dim is None else shape(x)[dim]
    index = s.given(s.value(index).astype(int) % max(n, 1))
    if dim is None:
        return F.take_along_axis(build.reshape(x, (-1,)), F.reshape(index, (-1,)), 0)
    k = dim % x.ndim
    whole = np.broadcast_shapes(*[tuple(1 if i == k else n for i, n in enumerate(shape(a))) for a in (x, index)])
    a, b = (F.broadcast(v, [shape(v)[i] if i == k else n for i, n in enumerate(whole)]) for v in (x, index))
    return F.take_along_axis(a, b, dim)


@of("index_select", vectors=True)
def index_select(x: Node, dim: int, index: Node) -> Node:
    return F.take(x, build.reshape(index, (-1,)), dim)


@of("take")
def take(s: Any, x: Node, index: Node) -> Node:
    size = int(np.prod(shape(x)))
    return at_places(s, x, s.value(index).astype(int) % size)


@of("masked_select")
def masked_select(s: Any, x: Node, mask: Node) -> Node:
    whole, chosen = np.broadcast_arrays(numbered(x), s.value(mask).astype(bool))
    return at_places(s, x, whole[chosen])


@of("masked_fill")
def masked_fill(x: Node, mask: Node, value: Any) -> Node:
    return F.where(mask, value, x)


@of("masked_scatter")
def masked_scatter(s: Any, x: Node, mask: Node, source: Node) -> Node:
    whole = np.broadcast_shapes(shape(x), shape(mask))
    x = F.broadcast(x, whole)
    places = numbered(x)[np.broadcast_to(s.value(mask).astype(bool), whole)]
    values = build.slice_axis(build.reshape(source, (-1,)), 0, 0, len(places))
    return put_places(s, x, places, values)


@of("where")
def where(x: Node, condition: Node, other: Any) -> Node:
    return F.where(condition, x, other)


@of("index_fill", vectors=True)
def index_fill(s: Any, x: Node, dim: int, index: Node, value: Any) -> Node:
    places = np.take(numbered(x), s.value(index).astype(int).reshape(-1), dim)
    return put_places(s, x, places, value)


@of("index_copy", vectors=True)
def index_copy(s: Any, x: Node, dim: int, index: Node, source: Node) -> Node:
    places = np.take(numbered(x), s.value(index).astype(int).reshape(-1), dim)
    return put_places(s, x, places, F.reshape(source, places.shape))


@of("index_add", vectors=True)
def index_add(x: Node, dim: int, index: Node, source: Node, alpha: Any = 1) -> Node:
    index, source = build.reshape(index, (-1,)), source if source.ndim else build.reshape(source, (1,))
    return F.index_add(x, index, alpha * source, dim)


def add_places(s: Any, x: Node, places: Any, values: Any) -> Node:
    """x with values added at places of the flat array, each as often as it is named."""
    if not places.size:
        return x
    values = build.reshape(F.broadcast(x.graph.lift(values), places.shape), (-1,))
    return build.reshape(F.index_add(build.reshape(x, (-1,)), s.given(places.reshape(-1)), values), x.shape)


@of("index_put")
def index_put(s: Any, x: Node, key: Any, values: Node, accumulate: bool = False) -> Node:
    import torch

    theirs = tuple(torch.from_numpy(s.value(k)) for k in key)
    place = add_places if accumulate else put_places
    return place(s, x, torch.from_numpy(numbered(x))[theirs].numpy(), values)


@of("put")
def put(s: Any, x: Node, index: Node, source: Node, accumulate: bool = False) -> Node:
    places = s.value(index).astype(int) % int(np.prod(shape(x)))
    place = add_places if accumulate else put_places
    return place(s, x, places.reshape(-1), F.reshape(source, (-1,)))


def source_of(x: Node, index: Node, source: Any) -> Node:
    """The entries of a source that an index has room for."""
    if not isinstance(source, Node) or not source.ndim:
        return F.broadcast(x.graph.lift(source), index.shape)
    for k in range(source.ndim):
        source = build.slice_axis(source, k, 0, shape(index)[k])
    return source


def numbers_too(call: Any) -> Any:
    def wrapped(s: Any, x: Node, dim: int, index: Node, source: Any, *args: Any, **options: Any) -> Node:
        if x.ndim:
            return call(s, x, dim, index, source, *args, **options)
        one, places = build.reshape(x, (1,)), s.given(s.value(index).reshape(-1))
        source = build.reshape(source, (-1,)) if isinstance(source, Node) else source
        return build.reshape(call(s, one, dim, places, source, *args, **options), ())

    return wrapped


@of("scatter")
@numbers_too
def scatter_(s: Any, x: Node, dim: int, index: Node, source: Any, reduce: str | None = None) -> Node:
    if reduce is not None:
        return reduced(s, x, dim, index, source, {"add": "sum", "multiply": "prod"}[reduce], True)
    return put_places(s, x, along_places(s, x, dim, index), source_of(x, index, source))


@of("scatter_add")
@numbers_too
def scatter_add(s: Any, x: Node, dim: int, index: Node, source: Any) -> Node:
    return add_places(s, x, along_places(s, x, dim, index), source_of(x, index, source))


def reduced(s: Any, x: Node, dim: int, index: Node, source: Any, how: str, include_self: bool) -> Node:
    return collected(s, x, along_places(s, x, dim, index), source_of(x, index, source), how, include_self)


@of("scatter_reduce")
@numbers_too
def scatter_reduce(s: Any, x: Node, dim: int, index: Node, source: Any, reduce: str, include_self: bool = True) -> Node:
    return reduced(s, x, dim, index, source, reduce, include_self)


@of("index_reduce", vectors=True)
def index_reduce(s: Any, x: Node, dim: int, index: Node, source: Node, reduce: str, include_self: bool = True) -> Node:
    places = np.take(numbered(x), s.value(index).astype(int).reshape(-1), dim)
    return collected(s, x, places, F.reshape(source, places.shape), reduce, include_self)


@of("_segment_reduce")
def segment_reduce(s: Any, x: Node, reduce: str, lengths: Any = None, offsets: Any = None, axis: int = 0,
                   unsafe: bool = False, initial: Any = None) -> Node:
    counts = s.value(lengths) if lengths is not None else np.diff(s.value(offsets))
    counts, batch = counts.astype(int), counts.ndim - 1
    own = shape(x)
    tail = own[batch + 1 :]
    held = []
    grid = np.arange(int(np.prod(own))).reshape(own)
    for lead in np.ndindex(*counts.shape[:-1]):
        ends = np.cumsum(counts[lead])
        for start, end in zip(ends - counts[lead], ends, strict=True):
            for rest in np.ndindex(*tail):
                held.append([int(k) for k in grid[lead][start:end][(slice(None), *rest)]])
    entries = build.reshape(x, (-1,))
    if initial is not None:
        entries = F.concat(entries, x.graph.full(initial, (1,)), axis=0)
        last = int(np.prod(own))
        held = [[*h, last] for h in held]
    empty = [not h for h in held]
    if reduce == "mean":
        found = rows_reduced(s, entries, held, "sum")
        n = [max(len(h) - (initial is not None), 0) for h in held]
        none = s.given([int(k == 0) for k in n])
        found = F.where(none, found if initial is not None else np.nan, found / s.given([max(k, 1) for k in n]))
    else:
        found = rows_reduced(s, entries, held, reduce)
    assert len(empty) == len(held)
    return build.reshape(found, (*counts.shape, *tail))


@of("_unsafe_masked_index")
def unsafe_masked_index(s: Any, x: Node, mask: Node, indices: Any, fill: Any) -> Node:
    key = tuple(np.clip(s.value(k).astype(int), -n, n - 1) for k, n in zip(indices, shape(x), strict=False))
    return F.where(mask, at_places(s, x, numbered(x)[key]), fill)


@of("_unsafe_masked_index_put_accumulate")
def unsafe_masked_put(s: Any, x: Node, mask: Node, indices: Any, values: Node) -> Node:
    key = tuple(np.clip(s.value(k).astype(int), -n, n - 1) for k, n in zip(indices, shape(x), strict=False))
    return add_places(s, x, numbered(x)[key], F.where(mask, values, 0))


# -- views by strides
def strided(x: Node, size: Any, stride: Any, offset: int) -> np.ndarray:
    places = np.zeros(tuple(size), int) + offset
    for k, (n, step) in enumerate(zip(size, stride, strict=True)):
        places = places + (np.arange(n) * step).reshape([-1 if i == k else 1 for i in range(len(size))])
    return places


@of("as_strided", "as_strided_copy")
def as_strided(s: Any, x: Node, size: Any, stride: Any, storage_offset: int = 0) -> Node:
    places = strided(x, size, stride, storage_offset or 0)
    if "partial" in s.name:
        raise NotApplicable("memory that is not the array's")
    return at_places(s, x, places)


@of("as_strided_scatter")
def as_strided_scatter(s: Any, x: Node, part: Node, size: Any, stride: Any, storage_offset: int = 0) -> Node:
    return put_places(s, x, strided(x, size, stride, storage_offset or 0), part)


@of("unfold", "unfold_copy")
def unfold(x: Node, dimension: int, size: int, step: int) -> Node:
    if not x.ndim:
        return build.reshape(x, (1,)) if size else x.graph.full(0, (0,))
    k = dimension % x.ndim
    wide = F.unfold(x, size, k, step)
    order = [i for i in range(wide.ndim) if i != k + 1] + [k + 1]
    return F.transpose(wide, order)


# -- tables
@of("nn.functional.embedding")
def embedding(s: Any, x: Node, weight: Node, padding_idx: Any = None, max_norm: Any = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Node:
    from tests.conformance.torch_calls.linear import norm_of

    table, index = (x, weight) if x.kind == "float" else (weight, x)
    if max_norm is not None:
        raise AssertionError("max_norm changes the table in place")
    rows = build.gather(table, index)
    if padding_idx is not None:
        pad = padding_idx % shape(table)[0]
        is_pad = F.expand_dims(F.equal(index, pad), -1)
        rows = F.where(is_pad, F.stop_gradient(rows), rows)
    if scale_grad_by_freq:
        raise AssertionError(norm_of)
    return rows
