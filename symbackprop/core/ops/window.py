"""Windows: unfold and its adjoint fold along one axis; and convolution as three ops that are each other's derivatives.

The three are the partial derivatives of one trilinear form,
Σ x[n, s·o+i−p, s·q+j−p, c] · w[i, j, c, k] · y[n, o, q, k]:
conv2d (in y), conv2d_input (in x: the convolution with the flipped kernel) and conv2d_kernel (in w: the correlation of
input and upstream gradient). So the set is closed under differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symbackprop.core import selection
from symbackprop.core.entry import At, Index, Indices, Terms, letters, on_axis, place, term
from symbackprop.core.graph import Node, label
from symbackprop.core.maths import Letter, Math, Num, Sym, called, sizes
from symbackprop.core.registry import Cotangents, Op, Rule, Sample, Spelled, register
from symbackprop.core.roles import Role
from symbackprop.core.shapes import Dim, Shape, dim_text, same, same_shape, shape_text
from symbackprop.errors import ShapeError


def windows_along(size: Dim, width: Dim, stride: int) -> Dim:
    """How many windows of a width fit along an axis. Raises `ShapeError` where none does."""
    if not isinstance(stride, (int, sp.Integer)) or stride < 1:
        raise ShapeError(f"a stride is a whole number of at least 1, not {stride}")
    room = size - width
    if room.is_negative:
        raise ShapeError(f"a window of {dim_text(width)} does not fit into an axis of size {dim_text(size)}")
    return (room if stride == 1 else sp.floor(room / stride)) + 1


# -- unfold and fold: attribute (axis, width, stride) and (axis, size, stride)


def _infer_unfold(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    axis, width, stride = attr
    shape = args[0].shape
    if width == 0:
        raise ShapeError("the width of a window is at least 1, not 0")
    return (*shape[:axis], windows_along(shape[axis], width, stride), width, *shape[axis + 1 :]), "float"


def unfold_axis(a: Node, axis: int, width: Dim, stride: int) -> Node:
    """All windows along an axis: the axis becomes two, (window, place in the window)."""
    return a.graph.make("unfold", (a,), (axis, width, stride))


def fold_axis(a: Node, axis: int, size: Dim, stride: int) -> Node:
    """The adjoint of `unfold_axis`: overlapping windows added up into an axis of that size."""
    return a.graph.make("fold", (a,), (axis, size, stride))


def _vjp_unfold(output: Node, upstream: Node, *_: object) -> Cotangents:
    axis, _width, stride = output.attr
    return (fold_axis(upstream, axis, output.args[0].shape[axis], stride),)


def _vjp_fold(output: Node, upstream: Node, *_: object) -> Cotangents:
    axis, _size, stride = output.attr
    return (unfold_axis(upstream, axis, output.args[0].shape[axis + 1], stride),)


def _reference_unfold(np: Any, attr: Any, a: Any) -> Any:
    axis, width, stride = attr
    count = (a.shape[axis] - width) // stride + 1
    columns = [np.take(a, range(k, k + stride * (count - 1) + 1, stride), axis=axis) for k in range(width)]
    return np.stack(columns, axis=axis + 1)


def _reference_fold(np: Any, attr: Any, a: Any) -> Any:
    axis, size, stride = attr
    out = np.zeros((*a.shape[:axis], size, *a.shape[axis + 2 :]), dtype=a.dtype)
    lead = (slice(None),) * axis
    for o in range(a.shape[axis]):
        for k in range(a.shape[axis + 1]):
            source, target = (*lead, o, k), (*lead, o * stride + k)
            out[target] += a[source]
    return out


def _entry_unfold(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    axis, _, stride = attr
    read = place((stride, index[axis]), (1, index[axis + 1]))
    return [term(At(0, (*index[:axis], read, *index[axis + 2 :])))]


def _entry_fold(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    axis, _, stride = attr
    o, k = both = letters(shapes[0][axis : axis + 2])
    return [term(At(0, on_axis(index, axis, o, k)), summed=both, ties=[(place((stride, o), (1, k)), index[axis])])]


def _infer_fold(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    axis, size, stride = attr
    shape = args[0].shape
    if len(shape) < axis + 2:
        raise ShapeError(f"fold needs an axis of windows and the next one of places in them, "
                         f"{label(args[0])} has {shape_text(shape)}")
    count = windows_along(size, shape[axis + 1], stride)
    if not same(count, shape[axis]):
        raise ShapeError(f"windows of {dim_text(shape[axis + 1])} at stride {stride} are {dim_text(count)} along an "
                         f"axis of size {dim_text(size)}, {label(args[0])} has {dim_text(shape[axis])}")
    return (*shape[:axis], size, *shape[axis + 2 :]), "float"


def _show_window(name: str) -> Any:
    def show(node: Node, args: Sequence[Math]) -> Math:
        axis, size, stride = node.attr
        return called(name, args[0], Num(size), axis=axis, **({"stride": stride} if stride != 1 else {}))

    return show


_S, _P = sp.symbols("s p", integer=True, positive=True)  # stride and padding, as they are spelled
_PLACES = (": window ", Letter("o"), " of an axis, place ", Letter("k"), " in it, stride ", Sym("s"))

register(Op(
    name="unfold",
    role=Role.UNFOLDED,
    signature="unfold(a, width, axis=, stride=)",
    shape_rule="the axis becomes (number of windows, width)",
    derivative="fold: overlapping windows of upstream added up",
    title="windows",
    rule=("entries in several windows add up",),
    domain="any floats",
    infer=_infer_unfold,
    vjp=_vjp_unfold,
    show=_show_window("unfold"),
    entry=_entry_unfold,
    spelled=Spelled("a", (1,), "ok", "", (0, 1, _S), _PLACES),
    reference=_reference_unfold,
    samples=(Sample(((5,),), (0, 3, 1)), Sample(((2, 7, 2),), (1, 3, 2))),
))

register(Op(
    name="fold",
    role=Role.FOLDED,
    signature="fold(a, size, axis=, stride=)",
    shape_rule="the axes (number of windows, width) become one of that size",
    derivative="unfold: the windows of upstream",
    title="sum of windows",
    rule=("every window reads its place",),
    domain="any floats",
    infer=_infer_fold,
    vjp=_vjp_fold,
    show=_show_window("fold"),
    entry=_entry_fold,
    spelled=Spelled("g", (2,), "m", "ok", (0, 1, _S), (": overlapping windows added up",)),
    reference=_reference_fold,
    samples=(Sample(((3, 3),), (0, 5, 1)), Sample(((2, 3, 3, 2),), (1, 7, 2))),
))


# -- convolution, N×H×W×C with kernels kh×kw×C×K


class Window(NamedTuple):
    """Attribute of the convolution ops: strides, paddings, and the size of the result's spatial axes."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    size: tuple[Dim, Dim]


