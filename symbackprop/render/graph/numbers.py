"""Numbers of a picture: the values and gradients of its rows as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symbackprop.core.graph import Node
from symbackprop.derive.steps import Derivation, LoopStep
from symbackprop.render.numbers import DIGITS, Numbers
from symbackprop.render.print.text import text


class GraphNumbers:
    """Values of rows and of their gradients, each as many lines as an array has rows."""

    def __init__(self, derivation: Derivation, numbers: Numbers) -> None:
        self.numbers = numbers
        self.totals = {s.target.id: s.total for s in derivation.steps if not isinstance(s, LoopStep)}

    def value(self, row: Node) -> tuple[str, ...]:
        return self._lines(row)

    def gradient(self, row: Node) -> tuple[str, ...]:
        total = self.totals.get(row.id)
        return () if total is None else self._lines(total)

    def _lines(self, row: Node) -> tuple[str, ...]:
        value = self.numbers.of(row)
        return () if value is None or value.shown is None else tuple(text(value.shown).splitlines())


def graph_numbers(derivation: Derivation, values: Mapping[str, Any], sizes: Mapping[str, int],
                  digits: int | None = None) -> GraphNumbers:  # fmt: skip
    """The numbers of a picture at given values of all arrays, as the derivation prints them."""
    return GraphNumbers(derivation, Numbers(derivation, values, sizes, DIGITS if digits is None else digits))
