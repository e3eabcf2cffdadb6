"""Loops as Python writes them, ``for t in range(T):``, as loops that count from 1, and what they collect: ``hs = []``
with ``hs.append(h)`` and ``hs = zeros((T, H))`` with ``hs[t] = h`` are what the loop gives hs, all of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp

from symbackprop.model.text import tree

NOTHING = tree.Tuple(())  # what a list or a dict holds that nothing was put into
_ONE = tree.Number(sp.S.One)
_LAST = tree.Negative(_ONE)  # the place in front of the first step, of a dict
_IS = "what {} is before the loop says nothing: it is what the loop gives it, step by step"


def counted_from_one(statements: Sequence[tree.Statement]) -> tuple[tree.Statement, ...]:
    """The statements with loops over ``range(T)`` as loops over ``1..T`` where that is the same; others stay."""
    return tuple(_Counting().block(statements))


class _Counting:
    """Goes through statements from above."""

    def __init__(self) -> None:
        self.lists: dict[str, bool] = {}  # that are begun, whether with nothing in them
        self.begun: set[str] = set()  # of which there is a value in front of the first step
        self.collected: dict[str, int] = {}  # by loops above, entries counted from 0; how many where that is a number

    def block(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
        filled = {*_filled(statements)}
        for s in statements:
            if isinstance(s, tree.Equation) and s.target.index is None and (
                    s.value == NOTHING or (filled and (s.target.name, _size(s.value)) in filled)):
                self.lists[s.target.name] = s.value == NOTHING
                yield tree.Said(s.line, _IS.format(s.target.name))
            elif isinstance(s, tree.Equation):
                yield replace(self.in_front(s), value=self.from_zero(s.value))
            elif isinstance(s, tree.For):
                yield self.loop(s)
            else:
                yield s

    def in_front(self, s: tree.Equation) -> tree.Equation:
        """``hs[-1] = h0`` of a dict as ``hs[0] = h0``, where steps count from 1."""
        if s.target.name not in self.lists or s.target.index != _LAST:
            return s
        self.begun.add(s.target.name)
        return replace(s, target=tree.Target(s.target.name, tree.Number(sp.S.Zero)))

    def from_zero(self, expr: tree.Expr) -> tree.Expr:
        """An expression that reads what is collected: all of it is an array, of which an entry is taken, and Python's
        sum is of its entries."""
        if not self.collected:
            return expr
        match expr:
            case tree.Index(tree.Name(name), (item,)) if item == _LAST and name in self.begun and self.lists[name]:
                return replace(expr, items=(tree.Number(sp.S.Zero),))  # of a dict, in which it is a key as others
            case tree.Index(tree.Name(name), (item,)) if name in self.collected and not isinstance(item, tree.Slice):
                expr = replace(expr, items=(item, tree.Word(Ellipsis)))
            case tree.Call("sum", (tree.Name(name),), ()) if name in self.lists and name in self.collected:
                expr = replace(expr, options=(("axis", tree.Number(sp.S.Zero)),))
            case tree.Name(name) if self.collected.get(name):
                steps = [tree.Index(expr, (tree.Number(sp.Integer(k + 1)),)) for k in range(self.collected[name])]
                return tree.Call("stack", tuple(steps), (), place=expr.place)
        return tree.changed(expr, self.from_zero)

    def loop(self, s: tree.For) -> tree.For:
        """A loop, from 1 where it counts from 0, and what it collects."""
        own = {e.target.name for e in tree.equations(s.body) if e.target.index == tree.Name(s.variable)}
        s = replace(s, body=tuple(self.block(s.body)))
        if isinstance(s.start, tree.Call) and s.start.function == "range" and len(s.start.args) == 1:
            s = self._from_one(s, own)
        if not isinstance(s.start, tree.Call):
            steps = int(s.stop.value) if isinstance(s.stop, tree.Number) else 0
            self.collected |= dict.fromkeys(own & self.lists.keys(), steps)
        return s

    def _from_one(self, s: tree.For, own: set[str]) -> tree.For:
        """``for t in range(T)`` with t - 1 for the number t; arrays are read in order as they are, from their first
        entry. As it is where it reads other steps than these."""
        targets = [e.target for e in tree.equations(s.body) if e.target.index is not None]
        others = [x for x in targets if x.index != tree.Name(s.variable) and s.variable in tree.mentioned(x.index)]
        steps = _Steps(s.variable, own, self.begun)
        body = tuple(map(steps.statement, s.body))
        fits = steps.fits and not others and own <= self.lists.keys() and s.stop != tree.Word(None)
        return replace(s, start=_ONE, body=body, from_zero=True) if fits else s


class _Steps:
    """What stands in a loop that counts from 0, for one that counts from 1."""

    def __init__(self, counter: str, own: set[str], begun: set[str]) -> None:
        self.counter, self.own, self.begun, self.fits = tree.Name(counter), own, begun, True

    def statement(self, s: tree.Statement) -> tree.Statement:
        if isinstance(s, tree.Equation):
            return replace(s, value=self.expression(s.value))
        if not isinstance(s, tree.For):
            return s
        start, stop = self.expression(s.start), self.expression(s.stop)
        return replace(s, start=start, stop=stop, body=tuple(map(self.statement, s.body)))

    def expression(self, expr: tree.Expr) -> tree.Expr:
        if expr == self.counter:
            return tree.Chain(expr, (("-", _ONE),), place=expr.place)
        if isinstance(expr, tree.Index):
            base = expr.base if isinstance(expr.base, tree.Name) else self.expression(expr.base)
            return replace(expr, base=base, items=tuple([self.item(expr.base, item) for item in expr.items]))
        return tree.changed(expr, self.expression)

    def item(self, base: tree.Expr, item: tree.Expr) -> tree.Expr:
        """An index, which stays where it is a step or a place in an array beside one."""
        ahead = tree.ahead(item, self.counter.name)
        name = base.name if isinstance(base, tree.Name) else ""
        if ahead is None:
            return self.other_place(item, name)
        self.fits &= ahead == 0 or (ahead == -1 and name in self.begun if name in self.own else ahead > 0)
        return item

    def other_place(self, item: tree.Expr, name: str) -> tree.Expr:
        """An index that is computed: a number made of the counter alone, as 2·t, counts from 1 as the counter does;
        entries of arrays, as words[t], count from 0, and of what else there is, as n - t, it is not known."""
        moved = self.expression(item)
        if isinstance(item, (tree.Slice, tree.Tuple)) or not _is_free(item, self.counter):
            return moved
        direct = {*tree.mentioned(item)} == {*tree.mentioned(item, inside=False)} == {self.counter.name}
        self.fits &= direct and name not in self.own
        return tree.Chain(moved, (("+", _ONE),), place=item.place)


def _is_free(expr: object, name: tree.Name) -> bool:
    """Whether a name occurs outside of indices."""
    return expr == name or (not isinstance(expr, tree.Index) and any(_is_free(part, name) for part in tree.parts(expr)))


def _filled(statements: Sequence[tree.Statement]) -> Iterator[tuple[str, tree.Expr]]:
    """The names of which loops ``for t in range(T)`` give every entry, each with how many these are."""
    for loop in statements:
        if isinstance(loop, tree.For) and loop.start == tree.Call("range", (loop.stop,), ()):
            step = tree.Name(loop.variable)
            yield from ((e.target.name, loop.stop) for e in tree.equations(loop.body) if e.target.index == step)


def _size(value: tree.Expr) -> tree.Expr | None:
    """The first size of what is made in a size, ``zeros((T, H))``; None of any other value."""
    args = (value.args or ()) if isinstance(value, (tree.Call, tree.Member)) else ()
    sizes = args[0].items if args and isinstance(args[0], tree.Tuple) else args
    return sizes[0] if sizes else None
