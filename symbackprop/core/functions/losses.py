"""Losses and regularisers, as compositions. All but the regularisers keep the batch axes: wrap them in mean or sum."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.arrange import one_hot, pick
from symbackprop.core.functions.calls import function, whole
from symbackprop.core.functions.pointwise import abs, log, maximum, relu
from symbackprop.core.functions.reductions import log_softmax, norm
from symbackprop.core.graph import FLOAT, Node, Operand, label
from symbackprop.core.maths import Derivative, Frac, Num, Op, Prime, Relation, Sum, Sym, Words
from symbackprop.core.registry import known
from symbackprop.core.shapes import ONE, Axis, Shape, broadcast, normalise_axes, same_shape, shape_text
from symbackprop.errors import ShapeError

_Z = Sym("z")
_SLOPE = Sum(((False, Op("softmax", (_Z,))), (True, Words("target"))))
_RULE = ("softmax with cross-entropy: ", Relation(Derivative(Words("CE"), _Z), "=", _SLOPE))
_TERMS = ("term by term, ", Relation(Prime("log", Sym("x")), "=", Frac(Num(sp.S.One), Sym("x"))))


@known("CE", rule=_RULE, by_entry=True, target=1)
@function
def cross_entropy(logits: Node, target: Node) -> Node:
    """−log softmax(logits) at the target, along the last axis, by way of logsumexp.

    ``target`` is integer data of shape logits.shape[:-1] (class indices) or a distribution of the shape of the logits.
    """
    if target.kind != FLOAT:
        return build.logsumexp(logits, -1) - pick(logits, target)
    if not same_shape(logits.shape, target.shape):
        raise ShapeError(
            f"cross_entropy: {label(logits)} ({shape_text(logits.shape)}) needs class indices of shape "
            f"{shape_text(logits.shape[:-1])} or a distribution of its own shape, not {shape_text(target.shape)}"
        )
    return -build.reduce_sum(target * log_softmax(logits), -1)


@known(rule=_TERMS, by_entry=True, target=1)
@function
def binary_cross_entropy(prob: Node, target: Operand) -> Node:
    """−(y log p + (1 − y) log(1 − p)) for probabilities p; for p = σ(z) its derivative in z is p − y."""
    return prob.graph.call("bernoulli_loss", prob, target)


@known("BCEwithLogits", target=1)
@function
def binary_cross_entropy_with_logits(logits: Node, target: Operand) -> Node:
    """softplus(z) − y·z, which is −(y log σ(z) + (1 − y) log(1 − σ(z))) without overflow."""
    return logits.graph.call("logit_loss", logits, target)


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
    """Σ p·log(p/q) along an axis, for distributions; where p is 0 the term is 0, whatever q is."""
    return build.reduce_sum(p * (log(p) - log(q)), axis)


@function
def cosine_similarity(a: Node, b: Node, axis: Axis = -1, eps: Operand = 1e-8) -> Node:
    """a·b/(max(‖a‖, eps)·max(‖b‖, eps)) along an axis of the broadcast arguments, as in PyTorch."""
    shape = broadcast([a.shape, b.shape], lambda: [label(a), label(b)])
    axes = tuple([k - len(shape) for k in normalise_axes(axis, len(shape))])
    lengths = [maximum(norm(_repeated(v, shape, axes), axes if len(axes) > 1 else axes[0]), eps) for v in (a, b)]
    return build.reduce_sum(a * b, axis) / (lengths[0] * lengths[1])


def _repeated(a: Node, shape: Shape, axes: Sequence[int]) -> Node:
    """An array that has the axes, which count from the last one, in the sizes of ``shape``."""
    rank = max(a.ndim, -min(axes))
    own = (ONE,) * (rank - a.ndim) + a.shape
    wide = tuple([shape[k] if k in axes else own[k] for k in range(-rank, 0)])
    return a.graph.broadcast(build.reshape(a, own), wide)


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
