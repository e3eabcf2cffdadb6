"""The derivation that is evaluated: the sweep over the model's stable rows, which have the same values and do not
overflow on the way; over the declared ones where it must be.

What is declared is what is derived and printed. For numbers and for code a copy of the model, in the same table, is
rewritten by exact identities (`core.identities`), whatever names, views and loops stand between; its backward pass is
derived like any other, so that p ⊙ (−t/p) is never formed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from symbackprop.core import formula as f
from symbackprop.core.differences import is_total
from symbackprop.core.facts import is_product
from symbackprop.core.forward import pushed
from symbackprop.core.graph import SEVERAL, Node, arguments_first
from symbackprop.core.identities import Logarithms, better, differences_apart, log_of_value
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop, body_leaf, copy_row, make_scan
from symbackprop.core.names import unplaced
from symbackprop.core.ops.matrices import COMPUTED
from symbackprop.core.reverse import vjp
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import Shape
from symbackprop.derive.backprop import derived
from symbackprop.derive.naming import Names
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.model.model import Model


def derive_stable(model: Model, wrt: Iterable[str] | None = None) -> Derivation:
    """As `derive`, over the stable rows of the model. The gradient of an intermediate that these go around is the
    declared model's."""
    named = model.intermediates()
    declared = derived(model, wrt) if model.called else None  # which refuses what nothing is called by
    with model.graph.apart():
        stable, work = stable_model(model, named)
        if stable is not model:
            return _derived(model, stable, work, list(model.targets() if wrt is None else wrt))
    return declared or derived(model, wrt)


def _derived(model: Model, stable: Model, work: Rewriting, names: list[str]) -> Derivation:
    around = [n for n in names if n in model.equations and work.new[model.equations[n].id].id in work.passed]
    found = _marked(derived(stable, [n for n in names if n not in around], strict=False), work)
    return _with_declared(found, derived(model, around, strict=False), names) if around else found


def _marked(derivation: Derivation, work: Rewriting) -> Derivation:
    """What reaches a row that the rewriting goes around is a share of its gradient, and is not called that. Rows of
    identities have a name, and so a line of code."""
    shares = {s.total.id for s in _steps(derivation) if s.target.id in work.passed} - derivation.forward_ids
    names = {i: f"{n}_share" if i in shares else n for i, n in derivation.names.items()}
    free = Names([*derivation.model.graph.names, *derivation.model.functions, *names.values()])
    lines = {i: free.unique(_row(derivation, i).wish or "x") for i in work.identities if i not in names}
    return replace(derivation, names=names | lines, identities=work.identities)


def _with_declared(found: Derivation, declared: Derivation, names: list[str]) -> Derivation:
    """The gradients of both; where both call a row by the same name, ``found`` has the first word."""
    taken = set(found.names.values())
    return replace(
        found,
        wrt=tuple(names),
        gradients={n: (found.gradients | declared.gradients)[n] for n in names},
        names={i: name for i, name in declared.names.items() if name not in taken} | found.names,
        steps=(*found.steps, *declared.steps),
        bodies=declared.bodies | found.bodies,
        forward_ids=found.forward_ids | declared.forward_ids,
        expanded=found.expanded | declared.expanded,
    )


def stable_totals(derivation: Derivation) -> dict[int, Node]:
    """By the ids of a derivation's rows and gradients: rows of the same values, to be evaluated in their place."""
    model = derivation.model
    named = model.intermediates()
    with model.graph.apart():
        stable, work = stable_model(model, named)
        if stable is model:
            return {}
        totals = {s.target.id: s.total for s in _steps(derived(stable, derivation.wrt, strict=False))}
    found = {i: row for i, row in work.new.items() if row.id != i and row.kind != SEVERAL}
    for step in _steps(derivation):
        target = work.new.get(step.target.id)
        if target is not None and target.id in totals and target.id not in work.passed:
            found[step.total.id] = totals[target.id]
    return found


def _row(derivation: Derivation, id_: int) -> Node:
    return derivation.model.graph.nodes[id_]


def _steps(derivation: Derivation) -> list[Step]:
    return [s for s in derivation.steps if not isinstance(s, LoopStep)]


# -- the stable model
def stable_model(model: Model, named: Mapping[str, Node]) -> tuple[Model, Rewriting]:
    """The model over stable rows (itself where nothing changes), and which row became which; ``named`` are its
    intermediates."""
    work = Rewriting()
    work.run([*model.results(), *named.values()])
    if not work.changed:
        return model, work
    new = copy.copy(model)
    new.equations = {n: work.new[r.id] for n, r in model.equations.items()}
    new.output_rows = {n: work.new[r.id] for n, r in model.output_rows.items()}
    new.loss_row = None if model.loss_row is None else work.new[model.loss_row.id]
    new.stacks = {n: partial(work.new.__getitem__, r.id) for n, r in named.items() if n not in model.equations}
    return new, work


