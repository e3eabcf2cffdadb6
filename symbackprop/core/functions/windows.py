"""Convolution and pooling for users: compositions over the window ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple, TypeAlias

import sympy as sp

from symbackprop.core import build
from symbackprop.core.formula import exact
from symbackprop.core.functions.arrange import Extent
from symbackprop.core.functions.calls import function, plain, whole
from symbackprop.core.functions.pointwise import abs, maximum, minimum
from symbackprop.core.graph import Node, Operand, label
from symbackprop.core.ops.window import AXES, Window, conv, fold_axis, images_and_kernels, unfold_axis
from symbackprop.core.registry import known
from symbackprop.core.shapes import Dim, DimLike, as_dim, normalise_axis, same, shape_text
from symbackprop.errors import ShapeError

Pair: TypeAlias = int | Sequence[int]
Padding: TypeAlias = int | Sequence[int] | str
Resized: TypeAlias = DimLike | Sequence[DimLike | None]  # a size for all axes, or of each; None leaves an axis as it is
HALF = sp.Rational(1, 2)
IMAGE, KERNEL = 8, 3  # sizes that are guessed
LAYOUTS = tuple(AXES)


def _ranks(function: str, x: Node, w: Node, rank: int) -> str:
    return f"{function}: {label(x)} ({shape_text(x.shape)}) and {label(w)} ({shape_text(w.shape)}) need {rank} axes"


def _require_layout(layout: str) -> None:
    if layout not in LAYOUTS:
        raise ShapeError(f"layout is one of {', '.join(LAYOUTS)}, not {layout!r}")


@known(asks=((0, *[IMAGE] * 2, 0), (*[KERNEL] * 2, 0, 0)))
@function
def conv2d(x: Node, w: Node, stride: Pair = 1, padding: Padding = 0, layout: str = "NHWC", dilation: Pair = 1,
           groups: DimLike = 1) -> Node:
    """Cross-correlation of images with kernels.

    NHWC: x is N×H×W×C and w is kh×kw×C×K. NCHW: x is N×C×H×W and w is K×C×kh×kw. The result has the layout of x.
    With ``groups`` w has C/groups channels. ``padding`` is "same" or "valid", too.
    """
    _require_layout(layout)
    if x.ndim != 4 or w.ndim != 4:
        raise ShapeError(_ranks("conv2d", x, w, 4))
    if not _channels_agree(x, w, layout, groups):
        raise ShapeError(_channels(x, w, layout, groups))
    if layout == "NCHW":
        result = _conv2d(build.transpose(x, (0, 2, 3, 1)), build.transpose(w, (2, 3, 1, 0)), stride, padding, dilation,
                         groups)
        return build.transpose(result, (0, 3, 1, 2))
    return _conv2d(x, w, stride, padding, dilation, groups)


def _channels_agree(x: Node, w: Node, layout: str, groups: DimLike) -> bool:
    """Whether images have as many channels as kernels read, all groups of them."""
    of_x, of_w = (x.shape[-1], w.shape[-2]) if layout == "NHWC" else (x.shape[1], w.shape[1])
    return same(of_x, of_w * as_dim(groups))


def _channels(x: Node, w: Node, layout: str, groups: DimLike) -> str:
    """What is said where they have not, and of the layout in which they would."""
    wrong = images_and_kernels(x, w, layout, "C" if groups == 1 else f"C/{groups}")
    other = next(n for n in LAYOUTS if n != layout)
    return f'{wrong}. They fit layout="{other}"' if _channels_agree(x, w, other, groups) else wrong


def _conv2d(x: Node, w: Node, stride: Pair, padding: Padding, dilation: Pair, groups: DimLike) -> Node:
    """By the op of its own where that says it."""
    if isinstance(padding, str) or groups != 1 or any(d != 1 for d in _several(dilation, 2, "dilation", 1)):
        return _convolved(x, w, stride, padding, dilation, groups)
    return conv(x, w, _several(stride, 2, "stride", 1), _several(padding, 2, "padding", 0))


def _several(value: Pair, rank: int, what: str, least: int) -> tuple[int, ...]:
    """One whole number for all axes, perhaps in a tuple, or one for each."""
    each = (value,) if isinstance(value, (int, sp.Integer)) else tuple(value)
    found = each * rank if len(each) == 1 else each
    if len(found) != rank or any(int(v) != v or v < least for v in found):
        many = "a pair" if rank == 2 else rank
        raise ShapeError(f"{what} is a whole number of at least {least}, or {many} of them, not {value}")
    return tuple(map(int, found))


def _edges(padding: Padding, strides: Sequence[int], widths: Sequence[Dim]) -> list[tuple[Dim, Dim]]:
    """How many zeros stand before and behind each axis."""
    if padding == "valid":
        return [(sp.S.Zero, sp.S.Zero) for _ in widths]
    if padding == "same":
        if any(s != 1 for s in strides):
            raise ShapeError('padding "same" goes with the stride 1')
        return [(sp.floor((k - 1) / 2), k - 1 - sp.floor((k - 1) / 2)) for k in widths]
    if isinstance(padding, str):
        raise ShapeError(f'padding is numbers, "same" or "valid", not {padding!r}')
    return [(sp.Integer(p), sp.Integer(p)) for p in _several(padding, len(widths), "padding", 0)]


def _padded(x: Node, edges: Sequence[tuple[Dim, Dim]]) -> Node:
    """Zeros around all axes but the first and the last."""
    for k, (before, behind) in enumerate(edges, 1):
        x = build.pad_axis(x, k, before, x.shape[k] + before + behind)
    return x


def _windows(x: Node, widths: Sequence[Dim], strides: Sequence[int], dilations: Sequence[int], first: int = 1) -> Node:
    """Each axis from the first one on becomes two: the windows, and the places in one."""
    for k, width in enumerate(widths):
        x = unfold_axis(x, first + 2 * k, (width - 1) * dilations[k] + 1, strides[k])
        x = build.slice_axis(x, first + 2 * k + 1, 0, width, dilations[k])
    return x


def _letters(rank: int) -> tuple[str, str, str]:
    """For the axes of windows, for the places in them, and for both in turn."""
    outside, inside = ascii_lowercase[:rank], ascii_lowercase[rank : 2 * rank]
    return outside, inside, "".join([a + b for a, b in zip(outside, inside, strict=True)])


def _convolved(x: Node, w: Node, stride: Pair, padding: Padding, dilation: Pair, groups: DimLike) -> Node:
    """Over any number of axes: x is N×…×C, w is …×C/groups×K, the result N×…×K."""
    rank = x.ndim - 2
    if w.ndim != x.ndim:
        raise ShapeError(_ranks("a convolution", x, w, rank + 2))
    widths, strides = w.shape[:-2], _several(stride, rank, "stride", 1)
    apart = _several(dilation, rank, "dilation", 1)
    edges = _edges(padding, strides, [(k - 1) * d + 1 for k, d in zip(widths, apart, strict=True)])
    parts = _windows(_padded(x, edges), widths, strides, apart)
    outside, inside, both = _letters(rank)
    if groups == 1:
        return build.einsum(f"N{both}C,{inside}CK->N{outside}K", parts, w)
    parts = build.reshape(parts, (*parts.shape[:-1], groups, _share(x.shape[-1], groups)))
    kernels = build.reshape(w, (*w.shape[:-1], groups, _share(w.shape[-1], groups)))
    result = build.einsum(f"N{both}GC,{inside}CGK->N{outside}GK", parts, kernels)
    return build.reshape(result, (*result.shape[:-2], w.shape[-1]))


def _share(size: Dim, groups: DimLike) -> Dim:
    share = sp.cancel(size / as_dim(groups))
    if share.is_Rational and not share.is_Integer:
        raise ShapeError(f"{size} channels cannot be split into {groups} groups")
    return share


@known(asks=((0, *[IMAGE] * 3, 0), (*[KERNEL] * 3, 0, 0)))
@function
def conv3d(x: Node, w: Node, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1, groups: DimLike = 1) -> Node:
    """Cross-correlation of volumes: x is N×D×H×W×C, w is kd×kh×kw×C/groups×K."""
    if x.ndim != 5:
        raise ShapeError(_ranks("conv3d", x, w, 5))
    return _convolved(x, w, stride, padding, dilation, groups)


def _transposed(y: Node, w: Node, rank: int, stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair) -> Node:
    """The adjoint of a convolution in its images: every entry of y adds a copy of the kernel."""
    if y.ndim != rank + 2 or w.ndim != rank + 2:
        raise ShapeError(_ranks(f"conv_transpose{rank}d", y, w, rank + 2))
    strides, apart = _several(stride, rank, "stride", 1), _several(dilation, rank, "dilation", 1)
    edges, more = _several(padding, rank, "padding", 0), _several(output_padding, rank, "output_padding", 0)
    outside, inside, both = _letters(rank)
    row = build.einsum(f"N{outside}K,{inside}CK->N{both}C", y, w)
    for k in range(rank):
        width = (w.shape[k] - 1) * apart[k] + 1
        size = (y.shape[k + 1] - 1) * strides[k] + width + more[k]
        row = build.pad_axis(row, k + 2, 0, width, apart[k])
        row = fold_axis(_to_fit(row, k + 1, size, width, strides[k]), k + 1, size, strides[k])
        row = build.slice_axis(row, k + 1, edges[k], size - 2 * edges[k])
    return row


def _to_fit(row: Node, axis: int, size: Dim, width: Dim, stride: int) -> Node:
    """Windows, with as many empty ones behind them as the size has room for."""
    return build.pad_axis(row, axis, 0, sp.floor((size - width) / stride) + 1)


@known(asks=((0, *[IMAGE] * 1, 0), (*[KERNEL] * 1, 0, 0)))
@function
def conv_transpose1d(y: Node, w: Node, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
                     ) -> Node:
    """Transposed convolution along time: y is N×T×K, w is k×C×K as in conv1d, the result N×T'×C."""
    return _transposed(y, w, 1, stride, padding, output_padding, dilation)


