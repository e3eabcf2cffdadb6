"""The forward sweep: tangents flow from the rows asked for to the outputs, each row visited once.

A tangent is the derivative along a direction. No op has a rule for it: what an op is linear in is computed again from
the tangents (its entry form says what that is), the entries of an elementwise row have derivatives of their own, and
any other derivative rule, which is linear in the upstream gradient, is transposed. A loop has a second one at its side,
over the same steps, whose body is that of the tangents. So gradients can be pushed forwards: a Hessian-vector product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from symbackprop.core import build, selection
from symbackprop.core.accumulate import total
from symbackprop.core.facts import kind
from symbackprop.core.graph import FLOAT, Graph, Node, Operand, label
from symbackprop.core.hazards import INFINITE, NONE, Hazards
from symbackprop.core.loops import Loop, body_leaf, copy_row, kept_for, make_scan, stack_of
from symbackprop.core.names import dotted
from symbackprop.core.reverse import vjp
from symbackprop.core.shapes import same_shape, shape_text
from symbackprop.errors import ModelError, ShapeError

Found: TypeAlias = dict[int, Node]


def jvp(rows: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Operand]) -> list[Node]:
    """Σ_w ∂row/∂w · tangent_w for every row, as rows of the same table, so they can be differentiated again.

    Each tangent has the shape of its w, or is a number. Raises `ModelError` for what is no rows of one model,
    `ShapeError` for a tangent of another shape.
    """
    if isinstance(rows, Node) or isinstance(wrt, Node) or not all(isinstance(r, Node) for r in (*rows, *wrt)):
        raise ModelError("jvp takes lists of rows and a tangent for each of the second, as in jvp([Y], [W], [V])")
    if len(wrt) != len(tangents):
        raise ModelError(f"jvp takes a tangent for each row, but of {len(wrt)} rows there are {len(tangents)}")
    if not rows:
        return []
    graph, count = rows[0].graph, rows[0].graph.count
    outputs, given = [graph.lift(r) for r in rows], [graph.lift(w) for w in wrt]
    directions = [_fitting(graph.lift(t), w) for t, w in zip(tangents, given, strict=True)]
    found = pushed(outputs, given, directions)
    for output, row in zip(outputs, found, strict=True):
        if row.id >= count:
            graph.tangents.setdefault(row.id, (output, tuple(given), tuple(directions)))
    return found


def _fitting(tangent: Node, w: Node) -> Node:
    if same_shape(tangent.shape, w.shape):
        return tangent
    if tangent.value is not None:
        return w.graph.full(tangent.value, w.shape)
    given = shape_text(tangent.shape)
    raise ShapeError(f"the tangent of {label(w)} has its shape, {shape_text(w.shape)}, not {given}")


def pushed(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node]) -> list[Node]:
    """The tangents of the outputs; zero where none comes."""
    graph, given = outputs[0].graph, dict(zip([w.id for w in wrt], tangents, strict=True))
    return totals(Push(graph, graph.count).run(outputs, given), outputs)


def totals(found: Mapping[int, Node], outputs: Iterable[Node]) -> list[Node]:
    """What was found for every output; zero where there is nothing."""
    return [found[o.id] if o.id in found else o.graph.full(0, o.shape) for o in outputs]


@dataclass
class Push:
    """One forward sweep. ``pairs`` are the rows that it has come to with their tangents, those in bodies too; a tangent
    is one of the rows that are new behind ``count``."""

    graph: Graph
    count: int
    pairs: list[tuple[Node, Node]] = field(default_factory=list)

    def run(self, outputs: Sequence[Node], given: Mapping[int, Node]) -> Found:
        """The tangents, by the ids of rows, of all that the outputs are computed from; of ``given`` rows they are
        known."""
        found = {i: t for i, t in given.items() if t.value != 0}
        reach = Reach(dict.fromkeys(found, NONE))
        reach.run(self.graph.topological(outputs))
        with self.graph.evaluating():
            self.through(outputs, found, reach)
        return found

    def through(self, outputs: Sequence[Node], found: Found, reach: Reach, stop: frozenset[int] = frozenset()) -> None:
        order = self.graph.topological(outputs, stop)
        results: dict[int, list[Node]] = {}
        readers: dict[int, int] = {}
        for node in order:
            if node.is_result:
                results.setdefault(node.args[0].id, []).append(node)
            for a in node.args if node.id in reach.rows else ():
                readers[a.id] = readers.get(a.id, 0) + 1
        for node in order:
            if node.id in found or node.id in stop:
                continue
            if node.id in reach.bodies:
                read = results.get(node.id, [])
                found |= Beside(self, node, found, reach.bodies[node.id]).tangents(read)
                self.pairs += [(row, found[row.id]) for row in read if row.id in found]
            elif node.id in reach.rows and not node.is_result:
                tangent = self._tangent(node, found, reach)
                if tangent is not None and tangent.value != 0:
                    found[node.id] = self._settled(node, tangent, readers.get(node.id, 0))

    def _settled(self, node: Node, tangent: Node, readers: int) -> Node:
        """A tangent that is read several times, or of a row with a name, is an operand of its own."""
        self.pairs.append((node, tangent))
        if tangent.id >= self.count and (readers > 1 or node.whole):
            self.graph.set_apart(tangent)
        return tangent

    def _tangent(self, node: Node, found: Found, reach: Reach) -> Node | None:
        tangents = {i: found[a.id] for i, a in enumerate(node.args) if a.id in found}
        if not tangents:
            return None
        if node.form is not None:
            return _elementwise(node, tangents, reach)
        facts = kind(node)
        if facts.together:
            zeros = {i: self.graph.full(0, a.shape) for i, a in enumerate(node.args) if i not in facts.indices}
            return self.graph.again(node, [(zeros | tangents).get(i, a) for i, a in enumerate(node.args)])
        if facts.each >= tangents.keys():
            return total([_with(node, i, t) for i, t in tangents.items()])
        if node.op.symmetric:
            return node.op.vjp(node, tangents[0], [True], NONE)[0]
        return _transposed(node, tangents)


def _with(node: Node, place: int, tangent: Node) -> Node:
    """The same row with a tangent in the place of an argument."""
    return node.graph.again(node, [tangent if i == place else a for i, a in enumerate(node.args)])


def _elementwise(node: Node, tangents: Mapping[int, Node], reach: Reach) -> Node | None:
    """Σ tangent · ∂f/∂x_i, entry by entry: what the derivative rule makes of a cotangent as well."""
    chosen = selection.tangent_of_choice(node, tangents)
    if chosen is not None:
        return node.graph.broadcast(chosen, node.shape)
    parts = []
    for i, tangent in tangents.items():
        wanted = [k == i for k in range(len(node.args))]
        part = node.op.vjp(node, tangent, wanted, reach.rows.get(node.args[i].id, NONE))[i]
        parts += [part] if part is not None else []
    return node.graph.broadcast(total(parts), node.shape) if parts else None


def _transposed(node: Node, tangents: Mapping[int, Node]) -> Node:
    """A derivative rule is linear in its upstream gradient u: ⟨t, rule(u)⟩ has the gradient J t in u, whatever u is."""
    u = body_leaf(node.graph, "u", node.shape, "upstream")
    cotangents = node.op.vjp(node, u, [i in tangents for i in range(len(node.args))], NONE)
    rows = {i: build.unbroadcast(row, node.args[i].shape) for i, row in enumerate(cotangents) if row is not None}
    shared = [i for i in tangents if i in rows]
    if not shared:
        return node.graph.full(0, node.shape)
    return _at_zero(u, vjp([rows[i] for i in shared], [tangents[i] for i in shared], [u])[0])


def _at_zero(u: Node, row: Node) -> Node:
    """A row with 0 in the place of what its value does not depend on: a rule may be linear without looking so."""
    moved = {u.id: row.graph.full(0, u.shape)}
    for node in row.graph.topological([row]):
        args = [moved.get(a.id, a) for a in node.args]
        if any(a is not b for a, b in zip(args, node.args, strict=True)):
            moved[node.id] = copy_row(node, args, moved)
    return moved.get(row.id, row)


class Reach:
    """The rows that tangents come to, by their ids, and what is idle there (see `selection.idle_forwards`); ``bodies``
    are those inside of loops, ``results`` those of loops by their numbers."""

    def __init__(self, seeds: Mapping[int, Hazards]) -> None:
        self.rows = dict(seeds)
        self.bodies: dict[int, Reach] = {}
        self.results: dict[int, dict[int, Hazards]] = {}

    def run(self, order: Iterable[Node], stop: frozenset[int] = frozenset()) -> None:
        for node in order:
            if node.id not in self.rows and node.id not in stop:
                self._row(node)

    def _row(self, node: Node) -> None:
        if node.is_result:
            idle = self.results.get(node.args[0].id, {}).get(node.attr)
            if idle is not None:
                self.rows[node.id] = idle
        elif not any(a.id in self.rows and selection.has_influence(node, i) for i, a in enumerate(node.args)):
            return
        elif node.is_loop:
            self._loop(node)
        elif node.kind == FLOAT and not node.op.held:
            self.rows[node.id] = selection.idle_forwards(node, self.rows)

    def _loop(self, scan: Node) -> None:
        loop: Loop = scan.attr
        leaves = zip(loop.leaves(), scan.args, strict=True)
        seeds = {leaf.id: self.rows[a.id] for leaf, a in leaves if a.id in self.rows and leaf.kind == FLOAT}
        while True:
            inside = Reach(seeds)
            inside.run(loop.rows(), loop.stop)
            carried = {leaf.id: seeds.get(leaf.id, INFINITE) & inside.rows[row.id]
                       for leaf, row in zip(loop.carry, loop.carried, strict=True)
                       if row.id in inside.rows and leaf.kind == FLOAT}
            if seeds == seeds | carried:
                break
            seeds |= carried
        self.bodies[scan.id] = inside
        self.results[scan.id] = {k: inside.rows[leaf.id] for k, leaf in enumerate(loop.carry) if leaf.id in inside.rows}
        n = len(loop.carry)
        self.results[scan.id] |= {n + k: inside.rows[row.id] for k, row in enumerate(loop.stacked)
                                  if row.id in inside.rows}


class Beside:
    """The loop of the tangents beside one loop: over the same steps in the same order, reading what that computes."""

    def __init__(self, push: Push, scan: Node, found: Mapping[int, Node], inside: Reach) -> None:
        self.push, self.scan, self.found, self.inside = push, scan, found, inside
        self.graph, self.loop, self.args = scan.graph, scan.attr, dict[int, Node]()
        outer = zip(self.loop.leaves(), scan.args, strict=True)
        self.args = {leaf.id: self._tangent(a) for leaf, a in outer if leaf.id in inside.rows}
        self.leaves = {leaf.id: self._leaf(leaf) for leaf in self.loop.leaves() if leaf.id in self.args}

    def _tangent(self, row: Node) -> Node:
        return totals(self.found, [row])[0]

    def _leaf(self, leaf: Node) -> Node:
        name = dotted(leaf.name or leaf.wish or "x")
        tangent = body_leaf(self.graph, name, leaf.shape, "tangent", of=self.args[leaf.id])
        self.push.pairs.append((leaf, tangent))
        return tangent

    def tangents(self, results: Sequence[Node]) -> Found:
        """The tangents of the loop's results, by their ids."""
        loop, inside = self.loop, dict(self.leaves)
        self.push.through(loop.results(), inside, self.inside, loop.stop)
        carry = [k for k, leaf in enumerate(loop.carry) if leaf.id in self.leaves]
        carried = totals(inside, [loop.carried[k] for k in carry])
        stacked = {out.id: inside[row.id] for out in results
                   if out.attr >= len(loop.carry) and (row := loop.results()[out.attr]).id in inside}
        scan = self._scan([loop.carry[k] for k in carry], carried, list(stacked.values()))
        last = {out.id: self.graph.result(scan, carry.index(out.attr)) for out in results if out.attr in carry}
        return last | {i: stack_of(scan, row) for i, row in stacked.items()}

    def _scan(self, carry: Sequence[Node], carried: list[Node], stacked: list[Node]) -> Node:
        loop, own = self.loop, self.leaves
        moving, fixed = ([x for x in leaves if x.id in own] for leaves in (loop.sequences, loop.invariants))
        kept = kept_for(self.scan, [*carried, *stacked], own.values())
        body = Loop(
            loop.length, [own[c.id] for c in carry], [*[own[x.id] for x in moving], *kept],
            [*[own[x.id] for x in fixed], *loop.invariants], carried, [], loop.reverse, loop.index,
            first=loop.first,
        )
        outer = [self.args[x.id] for x in (*carry, *moving)]
        outer += [stack_of(self.scan, row) for row in kept] + [self.args[x.id] for x in fixed]
        return make_scan(self.graph, body, [*outer, *self.scan.args[len(loop.carry) + len(loop.sequences) :]])
