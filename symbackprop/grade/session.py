"""Evaluating answers in order: every line with the person's own earlier lines, and once more with these put right.

The second value separates one mistake from the next: an answer that is right once the earlier ones are put right is
right, given them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.core.graph import Node
from symbackprop.core.shapes import same_shape
from symbackprop.errors import ModelError, NameProblem
from symbackprop.grade.formulas import Formula
from symbackprop.grade.lines import Line
from symbackprop.grade.naming import Dictionary, Gradient, Meaning
from symbackprop.grade.reading import Answer, Reader, parsed
from symbackprop.grade.reference import Reference
from symbackprop.grade.scope import GIVEN, MENDED, Key, NotYet, Scope, index_value, key_of
from symbackprop.grade.trees import unparsed
from symbackprop.model.text import tree

MAX_STEPS = 20_000
MAX_PRODUCTS = 3


@dataclass
class Entry:
    """One line at one value of the loop counters around it."""

    answer: Answer
    counters: Mapping[str, int]
    key: Key = ""


@dataclass
class Outcome:
    """What the answers to one quantity came to: rows with the person's own earlier answers, and with these put right.

    Several rows are several readings of the same line. ``uses`` are the earlier answers that it reads, ``taken``
    derivatives that it names without working them out. ``forms`` are the values of ``a = b = c``, all but the last.
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
    reads: str = ""

    @property
    def meaning(self) -> Meaning | None:
        """What the line answers; for a name of the person's own, what it is used as where that is clear."""
        target = self.entry.answer.target
        return self.assumed if target is None or target.meaning is None else target.meaning

    @property
    def row_name(self) -> str:
        """The name of the row whose gradient this is."""
        return self.assumed.row if self.assumed is not None else self.key.removeprefix("gradient ")

    @property
    def label(self) -> str:
        """What the person calls it."""
        target = self.entry.answer.target
        index = self.key.partition("[")[2]
        return (
            self.key
            if target is None
            else f"{target.name}[{index}"
            if index and target.meaning is None
            else target.text
        )


