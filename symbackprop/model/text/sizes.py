"""Sizes of declared arrays."""

from __future__ import annotations

import sympy as sp

from symbackprop.errors import ModelError, NameProblem, did_you_mean
from symbackprop.model.text import tree
from symbackprop.model.text.evaluate import evaluate
from symbackprop.model.text.numbers import MAX_DIM, short
from symbackprop.model.text.scope import Scope

MAX_RANK = 16


def size_of(expr: tree.Expr, scope: Scope) -> sp.Expr:
    """A size: a positive whole number or an expression in dimensions."""
    for name in tree.mentioned(expr):
        if name not in scope.model.sizes and name not in scope.counters:
            raise NameProblem(_not_a_dimension(name, scope))
    value = evaluate(expr, scope)
    if not isinstance(value, sp.Expr) or (value.is_integer is False and not value.free_symbols):
        raise ModelError(f"a size is a whole number or made of dimensions, not {short(value)}")
    if value.is_positive is False:
        raise ModelError(f"a size has to be positive, not {short(value)}")
    if value.is_Integer and value > MAX_DIM:
        raise ModelError(f"the size {short(value)} is larger than {MAX_DIM}")
    return value


def _not_a_dimension(name: str, scope: Scope) -> str:
    if name in scope.graph.names:
        return f"{name!r} is an array, not a dimension"
    hint = did_you_mean(name[:40], scope.model.sizes)
    return f"the dimension {name[:40]!r} is not declared; write `dim {name[:40]}` above.{hint}"
