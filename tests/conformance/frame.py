"""What a suite of somebody else's checks is: named checks, of which each passes, fails, cannot be expressed here or
does not apply.

A check is a function without arguments. It returns when all is right (a text, where something is to be said, such as
the convention that it follows), raises `NotExpressible` or `NotApplicable` with the reason, and anything else where it
fails.
"""

from __future__ import annotations

import json
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

PASSED, FAILED, NOT_EXPRESSIBLE, NOT_APPLICABLE = STATUSES = "passed", "failed", "not expressible", "not applicable"
DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS = DOCS / "conformance"
PAGE = DOCS / "conformance.md"
CELL = " | "
LONGEST = 300  # characters of a reason


class NotExpressible(Exception):
    """The language of models has nothing for this: says what is missing."""


class NotApplicable(Exception):
    """The check is of something that is no gradient: says what of."""


class Row(NamedTuple):
    """What became of a check."""

    name: str
    status: str
    reason: str = ""


class Case(NamedTuple):
    """A check under its name."""

    name: str
    check: Callable[[], str | None]

    def run(self) -> Row:
        """What becomes of it; what a library warns of on the way is no failure."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return Row(self.name, PASSED, _line(self.check() or ""))
        except NotExpressible as reason:
            return Row(self.name, NOT_EXPRESSIBLE, _line(str(reason)))
        except NotApplicable as reason:
            return Row(self.name, NOT_APPLICABLE, _line(str(reason)))
        except Exception as error:
            return Row(self.name, FAILED, _line(f"{type(error).__name__}: {error}"))


@dataclass(frozen=True)
class Suite:
    """Checks from one place. ``cases`` makes them when it is called, so that a suite whose packages (``needs``) are
    not installed can be listed; ``sample`` of them run in CI, in a second or two."""

    title: str
    source: str  # where they come from, as Markdown
    cases: Callable[[], Iterable[Case]]
    sample: int = 10
    needs: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # of a table of all that passed on the page: what the cells are that a check returns

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return [name for name in self.needs if find_spec(name) is None]

    def chosen(self) -> list[Case]:
        """The sample of CI: the same one every time."""
        cases = list(self.cases())
        return random.Random(0).sample(cases, min(self.sample, len(cases)))


def _line(text: str) -> str:
    """A reason as one line of a table."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


# -- results, which are kept as data
def write(name: str, suite: Suite, rows: Sequence[Row]) -> None:
    """The results of a suite as a file, one row a line."""
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    head = {"title": suite.title, "source": suite.source, "versions": versions(suite.needs)}
    head |= {"columns": suite.columns} if suite.columns else {}
    said = json.dumps(head, ensure_ascii=False, indent=1)[:-2] + f',\n "rows": [\n{lines}\n ]\n}}\n'
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(said, encoding="utf-8")


def read(name: str) -> list[Row]:
    """The rows of a suite that are committed; none where it was never run."""
    path = RESULTS / f"{name}.json"
    return [Row(*row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]] if path.exists() else []


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Which releases the checks ran with."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name).split("+")[0]
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


# -- the page
INTRODUCTION = """\
# Conformance

Checks that others wrote, held against symbackprop. A check *passes* where values and gradients agree with what its
suite expects, or with an independent computation of it; it *fails* where they do not, or where something breaks; what
the language of models cannot say is *not expressible*, with the reason; what is about no gradient of real numbers is
*not applicable*. Applicable are all but these last.

This page is written by `scripts/conformance.py` from the results in `docs/conformance/`, one file a suite, which name
every check. All suites run with `.venv/bin/python scripts/conformance.py` (`pip install -e '.[conformance]'`), one
with its name behind; `--check` only says what differs from these results. CI runs a sample of each.
"""

RANDOM = """
## Random models

No suite of others, and not counted above. 10,500 random models agree: one half are compositions of the language's
functions over shared parameters, first and second derivatives and tangents against JAX, the other half loops, up to
three in each other or one after the other, of several lengths, emitted at every level for NumPy and JAX, against the
interpreter. `scripts/random_models.py` runs them in slices of 250 of each kind, one seed a slice; these are slices of
several commits, the last four of one. What fails is shrunk by Hypothesis. In the slice after them JAX was wrong: XLA
compiles the tangent of a maximum over a layer norm to −∞, where JAX as written agrees with ours and with differences.
"""


def page() -> str:
    """The page of what is committed."""
    stored = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    rows = {name: [Row(*row) for row in one["rows"]] for name, one in stored.items()}
    head = "| suite | checks | applicable | passed | failed | not expressible | command |"
    table = [head, "|---|---|---|---|---|---|---|"]
    table += [_counted(name, stored[name]["title"], found) for name, found in rows.items()]
    return "\n".join([INTRODUCTION, *table, *[_section(stored[name], found) for name, found in rows.items()], RANDOM])


def _counted(name: str, title: str, rows: Sequence[Row]) -> str:
    count = Counter(row.status for row in rows)
    numbers = (len(rows), len(rows) - count[NOT_APPLICABLE], *[count[s] for s in (PASSED, FAILED, NOT_EXPRESSIBLE)])
    return f"| {title} | {' | '.join(map(str, numbers))} | `scripts/conformance.py {name}` |"


def _section(stored: dict[str, str], rows: Sequence[Row]) -> str:
    """Where a suite comes from, and what did not pass, by reason."""
    used = ", ".join(f"{name} {number}" for name, number in dict(stored["versions"]).items())
    said = [f"\n## {stored['title']}\n", stored["source"] + (f" Run with {used}." if used else "") + "\n"]
    columns: Sequence[str] = dict(stored).get("columns", ())
    if columns:
        passed = [row for row in rows if row.status == PASSED]
        said += [_line_of("check", *columns), "|---" * (1 + len(columns)) + "|"]
        said += [_line_of(f"`{row.name}`", *map(_cell, row.reason.split(CELL))) for row in passed]
        said += [""]
        rows = [row for row in rows if row.status != PASSED]
    return "\n".join([*said, *_by_reason(rows)])


def cells(*parts: object) -> str:
    """What a check returns where its suite has columns."""
    return CELL.join(str(part) or "–" for part in parts)


def _line_of(*parts: str) -> str:
    return f"| {' | '.join(parts)} |"


def _by_reason(rows: Sequence[Row]) -> list[str]:
    """What did not pass, or not without a remark."""
    said = []
    for status, title in ((FAILED, "Failed"), (NOT_EXPRESSIBLE, "Not expressible"), (PASSED, "Passed, with a remark"),
                          (NOT_APPLICABLE, "Not applicable")):
        groups: dict[str, list[str]] = {}
        for row in rows:
            if row.status == status and row.reason:
                groups.setdefault(row.reason, []).append(row.name)
        if groups:
            said += [f"{title}:\n", *[f"- {_cell(reason)}: {_names(names)}" for reason, names in groups.items()], ""]
    return said


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    """A reason in Markdown, as it stands: links and markup in it are none."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in text)
