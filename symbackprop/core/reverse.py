"""The reverse sweep: cotangents flow from the outputs to the rows asked for, each row visited once.

The sweep is the whole of backpropagation; the rules live in the op records. It is iterative, computes nothing that no
wanted row needs, sums over broadcast axes in this one place, and checks the shape of every cotangent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from symbackprop.core.build import unbroadcast
from symbackprop.core.graph import Node, Operand, label
from symbackprop.core.hazards import LINEAR, NONE
from symbackprop.core.selection import Idle, is_choice
from symbackprop.core.settling import Part, Settled, Settling
from symbackprop.core.shapes import is_one, same, same_shape, shape_text
from symbackprop.errors import ModelError, ShapeError


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
    graph, count = output.graph, output.graph.count
    upstream, *rows = map(graph.lift, (1 if seed is None else seed, *wrt))
    if not same_shape(upstream.shape, output.shape):
        given = shape_text(upstream.shape)
        raise ShapeError(f"seed is the upstream gradient of {name} and has its shape, {shape}, not {given}")
    found = vjp([output], [upstream], rows)
    fresh = {row.id: (output, w, upstream) for w, row in zip(rows, found, strict=True) if row.id >= count}
    graph.gradients = fresh | graph.gradients
    return found


def vjp(
    outputs: Sequence[Node], upstream: Sequence[Node], wrt: Sequence[Node], stop: frozenset[int] = frozenset()
) -> list[Node]:
    """The vector-Jacobian products Σ_o upstream_oᵀ ∂o/∂w for every w in ``wrt``; zero where w is not reached."""
    return totals(sweep(outputs, upstream, wrt, stop), wrt)


def totals(settled: Iterable[Settled], wrt: Sequence[Node]) -> list[Node]:
    """What a sweep has found for every w; zero where it did not come there."""
    found = {s.node.id: s.total for s in settled}
    return [found[w.id] if w.id in found else w.graph.full(0, w.shape) for w in wrt]


def sweep(
    outputs: Sequence[Node],
    upstream: Sequence[Node],
    wrt: Sequence[Node],
    stop: frozenset[int] = frozenset(),
    idle: Idle | None = None,
    fused: bool = False,
) -> Iterator[Settled]:
    """Every row between ``wrt`` and the outputs with its cotangent, each after all that read it.

    Rows in ``stop`` are treated as leaves (the carried values of a loop body). ``idle`` is given where the upstream
    gradients are 0 for what was not selected. ``fused``: no cotangent is set apart, formulas are written out as far as
    they go.
    """
    graph = outputs[0].graph
    order = graph.topological(outputs, stop)
    needed = needed_rows(order, wrt, stop)
    idle = idle or Idle(order, {o.id: LINEAR for o in outputs}, stop, needed)
    settling = Settling(outputs, upstream, wrt, fused)
    parts: dict[int, list[Part]] = {}
    for output, seed in zip(outputs, upstream, strict=True):
        parts.setdefault(output.id, []).append(Part(seed, None, 0))
    with graph.evaluating():
        for node in reversed(order):
            if node.id in needed and node.id in parts:
                yield (settled := settling.settle(node, parts.pop(node.id)))
                for part in passed_on(settled, needed, idle) if node.args and node.id not in stop else ():
                    parts.setdefault(node.args[part.index].id, []).append(part)


def passed_on(settled: Settled, needed: set[int], idle: Idle) -> Iterator[Part]:
    """What the derivative rule of a row makes of its cotangent, for every argument that needs it."""
    node, chosen = settled.node, settled.chosen
    outside = chosen and node.form is not None  # the rule writes its product inside the choice
    hazards = idle.rows[node.id] & LINEAR if outside else idle.of(node)
    wanted = [a.id in needed for a in node.args]
    cotangents = node.op.vjp(node, settled.upstream, wanted, hazards)
    if len(cotangents) != len(wanted):
        raise AssertionError(f"the rule of {node.op.name} gives {len(cotangents)} cotangents, not {len(wanted)}")
    chosen = chosen or hazards in (NONE, LINEAR)
    for i, (row, want) in enumerate(zip(cotangents, wanted, strict=True)):
        if want and row is not None:
            yield Part(fitted(row, node, i), node, i, chosen and is_choice(row, node.args[i]))


def fitted(row: Node, node: Node, i: int) -> Node:
    """The cotangent of argument i in its shape, summed over the axes along which the argument was broadcast; one that
    is no such thing comes from a wrong derivative rule."""
    shape = node.args[i].shape
    if same_shape(row.shape, shape) or node.is_result:
        return row
    lead = row.ndim - len(shape)
    if lead < 0 or not all(is_one(d) or same(d, wide) for d, wide in zip(shape, row.shape[lead:], strict=True)):
        argument = f"{label(node.args[i])} ({shape_text(shape)})"
        raise AssertionError(f"the rule of {node.op.name} gives {shape_text(row.shape)} as the cotangent of {argument}")
    return unbroadcast(row, shape)


def needed_rows(order: Sequence[Node], wrt: Sequence[Node], stop: frozenset[int] = frozenset()) -> set[int]:
    """The rows between ``wrt`` and the outputs: the only ones whose cotangents are computed."""
    needed = {w.id for w in wrt}
    for node in order:
        if node.id not in stop and not needed.isdisjoint([a.id for a in node.args]):
            needed.add(node.id)
    return needed
