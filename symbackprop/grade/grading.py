"""`grade`: a model and a text of answers to a `Report`."""

from __future__ import annotations

from collections.abc import Mapping

from symbackprop.core.shapes import shape_text
from symbackprop.errors import ModelError, did_you_mean
from symbackprop.grade import mistakes as m
from symbackprop.grade.copying import copied, loop_dimensions
from symbackprop.grade.helpers import with_helpers
from symbackprop.grade.judge import MISSING, RIGHT, UNREADABLE, WRONG, Judge, Verdict
from symbackprop.grade.lines import Line, read_lines
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Local
from symbackprop.grade.reading import Answer
from symbackprop.grade.reference import Reference
from symbackprop.grade.report import INPUT, INTERMEDIATE, LOCAL, PARAMETER, Item, Report, Unread
from symbackprop.grade.session import Outcome, Session
from symbackprop.grade.solution import Solution
from symbackprop.grade.trees import unparsed
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
        self.solution = Solution(copied(model)) if not self.loops else None

    def grade(self, text: str, source: str = "answers") -> Report:
        try:
            lines = read_lines(text)
        except ModelError as error:
            raise error.at(source) from None
        judge, report = self._report(lines, source, STEPS[0])
        if self.loops:
            self._confirm(report, self._report(lines, source, STEPS[1])[1])
        return report

    def _report(self, lines: tuple[Line, ...], source: str, steps: int) -> tuple[Judge, Report]:
        fixed = {n: self.sizes.get(n, steps) for n in self.loops}
        reference = Reference(copied(self.model, fixed))
        session = Session(reference, fixed)
        session.run(lines)
        judge = Judge(session, {n: k for n, k in self.sizes.items() if n not in fixed}, self.seed)
        judge.session = with_helpers(session, lines, judge.usual)
        judge.run()
        return judge, self._collected(judge, source)

    def _confirm(self, report: Report, longer: Report) -> None:
        """What is right for one number of steps only is not right."""
        others = {i.name: i for i in longer.items}
        for item in report.items:
            other = others.get(item.name)
            if item.verdict == RIGHT and other is not None and other.verdict == WRONG:
                words = f"it is right for {STEPS[0]} steps, not for {STEPS[1]}"
                item.verdict, item.finding = WRONG, Finding(m.STALE_INDEX, words)

    # -- the report
    def _collected(self, judge: Judge, source: str) -> Report:
        session = judge.session
        required = {f"gradient {n}": n for n in judge.reference.targets}
        items = [
            self._item(judge, key, session.outcomes[key], v) for key, v in judge.verdicts.items() if key not in required
        ]
        for key, name in required.items():
            if key in judge.verdicts:
                items.append(self._item(judge, key, session.outcomes[key], judge.verdicts[key]))
            else:
                items.append(self._missing(judge, name))
        unread = [Unread(a.number, a.text, _reason(a)) for a in session.unread]
        return Report(self.model.name, source, items, unread, _remarks(session))

    def _item(self, judge: Judge, key: str, outcome: Outcome, verdict: Verdict) -> Item:
        answer = outcome.entry.answer
        notes = [*answer.notes, *outcome.notes, *verdict.notes]
        if outcome.assumed is not None:
            notes.append(f"{outcome.label} is taken for dL/d{outcome.assumed.row}")
        if isinstance(outcome.meaning, Local):
            name, role, shape = f"d{outcome.meaning.of}/d{outcome.meaning.by}", LOCAL, judge.rights(outcome)[0].shape
        else:
            row = outcome.row_name
            name, role = outcome.label if outcome.assumed else f"d{row}", self._role(judge, row)
            shape = judge.reference.rows[row].shape
        return Item(
            name, role, shape_text(shape), verdict.state, answer.number, answer.text, outcome.reads or answer.reads or None, verdict.equality,
            verdict.finding, list(dict.fromkeys(notes)), outcome.taken, self._answer(judge, outcome),
        )  # fmt: skip

    def _role(self, judge: Judge, row: str) -> str:
        if row in judge.reference.model.params:
            return PARAMETER
        return INPUT if row in judge.reference.model.inputs else INTERMEDIATE

    def _missing(self, judge: Judge, name: str) -> Item:
        row = judge.reference.rows[name]
        finding = Finding(m.MISSING, f"no line gives d{name}")
        return Item(f"d{name}", self._role(judge, name), shape_text(row.shape), MISSING, finding=finding,
                    answer=self._lines(name))  # fmt: skip

    def _answer(self, judge: Judge, outcome: Outcome) -> list[str]:
        if isinstance(outcome.meaning, Local):
            return [
                f"d{outcome.meaning.of}/d{outcome.meaning.by} = {judge.reference.notation.ref(judge.rights(outcome)[0]).text}"
            ]
        if outcome.row_name in judge.reference.targets and not self.loops:
            return self._lines(outcome.row_name)
        right = judge.reference.gradient(judge.reference.rows[outcome.row_name])
        return [
            f"d{outcome.row_name} = {judge.reference.notation.row(right).text if right.args else judge.reference.name(right)}"
        ]

    def _lines(self, name: str) -> list[str]:
        return [] if self.solution is None else self.solution.lines(name)


def _reason(answer: Answer) -> str:
    return "" if answer.error is None else answer.error.message


def _remarks(session: Session) -> list[str]:
    """Lines that are read but answer nothing: a name that looks like a gradient and is none."""
    found = []
    used = {k for o in session.outcomes.values() for k in o.uses}
    for key, outcome in session.outcomes.items():
        if key.startswith("own ") and key not in used and outcome.meaning is None:
            hint = did_you_mean(outcome.label, [f"d{n}" for n in session.reference.rows])
            found.append(
                f"{outcome.label} (line {outcome.entry.answer.number}) is no gradient of the model and is not used.{hint}"
            )
    for answer, same in session.restated:
        if not same:
            form = unparsed(answer.forms[-1]) if answer.forms else ""
            found.append(f"line {answer.number} repeats an equation of the model as {form}; the model's own counts")
    return found


__all__ = ["UNREADABLE", "Grader", "grade"]
