"""Entries of arrays: a row at given indices, written down to the entries of what has a name.

(A B)_ij is Σ_k A_ik B_kj; tanh(Z)_ij is tanh(Z_ij); an array repeated by broadcasting has no index for its copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from symbackprop.core import entry, maths
from symbackprop.core import formula as f
from symbackprop.core.facts import kind, made_as
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.maths import Big, Entry, Letter, Math, Num, product, signed, within
from symbackprop.core.ops import OPS
from symbackprop.core.registry import composed
from symbackprop.core.roles import Role
from symbackprop.core.shapes import is_one
from symbackprop.render.rows import Rows

ONLY = Num(sp.S.Zero)  # the index of an axis of size 1, where one has to be written
Index = Sequence[Math]
BETWEEN = "klmuvw"  # letters for the entries of what stands between the loss and a target


class Entries:
    """Writes entries of rows. Every axis that is summed over gets a letter of its own, none of ``taken``; one of
    ``known``, which said before how axes are called, only where it can be no other axis."""

    def __init__(self, r: Rows, taken: Iterable[Math], known: Iterable[Math] = ()) -> None:
        self.r, self.taken, self.known = r, set(letters_in(taken)), letters_in(known)

    def bound(self, sizes: Sequence[sp.Expr]) -> list[Letter]:
        """Letters for axes that are summed over together."""
        own, letters = self.r.letters.own, list[Letter]()
        for size in sizes:
            called = [x for x in self.known if own[x] == size]
            wishes = called if len(called) == sizes.count(size) else []
            letter = self.r.letters.in_step(size, self.taken | set(self.known).difference(wishes), wishes)
            self.taken.add(letter)
            letters.append(Letter(letter))
        return letters

    def named(self, node: Node, name: Math, index: Index) -> Math:
        """An entry of something with a name; axes of size 1 have no index."""
        kept = tuple([i for i, d in zip(index, node.shape, strict=True) if not is_one(d)])
        whole = within(name)
        if isinstance(whole, Entry) and whole.left:  # an element of a stack
            return Entry(whole.base, (*whole.index, *kept))
        return Entry(name, kept)

    def ref(self, node: Node, index: Index) -> Math:
        symbol = self.r.symbols.get(node.id)
        return self.row(node, index) if symbol is None else self.named(node, symbol, index)

    def row(self, node: Node, index: Index) -> Math:
        """An entry of the right-hand side of a row."""
        if node.value is not None:
            return self.r.number(node.value)
        if self.r.is_call(node):
            assert node.origin is not None
            if made_as(node) is Role.ONE_HOT:
                return equal(self.ref(node.args[0], index[: node.args[0].ndim]), index[-1])
            by_entry = composed(node.origin.function).by_entry or node.origin.function == node.op.name
            return (self.by_form if by_entry else self.whole)(node, index)
        if isinstance(node.attr, Leaf):
            return self.named(node, self.r.bare(node), index)
        return self.by_form(node, index)

    def by_form(self, node: Node, index: Index) -> Math:
        """What the op's record says of an entry; where parts of it are placed among zeros, an entry of the whole."""
        own, entries = entry.letters(node.shape), kind(node)
        shapes, at = [a.shape for a in node.args], dict(zip(own, index, strict=True))
        if node.op.folded is not None:
            return Written(self, at, node.args).folded(node.op.folded(node.attr, shapes, own))
        reduced = OPS["sum"] if node.op.chooses else node.op  # an entry of either is one of many
        if entries.joined or reduced.entry is None:
            return self.whole(node, index)
        (said,) = reduced.entry(node.attr, shapes, own)
        term = entry.settled(said)
        placed = entries.added and entries.tied and not entries.indices
        if placed and (term.summed or not term.ties):  # outside of the array there is 0, which nothing says
            return self.whole(node, index)
        try:
            return Written(self, at, node.args).sum(term, "max" if reduced is not node.op else "sum")
        except NoUsualForm:
            return self.whole(node, index)

    def whole(self, node: Node, index: Index) -> Math:
        """An entry of a row that has no form by entries."""
        return Entry(self.r.row(node), tuple(index))

    def formula(self, form: f.Formula, rows: Sequence[Node], index: Index) -> Math:
        """A formula over entries of rows, at the indices of the result."""
        return self.r.formula(form, [self.ref(a, aligned(a, index)) for a in rows])

    def sum(self, body: Math, letters: Sequence[Letter], sizes: Iterable[sp.Expr], sign: str = "sum") -> Math:
        negative, inner = signed(False, body)
        if negative and sign == "sum":
            return maths.negative(Big(sign, tuple([x.name for x in letters]), inner, tuple(sizes)))
        return Big(sign, tuple([x.name for x in letters]), body, tuple(sizes))


def index_of(r: Rows, node: Node, wishes: str = "ijpqrs", taken: Index = (), batch: bool = True) -> list[Math]:
    """Index letters of an array: ``n`` for the axis of a batch, unless it is to be told from one, else of a list."""
    used, found = set(letters_in(taken)), list[Math]()
    for d in node.shape:
        if is_one(d):
            found.append(ONLY)
            continue
        own = batch and d.is_Symbol and d.name[0].lower() == "n"
        letter = r.letters.in_step(d, used, "n" if own else wishes)
        used.add(letter)
        found.append(Letter(letter))
    return found


