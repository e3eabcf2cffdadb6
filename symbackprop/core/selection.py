"""What is not selected contributes nothing to any gradient, even where it is infinite or NaN.

A ``where``, relu, maximum or minimum, a slice, a picked entry hands the cotangent 0 to what it does not select. But 0
times an infinite derivative (log at 0), or times data that is NaN where it is padding, is NaN. So of every row of a
sweep `Idle` knows what may be infinite or NaN where its cotangent is 0, as `hazards` tells it: what every way from the
row to the outputs passes a choice of. It is read off the rows, before any cotangent is made. A product of a cotangent
with what is idle there is selected: it is 0 where the cotangent is 0.

Right behind a ``where`` the choice is made last and written out: the gradient in x of where(c, log(x), 0) is
where(c, δ/x, 0), and not δ·1[c]/x.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import cache, reduce
from math import isfinite
from operator import and_

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum, kind
from symbackprop.core.graph import BOOL, SEVERAL, Node
from symbackprop.core.hazards import (
    FINITE,
    FLAT,
    INFINITE,
    LEVELLED,
    LINEAR,
    NONE,
    Hazards,
    arrays_of,
    bit_of,
    hazards,
    is_unbounded,
    mixed,
    union,
)
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import Cotangents, Rule
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.core.shapes import same_shape


class Idle:
    """What is idle in the rows of a sweep, by their ids; ``results`` are those of rows with several results. Only the
    derivatives by rows that are ``needed`` are looked at."""

    def __init__(
        self,
        order: Sequence[Node],
        seeds: Mapping[int, Hazards],
        stop: frozenset[int],
        needed: Container[int] | None = None,
    ) -> None:
        self.needed = needed
        self.rows, self.results = dict(seeds), dict[int, dict[int, Hazards]]()
        for node in reversed(order):
            if node.id not in stop:
                self._pass(node)

    def of(self, node: Node) -> Hazards | dict[int, Hazards]:
        """What is idle in a row, of a loop in its results; nothing where a loop does not read it."""
        return self.results.get(node.id, {}) if node.kind == SEVERAL else self.rows.get(node.id, NONE)

    def _pass(self, node: Node) -> None:
        if node.id in self.results:
            body = idle_in_loop(node, self.results[node.id])
            for leaf, a in zip(node.attr.leaves(), node.args, strict=True):
                if leaf.id in body.rows:
                    self._add(a, body.rows[leaf.id])
        elif node.id in self.rows and node.is_result:
            self.results.setdefault(node.args[0].id, {})[node.attr] = self.rows[node.id]
        elif node.id in self.rows:
            for i, a in enumerate(node.args):
                if (self.needed is None or a.id in self.needed) and has_influence(node, i):
                    self._add(a, _passed(self.rows[node.id], node, i) | _idle_behind(node, i))

    def _add(self, a: Node, idle: Hazards) -> None:
        self.rows[a.id] = self.rows[a.id] & idle if a.id in self.rows else idle


def idle_in_loop(scan: Node, results: Mapping[int, Hazards]) -> Idle:
    """What is idle in a loop's body at every step, from what is idle in its results."""
    loop, everything = scan.attr, hazards(scan) | INFINITE | LINEAR | union(map(bit_of, scan.attr.carry))
    order, n = loop.rows(), len(loop.carry)
    last = [_carried_too(results.get(k, everything), scan) for k in range(n)]
    stacks = [(loop.results()[k], _carried_too(idle, scan)) for k, idle in results.items() if k >= n]
    while True:
        seeds: dict[int, Hazards] = {}
        for row, idle in (*zip(loop.carried, last, strict=True), *stacks):
            seeds[row.id] = seeds.get(row.id, everything) & idle
        body = Idle(order, seeds, loop.stop)
        before = [idle & body.rows.get(c.id, everything) for c, idle in zip(loop.carry, last, strict=True)]
        if before == last:
            return body
        last = before


def _carried_too(idle: Hazards, scan: Node) -> Hazards:
    """Where arrays are idle, the values that they were carried into are."""
    return idle | union(map(bit_of, scan.attr.carry)) if _arrays(idle) else idle


def has_influence(node: Node, i: int) -> bool:
    """Whether an argument has one to first order."""
    return node.form is None or node.attr.partial(i) != f.ZERO


