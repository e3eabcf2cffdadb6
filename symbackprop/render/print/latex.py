"""Mathematics in LaTeX, without dollar signs; how wide it will be, and how a long line breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from symbackprop.core.maths import Math
from symbackprop.core.names import TEX_GREEK
from symbackprop.core.printer import ATOM, POWER, QUOTIENT, Remembering, function_name
from symbackprop.core.scalars import TABLE
from symbackprop.model.names import pieces
from symbackprop.render.print.display import BREAKS, Box, Display, Kind, Start, Token, row

# Widths: Computer Modern at 10 points, a little too wide rather than too narrow.
SCRIPT, FENCE = 0.75, 7.5
WIDE = 400.0  # points: a numerator that leaves no room beside it
_CHARACTERS = {"+": 12.5, "-": 12.5, "=": 14.0, "<": 14.0, ">": 14.0, "(": 4.0, ")": 4.0, "[": 3.0, "]": 3.0, ",": 4.5,
               ".": 2.8, "/": 5.0, "|": 3.0, ":": 5.0, "'": 3.0, "~": 3.5, " ": 0.0, "_": 5.0, "*": 5.0}
_COMMANDS = {r"\tanh": 24.0, r"\exp": 19.0, r"\sin": 15.0, r"\cos": 15.0, r"\log": 16.0, r"\max": 20.0}


def glyphs(text: str) -> float:
    """The width of plain characters."""
    return sum([(8.6 if c.isupper() or c in "mw" else 5.6) if c.isalpha() else _CHARACTERS.get(c, 5.1) for c in text])


def _sign(text: str, width: float) -> Token:
    return Token(text, width, other=text.lstrip())


SIGNS = {
    "minus": _sign("-", 12.5), "plus": _sign(" + ", 12.5), "less": _sign(" - ", 12.5), "odot": _sign(r" \odot ", 13.0),
    "otimes": _sign(r" \otimes ", 13.0),
    "dot": _sign(r" \cdot ", 8.0), "thin": _sign(r" \, ", 2.0), "space": _sign(" ", 0.0), "tight": _sign(r"\!", -1.7),
    "tight odot": _sign(r"\odot ", 13.0), "top": _sign(r"\top", 8.0), "comma": _sign(", ", 4.5),
    "tight comma": _sign(",", 4.5), "wide comma": _sign(r",\; ", 7.5), "times": _sign(r" \times ", 13.0),
    "dots": _sign(r"\ldots", 6.5), "and so on": _sign(r"\dots", 6.5), "infinity": _sign(r"\infty", 10.5),
    "∇": _sign(r"\nabla", 8.5),
    "∂": _sign(r"\partial ", 6.0), "slash": _sign(" / ", 5.0), "=": _sign(" = ", 14.0), "<": _sign(" < ", 14.0),
    ">": _sign(" > ", 14.0), "≤": _sign(r" \le ", 14.0), "≥": _sign(r" \ge ", 14.0),
    "⪰": _sign(r" \succeq ", 14.0), "≠": _sign(r" \ne ", 14.0),
    "↦": _sign(r" \mapsto ", 17.0), "⇒": _sign(r" \Rightarrow ", 17.0), "∼": _sign(r" \sim ", 14.0),
    "tight =": _sign("=", 14.0), "in": _sign(r" \in ", 14.0),
}
SIGNS |= {c: _sign(c, w) for c, w in _CHARACTERS.items() if c not in SIGNS}
_BIG = {"sum": (r"\sum", 17.0), "max": (r"\max", 20.0), "prod": (r"\prod", 15.0)}
_BRACKETS = {**{c: c for c in "()[]|"}, "": ".", "‖": r"\lVert", "⌊": r"\lfloor", "⌋": r"\rfloor",
             "⌈": r"\lceil", "⌉": r"\rceil"}
_STYLES = {"operator": (r"\operatorname", 3.4), "upright": (r"\mathrm", 0.5), "slanted": (r"\mathit", 0.5)}
UNDERSCORE, ROW_END = r"\_", r"\\"


def latex(m: Math) -> str:
    """A tree in LaTeX, without ``$``."""
    return boxed(m).text


def boxed(m: Math) -> Box:
    """The same as a box, which is as wide as it will be."""
    return LATEX(m)


class LatexPrinter(Remembering[Box, Token], Display):
    """LaTeX for amsmath. ``dialect``: what is to be written for a command or sign that another LaTeX lacks."""

    dialect: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.signs = {name: self._spelled(token) for name, token in SIGNS.items()}

    def _spelled(self, token: Token) -> Token:
        own = token.text.strip()
        text = token.text.replace(own, self.dialect[own]) if own in self.dialect else token.text
        return token._replace(text=text, other=text.lstrip())

    def spell(self, command: str) -> str:
        return self.dialect.get(command, command)

    # -- letters
    def digits(self, text: str) -> Token:
        return Token(text, glyphs(text))

    letter_token = digits

    def symbol(self, name: str) -> Token:
        command = TEX_GREEK.get(name, "\\" + name)
        return Token(command, glyphs(command) if len(command) == 1 else 6.5)

    def word(self, text: str, style: str) -> Token:
        command, more = _STYLES[style]
        return Token(f"{self.spell(command)}{{{text.replace('_', self.spell(UNDERSCORE))}}}", glyphs(text) + more)

    def said(self, text: str) -> Token:
        return Token(rf"\text{{{text}}}", glyphs(text) + 0.5)

    def bold(self, digit: str) -> Token:
        return Token(rf"\mathbf{{{digit}}}", glyphs(digit) + 0.5)

    def own(self, notation: str) -> Box:
        box = super().own(notation)
        return box._replace(tokens=(Token("".join([self.dialect.get(x, x) for x in pieces(notation)]), box.width),))

    def function_token(self, name: str) -> Token:
        command = TABLE[name].latex
        if command is None:
            return self.word(function_name(name), "operator")
        return Token(command, _COMMANDS.get(command, 6.5))

    # -- two dimensions
    def fraction(self, top: Box, bottom: Box) -> Box:
        """A numerator that no line could hold stands before a slash, where lines may break."""
        if top.width <= WIDE:
            return super().fraction(top, bottom)
        below = bottom if bottom.level >= POWER else self.fenced(bottom)
        return row(self.fenced(top), Token(" / ", 10.0), below, level=QUOTIENT)

    def over(self, top: Box, bottom: Box) -> Token:
        return Token(rf"\frac{{{top.text}}}{{{bottom.text}}}", max(top.width, bottom.width) + 3.0)

    def root(self, body: Box) -> Token:
        return Token(rf"\sqrt{{{body.text}}}", body.width + 9.0)

    def raised(self, base: Box, exponent: Box) -> Box:
        script = Token(f"^{{{exponent.text}}}", SCRIPT * exponent.width)
        return Box((*base.tokens, script), ATOM, base.starts, base.tall or exponent.tall, base.low or exponent.low)

    def lowered(self, base: Box, index: Box) -> Box:
        script = Token(f"_{{{index.text}}}", SCRIPT * index.width)
        return Box((*base.tokens, script), ATOM, base.starts.lowered(), base.tall or index.tall, True)

    def accented(self, accent: str, base: Box) -> Box:
        return Box((Token(rf"\{accent}{{{base.text}}}", base.width + 0.5),), low=base.low)

    def styled(self, letter: str, font: str) -> Token:
        return Token(rf"\{font}{{{letter}}}", glyphs(letter) + 0.5)

    def running(self, sign: str, below: Box | None) -> Box:
        command, width = _BIG[sign]
        token = Token(command, width)
        if below is None:
            return Box((token,), starts=Start.SUM if sign == "sum" else Start.COMMAND, tall=sign != "max")
        box = self.lowered(Box((token,)), below)
        return box._replace(tall=True, starts=Start.SUM if sign == "sum" else Start.COMMAND)

    def table(self, rows: Sequence[Sequence[Box]]) -> Token:
        body = f" {self.spell(ROW_END)} ".join([" & ".join([x.text for x in line]) for line in rows])
        widths = [max(column) for column in zip(*[[x.width for x in line] for line in rows], strict=True)]
        return Token(rf"\begin{{bmatrix}} {body} \end{{bmatrix}}", sum(widths) + 10.0 * len(widths) + 8.0)

    def between(self, left: str, body: Box, right: str, tall: bool) -> Box:
        a, b = self.spell(_BRACKETS[left]), r"\rVert" if right == "‖" else self.spell(_BRACKETS[right])
        if not tall:
            space = " " if left in "⌊⌈‖" else ""
            opened = Token(f"{a}{space}", _CHARACTERS.get(a, 6.5), Kind.OPEN)
            closed = Token(f"{space}{b}", _CHARACTERS.get(b, 6.5), Kind.CLOSE)
            return Box((opened, *body.tokens, closed), starts=Start.BRACKET, tall=body.tall, low=body.low)
        space = " " if left == "‖" else ""
        opened = Token(rf"\left{a}{space}", FENCE, Kind.TALL_OPEN, rf"\bigl{a}{space}")
        closed = Token(rf"{space}\right{b}", FENCE, Kind.TALL_CLOSE, rf"{space}\bigr{b}")
        return Box((opened, *body.tokens, closed), starts=Start.TALL, tall=True, low=body.low)

    def group(self, body: Box) -> Box:
        return Box((Token(f"{{{body.text}}}", body.width),), ATOM, body.starts, body.tall, body.low)

    def primed(self, body: Box, order: int = 1) -> Box:
        return row(body, Token("'" * order, 3.0 * order))


LATEX = LatexPrinter()


# -- long lines
def broken(tokens: Sequence[Token], first: float, later: float) -> list[Token]:
    """Lines of at most ``first`` and then ``later`` points: broken outside brackets where that is enough, else between
    the arguments of calls, else anywhere; tall brackets become ones of fixed size where a break has to come between
    them."""
    for inside, loose in ((0, False), (1, False), (2, False), (1, True), (2, True)):
        lines = _filled(_pieces(tokens, inside, loose), first, later)
        if all(_width(line) <= later for line in lines):
            break
    return [Token(_joined(line, k > 0, loose), _width(line)) for k, line in enumerate(lines)]


def _width(tokens: Sequence[Token]) -> float:
    return sum([t.width for t in tokens])


def _joined(line: Sequence[Token], goes_on: bool, loose: bool) -> str:
    first = line[0].other if goes_on and line and line[0].other is not None else line[0].text if line else ""
    rest = [t.other if loose and t.other is not None and t.kind >= Kind.TALL_OPEN else t.text for t in line[1:]]
    if loose and line and line[0].kind >= Kind.TALL_OPEN:
        first = line[0].other or ""
    return "".join([first, *rest]).rstrip()


def _pieces(tokens: Sequence[Token], inside: int, loose: bool) -> list[list[Token]]:
    """The parts between places at which a line may break: in brackets never (``inside`` is 0), between the arguments of
    calls that are in no other brackets (1), or anywhere (2); in tall ones only if ``loose``."""
    pieces: list[list[Token]] = [[]]
    depth = tall = 0
    for t in tokens:
        if t.kind in BREAKS:
            free = not depth or inside == 2 or (inside == depth and t.kind == Kind.ARGUMENT)
            pieces += [[]] if free and (loose or not tall) else []
            continue
        depth += 0 if t.kind == Kind.PLAIN else 1 if t.kind in (Kind.OPEN, Kind.TALL_OPEN) else -1
        tall += (t.kind == Kind.TALL_OPEN) - (t.kind == Kind.TALL_CLOSE)
        pieces[-1].append(t)
    return pieces


def _filled(pieces: list[list[Token]], first: float, later: float) -> list[list[Token]]:
    lines = [pieces[0]]
    for piece in pieces[1:]:
        if _width(lines[-1]) + _width(piece) <= (first if len(lines) == 1 else later):
            lines[-1] = [*lines[-1], *piece]
        else:
            lines.append(piece)
    return lines
