"""Emitted modules at scales where probabilities underflow: loss and gradients as those of the stable form.

What is compared with is computed on the side of the logarithms: whatever view a model takes of p, NumPy takes of log p.
The long run:

    SYMBACKPROP_EXAMPLES=2000 python -m pytest tests/codegen/test_stability.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.core import functions as F
from symbackprop.core.reverse import grad
from symbackprop.derive import derive
from symbackprop.derive.stable import derive_stable
from symbackprop.model import load
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.model.zoo import names
from symbackprop.verified import verify_source
from symbackprop.verify.interpreter import evaluate
from symbackprop.verify.sampling import draw
from tests.codegen.helpers import emit

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "25"))
SCALES = (1.0, 40.0, 1000.0)
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 4))
HOT, SOFT, Y = np.eye(4)[[0, 2, 1]], np.abs(RNG.normal(size=(3, 4))), np.array([0, 2, 1])
V, B = RNG.normal(size=5), np.array([1.0, 0, 1, 0, 0.3])


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: Any) -> Any:
    return np.exp(-softplus(-x))


def lse(z: Any, axis: int = -1) -> Any:
    top = z.max(axis, keepdims=True)
    return (top + np.log(np.exp(z - top).sum(axis, keepdims=True))).squeeze(axis)


def log_softmax(z: Any) -> Any:
    return z - lse(z)[..., None]


P = "dim N, C\ndata t: N x C\nparam z: N x C\np = softmax(z)\n"
SHIFTED = """dim N, C
data t: N x C
param z: N x C
s = z - {}
e = exp(s)
p = e / sum(e, axis=1, keepdims=True)
loss L = -sum(t * log(p))"""
PICK = "dim N, C\ndata y: N int < C\nparam z: N x C\np = softmax(z)\n"
AVERAGE = "dim N, C\ndata t: N x C\nparam z: N x C\ne = exp(z)\n"
S = "dim N\ndata y: N\nparam z: N\na = sigmoid(z)\n"
X = "dim N\nparam z: N\n"
soft, picked = {"t": SOFT}, {"y": Y}
share = np.exp


def from_logits(weight: Any) -> Callable[[Any], tuple[Any, Any]]:
    """−Σ w log softmax(z) and its gradient p·Σw − w."""
    return lambda z: (-(weight * log_softmax(z)).sum(), share(log_softmax(z)) * weight.sum(-1, keepdims=True) - weight)


def logistic(z: Any) -> tuple[Any, Any]:
    return (B * softplus(-z) + (1 - B) * softplus(z)).sum(), sigmoid(z) - B


def average(of: Any) -> Callable[[Any], tuple[Any, Any]]:
    """Σ of·softmax(z) and its gradient p ⊙ (of − Σ of·p)."""
    def both(z: Any) -> tuple[Any, Any]:
        p = share(log_softmax(z))
        return (p * of).sum(), p * (of - (p * of).sum(-1, keepdims=True))

    return both


CASES: dict[str, tuple[str, Any, dict[str, Any], Callable[[Any], tuple[Any, Any]]]] = {
    "named softmax": (P + "loss L = -sum(sum(t*log(p), axis=1))", Z, soft, from_logits(SOFT)),
    "named log": (P + "lp = log(p)\nloss L = -sum(t*lp)", Z, soft, from_logits(SOFT)),
    "pick": (PICK + "loss L = -sum(log(pick(p, y)))", Z, picked, from_logits(HOT)),
    "pick, named": (PICK + "q = pick(p, y)\nloss L = -sum(log(q))", Z, picked, from_logits(HOT)),
    "one-hot and sum": (PICK + "loss L = -sum(log(sum(one_hot(y, C)*p, axis=1)))", Z, picked, from_logits(HOT)),
    "one-hot einsum": (PICK + 'loss L = -sum(log(einsum("ij,ij->i", one_hot(y, C), p)))', Z, picked, from_logits(HOT)),
    "transposed slices": (P + "loss L = -sum(t.T[1:]*log(p.T[1:]))", Z, soft, from_logits(SOFT * [0, 1, 1, 1])),
    "log of a quotient": (P + "loss L = -sum(t*log(p/2)) - log(2)*sum(t)", Z, soft, from_logits(SOFT)),
    "log of a mean": (P + "q = p\nloss L = -sum(t*log(mean(stack(p, q), axis=0)))", Z, soft, from_logits(SOFT)),
    "softmax by hand": (
        "dim N, C\ndata t: N x C\nparam z: N x C\ne = exp(z)\np = e/sum(e, axis=1, keepdims=True)\n"
        "loss L = -sum(t*log(p))", Z, soft, from_logits(SOFT)),
    "softmax by hand, shifted": (SHIFTED.format("max(z, axis=1, keepdims=True)"), Z, soft, from_logits(SOFT)),
    "softmax by hand, shifted by what is held": (SHIFTED.format("stop_gradient(max(z, axis=1))[:, None]"), Z, soft,
                                                 from_logits(SOFT)),
    "logistic": (S + "loss L = -sum(y*log(a) + (1-y)*log(1-a))", V, {"y": B}, logistic),
    "logistic, 1 - a named": (S + "b = 1 - a\nloss L = -sum(y*log(a) + (1-y)*log(b))", V, {"y": B}, logistic),
    "logistic, log1p": (S + "loss L = -sum(y*log(a) + (1-y)*log1p(-a))", V, {"y": B}, logistic),
    "logistic, exp": (X + "data y: N\na = 1/(1 + exp(-z))\nloss L = -sum(y*log(a) + (1-y)*log(1-a))", V, {"y": B},
                      logistic),
    "binary cross-entropy": (S + "loss L = sum(binary_cross_entropy(a, y))", V, {"y": B}, logistic),
    "of a view": (S + "loss L = sum(binary_cross_entropy(a[:], y))", V, {"y": B}, logistic),
    "complement of a complement": (S + "q = 1 - a\nloss L = -sum((1-y)*log(q) + y*log(1-q))", V, {"y": B}, logistic),
    "of an average": (X + "loss L = log(mean(exp(z))) + log(N)", V, {}, lambda z: (lse(z), share(log_softmax(z)))),
    "where there is a mask": (
        X + "data y: N\nq = where(y > 0, exp(z), 0)\nloss L = log(sum(q))", V, {"y": B},
        lambda z: (lse(z[B > 0]), share(np.where(B > 0, z, -np.inf) - lse(z[B > 0])))),
    "softmax by hand, transposed": (
        "dim N, C\nparam z: N x C\ne = exp(z).T\np = e/sum(e, axis=0)\nloss L = sum(p**2)", Z, {},
        lambda z: (np.sum(share(log_softmax(z))**2), 2*share(log_softmax(z))*(
            share(log_softmax(z)) - (share(log_softmax(z))**2).sum(-1, keepdims=True)))),
    "average": (AVERAGE + "loss L = sum(sum(t*e, axis=1)/sum(e, axis=1))", Z, soft, average(SOFT)),
    "average, of a product": (AVERAGE + "s = sum(e, axis=1, keepdims=True)\nc = e @ t.T\na = c/s\nloss L = sum(a)", Z,
                              soft, average(SOFT.sum(0))),
    "average, of one row": (AVERAGE + "loss L = sum(5*(e[0] @ t[0])/sum(e[0])) + 0*sum(e)", Z, soft, average(
        5 * SOFT * [[1], [0], [0]])),
    "focal": (S + "loss L = -sum((1-a)^2*log(a))", V, {"y": B}, lambda z: (
        (sigmoid(-z)**2 * softplus(-z)).sum(),
        -2*sigmoid(-z)**2*sigmoid(z)*softplus(-z) - sigmoid(-z)**3)),
    "logsumexp": (X + "e = exp(z)\ns = sum(e)\nloss L = log(s)", V, {}, lambda z: (lse(z), share(log_softmax(z)))),
    "log of two exponentials": (X + "loss L = sum(log(exp(z) + exp(2*z)))", V, {}, lambda z: (
        (z + softplus(z)).sum(), 1 + sigmoid(z))),
    "1/(1+e^-z)": (X + "loss L = sum(1/(1+exp(-z)))", V, {}, lambda z: (sigmoid(z).sum(), sigmoid(z)*sigmoid(-z))),
    "e^z/(1+e^z)": (X + "e = exp(z)\nloss L = sum(e/(1+e))", V, {}, lambda z: (
        sigmoid(z).sum(), sigmoid(z)*sigmoid(-z))),
    "silu by hand": (X + "loss L = sum(z/(1+exp(-z)))", V, {}, lambda z: (
        (z*sigmoid(z)).sum(), sigmoid(z)*(1 + z*sigmoid(-z)))),
    "tanh by hand": (X + "a = exp(z)\nb = exp(-z)\nloss L = sum((a - b)/(a + b))", V, {}, lambda z: (
        np.tanh(z).sum(), 4*sigmoid(2*z)*sigmoid(-2*z))),
    "log(1 - tanh^2)": (X + "h = tanh(z)\nloss L = sum(log(1 - h^2))", V, {}, lambda z: (
        2*(np.log(2) - z - softplus(-2*z)).sum(), -2*np.tanh(z))),
    "log(1 + tanh)": (X + "loss L = sum(log(1 + tanh(z)))", V, {}, lambda z: (
        (np.log(2) - softplus(-2*z)).sum(), 2*sigmoid(-2*z))),
    "entropy": (P + "loss L = -sum(p*log(p)) + 0*sum(t)", Z, soft, lambda z: (
        -(share(log_softmax(z))*log_softmax(z)).sum(),
        -share(log_softmax(z))*(log_softmax(z) - (share(log_softmax(z))*log_softmax(z)).sum(-1, keepdims=True)))),
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_losses_of_probabilities_at_every_scale(name: str, level: int, tmp_path: Path) -> None:
    text, z, data, right = CASES[name]
    module = emit(text, tmp_path, level=level)
    for scale in SCALES:
        with np.errstate(all="ignore"):
            loss, grads = module.loss_and_grads({"z": z * scale}, data)
        value, gradient = right(z * scale)
        np.testing.assert_allclose(loss, value, rtol=1e-9, atol=1e-9, err_msg=f"scale {scale}")
        np.testing.assert_allclose(grads["z"], gradient, rtol=1e-8, atol=1e-9, err_msg=f"scale {scale}")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_mixture_at_every_scale(level: int, tmp_path: Path) -> None:
    """log Σ w·e^z with weights that are given, of which nobody says that they are positive."""
    text = "dim N, C\ndata w: N x C\nparam z: N x C\nq = w*exp(z)\nloss L = sum(log(sum(q, axis=1)))"
    module = emit(text, tmp_path, level=level)
    for scale in SCALES:
        with np.errstate(all="ignore"):
            loss, grads = module.loss_and_grads({"z": scale * Z}, {"w": SOFT})
        logs = scale * Z + np.log(SOFT)
        np.testing.assert_allclose(loss, lse(logs).sum(), rtol=1e-12)
        np.testing.assert_allclose(grads["z"], share(log_softmax(logs)), rtol=1e-9, atol=1e-12)


LOOP = """dim T, N, C
data x: T x N x C, t: T x N x C, h[0]: N x C
param U: C x C
{before}for k in 1..T:
    z[k] = x[k] + h[k-1] @ U
    h[k] = tanh(z[k])
    o[k] = softmax(z[k])
{inside}
loss L = {loss}"""
LOOPS = {
    "of the stack": ("", "", "-sum(t*log(o))"),
    "in the body": ("", "    e[k] = sum(t[k]*log(o[k]))", "-sum(e)"),
    "of a slice of the stack": ("", "", "-sum(t[:-1]*log(o[:-1])) - sum(t[-1]*log(o[T]))"),
}


@pytest.mark.parametrize("name", LOOPS)
def test_logarithms_through_loops(name: str, tmp_path: Path) -> None:
    before, inside, loss = LOOPS[name]
    module = emit(LOOP.format(before=before, inside=inside, loss=loss), tmp_path)
    x, t = 1000 * RNG.normal(size=(3, 2, 4)), np.abs(RNG.normal(size=(3, 2, 4)))
    found, grads = module.loss_and_grads({"U": np.eye(4)}, {"x": x, "t": t, "h0": np.zeros((2, 4))})
    h, total = np.zeros((2, 4)), 0.0
    for k in range(3):
        z = x[k] + h
        h, total = np.tanh(z), total - (t[k] * log_softmax(z)).sum()
    assert np.isclose(found, total, rtol=1e-12) and np.isfinite(grads["U"]).all()


@pytest.mark.parametrize("loss", ["-log(p[T][1])", "-log(p[T][1]) - log(p[T][0]) + log(p[-1, 0])"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_log_of_the_last_value_that_a_loop_carries(loss: str, level: int, tmp_path: Path) -> None:
    text = "dim T, C\nparam z: T x C\np[0] = ones(C)\nfor t in 1..T:\n    p[t] = softmax(z[t] + p[t-1])\nloss L = "
    module = emit(text + loss, tmp_path, level=level)
    z = np.array([[1.0, 2.0], [1000.0, -1000.0]])
    found, grads = module.loss_and_grads({"z": z}, {})
    first = share(log_softmax(z[0] + 1))
    assert np.isclose(found, -log_softmax(z[1] + first)[1], rtol=1e-12) and np.isfinite(grads["z"]).all()
    np.testing.assert_allclose(grads["z"][1], [1, -1])
    if "p[-1" not in loss:
        assert module.forward({"z": np.zeros((0, 2))}, {})[0] == 0


def test_a_probability_from_outside_of_the_loop(tmp_path: Path) -> None:
    text = """dim T, N
