"""`grade`: a model and a text of answers to a `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m
from symbackprop.grade.collect import Collector
from symbackprop.grade.copying import copied, loop_dimensions
from symbackprop.grade.helpers import with_helpers
from symbackprop.grade.judge import RIGHT, WRONG, Judge
from symbackprop.grade.lines import Line, read_lines
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.reference import Reference
from symbackprop.grade.report import Report
from symbackprop.grade.session import Session
from symbackprop.grade.solution import Solution
from symbackprop.model.model import Model

STEPS = (3, 4)


def grade(
    model: Model, text: str, source: str = "answers", sizes: Mapping[str, int] | None = None, seed: int = 0
) -> Report:
    """Check the gradients in ``text`` (lines such as ``dw2 = -(y-o)*(1-o^2)*h``) against those of the model.

    ``source`` is how errors and the report call the text; ``sizes`` fixes dimensions. Loops over a symbolic axis are
    graded with 3 steps, and what is right there once more with 4. Raises a `SyntaxProblem` when the text has no
    structure that can be read; a single unreadable line is part of the report.
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
        report = self._report(lines, source, STEPS[0])
        if self.loops and any(i.verdict == RIGHT for i in report.items):
            _confirm(report, self._report(lines, source, STEPS[1]))
        return report

    @cached_property
    def solution(self) -> Solution:
        """Right answers as lines, for 3 steps of every loop."""
        return Solution(copied(self.model, self._fixed(STEPS[0])))

    def _fixed(self, steps: int) -> dict[str, int]:
        """A number of steps for every dimension that a loop runs over."""
        return {n: self.sizes.get(n, steps) for n in self.loops}

    def _report(self, lines: Sequence[Line], source: str, steps: int) -> Report:
        fixed = self._fixed(steps)
        session = Session(Reference(copied(self.model, fixed), bool(fixed)), fixed)
        session.run(lines)
        judge = Judge(session, {n: k for n, k in self.sizes.items() if n not in fixed}, self.seed)
        judge.session = with_helpers(session, lines, judge.usual)
        judge.run()
        return Collector(judge, self).report(source)


def _confirm(report: Report, longer: Report) -> None:
    """What is right for one number of steps only is not right."""
    others = {i.name: i for i in longer.items}
    for item in report.items:
        other = others.get(item.name)
        if item.verdict == RIGHT and other is not None and other.verdict == WRONG:
            item.verdict = WRONG
            item.finding = Finding(m.STALE_INDEX, f"it is right for {STEPS[0]} steps, not for {STEPS[1]}")
