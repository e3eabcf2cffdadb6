"""What the forward pass has computed already: rows that are products of others, and rows that are sums over entries."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from symbackprop.core import formula as f
from symbackprop.core.build import one_hot_along
from symbackprop.core.facts import is_pick, is_sum
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one
from symbackprop.derive.flatten import Flattening, is_transparent, unnoted
from symbackprop.derive.terms import Index, Term, Terms, TooLong, all_letters, canonical, is_number, letters

MAX_PRODUCT, MAX_TOTAL = 8, 3


class Fold(NamedTuple):
    """A row that is a product of others: its index, and the product. What is handed out as a ``result`` is read where
    no row that is kept will do. A gradient has a ``place`` in the sweep; 0 while its region is looked at itself."""

    id: int
    at: Index
    term: Term
    result: bool
    place: int = 0

    @property
    def reads(self) -> set[int]:
        """The rows that it is the product of; it is looked up by the last of them."""
        return {id_ for id_, _ in self.term.powers if id_ >= 0}

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Longer products are looked for first, then rows that were computed first."""
        return self.result, -len(self.term.powers), self.id


class Total(NamedTuple):
    """A row that is a sum of a few products: its index, and the products."""

    id: int
    at: Index
    terms: tuple[Term, ...]


class Known(NamedTuple):
    """A row that is a sum over entries: its index, the numbers of its letters in the canonical form, what stands in
    front of the sum."""

    id: int
    at: Index
    names: dict[int, int]
    outside: Term


class Pick(NamedTuple):
    """A row that holds one entry of another along its last axis: its index, the letters of the other's entry, and the
    product that this is."""

    id: int
    at: Index
    place: Index
    term: Term


class Share(NamedTuple):
    """By the row 1 + e: the row e, and what is e/(1 + e), or 1/(1 + e) where it is not the ``part`` over the whole."""

    id: int
    other: Node
    part: bool


