"""How fast emitted modules of single kernels are beside the best forward and backward pass that we could write by hand.

    python benchmarks/kernels.py                            # all, -O1, float32, one thread
    python benchmarks/kernels.py "max pool" sgns --level 2  # in their workspace

Prints the module's microseconds and its time divided by that of `by_hand`: **below 1, the module is faster**; last the
geometric mean. The module's time has all that a call costs, checks of what it is given too. Both run in one process, in
random order, and the allocator keeps what is freed, so that new memory costs neither of them page faults; what stands
in the table is the median of the ratios of all rounds. Before anything is timed, both are compared in double precision.
"""

from __future__ import annotations

import argparse
import sys

from emitted import start_again

KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}

if __name__ == "__main__":
    start_again(KEEPING)

import gc  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from math import exp, log  # noqa: E402
from pathlib import Path  # noqa: E402
from types import MappingProxyType, SimpleNamespace  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import by_hand  # noqa: E402
import numpy as np  # noqa: E402
from race import distance, loaded, repetitions  # noqa: E402

from symbackprop import Model, codegen  # noqa: E402
from symbackprop.core.shapes import evaluate_shape  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.derive.kernels import KERNELS  # noqa: E402

Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]


class Case(NamedTuple):
    """A kernel: its rival, its sizes, its text where the tests have none, and what is not drawn from a normal
    distribution."""

    rival: Callable[..., by_hand.Result]
    sizes: dict[str, int]
    text: str = ""
    drawn: Mapping[str, Draw] = MappingProxyType({})


# -- what is drawn


