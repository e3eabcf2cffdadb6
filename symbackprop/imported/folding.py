"""Repeated blocks of a model's statements as one loop: over layers, whose parameters are stacked, or over time.

Statements that come again and again, the same but for names, are the steps of a loop where every name is one of: a
result of the same step, one that the step before has computed, an array that all steps read, or an array of each step's
own, all of one shape. ``x[:, 0]``, ``x[:, 1]`` … are the elements of a sequence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy as sp

from symbackprop.imported.naming import Names
from symbackprop.model.text import tree

WHOLE = tree.Slice(None, None, None)
MOST = 4000  # statements, beyond which no blocks are looked for


class _Unlike(Exception):
    """Blocks that are no steps of one loop."""


@dataclass(frozen=True)
class Folded:
    """Statements with a loop in them. ``stacks`` has, for the name of every stacked array, those it is made of;
    ``length`` is the dimension that counts the steps, ``count`` how many there are, and ``is_sequence`` says that
    arrays of the model have this dimension too."""

    statements: tuple[tree.Statement, ...]
    stacks: dict[str, list[str]]
    length: str
    count: int
    is_sequence: bool
    passing: frozenset[str]


def folds(statements: Sequence[tree.Statement], passing: Iterable[str], own: Iterable[str]) -> Iterator[Folded]:
    """The ways to write some statements as a loop, those first that save most. ``passing`` are names of which none is
    needed, and so are those in the result; ``own`` are the arrays that may be stacked."""
    found = [_Block(statements, start, period, count, frozenset(passing), frozenset(own))
             for start, period, count in _runs(statements)]
    for block in sorted((b for b in found if b.saved > 0), key=lambda b: (-b.saved, -b.start)):
        yield block.folded()


# -- where blocks may be
def _runs(statements: Sequence[tree.Statement]) -> Iterator[tuple[int, int, int]]:
    """Where statements of one look come again at once: the place of the first, how many are a block, how many blocks;
    beginning at every place that a block may."""
    if len(statements) > MOST:
        return
    looks = _looks(statements)
    for period in range(1, len(looks) // 2 + 1):
        start = 0
        while start + period < len(looks):
            same = start
            while same + period < len(looks) and looks[same] == looks[same + period] >= 0:
                same += 1
            length = same - start
            if length >= period:
                for shift in range(min(length % period + 1, period)):
                    yield start + shift, period, (length - shift) // period + 1
            start = same + 1


def _looks(statements: Sequence[tree.Statement]) -> list[int]:
    """A number for the look of every equation, the same for those that differ in names only, or in which element of an
    array they read; -1 for other statements."""
    leaves = {item.target.name: item.shape for s in statements if isinstance(s, tree.Arrays) and s.role == "param"
              for item in s.items}
    known: dict[object, int] = {}
    return [known.setdefault(_look(s.value, leaves), len(known)) if isinstance(s, tree.Equation) and s.keyword == "let"
            and s.target.index is None else -1 for s in statements]


def _look(expr: tree.Expr, leaves: dict[str, tuple[tree.Expr, ...]]) -> object:
    """A formula without its names, and without the whole numbers in indices of it."""
    if isinstance(expr, tree.Name):
        return leaves.get(expr.name)
    if isinstance(expr, tree.Number):
        return expr.value
    if isinstance(expr, tree.Index):
        return _look(expr.base, leaves), tuple(_look_of_item(item, leaves) for item in expr.items)
    words = tuple(part for part in vars(expr).values() if isinstance(part, (str, bool)))
    options = tuple(word for word, _ in getattr(expr, "options", ()) or ())
    signs = tuple(sign for sign, _ in getattr(expr, "rest", ()) or ())
    value = repr(expr.value) if isinstance(expr, tree.Word) else ""
    return type(expr), words, options, signs, value, tuple(_look(part, leaves) for part in tree.parts(expr))


def _look_of_item(item: tree.Expr, leaves: dict[str, tuple[tree.Expr, ...]]) -> object:
    if isinstance(item, tree.Number):
        return int
    if isinstance(item, tree.Slice):
        return slice, tuple(None if b is None else _look_of_item(b, leaves) for b in (item.start, item.stop, item.step))
    return _look(item, leaves)


# -- one loop
@dataclass
class _Block:
    """So many blocks of so many statements each from ``start`` on, as the steps of a loop."""

    statements: Sequence[tree.Statement]
    start: int
    period: int
    count: int
    passing: frozenset[str]
    stackable: frozenset[str]
    carried: dict[int, tree.Name] = field(default_factory=dict)  # what is carried, by its place: the value before
    own: dict[str, list[str]] = field(default_factory=dict)  # arrays of each step's own, by the first of them
    sequences: dict[tuple[tree.Expr, int, bool], None] = field(default_factory=dict)
    given: dict[object, str] = field(default_factory=dict)

    @cached_property
    def equations(self) -> list[list[tree.Equation]]:
        """Those of every block."""
        inside = self.statements[self.start : self.end]
        return [[s for s in inside[k * self.period : (k + 1) * self.period] if isinstance(s, tree.Equation)]
                for k in range(self.count)]

    @property
    def end(self) -> int:
        return self.start + self.period * self.count

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """Of every name that a block gives, the block and the place in it."""
        return {e.target.name: (k, j) for k, block in enumerate(self.equations) for j, e in enumerate(block)}

    @cached_property
    def leaves(self) -> dict[str, object]:
        """How every array is declared, but for its name."""
        return {item.target.name: (s.role, replace(item, target=tree.Target(""))) for s in self.statements
                if isinstance(s, tree.Arrays) for item in s.items}

    @cached_property
    def saved(self) -> int:
        """How many lines the loop saves; 0 where it is none."""
        try:
            for j in range(self.period):
                self.merged([block[j].value for block in self.equations])
            self._refuse_shared()
        except _Unlike:
            return 0
        return self.period * (self.count - 1) - 1 - len(self.carried) - len(self.sequences)

    def _refuse_shared(self) -> None:
        """Arrays of each step's own are read by that step alone."""
        inside = {name: k for names in self.own.values() for k, name in enumerate(names)}
        if len(inside) < sum(map(len, self.own.values())):
            raise _Unlike
        for place, statement in enumerate(self.statements):
            if isinstance(statement, tree.Arrays):
                continue
            block = (place - self.start) // self.period if self.start <= place < self.end else -1
            if any(inside.get(name, block) != block for name in _read(statement)):
                raise _Unlike

    # -- all blocks at once
    def merged(self, found: Sequence[tree.Expr]) -> tree.Expr:
        """What stands in the loop in place of the same part of every block."""
        first = found[0]
        if all(isinstance(part, tree.Name) for part in found):
            return self._named([part.name for part in found if isinstance(part, tree.Name)])
        element = self._element(found) if isinstance(first, tree.Index) else None
        if element is not None:
            return element
        if isinstance(first, tree.Number) and any(part != first for part in found):
            raise _Unlike
        columns = zip(*map(tree.parts, found), strict=True)
        return tree.changed(first, lambda part: self.merged(next(columns)))

    def _named(self, found: list[str]) -> tree.Expr:
        places = [self.places.get(name) for name in found]
        last = places[-1]
        if last is None:
            return self._from_outside(found)
        step, place = last
        if step == self.count - 1 and all(p == (k, place) for k, p in enumerate(places)):
            return tree.Index(tree.Name(self._given(place)), (self._counter,))
        if all(p == (k, place) for k, p in enumerate(places[1:])) and places[0] is None:
            before = tree.Name(found[0])
            if self.carried.setdefault(place, before) != before:
                raise _Unlike
            return tree.Index(tree.Name(self._given(place)), (tree.Chain(self._counter, (("-", tree.ONE),)),))
        raise _Unlike

    def _from_outside(self, found: list[str]) -> tree.Expr:
        if len({*found}) == 1:
            return tree.Name(found[0])
        declared = {self.leaves.get(name) for name in found}
        if len(declared) > 1 or not self.stackable.issuperset(found) or len({*found}) < len(found):
            raise _Unlike
        if self.own.setdefault(found[0], found) != found:
            raise _Unlike
        return tree.Index(tree.Name(found[0]), (self._counter,))

    def _element(self, found: Sequence[tree.Expr]) -> tree.Expr | None:
        """The element of a sequence that every block reads another one of; None where all read the same."""
        indices = [part for part in found if isinstance(part, tree.Index)]
        bases, columns = {part.base for part in indices}, [*zip(*(part.items for part in indices), strict=True)]
        moving = [axis for axis, column in enumerate(columns) if len({*column}) > 1]
        if not moving:
            return None
        axis = moving[0]
        before = columns[:axis]
        if len(bases) > 1 or len(moving) > 1 or any(item != WHOLE for column in before for item in column):
            raise _Unlike
        (base,) = bases
        if not self.places.keys().isdisjoint(tree.mentioned(base)):
            raise _Unlike
        falling = self._falls(columns[axis])
        self.sequences[base, axis, falling] = None
        is_named = isinstance(base, tree.Name) and not axis and not falling
        name = base if is_named else tree.Name(self._given((base, axis, falling)))
        kept = (tree.Word(None),) if isinstance(columns[axis][0], tree.Slice) else ()
        rest = (*(item for column in before for item in column[:1]), *kept, *indices[0].items[axis + 1 :])
        element = tree.Index(name, (self._counter,))
        return element if all(item == WHOLE for item in rest) else tree.Index(element, rest)

    def _falls(self, items: Sequence[tree.Expr]) -> bool:
        """Whether elements are read from the last one to the first; of slices of one entry too."""
        starts = [item.start or tree.ZERO if isinstance(item, tree.Slice) else item for item in items]
        stops = [item.stop for item in items if isinstance(item, tree.Slice)]
        if not all(isinstance(n, tree.Number) for n in (*starts, *stops)) or any(
                isinstance(item, tree.Slice) and item.step is not None for item in items):
            raise _Unlike
        numbers = [int(n.value) for n in starts if isinstance(n, tree.Number)]
        ends = [int(n.value) for n in stops if isinstance(n, tree.Number)]
        rising = [*range(self.count)]
        if (ends and ends != [n + 1 for n in numbers]) or numbers not in (rising, rising[::-1]):
            raise _Unlike
        return numbers != rising

    # -- names
    @cached_property
    def names(self) -> Names:
        """Names that are free once the blocks are a loop."""
        gone = {*self.places, *self.begun} - {s.target.name for s in self.statements[self.end :]
                                              if isinstance(s, tree.Equation)}
        return Names(name for s in self.statements for name in _every_name(s) if name not in gone)

    @cached_property
    def begun(self) -> dict[str, tree.Expr]:
        """The equations before the loop that nothing but its first step reads."""
        outside = {name for k, s in enumerate(self.statements) if not self.start <= k < self.end for name in _read(s)}
        later = {name for block in self.equations[1:] for e in block for name in tree.mentioned(e.value)}
        return {s.target.name: s.value for s in self.statements[: self.start] if isinstance(s, tree.Equation)
                and s.keyword == "let" and s.target.index is None and s.target.name not in outside | later}

    def _given(self, key: object) -> str:
        """The name of what is computed at a place of the loop, or of a sequence whose steps come first."""
        if key not in self.given:
            self.given[key] = self.names.indexed(self._word(key) if isinstance(key, int) else _stem_of(key))
        return self.given[key]

    def _word(self, place: int) -> str:
        """What blocks call the same thing: layers_0_norm and layers_1_norm are both layers_norm."""
        first, second = (block[place].target.name.split("_") for block in self.equations[:2])
        if len(first) != len(second):
            return "_".join(first)
        return "_".join(a for a, b in zip(first, second, strict=True) if a == b or not a.isdigit())

    @cached_property
    def _counter(self) -> tree.Name:
        return tree.Name(self.names.free("t" if self._is_time else "l"))

    @cached_property
    def _is_time(self) -> bool:
        """Whether the steps are those of a sequence, or of nothing but time: no step has arrays of its own."""
        return not any(name in self.leaves for name in self._different)

    @cached_property
    def _different(self) -> set[str]:
        """The names that only one of the blocks reads."""
        read = [{name for e in block for name in tree.mentioned(e.value)} for block in self.equations]
        return read[0] - read[1]

    # -- the statements
    def folded(self) -> Folded:
        body = [self.merged([block[j].value for block in self.equations]) for j in range(self.period)]
        length = self.names.free("T" if self._is_time else "K")
        inner = tuple(tree.Equation(e.line, "let", tree.Target(self._given(j), self._counter), value)
                      for j, (e, value) in enumerate(zip(self.equations[0], body, strict=True)))
        line = self.equations[0][0].line
        starts = [tree.Equation(line, "let", tree.Target(self._given(place), tree.ZERO),
                                self.begun.get(before.name, before))
                  for place, before in self.carried.items()]
        loop = tree.For(line, self._counter.name, tree.ONE, tree.Name(length), inner)
        outside = [self._declared(s, length) for s in self.statements[: self.start] if not self._is_begun(s)]
        after = tree.with_values(self.statements[self.end :], lambda e: self._outside(e, length))
        dim = tree.Named(line, "dim", ((length, tree.Number(sp.Integer(self.count))),))
        dims = sum(isinstance(s, tree.Named) for s in outside)
        before = [s for s in outside if s is not None]
        every = (*before[:dims], dim, *before[dims:], *self._in_order(line), *starts, loop, *after)
        passing = {self._given(j) for j, steps in enumerate(zip(*self.equations, strict=True))
                   if all(e.target.name in self.passing for e in steps)}
        return Folded(every, dict(self.own), length, self.count, bool(self.sequences), self.passing | passing)

    def _is_begun(self, s: tree.Statement) -> bool:
        """Whether a statement is the beginning of what the loop carries, and of nothing else."""
        return isinstance(s, tree.Equation) and s.target.name in self.begun and (
            tree.Name(s.target.name) in self.carried.values())

    def _in_order(self, line: int) -> Iterator[tree.Statement]:
        """The sequences whose steps are not along the first axis, or run backwards, as such."""
        for base, axis, falling in self.sequences:
            found: tree.Expr = base
            for k in reversed(range(axis)):
                found = swapped(found, k)
            found = tree.Index(found, (tree.Slice(None, None, tree.Negative(tree.ONE)),)) if falling else found
            if axis or falling or not isinstance(base, tree.Name):
                yield tree.Equation(line, "let", tree.Target(self._given((base, axis, falling))), found)

    def _declared(self, s: tree.Statement, length: str) -> tree.Statement | None:
        """A declaration with arrays of each step's own stacked under the name of the first."""
        if not isinstance(s, tree.Arrays):
            return s
        others = {name for names in self.own.values() for name in names[1:]}
        items = tuple(replace(item, shape=(tree.Name(length), *item.shape)) if item.target.name in self.own else item
                      for item in s.items if item.target.name not in others)
        return replace(s, items=items) if items else None

    def _outside(self, expr: tree.Expr, length: str) -> tree.Expr:
        """A formula below the loop: results of single steps, and of all of them as the stack that they are."""
        if isinstance(expr, tree.Name) and expr.name in self.places:
            step, place = self.places[expr.name]
            number = tree.Name(length) if step == self.count - 1 else tree.Number(sp.Integer(step + 1))
            return tree.Index(tree.Name(self._given(place)), (number,))
        stacked = self._all_steps(expr)
        if stacked is None:
            return tree.changed(expr, lambda part: self._outside(part, length))
        found: tree.Expr = tree.Name(self._given(stacked[0]))
        for k in range(stacked[1]):
            found = swapped(found, k)
        return found

    def _all_steps(self, expr: tree.Expr) -> tuple[int, int] | None:
        """The place of which an expression stacks the results of all steps, and the axis along which it does; so does
        the concatenation of rows with an axis more."""
        if not isinstance(expr, tree.Call) or expr.function not in ("stack", "concat"):
            return None
        args = expr.args[0].items if len(expr.args) == 1 and isinstance(expr.args[0], tree.Tuple) else expr.args
        axis = dict(expr.options).get("axis", tree.ZERO)
        if len(args) != self.count or not isinstance(axis, tree.Number) or axis.value < 0:
            return None
        number = int(axis.value)
        if expr.function == "concat":
            axes = (*[WHOLE] * number, tree.Word(None))
            args = tuple(a.base if isinstance(a, tree.Index) and a.items == axes else tree.ZERO for a in args)
        places = [self.places.get(a.name) if isinstance(a, tree.Name) else None for a in args]
        first = places[0]
        if first is None or any(p != (k, first[1]) for k, p in enumerate(places)):
            return None
        return first[1], number


