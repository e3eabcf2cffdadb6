"""The result of grading as data: for printing, for autograders (JSON) and for a class's table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from typing import Any

from symbackprop.core.shapes import Shape, shape_text
from symbackprop.errors import did_you_mean
from symbackprop.grade import mistakes as m
from symbackprop.grade.judge import INCONCLUSIVE, MISSING, RIGHT, UNREADABLE, WRONG, Judge, Verdict
from symbackprop.grade.mistakes import KINDS, Finding, clipped
from symbackprop.grade.naming import Gradient, Local, Own
from symbackprop.grade.session import Outcome
from symbackprop.grade.tree_text import unparsed

FORMAT, VERSION = "symbackprop-grade", 1
PARAMETER, INPUT, INTERMEDIATE, LOCAL = "parameter", "input", "intermediate", "local derivative"


@dataclass
class Item:
    """One graded quantity: what was given for it, the verdict, and what can be told about it.

    ``slipped`` says that the line was mended before it could be read, ``taken`` which derivatives it only names.
    """

    name: str
    role: str
    shape: str
    verdict: str
    line: int | None = None
    given: str | None = None
    read_as: str | None = None
    equality: str = ""
    finding: Finding | None = None
    notes: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)
    slipped: bool = False

    def hint(self, level: int) -> str:
        """What may be told: 0 the verdict, 1 the kind of mistake, 2 the factor, 3 the answer."""
        if self.verdict == RIGHT or (self.verdict == MISSING and level < 3):
            return self.verdict
        parts = [self.verdict]
        if self.finding is not None and level == 1:
            parts.append(KINDS[self.finding.kind] if self.verdict == WRONG else self.finding.says)
        elif self.finding is not None and level >= 2:
            parts.append(self.finding.says)
        if level >= 3 and self.answer:
            parts.append("right is " + "; ".join(self.answer))
        return ": ".join(parts[:2]) + (". " + parts[2] if len(parts) > 2 else "")

    def to_json(self, level: int) -> dict[str, Any]:
        f = self.finding
        mistake = None if f is None else {
            "kind": f.kind, "factor": f.factor, "expected": f.right, "found": f.wrong, "says": f.says, "also": f.also,
        }
        return {
            "name": self.name, "role": self.role, "shape": self.shape, "verdict": self.verdict, "line": self.line,
            "given": self.given, "read_as": self.read_as, "equality": self.equality or None, "mistake": mistake,
            "hint": self.hint(level), "notes": self.notes, "taken_as_given": self.taken,
            "answer": self.answer if level >= 3 else None,
        }


@dataclass
class Unread:
    """A line that could not be read at all. ``near`` is what of it the message is about, as written."""

    line: int
    text: str
    message: str
    near: str = ""

    @property
    def column(self) -> int | None:
        """Where the message's cause begins in the text, counted from 1."""
        place = self.text.find(self.near) if self.near else -1
        return None if place < 0 else place + 1

    def told(self) -> list[str]:
        """The message, below it the line with a mark."""
        if not self.text:
            return [f"  cannot be read: {self.message}"]
        return [f"  line {self.line} cannot be read: {self.message}", *self.marked()]

    def marked(self) -> list[str]:
        """The line, below it a mark at the cause where that is known."""
        shown = clipped(self.text)
        mark = [] if self.column is None or self.column > len(shown) else [" " * (self.column + 5) + "^"]
        return [f"      {shown}", *mark]


@dataclass
class Report:
    """All verdicts on one person's answers. ``targets`` are the gradients that have to be given, in model order;
    ``lost`` answers are missing too, nobody knows to what."""

    model: str
    source: str
    items: list[Item]
    unread: list[Unread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    lost: int = 0

    @property
    def asked(self) -> int:
        """How many answers there have to be."""
        return len(self.required) + self.lost

    @property
    def required(self) -> list[Item]:
        """What has to be answered, in the order of the model."""
        return sorted((i for i in self.items if i.name in self.targets), key=lambda i: self.targets.index(i.name))

    @property
    def right(self) -> int:
        return sum(i.verdict == RIGHT for i in self.required)

    @property
    def verdict(self) -> str:
        """``right``, ``wrong`` (something is wrong or missing), ``unreadable`` (something cannot be read) or
        ``inconclusive`` (nothing is wrong, but a side of a condition was not seen)."""
        found = {i.verdict for i in self.items}
        if self.unread or UNREADABLE in found:
            return UNREADABLE
        return WRONG if self.lost or found - {RIGHT, INCONCLUSIVE} else INCONCLUSIVE if INCONCLUSIVE in found else RIGHT

    @property
    def exit_code(self) -> int:
        return {RIGHT: 0, WRONG: 1, INCONCLUSIVE: 1, UNREADABLE: 3}[self.verdict]

    def to_json(self, level: int) -> dict[str, Any]:
        """The documented form; keys are only ever added within one version."""
        return {
            "format": FORMAT, "version": VERSION, "model": self.model, "answers": self.source, "verdict": self.verdict,
            "right": self.right, "of": self.asked, "hints": level,
            "gradients": [i.to_json(level) for i in self.items],
            "unread": [
                {"line": u.line, "text": u.text, "message": u.message, "column": u.column} for u in self.unread
            ],
            "notes": self.notes,
        }

    def json(self, level: int) -> str:
        return json.dumps(self.to_json(level), indent=2, ensure_ascii=False)

    def text(self, level: int) -> str:
        """For reading: one line a quantity, with what the level of hints allows, and the slips that were mended."""
        lines = [f"{self.model}: {self.right} of {self.asked} right"]
        width = max((len(i.name) for i in self.items), default=0)
        for item in self.items:
            lines.append(f"  {item.name:<{width}}  {item.hint(level if item.verdict != RIGHT else 0)}")
            lines += [f"  {'':<{width}}  note: {note}" for note in _told(item)]
            if item.verdict == UNREADABLE and item.finding is not None and item.given:
                lines += Unread(item.line or 0, item.given, "", item.finding.wrong).marked()
        lines += [line for u in self.unread for line in u.told()]
        return "\n".join(lines + [f"  note: {n}" for n in self.notes])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text(1))}</pre>"


