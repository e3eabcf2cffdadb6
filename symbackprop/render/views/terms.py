"""Products along paths from the loss: what a scalar gradient is a sum of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.graph import Node, reached
from symbackprop.core.maths import Math
from symbackprop.records import record
from symbackprop.render.abridging import DOTS, dotted
from symbackprop.render.context import Context
from symbackprop.render.factors import ONE, Factor, product, signed_chain, total, without_ones
from symbackprop.render.symbols import Group, Located

MAX_FACTORS, MAX_PATHS = 8, 4
Pairs = tuple[tuple[Node, Node], ...]


@record(frozen=True)
class Term:
    """The product along one path. ``start`` is the quantity whose gradient the product begins with, None for the loss;
    ``pairs`` are the (consumer, argument) of the derivatives that follow, ``factors`` what they are. The gradient of
    ``within`` begins the product in names alone: it is in the first factor already."""

    start: Node | None
    pairs: Pairs = ()
    factors: tuple[Factor, ...] = ()
    within: Node | None = None

    def then(self, consumer: Node, argument: Node, factor: Factor) -> Term:
        return replace(self, pairs=(*self.pairs, (consumer, argument)), factors=(*self.factors, factor))

    @property
    def first(self) -> Node | None:
        """The quantity whose gradient the product begins with in names."""
        return self.within if self.start is None else self.start

    def beginnings(self) -> list[tuple[tuple[int, int], ...]]:
        """Every beginning of the path from the loss, shortest first; none when it does not start there."""
        ids = tuple((c.id, a.id) for c, a in self.pairs) if self.first is None else ()
        return [ids[: k + 1] for k in range(len(ids))]


GAP = Term(None)  # stands for terms that are not printed


class Terms:
    """The terms of every step, found in the order of the sweep."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.found: dict[int, list[Term]] = {}
        self.closed: dict[int, Factor] = {}

    def of(self, s: Located) -> list[Term]:
        """Full paths while they are few and short, else one factor from each consumer."""
        target = s.step.target
        if target.id not in self.found:
            branches = ordered_groups(s, self.context)
            long = [t for g in branches[: MAX_PATHS + 1] for t in self._extended(g, target)]
            too_long = len(long) > MAX_PATHS or any(len(t.pairs) > MAX_FACTORS for t in long)
            self.found[target.id] = self._one_by_one(branches, target) if too_long else long
        return self.found[target.id]

    def _one_by_one(self, branches: Sequence[Group], target: Node) -> list[Term]:
        """A term for each branch; a gap in the place of those that are not printed."""
        shown = branches if self.context.rows.whole else dotted(branches, None)
        return [GAP if g is None else self._next(g, target) for g in shown]

    def settle(self, s: Located) -> None:
        """From here on the factors 1 and −1 are left out."""
        self.found[s.step.target.id] = [
            t if t is GAP else replace(t, factors=without_ones(t.factors)) for t in self.of(s)]

    def shorten(self, s: Located, factor: Factor) -> None:
        """From here on a step's gradient is this one factor, because its product got shorter."""
        term = self.of(s)[0]
        self.found[s.step.target.id] = [Term(None, term.pairs, (factor,), term.first)]

    def close(self, s: Located, whole: Node) -> None:
        """From here on a step's gradient is quoted in closed form; products begin with its name."""
        if whole.form is not None:
            self.closed[s.step.target.id] = Factor(whole.form, whole.args)
            self.found[s.step.target.id] = [Term(s.step.target)]

    def _extended(self, group: Group, target: Node) -> list[Term]:
        if group.consumer is None:
            return [self._seed(target)]
        factor, before = local(group), self.found.get(group.consumer.id)  # None: its step is not printed
        return [t.then(group.consumer, target, factor) for t in before or [Term(group.consumer)]]

    def _next(self, group: Group, target: Node) -> Term:
        if group.consumer is None:
            return self._seed(target)
        start = None if group.consumer is self.context.loss else group.consumer
        return Term(start).then(group.consumer, target, local(group))

    def _seed(self, target: Node) -> Term:
        return Term(None if target is self.context.loss else self._given(target))

    def _given(self, target: Node) -> Node:
        """The upstream gradient of an output that others read too, which is one term among several."""
        step = self.context.by_target[target.id].step
        rows = [c.value for c in step.contributions if c.value in self.context.upstream]
        return rows[0] if rows and rows[0] is not step.total else target

    # -- written
    def substituted(self, terms: Sequence[Term]) -> Math:
        """The factors put in, in the order of the chain."""
        r = self.context.rows
        return r.total(terms, lambda t: (False, DOTS) if t is GAP else signed_chain(r, self.factors(t)))

    def shared(self, s: Located) -> Math | None:
        """A sum over whole paths with the factors that all of them begin with in front; None where there is none."""
        terms = self.of(s)
        paths, r = [t.factors for t in terms], self.context.rows
        alike = takewhile(lambda factors: factors.count(factors[0]) == len(factors), zip(*paths, strict=False))
        count = sum(1 for _ in alike)
        if len(terms) < 2 or not count or any(t.start is not None for t in terms):
            return None
        negative, common = signed_chain(r, paths[0][:count])
        whole = maths.chain(common, maths.total(*[signed_chain(r, p[count:] or (ONE,)) for p in paths]))
        return maths.negative(whole) if negative else whole

    def folded(self, terms: Sequence[Term]) -> Factor:
        """The same with numbers, signs and powers collected."""
        return total([product(self.factors(t)) for t in terms])

    def is_as_put_in(self, term: Term, whole: Factor) -> bool:
        """Whether nothing folds: the factors of a term over rows with names are those of the product, one by one."""
        r, parts = self.context.rows, f.factors(whole.form)
        count = sum([len(f.factors(x.form)) for x in self.factors(term)])
        return (count == len(parts) and all(map(_stays, parts)) and r.shown(whole.form) is whole.form
                and not whole.shape and all([x.id in r.symbols for x in whole.used]))

    def factors(self, term: Term) -> list[Factor]:
        """The factors of a term, the gradient that it starts from first."""
        head = [] if term.start is None else [self.gradient(term.start)]
        return [*head, *term.factors] or [ONE]

    def gradient(self, target: Node) -> Factor:
        """A gradient found before, as a factor: by its name, its closed form, or the number that it is."""
        if target.id in self.closed:
            return self.closed[target.id]
        found = self.context.by_target.get(target.id)
        row = target if found is None else found.step.total
        return Factor(f.Num(row.value)) if row.value is not None else Factor(f.Arg(0), (row,))


