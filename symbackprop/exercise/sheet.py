"""An exercise on paper: a sheet with lines to write on, and its key, as LaTeX documents that compile."""

from __future__ import annotations

from symbackprop.exercise.blanks import Blank, Card, Exercise
from symbackprop.render.document import Line
from symbackprop.render.latex import Writer
from symbackprop.render.print.latex import latex
from symbackprop.render.templates import render

SPACE = r"\rule[-2pt]{0pt}{18pt}\rule[-2pt]{7cm}{0.4pt}"


def to_sheet(asked: Exercise, key: bool = False) -> str:
    """The sheet, or with ``key`` the same with the answers in boxes."""
    writer = Writer(anchors=())
    steps = [{"title": writer.step(c.step)["title"], "number": c.blank.number if c.blank else 0,
              "rows": _rows(writer, c, key)} for c in asked.cards]
    return render("exercise.tex", standalone=True, key=key, steps=steps, seed=asked.seed,
                  difficulty=asked.difficulty.name.lower(), **writer.opening(asked.document))


def _rows(writer: Writer, card: Card, key: bool) -> list[str]:
    lines: list[Line] = [*(card.step.lines if card.blank is None else card.given)]
    rows = writer.display([(x, "") for x in lines]) if lines else []
    if card.blank is None:
        return rows
    return [*[row if row.endswith(r"\\") else rf"{row} \\" for row in rows], _question(card.blank, key)]


def _question(blank: Blank, key: bool) -> str:
    right = rf"\boxed{{{latex(blank.right)}}}" if key else SPACE
    return f"{latex(blank.left)} &= {right}"
