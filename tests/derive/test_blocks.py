"""Compressed Hessians and Jacobians: the forms of the literature, and what differences of gradients give."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from symbackprop import Model, grad, hessian, jacobian, load
from symbackprop.codegen import codegen
from symbackprop.core.graph import Graph
from symbackprop.core.registry import OPS
from symbackprop.core.reverse import vjp
from symbackprop.core.shapes import evaluate_dim, evaluate_shape
from symbackprop.derive.compressed import Blocks, jacobian_of
from symbackprop.derive.push import NoPush
from symbackprop.derive.structure import BLOCK_DIAGONAL, DENSE, DIAGONAL, KRONECKER, KRONECKERS, LOW_RANK, SYMMETRIC
from symbackprop.errors import UsageError
from symbackprop.verify.interpreter import evaluate

STRUCTURES = {DIAGONAL, BLOCK_DIAGONAL, KRONECKER, KRONECKERS, LOW_RANK, SYMMETRIC, DENSE}
SIZES = {"N": 6, "D": 3, "C": 4, "H": 5, "n": 4, "m": 3, "k": 2, "T": 5}
LINEAR = "dim N, D\ndata X: N x D, y: N\nparam w: D\n"
SOFTMAX = "dim N, D, C\ndata X: N x D, y: N int < C\nparam W: D x C\nloss L = mean(cross_entropy(X @ W, y))"
CATALOGUE = {
    "logistic": LINEAR + "p = sigmoid(X @ w)\nloss L = mean(binary_cross_entropy(p, y))",
    "logits": LINEAR + "param b\nloss L = mean(binary_cross_entropy_with_logits(X @ w + b, y))",
    "quadratic": "dim n\ndata A: n x n\nparam x: n\nloss L = x @ A @ x",
    "symmetric": "dim n\ndata A: n x n symmetric\nparam x: n\nloss L = x @ A @ x",
    "ridge": LINEAR + "data lam\nr = X @ w - y\nloss L = sum(r**2)/2 + lam/2*sum(w**2)",
    "one-softmax": "dim D, C\ndata x: D, y: C simplex\nparam W: C x D\nloss L = cross_entropy(W @ x, y)",
    "softmax": SOFTMAX,
    "factors": "dim m, n, k\ndata M: m x n, O: m x n\nparam U: m x k, V: n x k\nloss L = sum((O*(U @ V.T - M))**2)",
    "logdet": "dim n\nparam X: n x n\nloss L = -logdet(X)",
    "gaussian": LINEAR + "param s\nr = y - X @ w\nloss L = N*s + sum(r**2) * exp(-2*s) / 2",
    "poisson": LINEAR + "eta = X @ w\nloss L = sum(exp(eta) - y*eta)",
    "several": "dim N, D, C\ndata X: N x D, Y: N x C\nparam W: D x C\nloss L = sum((X @ W - Y)**2)/2",
    "network": (
        "dim N, D, H, C\ndata X: N x D, y: N int < C\nparam W1: D x H, b1: H, W2: H x C, b2: C\n"
        "Z = tanh(X @ W1 + b1) @ W2 + b2\nloss L = mean(cross_entropy(Z, y))"
    ),
    "relu": "dim N, D, H\ndata X: N x D, y: N\nparam W: D x H, v: H\nloss L = mean((relu(X @ W) @ v - y)**2)",
    "reshaped": "dim n, k\nparam W: n x k\ndata c: n*k\nloss L = sum(exp(reshape(W.T, (n*k,)) * c))",
    "windows": "dim n\nparam w: n\nloss L = sum(w[1:] * w[:-1] ** 2) + w[0] ** 3",
}
STRUCTURE = {
    "logistic": "symmetric", "quadratic": "symmetric", "ridge": "symmetric", "one-softmax": "kronecker",
    "softmax": "sum of kronecker", "factors": "block diagonal", "logdet": "kronecker", "poisson": "symmetric",
    "several": "kronecker",
}


def values_of(model: Model, name: str) -> dict[str, Any]:
    """Numbers that fit: probabilities where they are stated or told as targets, a regular matrix."""
    rng, found = np.random.default_rng(len(name)), dict[str, Any]()
    for key, row in model.leaves().items():
        shape = evaluate_shape(row.shape, SIZES)
        if row.kind == "int":
            found[key] = rng.integers(0, evaluate_dim(row.attr.below, SIZES), shape)
            continue
        a = np.asarray(0.7 * rng.normal(size=shape))
        if row.attr.stated == "simplex" or (key == "y" and "binary" in model.text()):
            a = np.exp(a) / (np.exp(a).sum(-1, keepdims=True) if row.attr.stated else 1 + np.exp(a))
        a = a + a.T if row.attr.stated == "symmetric" else a
        found[key] = a + 3 * np.eye(len(a)) if name == "logdet" else a
    return found


def by_differences(model: Model, values: dict[str, Any], sizes: dict[str, int]) -> dict[tuple[str, str], Any]:
    """Central differences of the gradients."""
    params, step = model.params, 1e-5
    gradients = grad(model.loss_row, list(params.values()))
    found: dict[tuple[str, str], Any] = {}
    for name, base in {n: np.asarray(values[n]) for n in params}.items():
        for place in np.ndindex(*base.shape):
            ends = []
            for sign in (step, -step):
                moved = base.copy()
                moved[place] += sign
                ends.append(evaluate(gradients, {**values, name: moved}, sizes))
            for other, up, down in zip(params, *ends, strict=True):
                block = found.setdefault((other, name), np.zeros((*np.shape(up), *base.shape)))
                block[(..., *place)] = (up - down) / (2 * step)
    return found


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_block_is_the_slope_of_the_gradient(name: str) -> None:
    model = Model.parse(CATALOGUE[name])
    sizes = {k: v for k, v in SIZES.items() if k in model.sizes}
    values, blocks = values_of(model, name), hessian(model)
    want = by_differences(model, values, sizes)
    got = dict(zip(blocks, evaluate([b.dense for b in blocks.values()], values, sizes), strict=True))
    assert got.keys() == want.keys()
    diagonals = dict(zip(model.params, evaluate([blocks[n, n].diagonal for n in model.params], values, sizes),
                         strict=True))
    for key in want:
        assert np.abs(got[key] - want[key]).max() < 1e-7 * (1 + np.abs(want[key]).max()), key
        if key[0] == key[1]:
            flat = want[key].reshape(diagonals[key[0]].size, -1)
            assert np.abs(np.ravel(diagonals[key[0]]) - np.diag(flat)).max() < 1e-7 * (1 + np.abs(flat).max()), key
        assert np.allclose(got[key], np.moveaxis(got[key[::-1]], *_turn(blocks, key)), rtol=1e-12, atol=1e-12)


def _turn(blocks: Blocks, key: tuple[str, str]) -> tuple[list[int], list[int]]:
    """Rows and columns in each other's place."""
    rows, columns = (len(s) for s in blocks[key].shapes)
    return list(range(columns)), list(range(rows, rows + columns))


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure_shows_and_stays(name: str) -> None:
    blocks = hessian(Model.parse(CATALOGUE[name]))
    assert next(iter(blocks.values())).structure == STRUCTURE[name]
    assert all(block.structure in STRUCTURES for block in blocks.values())


