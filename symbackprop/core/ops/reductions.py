"""Reductions: sum, max, and the stable pair logsumexp and softmax, each the other's derivative."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from operator import neg
from typing import Any

import sympy as sp

from symbackprop.core import build, selection
from symbackprop.core import formula as f
from symbackprop.core import maths as m
from symbackprop.core.accumulate import divided
from symbackprop.core.entry import (
    RESULT,
    At,
    Fold,
    Folded,
    Indices,
    Jacobian,
    Letter,
    Term,
    Terms,
    letters,
    on_axis,
    term,
)
from symbackprop.core.graph import Node
from symbackprop.core.hazards import Hazards
from symbackprop.core.ops.views import flip
from symbackprop.core.registry import Cotangents, Op, Sample, register
from symbackprop.core.roles import Role
from symbackprop.core.scalars import FLAT_ROOT, TIES
from symbackprop.core.shapes import (
    ONE,
    Axis,
    Shape,
    is_one,
    normalise_axes,
    normalise_axis,
    same_shape,
    shape_text,
)
from symbackprop.errors import ShapeError


def _infer(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    axes, keepdims = attr
    return build.reduced_shape(args[0].shape, axes, keepdims), "float"


def _spread(g: Node, output: Node) -> Node:
    """A reduced row with its axes back as size 1, so that it broadcasts against the argument, as a scalar does."""
    axes, keepdims = output.attr
    if keepdims or not g.ndim:
        return g
    return build.reshape(g, tuple(ONE if i in axes else d for i, d in enumerate(output.args[0].shape)))


def axis_options(axes: Sequence[int], rank: int, keepdims: bool) -> dict[str, Any]:
    """``axis=`` and ``keepdims=`` as they need to be written; nothing for a full reduction."""
    options: dict[str, Any] = {}
    if len(axes) < rank or (keepdims and rank > 1):
        last = axes[0] - rank if len(axes) == 1 and axes[0] == rank - 1 and rank > 1 else axes[0]
        options["axis"] = last if len(axes) == 1 else tuple(axes)
    if keepdims:
        options["keepdims"] = True
    return options


def _spread_index(attr: Any, shape: Shape, index: Indices, reduced: Indices) -> Indices:
    """The index of an argument's entry, from that of the result and the places along the reduced axes."""
    axes, keepdims = attr
    kept = iter([i for k, i in enumerate(index) if not (keepdims and k in axes)])
    along = iter(reduced)
    return tuple([next(along) if k in axes else next(kept) for k in range(len(shape))])


def _entry_sum(attr: Any, shapes: Sequence[Shape], index: Indices) -> Terms:
    over = letters([shapes[0][k] for k in sorted(attr[0])])
    return [term(At(0, _spread_index(attr, shapes[0], index, over)), summed=over)]


def _slope(form: f.Formula) -> Jacobian:
    """∂out/∂a where an entry of the result and one of the argument have the indices of the kept axes in common; the
    formula is over the two."""

    def entries(attr: Any, shapes: Sequence[Shape], index: Indices, wanted: Indices) -> Terms:
        axes = attr[0]
        same = _spread_index(attr, shapes[0], index, tuple([wanted[k] for k in sorted(axes)]))
        ties = tuple([(i, j) for k, (i, j) in enumerate(zip(same, wanted, strict=True)) if k not in axes])
        return [Term((At(0, wanted), At(RESULT, index)), form, (), ties)]

    return entries


def _fold(inner: f.Formula, form: f.Formula) -> Fold:
    """A formula of the sum, over the axes, of a formula of each entry."""

    def folded(attr: Any, shapes: Sequence[Shape], index: Indices) -> Folded:
        over = letters([shapes[0][k] for k in sorted(attr[0])])
        each = At(0, _spread_index(attr, shapes[0], index, over))
        return Folded((), Term((each,), inner, tuple([x for x in over if isinstance(x, Letter)])), form)

    return folded


def _fold_softmax(axis: int, shapes: Sequence[Shape], index: Indices) -> Folded:
    """e^(a_c) over the sum of all of them."""
    (along,), e = letters([shapes[0][axis]]), f.call("exp", f.Arg(0))
    summed = (along,) if isinstance(along, Letter) else ()
    return Folded((At(0, index),), Term((At(0, on_axis(index, axis, along)),), e, summed), e / f.Arg(1))


def _show(name: str) -> Any:
    def show(node: Node, args: Sequence[m.Math]) -> m.Math:
        axes, keepdims = node.attr
        return m.called(name, *args, **axis_options(axes, node.args[0].ndim, keepdims))

    return show


