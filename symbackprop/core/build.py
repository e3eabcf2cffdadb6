"""Building structural rows: one function an op, each with the few rewrites that keep gradients readable.

The rewrites are exact and local: a transpose is absorbed by the product that reads it, a product with the identity
matrix is no product, sums and views of constants are constants.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from math import prod

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_identity, is_listed, is_part, is_repeated, is_reshaped
from symbackprop.core.graph import FLOAT, Graph, Leaf, Node, label, mark
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import (
    ONE,
    Axis,
    Dim,
    DimLike,
    Shape,
    as_dim,
    as_shape,
    broadcast,
    dim_text,
    is_one,
    normalise_axes,
    normalise_axis,
    same,
    same_shape,
    shape_text,
    size_of,
)
from symbackprop.errors import ShapeError

MAX_LETTERS = 48  # of the 52 there are: a loop around it and a gradient need letters of their own


def einsum(pattern: Pattern | str, *args: Node) -> Node:
    """Sum of products over the letters that ``->`` drops; letters are renamed canonically so that equal rows meet."""
    p = _checked(Pattern.parse(pattern) if isinstance(pattern, str) else pattern, args)
    for rewrite in (_drop_eye, _absorb_view, _drop_constant, _drop_scalar):
        result = rewrite(p, args)
        if result is not None:
            return result
    if p.ins == (p.out,):
        return args[0]
    if len(args) == 1 and args[0].value is not None and len(p.letters) == len(p.ins[0]):
        return _einsum_constant(p, args[0])
    if len(p.letters) > MAX_LETTERS:
        raise ShapeError(f"an einsum has at most {MAX_LETTERS} letters, this one has {len(p.letters)}")
    return args[0].graph.make("einsum", args, p.canonical())


def _checked(p: Pattern, args: Sequence[Node]) -> Pattern:
    """The pattern, where it fits the operands."""
    if len(p.ins) != len(args):
        raise ShapeError(f"einsum '{p!s:.40}' has {len(p.ins)} operands, {len(args)} are given")
    for s, a in zip(p.ins, args, strict=True):
        if len(s) != a.ndim:
            raise ShapeError(f"einsum '{p}': {s!r} names {len(s)} axes, {label(a)} has {shape_text(a.shape)}")
    if len(set(p.out)) < len(p.out) or not set(p.out) <= set(p.letters):
        raise ShapeError(f"einsum '{p}': the result's letters must be different and occur on the left")
    return p


def _drop_eye(p: Pattern, args: Sequence[Node]) -> Node | None:
    """Σ_j δ_ij a_j is a_i, and Σ_j c δ_ij a_j is c a_i."""
    for k, (s, a) in enumerate(zip(p.ins, args, strict=True)):
        factor = _factor_of_eye(a) if len(args) > 1 else None
        if factor is None or s[0] == s[1]:
            continue
        keep, gone = (s[0], s[1]) if s[1] not in p.out else (s[1], s[0])
        rest = p.without(k)
        if gone not in p.out and {keep, gone} & set(rest.letters):
            ins = tuple([t.replace(gone, keep) for t in rest.ins])
            return factor * einsum(Pattern(ins, p.out), *_without(args, k))
    return None


def _factor_of_eye(a: Node) -> Node | None:
    """The number by which a row is the identity matrix; None of any other row. A name is a barrier."""
    if is_identity(a):
        return a.graph.const(1)
    on = _on_diagonal(a)
    return None if on is None or on.ndim else on


def _on_diagonal(a: Node) -> Node | None:
    """A row whose diagonal is that of a, which is 0 elsewhere: made of an identity matrix by which all is multiplied;
    None of any other row. A name is a barrier."""
    form = a.arithmetic if a.ndim == 2 and a.name is None else None
    eyes = [k for k, arg in enumerate(a.args) if is_identity(arg)] if form is not None else []
    if form is None or len(eyes) != 1 or not same_shape(a.args[eyes[0]].shape, a.shape):  # nor 1x1 beside a matrix
        return None
    places = [f.Arg(k) for k in range(len(a.args))]
    off, on = [f.over(form, [*places[: eyes[0]], f.Num(entry), *places[eyes[0] + 1 :]])
               for entry in (sp.S.Zero, sp.S.One)]
    return a.graph.arithmetic(on, a.args) if off == f.Num(sp.S.Zero) else None


def _absorb_view(p: Pattern, args: Sequence[Node]) -> Node | None:
    """A product reads through a transposition of one of its operands."""
    for k, a in enumerate(args):
        if not a.whole and isinstance(a.attr, Pattern) and a.attr.is_transpose:
            renamed = dict(zip(a.attr.out, p.ins[k], strict=True))
            inner = "".join(renamed[c] for c in a.attr.ins[0])
            whole = Pattern((*p.ins[:k], inner, *p.ins[k + 1 :]), p.out)
            return einsum(whole, *args[:k], a.args[0], *args[k + 1 :])
    return None


def _drop_constant(p: Pattern, args: Sequence[Node]) -> Node | None:
    """A constant operand is a factor in front, as long as no index lives in it alone."""
    for k, a in enumerate(args):
        if len(args) > 1 and a.value is not None and set(p.ins[k]) <= set(p.without(k).letters):
            product: Node = einsum(p.without(k), *_without(args, k)) * a.value
            return product
    return None


def _drop_scalar(p: Pattern, args: Sequence[Node]) -> Node | None:
    """An operand without axes is a factor."""
    for k, a in enumerate(args):
        if len(args) > 1 and not p.ins[k]:
            rest = einsum(p.without(k), *_without(args, k))
            return a * rest if k == 0 else rest * a
    return None


def _without(args: Sequence[Node], place: int) -> list[Node]:
    return [a for k, a in enumerate(args) if k != place]


def _einsum_constant(p: Pattern, a: Node) -> Node:
    summed = [i for i, c in enumerate(p.ins[0]) if c not in p.out]
    assert a.value is not None
    return a.graph.full(a.value * size_of(a.shape, summed), [a.shape[k] for k in p.order])


def matmul(a: Node, b: Node) -> Node:
    """a @ b with NumPy's rules: vectors contract their only axis, leading axes are a batch and broadcast."""
    if not a.ndim or not b.ndim:
        raise ShapeError(f"@ needs arrays, but {label(a if not a.ndim else b)} is a scalar; use *")
    inner_b = b.shape[0] if b.ndim == 1 else b.shape[-2]
    if not same(a.shape[-1], inner_b):
        raise _inner_mismatch(a, b, inner_b)
    batch_a, batch_b = string.ascii_letters[: max(a.ndim - 2, 0)], string.ascii_letters[: max(b.ndim - 2, 0)]
    if a.ndim > 2 and b.ndim > 2:
        a, b, batch_a, batch_b = _batch(a, b)
    left = batch_a + ("yx" if a.ndim > 1 else "x")
    right = batch_b + ("xz" if b.ndim > 1 else "x")
    out = (batch_a if len(batch_a) >= len(batch_b) else batch_b) + left[-2:-1] * (a.ndim > 1) + "z" * (b.ndim > 1)
    return einsum(Pattern((left, right), out), a, b)


