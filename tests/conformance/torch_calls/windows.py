"""Convolution, pooling, interpolation: PyTorch's channels are the second axis, here they are the last one."""

from __future__ import annotations

import math
from typing import Any

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE as NP
from tests.conformance.frame import NotApplicable
from tests.conformance.torch_calls.table import of, shape


def last(x: Node, rank: int) -> tuple[Node, bool]:
    """N×C×… as N×…×C, and whether there was no N."""
    lone = x.ndim == rank + 1
    x = F.expand_dims(x, 0) if lone else x
    return NP["moveaxis"](x, 1, -1), lone


def back(x: Node, lone: bool) -> Node:
    x = NP["moveaxis"](x, -1, 1)
    return F.squeeze(x, 0) if lone else x


def each(value: Any, rank: int) -> Any:
    """One number for every axis, as a number or a tuple."""
    if isinstance(value, (list, tuple)):
        return tuple(value) * rank if len(value) == 1 else tuple(value)
    return value


def one(value: Any, rank: int) -> Any:
    """For one axis a number."""
    value = each(value, rank)
    return value[0] if rank == 1 and isinstance(value, tuple) else value


for _rank in (1, 2, 3):
    def _conv(x: Node, w: Node, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
              _rank: int = _rank) -> Node:
        rows, lone = last(x, _rank)
        kernel = F.transpose(w, (*range(2, _rank + 2), 1, 0))
        padding = padding if isinstance(padding, str) else one(padding, _rank)
        found = F.FUNCTIONS[f"conv{_rank}d"](rows, kernel, stride=one(stride, _rank), padding=padding,
                                             dilation=one(dilation, _rank), groups=groups)
        return back(found if b is None else found + b, lone)

    of(f"nn.functional.conv{_rank}d")(_conv)

    def _transposed(x: Node, w: Node, b: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                    groups: int = 1, dilation: Any = 1, _rank: int = _rank) -> Node:
        rows, lone = last(x, _rank)
        options = {k: one(v, _rank) for k, v in (("stride", stride), ("padding", padding),
                                                 ("output_padding", output_padding), ("dilation", dilation))}
        kernel = F.transpose(w, (*range(2, _rank + 2), 1, 0))
        call = F.FUNCTIONS[f"conv_transpose{_rank}d"]
        if groups == 1:
            found = call(rows, kernel, **options)
        else:
            parts = zip(F.split(rows, groups, -1), F.split(kernel, groups, -1), strict=True)
            found = F.concat(*[call(y, k, **options) for y, k in parts], axis=-1)
        return back(found if b is None else found + b, lone)

    of(f"nn.functional.conv_transpose{_rank}d")(_transposed)

    def _max_pool(x: Node, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                  ceil_mode: bool = False, return_indices: bool = False, _rank: int = _rank) -> Node:
        rows, lone = last(x, _rank)
        options = {"stride": one(stride, _rank), "padding": one(padding, _rank), "ceil": ceil_mode}
        if dilation not in (1, (1,) * _rank, [1] * _rank):
            options["dilation"] = one(dilation, _rank)
        return back(F.FUNCTIONS[f"max_pool{_rank}d"](rows, one(kernel_size, _rank), **options), lone)

    of(f"nn.functional.max_pool{_rank}d")(_max_pool)

    def _avg_pool(x: Node, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                  count_include_pad: bool = True, divisor_override: Any = None, _rank: int = _rank) -> Node:
        rows, lone = last(x, _rank)
        stride = None if stride is None or stride in ((), []) else one(stride, _rank)
        options = {"stride": stride, "padding": one(padding, _rank), "ceil": ceil_mode}
        call = F.FUNCTIONS[f"avg_pool{_rank}d"]
        if divisor_override is None:
            return back(call(rows, one(kernel_size, _rank), count_padding=count_include_pad, **options), lone)
        return back(call(rows, one(kernel_size, _rank), divisor=divisor_override, **options), lone)

    of(f"nn.functional.avg_pool{_rank}d")(_avg_pool)

    def _adaptive(x: Node, size: Any, return_indices: bool = False, _rank: int = _rank, _call: Any = None) -> Node:
        rows, lone = last(x, _rank)
        wanted = list(size) if isinstance(size, (list, tuple)) else [size] * _rank
        wanted = [n if n is not None else shape(rows)[k + 1] for k, n in enumerate(wanted)]
        return back(_call(rows, wanted), lone)

    of(f"nn.functional.adaptive_avg_pool{_rank}d")(
        lambda x, size, _adaptive=_adaptive, **_: _adaptive(x, size, _call=F.adaptive_avg_pool))
    of(f"nn.functional.adaptive_max_pool{_rank}d")(
        lambda x, size, *_, _adaptive=_adaptive, **__: _adaptive(x, size, _call=F.adaptive_max_pool))

    def _unpool(s: Any, x: Node, indices: Node, kernel_size: Any, stride: Any = None, padding: Any = 0,
                output_size: Any = None, _rank: int = _rank) -> Node:
        if output_size is None:
            k, p = each(kernel_size, _rank), each(padding, _rank)
            k, p = (v if isinstance(v, tuple) else (v,) * _rank for v in (k, p))
            st = k if stride is None else each(stride, _rank)
            st = st if isinstance(st, tuple) else (st,) * _rank
            output_size = [(n - 1) * st[i] - 2 * p[i] + k[i] for i, n in enumerate(shape(x)[-_rank:])]
        size = tuple(output_size)[-_rank:]
        lead = shape(x)[:-_rank]
        line = s.value(indices).reshape(*lead, -1)
        if any(len(set(row)) < len(row) for row in line.reshape(-1, line.shape[-1]).tolist()):
            raise NotApplicable("several entries for one place, of which PyTorch keeps any")
        flat, places = (build.reshape(a, (*lead, math.prod(shape(x)[-_rank:]))) for a in (x, indices))
        return build.reshape(build.put_along(flat, places, -1, math.prod(size)), (*lead, *size))

    of(f"nn.functional.max_unpool{_rank}d")(_unpool)