@known(asks=((0, *[IMAGE] * 2, 0), (*[KERNEL] * 2, 0, 0)))
@function
def conv_transpose2d(y: Node, w: Node, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0,
                     dilation: Pair = 1) -> Node:
    """Transposed convolution: y is N×H×W×K, w is kh×kw×C×K as in conv2d, the result N×H'×W'×C."""
    return _transposed(y, w, 2, stride, padding, output_padding, dilation)


@known(asks=((0, *[IMAGE] * 3, 0), (*[KERNEL] * 3, 0, 0)))
@function
def conv_transpose3d(y: Node, w: Node, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0,
                     dilation: Pair = 1) -> Node:
    """Transposed convolution of volumes: y is N×D×H×W×K, w is kd×kh×kw×C×K, the result N×D'×H'×W'×C."""
    return _transposed(y, w, 3, stride, padding, output_padding, dilation)


@plain
def conv2d_input(y: Node, w: Node, size: Sequence[DimLike], stride: Pair = 1, padding: Pair = 0) -> Node:
    """The adjoint of conv2d in its images, whose rows and columns ``size`` gives: y, N×H'×W'×K, spread through the
    kernel w, kh×kw×C×K. A transposed convolution; the gradient of conv2d with respect to x, y being upstream."""
    return y.graph.make("conv2d_input", (y, w), _window(size, stride, padding))


