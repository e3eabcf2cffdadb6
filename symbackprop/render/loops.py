"""What the sweep through a loop says: how it starts, what becomes of what its steps contribute, and the factor that
backpropagation through time repeats: ∂h_T/∂h_0 = Π_t diag(1 − h_t²) W_hᵀ.

The factor is shown for a carried value that reaches its own next value along one path of entrywise functions and
products with fixed matrices. Where this product shrinks, gradients vanish; where it grows, they explode.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.maths import (
    AtStep,
    Bars,
    Big,
    Derivative,
    Letter,
    Math,
    MatMul,
    Num,
    Range,
    Several,
    Sym,
    turned,
    within,
)
from symbackprop.core.names import subscripts_of, text_name
from symbackprop.core.ops.loop import base
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import is_one, same_shape
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, is_loop
from symbackprop.render.document import Line, Step
from symbackprop.render.factors import Factor, edge_factor
from symbackprop.render.forward import loop_range
from symbackprop.render.rows import Rows
from symbackprop.render.symbols import Group, Located, LoopMark

# -- the repeated factor
MAX_STEPS = 12  # norms of further steps are not printed


class Link(NamedTuple):
    """The Jacobian of one row in another: a matrix, perhaps by its diagonal, or a number that scales."""

    tree: Math
    is_number: bool
    is_diagonal: bool = False


def repeated_factors(context: Context, scan: Node) -> list[Line]:
    """One line for every carried value whose Jacobian from step to step is known; with numbers, how large it is."""
    loop: Loop = scan.attr
    found = []
    for place, (leaf, row) in enumerate(zip(loop.carry, loop.carried, strict=True)):
        links = _links(context, leaf, row, loop)
        if links:
            found.append(_line(context, scan, place, links))
            found += _norms(context, scan, place)
    return found


def _norms(context: Context, scan: Node, place: int) -> list[Line]:
    """‖∂h_t/∂h_{t−1}‖ for every t, and ‖∂h_T/∂h_0‖, when there are numbers."""
    norms = None if context.numbers is None else context.numbers.norms(scan, place)
    if norms is None:
        return []
    loop: Loop = scan.attr
    each, whole = norms
    name, t = base(loop.carry[place]), loop.index
    before = f"{name}[{t}+1]" if loop.reverse else f"{name}[{t}-1]"
    values = Several(each[:MAX_STEPS], len(each) > MAX_STEPS)
    steps = f"{loop.last}, …, {loop.first}" if loop.reverse else f"{loop.first}, {loop.first + 1}, …"
    kind = "spectral norms" if loop.carry[place].ndim else "absolute values"
    order = f"{kind}, {t} = {steps}" + (", the largest over the batch" if loop.carry[place].ndim > 1 else "")
    one = Derivative(_step(context.rows, f"{name}[{t}]"), _step(context.rows, before))
    all_steps = _whole(context.rows, scan, place)
    return [Line("note", Bars(one), values, (order,)), Line("note", Bars(all_steps), whole, ("of the product",))]


def _whole(r: Rows, scan: Node, place: int) -> Math:
    """∂h_T/∂h_0; backwards ∂h_1/∂h_{T+1}."""
    loop: Loop = scan.attr
    name = base(loop.carry[place])
    first = f"{loop.last}+1" if loop.reverse else loop.before
    start = within(r.plain.get(scan.args[place].id, Num(sp.S.Zero)))
    below = replace(start, shape=(), row=None) if isinstance(start, Sym) else _step(r, f"{name}[{first}]")
    return Derivative(_step(r, f"{name}[{loop.end}]", scan.graph.result(scan, place)), below)


def _step(r: Rows, name: str, row: Node | None = None) -> Sym:
    """A step by the name that it has on the page; one without is written as it is where the name of another row than
    its own prints alike."""
    own = r.called_by.get(name)
    if own is not None:
        return replace(own[0], shape=(), row=None)
    alike = [*r.called_by.get((text_name(name),), ()), *r.called_by.get(subscripts_of(name), ())]
    return Sym(name, verbatim=any(row is None or x.row != row.id for x in alike))


def _line(context: Context, scan: Node, place: int, links: list[Link]) -> Line:
    loop: Loop = scan.attr
    row = loop.carried[place]
    first = context.rows.size(loop.end)
    alone = " in front"
    alone += ", for every row" if row.ndim > 1 else ""
    alone += ", along this path alone" if len(loop.carry) > 1 else ""
    reason = ("the factor of ", Letter(loop.index), " = ", first, alone,
              "; where this product shrinks, gradients vanish, where it grows, they explode")
    right = Big("prod", (loop.index,), _product(context.rows, row, links), (loop.length,))
    return Line("note", _whole(context.rows, scan, place), right, reason)


def _product(r: Rows, row: Node, links: list[Link]) -> Math:
    """The product of the Jacobians: numbers in front of matrices; a number alone is a multiple of I for a vector."""
    value = sp.Mul(*[m.tree.value for m in links if isinstance(m.tree, Num)])
    factors = [m.tree for m in links if m.is_number and not isinstance(m.tree, Num)]
    matrices = [r.diagonal(m.tree) if m.is_diagonal else m.tree for m in links if not m.is_number]
    if matrices:
        factors.append(reduce(MatMul, matrices))
    elif row.ndim:
        factors.append(r.identity(row.shape[-1]))
    return r.scaled(value, *factors)


def _links(context: Context, leaf: Node, row: Node, loop: Loop) -> list[Link]:
    """The Jacobians from the next value back to the carried one; none where paths part or a row has no matrix."""
    fixed = {x.id for x in loop.invariants}
    links: list[Link] = []
    place = leaf
    while place is not row:
        located = context.by_target.get(place.id)
        parts = () if located is None else located.groups
        if len(parts) != 1 or parts[0].consumer is None or len(parts[0].contributions) != 1:
            return []
        inner = [_link(context, edge, fixed) for edge in parts[0].contributions[0].path]
        if None in inner:
            return []
        links = [x for found in inner if found is not None for x in found] + links
        place = parts[0].consumer
    return links


def _link(context: Context, edge: Edge, fixed: set[int]) -> list[Link] | None:
    """The Jacobian of one row, nothing where it is I; None where it has no matrix."""
    row, r = edge.consumer, context.rows
    if row.form is not None:
        factor = edge_factor(edge)
        if factor is None or not same_shape(row.shape, edge.argument.shape):
            return None
        return [] if factor.form == f.ONE else [_scaling(r, factor)]
    product = row.attr.matmul() if isinstance(row.attr, Pattern) else None
    place = 1 - edge.index
    if product is None or product.flip_out or len(row.args) != 2 or row.args[place].id not in fixed:
        return None
    first = product.order[0] == edge.index and edge.argument.ndim == 2  # a row of h W is Wᵀ times it as a column
    matrix = r.ref(row.args[place])
    flipped = product.flips[product.order.index(place)] != first
    return [Link(turned(matrix) if flipped else matrix, False)]


def _scaling(r: Rows, factor: Factor) -> Link:
    """The Jacobian of an entrywise row: a number, or a diagonal matrix. It is that of one row of a batch, for which
    nothing is repeated."""
    tree = r.formula(factor.form, [r.ref(x) for x in factor.rows])
    if all(not x.ndim or is_one(x.shape[-1]) for x in factor.used):
        return Link(tree, True)
    return Link(tree, False, True)


def loop_heading(context: Context, mark: LoopMark) -> Step:
    """The heading of the steps of one loop: its range backwards, and what enters at the first of them."""
    reverse: Loop = mark.loop.reverse.attr
    entering = [_entering(context, mark.loop.reverse, i) for i in range(len(reverse.carry))]
    lines = (*entering, *repeated_factors(context, mark.loop.loop))
    name, span = Letter(reverse.index), loop_range(context.rows, reverse)
    return Step(
        number=mark.number, name=f"loop-{mark.number}", anchor=mark.anchor, target=name, symbol=name,
        title=("backwards through the loop, for ", span), role="loop", shape=None, lines=lines, depth=mark.depth,
    )


def _entering(context: Context, reverse: Node, i: int) -> Line:
    loop, r = reverse.attr, context.rows
    handed = loop.forward is None or loop.forward.carry[i].id in context.by_target
    zero = ("; before that 0", ", as no step reads it")
    told = ("; before that, what the later step hands back",) if handed else zero
    reason = ("at ", Letter(loop.index), " = ", r.size(loop.begin), *told)
    return Line("definition", r.ref(loop.carry[i]), r.ref(reverse.args[i]), reason)


def read_as(group: Group) -> Node:
    """What the steps of a loop call the argument that a branch goes to."""
    edge = group.contributions[0].path[0]
    leaf: Node = edge.consumer.attr.leaves()[edge.index]
    return leaf


def steps_through(group: Group) -> str:
    """The counter of the loop that a branch goes to a stack of, element by element; nothing of other branches."""
    if group.consumer is None or not group.consumer.is_loop:
        return ""
    loop: Loop = group.consumer.attr
    is_stack = 0 <= group.contributions[0].path[0].index - len(loop.carry) < len(loop.sequences)
    return loop.index if is_stack else ""


def is_shared(context: Context, group: Group) -> bool:
    """Whether every step of a loop contributes to what a branch goes to."""
    if not is_loop(group) or read_as(group).id not in context.by_target:
        return False
    assert group.consumer is not None
    loop: Loop = group.consumer.attr
    return group.contributions[0].path[0].index >= len(loop.carry) + len(loop.sequences)


def shared_within(context: Context, step: Located) -> Group | None:
    """What the share of each step is where it comes from every step of a loop in it alone."""
    inner = step.groups
    return inner[0] if len(inner) == 1 and is_shared(context, inner[0]) else None


def shares(context: Context, group: Group, written: bool) -> Math:
    """What the steps of a loop contribute to one of its arguments: Σ_t of their shares, the stack of them, or what the
    first step hands back. ``written``: each share is written out rather than named."""
    assert group.consumer is not None
    loop, r = group.consumer.attr, context.rows
    place, leaf = group.contributions[0].path[0].index, read_as(group)
    if leaf.id not in context.by_target:
        return r.row(group.contributions[0].value)
    gradient = r.linked[leaf.id]
    if place < len(loop.carry):
        return AtStep(gradient, loop.index, r.size(loop.begin))
    if place < len(loop.carry) + len(loop.sequences):
        return AtStep(gradient, loop.index, Range(loop.index, r.size(loop.first), r.size(loop.last)))
    if not written:
        return Big("sum", (loop.index,), gradient, (loop.length,))
    step = context.by_target[leaf.id]
    inner = shared_within(context, step)
    if inner is not None:
        return Big("sum", (loop.index,), shares(context, inner, written), (loop.length,))
    with r.letters.at_step():  # what is the gradient of a row of the step too goes by that one's name
        number, rest = (r.split if context.owns(step) else r.term)(step.step.total)
    return r.scaled(number, Big("sum", (loop.index,), rest, (loop.length,)))
