"""Numbers that move in a page without NumPy are those that NumPy gives."""

from __future__ import annotations

from itertools import product
from math import inf, prod

import numpy as np
import pytest

from symbackprop.core.plain_arrays import Plain, Real
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.derive import derive
from symbackprop.model import Model, load, zoo
from symbackprop.render.graph.sizes import size_of
from symbackprop.render.moving import Moving, moving, sweep
from symbackprop.render.numbers import Numbers
from tests.sweeps import sample

SPECIAL = (0.0, -0.0, 1.0, -3.5, 800.0, -800.0, np.inf, -np.inf)
FEW = 60  # rows of a model that is tried far out too
FAR = """data x, y
param w
p = sigmoid(w*x)
q = softplus(-x/w)
r = w^y + 1/floor(x)
loss L = log(p) * y + (x > w) * q + r
"""


def points(scalar: Scalar) -> list[list[float]]:
    """Some where the function is defined, and some where it may not be."""
    rng, count = np.random.default_rng(0), len(scalar.domain)
    inner = [[float(rng.uniform(*interval)) for interval in scalar.domain] for _ in range(2)]
    outer = [[*[0.5] * k, x, *[1.0] * (count - k - 1)] for x in SPECIAL for k in range(count)]
    return inner + outer


def test_a_power_of_a_half_is_a_root_as_numpy_takes_it_of_one_number() -> None:
    for x in (*SPECIAL, 2.0):
        with np.errstate(all="ignore"):
            wanted = np.power(np.array(x), np.array(0.5))
        np.testing.assert_array_equal(float(Real(x) ** 0.5), wanted)


def test_every_function_of_one_number_is_numpys() -> None:
    for name, scalar in TABLE.items():
        for at in points(scalar):
            with np.errstate(all="ignore"):
                wanted = scalar.reference(np, *[np.array([x]) for x in at])[0]
            found = scalar.reference(Plain(), *map(Real, at))
            np.testing.assert_allclose(float(found), float(wanted), rtol=1e-12, err_msg=f"{name} {at}")
        assert np.isnan(float(scalar.reference(Plain(), *[Real(np.nan)] * len(scalar.domain)))) or scalar.boolean, name


def movable() -> list[Moving]:
    """Built-in models that move; scripts/playground.py compares all of them with their modules."""
    return [m for m in (moving(derive(load(name))) for name in sample(zoo.names(), 3)) if m is not None]


def drawn(m: Moving, rng: np.random.Generator, scale: float) -> dict[str, list[float]]:
    """Entries for all leaves, integers below their bounds."""
    return {name: [float(x) for x in (rng.integers(0, m.below[name], prod(shape)) if name in m.below else
                                      rng.normal(scale=scale, size=prod(shape)))] for name, shape in m.shapes.items()}


