"""From rows to statements: which rows get a variable, which are written in the line that reads them, in what order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import sympy as sp

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.checkpoints import Checkpointed
from symbackprop.codegen.names import Scope, slug
from symbackprop.codegen.program import (
    Assign,
    Block,
    Element,
    For,
    OneHot,
    Segments,
    Softmax,
    Statement,
    Store,
    variable,
)
from symbackprop.codegen.rows import Rows, inside_logs, sharing, softmax_groups, unrolled
from symbackprop.codegen.tree import Code, Expr, at_step, index, name
from symbackprop.core import formula as f
from symbackprop.core.facts import is_arange, is_product, is_repeated, is_sum, is_view, kind
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.roles import Role
from symbackprop.derive.backprop import collected, stack_name


class Variables:
    """The variable of every row, one for the whole module, so that forward and backward call a row the same. A name
    that is a variable as it stands is given first: dh_t before dh[t], of which mostly only the stack is read."""

    def __init__(self, names: Mapping[int, str], scope: Scope) -> None:
        self.scope, self.names = scope, names
        plain_first = sorted(names.items(), key=lambda named: slug(named[1]) != named[1])
        self.given = {id_: scope.fresh(name) for id_, name in plain_first}
        self._turned: dict[str, str] = {}

    def has_name(self, row: Node) -> bool:
        return row.id in self.names

    def of(self, row: Node) -> str:
        """The variable of a row; named rows are called by their name, others t1, t2 …"""
        if row.id not in self.given:
            name = row.wish or row.op.gives or self._collected(row)
            self.given[row.id] = self.scope.temp() if not name else self.scope.fresh(name)
        return self.given[row.id]

    def _collected(self, row: Node) -> str:
        """What a stack is called after the row of a loop that it collects, dh of dh_t, if that has a name."""
        named = row.is_result and collected(row).id in self.names
        return stack_name(row, self.names) if named else ""

    def expr(self, row: Node) -> Expr:
        return variable(self.of(row), row)

    def turned(self, name: str) -> str:
        """What the transposed copy of a matrix is called."""
        if name not in self._turned:
            self._turned[name] = self.scope.fresh(f"{name}_T")
        return self._turned[name]

    def call(self, row: Node, name: str) -> None:
        """Give a row a name of its own unless it has a variable."""
        if row.id not in self.given:
            self.given[row.id] = self.scope.fresh(name)


class Scheduler:
    """Makes the blocks of a module for a target. ``level`` is the -O level."""

    def __init__(self, rows: Rows, variables: Variables, level: int, target: type[Arrays]) -> None:
        self.rows, self.variables, self.level, self.target = rows, variables, level, target
        self.indexes: list[str] = []

    def like(self, rows: Rows) -> Scheduler:
        """One for other rows with the same variables."""
        return Scheduler(rows, self.variables, self.level, self.target)

    def block(self, roots: Sequence[Node], known: Mapping[int, Expr], loop: Loop | None = None) -> Block:
        """Statements that give every root a variable, ``known`` rows having one already; perhaps those of a step of a
        ``loop``."""
        rows = self.rows.within(known)
        choice = Choice(self, rows, rows.settled(roots, known), roots, known, loop)
        block = Block([], choice.names, choice.absent())
        block.statements += filter(None, map(choice.statement, choice.order))
        return block

    # -- step counters
    def open_index(self, wanted: str) -> str:
        """The counter of a loop; loops one after the other share it, nested ones do not."""
        scope = self.variables.scope
        name = scope.index(wanted)
        while name in self.indexes:
            wanted += "_"
            name = scope.index(wanted)
        self.indexes.append(name)
        return name


class Choice:
    """Which rows of one block get a variable, and the statements that follow from that. In a step of a
    ``loop`` backwards a product that one formula reads once is written there, whatever it is called."""

    def __init__(self, scheduler: Scheduler, rows: Rows, order: Sequence[Node], roots: Sequence[Node],
                 known: Mapping[int, Expr], loop: Loop | None = None) -> None:
        self.scheduler, self.rows, self.variables = scheduler, rows, scheduler.variables
        self.names = dict(known)
        self.counts = rows.uses(order, roots)
        self.groups = softmax_groups(order, roots) if scheduler.level else {}
        inside = inside_logs(self.groups)
        self.order = order = [row for row in order if row.id not in inside]
        self.width = Width(self.rows, self.names, self.variables.names)
        self.results: dict[int, list[Node]] = {}
        self.done: set[int] = set()
        self.apart: set[int] = set()
        self.carried_on: set[int] = set()
        backwards = loop is not None and loop.forward is not None
        self.folded = self._read_by_formulas() if scheduler.level and backwards else frozenset()
        forced = {root.id for root in roots}
        for row in order:
            forced |= self._forced_by(row)
        self._choose(order, forced)
        if loop is not None and scheduler.level:
            self._carry_on(loop, {root.id for root in roots})

    def _forced_by(self, row: Node) -> set[int]:
        """Rows that need a variable because of how this one is written."""
        if row.is_loop:
            return {a.id for a in self.rows.args(row)[len(row.attr.carry) :]}
        states = self.rows.states(row)
        if states is not None:
            self.results.setdefault(states.scan.id, []).append(row)
            self.variables.call(row, f"{self.variables.of(states.after)}_before")
            return {row.id, states.after.id}
        if (apart := self.rows.apart(row)) is not None:
            self.variables.given.setdefault(apart.id, self.variables.of(row))
            self.apart.add(apart.id)
            return {row.id, apart.id}
        if row.is_result:
            self.results.setdefault(row.args[0].id, []).append(row)
            return {row.id}
        if row.id in self.groups:
            return {row.id}
        if self.rows.split(row) is not None:
            return {row.id, *[a.id for a in self.rows.args(row)]}
        return {row.args[i].id for i in powers(row.form)} if row.form is not None else set()

    def _choose(self, order: Sequence[Node], forced: set[int]) -> None:
        for row in order:
            if row.id in self.names or row.is_loop or row.is_declared:
                continue
            if row.id in forced or self._wants_variable(row):
                self._name(row)
            for wide in self.width.too_wide(row):
                self._name(wide)

    def _name(self, row: Node) -> None:
        self.names[row.id] = self.variables.expr(row)

    def _wants_variable(self, row: Node) -> bool:
        if row.value is not None and not self.variables.has_name(row):
            return False
        if self.variables.has_name(row) and row.id not in self.folded:
            return True
        return self.counts.get(row.id, 0) > 1 and not self._is_trivial(row)

    def _read_by_formulas(self) -> frozenset[int]:
        """Products, entry by entry, that one formula reads once."""
        formulas = [row for row in self.order if row.form is not None and self.rows.split(row) is None]
        read = {a.id for row in formulas for a in self.rows.args(row) if self.counts.get(a.id) == 1}
        return frozenset(row.id for row in formulas if row.id in read and isinstance(row.form, f.Mul))

    def absent(self) -> frozenset[int]:
        """Rows that are not called by the name they have: written where they are read, or in a variable of others."""
        folded = frozenset(id_ for id_ in self.folded if self.variables.names.get(id_) and id_ not in self.names)
        return folded | self.carried_on

    def _carry_on(self, loop: Loop, roots: Collection[int]) -> None:
        """What a step carries on and nobody else reads is computed as the variable that the next step is given, where
        nobody reads that of this step from there on, itself neither, since one equation would call both the same:
        dh_next = dz_t @ W.T."""
        places, last = {row.id: k for k, row in enumerate(self.order)}, dict[int, int]()
        for row in reversed(self.order):
            place = places[row.id] if row.id in self.names or row.is_loop else last.get(row.id, 0)
            last |= {a.id: max(place, last.get(a.id, 0)) for a in self.rows.args(row)}
        for leaf, row in zip(loop.carry, loop.carried, strict=True):
            free = row.id in places and self.counts[row.id] == 2 and leaf.id not in roots
            fits = free and self._is_assigned(row) and self.names[row.id].kind == leaf.kind
            if fits and last.get(leaf.id, -1) < places[row.id]:
                self.names[row.id] = self.variables.expr(leaf)
                self.carried_on.add(row.id)

    def _is_assigned(self, row: Node) -> bool:
        """Whether a row has a statement of its own that gives it one value."""
        apart = row.is_loop or row.is_result or row.id in self.groups
        return not apart and self.rows.split(row) is None and self.rows.states(row) is None

    def _is_trivial(self, row: Node) -> bool:
        """Views of variables and index ranges cost nothing to write twice."""
        return is_arange(row) or (is_view(row) and all(a.id in self.names for a in self.rows.args(row)))

    def statement(self, row: Node) -> Statement | None:
        """The statement that computes a row; None where it is written in place or comes with another row."""
        if row.is_loop:
            return LoopBuilder(self.scheduler, self.rows, row, self.results.get(row.id, ()), self.names).statement()
        if row.id not in self.names or row.id in self.done or row.is_result or self.rows.states(row) is not None:
            return None
        if row.id in self.groups:
            return self._together(self.groups[row.id])
        split = self.rows.split(row)
        if split is not None:
            return OneHot(self.variables.of(row), row, split.base, split.hit, split.at)
        return Assign(self.names[row.id].variable or "", row, row.id in self.apart and self._shares(row))

    def _shares(self, row: Node) -> bool:
        """Whether a row is a view of what others read."""
        *views, owner = sharing(row)
        return bool(views) and (owner.is_declared or owner.id in self.names or any(is_repeated(v) for v in views))

    def _together(self, rows: tuple[Node, ...]) -> Statement:
        self.done |= {row.id for row in rows}
        return Softmax(tuple(map(self.variables.of, rows)), rows)


@cache
def powers(form: f.Formula) -> frozenset[int]:
    """Arguments that a formula multiplies with themselves: x**3 as x * x * x needs x as a variable."""
    if isinstance(form, f.Pow) and unrolled(form):
        return frozenset(f.arguments(form.base))
    return frozenset(i for c in form.children for i in powers(c))


# -- lines stay readable: what would make one too long becomes a line of its own, under a name t1, t2 …


MAX_WIDTH = 76  # characters right of the equals sign, estimated


class Width:
    """Estimates how long the code of a row is, given which rows have a variable. What these are ``called`` in the
    derivation counts, not the variables: whether a step is written or computed again, lines are the same, and so is the
    order in which they round."""

    def __init__(self, rows: Rows, names: Mapping[int, Expr], called: Mapping[int, str]) -> None:
        self.rows, self.names, self.called = rows, names, called
        self.widths: dict[int, int] = {}

    def too_wide(self, row: Node) -> Iterator[Node]:
        """The arguments to take out of a row's line, widest first, until it fits; each has a variable then."""
        counts, args = self.rows.occurrences(row), dict.fromkeys(self.rows.args(row))
        width = _own_width(row) + sum([n * self._written(a) for a in args if (n := counts[a.id])])
        self.widths[row.id] = width
        if width <= MAX_WIDTH:
            return
        inline = [a for a in args if a.id not in self.names and a.args and a.value is None]
        for a in sorted(inline, key=lambda a: -self.widths[a.id]):
            if self.widths[row.id] <= MAX_WIDTH:
                return
            inside = self._written(a)
            yield a
            self.widths[row.id] += counts[a.id] * (self._written(a) - inside)

    def _written(self, row: Node) -> int:
        if row.id in self.names:
            return len(self.called.get(row.id, "t1"))
        return self.widths.get(row.id, 8) + 2


