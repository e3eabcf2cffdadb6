"""Exercises and the verdicts of their pages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from symbackprop.exercise import Exercise, exercise
from symbackprop.grade.results import FORMAT, VERSION
from symbackprop.model import Model, load

HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "templates" / "exercise.js"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs the page's script, is missing")


@cache
def asked(name: str, difficulty: str = "hard", steps: str = "", seed: int = 0) -> Exercise:
    return exercise(load(name), seed, difficulty, steps)


_PAGES: dict[int, tuple[Exercise, str]] = {}


def data(made: Exercise) -> str:
    """The JSON that stands in a page."""
    return _PAGES.setdefault(id(made), (made, "") if id(made) in _PAGES else (made, _data(made)))[1]


def _data(made: Exercise) -> str:
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', made.html(), re.DOTALL)
    assert found is not None
    return found[1]


def of(text: str, **options: Any) -> Exercise:
    return exercise(Model.parse(text, name="small"), **{"difficulty": "hard", **options})


def verdicts(typed: Sequence[tuple[Exercise, int, str]]) -> list[dict[str, Any]]:
    """What pages say of answers to questions, by their numbers."""
    given = json.dumps([[data(made), number, text] for made, number, text in typed])
    done = subprocess.run(["node", HERE / "answers.mjs", SCRIPT], input=given, capture_output=True, text=True,
                          check=True, encoding="utf-8")
    return list(json.loads(done.stdout))


def saved(made: Exercise, answers: Mapping[str, str], **more: Any) -> str:
    """What a page saves."""
    items = [{"name": b.name, "given": answers.get(b.name, ""), "verdict": "right", "tries": 1, "hints": 0}
             for b in made.blanks]
    return json.dumps({"format": FORMAT, "version": VERSION, "model": made.model.name, "dims": dict(made.sizes),
                       "answers": items} | more)


def number_of(made: Exercise, name: str) -> int:
    return next(b.number for b in made.blanks if b.name == name)
