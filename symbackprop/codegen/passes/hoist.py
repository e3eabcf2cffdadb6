"""-O1: products of a loop that do not depend on what it carries are computed before it, as one product over all steps.

Σ over t of small products x[t] W inside a loop is one large product (x W)[t] outside it, which BLAS does several times
faster.
"""

from __future__ import annotations

from symbackprop.core import build
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop


def hoisted_products(scan: Node) -> list[tuple[Node, Node]]:
    """(body row, outer row): products of one element of a sequence and one invariant, and the stack of them all."""
    loop: Loop = scan.attr
    outer = dict(zip([leaf.id for leaf in loop.leaves()], scan.args, strict=True))
    moving, fixed = {leaf.id for leaf in loop.sequences}, {leaf.id for leaf in loop.invariants}
    found = []
    for row in scan.graph.topological(loop.results(), loop.stop()):
        if row.op.name == "einsum" and len(row.args) == 2 and row.id not in loop.stop():
            first, second = (a.id for a in row.args)
            if (first in moving and second in fixed) or (first in fixed and second in moving):
                found.append((row, _over_all_steps(row, moving, outer)))
    return found


def _over_all_steps(row: Node, moving: set[int], outer: dict[int, Node]) -> Node:
    """The product with one more axis, time, in the moving operand and in the result."""
    places = [k for k, a in enumerate(row.args) if a.id in moving]
    return build.einsum(row.attr.along(places), *[outer[a.id] for a in row.args])