class Rewriting:
    """Old rows to new ones, arguments first. ``passed`` are new rows that something goes around: what reaches them is
    not the whole gradient. ``identities`` maps a new row to the old one whose value it computes in a better way."""

    def __init__(self, logs: Logarithms | None = None) -> None:
        self.logs = logs or Logarithms(self._given)
        self.new: dict[int, Node] = {}
        self.identities: dict[int, Node] = {}
        self.passed: set[int] = set()
        self.stacked_logs: dict[int, Node] = {}
        self._asked: dict[int, set[int]] = {}
        self.changed = False

    def run(self, roots: Sequence[Node], stop: frozenset[int] = frozenset()) -> None:
        order = roots[0].graph.topological(roots, stop)
        self._asked |= _results_under_logs(order)
        for node in order:
            if node.id not in self.new:
                self.new[node.id] = node if node.id in stop else self._row(node)
            self.changed |= self.new[node.id] is not node
        self.passed |= self.logs.passed

    def _given(self, row: Node) -> Node | None:
        return self.stacked_logs.get(row.id)

    def _row(self, node: Node) -> Node:
        swept = self._swept(node)
        if swept is not None:
            return swept
        if isinstance(node.attr, Loop):
            return LoopRewriting(self, node).run()
        args = [self.new[a.id] for a in node.args]
        moved, count = self._moved(node, args), node.graph.count
        found = better(moved, self.logs)
        parted = differences_apart(moved if found is None else found, self.logs)
        found = found if parted is None else parted
        if found is None:
            return moved
        found = node.graph.broadcast(found, node.shape)  # exp(w) exp(−w) is the number 1
        return self._called(node, found, fresh=found.id >= count)

    def _swept(self, node: Node) -> Node | None:
        """A gradient that `grad` found, or a tangent that `jvp` did, from a sweep over the new rows."""
        graph = node.graph
        if node.id in graph.gradients:
            output, by, upstream = graph.gradients[node.id]
            found = self._again(output, [by], [upstream], lambda o, w, u: vjp([o], u, w)[0])
        elif node.id in graph.tangents:
            found = self._again(*graph.tangents[node.id], lambda o, w, t: pushed([o], w, t)[0])
        else:
            return None
        return found if found is None or node.name is None else graph.christen(node.name, self._own(node, found))

    def _again(self, output: Node, by: Sequence[Node], given: Sequence[Node], sweep: Callable[..., Node]
               ) -> Node | None:
        """The sweep over the new rows; None where there are none, or where they go around a row asked for."""
        self.run([output, *by, *given])
        rows = [self.new[row.id] for row in by]
        if self.new[output.id] is output or any(row.id in self.logs.passed for row in rows):
            return None
        return sweep(self.new[output.id], rows, [self.new[row.id] for row in given])

    def _moved(self, node: Node, args: Sequence[Node]) -> Node:
        """The same row over new arguments; unnamed arithmetic is folded anew."""
        if node.is_result and args[0] is not node.args[0]:
            row = node.graph.result(args[0], moved_result(node.attr, node.args[0].attr, args[0].attr))
            row.name = row.name or node.name
            return row
        if node.role is Role.DETERMINANT:
            return copy_row(node, args, self.new, attr=COMPUTED)
        plain = node.name is None and isinstance(node.attr, Kernel) and node.attr.head is None
        if plain and any(a is not b for a, b in zip(args, node.args, strict=True)):
            return node.graph.arithmetic(node.attr.form, args)
        return copy_row(node, args, self.new)

    def _own(self, node: Node, found: Node) -> Node:
        """A row with the value of one that others may read."""
        if found.name is not None or found.is_leaf:
            return node.graph.alias(found, "stable", node.id)
        return node.graph.twin(found)

    def _called(self, node: Node, found: Node, fresh: bool) -> Node:
        """The row of an identity, under the name of the old one where it has one; a line of code of its own anyhow."""
        graph = node.graph
        found = found if fresh and found.name is None else self._own(node, found)
        if node.name is not None:
            graph.christen(node.name, found)
        found.hint = _wish(node)
        found.apart = True
        self.identities[found.id] = node
        return found


