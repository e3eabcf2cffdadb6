"""Dimensions that become numbers, in whatever holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel


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
            within = tuple([sized(part, sizes) for part in f.children(value)])
            return f.rebuild(value, within) if within else value
        case Kernel():
            return Kernel(sized(value.form, sizes))
    return value
