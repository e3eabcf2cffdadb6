"""`grade`: a model and a text of answers to a `Report`.

A right answer is right for any number of steps of a loop. A line is therefore graded with two numbers; what it says
about step t, about the last step T or about a step with a number of its own is compared line by line, never by the
names of rows: ``dh[3]`` is the last step of three and one of the middle of four.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from symbackprop.errors import ModelError, SymbackpropError, SyntaxProblem, UsageError
from symbackprop.files import read_stdin
from symbackprop.grade import mistakes as m
from symbackprop.grade.judge import FOLLOWS, INCONCLUSIVE, MISSING, RIGHT, UNREADABLE, WRONG, Judge, with_helpers
from symbackprop.grade.lines import Line, read_lines
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.reference import Reference
from symbackprop.grade.report import FORMAT, VERSION, Collector, Item, Report, Unread
from symbackprop.grade.results import is_result, of_what_was_asked, read_result, with_the_rest
from symbackprop.grade.session import FROM_1, Counting, Session
from symbackprop.model.copying import by_last_values, copied, loop_counters, loop_dimensions
from symbackprop.model.model import Model


def grade(
    model: Model, text: str, source: str = "answers", sizes: Mapping[str, int] | None = None, seed: int = 0
) -> Report:
    """Check the gradients in ``text`` (lines such as ``dw2 = -(y-o)*(1-o^2)*h``) against those of the model.

    ``source`` is how errors and the report call the text; ``sizes`` fixes dimensions. Loops over a symbolic axis are
    graded with 3 steps, or as many as the answers number, and what is right there once more with others. Raises a
    `SyntaxProblem` when the text has no structure that can be read; a single unreadable line is part of the report.
    """
    return Grader(model, sizes, seed).grade(text, source)


class Grader:
    """Grades many answers to one model; what does not depend on the answers is made once."""

    def __init__(self, model: Model, sizes: Mapping[str, int] | None = None, seed: int = 0) -> None:
        model.require_definitions()
        self.model, self.sizes, self.seed = model, dict(sizes or {}), seed
        self.loops = loop_dimensions(model)
        self.shapes = {name: [str(size) for size in row.shape] for name, row in model.graph.names.items()}

    def grade(self, text: str, source: str = "answers") -> Report:
        """The report on one person's answers."""
        try:
            lines = read_lines(text, self.shapes)
        except ModelError as error:
            raise error.at(source) from None
        report, numbered, wrong = self._counted(lines, source, FROM_1)
        others = [NUMBERS_FROM_0] * numbered + [LOOPS_FROM_0, ARRAYS_FROM_0] * any(_from_0(lines))
        others += self._by_last_values() + [BARRED] * any(map(_BAR.search, _texts(lines)))
        for counting in others if report.verdict != RIGHT else []:
            other, _, fewer = self._counted(lines, source, counting)
            if fewer < wrong:
                report, wrong = other, fewer
                report.notes.append(counting.says)
        return report

    def grade_file(self, text: str, source: str) -> Report:
        """The report on the text of a file of answers, or on what a page of exercises saved."""
        if not is_result(text):
            return self.grade(text, source)
        result = read_result(text)
        model, lines = with_the_rest(self.model, result)
        return of_what_was_asked(Grader(model, {}, self.seed).grade(lines, source), result)

    def _counted(self, lines: Sequence[Line], source: str, first: Counting) -> tuple[Report, bool, tuple[int, ...]]:
        """The report when steps are counted like that, whether arrays are given a step's number, and how many answers
        are not right in the end, how many for the smaller number of steps, and how many lines have no value."""
        loops = [*self.loops, *self._counted_by(lines)]
        steps = steps_for(lines, loops)
        few, more = self._fixed(loops, steps), self._fixed(loops, steps + 1, apart=True)
        report, session = self._report(lines, source, few, first)
        before = _not_right(report)
        if few != more and any(i.verdict == RIGHT for i in report.items):
            confirm(report, self._report(lines, source, more, first)[0], few, more)
        failed = sum(o.error is not None for o in session.outcomes.values())
        failed += sum(i.verdict == UNREADABLE for i in report.items)
        return report, session.numbered, (_not_right(report), before, failed)

    def _by_last_values(self) -> list[Counting]:
        names = by_last_values(self.model)
        first = ", ".join(other for n, other in names.items() if n in self.model.last_values)
        last = ", ".join(n for n in self.model.last_values if n in names.values())
        says = f"{last}, which the model gives several values, is read as the last of them"
        says += f", and {first} as the first" if first else ""
        return [Counting(names=names, says=says)] if names else []

    def _counted_by(self, lines: Sequence[Line]) -> list[str]:
        """The sizes that only loops of the answers run over, as in ``for i in range(N):``."""
        words = {*_words_of_bounds(lines)}
        return [n for n in self.model.sizes if n in words and n not in self.loops]

    def _fixed(self, loops: Sequence[str], steps: int, apart: bool = False) -> dict[str, int]:
        """A number of steps for every dimension that a loop runs over, each another one where they are told apart."""
        return {n: self.sizes.get(n, steps + k * apart) for k, n in enumerate(loops)}

    def _report(
        self, lines: Sequence[Line], source: str, fixed: Mapping[str, int], counting: Counting
    ) -> tuple[Report, Session]:
        model = copied(self.model, fixed, counting.names)
        session = Session(Reference(model, loop_counters(self.model)), fixed, counting)
        session.run(lines)
        judge = Judge(session, {n: k for n, k in self.sizes.items() if n not in fixed}, self.seed)
        judge.session = with_helpers(session, judge.usual)
        judge.run()
        judge = judge.agreed()
        return Collector(judge).report(source), judge.session


