"""How fast second derivatives are: whole Hessians and Hessian-vector products, beside JAX, torch.func, autograd and the
closed form by hand.

    python benchmarks/second.py                        # every row, one thread
    python benchmarks/second.py quadratic mlp --rounds 15

Whole Hessians are in float64: ours as the module gives them (`hessian_dense`, of the factorisation the compressed block
of `hessian`), those of the others as dense arrays. Products are those of all parameters in float32: `hvp` at -O1 and
-O2, `jvp` of `grad` compiled by JAX and eager in torch.func, reverse over reverse in autograd. All take turns in one
process on one thread, as in `emitted.py`; what takes longer than a second runs once after a first call. Before they are
timed results are compared: in double precision, products to 1e-3 in single precision.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from emitted import start_again

if __name__ == "__main__":
    start_again()

import numpy as np
import peers
from workloads import WORKLOADS, Workload

from symbackprop import Model, codegen

Arrays = dict[str, Any]
Step = Callable[[], Any]
SLOW = 1.0


def module_of(model: Model | str, **options: Any) -> Any:
    """The module of a model, imported from a file."""
    from importlib.util import module_from_spec, spec_from_file_location

    with TemporaryDirectory() as folder:
        path = Path(folder, "emitted_second.py")
        path.write_text(codegen(model, verify=False, **options), encoding="utf-8")
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


# -- whole Hessians
class Whole(NamedTuple):
    """A row: the model's text, the same loss over a library's functions, its Hessian by hand; ``arrays`` draws them."""

    name: str
    title: str
    text: str
    loss: Callable[[Any, Any, Arrays], Any]
    hand: Callable[[Any, Arrays], Any]
    arrays: Callable[[Any], tuple[Any, Arrays]]
    compressed: bool = False


def _logistic_hand(w: Any, d: Arrays) -> Any:
    p = 1 / (1 + np.exp(-(d["X"] @ w)))
    scaled = d["X"] * np.sqrt(p * (1 - p) / len(p))[:, None]
    return scaled.T @ scaled


def _softmax_hand(W: Any, d: Arrays) -> Any:
    e, X = np.exp(d["X"] @ W), d["X"] / np.sqrt(len(d["X"]))
    p = e / e.sum(1, keepdims=True)
    pairs = (X[:, :, None] * p[:, None, :]).reshape(len(X), -1)
    found = -(pairs.T @ pairs).reshape(*W.shape, *W.shape)
    for c in range(W.shape[1]):
        found[:, c, :, c] += (X * p[:, c, None]).T @ X
    return found


def _factors_hand(U: Any, d: Arrays) -> Any:
    V = d["V"]
    outer = (V[:, :, None] * V[:, None, :]).reshape(len(V), -1)
    return 2 * (d["M"] ** 2 @ outer).reshape(len(U), U.shape[1], U.shape[1])


WHOLES = (
    Whole("quadratic", "quadratic, n 2000", "dim n\ndata A: n x n\nparam w: n\nloss L = w @ A @ w",
          lambda np, w, d: w @ d["A"] @ w, lambda w, d: d["A"] + d["A"].T,
          lambda rng: (rng.normal(size=2000), {"A": rng.normal(size=(2000, 2000))})),
    Whole("logistic_hessian", "logistic regression, 2000 × 200",
          "dim N, D\ndata X: N x D, y: N\nparam w: D\nz = X @ w\nloss L = mean(softplus(z) - y * z)",
          lambda np, w, d: (np.logaddexp(0 * (d["X"] @ w), d["X"] @ w) - d["y"] * (d["X"] @ w)).mean(), _logistic_hand,
          lambda rng: (0.1 * rng.normal(size=200),
                       {"X": rng.normal(size=(2000, 200)), "y": rng.integers(0, 2, 2000) * 1.0})),
    Whole("softmax_regression", "softmax regression, 1000 × 50, 10 classes",
          "dim N, D, C\ndata X: N x D, Y: N x C simplex\nparam w: D x C\nloss L = mean(cross_entropy(X @ w, Y))",
          lambda np, w, d: (np.log(np.exp(d["X"] @ w).sum(1)) - (d["Y"] * (d["X"] @ w)).sum(1)).mean(), _softmax_hand,
          lambda rng: (0.1 * rng.normal(size=(50, 10)),
                       {"X": rng.normal(size=(1000, 50)), "Y": np.eye(10)[rng.integers(0, 10, 1000)]})),
    Whole("factorisation", "masked factorisation, n 200, k 5",
          "dim n, k\ndata T: n x n, M: n x n, V: n x k\nparam w: n x k\nloss L = sum((M * (T - w @ V'))**2)",
          lambda np, w, d: ((d["M"] * (d["T"] - w @ d["V"].T)) ** 2).sum(), _factors_hand,
          lambda rng: (rng.normal(size=(200, 5)), {"T": rng.normal(size=(200, 200)), "V": rng.normal(size=(200, 5)),
                                                   "M": (rng.random((200, 200)) < 0.3) * 1.0}), True),
)


def whole_steps(row: Whole, libraries: list[str]) -> dict[str, Step]:
    """Who takes part."""
    w, data = row.arrays(np.random.default_rng(0))
    module = module_of(row.text, hessian=True)
    function = module.hessian if row.compressed else module.hessian_dense
    ours = partial(function, {"w": w}, data)
    others = {name: partial(HESSIANS[name], row.loss, w, data)() for name in libraries}
    return {"ours": ours, **others, "by hand": lambda: row.hand(w, data)}


def jax_hessian(loss: Any, w: Any, data: Arrays) -> Step:
    import jax

    jax.config.update("jax_enable_x64", True)
    given = {k: jax.numpy.asarray(a) for k, a in data.items()}
    whole, at = jax.jit(jax.hessian(lambda x, d: loss(jax.numpy, x, d))), jax.numpy.asarray(w)
    return lambda: jax.block_until_ready(whole(at, given))


def torch_hessian(loss: Any, w: Any, data: Arrays) -> Step:
    import torch

    torch.set_num_threads(1)
    given, at = {k: torch.tensor(a) for k, a in data.items()}, torch.tensor(w)
    whole = torch.func.hessian(lambda x: loss(torch, x, given))
    return lambda: whole(at)


def autograd_hessian(loss: Any, w: Any, data: Arrays) -> Step:
    import autograd
    import autograd.numpy

    whole = autograd.hessian(lambda x: loss(autograd.numpy, x, data))
    return lambda: whole(w)


HESSIANS = {"jax": jax_hessian, "torch": torch_hessian, "autograd": autograd_hessian}


# -- products
PRODUCTS = ("mlp", "rnn", "transformer")


def product_steps(work: Workload, libraries: list[str]) -> dict[str, Step]:
    """Hessian-vector products of one workload."""
    model, rng = work.model(), np.random.default_rng(1)
    modules = {f"-O{level}": module_of(model, hvp=True, level=level) for level in (1, 2)}
    first = modules["-O1"]
    sizes = {d: n for d, n in model.default_sizes().items() if d in first.DIMS}
    params = {k: np.asarray(v, "float32") for k, v in first.init_params(rng, **sizes).items()}
    data, v = work.data(model, "float32"), {k: rng.normal(size=a.shape).astype("float32") for k, a in params.items()}
    room = modules["-O2"].make_workspace(params, data)
    steps: dict[str, Step] = {"ours": lambda: modules["-O2"].hvp(params, data, v, workspace=room),
                              "-O1": lambda: first.hvp(params, data, v)}
    return steps | {name: HVPS[name](work.kind, params, data, v) for name in libraries}


def jax_hvp(name: str, params: Arrays, data: Arrays, v: Arrays) -> Step:
    import jax
    from peers_arrays import LOSSES
    from peers_jax import Lib

    p, d, t = ({k: jax.numpy.asarray(a) for k, a in some.items()} for some in (params, data, v))
    hvp = jax.jit(lambda p, d, t: jax.jvp(jax.grad(lambda q: LOSSES[name](Lib, {**q, **d})), (p,), (t,))[1])
    return lambda: jax.block_until_ready(hvp(p, d, t))


def torch_hvp(name: str, params: Arrays, data: Arrays, v: Arrays) -> Step:
    import torch
    from peers_torch import LOSSES
    from torch.nn.attention import SDPBackend, sdpa_kernel

    torch.set_num_threads(1)
    p, d, t = ({k: torch.tensor(a) for k, a in some.items()} for some in (params, data, v))

    def step() -> Any:
        with sdpa_kernel(SDPBackend.MATH):  # the only one with derivatives of second order
            return torch.func.jvp(torch.func.grad(lambda q: LOSSES[name]({**q, **d})), (p,), (t,))[1]

    return step


def autograd_hvp(name: str, params: Arrays, data: Arrays, v: Arrays) -> Step:
    import autograd
    import autograd.numpy as anp
    from peers_arrays import LOSSES
    from peers_autograd import Lib

    slope = autograd.grad(lambda p: LOSSES[name](Lib, {**p, **data}))
    product = autograd.grad(lambda p: sum(anp.sum(g * v[k]) for k, g in slope(p).items()))
    return lambda: product(params)


HVPS = {"jax": jax_hvp, "torch": torch_hvp, "autograd": autograd_hvp}


# -- comparing and timing
def agreement(found: dict[str, Any], within: float) -> float:
    """How far apart the results are; SystemExit where that is too far."""
    worst, (first, *others) = 0.0, found.values()
    for other in others:
        for k, a in first.items():
            b = np.asarray(other[k], float).reshape(np.shape(a))
            worst = max(worst, float(np.max(np.abs(a - b)) / np.max(np.abs(a))))
    if not worst <= within:
        raise SystemExit(f"results differ by {worst:.1e}")
    return worst


def as_arrays(row: Whole | None, name: str, result: Any) -> Arrays:
    if row is None:
        return {k: np.asarray(a) for k, a in result.items()}
    if not row.compressed:
        return {"H": np.asarray(result)}
    if name == "ours":
        result = result["w", "w"].dense()
    return {"H": result if name == "by hand" else np.einsum("iaib->iab", np.asarray(result))}


def timed(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Median seconds of CPU time of each, in random order; of what is slow those of one call."""
    once, rng = {}, random.Random(0)
    for name, step in steps.items():
        start = time.process_time()
        step()
        once[name] = time.process_time() - start
    counts = {name: max(1, int(0.01 / max(t, 1e-6))) for name, t in once.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for k in range(rounds):
        for name in rng.sample(list(steps), len(steps)):
            if k and once[name] > SLOW:
                continue
            start = time.process_time()
            for _ in range(counts[name]):
                steps[name]()
            times[name].append((time.process_time() - start) / counts[name])
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast second derivatives are, beside other libraries.")
    known = [*[w.name for w in WHOLES], *PRODUCTS]
    parser.add_argument("names", nargs="*", help=f"rows: {', '.join(known)} (default all)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peer", action="append", choices=tuple(peers.MODULES), help="default: all installed")
    options = parser.parse_args(sys.argv[1:])
    if unknown := {*options.names} - {*known}:
        parser.error(f"no row {', '.join(sorted(unknown))}")
    libraries = peers.installed() if options.peer is None else options.peer
    columns = ["-O1", *libraries, "by hand"]
    print("ms of one call, and the time of others divided by it (above 1: the module is faster)\n")
    print(f"{'':<44}{'ours ms':>10}" + "".join(f"{c:>10}" for c in columns) + f"{'agree to':>10}")
    works = {w.name: w for w in WORKLOADS}
    rows: list[tuple[str, Whole | None]] = [(w.name, w) for w in WHOLES] + [(n, None) for n in PRODUCTS]
    for name, row in rows:
        if options.names and name not in options.names:
            continue
        steps = product_steps(works[name], libraries) if row is None else whole_steps(row, libraries)
        found = {who: as_arrays(row, who, step()) for who, step in steps.items()}
        agree = agreement(found, 1e-3 if row is None else 1e-9)
        times = timed(steps, options.rounds)
        title = row.title if row is not None else f"product: {works[name].title.partition(' ')[2]}"
        ratios = "".join(f"{times[c] / times['ours']:>10.2f}" if c in times else f"{'–':>10}" for c in columns)
        print(f"{title:<44}{times['ours'] * 1e3:>10.3f}{ratios}{agree:>10.0e}", flush=True)


if __name__ == "__main__":
    main()
