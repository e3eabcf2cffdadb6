"""Products by index letters, and functions that move, join and choose entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from string import ascii_letters
from typing import Any, TypeAlias

import sympy as sp

from symbackprop.core import build
from symbackprop.core.formula import exact
from symbackprop.core.functions.calls import function, graph_of, plain
from symbackprop.core.graph import FLOAT, Node, Operand, label
from symbackprop.core.indexing import along, getitem, position
from symbackprop.core.maths import A, B, Big, C, Indicator, K, N, Y, Z, at, called, equal
from symbackprop.core.ops import OPS, views
from symbackprop.core.registry import known
from symbackprop.core.roles import Role
from symbackprop.core.shapes import (
    Axis,
    DimLike,
    as_dim,
    as_shape,
    is_one,
    normalise_axis,
    same,
    same_shape,
    shape_text,
    smaller,
)
from symbackprop.errors import ShapeError

Places: TypeAlias = Node | Sequence[int]  # integer data, or numbers
Sizes: TypeAlias = int | Sequence[int]  # one for all, or each
Extent: TypeAlias = DimLike | Sequence[DimLike]  # a size for all axes or pieces, or of each
MOST_ARRAYS = 31  # of NumPy before 2.0, whose iterators take 32 with the result


@plain
def einsum(spec: str, *args: Node) -> Node:
    """Σ of products by index letters, as NumPy's einsum: ``...`` stands for any axes, which are summed over where the
    result has none, as in PyTorch; without ``->`` letters that occur once stay, in alphabetical order. A letter may
    stand twice in the result, which is then diagonal."""
    if len(args) > MOST_ARRAYS:
        raise ShapeError(f"einsum takes at most {MOST_ARRAYS} arrays, as NumPy's does, and gets {len(args)}: name a "
                         "product of some of them")
    left, arrow, out = spec.replace(" ", "").partition("->")
    ins, batch, args = _named_axes(left.split(","), spec, args)
    if not arrow:
        out = "..." * bool(batch) + "".join(sorted(c for c in {*left} - {*".,"} if left.count(c) == 1))
    out = out.replace("...", batch)
    for place in [k for k, c in enumerate(out) if c in out[:k]]:
        twin = next((c for c in ascii_letters if c not in "".join(ins) + out), "")
        sizes = [a.shape[s.index(out[place])] for s, a in zip(ins, args, strict=False) if out[place] in s[: a.ndim]]
        if sizes and twin:
            ins, args = [*ins, out[place] + twin], (*args, build.eye(args[0].graph, sizes[0]))
            out = out[:place] + twin + out[place + 1 :]
    return build.einsum(f"{','.join(ins)}->{out}", *args)


def _named_axes(ins: list[str], spec: str, args: Sequence[Node]) -> tuple[list[str], str, tuple[Node, ...]]:
    """Letters for the axes that ``...`` stands for; one of size 1 beside others is left out. And all of the letters."""
    if "..." not in spec or len(ins) != len(args):
        return ins, "", tuple(args)
    free = [c for c in ascii_letters if c not in spec]
    ranks = [max(a.ndim - len(s.replace("...", "")), 0) if "..." in s else 0 for s, a in zip(ins, args, strict=True)]
    batch = "".join(free[: max(ranks)])
    named = [s.replace("...", batch[len(batch) - rank :]) for s, rank in zip(ins, ranks, strict=True)]
    wide = {c for s, a in zip(named, args, strict=True) for c, d in zip(s, a.shape, strict=False) if not is_one(d)}
    rows = []
    for k, (s, a) in enumerate(zip(named, args, strict=True)):
        kept = [i for i, c in enumerate(s) if c not in batch or c not in wide or not is_one(a.shape[i])]
        rows.append(build.reshape(a, [a.shape[i] for i in kept]) if len(kept) < len(s) == a.ndim else a)
        named[k] = "".join([s[i] for i in kept])
    return named, batch, tuple(rows)


@plain
def outer(a: Node, b: Node) -> Node:
    """a bᵀ for vectors."""
    return build.einsum("i,j->ij", a, b)


@plain
def dot(a: Node, b: Node) -> Node:
    """The inner product of vectors; otherwise the matrix product."""
    return build.matmul(a, b)


@plain
def diagonal(a: Node, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The entries where the second of two axes is ``offset`` places further than the first, as a last axis."""
    first, second = normalise_axis(axis1, a.ndim), normalise_axis(axis2, a.ndim)
    if first == second:
        raise ShapeError(f"a diagonal is along two axes, {axis1} and {axis2} are one")
    starts = {first: max(-offset, 0), second: max(offset, 0)}
    m, n = (a.shape[axis] - start for axis, start in starts.items())
    square = same(a.shape[first], a.shape[second])
    what = f"how long a diagonal of {label(a)} ({shape_text(a.shape)}) is"
    length = a.shape[first] - abs(offset) if square else smaller(m, n, what)
    length = sp.Max(length, 0) if length.is_Integer else length
    for axis, start in starts.items():
        a = build.slice_axis(a, axis, start if length != 0 else 0, length)
    letters = [*ascii_letters[: a.ndim]]
    letters[second] = letters[first]
    rest = [c for k, c in enumerate(letters) if k not in (first, second)]
    return build.einsum(f"{''.join(letters)}->{''.join([*rest, letters[first]])}", a)


