"""What each engine of `grade` explains: every one is switched off in turn over all wrong answers of the tests.

    .venv/bin/python scripts/engines.py                  # minutes; the table goes to stdout
    .venv/bin/python scripts/engines.py --write          # and the first cases of each into engines.json
    .venv/bin/python scripts/engines.py --write NAME …   # for these alone
    .venv/bin/python scripts/engines.py --own            # the same of `check`, with people's own code; --write too

An engine that fewer than three answers need has no place.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

LISTED = 3
WHERE = "own" if "--own" in sys.argv else "grade"
PATH = ROOT / "tests" / WHERE / "engines.json"
MOST = 12 if WHERE == "own" else None  # of the passes that an engine explains, how many are run without it


def main() -> None:
    module = import_module(f"tests.{WHERE}.engines")
    cases, heard, without = module.cases, module.heard, module.without
    full = {case: heard(case) for case in cases()}
    met = sum(case.met_by(finding) for case, (finding, _) in full.items())
    print(
        f"{len(full)} wrong answers, {met} explained as a teacher would\n\n{'without':44} told  says other  explained",
        flush=True,
    )
    chosen = [engine for engine in module.ENGINES if engine in sys.argv] or module.ENGINES
    writes = "--write" in sys.argv
    needed = json.loads(PATH.read_text(encoding="utf-8")) if writes and chosen != module.ENGINES else {}
    for engine in chosen:
        with without(engine):
            told = [case for case, (_, names) in full.items() if engine in names]
            found = {case: case.finding() for case in told[:MOST]}
        other = [case for case in found if found[case] != full[case][0]]
        lost = [case for case in other if case.met_by(full[case][0]) and not case.met_by(found[case])]
        print(f"{engine[:44]:44} {len(told):4} {len(other):10} {met - len(lost):10}", flush=True)
        needed[engine] = [case.id for case in [*lost, *[c for c in other if c not in lost]]][:LISTED]
    if writes:
        PATH.write_text(json.dumps(needed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