param z: T x N, w: N
p = softmax(z)
q = softmax(w)
c[0] = 0*sum(w)
for k in 1..T:
    c[k] = c[k-1] - log(p[k][0]) - log(q[1])
loss L = c[T]"""
    module = emit(text, tmp_path)
    z, w = 1000 * RNG.normal(size=(3, 4)), 1000 * RNG.normal(size=4)
    found, grads = module.loss_and_grads({"z": z, "w": w}, {})
    assert np.isclose(found, -log_softmax(z)[:, 0].sum() - 3 * log_softmax(w)[1], rtol=1e-12)
    np.testing.assert_allclose(grads["z"], share(log_softmax(z)) - np.eye(4)[0], atol=1e-12)
    np.testing.assert_allclose(grads["w"], 3 * (share(log_softmax(w)) - np.eye(4)[1]), atol=1e-12)


def test_comments_name_the_identity(tmp_path: Path) -> None:
    from symbackprop.codegen import codegen

    assert "log_p = log(p) = z − " in codegen(parse(CASES["named softmax"][0]), level=0)
    assert "# p = softmax(z), log_p = log(p)" in codegen(parse(CASES["named softmax"][0]))
    assert "= 1 / (1 + exp(−z)) = sigmoid(z)" in codegen(parse(CASES["1/(1+e^-z)"][0]))


@pytest.mark.parametrize(("shift", "taken"), [
    ("max(z, axis=1, keepdims=True)", True), ("max(z)", True), ("stop_gradient(max(z, axis=1))[:, None]", True),
    ("max(z, axis=0, keepdims=True)", False), ("max(z, axis=1)", False), ("max(t, axis=1, keepdims=True)", False),
])
def test_a_softmax_takes_the_largest_entry_away_itself(shift: str, taken: bool) -> None:
    """And only the largest one of what it is of, along its own axis."""
    from symbackprop.codegen import codegen

    model = parse(SHIFTED.format(shift).replace("N x C", "C x C").replace("dim N, C", "dim C"))
    assert ("softmax_log(z, " in codegen(model)) is taken
    assert verify_source(codegen(model), model).passed


@pytest.mark.parametrize("a", [
    "sum(t*e, axis=0)/sum(e, axis=1)", "(e @ t)/sum(e, axis=1)", "(e @ t.T)/sum(e, axis=0)",
    "(e.T @ t)/sum(e, axis=0)[:, None]",
    "(e.T @ t)/sum(e, axis=0)", "sum(e*e*t, axis=1)/sum(e, axis=1)", "(e @ e)/sum(e, axis=1, keepdims=True)",
    "sum(e + t, axis=1)/sum(e, axis=1)", "sum(t*e, axis=1, keepdims=True)/sum(e, axis=1)", "sum(e*t)/sum(e, axis=1)",
    'einsum("ijk,k->ji", e[:, :, None] + t, t[0])/sum(e[:, :, None] + t, axis=2)',
    'einsum("ijk,k->ji", exp(z[:, :, None] + t), t[0])/sum(exp(z[:, :, None] + t), axis=2)',
    'einsum("ijk,k->ij", exp(z[:, :, None] + t), t[0])/sum(exp(z[:, :, None] + t), axis=2)',
    "sum(t/e, axis=1)/sum(e, axis=1)", "sum(t*e^2, axis=1)/sum(e, axis=1)", "trace(e)/sum(e, axis=1)",
])
@pytest.mark.parametrize("level", [0, 2])
def test_quotients_by_sums_along_other_axes_are_what_they_are(a: str, level: int) -> None:
    from symbackprop.codegen import codegen

    model = parse(f"dim C\ndata t: C x C\nparam z: C x C\ne = exp(z)\na = {a}\nloss L = sum(a^2)")
    assert verify_source(codegen(model, level=level), model).passed


def _forward(source: str) -> str:
    return source[source.index("def forward"):source.index("def backward")]


@pytest.mark.parametrize(("loss", "together"), [
    ("-sum(t*log_softmax(z))", True), ("-sum(t*log_softmax(z, axis=0))", True), ("sum(t*log(softmax(z)))", False),
    ("-sum(t*log_softmax(z)) + mean(cross_entropy(z, y))", False), ("mean(cross_entropy(z, y))", False),
    ("sum(log_softmax(z)*log_softmax(z, axis=0))", True),
])
@pytest.mark.parametrize("level", [1, 2])
def test_the_logarithm_of_a_softmax_comes_with_it(loss: str, together: bool, level: int, tmp_path: Path) -> None:
    """And nothing is subtracted twice; where something else reads the largest entries, these are there."""
    from symbackprop.codegen import codegen

    model = parse(f"dim N, C\ndata t: N x C, y: N int < C\nparam z: N x C\nloss L = {loss} + 0*sum(t)*y[0]")
    source = codegen(model, level=level)
    assert ("softmax_log(z, " in source) is together and (" top, " in _forward(source)) is not together
    given = {"z": Z}, {"t": SOFT, "y": Y}
    found, grads = emit(model, tmp_path, level=level).loss_and_grads(*given)
    right, slopes = emit(model, tmp_path, level=0).loss_and_grads(*given)
    np.testing.assert_allclose(found, right, rtol=1e-13)
    np.testing.assert_allclose(grads["z"], slopes["z"], rtol=1e-12, atol=1e-13)


def test_logits_that_are_shifted_by_hand_keep_their_digits(tmp_path: Path) -> None:
    """log Σe^z of logits far from 0 has fewer than log Σe^(z − max z)."""
    text = ("dim N, C\ndata t: N x C\nparam z: N x C\ns = z - max(z, axis=1, keepdims=True)\ne = exp(s)\n"
            "p = e/sum(e, axis=1, keepdims=True)\nloss L = -sum(t*log(p))")
    z = (np.array([[8.0, 0, 1, 2]]) + 1e6).astype(np.float32)
    loss, _ = emit(parse(text), tmp_path).forward({"z": z}, {"t": np.float32([[1, 0, 0, 0]])})
    assert abs(loss - np.log1p(np.exp([-8.0, -7, -6]).sum())) < 1e-6


FAR = {
    "cross-entropy": "mean(cross_entropy(z, y))",
    "weighted, some ignored": "mean(cross_entropy(z, y, weights=t[0], ignore_index=1))",
    "of a distribution": "mean(cross_entropy(z, t))",
    "smoothed": "mean(smoothed_cross_entropy(z, y))",
    "log-softmax": "-sum(t*log_softmax(z))",
    "along the other axis": "-sum(t*log_softmax(z, axis=0))",
    "log of a softmax": "-sum(t*log(softmax(z)))",
    "log of an entry": "-mean(log(pick(softmax(z), y)))",
    "spelled out": "mean(log(sum(exp(z), axis=1)) - pick(z, y))",
    "masked": "mean(logsumexp(where(t > 0.1, z, -inf), axis=1) - z[:, 0])",
    "all entries": "logsumexp(z) - z[0, 1]",
    "two totals": "sum(logsumexp(z, axis=1) - logsumexp(z[:, :2], axis=1))",
    "beside other terms": "sum(t*(3*t + z - logsumexp(z, axis=1, keepdims=True)))",
    "under an exponential": "sum(t*exp(z - logsumexp(z, axis=1, keepdims=True)))",
    "a power": "sum(t*softmax(z)^0.3)",
    "two exponentials": "sum(logaddexp(z[:, 0], z[:, 1]) - z[:, 0])",
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", FAR)
def test_differences_of_logits_keep_their_digits_far_from_0(name: str, level: int, tmp_path: Path) -> None:
    """In float32, where log Σe^z about 10⁶ is a multiple of 1/16; held to the same numbers about 0."""
    text = f"dim N, C\ndata t: N x C, y: N int < C\nparam z: N x C\nloss L = {FAR[name]} + 0*sum(t)*y[0]"
    module = emit(parse(text), tmp_path, level=level)
    t = SOFT.astype(np.float32) / 4
    for offset in (0, 1e4, 1e6):
        z = (4 * Z + offset).astype(np.float32)
        loss, grads = module.loss_and_grads({"z": z}, {"t": t, "y": Y})
        exact = z.astype(float) - offset
        right, slopes = module.loss_and_grads({"z": exact}, {"t": t.astype(float), "y": Y})
        np.testing.assert_allclose(loss, right, rtol=5e-7, atol=5e-7, err_msg=f"{offset:g}")
        np.testing.assert_allclose(grads["z"], slopes["z"], rtol=1e-5, atol=5e-7, err_msg=f"{offset:g}")


def test_two_numbers_for_a_softmax_by_hand(tmp_path: Path) -> None:
    """What a module holds itself to above is what the definition says."""
    module = emit(parse(P + "loss L = -log(p[0, 1]) + 0*sum(t)"), tmp_path)
    z = (4 * Z + 1e6).astype(np.float32)
    loss, _ = module.loss_and_grads({"z": z}, {"t": np.float32(SOFT)})
    assert abs(loss + log_softmax(z.astype(float) - 1e6)[0, 1]) < 1e-6


@pytest.mark.parametrize(("loss", "joined"), [
    ("sum(y*log(a) + (1-y)*log(1-a))", True), ("sum(2*y*log(a) + 2*(1-y)*log(1-a) + z)", True),
    ("sum(z*(y*log(a) + (1-y)*log(1-a)))", True), ("sum((1-y)*log(a) + y*log(1-a))", True),
    ("sum(y*log(a) + (2-y)*log(1-a))", False), ("sum(y*log(a) + 3*(1-y)*log(1-a))", False),
    ("sum(y*log(a) + (1-y)*log(a))", False), ("sum(y*log(a) + (1-y)*log(1-sigmoid(2*z)))", False),
])
def test_both_outcomes_of_one_logit_are_one_function(loss: str, joined: bool) -> None:
    from symbackprop.codegen import codegen

    model = parse(S + f"loss L = {loss}")
    source = codegen(model)
    assert ("logit_loss(" in source) is joined
    assert verify_source(source, model).passed


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("text", [
    "dim N, D\ninput x: N x D, s: N x 1\noutput y = x / s",
    "dim N, D\ninput x: N x D, s: N x 1\ndata r: N x D\noutput y = r * (x - r) / s",
    "dim N, D\ninput x: N x D\ns = sum(x, axis=1, keepdims=True)\noutput y = x / s",
])
def test_a_gradient_of_0_over_a_subnormal_number_is_0(text: str, level: int, tmp_path: Path) -> None:
    """1/s is infinite there, and no factor."""
    model = parse(text)
    shapes = {"x": (2, 3), "s": (2, 1), "r": (2, 3)}
    module = emit(model, tmp_path, level=level)
    _, cache = module.forward({}, {n: np.full(shapes[n], 1e-310) for n in model.leaves()})
    for slopes in module.backward(cache, np.zeros((2, 3))).values():
        np.testing.assert_array_equal(slopes, 0)


def test_what_is_emitted_leaves_the_declared_model_alone() -> None:
    from symbackprop.codegen import codegen

    text = CASES["named log"][0]
    model = parse(text)
    codegen(model)
    assert derive(model).text() == derive(parse(text)).text() and "log(p)" in derive(model).text()


def test_gradients_that_are_declared_are_swept_again(tmp_path: Path) -> None:
    model = Model("hvp")
    size = model.dims("N C")
    z, t, v = model.input("z", size), model.data("t", size), model.data("v", size)
    p = model.let("p", F.softmax(z))
    loss = model.let("l", -F.sum(t * F.log(p)))
    g = model.let("g", grad(loss, [z])[0])
    model.output("Hv", grad(g, [z], seed=v)[0])
    module = emit(model, tmp_path)
    q, u = share(log_softmax(1000 * Z)), RNG.normal(size=Z.shape)
    found, cache = module.forward({}, {"z": 1000 * Z, "t": SOFT, "v": u})
    weight = SOFT.sum(-1, keepdims=True)
    np.testing.assert_allclose(found, weight * q * (u - (u * q).sum(-1, keepdims=True)), atol=1e-12)
    np.testing.assert_allclose(module.outputs({}, {"z": 1000 * Z, "t": SOFT, "v": u})["g"], q * weight - SOFT)
    assert np.isfinite(module.backward(cache, u)["z"]).all()


def test_a_requested_gradient_of_a_probability_is_the_declared_one(tmp_path: Path) -> None:
    module = emit(P + "loss L = -sum(t*log(p)) + sum(p**2)", tmp_path, wrt=["p", "z"])
    p = share(log_softmax(Z))
    grads = module.loss_and_grads({"z": Z}, soft)[1]
    np.testing.assert_allclose(grads["p"], 2 * p - SOFT / p)
    np.testing.assert_allclose(grads["z"], from_logits(SOFT)(Z)[1] + p * (2 * p - (2 * p * p).sum(-1, keepdims=True)))


@pytest.mark.parametrize("name", names())
def test_the_emitted_sweep_has_the_gradients_of_the_derived_one(name: str) -> None:
    _same_gradients(load(name))


@pytest.mark.parametrize("name", CASES)
def test_stable_rows_have_the_declared_gradients(name: str) -> None:
    _same_gradients(parse(CASES[name][0]))


@pytest.mark.parametrize("text", [*[text for text, *_ in CASES.values()], *[
    P + "m = logsumexp(z, axis=1)\nl = m[:, None] - z\nloss L = sum(t*l)",
    P + "e = exp(z)\ns = sum(e, axis=1, keepdims=True)\nq = e/s\nl = log(q)\nloss L = -sum(t*l*p)",
    P + "a = logaddexp(z[:, 0], z[:, 1])\nb = a - z[:, 0]\nloss L = sum(b*t[:, 0])"]])
def test_every_intermediate_has_the_declared_gradient(text: str) -> None:
    """The stable rows go around some of them."""
    model = parse(text)
    _same_gradients(model, [*model.intermediates()])


def _same_gradients(model: Any, wrt: Any = None) -> None:
    declared, stable = derive(model, wrt).gradients, derive_stable(model, wrt).gradients
    sizes = model.default_sizes()
    sample = draw(model, sizes, np.random.default_rng(0))
    values = sample.values | {row.name: sample.upstream[name] for name, row in model.upstream.items()}
    rows = [*declared.values(), *stable.values()]
    with np.errstate(all="ignore"):
        found = evaluate(rows, values, sizes)
    for name, a, b in zip(declared, found[: len(declared)], found[len(declared) :], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=name)


SIGNED = {
    "terms of a sum": "q = x*exp(z)\nloss L = sum(log(exp(2*z) + q))",
    "a weighted sum": "loss L = log(sum(x*exp(z)))",
    "a named weighted sum": "e = x*exp(z)\ns = sum(e)\nloss L = log(s)",
    "the largest": "loss L = log(max(x*exp(z)))",
    "chosen by a mask": 'q = x*exp(z)\nloss L = log(einsum("i,i->", z > -1, q))',
    "a square": "q = x*exp(z)\nloss L = sum(log(q^2))",
    "labels that are none": "p = sigmoid(z)\nloss L = sum(log(x*p + (1 - x)*(1 - p)))",
    "a product": "q = x*exp(z)\nr = x*sigmoid(z)\nloss L = sum(log(q*r))",
    "a quotient": "q = x*exp(z)\nr = x*sigmoid(z)\nloss L = sum(log(q/r))",
    "normalised": "e = where(x > -1, x*exp(z), 0)\np = e/sum(e)\nloss L = sum(p^2)",
    "in the body of a loop": "q = x*exp(z)\nc[0] = 0*sum(z)\nfor k in 1..N:\n"
                             "    c[k] = c[k-1] + (log(sum(q*exp(z[k]))) - z[k])/N\n"
                             "loss L = c[N]",
    "a stack of a loop": "for k in 1..N:\n    q[k] = x[k]*exp(z[k])\nloss L = log(sum(q))",
}


@pytest.mark.parametrize("name", SIGNED)
def test_weights_of_either_sign(name: str, tmp_path: Path) -> None:
    """log(Σ w·e^z) is defined where single terms are negative: no logarithm is taken of them."""
    module = emit("dim N\ndata x: N\nparam z: N\n" + SIGNED[name], tmp_path)
    z, x = np.array([0.3, 0.7, -0.2, 1.1]), np.array([1.5, -0.4, 0.8, 0.9])
    steps = 1e-6 * np.vstack([np.eye(4), -np.eye(4)])
    with np.errstate(invalid="ignore"):
        loss, grads = module.loss_and_grads({"z": z}, {"x": x})
        moved = np.array([module.loss_and_grads({"z": z + d}, {"x": x})[0] for d in steps])
    q, r = x * np.exp(z), x * sigmoid(z)
    right = {"terms of a sum": np.log(np.exp(2 * z) + q).sum(), "the largest": np.log(q.max()),
             "a square": np.log(q**2).sum(), "a product": np.log(q * r).sum(), "a quotient": np.log(q / r).sum(),
             "normalised": ((q / q.sum()) ** 2).sum(),
             "labels that are none": np.log(x * sigmoid(z) + (1 - x) * sigmoid(-z)).sum()}
    assert np.isclose(loss, right.get(name, np.log(q.sum())), rtol=1e-12)
    np.testing.assert_allclose(grads["z"], (moved[:4] - moved[4:]) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("expression", "value"), [
    ("log(sum([exp(x), exp(y)]))", np.logaddexp(800, -3)), ("sum(log([exp(x), sigmoid(y)]))", 800 - softplus(3)),
    ("log(prod([exp(x), exp(y)]))", 797.0)])
def test_the_logs_of_a_list_of_numbers(expression: str, value: float, level: int, tmp_path: Path) -> None:
    module = emit(f"param x, y\nloss L = {expression}", tmp_path, level=level)
    loss, grads = module.loss_and_grads({"x": np.float64(800), "y": np.float64(-3)}, {})
    assert np.isclose(loss, value, rtol=1e-14)
    assert all(map(np.isfinite, grads.values()))


VIEWS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "transpose": ("{0}.T", lambda a: a.T),
    "rows": ("{0}[1:]", lambda a: a[1:]),
    "reversed": ("{0}[::-1]", lambda a: a[::-1]),
    "flat": ("reshape(reshape({0}, (-1,)), (2, -1))", lambda a: a.reshape(-1).reshape(2, -1)),
    "twice": ("concat({0}, {0})", lambda a: np.concatenate([a, a])),
    "square": ("{0}^2", lambda a: 2 * a),
    "product": ("{0}*{0}", lambda a: 2 * a),
    "scaled": ("{0}/4", lambda a: a - np.log(4)),
    "choice": ("where({0} > 2, 1, {0})", lambda a: np.where(a > np.log(2), 0, a)),
    "largest": ("max({0}, axis=0, keepdims=True)", lambda a: a.max(0, keepdims=True)),
    "summed": ("sum({0}, axis=1, keepdims=True)", lambda a: lse(a)[:, None]),
    "mixed": ("{0} + {0}", lambda a: a + np.log(2)),
}
STARTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "softmax": ("softmax(z)", log_softmax),
    "sigmoid": ("sigmoid(z)", lambda z: -softplus(-z)),
    "exp": ("exp(z)", lambda z: z),
    "logistic": ("1/(1 + exp(-z))", lambda z: -softplus(-z)),
    "complement": ("1 - sigmoid(z)", lambda z: -softplus(z)),
}


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(sorted(STARTS)), st.lists(st.tuples(st.sampled_from(sorted(VIEWS)), st.booleans()), max_size=4),
       st.sampled_from([0, 1, 2]))
def test_the_log_of_anything_made_of_a_probability(
    start: str, chain: list[tuple[str, bool]], level: int
) -> None:
    expression, on_logs = STARTS[start]
    lines, steps = [], [on_logs]
    for k, (view, named) in enumerate(chain):
        if named:
            lines.append(f"v{k} = {expression}")
        expression = VIEWS[view][0].format(f"v{k}" if named else f"({expression})")
        steps.append(VIEWS[view][1])
    text = "\n".join(["param z: 4 x 6", *lines, f"output Y = log({expression})"])
    with TemporaryDirectory() as folder:
        module = emit(text, Path(folder), level=level)
    for scale in (1.0, 900.0):
        z = scale * np.random.default_rng(len(chain)).normal(size=(4, 6))
        expected = z
        for step in steps:
            expected = step(expected)
        with np.errstate(all="ignore"):
            found, cache = module.forward({"z": z}, {})
            grads = module.backward(cache, np.ones_like(expected))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        assert np.isfinite(grads["z"]).all()


def test_a_gate_may_be_narrow_where_its_input_is_far_out(tmp_path: Path) -> None:
    module = emit("param x\nparam b\nloss L = swish(x, b)", tmp_path)
    gate, fall = 0.7310585786300049, 0.19661193324148185  # σ(1) and σ'(1)
    for b in (1e-14, 1e-60, 1e-99):
        loss, grads = module.loss_and_grads({"x": 1 / b, "b": b}, {})
        found = [loss * b, grads["x"], grads["b"] * b * b]
        np.testing.assert_allclose(found, [gate, gate + fall, fall], rtol=1e-12)


def test_logs_are_found_however_long_the_chain(tmp_path: Path) -> None:
    """Under products that underflow; along a residual stream, where the search was refused as nested too deeply."""
    n = 200
    z = RNG.normal(size=n) - 4
    chain = "p0 = sigmoid(z[0])\n" + "".join(f"p{k} = p{k - 1}*sigmoid(z[{k}])\n" for k in range(1, n))
    loss, grads = emit(f"param z: {n}\n{chain}loss L = log(p{n - 1})\n", tmp_path).loss_and_grads({"z": z}, {})
    assert loss < -750
    np.testing.assert_allclose(loss, -softplus(-z).sum())
    np.testing.assert_allclose(grads["z"], sigmoid(-z))
    stream = "".join(f"h{k + 1} = h{k} + w*tanh(h{k})\n" for k in range(n))
    module = emit(f"data h0: 3\nparam w\n{stream}loss L = sqrt(mean(h{n}^2) + 1e-5)\n", tmp_path)
    h = h0 = np.array([0.1, -0.2, 0.3])
    for _ in range(n):
        h = h + 0.01 * np.tanh(h)
    loss, _ = module.loss_and_grads({"w": 0.01}, {"h0": h0})
    np.testing.assert_allclose(loss, np.sqrt(np.mean(h**2) + 1e-5))


INTERVALS = [(-30, -29), (-12, -9), (-3, 2), (-0.5, 0.25), (9, 12), (29, 30)]


@pytest.mark.parametrize("at", INTERVALS)
@pytest.mark.parametrize(("loss", "value"), [
    ("log(erfc(a) - erfc(b))", lambda mp, a, b: mp.erfc(a) - mp.erfc(b)),
    ("log(erf(b) - erf(a))", lambda mp, a, b: mp.erf(b) - mp.erf(a)),
    ("log(exp(b) - exp(a))", lambda mp, a, b: mp.exp(b) - mp.exp(a)),
    ("log(tanh(b) - tanh(a))", lambda mp, a, b: mp.tanh(b) - mp.tanh(a)),
    ("log(sigmoid(b) - sigmoid(a))", lambda mp, a, b: 1 / (1 + mp.exp(-b)) - 1 / (1 + mp.exp(-a))),
    ("log(normal_cdf(b) - normal_cdf(a))", lambda mp, a, b: mp.ncdf(b) - mp.ncdf(a)),
])
def test_logs_of_what_is_left_between_two_ends_in_both_tails(loss, value, at, tmp_path: Path) -> None:
    from mpmath import mp

    found, grads = emit(f"param a, b\nloss L = {loss}", tmp_path).loss_and_grads(
        {"a": np.float64(at[0]), "b": np.float64(at[1])}, {})
    with mp.workdps(900):
        a, b = map(mp.mpf, at)
        h = mp.mpf(10) ** -300
        right = [mp.log(value(mp, a, b)), mp.log(value(mp, a + h, b)), mp.log(value(mp, a, b + h))]
        slopes = [(x - right[0]) / h for x in right[1:]]
        np.testing.assert_allclose(found, float(right[0]), rtol=1e-12)
        np.testing.assert_allclose([grads["a"], grads["b"]], [*map(float, slopes)], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("rows", [[[1, 2, 3], [2, 4, 6], [1, 0, 1]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
                                  [[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[2, 1, 0], [1, 3, 1], [0, 1, -4]]])
def test_the_gradient_of_a_determinant_are_cofactors_also_of_a_singular_matrix(
    rows: list[list[int]], level: int, tmp_path: Path
) -> None:
    text = "param A: 3 x 3, s: 2\nB = s[:, None, None] * A\nd = det(B)\nloss L = sum(d^2 + 3*d) + det(A)"
    s, a = np.array([1.0, -2.0]), sp.Matrix(rows)
    cofactors, d = np.array(a.adjugate().T, float), float(a.det())
    _, grads = emit(text, tmp_path, level=level).loss_and_grads({"A": np.array(rows, float), "s": s}, {})
    inner = (2 * d * s**3 + 3) * s**2  # the gradient of det(sA) by sA, over cofactors of A
    np.testing.assert_allclose(grads["A"], (1 + np.sum(inner * s)) * cofactors, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grads["s"], 3 * inner * d, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("size", [1e-3, 1e3])
@pytest.mark.parametrize(("form", "times"), [("log(abs(det(A)))", 1), ("log(det(A))", 1), ("-log(det(A)^(-1/2))", 0.5)])
def test_the_log_of_a_determinant_is_finite_where_the_determinant_is_not(
    form: str, times: float, size: float, tmp_path: Path
) -> None:
    """It is (2·10³)³⁰⁰, or (2·10⁻³)³⁰⁰."""
    a = size * (np.eye(300) + np.tri(300))
    module = emit(f"dim N\nparam A: N x N\nloss L = {form}", tmp_path)
    found, grads = module.loss_and_grads({"A": a}, {})
    np.testing.assert_allclose(found, 300 * np.log(2 * size) * times, rtol=1e-12)
    np.testing.assert_allclose(grads["A"], np.linalg.inv(a).T * times, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_log_of_a_negative_determinant_is_nan(tmp_path: Path) -> None:
    loss, _ = emit("param A: 2 x 2\nloss L = log(det(A))", tmp_path).loss_and_grads({"A": np.diag([1.0, -2.0])}, {})
    assert np.isnan(loss)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("form", "of_a", "of_b"), [
    ("log(det(A) * det(B))", 1, 1), ("log(det(A) / det(B))", 1, -1), ("log(w * det(A))", 1, 0),
    ("log(det(A)^2 * det(B) * w)", 2, 1), ("log(sqrt(det(A) / det(B)))", 0.5, -0.5),
])
def test_two_negative_determinants_have_a_logarithm(form: str, of_a: float, of_b: float, size: float,
                                                     tmp_path: Path) -> None:
    """It was NaN, each having one of its own. (2·10³)³⁰⁰ and (2·10⁻³)³⁰⁰ are no floats; what is too small for one
    counts as positive."""
    sign = 1.0 if size < 1 else -1.0
    a = size * (np.eye(300) + np.tri(300)) * np.where(np.arange(300) == 7, sign, 1.0)
    module = emit(f"dim N\ndata w\nparam A: N x N, B: N x N\nloss L = {form}", tmp_path)
    found, grads = module.loss_and_grads({"A": a, "B": a.T.copy()}, {"w": sign})
    np.testing.assert_allclose(found, (of_a + of_b) * 300 * np.log(2 * size), rtol=1e-12, atol=1e-9)
    for name, power, matrix in (("A", of_a, a), ("B", of_b, a.T)):
        np.testing.assert_allclose(grads[name], power * np.linalg.inv(matrix).T, rtol=1e-12, atol=1e-12 / size)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_negative_determinant_beside_more_is_no_hazard_to_the_slope(level: int, tmp_path: Path) -> None:
    """The log of its side, of −1 or 1, was taken for a constant, whose NaN reached the gradient of what is chosen."""
    a = np.array([[0.1, 0.2], [0.3, 0.4]])
    found, grads = emit("param A: 2 x 2\nloss L = log(det(A) + 1)", tmp_path, level=level).loss_and_grads({"A": a}, {})
    det = np.linalg.det(a)
    np.testing.assert_allclose(found, np.log1p(det), rtol=1e-12)
    np.testing.assert_allclose(grads["A"], det * np.linalg.inv(a).T / (1 + det), rtol=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "slope"), [
    ("log(prod(sigmoid(x)))", lambda x: -softplus(-x).sum(), lambda x: sigmoid(-x)),
    ("-log(prod(where(x > 0, sigmoid(x), 1 - sigmoid(x))))", lambda x: softplus(-np.abs(x)).sum(),
     lambda x: -np.sign(x) * sigmoid(-np.abs(x))),
    ("log(min(sigmoid(x)))", lambda x: -softplus(-x).max(), lambda x: np.where(x == x.min(), sigmoid(-x), 0)),
    ("log(min(softmax(x)))", lambda x: log_softmax(x).min(), lambda x: (x == x.min()) - share(log_softmax(x))),
    ("log(prod(x^2))", lambda x: 2 * np.log(np.abs(x)).sum(), lambda x: 2 / x),
    ("log(1 - prod(sigmoid(x)))", lambda x: np.log(-np.expm1(-softplus(-x).sum())),
     lambda x: sigmoid(-x) / (1 - np.exp(softplus(-x).sum())) if x.sum() > -500 else 0 * x),
])
def test_logs_of_products_and_of_the_smallest(form, value, slope, level: int, tmp_path: Path) -> None:
    """The likelihood of many is 0 where its logarithm is −1100."""
    module = emit(f"dim N\nparam x: N\np = {form[4:-1] if form[0] == 'l' else form[5:-1]}\n"
                  f"loss L = {'' if form[0] == 'l' else '-'}log(p)", tmp_path, level=level)
    for x in (np.array([-500.0, -600.0, 3.0]), np.array([0.3, -2.0, 1.0])):
        loss, grads = module.loss_and_grads({"x": x}, {})
        np.testing.assert_allclose(loss, value(x), rtol=1e-12)
        np.testing.assert_allclose(grads["x"], slope(x), rtol=1e-11, atol=1e-13)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_product_of_either_sign_has_the_logarithm_of_its_value(tmp_path: Path) -> None:
    module = emit("param x: 2\nloss L = log(prod(x))", tmp_path)
    loss, grads = module.loss_and_grads({"x": np.array([-2.0, -4.0])}, {})
    np.testing.assert_allclose([loss, *grads["x"]], [np.log(8), -0.5, -0.25])
    assert np.isnan(module.loss_and_grads({"x": np.array([-2.0, 4.0])}, {})[0])


def test_the_log_of_softplus_is_derived_as_it_is_written() -> None:
    assert "dL/dx = σ(x)/softplus(x)" in derive(parse("param x\nloss L = log(softplus(x))")).text()


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "left"), [
    ("log(softplus(x))", 1), ("log(log(1 + exp(x)))", 1), ("log(softplus(x)^2)", 2), ("log(exp(x)*softplus(x))", 2),
    ("log(sqrt(softplus(x)))", 0.5), ("log(softplus(softplus(x)))", 0),
])
def test_the_log_of_softplus_in_its_tail(form: str, left: float, level: int, tmp_path: Path) -> None:
    """It was −∞ and its slope NaN, where it is x and 1."""
    module = emit(f"param x\nloss L = {form}", tmp_path, level=level, along=["hvp"])
    for x in (-1e5, -800.0):
        loss, grads = module.loss_and_grads({"x": x}, {})
        np.testing.assert_allclose([loss, grads["x"]], [left * x, left] if left else [np.log(np.log(2)), 0], rtol=1e-12)
        assert abs(module.hvp({"x": x}, {}, {"x": 1.0})["x"]) < 1e-300


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "total"), [
    ("sum(exp(w)*exp(-w))", 4.0), ("sum(exp(w)*exp(1-w))", 4 * np.e), ("mean(exp(w)*exp(-w)*v)", 0.5),
    ("sum((exp(w)*exp(-w))[1:])", 3.0),
])
def test_products_that_are_one_number_keep_their_shape(form: str, total: float, level: int, tmp_path: Path) -> None:
    """The number stood for all entries without their axes: codegen ended in an IndexError."""
    module = emit(parse(f"dim N\nparam w: N, v: N\nloss L = {form}"), tmp_path, level=level)
    loss, grads = module.loss_and_grads({"w": np.array([1.0, 2.0, 800.0, -3.0]), "v": np.full(4, 0.5)}, {})
    assert loss == pytest.approx(total)
    assert not grads["w"].any() and grads["w"].shape == (4,)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", ["atan(y/x)", "log(y/x)", "log(x*y)", "x/hypot(x, y)", "atan2(y, x)", "tanh(y/x)"])
def test_plain_floats_divide_as_arrays_do(form: str, tmp_path: Path) -> None:
    """A function of Python's floats ended in a ZeroDivisionError."""
    module = emit(parse(f"param x, y\nloss L = {form}"), tmp_path)
    found, known = [module.loss_and_grads({"x": zero, "y": zero + 1}, {}) for zero in (0.0, np.zeros(()))]
    np.testing.assert_equal(found, known)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("form, slope", [
    ("sigmoid(-log(x))", lambda x: -1 / (1 + x) ** 2), ("sigmoid(log(x) + 1)", lambda x: np.e / (1 + np.e * x) ** 2),
    ("tanh(log(x)/2)", lambda x: 2 / (1 + x) ** 2), ("elu(log(x))", lambda x: np.minimum(1, 1 / x)),
    ("1/(1 + exp(log(x)))", lambda x: -1 / (1 + x) ** 2), ("v*tanh(v*log(x))", lambda x: 2 / (1 + x) ** 2 / 2),
    ("(a - 1/a)/(a + 1/a)", lambda x: 2 / (1 + x) ** 2),
])
def test_what_has_levelled_off_at_log_0_has_a_slope(form: str, slope: Callable[[Any], Any], level: int, tmp_path: Path
                                                    ) -> None:
    """1 − tanh² is 0 where the slope of the logarithm behind it is 1e200: the product came out as 0."""
    module = emit(f"dim N\nparam x: N, v: N\nu = log(x)\na = exp(u/2)\nloss L = sum({form})", tmp_path, level=level)
    x = np.array([1e-200, 1e-30, 1e-9, 0.3, 2.0])
    _, grads = module.loss_and_grads({"x": x, "v": np.full(5, 0.5)}, {})
    np.testing.assert_allclose(grads["x"], slope(x), rtol=1e-12)


