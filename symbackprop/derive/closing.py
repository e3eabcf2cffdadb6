"""Closed forms: the shortest exact form of each gradient that the sweep has found.

Products of several arrays are put in their cheapest order first (`ordering`). Every gradient row is flattened into one
normal form, a sum of products of rows at indices (`terms`, `flatten`); what cancels does so there, and what the forward
pass has computed is read (`computed`, `term_rules`). The terms are then factored (`factoring`), priced, and the cheaper
of both forms is written as rows (`writing`). Gradient arrays that must exist (a matrix product reads them, or they were
asked for) and share rows form a region, which is written in closed form where that costs less than its swept rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations, compress
from math import inf
from typing import NamedTuple

from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum, is_view, plainly
from symbackprop.core.graph import Graph, Leaf, Node, reached
from symbackprop.core.hazards import INFINITE, hazards, is_nonnegative
from symbackprop.core.loops import Loop, with_bodies
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.derive.computed import Facts, Fold
from symbackprop.derive.factoring import (
    Inner,
    Pair,
    Product,
    common_powers,
    divided,
    factored,
    folded,
    grouped,
    has_common_factor,
    joined,
    merged,
    multiplied_by,
    shared_pairs,
    subtracted,
)
from symbackprop.derive.flatten import Flattening, is_transparent
from symbackprop.derive.ordering import Ordering
from symbackprop.derive.replay import Alike, Reader, Renaming
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.derive.term_rules import EXCHANGED, Rules
from symbackprop.derive.terms import (
    CANCELLED,
    CHOSEN,
    FACTOR,
    MERGED,
    ONE,
    OPENED,
    ORDER,
    UNIT,
    Index,
    Space,
    Term,
    Terms,
    TooLong,
    all_letters,
    collected,
    is_number,
    letters,
)
from symbackprop.derive.writing import MULTIPLY, Price, Writer, chosen, extent, product_cost, swept_cost, work
from symbackprop.model.model import Model
from symbackprop.records import record

ZERO = Product(Fraction(0), {})
WORTH = 0.999  # a closed form is cheaper than this share of the swept one


@record(frozen=True)
class ClosedForms:
    """By the ids of gradient rows: the ``rows`` that stand in their place, and the names of the ``rules`` that led to
    those which are in closed form; where they are to be printed, what is ``shown`` of these."""

    rows: Mapping[int, Node]
    rules: Mapping[int, tuple[str, ...]]
    shown: Mapping[int, Shown] = field(default_factory=dict)

    def __or__(self, other: ClosedForms) -> ClosedForms:
        rows, rules = {**self.rows, **other.rows}, {**self.rules, **other.rules}
        return ClosedForms(rows, rules, {**self.shown, **other.shown})


class Shown(NamedTuple):
    """A closed form as it is read: the two ``terms`` that the rules leave, their common ``factor``, the ``whole``."""

    whole: Node
    terms: Node | None
    factor: Node | None


@dataclass
class Trial:
    """A way of writing a region: the tree of every root, pairs computed once, the rules used by root, the rows that it
    reads, the cost, how many terms and factors there are (for the ``width`` a sum counts as its terms), whether
    ``sums`` of forward rows are among these, and whether it ``divides``. One that is too dear has no trees, and of its
    cost it is known that it is this at least."""

    trees: dict[int, tuple[Index, Product]]
    pairs: dict[int, Pair]
    rules: dict[int, tuple[str, ...]]
    reads: set[int]
    cost: float
    degree: tuple[int, int]
    width: tuple[int, int]
    sums: bool
    divides: bool


class Solved(NamedTuple):
    """The best form of regions by what those that are alike have in common, and the ``kinds`` of rows in that."""

    trials: dict[tuple[object, ...], tuple[Alike, Trial | None]]
    kinds: dict[object, int]


class Forms(NamedTuple):
    """The terms of every gradient of a region, by gradient the rules that led to them, and sums of arrays in them.
    ``opens``: a factor that was met is a sum, which may be multiplied out."""

    terms: list[Terms]
    rules: dict[int, tuple[str, ...]]
    pairs: list[Pair]
    opens: bool

    @property
    def size(self) -> int:
        """How many terms there are in all."""
        return sum(map(len, self.terms))


@dataclass
class Region:
    """Gradient arrays that are closed together, and the swept rows that compute them."""

    roots: list[Node] = field(default_factory=list)
    inside: dict[int, Node] = field(default_factory=dict)


class Part(NamedTuple):
    """Rows that are closed together, a derivation or the body of a reverse loop: gradients, the ids of the forward rows
    that they may read, the rows that tell what is known of these, what is handed out, and where the part ends.
    ``selecting``: arrays may be NaN where the model does not select them."""

    roots: tuple[Node, ...]
    forward: frozenset[int]
    told: tuple[Node, ...]
    results: tuple[Node, ...] = ()
    stop: frozenset[int] = frozenset()
    selecting: bool = False
    some: bool = False


def whole(derivation: Derivation) -> Part:
    """All gradients of a derivation, outside of loops."""
    return part_of(derivation.model, tuple(derivation.gradients.values()), derivation.forward_ids)


def steps_of(derivation: Derivation, totals: Sequence[Node]) -> Part:
    """Some of the gradients, over the others as they are; all of them where some are computed in loops."""
    part, steps = whole(derivation)._replace(some=True), [s for s in derivation.steps if isinstance(s, Step)]
    if len(steps) < len(derivation.steps):
        return part
    kept = {row.id for row in totals}
    others = [s for s in steps if s.total.id not in kept]
    read = {c.upstream.id for s in others for c in s.contributions if c.upstream is not None}
    roots = read.union([row.id for row in part.roots])
    stop = frozenset([s.total.id for s in others]) - part.forward
    return part._replace(roots=tuple([row for row in totals if row.id in roots]), stop=stop)


def part_of(model: Model, roots: tuple[Node, ...], forward: frozenset[int]) -> Part:
    """Rows over a model, outside of loops, that may read these forward rows."""
    told = model.graph.topological([*model.results(), *model.equations.values(), *roots])
    selecting = any([n.role is Role.CHOICE for n in with_bodies(told)])
    return Part(roots, forward, tuple(told), tuple(model.results()), selecting=selecting)


def body(loop: Loop, graph: Graph, around: Part) -> Part:
    """What a step of a reverse loop computes, from forward rows that are there at every step."""
    roots, stop = tuple(loop.results()), loop.stop
    forward = frozenset(n.id for n in loop.leaves() if not _is_cotangent(n))
    return Part(roots, forward, tuple(graph.topological(roots, stop)), (), stop, around.selecting, around.some)


class Closing:
    """One pass over the gradients of a part. The table is to be set apart around it. ``printed``: the ids of those that
    are to be read. What is ``solved`` is what bodies of loops have in common too. Where products in another order are
    cheaper there is one more pass over these, as long as what they cost is ``below`` what it was before."""

    def __init__(self, part: Part, graph: Graph, space: Space, printed: Collection[int] = (),
                 solved: Solved | None = None, below: float = inf) -> None:
        self.below = below
        self.part, self.graph, self.roots, self.space, self.printed = part, graph, part.roots, space, printed
        self.order = graph.topological(part.roots, part.stop | part.forward)
        forward = set(part.forward) | {n.id for n in self.order if _is_given(n)}
        self.forward = forward
        for node in self.order:  # as softmax(z), which the gradient of a logsumexp reads
            if node.args and not is_transparent(node) and all(a.id in self.forward for a in node.args):
                self.forward.add(node.id)
        graph.recognise([*part.told, *self.order])
        self.swept = [n for n in self.order if n.id not in self.forward and n.id not in part.stop]
        self.cuts = {a.id for n in self.swept if not is_transparent(n) for a in n.args} - self.forward
        self.cuts |= part.stop.union(n.id for n in self.roots) - self.forward
        rows = sorted((n for n in part.told if self._is_known(n)), key=lambda n: n.id)
        self.flattening = Flattening(self.graph, self.space, self.forward)
        self.flattening.ends = part.stop
        self.flattening.selecting = part.selecting
        self.flattening.pure = pure_rows(self.order, self.forward)
        factors = {n.id for n in reached(self.roots, self._factors)} if part.some else None
        self.facts = Facts(self.flattening, rows, part.results, factors)
        self.rules = Rules(self.flattening, self.facts, rows)
        self.readers: dict[int, set[int]] = {}
        for node in self.swept:
            for a in node.args:
                self.readers.setdefault(_array(a).id, set()).add(node.id)
        self.place = {n.id: k for k, n in enumerate(self.swept)}
        self.made = self.graph.count + (1 << 40)
        self.pairs: dict[int, Pair] = {}
        self.chosen: dict[int, Trial] = {}
        self.solved = Solved({}, {}) if solved is None else solved
        self.reader = Reader(self.flattening, self.facts, self.solved.kinds)

    def _is_known(self, node: Node) -> bool:
        """Whether it is known how a forward row is computed from others that are there."""
        return node.id in self.forward and all(a.id in self.forward or a.value is not None for a in node.args)

    def _factors(self, node: Node) -> Sequence[Node]:
        """What a gradient, or what it has as a factor, is looked at as a sum and a product of."""
        ends = node.id in self.part.stop or (node.id in self.forward and not is_transparent(node))
        return () if ends else node.args

    # -- the pass
    def forms(self) -> ClosedForms:
        """All gradients, those in closed form that are shorter so."""
        self.flattening.flatten(self.swept, self.cuts)
        self.cuts = self.flattening.cuts
        ordered = self._ordered()
        if ordered is not None:
            return ordered
        waiting = self._regions(self.swept)
        for region in waiting:
            if not self._close(region):
                waiting += self._parts(region)
            for fold in [fold for root in region.roots for fold in self._products(root)]:
                self.facts.gradients.setdefault(max(fold.reads), []).append(fold)
        return Rows(self, self.chosen).all()

    def _ordered(self) -> ClosedForms | None:
        """All gradients, products in cheaper order; None where all are in that already."""
        swept = [n for n in self.order if n.id not in self.part.forward and n.id not in self.part.stop]
        cost = swept_cost(swept)
        if cost >= self.below:
            return None
        with self.graph.holding(self.forward), self.space.uncounted():  # a product is looked at a few times
            ordering = Ordering(self.rules, swept, {root.id for root in self.roots})
            new = ordering.rows()
        if not new:
            return None
        rows = {n.id: new.get(n.id, n) for n in swept}
        part = self.part._replace(roots=tuple([rows.get(root.id, root) for root in self.roots]))
        printed = {rows[i].id if i in rows else i for i in self.printed}
        found = Closing(part, self.graph, self.space, printed, self.solved, cost).forms()
        rules, shown = {**found.rules}, {**found.shown}
        for i in ordering.told():
            rules[i] = tuple(dict.fromkeys([ORDER, *found.rules.get(rows[i].id, ())]))
            if i in self.printed:
                shown[i] = found.shown.get(rows[i].id, Shown(rows[i], None, None))
        ordered = {i: found.rows.get(row.id, row) for i, row in rows.items()}
        return ClosedForms({**found.rows, **ordered}, rules, shown)

    def _close(self, region: Region) -> bool:
        """Takes the closed form of a region where that is cheaper."""
        trial = self._solved(region) if swept_cost(region.inside.values()) else None
        if trial is None or (trial.divides and not any(trial.rules.values())):
            return False  # the same quotients in other groups may overflow
        worth, free = WORTH, set[int]()
        if EXCHANGED in {name for names in trial.rules.values() for name in names}:
            worth, free = 2 - WORTH, self.facts.results  # weights are as many as entries or more, an output is there
        if trial.cost + self._stored(trial.reads, region, free) >= worth * self._swept(region, trial.reads):
            return False
        self.chosen |= dict.fromkeys(trial.trees, trial)
        self.pairs |= trial.pairs
        return True

    def _swept(self, region: Region, reads: set[int]) -> float:
        """What a region costs as it is, with all that is not needed where it is in a form that reads these rows."""
        before, cost = {a.id for n in region.inside.values() for a in n.args}, swept_cost(region.inside.values())
        return cost + self._stored(before, region) + self._spared(before, reads, region)

    def _is_too_dear(self, cost: float, region: Region, reads: set[int]) -> bool:
        """Whether a form is surely not taken, whatever else it costs."""
        return cost > (2 - WORTH) * self._swept(region, reads)

    def _stored(self, ids: set[int], region: Region, free: Collection[int] = ()) -> float:
        """What it costs to keep arrays of the forward pass for a region alone: a multiplication for each entry."""
        nodes, inline = self.graph.nodes, self.flattening.inline
        read = ids.union(*[[a.id for a in nodes[i].args] for i in ids if i in inline]) & self.forward
        arrays = {a.id: a for a in map(_array, [nodes[i] for i in sorted(read)]) if a.args}
        own = [a for i, a in arrays.items() if self.readers.get(i, set()) <= region.inside.keys() and i not in free]
        return MULTIPLY * sum(map(extent, own))

    # -- regions
    def _parts(self, region: Region) -> list[Region]:
        """A region that is longer multiplied out, what is selected in it taken as arrays, else its first sum that is
        read in several places."""
        order = sorted(region.inside.values(), key=lambda n: self.place[n.id])
        cuts = self._selected(order) or self._several(order)[:1]
        self.flattening.flatten(order if cuts else [], cuts)
        return self._regions(order) if cuts else []

    def _selected(self, order: Sequence[Node]) -> list[int]:
        """Rows that are 0 where an upstream gradient is, and what they are computed from."""
        rows = {a.id: a for n in order if n.role is Role.SELECTED for a in (n, *n.args)}
        return [i for i, n in rows.items() if i in self.place and i not in self.cuts and n.value is None]

    def _several(self, order: Sequence[Node]) -> list[int]:
        """Sums that are read in several places."""
        readers, sums = Counter([a.id for n in order for a in {*n.args}]), self.flattening.sums
        several = [n.id for n in order if readers[n.id] > 1 and n.id not in self.cuts]
        return [i for i in several if len(sums.get(i, (0, ()))[1]) > 1]

    def _regions(self, rows: Sequence[Node]) -> list[Region]:
        """The cuts that are worth a look, those that share rows or read one gradient array together."""
        regions: dict[int, Region] = {}
        owner: dict[int, int] = {}
        join = Joined()
        for root in rows:
            if root.id in self.cuts and root.id in self.flattening.sums and is_transparent(root):
                region = regions[root.id] = Region([root])
                for node in self._inside(root, region.inside):
                    if node is not root:
                        join.together(root.id, owner.setdefault(node.id, root.id))
        found: dict[int, Region] = {}
        for i, region in regions.items():
            whole = found.setdefault(join.first(i), Region())
            whole.roots += region.roots
            whole.inside |= region.inside
        wanted = self.printed if self.part.some else self.cuts
        return [region for region in found.values() if any([root.id in wanted for root in region.roots])]

    def _inside(self, root: Node, inside: dict[int, Node]) -> list[Node]:
        """The swept rows of a root, and the gradient arrays that they read."""
        stack, touched = [root], {}
        while stack:
            node = stack.pop()
            if node.id in touched or node.id in self.forward or node.value is not None:
                continue
            touched[node.id] = node
            if node is root or (node.id not in self.cuts and is_transparent(node)):
                inside[node.id] = node
                stack += node.args
        return list(touched.values())

    # -- normal forms
    def _solved(self, region: Region) -> Trial | None:
        """The best form of a region; where one that is alike has been solved, that form under other names."""
        alike, known = self.reader.of(region.roots), self.solved.trials
        if alike.key in known:
            first, found = known[alike.key]
            trial = None if found is None else self._renamed(found, first, alike)
            holds = trial is not None and (trial.trees or self._is_too_dear(trial.cost, region, trial.reads))
            if found is None or holds:
                return trial
        try:
            best = self._best(region)
        except TooLong:  # while forms are compared: no more is looked at
            best = None
        known[alike.key] = alike, best
        return best

    def _renamed(self, found: Trial, first: Alike, alike: Alike) -> Trial | None:
        """A form under other names; None where it reads a row that has no counterpart."""
        to = Renaming(self.graph, self.space, self.flattening, first, alike)
        pairs = [to.pair(pair, self.made + k) for k, pair in enumerate(found.pairs.values())]
        self.made += len(pairs)
        trees = {to.row(i): (to.index(at), to.product(tree)) for i, (at, tree) in found.trees.items()}
        reads, rules = {to.row(i) for i in sorted(found.reads)}, to.names(found.rules)
        renamed = replace(found, trees=trees, pairs={p.id: p for p in pairs}, rules=rules, reads=reads)
        return None if to.missing or not self._may_read(renamed) else renamed

    def _may_read(self, trial: Trial) -> bool:
        """Whether all that a form reads is there in this part."""
        there = (self.forward, self.place, self.part.stop, self.flattening.inline, trial.pairs)
        return all([id_ < 0 or any([id_ in ids for ids in there]) for id_ in trial.reads])

    def _best(self, region: Region) -> Trial | None:
        """The cheapest form; one that reads a product kept for it alone also without it, from the factors, and one that
        could read other gradients also with these."""
        self.facts.passed_over = False
        trial = self._cheapest(region)
        if self.facts.passed_over:
            with self.facts.reading(max(1, min(self.place[root.id] for root in region.roots))):
                trial = self._cheaper_of(trial, self._cheapest(region), region)
        kept = set() if trial is None else self._kept_alone(trial, region)
        if trial is None or not kept:
            return trial
        with self.facts.without(kept):
            other = self._cheapest(region)
        return self._cheaper_of(trial, other, region)

    def _cheaper_of(self, trial: Trial | None, other: Trial | None, region: Region) -> Trial | None:
        found = [t for t in (trial, other) if t is not None]
        return min(found, key=lambda t: t.cost + self._stored(t.reads, region), default=None)

    def _products(self, root: Node, terms: Terms | None = None) -> list[Fold]:
        """What a gradient is that is a product of forward rows; with ``terms``, while its region is looked at."""
        index, found = self.flattening.sums[root.id]
        term, *others = terms or found or [UNIT]
        rows = [(k, p) for k, p in term.powers.items() if not is_number(k)]
        if others or term.summed or term.weighed or not rows or (len(rows) == 1 and rows[0][1] == 1):
            return []
        pure = all(k[0] in self.flattening.pure or self.flattening.is_computed(k[0]) for k, _ in rows)
        whole = {i for i in index if i} == all_letters(term.powers)
        return [Fold(root.id, index, term, False, 0 if terms else self.place[root.id])] if pure and whole else []

    def _kept_alone(self, trial: Trial, region: Region) -> set[int]:
        """Products that the forward pass would keep for a trial alone, which reads their factors anyway."""
        nodes, reads, alone = self.graph.nodes, trial.reads, region.inside.keys()
        products = [fold for fold in map(self.facts.products.get, reads) if fold is not None and not fold.result
                    and nodes[fold.id].name is None]
        return {fold.id for fold in products if self.readers.get(fold.id, set()) <= alone
                and all(i in reads or _is_given(nodes[i]) for i in fold.reads)}

    def _cheapest(self, region: Region) -> Trial | None:
        """The cheaper of the closed form and the one that is multiplied out, where terms vanish in that; None where
        nothing is known of the terms and they are too many: a product each is more than the sweep computes."""
        plain = self._forms(region)
        if plain is None:
            return None
        swept = sum(1 if n.form is None else work(n.form) for n in region.inside.values())
        spread = MULTIPLY * plain.size > swept and not any(plain.rules.values())
        trial = None if spread else self._trial(region, plain)
        if trial is not None and not trial.sums:
            return trial
        opened = self._forms(region, opened=True) if plain.opens else None
        if opened is None or opened.size > plain.size - spread or opened.terms == plain.terms:
            return trial
        other = self._trial(region, opened)
        if trial is None:
            return other
        longer = other.degree > trial.degree and other.width > trial.width
        return trial if other.cost >= trial.cost or longer else other

    def _forms(self, region: Region, opened: bool = False) -> Forms | None:
        """The normal forms of a region's gradients that no rule shortens further."""
        rules, terms, self.opens = dict[int, tuple[str, ...]](), dict[int, Terms](), False
        try:
            with self.facts.apart():
                self._learn_sums(region, opened)
                for root in sorted(region.roots, key=lambda root: len(self.flattening.sums[root.id][1]) > 1):
                    self.rules.fired, self.rules.own = {}, root.id
                    terms[root.id] = self._normal(root, opened)
                    if not self.rules.fired and root.id in self.flattening.cancelled:
                        self.rules.fired[CANCELLED] = None
                    rules[root.id] = tuple(self.rules.fired)
                    self.facts.inside += self._products(root, terms[root.id])
            found = Forms([terms[root.id] for root in region.roots], rules, [], self.opens)
            self._merge(region, found)
            self.space.spend(sum(len(t.powers) for terms in found.terms for t in terms))
        except TooLong:
            return None
        return found

    def _merge(self, region: Region, forms: Forms) -> None:
        """Matrix products with a common factor that only this region reads are one product."""
        count = Counter([id_ for terms in forms.terms for t in terms for id_, _ in t.powers])
        for root, terms in zip(region.roots, forms.terms, strict=True):
            found = [(t, p) for t in terms for p in self._alone(region, t, count)]
            for (s, p), (t, q) in combinations(found, 2):
                whole = merged(self.flattening.sums[root.id][0], s, p, t, q)
                if whole is not None:
                    tree, at, term = whole
                    forms.pairs.append(Pair(self.made, at, tree))
                    terms[:] = [term.with_powers({**term.powers, (self.made, at): 1}),
                                *[x for x in terms if x is not s and x is not t]]
                    forms.rules[root.id] = (*forms.rules[root.id], MERGED)
                    self.made += 1
                    break

    def _alone(self, region: Region, term: Term, count: Mapping[int, int]) -> list[Term]:
        """The matrix product of two arrays that a term is, perhaps times numbers, where nothing else reads it."""
        rows = [k for k in term.powers if letters(k)]
        node = self.graph.nodes.get(rows[0][0]) if len(rows) == 1 and term.powers[rows[0]] == 1 else None
        if node is None or term.summed or term.weighed or count[node.id] > 1 or not self._is_own_product(node, region):
            return []
        product = self.flattening.product_of(node, rows[0][1])
        return [product] if [*product.powers.values()] == [1, 1] and product.summed else []

    def _is_own_product(self, node: Node, region: Region) -> bool:
        """Whether a row is a matrix product in the backward pass that only this region reads."""
        swept = isinstance(node.attr, Pattern) and node.id not in self.forward and not is_transparent(node)
        return swept and self.readers.get(node.id, set()) <= region.inside.keys()

    def _spared(self, before: set[int], after: set[int], region: Region) -> float:
        """What products cost that a region does not read any more."""
        nodes = [self.graph.nodes[i] for i in sorted(before - after) if i in self.graph.nodes]
        return sum(product_cost(n) for n in nodes if self._is_own_product(n, region))

    def _trial(self, region: Region, forms: Forms) -> Trial:
        """Normal forms factored, with products that stand in several places computed once where that is cheaper."""
        plain = self._priced(region, forms.terms, forms.pairs, forms.rules)
        common = [common_powers(terms) for terms in forms.terms]
        left = [[divided(t, c) for t in terms] for terms, c in zip(forms.terms, common, strict=True)]
        pairs = shared_pairs(left, self.made, self.space)
        if not pairs:
            return plain
        self.made += len(pairs)
        left = [[multiplied_by(t, c) for t in terms] for terms, c in zip(left, common, strict=True)]
        trial = self._priced(region, left, [*forms.pairs, *pairs], forms.rules)
        return plain if plain.trees and plain.cost <= trial.cost else trial

    def _is_sum(self, id_: int) -> bool:
        """Whether a factor is a sum of forward rows."""
        return id_ in self.flattening.inline or id_ in self.flattening.reflected

    def _normal(self, root: Node, opened: bool) -> Terms:
        _, terms = self.flattening.sums[root.id]
        found = self._tidied(terms)
        self.opens |= not opened and any(map(self.flattening.opens, found))
        if opened:
            written = [x for t in found for x in self.flattening.opened_up(t)]
            if len(written) > len(found):
                self.rules.fired.setdefault(OPENED)
            found = collected(self._tidied(written))
        left = subtracted(self.facts, found, self.rules.fired)
        found = found if left is found else self._tidied(left)
        found = joined(self.facts, found, self.rules.fired)
        found = [folded(self.facts, t, self.rules.fired) for t in found]
        if len(found) < len(terms):
            self.rules.fired.setdefault(CANCELLED)
        if not all(map(self._is_defined, found)):
            raise TooLong
        return found

    def _learn_sums(self, region: Region, opened: bool) -> None:
        """A gradient that is a sum of one term over arrays from before the region is read by the others, as dγ and dβ
        of a normalisation are."""
        first = min(self.place[root.id] for root in region.roots)
        for root in region.roots:
            index, terms = self.flattening.sums[root.id]
            arrays = [self.place.get(id_, -1) for t in terms for id_, _ in t.powers]
            if len(terms) == 1 and terms[0].summed and max(arrays, default=-1) < first:
                for term in self._normal(root, opened):
                    self.facts.is_sum(root.id, index, term)

    def _tidied(self, terms: Terms) -> Terms:
        """Terms of which no two are alike, none of which a rule shortens further."""
        found = [t for t in map(self.rules.tidied, terms) if t is not None]
        return found if [*map(id, found)] == [*map(id, terms)] else collected(found)

    def _is_defined(self, term: Term) -> bool:
        """Whether a term needs no care where a weight in it is 0: nothing in it can be infinite there."""
        return not term.weighed or all(
            is_number(k) or (p > 0 and not self._may_be_infinite(k[0])) for k, p in term.powers.items()
        )

    def _may_be_infinite(self, id_: int) -> bool:
        node = self.graph.nodes.get(id_)
        return node is not None and bool(hazards(node) & INFINITE) and not _is_share(node)

    def _priced(self, region: Region, forms: Sequence[Terms], pairs: Sequence[Pair],
                fired: Mapping[int, tuple[str, ...]]) -> Trial:
        powers = [(k, p) for terms in forms for t in terms for k, p in t.powers.items()]
        sums = any([self._is_sum(k[0]) for k, _ in powers])
        divides = any([p < 0 and not is_number(k) for k, p in powers])
        count = sum(map(len, forms))
        degree, width = (count, len(powers)), (count, sum([self.flattening.width(k) for k, _ in powers]))
        reads = {k[0] for k, _ in powers}.union(*[pair.tree.reads for pair in pairs])
        products = [[grouped(t) for t in terms] for terms in forms]
        price = self._price()  # no common factor takes a sum over entries away
        least = sum([price.item(i) for parts in products for p in parts for i in p.items if isinstance(i, Inner)], 0.0)
        if self._is_too_dear(least, region, reads):
            return Trial({}, {}, {**fired}, reads, least, degree, width, sums, divides)
        trees, fired = dict[int, tuple[Index, Product]](), dict(fired)
        for root, parts in zip(region.roots, products, strict=True):
            tree = self._cheaper(parts) if parts else ZERO
            if has_common_factor(tree):
                fired[root.id] = (*fired[root.id], FACTOR)
            if any([chosen(self.flattening, sums) for sums in tree.sums]):
                fired[root.id] = (*fired[root.id], CHOSEN)
            trees[root.id] = self.flattening.sums[root.id][0], tree
        cost = sum([price.of(tree) for tree in (*[t for _, t in trees.values()], *[p.tree for p in pairs])], least)
        return Trial(trees, {p.id: p for p in pairs}, fired, reads, cost, degree, width, sums, divides)

    def _cheaper(self, products: Sequence[Product]) -> Product:
        """The sum with common factors in front, or with small ones among the small factors of its terms."""
        if len(products) == 1:
            return products[0]
        together, spread = factored(products), factored(products, spread=True)
        if spread == together:
            return together
        return spread if self._price().of(spread) < self._price().of(together) else together

    def _price(self) -> Price:
        return Price(self.space, self.flattening)