def given(m: Moving, at: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {name: np.array(at[name]).reshape(shape) for name, shape in m.shapes.items()}


def test_values_and_gradients_are_those_of_the_derivation_in_numbers() -> None:
    models = [*movable(), *[m for m in [moving(derive(Model.parse(FAR)))] if m is not None]]
    rng = np.random.default_rng(1)
    for m, scale in product(models, (1.0, 300.0)):
        if len(m.rows) > FEW and scale > 1:
            continue
        at = drawn(m, rng, scale)
        wanted, found = Numbers(m.derivation, given(m, at), m.sizes).found, m.at(at).found
        for row, array in found.items():
            here, there = np.array(array.entries, float).reshape(array.shape), np.asarray(wanted[row], float)
            size = np.max(np.abs(there), initial=0, where=np.isfinite(there))
            np.testing.assert_allclose(here, there, 1e-12, 1e-12 * size, err_msg=m.derivation.model.name)


def test_the_sweep_says_how_each_number_is_found() -> None:
    m = moving(derive(load("sum-times-max")))
    assert m is not None and m.start() == {"x": [1.0], "y": [2.0], "z": [0.0]}
    stops = sweep(m, m.picture(m.start()))
    assert [(s.key, s.back) for s in stops] == [
        ("a", False), ("b", False), ("f", False),
        ("f", True), ("b", True), ("z", True), ("a", True), ("x", True), ("y", True),
    ]
    assert stops[0].words == "a = x + y = 3"
    assert stops[-1].words == "∂f/∂y = ∂f/∂a · ∂a/∂y + ∂f/∂b · ∂b/∂y = 2 · 1 + 3 · 1 = 5"


ARRAYS = """dim N, C
data X: N x C
data y: N int < C
param W: C x C
Z = X @ W
P = softmax(Z)
loss L = -sum(log(P) * one_hot(y, C)) / N
"""


def test_arrays_have_entries_and_local_gradients_are_said_by_formula() -> None:
    m = moving(derive(Model.parse(ARRAYS)))
    assert m is not None and (m.sizes, m.shapes["W"], m.below) == ({"N": 2, "C": 3}, (3, 3), {"y": 3})
    picture = m.picture(m.start())
    box = next(b for b in picture.boxes() if b.key == "W")
    assert box.gradient is not None and box.gradient.digits == 3 and len(box.gradient.values) == 3
    wires = {(w.source, w.target): w for w in picture.wires}
    assert wires["W", "Z"].spoken == "local gradient ∂Z/∂W = δ ↦ Xᵀ δ"
    words = {s.key: s.words for s in sweep(m, picture) if s.back}
    assert words["W"].startswith("∂L/∂W = ∂L/∂Z·∂Z/∂W = Xᵀ δ_Z = [")


def test_what_is_multiplied_entry_by_entry_has_its_numbers_on_the_wire() -> None:
    m = moving(derive(Model.parse("dim N\ndata x: N\nparam w: N\nh = tanh(w)\nloss L = sum(h * x)\n")))
    assert m is not None
    wire = next(w for w in m.picture(m.start() | {"w": [0.0, 1.0]}).wires if (w.source, w.target) == ("w", "h"))
    assert wire.spoken == "local gradient ∂h/∂w = δ ↦ δ ⊙ (1 − h^⊙2) = [1, 0.420]"


def test_every_step_of_a_loop_has_numbers() -> None:
    text = "dim T\ndata x: T, h[0]\nparam w\nfor t in 1..T:\n    h[t] = w * x[t] + h[t-1]\nloss L = h[T]\n"
    m = moving(derive(Model.parse(text)))
    assert m is not None and m.shapes["x"] == (2,)
    assert {"h[1]", "h[2]"} <= {b.key for b in m.picture(m.start()).boxes() if b.gradient is not None}


def test_only_valid_entries_are_allowed() -> None:
    m = moving(derive(Model.parse(ARRAYS)))
    assert m is not None and m.allowed("y", [0, 2]) and m.allowed("W", [0.5] * 9)
    assert not any([m.allowed("y", [0, 3]), m.allowed("y", [0.5, 1]), m.allowed("W", [1.0]), m.allowed("y", [0, inf])])


@pytest.mark.parametrize("text", [
    "function f\ndata x\nloss L = f(x)\n", "data A: 3 x 3\nloss L = logdet(A)\n", "data A: 7 x 7\nloss L = sum(A)\n",
    "data x, h[0]\nparam w\nfor t in 1..300:\n    h[t] = tanh(w * h[t-1])\nloss L = h[300]\n",
])
def test_what_is_too_large_or_takes_other_functions_does_not_move(text: str) -> None:
    assert moving(derive(Model.parse(text))) is None


def test_what_moves_has_the_room_of_any_number() -> None:
    m = moving(derive(load("sum-times-max")))
    assert m is not None
    small, large = (m.picture({"x": [x], "y": [x], "z": [-x]}) for x in (1.0, -0.1234))
    assert [size_of(b, False) for b in small.boxes()] == [size_of(b, False) for b in large.boxes()]