NUMBERS_FROM_0 = Counting(
    first=0, says="steps that are numbered outside of a loop are counted from 0 here, as NumPy does"
)
LOOPS_FROM_0 = Counting(first=0, loops=1, says="steps are counted from 0 here, as Python's range does")
ARRAYS_FROM_0 = Counting(
    first=0, arrays=1, says="steps of arrays that no loop computes are counted from 0 here, as NumPy does"
)

BARRED = Counting(barred=True, says="a name with a bar is read as the gradient")
_BAR = re.compile(r"\\bar|\\overline|\u0304|bar\b")


def _from_0(lines: Sequence[Line]) -> Iterator[bool]:
    """For every loop whether it counts from 0, as Python's range does."""
    for line in lines:
        if line.loop is not None:
            yield line.loop.from_0
            yield from _from_0(line.loop.body)


def _words_of_bounds(lines: Sequence[Line]) -> Iterator[str]:
    """The names in the bounds of every loop."""
    for line in lines:
        if line.loop is not None:
            yield from line.loop.words
            yield from _words_of_bounds(line.loop.body)


def _not_right(report: Report) -> int:
    return len(report.unread) + sum(i.verdict != RIGHT for i in report.items)


# -- how many steps loops get, and what holds for every number of them

FEW, MANY = 3, 8
_NUMBERED = re.compile(r"\[\s*(\d+)\s*\]")
_FROM_THE_END = re.compile(r"\b[A-Za-z]\w*\s*[-−]\s*(\d+)")


def steps_for(lines: Sequence[Line], loops: Iterable[str]) -> int:
    """A number of steps with which every step that the answers name exists, at most ``MANY``."""
    texts = list(_texts(lines))
    numbered = [int(n) for text in texts for n in _NUMBERED.findall(text)]
    dims = set(loops)
    late = [int(found.group(1)) + 2 for text in texts for found in _FROM_THE_END.finditer(text)
            if re.split(r"\s*[-−]", found.group())[0] in dims]
    return max([FEW, *[n for n in (*numbered, *late) if n <= MANY]])


def _texts(lines: Sequence[Line]) -> Iterable[str]:
    for line in lines:
        if line.loop is None:
            yield line.text
        else:
            yield from (line.loop.start, line.loop.stop)
            yield from _texts(line.loop.body)


def confirm(report: Report, longer: Report, steps: Mapping[str, int], more: Mapping[str, int]) -> None:
    """What is right with ``steps`` only is not right: ``longer`` reports on the same lines with ``more`` steps."""
    of_line, place = _by_line(report), {i.name: i.line or 0 for i in longer.items}
    only = f"it is right for {_told(steps)}"

    def here(label: str) -> list[str]:
        return [i.name for i in of_line.get(place.get(label, 0), [])] or [label]

    for number, others in _by_line(longer).items():
        mine = of_line.get(number, [])
        if not mine:
            _add(report, others)
        elif all(i.verdict == RIGHT for i in mine):
            _worsen(mine, others, here, f"{only}, not for {_told(more).removesuffix(' steps')}")
    unread = {u.line: u.message for u in longer.unread}
    for number in unread.keys() - {u.line for u in report.unread}:
        _mark(of_line.get(number, []), f"{only} only: {unread[number]}")


def _by_line(report: Report) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    for item in report.items:
        if item.line is not None:
            found.setdefault(item.line, []).append(item)
    return found


def _add(report: Report, items: Sequence[Item]) -> None:
    """Lines that have nothing to say about fewer steps: what is not right in them, and what was missing."""
    missing = {i.name for i in report.items if i.verdict == MISSING}
    items = [i for i in items if i.verdict != RIGHT or i.name in missing]
    given = {i.name for i in items}
    report.items = [i for i in report.items if i.verdict != MISSING or i.name not in given] + items


