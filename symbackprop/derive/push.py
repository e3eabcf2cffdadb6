"""Tangents through rows: what ∂(entry of a row)/∂(entry of an argument) is, read off the op's record, times the tangent
of the argument.

The entry form of an op says what entry K of its result is; its derivative, with ties as δ's, is the push rule. An
elementwise row, and one whose arguments each reach one entry of the result (a norm, a logsumexp), has its slope from
its derivative rule under the upstream gradient 1, which is stable where the rule is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from operator import mul

import sympy as sp

from symbackprop.core import build, entry
from symbackprop.core import formula as f
from symbackprop.core.entry import RESULT, At, Digit, Letter, Place
from symbackprop.core.facts import is_joined, is_padded, is_part, is_repeated, is_squeezed, is_sum, slopes
from symbackprop.core.graph import FLOAT, SEVERAL, Graph, Node
from symbackprop.core.hazards import INFINITE, NONE, hazards
from symbackprop.core.pattern import Pattern
from symbackprop.core.reverse import needed_rows
from symbackprop.core.selection import choices
from symbackprop.core.shapes import ONE, is_one, same
from symbackprop.derive.eliminating import Algebra
from symbackprop.derive.flatten import fitted, inner_index
from symbackprop.derive.terms import UNIT, Exponent, Index, Key, Term, Terms, collected, raised, rational
from symbackprop.errors import ModelError

MAX_TERMS, MAX_FACTORS, OF_DIAGONAL = 48, 16, 24  # a diagonal has fewer axes to be written over


class NoPush(ModelError):
    """A derivative has no form that is kept compressed; products with it have one always."""

    def __init__(self, node: Node, why: str) -> None:
        what = node.name or ("a loop" if node.is_result or node.is_loop else node.op.name)
        super().__init__(f"the derivative of {what} is not kept compressed: {why}; "
                         "ask for products with it (codegen --hvp, --jvp or --ggn)")


class Tangent:
    """∂row/∂w as terms over the letters of both; ``own`` are those of the row, ``into`` those of w."""

    def __init__(self, own: Index, into: Index, terms: Terms) -> None:
        self.own, self.into, self.terms = own, into, terms


class Pushing:
    """Pushes tangents through the rows of a table, as long as no term has more than so many factors."""

    def __init__(self, graph: Graph, longest: int = MAX_FACTORS) -> None:
        self.graph, self.algebra, self.longest = graph, Algebra(graph), longest
        self.space = self.algebra.space

    def tangents(self, rows: Sequence[Node], w: Node) -> list[Tangent]:
        """∂row/∂w for every row."""
        return self._through(rows, w, {}, frozenset())

    def through(self, rows: Sequence[Node], outputs: Sequence[Node], tangents: Sequence[Tangent], w: Node,
                held: Iterable[Node] = ()) -> list[Tangent]:
        """The same along all paths through outputs, whose tangents are known, and none that is held."""
        known = dict(zip([row.id for row in outputs], tangents, strict=True))
        return self._through(rows, w, known, frozenset([*known, *[row.id for row in held]]))

    def joined(self, left: Sequence[Tangent], right: Sequence[Tangent], node: Node) -> Terms:
        """Σ over pairs and over the entries of both: Jᵀ K."""
        terms: Terms = []
        for j, k in zip(left, right, strict=True):
            moved = self._moved(k, j.own)
            whole = [self.algebra.times(a, b) for a in self._moved(j, j.own) for b in moved]
            terms += [self.algebra.summed(t, j.own) for t in whole]
        return self._capped(collected(terms), node)

    def _through(self, rows: Sequence[Node], w: Node, known: dict[int, Tangent], stop: frozenset[int]) -> list[Tangent]:
        order, into = self.graph.topological(rows, stop), next((t.into for t in known.values()), None)
        into = self.space.index(w) if into is None else into
        needed = needed_rows(order, [row for row in order if row.id in known] if known else [w], stop)
        found = dict(known)
        with self.space.uncounted():
            for node in order:
                if node.id in stop:
                    continue
                if node is w:
                    own = self.space.index(w)
                    found[w.id] = Tangent(own, into, [self._identity(own, into)])
                elif node.id in needed and node.kind in (FLOAT, SEVERAL) and not node.op.held:
                    found[node.id] = self._pushed(node, found, into)
        return [found[r.id] if r.id in found else Tangent(self.space.index(r), into, []) for r in rows]

    def _identity(self, own: Index, into: Index) -> Term:
        return self.algebra.times(UNIT, *[self.algebra.delta(a, b) for a, b in zip(own, into, strict=True) if a])

    def _pushed(self, node: Node, found: dict[int, Tangent], into: Index) -> Tangent:
        own = self.space.index(node)
        terms: Terms = []
        for i, a in enumerate(node.args):
            tangent = found.get(a.id)
            if tangent is None or not tangent.terms:
                continue
            if node.form is not None and choices(node, i):
                terms += [x for t in self._moved(tangent, fitted(own, a)) for x in self._chosen(node, i, own, t)]
            else:
                at, local = self.local(node, i, own)
                terms += self._chained(tangent, at, local, {*own, *into})
        return Tangent(own, into, self._capped(collected(terms), node))

    def _capped(self, terms: Terms, node: Node) -> Terms:
        """The terms of the derivative of a row; raises `NoPush` where they are too many, or too long."""
        terms = [t for t in terms if not self.algebra.vanishes(t)]
        most = max([len(t.powers) for t in terms], default=0)
        if len(terms) > MAX_TERMS or most > self.longest:
            many = f"{len(terms)} terms" if len(terms) > MAX_TERMS else f"a term of {most} factors"
            raise NoPush(node, f"it has {many}")
        return terms

    def _chained(self, tangent: Tangent, at: Index, local: Terms, free: set[int]) -> Terms:
        """Σ over the entries of an argument: how the row depends on them times how they depend on w."""
        moved = self._moved(tangent, at)
        whole = [self.algebra.times(slope, t) for slope in local for t in moved]
        return [self.algebra.summed(t, {i for i in at if i not in free}) for t in whole]

    def _moved(self, tangent: Tangent, at: Index) -> Terms:
        """A tangent at an index of its row."""
        to = {i: j for i, j in zip((*tangent.own, *tangent.into), (*at, *tangent.into), strict=True) if i}
        return [self.algebra.renamed(t, to) for t in tangent.terms]

    def _chosen(self, node: Node, i: int, own: Index, t: Term) -> Terms:
        """A term through a row that selects, as relu: what may be infinite where it is not selected goes through the
        rule, as an upstream gradient does (an elementwise row is its own adjoint)."""
        inside = [k for k, p in t.powers.items() if k[1] == own and self._is_unsafe(k, p)]
        rows = [self.algebra.rows[k[0]] ** rational(t.powers[k]) for k in inside]
        upstream = reduce(mul, rows) if rows else self.graph.full(1, node.shape)
        slope = self._by_rule(node, i, self.graph.broadcast(upstream, node.shape))
        rest = t.with_powers({k: p for k, p in t.powers.items() if k not in inside})
        return [] if slope is None else [self.algebra.times(x, rest) for x in self.entry(slope, fitted(own, slope))]

    def _is_unsafe(self, key: Key, power: Exponent) -> bool:
        """Whether a factor may be infinite."""
        row = self.algebra.row(key)
        return row is not None and (power < 0 or bool(hazards(row) & INFINITE))

    # -- the derivative of one row in one argument
    def local(self, node: Node, i: int, own: Index) -> tuple[Index, Terms]:
        """The index of the argument's entry, and ∂(entry of the row)/∂(that entry)."""
        if node.form is not None:
            slope = self._by_rule(node, i, self.graph.full(1, node.shape))
            return fitted(own, node.args[i]), [] if slope is None else self.entry(slope, fitted(own, slope))
        if node.op.slopes is not None and node.shape:
            return self._by_slopes(node, i, own)
        a = node.args[i]
        out, wanted = entry.letters(node.shape), entry.letters(a.shape)
        at = self.space.index(a)
        called = dict(zip((*out, *wanted), (*own, *at), strict=True))
        terms = slopes(node, i, out, wanted)
        if terms is None or (node.op.jacobian is not None and len(terms) == 1 and _meets_one(terms[0], out)):
            return at, self._of_reduction(node, i, terms, called, at)
        kept = [x for x in (*out, *wanted) if isinstance(x, Letter)]
        return at, [x for t in terms for x in self._written(node, entry.settled(t, kept), called)]

    def _by_slopes(self, node: Node, i: int, own: Index) -> tuple[Index, Terms]:
        """What the record says of entries, as terms over rows."""
        found, a = node.op.slopes(node, i), node.args[i]  # type: ignore[misc]
        called = dict(zip(found.out, own, strict=True))
        for letter, j in zip(found.wanted, self.space.index(a), strict=True):
            called.setdefault(letter, j)
        at = tuple([called[letter] for letter in found.wanted])
        terms: Terms = []
        for number, factors in found.terms:
            for row, letters in factors:
                for letter, size in zip(letters, row.shape, strict=True):
                    if letter not in called:
                        called[letter] = 0 if is_one(size) else self.space.fresh(size)
            known = [self.entry(row, tuple([called[x] for x in letters])) for row, letters in factors]
            front = self.algebra.number(number)
            if front is not None and all(known):
                whole = self.algebra.times(front, *[x[0] for x in known])
                terms.append(self.algebra.summed(whole, {called[x] for _, ls in factors for x in ls} - {*own, *at}))
        return at, terms

    def _by_rule(self, node: Node, i: int, upstream: Node) -> Node | None:
        """What the derivative rule makes of an upstream gradient."""
        wanted = [k == i for k in range(len(node.args))]
        return node.op.vjp(node, upstream, wanted, NONE)[i]

    def _of_reduction(self, node: Node, i: int, terms: entry.Terms | None, called: dict[entry.Index, int], at: Index
                      ) -> Terms:
        """Of a row whose argument's entries reach one entry each, or that is one number."""
        if terms is None and (node.shape or node.is_loop):
            steps = "its steps come one after the other, each by the one before"
            raise NoPush(node, steps if node.is_loop or node.is_result else node.op.no_entry)
        slope = self._by_rule(node, i, self.graph.full(1, node.shape))
        ties = terms[0].ties if terms else ()
        tied = [self._tied(node, tie, called) for tie in ties]
        return [] if slope is None else [self.algebra.times(t, *tied) for t in self.entry(slope, at)]

    def _written(self, node: Node, t: entry.Term, called: dict[entry.Index, int]) -> Terms:
        """A term of an entry form as terms over rows."""
        called = called | {x: self.space.fresh(x.size) for x in t.summed}
        factors = [self._factor(node, x, called) for x in t.entries]
        found = self._product(t.form, factors)
        if found is None:
            raise NoPush(node, "an entry is no product")
        tied = [self._tied(node, tie, called) for tie in t.ties]
        whole = self.algebra.times(found, *tied)
        return [self.algebra.summed(whole, [called[x] for x in t.summed])]

    def _factor(self, node: Node, x: entry.Index, called: dict[entry.Index, int]) -> Term:
        if not isinstance(x, At) or not all(isinstance(k, Letter) or k == 0 for k in x.index):
            raise NoPush(node, "it is read in windows, whose places are computed")
        row = node if x.place == RESULT else node.args[x.place]
        if any(isinstance(k, Letter) and not same(k.size, d) for k, d in zip(x.index, row.shape, strict=True)):
            raise NoPush(node, "it reads a part of an axis")
        terms = self.entry(row, tuple([called[k] if isinstance(k, Letter) else 0 for k in x.index]))
        return terms[0] if terms else UNIT._replace(number=Fraction(0))

    def _product(self, form: f.Formula, factors: Sequence[Term]) -> Term | None:
        """A product of entries; None for what is none."""
        number, rest = f.split_sign(form)
        front = self.algebra.number(number)
        parts = f.factors(rest)
        if front is None or not all(isinstance(x, f.Arg) for x in parts):
            return front if rest == f.ONE else None
        return self.algebra.times(front, *[factors[x.index] for x in parts if isinstance(x, f.Arg)])

    def _tied(self, node: Node, tie: entry.Tie, called: dict[entry.Index, int]) -> Term:
        """1 where two indices are equal, as a row at letters: a δ, or a matrix of 0 and 1 that chooses."""
        a, b = tie if isinstance(tie[0], Letter) else tie[::-1]
        if isinstance(a, Letter) and isinstance(b, Letter) and same(a.size, b.size):
            return self.algebra.delta(called[a], called[b])
        if isinstance(a, Letter) and (is_part(node) or is_padded(node) or is_joined(node)):
            found = self._chosen_entry(node, a, b, called)
            if found is not None:
                return found
        size, own = (a.size, called[a]) if isinstance(a, Letter) else (sp.S.One, 0)
        counted, index = self._counted(node, b, called)
        places = build.reshape(build.arange(self.graph, size), (*[ONE] * counted.ndim, size))
        hot = self.graph.call("equal", build.expand(counted, counted.ndim), places)
        return self.algebra.atom(hot, (*index, own))

    def _chosen_entry(self, node: Node, a: Letter, b: entry.Index, called: dict[entry.Index, int]) -> Term | None:
        """1 where a place in a part is one of the whole: a range of the rows of the identity matrix."""
        b = Place(((sp.S.One, b),)) if isinstance(b, Letter) else b
        if not isinstance(b, Place) or len(b.terms) != 1:
            return None
        ((step, x),) = b.terms
        out = node.shape[node.attr if is_joined(node) else node.attr[0]]
        start, part, whole = b.offset, x, a
        if same(a.size, out) == is_part(node):  # it is the whole's place that is counted out
            if step != 1:
                return None
            start, part, whole = -b.offset, a, x
        rows = build.slice_axis(self.algebra.identity(whole.size), 0, start, part.size, int(step))
        return self.algebra.atom(rows, (called[part], called[whole]))

    def _counted(self, node: Node, b: entry.Index, called: dict[entry.Index, int]) -> tuple[Node, Index]:
        """An index as a row of whole numbers, over letters; −1 where it is none."""
        match b:
            case sp.Expr():
                return self.graph.lift(b), ()
            case Letter():
                return build.arange(self.graph, b.size), (called[b],)
            case Digit(Letter() as whole, below, size):
                return self._digits(whole.size, below, size), (called[whole],)
            case At(place, inner) if all(isinstance(k, Letter) or k == 0 for k in inner):
                return node.args[place], tuple([called[k] if isinstance(k, Letter) else 0 for k in inner])
            case Place(terms, offset):
                return self._added(terms, offset), tuple([called[x] for _, x in terms])
        raise NoPush(node, "it is read in windows, whose places are computed")

    def _added(self, terms: Sequence[tuple[sp.Expr, Letter]], offset: sp.Expr) -> Node:
        """Σ factor·letter + offset."""
        n, whole = len(terms), self.graph.lift(offset)
        for k, (factor, x) in enumerate(terms):
            place = build.reshape(build.arange(self.graph, x.size), [x.size if j == k else ONE for j in range(n)])
            whole = whole + factor * place
        return whole

    def _digits(self, count: sp.Expr, below: sp.Expr, size: sp.Expr | None) -> Node:
        """(k // below) mod size for k = 0, 1 …, as copies of 0, 1 …"""
        many = sp.cancel(count / below) if size is None else size
        each = build.reshape(build.arange(self.graph, many), (ONE, many, ONE))
        copies = self.graph.broadcast(each, (sp.cancel(count / below / many), many, below))
        return build.reshape(copies, (count,))

    # -- entries of rows
    def entry(self, row: Node, index: Index) -> Terms:
        """An entry of a row as one product over rows with names or of their own; nothing where it is 0."""
        found = self._seen(row, index)
        return [] if found is None else [found]

    def _seen(self, row: Node, index: Index) -> Term | None:
        while row.value is None and row.args and row.name is None:
            if is_squeezed(row) or is_repeated(row):
                row, index = row.args[0], inner_index(row, index)
            elif isinstance(row.attr, Pattern) and row.attr.is_transpose:
                order = row.attr.order
                index = tuple([index[order.index(k)] for k in range(len(order))])
                row = row.args[0]
            else:
                break
        if row.value is not None:
            return self.algebra.number(row.value)
        if row.name is None and row.kind == FLOAT:
            found = self._opened(row, index)
            if found is not None:
                return found
        return self.algebra.atom(row, index)

    def _opened(self, row: Node, index: Index) -> Term | None:
        """An entry of a row without a name as the product that it is. A gradient that is a sum, or a multiple of one,
        stays what it is called; a sum over entries is settled or stays."""
        if row.form is not None:
            found = self._monomial(row.form, row.args, index, row)
            sums = row.apart and found is not None and any(self._is_sum(k) for k in found.powers)
            return None if sums else found
        if not is_sum(row):
            return None
        over = self.space.index(row.args[0])
        kept = iter([i for k, i in enumerate(index) if not row.attr[1] or k not in row.attr[0]])
        inner = self._seen(row.args[0], tuple([i if k in row.attr[0] else next(kept) for k, i in enumerate(over)]))
        whole = None if inner is None else self.algebra.summed(inner, [over[k] for k in row.attr[0]])
        return None if whole is None or whole.summed else whole

    def _is_sum(self, key: Key) -> bool:
        row = self.algebra.row(key)
        return row is not None and isinstance(row.form, f.Add)

    def _monomial(self, form: f.Formula, args: Sequence[Node], index: Index, row: Node | None = None) -> Term | None:
        """A formula over rows as one product: sums and functions in it are factors."""
        match form:
            case f.Num(value):
                return self.algebra.number(value)
            case f.Arg(i):
                return self._seen(args[i], fitted(index, args[i]))
            case f.Neg(body):
                inner = self._monomial(body, args, index)
                return None if inner is None else inner._replace(number=-inner.number)
            case f.Mul(factors):
                parts = [self._monomial(x, args, index) for x in factors]
                known = [x for x in parts if x is not None]
                return self.algebra.times(*known) if len(known) == len(parts) else None
            case f.Div(top, bottom):
                above, below = self._monomial(top, args, index), self._power(bottom, -1, args, index)
                return None if above is None else self.algebra.times(above, below)
            case f.Pow(base, f.Num(exponent)) if exponent.is_Rational:
                whole = int(exponent) if exponent.is_Integer else Fraction(int(exponent.p), int(exponent.q))
                return self._power(base, whole, args, index)
        made = self.graph.apply(form, *args) if row is None else row
        return self.algebra.atom(made, fitted(index, made)) if made.value is None else self.algebra.number(made.value)

    def _power(self, base: f.Formula, exponent: Exponent, args: Sequence[Node], index: Index) -> Term:
        inner = self._monomial(base, args, index)
        found = None if inner is None else raised(self.space, inner, exponent)
        if found is not None:
            return found
        made = self.graph.apply(base, *args)
        return self.algebra.atom(made, fitted(index, made), exponent)


def _meets_one(t: entry.Term, out: entry.Indices) -> bool:
    """Whether an entry of the argument reaches one entry of the result: its letters are tied to the argument's."""
    tied = {i for tie in t.ties for i in tie if isinstance(i, Letter)}
    return not t.summed and all(not isinstance(i, Letter) or i in tied or is_one(i.size) for i in out)