class Rows:
    """Every gradient row over what stands in the place of its arguments. ``chosen`` are the trials by root."""

    def __init__(self, closing: Closing, chosen: Mapping[int, Trial]) -> None:
        self.closing, self.graph, self.chosen = closing, closing.graph, chosen
        self.writer = Writer(closing.flattening, self.row)
        self.new: dict[int, Node] = {}
        self.pairs: dict[int, Node] = {}
        self.inside = ClosedForms({}, {})
        self.reader = Writer(closing.flattening, self.row, printed=True)

    def all(self) -> ClosedForms:
        """By the ids of gradient rows, those in bodies of loops among them: what stands in their place, and why."""
        with self.graph.holding(self.closing.forward):  # arrays are read, not computed again
            for node in self.closing.swept:
                self.of(node)
        rules = {i: t.rules[i] for i, t in self.chosen.items()}
        told = [i for i, names in rules.items() if names and i in self.closing.printed]
        return self.inside | ClosedForms(self.new, rules, {i: self._shown(self.graph.nodes[i]) for i in told})

    def _shown(self, node: Node) -> Shown:
        """A closed form as it is printed."""
        index, tree = self.chosen[node.id].trees[node.id]
        if tree is ZERO:
            return Shown(self.graph.full(0, node.shape), None, None)
        front = Product(ONE, tree.items if tree.sums else {})
        layout = tuple([i for i in index if i in front.letters])
        factor = self.reader.product(replace(front, number=abs(tree.number)), layout) if tree.sums else None
        whole = Product(ONE, {}, (tree.spread,))
        terms = self.reader.written(whole, index, node) if len(tree.spread) == 2 else None
        return Shown(self.reader.written(tree, index, node), terms, factor)

    def of(self, node: Node) -> Node:
        """What stands in the place of a row whose arguments are there."""
        if node.id not in self.new:
            self.new[node.id] = self._closed(node) if node.id in self.chosen else self._again(node)
            if node.id in self.closing.cuts:
                self.graph.held.add(self.new[node.id].id)
        return self.new[node.id]

    def row(self, id_: int) -> Node:
        """The row that a tree reads: a pair, a gradient array, perhaps one that stands further on, or a forward row."""
        pair = self.closing.pairs.get(id_)
        if pair is None:
            return self.of(self.graph.nodes[id_]) if id_ in self.chosen else self.new.get(id_, self.graph.nodes[id_])
        if id_ not in self.pairs:
            self.pairs[id_] = self._apart(self.writer.product(pair.tree, pair.at))
        return self.pairs[id_]

    def _closed(self, node: Node) -> Node:
        index, tree = self.chosen[node.id].trees[node.id]
        if tree is ZERO:
            return self.graph.full(0, node.shape)
        return self._apart(self.writer.written(tree, index, node))

    def _apart(self, row: Node) -> Node:
        if row.id not in self.closing.forward:
            self.graph.set_apart(row)
        return row

    def _again(self, node: Node) -> Node:
        args = [self.new.get(a.id, a) for a in node.args]
        if isinstance(node.attr, Loop) and node.attr.forward is not None:
            return self._loop(node, args)
        row = self.graph.over(node, args)
        return self._apart(row) if node.apart else row

    def _loop(self, scan: Node, args: list[Node]) -> Node:
        """A reverse loop with its body in closed form; what its steps do not read any more does not enter it."""
        loop: Loop = scan.attr
        part = body(loop, self.graph, self.closing.part)
        if part.some and not any([n.id in self.closing.printed for n in with_bodies(part.told)]):
            return self.graph.over(scan, args)
        self.graph.recognise(self.graph.topological(part.told))  # also what its ends come from
        found = Closing(part, self.graph, self.closing.space, self.closing.printed, self.closing.solved).forms()
        if not any(found.rules.values()):
            return self.graph.over(scan, args)
        self.inside |= found
        carried, stacked = ([found.rows.get(r.id, r) for r in rows] for rows in (loop.carried, loop.stacked))
        read = {n.id for n in self.graph.topological([*carried, *stacked], loop.stop)}
        entering = [leaf.id in read for leaf in loop.sequences]
        short = replace(loop, sequences=[*compress(loop.sequences, entering)], carried=carried, stacked=stacked)
        n, m = len(loop.carry), len(loop.carry) + len(loop.sequences)
        return self.graph.again(scan, [*args[:n], *compress(args[n:m], entering), *args[m:]], short)