MEANS = {"tan": 1 / 3, "sinh": 1 / 6, "erf": -1 / 3, "asin": 1 / 6, "asinh": -1 / 6, "atan": -1 / 3, "atanh": 1 / 3,
         "sin": -1 / 6, "tanh": -1 / 3}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("power", [1, -1])
@pytest.mark.parametrize("name", MEANS)
def test_a_function_over_its_argument_near_0(name: str, power: int, level: int, tmp_path: Path) -> None:
    """f(x)/x is c·(1 + k·x²) near 0: it was NaN at 0, and its slope 0, or 3 times as large, at 1e-8."""
    form = f"{name}(x)/x" if power == 1 else f"x/{name}(x)"
    module = emit(f"param x: 6\nloss L = sum({form})".replace("\\n", "\n"), tmp_path, level=level, along=["hvp"])
    x, c = np.array([0.0, 1e-310, -1e-200, 1e-12, -1e-8, 1e-6]), 2 / np.sqrt(np.pi) if name == "erf" else 1.0
    params, k = {"x": x}, 2 * power * MEANS[name] * c**power
    loss, grads = module.loss_and_grads(params, {})
    np.testing.assert_allclose(loss, 6 * c**power, rtol=1e-11)
    np.testing.assert_allclose(grads["x"], k * x, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(module.hvp(params, {}, {"x": np.ones(6)})["x"], np.full(6, k), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "value"), [("asin", np.nan), ("atanh", np.nan), ("asinh", 0), ("atan", 0)])
