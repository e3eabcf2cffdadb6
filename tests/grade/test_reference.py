"""Model solutions: what the last hint prints is accepted by grade itself, for every built-in model."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from symbackprop.grade import grade
from symbackprop.model.zoo import build, names
from tests.grade.helpers import grader, reference
from tests.sweeps import few_in_ci

LOOPED = {"gru", "lstm", "neural-turing-machine", "rnn-lm"}
PLAIN = [n for n in names() if n not in LOOPED]


def solution(name: str, rows: Iterable[str]) -> list[str]:
    """The lines for several gradients, each once."""
    found = reference(name)
    return list(dict.fromkeys(line for row in rows for line in found.solution(row)))


@pytest.mark.parametrize("name", few_in_ci(PLAIN, 3, 2))
def test_the_solution_of_every_model_is_right(name: str) -> None:
    targets = list(build(name).targets())
    report = grader(name).grade("\n".join(solution(name, targets)))
    assert report.verdict == "right", report.text(2)
    assert report.right == len(targets)


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn-lm"])
def test_the_solution_of_a_loop_is_right_for_the_steps_that_it_is_written_for(name: str) -> None:
    model = build(name)
    report = grade(model, "\n".join(solution(name, model.targets())), sizes={"T": 3})
    assert report.verdict == "right", report.text(2)


def test_a_solution_names_each_delta_once() -> None:
    assert solution("two-weight-tanh", ["w2", "w1"]) == [
        "do = -(y - o)",
        "da = do * (1 - o**2)",
        "dw2 = da * h",
        "dh = da * w2",
        "db = dh * (1 - h**2)",
        "dw1 = db * x",
    ]


def test_the_solution_of_a_loop_is_written_out_for_three_steps() -> None:
    lines = solution("rnn-lm", ["W_h"])
    assert lines[-1].startswith("dW_h = h[2].T @ ") and lines[-1].count("@") == 3
