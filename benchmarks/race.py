"""Who takes part in a comparison, whether they agree, and how long each takes."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import peers
from workloads import WORKLOADS, Arrays, Product, Workload

from symbackprop import codegen
from symbackprop.errors import UsageError

Step = Callable[[], Any]
TOLERANCE = 1e-9


# -- what takes part
@cache
def emitted(workload: Workload, level: int, target: str = "numpy") -> Any:
    """The module of a workload."""
    source = codegen(workload.model(), level=level, target=target, verify=False)
    return loaded(f"emitted_{workload.name}_{target}", source)


def loaded(name: str, source: str) -> Any:
    """A module, imported from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.py")
        path.write_text(source, encoding="utf-8")
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[path.stem] = module_from_spec(spec)  # torch.compile looks it up
        spec.loader.exec_module(module)
    return module


@cache
def arrays(workload: Workload, dtype: str) -> tuple[Arrays, Arrays]:
    """Parameters and data, the same arrays for everybody who does not copy them."""
    module, model = emitted(workload, 1), workload.model()
    sizes = {d: n for d, n in model.default_sizes().items() if d in module.DIMS}
    params = module.init_params(np.random.default_rng(1), **sizes)
    cast = {k: float(v) if workload.scalar else np.asarray(v, dtype) for k, v in params.items()}
    return cast, workload.data(model, dtype)


def floor(products: list[Product], dtype: str) -> Step:
    """The products alone, into arrays that exist; arrays of one shape are one array."""
    rng, work = np.random.default_rng(2), []
    shapes = {shape for product in products for shape in (product.left, product.right)}
    drawn = {shape: rng.normal(size=shape).astype(dtype) for shape in sorted(shapes)}
    for product in products:
        pair = zip((drawn[product.left], drawn[product.right]), product.turned, strict=True)
        left, right = (a.swapaxes(-1, -2) if turned else a for a, turned in pair)
        multiply = np.dot if left.ndim <= 2 else np.matmul
        work += [(multiply, left, right, multiply(left, right))] * product.times

    def step() -> None:
        for multiply, left, right, out in work:
            multiply(left, right, out=out)

    return step


def names(workload: Workload, libraries: list[str], levels: list[int]) -> list[str]:
    """Who takes part: the module at its levels, the libraries, and the products where there are some."""
    bare = ["floor"] if workload.products(SimpleNamespace(**workload.model().default_sizes())) else []
    covering = [library for library in libraries if peers.covers(library, workload.kind)]
    return [*[f"-O{level}" for level in levels], *covering, *bare]


def participant(workload: Workload, dtype: str, name: str) -> Step:
    """One step of one of them."""
    if name == "floor":
        return floor(workload.products(SimpleNamespace(**workload.model().default_sizes())), dtype)
    params, data = arrays(workload, dtype)
    if name.startswith("-O"):
        return module_step(emitted(workload, int(name[2:])), params, data)
    return peers.build(name, workload.kind, params, data, [*params, *workload.model().inputs])


def module_step(module: Any, params: Arrays, data: Arrays) -> Step:
    """A step of a module, in a workspace where it has one."""
    if not hasattr(module, "make_workspace"):
        return lambda: module.loss_and_grads(params, data)
    workspace = module.make_workspace(params, data)
    return lambda: module.loss_and_grads(params, data, workspace=workspace)


def available(levels: list[int]) -> list[int]:
    """The optimisation levels that codegen has."""
    found = []
    for level in levels:
        try:
            codegen(WORKLOADS[0].model(), level=level, verify=False)
        except UsageError:
            continue
        found.append(level)
    return found


# -- agreement
def check(workload: Workload, libraries: list[str], levels: list[int]) -> float:
    """The largest difference of a loss or gradient from the module's, in double precision."""
    competing = [name for name in names(workload, libraries, levels) if name != "floor"]
    results = {name: participant(workload, "float64", name)() for name in competing}
    loss, grads = next(iter(results.values()))
    ours = {"loss": loss, **grads}
    others = [{"loss": value, **slopes} for value, slopes in results.values()]
    worst = max(distance(ours[k], v) for other in others for k, v in other.items())
    if not worst <= TOLERANCE:
        raise SystemExit(f"{workload.name}: results differ by {worst:.1e}")
    return worst


def distance(ours: Any, theirs: Any) -> float:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return float(np.max(np.abs(ours - theirs)) / np.max(np.abs(ours)))


def agreement(workload: Workload, libraries: list[str], levels: list[int]) -> float:
    """`check`, JAX computing in double precision while it runs."""
    if "jax" not in libraries:
        return check(workload, libraries, levels)
    import jax

    with jax.enable_x64(True):
        return check(workload, libraries, levels)


# -- timing
def timed(found: dict[str, Step], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median seconds of one step of each, in turns, forwards and backwards."""
    counts = {name: repetitions(step) for name, step in found.items()}
    times: dict[str, list[float]] = {name: [] for name in found}
    gc.disable()
    for k in range(rounds):
        for name in list(found)[:: 1 if k % 2 else -1]:
            step, count = found[name], counts[name]
            step()  # its arrays come back into the processor's caches
            start = clock()
            for _ in range(count):
                step()
            times[name].append((clock() - start) / count)
        gc.collect()
    gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}


def repetitions(step: Step) -> int:
    """How many steps take about five milliseconds; the first ones compile and fill caches."""
    for _ in range(3):
        step()
    start = time.perf_counter()
    step()
    return max(1, int(0.005 / max(time.perf_counter() - start, 1e-7)))