def test_a_function_over_its_argument_at_infinity(name: str, value: float, tmp_path: Path) -> None:
    """Where the function is none, it was 0."""
    module = emit(f"param x\nloss L = {name}(x)/x", tmp_path)
    for x in (np.inf, -np.inf):
        np.testing.assert_array_equal(module.loss_and_grads({"x": x}, {})[0], value)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "slope"), [
    ("silu(x)/x", 1 / 2, 1 / 4), ("gelu(x)/x", 1 / 2, 1 / np.sqrt(2 * np.pi)), ("mish(x)/x", 0.6, 0.32),
    ("x/silu(x)", 2, -1), ("x/(x*(2 + sin(x)))", 1 / 2, -1 / 4),
])
def test_factors_that_cancel(form: str, value: float, slope: float, level: int, tmp_path: Path) -> None:
    module = emit(f"param x: 4\nloss L = sum({form})", tmp_path, level=level)
    loss, grads = module.loss_and_grads({"x": np.array([0.0, 1e-310, -1e-200, 1e-17])}, {})
    np.testing.assert_allclose([loss / 4, *grads["x"]], [value, *[slope] * 4], atol=1e-15)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_softplus_of_a_logarithm_at_0(level: int, tmp_path: Path) -> None:
    """It is log(1 + |x|), and its slope came out as NaN or 0."""
    module = emit("param x: 4\nloss L = sum(softplus(log(abs(x))))", tmp_path, level=level)
    loss, grads = module.loss_and_grads({"x": np.array([0.0, 1e-310, -1e-200, 3.0])}, {})
    np.testing.assert_allclose([loss, *grads["x"]], [np.log(4), 0, 1, -1, 0.25])


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "curved"), [
    ("cosh(abs(x))", 1), ("cos(abs(x))", -1), ("log_cosh(abs(x))", 1), ("i0(abs(x))", 0.5),
    ("normal_pdf(abs(x))", -1 / np.sqrt(2 * np.pi)),
])
def test_even_functions_of_a_size_are_curved_at_0(form: str, curved: float, level: int, tmp_path: Path) -> None:
    """The slope of |x| at 0, which is 0, made the second derivative 0."""
    module = emit(f"param x\nloss L = {form}", tmp_path, level=level, along=["hvp"])
    assert module.hvp({"x": 0.0}, {}, {"x": 1.0})["x"] == pytest.approx(curved)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "curve"), [
    ("tan(x)/sin(x)", 1, 1), ("sinh(x)/sin(x)", 1, 2 / 3), ("sin(x)/tanh(x)", 1, 1 / 3),
    ("sin(3*x)/sin(2*x)", 3 / 2, -5 / 2),
    ("erf(x^2)/x^2", 2 / np.sqrt(np.pi), 0), ("(1 - exp(-x^2))/x^2", 1, -1), ("sin(abs(x))/abs(x)", 1, -1 / 3),
    ("abs(x)/tanh(abs(x))", 1, 2 / 3), ("u/x\nu = sin(x)", 1, -1 / 3), ("sin(u)/x\nu = 2*x", 2, -8 / 3),
])
def test_functions_that_are_0_at_0_over_each_other(form: str, value: float, curve: float, level: int, tmp_path: Path
                                                   ) -> None:
    """They were NaN at 0, and their curvature next to it any number."""
    form, _, row = form.partition("\n")
    module = emit(f"param x: 5\n{row}\nloss L = sum({form})", tmp_path, level=level, along=["hvp"])
    x = np.array([0.0, 1e-310, -1e-200, 1e-12, -1e-8])
    loss, grads = module.loss_and_grads({"x": x}, {})
    np.testing.assert_allclose(loss, 5 * value, rtol=1e-11)
    np.testing.assert_allclose(grads["x"], curve * x, rtol=1e-9, atol=1e-15)
    curves = module.hvp({"x": x}, {}, {"x": np.ones(5)})["x"]
    np.testing.assert_allclose(curves, np.full(5, curve), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value"), [
    ("expm1(abs(x))/abs(x)", lambda x: np.expm1(x) / x), ("log1p(abs(x))/abs(x)", lambda x: np.log1p(x) / x),
    ("abs(x)/expm1(abs(x))", lambda x: x / np.expm1(x)), ("sinh(abs(x))/abs(x)", lambda x: np.sinh(x) / x),
])
def test_what_is_not_odd_is_of_the_size_of_its_argument(form: str, value: Callable[[Any], Any], level: int,
                                                        tmp_path: Path) -> None:
    x = np.array([-0.9, -0.1, 0.3])
    loss, _ = emit(f"param x: 3\nloss L = sum({form})", tmp_path, level=level).loss_and_grads({"x": x}, {})
    np.testing.assert_allclose(loss, value(abs(x)).sum(), rtol=1e-12)


