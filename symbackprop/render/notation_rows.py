"""How rows are written for reading: library functions by their mathematical form, structural ops by theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.shapes import is_one, normalise_axes, size_of
from symbackprop.render.notation_math import MathNotation, shaped

TWO = f.Num(sp.Integer(2))


class RowNotation(MathNotation):
    """Rows as mathematics. ``origin_<function>`` writes a library function, ``op_<name>`` a structural op; what has no
    method of its own prints as name(arguments)."""

    def row(self, node: Node) -> Text:
        if node.value is not None and node.shape:
            return self.filled(node.value, node.shape)
        return shaped(super().row(node), bool(node.shape))

    def origin(self, node: Node) -> Text:
        assert node.origin is not None
        write = getattr(self, f"origin_{node.origin.function}", None)
        return super().origin(node) if write is None else write(node, *node.origin.args, **node.origin.options)

    def structural(self, node: Node, args: Sequence[Text]) -> Text:
        write = getattr(self, f"op_{node.op.name}", None)
        return super().structural(node, args) if write is None else write(node, *args)

    # -- library functions
    def origin_binary_cross_entropy(self, node: Node, *_: Any, **__: Any) -> Text:
        return self.kernel(node)

    def origin_mean(self, node: Node, a: Node, axis: Any = None, keepdims: bool = False) -> Text:
        axes = normalise_axes(axis, a.ndim)
        return self.scaled(1 / size_of(a.shape, axes), [self.big_sum(a, axes)])

    def origin_norm(self, node: Node, a: Node, **options: Any) -> Text:
        return super().origin(node) if options else self.bars(self.ref(a))

    def origin_pick(self, node: Node, a: Node, index: Node) -> Text:
        return self.index(self.ref(a), self.ref(index).text)

    def origin_one_hot(self, node: Node, index: Node, size: Any) -> Text:
        return self.function("one_hot", [self.ref(index)], {})

    # -- structural ops
    def op_sum(self, node: Node, a: Text) -> Text:
        source, axes = node.args[0], node.attr[0]
        square = self._squared(source) if len(axes) == source.ndim else None
        return self.big_sum(source, axes) if square is None else self.power(self.bars(square), Text("2"))

    def _squared(self, a: Node) -> Text | None:
        """The text of x where a row is the unnamed square of x."""
        if a.id in self.symbols or a.op.name != "elementwise" or len(a.args) != 1:
            return None
        form = a.attr.form
        square = isinstance(form, f.Pow) and isinstance(form.base, f.Arg) and form.exponent == TWO
        return self.ref(a.args[0]) if square else None

    def op_max(self, node: Node, a: Text) -> Text:
        return self.big_operator("max", a, self.bound(node.args[0], node.attr[0]))

    def op_logsumexp(self, node: Node, a: Text) -> Text:
        self.mentioned.setdefault("logsumexp")
        last = node.attr[0] == (node.args[0].ndim - 1,)
        return self.operator("logsumexp", [a], [] if last else self.bound(node.args[0], node.attr[0]))

    def op_softmax(self, node: Node, a: Text) -> Text:
        self.mentioned.setdefault("softmax")
        return self.operator("softmax", [a], [] if node.attr == node.ndim - 1 else self.bound(node, (node.attr,)))

    def op_broadcast(self, node: Node, a: Text) -> Text:
        self.mentioned.setdefault("broadcast")
        return self.operator("broadcast", [a], [self.shape_text(node.shape)])

    def op_reshape(self, node: Node, a: Text) -> Text:
        """Axes of size 1 come and go without a word, as broadcasting has it."""
        if [d for d in node.shape if not is_one(d)] == [d for d in node.args[0].shape if not is_one(d)]:
            return a
        return self.operator("reshape", [a], [self.shape_text(node.shape)])

    def op_eye(self, node: Node) -> Text:
        return Text("I")

    def op_einsum(self, node: Node, *args: Text) -> Text:
        if node.attr == "a,b->ab":
            return self.matmul(args[0], self.transpose(args[1]))
        if node.attr == "a,a->":
            return self.matmul(self.transpose(args[0]), args[1])
        if node.attr == "ab,ab->":
            return self.big_operator("sum", self.product(args), self.bound(node.args[0], (0, 1)))
        return super().structural(node, args)

    def op_scatter_add(self, node: Node, g: Text, index: Text) -> Text:
        return self.function("scatter_add", [g, index], {})

    def op_put_along_axis(self, node: Node, g: Text, index: Text) -> Text:
        return self.function("put_along_axis", [g, index], {})

    # -- reductions
    def big_sum(self, a: Node, axes: Sequence[int]) -> Text:
        return self.big_operator("sum", self.ref(a), self.bound(a, axes))

    def bound(self, a: Node, axes: Sequence[int]) -> list[str]:
        """The index letters of axes that something runs over."""
        letters = self.letters.of(a.shape)
        axes = [i for i in axes if not is_one(a.shape[i])]
        self.letters.mention([letters[i] for i in axes], [a.shape[i] for i in axes])
        return [letters[i] for i in axes]
