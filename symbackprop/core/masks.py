"""What is not selected contributes nothing to any gradient, even where it is infinite or NaN.

The cotangent of what is not selected is 0. But 0 times an infinite derivative (log at 0), or times data that is NaN
where it is padding, is NaN. So a product of a cotangent with what may be infinite or NaN where that cotangent is 0
(what is idle there, see `selection`) is selected: it is 0 where the cotangent is 0.

Right behind a ``where`` the choice is made last and written out: the gradient in x of where(c, log(x), 0) is
where(c, δ/x, 0), and not δ·1[c]/x.
"""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.hazards import INFINITE, NONE, Hazards, hazards, is_unbounded, union
from symbackprop.core.scalars import TABLE
from symbackprop.core.selection import choices


def contribution(node: Node, i: int, cotangent: Node, idle: Hazards, chosen: bool) -> Node | None:
    """What ``node`` contributes to the cotangent of its argument i, when ``idle`` is what may be infinite or NaN where
    its own cotangent is 0. ``chosen`` says that this cotangent is a ``where`` that holds all of the choice: an
    elementwise rule then keeps it outside."""
    op, inputs = node.op, list(node.args)
    if op.product:
        inputs = [a if k == i else _selected(a, k, node, cotangent, idle) for k, a in enumerate(inputs)]
    row = op.vjp(i, cotangent, node, *inputs)
    if row is None or op.product or op.reach is None:
        return row
    kept = chosen and op.name == "elementwise"
    if idle and not kept and idle & _of_derivative(node, i):
        return row.graph.call("where_selected", row, op.reach(i, cotangent, node))
    return _of_choice(row, node, i, cotangent)


def _selected(a: Node, k: int, node: Node, cotangent: Node, idle: Hazards) -> Node:
    """A factor of a product, 0 where it is infinite or NaN and the cotangent of all that it went into is 0."""
    if not idle or a.value is not None or not idle & hazards(a):
        return a
    assert node.op.reach is not None
    return a.graph.call("where_selected", a, node.op.reach(k, cotangent, node))


def _of_derivative(node: Node, i: int) -> Hazards:
    """What may make the derivative of a row in its argument i infinite or NaN."""
    if node.op.name != "elementwise":
        return hazards(node.args[0])
    form = node.attr.partial(i)
    if isinstance(form, f.Call) and TABLE[form.name].boolean:
        return NONE
    found = union(hazards(node.args[k]) for k in f.arguments(form)) | (hazards(node) if f.reads_out(form) else NONE)
    return found | INFINITE if is_unbounded(form, node.args, node) else found


def _of_choice(row: Node, node: Node, i: int, cotangent: Node) -> Node:
    """An infinite cotangent does not reach what is not selected: at x < 0 the gradient of √relu(x) is 0."""
    truths = choices(node, i) if node.op.name == "elementwise" else ()
    if not truths or not hazards(cotangent) & INFINITE or zero_branch(row) is not None:
        return row
    return row.graph.call("where_selected", row, node.graph.apply(f.mul(*truths), *node.args))


# -- choices that are written out
def of_branch(upstream: Node, output: Node, i: int) -> Node | None:
    """The cotangent of argument i of a ``where`` as a ``where`` of its own, when that argument may be infinite."""
    if output.attr.head != "where":
        return None
    condition, *branches = output.attr.form.args
    place = [k for k, part in enumerate(branches) if part == f.Arg(i)]
    if len(place) != 1 or condition == f.Arg(i) or not hazards(output.args[i]) & INFINITE:
        return None
    return _chosen(output, condition, place[0], upstream)


def inside(upstream: Node, product: Callable[[Node], Node]) -> Node:
    """``product`` of an upstream gradient, inside every choice between that gradient and 0; a named gradient keeps its
    name as the factor."""
    zero = zero_branch(upstream)
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


def zero_branch(row: Node) -> int | None:
    """Which branch of a row is the number 0; None when it is no choice between something and 0."""
    if row.op.name != "elementwise" or row.attr.head != "where" or f.ZERO not in row.attr.form.args[1:]:
        return None
    return int(row.attr.form.args[2] == f.ZERO)
