"""Dimensions that become numbers, in whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.core.shapes import evaluate_dim
from symbackprop.errors import ModelError

Put = Callable[[sp.Expr, Mapping[str, int]], Any]


def sized(value: Any, sizes: Mapping[str, int]) -> Any:
    """A size, a shape, a formula or an attribute of an op with the dimensions in ``sizes`` as numbers; others stay."""
    return _within(value, sizes, _known, _known)


def in_numbers(attr: Any, sizes: Mapping[str, int], exact: bool = False) -> Any:
    """An op's attribute with its dimensions replaced by their sizes; ``exact`` keeps a SymPy number."""
    return _within(attr, sizes, number if exact else evaluate_dim, number)


def _within(value: Any, sizes: Mapping[str, int], size: Put, put: Put) -> Any:
    """A value with ``size`` in the place of each size in it, ``put`` in that of the numbers in formulas."""
    match value:
        case tuple():
            parts = [_within(part, sizes, size, put) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        case sp.Expr():
            return size(value, sizes)
        case f.Num(coefficient):
            return f.Num(put(coefficient, sizes))
        case f.Formula():
            return f.changed(value, lambda part: _within(part, sizes, size, put))
        case Kernel() if has_dimensions(value.form):
            return Kernel(_within(value.form, sizes, size, put))
    return value


@cache
def has_dimensions(form: f.Formula) -> bool:
    """Whether a number of a formula is computed from sizes."""
    return bool(form.value.free_symbols) if isinstance(form, f.Num) else any(map(has_dimensions, form.children))


def _known(value: sp.Expr, sizes: Mapping[str, int]) -> sp.Expr:
    return value.xreplace({s: sp.Integer(sizes[s.name]) for s in value.free_symbols if s.name in sizes})


def number(value: sp.Expr, sizes: Mapping[str, int]) -> sp.Expr:
    """A number that is computed from sizes. Raises `ModelError` where it is infinite."""
    if not value.free_symbols:
        return value
    found = value.subs({s: sizes[s.name] for s in value.free_symbols})
    if found.is_finite is False:
        shown = ", ".join(f"{s.name} = {sizes[s.name]}" for s in sorted(value.free_symbols, key=str))
        raise ModelError(f"{value} is not a finite number for {shown}")
    return found
