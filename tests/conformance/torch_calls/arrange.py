"""Functions that move, join and repeat entries."""

from __future__ import annotations

from itertools import combinations as choose
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE as NP
from symbackprop.imported.onnx_operators import padded, put_places
from tests.conformance.torch_calls.table import of, shape, sizes


def cut(x: Node, dim: int, start: int, length: int, step: int = 1) -> Node:
    return build.slice_axis(x, dim, start, length, step)


@of("broadcast_to", "expand", "expand_copy")
def broadcast_to(x: Node, *size: Any) -> Node:
    return F.broadcast(x, sizes(size))


@of("expand_as")
def expand_as(x: Node, other: Node) -> Node:
    return F.broadcast(x, other.shape)


@of("broadcast_tensors")
def broadcast_tensors(x: Node, *others: Node) -> Any:
    whole = np.broadcast_shapes(*[shape(a) for a in (x, *others)])
    return [F.broadcast(a, whole) for a in (x, *others)]


@of("meshgrid")
def meshgrid(x: Any, *others: Node, indexing: str = "ij") -> Any:
    parts = list(x) if isinstance(x, (list, tuple)) else [x, *others]
    rows = [build.reshape(a, (-1,)) for a in parts]
    whole, n = [int(r.shape[0]) for r in rows], len(rows)
    found = [F.broadcast(build.reshape(r, [-1 if i == k else 1 for i in range(n)]), whole) for k, r in enumerate(rows)]
    return [F.swapaxes(a, 0, 1) for a in found] if indexing == "xy" and n > 1 else found


@of("sum_to_size")
def sum_to_size(x: Node, *size: Any) -> Node:
    return build.unbroadcast(x, tuple(map(build.as_dim, sizes(size))))


@of("reshape", "view", "view_copy")
def reshape(x: Node, *size: Any) -> Node:
    return build.reshape(x, sizes(size))


@of("reshape_as", "view_as")
def reshape_as(x: Node, other: Node) -> Node:
    return build.reshape(x, other.shape)


@of("ravel")
def ravel(x: Node) -> Node:
    return build.reshape(x, (-1,))


@of("flatten")
def flatten(x: Node, start_dim: int = 0, end_dim: int = -1) -> Node:
    if not x.ndim:
        return build.reshape(x, (1,))
    first, last = start_dim % x.ndim, end_dim % x.ndim
    return build.reshape(x, (*x.shape[:first], int(np.prod(shape(x)[first : last + 1])), *x.shape[last + 1 :]))


@of("unflatten")
def unflatten(x: Node, dim: int, size: Any) -> Node:
    k = dim % x.ndim
    return build.reshape(x, (*x.shape[:k], *size, *x.shape[k + 1 :]))


@of("squeeze", "squeeze_copy")
def squeeze(x: Node, dim: Any = None) -> Node:
    if dim is None:
        return F.squeeze(x)
    wanted = [d % max(x.ndim, 1) for d in (dim if isinstance(dim, (list, tuple)) else [dim])]
    return F.squeeze(x, [d for d in wanted if x.ndim and shape(x)[d] == 1])


@of("unsqueeze", "unsqueeze_copy")
def unsqueeze(x: Node, dim: int) -> Node:
    return F.expand_dims(x, dim)


@of("permute", "permute_copy")
def permute(x: Node, *dims: Any) -> Node:
    return F.transpose(x, sizes(dims))


@of("transpose", "transpose_copy", vectors=True)
def transpose(x: Node, a: int, b: int) -> Node:
    return F.swapaxes(x, a, b)


@of("T", "t", "t_copy", "H")
def turned(x: Node) -> Node:
    return x.T


@of("mT", "mH")
def turned_last(x: Node) -> Node:
    return F.swapaxes(x, -1, -2)


@of("movedim")
def movedim(x: Node, source: Any, destination: Any) -> Node:
    return NP["moveaxis"](x, source, destination)


@of("flip", vectors=True)
def flip(x: Node, *dims: Any, **options: Any) -> Node:
    found = sizes(dims) if dims else options["dims"]
    for d in found if isinstance(found, (list, tuple)) else [found]:
        x = F.flip(x, d)
    return x


@of("fliplr")
def fliplr(x: Node) -> Node:
    return F.flip(x, 1)


@of("flipud")
def flipud(x: Node) -> Node:
    return F.flip(x, 0)


@of("rot90")
def rot90(x: Node, k: int = 1, dims: Any = (0, 1)) -> Node:
    for _ in range(k % 4):
        x = F.flip(F.swapaxes(x, *dims), dims[0])
    return x


