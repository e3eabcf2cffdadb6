"""Languages that count from 1: which one a text is in, and what its entries and variances are here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeGuard

import sympy as sp

from symbackprop.model.text import tree

_OF_R = re.compile(r"^\s*(?:(?:loss|output)\s+)?[A-Za-z][\w.]*(?:\[[^\[\]]*\])?\s*<-|%\*%|%o%"
                   r"|\w\[\s*,|\w\[[^\[\]]*,\s*\]", re.MULTILINE)
_APART = re.compile(r"\"[^\"]*\"|#.*")  # strings and comments
_ZERO, _ONE = tree.Number(sp.S.Zero), tree.Number(sp.S.One)
_SAID = ("R counts entries from 1 and leaves out those with a minus, var divides by n - 1, and norm of a matrix is its "
         "largest sum of a column: this line is read so")


def is_of_r(lines: Sequence[str]) -> bool:
    """Whether lines have signs that are R's alone: its arrow and products, and ``X[1, ]`` with nothing behind the
    comma."""
    sign = _OF_R.search("\n".join(lines))  # in most texts none, not in strings and comments either
    return sign is not None and any(_OF_R.search(_APART.sub("", line)) for line in lines)


def as_in_r(statements: Sequence[tree.Statement]) -> tuple[tree.Statement, ...]:
    """The statements of R with entries counted from 0; as they are where a 0 among indices says that they are so."""
    every = [*tree.flat(statements)]
    families = {e.target.name for e in every if isinstance(e, tree.Equation) and e.target.index is not None}
    families |= {i.target.name for a in every if isinstance(a, tree.Arrays) for i in a.items if i.target.index}
    dims = {name for s in every if isinstance(s, tree.Named) and s.keyword == "dim" for name, _ in s.items}
    read = _Counting(families, dims)
    indices = [part for e in every if isinstance(e, tree.Equation) for part in tree.all_parts(e.value)
               if isinstance(part, tree.Index) and read.counts(part)]
    if any(item == tree.Number(sp.S.Zero) for index in indices for item in index.items):
        return tuple(statements)
    return tree.OfR(), *read.block(statements)


_ALL = tree.Slice(None, None, None)


class _Counting:
    """Goes through statements. ``families`` are names whose steps are no entries; of what else stands in an index than
    numbers and dimensions, integer data count from 0 and counters of loops from 1 already."""

    def __init__(self, families: set[str], dims: set[str]) -> None:
        self.families, self.dims = families, dims

    def counts(self, expr: tree.Index) -> bool:
        return not (isinstance(expr.base, tree.Name) and expr.base.name in self.families)

    def block(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
        for s in statements:
            if isinstance(s, tree.For):
                yield replace(s, body=tuple(self.block(s.body)))
            elif isinstance(s, tree.Equation) and (value := self.expression(s.value)) != s.value:
                yield from (tree.Said(s.line, _SAID), replace(s, value=value))
            else:
                yield s

    def expression(self, expr: tree.Expr) -> tree.Expr:
        expr = tree.changed(expr, self.expression)
        match expr:
            case tree.Index(_, items) if self.counts(expr):
                places = [i if self._is_left_out(i) else self.item(i) for i in items]
                return self.without(replace(expr, items=tuple(places)))
            case tree.Call("norm", (array, tree.String("F" | "f")), ()) | (
                    tree.Call("norm", (array,), (("type", tree.String("F" | "f")),))):
                return tree.Call("norm", (array,), (), place=expr.place)
            case tree.Call("norm", (_,), ()):
                columns = tree.Call("sum", (tree.Call("abs", expr.args, ()),), (("axis", _ZERO),))
                return tree.Call("max", (columns,), (), place=expr.place)
            case tree.Call("var", (_,), ()):
                return replace(expr, options=(("ddof", _ONE),))
        return expr

    def without(self, expr: tree.Index) -> tree.Expr:
        """``z[-2]`` as ``delete(z[:], 1, axis=0)``."""
        left_out = {k: self.item(i.body) for k, i in enumerate(expr.items) if self._is_left_out(i)}
        found: tree.Expr = replace(expr, items=tuple([_ALL if k in left_out else i for k, i in enumerate(expr.items)]))
        for k, out in left_out.items():
            axis = tree.Number(sp.Integer(sum(isinstance(i, tree.Slice) or j in left_out
                                              for j, i in enumerate(expr.items[:k]))))
            found = tree.Call("delete", (found, out), (("axis", axis),), place=expr.place)
        return found

    def _is_left_out(self, item: tree.Expr) -> TypeGuard[tree.Negative]:
        return isinstance(item, tree.Negative) and self.item(item.body) != item.body

    def item(self, item: tree.Expr) -> tree.Expr:
        """A place counted from 0."""
        if isinstance(item, tree.Slice):
            return item if item.start is None else replace(item, start=self.item(item.start))
        if isinstance(item, tree.Number):
            return replace(item, value=item.value - 1)
        known = isinstance(item, (tree.Name, tree.Chain)) and self.dims.issuperset(tree.mentioned(item))
        return tree.Chain(item, (("-", _ONE),), place=item.place) if known else item
