"""The end of a derivation: every gradient with its shape and cost, what forward stores, the update rules.

A cost is multiplications, counted as `core.costs` does. A row that an earlier step has computed or that forward hands
over is not counted again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby

import sympy as sp

from symbackprop.core.costs import multiplications, unshared
from symbackprop.core.graph import Node, arguments_first, reached
from symbackprop.core.loops import Loop
from symbackprop.core.maths import Derivative, Marked, Math, Sum, Sym, Words, chain, equal
from symbackprop.core.names import free_name
from symbackprop.derive.record import Edge
from symbackprop.render.abridging import DOTS
from symbackprop.render.context import Context, is_loop
from symbackprop.render.document import Line, Prose, Row, Step, listed
from symbackprop.render.factors import edge_factor
from symbackprop.render.rows import Rows
from symbackprop.render.symbols import Located, LoopMark


class Results:
    """The closing table of a document."""

    def __init__(self, context: Context, layout: str, of_rows: bool) -> None:
        self.context, self.rows, self.layout, self.of_rows = context, context.rows, layout, of_rows
        self.known = self._known()
        self.apart = self.known | context.from_forward.found | {
            x.loop.reverse.id for x in context.located if isinstance(x, LoopMark)}

    def _known(self) -> frozenset[int]:
        """The rows that backward has from forward: not those that it computes again."""
        d = self.context.derivation
        rows = d.model.graph.nodes
        return frozenset(i for i in d.forward_ids & rows.keys() if self.context.from_forward.is_kept(rows[i]))

    def _costs(self, anchors: Container[str]) -> dict[str, sp.Expr]:
        """Multiplications by anchor of those steps; a loop's stand at its heading."""
        known = set(self.known)
        costs: dict[str, sp.Expr] = {}
        for s in self.context.located:
            if not s.depth:
                row = s.step.total if isinstance(s, Located) else s.loop.reverse
                if s.anchor in anchors:
                    costs[s.anchor] = multiplications([row], known)
                known.add(row.id)
        return costs

    @cached_property
    def total_cost(self) -> Math:
        """What all gradients asked for need: not what only steps need that nothing comes of."""
        return self._cost(multiplications(self.context.derivation.gradients.values(), self.known))

    def costs_said(self, stored: Sequence[Node]) -> Prose:
        """The cost of forward and backward, of backward where nothing is shared, and what forward stores."""
        d = self.context.derivation
        forward = self._cost(multiplications(d.model.results(), ()))
        anew = unshared(d.gradients.values())
        each: Prose = () if anew is None else (" (", self._cost(anew), " if every path were computed anew)")
        return ("Multiplications: forward ", forward, "; the whole backward pass ", self.total_cost, *each,
                ". Forward stores: ", *listed(self.rows.named(stored)), ".")

    def _cost(self, cost: sp.Expr) -> Math:
        return self.rows.size(cost)

    def table(self, steps: Mapping[str, Step]) -> tuple[Row, ...]:
        """A row for every gradient whose step is printed, and for those that have none; one for all others, where they
        stand, or last where they stand in several places."""
        known, names = self.context.by_target, self.context.derivation.model.graph.names
        found = [(name, known.get(names[name].id)) for name in self.context.derivation.wrt]
        self.costs = self._costs({s.anchor for _, s in found if s is not None} & steps.keys())
        runs = [(shown, [name for name, _ in run])
                for shown, run in groupby(found, lambda x: x[1] is None or x[1].anchor in steps)]
        if len(runs) > 3:
            runs = [(shown, [name for x, run in runs if x is shown for name in run]) for shown in (True, False)]
        return tuple([row for shown, run in runs for row in (
            [self._row(name, steps) for name in run] if shown else [_left_out(len(run))])])

    def _row(self, name: str, steps: Mapping[str, Step]) -> Row:
        node = self.context.derivation.model.graph.names[name]
        s = self.context.by_target.get(node.id)
        if s is None:
            return self._zero(name, node)
        stores = tuple(self.rows.named(self.context.stored(s)))
        gradient = self._gradient(s, steps[s.anchor])
        cost = self._cost(self.costs[s.anchor] + self._in_loops(s.step.total))
        return Row(name, s.anchor, self.rows.bare(node), gradient, self._shape(node), cost, stores)

    def _in_loops(self, total: Node) -> sp.Expr:
        """What the steps of loops backwards compute for this gradient alone, such as δ_t·x_t for a sum over t."""
        own, apart = self.context.from_forward.own, self.apart
        cost: sp.Expr = sp.S.Zero
        above = arguments_first(total.args, lambda row: () if row.is_result else row.args, apart)
        for row in [*([] if total.is_result else above), total]:
            if row.is_result and row.args[0].attr.forward is not None:
                loop = row.args[0].attr
                part = loop.results()[row.attr]
                if part.id not in own:
                    stop = apart.union(loop.stop) - {part.id}
                    cost += loop.length * (multiplications([part], stop) + self._in_loops(part))
        return cost

    def _zero(self, name: str, node: Node) -> Row:
        """A parameter without influence."""
        zero = self.rows.filled(sp.S.Zero, node.shape)
        return Row(name, "", self.rows.bare(node), zero, self._shape(node), self._cost(sp.S.Zero), ())

    def _shape(self, node: Node) -> Math | None:
        shape = node.shape
        if self.layout == "jacobian" and node.ndim in (1, 2):
            shape = (sp.S.One, *shape) if node.ndim == 1 else shape[::-1]
        return self.context.shape(shape)

    def _gradient(self, s: Located, step: Step) -> Math:
        """As code computes it, from the gradients before it; a long form with the names that its step gave to parts."""
        through_loop = any(is_loop(g) for g in s.groups)
        named = any(line.kind == "part" for line in step.lines)
        if through_loop or self.of_rows or named or step.lines[-1].kind == "layout":
            return step.lines[-1].right
        total = s.step.total
        own = self.rows.symbols.get(total.id)
        return self.rows.row(total) if own is None or own == self.rows.linked[s.step.target.id] else own

    def stored(self, rows: Sequence[Node]) -> list[Node]:
        """The rows of the forward pass that the gradients need, in order; one without a name before what reads it."""
        needed = {row.id for row in reached(self.context.derivation.gradients.values(), self._needs)}
        found = {row.id for s in self.context.steps if s.step.total.id in needed for row in self.context.stored(s)}
        results = [row for row in rows if row.id in found and row.is_result]
        stacks = [(row.args[0].attr, row.attr) for row in results if row.attr >= len(row.args[0].attr.carry)]
        found -= {loop.results()[place].id for loop, place in stacks}  # the stack says it
        return [x for x in self._with_parts(rows) if x.id in found]

    def _needs(self, row: Node) -> Sequence[Node]:
        """What a gradient is computed from, in loops backwards too, up to the rows of the forward pass."""
        return () if row.id in self.known else [*row.args, *(row.attr.results() if isinstance(row.attr, Loop) else ())]

    def _with_parts(self, rows: Sequence[Node]) -> Iterator[Node]:
        """The rows, each behind what it is computed from that is not among them, leaves of a loop's body too."""
        seen = {row.id for row in rows}
        for row in rows:
            handed = row.attr.carried if isinstance(row.attr, Loop) else ()
            below = [x for x in (*row.args, *[x for x in handed if x.is_leaf]) if x.id not in seen]
            parts = arguments_first(below, lambda x: x.args, seen) if below else ()
            seen.update([x.id for x in parts])
            yield from [*parts, row]