def _stays(factor: f.Formula) -> bool:
    """Whether a factor prints alike whatever it is multiplied by: no number, sign, quotient or function."""
    return isinstance(factor.base if isinstance(factor, f.Pow) else factor, (f.Arg, f.Add))


MAX_ORDERED = 6


def ordered_groups(s: Located, context: Context) -> list[Group]:
    """The branches of a step, later consumers first where one depends on another (the last time step first), else in
    the order of the forward pass; a term of the loss itself comes last."""
    waiting = [*s.groups]
    if not 1 < len(waiting) <= MAX_ORDERED:
        return waiting
    waiting.sort(key=lambda g: -1 if g.consumer is None else g.consumer.id)
    found: list[Group] = [g for g in waiting if g.consumer is None]
    last = [g for g in waiting if g.consumer is context.loss and g.consumer is not None]
    rest = [g for g in waiting if g not in found and g not in last]
    while rest:
        free = next(g for g in rest if not any(_reads_one(o, g) for o in rest if o is not g))
        found.append(free)
        rest.remove(free)
    return found + last


def _reads_one(other: Group, group: Group) -> bool:
    assert other.consumer is not None and group.consumer is not None
    return depends([other.consumer], [group.consumer])


def depends(rows: Sequence[Node], others: Sequence[Node]) -> bool:
    """Whether one of the rows depends on one of the others. Rows are made after their arguments, so ids bound the
    search."""
    wanted = {o.id for o in others}
    lowest, read = min(wanted), [a for row in rows for a in row.args]
    return any(node.id in wanted for node in reached(read, lambda n: n.args if n.id > lowest else ()))


def local(group: Group) -> Factor:
    """∂consumer/∂target as a formula."""
    assert group.local is not None, "the scalar view is for elementwise rows"
    return group.local
