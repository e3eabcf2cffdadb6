"""Shapes that are said: copies as outer products with ones, inserted axes as NumPy writes them, indexed arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeGuard

import sympy as sp

from symbackprop.core.maths import (
    Array,
    AtStep,
    Big,
    Dims,
    Entry,
    Fill,
    Fn,
    Frac,
    Indicator,
    Item,
    Letter,
    Math,
    MatMul,
    Num,
    Op,
    Outer,
    Place,
    Pow,
    Prod,
    Range,
    Relation,
    Shape,
    Shaped,
    Span,
    Sum,
    Transpose,
    Words,
    product,
    read_at,
    replaced,
    shaped,
    turned,
    within,
)
from symbackprop.core.shapes import is_one, same, same_shape

NEW, FIRST, ENTRY_OF_ONES = Words("None"), Num(sp.S.Zero), Num(sp.S.One)
Letters = Callable[[Dims, Sequence[Math], Mapping[int, str]], tuple[str, ...]]  # for axes of what trees make; known


def indexed(m: Math, rank: int, at: Mapping[int, Math]) -> Math:
    """``a[:, n]``: an array of so many axes at these places along some of them. A sum takes them to its summand, an
    array that is written by its entries or steps is one of these."""
    m = within(m)
    if isinstance(m, Big):
        return Big(m.sign, m.letters, indexed(m.body, rank, at), m.sizes)
    if isinstance(m, Array) and all(isinstance(x, Letter) for x in at.values()):
        return _entries(m, at)
    if is_stack(m) and at.get(0) == Letter(m.letter):
        return indexed(m.body, rank - 1, {k - 1: x for k, x in at.items() if k})
    index: list[Math] = [at.get(k, Span()) for k in range(rank)]
    if _is_one_entry(index) and (entry := _of_parts(m, rank, at)) is not None:
        return entry
    if isinstance(m, (Entry, Item)) and (inner := _filled(m, index)) is not None:
        return inner
    return _item(m, index)


def _of_parts(m: Math, rank: int, at: Mapping[int, Math]) -> Math | None:
    """One entry of what is computed entry by entry, from those of its parts; numbers have none."""
    def of(x: Math) -> Math:
        return indexed(x, rank, at) if x.rank else x

    match m:
        case Sum(terms):
            return Sum(tuple([(negative, of(x)) for negative, x in terms]))
        case Prod(factors, number):
            kept = [x for x in map(of, factors) if x != ENTRY_OF_ONES] or [ENTRY_OF_ONES]
            return product(*kept) if number == 1 else replace(m, factors=tuple(kept))
        case Fill(sp.S.One):
            return ENTRY_OF_ONES
        case Transpose(body) if rank == 2:
            return indexed(body, rank, {0: at[1], 1: at[0]})
        case Op("arange") if rank == 1 and isinstance(at[0], Letter):  # axes are counted from 0 too
            return at[0]
        case Frac(top, bottom):
            return Frac(of(top), of(bottom))
        case Pow(base, exponent):
            return Pow(of(base), of(exponent))
        case Fn(_, args):
            return replace(m, args=tuple(map(of, args)))
        case Relation(left, sign, right):
            return Relation(of(left), sign, of(right))
        case Indicator(holds):
            return Indicator(of(holds))
        case MatMul(left, Transpose(Fill(sp.S.One))) if left.rank > 1:  # its last axis is of size 1
            return indexed(left, rank, {**at, rank - 1: FIRST})
        case MatMul(left, Transpose(right)) | Outer(left, right):
            return _of_copies(left, right, rank, at)
    return None


def _of_copies(left: Math, right: Math, rank: int, at: Mapping[int, Math]) -> Math | None:
    """One entry of an array that is repeated by ones: the array's own."""
    if isinstance(right, Fill) and right.value == 1:
        last = rank - len(right.shape.sizes)
        return indexed(left, last, {k: x for k, x in at.items() if k < last})
    if isinstance(left, Fill) and left.value == 1:
        first = len(left.shape.sizes)
        return indexed(right, rank - first, {k - first: x for k, x in at.items() if k >= first})
    if rank == 2 and left.rank == right.rank == 1:
        return product(*[indexed(x, 1, {0: at[k]}) for k, x in enumerate((left, right))])
    return None


def is_stack(m: Math) -> TypeGuard[AtStep]:
    """Whether it is what a loop computes at all of its steps."""
    return isinstance(m, AtStep) and isinstance(m.steps, Range)


def own_letters(m: Math) -> dict[int, str]:
    """What the first axes of an array go by already: the letters of its entries, or the counter of its steps."""
    m = within(m)
    if isinstance(m, Big):
        return own_letters(m.body)
    if isinstance(m, Array):
        return dict(enumerate(m.letters))
    return {0: m.letter} if is_stack(m) else {}


