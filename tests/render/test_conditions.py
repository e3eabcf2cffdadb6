"""What holds where a condition does not is a condition too, whatever is written for it."""

from __future__ import annotations

import pytest

from symbackprop import Model, derive

HEAD = "dim N\ndata y: N\nparam x: N, u: N\n"


@pytest.mark.parametrize(("equation", "told"), [
    ("a = where(not (x < y), x, u)", "where(x ≥ y, x, u)"),
    ("a = where(~((x > 0) | (y <= 1)), x, u)", "where(1[x ≤ 0] ⊙ 1[y > 1], x, u)"),
    ("a = where(~((x > 0) & (y <= 1)), x, u)", "where(max(1[x ≤ 0], 1[y > 1]), x, u)"),
    ("a = where(~(y == 0), x, u)", "where(y ≠ 0, x, u)"),
    ("a = where(~~(y == 0), x, u)", "where(y = 0, x, u)"),
    ("a = where(x > y, x, u)", "∂a/∂u = 1[x ≤ y]"),
])
def test_the_opposite_of_a_condition_is_one(equation: str, told: str) -> None:
    page = derive(Model.parse(f"{HEAD}{equation}\nloss L = sum(a**2)")).text()
    assert told in page and "= 0]" not in page.replace("1[y = 0]", "") and "1 − 1[" not in page


def test_a_number_that_is_no_condition_stays_compared() -> None:
    assert "1[y = 0]" in derive(Model.parse(f"{HEAD}loss L = sum(x * (y == 0))")).text()
