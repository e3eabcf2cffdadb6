"""Long tables: CI takes a sample of each, ``SWEEP=all`` takes the whole; ``SWEEP=third`` takes of every test a third of
its cases, ``SWEEP=sixth`` a sixth, ``SWEEP=dear`` a quarter of those of the tests in ``tests/dear.txt``."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")
SWEEP = os.environ.get("SWEEP", "")
ALL = SWEEP == "all"
STEP = {"third": 3, "sixth": 6, "dear": 4}.get(SWEEP, 1)
DEAR = Path(__file__).with_name("dear.txt")


def few_in_ci(cases: Iterable[Any], step: int, first: int = 0) -> list[Any]:
    """All cases, of which CI runs every ``step``-th: scripts/test runs the others too, which are slow together. Where
    several tests take the same cases, each has a ``first`` of its own, that CI sees all of them."""
    return [case if i % step == first else _slow(case) for i, case in enumerate(cases)]


def _slow(case: Any) -> Any:
    if not isinstance(case, type(pytest.param())):
        return pytest.param(case, marks=pytest.mark.slow)
    return pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.slow])


def sample(cases: Iterable[Case], step: int) -> list[Case]:
    """Every ``step``-th case, or all."""
    return list(cases)[:: 1 if ALL else step]


def of_every_test(cases: Iterable[Case], test_of: Callable[[Case], str]) -> list[Case]:
    """Of the cases of every test one of ``STEP``, the first among them; all of what is not dear where CI thins that."""
    tests: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        tests[test_of(case)].append(case)
    thinned = dear() if SWEEP == "dear" else tests.keys()
    return [case for test, of_one in tests.items() for case in (few(of_one, STEP) if test in thinned else of_one)]


def few(cases: list[Case], step: int) -> list[Case]:
    """One of ``step``, two of four; at another place in each row of ``step``: each third case would be the same level
    of every model, where a test goes through three levels of each."""
    step = min(step, max(2, len(cases) // 2))
    return [case for i, case in enumerate(cases) if (i + i // step) % step == 0]


def dear() -> set[str]:
    """The tests whose many cases take long, as ``scripts/dear.py`` found them."""
    return set(DEAR.read_text(encoding="utf-8").split())