@of("nn.functional.unfold")
def im2col(x: Node, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Node:
    lone = x.ndim == 3
    x = F.expand_dims(x, 0) if lone else x
    pairs = [v if isinstance(v, (list, tuple)) else (v, v) for v in (kernel_size, dilation, padding, stride)]
    for k in range(2):
        size, apart, edge, step = (p[k] for p in pairs)
        axis = 2 + 2 * k
        x = build.pad_axis(x, axis, edge, shape(x)[axis] + 2 * edge)
        x = F.unfold(x, (size - 1) * apart + 1, axis, step)
        x = build.slice_axis(x, axis + 1, 0, size, apart)
    n, c, oh, kh, ow, kw = shape(x)
    found = build.reshape(F.transpose(x, (0, 1, 3, 5, 2, 4)), (n, c * kh * kw, oh * ow))
    return F.squeeze(found, 0) if lone else found


# -- interpolation
@of("nn.functional.interpolate", "nn.functional.upsample_bilinear", "nn.functional.upsample_nearest")
def interpolate(s: Any, x: Node, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: Any = None, recompute_scale_factor: Any = None, antialias: bool = False) -> Node:
    if s.name.startswith("nn.functional.upsample_bilinear"):
        mode, align_corners = "bilinear", True
    rank = x.ndim - 2
    rows, lone = last(x, rank)
    own = shape(rows)[1:-1]
    scale = None
    if size is None:
        factors = scale_factor if isinstance(scale_factor, (list, tuple)) else [scale_factor] * rank
        size = [math.floor(n * f) for n, f in zip(own, factors, strict=True)]
        scale = None if recompute_scale_factor else factors
    size = list(size) if isinstance(size, (list, tuple)) else [size] * rank
    if mode == "area":
        return back(F.adaptive_avg_pool(rows, size), lone)
    options: dict[str, Any] = {}
    if align_corners:
        options["align_corners"] = True
    if scale is not None:
        options["scale"] = scale
    return back(F.interpolate(rows, size, mode=mode, **options), lone)


@of("_upsample_bilinear2d_aa")
def upsample_aa(x: Node, output_size: Any = None, align_corners: bool = False, scale_factors: Any = None,
                scales_h: Any = None, scales_w: Any = None) -> Node:
    rows, lone = last(x, 2)
    scale_factors = [scales_h, scales_w] if scales_h else scale_factors
    size = output_size or [math.floor(n * f) for n, f in zip(shape(rows)[1:-1], scale_factors, strict=True)]
    options = {"align_corners": True} if align_corners else {"scale": scale_factors} if scale_factors else {}
    return back(F.interpolate(rows, size, mode="bilinear", antialias=True, **options), lone)


MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


@of("nn.functional.grid_sample")
def grid_sample(x: Node, grid: Node, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: Any = None
                ) -> Node:
    rank = x.ndim - 2
    options: dict[str, Any] = {}
    if mode != "bilinear":
        options["mode"] = mode
    if padding_mode != "zeros":
        options["padding"] = padding_mode
    if align_corners:
        options["align_corners"] = True
    rows, lone = last(x, rank)
    return back(F.grid_sample(rows, grid, **options), lone)


@of("grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(x: Node, grid: Node, mode: int, padding: int, align: bool) -> Node:
    return grid_sample(x, grid, MODES[mode], PADDINGS[padding], align)


@of("max_pool2d_with_indices_backward")
def max_pool_backward(x: Node, **options: Any) -> Node:
    return _pool_slopes(x, **options)


def _pool_slopes(x: Node, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 ceil_mode: bool = False, return_indices: bool = False) -> Node:
    """What pooling hands back of ones: how often an entry is the largest of its window."""
    from symbackprop.core.reverse import vjp
    from tests.conformance.torch_calls.table import CALLS

    pooled = CALLS["nn.functional.max_pool2d"](None, x, kernel_size=kernel_size, stride=stride, padding=padding,
                                               dilation=dilation, ceil_mode=ceil_mode)
    return vjp([pooled], [x.graph.full(1, pooled.shape)], [x])[0]
