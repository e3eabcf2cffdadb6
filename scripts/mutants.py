"""The mutation score of verify: mistakes put into emitted modules one at a time, and how many of them are caught.

    .venv/bin/python scripts/mutants.py                      # every mutant: many hours
    .venv/bin/python scripts/mutants.py --keep FILE          # the same, which may be stopped and goes on from there
    .venv/bin/python scripts/mutants.py --most 60 --write    # 60 of each part of each module, into docs/mutants.txt
    .venv/bin/python scripts/mutants.py --models cube,gru    # of these modules alone

Parts are forward and backward, initial values, constants and workspaces of every built-in model, every helper function
of another text once, and the optimisers. A sample is drawn with a fixed seed. tests/verify/mutate.py makes the
mutants, `tests/verify/mutation.py` says what becomes of one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from multiprocessing import Pool
from pathlib import Path
from time import monotonic
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.verify.mutation import (  # noqa: E402
    CAUGHT,
    CRASHED,
    EQUIVALENT,
    INFINITE,
    ROUNDED,
    SURVIVED,
    Subject,
    subjects,
)

PAGE = ROOT / "docs" / "mutants.txt"
FATES = (CAUGHT, EQUIVALENT, ROUNDED, INFINITE, CRASHED, SURVIVED)
BLOCK = 8
SUBJECTS: dict[str, Subject] = {}  # by key
Found = tuple[str, str, str, str]  # group, model, fate, mutant
Task = tuple[str, int, int, int]  # subject, first mutant, the one after the last, seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10**9, help="of each part of each module")
    parser.add_argument("--models", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10**6, help="then the rest is left out")
    parser.add_argument("--keep", type=Path, help="a file of what was found, which is not looked for again")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [n for n in options.models.split(",") if n]
    SUBJECTS.update((s.key, s) for s in subjects(chosen))  # before the processes start
    wanted = list(tasks(options.most, options.seed))
    known = kept(options.keep, wanted)
    end = monotonic() + 60 * options.minutes
    with Pool(options.processes) as pool:
        for task, part in pool.imap_unordered(_fates_of, [task for task in wanted if task not in known]):
            known[task] = part
            print(_progress(part), flush=True)
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([task, part]) + "\n")
            if monotonic() > end:
                break
    total = sum(len(s.mutants.all) for s in SUBJECTS.values())
    said = page(sorted(found for part in known.values() for found in part), total)
    print(said)
    if options.write:
        PAGE.write_text(said, encoding="utf-8")


def kept(path: Path | None, wanted: Collection[Task]) -> dict[Task, list[Found]]:
    """What an earlier run has found, as far as it is wanted."""
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
    found: dict[Any, Any] = {tuple(task): [tuple(one) for one in part] for task, part in map(json.loads, lines)}
    return {task: found[task] for task in wanted if task in found}


def tasks(most: int, seed: int) -> Iterator[Task]:
    """The first block of every subject, then the second of each, so that at any time all have had their share."""
    counts = {key: min(len(s.mutants.all), most) for key, s in SUBJECTS.items()}
    for start in range(0, max(counts.values()), BLOCK):
        yield from [(key, start, min(start + BLOCK, n), seed) for key, n in counts.items() if start < n]


def _fates_of(task: Task) -> tuple[Task, list[Found]]:
    """Some of the mutants of a subject, which stand in an order that the seed decides."""
    key, start, stop, seed = task
    warnings.simplefilter("ignore")
    subject, chosen = SUBJECTS[key], list(SUBJECTS[key].mutants.all)
    random.Random(seed).shuffle(chosen)
    return task, [(subject.group, subject.name, subject.fate(m), str(m)) for m in chosen[start:stop]]


def _progress(part: list[Found]) -> str:
    counts = Counter(fate for _, _, fate, _ in part)
    where = " ".join(part[0][:2]) if part else "nothing"
    lines = [f"{where}: " + ", ".join(f"{counts[f]} {f}" for f in FATES)]
    return "\n".join([*lines, *[f"    {fate}: {mutant}" for _, _, fate, mutant in part if fate in (SURVIVED, CRASHED)]])


def page(found: list[Found], total: int) -> str:
    """The page of results."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    groups = list(dict.fromkeys(group for group, *_ in found))
    rows = [_row(g, [f for f in found if f[0] == g]) for g in groups]
    table = ["| part | mutants | " + " | ".join(FATES) + " |", "|---|---|" + "---|" * len(FATES)]
    command = " ".join(["scripts/mutants.py", *[word for word in sys.argv[1:] if word != "--write"]])
    listed = []
    for fate in (SURVIVED, CRASHED, INFINITE, ROUNDED, EQUIVALENT):
        lines = [f"- {group}, {model}: {mutant}" for group, model, one, mutant in found if one == fate]
        listed += [f"\n{fate.capitalize()}\n", *(lines or ["None."])]
    head = INTRODUCTION.format(command=command, commit=commit.stdout.strip() or "unknown",
                               tried=len(found), total=total)
    return "\n".join([head, *table, *rows, _row("all", found), *listed]) + "\n"


def _row(name: str, found: list[Found]) -> str:
    counts = Counter(fate for _, _, fate, _ in found)
    return f"| {name} | {len(found)} | " + " | ".join(str(counts[f]) for f in FATES) + " |"


INTRODUCTION = """Mutants of emitted modules

Mistakes put into emitted modules one at a time: operators, constants, comparisons, axes, indices, slices, arguments in
another order, statements, terms, keywords, copies and guards left out, one array for another, in all functions and
constants. Does verify notice? What a mutant is, tests/verify/mutate.py says. Written by

    .venv/bin/python {command} --write

at commit {commit} (what was kept of earlier runs may be some commits older): {tried} of the {total} mutants that there
are, as many of each part of each module, drawn at random.

- caught: the check fails, or is not decided.
- equivalent: nothing that the module computes is another number, nothing else is refused: on random points of several
  sizes, sizes of 1, ties, zeros, large numbers, infinite and NaN entries, single and half precision, lists, several
  upstream gradients, workspaces used again and for something else, wrong arrays and sizes. What a message says does not
  count, nor the sign of what is drawn at random. These are not counted as caught.
- rounded otherwise: as equivalent, but for differences like those of a sum in another order.
- only at infinite numbers: as equivalent, but where an entry that is given is infinite or NaN, of which the contract
  says nothing: modules are compared with the model at finite points. Not counted as caught.
- crashed the check: a defect of the check, not counted as caught.
- survived: the check passes, and the module does something else.
"""


if __name__ == "__main__":
    main()
