"""Plain Python numbers in modules of scalars: the same IEEE results as from arrays, whatever is given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.model.text import parse
from tests.codegen.helpers import emit

SPECIAL = (0.0, -0.0, 1.0, -1.5, 1000.0, 1e200, -1e200, np.inf, -np.inf)
TEXT = "param x\ndata y\n{}\n"
EXPRESSIONS = [
    "1 / x + y", "x**-1 * y", "x**y", "y / x", "(x - y)**2", "2**x + y", "x**3 * y**5", "x**0.5 - y", "sqrt(x) - y",
    "exp(x) + log(y)", "log(x * y)", "tanh(x / y)", "1 / (x > 0) + y", "(x > y)**x", "y / tanh(x)", "x**-0.5 / y",
    "1 / (1 + exp(-x / y))",
]


def results(module: Any, made: Callable[[float], Any], x: float, y: float) -> list[Any]:
    params, data = {"x": made(x)}, {"y": made(y)}
    loss, grads = module.loss_and_grads(params, data)
    return [loss, grads["x"], *module.outputs(params, data).values()]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_python_floats_give_what_arrays_give(expression: str, level: int, tmp_path: Path) -> None:
    text = TEXT.format(f"a = {expression}\nloss L = a / 2")
    module = emit(text, tmp_path, level=level)
    with np.errstate(all="ignore"):
        for x, y in product(SPECIAL, repeat=2):
            expected = results(module, np.asarray, x, y)
            for made in (float, np.float64):
                np.testing.assert_array_equal(results(module, made, x, y), expected, f"{made} {x} {y}")
        np.testing.assert_array_equal(results(module, int, 0, 0), results(module, float, 0, 0))


def test_a_float32_module_takes_python_floats_in_its_own_precision(tmp_path: Path) -> None:
    module = emit(TEXT.format("loss L = y / x"), tmp_path, dtype="float32")
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads({"x": 0.0}, {"y": 1.0})
    assert (loss, loss.dtype) == (np.inf, np.float32)
    assert (grads["x"], grads["x"].dtype) == (-np.inf, np.float32)


@pytest.mark.parametrize(("expression", "kept"), [
    ("(y - tanh(x))**2 / 2", True), ("x * y + sigmoid(x)**2", True), ("x**2", False), ("1 / x", False),
])
def test_floats_stay_what_they_are_where_that_is_safe(expression: str, kept: bool) -> None:
    text = codegen(parse(TEXT.format(f"loss L = {expression}")))
    assert ("isinstance(given[name], float)" in text) == kept


@pytest.mark.parametrize("target", ["numpy", "jax", "torch"])
def test_what_is_computed_of_numbers_and_sizes_alone_is_returned_as_an_array(target: str, tmp_path: Path) -> None:
    """`outputs` returned Python's integers, which its annotation denies."""
    if target != "numpy":
        pytest.importorskip(target)
    text = "dim N\ndata x: N\nparam w\nc = 3\nk = c + 2\nn = N\nloss L = sum((w * x * k * n)**2)"
    arrays = emit(text, tmp_path, target=target)
    made = __import__("torch").as_tensor if target == "torch" else np.asarray
    found = arrays.outputs({"w": made(2.0)}, {"x": made([1.0, 2.0])})
    assert all(hasattr(value, "dtype") for value in found.values())
    assert [float(found[name]) for name in ("c", "k", "n")] == [3, 5, 2]
