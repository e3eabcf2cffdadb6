"""A sample of every suite has the results that are committed, and the page is what they say.

The whole: `.venv/bin/python scripts/conformance.py --check`.
"""

from __future__ import annotations

import pytest

from tests.conformance import frame
from tests.conformance.suites import SUITES

ORACLES = {"torch", "jax"}


def marked(name: str) -> object:
    return pytest.param(name, marks=[pytest.mark.oracle] if ORACLES & set(SUITES[name].needs) else [])


@pytest.mark.parametrize("name", [marked(name) for name in SUITES])
def test_a_sample_has_the_results_that_are_committed(name: str) -> None:
    suite = SUITES[name]
    if suite.missing:
        pytest.skip(f"{', '.join(suite.missing)} missing")
    known = {row.name: row.status for row in frame.read(name)}
    for row in [case.run() for case in suite.chosen()]:
        assert row.status == known.get(row.name), row


def test_the_page_is_what_the_results_say() -> None:
    assert frame.PAGE.read_text(encoding="utf-8") == frame.page(), "scripts/conformance.py --page writes it"
    assert {path.stem for path in frame.RESULTS.glob("*.json")} == set(SUITES)


def test_what_becomes_of_a_check() -> None:
    def inexpressible() -> None:
        raise frame.NotExpressible("no\ncomplex numbers")

    def wrong() -> None:
        assert 1 == 2, "1 is not 2"

    found = [frame.Case(n, c).run()[1:] for n, c in [("a", inexpressible), ("b", wrong), ("c", lambda: None)]]
    assert found[0] == (frame.NOT_EXPRESSIBLE, "no complex numbers")
    assert found[1][0] == frame.FAILED and "1 is not 2" in found[1][1]
    assert found[2] == (frame.PASSED, "")


@pytest.mark.parametrize("name", SUITES)
def test_no_check_fails_and_none_has_the_name_of_another(name: str) -> None:
    rows = frame.read(name)
    assert len({row.name for row in rows}) == len(rows)
    assert not [row for row in rows if row.status == frame.FAILED]
