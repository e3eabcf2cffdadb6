"""The table of slips: right answers are right, and each slip is explained as a teacher would, or is known not to be."""

from __future__ import annotations

import pytest

from symbackprop.grade.mistakes import KINDS
from tests.grade.cases.practice import SLIPS, TASKS, UNEXPLAINED, Slip
from tests.grade.cases.wrong import WRONG
from tests.grade.helpers import item, report
from tests.sweeps import sample


def test_the_table_is_sound() -> None:
    assert len({(s.task, s.lines, s.name) for s in SLIPS}) == len(SLIPS) >= 60
    assert {k for s in SLIPS for k in s.kinds} <= set(KINDS)
    for s in SLIPS:
        assert TASKS[s.task].answers.count(s.right) == 1 and s.right != s.wrong, s
    assert not {(TASKS[s.task].model, s.lines) for s in SLIPS} & {(w.model, w.lines) for w in WRONG}
    assert {s.task for s in SLIPS} == set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_the_answers_without_a_slip_are_right(task: str) -> None:
    found = report(*TASKS[task])
    assert [i.hint(2) for i in found.items if i.verdict not in ("right", "missing")] == [] and not found.unread


@pytest.mark.parametrize("slip", sample([s for s in SLIPS if s not in UNEXPLAINED], 12), ids=str)
def test_slips_are_explained(slip: Slip) -> None:
    found = item(TASKS[slip.task].model, slip.lines, slip.name)
    assert found.verdict == "wrong" and found.finding is not None
    assert found.finding.kind in slip.kinds, f"{found.finding.says}; a teacher would say: {slip.says}"
    assert [w for w in slip.words if w not in found.finding.says] == [], found.finding.says


@pytest.mark.parametrize("slip", UNEXPLAINED, ids=str)
def test_what_is_not_explained_is_wrong_and_blames_nothing_else(slip: Slip) -> None:
    found = item(TASKS[slip.task].model, slip.lines, slip.name)
    assert found.verdict == "wrong" and found.finding is not None
    assert found.finding.kind == "unexplained", f"{found.finding.says}: take it out of UNEXPLAINED if that is right"
