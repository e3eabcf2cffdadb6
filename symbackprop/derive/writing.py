"""Trees of products and sums as rows of the table, and what they cost as such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache, lru_cache, reduce

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum
from symbackprop.core.graph import Node
from symbackprop.core.operators import Terms
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.shapes import ONE, same_shape, typical
from symbackprop.derive.factoring import Inner, Item, Product, is_constant, letters_of, of_rows
from symbackprop.derive.flatten import Flattening
from symbackprop.derive.terms import (
    CHOSEN,
    Exponent,
    Index,
    Key,
    Space,
    is_number,
    letters,
    rational,
    step,
)

MULTIPLY, ADD = 2.0, 1.0
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class Writer:
    """Writes trees as rows. ``row`` gives the row of an id that a tree reads. ``printed``: rows are read rather than
    computed, so a common denominator stands below all."""

    def __init__(self, flattening: Flattening, row: Callable[[int], Node], printed: bool = False) -> None:
        self.flattening, self.row, self.printed = flattening, row, printed
        self.graph, self.space = flattening.graph, flattening.space

    def written(self, tree: Product, index: Index, like: Node) -> Node:
        """The tree as a row of the shape of ``like``, whose entry it is at the index."""
        node = self.product(tree, tuple([i for i in index if i]))
        if node.ndim < like.ndim or not same_shape(node.shape, like.shape):
            want = tuple([d for d in like.shape if d is not ONE])
            node = self.graph.broadcast(node, want) if not same_shape(node.shape, want) else node
            node = build.reshape(node, like.shape)
        return node

    # -- products and sums; a layout is the letters of the axes of the result
    def product(self, tree: Product, layout: Index) -> Node:
        """A product: a number and what has fewer axes are multiplied first. What is only divided by waits for the last,
        since 1/s overflows where s is a subnormal number, and 0 times that is no longer 0; in code not where a number
        would have to be multiplied by then too, one more time for every entry."""
        value = self.space.value(tree.number, constants(tree))
        sign = -1 if f.is_negative(value) else 1
        groups = [(items, sums) for _, items, sums in tree.groups]
        node, coefficient = None, value * sign
        if coefficient == 1 and len(groups) == 2 and len(groups[0][0]) == 1 and not groups[0][1] and not groups[1][1]:
            plain = groups[0][0][0][1] > 0  # x̂ ⊙ γ as it was written
            groups = [([i for i in tree.items.items() if not is_constant(i[0])], [])] if plain else groups
        below: list[tuple[Node, Exponent]] = []
        for k, (items, sums) in enumerate(groups, 1):
            rows = [self.factor(i, p, layout) for i, p in items]
            rows += [(self.sum(s, layout), 1) for s in sums]
            waits = self.printed or node is not None or coefficient == 1
            if waits and k < len(groups) and all(p < 0 for _, p in rows):
                below.append((self._times(sp.S.One, [(row, -p) for row, p in rows]), -1))
                continue
            if node is not None:
                rows = [(node, 1), *rows]
            rows += below if k == len(groups) else []
            node, coefficient = self._times(coefficient, rows), sp.S.One
        if node is None:
            return self.graph.const(value)
        return -node if sign < 0 else node

    def _times(self, number: sp.Expr, rows: Sequence[tuple[Node, Exponent]]) -> Node:
        form = _quotient(number, tuple([p for _, p in rows]))
        return self.graph.arithmetic(form, [node for node, _ in rows])

    def factor(self, item: Item, power: Exponent, layout: Index) -> tuple[Node, Exponent]:
        """A factor and its power: the reciprocal, which is 0 at 0, of what may be 0 there."""
        node = self.item(item, layout)
        if power < 0 and not isinstance(item, Inner) and item[0] in self.flattening.guarded and not self.printed:
            return self.graph.call("reciprocal", node), -power
        return node, power

    def sum(self, products: Sequence[Product], layout: Index) -> Node:
        """A sum of products, one that is not subtracted first."""
        whole: Terms | None = None
        found = chosen(self.flattening, products)
        if found is not None:
            (id_, index), (one, other), products = found
            condition = self.aligned(self.row(id_).args[0], index, layout)
            whole = Terms(self.graph.call("where", condition, self.product(one, layout), self.product(other, layout)))
        for p in sorted(products, key=lambda p: p.number < 0):
            if whole is None:
                whole = Terms(self.product(p, layout))
            else:
                row = self.product(replace(p, number=abs(p.number)), layout)
                whole = whole.plus("-" if p.number < 0 else "+", row)
        assert whole is not None
        return whole.made()

    # -- factors
    def item(self, item: Item, layout: Index) -> Node:
        """A factor, its axes where the layout has them."""
        if not isinstance(item, Inner):
            return self.aligned(self.row(item[0]), item[1], layout)
        return self.inner(item, layout)

    def aligned(self, node: Node, index: Index, layout: Index) -> Node:
        """A row with its axes in the places of a layout, of size 1 where it has none."""
        have = [i for i in index if i]
        want = [i for i in layout if i in have]
        if have != want:
            if 0 in index:
                node = build.reshape(node, [d for d, i in zip(node.shape, index, strict=True) if i])
            name = {i: _ALPHABET[k] for k, i in enumerate(have)}
            node = build.einsum(Pattern(("".join(name[i] for i in have),), "".join(name[i] for i in want)), node)
            index = tuple(want)
        wide = tuple([i if i in have else 0 for i in layout])
        first = next((k for k, i in enumerate(wide) if i), len(wide))
        if index == wide[first:]:
            return node
        return build.reshape(node, self._sizes(wide[first:]))

    def inner(self, inner: Inner, layout: Index) -> Node:
        """A sum over entries: of one array, or a product of arrays with other axes."""
        groups = of_rows(inner.powers).groups
        whole = _inner_layout(inner)
        if len(groups) == 1:
            node = self.product(of_rows(inner.powers), whole)
            axes = [k for k, i in enumerate(whole) if i in inner.summed]
            keep = self._keeps(whole, layout, inner)
            return self._aligned_sum(build.reduce_sum(node, axes, keepdims=keep), whole, layout, inner, keep)
        parts = []
        for _, items, _ in groups:
            own = tuple([i for i in whole if any(i in letters_of(k) for k, _ in items)])
            node = self.product(Product(Fraction(1), dict(items)), own)
            parts.append((node if node.ndim == len(own) else build.reshape(node, self._sizes(own)), own))
        name = {i: _ALPHABET[k] for k, i in enumerate(whole)}
        out = tuple([i for i in layout if i in inner.free])
        pattern = Pattern(tuple(["".join(name[i] for i in own) for _, own in parts]), "".join(name[i] for i in out))
        return self.aligned(build.einsum(pattern, *[node for node, _ in parts]), out, layout)

    def _sizes(self, index: Index) -> list[sp.Expr]:
        return [self.space.sizes[i] if i else ONE for i in index]

    def _keeps(self, whole: Index, layout: Index, inner: Inner) -> bool:
        """Whether summed axes stay as ones of size 1, which stand where the layout has axes of its own."""
        if len(whole) != len(layout):
            return False
        kept = all(i == j or (i in inner.summed and j not in inner.free) for i, j in zip(whole, layout, strict=True))
        lead = next((k for k, i in enumerate(whole) if i not in inner.summed), len(whole))
        return kept and any(i in inner.summed for i in whole[lead:])

    def _aligned_sum(self, node: Node, whole: Index, layout: Index, inner: Inner, keep: bool) -> Node:
        index = tuple([0 if i in inner.summed else i for i in whole if keep or i not in inner.summed])
        return self.aligned(node, index, layout)


@lru_cache(maxsize=1 << 12, typed=True)
def _quotient(number: sp.Expr, powers: tuple[Exponent, ...]) -> f.Formula:
    """A number times powers of arguments, those with a negative exponent below."""
    above: list[f.Formula] = [f.Num(number)]
    below: list[f.Formula] = []
    for k, p in enumerate(powers):
        power = f.power(f.Arg(k), f.Num(rational(p if p > 0 else -p)))
        (above if p > 0 else below).append(power)
    return f.div(f.mul(*above), f.mul(*below)) if below else f.mul(*above)


@step(CHOSEN)
def chosen(
    flattening: Flattening, products: Sequence[Product]
) -> tuple[Key, tuple[Product, Product], list[Product]] | None:
    """1[c] P + (1 − 1[c]) Q = where(c, P, Q), entry by entry: the truth value of c, P and Q, and the other terms. Only
    where c is there to be read: a step of a reverse loop may know nothing but its truth value."""
    graph = flattening.graph
    factors = [(k, p) for p in products for k, n in p.items.items() if n == 1 and isinstance(k, tuple)]
    truths = {k: p for k, p in factors if _is_known_truth(k[0], flattening)}
    for k, q in factors if truths else ():
        node = graph.nodes.get(k[0])
        t = (node.args[0].id, k[1]) if node is not None and node.form == 1 - f.Arg(0) else k
        p = truths.get(t)
        if p is not None and t != k and p is not q:
            return t, (_less(p, t), _less(q, k)), [x for x in products if x is not p and x is not q]
    return None


def _is_known_truth(id_: int, flattening: Flattening) -> bool:
    row = flattening.graph.nodes.get(id_)
    return row is not None and row.role is Role.TRUTH and row.args[0].id in flattening.forward


def _less(product: Product, key: Key) -> Product:
    return replace(product, items={k: n for k, n in product.items.items() if k != key})


def constants(tree: Product) -> list[tuple[Key, Exponent]]:
    """The numbers among the factors."""
    return [(k, p) for k, p in tree.items.items() if not isinstance(k, Inner) and is_number(k)]


# -- what it costs
class Price:
    """The cost of what one region computes: a multiplication counts twice an addition; what stands in several places is
    computed once."""

    def __init__(self, space: Space, flattening: Flattening) -> None:
        self.space, self.graph, self.flattening = space, flattening.graph, flattening
        self.seen: set[object] = set()

    def of(self, tree: Product) -> float:
        """What a product costs, factors that have fewer axes multiplied first."""
        cost, over, started = 0.0, frozenset[int](), tree.number not in (1, -1) or any(map(is_constant, tree.items))
        for own, items, sums in tree.groups:
            over |= own
            factors = len(items) + len(sums) + sum([_extra(p) for _, p in items])
            cost += MULTIPLY * (factors - 1 + started) * self.space.area(over)
            cost += sum([self.item(i) for i, _ in items]) + sum([self.sum(s) for s in sums])
            started = True
        return cost

    def sum(self, products: Sequence[Product]) -> float:
        over = frozenset[int]().union(*[p.letters for p in products])
        found = chosen(self.flattening, products)
        terms = products if found is None else [*found[1], *found[2]]
        return sum(map(self.of, terms)) + ADD * (len(products) - 1) * self.space.area(over)

    def item(self, item: Item) -> float:
        key = item if isinstance(item, Inner) else item[0]
        if key in self.seen:
            return 0.0
        self.seen.add(key)
        if isinstance(item, Inner):
            inside = of_rows(item.powers)
            return self.of(inside) + ADD * self.space.area(inside.letters)
        if item[0] not in self.flattening.inline or item[0] in self.flattening.forward:
            return 0.0
        node = self.graph.nodes[item[0]]
        return swept_cost([node] if node.form is not None else node.args)


@cache
def _extra(power: Exponent) -> float:
    """Multiplications of a power: a square is one more, a root is one function call."""
    whole = power if isinstance(power, int) else Fraction(power)
    return min(abs(whole.numerator) - 1, 2) if whole.denominator == 1 else 1


def swept_cost(rows: Iterable[Node]) -> float:
    """What rows cost as they are."""
    cost = 0.0
    for node in rows:
        if node.form is not None:
            cost += work(node.form) * extent(node)
        elif is_sum(node) or (isinstance(node.attr, Pattern) and not node.attr.is_transpose):
            cost += max(map(extent, node.args)) * (ADD + MULTIPLY * (len(node.args) - 1))
    return cost


def _inner_layout(inner: Inner) -> Index:
    """The axes of what is summed: as the largest factor has them, so that nothing is transposed."""
    largest = max(inner.powers, key=lambda k: len(letters(k)))
    own = tuple([i for i in largest[1] if i])
    others = [i for k in inner.powers for i in k[1] if i and i not in own]
    return tuple(dict.fromkeys([*others, *own]))


def product_cost(node: Node) -> float:
    """What a matrix product costs: an entry for every value of its letters."""
    sizes = node.attr.sizes([a.shape for a in node.args]).values()
    return reduce(lambda a, d: a * typical(d), sizes, ADD + MULTIPLY)


def extent(node: Node) -> float:
    """How many entries a row has, a symbolic size counting as 32."""
    return reduce(lambda a, d: a * typical(d), node.shape, 1.0)


@cache
def work(form: f.Formula) -> float:
    """The operations of a formula for one entry."""
    parts = form.children
    inside = sum(map(work, parts))
    match form:
        case f.Mul():
            return inside + MULTIPLY * (len(parts) - 1)
        case f.Add():
            return inside + ADD * (len(parts) - 1)
        case f.Div():
            return inside + MULTIPLY
        case f.Pow(_, f.Num(exponent)):
            whole = Fraction(int(exponent.p), int(exponent.q)) if exponent.is_Rational else Fraction(3)
            return inside + MULTIPLY * max(_extra(whole) + (whole < 0), 1)
        case f.Call(role=Role.NOUGHT, args=(value, _)):
            return work(value)
        case f.Call():
            return inside + MULTIPLY * (len(parts) > 1)
    return inside
