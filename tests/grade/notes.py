"""Submitting what `grade` says it has read: every right side replaced by its "read as" note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symbackprop.grade.lines import Line, read_lines
from symbackprop.grade.report import Report


def verbatim(text: str, report: Report) -> str:
    """The answers with every right side that was read as the note says."""
    notes = {i.line: i.read_as for i in report.items if i.line is not None and i.read_as is not None}
    return "\n".join(_written(read_lines(text), notes, ""))


def _written(lines: Sequence[Line], notes: Mapping[int, str], indent: str) -> Iterator[str]:
    for line in lines:
        if line.loop is not None:
            yield f"{indent}for {line.loop.counter} in {line.loop.start}..{line.loop.stop}:"
            yield from _written(line.loop.body, notes, indent + "    ")
        elif line.number in notes:
            sign = next((s for s in ("+=", ":=") if s in line.text), "=" if "=" in line.text else ":")
            yield f"{indent}{line.text.partition(sign)[0]} {sign} {notes[line.number]}"
        else:
            yield f"{indent}{line.text}"
