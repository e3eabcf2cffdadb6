"""Reductions and scans along axes, and their masked forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.shapes import normalise_axes, size_of
from tests.conformance.torch_calls.table import axes, of


def plain(name: str, call: Any) -> None:
    @of(name, vectors=False)
    def reduced(x: Node, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Node:
        if not x.ndim:
            return call(build.reshape(x, (1,)), None, False)
        return call(x, axes(dim), keepdim)


for _name, _call in {"sum": F.sum, "mean": F.mean, "amax": F.max, "amin": F.min, "prod": F.prod,
                     "logsumexp": F.logsumexp}.items():
    plain(_name, _call)


def numbers(x: Node) -> Node:
    return F.equal(x, x)


def nansum_of(x: Node, axis: Any, keep: bool) -> Node:
    return F.sum(F.where(numbers(x), x, 0), axis, keep)


plain("nansum", nansum_of)
plain("nanmean", lambda x, axis, keep: nansum_of(x, axis, keep) / F.sum(numbers(x), axis, keep))


@of("max", vectors=False)
def largest(x: Node, *args: Any, dim: Any = None, keepdim: bool = False) -> Node:
    if args and isinstance(args[0], Node):
        return F.maximum(x, args[0])
    return by_place(x, dim if not args else args[0], args[1] if len(args) > 1 else keepdim, F.argmax, F.max)


@of("min", vectors=False)
def smallest(x: Node, *args: Any, dim: Any = None, keepdim: bool = False) -> Node:
    if args and isinstance(args[0], Node):
        return F.minimum(x, args[0])
    return by_place(x, dim if not args else args[0], args[1] if len(args) > 1 else keepdim, F.argmin, F.min)


def by_place(x: Node, dim: Any, keepdim: bool, place: Any, reduce: Any) -> Node:
    if not x.ndim:
        return x
    return reduce(x, dim, keepdim)


@of("aminmax")
def aminmax(x: Node, dim: Any = None, keepdim: bool = False) -> Any:
    if not x.ndim:
        return x, x
    return F.min(x, dim, keepdim), F.max(x, dim, keepdim)


def spread(x: Node, args: tuple[Any, ...], options: dict[str, Any], call: Any) -> Node:
    dim, unbiased = options.get("dim"), options.get("unbiased", True)
    if args and isinstance(args[0], bool):
        unbiased = args[0]
    elif args:
        dim, unbiased = args[0], args[1] if len(args) > 1 else unbiased
    correction = options.get("correction")
    ddof = (1 if correction is None else correction) if "correction" in options else int(unbiased)
    if not x.ndim:
        x = build.reshape(x, (1,))
        return F.reshape(call(x, None, False, ddof), ())
    return call(x, axes(dim), options.get("keepdim", False), ddof)


@of("var")
def var(x: Node, *args: Any, **options: Any) -> Node:
    return spread(x, args, options, F.var)


@of("std")
def std(x: Node, *args: Any, **options: Any) -> Node:
    return spread(x, args, options, F.std)


def mean_too(x: Node, args: tuple[Any, ...], options: dict[str, Any]) -> Node:
    dim = options.get("dim", args[0] if args and not isinstance(args[0], bool) else None)
    return F.mean(x, axes(dim) if x.ndim else None, options.get("keepdim", False) and bool(x.ndim))


@of("var_mean")
def var_mean(x: Node, *args: Any, **options: Any) -> Any:
    return var(x, *args, **options), mean_too(x, args, options)


@of("std_mean")
def std_mean(x: Node, *args: Any, **options: Any) -> Any:
    return std(x, *args, **options), mean_too(x, args, options)


# -- by order
@of("median", "nanmedian", vectors=False)
def median(x: Node, dim: Any = None, keepdim: bool = False) -> Node:
    if not x.ndim:
        return x
    n = int(size_of(x.shape, None if dim is None else [dim % x.ndim]))
    return kth(x, (n + 1) // 2, dim, keepdim)


def kth(x: Node, k: int, dim: Any, keepdim: bool) -> Node:
    if dim is None:
        return F.sort(F.flatten(x))[k - 1]
    found = build.slice_axis(F.sort(x, dim), dim, k - 1, 1)
    return found if keepdim else F.squeeze(found, dim)


@of("kthvalue", vectors=True)
def kthvalue(x: Node, k: int, dim: int = -1, keepdim: bool = False) -> Node:
    return kth(x, k, dim, keepdim)


@of("topk", vectors=True)
def topk(x: Node, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Node:
    return F.topk(x, k, dim) if largest else -F.topk(-x, k, dim)


@of("sort", vectors=True)
def sort(x: Node, dim: int = -1, descending: bool = False, stable: bool = False) -> Node:
    return -F.sort(-x, dim) if descending else F.sort(x, dim)


@of("msort", vectors=True)
def msort(x: Node) -> Node:
    return F.sort(x, 0)


@of("mode", vectors=True)
def mode(s: Any, x: Node, dim: int = -1, keepdim: bool = False) -> Node:
    import torch

    if not s.has(x):
        return x
    place = torch.from_numpy(s.value(x)).mode(dim, keepdim=True).indices.numpy()
    found = F.take_along_axis(x, s.given(place), dim)
    return found if keepdim else F.squeeze(found, dim)


@of("quantile", "nanquantile")
def quantile(s: Any, x: Node, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Node:
    share, lone = s.value(q), not x.ndim
    if lone:
        x, dim, keepdim = build.reshape(x, (1,)), None, False
    rows = [q[k] for k in range(len(share))] if np.ndim(share) and isinstance(q, Node) else [q]
    found = [_quantile(x, float(v), row, dim, keepdim, interpolation)
             for v, row in zip(np.atleast_1d(share), rows, strict=True)]
    if lone:
        found = [F.reshape(f, ()) for f in found]
    return F.stack(found) if np.ndim(share) else found[0]


def _quantile(x: Node, q: float, row: Any, dim: Any, keepdim: bool, interpolation: str) -> Node:
    """By a share that is a number, or between its neighbours by a row that has a gradient of its own."""
    if interpolation == "linear" and not isinstance(row, Node):
        return F.quantile(x, q, dim, keepdim)
    n = int(size_of(x.shape, None if dim is None else [dim % x.ndim]))
    place = q * (n - 1)
    low, high = int(np.floor(place)) + 1, int(np.ceil(place)) + 1
    one = {"lower": low, "higher": high, "nearest": int(np.round(place)) + 1}.get(interpolation)
    if one is not None:
        found = kth(x, one, dim, keepdim)
    else:
        below, above = (kth(x, k, dim, keepdim) for k in (low, high))
        share = sp.Rational(1, 2) if interpolation == "midpoint" else row * (n - 1) - low + 1
        found = below + (above - below) * share
    return F.reshape(found, (1,) * x.ndim) if keepdim and dim is None else found


# -- scans
@of("cumsum", vectors=True)
def cumsum(x: Node, dim: int, dtype: Any = None) -> Node:
    return F.cumsum(x, dim)


@of("cumprod", vectors=True)
def cumprod(x: Node, dim: int, dtype: Any = None) -> Node:
    return F.cumprod(x, dim)


@of("logcumsumexp", vectors=True)
def logcumsumexp(x: Node, dim: int) -> Node:
    return F.logcumsumexp(x, dim)


@of("cummax", vectors=True)
def cummax(x: Node, dim: int) -> Node:
    return F.cummax(x, dim)


@of("cummin", vectors=True)
def cummin(x: Node, dim: int) -> Node:
    return -F.cummax(-x, dim)


@of("trapezoid", "trapz")
def trapezoid(x: Node, *args: Any, dim: int = -1, dx: Any = 1) -> Node:
    return F.sum(_strips(x, args, dim, dx), dim)


@of("cumulative_trapezoid")
def cumulative_trapezoid(x: Node, *args: Any, dim: int = -1, dx: Any = 1) -> Node:
    return F.cumsum(_strips(x, args, dim, dx), dim)


def _strips(y: Node, args: tuple[Any, ...], dim: int, dx: Any) -> Node:
    def ends(a: Node, k: int) -> tuple[Node, Node]:
        n = int(a.shape[k])
        return build.slice_axis(a, k, 1, n - 1), build.slice_axis(a, k, 0, n - 1)

    after, before = ends(y, dim)
    if not args:
        return (after + before) * dx / 2
    x = args[0]
    if x.ndim != y.ndim:
        x = build.reshape(x, [x.shape[0] if k == dim % y.ndim else 1 for k in range(y.ndim)])
    x1, x0 = ends(x, dim)
    return (after + before) * (x1 - x0) / 2


# -- softmax
@of("softmax", "nn.functional.softmax", "torch.ops.aten._safe_softmax.default", vectors=True)
def softmax(x: Node, dim: int, dtype: Any = None) -> Node:
    return F.softmax(x, dim)


@of("nn.functional.softmin", vectors=True)
def softmin(x: Node, dim: int, dtype: Any = None) -> Node:
    return F.softmax(-x, dim)


@of("log_softmax", vectors=True)
def log_softmax(x: Node, dim: int, dtype: Any = None) -> Node:
    return F.log_softmax(x, dim)


@of("_softmax_backward_data", vectors=False)
def softmax_backward(g: Node, p: Node, dim: int, dtype: Any = None) -> Node:
    if not g.ndim:
        return p * (g - g * p)
    return p * (g - F.sum(g * p, dim, True))


# -- masked
def kept(x: Node, mask: Any, fill: Any) -> Node:
    return x if mask is None else F.where(mask, x, fill)


def masked(name: str, fill: Any, call: Any) -> None:
    @of(f"masked.{name}")
    def reduced(x: Node, dim: Any = None, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Node:
        row = kept(x, mask, fill)
        if not x.ndim:
            return row
        return call(row, axes(dim), keepdim)


masked("sum", 0, F.sum)
masked("prod", 1, F.prod)
masked("amax", -sp.oo, F.max)
masked("amin", sp.oo, F.min)
masked("logsumexp", -sp.oo, F.logsumexp)


def counted(x: Node, mask: Any, dim: Any, keepdim: bool) -> Any:
    over = normalise_axes(axes(dim), x.ndim)
    return size_of(x.shape, over) if mask is None else F.sum(x.graph.broadcast(mask, x.shape), over, keepdim)


@of("masked.mean")
def masked_mean(x: Node, dim: Any = None, keepdim: bool = False, mask: Any = None, dtype: Any = None) -> Node:
    total = kept(x, mask, 0)
    return F.sum(total, axes(dim), keepdim) / counted(x, mask, dim, keepdim) if x.ndim else total / (
        1 if mask is None else mask)


@of("masked.var")
def masked_var(x: Node, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None, keepdim: bool = False,
               mask: Any = None, dtype: Any = None) -> Node:
    lost = (1 if unbiased is None else int(unbiased)) if correction is None else correction
    if not x.ndim:
        return masked_var(build.reshape(x, (1,)), None, None, correction=lost, mask=mask)
    count = counted(x, mask, dim, True)
    middle = F.sum(kept(x, mask, 0), axes(dim), True) / count
    total = F.sum(kept((x - middle) ** 2, mask, 0), axes(dim), keepdim)
    n = count if keepdim or not isinstance(count, Node) else F.sum(count, axes(dim))
    return total / F.maximum(n - lost, 0) if isinstance(n, Node) else total / (n - lost)


@of("masked.std")
def masked_std(x: Node, *args: Any, **options: Any) -> Node:
    return F.sqrt(masked_var(x, *args, **options))


@of("masked.norm")
def masked_norm(x: Node, ord: Any = 2, dim: Any = None, keepdim: bool = False, mask: Any = None, dtype: Any = None
                ) -> Node:
    fill = sp.oo if ord == -np.inf else 0
    if not x.ndim:
        return F.reshape(F.norm(build.reshape(kept(x, mask, fill), (1,)), None, False, ord), ())
    return F.norm(kept(x, mask, fill), axes(dim), keepdim, order=ord)


@of("masked.cumsum", vectors=True)
def masked_cumsum(x: Node, dim: int, mask: Any = None, dtype: Any = None) -> Node:
    return F.cumsum(kept(x, mask, 0), dim)


@of("masked.cumprod", vectors=True)
def masked_cumprod(x: Node, dim: int, mask: Any = None, dtype: Any = None) -> Node:
    return F.cumprod(kept(x, mask, 1), dim)


@of("masked.softmax", vectors=True)
def masked_softmax(x: Node, dim: int, mask: Any = None, dtype: Any = None) -> Node:
    return F.softmax(kept(x, mask, -sp.oo), dim)


@of("masked.softmin", vectors=True)
def masked_softmin(x: Node, dim: int, mask: Any = None, dtype: Any = None) -> Node:
    return F.softmax(-kept(x, mask, sp.oo), dim)


@of("masked.log_softmax", vectors=True)
def masked_log_softmax(x: Node, dim: int, mask: Any = None, dtype: Any = None) -> Node:
    return F.log_softmax(kept(x, mask, -sp.oo), dim)


@of("masked.normalize", vectors=True)
def masked_normalize(x: Node, ord: Any, dim: int, eps: Any = 1e-12, mask: Any = None, dtype: Any = None) -> Node:
    row = kept(x, mask, 0)
    return row / F.maximum(F.norm(row, dim, True, ord), eps)


@of("masked.logaddexp")
def masked_logaddexp(x: Node, y: Node, input_mask: Any = None, other_mask: Any = None, dtype: Any = None) -> Node:
    return F.logaddexp(kept(x, input_mask, -sp.oo), kept(y, other_mask, -sp.oo))


@of("masked.median")
def masked_median(s: Any, x: Node, dim: int, keepdim: bool = False, mask: Any = None, dtype: Any = None) -> Node:
    import torch

    values = s.value(x).copy()
    if mask is not None:
        values = np.where(np.broadcast_to(s.value(mask), values.shape), values, np.nan)
    if not x.ndim:
        return x
    place = torch.from_numpy(values).nanmedian(dim, keepdim=True).indices.numpy()
    found = F.take_along_axis(x, s.given(place), dim)
    return found if keepdim else F.squeeze(found, dim)
