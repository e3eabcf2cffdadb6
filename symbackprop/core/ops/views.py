"""Rows that move entries without arithmetic: broadcast, reshape, concat, lists of numbers, slice and its adjoint pad,
flip, and the copy that no gradient passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, product
from typing import Any

import sympy as sp

from symbackprop.core import build
from symbackprop.core.entry import At, Digit, Index, Indices, Terms, aligned, letter, on_axis, place, term
from symbackprop.core.graph import FLOAT, Node, common_kind, label
from symbackprop.core.maths import A, Item, Math, Matrix, Num, Span, Vector, Words, called, plain, read_at, sizes
from symbackprop.core.registry import Cotangents, Op, Sample, register
from symbackprop.core.roles import Role
from symbackprop.core.shapes import (
    Axis,
    Dim,
    Shape,
    broadcast,
    is_below_zero,
    is_one,
    nested,
    normalise_axes,
    same,
    same_shape,
    shape_text,
    steps_in,
)
from symbackprop.errors import ShapeError


def _infer_broadcast(shape: Shape, args: tuple[Node, ...]) -> tuple[Shape, str]:
    if not same_shape(broadcast([args[0].shape, shape]), shape):
        raise ShapeError(f"{label(args[0])} ({shape_text(args[0].shape)}) does not broadcast to {shape_text(shape)}")
    return shape, args[0].kind


register(Op(
    name="broadcast",
    role=Role.REPEATED,
    signature="broadcast(a, shape)",
    shape_rule="the given shape; a must broadcast to it",
    derivative="upstream summed over the repeated axes",
    title="broadcast",
    rule=("the gradient is summed over the copies",),
    domain="any",
    infer=_infer_broadcast,
    vjp=lambda output, upstream, *_: (upstream,),
    show=lambda node, args: called("broadcast", args[0], sizes(node.shape)),
    entry=lambda shape, shapes, index: [term(At(0, aligned(shapes[0], index)))],
    reference=lambda np, shape, a: np.zeros(shape, dtype=np.asarray(a).dtype) + a,
    samples=(Sample(((3,),), (2, 3)), Sample(((),), (2,)), Sample(((2, 1),), (2, 3))),
))


def _entry_reshape(shape: Shape, shapes: Sequence[Shape], index: Indices) -> Terms:
    """The entry at the same place when the entries are counted, in every block of axes of equal sizes by itself."""
    target = [(d, i) for d, i in zip(map(sp.sympify, shape), index, strict=True) if not is_one(d)]
    source, digits = [d for d in shapes[0] if not is_one(d)], list[Index]()
    for own, block in _blocks(source, [d for d, _ in target]):
        sizes, parts = source[own], target[block]
        count = place(*[(sp.Mul(*[d for d, _ in parts[k + 1 :]]), i) for k, (_, i) in enumerate(parts)])
        digits += [Digit(count, sp.Mul(*sizes[k + 1 :]), d if k else None) if len(sizes) > 1 else count
                   for k, d in enumerate(sizes)]
    rest = iter(digits)  # fewer where only what kind of entries these are is asked, of sizes that do not fit
    return [term(At(0, tuple([sp.S.Zero if is_one(d) else next(rest, sp.S.Zero) for d in shapes[0]])))]


def _blocks(source: Sequence[Dim], target: Sequence[Dim]) -> list[tuple[slice, slice]]:
    """The shortest runs of axes of two shapes that have equally many entries, in order."""
    first, second = ({sp.expand(sp.Mul(*s[:k])): k for k in range(len(s))} for s in (source, target))
    starts = [*[(k, second[size]) for size, k in first.items() if size in second], (len(source), len(target))]
    return [(slice(a, c), slice(b, d)) for (a, b), (c, d) in pairwise(starts)]


def _written_reshape(node: Node, args: Sequence[Math]) -> Math:
    return called("reshape", args[0], sizes(node.shape))


def _show_reshape(node: Node, args: Sequence[Math]) -> Math:
    """``a[1, 0]`` where one place is left of a slice, else as a call."""
    have = node.args[0].shape
    left = same_shape(node.shape, tuple([d for d in have if not is_one(d)]))
    found = read_at(args[0], [Num(sp.S.Zero) if is_one(d) else Span() for d in have]) if left else None
    if found is None:
        return _written_reshape(node, args)
    last = max([k for k, x in enumerate(found[1]) if x != Span()])
    return Item(found[0], tuple(found[1][: last + 1]))


register(Op(
    name="reshape",
    role=Role.RESHAPED,
    means=("reshape has the same entries in the same order, the last axis fastest, in the shape below it",),
    signature="reshape(a, shape)",
    shape_rule="the given shape, of the same size",
    derivative="upstream in the shape of a",
    title="reshape",
    rule=("the same entries in the old shape",),
    domain="any",
    infer=lambda shape, args: (shape, args[0].kind),
    vjp=lambda output, upstream, *_: (build.reshape(upstream, output.args[0].shape),),
    show=_show_reshape,
    written=_written_reshape,
    entry=_entry_reshape,
    reference=lambda np, shape, a: np.array(list(np.asarray(a).flat), dtype=np.asarray(a).dtype).reshape(shape),
    samples=(Sample(((2, 3),), (3, 2)), Sample(((2, 3),), (6,)), Sample(((4,),), (4, 1))),
))


def _infer_concat(axis: int, args: tuple[Node, ...]) -> tuple[Shape, str]:
    first = args[0].shape
    for a in args[1:]:
        if a.ndim != len(first) or not all(k == axis or same(d, a.shape[k]) for k, d in enumerate(first)):
            raise ShapeError(
                f"cannot concat {label(args[0])} ({shape_text(first)}) and {label(a)} ({shape_text(a.shape)}) "
                f"along axis {axis}: the other axes differ"
            )
    total = sp.Add(*[a.shape[axis] for a in args])
    return (*first[:axis], total, *first[axis + 1 :]), common_kind(args)


def _vjp_concat(output: Node, upstream: Node, wanted: Sequence[bool], *_: object) -> Cotangents:
    axis = output.attr
    sizes = [a.shape[axis] for a in output.args]
    starts = list(accumulate(sizes, initial=sp.S.Zero))[:-1]
    return tuple(
        build.slice_axis(upstream, axis, start, size) if want else None
        for start, size, want in zip(starts, sizes, wanted, strict=True)
    )


def _entry_concat(axis: int, shapes: Sequence[Shape], index: Indices) -> Terms:
    starts = accumulate([s[axis] for s in shapes], initial=sp.S.Zero)
    places = [place((1, index[axis]), (-1, start)) for start in starts][:-1]
    return [term(At(k, on_axis(index, axis, i))) for k, i in enumerate(places)]


def _axis_option(axis: int, rank: int) -> int:
    return -1 if axis == rank - 1 and rank > 1 else axis


register(Op(
    name="concat",
    role=Role.JOINED,
    means="puts one behind the other along the axis",
    signature="concat(a, b, …, axis=)",
    shape_rule="sizes along the axis add up; the others are equal",
    derivative="each part gets its slice of upstream",
    title="concatenation",
    rule=("each part gets its slice",),
    domain="any",
    infer=_infer_concat,
    vjp=_vjp_concat,
    show=lambda node, args: called("concat", *args, axis=_axis_option(node.attr, node.ndim)),
    entry=_entry_concat,
    reference=lambda np, axis, *parts: np.concatenate(parts, axis=axis),
    samples=(Sample(((2, 3), (2, 1)), 1), Sample(((1, 3), (2, 3), (2, 3)), 0)),
))


def _places(shape: Shape) -> Iterator[tuple[int, ...]]:
    """The places of all entries, the last axis fastest."""
    return product(*[range(int(n)) for n in shape])


def _vjp_listed(output: Node, upstream: Node, wanted: Sequence[bool], *_: object) -> Cotangents:
    places = zip(_places(output.shape), wanted, strict=True)
    return tuple([build.entry(upstream, place) if want else None for place, want in places])


def _entry_listed(shape: Shape, shapes: Sequence[Shape], index: Indices) -> Terms:
    places = enumerate(_places(shape))
    return [term(At(k, ()), ties=[(i, sp.Integer(n)) for i, n in zip(index, at, strict=True)]) for k, at in places]


def _listed(numbers: Sequence[Any], ndim: int) -> Math:
    """``[a, b]``, ``[[a, b], [c, d]]``, and lists of such for more axes."""
    if ndim == 2:
        return Matrix(tuple(map(tuple, numbers)))
    return Vector(tuple(numbers) if ndim == 1 else tuple([_listed(part, ndim - 1) for part in numbers]))


register(Op(
    name="array_of",
    role=Role.LISTED,
    signature="stack(a, b, …)",
    shape_rule="as the numbers are listed",
    derivative="each number gets its entry of upstream",
    title="listed entries",
    rule=("each number gets its entry",),
    domain="numbers",
    infer=lambda shape, args: (shape, common_kind(args)),
    vjp=_vjp_listed,
    show=lambda node, args: _listed(nested(node.shape, args), node.ndim),
    entry=_entry_listed,
    reference=lambda np, shape, *numbers: np.array(numbers).reshape(shape),
    samples=(Sample(((), (), ()), (3,)), Sample(((),) * 6, (2, 3))),
))


def _reaches_outside(start: Dim, count: Dim, step: int, size: Dim) -> bool:
    """Whether of so many places, from start in steps, one is outside of an axis of a size."""
    last = start + (count - 1) * step
    return is_below_zero(start) or is_below_zero(size - 1 - last if step > 0 else last)


def _infer_slice(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    axis, start, length, step = attr
    shape = args[0].shape
    if _reaches_outside(start, length, step, shape[axis]):
        raise ShapeError(f"the slice of axis {axis} of {label(args[0])} ({shape_text(shape)}) reaches outside it")
    return (*shape[:axis], length, *shape[axis + 1 :]), args[0].kind


def _vjp_slice(output: Node, upstream: Node, *_: object) -> Cotangents:
    axis, start, _length, step = output.attr
    return (build.pad_axis(upstream, axis, start, output.args[0].shape[axis], step),)


def _entry_slice(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    axis, start, _, step = attr
    return [term(At(0, on_axis(index, axis, place((step, index[axis]), (1, start)))))]


def _show_slice(node: Node, args: Sequence[Math]) -> Math:
    axis, start, length, step = node.attr
    whole, stop = start == 0 and step > 0 and not (is_one(length) and step == 1), slice_stop(node)
    span = Span(None if whole else Num(start), None if stop is None else Num(stop), step)
    return Item(args[0], (*[Span()] * axis, span))


def slice_stop(node: Node) -> Dim | None:
    """Where a slice stops, as it was declared; None where the axis does: the place before the first has no number.
    It is -1 at sizes at which the slice ends with the first place."""
    axis, start, length, step = node.attr
    room = node.args[0].shape[axis] - start if step > 0 else start + 1
    if same(length, steps_in(room, step)):
        return None
    span = (length - 1) * abs(step) + 1
    if length.has(sp.ceiling):
        whole = length.replace(sp.ceiling, lambda x: x) * abs(step)
        span = whole if same(length, steps_in(whole, step)) else span
    return start + (span if step > 0 else -span)


register(Op(
    name="slice",
    role=Role.PART,
    signature="a[start:stop:step]",
    shape_rule="the chosen entries along one axis",
    derivative="upstream put back in place, zero elsewhere",
    title="slice",
    rule=("the gradient goes back to its place, 0 elsewhere",),
    domain="any",
    selects=True,
    infer=_infer_slice,
    vjp=_vjp_slice,
    show=_show_slice,
    entry=_entry_slice,
    reference=lambda np, attr, a: np.take(a, [attr[1] + k * attr[3] for k in range(attr[2])], axis=attr[0]),
    samples=(
        Sample(((4, 3),), (0, 1, 2, 1)),
        Sample(((2, 5),), (1, 0, 3, 2)),
        Sample(((4,),), (0, 3, 4, -1)),
    ),
))


def _infer_pad(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    axis, start, size, step = attr
    shape = args[0].shape
    if _reaches_outside(start, shape[axis], step, size):
        raise ShapeError(f"pad: axis {axis} of {label(args[0])} ({shape_text(shape)}) does not fit into {size} entries "
                         f"from place {start} on")
    return (*shape[:axis], size, *shape[axis + 1 :]), args[0].kind


def _vjp_pad(output: Node, upstream: Node, *_: object) -> Cotangents:
    axis, start, _size, step = output.attr
    return (build.slice_axis(upstream, axis, start, output.args[0].shape[axis], step),)


def _entry_pad(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    axis, start, _, step = attr
    i = letter(shapes[0][axis])
    return [term(At(0, on_axis(index, axis, i)), summed=[i], ties=[(index[axis], place((step, i), (1, start)))])]


def _reference_pad(np: Any, attr: Any, a: Any) -> Any:
    axis, start, size, step = attr
    out = np.zeros((*a.shape[:axis], size, *a.shape[axis + 1 :]), dtype=a.dtype)
    for k in range(a.shape[axis]):
        out[(slice(None),) * axis + (start + k * step,)] = np.take(a, k, axis=axis)
    return out


def _show_pad(node: Node, args: Sequence[Math]) -> Math:
    axis, start, size, step = node.attr
    return called("pad", args[0], plain(axis), Num(start), Num(size), *([plain(step)] if step != 1 else []))


register(Op(
    name="pad",
    role=Role.PADDED,
    means=(called("pad", A, *map(Words, ("axis", "first", "size"))), " puts ", A,
           " among zeros: along the axis, which gets that size, from the place first on"),
    signature="pad(a, axis, start, size, step)",
    shape_rule="the axis becomes ``size`` long",
    derivative="the slice of upstream that holds a",
    title="padding",
    rule=("the slice that holds the array",),
    domain="any",
    infer=_infer_pad,
    vjp=_vjp_pad,
    show=_show_pad,
    entry=_entry_pad,
    reference=_reference_pad,
    samples=(Sample(((2, 3),), (0, 1, 4, 1)), Sample(((2, 3),), (1, 0, 6, 2)), Sample(((4,),), (0, 3, 4, -1))),
))


def flip(a: Node, axis: Axis = None) -> Node:
    """The entries in reverse order along axes, all of them by default."""
    for k in normalise_axes(axis, a.ndim):
        a = a.graph.make("flip", (a,), k)
    return a


register(Op(
    name="flip",
    means="has the entries in the opposite order along the axis",
    signature="flip(a, axis=)",
    shape_rule="the shape of a",
    derivative="upstream in reverse order",
    title="flip",
    rule=("the gradient in reverse order",),
    domain="any",
    infer=lambda axis, args: (args[0].shape, args[0].kind),
    vjp=lambda output, upstream, *_: (flip(upstream, output.attr),),
    show=lambda node, args: called("flip", args[0], axis=node.attr),
    entry=lambda axis, shapes, index: [
        term(At(0, on_axis(index, axis, place((1, shapes[0][axis] - 1), (-1, index[axis])))))
    ],
    reference=lambda np, axis, a: np.take(a, range(a.shape[axis] - 1, -1, -1), axis=axis),
    samples=(Sample(((3,),), 0), Sample(((2, 3),), 1)),
    functions=(flip,),
))


def stop_gradient(a: Node) -> Node:
    """``a``, of which no gradient is taken: its derivative is 0."""
    return a if a.kind != FLOAT or a.value is not None else a.graph.make("stop_gradient", (a,))


register(Op(
    name="stop_gradient",
    text="stop",
    means="is the array, held constant: its derivative is 0",
    signature="stop_gradient(a)",
    shape_rule="the shape of a",
    derivative="0: a is held constant",
    title="held constant",
    rule=("no gradient passes",),
    domain="any",
    held=True,
    infer=lambda attr, args: (args[0].shape, args[0].kind),
    vjp=lambda *_: (None,),
    jacobian=lambda *_: [],
    reference=lambda np, attr, a: np.array(a),
    samples=(Sample(((2, 3),)), Sample(((),))),
    functions=(stop_gradient,),
))
