"""The document in LaTeX: a fragment for a document that loads amsmath, amssymb, booktabs and longtable, a document that
compiles with pdflatex, or slides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from symbackprop.core.maths import Big, Derivative, Frac, Math, Prod, Rounded, is_nabla, walk
from symbackprop.render.descent import POWER
from symbackprop.render.document import (
    ROLES,
    BoardLine,
    Document,
    Equation,
    Line,
    Prose,
    Ref,
    Row,
    Step,
    board_lines,
    listed,
)
from symbackprop.render.escape import latex_text
from symbackprop.render.print.display import BREAK, Box, Token
from symbackprop.render.print.latex import LATEX, boxed, broken, glyphs, latex
from symbackprop.render.templates import render

GRADIENT, STORED = 160.0, 58.0  # columns of the closing table: of gradients, of what forward stores
PAGE = 470.0  # points: an A4 page with margins of 2 cm has 481
REASON = 165.0  # the least room for a reason beside the formulas


def to_latex(document: Document, standalone: bool = False) -> str:
    """The whole derivation; ``standalone`` adds the preamble and links between steps."""
    writer = Writer([*document.anchors()] if standalone else ())
    if document.detail == "board":
        return render("board.tex", standalone=standalone, **writer.opening(document), rows=writer.board(document))
    return render("derivation.tex", standalone=standalone, **writer.opening(document), **writer.sections(document))


class Writer:
    """Turns finished lines into rows of displays; references to ``anchors`` are clickable."""

    def __init__(self, anchors: Iterable[str]) -> None:
        self.anchors = frozenset(anchors)

    def opening(self, d: Document) -> dict[str, object]:
        """Finished LaTeX of what the long form and a board begin and end with, by section."""
        return {
            "title": latex_text(d.name), "summary": latex_text(d.summary),
            "conventions": [self.prose(c) for c in d.conventions], "glossary": [self.prose(g) for g in d.glossary],
            "given": self.given(d), "forward": self.forward(d.forward), "notes": [self.prose(n) for n in d.notes],
        }

    def sections(self, d: Document) -> dict[str, object]:
        """The same of what the long form alone has."""
        return {
            "source": latex_text(d.source), "heading": self.prose(d.heading), "steps": [self.step(s) for s in d.steps],
            "table": [self.row(r) for r in d.table], "costs": self.prose(d.costs), "rate": _inline(d.rate),
            "updates": self.display([(u, self.prose(u.reason)) for u in d.updates]),
            "checks": self.display([(u, self.prose(u.reason)) for u in d.checks]), "h": latex(POWER),
            "rules": [{"anchor": self.target(r.anchor), "number": r.number, "title": r.title,
                       "rows": self.display([(x, "") for x in r.lines])} for r in d.rules],
        }

    # -- text
    def prose(self, parts: Prose, large: bool = False) -> str:
        """Running text; the first formula in it is ``large``, with fractions as in a display."""
        first = next((k for k, p in enumerate(parts) if isinstance(p, Math)), -1) if large else -1
        return "".join([self._part(p, k == first) for k, p in enumerate(parts)])

    def _part(self, part: str | Math | Ref, large: bool = False) -> str:
        if isinstance(part, Math):
            return rf"$\displaystyle {latex(part)}$" if large else _inline(part)
        if isinstance(part, Ref):
            return rf"\hyperlink{{{part.anchor}}}{{{part.text}}}" if part.anchor in self.anchors else part.text
        return latex_text(part)

    def target(self, anchor: str) -> str:
        return rf"\hypertarget{{{anchor}}}{{}}" if anchor in self.anchors else ""

    def given(self, d: Document) -> list[str]:
        roles: dict[str, list[str]] = {}
        for x in d.declarations:
            numbers = r"\mathbb{Z}" if x.whole else r"\mathbb{R}"
            shape = rf" \in {numbers}^{{{latex(x.shape)}}}" if x.shape is not None else ""
            note = f" ({self.prose(x.note)})" if x.note else ""
            value = "" if x.value is None or x.value.shown is None else f" = {latex(x.value.shown)}"
            roles.setdefault(ROLES[x.role][1], []).append(f"${latex(x.math)}{shape}{value}${note}")
        return [f"{role.capitalize()}: {', '.join(names)}" for role, names in roles.items()]

    # -- displays
    def forward(self, equations: Sequence[Equation]) -> list[str]:
        """Rows of an alignat: shapes and remarks in a column of their own, below where a formula needs the room."""
        lefts = [self._left(e) for e in equations]
        sides = [self._side(e) for e in equations]
        whole = PAGE - 60.0 - max([x.width for x in lefts], default=0.0)
        room = max(whole - max([x.width for x in sides], default=0.0), whole / 2)
        rows = zip(equations, lefts, sides, strict=True)
        return [self._equation(e, left.text, side.text, room, whole) for e, left, side in rows]

    def _left(self, e: Equation) -> Token:
        let = Token(r"\text{let } ", glyphs("let") + 0.5) if e.introduced else Token("")
        own = Box(()) if e.line.left is None else boxed(e.line.left)
        return Token(r"\quad " * e.depth + let.text + own.text, 10.0 * e.depth + let.width + own.width)

    def _side(self, e: Equation) -> Token:
        shape = [] if e.shape is None else [LATEX.between("(", boxed(e.shape), ")", False)]
        reason = [] if not e.line.reason or e.line.kind == "loop" else [self.words_of(e.line.reason)]
        parts = [Token(box.text, box.width) for box in shape] + reason
        return Token(r" \quad ".join([t.text for t in parts]), sum([t.width for t in parts]) + 10.0 * (len(parts) - 1))

    def words_of(self, reason: Prose) -> Token:
        sizes = [boxed(p).width if isinstance(p, Math) else glyphs(p.text if isinstance(p, Ref) else p) for p in reason]
        return Token(rf"\text{{{self.prose(reason)}}}", sum(sizes) + 0.5)

    def _equation(self, e: Equation, left: str, side: str, room: float, whole: float) -> str:
        if e.line.kind == "loop":
            return rf"{self.target(e.anchor)}& \text{{for }} {latex(e.line.right)}\colon && \tag{{{e.number}}}"
        right = valued(e.line.right, e.line.value.shown if e.line.value is not None else None)
        head = f"{self.target(e.anchor)}{left} &{SIGNS.get(e.line.sign, e.line.sign)} "
        if right.width <= room:
            return f"{head}{right.text} &\\quad& {side} \\tag{{{e.number}}}"
        first, *more = [rf"\rlap{{$\displaystyle {line.text}$}}" for line in broken(right.tokens, whole, whole)]
        below = [*more, *([side] if side else [])]
        rows = [f"{head}{first} \\tag{{{e.number}}}", *[f"&\\quad {x} \\notag" for x in below]]
        return " \\\\\n".join(rows)

    def step(self, s: Step) -> dict[str, object]:
        title = self.prose(s.title, large=True)
        shape = rf" \quad $({latex(s.shape)})$" if s.shape is not None else ""
        path = f"path {self.prose(s.path)}" if len(s.path) > 1 else ""
        indent = r"\quad " * s.depth
        return {"anchor": self.target(s.anchor) + indent, "number": s.number, "title": title + shape, "path": path,
                "rows": self.display([(x, self.prose(x.reason)) for x in s.lines])}

    def display(self, lines: Sequence[tuple[Line, str]]) -> list[str]:
        """Rows of an alignat; reasons stand beside the formulas when all of them leave room, else below."""
        left = max([boxed(x.left).width for x, _ in lines if x.left is not None], default=0.0)
        rights = [valued(x.right, x.number) for x, _ in lines]
        beside = PAGE - left - max([r.width for r in rights], default=0.0) - 40.0
        rows: list[str] = []
        for (x, reason), right in zip(lines, rights, strict=True):
            rows += self._beside(x, right, reason, beside) if beside >= REASON else self._below(x, right, reason, left)
        return [row + " \\\\" for row in rows[:-1]] + rows[-1:]

    def _beside(self, x: Line, right: Box, reason: str, room: float) -> list[str]:
        row = self._head(x) + right.text
        return [rf"{row} &\quad& {_box(reason, min(room, 3 * REASON))}" if reason else row]

    def _below(self, x: Line, right: Box, reason: str, left: float) -> list[str]:
        room = PAGE - left - 20.0
        first, *more = broken(right.tokens, room, room - 20.0)
        below = [rf"&\qquad {_box(reason, room - 20.0)}"] if reason else []
        return [self._head(x) + first.text, *[rf"&\qquad {part.text}" for part in more], *below]

    def _head(self, x: Line) -> str:
        return f"{'' if x.left is None else latex(x.left)} &{SIGNS.get(x.sign, x.sign)} "

    # -- boards
    def board(self, d: Document) -> list[str]:
        """Rows of one alignat for all steps: a formula that leaves no room for its reason stands across the columns,
        in several lines if need be, the reason behind or below."""
        lines = [*board_lines(d.steps), *[BoardLine("", 0, u) for u in (*d.updates, *d.checks)]]
        sides = [self.words_of(x.reason) if x.reason else Token("") for x in lines]
        room = PAGE - max([self._indented(x).width for x in lines], default=0.0) - 20.0
        rights = [0.0 if x.line is None else valued(x.line.right, x.line.number).width for x in lines]
        column = _column(list(zip(rights, [s.width for s in sides], strict=True)), room - 20.0)
        found = [self._row(x, words, room, column) for x, words in zip(lines, sides, strict=True)]
        return [row + r" \\" for row in found[:-1]] + found[-1:]

    def _indented(self, x: BoardLine) -> Token:
        """The left side with what stands in front of it."""
        own = Box(()) if x.line is None or x.line.left is None else boxed(x.line.left)
        head = (self.target(x.anchor) if x.anchor else "") + r"\quad " * x.depth
        return Token(head + own.text, 10.0 * x.depth + own.width)

    def _row(self, x: BoardLine, words: Token, room: float, column: float) -> str:
        """``column``: how wide formulas are beside which reasons stand."""
        left = self._indented(x).text
        if x.line is None:
            return rf"{left}& \rlap{{\text{{{self.prose(x.title)}:}}}}"
        right = valued(x.line.right, x.line.number)
        start = f"{left} &{SIGNS.get(x.line.sign, x.line.sign)} "
        if right.width <= column and words.width <= room - 20.0 - column:
            return start + right.text + (rf" &\quad& {words.text}" if words.text else "")
        parts = broken(right.tokens, room, room - 20.0)
        lines = [rf"\rlap{{$\displaystyle {part.text}$}}" for part in parts]
        if words.text and parts[-1].width + words.width + 20.0 <= room - 20.0:
            lines[-1] = rf"\rlap{{$\displaystyle {parts[-1].text}$\quad {words.text}}}"
        elif words.text:
            lines.append(rf"\rlap{{{words.text}}}")
        return " \\\\\n".join([start + lines[0], *[f"&\\qquad {part}" for part in lines[1:]]])

    # -- the closing table
    def row(self, r: Row) -> str:
        shape = "scalar" if r.shape is None else _inline(r.shape)
        stores = "".join([_in_column(_broken(x, STORED)) if isinstance(x, Math) else self.prose((x,))
                          for x in listed(r.stores)])
        return f"{_inline(r.parameter)} & {self._gradient(r)} & {shape} & {_inline(r.cost)} & {stores}"

    def _gradient(self, r: Row) -> str:
        """A gradient in its column, in several lines if need be; one that cannot be broken stands in its step."""
        lines = _broken(r.gradient, GRADIENT)
        if any(line.width > GRADIENT for line in lines):
            return f"see {self._part(r.step)}"
        return _in_column(lines)


def _broken(m: Math, wide: float) -> Sequence[Token]:
    """The lines of a formula in a column, as far as it can be broken."""
    return broken(boxed(m).tokens, wide, wide - 10.0)


def _in_column(lines: Sequence[Token]) -> str:
    return r" \newline ".join([f"${'' if not k else BIG_GAP}{line.text}$" for k, line in enumerate(lines)])


def _column(rows: Sequence[tuple[float, float]], room: float) -> float:
    """How wide a column of formulas has to be for the most of them to have their reasons beside it; ``rows``: the
    widths of both."""
    def beside(wide: float) -> int:
        return sum(1 for right, side in rows if right <= wide and side <= room - wide)

    return max(sorted({right for right, _ in rows}), key=beside, default=0.0)


BIG_GAP = r"\quad "
SIGNS = {":": r"\colon\;", "≈": r"\approx", "⋮": r"\vdots\enspace"}


def _inline(m: Math) -> str:
    return f"${latex(m)}$"


def valued(right: Math, number: Rounded | None) -> Box:
    """A formula with the number that it comes to."""
    formula = boxed(right)
    if number is None:
        return formula
    return Box((*formula.tokens, BREAK, LATEX.sign("="), *boxed(number).tokens))


def _box(reason: str, size: float) -> str:
    return rf"\parbox[t]{{{size:.0f}pt}}{{\raggedright\footnotesize {reason}}}"


# -- slides: the board in the class beamer, one step an overlay
WIDTH = 395.0  # points between the margins of a slide of 16:9
INDENT = 20.0
LINES = 10.5  # of plain height on a slide
TALL = 1.9  # the height of a line with a fraction or a big sum, in plain ones

Placed = tuple[str, float]  # what stands on the slide, how high it is


def to_slides(document: Document) -> str:
    """A document that compiles: what is given, the forward pass, the backward pass with an overlay for every step."""
    slides = Slides(anchors=())
    forward = [slides.equation(e) for e in document.forward]
    after = [slides.line(u, u.reason) for u in (*document.updates, *document.checks)]
    notes = [slides.words(note, 0) for note in document.notes]
    backward = [*slides.overlays(document.steps), *after, *notes]
    return render(
        "slides.tex", title=latex_text(document.name), summary=latex_text(document.summary),
        given=slides.given(document), glossary=[slides.prose(g) for g in document.glossary],
        conventions=[slides.prose(c) for c in document.conventions], forward=list(_frames(forward)),
        backward=list(_frames(backward, slides.height(document.conventions))),
    )


class Slides(Writer):
    """Writes lines one below the other, each as wide as the slide."""

    def equation(self, e: Equation) -> Placed:
        if e.line.kind == "loop":
            return self.words((f"({e.number}) for ", e.line.right, ":"), e.depth)
        shape: Prose = () if e.shape is None else ("(", e.shape, ") ")
        said: Prose = (*e.line.reason, " ") if e.line.reason else ()
        return self.line(e.line, (*said, *shape, f"({e.number})"), e.depth)

    def overlays(self, steps: Iterable[Step]) -> list[Placed]:
        """The lines of each step, which come at once; that a loop ends comes with what follows it."""
        found: list[list[Placed]] = []
        waiting = False
        for x in board_lines(steps):
            if (x.anchor or x.line is None) and not waiting:
                found.append([])
            waiting = x.line is None and not x.anchor
            found[-1].append(self.words((*x.title, ":"), x.depth) if x.line is None
                             else self.line(x.line, x.reason, x.depth))
        return [("\n".join([text for text, _ in rows]), sum([height for _, height in rows])) for rows in found]

    def height(self, conventions: Iterable[Prose]) -> float:
        """How many lines conventions take, which stand on the first slide of the way back."""
        return float(ceil(sum([self.words_of(c).width for c in conventions]) / WIDTH))

    def words(self, prose: Prose, depth: int) -> Placed:
        return rf"\hspace*{{{INDENT * depth:.0f}pt}}{self.prose(prose)}\par", 1.0

    def line(self, x: Line, reason: Prose, depth: int = 0) -> Placed:
        """``left = right``, broken where it is too wide, and the reason at the right or below."""
        left = Box(()) if x.left is None else boxed(x.left)
        right, room = valued(x.right, x.number), WIDTH - INDENT * depth
        parts = broken(right.tokens, room - left.width - 15.0, room - INDENT)
        head = rf"{left.text} {SIGNS.get(x.sign, x.sign)} "
        lines = [_displayed(head + parts[0].text, depth), *[_displayed(p.text, depth + 1) for p in parts[1:]]]
        words = self.words_of(reason)
        last = left.width + right.width if len(parts) == 1 else parts[-1].width + INDENT
        fits = last + words.width + 30.0 <= room
        said = rf"\hfill{{\footnotesize {self.prose(reason)}}}" if reason else ""
        if said and not fits:
            lines.append(rf"\hspace*{{\fill}}{said}")
        elif said:
            lines[-1] += said
        height = sum([TALL if _is_tall(x) else 1.0] * len(parts)) + (1.0 if said and not fits else 0.0)
        return "\n".join([line + r"\par" for line in lines]), height


def _displayed(formula: str, depth: int) -> str:
    return rf"\hspace*{{{INDENT * depth:.0f}pt}}$\displaystyle {formula}$"


def _is_tall(x: Line) -> bool:
    trees = (x.right,) if x.left is None else (x.left, x.right)
    return any(isinstance(m, (Big, Derivative, Frac)) or (isinstance(m, Prod) and m.number != 1)
               for tree in trees for m in walk(tree) if not is_nabla(m))


def _frames(rows: Iterable[Placed], taken: float = 0.0) -> Iterator[list[str]]:
    """Rows by slides, of the first of which some lines are ``taken``; a row that is too high for any stands alone."""
    frame: list[str] = []
    room = LINES - taken
    for text, height in rows:
        if frame and height > room:
            yield frame
            frame, room = [], LINES
        frame.append(text)
        room -= height
    if frame:
        yield frame
