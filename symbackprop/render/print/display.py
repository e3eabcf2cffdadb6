"""Mathematics in two dimensions, as LaTeX and MathML have it: boxes of tokens, put together in one way for both.

A token is a finished piece of output with its width in points (estimated; MathML needs none). Between tokens a long
line may break where a `BREAK` stands; brackets are tokens of their own, so that a break inside them can be told from
one outside. What stands in a script, a fraction or under a root is one token and never breaks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.literals import fraction
from symbackprop.core.maths import Math
from symbackprop.core.names import GREEK, Name, parse_name
from symbackprop.core.printer import ATOM, MATRIX, POWER, PRODUCT, SIGN, TERM
from symbackprop.render.print.own import OwnNames

MANY = 4096  # names that are remembered as they print
WORDY = 3  # a subscript of this many letters is a word and stands upright


class Kind(IntEnum):
    """What a token is to a line that has to be broken."""

    PLAIN, BREAK, ARGUMENT, OPEN, CLOSE, TALL_OPEN, TALL_CLOSE = range(7)


class Token(NamedTuple):
    """``other``: how a sign is written at the beginning of a line; a tall bracket, where a line breaks inside it."""

    text: str
    width: float = 0.0
    kind: Kind = Kind.PLAIN
    other: str | None = None


BREAK = Token("", 5.1, Kind.BREAK)  # a formula that may break is given some room
ARGUMENT = Token("", 0.0, Kind.ARGUMENT)  # so may a call, before its arguments
BREAKS = (Kind.BREAK, Kind.ARGUMENT)


class Start(IntEnum):
    """What a box starts with, so that a number before it needs a sign or a space; ``TALL``: tall brackets, to which a
    script can be added."""

    LETTER, DIGIT, COMMAND, SUM, BRACKET, TALL = range(6)

    def lowered(self) -> Start:
        """The same with a subscript behind it."""
        return Start.BRACKET if self is Start.TALL else self


class Box(NamedTuple):
    """``tall``: parentheses around it grow; ``low``: something in it has a subscript."""

    tokens: tuple[Token, ...]
    level: int = ATOM
    starts: Start = Start.COMMAND
    tall: bool = False
    low: bool = False

    @property
    def text(self) -> str:
        return "".join([t.text for t in self.tokens])

    @property
    def width(self) -> float:
        return sum([t.width for t in self.tokens])


def row(*items: Box | Token, level: int = ATOM) -> Box:
    """Side by side; it starts as the first box does."""
    tokens: list[Token] = []
    tall = low = False
    for item in items:
        if isinstance(item, Box):
            tokens += item.tokens
            tall, low = tall or item.tall, low or item.low
        else:
            tokens.append(item)
    starts = items[0].starts if items and isinstance(items[0], Box) else Start.COMMAND
    return Box(tuple(tokens), level, starts, tall, low)


class Display(OwnNames[Box, Token]):
    """What LaTeX and MathML have in common. A subclass says how pieces look: ``signs`` by the names that they have in
    `latex.SIGNS`, and every abstract method, of `OwnNames` and `Printer` too; Python names those that it lacks."""

    signs: dict[str, Token]

    def __init__(self) -> None:
        self.names: dict[str, Box] = {}

    # -- pieces
    @abstractmethod
    def digits(self, text: str) -> Token:
        """A number, without a sign."""

    @abstractmethod
    def letter_token(self, text: str) -> Token:
        """One letter, slanted."""

    @abstractmethod
    def over(self, top: Box, bottom: Box) -> Token:
        """A fraction."""

    @abstractmethod
    def root(self, body: Box) -> Token:
        """A square root."""

    @abstractmethod
    def table(self, rows: Sequence[Sequence[Box]]) -> Token:
        """A matrix in brackets."""

    @abstractmethod
    def group(self, body: Box) -> Box:
        """One thing, to which a script is added."""

    def row(self, *items: Box | Token, level: int = ATOM) -> Box:
        return row(*items, level=level)

    def sign(self, name: str) -> Token:
        return self.signs[name]

    def before(self, name: str) -> Box:
        return Box((BREAK, self.signs[name]))

    def levelled(self, p: Box, level: int) -> Box:
        return p._replace(level=level)

    def fenced(self, p: Box) -> Box:
        return self.between("(", p, ")", p.tall)

    def gap(self, p: Box) -> Token:
        return self.sign("dot" if p.starts == Start.DIGIT else "thin")

    def applied(self, name: Box, args: Sequence[Math], tall: bool = False) -> Box:
        first, *others = map(self, args)
        inside = row(first, *[x for box in others for x in (self.sign("comma"), ARGUMENT, box)])
        return row(name, self.between("(", inside, ")", tall or inside.tall))

    def plain(self, text: str) -> Box:
        """Letters, digits and signs one by one."""
        tokens: list[Token] = []
        number = ""
        for c in text:
            if number and not c.isdigit():
                tokens.append(self.digits(number))
                number = ""
            if c.isdigit():
                number += c
            else:
                tokens.append(self.letter_token(c) if c.isalpha() else self.sign(c))
        tokens += [self.digits(number)] if number else []
        starts = Start.DIGIT if text[:1].isdigit() else Start.LETTER
        return Box(tuple(tokens), starts=starts)

    def number(self, text: str) -> Box:
        return Box((self.digits(text),), starts=Start.DIGIT)

    def operator(self, name: str) -> Box:
        return Box((self.word(name, "operator"),), low="_" in name)

    def to_power(self, base: Box, exponent: str) -> Box:
        digits = self.number(exponent.lstrip("-"))
        return self.raised(base, row(self.sign("minus"), digits) if exponent.startswith("-") else digits)

    def fraction(self, top: Box, bottom: Box) -> Box:
        return Box((self.over(top, bottom),), SIGN, tall=True, low=top.low or bottom.low)

    def rooted(self, m: Math) -> Box:
        inner = self(m)
        return Box((self.root(inner),), tall=True, low=inner.low)

    def exponential(self, m: maths.Fn) -> Box:
        return self.raised(self.plain("e"), self(m.args[0]))._replace(level=POWER)

    def grid(self, rows: Sequence[Sequence[Box]]) -> Box:
        return Box((self.table(rows),), tall=True, low=True)

    def indexed(self, base: Box, index: Sequence[Box], short: bool) -> Box:
        base = base if base.level >= ATOM else self.fenced(base)
        if base.low and base.starts != Start.TALL:  # δ_z[t], as in text
            return row(base, self.between("[", self.separated(index, "tight comma"), "]", False))
        return self.lowered(base, row(*index) if short else self.separated(index, "tight comma"))

    # -- names
    def named(self, name: str) -> Box:
        if name not in self.names:
            if len(self.names) >= MANY:
                self.names.clear()
            self.names[name] = self._named(name)
        return self.names[name]

    def _named(self, name: str) -> Box:
        parts: Name = parse_name(name)
        base = self._base(parts.base)
        for accent in parts.accents:
            base = self.accented(accent, base)
        low = [self._low(s) for s in (*parts.subscripts, *([parts.place] if parts.place else []))]
        return self.lowered(base, self.separated(low, "tight comma")) if low else base

    def _base(self, word: str) -> Box:
        if word in GREEK:
            return Box((self.symbol(word),))
        return self.plain(word) if len(word) == 1 else Box((self.word(word, "slanted"),), low="_" in word)

    def _low(self, word: str) -> Box:
        if word in GREEK:
            return Box((self.symbol(word),))
        if word[:1].isalpha() and word[:1].isascii() and word[1:].isdigit():
            return self.lowered(self.plain(word[0]), self.plain(word[1:]))
        if len(word) >= WORDY and word.rstrip("0123456789").isalpha() and len(word.rstrip("0123456789")) >= WORDY:
            return Box((self.word(word, "upright"),))
        if all(c.isascii() and (c.isalnum() or c in "+,=-") for c in word):
            return self.plain(word)
        return Box((self.word(word, "slanted"),))

    def own(self, notation: str) -> Box:
        """With a superscript of its own it needs brackets before it gets another."""
        box = super().own(notation)
        starts = Start.COMMAND if notation.lstrip()[0] in "\\{" else box.starts
        return box._replace(starts=starts, level=POWER if "^" in notation else box.level)

    def sym(self, m: maths.Sym) -> Box:
        if m.notation:
            return self.own(m.notation)
        return Box((self.word(m.name, "slanted"),)) if m.verbatim else self.named(m.name)

    def own_function(self, name: str, notation: str) -> Box:
        own = self.own(notation) if notation else self.named(name)
        return self.group(own) if "^" in notation else own  # so that a prime is no second superscript

    # -- nodes
    def fill(self, m: maths.Fill) -> Box:
        one = row(self.bold("0" if m.value == 0 else "1"))
        ones = self.lowered(one, self(m.shape))
        return ones if m.value in (0, 1) else self._in_front(m.value, ones, m.shape.order)

    def scaled(self, m: maths.Prod) -> Box:
        return self._in_front(m.number, self(maths.product(*m.factors)), m.order)

    def _in_front(self, value: sp.Expr, body: Box, order: tuple[str, ...]) -> Box:
        top, bottom = fraction(value)
        if value.is_Rational or bottom == 1:
            head = self(maths.Num(value, order))
        else:
            head = self.fraction(self(maths.Num(top, order)), self.size(bottom, order))
        head = head if head.level >= PRODUCT else self.fenced(head)
        inner = body if body.level >= TERM else self.fenced(body)
        gap = {Start.DIGIT: "dot", Start.LETTER: "thin", Start.SUM: "thin"}.get(inner.starts, "space")
        return row(head, self.sign(gap), inner, level=max(PRODUCT, min(body.level, MATRIX)))

    def pow(self, m: maths.Pow) -> Box:
        base, exponent = self.wrapped(m.base, POWER + 1), self(m.exponent)
        if m.base.rank:
            exponent = row(self.sign("tight odot"), exponent)
        return self.raised(base, exponent)._replace(level=POWER)

    def transpose(self, m: maths.Transpose) -> Box:
        return self.raised(self.wrapped(m.body, POWER + 1), row(self.sign("top")))._replace(level=POWER + 1)

    def inverse(self, m: maths.Inverse) -> Box:
        power = (self.sign("top"),) if m.flipped else (self.plain("1"),)
        exponent = row(self.sign("minus"), *power)
        return self.raised(self.wrapped(m.body, POWER + 1), exponent)._replace(level=POWER + 1)

    def commutation(self, m: maths.Commutation) -> Box:
        return self.lowered(self.named(m.name), self(maths.Num(m.size)))

    def derivative(self, m: maths.Derivative) -> Box:
        if m.sign == "∇":
            return self.nabla(m)
        d = row(self.sign("∂")) if m.sign == "∂" else self.plain(m.sign)
        top, bottom = row(d, self(m.top)), row(d, self(m.bottom))
        if m.flat:
            return row(top, self.sign("slash"), bottom)
        return self.fraction(top, bottom)

    def second(self, m: maths.Second) -> Box:
        d, two, first = row(self.sign("∂")), self.plain("2"), self(m.row)
        by = (d, self.raised(self.group(first), two)) if m.row == m.column else (d, first, d, self(m.column))
        return self.fraction(row(self.raised(d, two), self(m.top)), row(*by))

    def marked(self, m: maths.Marked) -> Box:
        body, word = self(m.body), Box((self.word(m.word, "upright"),))
        if m.word in ("direct", "given", "GN"):
            return self.lowered(self.between("", body, "|", True), word)
        if m.word == "counts":
            return row(body, self.sign("space"), self.said(" counts"))
        if m.word == "later":
            return self.raised(body, word)._replace(level=POWER)
        return self.raised(self.group(body), word)

    def listed(self, m: maths.Listed) -> Box:
        name = self.group(self(m.name))
        first, last = self.lowered(name, self(m.first)), self.lowered(name, self(m.last))
        dots = row(self.sign("comma"), self.sign("dots"), self.sign("comma"))
        return self.between("(", row(first, dots, last), ")", True)

    def link(self, m: maths.Link) -> Box:
        return self(m.body)._replace(starts=Start.LETTER)
