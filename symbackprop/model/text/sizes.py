"""Sizes of which it is found out, one by one, which are equal, and which are computed of others."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from itertools import chain

import sympy as sp

from symbackprop.model.text import tree

Size = str | int
Shape = list[Size]
SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}  # of what sizes are computed with
_FRESH = "#"  # what a size begins with that is to be found
_SOME = 11  # a size, to see whether what is computed of it is one


class Sizes:
    """What is known of sizes so far. Those that are to be found are fresh; others are numbers or have names."""

    def __init__(self) -> None:
        self.equal: dict[Size, Size] = {}
        self.made: dict[Size, sp.Expr] = {}  # what is computed of others
        self.count = 0

    def fresh(self, rank: int = 1) -> Shape:
        self.count += rank
        return [f"{_FRESH}{self.count - k}" for k in range(rank)]

    def equate(self, a: Size, b: Size | None = None) -> None:
        first, second = self.end(a), self.end(a if b is None else b)
        if first in self.made or second in self.made:
            self._solve(first, second)
            return
        if is_fixed(second):
            first, second = second, first
        if first != second and not is_fixed(second):
            self.equal[second] = first

    def _solve(self, first: Size, second: Size) -> None:
        """Two sizes are equal, of which one is computed of others: that is what one of these is."""
        apart = sp.expand(self.value(first) - self.value(second))
        for name in sorted(map(str, apart.free_symbols), key=lambda name: (name not in (first, second), name)):
            factor, symbol = apart.coeff(sp.Symbol(name)), sp.Symbol(name)
            value = sp.expand(symbol - apart / factor) if factor in (1, -1) else symbol
            if not is_fixed(name) and symbol not in value.free_symbols and _is_size(value):
                self.equal[name] = self.size(value)
                return

    def end(self, size: Size) -> Size:
        """The first of those that are equal."""
        while size in self.equal:
            size = self.equal[size]
        return size

    def ends(self, sizes: Iterable[Size]) -> list[str]:
        """What sizes are, or are computed of, without numbers."""
        found = [sorted(map(str, self.value(size).free_symbols)) for size in sizes]
        return [*dict.fromkeys(chain(*found))]

    def value(self, size: Size) -> sp.Expr:
        """A size as what is known of it."""
        end = self.end(size)
        if isinstance(end, int):
            return sp.Integer(end)
        if end not in self.made:
            return sp.Symbol(end)
        value = self.made[end]
        return sp.expand(value.xreplace({s: self.value(s.name) for s in value.free_symbols}))

    def size(self, value: sp.Expr) -> Size:
        """What is known of a size as one; a new one where that is more than sums, products and shares."""
        value = sp.expand(value)
        if isinstance(value, (sp.Integer, sp.Symbol)):
            return plain(value)
        size = self.fresh()[0]
        if value.is_rational_function():
            self.made[size] = value
        return size


def plain(value: sp.Expr) -> Size:
    """A number or what it is written as."""
    return int(value) if value.is_Integer else str(value)


def written(value: sp.Expr) -> tree.Expr:
    """A size as it is written."""
    if isinstance(value, sp.Integer):
        return tree.Number(value)
    if not value.args:
        return tree.Name(str(value))
    sign = {sp.Add: "+", sp.Mul: "*"}.get(type(value))
    first, *rest = map(written, value.args)
    return tree.Power(first, rest[0]) if sign is None else tree.Chain(first, tuple([(sign, part) for part in rest]))


def is_fixed(size: Size) -> bool:
    """Whether a size is a number or has a name, and is not to be found."""
    return isinstance(size, int) or not size.startswith(_FRESH)


def _is_size(value: sp.Expr) -> bool:
    """Whether it can be the size of an axis."""
    return bool(value.subs(dict.fromkeys(value.free_symbols, _SOME)) > 0)
