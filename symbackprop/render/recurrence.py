"""The factor that backpropagation through time repeats: ∂h_T/∂h_0 = Π_t diag(1 − h_t²) W_hᵀ.

Shown for a carried value that reaches its own next value along one path of entrywise functions and products with fixed
matrices. Where this product shrinks, gradients vanish; where it grows, they explode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.notation import Text
from symbackprop.core.ops.loop import base
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, groups
from symbackprop.render.document import Line, Math
from symbackprop.render.factors import edge_factor
from symbackprop.render.notation_base import MatrixText
from symbackprop.render.notation_rows import RowNotation

MAX_STEPS = 12  # norms of further steps are not printed
Writer = Callable[[RowNotation], Text]


@dataclass(frozen=True)
class Diagonal:
    """An entrywise factor as a diagonal matrix."""

    write: Writer

    def __call__(self, n: RowNotation) -> Text:
        return MatrixText(*n.operator("diag", [self.write(n)], []))


@dataclass(frozen=True)
class Fixed:
    """A matrix that every step multiplies by, perhaps transposed."""

    matrix: Node
    flip: bool

    def __call__(self, n: RowNotation) -> Text:
        return n.transpose(n.ref(self.matrix)) if self.flip else n.ref(self.matrix)


def repeated_factors(context: Context, scan: Node) -> list[Line]:
    """One line for every carried value whose Jacobian from step to step is known; with numbers, how large it is."""
    loop: Loop = scan.attr
    found = []
    for place, (leaf, row) in enumerate(zip(loop.carry, loop.carried, strict=True)):
        links = _links(context, leaf, row, loop)
        if links:
            found.append(_line(context, leaf, row, loop, links))
            found += _norms(context, scan, place)
    return found


def _norms(context: Context, scan: Node, place: int) -> list[Line]:
    """‖∂h_t/∂h_{t−1}‖ for every t, and ‖∂h_T/∂h_0‖, when there are numbers."""
    norms = None if context.numbers is None else context.numbers.norms(scan, place)
    if norms is None:
        return []
    loop: Loop = scan.attr
    each, whole = norms
    name, t = base(loop.carried[place]), loop.index
    before = f"{name}[{t}+1]" if loop.reverse else f"{name}[{t}-1]"
    shown = [*each[:MAX_STEPS], *([Math("…", r"\dots")] if len(each) > MAX_STEPS else [])]
    values = Math(", ".join(m.text for m in shown), ",\\; ".join(m.latex for m in shown))
    order = f"spectral norms, {t} = {'T, …, 1' if loop.reverse else '1, 2, …'}, the largest over the batch"
    one = context.pen(lambda n: _norm(n, f"{name}[{t}]", before))
    all_steps = context.pen(lambda n: _norm(n, f"{name}[{loop.length}]", f"{name}[0]"))
    return [Line("note", one, values, (order,)), Line("note", all_steps, whole, ("of the product",))]


def _norm(n: RowNotation, above: str, below: str) -> Text:
    return n.bars(n.derivative(Text(n.name(above)), Text(n.name(below)), True))


def _line(context: Context, leaf: Node, row: Node, loop: Loop, links: list[Writer]) -> Line:
    name = base(row)

    def left(n: RowNotation) -> Text:
        return n.derivative(Text(n.name(f"{name}[{loop.length}]")), Text(n.name(f"{name}[0]")), True)

    def right(n: RowNotation) -> Text:
        product = links[0](n)
        for link in links[1:]:
            product = n.matmul(product, link(n))
        return n.big_operator("prod", product, [loop.index])

    first = "t = 1" if loop.reverse else f"t = {loop.length}"
    alone = f"the factor of {first.replace('t', loop.index, 1)} in front, for every row"
    alone += ", along this path alone" if len(loop.carry) > 1 else ""
    reason = f"{alone}; where this product shrinks, gradients vanish, where it grows, they explode"
    return Line("note", context.pen(left), context.pen(right), (reason,))


def _links(context: Context, leaf: Node, row: Node, loop: Loop) -> list[Writer]:
    """The Jacobians from the next value back to the carried one; none where paths part or a row has no matrix."""
    fixed = {x.id for x in loop.invariants}
    links: list[Writer] = []
    place = leaf
    while place is not row:
        located = context.by_target.get(place.id)
        parts = [] if located is None else groups(located)
        if len(parts) != 1 or parts[0].consumer is None or len(parts[0].contributions) != 1:
            return []
        inner = [_link(edge, fixed) for edge in parts[0].contributions[0].path]
        if any(x is None for x in inner):
            return []
        links = [x for x in inner if x is not None and x is not _nothing] + links
        place = parts[0].consumer
    return links


def _link(edge: Edge, fixed: set[int]) -> Writer | None:
    row = edge.consumer
    if row.op.name == "elementwise":
        factor = edge_factor(edge)
        if factor is None or not same_shape(row.shape, edge.argument.shape):
            return None
        return _nothing if factor.form == f.ONE else Diagonal(factor.text)
    product = row.attr.matmul() if isinstance(row.attr, Pattern) else None
    place = 1 - edge.index
    if product is None or product.flip_out or len(row.args) != 2 or row.args[place].id not in fixed:
        return None
    first = product.order[0] == edge.index and edge.argument.ndim == 2  # a row of h W is Wᵀ times it as a column
    return Fixed(row.args[place], product.flips[product.order.index(place)] != first)


def _nothing(n: RowNotation) -> Text:
    """The identity, which is not written."""
    return Text("I")
