"""Which steps are asked, and that their answers are right."""

from __future__ import annotations

import json

import pytest

from symbackprop.errors import ModelError, UsageError
from symbackprop.exercise import Exercise, exercise
from symbackprop.exercise.blanks import LOOPS
from symbackprop.grade import Grader
from symbackprop.model import load, zoo
from tests.exercise.helpers import asked, data, needs_node, of, saved, verdicts
from tests.sweeps import few_in_ci

LINE = "data x\nparam w\no = tanh(w*x)\nloss L = o^2"


def names(made: Exercise) -> list[str]:
    return [b.name for b in made.blanks]


def test_a_third_a_half_or_all_steps_are_asked() -> None:
    assert [len(asked("two-weight-tanh", d).blanks) for d in ("easy", "medium", "hard")] == [2, 3, 6]
    assert names(asked("two-weight-tanh")) == ["do", "da", "dw2", "dh", "db", "dw1"]
    assert len(asked("transformer-block").blanks) == 12, "not more than a page holds, where nobody says how many"


def test_easy_asks_for_factors() -> None:
    made = asked("two-weight-tanh", "easy", "6")
    assert names(made) == ["do", "do/da", "da/dw2", "da/dh", "dh/db", "db/dw1"], "above o there is no chain rule"
    assert [b.text for b in made.blanks] == ["-(y - o)", "1 - o**2", "h", "w2", "1 - h**2", "x"]


def test_steps_are_chosen_by_the_seed_or_by_name() -> None:
    three = [names(asked("two-weight-tanh", steps="3", seed=seed)) for seed in range(8)]
    assert all(len(x) == 3 for x in three) and len({*map(tuple, three)}) > 3
    assert names(asked("two-weight-tanh", steps="w1, o")) == ["do", "dw1"]
    with pytest.raises(UsageError, match=r"of 'W1'; there are o, a, w2, h, b, w1\. Did you mean 'w1'\?"):
        exercise(load("two-weight-tanh"), steps="W1")
    with pytest.raises(UsageError, match="at least one step"):
        exercise(load("two-weight-tanh"), steps="0")


def test_the_same_seed_makes_the_same_page() -> None:
    first, again = (exercise(load("cube"), 3).html() for _ in range(2))
    assert first == again != exercise(load("cube"), 4).html()


def test_nothing_is_asked_where_nothing_can_be() -> None:
    with pytest.raises(ModelError, match="no step of small can be asked"):
        of("dim D\nparam A: D x D\nloss L = logdet(A)")


def test_loops_are_written_out() -> None:
    assert LOOPS == 2
    two = names(asked("rnn-lm", steps="40"))
    assert "dz_h_2" in two and "dz_h_3" not in two
    three = exercise(load("rnn-lm"), difficulty="hard", steps="40", sizes={"T": 3})
    assert "dz_h_3" in names(three) and json.loads(data(three))["dims"] == {"T": 3}


PARTS = [("rnn-lm", "h[2],c,C"), ("residual-block", "W2,X"), ("window-lm", "o"), ("conv-net", "a"),
         ("llama-block", "b,b_1")]


@pytest.mark.parametrize(("name", "steps"), few_in_ci([pytest.param(*x) for x in PARTS], 3))
@needs_node
def test_scatters_convolutions_and_parts_of_arrays_are_asked(name: str, steps: str) -> None:
    made = asked(name, "hard", steps)
    assert [x["right"] for x in verdicts([(made, b.number, b.text) for b in made.blanks])] == [True] * len(made.blanks)
    report = Grader(load(name)).grade_file(saved(made, {b.name: b.text for b in made.blanks}), "key")
    assert {i.verdict for i in report.required} == {"right"}


MODELS = [n for n in zoo.names() if n != "neural-turing-machine"]


CASES = [pytest.param(n, d) for n in MODELS for d in ("easy", "hard")]


@pytest.mark.parametrize(("name", "difficulty"), few_in_ci(CASES, 15, 8))
def test_the_key_is_right(name: str, difficulty: str) -> None:
    """Graded as somebody's answers, as a page saves them: every one is."""
    made = asked(name, difficulty, "12")
    report = Grader(load(name)).grade_file(saved(made, {b.name: b.text for b in made.blanks}), "key")
    assert {i.name: i.verdict for i in report.required} == dict.fromkeys(names(made), "right")
