"""Languages that count from 1: which one a text is in, and what its entries and variances are here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp

from symbackprop.model.text import tree

_OF_R = re.compile(r"^\s*(?:(?:loss|output)\s+)?[A-Za-z][\w.]*(?:\[[^\[\]]*\])?\s*<-|%\*%|%o%"
                   r"|\w\[\s*,|\w\[[^\[\]]*,\s*\]", re.MULTILINE)
_APART = re.compile(r"\"[^\"]*\"|#.*")  # strings and comments
_ONE = tree.Number(sp.S.One)
_SAID = "R counts entries from 1, and var divides by n - 1: this line is read so"


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
    return tuple(read.block(statements))


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
                return replace(expr, items=tuple(map(self.item, items)))
            case tree.Call("var", (_,), ()):
                return replace(expr, options=(("ddof", _ONE),))
        return expr

    def item(self, item: tree.Expr) -> tree.Expr:
        """A place counted from 0; all but the first for -1."""
        if isinstance(item, tree.Slice):
            return item if item.start is None else replace(item, start=self.item(item.start))
        if item == tree.Negative(_ONE):
            return tree.Slice(_ONE, None, None)
        if isinstance(item, tree.Number):
            return replace(item, value=item.value - 1)
        known = isinstance(item, (tree.Name, tree.Chain)) and self.dims.issuperset(tree.mentioned(item))
        return tree.Chain(item, (("-", _ONE),), place=item.place) if known else item
