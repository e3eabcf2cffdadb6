"""Optimisers as models: the update rule of one parameter in model text, printed and emitted like any other equations.

In a rule, ``w`` is the parameter, ``g`` its gradient, ``k`` the number of this step (from 1); names ending in ``_new``
replace the state of that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from symbackprop.errors import UsageError, did_you_mean
from symbackprop.model.model import Model


@dataclass(frozen=True)
class Optimizer:
    """An update rule: its equations, the state it keeps per parameter, its hyperparameters with their usual values."""

    name: str
    title: str
    source: str
    state: tuple[str, ...]
    hyperparameters: dict[str, float]
    equations: str

    @property
    def counts(self) -> bool:
        """Whether the rule reads the number of the step."""
        model = update_model(self.name)
        return model.graph.names["k"] in model.graph.topological(list(model.equations.values()))


_RECORDS = (
    Optimizer("sgd", "gradient descent", "", (), {"eta": 0.01}, "w_new = w - eta * g"),
    Optimizer(
        "momentum",
        "gradient descent with momentum",
        "Polyak 1964",
        ("v",),
        {"eta": 0.01, "mu": 0.9},
        "v_new = mu * v + g\nw_new = w - eta * v_new",
    ),
    Optimizer(
        "adagrad",
        "Adagrad",
        "Duchi, Hazan and Singer 2011",
        ("s",),
        {"eta": 0.01, "eps": 1e-10},
        "s_new = s + g ** 2\nw_new = w - eta * g / (sqrt(s_new) + eps)",
    ),
    Optimizer(
        "adam",
        "Adam",
        "Kingma and Ba 2015",
        ("m", "v"),
        {"eta": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        "m_new = beta1 * m + (1 - beta1) * g\n"
        "v_new = beta2 * v + (1 - beta2) * g ** 2\n"
        "m_hat = m_new / (1 - beta1 ** k)\n"
        "v_hat = v_new / (1 - beta2 ** k)\n"
        "w_new = w - eta * m_hat / (sqrt(v_hat) + eps)",
    ),
    Optimizer(
        "adamw",
        "Adam with decoupled weight decay",
        "Loshchilov and Hutter 2019",
        ("m", "v"),
        {"eta": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "decay": 0.01},
        "m_new = beta1 * m + (1 - beta1) * g\n"
        "v_new = beta2 * v + (1 - beta2) * g ** 2\n"
        "m_hat = m_new / (1 - beta1 ** k)\n"
        "v_hat = v_new / (1 - beta2 ** k)\n"
        "w_new = w - eta * m_hat / (sqrt(v_hat) + eps) - eta * decay * w",
    ),
)
OPTIMIZERS = {record.name: record for record in _RECORDS}


def optimizer(name: str) -> Optimizer:
    """The record of that name; a `UsageError` names the nearest."""
    if name not in OPTIMIZERS:
        raise UsageError(f"no optimizer {name!r}; there are {', '.join(OPTIMIZERS)}.{did_you_mean(name, OPTIMIZERS)}")
    return OPTIMIZERS[name]


@cache
def update_model(name: str) -> Model:
    """The rule as a model: everything but its equations is data, ``w_new`` is the output."""
    from symbackprop.model.text import parse

    record = optimizer(name)
    given = ["w", "g", "k", *record.state, *record.hyperparameters]
    equations = record.equations.replace("w_new =", "output w_new =")
    return parse(f"data {', '.join(given)}\n{equations}\n", name=name)