ASINH_FAR = np.arcsinh(1e200)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "slope"), [
    ("x/erf(x)", 1), ("x/tanh(x)", 1), ("x/atan(x)", 2 / np.pi), ("x/asinh(x)", (ASINH_FAR - 1) / ASINH_FAR**2),
    ("x/sinh(x)", 0), ("x/expm1(x)", 0), ("tanh(x)/atan(x)", 0), ("asinh(x)/tanh(x)", 0),
])
def test_an_argument_over_its_function_far_out(form: str, slope: float, level: int, tmp_path: Path) -> None:
    """The slope of x/erf(x) was NaN at 1e200: of erf(x)/x, which is 1e-200 there, the square is 0."""
    module = emit(f"param x: 1\nloss L = sum({form})", tmp_path, level=level)
    with np.errstate(over="ignore"):  # of the slope of atan
        _, grads = module.loss_and_grads({"x": np.array([1e200])}, {})
    np.testing.assert_allclose(grads["x"], slope, rtol=1e-12, atol=1e-190)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "erf", "normal_cdf"])
def test_what_levels_off_behind_a_named_pole_is_flat(name: str, level: int, tmp_path: Path) -> None:
    module = emit(f"param x: 4\nu = 1/x\nloss L = sum({name}(u))", tmp_path, level=level, along=["hvp"])
    x = np.array([1e-310, -1e-310, 1e-200, -1e-200])
    with np.errstate(all="ignore"):
        _, grads = module.loss_and_grads({"x": x}, {})
        curves = module.hvp({"x": x}, {}, {"x": np.ones(4)})["x"]
    np.testing.assert_array_equal([grads["x"], curves], np.zeros((2, 4)))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "slope"), [
    ("(sigmoid(x) - 0.5)/x", 1 / 4, 0), ("(normal_cdf(x) - 1/2)/x", 1 / np.sqrt(2 * np.pi), 0),
    ("(2*sigmoid(x) - 1)/tanh(x)", 1 / 2, 0), ("(1 - 2*sigmoid(2*x))/x", -1, 0),
])
def test_what_is_a_half_at_0(form: str, value: float, slope: float, level: int, tmp_path: Path) -> None:
    module = emit(f"param x: 4\nloss L = sum({form})", tmp_path, level=level)
    loss, grads = module.loss_and_grads({"x": np.array([0.0, 1e-310, -1e-200, 1e-17])}, {})
    np.testing.assert_allclose([loss / 4, *grads["x"]], [value, *[slope] * 4], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_logarithm_of_tanh_far_out(level: int, tmp_path: Path) -> None:
    module = emit("param x: 4\nloss L = sum(log(tanh(x)))", tmp_path, level=level)
    x = np.array([1e-200, 1.0, 15.0, 300.0])
    for k in range(4):
        loss, grads = module.loss_and_grads({"x": np.full(4, x[k])}, {})
        e = np.exp(-2 * x[k])
        np.testing.assert_allclose(loss / 4, np.log(np.tanh(x[k])) if k < 2 else -2 * e, rtol=1e-9)
        np.testing.assert_allclose(grads["x"], 4 * e / -np.expm1(-4 * x[k]), rtol=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("form", ["sum(exp(x))/sum(exp(w))", "a/sum(exp(w))"])
def test_sums_of_exponentials_over_each_other(form: str, level: int, tmp_path: Path) -> None:
    module = emit(f"param x: 2, w: 2\na = sum(exp(x))\nloss L = {form}", tmp_path, level=level)
    with np.errstate(over="ignore"):  # of what has a name
        loss, grads = module.loss_and_grads({"x": np.array([1000.0, 0.0]), "w": np.array([1000.0, 1000.0])}, {})
    np.testing.assert_allclose([loss, *grads["x"], *grads["w"]], [0.5, 0.5, 0, -0.25, -0.25], rtol=1e-12)


def test_tan_undoes_atan(tmp_path: Path) -> None:
    module = emit("param x\nloss L = tan(atan(x))", tmp_path)
    assert module.loss_and_grads({"x": np.float64(1e200)}, {}) == (1e200, {"x": 1.0})


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "slope"), [("log(w @ exp(x))", np.exp(400)), ("log(sum(softmax(x)*w))", np.exp(400)),
                                             ("log(1e-30 + w @ softmax(x))", 1e30)])
