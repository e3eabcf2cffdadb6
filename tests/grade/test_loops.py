"""Answers to loop models: judged for every number of steps, whatever way the steps are written in."""

from __future__ import annotations

from functools import cache

import pytest

from symbackprop import Model
from symbackprop.grade import Grader, grade
from symbackprop.model.zoo import build
from tests.grade.cases.loops import GRU, LSTM, OTHERS, RNN, LoopAnswer, right, wrong
from tests.grade.helpers import report
from tests.sweeps import sample

WRITTEN, MOVED = list(right()), list(wrong())
HEAD = "dz = (o - one_hot(target, V)) / (T*N)\n"


@cache
def grader(model: str) -> Grader:
    return Grader(Model.parse(model))


def problems(answer: LoopAnswer) -> list[str]:
    found = grader(answer.model).grade(answer.lines)
    assert not found.unread, found.text(2)
    return [f"{i.name} {i.hint(2)}" for i in found.items if i.verdict not in ("right", "missing")]


@pytest.mark.parametrize("answer", [*sample(WRITTEN, 9), *OTHERS], ids=lambda a: a.name)
def test_right_answers_are_right_in_every_writing(answer: LoopAnswer) -> None:
    assert problems(answer) == []
    numbered = "with a number" in answer.name
    assert numbered or grader(answer.model).grade(answer.lines).verdict == "right"


@pytest.mark.parametrize("answer", sample(MOVED, 6), ids=lambda a: a.name)
def test_a_moved_index_is_wrong(answer: LoopAnswer) -> None:
    assert grader(answer.model).grade(answer.lines).verdict != "right"


@pytest.mark.parametrize(("model", "lines"), [("lstm", LSTM), ("gru", GRU)])
def test_gated_networks(model: str, lines: str) -> None:
    found = report(model, lines)
    assert found.verdict == "right", found.text(2)


def test_the_last_step_is_the_last_of_any_number() -> None:
    """dh[3] is the start for T = 3 and a step on the way for T = 4."""
    lines = (
        HEAD + "dh[T] = dz[T] @ W_o.T\nfor t in T-1..1:\n    dh[t] = dz[t] @ W_o.T - dh[t+1] * (1 - h[t+1]^2) @ W_h.T"
    )
    states = {i.name: i.verdict for i in report("rnn-lm", lines).items if i.verdict != "missing"}
    assert states == {"dz": "right", "dh[3]": "right", "dh[2]": "wrong", "dh[1]": "wrong"}


@pytest.mark.parametrize(
    "line", ["dh[3] = dz[3] @ W_o.T", "dh[3] = dz[2] @ W_o.T", "dh[T] = dz[3] @ W_o.T", "dh[T] = dz[2] @ W_o.T"]
)
def test_a_step_with_a_number_is_that_step_for_any_number_of_steps(line: str) -> None:
    found = next(i for i in report("rnn-lm", HEAD + line).items if i.name == "dh[3]")
    assert found.verdict == "wrong" and found.finding is not None
    assert found.finding.says == "it is right for 3 steps, not for 4"


@pytest.mark.parametrize("line", ["dh[3] = dz[3] @ W_o.T", "dh[3] = dz[2] @ W_o.T", "dh[T] = dz[-1] @ W_o.T"])
def test_a_number_of_steps_that_is_given_is_the_number_of_steps(line: str) -> None:
    found = grade(build("rnn-lm"), HEAD + line, sizes={"T": 3})
    assert next(i for i in found.items if i.name == "dh[3]").verdict == "right"


def test_steps_count_from_1_or_as_numpy_does_in_all_lines_alike() -> None:
    mixed = HEAD + "dh[T] = dz[T] @ W_o.T\ndh[T-1] = dz[T-2] @ W_o.T + dh[T] * (1 - h[T]^2) @ W_h.T"
    assert "wrong" in {i.verdict for i in report("rnn-lm", mixed).items}
    numpy = mixed.replace("dz[T]", "dz[T-1]")
    assert {i.verdict for i in report("rnn-lm", numpy).items} == {"right", "missing"}
    assert "counted from 0 here, as NumPy does" in report("rnn-lm", numpy).text(0)


def test_what_follows_from_an_answer_that_holds_for_some_numbers_of_steps_only_follows() -> None:
    lines = "dz = (o - one_hot(target, V)) / (3*N)\ndW_o = Σ_t h_t^T dz_t"
    found = {i.name: i.hint(2) for i in report("rnn-lm", lines).items}
    assert found["dz"] == "wrong: it is right for 3 steps, not for 4"
    assert found["dW_o"] == "follow-through: it is right, given your dz"


