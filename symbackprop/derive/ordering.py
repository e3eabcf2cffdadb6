"""Products of several arrays in the order of fewest multiplications: (u vᵀ) B is u (vᵀ B).

A gradient array that products read is multiplied out into these, and what is then a product of more than two arrays is
computed two at a time, in the cheapest order. That is done where the new order is never dearer, whatever the sizes are,
none of which is 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.build import einsum, reshape
from symbackprop.core.graph import Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import same_shape
from symbackprop.derive.factoring import grouped
from symbackprop.derive.flatten import is_transparent
from symbackprop.derive.term_rules import Rules
from symbackprop.derive.terms import (
    ONE,
    ORDER,
    Index,
    Key,
    Term,
    Terms,
    TooLong,
    all_letters,
    is_number,
    letters,
    product,
    step,
)
from symbackprop.derive.writing import Writer

MOST_OPERANDS, MOST_TERMS = 6, 2
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class Order(NamedTuple):
    """How a product of arrays is computed: what it costs, a symbolic size counting as 32, the letters that are left,
    the product, and the two parts that are multiplied last, none for one array or a product that is there."""

    cost: float
    own: frozenset[int]
    term: Term
    parts: tuple[Order, ...] = ()

    def leaves(self) -> list[Order]:
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]


class Ordering:
    """Looks for cheaper orders. ``swept`` are the gradient rows in order, whose normal forms are known, ``kept`` the
    ids of those that must exist whoever reads them."""

    def __init__(self, rules: Rules, swept: Sequence[Node], kept: Iterable[int]) -> None:
        self.rules, self.flattening, self.space = rules, rules.flattening, rules.flattening.space
        self.graph, self.swept, self.kept = self.flattening.graph, swept, {*kept}
        self.ids = {n.id for n in swept}
        self.indices: dict[int, Index] = {}
        self.terms: dict[int, Terms] = {}
        self.reads: dict[int, set[int]] = {}
        self.readers: dict[int, list[Node]] = {}
        for node in swept:
            self._note(node)
        self.changed = {i for i, (term,) in self.terms.items()
                        if 2 < len(_operands(term)) <= MOST_OPERANDS and not self._is_sum(i)}
        self.gone: set[int] = set()
        self.new: dict[int, Node] = {}
        self.writer = Writer(self.flattening, lambda i: self._of(self.graph.nodes[i]))

    def _note(self, node: Node) -> None:
        """What a row that must exist reads, and the product that it may be."""
        if not is_transparent(node):
            reads = {a.id for a in node.args}
            if isinstance(node.attr, Pattern) and len(node.args) > 1:
                self.indices[node.id] = index = self.space.index(node)
                self.terms[node.id] = [self.flattening.product_of(node, index)]
        elif node.id in self.flattening.cuts and node.id in self.flattening.sums:
            index, terms = self.flattening.sums[node.id]
            reads = {id_ for t in terms for id_, _ in t.powers}
            if len(terms) == 1 and not terms[0].weighed and (_is_contraction(terms[0]) or reads & self.terms.keys()):
                self.indices[node.id], self.terms[node.id] = index, terms
        else:
            return
        self.reads[node.id] = reads
        for i in reads:
            self.readers.setdefault(i, []).append(node)

    def _is_sum(self, id_: int) -> bool:
        """Whether a product is written as a sum over entries."""
        return is_transparent(self.graph.nodes[id_])

    def rows(self) -> dict[int, Node]:
        """What stands in the place of gradient rows, by id: of products that are computed in another order, and of all
        that is computed from these."""
        with self.rules.facts.apart():
            for i, (term,) in self.terms.items():
                self.rules.facts.is_sum(i, self.indices[i], term)
            for node in self.swept if self.terms else ():
                try:
                    self._look_at(node)
                except TooLong:
                    continue
            for node in self.swept if self.changed else ():
                self._of(node)
        return {i: row for i, row in self.new.items() if row.id != i}

    def _of(self, node: Node) -> Node:
        """What stands in the place of a row."""
        if node.id in self.gone or node.id not in self.ids:
            return node
        if node.id not in self.new:
            args = [self._of(a) for a in node.args] if node.id not in self.changed else [*node.args]
            new = self._written(node) if node.id in self.changed else self.graph.over(node, args)
            self.new[node.id] = new
            if new is not node:
                new.hint = new.hint or node.hint
                self.graph.set_apart(new)
        return self.new[node.id]

    # -- what is multiplied out
    def _look_at(self, node: Node) -> None:
        """Multiplies an array out into all products that read it, else into those in which that pays."""
        readers = [r for r in self.readers.get(node.id, ()) if r.id in self.terms]
        inside = self._inside(node) if readers else None
        if inside is None:
            return
        alone = node.id not in self.kept and len(readers) == len(self.readers[node.id])
        if not (alone and self._multiply_out(node, inside, readers, self._own(node))):
            for reader in readers if len(readers) > 1 or not alone else ():
                self._multiply_out(node, inside, [reader], frozenset())

    def _multiply_out(self, node: Node, inside: tuple[Index, Terms], readers: Sequence[Node], own: frozenset[int]
                      ) -> bool:
        """Multiplies an array out into products where they are cheaper then, its ``own`` rows among what is saved."""
        before = [self.best(r.id, t) for r in readers for t in self.terms[r.id]]
        before += [self.best(i, t) for i in sorted((own - self.gone) & self.terms.keys()) for t in self.terms[i]]
        gone, self.gone = self.gone, self.gone | own
        try:
            new = {r.id: self._with(self.terms[r.id], node.id, inside[0], inside[1]) for r in readers}
            after = [self.best(i, t) for i, terms in new.items() for t in terms]
        except TooLong:
            self.gone = gone
            return False
        if not self._is_never_dearer(after, before):
            self.gone = gone
            return False
        self.terms |= new
        self.changed |= new.keys()
        self.kept |= {id_ for order in after for leaf in order.leaves() for id_, _ in leaf.term.powers}
        return True

    def _is_never_dearer(self, after: Sequence[Order], before: Sequence[Order]) -> bool:
        """Whether an order takes fewer multiplications, and not more for any sizes from 2 on: with 2 + t for each size
        no coefficient of what is saved is negative."""
        if not sum(order.cost for order in after) < sum(order.cost for order in before):
            return False
        saved = sp.Add(*map(self._exactly, before)) - sp.Add(*map(self._exactly, after))
        sizes = sorted(saved.free_symbols, key=str)
        whole = sp.expand(saved.subs({s: s + 2 for s in sizes}))
        return bool(whole.is_polynomial(*sizes)) and all(c > 0 for c in whole.as_coefficients_dict().values())

    def _exactly(self, order: Order) -> sp.Expr:
        """The multiplications of an order in the sizes."""
        if not order.parts:
            return sp.S.Zero
        over = frozenset[int]().union(*[part.own for part in order.parts])
        return sp.Add(sp.Mul(*[self.space.sizes[i] for i in over]), *map(self._exactly, order.parts))

    def _inside(self, node: Node) -> tuple[Index, Terms] | None:
        """The products of arrays with fewer axes that an array is the sum of; None where it is no such sum."""
        if node.id in self.terms and not self._is_sum(node.id):
            index, terms = self.indices[node.id], self.terms[node.id]
        elif node.id in self.flattening.cuts and node.id in self.flattening.sums:
            index, terms = self.flattening.sums[node.id]
            own = self._own(node)
            terms = [x for t in terms for x in self._opened(t, own)]
        else:
            return None
        whole = {i for i in index if i}
        slim = all(not whole <= letters(k) for t in terms for k in t.powers)
        fits = slim and len(whole) > 1 and 0 < len(terms) <= MOST_TERMS and not any(t.weighed for t in terms)
        return (index, terms) if fits else None

    def _own(self, node: Node) -> frozenset[int]:
        """A row and the products that are read for it alone."""
        read = [i for i in self.reads.get(node.id, ()) if i in self.terms and i not in self.kept]
        return frozenset([node.id, *[i for i in read if self.readers[i] == [node]]])

    def _opened(self, term: Term, own: frozenset[int]) -> Terms:
        """A term with the products that are read for it alone multiplied out."""
        terms = [term]
        for i in own & self.terms.keys():
            terms = self._with(terms, i, self.indices[i], self.terms[i])
        return terms

    def _with(self, terms: Terms, id_: int, index: Index, inside: Terms) -> Terms:
        """Terms with a row multiplied out."""
        found: Terms = []
        for term in terms:
            at = [key for key in term.powers if key[0] == id_]
            if any(term.powers[key] != 1 for key in at) or len(at) > 1:
                raise TooLong
            rest = term.with_powers({**term.powers, **dict.fromkeys(at, 0)})
            named = [self.space.renamed(x, dict(zip(index, key[1], strict=True))) for key in at for x in inside]
            whole = [product(self.space, rest, x) for x in named]
            found += [self.flattening.bound(t._replace(summed=frozenset()), t.summed) for t in whole] or [term]
        return found

    # -- the cheapest order
    @step(ORDER)
    def best(self, own: int, term: Term) -> Order:
        """The cheapest order of a product, which is the row ``own``, found from that of every part of it, the smallest
        first: (A B) C = A (B C), as Σ_k (Σ_j a_ij b_jk) c_kl = Σ_j a_ij (Σ_k b_jk c_kl)."""
        keys = _operands(term)
        if len(keys) > MOST_OPERANDS:
            raise TooLong
        self.rules.own = own
        found: dict[frozenset[Key], Order] = {}
        for n in range(1, len(keys) + 1):
            for chosen in combinations(keys, n):
                found[frozenset(chosen)] = self._order(term, keys, chosen, found)
        return found[frozenset(keys)]

    def _order(self, term: Term, keys: Sequence[Key], chosen: tuple[Key, ...], found: dict[frozenset[Key], Order]
               ) -> Order:
        """The cheapest order of some of the factors of a product."""
        inside, outside = all_letters(chosen), all_letters([k for k in keys if k not in chosen])
        summed = frozenset((inside - outside) & term.summed)
        part = Term(ONE, summed, {k: term.powers[k] for k in chosen})
        own = frozenset(inside - summed)
        if len(chosen) == 1:
            return Order(0, own, part)
        known = self.rules.known_sum(part, part.powers) if summed else None
        if known is not None and not self.gone & {id_ for id_, _ in known.powers}:
            return Order(0, own, known)
        first, *others = chosen
        splits = [(first, *more) for n in range(len(others)) for more in combinations(others, n)]
        pairs = [(found[frozenset(a)], found[frozenset(chosen) - frozenset(a)]) for a in splits]
        costs = [a.cost + b.cost + self.space.area(a.own | b.own) for a, b in pairs]
        cheapest = costs.index(min(costs))
        return Order(costs[cheapest], own, part, pairs[cheapest])

    # -- rows
    def _written(self, node: Node) -> Node:
        """A product in the order that was found, repeated along axes that no factor has; a number is multiplied
        with the smallest array."""
        indices = self.indices[node.id]
        layout = tuple([i for i in indices if i])
        whole = None
        for term in self.terms[node.id]:
            order = self.best(node.id, term)
            small = min([*order.leaves(), order], key=lambda o: self.space.area(o.own))
            number = term.with_powers({k: p for k, p in term.powers.items() if is_number(k)})
            own = tuple([i for i in layout if i in order.own])
            row = self.writer.aligned(self._row(order, own, small, number), own, layout)
            whole = row if whole is None else whole + row
        assert whole is not None
        shape = tuple([d for i, d in zip(indices, node.shape, strict=True) if i])
        whole = whole if same_shape(whole.shape, shape) else self.graph.broadcast(whole, shape)
        return whole if same_shape(shape, node.shape) else reshape(whole, node.shape)

    def told(self) -> list[int]:
        """Products in another order and rows made of them entry by entry, as far as they are swept."""
        changed = self.changed - self.gone
        above = {n.id for n in self.swept if is_transparent(n) and not changed.isdisjoint([a.id for a in n.args])}
        return sorted(changed | above)

    def _row(self, order: Order, layout: Index, small: Order, number: Term) -> Node:
        """A product with its axes in the places of a layout; what has no place there is summed."""
        term = product(self.space, order.term, number) if order is small and not order.parts else order.term
        if not order.parts:
            return self.writer.product(grouped(term._replace(summed=term.summed.difference(layout))), layout)
        whole = self._two(order, layout, small, number)
        return whole * self.space.value(number.number, number.powers.items()) if order is small else whole

    def _two(self, order: Order, layout: Index, small: Order, number: Term) -> Node:
        """A product of two, entry by entry where one has all axes and nothing is summed."""
        a, b = order.parts if not layout or layout[0] in order.parts[0].own else order.parts[::-1]
        both, whole = a.own & b.own, frozenset(layout)
        pointwise = whole == a.own | b.own and whole in (a.own, b.own)
        front, back = ([*layout], [*layout]) if pointwise else ([*layout, *sorted(both)], [*sorted(both), *layout])
        own = _axes(a, front), _axes(b, back)
        rows = [self._row(part, at, small, number) for part, at in zip((a, b), own, strict=True)]
        if pointwise and {*own[0]} | {*own[1]} == whole:
            rows = [self.writer.aligned(row, at, layout) for row, at in zip(rows, own, strict=True)]
            return self.graph.arithmetic(f.Arg(0) * f.Arg(1), rows)
        name = {i: _ALPHABET[k] for k, i in enumerate(dict.fromkeys([*own[0], *own[1]]))}
        ins = tuple(["".join(name[i] for i in at) for at in own])
        return einsum(Pattern(ins, "".join(name[i] for i in layout)), *rows)


def _axes(order: Order, wanted: Sequence[int]) -> Index:
    """The axes of a product in the order that is wanted; those of an array stay in its own."""
    for part in order.parts:
        if part.own == order.own:
            return _axes(part, wanted)
    if order.parts:
        return tuple([i for i in dict.fromkeys(wanted) if i in order.own])
    keys = sorted(order.term.powers, key=lambda k: -len(letters(k)))
    return tuple(dict.fromkeys([i for k in keys for i in k[1] if i]))


def _operands(term: Term) -> list[Key]:
    return [k for k in term.powers if not is_number(k)]


def _is_contraction(term: Term) -> bool:
    """Whether factors are multiplied and summed over letters that they share."""
    count = Counter([i for k in term.powers for i in {*k[1]}])
    return any(count[i] > 1 for i in term.summed)
