"""Mathematics as MathML Core, for browsers and screen readers.

Names of several letters are one identifier, so that they are read as a word; letters of a font are the letters of
Unicode. References become HTML links inside ``mi``, which browsers and readers follow without a script.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from symbackprop.core import maths
from symbackprop.core.maths import Math
from symbackprop.core.names import GREEK, parse_name, primes
from symbackprop.core.printer import ATOM, function_name
from symbackprop.render.print.display import BREAKS, Box, Display, Kind, Start, Token, row
from symbackprop.render.print.text import text

FONTS = {"mathbf": "BOLD", "boldsymbol": "BOLD ITALIC", "mathbb": "DOUBLE-STRUCK", "mathcal": "SCRIPT",
         "mathfrak": "FRAKTUR", "mathsf": "SANS-SERIF"}
SYMBOLS = {"varepsilon": "ε", "vartheta": "ϑ", "varpi": "ϖ", "varrho": "ϱ", "varsigma": "ς", "varphi": "φ",
           "epsilon": "ϵ", "phi": "ϕ", "ell": "ℓ", "hbar": "ℏ", "imath": "ı", "jmath": "ȷ", "partial": "∂",
           "nabla": "∇", "infty": "∞", "prime": "′", "star": "⋆", "ast": "∗", "top": "⊤", "bot": "⊥",
           "odot": "⊙", "otimes": "⊗", "cdot": "⋅"}
ACCENTS = {"hat": "^", "widehat": "^", "tilde": "~", "widetilde": "~", "bar": "¯", "overline": "¯", "vec": "→",
           "dot": "˙", "ddot": "¨", "check": "ˇ", "breve": "˘", "mathring": "˚", "underline": "_"}
BELOW = {"underline"}
STRETCHED = {"widehat", "widetilde", "overline", "underline"}


def _sign(text: str) -> Token:
    return Token(f"<mo>{escape(text)}</mo>", other=f'<mo form="infix">{escape(text)}</mo>')


_SPACE = Token('<mspace width="0.167em"></mspace>')


SIGNS = {c: _sign(c) for c in "=<>≤≥≠⪰↦⇒∼:+/|'()[]"} | {
    "minus": _sign("−"), "-": _sign("−"), "plus": _sign("+"), "less": _sign("−"), "odot": _sign("⊙"),
    "otimes": _sign("⊗"),
    "tight odot": _sign("⊙"), "dot": _sign("⋅"), "thin": _SPACE, "space": _SPACE,
    "tight": Token(""), "top": Token('<mi mathvariant="normal">⊤</mi>'), "comma": _sign(","),
    "tight comma": _sign(","), "wide comma": _sign(","), ",": _sign(","), "times": _sign("×"),
    "dots": Token("<mo>…</mo>"), "and so on": Token("<mo>…</mo>"), "infinity": Token("<mi>∞</mi>"),
    "∇": Token("<mi>∇</mi>"),
    "∂": Token("<mi>∂</mi>"), "slash": _sign("/"), "tight =": _sign("="), "in": _sign("∈"), "*": _sign("∗"),
}
_BIG = {"sum": "∑", "max": "max", "prod": "∏"}


def mathml(m: Math, titles: Mapping[str, str] | None = None, display: bool = False) -> Markup:
    """A tree as MathML. A reference to an anchor in ``titles`` becomes a link with that title; other references are
    plain. ``display`` sets fractions large and makes several formulas of a long one, between which a line may break."""
    return MathmlPrinter(titles or {}, display).formulas(m)


class MathmlPrinter(Display):
    """MathML: every token is one element."""

    signs = SIGNS

    def __init__(self, titles: Mapping[str, str], display: bool) -> None:
        super().__init__()
        self.titles, self.display = titles, display
        self.open = '<math displaystyle="true">' if display else "<math>"

    def formulas(self, m: Math) -> Markup:
        """One ``math`` element, or several where a line may break between them."""
        tokens = self(m).tokens
        pieces: list[list[Token]] = [[]]
        for t in tokens:
            if t.kind not in BREAKS:
                pieces[-1].append(t)
            elif t.kind == Kind.BREAK and self.display:
                pieces.append([])
        return Markup("<wbr>".join([self._formula(piece, k > 0) for k, piece in enumerate(pieces)]))

    def _formula(self, tokens: Sequence[Token], goes_on: bool) -> str:
        """``goes_on``: a sign at the beginning stands between two terms, not before one."""
        head, *rest = tokens
        first = head.other if goes_on and head.other is not None else head.text
        return f"{self.open}<mrow>{''.join([first, *[t.text for t in rest]])}</mrow></math>"

    # -- letters
    def digits(self, text: str) -> Token:
        return Token(f"<mn>{text}</mn>")

    def letter_token(self, text: str) -> Token:
        return Token(f"<mi>{text}</mi>")

    def symbol(self, name: str) -> Token:
        return Token(f"<mi>{SYMBOLS.get(name) if name not in GREEK else GREEK[name]}</mi>")

    def word(self, text: str, style: str) -> Token:
        if style == "slanted" and len(text) > 1:
            return Token(f'<mi class="word">{escape(text)}</mi>')
        upright = ' mathvariant="normal"' if len(text) == 1 and style != "slanted" else ""
        return Token(f"<mi{upright}>{escape(text)}</mi>")

    def said(self, text: str) -> Token:
        spaced = text.replace(" ", "\u00a0")
        return Token(f"<mtext>{escape(spaced)}</mtext>")

    def bold(self, digit: str) -> Token:
        return Token(f"<mn>{styled(digit, 'BOLD')}</mn>")

    def function_token(self, name: str) -> Token:
        return self.word(function_name(name), "operator")

    # -- two dimensions
    def over(self, top: Box, bottom: Box) -> Token:
        return Token(f"<mfrac>{one(top)}{one(bottom)}</mfrac>")

    def root(self, body: Box) -> Token:
        return Token(f"<msqrt>{body.text}</msqrt>")

    def raised(self, base: Box, exponent: Box) -> Box:
        return base._replace(tokens=(Token(f"<msup>{one(base)}{one(exponent)}</msup>"),), level=ATOM)

    def lowered(self, base: Box, index: Box) -> Box:
        token = Token(f"<msub>{one(base)}{one(index)}</msub>")
        return base._replace(tokens=(token,), level=ATOM, starts=base.starts.lowered(), low=True)

    def accented(self, accent: str, base: Box) -> Box:
        tag = "munder" if accent in BELOW else "mover"
        stretchy = "true" if accent in STRETCHED else "false"
        mark = f'<mo stretchy="{stretchy}">{ACCENTS[accent]}</mo>'
        return Box((Token(f'<{tag} accent="true">{one(base)}{mark}</{tag}>'),))

    def styled(self, letter: str, font: str) -> Token:
        if font in ("mathrm", "mathit"):
            return self.word(letter, "upright" if font == "mathrm" else "slanted")
        tag = "mn" if letter.isdigit() else "mi"
        return Token(f"<{tag}>{escape(styled(letter, FONTS[font]))}</{tag}>")

    def running(self, sign: str, below: Box | None) -> Box:
        mark = "<mi>max</mi>" if sign == "max" else f"<mo>{_BIG[sign]}</mo>"
        tag = "munder" if self.display else "msub"
        whole = mark if below is None else f"<{tag}>{mark}{one(below)}</{tag}>"
        return Box((Token(whole),), starts=Start.SUM, tall=True, low=below is not None)

    def table(self, rows: Sequence[Sequence[Box]]) -> Token:
        lines = ["".join([f"<mtd>{x.text}</mtd>" for x in line]) for line in rows]
        body = "".join([f"<mtr>{line}</mtr>" for line in lines])
        return Token(f"<mrow><mo>[</mo><mtable>{body}</mtable><mo>]</mo></mrow>")

    def between(self, left: str, body: Box, right: str, tall: bool) -> Box:
        opened, closed = ((f'<mo stretchy="{str(tall).lower()}" form="{form}">{sign}</mo>' if sign else "")
                          for sign, form in ((left, "prefix"), (right, "postfix")))
        starts = Start.TALL if tall else Start.BRACKET
        return Box((Token(f"<mrow>{opened}{body.text}{closed}</mrow>"),), starts=starts, tall=tall, low=body.low)

    def group(self, body: Box) -> Box:
        return body

    def primed(self, body: Box, order: int = 1) -> Box:
        return self.raised(body, row(Token(f"<mo>{primes(order)}</mo>")))

    # -- references
    def link(self, m: maths.Link) -> Box:
        inside = self(m.body)
        title = self.titles.get(m.anchor)
        if title is None:
            return inside._replace(starts=Start.LETTER)
        label = escape(f"{spoken(m.body)}, {title}")
        link = f'<a href="#{escape(m.anchor)}" class="ref" title="{escape(title)}" aria-label="{label}">'
        body = f"<mi>{link}{self.open}{inside.text}</math></a></mi>"  # not mtext, a space beside an operator
        return inside._replace(tokens=(Token(body),), starts=Start.LETTER)


def one(box: Box) -> str:
    """A box as one element."""
    return box.text if len(box.tokens) == 1 else f"<mrow>{box.text}</mrow>"


def spoken(m: Math) -> str:
    """A name as text, for those who hear it: links are read by their name, not by what is in them."""
    match m:
        case maths.Derivative(top, bottom, d) if d != "∇":
            return f"{d} {spoken(top)} over {d} {spoken(bottom)}"
        case maths.Delta(of) if of is not None:
            return f"δ {spoken(of)}"
        case maths.Sym(name) if not m.verbatim:
            parts = parse_name(name)
            base = GREEK.get(parts.base, parts.base)
            return " ".join(x for x in (base, *parts.accents, *parts.subscripts, parts.place) if x)
        case maths.Shaped(body) | maths.Link(_, body):
            return spoken(body)
    return text(m)


def styled(character: str, style: str) -> str:
    """A letter or digit in a mathematical style, or itself where Unicode has none."""
    name = unicodedata.name(character, "")
    name = name.replace("LATIN ", "").replace("GREEK ", "").replace(" LETTER", "")
    for wanted in (f"MATHEMATICAL {style} {name}", f"{style} {name}"):
        try:
            return unicodedata.lookup(wanted)
        except KeyError:
            continue
    return character