_CALLED = (", stride ", Sym("s"), ", padding ", Sym("p"))
_WINDOW = Window((_S, _S), (_P, _P), (sp.S.Zero, sp.S.Zero))


def conv_size(x: Shape, w: Shape, stride: Sequence[int], padding: Sequence[int]) -> tuple[Dim, Dim]:
    """Rows and columns of a convolution's result."""
    rows, columns = (windows_along(x[k + 1] + 2 * padding[k], w[k], stride[k]) for k in (0, 1))
    return rows, columns


def _infer_conv(attr: Window, args: tuple[Node, ...]) -> tuple[Shape, str]:
    x, w = args
    if x.ndim != 4 or w.ndim != 4 or not same(x.shape[3], w.shape[2]):
        raise ShapeError(images_and_kernels(x, w))
    return (x.shape[0], *attr[2], w.shape[3]), "float"


AXES = {"NHWC": ("N x H x W x C", "kh x kw x C x K"), "NCHW": ("N x C x H x W", "K x C x kh x kw")}


def images_and_kernels(x: Node, w: Node, layout: str = "NHWC", read: str = "C") -> str:
    """What is said where kernels do not read as many channels as images have: C, or ``read`` of them."""
    images, kernels = AXES[layout]
    return (f"conv2d: {label(x)} ({shape_text(x.shape)}) needs shape {images} and the kernel {label(w)} "
            f"({shape_text(w.shape)}) {kernels.replace('C', read)} with the same C")


def _infer_conv_input(attr: Window, args: tuple[Node, ...]) -> tuple[Shape, str]:
    y, w = args
    if y.ndim != 4 or w.ndim != 4 or not _fits((y.shape[0], *attr[2], w.shape[2]), w.shape, y.shape, attr):
        raise ShapeError(
            f"conv2d_input: {label(y)} ({shape_text(y.shape)}) is not what conv2d makes of images of size "
            f"{shape_text(attr[2])} with the kernel {label(w)} ({shape_text(w.shape)})"
        )
    return (y.shape[0], *attr[2], w.shape[2]), "float"


def _infer_conv_kernel(attr: Window, args: tuple[Node, ...]) -> tuple[Shape, str]:
    x, y = args
    if x.ndim != 4 or y.ndim != 4 or not _fits(x.shape, (*attr[2], x.shape[3], y.shape[3]), y.shape, attr):
        raise ShapeError(
            f"conv2d_kernel: {label(y)} ({shape_text(y.shape)}) is not what conv2d makes of {label(x)} "
            f"({shape_text(x.shape)}) with a kernel of size {shape_text(attr[2])}"
        )
    return (*attr[2], x.shape[3], y.shape[3]), "float"


