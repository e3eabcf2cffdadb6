"""Regions that are alike are solved once: twelve equal blocks have their gradients closed in one of them.

Two regions are alike where their normal forms, and the rows that these read down to where rules look, differ only in
names: what is an identity in the one is so in the other. The form that was found is read again under the other names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from symbackprop.core.graph import Graph, Leaf, Node
from symbackprop.core.pattern import Pattern
from symbackprop.derive.computed import Facts
from symbackprop.derive.factoring import Inner, Item, Pair, Product
from symbackprop.derive.flatten import MAX_DEPTH, Flattening, is_transparent
from symbackprop.derive.terms import Index, Powers, Space, Terms

DEPTH = MAX_DEPTH + 1  # rules write rows out so far below the factors of a term
OPAQUE = 2  # and look at the arguments of other ops so far: a mask is read by the scores of a softmax; at no loop
NEAR = 2  # rows so far below the factors are read by name
NEW = 4  # so many rows may stand between a row that is read and the factors


class Alike(NamedTuple):
    """What a region is, its names aside (``key``), and its rows and letters in the order in which they are met. The
    ``near`` first rows are factors of terms and what these are computed from; ``inline`` are those that stand for
    formulas."""

    key: tuple[object, ...]
    rows: tuple[int, ...]
    near: int
    letters: tuple[int, ...]
    inline: set[int]


class Reader:
    """Finds which regions are alike."""

    def __init__(self, flattening: Flattening, facts: Facts, kinds: dict[object, int]) -> None:
        self.graph, self.flattening, self.facts, self._kinds = flattening.graph, flattening, facts, kinds
        self._seen: dict[int, tuple[int, int]] = {}

    def of(self, roots: Sequence[Node]) -> Alike:
        """A region by its roots, whose normal forms are known."""
        rows: dict[int, int] = {root.id: k for k, root in enumerate(roots)}
        letters: dict[int, int] = {0: 0}
        forms = [self._form(*self.flattening.sums[root.id], rows, letters) for root in roots]
        kinds = [self._standing(i) for i in rows]
        below, near = self._below(rows)
        sizes = [self.flattening.space.sizes[i] for i in letters]
        key = (tuple(forms), tuple(kinds), tuple(below), tuple(sizes))
        return Alike(key, tuple(rows), near, tuple(letters), self.flattening.inline)

    def _form(self, index: Index, terms: Terms, rows: dict[int, int], letters: dict[int, int]) -> object:
        def numbers(at: Index) -> tuple[int, ...]:
            return tuple([letters.setdefault(i, len(letters)) for i in at])

        def row(id_: int) -> int:
            return id_ if id_ < 0 else rows.setdefault(id_, len(rows))

        whole = [numbers(index)]
        return tuple(whole), tuple([
            (t.number, t.weighed, tuple([(row(id_), numbers(at), p) for (id_, at), p in t.powers.items()]),
             tuple(sorted([letters.setdefault(i, len(letters)) for i in t.summed])))
            for t in terms
        ])

    def _standing(self, id_: int) -> object:
        """What is known of a factor, besides how it is computed."""
        flat, facts = self.flattening, self.facts
        return (id_ in flat.forward, id_ in flat.inline, id_ in flat.guarded, id_ in flat.space.roots,
                id_ in flat.reflected, id_ in flat.pure, len(facts.folds.get(id_, ())), len(facts.totals.get(id_, ())),
                len(facts.picks.get(id_, ())), id_ in facts.shares)

    def _below(self, rows: dict[int, int]) -> tuple[list[object], int]:
        """The rows that factors are computed from, level by level, and how many are near; ``rows`` gets them."""
        found: list[object] = []
        best: dict[int, int] = {}
        level, near, distance = [(id_, DEPTH) for id_ in rows], len(rows), 0
        while level:
            level = [(id_, depth) for id_, depth in level if depth > best.get(id_, -1)]
            found += [self._definition(id_, rows) for id_, depth in level if depth and best.get(id_, 0) == 0]
            best |= dict(level)
            level = [below for id_, depth in level if depth for below in self._arguments(id_, depth)]
            distance += 1
            near = len(rows) if distance <= NEAR else near
        return [*found, *[self.graph.nodes[id_].shape for id_ in rows]], near

    def _definition(self, id_: int, rows: dict[int, int]) -> object:
        node = self.graph.nodes[id_]
        return rows[id_], self._kind(node)[0], tuple([rows.setdefault(a.id, len(rows)) for a in node.args])

    def _arguments(self, id_: int, depth: int) -> list[tuple[int, int]]:
        """The arguments of a row, and how far rules look from there."""
        node = self.graph.nodes[id_]
        return [(a.id, min(depth, self._kind(node)[1]) - 1) for a in node.args]

    def _kind(self, node: Node) -> tuple[int, int]:
        """A number for what a row does with its arguments, and how far below it rules look."""
        known = self._seen.get(node.id)
        if known is None:
            attr = node.attr
            what = (attr.role, attr.below, attr.value, attr.stated) if isinstance(attr, Leaf) else attr
            kind = self._kinds.setdefault((node.op.name, what, node.shape, node.kind), len(self._kinds))
            seen_through = self.flattening.is_computed(node.id) and is_transparent(node)
            seen_through |= isinstance(attr, Pattern)  # Σ of a product with centred rows is 0
            known = self._seen[node.id] = kind, DEPTH if seen_through else 1 if node.is_result else OPAQUE
        return known


class Renaming:
    """A solution read again for a region that is alike: ``row`` gives the rows that it reads, None where there are
    none of the kind."""

    def __init__(self, graph: Graph, space: Space, flattening: Flattening, old: Alike, new: Alike) -> None:
        self.graph, self.space, self.flattening, self.inline = graph, space, flattening, old.inline
        self.letters = dict(zip(old.letters, new.letters, strict=True))
        self.known = dict(zip(old.rows[: old.near], new.rows[: new.near], strict=True))
        self.leaves = dict(zip(old.rows, new.rows, strict=True))
        self.first = graph.count
        self.missing = False

    def row(self, id_: int) -> int:
        """The row that stands in the place of another one: computed in the same way from the factors of the terms."""
        if id_ < 0:
            return id_
        if id_ not in self.known:
            found = self._computed(self.graph.nodes[id_], NEW) if id_ in self.graph.nodes else None
            self.missing |= found is None
            self.known[id_] = id_ if found is None else found.id
        return self.known[id_]

    def _computed(self, node: Node, depth: int) -> Node | None:
        if node.id in self.known:
            return self.graph.nodes[self.known[node.id]]
        if node.value is not None:
            return node
        if not node.args:
            return self.graph.nodes[self.leaves[node.id]] if node.id in self.leaves else None
        args = [self._computed(a, depth - 1) for a in node.args] if depth else [None]
        rows = [a for a in args if a is not None]
        if len(rows) < len(args):
            return None
        row = self.graph.again(node, rows)
        if node.id in self.inline:
            self.flattening.inline.add(row.id)
        return row if row.id < self.first or node.id in self.inline else None

    def index(self, index: Index) -> Index:
        return tuple([self.letters.get(i, i) for i in index])

    def powers(self, powers: Powers) -> Powers:
        return {(self.row(id_), self.index(at)): p for (id_, at), p in powers.items()}

    def product(self, tree: Product) -> Product:
        items = {self.item(i): p for i, p in tree.items.items()}
        return Product(tree.number, items, tuple([tuple(map(self.product, parts)) for parts in tree.sums]))

    def item(self, item: Item) -> Item:
        if isinstance(item, Inner):
            return Inner(self.powers(item.powers), frozenset(self.index(tuple(item.summed))))
        return self.row(item[0]), self.index(item[1])

    def pair(self, pair: Pair, id_: int) -> Pair:
        self.known[pair.id] = id_
        return Pair(id_, self.index(pair.at), self.product(pair.tree))

    def names(self, rules: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        return {self.known[i]: names for i, names in rules.items()}
