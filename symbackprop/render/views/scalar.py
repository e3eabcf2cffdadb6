"""The scalar view: dL/dw₁ = dL/do · do/da · da/dh · dh/db · db/dw₁ = −(y − o)·(1 − o²)·w₂·(1 − h²)·x.

Every gradient is written as the full product along each path from the loss, the factors in the order of the chain, as
long as that stays readable (`terms.MAX_FACTORS`, `terms.MAX_PATHS`); beyond that it continues from the gradient of the
consumer, so that the length of a derivation grows linearly with depth.
"""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core.graph import Node, reached
from symbackprop.core.maths import Derivative, Math, Words, chain
from symbackprop.render.abridging import DOTS
from symbackprop.render.context import Context, Writer, reads
from symbackprop.render.document import Line, Prose, Ref
from symbackprop.render.factors import Factor, cancelling
from symbackprop.render.print.text import text
from symbackprop.render.rules import joined, path_rules
from symbackprop.render.symbols import Group, Located
from symbackprop.render.views.terms import GAP, Term, Terms, depends, local, ordered_groups


class ScalarView(Writer):
    """Lines of the steps of a model in which everything is a scalar. A board ``explains`` no factors one by one."""

    explains = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.terms = Terms(context)
        self.beginnings: dict[tuple[tuple[int, int], ...], Located] = {}
        self.partial: dict[int, bool] = {}

    def close(self, s: Located, whole: Node) -> None:
        self.terms.close(s, whole)

    def lines(self, s: Located) -> tuple[Line, ...]:
        terms = self.terms.of(s)
        left = self.rows.gradients[s.step.target.id]
        if not any(t.pairs for t in terms):
            return (self._seed(s, left),)
        chain = self._chain(s, left, terms)
        inside = self._inside(s, terms) if self.explains or not chain else []
        found = [*chain, *inside, *self._final(s, left, terms)]
        self._remember(s, terms)
        self.settle(s)
        return tuple(_without_repetition(found))

    def _inside(self, s: Located, terms: Sequence[Term]) -> list[Line]:
        """The factors of the chain one by one."""
        parts = [g for g in ordered_groups(s, self.context) if g.consumer is not None]
        return [*self._cached(s, terms[0]), *[self._local(s, g) for g in self.rows.few(parts)]]

    def settle(self, s: Located) -> None:
        """From here on a step's gradient is what its last line says."""
        if not any(t.pairs for t in self.terms.of(s)):
            return
        if self._cancels(s):
            self.terms.shorten(s, Factor(s.step.total.attr.form, s.step.total.args))
        self.terms.settle(s)

    def _seed(self, s: Located, left: Math) -> Line:
        given = s.step.target is not self.context.loss
        reason = "upstream gradient, given" if given else "where the sweep starts"
        value = self.context.value(s.step.total)
        if given and value is not None and value.shown is not None:
            return Line("result", left, value.shown, (reason,), value=value)
        if given:
            return Line("result", left, Words("given"), ("the upstream gradient",), ":", value)
        return Line("result", left, self.rows.row(s.step.total), (reason,), value=value)

    # -- the chain rule over names
    def _chain(self, s: Located, left: Math, terms: Sequence[Term]) -> list[Line]:
        if len(terms) == 1 and len(terms[0].pairs) == 1 and terms[0].first is None:
            return []
        right = self.rows.total(terms, lambda t: (False, DOTS if t is GAP else chain(*self._names(t))))
        reason = "chain rule" if len(terms) == 1 else "chain rule, one term for each path"
        return [Line("chain", left, right, (reason,))]

    def _names(self, term: Term) -> list[Math]:
        start = term.first
        head = [] if start is None else [self.rows.linked.get(start.id) or self.rows.symbols[start.id]]
        steps = self.context.by_target
        return head + [self._derivative(c, a, self._is_partial(steps[a.id])) for c, a in term.pairs]

    def _derivative(self, consumer: Node, argument: Node, partial: bool) -> Math:
        plain = self.rows.plain
        return Derivative(plain[consumer.id], plain[argument.id], "∂" if partial or self.rows.partial else "d")

    def _is_partial(self, s: Located) -> bool:
        """Whether one consumer also depends on the target through another: what is held fixed has then to be said."""
        if s.number not in self.partial:
            consumers = [g.consumer for g in s.groups if g.consumer is not None]
            self.partial[s.number] = len(consumers) > 1 and depends(consumers, consumers)
        return self.partial[s.number]

    # -- factors known from before
    def _cached(self, s: Located, term: Term) -> list[Line]:
        consumers = [g.consumer for g in ordered_groups(s, self.context)]
        known = [self.context.by_target[c.id] for c in consumers if c is not None and self._is_known(c)]
        more = [self._known(k) for k in self.rows.few(known)[1:]]
        return [self._known(known[0], self._shared(s, term)), *more] if known else []

    def _is_known(self, consumer: Node) -> bool:
        """Whether the consumer's gradient was found; not that of the loss, nor one that is given."""
        return consumer.id in self.terms.closed or any(t.pairs for t in self.terms.found.get(consumer.id, ()))

    def _known(self, known: Located, shared: Prose = ()) -> Line:
        left, right = self.rows.linked[known.step.target.id], self.terms.substituted(self.terms.of(known))
        value = self.context.value(known.step.total)
        reason: Prose = ("cached: ", self.context.step_ref(known.step.target), *shared)
        return Line("cached", left, right, reason, value=value)

    def _shared(self, s: Located, term: Term) -> Prose:
        """How many of the first factors of a result another result already had."""
        known = [b for b in term.beginnings() if b in self.beginnings]
        if not self._is_result(s) or not known:
            return ()
        count, earlier = len(known[-1]), self.beginnings[known[-1]]
        name = self.rows.gradients[earlier.step.target.id]
        factors = "the first factor is" if count == 1 else f"the first {count} factors are"
        return (f"; {factors} shared with ", name, " (", Ref(earlier.anchor, f"step {earlier.number}"), ")")

    def _remember(self, s: Located, terms: Sequence[Term]) -> None:
        if self._is_result(s):
            for beginning in terms[0].beginnings()[:-1]:
                self.beginnings.setdefault(beginning, s)

    def _is_result(self, s: Located) -> bool:
        return s.step.target.name in self.context.wanted

    # -- local derivatives
    def _local(self, s: Located, group: Group) -> Line:
        consumer, factor, partial = group.consumer, local(group), self._is_partial(s)
        assert consumer is not None
        left = self._derivative(consumer, s.step.target, partial)
        rules = joined([r for c in group.contributions for r in path_rules(self.rows, c.path)])
        ref = self.context.equation_ref(consumer)
        reason = (*(() if ref is None else (ref, ": ")), *rules, *self.context.cached_forward(factor.used))
        fixed = self._held_fixed(s, consumer) if partial else ()
        return Line("local", left, factor.tree(self.rows), (*reason, *fixed), value=self.context.factor_value(factor))

    def held_fixed(self, s: Located) -> Prose:
        """What counts as a constant in each immediate partial of a step."""
        if not self._is_partial(s):
            return ()
        found: list[str | Math | Ref] = []
        for g in ordered_groups(s, self.context):
            fixed = () if g.consumer is None else self._held_fixed(s, g.consumer)
            if g.consumer is not None and fixed:
                found += [*fixed, " in ", self._derivative(g.consumer, s.step.target, True)]
        return tuple(found)

    def _held_fixed(self, s: Located, consumer: Node) -> Prose:
        """Which named quantities of the consumer also depend on the target and count as constants in an immediate
        partial."""
        target, named = s.step.target, self.context.derivation.names
        names: list[str | Math | Ref] = []
        for row in reached(consumer.args, lambda row: () if row.id in named else row.args):
            if row.id in named and row is not target and row.args and reads(row, target):
                names += [", " if names else "; ", self.rows.bare(row)]
        return (*names, " held fixed") if names else ()

    # -- what it comes to
    def _final(self, s: Located, left: Math, terms: Sequence[Term]) -> list[Line]:
        substituted = self.terms.substituted(terms)
        value = self.context.value(s.step.total)
        if self._cancels(s):
            return cancelling(self.rows, left, substituted, self.rows.row(s.step.total), value)
        short = self._shorter(terms, substituted)
        if short is None:
            return [Line("result", left, substituted, ("substituted",), value=value)]
        right, reason = short
        return [Line("substitution", left, substituted, ("substituted",)),
                Line("result", None, right, (reason,), value=value)]

    def _shorter(self, terms: Sequence[Term], substituted: Math) -> tuple[Math, str] | None:
        """A shorter form where there is one: the product folds. Of what is abridged none is sought."""
        if GAP in terms:
            return None
        whole = self.terms.folded(terms)
        if len(terms) == 1 and self.terms.is_as_put_in(terms[0], whole):
            return None
        folded = whole.tree(self.rows)
        return None if text(folded) == text(substituted) else (folded, "numbers, signs and powers collected")

    def _cancels(self, s: Located) -> bool:
        """Whether the sweep found upstream · local to be something that no longer reads upstream."""
        c, *others = s.step.contributions
        if others or c.upstream is None or c.upstream.value is not None or s.step.total.form is None:
            return False
        return not reads(c.value, c.upstream, self.rows.symbols)


def _without_repetition(lines: Sequence[Line]) -> list[Line]:
    """A single local derivative that is the result itself is one line, not two."""
    if [line.kind for line in lines] == ["local", "result"] and text(lines[0].right) == text(lines[1].right):
        local, result = lines
        return [Line("result", result.left, local.right, local.reason, value=result.value)]
    return list(lines)
