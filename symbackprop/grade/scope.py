"""What names mean in an answer: the model's names, the person's own lines, derivatives, loop counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from string import ascii_letters
from typing import TYPE_CHECKING

import sympy as sp

from symbackprop.core import build
from symbackprop.core.build import transpose
from symbackprop.core.functions.arrange import stack
from symbackprop.core.functions.pointwise import where
from symbackprop.core.graph import Node
from symbackprop.core.indexing import getitem
from symbackprop.core.loops import body_leaf
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import Dim, Shape, dim, same
from symbackprop.errors import ModelError, NameProblem, Place, ShapeError, did_you_mean
from symbackprop.grade.naming import Gradient, Key, Local, Meaning, Own
from symbackprop.grade.reading import Answer
from symbackprop.grade.reference import local_derivatives
from symbackprop.model.text import tree
from symbackprop.model.text.calls import function_names
from symbackprop.model.text.evaluate import Evaluator, evaluate
from symbackprop.model.text.known_numbers import whole
from symbackprop.model.text.tree import mentioned

if TYPE_CHECKING:
    from symbackprop.grade.session import Outcome, Session
    from symbackprop.model.text.languages import Language

GIVEN, MENDED = "given", "mended"
NUMBERS = {"pi": sp.pi, "inf": sp.oo}
WHOLE = tree.Slice(None, None, None)  # of an axis
IDENTITY = tree.Name("I")  # the identity matrix, where nothing else is called so


class NotYet(NameProblem):
    """A name that no line above defines; ``key`` is what a line below may define."""

    def __init__(self, message: str, key: Key) -> None:
        super().__init__(message, near=str(key))
        self.key = key


class Beyond(NameProblem):
    """A step after the last one, da[T+1]: a term with it is 0."""


class PythonCounter(int):
    """The counter of a loop of Python's over entries of arrays, which count from 0 there."""


