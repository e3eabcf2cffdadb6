"""How many steps the loops of a model get while it is graded, and what holds for every number of them.

A right answer is right for any number of steps. A line is therefore graded with two numbers; what it says about step t,
about the last step T or about a step with a number of its own is compared line by line, never by the names of rows:
``dh[3]`` is the last step of three and one of the middle of four.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from symbackprop.grade import mistakes as m
from symbackprop.grade.judge import FOLLOWS, MISSING, RIGHT, UNREADABLE, WRONG
from symbackprop.grade.lines import Line
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.report import Item, Report

FEW, MANY = 3, 8
_NUMBERED = re.compile(r"\[\s*(\d+)\s*\]")
_FROM_THE_END = re.compile(r"\b[A-Za-z]\w*\s*[-−]\s*(\d+)")


def steps_for(lines: Sequence[Line], loops: Iterable[str]) -> int:
    """A number of steps with which every step that the answers name exists, at most ``MANY``."""
    texts = list(_texts(lines))
    numbered = [int(n) for text in texts for n in _NUMBERED.findall(text)]
    dims = set(loops)
    late = [int(found.group(1)) + 2 for text in texts for found in _FROM_THE_END.finditer(text)
            if re.split(r"\s*[-−]", found.group())[0] in dims]  # fmt: skip
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
