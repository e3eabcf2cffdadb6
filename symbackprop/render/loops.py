"""What the sweep through a loop says: how it starts, and what becomes of what its steps contribute."""

from __future__ import annotations

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.notation import Text
from symbackprop.render.context import Context, Group
from symbackprop.render.document import Line, Step
from symbackprop.render.forward import loop_range
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.recurrence import repeated_factors
from symbackprop.render.symbols import LoopMark


def loop_heading(context: Context, mark: LoopMark) -> Step:
    """The heading of the steps of one loop: its range backwards, and what enters at the first of them."""
    reverse: Loop = mark.loop.reverse.attr
    pen = context.pen
    entering = [_entering(context, mark.loop.reverse, i) for i in range(len(reverse.carry))]
    lines = (*entering, *repeated_factors(context, mark.loop.loop))
    name, span = pen(lambda n: Text(reverse.index)), loop_range(context, reverse)
    return Step(
        number=mark.number, name=f"loop-{mark.number}", anchor=mark.anchor, target=name, symbol=name,
        title=("backwards through the loop, for ", span), role="loop", shape=None, lines=lines, depth=mark.depth,
    )  # fmt: skip


def _entering(context: Context, reverse: Node, i: int) -> Line:
    loop: Loop = reverse.attr
    left = context.pen(lambda n: n.ref(loop.carry[i]))
    last = context.pen(lambda n: Text("1") if not loop.reverse else n.dim(loop.length))
    step = context.pen(lambda n: Text(loop.index))
    reason = ("at ", step, " = ", last, "; before that, what the later step hands back")
    return Line("definition", left, context.pen.ref(reverse.args[i]), reason)


def shares(n: RowNotation, context: Context, group: Group, written: bool) -> Text:
    """What the steps of a loop contribute to one of its arguments: Σ_t of their shares, the stack of them, or what the
    first step hands back. ``written``: each share is written out rather than named."""
    assert group.consumer is not None
    loop: Loop = group.consumer.attr
    place = group.contributions[0].path[0].index
    leaf = loop.leaves()[place]
    if leaf.id not in context.by_target:
        return n.ref(group.contributions[0].value)
    located, one, length = context.by_target[leaf.id], Text("1"), n.dim(loop.length)
    gradient = n.linked_gradients[leaf.id]
    if place < len(loop.carry):
        first = length if loop.reverse else one
        return n.at_step(gradient, f"{loop.index}={first.text}")
    if place < len(loop.carry) + len(loop.sequences):
        return n.at_step(gradient, n.steps_range(loop.index, one, length).text)
    if not written:
        return n.big_operator("sum", gradient, [loop.index])
    number, rest = n.split(located.step.total)
    return n.scaled(number, [n.big_operator("sum", rest, [loop.index])])