def _inner_mismatch(a: Node, b: Node, inner: sp.Expr) -> ShapeError:
    meant = ""
    if b.ndim == 2 and same(a.shape[-1], b.shape[1]):
        first, second = (b, a) if _is_param(a) and not _is_param(b) else (a, b)  # the batch stands in front
        meant = f"{label(first)} @ {_turned(second)}"
    elif a.ndim == 2 and same(a.shape[0], inner):
        meant = f"{_turned(a)} @ {label(b)}"
    elif b.ndim <= 2 and a.ndim <= 2 and same(a.shape[0], b.shape[-1]):
        meant = f"{label(b)} @ {label(a)}"
    return ShapeError(
        f"{label(a)} @ {label(b)}: inner sizes {dim_text(a.shape[-1])} and {dim_text(inner)} differ ({label(a)}: "
        f"{shape_text(a.shape)}, {label(b)}: {shape_text(b.shape)})" + (f"; did you mean {meant} ?" if meant else ""),
        instead=meant)


def _turned(a: Node) -> str:
    """The transpose of what a label says."""
    said = label(a)
    return said.removesuffix(".T") if said.endswith(".T") else f"{said}.T"


def _is_param(a: Node) -> bool:
    return isinstance(a.attr, Leaf) and a.attr.role == "param"


