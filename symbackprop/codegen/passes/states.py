"""All levels: the states before each step of a loop share one array with those after it.

Backpropagation through time reads h[t-1] for all t: the initial state followed by all states but the last. Forward
allocates one state more, puts the initial one first, and both stacks are views of that array.
"""

from __future__ import annotations

from typing import NamedTuple

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import ONE, is_one, same, same_shape


class States(NamedTuple):
    """A row that holds the states before each step: the loop, which carry it is, and the stack of states after."""

    scan: Node
    carry: int
    after: Node


def states_before(row: Node) -> States | None:
    """What a row is when it is concat(initial state, states without the last) over time; else None."""
    if row.op.name != "concat" or row.attr != 0 or len(row.args) != 2 or row.name is not None:
        return None
    first, rest = row.args
    if first.op.name != "reshape" or rest.op.name != "slice" or rest.args[0].op.name != "out":
        return None
    after = rest.args[0]
    scan = after.args[0]
    loop: Loop = scan.attr
    whole = rest.attr[0] == 0 and rest.attr[1] == 0 and rest.attr[3] == 1 and same(row.shape[0], loop.length)
    number = after.attr - len(loop.carry)
    if loop.reverse or number < 0 or not whole:
        return None
    for carry, (carried, initial) in enumerate(zip(loop.carried, scan.args, strict=False)):
        leads = first.args[0] is initial and same_shape(first.shape, (ONE, *initial.shape))
        if leads and carried is loop.stacked[number] and after.kind == loop.carry[carry].kind:
            return States(scan, carry, after)
    return None


class Moved(NamedTuple):
    """A row that holds the states of a loop moved by one step: its ``parts`` are one state and the whole stack, in the
    order in which they are joined; the ``last`` entry then goes, or the first."""

    parts: tuple[Node, Node]
    last: bool


def moved(row: Node) -> Moved | None:
    """What a row is when it is concat(state, h[:-1]) or concat(h[1:], state), which a loop of no step would leave with
    one state too many; else None."""
    if row.op.name != "concat" or row.attr != 0 or len(row.args) != 2:
        return None
    for last, (state, rest) in ((True, row.args), (False, row.args[::-1])):
        if rest.op.name == "slice" and rest.args[0].op.name == "out" and rest.name is None and is_one(state.shape[0]):
            axis, start, length, step = rest.attr
            whole = rest.args[0]
            if (axis, start, step) == (0, 1 - last, 1) and same(length + 1, whole.shape[0]):
                return Moved((state, whole) if last else (whole, state), last)
    return None
