"""Index letters: an axis of size N is indexed by n, one of size D by d, a second one of the same size by another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import count

import sympy as sp

_SPARE = "ijklmpqrsuv"


class AxisLetters:
    """Hands out one letter for each (dimension, occurrence) of a document; a dimension keeps its letter throughout."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self.given: dict[tuple[sp.Expr, int], str] = {}
        self.used: dict[str, sp.Expr] = {}

    def of(self, shape: Sequence[sp.Expr], used: Collection[str] = ()) -> list[str]:
        """A letter for every axis, all different, and none that is used."""
        letters: list[str] = []
        for size in shape:
            found = (self._letter(size, k) for k in count())
            letters.append(next(x for x in found if x not in letters and x not in used))
        return letters

    def mention(self, letters: Iterable[str], shape: Iterable[sp.Expr]) -> None:
        """Remember that these letters stand in the document and what they run over."""
        self.used.update(zip(letters, shape, strict=True))

    def fits(self, letter: str, size: sp.Expr) -> bool:
        """Whether a letter does not run over another size in this document."""
        return bool(self.used.get(letter, size) == size)

    def _letter(self, size: sp.Expr, occurrence: int) -> str:
        key = (size, occurrence)
        if key not in self.given:
            letter = next(c for c in self._wishes(size, occurrence) if c not in self.taken)
            self.taken.add(letter)
            self.given[key] = letter
        return self.given[key]

    def _wishes(self, size: sp.Expr, occurrence: int) -> Iterable[str]:
        if size.is_Symbol and occurrence == 0:
            yield size.name[0].lower()
        yield from _SPARE
        yield from (f"i_{k}" for k in count(1))
