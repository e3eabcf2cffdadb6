"""Products as BLAS wants them: two-dimensional matrix products, transposes as flags, batches through np.matmul.

An einsum of two operands has letters of four kinds: batch (in both operands and the result), summed (in both, not in
the result), left and right (in one operand and the result). Without batch letters it is one matrix product of the
operands reshaped to (left, summed) and (summed, right); with them it is np.matmul. Everything else stays an einsum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from symbackprop.core.graph import Node
from symbackprop.core.notation import ATOM, PRODUCT, Text, wrap
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import Dim, Shape, size_of

if TYPE_CHECKING:
    from symbackprop.codegen.numpy import NumpyNotation


class Product(NamedTuple):
    """``left @ right``, then what gives the result its shape: ``.reshape(…)``, ``.transpose(…)`` or nothing."""

    left: str
    right: str
    after: str = ""

    def text(self) -> Text:
        whole = f"{self.left} @ {self.right}"
        return Text(f"({whole}){self.after}") if self.after else Text(whole, PRODUCT)


def product(p: NumpyNotation, node: Node, args: Sequence[Text], shape: Shape | None = None) -> Text | None:
    """The code of an einsum row; None where the plain rule of its record is as good.

    With ``shape``, the code of the row in that shape; None where that needs a reshape of its own.
    """
    if len(node.args) == 1:
        return _single(node.attr, args[0]) if shape is None else None
    pair = _pair(p, node, args)
    if pair is None:
        return None
    found = matrix_product(p, node, args, shape)
    return pair.outer() if found is None and shape is None else found and found.text()


def matrix_product(p: NumpyNotation, node: Node, args: Sequence[Text], shape: Shape | None = None) -> Product | None:
    """The matrix product that an einsum row of two operands is, if it is one."""
    pair = _pair(p, node, args)
    if pair is None or (shape is not None and not pair.is_flat()):
        return None
    pair.shape = pair.shape if shape is None else shape
    return pair.product()


def _pair(p: NumpyNotation, node: Node, args: Sequence[Text]) -> Pair | None:
    pattern: Pattern = node.attr
    if len(pattern.ins) != 2 or any(len(set(s)) < len(s) for s in pattern.ins):
        return None
    return Pair(p, *pattern.ins, pattern.out, args, pattern.sizes([a.shape for a in node.args]))


def _single(pattern: Pattern, a: Text) -> Text | None:
    (source,), out = pattern.ins, pattern.out
    inner = wrap(a, ATOM)
    if pattern.is_diagonal:
        return Text(f"np.diagonal({a.text})")
    if pattern.is_trace:
        return Text(f"np.trace({a.text})")
    if len(set(source)) < len(source):
        return None
    if len(out) == len(source):
        return Text(f"{inner}.T" if out == source[::-1] else f"{inner}.transpose({_order(source, out)})")
    axes = tuple(k for k, c in enumerate(source) if c not in out)
    kept = "".join(c for c in source if c in out)
    total = Text(f"{inner}.sum(axis={axes[0] if len(axes) == 1 else axes})")
    return total if kept == out else _single(Pattern((kept,), out), total)


def _order(source: str, out: str) -> str:
    return ", ".join(str(source.index(c)) for c in out)


class Letters(NamedTuple):
    """The letters of a product of two, each kind in the order that suits the operands."""

    batch: str
    left: str
    summed: str
    right: str


class Pair:
    """An einsum of two operands without repeated letters."""

    def __init__(self, p: NumpyNotation, a: str, b: str, out: str, args: Sequence[Text], size: dict[str, Dim]) -> None:
        self.p, self.a, self.b, self.out, self.args, self.size = p, a, b, out, args, size
        self.shape = tuple(size[c] for c in out)

    def is_flat(self) -> bool:
        """Whether the product is computed as matrices and reshaped afterwards."""
        letters = self._letters()
        return not letters.batch and bool(letters.summed) and (len(letters.left) > 1 or len(letters.right) > 1)

    def product(self) -> Product | None:
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

    def outer(self) -> Text | None:
        """a bᵀ of two vectors."""
        letters = self._letters()
        if letters.summed or letters.batch or len(letters.left) != 1 or len(letters.right) != 1:
            return None
        if len(self.a) != 1 or len(self.b) != 1:
            return None
        order = self.args if self.out == self.a + self.b else self.args[::-1]
        return Text(f"np.outer({order[0].text}, {order[1].text})")

    # -- one matrix product
    def _matrix(self, letters: Letters) -> Product:
        """Matrices and vectors as they are: A @ B, A.T @ B, A @ v, v @ A, u @ v."""
        left, summed, right = letters.left, letters.summed, letters.right
        if self.out == right + left and left and right:
            return self._times(self._turned(1, right + summed), self._turned(0, summed + left))
        if (not left and right and self.b == right + summed) or (not right and left and self.a == summed + left):
            return self._times(self.args[1], self.args[0])
        return self._times(self._turned(0, left + summed), self._turned(1, summed + right))

    def _turned(self, k: int, want: str) -> Text:
        """An operand of at most two axes, transposed where its letters stand the other way round."""
        have = (self.a, self.b)[k]
        return self.args[k] if have == want or len(have) < 2 else Text(f"{wrap(self.args[k], ATOM)}.T")

    def _times(self, a: Text, b: Text, after: str = "") -> Product:
        return Product(wrap(a, PRODUCT), wrap(b, PRODUCT + 1), after)

    # -- more axes than two
    def _flat(self, letters: Letters) -> Product | None:
        """Operands reshaped to matrices, their product reshaped back. Only when no operand has to be copied for it."""
        first = self._as_matrix(0, letters.left, letters.summed)
        second = self._as_matrix(1, letters.right, letters.summed)
        if first is None or second is None:
            return None
        (a, a_turned), (b, b_turned) = first, second
        left = Text(f"{wrap(a, ATOM)}.T") if a_turned and letters.left else a
        right = b if b_turned or not letters.right else Text(f"{wrap(b, ATOM)}.T")
        if self.out == letters.left + letters.right:
            return self._times(left, right, self._shaped(letters))
        if self.out == letters.right + letters.left:
            return self._times(_flip(right), _flip(left), self._shaped(letters))
        return None

    def _as_matrix(self, k: int, own: str, summed: str) -> tuple[Text, bool] | None:
        """The operand as a matrix (own, summed), or (summed, own) and True; None where its axes are interleaved."""
        have = (self.a, self.b)[k]
        for want, turned in ((own + summed, False), (summed + own, True)):
            if have == want:
                groups = [g for g in ((summed, own) if turned else (own, summed)) if g]
                if all(len(g) == 1 for g in groups):
                    return self.args[k], turned
                return Text(f"{wrap(self.args[k], ATOM)}.reshape({', '.join(map(self._size, groups))})"), turned
        return None

    def _size(self, letters: str) -> str:
        return self.p.dim(size_of(tuple(self.size[c] for c in letters))).text

    def _shaped(self, letters: Letters) -> str:
        """What gives the product the shape of the result."""
        if len(letters.left) <= 1 and len(letters.right) <= 1:
            return ""
        return f".reshape({', '.join(self.p.dim(d).text for d in self.shape)})"

    # -- batches
    def _batched(self, letters: Letters) -> Product | None:
        """np.matmul over leading batch axes; single letters left, summed and right."""
        batch, left, summed, right = letters
        if len(left) != 1 or len(right) != 1 or len(summed) != 1:
            return None
        first = self._stacked(0, batch, left, summed)
        second = self._stacked(1, batch, summed, right)
        natural = batch + left + right
        return self._times(first, second, "" if self.out == natural else f".transpose({_order(natural, self.out)})")

    def _stacked(self, k: int, batch: str, rows: str, columns: str) -> Text:
        """An operand with axes (batch, rows, columns): a view."""
        have, text = (self.a, self.b)[k], self.args[k]
        want = batch + rows + columns
        if have == want:
            return text
        if have == batch + columns + rows:
            return Text(f"{wrap(text, ATOM)}.swapaxes(-1, -2)")
        return Text(f"{wrap(text, ATOM)}.transpose({_order(have, want)})")


def _flip(a: Text) -> Text:
    """The transpose of a matrix; of a transpose, the matrix."""
    return Text(a.text.removesuffix(".T")) if a.text.endswith(".T") else Text(f"{wrap(a, ATOM)}.T")
