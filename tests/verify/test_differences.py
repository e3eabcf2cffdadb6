"""Slopes of functions whose derivative is known: how near they come, what error they admit, what they do at kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.loops import scan
from symbackprop.core.registry import OPS
from symbackprop.core.shapes import evaluate_shape
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.differences import (
    AUTO,
    CENTRAL,
    COMPLEX,
    MANY,
    TINY,
    Estimate,
    NotAnalytic,
    Objective,
    Prober,
    Ray,
    imaginary,
)
from symbackprop.verify.everywhere import Everywhere, recording
from symbackprop.verify.interpreter import Program
from symbackprop.verify.points import STEADY
from symbackprop.verify.rounding import Paths


def prober(build: Callable[..., Node], x: Any, method: str = CENTRAL) -> Prober:
    """A prober of sum(build(x)) at the given point."""
    m, x = Model(), np.asarray(x, dtype=float)
    leaf = m.param("x", x.shape)
    row = F.sum(build(leaf))
    return Prober(Objective([row], [np.ones(())], {leaf.id: x}, {}), leaf, method)


def slope(build: Callable[..., Node], x: float, method: str = CENTRAL) -> Estimate:
    return prober(build, [x], method).along(np.array([0]), np.ones(1))


SMOOTH = [
    (F.exp, np.exp),
    (F.log, lambda x: 1 / x),
    (F.sqrt, lambda x: 0.5 / np.sqrt(x)),
    (lambda x: x**3, lambda x: 3 * x**2),
    (lambda x: 1 / x, lambda x: -1 / x**2),
    (F.sin, np.cos),
    (F.tanh, lambda x: 1 - np.tanh(x) ** 2),
    (lambda x: F.exp(F.sin(3 * x)), lambda x: 3 * np.cos(3 * x) * np.exp(np.sin(3 * x))),
    (F.relu, lambda x: 1.0),
    (F.abs, lambda x: 1.0),
    (lambda x: F.where(x > 5, x, 2 * x), lambda x: 2.0),
]


@pytest.mark.parametrize("x", [0.011, 0.37, 1.0, 2.9])
@pytest.mark.parametrize(("build", "derivative"), SMOOTH)
def test_central_differences_are_good_to_nine_digits(build: Any, derivative: Any, x: float) -> None:
    found = slope(build, x)
    assert abs(found.slope - derivative(x)) <= 1e-9 * max(abs(derivative(x)), 1)
    assert abs(found.slope - derivative(x)) <= found.noise, "the error estimate is no bound"
    assert found.noise <= 1e-7 * max(abs(derivative(x)), 1)


@pytest.mark.parametrize("x", [0.011, 0.37, 1.0, 2.9])
@pytest.mark.parametrize(("build", "derivative"), SMOOTH)
def test_the_complex_step_is_good_to_the_last_digits(build: Any, derivative: Any, x: float) -> None:
    assert abs(slope(build, x, COMPLEX).slope - derivative(x)) <= 4e-15 * max(abs(derivative(x)), 1)


def test_long_steps_give_way_to_short_ones() -> None:
    """A function that bends within the longest step."""
    found = slope(lambda x: F.sin(500 * x), 0.7)
    assert abs(found.slope - 500 * np.cos(350)) <= max(found.noise, 1e-4) and found.noise < 1e-3


KINKS = [
    F.relu,
    F.abs,
    F.sign,
    F.leaky_relu,
    lambda x: F.maximum(x, 0),
    lambda x: F.minimum(2 * x, x),
    lambda x: F.where(x > 0, 3 * x, x),
    lambda x: F.max(F.stack(x, 2 * x)),
    lambda x: F.max(F.stack(x, -x, axis=1), axis=1),
    lambda x: F.norm(x, axis=0),
    lambda x: F.relu(F.sin(x)),
    lambda x: scan(lambda s, t: ((F.relu(s[0] + t[0]),), ()), [x * 0], [F.stack(x, x)])[0][0],
]


@pytest.mark.parametrize("method", [CENTRAL, COMPLEX])
@pytest.mark.parametrize("build", KINKS)
def test_on_a_kink_there_is_no_slope(build: Any, method: str) -> None:
    assert slope(build, 0.0, method).kink


@pytest.mark.parametrize("build", KINKS)
def test_within_reach_of_every_step_is_on_the_kink(build: Any) -> None:
    assert slope(build, 1e-9).kink


@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("build", KINKS)
def test_beside_a_kink_a_shorter_step_is_taken(build: Any, distance: float) -> None:
    assert not slope(build, distance).kink
    assert not slope(build, -distance).kink


@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4])
def test_beside_a_kink_the_slope_is_that_of_its_side(distance: float) -> None:
    assert abs(slope(F.relu, distance).slope - 1) < 1e-7 and slope(F.relu, -distance).slope == 0


def test_a_kink_that_the_entry_does_not_move_is_none() -> None:
    """relu sits on its kink, but not because of x[0]."""
    found = prober(lambda x: F.relu(x[1:] * 0 + x[1:]) + x[:1] ** 2, [0.5, 0.0]).entries(np.arange(2))
    assert not found.kink[0] and abs(found.values[0] - 1.0) < 1e-9
    assert found.kink[1]


def test_directions_add_up_entries() -> None:
    p = prober(lambda x: x**3, [0.5, -0.3, 0.8])
    direction = np.array([1.0, -1.0, 0.5])
    found = p.along(np.arange(3), direction)
    assert abs(found.slope - float(3 * np.array([0.25, 0.09, 0.64]) @ direction)) < 1e-9


def refuse_complex(monkeypatch: pytest.MonkeyPatch) -> None:
    """logsumexp by a reference that knows real numbers only."""
    known = OPS["logsumexp"]
    plain = replace(known, reference=lambda np, attr, a: known.reference(np, attr, np.asarray(a, dtype=float)))
    monkeypatch.setitem(OPS, "logsumexp", plain)


def test_what_is_not_analytic_says_so_or_is_taken_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(x: Node) -> Node:
        return F.relu(x) + F.logsumexp(F.stack(x, 2 * x), axis=0)

    refuse_complex(monkeypatch)
    with pytest.raises(NotAnalytic):
        slope(build, 0.3, COMPLEX)
    p = prober(build, [0.3], "auto")
    found = p.along(np.array([0]), np.ones(1))
    share = np.exp(0.6) / (np.exp(0.3) + np.exp(0.6))
    assert p.method == CENTRAL and abs(found.slope - 2 - share) < 1e-9


@pytest.mark.parametrize("build", [F.tanh, F.relu])
def test_a_slope_is_one_evaluation(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    run = Objective.at
    monkeypatch.setattr(Objective, "at", lambda *args: taken.append(args) or run(*args))
    prober(build, [0.3], COMPLEX).along(np.array([0]), np.ones(1))
    assert len(taken) == 1


@pytest.mark.parametrize("text", [
    "param w: 3, v: 3\ndata x: 3\na = relu(w*x)\nb = abs(v - x)\nloss L = sum(max(a*b) + where(v > x, a, b) + relu(x))",
    "dim T\ndata c: T, h[0]\nparam w, v\nfor t in 1..T:\n    h[t] = relu(w*h[t-1] + c[t])\nloss L = h[T]**2 + abs(v)",
])
def test_the_gaps_behind_a_leaf_are_those_of_an_evaluation_there(text: str) -> None:
    model, rng = parse(text), np.random.default_rng(0)
    sizes = dict.fromkeys(model.sizes, 4)
    given = {r.id: rng.normal(size=evaluate_shape(r.shape, sizes)) for r in model.leaves().values()}
    objective = Objective(model.results(), [np.ones(())], given, sizes)
    for leaf in model.leaves().values():
        behind, anew = objective.gaps_behind(leaf), objective.at(leaf, given[leaf.id])[1]
        assert [g.step for g in behind] == [g.step for g in anew]
        assert all(np.array_equal(a.values, b.values) for a, b in zip(behind, anew, strict=True))


def test_rounding_is_admitted() -> None:
    """x + 10¹⁵ keeps one digit of x: the noise must say so."""
    found = slope(lambda x: x + 10**15, 0.5)
    assert found.noise > 1


def test_outside_the_domain_nothing_is_known() -> None:
    found = slope(F.log, -0.5)
    assert np.isnan(found.slope) and not found.kink


@pytest.mark.parametrize(("size", "steady"), [(1.0, True), (1e15, False)])
def test_a_point_at_which_results_are_nothing_but_rounding_is_told(size: float, steady: bool) -> None:
    model = parse("dim N\nparam x: N, w: N\nz = x * w\nloss L = sum(exp(z - max(z)))")
    rng = np.random.default_rng(0)
    given = {"x": size * (1 + 1e-15 * rng.normal(size=5)), "w": np.ones(5)}
    values = {model.leaves()[n].id: v for n, v in given.items()}
    objective = Objective(model.results(), [np.ones(())], values, {"N": 5})
    assert (objective.off() < STEADY) == steady


def of_many(count: int, made: str = "tanh(w{k}*x) * w{k}") -> tuple[Model, Objective]:
    """A sum over parameters of one number each."""
    names = [f"w{k}" for k in range(count)]
    terms = " + ".join([made.format(k=k) for k in range(count)])
    model = Model.parse(f"data x\nparam {', '.join(names)}\nloss L = ({terms})^2")
    rng = np.random.default_rng(3)
    given = {leaf.id: np.asarray(rng.normal()) for leaf in model.leaves().values()}
    return model, Objective(model.results(), [np.ones(())], given, {})


@pytest.mark.parametrize("made", ["tanh(w{k}*x) * w{k}", "log(softplus(w{k}*x))",
                                  "stop_gradient(w{k}) * w{k}", "0*w{k}"])
def test_slopes_in_many_numbers_are_those_of_each(made: str) -> None:
    model, together = of_many(2 * MANY + 5, made)
    alone = Objective(model.results(), [np.ones(())], together.given, {})
    alone.__dict__["slopes_of_numbers"] = {}
    for leaf in model.leaves().values():
        one, other = (Prober(o, leaf, COMPLEX).along(np.arange(1), np.array([-0.5])) for o in (together, alone))
        assert np.isclose(one.slope, other.slope, rtol=1e-13)


def test_slopes_in_many_numbers_take_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    model, objective = of_many(3 * MANY)
    runs = 0

    def rerun(*args: Any) -> Any:
        nonlocal runs
        runs += 1
        raise AssertionError("an evaluation of its own")

    monkeypatch.setattr(Program, "rerun", rerun)
    found = [Prober(objective, leaf, AUTO).entries(np.arange(1)).values[0] for leaf in model.params.values()]
    assert not runs and np.all(np.array(found) != 0)
    assert of_many(3 * MANY, "relu(w{k} - x)")[1].slopes_of_numbers == {}


def vanishing(factor: float) -> tuple[Model, Objective]:
    """A chain in which gradients get smaller by a factor a hundred times."""
    text = ["data h0", "param w1"] + [f"param w{k}" for k in range(2, 3 * MANY)]
    text += [f"h{k} = tanh(w{k}*h{k - 1})" for k in range(1, 3 * MANY)] + [f"loss L = h{3 * MANY - 1}"]
    model = parse("\n".join(text))
    given = {row.id: np.asarray(factor if name == "h0" or int(name[1:]) < MANY else 1.0)
             for name, row in model.leaves().items()}
    return model, Objective(model.results(), [np.ones(())], given, {})


def test_digits_that_tiny_slopes_lose_are_noise() -> None:
    """A step times a slope is below what floats hold in full."""
    found = vanishing(0.001)[1].slopes_of_numbers.values()
    assert min(estimate.noise for estimate in found) >= 5e-324 / TINY


def test_tiny_slopes_in_many_numbers_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a chain whose gradients vanish, some beyond what floats hold."""
    model, objective = vanishing(0.06)
    one = Prober(objective, model.params["w1"], AUTO)
    expected = imaginary(Ray(objective, {one.leaf.id: np.ones(())}), TINY)[0]
    monkeypatch.setattr(Program, "rerun", lambda *args: pytest.fail("an evaluation of its own"))
    found = one.along(np.arange(1), np.array([-2.0]))
    assert 0 < expected < TINY and np.isclose(found.slope, -2 * expected, rtol=1e-13) and found.noise < 1e-9 * expected


