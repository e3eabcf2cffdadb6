#!/usr/bin/env python
"""Random models in slices, each a run of the random tests with a seed of its own: so a run may be stopped, and goes on
where it was. `--models N` how many compositions and how many loops, `--slice N` how many at once, `--first K` the first
slice, `--minutes M` after which no slice is begun. What fails is shrunk by Hypothesis and shown; it is in
`.hypothesis/`, and the seed of its slice repeats it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("tests/core/test_random_models.py", "tests/codegen/test_random_loops.py")


def run(seed: int, examples: int) -> int:
    """One slice; the exit status of pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", *SUITES]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "SYMBACKPROP_EXAMPLES": str(examples)}).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("models", 10_000), ("slice", 250), ("first", 0), ("minutes", 600)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    end, done = time.monotonic() + 60 * given.minutes, 0
    for seed in range(given.first, -(-given.models // given.slice)):
        if time.monotonic() > end:
            break
        status = run(seed, given.slice)
        if status:
            print(f"slice {seed} failed: --hypothesis-seed={seed} with SYMBACKPROP_EXAMPLES={given.slice} repeats it")
            return status
        done += given.slice
        print(f"slice {seed}: {done} models of each kind so far", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
