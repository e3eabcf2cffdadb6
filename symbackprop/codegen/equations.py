"""The equation beside a line of code: Unicode mathematics in one line, as Z1 = X W1 + b1."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.notation import ATOM, POWER, PRODUCT, Notation, Text, wrap
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import Shape, dim_text

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Equation(Notation):
    """Mathematics for comments: matrix products side by side, ᵀ, and ⊙ between arrays."""

    minus = "−"
    power_sign = "^"

    def __init__(self, names: Mapping[int, str], expanded: Collection[int] = ()) -> None:
        super().__init__(names, expanded)

    def kernel(self, node: Node) -> Text:
        before, self.times = self.times, " ⊙ " if sum(a.ndim > 0 for a in node.args) > 1 else " · "
        try:
            return super().kernel(node)
        finally:
            self.times = before

    def matmul(self, a: Text, b: Text) -> Text:
        return Text(f"{wrap(a, PRODUCT + 1)} {wrap(b, PRODUCT + 1)}", PRODUCT)

    def transpose(self, a: Text) -> Text:
        return Text(f"{wrap(a, ATOM)}ᵀ")

    def power(self, base: Text, exponent: Text) -> Text:
        if re.fullmatch(r"\d+", exponent.text):
            return Text(wrap(base, POWER + 1) + exponent.text.translate(_SUPERSCRIPTS), POWER)
        return super().power(base, exponent)

    def scaled(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        """2·x, x/N: a number in front is no entrywise factor."""
        num, den = sp.fraction(coefficient)
        body = self.product(factors)
        if num != 1:
            body = Text(f"{wrap(self.num(num), PRODUCT + 1)} · {wrap(body, PRODUCT)}", PRODUCT)
        return body if den == 1 else self.quotient(body, self.num(den))

    def function(self, name: str, args: Sequence[Text], options: Mapping[str, str]) -> Text:
        if name == "outer":
            return self.matmul(args[0], self.transpose(args[1]))
        return super().function(name, args, options)

    def indexed_sum(self, pattern: Pattern, args: Sequence[Text]) -> Text:
        if pattern.outer == (1, 0):
            return self.function("outer", args[::-1], {})
        return self.function("einsum", [Text(str(pattern).replace("->", "→")), *args], {})


@cache
def shape_note(shape: Shape) -> str:
    """``N×H``; a scalar has no note."""
    parts = [dim_text(d) for d in shape]
    return "×".join(p if p.replace("_", "").isalnum() else f"({p})" for p in parts)
