"""Losses. PyTorch averages them unless it is told otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE as NP
from tests.conformance.torch_calls.linear import vector_norm
from tests.conformance.torch_calls.table import of, shape


def reduced(loss: Node, reduction: str) -> Node:
    return {"none": lambda a: a, "mean": F.mean, "sum": F.sum}[reduction](loss) if loss.ndim else loss


def pointwise(name: str, call: Any) -> None:
    @of(f"nn.functional.{name}")
    def loss(x: Node, target: Node, *args: Any, reduction: str = "mean", weight: Any = None, **options: Any) -> Node:
        found = call(x, target, *args, **options)
        return reduced(found if weight is None else found * weight, reduction)


pointwise("mse_loss", lambda a, b: F.squared_error(a, b))
pointwise("l1_loss", lambda a, b: F.absolute_error(a, b))
pointwise("smooth_l1_loss", lambda a, b, beta=1.0: F.smooth_l1(a, b, beta) if beta else F.absolute_error(a, b))
pointwise("huber_loss", lambda a, b, delta=1.0: F.huber(a, b, delta))
pointwise("binary_cross_entropy", lambda p, y: F.binary_cross_entropy(p, y))
pointwise("soft_margin_loss", lambda a, y: F.softplus(-y * a))
pointwise("hinge_embedding_loss", lambda a, y, margin=1.0: F.where(F.equal(y, -1), 0, a)
          + F.where(F.equal(y, 1), 0, F.relu(margin - a)))


@of("nn.functional.binary_cross_entropy_with_logits")
def bce_with_logits(x: Node, target: Node, weight: Any = None, pos_weight: Any = None, reduction: str = "mean") -> Node:
    if pos_weight is None:
        found = F.binary_cross_entropy_with_logits(x, target)
    else:
        found = (1 - target) * x + (1 + (pos_weight - 1) * target) * F.softplus(-x)
    return reduced(found if weight is None else found * weight, reduction)


@of("nn.functional.kl_div")
def kl_div(x: Node, target: Node, reduction: str = "mean", log_target: bool = False, **_: Any) -> Node:
    found = F.exp(target) * (target - x) if log_target else F.xlogy(target, target) - target * x
    if reduction == "batchmean":
        return F.sum(found) / (shape(x)[0] if x.ndim else 1)
    return reduced(found, reduction)


@of("nn.functional.poisson_nll_loss")
def poisson_nll(x: Node, target: Node, log_input: bool = True, full: bool = False, eps: float = 1e-8,
                reduction: str = "mean", **_: Any) -> Node:
    found = F.poisson_nll(x, target) if log_input else x - target * F.log(x + eps)
    if full:
        stirling = F.xlogy(target, target) - target + F.log(2 * sp.pi * F.where(target > 1, target, 1)) / 2
        found = found + F.where(target > 1, stirling, 0)
    return reduced(found, reduction)


@of("nn.functional.gaussian_nll_loss")
def gaussian_nll(x: Node, target: Node, var: Node, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
                 ) -> Node:
    if var.ndim < x.ndim:
        var = F.expand_dims(var, -1)
    clamped = var + F.stop_gradient(F.maximum(var, eps) - var)
    found = F.gaussian_nll(x, target, clamped, 0)
    return reduced(found + sp.log(2 * sp.pi) / 2 if full else found, reduction)


@of("nn.functional.margin_ranking_loss")
def margin_ranking(a: Node, b: Node, y: Node, margin: float = 0, reduction: str = "mean") -> Node:
    return reduced(F.margin_ranking(a, b, y, margin), reduction)


def distance(a: Node, b: Node, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Node:
    d = a - b + eps
    return vector_norm(d, p, -1, keepdim)


of("nn.functional.pairwise_distance")(distance)


@of("nn.functional.triplet_margin_loss")
def triplet(a: Node, positive: Node, negative: Node, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
            swap: bool = False, reduction: str = "mean") -> Node:
    far = distance(a, negative, p, eps)
    far = F.minimum(far, distance(positive, negative, p, eps)) if swap else far
    return reduced(F.relu(distance(a, positive, p, eps) - far + margin), reduction)


@of("nn.functional.triplet_margin_with_distance_loss")
def triplet_with(a: Node, positive: Node, negative: Node, distance_function: Any = None, margin: float = 1.0,
                 swap: bool = False, reduction: str = "mean") -> Node:
    metric = {"PairwiseDistance": distance, "CosineSimilarity": lambda x, y: F.cosine_similarity(x, y, 1)}
    kind = type(distance_function).__name__
    if kind not in metric and distance_function is not None:
        kind = distance_function.__name__
        metric = {**metric, "cosine_similarity": lambda x, y: F.cosine_similarity(x, y, 1),
                  "<lambda>": lambda x, y: 1 - F.cosine_similarity(x, y, 1)}
    between = metric[kind] if distance_function is not None else distance
    far = between(a, negative)
    far = F.minimum(far, between(positive, negative)) if swap else far
    return reduced(F.relu(between(a, positive) - far + margin), reduction)


@of("nn.functional.cosine_similarity")
def cosine_similarity(a: Node, b: Node, dim: int = 1, eps: float = 1e-8) -> Node:
    if not a.ndim and not b.ndim:
        return F.reshape(F.cosine_similarity(build.reshape(a, (1,)), build.reshape(b, (1,)), 0, eps), ())
    return F.cosine_similarity(a, b, dim, eps)


@of("nn.functional.cosine_embedding_loss")
def cosine_embedding(a: Node, b: Node, y: Node, margin: float = 0, reduction: str = "mean") -> Node:
    return reduced(F.cosine_embedding(a, b, y, margin), reduction)


@of("cdist")
def cdist(a: Node, b: Node, p: float = 2.0, compute_mode: Any = None) -> Node:
    return F.cdist(a, b, p)


@of("nn.functional.pdist")
def pdist(s: Any, x: Node, p: float = 2.0) -> Node:
    n = shape(x)[0]
    pairs = np.array([(i, j) for i in range(n) for j in range(i + 1, n)], int).reshape(-1, 2)
    if not len(pairs):
        return x.graph.full(0, (0,))
    one, other = (F.take(x, s.given(pairs[:, k]), 0) for k in (0, 1))
    return F.norm(one - other, -1, order=p)


# -- classes, whose axis is the second one of several
def classes_last(x: Node) -> Node:
    return NP["moveaxis"](x, 1, -1) if x.ndim > 1 else x


def mean_by_weight(loss: Node, share: Any, reduction: str) -> Node:
    if reduction == "mean":
        return F.sum(loss) / F.sum(share)
    return F.sum(loss) if reduction == "sum" and loss.ndim else loss


@of("nn.functional.nll_loss")
def nll_loss(s: Any, x: Node, target: Node, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
             **_: Any) -> Node:
    logs = classes_last(x)
    c = shape(logs)[-1]
    index = safe(s, target, c, ignore_index)
    share = weight[index] if weight is not None else index.graph.full(1, index.shape)
    share = share * F.not_equal(target, ignore_index) if 0 <= ignore_index < c else share * kept(s, target)
    return mean_by_weight(F.nll(logs, index) * share, share, reduction)


def kept(s: Any, target: Node) -> Any:
    value = s.value(target)
    return 1 if value.min(initial=0) >= 0 else s.given((value >= 0).astype(int))


def safe(s: Any, target: Node, c: int, ignore: int) -> Node:
    """The class indices, 0 in the place of a negative one that is ignored."""
    value = s.value(target).astype(int)
    return target if target.kind != "float" and value.max(initial=0) < c else s.given(np.clip(value, 0, c - 1))


@of("nn.functional.cross_entropy")
def cross_entropy(s: Any, x: Node, target: Node, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0, **_: Any) -> Node:
    logits = classes_last(x)
    c = shape(logits)[-1]
    if shape(target) == shape(x):
        y = classes_last(target)
        y = y * (1 - label_smoothing) + label_smoothing / c if label_smoothing else y
        loss = F.cross_entropy(logits, y) if weight is None else -F.sum(F.log_softmax(logits) * y * weight, -1)
        if reduction == "mean":
            return F.sum(loss) / max(math.prod(shape(loss)), 1)
        return F.sum(loss) if reduction == "sum" and loss.ndim else loss
    index = safe(s, target, c, ignore_index)
    keep = F.not_equal(target, ignore_index) if 0 <= ignore_index < c else kept(s, target)
    share = (weight[index] if weight is not None else index.graph.full(1, index.shape)) * keep
    loss = F.cross_entropy(logits, index) * share
    if label_smoothing:
        logs = -F.log_softmax(logits)
        even = F.sum(logs if weight is None else logs * weight, -1) * keep
        loss = (1 - label_smoothing) * loss + label_smoothing / c * even
    return mean_by_weight(loss, share, reduction)


@of("nn.functional.linear_cross_entropy")
def linear_cross_entropy(s: Any, x: Node, w: Node, target: Node, linear_bias: Any = None, reduction: str = "mean",
                         ignore_index: int = -100, label_smoothing: float = 0.0, weight: Any = None,
                         options: Any = None, **more: Any) -> Node:
    bias = more.get("bias", linear_bias)
    classes = "abcefg"[: w.ndim - 1]
    logits = F.einsum(f"...d,{classes}d->...{classes}", x, w)
    logits = logits if bias is None else logits + bias
    return cross_entropy(s, logits, target, weight, ignore_index, reduction, label_smoothing)


@of("nn.functional.multi_margin_loss")
def multi_margin(s: Any, x: Node, target: Node, p: int = 1, margin: float = 1.0, weight: Any = None,
                 reduction: str = "mean", **_: Any) -> Node:
    rows = build.reshape(x, (1, -1)) if x.ndim < 2 else x
    index = build.reshape(target, (-1,))
    c = shape(rows)[-1]
    right = F.expand_dims(F.pick(rows, index), -1)
    slack = F.relu(margin - right + rows)
    slack = slack**2 if p == 2 else slack
    slack = slack if weight is None else slack * F.expand_dims(weight[index], -1)
    loss = F.sum(slack * (1 - F.one_hot(index, c)), -1) / c
    loss = F.reshape(loss, ()) if x.ndim < 2 and not (reduction == "none" and target.ndim) else loss
    return reduced(loss, reduction)


@of("nn.functional.multilabel_margin_loss")
def multilabel_margin(s: Any, x: Node, target: Node, reduction: str = "mean", **_: Any) -> Node:
    y = np.atleast_2d(s.value(target)).astype(int)
    rows = build.reshape(x, y.shape)
    n, c = y.shape
    member, pairs = np.zeros((n, c), int), []
    for i in range(n):
        first = next((k for k in range(c) if y[i, k] < 0), c)
        member[i, y[i, :first]] = 1
        pairs.append([*y[i, :first], *[0] * (c - first)])
    real = np.array([[int(k < next((j for j in range(c) if y[i, j] < 0), c)) for k in range(c)] for i in range(n)])
    right = F.take_along_axis(rows, s.given(pairs), 1)
    slack = F.relu(1 - (F.expand_dims(right, 2) - F.expand_dims(rows, 1)))
    mask = F.expand_dims(s.given(real), 2) * F.expand_dims(s.given(1 - member), 1)
    loss = F.sum(slack * mask, (1, 2)) / c
    return reduced(F.reshape(loss, ()) if x.ndim < 2 else loss, reduction)


@of("nn.functional.multilabel_soft_margin_loss")
def multilabel_soft_margin(x: Node, target: Node, weight: Any = None, reduction: str = "mean", **_: Any) -> Node:
    loss = F.binary_cross_entropy_with_logits(x, target)
    loss = F.mean(loss if weight is None else loss * weight, -1)
    return reduced(loss, reduction)


@of("nn.functional.ctc_loss")
def ctc_loss(s: Any, x: Node, targets: Node, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: str = "mean", zero_infinity: bool = False) -> Node:
    lengths, widths = (np.asarray(s.value(v)).astype(int) for v in (input_lengths, target_lengths))
    flat, ends = s.value(targets).astype(int), np.cumsum(widths)
    rows = flat if flat.ndim == 2 else np.full((len(widths), max(widths.max(), 1)), (blank + 1) % shape(x)[-1])
    for k, w in enumerate(widths if flat.ndim == 1 else ()):
        rows[k, :w] = flat[ends[k] - w : ends[k]]
    return F.ctc(F.log_softmax(x), s.given(rows), blank, s.given(lengths), s.given(widths), reduction, zero_infinity)
