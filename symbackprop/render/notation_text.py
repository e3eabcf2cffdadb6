"""Mathematics in Unicode: −(y − o)·(1 − o²)·h, A₁ᵀ δ, δ ⊙ 1[z > 0]."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

import sympy as sp
from sympy.printing.str import StrPrinter

from symbackprop.core import formula as f
from symbackprop.core.notation import ATOM, POWER, PRODUCT, SIGN, SUM, Text, decimal_text, is_halved, wrap
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import Scalar
from symbackprop.render.names import superscript, text_name
from symbackprop.render.notation_base import MATRIX, TERM, ArrayText, MatrixText
from symbackprop.render.notation_math import FUNCTION_NAMES
from symbackprop.render.notation_rows import RowNotation

VULGAR = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "1/6": "⅙", "1/8": "⅛"}
_RELATIONS = {"greater": ">", "greater_equal": "≥", "less": "<", "less_equal": "≤", "equal": "=", "not_equal": "≠"}
QUOTIENT = PRODUCT - 1  # in a product a quotient stands in parentheses
BIG = TERM  # and so does Σ, but a number may stand in front of it
_BIG = {"sum": "Σ", "max": "max", "prod": "Π"}
_DERIVATIVE = re.compile(r"∂|d\w+/d")
_ROOT = re.compile(r"√\((\w+)\)")
_POWER = re.compile(r"\*\*(\d+)")


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy's own text, with ⌊S/2⌋ for the sizes that windows leave."""

    def _print_floor(self, expr: sp.Expr) -> str:
        return f"⌊{self._print(expr.args[0])}⌋"

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "∞"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-∞"