@plain
def conv2d_kernel(x: Node, y: Node, size: Sequence[DimLike], stride: Pair = 1, padding: Pair = 0) -> Node:
    """The adjoint of conv2d in its kernel, whose rows and columns ``size`` gives: x, N×H×W×C, correlated with y,
    N×H'×W'×K. The gradient of conv2d with respect to w, y being upstream."""
    return x.graph.make("conv2d_kernel", (x, y), _window(size, stride, padding))


def _window(size: Sequence[DimLike], stride: Pair, padding: Pair) -> Window:
    if len(size) != 2:
        raise ShapeError(f"size is a pair (rows, columns), not {len(size)} numbers")
    rows, columns = map(as_dim, size)
    return Window(_several(stride, 2, "stride", 1), _several(padding, 2, "padding", 0), (rows, columns))


@known(asks=((0, *[IMAGE] * 1, 0), (*[KERNEL] * 1, 0, 0)))
@function
def conv1d(x: Node, w: Node, stride: int = 1, padding: Padding = 0, dilation: int = 1, groups: DimLike = 1) -> Node:
    """Cross-correlation along time: x is N×T×C, w is k×C/groups×K, the result N×T'×K."""
    if x.ndim != 3 or w.ndim != 3:
        raise ShapeError(_ranks("conv1d", x, w, 3))
    if isinstance(padding, str) or groups != 1 or dilation != 1:
        return _convolved(x, w, stride, padding, dilation, groups)
    strides, paddings = (1, _several(stride, 2, "stride", 1)[0]), (0, _several(padding, 2, "padding", 0)[0])
    result = conv(build.expand(x, 1), build.expand(w, 0), strides, paddings)
    return build.reshape(result, (result.shape[0], result.shape[2], result.shape[3]))


