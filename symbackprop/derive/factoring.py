"""Normal forms as the shortest products and sums: rows that are there are read, common factors stand in front, and a
product that stands in several places is computed once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import permutations
from typing import NamedTuple, TypeAlias

from symbackprop.derive.computed import Facts, Fold, Total
from symbackprop.derive.terms import (
    DIFFERENCE,
    FACTOR,
    KNOWN_PRODUCT,
    KNOWN_SUM,
    MERGED,
    ONE,
    Exponent,
    Index,
    Key,
    Powers,
    Space,
    Term,
    Terms,
    all_letters,
    canonical,
    collected,
    is_number,
    letters,
    step,
)
from symbackprop.records import record

MAX_PAIRS, MAX_FACTORS = 6, 12
NO_LETTERS: Mapping[int, int] = {}


class Inner:
    """A sum over letters inside a product, a factor of it. Two are equal that differ in the names of these letters."""

    __slots__ = ("free", "hash", "key", "powers", "summed")

    def __init__(self, powers: Powers, summed: frozenset[int]) -> None:
        self.powers, self.summed = powers, summed
        self.free = frozenset(all_letters(powers) - summed)
        self.key = canonical(powers.items(), self.free)[0]
        self.hash = hash(self.key)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inner) and self.key == other.key


Item: TypeAlias = Key | Inner
Items: TypeAlias = dict[Item, Exponent]


@record(frozen=True)
class Product:
    """``number`` times powers of items times sums of products."""

    number: Fraction
    items: Items
    sums: tuple[tuple[Product, ...], ...] = ()

    @cached_property
    def letters(self) -> frozenset[int]:
        return frozenset[int]().union(*[over for over, *_ in self.groups])

    @cached_property
    def groups(self) -> list[Group]:
        """The factors that are no numbers, by the letters they have; the smallest first."""
        found: dict[frozenset[int], Group] = {}
        for item, p in self.items.items():
            if not is_constant(item):
                own = letters_of(item)
                found.setdefault(own, Group(own, [], [])).items.append((item, p))
        for parts in self.sums:
            own = frozenset[int]().union(*[p.letters for p in parts])
            found.setdefault(own, Group(own, [], [])).sums.append(parts)
        return sorted(found.values(), key=lambda g: len(g.letters))

    @property
    def spread(self) -> tuple[Product, ...]:
        """The terms of a sum with a common factor, that factor in each."""
        if len(self.sums) != 1:
            return ()
        found = []
        for p in self.sums[0]:
            items = {**self.items, **{i: q + self.items.get(i, 0) for i, q in p.items.items()}}
            found.append(Product(self.number * p.number, {i: q for i, q in items.items() if q}, p.sums))
        return tuple(found)

    @property
    def reads(self) -> set[int]:
        """The ids of the rows in it."""
        own = {id_ for i in self.items for id_, _ in (i.powers if isinstance(i, Inner) else (i,))}
        return own.union(*[p.reads for parts in self.sums for p in parts])


def of_rows(powers: Powers) -> Product:
    """A product of rows alone."""
    return Product(ONE, dict(powers.items()))


class Group(NamedTuple):
    """Factors of a product that have the same letters: powers of items, and sums."""

    letters: frozenset[int]
    items: list[tuple[Item, Exponent]]
    sums: list[tuple[Product, ...]]


def letters_of(item: Item) -> frozenset[int]:
    return item.free if isinstance(item, Inner) else letters(item)


def is_constant(item: Item) -> bool:
    return isinstance(item, tuple) and item[0] < 0


def grouped(term: Term) -> Product:
    """A term as a product: factors that share summed letters are one inner sum."""
    items: Items = {k: p for k, p in term.powers.items() if not set(k[1]) & term.summed}
    rest = [k for k in term.powers if k not in items]
    while rest:
        part = [rest.pop(0)]
        over = letters(part[0]) & term.summed
        while more := [k for k in rest if letters(k) & over]:
            rest = [k for k in rest if k not in more]
            part += more
            over |= all_letters(more) & term.summed
        chosen = set(part)
        inner = Inner({k: p for k, p in term.powers.items() if k in chosen}, frozenset(over))
        items[inner] = items.get(inner, 0) + 1
    return Product(term.number, items)


# -- common factors
@step(FACTOR)
def factored(products: Sequence[Product], spread: bool = False) -> Product:
    """u·P + u·Q = u·(P + Q): what all have in common in front, then the factor that most of them have. With
    ``spread`` a common factor that has fewer axes stays with small factors of the terms."""
    if len(products) == 1:
        return products[0]
    common = _common(products)
    if spread:
        largest = max(len(p.letters) for p in products)
        common = {k: p for k, p in common.items() if is_constant(k) or len(letters_of(k)) == largest}
    number = _common_number(products)
    left = [Product(p.number / number, _without(p.items, common), p.sums) for p in products]
    return Product(number, common, (tuple(left) if spread else _by_commonest(left),))


def has_common_factor(tree: Product) -> bool:
    """Whether something stands in front of a sum in the tree."""
    in_front = bool(tree.sums) and (bool(tree.items) or abs(tree.number) != 1)
    return in_front or any(has_common_factor(p) for parts in tree.sums for p in parts)


def _common(products: Sequence[Product]) -> Items:
    found: Items = {}
    shared = set(products[0].items).intersection(*[p.items for p in products[1:]])
    for item in [i for i in products[0].items if i in shared] if shared else ():
        powers = [p.items[item] for p in products]
        if all(p > 0 for p in powers):
            found[item] = min(powers)
        elif all(p < 0 for p in powers):
            found[item] = max(powers)
    return found


def _common_number(products: Sequence[Product]) -> Fraction:
    """The number that all terms have, else most of those in which it would be a product of its own: a factor with
    fewer axes takes it in."""
    numbers = [abs(p.number) for p in products]
    if len(set(numbers)) > 1:
        numbers = [abs(p.number) for p in products if len(p.groups) < 2]
    (number, count), *_ = Counter(numbers).most_common(1) or [(ONE, 0)]
    number = number if count > 1 else ONE
    return -number if all(p.number < 0 for p in products) else number


def _without(items: Mapping[Item, Exponent], common: Mapping[Item, Exponent]) -> Items:
    left = {i: p - common.get(i, 0) for i, p in items.items()}
    return {i: p for i, p in left.items() if p}


def _by_commonest(products: Sequence[Product]) -> tuple[Product, ...]:
    """The terms, those that share the commonest factor put together."""
    counts: dict[tuple[Item, bool], int] = {}
    for p in products:
        for item, power in p.items.items():
            if not is_constant(item):
                counts[item, power > 0] = counts.get((item, power > 0), 0) + 1
    best = max(counts, key=lambda k: (counts[k], len(letters_of(k[0]))), default=None)
    if best is None or counts[best] < 2 or len(products) == counts[best]:
        return tuple(products)
    item, positive = best
    inside = [p for p in products if item in p.items and (p.items[item] > 0) == positive]
    outside = [p for p in products if p not in inside]
    joined, other = factored(inside), factored(outside)
    sign = _ratio(other, joined)
    if sign:  # u·Q ± v·Q = (u ± v)·Q
        both = Product(joined.number, joined.items), Product(sign * other.number, other.items)
        return (Product(ONE, {}, (both, *joined.sums)),)
    parts = [other] if outside and products[0] in outside else [joined]
    parts += [joined if parts[0] is other else other]
    return tuple([q for p in parts for q in (_flat(p))])


def _ratio(a: Product, b: Product) -> int:
    """1 or −1 where the sums in two products are equal or each other's negative, else 0."""
    if len(a.sums) != 1 or len(b.sums) != 1 or len(a.sums[0]) != len(b.sums[0]):
        return 0
    for sign in (1, -1):
        if all(any(p == replace(q, number=sign * q.number) for q in b.sums[0]) for p in a.sums[0]):
            return sign
    return 0


