"""Rows chosen by integer data, and their adjoints, which add."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from symbackprop.core import build
from symbackprop.core.entry import At, Indices, Terms, letter, letters, on_axis, term
from symbackprop.core.facts import is_arange, kind
from symbackprop.core.graph import BOOL, FLOAT, INT, Leaf, Node, label
from symbackprop.core.maths import A, Item, Num, Y, called, plain
from symbackprop.core.registry import Cotangents, Op, Sample, Spelled, register
from symbackprop.core.roles import Role
from symbackprop.core.shapes import (
    ONE,
    Dim,
    Shape,
    as_dim,
    broadcast,
    dim_text,
    normalise_axis,
    same,
    same_shape,
    shape_text,
)
from symbackprop.errors import ShapeError


def require_integers(index: Node, size: Dim, what: str) -> None:
    """The index is integer data, and its bound is known not to be more than the size of the axis it points into."""
    if index.kind == FLOAT:
        raise ShapeError(f"{label(_viewed(index))} is used as an index but is not integer data: declare it as "
                         f"`int < {dim_text(size)}`")
    if index.kind == BOOL:
        mask = label(index)
        raise ShapeError(f"{mask} holds truth values and is no index: choose entries by where({mask}, a, 0)")
    outside = [n for n in _numbers(index) if n < 0 or (size - 1 - n).is_negative]
    if outside:
        name = label(_viewed(index))
        raise ShapeError(f"{name} has {outside[0]}, and {what} has size {dim_text(size)}: places count from 0")
    below = bound_of(index)
    if below is not None and not same(below, size) and not (size - below).is_nonnegative:
        raise ShapeError(
            f"{label(index)} counts below {dim_text(below)}, but {what} has size {dim_text(size)}: "
            f"declare it as `int < {dim_text(size)}`"
        )


def _numbers(index: Node) -> list[Any]:
    """The numbers that places are where they are listed."""
    listed = _viewed(index)
    numbers = [a.value for a in listed.args] if listed.role is Role.LISTED else []
    return [] if None in numbers else numbers


def _viewed(row: Node) -> Node:
    """What a view shows the entries of."""
    while kind(row).views:
        row = row.args[0]
    return row


def bound_of(index: Node) -> Dim | None:
    """What integer data counts below, as far as its declaration says."""
    index = _viewed(index)
    if is_arange(index):
        return index.attr
    below = index.attr.below if isinstance(index.attr, Leaf) else None
    return None if below is None else as_dim(below)


def _infer_gather(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    table, index = args
    if not table.ndim:
        raise ShapeError(f"{label(table)} is a scalar and has no rows to choose")
    require_integers(index, table.shape[0], f"the first axis of {label(table)}")
    return (*index.shape, *table.shape[1:]), table.kind


def _vjp_gather(output: Node, upstream: Node, *_: object) -> Cotangents:
    table, index = output.args
    return build.scatter_add(upstream, index, table.shape[0]), None


def _entry_gather(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    n = len(shapes[1])
    return [term(At(0, (At(1, index[:n]), *index[n:])))]


register(Op(
    name="gather",
    role=Role.LOOKUP,
    signature="table[index]",
    shape_rule="index shape + table shape without its first axis",
    derivative="scatter_add: upstream rows added into the rows that were read",
    title="lookup",
    rule=("the gradient is added into the rows that were read; repeated rows add up",),
    domain="0 <= index < number of rows",
    selects=True,
    infer=_infer_gather,
    vjp=_vjp_gather,
    show=lambda node, args: Item(args[0], (args[1],)),
    entry=_entry_gather,
    reference=lambda np, attr, table, index: np.take(table, index, axis=0),
    samples=(Sample(((4, 2), (3,)), None, {1: 4}), Sample(((4,), (2, 3)), None, {1: 4})),
))


def _infer_scatter(rows: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    g, index = args
    require_integers(index, rows, "the table of scatter_add")
    if not same_shape(g.shape[: index.ndim], index.shape):
        raise ShapeError(f"scatter_add: {shape_text(g.shape)} does not start with {shape_text(index.shape)}")
    return (rows, *g.shape[index.ndim :]), "float"


def _entry_scatter(rows: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    read = letters(shapes[1])
    return [term(At(0, (*read, *index[1:])), summed=read, ties=[(At(1, read), index[0])])]


def _reference_scatter(np: Any, rows: int, g: Any, index: Any) -> Any:
    out = np.zeros((rows, *g.shape[index.ndim :]), dtype=g.dtype)
    for place in np.ndindex(*index.shape):
        out[index[place]] += g[place]
    return out


register(Op(
    name="scatter_add",
    role=Role.SCATTERED,
    text="scatter",
    shown=2,
    signature="scatter_add(g, index, rows)",
    shape_rule="rows + shape of g behind the index axes",
    derivative="gather: the rows of upstream that g went to",
    title="scatter",
    rule=("each row reads the gradient back from where it went",),
    domain="0 <= index < rows; repeated indices add up",
    infer=_infer_scatter,
    vjp=lambda output, upstream, *_: (build.gather(upstream, output.args[1]), None),
    show=lambda node, args: called("scatter_add", *args, Num(node.attr)),
    entry=_entry_scatter,
    spelled=Spelled("gi", (1, 1), "k", "m"),
    reference=_reference_scatter,
    samples=(Sample(((3, 2), (3,)), 4, {1: 4}), Sample(((2, 3), (2, 3)), 2, {1: 2})),
))


def _infer_take(axis: int, args: tuple[Node, ...]) -> tuple[Shape, str]:
    a, index = args
    if a.ndim != index.ndim:
        raise ShapeError(f"take_along_axis: {label(a)} has {a.ndim} axes but {label(index)} has {index.ndim}")
    require_integers(index, a.shape[axis], f"axis {axis} of {label(a)}")
    rest = (*a.shape[:axis], ONE, *a.shape[axis + 1 :])
    own = (*index.shape[:axis], ONE, *index.shape[axis + 1 :])
    shape = broadcast([rest, own], lambda: [label(a), label(index)])
    if not same_shape(shape, own) or not same_shape(shape, rest):
        raise ShapeError(f"take_along_axis: {shape_text(a.shape)} and {shape_text(index.shape)} differ off axis {axis}")
    return (*shape[:axis], index.shape[axis], *shape[axis + 1 :]), a.kind


def _vjp_take(output: Node, upstream: Node, *_: object) -> Cotangents:
    a, index = output.args
    return build.put_along(upstream, index, output.attr, a.shape[output.attr]), None


register(Op(
    name="take_along_axis",
    role=Role.PICK,
    means=(called("take_along_axis", A, Y), " reads ", A, " along the axis at the places that ", Y, " holds"),
    signature="take_along_axis(a, index, axis=)",
    shape_rule="the shape of index",
    derivative="upstream added at the places that were read, zero elsewhere",
    rule=("picked entries get the gradient, the others 0",),
    domain="0 <= index < size of the axis",
    selects=True,
    infer=_infer_take,
    vjp=_vjp_take,
    show=lambda node, args: called("take_along_axis", *args, axis=node.attr - node.ndim),
    entry=lambda axis, shapes, index: [term(At(0, on_axis(index, axis, At(1, index))))],
    reference=lambda np, axis, a, index: np.take_along_axis(a, index, axis=axis),
    samples=(Sample(((2, 4), (2, 1)), 1, {1: 4}), Sample(((3, 2), (2, 2)), 0, {1: 3})),
))


def _infer_put(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    axis, size = attr
    require_integers(args[1], size, "the axis of put_along_axis")
    shape = args[0].shape
    return (*shape[:axis], size, *shape[axis + 1 :]), "float"


def _entry_put(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    axis = attr[0]
    i = letter(shapes[0][axis])
    read = on_axis(index, axis, i)
    return [term(At(0, read), summed=[i], ties=[(At(1, read), index[axis])])]


def _reference_put(np: Any, attr: Any, g: Any, index: Any) -> Any:
    axis, size = attr
    out = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), dtype=g.dtype)
    for place in np.ndindex(*g.shape):
        target = (*place[:axis], index[place], *place[axis + 1 :])
        out[target] += g[place]
    return out


register(Op(
    name="put_along_axis",
    role=Role.PUT,
    means=(called("put_along_axis", A, Y), " adds ", A, " into zeros along the axis at the places that ", Y, " holds"),
    signature="put_along_axis(g, index, axis, size)",
    shape_rule="the axis becomes ``size`` long",
    derivative="take_along_axis of upstream",
    rule=("each entry reads the gradient back from where it went",),
    domain="0 <= index < size; repeated indices add up",
    infer=_infer_put,
    vjp=lambda output, upstream, *_: (build.take_along(upstream, output.args[1], output.attr[0]), None),
    show=lambda node, args: called("put_along_axis", *args, plain(node.attr[0]), Num(node.attr[1])),
    entry=_entry_put,
    reference=_reference_put,
    samples=(Sample(((2, 1), (2, 1)), (1, 4), {1: 4}), Sample(((2, 2), (2, 2)), (0, 3), {1: 3})),
))


def argsort(a: Node, axis: int = -1) -> Node:
    """The places of the entries in ascending order along an axis; equal entries keep their order."""
    return a.graph.make("argsort", (a,), normalise_axis(axis, a.ndim))


def sort(a: Node, axis: int = -1) -> Node:
    """The entries in ascending order along an axis; each hands its gradient back to where it came from, equal ones in
    their order."""
    return build.take_along(a, argsort(a, axis), axis)


register(Op(
    name="argsort",
    means="holds the places of the entries in rising order along the axis",
    signature="argsort(a, axis=-1)",
    shape_rule="the shape of a",
    derivative="none: integers",
    domain="any numbers",
    convention="equal entries keep their order",
    range=(0.0, inf),
    infer=lambda axis, args: (args[0].shape, INT),
    vjp=lambda output, upstream, *_: (None,),
    show=lambda node, args: called("argsort", *args, axis=node.attr - node.ndim),
    jacobian=lambda axis, shapes, index, wanted: [],
    reference=lambda np, axis, a: np.argsort(np.real(a), axis=axis, kind="stable"),
    gaps=lambda np, axis, a: _differences(np.moveaxis(a, axis, -1)),
    samples=(Sample(((4,),), 0), Sample(((3, 2),), 0)),
    functions=(argsort, sort),
))


def _differences(a: Any) -> Any:
    """Of every two entries: they change places where it changes its sign."""
    return a[..., :, None] - a[..., None, :]


def searchsorted(edges: Node, x: Node) -> Node:
    """How many of the edges lie below each entry of x: where it belongs among ascending ones. Integers, no gradient."""
    return edges.graph.make("searchsorted", (edges, x))


def _infer_search(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    if args[0].ndim != 1:
        raise ShapeError(f"searchsorted: the edges {label(args[0])} ({shape_text(args[0].shape)}) need one axis")
    return args[1].shape, INT


register(Op(
    name="searchsorted",
    means="is how many entries of the first lie below each entry of the second",
    signature="searchsorted(edges, x)",
    shape_rule="the shape of x",
    derivative="none: integers",
    domain="any edges; of ascending ones it is the place where an entry belongs",
    convention="an entry that is equal to an edge belongs below it",
    range=(0.0, inf),
    infer=_infer_search,
    vjp=lambda output, upstream, *_: (None, None),
    no_entry="its entries are places",
    reference=lambda np, attr, edges, x: np.sum(np.real(edges) < np.real(x)[..., None], axis=-1),
    gaps=lambda np, attr, edges, x: x[..., None] - edges,
    samples=(Sample(((4,), (3,))), Sample(((3,), (2, 2)))),
    functions=(searchsorted,),
))
