"""The result of grading as data: for printing, for autograders (JSON) and for a class's table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from typing import Any

from symbackprop.grade.judge import FOLLOWS, INCONCLUSIVE, MISSING, RIGHT, UNREADABLE, WRONG
from symbackprop.grade.mistakes import KINDS, Finding, clipped

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

    @property
    def required(self) -> bool:
        return self.role in (PARAMETER, INPUT)

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
        }  # fmt: skip
        return {
            "name": self.name, "role": self.role, "shape": self.shape, "verdict": self.verdict, "line": self.line,
            "given": self.given, "read_as": self.read_as, "equality": self.equality or None, "mistake": mistake,
            "hint": self.hint(level), "notes": self.notes, "taken_as_given": self.taken,
            "answer": self.answer if level >= 3 else None,
        }  # fmt: skip


@dataclass
class Unread:
    """A line that could not be read at all."""

    line: int
    text: str
    message: str


@dataclass
class Report:
    """All verdicts on one person's answers. ``targets`` are the gradients that have to be given, in model order."""

    model: str
    source: str
    items: list[Item]
    unread: list[Unread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)

    @property
    def required(self) -> list[Item]:
        """What has to be answered, in the order of the model."""
        return sorted((i for i in self.items if i.required), key=lambda i: self.targets.index(i.name))

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
        return WRONG if found - {RIGHT, INCONCLUSIVE} else INCONCLUSIVE if INCONCLUSIVE in found else RIGHT

    @property
    def exit_code(self) -> int:
        return {RIGHT: 0, WRONG: 1, INCONCLUSIVE: 1, UNREADABLE: 3}[self.verdict]

    def to_json(self, level: int) -> dict[str, Any]:
        """The documented form; keys are only ever added within one version."""
        return {
            "format": FORMAT, "version": VERSION, "model": self.model, "answers": self.source, "verdict": self.verdict,
            "right": self.right, "of": len(self.required), "hints": level,
            "gradients": [i.to_json(level) for i in self.items],
            "unread": [{"line": u.line, "text": u.text, "message": u.message} for u in self.unread],
            "notes": self.notes,
        }  # fmt: skip

    def json(self, level: int) -> str:
        return json.dumps(self.to_json(level), indent=2, ensure_ascii=False)

    def text(self, level: int) -> str:
        """For reading: one line a quantity, with what the level of hints allows, and the slips that were mended."""
        lines = [f"{self.model}: {self.right} of {len(self.required)} right"]
        width = max((len(i.name) for i in self.items), default=0)
        for item in self.items:
            lines.append(f"  {item.name:<{width}}  {item.hint(level if item.verdict != RIGHT else 0)}")
            lines += [f"  {'':<{width}}  note: {note}" for note in _told(item)]
        lines += [f"  line {u.line} cannot be read: {u.message}: {clipped(u.text)}" for u in self.unread]
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


__all__ = [
    "FOLLOWS", "FORMAT", "INCONCLUSIVE", "MISSING", "RIGHT", "UNREADABLE", "VERSION", "WRONG", "Item", "Report",
    "Unread",
]  # fmt: skip
