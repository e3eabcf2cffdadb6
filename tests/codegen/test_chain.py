"""Deep models: no recursion, time linear in the depth, the right gradient."""

from __future__ import annotations

import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.core.functions import tanh
from symbackprop.model.model import Model
from tests.codegen.helpers import body, run
from tests.counting import calls
from tests.sweeps import sample


def chain(depth: int, named: bool = True) -> Model:
    """x -> tanh(w x) -> tanh(w tanh(w x)) … with one shared weight."""
    model = Model("chain")
    x, w = model.data("x"), model.param("w")
    for k in range(depth):
        x = tanh(w * x)
        if named:
            x = model.let(f"h{k + 1}", x)
    model.loss("L", x**2)
    return model


def expected(depth: int, x: float, w: float) -> tuple[float, float]:
    slope = 0.0
    for _ in range(depth):
        h = np.tanh(w * x)
        x, slope = h, (1 - h * h) * (x + w * slope)
    return x * x, 2 * x * slope


@pytest.mark.parametrize(("level", "named"), sample(product([0, 1], [True, False]), 3))
def test_a_thousand_layers(tmp_path: Path, level: int, named: bool) -> None:
    limit = sys.getrecursionlimit()
    text = codegen(chain(1000, named), level=level)
    assert sys.getrecursionlimit() == limit
    loss, grads = run(text, tmp_path).loss_and_grads({"w": 1.01}, {"x": 0.7})
    assert (loss, grads["w"]) == pytest.approx(expected(1000, 0.7, 1.01), rel=1e-10)


@pytest.mark.parametrize(("level", "named"), sample(product([0, 1], [True, False]), 3))
def test_a_layer_of_a_deep_model_takes_no_more_calls(level: int, named: bool) -> None:
    _, few, many = (calls(lambda n=n: codegen(chain(n, named), level=level)) for n in (5, 40, 160))
    assert many < 4.2 * few


def test_a_long_sum_of_unnamed_terms_is_cut_into_lines(tmp_path: Path) -> None:
    model = Model("terms")
    params = [model.param(f"weight_{k}") for k in range(60)]
    total = params[0] * params[1]
    for a, b in pairwise(params[1:]):
        total = total + tanh(a * b)
    model.loss("L", total)
    text = codegen(model)
    assert max(map(len, body(text, "forward").splitlines())) <= 110
    values = {f"weight_{k}": 0.1 * k for k in range(60)}
    numbers = [0.1 * k for k in range(60)]
    value = numbers[0] * numbers[1] + sum(np.tanh(a * b) for a, b in pairwise(numbers[1:]))
    assert run(text, tmp_path).forward(values, {})[0] == pytest.approx(value, rel=1e-14)
