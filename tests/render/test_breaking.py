"""Long formulas in lines."""

from __future__ import annotations

import sympy as sp

from symbackprop.core.maths import Chain, Frac, Math, Num, Pow, Sum, Sym
from symbackprop.render.print.latex import LATEX, broken


def total(*names: str) -> Math:
    return Sum(tuple([(False, Sym(name)) for name in names]))


LONG = total(*["abc"] * 10)


def lines(m: Math, first: float, later: float) -> list[str]:
    return [line.text for line in broken(LATEX(m).tokens, first, later)]


def test_what_fits_stays_in_one_line() -> None:
    assert lines(total("a", "b"), 100, 100) == ["a + b"]


def test_a_sum_breaks_before_its_signs() -> None:
    found = broken(LATEX(LONG).tokens, 80, 80)
    assert len(found) > 1
    assert all(line.text.startswith("+ ") for line in found[1:])
    assert all(line.width <= 80 for line in found)


def test_breaks_come_outside_parentheses_first() -> None:
    product = Chain((total("a", "b"), total("c", "d")))
    assert lines(product, 45, 60) == ["(a + b)", r"\cdot (c + d)"]


def test_no_break_inside_a_fraction_or_a_script() -> None:
    assert len(lines(Frac(LONG, Sym("x")), 80, 80)) == 1
    assert len(lines(Pow(Sym("x"), LONG), 80, 80)) == 1


def test_tall_parentheses_give_way_when_nothing_else_helps() -> None:
    half = Frac(Sym("a"), Sym("b"))
    tall = Pow(Sum(tuple([(False, half)] * 10)), Num(sp.Integer(2)))
    found = lines(tall, 90, 90)
    assert found[0].startswith(r"\bigl(")
    assert found[-1].endswith(r"\bigr)^{2}")
