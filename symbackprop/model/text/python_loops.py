"""Loops as Python writes them, ``for t in range(T):``, as loops that count from 1, and what they collect: ``hs = []``
with ``hs.append(h)`` and ``hs = zeros((T, H))`` with ``hs[t] = h`` are what the loop gives hs, all of its steps;
``hs = [h0]``, ``hs = zeros((T + 1, H))`` and ``z = zeros(T)`` before ``for t in range(1, T):`` have what is in front
of the first step too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

import sympy as sp

from symbackprop.model.text import tree
from symbackprop.model.text.tokens import problem

MOST_BACK = 8  # steps
BACKWARDS = "backwards"  # the word of a range that counts down
NO_ENTRIES, NO_KEYS = tree.Tuple(()), tree.Call(tree.DICT, (), ())  # lists and dicts with nothing in them
_NOTHING = (NO_ENTRIES, NO_KEYS)
_LIKE = ("zeros_like", "empty_like")
_LAST = tree.Negative(tree.ONE)  # the place in front of the first step, of a dict
_STATES = "{} is read as its steps, with {}[{}] in front of the first"
_IS = "what {} is before the loop says nothing: it is what the loop gives it, step by step"


def counted_from_one(statements: Sequence[tree.Statement]) -> tuple[tree.Statement, ...]:
    """The statements with loops over ``range(T)`` as loops over ``1..T`` where that is the same; others stay."""
    return tuple(_Counting().block(statements))


def _joined(body: Sequence[tree.Statement]) -> list[tree.Statement]:
    """The body of a loop with ``x[t] = zeros(n)`` and ``x[t][i] = 1``, another value of it, as one equation."""
    found: list[tree.Statement] = []
    last = 0  # where the last one stands that is no note
    for s in body:
        before = found[last] if found else None
        if isinstance(s, tree.Equation) and isinstance(before, tree.Equation) and before.target == s.target and (
                s.target.index is not None):
            place = tree.Index(tree.Name(s.target.name), (s.target.index,))
            if place in tree.all_parts(s.value):
                s = replace(s, value=_with(s.value, place, before.value))
                del found[last]
        last = last if isinstance(s, tree.Said) else len(found)
        found.append(s)
    return found


def _with(expr: tree.Expr, part: tree.Expr, new: tree.Expr) -> tree.Expr:
    return new if expr == part else tree.changed(expr, lambda inner: _with(inner, part, new))


class _Counting:
    """Goes through statements from above."""

    def __init__(self) -> None:
        self.lists: dict[str, bool] = {}  # that are begun, whether with nothing in them
        self.dicts = set[str]()  # of these what is no list but a dict
        self.begun: set[str] = set()  # of which there is a value in front of the first step
        self.collected: dict[str, int] = {}  # by loops above, entries counted from 0; how many where that is a number
        self.states = set[str]()  # of the lists those that have what is in front of the first step
        self.rounds = set[str]()  # of the lists those in which that stands behind the last step
        self.last: dict[str, tree.Expr] = {}  # steps of what is collected
        self.counters: list[str] = []
        self.given = set[str]()  # the names so far
        self.stacks = set[str]()  # of which loops above give the steps, h[t]
        self.stepped = set[str]()  # of which there are steps, h[0]
        self.firsts: dict[str, int] = {}  # of the states how many stand in front of the first step
        self.sizes: dict[str, tree.Expr] = {}  # what names are that have a size
        self.blanks: dict[str, tree.Expr] = {}  # an entry of what is made to be filled
        self.rows: dict[str, tree.Tuple] = {}  # the sizes of a row of what is made in several
        self.declared: set[str] | None = None  # dimensions, where anything is declared

    def block(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
        filled, around = [*_filled(statements)], [*_filled(statements, more=True)]
        places = _places(statements)
        for k, s in enumerate(statements):
            if isinstance(s, tree.Equation) and s.value == NO_ENTRIES and s.target.index is None:
                _refuse_other_places(s.target.name, statements[k + 1 :])
            if places or self.counters:
                self._keep_size(s)
            first = self._first_state(s, places, statements) if isinstance(s, tree.Equation) else None
            if isinstance(s, tree.Equation) and first is not None:
                yield from self._begin(s, *first, statements)
            elif isinstance(s, tree.Equation) and s.target.index is None and (
                    s.value in _NOTHING or self._is_among(s, filled) or self._is_among(s, around)):
                ends = s.value not in _NOTHING and self._is_among(s, around)
                self.lists[s.target.name] = s.value in _NOTHING or ends
                self.dicts |= {s.target.name} if s.value == NO_KEYS else set()
                self.rounds |= {s.target.name} if ends else set()
                self._keep_row(s.target.name, s.value)
                if s.value not in _NOTHING:
                    self.blanks[s.target.name] = _blank(s.value)[1]
                yield tree.Said(s.line, _IS.format(s.target.name))
            elif isinstance(s, tree.Equation):
                begun, value = self.in_front(s), self.from_zero(s.value)
                yield begun if value is s.value else replace(begun, value=value)
                self.given.add(s.target.name)
                self.stepped |= {s.target.name} if s.target.index is not None else set()
            elif isinstance(s, tree.For):  # in which nothing is told
                loop = self.loop(s)
                yield from [inner for inner in loop.body if isinstance(inner, tree.Said)]
                yield replace(loop, body=tuple([inner for inner in loop.body if not isinstance(inner, tree.Said)]))
            else:
                if isinstance(s, (tree.Arrays, tree.Named)):
                    names = [name for name, _ in s.items] if isinstance(s, tree.Named) else []
                    self.declared = {*(self.declared or ()), *names}
                yield s

    def _is_among(self, s: tree.Equation, filled: Sequence[tuple[str, tree.Expr]]) -> bool:
        """Whether what is made with sizes is among what loops fill."""
        stops = [stop for name, stop in filled if name == s.target.name]
        size = next(iter(_sizes(s.value)), None) if stops else None
        return size is not None and _sized(size, self.sizes) in [_sized(stop, self.sizes) for stop in stops]

    def _keep_row(self, name: str, value: tree.Expr) -> None:
        """The sizes of a row of what is made with several, where they are known: each step gives all of one."""
        row = _sizes(value)[1:]
        names = {name for size in row for name in tree.mentioned(size)}
        self.rows.pop(name, None)
        if row and (self.declared is None or names <= self.declared | self.given):
            self.rows[name] = tree.Tuple(tuple(row))

    def _in_row(self, s: tree.Statement, step: tree.Name) -> tree.Statement:
        """``h[t] = 0`` of ``h = zeros((T, H))`` as all of a row."""
        if not isinstance(s, tree.Equation) or s.target.index != step or s.target.name not in self.rows:
            return s
        return replace(s, value=tree.Call("broadcast", (s.value, self.rows[s.target.name]), (), place=s.value.place))

    def _keep_size(self, s: tree.Statement) -> None:
        """What a name stands for that is a size, and the sizes of an array that is declared."""
        if isinstance(s, tree.Arrays):
            self.sizes |= {item.target.name: tree.Tuple(item.shape) for item in s.items if item.target.index is None}
        if isinstance(s, tree.Equation) and s.target.index is None:
            size = _sized(s.value, self.sizes)
            entries = _blank(s.value)[0]
            if isinstance(size, (tree.Number, tree.Index)) or size != s.value:
                self.sizes[s.target.name] = size
            elif isinstance(s.value, tree.Name) and s.value.name in self.sizes:
                self.sizes[s.target.name] = self.sizes[s.value.name]
            elif entries is not None:
                self.sizes[s.target.name] = tree.Tuple((_sized(entries, self.sizes),))
            else:
                self.sizes.pop(s.target.name, None)

    def _begin(self, s: tree.Equation, first: tree.Expr, count: int, around: Sequence[tree.Statement]
               ) -> Iterator[tree.Statement]:
        """What is in front of the first step: as many as there are, those that no line gives as the array begins."""
        name = s.target.name
        self.lists[name], self.firsts[name] = False, count
        self.begun.add(name)
        self.states.add(name)
        yield tree.Said(s.line, _STATES.format(name, name, "0" if count == 1 else f"0] … {name}[{count - 1}"))
        for place in [_number(k) for k in range(count)]:
            if not _is_begun(name, place, around):
                yield replace(s, target=tree.Target(name, place), value=self.from_zero(first))

    def _first_state(self, s: tree.Equation, filled: Places, around: Sequence[tree.Statement]
                     ) -> tuple[tree.Expr, int] | None:
        """What is in front of the first step, and how many of it, of ``hs = [h0]``, ``hs = zeros((T + 1, H))`` and
        ``hs = {}`` with ``hs[0] = h0`` that loops below fill up; None of anything else."""
        if s.target.index is not None:
            return None
        for loop, places in filled.get(s.target.name, ()):
            step, first = tree.Name(loop.variable), _first_counted(loop)
            if s.value == NO_KEYS and step in places and first == 1 and _is_begun(s.target.name, tree.ZERO, around):
                return s.value, 1
            if isinstance(s.value, tree.Tuple) and len(s.value.items) == 1 and step in places:
                return s.value.items[0], 1
            count = first if step in places else 1 if tree.Chain(step, (("+", tree.ONE),)) in places else 0
            size, one = _blank(s.value)
            if count and size is not None and _sized(size, self.sizes) == _one_more(_sized(loop.stop, self.sizes)):
                return one, count
        return None

    def in_front(self, s: tree.Equation) -> tree.Equation:
        """``hs[-1] = h0`` of a dict as ``hs[0] = h0``, where steps count from 1."""
        if s.target.name not in self.lists or s.target.index != _LAST:
            return s
        self.begun.add(s.target.name)
        return replace(s, target=tree.Target(s.target.name, tree.ZERO))

    def from_zero(self, expr: tree.Expr) -> tree.Expr:
        """An expression that reads what is collected: all of it is an array, of which an entry is taken, and Python's
        sum is of its entries."""
        if not self.stacks:
            return expr
        match expr:
            case tree.Call("stack", (tree.Name(name) as whole,), ()) if name in self.stacks:
                return self.from_zero(whole)  # which are stacked already
            case tree.Name(name) if name in self.rounds and name in self.collected:
                first = tree.Index(tree.Index(expr, (tree.ZERO,)), (tree.Word(None),))
                return tree.Call("concat", (expr, first), (), place=expr.place)
            case tree.Index(tree.Name(name), (item,)) if name in self.rounds and name in self.collected and not (
                    isinstance(item, (tree.Slice, tree.Negative)) or item == self.last[name]):
                return replace(expr, items=(self.from_zero(item), tree.Word(Ellipsis)))
            case tree.Index(tree.Name(name) as base, (item, *rest)) if name in self.states and name in self.collected:
                return self._of_states(expr, base, item, tuple(rest))
            case tree.Name(name) if name in self.states and name in self.collected:
                return self._all_states(expr)
            case tree.Index(tree.Name(name), (item,)) if item == _LAST and name in self.begun and self.lists[name]:
                return replace(expr, items=(tree.ZERO,))  # of a dict, in which it is a key as others
            case tree.Index(tree.Name(name), (item,)) if name in self.collected and not isinstance(item, tree.Slice):
                expr = replace(expr, items=(item, tree.Word(Ellipsis)))
            case tree.Call("sum", (tree.Name(name),), ()) if name in self.lists and name in self.collected:
                expr = replace(expr, options=(("axis", tree.ZERO),))
            case tree.Name(name) if self.collected.get(name):
                steps = [tree.Index(expr, (tree.Number(sp.Integer(k + 1)),)) for k in range(self.collected[name])]
                return tree.Call("stack", tuple(steps), (), place=expr.place)
        return tree.changed(expr, self.from_zero)

    def _of_states(self, expr: tree.Index, base: tree.Name, item: tree.Expr, rest: tuple[tree.Expr, ...]) -> tree.Expr:
        """An entry of what begins in front of the first step: the last one is the last step."""
        if any(tree.ahead(item, counter) is not None for counter in self.counters):
            return expr  # which the loop counts
        if self.collected[base.name]:
            return replace(expr, base=self._all_states(base))
        others = rest if rest else (tree.Word(Ellipsis),)
        match item:
            case tree.Negative(tree.Number()):
                return replace(expr, items=(item, *others))
            case _ if item == self.last[base.name]:
                return replace(expr, items=(_LAST, *others))
            case tree.Number(value) if value >= self.firsts[base.name]:
                return replace(expr, items=(tree.Number(value - self.firsts[base.name]), *others))
            case tree.Slice(tree.Number(value), None, None) if value == self.firsts[base.name]:
                return replace(expr, items=(tree.Slice(None, None, None), *rest)) if rest else base
            case tree.Number():
                return tree.Index(replace(expr, items=(item,)), rest) if rest else expr
        return replace(expr, base=self._all_states(base))

    def _all_states(self, name: tree.Name) -> tree.Expr:
        """What is in front of the first step, and all steps."""
        count, steps = self.firsts[name.name], self.collected[name.name]
        every = [tree.Index(name, (_number(k),)) for k in range(max(steps + 1, count))]
        if steps:
            return tree.Call("stack", tuple(every), (), place=name.place)
        firsts = [tree.Index(first, (tree.Word(None),)) for first in every]
        return tree.Call("concat", (*firsts, name), (), place=name.place)

    def loop(self, s: tree.For) -> tree.For:
        """A loop, from 1 where it counts from 0, and what it collects."""
        step = tree.Name(s.variable)
        s = replace(s, start=_in_numbers(s.start, self.sizes), stop=_in_numbers(s.stop, self.sizes))
        s = replace(s, body=tuple([self._of_blank(self._at_its_step(e, step), step) for e in s.body]))
        own = {e.target.name for e in tree.equations(s.body) if e.target.index == step}
        self.counters.append(s.variable)
        s = replace(s, body=tuple([self._in_row(e, step) for e in self.block(_joined(s.body))]))
        self.counters.pop()
        self.stacks |= own
        if isinstance(s.start, tree.Call) and s.start.function == "range":
            keyed = self.dicts - self.states if _first_counted(s) else set[str]()  # by the steps, from 1
            own -= keyed
            s = self._from_one(s, own, self.states | keyed)
        if not isinstance(s.start, tree.Call):
            end = s.start if s.by < 0 else s.stop
            steps = int(end.value) if isinstance(end, tree.Number) else 0
            self.collected |= dict.fromkeys(own & self.lists.keys(), steps)
            self.sizes |= {name: tree.Tuple((_number(max(steps + 1, self.firsts[name])),))
                           for name in own & self.firsts.keys() if steps}
            self.last |= dict.fromkeys(own, end)
        return s

    def _from_any(self, s: tree.For, bounds: tuple[tree.Expr, tree.Expr, int], own: set[str], states: set[str]
                  ) -> tree.For:
        """``for j in range(i + 1, n)`` and ``range(6, -1, -1)`` of numbers, which counts what ``range(n)`` would."""
        start, stop, by = bounds
        steps = _Steps(s.variable, own, self.begun, states, 0, by < 0, _at_least(start if by > 0 else stop))
        body = tuple(map(steps.statement, s.body))
        fits = steps.fits and own <= self.lists.keys() and not any(map(self.lists.get, own)) and not own & states
        return replace(s, start=start, stop=stop, body=body, from_zero=True, by=by) if fits else s

    def _of_blank(self, s: tree.Statement, step: tree.Name) -> tree.Statement:
        """``A[t] += x`` of what is made to be filled, first of all in its step: a blank entry and x."""
        if not isinstance(s, tree.Equation) or s.target.index != step or s.target.name not in self.blanks:
            return s
        blank = self.blanks.pop(s.target.name)
        return replace(s, value=_with(s.value, tree.Index(tree.Name(s.target.name), (step,)), blank))

    def _at_its_step(self, s: tree.Statement, step: tree.Name) -> tree.Statement:
        """``hs[t + 1] = …`` as what the step gives hs, which has one in front of the first."""
        if isinstance(s, tree.Equation) and s.target.name in self.states and (
                s.target.index == tree.Chain(step, (("+", tree.ONE),))):
            return replace(s, target=tree.Target(s.target.name, step))
        return s

    def _from_one(self, s: tree.For, own: set[str], states: set[str]) -> tree.For:
        """``for t in range(T)`` with t - 1 for the number t; arrays are read in order as they are, from their first
        entry. As it is where it reads other steps than these."""
        first, down, other = _first_counted(s), isinstance(s.start, tree.Call) and s.start.options != (), _bounds(s)
        if first is None and other is not None:
            return self._from_any(s, other, own, states)
        if first and not own <= states | self.lists.keys():
            return replace(s, start=_number(first), by=1) if _reads_steps(s, self.stepped) else s
        if first is None or (down and any(map(self.lists.get, own))):
            return s
        targets = [e.target for e in tree.equations(s.body) if e.target.index is not None]
        others = [x for x in targets if x.index != tree.Name(s.variable) and s.variable in tree.mentioned(x.index)]
        steps = _Steps(s.variable, own, self.begun, states, first, down, first)
        body = tuple(map(steps.statement, s.body))
        fits = steps.fits and not others and own <= self.lists.keys() and s.stop != tree.Word(None)
        start, stop = (s.stop, tree.ONE) if down else (_number(first or 1), s.stop)
        if not fits:
            return s
        return replace(s, start=start, stop=stop, body=body, from_zero=not first, by=-1 if down else 1)


def _reads_steps(s: tree.For, others: Collection[str]) -> bool:
    """Whether a loop over ``range(1, T + 1)`` reads its counter in steps alone, h[t-1], of ``others`` or of its own."""
    inner = [*tree.flat(s.body)]
    own = {*others, *[e.target.name for e in inner if isinstance(e, tree.Equation)]}
    bounds = [bound for e in inner if isinstance(e, tree.For) for bound in (e.start, e.stop)]
    values = [e.value for e in inner if isinstance(e, tree.Equation)]
    uses = [part for whole in [*bounds, *values] for part in tree.all_parts(whole)]
    entries = [part.base.name for part in uses if isinstance(part, tree.Index)
               and isinstance(part.base, tree.Name) and s.variable in tree.mentioned(part.items[0], inside=False)]
    return own.issuperset(entries) and uses.count(tree.Name(s.variable)) == len(entries)


class _Steps:
    """What stands in a loop that counts from 0, or from ``first``, for one that counts from 1."""

    def __init__(self, counter: str, own: set[str], begun: set[str], states: set[str], first: int, down: bool,
                 least: int) -> None:
        self.counter, self.own, self.begun, self.fits = tree.Name(counter), own, begun, True
        self.states, self.first, self.down, self.least = states, first, down, least
        self.given = set[str]()  # the lists that have an entry of this step already

    def statement(self, s: tree.Statement) -> tree.Statement:
        if isinstance(s, tree.Equation):
            value = self.expression(s.value)
            self.given.add(s.target.name)
            return replace(s, value=value)
        if not isinstance(s, tree.For):
            return s
        start, stop = self.expression(s.start), self.expression(s.stop)
        return replace(s, start=start, stop=stop, body=tuple(map(self.statement, s.body)))

    def expression(self, expr: tree.Expr) -> tree.Expr:
        if expr == self.counter:
            return expr if self.first else tree.Chain(expr, (("-", tree.ONE),), place=expr.place)
        if isinstance(expr, tree.Index):
            base = expr.base if isinstance(expr.base, tree.Name) else self.expression(expr.base)
            return replace(expr, base=base, items=tuple([self.item(expr.base, item) for item in expr.items]))
        return tree.changed(expr, self.expression)

    def item(self, base: tree.Expr, item: tree.Expr) -> tree.Expr:
        """An index, which stays where it is a step or a place in an array beside one."""
        ahead = tree.ahead(item, self.counter.name)
        name = base.name if isinstance(base, tree.Name) else ""
        if name in self.states and name in self.own and item == _LAST:
            self.fits &= not self.down
            return self.at(0 if name in self.given else -1)
        if ahead is None:
            return self.other_place(item, name)
        if name in self.states:
            ahead -= not self.first
            self.fits &= name not in self.own or (max(-self.first, -MOST_BACK) <= ahead <= 0 and not self.down) or (
                ahead == -1 and not self.down)
            return self.at(ahead)
        if self.first:
            self.fits &= ahead >= -self.first
            return self.at(ahead + 1)
        self.fits &= ahead == 0 or (ahead == -1 and name in self.begun and not self.down if name in self.own
                                     else ahead >= -self.least)
        return item

    def at(self, ahead: int) -> tree.Expr:
        """The place so far ahead of the counter."""
        sign = "+" if ahead > 0 else "-"
        return tree.Chain(self.counter, ((sign, tree.Number(sp.Integer(abs(ahead)))),)) if ahead else self.counter

    def other_place(self, item: tree.Expr, name: str) -> tree.Expr:
        """An index that is computed: a number made of the counter alone, as 2·t, counts from 1 as the counter does;
        entries of arrays, as words[t], count from 0, and of what else there is, as n - t, it is not known."""
        moved = self.expression(item)
        if isinstance(item, tree.Slice) or _is_array(item) or not _is_free(item, self.counter):
            return moved
        direct = {*tree.mentioned(item)} == {*tree.mentioned(item, inside=False)} == {self.counter.name}
        self.fits &= direct and name not in self.own
        return tree.Chain(moved, (("+", tree.ONE),), place=item.place)


def _is_array(item: tree.Expr) -> bool:
    """Whether an index is several places, ``i + arange(3)``, which count from 0."""
    return any(isinstance(part, tree.Tuple) or tree.called(part)[0] in ("arange", "range")
               for part in tree.all_parts(item))


def _is_free(expr: object, name: tree.Name) -> bool:
    """Whether a name occurs outside of indices."""
    return expr == name or (not isinstance(expr, tree.Index) and any(_is_free(part, name) for part in tree.parts(expr)))


def _one_more(stop: tree.Expr) -> tree.Expr:
    """T of T - 1, and T + 1 of T."""
    match stop:
        case tree.Number(value):
            return tree.Number(value + 1)
        case tree.Negative(tree.Number(value)):
            return tree.Number(1 - value)
        case tree.Chain(whole, (("-", tree.ONE),)):
            return whole
    return tree.Chain(stop, (("+", tree.ONE),))


def _filled(statements: Sequence[tree.Statement], more: bool = False) -> Iterator[tuple[str, tree.Expr]]:
    """The names of which loops ``for t in range(T)`` give every entry, each with how many these are; with ``more`` all
    but the last, which is what is in front of the first."""
    ends = {s.target.name for s in statements if isinstance(s, tree.Equation) and s.target.index == _LAST}
    for loop in statements:
        if isinstance(loop, tree.For) and isinstance(loop.start, tree.Call) and loop.start == tree.Call(
                "range", (loop.stop,), loop.start.options):  # downwards too
            step = tree.Name(loop.variable)
            names = [e.target.name for e in tree.equations(loop.body) if e.target.index == step]
            yield from ((name, _one_more(loop.stop) if more else loop.stop) for name in names
                        if not more or name in ends)


def _refuse_other_places(name: str, below: Sequence[tree.Statement]) -> None:
    """A list has an entry for each step of one loop: raises a `SyntaxProblem` for what is appended to it elsewhere."""
    filled = 0
    for s in below:
        if isinstance(s, tree.Equation) and s.target == tree.Target(name):
            return
        entries = [e for e in tree.equations([s]) if e.target.name == name] if isinstance(s, tree.For) else []
        if any(e.target.index is None for e in entries):
            continue  # a list of its own, in the loop
        filled += len(entries)
        if entries and (filled > 1 or entries[0] not in cast(tree.For, s).body):
            raise problem(f"a list is filled in one loop, an entry a step; {name} is filled elsewhere too, or in "
                          "a loop in the loop: fill lists of their own, and join them with np.concatenate",
                          entries[-1].line)


def _first_counted(s: tree.For) -> int | None:
    """The first number of ``range(T)`` and ``range(1, T + 1)``; None of any other."""
    args = s.start.args if isinstance(s.start, tree.Call) else ()
    if s.stop == tree.Word(None):
        return None
    match args:
        case (_,):
            return 0
        case (tree.Number(first), _) if 0 < first <= MOST_BACK:
            return int(first)
    return None


def _at_least(start: tree.Expr) -> int:
    """The least number that a counter of Python's surely is that begins one before a number, or a counter."""
    match start:
        case tree.Number(value) | tree.Chain(tree.Name(), (("+", tree.Number(value)),)):
            return int(value) - 1
    return 0