register(Op(
    name="sum",
    role=Role.SUM,
    signature="sum(a, axis=, keepdims=)",
    shape_rule="without the axes (size 1 with keepdims)",
    derivative="upstream broadcast over the axes",
    title="sum",
    rule=("every term gets the gradient of the sum",),
    domain="any floats",
    infer=_infer,
    vjp=lambda output, upstream, *_: (output.graph.broadcast(_spread(upstream, output), output.args[0].shape),),
    show=_show("sum"),
    entry=_entry_sum,
    reference=lambda np, attr, a: np.sum(a, axis=attr[0], keepdims=attr[1]),
    samples=(Sample(((2, 3),), ((1,), False)), Sample(((2, 3),), ((0, 1), False)), Sample(((2, 3),), ((0,), True))),
))


def _vjp_max(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """Upstream goes to the largest entries, in equal shares when several are largest."""
    (a,), (axes, _), g = output.args, output.attr, _spread(upstream, output)
    mask = a.graph.call("equal", a, _spread(output, output))
    share = mask / build.reduce_sum(mask, axes, keepdims=True)
    return (selection.where_met(g * share, lambda: g, idle, a),)


register(Op(
    name="max",
    role=Role.LARGEST,
    signature="max(a, axis=, keepdims=)",
    shape_rule="without the axes (size 1 with keepdims)",
    derivative="upstream to the largest entry, in equal shares to equal ones",
    title="max",
    rule=("the largest entry gets the gradient, equal ones in equal shares",),
    domain="any floats",
    convention="equal largest entries share the gradient equally",
    kink=(TIES,),
    infer=_infer,
    vjp=_vjp_max,
    selects=True,
    show=_show("max"),
    jacobian=_slope(f.call("equal", f.Arg(0), f.Arg(1))),
    gaps=lambda np, attr, a: a - np.max(a, axis=attr[0], keepdims=True),
    reference=lambda np, attr, a: np.max(a, axis=attr[0], keepdims=attr[1]),
    samples=(Sample(((2, 3),), ((1,), False)), Sample(((4,),), ((0,), False)), Sample(((2, 3),), ((0,), True))),
    chooses=True,
))


def _reference_norm(np: Any, attr: Any, a: Any) -> Any:
    """√Σ a², the entries over the largest one so that no square over- or underflows."""
    axes, keepdims = attr
    top = np.max(np.abs(np.real(a)), axis=axes, keepdims=True, initial=0)
    scale = np.where(np.isfinite(top) & (top > 0), top, 1.0)
    total = np.sqrt(np.sum((a / scale) ** 2, axis=axes, keepdims=True)) * scale
    return total if keepdims else np.squeeze(total, axis=axes)


def _vjp_norm(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """∂‖a‖/∂a is a/‖a‖, and 0 where a is 0."""
    (a,), multiple = output.args, divided(upstream, output)
    if multiple is None:
        rows = [_spread(upstream, output), a, _spread(output, output)]
        row = a.graph.arithmetic(f.mul(f.Arg(0), f.call("ratio", f.Arg(1), f.Arg(2))), rows)
    else:
        row = _spread(multiple, output) * a
    return (selection.where_met(row, lambda: _spread(upstream, output), idle, a),)


def _show_norm(node: Node, args: Sequence[m.Math]) -> m.Math:
    axes, keepdims = node.attr
    return m.Bars(*args) if len(axes) == node.args[0].ndim and not keepdims else _show("norm")(node, args)


register(Op(
    name="norm",
    role=Role.NORM,
    means=(m.called("norm", m.X), " is the root of the sum of the squares along the axes"),
    signature="norm(a, axis=, keepdims=)",
    shape_rule="without the axes (size 1 with keepdims)",
    derivative="upstream * a / norm(a)",
    rule=(m.Relation(m.Derivative(m.Bars(m.Sym("x")), m.Sym("x")), "=", m.Frac(m.Sym("x"), m.Bars(m.Sym("x")))),),
    domain="any floats; squares that over- or underflow do no harm",
    convention="the gradient at 0 is 0, the shortest subgradient",
    kink=(FLAT_ROOT,),
    range=(0.0, inf),
    infer=_infer,
    vjp=_vjp_norm,
    show=_show_norm,
    jacobian=_slope(f.call("ratio", f.Arg(0), f.Arg(1))),
    folded=_fold(f.Arg(0) ** 2, f.call("sqrt", f.Arg(0))),
    gaps=_reference_norm,
    singular=True,
    reference=_reference_norm,
    samples=(Sample(((2, 3),), ((1,), False)), Sample(((2, 3),), ((0,), True)), Sample(((2, 3),), ((0, 1), False))),
))


def _exp_at(letter: m.Letter) -> m.Math:
    return m.Fn("exp", (m.at(m.Z, letter),), spelled=True)


EXPONENTIALS = m.Big("sum", ("k",), _exp_at(m.K))


def _exponentials(np: Any, a: Any, axes: Any) -> tuple[Any, Any]:
    """e^(a − top) and top, the maximum; an infinite maximum is not shifted by."""
    top = np.max(a, axis=axes, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0.0)
    return np.exp(a - shift), shift


def _reference_logsumexp(np: Any, attr: Any, a: Any) -> Any:
    """log Σ exp; −∞ where there is nothing to add."""
    axes, keepdims = attr
    e, shift = _exponentials(np, a, axes)
    total = np.log(np.sum(e, axis=axes, keepdims=True)) + shift
    return total if keepdims else np.squeeze(total, axis=axes)


def _vjp_logsumexp(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """∂ log Σ e^a / ∂a is softmax(a): the row that a model with probabilities already has."""
    (a, *s), (axes, _), g = output.args, output.attr, _spread(upstream, output)
    p = build.softmax(a, axes) if len(axes) == 1 else build.shares(sum(map(neg, s), a), _spread(output, output))
    return (selection.where_met(g * p, lambda: g, idle, a),)


register(Op(
    name="logsumexp",
    means=(m.equal(m.called("logsumexp", m.Z), m.Fn("log", (EXPONENTIALS,))),),
    signature="logsumexp(a, axis=, keepdims=)",
    shape_rule="without the axes (size 1 with keepdims)",
    derivative="upstream * softmax(a)",
    rule=("the gradient of logsumexp is softmax",),
    domain="any floats; stable for large entries",
    infer=_infer,
    vjp=_vjp_logsumexp,
    show=_show("logsumexp"),
    jacobian=_slope(f.call("exp", f.Arg(0) - f.Arg(1))),
    folded=_fold(f.call("exp", f.Arg(0)), f.call("log", f.Arg(0))),
    reference=_reference_logsumexp,
    samples=(Sample(((2, 3),), ((1,), False)), Sample(((2, 3),), ((0,), True)), Sample(((2, 3),), ((0, 1), False))),
    logarithm=True,
    reads="z",
))


def _reference_shift(np: Any, axes: Any, a: Any) -> Any:
    top = np.max(np.real(a), axis=axes, keepdims=True, initial=-inf)
    return np.where(np.isfinite(top), top, 0.0)


register(Op(
    name="shift",
    role=Role.SHIFT,
    means="is the largest entry along the axis, held constant; 0 where that is infinite",
    signature="shift(a, axis=)",
    shape_rule="with size 1 along the axes",
    derivative="0: it is held constant",
    title="held constant",
    rule=("no gradient passes",),
    domain="any floats; what exponentials are taken of is shifted by it",
    held=True,
    infer=lambda axes, args: (build.reduced_shape(args[0].shape, axes, keepdims=True), "float"),
    vjp=lambda *_: (None,),
    show=lambda node, args: m.called("shift", *args, **axis_options(node.attr, node.args[0].ndim, False)),
    jacobian=lambda *_: [],
    reference=_reference_shift,
    samples=(Sample(((2, 3),), (1,)), Sample(((2, 3),), (0, 1)), Sample(((4,),), (0,))),
    gives="top",
))


def _vjp_shifted(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """∂ log Σ e^(a − s) / ∂a is softmax(a), as without s."""
    back = build.reshape(-upstream, output.args[1].shape) if wanted[1] else None
    return (*_vjp_logsumexp(output, upstream, wanted, idle), back)


def _slope_shifted(attr: Any, shapes: Sequence[Shape], index: Indices, wanted: Indices) -> Terms:
    """e^(a − s − result), of an entry of a."""
    (whole,) = _slope(f.call("exp", f.Arg(0) - f.Arg(1)))(attr, shapes, index, wanted)
    s = tuple([sp.S.Zero if k in attr[0] else i for k, i in enumerate(wanted)])
    entries = (At(0, wanted), At(1, s), At(RESULT, index))
    return [Term(entries, f.call("exp", f.Arg(0) - f.Arg(1) - f.Arg(2)), (), whole.ties)]


def _reference_shifted(np: Any, attr: Any, a: Any, s: Any) -> Any:
    axes, keepdims = attr
    total = np.log(np.sum(np.exp(a - s), axis=axes, keepdims=True))
    return total if keepdims else np.squeeze(total, axis=axes)


register(Op(
    name="shifted_logsumexp",
    means="is the logarithm of the sum of the exponentials of the first less the second",
    signature="shifted_logsumexp(a, s, axis=, keepdims=)",
    shape_rule="without the axes (size 1 with keepdims), which s has with size 1",
    derivative="upstream * softmax(a), and -upstream",
    rule=("the gradient of logsumexp is softmax",),
    domain="any floats, none much larger than s",
    infer=_infer,
    vjp=_vjp_shifted,
    show=lambda node, args: _show("logsumexp")(node, [m.minus(*args)]),
    written=_show("shifted_logsumexp"),
    jacobian=_slope_shifted,
    reference=_reference_shifted,
    samples=(Sample(((2, 3), (2, 1)), ((1,), False)), Sample(((2, 3), (1, 3)), ((0,), True))),
    logarithm=True,
    gives="log_total",
))


def _vjp_softmax(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """p ⊙ (upstream − Σ upstream ⊙ p). An entry meets the upstream gradient of all that it is normalised with."""
    row = output * (upstream - build.reduce_sum(upstream * output, output.attr, keepdims=True))
    size = partial(build.reduce_sum, keepdims=True, axis=output.attr)
    return (selection.where_met(row, lambda: size(output.graph.call("abs", upstream)), idle, output.args[0]),)


def _slope_softmax(axis: int, shapes: Sequence[Shape], index: Indices, wanted: Indices) -> Terms:
    """p_K·1[K = T] − p_K·p_T, both in one row along the axis."""
    ties = tuple(zip(index, wanted, strict=True))
    own, other = At(RESULT, index), At(RESULT, on_axis(index, axis, wanted[axis]))
    others = ties[:axis] + ties[axis + 1 :]
    return [Term((own,), f.Arg(0), (), ties), Term((own, other), -(f.Arg(0) * f.Arg(1)), (), others)]


def _reference_softmax(np: Any, axis: int, a: Any) -> Any:
    e, _ = _exponentials(np, a, axis)
    total = np.sum(e, axis=axis, keepdims=True)
    return e / np.where(total == 0, 1.0, total)


def _softmax_rule() -> m.Math:
    """p ⊙ (δ − δᵀ p)."""
    n = (sp.Symbol("n"),)
    p, upstream = m.Sym("p", n), m.Shaped(m.Delta(), n)
    return m.Prod((p, m.Sum(((False, upstream), (True, m.MatMul(m.Transpose(upstream), p))))))


register(Op(
    name="softmax",
    means=(m.equal(m.at(m.called("softmax", m.Z), m.C), m.Frac(_exp_at(m.C), EXPONENTIALS)),),
    signature="softmax(a, axis=-1)",
    shape_rule="the shape of a",
    derivative="p * (upstream - sum(upstream * p))",
    title="softmax",
    rule=(_softmax_rule(),),
    domain="any floats; stable for large entries",
    range=(0.0, 1.0),
    infer=lambda axis, args: (args[0].shape, "float"),
    vjp=_vjp_softmax,
    show=lambda node, args: m.called("softmax", *args, **({} if node.attr == node.ndim - 1 else {"axis": node.attr})),
    jacobian=_slope_softmax,
    folded=_fold_softmax,
    reference=_reference_softmax,
    samples=(Sample(((2, 3),), 1), Sample(((3, 2),), 0), Sample(((4,),), 0)),
    distribution=True,
    symmetric=True,
    gives="p",
    reads="z",
))


# -- products and recurrences
def _shifted(a: Node, axis: int) -> Node:
    """The entries one place further along an axis, 0 at the first one."""
    size = a.shape[axis]
    return a if size == 0 else build.pad_axis(build.slice_axis(a, axis, 0, size - 1), axis, 1, size)


def cumprod(a: Node, axis: int = 0) -> Node:
    """Running products along an axis."""
    place = normalise_axis(axis, a.ndim)
    if a.shape[place] == 0:
        return a
    return recurrence(a, build.pad_axis(build.slice_axis(a, place, 0, 1), place, 0, a.shape[place]), place)


def _product_before(a: Node, axis: int) -> Node:
    """The products of all entries before each one along an axis; 1 at the first."""
    if a.shape[axis] == 0:
        return a
    first = a.graph.full(1, (*a.shape[:axis], ONE, *a.shape[axis + 1 :]))
    return recurrence(_shifted(a, axis), build.pad_axis(first, axis, 0, a.shape[axis]), axis)


def _vjp_prod(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
    """Each entry gets the product of the others, which is no quotient: entries may be 0."""
    (a,), axis = output.args, output.attr
    behind = flip(_product_before(flip(a, axis), axis), axis)
    row = build.expand(upstream, axis) * _product_before(a, axis) * behind
    return (selection.where_met(row, lambda: build.expand(upstream, axis), idle, a),)


def _slope_prod(axis: int, shapes: Sequence[Shape], index: Indices, wanted: Indices) -> Terms:
    ties = tuple(zip(index, on_axis(wanted, axis), strict=True))
    return [Term((At(0, wanted), At(RESULT, index)), f.Arg(1) / f.Arg(0), (), ties)]


def prod(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The product of entries along axes; each gets the product of the others, whichever of them are 0."""
    axes = normalise_axes(axis, a.ndim)
    row = a
    for k in reversed(axes):
        row = build.squeeze(row, k) if is_one(row.shape[k]) else row.graph.make("prod", (row,), k)
    return build.reshape(row, build.reduced_shape(a.shape, axes, keepdims))


register(Op(
    name="prod",
    role=Role.PRODUCT,
    means="is the product of the entries along the axis",
    signature="prod(a, axis=)",
    shape_rule="without the axes (size 1 with keepdims)",
    derivative="upstream * the product of the other entries",
    title="product",
    rule=("each entry gets the product of the others",),
    domain="any floats",
    infer=lambda axis, args: (build.reduced_shape(args[0].shape, (axis,), False), "float"),
    vjp=_vjp_prod,
    show=lambda node, args: m.called("prod", *args, axis=node.attr),
    jacobian=_slope_prod,
    reference=lambda np, axis, a: np.prod(a, axis=axis),
    samples=(Sample(((2, 3),), 1), Sample(((3, 2),), 0), Sample(((4,),), 0)),
    functions=(prod, cumprod),
))


def recurrence(a: Node, b: Node, axis: int = 0) -> Node:
    """The s with s_t = a_t·s_(t−1) + b_t along an axis, from 0: running products, discounted sums, linear filters."""
    place = normalise_axis(axis, a.ndim)
    return a.graph.make("recurrence", (a, b), place)


def _infer_recurrence(axis: int, args: tuple[Node, ...]) -> tuple[Shape, str]:
    a, b = args
    if not same_shape(a.shape, b.shape):
        raise ShapeError(f"recurrence: {shape_text(a.shape)} and {shape_text(b.shape)} differ")
    return b.shape, "float"


def _vjp_recurrence(output: Node, upstream: Node, *_: object) -> Cotangents:
    """The same recurrence from behind, by the next factor: r_t = δ_t + a_(t+1)·r_(t+1)."""
    axis, a = output.attr, output.args[0]
    next_one = a if a.value is not None else _shifted(flip(a, axis), axis)  # r_T is its δ, whatever a_(T+1) is
    right = flip(recurrence(next_one, flip(upstream, axis), axis), axis)
    return right * _shifted(output, axis), right


def _reference_recurrence(np: Any, axis: int, a: Any, b: Any) -> Any:
    out, state = [], 0.0
    for x, y in zip(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0), strict=True):
        state = x * state + y
        out.append(state)
    return np.moveaxis(np.stack(out), 0, axis)


register(Op(
    name="recurrence",
    means="is what each step along the axis gives: the first times what the step before gave, plus the second",
    signature="recurrence(a, b, axis=)",
    shape_rule="the shape of a and of b",
    derivative="b: r with r_t = upstream_t + a_(t+1) * r_(t+1); a: r_t * s_(t-1)",
    title="recurrence",
    rule=("the gradient runs through the same recurrence from behind",),
    domain="any floats",
    infer=_infer_recurrence,
    vjp=_vjp_recurrence,
    show=lambda node, args: (m.called("cumsum", args[1], axis=node.attr) if node.args[0].value == 1 else
                             m.called("recurrence", *args, axis=node.attr)),
    no_entry="an entry is a sum of ever longer products",
    reference=_reference_recurrence,
    samples=(Sample(((4,), (4,)), 0), Sample(((2, 3), (2, 3)), 1)),
    functions=(recurrence,),
))
