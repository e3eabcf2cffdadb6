"""Modules for PyTorch and JAX beside what those libraries differentiate themselves, on a device.

    python benchmarks/devices.py --device cuda
    python benchmarks/devices.py mlp conv_net --device cpu --rounds 11 --compiled

One step computes the loss and the gradients of all parameters in float32; what is given lies on the device already.
`torch` is the module for PyTorch and `autograd` the same computation by `loss.backward()`; with `--compiled` also both
as `torch.compile` makes them, which takes minutes for loops. `jax` is the module for JAX under `jax.jit`, `grad` what
`jax.value_and_grad` makes, compiled too. Medians of wall time, in turns, in one process. Before anything is timed all
losses and gradients are compared in double precision. `--batch` multiplies the number of examples.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # one device for two libraries

import jax
import peers_jax
import peers_torch
import torch
from race import TOLERANCE, Step, arrays, distance, emitted, timed
from workloads import WORKLOADS, Arrays, Workload

RIVALS = {"torch": "autograd", "torch compiled": "autograd compiled", "jax": "grad"}


def participants(workload: Workload, dtype: str, device: str, compiled: bool) -> dict[str, Step]:
    """One step of each; it has ended when it returns."""
    params, data = arrays(workload, dtype)
    wanted = [*params, *workload.model().inputs]
    with torch.device(device):
        ours = by_torch(emitted(workload, 1, "torch").loss_and_grads, params, data)
        theirs = peers_torch.build(workload.kind, params, data, wanted)
    found = {"torch": ours, "autograd": theirs}
    if compiled:
        found |= {f"{name} compiled": torch.compile(step) for name, step in found.items()}
    steps = {name: ended(step, device) for name, step in found.items()}
    with jax.default_device(jax.devices("gpu" if device == "cuda" else device)[0]):
        given = jax.tree.map(jax.numpy.asarray, (params, data))
        made = jax.jit(emitted(workload, 1, "jax").loss_and_grads)
        steps["grad"] = peers_jax.build(workload.kind, params, data, wanted)
    return steps | {"jax": lambda: jax.block_until_ready(made(*given))}


def by_torch(function: Callable[..., Any], params: Arrays, data: Arrays) -> Step:
    given = [{k: torch.tensor(v) for k, v in arrays.items()} for arrays in (params, data)]
    return lambda: function(*given)


def ended(step: Step, device: str) -> Step:
    """A step that waits for the device."""

    def waiting() -> Any:
        found = step()
        if device != "cpu":
            torch.cuda.synchronize()
        return found

    return waiting


def check(workload: Workload, device: str, compiled: bool) -> float:
    """The largest difference of a loss or gradient from the module for PyTorch, in double precision."""
    with jax.enable_x64(True):
        results = {name: step() for name, step in participants(workload, "float64", device, compiled).items()}
    loss, grads = results["torch"]
    ours = {"loss": loss.cpu(), **{k: g.cpu() for k, g in grads.items()}}
    others = [{"loss": value, **slopes} for value, slopes in results.values()]
    worst = max(distance(ours[k], on_host(v)) for other in others for k, v in other.items())
    if not worst <= TOLERANCE:
        raise SystemExit(f"{workload.name}: results differ by {worst:.1e}")
    return worst


def on_host(array: Any) -> Any:
    return array.cpu() if isinstance(array, torch.Tensor) else np.asarray(array)


def options_of(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(description="Modules for PyTorch and JAX beside these libraries, on a device.")
    parser.add_argument("names", nargs="*", help=f"workloads: {', '.join(w.name for w in WORKLOADS)} (default all)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {w.name for w in WORKLOADS}:
        parser.error(f"no workload {', '.join(sorted(unknown))}")
    return options


def scaled(workload: Workload, batch: int) -> Workload:
    sizes = workload.model().default_sizes() | dict(workload.sizes)
    return workload._replace(sizes=(*workload.sizes, ("N", batch * sizes["N"])))


def main() -> None:
    options = options_of(sys.argv[1:])
    torch.set_float32_matmul_precision("highest")
    print(f"ms of one step, and the time of the library's own derivative divided by it ({options.device})\n")
    rivals = {a: b for a, b in RIVALS.items() if options.compiled or "compiled" not in a}
    print(f"{'':<32}" + "".join(f"{name:>18}{'':>6}" for name in rivals) + f"{'agree to':>10}")
    for workload in WORKLOADS:
        if workload.scalar or (options.names and workload.name not in options.names):
            continue
        workload = scaled(workload, options.batch)
        agree = check(workload, options.device, options.compiled)
        found = participants(workload, "float32", options.device, options.compiled)
        times = timed(found, options.rounds, time.perf_counter)
        columns = [f"{times[a] * 1e3:>18.3f}{times[b] / times[a]:>6.2f}" for a, b in rivals.items()]
        print(f"{workload.title:<32}{''.join(columns)}{agree:>10.0e}", flush=True)


if __name__ == "__main__":
    main()
