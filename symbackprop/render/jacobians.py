"""Jacobian matrices of single rows in one argument: diag(1 − h²), W, uᵀ, I."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum
from symbackprop.core.graph import Node
from symbackprop.core.maths import Math, MatMul, Sum, product, turned
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import same_shape
from symbackprop.derive.record import Edge
from symbackprop.render.factors import Factor as Entrywise
from symbackprop.render.factors import edge_factor
from symbackprop.render.rows import Rows


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
    return not any(x.shape for x in factor.used)


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