def _left_out(count: int) -> Row:
    """What stands for gradients whose steps are not printed."""
    return Row("", "", DOTS, Words(f"{count} more"), DOTS, DOTS, (DOTS,))


def updates(context: Context, gradient: Callable[[Node], Math], most: int) -> tuple[Line, ...]:
    """Gradient descent, w_new = w_old − η·dL/dw, for the parameters of a model with a loss; for more than ``most``
    in one line."""
    model = context.derivation.model
    params = [p for name, p in model.params.items() if name in context.wanted and p.id in context.by_target]
    if model.loss_row is None or not params:
        return ()
    if len(params) > most:
        return (_update_of_all(context),)
    return tuple([_update(context, context.rows.plain[p.id], gradient(p)) for p in params])


def beyond(context: Context) -> tuple[Prose, ...]:
    """∇_θ J = J·(1 − J)·∇_θ s, of what a model computes from its loss s alone."""
    r, loss = context.rows, context.loss
    rows = [row for row in context.derivation.forward if row.form is not None and row.args == (loss,)]
    theta = _any_parameter(r)
    gradient = _gradient_in(r, theta)
    known = [(replace(gradient, top=r.plain[row.id]), edge_factor(Edge(row, 0))) for row in rows]
    return tuple([(equal(left, chain(factor.tree(r), gradient)), " for every parameter ", theta)
                  for left, factor in known if factor is not None])


def _update(context: Context, name: Math, gradient: Math, *reason: str | Math) -> Line:
    """w_new = w_old − η·dL/dw."""
    stepped = Sum(((False, Marked(name, "old")), (True, chain(context.rows.rate, gradient))))
    return Line("definition", Marked(name, "new"), stepped, reason)


def _update_of_all(context: Context) -> Line:
    """One line for many parameters."""
    theta = _any_parameter(context.rows)
    return _update(context, theta, _gradient_in(context.rows, theta), "for every parameter ", theta)


def _any_parameter(r: Rows) -> Sym:
    """A name that stands for every parameter."""
    return Sym(free_name(r.letters.taken, "theta", "omega", "phi"))


def _gradient_in(r: Rows, name: Sym) -> Derivative:
    """The gradient of the loss in the shape of a parameter."""
    return r.derivative(name) if r.maps else r.nabla(name)
