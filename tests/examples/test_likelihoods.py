"""The likelihoods of `examples/fit_likelihoods.py` are those of SciPy's distributions; their gradients were verified as
the modules were written; fits end where they should."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.sweeps import few_in_ci

pytest.importorskip("scipy")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def program() -> Any:
    sys.path.insert(0, str(EXAMPLES))
    yield importlib.import_module("fit_likelihoods")
    sys.path.remove(str(EXAMPLES))


def normal(y: Any, covariance: Any) -> float:
    from scipy.stats import multivariate_normal

    return -float(multivariate_normal.logpdf(y, np.zeros(len(y)), covariance))


def gaussian_process(p: Any, d: Any) -> float:
    square = (d["X"] - d["X"].T) ** 2
    kernel = np.exp(2 * p["log_scale"] - square / 2 / np.exp(2 * p["log_length"]))
    return normal(d["y"], kernel + np.exp(2 * p["log_noise"]) * np.eye(len(square)))


def cox(p: Any, d: Any) -> float:
    risk = np.exp(d["X"] @ p["beta"])
    return -sum(np.log(risk[i] / risk[: i + 1].sum()) for i in np.flatnonzero(d["event"]))


def hidden_markov(p: Any, d: Any) -> float:
    from scipy.stats import norm

    move, loss = np.exp(p["move"]) / np.exp(p["move"]).sum(axis=1, keepdims=True), 0.0
    state = np.exp(p["start"]) / np.exp(p["start"]).sum()
    for y in d["y"]:
        state = state @ move * norm.pdf(y, p["mu"], np.exp(p["log_sd"]))
        loss, state = loss - np.log(state.sum()), state / state.sum()
    return float(loss)


def kalman(p: Any, d: Any) -> float:
    A, c, V, count = d["A"], d["c"], d["P0"], len(d["y"])
    covariance = np.exp(p["log_r"]) * np.eye(count)
    for s in range(count):
        V = A @ V @ A.T + np.diag(np.exp(p["log_q"]))
        ahead = V @ c
        for t in range(s, count):
            covariance[s, t] += c @ ahead
            covariance[t, s] = covariance[s, t]
            ahead = A @ ahead
    return normal(d["y"], covariance)


def mixed_effects(p: Any, d: Any) -> float:
    same = d["group"][:, None] == d["group"]
    variance = np.exp(2 * p["log_sd"]) * np.eye(len(same)) + np.exp(2 * p["log_sd_group"]) * same
    return normal(d["y"] - d["X"] @ p["beta"], variance)


def negative_binomial(p: Any, d: Any) -> float:
    from scipy.stats import nbinom

    r, mu = np.exp(p["log_r"]), np.exp(d["X"] @ p["beta"])
    return -float(nbinom.logpmf(d["y"], r, r / (r + mu)).sum())


def weibull(p: Any, d: Any) -> float:
    from scipy.stats import weibull_min

    law = weibull_min(np.exp(p["log_k"]), scale=np.exp(d["X"] @ p["beta"]))
    return -float(np.where(d["event"] == 1, law.logpdf(d["time"]), law.logsf(d["time"])).sum())


def ordinal(p: Any, d: Any) -> float:
    from scipy.stats import logistic

    cut = np.concatenate([[-np.inf], p["first"] + np.cumsum([0, *np.exp(p["step"])]), [np.inf]])
    eta = d["X"] @ p["beta"]
    return -float(np.log(logistic.cdf(cut[d["y"] + 1] - eta) - logistic.cdf(cut[d["y"]] - eta)).sum())


def zero_inflated_poisson(p: Any, d: Any) -> float:
    from scipy.stats import poisson

    none = 1 / (1 + np.exp(-d["X"] @ p["gamma"]))
    counts = poisson.pmf(d["y"], np.exp(d["X"] @ p["beta"]))
    return -float(np.log(none * (d["y"] == 0) + (1 - none) * counts).sum())


def predator_prey(p: Any, d: Any) -> float:
    from scipy.integrate import solve_ivp

    (a, c), (b, e) = np.exp(p["log_rate"]), np.exp(p["log_effect"])
    times = d["h"] * np.arange(1, len(d["y"]) + 1)
    path = solve_ivp(lambda _, x: [x[0] * (a - b * x[1]), x[1] * (e * x[0] - c)], (0, times[-1]), d["x0"],
                     t_eval=times, rtol=1e-10, atol=1e-10).y.T
    return float(((np.log(d["y"]) - np.log(path)) ** 2).sum())


def mixture(p: Any, d: Any) -> float:
    from scipy.stats import norm

    weight = np.exp(p["weight"]) / np.exp(p["weight"]).sum()
    parts = norm.pdf(d["X"][:, None], p["mu"], np.exp(p["log_sd"])).prod(axis=2)
    return -float(np.log(parts @ weight).sum())


def ridge_path(p: Any, d: Any) -> float:
    each = [np.sum((d["y"] - d["X"] @ w) ** 2) + c * w @ w for w, c in zip(p["W"].T, d["penalty"], strict=True)]
    return float(sum(each) / 2)


LIKELIHOODS: dict[str, Callable[[Any, Any], float]] = {f.__name__: f for f in (
    gaussian_process, cox, hidden_markov, kalman, mixed_effects, negative_binomial, weibull, ordinal,
    zero_inflated_poisson, predator_prey, mixture, ridge_path,
)}


def test_every_likelihood_is_compared(program: ModuleType) -> None:
    files = {path.stem for path in (EXAMPLES / "likelihoods").glob("*.sbp")}
    assert files == set(LIKELIHOODS) == set(program.SIMULATED)


@pytest.mark.parametrize("name", few_in_ci(LIKELIHOODS, 2))
def test_the_loss_is_the_likelihood(name: str, program: ModuleType) -> None:
    true, data = program.SIMULATED[name](np.random.default_rng(1))
    near = program.start_from(true, np.random.default_rng(2))
    loss = program.module(name).loss_and_grads(near, data)[0]
    rtol = 1e-5 if name == "predator_prey" else 1e-10  # steps of 0.1 against SciPy's
    np.testing.assert_allclose(loss, LIKELIHOODS[name](near, data), rtol=rtol)


def test_fits_end_at_the_least_loss(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["weibull", "ridge_path"])
    assert "weibull: loss 75.487" in capsys.readouterr().out
