"""Twelve likelihoods of statistics, fitted: the models are the files in `likelihoods/`, the data simulated.

Each model text becomes a NumPy module, whose loss and gradients SciPy's `minimize` takes as they are:

    python examples/fit_likelihoods.py              # all twelve
    python examples/fit_likelihoods.py cox weibull
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from symbackprop import Model, codegen

MODELS = Path(__file__).with_name("likelihoods")
Arrays = dict[str, np.ndarray]
Problem = tuple[Arrays, Arrays]  # true parameters, data
Simulation = Callable[[np.random.Generator], Problem]
BETA = np.array([0.5, -1.0, 0.3])


def module(name: str) -> ModuleType:
    """The emitted module of a model text, imported from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(codegen(Model.load(MODELS / f"{name}.sbp")), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    return found


def flat(arrays: Arrays) -> np.ndarray:
    """All entries in one vector."""
    return np.concatenate([np.ravel(a) for a in arrays.values()])


def unflat(vector: np.ndarray, like: Arrays) -> Arrays:
    """The vector cut into arrays of these shapes."""
    ends = np.cumsum([np.size(a) for a in like.values()])
    return {n: part.reshape(np.shape(like[n])) for n, part in zip(like, np.split(vector, ends[:-1]), strict=True)}


def fit(name: str, start: Arrays, data: Arrays) -> tuple[OptimizeResult, Arrays]:
    """SciPy's result and the parameters at which the loss is least."""
    loss_and_grads = module(name).loss_and_grads

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        loss, grads = loss_and_grads(unflat(vector, start), data)
        return float(loss), flat({n: grads[n] for n in start})

    result = minimize(objective, flat(start), jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 500})
    return result, unflat(result.x, start)


# -- data as each model has it


def gaussian_process(rng: np.random.Generator) -> Problem:
    X = np.sort(rng.uniform(0, 10, (60, 1)), axis=0)
    K = 2.0**2 * np.exp(-((X - X.T) ** 2) / 2 / 1.5**2) + 0.3**2 * np.eye(60)
    true = {"log_length": np.log(1.5), "log_scale": np.log(2.0), "log_noise": np.log(0.3)}
    return true, {"X": X, "y": rng.multivariate_normal(np.zeros(60), K)}


def cox(rng: np.random.Generator) -> Problem:
    X = rng.normal(size=(300, 3))
    time, censored = rng.exponential(np.exp(-X @ BETA)), rng.exponential(2, 300)
    order = np.argsort(-np.minimum(time, censored))
    return {"beta": BETA}, {"X": X[order], "event": (time <= censored)[order] * 1.0}


def hidden_markov(rng: np.random.Generator) -> Problem:
    move, mu = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([-1.0, 2.0])
    states = [0]
    for _ in range(400):
        states.append(rng.choice(2, p=move[states[-1]]))
    true = {"start": np.zeros(2), "move": np.log(move), "mu": mu, "log_sd": np.log([0.7, 1.0])}
    return true, {"y": rng.normal(mu[states[1:]], np.array([0.7, 1.0])[states[1:]])}


def kalman(rng: np.random.Generator) -> Problem:
    A, m, y = np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros(2), []  # a level and its slope
    for _ in range(200):
        m = A @ m + rng.normal(size=2) * [0.5, 0.1]
        y.append(m[0] + rng.normal())
    true = {"log_q": np.log([0.25, 0.01]), "log_r": np.array(0.0)}
    return true, {"y": np.array(y), "A": A, "c": np.array([1.0, 0.0]), "m0": np.zeros(2), "P0": np.eye(2)}


def mixed_effects(rng: np.random.Generator) -> Problem:
    X, group = rng.normal(size=(400, 3)), rng.integers(0, 40, 400)
    y = X @ BETA + rng.normal(0, 0.8, 40)[group] + rng.normal(0, 0.5, 400)
    true = {"beta": BETA, "log_sd": np.log(0.5), "log_sd_group": np.log(0.8)}
    return true, {"X": X, "y": y, "group": group, "n": np.bincount(group, minlength=40) * 1.0}


