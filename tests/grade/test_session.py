"""Answers that read each other: order, helpers, follow-through, loops."""

from __future__ import annotations

import pytest

from symbackprop import Model
from symbackprop.grade import grade
from tests.grade.helpers import item, report

TANH = "two-weight-tanh"


def test_a_wrong_delta_costs_once() -> None:
    lines = "do = (y - o)\nda = do*(1-o^2)\ndw2 = da*h\ndw1 = da*w2*(1-h^2)*x"
    states = {i.name: i.verdict for i in report(TANH, lines).items}
    assert states == {"do": "wrong", "da": "follow-through", "dw2": "follow-through", "dw1": "follow-through"}


def test_a_mistake_after_a_wrong_delta_is_told_apart_from_it() -> None:
    found = item(TANH, "da = (y-o)*(1-o^2)\ndw2 = da*b", "dw2")
    assert found.verdict == "wrong" and found.finding is not None
    assert found.finding.kind == "pre-activation" and "(your da aside)" in found.finding.says


def test_a_helper_is_taken_for_the_gradient_it_is_used_as() -> None:
    found = item(TANH, "s = (o-y)*(1-h^2)\ndw2 = s*h\ndw1 = s*w2*(1-h^2)*x", "s")
    assert "s is taken for dL/da" in found.notes
    assert found.finding is not None and found.finding.kind == "substitution"


def test_lines_may_come_in_any_order() -> None:
    assert item(TANH, "dw2 = da*h\nda = do*(1-o^2)\ndo = o-y", "dw2").verdict == "right"


def test_the_last_of_two_answers_counts_and_is_told() -> None:
    found = item(TANH, "dw2 = h\ndw2 = -(y-o)*(1-o^2)*h", "dw2")
    assert found.verdict == "right"
    assert "dw2 is given more than once; the last line counts" in found.notes


def test_equations_of_the_model_may_be_repeated() -> None:
    found = report(TANH, "o = tanh(a)\nh = tanh(x)\ndw2 = -(y-o)*(1-o^2)*h")
    assert item(TANH, "o = tanh(a)\nh = tanh(x)\ndw2 = -(y-o)*(1-o^2)*h", "dw2").verdict == "right"
    assert found.notes == ["line 2 repeats an equation of the model as tanh(x); the model's own counts"]


def test_a_name_that_looks_like_a_gradient_but_is_none_is_told() -> None:
    assert (
        "dw3 (line 1) is no gradient of the model and is not used. Did you mean 'dw2'?" in report(TANH, "dw3 = 1").notes
    )


def test_missing_parameters_are_listed() -> None:
    found = report(TANH, "")
    assert [(i.name, i.verdict) for i in found.items] == [("dw1", "missing"), ("dw2", "missing")]
    assert found.exit_code == 1


def test_declarations_copied_from_the_model_are_passed_over() -> None:
    assert report(TANH, "data x, y\nparam w1, w2\nloss L = 1/2*(y-o)**2\ndw2 = -(y-o)*(1-o^2)*h").right == 1


def test_a_partial_may_hold_other_paths_fixed_or_not() -> None:
    immediate = "dw_e = dL/da*da/dw_e + dL/db*db/dw_e"
    total = "dw_e = dL/da*da/dw_e"
    for lines in (immediate, total):
        assert item("two-step-rnn", lines, "dw_e").verdict == "right"


def test_answers_in_a_loop_are_graded_step_by_step() -> None:
    lines = """
carry[T] = 0 * h[0]
dz = (o - one_hot(target, V)) / (T*N)
for t in T..1:
    dh[t] = dz[t] @ W_o.T + carry[t]
    carry[t-1] = dh[t] * (1 - h[t]^2) @ W_h.T
    dW_h += h[t-1].T @ (dh[t] * (1 - h[t]^2))
"""
    states = {i.name: i.verdict for i in report("rnn-lm", lines).items if i.verdict != "missing"}
    assert states == {"dz": "right", "dh[3]": "right", "dh[2]": "right", "dh[1]": "right", "dW_h": "right"}


def test_what_is_right_for_one_number_of_steps_only_is_wrong() -> None:
    found = item("rnn-lm", "dz = (o - one_hot(target, V)) / (3*N)", "dz")
    assert found.verdict == "wrong" and found.finding is not None
    assert found.finding.says == "it is right for 3 steps, not for 4"


def test_targets_are_what_a_person_takes_them_for() -> None:
    assert item("logistic-regression", "db = where(y == 1, y_hat - 1, y_hat)", "db").notes == [
        "it holds for targets that are 0 or 1"
    ]


REBOUND = "data x, y\nparam w, v\nh = w * x\nh = tanh(h)\nloss L = (y - v*h)^2 / 2"


@pytest.mark.parametrize(("lines", "verdicts", "noted"), [
    ("dv = -(y - v*h) * h\ndw = -(y - v*h) * v * (1 - h^2) * x", ["right", "right"], True),
    ("dv = -(y - v*h_2) * h_2\ndw = -(y - v*h_2) * v * (1 - tanh(h)^2) * x", ["right", "right"], False),
    ("dv = -(y - v*h) * h\ndh_1 = -(y - v*h) * v * (1 - h^2)\ndw = dh_1 * y", ["right", "right", "wrong"], True),
])
def test_a_name_with_several_values_may_mean_the_last(lines: str, verdicts: list[str], noted: bool) -> None:
    found = report(REBOUND, lines)
    assert [i.verdict for i in found.items if i.given] == verdicts
    assert [note.startswith("h, which the model gives several values") for note in found.notes] == [True] * noted


def test_a_name_that_a_loop_hands_on_may_mean_its_last_value() -> None:
    model = "dim T\ndata x: T, y\nparam w, v\nh = 0\nfor t in range(T):\n    h = tanh(w*h + x[t])\nloss L = (v*h - y)^2"
    found = report(model, "dv = 2*(v*h - y)*h")
    assert [i.verdict for i in found.items if i.given] == ["right"]
    assert found.notes == ["h, which the model gives several values, is read as the last of them"]
    found = report(model, "dv = 2*(v*h[T] - y)*h[T]")
    assert [i.verdict for i in found.items if i.given] == ["right"]


@pytest.mark.parametrize("own", ["q = (2 w^T a) a + a", "q = 2 (w^T/2) (2a) * a + a", "q = a - (-2 w^T a) a"])
def test_a_number_times_a_row_is_a_row(own: str) -> None:
    """What a person calls q is read in one way, so that it has to be the right one."""
    text = "dim N\nparam w: N, a: N\nloss L = (w @ a)**2 + sum(w * a)"
    found = {i.name: i.verdict for i in grade(Model.parse(text), f"{own}\ndw = q").items}
    assert found["dw"] == "right"