def _bounds(s: tree.For) -> tuple[tree.Expr, tree.Expr, int] | None:
    """The first and the last number that ``range(a, b, c)`` counts, one more than Python's, and the c; None of any
    other."""
    match s.start:
        case tree.Call("range", (first, stop), ()):
            return _one_more(first), stop, 1
        case tree.Call("range", (first, stop, tree.Number(sp.Integer() as by)), ()) if by:
            return _one_more(first), stop, int(by)
        case tree.Call("range", (first, stop, tree.Negative(tree.Number(sp.Integer() as by))), ()) if by:
            return _one_more(first), _one_more(_one_more(stop)), -int(by)
    return None


def _number(value: sp.Expr | int) -> tree.Number:
    return tree.Number(sp.Integer(value))


Places: TypeAlias = Mapping[str, Sequence[tuple[tree.For, list[tree.Expr | None]]]]


def _places(statements: Sequence[tree.Statement]) -> Places:
    """By name the loops that give entries of it, each with their indices."""
    found: dict[str, list[tuple[tree.For, list[tree.Expr | None]]]] = {}
    for loop in tree.loops(statements):
        there: dict[str, list[tree.Expr | None]] = {}
        for e in tree.equations(loop.body):
            there.setdefault(e.target.name, []).append(e.target.index)
        for name, indices in there.items():
            found.setdefault(name, []).append((loop, indices))
    return found


