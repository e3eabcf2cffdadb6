"""Building blocks of networks, as compositions: normalisation, attention, rotary positions, gated cells."""

from __future__ import annotations

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.calls import function, hint, plain
from symbackprop.core.functions.constants import causal_mask_of
from symbackprop.core.functions.pointwise import cos, exp, log, sigmoid, sin, sqrt, tanh
from symbackprop.core.functions.reductions import mean
from symbackprop.core.graph import BOOL, Node, Operand, label
from symbackprop.core.maths import Fn, Frac, Num, Pow, Sym, X, called, equal, minus, total
from symbackprop.core.registry import known
from symbackprop.core.shapes import Axis, Dim, DimLike, as_dim, normalise_axis, same, shape_text
from symbackprop.errors import ShapeError

SCORES = "S S_att"  # what the scores of attention are called


@known("LayerNorm", means=(equal(called("layer_norm", X), Frac(
    minus(X, called("mean", X)), Fn("sqrt", (total((False, called("var", X)), (False, Sym("eps"))),)))),))
@function
def layer_norm(x: Node, axis: Axis = -1, eps: Operand = 1e-5) -> Node:
    """(x − mean)/√(var + eps) along the axes, without an affine part."""
    return _standardised(x, axis, eps)


@known("RMSNorm", means=(equal(called("rms_norm", X), Frac(
    X, Fn("sqrt", (total((False, called("mean", Pow(X, Num(sp.Integer(2))))), (False, Sym("eps"))),)))),))
@function
def rms_norm(x: Node, axis: Axis = -1, eps: Operand = 1e-5) -> Node:
    """x/√(mean(x²) + eps) along the axes, without an affine part."""
    return hint(x / hint(sqrt(hint(mean(x**2, axis, True) + eps, "v")), "sigma s"), "{}_hat")


@known(asks=((0, 0),))
@function
def batch_norm(x: Node, eps: Operand = 1e-5, axis: int = -1) -> Node:
    """(x − mean)/√(var + eps) over all axes but that of the channels, with the statistics of this batch and no affine
    part."""
    return _standardised(x, _but(x, axis, 0), eps)


def _standardised(x: Node, axes: Axis, eps: Operand) -> Node:
    """(x − mean)/√(var + eps) along axes."""
    centred = hint(x - hint(mean(x, axes, True), "mu"), "{}_tilde")
    spread = hint(sqrt(hint(mean(centred**2, axes, True) + eps, "v")), "sigma s")
    return hint(centred / spread, "{}_hat")


def _but(x: Node, axis: int, first: int) -> tuple[int, ...]:
    """The axes from the first on, without that of the channels."""
    channels = normalise_axis(axis, x.ndim)
    return tuple(k for k in range(first, x.ndim) if k != channels)


@function
def running_batch_norm(x: Node, mu: Node, variance: Node, eps: Operand = 1e-5, axis: int = -1) -> Node:
    """(x − mu)/√(variance + eps) with running statistics, one of each for every channel."""
    mu, variance = (_of_channels(x, row, axis) for row in (mu, variance))
    return (x - mu) / sqrt(variance + eps)


def _of_channels(x: Node, row: Node, axis: int) -> Node:
    """An array with an entry for every channel, such that it fits x."""
    behind = x.ndim - 1 - normalise_axis(axis, x.ndim)
    return row[(slice(None),) + (None,) * behind] if behind else row


@function
def instance_norm(x: Node, eps: Operand = 1e-5, axis: int = -1) -> Node:
    """(x − mean)/√(var + eps) of every image and channel by itself: the images are along axis 0, the channels along
    ``axis``."""
    return _standardised(x, _but(x, axis, 1), eps)


@function
def group_norm(x: Node, groups: DimLike, eps: Operand = 1e-5, axis: int = -1) -> Node:
    """(x − mean)/√(var + eps) of every image and group of neighbouring channels: the images are along axis 0, the
    channels along ``axis`` (Wu and He 2018)."""
    place, count = normalise_axis(axis, x.ndim), as_dim(groups)
    width = sp.cancel(x.shape[place] / count)
    if width.is_Rational and not width.is_Integer:
        which = "the last axis" if place == x.ndim - 1 else f"axis {place}"
        raise ShapeError(f"{which} of {label(x)} ({x.shape[place]}) cannot be split into {count} groups")
    parts = build.reshape(x, (*x.shape[:place], count, width, *x.shape[place + 1 :]))
    return build.reshape(_standardised(parts, _but(parts, place, 1), eps), x.shape)


@function
def embedding_bag(table: Node, index: Node, mode: str = "mean") -> Node:
    """The mean, sum or maximum of the rows that the last axis of the index names."""
    rows = build.gather(table, index)
    if mode not in ("mean", "sum", "max"):
        raise ShapeError(f"mode of embedding_bag is mean, sum or max, not {mode!r}")
    reduced = {"mean": mean, "sum": build.reduce_sum, "max": build.reduce_max}[mode]
    return reduced(rows, index.ndim - 1)


@function
def dropout(x: Node, mask: Node, rate: Operand = 0.5) -> Node:
    """x·mask/(1 − rate); the mask of zeros and ones is data, so the pass can be repeated and checked."""
    return x * mask / (1 - x.graph.lift(rate))