class NoUsualForm(Exception):
    """What is said of an entry has no form that is short and usual."""


class Written:
    """Writes terms of entry forms over entries of ``rows``, by their places; ``at`` is what letters are called."""

    def __init__(self, entries: Entries, at: Mapping[entry.Index, Math], rows: Sequence[Node]) -> None:
        self.entries, self.at, self.rows = entries, dict(at), rows

    def sum(self, term: entry.Term, sign: str = "sum") -> Math:
        letters = self.bound(term.summed)
        factors = self.factors(term.entries)
        plain = term.form == entry.product_of(term.entries)
        body = [*self.ties(term), *(factors if plain else [self.entries.r.formula(term.form, factors)])]
        whole = product(*body) if body else Num(sp.S.One)
        return self.entries.sum(whole, letters, [x.size for x in term.summed], sign) if letters else whole

    def folded(self, x: entry.Folded) -> Math:
        return self.entries.r.formula(x.form, [*self.factors(x.entries), self.sum(x.inner)])

    def bound(self, summed: Sequence[entry.Letter]) -> list[Letter]:
        """New letters for those that are summed over."""
        letters = self.entries.bound([x.size for x in summed])
        self.at.update(zip(summed, letters, strict=True))
        return letters

    def factors(self, entries: Iterable[entry.Index]) -> list[Math]:
        """Entries, or an index that counts as a number: one letter."""
        found = list(entries)
        if any(isinstance(x, entry.Place) for x in found):
            raise NoUsualForm
        return [self.index(x) for x in found]

    def ties(self, term: entry.Term) -> list[Math]:
        return [equal(self.index(a), self.index(b)) for a, b in term.ties]

    def index(self, index: entry.Index) -> Math:
        match index:
            case entry.Letter():
                return self.at[index]
            case entry.At(place, inner):
                row = self.rows[place]
                return self.entries.ref(row, [self._along(i, d) for i, d in zip(inner, row.shape, strict=True)])
            case entry.Term():
                return self.sum(index)
            case entry.Place():
                return self._counted(index)
            case entry.Digit():
                return self._digit(index)
        return Num(index)

    def _digit(self, digit: entry.Digit) -> Math:
        """⌊(q·i + j)/p⌋ mod m."""
        r, count = self.entries.r, digit.index
        whole = self._added(count) if isinstance(count, entry.Place) else self.index(count)
        if digit.below != 1:
            r.mention("whole part")
            whole = maths.Op("floor", (maths.Frac(whole, r.number(digit.below)),))
        if digit.size is None:
            return whole
        r.mention("mod")
        return maths.Op("mod", (whole, r.number(digit.size)))

    def _added(self, place: entry.Place) -> Math:
        """q·i + j, which is a place inside the array."""
        r = self.entries.r
        terms = [r.scaled(k, self.at[x]) for k, x in place.terms]
        return maths.total(*[(False, x) for x in (*terms, *([r.number(place.offset)] if place.offset else []))])

    def _along(self, index: entry.Index, size: sp.Expr) -> Math:
        """An index of an axis; a letter that runs over a part of it is a place that is counted out."""
        part = isinstance(index, entry.Letter) and index.size != size
        return maths.Place(((1, self.index(index)),)) if part else self.index(index)

    def _counted(self, place: entry.Place) -> Math:
        """s·o + i − p over its denominator, what is added first; among entries that are counted nothing is outside."""
        if any(k.free_symbols for k, _ in place.terms):
            return self._added(place)
        over = sp.ilcm(1, *[sp.denom(k) for k, _ in place.terms])
        parts: list[tuple[sp.Expr, Math | None]] = [(k * over, self.at[x]) for k, x in place.terms]
        for number, size in [x.as_coeff_Mul() for x in sp.Add.make_args(sp.expand(place.offset * over)) if x != 0]:
            if not number.is_Integer and number < 0:
                raise NoUsualForm
            whole = number if number.is_Integer else sp.S.One  # the half of a size is a number by itself: d/2+p
            parts.append((whole, None if size == 1 else self.entries.r.size(number / whole * size)))
        parts.sort(key=lambda part: (f.is_negative(part[0]), part[1] is None))
        return maths.Place(tuple([(int(k), x) for k, x in parts]), int(over))


def letters_in(index: Iterable[Math]) -> list[str]:
    """The letters that indices are made of."""
    return list(dict.fromkeys(x.name for i in index for x in maths.walk(i) if isinstance(x, Letter)))


def equal(left: Math, right: Math) -> Math:
    """1[left = right]."""
    return maths.Indicator(maths.Relation(left, "=", right))


def aligned(a: Node, index: Index) -> list[Math]:
    """The indices of an argument under broadcasting: the last ones; an axis that is repeated has one entry."""
    return [ONLY if is_one(d) else i for i, d in zip(index[len(index) - a.ndim :], a.shape, strict=True)]
