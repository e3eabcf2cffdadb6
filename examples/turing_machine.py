"""A neural Turing machine learns to copy: it reads a sequence of random bit vectors, then has to repeat it from memory.

Prints the error rate on sequences as long as those it was trained on and on longer ones, and writes a picture of where
its heads looked at every step. Run: python examples/turing_machine.py [picture.png]
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from training import Arrays, adam, clipped, generated, print_curve, progress

BITS, LONGEST, BATCH, HIDDEN, ROWS, WIDTH = 4, 6, 16, 64, 12, 8
UPDATES = 3000


def task(rng: np.random.Generator, length: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (bits and two channels that mark the beginning and the end) and the outputs wanted, time first."""
    bits = rng.integers(2, size=(length, batch, BITS))
    x = np.zeros((2 * length + 2, batch, BITS + 2), np.float32)
    y = np.zeros((2 * length + 2, batch, BITS), np.float32)
    x[0, :, BITS] = 1
    x[1 : length + 1, :, :BITS] = bits
    x[length + 1, :, BITS + 1] = 1
    y[length + 2 :] = bits
    return x, y


def given(x: np.ndarray, y: np.ndarray) -> Arrays:
    """Data of the module: an empty memory, every head on its first row."""
    batch = x.shape[1]
    first = np.zeros((batch, ROWS), np.float32)
    first[:, 0] = 1
    start = {"p0": first, "q0": first, "w0": first}
    memory = np.full((batch, ROWS, WIDTH), 1e-3, np.float32)
    empty = {"h0": np.zeros((batch, HIDDEN), np.float32), "r0": np.zeros((batch, 2 * WIDTH), np.float32), "M0": memory}
    return {"x": x, "y": y, **start, **empty}


def wrong_bits(model: ModuleType, params: Arrays, rng: np.random.Generator, length: int) -> float:
    """The share of wrong bits when a sequence of that length is repeated."""
    x, y = task(rng, length, 64)
    z = model.outputs(params, given(x, y))["z"][length + 2 :]
    return float(np.mean((z > 0) != (y[length + 2 :] > 0.5)))


def draw_addressing(model: ModuleType, params: Arrays, rng: np.random.Generator, path: Path) -> None:
    """Where the write head and the two read heads looked, over time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    x, y = task(rng, LONGEST, 1)
    found = model.outputs(params, given(x, y))
    panels = {"input": x[:, 0].T, "wanted": y[:, 0].T, "written": 1 / (1 + np.exp(-found["z"][:, 0].T))}
    panels |= {"write head": found["w"][:, 0].T, "read head 1": found["p"][:, 0].T, "read head 2": found["q"][:, 0].T}
    figure, axes = plt.subplots(2, 3, figsize=(11, 5), layout="constrained")
    for axis, (title, image) in zip(axes.flat, panels.items(), strict=True):
        axis.imshow(image, aspect="auto", cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        axis.set(title=title, xlabel="step", ylabel="memory row" if "head" in title else "channel")
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def main() -> float:
    """Trains and prints; returns the share of wrong bits on sequences of the longest training length."""
    model, rng = generated("neural_turing_machine"), np.random.default_rng(1)
    params = model.init_params(rng, I=BITS + 2, O=BITS, H=HIDDEN, R=ROWS, W=WIDTH)
    params = {name: value.astype(np.float32) for name, value in params.items()}
    step, losses = adam(1e-3), []
    for _ in progress(UPDATES // 100):
        total = []
        for _ in range(100):
            x, y = task(rng, int(rng.integers(1, LONGEST + 1)), BATCH)
            loss, grads = model.loss_and_grads(params, given(x, y))
            params = step(params, clipped(grads, 10.0))
            total.append(float(loss))
        losses.append(float(np.mean(total)))
    print_curve("training loss", losses)
    for length in (LONGEST, LONGEST + 4):
        print(f"wrong bits at length {length}: {wrong_bits(model, params, rng, length):.2%}")
    draw_addressing(model, params, rng, Path(sys.argv[1] if len(sys.argv) > 1 else "addressing.png"))
    return wrong_bits(model, params, rng, LONGEST)


if __name__ == "__main__":
    main()
