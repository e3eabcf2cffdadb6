"""What a loop need not compute step by step: rows of its body for all steps at once, before it or after it.

Where s_t = f(a_t, w) at every step t, a_t is entry t of an array a of all steps, and w is the same at every step, the
stack of all s_t is s = f(a, w). If a is given, that is computed before the loop, whose steps read s[t]; if a is a stack
of the loop, and nothing that is carried on is computed from s_t, after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, reduce

import sympy as sp

from symbackprop.core import build
from symbackprop.core.facts import is_product, is_reshaped, is_sum
from symbackprop.core.graph import Node, arguments_first
from symbackprop.core.loops import Loop, stack_of, varying_rows
from symbackprop.core.shapes import ONE, same_shape, size_of
from symbackprop.derive.again import is_light

NONE = -1  # no row


class Stacked:
    """What of one loop is computed for all steps at once, where the results with these numbers are ``asked`` for."""

    def __init__(self, scan: Node, asked: Collection[int]) -> None:
        loop: Loop = scan.attr
        self.scan, self.loop, self.graph = scan, loop, scan.graph
        self.outer = dict(zip([leaf.id for leaf in loop.leaves()], scan.args, strict=True))
        self.carry, self.sequences, self.fixed = ({leaf.id for leaf in leaves} for leaves in
                                                  (loop.carry, loop.sequences, loop.invariants))
        self.asked = {row.id: row for k, row in enumerate(loop.results()) if k in asked and k >= len(loop.carry)}
        self.large = list(dict.fromkeys([size_of(row.shape) for row in (*self.asked.values(), *loop.sequences)]))
        made = self.carry | {row.id for row in loop.rows() if not self._lifts(row)} | self._computed(loop.carried)
        self.stepwise, self.inside, moving = (varying_rows(loop.rows(), own) for own in
                                              (self.carry, made, self.carry | self.sequences))
        self.core = {row.id for row in self._needed(loop.carried) if row.id in self.inside}
        self.bound = {row.id for row in loop.rows() if self._is_bound(row)}
        self.alike = {id_ for id_ in self.asked if id_ not in moving}  # at every step
        same = [row for row in self.asked.values() if row.id in self.alike]
        self.moving = varying_rows(loop.rows(), moving | self.bound | self._computed(same))
        self._apart: dict[int, Node] = {}

    def _needed(self, roots: Iterable[Node], given: Collection[int] = ()) -> list[Node]:
        """What roots are computed from, down to leaves and what is given."""
        return arguments_first(list(roots), lambda row: () if row.id in self.outer or row.id in given else row.args)

    def _computed(self, rows: Iterable[Node]) -> set[int]:
        return {row.id for row in rows if row.id not in self.outer and row.value is None}

    # -- which rows
    def _is_bound(self, row: Node) -> bool:
        """Whether a row has to be computed step by step: the carries are made of it, and it is no light work, its op
        has no form for all steps, or there is no array of all steps that is as large."""
        if row.id in self.outer or row.value is not None:
            return row.id in self.carry
        return not self._lifts(row) or (row.id in self.core and not is_light(row))

    def _lifts(self, row: Node) -> bool:
        """Whether a row is given, or its op has a form for all steps and some stack or sequence has a multiple of its
        entries."""
        if row.id in self.outer or row.value is not None:
            return True
        size, has_form = size_of(row.shape), row.form is not None or is_product(row) or is_reshaped(row) or is_sum(row)
        return has_form and any(sp.denom(large / size) == 1 for large in self.large)

    def _gates(self, rows: Iterable[Node], stacked: Collection[int]) -> dict[int, int]:
        """Of some rows, arguments first, those that cannot be computed for all steps at once, since something bound
        would have to be stacked besides; each with the next row that every way to such a one leads through, or NONE."""
        found, depths = dict[int, int](), {NONE: 0}

        def meeting(one: int, other: int) -> int:
            while one != other:
                one, other = (found[one], other) if depths[one] >= depths[other] else (one, found[other])
            return one

        for row in rows:
            lacking = [] if row.id in self.outer else [a.id for a in row.args if a.id in found]
            if row.id not in stacked and (lacking or row.id in self.bound):
                found[row.id] = NONE if row.id in self.bound else reduce(meeting, lacking)
                depths[row.id] = depths[found[row.id]] + 1
        return found

    @cached_property
    def stays(self) -> frozenset[int]:
        """The rows that the loop stacks. In the place of one that only the outside reads it may be another one, as
        large, that it is computed from: the memory is the same."""
        carried = {row.id for row in self.loop.carried}  # share an array with the states before each step
        found = (self.bound | self.core | carried | self.alike | {*self.outer}) & self.asked.keys()
        rows = self.loop.rows()
        gates = self._gates(rows, found)
        for row in sorted(self.asked.values(), key=lambda row: -row.ndim):
            other = self._instead(row, gates) if row.id in gates else None
            if other is not None:
                found |= {other}
                gates = self._gates(rows, found)
        return frozenset(found | (gates.keys() & self.asked.keys()))

    def _instead(self, row: Node, gates: Mapping[int, int]) -> int | None:
        """The first row of the same shape that a row can be computed of for all steps at once."""
        fits, gate = set[int](), gates[row.id]
        while gate != NONE:
            fits.add(gate)
            gate = gates[gate]
        order = (r.id for r in self._needed([row]) if r.id in fits and same_shape(r.shape, row.shape))
        return next((id_ for id_ in order if id_ in self.stepwise and id_ not in self.carry), None)

    def apart(self, number: int) -> Node | None:
        """The row that is a stack of the loop and is computed outside of it."""
        row = self.loop.results()[number]
        if row.id not in self.asked or row.id in self.stays:
            return None
        if row.id not in self._apart:
            self._apart[row.id] = self.graph.twin(self._lifted(row))
        return self._apart[row.id]

    def before(self) -> Iterator[tuple[Node, Node]]:
        """(body row, outer row): what steps read of the stacks that are computed before the loop; and of products of an
        element of a sequence and an invariant, which one product over all steps gives."""
        given = {id_ for id_ in self.asked if id_ not in self.inside and id_ not in self.stays}
        products = {row.id for row in self.loop.rows() if self._is_shared_product(row)}
        inside = [row for row in self.loop.stacked if row.id in self.stays or row.id not in self.asked]
        for row in self._needed([*self.loop.carried, *inside], given | products):
            if row.id in given:
                yield row, stack_of(self.scan, row)
            elif row.id in products:
                yield row, self._lifted(row)

    def _is_shared_product(self, row: Node) -> bool:
        own = [a.id for a in row.args] if is_product(row) and row.id not in self.outer else []
        moving = self.sequences.intersection(own)
        return len(own) == 2 and len(moving) == 1 and self.fixed.intersection(own) == {*own} - moving

    # -- over all steps
    def _over(self, row: Node) -> Node:
        """A row for all steps: what is given, a stack, or computed."""
        if row.value is not None or (row.id in self.outer and row.id not in self.carry):
            return self.outer.get(row.id, row)
        return stack_of(self.scan, row) if row.id in self.stays or row.id in self.asked else self._lifted(row)

    def _lifted(self, row: Node) -> Node:
        """A row with one more axis, time, in front of what changes from step to step."""
        args, places = [self._over(a) for a in row.args], [k for k, a in enumerate(row.args) if a.id in self.moving]
        if is_product(row):
            return build.einsum(row.attr.along(places) if places else row.attr, *args)
        time = (self.loop.length,) if row.id in self.moving else ()
        if is_reshaped(row):
            return build.reshape(args[0], (*time, *row.shape))
        if is_sum(row):
            axes, keepdims = row.attr
            return build.reduce_sum(args[0], tuple([k + len(time) for k in axes]), keepdims)
        fits = [build.reshape(a, (*time, *[ONE] * (row.ndim - own.ndim), *own.shape)) if k in places else a
                for k, (a, own) in enumerate(zip(args, row.args, strict=True))]
        return self.graph.make("elementwise", fits, row.attr)
