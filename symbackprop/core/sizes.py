"""Dimensions that become numbers, in whatever holds them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.core.shapes import evaluate_dim
from symbackprop.errors import ModelError


def sized(value: Any, sizes: Mapping[str, int]) -> Any:
    """A size, a shape, a formula or an attribute of an op with the dimensions in ``sizes`` as numbers; others stay."""
    match value:
        case tuple():
            parts = [sized(part, sizes) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        case sp.Expr():
            return value.xreplace({s: sp.Integer(sizes[s.name]) for s in value.free_symbols if s.name in sizes})
        case f.Num(number):
            return f.Num(sized(number, sizes))
        case f.Formula():
            within = tuple([sized(part, sizes) for part in value.children])
            return f.rebuild(value, within) if within else value
        case Kernel():
            return Kernel(sized(value.form, sizes))
    return value


def in_numbers(attr: Any, sizes: Mapping[str, int], exact: bool = False) -> Any:
    """An op's attribute with its dimensions replaced by their sizes; ``exact`` keeps a SymPy number."""
    if isinstance(attr, tuple):
        parts = [in_numbers(part, sizes) for part in attr]
        return type(attr)(*parts) if hasattr(attr, "_fields") else tuple(parts)
    if isinstance(attr, Kernel):
        return Kernel(_bound(attr.form, sizes)) if has_dimensions(attr.form) else attr
    if isinstance(attr, sp.Expr):
        return number(attr, sizes) if exact else evaluate_dim(attr, sizes)
    return attr


@cache
def has_dimensions(form: f.Formula) -> bool:
    """Whether a number of a formula is computed from sizes."""
    return bool(form.value.free_symbols) if isinstance(form, f.Num) else any(map(has_dimensions, form.children))


def _bound(form: f.Formula, sizes: Mapping[str, int]) -> f.Formula:
    """A formula whose numbers contain no dimensions."""
    if isinstance(form, f.Num):
        return f.Num(number(form.value, sizes))
    old = form.children
    new = tuple([_bound(part, sizes) for part in old])
    return form if new == old else f.rebuild(form, new)


def number(value: sp.Expr, sizes: Mapping[str, int]) -> sp.Expr:
    """A number that is computed from sizes. Raises `ModelError` where it is infinite."""
    if not value.free_symbols:
        return value
    found = value.subs({s: sizes[s.name] for s in value.free_symbols})
    if found.is_finite is False:
        shown = ", ".join(f"{s.name} = {sizes[s.name]}" for s in sorted(value.free_symbols, key=str))
        raise ModelError(f"{value} is not a finite number for {shown}")
    return found