def test_the_slope_by_a_weight_that_is_0(form: str, slope: float, level: int, tmp_path: Path) -> None:
    """It was e^80 where it is more, and 1e-109 for 1e30."""
    module = emit(f"param x: 2, w: 2\nloss L = {form}", tmp_path, level=level)
    _, grads = module.loss_and_grads({"x": np.array([400.0, 0.0]), "w": np.array([0.0, 1.0])}, {})
    np.testing.assert_allclose(grads["w"][0], slope, rtol=1e-11)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "slope"), [
    ("silu(x)/expm1(x)", 1 / 2, 0), ("sinh(x)/i1e(x)", 2, None), ("log1p(x)/gelu(x)", 2, -1 - 4 / np.sqrt(2 * np.pi)),
    ("gelu(x)/silu(x)", 1, 2 / np.sqrt(2 * np.pi) - 1 / 2), ("silu(2*x)/x", 1, 1), ("tanh(x)/silu(2*x)", 1, -1),
    ("gelu(3*x)/(3*x)", 1 / 2, 3 / np.sqrt(2 * np.pi)),
])
def test_products_of_an_argument_over_what_is_0_with_it(form: str, value: float, slope: float | None, level: int,
                                                        tmp_path: Path) -> None:
    module = emit(f"param x: 4\nloss L = sum({form})", tmp_path, level=level)
    loss, grads = module.loss_and_grads({"x": np.array([0.0, 1e-310, -1e-200, 1e-17])}, {})
    np.testing.assert_allclose(loss / 4, value, atol=1e-15)
    if slope is not None:  # of e^|x| it has a kink
        np.testing.assert_allclose(grads["x"], [slope]*4, atol=1e-15)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("form", ["cosh(x)^-2", "sinh(x)^-1", "exp(x)^-2", "expm1(x)^-3"])
