"""How fast emitted modules are, beside NumPy by hand, PyTorch, JAX, HIPS autograd (those installed) and bare products.

    python benchmarks/emitted.py                          # every workload, float32, one thread
    python benchmarks/emitted.py rnn lstm --rounds 50
    python benchmarks/emitted.py --threads 8              # everybody may use eight threads

One step computes the loss and the gradients of all parameters. Everybody runs in one process on one thread, in turns;
what is compared are the medians of CPU time, which other programs on the machine disturb least (`--clock wall` for wall
time). With `--threads` everybody may use as many, and wall time is compared: CPU time adds up what threads did at once.
With `--apart` everybody has a process of their own, so that those who give memory back have to take it from the
system at every step, as in a program that does nothing else. Before anything is timed, every peer's loss and gradients
are compared with the module's in double precision. The process starts itself again with so many threads for every
library and without the variables by which some machines pin OpenBLAS to kernels of another processor. "floor" are the
matrix products alone, as NumPy does them into arrays that exist.
"""

from __future__ import annotations

import argparse
import os
import sys

PINNING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NVPL_BLAS_DEBUG_CPU_TYPE")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")  # NPROC is what XLA reads
OPTIONS = argparse.ArgumentParser(add_help=False)  # what has to be known before libraries are loaded
OPTIONS.add_argument("--threads", type=int, default=1, help="that everybody may use (default 1)")


def clean(threads: int) -> dict[str, str]:
    """The variables by which libraries use so many threads."""
    eigen = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    return {
        **dict.fromkeys(THREADS, str(threads)),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{eigen} intra_op_parallelism_threads={threads}",
    }


def start_again(more: dict[str, str] | None = None, threads: int = 1) -> None:
    """Replace this process by one with a clean environment, and ``more``; libraries read it when they are loaded."""
    wanted = {k: v for k, v in os.environ.items() if k not in PINNING} | clean(threads) | (more or {})
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.argv], wanted)


if __name__ == "__main__":
    start_again(threads=OPTIONS.parse_known_args()[0].threads)

import time  # noqa: E402
from typing import Any  # noqa: E402

import peers  # noqa: E402
from apart import timed_apart  # noqa: E402
from race import agreement, available, names, participant, timed  # noqa: E402
from workloads import WORKLOADS, Workload  # noqa: E402


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}" if seconds < 1e-4 else f"{seconds * 1e6:,.0f}"


def options_of(arguments: list[str]) -> Any:
    about = "How fast emitted modules are, beside other libraries."
    parser = argparse.ArgumentParser(description=about, parents=[OPTIONS])
    parser.add_argument("names", nargs="*", help=f"workloads: {', '.join(w.name for w in WORKLOADS)} (default all)")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--clock", choices=("cpu", "wall"), help="default: cpu on one thread, else wall")
    parser.add_argument("--apart", action="store_true", help="everybody in a process of their own")
    parser.add_argument("--level", type=int, action="append", help="optimisation level (default: all there are)")
    parser.add_argument("--peer", action="append", choices=(*peers.MODULES, *peers.ASKED),
                        help="default: hand and all installed but nn (nn.RNN, nn.LSTM) and compile (torch.compile)")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {w.name for w in WORKLOADS}:
        parser.error(f"no workload {', '.join(sorted(unknown))}")
    if options.threads < 1:
        parser.error(f"threads are 1 or more, not {options.threads}")
    options.clock = options.clock or ("cpu" if options.threads == 1 else "wall")
    return options


def main() -> None:
    options = options_of(sys.argv[1:])
    libraries = ["hand", *peers.installed()] if options.peer is None else options.peer
    levels = available(options.level or [0, 1, 2])
    best = f"-O{levels[-1]}"
    columns = [f"-O{level}" for level in levels[:-1]] + libraries + ["floor"]
    print(f"µs of one step with {best}, and the time of others divided by it (above 1: the module is faster)\n")
    print(f"{'':<32}{best + ' µs':>12}" + "".join(f"{c:>10}" for c in columns) + f"{'agree to':>10}")
    for workload in WORKLOADS:
        if not options.names or workload.name in options.names:
            agree = agreement(workload, libraries, levels)
            times = measured(workload, names(workload, libraries, levels), options)
            ratios = [f"{times[c] / times[best]:>10.2f}" if c in times else f"{'–':>10}" for c in columns]
            print(f"{workload.title:<32}{microseconds(times[best]):>12}{''.join(ratios)}{agree:>10.0e}", flush=True)


def measured(workload: Workload, who: list[str], options: Any) -> dict[str, float]:
    """Median seconds of one step of each."""
    dtype = "float64" if workload.scalar else options.dtype
    if options.apart:
        return timed_apart(workload, dtype, who, options.rounds, options.clock)
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    return timed({name: participant(workload, dtype, name) for name in who}, options.rounds, clock)


if __name__ == "__main__":
    main()