class _Pool(NamedTuple):
    """Windows over some axes from the ``first`` one on."""

    rank: int
    size: Pair
    stride: Pair | None
    padding: Pair
    first: int = 1
    dilation: Pair = 1

    @property
    def apart(self) -> tuple[int, ...]:
        """How far the places of a window are from each other."""
        return _several(self.dilation, self.rank, "dilation", 1)

    @property
    def inside(self) -> tuple[int, ...]:
        """The axes of the places in a window."""
        return tuple(range(self.first + 1, self.first + 2 * self.rank, 2))

    @property
    def edges(self) -> list[tuple[int, int, int]]:
        """From the first to the last place of a window, the stride and the padding of each axis."""
        widths = _several(self.size, self.rank, "size", 1)
        strides = widths if self.stride is None else _several(self.stride, self.rank, "stride", 1)
        wide = [(width - 1) * far + 1 for width, far in zip(widths, self.apart, strict=True)]
        return list(zip(wide, strides, _several(self.padding, self.rank, "padding", 0), strict=True))


def _pooled(x: Node, pool: _Pool, fill: sp.Expr, ceil: bool = False) -> Node:
    """The windows, ``fill`` around the array. With ``ceil`` a last window may reach over the end."""
    if x.ndim != pool.rank + 2:
        needed = "N" + "DHW"[-pool.rank :] + "C" if pool.rank != 2 else LAYOUTS[pool.first - 1]
        raise ShapeError(f"pooling needs {needed} with {pool.rank + 2} axes, {label(x)} has {shape_text(x.shape)}")
    _, strides, _ = zip(*pool.edges, strict=True)
    for k, (width, step, before) in enumerate(pool.edges, pool.first):
        behind = before + (_over(x.shape[k], width, step, before) if ceil else 0)
        x = bordered(x, k, before, behind, fill)
    widths = [sp.Integer(k) for k in _several(pool.size, pool.rank, "size", 1)]
    return _windows(x, widths, strides, pool.apart, pool.first)


