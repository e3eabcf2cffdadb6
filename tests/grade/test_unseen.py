"""Answers are compared on both sides of every condition, the model's and their own."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from symbackprop.derive import derive
from symbackprop.grade import Report, grade
from symbackprop.grade.points import Points
from symbackprop.model.text import parse
from symbackprop.verify import aiming
from tests.render.random_models import random_loop
from tests.verify.halves import branchy

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "3"))
NX = "dim N\nparam x: N\n"

# (declarations, loss, right answers, wrong ones)
ANSWERS = [
    ("data m: N\n", "sum(where(m, x^2, x^3))",
     ["where(m, 2*x, 3*x^2)", "(m == 0)*3*x^2 + (m != 0)*2*x"], ["2*x", "3*x^2"]),
    ("data y: N\n", "sum(where(y == 1, x^2, x^3))", ["where(y != 1, 3*x^2, x + x)"], ["2*x", "3*x^2"]),
    ("data y: N int < 20\n", "sum(where(y == 17, x^2, x^3))", ["where(y == 17, x + x, 3*x*x)"], ["2*x", "3*x^2"]),
    ("", "sum(where(x > 100, x^2, x^3))", ["where(x <= 100, 3*x^2, 2*x)"], ["2*x", "3*x^2"]),
    ("", "sum(minimum(x, 50)^2)", ["where(x < 50, 2*x, 0)"], ["2*x", "0*x"]),
    ("", "sum(huber(x, 0, 1000))",
     ["where(x > 1000, 1000, where(x < -1000, -1000, x))"], ["x", "where(abs(x) > 1000, 1000, x)"]),
    ("", "sum(where(sum(x^2) > 1000, x^2, x^3))", ["where(sum(x^2) <= 1000, 3*x^2, 2*x)"], ["2*x", "3*x^2"]),
    ("", "sum(relu(x - 300)^2)", ["2*relu(x - 300)", "where(x > 300, 2*(x - 300), 0)"], ["0*x", "2*(x - 300)"]),
    ("", "max(x)^2", ["2*max(x)*(x == max(x))"], ["2*x", "where(x > 90, 0, 2*max(x)*(x == max(x)))"]),
    ("", "sum(x^2)", ["2*x", "where(x > 1000, 2*x, x + x)"], ["where(x > 1000, 5, 2*x)", "2*minimum(x, 70)"]),
]


def graded(more: str, loss: str, answer: str) -> Report:
    return grade(parse(f"{NX}{more}loss L = {loss}"), f"dx = {answer}")


@pytest.mark.parametrize(("more", "loss", "right", "wrong"), ANSWERS, ids=[a[1] for a in ANSWERS])
def test_both_sides_of_every_condition_are_compared(more: str, loss: str, right: list[str], wrong: list[str]) -> None:
    for answer in right:
        assert graded(more, loss, answer).verdict == "right", answer
    for answer in wrong:
        assert graded(more, loss, answer).verdict == "wrong", answer


@pytest.mark.parametrize(("loss", "wrong"), [
    ("min(stack(a, b, c))", "1*(b < a)"),
    ("max(stack(a, b, c))", "1*(b > c)"),
    ("relu(a)*relu(b)*relu(c)", "(b > 0)*a*relu(c)"),
    ("relu(a*b)*c", "(a > 0)*(b > 0)*a*c"),
])
@pytest.mark.parametrize("seed", range(8))
def test_conditions_are_compared_together(loss: str, wrong: str, seed: int) -> None:
    """Every condition is seen on either side, and the answer is wrong only where two are on certain ones."""
    assert grade(parse(f"param a, b, c\nloss L = {loss}"), f"db = {wrong}", seed=seed).verdict == "wrong"


def test_the_points_for_several_conditions_are_drawn_once_for_all_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer drew its own: the page of conv-net took 70 seconds."""
    drawn: list[object] = []
    more = Points.more
    monkeypatch.setattr(Points, "more", lambda *args: drawn.append(args) or more(*args))
    model = parse("param a, b, c\nloss L = relu(a)*relu(b)*relu(c)")
    taken = []
    for lines in ("da = (a > 0)*relu(b)*relu(c)", "da = (a > 0)*relu(b)*relu(c)\ndb = relu(a)*(b > 0)*relu(c)"):
        drawn.clear()
        assert "wrong" not in {item.verdict for item in grade(model, lines).items}
        taken.append(len(drawn))
    assert taken[0] == taken[1] > 0


def test_what_is_wrong_by_more_than_rounding_on_one_side_is_wrong() -> None:
    assert grade(parse("param w\nloss L = w^2"), "dw = 2*w*(1 + 0.00000001*(w > 100))").verdict == "wrong"


def test_an_answer_is_not_right_where_a_side_stays_unseen() -> None:
    report = graded("", "sum(where(sin(x) > 2, x, x^2))", "2*x")
    assert report.verdict == "inconclusive" and report.exit_code == 1 and report.right == 0
    assert "sin(x) > 2 (in L) was never true" in report.text(2)
    found = json.loads(report.json(2))
    assert found["verdict"] == "inconclusive" and found["gradients"][0]["mistake"]["kind"] == "unseen"
    assert graded("", "sum(where(sin(x) > 2, x, x^2))", "3*x").verdict == "wrong"


