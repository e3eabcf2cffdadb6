"""Jacobian matrices of single rows in one argument: diag(1 − h²), W, uᵀ, I."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.maths import Identity, Math, MatMul, Op, Sum, Transpose
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Edge
from symbackprop.render.factors import edge_factor
from symbackprop.render.rows import Rows


@dataclass(frozen=True)
class Factor:
    """A Jacobian: of which consumer in which argument, how it and its transpose are written. ``identity``: it is I (1
    among scalars). ``diagonal``: what stands on its diagonal where it has no other entries."""

    consumer: Node
    argument: Node
    tree: Math
    flipped: Math
    identity: bool = False
    diagonal: Math | None = None


def local_jacobian(r: Rows, edge: Edge) -> Factor | None:
    """The Jacobian of one row in one argument, both scalars or vectors."""
    row, argument = edge.consumer, edge.argument
    if row.ndim > 1 or argument.ndim > 1:
        return None
    return _elementwise(r, edge) if row.op.name == "elementwise" else _structural(r, edge)


def _elementwise(r: Rows, edge: Edge) -> Factor | None:
    factor, ends = edge_factor(edge), (edge.consumer, edge.argument)
    if factor is None or not same_shape(edge.consumer.shape, edge.argument.shape):
        return None
    tree = factor.tree(r)
    if not edge.consumer.shape:
        return Factor(*ends, tree, tree, factor.form == f.ONE)
    if factor.form == f.ONE:
        one = Identity(edge.argument.shape[0])
        return Factor(*ends, one, one, identity=True)
    matrix = Op("diag", (tree,))
    return Factor(*ends, matrix, matrix, diagonal=tree)


def _structural(r: Rows, edge: Edge) -> Factor | None:
    row, ends = edge.consumer, (edge.consumer, edge.argument)
    product = row.attr.matmul() if isinstance(row.attr, Pattern) else None
    if product is not None and len(row.args) == 2:
        place = 1 - edge.index
        other, flip = row.args[place], product.flips[product.order.index(place)] or not row.shape
        both = [r.ref(other), Transpose(r.ref(other))]
        return Factor(*ends, both[flip], both[not flip])
    if row.op.name == "sum" and not row.shape:
        ones = r.filled(f.ONE.value, edge.argument.shape)
        return Factor(*ends, Transpose(ones), ones)
    if row.op.name == "softmax":
        p = r.ref(row)
        matrix = Sum(((False, Op("diag", (p,))), (True, MatMul(p, Transpose(p)))))  # diag(p) − p pᵀ
        return Factor(*ends, matrix, matrix)
    return None
