"""Element by element: how the entries of a gradient come together as a matrix product, for small literal sizes.

∂Y/∂x₁₁ is a matrix with a row of W in it; ∂L/∂x₁₁ is the sum of its entries times those of ∂L/∂Y; all of them side by
side are ∂L/∂Y Wᵀ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import sympy as sp

from symbackprop.core.facts import is_product
from symbackprop.core.graph import Node
from symbackprop.core.maths import Derivative, Entry, Math, Matrix, Num, Sym, chain, total
from symbackprop.core.shapes import evaluate_shape
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, Group
from symbackprop.render.document import Line
from symbackprop.render.symbols import Located

MAX_ENTRIES = 12
Place = tuple[int, ...]


def element_lines(context: Context, s: Located, parts: Sequence[Group]) -> tuple[Line, ...]:
    """The assembly of a gradient through one product of small matrices; nothing for others."""
    path = parts[0].contributions[0].path
    if len(parts[0].contributions) > 1 or len(path) != 1 or not is_product(path[0].consumer):
        return ()
    sizes = _sizes(context, [path[0].consumer, *path[0].consumer.args])
    if sizes is None or len(path[0].consumer.args) != 2:
        return ()
    return tuple(Assembly(context, s, path[0], sizes).lines())


def _sizes(context: Context, rows: Sequence[Node]) -> dict[int, Place] | None:
    """The literal shape of every row; None where a dimension has no size or an array is large."""
    given = {name: size for name, size in context.derivation.model.sizes.items() if size is not None}
    names = {symbol.name for row in rows for d in row.shape for symbol in d.free_symbols}
    if not names <= set(given):
        return None
    shapes = {row.id: evaluate_shape(row.shape, given) for row in rows}
    small = all(len(shape) == 2 and shape[0] * shape[1] <= MAX_ENTRIES for shape in shapes.values())
    return shapes if small else None


class Assembly:
    """The lines for one product and one of its operands."""

    def __init__(self, context: Context, s: Located, edge: Edge, sizes: Mapping[int, Place]) -> None:
        self.context, self.rows, self.s, self.edge, self.sizes = context, context.rows, s, edge, sizes
        self.ins, self.out = edge.consumer.attr.ins, edge.consumer.attr.out
        self.other = edge.consumer.args[1 - edge.index]

    def lines(self) -> list[Line]:
        target = self.s.step.target
        entries = [line for place in self._places(target) for line in self._entry_lines(target, place)]
        whole = self.rows.gradients[target.id]
        assembled = Line("element", whole, self._assembled(target), ("entry by entry",))
        put = self.rows.row(self.s.step.total)
        return [*entries, assembled, Line("element", whole, put, ("which is this matrix product",))]

    def _entry_lines(self, target: Node, place: Place) -> tuple[Line, Line]:
        entry = self._entry(target, place)
        local = Derivative(self.rows.plain[self.edge.consumer.id], entry)
        whole = Derivative(self.rows.loss, entry)
        return Line("element", local, self._jacobian(place)), Line("element", whole, self._sum(place))

    def _assembled(self, target: Node) -> Math:
        rows, columns = self.sizes[target.id]
        entries = [[self._entry(target, (i, j)) for j in range(columns)] for i in range(rows)]
        return Matrix(tuple([tuple([Derivative(self.rows.loss, x, True, True) for x in row]) for row in entries]))

    def _places(self, node: Node) -> list[Place]:
        return list(product(*[range(k) for k in self.sizes[node.id]]))

    def _entry(self, node: Node, place: Place) -> Math:
        """x₁₁: an entry by the small letter of its matrix."""
        name = self.context.derivation.names.get(node.id) or node.name or "?"
        small = name.lower() if len(name) == 1 and name.lower() not in self.context.derivation.names.values() else name
        counted = tuple([k + 1 for k in place])
        if len(small) == 1:
            return Sym(small + "".join(map(str, counted)), (), node.id, entry=counted)
        return Entry(Sym(name, node.shape, node.id), tuple([Num(sp.Integer(k)) for k in counted]))

    def _local(self, out: Place, place: Place) -> Math | None:
        """∂y_out/∂x_place: an entry of the other operand, or nothing where indices differ."""
        known = dict(zip(self.out, out, strict=True))
        for letter, k in zip(self.ins[self.edge.index], place, strict=True):
            if known.setdefault(letter, k) != k:
                return None
        return self._entry(self.other, tuple(known[c] for c in self.ins[1 - self.edge.index]))

    def _jacobian(self, place: Place) -> Math:
        rows, columns = self.sizes[self.edge.consumer.id]
        zero = Num(sp.S.Zero)
        return Matrix(tuple([tuple([self._local((i, j), place) or zero for j in range(columns)]) for i in range(rows)]))

    def _sum(self, place: Place) -> Math:
        consumer = self.edge.consumer
        local = {out: self._local(out, place) for out in self._places(consumer)}
        terms = [chain(Derivative(self.rows.loss, self._entry(consumer, out)), x) for out, x in local.items() if x]
        return total(*[(False, t) for t in terms])
