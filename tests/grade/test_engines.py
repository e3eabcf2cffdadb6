"""Every engine of `grade` is needed: without it some wrong answers get another explanation, or none.

The cases are those that `scripts/engines.py --write` found, three an engine; what explains fewer has no place.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.grade.engines import ENGINES, cases, without
from tests.sweeps import ALL

NEEDED = json.loads((Path(__file__).parent / "engines.json").read_text(encoding="utf-8"))
LISTED = 3 if ALL else 1


def test_every_engine_explains_three_answers_at_least() -> None:
    assert set(NEEDED) == set(ENGINES)
    assert not [engine for engine, listed in NEEDED.items() if len(listed) < 3]


@pytest.mark.parametrize("engine", ENGINES)
def test_answers_that_need_an_engine(engine: str) -> None:
    by_id = {case.id: case for case in cases()}
    for case in [by_id[i] for i in NEEDED[engine][:LISTED]]:
        with without(engine):
            poorer = case.finding()
        assert poorer != case.finding(), case.id