def test_negative_powers_of_what_overflows(form: str, level: int, tmp_path: Path) -> None:
    """As 1/cosh(x)^2 is: its slope was NaN, 0 times infinite."""
    module = emit(f"param x\nloss L = {form}", tmp_path, level=level)
    assert module.loss_and_grads({"x": np.float64(800.0)}, {}) == (0.0, {"x": 0.0})


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "slope"), [
    ("cosh(x)*silu(x)", 1 / 2, 1 / 2), ("sinh(x)*silu(x)", -1 / 2, -1 / 2), ("exp(-x)*silu(x)", 1, 1),
    ("exp(x^2/2)*gelu(x)", None, 0), ("expm1(-x)*silu(x)", 1, 1),
])
def test_gated_products_beside_what_overflows(form: str, value: float | None, slope: float, level: int, tmp_path: Path
                                              ) -> None:
    """x·σ(x)·cosh(x) is x/2 far out on the left: it was 0 at -710, and NaN beyond."""
    module = emit(f"param x\nloss L = {form}", tmp_path, level=level)
    for x in (-710.0, -1e5):
        loss, grads = module.loss_and_grads({"x": np.float64(x)}, {})
        expected = -1 / np.sqrt(2 * np.pi) if value is None else value * x
        np.testing.assert_allclose([loss, grads["x"]], [expected, slope], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("text", "right", "left"), [  # value and slope at 800 and −800, or 0 and 1 with a constant
    ("tanh(x)/expm1(x)", (-800, -1), (0, 0)), ("erf(x)/sinh(x)", (np.log(2) - 800, -1), (np.log(2) - 800, 1)),
    ("expm1(x)/tanh(x)", (800, 1), (0, 0)), ("abs(sinh(x))", (800 - np.log(2), 1), (800 - np.log(2), -1)),
    ("expm1(x)^2*y", (1600, 2), (0, 0)), ("x*expm1(x)/800", (800, 1 + 1 / 800), (0, -1 / 800)),
    ("cosh(x) - 1", (800 - np.log(2), 1), (800 - np.log(2), -1)), ("1 + 4*sinh(x)^2", (1600, 2), (1600, -2)),
    ("exp(x) + 4*sinh(x)^2", (1600, 2), (1600, -2)), ("1 + 2*sinh(x)", (800, 1), None),
    ("abs(silu(x))", (np.log(800), 1 / 800), (np.log(800) - 800, 1 - 1 / 800)),
])
def test_the_log_of_a_product_of_what_has_either_sign_and_overflows(
    text: str, right: tuple[float, float], left: tuple[float, float] | None, level: int, tmp_path: Path,
) -> None:
    """It was −∞ or infinite, and its slope NaN."""
    module = emit(f"param x: 1\ndata y: 1\nloss L = sum(log({text}))", tmp_path, level=level, along=["hvp"])
    for at, limit in ((800.0, right), (-800.0, left)):
        given = {"x": np.array([at])}, {"y": np.ones(1)}
        loss, grads = module.loss_and_grads(*given) if limit is not None else (0, {"x": [0]})
        np.testing.assert_allclose([loss, grads["x"][0]], limit or (0, 0), rtol=1e-12, atol=1e-12)
        curve = module.hvp(*given, {"x": np.ones(1)})["x"] if limit is not None else 0
        np.testing.assert_allclose(curve, 0, atol=2e-6)  # of log |x|