def _batch(a: Node, b: Node) -> tuple[Node, Node, str, str]:
    """Bring batch axes to equal sizes; letters count from the last batch axis."""
    batch = broadcast([a.shape[:-2], b.shape[:-2]], lambda: [label(a), label(b)])
    letters = string.ascii_letters[: len(batch)]
    rows = []
    for x in (a, b):
        own = x.shape[:-2]
        target = batch[len(batch) - len(own) :]
        rows.append(x if same_shape(own, target) else x.graph.broadcast(x, (*target, *x.shape[-2:])))
    na, nb = rows[0].ndim - 2, rows[1].ndim - 2
    return rows[0], rows[1], letters[len(letters) - na :], letters[len(letters) - nb :]


def transpose(a: Node, axes: Sequence[int] | None = None) -> Node:
    """The axes permuted (reversed by default)."""
    order = [normalise_axis(x, a.ndim) for x in axes] if axes is not None else list(range(a.ndim))[::-1]
    if sorted(order) != list(range(a.ndim)):
        raise ShapeError(f"transpose needs each axis of {label(a)} once, not {tuple(axes or ())}")
    letters = string.ascii_letters[: a.ndim]
    return einsum(Pattern((letters,), "".join(letters[i] for i in order)), a)


def reduce_sum(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ over axes."""
    axes = normalise_axes(axis, a.ndim)
    shape = reduced_shape(a.shape, axes, keepdims)
    if a.value is not None:
        return a.graph.full(a.value * size_of(a.shape, axes), shape)
    if all(is_one(a.shape[i]) for i in axes):
        return reshape(a, shape)
    if is_repeated(a) and a.name is None and _all_repeated(a, axes):
        return _sum_of_copies(a, axes, shape)
    diagonal = a.graph.const(1) if is_identity(a) and a.name is None else _on_diagonal(a)
    if diagonal is not None:
        return _sum_of_diagonal(a, diagonal, len(axes) == a.ndim, shape)
    return a.graph.make("sum", (a,), (axes, keepdims))


def _sum_of_diagonal(a: Node, diagonal: Node, both: bool, shape: Shape) -> Node:
    """Σ over one axis, or both, of what is 0 beside its diagonal."""
    if not diagonal.ndim:
        return a.graph.broadcast(diagonal * a.shape[0] if both else diagonal, shape)
    return reshape(einsum("ii->" if both else "ii->i", a.graph.broadcast(diagonal, a.shape)), shape)


def _all_repeated(a: Node, axes: Sequence[int]) -> bool:
    source = a.args[0].shape
    lead = a.ndim - len(source)
    return all(i < lead or is_one(source[i - lead]) for i in axes)


def _sum_of_copies(a: Node, axes: Sequence[int], shape: Shape) -> Node:
    """Σ over axes along which the entries are copies: their number times one copy."""
    source = a.args[0]
    lead = a.ndim - source.ndim
    own = [d for i, d in enumerate(source.shape) if i + lead not in axes]
    copies = size_of(a.shape, axes)
    return a.graph.broadcast(reshape(reshape(source, own) * copies, _align(own, a, axes, shape)), shape)


def _align(own: Sequence[sp.Expr], a: Node, axes: Sequence[int], shape: Shape) -> Sequence[sp.Expr]:
    """The copy's shape with the axes that keepdims leaves as size 1."""
    if len(shape) < a.ndim:
        return own
    lead = a.ndim - a.args[0].ndim
    return tuple(ONE if i in axes else a.args[0].shape[i - lead] for i in range(lead, a.ndim))


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    return tuple(ONE if i in axes else d for i, d in enumerate(shape) if keepdims or i not in axes)


def unbroadcast(g: Node, shape: Shape) -> Node:
    """The adjoint of broadcasting: sum over the axes that were repeated. The only place where that is done."""
    if same_shape(g.shape, shape):
        return g
    lead = g.ndim - len(shape)
    repeated = [i + lead for i, d in enumerate(shape) if is_one(d) and not is_one(g.shape[i + lead])]
    if lead and repeated:
        return reshape(reduce_sum(g, tuple(range(lead)) + tuple(repeated)), shape)
    return reduce_sum(g, tuple(range(lead))) if lead else reduce_sum(g, repeated, keepdims=True)


def reshape(a: Node, shape: Sequence[DimLike]) -> Node:
    """The same entries in row-major order under another shape; one size may be -1."""
    target = _infer_size(a, list(shape))
    if same_shape(a.shape, target):
        return a
    if not same(size_of(a.shape), size_of(target)):  # C // h, of which nothing is left over
        target = tuple([size.replace(sp.floor, lambda part: part) for size in target])
    if not same(size_of(a.shape), size_of(target)):
        raise ShapeError(f"cannot reshape {label(a)} ({shape_text(a.shape)}) to {shape_text(target)}: sizes differ")
    if a.value is not None:
        return a.graph.full(a.value, target)
    if is_reshaped(a) and not a.whole and a.id not in a.graph.held:
        return reshape(a.args[0], target)
    return a.graph.make("reshape", (a,), target)


def _infer_size(a: Node, shape: list[DimLike]) -> Shape:
    unknown = [i for i, d in enumerate(shape) if isinstance(d, (int, sp.Integer)) and d == -1]
    if len(unknown) > 1:
        raise ShapeError("only one size of a reshape can be -1")
    if unknown:
        known = sp.Mul(*[as_dim(d) for i, d in enumerate(shape) if i not in unknown])
        shape[unknown[0]] = rest = sp.cancel(size_of(a.shape) / known)
        if rest.is_number and not rest.is_integer:
            raise ShapeError(f"cannot reshape {label(a)} ({shape_text(a.shape)}): {size_of(a.shape)} entries are no "
                             f"multiple of {known}")
    return as_shape(shape)


def expand(a: Node, axis: int) -> Node:
    """A new axis of size 1 at that place."""
    place = normalise_axis(axis, a.ndim + 1)
    return reshape(a, (*a.shape[:place], ONE, *a.shape[place:]))


def softmax(a: Node, axis: Axis = -1) -> Node:
    axes = normalise_axes(axis, a.ndim)
    if len(axes) == 1:
        return a.graph.make("softmax", (a,), axes[0])
    return shares(a, logsumexp(a, axes, keepdims=True))


def shares(a: Node, total: Node) -> Node:
    """e^(a − total) for total = logsumexp(a): softmax along several axes. 0 at −∞, even where nothing else is added."""
    return a.graph.call("where", a.graph.call("equal", a, -sp.oo), 0, a.graph.call("exp", a - total))


def logsumexp(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    return a.graph.make("logsumexp", (a,), (normalise_axes(axis, a.ndim), keepdims))


def shift(a: Node, axis: Axis = None) -> Node:
    """The largest entry along axes, which stay with size 1, held constant; 0 where that is infinite."""
    return a.graph.make("shift", (a,), normalise_axes(axis, a.ndim))


def shifted_logsumexp(a: Node, s: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """log Σ e^(a − s), for s = shift(a)."""
    return a.graph.make("shifted_logsumexp", (a, s), (normalise_axes(axis, a.ndim), keepdims))


def norm(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """√Σ a² over axes; of single entries it is |a|."""
    axes = normalise_axes(axis, a.ndim)
    if all(is_one(a.shape[i]) for i in axes):
        return reshape(a.graph.call("abs", a), reduced_shape(a.shape, axes, keepdims))
    return a.graph.make("norm", (a,), (axes, keepdims))


def reduce_max(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    axes = normalise_axes(axis, a.ndim)
    return a.graph.make("max", (a,), (axes, keepdims)) if a.ndim else a


def gather(table: Node, index: Node) -> Node:
    """Rows of a table by integer data: shape index.shape + table.shape[1:]."""
    if index.value is not None and not index.ndim:
        first = index.value if index.value >= 0 else table.shape[0] + index.value
        return reshape(slice_axis(table, 0, first, 1), table.shape[1:])
    return table.graph.make("gather", (table, index))


def scatter_add(g: Node, index: Node, rows: DimLike) -> Node:
    """The adjoint of `gather`: rows of g added up in the rows of a zero table that the index names."""
    if g.value is not None and not g.ndim:
        return _marked(index, 0, rows, g.value)
    return g.graph.make("scatter_add", (g, index), as_dim(rows))


def _marked(index: Node, axis: int, size: DimLike, number: sp.Expr) -> Node:
    """A number where the index points along an axis, zero elsewhere."""
    hot: Node = one_hot_along(index if index.ndim else expand(index, 0), axis, as_dim(size)) * number
    return hot


def take_along(a: Node, index: Node, axis: int = -1) -> Node:
    """NumPy's take_along_axis."""
    return a.graph.make("take_along_axis", (a, index), normalise_axis(axis, a.ndim))


def pick(a: Node, index: Node) -> Node:
    """One entry of the last axis for each leading position."""
    return reshape(take_along(a, expand(index, -1), -1), index.shape)


def put_along(g: Node, index: Node, axis: int, size: DimLike) -> Node:
    """The adjoint of `take_along`: entries of g added where the index points along ``axis``, zero elsewhere."""
    place = normalise_axis(axis, g.ndim)
    if g.value is not None and is_one(g.shape[place]):
        return _marked(index, place, size, g.value)
    return g.graph.make("put_along_axis", (g, index), (place, as_dim(size)))


def concat(parts: Sequence[Node], axis: int = 0) -> Node:
    """Arrays joined along an axis, lists of numbers as a longer list; one of floats that has no entries adds none,
    integers say what may be an index."""
    place = normalise_axis(axis, parts[0].ndim)
    beside = next((p.shape for p in parts if p.shape[place : place + 1] != (0,)), parts[0].shape)
    nothing = (*beside[:place], sp.S.Zero, *beside[place + 1 :])
    some = [p for p in parts if p.kind != FLOAT or not same_shape(p.shape, nothing)] or parts[:1]
    lists = [numbers_in(p) for p in some]
    if len(nothing) == 1 < len(some) and all(lists):
        return _listed([x for numbers in lists for x in numbers])
    return some[0] if len(some) == 1 < len(parts) else parts[0].graph.make("concat", some, place)


def stack(parts: Sequence[Node], axis: int = 0) -> Node:
    """Arrays of one shape joined along a new axis; of numbers a list of them, of such lists a longer one."""
    lists, first = [numbers_in(p) for p in parts], parts[0].shape
    if len(parts) == 1 or not all(lists) or not all(same_shape(p.shape, first) for p in parts):
        return concat([expand(p, axis) for p in parts], axis)
    place = normalise_axis(axis, len(first) + 1)
    each = prod(map(int, first[place:]))
    inside = [x[k : k + each] for k in range(0, len(lists[0]), each) for x in lists]
    return _listed([x for numbers in inside for x in numbers], *first[:place], sp.Integer(len(parts)), *first[place:])


def _listed(numbers: Sequence[Node], *shape: Dim) -> Node:
    return numbers[0].graph.make("array_of", numbers, shape or (sp.Integer(len(numbers)),))


def numbers_in(row: Node) -> tuple[Node, ...]:
    """What a row lists that has no name: a number alone, or numbers in their order; nothing where it is no list."""
    if row.ndim == 0:
        return (row,) if row.is_number or row.kind == FLOAT else ()
    alone = all(map(is_one, row.shape)) and (is_reshaped(row) or is_repeated(row)) and row.args[0].ndim == 0
    return row.args if (alone or is_listed(row)) and row.name is None and all(map(numbers_in, row.args)) else ()


def entry(a: Node, place: Sequence[int]) -> Node:
    """One entry of an array, as a number: ``a[1, 0]``."""
    for axis, k in enumerate(place):
        a = slice_axis(a, axis, k, 1)
    return reshape(a, ())


def rejoined(parts: Sequence[Node], axis: int) -> Node:
    """Arrays joined along an axis; the end of an array before its beginning is the array, rolled."""
    row = concat(parts, axis)
    a = parts[0].args[0] if len(parts) == 2 and all(is_part(p) and p.name is None for p in parts) else None
    if a is None or a is not parts[1].args[0]:
        return row
    (back, begin, _, stride), (front, first, _, step) = [p.attr for p in parts]
    along = (back, front, stride, step, first) == (axis, axis, 1, 1, 0)
    whole = along and same(begin, parts[1].shape[axis]) and same(row.shape[axis], a.shape[axis])
    shifts = [int(n) for n in (a.shape[axis] - begin, -begin) if n.is_Integer]
    options = {"axis": axis} if axis else {}
    return mark(row, "roll", (a, min(shifts, key=abs)), options) if whole and shifts else row


def slice_axis(a: Node, axis: int, start: DimLike, length: DimLike, step: int = 1) -> Node:
    """``length`` entries along an axis, from ``start`` in steps of ``step`` (negative: backwards)."""
    place, begin, count = normalise_axis(axis, a.ndim), as_dim(start), as_dim(length)
    if step == 1 and begin == 0 and same(count, a.shape[place]):
        return a
    if a.value is not None:
        return a.graph.full(a.value, (*a.shape[:place], count, *a.shape[place + 1 :]))
    return a.graph.make("slice", (a,), (place, begin, count, step))


def pad_axis(a: Node, axis: int, start: DimLike, size: DimLike, step: int = 1) -> Node:
    """The adjoint of `slice_axis`: entries put at start, start+step, … of a zero axis of ``size`` entries."""
    place = normalise_axis(axis, a.ndim)
    if step == 1 and as_dim(start) == 0 and same(as_dim(size), a.shape[place]):
        return a
    return a.graph.make("pad", (a,), (place, as_dim(start), as_dim(size), step))


def eye(graph: Graph, n: DimLike) -> Node:
    return graph.make("eye", (), as_dim(n))


def arange(graph: Graph, n: DimLike) -> Node:
    return graph.make("arange", (), as_dim(n))


def one_hot_along(index: Node, axis: int, size: Dim) -> Node:
    """1 where the position along ``axis`` is the index, else 0; the index has size 1 there."""
    positions = arange(index.graph, size)
    places = reshape(positions, tuple(size if k == axis else ONE for k in range(index.ndim)))
    row = index.graph.call("equal", index, places)
    if axis == index.ndim - 1 and row.origin is None:
        mark(row, "one_hot", (squeeze(index, axis), size), {})
    return row


def squeeze(a: Node, axis: Axis = None) -> Node:
    """Without these axes, which are of size 1; without all such axes where none is given."""
    gone = [k for k, d in enumerate(a.shape) if is_one(d)] if axis is None else normalise_axes(axis, a.ndim)
    wide = [k for k in gone if not is_one(a.shape[k])]
    if wide:
        raise ShapeError(f"squeeze: axis {wide[0]} of {label(a)} ({shape_text(a.shape)}) is not of size 1")
    return reshape(a, [d for k, d in enumerate(a.shape) if k not in gone])


def swapaxes(a: Node, first: int, second: int) -> Node:
    """Two axes in each other's place."""
    order = list(range(a.ndim))
    one, other = normalise_axis(first, a.ndim), normalise_axis(second, a.ndim)
    order[one], order[other] = other, one
    return transpose(a, order)
