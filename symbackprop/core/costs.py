"""What computing rows costs, in multiplications, counted symbolically in the dimensions.

Products, quotients and powers count one for each factor beyond the first and each entry, inverses, solutions,
determinants and triangular factors what elimination takes; sums, signs, copies and the evaluation of functions such as
tanh count nothing. A loop costs its length times what one step of it computes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from itertools import islice
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import Letter, letters
from symbackprop.core.facts import kind
from symbackprop.core.graph import Node, arguments_first, reached
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.registry import OPS
from symbackprop.core.shapes import Shape, size_of

MAX_ROWS = 60  # of which the sum over all paths is said


def multiplications(rows: Iterable[Node], known: Collection[int]) -> sp.Expr:
    """What it costs to compute rows from those in ``known`` and the leaves."""
    found = reached(rows, lambda row: () if row.id in known else row.args)
    return added(own_cost(row) for row in found if row.id not in known)


def added(costs: Iterable[sp.Expr]) -> sp.Expr:
    """Their sum: of equal ones at once, and of numbers without SymPy's sum, which looks at each in many ways."""
    found = Counter(costs)
    number = sum([cost.p * times for cost, times in found.items() if cost.is_Integer])
    in_sizes = [times * cost for cost, times in found.items() if not cost.is_Integer]
    return sp.Add(number, *in_sizes) if in_sizes else sp.Integer(number)


def unshared(rows: Iterable[Node]) -> sp.Expr | None:
    """What it would cost with nothing kept, every row computed anew for each that reads it: what backpropagation
    saves. None where loops repeat it all, or where there are too many rows to say it shortly."""
    rows = list(rows)
    found = [*islice(reached(rows), MAX_ROWS + 1)]
    if len(found) > MAX_ROWS or any(isinstance(row.attr, Loop) for row in found):
        return None
    cost: dict[int, sp.Expr] = {}
    for row in arguments_first(rows):
        cost[row.id] = added([own_cost(row), *[cost[a.id] for a in row.args]])
    return sp.expand(added([cost[row.id] for row in rows]))


def own_cost(node: Node) -> sp.Expr:
    """The multiplications of one row."""
    if isinstance(node.attr, Kernel):
        return _in_entries(_in_entry(node.attr.form), node.shape)
    made = kind(node)
    if made.linear:
        shapes = tuple([a.shape for a in node.args])
        return sp.S.Zero if made.moved or made.added else _in_products(node.op.name, node.attr, shapes, node.shape)
    if node.op.cost is not None:
        return node.op.cost([a.shape for a in node.args])
    if node.op.distribution:
        return size_of(node.shape)
    if isinstance(node.attr, Loop):
        stop = node.attr.stop  # what forward stored is a leaf here, and a row of the loop that it was computed in
        body = node.graph.topological(node.attr.results(), stop)
        return node.attr.length * added(own_cost(row) for row in body if row.id not in stop)
    return sp.S.Zero


@lru_cache(maxsize=1024)
def _in_products(op: str, attr: Any, shapes: tuple[Shape, ...], shape: Shape) -> sp.Expr:
    """For every place of the result and of what is summed, where no tie settles it, one less than there are factors."""
    index = letters(shape)
    form = OPS[op].entry
    assert form is not None
    term = form(attr, shapes, index)[0]
    free = [x for x in (*index, *term.summed) if isinstance(x, Letter) and not any(x in tie for tie in term.ties)]
    return (len(term.entries) - 1) * sp.Mul(*[x.size for x in free])


@cache
def _in_entry(form: f.Formula) -> int:
    return in_formula(f.written(form))


@lru_cache(maxsize=1024)
def _in_entries(each: int, shape: Shape) -> sp.Expr:
    return each * size_of(shape)


@cache
def in_formula(form: f.Formula) -> int:
    """The multiplications of one entry."""
    inside = sum([in_formula(part) for part in form.children])
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
