"""A class's folder of answers: one report a file, and a table of all of them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from symbackprop.errors import SymbackpropError, SyntaxProblem, UsageError
from symbackprop.grade.grading import Grader
from symbackprop.grade.report import FORMAT, INCONCLUSIVE, RIGHT, UNREADABLE, VERSION, Report, Unread

SUFFIXES = (".sbp", ".txt", ".md", ".ans")
MAX_BYTES = 1_000_000
HEAD = ("file", "verdict", "right", "wrong", "missing", "unreadable", "of")


class Graded(Protocol):
    """What a command prints: one report, or those of a folder."""

    @property
    def exit_code(self) -> int: ...

    def text(self, level: int) -> str: ...

    def json(self, level: int) -> str: ...


@dataclass(frozen=True)
class ClassReport:
    """The reports on all files of a folder."""

    model: str
    reports: Sequence[Report]

    @property
    def exit_code(self) -> int:
        """3 when a file or a line cannot be read, else 1 when something is wrong or missing."""
        return max((r.exit_code for r in self.reports), default=0)

    def text(self, level: int) -> str:
        return table(self.reports)

    def json(self, level: int) -> str:
        reports = [r.to_json(level) for r in self.reports]
        return json.dumps(
            {"format": FORMAT, "version": VERSION, "model": self.model, "reports": reports},
            indent=2,
            ensure_ascii=False,
        )


def grade_path(grader: Grader, answers: str) -> Graded:
    """The report on a file (``-``: standard input), or those on a folder of files."""
    if answers == "-":
        return grader.grade(sys.stdin.read(), "standard input")
    path = Path(answers)
    if path.is_dir():
        return ClassReport(grader.model.name, grade_folder(grader, path))
    return grader.grade(read_answers(path), answers)


def read_answers(path: Path) -> str:
    """The text of an answers file. Raises a `SyntaxProblem` for what is no text, a `UsageError` where nothing is."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SyntaxProblem(f"the file has more than {MAX_BYTES} bytes", str(path))
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SyntaxProblem("the file is not text in UTF-8", str(path)) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def answer_files(folder: Path) -> list[Path]:
    """The files of a folder that hold answers, by name."""
    found = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in SUFFIXES and not p.name.startswith("."))
    if not found:
        raise UsageError(f"{folder} holds no answers: none of its files ends in {', '.join(SUFFIXES)}")
    return found


def grade_folder(grader: Grader, folder: Path) -> list[Report]:
    """One report a file; a file that cannot be read is a report that says so."""
    return [_graded(grader, path) for path in answer_files(folder)]


def _graded(grader: Grader, path: Path) -> Report:
    try:
        return grader.grade(read_answers(path), path.name)
    except SymbackpropError as error:
        report = grader.grade("", path.name)
        report.unread.append(Unread(0, "", getattr(error, "message", str(error))))
        return report


def table(reports: Sequence[Report]) -> str:
    """CSV: a line a file, a column for every parameter with its verdict and the kind of its mistake."""
    names = list(dict.fromkeys(i.name for r in reports for i in r.required))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*HEAD, *names])
    for report in reports:
        writer.writerow([_cell(report.source), report.verdict, *_counts(report), *[_of(report, n) for n in names]])
    return out.getvalue()


def _counts(report: Report) -> list[int]:
    states = [i.verdict for i in report.required]
    unreadable = states.count(UNREADABLE)
    missing = states.count("missing")
    wrong = len(states) - report.right - missing - unreadable - states.count(INCONCLUSIVE)
    return [report.right, wrong, missing, unreadable, len(states)]


def _of(report: Report, name: str) -> str:
    item = next(i for i in report.required if i.name == name)
    if item.verdict == RIGHT or item.finding is None or item.finding.kind == item.verdict:
        return item.verdict
    return f"{item.verdict}: {item.finding.kind}"


def _cell(text: str) -> str:
    """A file's name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t" else text