@of("roll", vectors=True)
def roll(x: Node, shifts: Any, dims: Any = None) -> Node:
    return NP["roll"](x, shifts, dims if dims != () else None)


@of("fft.fftshift")
def fftshift(x: Node, dim: Any = None) -> Node:
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (list, tuple)) else [dim]
    return NP["roll"](x, [shape(x)[d] // 2 for d in dims], list(dims))


@of("fft.ifftshift")
def ifftshift(x: Node, dim: Any = None) -> Node:
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (list, tuple)) else [dim]
    return NP["roll"](x, [-(shape(x)[d] // 2) for d in dims], list(dims))


@of("repeat", "tile")
def tile(x: Node, *reps: Any) -> Node:
    return F.tile(x, sizes(reps))


@of("repeat_interleave")
def repeat_interleave(s: Any, x: Node, repeats: Any, dim: int | None = None, output_size: Any = None) -> Node:
    if dim is None:
        x, dim = build.reshape(x, (-1,)), 0
    repeats = s.value(repeats)
    if np.ndim(repeats) == 0:
        return F.repeat(x, int(repeats), dim)
    return F.take(x, s.given(np.repeat(np.arange(shape(x)[dim]), repeats)), dim)


@of("cat")
def cat(parts: Any, dim: int = 0) -> Node:
    kept = [p for p in parts if shape(p) != (0,)] or parts[:1]
    return F.concat(*kept, axis=dim)


@of("stack")
def stack(parts: Any, dim: int = 0) -> Node:
    return F.stack(*parts, axis=dim)


@of("hstack")
def hstack(parts: Any) -> Node:
    return NP["hstack"](parts)


def at_least(x: Node, rank: int) -> Node:
    if x.ndim >= rank:
        return x
    if rank == 3:
        return build.reshape(x, {0: (1, 1, 1), 1: (1, -1, 1), 2: (*x.shape, 1)}[x.ndim])
    return build.reshape(x, (1,) * (rank - x.ndim) + x.shape)


@of("vstack")
def vstack(parts: Any) -> Node:
    return F.concat(*[at_least(p, 2) for p in parts], axis=0)


@of("dstack")
def dstack(parts: Any) -> Node:
    return F.concat(*[at_least(p, 3) for p in parts], axis=2)


@of("column_stack")
def column_stack(parts: Any) -> Node:
    return F.concat(*[build.reshape(p, (-1, 1)) if p.ndim < 2 else p for p in parts], axis=1)


for _rank in (1, 2, 3):
    def _at_least(x: Any, *others: Any, _rank: int = _rank) -> Any:
        parts = [*x, *others] if isinstance(x, (list, tuple)) else [x, *others]
        return [at_least(p, _rank) for p in parts]

    of(f"atleast_{_rank}d")(_at_least)


@of("block_diag")
def block_diag(x: Node, *others: Node) -> Node:
    parts = [build.reshape(p, (1, -1)) if p.ndim < 2 else p for p in (x, *others)]
    height, width = (sum(shape(p)[k] for p in parts) for k in (0, 1))
    top = left = 0
    total = x.graph.full(0, (height, width))
    for p in parts:
        total = total + build.pad_axis(build.pad_axis(p, 0, top, height), 1, left, width)
        top, left = top + shape(p)[0], left + shape(p)[1]
    return total


@of("cartesian_prod")
def cartesian_prod(x: Node, *others: Node) -> Node:
    parts = [x, *others]
    if len(parts) == 1:
        return x
    grids = meshgrid(x, *others)
    return F.stack(*[build.reshape(g, (-1,)) for g in grids], axis=1)


@of("combinations")
def combinations(s: Any, x: Node, r: int = 2, with_replacement: bool = False) -> Node:
    pairs = list((combinations_with_replacement if with_replacement else choose)(range(shape(x)[0]), r))
    return F.take(x, s.given(np.array(pairs, dtype=int).reshape(-1, r)), 0)


# -- parts
def parts_of(x: Node, bounds: list[int], dim: int) -> list[Node]:
    return [cut(x, dim, a, max(b - a, 0)) for a, b in pairwise(bounds)]


@of("chunk", "unsafe_chunk")
def chunk(x: Node, chunks: int, dim: int = 0) -> Any:
    n = shape(x)[dim]
    width = -(-n // chunks)
    return parts_of(x, [*range(0, n, width), n], dim)


@of("split", "unsafe_split", "split_with_sizes", "split_with_sizes_copy")
def split(x: Node, size: Any, dim: int = 0) -> Any:
    n = shape(x)[dim]
    if isinstance(size, int):
        return parts_of(x, [*range(0, n, size), n], dim)
    return parts_of(x, [0, *np.cumsum(size).tolist()], dim)


@of("tensor_split")
def tensor_split(s: Any, x: Node, sections: Any, dim: int = 0) -> Any:
    sections = s.value(sections)
    if np.ndim(sections) == 0:
        pieces = np.array_split(np.arange(shape(x)[dim]), int(sections))
        bounds = [0, *np.cumsum([len(p) for p in pieces]).tolist()]
        return parts_of(x, bounds, dim)
    n = shape(x)[dim]
    places = [min(max(int(k) + n if k < 0 else int(k), 0), n) for k in sections]
    return [cut(x, dim, a, max(b - a, 0)) for a, b in zip([0, *places], [*places, n], strict=True)]


for _name, _axis in (("hsplit", 1), ("vsplit", 0), ("dsplit", 2)):
    def _split(s: Any, x: Node, sections: Any, _axis: int = _axis) -> Any:
        return tensor_split(s, x, sections, 0 if x.ndim == 1 else _axis)

    of(_name)(_split)


@of("unbind", "unbind_copy")
def unbind(x: Node, dim: int = 0) -> Any:
    return [F.squeeze(cut(x, dim, k, 1), dim) for k in range(shape(x)[dim])]


@of("narrow", "narrow_copy")
def narrow(s: Any, x: Node, dim: int, start: Any, length: int) -> Node:
    start = int(s.value(start))
    return cut(x, dim, start + shape(x)[dim] if start < 0 else start, length)


@of("select")
def select(x: Node, dim: int, index: int) -> Node:
    return F.squeeze(cut(x, dim, index % shape(x)[dim], 1), dim)


@of("slice")
def sliced(x: Node, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Node:
    first, last, _ = slice(start, end, step).indices(shape(x)[dim])
    return cut(x, dim, first, len(range(first, last, step)), step)


# -- parts put in place
def with_part(x: Node, part: Node, dim: int, start: int, step: int = 1) -> Node:
    """x with a part in the place of its slice."""
    n = shape(x)[dim]
    hole = build.pad_axis(x.graph.full(1, part.shape), dim, start, n, step)
    return x * (1 - hole) + build.pad_axis(part, dim, start, n, step)


@of("select_scatter")
def select_scatter(x: Node, part: Node, dim: int, index: int) -> Node:
    return with_part(x, F.expand_dims(part, dim), dim, index % shape(x)[dim])


@of("slice_scatter")
def slice_scatter(x: Node, part: Node, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Node:
    first, last, _ = slice(start, end, step).indices(shape(x)[dim])
    return with_part(x, part, dim, first, step) if first < last else x


# -- diagonals
def diagonal_places(whole: tuple[int, ...], offset: int, dim1: int, dim2: int) -> np.ndarray:
    return np.diagonal(np.arange(int(np.prod(whole))).reshape(whole), offset, dim1, dim2)


@of("diagonal", "diagonal_copy")
def diagonal(x: Node, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    return NP["diagonal"](x, offset, dim1, dim2)


@of("linalg.diagonal")
def linalg_diagonal(x: Node, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    return NP["diagonal"](x, offset, dim1, dim2)


@of("diag")
def diag(x: Node, k: int = 0) -> Node:
    return NP["diag"](x, k)


@of("diagflat")
def diagflat(x: Node, offset: int = 0) -> Node:
    return NP["diag"](build.reshape(x, (-1,)), offset)


@of("diag_embed")
def diag_embed(x: Node, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    n = shape(x)[-1] + abs(offset)
    eye = F.tril(F.triu(x.graph.full(1, (n, n)), offset), offset)
    line = build.pad_axis(x, -1, max(-offset, 0), n)
    square = F.expand_dims(line, -1) * eye
    return NP["moveaxis"](square, (-2, -1), (dim1, dim2))


@of("diagonal_scatter")
def diagonal_scatter(s: Any, x: Node, part: Node, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    return put_places(s, x, diagonal_places(shape(x), offset, dim1, dim2), part)


@of("trace")
def trace(x: Node) -> Node:
    return NP["trace"](x)


@of("diff")
def diff(x: Node, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Node:
    if not n:
        return x
    parts = [p for p in (prepend, x, append) if p is not None]
    x = F.concat(*parts, axis=dim) if len(parts) > 1 else x
    return NP["diff"](x, min(n, shape(x)[dim]), dim)


# -- padding
@of("nn.functional.pad", "constant_pad_nd")
def pad(s: Any, x: Node, pad: Any, mode: Any = "constant", value: Any = None) -> Node:
    if not isinstance(mode, str):
        mode, value = "constant", mode
    return padded(s, x, pad, mode, value)
