"""What the sweep through a loop says: how it starts, and what becomes of what its steps contribute."""

from __future__ import annotations

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.maths import AtStep, Big, Letter, Math, Num, Range
from symbackprop.render.context import Context, Group, is_loop
from symbackprop.render.document import Line, Step
from symbackprop.render.forward import loop_range
from symbackprop.render.recurrence import repeated_factors
from symbackprop.render.symbols import LoopMark


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
    last: Math = r.size(loop.length) if loop.reverse else Num(sp.S.One)
    reason = ("at ", Letter(loop.index), " = ", last, "; before that, what the later step hands back")
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


def shares(context: Context, group: Group, written: bool) -> Math:
    """What the steps of a loop contribute to one of its arguments: Σ_t of their shares, the stack of them, or what the
    first step hands back. ``written``: each share is written out rather than named."""
    assert group.consumer is not None
    loop, r = group.consumer.attr, context.rows
    place, leaf = group.contributions[0].path[0].index, read_as(group)
    if leaf.id not in context.by_target:
        return r.row(group.contributions[0].value)
    one, length = Num(sp.S.One), r.size(loop.length)
    gradient = r.linked[leaf.id]
    if place < len(loop.carry):
        return AtStep(gradient, loop.index, length if loop.reverse else one)
    if place < len(loop.carry) + len(loop.sequences):
        return AtStep(gradient, loop.index, Range(loop.index, one, length))
    if not written:
        return Big("sum", (loop.index,), gradient, (loop.length,))
    with r.letters.at_step():
        number, rest = r.split(context.by_target[leaf.id].step.total)
    return r.scaled(number, Big("sum", (loop.index,), rest, (loop.length,)))