def _is_cotangent(node: Node) -> bool:
    """Whether a leaf of a loop's body is a gradient."""
    return isinstance(node.attr, Leaf) and "cotangent" in node.attr.role


def _array(node: Node) -> Node:
    """The array whose entries a row moves."""
    while node.args and is_view(node):
        node = node.args[0]
    return node


def _is_given(node: Node) -> bool:
    """Data, parameters and constants, which a backward pass reads as they are."""
    return isinstance(node.attr, Leaf) and node.attr.role != "upstream" and not _is_cotangent(node)


def _is_share(node: Node) -> bool:
    """e/Σe and 1/(1 + e) of numbers that are at least 0, and what is missing to 1: at most 1, while e/q may be
    anything."""
    match node.form:
        case f.Div(f.Arg(i), f.Arg(k)):
            part, total = node.args[i], plainly(node.args[k])
            return is_sum(total) and total.args[0] is part and is_nonnegative(f.Arg(i), node.args)
        case f.Div(f.ONE, f.Add((f.ONE, f.Arg(i)) | (f.Arg(i), f.ONE))):
            return is_nonnegative(f.Arg(i), node.args)
        case f.Add((f.ONE, f.Neg(f.Arg(i))) | (f.Neg(f.Arg(i)), f.ONE)):
            return _is_share(node.args[i])
    return False


