"""Modules that are wrong on one side of a condition only, and random models with conditions to break."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.codegen import codegen
from symbackprop.model.text import parse
from symbackprop.verify import Report, load_module, verify_module


@cache
def emitted(text: str) -> ModuleType:
    """The module of a model text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_text(codegen(parse(text)), encoding="utf-8")
        return load_module(path)


def with_gradients_of(text: str, other: str) -> ModuleType:
    """The loss of one model with the gradients of another: they differ where the texts do."""
    right, wrong, made = emitted(text), emitted(other), ModuleType("made")

    def backward(cache: Any, upstream: float = 1.0) -> Any:
        return {n: (upstream * g).astype(g.dtype) for n, g in wrong.loss_and_grads(*cache)[1].items()}

    made.forward = lambda params, data: (right.forward(params, data)[0], (params, data))  # type: ignore[attr-defined]
    made.backward = backward  # type: ignore[attr-defined]
    return made


def check_halves(text: str, other: str, **options: Any) -> tuple[Report, Report]:
    """The reports on the right module of a model and on one with the gradients of the other text."""
    right, broken = (verify_module(m, parse(text), **options) for m in (emitted(text), with_gradients_of(text, other)))
    return right, broken


@dataclass(frozen=True)
class Branchy:
    """A random loss Σ where(c₁, a₁, where(c₂, a₂, …)): its declarations, conditions, branches and their derivatives."""

    declared: str
    conditions: tuple[str, ...]
    branches: tuple[tuple[str, str], ...]
    inner_first: bool

    def text(self, branches: tuple[str, ...]) -> str:
        return f"{self.declared}loss L = sum({self.chosen(branches)})"

    def chosen(self, parts: tuple[str, ...]) -> str:
        """The parts by the conditions, nested into the first or the second branch."""
        whole = parts[-1]
        for condition, part in zip(reversed(self.conditions), reversed(parts[:-1]), strict=True):
            first, second = (whole, part) if self.inner_first else (part, whole)
            whole = f"where({condition}, {first}, {second})"
        return whole

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(b[0] for b in self.branches)

    @property
    def derivatives(self) -> tuple[str, ...]:
        return tuple(b[1] for b in self.branches)


BRANCHES = [
    ("x^2", "2*x"), ("x^3", "3*x^2"), ("sin(x)", "cos(x)"), ("7*x", "7"), ("exp(x/9)", "exp(x/9)/9"), ("x*q", "q"),
    ("tanh(x)", "1 - tanh(x)^2"), ("-x^2", "-2*x"), ("x^2/2 + x", "x + 1"),
]
FLOATS = [
    "{u} > {t}", "{u} < -{t}", "{u} >= {t}", "{u} <= -{t}", "3*{u} - 1 > {t}", "sum({u}^2) > {t}", "abs({u}) < {t}",
    "{u} * q > {t}", "exp({u}) > {t}", "mean({u}) < -{t}", "sigmoid({u}) > 0.99999", "max({u}) > {t}",
    "({u} > {t}) + ({u} < -{t})", "{u}^2 < 1 / {t}", "minimum({u}, 2) < -{t}",
]
DATA = ["{u}", "{u} == {t}", "{u} != {t}", "{u} == 2*q - 1", "{u} > q + {t}"]
WHOLE = ["{u} == {k}", "{u} != {k}", "{u} > {k} - 1/2", "{u}", "({u} == {k}) * (x < 3)"]


def branchy(seed: int) -> Branchy:
    """A random model: every condition reads an array of its own, so that all sides can be met."""
    rng = random.Random(seed)
    declared, conditions = ["dim N", "param x: N", "data q: N"], []
    for k in range(rng.choice([1, 1, 2, 2, 3])):
        kind, shapes = rng.choice([("param", FLOATS), ("data", FLOATS + DATA), ("data", DATA), ("int", WHOLE)])
        declared.append(f"data u{k}: N int < 12" if kind == "int" else f"{kind} u{k}: N")
        threshold = rng.choice([1, 5, 30, 100, 2500, 40000])
        conditions.append(rng.choice(shapes).format(u=f"u{k}", t=threshold, k=rng.randrange(1, 12)))
    branches = rng.sample(BRANCHES, len(conditions) + 1)
    return Branchy("\n".join(declared) + "\n", tuple(conditions), tuple(branches), rng.random() < 0.5)
