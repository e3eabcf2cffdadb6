"""Rows without arguments: declared arrays, numbers, the identity matrix, index ranges."""

from __future__ import annotations

from math import inf
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import Term, term
from symbackprop.core.graph import Node
from symbackprop.core.maths import Identity, K, Num, Sym, called, minus
from symbackprop.core.registry import Op, Sample, register
from symbackprop.core.roles import Role
from symbackprop.core.shapes import Shape


def _no_gradient(output: Node, upstream: Node, *_: object) -> tuple[()]:
    """There is no argument to hand a cotangent to."""
    return ()


def _leaf_shape(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    raise TypeError("a leaf is declared, not inferred")


def _leaf_value(np: Any, attr: Any) -> Any:
    raise TypeError("a leaf's value is given by the user")


register(Op(
    name="leaf",
    role=Role.DECLARED,
    signature="name: shape",
    shape_rule="as declared",
    derivative="collects the cotangent",
    domain="float arrays, or integers below a bound",
    infer=_leaf_shape,
    vjp=_no_gradient,
    show=lambda node, args: Sym(node.name or "?"),
    no_entry="its entries are what is given",
    reference=_leaf_value,
    samples=(),
))


register(Op(
    name="const",
    role=Role.NUMBER,
    signature="number",
    shape_rule="scalar",
    derivative="none: constant",
    domain="exact numbers and expressions in dimensions",
    infer=lambda attr, args: ((), "int" if attr.is_Integer else "float"),
    vjp=_no_gradient,
    show=lambda node, args: Num(node.attr),
    entry=lambda attr, shapes, index: [Term((), f.Num(attr))],
    reference=lambda np, attr: np.asarray(float(attr)),
    samples=(),
))

register(Op(
    name="eye",
    role=Role.IDENTITY,
    means=(Identity(sp.Symbol("N")), " is the identity matrix"),
    signature="eye(n)",
    shape_rule="n x n",
    derivative="none: constant",
    domain="n >= 0",
    range=(0.0, 1.0),
    infer=lambda attr, args: ((attr, attr), "float"),
    vjp=_no_gradient,
    show=lambda node, args: Identity(node.attr),
    entry=lambda attr, shapes, index: [term(ties=[(index[0], index[1])])],
    reference=lambda np, n: np.array([[float(i == j) for j in range(n)] for i in range(n)]).reshape(n, n),
    samples=(Sample((), 3), Sample((), 1)),
))

register(Op(
    name="arange",
    role=Role.RANGE,
    means=(called("arange", K), " is 0, 1, …, ", minus(K, Num(sp.S.One))),
    signature="arange(n)",
    shape_rule="n",
    derivative="none: integers",
    domain="n >= 0",
    range=(0.0, inf),
    infer=lambda attr, args: ((attr,), "int"),
    vjp=_no_gradient,
    show=lambda node, args: called("arange", Num(node.attr)),
    entry=lambda attr, shapes, index: [term(index[0])],
    reference=lambda np, n: np.array(range(n), dtype=int),
    samples=(Sample((), 4),),
))