def negative_binomial(rng: np.random.Generator) -> Problem:
    X = rng.normal(size=(500, 3))
    counts = rng.poisson(rng.gamma(3, np.exp(X @ BETA) / 3))
    return {"beta": BETA, "log_r": np.log(3.0)}, {"X": X, "y": counts * 1.0}


def weibull(rng: np.random.Generator) -> Problem:
    X = rng.normal(size=(300, 3))
    time, censored = np.exp(X @ BETA) * rng.weibull(1.7, 300), rng.exponential(3, 300)
    true = {"beta": BETA, "log_k": np.log(1.7)}
    return true, {"X": X, "time": np.minimum(time, censored), "event": (time <= censored) * 1.0}


def ordinal(rng: np.random.Generator) -> Problem:
    X = rng.normal(size=(600, 3))
    latent = X @ BETA + rng.logistic(size=600)
    true = {"beta": BETA, "first": np.array(-1.0), "step": np.log([1.2, 0.8])}
    return true, {"X": X, "y": np.searchsorted([-1.0, 0.2, 1.0], latent)}


def zero_inflated_poisson(rng: np.random.Generator) -> Problem:
    X, gamma = rng.normal(size=(600, 3)), np.array([1.0, 0.5, -0.5])
    none = rng.random(600) < 1 / (1 + np.exp(-X @ gamma))
    counts = np.where(none, 0, rng.poisson(np.exp(X @ BETA)))
    return {"beta": BETA, "gamma": gamma}, {"X": X, "y": counts * 1.0}


def predator_prey(rng: np.random.Generator) -> Problem:
    true = {"log_rate": np.log([1.0, 1.0]), "log_effect": np.log([0.5, 0.4])}
    data = {"x0": np.array([2.0, 1.0]), "h": np.array(0.1), "sign": np.array([1.0, -1.0]), "y": np.ones((60, 2))}
    path = module("predator_prey").outputs(true, data)["x"]
    return true, data | {"y": path * np.exp(rng.normal(0, 0.05, path.shape))}


def mixture(rng: np.random.Generator) -> Problem:
    mu, kind = np.array([[-2.0, 0.0], [2.0, 1.0], [0.0, 4.0]]), rng.choice(3, 500, p=[0.5, 0.3, 0.2])
    true = {"weight": np.log([0.5, 0.3, 0.2]), "mu": mu, "log_sd": np.log(np.full((3, 2), 0.8))}
    return true, {"X": rng.normal(mu[kind], 0.8)}


def ridge_path(rng: np.random.Generator) -> Problem:
    X, penalty = rng.normal(size=(100, 3)), np.array([0.01, 1.0, 100.0])
    y = X @ BETA + rng.normal(0, 0.5, 100)
    paths = [np.linalg.solve(X.T @ X + p * np.eye(3), X.T @ y) for p in penalty]
    return {"W": np.stack(paths, axis=1)}, {"X": X, "y": y, "penalty": penalty}


SIMULATED: dict[str, Simulation] = {f.__name__: f for f in (
    gaussian_process, cox, hidden_markov, kalman, mixed_effects, negative_binomial, weibull, ordinal,
    zero_inflated_poisson, predator_prey, mixture, ridge_path,
)}


def start_from(true: Arrays, rng: np.random.Generator) -> Arrays:
    """A start some way off the true parameters."""
    return {n: np.asarray(a + 0.3 * rng.normal(size=np.shape(a))) for n, a in true.items()}


def main(names: list[str]) -> bool:
    """Fits the models; whether every fit ended where the gradient is next to nothing, not above the true parameters."""
    good = True
    for name in names or SIMULATED:
        rng = np.random.default_rng(0)
        true, data = SIMULATED[name](rng)
        result, found = fit(name, start_from(true, rng), data)
        at_true = float(module(name).forward(true, data)[0])
        fitted = bool(np.abs(result.jac).max() < 1e-2 and result.fun <= at_true + 1e-6)
        good &= fitted
        print(f"{name}: loss {result.fun:.3f} after {result.nit} steps (at the true parameters {at_true:.3f})")
        for n, a in found.items():
            print(f"  {n:14} {np.array2string(a, precision=2)}".replace("\n", "\n  " + 15 * " "))
    return good


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