def _own_width(row: Node) -> int:
    if row.form is not None:
        return _formula_width(row.attr.form)
    if is_sum(row):
        return 8 + 8 * (row.ndim > 0) + 15 * bool(row.attr[1])
    if is_product(row):
        new_axes = not row.attr.summed and len(row.attr.ins) > 1
        return 8 * len(row.attr.letters) if new_axes else 5
    return 4 if kind(row).views else 16 + 3 * row.ndim


@cache
def _formula_width(form: f.Formula) -> int:
    """Signs and function names of a formula."""
    own = len(form.name) + 2 if isinstance(form, f.Call) else 4 if isinstance(form, f.Num) else 0
    children = form.children
    return own + 3 * max(len(children) - 1, 0) + sum(map(_formula_width, children))


# -- loops: what is carried, what is read at every step, what is stacked


MANY_TIMES = 3  # a step's element of a stack that is read more often gets a variable


class LoopBuilder:
    """Builds the statement of one loop. ``results`` are the rows of its results that are read; ``rows`` and ``names``
    are the rows around it and their variables. Stacks in ``parts`` are there for the steps of one segment."""

    def __init__(self, scheduler: Scheduler, rows: Rows, scan: Node, results: Iterable[Node],
                 names: Mapping[int, Expr], parts: Mapping[int, Checkpointed] | None = None) -> None:
        self.scheduler, self.rows, self.variables = scheduler, rows, scheduler.variables
        self.scan, self.names = scan, dict(names)
        self.plan = rows.again.get(scan.id)
        self.parts = dict(parts or {})
        self.told: list[Node] = []
        if self.plan is not None:
            self.told, whole = self._told(self.plan.again), {row.id for row in self._told(self.plan.whole)}
            self.names |= {row.id: self.variables.expr(row) for row in self.told}
            self.parts |= {row.id: self.plan for row in self.told if row.id not in whole}
        self.loop: Loop = scan.attr
        self.index = scheduler.open_index(self.loop.index)
        results = list(results)
        self.wanted = {row.attr: row for row in results if row.is_result}
        self.before = {s.after.id: row for row in results if (s := self.rows.states(row)) is not None}
        n = len(self.loop.carry)
        self.stacked = [(out, self.loop.results()[k]) for k, out in self.wanted.items() if k >= n]
        self.roots = [*self.loop.carried, *[row for _, row in self.stacked]]
        for out, row in self.stacked:
            if not (row.wish or row.op.gives):
                self.variables.call(row, f"{self.variables.of(out)}_{self.loop.index}")

    def statement(self) -> For:
        loop, carry = self.loop, [self.variables.of(leaf) for leaf in self.loop.carry]
        target = self.scheduler.target
        known, elements = self._known()
        body = self.scheduler.block(self.roots, known, loop)
        self.scheduler.indexes.pop()
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
            self._segments(carry),
        )

    def _segments(self, carry: Sequence[str]) -> Segments | None:
        """The segments of a loop that keeps checkpoints, or that goes back from one to the one before."""
        plan = self.plan or self.rows.saved.get(self.scan.id)
        if plan is None:
            return None
        carry = carry if self.plan is None else [self.variables.of(leaf) for leaf in plan.scan.attr.carry]
        given = tuple([Store(self.variables.of(row), Expr(name(word), row.shape[1:], row.kind), row.shape, row.kind)
                       for row, word in zip(plan.kept, carry, strict=True)])
        again = None if self.plan is None else self._again(plan)
        return Segments(plan.steps, plan.every, plan.first, given, again)

    def _again(self, plan: Checkpointed) -> For:
        """The steps of a segment, computed again from what it is given."""
        builder = LoopBuilder(self.scheduler, self.rows, plan.scan, self.told, self.names, self.parts)
        return replace(builder.statement(), start=(), last=())

    def _told(self, rows: Sequence[Node]) -> list[Node]:
        """Stacks that are computed again; states before each step come with those after it."""
        found = {row.id: row for row in rows}
        for row in [*found.values()]:
            states = self.rows.states(row)
            if states is not None:
                self.variables.call(row, f"{self.variables.of(states.after)}_before")
                found.setdefault(states.after.id, states.after)
        return [*found.values()]

    def _step(self, outer: Node) -> tuple[Code, str]:
        """The place of a step in a stack, and the variable of the first step that is there, where it is a part."""
        first = self.parts[outer.id].first if outer.id in self.parts else ""
        return at_step(self.index, first), first

    def _name(self, row: Node) -> str:
        return self.names[row.id].variable or ""

    def _known(self) -> tuple[dict[int, Expr], tuple[Element, ...]]:
        """The leaves of the body and what was computed before the loop; sequences' elements that are read often get a
        variable, others are read in place, as c[t], where the target can."""
        loop, n, m = self.loop, len(self.loop.carry), len(self.loop.sequences)
        known = {leaf.id: self.variables.expr(leaf) for leaf in loop.carry}
        fixed = zip(loop.invariants, self.scan.args[n + m :], strict=True)
        known |= {leaf.id: self.names[a.id] for leaf, a in fixed if a.id in self.names}  # else nothing here needs it
        sequences = zip(loop.sequences, self.scan.args[n : n + m], strict=True)
        moving = [*[pair for pair in sequences if pair[1].id in self.names], *self.rows.hoisted(self.scan)]
        inside = self.rows.within({*known, *[row.id for row, _ in moving]})
        counts = inside.uses(inside.order(self.roots, inside.given), self.roots)
        elements = []
        for row, outer in moving:
            stack, target = self.names[outer.id], self.scheduler.target
            step, first = self._step(outer)
            place = Expr(index(stack.code, step), row.shape, stack.kind)
            known[row.id] = target.converted(place, row.kind)
            plain = self.scheduler.level and stack.kind == row.kind
            if counts.get(row.id, 0) > (0 if target.names_elements else MANY_TIMES if plain else 1):
                known[row.id] = self.variables.expr(row)
                elements.append(Element(self.variables.of(row), stack, row.kind, row.shape, first))
        return known, tuple(elements)

    def _store(self, out: Node, row: Node, body: Block) -> Store:
        """Where a body row goes at every step, and the states before each step where they are read."""
        stack, value, before = self._name(out), body.names[row.id], self.before.get(out.id)
        _, first = self._step(out)
        shape = (sp.Symbol(self.parts[out.id].every), *out.shape[1:]) if first else out.shape
        if before is None:
            return Store(stack, value, shape, out.kind, None, first)
        carry = next(c for c, carried in zip(self.loop.carry, self.loop.carried, strict=True) if carried is row)
        buffer = self.variables.scope.fresh(f"{stack}_states")
        return Store(stack, value, shape, out.kind, (buffer, self._name(before), self.variables.of(carry)), first)

    def _fixed(self) -> tuple[tuple[str, str], ...]:
        """Matrices that every step reads, and what their transposes are called."""
        matrices = [a for a in self.scan.args[-len(self.loop.invariants) :]
                    if a.ndim == 2 and a.id in self.names]
        names = dict.fromkeys(self._name(a) for a in matrices if self.loop.invariants)
        return tuple((name, self.variables.turned(name)) for name in names if name)


def kept_apart(body: Block, names: Collection[str]) -> frozenset[str]:
    """The variables, and the arrays that those of them are views of which loops inside stack."""
    stores = [s for inner in body.statements if isinstance(inner, For) for s in inner.stores if s.states is not None]
    return frozenset(names) | {s.states[0] for s in stores if s.states and not {s.stack, s.states[1]}.isdisjoint(names)}


def lasting(carried: Iterable[Node]) -> Iterator[Node]:
    """The rows whose memory the next step may still read: what is carried, as a view, as what a guard hands back where
    there is nothing to guard, or handed through a loop inside, whose last values may be any of its first."""
    pending = list(carried)
    while pending:
        for row in sharing(pending.pop()):
            yield row
            if row.is_result:
                scan: Node = row.args[0]
                pending += scan.args[: len(scan.attr.carry)] if row.attr < len(scan.attr.carry) else ()
            match row.form:
                case f.Call(role=Role.NOUGHT | Role.SELECTED | Role.LIMITED, args=(f.Arg(k), *_)):
                    pending.append(row.args[k])
