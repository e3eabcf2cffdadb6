"""`grade`: a model and a text of answers to a `Report`.

A right answer is right for any number of steps of a loop. A line is therefore graded with two numbers; what it says
about step t, about the last step T or about a step with a number of its own is compared line by line, never by the
names of rows: ``dh[3]`` is the last step of three and one of the middle of four.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m
from symbackprop.grade.copying import copied, loop_counters, loop_dimensions
from symbackprop.grade.judge import FOLLOWS, MISSING, RIGHT, UNREADABLE, WRONG, Judge
from symbackprop.grade.lines import Line, read_lines
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.own_names import with_helpers
from symbackprop.grade.reference import Reference
from symbackprop.grade.report import Collector, Item, Report
from symbackprop.grade.session import Session
from symbackprop.grade.solution import Solution
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
        judge.session = with_helpers(session, judge.usual)
        judge.run()
        return Collector(judge, lambda name: self.solution.lines(name)).report(source), session.numbered


def _not_right(report: Report) -> int:
    return len(report.unread) + sum(i.verdict != RIGHT for i in report.items)


# -- how many steps loops get, and what holds for every number of them

FEW, MANY = 3, 8
_NUMBERED = re.compile(r"\[\s*(\d+)\s*\]")
_FROM_THE_END = re.compile(r"\b[A-Za-z]\w*\s*[-−]\s*(\d+)")


def steps_for(lines: Sequence[Line], loops: Iterable[str]) -> int:
    """A number of steps with which every step that the answers name exists, at most ``MANY``."""
    texts = list(_texts(lines))
    numbered = [int(n) for text in texts for n in _NUMBERED.findall(text)]
    dims = set(loops)
    late = [int(found.group(1)) + 2 for text in texts for found in _FROM_THE_END.finditer(text)
            if re.split(r"\s*[-−]", found.group())[0] in dims]
    return max([FEW, *[n for n in (*numbered, *late) if n <= MANY]])


def _texts(lines: Sequence[Line]) -> Iterable[str]:
    for line in lines:
        if line.loop is None:
            yield line.text
        else:
            yield from (line.loop.start, line.loop.stop)
            yield from _texts(line.loop.body)


def confirm(report: Report, longer: Report, steps: Mapping[str, int], more: Mapping[str, int]) -> None:
    """What is right with ``steps`` only is not right: ``longer`` reports on the same lines with ``more`` steps."""
    of_line, place = _by_line(report), {i.name: i.line or 0 for i in longer.items}
    only = f"it is right for {_told(steps)}"

    def here(label: str) -> list[str]:
        return [i.name for i in of_line.get(place.get(label, 0), [])] or [label]

    for number, others in _by_line(longer).items():
        mine = of_line.get(number, [])
        if not mine:
            _add(report, others)
        elif all(i.verdict == RIGHT for i in mine):
            _worsen(mine, others, here, f"{only}, not for {_told(more).removesuffix(' steps')}")
    unread = {u.line: u.message for u in longer.unread}
    for number in unread.keys() - {u.line for u in report.unread}:
        _mark(of_line.get(number, []), f"{only} only: {unread[number]}")


def _by_line(report: Report) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    for item in report.items:
        if item.line is not None:
            found.setdefault(item.line, []).append(item)
    return found


def _add(report: Report, items: Sequence[Item]) -> None:
    """Lines that have nothing to say about fewer steps: what is not right in them, and what was missing."""
    missing = {i.name for i in report.items if i.verdict == MISSING}
    items = [i for i in items if i.verdict != RIGHT or i.name in missing]
    given = {i.name for i in items}
    report.items = [i for i in report.items if i.verdict != MISSING or i.name not in given] + items


def _worsen(mine: Sequence[Item], others: Sequence[Item], here: Callable[[str], list[str]], says: str) -> None:
    """Items that are right for fewer steps take the verdict of those of their line that are not right for more.

    ``here`` is what a quantity of the longer report is called in the shorter one.
    """
    states = {i.verdict: i.finding for i in reversed(others)}
    if WRONG in states:
        _mark(mine, says)
    elif (why := states.get(UNREADABLE)) is not None:
        _mark(mine, f"{says}: {why.says}")
    elif (given := states.get(FOLLOWS)) is not None:
        labels = ", ".join(dict.fromkeys(name for label in given.factor.split(", ") for name in here(label)))
        follows = replace(given, says=f"it is right, given your {labels}", factor=labels)
        for item in mine:
            item.verdict, item.finding = FOLLOWS, follows


def _mark(items: Sequence[Item], says: str) -> None:
    for item in items:
        item.verdict, item.finding = WRONG, Finding(m.STALE_INDEX, says)


def _told(steps: Mapping[str, int]) -> str:
    numbers = list(dict.fromkeys(steps.values()))
    if len(numbers) == 1:
        return f"{numbers[0]} steps"
    return " and ".join(f"{k} = {n}" for k, n in steps.items())
