"""One training step of a two-layer net on eight devices, by JAX: the batch split (data parallel), then batch and hidden
layer (tensor parallel), each against one device, with the collectives that the compiler put in.

    python examples/many_devices.py                            eight devices of one process
    python examples/many_devices.py 127.0.0.1:9876 0 2         four of each of two processes: this is number 0,
    python examples/many_devices.py 127.0.0.1:9876 1 2         and this, started beside it, is number 1

Needs the extra `jax`. The devices are parts of the CPU; on GPUs leave out the two lines that say so.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from typing import Any

import jax
import numpy as np
from emitting import emitted

DEVICES = 8
NET = """
dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
A = tanh(X @ W1 + b1)
Z = A @ W2 + b2
loss L = mean(cross_entropy(Z, y))
"""
WAYS = {  # how arrays are split, and the mesh
    "data parallel": ({"N": "data"}, {"data": 8}),
    "tensor parallel": ({"N": "data", "H": "model"}, {"data": 2, "model": 4}),
}
COLLECTIVE = re.compile(r" (all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)(?:-start)?\(")


def step(shard: dict[str, str], axes: dict[str, int]) -> tuple[float, float, Counter[str]]:
    """The largest differences from one device of gradients and of new parameters, and the collectives of the step."""
    net = emitted(NET, shard=shard, optimizer="adam", dtype="float32", verify=False)
    rng = np.random.default_rng(0)
    params = {name: np.asarray(w) for name, w in net.init_params(1, D=20, H=64, C=8).items()}
    data = {"X": rng.normal(size=(48, 20)).astype("float32"), "y": rng.integers(0, 8, 48)}
    _, alone = net.loss_and_grads(params, data)
    after, _ = net.update(params, alone, net.init_state(params))

    mesh = jax.make_mesh(tuple(axes.values()), tuple(axes))
    split, batch = net.sharded(mesh, params), net.sharded(mesh, data)
    given = (mesh, split, net.init_state(split), batch)
    _, grads = jax.jit(net.loss_and_grads)(split, batch)
    new, _, _ = net.train_step(*given)
    found = COLLECTIVE.findall(net.train_step.lower(*given).compile().as_text())
    return difference(grads, alone), difference(new, after), Counter(found)


def difference(split: dict[str, Any], whole: dict[str, Any]) -> float:
    """The largest difference of the parts that this process has from the same parts of whole arrays."""
    parts = [(np.asarray(part.data), np.asarray(whole[name])[part.index])
             for name, array in split.items() for part in array.addressable_shards]
    return float(max(np.abs(part - expected).max() for part, expected in parts))


def main(address: str = "", number: str = "0", count: str = "1") -> dict[str, tuple[float, float, Counter[str]]]:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", DEVICES // int(count))
    if address:
        jax.distributed.initialize(address, int(count), int(number))
    found = {way: step(*said) for way, said in WAYS.items()}
    for way, (gradients, parameters, collectives) in found.items():
        told = ", ".join(f"{n} {name}" for name, n in sorted(collectives.items()))
        print(f"{way}: gradients differ by {gradients:.1e}, new parameters by {parameters:.1e}; {told}", flush=True)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
