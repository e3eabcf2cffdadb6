"""The NumPy target: what it writes in its own way."""

from __future__ import annotations

from typing import ClassVar

import sympy as sp

from symbackprop.codegen.arrays import RULES, Arrays, Rule
from symbackprop.codegen.module import ModulePrinter
from symbackprop.codegen.tree import ALL, Code, Expr, attribute, call, index, method, name
from symbackprop.core.graph import FLOAT, Node

MAX_SHORT = 16  # entries of a window that is reduced slice by slice


class NumPy(Arrays):
    """Rows as NumPy expressions."""

    target: ClassVar[str] = "numpy"
    module: ClassVar[str] = "np"
    integer: ClassVar[Code] = attribute("np", "intp")
    rules: ClassVar[dict[str, Rule]] = RULES

    @classmethod
    def cast(cls, expr: Expr, kind: str) -> Code:
        """A scalar may be a Python number, which has no ``astype``."""
        if expr.shape:
            return method(expr.code, "astype", cls.dtype_of(kind))
        return method(name("dtype"), "type", expr.code) if kind == FLOAT else call("int", expr.code)

    def lowered(self, node: Node) -> Expr | None:
        short = {"sum": "add", "max": "maximum"}.get(node.op.name)
        return super().lowered(node) or (self.short_reduction(node, short) if short else None)

    def short_reduction(self, node: Node, combine: str) -> Expr | None:
        """Over a few entries each time, as in a pooling window: slice by slice."""
        (axes, keepdims), shape = node.attr, node.args[0].shape
        sizes = [shape[k] for k in axes]
        short = all(d.is_Integer and d > 1 for d in sizes) and sp.Mul(*sizes) <= MAX_SHORT
        if not short or len(shape) - 1 in axes or len(axes) < 2:
            return None
        code = call("over_short_axes", attribute("np", combine), self.as_float(node.args[0]).code, tuple(axes))
        inside = [None if k in axes else ALL for k in range(len(shape))]
        return Expr(index(code, *inside) if keepdims else code, node.shape, node.kind)


class NumPyPrinter(ModulePrinter):
    """Writes the parts of one module for NumPy."""

    arrays = NumPy
    imports = ("import numpy as np",)


PRINTER = NumPyPrinter
