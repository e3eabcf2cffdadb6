"""Runs the checks that others wrote and writes docs/conformance.md.

    .venv/bin/python scripts/conformance.py                # all suites; what lacks its packages keeps its results
    .venv/bin/python scripts/conformance.py sympy          # this one
    .venv/bin/python scripts/conformance.py sympy --check  # exit 1 where docs/conformance/ has other results
    .venv/bin/python scripts/conformance.py --page         # the page alone, from docs/conformance/
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.conformance import frame  # noqa: E402
from tests.conformance.suites import SUITES  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a result differs")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page")
    options = parser.parse_args()
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"no suite {unknown[0]}; there are {', '.join(SUITES)}")
    differ = [] if options.page else [name for name in options.suites or SUITES if not _run(name, options.check)]
    if not options.check:
        frame.PAGE.write_text(frame.page(), encoding="utf-8")
    elif frame.PAGE.read_text(encoding="utf-8") != frame.page():
        sys.exit("docs/conformance.md is not what scripts/conformance.py --page writes")
    if differ and options.check:
        sys.exit(f"other results than in docs/conformance: {', '.join(differ)}")


def _run(name: str, check: bool) -> bool:
    """Whether the results of a suite are those that are committed; they are written unless ``check``."""
    suite, known = SUITES[name], frame.read(name)
    if suite.missing:
        print(f"{name}: not run, {', '.join(suite.missing)} missing", file=sys.stderr)
        return True
    rows = [case.run() for case in suite.cases()]
    _say(name, rows, known)
    if not check:
        frame.write(name, suite, rows)
    return {r.name: r.status for r in rows} == {r.name: r.status for r in known}


def _say(name: str, rows: Sequence[frame.Row], known: Sequence[frame.Row]) -> None:
    """The counts, and every failure and every status that is new."""
    before, count = {row.name: row.status for row in known}, Counter(row.status for row in rows)
    print(f"{name}: " + ", ".join(f"{count[status]} {status}" for status in frame.STATUSES))
    for row in rows:
        if row.status == frame.FAILED or before.get(row.name, row.status) != row.status:
            print(f"  {row.name}: {row.status} {row.reason}")


if __name__ == "__main__":
    main()