def _is_begun(name: str, place: tree.Expr, statements: Sequence[tree.Statement]) -> bool:
    """Whether a line gives what is in front of the first step."""
    return any(isinstance(s, tree.Equation) and s.target == tree.Target(name, place) for s in statements)


def _blank(value: tree.Expr) -> tuple[tree.Expr | None, tree.Expr]:
    """How many entries there are of what is made to be filled, ``zeros((T, H))`` and ``empty_like(x)``, and one of
    them; None of any other value."""
    name, args, _ = tree.called(value)
    if name in _LIKE and len(args) == 1:
        return tree.Index(tree.Member(args[0], "shape"), (tree.ZERO,)), tree.Call(
            "zeros_like", (tree.Index(args[0], (tree.ZERO,)),), ())
    if name not in ("zeros", "empty"):
        return None, value
    inside = args[0].items if args and isinstance(args[0], tree.Tuple) else args
    return (inside[0] if inside else None), tree.Call("zeros", (tree.Tuple(inside[1:]),) if inside[1:] else (), ())


def _sized(expr: tree.Expr, sizes: Mapping[str, tree.Expr]) -> tree.Expr:
    """A size as it is compared with others: ``len(x)`` is ``x.shape[0]``, and what a name stands for is that."""
    match expr:
        case tree.Name(name) if name in sizes and not isinstance(sizes[name], tree.Tuple):
            return sizes[name]
        case tree.Call("len", (array,), ()) | tree.Member(array, "size", (tree.Number(sp.S.Zero),)):
            return _sized(tree.Index(tree.Member(array, "shape"), (tree.ZERO,)), sizes)
        case tree.Index(tree.Member(tree.Name(name), "shape"), (tree.Number(place),)):
            shape = sizes.get(name)
            return shape.items[int(place)] if isinstance(shape, tree.Tuple) and 0 <= place < len(shape.items) else expr
        case tree.Chain(first, ((("+" | "-") as sign, tree.Number(value)),)):
            first = _sized(first, sizes)
            more = value if sign == "+" else -value
            return replace(expr, first=first) if not isinstance(first, tree.Number) else _number(first.value + more)
    return expr


def _in_numbers(expr: tree.Expr, sizes: Mapping[str, tree.Expr]) -> tree.Expr:
    """A bound of a loop, with numbers and dimensions for what names stand for that are these."""
    if isinstance(expr, tree.Call) and expr.function == "range":
        return replace(expr, args=tuple([_in_numbers(e, sizes) for e in expr.args]))
    found = _sized(expr, sizes)
    return expr if any(isinstance(part, tree.Member) for part in tree.all_parts(found)) else found


def _sizes(value: tree.Expr) -> Sequence[tree.Expr]:
    """The sizes of what is made with some, ``zeros((T, H))``, or the first one of ``zeros_like(x)`` and
    ``zeros(x.shape)``; none of any other value."""
    name, args, _ = tree.called(value)
    match args:
        case (array, *_) if name in _LIKE:
            return (tree.Index(tree.Member(array, "shape"), (tree.ZERO,)),)
        case (tree.Member(_, "shape", None) as shape,):
            return (tree.Index(shape, (tree.ZERO,)),)
        case (tree.Tuple(items), *_):
            return items
    return args
