"""Evaluating answers in order: every line with the person's own earlier lines, and once more with these put right.

The second value separates one mistake from the next: an answer that is right once the earlier ones are put right is
right, given them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.arrange import stack
from symbackprop.core.graph import Node
from symbackprop.core.shapes import same_shape
from symbackprop.errors import ModelError, NameProblem
from symbackprop.grade.formulas import Formula
from symbackprop.grade.lines import Line, Loop
from symbackprop.grade.naming import Dictionary, Gradient, Key, Meaning, Own
from symbackprop.grade.reading import Answer, Reader, Target, ascii_text
from symbackprop.grade.reference import Reference
from symbackprop.grade.scope import GIVEN, MENDED, NotYet, PythonCounter, Scope, index_value, key_of, lengths
from symbackprop.grade.shared import SharedArrays, name_of
from symbackprop.grade.tree_text import unparsed
from symbackprop.model.text import tree
from symbackprop.model.text.expressions import one_formula, size

MAX_STEPS = 20_000
MAX_AMBIGUOUS = 3


@dataclass(frozen=True)
class Counting:
    """How steps are numbered. ``first`` is the first step of an array outside of loops; in Python's loops, which count
    from 0, ``loops`` is added to the counter, or ``arrays`` to a step of an array that no loop computes. ``names`` are
    what rows of the model are called otherwise; where it is ``barred``, a name with a bar is a gradient."""

    first: int = 1
    loops: int = 0
    arrays: int = 0
    says: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    barred: bool = False


FROM_1 = Counting()


@dataclass
class Entry:
    """One line at one value of the loop counters around it; ``key`` is what it defines. ``implied`` says that no
    loop is around it: it holds at the steps that have no line of their own."""

    answer: Answer
    counters: Mapping[str, int]
    key: Key
    implied: bool = False

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
    ``assumed`` what a name of the person's own is taken for. ``reads`` is the formula of every row, as it was read;
    ``entries`` are all that added up to it, ``before`` is what the same name held when the line rereads it.
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
    entries: list[Entry] = field(default_factory=list)
    before: Outcome | None = None

    @property
    def meaning(self) -> Meaning | None:
        """What the line answers; for a name of the person's own, what it is used as where that is clear."""
        meaning = self.entry.target.meaning
        return self.assumed if meaning is None else meaning

    @property
    def row_name(self) -> str:
        """The name of the row whose gradient this is."""
        return self.assumed.row if self.assumed is not None else getattr(self.key, "row", "")

    @property
    def label(self) -> str:
        """What the person calls it."""
        key, target = self.key, self.entry.target
        if target.index and isinstance(key, Gradient) and "[" in key.row:
            return f"d{target.name}[{key.row.partition('[')[2]}"
        return str(key) if target.index and isinstance(key, Own) else target.text


_LEGEND = re.compile(r"\s*(\w(?:\w|, ?)*) runs? over (\w+)(?: entry| entries)?\s*")  # i, j run over 2 entries
_CHANGED = re.compile(r"\s*([^\W\d]\w*)\s*(?:\[.*\]\s*[-+*/@]?=|[-+*/@]=)(?!=)")  # d[i] = …, d[mask] -= …, d += …
_GIVEN_ANEW = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")


