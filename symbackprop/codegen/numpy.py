"""The NumPy target: what it writes in its own way."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import reduce
from string import ascii_letters
from typing import Any, ClassVar

from symbackprop.codegen.arrays import RULES, Arrays, Rule, two_factors
from symbackprop.codegen.module import ModulePrinter
from symbackprop.codegen.products import Factor, Pair
from symbackprop.codegen.rows import are_short, to_largest
from symbackprop.codegen.tree import ALL, NUMBER, Code, Expr, attribute, binary, call, index, joined, method, name
from symbackprop.core import formula as f
from symbackprop.core.facts import is_reshaped, is_squeezed, is_sum
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.roles import Role
from symbackprop.core.shapes import Shape, same, same_shape, size_of

_COMBINED: dict[Role | None, str] = {Role.SUM: "add", Role.LARGEST: "maximum"}  # what takes two slices together


class NumPy(Arrays):
    """Rows as NumPy expressions."""

    target: ClassVar[str] = "numpy"
    module: ClassVar[str] = "np"
    integer: ClassVar[Code] = attribute("np", "intp")
    rules: ClassVar[dict[str, Rule]] = RULES
    slices: ClassVar[bool] = True

    @classmethod
    def cast(cls, expr: Expr, kind: str) -> Code:
        """A scalar may be a Python number, which has no ``astype``."""
        if expr.shape:
            return method(expr.code, "astype", cls.dtype_of(kind))
        return method(name("dtype"), "type", expr.code) if kind == FLOAT else call("int", expr.code)

    def kernel(self, node: Node) -> Expr:
        found = to_largest(node) if self.level else None
        if found is None or not self.names.keys().isdisjoint(found.ties):
            return super().kernel(node)
        reads = [self.as_float(row).code for row in found.reads]
        return Expr(call("to_largest", *reads, found.axes), node.shape, FLOAT)

    def scalar(self, form: f.Call, args: Sequence[Expr]) -> Expr:
        """A function of plain numbers alone is float64 or whole, which widens float32: say the dtype."""
        found = super().scalar(form, args)
        return Expr(self.cast(found, FLOAT), (), FLOAT) if found.kind == NUMBER else found

    def product(self, factors: Sequence[Expr]) -> Expr:
        """a·b·(c + d) as a·(b·(c + d)): what is computed first takes all other factors in, without another array."""
        k = next((k for k, x in enumerate(factors) if x.shape and x.parts), 0)
        whole = factors[k]
        if not self.level or k < 2 or not all(same_shape(x.shape, whole.shape) for x in factors[:k]):
            return super().product(factors)
        for x in reversed(factors[:k]):
            whole = joined(x, ast.Mult, whole)
        return super().product([whole, *factors[k + 1 :]])

    def lowered(self, node: Node) -> Expr | None:
        found = super().lowered(node) or self.product_sum(node) or self.selected_sum(node)
        short = _COMBINED.get(node.role)
        found = found or (self.short_reduction(node, short) if short else None)
        return found or self.column_sum(node) or self.plain_sum(node)

    def column_sum(self, node: Node) -> Expr | None:
        """Σ a over all axes but the last, 1ᵀ A as a matrix product: in BLAS half the time of sum, and rounded less."""
        if not is_sum(node) or node.args[0].kind != FLOAT or self.level < 2:
            return None
        a, (axes, keepdims) = node.args[0], node.attr
        if a.ndim < 2 or tuple(axes) != tuple(range(a.ndim - 1)):
            return None
        count, columns, rows = size_of(a.shape[:-1]), a.shape[-1], self.ref(a)
        if a.ndim > 2:
            rows = Expr(method(rows.code, "reshape", *self.dims((count, columns))), (count, columns), FLOAT, (rows,))
        ones = Expr(self.made("ones", self.dim(count), dtype=name("dtype")), (count,), FLOAT)
        found = Expr(binary(ones.code, ast.MatMult, rows.code), (columns,), FLOAT, (ones, rows))
        return Expr(index(found.code, *[None] * (a.ndim - 1)), node.shape, FLOAT) if keepdims else found

    def plain_sum(self, node: Node) -> Expr | None:
        """Σ a over the last axis, or over several but not all, which einsum goes through faster than sum does. At -O1
        only over three or more, as for the channels of images: other sums are read more easily as such."""
        if not is_sum(node) or node.args[0].kind != FLOAT:
            return None
        a, (axes, keepdims) = node.args[0], node.attr
        if len(axes) == a.ndim or (len(axes) == 1 and a.ndim - 1 not in axes) or (self.level < 2 and len(axes) < 3):
            return None
        letters = ascii_letters[: a.ndim]
        out = "".join(c for k, c in enumerate(letters) if k not in axes)
        code = self.np("einsum", f"{letters}->{out}", self.ref(a).code)
        inside = [None if k in axes else ALL for k in range(a.ndim)]
        return Expr(index(code, *inside) if keepdims else code, node.shape, FLOAT)

    def product_sum(self, node: Node) -> Expr | None:
        """Σ a·b and Σ a² along axes as a product of arrays, so that what is summed is never written down."""
        total = node.args[0] if is_squeezed(node) and node.args[0].id not in self.names else node
        if not is_sum(total):
            return None
        inner, axes = total.args[0], total.attr[0]
        factors = two_factors(inner) if inner.id not in self.names and inner.kind == FLOAT else None
        if factors is None or any(a.kind != FLOAT for a in factors):
            return None
        first, second = (self.factor(a, inner.shape) for a in factors)
        letters, summed = ascii_letters[: inner.ndim], {ascii_letters[k] for k in axes}
        if not summed.intersection(first.letters) == summed.intersection(second.letters) == summed:
            return None  # Σ a·b is not a·Σ b where a is infinite
        out = "".join(c for c in letters if c not in summed)
        pair = Pair(self, first, second, out, dict(zip(letters, inner.shape, strict=True)))
        found = pair.product() if pair.is_in_order() else pair.rows()
        if same_shape(node.shape, found.shape):
            return found
        if node is not total:
            return None
        inside = [None if k in axes else ALL for k in range(inner.ndim)]
        return Expr(index(found.code, *inside), node.shape, FLOAT)

    def selected_sum(self, node: Node) -> Expr | None:
        """Σ (t·log p + …) as sums of their own, which are guarded where they come to something that is not finite."""
        inner = node.args[0] if is_sum(node) and not node.attr[1] else node
        if inner is node or inner.id in self.names or inner.form is None or inner.kind != FLOAT:
            return None
        terms = inner.form.terms if isinstance(inner.form, f.Add) else (inner.form,)
        args = [self.as_float(a) for a in inner.args]
        noughts = [t.args for t in terms if isinstance(t, f.Call) and t.role is Role.NOUGHT]
        axes = tuple(node.attr[0]) if len(node.attr[0]) < inner.ndim else ()
        over = {"axis": axes[0] if len(axes) == 1 else axes} if axes else {}
        sums = [self.guarded_sum(value, s, args, inner.shape, over) for value, s in noughts]
        if len(sums) < len(terms) or not all(sums):
            return None
        found = [Expr(code, node.shape, FLOAT) for code in sums if code is not None]
        return reduce(lambda left, right: joined(left, ast.Add, right), found)

    def guarded_sum(self, value: f.Formula, s: f.Formula, args: Sequence[Expr], shape: Shape, over: dict[str, Any]
                    ) -> Code | None:
        """Σ of a value where it counts, which s says; of s·a without an array of the products."""
        others = [x for x in value.factors if x != s] if isinstance(value, f.Mul) and len(value.factors) == 2 else []
        if len(others) != 1:
            whole, where = (self.formula(x, args) for x in (value, s))
            return call("sum_selected", whole.code, where.code, **over) if same_shape(whole.shape, shape) else None
        weight, a = (self.formula(x, args) for x in (s, *others))
        if not all(same_shape(part.shape, shape) for part in (weight, a)):
            return None
        return call("dot_selected", weight.code, a.code, **over)

    def factor(self, a: Node, shape: Shape) -> Factor:
        """An operand of arithmetic of a shape, at the letters of the axes along which it is not repeated."""
        letters = ascii_letters[len(shape) - a.ndim : len(shape)]
        sizes = zip(letters, a.shape, shape[len(shape) - a.ndim :], strict=True)
        own = [(c, d) for c, d, whole in sizes if same(d, whole)]
        kept, found = tuple([d for _, d in own]), self.ref(a)
        if len(own) < a.ndim:
            bare = a.id not in self.names and a.args and same_shape(a.args[0].shape, kept) and is_reshaped(a)
            inside = [ALL if c in dict(own) else 0 for c in letters]
            found = self.ref(a.args[0]) if bare else Expr(index(found.code, *inside), kept, FLOAT)
        return Factor("".join(c for c, _ in own), found)

    def short_reduction(self, node: Node, combine: str) -> Expr | None:
        """Over a few entries each time, as in a pooling window: slice by slice."""
        (axes, keepdims), shape = node.attr, node.args[0].shape
        if not are_short(shape, axes):
            return None
        code = call("over_short_axes", attribute("np", combine), self.as_float(node.args[0]).code, tuple(axes))
        inside = [None if k in axes else ALL for k in range(len(shape))]
        return Expr(index(code, *inside) if keepdims else code, node.shape, node.kind)


class NumPyPrinter(ModulePrinter):
    """Writes the parts of one module for NumPy."""

    arrays = NumPy
    imports = ("import numpy as np",)


PRINTER = NumPyPrinter
