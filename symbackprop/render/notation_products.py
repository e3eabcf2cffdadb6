"""How products of arrays are written: as matrix products with transposes where there is one, else over indices."""

from __future__ import annotations

import string
from collections.abc import Sequence

from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.ops.linear import as_matrix_product
from symbackprop.core.shapes import is_one
from symbackprop.render.notation_base import MatrixText
from symbackprop.render.notation_math import MathNotation


class ProductNotation(MathNotation):
    """Sums of products over index letters, as a reader writes them."""

    def contracted(self, ins: list[str], out: str, texts: list[Text], rows: list[Node]) -> Text:
        if len(ins) == 1 and ins[0] == out:
            return texts[0]
        spec = _canonical(ins, out)
        if spec == "a,b->ab":
            return self.matmul(texts[0], self.transpose(texts[1]))
        if spec == "a,b->ba":
            return self.matmul(texts[1], self.transpose(texts[0]))
        if spec == "a,a->":
            return self.matmul(self.transpose(texts[0]), texts[1])
        if spec == "aa->":
            return self.function("trace", texts, {})
        if all(s == ins[0] for s in ins) and not out:
            return self.big_operator("sum", self.product(texts), self.bound(rows[0], range(rows[0].ndim)))
        product = self._matrix_product(spec, texts)
        if product is not None:
            return product
        batched = self._batched(ins, out, texts, rows)
        return self._permuted(spec, texts) if batched is None else batched

    def _matrix_product(self, spec: str, texts: Sequence[Text]) -> Text | None:
        """A product of at most two matrices or vectors, with the transposes that the pattern asks for."""
        matrix = as_matrix_product(spec)
        if matrix is None:
            return None
        order, flips, flip_result = matrix
        factors = [self.transpose(texts[k]) if flip else texts[k] for k, flip in zip(order, flips, strict=True)]
        product = factors[0] if len(factors) == 1 else self.matmul(*factors)
        return self.transpose(product) if flip_result else product

    def _batched(self, ins: list[str], out: str, texts: list[Text], rows: list[Node]) -> Text | None:
        """Matrix products along shared leading axes: one for every place, or added up over them."""
        if len(ins) != 2 or min(map(len, ins)) < 3 or ins[0][:-2] != ins[1][:-2]:
            return None
        lead, inner = ins[0][:-2], [s[-2:] for s in ins]
        if out.startswith(lead):
            self.mentioned.setdefault("batched")
            return self._matrix_product(_canonical(inner, out[len(lead) :]), texts)
        if set(lead) & set(out):
            return None
        letters = self.bound(rows[0], range(len(lead)))
        picked = [self.subscripted(t, letters) for t in texts]
        body = self._matrix_product(_canonical(inner, out), [MatrixText(*t) for t in picked])
        return None if body is None else self.big_operator("sum", body, letters)

    def _permuted(self, spec: str, texts: list[Text]) -> Text:
        """Axes in another order, or a sum over indices where nothing shorter is known."""
        left, out = spec.split("->")
        if len(texts) > 1 or sorted(left) != sorted(out) or len(set(left)) < len(left):
            return self.indexed_sum(spec, texts)
        return self.operator("transpose", texts, ["".join(str(left.index(c) + 1) for c in out)])

    def bound(self, a: Node, axes: Sequence[int]) -> list[str]:
        """The index letters of axes that something runs over."""
        letters = self.letters.of(a.shape)
        axes = [i for i in axes if not is_one(a.shape[i])]
        self.letters.mention([letters[i] for i in axes], [a.shape[i] for i in axes])
        return [letters[i] for i in axes]


def _canonical(ins: Sequence[str], out: str) -> str:
    """The pattern over a, b, c … in order of appearance."""
    letters = dict.fromkeys("".join(ins))
    rename = dict(zip(letters, string.ascii_letters, strict=False))
    return ",".join("".join(rename[c] for c in s) for s in ins) + "->" + "".join(rename[c] for c in out)