def _entries(m: Array, at: Mapping[int, Math]) -> Math:
    """An array that is written by its entries, at letters along some of its axes."""
    body = replaced(m.body, {Letter(m.letters[k]): x for k, x in at.items()})
    free = [k for k in range(len(m.letters)) if k not in at]
    return Array(body, tuple([m.letters[k] for k in free]), tuple([m.sizes[k] for k in free])) if free else body


def _filled(m: Entry | Item, index: Sequence[Math]) -> Math | None:
    """An index of what has one already: its free places in order, new axes of size 1 gone; None where it reads other
    places, or where a new axis stays."""
    rest, whole = iter(index), list[Math]()
    for x in m.index:
        if x == NEW:
            if next(rest) == Span():
                return None
        elif x == Span():
            whole.append(next(rest))
        elif isinstance(x, Span) and (place := _counted(next(rest), x)) is not None:
            whole.append(place)
        elif isinstance(x, Letter) or x == FIRST:
            whole.append(x)
        else:
            return None
    whole += rest
    return indexed(m.base, len(whole), dict(enumerate(whole))) if _is_one_entry(whole) else _item(m.base, whole)


def _counted(index: Math, part: Span) -> Place | None:
    """A letter along a slice as a place of the whole axis; None where it is no letter, or counted from the end."""
    if not isinstance(index, Letter) or part.step < 1:
        return None
    start = part.start.value if isinstance(part.start, Num) else sp.S.Zero
    if start.is_Integer:
        return Place(((part.step, index), *([(int(start), None)] if start != 0 else [])))
    return None if start.is_Add else Place(((part.step, index), (1, part.start)))


def _is_one_entry(index: Sequence[Math]) -> bool:
    return all(isinstance(x, (Letter, Place)) or x == FIRST for x in index)


def _item(base: Math, index: Sequence[Math]) -> Math:
    base, read = read_at(base, index) or (base, index)
    kept = list(read)
    while kept and kept[-1] == Span():
        kept.pop()
    if not kept:
        return base
    if all(isinstance(x, (Letter, Place)) for x in kept):
        return Entry(base, tuple(kept), len(index) - len(kept))
    return Item(base, tuple(kept))


def with_axes(m: Math, rank: int, places: Sequence[int]) -> Math:
    """``a[:, None]``: new axes of size 1, so that there are ``rank`` in all."""
    return _item(m, [NEW if k in places else Span() for k in range(rank)]) if places else m


def reshaped(m: Math, have: Dims, want: Dims) -> Math:
    """Axes of size 1 more or less: new ones are None, those that go are read at 0."""
    index: list[Math] = []
    blocks = zip(_ones(have), _ones(want), strict=True)
    for k, (before, after) in enumerate(blocks):
        index += [Span()] if k else []
        index += [Span()] * min(before, after)
        index += [NEW] * (after - before) + [FIRST] * (before - after)
    if read_at(m, index) is not None:
        return _item(m, index)
    base, places = opened(m, len(have))
    source = iter(places)
    joined = [(x, None if x == NEW else next(source)) for x in index]
    return _item(base, [NEW if p is None else x for x, p in joined if p is not None or x != FIRST])


def _ones(shape: Dims) -> list[int]:
    """How many axes of size 1 there are before each other axis, and at the end."""
    counts = [0]
    for d in shape:
        if is_one(d):
            counts[-1] += 1
        else:
            counts.append(0)
    return counts


class Parts(NamedTuple):
    """An array times ``numbers``, divided by those ``below``: what is linear in the array passes the numbers by."""

    numbers: tuple[Math, ...]
    array: Math
    below: tuple[Math, ...] = ()


def with_numbers(m: Math, numbers: Sequence[Math], below: Sequence[Math], shape: Sequence[sp.Expr]) -> Math:
    """An array of that shape times numbers, and divided by others."""
    if not numbers and not below:
        return m
    whole = product(*_powers(numbers), shaped(m, tuple(shape)))
    return Frac(whole, product(*_powers(below))) if below else whole


def _powers(numbers: Sequence[Math]) -> list[Math]:
    """Numbers to be multiplied, equal ones as a power."""
    return [x if n == 1 else Pow(x, Num(sp.Integer(n))) for x, n in Counter(numbers).items()]


def in_parts(m: Math) -> Parts:
    """An array without the numbers that stand at it."""
    whole = within(m)
    if isinstance(whole, Frac) and whole.top.rank and not whole.bottom.rank:
        numbers, array, below = in_parts(whole.top)
        return Parts(numbers, array, (*below, whole.bottom))
    if not isinstance(whole, Prod) or whole.number != 1 or not whole.rank:
        return Parts((), m)
    parts = [in_parts(x) if x.rank else Parts((x,), ENTRY_OF_ONES) for x in whole.factors]
    numbers = tuple([n for x in parts for n in x.numbers if n != ENTRY_OF_ONES])
    below = tuple([n for x in parts for n in x.below])
    if not numbers and not below:
        return Parts((), m)
    arrays = [x.array for x in parts if x.array != ENTRY_OF_ONES]
    rest = product(*[x for x in arrays if not _is_ones(x)] or arrays[:1])
    return Parts(numbers, replace(m, body=rest) if isinstance(m, Shaped) else rest, below)


