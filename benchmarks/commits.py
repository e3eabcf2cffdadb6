"""How fast the modules of two commits are, in one run: the time of the new one's divided by that of the old one's.

    python benchmarks/commits.py main                     # the working tree beside main, every workload
    python benchmarks/commits.py v0.1.0 HEAD rnn lstm --level 1 --rounds 50

Each commit writes the module of today's model text, in a process of its own; both modules run here in turns, on the
same arrays and one thread, in float32. What is compared are medians of CPU time (`--clock wall`: of wall time), and how
long backward is. Loss and gradients have to agree in double precision first. Below 1, the new one is faster or shorter.
"""

from __future__ import annotations

from emitted import start_again

if __name__ == "__main__":
    start_again()

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from race import TOLERANCE, arrays, distance, loaded, module_step, timed
from workloads import MODELS, WORKLOADS, Workload

ROOT = Path(__file__).parents[1]
EMIT = ("import sys; from symbackprop import Model, codegen; "
        "print(codegen(Model.parse(sys.stdin.read(), name=sys.argv[1]), level=int(sys.argv[2]), verify=False))")


def sources(commit: str | None, workloads: list[Workload], level: int) -> dict[str, str]:
    """What a commit writes, or the working tree, by workload."""
    if commit is None:
        return {w.name: written(ROOT, w, level) for w in workloads}
    with TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
        return {w.name: written(Path(folder), w, level) for w in workloads}


def written(root: Path, workload: Workload, level: int) -> str:
    text = (MODELS / f"{workload.kind}.sbp").read_text(encoding="utf-8")
    command = [sys.executable, "-c", EMIT, workload.kind, str(level)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, input=text, cwd=root, env=environment, check=True, capture_output=True,
                          text=True).stdout


def lines_of(source: str) -> int:
    """How many lines backward has."""
    return len(source[source.index("def backward(") :].split("\n\n\n")[0].splitlines())


def apart(both: list[Any], workload: Workload) -> float:
    """The largest difference of a loss or gradient."""
    (loss, grads), (other, others) = [module.loss_and_grads(*arrays(workload, "float64")) for module in both]
    return max(distance(a, b) for a, b in [(loss, other), *[(grads[n], others[n]) for n in grads]])


def options_of(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="a commit")
    parser.add_argument("rest", nargs="*", metavar="new", help="another (default: the working tree), and workloads")
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    options = parser.parse_args(arguments)
    known = {w.name: w for w in WORKLOADS}
    options.new = options.rest.pop(0) if options.rest and options.rest[0] not in known else None
    if unknown := [name for name in options.rest if name not in known]:
        parser.error(f"no workload {', '.join(unknown)}; there are {', '.join(known)}")
    options.workloads = [w for w in WORKLOADS if not options.rest or w.name in options.rest]
    return options


def main() -> None:
    options = options_of(sys.argv[1:])
    old, new = (sources(commit, options.workloads, options.level) for commit in (options.old, options.new))
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    print(f"{'':<32}{'time':>8}{'lines':>8}{'old, µs':>12}{'agree to':>10}")
    for workload in options.workloads:
        both = [loaded(f"{when}_{workload.name}", s[workload.name]) for when, s in (("old", old), ("new", new))]
        agree = apart(both, workload)
        if not agree <= TOLERANCE:
            raise SystemExit(f"{workload.name}: results differ by {agree:.1e}")
        given = arrays(workload, "float64" if workload.scalar else "float32")
        times = timed({m.__name__: module_step(m, *given) for m in both}, options.rounds, clock)
        first, second = times.values()
        time_ratio, longer = second / first, lines_of(new[workload.name]) / lines_of(old[workload.name])
        print(f"{workload.title:<32}{time_ratio:>8.2f}{longer:>8.2f}{first * 1e6:>12,.1f}{agree:>10.0e}", flush=True)


if __name__ == "__main__":
    main()
