"""When an answer is the gradient: the same row, the same rational function of the same calls, or the same numbers.

The numbers decide: random points at random sizes. The algebra, tried on models of scalars, turns "equal at all points
tried" into "equal" where function calls are taken as unknowns; its size is bounded before anything is expanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core.build import reshape
from symbackprop.core.calculus import unguarded
from symbackprop.core.graph import Node
from symbackprop.core.scalars import to_sympy
from symbackprop.core.shapes import is_one, same_shape
from symbackprop.errors import ModelError

if TYPE_CHECKING:
    from symbackprop.grade.points import Point

Array: TypeAlias = Any

SAME_ROW, ALGEBRA, NUMBERS = "same formula", "algebra", "numbers"
MAX_TERMS = 2_000
MAX_ROWS = 400


def how_equal(row: Node, right: Node, points: Sequence[Point]) -> str | None:
    """How the two rows (of one shape) are known to be equal; None when they are not."""
    if row is right:
        return SAME_ROW
    if not all(same(p.value(row), p.value(right)) for p in points):
        return None
    return ALGEBRA if _proved(row, right) else NUMBERS


def are_equal(row: Node, right: Node, points: Sequence[Point]) -> bool:
    """Whether a row, read or changed in a way that may be meant, has the values; what cannot be computed has none."""
    try:
        return how_equal(row, right, points) is not None
    except ModelError:
        return False


def fitted(row: Node, right: Node) -> tuple[Node, str] | None:
    """The row in the shape of the right one where only axes of size 1 or a constant's shape differ, and what to say."""
    if same_shape(row.shape, right.shape):
        return row, ""
    if tuple(d for d in row.shape if not is_one(d)) == tuple(d for d in right.shape if not is_one(d)):
        return reshape(row, right.shape), "an axis of size 1 is too many or too few"
    if row.value is not None and not row.shape:
        return row.graph.full(row.value, right.shape), "a number stands for an array that is filled with it"
    return None


def _proved(row: Node, right: Node) -> bool:
    """Whether the difference of two scalar rows is zero as a rational function of leaves and function calls."""
    if row.shape or right.shape:
        return False
    order = row.graph.topological([row, right])
    if len(order) > MAX_ROWS or any(n.shape for n in order):
        return False
    forms: dict[int, sp.Expr] = {}
    for node in order:
        forms[node.id] = _form(node, forms)
        if expanded_terms(forms[node.id]) > MAX_TERMS:
            return False
    top = sp.fraction(sp.together(forms[row.id] - forms[right.id]))[0]
    return expanded_terms(top) <= MAX_TERMS and sp.expand(top) == 0


def _form(node: Node, forms: dict[int, sp.Expr]) -> sp.Expr:
    """A row as an expression; leaves and calls are symbols of their own."""
    if node.value is not None:
        return node.value
    if node.arithmetic is not None:
        return unguarded(to_sympy(node.attr.form, [forms[a.id] for a in node.args]))
    return sp.Dummy(node.name or f"row{node.id}", real=True)


def expanded_terms(expr: sp.Expr) -> int:
    """A bound on how many terms an expression has when its products are multiplied out."""
    if expr.is_Add:
        return sum(expanded_terms(a) for a in expr.args)
    if expr.is_Mul:
        count = 1
        for a in expr.args:
            count = min(count * expanded_terms(a), 10 * MAX_TERMS)
        return count
    if expr.is_Pow and expr.exp.is_Integer:
        base = expanded_terms(expr.base)
        return base if base == 1 else min(base ** min(abs(int(expr.exp)), 20), 10 * MAX_TERMS)
    return 1


# -- numbers

# Inputs are of order one and sizes below ten, so rounding is at most a few hundred operations of 1e-16 each;
# cancellation in an odd but right form costs some four digits more. Wrong answers differ in the first digits.
SAME = 1e-9
FLOOR = 1e-4  # what is 0 comes out as 1e-16 where terms of order one cancel
ROUNDED = 2e-3


def same(a: Array, b: Array, tolerance: float = SAME) -> bool:
    """Equal to within ``tolerance`` of the largest entry; never where something is not finite."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        return False
    scale = np.max(np.abs(b), initial=0.0)
    return bool(np.max(np.abs(a - b), initial=0.0) <= tolerance * max(scale, FLOOR))


def factor_between(a: Array, b: Array) -> float | None:
    """The number c with a = c·b; None where there is none, nan where both are zero and any would do."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not np.all(np.isfinite(a)):
        return None
    norm = float(np.sum(b * b))
    if norm == 0:
        return float("nan") if not np.any(a) else None
    c = float(np.sum(a * b)) / norm
    return c if c != 0 and same(a, c * b) else None


def factors_between(pairs: Sequence[tuple[Array, Array]]) -> list[float] | None:
    """The factor at every point; None where some point has none or no point tells."""
    found = [factor_between(a, b) for a, b in pairs]
    known = [c for c in found if c is not None]
    if len(known) < len(found) or all(np.isnan(c) for c in known):
        return None
    return known


def close_numbers(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two lists of factors agree; where one is nan, any factor would do."""
    return all(np.isnan(x) or np.isnan(y) or abs(x - y) <= 1e-7 * abs(y) for x, y in zip(a, b, strict=True))
