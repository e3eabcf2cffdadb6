"""What a sample takes of long tables."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.sweeps import dear, few

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("step", [3, 4, 6])
def test_a_sample_meets_every_model_at_some_and_every_level_of_some(step: int) -> None:
    """Also where as many levels stand below each other as the sample passes over."""
    taken = few(list(product("abcdef", range(step))), step)
    assert len(taken) == 6 and {model for model, _ in taken} == {*"abcdef"}
    assert {level for _, level in taken} == {*range(step)} and taken[0] == ("a", 0)


def test_dear_tests_are_tests_that_there_are() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    gone = [test for test in dear()
            if not (ROOT / test.split("::")[0]).exists() or f"def {test.split('::')[-1]}(" not in written]
    assert not gone, "scripts/dear.py writes the list again"
