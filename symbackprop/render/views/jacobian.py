"""The Jacobian view: ∂s/∂b = ∂s/∂h · ∂h/∂z · ∂z/∂b = uᵀ · diag(1 − h²) · I, then in the shape of b.

Derivatives are in numerator layout: a row for every output, a column for every input. So the gradient of a scalar is a
row vector and the chain rule is a product of matrices from left to right. A vector's derivative in a matrix has three
axes and is never formed. Steps without Jacobian matrices (batches, loops) are written as in the matrix view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.maths import Math, MatMul, Transpose, chain, product
from symbackprop.core.pattern import Pattern
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, Group, groups
from symbackprop.render.document import Line
from symbackprop.render.factors import edge_factor
from symbackprop.render.jacobians import Factor, local_jacobian
from symbackprop.render.symbols import Located
from symbackprop.render.views.matrix import MatrixView, is_loop

MAX_FACTORS = 8

class JacobianView(MatrixView):
    """Lines of the steps as products of Jacobian matrices."""

    name = "jacobian"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.known: dict[int, tuple[Factor, ...]] = {}

    def lines(self, s: Located) -> tuple[Line, ...]:
        parts = groups(s)
        if len(parts) != 1 or parts[0].consumer is None or is_loop(parts[0]) or s.step.target.ndim > 2:
            return super().lines(s)
        path = parts[0].contributions[0].path
        if len(parts[0].contributions) > 1 or not self._before(parts[0].consumer):
            return super().lines(s)
        if s.step.target.ndim == 2:
            return self._of_matrix(s, parts[0], path)
        factor = self._factor(s, parts[0], path)
        return super().lines(s) if factor is None else self._of_vector(s, parts[0], factor)

    def _before(self, consumer: Node) -> bool:
        """Whether the consumer's own gradient is a product of Jacobians."""
        return consumer is self.context.loss or consumer.id in self.known

    def _factor(self, s: Located, group: Group, path: Sequence[Edge]) -> Factor | None:
        assert group.consumer is not None
        found = [local_jacobian(self.rows, edge) for edge in path]
        known = [x for x in found if x is not None]
        if len(known) < len(found):
            return None
        telling = [x for x in known if not x.identity] or known[:1]
        if len(telling) == 1:
            return replace(telling[0], consumer=group.consumer, argument=s.step.target)
        tree, flipped = chain(*[x.tree for x in telling]), chain(*[x.flipped for x in reversed(telling)])
        return Factor(group.consumer, s.step.target, tree, flipped)

    # -- vectors and scalars
    def _of_vector(self, s: Located, group: Group, factor: Factor) -> tuple[Line, ...]:
        assert group.consumer is not None
        before = self.known.get(group.consumer.id, ())
        whole = (*before, factor) if len(before) < MAX_FACTORS else (factor,)
        self.known[s.step.target.id] = whole
        left = self._by(s.step.target)
        local = Line("local", self._name(factor), factor.tree, self._reason(group))
        if not before:
            result = Line("result", left, local.right, local.reason, value=self.context.value(s.step.total))
            return (result, *self._formatted(s, factor.flipped))
        rule = Line("chain", left, chain(*[self._name(x) for x in whole]), ("chain rule",))
        put = Line("substitution", left, chain(*[x.tree for x in whole]), ("substituted",))
        column = self._formatted(s, self._column(group, factor))
        return (rule, self._known(group), local, put, self._short(group, factor), *column)

    def _name(self, factor: Factor) -> Math:
        return self._between(factor.consumer, factor.argument)

    def _short(self, group: Group, factor: Factor) -> Line:
        """The same from the consumer's δ."""
        diagonal = factor.diagonal is not None
        reason = "a diagonal matrix scales entry by entry" if diagonal else "the factors before are cached"
        return Line("result", None, self._row(group, factor), (reason,))

    def _row(self, group: Group, factor: Factor) -> Math:
        assert group.consumer is not None
        delta = self.rows.linked[group.consumer.id]
        if factor.identity:
            return delta
        if factor.diagonal is not None:
            return product(delta, Transpose(factor.diagonal))
        return chain(delta, factor.tree)

    def _column(self, group: Group, factor: Factor) -> Math:
        assert group.consumer is not None
        delta = self.rows.linked[group.consumer.id]
        column = Transpose(delta) if group.consumer.shape else delta
        return column if factor.identity else chain(factor.flipped, column)

    # -- matrices
    def _of_matrix(self, s: Located, group: Group, path: Sequence[Edge]) -> tuple[Line, ...]:
        """∂s/∂W = δᵀ xᵀ: the vector z depends on W only through z_i = Σ_j W_ij x_j."""
        consumer, other = group.consumer, _other_vector(path)
        if consumer is None or other is None:
            return super().lines(s)
        left, own = self._by(s.step.target), self._between(consumer, s.step.target)
        rule = Line("chain", left, chain(self._by(consumer), own), ("chain rule",))
        entry = MatMul(Transpose(self.rows.linked[consumer.id]), Transpose(self.rows.ref(other)))
        reason = (*self._reason(group), "; three axes, never formed")
        value = self.context.value(s.step.total)
        return rule, self._known(group), Line("result", left, entry, reason, value=value)

    # -- layout
    def _formatted(self, s: Located, column: Math) -> list[Line]:
        """The row vector as a column, which has the shape of the variable."""
        wanted = s.step.target.name in self.context.wanted and s.step.target.ndim == 1
        if self.context.layout == "jacobian" or not wanted:
            return []
        value = self.context.value(s.step.total)
        left = Transpose(self.rows.gradients[s.step.target.id])
        return [Line("layout", left, column, ("in the shape of the variable",), value=value)]


def _other_vector(path: Sequence[Edge]) -> Node | None:
    """x where the path is W ↦ W x, perhaps with a vector added."""
    last = path[-1]
    plain = all(e.consumer.op.name == "elementwise" and _is_one(e) for e in path[:-1])
    pattern = last.consumer.attr
    if not plain or not isinstance(pattern, Pattern) or pattern.cotangent(last.index).outer != (0, 1):
        return None
    return last.consumer.args[1 - last.index]


def _is_one(edge: Edge) -> bool:
    factor = edge_factor(edge)
    return factor is not None and factor.form == f.ONE
