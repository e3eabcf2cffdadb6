"""Long formulas in lines."""

from __future__ import annotations

import pytest
import sympy as sp

from symbackprop.core.maths import Chain, Frac, Math, Num, Pow, Sum, Sym
from symbackprop.derive import derive
from symbackprop.model.text import parse
from symbackprop.render.print.latex import LATEX, broken
from symbackprop.render.show import show


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


@pytest.mark.parametrize("form", ["text", "latex", "html", "json"])
def test_a_flat_sum_prints_however_long_it_is(form: str) -> None:
    model = parse("data x\nparam w\nloss L = " + " + ".join(["w*x"] * 4000))
    assert derive(model).printed(form)


@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_a_chain_of_rows_is_one_sum_or_product(sign: str) -> None:
    factors = [f"tanh({k}*w)" for k in range(2, 2500)]
    shown = show(parse("param w\nloss L = " + f" {sign} ".join(factors)), "latex")
    assert shown.count("tanh") == len(factors) and "left(" not in shown
