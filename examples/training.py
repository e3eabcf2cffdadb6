"""What the examples share: loading a generated module, optimisers, minibatches, a progress bar, a learning curve.

Only NumPy computes; tqdm draws the bar.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
from tqdm import tqdm

GENERATED = Path(__file__).resolve().parent.parent / "generated"
Arrays = dict[str, np.ndarray]
Step = Callable[[Arrays, Arrays], Arrays]
BLOCKS = "▁▂▃▄▅▆▇█"


def generated(name: str) -> ModuleType:
    """A module of ``generated/``, imported from its file."""
    spec = importlib.util.spec_from_file_location(name, GENERATED / f"{name}.py")
    if spec is None or spec.loader is None:
        command = f"symbackprop codegen {name.replace('_', '-')}"
        raise SystemExit(f"generated/{name}.py is missing: write it with `{command}`")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def adam(rate: float = 1e-3, decay: float = 0.9, decay2: float = 0.999) -> Step:
    """Adam (Kingma and Ba 2015) as a function (params, grads) -> new params that keeps its own moments."""
    first: Arrays = {}
    second: Arrays = {}
    count = 0

    def step(params: Arrays, grads: Arrays) -> Arrays:
        nonlocal count
        count += 1
        scale = rate * np.sqrt(1 - decay2**count) / (1 - decay**count)
        new = {}
        for name, g in grads.items():
            first[name] = decay * first.get(name, 0) + (1 - decay) * g
            second[name] = decay2 * second.get(name, 0) + (1 - decay2) * g * g
            new[name] = (params[name] - scale * first[name] / (np.sqrt(second[name]) + 1e-8)).astype(g.dtype)
        return params | new

    return step


def clipped(grads: Arrays, limit: float) -> Arrays:
    """Gradients scaled down so that their joint Euclidean norm is at most ``limit``."""
    norm = np.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    return grads if norm <= limit else {name: g * (limit / norm) for name, g in grads.items()}


def batches(rng: np.random.Generator, count: int, size: int) -> Iterator[np.ndarray]:
    """Random minibatches of indices, each sample once."""
    order = rng.permutation(count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def split(rng: np.random.Generator, count: int, share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled indices for training and a held-out share."""
    order = rng.permutation(count)
    held_out = round(count * share)
    return order[held_out:], order[:held_out]


def progress(epochs: int, label: str = "training") -> Iterator[int]:
    """Epoch numbers behind a progress bar on stderr; no bar where stderr is not a terminal."""
    return iter(tqdm(range(epochs), desc=label, unit="epoch", disable=None))


def print_curve(title: str, values: list[float]) -> None:
    """A learning curve in one line of blocks, first and last value beside it."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    picked = [values[i] for i in np.linspace(0, len(values) - 1, min(60, len(values))).astype(int)]
    blocks = "".join(BLOCKS[int((v - low) / span * (len(BLOCKS) - 1))] for v in picked)
    print(f"{title}: {values[0]:.4f} {blocks} {values[-1]:.4f}")
