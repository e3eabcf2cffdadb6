"""Between SymPy expressions and rows: a row as a SymPy symbol, a SymPy expression as rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import add, mul
from typing import Any

import sympy as sp

from symbackprop.core.calculus import sorted_terms
from symbackprop.core.graph import Graph, Node
from symbackprop.core.scalars import BY_HEAD
from symbackprop.errors import ModelError, NameProblem, did_you_mean


class RowSymbol(sp.Symbol):  # type: ignore[misc]
    """A SymPy symbol that stands for a row. Its identity is the row's, not its name's: SymPy would otherwise take two
    rows of one name, or of another graph, for the same symbol."""

    __slots__ = ("row",)
    row: Node

    def __new__(cls, row: Node) -> RowSymbol:
        symbol = sp.Symbol.__xnew__(cls, row.name or f"row{row.id}", real=True)
        symbol.row = row
        return symbol  # type: ignore[no-any-return]

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), id(self.row.graph), self.row.id)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a row's symbol is pickled through its model")


def lower(graph: Graph, expr: sp.Expr) -> Node:
    """The row that computes a SymPy expression over rows (and plain symbols named like declared rows)."""
    if isinstance(expr, RowSymbol):
        return graph.lift(expr.row)
    if expr.is_Symbol:
        return _by_name(graph, expr)
    if not expr.free_symbols:
        return graph.const(expr)
    if expr.is_Add:
        return reduce(add, [lower(graph, t) for t in sorted_terms(expr)])
    if expr.is_Mul:
        return _quotient(graph, expr)
    if expr.is_Pow:
        return _power(graph, expr)
    return _function(graph, expr)


def _by_name(graph: Graph, symbol: sp.Symbol) -> Node:
    if symbol.name in graph.names:
        return graph.names[symbol.name]
    if symbol.is_integer and symbol.is_positive:
        return graph.const(symbol)  # a dimension used as a number
    raise NameProblem(f"the symbol {symbol.name!r} is not declared.{did_you_mean(symbol.name, graph.names)}")


def _quotient(graph: Graph, expr: sp.Expr) -> Node:
    num, den = sp.fraction(expr)
    top = reduce(mul, [lower(graph, a) for a in sp.Mul.make_args(num)])
    return top if den == 1 else top / lower(graph, den)


def _power(graph: Graph, expr: sp.Expr) -> Node:
    if expr.exp == sp.Rational(1, 2):
        return graph.call("sqrt", lower(graph, expr.base))
    if expr.exp.is_Number and expr.exp.is_negative:
        return 1 / lower(graph, sp.Pow(expr.base, -expr.exp))
    return lower(graph, expr.base) ** lower(graph, expr.exp)


def _function(graph: Graph, expr: sp.Expr) -> Node:
    rule = _RULES.get(expr.func)
    if rule is not None:
        return rule(graph, expr)
    record = BY_HEAD.get(expr.func)
    if record is None or len(expr.args) != len(record.domain):
        raise ModelError(f"the SymPy function {expr.func.__name__} has no row: use symbackprop's own functions")
    return graph.call(record.name, *[lower(graph, a) for a in expr.args])


def _size(graph: Graph, expr: sp.Expr) -> Node:
    """A size that windows and slices leave, such as ⌊S/2⌋ or ⌈S/2⌉, used as a number."""
    for symbol in expr.free_symbols:
        if isinstance(symbol, RowSymbol) or not _by_name(graph, symbol).is_number:
            raise ModelError(f"{expr.func.__name__} of an array has no row: it has no useful derivative")
    return graph.const(expr)


def _pairwise(name: str) -> Callable[[Graph, sp.Expr], Node]:
    def rule(graph: Graph, expr: sp.Expr) -> Node:
        return reduce(partial(graph.call, name), [lower(graph, a) for a in expr.args])

    return rule


def _max(graph: Graph, expr: sp.Expr) -> Node:
    """Max(0, x) is relu and follows its convention at 0."""
    rest = [a for a in expr.args if a != 0]
    if len(expr.args) == 2 and len(rest) == 1:
        return graph.call("relu", lower(graph, rest[0]), graph.relu0)
    return _pairwise("maximum")(graph, expr)


def _piecewise(graph: Graph, expr: sp.Expr) -> Node:
    value, condition = expr.args[-1]
    if condition is not sp.true:
        raise ModelError("a Piecewise needs a last branch that always holds: (value, True)")
    result = lower(graph, value)
    for value, condition in reversed(expr.args[:-1]):
        result = graph.call("where", lower(graph, condition), lower(graph, value), result)
    return result


def _unary(name: str) -> Callable[[Graph, sp.Expr], Node]:
    return lambda graph, expr: graph.call(name, lower(graph, expr.args[0]))


_RULES: dict[Any, Callable[[Graph, sp.Expr], Node]] = {
    sp.Max: _max,
    sp.Min: _pairwise("minimum"),
    sp.Piecewise: _piecewise,
    sp.floor: _size,
    sp.ceiling: _size,
    sp.Abs: _unary("abs"),
    sp.sign: _unary("sign"),
    sp.StrictGreaterThan: _pairwise("greater"),
    sp.GreaterThan: _pairwise("greater_equal"),
    sp.StrictLessThan: _pairwise("less"),
    sp.LessThan: _pairwise("less_equal"),
    sp.Equality: _pairwise("equal"),
    sp.Unequality: _pairwise("not_equal"),
}