@plain
def diag(a: Node, k: int = 0) -> Node:
    """The k-th diagonal of a matrix, or the matrix that has a vector there and 0 elsewhere."""
    if a.ndim != 1:
        return diagonal(a, k)
    if k == 0:
        return build.einsum("i,ij->ij", a, build.eye(a.graph, a.shape[0]))
    size = a.shape[0] + abs(k)
    square = build.pad_axis(diag(a), 0, max(-k, 0), size)
    return build.pad_axis(square, 1, max(k, 0), size)


@known("tr", means=(equal(called("trace", A), Big("sum", ("n",), at(A, N, N))),), asks=((0, 0),))
@plain
def trace(a: Node, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Σ of the diagonal."""
    if a.ndim == 2 and same(*a.shape) and offset == 0:
        return build.einsum("ii->", a)
    return build.reduce_sum(diagonal(a, offset, axis1, axis2), -1)


@plain
def concat(*parts: Node, axis: int = 0) -> Node:
    """Arrays joined along an axis; they may also come as one list."""
    return build.concat(_listed(parts), axis)


@known(means=(called("stack", A, B), " has ", A, " and ", B, " along a new axis, the first one where it names none"))
@plain
def stack(*parts: Node, axis: int = 0) -> Node:
    """Arrays of one shape joined along a new axis; they may also come as one list."""
    return build.stack(_listed(parts), axis)


def _listed(parts: Sequence[Any]) -> list[Node]:
    inside = parts[0] if len(parts) == 1 and isinstance(parts[0], (list, tuple)) else parts
    graph = graph_of(*inside)
    return [graph.lift(p) for p in inside]


@plain
def reshape(a: Node, *shape: Any) -> Node:
    """The same entries under another shape."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return build.reshape(a, sizes)


OF_OPS: dict[str, Callable[..., Node]] = {
    "transpose": build.transpose,
    "swapaxes": build.swapaxes,
    "expand_dims": build.expand,
    "squeeze": build.squeeze,
    "take_along_axis": build.take_along,
    "put_along_axis": build.put_along,
    "scatter_add": build.scatter_add,
    "pad": build.pad_axis,
    "sum": build.reduce_sum,
    "max": build.reduce_max,
    "logsumexp": build.logsumexp,
    "shift": build.shift,
    "shifted_logsumexp": build.shifted_logsumexp,
}
for _name, _call in OF_OPS.items():
    plain(_call, _name)


@known("onehot", role=Role.ONE_HOT, shown=1, means=(equal(at(called("one_hot", Y), C), Indicator(equal(Y, C))),))
@function
def one_hot(index: Node, size: DimLike) -> Node:
    """1 at the index along a new last axis, else 0."""
    if index.kind == FLOAT:
        raise ShapeError(f"one_hot: {label(index)} is not integer data: declare it as `int < {size}`")
    return build.one_hot_along(build.expand(index, -1), index.ndim, exact(size))


@known(means=(called("roll", A, K), " moves the entries ", K, " places on along the axis, the last ones to the front"),
       title="roll", rule=("the gradient moves back",))
@function
def roll(a: Node, shift: int, axis: int = 0) -> Node:
    """Entries moved ``shift`` places along an axis, those that leave coming back at the other end."""
    place = normalise_axis(axis, a.ndim)
    size = a.shape[place]
    offset = exact(shift) % size if size.is_positive and size.is_Integer else exact(shift)
    if 0 in (offset, size):
        return a
    cut = size - offset if offset.is_positive else -offset
    head, tail = build.slice_axis(a, place, 0, cut), build.slice_axis(a, place, cut, size - cut)
    return build.concat([tail, head], place)


@known(means=(called("repeat", A, K), " has every entry ", K, " times, one beside the other"))
@function
def repeat(a: Node, n: DimLike, axis: int = 0) -> Node:
    """Every entry n times along an axis, copies next to each other."""
    place = normalise_axis(axis, a.ndim)
    wide = build.expand(a, place + 1)
    count = exact(n)
    wide = a.graph.broadcast(wide, (*wide.shape[: place + 1], count, *wide.shape[place + 2 :]))
    return build.reshape(wide, (*a.shape[:place], a.shape[place] * count, *a.shape[place + 1 :]))


@plain
def pad_all(a: Node, before: Sizes, after: Sizes, mode: str = "constant") -> Node:
    """So many noughts in front of and behind the entries along every axis, or what `extend` puts there; numbers for
    all axes, or one for each."""
    each = [[n] * a.ndim if isinstance(n, int) else n for n in (before, after)]
    for count in [len(numbers) for numbers in each if len(numbers) != a.ndim]:
        raise ShapeError(f"pad_all: {label(a)} has {a.ndim} axes, and numbers are given for {count}")
    for axis, (size, front, back) in enumerate(zip(a.shape, *each, strict=True)):
        zeros = mode == "constant"
        a = build.pad_axis(a, axis, front, front + size + back) if zeros else extend(a, axis, front, back, mode)
    return a


MIRRORED = {"reflect": 1, "symmetric": 0}  # how many entries at the end a mirror leaves out


@plain
def extend(a: Node, axis: int, before: int, after: int, mode: str = "edge") -> Node:
    """So many entries more in front of and behind an axis: the last one again ("edge"), mirrored without it ("reflect")
    or with it ("symmetric"), or those of the other end ("wrap")."""
    place = normalise_axis(axis, a.ndim)
    size, most = a.shape[place], max(before, after) + MIRRORED.get(mode, 0)
    if mode not in ("edge", "wrap", *MIRRORED):
        raise ShapeError(f"mode of extend is edge, reflect, symmetric or wrap, not {mode!r}")
    if min(before, after) < 0 or (mode != "edge" and size.is_Integer and most > size):
        raise ShapeError(f"extend: {mode} has no {before} and {after} entries more for an axis of {size}")
    parts = [_beyond(a, place, before, mode, False)] * bool(before) + [a]
    return build.concat([*parts, *[_beyond(a, place, after, mode, True)] * bool(after)], place)


def _beyond(a: Node, place: int, count: int, mode: str, behind: bool) -> Node:
    """What `extend` puts in front of an axis, or behind it."""
    size, aside = a.shape[place], MIRRORED.get(mode, 0)
    if mode == "edge":
        return repeat(build.slice_axis(a, place, size - 1 if behind else 0, 1), count, place)
    if mode == "wrap":
        return build.slice_axis(a, place, 0 if behind else size - count, count)
    return views.flip(build.slice_axis(a, place, size - count - aside if behind else aside, count), place)


@plain
def tile(a: Node, *reps: Any) -> Node:
    """The whole array so many times along each axis, one behind the other."""
    counts = [*reps[0]] if len(reps) == 1 and isinstance(reps[0], (tuple, list)) else [*reps]
    own = [*[sp.S.One] * (len(counts) - a.ndim), *a.shape]
    counts = [*[sp.S.One] * (len(own) - len(counts)), *map(exact, counts)]
    pairs = build.reshape(a, [d for size in own for d in (1, size)])
    wide = a.graph.broadcast(pairs, as_shape(d for n, size in zip(counts, own, strict=True) for d in (n, size)))
    return build.reshape(wide, [n * size for n, size in zip(counts, own, strict=True)])


@plain
def split(a: Node, parts: int, axis: int = 0, uneven: bool = False) -> tuple[Node, ...]:
    """So many equal parts along an axis; where there are none with ``uneven``, as in PyTorch, the last is smaller."""
    place = normalise_axis(axis, a.ndim)
    share = sp.cancel(a.shape[place] / parts)
    if share.is_Rational and not share.is_Integer:
        if uneven:
            return pieces(a, sp.ceiling(share), place)
        raise ShapeError(f"split: {a.shape[place]} entries are not {parts} equal parts")
    return tuple([build.slice_axis(a, place, share * k, share) for k in range(parts)])


@plain
def pieces(a: Node, sizes: Extent, axis: int = 0) -> tuple[Node, ...]:
    """Pieces of these sizes along an axis, or, of one size, as many as there are, the last one perhaps smaller."""
    place = normalise_axis(axis, a.ndim)
    whole = a.shape[place]
    shares = [as_dim(s) for s in sizes] if isinstance(sizes, (tuple, list)) else _shares(whole, as_dim(sizes))
    if not same(as_dim(sum(shares)), whole):
        raise ShapeError(f"pieces: {' + '.join(map(str, shares))} entries are not {whole}")
    return tuple([build.slice_axis(a, place, sum(shares[:k]), size) for k, size in enumerate(shares)])


def _shares(whole: sp.Expr, size: sp.Expr) -> list[sp.Expr]:
    """The sizes of pieces of one size, the last one perhaps smaller; 4H has four of H."""
    if size.is_zero:
        raise ShapeError("pieces: a size is at least 1, not 0")
    count = sp.cancel(whole / size)
    if not count.is_Rational:
        raise ShapeError(f"pieces: how many of {size} entries there are in {whole} is not known: split(a, parts, axis) "
                         "takes how many")
    full = int(count)
    return [size] * full + [whole - full * size] * bool(count > full)


@plain
def unflatten(a: Node, axis: int, sizes: Sequence[DimLike]) -> Node:
    """One axis as several of these sizes, of which one may be -1."""
    place = normalise_axis(axis, a.ndim)
    return build.reshape(a, (*a.shape[:place], *sizes, *a.shape[place + 1 :]))


@plain
def delete(a: Node, index: Sizes, axis: int | None = None) -> Node:
    """All entries along an axis but one, or some; without an axis of the flat array."""
    whole, place = _along(a, axis)
    size = whole.shape[place]
    gaps = {position(k, size, label(a)) for k in (index if isinstance(index, Sequence) else [index])}
    try:
        ends = [-sp.S.One, *sorted(gaps), size]
    except TypeError:
        raise ShapeError(f"delete: which of {', '.join(map(str, gaps))} comes first is not known") from None
    left = [build.slice_axis(whole, place, begin + 1, end - begin - 1) for begin, end in pairwise(ends)]
    return build.concat(left, place)


@plain
def insert(a: Node, index: int, values: Operand, axis: int | None = None) -> Node:
    """Values before an entry along an axis, or behind all; without an axis into the flat array."""
    whole, place = _along(a, axis)
    start = position(index, whole.shape[place], label(a), behind=1)
    added, inner = a.graph.lift(values), (*whole.shape[:place], *whole.shape[place + 1 :])
    between = flatten(added) if axis is None else build.expand(a.graph.broadcast(added, inner), place)
    rest = build.slice_axis(whole, place, start, whole.shape[place] - start)
    return build.concat([build.slice_axis(whole, place, 0, start), between, rest], place)


def _along(a: Node, axis: int | None) -> tuple[Node, int]:
    """An array and the place of an axis; of none the flat array."""
    return (flatten(a), 0) if axis is None else (a, normalise_axis(axis, a.ndim))


def _to_front(a: Node, axis: int, back: bool = False) -> Node:
    """The axis as the first one, or the first one back in its place."""
    order = [axis, *[k for k in range(a.ndim) if k != axis]]
    return build.transpose(a, [order.index(k) for k in range(a.ndim)] if back else order)


@function
def take(a: Node, index: Places, axis: int = 0) -> Node:
    """Entries along an axis by integer data, whose axes stand in its place, or by a list of numbers: ``a[:, index]``
    for the axis 1."""
    if not isinstance(index, Node):
        return getitem(a, (*[slice(None)] * normalise_axis(axis, a.ndim), [*index]))
    return along(a, normalise_axis(axis, a.ndim), index)


@function
def index_add(a: Node, index: Node, source: Node, axis: int = 0) -> Node:
    """a, with the slices of ``source`` added to those that the index names along an axis; repeated ones add up."""
    place = normalise_axis(axis, a.ndim)
    added = build.scatter_add(_to_front(source, place), index, a.shape[place])
    return a + _to_front(added, place, back=True)


@function
def scatter(a: Node, index: Node, source: Node, axis: int = -1) -> Node:
    """a, with the entries of ``source`` where the index points along an axis; it points to no place twice."""
    place = normalise_axis(axis, a.ndim)
    if not same_shape(index.shape, source.shape):
        raise ShapeError(f"scatter: {label(index)} ({shape_text(index.shape)}) and {label(source)} "
                         f"({shape_text(source.shape)}) differ")
    hit, found = (build.put_along(x, index, place, a.shape[place]) for x in (a.graph.full(1, index.shape), source))
    return a.graph.call("where", hit, found, a)


@known(means=(equal(at(called("pick", Z, Y), N), at(Z, N, at(Y, N))),),
       rule=("picked entries get the gradient, the others 0",), by_entry=True)
@function
def pick(a: Node, index: Node) -> Node:
    """a[…, index]: one entry of the last axis for each leading position."""
    if not same_shape(a.shape[:-1], index.shape):
        raise ShapeError(
            f"class indices for {label(a)} ({shape_text(a.shape)}) have shape {shape_text(a.shape[:-1])}, "
            f"not {shape_text(index.shape)}"
        )
    if index.value is None:
        return build.pick(a, index)
    if index.value < 0:
        raise ShapeError(f"classes are counted from 0 on, {index.value} is none of {label(a)} ({shape_text(a.shape)})")
    chosen: Node = a[..., index.value]
    return chosen


@plain
def permute(a: Node, *axes: Axis) -> Node:
    """PyTorch's permute: the axes in this order."""
    order = axes[0] if len(axes) == 1 else axes
    return build.transpose(a, order)  # type: ignore[arg-type]


@plain
def flatten(a: Node, start_dim: int = 0, end_dim: int = -1) -> Node:
    """All entries in one axis, or those of the axes from one to another."""
    if (start_dim, end_dim) == (0, -1):
        return build.reshape(a, (-1,))
    first, last = normalise_axis(start_dim, a.ndim), normalise_axis(end_dim, a.ndim)
    if last < first:
        of = f"{label(a)} ({shape_text(a.shape)})"
        raise ShapeError(f"flatten: axis {end_dim} of {of} stands before axis {start_dim}")
    return build.reshape(a, (*a.shape[:first], sp.prod(a.shape[first : last + 1]), *a.shape[last + 1 :]))


@plain
def zeros_like(a: Node) -> Node:
    """Zeros in the shape of an array."""
    return a.graph.full(0, a.shape)


@plain
def ones_like(a: Node) -> Node:
    """Ones in the shape of an array."""
    return a.graph.full(1, a.shape)


@plain
def full_like(a: Node, value: Operand) -> Node:
    """A number in the shape of an array."""
    return a.graph.broadcast(a.graph.lift(value), a.shape)


@plain
def broadcast(a: Node, shape: Sequence[DimLike]) -> Node:
    """Repeated to a shape, as NumPy's broadcast_to; -1 is the size that the axis has, as in PyTorch's expand."""
    own = (*[-1] * (len(shape) - a.ndim), *a.shape)  # of a new axis none: -1 stays, and is refused
    sizes = [have if size == -1 else size for size, have in zip(shape, own, strict=False)]
    return a.graph.broadcast(a, as_shape(sizes))


for op in OPS.values():  # what is declared beside an op; the op's own rows print by themselves
    for call in op.functions:
        (plain if call.__name__ == op.name else function)(call)
