"""The normal form of every gradient row: the terms over forward rows and gradient arrays that it is the sum of.

Rows are taken in order, each once, so flattening is linear. A gradient row that only renames, adds and multiplies
entries is seen through; what another op reads must exist as an array and is one factor, a `cut`.

A sum of forward rows that stands as a factor, as 1 − s, stays one factor, as it was written: multiplied out it would
make differences of large numbers. `opened_up` multiplies it out all the same, for terms that vanish only then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache, partial, reduce

from symbackprop.core import formula as f
from symbackprop.core.build import einsum, one_hot_along
from symbackprop.core.facts import is_put, is_spread, is_sum, is_symmetric, kind
from symbackprop.core.graph import FLOAT, Graph, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.shapes import is_one, same, same_shape, size_of
from symbackprop.derive.terms import (
    ONE,
    OPENED,
    UNIT,
    Exponent,
    Index,
    Key,
    Powers,
    Space,
    Term,
    Terms,
    TooLong,
    all_letters,
    canonical,
    collected,
    is_number,
    multiplied,
    product,
    raised,
    step,
)

MAX_TERMS, MAX_FACTORS, MAX_DEPTH = 16, 12, 6
FREE = 1 << 40  # letters of a row from which on no other letter is


def unnoted(row: Node, index: Index, terms: Terms) -> None:
    """What a row is the sum of goes unnoted."""


class Flattening:
    """Normal forms of the rows of a table. ``forward`` are the ids of forward rows; ``monomials`` says of forward rows
    which product they are, by id, ``reflected`` which row is 1 minus them; ``guarded`` are rows by which 0 may be
    divided; ``ends`` are rows that nothing is looked at below; ``own`` is the row that is looked at; ``selecting``:
    arrays may be NaN where nothing selects them; ``late`` are cuts that rows before them may have seen through."""

    def __init__(self, graph: Graph, space: Space, forward: set[int], opened: bool = False) -> None:
        self.graph, self.space, self.forward, self.opened = graph, space, forward, opened
        self.sums: dict[int, tuple[Index, Terms]] = {}
        self.monomials: dict[int, tuple[Index, Term]] = {}
        self.reflected: dict[int, Node] = {}
        self.guarded: set[int] = set()
        self.inline: set[int] = set()
        self.pure: set[int] = set()
        self.cuts: set[int] = set()
        self.late: set[int] = set()
        self.widths: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.values: dict[object, tuple[int, Index]] = {}
        self.ends: frozenset[int] = frozenset()
        self.own = -1
        self.noted: Callable[[Node, Index, Terms], None] = unnoted
        self.selecting = False

    # -- rows
    def flatten(self, order: Sequence[Node], cuts: Collection[int]) -> None:
        """The normal forms of gradient rows, given in order; ``cuts`` must exist as arrays. So must a sum of arrays
        that is read in several places. What is known of rows that read no new cut holds further on."""
        self.cuts |= set(cuts)
        readers, changed = Counter([a.id for node in order for a in {*node.args}]), self.late.union(cuts)
        for node in order:
            if node.id in self.sums and changed.isdisjoint([a.id for a in node.args]):
                continue
            changed.add(node.id)
            index, self.own, before = self.space.index(node), node.id, self.space.cancelled
            try:
                terms = self.whole(node, index)
            except TooLong:
                late = {node.id, *[a.id for a in node.args if a.id not in self.forward]}
                self.cuts |= late
                self.late |= late
                changed |= late
                continue
            self.sums[node.id] = index, terms
            seen_through = {a.id for a in node.args} - self.cuts
            if self.space.cancelled > before or not seen_through.isdisjoint(self.cancelled):
                self.cancelled.add(node.id)
            if readers[node.id] > 1 and len(terms) > 1 and all(map(_is_array, terms)):
                self.cuts.add(node.id)

    def whole(self, node: Node, index: Index) -> Terms:
        """The terms of an entry of a row, the row itself seen through."""
        if node.value is not None:
            return self._number(node)
        if not is_transparent(node):
            return [] if self._is_nothing(node) else [self.atom(node, index)]
        terms = collected(self.inside(node, index))
        if len(terms) > MAX_TERMS or any(len(t.powers) > MAX_FACTORS for t in terms):
            raise TooLong
        return terms

    def _number(self, node: Node) -> Terms:
        assert node.value is not None
        number = self.space.number(node.value)
        return [] if number is None else [number]

    @step(OPENED)
    def opened_up(self, term: Term) -> Terms:
        """A term with its sums of forward rows multiplied out: (u + v)·T = u·T + v·T."""
        terms = [term]
        for key, p in term.powers.items() if self.opens(term) else ():
            inside = self._addends(key) if p > 0 and p.denominator == 1 else []
            if len(inside) > 1:
                terms = [t.with_powers({**t.powers, key: t.powers.get(key, 0) - p}) for t in terms]
                for _ in range(int(p)):
                    terms = self.times(terms, inside)
        return [self.bound(t._replace(summed=frozenset()), t.summed) for t in terms] if len(terms) > 1 else terms

    def opens(self, term: Term) -> bool:
        """Whether a factor of a term is a sum of forward rows."""
        return any([p > 0 and p.denominator == 1 and self.width(key) > 1 for key, p in term.powers.items()])

    def _addends(self, key: Key) -> Terms:
        """What a factor is the sum of."""
        if key[0] in self.reflected:  # σ(−u) = 1 − σ(u)
            return [UNIT, self.atom(self.reflected[key[0]], key[1])._replace(number=-ONE)]
        node = self.graph.nodes.get(key[0]) if key[0] in self.inline else None
        return [] if node is None or node.form is None else self.form(node.form, node.args, key[1])

    def width(self, key: Key) -> int:
        """How many terms a factor is the sum of, one if it is no sum."""
        if key[0] not in self.inline and key[0] not in self.reflected:
            return 1
        if key[0] not in self.widths:
            self.widths[key[0]] = max(len(self._addends(key)), 1)
        return self.widths[key[0]]

    def _is_nothing(self, node: Node) -> bool:
        """Whether a linear op reads a gradient that is 0; a sum, or what is joined, is 0 where all of it is."""
        whole = all if kind(node).together else any
        return kind(node).linear and whole(a.id in self.sums and not self.sums[a.id][1] for a in node.args)

    def is_computed(self, id_: int) -> bool:
        """Whether no gradient goes into a row."""
        return id_ in self.forward or id_ in self.inline

    def atom(self, node: Node, index: Index) -> Term:
        return Term(ONE, frozenset(), {(node.id, index): 1})

    def entry(self, node: Node, index: Index) -> Terms:
        """The terms of an entry of a row that another one reads."""
        if node.value is not None:
            return self._number(node)
        if self.is_computed(node.id):
            return self.forward_entry(node, index)
        if node.id in self.sums and (node.id not in self.cuts or not self.sums[node.id][1]):
            own, terms = self.sums[node.id]
            to = dict(zip(own, index, strict=True))
            return [self.space.renamed(t, to) for t in terms]
        return [self.atom(node, index)]

    def forward_entry(self, node: Node, index: Index) -> Terms:
        """A forward row: the product that it is, else itself; broadcasts and inserted axes are seen through."""
        while node.args and node.value is None and node.id not in self.ends and _moves_only(node):
            index = inner_index(node, index)
            node = node.args[0]
        if node.value is not None:
            return self._number(node)
        if node.id in self.monomials:
            own, term = self.monomials[node.id]
            return [self.space.renamed(term, dict(zip(own, index, strict=True)))]
        return [self.atom(node, index)]

    # -- ops
    def inside(self, node: Node, index: Index) -> Terms:
        if node.form is not None:
            return self.form(node.form, node.args, index)
        if is_sum(node):
            return self._summed(node, index)
        if isinstance(node.attr, Pattern):
            return self._einsum(node, node.attr, index)
        if is_put(node):
            return self._put(node, index)
        return self.entry(node.args[0], inner_index(node, index))

    def _summed(self, node: Node, index: Index) -> Terms:
        a, (axes, keep) = node.args[0], node.attr
        rest = iter([i for k, i in enumerate(index) if not keep or k not in axes])
        inner = tuple([
            (0 if is_one(d) else self.space.fresh(d)) if k in axes else next(rest) for k, d in enumerate(a.shape)
        ])
        over = {inner[k] for k in axes if inner[k]}
        return [self.bound(t, over) for t in self.entry(a, inner)]

    def _put(self, node: Node, index: Index) -> Terms:
        """Entries put where indices point along the last axis: g_i·1[v = y_i]."""
        hot = one_hot_along(node.args[1], *node.attr)
        self.forward.add(hot.id)
        return self.times(self.entry(node.args[0], (*index[:-1], 0)), [self.atom(hot, fitted(index, hot))])

    def _einsum(self, node: Node, pattern: Pattern, index: Index, leaves: bool = False) -> Terms:
        where = dict(zip(pattern.out, index, strict=True))
        for letter, size in pattern.sizes([a.shape for a in node.args]).items():
            if letter not in where:
                where[letter] = 0 if is_one(size) else self.space.fresh(size)
        terms = [UNIT]
        for a, own in zip(node.args, pattern.ins, strict=True):
            at = tuple([where[c] for c in own])
            terms = self.times(terms, [self.atom(a, at)] if leaves else self.entry(a, at))
        over = {i for c, i in where.items() if c not in pattern.out and i}
        return [self.bound(t, over) for t in terms]

    def product_of(self, node: Node, index: Index) -> Term:
        """A matrix product as a sum of products of its operands."""
        return self._einsum(node, node.attr, index, leaves=True)[0]

    def known_product(self, node: Node, index: Index, mirrored: bool) -> Term | None:
        """A matrix product as a multiple of an earlier row: (λu) B is λ (u B) where λ has no index that is summed over;
        ``mirrored``: S u is Sᵀu for a symmetric matrix."""
        pattern: Pattern = node.attr
        where = dict(zip(pattern.out, index, strict=True))
        parts = [self._scaled(a, s, where) for a, s in zip(node.args, pattern.ins, strict=True)]
        args, found = [row for row, _ in parts], [node]
        turned = [k for k, a in enumerate(args) if mirrored and is_symmetric(a)]
        if not mirrored and args != [*node.args]:
            found.append(einsum(pattern, *args))
        for k in turned:
            ins = [s[::-1] if i == k else s for i, s in enumerate(pattern.ins)]
            for turn in (1, -1):  # x S may stand in the table as S x
                found.append(einsum(Pattern(tuple(ins[::turn]), pattern.out), *args[::turn]))
        first = min(found, key=lambda n: n.id)
        front = reduce(partial(product, self.space), [number for _, number in parts])
        return None if first is node else product(self.space, front, self.atom(first, index))

    def _scaled(self, node: Node, own_letters: str, where: Mapping[str, int]) -> tuple[Node, Term]:
        """A gradient array as a multiple of an array, by factors with the letters of the product alone."""
        own, terms = self.sums.get(node.id, ((), []))
        arrays = [k for t in terms for k, p in t.powers.items() if p == 1 and k[1] == own and not is_number(k)]
        if len(terms) != 1 or len(arrays) != 1 or terms[0].summed or terms[0].weighed:
            return node, UNIT
        to = {i: where.get(c, FREE) for i, c in zip(own, own_letters, strict=True) if i}
        rest = self.space.renamed(terms[0].with_powers({**terms[0].powers, arrays[0]: 0}), to)
        return (node, UNIT) if FREE in all_letters(rest.powers) else (self.graph.nodes[arrays[0][0]], rest)

    def bound(self, term: Term, over: Collection[int]) -> Term:
        """Σ over letters: what does not depend on one is a factor, Σ 1 = its size."""
        used = all_letters(term.powers)
        for i in sorted(set(over) - used):
            number = self.space.number(self.space.sizes[i])
            assert number is not None
            term = self.times([term], [number])[0]
        return term._replace(summed=term.summed | (set(over) & used))

    def settled(self, term: Term) -> Term:
        """The term where factors that had a summed letter may have cancelled: Σ_k u_k/u_k is the size of k."""
        lost = not term.summed <= all_letters(term.powers)
        return self.bound(term._replace(summed=frozenset()), term.summed) if lost else term

    def times(self, a: Sequence[Term], b: Sequence[Term]) -> Terms:
        return multiplied(self.space, a, b, MAX_TERMS)

    # -- formulas
    def form(self, form: f.Formula, args: Sequence[Node], index: Index) -> Terms:
        """The terms of a formula over rows."""
        match form:
            case f.Num(value):
                number = self.space.number(value)
                return [] if number is None else [number]
            case f.Arg(i):
                return self.entry(args[i], fitted(index, args[i]))
            case f.Neg(body):
                return [t._replace(number=-t.number) for t in self.form(body, args, index)]
            case f.Add(terms):
                return collected([t for x in terms for t in self.form(x, args, index)])
            case f.Mul(factors):
                return reduce(lambda product, x: self.times(product, self.factor(x, args, index)), factors, [UNIT])
            case f.Div(top, bottom):
                return self.times(self.factor(top, args, index), self.power(bottom, -1, args, index))
            case f.Pow(base, f.Num(exponent)) if exponent.is_Rational:
                return self.power(base, _rational(exponent), args, index)
            case f.Call(guards=f.Div(top, bottom), args=parts):
                top, bottom = f.over(top, parts), f.over(bottom, parts)
                return self.times(self.factor(top, args, index), self._guarded(bottom, args, index))
            case f.Call(role=Role.NOUGHT, args=(value, weight)) if value is weight:  # 0 where it is 0
                return self.form(value, args, index)
            case f.Call(role=Role.NOUGHT, args=(f.Add(terms), weight)) if any(
                    isinstance(f.split_sign(x)[1], (f.Mul, f.Div)) for x in terms):
                return collected([t for x in terms for t in self.form(f.nought(x, weight), args, index)])
            case f.Call(role=Role.SELECTED) if self.selecting:
                raise TooLong
            case (f.Call(role=Role.NOUGHT, args=(f.Mul() | f.Div() as value, _))
                  | f.Call(role=Role.SELECTED, args=(value, _))):
                return [t._replace(weighed=True) for t in self.form(value, args, index)]
        return [self.composite(form, args, index, 1)]

    def factor(self, form: f.Formula, args: Sequence[Node], index: Index) -> Terms:
        """The terms of a factor. A sum of forward rows stays one."""
        if self.opened or not isinstance(form, f.Add) or not self._is_forward(form, args):
            return self.form(form, args, index)
        terms = self.form(form, args, index)
        return terms if len(terms) <= 1 else [self.composite(form, args, index, 1)]

    def power(self, base: f.Formula, exponent: Exponent, args: Sequence[Node], index: Index) -> Terms:
        terms = self.factor(base, args, index)
        if len(terms) == 1:
            term = raised(self.space, terms[0], exponent)
            if term is not None:
                return [term]
        if Fraction(exponent).denominator == 1 and 0 < exponent <= 3 and terms:
            product = terms
            for _ in range(int(exponent) - 1):
                product = self.times(product, terms)
            return product
        return [self.composite(base, args, index, exponent)]

    def _guarded(self, bottom: f.Formula, args: Sequence[Node], index: Index) -> Terms:
        terms = self.power(bottom, -1, args, index)
        self.guarded |= {id_ for t in terms for (id_, _), p in t.powers.items() if id_ >= 0 and p < 0}
        return terms

    def _is_forward(self, form: f.Formula, args: Sequence[Node]) -> bool:
        return all(args[i].id in self.forward or args[i].value is not None for i in f.arguments(form))

    def composite(self, form: f.Formula, args: Sequence[Node], index: Index, exponent: Exponent) -> Term:
        """A formula of forward rows as one factor, by way of a row of its own."""
        read = {args[i].id for i in f.arguments(form)}
        if not read or not read <= self.pure:
            raise TooLong
        form = unguarded(form)
        if isinstance(form, f.Add) and all(isinstance(t, f.Neg) for t in form.terms) and exponent in (1, -1):
            term = self.composite(f.add(*map(f.neg, form.terms)), args, index, exponent)
            return term._replace(number=-term.number)
        row = self.graph.arithmetic(form, list(args))
        if row.value is not None or row.id == self.own:
            raise TooLong
        at = fitted(index, row)
        if row.id not in self.inline and isinstance(form, f.Add):
            terms = self.form(form, args, index)
            self.is_known(row, at, terms)
            self.noted(row, at, terms)
        self.inline.add(row.id)
        if row.id in self.monomials:
            own, term = self.monomials[row.id]
            found = raised(self.space, self.space.renamed(term, dict(zip(own, at, strict=True))), exponent)
            if found is not None:
                return found
        return Term(ONE, frozenset(), {(row.id, at): exponent})

    def is_known(self, node: Node, index: Index, terms: Terms) -> None:
        """A row without a name that is the same sum as an earlier one is read there: a mean that is taken again,
        x − μ with an axis of size 1."""
        order = {i: FREE + k for k, i in enumerate(i for i in index if i)}
        parts = [(t.number, t.weighed, canonical(_renamed(t.powers, order), order.values())[0]) for t in terms]
        id_, at = self.values.setdefault(tuple(sorted(parts)), (node.id, index))
        letters = [i for i in at if i]
        if id_ != node.id and node.name is None and len(letters) == len(order):  # not so where one is repeated
            letter = dict(zip(letters, order, strict=True))
            known = Term(ONE, frozenset(), {(id_, tuple([letter[i] if i else 0 for i in at])): 1})
            self.monomials[node.id] = index, known


def _renamed(powers: Powers, to: Mapping[int, int]) -> list[tuple[Key, Exponent]]:
    return [((id_, tuple([to.get(i, i) for i in index])), p) for (id_, index), p in powers.items()]


class Deep:
    """Forward rows written out down to what they are made of, as far as rows that are read in several places or else a
    few rows deep: only to find that a sum is 0."""

    def __init__(self, flattening: Flattening, rows: Iterable[Node]) -> None:
        self.graph, self.space = flattening.graph, flattening.space
        readers = Counter([a.id for node in rows for a in {*node.args}])
        self.shared = {i for i, count in readers.items() if count > 1}
        self.known: dict[tuple[int, tuple[int, ...]], bool] = {}

    def vanishes(self, node: Node, axes: tuple[int, ...]) -> bool:
        """Whether the entries of a row sum to 0 along axes, whatever the inputs are."""
        key = node.id, axes
        if key not in self.known:
            self.known[key] = self._vanishes(node, axes)
        return self.known[key]

    def _vanishes(self, node: Node, axes: tuple[int, ...]) -> bool:
        form = node.form if node.head is None else None
        if form is None or not isinstance(form, (f.Add, f.Mul, f.Div, f.Neg, f.Pow)):
            return False
        return self._sums_to_0(node, axes, self.shared) or self._sums_to_0(node, axes, set())

    def _sums_to_0(self, node: Node, axes: tuple[int, ...], stop: set[int]) -> bool:
        writing = Written(self.graph, self.space, stop)
        index = self.space.index(node)
        try:
            terms = writing.whole(node, index)
            return not collected([writing.bound(t, {index[a] for a in axes if index[a]}) for t in terms])
        except TooLong:
            return False


class Written(Flattening):
    """A flattening that sees through every row it can, down to a depth and as far as the rows in ``stop``."""

    def __init__(self, graph: Graph, space: Space, stop: set[int]) -> None:
        super().__init__(graph, space, set(), opened=True)
        self.depth, self.stop = MAX_DEPTH, stop

    def entry(self, node: Node, index: Index) -> Terms:
        if node.value is not None:
            return self._number(node)
        if not self.depth or not node.args or node.id in self.stop or not is_transparent(node):
            return [self.atom(node, index)]
        self.depth -= 1
        try:
            return self.whole(node, index)
        finally:
            self.depth += 1

    def composite(self, form: f.Formula, args: Sequence[Node], index: Index, exponent: Exponent) -> Term:
        row = self.graph.arithmetic(form, list(args))
        return Term(ONE, frozenset(), {(row.id, fitted(index, row)): exponent})


def _is_array(term: Term) -> bool:
    """Whether a term is an array, perhaps times a number."""
    rows = [p for key, p in term.powers.items() if not is_number(key)]
    return not term.summed and rows == [1]


# -- indices of arguments
def fitted(index: Index, node: Node) -> Index:
    """The index of an argument that is broadcast to the row at ``index``."""
    if not node.ndim:
        return ()
    return tuple([0 if is_one(d) else i for d, i in zip(node.shape, index[len(index) - node.ndim :], strict=True)])


def inner_index(node: Node, index: Index) -> Index:
    """The index of the entry that a broadcast or a reshape reads."""
    a = node.args[0]
    if not _inserts_axes(node):
        return fitted(index, a)
    letters = iter([i for i, d in zip(index, node.shape, strict=True) if not is_one(d)])
    return tuple([0 if is_one(d) else next(letters) for d in a.shape])


# -- rows
def is_transparent(node: Node) -> bool:
    """Whether an entry of a row is a sum of products of entries of its arguments, and is looked at as one."""
    if node.form is not None:
        return bool(node.args) and node.kind == FLOAT and _is_plain(node.form)
    return is_sum(node) or _moves_only(node) or _is_pointwise(node) or is_put(node)


def _moves_only(node: Node) -> bool:
    """Whether a row repeats its argument or gives it axes of size 1: what other reshapes do is not looked into."""
    return is_spread(node) and (_inserts_axes(node) or not same(size_of(node.shape), size_of(node.args[0].shape)))


def _inserts_axes(node: Node) -> bool:
    here, there = ([d for d in x.shape if not is_one(d)] for x in (node, node.args[0]))
    return same_shape(tuple(here), tuple(there))


def _is_pointwise(node: Node) -> bool:
    """A transposition, or a product of two operands with all letters, of one where nothing is summed over: not what a
    matrix product is faster for."""
    if not isinstance(node.attr, Pattern):
        return False
    ins, all_of_them = node.attr.ins, set(node.attr.letters)
    whole = sum(set(s) == all_of_them for s in ins)
    return all(len(set(s)) == len(s) for s in ins) and whole >= min(len(ins), 1 + (set(node.attr.out) < all_of_them))


_OTHER = f.Call.bit | f.Pow.bit  # what may not be plain


@cache
def _is_plain(form: f.Formula) -> bool:
    """Arithmetic with exponents that are numbers. Functions of forward rows in it are factors."""
    match form:
        case f.Call(role=Role.NOUGHT | Role.SELECTED, args=(value, _)):
            return _is_plain(value)
        case f.Call(guards=None):
            return False
        case f.Pow(_, exponent) if not isinstance(exponent, f.Num):
            return False
    return not form.kinds & _OTHER or all(map(_is_plain, form.children))


@cache
def unguarded(form: f.Formula) -> f.Formula:
    """The formula without what guards nothing: x is 0 where x is 0."""
    if not f.has(form, f.Call):
        return form
    if isinstance(form, f.Call) and form.role is Role.NOUGHT and form.args[0] is form.args[1]:
        return form.args[0]
    return f.changed(form, unguarded)


def _rational(value: object) -> Exponent:
    numerator, denominator = int(value.p), int(value.q)  # type: ignore[attr-defined]
    return numerator if denominator == 1 else Fraction(numerator, denominator)