class TextNotation(RowNotation):
    """Unicode mathematics in one line."""

    minus = "−"

    def wrapped(self, text: Text, level: int) -> str:
        return wrap(text, level)

    def name(self, name: str) -> str:
        return text_name(name)

    def num(self, value: sp.Expr) -> Text:
        if value.is_Rational and not value.is_Integer:
            return _rational(value)
        text = _POWER.sub(lambda m: superscript(m[1]) or "", _Printer().doprint(value))
        text = text.replace("*", "·").replace("-", self.minus).replace("pi", "π").replace("sqrt", "√")
        whole = value.is_Symbol or (value.is_Integer and value >= 0) or isinstance(value, sp.floor)
        simple = whole or bool(re.fullmatch(r"√\(\w+\)", text))
        return Text(_ROOT.sub(r"√\1", text), ATOM if simple else SUM if value.is_Add else QUOTIENT)

    # -- arithmetic
    def plus_minus(self, terms: Sequence[tuple[bool, str]]) -> str:
        (negative, first), *rest = terms
        return (self.minus if negative else "") + first + "".join(f" {'−' if n else '+'} {t}" for n, t in rest)

    def between(self, left: str, right: str, entrywise: bool) -> str:
        return " ⊙ " if entrywise else "·"

    def coefficient(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        num, den = sp.fraction(coefficient)
        body = self.product(factors)
        whole = den == 1 or not coefficient.has(sp.Symbol)
        if whole or body.level == BIG:
            number = self.num(coefficient) if whole else self.fraction(self.num(num), self.dim(den))
            return self._in_front(number, body)
        return self.fraction(body if num == 1 else self._in_front(self.num(num), body), self.dim(den))

    def _in_front(self, number: Text, body: Text) -> Text:
        """½(y − o)², 2x, 0.002 W₁, 3·10: no sign where number and factor cannot run together."""
        inner = body.text if body.level == BIG else wrap(body, PRODUCT)
        head = wrap(number, QUOTIENT) if number.level != SUM else f"({number.text})"
        if inner[0].isdigit():
            return Text(f"{head}·{inner}", PRODUCT)
        gap = " " if len(head) > 1 or _DERIVATIVE.match(inner) else ""
        return Text(f"{head}{gap}{inner}", max(PRODUCT, min(body.level, MATRIX)))

    def fraction(self, num: Text, den: Text) -> Text:
        return Text(f"{wrap(num, PRODUCT)}/{wrap(den, POWER)}", QUOTIENT)

    def raised(self, base: Text, exponent: Text, entrywise: bool) -> Text:
        inner = wrap(base, POWER + 1)
        raised = superscript(exponent.text.replace(self.minus, "-"))
        if raised is not None and not entrywise:
            return Text(inner + raised, POWER)
        return Text(f"{inner}^{'⊙' if entrywise else ''}{wrap(exponent, POWER + 1)}", POWER)

    # -- functions
    def applied(self, record: Scalar, args: Sequence[Text], form: f.Call) -> Text:
        if record.name in _RELATIONS:
            return Text(f"1[{args[0].text} {_RELATIONS[record.name]} {args[1].text}]")
        if is_halved(form):
            left, right = args[0].text, args[1].text
            return Text(f"(1[{left} > {right}] + ½·1[{left} = {right}])")
        if record.name == "above":
            return Text(f"1[{args[0].text} {'≥' if form.args[2] == f.ONE else '>'} {args[1].text}]")
        if record.name == "exp" and args[0].level == ATOM and "e" not in self.letters.taken:
            return Text(f"e^{args[0].text}", POWER)
        if record.name in ("sqrt", "root"):
            return Text("√" + wrap(args[0], ATOM))
        name = self.function_name(record)
        if name is not None:
            return Text(f"{name}({', '.join(a.text for a in args)})")
        return Text((record.text or "").format(*[a.text for a in args]), min(record.precedence, ATOM))

    def logarithm(self, a: Text) -> Text:
        return Text(f"log {a.text}" if a.level == ATOM else f"log({a.text})")

    def words(self, text: str) -> str:
        return text.replace("-", self.minus)

    def bracketed(self, inside: str) -> str:
        return f"[{inside}]"

    def function_name(self, record: Scalar) -> str | None:
        if record.name in ("sqrt", "root"):
            return None
        if record.text is None:
            return FUNCTION_NAMES.get(record.name, record.name)
        return record.text[:-3] if record.text.endswith("{0}") else None

    def operator(self, name: str, args: Sequence[Text], below: Sequence[str]) -> Text:
        place = f"_{','.join(below)}" if below else ""
        return Text(f"{FUNCTION_NAMES.get(name, name)}{place}({', '.join(a.text for a in args)})")

    def big_operator(self, sign: str, body: Text, letters: Sequence[str]) -> Text:
        place = "_" + ",".join(letters) if letters else ""
        inner = wrap(body, BIG)
        return type(body)(f"{_BIG[sign]}{place} {inner}", BIG)

    def bars(self, a: Text) -> Text:
        return Text(f"‖{a.text}‖")

    # -- arrays
    def matmul(self, a: Text, b: Text) -> Text:
        return ArrayText(f"{wrap(a, MATRIX)} {wrap(b, MATRIX + 1)}", MATRIX)

    def transposed(self, a: Text) -> Text:
        return Text(f"{wrap(a, POWER + 1)}ᵀ", ATOM)

    def index(self, a: Text, inside: str) -> Text:
        return Text(f"{wrap(a, ATOM)}[{inside}]")

    def indexed_sum(self, pattern: Pattern, args: Sequence[Text]) -> Text:
        ins, out, summed = pattern_letters(pattern)
        body = self.chain([self.subscripted(a, s) for a, s in zip(args, ins, strict=True)])
        body = self.big_operator("sum", body, summed) if summed else body
        return self.subscripted(ArrayText(f"[{body.text}]"), out) if out else Text(*body)

    def subscripted(self, base: Text, letters: Sequence[str]) -> Text:
        if not letters:
            return Text(*base)
        plain = base.text.isalpha() and all(len(x) == 1 for x in letters)
        return Text(f"{base.text}_{''.join(letters)}" if plain else f"{wrap(base, ATOM)}[{','.join(letters)}]")

    def shape_text(self, shape: Sequence[sp.Expr]) -> str:
        return "×".join(wrap(self.dim(d), ATOM if len(shape) > 1 else SUM) for d in shape)

    def filled(self, value: sp.Expr, shape: Sequence[sp.Expr]) -> Text:
        ones = Text(f"1_{self.shape_text(shape)}")
        if value == 0:
            return ArrayText(f"0_{self.shape_text(shape)}")
        return MatrixText(*(ones if value == 1 else self.coefficient(value, [ArrayText(*ones)])))

    def derivative(self, top: Text, bottom: Text, partial: bool) -> Text:
        d = "∂" if partial else "d"
        return Text(f"{d}{top.text}/{d}{bottom.text}", SIGN)

    def delta(self, of: Text) -> Text:
        return Text(f"δ_{of.text}")

    def labelled(self, name: Text, label: str) -> Text:
        return Text(f"{name.text}_{label}")

    def monomial(self, coefficient: int, factors: Sequence[tuple[sp.Symbol, int]]) -> str:
        powers = [(text_name(str(x)), superscript(str(p)) or "") for x, p in factors]
        number = str(coefficient) if coefficient != 1 or not factors else ""
        return number + "·".join([x + (p if p != "¹" else "") for x, p in powers])

    def directly(self, derivative: Text) -> Text:
        return Text(f"({derivative.text})_direct")

    def later(self, gradient: Text) -> Text:
        return Text(f"{gradient.text}^later")

    def at_step(self, gradient: Text, index: str) -> Text:
        return Text(f"({gradient.text})_{index}")

    def listed(self, name: Text, last: Text) -> Text:
        return Text(f"({name.text}[1], …, {name.text}[{last.text}])")

    def steps_range(self, index: str, first: Text, last: Text) -> Text:
        return Text(f"{index} = {first.text}, …, {last.text}", SUM)

    def matrix(self, rows: Sequence[Sequence[Text]]) -> Text:
        return Text("[" + ", ".join("[" + ", ".join(x.text for x in row) + "]" for row in rows) + "]")

    def maps_to(self, argument: Text, image: Text) -> Text:
        return Text(f"{argument.text} ↦ {image.text}", SUM)


LETTERS = "ijklmnpqrstuvwabcdefghoxyz" + string.ascii_uppercase


def pattern_letters(pattern: Pattern) -> tuple[list[list[str]], list[str], list[str]]:
    """An einsum pattern over i, j, k …: letters of each operand, of the result, and those summed over."""
    named = pattern.canonical(LETTERS)
    return list(map(list, named.ins)), list(named.out), list(named.summed)


def _rational(value: sp.Rational) -> Text:
    """½, 1/7, 0.002: a fraction while it is short, else the decimal that it exactly is."""
    size = abs(value)
    if f"{size.p}/{size.q}" in VULGAR:
        text, level = VULGAR[f"{size.p}/{size.q}"], ATOM
    else:
        decimal = decimal_text(size)
        fraction = size.q <= 12 or decimal is None
        text, level = (f"{size.p}/{size.q}", QUOTIENT) if fraction else (_decimal(decimal or ""), ATOM)
    return Text(text, level) if value > 0 else Text("−" + text, SUM)


def _decimal(literal: str) -> str:
    """0.002, 1.5·10⁻⁷."""
    mantissa, _, exponent = literal.partition("e")
    if not exponent:
        return mantissa
    ten = "10" + (superscript(exponent) or "")
    return ten if mantissa == "1" else f"{mantissa}·{ten}"
