"""The board as slides in LaTeX's class beamer: one step an overlay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from symbackprop.core.maths import Big, Derivative, Frac, Prod, is_nabla, walk
from symbackprop.render.document import Document, Equation, Line, Prose, Step, board_lines
from symbackprop.render.escape import latex_text
from symbackprop.render.latex import SIGNS, Writer, valued
from symbackprop.render.print.display import Box
from symbackprop.render.print.latex import boxed, broken
from symbackprop.render.templates import render

WIDTH = 395.0  # points between the margins of a slide of 16:9
INDENT = 20.0
LINES = 10.5  # of plain height on a slide
TALL = 1.9  # the height of a line with a fraction or a big sum, in plain ones

Row = tuple[str, float]  # what stands on the slide, how high it is


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

    def equation(self, e: Equation) -> Row:
        if e.line.kind == "loop":
            return self.words((f"({e.number}) for ", e.line.right, ":"), e.depth)
        shape: Prose = () if e.shape is None else ("(", e.shape, ") ")
        said: Prose = (*e.line.reason, " ") if e.line.reason else ()
        return self.line(e.line, (*said, *shape, f"({e.number})"), e.depth)

    def overlays(self, steps: Iterable[Step]) -> list[Row]:
        """The lines of each step, which come at once; that a loop ends comes with what follows it."""
        found: list[list[Row]] = []
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

    def words(self, prose: Prose, depth: int) -> Row:
        return rf"\hspace*{{{INDENT * depth:.0f}pt}}{self.prose(prose)}\par", 1.0

    def line(self, x: Line, reason: Prose, depth: int = 0) -> Row:
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


def _frames(rows: Iterable[Row], taken: float = 0.0) -> Iterator[list[str]]:
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
