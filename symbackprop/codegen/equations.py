"""The equation beside a line of code: Unicode mathematics in one line, as Z1 = X W1 + b1."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.facts import copies_of
from symbackprop.core.graph import Node
from symbackprop.core.literals import superscript
from symbackprop.core.notation import ModelPrinter, Notation
from symbackprop.core.pattern import Pattern
from symbackprop.core.printer import ATOM, POWER, PRODUCT, Text
from symbackprop.core.shapes import Shape, bracketed, dim_text


class EquationPrinter(ModelPrinter):
    """Mathematics for comments: matrix products side by side, ᵀ, and ⊙ between arrays."""

    signs: ClassVar = ModelPrinter.signs | {
        "minus": Text("−"), "less": Text(" − "), "odot": Text(" ⊙ "), "dot": Text(" · "),
    }

    def matmul(self, m: maths.MatMul) -> Text:
        left, right = self.wrapped(m.left, PRODUCT + 1), self.wrapped(m.right, PRODUCT + 1)
        return Text(f"{left.text} {right.text}", PRODUCT)

    def transpose(self, m: maths.Transpose) -> Text:
        return Text(f"{self.wrapped(m.body, ATOM).text}ᵀ")

    def inverse(self, m: maths.Inverse) -> Text:
        return Text(f"{self.wrapped(m.body, ATOM).text}⁻{'ᵀ' if m.flipped else '¹'}")

    def pow(self, m: maths.Pow) -> Text:
        base = self.wrapped(m.base, POWER + 1).text
        if isinstance(m.exponent, maths.Num) and m.exponent.value.is_Integer and m.exponent.value >= 0:
            return Text(base + superscript(str(m.exponent.value)), POWER)
        return Text(f"{base}^{self.wrapped(m.exponent, POWER + 1).text}", POWER)

    def scaled(self, m: maths.Prod) -> Text:
        """2·x, x/N: a number in front is no entrywise factor."""
        top, bottom = sp.fraction(m.number)
        body = self(maths.product(*m.factors))
        if top != 1:
            number = self.wrapped(maths.Num(top), PRODUCT + 1)
            body = self.row(number, self.sign("dot"), self.at_least(body, PRODUCT), level=PRODUCT)
        return body if bottom == 1 else self.fraction(body, self(maths.Num(bottom)))

    def op(self, m: maths.Op) -> Text:
        match m:
            case maths.Op("outer", (a, b)):
                return self.matmul(maths.MatMul(a, maths.Transpose(b)))
            case maths.Op("einsum", (maths.Words(pattern), *args)):
                if Pattern.parse(pattern).outer == (1, 0):
                    return self.op(maths.Op("outer", tuple(args[::-1])))
                return self.applied(Text("einsum"), [maths.Sym(pattern.replace("->", "→")), *args])
        return super().op(m)


class Equation(Notation):
    """Rows as they stand in comments."""

    printer = EquationPrinter()

    def structural(self, node: Node) -> maths.Math:
        """A row as its op says it, and as a call where all are copies."""
        copies = copies_of(node)
        if copies is None:
            return super().structural(node)
        a, axis, n = copies
        return maths.Op("repeat", (self.ref(a), maths.Num(n), maths.Option("axis", maths.Num(sp.Integer(axis)))))


@cache
def shape_note(shape: Shape) -> str:
    """``N×H``; a scalar has no note."""
    return "×".join(bracketed(dim_text(d)) for d in shape)
