"""Products: einsum holds every matrix product, outer product, transpose, trace and diagonal."""

from __future__ import annotations

import string
from collections.abc import Sequence
from math import prod
from typing import Any

from symbackprop.core import build, noughts, selection
from symbackprop.core.entry import At, Indices, Terms, letter, term
from symbackprop.core.graph import Node, label
from symbackprop.core.maths import Math, Words, called, plain
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import Op, Sample, register
from symbackprop.core.shapes import ONE, Dim, Shape, dim_text, same
from symbackprop.errors import ShapeError


def _infer(pattern: Pattern, args: tuple[Node, ...]) -> tuple[Shape, str]:
    sizes: dict[str, tuple[Dim, Node]] = {}
    for letters, a in zip(pattern.ins, args, strict=True):
        for c, d in zip(letters, a.shape, strict=True):
            known, owner = sizes.setdefault(c, (d, a))
            if not same(known, d):
                raise ShapeError(
                    f"index {c!r} of '{pattern}' is {dim_text(known)} in {label(owner)} but {dim_text(d)} in {label(a)}"
                )
    return tuple(sizes[c][0] for c in pattern.out), "float"


def _cotangent(i: int, output: Node, upstream: Node, *inputs: Node) -> Node:
    """The upstream gradient takes the operand's place: ∂L/∂A of C = A B is δ Bᵀ, whatever the pattern."""
    pattern: Pattern = output.attr
    target, eyes = _separate(pattern.ins[i], pattern, inputs[i])
    others = [(s, b) for j, (s, b) in enumerate(zip(pattern.ins, inputs, strict=True)) if j != i]
    ins, rows = zip(*[(pattern.out, upstream), *others, *eyes], strict=True)
    kept = "".join(c for c in target if c in "".join(ins))
    result = build.einsum(Pattern(ins, kept), *rows)
    if kept != target:
        shape = tuple(d if c in kept else ONE for c, d in zip(target, inputs[i].shape, strict=True))
        result = output.graph.broadcast(build.reshape(result, shape), inputs[i].shape)
    return noughts.beside_log(result, output, i)


def _met(i: int, output: Node, upstream: Node) -> Node:
    """Σ |δ| over the axes that the operand has not; those that δ has not are of size 1."""
    out, letters = output.attr.out, output.attr.ins[i]
    kept = "".join(c for c in dict.fromkeys(letters) if c in out)
    size = upstream if len(kept) == len(out) else upstream.graph.call("abs", upstream)
    met = build.einsum(Pattern((out,), kept), size)
    first = [c in out and letters.index(c) == k for k, c in enumerate(letters)]
    return build.reshape(met, [d if own else ONE for d, own in zip(output.args[i].shape, first, strict=True)])


def _separate(letters: str, pattern: Pattern, operand: Node) -> tuple[str, list[tuple[str, Node]]]:
    """Give a letter that repeats inside one operand a name of its own, tied by an identity matrix."""
    free = iter(c for c in string.ascii_letters if c not in pattern.letters)
    target, eyes = "", []
    for k, c in enumerate(letters):
        if c in target:
            fresh = next(free, "")
            if not fresh:
                raise ShapeError(f"einsum '{pattern}' has too many letters: its gradient needs more than there are")
            eyes.append((c + fresh, build.eye(operand.graph, operand.shape[k])))
            c = fresh
        target += c
    return target, eyes


def _entry(pattern: Pattern, shapes: Sequence[Shape], index: Indices) -> Terms:
    sizes = pattern.sizes(shapes)
    at = dict(zip(pattern.out, index, strict=True)) | {c: letter(sizes[c]) for c in pattern.summed}
    factors = [At(k, tuple([at[c] for c in s])) for k, s in enumerate(pattern.ins)]
    return [term(*factors, summed=[at[c] for c in pattern.summed])]


def _show(node: Node, args: Sequence[Math]) -> Math:
    """As a matrix product with transposes where there is one, else as an indexed sum."""
    product = node.attr.matmul()
    return _show_special(node.attr, args) if product is None else product.of(args)


def _show_special(pattern: Pattern, args: Sequence[Math]) -> Math:
    name = _name(pattern, "diag")
    if name:
        return called(name, *args)
    if pattern.is_transpose:
        return called("transpose", args[0], plain(pattern.order))
    return called("einsum", Words(str(pattern)), *args)


def _name(pattern: Pattern, diagonal: str) -> str:
    """The function that a product is."""
    if pattern.outer == (0, 1):
        return "outer"
    return "trace" if pattern.is_trace else diagonal if pattern.is_diagonal else ""


def _reference(np: Any, pattern: Pattern, *arrays: Any) -> Any:
    many = prod(pattern.sizes([a.shape for a in arrays]).values()) > 1e5  # as a product of matrices, which is faster
    return np.einsum(str(pattern), *arrays, optimize=many or len(arrays) > 2)  # two at a time


def _sample(pattern: str, *shapes: tuple[int, ...]) -> Sample:
    return Sample(shapes, Pattern.parse(pattern))


register(Op(
    name="einsum",
    signature='einsum("ij,jk->ik", a, b)',
    shape_rule="the sizes of the letters after ->",
    derivative="upstream takes the operand's place in the pattern",
    domain="any floats",
    infer=_infer,
    vjp=selection.of_product(_cotangent, _met),
    show=_show,
    entry=_entry,
    reference=_reference,
    samples=(
        _sample("ab,bc->ac", (2, 3), (3, 4)),
        _sample("ab->ba", (2, 3)),
        _sample("aa->a", (3, 3)),
        _sample("aa->", (3, 3)),
        _sample("abc,cd->abd", (2, 3, 4), (4, 5)),
        _sample("abc,adc->abd", (2, 3, 4), (2, 5, 4)),
        _sample("a,b->ab", (3,), (4,)),
        _sample("ab,ab->", (2, 3), (2, 3)),
        _sample("aba->b", (2, 3, 2)),
    ),
))
