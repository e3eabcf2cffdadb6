"""What a notation for reading has to say in its own way: the abstract half of `notation_math`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.notation import PRODUCT, Notation, Text
from symbackprop.core.scalars import Scalar

MATRIX = PRODUCT + 2  # a matrix product binds more tightly than ⊙
TERM = PRODUCT - 2  # what may follow a minus without parentheses


class ArrayText(Text):
    """The text of a vector, or of more: a product of two of these is ⊙."""

    __slots__ = ()


class MatrixText(ArrayText):
    """The text of a matrix or of more: its entrywise square is not M²."""

    __slots__ = ()


def shaped(text: Text, rank: int) -> Text:
    """The same text as that of an array with so many axes."""
    return (Text, ArrayText, MatrixText)[min(rank, 2)](*text)


def rank_of(*texts: Text) -> int:
    """The axes of a combination of these, as far as printing cares: 0, 1 or 2."""
    return max((2 if isinstance(t, MatrixText) else int(isinstance(t, ArrayText)) for t in texts), default=0)


class WrittenNotation(Notation, ABC):
    """Everything in which Unicode text and LaTeX differ."""

    dot = "·"
    brackets, prime = ("1[", "]"), "′"

    @abstractmethod
    def function_name(self, record: Scalar) -> str | None:
        """What a scalar function is called when it stands in front of its argument; None when it does not."""

    @abstractmethod
    def wrapped(self, text: Text, level: int) -> str:
        """The text, in parentheses when it binds more weakly than ``level``."""

    @abstractmethod
    def plus_minus(self, terms: Sequence[tuple[bool, str]]) -> str:
        """Terms joined by their signs (True is minus)."""

    @abstractmethod
    def between(self, left: str, right: str, entrywise: bool) -> str:
        """What stands between two factors."""

    @abstractmethod
    def coefficient(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        """A number in front of factors."""

    @abstractmethod
    def fraction(self, num: Text, den: Text) -> Text:
        """A quotient."""

    @abstractmethod
    def raised(self, base: Text, exponent: Text, entrywise: bool) -> Text:
        """A power."""

    @abstractmethod
    def applied(self, record: Scalar, args: Sequence[Text], form: f.Call) -> Text:
        """A function of the scalar table."""

    @abstractmethod
    def logarithm(self, a: Text) -> Text:
        """log a."""

    @abstractmethod
    def bracketed(self, inside: str) -> str:
        """Something in square brackets."""

    @abstractmethod
    def words(self, text: str) -> str:
        """Words inside a formula."""

    @abstractmethod
    def transposed(self, a: Text) -> Text:
        """aᵀ."""

    @abstractmethod
    def operator(self, name: str, args: Sequence[Text], below: Sequence[str]) -> Text:
        """A library function; ``below`` is what stands under its name (an index, a shape)."""

    @abstractmethod
    def big_operator(self, sign: str, body: Text, letters: Sequence[str]) -> Text:
        """Σ or max over index letters."""

    @abstractmethod
    def bars(self, a: Text) -> Text:
        """The norm ‖a‖."""

    @abstractmethod
    def shape_text(self, shape: Sequence[sp.Expr]) -> str:
        """``N × D``."""

    @abstractmethod
    def filled(self, value: sp.Expr, shape: Sequence[sp.Expr]) -> Text:
        """An array whose entries are all one number."""

    @abstractmethod
    def subscripted(self, base: Text, letters: Sequence[str]) -> Text:
        """One entry of an array."""

    @abstractmethod
    def derivative(self, top: Text, bottom: Text, partial: bool) -> Text:
        """∂top/∂bottom, or d where nothing is held fixed."""

    @abstractmethod
    def delta(self, of: Text) -> Text:
        """δ with what it belongs to."""

    @abstractmethod
    def labelled(self, name: Text, label: str) -> Text:
        """A name with a word below it: w_new."""

    @abstractmethod
    def maps_to(self, argument: Text, image: Text) -> Text:
        """argument ↦ image."""

    @abstractmethod
    def monomial(self, coefficient: int, factors: Sequence[tuple[sp.Symbol, int]]) -> str:
        """A product of dimensions with powers."""

    @abstractmethod
    def directly(self, derivative: Text) -> Text:
        """A derivative through what the loss itself reads, other branches held fixed."""

    @abstractmethod
    def later(self, gradient: Text) -> Text:
        """The part of a gradient that later steps of a loop hand back."""

    @abstractmethod
    def at_step(self, gradient: Text, index: str) -> Text:
        """What one step of a loop contributes to a gradient, or one element of a stack."""

    @abstractmethod
    def listed(self, name: Text, last: Text) -> Text:
        """A stack over time: (h₁, …, h_T)."""

    @abstractmethod
    def steps_range(self, index: str, first: Text, last: Text) -> Text:
        """t = 1, …, T."""

    @abstractmethod
    def matrix(self, rows: Sequence[Sequence[Text]]) -> Text:
        """A matrix, entry by entry."""
