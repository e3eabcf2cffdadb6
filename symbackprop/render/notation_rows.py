"""How rows are written for reading: library functions by their mathematical form, structural ops by theirs.

Numbers that stand inside an unnamed row come out to the front: ½ Σ_n x rather than Σ_n ½ x, 0.1 δᵀ Q rather than
(0.1 δ)ᵀ Q.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.shapes import is_one, normalise_axes, size_of
from symbackprop.render.notation_base import shaped
from symbackprop.render.notation_products import ProductNotation

TWO = f.Num(sp.Integer(2))
ONE = sp.S.One


class Scaled(NamedTuple):
    """A number times something written."""

    number: sp.Expr
    rest: Text


class RowNotation(ProductNotation):
    """Rows as mathematics. ``origin_<function>`` writes a library function, ``op_<name>`` a structural op, both as a
    number and the rest; what has no method of its own prints as name(arguments)."""

    def row(self, node: Node) -> Text:
        if node.value is not None:
            return self.filled(node.value, node.shape) if node.shape else self.num(node.value)
        if node.op.name == "elementwise" and not self._is_call(node):
            return shaped(self.kernel(node), node.ndim)
        number, rest = self.split(node)
        return shaped(rest if number == 1 else self.scaled(number, [rest]), node.ndim)

    def term(self, node: Node) -> Scaled:
        """An operand: its name, or a number and the rest of what it is."""
        while _is_copy(node) and node.value is None and node.id not in self.symbols:
            node = node.args[0]  # copies along new axes go without saying
        if node.id in self.symbols or node.value is not None:
            return Scaled(ONE, self.ref(node))
        number, rest = self.split(node)
        return Scaled(number, shaped(rest, node.ndim))

    def split(self, node: Node) -> Scaled:
        """The right-hand side of a row as a number and the rest."""
        if self._is_call(node):
            assert node.origin is not None
            write = getattr(self, f"origin_{node.origin.function}", None)
            if write is None:
                return Scaled(ONE, self.origin(node))
            return _scaled(write(node, *node.origin.args, **node.origin.options))
        if node.op.name == "elementwise":
            if node.attr.head == "bernoulli_loss":
                return self._likelihood(node)
            form, texts = self._with_numbers(node)
            number, rest = f.split_sign(form)
            return Scaled(number, self.formula(rest, texts))
        write = getattr(self, f"op_{node.op.name}", None)
        if write is None:
            return Scaled(ONE, self.structural(node, [self.ref(a) for a in node.args]))
        return _scaled(write(node, *node.args))

    def _is_call(self, node: Node) -> bool:
        return node.origin is not None and node.id not in self.expanded

    def kernel(self, node: Node) -> Text:
        return self.formula(*self._with_numbers(node))

    def _with_numbers(self, node: Node) -> tuple[f.Formula, list[Text]]:
        """A kernel's formula with the numbers of its operands folded in."""
        terms = [self.term(a) for a in node.args]
        form = node.attr.form
        if any(t.number != 1 for t in terms):
            form = f.substitute(form, lambda leaf: f.mul(f.Num(terms[_place(leaf)].number), leaf))
        return form, [t.rest for t in terms]

    # -- library functions
    def origin_binary_cross_entropy(self, node: Node, *_: Any, **__: Any) -> Scaled:
        return self._likelihood(node)

    def _likelihood(self, node: Node) -> Scaled:
        """−[y log p + (1 − y) log(1 − p)], its sign apart."""
        return Scaled(-ONE, self.likelihood(*[self.formula(x, [self.ref(a) for a in node.args])
                                              for x in node.attr.form.args]))  # fmt: skip

    def origin_mean(self, node: Node, a: Node, axis: Any = None, keepdims: bool = False) -> Scaled:
        axes = normalise_axes(axis, a.ndim)
        number, rest = self.big_sum(a, axes)
        return Scaled(number / size_of(a.shape, axes), rest)

    def origin_norm(self, node: Node, a: Node, **options: Any) -> Text:
        return self.op_norm(node, a) if node.op.name == "norm" else self.origin(node)

    def origin_pick(self, node: Node, a: Node, index: Node) -> Text:
        return self.index(self.ref(a), self.ref(index).text)

    def origin_one_hot(self, node: Node, index: Node, size: Any) -> Text:
        return self.function("one_hot", [self.ref(index)], {})

    # -- structural ops
    def op_sum(self, node: Node, a: Node) -> Scaled:
        axes = node.attr[0]
        square = self._squared(a) if len(axes) == a.ndim else None
        return self.big_sum(a, axes) if square is None else Scaled(ONE, self.power(self.bars(square), Text("2")))

    def _squared(self, a: Node) -> Text | None:
        """The text of x where a row is the unnamed square of x."""
        if a.id in self.symbols or a.op.name != "elementwise" or len(a.args) != 1:
            return None
        form = a.attr.form
        square = isinstance(form, f.Pow) and isinstance(form.base, f.Arg) and form.exponent == TWO
        return self.ref(a.args[0]) if square else None

    def op_max(self, node: Node, a: Node) -> Text:
        return self.big_operator("max", self.ref(a), self.bound(a, node.attr[0]))

    def op_norm(self, node: Node, a: Node) -> Text:
        if len(node.attr[0]) == a.ndim:
            return self.bars(self.ref(a))
        return self.structural(node, [self.ref(a)])

    def op_logsumexp(self, node: Node, a: Node) -> Text:
        self.mentioned.setdefault("logsumexp")
        last = node.attr[0] == (a.ndim - 1,)
        return self.operator("logsumexp", [self.ref(a)], [] if last else self.bound(a, node.attr[0]))

    def op_softmax(self, node: Node, a: Node) -> Text:
        self.mentioned.setdefault("softmax")
        axes = (node.attr,) if isinstance(node.attr, int) else node.attr
        return self.operator("softmax", [self.ref(a)], [] if axes == (a.ndim - 1,) else self.bound(a, axes))

    def op_broadcast(self, node: Node, a: Node) -> Scaled:
        """The shape stands beside every equation."""
        return self.term(a)

    def op_reshape(self, node: Node, a: Node) -> Scaled | Text:
        """Axes of size 1 come and go without a word, as broadcasting has it."""
        if [d for d in node.shape if not is_one(d)] == [d for d in a.shape if not is_one(d)]:
            return self.term(a)
        return self.operator("reshape", [self.ref(a)], [self.shape_text(node.shape)])

    def op_eye(self, node: Node) -> Text:
        return Text("I")

    def op_scatter_add(self, node: Node, g: Node, index: Node) -> Text:
        return self.function("scatter_add", [self.ref(g), self.ref(index)], {})

    def op_put_along_axis(self, node: Node, g: Node, index: Node) -> Text:
        return self.function("put_along_axis", [self.ref(g), self.ref(index)], {})

    def op_out(self, node: Node, scan: Node) -> Text:
        """A result of a loop that has no name of its own: what one step computes, over all steps."""
        loop = scan.attr
        row = loop.results()[node.attr]
        return self.at_step(self.ref(row), loop.index if node.attr >= len(loop.carry) else f"last {loop.index}")

    # -- products
    def op_einsum(self, node: Node, *args: Node) -> Scaled:
        terms = [self.term(a) for a in args]
        number = sp.Mul(*[t.number for t in terms])
        return Scaled(number, self.contracted(node.attr, [t.rest for t in terms], args))

    # -- reductions
    def big_sum(self, a: Node, axes: Sequence[int]) -> Scaled:
        number, rest = self.term(a)
        return Scaled(number, self.big_operator("sum", rest, self.bound(a, axes)))


def _scaled(written: Scaled | Text) -> Scaled:
    return written if isinstance(written, Scaled) else Scaled(ONE, written)


def _is_copy(node: Node) -> bool:
    """Whether a row only repeats its argument, or gives a number axes of size 1."""
    return node.op.name == "broadcast" or (node.op.name == "reshape" and not node.args[0].ndim)


def _place(leaf: f.Formula) -> int:
    assert isinstance(leaf, f.Arg), "Out has no row here"
    return leaf.index
