"""Losses and regularisers, as compositions. All but the regularisers keep the batch axes: wrap them in mean or sum."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from symbackprop.core import build
from symbackprop.core import maths as m
from symbackprop.core.functions.arrange import one_hot, pick
from symbackprop.core.functions.calls import function, whole
from symbackprop.core.functions.pointwise import abs, exp, log, maximum, relu, sigmoid
from symbackprop.core.functions.reductions import log_softmax, mean, norm
from symbackprop.core.graph import FLOAT, INT, Node, Operand, label
from symbackprop.core.loops import scan
from symbackprop.core.registry import known
from symbackprop.core.shapes import ONE, Axis, Dim, Shape, broadcast, normalise_axes, same, same_shape, shape_text
from symbackprop.errors import ShapeError

NEVER = sp.Integer(-(10**30))  # the logarithm of a probability 0 that is added to; −∞ would warn
_Z = m.Sym("z")
_CE, _SOFTMAX = m.called("cross_entropy", m.Z, m.Y), m.called("softmax", m.Z)
_SLOPE = m.Sum(((False, m.Op("softmax", (_Z,))), (True, m.Words("target"))))
_ALL = m.Big("sum", ("k",), m.Fn("exp", (m.at(m.Z, m.K),)))
_MEANS = (
    m.equal(_CE, m.Sum(((True, m.at(m.Z, m.Y)), (False, m.Fn("log", (_ALL,)))))),
    ", ", m.equal(m.Derivative(_CE, m.at(m.Z, m.C)), m.minus(m.at(_SOFTMAX, m.C), m.Indicator(m.equal(m.C, m.Y)))),
)
_RULE = (m.Relation(m.Derivative(m.Words("CE"), _Z), "=", _SLOPE),)
_TERMS = ("term by term, ", m.equal(m.Fn("log", (m.Sym("x"),), prime=True), m.Frac(m.Num(sp.S.One), m.Sym("x"))))


@known("CE", means=_MEANS, title="softmax with cross-entropy", rule=_RULE, by_entry=True, target=1, proved=True)
@function
def cross_entropy(logits: Node, target: Node, weights: Node | None = None, ignore_index: int | None = None
                  ) -> Node:
    """−log softmax(logits) at the target, along the last axis, by way of logsumexp.

    ``target`` is integer data of shape logits.shape[:-1] (class indices) or a distribution of the shape of the logits.
    Class indices may have ``weights``, one a class (PyTorch's mean divides by ``sum(weights[target])``), and an index
    to ignore, at which it is 0.
    """
    if target.kind != FLOAT or same_shape(target.shape, logits.shape[:-1]):
        loss = build.logsumexp(logits, -1) - pick(logits, target)
        weighted: Node = loss if weights is None else weights[target] * loss
        counts = None if ignore_index is None else target.graph.call("not_equal", target, ignore_index)
        return weighted if counts is None else target.graph.call("where", counts, weighted, 0)
    if weights is not None or ignore_index is not None:
        raise ShapeError("cross_entropy: weights and an ignored index go with class indices, not with a distribution")
    if not same_shape(logits.shape, target.shape):
        raise ShapeError(
            f"cross_entropy: {label(logits)} ({shape_text(logits.shape)}) needs class indices of shape "
            f"{shape_text(logits.shape[:-1])} or a distribution of its own shape, not {shape_text(target.shape)}"
        )
    return -build.reduce_sum(target * log_softmax(logits), -1)


@known(by_formula=True, rule=_TERMS, by_entry=True, target=1)
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


@known(target=1)
@function
def multiclass_hinge(scores: Node, target: Node, margin: Operand = 1) -> Node:
    """Σ_{j≠y} max(0, s_j − s_y + margin) along the last axis (Weston and Watkins)."""
    right = build.expand(pick(scores, target), -1)
    others = 1 - one_hot(target, scores.shape[-1])
    return build.reduce_sum(others * relu(scores - right + margin), -1)


@known(means=(m.called("kl_divergence", m.A, m.B), " is the sum of ", m.product(m.A, m.Fn("log", (m.Frac(m.A, m.B),))),
              " along the axis"))
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


@known(target=1)
@function
def smoothed_cross_entropy(logits: Node, target: Node, smoothing: Operand = 0.1) -> Node:
    """Cross-entropy with class indices of which a share ``smoothing`` is spread evenly over all classes."""
    log_p, share = whole(log_softmax(logits)), logits.graph.lift(smoothing)
    return -(1 - share) * pick(log_p, target) - share * mean(log_p, -1)


@function
def l1(w: Node) -> Node:
    """Σ|w|, a regulariser."""
    return build.reduce_sum(abs(w))


@function
def l2(w: Node) -> Node:
    """Σw² (the squared norm), a regulariser."""
    return build.reduce_sum(w**2)


# -- by their names in PyTorch; all keep the batch axes but mse and mae
@function
def mse(a: Node, b: Operand) -> Node:
    """The mean of (a − b)²."""
    return mean((a - b) ** 2)


@function
def mae(a: Node, b: Operand) -> Node:
    """The mean of |a − b|."""
    return mean(abs(a - b))


@function
def smooth_l1(a: Node, b: Operand, beta: Operand = 1) -> Node:
    """½d²/beta for |d| ≤ beta, else |d| − ½·beta, with d = a − b."""
    return huber(a, b, beta) / beta


@known(target=1)
@function
def nll(log_probabilities: Node, target: Node) -> Node:
    """−log p of the target class, from logarithms of probabilities along the last axis."""
    return -pick(log_probabilities, target)


@function
def z_loss(logits: Node) -> Node:
    """(log Σ e^z)² along the last axis, which keeps logits near 0 (Chowdhery et al. 2022)."""
    return build.logsumexp(logits, -1) ** 2


@function
def js_divergence(p: Node, q: Node, axis: int = -1) -> Node:
    """½KL(p, m) + ½KL(q, m) with m = (p + q)/2, along an axis, for distributions."""
    middle = whole((p + q) / 2)
    both = p * (log(p) - log(middle)) + q * (log(q) - log(middle))
    return build.reduce_sum(both, axis) / 2


@known(target=1)
@function
def focal(logits: Node, target: Operand, alpha: Operand = 0.25, gamma: Operand = 2) -> Node:
    """α_y·(1 − p_y)^γ·BCE of logits, for targets y of 0 and 1 (Lin et al. 2017)."""
    graph = logits.graph
    if isinstance(target, Node) and target.kind == INT and _are_classes(target, logits):
        shown, y = label(logits), label(target)
        raise ShapeError(f"focal takes a 0 or 1 for every logit, and {y} are classes: write one_hot({y}, "
                         f"{logits.shape[-1]}) for a sigmoid of each class; that of a softmax is "
                         f"(1 - exp(-c))**2 * c with c = cross_entropy({shown}, {y})")
    p, share = whole(sigmoid(logits)), graph.lift(alpha)
    wrong = p * (1 - target) + (1 - p) * target
    weight = share * target + (1 - share) * (1 - target)
    return weight * wrong ** graph.lift(gamma) * graph.call("logit_loss", logits, target)


def _are_classes(target: Node, logits: Node) -> bool:
    """Whether there is one whole number for all logits along the last axis, and not one for each."""
    fits = target.ndim + 1 == logits.ndim and same_shape(target.shape, logits.shape[:-1])
    return fits and not (target.ndim and same(target.shape[-1], logits.shape[-1]))


@function
def margin_ranking(a: Node, b: Node, target: Operand, margin: Operand = 0) -> Node:
    """max(0, −y·(a − b) + margin): a is to be larger where y = 1, b where y = −1."""
    return relu(margin - target * (a - b))


@function
def triplet(anchor: Node, positive: Node, negative: Node, margin: Operand = 1, axis: int = -1) -> Node:
    """max(0, ‖anchor − positive‖ − ‖anchor − negative‖ + margin), norms along an axis."""
    return relu(norm(anchor - positive, axis) - norm(anchor - negative, axis) + margin)


@function
def cosine_embedding(a: Node, b: Node, target: Node, margin: Operand = 0) -> Node:
    """1 − cos(a, b) where y = 1, max(0, cos(a, b) − margin) where y = −1, along the last axis."""
    cos = whole(cosine_similarity(a, b))
    return cos.graph.call("where", cos.graph.call("greater", target, 0), 1 - cos, relu(cos - margin))


@function
def gaussian_nll(mu: Node, target: Operand, variance: Node, eps: Operand = 1e-6) -> Node:
    """½(log v + (y − mu)²/v) with v = max(variance, eps), without the constant ½ log 2π."""
    v = whole(maximum(variance, eps))
    return (log(v) + (mu - target) ** 2 / v) / 2


@function
def poisson_nll(log_rate: Node, target: Operand) -> Node:
    """e^z − y·z for the logarithm z of the rate, without log y!."""
    return exp(log_rate) - target * log_rate


@known(asks=((0, 0), (0, 0)))
@function
def cdist(a: Node, b: Node, order: Operand = 2) -> Node:
    """The distance of every row of a, …×M×D, from every row of b, …×N×D: …×M×N."""
    return norm(build.expand(a, a.ndim - 1) - build.expand(b, b.ndim - 2), axis=-1, order=order)


@function
def ctc(log_probabilities: Node, target: Node, blank: int = 0, input_lengths: Node | None = None,
        target_lengths: Node | None = None, reduction: str = "none", zero_infinity: bool = False) -> Node:
    """−log of the probability of a label sequence, over all its alignments (Graves et al. 2006): T×…×C log
    probabilities and …×U class indices, none the blank. Lengths, integers for every sequence of the batch, say how
    many of the T steps and U labels count: else all. As in PyTorch "mean" divides every loss by its number of
    labels, at least 1, before it takes the mean; a loss without any alignment is infinite, or 0 with
    ``zero_infinity``, and has the gradient 0 either way.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ShapeError(f"reduction of ctc is none, mean or sum, not {reduction!r}")
    batch, size = _sequences(log_probabilities, target, input_lengths, target_lengths)
    graph, wide = target.graph, 2 * size + 1
    blanks = graph.full(blank, (*batch, size, 1), target.kind)
    pairs = build.concat([blanks, build.expand(target, -1)], -1)
    labels = build.concat([build.reshape(pairs, (*batch, 2 * size)), graph.full(blank, (*batch, 1), target.kind)], -1)
    everywhere = graph.broadcast(build.expand(labels, 0), (log_probabilities.shape[0], *batch, wide))
    seen = build.take_along(log_probabilities, everywhere, -1)
    last = _alignments(seen, labels, input_lengths, blank)
    count = size if target_lengths is None else build.expand(target_lengths, -1)
    place = build.arange(graph, wide)
    ends = graph.call("greater_equal", place, 2 * count - 1) * graph.call("less_equal", place, 2 * count)
    each = whole(-build.logsumexp(graph.call("where", ends, last, NEVER), -1))
    each = graph.call("where", graph.call("less", each, -NEVER / 10), each, 0 if zero_infinity else sp.oo)
    if reduction == "mean":
        return mean(each / graph.call("maximum", size if target_lengths is None else target_lengths, 1))
    return build.reduce_sum(each) if reduction == "sum" else each


def _sequences(logs: Node, target: Node, *lengths: Node | None) -> tuple[Shape, Dim]:
    """The batch of a CTC loss, and how many labels a sequence has at most."""
    batch = logs.shape[1:-1]
    if not logs.ndim > 1 or not target.ndim or not same_shape(target.shape[:-1], batch):
        wanted = shape_text((*batch, sp.Symbol("U")))
        raise ShapeError(f"ctc takes log probabilities T x … x C and class indices … x U: {label(logs)} is "
                         f"{shape_text(logs.shape)}, {label(target)} {shape_text(target.shape)}, not {wanted}")
    for length in lengths:
        if length is not None and (length.kind == FLOAT or not same_shape(length.shape, batch)):
            raise ShapeError(f"ctc takes an integer length for every sequence: {label(length)} is not integer data of "
                             f"shape {shape_text(batch)}")
    return batch, target.shape[-1]


def _alignments(seen: Node, labels: Node, lengths: Node | None, blank: int) -> Node:
    """log α of Graves et al. (2006), equation 6, after the last step: of labels with blanks between them, along the
    last axis, from their log probabilities at every step. Before the first step everything is at a blank before the
    first, from where a first step goes on as any later one does."""
    graph, rows = seen.graph, seen.shape[1:]

    def earlier(row: Node, fill: int | sp.Integer) -> list[Node]:
        """What stands one place before, and two, behind some of what nothing stands before."""
        padded = build.concat([graph.full(fill, (*rows[:-1], 2), row.kind), row], -1)
        return [build.slice_axis(padded, -1, start, rows[-1]) for start in (1, 0)]

    def step(carry: tuple[Node, ...], elements: tuple[Node, ...]) -> tuple[Node, tuple[()]]:
        (row,), (now, *time) = carry, elements
        before, second = earlier(row, NEVER)
        ways = [row, before, graph.call("where", jump, second, NEVER)]
        after = build.logsumexp(build.concat([build.expand(x, 0) for x in ways], 0), 0) + now
        if lengths is None:
            return after, ()
        return graph.call("where", graph.call("less", time[0], build.expand(lengths, -1)), after, row), ()

    jump = graph.call("not_equal", labels, earlier(labels, blank)[1])
    start = build.concat([graph.full(0, (*rows[:-1], 1)), graph.full(NEVER, (*rows[:-1], rows[-1] - 1))], -1)
    steps = () if lengths is None else (build.arange(graph, seen.shape[0]),)
    (last,), _ = scan(step, start, (seen, *steps), names=("alpha",))
    return last
