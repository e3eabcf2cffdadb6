"""The matrix view: ∂L/∂W₂ = ∂L/∂Z₂ · ∂Z₂/∂W₂ = A₁ᵀ δ_Z₂. Jacobians of products are never formed.

Each intermediate's gradient is a δ of its own. A local derivative is written entry by entry where it is a formula
(∂A/∂Z = 1[Z > 0]), else as what it does to the upstream gradient (δ ↦ Aᵀ δ).
"""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core import formula as f
from symbackprop.core.accumulate import joined as joined_pads
from symbackprop.core.facts import is_product
from symbackprop.core.graph import Node
from symbackprop.core.loops import body_leaf
from symbackprop.core.maths import (
    Delta,
    Derivative,
    Marked,
    Math,
    Relation,
    Sum,
    Words,
    anchors,
    chain,
    shaped,
    total,
    walk,
    within,
)
from symbackprop.core.reverse import vjp
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Contribution
from symbackprop.render.context import Context, Writer, is_loop, reads
from symbackprop.render.document import Line, Prose
from symbackprop.render.factors import Factor, cancelling
from symbackprop.render.loops import is_shared, read_as, shares
from symbackprop.render.print.text import text
from symbackprop.render.rows import Rows
from symbackprop.render.rules import joined, path_rules
from symbackprop.render.symbols import Group, Located

SHORT = 14  # letters of a δ that is written out
LATER, OUTSIDE = "from the later steps", "from what reads it outside the loop"


