"""Long formulas in lines."""

from __future__ import annotations

from symbackprop.render.breaking import broken
from symbackprop.render.document import BREAK
from symbackprop.render.measure import width


def test_what_fits_stays_in_one_line() -> None:
    assert broken(f"a{BREAK} + b", 100, 100) == ["a + b"]


def test_a_sum_breaks_before_its_signs() -> None:
    lines = broken(f"{BREAK} + ".join(["abc"] * 10), 80, 80)
    assert len(lines) > 1
    assert all(line.startswith("+ ") for line in lines[1:])
    assert all(width(line) <= 80 for line in lines)


def test_breaks_come_outside_parentheses_first() -> None:
    assert broken(f"(a{BREAK} + b){BREAK} \\cdot (c{BREAK} + d)", 45, 60) == ["(a + b)", r"\cdot (c + d)"]


def test_no_break_inside_braces_or_tall_parentheses() -> None:
    inside = f"{BREAK} + ".join(["abc"] * 10)
    assert broken(rf"\frac{{{inside}}}{{2}}", 80, 80) == [rf"\frac{{{inside.replace(BREAK, '')}}}{{2}}"]


def test_tall_parentheses_give_way_when_nothing_else_helps() -> None:
    inside = f"{BREAK} + ".join([r"\frac{a}{b}"] * 10)
    lines = broken(rf"\left({inside}\right)", 90, 90)
    assert lines[0].startswith(r"\bigl(")
    assert lines[-1].endswith(r"\bigr)")
    assert all(width(line) <= 100 for line in lines)
