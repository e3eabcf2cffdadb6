"""Local derivatives as formulas over rows: ∂consumer/∂argument, and their products along a path.

Only elementwise rows have one (tanh' = 1 − o², ∂(w·h)/∂h = w); products and reductions of arrays have rules instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node, arguments_first
from symbackprop.core.kernel import moved, renumbered
from symbackprop.core.maths import Chain, Math, Num, Prod, Sum, chain, within
from symbackprop.core.maths import product as prod
from symbackprop.core.shapes import Shape
from symbackprop.derive.record import Contribution, Edge
from symbackprop.records import record
from symbackprop.render.document import Line, Value
from symbackprop.render.rows import Rows, divided_out


@record(frozen=True)
class Factor:
    """A formula over rows, for arrays of that shape."""

    form: f.Formula
    rows: tuple[Node, ...] = ()
    shape: Shape = ()

    def tree(self, r: Rows) -> Math:
        whole = self.written_out(r)
        form = r.shown(whole.form)
        return r.formula(form, whole._operands(r, form))

    def written_out(self, r: Rows) -> Factor:
        """Numbers by their formulas where they have no name, so that 2·(1/(2c)) is 1/c. Remembered: the same sum may
        stand in a thousand steps."""
        if not any(_is_nameless(x, r) for x in self.used):
            return self
        key = (self.form, self.shape, tuple([x.id for x in self.rows]))
        found = r.spelled.get(key)
        if found is None:
            rows = {x.id: x for x in self.rows}
            whole = f.over(self.form, [_spelled(x, r, rows) for x in self.rows])
            found = r.spelled[key] = reading(whole, rows, self.shape)
        return found

    def _operands(self, r: Rows, form: f.Formula) -> dict[int, Math]:
        """Those that a form reads."""
        return {i: r.alike(r.ref(self.rows[i]), self.rows[i], self.shape) for i in f.arguments(form)}

    def trees(self, r: Rows) -> list[Math]:
        """The factors of the formula, where it is a product. Remembered: deep chains write the same ones again."""
        known = r.factors.get(id(self))
        if known is None:
            known = r.factors[id(self)] = (self, self._trees(r))
        return known[1]

    def _trees(self, r: Rows) -> list[Math]:
        whole = self.written_out(r)
        parts = f.factors(whole.form)
        forms = [r.shown(x) for x in ((whole.form,) if isinstance(parts[0], f.Num) else parts)]
        return [r.formula(x, whole._operands(r, x)) for x in forms]

    @property
    def is_negative(self) -> bool:
        return f.is_negative(f.split_sign(self.form)[0])

    @property
    def used(self) -> list[Node]:
        """The rows that the formula reads."""
        return [self.rows[i] for i in f.arguments(self.form)]

    def negated(self) -> Factor:
        return replace(self, form=f.neg(self.form))


def _is_nameless(row: Node, r: Rows) -> bool:
    """Whether a row is a number that is written out by a formula."""
    plain = row.form is not None and row.value is None and not row.shape
    return plain and row.id not in r.symbols and not r.is_call(row)


def _spelled(row: Node, r: Rows, rows: dict[int, Node]) -> f.Formula:
    """A row over rows that have names, each the argument of its number; they are added to ``rows``. The terms of sums
    in sums are brought together before they are added, as these may be a thousand deep."""
    if not _is_nameless(row, r):
        return f.Arg(row.id)
    terms: dict[int, list[f.Formula]] = {}
    for x in arguments_first([row], lambda x: [a for a in x.args if _is_nameless(a, r)]):
        rows.update({a.id: a for a in x.args})
        found = [_terms(term, x.args, terms) for term in f.summands(x.attr.form)]
        terms[x.id] = [*itertools.chain.from_iterable(found)]
    return f.add(*terms[row.id])


def _terms(term: f.Formula, args: Sequence[Node], known: Mapping[int, list[f.Formula]]) -> list[f.Formula]:
    """The terms of a term: several, where it is a row that is a sum itself."""
    if isinstance(term, f.Arg):
        row = args[term.index].id
        return known.get(row) or [f.Arg(row)]
    return [f.substitute(term, lambda leaf: f.add(*_terms(leaf, args, known)) if isinstance(leaf, f.Arg) else leaf)]


def reading(form: f.Formula, rows: Mapping[int, Node] | Sequence[Node], shape: Shape) -> Factor:
    """A formula over those of the rows that it reads: each is written."""
    used = f.arguments(form)
    return Factor(renumbered(form, used), tuple([rows[i] for i in used]), shape)


ONE = Factor(f.ONE)
MINUS_ONE = Factor(f.Num(-f.ONE.value))


def edge_factor(edge: Edge) -> Factor | None:
    """∂consumer/∂argument of an elementwise row over its arguments and its own value; None for other rows."""
    row = edge.consumer
    if row.form is None:
        return None
    form = row.attr.partial(edge.index)
    whole = f.over_output(form, len(row.args))
    return reading(whole, (*row.args, row), row.shape) if f.arguments(whole) else Factor(whole)


def path_factor(path: Sequence[Edge]) -> Factor | None:
    """The product of the local derivatives along a path."""
    factors = [edge_factor(edge) for edge in path]
    return None if None in factors else product([x for x in factors if x is not None])


def local_factor(contributions: Iterable[Contribution]) -> Factor | None:
    """∂consumer/∂target over all paths between them."""
    factors = [path_factor(c.path) for c in contributions]
    return None if None in factors else total([x for x in factors if x is not None])


def product(factors: Sequence[Factor]) -> Factor:
    """The product, folded: signs in front, powers collected."""
    return _combine(factors, f.mul)


def total(factors: Sequence[Factor]) -> Factor:
    return _combine(factors, f.add)


def _combine(factors: Sequence[Factor], fold: Callable[..., f.Formula]) -> Factor:
    if len(factors) == 1:
        return factors[0]
    rows: dict[int, Node] = {}
    for x in factors:
        rows |= {r.id: r for r in x.used}
    place = {row: k for k, row in enumerate(rows)}
    shape = max([x.shape for x in factors], key=len, default=())
    return Factor(fold(*[_renumbered(x, place) for x in factors]), tuple(rows.values()), shape)


def _renumbered(x: Factor, place: dict[int, int]) -> f.Formula:
    return moved(x.form, tuple([place.get(row.id, -1) for row in x.rows]))


def signed_chain(r: Rows, factors: Sequence[Factor]) -> tuple[bool, Math]:
    """Factors one by one in the order given, the sign of the first apart from them."""
    first, *rest = factors
    shown = list(factors)
    if first.is_negative:
        shown = rest if rest and first.negated() == ONE else [first.negated(), *rest]
    return first.is_negative, chain(*[t for x in shown for t in x.trees(r)])


def without_ones(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    """The same product without factors 1 and −1; what sign they leave goes to the first factor."""
    kept = [x for x in factors if x not in (ONE, MINUS_ONE)]
    if factors.count(MINUS_ONE) % 2 == 0:
        return tuple(kept)
    return (kept[0].negated(), *kept[1:]) if kept else (MINUS_ONE,)


# -- what cancels
def cancelling(r: Rows, left: Math, put: Math, right: Math, value: Value | None) -> list[Line]:
    """A product that was put in, and what it comes to, with the step between where a sum of quotients is multiplied
    by what they are divided by."""
    between, why = _multiplied_out(r, put), "common factors cancel"
    shown = [Line("terms", None, between, (why,))] if between is not None else []
    why = "terms collected" if shown else why
    return [Line("substitution", left, put, ("substituted",)), *shown, Line("result", None, right, (why,), value=value)]


def _multiplied_out(r: Rows, m: Math) -> Math | None:
    """−(y·(1 − a) + (y − 1)·a) for −(y/a + (y − 1)/(1 − a))·a·(1 − a); None where no quotient is."""
    parts = flat(m)
    numbers = [x for x in parts if isinstance(x, Num)]
    place = next((k for k, x in enumerate(parts) if isinstance(x, Sum)), None)
    if place is None:
        return None
    found, others = parts[place], [x for k, x in enumerate(parts) if k != place and x not in numbers]
    assert isinstance(found, Sum)
    terms = [(negative, divided_out(within(x), others)) for negative, x in found.terms]
    known = [(negative, [x for x in rest if x != Num(f.ONE.value)]) for negative, rest in terms if rest is not None]
    if len(known) < len(terms):
        return None
    whole = Sum(tuple([(negative, prod(*rest)) for negative, rest in known]))
    return r.scaled(sp.Mul(*[x.value for x in numbers]), whole)


def flat(m: Math) -> list[Math]:
    """The factors of a product, those of products in it too, signs and numbers as numbers."""
    match m := within(m):
        case Chain(factors) | Prod(factors, sp.S.One):
            return [x for part in factors for x in flat(part)]
        case Prod(factors, number, order):
            return [Num(number, order), *[x for part in factors for x in flat(part)]]
        case Sum(((True, body),)):
            return [Num(sp.Integer(-1)), *flat(body)]
    return [m]
