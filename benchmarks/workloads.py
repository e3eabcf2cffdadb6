"""The workloads: model texts with their sizes, data drawn for them, and the matrix products that they cannot avoid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from symbackprop import Model
from symbackprop.core.shapes import evaluate_shape

MODELS = Path(__file__).parent / "models"
Arrays = dict[str, Any]


class Product(NamedTuple):
    """``times`` products of arrays of these shapes; a shape with True beside it is read transposed."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    turned: tuple[bool, bool] = (False, False)
    times: int = 1


class Workload(NamedTuple):
    """One line of the table."""

    name: str
    title: str
    products: Callable[[Any], list[Product]]
    signs: bool = False  # the labels y are −1 and 1
    scalar: bool = False  # Python floats, in double precision
    text: str = ""  # the model text, where the name is another
    sizes: tuple[tuple[str, int], ...] = ()  # other than those of the text

    @property
    def kind(self) -> str:
        return self.text or self.name

    def model(self) -> Model:
        model = Model.load(MODELS / f"{self.kind}.sbp")
        model.resize(dict(self.sizes))
        return model

    def data(self, model: Model, dtype: str) -> Arrays:
        """Random data: Zipf-distributed words, initial states of zeros, everything else normal or uniform."""
        rng, sizes = np.random.default_rng(0), model.default_sizes()
        found: Arrays = {}
        for name, row in {**model.data_rows, **model.inputs}.items():
            shape = evaluate_shape(row.shape, sizes)
            if row.kind == "int":
                (below,) = evaluate_shape((row.attr.below,), sizes)
                found[name] = zipf(rng, shape, below) if name == "words" else rng.integers(0, below, shape)
            elif name in ("h0", "c0"):
                found[name] = np.zeros(shape, dtype)
            elif name == "y" and self.signs:
                found[name] = rng.choice([-1.0, 1.0], shape).astype(dtype)
            else:
                found[name] = rng.normal(size=shape).astype(dtype) if shape else float(rng.normal())
        return found


def zipf(rng: np.random.Generator, shape: tuple[int, ...], below: int) -> Any:
    """Words as text has them: a few are frequent."""
    drawn = rng.zipf(1.2, size=40 * int(np.prod(shape)))
    return (drawn[drawn <= below] - 1)[: int(np.prod(shape))].reshape(shape)


def layer(n: int, d: int, m: int, inputs: bool = True) -> list[Product]:
    """Forward, weight gradient and, where it is wanted, input gradient of n rows times a d×m matrix."""
    back = [Product((n, m), (d, m), (False, True))] if inputs else []
    return [Product((n, d), (d, m)), Product((n, d), (n, m), (True, False)), *back]


def _mlp(s: Any) -> list[Product]:
    return [*layer(s.N, s.D, s.H, inputs=False), *layer(s.N, s.H, s.C)]


def _window(s: Any) -> list[Product]:
    return [*layer(s.N, s.K * s.E, s.H), *layer(s.N, s.H, s.V)]


def _recurrent(s: Any, gates: int) -> list[Product]:
    """Input products and weight gradients over all steps at once, the recurrent ones step by step."""
    n, wide = s.T * s.N, gates * s.H
    steps = [Product((s.N, s.H), (s.H, wide), times=s.T), Product((s.N, wide), (wide, s.H), times=s.T)]
    over_all = [Product((n, s.H), (n, wide), (True, False))]
    return [*layer(n, s.D, wide, inputs=False), *steps, *over_all, *layer(n, s.H, s.C)]


def _transformer(s: Any) -> list[Product]:
    n, width = s.N * s.T, s.h * s.d
    head, scores = (s.N, s.h, s.T, s.d), (s.N, s.h, s.T, s.T)
    attention = [Product(head, head, (False, True), 2), Product(scores, head, times=4)]
    layers = [(width, 3 * width), (width, width), (width, s.F), (s.F, width), (width, s.V)]
    return [*attention, *[p for d, m in layers for p in layer(n, d, m)]]


def _conv(s: Any) -> list[Product]:
    first, second = layer(s.N * 28 * 28, 9, s.K, inputs=False), layer(s.N * 14 * 14, 9 * s.K, s.M)
    return [*first, *second, *layer(s.N, 49 * s.M, s.C)]


def _vector(s: Any) -> list[Product]:
    return [Product((s.N, s.D), (s.D,)), Product((s.N,), (s.N, s.D))]


WORKLOADS = (
    Workload("scalar", "W1 two weights, float64", lambda s: [], scalar=True),
    Workload(
        "tiny_mlp", "   MLP 10-32-3, batch 16", _mlp, text="mlp", sizes=(("N", 16), ("D", 10), ("H", 32), ("C", 3))
    ),
    Workload("mlp", "W2 MLP 784-256-10, batch 256", _mlp),
    Workload("window_lm", "W3 window LM, vocabulary 10k", _window),
    Workload("rnn", "W4 tanh RNN, 50 steps", lambda s: _recurrent(s, 1)),
    Workload("lstm", "W5 LSTM, 50 steps", lambda s: _recurrent(s, 4)),
    Workload("transformer", "W6 transformer block", _transformer),
    Workload("conv_net", "W7 conv net 28×28, batch 32", _conv),
    Workload("logistic", "W8 logistic, 10k × 500", _vector, signs=True),
    Workload("hinge", "W8 hinge, 10k × 500", _vector, signs=True),
)
