"""Mathematics in Typst: what a further mathematics syntax takes, as docs/architecture.md has it."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core.maths import Math
from symbackprop.core.printer import ATOM, function_name
from symbackprop.render.print.display import Box, Display, Start, Token, row

_NAMED = {
    "minus": "-", "plus": "+ ", "less": "- ", "odot": "dot.o ", "tight odot": "dot.o ", "otimes": "times.o ",
    "dot": "dot ", "thin": "thin ", "space": "", "tight": "", "top": "top ", "comma": ", ", "tight comma": ", ",
    "wide comma": ", ", "|": "bar.v ", "times": "times ", "dots": "dots ", "and so on": "dots ", "tight =": "= ",
    "infinity": "infinity ", "∂": "partial ", "slash": "slash ", "↦": "arrow.r.bar ", "⇒": "arrow.r.double ",
    "∇": "nabla ", "'": "prime ", "(": "\\( ", ")": "\\) ", "[": "\\[ ", "]": "\\] ",
}
SIGNS = {c: Token(f"{c} ") for c in "=<>≤≥≠:+-/,*"} | {name: Token(sign) for name, sign in _NAMED.items()}
ACCENTS = {"bar": "macron", "overline": "overline", "vec": "arrow", "ddot": "dot.double", "check": "caron",
           "mathring": "circle", "widehat": "hat", "widetilde": "tilde"}
FONTS = {"mathbf": "bold", "boldsymbol": "bold", "mathrm": "upright", "mathit": "italic", "mathcal": "cal",
         "mathbb": "bb", "mathsf": "sans", "mathfrak": "frak"}
STYLES = {"operator": "op", "upright": "upright", "slanted": "italic"}
BIG = {"sum": "sum", "max": "max", "prod": "product"}
AROUND = {"‖": "norm", "|": "abs", "⌊": "floor", "⌈": "ceil"}


def typst(m: Math) -> str:
    """A tree in Typst, without dollar signs."""
    return TypstPrinter()(m).text.strip()


def inside(box: Box) -> str:
    return box.text.strip()


class TypstPrinter(Display):
    """Pieces of Typst; each ends with a space."""

    signs = SIGNS

    def digits(self, text: str) -> Token:
        return Token(f"{text} ")

    letter_token = digits

    def symbol(self, name: str) -> Token:
        return Token(f"{ {'eps': 'epsilon', 'lam': 'lambda'}.get(name, name)} ")

    def word(self, text: str, style: str) -> Token:
        return Token(f'{STYLES[style]}("{text}") ')

    def said(self, text: str) -> Token:
        return Token(f'"{text}" ')

    def bold(self, digit: str) -> Token:
        return Token(f"bold({digit}) ")

    def styled(self, letter: str, font: str) -> Token:
        return Token(f"{FONTS[font]}({letter}) ")

    def function_token(self, name: str) -> Token:
        return self.word(function_name(name), "operator")

    def over(self, top: Box, bottom: Box) -> Token:
        return Token(f"frac({inside(top)}, {inside(bottom)}) ")

    def root(self, body: Box) -> Token:
        return Token(f"sqrt({inside(body)}) ")

    def raised(self, base: Box, exponent: Box) -> Box:
        return base._replace(tokens=(Token(f"{inside(base)}^({inside(exponent)}) "),), level=ATOM)

    def lowered(self, base: Box, index: Box) -> Box:
        return base._replace(tokens=(Token(f"{inside(base)}_({inside(index)}) "),), level=ATOM, low=True)

    def accented(self, accent: str, base: Box) -> Box:
        return row(Token(f"{ACCENTS.get(accent, accent)}({inside(base)}) "))

    def primed(self, body: Box) -> Box:
        return row(Token(f"{inside(body)}' "))

    def running(self, sign: str, below: Box | None) -> Box:
        place = "" if below is None else f"_({inside(below)})"
        return Box((Token(f"{BIG[sign]}{place} "),), starts=Start.SUM, tall=True)

    def table(self, rows: Sequence[Sequence[Box]]) -> Token:
        return Token(f'mat(delim: "[", {"; ".join([", ".join(map(inside, line)) for line in rows])}) ')

    def between(self, left: str, body: Box, right: str, tall: bool) -> Box:
        if left in AROUND:
            return row(Token(f"{AROUND[left]}({inside(body)}) "))
        return Box((Token(f"{left}{inside(body)}{right or ''} "),), starts=Start.BRACKET, tall=tall, low=body.low)

    def group(self, body: Box) -> Box:
        return body