def _worsen(mine: Sequence[Item], others: Sequence[Item], here: Callable[[str], list[str]], says: str) -> None:
    """Items that are right for fewer steps take the verdict of those of their line that are not right for more.

    ``here`` is what a quantity of the longer report is called in the shorter one.
    """
    states = {i.verdict: i.finding for i in reversed(others)}
    if WRONG in states:
        _mark(mine, says)
    elif (why := states.get(UNREADABLE)) is not None:
        _mark(mine, f"{says}: {why.says}")
    elif (given := states.get(FOLLOWS)) is not None:
        labels = ", ".join(dict.fromkeys(name for label in given.factor.split(", ") for name in here(label)))
        follows = replace(given, says=f"it is right, given your {labels}", factor=labels)
        for item in mine:
            item.verdict, item.finding = FOLLOWS, follows


def _mark(items: Sequence[Item], says: str) -> None:
    for item in items:
        item.verdict, item.finding = WRONG, Finding(m.STALE_INDEX, says)


def _told(steps: Mapping[str, int]) -> str:
    numbers = list(dict.fromkeys(steps.values()))
    if len(numbers) == 1:
        return f"{numbers[0]} steps"
    return " and ".join(f"{k} = {n}" for k, n in steps.items())

# -- a class's folder of answers: one report a file, and a table of all of them


SUFFIXES = (".sbp", ".txt", ".md", ".ans", ".py", ".tex")
RESULTS = (".csv", ".json")  # what grading a class writes
SAVED = ".json"  # what a page of exercises saves
MAX_BYTES = 1_000_000
HEAD, TAIL = ("file", "verdict", "right", "wrong", "missing", "unreadable", "of"), "not read"


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
        return grader.grade_file(_decoded(read_stdin(MAX_BYTES + 1), "<stdin>"), "standard input")
    path = Path(answers)
    if path.is_dir():
        return ClassReport(grader.model.name, grade_folder(grader, path))
    return grader.grade_file(read_answers(path), answers)


def read_answers(path: Path) -> str:
    """The text of an answers file. Raises a `SyntaxProblem` for what is no text, a `UsageError` where nothing is."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return _decoded(data, str(path))


def _decoded(data: bytes, where: str) -> str:
    if len(data) > MAX_BYTES:
        raise SyntaxProblem(f"the file has more than {MAX_BYTES} bytes", where)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SyntaxProblem("the file is not text in UTF-8", where) from None


def grade_folder(grader: Grader, folder: Path) -> list[Report]:
    """One report a file, by name; a file that cannot be read is a report that says so."""
    files = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    found = sorted(p for p in files if p.suffix.lower() not in RESULTS or _is_saved(p))
    if not any(p.suffix.lower() in (*SUFFIXES, SAVED) for p in found):
        raise UsageError(f"{folder} holds no answers: none of its files ends in {', '.join(SUFFIXES)}")
    return [_graded(grader, path) for path in found]


def _is_saved(path: Path) -> bool:
    """Whether a file is what a page of exercises saved, and not a report of ours."""
    try:
        return path.suffix.lower() == SAVED and is_result(read_answers(path))
    except SymbackpropError:
        return False


def _graded(grader: Grader, path: Path) -> Report:
    try:
        if path.suffix.lower() not in (*SUFFIXES, SAVED):
            kind = f"files that end in {path.suffix}" if path.suffix else "files without an ending"
            raise SyntaxProblem(f"{kind} are not read; answers are text in {', '.join(SUFFIXES)}")
        return grader.grade_file(read_answers(path), path.name)
    except SymbackpropError as error:
        report = grader.grade("", path.name)
        report.unread.append(Unread(0, "", getattr(error, "message", str(error))))
        return report


def table(reports: Sequence[Report]) -> str:
    """CSV: a line a file, a column for every parameter with its verdict and the kind of its mistake, and what could not
    be read and why, the first of it."""
    names = list(dict.fromkeys(i.name for r in reports for i in r.required))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*HEAD, *names, TAIL])
    for report in reports:
        states = [_of(report, n) for n in names]
        writer.writerow([_cell(report.source), report.verdict, *_counts(report), *states, _not_read(report)])
    return out.getvalue()


def _not_read(report: Report) -> str:
    """Why something was not read, the first of it."""
    lines = [(u.line, u.message) for u in report.unread]
    lines += [(i.line or 0, i.finding.says) for i in report.items if i.verdict == UNREADABLE and i.finding]
    line, why = min(lines, default=(0, ""))
    return f"line {line}: {why}" if line else why


def _counts(report: Report) -> list[int]:
    states = [i.verdict for i in report.required]
    unreadable = states.count(UNREADABLE)
    missing = states.count(MISSING)
    wrong = len(states) - report.right - missing - unreadable - states.count(INCONCLUSIVE)
    return [report.right, wrong, missing + report.lost, unreadable, report.asked]


def _of(report: Report, name: str) -> str:
    item = next((i for i in report.required if i.name == name), None)
    if item is None:  # not asked of this person
        return ""
    if item.verdict == RIGHT or item.finding is None or item.finding.kind == item.verdict:
        return item.verdict
    return f"{item.verdict}: {item.finding.kind}"


def _cell(text: str) -> str:
    """A file's name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t" else text
