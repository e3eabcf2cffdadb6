"""Slices against Python's own: `range(*slice(a, b, c).indices(n))` says which entries they have, at every size."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from random import Random
from types import ModuleType

import numpy as np
import pytest

from symbackprop import Model
from symbackprop.core.graph import Node
from symbackprop.derive import derive
from symbackprop.errors import ShapeError
from symbackprop.model.text import parse
from symbackprop.model.text.write import to_text
from symbackprop.verify import evaluate
from tests.codegen.helpers import emit

BOUNDS = [None, *range(-7, 8)]
STEPS = [s for s in BOUNDS if s != 0]
SLICES = [slice(*bounds) for bounds in product(BOUNDS, BOUNDS, STEPS)]
TOLD = [slice(*bounds) for bounds in [  # where a bound crosses an end, and steps that leave a rest
    (None, -3, -1), (None, None, -2), (3, 0, -2), (None, 0, -3), (None, None, 2), (1, 4, 2), (None, -2, -2), (0, -5, 3),
    (-2, None, -1), (-2, 0, -2), (None, -6, -1), (2, None, -1),
]]
CASES = [*[(part, "numpy") for part in [*TOLD, *Random(0).sample(SLICES, 12)]], *[(part, "jax") for part in TOLD[:4]]]


def places(row: Node, whole: Node) -> list[int]:
    """The entries that a row has of an array with an axis of a literal size."""
    if row is whole:
        return list(range(int(whole.shape[0])))
    _, start, length, step = map(int, row.attr)
    assert tuple(row.shape) == (length,)
    return [start + k * step for k in range(length)]


@pytest.mark.parametrize("size", range(7))
def test_literal_sizes(size: int) -> None:
    whole = Model("m").data("A", (size,))
    for part in SLICES:
        assert places(whole[part], whole) == list(range(*part.indices(size))), part


def spelled(part: slice) -> str:
    return ":".join("" if x is None else str(x) for x in (part.start, part.stop, part.step))


def model_of(parts: list[slice], size: str) -> Model:
    lines = [f"B{k} = A[{spelled(part)}]" for k, part in enumerate(parts)]
    total = " + ".join(f"sum({k + 1} * B{k}**2)" for k in range(len(parts)))
    return Model.parse("\n".join([f"dim N\nparam A: {size}", *lines, f"loss L = {total}"]))


def agrees(module: ModuleType, parts: list[slice], size: int) -> None:
    array, gradient = np.arange(1.0, size + 1), np.zeros(size)
    for k, part in enumerate(parts):
        gradient[part] += 2 * (k + 1) * array[part]
    found = module.outputs({"A": array}, {})
    for k, part in enumerate(parts):
        assert np.array_equal(found[f"B{k}"], array[part]), (size, part)
    np.testing.assert_allclose(module.loss_and_grads({"A": array}, {})[1]["A"], gradient)


@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_emitted_of_literal_sizes(tmp_path: Path, target: str) -> None:
    if target == "jax":
        pytest.importorskip("jax")
    for size in (1, 2, 5):
        parts = Random(size).sample(SLICES, 20)
        model = model_of(parts, str(size))
        for way in (model, Model.parse(to_text(model))):
            agrees(emit(way, tmp_path, target=target), parts, size)


@pytest.mark.parametrize("part, target", CASES, ids=lambda x: spelled(x) if isinstance(x, slice) else x)
def test_emitted_of_symbolic_sizes(tmp_path: Path, part: slice, target: str) -> None:
    """At every size a module either has Python's entries, or refuses the size because the slice leaves its array."""
    if target == "jax":
        pytest.importorskip("jax")
    model = model_of([part], "N")
    written = to_text(model)
    assert to_text(Model.parse(written)) == written
    module, taken = emit(model, tmp_path, target=target), []
    for size in range(1, 10) if target == "numpy" else (1, 3, 8):  # JAX compiles for each
        try:
            agrees(module, [part], size)
            taken.append(size)
        except ValueError as error:
            assert re.match("a slice leaves its array|the sizes are too small", str(error))
    assert taken


N, T, C = 2, 3, 4
GIVEN = {"y": np.arange(N * T).reshape(N, T) % C, "v": np.array([2, 0]), "k": np.array([1, 3, 0]),
         "z": np.arange(N * T * C).reshape(N, T, C) / 7}


