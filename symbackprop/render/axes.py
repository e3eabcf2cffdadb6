"""Index letters: an axis of size N is indexed by n, one of size D by d, a second one of the same size by another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count

import sympy as sp

from symbackprop.core.names import text_name, unplaced

_SPARE = "ijklmpqrsuvabcdefghnotwxyz"


class AxisLetters:
    """Hands out index letters, which are neither a name (``taken``), at a step or without it, nor a size. A letter of
    the document runs over one size throughout; one of a step does so in its step. ``counters`` are those of loops, with
    how far they run: indices of stacks outside of the loops."""

    def __init__(self, taken: Collection[str], counters: Mapping[str, sp.Expr] | None = None) -> None:
        self.taken = {text_name(name) for name in taken}
        self.names = self.taken | {text_name(unplaced(name)) for name in taken if "[" in name}
        self.runs: dict[str, sp.Expr] = dict(counters or {})
        self.along: dict[sp.Expr, dict[str, None]] = {}  # the same by size
        self.numbered = 1  # the first letter with a number that may be new
        for letter, size in self.runs.items():
            self.along.setdefault(size, {})[letter] = None
        self.used: dict[str, sp.Expr] = {}
        self.own: dict[str, sp.Expr] = {}
        self.met: dict[str, set[sp.Expr]] = {}
        self.counters, self.closed = frozenset(self.runs), frozenset[str]()

    @contextmanager
    def at_step(self, inside: bool = True) -> Iterator[None]:
        """One step, or a part of it; inside the steps of loops their counters are no letters for axes."""
        before = self.closed, self.own
        self.closed, self.own = self.counters if inside else self.closed, dict(self.own)
        yield
        self.closed, self.own = before

    def of(self, shape: Sequence[sp.Expr], used: Collection[str] = ()) -> list[str]:
        """A letter of the document for every axis, all different, and none that is used."""
        letters: list[str] = []
        for size in shape:
            fitting = self._fitting(size, {*letters, *used, *self.own})
            letters.append(next(x for x in fitting if self.met.get(x, {size}) == {size}))
            self.runs[letters[-1]] = size
            self.along.setdefault(size, {})[letters[-1]] = None
        return letters

    def mention(self, letters: Iterable[str], shape: Iterable[sp.Expr]) -> None:
        """Remember that these letters stand in the document and what they run over."""
        self.used.update(zip(letters, shape, strict=True))

    def found(self) -> Iterator[tuple[str, set[sp.Expr]]]:
        """The letters of the document and of its steps, and the sizes that they run over."""
        yield from ((letter, {size, *self.met.get(letter, ())}) for letter, size in self.used.items())
        yield from ((letter, sizes) for letter, sizes in self.met.items() if letter not in self.used)

    def in_step(self, size: sp.Expr, used: Collection[str], wishes: Sequence[str]) -> str:
        """A letter of this step, one of the wishes if there is one."""
        letter = next(self._fitting(size, used, wishes))
        self.own[letter] = size
        self.met.setdefault(letter, set()).add(size)
        return letter

    def _fitting(self, size: sp.Expr, used: Collection[str], wishes: Sequence[str] = ()) -> Iterator[str]:
        """Letters that may be called for an axis, those given before first."""
        while f"i_{self.numbered}" in self.runs:
            self.numbered += 1
        known = [*[x for x, d in self.own.items() if d == size], *self.along.get(size, ())]
        first = size.name[0].lower() if size.is_Symbol else ""
        numbered = (f"i_{k}" for k in count(self.numbered))
        for x in chain((x for x in known if x in wishes), wishes, known, first, _SPARE, numbered):
            free = x not in used and x not in self.closed and x not in self.names
            if free and self.runs.get(x, size) == size == self.own.get(x, size):
                yield x
