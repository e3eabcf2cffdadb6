"""What is printed of a derivation that is too long to be read: its beginning and its end, and so of a long formula.

What is left out is counted, and said, in its place too. Numbers, anchors and the mathematics are those of the whole;
`Options.whole` prints all of it.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

from symbackprop.core import formula as f
from symbackprop.core.maths import Words
from symbackprop.render.document import Equation, Line, Prose, Step

MOST, SHOWN = 1000, 50  # of more steps, equations or arrays than that, so many are printed at either end
PARTS = 10  # of a formula, which make one of these: a long one is as much to read as several short ones
TERMS, FIRST, DEEP = 200, 12, 24  # of more terms so many in front; how deep a formula of as many parts is printed
DOTS = Words("…")
LEFT_OUT = f.Call("…", ())
T = TypeVar("T")
D = TypeVar("D")
W = TypeVar("W")
Numbered = TypeVar("Numbered", Equation, Step)


def ends(found: Sequence[T], whole: bool, form: Callable[[T], f.Formula | None] = lambda _: None) -> Sequence[T]:
    """All steps, equations or arrays; of many, or of fewer with long formulas, the first and the last."""
    if whole or (len(found) <= MOST and sum(_counts(found, form)) <= MOST):
        return found
    first, last = _beginning(found, form), _beginning(found[::-1], form)
    return [*found[:first], *found[-last:]]


def _beginning(found: Sequence[T], form: Callable[[T], f.Formula | None]) -> int:
    """How many of them count as `SHOWN`; one at least."""
    return max(bisect([*accumulate(_counts(found[:SHOWN], form))], SHOWN), 1)


def _counts(found: Sequence[T], form: Callable[[T], f.Formula | None]) -> list[int]:
    """How many each counts as, by its formula."""
    return [1 if x is None else max(f.size(x) // PARTS, 1) for x in map(form, found)]


def with_gaps(found: Sequence[Numbered], missing: Sequence[tuple[int, int]], gap: Callable[[int, int, int], Numbered]
              ) -> Iterator[Numbered]:
    """Equations or steps with a ``gap`` where others are left out: what stands for the first of them to the last, at
    the depth of the first. ``missing``: their numbers and depths."""
    places = [0, *[bisect(missing, (x.number,)) for x in found], len(missing)]
    for k, (start, end) in enumerate(pairwise(places)):
        if start < end:
            yield gap(missing[start][0], missing[end - 1][0], missing[start][1])
        yield from found[k : k + 1]


def omitted(what: str, first: int, last: int) -> Line:
    """The line of a gap."""
    return Line("omitted", None, Words(f"{what} {first} to {last} are left out"), sign="⋮")


def spaced(found: Sequence[T], whole: bool, write: Callable[[T], W], dots: Callable[[int], W]) -> list[W]:
    """The ends as they are written, with what stands for so many that are left out between them."""
    shown = ends(found, whole)
    written, gone = [write(x) for x in shown], len(found) - len(shown)
    return [*written[:SHOWN], dots(gone), *written[SHOWN:]] if gone else written


def few(found: Sequence[T]) -> Sequence[T]:
    """All terms of a formula, or branches of a step; of many the first and the last."""
    return found if len(found) <= TERMS else [*found[:FIRST], found[-1]]


def dotted(found: Sequence[T], dots: D) -> Sequence[T | D]:
    """The same, dots in the place of what is left out."""
    shown = few(found)
    return found if shown is found else [*shown[:-1], dots, shown[-1]]


def dotted_table(rows: Sequence[Sequence[T]], dots: T) -> list[Sequence[T]]:
    """The rows of a matrix; of many entries the first and the last rows and columns."""
    if sum(map(len, rows)) <= TERMS:
        return [*rows]
    shown = [row if len(row) <= FIRST + 1 else [*row[:FIRST], dots, row[-1]] for row in rows]
    return shown if len(shown) <= FIRST + 1 else [*shown[:FIRST], [dots] * len(shown[0]), shown[-1]]


def told(shown: Mapping[str, Iterable[int]]) -> tuple[Prose, ...]:
    """What is left out of a document, by the numbers of the steps and equations that are not."""
    parts = [f"{what} {before + 1} to {after - 1}" for what, numbers in shown.items()
             for before, after in pairwise(numbers) if after > before + 1]
    return ((f"{' and '.join(parts)} are left out here (--whole prints all)",),) if parts else ()


def abridged(form: f.Formula) -> f.Formula:
    """A formula with `LEFT_OUT` in the place of what makes it long."""
    return form if f.size(form) <= TERMS else _cut(form, DEEP)


def _cut(form: f.Formula, deep: int) -> f.Formula:
    if f.size(form) < FIRST:
        return form
    if not deep:
        return LEFT_OUT
    return f.remade(form, tuple([_cut(part, deep - 1) for part in dotted(form.children, LEFT_OUT)]))