def pure_rows(order: Sequence[Node], forward: set[int]) -> set[int]:
    """Rows that no upstream gradient goes into."""
    pure = set(forward)
    for node in order:
        if all(a.id in pure for a in node.args) and (node.args or not isinstance(node.attr, Leaf) or _is_given(node)):
            pure.add(node.id)
    return pure


class Joined:
    """Which ids belong together."""

    def __init__(self) -> None:
        self.parent: dict[int, int] = {}

    def first(self, i: int) -> int:
        while self.parent.setdefault(i, i) != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def together(self, a: int, b: int) -> None:
        a, b = self.first(a), self.first(b)
        self.parent[max(a, b)] = min(a, b)


def closed_forms(derivation: Derivation, printed: bool = False, totals: Sequence[Node] | None = None
                 ) -> ClosedForms:
    """The gradients of a derivation in shortest form, with what is shown where that is to be ``printed``: looked for
    once, whatever is printed of it. Of a long one the ``totals`` of some steps, over the gradients of the others."""
    known, graph = derivation.shortest, derivation.model.graph
    key = printed, None if totals is None else tuple([row.id for row in totals])
    if key not in known:
        part = whole(derivation) if totals is None else steps_of(derivation, totals)
        with graph.apart():
            asked = [*derivation.gradients.values(), *_totals(derivation.steps)] if totals is None else totals
            known[key] = Closing(part, graph, Space(), {row.id for row in asked} if printed else ()).forms()
    return known[key]


