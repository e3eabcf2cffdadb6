"""The matrix view: ∂L/∂W₂ = ∂L/∂Z₂ · ∂Z₂/∂W₂ = A₁ᵀ δ_Z₂. Jacobians of products are never formed.

Each intermediate's gradient is a δ of its own. A local derivative is written entry by entry where it is a formula
(∂A/∂Z = 1[Z > 0]), else as what it does to the upstream gradient (δ ↦ Aᵀ δ).
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Contribution
from symbackprop.render.context import Context, Group, groups, reads
from symbackprop.render.document import Line, Math, Prose
from symbackprop.render.factors import Factor, local_factor
from symbackprop.render.loops import shares
from symbackprop.render.notation_base import shaped
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.rules import joined, path_rules
from symbackprop.render.symbols import Located

SHORT = 14  # letters of a δ that is written out


class MatrixView:
    """Lines of the steps of a model with arrays."""

    name = "matrix"

    def __init__(self, context: Context) -> None:
        self.context, self.pen = context, context.pen

    def lines(self, s: Located) -> tuple[Line, ...]:
        left = self.pen(lambda n: n.gradients[s.step.target.id])
        parts = groups(s)
        if all(g.consumer is None for g in parts):
            return (self._seed(s, left, parts),)
        if len(parts) == 1 and is_loop(parts[0]):
            return self._over_steps(s, left, parts[0])
        if len(parts) == 1 and self._is_direct(parts[0]):
            return (self._direct(s, left, parts[0]),)
        known = [self._known(g) for g in parts if not is_loop(g) and self._has_symbol(g.consumer)]
        local = [self._local(s, g) for g in parts if g.consumer is not None and self._has_local(s, g)]
        return (self._chain(s, left, parts), *known, *local, *self._final(s, left, parts))

    def _has_local(self, s: Located, group: Group) -> bool:
        """Where upstream is a mere number, local derivative and product cannot be told apart."""
        if is_loop(group):
            return False
        c = group.contributions[0]
        read = c.upstream is not None and c.upstream.value is None and reads(c.value, c.upstream, self.pen.text.symbols)
        return read or self._is_direct(group) or self._entrywise(group, s.step.target) is not None

    def _is_direct(self, group: Group) -> bool:
        """Whether a branch has nothing before it: its consumer is the loss, or it is the upstream gradient itself."""
        return group.consumer is None or group.consumer is self.context.loss

    def _seed(self, s: Located, left: Math, parts: Sequence[Group]) -> Line:
        value = self.context.value(s.step.total)
        if s.step.target is self.context.loss:
            return Line("result", left, self.pen.row(s.step.total), ("where the sweep starts",), value=value)
        if s.depth:
            both = len(parts[0].contributions) > 1
            reason = "from the later steps, and from what reads it outside the loop" if both else "from the later steps"
            return Line("result", left, self._total(s), (reason,))
        given = Math("given", r"\text{given}")
        return Line("result", left, given, ("the upstream gradient",), ":", value)

    def _over_steps(self, s: Located, left: Math, group: Group) -> tuple[Line, ...]:
        """What a loop leaves for one of its arguments."""
        named = self.pen(lambda n: shares(n, self.context, group, written=False))
        written = self.pen(lambda n: shares(n, self.context, group, written=True))
        value = self.context.value(s.step.total)
        if named == written:
            return (Line("result", left, named, ("from the loop",), value=value),)
        chain = Line("chain", left, named, ("each step contributes, the others held fixed",))
        return chain, Line("result", None, written, ("one product over all steps",), value=value)

    def _direct(self, s: Located, left: Math, group: Group) -> Line:
        """∂L/∂t for a t that the loss reads itself: nothing to chain."""
        reason = self._reason(group)
        return Line("result", left, self._total(s), reason, value=self.context.value(s.step.total))

    def _total(self, s: Located) -> Math:
        """The gradient as later steps use it; another step's δ where it is the same row."""
        own = s.anchor
        total = s.step.total
        linked = self.pen.latex.symbols.get(total.id)
        if linked is not None and own not in Math("", linked.text).anchors:
            return self.pen.ref(total)
        return self.pen.row(total)

    def _has_symbol(self, consumer: Node | None) -> bool:
        """Whether the gradient of the consumer goes by a δ."""
        if consumer is None:
            return False
        n = self.pen.text
        return n.gradients[consumer.id] != n.derivative(n.loss, n.plain[consumer.id], True)

    # -- lines
    def _chain(self, s: Located, left: Math, parts: Sequence[Group]) -> Line:
        alone = len(parts) == 1
        right = self.pen(lambda n: n.sum([(False, self._branch(n, s, g, alone)) for g in parts]))
        reason = "chain rule" if len(parts) == 1 else "chain rule, one term for each branch"
        return Line("chain", left, right, (reason,))

    def _branch(self, n: RowNotation, s: Located, group: Group, alone: bool) -> Text:
        if group.consumer is None:
            return n.symbols[group.contributions[0].value.id]
        if is_loop(group):
            return shares(n, self.context, group, written=False)
        loss, consumer, target = n.loss, n.plain[group.consumer.id], n.plain[s.step.target.id]
        if group.consumer is self.context.loss:
            direct = n.derivative(loss, target, True)
            return direct if alone else n.directly(direct)
        return n.chain([n.derivative(loss, consumer, True), n.derivative(consumer, target, True)])

    def _known(self, group: Group) -> Line:
        consumer = group.consumer
        assert consumer is not None
        left = self.pen(lambda n: n.derivative(n.loss, n.plain[consumer.id], True))
        right = self.pen(lambda n: n.linked_gradients[consumer.id])
        reason: Prose = ("cached: ", self.context.step_ref(consumer))
        return Line("cached", left, right, reason)

    def _local(self, s: Located, group: Group) -> Line:
        consumer = group.consumer
        assert consumer is not None
        alone = consumer is not self.context.loss
        left = self.pen(lambda n: self._local_name(n, consumer, s.step.target, alone))
        factor = self._entrywise(group, s.step.target)
        reason = self._reason(group, "entry by entry, " if factor is not None and s.step.target.shape else "")
        if factor is not None:
            return Line("local", left, self.pen(factor.text), reason, value=self.context.factor_value(factor))
        upstream = group.contributions[0].upstream
        if self._is_direct(group) or upstream is None:
            return Line("local", left, self.pen(lambda n: contributed(n, group.contributions, s.step.total)), reason)
        return Line("local", left, self.pen(lambda n: self._pullback(n, s, group, upstream)), reason, ":")

    def _local_name(self, n: RowNotation, consumer: Node, target: Node, alone: bool) -> Text:
        derivative = n.derivative(n.plain[consumer.id], n.plain[target.id], True)
        return derivative if alone else n.directly(derivative)

    def _entrywise(self, group: Group, target: Node) -> Factor | None:
        """The local derivative as a formula, when consumer and target have the same entries."""
        edges = [e for c in group.contributions for e in c.path]
        if not all(same_shape(e.argument.shape, e.consumer.shape) for e in edges):
            return None
        return local_factor(group.contributions)

    def _pullback(self, n: RowNotation, s: Located, group: Group, upstream: Node) -> Text:
        """δ ↦ what becomes of it."""
        delta = shaped(Text("δ" if n is self.pen.text else r"\delta"), upstream.ndim)
        with n.called(upstream, delta):
            image = contributed(n, group.contributions, s.step.total)
        return n.maps_to(delta, image)

    def _reason(self, group: Group, before: str = "") -> Prose:
        consumer = group.consumer
        assert consumer is not None
        rules = list(dict.fromkeys(r for c in group.contributions for r in path_rules(self.pen, c.path)))
        ref = self.context.equation_ref(consumer)
        return (*(() if ref is None else (ref, ": ")), before, *joined(rules))

    # -- what it comes to
    def _final(self, s: Located, left: Math, parts: Sequence[Group]) -> list[Line]:
        value = self.context.value(s.step.total)
        inner = [g for g in parts if g.consumer is not None and not is_loop(g)]
        untold = [self._reason(g) for g in inner if not self._has_local(s, g)]
        reason: Prose = joined(untold) if untold else ("put together",)
        result = Line("result", left, self._total(s), reason, value=value)
        product = self._product(s, parts)
        if product is None:
            return [result, *self._written_out(s, parts)]
        line = Line("substitution", left, product, ("substituted",))
        return [line, Line("result", None, result.right, ("common factors cancel",), value=value)]

    def _written_out(self, s: Located, parts: Sequence[Group]) -> list[Line]:
        """(ŷ − y) xᵀ beside δ_z xᵀ: the gradient of a leaf in terms of the forward pass, where its δ is short."""
        contributions = parts[0].contributions
        upstream = contributions[0].upstream
        if len(parts) > 1 or s.depth or s.step.target.args or upstream is None or not self._is_short(upstream):
            return []

        def write(n: RowNotation) -> Text:
            number, rest = n.split(upstream)
            if s.step.total is upstream:
                return n.scaled(number, [rest])
            with n.called(upstream, rest):
                return n.scaled(number, [contributed(n, contributions, s.step.total)])

        return [Line("result", None, self.pen(write), ("written out",))]

    def _is_short(self, upstream: Node) -> bool:
        """Whether a δ is some few letters of the forward pass."""
        written = self.pen.text.row(upstream).text
        return bool(upstream.args) and len(written) <= SHORT and "δ" not in written and "∂" not in written

    def _product(self, s: Located, parts: Sequence[Group]) -> Math | None:
        """Upstream times local derivative before it was shortened, when it was."""
        shortened = self._shortened(s, parts)
        if shortened is None:
            return None
        upstream, factor = shortened
        return self.pen(lambda n: self._unshortened(n, upstream, factor))

    def _shortened(self, s: Located, parts: Sequence[Group]) -> tuple[Node, Factor] | None:
        """The upstream gradient and the local derivative whose product no longer reads the former."""
        c, factor = parts[0].contributions[0], self._entrywise(parts[0], s.step.target)
        if len(parts) > 1 or factor is None or c.upstream is None or c.upstream.value is not None:
            return None
        return None if reads(c.value, c.upstream, self.pen.text.symbols) else (c.upstream, factor)

    def _unshortened(self, n: RowNotation, upstream: Node, factor: Factor) -> Text:
        number, rest = n.split(upstream)
        return n.scaled(number, [rest, *factor.texts(n)])


def is_loop(group: Group) -> bool:
    """Whether a branch goes through a loop as a whole."""
    return group.consumer is not None and group.consumer.op.name == "scan"


def contributed(n: RowNotation, contributions: Sequence[Contribution], own: Node) -> Text:
    """What the paths of one branch add up to; ``own`` is the row of the step itself, written out."""
    terms = [n.split(c.value) if c.value is own and c.value.value is None else n.term(c.value) for c in contributions]
    signed = [(f.is_negative(t.number), n.scaled(abs_number(t.number), [t.rest])) for t in terms]
    return n.sum(signed) if len(signed) > 1 or signed[0][0] else signed[0][1]


def abs_number(value: sp.Expr) -> sp.Expr:
    return -value if f.is_negative(value) else value