def bordered(x: Node, axis: int, before: DimLike, behind: DimLike, value: Any) -> Node:
    """A row with so many entries of a number before and behind an axis."""
    around = [x.graph.full(value, (*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in (before, behind)]
    parts = [*around[: before != 0], x, *around[1:] * (behind != 0)]
    return build.concat(parts, axis) if len(parts) > 1 else x


def _over(size: Dim, width: int, step: int, before: int) -> Dim:
    """How far the last window reaches over the end; it begins inside of the array or before it."""
    whole = size + 2 * before
    last = sp.ceiling((whole - width) / step)
    if before > width - step:
        last = sp.Min(last, sp.floor((size + before - 1) / step))
        return sp.Max(step * last + width - whole, 0)
    return step * last + width - whole


def _max_pool(x: Node, pool: _Pool, ceil: bool) -> Node:
    return build.reduce_max(_pooled(x, pool, -sp.oo, ceil), pool.inside)


def _avg_pool(x: Node, pool: _Pool, ceil: bool, count_padding: bool, divisor: Operand | None) -> Node:
    """The sums of the windows by the ``divisor``, or by how many entries count: those of the array, and of its padding
    if that is wanted."""
    total: Node = build.reduce_sum(_pooled(x, pool, sp.S.Zero, ceil), pool.inside)
    if divisor is not None:
        return total / divisor
    if not ceil and (count_padding or not any(_several(pool.padding, pool.rank, "padding", 0))):
        return total / prod(_several(pool.size, pool.rank, "size", 1))
    for k, edge in enumerate(pool.edges, pool.first):
        count = _counts(x.shape[k], total.shape[k], x, edge, count_padding)
        total = total / build.reshape(count, (count.shape[0], *[sp.S.One] * (total.ndim - 1 - k)))
    return total


def _counts(size: Dim, windows: Dim, x: Node, edge: tuple[int, int, int], padding: bool) -> Node:
    """How many places of every window along an axis count."""
    width, step, before = edge
    start = build.arange(x.graph, windows) * step - before
    end = minimum(start + width, size + before * padding)
    return end - (start if padding else maximum(start, 0))


def _first(layout: str) -> int:
    """The first axis of an image."""
    _require_layout(layout)
    return 1 + LAYOUTS.index(layout)


@known("maxpool", asks=((0, *[IMAGE] * 1, 0),))
@function
def max_pool1d(x: Node, size: int, stride: int | None = None, padding: int = 0, ceil: bool = False, dilation: int = 1
               ) -> Node:
    """The largest entry of every window along time: x is N×T×C. As max_pool2d."""
    return _max_pool(x, _Pool(1, size, stride, padding, dilation=dilation), ceil)


@known("maxpool", asks=((0, *[IMAGE] * 2, 0),))
@function
def max_pool2d(x: Node, size: Pair, stride: Pair | None = None, layout: str = "NHWC", padding: Pair = 0,
               ceil: bool = False, dilation: Pair = 1) -> Node:
    """The largest entry of every window; windows do not overlap unless a stride says so. Ties share the gradient. With
    ``ceil`` a last window may reach over the end, by ``dilation`` the places of a window are apart."""
    return _max_pool(x, _Pool(2, size, stride, padding, _first(layout), dilation), ceil)


@known("maxpool", asks=((0, *[IMAGE] * 3, 0),))
@function
def max_pool3d(x: Node, size: Pair, stride: Pair | None = None, padding: Pair = 0, ceil: bool = False,
               dilation: Pair = 1) -> Node:
    """The largest entry of every window of volumes: x is N×D×H×W×C. As max_pool2d."""
    return _max_pool(x, _Pool(3, size, stride, padding, dilation=dilation), ceil)


@known("avgpool", asks=((0, *[IMAGE] * 1, 0),))
@function
def avg_pool1d(x: Node, size: int, stride: int | None = None, padding: int = 0, ceil: bool = False,
               count_padding: bool = True, divisor: Operand | None = None) -> Node:
    """The mean of every window along time: x is N×T×C. As avg_pool2d."""
    return _avg_pool(x, _Pool(1, size, stride, padding), ceil, count_padding, divisor)


@known("avgpool", asks=((0, *[IMAGE] * 2, 0),))
@function
def avg_pool2d(x: Node, size: Pair, stride: Pair | None = None, layout: str = "NHWC", padding: Pair = 0,
               ceil: bool = False, count_padding: bool = True, divisor: Operand | None = None) -> Node:
    """The mean of every window. Zeros of the padding count, unless ``count_padding`` is False. With ``ceil`` a last
    window may reach over the end, and what is beyond does not count. A ``divisor`` takes the place of the count."""
    return _avg_pool(x, _Pool(2, size, stride, padding, _first(layout)), ceil, count_padding, divisor)


@known("avgpool", asks=((0, *[IMAGE] * 3, 0),))
@function
def avg_pool3d(x: Node, size: Pair, stride: Pair | None = None, padding: Pair = 0, ceil: bool = False,
               count_padding: bool = True, divisor: Operand | None = None) -> Node:
    """The mean of every window of volumes: x is N×D×H×W×C. As avg_pool2d."""
    return _avg_pool(x, _Pool(3, size, stride, padding), ceil, count_padding, divisor)


# -- weights along an axis: each new place is a mixture of old ones


def _places(x: Node, axis: int, size: DimLike) -> tuple[Node, Node, Dim]:
    """New places as rows, old ones as columns, and how many old ones there are for each new one."""
    new, old = build.arange(x.graph, size), build.arange(x.graph, x.shape[axis])
    return build.expand(new, 1), build.expand(old, 0), x.shape[axis] / as_dim(size)


def _mixed(weights: Node, x: Node, axis: int) -> Node:
    """Σ_j weights_ij x_j along an axis."""
    letters = ascii_lowercase[: x.ndim]
    return build.einsum(f"z{letters[axis]},{letters}->{letters.replace(letters[axis], 'z')}", weights, x)


def _sizes(x: Node, size: Resized) -> list[tuple[int, DimLike]]:
    """The axes between the first and the last that get another size, each with it; one size is that of all."""
    size = size if isinstance(size, Sequence) else [size] * (x.ndim - 2)
    if len(size) != x.ndim - 2:
        raise ShapeError(f"{label(x)} ({shape_text(x.shape)}) has {x.ndim - 2} axes between the first and the last, "
                         f"size has {len(size)} numbers")
    return [(axis, n) for axis, n in enumerate(size, 1) if n is not None]


def _share_of(x: Node, axis: int, size: DimLike) -> Node:
    """Which old places belong to a new one: from ⌊i·n/size⌋ on, below ⌈(i + 1)·n/size⌉."""
    new, old, ratio = _places(x, axis, size)
    call = x.graph.call
    return call("less_equal", call("floor", new * ratio), old) * call("less", old, call("ceil", (new + 1) * ratio))


@function
def adaptive_avg_pool(x: Node, size: Resized) -> Node:
    """The means of so many windows along each axis between the first and the last, which cover it: x is N×…×C, size a
    tuple of numbers, or None for an axis that stays, or one for all axes."""
    for axis, n in _sizes(x, size):
        share = whole(_share_of(x, axis, n))
        x = _mixed(share / build.reduce_sum(share, 1, keepdims=True), x, axis)
    return x


@function
def adaptive_max_pool(x: Node, size: Resized) -> Node:
    """The largest entries of so many windows along each axis between the first and the last: x is N×…×C, size a tuple
    of numbers, or None for an axis that stays, or one for all axes."""
    for axis, n in _sizes(x, size):
        share = _share_of(x, axis, n)
        wide = build.reshape(share, (*share.shape, *[1] * (x.ndim - 1 - axis)))
        x = build.reduce_max(x.graph.call("where", wide, build.expand(x, axis), -sp.oo), axis + 1)
    return x


MODES = {"nearest": "nearest", "nearest-exact": "nearest-exact", "linear": "linear", "bilinear": "linear",
         "trilinear": "linear", "cubic": "cubic", "bicubic": "cubic"}


def _mode(function: str, mode: str) -> str:
    if mode not in MODES:
        raise ShapeError(f"mode of {function} is nearest, nearest-exact, linear or cubic, not {mode!r}")
    return MODES[mode]


@function
def interpolate(x: Node, size: Extent | None = None, mode: str = "nearest", align_corners: bool = False,
                scale: Operand | Sequence[Operand] | None = None, antialias: bool = False) -> Node:
    """Another size, or one each, of the axes between the first and the last, x is N×…×C: the nearest entry, as in
    PyTorch the one at ⌊i·n/size⌋ ("nearest-exact": at ⌊(i + ½)·n/size⌋), "linear" (bilinear for images), or "cubic".

    ``align_corners`` puts the outermost entries of both into the same places; ``scale`` says how many times as large
    the axes are, one or each, where size/n is rounded, or no size is given; ``antialias`` widens the weights where an
    axis shrinks.
    """
    if size is None and scale is None:
        raise ShapeError("interpolate needs a size, or a scale")
    each = scale if isinstance(scale, Sequence) else [scale] * (x.ndim - 2)
    size = [_grown(n, by) for n, by in zip(x.shape[1:], each, strict=False)] if size is None else size
    for (axis, n), grown in zip(_sizes(x, size), each, strict=True):
        new, old, ratio = _places(x, axis, n)
        if align_corners:
            ratio = (x.shape[axis] - 1) / (as_dim(n) - 1) if n != 1 else sp.S.Zero
        elif grown is not None:
            ratio = 1 / sp.sympify(exact(grown))
        x = _mixed(_between(_mode("interpolate", mode), new, old, ratio, x.shape[axis] - 1, align_corners, antialias),
                   x, axis)
    return x


def _grown(n: Dim, scale: Operand | None) -> DimLike:
    """How many entries are so many times as many, rounded down."""
    grown = n * sp.sympify(exact(scale))
    return sp.floor(grown) if grown.is_Rational else grown


def _between(mode: str, new: Node, old: Node, ratio: sp.Expr, last: Dim, corners: bool, antialias: bool) -> Node:
    """The weights of old places for new ones, which are ``ratio`` apart."""
    call = new.graph.call
    if mode.startswith("nearest"):
        at = (new + HALF) * ratio if mode == "nearest-exact" else new * ratio
        return call("equal", minimum(call("floor", at), last), old)
    if antialias:
        distance = abs(old + HALF - (new + HALF) * ratio) / sp.Max(ratio, 1)
        weights = whole(maximum(1 - distance, 0) if mode == "linear" else _cubic(distance, -HALF))
        return weights / build.reduce_sum(weights, 1, keepdims=True)
    at = new * ratio if corners else (new + HALF) * ratio - HALF
    if mode == "linear":
        return _hat(minimum(maximum(at, 0), last), old)
    return _taps(at, old, lambda place: minimum(maximum(place, 0), last))


def _hat(at: Node, place: Node) -> Node:
    """max(0, 1 − |at − place|): the weight of a place for a point between two."""
    return maximum(1 - abs(at - place), 0)


def _cubic(distance: Node, sharp: sp.Expr) -> Node:
    """The weight of a place for a point at a distance from it (Keys 1981)."""
    d, call = whole(distance), distance.graph.call
    return call("where", call("less_equal", d, 1), near(d, sharp), call("where", call("less", d, 2), far(d, sharp), 0))


def near(d: Any, sharp: Any) -> Any:
    """Keys' weight at a distance of 0 to 1, of rows or numbers."""
    return ((sharp + 2) * d - (sharp + 3)) * d**2 + 1


def far(d: Any, sharp: Any) -> Any:
    """Keys' weight at a distance of 1 to 2."""
    return ((d - 5) * d + 8) * d * sharp - 4 * sharp


def _taps(at: Node, place: Node, inside: Callable[[Node], Node]) -> Node:
    """The weights of places for points by the four entries around each, those outside being read ``inside``."""
    at, call = whole(at), at.graph.call
    first = whole(call("floor", at))
    beyond, sharp = whole(at - first), sp.Rational(-3, 4)
    by_tap = ((far, beyond + 1), (near, beyond), (near, 1 - beyond), (far, 2 - beyond))
    weights = [weight(whole(distance), sharp) * call("equal", inside(first + k), place)
               for k, (weight, distance) in enumerate(by_tap, -1)]
    total: Node = sum(weights[1:], weights[0])
    return total


@function
def grid_sample(x: Node, grid: Node, mode: str = "linear", padding: str = "zeros", align_corners: bool = False) -> Node:
    """Images at points: x is N×H×W×C, grid N×H'×W'×2 holds (column, row) from −1 to 1, the edges of the image, as in
    PyTorch; of volumes N×D×H×W×C it is N×D'×H'×W'×3.

    ``mode`` is linear, nearest or cubic, ``padding`` what is read outside: zeros, the border, or the reflection.
    With ``align_corners`` −1 and 1 are the centres of the outermost entries.
    """
    rank = x.ndim - 2
    if rank not in (2, 3) or grid.ndim != x.ndim or grid.shape[-1] != rank:
        raise ShapeError(_ranks("grid_sample", x, grid, x.ndim))
    if padding not in ("zeros", "border", "reflection"):
        raise ShapeError(f"padding of grid_sample is zeros, border or reflection, not {padding!r}")
    weights = []
    for axis in range(1, rank + 1):
        n, share = x.shape[axis], (grid[..., rank - axis] + 1) / 2
        at = build.expand(share * (n - 1) if align_corners else share * n - HALF, rank + 1)
        weights.append(_reached(_mode("grid_sample", mode), at, n, padding, align_corners))
    out, own = ascii_lowercase[:rank], ascii_uppercase[:rank]
    parts = ",".join([f"n{out}{letter}" for letter in own])
    return build.einsum(f"{parts},n{own}z->n{out}z", *weights, x)


def _reached(mode: str, at: Node, n: Dim, padding: str, corners: bool) -> Node:
    """The weights of the n places of an axis for points on it."""
    place = build.arange(at.graph, n)

    def inside(point: Node) -> Node:
        if padding == "reflection":
            point = _reflected(point, sp.S.Zero if corners else -HALF, n - 1 if corners else n - HALF)
        return point if padding == "zeros" else minimum(maximum(point, 0), n - 1)

    if mode == "cubic":
        return _taps(at, place, inside)
    at = inside(at)
    return _hat(at, place) if mode == "linear" else at.graph.call("equal", at.graph.call("round", at), place)


def _reflected(point: Node, low: sp.Expr, high: sp.Expr) -> Node:
    """A point mirrored at both ends until it is between them."""
    if high == low:
        return point * 0
    call, away = point.graph.call, whole(abs(point - low))
    turns = whole(call("floor", away / (high - low)))
    rest = whole(away - turns * (high - low))
    return call("where", call("equal", call("remainder", turns, 2), 0), rest + low, high - rest)


@plain
def pixel_shuffle(x: Node, factor: int) -> Node:
    """N×H×W×(C·r²) as N×(H·r)×(W·r)×C: channels become pixels, as in PyTorch."""
    if x.ndim != 4:
        raise ShapeError(f"pixel_shuffle needs N x H x W x C, {label(x)} has {shape_text(x.shape)}")
    n, h, w, c = x.shape
    parts = build.reshape(x, (n, h, w, _share(c, factor**2), factor, factor))
    return build.reshape(build.transpose(parts, (0, 1, 4, 2, 5, 3)), (n, h * factor, w * factor, parts.shape[3]))


@plain
def unfold(a: Node, width: DimLike, axis: int = -1, stride: int = 1) -> Node:
    """All windows along an axis, which becomes (number of windows, width)."""
    return unfold_axis(a, normalise_axis(axis, a.ndim), as_dim(width), stride)


@plain
def fold(a: Node, size: DimLike, axis: int = -2, stride: int = 1) -> Node:
    """Overlapping windows added up, the adjoint of unfold: ``axis`` counts windows, the next one the places in them."""
    return fold_axis(a, normalise_axis(axis, a.ndim), as_dim(size), stride)
