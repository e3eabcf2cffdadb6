"""The NumPy target: rows as NumPy expressions. It reads rows and the variables they have, nothing of the derivation.

Precision is kept: numbers are Python numbers, truth values and integers are converted where they enter floating-point
arithmetic, so float32 arrays stay float32 under every NumPy since 1.24.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from symbackprop.codegen import products
from symbackprop.codegen.casts import converted, masks
from symbackprop.codegen.names import escape
from symbackprop.codegen.numbers import number_code
from symbackprop.codegen.passes.onehot import flat_index
from symbackprop.codegen.rows import Rows, unrolled
from symbackprop.codegen.sizes import integer_code
from symbackprop.core import formula as f
from symbackprop.core.graph import BOOL, FLOAT, INT, Node
from symbackprop.core.kernel import is_truth
from symbackprop.core.notation import ATOM, COMPARE, SUM, Notation, Text, wrap
from symbackprop.core.noughts import without_needless
from symbackprop.core.scalars import Scalar
from symbackprop.core.shapes import Shape, is_one, same_shape

INDEX_ARGUMENTS = {"gather": {1}, "scatter_add": {1}, "take_along_axis": {1}, "put_along_axis": {1}}
MAX_SHORT = 16  # entries of a window that is reduced slice by slice
KEEPS_KIND = {"reshape", "broadcast", "slice", "gather", "pad"}


class NumpyNotation(Notation):
    """Python with NumPy. ``names`` are the variables by row id."""

    power_sign = " ** "

    def __init__(self, rows: Rows, names: Mapping[int, str], level: int) -> None:
        super().__init__(names)
        self.rows, self.level = rows, level

    # -- rows
    def name_of(self, node: Node) -> str | None:
        return self.names.get(node.id)

    def row(self, node: Node) -> Text:
        """The right-hand side of a row, its variable not used."""
        node = self.rows.actual(node)
        if node.value is not None:
            return self.filled(node.value, node.shape) if node.ndim else self.num(node.value)
        if node.op.name == "elementwise":
            return self.kernel(node)
        lowered = self.lowered(node) if self.level else None
        return self.structural(node, self.arguments(node)) if lowered is None else lowered

    def lowered(self, node: Node) -> Text | None:
        """Faster code than the record's for the patterns that have it."""
        if node.op.name == "einsum":
            return products.product(self, node, self.arguments(node))
        if node.op.name == "reshape":
            return self.picked(node) or self.reshaped_product(node)
        if node.op.name == "sum":
            return self.square_sum(node) or self.short_reduction(node, "np.add")
        if node.op.name == "max":
            return self.short_reduction(node, "np.maximum")
        return None

    def arguments(self, node: Node) -> list[Text]:
        """The arguments of a structural op in the kind that it computes in."""
        indices = INDEX_ARGUMENTS.get(node.op.name, ())
        kinds = [a.kind if node.op.name in KEEPS_KIND else node.kind for a in node.args]
        return [self.as_kind(a, INT if i in indices else kinds[i]) for i, a in enumerate(node.args)]

    def structural(self, node: Node, args: Sequence[Text]) -> Text:
        return node.op.numpy(self, node, args)

    def filled(self, value: sp.Expr, shape: Shape) -> Text:
        """An array whose entries are all one number."""
        sizes = self.shape(shape)
        if value == 0 or value == 1:
            return Text(f"np.{'zeros' if value == 0 else 'ones'}({sizes}, dtype)")
        return Text(f"np.full({sizes}, {self.num(value).text}, dtype)")

    # -- kinds
    def as_kind(self, node: Node, kind: str) -> Text:
        """A row as an operand of arithmetic in that kind."""
        text = self.ref(node)
        code = wrap(text, ATOM) if node.ndim else text.text
        found = converted(code, node, kind)
        return text if found == code else Text(found)

    def as_float(self, node: Node) -> Text:
        """A row as an operand of floating-point arithmetic."""
        return self.as_kind(node, FLOAT)

    # -- formulas
    def kernel(self, node: Node) -> Text:
        kernel, args = node.attr, node.args
        if kernel.head == "where":
            return self.where(node)
        if kernel.head == "truth" and args and args[0].kind == BOOL:
            return self.ref(args[0])
        raw = masks(kernel.form, args) if node.kind == FLOAT else ()
        kinds = [a.kind if i in raw else node.kind for i, a in enumerate(args)]
        form = without_needless(kernel.form, args)
        return self.formula(form, [self.as_kind(a, kind) for a, kind in zip(args, kinds, strict=True)])

    def where(self, node: Node) -> Text:
        """A choice between numbers of the row's kind; np.where of plain numbers makes float64: say the dtype."""
        chosen = {b.index for b in node.attr.form.args[1:] if isinstance(b, f.Arg)}
        kinds = [node.kind if i in chosen else a.kind for i, a in enumerate(node.args)]
        text = self.formula(node.attr.form, [self.as_kind(a, k) for a, k in zip(node.args, kinds, strict=True)])
        typed = any(node.args[i].ndim or not node.ndim for i in chosen)
        if typed or node.kind != FLOAT:
            return text
        return Text(f"{text.text}.astype(dtype)" if node.ndim else f"dtype.type({text.text})")

    def shown(self, form: f.Formula) -> f.Formula:
        """Code computes what is guarded, where the value is another one."""
        return f.without_flat_powers(form)

    def formula(self, form: f.Formula, args: Sequence[Text], out: Text | None = None) -> Text:
        if isinstance(form, f.Pow) and isinstance(form.exponent, f.Num):
            return self.number_power(form, args)
        return super().formula(form, args, out)

    def number_power(self, form: f.Pow, args: Sequence[Text]) -> Text:
        """Powers by products and roots: a general power is some hundred times slower than a product."""
        base, exponent = self.formula(form.base, args), form.exponent
        assert isinstance(exponent, f.Num)
        n = exponent.value
        if unrolled(form) and base.level == ATOM:
            return self.product([base] * int(n))
        if n == sp.Rational(1, 2):
            return Text(f"np.sqrt({base.text})")
        if n.is_number and n.is_negative:
            return self.quotient(Text("1"), self.formula(f.power(form.base, f.Num(-n)), args))
        return self.power(base, self.num(n))

    def scalar(self, record: Scalar, args: Sequence[Text], form: f.Call) -> Text:
        if record.name == "above":
            return self.indicator(args, form)
        relation = record.boolean and record.numpy.startswith("(")
        levels = [wrap(a, SUM) for a in args] if relation else [a.text for a in args]
        text = record.numpy.format(*levels)
        return Text(text.removeprefix("(").removesuffix(")"), COMPARE) if relation else Text(text)

    def indicator(self, args: Sequence[Text], form: f.Call) -> Text:
        if not is_truth(form):
            return Text(f"heaviside({args[0].text}, {args[1].text})")
        return super().indicator(args, form)

    # -- numbers and sizes
    def num(self, value: sp.Expr) -> Text:
        return number_code(value, escape)

    def dim(self, dim: sp.Expr) -> Text:
        return integer_code(dim, escape)

    def shape(self, shape: Sequence[sp.Expr]) -> str:
        """A shape as a tuple, or the size of its one axis."""
        sizes = [self.dim(d).text for d in shape]
        return sizes[0] if len(sizes) == 1 else "(" + ", ".join(sizes) + ")"

    def scaled(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        """c·x; a fraction whose bottom is whole or contains sizes is a division."""
        num, den = sp.fraction(coefficient)
        if den == 1 or (not coefficient.free_symbols and num != 1):
            return self.product([self.num(coefficient), *factors])
        top = self.product(factors) if num == 1 else self.product([self.num(num), *factors])
        return self.quotient(top, self.num(den))

    # -- patterns
    def picked(self, node: Node) -> Text | None:
        """One entry of the last axis for every row: Z[np.arange(N), y]."""
        taken = node.args[0]
        if taken.id in self.names or taken.op.name != "take_along_axis" or not is_one(taken.shape[-1]):
            return None
        a, index = taken.args
        if taken.attr != a.ndim - 1 or not same_shape(node.shape, a.shape[:-1]) or a.ndim > 2 or a.id not in self.names:
            return None
        place = self.last_index(index).text
        return self.index(self.ref(a), place if a.ndim == 1 else f"np.arange({self.dim(a.shape[0]).text}), {place}")

    def reshaped_product(self, node: Node) -> Text | None:
        """A product under another shape: the product's own reshape is left out."""
        inner = node.args[0]
        if inner.id in self.names or inner.op.name != "einsum":
            return None
        return products.product(self, inner, self.arguments(inner), node.shape)

    def last_index(self, index: Node) -> Text:
        """An index array without its last axis of size 1."""
        flat = flat_index(index)
        if flat is not index and index.id not in self.names:
            return self.as_kind(flat, INT)
        return Text(f"{wrap(self.as_kind(index, INT), ATOM)}[..., 0]")

    def short_reduction(self, node: Node, combine: str) -> Text | None:
        """Over a few entries each time, as in a pooling window: slice by slice."""
        (axes, keepdims), shape = node.attr, node.args[0].shape
        sizes = [shape[k] for k in axes]
        short = all(d.is_Integer and d > 1 for d in sizes) and sp.Mul(*sizes) <= MAX_SHORT
        if not short or len(shape) - 1 in axes or len(axes) < 2:
            return None
        text = f"over_short_axes({combine}, {self.as_float(node.args[0]).text}, {tuple(axes)})"
        inside = ", ".join("None" if k in axes else ":" for k in range(len(shape)))
        return Text(f"{text}[{inside}]" if keepdims else text)

    def square_sum(self, node: Node) -> Text | None:
        """Σ x² and Σ x·y over everything, as one inner product."""
        inner = self.rows.actual(node.args[0])
        if node.ndim or inner.id in self.names or inner.op.name != "elementwise" or inner.kind != FLOAT:
            return None
        factors = _two_factors(inner)
        if factors is None or not all(a.kind == FLOAT and same_shape(a.shape, inner.shape) for a in factors):
            return None
        left, right = (self.ref(a).text for a in factors)
        return Text(f"np.vdot({left}, {right})")


def _two_factors(row: Node) -> tuple[Node, Node] | None:
    form = row.attr.form
    if isinstance(form, f.Pow) and isinstance(form.base, f.Arg) and form.exponent == f.lift(2):
        return row.args[form.base.index], row.args[form.base.index]
    if isinstance(form, f.Mul) and len(form.factors) == 2 and all(isinstance(x, f.Arg) for x in form.factors):
        left, right = form.factors
        assert isinstance(left, f.Arg) and isinstance(right, f.Arg)
        return row.args[left.index], row.args[right.index]
    return None
