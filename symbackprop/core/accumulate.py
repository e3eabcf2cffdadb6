"""Adding cotangents where branches meet, and cancelling what an upstream gradient and a local derivative share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from typing import TypeAlias

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.calculus import from_sympy, unguarded
from symbackprop.core.facts import is_padded
from symbackprop.core.graph import Node
from symbackprop.core.kernel import renumbered
from symbackprop.core.operators import Terms
from symbackprop.core.roles import Role
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy
from symbackprop.core.shapes import same

Term: TypeAlias = tuple[f.Formula, tuple[int, ...]]  # and the rows that it is over


def total(parts: Sequence[Node]) -> Node:
    """The sum of the contributions, in the order they came; a common factor is written once. Where no terms are alike,
    all but the first two are added as they are, at once."""
    if len(parts) == 1:
        return parts[0]
    parts = joined(parts)
    terms = [term for part in parts for term in _terms(part)] if len(parts) > 2 else []
    if len({*terms}) < max(len(terms), 3) or _meet(*[_scaled(part)[0] for part in parts[:2]]):
        return reduce(_plus, parts)
    return reduce(lambda found, part: found.plus("+", part), parts[1:], Terms(parts[0])).made()


def joined(parts: Sequence[Node]) -> Sequence[Node]:
    """pad(a, 0) + pad(b, |a|) + … = concat(a, b, …) where the places follow each other and fill the axis: what is added
    elsewhere is 0. The gradients of the gates that are cut from one array of pre-activations."""
    rows: list[Node | None] = [*parts]
    for axis in dict.fromkeys([p.attr[0] for p in parts if is_padded(p)]):
        left = _places(parts, axis)
        while chain := _chain(parts, left, axis):
            rows[chain[0]] = build.rejoined([parts[k].args[0] for k in chain], axis)
            for k in chain[1:]:
                rows[k] = None
    return [row for row in rows if row is not None]


def _places(parts: Sequence[Node], axis: int) -> dict[sp.Expr, list[int]]:
    """The places of pads along an axis, the last of them first, by the entry where they begin."""
    found = dict[sp.Expr, list[int]]()
    for k, p in reversed([*enumerate(parts)]):
        if is_padded(p) and p.attr[0] == axis and p.attr[3] == 1:
            found.setdefault(sp.expand(p.attr[1]), []).append(k)
    return found


def _chain(parts: Sequence[Node], left: dict[sp.Expr, list[int]], axis: int) -> list[int]:
    """The places of pads in the order in which they fill an axis, the first that are left; none where they do not."""
    end, found = sp.S.Zero, list[int]()
    while left.get(end):
        found.append(left[end].pop())
        end = sp.expand(end + parts[found[-1]].args[0].shape[axis])
    return found if found and same(end, parts[found[0]].shape[axis]) else []


def _terms(row: Node) -> list[Term]:
    """What a row is in a sum, and the terms that it adds, without the numbers in front; twice what has a weight, beside
    which others may be written."""
    found: list[Term] = [(f.Arg(0), (row.id,))]
    for term in () if row.arithmetic is None or row.whole else f.summands(row.arithmetic):
        rest = f.split_sign(term)[1]
        order = f.arguments(rest)
        key = renumbered(rest, order), tuple([row.args[i].id for i in order])
        found += [key] if f.weight_of(rest) is None else [key, key]
    return found


def _meet(first: sp.Expr, second: sp.Expr) -> bool:
    """Whether the sum of two terms is written otherwise, by the numbers in front of them."""
    return not f.is_negative(second) if first == -1 else first != 1 and first in (second, -second)


def _plus(a: Node, b: Node) -> Node:
    """a + b; c·u ± c·v becomes c·(u ± v) and −u + v becomes v − u, so that softmax and one-hot meet as (p − y)/N."""
    ca, fa = _scaled(a)
    cb, fb = _scaled(b)
    g = a.graph
    if not _meet(ca, cb):
        return a + b
    if ca == -1:
        return b - g.arithmetic(fa, a.args)
    left, right = g.arithmetic(fa, a.args), g.arithmetic(fb, b.args)
    if ca == cb:
        combined, factor = left + right, ca
    else:
        combined, factor = (right - left, cb) if f.is_negative(ca) else (left - right, ca)
    scaled: Node = combined * factor
    return scaled


def _scaled(node: Node) -> tuple[sp.Expr, f.Formula]:
    """The coefficient in front of an unnamed arithmetic row and the rest of its formula."""
    return (sp.S.One, f.ONE) if node.arithmetic is None or node.whole else f.split_sign(node.arithmetic)


MAX_CANCEL = 30


def cancelled(upstream: Node, output: Node, index: int) -> Node | None:
    """upstream·f' when the product is much shorter than its factors, as (−y/p + (1−y)/(1−p))·p(1−p) = p − y; else None.

    Only looks at a quotient in the row's own output against a derivative in that output: one small kernel.
    """
    form, place = _over(upstream, output)
    if form is None or output.head is None:
        return None
    if output.role is Role.FLAT_ROOT:
        whole = divided(upstream, output)
        return None if whole is None else whole / 2
    if not f.has(f.written(form), f.Div):
        return None
    if output.function is not None and output.function.exponential:  # which may be infinite: −1/e² → −1/e
        product = f.mul(form, f.Arg(place))
        return output.graph.arithmetic(product, upstream.args) if f.size(product) < f.size(form) else None
    slope = output.attr.partial(index)
    short = None if f.arguments(slope) or f.size(form) > MAX_CANCEL else _shortened(form, slope, place)
    return None if short is None else output.graph.arithmetic(short, upstream.args)


def divided(upstream: Node, output: Node) -> Node | None:
    """upstream/output where the unnamed upstream is a multiple of the output: for a norm n, 2n of n² becomes 2, which
    can be differentiated at 0, as 2n·(1/n) cannot."""
    form, place = _over(upstream, output)
    if form is None:
        return None
    quotient = f.div(form, f.Arg(place))
    left = isinstance(f.split_sign(quotient)[1], f.Div) or f.size(quotient) > f.size(form)
    return None if left else output.graph.arithmetic(quotient, upstream.args)


def _over(upstream: Node, output: Node) -> tuple[f.Formula | None, int]:
    """The formula of unnamed arithmetic that reads the output, and where."""
    form = upstream.arithmetic if upstream.name is None else None
    for place, a in enumerate(upstream.args if form is not None else ()):
        if a is output:
            return form, place
    return None, 0


@cache
def _shortened(factor: f.Formula, local: f.Formula, place: int) -> f.Formula | None:
    """factor·local, Out in ``local`` standing for Arg(place), when what is left has half the size and no quotient."""
    product = unguarded(to_sympy(factor)) * to_sympy(local, out=PLACEHOLDERS[place])
    short = sp.factor_terms(sp.cancel(product))
    if sp.count_ops(short) * 2 > sp.count_ops(product) or sp.fraction(short)[1].has(*PLACEHOLDERS):
        return None
    return from_sympy(short)
