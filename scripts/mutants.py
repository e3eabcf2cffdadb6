"""The mutation score of verify: mistakes put into emitted modules one at a time, and how many of them are caught.

    .venv/bin/python scripts/mutants.py                      # every mutant: hours
    .venv/bin/python scripts/mutants.py --most 60 --write    # 60 of each part of each module, into docs/mutants.txt
    .venv/bin/python scripts/mutants.py --models cube,gru    # of these modules alone

Parts are forward and backward, initial values, constants and workspaces of every built-in model, every helper function
of another text once, and the optimisers. A sample is drawn with a fixed seed. tests/verify/mutate.py makes the
mutants, `tests/verify/mutation.py` says what becomes of one.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import warnings
from collections import Counter
from multiprocessing import Pool
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.verify.mutation import CAUGHT, CRASHED, EQUIVALENT, ROUNDED, SURVIVED, Subject, subjects  # noqa: E402

PAGE = ROOT / "docs" / "mutants.txt"
FATES = (CAUGHT, EQUIVALENT, ROUNDED, CRASHED, SURVIVED)
PARTS = 6
SUBJECTS: list[Subject] = []
Found = tuple[str, str, str, str]  # group, model, fate, mutant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10**9)
    parser.add_argument("--models", default="")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10**6, help="then the rest is left out")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    names = [n for n in options.models.split(",") if n]
    found: list[Found] = []
    SUBJECTS.extend(subjects(names))  # before the processes start, which then share them
    tasks = [(number, start, options.most) for start in range(PARTS) for number in range(len(SUBJECTS))]
    end = monotonic() + 60 * options.minutes
    with Pool(options.processes) as pool:
        for part in pool.imap_unordered(_fates_of, tasks):
            found += part
            print(_progress(part), flush=True)
            if monotonic() > end:
                break
    said = page(sorted(found))
    print(said)
    if options.write:
        PAGE.write_text(said, encoding="utf-8")


def _fates_of(task: tuple[int, int, int]) -> list[Found]:
    """Every sixth of the chosen mutants of one module, beginning with one of the first six."""
    number, start, most = task
    warnings.simplefilter("ignore")
    subject, chosen = SUBJECTS[number], SUBJECTS[number].mutants.all
    if len(chosen) > most:
        chosen = random.Random(0).sample(chosen, most)
    return [(subject.group, subject.name, subject.fate(mutant), str(mutant)) for mutant in chosen[start::PARTS]]


def _progress(part: list[Found]) -> str:
    counts = Counter(fate for _, _, fate, _ in part)
    where = " ".join(part[0][:2]) if part else "nothing"
    lines = [f"{where}: " + ", ".join(f"{counts[f]} {f}" for f in FATES)]
    return "\n".join([*lines, *[f"    {fate}: {mutant}" for _, _, fate, mutant in part if fate in (SURVIVED, CRASHED)]])


def page(found: list[Found]) -> str:
    """The page of results."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    groups = list(dict.fromkeys(group for group, *_ in found))
    rows = [_row(g, [f for f in found if f[0] == g]) for g in groups]
    table = ["| part | mutants | " + " | ".join(FATES) + " |", "|---|---|" + "---|" * len(FATES)]
    command = " ".join(["scripts/mutants.py", *[word for word in sys.argv[1:] if word != "--write"]])
    listed = []
    for fate in (SURVIVED, CRASHED, ROUNDED, EQUIVALENT):
        lines = [f"- {group}, {model}: {mutant}" for group, model, one, mutant in found if one == fate]
        listed += [f"\n{fate.capitalize()}\n", *(lines or ["None."])]
    head = INTRODUCTION.format(command=command, commit=commit.stdout.strip() or "unknown")
    return "\n".join([head, *table, *rows, _row("all", found), *listed]) + "\n"


def _row(name: str, found: list[Found]) -> str:
    counts = Counter(fate for _, _, fate, _ in found)
    return f"| {name} | {len(found)} | " + " | ".join(str(counts[f]) for f in FATES) + " |"


INTRODUCTION = """Mutants of emitted modules

Mistakes put into emitted modules one at a time: operators, constants, comparisons, axes, indices, slices, arguments in
another order, statements, terms, keywords, copies and guards left out, one array for another, in all functions and
constants. Does verify notice? What a mutant is, tests/verify/mutate.py says; written by
.venv/bin/python {command} --write, at commit {commit}.

- caught: the check fails, or is not decided.
- equivalent: nothing that the module computes is another number, nothing else is refused: on random points of several
  sizes, sizes of 1, ties, zeros, large numbers, infinite and NaN entries, single and half precision, lists, several
  upstream gradients, workspaces used again and for something else, wrong arrays and sizes. What a message says does not
  count. These are not counted as caught.
- rounded otherwise: as equivalent, but for differences like those of a sum in another order.
- crashed the check: a defect of the check, not counted as caught.
- survived: the check passes, and the module does something else.
"""


if __name__ == "__main__":
    main()
