"""Loops over a symbolic axis: the body of ``for t in 1..T:`` becomes the body of one scan.

``c[t]`` is an element of an array whose first axis is time, ``h[t-1]`` the value that the last step has computed (a
carry), ``h[t]`` and plain names are rows of the body; everything else is read from outside, the same at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import sympy as sp

from symbackprop.core.build import arange, slice_axis, transpose
from symbackprop.core.graph import Node, arguments_first, label
from symbackprop.core.loops import body_leaf, open_loop, stack_of
from symbackprop.core.shapes import apart, dim, dim_text, same, shape_text
from symbackprop.errors import ModelError, NameProblem, ShapeError
from symbackprop.model.names import check_name, python_name
from symbackprop.model.text import tree
from symbackprop.model.text.evaluate import Evaluator, evaluate
from symbackprop.model.text.known_numbers import short
from symbackprop.model.text.python_loops import MOST_BACK
from symbackprop.model.text.scope import LoopResult, ModelScope, Scope
from symbackprop.records import record


class BodyScope(Scope):
    """The body of a loop over a symbolic axis."""

    def __init__(self, outside: Scope, top: ModelScope, s: tree.For, start: Any, stop: Any) -> None:
        super().__init__(outside.model, outside.counters)
        self.outside, self.top, self.counter = outside, top, s.variable
        self.language, self.from_zero, self.lists = outside.language, outside.from_zero, outside.lists
        self.symbol, self.python = dim(s.variable), s.by != 0
        self.reverse, self.first, self.last = _bounds(start, stop)
        self.length = apart(self.last, self.first) + 1
        self.assigned, self.stepped = tree.given(s.body), steps_read(s.body, s.variable)
        self.rows: dict[str, Node] = {}
        self.carry: dict[str, tuple[Node, Node]] = {}
        self.kept: dict[tuple[str, int], str] = {}  # what values of steps further back are called
        self.sequences: dict[tuple[int, sp.Expr], tuple[Node, Node]] = {}
        self.born = self.graph.count
        self.varying: dict[int, bool] = {}  # what was found of rows
        self.counting = False

    # -- names
    def own(self, name: str) -> Node | None:
        name = self.now.get(name, name)
        return self.loops[name].stack() if name in self.loops else self.ends.get(name, self.rows.get(name))

    def another(self, name: str) -> str:
        return self.top.another(name)

    def define(self, keyword: str, name: str, row: Node) -> str:
        self.rows[self.claim(name)] = self._named(name, row)
        return name

    def tell_renamed(self, name: str, other: str) -> None:
        self.top.tell_renamed(name, other)

    def begins(self, family: str, place: sp.Expr, name: str) -> None:
        self.top.families[family] = {place: self.held(name)}

    def beyond(self, name: str) -> Node | sp.Expr:
        if name == self.counter:
            return self.symbol if self.counting else self._step_number()
        if name in self.assigned:
            now, before = f"{name}[{self.counter}]", self._before(name)
            raise NameProblem(f"{name!r} is assigned in this loop: write {now} below that line, or {before}; what adds "
                              f"up has a value above the loop, {name} = 0")
        return self.outside.name(name)

    def claim(self, name: str) -> str:
        """A name of the body; outside of the loop it is the stack over all steps."""
        if name in self.rows:
            raise NameProblem(f"{name!r} is assigned twice in the body of the loop")
        if name not in self.top.lines:
            check_name(name)
            if name == self.counter:
                raise NameProblem(f"{name!r} is the counter of this loop")
            self.top.lines[name] = self.top.line
            return name
        raise NameProblem(self.top.taken(name))

    def assign(self, keyword: str, target: tree.Target, row: Node) -> None:
        """One equation of the body."""
        if keyword != "let":
            raise ModelError(f"{keyword} stands outside of the loop, where its last value and all of them can be read")
        indexed = target.index is not None and self.counter in tree.mentioned(target.index)
        if indexed and self._place(target.index, target.name) != self.symbol:
            raise ModelError(f"the loop assigns {target.name}[{self.counter}], nothing before or after it")
        again = self.counters or self.python
        if target.index is None and again and target.name in self.top.lines and target.name not in self.rows:
            self.now[target.name] = self.rounds[target.name] = self.define(keyword, self.another(target.name), row)
            if not self.counters:
                self.tell_renamed(target.name, self.now[target.name])
            return
        name = self.claim(target.name) if indexed else self.claim_target(target)
        self.rows[name] = self._named(name, row)

    def _named(self, name: str, row: Node) -> Node:
        """The row, called ``h[t]`` for reading; an alias where it has a name already."""
        if not self.varies(row):
            return row
        give = self.graph.alias if row.is_result else self.graph.nameable
        row = give(row, name, self.born)
        return self.graph.christen(f"{name}[{self.counter}]", row)

    # -- indices
    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        if not self._counts(items):
            here = name in self.families or name in self.loops or name in self.rounds
            return super().member(name, items) if here else self.outside.member(name, items)
        if name not in self.assigned:
            return None
        if not self._counts(items[:1]):
            raise ModelError(f"{self.counter} can only be the first index of {name}")
        found = self._own_value(name, self._place(items[0], name))
        return Evaluator(self).subscript(found, items[1:]) if len(items) > 1 else found

    def _own_value(self, name: str, place: sp.Expr) -> Node:
        shift = apart(place, self.symbol)
        if shift == 0:
            if name not in self.rows:
                raise NameProblem(f"{name}[{self.counter}] is used before it is assigned")
            return self.rows[name]
        back = shift if self.reverse else -shift
        if not back.is_Integer or not 0 < back <= MOST_BACK:
            raise ModelError(f"of the steps before only {self._before(name)} and {MOST_BACK - 1} more can be read, not "
                             f"{name}[{short(place)}]")
        return self._further(name, int(back))

    def _further(self, name: str, back: int) -> Node:
        """The leaf that holds the value of so many steps before: the last step keeps that of one step less."""
        if back == 1:
            return self._carried(name)
        if (name, back) not in self.kept:
            later, far = self._further(name, back - 1), back - 1
            initial = self._initial(name, self._begin() + (far if self.reverse else -far))
            kept = f"{name}_lag{far}"
            kept = self.kept[name, back] = self.another(kept) if kept in self.top.lines else kept
            leaf = body_leaf(self.graph, self._before(kept), initial.shape, kind=initial.kind)
            self.carry[kept], self.varying[leaf.id] = (leaf, initial), True
            self.define("let", kept, later)
            self.remark(f"{self._before(name, back)} is read as {self._before(kept)}, where {kept}[{self.counter}] is "
                        f"what is {far} step{'s' * (far > 1)} before {name}[{self.counter}]")
        return self.carry[self.kept[name, back]][0]

    def _before(self, name: str, back: int = 1) -> str:
        return f"{name}[{self.counter}{'+' if self.reverse else '-'}{back}]"

    def _carried(self, name: str) -> Node:
        """The leaf that holds the value of the step before, beginning with ``h[0]``."""
        if name not in self.carry:
            initial = self._initial(name, self._begin())
            leaf = body_leaf(self.graph, self._before(name), initial.shape, kind=initial.kind)
            self.carry[name], self.varying[leaf.id] = (leaf, initial), True
        return self.carry[name][0]

    def _begin(self) -> sp.Expr:
        """The place before the first step."""
        return self.last + 1 if self.reverse else self.first - 1

    def _initial(self, name: str, begin: sp.Expr) -> Node:
        """``h[0]``, perhaps spelled h0, of the nearest place around the loop that has it."""
        spelled = self.top.families.get(name, {}).get(begin) or python_name(f"{name}[{begin}]")
        scope: Scope = self.outside
        while (found := scope.own(spelled)) is None:
            if not isinstance(scope, BodyScope):
                raise NameProblem(
                    f"{self._before(name)} needs a value before the first step: declare or define {name}[{begin}]"
                )
            scope = scope.outside
        scope.families.setdefault(name, {})[begin] = spelled
        return found

    def begun_with_numbers(self) -> str:
        """What is to be said of an array that begins as one number, where shapes do not fit."""
        begin = short(self._begin())
        names = [f"{name}[{begin}]" for name, (_, initial) in self.carry.items() if not initial.ndim]
        return "".join(f"; {name} is one number: write {name} = zeros(…) with the sizes of the array" for name in names)

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        if not self._counts(items):
            return self.outside.element(row, items)
        first, rest = items[0], items[1:]
        if self._counts((first,)) and not self._counts(rest):  # A[i, j] in a loop over j around that over i
            column = self.outside.element(row, (tree.Slice(None, None, None), *rest[:1])) if rest else None
            row, rest = (row, rest) if column is None else (column, rest[1:])
        if self._counts((first,)):
            found = self._element(row, apart(self._place(first, label(row)), self.symbol))
        elif isinstance(first, (tree.Slice, tree.Word)):
            return self._across(row, items)
        else:
            inner = self.outside.element(row, (first,))
            found = Evaluator(self).subscript(row, (first,)) if inner is None else inner
        if not rest:
            return found
        deeper = self.element(found, rest)
        return Evaluator(self).subscript(found, rest) if deeper is None else deeper

    def _across(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        """``x[:, t]`` as ``swapaxes(x, 0, 1)[t]``, behind however many axes of which all is read."""
        place = next(k for k, item in enumerate(items) if self._counts((item,)))
        if any(item != tree.Slice(None, None, None) for item in items[:place]) or place >= row.ndim:
            raise ModelError(f"{self.counter} is an index of {label(row)} behind axes of which all is read, as in "
                             f"{label(row)}[:, {self.counter}]")
        axes = [place, *[axis for axis in range(row.ndim) if axis != place]]
        return self.element(transpose(row, axes), (items[place], *items[:place], *items[place + 1 :]))

    def _element(self, row: Node, shift: sp.Expr) -> Node:
        """The leaf that holds ``row[t + shift]``; the first entry of an array is its number 1."""
        if self.varies(row):
            raise ModelError(f"{label(row)} is computed in this loop and cannot be indexed by {self.counter}")
        key = (row.id, shift)
        if key not in self.sequences:
            sequence = self._sequence(row, shift)
            name = f"{row.name or 'x'}[{_place_text(self.symbol, shift)}]"
            leaf = body_leaf(self.graph, name, sequence.shape[1:], kind=sequence.kind, of=sequence)
            self.sequences[key], self.varying[leaf.id] = (leaf, sequence), True
        return self.sequences[key][0]

    def _sequence(self, row: Node, shift: sp.Expr) -> Node:
        """The part of an array that the loop runs over."""
        if not row.shape:
            raise ShapeError(f"{label(row)} is a scalar and has no entries to run over")
        begin, size = apart(self.first, 1 - shift), row.shape[0]
        beyond = apart(size, begin + self.length)
        if begin.is_negative:
            place = _place_text(self.symbol, shift)
            raise ShapeError(
                f"{label(row)}[{place}] stands before the first entry of {label(row)} ({shape_text(row.shape)}) at "
                f"{self.counter} = {self.first}: in a loop over {self.counter} = {self.first - begin}.."
                f"{dim_text(self.last)} it is the first one")
        if beyond.is_negative or (beyond != 0 and beyond.free_symbols and shift == 0):
            raise ShapeError(
                f"the loop over {self.counter} = {self.first}..{dim_text(self.last)} runs past the first axis of "
                f"{label(row)} ({shape_text(row.shape)})"
            )
        return row if begin == 0 and same(self.length, size) else slice_axis(row, 0, begin, self.length)

    def _step_number(self) -> Node:
        """The counter as a number."""
        numbers = arange(self.graph, self.length) + self.graph.const(self.first)
        key = (numbers.id, sp.S.Zero)
        if key not in self.sequences:
            leaf = body_leaf(self.graph, self.counter, (), kind="int")
            self.sequences[key], self.varying[leaf.id] = (leaf, numbers), True
        return self.sequences[key][0]

    def _counts(self, items: Sequence[tree.Expr]) -> bool:
        """Whether the counter itself is an index: in ``E[words[t]]`` it is one of ``words``, not of ``E``."""
        return any(name == self.counter for item in items for name in tree.mentioned(item, inside=False))

    def _place(self, item: tree.Expr | None, name: str) -> sp.Expr:
        """An index as an expression in the counter."""
        before, self.counting = self.counting, True
        value = None if item is None or isinstance(item, tree.Slice) else evaluate(item, self)
        self.counting = before
        shift = apart(value, self.symbol) if isinstance(value, sp.Expr) else self.symbol
        if shift.has(self.symbol) or shift.is_integer is False:
            raise ModelError(f"an index of {name} with {self.counter} is {self.counter}, {self.counter}-1 or the like")
        assert isinstance(value, sp.Expr)
        return value

    # -- the loop
    def varies(self, row: Node) -> bool:
        """Whether a row depends on the step: only rows made since the loop began can."""
        for n in arguments_first([row], self._reads, self.varying):
            self.varying[n.id] = any([self.varying[a.id] for a in self._reads(n)])
        return self.varying[row.id]

    def _reads(self, row: Node) -> tuple[Node, ...]:
        return row.args if row.id >= self.born else ()

    def close(self) -> None:
        """Make the scan, and its names known outside."""
        self._carry_what_begins()
        for name in self.carry:
            if name not in self.rows:
                raise NameProblem(f"{self._before(name)} is read, but {name}[{self.counter}] is not assigned")
        carried = [self.rows[name] for name in self.carry]
        leaves = [leaf for leaf, _ in self.carry.values()]
        elements = [leaf for leaf, _ in self.sequences.values()]
        args = [row for _, row in (*self.carry.values(), *self.sequences.values())]
        rows = {**self.rows, **self.ends}
        moving = {name: row for name, row in rows.items() if self.varies(row)}
        scan, copies = open_loop(
            self.graph, self.length, leaves, elements, carried, list(moving.values()), args, self.reverse, self.counter,
            self.first,
        )
        closed = {**rows, **dict(zip(moving, copies, strict=True))}
        for name in [name for name in self.rows if name in moving]:
            stack_of(scan, closed[name])  # what is declared belongs to the loop, whoever reads it
        places = {name: k for k, name in enumerate(self.carry)}
        for name, row in closed.items():
            self.outside.loops[name] = LoopResult(scan, row, self.first, self.last, places.get(name), name in moving)
        if self.counters:
            self.outside.loops |= {name: self.outside.loops[other] for name, other in self.rounds.items()}
        else:
            self.outside.now |= self.rounds

    def _carry_what_begins(self) -> None:
        """Carries what has a value before the first step, read or not: after 0 steps ``h[T]`` is ``h[0]``."""
        begin = self._begin()
        for name, row in self.rows.items():
            if begin in self.top.families.get(name, {}):
                initial = self._initial(name, begin)
                if (initial.shape, initial.kind) == (row.shape, row.kind):
                    self._carried(name)


def steps_read(statements: Sequence[tree.Statement], counter: str) -> set[str]:
    """The names of which equations read entries that a loop counts."""
    return {part.base.name for e in statements if isinstance(e, tree.Equation) for part in tree.all_parts(e.value)
            if isinstance(part, tree.Index) and isinstance(part.base, tree.Name)
            and counter in tree.mentioned(tree.Tuple(part.items))}


@lru_cache(1 << 12)
def _place_text(counter: sp.Expr, shift: sp.Expr) -> str:
    """``t+1``"""
    return short(sp.expand(counter + shift)).replace(" ", "")


@lru_cache(1 << 12)
def runs_down(start: sp.Expr, stop: sp.Expr) -> bool:
    """Whether a loop goes from a larger number to a smaller one."""
    return bool((stop - start).is_negative) or bool(stop.is_Integer and not start.is_Integer)


def _bounds(start: Any, stop: Any) -> tuple[bool, sp.Expr, sp.Expr]:
    """(whether the loop runs downwards, the smaller bound, the larger one)."""
    for bound in (start, stop):
        if not isinstance(bound, sp.Expr) or bound.is_integer is not True:
            raise ModelError("the bounds of a loop are whole numbers or dimensions, the same at each step around it, "
                             f"not {short(bound)}")
    reverse = runs_down(start, stop)
    first, last = (stop, start) if reverse else (start, stop)
    if first.is_positive is not True:
        raise ModelError(f"a loop over a symbolic axis counts from 1, not from {short(first)}")
    return reverse, first, last


# -- what a loop hands on under a name that has a value before it: ``total += x[i, j]``, in loops in it too
@record(frozen=True)
class Carrying:
    """``families``: what the steps of names are called, ``step``: the counter, which goes ``up`` or down."""

    families: Mapping[str, str]
    step: tree.Name
    up: bool
    another: Callable[[str], str]

    def body(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
        """The statements of a step, each with what names are by then: what the step before gave them, a value that is
        given another one below, or at last the value of the step."""
        before = tree.Chain(self.step, (("-" if self.up else "+", tree.ONE),))
        now: dict[str, tree.Expr] = {name: tree.Index(tree.Name(of), (before,)) for name, of in self.families.items()}
        last = {name: k for k, s in enumerate(statements) for name in _given(s)}
        for k, s in enumerate(statements):
            ends = [name for name in self.families if last[name] == k]
            if isinstance(s, tree.Equation):
                yield self._equation(s, now, bool(ends))
            elif isinstance(s, tree.For):
                yield from self._loop(s, now, ends)
            elif isinstance(s, tree.Shared):
                yield tree.called_so(s, now, {})

    def _equation(self, e: tree.Equation, now: dict[str, tree.Expr], ends: bool) -> tree.Equation:
        value, name = tree.put(e.value, now), e.target.name
        if name not in now or e.target.index is not None:
            return replace(e, value=value)
        target = tree.Target(self.families[name], self.step) if ends else tree.Target(self.another(name))
        now[name] = tree.Index(tree.Name(target.name), (self.step,)) if ends else tree.Name(target.name)
        return replace(e, value=value, target=target)

    def _loop(self, s: tree.For, now: dict[str, tree.Expr], ends: Sequence[str]) -> Iterator[tree.Statement]:
        """A loop in this one, which begins with what a name is, and what it is behind it."""
        held = {name: self.another(name) for name in now if name in _given(s)}
        for name, other in held.items():
            yield tree.Equation(s.line, "let", tree.Target(other), now[name])
        now |= {name: tree.Name(other) for name, other in held.items()}
        yield tree.called_so(s, now, held)
        for name in ends:
            yield tree.Equation(s.line, "let", tree.Target(self.families[name], self.step), now[name])
            now[name] = tree.Index(tree.Name(self.families[name]), (self.step,))


def with_counter(s: tree.For, other: str) -> tree.For:
    """A loop whose counter is called otherwise."""
    body = tuple([tree.called_so(e, {s.variable: tree.Name(other)}, {}) for e in s.body])
    return replace(s, variable=other, body=body)


def _given(s: tree.Statement) -> set[str]:
    """The names without an index that a statement gives a value."""
    return {e.target.name for e in tree.equations([s]) if e.target.index is None}
