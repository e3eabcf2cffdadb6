"""Entries of windows and convolutions. Places in images, kernels and windows count from 0; outside an image stands 0.

conv2d: y[n,o,q,k] = Σ x[n, s·o+i−p, s·q+j−p, c]·w[i,j,c,k]. Its derivative in x is the convolution of the gradient with
the flipped kernel, Σ δ[n, (a+p−i)/s, (b+p−j)/s, k]·w[i,j,c,k] over whole places; its derivative in w the correlation of
x with the gradient, Σ x[n, s·o+i−p, s·q+j−p, c]·δ[n,o,q,k].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.render.notation_rows import RowNotation


class Letters(Protocol):
    """Gives index letters that are not taken."""

    def letter(self, size: sp.Expr) -> str: ...


class WindowEntries:
    """Mixin of `Entries`, which has ``n``, ``fresh`` and ``ref``."""

    n: RowNotation
    fresh: Letters

    def ref(self, node: Node, index: Sequence[str]) -> Text:
        raise NotImplementedError

    def op_conv2d(self, node: Node, index: Sequence[str]) -> Text:
        x, w = node.args
        (n, o, q, k), stride, padding = index, node.attr[0], node.attr[1]
        i, j, c = (self.fresh.letter(d) for d in w.shape[:3])
        rows, columns = self.reached(o, i, stride[0], padding[0]), self.reached(q, j, stride[1], padding[1])
        body = self.n.product([self.ref(x, [n, rows, columns, c]), self.ref(w, [i, j, c, k])])
        return self.n.big_operator("sum", body, [i, j, c])

    def op_conv2d_input(self, node: Node, index: Sequence[str]) -> Text:
        y, w = node.args
        (n, a, b, c), stride, padding = index, node.attr[0], node.attr[1]
        i, j, k = (self.fresh.letter(d) for d in (w.shape[0], w.shape[1], w.shape[3]))
        rows, columns = self.came_from(a, i, stride[0], padding[0]), self.came_from(b, j, stride[1], padding[1])
        body = self.n.product([self.ref(y, [n, rows, columns, k]), self.ref(w, [i, j, c, k])])
        return self.n.big_operator("sum", body, [i, j, k])

    def op_conv2d_kernel(self, node: Node, index: Sequence[str]) -> Text:
        x, y = node.args
        (i, j, c, k), stride, padding = index, node.attr[0], node.attr[1]
        n, o, q = (self.fresh.letter(d) for d in y.shape[:3])
        rows, columns = self.reached(o, i, stride[0], padding[0]), self.reached(q, j, stride[1], padding[1])
        body = self.n.product([self.ref(x, [n, rows, columns, c]), self.ref(y, [n, o, q, k])])
        return self.n.big_operator("sum", body, [n, o, q])

    def op_unfold(self, node: Node, index: Sequence[str]) -> Text:
        axis, _, stride = node.attr
        place = self.reached(index[axis], index[axis + 1], stride, 0)
        return self.ref(node.args[0], [*index[:axis], place, *index[axis + 2 :]])

    def reached(self, o: str, i: str, stride: int, padding: int) -> str:
        """The place that window o reaches at i: s·o+i−p."""
        start = o if stride == 1 else f"{stride}{o}"
        return f"{start}+{i}" + (f"{self.n.minus}{padding}" if padding else "")

    def came_from(self, a: str, i: str, stride: int, padding: int) -> str:
        """The window that reaches place a at i: (a+p−i)/s."""
        top = a + (f"+{padding}" if padding else "") + f"{self.n.minus}{i}"
        return top if stride == 1 else f"({top})/{stride}"
