"""The Jacobian view: ∂s/∂b = ∂s/∂h · ∂h/∂z · ∂z/∂b = uᵀ · diag(1 − h²) · I, then in the shape of b.

Derivatives are in numerator layout: a row for every output, a column for every input. So the gradient of a scalar is a
row vector and the chain rule is a product of matrices from left to right. A vector's derivative in a matrix has three
axes and is never formed: it is told by its entry, as the Jacobians of all arrays are (batches, loops), whose steps are
else written as in the matrix view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.maths import (
    Derivative,
    Entry,
    Letter,
    Math,
    MatMul,
    Num,
    Outer,
    Prod,
    Shape,
    Sum,
    at,
    chain,
    product,
    turned,
    within,
)
from symbackprop.core.noughts import without_weights
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import ONE, same_shape
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, is_loop
from symbackprop.render.document import Line, Prose
from symbackprop.render.entries import BETWEEN, Entries, index_of
from symbackprop.render.factors import Factor as Entrywise
from symbackprop.render.factors import edge_factor
from symbackprop.render.jacobian_entries import jacobian_entry
from symbackprop.render.loops import read_as
from symbackprop.render.rows import Rows
from symbackprop.render.symbols import Group, Located, LoopMark
from symbackprop.render.views.matrix import MatrixView


# -- Jacobian matrices of single rows in one argument: diag(1 − h²), W, uᵀ, I
@dataclass(frozen=True)
class Factor:
    """A Jacobian: of which consumer in which argument, how it and its transpose are written. ``identity``: it is I (1
    among scalars). ``diagonal``: what stands on its diagonal where it has no other entries. ``start``: it is the
    derivative of the loss, which a chain begins with."""

    consumer: Node
    argument: Node
    tree: Math
    flipped: Math
    identity: bool = False
    diagonal: Math | None = None
    start: bool = False


def local_jacobian(r: Rows, edge: Edge) -> Factor | None:
    """The Jacobian of one row in one argument, both scalars or vectors."""
    row, argument = edge.consumer, edge.argument
    if row.ndim > 1 or argument.ndim > 1:
        return None
    return _elementwise(r, edge) if row.form is not None else _structural(r, edge)


def _elementwise(r: Rows, edge: Edge) -> Factor | None:
    factor, ends = edge_factor(edge), (edge.consumer, edge.argument)
    if factor is None or not same_shape(edge.consumer.shape, edge.argument.shape):
        return None
    tree = factor.tree(r)
    if not edge.consumer.shape:
        return Factor(*ends, tree, tree, factor.form == f.ONE)
    matrix = diagonal(r, factor, edge.argument.shape[0])
    return Factor(*ends, matrix, matrix, factor.form == f.ONE, None if is_number(factor) else tree)


def is_number(factor: Entrywise) -> bool:
    """Whether a local derivative is the same for all entries."""
    return not any(factor.rows[k].shape for k in f.arguments(without_weights(factor.form)))


def diagonal(r: Rows, factor: Entrywise, size: sp.Expr) -> Math:
    """The Jacobian of a function that works entry by entry: diag(1 − h²), 2I, I."""
    if factor.form == f.ONE:
        return r.identity(size)
    if isinstance(factor.form, f.Num):
        return r.scaled(factor.form.value, r.identity(size))
    return product(factor.tree(r), r.identity(size)) if is_number(factor) else r.diagonal(factor.tree(r))


def _structural(r: Rows, edge: Edge) -> Factor | None:
    row, ends = edge.consumer, (edge.consumer, edge.argument)
    found = row.attr.matmul() if isinstance(row.attr, Pattern) else None
    if found is not None and len(row.args) == 2:
        place = 1 - edge.index
        other, flip = row.args[place], found.flips[found.order.index(place)] or not row.shape
        both = [r.ref(other), turned(r.ref(other))]
        return Factor(*ends, both[flip], both[not flip])
    if is_sum(row) and not row.shape:
        ones = r.filled(f.ONE.value, edge.argument.shape)
        return Factor(*ends, turned(ones), ones)
    if row.op.distribution:
        p = r.ref(row)
        matrix = Sum(((False, r.diagonal(p)), (True, MatMul(p, turned(p)))))  # diag(p) − p pᵀ
        return Factor(*ends, matrix, matrix)
    return None


def kronecker(r: Rows, edge: Edge) -> Math | None:
    """X ⊗ I, where a matrix is multiplied by another one or by a vector: the derivative of the rows of the product, one
    behind the other, in those of the matrix. None where their order is another one."""
    row, pattern = edge.consumer, edge.consumer.attr
    if not isinstance(pattern, Pattern) or len(pattern.ins) != 2 or len(pattern.ins[edge.index]) != 2:
        return None
    own, other, out = pattern.ins[edge.index], pattern.ins[1 - edge.index], pattern.out
    first, last = own[0], own[1]
    if len(other) != len(out) or not 1 <= len(out) <= 2:
        return None
    factor = r.ref(row.args[1 - edge.index])

    def matrix(axes: str) -> Math:
        """The other factor with its axes in this order; a vector is a row."""
        return factor if len(other) == 2 and other == axes else turned(factor)

    if out[0] == first and last not in out:
        return Outer(r.identity(row.shape[0]), matrix(out[1:] + last), blocks=True)
    if out[-1] == last and first not in out:
        return Outer(matrix(out[:-1] + first), r.identity(row.shape[-1]), blocks=True)
    return None


MAX_FACTORS = 8


class JacobianView(MatrixView):
    """Lines of the steps as products of Jacobian matrices. The derivative of the loss in a vector is a row; where a
    step is not written with Jacobians it is transposed, since a gradient has the shape of its variable."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.known: dict[int, tuple[Factor, ...]] = {}
        vectors = {row.id for row in self._gradients() if row.ndim == 1}
        symbols, self.rows.maps = self.rows.symbols, False
        called = {symbols[i] for i in vectors & symbols.keys()}  # also what stands in their place in closed form
        self.rows.symbols |= {i: turned(x) for i, x in symbols.items() if x in called}

    def _gradients(self) -> Iterator[Node]:
        """The rows that are gradients by their names."""
        forward = self.context.derivation.forward_ids
        yield from (s.step.total for s in self.context.steps if s.step.total.id not in forward)
        yield from self.context.derivation.model.upstream.values()
        for mark in self.context.located:
            if isinstance(mark, LoopMark):
                loop = mark.loop.reverse.attr
                yield from (x for x in loop.leaves() if isinstance(x.attr, Leaf) and x.attr.role.endswith("cotangent"))

    def _gradient(self, node: Node) -> Math:
        """What the gradient of a row is called in the row's own shape, with a link to where it is found."""
        symbol = self.rows.linked[node.id]
        return turned(symbol) if node.ndim == 1 else symbol

    def _own(self, node: Node) -> Math:
        """∇_W s, in the shape of W; what goes by a δ is called so, a vector's by its transpose."""
        symbol = super()._own(node)
        if node.ndim and isinstance(within(symbol), Derivative):
            return self.rows.nabla(self.rows.plain[node.id])
        return turned(symbol) if node.ndim == 1 else symbol

    def shortest(self, s: Located, whole: Node) -> tuple[Math, Math]:
        return self._own(s.step.target), super().shortest(s, whole)[1]

    def lines(self, s: Located) -> tuple[Line, ...]:
        found = self._with_jacobians(s)
        if found is not None:
            return found
        target = s.step.target
        if target.ndim < 2 and not s.depth and target is not self.context.loss:  # a later step may go on from here
            self.known[target.id] = (self._start(target),)
        return super().lines(s)

    def _start(self, target: Node) -> Factor:
        """∂L/∂target, found before, as the first factor of a chain."""
        symbol = self.rows.linked[target.id]
        return Factor(target, target, symbol, turned(symbol) if target.ndim else symbol, start=True)

    def _with_jacobians(self, s: Located) -> tuple[Line, ...] | None:
        """The lines of a step whose chain is one product of Jacobian matrices."""
        parts, target = s.groups, s.step.target
        consumer = parts[0].consumer
        if len(parts) > 1 or consumer is None or is_loop(parts[0]) or s.depth or target.ndim > 2:
            return None
        if len(parts[0].contributions) > 1 and consumer is not self.context.loss:
            return None
        if consumer is not self.context.loss and consumer.id not in self.known:
            return None
        path = parts[0].contributions[0].path
        if target.ndim == 2:
            return self._of_matrix(s, parts[0], path)
        factor = self._factor(s, parts[0], path)
        return None if factor is None else self._of_vector(s, parts[0], factor)

    def _factor(self, s: Located, group: Group, path: Sequence[Edge]) -> Factor | None:
        assert group.consumer is not None
        found = [local_jacobian(self.rows, edge) for edge in path] if len(group.contributions) == 1 else [None]
        known = [x for x in found if x is not None]
        if len(known) < len(found):
            return self._of_loss(s) if group.consumer is self.context.loss else None
        telling = [x for x in known if not x.identity] or known[:1]
        if len(telling) == 1:
            return replace(telling[0], consumer=group.consumer, argument=s.step.target)
        arrays = [x for x in telling if not isinstance(within(x.tree), Num)]
        number = sp.Mul(*[x.tree.value for x in telling if isinstance(x.tree, Num)])
        forth, back = [x.tree for x in arrays], [x.flipped for x in reversed(arrays)]
        tree, flipped = (self.rows.scaled(number, *([chain(*x)] if x else [])) for x in (forth, back))
        return Factor(group.consumer, s.step.target, tree, flipped)

    def _of_loss(self, s: Located) -> Factor | None:
        """The Jacobian of the loss itself, by the rules of its functions."""
        if self.context.loss is None:
            return None
        gradient, target = self._total(s), s.step.target
        return Factor(self.context.loss, target, turned(gradient) if target.ndim else gradient, gradient)

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
        known = (self._known(group),) if self._has_symbol(group.consumer) else ()
        put = Line("substitution", left, chain(*[x.tree for x in whole]), ("substituted", *sizes(*map(_ends, whole))))
        column = self._formatted(s, self._column(group, factor))
        return (rule, *known, local, put, *self._short(group, factor, put), *column)

    def _name(self, factor: Factor) -> Math:
        return self._by(factor.argument) if factor.start else self._between(factor.consumer, factor.argument)

    def _short(self, group: Group, factor: Factor, put: Line) -> list[Line]:
        """The same from the consumer's δ, unless that was just written."""
        scales = factor.diagonal is not None
        reason = "a diagonal matrix scales entry by entry" if scales else "the factors before are cached"
        row, (rows, columns) = self._row(group, factor), _ends(factor)
        told = () if factor.identity or scales else sizes((ONE, rows), (rows, columns))
        return [] if row == put.right else [Line("result", None, row, (reason, *told))]

    def _row(self, group: Group, factor: Factor) -> Math:
        assert group.consumer is not None
        delta = self.rows.linked[group.consumer.id]
        if factor.identity:
            return delta
        if factor.diagonal is not None:
            return product(delta, turned(factor.diagonal))
        return chain(delta, factor.tree)

    def _column(self, group: Group, factor: Factor) -> Math:
        assert group.consumer is not None
        column = self._gradient(group.consumer)
        if factor.identity:
            return column
        return chain(factor.flipped, column) if group.consumer.ndim else chain(column, factor.flipped)

    # -- matrices
    def _of_matrix(self, s: Located, group: Group, path: Sequence[Edge]) -> tuple[Line, ...] | None:
        """∂s/∂W = δᵀ xᵀ: the vector z depends on W only through z_i = Σ_j W_ij x_j."""
        consumer, other = group.consumer, _other_vector(path)
        if consumer is None or other is None:
            return None
        left, own = self._by(s.step.target), self._between(consumer, s.step.target)
        rule = Line("chain", left, chain(self._by(consumer), own), ("chain rule",))
        entry = MatMul(self._gradient(consumer), turned(self.rows.ref(other)))
        rows, columns = s.step.target.shape
        reason = (*self._reason(group), "; three axes, never formed", *sizes((rows, ONE), (ONE, columns)))
        value = self.context.value(s.step.total)
        known = (self._known(group),) if self._has_symbol(consumer) else ()
        entries, whole = self._by_entries(s, group), self._kronecker(s, path)
        proof = () if entries is None else (entries, *self._entry_of_outer(consumer, other, entries))
        result = Line("result", self._own(s.step.target), entry, reason, value=value)
        return (rule, *known, *proof, *([] if whole is None else [whole]), result)

    def _entry_of_outer(self, consumer: Node, other: Node, local: Line) -> tuple[Line, ...]:
        """∂s/∂W_ij = Σ_k ∂s/∂z_k·x_j·1[k = i] = ∂s/∂z_i·x_j; nothing where an axis of size 1 has no index."""
        match local.left:
            case Derivative(Entry(whole, (Letter() as k,)), Entry(_, (i, j)) as bottom):
                entry, loss = local.right, self.rows.loss
            case _:
                return ()
        factors = entry.factors if isinstance(entry, Prod) and entry.number == 1 else (entry,)
        put = product(Derivative(loss, at(whole, k)), *factors)
        summed = Entries(self.rows, ()).sum(put, [k], consumer.shape)
        settled = product(Derivative(loss, at(whole, i)), at(self.rows.ref(other), j))
        return (Line("local", Derivative(loss, bottom), summed, ("chain rule",)),
                Line("local", None, settled, ("the terms with equal indices remain",)))

    def _kronecker(self, s: Located, path: Sequence[Edge]) -> Line | None:
        """∂vec(Y)/∂vec(W) = X ⊗ I; None where it is no Kronecker product."""
        last, consumer, target = path[-1], path[0].consumer, s.step.target
        plain = all(e.consumer.form is not None and _is_one(e) for e in path[:-1])
        found = kronecker(self.rows, last) if plain and consumer.shape == last.consumer.shape else None
        if found is None:
            return None
        top, bottom = (self.rows.vec(x) for x in (consumer, target))
        size = Shape(tuple([sp.Mul(*x.shape) for x in (consumer, target)]), self.rows.order)
        return Line("local", Derivative(top, bottom), found, ("as a matrix; ", "[", size, "]"))

    # -- steps in matrix form
    def _locals(self, s: Located, group: Group) -> tuple[Line, ...]:
        alone = len(group.contributions) == 1
        whole = self._kronecker(s, group.contributions[0].path) if alone else None
        return (*super()._locals(s, group), *([] if whole is None else [whole]))

    def _local(self, s: Located, group: Group) -> Line:
        line, consumer = super()._local(s, group), group.consumer
        assert consumer is not None
        if consumer is self.context.loss:
            is_row = s.step.target.ndim == 1 and line.left is not None
            return replace(line, left=turned(line.left)) if is_row and line.left else line
        factor = self._entrywise(group, s.step.target)
        if factor is None or consumer.ndim > 1:
            return self._by_entries(s, group) or line
        if consumer.ndim != 1:
            return line
        tree = diagonal(self.rows, factor, consumer.shape[0])
        return replace(line, right=tree, reason=self._reason(group))

    def _by_entries(self, s: Located, group: Group) -> Line | None:
        """A Jacobian of arrays, which has more than two axes, by its entry; None where that has no short form."""
        consumer, target = group.consumer, s.step.target
        assert consumer is not None
        wanted = index_of(self.rows, target, batch=False)
        index = index_of(self.rows, consumer, BETWEEN, wanted)
        entries = Entries(self.rows, (*wanted, *index))
        entry = jacobian_entry(entries, group.paths, index, wanted)
        if entry is None:
            return None
        pairs = ((consumer, index), (target, wanted))
        top, bottom = (entries.named(row, self.rows.plain[row.id], k) for row, k in pairs)
        return Line("local", Derivative(top, bottom), entry, self._reason(group))

    def _branch(self, s: Located, group: Group, alone: bool) -> list[Math]:
        """A row, also where what is given or comes out of a loop has the shape of the variable."""
        terms = super()._branch(s, group, alone)
        given = group.consumer is None or (is_loop(group) and not self._has_shares(group))
        return [turned(x) for x in terms] if given and s.step.target.ndim == 1 else terms

    def _has_shares(self, group: Group) -> bool:
        """Whether the steps of a loop have a gradient for what they contribute."""
        return read_as(group).id in self.context.by_target

    def _over_steps(self, s: Located, left: Math, group: Group) -> tuple[Line, ...]:
        *before, last = super()._over_steps(s, left, group)
        if not self._has_shares(group):
            return (replace(last, left=left),)
        if last.left is not self.rows.gradients[s.step.target.id]:
            return (*before, last)
        return (*before, last, *self._formatted(s, turned(last.right)))

    # -- layout
    def _formatted(self, s: Located, column: Math) -> list[Line]:
        """The row vector as a column, which has the shape of the variable."""
        wanted = s.step.target.name in self.context.wanted and s.step.target.ndim == 1
        if self.context.layout == "jacobian" or not wanted:
            return []
        value = self.context.value(s.step.total)
        left = self.rows.nabla(self.rows.plain[s.step.target.id])
        return [Line("layout", left, column, ("in the shape of the variable",), value=value)]


def _ends(x: Factor) -> tuple[sp.Expr, sp.Expr]:
    """Rows and columns of a Jacobian."""
    rows, columns = (row.shape[0] if row.ndim else ONE for row in (x.consumer, x.argument))
    return (ONE if x.start else rows), columns


def sizes(*shapes: tuple[sp.Expr, sp.Expr]) -> Prose:
    """``; [1×n][n×5d]``: the sizes of the factors of a product; nothing of one that is no product of matrices."""
    if len(shapes) < 2 or all(d == 1 for shape in shapes for d in shape):
        return ()
    return ("; ", *[x for shape in shapes for x in ("[", Shape(shape), "]")])


def _other_vector(path: Sequence[Edge]) -> Node | None:
    """x where the path is W ↦ W x, perhaps with a vector added."""
    last = path[-1]
    plain = all(e.consumer.form is not None and _is_one(e) for e in path[:-1])
    pattern = last.consumer.attr
    if not plain or not isinstance(pattern, Pattern) or pattern.cotangent(last.index).outer != (0, 1):
        return None
    return last.consumer.args[1 - last.index]


def _is_one(edge: Edge) -> bool:
    factor = edge_factor(edge)
    return factor is not None and factor.form == f.ONE