class Session:
    """All lines of one person, for one reference. ``fixed`` are dimensions that are numbers in the reference; ``assumed``
    says which row's gradient a name of the person's own is taken for."""

    def __init__(self, reference: Reference, fixed: Mapping[str, int] | None = None,
                 assumed: Mapping[Key, str] | None = None) -> None:  # fmt: skip
        self.reference, self.fixed = reference, dict(fixed or {})
        self.dictionary = Dictionary(reference)
        self.dictionary.known |= set(self.fixed)
        self.reader = Reader(self.dictionary)
        self.outcomes: dict[Key, Outcome] = {}
        self.unread: list[Answer] = []
        self.restated: list[tuple[Answer, bool]] = []
        self.times: Counter[Key] = Counter()
        self.assumed = dict(assumed or {})

    def run(self, lines: Sequence[Line]) -> None:
        """Evaluate every line, in an order in which its names are known."""
        answers: dict[int, Answer] = {}
        self._read(lines, answers)
        for answer in answers.values():
            self.reader.read_right(answer)
        entries = list(self._entries(lines, answers, {}))
        self.times = Counter(e.key for e in entries)
        self._run(entries)

    def _read(self, lines: Sequence[Line], answers: dict[int, Answer]) -> None:
        for line in lines:
            if line.loop is not None:
                self.dictionary.known.add(line.loop.counter)
                self._read(line.loop.body, answers)
            elif self.reader.is_answer(line):
                answers[line.number] = self.reader.read_left(line)

    def _entries(
        self, lines: Sequence[Line], answers: Mapping[int, Answer], counters: Mapping[str, int]
    ) -> Iterator[Entry]:
        """The lines with loops written out."""
        for line in lines:
            if line.loop is not None:
                for k in self._steps(line, counters):
                    yield from self._entries(line.loop.body, answers, {**counters, line.loop.counter: k})
            elif line.number in answers:
                yield from self._entry(answers[line.number], counters)

    def _steps(self, line: Line, counters: Mapping[str, int]) -> range:
        assert line.loop is not None
        scope = Scope(self, GIVEN, counters)
        first, last = (index_value(parsed(t, index=True), scope) for t in (line.loop.start, line.loop.stop))
        if abs(last - first) >= MAX_STEPS:
            raise ModelError(f"a loop of {abs(last - first) + 1} steps is too long", f"line {line.number}")
        return range(first, last + 1) if first <= last else range(first, last - 1, -1)

    def _entry(self, answer: Answer, counters: Mapping[str, int]) -> Iterator[Entry]:
        if answer.error is not None:
            if answer not in self.unread:
                self.unread.append(answer)
            return
        try:
            yield Entry(answer, counters, key_of(answer, Scope(self, GIVEN, counters)))
        except ModelError as error:
            answer.error = error
            self.unread.append(answer)

    # -- evaluating
    def _run(self, waiting: Sequence[Entry]) -> None:
        """Lines that use what a line below defines wait for it."""
        while waiting:
            later: list[Entry] = []
            for k, entry in enumerate(waiting):
                ahead = {e.key for e in (*later, *waiting[k + 1 :])} - {entry.key}
                if not self._evaluate(entry, ahead):
                    later.append(entry)
            if len(later) == len(waiting):
                for entry in later:
                    self._evaluate(entry, set())
                return
            waiting = later

    def _evaluate(self, entry: Entry, ahead: set[Key]) -> bool:
        """Evaluate one line; False when it has to wait for one in ``ahead``."""
        answer = entry.answer
        assert answer.target is not None
        if answer.target.restated:
            return self._restate(entry)
        outcome = Outcome(entry.key, entry)
        if entry.key in self.assumed:
            outcome.assumed = Gradient(self.assumed[entry.key])
        try:
            self._fill(outcome)
        except NotYet as error:
            if error.key in ahead:
                return False
            outcome.error = outcome.mended_error = error
        self._store(outcome)
        return True

    def _fill(self, outcome: Outcome) -> None:
        answer = outcome.entry.answer
        *others, last = answer.forms
        outcome.given, outcome.error = self._rows(last, outcome, GIVEN)
        outcome.mended, outcome.mended_error = self._rows(last, outcome, MENDED)
        outcome.forms = [self._rows(form, outcome, MENDED)[0] for form in others]

    def _rows(self, form: tree.Expr, outcome: Outcome, which: str) -> tuple[list[Node], ModelError | None]:
        """The readings of one right side, or why there is none."""
        found: list[Node] = []
        problem: ModelError | None = None
        waiting = [(0, 0)]
        while waiting:
            choice, products = waiting.pop(0)
            scope = Scope(self, which, outcome.entry.counters, outcome.key, choice, outcome.entry.answer.meanings)
            formula = Formula(self.reference, scope, outcome.entry.answer.juxtaposed, products)
            try:
                row = self._added(formula.row(form), outcome, which)
                self._learn(outcome, scope, formula)
                found += [row] if row not in found else []
            except NotYet:
                raise
            except (ZeroDivisionError, OverflowError) as error:
                problem = problem or ModelError(str(error))
            except ModelError as error:
                problem = problem or error
            if (choice, products) == (0, 0):
                waiting = _readings(scope.ambiguous, formula.vector_products)
        return found, None if found else problem

    def _learn(self, outcome: Outcome, scope: Scope, formula: Formula) -> None:
        """What was met on the way: earlier answers, derivatives that are only named, slips."""
        outcome.uses |= scope.uses
        outcome.taken += [t for t in scope.taken if t not in outcome.taken]
        outcome.notes += [n for n in formula.notes if n not in outcome.notes]
        outcome.reads = unparsed(outcome.entry.answer.forms[-1], formula.signs)

    def _added(self, row: Node, outcome: Outcome, which: str) -> Node:
        """``+=`` adds to what the same name holds so far."""
        before = self.outcomes.get(outcome.key)
        if not outcome.entry.answer.adds or before is None:
            return row
        so_far = before.given if which == GIVEN else before.mended
        outcome.uses |= before.uses
        return so_far[0] + row if so_far else row

    def _store(self, outcome: Outcome) -> None:
        if self.times[outcome.key] > 1 and outcome.key in self.outcomes and not outcome.entry.answer.adds:
            if not outcome.entry.counters:
                outcome.notes.append(
                    f"{outcome.entry.answer.target.text} is given more than once; the last line counts"
                )  # type: ignore[union-attr]
        self.outcomes[outcome.key] = outcome

    def _restate(self, entry: Entry) -> bool:
        """A line that repeats an equation of the model: it has to be that equation."""
        outcome = Outcome(entry.key, entry)
        row = self.reference.rows[entry.answer.target.name]  # type: ignore[union-attr]
        try:
            rows, error = self._rows(entry.answer.forms[-1], outcome, GIVEN)
        except NotYet as problem:
            rows, error = [], problem
        if error is not None or not rows or not same_shape(rows[0].shape, row.shape):
            entry.answer.error = error or NameProblem(f"{entry.answer.target.name} is the model's own name")  # type: ignore[union-attr]
            self.unread.append(entry.answer)
        else:
            entry.answer.forms = entry.answer.forms[-1:]
            self.restated.append((entry.answer, rows[0] is row))
        return True

    # -- what the scope asks
    def meant(self, outcome: Outcome) -> Node | None:
        """The right value of an answered quantity that is answered in one line."""
        if isinstance(outcome.meaning, Gradient) and self.times[outcome.key] == 1:
            return self.reference.gradient(self.reference.rows[outcome.row_name])
        return None


def _readings(locals_differ: bool, vector_products: int) -> list[tuple[int, int]]:
    """All other readings of a line: of its local derivatives, and of its products of two vectors."""
    ways = 2 ** min(vector_products, MAX_PRODUCTS)
    return [(c, p) for c in range(2 if locals_differ else 1) for p in range(ways) if (c, p) != (0, 0)]