def _is_ones(m: Math) -> bool:
    match within(m):
        case Fill(sp.S.One):
            return True
        case MatMul(left, Transpose(right)) | Outer(left, right):
            return _is_ones(left) and _is_ones(right)
    return False


def without_copies(operands: Sequence[Math], factors: Collection[int]) -> list[Math]:
    """The operands of a formula, the ones at these places multiplied with the others: copies of a number are the number
    itself there, where it stands beside an array."""
    parts = [in_parts(x) for x in operands]
    copies = [k in factors and bool(x.numbers) and _is_ones(x.array) for k, x in enumerate(parts)]
    if all(copy or not m.rank for copy, m in zip(copies, operands, strict=True)):
        return [*operands]
    return [_number(x) if copy else m for x, copy, m in zip(parts, copies, operands, strict=True)]


def with_outer(factors: Sequence[Math]) -> list[Math]:
    """Factors with a bᵀ for (a 1ᵀ) ⊙ (1 bᵀ), copies of one vector as columns and of another one as rows."""
    found = list(factors)
    columns = [k for k, x in enumerate(factors) if _copied(x) == "columns"]
    rows = [k for k, x in enumerate(factors) if _copied(x) == "rows"]
    for k, j in zip(columns, rows, strict=False):
        column, row = (within(factors[i]) for i in (k, j))
        assert isinstance(column, MatMul) and isinstance(row, MatMul)
        found[min(k, j)] = MatMul(column.left, row.right)
    gone = {max(pair) for pair in zip(columns, rows, strict=False)}
    return [x for k, x in enumerate(found) if k not in gone]


def _copied(m: Math) -> str:
    """How copies of a vector stand in a matrix."""
    match within(m):
        case MatMul(Fill(sp.S.One), Transpose(b)) if b.rank == 1 and not isinstance(within(b), Fill):
            return "rows"
        case MatMul(a, Transpose(Fill(sp.S.One))) if a.rank == 1 and not isinstance(within(a), Fill):
            return "columns"
    return ""


def _number(parts: Parts) -> Math:
    whole = product(*_powers(parts.numbers))
    return Frac(whole, product(*_powers(parts.below))) if parts.below else whole


def repeated(m: Math, have: Dims, want: Dims, letters: Letters, order: tuple[str, ...] = ()) -> Math:
    """An array repeated along new axes and axes of size 1 until it has the wanted shape, axes matched from the last:
    an outer product with ones; where copies stand between its own axes, by its entries, whose index ``letters`` has."""
    if same_shape(have, want):
        return m
    numbers, m, below = in_parts(m)
    if numbers or below:
        return with_numbers(repeated(m, have, want, letters, order), numbers, below, want)
    base, places = opened(m, len(have))
    lack = len(want) - len(have)
    kept = [j for j in range(len(want)) if j >= lack and same(have[j - lack], want[j]) and places[j - lack] is not None]
    copied = [j for j in range(len(want)) if j not in kept]
    gone = [p for j in copied if j >= lack and (p := places[j - lack]) is not None]
    rank = len(have) - places.count(None)
    if copied == [len(want) - 1] and gone and rank > 1:
        return MatMul(base, turned(_fill(want[-1:], order)))
    core = _item(base, [FIRST if k in gone else Span() for k in range(rank)]) if gone else base
    if kept and kept != list(range(kept[0], kept[-1] + 1)):
        own = own_letters(core)
        names = letters(want, [core], {j: own[i] for i, j in enumerate(kept) if i in own})
        return Array(indexed(core, len(kept), {i: Letter(names[j]) for i, j in enumerate(kept)}), names, tuple(want))
    return _outer(core, kept, want, order)


def opened(m: Math, rank: int) -> tuple[Math, list[int | None]]:
    """What new axes were given to, and which of its axes each axis is (None: a new one)."""
    m = within(m)
    if isinstance(m, Item) and all(x in (NEW, Span()) for x in m.index):
        index = [*m.index, *[Span()] * (rank - len(m.index))]
        count = iter(range(rank))
        return m.base, [None if x == NEW else next(count) for x in index]
    return m, list(range(rank))


def _outer(core: Math, kept: list[int], want: Dims, order: tuple[str, ...]) -> Math:
    if not kept:
        return product(core, _fill(want, order))
    first, last = want[: kept[0]], want[kept[-1] + 1 :]
    vector = len(kept) == 1
    spread: Math = Outer(_fill(first, order), core) if first else core
    if vector and len(first) == 1 and not last:
        return MatMul(_fill(first, order), turned(core))
    if vector and len(last) == 1 and not first:
        return MatMul(core, turned(_fill(last, order)))
    return Outer(spread, _fill(last, order)) if last else spread


def _fill(shape: Dims, order: tuple[str, ...]) -> Math:
    return Fill(sp.S.One, Shape(tuple(shape), order))