def arrays(text: str) -> list[list[str]]:
    """What each part of the first block is made of, as model text."""
    block = next(iter(hessian(Model.parse(text)).values()))
    return [[str(x.row) for x in block.operands(part)] for part in block.parts]


def test_no_identity_matrix_is_kept() -> None:
    """Some of its rows, as eye(n)[1:], say which entries are read."""
    assert not any(re.search(r"eye\(\w+\)(?!\[)", str(row)) for text in CATALOGUE.values()
                   for block in hessian(Model.parse(text)).values() for row in block.arrays
                   if block.structure in ("diagonal", "block diagonal", "symmetric"))


def test_forms_of_the_literature() -> None:
    assert arrays(CATALOGUE["quadratic"]) == [["A.T + A"]]
    assert arrays(CATALOGUE["symmetric"]) == [["2 * A"]]
    assert arrays(CATALOGUE["ridge"]) == [["X.T @ X"], ["lam"]]
    assert arrays(CATALOGUE["several"]) == [["X.T @ X"]]
    assert arrays(CATALOGUE["logdet"]) == [["inv(X).T", "inv(X)"]]


def test_a_declared_distribution_adds_up_to_1() -> None:
    """No Σ y is left in the second derivative of a cross-entropy."""
    assert "y" not in {a.name for row in hessian(Model.parse(CATALOGUE["one-softmax"]))["W", "W"].arrays
                       for a in row.graph.topological([row])}


def test_jacobians() -> None:
    model = Model.parse("dim N, D, C\ndata X: N x D\nparam W: D x C\nP = softmax(X @ W)\noutput Y = P")
    by_w = jacobian(model, "P", "W")["P", "W"]
    assert by_w.shape == (*model.graph.names["P"].shape, *model.graph.names["W"].shape)
    z = Model.parse("dim C\nparam z: C\noutput p = softmax(z)")
    assert {part.structure for part in jacobian(z, "p", "z")["p", "z"].parts} == {"diagonal", "low rank"}


