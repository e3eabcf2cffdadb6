"""What a sample takes of long tables."""

from __future__ import annotations

from itertools import product
from operator import itemgetter
from pathlib import Path

import pytest

from tests import sweeps
from tests.sweeps import dear, few, of_every_test

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("step", [3, 4, 6])
def test_a_sample_meets_every_model_at_some_and_every_level_of_some(step: int) -> None:
    """Also where as many levels stand below each other as the sample passes over."""
    taken = few(list(product("abcdef", range(step))), step)
    assert len(taken) == 6 and {model for model, _ in taken} == {*"abcdef"}
    assert {level for _, level in taken} == {*range(step)} and taken[0] == ("a", 0)


@pytest.mark.parametrize(("cases", "step", "taken"), [(1, 6, 1), (3, 6, 1), (4, 4, 2), (5, 6, 3), (8, 4, 2), (9, 3, 3)])
def test_of_few_cases_more_are_taken(cases: int, step: int, taken: int) -> None:
    assert len(few([*range(cases)], step)) == taken


def test_of_what_is_not_dear_ci_takes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "SWEEP", "dear")
    monkeypatch.setattr(sweeps, "STEP", 4)
    cases = [*product((min(dear()), "tests/test_sweeps.py::test"), range(8))]
    assert [*map(itemgetter(1), of_every_test(cases, itemgetter(0)))] == [0, 7, *range(8)]


def test_dear_tests_are_tests_that_there_are() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    gone = [test for test in dear()
            if not (ROOT / test.split("::")[0]).exists() or f"def {test.split('::')[-1]}(" not in written]
    assert not gone, "their lines in tests/dear.txt take the new names, or go"
