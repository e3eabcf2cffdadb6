"""Memory and time of loops with checkpoints (`codegen --checkpoint`), against the length of the loop.

    python benchmarks/checkpoints.py
    python benchmarks/checkpoints.py --steps 64 256 1024 --checkpoint every:8 --checkpoint sqrt

Residual layers whose parameters are stacked, float32: all that a loop computes can be computed again; the built-in
LSTM, whose gradients of the weights are products over all steps; and up to 64 such layers that are written out. The
cache is what forward hands to backward, without what it was given; the peak is NumPy's memory over that of the arrays
given; time is CPU time, divided by that without checkpoints in the same run. Gradients are compared to the last bit.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop import Model, load
from symbackprop.codegen import codegen

LAYERS = """
dim T, N, D
data X: N x D
param W: T x D x D, b: T x D
A[0] = X
for t in 1..T:
    B[t] = tanh(A[t-1] @ W[t] + b[t])
    A[t] = A[t-1] + B[t] * sigmoid(B[t])
loss L = mean(A[T]^2)
"""
MODELS = {"residual layers": LAYERS, "LSTM": "lstm"}
WRITTEN = "residual layers, written out"
OWN = {"dim T, N, D": "dim N, D", "W: T x D x D, b: T x D": "W[1..T]: D x D, b[1..T]: D"}
MOST_WRITTEN = 64
SIZES = {"N": 256, "D": 32, "V": 16, "E": 32, "H": 64}
ROUNDS = 5


def module_of(source: str) -> ModuleType:
    module = ModuleType("emitted")
    exec(compile(source, "emitted", "exec"), module.__dict__)
    return module


def arguments(module: Any, steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and data of a module, in single precision, for loops of so many steps."""
    rng, sizes = np.random.default_rng(0), SIZES | {"T": steps}
    params = module.init_params(rng, **{d: sizes[d] for d in module.DIMS})
    shapes = {n: [sizes[d] for d in shape] for n, shape in module.DATA.items()}
    whole = getattr(module, "INTEGERS", {})
    data = {n: rng.integers(sizes[whole[n]], size=s) if n in whole else rng.normal(size=s).astype(np.float32)
            for n, s in shapes.items()}
    return params, data


def measured(module: Any, params: dict[str, Any], data: dict[str, Any]) -> tuple[int, int, float, dict[str, Any]]:
    """Bytes of the cache and at most, seconds, and the gradients."""
    given = [*params.values(), *data.values()]
    cache = [a for a in module.forward(params, data)[1].values() if isinstance(a, np.ndarray)]
    kept = sum(a.nbytes for a in cache if not any(np.may_share_memory(a, b) for b in given))
    tracemalloc.start()
    _, grads = module.loss_and_grads(params, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        module.loss_and_grads(params, data)
        times.append(time.process_time() - start)
    return kept, peak, min(times), grads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--checkpoint", action="append", help="default: sqrt")
    asked = parser.parse_args()
    print("| | steps | checkpoint | cache, MB | peak, MB | time |\n|---|---|---|---|---|---|")
    ways = [None, *(asked.checkpoint or ["sqrt"])]
    for title, text in MODELS.items():
        model = Model.parse(text) if "\n" in text else load(text)
        compare(title, model, ways, asked.steps)
    for steps in [n for n in asked.steps if n <= MOST_WRITTEN]:
        compare(WRITTEN, Model.parse(written_out(steps)), ways, [steps])


def written_out(steps: int) -> str:
    """The residual layers with parameters of their own."""
    text = LAYERS
    for old, new in {**OWN, "..T": f"..{steps}", "A[T]": f"A[{steps}]"}.items():
        text = text.replace(old, new)
    return text


def compare(title: str, model: Model, ways: Sequence[str | None], lengths: Iterable[int]) -> None:
    modules = {c: module_of(codegen(model, dtype="float32", checkpoint=c)) for c in ways}
    for steps in lengths:
        first: tuple[int, int, float, dict[str, Any]] | None = None
        for checkpoint, module in modules.items():
            found = measured(module, *arguments(module, steps))
            first = first or found
            assert all(found[3][n].tobytes() == g.tobytes() for n, g in first[3].items())
            print(f"| {title} | {steps} | {checkpoint or '–'} | {found[0] / 1e6:.2f} | {found[1] / 1e6:.1f} | "
                  f"{found[2] / first[2]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