class MatrixView(Writer):
    """Lines of the steps of a model with arrays."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.closed: dict[int, Node] = {}  # the closed forms of gradients that have been written

    def close(self, s: Located, whole: Node) -> None:
        self.closed[s.step.total.id] = whole

    def _own(self, node: Node) -> Math:
        """The left side of what a gradient is in the row's own shape."""
        return self.rows.gradients[node.id]

    def lines(self, s: Located) -> tuple[Line, ...]:
        left = self._own(s.step.target)
        parts = s.groups
        if all(g.consumer is None for g in parts):
            return (self._seed(s, left, parts),)
        if len(parts) == 1 and is_loop(parts[0]):
            return self._over_steps(s, left, parts[0])
        if len(parts) == 1 and self._is_direct(parts[0]):
            return (self._direct(s, left, parts[0]),)
        few = self.rows.few(parts)
        known = [self._known(g) for g in few if not is_loop(g) and self._has_symbol(g.consumer)]
        local = [x for g in few if g.consumer is not None and not is_loop(g) for x in self._locals(s, g)]
        return (self._chain(s, parts), *known, *local, *self._final(s, left, parts))

    def _is_direct(self, group: Group) -> bool:
        """Whether a branch has nothing before it: its consumer is the loss, or it is the upstream gradient itself."""
        return group.consumer is None or group.consumer is self.context.loss

    def _seed(self, s: Located, left: Math, parts: Sequence[Group]) -> Line:
        value = self.context.value(s.step.total)
        if s.step.target is self.context.loss:
            return Line("result", left, self.rows.row(s.step.total), ("where the sweep starts",), value=value)
        if s.depth:
            return Line("result", left, self._total(s), (self._whence(parts[0]),))
        given = self.rows.gradients[s.step.target.id]
        return Line("result", given, Words("given"), ("the upstream gradient",), ":", value)

    def _whence(self, group: Group) -> str:
        """Where what enters a step of a loop backwards comes from."""
        entering = [within(self.rows.symbols[c.value.id]) for c in group.contributions]
        carried = {isinstance(x, Marked) for x in entering}
        places = [place for is_carried, place in ((True, LATER), (False, OUTSIDE)) if is_carried in carried]
        return ", and ".join(places)

    def _over_steps(self, s: Located, left: Math, group: Group) -> tuple[Line, ...]:
        """What a loop leaves for one of its arguments."""
        named, written = (shares(self.context, group, written) for written in (False, True))
        symbol = self.rows.gradients[s.step.target.id]
        value = self.context.value(s.step.total)
        if named == written:
            return (Line("result", symbol, named, ("from the loop",), value=value),)
        rule = Line("chain", symbol, named, ("each step contributes, the others held fixed",))
        same = None if left is symbol else left
        step = self.context.by_target[read_as(group).id].step.total
        reason = "one product over all steps" if is_product(step) and len(step.args) > 1 else "put together"
        return rule, Line("result", same, written, (reason,), value=value)

    def _direct(self, s: Located, left: Math, group: Group) -> Line:
        """∂L/∂t for a t that the loss reads itself: nothing to chain."""
        reason = self._reason(group)
        return Line("result", left, self._total(s), reason, value=self.context.value(s.step.total))

    def _total(self, s: Located) -> Math:
        """The gradient as later steps use it; another step's δ where it is the same row."""
        row = s.step.total
        symbol = self.rows.symbols.get(row.id)
        own = symbol is not None and anchors(symbol) == (s.anchor,)
        return self.rows.row(row) if symbol is None or own else symbol

    def _has_symbol(self, consumer: Node | None) -> bool:
        """Whether the gradient of the consumer goes by a δ."""
        if consumer is None:
            return False
        return within(self.rows.gradients[consumer.id]) != self._by(consumer)

    def _by(self, node: Node) -> Math:
        """∂L/∂node."""
        return Derivative(self.rows.loss, self.rows.plain[node.id])

    def _between(self, consumer: Node, target: Node) -> Math:
        """∂consumer/∂target."""
        return Derivative(self.rows.plain[consumer.id], self.rows.plain[target.id])

    # -- lines
    def _chain(self, s: Located, parts: Sequence[Group]) -> Line:
        alone = len(parts) == 1
        right = self.rows.total([x for g in parts for x in self._branch(s, g, alone)], lambda x: (False, x))
        reason = "chain rule" if len(parts) == 1 else "chain rule, one term for each branch"
        return Line("chain", self.rows.gradients[s.step.target.id], right, (reason,))

    def _branch(self, s: Located, group: Group, alone: bool) -> list[Math]:
        """What one branch adds; a step of a loop may get gradients from later steps and from what reads it outside."""
        consumer, target = group.consumer, s.step.target
        if consumer is None:
            return [self.rows.symbols[c.value.id] for c in group.contributions]
        if is_loop(group):
            return [shares(self.context, group, written=False)]
        if consumer is self.context.loss:
            return [self._by(target) if alone else Marked(self._by(target), "direct")]
        return [chain(self._by(consumer), self._between(consumer, target))]

    def _known(self, group: Group) -> Line:
        consumer = group.consumer
        assert consumer is not None
        reason: Prose = ("cached: ", self.context.step_ref(consumer))
        return Line("cached", self._by(consumer), self.rows.linked[consumer.id], reason)

    def _locals(self, s: Located, group: Group) -> tuple[Line, ...]:
        return (self._local(s, group),)

    def _local(self, s: Located, group: Group) -> Line:
        consumer = group.consumer
        assert consumer is not None
        left = self._between(consumer, s.step.target)
        left = Marked(left, "direct") if consumer is self.context.loss else left
        factor = self._entrywise(group, s.step.target)
        reason = self._reason(group, "entry by entry, " if factor is not None and s.step.target.shape else "")
        if factor is not None:
            return Line("local", left, factor.tree(self.rows), reason, value=self.context.factor_value(factor))
        upstream = group.contributions[0].upstream
        if self._is_direct(group) or upstream is None:
            return Line("local", left, contributed(self.rows, group.contributions, s.step.total), reason)
        return Line("local", left, self._pullback(s, group, upstream), reason, ":")

    def _entrywise(self, group: Group, target: Node) -> Factor | None:
        """The local derivative as a formula, when consumer and target have the same entries."""
        edges = [e for c in group.contributions for e in c.path]
        if not all(same_shape(e.argument.shape, e.consumer.shape) for e in edges):
            return None
        return group.local

    def _pullback(self, s: Located, group: Group, upstream: Node) -> Math:
        """δ ↦ what becomes of it."""
        delta = shaped(self.rows.upstream, upstream.shape)
        value = group.contributions[0].value
        apart = upstream.value is None and upstream.id not in self.context.derivation.forward_ids
        known = [c.value for c in group.contributions if c.value not in (s.step.total, upstream)]
        apart = apart and not any([row.id in self.rows.symbols for row in known])  # δ_a says nothing of δ
        if not apart or not reads(value, upstream, self.rows.symbols):
            return Relation(delta, "↦", self._image(group, s.step.target, delta))
        with self.rows.called(upstream, delta):
            image = contributed(self.rows, group.contributions, s.step.total)
        return Relation(delta, "↦", image)

    def _image(self, group: Group, target: Node, delta: Math) -> Math:
        """What becomes of δ where the upstream gradient is a number, or a value of the forward pass, which the local
        derivative may read as well: a row of its own goes from the consumer to the target, past no other named row."""
        assert group.consumer is not None
        seed = body_leaf(target.graph, "upstream", group.consumer.shape)
        (image,) = vjp([group.consumer], [seed], [target], frozenset(self.rows.symbols) - {group.consumer.id})
        with self.rows.called(seed, delta):
            return self.rows.scaled(*self.rows.term(image))

    def _reason(self, group: Group, before: str = "") -> Prose:
        consumer = group.consumer
        assert consumer is not None
        rules = list(dict.fromkeys(r for c in group.contributions for r in path_rules(self.rows, c.path)))
        ref = self.context.equation_ref(consumer)
        return (*(() if ref is None else (ref, ": ")), before, *joined(rules))

    # -- what it comes to
    def _final(self, s: Located, left: Math, parts: Sequence[Group]) -> list[Line]:
        value = self.context.value(s.step.total)
        shared = any(is_shared(self.context, g) for g in parts)
        right = self._with_shares(s, parts) if shared else self._total(s)
        result = Line("result", left, right, ("put together",), value=value)
        product = self._product(s, parts)
        if product is None:
            return [result, *self._written_out(s, parts)]
        return cancelling(self.rows, left, product, result.right, value)

    def _with_shares(self, s: Located, parts: Sequence[Group]) -> Math:
        """The sum over the branches of a gradient, some of which are what the steps of a loop contribute."""
        found: list[tuple[bool, Math]] = []
        for g in parts:
            whole = shares(self.context, g, written=True) if is_shared(self.context, g) else None
            m = within(contributed(self.rows, g.contributions, s.step.total) if whole is None else whole)
            found += m.terms if isinstance(m, Sum) else [(False, m)]
        return total(*found)

    def _written_out(self, s: Located, parts: Sequence[Group]) -> list[Line]:
        """(ŷ − y) xᵀ beside δ_z xᵀ: the gradient of a leaf in terms of the forward pass, where its δ is short."""
        contributions = parts[0].contributions
        upstream = contributions[0].upstream
        if len(parts) > 1 or s.depth or s.step.target.args or upstream is None or not self._is_short(upstream):
            return []
        if upstream.id in self.context.derivation.forward_ids or not reads(contributions[0].value, upstream):
            return []
        row = self.closed.get(upstream.id, self.rows.read_as.get(upstream.id, upstream))
        number, rest = (self.rows.term if row.id in self.context.derivation.forward_ids else self.rows.split)(row)
        if s.step.total is not upstream:
            plain = contributed(self.rows, contributions, s.step.total)
            with self.rows.called(upstream, rest):
                rest = contributed(self.rows, contributions, s.step.total)
            if rest == plain:  # it reads the δ by way of another gradient
                return []
        return [Line("result", None, self.rows.scaled(number, rest), ("written out",))]

    def _is_short(self, upstream: Node) -> bool:
        """Whether a δ is some few letters of the forward pass."""
        written = self.rows.row(upstream)
        found = any(isinstance(m, (Delta, Derivative)) for m in walk(written))
        return bool(upstream.args) and not found and len(text(written)) <= SHORT

    def _product(self, s: Located, parts: Sequence[Group]) -> Math | None:
        """Upstream times local derivative before it was shortened, when it was."""
        shortened = self._shortened(s, parts)
        if shortened is None:
            return None
        upstream, factor = shortened
        number, rest = self.rows.split(upstream)
        return self.rows.scaled(number, rest, *factor.trees(self.rows))

    def _shortened(self, s: Located, parts: Sequence[Group]) -> tuple[Node, Factor] | None:
        """The upstream gradient and the local derivative whose product no longer reads the former."""
        c, factor = parts[0].contributions[0], self._entrywise(parts[0], s.step.target)
        if len(parts) > 1 or factor is None or c.upstream is None or c.upstream.value is not None:
            return None
        return None if reads(c.value, c.upstream, self.rows.symbols) else (c.upstream, factor)


def contributed(r: Rows, contributions: Sequence[Contribution], own: Node) -> Math:
    """What the paths of one branch add up to; ``own`` is the row of the step itself, written out."""
    def term(row: Node) -> tuple[bool, Math]:
        t = r.split(row) if row is own and row.value is None else r.term(row)
        is_negative = f.is_negative(t.number)
        return is_negative, r.scaled(-t.number if is_negative else t.number, t.rest)

    return r.total(joined_pads([c.value for c in contributions]), term)