def _fits(x: Shape, w: Shape, y: Shape, attr: Window) -> bool:
    """Whether y has the shape of conv2d(x, w)."""
    return same_shape((x[0], *conv_size(x, w, attr[0], attr[1]), w[3]), y)


def conv(x: Node, w: Node, stride: tuple[int, ...], padding: tuple[int, ...]) -> Node:
    size = conv_size(x.shape, w.shape, stride, padding) if x.ndim == w.ndim == 4 else (sp.S.One, sp.S.One)
    return x.graph.make("conv2d", (x, w), Window(stride, padding, size))


def _entry_conv(attr: Window, shapes: Sequence[Shape], index: Indices) -> Terms:
    (n, o, q, k), (i, j, c) = index, letters(shapes[1][:3])
    return [term(At(0, (n, *_reached(attr, (o, q), (i, j)), c)), At(1, (i, j, c, k)), summed=(i, j, c))]


def _entry_conv_input(attr: Window, shapes: Sequence[Shape], index: Indices) -> Terms:
    (n, a, b, c), (_, o, q, k), (i, j) = index, letters(shapes[0]), letters(shapes[1][:2])
    ties = zip((a, b), _reached(attr, (o, q), (i, j)), strict=True)
    return [term(At(0, (n, o, q, k)), At(1, (i, j, c, k)), summed=(i, j, k, o, q), ties=list(ties))]


def _entry_conv_kernel(attr: Window, shapes: Sequence[Shape], index: Indices) -> Terms:
    (i, j, c, k), (n, o, q) = index, letters(shapes[1][:3])
    return [term(At(0, (n, *_reached(attr, (o, q), (i, j)), c)), At(1, (n, o, q, k)), summed=(n, o, q))]


def _reached(attr: Window, windows: Sequence[Index], inside: Sequence[Index]) -> Sequence[Index]:
    """The places that windows reach: s·o + i − p."""
    parts = zip(attr[0], windows, inside, attr[1], strict=True)
    return [place((s, o), (1, i), (-1, p)) for s, o, i, p in parts]


def _spatial(shape: Shape, first: int) -> tuple[Dim, Dim]:
    return shape[first], shape[first + 1]


def conv_input(y: Node, w: Node, window: Window, x: Shape) -> Node:
    """∂/∂x: every y spread over the window it came from."""
    return y.graph.make("conv2d_input", (y, w), Window(window[0], window[1], _spatial(x, 1)))


def conv_kernel(x: Node, y: Node, window: Window, w: Shape) -> Node:
    """∂/∂w: x correlated with y."""
    return x.graph.make("conv2d_kernel", (x, y), Window(window[0], window[1], _spatial(w, 0)))


def _to_conv(i: int, output: Node, upstream: Node, x: Node, w: Node) -> Node:
    attr = output.attr
    return conv_input(upstream, w, attr, x.shape) if i == 0 else conv_kernel(x, upstream, attr, w.shape)


def _to_conv_input(i: int, output: Node, upstream: Node, y: Node, w: Node) -> Node:
    attr = output.attr
    return conv(upstream, w, attr[0], attr[1]) if i == 0 else conv_kernel(upstream, y, attr, w.shape)


def _to_conv_kernel(i: int, output: Node, upstream: Node, x: Node, y: Node) -> Node:
    attr = output.attr
    return conv_input(y, upstream, attr, x.shape) if i == 0 else conv(x, upstream, attr[0], attr[1])


def _linear_in_each(cotangent: Callable[..., Node]) -> Rule:
    """What meets an argument is Σ |δ| over the windows: its cotangent itself, over ones."""

    def met(i: int, output: Node, upstream: Node) -> Node:
        g = upstream.graph
        return cotangent(i, output, g.call("abs", upstream), *[g.full(1, a.shape) for a in output.args])

    return selection.of_product(cotangent, met)


def _padded(np: Any, x: Any, padding: tuple[int, ...]) -> Any:
    return np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))


def _offsets(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(rows) for j in range(columns)]


def _reach(i: int, count: int, stride: int) -> slice:
    return slice(i, i + stride * (count - 1) + 1, stride)


def _reference_conv(np: Any, attr: Any, x: Any, w: Any) -> Any:
    (sh, sw), padding, (rows, columns) = attr
    x = _padded(np, x, padding)
    out = np.zeros((x.shape[0], rows, columns, w.shape[3]), dtype=np.result_type(x, w))
    for i, j in _offsets(w.shape[0], w.shape[1]):
        out += x[:, _reach(i, rows, sh), _reach(j, columns, sw)] @ w[i, j]
    return out


