"""The result of a check as data: true when all gradients are right, readable when an assertion on it fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from typing import Any

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
MAX_SAYS = 400


@dataclass
class Gradient:
    """One returned gradient: its verdict, what is wrong with it, and the entry where it is furthest off."""

    name: str
    verdict: str
    says: str = ""
    kind: str = ""
    max_relative_error: float | None = None
    worst_index: list[int] | None = None
    yours: float | None = None
    right: float | None = None
    formula: str = ""
    word: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "verdict": self.verdict, "says": self.says, "kind": self.kind,
            "max_relative_error": _finite(self.max_relative_error), "worst_index": self.worst_index,
            "yours": _finite(self.yours), "right": _finite(self.right), "formula": self.formula or None,
        }

    def lines(self) -> list[str]:
        """For reading: what is wrong, at which entry, and the right formula."""
        if self.verdict == PASS:
            return [f"d{self.name}: right"]
        entry = ""
        if self.yours is not None and self.right is not None:
            place = f"[{', '.join(map(str, self.worst_index))}]" if self.worst_index else ""
            entry = f" (d{self.name}{place} is {self.yours:.6g}, right is {self.right:.6g})"
        word = "WRONG" if self.verdict == FAIL else "not decided"
        return [f"d{self.name}: {word} – {self.says}{entry}", *([f"    right: {self.formula}"] if self.formula else [])]


def _finite(value: float | None) -> float | None:
    """JSON has no infinities."""
    return None if value is None or value != value or abs(value) == float("inf") else float(value)


@dataclass
class Report:
    """What was found about somebody's backward. True in a condition when everything it returns is right."""

    model: str
    subject: str
    gradients: list[Gradient] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    dtype: str = "float64"
    seed: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``fail`` where a gradient is wrong or a promise that counts is broken."""
        found = {g.verdict for g in self.gradients}
        if FAIL in found or self.broken:
            return FAIL
        return INCONCLUSIVE if INCONCLUSIVE in found or not found else PASS

    @property
    def passed(self) -> bool:
        return self.verdict == PASS

    def __bool__(self) -> bool:
        return self.passed

    def __getitem__(self, name: str) -> Gradient:
        return next(g for g in self.gradients if g.name == name)

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict, "model": self.model, "subject": self.subject,
            "gradients": [g.to_json() for g in self.gradients], "notes": [*self.broken, *self.notes],
            "not_returned": self.missing, "dtype": self.dtype, "seed": self.seed,
        }

    def json(self) -> str:
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False)

    def text(self) -> str:
        """For reading: a line a gradient, then notes."""
        right = sum(g.verdict == PASS for g in self.gradients)
        lines = [f"{self.subject} against {self.model}: {self.verdict} – {right} of {len(self.gradients)} right "
                 f"({self.dtype}, seed {self.seed})"]
        lines += [f"  {line}" for g in self.gradients for line in g.lines()]
        lines += [f"  wrong: {n}" for n in self.broken] + [f"  note: {n}" for n in self.notes]
        return "\n".join(lines + [f"  note: it returns no gradient of {', '.join(self.missing)}"] * bool(self.missing))

    def __repr__(self) -> str:
        """What an assertion that fails shows: the mistakes first."""
        wrong = [line for g in self.gradients if g.verdict != PASS for line in g.lines()[:1]]
        return f"<{self.subject}: {'; '.join([*wrong, *self.broken]) or self.verdict}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"
