"""Normalisation, attention, dropout, tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE as NP
from tests.conformance.frame import NotApplicable, NotExpressible
from tests.conformance.torch_calls.table import of, shape


def channels_last(x: Node) -> Node:
    return NP["moveaxis"](x, 1, -1)


def channels_back(x: Node) -> Node:
    return NP["moveaxis"](x, -1, 1)


def affine(x: Node, weight: Any, bias: Any) -> Node:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def column(w: Any, x: Node) -> Any:
    """One number for each channel, the second axis."""
    return w if w is None else build.reshape(w, (-1, *[1] * (x.ndim - 2)))


@of("nn.functional.layer_norm")
def layer_norm(x: Node, normalized: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Node:
    over = tuple(range(x.ndim - len(normalized), x.ndim))
    return affine(F.layer_norm(x, over, eps), weight, bias)


@of("native_layer_norm")
def native_layer_norm(x: Node, normalized: Any, weight: Any, bias: Any, eps: float) -> Any:
    over = tuple(range(x.ndim - len(normalized), x.ndim))
    return layer_norm(x, normalized, weight, bias, eps), F.mean(x, over, True), 1 / F.sqrt(F.var(x, over, True) + eps)


@of("nn.functional.rms_norm")
def rms_norm(x: Node, normalized: Any, weight: Any = None, eps: Any = None) -> Node:
    over = tuple(range(x.ndim - len(normalized), x.ndim))
    return affine(F.rms_norm(x, over, np.finfo(float).eps if eps is None else eps), weight, None)


@of("nn.functional.group_norm")
def group_norm(x: Node, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Node:
    normed = channels_back(F.group_norm(channels_last(x), groups, eps))
    return affine(normed, column(weight, x), column(bias, x))


@of("native_group_norm")
def native_group_norm(x: Node, weight: Any, bias: Any, n: int, c: int, hw: int, groups: int, eps: float) -> Any:
    parts = build.reshape(x, (n, groups, c * hw // groups))
    return (group_norm(x, groups, weight, bias, eps), F.mean(parts, 2), 1 / F.sqrt(F.var(parts, 2) + eps))


@of("nn.functional.batch_norm")
def batch_norm(x: Node, mean: Any, var: Any, weight: Any = None, bias: Any = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Node:
    if x.ndim == 1:
        return x  # of no entries
    last = channels_last(x)
    normed = F.batch_norm(last, eps) if training else F.running_batch_norm(last, mean, var, eps)
    return affine(channels_back(normed), column(weight, x), column(bias, x))


@of("native_batch_norm", "_native_batch_norm_legit", "_batch_norm_with_update")
def native_batch_norm(s: Any, x: Node, weight: Any, bias: Any, *args: Any) -> Any:
    mean, var, *args = (None, None, *args) if isinstance(args[0], bool) else args
    training, _, eps = args if len(args) == 3 else (True, *args)
    over = tuple(k for k in range(x.ndim) if k != 1)
    found = batch_norm(x, mean, var, weight, bias, training, 0.1, eps)
    if training:
        return found, F.mean(x, over), 1 / F.sqrt(F.var(x, over) + eps)
    return found, x.graph.full(0, (0,)), x.graph.full(0, (0,))


@of("nn.functional.instance_norm")
def instance_norm(x: Node, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
                  use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> Node:
    if use_input_stats:
        normed = channels_back(F.instance_norm(channels_last(x), eps))
    else:
        normed = channels_back(F.running_batch_norm(channels_last(x), running_mean, running_var, eps))
    return affine(normed, column(weight, x), column(bias, x))


@of("nn.functional.local_response_norm")
def local_response_norm(x: Node, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Node:
    last = channels_last(x)
    c = shape(last)[-1]
    padded = build.pad_axis(last**2, -1, size // 2, c + size - 1)
    total = F.mean(F.unfold(padded, size, -1), -1)
    return channels_back(last / (total * alpha + k) ** beta)


@of("nn.functional.normalize")
def normalize(x: Node, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Node:
    from tests.conformance.torch_calls.linear import vector_norm

    if not x.ndim:
        return x / F.maximum(F.abs(x), eps)
    return x / F.maximum(vector_norm(x, p, dim, True), eps)


@of("nn.functional.scaled_dot_product_attention")
def attention(q: Node, k: Node, v: Node, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
              scale: Any = None, enable_gqa: bool = False) -> Node:
    if dropout_p:
        raise NotApplicable("its result is drawn at random")
    if enable_gqa:
        if attn_mask is None and not is_causal:
            return F.grouped_attention(q, k, v)
        times = shape(q)[-3] // shape(k)[-3]
        k, v = F.repeat(k, times, -3), F.repeat(v, times, -3)
    t, s = shape(q)[-2], shape(k)[-2]
    scores = q @ F.swapaxes(k, -1, -2) * (1 / sp.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        rows, columns = (build.expand(build.arange(q.graph, n), axis) for n, axis in ((t, 1), (s, 0)))
        scores = F.where(rows >= columns, scores, -sp.oo)
    if attn_mask is not None:
        scores = F.where(attn_mask, scores, -sp.oo) if attn_mask.kind != "float" else scores + attn_mask
    return F.softmax(scores, -1) @ v


@of("nn.functional.multi_head_attention_forward")
def multi_head(*_: Any, **__: Any) -> Node:
    raise NotApplicable("its result is drawn at random")


# -- dropout with nothing to drop
@of("nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.alpha_dropout",
    "nn.functional.feature_alpha_dropout")
def dropout(x: Node, p: float = 0.5, training: bool = True, inplace: bool = False) -> Node:
    if training and p == 1:
        return x * 0
    if training and p:
        raise NotApplicable("its result is drawn at random")
    return x


@of("native_dropout_backward")
def dropout_backward(g: Node, mask: Node, scale: float) -> Node:
    return g * mask * scale


@of("nn.functional.rrelu")
def rrelu(x: Node, lower: float, upper: float, training: bool = False, inplace: bool = False) -> Node:
    if training:
        raise NotApplicable("its result is drawn at random")
    return F.leaky_relu(x, (lower + upper) / 2)


# -- tables
@of("nn.functional.embedding")
def embedding(s: Any, index: Node, table: Node, padding_idx: Any = None, max_norm: Any = None,
              norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Node:
    if index.kind == "float":
        index, table = table, index
    if scale_grad_by_freq:
        raise NotExpressible("a gradient that is divided by how often a row is read (scale_grad_by_freq)")
    if max_norm is not None:
        raise NotExpressible("a table that is changed in place (max_norm)")
    rows = build.gather(table, index)
    if padding_idx is not None:
        padded = F.equal(index, padding_idx % shape(table)[0])
        rows = F.where(F.expand_dims(padded, -1), F.stop_gradient(rows), rows)
    return rows


@of("nn.functional.embedding_bag")
def embedding_bag(s: Any, index: Node, table: Node, offsets: Any = None, max_norm: Any = None, norm_type: float = 2.0,
                  scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Any = None, include_last_offset: bool = False, padding_idx: Any = None) -> Node:
    if index.kind == "float":
        index, table = table, index
    if max_norm is not None:
        raise NotExpressible("a table that is changed in place (max_norm)")
    if scale_grad_by_freq:
        raise NotExpressible("a gradient that is divided by how often a row is read (scale_grad_by_freq)")
    places, n = s.value(index).astype(int), shape(table)[0]
    if offsets is None:
        bags = [list(range(k * places.shape[1], (k + 1) * places.shape[1])) for k in range(places.shape[0])]
    else:
        starts = s.value(offsets).astype(int).tolist()
        ends = [*starts[1:], places.size] if not include_last_offset else starts[1:]
        bags = [list(range(a, b)) for a, b in zip(starts, ends, strict=False)]
    line = places.reshape(-1)
    if padding_idx is not None:
        bags = [[k for k in bag if line[k] != padding_idx % n] for bag in bags]
    width = max([1, *map(len, bags)])
    table_of = s.given([[*bag, *[0] * (width - len(bag))] for bag in bags])
    mask = s.given([[1] * len(bag) + [0] * (width - len(bag)) for bag in bags])
    rows = build.gather(table, s.given(np.where(line < 0, line + n, line)))
    if per_sample_weights is not None:
        rows = rows * F.expand_dims(build.reshape(per_sample_weights, (-1,)), 1)
    parts, here = F.take(rows, table_of, 0), F.expand_dims(mask, -1)
    counts = s.given([[max(len(bag), 1)] for bag in bags])
    if mode == "max":
        empty = s.given([[int(not bag)] for bag in bags])
        return F.where(empty, 0, F.max(F.where(here, parts, -sp.oo), 1))
    total = F.sum(parts * here, 1)
    return total / counts if mode == "mean" else total


# -- shuffles
@of("nn.functional.pixel_shuffle")
def pixel_shuffle(x: Node, upscale_factor: int) -> Node:
    lead, (c, h, w) = shape(x)[:-3], shape(x)[-3:]
    one = build.reshape(x, (math.prod(lead), c, h, w))
    found = NP["moveaxis"](F.pixel_shuffle(NP["moveaxis"](one, 1, -1), upscale_factor), -1, 1)
    return build.reshape(found, (*lead, *found.shape[1:]))


@of("nn.functional.pixel_unshuffle")
def pixel_unshuffle(x: Node, downscale_factor: int) -> Node:
    lead, (c, h, w), r = shape(x)[:-3], shape(x)[-3:], downscale_factor
    parts = build.reshape(x, (math.prod(lead), c, h // r, r, w // r, r))
    return build.reshape(F.transpose(parts, (0, 1, 3, 5, 2, 4)), (*lead, c * r * r, h // r, w // r))


@of("nn.functional.channel_shuffle")
def channel_shuffle(x: Node, groups: int) -> Node:
    n, c, *rest = shape(x)
    parts = build.reshape(x, (n, groups, c // groups, *rest))
    return build.reshape(F.swapaxes(parts, 1, 2), x.shape)
