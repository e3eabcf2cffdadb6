"""Entries of arrays: a row at given indices, written down to the entries of what has a name.

(A B)_ij is Σ_k A_ik B_kj; tanh(Z)_ij is tanh(Z_ij); an array repeated by broadcasting has no index for its copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.graph import Node
from symbackprop.core.maths import Big, Entry, Letter, Math, Num, product
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import is_one
from symbackprop.render.axes import AxisLetters
from symbackprop.render.rows import Rows

SPARE = "klmrstuvjipq"
ONLY = Num(sp.S.Zero)  # the index of an axis of size 1, where one has to be written
Index = Sequence[Math]


class Fresh:
    """Index letters of one step: every axis that is summed over gets a letter of its own, that of its size if free."""

    def __init__(self, taken: Iterable[Math], blocked: Iterable[str], legend: AxisLetters) -> None:
        self.legend = legend
        self.taken = {*blocked, *[x.name for i in taken for x in maths.walk(i) if isinstance(x, Letter)]}

    def letter(self, size: sp.Expr) -> Letter:
        letter = next(c for c in self._wishes(size) if c not in self.taken and self.legend.fits(c, size))
        self.taken.add(letter)
        return Letter(letter)

    def _wishes(self, size: sp.Expr) -> Iterator[str]:
        if size.is_Symbol:
            yield size.name[0].lower()
        yield from SPARE
        count = 1
        while True:
            yield f"k{count}"
            count += 1


class Entries:
    """Writes entries of rows. ``fresh`` gives letters to inner sums."""

    def __init__(self, r: Rows, fresh: Fresh) -> None:
        self.r, self.fresh = r, fresh

    def named(self, node: Node, name: Math, index: Index) -> Math:
        """An entry of something with a name; axes of size 1 have no index."""
        kept = tuple([i for i, d in zip(index, node.shape, strict=True) if not is_one(d)])
        return Entry(name, kept)

    def ref(self, node: Node, index: Index) -> Math:
        symbol = self.r.symbols.get(node.id)
        return self.row(node, index) if symbol is None else self.named(node, symbol, index)

    def row(self, node: Node, index: Index) -> Math:
        """An entry of the right-hand side of a row."""
        if node.value is not None:
            return Num(node.value)
        write = OPS.get(node.op.name)
        if self.r.is_call(node):
            assert node.origin is not None
            write = FUNCTIONS.get(node.origin.function)
        return self.whole(node, index) if write is None else write(self, node, index)

    def whole(self, node: Node, index: Index) -> Math:
        """An entry of a row that has no form by entries."""
        return Entry(self.r.row(node), tuple(index))

    def formula(self, form: f.Formula, rows: Sequence[Node], index: Index) -> Math:
        """A formula over entries of rows, at the indices of the result."""
        return self.r.formula(form, [self.ref(a, aligned(a, index)) for a in rows])

    def sum(self, body: Math, letters: Sequence[Letter], sizes: Iterable[sp.Expr], sign: str = "sum") -> Math:
        return Big(sign, tuple([x.name for x in letters]), body, tuple(sizes))


def equal(left: Math, right: Math) -> Math:
    """1[left = right]."""
    return maths.Indicator(maths.Relation(left, "=", right))


def aligned(a: Node, index: Index) -> list[Math]:
    """The indices of an argument under broadcasting: the last ones."""
    return list(index[len(index) - a.ndim :]) if a.ndim else []


def reshaped(node: Node, index: Index) -> list[Math] | None:
    """The indices before a reshape that only adds or removes axes of size 1; None for others."""
    source = node.args[0]
    if [d for d in node.shape if not is_one(d)] != [d for d in source.shape if not is_one(d)]:
        return None
    kept = iter([x for x, d in zip(index, node.shape, strict=True) if not is_one(d)])
    return [ONLY if is_one(d) else next(kept) for d in source.shape]


# -- functions and ops
def _one_hot(e: Entries, node: Node, index: Index) -> Math:
    return equal(e.ref(node.args[0], index[: node.args[0].ndim]), index[-1])


def _elementwise(e: Entries, node: Node, index: Index) -> Math:
    if node.op.name != "elementwise":  # what the function comes to is another op
        return OPS[node.op.name](e, node, index) if node.op.name in OPS else e.whole(node, index)
    return e.formula(node.attr.form, node.args, index)


def _reshape(e: Entries, node: Node, index: Index) -> Math:
    moved = reshaped(node, index)
    return e.whole(node, index) if moved is None else e.ref(node.args[0], moved)


def _einsum(e: Entries, node: Node, index: Index) -> Math:
    pattern: Pattern = node.attr
    place: dict[str, Math] = dict(zip(pattern.out, index, strict=True))
    sizes = pattern.sizes([a.shape for a in node.args])
    letters = [e.fresh.letter(sizes[c]) for c in pattern.summed]
    place |= dict(zip(pattern.summed, letters, strict=True))
    body = product(*[e.ref(a, [place[c] for c in s]) for s, a in zip(pattern.ins, node.args, strict=True)])
    return e.sum(body, letters, [sizes[c] for c in pattern.summed]) if letters else body


def _reduced(sign: str) -> Callable[[Entries, Node, Index], Math]:
    def write(e: Entries, node: Node, index: Index) -> Math:
        axes, keepdims = node.attr
        a = node.args[0]
        rest = iter([x for k, x in enumerate(index) if not (keepdims and k in axes)])
        letters = {k: e.fresh.letter(a.shape[k]) for k in axes}
        whole = [letters[k] if k in letters else next(rest) for k in range(a.ndim)]
        return e.sum(e.ref(a, whole), list(letters.values()), [a.shape[k] for k in axes], sign)

    return write


def _gather(e: Entries, node: Node, index: Index) -> Math:
    table, rows = node.args
    return e.ref(table, [e.ref(rows, index[: rows.ndim]), *index[rows.ndim :]])


def _scatter_add(e: Entries, node: Node, index: Index) -> Math:
    g, rows = node.args
    letters = [e.fresh.letter(d) for d in rows.shape]
    chosen = equal(e.ref(rows, letters), index[0])
    return e.sum(product(chosen, e.ref(g, [*letters, *index[1:]])), letters, rows.shape)


def _take_along_axis(e: Entries, node: Node, index: Index) -> Math:
    a, chosen = node.args
    return e.ref(a, [*index[: node.attr], e.ref(chosen, index), *index[node.attr + 1 :]])


def _put_along_axis(e: Entries, node: Node, index: Index) -> Math:
    axis, g, chosen = node.attr[0], *node.args
    if not is_one(g.shape[axis]):
        return e.whole(node, index)
    inner = [*index[:axis], ONLY, *index[axis + 1 :]]
    return product(equal(e.ref(chosen, inner), index[axis]), e.ref(g, inner))


# -- windows and convolutions: places in images, kernels and windows count from 0; outside an image stands 0
#
# conv2d: y[n,o,q,k] = Σ x[n, s·o+i−p, s·q+j−p, c]·w[i,j,c,k]. Its derivative in x is the convolution of the gradient
# with the flipped kernel, Σ δ[n, (a+p−i)/s, (b+p−j)/s, k]·w[i,j,c,k] over whole places; its derivative in w the
# correlation of x with the gradient, Σ x[n, s·o+i−p, s·q+j−p, c]·δ[n,o,q,k].
def _conv2d(e: Entries, node: Node, index: Index) -> Math:
    x, w = node.args
    (n, o, q, k), stride, padding = index, node.attr[0], node.attr[1]
    i, j, c = letters = [e.fresh.letter(d) for d in w.shape[:3]]
    rows, columns = _reached(o, i, stride[0], padding[0]), _reached(q, j, stride[1], padding[1])
    return e.sum(product(e.ref(x, [n, rows, columns, c]), e.ref(w, [i, j, c, k])), letters, w.shape[:3])


def _conv2d_input(e: Entries, node: Node, index: Index) -> Math:
    y, w = node.args
    (n, a, b, c), stride, padding = index, node.attr[0], node.attr[1]
    sizes = (w.shape[0], w.shape[1], w.shape[3])
    i, j, k = letters = [e.fresh.letter(d) for d in sizes]
    rows, columns = _came_from(a, i, stride[0], padding[0]), _came_from(b, j, stride[1], padding[1])
    return e.sum(product(e.ref(y, [n, rows, columns, k]), e.ref(w, [i, j, c, k])), letters, sizes)


def _conv2d_kernel(e: Entries, node: Node, index: Index) -> Math:
    x, y = node.args
    (i, j, c, k), stride, padding = index, node.attr[0], node.attr[1]
    n, o, q = letters = [e.fresh.letter(d) for d in y.shape[:3]]
    rows, columns = _reached(o, i, stride[0], padding[0]), _reached(q, j, stride[1], padding[1])
    return e.sum(product(e.ref(x, [n, rows, columns, c]), e.ref(y, [n, o, q, k])), letters, y.shape[:3])


def _unfold(e: Entries, node: Node, index: Index) -> Math:
    axis, _, stride = node.attr
    place = _reached(index[axis], index[axis + 1], stride, 0)
    return e.ref(node.args[0], [*index[:axis], place, *index[axis + 2 :]])


def _reached(o: Math, i: Math, stride: int, padding: int) -> Math:
    """The place that window o reaches at i: s·o+i−p."""
    return maths.Place(((stride, o), (1, i), *([(-padding, None)] if padding else [])))


def _came_from(a: Math, i: Math, stride: int, padding: int) -> Math:
    """The window that reaches place a at i: (a+p−i)/s."""
    return maths.Place(((1, a), *([(padding, None)] if padding else []), (-1, i)), stride)


Writer = Callable[[Entries, Node, Index], Math]
FUNCTIONS: dict[str, Writer] = {"one_hot": _one_hot, "mean": _elementwise, "log_softmax": _elementwise,
                                "binary_cross_entropy": _elementwise}  # fmt: skip
OPS: dict[str, Writer] = {
    "leaf": lambda e, node, index: e.named(node, e.r.bare(node), index),
    "elementwise": _elementwise, "broadcast": lambda e, node, index: e.ref(node.args[0], aligned(node.args[0], index)),
    "reshape": _reshape, "einsum": _einsum, "sum": _reduced("sum"), "max": _reduced("max"),
    "eye": lambda e, node, index: equal(*index), "arange": lambda e, node, index: index[0], "gather": _gather,
    "scatter_add": _scatter_add, "take_along_axis": _take_along_axis, "put_along_axis": _put_along_axis,
    "conv2d": _conv2d, "conv2d_input": _conv2d_input, "conv2d_kernel": _conv2d_kernel, "unfold": _unfold,
}  # fmt: skip
