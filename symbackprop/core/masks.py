"""Branches that are not taken: nothing flows through them, even where the branch itself is infinite.

The gradient of where(c, a, b) in a is δ·1[c]. Where c does not hold that is 0, but 0 times an infinite derivative (log
at 0) is nan. In front of such a branch the choice is therefore made last: the gradient in x of where(c, log(x), 0) is
where(c, δ/x, 0), and not δ·1[c]/x.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from symbackprop.core import formula as f
from symbackprop.core.graph import Node

MAX_LOOKED_AT = 64
_VIEWS = {"broadcast", "reshape"}
_UNBOUNDED = {"exp", "expm1", "log", "log1p", "sqrt", "ratio", "monomial", "flat_power", "bernoulli_loss"}


def of_branch(upstream: Node, output: Node, i: int) -> Node | None:
    """The cotangent of argument i of a ``where`` as a ``where`` of its own, when that argument may be infinite."""
    if output.attr.head != "where":
        return None
    condition, *branches = output.attr.form.args
    place = [k for k, part in enumerate(branches) if part == f.Arg(i)]
    if len(place) != 1 or condition == f.Arg(i) or not may_be_infinite(output.args[i]):
        return None
    return _chosen(output, condition, place[0], upstream)


def inside(upstream: Node, product: Callable[[Node], Node]) -> Node:
    """``product`` of an upstream gradient, inside every choice between that gradient and 0; a named gradient keeps its
    name as the factor."""
    zero = _zero_branch(upstream)
    if zero is None:
        return product(upstream)
    condition, *branches = upstream.attr.form.args
    chosen = upstream.graph.apply(branches[1 - zero], *upstream.args)
    named = upstream.name is not None or upstream.id in upstream.graph.sealed
    value = inside(chosen, lambda row: product(upstream if named else row))
    return _chosen(upstream, condition, 1 - zero, value)


def _chosen(source: Node, condition: f.Formula, place: int, value: Node) -> Node:
    """where(condition, value, 0), or where(condition, 0, value); the condition is over the arguments of ``source``."""
    c = source.graph.apply(condition, *source.args)
    return source.graph.call("where", c, *((value, 0) if place == 0 else (0, value)))


def _zero_branch(row: Node) -> int | None:
    if row.op.name != "elementwise" or row.attr.head != "where" or f.ZERO not in row.attr.form.args[1:]:
        return None
    return int(row.attr.form.args[2] == f.ZERO)


def may_be_infinite(row: Node) -> bool:
    """Whether a function that can be infinite is among the elementwise rows that lead here, or they are too many."""
    stack, seen = [row], {row.id}
    while stack and len(seen) <= MAX_LOOKED_AT:
        node = stack.pop()
        elementwise = node.op.name == "elementwise"
        if elementwise and _is_unbounded(node.attr.form):
            return True
        if elementwise or node.op.name in _VIEWS:
            fresh = [a for a in node.args if a.id not in seen]
            seen.update(a.id for a in fresh)
            stack.extend(fresh)
    return bool(stack)


@cache
def _is_unbounded(form: f.Formula) -> bool:
    """Whether a formula can be infinite, or have an infinite derivative, at a finite point."""
    if isinstance(form, f.Call):
        return form.name in _UNBOUNDED
    if isinstance(form, f.Pow):
        natural = isinstance(form.exponent, f.Num) and form.exponent.value.is_Integer and form.exponent.value > 0
        return not natural or _is_unbounded(form.base)
    return isinstance(form, f.Div) or any(_is_unbounded(c) for c in f.children(form))