def test_a_line_that_cannot_be_read_with_more_steps_is_not_right() -> None:
    loop = "for t in T..1:\n    dh[t] = dz[t] @ W_o.T + back[t]\n    back[t-1] = dh[t]*(1-h[t]^2) @ W_h.T"
    lines = f"{HEAD}back[3] = zeros(N, H)\n{loop}"
    found = next(i for i in report("rnn-lm", lines).items if i.name == "dh[3]")
    assert found.hint(2) == "wrong: it is right for 3 steps, not for 4: back[4] is used, but no line above defines it"


def test_the_steps_of_two_loops_are_told_apart() -> None:
    lines = OTHERS[0].lines.replace("2*g[T]/T", "2*g[T]/S")
    found = grader(OTHERS[0].model).grade(lines)
    assert found.items[0].hint(2) == "wrong: it is right for 3 steps, not for S = 4 and T = 5"


def test_a_loop_without_steps_has_none() -> None:
    lines = next(a for a in right() if a.name == "last, from the last step, sum_t").lines
    assert grade(Model.parse(RNN + "loss L = sum(h[T]**2)"), lines, sizes={"T": 1}).verdict == "right"


def test_letters_of_the_unrolled_model_mean_nothing() -> None:
    """With four steps the derivation of the unrolled network calls a row g, with three it does not."""
    lines = HEAD + "g = dz @ W_o.T\ndh[T] = g[T]\nfor t in T-1..1:\n    dh[t] = g[t] + dh[t+1] * (1 - h[t+1]^2) @ W_h.T"
    assert {i.verdict for i in report("rnn-lm", lines).items} == {"right", "missing"}


def test_a_letter_of_the_derivation_may_be_the_persons_own() -> None:
    model = Model.parse("data x, y\nparam w, v\nloss L = (v*tanh(w*x) - y)**2")
    assert (
        grade(model, "a = v*tanh(w*x) - y\nb = 1 - tanh(w*x)^2\ndv = 2 a tanh(w x)\ndw = 2 a v b x").verdict == "right"
    )


@pytest.mark.parametrize("line", ["dh = 0", "da = 0", "dh = dh", "da = h", "dh[0] = dh[1]", "dh0 = h0"])
def test_wrong_stacks_are_not_right(line: str) -> None:
    found = grader(RNN + "loss L = sum(h[T]**2)").grade(line)
    assert all(i.verdict != "right" for i in found.items)


def test_a_constant_of_the_size_that_a_loop_runs_over() -> None:
    model = "dim T\nconst c = 1/T\ndata x: T, h[0]\nparam w\nfor t in 1..T:\n    h[t] = h[t-1] + w*x[t]\n" \
            "loss L = c*h[T]"
    assert report(model, "dh_T = c\nfor t in T..1:\n    dh[t-1] = dh[t]\ndw = sum_t c*x[t]").verdict == "right"
    assert report(model, "dw = sum_t x[t]").verdict == "wrong"


def test_a_gradient_of_integer_data_is_a_mistake() -> None:
    model = "dim N, C\ndata y: N int < C\nparam z: N x C\nloss L = mean(cross_entropy(z, y))"
    [dy, dz] = grade(Model.parse(model), "dy = 3\ndz = (softmax(z) - one_hot(y, C))/N").items
    assert (dy.verdict, dz.verdict) == ("wrong", "right")


@pytest.mark.parametrize(("first", "steps"), [(0, "1..T"), (1, "2..T")])
def test_what_a_loop_hands_on_to_a_state_that_begins_as_0_is_no_mistake(first: int, steps: str) -> None:
    """h[0] = 0 is a whole number, of which nobody asks a gradient: dh[0] was wrong."""
    model = (f"dim T\ndata x: T\nparam w, u\nh[{first}] = 0\nfor t in {steps}:\n    h[t] = tanh(w*x[t] + u*h[t-1])\n"
             "loss L = (h[T] - 1)**2")
    back = f"dh[T] = 2*(h[T] - 1)\nfor t in T..{first + 1}:\n    dz[t] = dh[t]*(1 - h[t]**2)\n    dh[t-1] = dz[t]*u\n"
    found = grade(Model.parse(model), f"{back}dw = sum_t dz[t]*x[t]\ndu = sum_t dz[t]*h[t-1]")
    assert found.verdict == "right", found.text(2)
