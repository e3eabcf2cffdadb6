"""Long tables: CI takes a sample of each, ``SWEEP=all`` takes the whole; ``SWEEP=third`` takes of every test the first
case and every third after it, ``SWEEP=sixth`` every sixth."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")
ALL = os.environ.get("SWEEP") == "all"
STEP = {"third": 3, "sixth": 6}.get(os.environ.get("SWEEP", ""), 1)


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
    """Of the cases of every test the first and every ``STEP``-th after it."""
    tests: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        tests[test_of(case)].append(case)
    return [case for of_one in tests.values() for case in of_one[::STEP]]