def _flat(product: Product) -> tuple[Product, ...]:
    """A product that is only a sum as its terms."""
    plain = product.number == 1 and not product.items and len(product.sums) == 1
    return product.sums[0] if plain else (product,)


# -- rows that are there
@step(KNOWN_PRODUCT)
def folded(facts: Facts, term: Term, fired: dict[str, None]) -> Term:
    """The term with rows of the forward pass in the place of the products that they are: u·v·T = r·T for r = u·v."""
    for fold in _candidates(facts, term):
        pattern = {k: p for k, p in fold.term.powers.items() if not is_number(k)}
        while (found := matched(term.powers, pattern)) is not None:
            letter, sign = found
            if not all(i in letter for i in fold.at if i) or (sign < 0 and not _is_guarded_alike(facts, fold)):
                break
            often = sign * _often(term.powers, pattern, letter, sign)
            row = {(fold.id, fold.at): often}
            powers = times(times(term.powers, fold.term.powers, letter, -often), row, letter, 1)
            term = term._replace(number=term.number / fold.term.number**often).with_powers(powers)
            term = facts.flattening.settled(term)
            fired.setdefault(KNOWN_PRODUCT)
    return term


def _often(powers: Mapping[Key, Exponent], pattern: Mapping[Key, Exponent], letter: Mapping[int, int], sign: int
           ) -> int:
    """How many times a product, or its inverse, is in one that holds it: z¹⁰⁰⁰⁰⁰ for w·x is found at once."""
    found = [(powers[id_, tuple([letter.get(i, i) for i in index])], p) for (id_, index), p in pattern.items()]
    return min([int(q * sign // p) for q, p in found], default=1)


def _is_guarded_alike(facts: Facts, fold: Fold) -> bool:
    """Whether 0 may be divided by all factors of a product, and so by itself, or by none."""
    guarded = facts.flattening.guarded
    found = {id_ in guarded for id_ in fold.reads}
    if found == {True}:
        guarded.add(fold.id)
    return len(found) == 1


@step(KNOWN_SUM)
def joined(facts: Facts, terms: Terms, fired: dict[str, None]) -> Terms:
    """u·P + u·Q = u·r where the forward pass has computed r = P + Q."""
    found = {total.id: total for t in terms for id_, _ in t.powers for total in facts.totals.get(id_, ())}
    flat = facts.flattening
    for total in sorted(found.values(), key=lambda total: (total.id in flat.inline, total.id)):
        if total.id not in flat.inline or total.id not in flat.monomials:  # else the row that it is half of is there
            terms = _joined(total, terms, fired)
    return terms


def _joined(total: Total, terms: Terms, fired: dict[str, None]) -> Terms:
    first, *others = sorted(total.terms, key=lambda t: -len(t.powers))
    for term in terms if len(terms) > len(others) else ():
        found = matched(term.powers, first.powers)
        if found is None or found[1] < 0 or not all(i in found[0] for i in total.at if i):
            continue
        letter, factor = found[0], term.number / first.number
        co = times(term.powers, first.powers, letter, -1)
        wanted = [(t.number * factor, times(co, t.powers, letter, 1)) for t in others]
        rest = [t for t in terms if t is not term]
        used = [t for n, p in wanted for t in rest if t.number == n and t.powers == p and t.summed == term.summed]
        if len(used) == len(others):
            row = {(total.id, tuple([letter[i] if i else 0 for i in total.at])): 1}
            whole = Term(factor, term.summed, times(co, row, {}, 1), any(t.weighed for t in (term, *used)))
            fired.setdefault(KNOWN_SUM)
            return collected([*[t for t in rest if t not in used], whole])
    return terms


@step(DIFFERENCE)
def subtracted(facts: Facts, terms: Terms, fired: dict[str, None]) -> Terms:
    """P/q − P v/q² = P u/q² where q = u + v, by the common denominator: the rule of quotients such as v/(u + v)."""
    below = [(t, key) for t in terms for key, p in t.powers.items() if p < 0 and key[0] in facts.parts]
    for t, key in below if len(terms) > 1 else ():
        total = facts.parts[key[0]]
        for u, v in permutations(total.terms):
            found = matched(t.powers, v.powers, dict(zip(total.at, key[1], strict=True)))
            if found is None or found[1] < 0 or not v.powers:
                continue
            rest, number = times(t.powers, v.powers, found[0], -1), -t.number / v.number
            whole = number, t.summed, times(rest, {key: 1}, NO_LETTERS, 1)
            for s in [s for s in terms if (s.number, s.summed, s.powers) == whole]:
                fired.setdefault(DIFFERENCE)
                left = Term(number * u.number, t.summed, times(rest, u.powers, found[0], 1), s.weighed or t.weighed)
                others = [x for x in terms if x is not s and x is not t]
                return subtracted(facts, collected([*others, left]), fired)
    return terms


def times(powers: Mapping[Key, Exponent], others: Mapping[Key, Exponent], letter: Mapping[int, int], sign: int
          ) -> Powers:
    """A product times another one to the power ``sign``, whose letters are renamed."""
    found = dict(powers)
    for (id_, index), p in others.items():
        key = id_, tuple([letter.get(i, i) for i in index])
        found[key] = found.get(key, 0) + sign * p
    return {k: p for k, p in found.items() if p}


def _candidates(facts: Facts, term: Term) -> list[Fold]:
    found = {fold.id: fold for fold in facts.may_fold({id_ for id_, _ in term.powers})}
    return sorted(found.values(), key=lambda fold: fold.rank)


def matched(powers: Mapping[Key, Exponent], pattern: Mapping[Key, Exponent], known: Mapping[int, int] = NO_LETTERS
            ) -> tuple[dict[int, int], int] | None:
    """How the letters of a pattern are called in a product that holds it, and 1, or −1 where it holds its inverse;
    what some are called may be ``known``."""
    for sign in (1, -1):
        letter = _match(powers, list(pattern.items()), dict(known), frozenset(), sign)
        if letter is not None:
            return letter, sign
    return None


def _match(powers: Mapping[Key, Exponent], pattern: list[tuple[Key, Exponent]], letter: dict[int, int],
           used: frozenset[Key], sign: int) -> dict[int, int] | None:
    if not pattern:
        return letter
    ((id_, index), p), *rest = pattern
    for key, q in powers.items():
        if key[0] != id_ or key in used or q * sign * (1 if p > 0 else -1) < (p if p > 0 else -p):
            continue
        trial = dict(letter)
        fits = all((not a) == (not b) and (not a or trial.setdefault(a, b) == b)
                   for a, b in zip(index, key[1], strict=True))
        if fits:
            found = _match(powers, rest, trial, used | {key}, sign)
            if found is not None:
                return found
    return None


# -- products that stand in several places
class Pair(NamedTuple):
    """What is computed once as an array of its own: its number as a row, its index, and the product or sum."""

    id: int
    at: Index
    tree: Product


def of_two(id_: int, powers: Powers) -> Pair:
    """A product of two rows."""
    longer = max(powers, key=lambda k: len(letters(k)))
    return Pair(id_, tuple([i for i in longer[1] if i]), of_rows(powers))


def shared_pairs(forms: Sequence[Terms], first: int, space: Space) -> list[Pair]:
    """Takes products of two factors that stand in several terms out of them; ``forms`` are changed."""
    made: list[Pair] = []
    for _ in range(MAX_PAIRS):
        found = _best_pair(forms, space)
        if found is None:
            break
        (a, p), (b, q) = found
        made.append(of_two(first + len(made), {a: p, b: q}))
        for terms in forms:
            terms[:] = [_with_pair(t, made[-1], {a: p, b: q}) for t in terms]
    return made


@step(MERGED)
def merged(index: Index, s: Term, p: Term, t: Term, q: Term) -> tuple[Product, Index, Term] | None:
    """Σ a·c + Σ b·c = Σ (a + b)·c, as A C + B C = (A + B) C: for a product p that stands in the term s, q in t, what is
    added up, its index, and the term with it; None where no factor is common. ``index`` is that of the whole sum."""
    for (a, c), (b, d) in itertools.product(permutations(p.powers), permutations(q.powers)):
        to = {j: i if j in q.summed else j for i, j in zip(c[1], d[1], strict=True)} if c[0] == d[0] else {}
        b = b[0], tuple([to.get(j, j) for j in b[1]])
        if c == (d[0], tuple([to.get(j, j) for j in d[1]])) and letters(a) == letters(b) and q.summed <= set(to):
            both = [Product(x.number, {k: n for k, n in {**x.powers, u: 1}.items() if u == k or not letters(k)})
                    for x, u in ((s, a), (t, b))]
            whole = factored(both)
            front = {k: n for k, n in whole.items.items() if isinstance(k, tuple)}
            own = tuple([i for i in a[1] if i])
            at = own if a[1] == b[1] else _beside(own, c, index)
            return Product(ONE, {}, whole.sums), at, Term(whole.number, p.summed, {**front, c: 1})
    return None


def _beside(own: Index, other: Key, index: Index) -> Index:
    """The axes of a factor in the order in which a matrix product reads it beside the other one."""
    free = [i for i in own if i not in other[1]]
    inner = [i for i in own if i in other[1]]
    before = bool(free) and index.index(free[0]) < min([index.index(i) for i in other[1] if i in index], default=0)
    return (*free, *inner) if before else (*inner, *free)


def common_powers(terms: Sequence[Term]) -> Powers:
    """The factors outside of sums that all terms have in common."""
    found: Powers = {}
    if not terms:
        return found
    shared = set(terms[0].powers).intersection(*[t.powers for t in terms[1:]]) if len(terms) > 1 else ()
    for key in [k for k in terms[0].powers if k in shared]:
        powers = [0 if letters(key) & t.summed else t.powers.get(key, 0) for t in terms]
        if all(p > 0 for p in powers):
            found[key] = min(powers)
        elif all(p < 0 for p in powers):
            found[key] = max(powers)
    return found


def divided(term: Term, powers: Powers) -> Term:
    return term.with_powers({k: p - powers.get(k, 0) for k, p in term.powers.items()}) if powers else term


def multiplied_by(term: Term, powers: Powers) -> Term:
    whole = {**powers, **{k: p + powers.get(k, 0) for k, p in term.powers.items()}}
    return term.with_powers(whole) if powers else term


def _with_pair(term: Term, pair: Pair, product: Powers) -> Term:
    while (found := matched(term.powers, product)) is not None:
        letter, sign = found
        if sign < 0:
            break
        powers: Powers = {}
        key = pair.id, tuple([letter[i] for i in pair.at])
        gone = {(id_, tuple([letter[i] if i else 0 for i in index])): p for (id_, index), p in product.items()}
        for k, p in term.powers.items():
            if k == next(iter(gone)):
                powers[key] = powers.get(key, 0) + 1
            powers[k] = powers.get(k, 0) + p - gone.get(k, 0)
        term = term.with_powers(powers)
    return term


def _best_pair(forms: Sequence[Terms], space: Space) -> tuple[tuple[Key, int], tuple[Key, int]] | None:
    pairs: list[tuple[int, tuple[Key, int], tuple[Key, int]]] = []
    place = 0
    for terms in forms:
        common = Counter([k for t in terms for k in t.powers])  # a common factor of terms is no pair
        for term in terms:
            place += 1
            pairs += [(place, a, b) for a, b in _pairs({k: p for k, p in term.powers.items() if common[k] == 1})]
    several = Counter([(a[0][0], b[0][0]) for _, a, b in pairs])
    places: dict[object, list[tuple[int, tuple[Key, int], tuple[Key, int]]]] = {}
    for place, a, b in pairs:
        if several[a[0][0], b[0][0]] > 1:
            places.setdefault(_signature(a, b), []).append((place, a, b))
    best, gain = None, 0.0
    largest = max([space.area(letters(k)) for ts in forms for t in ts for k in t.powers], default=1.0)
    for found in places.values():
        _, a, b = found[0]
        saved = (len({(p, x[0], y[0]) for p, x, y in found}) - 1) * space.area(letters(a[0]) | letters(b[0]))
        if saved > gain and saved >= largest:
            best, gain = (a, b), saved
    return best


def _pairs(powers: Powers) -> Iterable[tuple[tuple[Key, int], tuple[Key, int]]]:
    if len(powers) > MAX_FACTORS:
        return
    whole = [(k, p) for k, p in powers.items() if not is_number(k) and p.denominator == 1]
    keys = [(k, 1 if p > 0 else -1) for k, p in whole]
    for n, a in enumerate(keys):
        for b in keys[n + 1 :]:
            x, y = letters(a[0]), letters(b[0])
            if x and y and (x <= y or y <= x) and (a[1] > 0 or b[1] > 0):
                yield (a, b) if a[1] > 0 else (b, a)


def _signature(a: tuple[Key, int], b: tuple[Key, int]) -> object:
    names: dict[int, int] = {0: 0}
    return tuple([(k[0], p, tuple([names.setdefault(i, len(names)) for i in k[1]])) for k, p in (a, b)])