@pytest.mark.parametrize("loss, right, wrong", [
    ("sum(relu(x))", ["x > 0", "x >= 0"], ["x > 0.001", "x >= -0.001", "where(x > 0.00001, 1, 0)"]),
    ("sum(huber(x, 0, 1))", ["clip(x, -1, 1)", "where(abs(x) < 1, x, sign(x))"], ["where(abs(x) < 1.001, x, sign(x))"]),
    ("sum(where(x > 2, x^2, x))", ["where(x >= 2, 2*x, 1)"], ["where(x >= 2.0001, 2*x, 1)"]),
    ("sum(where(m > 0, x, x^2))", ["where(m > 0, 1, 2*x)"], ["where(m >= 0, 1, 2*x)", "where(m > 0.001, 1, 2*x)"]),
    ("sum(where(m > 1, x, x^2))", ["where(m > 1, 1, 2*x)"], ["where(m >= 1, 1, 2*x)"]),
    ("sum(where(m == 0, x, x^2))", ["where(m != 0, 2*x, 1)"], ["where(abs(m) < 0.001, 1, 2*x)"]),
])
def test_a_threshold_beside_the_right_one_is_wrong(loss: str, right: list[str], wrong: list[str]) -> None:
    """Where a condition on data turns has one value, too; where one on parameters does has none."""
    for answer in right:
        assert graded("data m: N\n", loss, f"1*({answer})").verdict == "right", answer
    for answer in wrong:
        assert graded("data m: N\n", loss, f"1*({answer})").verdict == "wrong", answer


def test_at_what_it_is_taken_by_a_gradient_may_have_either_value() -> None:
    model = parse("dim N\ndata x: N\nparam w\nloss L = sum(where(x > 0, x, 0)*w)")
    assert {i.verdict for i in grade(model, "dx = w*(x >= 0)\ndw = sum(relu(x))").items} == {"right"}


def test_ties_on_which_parameters_decide_need_not_be_seen() -> None:
    """Those of min and max of a quotient were never hit, and what is printed was not called right."""
    model = parse("dim N\ndata c: N, a: N\nparam x: N\nr = exp(x - c)\n"
                  "loss L = mean(minimum(r*a, clip(r, 0.8, 1.2)*a))")
    report = grade(model, derive(model).text())
    assert {item.verdict for item in report.items} == {"right"}


@pytest.mark.parametrize("model, answer, verdict", [
    ("param x\nloss L = log(x)^2", "dx = 2*log(abs(x))/x", "right"),
    ("dim N\nparam x: N\nloss L = sum(sqrt(x))", "dx = 1/(2*sqrt(abs(x)))", "right"),
    ("param x\nloss L = log(x)", "dx = 1/abs(x)", "right"),
    ("param x, y\nloss L = log(x - y)", "dx = 1/abs(x - y)\ndy = -1/(x - y)", "right"),
    ("param x, y\nloss L = log(x - y)", "dx = 1/(x - y)\ndy = where(y > 20, 3, -1/(x - y))", "inconclusive"),
    ("param x\nloss L = exp(x)^2", "dx = 2*exp(2*x) + relu(x - 400)", "inconclusive"),
    ("param x\nloss L = where(x > 0, log(x), x)", "dx = 1/abs(x)", "wrong"),
])
def test_a_side_on_which_the_model_has_no_value_need_not_be_seen(model: str, answer: str, verdict: str) -> None:
    """Nothing is excluded that other arrays allow, or that only floats do not hold."""
    assert grade(parse(model), answer).verdict == verdict


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_random_models_with_conditions(seed: int) -> None:
    """An answer with one branch wrong is never right; the right one is never wrong."""
    found = branchy(seed)
    model = parse(found.text(found.values))
    assert _dx(model, found.chosen(found.derivatives)) in ("right", "inconclusive"), model.text()
    for k, part in enumerate(found.derivatives):
        wrong = (*found.derivatives[:k], f"{part} + 1/3", *found.derivatives[k + 1 :])
        assert _dx(model, found.chosen(wrong)) != "right", f"{model.text()}\ndx = {found.chosen(wrong)}"


def _dx(model: object, answer: str) -> str:
    return next(i.verdict for i in grade(model, f"dx = {answer}").items if i.name == "dx")  # type: ignore[arg-type]


TWICE = """dim N
param w: N, v: N
p = softmax(w)
c = p * exp(v)
z = relu(p * c - 2 * c)
loss L = sum(z * c)"""
HANDED_IN = """dz = log(exp(c))
dc = z + log(exp(c*(z > 0)*(p - 2)))
dp = c*c*(z > 0) + log(exp(dc*exp(v)))
dv = log(exp(dc*c))
dw = p*(dp - log(exp(sum(dp*p))))"""


def test_what_no_search_passed_is_not_searched_again_for_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    class Counted(aiming.Search):
        def found(self, bases: Sequence[Mapping[int, Any]]) -> Mapping[int, Any] | None:
            searched.append(self.side.condition)
            return super().found(bases)

    monkeypatch.setattr(aiming, "Search", Counted)
    report = grade(parse(TWICE), HANDED_IN)
    assert {item.verdict for item in report.items} == {"right"}
    assert sorted(searched) == ["p * c - 2 * c > 0", "z > 0"]


def test_a_search_that_finds_nothing_is_not_made_again_for_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of a page have the same conditions."""
    searches: Counter[tuple[object, str]] = Counter()
    found = aiming.Search.found

    def counted(self: aiming.Search, bases: Sequence[aiming.Values]) -> aiming.Values | None:
        values = found(self, bases)
        searches[self.side.edge, str(self.sizes)] += values is None
        return values

    monkeypatch.setattr(aiming.Search, "found", counted)
    model = random_loop(17)
    grade(model, derive(model).text())
    assert searches and max(searches.values()) <= aiming.ENOUGH, searches