class Scope:
    """The names at one line.

    ``which`` says whether earlier answers count as given or put right; ``choice`` picks one of two readings of a local
    derivative; ``own_key`` is what the line itself defines, which it may not use, but for what it held ``before``.
    ``more`` are steps beyond those that the loops have.
    """

    language: Language | None = None
    lists = frozenset[str]()

    def __init__(
        self,
        session: Session,
        which: str,
        counters: Mapping[str, int],
        own_key: Key | None = None,
        choice: int = 0,
        meanings: Mapping[str, Meaning] | None = None,
        more: int = 0,
        before: Outcome | None = None,
    ) -> None:
        self.session, self.reference, self.graph = session, session.reference, session.reference.graph
        self.which, self.counters, self.own_key, self.choice = which, counters, own_key, choice
        self.meanings, self.more, self.before = meanings or {}, more, before
        self.letters: dict[str, dict[Node, Node]] = {}
        self.shape: Shape = ()  # of what is answered
        self.near: Shape = ()  # of what stands beside an operand
        self.axes: dict[str, Dim] = {}  # the sizes that letters run over, first of all those on the left
        self.uses: set[Key] = set()
        self.taken: list[str] = []
        self.ambiguous = False

    # -- the protocol of model text
    def name(self, name: str) -> Node | sp.Expr:
        if name in self.counters:
            return sp.Integer(self.counters[name] + self.more)
        if name in self.letters:
            return self.place(name)
        if name in self.meanings:
            return self._meant(name, self.meanings[name])
        if name in self.session.dictionary.own:
            return self._own(name)
        if name in self.reference.rows or self.reference.stack(name):
            return self.reference.rows[name]
        if name in self.session.fixed:
            return sp.Integer(self.session.fixed[name] + self.more)
        if name in self.reference.model.sizes:
            return dim(name)
        if name in NUMBERS:
            return NUMBERS[name]
        square = next((s for s in (self.near, self.shape) if len(s) > 1 and same(*s[-2:])), None)
        if name == IDENTITY.name and square is not None:
            return build.eye(self.graph, square[-1])
        raise self._unknown(name)

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        """``h[2]`` and ``dh[2]`` of a family; None where the name is one array."""
        meaning = self.meanings.get(name)
        if any(self._has_letter(item) for item in items):
            return self._of_identity(items) if self.is_identity(name) else None
        if isinstance(meaning, Local) and any(meaning.indexed):
            return self._local_step(meaning, items)
        if len(items) != 1 or isinstance(items[0], (tree.Slice, tree.Word)):
            return None
        value = evaluate(items[0], self)
        if not isinstance(value, sp.Integer):
            return None
        if isinstance(meaning, Gradient):
            row = family_member(meaning.row, int(value) + self.later(items[0]), self.reference.rows)
            if row is None and meaning.row in self.session.dictionary.bases:
                self._refuse_beyond(f"d{meaning.row}", int(value), items[0])
            stacked = row is not None and "/" not in name and self._is_stacked(meaning.row, row)
            return None if row is None or stacked else self.gradient(row, fraction="/" in name)
        step = int(value) + self._moved(name, items[0]) + self.later(items[0])
        row = None if self._is_numpys(name, items[0]) else family_member(name, step, self.reference.rows)
        key = Own(name, int(value))
        if row is not None and (row.endswith("]") or key not in self.session.outcomes):  # c[1] of a line is not c1
            return self.reference.rows[row]
        if key not in self.session.times and (name in self.session.dictionary.bases or self._is_family(name)):
            self._refuse_beyond(name, int(value), items[0])
        return self._stored(key) if key in self.session.outcomes or self._indexed(name) else None

    def is_identity(self, name: str) -> bool:
        """Whether a name is the identity matrix: I, where it is neither the model's nor the person's."""
        known = (self.meanings, self.reference.rows, self.reference.model.sizes, self.session.fixed)
        return name == IDENTITY.name and not any(name in names for names in (*known, self.session.dictionary.own))

    def _of_identity(self, items: tuple[tree.Expr, ...]) -> Node | None:
        """``I[n, i]``, which is 1[n = i]; None where an index is no letter."""
        letters = len(items) == 2 and all(self._is_letter(item) for item in items)
        return Evaluator(self).row(tree.Compare("==", *items)) if letters else None

    def _is_family(self, name: str) -> bool:
        """Whether lines define steps of an own name."""
        return any(isinstance(k, Own) and k.name == name and k.index is not None for k in self.session.times)

    def _refuse_beyond(self, name: str, step: int, index: tree.Expr) -> None:
        """Raises `Beyond` where a counted step is the one after the last."""
        if self.offset(index) and step - 1 in self.session.fixed.values():
            raise Beyond(f"{name}[{step}] has no value: there is no step after the last")

    def _is_numpys(self, name: str, index: tree.Expr) -> bool:
        """Whether an index without a counter into an array that no loop computes counts from 0, as in a model text."""
        if name not in self.reference.rows or self.offset(index) or self.reference.steps(name):
            return False
        if self._is_place(index):
            return True
        self.session.numbered = True
        return self.session.counting.first == 0

    def _moved(self, name: str, index: tree.Expr) -> int:
        """What to add to a counted step of an array that no loop computes."""
        outside = name in self.reference.rows and not self.reference.steps(name)
        return self.session.counting.arrays * self.offset(index) * outside

    def later(self, index: tree.Expr) -> int:
        """What to add to a place of Python's for the number of a step."""
        return self.session.counting.loops * self._is_place(index)

    def _is_place(self, index: tree.Expr) -> bool:
        """Whether an index counts as Python does: the counters in it are all of Python's loops over entries."""
        kinds = {isinstance(self.counters[n], PythonCounter) for n in mentioned(index) if n in self.counters}
        return kinds == {True}

    def _is_stacked(self, base: str, row: str) -> bool:
        """Whether dh[t] is an entry of a line dh = …, and no line answers it by itself."""
        times = self.session.times
        return bool(times[Gradient(base)] and not times[Gradient(self.reference.called(row))])

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        """``dz[t]`` or ``dz[T]``, a step of an array over all steps; None where an index is no step's number."""
        if any(self._has_letter(item) for item in items):
            step = self.element(row, items[:1]) if self.offset(items[0]) and len(items) > 1 else None
            return self._entry(row, items) if step is None else self._entry(step, items[1:])
        if len(items) > 1 and len(items) <= row.ndim and all(x == WHOLE or self.offset(x) for x in items):
            places = [None if x == WHOLE else self._at(d, x) for d, x in zip(row.shape, items, strict=False)]
            if all(k is not None or x == WHOLE for k, x in zip(places, items, strict=True)):
                return getitem(row, tuple([slice(None) if k is None else k for k in places]))
        place = self._at(row.shape[0], items[0]) if row.shape else None
        if place is None:
            return None
        found = getitem(row, place)
        return Evaluator(self).subscript(found, items[1:]) if len(items) > 1 else found

    def _at(self, size: Dim, index: tree.Expr) -> int | None:
        """The place, from 0, of the step that an index is on an axis; None where it is no step's number."""
        if self._is_place(index):
            return self._place_in(size, index)
        first = None if isinstance(index, (tree.Slice, tree.Word)) else self._first_step(size, index)
        if first is None:
            return None
        place = evaluate(index, self)
        counted = bool(self.offset(index))
        if not isinstance(place, sp.Integer) or not (counted or place >= 0):
            return None
        self.session.numbered |= not counted
        if not counted and self.session.counting.first == 0:
            return None
        place += counted * self.session.counting.arrays
        last = size + first - 1
        if not first <= place <= last:
            says = f"there is no step {place}: steps are numbered from {first} to {last}"
            raise Beyond(says) if counted and place == last + 1 else ShapeError(says)
        return int(place) - first

    def _place_in(self, size: Dim, index: tree.Expr) -> int | None:
        """The place of an entry as Python counts, perhaps from the end, or by a counter from 1; None where nothing says
        how many there are."""
        value = None if isinstance(index, (tree.Slice, tree.Word)) else evaluate(index, self)
        if not isinstance(value, sp.Integer):
            return None
        first = self.offset(index)
        if not isinstance(size, sp.Integer):
            return None if mentioned(index) & self.counters.keys() else int(value)
        last = size - 1 + first
        if not (first or -size) <= value <= last:
            raise ShapeError(f"there is no entry {value}: {size} entries are counted from {first} to {last}")
        return int((value - first) % size)

    def _first_step(self, size: Dim, index: tree.Expr) -> int | None:
        """The number of the first entry of an axis over all steps: 1, but 2 of what a loop over t = 2..T gives, read
        at t; None of any other axis."""
        if size in [sp.Integer(k) for k in self.session.fixed.values()]:
            return 1
        loops = [self.reference.counted(n, self.session.fixed) for n in mentioned(index) if n in self.counters]
        return next((steps.start for steps in loops if steps and len(steps) == size), None)

    def at_entries(self, value: Node, whole: Node, items: tuple[tree.Expr, ...]) -> Node:
        """The array that holds a value where ``dW[i, :] = …`` puts it, of the shape of the whole one, and 0 elsewhere.

        Raises a `ModelError` where an index is neither a loop's counter nor a whole axis.
        """
        if len(items) > whole.ndim:
            raise ShapeError(f"{len(items)} indices for an array of {whole.ndim} axes")
        letters = dict(zip(ascii_letters, whole.shape, strict=False))
        places = {x: self._entry_at(size, item) for (x, size), item in zip(letters.items(), items, strict=False)}
        units = {x: getitem(build.eye(self.graph, letters[x]), k) for x, k in places.items() if k is not None}
        kept = [x for x in letters if x not in units]
        spread = value + self.graph.full(0, tuple(letters[x] for x in kept))
        if spread.ndim > len(kept):
            raise ShapeError(f"an array of {value.ndim} axes is put where there are {len(kept)}")
        return build.einsum(Pattern(("".join(kept), *units), "".join(letters)), spread, *units.values())

    def _entry_at(self, size: Dim, item: tree.Expr) -> int | None:
        """The place of an entry along an axis; None for the whole axis."""
        if item == WHOLE:
            return None
        place = 0 if size == 1 else self._at(size, item)
        place = self._place_in(size, item) if place is None else place
        if place is None:
            raise ModelError("entries are filled at a loop's counter, d[i] = …, or along a whole axis, d[:, j] = …")
        return place

    def remark(self, text: str) -> None:
        """What is mended in an answer is told by its reader."""

    def multiplied(self, place: Place | None, sign: str) -> None:
        """Answers have their own reader of what stands side by side."""

    def noise(self, place: Place, shape: Shape) -> Node | None:
        """An answer draws no random numbers."""

    def offset(self, item: tree.Expr) -> int:
        return int(any(n in self.counters for n in mentioned(item)) and not self._is_place(item))

    def counts_back(self, item: tree.Expr) -> bool:
        return False

    def counted(self, counter: str, step: int, value: Callable[[], Node]) -> Node:
        """A value with a counter at one step."""
        before, self.counters = self.counters, {**self.counters, counter: step}
        try:
            return value()
        finally:
            self.counters = before

    # -- index letters
    @contextmanager
    def indexed(self, letter: str) -> Iterator[dict[Node, Node]]:
        """While a letter is an index: the arrays of which it is the first, with their entries."""
        outside, self.letters = self.letters, {**self.letters, letter: {}}
        try:
            yield self.letters[letter]
        finally:
            self.letters = outside

    @contextmanager
    def beside(self, value: object) -> Iterator[None]:
        """While an operand stands beside another one: a square matrix says how large I is."""
        outside, self.near = self.near, value.shape if isinstance(value, Node) else self.near
        try:
            yield
        finally:
            self.near = outside

    @contextmanager
    def over(self, axes: Mapping[str, Dim]) -> Iterator[None]:
        """While letters run over axes of these sizes."""
        outside, self.axes = self.axes, {**self.axes, **axes}
        try:
            yield
        finally:
            self.axes = outside

    def place(self, letter: str) -> Node:
        """An index letter as a number, as in 1[y_n = c]: its place on its axis."""
        entries = self.letters[letter]
        size = self.axes.get(letter) or next((rows.shape[0] for rows in entries), None) or self._told(letter)
        if size is None:
            raise ModelError(f"nothing says how far the index {letter} runs")
        places = build.arange(self.graph, size)
        if places not in entries:
            entries[places] = body_leaf(self.graph, letter, (), kind=places.kind, of=places)
        return entries[places]

    def _told(self, letter: str) -> Dim | None:
        """How far an index letter runs by what the answers say of it."""
        told = self.session.legend.get(letter)
        size = None if told is None else evaluate(told, self)
        return size if isinstance(size, sp.Expr) else None

    def _is_letter(self, item: tree.Expr) -> bool:
        return isinstance(item, tree.Name) and item.name in self.letters

    def _has_letter(self, item: tree.Expr) -> bool:
        return any(n in self.letters for n in mentioned(item))

    def _entry(self, row: Node, items: tuple[tree.Expr, ...]) -> Node:
        """``a[n, 0, :]``: what the indices without a letter leave, and of that the entry at every letter, axes of size
        1 having none of their own, and at what is computed from letters, ``a[d*i + k]``."""
        entry = not any(isinstance(item, tree.Slice) for item in items)
        row = without_ones(row) if entry and len(items) == len(lengths(row)) < row.ndim else row
        whole = tree.Slice(None, None, None)
        row = Evaluator(self).subscript(row, tuple([whole if self._has_letter(i) else i for i in items]))
        kept = [i for i in items if isinstance(i, (tree.Slice, tree.Word)) or self._has_letter(i)]
        row, kept = self._on_diagonals(row, kept)
        for letter, entries in self.letters.items():  # outermost first: what is inside depends on what is outside
            if tree.Name(letter) not in kept:
                continue
            axis = kept.index(tree.Name(letter))
            del kept[axis]
            rows = transpose(row, (axis, *[k for k in range(row.ndim) if k != axis]))
            if rows not in entries:
                name = f"{row.name or 'x'}[{letter}]"
                entries[rows] = body_leaf(self.graph, name, rows.shape[1:], kind=rows.kind, of=rows)
            row = entries[rows]
        for axis in reversed(range(len(kept))):
            row = self._looked_up(row, axis, kept[axis]) if self._has_letter(kept[axis]) else row
        return row

    def _on_diagonals(self, row: Node, items: list[tree.Expr]) -> tuple[Node, list[tree.Expr]]:
        """The entries of ``a[i, i]`` at one axis for the letter, and the indices with each letter once."""
        axes = [items.index(item) if self._is_letter(item) else k for k, item in enumerate(items)]
        if len({*axes}) == len(axes) or len(axes) != row.ndim:
            return row, items
        if not all(same(row.shape[k], row.shape[axis]) for k, axis in enumerate(axes)):
            raise ModelError("an array has one index twice, on axes of different sizes")
        letters = "".join([ascii_letters[k] for k in axes])
        once = sorted({*axes})
        out = "".join([ascii_letters[k] for k in once])
        return build.einsum(Pattern((letters,), out), row), [items[k] for k in once]

    def _looked_up(self, row: Node, axis: int, item: tree.Expr) -> Node:
        """The entry at a place that is computed from letters; 0 beyond the ends of the axis."""
        place, size = evaluate(_of_numbers(item), self), row.shape[axis]
        places = build.reshape(build.arange(self.graph, size), (size, *[1] * (row.ndim - 1)))
        front = transpose(row, (axis, *[k for k in range(row.ndim) if k != axis]))
        return build.reduce_sum(where(places <= place, where(places >= place, front, 0), 0), 0)

    # -- own lines
    def _own(self, name: str) -> Node:
        if Own(name) not in self.session.outcomes and name in self.reference.rows:
            return self.reference.rows[name]  # an array of the model, until a line changes it in place
        if Own(name) not in self.session.outcomes and self._indexed(name):
            return stack(*[self._stored(Own(name, k)) for k in self._indexed(name)])
        return self._stored(Own(name))

    def _indexed(self, name: str) -> list[int]:
        """The indices at which a family of own names is defined."""
        keys = [k for k in self.session.outcomes if isinstance(k, Own) and k.name == name]
        return sorted(k.index for k in keys if k.index is not None)

    def _stored(self, key: Key) -> Node:
        if key == self.own_key and key not in self.session.outcomes:
            raise NotYet(f"{key} is defined by itself", key)
        before = self.before if key == self.own_key else None
        outcome = before or self.session.outcomes.get(key)
        if outcome is None:
            raise NotYet(f"{key} is used, but no line above defines it", key)
        self.uses.add(key)
        self.uses |= outcome.uses
        right = self.session.meant(outcome) if self.which == MENDED and before is None else None
        if right is not None:
            return right
        rows = outcome.given if self.which == GIVEN else outcome.mended
        if not rows:
            raise ModelError(f"{key} is used, and its own line {outcome.entry.answer.number} cannot be evaluated")
        return rows[min(self.choice, len(rows) - 1)]

    # -- derivatives
    def _meant(self, word: str, meaning: Meaning) -> Node:
        if isinstance(meaning, Gradient):
            if meaning.row not in self.reference.rows:
                raise NameProblem(f"d{meaning.row} needs an index: d{meaning.row}[1]")
            return self.gradient(meaning.row, fraction="/" in word)
        return self._local(meaning)

    def gradient(self, row: str, fraction: bool) -> Node:
        """∂L/∂row: the person's own, the given upstream gradient, or (written as a fraction) the derivative itself."""
        key = Gradient(self.reference.called(row))
        if key in self.session.outcomes and key != self.own_key:
            return self._stored(key)
        if key in self.session.outcomes and (self.before is not None or self.session.times[key] > 1):
            return self._stored(key)
        node = self.reference.rows[row]
        steps = self._answered_steps(row) if not self.session.times[key] else []
        if steps:
            return stack(*[self.gradient(s, fraction) for s in steps])
        if node in self.reference.results:
            return self.reference.gradient(node)
        if not fraction or key == self.own_key:
            return self._stored(key)
        if self.session.times[key]:
            raise NotYet(f"d{self.reference.loss_word}/d{row} is used, but no line above defines it", key)
        self.taken.append(f"d{self.reference.loss_word}/d{row}")
        return self.reference.gradient(node)

    def _answered_steps(self, row: str) -> list[str]:
        """h[1], h[2] … when the person answers dh[1], dh[2] … and not dh as a whole."""
        steps = self.reference.numbered(row)
        return steps if all(self.session.times[Gradient(s)] for s in steps) else []

    def _local_step(self, meaning: Local, items: tuple[tree.Expr, ...]) -> Node:
        """``dh[t]/dh[t-1]``."""
        indices = iter(items)
        above, below = meaning.indexed
        of = self._step(meaning.of, next(indices)) if above else meaning.of
        return self._local(Local(of, self._step(meaning.by, next(indices)) if below else meaning.by))

    def _step(self, base: str, index: tree.Expr) -> str:
        """The name of a family's member."""
        k = index_value(index, self)
        row = family_member(base, k, self.reference.rows)
        if row is None:
            raise NameProblem(f"there is no {base}[{k}] in the model")
        return row

    def _local(self, meaning: Local) -> Node:
        key = Local(meaning.of, meaning.by)
        if key != self.own_key and key in self.session.outcomes:
            return self._stored(key)
        if key == self.own_key or self.session.times[key]:
            raise NotYet(f"{key} is used, but no line above defines it", key)
        readings = local_derivatives(self.reference, meaning.of, meaning.by)
        self.ambiguous = self.ambiguous or len(readings) > 1
        self.taken.append(str(key))
        return readings[min(self.choice, len(readings) - 1)]

    def _unknown(self, name: str) -> NameProblem:
        if name in self.reference.loops:
            raise NameProblem(f"{name} counts steps, and nothing says which: sum_{name}(…), or {name} on the left too")
        known = [*self.reference.rows, *self.reference.model.sizes, *self.session.dictionary.own]
        hint = did_you_mean(name, known) or did_you_mean(name, function_names())
        return NotYet(f"{name!r} is neither a name of the model nor defined in the answers.{hint}", Own(name))