class LoopRewriting:
    """The loop over a body that is rewritten likewise, with results for the logs that are read outside (a stack for a
    stack, a carried value for the last one), and leaves for those of outer rows that are read inside."""

    def __init__(self, outside: Rewriting, scan: Node) -> None:
        self.outside, self.scan, self.loop = outside, scan, scan.attr
        self.args = [outside.new[a.id] for a in scan.args]
        self.extra: dict[bool, list[tuple[Node, Node]]] = {True: [], False: []}
        self.inside = Rewriting(Logarithms(self._given, scan.attr.stop))

    def run(self) -> Node:
        loop, inside = self.loop, self.inside
        inside.run([*loop.results(), *loop.leaves()], loop.stop)
        asked = self.outside._asked.get(self.scan.id, ())
        rows = {k: inside.new[loop.results()[k].id] for k in sorted(asked)}
        logs = {k: log for k, row in rows.items() if (log := inside.logs.sure(f.Arg(0), (row,))) is not None}
        self.outside.passed |= inside.passed | inside.logs.passed
        self.outside.identities |= inside.identities
        if not inside.changed and not logs and all(a is b for a, b in zip(self.args, self.scan.args, strict=True)):
            return self.scan
        return self._remade(logs)

    def _remade(self, logs: Mapping[int, Node]) -> Node:
        loop, new, graph = self.loop, self.inside.new, self.scan.graph
        n, m = len(loop.carry), len(loop.carry) + len(loop.sequences)
        last, stacks = ([k for k in logs if (k < n) is carried] for carried in (True, False))
        carried, stacked = ([new[r.id] for r in rows] for rows in (loop.carried, loop.stacked))
        begin = [self.outside.logs.of(self.args[k]) or log_of_value(self.args[k]) for k in last]
        before = [body_leaf(graph, f"log_{loop.carry[k].name}", a.shape) for k, a in zip(last, begin, strict=True)]
        sequences, invariants = self.extra[True], self.extra[False]
        body = Loop(
            loop.length, [*loop.carry, *before], [*loop.sequences, *[leaf for leaf, _ in sequences]],
            [*loop.invariants, *[leaf for leaf, _ in invariants]], [*carried, *[logs[k] for k in last]],
            [*stacked, *[logs[k] for k in stacks]], loop.reverse, loop.index, loop.swept, loop.forward,
            loop.first,
        )
        outer = [*self.args[:n], *begin, *self.args[n:m], *[a for _, a in sequences]]
        row = make_scan(graph, body, [*outer, *self.args[m:], *[a for _, a in invariants]])
        places = dict(zip([*last, *stacks], [*range(n, n + len(last)), *range(-len(stacks), 0)], strict=True))
        count = len(row.attr.results())
        for k, place in places.items():
            told = graph.result(row, moved_result(k, loop, row.attr))
            self.outside.stacked_logs[told.id] = graph.result(row, place % count)
        return row

    def _given(self, leaf: Node) -> Node | None:
        """log of an outer row, as a leaf of the body."""
        n, m = len(self.loop.carry), len(self.loop.carry) + len(self.loop.sequences)
        for k, own in enumerate(self.loop.leaves()):
            log = self.outside.logs.sure(f.Arg(0), (self.args[k],)) if own is leaf and k >= n else None
            if log is not None:
                return self._leaf(leaf, log, leaf.shape, k < m)
        return None

    def _leaf(self, of: Node, log: Node, shape: Shape, moving: bool) -> Node:
        leaf = body_leaf(log.graph, f"log_{of.name}", shape, of.attr.role, of=log)
        self.extra[moving].append((leaf, log))
        return leaf


def moved_result(number: int, old: Loop, new: Loop) -> int:
    """The number of a loop's result in the loop that it became, which may carry more."""
    return number if number < len(old.carry) else number + len(new.carry) - len(old.carry)


def _wish(node: Node) -> str:
    """What the row of an identity would like to be called: log_p for the logarithm of what is made of p."""
    if is_product(node):
        return "total"
    totals = [f.Arg(k) for k, a in enumerate(node.args) if is_total(a)]
    if totals and isinstance(node.form, f.Add):
        return "log_p" if f.neg(totals[0]) in node.form.terms else "losses"
    if not _has_log(node.attr.form) or node.role is Role.LIKELIHOOD:
        return "losses" if _has_log(node.attr.form) else "ratio" if f.has(node.attr.form, f.Div) else "term"
    row = node.args[0]
    while row.name is None and row.args:
        row = row.args[0].attr.results()[row.attr] if row.is_result else row.args[0]
    return f"log_{unplaced(row.name or 'x')}"


def _results_under_logs(order: Iterable[Node]) -> dict[int, set[int]]:
    """The results of loops that a logarithm may be taken of, by the id of the loop."""
    found: dict[int, set[int]] = {}
    for node in order:
        if isinstance(node.attr, Kernel) and _has_log(node.attr.form):
            for x in arguments_first(node.args, lambda x: () if x.is_result else x.args):
                if x.is_result:
                    found.setdefault(x.args[0].id, set()).add(x.attr)
    return found


def _has_log(form: f.Formula) -> bool:
    return isinstance(form, f.Call) and (TABLE[form.name].logarithm or form.role is Role.LIKELIHOOD)