def _passed(idle: Hazards, node: Node, i: int) -> Hazards:
    """What is idle in a row as an argument has it: products may add up infinities of both signs, and so may what is
    read for many entries."""
    same = kind(node).moved or is_sum(node) if node.form is None else same_shape(node.args[i].shape, node.shape)
    return idle & ~(NONE if same else LEVELLED | FLAT) & ~(NONE if _is_linear(node, i) else LINEAR)


def _is_linear(node: Node, i: int) -> bool:
    """Whether the derivative of a row in an argument does not depend on that."""
    if node.form is None:
        return kind(node).linear or node.op.selects or isinstance(node.attr, Pattern)
    slope = node.attr.partial(i)
    return i not in f.arguments(slope) and not f.has(slope, f.Out)


def _idle_behind(output: Node, i: int) -> Hazards:
    """What may be infinite or NaN in argument i of a row where the row does not select it."""
    if output.form is None:
        return INFINITE if output.op.selects else NONE
    if output.role is Role.SELECTED:
        return _arrays(hazards(output.args[0])) | INFINITE
    found = INFINITE if choices(output, i) else _levelled(output, i)
    return found | _masked(output, i) if output.role is Role.CHOICE else found


def _levelled(output: Node, i: int) -> Hazards:
    """How a row no longer changes where argument i is infinite, which times its slope goes to 0, as that of tanh does:
    so does what any product in the argument makes of it, and any power where that is no `slow` function."""
    record = output.function
    if record is None or not has_influence(output, i):
        gated = i == 0 and output.form is not None and output.form.role is Role.GATED
        return _levels(output.args[1].function) if gated else NONE
    bounded = any(map(isfinite, record.range)) or (record.from_argument and i == 0)
    return _levels(record) if bounded and not (record.flat or record.power) else NONE


def _levels(record: Scalar | None) -> Hazards:
    return LEVELLED if record is not None and record.slow else LEVELLED | FLAT


def choices(output: Node, i: int) -> list[f.Formula]:
    """The truth values that the derivative of an elementwise row has as factors: 1[x > 0] for relu."""
    return [part for part, by in _truths(output.attr.partial(i))
            if not isinstance(by, f.Arg) or output.args[by.index].kind == BOOL]


@cache
def _truths(form: f.Formula) -> Sequence[tuple[f.Formula, f.Formula]]:
    """The factors of a formula that are truth values, each with the function or the argument that it is one by."""
    match form:
        case f.Neg(body):
            return _truths(body)
        case f.Div(num, _):
            return _truths(num)
    found = [(part, _truth(part)) for part in f.factors(form)]
    return [(part, by) for part, by in found if by is not None]


def _truth(form: f.Formula) -> f.Formula | None:
    """The call or the argument that makes a formula a truth value, an argument if it is one itself."""
    match form:
        case f.Arg():
            return form
        case f.Call(name, _):
            return form if TABLE[name].boolean else None
        case f.Add((f.ONE, f.Neg(body))):
            return _truth(body)
    return None


def _masked(output: Node, i: int) -> Hazards:
    """Arrays that a ``where`` hides NaN of: branch i reads them, the other branch does not, and the condition has an
    axis in common with them, and is data (no constant as a causal mask) that is not made of sums over them."""
    condition, *branches = output.attr.form.args
    reads = [output.args[k] for k in f.arguments(condition)]
    others = [output.args[k] for b in branches if b != f.Arg(i) for k in f.arguments(b)]
    if not union(map(hazards, reads)):
        return NONE
    found = _arrays(hazards(output.args[i])) & ~union(map(hazards, others)) & ~union(map(mixed, reads))
    axes = [d for r in reads for d in r.shape if d != 1]
    return union(bit_of(a) for a in arrays_of(found, output.graph) if _meet(axes, a.shape)) if axes else found


def _arrays(found: Hazards) -> Hazards:
    return found & ~(INFINITE | FINITE | LEVELLED | FLAT | LINEAR)


def _meet(axes: Sequence[sp.Expr], shape: Sequence[sp.Expr]) -> bool:
    """Whether two arrays have an axis in common, perhaps merged with another one."""
    return any(
        a.free_symbols & b.free_symbols or (a.is_Integer and b.is_Integer and (0 in (a, b) or a % b == 0 or b % a == 0))
        for a in axes for b in shape if b != 1
    )