def lengths(row: Node) -> Shape:
    """The sizes of the axes that are not 1."""
    return tuple([d for d in row.shape if d != 1])


def without_ones(row: Node) -> Node:
    return row if len(lengths(row)) == row.ndim else build.reshape(row, lengths(row))


def _of_numbers(item: tree.Expr) -> tree.Expr:
    """An index: all its products are of numbers."""
    item = tree.changed(item, _of_numbers)
    if isinstance(item, tree.Chain):
        return replace(item, rest=tuple([("*" if sign == "@" else sign, part) for sign, part in item.rest]))
    return item


def key_of(answer: Answer, scope: Scope) -> Key:
    """What a line defines: ``dh1``, ``do/da``, ``s[2]``.

    Raises a `ModelError` where the model has no such thing.
    """
    target = answer.target
    assert target is not None
    if isinstance(target.meaning, Local):
        local_derivatives(scope.reference, target.meaning.of, target.meaning.by)
        return Local(target.meaning.of, target.meaning.by)
    if isinstance(target.meaning, Gradient) and answer.index is None:
        return Gradient(scope.reference.called(target.meaning.row))
    if answer.index is None:
        return Own(target.name)
    k = index_value(answer.index, scope)
    if target.meaning is None:
        return Own(target.name, k)
    row = family_member(target.meaning.row, k + scope.later(answer.index), scope.reference.rows)
    if row is None:
        raise NameProblem(f"there is no {target.name}[{k}] in the model")
    return Gradient(scope.reference.called(row))


def index_value(expr: tree.Expr, scope: Scope) -> int:
    """The whole number that an index or a bound is."""
    return whole(evaluate(expr, scope), "an index or the bound of a loop")


def family_member(base: str, index: int, rows: Iterable[str]) -> str | None:
    """``h[1]`` is called h[1] or h1 in a model."""
    names = set(rows)
    return next((n for n in (f"{base}[{index}]", f"{base}{index}") if n in names), None)
