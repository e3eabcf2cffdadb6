"""What a loop over a symbolic axis has computed, read from outside of it."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.indexing import getitem
from symbackprop.core.loops import stack_of
from symbackprop.core.shapes import same
from symbackprop.errors import ModelError
from symbackprop.model.text.known_numbers import short


@dataclass
class LoopResult:
    """A name computed by a loop from ``first`` to ``last``: its row in the body, and its place among the carries."""

    scan: Node
    row: Node
    first: sp.Expr
    last: sp.Expr
    place: int | None
    varies: bool = True

    def stack(self) -> Node:
        """The values of all steps, ordered by the counter."""
        if self.varies:
            return stack_of(self.scan, self.row)
        return self.row.graph.broadcast(self.row, (self.scan.attr.length, *self.row.shape))

    def at(self, place: sp.Expr, name: str) -> Node:
        """The value at one step; the last one needs no stack."""
        end = self.first if self.scan.attr.reverse else self.last
        if self.place is not None and same(place, end):
            return self.scan.graph.result(self.scan, self.place)
        index = sp.expand(place - self.first)
        if index.is_negative or (self.last - place).is_negative:
            raise ModelError(f"there is no {name}[{short(place)}]: the loop runs from {self.first} to {self.last}")
        return getitem(self.stack(), index)
