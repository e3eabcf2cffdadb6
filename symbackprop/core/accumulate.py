"""Adding cotangents where branches meet, and cancelling what an upstream gradient and a local derivative share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.calculus import from_sympy, unguarded
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy


def total(parts: Sequence[Node]) -> Node:
    """The sum of the contributions, in the order they came; a common factor is written once."""
    result = parts[0]
    for part in parts[1:]:
        result = _plus(result, part)
    return result


def _plus(a: Node, b: Node) -> Node:
    """a + b; c·u ± c·v becomes c·(u ± v) and −u + v becomes v − u, so that softmax and one-hot meet as (p − y)/N."""
    ca, fa = _scaled(a)
    cb, fb = _scaled(b)
    g = a.graph
    if ca == -1 and not f.is_negative(cb):
        return b - g.arithmetic(fa, a.args)
    if ca == 1 or ca == -1 or (ca != cb and ca != -cb):
        return a + b
    left, right = g.arithmetic(fa, a.args), g.arithmetic(fb, b.args)
    if ca == cb:
        combined, factor = left + right, ca
    else:
        combined, factor = (right - left, cb) if f.is_negative(ca) else (left - right, ca)
    scaled: Node = combined * factor
    return scaled


def _scaled(node: Node) -> tuple[sp.Expr, f.Formula]:
    """The coefficient in front of an unnamed arithmetic row and the rest of its formula."""
    if not _is_free(node) or node.attr.head is not None:
        return sp.S.One, f.ONE
    return f.split_sign(node.attr.form)


def _is_free(node: Node) -> bool:
    """Whether a row's formula may be taken apart: it is nobody's operand by name."""
    return isinstance(node.attr, Kernel) and not node.whole


MAX_CANCEL = 30


def cancelled(upstream: Node, output: Node, index: int) -> Node | None:
    """upstream·f' when the product is much shorter than its factors, as (−y/p + (1−y)/(1−p))·p(1−p) = p − y; else None.

    Only looks at a quotient in the row's own output against a derivative in that output: one small kernel.
    """
    if output.attr.head == "root":
        whole = divided(upstream, output)
        return None if whole is None else whole / 2
    if output.attr.head == "exp":
        return _times(upstream, output)
    if not _may_cancel(upstream, output, index):
        return None
    place = next(i for i, a in enumerate(upstream.args) if a is output)
    form = _shortened(upstream.attr.form, output.attr.partial(index), place)
    return None if form is None else output.graph.arithmetic(form, upstream.args)


def divided(upstream: Node, output: Node) -> Node | None:
    """upstream/output where the unnamed upstream is a multiple of the output: for a norm n, 2n of n² becomes 2, which
    can be differentiated at 0, as 2n·(1/n) cannot."""
    place = _place(upstream, output)
    if place is None:
        return None
    quotient = f.div(upstream.attr.form, f.Arg(place))
    return None if isinstance(quotient, f.Div) else output.graph.arithmetic(quotient, upstream.args)


def _times(upstream: Node, output: Node) -> Node | None:
    """upstream·output where the upstream gradient is divided by the output, which may be infinite: −1/e² → −1/e."""
    place = _place(upstream, output)
    if place is None or not f.has_quotient(upstream.attr.form):
        return None
    product = f.mul(upstream.attr.form, f.Arg(place))
    shorter = f.size(product) < f.size(upstream.attr.form)
    return output.graph.arithmetic(product, upstream.args) if shorter else None


def _place(upstream: Node, output: Node) -> int | None:
    """Where unnamed arithmetic reads the output."""
    if upstream.name is not None or not isinstance(upstream.attr, Kernel) or upstream.attr.head is not None:
        return None
    return next((i for i, a in enumerate(upstream.args) if a is output), None)


@cache
def _shortened(factor: f.Formula, local: f.Formula, place: int) -> f.Formula | None:
    """factor·local, Out in ``local`` standing for Arg(place), when what is left has half the size and no quotient."""
    product = unguarded(to_sympy(factor)) * to_sympy(local, out=PLACEHOLDERS[place])
    short = sp.factor_terms(sp.cancel(product))
    if sp.count_ops(short) * 2 > sp.count_ops(product) or sp.fraction(short)[1].has(*PLACEHOLDERS):
        return None
    return from_sympy(short)


def _may_cancel(upstream: Node, output: Node, index: int) -> bool:
    return (
        isinstance(upstream.attr, Kernel)
        and upstream.attr.head is None
        and output.attr.head is not None
        and f.size(upstream.attr.form) <= MAX_CANCEL
        and any(a is output for a in upstream.args)
        and f.has_quotient(f.written(upstream.attr.form))
        and not f.arguments(output.attr.partial(index))
    )
