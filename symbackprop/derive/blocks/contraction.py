"""Products of rows at letters as rows, two at a time in the cheapest order.

What is the same on both sides of a symmetric product is computed once, as one row: Σ_n x_n y_n x_n' y_n' is
(x y)ᵀ(x y), and where the weights between are never negative their root goes into both, so that NumPy sees AᵀA and does
half of the work (BLAS's syrk).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from itertools import combinations
from string import ascii_letters
from typing import NamedTuple

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.hazards import is_nonnegative
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import ONE
from symbackprop.derive.blocks.terms import Algebra
from symbackprop.derive.closed.terms import ONE as UNITY
from symbackprop.derive.closed.terms import Exponent, Index, Key, Space, Term, all_letters, is_number, rational

MOST = 8  # factors of which every order is looked at


class Operand(NamedTuple):
    """A row whose axes are letters, each once."""

    row: Node
    letters: Index


def operands(algebra: Algebra, term: Term) -> list[Operand]:
    """The factors of a term, those over the same letters as one row."""
    found: dict[frozenset[int], Operand] = {}
    for key, p in term.powers.items():
        row = algebra.row(key)
        if row is not None:
            own = _plain(row, key[1])
            one = Operand(own.row if p == 1 else own.row ** rational(p), own.letters)
            place = frozenset(own.letters)
            found[place] = _scaled(algebra.space, found[place], one) if place in found else one
    return list(found.values())


def number_of(space: Space, term: Term) -> f.Number:
    return space.value(term.number, [(k, p) for k, p in term.powers.items() if is_number(k)])


def _plain(row: Node, index: Index) -> Operand:
    """A row without axes of size 1 and with the diagonal of axes that share a letter."""
    letters = tuple([i for i in index if i])
    if len(letters) < len(index):
        row = build.reshape(row, [d for d, i in zip(row.shape, index, strict=True) if i])
    once = tuple(dict.fromkeys(letters))
    return Operand(row, letters) if len(once) == len(letters) else Operand(_einsum([(row, letters)], once), once)


def contracted(algebra: Algebra, term: Term, out: Index) -> Operand | None:
    """A term as one row over those of the letters ``out`` that it has, in their order; None for a number alone."""
    items = operands(algebra, term)
    if not items:
        return None
    whole = _number_times(algebra, term, _product(algebra.space, items, out))
    return turned(whole, tuple([i for i in out if i in whole.letters]))


def _number_times(algebra: Algebra, term: Term, whole: Operand) -> Operand:
    number = number_of(algebra.space, term)
    return whole if number == 1 else Operand(whole.row * number, whole.letters)


class Gram(NamedTuple):
    """A term as Qᵀ diag(d) Q: the factors of Q with the letters of rows, those between with other letters, and those
    that are numbers; ``definite``: no weight is negative, so that xᵀ(Qᵀ diag(d) Q)x never is."""

    side: Term
    between: Term
    scale: Term
    definite: bool


def as_gram(algebra: Algebra, term: Term, own: Index, into: Index) -> Gram | None:
    """A term both of whose sides are the same factors; None for others."""
    to = {i: j for i, j in zip(own, into, strict=False) if i}
    keys = [k for k in term.powers if not is_number(k)]
    left, right = ([k for k in keys if {*k[1]} & {*side} - {0}] for side in (own, into))
    if not left or {(i, tuple([to.get(c, c) for c in at])): term.powers[i, at] for i, at in left} != {
            k: term.powers[k] for k in right}:
        return None
    between = [k for k in keys if k not in left and k not in right and any(k[1])]
    middle, scale = ({k: term.powers[k] for k in found} for found in (between, [
        k for k in term.powers if is_number(k) or not any(k[1])]))
    weights = [k for k in (*middle, *scale)]
    definite = term.number > 0 and all(never_negative(algebra, k, term.powers[k]) for k in weights)
    one = frozenset[int]()
    return Gram(Term(UNITY, one, {k: term.powers[k] for k in left}), Term(UNITY, one, middle),
                Term(term.number, one, scale), definite)


def gram(algebra: Algebra, term: Term, own: Index, into: Index, free: Index) -> Operand | None:
    """A term as QᵀQ or Qᵀ diag(d) Q over its ``free`` letters, where both of its sides are the same row; None where
    they are not."""
    found = as_gram(algebra, term, own, into)
    shared = [] if found is None else sorted(all_letters(found.side.powers) - {*own})
    if found is None or not shared or not all_letters(found.between.powers) <= {*shared}:
        return None
    q = _product(algebra.space, operands(algebra, found.side), (*shared, *own))
    q = turned(q, tuple([i for i in (*shared, *own) if i in q.letters]))
    if found.between.powers:
        weights = _product(algebra.space, operands(algebra, found.between), shared)
        scaled = _scaled(algebra.space, q, _root(weights) if found.definite else weights)
        q = scaled if found.definite else q
    else:
        scaled = q
    to = dict(zip(own, into, strict=True))
    other = tuple([to.get(i, i) for i in q.letters])
    out = tuple([i for i in free if i in {*scaled.letters, *other}])
    whole = Operand(_einsum([scaled, (q.row, other)], out), out)
    scale = contracted(algebra, found.scale, ())
    front = number_of(algebra.space, found.scale) if scale is None else scale.row
    return whole if scale is None and front == 1 else Operand(whole.row * front, out)


def _root(x: Operand) -> Operand:
    return Operand(x.row.graph.call("sqrt", x.row), x.letters)


def never_negative(algebra: Algebra, key: Key, power: Exponent) -> bool:
    """Whether a power of a factor is nowhere below 0: an even one, a probability, 1 − p and 1 − tanh² too."""
    row = algebra.row(key)
    if row is None:
        return algebra.space.is_positive(key)
    if power == int(power) and int(power) % 2 == 0:
        return True
    return is_nonnegative(f.Arg(0), [row]) or _is_complement(row)


def _is_complement(row: Node) -> bool:
    """Whether a row is 1 − p or 1 − o² for a p that is at most 1 and an o between −1 and 1."""
    match row.form:
        case f.Add((f.ONE, f.Neg(f.Arg(k)))):
            return _within(row.args[k], 1)
        case f.Add((f.ONE, f.Neg(f.Pow(f.Arg(k), f.Num(exponent))))):
            return bool(exponent == 2) and _within(row.args[k], 1) and _within(row.args[k], -1)
    return False


def _within(row: Node, bound: int) -> bool:
    """Whether the entries of a row are at most 1, or at least −1."""
    least, most = row.op.range if row.function is None else row.function.range
    return most <= 1 if bound > 0 else least >= -1


def product_cost(algebra: Algebra, terms: Iterable[Term], own: Index, into: Index) -> sp.Expr:
    """The multiplications of a product of a sum of terms with an array at the letters ``into``, in the sizes."""
    space, cost = algebra.space, sp.S.Zero
    for term in terms:
        found = {frozenset({*k[1]} - {0}) for k in term.powers if not (is_number(k) or algebra.is_delta(k))}
        to = {a if a in into else b: b if a in into else a for a, b in algebra.deltas(term)}
        items = [tuple(sorted(x)) for x in found] + [tuple(sorted({to.get(i, i) for i in into if i}))]
        items = sorted(x for x in items if x)
        sets = [frozenset(x) for x in items]
        for a, b, kept in _order(space, items, {i for i in own if i}) if len(items) > 1 else []:
            cost += sp.Mul(*[space.sizes[i] for i in sets[a] | sets[b]])
            sets.append(kept)
    return sp.expand(cost)


# -- two at a time
def _product(space: Space, items: Sequence[Operand], out: Collection[int]) -> Operand:
    """The product of some rows, letters that are not in ``out`` summed over."""
    if len(items) == 1:
        kept = tuple([i for i in items[0].letters if i in out])
        return items[0] if kept == items[0].letters else Operand(_einsum(items, kept), kept)
    done = dict(enumerate(items))
    for one, other, letters in _order(space, [x.letters for x in items], {*out}):
        done[len(done)] = _times(space, done[one], done[other], letters)
    return done[len(done) - 1]


Plan = list[tuple[int, int, frozenset[int]]]  # which two become one, and its letters


def _order(space: Space, items: Sequence[Index], out: set[int]) -> Plan:
    """In which order rows with these letters are multiplied, where ``out`` are those of the result."""
    return _cheapest(space, items, out) if len(items) <= MOST else _greedy(space, items, out)


def _cheapest(space: Space, items: Sequence[Index], out: set[int]) -> Plan:
    """The order with the fewest multiplications, found from that of every part, the smallest first."""
    everything = frozenset(range(len(items)))
    best: dict[frozenset[int], tuple[float, tuple[frozenset[int], frozenset[int]] | None]] = {}
    parts_of = [frozenset(c) for n in range(1, len(items) + 1) for c in combinations(range(len(items)), n)]
    own = {c: _kept(items, c, out) for c in parts_of}
    for chosen in sorted(own, key=lambda c: (len(c), sorted(c))):
        if len(chosen) == 1:
            best[chosen] = 0.0, None
            continue
        first, *others = sorted(chosen)
        halves = [frozenset({first, *more}) for n in range(len(others)) for more in combinations(others, n)]
        costs = [(best[a][0] + best[chosen - a][0] + _area(space, own[a] | own[chosen - a]), k)
                 for k, a in enumerate(halves)]
        cost, k = min(costs)
        best[chosen] = cost, (halves[k], chosen - halves[k])
    pairs: list[tuple[int, int, frozenset[int]]] = []

    def place(chosen: frozenset[int]) -> int:
        parts = best[chosen][1]
        if parts is None:
            return next(iter(chosen))
        a, b = map(place, parts)
        pairs.append((a, b, own[chosen]))
        return len(items) + len(pairs) - 1

    place(everything)
    return pairs


def _greedy(space: Space, items: Sequence[Index], out: set[int]) -> Plan:
    """The pair with the smallest product first."""
    open_, pairs = dict(enumerate(map(frozenset, items))), list[tuple[int, int, frozenset[int]]]()
    while len(open_) > 1:
        tried = []
        for a, b in combinations(sorted(open_), 2):
            rest = out.union(*[s for k, s in open_.items() if k not in (a, b)])
            kept = (open_[a] | open_[b]) & rest
            tried.append((_area(space, open_[a] | open_[b]), _area(space, kept), a, b, kept))
        _, _, a, b, kept = min(tried, key=lambda t: t[:4])
        del open_[a], open_[b]
        open_[len(items) + len(pairs)] = frozenset(kept)
        pairs.append((a, b, frozenset(kept)))
    return pairs


def _kept(items: Sequence[Index], chosen: frozenset[int], out: set[int]) -> frozenset[int]:
    """The letters that the product of some factors has: those that are read elsewhere."""
    inside = {i for k in chosen for i in items[k]}
    outside = out.union(*[items[k] for k in range(len(items)) if k not in chosen])
    return frozenset(items[next(iter(chosen))]) if len(chosen) == 1 else frozenset(inside & outside)


def _area(space: Space, letters: Iterable[int]) -> float:
    return reduce(lambda a, i: a * space.weights[i], letters, 1.0)


def _times(space: Space, x: Operand, y: Operand, kept: frozenset[int]) -> Operand:
    """Two rows as one: entry by entry where one has all letters and none is summed over, else a matrix product."""
    large, small = (x, y) if {*y.letters} <= {*x.letters} else (y, x)
    if {*small.letters} <= {*large.letters} and kept == {*large.letters}:
        return _scaled(space, large, small)
    order = tuple([i for i in dict.fromkeys((*x.letters, *y.letters)) if i in kept])
    return Operand(_einsum([x, y], order), order)


def _scaled(space: Space, large: Operand, small: Operand) -> Operand:
    """The entries of a row times those of one that has some of its letters."""
    own = tuple([i for i in large.letters if i in small.letters])
    row = turned(small, own).row
    wide = [space.sizes[i] if i in own else ONE for i in large.letters]
    first = next((k for k, i in enumerate(large.letters) if i in own), len(wide))
    return Operand(large.row * build.reshape(row, wide[first:]), large.letters)


def turned(x: Operand, letters: Index) -> Operand:
    """The same row with its axes in another order."""
    return x if x.letters == letters else Operand(_einsum([x], letters), letters)


def _einsum(items: Sequence[tuple[Node, Index]], out: Sequence[int]) -> Node:
    name: dict[int, str] = {}
    for _, letters in items:
        for i in letters:
            name.setdefault(i, ascii_letters[len(name)])
    pattern = Pattern(tuple(["".join(name[i] for i in letters) for _, letters in items]), "".join(name[i] for i in out))
    return build.einsum(pattern, *[row for row, _ in items])
