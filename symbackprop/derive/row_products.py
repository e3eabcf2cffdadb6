"""Products of rows at letters as rows, two at a time in the cheapest order.

What is the same on both sides of a symmetric product is computed once, as one row: Σ_n x_n y_n x_n' y_n' is
(x y)ᵀ(x y), and where the weights between are never negative their root goes into both, so that NumPy sees AᵀA and does
half of the work (BLAS's syrk).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_letters
from typing import NamedTuple

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.contraction import planned
from symbackprop.core.facts import chooses_entries
from symbackprop.core.graph import Node
from symbackprop.core.hazards import is_nonnegative
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import ONE
from symbackprop.derive.eliminating import Algebra
from symbackprop.derive.terms import ONE as UNITY
from symbackprop.derive.terms import Exponent, Index, Key, Space, Term, all_letters, is_number, rational


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
    if any(row is not None and chooses_entries(row) for row in map(algebra.row, found.side.powers)):
        return None  # which is put at its places
    q = _product(algebra.space, operands(algebra, found.side), (*shared, *own))
    q = turned(q, tuple([i for i in (*shared, *own) if i in q.letters]))
    scaled, scale = q, contracted(algebra, found.scale, ())
    front = number_of(algebra.space, found.scale) if scale is None else scale.row
    if found.between.powers:
        weights = _product(algebra.space, operands(algebra, found.between), tuple(shared))
        if found.definite:  # the root of all that stands between, numbers too
            weights, front = _root(Operand(weights.row * front, weights.letters)), 1
        scaled = _scaled(algebra.space, q, weights)
        q = scaled if found.definite else q
    to = dict(zip(own, into, strict=True))
    other = tuple([to.get(i, i) for i in q.letters])
    out = tuple([i for i in free if i in {*scaled.letters, *other}])
    whole = _einsum([scaled, (q.row, other)], out)
    return Operand(whole if front == 1 else whole * front, out)


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
        sizes = {i: space.sizes[i] for x in items for i in x}
        for a, b, kept in planned(items, {i for i in own if i}, sizes, range(len(items))) if len(items) > 1 else []:
            cost += sp.Mul(*[space.sizes[i] for i in sets[a] | sets[b]])
            sets.append(kept)
    return sp.expand(cost)


# -- two at a time
def _product(space: Space, items: Sequence[Operand], out: Index) -> Operand:
    """The product of some rows, letters that are not in ``out`` summed over."""
    if len(items) == 1:
        kept = tuple([i for i in items[0].letters if i in out])
        return items[0] if kept == items[0].letters else Operand(_einsum(items, kept), kept)
    done, sizes = [*items], {i: space.sizes[i] for x in items for i in x.letters}
    for one, other, letters in planned([x.letters for x in items], out, sizes, [x.row.id for x in items]):
        done.append(_times(space, done[one], done[other], letters, out))
    return done[-1]


def _times(space: Space, x: Operand, y: Operand, kept: frozenset[int], out: Index) -> Operand:
    """Two rows as one: entry by entry where one has all letters and none is summed over, else a matrix product, whose
    axes stand as in ``out``, behind those that are summed over later."""
    moved = _moved(space, x, y, kept) or _moved(space, y, x, kept)
    if moved is not None:
        return moved
    large, small = (x, y) if {*y.letters} <= {*x.letters} else (y, x)
    if {*small.letters} <= {*large.letters} and kept == {*large.letters}:
        return _scaled(space, large, small)
    known = tuple(dict.fromkeys((*x.letters, *y.letters)))
    order = tuple([i for i in (*[i for i in known if i not in out], *out) if i in kept])
    return Operand(_einsum([x, y], order), order)


def _moved(space: Space, x: Operand, rows: Operand, kept: frozenset[int]) -> Operand | None:
    """A row times ``rows`` of the identity matrix: entries put at places among zeros, or those at places."""
    if not chooses_entries(rows.row):
        return None
    (part, whole), (_, start, length, step) = rows.letters, rows.row.attr
    here, there = (part, whole) if part in x.letters else (whole, part)
    if here not in x.letters or there in x.letters or here in kept:
        return None
    axis, letters = x.letters.index(here), tuple([there if i == here else i for i in x.letters])
    if here == part:
        return Operand(build.pad_axis(x.row, axis, start, space.sizes[whole], step), letters)
    return Operand(build.slice_axis(x.row, axis, start, length, step), letters)


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
