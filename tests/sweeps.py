"""Long tables: CI takes a sample of each, ``SWEEP=all`` takes the whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

Case = TypeVar("Case")
ALL = os.environ.get("SWEEP") == "all"


def sample(cases: Iterable[Case], step: int) -> list[Case]:
    """Every ``step``-th case, or all."""
    return list(cases)[:: 1 if ALL else step]
