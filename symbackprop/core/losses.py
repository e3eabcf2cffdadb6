"""Losses and regularisers, as compositions. All but the regularisers keep the batch axes: wrap them in mean or sum."""

from __future__ import annotations

from symbackprop.core import build
from symbackprop.core.functions import Axis, abs, function, log, norm, one_hot, pick, relu, whole
from symbackprop.core.graph import Node, Operand
from symbackprop.core.shapes import normalise_axis


@function
def squared_error(a: Node, b: Operand) -> Node:
    """(a − b)², entry by entry."""
    return (a - b) ** 2


@function
def absolute_error(a: Node, b: Operand) -> Node:
    """|a − b|, entry by entry; derivative 0 where they are equal."""
    return abs(a - b)


@function
def huber(a: Node, b: Operand, delta: Operand = 1) -> Node:
    """½d² for |d| ≤ delta, else delta·(|d| − ½·delta), with d = a − b (Huber 1964)."""
    d = whole(a - b)
    size = whole(abs(d))
    graph = d.graph
    return graph.call("where", graph.call("less_equal", size, delta), d**2 / 2, delta * (size - graph.lift(delta) / 2))


@function
def hinge(score: Node, target: Operand) -> Node:
    """max(0, 1 − y·s) for targets y = ±1."""
    return relu(1 - target * score)


@function
def multiclass_hinge(scores: Node, target: Node, margin: Operand = 1) -> Node:
    """Σ_{j≠y} max(0, s_j − s_y + margin) along the last axis (Weston and Watkins)."""
    right = build.expand(pick(scores, target), -1)
    others = 1 - one_hot(target, scores.shape[-1])
    return build.reduce_sum(others * relu(scores - right + margin), -1)


@function
def kl_divergence(p: Node, q: Node, axis: int = -1) -> Node:
    """Σ p·log(p/q) along an axis, for distributions with positive entries."""
    return build.reduce_sum(p * (log(p) - log(q)), normalise_axis(axis, p.ndim))


@function
def cosine_similarity(a: Node, b: Node, axis: Axis = -1) -> Node:
    """a·b/(‖a‖‖b‖) along an axis."""
    return build.reduce_sum(a * b, axis) / (norm(a, axis) * norm(b, axis))


@function
def smoothed_cross_entropy(logits: Node, target: Node, smoothing: Operand = 0.1) -> Node:
    """Cross-entropy with class indices of which a share ``smoothing`` is spread evenly over all classes."""
    lse = build.logsumexp(logits, -1)
    even: Node = build.reduce_sum(logits, -1) / logits.shape[-1]
    share = lse.graph.lift(smoothing)
    return lse - (1 - share) * pick(logits, target) - share * even


@function
def l1(w: Node) -> Node:
    """Σ|w|, a regulariser."""
    return build.reduce_sum(abs(w))


@function
def l2(w: Node) -> Node:
    """Σw² (the squared norm), a regulariser."""
    return build.reduce_sum(w**2)