def swapped(expr: tree.Expr, axis: int = 0) -> tree.Expr:
    """An array with an axis, the first by default, and the next one changed."""
    return tree.Call("swapaxes", (expr, *(tree.Number(sp.Integer(n)) for n in (axis, axis + 1))), ())


def _stem_of(key: object) -> str:
    assert isinstance(key, tuple)
    return key[0].name if isinstance(key[0], tree.Name) else "x"


def _every_name(s: tree.Statement) -> Iterator[str]:
    """All that a statement reads or gives a value, its counter too."""
    for inner in tree.flat([s]):
        yield from tree.defined(inner)
        if isinstance(inner, tree.Equation):
            yield from tree.mentioned(inner.value)
        elif isinstance(inner, tree.For):
            yield inner.variable


def _read(s: tree.Statement) -> Iterator[str]:
    return (name for equation in tree.equations([s]) for name in tree.mentioned(equation.value))


def with_size(folded: Folded, everywhere: bool) -> Folded:
    """The statements in which axes of data that are as long as the loop have its length; ``everywhere``, also sizes
    in formulas that are such a number."""

    def size(expr: tree.Expr) -> tree.Expr:
        if isinstance(expr, tree.Number):
            return tree.Name(folded.length) if expr.value == folded.count else expr
        return tree.changed(expr, size) if isinstance(expr, (tree.Chain, tree.Tuple)) else expr

    def formula(expr: tree.Expr) -> tree.Expr:
        if isinstance(expr, tree.Call) and expr.function in ("reshape", "broadcast"):
            array, shape, *more = expr.args
            return replace(expr, args=(formula(array), size(shape), *more))
        return tree.changed(expr, formula)

    def declared(s: tree.Statement) -> tree.Statement:
        if isinstance(s, tree.Arrays) and s.role != "param":
            return replace(s, items=tuple(replace(item, shape=tuple(map(size, item.shape))) for item in s.items))
        return tree.with_values([s], formula)[0] if everywhere else s

    return replace(folded, statements=tuple(map(declared, folded.statements)))


