"""The file that a page of exercises saves: one person's answers to some steps of a derivation.

What the page thought of them is not believed: the answers are graded again, with the right lines in the place of the
steps that were not asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from symbackprop.derive import Step
from symbackprop.errors import SyntaxProblem
from symbackprop.grade import mistakes as m
from symbackprop.grade.judge import MISSING
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Gradient
from symbackprop.grade.reference import Reference
from symbackprop.grade.report import Report
from symbackprop.model.copying import copied, loop_dimensions
from symbackprop.model.model import Model

FORMAT, VERSION = "symbackprop-exercise", 1
SHOWN = "shown"  # the verdict of an answer that the page gave away
MAX_ANSWER, MAX_STEPS, MAX_QUESTIONS = 1_000, 20, 10_000


@dataclass(frozen=True)
class Result:
    """``answers``: what was typed, by what was asked, ``dw2`` or ``do/da``; empty where there is none. ``shown`` are
    those that the page gave away; ``sizes`` are the numbers of steps with which loops were written out; ``lost`` says
    how many answers to what was asked are not in the file."""

    model: str
    sizes: Mapping[str, int]
    answers: Mapping[str, str]
    shown: frozenset[str]
    lost: int = 0


def is_result(text: str) -> bool:
    """Whether a text is such a file."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("format") == FORMAT


def read_result(text: str) -> Result:
    """The answers in such a file. Raises `SyntaxProblem` where something in it is not as a page writes it."""
    try:
        return _result(json.loads(text))
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise SyntaxProblem("this is no file of answers that a page of exercises has saved") from None


def _result(data: dict[str, Any]) -> Result:
    assert data["format"] == FORMAT and data["version"] == VERSION
    answers: dict[str, str] = {}
    shown = set()
    for item in data["answers"]:
        name, given = str(item["name"]), item["given"]
        assert isinstance(given, str) and len(given) <= MAX_ANSWER
        answers[name] = " ".join(given.split())
        shown |= {name} if item["verdict"] == SHOWN else set()
    sizes = {str(n): int(k) for n, k in data["dims"].items()}
    lost = int(data.get("steps", len(answers))) - len(answers)
    assert 0 <= lost <= MAX_QUESTIONS
    return Result(str(data["model"]), sizes, answers, frozenset(shown), lost)


def with_the_rest(model: Model, result: Result) -> tuple[Model, str]:
    """The model with its loops written out, and a text of answers: those of the file, and the right ones elsewhere.
    Raises `SyntaxProblem` for answers to another model."""
    fixed = {n: result.sizes.get(n, 0) for n in loop_dimensions(model)}
    if result.model != model.name or not all(0 < k <= MAX_STEPS for k in fixed.values()):
        raise SyntaxProblem(f"it holds answers to {result.model}, not to {model.name}")
    reference = Reference(copied(model, fixed))
    lines = {name: given for name, given in result.answers.items() if _counts(result, name)}
    found = [s for s in reference.derivation.steps if isinstance(s, Step) and s.target.id in reference.names]
    right = {str(Gradient(reference.names[s.target.id])): reference.line(s.total) for s in found}
    whole = right | lines
    return copied(model, fixed), "\n".join(f"{name} = {formula}" for name, formula in whole.items() if name != formula)


def _counts(result: Result, name: str) -> bool:
    return bool(result.answers[name]) and name not in result.shown


def of_what_was_asked(report: Report, result: Result) -> Report:
    """The part of a report that is about the answers of the file; what has none, or was shown, is missing. Raises
    `SyntaxProblem` where the file says nothing of any step of the model."""
    given = [i for i in report.items if i.name in result.answers and _counts(result, i.name)]
    for name in result.answers:
        if not _counts(result, name):
            says = "the page gave the answer away" if name in result.shown else f"no line gives {name}"
            known = next((i for i in report.items if i.name == name), None)
            if known is not None:
                given.append(replace(known, verdict=MISSING, given=None, finding=Finding(m.MISSING, says)))
    if not given:
        raise SyntaxProblem(f"it says nothing of any step of {result.model}: nothing can be graded")
    notes = [f"{result.lost} of {result.lost + len(result.answers)} answers are not in the file"] if result.lost else []
    return replace(report, items=given, targets=[*result.answers], notes=notes, lost=result.lost)