def _totals(steps: Iterable[Step | LoopStep]) -> Iterator[Node]:
    """The gradients that steps find, those in loops among them."""
    for s in steps:
        yield from _totals(s.steps) if isinstance(s, LoopStep) else (s.total,)


def closed_rows(model: Model, roots: Sequence[Node], forward: frozenset[int]) -> Mapping[int, Node]:
    """By the ids of rows that are linear in arrays with the role of upstream gradients: their closed forms."""
    return Closing(part_of(model, tuple(roots), forward), model.graph, Space()).forms().rows


def closed(derivation: Derivation, forms: ClosedForms | None = None) -> Derivation:
    """The derivation whose gradients are computed in closed form where that is cheaper, in the ``forms`` that were
    found before. What it says step by step is no chain rule any more: it is for evaluation."""
    new = (forms or closed_forms(derivation)).rows
    names = dict(derivation.names)
    for i, row in new.items():
        if row.id != i and i in names:
            name = names.pop(i)
            if row.id not in derivation.forward_ids and row.value is None:
                names.setdefault(row.id, name)
    return replace(
        derivation,
        names=names,
        gradients={n: new.get(g.id, g) for n, g in derivation.gradients.items()},
        steps=tuple([_moved(s, new) for s in derivation.steps]),
    )


def _moved(step: Step | LoopStep, new: Mapping[int, Node]) -> Step | LoopStep:
    if isinstance(step, LoopStep):
        steps = tuple([_moved(s, new) for s in step.steps])
        return replace(step, reverse=new.get(step.reverse.id, step.reverse), steps=steps)
    return replace(step, total=new.get(step.total.id, step.total))