@pytest.mark.parametrize(("text", "slope", "curve"), [
    ("1 + sinh(x)^2", 0, 2), ("exp(x) - sinh(x)^2", 1, -2), ("1 - cosh(x) + exp(x)", 1, -1),
    ("exp(x) + 2*sinh(x)^2*cosh(x)", 1, 4),
])
def test_the_log_of_a_sum_has_a_slope_where_a_square_in_it_is_0(text: str, slope: float, curve: float, tmp_path: Path
                                                                ) -> None:
    module = emit(f"param x: 2\nloss L = sum(log({text}))", tmp_path, along=["hvp"])
    given = {"x": np.array([0.0, 1e-200])}
    np.testing.assert_allclose(module.loss_and_grads(given, {})[1]["x"], np.full(2, slope), atol=1e-150)
    np.testing.assert_allclose(module.hvp(given, {}, {"x": np.ones(2)})["x"], np.full(2, curve), atol=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_quotient_by_what_is_minus_1_far_out_on_the_left(level: int, tmp_path: Path) -> None:
    """It was 1/2."""
    module = emit("param x\nloss L = tanh(x)/expm1(x)", tmp_path, level=level)
    assert module.loss_and_grads({"x": np.float64(-1e17)}, {}) == (1.0, {"x": 0.0})


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "value", "slope"), [
    ("w*log1p(x)/x", 1, -1 / 2), ("w*log(1 + x)/x", 1, -1 / 2), ("x*log1p(x)/x^2", 1, -1 / 2),
    ("atan(x)*log1p(x)/x^2", 1, -1 / 2), ("cos(x)*log1p(x)/sin(x)", 1, -1 / 2), ("x*log1p(3*x)/sin(x)^2", 3, -9 / 2),
])
def test_a_weight_beside_a_logarithm_over_its_argument(form: str, value: float, slope: float, level: int, tmp_path: Path
                                                       ) -> None:
    """Such a product is 0 where the weight is 0 beside log 0; it was so, or NaN, where both arguments are 0."""
    module = emit(f"param x: 4, w: 4\nloss L = sum({form})", tmp_path, level=level)
    params = {"x": np.array([0.0, 1e-310, -1e-200, 1e-17]), "w": np.ones(4)}
    loss, grads = module.loss_and_grads(params, {})
    np.testing.assert_allclose([loss / 4, *grads["x"]], [value, *[slope] * 4], atol=1e-15)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_weight_0_beside_such_a_quotient_at_log_0(level: int, tmp_path: Path) -> None:
    module = emit("param w, x\nloss L = w*log1p(x)/x", tmp_path, level=level)
    with np.errstate(all="ignore"):
        assert module.loss_and_grads({"w": 0.0, "x": -1.0}, {}) == (0.0, {"w": 0.0, "x": 0.0})


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("form", [
    "sum(log(1 - softmax(x, axis=0)[0]))", "sum(log(1 - softmax(x.T)[:, 0]))",
    "sum(log1p(-softmax(x.T)[arange(M), y]))", "sum(log(1 - p[0]))\np = softmax(x, axis=0)",
])
def test_the_log_of_what_an_entry_of_a_softmax_leaves(form: str, level: int, tmp_path: Path) -> None:
    """It was −∞, with slopes NaN, from 37 on."""
    form, _, row = form.partition("\n")
    text = f"dim N, M\nparam x: N x M\ndata y: M int < N\n{row}\nloss L = {form}"
    x = np.array([[1e3, 40.0, 1.0, -40.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    loss, grads = emit(text, tmp_path, level=level).loss_and_grads({"x": x}, {"y": np.zeros(4, int)})
    with mpmath.workdps(900):
        e = [[mpmath.exp(v) for v in row] for row in x.tolist()]
        rest = [e[1][k] + e[2][k] for k in range(4)]
        right = float(sum(mpmath.log(rest[k] / (rest[k] + e[0][k])) for k in range(4)))
        slopes = [[float((e[j][k] / rest[k] if j else 0) - e[j][k] / (rest[k] + e[0][k])) for k in range(4)]
                  for j in range(3)]
    np.testing.assert_allclose(loss, right, rtol=1e-12)
    np.testing.assert_allclose(grads["x"], slopes, rtol=1e-9, atol=1e-300)


def test_a_softmax_that_is_only_turned_leaves_all_of_it(tmp_path: Path) -> None:
    """What is taken of a softmax along an axis of one entry is not one entry of the axis that it adds up along."""
    module = emit("dim N\nparam x: N x 1\nloss L = sum(log(1 - softmax(x, axis=0).T))", tmp_path)
    np.testing.assert_allclose(module.loss_and_grads({"x": np.zeros((4, 1))}, {})[0], 4 * np.log(0.75))
