"""What is not selected contributes nothing: emitted gradients where it is infinite or NaN, against those where it is
harmless.

A short sample of the random compositions runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=3000 python -m pytest tests/codegen/test_selection.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.codegen import codegen
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.shapes import evaluate_shape
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from tests.codegen.helpers import emit
from tests.core.helpers import close

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "25"))
RANDOM = settings(max_examples=EXAMPLES)
NAN, INF = np.nan, np.inf
Arrays = Mapping[str, Any]


def same_as_harmless(model: Model, params: Arrays, data: Arrays, spoilt: Arrays, folder: Path, **options: Any) -> None:
    """Loss and gradients with ``spoilt`` arrays in place are those without, at every level."""
    for level in (0, 1, 2):
        module = emit(model, folder, level=level, **options)
        with np.errstate(all="ignore"):
            loss, grads = module.loss_and_grads(params, data)
            worse = [{k: spoilt.get(k, v) for k, v in given.items()} for given in (params, data)]
            found, slopes = module.loss_and_grads(*worse)
        close(found, loss, 1e-9)
        for name, slope in grads.items():
            assert np.isfinite(slope).all()
            close(slopes[name], slope, 1e-9)


# -- named cases: a model, its parameters and data where all is harmless, and what is spoilt where nothing selects it

ROWS = np.array([[1.0, 2.0], [0.7, 0.7], [3.0, 0.5]])
HOLES = np.where([[False, False], [True, True], [False, False]], 0.0, ROWS)
LOST = np.where([[False, False], [True, True], [False, False]], NAN, ROWS)
KEEP = np.array([1.0, 0.0, 1.0])
W = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.2]])
IMAGES = np.random.default_rng(0).normal(size=(3, 4, 4, 2))
NO_IMAGE = IMAGES * np.where(KEEP, 1, NAN)[:, None, None, None]
KERNEL = np.random.default_rng(1).normal(size=(3, 3, 2, 2))
STEPS = np.random.default_rng(2).normal(size=(4, 3, 2))
LENGTHS = np.array([4, 2, 3])
INSIDE = (np.arange(4)[:, None] < LENGTHS).astype(float)
PADDED = np.where(INSIDE[..., None], STEPS, NAN)
CELL = {"W": W, "U": np.random.default_rng(3).normal(size=(3, 3)), "b": np.array([0.1, -0.2, 0.3])}
START = {"h0": np.random.default_rng(4).normal(size=(3, 3))}

X2 = "dim N, D\nparam x: N x D\ndata m: N\n"
RNN = "dim T, N, E, H\ndata x: T x N x E, h[0]: N x H, m: T x N\nparam W: E x H, U: H x H, b: H\nfor t in 1..T:\n    "
CASES = {
    "a sum of the rows": (X2 + "loss L = sum(where(m, sum(log(x), axis=1), 0))", {"x": ROWS}, {"m": KEEP},
                          {"x": HOLES}),
    "a mean": (X2 + "loss L = sum(where(m, mean(1 / x, axis=1), 0))", {"x": ROWS}, {"m": KEEP}, {"x": HOLES}),
    "a variance": (X2 + "loss L = sum(where(m, sqrt(var(x, axis=1)), 0))", {"x": ROWS}, {"m": KEEP},
                   {"x": np.where(HOLES, HOLES, 0.7)}),
    "a norm": (X2 + "loss L = sum(where(m, norm(x, axis=1), 0))", {"x": ROWS}, {"m": KEEP}, {"x": LOST}),
    "a maximum": (X2 + "loss L = sum(where(m, max(x, axis=1), 0))", {"x": ROWS}, {"m": KEEP}, {"x": LOST}),
    "layer norm": (X2 + "loss L = sum(where(reshape(m, (N, 1)), layer_norm(x), 0) ** 3)", {"x": ROWS}, {"m": KEEP},
                   {"x": LOST}),
    "softmax": (X2 + "loss L = sum(where(reshape(m, (N, 1)), softmax(x), 0) ** 2)", {"x": ROWS}, {"m": KEEP},
                {"x": LOST}),
    "logsumexp": (X2 + "loss L = sum(where(m, logsumexp(x, axis=1), 0) ** 2)", {"x": ROWS}, {"m": KEEP}, {"x": LOST}),
    "a mask in front of logsumexp": (X2 + "loss L = logsumexp(where(reshape(m, (N, 1)), log(x), -inf))", {"x": ROWS},
                                     {"m": KEEP}, {"x": HOLES}),
    "a mask in front of softmax": (X2 + "s = where(m, sum(log(x), axis=1), -inf)\nloss L = sum(softmax(s) ** 2)",
                                   {"x": ROWS}, {"m": KEEP}, {"x": HOLES}),
    "a mask in front of a maximum": (X2 + "loss L = max(where(m, sum(log(x), axis=1), -inf))", {"x": ROWS}, {"m": KEEP},
                                     {"x": HOLES}),
    "overflow": (X2 + "loss L = sum(where(m, mean(exp(x) * x, axis=1), 2))", {"x": ROWS}, {"m": KEEP},
                 {"x": np.where(HOLES, HOLES, 1000.0)}),
    "a stack": (X2 + "s = stack(log(x), sqrt(x), axis=0)\nloss L = sum(where(reshape(m, (N, 1)), s, 0))", {"x": ROWS},
                {"m": KEEP}, {"x": HOLES}),
    "running sums": (X2 + "loss L = sum(where(reshape(m, (N, 1)), cumsum(log(x), axis=1), 0))", {"x": ROWS},
                     {"m": KEEP}, {"x": HOLES}),
    "a slice": ("dim N, D\nparam x: N x D\nloss L = sum(log(x)[0]) + sum(1 / x[2:])", {"x": ROWS}, {}, {"x": HOLES}),
    "rows by index": ("dim N, D\nparam x: 3 x D\ndata i: N int < 3\nloss L = sum(log(x)[i])", {"x": ROWS},
                      {"i": np.array([0, 2, 0])}, {"x": HOLES}),
    "a product": ("dim N, D, H\ndata X: N x D, m: N\nparam W: D x H\n"
                  "loss L = sum(where(reshape(m, (N, 1)), tanh(X @ W), 0) ** 2)", {"W": W}, {"X": ROWS, "m": KEEP},
                  {"X": LOST}),
    "a product with both sides": ("dim N, D, H\nparam X: N x D, W: D x H\ndata m: N\n"
                                  "loss L = sum(where(m, sum(log(X) @ W, axis=1), 0) ** 2)", {"X": ROWS, "W": W},
                                  {"m": KEEP}, {"X": HOLES}),
    "three factors": ('dim N, D, H\ndata X: N x D, m: N\nparam W: D x H, v: H\n'
                      'loss L = sum(where(m, einsum("nd,dh,h->n", X, W, v), 0) ** 2)', {"W": W, "v": W[0]},
                      {"X": ROWS, "m": KEEP}, {"X": LOST}),
    "weights of the entries": (X2 + "param w: D\nloss L = sum(where(reshape(m, (N, 1)), w * x, 0) ** 2)",
                               {"x": ROWS, "w": W[:, 0]}, {"m": KEEP}, {"x": LOST}),
    "attention to nothing": ("dim T, D\nparam Q: T x D, K: T x D, V: T x D\ndata m: T\n"
                             "A = softmax(where(reshape(m, (T, 1)), Q @ K.T, -inf))\n"
                             "loss L = sum(where(reshape(m, (T, 1)), A @ V, 0) ** 2)",
                             {"Q": ROWS, "K": ROWS - 1, "V": ROWS + 1}, {"m": KEEP}, {"Q": LOST}),
    "a convolution": ("dim N\ndata x: N x 4 x 4 x 2, m: N\nparam w: 3 x 3 x 2 x 2\n"
                      "loss L = sum(where(m, sum(tanh(conv2d(x, w)), axis=(1, 2, 3)), 0) ** 2)", {"w": KERNEL},
                      {"x": IMAGES, "m": KEEP}, {"x": NO_IMAGE}),
    "a masked step": (RNN + "h[t] = where(reshape(m[t], (N, 1)), tanh(x[t] @ W + h[t-1] @ U + b), h[t-1])\n"
                      "loss L = mean(h[T] ** 2)", CELL, {"x": STEPS, "m": INSIDE, **START}, {"x": PADDED}),
    "a padded loss": (RNN + "h[t] = tanh(x[t] @ W + h[t-1] @ U + b)\nloss L = sum(where(m, sum(h ** 2, axis=2), 0))",
                      CELL, {"x": STEPS, "m": INSIDE, **START}, {"x": PADDED}),
    "a loss added up in the loop": (
        RNN.replace("h[0]: N x H", "h[0]: N x H, s[0]: N")
        + "h[t] = tanh(x[t] @ W + h[t-1] @ U + b)\n    s[t] = s[t-1] + where(m[t], sum(h[t] ** 2, axis=1), 0)\n"
        "loss L = sum(s[T])", CELL, {"x": STEPS, "m": INSIDE, "s0": np.zeros(3), **START}, {"x": PADDED}),
    "two loops": (
        RNN.replace("h[0]: N x H", "h[0]: N x H, g[0]: N x H")
        + "h[t] = tanh(x[t] @ W + h[t-1] @ U + b)\nfor t in 1..T:\n"
        "    g[t] = where(reshape(m[t], (N, 1)), tanh(h[t] + g[t-1]), g[t-1])\nloss L = sum(g[T] ** 2)",
        CELL, {"x": STEPS, "m": INSIDE, "g0": START["h0"], **START}, {"x": PADDED}),
    "one mask a step": (
        "dim T, E, H\ndata x: T x E, h[0]: H, m: T\nparam W: E x H, U: H x H, b: H\nfor t in 1..T:\n"
        "    h[t] = where(m[t], tanh(x[t] @ W + h[t-1] @ U + b), h[t-1])\nloss L = mean(h[T] ** 2)",
        CELL, {"x": STEPS[:, 1], "m": INSIDE[:, 1], "h0": START["h0"][0]}, {"x": PADDED[:, 1]}),
}


@pytest.mark.parametrize("name", CASES)
def test_masks(name: str, tmp_path: Path) -> None:
    text, params, data, spoilt = CASES[name]
    same_as_harmless(parse(text), params, data, spoilt, tmp_path)


def at(text: str, folder: Path, data: Arrays | None = None, **params: Any) -> Any:
    """The gradient of the only parameter, the same at every level."""
    found = []
    for level in (0, 1, 2):
        with np.errstate(all="ignore"):
            (slope,) = emit(text, folder, level=level).loss_and_grads(params, data or {})[1].values()
        found.append(slope)
        close(slope, found[0])
    return found[0]


# What is not selected is not reached, and what is selected has the derivative of the formula: text, point, gradient.
POINTS = {
    "where, transposed": ("dim N, D\nparam x: N x D\nloss L = sum(where(x.T > 0, log(x).T, 0))",
                          [[1.0, 0.0], [0.5, 4.0]], [[1.0, 0.0], [2.0, 0.25]]),
    "relu of a logarithm": ("dim N\nparam x: N\nloss L = sum(relu(log(x)))", [0.0, 0.5, 4.0], [0.0, 0.0, 0.25]),
    "relu of a sum of logarithms": ("dim N, D\nparam x: N x D\nloss L = sum(relu(sum(log(x), axis=1)))",
                                    [[0.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.5, 0.25]]),
    "relu of a product": ("dim N, D\nparam x: N x D\nloss L = sum(relu(log(x) @ ones(D, 2)))",
                          [[0.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [1.0, 0.5]]),
    "clipped by the norm": ("dim D\nparam x: D\nloss L = sum(x * minimum(1, 0.5 / norm(x)) * (1 + arange(D)))",
                            [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]),
    "clipped by a sum": ("dim D\nparam x: D\nloss L = sum(x * minimum(1, 1 / sum(sqrt(x))))", [0.0, 0.0], [1.0, 1.0]),
    "a function that has levelled off": ("dim N\nparam x: N\nloss L = sum(tanh(exp(x) - 2))", [0.0, 800.0],
                                         [1 - np.tanh(1) ** 2, 0.0]),
    "the larger one": ("dim N\nparam x: N\nloss L = sum(maximum(1 / x, 2))", [-0.0, 0.25, 1.0], [0.0, -16.0, 0.0]),
    "a root of what relu cuts off": ("dim N\nparam x: N\nloss L = sum(sqrt(relu(x)))", [-1.0, 4.0], [0.0, 0.25]),
    "a logarithm of what is cut off": ("dim N\nparam x: N\nloss L = sum(relu(log(maximum(x, 0))))", [-1.0, 4.0],
                                       [0.0, 0.25]),
    "a root of what where leaves out": ("dim N\nparam x: N\nloss L = sum(sqrt(where(x > 1, x, 0)))", [0.5, 4.0],
                                        [0.0, 0.25]),
    "made safe by hand": ("dim N\nparam x: N\nloss L = sum(where(x > 0, log(where(x > 0, x, 1)), 0))",
                          [-1.0, 0.0, 4.0], [0.0, 0.0, 0.25]),
    "at the same entry selected and not": ("dim N\nparam x: N\ny = log(x)\nloss L = sum(where(x > 0, y, 0)) + sum(x)",
                                           [0.0, 4.0], [1.0, 1.25]),
}


@pytest.mark.parametrize("name", POINTS)
def test_points(name: str, tmp_path: Path) -> None:
    text, point, expected = POINTS[name]
    close(at(text, tmp_path, x=np.array(point)), expected)


def test_what_is_selected_is_not_hidden(tmp_path: Path) -> None:
    """NaN and infinity where the mask selects them reach the gradient."""
    text = X2 + "param W: D\nloss L = sum(where(m, log(x) @ W, 0))"
    module = emit(text, tmp_path)
    with np.errstate(all="ignore"):
        grads = module.loss_and_grads({"x": HOLES, "W": np.ones(2)}, {"m": np.ones(3)})[1]
    assert np.isinf(grads["x"][1]).all() and np.isinf(grads["W"]).all()


def test_scalars(tmp_path: Path) -> None:
    text = "param x\nloss L = x * minimum(1, 1 / abs(x)) + where(x > 0, log(x), 0)"
    close(at(text, tmp_path, x=np.float64(0.0)), 1.0)


def test_float32_stays_float32(tmp_path: Path) -> None:
    text, params, data, spoilt = CASES["a masked step"]
    module = emit(text, tmp_path)
    small = [{k: np.asarray(spoilt.get(k, v), np.float32) for k, v in given.items()} for given in (params, data)]
    assert all(g.dtype == np.float32 and np.isfinite(g).all() for g in module.loss_and_grads(*small)[1].values())


NOTHING = {
    "logsumexp": "exp(logsumexp(s, axis=1))",
    "softmax": "softmax(s) ** 2",
    "a shifted softmax": "(softmax(s) - 1) ** 2",
    "softmax of several axes": "softmax(reshape(s, (N, D, 1)), axis=(1, 2)) ** 2",
    "logsumexp of several axes": "exp(logsumexp(reshape(s, (N, D, 1)), axis=(1, 2)))",
    "logsumexp twice": "exp(logsumexp(logsumexp(s, axis=1)))",
    "logsumexp beside softmax": "exp(logsumexp(s, axis=1)) + sum(softmax(s) ** 3, axis=1)",
}


@pytest.mark.parametrize("name", NOTHING)
def test_rows_of_nothing(name: str, tmp_path: Path) -> None:
    """A row of which every entry is masked has no weight; the others are as if it were not there."""
    text = f"dim N, D\nparam x: N x D\ndata m: N x D\ns = where(m, x, -inf)\nloss L = sum({NOTHING[name]})"
    mask = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    whole = at(text, tmp_path, {"m": mask}, x=ROWS)
    assert not whole[1].any() and whole[2, 1] == 0
    close(whole[[0, 2]], at(text, tmp_path, {"m": mask[[0, 2]]}, x=ROWS[[0, 2]]))


def test_a_forward_algorithm_with_forbidden_moves(tmp_path: Path) -> None:
    """log p of a hidden Markov model; a state that no move reaches has no gradient."""
    text = (
        "dim T, S\nparam A: S x S, e: T x S\ndata a[0]: S, ok: S x S\nM = where(ok, A, -inf)\nfor t in 1..T:\n"
        "    a[t] = logsumexp(reshape(a[t-1], (S, 1)) + M, axis=0) + e[t]\nloss L = -logsumexp(a[T])"
    )
    rng = np.random.default_rng(0)
    params = {"A": rng.normal(size=(3, 3)), "e": rng.normal(size=(4, 3))}
    ok = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    module = emit(text, tmp_path)
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads(params, {"a0": np.array([0.0, -INF, -INF]), "ok": ok})
    small = {"A": params["A"][:2, :2], "e": params["e"][:, :2]}
    expected, slopes = module.loss_and_grads(small, {"a0": np.array([0.0, -INF]), "ok": ok[:2, :2]})
    close(loss, expected)
    close(grads["A"], np.pad(slopes["A"], ((0, 1), (0, 1))))
    close(grads["e"], np.pad(slopes["e"], ((0, 0), (0, 1))))


# -- random compositions

Row = Callable[[Node], Node]
INNER: dict[str, Row] = {
    "log": F.log, "sqrt": F.sqrt, "inverse": lambda a: 1 / a, "quotient": lambda a: a / F.sum(a, -1, keepdims=True),
    "exp": lambda a: F.exp(a / 2), "tanh": F.tanh, "square": lambda a: a**2, "sigmoid": F.sigmoid,
    "root": lambda a: (a**2 + 0.1) ** 0.5, "power": lambda a: a**-1.5, "scale": lambda a: 0.3 - a / 2,
    "softplus": F.softplus, "silu": F.silu, "abs": F.abs, "relu": lambda a: F.relu(a) + a,
}
SHAPED: dict[str, Row] = {
    "sum": lambda a: F.sum(a, -1, keepdims=True), "mean": lambda a: F.mean(a, -1, keepdims=True),
    "var": lambda a: a - F.var(a, -1, keepdims=True), "max": lambda a: F.max(a, -1, keepdims=True) + a,
    "norm": lambda a: a * F.norm(a, -1, keepdims=True), "logsumexp": lambda a: F.logsumexp(a, -1, keepdims=True),
    "softmax": F.softmax, "log_softmax": F.log_softmax, "layer_norm": F.layer_norm, "cumsum": lambda a: F.cumsum(a, 1),
    "concat": lambda a: F.concat(a, F.tanh(a), axis=-1), "slice": lambda a: a[:, :1], "backwards": lambda a: a[:, ::-1],
    "twice": lambda a: F.sum(F.stack(a, a * a, axis=0), 0), "outer": lambda a: F.einsum("na,nb->na", a, a),
}
VIEWS: dict[str, tuple[Row, Row]] = {
    "as it is": (lambda a: a, lambda m: m),
    "transposed": (lambda a: a.T, lambda m: m.T),
    "upside down": (lambda a: a[::-1], lambda m: m[::-1]),
    "a new axis": (lambda a: a[:, None], lambda m: m[:, None]),
    "summed": (lambda a: F.sum(a, 1), lambda m: m[:, 0]),
    "rolled": (lambda a: F.roll(a, 1, 0), lambda m: F.roll(m, 1, 0)),
}
CHOICES: dict[str, Callable[[Node, Node], Node]] = {
    "or 0": lambda m, a: F.where(m, a, 0),
    "0 or": lambda m, a: F.where(m > 0, a, 0),
    "unless": lambda m, a: F.where(F.equal(m, 0), 2, a),
    "in softmax": lambda m, a: F.softmax(F.where(m, a, -INF), axis=0),
    "in logsumexp": lambda m, a: F.logsumexp(F.where(m, a, -INF), axis=0),
    "in max": lambda m, a: F.max(F.where(m, a, -INF), axis=0),
}
OUTER: dict[str, Row] = {"tanh": F.tanh, "square": lambda a: a**2, "sin": F.sin, "as it is": lambda a: a}
BAD = [0.0, -0.0, -1.0, 1000.0, NAN, INF, -INF]
# Functions that are -inf somewhere: where, and where they are merely negative.
SINGULAR: dict[str, tuple[Row, float, float]] = {
    "log": (F.log, 0.0, 0.01), "log of a square": (lambda a: F.log(a**2), -0.0, 0.01),
    "quotient": (lambda a: 3 - 1 / a, 0.0, 0.01), "root": (lambda a: 3 - a**-0.5, 0.0, 0.01),
    "exp": (lambda a: 100 - F.exp(a), 1000.0, 6.0),
}
CUT: dict[str, Row] = {
    "relu": F.relu, "maximum": lambda a: F.maximum(a, 0), "minimum": lambda a: F.minimum(0, -a),
    "where": lambda a: F.where(a > 0, a, 0), "by the largest": lambda a: F.max(F.stack(a, 0 * F.sign(a), axis=0), 0),
}
KEPT: dict[str, Row] = {
    "scale": lambda a: 2 * a - 0.1, "sum": lambda a: F.sum(a, 1)[:, None], "mean": lambda a: F.mean(a, 1)[:, None],
    "product": lambda a: F.einsum("nd,nd->n", a, F.exp(F.sigmoid(a)))[:, None],
    "largest": lambda a: F.max(a, 1)[:, None],
    "transposed": lambda a: a.T[::-1].T, "shifted": lambda a: F.roll(a, 1, 0),
    "twice": lambda a: F.concat(a, a, axis=1),
}


def draw(names: Mapping[str, Any]) -> st.SearchStrategy[str]:
    return st.sampled_from(list(names))


def composed(inner: list[str], weights: int, view: str, choice: str, outer: str) -> Model:
    """A choice by rows of some function of x, whose rows stay apart."""
    model = Model("random")
    n = model.dim("N")
    x, keep = model.param("x", (n, 3)), model.data("m", (n, 1))
    row = x
    for k, name in enumerate(inner):
        row = ({**INNER, **SHAPED})[name](row)
        if k == weights:
            w = model.param("w", (evaluate_shape(row.shape[1:], {})[0], 2))
            row = row @ w + model.param("b", (2,))
    out, mask = (part(a) for part, a in zip(VIEWS[view], (row, keep), strict=True))
    model.loss("L", F.sum(OUTER[outer](CHOICES[choice](mask, out))))
    return model


@RANDOM
@given(st.lists(draw({**INNER, **SHAPED}), min_size=1, max_size=5), st.integers(0, 5), draw(VIEWS), draw(CHOICES),
       draw(OUTER), st.lists(st.sampled_from(BAD), min_size=3, max_size=3))
def test_random_compositions(tmp_path_factory: pytest.TempPathFactory, inner: list[str], weights: int, view: str,
                             choice: str, outer: str, bad: list[float]) -> None:
    model = composed(inner, weights, view, choice, outer)
    rng = np.random.default_rng(len(inner))
    keep = np.array([[1.0], [0.0], [1.0], [0.0]])
    fine = 0.5 + rng.random((4, 3))
    params = {name: rng.normal(size=evaluate_shape(row.shape, {"N": 4})) for name, row in model.targets().items()}
    spoilt = {"x": np.where(keep, fine, [bad])}
    with np.errstate(all="ignore"):
        grads = emit(model, tmp_path_factory.mktemp("m")).loss_and_grads({**params, "x": fine}, {"m": keep})[1]
    if all(np.isfinite(g).all() for g in grads.values()):
        same_as_harmless(model, {**params, "x": fine}, {"m": keep}, spoilt, tmp_path_factory.mktemp("m"))


@RANDOM
@given(draw(SINGULAR), st.lists(draw(KEPT), max_size=4), draw(CUT), draw(OUTER))
def test_random_cuts(tmp_path_factory: pytest.TempPathFactory, singular: str, kept: list[str], cut: str,
                     outer: str) -> None:
    """What relu, maximum and minimum cut off may be infinite: the same gradient as where it is only negative."""
    function, bad, harmless = SINGULAR[singular]
    model = Model("random")
    x, w = model.param("x", (model.dim("N"), 3)), model.param("w", (3,))
    row = function(x) * F.exp(w)
    for name in kept:
        row = KEPT[name](row)
    model.loss("L", F.sum(OUTER[outer](CUT[cut](row))))
    fine = 1.5 + np.random.default_rng(len(kept)).random((4, 3))
    at = {"x": np.where([[True], [False], [True], [False]], fine, harmless), "w": np.array([0.1, -0.2, 0.3])}
    same_as_harmless(model, at, {}, {"x": np.where(at["x"] == harmless, bad, at["x"])}, tmp_path_factory.mktemp("m"))


@pytest.mark.filterwarnings("error")
def test_counts_of_zero_in_a_whole_poisson_loss_are_no_warning(tmp_path: Path) -> None:
    model = Model.parse("dim N\ndata k: N\nparam a: N\nloss L = F.poisson_nll_loss(a, k, full=True)")
    k = np.array([0.0, 1.0, 3.0])
    loss, grads = emit(model, tmp_path).loss_and_grads({"a": np.zeros(3)}, {"k": k})
    assert loss == pytest.approx(1 + (3 * np.log(3) - 3 + np.log(6 * np.pi) / 2) / 3)
    np.testing.assert_allclose(grads["a"], (1 - k) / 3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("form", [
    "exp(-exp(w))", "1 - exp(-exp(w))", "tanh(exp(w) * v)", "sigmoid(1 - 2*exp(w))", "erf(exp(2*w)^2)", "atan(sinh(w))",
    "silu(-exp(w) * v)", "softplus(-expm1(w))", "gelu(-v * exp(w))", "tanh(sum(exp(w[:, None] + v), axis=1))",
    "elu(-exp(w) * v)", "selu(1 - exp(w))",
])
def test_what_overflows_before_a_function_levels_off(form: str, level: int, tmp_path: Path) -> None:
    """0 times the infinite slope of exp is 0, which is its limit; and at -1000 nothing changes either."""
    module = emit(f"param w: 4, v: 4\nloss L = sum({form})", tmp_path, level=level)
    params = {"w": np.array([1000.0, -0.7, 0.4, 1000.0]), "v": np.ones(4)}
    grads = module.loss_and_grads(params, {})[1]
    assert not grads["w"][[0, 3]].any() and np.isfinite(grads["v"]).all()
    params["w"][[0, 3]] = 0.1  # what stands beside it is not changed
    np.testing.assert_allclose(grads["w"][1:3], module.loss_and_grads(params, {})[1]["w"][1:3], rtol=1e-12)
    assert grads["w"][1:3].all()


@pytest.mark.parametrize("text", [
    "dim N\ndata x: N\nparam t\nloss L = mean(softplus(exp(t) * x))",
    "dim N, D\ndata x: N x D\nparam s: D, W: D x D\nloss L = mean(tanh(exp(s) * (x @ W)))",
    "dim N, D\ndata x: N x D\nparam s: D, W: D x D\nloss L = mean(tanh((x * exp(s)) @ W))",
])
def test_scales_of_many_entries_stay_as_they_are_written(text: str) -> None:
    assert "selected" not in codegen(parse(text))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("form", "limit"), [
    ("atan(x**-1)", -1.0), ("atan(1/x)", -1.0), ("exp(-lgamma(x))", 1.0), ("sigmoid(-lgamma(x))", 1.0),
    ("erfcx(x**-1)", np.pi**-0.5), ("sigmoid(log(x))", 1.0),
])
def test_a_pole_is_no_overflow(form: str, limit: float, tmp_path: Path) -> None:
    """The slope behind it may go to any number: where that is not known it is NaN, as 0 times infinite is."""
    found = emit(f"param x: 2\nloss L = sum({form})", tmp_path).loss_and_grads({"x": np.array([0.0, 0.5])}, {})[1]["x"]
    assert np.isnan(found[0]) or found[0] == pytest.approx(limit)
    assert found[1] != 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("form", [
    "exp(-1/x^2)", "tanh(1/x)", "sigmoid(v/x)", "erf(1/x)*v", "softplus(-v/x^2)", "elu(-1/x^2)", "gelu(-1/abs(x))",
    "normal_pdf(v/x)", "exp(-rsqrt(abs(x)))", "expm1(-1/(2*x^2))", "normal_cdf(v/(x*x))", "exp(-(v + 1/abs(x)))",
])
def test_what_levels_off_as_an_exponential_is_flat_at_a_pole(form: str, level: int, tmp_path: Path) -> None:
    """The slopes were NaN, 0 times infinite, where the value was right: e^u has no slope where u is infinite as 1/x."""
    module = emit(f"param x: 5, v: 5\nloss L = sum({form})", tmp_path, level=level, along=["hvp"])
    params = {"x": np.array([1e-310, -1e-200, 1e-200, 0.7, 0.0]), "v": np.ones(5)}
    grads = module.loss_and_grads(params, {})[1]
    assert not grads["x"][[0, 1, 2, 4]].any() and grads["x"][3] and not np.isnan(grads["v"]).any()
    curved = module.hvp(params, {}, {"x": np.ones(5), "v": np.zeros(5)})["x"]
    assert not curved[[1, 2, 4]].any() and curved[3]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("loss", [
    "sum(r * nll(log(Z), a)) + sum(xlogy(Z, Z))", "sum(xlogy(Z, Z)) - sum(log(Z)[arange(4), a] * r)",
])
def test_entries_of_what_is_selected_are_set_in_an_array_of_their_own(loss: str, level: int) -> None:
    """Where all is finite where_selected(Z, Z) is Z itself: its entries were set in the cache, or in the parameter."""
    model = parse(f"data a: 4 int < 3, r: 4\nparam Z: 4 x 3\nloss L = {loss}")
    assert verify_source(codegen(model, level=level), model, seed=0).passed


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_gradient_that_is_what_it_guards_is_no_memory_of_the_cache(level: int, tmp_path: Path) -> None:
    """Where all is finite where_selected gives its argument back: changing the gradient changed the next one."""
    module = emit(Model.parse("dim N\ndata x: N\nparam w: N\nloss L = sum(xlogy(w, x))"), tmp_path, level=level)
    _, cache = module.forward({"w": np.array([1.0, 2.0])}, {"x": np.array([3.0, 4.0])})
    first = module.backward(cache)["w"]
    kept = first.copy()
    first += 7.0
    assert np.array_equal(module.backward(cache)["w"], kept)