def _told(item: Item) -> list[str]:
    notes = list(item.notes)
    if item.slipped and item.read_as:
        notes.append(f"read as {item.read_as}")
    if item.taken:
        notes.append(f"{', '.join(item.taken)} {'is' if len(item.taken) == 1 else 'are'} named, not worked out")
    return notes


# -- from verdicts to a report

_LOOKS_LIKE_A_GRADIENT = ("d", "grad", "nabla", "D")


class Collector:
    """Collects the verdicts of one judge."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.session, self.reference = judge.session, judge.reference

    def report(self, source: str) -> Report:
        """Items in the order of the lines, those that are missing last."""
        outcomes, verdicts = self.session.outcomes, self.judge.verdicts
        given = sorted(verdicts, key=lambda k: outcomes[k].entry.answer.number)
        items = [self._item(outcomes[k], verdicts[k]) for k in given]
        items += [self._missing(n) for n in self.reference.targets if Gradient(n) not in verdicts]
        unread = [Unread(a.number, a.text, e.message, e.near) for a in self.session.unread if (e := a.error)]
        targets = [f"d{n}" for n in self.reference.targets]
        return Report(self.reference.model.name, source, items, unread, self._remarks(), targets)

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
        """The formula that was judged: of several readings the right one, else the first; with earlier answers put
        right where it has no value with them as given."""
        rights = self.judge.rights(outcome) if len(outcome.given) > 1 else []
        right = [row for row in outcome.given if any(self.judge.is_right(row, r) for r in rights)]
        row = next(iter([*right, *outcome.given, *outcome.mended]), None)
        return (None if row is None else outcome.reads.get(row.id)) or outcome.entry.answer.reads or None

    def _described(self, outcome: Outcome) -> tuple[str, str, Shape]:
        """(name, role, shape) of what an answer is about."""
        if isinstance(outcome.meaning, Local):
            shape = self.reference.rows[outcome.meaning.of].shape or self.reference.rows[outcome.meaning.by].shape
            return str(outcome.meaning), LOCAL, shape
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
        item.answer = self.reference.solution(name)
        return item

    def _answer(self, outcome: Outcome) -> list[str]:
        """The right answer as lines."""
        if isinstance(outcome.meaning, Local):
            right = self.reference.text(self.judge.rights(outcome)[0])
            return [f"{outcome.meaning} = {right}"]
        return self.reference.solution(outcome.row_name)

    def _broken_links(self, outcome: Outcome, verdict: Verdict) -> list[str]:
        """In ``a = b = c``: where the chain of equalities breaks although its end is right, or the other way round."""
        rights = self.judge.rights(outcome) if outcome.forms else []
        notes = []
        for form, rows in zip(outcome.entry.answer.forms, outcome.forms, strict=False):
            fine = any(self.judge.is_right(row, right) for row in rows for right in rights)
            if fine != (verdict.state == RIGHT):
                word = "right" if fine else "wrong"
                notes.append(f"{clipped(unparsed(form))} is {word}, so it is not equal to the last form")
        return notes

    def _remarks(self) -> list[str]:
        """Lines that are read but answer nothing: a name that looks like a gradient and is none."""
        found = []
        used = {k for o in self.session.outcomes.values() for k in o.uses}
        known = [f"d{n}" for n in self.reference.rows]
        for key, outcome in self.session.outcomes.items():
            alike = isinstance(key, Own) and key.name.startswith(_LOOKS_LIKE_A_GRADIENT)
            if alike and key not in used and outcome.meaning is None and outcome.label not in known:
                line = outcome.entry.answer.number
                hint = did_you_mean(outcome.label, known)
                found.append(f"{outcome.label} (line {line}) is no gradient of the model and is not used.{hint}")
        for answer, same in self.session.restated:
            if not same:
                said = clipped(unparsed(answer.forms[-1]))
                found.append(f"line {answer.number} repeats an equation of the model as {said}; the model's own counts")
        return found