class Session:
    """All lines of one person, for one reference.

    ``fixed`` are dimensions that are numbers in the reference; ``assumed`` says which row's gradient a name of the
    person's own is taken for. ``entries`` are the lines as read, ``times`` says how many of them define a quantity, and
    ``unread`` are those that cannot be read, ``legend`` what says how far index letters run. ``counting`` says how
    steps are numbered; ``numbered`` tells whether an array is given a step's number outside of a loop.
    """

    def __init__(
        self,
        reference: Reference,
        fixed: Mapping[str, int] | None = None,
        counting: Counting = FROM_1,
    ) -> None:
        self.reference, self.fixed = reference, dict(fixed or {})
        self.dictionary = Dictionary(reference, counting.barred)
        self.dictionary.known |= set(self.fixed)
        self.reader = Reader(self.dictionary)
        self.entries: list[Entry] = []
        self.times: Counter[Key] = Counter()
        self.unread: list[Answer] = []
        self.outcomes: dict[Key, Outcome] = {}
        self.restated: list[tuple[Answer, bool]] = []
        self.assumed: dict[Key, str] = {}
        self.kept: frozenset[Key] = frozenset()
        self.counting, self.numbered = counting, False
        self.shared = SharedArrays(())
        self.legend: dict[str, tree.Expr] = {}

    def run(self, lines: Sequence[Line]) -> None:
        """Evaluate every line, in an order in which its names are known.

        A letter that only the derivation uses is the person's own where a line gives it another value.
        """
        self._read_all(lines)
        self._run_all()
        letters = {n for n in self._redefined() if self.reference.rows[n].name is None}
        if letters:
            self.dictionary.take(letters)
            self._read_all(lines)
            self._run_all()

    def assuming(self, key: Key, row: str) -> Session:
        """The same lines, read once, with a name of the person's own taken for the gradient of a row."""
        new = copy(self)
        new.assumed = {**self.assumed, key: row}
        new.unread = [a for a in self.unread if a.target is None or not a.target.restated]
        new._run_all()
        return new

    def keeping(self, keys: Iterable[Key]) -> Session:
        """The same lines, read once, in which some quantities stand for what the person gave."""
        new = copy(self)
        new.kept = frozenset(keys)
        new.unread = [a for a in self.unread if a.target is None or not a.target.restated]
        new._run_all()
        return new

    def _run_all(self) -> None:
        self.outcomes, self.restated, self.shared = {}, [], SharedArrays(self.unread)
        self._run(self.entries)
        for name in self.reference.targets:
            self._put_together(name)
            self._refuse_changed(name)

    def _refuse_changed(self, name: str) -> None:
        """A gradient asked for is not what was given where a line below changes it under another name."""
        found = self.outcomes.get(Gradient(name))
        changed = None if found is None else self.shared.changed(name_of(found.entry.answer))
        if found is not None and changed is not None:
            found.given, found.mended = [], []
            found.error = found.mended_error = changed

    def _put_together(self, name: str) -> None:
        """dW when it is answered as dW[1], dW[2] … ."""
        steps = [self.outcomes.get(Gradient(n)) for n in self.reference.numbered(name)]
        parts = [s for s in steps if s is not None and s.given and s.mended]
        if not parts or len(parts) < len(steps) or Gradient(name) in self.outcomes:
            return
        last = max(parts, key=lambda part: part.entry.answer.number)
        whole = Outcome(Gradient(name), last.entry, [stack(*[p.given[0] for p in parts])], entries=[last.entry])
        whole.mended = [stack(*[p.mended[0] for p in parts])]
        whole.uses = {p.key for p in parts}.union(*[p.uses for p in parts])
        self.outcomes[whole.key] = whole

    def _redefined(self) -> Iterator[str]:
        """The names of the model that a line gives another value."""
        for answer, same in self.restated:
            if not same and answer.target is not None:
                yield answer.target.name
        yield from (a.target.name for a in self.unread if a.target is not None and a.target.restated)

    def _read_all(self, lines: Sequence[Line]) -> None:
        answers: dict[Line, Answer] = {}
        self._read(lines, answers)
        inside = list(self._in_loops(lines, answers))
        running = {x.text for x, adds in inside if not adds and self._is_running(x)}
        indexed = {x.name for x, _ in inside if x.index and x.meaning is None}
        targets = [a.target for a in answers.values() if a.target is not None]
        whole = {x.text for x in targets}
        filled = {n for n in indexed if self.dictionary.gradient(n) is not None}
        filled |= {x.name for x in targets if x.index and x.meaning is None and x.name in whole}
        if running or filled:
            self.dictionary.own = self.dictionary.own - filled | running
            self.dictionary.filled |= filled
            answers = {}
            self._read(lines, answers)
        for answer in answers.values():
            self.reader.read_right(answer)
        self.unread = []
        entries = list(self._entries(lines, answers, {}))
        told = {e.key for e in entries if not e.implied}
        self.entries = [e for e in entries if not (e.implied and e.key in told)]
        again = [e.answer.updates or (e.answer.rereads and isinstance(e.key, Gradient)) for e in self.entries]
        self.times = Counter(e.key for e, known in zip(self.entries, again, strict=True) if not known)

    def _read(self, lines: Sequence[Line], answers: dict[Line, Answer], inside: bool = False) -> None:
        for line in lines:
            if line.loop is not None:
                self.dictionary.known.add(line.loop.counter)
                self.dictionary.counters.add(line.loop.counter)
                self._read(line.loop.body, answers, True)
            elif (told := _LEGEND.fullmatch(line.text)) is not None:
                self.legend |= dict.fromkeys(re.findall(r"\w+", ascii_text(told[1])[0]), one_formula(told[2], size))
            elif self.reader.is_answer(line):
                answers[line] = self.reader.read_left(line, inside)
                self.dictionary.known |= self._free(answers[line], self.dictionary.known)

    def _in_loops(
        self, lines: Sequence[Line], answers: Mapping[Line, Answer], inside: bool = False
    ) -> Iterator[tuple[Target, bool]]:
        """The left sides of all lines in loops, and whether they add to what is there."""
        for line in lines:
            answer = answers.get(line)
            if line.loop is not None:
                yield from self._in_loops(line.loop.body, answers, True)
            elif inside and answer is not None and answer.target is not None:
                yield answer.target, answer.adds

    def _is_running(self, target: Target) -> bool:
        """Whether ``dh = …`` in a loop is a variable that changes from step to step, not the gradient of all of h."""
        row = self.reference.rows.get(target.name) if isinstance(target.meaning, Gradient) else None
        over = row is not None and bool(row.shape) and row.shape[0] in [sp.Integer(k) for k in self.fixed.values()]
        return over and not target.index and target.text.isidentifier()

    def _entries(
        self, lines: Sequence[Line], answers: Mapping[Line, Answer], counters: Mapping[str, int]
    ) -> Iterator[Entry]:
        """The lines with loops written out."""
        for line in lines:
            if line.loop is not None:
                for k in self._steps(line, counters):
                    yield from self._entries(line.loop.body, answers, {**counters, line.loop.counter: k})
            elif line in answers:
                yield from self._at_every_step(answers[line], counters)

    def _at_every_step(self, answer: Answer, counters: Mapping[str, int]) -> Iterator[Entry]:
        """The line; ``da_t = …`` that no loop is around at every step."""
        free = self._free(answer, counters)
        steps = self.reference.counted(min(free), self.fixed) if free else None
        for k in reversed(steps or ()):
            yield from (replace(e, implied=True) for e in self._entry(answer, {**counters, min(free): k}))
        if not free:
            yield from self._entry(answer, counters)

    def _free(self, answer: Answer, bound: Container[str]) -> set[str]:
        """The counter of the model with which a left side says its step, if nothing else says what it is."""
        index = answer.target.index if answer.target is not None else ()
        return {x.text for x in index if x.text not in bound and self.reference.counted(x.text, self.fixed)}

    def _steps(self, line: Line, counters: Mapping[str, int]) -> Sequence[int]:
        """The values of a loop's counter; none where its bounds cannot be read."""
        assert line.loop is not None
        try:
            first, last = self._bounds(line.loop, counters, 0)
            if abs(last - first) >= MAX_STEPS:
                raise ModelError(f"a loop of {abs(last - first) + 1} steps is too long")
            begin, end = self._bounds(line.loop, counters, MAX_STEPS)
            places = self._counts_places(line.loop)
            more = self.counting.loops if line.loop.from_0 and not places else 0
            first, last = first + more, last + more
            self._refuse_too_many(line.loop, abs(last - first) + 1, max(first, last) + places)
        except ModelError as error:
            self.unread.append(Answer(line.number, line.text, error=error))
            return range(0)
        by = line.loop.step
        steps = range(first, last + 1, by) if begin <= end else range(first, last - 1, -by)
        return [PythonCounter(k) for k in steps] if places else steps

    def _counts_places(self, loop: Loop) -> bool:
        """Whether a loop counts entries of arrays as Python does. One over the steps of a loop of the model may not:
        its arrays may have one more in front."""
        of_the_model = not loop.words.isdisjoint(self.dictionary.loops) if loop.words else bool(self.reference.loops)
        return loop.is_range and not of_the_model

    def _refuse_too_many(self, loop: Loop, steps: int, highest: int) -> None:
        """Raises a `ModelError` where a loop over a size has steps for which nothing has entries, as range(N + 1) has:
        a gradient that comes after a loop's last step may be 0, another sample, and another step, is none."""
        words = loop.words & self.fixed.keys()
        if len(words) != 1 or highest in self.reference.lasts.values():
            return
        n = words.pop()
        if steps > self.fixed[n] and not any(steps in row.shape for row in self.reference.rows.values()):
            raise ModelError(f"the loop over {loop.counter} has more steps than there are entries: {n} are counted by "
                             f"range({n}) or 1..{n}")

    def _bounds(self, loop: Loop, counters: Mapping[str, int], more: int) -> tuple[int, int]:
        """The bounds of a loop with ``more`` steps: with many, T-1..1 runs downwards, whatever T is."""
        scope = Scope(self, GIVEN, counters, more=more)
        first, last = (index_value(one_formula(t, size), scope) for t in (loop.start, loop.stop))
        return first, last

    def _entry(self, answer: Answer, counters: Mapping[str, int]) -> Iterator[Entry]:
        try:
            if answer.error is not None:
                raise answer.error
            if not self._is_end(answer, counters):
                yield Entry(answer, counters, key_of(answer, Scope(self, GIVEN, counters)))
        except ModelError as error:
            answer.error = error
            if answer not in self.unread:
                self.unread.append(answer)

    def _is_end(self, answer: Answer, counters: Mapping[str, int]) -> bool:
        """Whether a line only says that nothing comes after the last step: ``da[T+1] = 0``."""
        if answer.index is None or not is_zero(answer.forms[-1]):
            return False
        return index_value(answer.index, Scope(self, GIVEN, counters)) - 1 in self.fixed.values()

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
        outcome = Outcome(entry.key, entry, entries=[*self._so_far(entry), entry])
        outcome.before = self.outcomes.get(entry.key) if entry.answer.rereads else None
        if entry.key in self.assumed:
            outcome.assumed = Gradient(self.assumed[entry.key])
        try:
            self._fill(outcome)
        except NotYet as error:
            if error.key in ahead:
                return False
            outcome.error = outcome.mended_error = error
        if entry.target.restated:
            self._restate(outcome)
        else:
            self._store(outcome)
        return True

    def _so_far(self, entry: Entry) -> list[Entry]:
        """What a line that adds adds to."""
        return self.outcomes[entry.key].entries if entry.answer.adds and entry.key in self.outcomes else []

    def _spoiler(self, entry: Entry) -> Answer | None:
        """The line that changes what an entry's name holds, or gives it below, and cannot be read, unless the entry
        begins anew."""
        name, answer = entry.target.text.partition("[")[0], entry.answer
        anew = not (answer.adds or answer.rereads or answer.updates)
        changes = [a for a in self.unread if (found := _CHANGED.match(a.text)) is not None and found[1] == name]
        changes = [a for a in changes if a.number > answer.number or not anew]
        given = [a for a in self.unread if (found := _GIVEN_ANEW.match(a.text)) is not None and found[1] == name]
        return next(iter(changes + [a for a in given if a.number > answer.number]), None)

    def _fill(self, outcome: Outcome) -> None:
        spoiler = self._spoiler(outcome.entry)
        if spoiler is not None:
            says = f"line {spoiler.number}, which changes {outcome.entry.target.text}, cannot be read"
            outcome.error = outcome.mended_error = ModelError(says)
            return
        changed = self.shared.read(outcome.entry.answer)
        if changed is not None:
            outcome.error = outcome.mended_error = changed
            return
        *others, last = outcome.entry.answer.forms
        outcome.given, outcome.error = self._rows(last, outcome, GIVEN)
        outcome.mended, outcome.mended_error = self._rows(last, outcome, MENDED)
        outcome.forms = [self._passed(form, outcome) for form in others]

    def _passed(self, form: tree.Expr, outcome: Outcome) -> list[Node]:
        """A part of ``a = b = c`` but the last; none where it has a name without a value, or says a itself."""
        try:
            return self._rows(form, outcome, MENDED)[0]
        except NotYet as error:
            if error.key in self.times and error.key != outcome.key:
                raise
            return []

    def _rows(self, form: tree.Expr, outcome: Outcome, which: str) -> tuple[list[Node], ModelError | None]:
        """The readings of one right side, or why there is none."""
        found: list[Node] = []
        problem: ModelError | None = None
        waiting = [(0, 0)]
        while waiting:
            choice, second = waiting.pop(0)
            answer, row = outcome.entry.answer, self._shaped(outcome)
            scope = self.scope(outcome, outcome.entry, which, answer.meanings, choice)
            formula = Formula(self.reference, scope, answer, second)
            try:
                entries = row if answer.letters else None
                row = _shaped_as(entries, formula.row(form))
                row = self._added(self._put(row, outcome, scope) if answer.entry else row, outcome, which)
                self._learn(outcome, scope, formula)
                outcome.reads.setdefault(row.id, unparsed(form, formula.signs))
                found += [row] if row not in found else []
            except NotYet:
                raise
            except (ZeroDivisionError, OverflowError) as error:
                problem = problem or ModelError(str(error))
            except ModelError as error:
                problem = problem or error
            if (choice, second) == (0, 0):
                waiting = _readings(scope.ambiguous, formula.ambiguous)
        return found, None if found else problem

    def scope(self, outcome: Outcome, entry: Entry, which: str, meanings: Mapping[str, Meaning], choice: int = 0
              ) -> Scope:
        """The names at a line, whose letters on the left run over the axes of what it answers."""
        scope = Scope(self, which, entry.counters, outcome.key, choice, meanings, 0, outcome.before)
        row = self._shaped(outcome)
        if row is not None:
            sizes = row.shape if len(entry.answer.letters) == row.ndim else lengths(row)
            scope.shape, scope.axes = row.shape, dict(zip(entry.answer.letters, sizes, strict=False))
        return scope

    def _shaped(self, outcome: Outcome) -> Node | None:
        """A row of the shape that an answer has: of what it is the gradient of, perhaps of what a line introduces."""
        own = self.outcomes.get(Own(getattr(outcome.key, "name", "").removeprefix("delta_")))
        introduced = None if own is None or own.key == outcome.key or not own.given else own.given[0]
        return self.reference.rows.get(outcome.row_name, introduced)

    def _learn(self, outcome: Outcome, scope: Scope, formula: Formula) -> None:
        """What was met on the way: earlier answers, derivatives that are only named, slips."""
        outcome.uses |= scope.uses
        outcome.taken += [t for t in scope.taken if t not in outcome.taken]
        outcome.notes += [n for n in formula.notes if n not in outcome.notes]

    def _put(self, row: Node, outcome: Outcome, scope: Scope) -> Node:
        """``dw[j] = …`` keeps the other entries; ``dw[j] += …`` adds 0 to them."""
        before, items = self._held(outcome, scope.which), outcome.entry.answer.entry
        put = scope.at_entries(row, before, items)
        if outcome.entry.answer.adds:
            return put
        return before * (1 - scope.at_entries(self.reference.graph.full(1, ()), before, items)) + put

    def _held(self, outcome: Outcome, which: str) -> Node:
        """An array before a line fills an entry of it: 0 where no line says so of a gradient."""
        held = self.outcomes.get(outcome.key)
        if held is not None:
            rows, error = (held.given, held.error) if which == GIVEN else (held.mended, held.mended_error)
            if not rows:
                raise error or ModelError(f"{outcome.entry.target.name} has no value before an entry of it is filled")
            return rows[0]
        if not isinstance(outcome.meaning, Gradient):
            raise ModelError(f"no line says what {outcome.entry.target.name} is before an entry of it is filled")
        return self.reference.graph.full(0, self.reference.rows[outcome.row_name].shape)

    def _added(self, row: Node, outcome: Outcome, which: str) -> Node:
        """``+=`` adds to what the same name holds so far."""
        if len(outcome.entries) == 1:
            return row
        before = self.outcomes[outcome.key]
        so_far = before.given if which == GIVEN else before.mended
        outcome.uses |= before.uses
        return so_far[0] + row if so_far else row

    def _store(self, outcome: Outcome) -> None:
        entry = outcome.entry
        if outcome.key in self.outcomes and not (entry.answer.adds or entry.answer.rereads or entry.counters):
            outcome.notes.append(f"{entry.target.text} is given more than once; the last line counts")
        self.outcomes.pop(outcome.key, None)  # the order is that of the last lines: what is read comes before
        self.outcomes[outcome.key] = outcome
        self.shared.pass_on(entry.answer, not outcome.given or any(row.shape for row in outcome.given))

    def _restate(self, outcome: Outcome) -> None:
        """A line that repeats an equation of the model: it has to be that equation."""
        entry, row = outcome.entry, self.reference.rows[outcome.entry.target.name]
        if outcome.given and same_shape(outcome.given[0].shape, row.shape):
            self.restated.append((entry.answer, outcome.given[0] is row))
        else:
            name = entry.target.name
            of = name[1:] if name.startswith("d") and name[1:] in self.reference.targets else ""
            meant = f": the gradient of {of} is dL/d{of}" if of else ""
            entry.answer.error = outcome.error or NameProblem(f"{name} is the model's own name{meant}")
            self.unread.append(entry.answer)

    # -- what the scope asks
    @property
    def words(self) -> set[str]:
        """All names that the answers speak of."""
        answers = [entry.answer for entry in self.entries]
        said = {word for a in answers for form in a.forms for word in tree.mentioned(form)}
        meant = [m for a in answers for m in a.meanings.values()]
        return said | {n for m in meant for n in vars(m).values()} | {entry.target.name for entry in self.entries}

    def meant(self, outcome: Outcome) -> Node | None:
        """The right value of an answered quantity that is answered in one line, and is not kept as it was given."""
        if isinstance(outcome.meaning, Gradient) and self.times[outcome.key] == 1 and outcome.key not in self.kept:
            return self.reference.gradient(self.reference.rows[outcome.row_name])
        return None


def _shaped_as(target: Node | None, given: Node) -> Node:
    """Entries at letters, of which axes of size 1 have none, in the shape of what they are the entries of."""
    if target is None or same_shape(given.shape, target.shape) or not same_shape(lengths(given), lengths(target)):
        return given
    return build.reshape(given, target.shape)


def is_zero(form: tree.Expr) -> bool:
    """Whether a formula is 0, or an array of zeros."""
    match form:
        case tree.Number(value):
            return bool(value == 0)
        case tree.Call(function):
            return function in ("zeros", "zeros_like")
    return False


def _readings(locals_differ: bool, ambiguous: int) -> list[tuple[int, int]]:
    """All other readings of a line: of its local derivatives, and of what may be read in two ways."""
    ways = 2 ** min(ambiguous, MAX_AMBIGUOUS)
    return [(c, p) for c in range(2 if locals_differ else 1) for p in range(ways) if (c, p) != (0, 0)]
