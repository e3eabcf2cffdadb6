"""Mathematics in LaTeX, with marks for links and for places where a long line may break (see `document.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.notation import ATOM, POWER, PRODUCT, SIGN, SUM, Text, decimal_text, is_halved
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import Scalar
from symbackprop.render.document import BREAK, LINK_CLOSE, LINK_MID, LINK_OPEN
from symbackprop.render.names import latex_name
from symbackprop.render.notation_base import MATRIX, TERM, ArrayText
from symbackprop.render.notation_math import FUNCTION_NAMES
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.notation_text import pattern_letters

_TALL = (r"\frac", r"\sum", r"\prod", r"\max_", r"\begin", r"\left", r"\sqrt")
_RELATIONS = {"greater": ">", "greater_equal": r"\ge", "less": "<", "less_equal": r"\le", "equal": "=",
              "not_equal": r"\ne"}  # fmt: skip
HALF = sp.Rational(1, 2)
_BIG = {"sum": r"\sum", "max": r"\max", "prod": r"\prod"}


def link(anchor: str, text: Text) -> Text:
    """The text, marked as a reference to an anchor."""
    return text._replace(text=f"{LINK_OPEN}{anchor}{LINK_MID}{text.text}{LINK_CLOSE}")


def fenced(inside: str) -> str:
    """Parentheses as tall as what they hold."""
    return rf"\left({inside}\right)" if any(t in inside for t in _TALL) else f"({inside})"


class LatexNotation(RowNotation):
    """LaTeX mathematics without ``$``."""

    minus, prime, dot = "-", "'", rf"{BREAK} \cdot "
    brackets = (r"\mathbf{1}\!\left[", r"\right]")

    def wrapped(self, text: Text, level: int) -> str:
        return text.text if text.level >= level else fenced(text.text)

    def name(self, name: str) -> str:
        return latex_name(name)

    def num(self, value: sp.Expr) -> Text:
        if not value.is_Rational or value.is_Integer:
            simple = value.is_Symbol or (value.is_Integer and value >= 0) or (value.is_Pow and value.exp == HALF)
            return Text(_exact(value), ATOM if simple else SUM)
        decimal = decimal_text(abs(value))
        fraction = abs(value).q <= 12 or decimal is None
        text = rf"\frac{{{abs(value).p}}}{{{value.q}}}" if fraction else _scientific(decimal or "")
        return Text(text) if value > 0 else Text("-" + text, SUM)

    # -- arithmetic
    def plus_minus(self, terms: Sequence[tuple[bool, str]]) -> str:
        (negative, first), *rest = terms
        return ("-" if negative else "") + first + "".join(f"{BREAK} {'-' if n else '+'} {t}" for n, t in rest)

    def between(self, left: str, right: str, entrywise: bool) -> str:
        if entrywise:
            return rf"{BREAK} \odot "
        return r" \cdot " if right[0].isdigit() else r" \, "

    def coefficient(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        num, den = sp.fraction(coefficient)
        plain = coefficient.is_Rational or den == 1
        number = self.num(coefficient) if plain else self.fraction(self.num(num), self.dim(den))
        body = self.product(factors)
        inner = self.wrapped(body, TERM)
        sign = r" \cdot " if inner[0].isdigit() else r" \, " if inner[0] not in "(\\" or r"\sum" in inner[:6] else " "
        return Text(self.wrapped(number, PRODUCT) + sign + inner, max(PRODUCT, min(body.level, MATRIX)))

    def fraction(self, num: Text, den: Text) -> Text:
        return Text(rf"\frac{{{num.text}}}{{{den.text}}}", SIGN)

    def raised(self, base: Text, exponent: Text, entrywise: bool) -> Text:
        inner = self.wrapped(base, POWER + 1)
        return Text(rf"{inner}^{{{chr(92) + 'odot ' if entrywise else ''}{exponent.text}}}", POWER)

    # -- functions
    def applied(self, record: Scalar, args: Sequence[Text], form: f.Call) -> Text:
        if record.name in _RELATIONS:
            return self._indicator(args, _RELATIONS[record.name])
        if record.name == "above":
            step = self._indicator(args, r"\ge" if form.args[2] == f.ONE else ">")
            if not is_halved(form):
                return step
            return Text(rf"\left({step.text} + \tfrac{{1}}{{2}} \, {self._indicator(args, '=').text}\right)")
        name = self.function_name(record)
        if name is not None:
            return Text(name + fenced(", ".join(a.text for a in args)))
        return Text((record.latex or "").format(*[a.text for a in args]), min(record.precedence, ATOM))

    def logarithm(self, a: Text) -> Text:
        return Text(rf"\log {a.text}" if a.level == ATOM else rf"\log{fenced(a.text)}")

    def words(self, text: str) -> str:
        return rf"\text{{{text}}}"

    def bracketed(self, inside: str) -> str:
        return rf"\left[{inside}\right]"

    def function_name(self, record: Scalar) -> str | None:
        if record.latex is None:
            return rf"\operatorname{{{FUNCTION_NAMES.get(record.name, record.name)}}}"
        return record.latex[:-3].format().strip() if record.latex.endswith("{0}") else None

    def _indicator(self, args: Sequence[Text], relation: str) -> Text:
        return Text(f"{self.brackets[0]}{args[0].text} {relation} {args[1].text}{self.brackets[1]}")

    def operator(self, name: str, args: Sequence[Text], below: Sequence[str]) -> Text:
        place = rf"_{{{','.join(below)}}}" if below else ""
        shown = FUNCTION_NAMES.get(name, name).replace("_", r"\_")
        return Text(rf"\operatorname{{{shown}}}{place}{fenced(', '.join(a.text for a in args))}")

    def big_operator(self, sign: str, body: Text, letters: Sequence[str]) -> Text:
        place = rf"_{{{','.join(letters)}}}" if letters else ""
        return type(body)(f"{_BIG[sign]}{place} {self.wrapped(body, TERM)}", TERM)

    def bars(self, a: Text) -> Text:
        return Text(rf"\left\lVert {a.text} \right\rVert")

    # -- arrays
    def matmul(self, a: Text, b: Text) -> Text:
        return ArrayText(rf"{self.wrapped(a, MATRIX)} \, {self.wrapped(b, MATRIX + 1)}", MATRIX)

    def transposed(self, a: Text) -> Text:
        return Text(rf"{self.wrapped(a, POWER + 1)}^{{\top}}", POWER + 1)

    def index(self, a: Text, inside: str) -> Text:
        return Text(rf"{self.wrapped(a, ATOM)}[{inside}]")

    def indexed_sum(self, pattern: Pattern, args: Sequence[Text]) -> Text:
        ins, out, summed = pattern_letters(pattern)
        body = self.product([self.subscripted(a, s) for a, s in zip(args, ins, strict=True)])
        body = self.big_operator("sum", body, summed) if summed else body
        return self.subscripted(ArrayText(rf"\left[{body.text}\right]"), out) if out else Text(*body)

    def subscripted(self, base: Text, letters: Sequence[str]) -> Text:
        joined = "".join(letters) if all(len(x) == 1 for x in letters) else ",".join(letters)
        inner = self.wrapped(base, ATOM)
        inner = rf"\left({inner}\right)" if "_" in inner and not inner.startswith(r"\left") else inner
        return Text(rf"{inner}_{{{joined}}}" if joined else base.text)

    def shape_text(self, shape: Sequence[sp.Expr]) -> str:
        return r" \times ".join(self.wrapped(self.dim(d), ATOM if len(shape) > 1 else SUM) for d in shape)

    def filled(self, value: sp.Expr, shape: Sequence[sp.Expr]) -> Text:
        ones = ArrayText(rf"\mathbf{{{0 if value == 0 else 1}}}_{{{self.shape_text(shape)}}}")
        return ones if value in (0, 1) else ArrayText(*self.coefficient(value, [ones]))

    def derivative(self, top: Text, bottom: Text, partial: bool) -> Text:
        d = r"\partial " if partial else "d"
        return Text(rf"\frac{{{d}{top.text}}}{{{d}{bottom.text}}}", SIGN)

    def flat_derivative(self, top: Text, bottom: Text) -> Text:
        return Text(rf"\partial {top.text} / \partial {bottom.text}")

    def delta(self, of: Text) -> Text:
        return Text(rf"\delta_{{{of.text}}}")

    def labelled(self, name: Text, label: str) -> Text:
        return Text(rf"{{{name.text}}}^{{\mathrm{{{label}}}}}")

    def monomial(self, coefficient: int, factors: Sequence[tuple[sp.Symbol, int]]) -> str:
        number = str(coefficient) if coefficient != 1 or not factors else ""
        return number + r" \, ".join([latex_name(str(x)) + (f"^{{{p}}}" if p > 1 else "") for x, p in factors])

    def directly(self, derivative: Text) -> Text:
        return Text(rf"\left.{derivative.text}\right|_{{\mathrm{{direct}}}}")

    def later(self, gradient: Text) -> Text:
        return Text(rf"{gradient.text}^{{\mathrm{{later}}}}", POWER)

    def at_step(self, gradient: Text, index: str) -> Text:
        return Text(rf"{fenced(gradient.text)}_{{{index}}}")

    def listed(self, name: Text, last: Text) -> Text:
        return Text(rf"\left({{{name.text}}}_{{1}}, \ldots, {{{name.text}}}_{{{last.text}}}\right)")

    def steps_range(self, index: str, first: Text, last: Text) -> Text:
        return Text(rf"{index} = {first.text}, \ldots, {last.text}", SUM)

    def matrix(self, rows: Sequence[Sequence[Text]]) -> Text:
        body = r" \\ ".join(" & ".join(x.text for x in row) for row in rows)
        return Text(rf"\begin{{bmatrix}} {body} \end{{bmatrix}}")

    def maps_to(self, argument: Text, image: Text) -> Text:
        return Text(rf"{argument.text} \mapsto {image.text}", SUM)


def _exact(value: sp.Expr) -> str:
    if value.is_Integer:
        return str(value)
    names = {s: latex_name(s.name) for s in sorted(value.free_symbols, key=str)}
    return str(sp.latex(value, symbol_names=names))


def _scientific(decimal: str) -> str:
    mantissa, _, exponent = decimal.partition("e")
    if not exponent:
        return mantissa
    return rf"10^{{{exponent}}}" if mantissa == "1" else rf"{mantissa} \cdot 10^{{{exponent}}}"
