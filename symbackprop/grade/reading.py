"""The text of one answer: left side, right sides, how it was understood. Nothing is evaluated yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from symbackprop.errors import ModelError, SyntaxProblem
from symbackprop.grade.characters import ascii_text
from symbackprop.grade.lines import Line
from symbackprop.grade.marks import CLOSING, OPENING, Mark, marks, shown
from symbackprop.grade.naming import Dictionary, Meaning
from symbackprop.grade.slips import Tidy
from symbackprop.grade.subscripts import subscripts
from symbackprop.grade.targets import Target, read_target
from symbackprop.grade.trees import renamed, unparsed
from symbackprop.model.text import tree
from symbackprop.model.text.cursor import Cursor
from symbackprop.model.text.expressions import expression, size
from symbackprop.model.text.statements import KEYWORDS
from symbackprop.model.text.tokens import logical_lines

_DECLARATION = re.compile(rf"\s*({'|'.join(k for k in KEYWORDS if k != 'for')})\s+[A-Za-z]")


@dataclass
class Answer:
    """One line as read.

    ``forms`` are the right sides of ``a = b = c``, of which the last one counts; ``reads`` is that one as model text.
    ``adds`` is true for ``+=``. ``juxtaposed`` says that no product is marked as a matrix product, ``error`` why the
    line could not be read.
    """

    number: int
    text: str
    target: Target | None = None
    forms: tuple[tree.Expr, ...] = ()
    index: tree.Expr | None = None
    reads: str = ""
    adds: bool = False
    juxtaposed: bool = True
    notes: list[str] = field(default_factory=list)
    meanings: dict[str, Meaning] = field(default_factory=dict)
    error: ModelError | None = None


class Reader:
    """Reads lines one by one; own names have to be announced by `read_left` before right sides are read."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._sides: dict[int, list[list[Mark]]] = {}

    def is_answer(self, line: Line) -> bool:
        """Whether a line is an answer at all: declarations copied from the model are not."""
        return line.loop is None and not _DECLARATION.match(line.text)

    def read_left(self, line: Line) -> Answer:
        """The line with its left side; its error where it has none."""
        answer = Answer(line.number, line.text)
        try:
            text, notes = ascii_text(line.text, "T" in self.dictionary.known)
            sides, sign = _sides(marks(text))
            answer.notes += notes
            answer.adds = sign == "+="
            left = subscripts(sides[0], self.dictionary)
            answer.target = read_target(left, self.dictionary, answer.notes)
            self._sides[id(answer)] = sides[1:]
            if answer.target.meaning is None and not answer.target.restated:
                self.dictionary.own.add(answer.target.name)
        except ModelError as error:
            answer.error = error
        return answer

    def read_right(self, answer: Answer) -> None:
        """The right sides, now that all names are known."""
        if answer.error is not None or answer.target is None:
            return
        try:
            if answer.target.index:
                answer.index = self._tree(list(answer.target.index), answer, index=True)
            answer.forms = tuple([self._tree(side, answer) for side in self._sides.pop(id(answer))])
        except ModelError as error:
            answer.error = error

    def _tree(self, items: list[Mark], answer: Answer, index: bool = False) -> tree.Expr:
        if not items:
            raise SyntaxProblem("there is nothing right of the =")
        tidy = Tidy(self.dictionary)
        explicit = any(x.is_sign("@") for x in items)
        tokens = tidy.run(items)
        answer.notes += [n for n in tidy.notes if n not in answer.notes]
        answer.meanings |= tidy.meanings
        text = shown(tokens)
        if index:
            return parsed(text, index=True)
        answer.juxtaposed = not explicit
        form: tree.Expr = renamed(parsed(text), tidy.words)
        answer.reads = unparsed(form)
        return form


def parsed(text: str, index: bool = False) -> tree.Expr:
    lines = list(logical_lines(text))
    if len(lines) != 1:
        raise SyntaxProblem("there is no formula")
    cursor = Cursor(lines[0].tokens)
    result = size(cursor) if index else expression(cursor)
    cursor.finish("the formula")
    return result


def _sides(items: list[Mark]) -> tuple[list[list[Mark]], str]:
    """The parts between the = signs that are not inside brackets, and the first such sign."""
    places = list(_equals(items))
    if not places:
        raise SyntaxProblem("there is no = : a line is dw = formula")
    bounds = [-1, *places, len(items)]
    return [items[a + 1 : b] for a, b in pairwise(bounds)], items[places[0]].text


def _equals(items: list[Mark]) -> Iterator[int]:
    depth = 0
    signs = ("=", ":=", "+=") if any(x.is_sign("=", ":=", "+=") for x in items) else (":", "==")
    for k, mark in enumerate(items):
        if mark.is_sign(*OPENING):
            depth += 1
        elif mark.is_sign(*CLOSING):
            depth -= 1
        elif depth == 0 and mark.is_sign(*signs):
            yield k
