"""Expressions to rows. A value is a row, an exact number (or one in dimensions), a string, a tuple, a flag, a slice."""

from __future__ import annotations

from typing import Any, Protocol

import sympy as sp

from symbackprop.core.build import matmul, transpose
from symbackprop.core.graph import Graph, Node, label
from symbackprop.core.indexing import getitem
from symbackprop.core.operators import FORMS, operation
from symbackprop.core.scalars import RELATIONS
from symbackprop.errors import ModelError
from symbackprop.model.text import tree
from symbackprop.model.text.calls import call
from symbackprop.model.text.numbers import checked, fold, short

Value = Any
INFINITE = tree.Name("inf")


class Scope(Protocol):
    """What names mean at a place in a model text."""

    graph: Graph

    def name(self, name: str) -> Node | sp.Expr:
        """The row, dimension or loop counter of that name."""

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        """``h[t]`` where h is a family of names (h[0], h[1] …); None where it is not."""

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        """``row[t, …]`` for the counter t of a loop over a symbolic axis; None where no such counter occurs."""

    def offset(self, item: tree.Expr) -> int:
        """What to subtract from an index: loop counters count from 1, arrays from 0."""


def evaluate(expr: tree.Expr, scope: Scope) -> Value:
    """The value of an expression."""
    return _RULES[type(expr)](expr, scope)


def operand(expr: tree.Expr, scope: Scope) -> Node | sp.Expr:
    """An expression that has to be an array or a number."""
    value = evaluate(expr, scope)
    if isinstance(value, (Node, sp.Expr)):
        return value
    if isinstance(value, str):
        raise ModelError("a string only stands where a function asks for one")
    raise ModelError(f"{short(value)} is neither an array nor a number")


def row(expr: tree.Expr, scope: Scope) -> Node:
    """An expression as a row."""
    return lift(operand(expr, scope), scope.graph)


def lift(value: Node | sp.Expr, graph: Graph) -> Node:
    return value if isinstance(value, Node) else graph.const(value)


def _chain(expr: tree.Chain, scope: Scope) -> Value:
    value = operand(expr.first, scope)
    for sign, part in expr.rest:
        value = binary(sign, value, operand(part, scope), scope.graph)
    return value


def binary(sign: str, a: Node | sp.Expr, b: Node | sp.Expr, graph: Graph) -> Node | sp.Expr:
    """One operator on two values; numbers are folded exactly."""
    if isinstance(a, sp.Expr) and isinstance(b, sp.Expr):
        return fold(sign, a, b)
    left, right = lift(a, graph), lift(b, graph)
    if sign == "@":
        return matmul(left, right)
    result = operation(sign, left, right)
    if result.value is not None:
        checked(result.value)
    return result


def _power(expr: tree.Power, scope: Scope) -> Value:
    base, exponent = operand(expr.base, scope), operand(expr.exponent, scope)
    return binary("**", base, exponent, scope.graph)


def _negative(expr: tree.Negative, scope: Scope) -> Value:
    value = operand(expr.body, scope)
    return -value if isinstance(value, sp.Expr) else scope.graph.arithmetic(FORMS["neg"], [value])


def _compare(expr: tree.Compare, scope: Scope) -> Value:
    return scope.graph.call(RELATIONS[expr.sign], row(expr.left, scope), row(expr.right, scope))


def _transpose(expr: tree.Transpose, scope: Scope) -> Value:
    value = operand(expr.body, scope)
    return transpose(value) if isinstance(value, Node) else value


def _call(expr: tree.Call, scope: Scope) -> Value:
    args = [_branch(a, scope) if expr.function == "where" else evaluate(a, scope) for a in expr.args]
    options = {k: evaluate(v, scope) for k, v in expr.options}
    value = call(scope.graph, expr.function, args, options)
    if isinstance(value, sp.Expr):
        return checked(value)
    if value.value is not None:
        checked(value.value)
    return value


def _branch(expr: tree.Expr, scope: Scope) -> Value:
    """An argument of ``where``, the one place where a number may be infinite: ``where(mask, scores, -inf)``."""
    if INFINITE.name not in scope.graph.names and expr in (INFINITE, tree.Negative(INFINITE)):
        return sp.oo if expr == INFINITE else -sp.oo
    return evaluate(expr, scope)


def _index(expr: tree.Index, scope: Scope) -> Value:
    if isinstance(expr.base, tree.Name):
        found = scope.member(expr.base.name, expr.items)
        if found is not None:
            return found
    base = operand(expr.base, scope)
    if not isinstance(base, Node):
        raise ModelError(f"{short(base)} is a number and has no entries")
    if not base.shape and not all(isinstance(item, tree.Word) for item in expr.items):
        raise ModelError(f"{label(base)} is a scalar and has no entries")
    element = scope.element(base, expr.items)
    return subscript(base, expr.items, scope) if element is None else element


def subscript(base: Node, keys: tuple[tree.Expr, ...], scope: Scope) -> Node:
    """``base[keys]`` as NumPy means it."""
    items = tuple(_key(item, scope) for item in keys)
    return getitem(base, items[0] if len(items) == 1 else items)


def _key(item: tree.Expr, scope: Scope) -> Value:
    """One index: a whole number, a dimension, a slice, None, … or integer data."""
    if isinstance(item, tree.Slice):
        return slice(*(None if p is None else _place(p, scope) for p in (item.start, item.stop, item.step)))
    value = evaluate(item, scope)
    if isinstance(value, sp.Expr):
        return _whole(value - scope.offset(item))
    if value is None or value is Ellipsis or isinstance(value, Node):
        return value
    raise ModelError(f"an index is a whole number, a slice or integer data, not {short(value)}")


def _place(part: tree.Expr, scope: Scope) -> sp.Expr:
    value = evaluate(part, scope)
    if not isinstance(value, sp.Expr):
        raise ModelError("the bounds of a slice are whole numbers or dimensions")
    if scope.offset(part):
        raise ModelError("a loop counter cannot be the bound of a slice")
    return _whole(value)


def _whole(value: sp.Expr) -> sp.Expr:
    if value.is_integer is False or (value.is_Integer and abs(value) >= 2**31):
        raise ModelError(f"an index is a whole number, not {short(value)}")
    return value


_RULES: dict[type, Any] = {
    tree.Number: lambda e, scope: e.value,
    tree.Name: lambda e, scope: scope.name(e.name),
    tree.String: lambda e, scope: e.text,
    tree.Word: lambda e, scope: e.value,
    tree.Negative: _negative,
    tree.Chain: _chain,
    tree.Power: _power,
    tree.Compare: _compare,
    tree.Transpose: _transpose,
    tree.Call: _call,
    tree.Index: _index,
    tree.Tuple: lambda e, scope: tuple(evaluate(item, scope) for item in e.items),
}
