"""Loops as statements: what is carried, what is read at every step, what is stacked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from symbackprop.codegen.program import Assign, Block, Element, For, Store
from symbackprop.codegen.rows import Rows, sharing
from symbackprop.codegen.tree import Expr, index, name
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop

if TYPE_CHECKING:
    from symbackprop.codegen.schedule import Scheduler


class LoopBuilder:
    """Builds the statement of one loop. ``results`` are the rows of its results that are read; ``rows`` and ``names``
    are the rows around it and their variables."""

    def __init__(self, scheduler: Scheduler, rows: Rows, scan: Node, results: Iterable[Node],
                 names: Mapping[int, Expr]) -> None:
        self.scheduler, self.rows, self.variables = scheduler, rows, scheduler.variables
        self.scan, self.names = scan, names
        self.loop: Loop = scan.attr
        self.index = scheduler.open_index(self.loop.index)
        results = list(results)
        self.wanted = {row.attr: row for row in results if row.op.name == "out"}
        self.before = {s.after.id: row for row in results if (s := self.rows.states(row)) is not None}
        n = len(self.loop.carry)
        self.stacked = [(out, self.loop.results()[k]) for k, out in self.wanted.items() if k >= n]
        self.roots = [*self.loop.carried, *[row for _, row in self.stacked]]

    def statement(self) -> For:
        loop, carry = self.loop, [self.variables.of(leaf) for leaf in self.loop.carry]
        target = self.scheduler.target
        known, elements = self._known()
        body = self.scheduler.block(self.roots, known)
        self.scheduler.close_index()
        moved = zip(carry, loop.carried, loop.carry, strict=True)
        return For(
            self.index, loop.length, loop.reverse,
            tuple(Assign(name, a, kind=c.kind) for name, a, c in zip(carry, self.scan.args, loop.carry, strict=False)),
            elements,
            body,
            tuple((name, target.converted(body.names[row.id], leaf.kind)) for name, row, leaf in moved),
            tuple(self._store(out, row, body) for out, row in self.stacked),
            tuple((self._name(out), carry[k]) for k, out in self.wanted.items() if k < len(carry)),
            kept_apart(body, [body.variable(row) for row in lasting(loop.carried) if row.id in body.names]),
            self._fixed(),
        )

    def _name(self, row: Node) -> str:
        return self.names[row.id].variable or ""

    def _known(self) -> tuple[dict[int, Expr], tuple[Element, ...]]:
        """The leaves of the body and what was computed before the loop; sequences' elements that are read more than
        once get a variable, others are read in place, as c[t], where the target can."""
        loop, n, m = self.loop, len(self.loop.carry), len(self.loop.sequences)
        known = {leaf.id: self.variables.expr(leaf) for leaf in loop.carry}
        fixed = zip(loop.invariants, self.scan.args[n + m :], strict=True)
        known |= {leaf.id: self.names[a.id] for leaf, a in fixed}
        moving = [*zip(loop.sequences, self.scan.args[n : n + m], strict=True), *self.rows.hoisted(self.scan)]
        inside = self.rows.within({*known, *[row.id for row, _ in moving]})
        counts = inside.uses(inside.order(self.roots, inside.given), self.roots)
        elements = []
        for row, outer in moving:
            stack, target = self.names[outer.id], self.scheduler.target
            place = Expr(index(stack.code, name(self.index)), row.shape, stack.kind)
            known[row.id] = target.converted(place, row.kind)
            if counts.get(row.id, 0) > (0 if target.names_elements else 1):
                known[row.id] = self.variables.expr(row)
                elements.append(Element(self.variables.of(row), stack, row.kind, row.shape))
        return known, tuple(elements)

    def _store(self, out: Node, row: Node, body: Block) -> Store:
        """Where a body row goes at every step, and the states before each step where they are read."""
        stack, value, before = self._name(out), body.names[row.id], self.before.get(out.id)
        if before is None:
            return Store(stack, value, out.shape, out.kind)
        carry = next(c for c, carried in zip(self.loop.carry, self.loop.carried, strict=True) if carried is row)
        buffer = self.variables.scope.fresh(f"{stack}_states")
        return Store(stack, value, out.shape, out.kind, (buffer, self._name(before), self.variables.of(carry)))

    def _fixed(self) -> tuple[tuple[str, str], ...]:
        """Matrices that every step reads, and what their transposes are called."""
        matrices = [a for a in self.scan.args[-len(self.loop.invariants) :] if a.ndim == 2]
        names = dict.fromkeys(self._name(a) for a in matrices if self.loop.invariants)
        return tuple((name, self.variables.turned(name)) for name in names if name)


def kept_apart(body: Block, names: Collection[str]) -> frozenset[str]:
    """The variables, and the arrays that those of them are views of which loops inside stack."""
    stores = [s for inner in body.statements if isinstance(inner, For) for s in inner.stores if s.states is not None]
    return frozenset(names) | {s.states[0] for s in stores if s.states and not {s.stack, s.states[1]}.isdisjoint(names)}


def lasting(carried: Iterable[Node]) -> Iterator[Node]:
    """The rows whose memory the next step may still read: what is carried, as a view or handed through a loop inside,
    whose last values may be any of its first."""
    pending = list(carried)
    while pending:
        for row in sharing(pending.pop()):
            yield row
            if row.op.name == "out":
                scan: Node = row.args[0]
                pending += scan.args[: len(scan.attr.carry)] if row.attr < len(scan.attr.carry) else ()
