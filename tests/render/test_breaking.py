"""Long formulas in lines."""

from __future__ import annotations

import pytest
import sympy as sp

from symbackprop.core.maths import Chain, Frac, Indicator, Math, Num, Op, Pow, Prod, Relation, Shaped, Sum, Sym
from symbackprop.core.printer import Text
from symbackprop.derive import derive
from symbackprop.model import zoo
from symbackprop.model.text import parse
from symbackprop.render.print.latex import LATEX, broken
from symbackprop.render.print.text import printed
from symbackprop.render.show import show
from symbackprop.render.text import LINE, columns, folded, said, to_text, width
from symbackprop.render.views import VIEWS
from tests.render.helpers import derivation, document, document_with_numbers
from tests.sweeps import few_in_ci


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


def test_a_call_breaks_before_its_arguments_rather_than_in_one() -> None:
    call = Op("concat", (total("a", "b"), total("c", "d", "e", "f")))
    assert lines(call, 120, 120) == [r"\operatorname{concat}(a + b,", "c + d + e + f)"]


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
    model = parse("data x\nparam w\nloss L = " + " + ".join(["w*x"] * 1500))
    assert derive(model).printed(form)


@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_a_chain_of_rows_is_one_sum_or_product(sign: str) -> None:
    factors = [f"tanh({k}*w)" for k in range(2, 1300)]
    shown = show(parse("param w\nloss L = " + f" {sign} ".join(factors)), "latex")
    assert shown.count("tanh") == len(factors) and "left(" not in shown


# -- text
@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 2))
def test_lines_of_text_fit_unless_one_thing_is_too_long(name: str) -> None:
    d = derivation(name)
    pages = [to_text(document_with_numbers(name))]
    pages += [d.text(view=view) for view in VIEWS if view != "scalar" or VIEWS[view].suits(d)]
    assert [line for page in pages for line in page.splitlines() if width(line) > LINE] == []


def test_text_breaks_where_what_is_beside_binds_least() -> None:
    a, b = (Sym(x, (sp.Symbol("N"),)) for x in ("aaaa", "bbbb"))
    inner = Op("concat", (Sum(((False, Prod((a, b))), (False, Prod((b, a))))), Sum(((False, a), (True, b)))))
    whole = printed(Sum(((False, Prod((a, Shaped(inner, a.shape)))), (True, b))))
    assert folded(whole, 59).text.split("\n") == ["aaaa ⊙ concat(aaaa ⊙ bbbb + bbbb ⊙ aaaa, aaaa − bbbb)", "− bbbb"]
    assert folded(whole, 50).text.split("\n") == ["aaaa", "⊙ concat(aaaa ⊙ bbbb + bbbb ⊙ aaaa, aaaa − bbbb)", "− bbbb"]
    assert folded(whole, 40).text.split("\n") == ["aaaa ⊙ concat(aaaa ⊙ bbbb + bbbb ⊙ aaaa,", "aaaa − bbbb) − bbbb"]
    assert folded(whole, 3).text.replace("\n", "").replace(" ", "") == whole.text.replace(" ", "")


def test_a_condition_breaks_last() -> None:
    here = Indicator(Relation(Sym("largest"), "=", Sym("value")))
    long = printed(Prod((Sym("factor"), here, Sym("another"))))
    assert folded(long, 24).text == "factor\n·1[largest = value]\n·another"


def test_equal_forms_stand_below_each_other() -> None:
    a, b = total("aaaa", "bbbb"), total("cccc", "dddd", "eeee")
    whole = printed(Relation(a, "=", Relation(b, "=", a)))
    assert folded(whole, 50).text == whole.text
    assert folded(whole, 30).text.split("\n") == ["aaaa + bbbb", "= cccc + dddd + eeee", "= aaaa + bbbb"]
    assert folded(whole, 15).text.split("\n") == ["aaaa + bbbb", "= cccc + dddd", "+ eeee", "= aaaa + bbbb"]


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
def test_what_breaks_reads_as_it_was(name: str) -> None:
    """Nothing is lost or written twice where a formula goes on in the next line."""
    for s in document(name).steps:
        for right in [printed(x.right) for x in s.lines]:
            for room in (1, 10, 40):
                assert folded(right, room).text.replace("\n", "").replace(" ", "") == right.text.replace(" ", "")


def test_a_reason_stands_beside_its_formula_or_under_it() -> None:
    long, reason = printed(total(*["abcdefgh"] * 10)), said(("because of a rule that is told at some length",))
    beside = columns([("a", "=", long, reason)], (" ", " "), 80)
    assert [width(line) <= 80 for line in beside] == [True] * len(beside)
    assert beside[0].endswith(reason.text) and beside[1].startswith("    + abc")
    atom = Text("x" * 70)
    under = columns([("a", "=", atom, reason)], (" ", " "), 80)
    assert under == ["a = " + "x" * 70, "        because of a rule that is told at some length"]


def test_what_forward_stores_is_broken_in_its_column() -> None:
    text = "dim N\ndata X: N x 8 x 3\nparam w: 3 x 3 x 4\nloss L = sum(tanh(conv1d(X, w, padding=\"same\")))"
    rows = [x for x in derive(parse(text)).latex().splitlines() if x.startswith("$w$ &")]
    assert rows and r"\newline" in rows[-1].rsplit(" & ", 1)[1]
