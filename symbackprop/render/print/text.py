"""Mathematics in Unicode, in one line: −(y − o)·(1 − o²)·h, A₁ᵀ δ, δ ⊙ 1[z > 0]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.maths import Math
from symbackprop.core.scalars import TABLE
from symbackprop.render.names import superscript, text_name
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

VULGAR = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "1/6": "⅙", "1/8": "⅛"}
MINUS = "−"
_BIG = {"sum": "Σ", "max": "max", "prod": "Π"}
_SIGNS = {"⇒": "gives"}
NAMELESS = ("sqrt", "root", "abs")  # functions that do not stand by name in front of their argument
DIGIT, FRACTION = "digit", "fraction"  # what a text may start with, so that a number in front needs a sign or a gap


class Text(NamedTuple):
    """A text, how strongly it binds, what it starts with, and whether it is letters only."""

    text: str
    level: int = ATOM
    starts: str = ""
    word: bool = False


def text(m: Math) -> str:
    """A tree in Unicode; matrices of numbers take several lines."""
    return _PRINTER(m).text


def number(text: str, level: int = ATOM) -> Text:
    return Text(text, level, DIGIT if text[0].isdigit() else "")


class TextPrinter(Printer[Text]):
    """Unicode mathematics."""

    def fenced(self, p: Text) -> Text:
        return Text(f"({p.text})")

    def listed(self, m: maths.Listed) -> Text:
        name = self(m.name).text
        return Text(f"({name}[1], …, {name}[{self(m.last).text}])")

    def comma(self, items: Iterable[Math]) -> str:
        return ", ".join([self(x).text for x in items])

    # -- leaves
    def num(self, m: maths.Num) -> Text:
        value = m.value
        if value.is_Integer:
            whole = int(value)
            return number(str(whole), ATOM) if whole >= 0 else Text(f"{MINUS}{-whole}", QUOTIENT)
        if value.is_Rational:
            return self._rational(value)
        if value in (sp.oo, -sp.oo, sp.E) or not (value.free_symbols or value.args or value is sp.pi):
            return Text({sp.oo: "∞", -sp.oo: f"{MINUS}∞"}.get(value, str(value)), QUOTIENT)
        p = self(spelled(value))
        return p._replace(level=ATOM if is_simple(value) or isinstance(value, sp.floor) else min(p.level, PRODUCT))

    def _rational(self, value: sp.Rational) -> Text:
        """½, 1/7, 0.002: a fraction while it is short, else the decimal that it exactly is."""
        size = abs(value)
        fraction, short = f"{size.p}/{size.q}", decimal(size)
        written = VULGAR.get(fraction) or (fraction if short is None else _scientific(*short))
        level = QUOTIENT if written == fraction else ATOM
        return number(written, level) if value > 0 else Text(MINUS + written, SUM)

    def size(self, m: maths.Size) -> Text:
        terms = monomials(m)
        if terms is None:
            return self.num(maths.Num(m.value))
        (first, names), *rest = terms
        if not rest and first >= 0:
            return number(self._monomial(first, names), ATOM if len(names) < 2 else PRODUCT)
        signed = [f" {MINUS if c < 0 else '+'} {self._monomial(abs(c), x)}" for c, x in rest]
        return Text("".join([MINUS if first < 0 else "", self._monomial(abs(first), names), *signed]), SUM)

    def _monomial(self, factor: int, names: list[tuple[str, int]]) -> str:
        powers = [text_name(x) + (superscript(str(p)) or "" if p > 1 else "") for x, p in names]
        return (str(factor) if factor != 1 or not names else "") + "·".join(powers)

    def shape(self, m: maths.Shape) -> Text:
        least = ATOM if len(m.sizes) > 1 else SUM
        return Text("×".join([self.wrapped(maths.Size(d, m.order), least).text for d in m.sizes]))

    def rounded(self, m: maths.Rounded) -> Text:
        values = m.values
        if not isinstance(values, tuple):
            return Text(_rounded(values, m.digits))
        if not values or not isinstance(values[0], tuple):
            return Text(f"[{', '.join([_rounded(v, m.digits) for v in entries(values)])}]")
        rows = [[_rounded(v, m.digits) for v in entries(line)] for line in values]
        width = max(len(t) for row in rows for t in row)
        return Text(bracketed(["  ".join([t.rjust(width) for t in row]) for row in rows]))

    def sym(self, m: maths.Sym) -> Text:
        name = m.name if m.verbatim else text_name(m.name)
        return Text(name, word=name.isalpha())

    def letter(self, m: maths.Letter) -> Text:
        return Text(m.name)

    def fill(self, m: maths.Fill) -> Text:
        sizes = [self.wrapped(maths.Size(d, m.shape.order), ATOM).text for d in m.shape.sizes]
        shape = "×".join(sizes)
        if m.value in (0, 1):
            return number(f"{m.value}_{shape}")
        return self.scaled(maths.Scaled(m.value, maths.Fill(sp.S.One, m.shape), m.shape.order))

    def identity(self, m: maths.Identity) -> Text:
        return Text("I", word=True)

    def words(self, m: maths.Words) -> Text:
        return Text(m.text.replace("-", MINUS))

    # -- arithmetic
    def sum(self, m: maths.Sum) -> Text:
        (negative, first), *rest = m.terms
        head = self.wrapped(first, TERM if negative else SUM)
        parts = [f" {MINUS} {self.wrapped(t, TERM).text}" if n else f" + {self.wrapped(t, SUM).text}" for n, t in rest]
        whole = "".join([MINUS if negative else "", head.text, *parts])
        return Text(whole, SUM, "" if negative else head.starts)

    def prod(self, m: maths.Prod) -> Text:
        (first, _), *rest = self.factors(m)
        parts = [f"{' ⊙ ' if entrywise else '·'}{p.text}" for p, entrywise in rest]
        return Text("".join([first.text, *parts]), PRODUCT, first.starts)

    def chain(self, m: maths.Chain) -> Text:
        first, *rest = [self.wrapped(x, PRODUCT + 1 if k else PRODUCT) for k, x in enumerate(m.factors)]
        return Text("·".join([first.text, *[p.text for p in rest]]), PRODUCT, first.starts)

    def scaled(self, m: maths.Scaled) -> Text:
        top, bottom = sp.fraction(m.number)
        body = self(m.body)
        whole = bottom == 1 or not m.number.has(sp.Symbol)
        if whole or body.level == TERM:
            size = self.num(maths.Num(m.number)) if whole else self._over(self.num(maths.Num(top)), bottom, m.order)
            return _in_front(size, body)
        return self._over(body if top == 1 else _in_front(self.num(maths.Num(top)), body), bottom, m.order)

    def _over(self, top: Text, bottom: sp.Expr, order: tuple[str, ...]) -> Text:
        p = self(maths.Size(bottom, order))
        return self._quotient(top, self.fenced(p) if bottom.is_Mul and p.level == ATOM else p)

    def _quotient(self, top: Text, bottom: Text) -> Text:
        top = top if top.level >= PRODUCT else self.fenced(top)
        bottom = bottom if bottom.level >= POWER else self.fenced(bottom)
        return Text(f"{top.text}/{bottom.text}", QUOTIENT, top.starts)

    def frac(self, m: maths.Frac) -> Text:
        return self._quotient(self(m.top), self(m.bottom))

    def pow(self, m: maths.Pow) -> Text:
        base, entrywise = self.wrapped(m.base, POWER + 1), m.base.rank > 1
        if not entrywise and isinstance(m.exponent, maths.Num) and m.exponent.value.is_Integer:
            return Text(base.text + (superscript(str(int(m.exponent.value))) or ""), POWER, base.starts)
        sign = "⊙" if entrywise else ""
        return Text(f"{base.text}^{sign}{self.wrapped(m.exponent, POWER + 1).text}", POWER, base.starts)

    # -- arrays
    def matmul(self, m: maths.MatMul) -> Text:
        left, right = self._beside(m.left, MATRIX), self._beside(m.right, MATRIX + 1)
        return Text(f"{left.text} {right.text}", MATRIX, left.starts)

    def _beside(self, m: Math, level: int) -> Text:
        """A factor of a product without a sign: a derivative is no fraction of it."""
        p = self.wrapped(m, level)
        return self.fenced(p) if p.starts == FRACTION and p.level == SIGN else p

    def outer(self, m: maths.Outer) -> Text:
        left = self.wrapped(m.left, PRODUCT + 1)
        return Text(f"{left.text} ⊗ {self.wrapped(m.right, PRODUCT + 1).text}", QUOTIENT, left.starts)

    def transpose(self, m: maths.Transpose) -> Text:
        body = self.wrapped(m.body, POWER + 1)
        return Text(f"{body.text}ᵀ", ATOM, body.starts)

    def permuted(self, m: maths.Permuted) -> Text:
        return Text(f"transpose_{''.join([str(k + 1) for k in m.order])}({self(m.body).text})")

    def big(self, m: maths.Big) -> Text:
        return Text(f"{_BIG[m.sign]}{_below(m.letters)} {self.wrapped(m.body, TERM).text}", TERM)

    def entry(self, m: maths.Entry) -> Text:
        base = self(m.base)
        return base if not m.index else self._subscripted(base, [self(i).text for i in m.index])

    def array(self, m: maths.Array) -> Text:
        body = f"[{self(m.body).text}]"
        short = all(len(x) == 1 for x in m.letters)
        return Text(f"{body}_{''.join(m.letters)}") if short else self._subscripted(Text(body), m.letters)

    def _subscripted(self, base: Text, index: Sequence[str]) -> Text:
        if base.word and all(len(i) == 1 for i in index):
            return Text(f"{base.text}_{''.join(index)}")
        base = base if base.level >= ATOM else self.fenced(base)
        return Text(f"{base.text}[{','.join(index)}]")

    def item(self, m: maths.Item) -> Text:
        return Text(f"{self.wrapped(m.base, ATOM).text}[{self.comma(m.index)}]")

    def span(self, m: maths.Span) -> Text:
        start, stop = ("" if x is None else self(x).text for x in (m.start, m.stop))
        return Text(f"{start}:{stop}" + (f":{m.step}" if m.step != 1 else ""))

    def place(self, m: maths.Place) -> Text:
        parts = []
        for k, (size, x) in enumerate(m.terms):
            sign = MINUS if size < 0 else "+" if k else ""
            parts.append(sign + (str(abs(size)) if x is None or abs(size) != 1 else "") + (self(x).text if x else ""))
        inside = "".join(parts)
        return Text(inside if m.over == 1 else f"({inside})/{m.over}")

    def matrix(self, m: maths.Matrix) -> Text:
        return Text("[" + ", ".join([f"[{self.comma(row)}]" for row in m.rows]) + "]")

    # -- functions
    def fn(self, m: maths.Fn) -> Text:
        if m.name == "exp" and not m.spelled:
            inner = self(m.args[0])
            if inner.level == ATOM:
                return Text(f"e^{inner.text}", POWER)
        if m.name in ("sqrt", "root"):
            return Text("√" + self.wrapped(m.args[0], ATOM).text)
        if m.name == "abs":
            return Text(f"|{self(m.args[0]).text}|")
        return Text(f"{function_name(m.name)}({self.comma(m.args)})")

    def function(self, m: maths.Function) -> Text:
        return self(maths.Fn(m.name, (maths.Sym("x"),))) if m.name in NAMELESS else Text(function_name(m.name))

    def prime(self, m: maths.Prime) -> Text:
        if m.function in NAMELESS:
            return Text(f"({self(maths.Fn(m.function, (m.at or maths.Sym('x'),))).text})′")
        return Text(f"{function_name(m.function)}′" + ("" if m.at is None else f"({self(m.at).text})"))

    def indicator(self, m: maths.Indicator) -> Text:
        return Text(f"1[{self(m.holds).text}]", ATOM, DIGIT)

    def halved(self, m: maths.Halved) -> Text:
        left, right = self(m.left).text, self(m.right).text
        return Text(f"(1[{left} > {right}] + ½·1[{left} = {right}])")

    def likelihood(self, m: maths.Likelihood) -> Text:
        one = maths.Num(sp.S.One)
        y, p = (maths.Sum(((False, one), (True, x))) for x in (m.y, m.p))
        happens, does_not = (f"{self.wrapped(x, POWER).text} {self._log(q)}" for x, q in ((m.y, m.p), (y, p)))
        return Text(f"[{happens} + {does_not}]")

    def _log(self, m: Math) -> str:
        p = self(m)
        return f"log {p.text}" if p.level == ATOM else f"log({p.text})"

    def op(self, m: maths.Op) -> Text:
        if m.name == "floor":
            return Text(f"⌊{self(m.args[0]).text}⌋")
        below = _below([self(x).text for x in m.below])
        return Text(f"{FUNCTION_NAMES.get(m.name, m.name)}{below}({self.comma(m.args)})")

    def option(self, m: maths.Option) -> Text:
        return Text(f"{m.key.replace('-', MINUS)} {self(m.value).text}")

    def tuple(self, m: maths.Tuple) -> Text:
        return Text(f"({self.comma(m.items)}{',' if len(m.items) == 1 else ''})")

    def bars(self, m: maths.Bars) -> Text:
        return Text(f"‖{self(m.body).text}‖")

    def relation(self, m: maths.Relation) -> Text:
        return Text(f"{self(m.left).text} {_SIGNS.get(m.sign, m.sign)} {self(m.right).text}", SUM)

    # -- derivatives
    def derivative(self, m: maths.Derivative) -> Text:
        d = "∂" if m.partial else "d"
        return Text(f"{d}{self(m.top).text}/{d}{self(m.bottom).text}", SIGN, FRACTION)

    def delta(self, m: maths.Delta) -> Text:
        return Text("δ" if m.of is None else f"δ_{self(m.of).text}", word=m.of is None)

    def marked(self, m: maths.Marked) -> Text:
        body = self(m.body)
        forms = {"direct": f"({body.text})_direct", "later": f"{body.text}^later", "counts": f"{body.text} counts"}
        return Text(forms.get(m.word, f"{body.text}_{m.word}"), starts="" if m.word == "direct" else body.starts)

    # -- loops
    def range(self, m: maths.Range) -> Text:
        return Text(f"{m.letter} = {self(m.first).text}, …, {self(m.last).text}", SUM)

    def atstep(self, m: maths.AtStep) -> Text:
        match m.steps:
            case None:
                place = m.letter
            case maths.Range():
                place = self(m.steps).text
            case maths.Words(word):
                place = f"{word} {m.letter}"
            case _:
                place = f"{m.letter}={self(m.steps).text}"
        spaced = isinstance(m.steps, maths.Range | maths.Words)  # its end is in sight within parentheses only
        return Text(f"({self(m.body).text})_{place}", POWER if spaced else ATOM)

    # -- lists and references
    def several(self, m: maths.Several) -> Text:
        return Text(self.comma(m.items) + (", …" if m.more else ""))

    def link(self, m: maths.Link) -> Text:
        return self(m.body)


_PRINTER = TextPrinter()


def function_name(name: str) -> str:
    """What a function of the scalar table is called."""
    record = TABLE[name]
    return record.text or FUNCTION_NAMES.get(name, name)


def _in_front(size: Text, body: Text) -> Text:
    """½(y − o)², 2x, 0.002 W₁, 3·10: no sign where number and factor cannot run together."""
    inner = body if body.level == TERM or body.level >= PRODUCT else Text(f"({body.text})")
    head = size if size.level >= QUOTIENT else Text(f"({size.text})")
    level = max(PRODUCT, min(body.level, MATRIX))
    if inner.starts == DIGIT:
        return Text(f"{head.text}·{inner.text}", PRODUCT, head.starts)
    gap = " " if len(head.text) > 1 or inner.starts == FRACTION else ""
    return Text(f"{head.text}{gap}{inner.text}", level, head.starts)


def _below(index: Sequence[str]) -> str:
    return f"_{','.join(index)}" if index else ""


def _scientific(mantissa: str, exponent: str) -> str:
    """0.002, 1.5·10⁻⁷."""
    if not exponent:
        return mantissa
    ten = "10" + (superscript(exponent) or "")
    return ten if mantissa == "1" else f"{mantissa}·{ten}"


def _rounded(value: float, digits: int) -> str:
    mantissa, exponent = rounded(value, digits)
    text = mantissa.replace("-", MINUS).replace("inf", "∞")
    return text if not exponent else f"{text}·10{superscript(exponent)}"


def bracketed(lines: Sequence[str]) -> str:
    """Lines in tall brackets."""
    if len(lines) == 1:
        return f"[{lines[0]}]"
    left, right = "⎡" + "⎢" * (len(lines) - 2) + "⎣", "⎤" + "⎥" * (len(lines) - 2) + "⎦"
    return "\n".join(a + line + b for a, line, b in zip(left, lines, right, strict=True))
