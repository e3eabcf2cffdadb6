"""Mathematics in two dimensions, as LaTeX and MathML have it: boxes of tokens, put together in one way for both.

A token is a finished piece of output with its width in points (estimated; MathML needs none). Between tokens a long
line may break where a `BREAK` stands; brackets are tokens of their own, so that a break inside them can be told from
one outside. What stands in a script, a fraction or under a root is one token and never breaks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.maths import Math
from symbackprop.core.scalars import TABLE
from symbackprop.render.names import GREEK, Name, parse_name
from symbackprop.render.print.numbers import decimal, entries, is_simple, monomials, rounded, spelled
from symbackprop.render.print.printer import (
    ATOM,
    FUNCTION_NAMES,
    MATRIX,
    POWER,
    PRODUCT,
    QUOTIENT,
    SIGN,
    SUM,
    TERM,
    Printer,
)

NAMELESS = ("exp", "sqrt", "root", "abs")  # functions that do not stand by name in front of their argument
MANY = 4096  # names that are remembered as they print
WORDY = 3  # a subscript of this many letters is a word and stands upright


class Kind(IntEnum):
    """What a token is to a line that has to be broken."""

    PLAIN, BREAK, OPEN, CLOSE, TALL_OPEN, TALL_CLOSE = range(6)


class Token(NamedTuple):
    """``other``: how a sign is written at the beginning of a line; a tall bracket, where a line breaks inside it."""

    text: str
    width: float = 0.0
    kind: Kind = Kind.PLAIN
    other: str | None = None


BREAK = Token("", 5.1, Kind.BREAK)  # a formula that may break is given some room


class Start(IntEnum):
    """What a box starts with, so that a number before it needs a sign or a space."""

    LETTER, DIGIT, COMMAND, SUM, BRACKET, TALL = range(6)


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
        return sum(t.width for t in self.tokens)


def row(*items: Box | Token, level: int = ATOM) -> Box:
    """Side by side; it starts as the first box does."""
    tokens: list[Token] = []
    boxes = []
    for item in items:
        if isinstance(item, Box):
            tokens += item.tokens
            boxes.append(item)
        else:
            tokens.append(item)
    starts = items[0].starts if items and isinstance(items[0], Box) else Start.COMMAND
    return Box(tuple(tokens), level, starts, any([b.tall for b in boxes]), any([b.low for b in boxes]))


class Display(Printer[Box], ABC):
    """What LaTeX and MathML have in common. A subclass says how pieces look: ``signs`` by the names that they have in
    `latex.SIGNS`, and what stands below."""

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
    def symbol(self, name: str) -> Token:
        """A Greek letter by its name."""

    @abstractmethod
    def word(self, text: str, style: str) -> Token:
        """Several letters as one name: ``operator``, ``upright`` or ``slanted``."""

    @abstractmethod
    def said(self, text: str) -> Token:
        """Running words."""

    @abstractmethod
    def bold(self, digit: str) -> Token:
        """A digit for an array."""

    @abstractmethod
    def own(self, notation: str) -> Box:
        """A name as a model wants it, in LaTeX."""

    @abstractmethod
    def over(self, top: Box, bottom: Box, small: bool = False) -> Token:
        """A fraction."""

    @abstractmethod
    def root(self, body: Box) -> Token:
        """A square root."""

    @abstractmethod
    def raised(self, base: Box, exponent: Box) -> Box:
        """A superscript."""

    @abstractmethod
    def lowered(self, base: Box, index: Box) -> Box:
        """A subscript."""

    @abstractmethod
    def accented(self, accent: str, base: Box) -> Box:
        """A letter with an accent, as LaTeX calls it."""

    @abstractmethod
    def styled(self, letter: str, font: str) -> Token:
        """A letter or digit in a font, as LaTeX calls it."""

    @abstractmethod
    def running(self, sign: str, below: Box | None) -> Box:
        """Σ, Π or max with what it runs over."""

    @abstractmethod
    def table(self, rows: Sequence[Sequence[Box]]) -> Token:
        """A matrix in brackets."""

    @abstractmethod
    def between(self, left: str, body: Box, right: str, tall: bool) -> Box:
        """In brackets, which are as tall as what is between them if ``tall``."""

    @abstractmethod
    def group(self, body: Box) -> Box:
        """One thing, to which a script is added."""

    def sign(self, name: str) -> Token:
        return self.signs[name]

    def fenced(self, p: Box) -> Box:
        return self.between("(", p, ")", p.tall)

    def separated(self, boxes: Iterable[Box], sign: str = "comma") -> Box:
        items: list[Box | Token] = []
        for box in boxes:
            items += [self.sign(sign), box] if items else [box]
        return row(*items)

    def comma(self, items: Iterable[Math]) -> Box:
        return self.separated([self(x) for x in items])

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

    # -- names and numbers
    def named(self, name: str) -> Box:
        """``W_e`` as W with a subscript, ``x_hat`` with an accent, ``h[t-1]`` with an index."""
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

    def sym(self, m: maths.Sym) -> Box:
        if m.notation:
            return self.own(m.notation)
        return Box((self.word(m.name, "slanted"),)) if m.verbatim else self.named(m.name)

    def letter(self, m: maths.Letter) -> Box:
        return self.plain(m.name)

    def num(self, m: maths.Num) -> Box:
        value = m.value
        if value.is_Rational:
            return self._rational(value)
        if value in (sp.oo, -sp.oo):
            return row(*([self.sign("minus")] if value == -sp.oo else []), self.sign("infinity"), level=SUM)
        if value is sp.E:
            return self.plain("e")
        return self(spelled(value))._replace(level=ATOM if is_simple(value) else SUM)

    def _rational(self, value: sp.Rational) -> Box:
        size = abs(value)
        short = decimal(size)
        if value.is_Integer:
            box = self.plain(str(int(size)))
        elif short is None:
            box = row(self.over(self.plain(str(size.p)), self.plain(str(size.q))))._replace(tall=True)
        else:
            box = self._scientific(*short)
        return box if value >= 0 else row(self.sign("minus"), box, level=SUM)

    def _scientific(self, mantissa: str, exponent: str) -> Box:
        """0.002, 1.5·10⁻⁷."""
        head = Box((self.digits(mantissa),), starts=Start.DIGIT)
        if not exponent:
            return head
        ten = self.raised(self.plain("10"), self._whole(exponent))
        return ten if mantissa == "1" else row(head, self.sign("dot"), ten)

    def _whole(self, text: str) -> Box:
        digits = self.plain(text.lstrip("-"))
        return row(self.sign("minus"), digits) if text.startswith("-") else digits

    def _measured(self, value: float, digits: int) -> Box:
        mantissa, exponent = rounded(value, digits)
        size = mantissa.lstrip("-")
        token = self.sign("infinity") if size == "inf" else self.word(size, "upright") if size == "nan" else None
        head = Box((token or self.digits(size),), starts=Start.DIGIT)
        head = row(self.sign("minus"), head) if mantissa.startswith("-") else head
        if not exponent:
            return head
        return row(head, self.sign("dot"), self.raised(self.plain("10"), self._whole(exponent)))

    def rounded(self, m: maths.Rounded) -> Box:
        values = m.values
        if not isinstance(values, tuple):
            return self._measured(values, m.digits)
        if not values or not isinstance(values[0], tuple):
            inside = self.separated([self._measured(v, m.digits) for v in entries(values)])
            return self.between("[", inside, "]", True)
        rows = [[self._measured(v, m.digits) for v in entries(line)] for line in values]
        return Box((self.table(rows),), tall=True)

    def size(self, m: maths.Size) -> Box:
        terms = monomials(m)
        if terms is None:
            return self.num(maths.Num(m.value))
        (first, names), *rest = terms
        if not rest and first >= 0:
            return self._monomial(first, names)
        items: list[Box | Token] = [self.sign("minus")] if first < 0 else []
        items.append(self._monomial(abs(first), names))
        for c, x in rest:
            items += [BREAK, self.sign("less" if c < 0 else "plus"), self._monomial(abs(c), x)]
        return row(*items, level=SUM)

    def _monomial(self, factor: int, names: list[tuple[str, int]]) -> Box:
        powers = [self.named(x) if p == 1 else self.raised(self.named(x), self.plain(str(p))) for x, p in names]
        head = [self.plain(str(factor))] if factor != 1 or not names else []
        body = [self.separated(powers, "thin")] if powers else []
        return row(*head, *body, level=ATOM if len(names) < 2 else PRODUCT)

    def shape(self, m: maths.Shape) -> Box:
        least = ATOM if len(m.sizes) > 1 else SUM
        return self.separated([self.wrapped(maths.Size(d, m.order), least) for d in m.sizes], "times")

    def fill(self, m: maths.Fill) -> Box:
        one = Box((self.bold("0" if m.value == 0 else "1"),))
        ones = self.lowered(one, self(m.shape))
        return ones if m.value in (0, 1) else self._in_front(m.value, ones, m.shape.order)

    def identity(self, m: maths.Identity) -> Box:
        return self.plain("I")

    def words(self, m: maths.Words) -> Box:
        return Box((self.said(m.text),))

    # -- arithmetic
    def sum(self, m: maths.Sum) -> Box:
        (negative, first), *rest = m.terms
        items: list[Box | Token] = [self.sign("minus")] if negative else []
        items.append(self.wrapped(first, TERM if negative else SUM))
        for n, t in rest:
            items += [BREAK, self.sign("less" if n else "plus"), self.wrapped(t, TERM if n else SUM)]
        return row(*items, level=SUM)

    def prod(self, m: maths.Prod) -> Box:
        (first, _), *rest = self.factors(m)
        items: list[Box | Token] = [first]
        for box, entrywise in rest:
            items += [BREAK, self.sign("odot")] if entrywise else [self.sign(_gap(box))]
            items.append(box)
        return row(*items, level=PRODUCT)

    def chain(self, m: maths.Chain) -> Box:
        items: list[Box | Token] = [self.wrapped(m.factors[0], PRODUCT)]
        for x in m.factors[1:]:
            items += [BREAK, self.sign("dot"), self.wrapped(x, PRODUCT + 1)]
        return row(*items, level=PRODUCT)

    def scaled(self, m: maths.Scaled) -> Box:
        return self._in_front(m.number, self(m.body), m.order)

    def _in_front(self, value: sp.Expr, body: Box, order: tuple[str, ...]) -> Box:
        top, bottom = sp.fraction(value)
        if value.is_Rational or bottom == 1:
            head = self(maths.Num(value))
        else:
            head = self._fraction(self(maths.Num(top)), self(maths.Size(bottom, order)))
        head = head if head.level >= PRODUCT else self.fenced(head)
        inner = body if body.level >= TERM else self.fenced(body)
        gap = {Start.DIGIT: "dot", Start.LETTER: "thin", Start.SUM: "thin"}.get(inner.starts, "space")
        return row(head, self.sign(gap), inner, level=max(PRODUCT, min(body.level, MATRIX)))

    def _fraction(self, top: Box, bottom: Box) -> Box:
        return Box((self.over(top, bottom),), SIGN, tall=True, low=top.low or bottom.low)

    def frac(self, m: maths.Frac) -> Box:
        return self._fraction(self(m.top), self(m.bottom))

    def pow(self, m: maths.Pow) -> Box:
        base, exponent = self.wrapped(m.base, POWER + 1), self(m.exponent)
        if m.base.rank > 1:
            exponent = row(self.sign("tight odot"), exponent)
        return self.raised(base, exponent)._replace(level=POWER)

    # -- arrays
    def matmul(self, m: maths.MatMul) -> Box:
        return row(self.wrapped(m.left, MATRIX), self.sign("thin"), self.wrapped(m.right, MATRIX + 1), level=MATRIX)

    def outer(self, m: maths.Outer) -> Box:
        left, right = self.wrapped(m.left, PRODUCT + 1), self.wrapped(m.right, PRODUCT + 1)
        return row(left, BREAK, self.sign("otimes"), right, level=QUOTIENT)

    def transpose(self, m: maths.Transpose) -> Box:
        return self.raised(self.wrapped(m.body, POWER + 1), row(self.sign("top")))._replace(level=POWER + 1)

    def permuted(self, m: maths.Permuted) -> Box:
        name = Box((self.word("transpose", "operator"),))
        return self._applied(self.lowered(name, self.plain("".join([str(k + 1) for k in m.order]))), [m.body])

    def big(self, m: maths.Big) -> Box:
        below = self.separated([self.plain(x) for x in m.letters], "tight comma") if m.letters else None
        return row(self.running(m.sign, below), self.sign("space"), self.wrapped(m.body, TERM), level=TERM)

    def entry(self, m: maths.Entry) -> Box:
        base = self(m.base)
        return self._indexed(base, [self(i) for i in m.index], [_single(i) for i in m.index]) if m.index else base

    def array(self, m: maths.Array) -> Box:
        body = self.between("[", self(m.body), "]", True)
        return self._indexed(body, [self.plain(x) for x in m.letters], [len(x) == 1 for x in m.letters])

    def _indexed(self, base: Box, index: Sequence[Box], single: Sequence[bool]) -> Box:
        base = base if base.level >= ATOM else self.fenced(base)
        if base.low and base.starts != Start.TALL:
            base = self.between("(", base, ")", True)
        return self.lowered(base, row(*index) if all(single) else self.separated(index, "tight comma"))

    def item(self, m: maths.Item) -> Box:
        base = self.wrapped(m.base, ATOM)
        inside = self.between("[", self.comma(m.index), "]", False)
        return row(base, inside)

    def span(self, m: maths.Span) -> Box:
        start, stop = (row() if x is None else self(x) for x in (m.start, m.stop))
        items = (start, self.sign(":"), stop)
        return row(*items) if m.step == 1 else row(*items, self.sign(":"), self._whole(str(m.step)))

    def place(self, m: maths.Place) -> Box:
        items: list[Box | Token] = []
        for size, x in m.terms:
            items += [self.sign("-")] if size < 0 else [self.sign("+")] if items else []
            items += [self.plain(str(abs(size)))] if x is None or abs(size) != 1 else []
            items += [] if x is None else [self(x)]
        inside = row(*items)
        return inside if m.over == 1 else row(self.fenced(inside), self.sign("/"), self.plain(str(m.over)))

    def matrix(self, m: maths.Matrix) -> Box:
        return Box((self.table([[self(x) for x in line] for line in m.rows]),), tall=True, low=True)

    # -- functions
    def _applied(self, name: Box, args: Sequence[Math], tall: bool = False) -> Box:
        inside = self.comma(args)
        return row(name, self.between("(", inside, ")", tall or inside.tall))

    @abstractmethod
    def function_token(self, name: str) -> Token:
        """What a function of the scalar table is called."""

    def fn(self, m: maths.Fn) -> Box:
        if m.name == "exp":
            return self.raised(self.plain("e"), self(m.args[0]))._replace(level=POWER)
        if m.name in ("sqrt", "root"):
            inner = self(m.args[0])
            return Box((self.root(inner),), tall=True, low=inner.low)
        if m.name == "abs":
            return self.between("|", self(m.args[0]), "|", True)
        return self._applied(Box((self.function_token(m.name),)), m.args, len(m.args) > 1)

    def function(self, m: maths.Function) -> Box:
        if m.name in NAMELESS:
            return self(maths.Fn(m.name, (maths.Sym("x"),)))
        return Box((self.function_token(m.name),))

    def prime(self, m: maths.Prime) -> Box:
        at = m.at or maths.Sym("x")
        if m.function in NAMELESS:
            return self.primed(self.between("(", self(maths.Fn(m.function, (at,))), ")", False))
        argument = [] if m.at is None else [self.between("(", self(at), ")", False)]
        return row(self.primed(Box((self.function_token(m.function),))), *argument)

    @abstractmethod
    def primed(self, body: Box) -> Box:
        """f′."""

    def indicator(self, m: maths.Indicator) -> Box:
        return self._indicated(self(m.holds))

    def _indicated(self, inside: Box) -> Box:
        return row(self.bold("1"), self.sign("tight"), self.between("[", inside, "]", True))

    def halved(self, m: maths.Halved) -> Box:
        above, equal = (self._indicated(self(maths.Relation(m.left, s, m.right))) for s in ">=")
        half = self.over(self.plain("1"), self.plain("2"), small=True)
        return self.between("(", row(above, self.sign("plus"), half, self.sign("thin"), equal), ")", True)

    def likelihood(self, m: maths.Likelihood) -> Box:
        one = maths.Num(sp.S.One)
        y, p = (maths.Sum(((False, one), (True, x))) for x in (m.y, m.p))
        happens = row(self.wrapped(m.y, POWER), self.sign("space"), self._log(m.p))
        does_not = row(self.wrapped(y, POWER), self.sign("space"), self._log(p))
        return self.between("[", row(happens, BREAK, self.sign("plus"), does_not), "]", True)

    def _log(self, m: Math) -> Box:
        p, name = self(m), self.function_token("log")
        return row(name, self.sign("space"), p) if p.level == ATOM else row(name, self.fenced(p))

    def op(self, m: maths.Op) -> Box:
        if m.name == "floor":
            return self.between("⌊", self(m.args[0]), "⌋", False)
        shown = FUNCTION_NAMES.get(m.name, m.name)
        name = Box((self.word(shown, "operator"),), low="_" in shown)
        if m.below:
            name = self.lowered(name, self.separated([self(x) for x in m.below], "tight comma"))
        return self._applied(name, m.args)

    def option(self, m: maths.Option) -> Box:
        return row(self.said(f"{m.key} "), self(m.value))

    def tuple(self, m: maths.Tuple) -> Box:
        inside = self.comma(m.items)
        return self.between("(", row(inside, self.sign("tight comma")) if len(m.items) == 1 else inside, ")", False)

    def bars(self, m: maths.Bars) -> Box:
        return self.between("‖", self(m.body), "‖", True)

    def relation(self, m: maths.Relation) -> Box:
        return row(self(m.left), self.sign(m.sign), self(m.right), level=SUM)

    # -- derivatives
    def derivative(self, m: maths.Derivative) -> Box:
        d = row(self.sign("∂")) if m.partial else self.plain("d")
        top, bottom = row(d, self(m.top)), row(d, self(m.bottom))
        if m.flat:
            return row(top, self.sign("slash"), bottom)
        return self._fraction(top, bottom)

    def delta(self, m: maths.Delta) -> Box:
        delta = Box((self.symbol("delta"),))
        return delta if m.of is None else self.lowered(delta, self(m.of))

    def marked(self, m: maths.Marked) -> Box:
        body, word = self(m.body), Box((self.word(m.word, "upright"),))
        if m.word == "direct":
            return self.lowered(self.between("", body, "|", True), word)
        if m.word == "counts":
            return row(body, self.sign("space"), self.said(" counts"))
        if m.word == "later":
            return self.raised(body, word)._replace(level=POWER)
        return self.raised(self.group(body), word)

    # -- loops
    def range(self, m: maths.Range) -> Box:
        last = row(self.sign("comma"), self.sign("dots"), self.sign("comma"), self(m.last))
        return row(self.plain(m.letter), self.sign("="), self(m.first), last, level=SUM)

    def atstep(self, m: maths.AtStep) -> Box:
        match m.steps:
            case None:
                place = self.plain(m.letter)
            case maths.Range():
                place = self(m.steps)
            case maths.Words(word):
                place = row(self.said(f"{word} "), self.plain(m.letter))
            case _:
                place = row(self.plain(m.letter), self.sign("tight ="), self(m.steps))
        return self.lowered(self.fenced(self(m.body)), place)

    def listed(self, m: maths.Listed) -> Box:
        name = self.group(self(m.name))
        first, last = self.lowered(name, self.plain("1")), self.lowered(name, self(m.last))
        dots = row(self.sign("comma"), self.sign("dots"), self.sign("comma"))
        return self.between("(", row(first, dots, last), ")", True)

    # -- lists and references
    def several(self, m: maths.Several) -> Box:
        dots = row(self.sign("wide comma"), self.sign("and so on")) if m.more else row()
        return row(self.separated([self(x) for x in m.items], "wide comma"), dots)

    def link(self, m: maths.Link) -> Box:
        return self(m.body)._replace(starts=Start.LETTER)


def _gap(box: Box) -> str:
    return "dot" if box.starts == Start.DIGIT else "thin"


def _single(m: Math) -> bool:
    """Whether an index is one letter or digit, so that the next one needs no comma before it."""
    match m:
        case maths.Letter(name):
            return len(name) == 1
        case maths.Num(value):
            return bool(value.is_Integer and 0 <= value < 10)
    return False


__all__ = ["ATOM", "BREAK", "FUNCTION_NAMES", "TABLE", "Box", "Display", "Kind", "Start", "Token", "row"]
