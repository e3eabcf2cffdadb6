"""The reverse sweep in numbers."""

from __future__ import annotations

import pytest

from symbackprop.grade.equality import same
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Points
from tests.grade.helpers import SMALL, reference


@pytest.mark.parametrize("name", SMALL)
def test_the_sweep_in_numbers_is_the_derivation(name: str) -> None:
    found = reference(name)
    at = Points(found, {}).first(2)[1]
    for row in found.targets.values():
        sweep = NumericSweep(found, at, row)
        for edge in found.chain(row):
            swapped = sweep.gradient({edge: lambda b, e, upstream: b.passed(e, upstream)})
            assert same(swapped, sweep.right(row)), found.local_name(edge, row)


def test_dropping_an_edge_changes_what_lies_below_it_only() -> None:
    found = reference("two-step-rnn")
    at = Points(found, {}).first(1)[0]
    edge = next(e for e in found.chain(found.rows["w_e"]) if found.local_name(e, found.rows["w_e"]) == "db/dw_e")
    below = NumericSweep(found, at, found.rows["w_e"])
    beside = NumericSweep(found, at, found.rows["w_o"])
    assert not same(below.gradient({edge: lambda b, e, u: 0 * u}), below.right(found.rows["w_e"]))
    assert same(beside.gradient({edge: lambda b, e, u: 0 * u}), beside.right(found.rows["w_o"]))
