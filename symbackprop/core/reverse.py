"""The reverse sweep: cotangents flow from the outputs to the rows asked for, each row visited once.

The sweep is the whole of backpropagation; the rules live in the op records. It is iterative, computes nothing that no
wanted row needs, sums over broadcast axes in this one place, and checks the shape of every cotangent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from symbackprop.core import masks
from symbackprop.core.accumulate import total
from symbackprop.core.build import unbroadcast
from symbackprop.core.graph import Node, Operand, label
from symbackprop.core.hazards import NONE
from symbackprop.core.selection import Idle
from symbackprop.core.shapes import same_shape, shape_text
from symbackprop.errors import ModelError, ShapeError


@dataclass(slots=True)
class Part:
    """One contribution to a row's cotangent: its value, and the consumer and argument place it came through.
    ``chosen`` says that its value is a ``where`` that holds all that was chosen on the way."""

    value: Node
    consumer: Node | None
    index: int
    chosen: bool = False


class Observer(Protocol):
    """Sees every row's contributions; returns the row's cotangent. ``looped`` tells of a loop swept through."""

    def settle(self, node: Node, parts: Sequence[Part]) -> Node: ...

    def looped(self, node: Node, reverse: Node) -> None: ...


class Sum:
    """The observer that only adds."""

    def settle(self, node: Node, parts: Sequence[Part]) -> Node:
        return total([p.value for p in parts])

    def looped(self, node: Node, reverse: Node) -> None:
        pass


def grad(output: Node, wrt: Sequence[Node], seed: Operand | None = None) -> list[Node]:
    """∂output/∂w for every w, as rows of the same table, so they can be differentiated again.

    ``output`` is a scalar unless ``seed`` (its upstream gradient, of its shape) is given. Raises `ModelError` for what
    is no row of one model, `ShapeError` for a seed of another shape.
    """
    if not isinstance(output, Node) or isinstance(wrt, Node) or not all(isinstance(w, Node) for w in wrt):
        raise ModelError("grad takes a row and a list of rows, as in grad(L, [w])")
    name, shape = label(output), shape_text(output.shape)
    if seed is None and output.shape:
        raise ShapeError(f"{name} is not a scalar ({shape}): give its upstream gradient as seed=")
    graph, count = output.graph, len(output.graph.nodes)
    upstream, *rows = map(graph.lift, (1 if seed is None else seed, *wrt))
    if not same_shape(upstream.shape, output.shape):
        given = shape_text(upstream.shape)
        raise ShapeError(f"seed is the upstream gradient of {name} and has its shape, {shape}, not {given}")
    found = vjp([output], [upstream], rows)
    fresh = {row.id: (output, w, upstream) for w, row in zip(rows, found, strict=True) if row.id >= count}
    graph.gradients = fresh | graph.gradients
    return found


def vjp(
    outputs: Sequence[Node],
    upstream: Sequence[Node],
    wrt: Sequence[Node],
    observer: Observer | None = None,
    stop: frozenset[int] = frozenset(),
    idle: Idle | None = None,
) -> list[Node]:
    """The vector-Jacobian products Σ_o upstream_oᵀ ∂o/∂w for every w in ``wrt``; zero where w is not reached.

    Rows in ``stop`` are treated as leaves (the carried values of a loop body). ``idle`` is given where the upstream
    gradients are 0 for what was not selected.
    """
    sweep = Sweep(outputs, wrt, observer or Sum(), stop, idle)
    with outputs[0].graph.evaluating():
        sweep.run(outputs, upstream)
    return [sweep.cotangents[w.id] if w.id in sweep.cotangents else w.graph.full(0, w.shape) for w in wrt]


class Sweep:
    """State of one reverse sweep."""

    def __init__(
        self,
        outputs: Sequence[Node],
        wrt: Sequence[Node],
        observer: Observer,
        stop: frozenset[int],
        idle: Idle | None = None,
    ) -> None:
        self.order = outputs[0].graph.topological(outputs, stop)
        self.needed = needed_rows(self.order, wrt, stop)
        self.idle = idle or Idle(self.order, {o.id: NONE for o in outputs}, stop, self.needed)
        self.observer, self.stop = observer, stop
        self.parts: dict[int, list[Part]] = {}
        self.projections: dict[int, dict[int, Node]] = {}
        self.cotangents: dict[int, Node] = {}

    def add(self, node: Node, part: Part) -> None:
        if node.id in self.needed:
            self.parts.setdefault(node.id, []).append(part)

    def run(self, outputs: Sequence[Node], upstream: Sequence[Node]) -> None:
        for node, seed in zip(outputs, upstream, strict=True):
            self.add(node, Part(seed, None, 0))
        for node in reversed(self.order):
            if node.id not in self.needed:
                continue
            if node.op.vjp_all is not None and node.id in self.projections:
                self._pass_on_all(node)
            elif node.id in self.parts:
                self._settle(node)

    def _settle(self, node: Node) -> None:
        parts = self.parts.pop(node.id)
        cotangent = self.cotangents[node.id] = self.observer.settle(node, parts)
        check_shape(node, cotangent)
        if node.id in self.stop:
            return
        if node.op.projects:
            self.projections.setdefault(node.args[0].id, {})[node.attr] = cotangent
            return
        chosen = len(parts) == 1 and parts[0].chosen
        for i, a in enumerate(node.args):
            if a.id in self.needed:
                self._pass_on(node, i, cotangent, chosen)

    def _pass_on(self, node: Node, i: int, cotangent: Node, chosen: bool) -> None:
        a, idle = node.args[i], self.idle.rows.get(node.id, NONE)  # none: zeros from a loop that does not read it
        value = masks.contribution(node, i, cotangent, idle, chosen)
        if value is not None:
            kept = (chosen or not idle) and same_shape(value.shape, a.shape) and masks.zero_branch(value) is not None
            self.add(a, Part(unbroadcast(value, a.shape), node, i, kept))

    def _pass_on_all(self, node: Node) -> None:
        """An op with several outputs gets all their cotangents at once."""
        assert node.op.vjp_all is not None
        wanted = [a.id in self.needed for a in node.args]
        idle = self.idle.results.get(node.id, {})
        reverse, parts = node.op.vjp_all(node, self.projections.pop(node.id), wanted, idle)
        self.observer.looped(node, reverse)
        for i, part in enumerate(parts):
            if part is not None and wanted[i]:
                self.add(node.args[i], Part(part, node, i))


def needed_rows(order: Sequence[Node], wrt: Sequence[Node], stop: frozenset[int] = frozenset()) -> set[int]:
    """The rows between ``wrt`` and the outputs: the only ones whose cotangents are computed."""
    needed = {w.id for w in wrt}
    for node in order:
        if node.id not in stop and any(a.id in needed for a in node.args):
            needed.add(node.id)
    return needed


def check_shape(node: Node, cotangent: Node) -> None:
    """A cotangent has its row's shape; anything else is a wrong derivative rule."""
    if not same_shape(cotangent.shape, node.shape):
        raise AssertionError(
            f"the gradient of {label(node)} ({node.op.name}) has shape {shape_text(cotangent.shape)}, "
            f"expected {shape_text(node.shape)}"
        )
