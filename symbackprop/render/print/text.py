"""Mathematics in Unicode, in one line: −(y − o)·(1 − o²)·h, A₁ᵀ δ, δ ⊙ 1[z > 0]."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.literals import decimal, fraction, is_simple, superscript
from symbackprop.core.maths import Math
from symbackprop.core.names import text_name
from symbackprop.core.printer import (
    ATOM,
    DIGIT,
    INDEX,
    MATRIX,
    POWER,
    PRODUCT,
    QUOTIENT,
    SIGN,
    SUM,
    TERM,
    LinePrinter,
    Remembering,
    Text,
)

VULGAR = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "1/6": "⅙", "1/8": "⅛"}
MINUS = "−"
EQUAL = -1  # a = b = c breaks before its signs first of all
FRACTION = "fraction"  # a text may start with one, so that a number in front needs a gap
_SPELLED = {
    "minus": MINUS, "-": MINUS, "less": f" {MINUS} ", "plus": " + ", "odot": " ⊙ ", "otimes": " ⊗ ", "dot": "·",
    "thin": "·", "space": " ", "tight": "", "top": "ᵀ", "comma": ", ", "tight comma": ",", "wide comma": ", ",
    "column": "  ", "times": "×", "dots": "…", "and so on": "…", "infinity": "∞", "tight =": "=", "⇒": " gives ",
    "∇": "∇",
}
SIGNS = {c: Text(c) for c in ":+"} | {"/": Text("/", breaks=((0, 3),))} | {c: Text(f" {c} ") for c in "=<>≤≥≠⪰↦∼"}
SIGNS |= {name: Text(sign) for name, sign in _SPELLED.items()}
SIGNS["comma"] = Text(", ", breaks=((2, 0),))
SIGNS["="] = Text(" = ", breaks=((1, EQUAL),))
_BEFORE = {name: sign._replace(breaks=((0, 1 if name in ("plus", "less") else 2),)) for name, sign in SIGNS.items()}
_GAP, _BETWEEN = SIGNS["dot"]._replace(breaks=((0, 3),)), SIGNS["space"]._replace(breaks=((1, 3),))


def text(m: Math) -> str:
    """A tree in Unicode; matrices of numbers take several lines."""
    return printed(m).text


def printed(m: Math) -> Text:
    """The same, with the places where a long line may break."""
    return _PRINTED(m)


class TextPrinter(Remembering[Text, Text], LinePrinter):
    """Unicode mathematics."""

    nameless: ClassVar = ("sqrt", "root", "abs")
    signs: ClassVar = SIGNS

    # -- pieces
    def before(self, name: str) -> Text:
        return _BEFORE[name]

    def gap(self, p: Text) -> Text:
        return _GAP

    def named(self, name: str) -> Text:
        return _named(name)

    def said(self, text: str) -> Text:
        return Text(text.replace("-", MINUS))

    def fraction(self, top: Text, bottom: Text) -> Text:
        top = self._apart(self.at_least(top, PRODUCT))
        return self.row(top, SIGNS["/"], self.at_least(bottom, POWER), level=QUOTIENT)

    # -- names and numbers
    def sym(self, m: maths.Sym) -> Text:
        return Text(m.name, word=m.name.isalpha()) if m.verbatim else self.named(m.name)

    def num(self, m: maths.Num) -> Text:
        value = m.value
        if value.is_Integer and decimal(abs(value)) is None:
            return self.number(str(value.p)) if value.p >= 0 else Text(f"{MINUS}{-value.p}", QUOTIENT)
        if value.is_Rational:
            return self.rational(value)
        if value in (sp.oo, -sp.oo, sp.E) or not (value.free_symbols or value.args or value is sp.pi):
            return Text({sp.oo: "∞", -sp.oo: f"{MINUS}∞"}.get(value, str(value)), QUOTIENT)
        p, atom = self.whole(value, m.order), is_simple(value) or isinstance(value, (sp.floor, sp.ceiling))
        return p._replace(level=ATOM if atom else min(p.level, PRODUCT))

    def rational(self, value: sp.Rational) -> Text:
        """½, 1/7, 0.002: a fraction while it is short, else the decimal that it exactly is."""
        size = abs(value)
        fraction, short = f"{size.p}/{size.q}", decimal(size)
        if value.is_Integer and short is None:
            p = self.number(str(size.p))
        elif fraction in VULGAR:
            p = self.number(VULGAR[fraction])
        else:
            p = Text(fraction, QUOTIENT, DIGIT) if short is None else self.scientific(*short)
        return p if value > 0 else self.row(SIGNS["minus"], p, level=SUM)

    def fill(self, m: maths.Fill) -> Text:
        if m.value not in (0, 1):
            return self.scaled(maths.Prod((maths.Fill(sp.S.One, m.shape),), m.value, m.shape.order))
        sizes = [self.at_least(self.size(d, m.shape.order), ATOM) for d in m.shape.sizes]
        return self.lowered(self.number(str(m.value)), self.separated(sizes, "times"))._replace(starts=DIGIT)

    # -- arithmetic
    def scaled(self, m: maths.Prod) -> Text:
        top, bottom = fraction(m.number)
        body = self(maths.product(*m.factors))
        whole = bottom == 1 or not m.number.has(sp.Symbol)
        if whole or body.level == TERM:
            size = self.num(maths.Num(m.number if whole else top, m.order))
            return self._in_front(size if whole else self._over(size, bottom, m.order), body)
        above = body if top == 1 else self._in_front(self.num(maths.Num(top, m.order)), body)
        return self._over(above, bottom, m.order)

    def _over(self, top: Text, bottom: sp.Expr, order: tuple[str, ...]) -> Text:
        p = self.size(bottom, order)
        return self.fraction(top, self.fenced(p) if bottom.is_Mul and p.level == ATOM and not is_simple(bottom) else p)

    def pow(self, m: maths.Pow) -> Text:
        base, entrywise = self.wrapped(m.base, POWER + 1), m.base.rank > 0
        if not entrywise and isinstance(m.exponent, maths.Num) and m.exponent.value.is_Integer:
            return self.to_power(base, str(int(m.exponent.value)))._replace(level=POWER)
        exponent = self.wrapped(m.exponent, POWER + 1)
        exponent = self.row(Text("⊙"), exponent) if entrywise else exponent
        return self.raised(base, exponent)._replace(level=POWER, starts=base.starts)

    # -- arrays
    def matmul(self, m: maths.MatMul) -> Text:
        left, right = self.beside(m.left, MATRIX), self.beside(m.right, MATRIX + 1)
        return self.row(left, _BETWEEN, right, level=MATRIX)

    def beside(self, m: Math, level: int) -> Text:
        return self._apart(super().beside(m, level))

    def _apart(self, p: Text) -> Text:
        """A derivative in parentheses, where the next sign could be taken for one inside of it."""
        return self.fenced(p) if p.starts == FRACTION and p.level == SIGN else p

    def transpose(self, m: maths.Transpose) -> Text:
        return self.row(self.wrapped(m.body, POWER + 1), self.signs["top"])

    def inverse(self, m: maths.Inverse) -> Text:
        power = self.signs["top"] if m.flipped else Text(superscript("1"))
        return self.row(self.wrapped(m.body, POWER + 1), Text("⁻"), power)

    def commutation(self, m: maths.Commutation) -> Text:
        size = self(maths.Num(m.size))
        return self.lowered(self.plain(m.name), size if m.size.is_Atom else self.fenced(size))

    def array(self, m: maths.Array) -> Text:
        """[2·W_ij]_ij: nothing can be taken for a longer name here."""
        body = self.between("[", self(m.body), "]", True)._replace(word=True)
        return self.indexed(body, [self.lettered(x) for x in m.letters], all([len(x) == 1 for x in m.letters]))

    def item(self, m: maths.Item) -> Text:
        """An index breaks last of all: [:, m] belongs together."""
        index = self.comma(m.index).held(INDEX)
        return self.row(self.wrapped(m.base, ATOM), self.between("[", index, "]", False))

    # -- functions, derivatives, loops
    def indicator(self, m: maths.Indicator) -> Text:
        """1[y = c] belongs together, as an index does."""
        return self.row(self.bold("1"), self.between("[", self(m.holds).held(INDEX), "]", False))

    def derivative(self, m: maths.Derivative) -> Text:
        if m.sign == "∇":
            return self.nabla(m)
        d = Text(m.sign, starts=FRACTION)
        return self.row(d, self(m.top), SIGNS["/"], d, self(m.bottom), level=SIGN)

    def second(self, m: maths.Second) -> Text:
        d = Text("∂", starts=FRACTION)
        by = (d, self.to_power(self(m.row), "2")) if m.row == m.column else (d, self(m.row), d, self(m.column))
        return self.row(Text("∂²", starts=FRACTION), self(m.top), SIGNS["/"], *by, level=SIGN)

    def marked(self, m: maths.Marked) -> Text:
        body, word = self(m.body), Text(m.word)
        match m.word:
            case "direct" | "given" | "GN":
                return self.lowered(self.fenced(body), word)
            case "later":
                return self.raised(body, word)._replace(starts=body.starts)
            case "counts":
                return self.row(body, SIGNS["space"], word)
        return self.lowered(body, word)._replace(starts=body.starts)

    def atstep(self, m: maths.AtStep) -> Text:
        if isinstance(m.steps, maths.Range):  # (δₜ for t = 1, …, T): in one line no braces hold what stands below
            return self.fenced(self.row(self(m.body), Text(" for "), self(m.steps)))
        return super().atstep(m)._replace(level=ATOM if m.steps is None else POWER)  # ((hₜ)_t=T)[n]

    def listed(self, m: maths.Listed) -> Text:
        name, comma = self(m.name), SIGNS["comma"]
        first, last = (self.indexed(name, [x], False) for x in (self(m.first), self(m.last)))
        return self.fenced(self.row(first, comma, SIGNS["dots"], comma, last))

    def _in_front(self, size: Text, body: Text) -> Text:
        """½(y − o)², 2x, 0.002 W₁, 3·10: no sign where number and factor cannot run together."""
        inner = body if body.level == TERM else self.at_least(body, PRODUCT)
        head = self.at_least(size, QUOTIENT)
        named = head.text.isalpha() or (head.text[-1:].isalpha() and body.level != TERM)  # 2·π·S, which is no π(S)
        if inner.starts == DIGIT or named:
            return self.row(head, SIGNS["dot"], inner, level=PRODUCT)
        apart = len(head.text) > 1 or inner.starts == FRACTION
        return self.row(head, SIGNS["space" if apart else "tight"], inner, level=max(PRODUCT, min(body.level, MATRIX)))


_PRINTED = TextPrinter()


@lru_cache(maxsize=4096)
def _named(name: str) -> Text:
    shown = text_name(name)
    return Text(shown, word=shown.isalpha())
