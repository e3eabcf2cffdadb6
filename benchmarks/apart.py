"""Everybody in a process of their own, in turns: memory that one frees cannot serve another.

`python apart.py WORKLOAD DTYPE NAME` is such a process: it reads how often to run, and answers with the seconds of CPU
and of wall time that one step took.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time

from race import participant, repetitions
from workloads import WORKLOADS, Workload

REST = 0.3  # seconds: threads of whoever ran before spin for a while, on the cores of the next


class Worker:
    """One of these processes, seen from outside."""

    def __init__(self, workload: Workload, dtype: str, name: str) -> None:
        command = [sys.executable, __file__, workload.name, dtype, name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.count = int(self.read())

    def read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self.process.args))} failed")
        return line

    def run(self, clock: str) -> float:
        assert self.process.stdin is not None
        print(self.count, file=self.process.stdin, flush=True)
        cpu, wall = map(float, self.read().split())
        return cpu if clock == "cpu" else wall

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def timed_apart(workload: Workload, dtype: str, names: list[str], rounds: int, clock: str) -> dict[str, float]:
    """Median seconds of one step of each."""
    workers = {name: Worker(workload, dtype, name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for k in range(rounds):
        for name in names[:: 1 if k % 2 else -1]:
            time.sleep(REST)
            times[name].append(workers[name].run(clock))
    for worker in workers.values():
        worker.close()
    return {name: statistics.median(values) for name, values in times.items()}


def serve(workload: Workload, dtype: str, name: str) -> None:
    """Run as often as stdin says, until it ends."""
    step = participant(workload, dtype, name)
    print(repetitions(step), flush=True)
    for line in sys.stdin:
        count = int(line)
        gc.collect()
        gc.disable()
        step()
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(count):
            step()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        gc.enable()
        print(cpu / count, wall / count, flush=True)


if __name__ == "__main__":
    serve(next(w for w in WORKLOADS if w.name == sys.argv[1]), *sys.argv[2:4])
