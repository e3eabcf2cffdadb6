"""NumPy's products on rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symbackprop.core import build
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls.table import LETTERS, flat, named, rows
from symbackprop.errors import ShapeError, UsageError


def contracted(a: Node, b: Node, axes_a: Sequence[int], axes_b: Sequence[int]) -> Node:
    """Σ over pairs of axes; what is left of a, then of b."""
    left, right = LETTERS[: a.ndim], list(LETTERS[a.ndim : a.ndim + b.ndim])
    for i, j in zip(axes_a, axes_b, strict=True):
        right[j] = left[i]
    out = [c for k, c in enumerate(left) if k not in axes_a] + [c for k, c in enumerate(right) if k not in axes_b]
    return build.einsum(f"{left},{''.join(right)}->{''.join(out)}", a, b)


@named("dot")
def dot(a: Any, b: Any, out: Any = None) -> Node:
    a, b = rows(a, b)
    if not a.ndim or not b.ndim:
        return a * b  # type: ignore[no-any-return]
    return build.matmul(a, b) if a.ndim < 3 and b.ndim < 3 else contracted(a, b, [a.ndim - 1], [max(b.ndim - 2, 0)])


@named("inner")
def inner(a: Any, b: Any) -> Node:
    a, b = rows(a, b)
    return a * b if not a.ndim or not b.ndim else contracted(a, b, [a.ndim - 1], [b.ndim - 1])


@named("tensordot")
def tensordot(a: Any, b: Any, axes: Any = 2) -> Node:
    a, b = rows(a, b)
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    first, second = ([x] if isinstance(x, int) else list(x) for x in axes)
    return contracted(a, b, [k % a.ndim for k in first], [k % b.ndim for k in second])


@named("einsum")
def einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Node:
    """With the letters of the result left out, those that stand once, in alphabetical order."""
    if not isinstance(subscripts, str):
        raise UsageError("np.einsum on the rows of a model needs the subscripts as text, as in 'ij,jk->ik'")
    arrays = rows(*operands)
    text = _spelled_out(subscripts.replace(" ", ""), arrays)
    if "->" not in text:
        letters = text.replace(",", "")
        text += "->" + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1 or not c.isalpha())
    return build.einsum(text, *arrays)


def _spelled_out(text: str, arrays: Sequence[Node]) -> str:
    """The subscripts with letters in place of ``…``, the same ones in every operand."""
    if "..." not in text:
        return text
    left, arrow, out = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(arrays):
        raise ShapeError(f"einsum {text!r} has {len(parts)} operands, {len(arrays)} are given")
    counts = [a.ndim - len(s) + 3 if "..." in s else 0 for s, a in zip(parts, arrays, strict=True)]
    free = [c for c in LETTERS if c not in text][: max(counts)]
    parts = [s.replace("...", "".join(free[len(free) - n :]) if n else "") for s, n in zip(parts, counts, strict=True)]
    batch = "".join(free)
    if not arrow:
        letters = "".join(parts)
        out = "..." + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1 and c not in free)
    return ",".join(parts) + "->" + out.replace("...", batch)


@named("diagonal")
def diagonal(a: Node, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    if offset != 0:
        raise UsageError("the diagonal of a row of a model is the main one: no offset")
    letters = list(LETTERS[: a.ndim])
    first, second = axis1 % a.ndim, axis2 % a.ndim
    letters[second] = letters[first]
    rest = [c for k, c in enumerate(letters) if k not in (first, second)]
    return build.einsum(f"{''.join(letters)}->{''.join([*rest, letters[first]])}", a)


@named("diag")
def diag(v: Node, k: int = 0) -> Node:
    if v.ndim != 1:
        return diagonal(v, k)
    if k != 0:
        raise UsageError("np.diag on the rows of a model has the main diagonal only: no k")
    return build.einsum("i,ij->ij", v, build.eye(v.graph, v.shape[0]))


@named("outer")
def outer(a: Any, b: Any, out: Any = None) -> Node:
    return build.einsum("i,j->ij", *map(flat, rows(a, b)))


@named("vdot")
def vdot(a: Any, b: Any) -> Node:
    return build.einsum("i,i->", *map(flat, rows(a, b)))


@named("trace")
def trace(a: Node, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Node:
    return build.reduce_sum(diagonal(a, offset, axis1, axis2), -1)
