"""Element by element: how the entries of a gradient come together as a matrix product, for small literal sizes.

∂Y/∂x₁₁ is a matrix with a row of W in it; ∂L/∂x₁₁ is the sum of its entries times those of ∂L/∂Y; all of them side by
side are ∂L/∂Y Wᵀ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.shapes import evaluate_shape
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, Group
from symbackprop.render.document import Line, Math
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.symbols import Located

MAX_ENTRIES = 12
Place = tuple[int, ...]


def element_lines(context: Context, s: Located, parts: Sequence[Group]) -> tuple[Line, ...]:
    """The assembly of a gradient through one product of small matrices; nothing for others."""
    path = parts[0].contributions[0].path
    if len(parts[0].contributions) > 1 or len(path) != 1 or path[0].consumer.op.name != "einsum":
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
        self.context, self.pen, self.s, self.edge, self.sizes = context, context.pen, s, edge, sizes
        self.ins, self.out = edge.consumer.attr.ins, edge.consumer.attr.out
        self.other = edge.consumer.args[1 - edge.index]

    def lines(self) -> list[Line]:
        target = self.s.step.target
        entries = [line for place in self._places(target) for line in self._entry_lines(target, place)]
        whole = self.pen(lambda n: n.gradients[target.id])
        assembled = Line("element", whole, self.pen(lambda n: self._assembled(n, target)), ("entry by entry",))
        return [*entries, assembled, self._product(whole)]

    def _entry_lines(self, target: Node, place: Place) -> tuple[Line, Line]:
        consumer, pen = self.edge.consumer, self.pen
        local = pen(lambda n: n.derivative(n.plain[consumer.id], self._entry(n, target, place), True))
        whole = pen(lambda n: n.derivative(n.loss, self._entry(n, target, place), True))
        return (Line("element", local, pen(lambda n: self._jacobian(n, place))),
                Line("element", whole, pen(lambda n: self._sum(n, place))))  # fmt: skip

    def _assembled(self, n: RowNotation, target: Node) -> Text:
        rows, columns = self.sizes[target.id]
        entries = [[self._entry(n, target, (i, j)) for j in range(columns)] for i in range(rows)]
        return n.matrix([[n.flat_derivative(n.loss, entry) for entry in row] for row in entries])

    def _product(self, whole: Math) -> Line:
        return Line("element", whole, self.pen.row(self.s.step.total), ("which is this matrix product",))

    def _places(self, node: Node) -> list[Place]:
        return list(product(*[range(k) for k in self.sizes[node.id]]))

    def _entry(self, n: RowNotation, node: Node, place: Place) -> Text:
        """x₁₁: an entry by the small letter of its matrix."""
        name = self.context.derivation.names.get(node.id) or node.name or "?"
        small = name.lower() if len(name) == 1 and name.lower() not in self.context.derivation.names.values() else name
        digits = "".join(str(k + 1) for k in place)
        return Text(n.name(small + digits)) if len(small) == 1 else n.subscripted(Text(n.name(name)), list(digits))

    def _local(self, n: RowNotation, out: Place, place: Place) -> Text | None:
        """∂y_out/∂x_place: an entry of the other operand, or nothing where indices differ."""
        known = dict(zip(self.out, out, strict=True))
        for letter, k in zip(self.ins[self.edge.index], place, strict=True):
            if known.setdefault(letter, k) != k:
                return None
        return self._entry(n, self.other, tuple(known[c] for c in self.ins[1 - self.edge.index]))

    def _jacobian(self, n: RowNotation, place: Place) -> Text:
        rows, columns = self.sizes[self.edge.consumer.id]
        return n.matrix([[self._local(n, (i, j), place) or Text("0") for j in range(columns)] for i in range(rows)])

    def _sum(self, n: RowNotation, place: Place) -> Text:
        consumer = self.edge.consumer
        terms = []
        for out in self._places(consumer):
            local = self._local(n, out, place)
            if local is not None:
                upstream = n.derivative(n.loss, self._entry(n, consumer, out), True)
                terms.append((False, n.chain([upstream, local])))
        return n.sum(terms)
