"""What is not selected contributes nothing to any gradient, even where it is infinite or NaN.

The cotangent of what is not selected is 0. But 0 times an infinite derivative (log at 0), or times data that is NaN
where it is padding, is NaN. So a product of a cotangent with what may be infinite or NaN where that cotangent is 0
(what is idle there, see `selection`) is selected: it is 0 where the cotangent is 0.

Right behind a ``where`` the choice is made last and written out: the gradient in x of where(c, log(x), 0) is
where(c, δ/x, 0), and not δ·1[c]/x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.hazards import INFINITE, NONE, Hazards, hazards, is_unbounded, union
from symbackprop.core.kernel import Kernel
from symbackprop.core.registry import Cotangents, Rule
from symbackprop.core.scalars import TABLE
from symbackprop.core.selection import choices
from symbackprop.core.shapes import same_shape


def of_product(cotangent: Callable[..., Node], met: Callable[[int, Node, Node], Node]) -> Rule:
    """The rule of an op that is linear in each argument. Argument i has ``cotangent(i, output, upstream, *factors)``;
    ``met(i, output, upstream)`` is 0 where no upstream gradient meets an entry of it, which then counts as 0 in the
    cotangents of the others."""

    def rule(output: Node, upstream: Node, wanted: Sequence[bool], idle: Hazards) -> Cotangents:
        def factor(k: int, i: int) -> Node:
            a = output.args[k]
            return a if k == i or a.value is not None else where_met(a, lambda: met(k, output, upstream), idle, a)

        places = range(len(wanted))
        return [cotangent(i, output, upstream, *[factor(k, i) for k in places]) if wanted[i] else None for i in places]

    return rule


def where_met(row: Node, met: Callable[[], Node], idle: Hazards, read: Node) -> Node:
    """A row, but 0 where no upstream gradient is met, if it reads what may be infinite or NaN there."""
    return row.graph.call("where_selected", row, met()) if idle and idle & hazards(read) else row


def chosen(row: Node, i: int, output: Node, upstream: Node, idle: Hazards) -> Node:
    """The cotangent of argument i of an elementwise row, 0 where the upstream gradient is, or where the row itself does
    not select: at x < 0 the gradient of √relu(x) is 0 although the upstream one is infinite."""
    if idle and idle & _of_derivative(output, i):
        return row.graph.call("where_selected", row, upstream)
    truths = choices(output, i)
    if not truths or not hazards(upstream) & INFINITE or zero_branch(row) is not None:
        return row
    return row.graph.call("where_selected", row, output.graph.apply(f.mul(*truths), *output.args))


def _of_derivative(node: Node, i: int) -> Hazards:
    """What may make the derivative of an elementwise row in its argument i infinite or NaN."""
    form = node.attr.partial(i)
    if isinstance(form, f.Call) and TABLE[form.name].boolean:
        return NONE
    found = union(hazards(node.args[k]) for k in f.arguments(form)) | (hazards(node) if f.reads_out(form) else NONE)
    return found | INFINITE if is_unbounded(form, node.args, node) else found


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
    value = inside(chosen, lambda row: product(upstream if upstream.whole else row))
    return _chosen(upstream, condition, 1 - zero, value)


def _chosen(source: Node, condition: f.Formula, place: int, value: Node) -> Node:
    """where(condition, value, 0), or where(condition, 0, value); the condition is over the arguments of ``source``."""
    c = source.graph.apply(condition, *source.args)
    return source.graph.call("where", c, *((value, 0) if place == 0 else (0, value)))


def is_choice(row: Node, a: Node) -> bool:
    """Whether a cotangent of row a is a choice between something and 0."""
    return zero_branch(row) is not None and same_shape(row.shape, a.shape)


def zero_branch(row: Node) -> int | None:
    """Which branch of a row is the number 0; None when it is no choice between something and 0."""
    form = row.attr.form if isinstance(row.attr, Kernel) else None
    if not isinstance(form, f.Call) or form.name != "where" or f.ZERO not in form.args[1:]:
        return None
    return int(form.args[2] == f.ZERO)
