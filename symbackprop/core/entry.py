"""What entry K of an op's result is: one field of an op's record, from which follows all that is said entry by entry.

An entry is a sum of terms. A term is a formula over entries of arguments (their product, where nothing else is said),
summed over letters of its own, where its ties hold. Indices count from 0. Outside an array stands 0, and so it does
where an index is no whole number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.core.shapes import Dim, Shape, is_one
from symbackprop.records import record

RESULT = -1  # the place of the result itself, where a derivative reads it


@record(frozen=True, eq=False)
class Letter:
    """An index that runs over an axis of this size; two letters are never equal."""

    size: Dim


@record(frozen=True)
class Place:
    """An index that is counted out: Σ factor·letter + offset."""

    terms: tuple[tuple[sp.Rational, Letter], ...]
    offset: Dim = sp.S.Zero


@record(frozen=True)
class Digit:
    """An index that is part of another one: the rest of (index // below) by size; all of it where there is none."""

    index: Index
    below: Dim
    size: Dim | None = None


@record(frozen=True)
class At:
    """An entry of the argument at ``place``: a factor, or an index where that argument holds integers."""

    place: int
    index: tuple[Index, ...]


Index: TypeAlias = "Letter | Place | Digit | At | Term | sp.Expr"  # a term, a sum by itself, is a factor only
Indices: TypeAlias = tuple[Index, ...]
Tie: TypeAlias = tuple[Index, Index]


@record(frozen=True)
class Term:
    """Σ over ``summed`` of ``form`` over ``entries`` (an index among them counts as a number) where the ties hold."""

    entries: tuple[Index, ...]
    form: f.Formula
    summed: tuple[Letter, ...] = ()
    ties: tuple[Tie, ...] = ()


@record(frozen=True)
class Folded:
    """A ``form`` over ``entries`` of arguments and, as its last argument, the sum of a term."""

    entries: tuple[Index, ...]
    inner: Term
    form: f.Formula


Terms: TypeAlias = list[Term]
Entry: TypeAlias = Callable[[Any, Sequence[Shape], Indices], Terms]
Jacobian: TypeAlias = Callable[[Any, Sequence[Shape], Indices, Indices], Terms]
Fold: TypeAlias = Callable[[Any, Sequence[Shape], Indices], Folded]


def term(*entries: Index, summed: Sequence[Index] = (), ties: Sequence[Tie] = ()) -> Term:
    """A product of entries, summed over those of the indices that are letters."""
    letters = tuple([i for i in summed if isinstance(i, Letter)])
    return Term(entries, product_of(entries), letters, tuple(ties))


def letter(size: Dim | int) -> Index:
    """A new letter for an axis; the only place on one of size 1."""
    return sp.S.Zero if is_one(sp.sympify(size)) else Letter(sp.sympify(size))


def letters(shape: Sequence[Dim | int]) -> Indices:
    return tuple(map(letter, shape))


def place(*parts: tuple[Dim | int, Index | int]) -> Index:
    """Σ factor·index, of letters, counted places and numbers."""
    factors: dict[Letter, sp.Expr] = {}
    offset: sp.Expr = sp.S.Zero
    for factor, index in parts:
        if isinstance(index, (int, sp.Expr)):
            offset += factor * index
            continue
        inner = index if isinstance(index, Place) else _single(index)
        offset += factor * inner.offset
        for k, x in inner.terms:
            factors[x] = factors.get(x, sp.S.Zero) + factor * k
    terms = tuple([(k, x) for x, k in factors.items() if k != 0])
    plain = len(terms) == 1 and terms[0][0] == 1 and offset == 0
    return offset if not terms else terms[0][1] if plain else Place(terms, offset)


def _single(index: Index) -> Place:
    assert isinstance(index, Letter), "an entry of data, or a part of an index, is not counted with"
    return Place(((sp.S.One, index),))


def on_axis(index: Sequence[Index], axis: int, *new: Index) -> Indices:
    """The indices with another one, or several or none, on one axis."""
    return (*index[:axis], *new, *index[axis + 1 :])


def aligned(shape: Shape, index: Sequence[Index]) -> Indices:
    """The indices of what is broadcast to an array at an index: the last ones, and none along axes of size 1."""
    own = index[len(index) - len(shape) :]
    return tuple([sp.S.Zero if is_one(d) else i for d, i in zip(shape, own, strict=True)])


# -- what follows
class Kind(NamedTuple):
    """What entries are. ``moved``: each is an entry of an argument (of several arguments, where these are ``joined``);
    ``added``: it is a sum of entries of one argument, perhaps of none where these are ``tied``; ``linear``: it is a sum
    of products of entries, and so linear in ``each`` of these arguments alone, or in all of them ``together``.
    ``indices`` are the arguments whose entries are indices."""

    moved: bool = False
    joined: bool = False
    added: bool = False
    tied: bool = False
    linear: bool = False
    together: bool = False
    each: frozenset[int] = frozenset()
    indices: frozenset[int] = frozenset()

    @property
    def views(self) -> bool:
        """Whether each is an entry of the first argument."""
        return self.moved and not self.joined


def kind_of(terms: Terms) -> Kind:
    linear = bool(terms) and all(t.entries and t.form == product_of(t.entries) for t in terms)
    linear = linear and all(isinstance(x, At) for t in terms for x in t.entries)
    added = linear and len(terms) == 1 and len(terms[0].entries) == 1
    tied = any(t.ties for t in terms)
    listed = len(terms) > 1 and all(isinstance(i, sp.Integer) for t in terms for _, i in t.ties)  # each in its place
    moved = linear and (listed or not tied) and all(len(t.entries) == 1 and not t.summed for t in terms)
    together = linear and all(len(t.entries) == 1 for t in terms)
    each = frozenset[int].intersection(*map(_once, terms)) if linear else frozenset[int]()
    return Kind(moved, moved and len(terms) > 1, added, tied, linear, together, each, index_places(terms))


def _once(t: Term) -> frozenset[int]:
    """The arguments of which a product has one entry."""
    places = [x.place for x in t.entries if isinstance(x, At)]
    return frozenset([k for k in places if places.count(k) == 1])


def product_of(entries: Sequence[Index]) -> f.Formula:
    return f.mul(*map(f.Arg, range(len(entries))))


def index_places(terms: Terms) -> frozenset[int]:
    """The arguments whose entries are indices."""
    tied = [i for t in terms for tie in t.ties for i in tie]
    inside = [i for t in terms for x in t.entries if isinstance(x, At) for i in x.index]
    return frozenset([x.place for i in (*tied, *inside) for x in _lookups(i)])


def _lookups(index: Index) -> Iterator[At]:
    if isinstance(index, At):
        yield index
        for inner in index.index:
            yield from _lookups(inner)


def jacobian(terms: Terms, place: int, wanted: Indices, out: Indices) -> Terms:
    """∂(entry ``out``)/∂(entry ``wanted`` of the argument at ``place``): each of its entries differentiated in turn,
    its indices tied to the wanted ones. No sum is settled yet."""
    found = []
    for t in terms:
        for k, x in enumerate(t.entries):
            if isinstance(x, At) and x.place == place:
                ties = tuple([(i, j) for i, j in zip(x.index, wanted, strict=True) if i is not j])
                found.append(_over_used(t, Kernel(t.form).partial(k), out, ties))
    return [t for t in found if t.form != f.ZERO]


def folded_slopes(x: Folded, wanted: Indices, out: Indices) -> Terms:
    """The same of what is folded, by the chain rule: through its entries and through the sum."""
    own = {i: Letter(i.size) for i in x.inner.summed}  # told from those of the sum itself
    leaves, inner, found = (*x.entries, x.inner), put(x.inner, own), list[Term]()
    shifted = [f.Arg(len(leaves) + k) for k in range(len(inner.entries))]

    def opened(leaf: f.Formula) -> f.Formula:
        return shifted[leaf.index] if isinstance(leaf, f.Arg) else f.over(inner.form, shifted)

    for k, entry in enumerate((*x.entries, *inner.entries)):
        within = k - len(x.entries)  # which entry of the sum
        slope = Kernel(x.form).partial(min(k, len(x.entries)))
        if within >= 0:
            slope = f.mul(slope, f.substitute(Kernel(inner.form).partial(within), opened))
        assert isinstance(entry, At)
        ties = tuple([(i, j) for i, j in zip(entry.index, wanted, strict=True) if i is not j])
        whole = Term((*leaves, *inner.entries), x.form, tuple(own.values()) if within >= 0 else ())
        found.append(settled(_over_used(whole, slope, out, ties)))
    return found


def _over_used(t: Term, slope: f.Formula, out: Indices, ties: tuple[Tie, ...]) -> Term:
    """A derivative of a term's formula over the entries that it reads, the result among them."""
    entries = (*t.entries, At(RESULT, out))
    whole = f.substitute(slope, lambda leaf: leaf if isinstance(leaf, f.Arg) else f.Arg(len(t.entries)))
    used = f.arguments(whole)
    number = {k: n for n, k in enumerate(used)}
    form = f.substitute(whole, lambda leaf: f.Arg(number[leaf.index]) if isinstance(leaf, f.Arg) else leaf)
    return Term(tuple([entries[k] for k in used]), form, t.summed, (*t.ties, *ties))


def settled(t: Term, kept: Collection[Letter] = ()) -> Term:
    """The term without the letters that a tie determines, but for those that are ``kept``, and without ties that hold
    anyway."""
    for tie in t.ties:
        others = tuple([x for x in t.ties if x is not tie])
        if tie[0] == tie[1] or _always(tie):
            return settled(replace(t, ties=others), kept)
        for a, b in (tie, tie[::-1]):
            found = _solved(t, a, b, kept)
            if found is not None:
                gone, value = found
                rest = replace(t, ties=others, summed=tuple([x for x in t.summed if x is not gone]))
                return settled(put(rest, {gone: value}), kept)
    return t


def _always(tie: Tie) -> bool:
    """Whether both run over an axis of size 1."""
    return all(i == 0 or (isinstance(i, Letter) and is_one(i.size)) for i in tie)


def _solved(t: Term, a: Index, b: Index, kept: Collection[Letter]) -> tuple[Letter, Index] | None:
    """A summed letter in one side of a tie that is not kept, and what it has to be. Its range needs no check where it
    stands as an index of an array, outside of which there is 0."""
    if isinstance(b, Digit) and isinstance(a, Letter) and b.size in (None, a.size):
        free = a in t.summed and a not in kept and not _is_counted(t, a)
        return (a, b) if free else None
    if isinstance(b, (At, Digit, Term)) or isinstance(a, (At, Digit, Term, sp.Expr)):
        return None
    for factor, x in _single(a).terms if isinstance(a, Letter) else a.terms:
        bare = isinstance(a, Letter) and isinstance(b, Letter) and a.size == b.size
        if x in t.summed and x not in kept and (bare or any(isinstance(y, At) and x in y.index for y in t.entries)):
            return x, place((1 / factor, b), (-1 / factor, a), (1, x))
    return None


def _is_counted(t: Term, x: Letter) -> bool:
    """Whether a letter is a part of an index that is counted out, or of which one is a part."""
    indices = [i for whole in (*t.entries, *[i for tie in t.ties for i in tie]) for i in parts_of(whole)]
    return any(isinstance(i, (Place, Digit)) and x in letters_of(i) for i in indices)


def put(t: Term, values: Mapping[Letter, Index]) -> Term:
    """The term with other indices in the place of letters."""
    ties = tuple([(put_in(a, values), put_in(b, values)) for a, b in t.ties])
    return replace(t, entries=tuple([put_in(x, values) for x in t.entries]), ties=ties)


def put_in(index: Any, values: Mapping[Letter, Index]) -> Any:
    """An index, or an entry, with other indices in the place of letters."""
    match index:
        case Letter():
            return values.get(index, index)
        case At():
            return replace(index, index=tuple([put_in(i, values) for i in index.index]))
        case Term():
            return put(index, values)
        case Digit():
            return replace(index, index=put_in(index.index, values))
        case Place():
            if not any(x in values for _, x in index.terms):
                return index
            return place((1, index.offset), *[(k, put_in(x, values)) for k, x in index.terms])
    return index


def renumbered(t: Term, places: Sequence[int]) -> Term:
    """The term over arguments at other places; the last of these is that of the result."""

    def move(index: Any) -> Any:
        match index:
            case At(place, inner):
                return At(places[place], tuple([move(i) for i in inner]))
            case Term():
                return renumbered(index, places)
            case Digit():
                return replace(index, index=move(index.index))
        return index

    ties = tuple([(move(a), move(b)) for a, b in t.ties])
    return replace(t, entries=tuple([move(x) for x in t.entries]), ties=ties)


def letters_of(index: Index) -> Iterator[Letter]:
    """The letters that an index, or an entry, is made of."""
    return (x for x in parts_of(index) if isinstance(x, Letter))


def parts_of(index: Index) -> Iterator[Index]:
    """An index, or an entry, and all that it is made of."""
    yield index
    match index:
        case Place():
            yield from (x for _, x in index.terms)
        case Digit():
            yield from parts_of(index.index)
        case At():
            for inner in index.index:
                yield from parts_of(inner)
        case Term():
            for inner in index.entries:
                yield from parts_of(inner)
