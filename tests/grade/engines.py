"""What explains wrong answers in `grade`, and grading without one part of it: what that part is needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

from symbackprop.grade import derivation_mistakes, diagnose, explain
from symbackprop.grade.mistakes import Finding
from tests.grade.cases.practice import SLIPS, TASKS
from tests.grade.cases.wrong import WRONG
from tests.grade.helpers import grader

TABLES: list[dict[str, Any]] = [
    diagnose.RULES,
    derivation_mistakes.AT_EDGES,
    derivation_mistakes.AT_ROWS,
    explain.RULES,
]
FUNCTIONS: dict[str, tuple[Any, str, Any]] = {
    "the same at every step": (derivation_mistakes, "repeated", ()),
    "own factors": (diagnose, "misfit", None),
    "shapes": (explain, "mended_shapes", ()),
    "thresholds": (explain, "thresholds", ()),
}
CANDIDATES = {*derivation_mistakes.AT_EDGES, *derivation_mistakes.AT_ROWS, "the same at every step"}
ENGINES = [*[name for table in TABLES for name in table if name not in FUNCTIONS], *FUNCTIONS]


class Case(NamedTuple):
    """A wrong answer, and the kinds and words of a good explanation."""

    id: str
    model: str
    lines: str
    name: str
    kinds: tuple[str, ...]
    words: tuple[str, ...]

    def finding(self) -> Finding | None:
        report = grader(self.model).grade(self.lines)
        return next(i for i in report.items if i.name == self.name).finding

    def met_by(self, finding: Finding | None) -> bool:
        return finding is not None and finding.kind in self.kinds and all(w in finding.says for w in self.words)


@cache
def cases() -> list[Case]:
    """All wrong answers of both tables."""
    old = [Case(f"{w.model} {w.lines.splitlines()[-1]} {w.name} {w.kind}", w.model, w.lines, w.name, (w.kind,), w.words)
           for w in WRONG]
    return old + [Case(str(s), TASKS[s.task].model, s.lines, s.name, s.kinds, s.words) for s in SLIPS]


@contextmanager
def without(engine: str) -> Iterator[None]:
    """Grading with one engine switched off."""
    if engine in FUNCTIONS:
        module, function, nothing = FUNCTIONS[engine]
        with patch.object(module, function, lambda *args: nothing):
            yield
        return
    table = next(table for table in TABLES if engine in table)
    with patch.dict(table):
        del table[engine]
        yield


def heard(case: Case) -> tuple[Finding | None, set[str]]:
    """The explanation of a case, and the engines that may have had a say in it."""
    names: set[str] = set()
    with ExitStack() as stack:
        for table in TABLES:
            stack.enter_context(patch.dict(table, {n: _noted(n, rule, names) for n, rule in table.items()}))
        for name, (module, function, _) in FUNCTIONS.items():
            stack.enter_context(patch.object(module, function, _noted(name, getattr(module, function), names)))
        return case.finding(), names


def _noted(name: str, rule: Callable[..., Any], names: set[str]) -> Callable[..., Any]:
    """The same rule, which notes its name when it explains something: for candidates, when one of them is told."""

    def run(*args: Any) -> Any:
        found = rule(*args)
        if name in CANDIDATES:
            return (replace(c, tell=lambda c=c: (names.add(name), c.tell())[1]) for c in found)
        names.update({name} if found is not None else ())
        return found

    return run
