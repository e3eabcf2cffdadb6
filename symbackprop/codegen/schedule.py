"""From rows to statements: which rows get a variable, which are written in the line that reads them, in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.looping import LoopBuilder
from symbackprop.codegen.names import Scope
from symbackprop.codegen.passes.softmax import softmax_pairs
from symbackprop.codegen.passes.width import Width
from symbackprop.codegen.program import Assign, Block, OneHot, Softmax, Statement, variable
from symbackprop.codegen.rows import Rows, is_view, unrolled
from symbackprop.codegen.tree import Expr
from symbackprop.core import formula as f
from symbackprop.core.graph import Node


class Variables:
    """The variable of every row, one for the whole module, so that forward and backward call a row the same."""

    def __init__(self, names: Mapping[int, str], scope: Scope) -> None:
        self.scope, self.names = scope, names
        self.given = {id_: scope.fresh(name) for id_, name in names.items()}
        self._turned: dict[str, str] = {}

    def has_name(self, row: Node) -> bool:
        return row.id in self.names

    def of(self, row: Node) -> str:
        """The variable of a row; named rows are called by their name, others t1, t2 …"""
        if row.id not in self.given:
            name = row.hint or ("p" if row.op.name == "softmax" else None)
            self.given[row.id] = self.scope.temp() if name is None else self.scope.fresh(name)
        return self.given[row.id]

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

    def block(self, roots: Sequence[Node], known: Mapping[int, Expr]) -> Block:
        """Statements that give every root a variable, ``known`` rows having one already."""
        rows = self.rows.within(known)
        choice = Choice(self, rows, rows.order(roots, known), roots, known)
        block = Block([], choice.names)
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

    def close_index(self) -> None:
        self.indexes.pop()


class Choice:
    """Which rows of one block get a variable, and the statements that follow from that."""

    def __init__(self, scheduler: Scheduler, rows: Rows, order: Sequence[Node], roots: Sequence[Node],
                 known: Mapping[int, Expr]) -> None:
        self.scheduler, self.rows, self.variables = scheduler, rows, scheduler.variables
        self.order, self.names = order, dict(known)
        self.counts = rows.uses(order, roots)
        self.pairs = softmax_pairs(order) if scheduler.level else {}
        self.width = Width(self.rows, self.names)
        self.results: dict[int, list[Node]] = {}
        self.done: set[int] = set()
        forced = {root.id for root in roots}
        for row in order:
            forced |= self._forced_by(row)
        self._choose(order, forced)

    def _forced_by(self, row: Node) -> set[int]:
        """Rows that need a variable because of how this one is written."""
        if row.op.name == "scan":
            return {a.id for a in self.rows.args(row)[len(row.attr.carry) :]}
        states = self.rows.states(row)
        if states is not None:
            self.results.setdefault(states.scan.id, []).append(row)
            self.variables.call(row, f"{self.variables.of(states.after)}_before")
            return {row.id, states.after.id}
        if row.op.name == "out":
            self.results.setdefault(row.args[0].id, []).append(row)
            return {row.id}
        if row.id in self.pairs:
            return {row.id}
        if self.rows.split(row) is not None:
            return {row.id, *[a.id for a in self.rows.args(row)]}
        return {row.args[i].id for i in powers(row.attr.form)} if row.op.name == "elementwise" else set()

    def _choose(self, order: Sequence[Node], forced: set[int]) -> None:
        for row in order:
            if row.id in self.names or row.op.name == "scan" or row.op.name == "leaf":
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
        if self.variables.has_name(row):
            return True
        return self.counts.get(row.id, 0) > 1 and not self._is_trivial(row)

    def _is_trivial(self, row: Node) -> bool:
        """Views of variables and index ranges cost nothing to write twice."""
        return row.op.name == "arange" or (is_view(row) and all(a.id in self.names for a in self.rows.args(row)))

    def statement(self, row: Node) -> Statement | None:
        """The statement that computes a row; None where it is written in place or comes with another row."""
        if row.op.name == "scan":
            return LoopBuilder(self.scheduler, self.rows, row, self.results.get(row.id, ()), self.names).statement()
        if row.id not in self.names or row.id in self.done or row.op.name == "out" or self.rows.states(row) is not None:
            return None
        if row.id in self.pairs:
            return self._pair(*self.pairs[row.id])
        split = self.rows.split(row)
        if split is not None:
            return OneHot(self.variables.of(row), row, split.base, split.hit, split.at)
        return Assign(self.variables.of(row), row)

    def _pair(self, softmax: Node, logsumexp: Node) -> Statement:
        self.done |= {softmax.id, logsumexp.id}
        return Softmax(self.variables.of(softmax), softmax, self.variables.of(logsumexp), logsumexp)


@cache
def powers(form: f.Formula) -> frozenset[int]:
    """Arguments that a formula multiplies with themselves: x**3 as x * x * x needs x as a variable."""
    if isinstance(form, f.Pow) and unrolled(form):
        return frozenset(f.arguments(form.base))
    return frozenset(i for c in f.children(form) for i in powers(c))
