"""Long tables: CI takes a sample of each, ``SWEEP=all`` takes the whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")
ALL = os.environ.get("SWEEP") == "all"


def few_in_ci(cases: Iterable[Any], step: int) -> list[Any]:
    """All cases, of which CI runs every ``step``-th: scripts/test runs the others too, which are slow together."""
    return [case if i % step == 0 else pytest.param(case, marks=pytest.mark.slow) for i, case in enumerate(cases)]


def sample(cases: Iterable[Case], step: int) -> list[Case]:
    """Every ``step``-th case, or all."""
    return list(cases)[:: 1 if ALL else step]