@pytest.mark.parametrize(("formula", "expected", "written"), [
    ("z[arange(N), v]", GIVEN["z"][[0, 1], GIVEN["v"]], "take_along_axis(z, "),
    ("z[arange(N)[:, None], arange(T), y]", np.take_along_axis(GIVEN["z"], GIVEN["y"][..., None], 2)[..., 0],
     "r = pick(z, y)"),
    ("z[arange(N)[:, None], arange(T)[None], k]", GIVEN["z"][[[0], [1]], [0, 1, 2], GIVEN["k"]], "r = pick(z, "),
    ("z[arange(N)[:, None], arange(T)]", GIVEN["z"], "r = z"),
    ("z[arange(T)[:, None] * 0, arange(T)]", GIVEN["z"][[[0]] * T, [0, 1, 2]], "r = "),
    ("z[0][arange(T), k]", GIVEN["z"][0][[0, 1, 2], GIVEN["k"]], "r = pick(z[0], k)"),
    ("z[0][k - k, k]", GIVEN["z"][0][[0, 0, 0], GIVEN["k"]], "r = pick("),
])
def test_places_in_order_are_not_looked_up(formula: str, expected: object, written: str) -> None:
    model = parse(f"dim N, T, C\ndata y: N x T int < C, v: N int < T, k: T int < C\nparam z: N x T x C\nr = {formula}\n"
                  "loss L = sum(r)")
    assert written in to_text(model)
    np.testing.assert_array_equal(evaluate([model.equations["r"]], GIVEN, {"N": N, "T": T, "C": C})[0], expected)


def test_equal_gradients_of_parts_that_fill_an_axis_are_both_added(tmp_path: Path) -> None:
    """The gradients of a and b are one row, c among zeros, which joins that of the rest once."""
    model = Model.parse("dim N\ndata c: 2, d: N\nparam x: N+2\na = x[:2]\nb = x[:2]\n"
                        "loss L = sum(a*c) + sum(b*c) + sum(x[2:]*d)")
    data = {"c": np.array([1.0, 2.0]), "d": np.array([3.0, 4.0])}
    _, grads = emit(model, tmp_path).loss_and_grads({"x": np.zeros(4)}, data)
    assert grads["x"].tolist() == [2, 4, 3, 4]


def test_parts_in_steps_are_not_joined_with_what_follows_them(tmp_path: Path) -> None:
    model = Model.parse("data c: 2, d: 2\nparam x: 4\nloss L = sum(x[::2]*c) + sum(x[2:]*d)")
    data = {"c": np.array([1.0, 2.0]), "d": np.array([3.0, 4.0])}
    _, grads = emit(model, tmp_path).loss_and_grads({"x": np.zeros(4)}, data)
    assert grads["x"].tolist() == [1, 0, 5, 4]


@pytest.mark.parametrize("a, x, parts, printed", [
    ("4", "4", "sum(x[:1]*a[3:]) + sum(x[1:]*a[:3])", "roll(a, 1)"),
    ("5", "4", "sum(x[:2]*a[2:4]) + sum(x[2:]*a[:2])", "concat(a[2:4], a[:2], axis 0)"),
    ("4", "4", "sum(x[:2]*a[2:]) + sum(x[2:]*a[1:3])", "concat(a[2:], a[1:3], axis 0)"),
    ("4", "4", "sum(x[:2]*a[2:0:-1]) + sum(x[2:]*a[:2])", "concat(a[2:0:-1], a[:2], axis 0)"),
    ("4\nb = a[2:]", "4", "sum(x[:2]*b) + sum(x[2:]*a[:2])", "concat(b, a[:2], axis 0)"),
    ("2 x 4", "4 x 2", "sum(x[:2]*a[:, 2:]) + sum(x[2:]*a[:, :2])", "concat(a[:, 2:], a[:, :2], axis 0)"),
])
def test_only_a_whole_array_is_rolled(a: str, x: str, parts: str, printed: str) -> None:
    text = derive(Model.parse(f"data a: {a}\nparam x: {x}\nloss L = {parts}")).text()
    assert printed in text.split("Result")[1]


@pytest.mark.parametrize("padded", ["pad(x, 0, 1, N)", "F.pad(x, (1, -1))", "pad(x, 0, 0, N - 1)",
                                    "pad(x, 0, N - 2, N, -1)"])
def test_what_does_not_fit_into_an_axis_is_told_where_it_is_written(padded: str) -> None:
    with pytest.raises(ShapeError, match=r"m.sbp:3: .*x \(N\) does not fit"):
        parse(f"dim N\nparam x: N\ny = {padded}\nloss L = sum(y**2)", path="m.sbp")
