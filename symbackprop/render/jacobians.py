"""Jacobian matrices of single rows in one argument: diag(1 − h²), W, uᵀ, I."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Edge
from symbackprop.render.factors import edge_factor
from symbackprop.render.notation_base import MatrixText
from symbackprop.render.notation_rows import RowNotation

Writer = Callable[[RowNotation], Text]


@dataclass(frozen=True)
class Factor:
    """A Jacobian: of which consumer in which argument, how it and its transpose are written. ``identity``: it is I (1
    among scalars). ``diagonal``: what stands on its diagonal where it has no other entries."""

    consumer: Node
    argument: Node
    write: Writer
    flipped: Writer
    identity: bool = False
    diagonal: Writer | None = None


def local_jacobian(edge: Edge) -> Factor | None:
    """The Jacobian of one row in one argument, both scalars or vectors."""
    row, argument = edge.consumer, edge.argument
    if row.ndim > 1 or argument.ndim > 1:
        return None
    return _elementwise(edge) if row.op.name == "elementwise" else _structural(edge)


def _elementwise(edge: Edge) -> Factor | None:
    factor, ends = edge_factor(edge), (edge.consumer, edge.argument)
    if factor is None or not same_shape(edge.consumer.shape, edge.argument.shape):
        return None
    if not edge.consumer.shape:
        return Factor(*ends, factor.text, factor.text, factor.form == f.ONE)
    if factor.form == f.ONE:
        return Factor(*ends, _identity, _identity, identity=True)

    def diagonal(n: RowNotation) -> Text:
        return MatrixText(*n.operator("diag", [factor.text(n)], []))

    return Factor(*ends, diagonal, diagonal, diagonal=factor.text)


def _identity(n: RowNotation) -> Text:
    return MatrixText("I")


def _structural(edge: Edge) -> Factor | None:
    row, ends = edge.consumer, (edge.consumer, edge.argument)
    product = row.attr.matmul() if isinstance(row.attr, Pattern) else None
    if product is not None and len(row.args) == 2:
        place = 1 - edge.index
        other, flip = row.args[place], product.flips[product.order.index(place)] or not row.shape
        both: list[Writer] = [lambda n: n.ref(other), lambda n: n.transpose(n.ref(other))]
        return Factor(*ends, both[flip], both[not flip])
    if row.op.name == "sum" and not row.shape:
        ones: Writer = lambda n: n.filled(f.ONE.value, edge.argument.shape)  # noqa: E731
        return Factor(*ends, lambda n: n.transpose(ones(n)), ones)
    if row.op.name == "softmax":
        return Factor(*ends, lambda n: _softmax(n, row), lambda n: _softmax(n, row))
    return None


def _softmax(n: RowNotation, row: Node) -> Text:
    """diag(p) − p pᵀ."""
    p = n.ref(row)
    return n.sum([(False, MatrixText(*n.operator("diag", [p], []))), (True, n.matmul(p, n.transpose(p)))])
