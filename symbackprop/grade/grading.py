"""`grade`: a model and a text of answers to a `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from symbackprop.errors import ModelError
from symbackprop.grade.collect import Collector
from symbackprop.grade.copying import copied, loop_counters, loop_dimensions
from symbackprop.grade.helpers import with_helpers
from symbackprop.grade.judge import RIGHT, Judge
from symbackprop.grade.lines import Line, read_lines
from symbackprop.grade.reference import Reference
from symbackprop.grade.report import Report
from symbackprop.grade.session import Session
from symbackprop.grade.solution import Solution
from symbackprop.grade.steps import FEW, confirm, steps_for
from symbackprop.model.model import Model


def grade(
    model: Model, text: str, source: str = "answers", sizes: Mapping[str, int] | None = None, seed: int = 0
) -> Report:
    """Check the gradients in ``text`` (lines such as ``dw2 = -(y-o)*(1-o^2)*h``) against those of the model.

    ``source`` is how errors and the report call the text; ``sizes`` fixes dimensions. Loops over a symbolic axis are
    graded with 3 steps, or as many as the answers number, and what is right there once more with others. Raises a
    `SyntaxProblem` when the text has no structure that can be read; a single unreadable line is part of the report.
    """
    return Grader(model, sizes, seed).grade(text, source)


class Grader:
    """Grades many answers to one model; what does not depend on the answers is made once."""

    def __init__(self, model: Model, sizes: Mapping[str, int] | None = None, seed: int = 0) -> None:
        self.model, self.sizes, self.seed = model, dict(sizes or {}), seed
        self.loops = loop_dimensions(model)

    def grade(self, text: str, source: str = "answers") -> Report:
        """The report on one person's answers."""
        try:
            lines = read_lines(text)
        except ModelError as error:
            raise error.at(source) from None
        report, numbered, wrong = self._counted(lines, source, 1)
        if numbered and report.verdict != RIGHT:
            other, _, fewer = self._counted(lines, source, 0)
            if fewer < wrong:
                other.notes.append("steps that are numbered outside of a loop are counted from 0 here, as NumPy does")
                return other
        return report

    def _counted(self, lines: Sequence[Line], source: str, first: int) -> tuple[Report, bool, tuple[int, int]]:
        """The report when numbered steps of arrays count from ``first``, whether there are such, and how many answers
        are not right in the end, and for the smaller number of steps."""
        steps = steps_for(lines, self.loops)
        few, more = self._fixed(steps), self._fixed(steps + 1, apart=True)
        report, numbered = self._report(lines, source, few, first)
        before = _not_right(report)
        if few != more and any(i.verdict == RIGHT for i in report.items):
            confirm(report, self._report(lines, source, more, first)[0], few, more)
        return report, numbered, (_not_right(report), before)

    @cached_property
    def solution(self) -> Solution:
        """Right answers as lines, for 3 steps of every loop."""
        return Solution(copied(self.model, self._fixed(FEW)), bool(self.loops))

    def _fixed(self, steps: int, apart: bool = False) -> dict[str, int]:
        """A number of steps for every dimension that a loop runs over, each another one where they are told apart."""
        return {n: self.sizes.get(n, steps + k * apart) for k, n in enumerate(self.loops)}

    def _report(self, lines: Sequence[Line], source: str, fixed: Mapping[str, int], first: int) -> tuple[Report, bool]:
        session = Session(Reference(copied(self.model, fixed), loop_counters(self.model)), fixed, first=first)
        session.run(lines)
        judge = Judge(session, {n: k for n, k in self.sizes.items() if n not in fixed}, self.seed)
        judge.session = with_helpers(session, lines, judge.usual)
        judge.run()
        return Collector(judge, self).report(source), session.numbered


def _not_right(report: Report) -> int:
    return len(report.unread) + sum(i.verdict != RIGHT for i in report.items)