def simplex(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    e = np.exp(rng.normal(size=shape))
    return e / e.sum(axis=-1, keepdims=True)


def bits(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.integers(0, 2, shape).astype(float)


def unit(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    x = rng.normal(size=shape)
    return x / np.sqrt((x * x).sum(axis=-1, keepdims=True))


def below_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return -rng.uniform(0.1, 1, size=shape)


def between(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.uniform(0.1, 0.9, size=shape)


def log_shares(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape) - 4.5


MATRIX = {"N": 512, "D": 512}
LOGITS = {"N": 512, "V": 1000}
CASES = {
    "layer norm": Case(by_hand.layer_norm, MATRIX),
    "layer norm spelled": Case(by_hand.layer_norm, MATRIX),
    "batch norm": Case(by_hand.batch_norm, MATRIX),
    "batch norm spelled": Case(by_hand.batch_norm, MATRIX),
    "group norm": Case(by_hand.group_norm, {"N": 32, "G": 8, "C": 4, "S": 256}),
    "instance norm": Case(by_hand.instance_norm, {"N": 32, "C": 32, "S": 256}),
    "rms norm": Case(by_hand.rms_norm, MATRIX),
    "row norm": Case(by_hand.row_norm, MATRIX),
    "weight norm": Case(by_hand.weight_norm, {"N": 128, "D": 256, "M": 256}),
    "cosine spelled": Case(by_hand.cosine, MATRIX),
    "hard ce": Case(by_hand.hard_ce, LOGITS),
    "soft ce": Case(by_hand.soft_ce, LOGITS, drawn={"t": simplex}),
    "soft ce spelled": Case(by_hand.soft_ce, LOGITS, drawn={"t": simplex}),
    "smoothed ce": Case(by_hand.smoothed_ce, LOGITS),
    "softcap": Case(by_hand.softcap, LOGITS),
    "jsd": Case(by_hand.jsd, LOGITS, drawn={"P": simplex, "Q": simplex}),
    "kl": Case(by_hand.kl, LOGITS, """dim N, V
data t: N x V
input z: N x V
loss L = mean(sum(t * (log(t) - log_softmax(z)), axis=1))""", {"t": simplex}),
    "dpo": Case(by_hand.dpo, {"N": 16, "T": 32, "V": 1000}, drawn={"r": lambda rng, s: rng.normal(size=s) - 230}),
    "grpo": Case(by_hand.grpo, {"N": 16, "T": 32, "V": 1000}, drawn={"old": lambda rng, s: rng.normal(size=s) - 7}),
    "vae": Case(by_hand.vae, {"N": 256, "D": 784, "Z": 64}),
    "logistic": Case(by_hand.logistic, {"N": 5000, "D": 100}, drawn={"y": bits}),
    "sgns": Case(by_hand.sgns, {"V": 5000, "D": 100, "B": 512, "K": 5}),
    "silu": Case(by_hand.silu, MATRIX, "dim N, D\ninput x: N x D\noutput y = silu(x)"),
    "swiglu": Case(by_hand.swiglu, MATRIX),
    "geglu tanh": Case(by_hand.geglu_tanh, MATRIX),
    "rope": Case(by_hand.rope, {"T": 1024, "D": 128}, "dim T, D = 128\ninput x: T x 128\noutput y = rotary(x)"),
    "lstm cell": Case(by_hand.lstm_cell, {"N": 128, "H": 256}),
    "gru cell": Case(by_hand.gru_cell, {"N": 128, "H": 256}),
    "attention": Case(by_hand.attention, {"T": 512, "S": 512, "K": 64, "E": 64}),
    "attention causal": Case(by_hand.attention_causal, {"T": 512, "K": 64, "E": 64}),
    "fused qkv": Case(by_hand.fused_qkv, {"N": 8, "T": 128, "D": 256}, """dim N, T, D
input X: N x T x D
param W: D x 3*D
P = X @ W
Q = split_heads(P[:, :, 0:D], 8)
K = split_heads(P[:, :, D:2*D], 8)
V = split_heads(P[:, :, 2*D:3*D], 8)
output Y = merge_heads(attention(Q, K, V, causal=True))"""),
    "max pool": Case(by_hand.max_pool, {"N": 32, "C": 32},
                     "dim N, C\ninput x: N x 32 x 32 x C\noutput y = max_pool2d(x, 2)"),
    "avg pool": Case(by_hand.avg_pool, {"N": 32, "C": 32},
                     "dim N, C\ninput x: N x 32 x 32 x C\noutput y = avg_pool2d(x, 2)"),
    "mlp dropout": Case(by_hand.mlp_dropout, {"N": 256, "D": 256, "H": 256, "C": 10}, """dim N, D, H, C
data X: N x D, y: N int < C, mask: N x H
param W1: D x H, b1: H, W2: H x C, b2: C
h = dropout(relu(X @ W1 + b1), mask, 0.5)
loss L = mean(cross_entropy(h @ W2 + b2, y))""", {"mask": bits}),
    "rnn": Case(by_hand.rnn, {"T": 50, "N": 32, "D": 64, "H": 128}, """dim T, N, D, H
data x: T x N x D, h[0]: N x H
param W: D x H, U: H x H, b: H
for t in 1..T:
    h[t] = tanh(x[t] @ W + h[t-1] @ U + b)
loss L = mean(h^2)"""),
    "selective scan": Case(by_hand.selective_scan, {"T": 64, "N": 4, "D": 64, "S": 16}, """dim T, N, D, S
input x: T x N x D, delta: T x N x D, B: T x N x S, C: T x N x S
data h[0]: N x D x S
param A: D x S
for t in 1..T:
    h[t] = exp(delta[t][:, :, None] * A) * h[t-1] + (delta[t] * x[t])[:, :, None] * B[t][:, None, :]
    y[t] = sum(h[t] * C[t][:, None, :], axis=2)
output Y = y""", {"delta": between, "A": below_zero}),
    "delta rule": Case(by_hand.delta_rule, {"T": 64, "N": 8, "D": 32}, """dim T, N, D
input q: T x N x D, k: T x N x D, v: T x N x D, beta: T x N
data S[0]: N x D x D
for t in 1..T:
    e[t] = v[t] - einsum("nij,nj->ni", S[t-1], k[t])
    S[t] = S[t-1] + einsum("ni,nj->nij", e[t], beta[t][:, None] * k[t])
    o[t] = einsum("nij,nj->ni", S[t], q[t])
output O = o""",
                       {"k": unit, "beta": between, "S0": lambda rng, s: np.zeros(s)}),
}


def model_of(name: str) -> Model:
    model = Model.parse(CASES[name].text or KERNELS[name].text, name=name.replace(" ", "_"))
    model.resize({d: n for d, n in CASES[name].sizes.items() if d in model.sizes})
    return model


class Race:
    """A kernel's module and its rival with the same arrays."""

    def __init__(self, name: str, level: int, dtype: str) -> None:
        self.case, model = CASES[name], model_of(name)
        self.module = loaded(f"kernel_{model.name}", codegen(model, level=level, verify=False))
        rng, sizes = np.random.default_rng(0), model.default_sizes()
        given = {n: self.draw(rng, n, row, sizes, dtype) for n, row in model.leaves().items()}
        self.params = {n: a for n, a in given.items() if n in model.params}
        self.data = {n: a for n, a in given.items() if n not in model.params}
        ups = {n: rng.normal(size=evaluate_shape(r.shape, sizes)).astype(dtype) for n, r in model.upstream.items()}
        self.upstream = next(iter(ups.values())) if len(ups) == 1 else ups or None
        self.arrays = SimpleNamespace(**given)
        made = getattr(self.module, "make_workspace", None)
        self.options = {} if made is None else {"workspace": made(self.params, self.data)}

    def draw(self, rng: np.random.Generator, name: str, row: Any, sizes: dict[str, int], dtype: str) -> Any:
        shape = evaluate_shape(row.shape, sizes)
        if row.kind == "int":
            return rng.integers(0, evaluate_shape((row.attr.below,), sizes)[0], shape)
        spread = shape[0] ** -0.5 if len(shape) == 2 and row.attr.role == "param" else 1
        return (spread * self.case.drawn.get(name, lambda rng, s: rng.normal(size=s))(rng, shape)).astype(dtype)

    def ours(self) -> by_hand.Result:
        value, cache = self.module.forward(self.params, self.data, **self.options)
        given = [] if self.upstream is None else [self.upstream]
        return value, self.module.backward(cache, *given, **self.options)

    def theirs(self) -> by_hand.Result:
        return self.case.rival(self.arrays, self.upstream)

    def check(self) -> None:
        """Whether both compute the same."""
        results = []
        for value, grads in (self.ours(), self.theirs()):
            results.append({**(value if isinstance(value, dict) else {"value": value}), **grads})
        for name, value in results[1].items():
            if not (off := distance(results[0][name], value)) < 1e-9:
                raise SystemExit(f"{self.module.__name__}: {name} differs by {off:.1e}")

    def run(self, rounds: int) -> tuple[float, float]:
        """Median seconds of the module, and median ratio."""
        steps = [self.ours, self.theirs]
        counts, pairs = [repetitions(step) for step in steps], list[list[float]]()
        gc.disable()
        for _ in range(rounds):
            took = [0.0, 0.0]
            for k in random.sample((0, 1), 2):
                steps[k]()
                start = time.process_time()
                for _ in range(counts[k]):
                    steps[k]()
                took[k] = (time.process_time() - start) / counts[k]
            pairs.append(took)
        gc.enable()
        return statistics.median(a for a, _ in pairs), statistics.median(a / b for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast modules of kernels are, beside what is written by hand.")
    parser.add_argument("names", nargs="*", help=f"kernels: {', '.join(CASES)} (default all)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--level", type=int, default=1)
    options = parser.parse_args()
    ratios = []
    for name in options.names or CASES:
        Race(name, options.level, "float64").check()
        seconds, ratio = Race(name, options.level, "float32").run(options.rounds)
        ratios.append(ratio)
        print(f"{name:<22}{seconds * 1e6:>10,.0f} µs{ratio:>8.2f}", flush=True)
    print(f"{'geometric mean':<35}{exp(sum(map(log, ratios)) / len(ratios)):>8.2f}")


if __name__ == "__main__":
    main()
