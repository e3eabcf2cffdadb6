"""Names for what a derivation talks about: unnamed intermediates and gradients. Every name has one owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, filterfalse

from symbackprop.core.graph import Node
from symbackprop.core.names import Name, number_of, parse_name, text_name, unplaced, wishes
from symbackprop.core.registry import Composed, Op, composed
from symbackprop.core.scalars import Scalar
from symbackprop.errors import NameProblem, did_you_mean

_LETTERS = "abcghkmpqrsuvz"


class Names:
    """Hands out names that nothing else has, nor print as one of the ``symbols``; the same calls give the same names.

    Intermediates are not called like anything ``avoided`` either: the names inside loops, whose stacks go by them, and
    what their steps are counted by. The user ``called`` some otherwise than they would be.
    """

    def __init__(self, taken: Iterable[str], called: Mapping[str, str] | None = None,
                 symbols: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self._printed = {*map(text_name, self.taken), *symbols}
        self._numbered = {base for base, _, low, _ in map(parse_name, self.taken) if low and low[0].isdigit()}
        self.avoided: set[str] = set()
        self.given: dict[str, None] = {}  # in order
        self._stacks: set[str] = set()
        self._counts: dict[str, count[int]] = {}
        self.called = called or {}
        self._free = self._letters()

    def unique(self, *wishes: str) -> str:
        """The first of the wishes that is free, else the last one numbered: wanted_2, wanted_3 … c_2 is not, beside c2:
        both print as c₂."""
        name = next(filterfalse(self._has, wishes), "") or self._numbered_on(wishes[-1])
        self.taken.add(name)
        self._printed.add(text_name(name))
        return name

    def _numbered_on(self, wish: str) -> str:
        """The next free number of a wish: names stay taken, so those before it are."""
        numbered = (f"{wish}_{n}" for n in self._counts.setdefault(wish, count(2)))
        return next(filterfalse(self._has, numbered))

    def _has(self, name: str) -> bool:
        return name in self.taken or text_name(name) in self._printed

    def intermediate(self, wishes: Iterable[str]) -> str:
        """A name for an unnamed row: one of its role, or the next letter ("let a = …"); or what the user calls it."""
        wishes = [name for name in wishes if name not in self.avoided]
        wishes = [name for name in wishes if name not in self._numbered] or wishes  # no S beside S₁, S₂
        known = [k for k, name in enumerate(wishes, 1) if name in self.given]  # σ₂ after σ, not s
        name = self.unique(*(wishes[: known[0]] if known else wishes or [next(self._free)]))
        self.given[name] = None
        if name not in self.called:
            return name
        if self._has(self.called[name]):
            raise NameProblem(f"{name} cannot be called {self.called[name]!r}: that name is taken")
        return self.unique(self.called[name])

    def stack(self, base: str) -> str:
        """A name for what a loop collects: that of the intermediate in it, a for all a[t], which no other stack has."""
        if base not in self.given or base in self._stacks:
            return self.unique(base)
        self._stacks.add(base)
        return base

    def check(self) -> None:
        """`NameProblem` where the user called something otherwise that has been given no name."""
        for name in self.called:
            if name not in self.given:
                known = f" It names {', '.join(self.given)}." if self.given else ""
                raise NameProblem(f"the derivation calls nothing {name!r}.{did_you_mean(name, self.given) or known}")

    def _letters(self) -> Iterator[str]:
        yield from (letter for letter in _LETTERS if letter not in self.taken and letter not in self.avoided)
        many = "v" if "t" in self.avoided else "t"
        yield from (f"{many}{n}" for n in count(1))


class Roles:
    """What rows are called by what they are, as the functions say that make and that read them (``gives``, ``reads``):
    X̂ and σ of a normalisation, the pre-activation z_i of a gate i. ``readers`` are who reads a row, by its id."""

    def __init__(self, readers: Mapping[int, Sequence[Node]], names: Mapping[int, str]) -> None:
        self.readers, self.names = readers, names

    def wishes(self, row: Node) -> list[str]:
        """The names of a row's roles, the best one first."""
        if row.hint:
            return wishes(row.hint, self._name(row.args[0]) if row.args else None)
        return [*self._read(row), *_record(row).gives.split()]

    def _read(self, row: Node) -> Iterator[str]:
        """What those who read it call it: after themselves, if they have a name."""
        found = [(self._name(r), _record(r).reads) for r in self.readers.get(row.id, ()) if _first(r) is row]
        for name, letter in sorted([x for x in found if x[1]], key=lambda x: not x[0]):
            yield from _after(letter, parse_name(name), row.ndim > 0) if name else (letter,)

    def _name(self, row: Node) -> str:
        return unplaced(self.names.get(row.id) or row.name or "")


def _record(row: Node) -> Composed | Scalar | Op:
    """What says of a row how it and its first argument are called: the function it was written with, or its own."""
    return composed(row.origin.function) if row.origin is not None else row.function or row.op


def _first(row: Node) -> object:
    """The first argument, as it was written."""
    args = row.args if row.origin is None else row.origin.args
    return args[0] if args else None


def _after(letter: str, reader: Name, of_array: bool) -> Iterator[str]:
    """z₁ of h₁, z_i of a gate i, a capital letter for an array of a reader that has one."""
    letter = letter.upper() if of_array and reader.base[0].isupper() else letter
    number = number_of(reader)
    if number:
        yield letter + number
    yield "_".join([letter, reader.base + number, *reader.subscripts[bool(number) :]])
