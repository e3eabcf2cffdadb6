"""From verdicts to a report: names, roles, notes, the right answer where one is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symbackprop.core.shapes import Shape, shape_text
from symbackprop.errors import did_you_mean
from symbackprop.grade import mistakes as m
from symbackprop.grade.judge import MISSING, RIGHT, Judge, Verdict
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Local
from symbackprop.grade.outcomes import Outcome
from symbackprop.grade.report import INPUT, INTERMEDIATE, LOCAL, PARAMETER, Item, Report, Unread
from symbackprop.grade.trees import unparsed

if TYPE_CHECKING:
    from symbackprop.grade.grading import Grader


_LOOKS_LIKE_A_GRADIENT = ("own d", "own grad", "own nabla", "own D")


class Collector:
    """Collects the verdicts of one judge."""

    def __init__(self, judge: Judge, grader: Grader) -> None:
        self.judge, self.grader = judge, grader
        self.session, self.reference = judge.session, judge.reference

    def report(self, source: str) -> Report:
        """Items in the order of the lines, those that are missing last."""
        outcomes, verdicts = self.session.outcomes, self.judge.verdicts
        given = sorted(verdicts, key=lambda k: outcomes[k].entry.answer.number)
        items = [self._item(outcomes[k], verdicts[k]) for k in given]
        items += [self._missing(n) for n in self.reference.targets if f"gradient {n}" not in verdicts]
        unread = [Unread(a.number, a.text, "" if a.error is None else a.error.message) for a in self.session.unread]
        targets = [f"d{n}" for n in self.reference.targets]
        return Report(self.grader.model.name, source, items, unread, self._remarks(), targets)

    def _item(self, outcome: Outcome, verdict: Verdict) -> Item:
        answer = outcome.entry.answer
        notes = [*answer.notes, *outcome.notes, *self._broken_links(outcome, verdict), *verdict.notes]
        if outcome.assumed is not None:
            notes.append(f"{outcome.label} is taken for dL/d{outcome.assumed.row}")
        name, role, shape = self._described(outcome)
        item = Item(name, role, shape_text(shape), verdict.state, answer.number, answer.text)
        item.read_as = self._read_as(outcome)
        item.equality, item.finding = verdict.equality, verdict.finding
        item.notes, item.taken = list(dict.fromkeys(notes)), outcome.taken
        item.slipped = bool(answer.notes or outcome.notes)
        item.answer = [] if verdict.state == RIGHT else self._answer(outcome)
        return item

    def _read_as(self, outcome: Outcome) -> str | None:
        """The formula that was judged: of several readings the right one, else the first."""
        rights = self.judge.rights(outcome) if len(outcome.given) > 1 else []
        right = [row for row in outcome.given if any(self.judge.is_right(row, r) for r in rights)]
        row = next(iter([*right, *outcome.given]), None)
        return (None if row is None else outcome.reads.get(row.id)) or outcome.entry.answer.reads or None

    def _described(self, outcome: Outcome) -> tuple[str, str, Shape]:
        """(name, role, shape) of what an answer is about."""
        if isinstance(outcome.meaning, Local):
            shape = self.reference.rows[outcome.meaning.of].shape or self.reference.rows[outcome.meaning.by].shape
            return f"d{outcome.meaning.of}/d{outcome.meaning.by}", LOCAL, shape
        row = outcome.row_name
        if outcome.assumed is not None:
            return outcome.label, INTERMEDIATE, self.reference.rows[row].shape
        return f"d{row}", self._role(row), self.reference.rows[row].shape

    def _role(self, row: str) -> str:
        if row in self.reference.model.params:
            return PARAMETER
        return INPUT if row in self.reference.model.inputs else INTERMEDIATE

    def _missing(self, name: str) -> Item:
        item = Item(f"d{name}", self._role(name), shape_text(self.reference.rows[name].shape), MISSING)
        item.finding = Finding(m.MISSING, f"no line gives d{name}")
        item.answer = self.grader.solution.lines(name)
        return item

    def _answer(self, outcome: Outcome) -> list[str]:
        """The right answer as lines."""
        if isinstance(outcome.meaning, Local):
            right = self.reference.notation.ref(self.judge.rights(outcome)[0]).text
            return [f"d{outcome.meaning.of}/d{outcome.meaning.by} = {right}"]
        return self.grader.solution.lines(outcome.row_name)

    def _broken_links(self, outcome: Outcome, verdict: Verdict) -> list[str]:
        """In ``a = b = c``: where the chain of equalities breaks although its end is right, or the other way round."""
        rights = self.judge.rights(outcome) if outcome.forms else []
        notes = []
        for form, rows in zip(outcome.entry.answer.forms, outcome.forms, strict=False):
            fine = any(self.judge.is_right(row, right) for row in rows for right in rights)
            if fine != (verdict.state == RIGHT):
                word = "right" if fine else "wrong"
                notes.append(f"{m.clipped(unparsed(form))} is {word}, so it is not equal to the last form")
        return notes

    def _remarks(self) -> list[str]:
        """Lines that are read but answer nothing: a name that looks like a gradient and is none."""
        found = []
        used = {k for o in self.session.outcomes.values() for k in o.uses}
        known = [f"d{n}" for n in self.reference.rows]
        for key, outcome in self.session.outcomes.items():
            if key.startswith(_LOOKS_LIKE_A_GRADIENT) and key not in used and outcome.meaning is None:
                line = outcome.entry.answer.number
                hint = did_you_mean(outcome.label, known)
                found.append(f"{outcome.label} (line {line}) is no gradient of the model and is not used.{hint}")
        for answer, same in self.session.restated:
            if not same:
                said = m.clipped(unparsed(answer.forms[-1]))
                found.append(f"line {answer.number} repeats an equation of the model as {said}; the model's own counts")
        return found