@known(asks=((0, 0), (0, 0), (0, 0)))
@function
def attention(q: Node, k: Node, v: Node, causal: bool = False, mask: Node | None = None, scale: Operand | None = None
              ) -> Node:
    """softmax(q kᵀ/√d) v along the last two axes: q …×T×d, k …×S×d, v …×S×e.

    With ``causal`` a query sees the keys up to its own place (Vaswani et al. 2017); with a ``mask`` those where it
    holds, or, of numbers, these are added to the scores. ``scale`` stands in the place of 1/√d.
    """
    products = build.matmul(q, build.swapaxes(k, -1, -2))
    scores = hint(products / sp.sqrt(q.shape[-1]) if scale is None else products * scale, SCORES)
    if mask is not None:
        seen = mask.kind == BOOL
        scores = hint(scores.graph.call("where", mask, scores, -sp.oo) if seen else scores + mask, "S_mask")
    return build.matmul(_weights(scores, causal), v)


def _weights(scores: Node, causal: bool) -> Node:
    return hint(build.softmax(hint(_masked(scores), "S_mask") if causal else scores, -1), "P P_att")


def _masked(scores: Node) -> Node:
    """Scores of later places are −∞, so their weight is exactly 0."""
    if not same(scores.shape[-1], scores.shape[-2]):
        raise ShapeError(f"a causal mask needs as many keys as queries, not {shape_text(scores.shape[-2:])}")
    return scores.graph.call("where", causal_mask_of(scores.graph, scores.shape[-1]), scores, -sp.oo)


@plain
def split_heads(x: Node, heads: DimLike) -> Node:
    """N×T×(h·d) as N×h×T×d."""
    width = _share(x, heads)
    return build.transpose(build.reshape(x, (*x.shape[:2], as_dim(heads), width)), (0, 2, 1, 3))


@plain
def merge_heads(x: Node) -> Node:
    """N×h×T×d as N×T×(h·d)."""
    swapped = build.transpose(x, (0, 2, 1, 3))
    return build.reshape(swapped, (*swapped.shape[:2], swapped.shape[2] * swapped.shape[3]))


def _share(x: Node, heads: DimLike) -> Dim:
    count = as_dim(heads)
    if x.ndim != 3:
        raise ShapeError(f"heads are split from N x T x D, but {label(x)} is {shape_text(x.shape)}")
    width = sp.cancel(x.shape[2] / count)
    if width.is_Rational and not width.is_Integer:
        raise ShapeError(f"the last axis of {label(x)} ({x.shape[2]}) cannot be split into {count} heads")
    return width


@function
def grouped_attention(q: Node, k: Node, v: Node, causal: bool = False) -> Node:
    """Attention in which groups of query heads share a key and value head: q N×(g·h)×T×d, k and v N×h×S×d.

    Ainslie et al. 2023. Query head i reads key head ⌊i/g⌋.
    """
    n, heads, t, d = q.shape
    shared = k.shape[1]
    group = sp.cancel(heads / shared)
    wide = build.reshape(q, (n, shared, group, t, d))
    scores = hint(build.einsum("nhgtd,nhsd->nhgts", wide, k) / sp.sqrt(d), SCORES)
    weights = _weights(scores, causal)
    return build.reshape(build.einsum("nhgts,nhsd->nhgtd", weights, v), (n, heads, t, v.shape[-1]))


@function
def rotary(x: Node, base: Operand = 10000) -> Node:
    """Rotary positions on …×T×d: the pair (x_i, x_{i+d/2}) at place t is turned by the angle t·base^(−2i/d).

    Su et al. 2021.
    """
    t, d = x.shape[-2], x.shape[-1]
    half = sp.cancel(d / 2)
    if half.is_Rational and not half.is_Integer:
        raise ShapeError(f"rotary positions need an even last axis, {label(x)} has {shape_text(x.shape)}")
    graph = x.graph
    speed = exp(build.arange(graph, half) * (-2 / d) * log(graph.lift(base)))
    angle = hint(build.expand(build.arange(graph, t), 1) * speed, "angle")
    c, s = hint(cos(angle), "cos"), hint(sin(angle), "sin")
    first, second = (hint(build.slice_axis(x, -1, k * half, half), f"{{}}_{k + 1}") for k in range(2))
    return build.concat([first * c - second * s, first * s + second * c], -1)


def lstm_cell(x: Node, h: Node, c: Node, W: Node, U: Node, b: Node) -> tuple[Node, Node]:
    """One LSTM step: (h', c') from x N×E, h and c N×H, W E×4H, U H×4H, b 4H; gates in the order i, f, g, o."""
    z = hint(x @ W + h @ U + b, "z")
    width = h.shape[-1]
    i, f, g, o = (build.slice_axis(z, -1, k * width, width) for k in range(4))
    new = hint(sigmoid(f) * c + sigmoid(i) * tanh(g), "c")
    return hint(sigmoid(o) * tanh(new), "h"), new


def gru_cell(x: Node, h: Node, W: Node, U: Node, b: Node) -> Node:
    """One GRU step: h' from x N×E, h N×H, W E×3H, U H×3H, b 3H; parts in the order r, z, n (Cho et al. 2014)."""
    width = h.shape[-1]
    from_x, from_h = hint(x @ W + b, "p"), hint(h @ U, "q")
    parts = [[build.slice_axis(a, -1, k * width, width) for a in (from_x, from_h)] for k in range(3)]
    r, z = (hint(sigmoid(p + q), name) for (p, q), name in zip(parts, "rz", strict=False))
    n = hint(tanh(parts[2][0] + r * parts[2][1]), "n")
    return (1 - z) * n + z * h