POINTS = {
    "a square of a norm at 0": ("param w: 2\nloss L = norm(w)**2", [0.0, 0.0], [[2, 0], [0, 2]]),
    "relu": ("param w: 3\nloss L = sum(relu(w)**2)", [-1.0, 0.0, 2.0], np.diag([0, 0, 2])),
    "ties of max": ("param w: 3\nloss L = max(w)**2", [1.0, 1.0, 0.0], [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]]),
    "margins": ("param w: 2\nloss L = sum(softplus(w))", [-800.0, 800.0], np.zeros((2, 2))),
    "log of a sigmoid": ("param w: 2\nloss L = sum(log(sigmoid(w)))", [-800.0, 800.0], np.zeros((2, 2))),
    "log of a softmax": ("param w: 2\nloss L = sum(log(softmax(w)))", [-800.0, 800.0], np.zeros((2, 2))),
    "a branch": ("param w: 3\nloss L = sum(where(w > 0, log(w), 0))", [-1.0, 0.0, 2.0], np.diag([0, 0, -0.25])),
    "logits far out": ("param w: 3\nloss L = logsumexp(w) - w[0]", [-800.0, 800.0, 0.0], np.zeros((3, 3))),
    "two largest logits": ("param w: 3\nloss L = logsumexp(w)", [800.0, 800.0, -800.0], [
        [0.25, -0.25, 0], [-0.25, 0.25, 0], [0, 0, 0]]),
    "a modulus": ("param w: 3\nloss L = sum(abs(w) * w**2)", [-1.0, 0.0, 1.0], np.diag([6, 0, 6])),
    "a Huber loss": ("param w: 4\nloss L = sum(smooth_l1(w, 0))", [-2.0, 0.0, 0.5, 800.0], np.diag([0, 1, 1, 0])),
    "smooth units far out": ("param w: 4\nloss L = sum(gelu(w) + silu(w))", [-800.0, 800.0, -90.0, 90.0],
                             np.zeros((4, 4))),
    "a quotient that is not taken": ("param w: 2\nloss L = sum(where(w == 0, w, 1 / w))", [0.0, 2.0],
                                     np.diag([0, 0.25])),
    "a root behind relu": ("param w: 2\nloss L = sum(sqrt(relu(w)))", [0.0, 1.0], np.diag([0, -0.25])),
}


@pytest.mark.parametrize("name", POINTS)
def test_special_points(name: str) -> None:
    text, at, want = POINTS[name]
    (block,) = hessian(Model.parse(text)).values()
    with np.errstate(all="ignore"):
        (got,) = evaluate([block.dense], {"w": np.array(at)})
    assert np.abs(got - np.array(want)).max() < 1e-12


@pytest.mark.parametrize(("op", "shapes", "place"), [
    ("solve", s.shapes, i) for s in OPS["solve"].samples for i in (0, 1)
] + [(name, s, 0) for name in ("det", "logdet", "cholesky") for s in (((3, 3),), ((2, 3, 3),))])
def test_slopes_of_functions_of_matrices_are_those_of_their_rules(op: str, shapes: Any, place: int) -> None:
    graph, rng = Graph(), np.random.default_rng(7)
    leaves = [graph.leaf(f"x{k}", s) for k, s in enumerate(shapes)]
    given = {f"x{k}": rng.normal(size=s) for k, s in enumerate(shapes)}
    given["x0"] = given["x0"] @ np.swapaxes(given["x0"], -1, -2) + np.eye(shapes[0][-1])
    row = graph.make(op, tuple(leaves))
    u = graph.leaf("u", row.shape)
    given["u"] = rng.normal(size=evaluate_shape(row.shape, {}))
    (block,) = jacobian_of(row, ["x"], [leaves[place]]).values()
    whole, expected = evaluate([block.dense, vjp([row], [u], [leaves[place]])[0]], given)
    assert np.abs(np.tensordot(given["u"], whole, row.ndim) - expected).max() < 1e-12 * (1 + np.abs(expected).max())


def test_what_has_no_compressed_form_says_so() -> None:
    loop = "dim T, N\ndata x: T x N\nparam w: N\ndata h[0]: N\nfor t in 1..T:\n    h[t] = tanh(h[t-1] * w + x[t])\n"
    with pytest.raises(NoPush, match=r"loop.*hvp"):
        hessian(Model.parse(loop + "loss L = sum(h[T])"))


@pytest.mark.parametrize("kind", ["hessian", "hessian_diagonal", "jacobian"])
def test_there_is_no_whole_derivative_by_nothing(kind: str) -> None:
    with pytest.raises(UsageError, match="is by parameters or inputs, and model has none"):
        codegen(Model.parse("n = tanh(2)\noutput o = n * 3"), whole=[kind])


def test_products_are_put_in_another_order_while_that_is_cheaper() -> None:
    """Of the last layer's windows one order was found after another, without an end."""
    assert "def hessian_diagonal" in codegen(load("conv-net"), whole=["hessian_diagonal"])


def test_a_number_stands_behind_what_it_is_compared_with() -> None:
    """In front of it a type checker takes the answer to be one truth value."""
    source = codegen(Model.parse("dim N\nparam w: N\nloss L = w[1]**3"), whole=["jacobian"], level=0)
    assert "(np.arange(N) == 1).astype" in source
