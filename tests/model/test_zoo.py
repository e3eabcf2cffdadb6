"""The built-in models: their listing, and the numbers that the lectures give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop.core.graph import Node
from symbackprop.derive import derive
from symbackprop.model import Model, load, zoo
from symbackprop.verify import evaluate


def test_listing() -> None:
    entries = zoo.entries()
    assert [e.name for e in entries] == sorted(zoo.names())
    for e in entries:
        assert e.summary and e.source and e.tags, e.name
        assert len(e.summary) <= 120 and e.summary[-1] != "."
    assert {e.name for e in zoo.entries("recurrent")} >= {"two-step-rnn"}
    assert set(zoo.tags()) == {t for e in entries for t in e.tags}


CATALOGUE = [
    "two-weight-tanh", "two-step-rnn", "linear-chain-graph", "two-paths", "sum-times-z", "sigmoid-circuit", "max-gate",
    "sum-times-max", "square-of-three", "cube", "linear-layer", "squared-norm", "elementwise-relu",
    "logistic-regression", "softmax-regression", "mlp-relu-sigmoid", "ffnn-softmax", "window-lm", "ner-window",
    "jacobians", "activations", "svm-hinge", "two-layer-net", "three-layer-net",
]


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_is_whole(name: str) -> None:
    model = load(name)
    assert model.warnings() == []
    unknown = set(model.example) - set(model.leaves()) - {f"d{n}" for n in model.output_rows}
    assert not unknown
    for array, value in model.example.items():
        if array in model.leaves():
            assert np.ndim(value) == model.leaves()[array].ndim


def numbers(model: Model, **values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every named row and every gradient at the model's example values, with ``values`` put over them."""
    d = derive(model)
    given = {k: np.asarray(v) for k, v in {**model.example, **values}.items()}
    rows: dict[str, Node] = {**model.equations, **{f"d{name}": row for name, row in d.gradients.items()}}
    found = evaluate(list(rows.values()), given)
    return dict(zip(rows, found, strict=True)), given


SCALARS = [
    ("linear-chain-graph", {"d": 2, "e": 5, "L": -10, "da": -2, "db": -4, "dc": 5}, 0),
    ("sum-times-z", {"q": 3, "f": -12, "dx": -4, "dy": -4, "dz": 3}, 0),
    ("max-gate", {"m": 2, "dz": 2, "dw": 0}, 0),
    ("sum-times-max", {"a": 3, "b": 2, "f": 6, "dx": 2, "dy": 5, "dz": 0}, 0),
    ("square-of-three", {"y": 4, "z": 12, "dx": 12}, 0),
    ("cube", {"f": 64, "dx": 48}, 0),
    ("sigmoid-circuit", {"s": 1, "n": -1, "u": 0.37, "d": 1.37, "f": 0.73, "dw0": -0.20, "dx0": 0.39, "dw1": -0.39,
                         "dx1": -0.59, "dw2": 0.20}, 0.005),
    ("sigmoid-circuit-gate", {"s": 1, "f": 0.73, "dw0": -0.20, "dx0": 0.39, "dw1": -0.39, "dx1": -0.59, "dw2": 0.20},
     0.005),
]


@pytest.mark.parametrize(("name", "expected", "tolerance"), SCALARS, ids=[name for name, *_ in SCALARS])
def test_numbers_of_the_lectures(name: str, expected: dict[str, float], tolerance: float) -> None:
    found, _ = numbers(load(name))
    for key, number in expected.items():
        assert found[key] == pytest.approx(number, abs=tolerance), key


def test_intermediate_gradients_of_the_circuit() -> None:
    """Backward along the circuit: 1, -0.53, -0.53, -0.20, 0.20, 0.20."""
    model = load("sigmoid-circuit")
    wanted = {"d": -0.53, "u": -0.53, "n": -0.20, "s": 0.20, "r": 0.20, "w2": 0.20}
    d = derive(model, wrt=list(wanted))
    found = evaluate([d.gradients[n] for n in wanted], {k: np.asarray(v) for k, v in model.example.items()})
    assert [round(float(v), 2) for v in found] == list(wanted.values())


def test_squared_norm() -> None:
    found, _ = numbers(load("squared-norm"))
    assert found["q"] == pytest.approx([0.22, 0.26])
    assert found["f"] == pytest.approx(0.116)
    assert np.allclose(found["dW"], [[0.088, 0.176], [0.104, 0.208]], rtol=1e-12)
    assert found["dx"] == pytest.approx([-0.112, 0.636])


def test_cube_at_one() -> None:
    found, _ = numbers(load("cube"), x=1.0)
    assert found["dx"] == 3


def test_two_weight_tanh_by_hand() -> None:
    found, v = numbers(load("two-weight-tanh"))
    h, o, y = found["h"], found["o"], v["y"]
    assert found["dw2"] == pytest.approx(-(y - o) * (1 - o**2) * h, rel=1e-14)
    assert found["dw1"] == pytest.approx(-(y - o) * (1 - o**2) * v["w2"] * (1 - h**2) * v["x"], rel=1e-14)


def test_two_step_rnn_by_hand() -> None:
    found, v = numbers(load("two-step-rnn"))
    h1, h2, w_o, w_h, w_e = found["h1"], found["h2"], v["w_o"], v["w_h"], v["w_e"]
    last = -(v["y"] - found["o"]) * w_o * (1 - h2**2)
    before = last * w_h * (1 - h1**2)
    assert found["dw_o"] == pytest.approx(-(v["y"] - found["o"]) * h2, rel=1e-13)
    assert found["dc2"] == pytest.approx(last * w_e, rel=1e-13)
    assert found["dc1"] == pytest.approx(before * w_e, rel=1e-13)
    assert found["dw_e"] == pytest.approx(last * v["c2"] + before * v["c1"], rel=1e-13)
    assert found["dw_h"] == pytest.approx(last * h1 + before * v["h0"], rel=1e-13)


def test_repeated_words_add_up() -> None:
    model = load("window-lm")
    values = {"words": np.array([[1, 1, 2]]), "y": np.array([0]), "C": np.ones((3, 2)), "W1": np.ones((6, 2)),
              "b1": np.zeros(2), "W2": np.eye(2, 3), "b2": np.zeros(3)}
    values["W1"] = np.arange(12.0).reshape(6, 2) / 100
    found, _ = numbers(model, **values)
    dx = evaluate([derive(model, wrt=["x"]).gradients["x"]], values)[0].reshape(3, 2)
    assert np.allclose(found["dC"], [[0, 0], dx[0] + dx[1], dx[2]], rtol=1e-12)
    assert np.any(found["dC"][1] != 0)


def test_hinge_counts_every_wrong_class_once() -> None:
    found, _ = numbers(load("svm-hinge"), X=np.array([[1.0]]), y=np.array([0]), W=np.array([[3.2], [5.1], [-1.7]]))
    assert found["L_i"] == pytest.approx([2.9])
    assert found["L"] == pytest.approx(2.9 + 0.001 * (3.2**2 + 5.1**2 + 1.7**2))
