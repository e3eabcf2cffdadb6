"""How products of arrays are written: as matrix products with transposes where there is one, else over indices."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.pattern import Pattern, Product
from symbackprop.core.shapes import is_one
from symbackprop.render.notation_base import MatrixText
from symbackprop.render.notation_math import MathNotation


class ProductNotation(MathNotation):
    """Sums of products over index letters, as a reader writes them."""

    def contracted(self, pattern: Pattern, texts: Sequence[Text], rows: Sequence[Node]) -> Text:
        if pattern.ins == (pattern.out,):
            return texts[0]
        if pattern.outer:
            a, b = (texts[k] for k in pattern.outer)
            return self.matmul(a, self.transpose(b))
        if pattern.is_trace:
            return self.function("trace", texts, {})
        product, inner = pattern.matmul(), not pattern.out and set(map(len, pattern.ins)) == {1}
        if inner and product is not None:
            return self.matmul(self.transpose(texts[0]), texts[1])
        if len(set(pattern.ins)) == 1 and not pattern.out:
            return self.big_operator("sum", self.product(texts), self.bound(rows[0], range(rows[0].ndim)))
        if product is not None:
            return self._matrix_product(product, texts)
        batched = self._batched(pattern, texts, rows)
        return self._permuted(pattern, texts) if batched is None else batched

    def _matrix_product(self, matrix: Product, texts: Sequence[Text]) -> Text:
        """A product of at most two matrices or vectors, with the transposes that the pattern asks for."""
        flipped = zip(matrix.order, matrix.flips, strict=True)
        factors = [self.transpose(texts[k]) if flip else texts[k] for k, flip in flipped]
        product = factors[0] if len(factors) == 1 else self.matmul(*factors)
        return self.transpose(product) if matrix.flip_out else product

    def _batched(self, pattern: Pattern, texts: Sequence[Text], rows: Sequence[Node]) -> Text | None:
        """Matrix products along shared leading axes: one for every place, or added up over them."""
        lead = pattern.ins[0][:-2]
        if [s[:-2] for s in pattern.ins] != [lead, lead] or not lead:
            return None
        inner = pattern.behind(lead)
        matrix = inner.matmul()
        if matrix is None or set(lead) & set(inner.out):
            return None
        if inner.out != pattern.out:
            self.mentioned.setdefault("batched")
            return self._matrix_product(matrix, texts)
        letters = self.bound(rows[0], range(len(lead)))
        picked = [self.subscripted(t, letters) for t in texts]
        return self.big_operator("sum", self._matrix_product(matrix, [MatrixText(*t) for t in picked]), letters)

    def _permuted(self, pattern: Pattern, texts: Sequence[Text]) -> Text:
        """Axes in another order, or a sum over indices where nothing shorter is known."""
        if not pattern.is_transpose:
            return self.indexed_sum(pattern, texts)
        return self.operator("transpose", texts, ["".join(str(k + 1) for k in pattern.order)])

    def bound(self, a: Node, axes: Sequence[int]) -> list[str]:
        """The index letters of axes that something runs over."""
        letters = self.letters.of(a.shape)
        axes = [i for i in axes if not is_one(a.shape[i])]
        self.letters.mention([letters[i] for i in axes], [a.shape[i] for i in axes])
        return [letters[i] for i in axes]

