"""The tables of answers: every right one accepted, every wrong one explained by its own mistake."""

from __future__ import annotations

import pytest

from symbackprop.grade.mistakes import KINDS
from tests.grade.cases.right import RIGHT, Right
from tests.grade.cases.wrong import WRONG, Wrong
from tests.grade.helpers import grader, item, report


def test_the_tables_are_as_large_as_they_should_be() -> None:
    assert len({(c.model, c.lines) for c in RIGHT}) >= 60
    assert len({(c.model, c.lines, c.name) for c in WRONG}) >= 60
    assert len({c.model for c in WRONG}) >= 10
    assert {c.kind for c in WRONG} <= set(KINDS)


@pytest.mark.parametrize("case", RIGHT, ids=lambda c: f"{c.model}: {c.lines[:50]}")
def test_right_answers_are_accepted(case: Right) -> None:
    found = report(case.model, case.lines)
    assert not found.unread
    assert any(i.verdict == "right" for i in found.items)
    assert [i.hint(2) for i in found.items if i.verdict not in ("right", "missing")] == []


@pytest.mark.parametrize("case", WRONG, ids=lambda c: f"{c.model}: {c.name} in {c.lines[:50]}")
def test_wrong_answers_are_explained_by_their_mistake(case: Wrong) -> None:
    found = item(case.model, case.lines, case.name)
    assert found.verdict in ("wrong", "follow-through")
    assert found.finding is not None
    assert found.finding.kind == case.kind, found.finding.says
    assert [w for w in case.words if w not in found.finding.says] == [], found.finding.says


@pytest.mark.parametrize("seed", [1, 2])
def test_verdicts_do_not_depend_on_the_random_points(seed: int) -> None:
    from symbackprop.grade import grade

    for case in WRONG[::7]:
        found = next(i for i in grade(grader(case.model).model, case.lines, seed=seed).items if i.name == case.name)
        assert found.finding is not None and found.finding.kind == case.kind
