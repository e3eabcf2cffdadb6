"""The reverse sweep in numbers, so that one link of the chain rule can be replaced by a mistake.

`NumericSweep` passes numbers through the same branches as the derivation. A swap replaces what one edge hands back; the
gradients of all rows below it follow as they would have for a person who made that mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.build import unbroadcast
from symbackprop.core.graph import Node
from symbackprop.core.hazards import NONE
from symbackprop.core.loops import body_leaf
from symbackprop.core.ops.elementwise import evaluate_expr
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy
from symbackprop.core.sizes import sized
from symbackprop.derive.record import Edge
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference

Swaps: TypeAlias = Mapping[Edge, Callable[[Any, Edge, Array], Array]]


class NumericSweep:
    """The sweep from the results, or from rows whose gradients are known, to ``target`` at one point."""

    def __init__(self, reference: Reference, point: Point, target: Node, known: frozenset[int] = frozenset()) -> None:
        self.reference, self.point, self.target = reference, point, target
        self.order = reference.downstream(target, known)
        self._links: dict[tuple[Edge, tuple[int, ...]], Callable[[Array], Array]] = {}
        self._locals: dict[Edge, Array] = {}
        self._seeds: dict[int, Array] = {}
        self._changed: dict[int, Array] = {}

    def gradient(self, swaps: Swaps) -> Array:
        """∂L/∂target when the edges in ``swaps`` hand back something else than they should."""
        changed: dict[int, Array] = {}
        self._changed = changed
        swapped = {e.argument.id for e in swaps}
        with np.errstate(all="ignore"):
            for row, consumers in self._plan:
                if row.id in swapped or not changed.keys().isdisjoint(consumers):
                    changed[row.id] = self.settled(row, self.reference.edges(row), swaps)
        self._changed = {}
        return changed[self.target.id] if self.target.id in changed else self.right(self.target)

    @cached_property
    def _plan(self) -> list[tuple[Node, list[int]]]:
        return [(row, [e.consumer.id for e in self.reference.edges(row)]) for row in self.order]

    def right(self, row: Node) -> Array:
        """The right ∂L/∂row."""
        return self.point.value(self.reference.gradient(row))

    def above(self, row: Node) -> Array:
        """∂L/∂row in the sweep that is under way, for a swap further down."""
        return self._changed[row.id] if row.id in self._changed else self.right(row)

    def settled(self, row: Node, edges: Sequence[Edge], swaps: Swaps) -> Array:
        """∂L/∂row out of what its edges hand back."""
        total = self.seed(row)
        for edge in edges:
            upstream = self.above(edge.consumer)
            swap = swaps.get(edge)
            total = total + (self.passed(edge, upstream) if swap is None else swap(self, edge, upstream))
        return total

    def seed(self, row: Node) -> Array:
        """What a row has from no other row: the upstream gradient of a result."""
        if row.id not in self._seeds:
            seeds = [self.point.value(p.value) for p in self.reference.parts[row.id] if p.consumer is None]
            self._seeds[row.id] = sum(seeds, start=np.zeros(self.point.size(row.shape)))
        return self._seeds[row.id]

    # -- what an edge hands back
    def passed(self, edge: Edge, upstream: Array) -> Array:
        """upstream times the local derivative, as it should be."""
        if edge.consumer.form is not None:
            return self.times(edge, upstream, self.local(edge))
        return self.through(edge, upstream, edge.consumer.args)

    def local(self, edge: Edge) -> Array:
        """The local derivative of an elementwise row."""
        if edge not in self._locals:
            self._locals[edge] = self.formula(edge.consumer.attr.partial(edge.index), edge.consumer.args, edge.consumer)
        return self._locals[edge]

    def times(self, edge: Edge, upstream: Array, local: Array) -> Array:
        """upstream·local, summed over the axes along which the argument was broadcast."""
        whole = np.broadcast_to(upstream * local, self.point.size(edge.consumer.shape))
        return summed(whole, self.point.size(edge.argument.shape))

    def through(self, edge: Edge, upstream: Array, args: Sequence[Node]) -> Array:
        """What a structural row hands back, ``args`` perhaps standing in the place of its own arguments."""
        key = (edge, tuple([a.id for a in args]))
        if key not in self._links:
            self._links[key] = self._link(edge, args)
        return self._links[key](upstream)

    def _link(self, edge: Edge, args: Sequence[Node]) -> Callable[[Array], Array]:
        """What the edge makes of an upstream gradient."""
        consumer = edge.consumer
        leaf = body_leaf(consumer.graph, "upstream", consumer.shape)
        row = consumer.graph.again(consumer, args)
        part = consumer.op.vjp(row, leaf, [i == edge.index for i in range(len(args))], NONE)[edge.index]
        assert part is not None, "an edge of the sweep passes something on"
        return self.point.of(unbroadcast(part, edge.argument.shape), leaf)

    def formula(self, form: f.Formula, args: Sequence[Node | Array], out: Node | Array | None = None) -> Array:
        """The value of a formula over rows, each read only when it occurs, or arrays, perhaps with its own value."""
        form, own = sized(form, self.point.sizes), PLACEHOLDERS[len(args)]
        read = {PLACEHOLDERS[i]: args[i] for i in f.arguments(form)} | ({own: out} if f.has(form, f.Out) else {})
        given = {leaf: self.point.value(row) if isinstance(row, Node) else row for leaf, row in read.items()}
        with np.errstate(all="ignore"):
            return evaluate_expr(np, to_sympy(form, out=own), given)


def summed(value: Array, shape: tuple[int, ...]) -> Array:
    """Summed over the axes that NumPy's broadcasting adds to ``shape``."""
    value = np.asarray(value)
    lead = value.ndim - len(shape)
    value = value.sum(axis=tuple(range(lead))) if lead else value
    wide = tuple(i for i, (have, want) in enumerate(zip(value.shape, shape, strict=True)) if want == 1 and have != 1)
    return value.sum(axis=wide, keepdims=True) if wide else value
