"""One evaluated answer as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symbackprop.core.graph import Node
from symbackprop.errors import ModelError
from symbackprop.grade.naming import Gradient, Meaning
from symbackprop.grade.reading import Answer, Target
from symbackprop.grade.scope import Key
from symbackprop.model.text import tree


@dataclass
class Entry:
    """One line at one value of the loop counters around it; ``key`` is what it defines."""

    answer: Answer
    counters: Mapping[str, int]
    key: Key = ""

    @property
    def target(self) -> Target:
        assert self.answer.target is not None, "a line without a left side is never an entry"
        return self.answer.target

    @property
    def form(self) -> tree.Expr:
        """The right side that counts: the last one of ``a = b = c``."""
        return self.answer.forms[-1]


@dataclass
class Outcome:
    """What the answers to one quantity came to: rows with the person's own earlier answers, and with these put right.

    Several rows are several readings of the same line. ``uses`` are the earlier answers that it reads, ``taken``
    derivatives that it names without working them out, ``forms`` the values of all but the last of ``a = b = c``, and
    ``assumed`` what a name of the person's own is taken for. ``reads`` is the formula of every row, as it was read.
    """

    key: Key
    entry: Entry
    given: list[Node] = field(default_factory=list)
    mended: list[Node] = field(default_factory=list)
    forms: list[list[Node]] = field(default_factory=list)
    error: ModelError | None = None
    mended_error: ModelError | None = None
    uses: set[Key] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assumed: Gradient | None = None
    reads: dict[int, str] = field(default_factory=dict)

    @property
    def meaning(self) -> Meaning | None:
        """What the line answers; for a name of the person's own, what it is used as where that is clear."""
        meaning = self.entry.target.meaning
        return self.assumed if meaning is None else meaning

    @property
    def row_name(self) -> str:
        """The name of the row whose gradient this is."""
        return self.assumed.row if self.assumed is not None else self.key.removeprefix("gradient ")

    @property
    def label(self) -> str:
        """What the person calls it."""
        target, index = self.entry.target, self.key.partition("[")[2]
        if target.index and index:
            return f"{'' if target.meaning is None else 'd'}{target.name}[{index}"
        return target.text
