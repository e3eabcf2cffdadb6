"""The mutation score of verify: mistakes put into emitted modules one at a time, and how many of them are caught.

    .venv/bin/python scripts/mutants.py                      # every distinct mutant: half an hour to an hour
    .venv/bin/python scripts/mutants.py --alike              # those of statements that differ in names alone, too
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

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from symbackprop.model import zoo  # noqa: E402
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
BLOCK, TWICE = 8, 2
SUBJECTS: dict[str, Subject] = {}  # by key
Place = tuple[str, int]  # subject, number of a mutant in it
Task = tuple[str, tuple[int, ...]]  # subject, numbers of mutants
Found = tuple[str, str, str, str]  # group, model, fate, mutant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10**9, help="of each part of each module")
    parser.add_argument("--models", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10**6, help="then the rest is left out")
    parser.add_argument("--keep", type=Path, help="a file of what was found, which is not looked for again")
    parser.add_argument("--alike", action="store_true", help="also of further statements that differ in names alone")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [n for n in options.models.split(",") if n]
    SUBJECTS.update((s.key, s) for s in subjects(chosen))  # before the processes start
    everything = {(key, k) for key, s in SUBJECTS.items() for k in range(len(s.mutants.all))}
    known, distinct = kept(options.keep, everything), distinct_ones()
    wanted = [*tasks(distinct - set(known), options.most, options.seed)]
    if options.alike:
        wanted += tasks(everything - distinct - set(known), options.most, options.seed)
    end = monotonic() + 60 * options.minutes
    with Pool(options.processes) as pool:
        for task, fates in pool.imap_unordered(_fates_of, wanted):
            key, numbers = task
            known |= {(key, k): fate for k, fate in zip(numbers, fates, strict=True)}
            print(_progress(task, fates), flush=True)
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, numbers, fates]) + "\n")
            if monotonic() > end:
                break
    said = page(known, distinct, len(everything))
    print(said)
    if options.write:
        PAGE.write_text(said, encoding="utf-8")


def kept(path: Path | None, wanted: Collection[Place]) -> dict[Place, str]:
    """What an earlier run has found, as far as it is wanted."""
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
    found = {(key, k): fate for key, numbers, fates in map(json.loads, lines)
             for k, fate in zip(numbers, fates, strict=True)}
    return {place: found[place] for place in wanted if place in found}


def distinct_ones() -> set[Place]:
    """The mutants of the first two of all statements of a part and a function that are alike but for names, those of
    short modules first."""
    found, seen = set[Place](), dict[tuple[str, str, str], set[tuple[str, int]]]()
    for key, subject in sorted(SUBJECTS.items(), key=lambda item: len(item[1].hosts[0].source)):
        for k, mutant in enumerate(subject.mutants.all):
            places = seen.setdefault((subject.group, mutant.place, mutant.form), set())
            if len(places) < TWICE:
                places.add((key, mutant.at))
            if (key, mutant.at) in places:
                found.add((key, k))
    return found


def tasks(places: Collection[Place], most: int, seed: int) -> Iterator[Task]:
    """A block of every subject that has some left, then another, so that at any time all have had their share. Which of
    a subject's mutants come first, the seed decides."""
    left: dict[str, list[int]] = {}
    for key, k in sorted(places):
        left.setdefault(key, []).append(k)
    for numbers in left.values():
        random.Random(seed).shuffle(numbers)
        del numbers[most:]
    for start in range(0, max(map(len, left.values()), default=0), BLOCK):
        yield from [(key, tuple(ks[start : start + BLOCK])) for key, ks in left.items() if start < len(ks)]


def _fates_of(task: Task) -> tuple[Task, list[str]]:
    """What becomes of some of the mutants of a subject."""
    key, numbers = task
    warnings.simplefilter("ignore")
    subject = SUBJECTS[key]
    return task, [subject.fate(subject.mutants.all[k]) for k in numbers]


def _found(place: Place, fate: str) -> Found:
    subject = SUBJECTS[place[0]]
    return subject.group, subject.name, fate, str(subject.mutants.all[place[1]])


def _progress(task: Task, fates: list[str]) -> str:
    counts, found = Counter(fates), [_found((task[0], k), fate) for k, fate in zip(task[1], fates, strict=True)]
    lines = [" ".join(found[0][:2]) + ": " + ", ".join(f"{counts[f]} {f}" for f in FATES)]
    lines += [f"    {fate}: {mutant}" for _, _, fate, mutant in found if fate in (SURVIVED, CRASHED)]
    return "\n".join(lines)


def page(known: dict[Place, str], distinct: Collection[Place], total: int) -> str:
    """The page of results."""
    found = sorted(_found(place, fate) for place, fate in known.items())
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    groups = list(dict.fromkeys(group for group, *_ in found))
    rows = [_row(g, [f for f in found if f[0] == g]) for g in groups]
    table = ["| part | mutants | " + " | ".join(FATES) + " |", "|---|---|" + "---|" * len(FATES)]
    command = " ".join(["scripts/mutants.py", *[word for word in sys.argv[1:] if word != "--write"]])
    listed = []
    for fate in (SURVIVED, CRASHED, INFINITE, ROUNDED):
        lines = [f"- {group}, {model}: {mutant}" for group, model, one, mutant in found if one == fate]
        listed += [f"\n{fate.capitalize()}\n", *(lines or ["None."])]
    head = INTRODUCTION.format(command=command, commit=commit.stdout.strip() or "unknown",
                               tried=len(found), total=total, distinct=len(distinct),
                               of_them=len(set(known) & set(distinct)), models=len(zoo.names()))
    return "\n".join([head, *table, *rows, _row("all", found), *listed]) + "\n"


def _row(name: str, found: list[Found]) -> str:
    counts = Counter(fate for _, _, fate, _ in found)
    return f"| {name} | {len(found)} | " + " | ".join(str(counts[f]) for f in FATES) + " |"


INTRODUCTION = """Mutants of emitted modules

Mistakes put into emitted modules one at a time: operators, constants, comparisons, axes, indices, slices, arguments in
another order, statements, terms, keywords, copies and guards left out, one array for another, in all functions and
constants. Does verify notice? What a mutant is, tests/verify/mutate.py says. Written by

    .venv/bin/python {command} --write

at commit {commit} (what was kept of earlier runs may be some commits older). There are {total} mutants of the {models}
built-in models. Many stand in statements that are alike but for names, such as those that read the inputs: {distinct}
are distinct, which are those of the first two of all statements alike, in one function of one part. {of_them} of these
were tried, {tried} in all.

- caught: the check fails, or is not decided.
- equivalent: nothing that the module computes is another number, nothing else is refused: on random points of several
  sizes, sizes of 1, ties, zeros, large numbers, infinite and NaN entries, single and half precision, lists, several
  upstream gradients, workspaces used again and for something else, wrong arrays and sizes. What a message says does not
  count, nor the sign of what is drawn at random. These are not counted as caught. A helper of several modules is tried
  in up to four of different kinds, until a mutant changes something.
- rounded otherwise: as equivalent, but for differences of at most 4,096 roundings of the largest entry, or 64 times
  what comes of inputs that are rounded otherwise. Not counted as caught.
- only at infinite or no numbers: as equivalent, but where an entry that is given or a result is infinite or NaN, or an
  array has no entries, of which the contract says nothing: modules are compared with the model at finite points. Not
  counted as caught.
- crashed the check: a defect of the check, not counted as caught.
- survived: the check passes, and the module does something else.
"""


if __name__ == "__main__":
    main()
