"""Which tests have many cases that take long: CI takes a quarter of them (`tests/sweeps.py`). Writes tests/dear.txt.

    .venv/bin/python scripts/dear.py     # runs all cases of what CI takes some of, in one process; half an hour

The time is that of the processor, of the processes that a test starts too.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
CASES, CASE, TOGETHER = 4, 0.02, 0.3  # at least so many, so many seconds for one on average, and for all
FACTS = ("tests/apart/", "tests/docs/", "tests/test_", "tests/core/test_architecture.py")  # no case is like another one


class Costs:
    """The seconds of every case, by their tests."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = defaultdict(list)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = sum(os.times()[:4])
        result = yield
        self.of[item.nodeid.partition("[")[0]].append(sum(os.times()[:4]) - before)
        return result

    def dear(self) -> list[str]:
        return sorted(test for test, costs in self.of.items()
                      if len(costs) >= CASES and sum(costs) >= max(CASE * len(costs), TOGETHER)
                      and not test.startswith(FACTS))


def main() -> None:
    costs = Costs()
    code = pytest.main(["-q", "-m", "not oracle and not slow", "--rootdir", str(ROOT), str(ROOT / "tests")], [costs])
    if code != 0:
        sys.exit(f"the tests end with {code}: nothing is written")
    from tests.sweeps import DEAR

    DEAR.write_text("".join(f"{test}\n" for test in costs.dear()), encoding="utf-8")


if __name__ == "__main__":
    main()
