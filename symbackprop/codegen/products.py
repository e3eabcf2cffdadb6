"""Products as BLAS wants them: two-dimensional matrix products, transposes as flags, batches through np.matmul.

An einsum of two operands has letters of four kinds: batch (in both operands and the result), summed (in both, not in
the result), left and right (in one operand and the result). Without batch letters it is one matrix product of the
operands reshaped to (left, summed) and (summed, right); with them it is np.matmul. Everything else stays an einsum.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from symbackprop.codegen.tree import Expr, binary, method, transposed
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import Dim, Shape, size_of

if TYPE_CHECKING:
    from symbackprop.codegen.arrays import Arrays


def product(p: Arrays, node: Node, args: Sequence[Expr], shape: Shape | None = None) -> Expr | None:
    """The code of an einsum row; None where the plain rule of its op is as good.

    With ``shape``, the code of the row in that shape; None where that needs a reshape of its own.
    """
    pattern: Pattern = node.attr
    if len(pattern.ins) == 1:
        return _single(p, pattern, args[0]) if shape is None else None
    if len(pattern.ins) != 2 or any(len(set(s)) < len(s) for s in pattern.ins):
        return None
    pair = Pair(p, *pattern.ins, pattern.out, args, pattern.sizes([a.shape for a in node.args]))
    if shape is None:
        return pair.product() or pair.outer()
    pair.shape = shape
    return pair.product() if pair.is_flat() else None


def _single(p: Arrays, pattern: Pattern, a: Expr) -> Expr | None:
    (source,), out = pattern.ins, pattern.out
    if len(set(source)) < len(source):
        return None
    size = pattern.sizes([a.shape])
    if pattern.is_transpose:
        code = p.flipped(a.code, len(out)) if out == source[::-1] else p.permuted(a.code, pattern.order)
        return Expr(code, tuple(size[c] for c in out), a.kind)
    axes = tuple(k for k, c in enumerate(source) if c not in out)
    kept = "".join(c for c in source if c in out)
    total = method(a.code, "sum", axis=axes[0] if len(axes) == 1 else axes)
    whole = Expr(total, tuple(size[c] for c in kept), a.kind)
    return whole if kept == out else _single(p, Pattern((kept,), out), whole)


def _order(source: str, out: str) -> tuple[int, ...]:
    return Pattern((source,), out).order


class Letters(NamedTuple):
    """The letters of a product of two, each kind in the order that suits the operands."""

    batch: str
    left: str
    summed: str
    right: str


class Pair:
    """An einsum of two operands without repeated letters."""

    def __init__(self, p: Arrays, a: str, b: str, out: str, args: Sequence[Expr], size: dict[str, Dim]) -> None:
        self.p, self.a, self.b, self.out, self.args, self.size = p, a, b, out, args, size
        self.shape = tuple(size[c] for c in out)

    def is_flat(self) -> bool:
        """Whether the product is computed as matrices and reshaped afterwards."""
        letters = self._letters()
        return not letters.batch and bool(letters.summed) and (len(letters.left) > 1 or len(letters.right) > 1)

    def product(self) -> Expr | None:
        if any(c not in self.out + self.b for c in self.a) or any(c not in self.out + self.a for c in self.b):
            return None  # an axis of one operand is summed by itself: einsum does it in passing
        letters = self._letters()
        if not letters.summed:
            return None
        if letters.batch:
            return self._batched(letters)
        if len(letters.left) <= 1 and len(letters.right) <= 1 and len(letters.summed) == 1:
            return self._matrix(letters)
        return self._flat(letters)

    def _letters(self) -> Letters:
        batch = "".join(c for c in self.out if c in self.a and c in self.b)
        summed = "".join(c for c in self.a if c in self.b and c not in self.out)
        left = "".join(c for c in self.out if c in self.a and c not in batch)
        right = "".join(c for c in self.out if c in self.b and c not in batch)
        return Letters(batch, left, summed, right)

    def outer(self) -> Expr | None:
        """a bᵀ of two vectors."""
        letters = self._letters()
        if letters.summed or letters.batch or len(letters.left) != 1 or len(letters.right) != 1:
            return None
        if len(self.a) != 1 or len(self.b) != 1:
            return None
        order = self.args if self.out == self.a + self.b else self.args[::-1]
        return Expr(self.p.np("outer", *[a.code for a in order]), self.shape, FLOAT)

    # -- one matrix product
    def _matrix(self, letters: Letters) -> Expr:
        """Matrices and vectors as they are: A @ B, A.T @ B, A @ v, v @ A, u @ v."""
        left, summed, right = letters.left, letters.summed, letters.right
        if self.out == right + left and left and right:
            return _times(self._as(1, right + summed), self._as(0, summed + left), self.shape)
        if (not left and right and self.b == right + summed) or (not right and left and self.a == summed + left):
            return _times(self.args[1], self.args[0], self.shape)
        return _times(self._as(0, left + summed), self._as(1, summed + right), self.shape)

    def _as(self, k: int, want: str) -> Expr:
        """An operand of at most two axes, transposed where its letters stand the other way round."""
        have = (self.a, self.b)[k]
        return self.args[k] if have == want or len(have) < 2 else _turned(self.args[k])

    # -- more axes than two
    def _flat(self, letters: Letters) -> Expr | None:
        """Operands reshaped to matrices, their product reshaped back. Only when no operand has to be copied for it."""
        first = self._as_matrix(0, letters.left, letters.summed)
        second = self._as_matrix(1, letters.right, letters.summed)
        if first is None or second is None:
            return None
        (a, a_turned), (b, b_turned) = first, second
        left = _turned(a) if a_turned and letters.left else a
        right = b if b_turned or not letters.right else _turned(b)
        groups = [letters.left, letters.right]
        if self.out == letters.right + letters.left:
            left, right, groups = _turned(right), _turned(left), groups[::-1]
        elif self.out != letters.left + letters.right:
            return None
        whole = _times(left, right, tuple(self._size(g) for g in groups if g))
        if all(len(g) <= 1 for g in groups):
            return whole
        return Expr(method(whole.code, "reshape", *self.p.dims(self.shape)), self.shape, FLOAT, (whole,))

    def _as_matrix(self, k: int, own: str, summed: str) -> tuple[Expr, bool] | None:
        """The operand as a matrix (own, summed), or (summed, own) and True; None where its axes are interleaved."""
        have, operand = (self.a, self.b)[k], self.args[k]
        for groups, turned in (([own, summed], False), ([summed, own], True)):
            groups = [g for g in groups if g]
            if have == "".join(groups):
                if all(len(g) == 1 for g in groups):
                    return operand, turned
                shape = tuple(map(self._size, groups))
                return Expr(method(operand.code, "reshape", *self.p.dims(shape)), shape, operand.kind), turned
        return None

    def _size(self, letters: str) -> Dim:
        return size_of(tuple(self.size[c] for c in letters))

    # -- batches
    def _batched(self, letters: Letters) -> Expr | None:
        """np.matmul over leading batch axes; single letters left, summed and right."""
        batch, left, summed, right = letters
        if len(left) != 1 or len(right) != 1 or len(summed) != 1:
            return None
        natural = batch + left + right
        shape = tuple(self.size[c] for c in natural)
        whole = _times(self._stacked(0, batch, left, summed), self._stacked(1, batch, summed, right), shape)
        if self.out == natural:
            return whole
        return Expr(self.p.permuted(whole.code, _order(natural, self.out)), self.shape, FLOAT, (whole,))

    def _stacked(self, k: int, batch: str, rows: str, columns: str) -> Expr:
        """An operand with axes (batch, rows, columns): a view."""
        have, operand, want = (self.a, self.b)[k], self.args[k], batch + rows + columns
        if have == want:
            return operand
        swapped = have == batch + columns + rows
        code = operand.code
        code = method(code, "swapaxes", -1, -2) if swapped else self.p.permuted(code, _order(have, want))
        return Expr(code, tuple(self.size[c] for c in want), operand.kind)


def _times(left: Expr, right: Expr, shape: Shape) -> Expr:
    return Expr(binary(left.code, ast.MatMult, right.code), shape, FLOAT, (left, right))


def _turned(a: Expr) -> Expr:
    return Expr(transposed(a.code), a.shape[::-1], a.kind)