# -- equations that need no line
def in_place(statements: Sequence[tree.Statement], passing: Iterable[str]) -> list[tree.Statement]:
    """The statements with those equations of ``passing`` in place of their names that are read once, where they are."""
    whole = _joined(statements, frozenset(passing), [*statements])
    return [replace(s, body=tuple(_joined(s.body, frozenset(passing), whole))) if isinstance(s, tree.For) else s
            for s in whole]


def _joined(block: Sequence[tree.Statement], passing: frozenset[str], every: Sequence[tree.Statement]
            ) -> list[tree.Statement]:
    """One block of statements of ``every``."""
    uses = Counter(name for s in every for name in _read(s))
    carried = {s.target.name for s in every if isinstance(s, tree.Equation) and s.target.index == tree.ZERO}
    here = Counter(name for s in block if isinstance(s, tree.Equation) for name in _read(s))
    gone, result = dict[str, tree.Expr](), list[tree.Statement]()
    for s in block:
        if not isinstance(s, tree.Equation):
            result.append(s)
            continue
        s = replace(s, value=_put(s.value, gone))
        name = s.target.name
        if name in passing and s.keyword == "let" and uses[name] == here[name] == 1 and name not in carried:
            gone[name] = s.value
        else:
            result.append(s)
    return result


def _put(expr: tree.Expr, gone: dict[str, tree.Expr]) -> tree.Expr:
    """A formula with others in place of names, of such with an index too: ``h[t]``."""
    if isinstance(expr, tree.Index) and isinstance(expr.base, tree.Name) and expr.base.name in gone:
        value = gone[expr.base.name]
        return value if len(expr.items) == 1 and isinstance(expr.items[0], tree.Name) else tree.Index(
            value, tuple(_put(item, gone) for item in expr.items))
    if isinstance(expr, tree.Name):
        return gone.get(expr.name, expr)
    return tree.changed(expr, lambda part: _put(part, gone))
