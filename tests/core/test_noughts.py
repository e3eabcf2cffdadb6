"""0·log 0: terms of weight 0 count as 0, in the loss and in every gradient, however the product is spelled."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from symbackprop import verify
from symbackprop.core import formula as f
from symbackprop.model.text import parse
from symbackprop.model.text.write import to_text
from tests.codegen.helpers import emit
from tests.core.helpers import close

MATRIX = "dim N, K\nparam t: N x K, q: N x K\n"
VECTOR = "dim N, K\nparam t: N x K, q: K\n"
WEIGHTS = np.array([[0.0, 0.3, 0.7], [0.0, 1.0, 0.0]])
PROBABILITIES = np.array([[0.0, 0.4, 0.6], [0.0, 0.2, 0.8]])
LOGITS = np.array([[-np.inf, 0.4, 2.0], [-np.inf, -1.0, 0.5]])

TERMS = [
    "sum(t * log(q))", "-sum(log(q) * t)", "mean(2 * t * log(q) / log(2))", "sum(t * log(q)**2)", "sum(t**2 * log(q))",
    "sum(t * (log(t) - log(q)))", "sum(t * log(t / q))", "sum(t * (1 - log(q)) * 3)", "-sum(q * log(q))",
    "mean(sum(q * log(q) - t * log(q), axis=1))", "sum(kl_divergence(t, q))", "sum(kl_divergence(t * q, q))",
    "sum(t.T * log(q.T))", "sum((t * log(q))[:, 1:]) + sum((t * log(q))[:, :1])", "sum(t * reshape(log(q), (N, K)))",
    "sum(-(q * log(q) + (1 - q) * log(1 - q)))", "sum(t * log(q) * tanh(q))", "exp(sum(t * log(q)))",
    "sum(t * normal_cdf(q) * log(q))", "sum(where(t < 2, t * log(q), 1))", "sum(entr(q) + t)",
]
NAMED = [
    "lq = log(q)\nloss L = sum(t * lq)", "lq = log(q)\ns = t * lq\nloss L = sum(s)",
    "k = log(t) - log(q)\nloss L = sum(t * k)",
    "u = t / q\nloss L = sum(t * log(u))", "a = (t + q) / 2\nloss L = sum(t * log(t / a)) + sum(q * log(q / a))",
    "lq = log(q)\nloss L = sum(t * lq) + sum(q * lq)", "lq = log(q).T\nloss L = sum(t.T * lq)",
    "for n in 1..N:\n    l[n] = log(q[n])\nloss L = sum(t * l)",
    "p = q * 1\nlp = log(p)\nloss L = -sum(p * lp) + sum(t)",
    "lq = log(q)\nloss L = dot(t[0], lq[0]) + dot(t[1], lq[1])", "loss L = dot(t[1], log(q[1])) - dot(t[0], log(q[0]))",
    'lq = log(q)\nloss L = sum(einsum("ij,ij->i", t, lq)**2)', "r = log(q[1])\nloss L = sum(t @ r) + q[0, 1]",
    'z = log(q)\nloss L = einsum("ij,ij->", z, t)',
]
SPREAD = ["sum(t * log(q))", "sum(t * (log(t) - log(q)))", "-mean(sum(t * log(q), axis=1) * 2)"]
LOSSES = [
    "sum(cross_entropy(q, t))", "-sum(t * log_softmax(q))", "-sum(t * log(softmax(q)))",
    "sum(kl_divergence(t, softmax(q)))", "sum(t * log(t / softmax(q)))",
    "-sum(t * (q - logsumexp(q, axis=1, keepdims=True)))",
    "-sum(t * ((q - logsumexp(q, axis=1, keepdims=True)) / 2 + 1))",
    "-sum(softmax(q) * log(softmax(q)))", "-sum(softmax(q) * log_softmax(q))",
    "sum(softmax(q) * (log(softmax(q)) - log(t)) * t)",
]


def run(text: str, folder: Path, level: int, t: Any, q: Any, dtype: str = "float64") -> list[Any]:
    module = emit(text, folder, level=level, dtype=dtype)
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads({"t": t.astype(dtype), "q": q.astype(dtype)}, {})
    return [loss, grads["t"], grads["q"]]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("loss", TERMS)
def test_weighted_logarithms(loss: str, level: int, tmp_path: Path) -> None:
    """At 0 beside the weight 0 all is finite, and as it is a little away from there."""
    found = run(MATRIX + f"loss L = {loss}", tmp_path, level, WEIGHTS, PROBABILITIES)
    near = np.where(PROBABILITIES == 0, 1e-200, PROBABILITIES)
    beside = run(MATRIX + f"loss L = {loss}", tmp_path, level, np.where(PROBABILITIES == 0, 1e-200, WEIGHTS), near)
    assert all(np.isfinite(x).all() for x in found), found
    for there, here in zip(found, beside, strict=True):
        close(np.where(PROBABILITIES == 0, 0, there), np.where(PROBABILITIES == 0, 0, here))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("lines", NAMED)
def test_named_logarithms_and_inner_products(lines: str, level: int, tmp_path: Path) -> None:
    """A name, a loop or a matrix product between the logarithm and its weight changes nothing."""
    found = run(MATRIX + lines, tmp_path, level, WEIGHTS, PROBABILITIES)
    near = np.where(PROBABILITIES == 0, 1e-200, PROBABILITIES)
    beside = run(MATRIX + lines, tmp_path, level, np.where(PROBABILITIES == 0, 1e-200, WEIGHTS), near)
    assert all(np.isfinite(x).all() for x in found), found
    for there, here in zip(found, beside, strict=True):
        close(np.where(PROBABILITIES == 0, 0, there), np.where(PROBABILITIES == 0, 0, here))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("loss", SPREAD)
def test_a_logarithm_that_is_broadcast(loss: str, level: int, tmp_path: Path) -> None:
    found = run(VECTOR + f"loss L = {loss}", tmp_path, level, WEIGHTS, PROBABILITIES[0])
    full = run(MATRIX + f"loss L = {loss}", tmp_path, level, WEIGHTS, np.array([PROBABILITIES[0]] * 2))
    assert all(np.isfinite(x).all() for x in found)
    close(found[0], full[0])
    close(found[1], full[1])
    close(found[2], full[2].sum(0))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_masked_class(loss: str, level: int, tmp_path: Path) -> None:
    """A logit of −∞ with target 0 is as good as no class at all."""
    found = run(MATRIX + f"loss L = {loss}", tmp_path, level, WEIGHTS, LOGITS)
    without = run(MATRIX + f"loss L = {loss}", tmp_path, level, WEIGHTS[:, 1:], LOGITS[:, 1:])
    assert all(np.isfinite(x).all() for x in found)
    close(found[0], without[0])
    close(found[1][:, 1:], without[1])
    close(found[2], np.pad(without[2], ((0, 0), (1, 0))))


def test_float32_stays_float32(tmp_path: Path) -> None:
    for level in (0, 1, 2):
        found = run(MATRIX + "loss L = sum(t * log(q))", tmp_path, level, WEIGHTS, PROBABILITIES, "float32")
        assert {x.dtype for x in found} == {np.dtype("float32")} and all(np.isfinite(x).all() for x in found)


def test_closed_forms(tmp_path: Path) -> None:
    loss, by_t, by_q = run(MATRIX + "loss L = sum(t * log(q))", tmp_path, 1, WEIGHTS, PROBABILITIES)
    safe = np.where(PROBABILITIES == 0, 1, PROBABILITIES)
    close(loss, (WEIGHTS * np.log(safe)).sum())
    close(by_t, np.log(safe))  # −∞ where both are 0, where the convention says 0; the weight 0 beside log 0.8 counts
    close(by_q, WEIGHTS / safe)
    _, _, by_q = run(MATRIX + "loss L = -sum(q * log(q)) + 0 * sum(t)", tmp_path, 1, WEIGHTS, PROBABILITIES)
    close(by_q, np.where(PROBABILITIES == 0, 0, -np.log(safe) - 1))


def test_a_weight_that_is_not_0_keeps_its_infinity(tmp_path: Path) -> None:
    loss, by_t, by_q = run("param t, q\nloss L = t * log(q)", tmp_path, 1, np.array(0.5), np.array(0.0))
    assert (loss, by_t, by_q) == (-np.inf, -np.inf, np.inf)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_in_a_loop(level: int, tmp_path: Path) -> None:
    step = "sum(t[n] * log(q[n])) + dot(t[n], l[n]) + dot(t[n], log(q[n]))"
    loop = f"l = log(q)\nfor n in 1..N:\n    s[n] = s[n-1] + {step}\nloss L = s[N] / 3"
    text = "dim N, K\nparam t: N x K, q: N x K\ndata s[0]\n" + loop
    module = emit(text, tmp_path, level=level)
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads({"t": WEIGHTS, "q": PROBABILITIES}, {"s0": 0.0})
    expected = run(MATRIX + "loss L = sum(t * log(q))", tmp_path, level, WEIGHTS, PROBABILITIES)
    for found, right in zip([loss, grads["t"], grads["q"]], expected, strict=True):
        close(found, right)


# -- what is printed


@pytest.mark.parametrize("loss", [*TERMS, *LOSSES])
def test_it_reads_as_it_was_written(loss: str) -> None:
    model = parse(MATRIX + f"loss L = {loss}")
    text = to_text(model)
    assert "nought" not in text
    assert to_text(parse(text)) == text


def test_noughts_of_one_weight_are_one() -> None:
    log, weight = f.Arg(0), f.Arg(1)
    assert f.nought(log, weight) + f.nought(f.ONE, weight) == f.nought(log + 1, weight)
    assert f.nought(-2 * log, weight) == -(2 * f.nought(log, weight))
    assert f.nought(log, weight) * weight / log == f.nought(weight, weight)
    assert f.nought(log, -2 * weight) == f.nought(log, weight)
    assert f.written(f.nought(log, weight) * 2 + 1) == 2 * log + 1


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("z", [1.0, -1.0, 100.0, -100.0, 1000.0, -1000.0])
def test_the_probability_of_what_happened(z: float, level: int, tmp_path: Path) -> None:
    """log(y·p + (1 − y)(1 − p)), as in the focal loss: a label of 0 or 1 adds a log 0 that is no part of the sum."""
    lines = "p = sigmoid(z)\nr = y * p + (1 - y) * (1 - p)\nloss L = -sum((1 - r)**2 * log(r))"
    module = emit("dim N\nparam z: N\ndata y: N\n" + lines, tmp_path, level=level)
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads({"z": np.array([z, -z])}, {"y": np.array([1.0, 0.0])})
    log, miss = -max(-z, 0) - np.log1p(np.exp(-abs(z))), 1 / (1 + np.exp(min(z, 700.0)))
    slope = 2 * miss**2 * (1 - miss) * log - miss**3
    close(loss, -2 * miss**2 * log)
    close(grads["z"], [slope, -slope])


@pytest.mark.parametrize("loss", ["kl_divergence(t, q)", "-sum(t*log(q))", "sum(t*log(t/q))"])
def test_a_term_whose_weight_and_argument_are_0_has_no_gradient(loss: str, tmp_path: Path) -> None:
    module = emit(f"dim N\ndata t: N\nparam q: N\nloss L = {loss}", tmp_path)
    with np.errstate(all="ignore"):
        grads = module.loss_and_grads({"q": np.array([0.5, 0.5, 0.0])}, {"t": np.array([0.5, 0.5, 0.0])})[1]
    np.testing.assert_array_equal(grads["q"], [-1.0, -1.0, 0.0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("form", "limit"), [
    ("sigmoid(v * log(x))", 1), ("exp(v * log(x))", 1), ("tanh(v * log(x) / 2)", 2), ("exp(dot(v, log(x)))", 1),
    ("exp(v @ log(x))", 1), ("exp(sum(stack(v, v) * log(x) / 2))", 1),
])
def test_a_slope_that_vanishes_is_no_weight(form: str, limit: float, level: int, tmp_path: Path) -> None:
    """Behind a function that levels off at log 0 the slope may have a limit other than 0: it is that, or NaN."""
    module = emit(f"dim N\nparam x: N, v: N\nloss L = sum({form})", tmp_path, level=level)
    found, without = [module.loss_and_grads({"x": np.zeros(1), "v": np.array([v])}, {})[1]["x"] for v in (1.0, 0.0)]
    assert np.isnan(found) or found == pytest.approx(limit)
    assert without == 0


def test_a_sum_of_what_one_weight_has_everywhere(tmp_path: Path) -> None:
    """The weight of all entries of the sum was taken for a sum of its own, which has no axes: a traceback."""
    lines = """
        dim T, H
        data X: T x H
        param u: H, a: H
        c = dot(a, u) / (maximum(norm(a), 1e-8) * maximum(norm(u), 1e-8))
        z = log_softmax(X)
        loss L = mean(where(pad(ones(1, H), 0, T-1, T) > 0, c * z, z))"""
    assert verify(parse(dedent(lines).strip())).passed
