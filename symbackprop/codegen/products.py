"""Products as BLAS wants them: matrix products, transposes as flags, batches through np.matmul, two operands at a time.

A product of two operands has letters of four kinds: batch (in both operands and the result), summed (in both, not in
the result), left and right (in one operand and the result); an axis that stands in one operand alone is summed first.
Without batch letters it is one matrix product of the operands reshaped to (left, summed) and (summed, right), or
np.tensordot where axes have to change places for that; with them it is np.matmul. With nothing to sum it is a product
entry by entry. Inner products of rows (batch and summed letters only) stay np.einsum, the fastest that NumPy has.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from symbackprop.codegen.tree import ALL, Expr, binary, index, joined, method, transposed
from symbackprop.core.contraction import planned
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import ONE, Dim, Shape, size_of

if TYPE_CHECKING:
    from symbackprop.codegen.arrays import Arrays


def product(p: Arrays, node: Node, args: Sequence[Expr], shape: Shape | None = None) -> Expr | None:
    """The code of an einsum row; None where the plain rule of its op is as good.

    With ``shape``, the code of the row in that shape; None where that needs a reshape of its own.
    """
    pattern: Pattern = node.attr
    if len(pattern.ins) == 1:
        return _single(p, pattern, args[0]) if shape is None else None
    pair = _last_pair(p, pattern, node.args, args)
    return pair.product() if shape is None else pair.reshaped(shape)


def _single(p: Arrays, pattern: Pattern, a: Expr) -> Expr | None:
    (source,), out = pattern.ins, pattern.out
    if len(set(source)) < len(source):
        return None
    if pattern.is_transpose:
        return _moved(p, a, source, out)
    axes = tuple(k for k, c in enumerate(source) if c not in out)
    kept = "".join(c for c in source if c in out)
    total = method(a.code, "sum", **{p.axis: axes[0] if len(axes) == 1 else axes})
    shape = tuple([d for d, c in zip(a.shape, source, strict=True) if c in out])
    return _moved(p, Expr(total, shape, a.kind), kept, out)


def _moved(p: Arrays, a: Expr, source: str, out: str) -> Expr:
    """An array with its axes in another order."""
    if source == out:
        return a
    order = Pattern((source,), out).order
    code = p.flipped(a.code, len(out)) if out == source[::-1] else p.permuted(a.code, order)
    return Expr(code, tuple([a.shape[k] for k in order]), a.kind, (a,))


class Factor(NamedTuple):
    """An operand and the letters of its axes, each once."""

    letters: str
    value: Expr


def _last_pair(p: Arrays, pattern: Pattern, rows: Sequence[Node], args: Sequence[Expr]) -> Pair:
    """The product of two that a product of any number is in the end, the cheapest order taken."""
    sizes = pattern.sizes([row.shape for row in rows])
    factors = [_once(p, s, a) for s, a in zip(pattern.ins, args, strict=True)]
    *plan, (one, other, _) = planned([x.letters for x in factors], pattern.out, sizes, [row.id for row in rows])
    for a, b, kept in plan:
        factors.append(_inner(p, factors[a], factors[b], kept, sizes))
    return Pair(p, factors[one], factors[other], pattern.out, sizes)


def _inner(p: Arrays, a: Factor, b: Factor, kept: Collection[str], sizes: dict[str, Dim]) -> Factor:
    """The product of two of several factors, its axes in the order in which they come."""
    out = "".join(c for c in dict.fromkeys(a.letters + b.letters) if c in kept)
    return Factor(out, Pair(p, a, b, out, sizes).product())


def _once(p: Arrays, letters: str, a: Expr) -> Factor:
    """An operand, of axes that share a letter the diagonal."""
    once = "".join(dict.fromkeys(letters))
    if once == letters:
        return Factor(letters, a)
    shape = tuple([a.shape[letters.index(c)] for c in once])
    return Factor(once, Expr(p.np("einsum", f"{letters}->{once}", a.code), shape, a.kind))


class Letters(NamedTuple):
    """The letters of a product of two, each kind in the order that suits the operands."""

    batch: str
    left: str
    summed: str
    right: str


class Pair:
    """A product of two operands, at letters that are different in each."""

    def __init__(self, p: Arrays, a: Factor, b: Factor, out: str, size: dict[str, Dim]) -> None:
        self.p, self.out, self.size = p, out, size
        self.args = self._own_sums(a, b.letters), self._own_sums(b, a.letters)
        self.a, self.b = (x.letters for x in self.args)
        self.shape = self._shape(out)

    def _own_sums(self, x: Factor, others: str) -> Factor:
        """An operand, summed over the axes that stand nowhere else."""
        kept = "".join(c for c in x.letters if c in self.out + others)
        own = _single(self.p, Pattern((x.letters,), kept), x.value) if kept != x.letters else None
        return x if own is None else Factor(kept, own)

    def _shape(self, letters: Iterable[str]) -> Shape:
        return tuple([self.size[c] for c in letters])

    def product(self) -> Expr:
        letters = self._letters()
        batch, left, summed, right = letters
        if not summed:
            return self._entrywise()
        if batch:
            return (self._batched(letters) if left or right else None) or self.rows()
        if len(left) <= 1 and len(right) <= 1 and len(summed) == 1:
            return self._matrix(letters)
        return self._flat(letters) or self._tensordot(letters)

    def is_in_order(self) -> bool:
        """Whether the axes of a batch stand in front, in one order, in both operands and the result."""
        batch = self._letters().batch
        return all(letters.startswith(batch) for letters in (self.a, self.b, self.out))

    def reshaped(self, shape: Shape) -> Expr | None:
        """The product in another shape; None where it is not reshaped afterwards anyway."""
        letters = self._letters()
        if not letters.summed or (len(letters.left) <= 1 and len(letters.right) <= 1):
            return None
        if letters.batch and not (letters.left and letters.right):
            return None
        return self._batched(letters, shape) if letters.batch else self._flat(letters, shape)

    def _letters(self) -> Letters:
        batch = "".join(c for c in self.out if c in self.a and c in self.b)
        summed = "".join(c for c in self.a if c in self.b and c not in self.out)
        left, right = ("".join(c for c in own if c not in batch + summed) for own in (self.a, self.b))
        return Letters(batch, left, summed, right)

    # -- nothing to sum
    def _entrywise(self) -> Expr:
        """a bᵀ of two vectors, else operands with an axis of size 1 for every letter that they have not."""
        if len(self.a) == len(self.b) == 1 and self.a != self.b:
            order = self.args if self.out == self.a + self.b else self.args[::-1]
            return Expr(self.p.np("outer", *[x.value.code for x in order]), self.shape, FLOAT)
        return joined(self._spread(self.args[0]), ast.Mult, self._spread(self.args[1])).of(self.shape, FLOAT)

    def _spread(self, x: Factor) -> Expr:
        own = _moved(self.p, x.value, x.letters, "".join(c for c in self.out if c in x.letters))
        axes = [ALL if c in x.letters else None for c in self.out]
        while axes and axes[0] is None:
            del axes[0]
        if None not in axes:
            return own
        shape = [self.size[c] if c in x.letters else ONE for c in self.out]
        return Expr(index(own.code, *axes), tuple(shape[-len(axes) :]), own.kind)

    # -- nothing but sums
    def rows(self) -> Expr:
        """Inner products of rows."""
        pattern = Pattern((self.a, self.b), self.out).canonical()
        return Expr(self.p.np("einsum", str(pattern), *[x.value.code for x in self.args]), self.shape, FLOAT)

    # -- one matrix product
    def _matrix(self, letters: Letters) -> Expr:
        """Matrices and vectors as they are: A @ B, A.T @ B, A @ v, v @ A, u @ v."""
        left, summed, right = letters.left, letters.summed, letters.right
        if self.out == right + left and left and right:
            return _times(self._as(1, right + summed), self._as(0, summed + left), self.shape)
        if (not left and right and self.b == right + summed) or (not right and left and self.a == summed + left):
            return _times(self.args[1].value, self.args[0].value, self.shape)
        return _times(self._as(0, left + summed), self._as(1, summed + right), self.shape)

    def _as(self, k: int, want: str) -> Expr:
        """An operand of at most two axes, transposed where its letters stand the other way round."""
        have, operand = self.args[k]
        return operand if have == want or len(have) < 2 else _turned(operand)

    # -- more axes than two
    def _flat(self, letters: Letters, shape: Shape | None = None) -> Expr | None:
        """Operands reshaped to matrices, their product reshaped back, or to a ``shape``. None where one had to be
        copied."""
        left, summed, right = letters.left, letters.summed, letters.right
        first, second = self._as_matrix(0, left, summed), self._as_matrix(1, right, summed)
        turned = self.out == right + left and left + right != self.out
        natural = right + left if turned else left + right
        if first is None or second is None or (shape is not None and self.out != natural):
            return None
        (a, a_turned), (b, b_turned) = first, second
        rows = _turned(a) if a_turned and left else a
        columns = b if b_turned or not right else _turned(b)
        groups = [g for g in ((right, left) if turned else (left, right)) if g]
        flat = tuple(map(self._size, groups))
        whole = _times(_turned(columns), _turned(rows), flat) if turned else _times(rows, columns, flat)
        if any(len(g) > 1 for g in groups):
            whole = self._in_shape(whole, self._shape(natural) if shape is None else shape)
        return whole if shape is not None else _moved(self.p, whole, natural, self.out)

    def _as_matrix(self, k: int, own: str, summed: str) -> tuple[Expr, bool] | None:
        """The operand as a matrix (own, summed), or (summed, own) and True; None where its axes are interleaved."""
        have, operand = self.args[k]
        for groups, turned in (((own, summed), False), ((summed, own), True)):
            if have == "".join(groups):
                return self._grouped(operand, "", *groups), turned
        return None

    def _tensordot(self, letters: Letters) -> Expr:
        """The sum over axes wherever they stand: NumPy copies what it has to."""
        (a, first), (b, second) = self.args
        if self.out == letters.right + letters.left != letters.left + letters.right:
            (a, first), (b, second) = (b, second), (a, first)
        over = tuple(tuple(own.index(c) for c in letters.summed) for own in (a, b))
        natural = "".join(c for c in a + b if c not in letters.summed)
        code = self.p.np("tensordot", first.code, second.code, over)
        return _moved(self.p, Expr(code, self._shape(natural), FLOAT), natural, self.out)

    # -- batches
    def _batched(self, letters: Letters, shape: Shape | None = None) -> Expr | None:
        """np.matmul over leading batch axes; a vector for each of them is a matrix with one row or column. With a
        ``shape`` the product in that shape, None where its axes have to change places."""
        batch, left, summed, right = letters
        first, second = self.args
        if self._is_second_first(letters):
            first, second, left, right = second, first, right, left
        natural = batch + left + right
        if shape is not None and natural != self.out:
            return None
        factors = self._stacked(first, batch, left, summed), self._stacked(second, batch, summed, right)
        whole = _times(*factors, self._stack(batch, left, right))
        if not left or not right:
            place = [0] if not left else [ALL, 0]
            flat = (*self._shape(batch), self._size(left + right))
            whole = Expr(index(whole.code, *[ALL] * len(batch), *place), flat, FLOAT)
        if len(left) > 1 or len(right) > 1:
            whole = self._in_shape(whole, self._shape(natural) if shape is None else shape)
        return whole if shape is not None else _moved(self.p, whole, natural, self.out)

    def _is_second_first(self, letters: Letters) -> bool:
        """Whether the operands change places: a vector goes where the matrix needs no transpose, of two matrices that
        one is first whose axes are in the result."""
        batch, left, summed, right = letters
        if left and right:
            return batch + left + right != self.out == batch + right + left
        return self.b == batch + right + summed if not left else self.a == batch + summed + left

    def _stack(self, batch: str, rows: str, columns: str) -> Shape:
        return (*self._shape(batch), self._size(rows), self._size(columns))

    def _stacked(self, x: Factor, batch: str, rows: str, columns: str) -> Expr:
        """An operand with axes (batch, rows, columns)."""
        shape = self._stack(batch, rows, columns)
        if rows and columns and x.letters == batch + columns + rows:
            return Expr(method(self._grouped(x.value, batch, columns, rows).code, "swapaxes", -1, -2), shape, FLOAT)
        whole = self._grouped(_moved(self.p, x.value, x.letters, batch + rows + columns), batch, rows, columns)
        if rows and columns:
            return whole
        return Expr(index(whole.code, *[ALL] * (len(batch) + bool(rows)), None), shape, whole.kind)

    # -- groups of axes
    def _grouped(self, operand: Expr, batch: str, *groups: str) -> Expr:
        """An operand with one axis for each group of its letters, but those of a batch."""
        if all(len(g) <= 1 for g in groups):
            return operand
        return self._in_shape(operand, (*self._shape(batch), *[self._size(g) for g in groups if g]))

    def _in_shape(self, a: Expr, shape: Shape) -> Expr:
        """An array in another shape, whatever shape it was given before."""
        match a.code:
            case ast.Call(func=ast.Attribute(value=inner, attr="reshape")):
                return Expr(method(inner, "reshape", *self.p.dims(shape)), shape, a.kind)
        return Expr(method(a.code, "reshape", *self.p.dims(shape)), shape, a.kind, (a,))

    def _size(self, letters: str) -> Dim:
        return size_of(self._shape(letters))


def _times(left: Expr, right: Expr, shape: Shape) -> Expr:
    return Expr(binary(left.code, ast.MatMult, right.code), shape, FLOAT, (left, right))


def _turned(a: Expr) -> Expr:
    return Expr(transposed(a.code), a.shape[::-1], a.kind)
