"""Arrays under two names: behind ``a = dv`` the line ``a *= 2`` changes dv too, in NumPy and PyTorch. Here a line gives
one name a value, so that what the other one holds is not known any more, and what reads it then is not judged."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symbackprop.errors import ModelError
from symbackprop.grade.python import changed_in_place, renamed
from symbackprop.grade.reading import Answer


class SharedArrays:
    """Which names have one array, line by line: ``array`` says which one, ``stale`` by which name and line it was
    changed for another name. Lines that cannot be read change theirs at any time."""

    def __init__(self, unread: Iterable[Answer]) -> None:
        self.unread = {name: a for a in unread if (name := changed_in_place(a.text))}
        self.array: dict[str, str] = {}
        self.stale: dict[str, tuple[str, Answer]] = {}

    def read(self, answer: Answer) -> ModelError | None:
        """Why it is not known what a line reads; None where it is."""
        return next(filter(None, map(self.changed, _words(answer))), None) if self.stale else None

    def changed(self, name: str) -> ModelError | None:
        """Why it is not known what a name holds; None where it is."""
        if name not in self.stale:
            return None
        by, line = self.stale[name]
        return ModelError(f"line {line.number} changes {name} too, as {by} is the same array: a copy, {name}.copy(), "
                          "is another one")

    def pass_on(self, answer: Answer, has_axes: bool) -> None:
        """What a line makes of the names; numbers are never changed in place."""
        changed, same = changed_in_place(answer.text), renamed(answer.text)
        if changed and has_axes:
            self._change(changed, answer)
        elif not changed:
            name = name_of(answer)
            self.stale.pop(name, None)
            self.array.pop(name, None)
            if same is not None and has_axes:
                self.array[name] = self.array.setdefault(same[1], same[1])
                for one in self.unread.keys() & {*same}:
                    self._change(one, self.unread[one])

    def _change(self, name: str, answer: Answer) -> None:
        array = self.array.get(name)
        others = [other for other, its in self.array.items() if its == array and other != name] if array else []
        self.stale |= dict.fromkeys(others, (name, answer))


def name_of(answer: Answer) -> str:
    """The name on the left side."""
    return answer.target.text.partition("[")[0] if answer.target is not None else ""


def _words(answer: Answer) -> list[str]:
    left, _, right = answer.text.partition("=")
    again = left if answer.adds or answer.rereads or answer.updates else ""
    return re.findall(r"\w+", f"{again} {right}")
