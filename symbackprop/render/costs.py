"""The cost of a gradient: multiplications, counted symbolically in the dimensions.

Products, quotients and powers count one multiplication for each factor beyond the first and each entry; sums, signs,
copies and the evaluation of functions such as tanh count nothing. A row that an earlier step or the forward pass has
computed is not counted again. A loop costs its length times what one step of it computes.
"""

from __future__ import annotations

from collections.abc import Collection

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import size_of


def multiplications(row: Node, known: Collection[int]) -> sp.Expr:
    """What it costs to compute a row from those in ``known`` and the leaves."""
    cost: sp.Expr = sp.S.Zero
    stack, seen = [row], set()
    while stack:
        node = stack.pop()
        if node.id in seen or node.id in known:
            continue
        seen.add(node.id)
        cost = cost + own_cost(node)
        stack.extend(node.args)
    return cost


# convolutions: which of (first argument, second, result) are the outputs and the kernel of the forward one; each output
# takes one multiplication for every place of the window and channel
_WINDOWS = {"conv2d": (2, 1), "conv2d_input": (0, 1), "conv2d_kernel": (1, 2)}


def own_cost(node: Node) -> sp.Expr:
    """The multiplications of one row."""
    if node.op.name == "elementwise":
        return sp.Integer(_in_formula(f.written(node.attr.form))) * size_of(node.shape)
    if node.op.name == "einsum" and len(node.args) > 1:
        return (len(node.args) - 1) * _all_indices(node)
    if node.op.name in _WINDOWS:
        images, kernel = _WINDOWS[node.op.name]
        shapes = [*[a.shape for a in node.args], node.shape]
        return size_of(shapes[images]) * sp.Mul(*shapes[kernel][:3])
    if node.op.name == "softmax":
        return size_of(node.shape)
    if isinstance(node.attr, Loop):
        body = node.graph.topological(node.attr.results(), node.attr.stop())
        return node.attr.length * sp.Add(*[own_cost(row) for row in body])
    return sp.S.Zero


def _all_indices(node: Node) -> sp.Expr:
    return sp.Mul(*node.attr.sizes([a.shape for a in node.args]).values())


def _in_formula(form: f.Formula) -> int:
    inside = sum(_in_formula(part) for part in f.children(form))
    match form:
        case f.Mul(factors):
            return inside + len(factors) - 1
        case f.Div():
            return inside + 1
        case f.Pow(_, f.Num(exponent)) if exponent.is_Integer:
            return inside + max(abs(int(exponent)) - 1, 1)
        case f.Pow():
            return inside + 1
    return inside