def _reference_conv_input(np: Any, attr: Any, y: Any, w: Any) -> Any:
    (sh, sw), (ph, pw), (height, width) = attr
    out = np.zeros((y.shape[0], height + 2 * ph, width + 2 * pw, w.shape[2]), dtype=np.result_type(y, w))
    for i, j in _offsets(w.shape[0], w.shape[1]):
        out[:, _reach(i, y.shape[1], sh), _reach(j, y.shape[2], sw)] += y @ w[i, j].T
    return out[:, ph : ph + height, pw : pw + width]


def _reference_conv_kernel(np: Any, attr: Any, x: Any, y: Any) -> Any:
    (sh, sw), padding, (kh, kw) = attr
    x = _padded(np, x, padding)
    out = np.zeros((kh, kw, x.shape[3], y.shape[3]), dtype=np.result_type(x, y))
    for i, j in _offsets(kh, kw):
        window = x[:, _reach(i, y.shape[1], sh), _reach(j, y.shape[2], sw)]
        out[i, j] = np.einsum("nopc,nopk->ck", window, y)
    return out


def window_options(attr: Window) -> dict[str, Any]:
    """stride= and padding= as they need to be written."""
    options: dict[str, Any] = {}
    if attr[0] != (1, 1):
        options["stride"] = attr[0][0] if attr[0][0] == attr[0][1] else attr[0]
    if attr[1] != (0, 0):
        options["padding"] = attr[1][0] if attr[1][0] == attr[1][1] else attr[1]
    return options


def _show_adjoint(name: str) -> Any:
    def show(node: Node, args: Sequence[Math]) -> Math:
        return called(name, *args, sizes(node.attr[2]), **window_options(node.attr))

    return show


register(Op(
    name="conv2d",
    role=Role.CONVOLUTION,
    text="conv",
    signature="conv2d(x, w, stride=1, padding=0)",
    shape_rule="N x H' x W' x K with H' = floor((H + 2p - kh)/s) + 1, W' alike",
    derivative="dx: upstream convolved with the flipped kernel; dw: x correlated with upstream",
    title="convolution",
    rule=("the kernel gets the input correlated with the gradient, the input gets the gradient convolved with the "
          "kernel",),
    domain="x: N x H x W x C, w: kh x kw x C x K; cross-correlation",
    infer=_infer_conv,
    vjp=_linear_in_each(_to_conv),
    show=lambda node, args: called("conv2d", *args, **window_options(node.attr)),
    entry=_entry_conv,
    spelled=Spelled("xw", (4, 4), "noqk", "ijc", _WINDOW, (": places from 0, outside is 0", *_CALLED)),
    reference=_reference_conv,
    samples=(
        Sample(((2, 4, 5, 2), (3, 2, 2, 3)), Window((1, 1), (0, 0), (2, 4))),
        Sample(((1, 5, 5, 2), (3, 3, 2, 2)), Window((2, 2), (1, 1), (3, 3))),
    ),
))

register(Op(
    name="conv2d_input",
    text="convInput",
    signature="conv2d_input(y, w, size)",
    shape_rule="N x the given size x C",
    derivative="dy: conv2d of upstream with w; dw: upstream correlated with y",
    title="convolution",
    rule=("linear in the gradient and in the kernel",),
    domain="y: N x H' x W' x K, w: kh x kw x C x K",
    infer=_infer_conv_input,
    vjp=_linear_in_each(_to_conv_input),
    show=_show_adjoint("conv2d_input"),
    entry=_entry_conv_input,
    spelled=Spelled("δw", (4, 4), "nabc", "ijk", _WINDOW, (": flipped kernel", *_CALLED)),
    reference=_reference_conv_input,
    samples=(
        Sample(((2, 2, 4, 3), (3, 2, 2, 3)), Window((1, 1), (0, 0), (4, 5))),
        Sample(((1, 3, 3, 2), (3, 3, 2, 2)), Window((2, 2), (1, 1), (5, 5))),
    ),
))

register(Op(
    name="conv2d_kernel",
    text="convKernel",
    signature="conv2d_kernel(x, y, size)",
    shape_rule="the given size x C x K",
    derivative="dx: y convolved with the flipped upstream; dy: conv2d of x with upstream",
    title="convolution",
    rule=("linear in the input and in the gradient",),
    domain="x: N x H x W x C, y: N x H' x W' x K",
    infer=_infer_conv_kernel,
    vjp=_linear_in_each(_to_conv_kernel),
    show=_show_adjoint("conv2d_kernel"),
    entry=_entry_conv_kernel,
    spelled=Spelled("xδ", (4, 4), "ijck", "noq", _WINDOW, (": a correlation", *_CALLED)),
    reference=_reference_conv_kernel,
    samples=(
        Sample(((2, 4, 5, 2), (2, 2, 4, 3)), Window((1, 1), (0, 0), (3, 2))),
        Sample(((1, 5, 5, 2), (1, 3, 3, 2)), Window((2, 2), (1, 1), (3, 3))),
    ),
))