def test_what_does_not_cancel_may_grow_at_every_step() -> None:
    """By 10⁸ in each of 12, all of which are saturated: the square of a usual step is a number then."""
    model = parse("dim N\ndata x: N\nparam u\n" + "h0 = u * x\n" + "".join(
        f"h{k} = tanh(1e8 * h{k - 1})\n" for k in range(1, 13)) + "loss L = sum(h12^2 * h11^2 * h10^2)")
    given = {row.id: np.full(2, 3.0) if name == "x" else np.asarray(1.0) for name, row in model.leaves().items()}
    objective = Objective(model.results(), [np.ones(())], given, {"N": 2})
    ray = Ray(objective, {model.leaves()["u"].id: np.ones(())}, Paths(np.random.default_rng(0)))
    assert 1e70 < abs(imaginary(ray, TINY)[0]) < np.inf


def test_a_sigmoid_in_steps_rounds_as_one_that_is_called() -> None:
    for text in ("1 / (1 + exp(-x))", "sigmoid(x)"):
        model = parse(f"param x\nloss L = {text}")
        leaf = model.leaves()["x"]
        objective = Objective(model.results(), [np.ones(())], {leaf.id: np.asarray(40.0)}, {})
        terms = imaginary(Ray(objective, {leaf.id: np.ones(())}, Paths(np.random.default_rng(0))), TINY)[0]
        assert 0.1 < abs(terms) < 10  # those of σ(1 − σ), which is 4e-18


def test_the_values_of_a_model_without_loops_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, objective = of_many(3, "relu(w{k}*x) + stop_gradient(w{k})")
    found: list[Any] = []
    objective.values({}, recording(found))
    monkeypatch.setattr(Program, "run", lambda *args: pytest.fail("an evaluation of its own"))
    reals = Everywhere(objective, model.targets(), np.random.default_rng(0))._reals
    assert len(reals) == len(found) and np.array_equal(reals, found)