# -- cotangents
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
    said = LEVELLED | FLAT | LINEAR  # of no derivative
    infinite = idle & ~said and idle & _of_derivative(output, i)
    if infinite or (idle & LEVELLED and _grows(output, i)) or (idle & FLAT and _has_pole(output, i)):
        return row.graph.call("where_selected", row, upstream)
    truths = choices(output, i)
    if not truths or not hazards(upstream) & INFINITE or zero_branch(row) is not None:
        return row
    return row.graph.call("where_selected", row, output.graph.apply(f.mul(*truths), *output.args))


def _grows(node: Node, i: int) -> bool:
    """Whether the derivative of an elementwise row is infinite, entry by entry, where an exponential overflows, and
    only there: at a pole, as that of 1/x or log x, the limit may be any number."""
    form = node.attr.partial(i)
    reads = [node.args[k] for k in f.arguments(form)] + [node] * f.has(form, f.Out)
    grows = _is_exponential(node) or (_overflow(reads) and not is_unbounded(form, node.args, node))
    return grows and all([same_shape(a.shape, node.shape) for a in reads])


def _has_pole(node: Node, i: int) -> bool:
    """Whether the derivative of an elementwise row may be infinite as a power of the row is: that of 1/x or √x, and not
    that of log x. One with a name and several arguments may have a closed form, which is worth more."""
    algebraic = node.arithmetic is not None or (node.function is not None and node.function.power is not None)
    seen = node.name is None or len(node.args) == 1
    same = algebraic and seen and all([same_shape(a.shape, node.shape) for a in node.args])
    return same and bool(_of_derivative(node, i) & INFINITE)


def _overflow(rows: Sequence[Node], depth: int = 4) -> bool:
    """Whether what is infinite among some rows are exponentials that overflow, and what is computed from these."""
    infinite = [a for a in rows if hazards(a) & INFINITE]
    return depth > 0 and bool(infinite) and all(_is_exponential(a) or _of_overflow(a, depth - 1) for a in infinite)


def _of_overflow(row: Node, depth: int) -> bool:
    plain = kind(row).moved if row.arithmetic is None else not is_unbounded(row.arithmetic, row.args)
    return plain and _overflow(row.args, depth)


def _is_exponential(row: Node) -> bool:
    """Whether a row is exp, or another function that overflows."""
    return row.function is not None and row.function.overflows


def _of_derivative(node: Node, i: int) -> Hazards:
    """What may make the derivative of an elementwise row in its argument i infinite or NaN."""
    form = node.attr.partial(i)
    if isinstance(form, f.Call) and TABLE[form.name].boolean:
        return NONE
    found = union([hazards(node.args[k]) for k in f.arguments(form)]) | (hazards(node) if f.has(form, f.Out) else NONE)
    return found | INFINITE if is_unbounded(form, node.args, node) else found


# -- tangents: what flows forwards is selected where the row selects
def idle_forwards(node: Node, given: Mapping[int, Hazards]) -> Hazards:
    """Whether the derivative of what reads a row may be infinite where the row's tangent is 0; ``given`` is what is
    known of those of its arguments that have one."""
    found = [given[a.id] | _idle_behind(node, i) for i, a in enumerate(node.args) if a.id in given]
    return reduce(and_, found, INFINITE)


def tangent_of_choice(output: Node, tangents: Mapping[int, Node]) -> Node | None:
    """The tangent of a ``where`` as a ``where`` over those of its branches, of ``where_selected`` as one: what is not
    selected may be infinite or NaN. None for any other row."""
    if output.role is Role.SELECTED:
        return output.graph.call("where_selected", tangents[0], output.args[-1]) if 0 in tangents else None
    if output.role is not Role.CHOICE:
        return None
    condition, *branches = output.attr.form.args
    chosen = [tangents.get(b.index, 0) if isinstance(b, f.Arg) else 0 for b in branches]
    return output.graph.call("where", output.graph.apply(condition, *output.args), *chosen)


# -- choices that are written out
def of_branch(upstream: Node, output: Node, i: int) -> Node | None:
    """The cotangent of argument i of a ``where`` as a ``where`` of its own, when that argument may be infinite."""
    if output.role is not Role.CHOICE:
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
    if row.role is not Role.CHOICE or f.ZERO not in row.attr.form.args[1:]:
        return None
    return int(row.attr.form.args[2] == f.ZERO)
