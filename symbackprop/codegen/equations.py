"""The equation beside a line of code: Unicode mathematics in one line, as Z1 = X W1 + b1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.facts import copies_of
from symbackprop.core.graph import Node
from symbackprop.core.literals import is_decimal, superscript
from symbackprop.core.notation import ModelPrinter, Notation
from symbackprop.core.pattern import Pattern
from symbackprop.core.printer import ATOM, MATRIX, POWER, PRODUCT, QUOTIENT, SIGN, Text
from symbackprop.core.shapes import Dim, Shape, bracketed, dim_text


class EquationPrinter(ModelPrinter):
    """Mathematics for comments: matrix products side by side, ᵀ, and ⊙ between arrays."""

    signs: ClassVar = ModelPrinter.signs | {
        "minus": Text("−"), "less": Text(" − "), "odot": Text(" ⊙ "), "dot": Text(" · "),
    }

    def matmul(self, m: maths.MatMul) -> Text:
        """Side by side; of two vectors aᵀ b."""
        first = maths.turned(m.left) if m.left.rank == m.right.rank == 1 else m.left
        left, right = self.wrapped(first, MATRIX), self.wrapped(m.right, MATRIX + 1)
        return Text(f"{left.text} {right.text}", MATRIX)

    def transpose(self, m: maths.Transpose) -> Text:
        return Text(f"{self.wrapped(m.body, ATOM).text}ᵀ")

    def inverse(self, m: maths.Inverse) -> Text:
        return Text(f"{self.wrapped(m.body, ATOM).text}⁻{'ᵀ' if m.flipped else '¹'}")

    def pow(self, m: maths.Pow) -> Text:
        base = self.wrapped(m.base, POWER + 1).text
        if isinstance(m.exponent, maths.Num) and m.exponent.value.is_Integer and m.exponent.value >= 0:
            return Text(base + superscript(str(m.exponent.value)), POWER)
        return Text(f"{base}^{self.wrapped(m.exponent, POWER + 1).text}", POWER)

    def num(self, m: maths.Num) -> Text:
        """A product of roots of numbers as one, sqrt(2/pi)."""
        square = m.value**2 if m.value.is_Mul and m.value.is_positive and _has_roots(m.value) else m.value
        if square.is_Rational or square.free_symbols or _has_roots(square):
            return super().num(m)
        found = super().num(maths.Num(square))
        return found if square == m.value else Text(f"sqrt({found.text})")

    def fraction(self, top: Text, bottom: Text) -> Text:
        """In parentheses where it is a factor: (a / b) ⊙ c."""
        return Text(f"{self.at_least(top, QUOTIENT).text} / {self.at_least(bottom, SIGN).text}", QUOTIENT)

    def scaled(self, m: maths.Prod) -> Text:
        """2·x, x/N: a number in front is no entrywise factor."""
        whole = is_decimal(m.number) if m.number.is_Rational else m.number.is_number
        top, bottom = (m.number, sp.S.One) if whole else sp.fraction(m.number)
        body = self(maths.product(*m.factors))
        if top != 1:
            number = self.wrapped(maths.Num(top), PRODUCT + 1)
            body = self.row(number, self.sign("dot"), self.at_least(body, PRODUCT), level=PRODUCT)
        return body if bottom == 1 else self.fraction(body, self(maths.Num(bottom)))

    def op(self, m: maths.Op) -> Text:
        match m:
            case maths.Op("outer", (a, b)):
                return self.matmul(maths.MatMul(a, maths.Transpose(b)))
        return super().op(m)

    def contracted(self, pattern: Pattern, args: Sequence[maths.Math]) -> Text:
        """ᵀ of more axes for the last two: sum(Aᵀ B, axis=0)."""
        if pattern.outer == (1, 0):
            return self.op(maths.Op("outer", tuple(args[::-1])))
        return super().contracted(pattern, args)

    def einsum(self, pattern: Pattern, args: Sequence[maths.Math]) -> Text:
        return self.applied(Text("einsum"), [maths.Sym(str(pattern).replace("->", "→")), *args])

    def turn(self, lead: int) -> Callable[[maths.Math], maths.Math]:
        return maths.turned


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


def _has_roots(number: sp.Expr) -> bool:
    return not all(power.exp.is_Integer for power in number.atoms(sp.Pow))


@cache
def shape_note(shape: Shape) -> str:
    """``N×4H``; a scalar has no note."""
    return "×".join(map(_size, shape))


def _size(d: Dim) -> str:
    number, rest = d.as_coeff_Mul()
    return f"{number}{rest}" if rest.is_Symbol and number.is_Integer and number > 1 else bracketed(dim_text(d))
