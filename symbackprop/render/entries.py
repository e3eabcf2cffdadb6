"""Entries of arrays: a row at given indices, written down to the entries of what has a name.

(A B)_ij is Σ_k A_ik B_kj; tanh(Z)_ij is tanh(Z_ij); an array repeated by broadcasting has no index for its copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import is_one
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.window_entries import WindowEntries

SPARE = "klmrstuvjipq"


class Fresh:
    """Index letters of one step: every axis that is summed over gets a letter of its own, that of its size if free."""

    def __init__(self, taken: Sequence[str], blocked: Sequence[str]) -> None:
        self.taken = {*taken, *blocked}
        self.sizes: dict[str, sp.Expr] = {}

    def letter(self, size: sp.Expr) -> str:
        letter = next(c for c in self._wishes(size) if c not in self.taken)
        self.taken.add(letter)
        self.sizes[letter] = size
        return letter

    def _wishes(self, size: sp.Expr) -> Iterator[str]:
        if size.is_Symbol:
            yield size.name[0].lower()
        yield from SPARE
        count = 1
        while True:
            yield f"k{count}"
            count += 1


class Entries(WindowEntries):
    """Writes entries in one notation. ``fresh`` gives letters to inner sums; both notations need equal ones."""

    fresh: Fresh

    def __init__(self, n: RowNotation, fresh: Fresh) -> None:
        self.n, self.fresh = n, fresh

    def named(self, node: Node, name: Text, index: Sequence[str]) -> Text:
        """An entry of something with a name; axes of size 1 have no index."""
        return self.n.subscripted(Text(*name), [i for i, d in zip(index, node.shape, strict=True) if not is_one(d)])

    def ref(self, node: Node, index: Sequence[str]) -> Text:
        symbol = self.n.symbols.get(node.id)
        return self.row(node, index) if symbol is None else self.named(node, symbol, index)

    def row(self, node: Node, index: Sequence[str]) -> Text:
        """An entry of the right-hand side of a row."""
        if node.value is not None:
            return self.n.num(node.value)
        origin = getattr(self, f"origin_{node.origin.function}", None) if node.origin is not None else None
        if origin is not None and node.id not in self.n.expanded:
            return origin(node, index)  # type: ignore[no-any-return]
        write = getattr(self, f"op_{node.op.name}", None)
        if write is None or (node.origin is not None and node.id not in self.n.expanded):
            return self.n.subscripted(Text(*self.n.row(node)), list(index))
        return write(node, index)  # type: ignore[no-any-return]

    # -- functions and ops
    def origin_one_hot(self, node: Node, index: Sequence[str]) -> Text:
        inside = self.ref(node.args[0], index[: node.args[0].ndim])
        return self.indicator(inside.text, index[-1])

    def origin_mean(self, node: Node, index: Sequence[str]) -> Text:
        return self.op_elementwise(node, index)

    origin_log_softmax = origin_binary_cross_entropy = origin_mean

    def indicator(self, left: str, right: str) -> Text:
        opening, closing = self.n.brackets
        return Text(f"{opening}{left} = {right}{closing}")

    def op_leaf(self, node: Node, index: Sequence[str]) -> Text:
        return self.named(node, self.n.bare(node), index)

    def op_elementwise(self, node: Node, index: Sequence[str]) -> Text:
        return self.n.formula(node.attr.form, [self.ref(a, aligned(a, index)) for a in node.args])

    def op_broadcast(self, node: Node, index: Sequence[str]) -> Text:
        return self.ref(node.args[0], aligned(node.args[0], index))

    def op_reshape(self, node: Node, index: Sequence[str]) -> Text:
        moved = reshaped(node, index)
        if moved is None:
            return self.n.subscripted(Text(*self.n.row(node)), list(index))
        return self.ref(node.args[0], moved)

    def op_einsum(self, node: Node, index: Sequence[str]) -> Text:
        pattern: Pattern = node.attr
        place = dict(zip(pattern.out, index, strict=True))
        sizes, summed = pattern.sizes([a.shape for a in node.args]), pattern.summed
        place |= {c: self.fresh.letter(sizes[c]) for c in summed}
        factors = [self.ref(a, [place[c] for c in s]) for s, a in zip(pattern.ins, node.args, strict=True)]
        body = self.n.product(factors)
        return self.n.big_operator("sum", body, [place[c] for c in summed]) if summed else body

    def op_sum(self, node: Node, index: Sequence[str]) -> Text:
        whole, letters = self._inner(node, index)
        return Text(*self.n.big_operator("sum", self.ref(node.args[0], whole), letters))

    def op_max(self, node: Node, index: Sequence[str]) -> Text:
        whole, letters = self._inner(node, index)
        return Text(*self.n.big_operator("max", self.ref(node.args[0], whole), letters))

    def _inner(self, node: Node, index: Sequence[str]) -> tuple[list[str], list[str]]:
        """The indices of a reduction's argument, and the letters of the axes that are reduced."""
        axes, keepdims = node.attr
        rest = iter([x for k, x in enumerate(index) if not (keepdims and k in axes)])
        letters = {k: self.fresh.letter(node.args[0].shape[k]) for k in axes}
        return [letters[k] if k in letters else next(rest) for k in range(node.args[0].ndim)], list(letters.values())

    def op_eye(self, node: Node, index: Sequence[str]) -> Text:
        return self.indicator(index[0], index[1])

    def op_arange(self, node: Node, index: Sequence[str]) -> Text:
        return Text(index[0])

    def op_gather(self, node: Node, index: Sequence[str]) -> Text:
        table, rows = node.args
        return self.ref(table, [self.ref(rows, index[: rows.ndim]).text, *index[rows.ndim :]])

    def op_scatter_add(self, node: Node, index: Sequence[str]) -> Text:
        g, rows = node.args
        letters = [self.fresh.letter(d) for d in rows.shape]
        chosen = self.indicator(self.ref(rows, letters).text, index[0])
        return self.n.big_operator("sum", self.n.product([chosen, self.ref(g, [*letters, *index[1:]])]), letters)

    def op_take_along_axis(self, node: Node, index: Sequence[str]) -> Text:
        a, chosen = node.args
        there = self.ref(chosen, index).text
        return self.ref(a, [*index[: node.attr], there, *index[node.attr + 1 :]])

    def op_put_along_axis(self, node: Node, index: Sequence[str]) -> Text:
        axis, g, chosen = node.attr[0], *node.args
        if not is_one(g.shape[axis]):
            return self.n.subscripted(Text(*self.n.row(node)), list(index))
        inner = [*index[:axis], "1", *index[axis + 1 :]]
        return self.n.product([self.indicator(self.ref(chosen, inner).text, index[axis]), self.ref(g, inner)])

    def formula(self, form: f.Formula, rows: Sequence[Node], index: Sequence[str]) -> Text:
        """A formula over entries of rows, at the indices of the result."""
        return self.n.formula(form, [self.ref(r, aligned(r, index)) for r in rows])


def aligned(a: Node, index: Sequence[str]) -> list[str]:
    """The indices of an argument under broadcasting: the last ones."""
    return list(index[len(index) - a.ndim :]) if a.ndim else []


def reshaped(node: Node, index: Sequence[str]) -> list[str] | None:
    """The indices before a reshape that only adds or removes axes of size 1; None for others."""
    source = node.args[0]
    if [d for d in node.shape if not is_one(d)] != [d for d in source.shape if not is_one(d)]:
        return None
    kept = iter([x for x, d in zip(index, node.shape, strict=True) if not is_one(d)])
    return ["1" if is_one(d) else next(kept) for d in source.shape]
