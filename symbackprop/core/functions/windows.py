"""Convolution and pooling for users: compositions over the window ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.calls import function, plain
from symbackprop.core.graph import Node, label
from symbackprop.core.ops.window import Window, conv, fold_axis, unfold_axis
from symbackprop.core.registry import known
from symbackprop.core.shapes import DimLike, as_dim, normalise_axis, shape_text
from symbackprop.errors import ShapeError

Pair: TypeAlias = int | Sequence[int]
LAYOUTS = ("NHWC", "NCHW")


def _pair(value: Pair, what: str, least: int) -> tuple[int, int]:
    """One whole number for both axes, or one for each."""
    pair = (value, value) if isinstance(value, (int, sp.Integer)) else tuple(value)
    if len(pair) != 2 or any(int(v) != v or v < least for v in pair):
        raise ShapeError(f"{what} is a whole number of at least {least}, or a pair of them, not {value}")
    return int(pair[0]), int(pair[1])


def _ranks(function: str, x: Node, w: Node, rank: int) -> str:
    return f"{function}: {label(x)} ({shape_text(x.shape)}) and {label(w)} ({shape_text(w.shape)}) need {rank} axes"


def _require_layout(layout: str) -> None:
    if layout not in LAYOUTS:
        raise ShapeError(f"layout is one of {', '.join(LAYOUTS)}, not {layout!r}")


@function
def conv2d(x: Node, w: Node, stride: Pair = 1, padding: Pair = 0, layout: str = "NHWC") -> Node:
    """Cross-correlation of images with kernels.

    NHWC: x is N×H×W×C and w is kh×kw×C×K. NCHW: x is N×C×H×W and w is K×C×kh×kw. The result has the layout of x.
    """
    _require_layout(layout)
    strides, paddings = _pair(stride, "stride", 1), _pair(padding, "padding", 0)
    if layout == "NHWC":
        return conv(x, w, strides, paddings)
    if x.ndim != 4 or w.ndim != 4:
        raise ShapeError(_ranks("conv2d", x, w, 4))
    result = conv(build.transpose(x, (0, 2, 3, 1)), build.transpose(w, (2, 3, 1, 0)), strides, paddings)
    return build.transpose(result, (0, 3, 1, 2))


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
    return Window(_pair(stride, "stride", 1), _pair(padding, "padding", 0), (rows, columns))


@function
def conv1d(x: Node, w: Node, stride: int = 1, padding: int = 0) -> Node:
    """Cross-correlation along time: x is N×T×C, w is k×C×K, the result N×T'×K."""
    if x.ndim != 3 or w.ndim != 3:
        raise ShapeError(_ranks("conv1d", x, w, 3))
    strides, paddings = (1, _pair(stride, "stride", 1)[0]), (0, _pair(padding, "padding", 0)[0])
    result = conv(build.expand(x, 1), build.expand(w, 0), strides, paddings)
    return build.reshape(result, (result.shape[0], result.shape[2], result.shape[3]))


def _pooled_windows(x: Node, size: Pair, stride: Pair | None, layout: str) -> tuple[Node, tuple[int, int]]:
    """The windows of both spatial axes and the axes that hold the places inside a window."""
    _require_layout(layout)
    if x.ndim != 4:
        raise ShapeError(f"pooling needs {layout} with 4 axes, {label(x)} has {shape_text(x.shape)}")
    (kh, kw), first = _pair(size, "size", 1), 1 if layout == "NHWC" else 2
    sh, sw = (kh, kw) if stride is None else _pair(stride, "stride", 1)
    rows = unfold_axis(x, first, sp.Integer(kh), sh)
    return unfold_axis(rows, first + 2, sp.Integer(kw), sw), (first + 1, first + 3)


@known("maxpool")
@function
def max_pool2d(x: Node, size: Pair, stride: Pair | None = None, layout: str = "NHWC") -> Node:
    """The largest entry of every window; windows do not overlap unless a stride says so. Ties share the gradient."""
    windows, axes = _pooled_windows(x, size, stride, layout)
    return build.reduce_max(windows, axes)


@known("avgpool")
@function
def avg_pool2d(x: Node, size: Pair, stride: Pair | None = None, layout: str = "NHWC") -> Node:
    """The mean of every window."""
    windows, axes = _pooled_windows(x, size, stride, layout)
    kh, kw = _pair(size, "size", 1)
    return build.reduce_sum(windows, axes) / (kh * kw)


@plain
def unfold(a: Node, width: DimLike, axis: int = -1, stride: int = 1) -> Node:
    """All windows along an axis, which becomes (number of windows, width)."""
    return unfold_axis(a, normalise_axis(axis, a.ndim), as_dim(width), stride)


@plain
def fold(a: Node, size: DimLike, axis: int = -2, stride: int = 1) -> Node:
    """Overlapping windows added up, the adjoint of unfold: ``axis`` counts windows, the next one the places in them."""
    return fold_axis(a, normalise_axis(axis, a.ndim), as_dim(size), stride)