class Facts:
    """Collected from the forward rows in order; ``flattening`` learns which of them are products. Products that are
    ``unread`` are not to stand for their factors. Where only some gradients are looked at, ``factors`` are what these
    may have as such: sums and products of other rows stand in none."""

    def __init__(self, flattening: Flattening, rows: Iterable[Node], results: Iterable[Node],
                 factors: set[int] | None = None) -> None:
        self.flattening, self.results, self.factors = flattening, {r.id for r in results}, factors
        self.folds: dict[int, list[Fold]] = {}
        self.products: dict[int, Fold] = {}
        self.gradients: dict[int, list[Fold]] = {}
        self.inside: list[Fold] = []  # those of the region that is looked at
        self.until, self.passed_over = 0, False
        self.unread: Collection[int] = ()
        self.sums: MutableMapping[object, Known] = {}
        self.summed = set[frozenset[int]]()  # the rows in them: all others are known at a look to be no sum
        self.totals: dict[int, list[Total]] = {}
        self.parts: dict[int, Total] = {}
        self.picks: dict[int, list[Pick]] = {}
        self.shares: dict[int, Share] = {}
        self._reflections: dict[tuple[int, str], Node] = {}
        flattening.noted = self._is_total
        for node in rows:
            if node.args and node.value is None and node.kind == FLOAT:
                self._learn(node)
        flattening.noted = unnoted  # a sum in a gradient may be multiplied out

    @contextmanager
    def apart(self) -> Iterator[None]:
        """While gradients are looked at that may come out otherwise: what they are holds for those after them."""
        sums, inside = self.sums, self.inside
        self.sums, self.inside = ChainMap({}, sums), []
        try:
            yield
        finally:
            self.sums, self.inside = sums, inside

    @contextmanager
    def reading(self, until: int) -> Iterator[None]:
        """While gradients that are products of forward rows are read too: those before a place, and those of the region
        that is looked at."""
        self.until = until
        try:
            yield
        finally:
            self.until = 0

    def may_fold(self, ids: set[int]) -> list[Fold]:
        """The products of some of the rows; whether gradients are among these that are not read is noted."""
        found = [fold for i in ids for fold in self.folds.get(i, ())]
        found = [fold for fold in found if fold.reads <= ids and fold.id not in self.unread]
        gradients = [fold for i in ids for fold in self.gradients.get(i, ())] + self.inside
        gradients = [fold for fold in gradients if fold.reads <= ids]
        self.passed_over |= bool(gradients)
        return found + [fold for fold in gradients if fold.place < self.until]

    @contextmanager
    def without(self, products: Collection[int]) -> Iterator[None]:
        """While these products do not stand for their factors."""
        before, self.unread = self.unread, products
        try:
            yield
        finally:
            self.unread = before

    def _learn(self, node: Node) -> None:
        function = node.function
        if function is not None and function.power is not None:
            self._is_root(node, node.args[0], 1 / Fraction(str(function.power)))
        if function is not None and function.square == 1:
            self._is_absolute(node)
        if function is not None and _is_reflection(function.name):
            self._is_reflected(node, function.name)
        if is_pick(node) and node.attr == node.ndim - 1 and is_one(node.shape[-1]):
            self._is_picked(node)
        if is_transparent(node) or isinstance(node.attr, Pattern):
            self._learn_terms(node)

    def _is_of_factors(self, node: Node, factors: set[int]) -> bool:
        """Whether gradients may have as factors all that a row is the sum or the product of."""
        found = all([a.id in factors or a.value is not None for a in node.args])
        if found and is_transparent(node):
            factors.add(node.id)
        return found or not (node.form is None or _is_spread_out(node.form))

    def _learn_terms(self, node: Node) -> None:
        if self.factors is None or self._is_of_factors(node, self.factors):
            with suppress(TooLong):
                self._learn_known_terms(node)

    def _learn_known_terms(self, node: Node) -> None:
        index = self.flattening.space.index(node)
        if node.form is not None:
            terms = self.flattening.whole(node, index)
            if len(terms) == 1:
                self._is_share(node, terms[0])
                self._is_product(node, index, terms[0])
            if len(terms) > 1:
                self.flattening.is_known(node, index, terms)
            self._is_total(node, index, [x for t in terms for x in self.flattening.opened_up(t)])
        elif is_sum(node) or isinstance(node.attr, Pattern):
            terms = self.flattening.inside(node, index)
            if len(terms) == 1:
                self.is_sum(node.id, index, terms[0])
                self.flattening.is_known(node, index, terms)

    def _is_total(self, node: Node, index: Index, terms: Terms) -> None:
        """The row is a sum of a few products."""
        factors = [len(t.powers) for t in terms]  # else the other part takes more than is saved
        if len(terms) == 2 and (max(factors) == 1 or min(factors) == 0) and not any(t.summed for t in terms):
            self.parts[node.id] = Total(node.id, index, tuple(terms))
        if 2 <= len(terms) <= MAX_TOTAL and all(t.powers and not t.summed for t in terms):
            total = Total(node.id, index, tuple(terms))
            self.totals.setdefault(max(k[0] for t in terms for k in t.powers), []).append(total)

    def _is_product(self, node: Node, index: Index, term: Term) -> None:
        rows = [(k, p) for k, p in term.powers.items() if not is_number(k)]
        if term.summed or term.weighed or not rows or len(term.powers) > MAX_PRODUCT:
            return
        (id_, at), power = rows[0]
        if len(term.powers) == 1 and power == 1 and id_ in self.flattening.inline and is_along(at, index):
            self.flattening.monomials[id_] = at, Term(1 / term.number, frozenset(), {(node.id, index): 1})
            return
        if len(rows) == len(term.powers) == 1 and term.number == 1 and Fraction(rows[0][1]).denominator != 1:
            base = self.flattening.graph.nodes[rows[0][0][0]]
            self._is_root(node, base, 1 / Fraction(rows[0][1]))
            return
        self.flattening.monomials[node.id] = index, term
        if len(rows) == len(term.powers):
            is_read = len(rows) > 1 or (rows[0][1] == -1 and term.number == 1)
        else:  # a mean, if it has a name
            is_read = node.name is not None and len(rows) == 1 and rows[0][1] == term.number == 1
        if is_read:
            fold = self.products[node.id] = Fold(node.id, index, term, node.id in self.results)
            self.folds.setdefault(max(fold.reads), []).append(fold)

    def _is_share(self, node: Node, term: Term) -> None:
        """The row is s = 1/(1 + e), as a logistic function that is spelled out, or e/(1 + e): remembered by the row
        1 + e, with what the other one is, 1 − s."""
        (key, p), *others = sorted(term.powers.items(), key=lambda item: item[1]) or [((-1, ()), 1)]
        whole = self.flattening.graph.nodes.get(key[0]) if p == -1 and term.number == 1 else None
        match None if whole is None else whole.form:
            case f.Add((f.ONE, f.Arg(i))) | f.Add((f.Arg(i), f.ONE)) if whole is not None:
                part, other = whole.args[i], self.flattening.graph.arithmetic(1 - f.Arg(0), [node])
                known = part.id in self.flattening.forward and part.shape == whole.shape == other.shape
                if known and others in ([], [((part.id, key[1]), 1)]):
                    self.flattening.inline.add(other.id)
                    self.shares[key[0]] = Share(part.id, other, not others)

    def _is_picked(self, node: Node) -> None:
        """The row is the entry of another one where a one-hot array is 1."""
        source, index = node.args
        place = self.flattening.space.index(source)
        terms = self.flattening.forward_entry(source, place)
        hot = one_hot_along(index, node.attr, source.shape[-1])
        if len(terms) == 1:
            self.picks.setdefault(hot.id, []).append(Pick(node.id, (*place[:-1], 0), place, terms[0]))

    def _is_reflected(self, node: Node, name: str) -> None:
        """f(−u) = 1 − f(u), where both are there: as 1/(1 + e^u) + 1/(1 + e^−u) = 1."""
        argument = node.args[0]
        self._reflections[argument.id, name] = node
        if argument.form == f.Neg(f.Arg(0)):
            other = self._reflections.get((argument.args[0].id, name))
            if other is not None:
                self.flattening.reflected[node.id] = other

    def _is_absolute(self, node: Node) -> None:
        """|a| is a·sign(a)."""
        argument, index = node.args[0], self.flattening.space.index(node)
        sign = self.flattening.graph.call("sign", argument)
        self.flattening.inline.add(sign.id)
        self._is_product(node, index, Term(Fraction(1), frozenset(), {(argument.id, index): 1, (sign.id, index): 1}))

    def _is_root(self, node: Node, base: Node, exponent: Fraction | int) -> None:
        """The base of a root is a power of it: where both are there, the root is the factor that is written."""
        if base.is_leaf or base.id in self.flattening.monomials:
            return
        index = self.flattening.space.index(base)
        self.flattening.space.roots.add(node.id)
        exponent = int(exponent) if Fraction(exponent).denominator == 1 else exponent
        self.flattening.monomials[base.id] = index, Term(Fraction(1), frozenset(), {(node.id, index): exponent})

    def is_sum(self, id_: int, index: Index, term: Term) -> None:
        """The row is this sum of one term: remembered, so that the sum is read and not computed again."""
        inside = {k: p for k, p in term.powers.items() if letters(k) & term.summed}
        if not inside or term.weighed:
            return
        outside = {k: p for k, p in term.powers.items() if k not in inside}
        key, names = canonical(inside.items(), (), loose=True)
        over = tuple(sorted(names[i] for i in term.summed))
        known = Known(id_, index, names, Term(term.number, frozenset(), outside))
        if {i for i in index if i} | all_letters(outside) <= set(names):
            self.sums.setdefault((key, over), known)
            self.summed.add(frozenset([k[0] for k in inside]))


@cache
def _is_reflection(name: str) -> bool:
    """Whether a function is f(−u) = 1 − f(u)."""
    return TABLE[name].complement == f.call(name, -f.Arg(0))


@cache
def _is_spread_out(form: f.Formula) -> bool:
    """Whether a formula calls nothing and has no sum as a factor, which would be looked at as a row."""
    return not f.calls(form) and not any([f.has(part, f.Add) for part in form.children])


def is_along(at: Index, index: Index) -> bool:
    """Whether an entry of one array stands for one of the other: neither is repeated along an axis."""
    return sorted(filter(None, at)) == sorted(filter(None, index))
