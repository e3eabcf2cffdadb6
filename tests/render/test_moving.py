"""Numbers that move in a page without NumPy are those that NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.core.plain import Plain, Real
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.derive import derive
from symbackprop.model import Model, load, zoo
from symbackprop.render.graph.sizes import size_of
from symbackprop.render.moving import Moving, moving, sweep
from symbackprop.render.numbers import Numbers

SPECIAL = (0.0, -0.0, 1.0, -3.5, 800.0, -800.0, np.inf, -np.inf)
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


def test_every_function_of_one_number_is_numpys() -> None:
    for name, scalar in TABLE.items():
        for at in points(scalar):
            with np.errstate(all="ignore"):
                wanted = scalar.reference(np, *[np.array([x]) for x in at])[0]
            found = scalar.reference(Plain(), *map(Real, at))
            np.testing.assert_allclose(float(found), float(wanted), rtol=1e-12, err_msg=f"{name} {at}")
        assert np.isnan(float(scalar.reference(Plain(), *[Real(np.nan)] * len(scalar.domain)))) or scalar.boolean, name


def movable() -> list[Moving]:
    return [found for found in (moving(derive(load(name))) for name in zoo.names()) if found is not None]


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_values_and_gradients_are_those_of_the_derivation_in_numbers(scale: float) -> None:
    models = [*movable(), *[m for m in [moving(derive(Model.parse(FAR)))] if m is not None]]
    assert len(models) >= 12
    rng = np.random.default_rng(1)
    for m in models:
        at = {name: float(rng.normal(scale=scale)) for name in m.leaves}
        wanted, found = Numbers(m.derivation, at, {}).found, m.at(at).found
        for row in found:
            np.testing.assert_allclose(found[row], float(wanted[row]), rtol=1e-12, err_msg=m.derivation.model.name)


def test_the_sweep_says_how_each_number_is_found() -> None:
    m = moving(derive(load("sum-times-max")))
    assert m is not None and m.start() == {"x": 1.0, "y": 2.0, "z": 0.0}
    stops = sweep(m.derivation, m.picture(m.start()))
    assert [(s.key, s.back) for s in stops] == [
        ("a", False), ("b", False), ("f", False),
        ("f", True), ("b", True), ("z", True), ("a", True), ("x", True), ("y", True),
    ]
    assert stops[0].words == "a = x + y = 3"
    assert stops[-1].words == "∂f/∂y = ∂f/∂a · ∂a/∂y + ∂f/∂b · ∂b/∂y = 2 · 1 + 3 · 1 = 5"


@pytest.mark.parametrize("text", [
    "dim N\ndata x: N\nparam w\nloss L = w * sum(x)\n", "function f\ndata x\nloss L = f(x)\n",
    "dim T\ndata x: T, h[0]\nparam w\nfor t in 1..T:\n    h[t] = w * x[t] + h[t-1]\nloss L = h[T]\n",
])
def test_where_there_are_arrays_or_no_values_nothing_moves(text: str) -> None:
    assert moving(derive(Model.parse(text))) is None


def test_what_moves_has_the_room_of_any_number() -> None:
    m = moving(derive(load("sum-times-max")))
    assert m is not None
    small, large = (m.picture({"x": x, "y": x, "z": -x}) for x in (1.0, -0.1234))
    assert [size_of(b, False) for b in small.boxes()] == [size_of(b, False) for b in large.boxes()]
