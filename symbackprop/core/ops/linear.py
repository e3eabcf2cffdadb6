"""Products: einsum holds every matrix product, outer product, transpose, trace and diagonal."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from symbackprop.core import build, noughts
from symbackprop.core.graph import Node, label
from symbackprop.core.notation import Notation, Text
from symbackprop.core.registry import Op, Sample, register
from symbackprop.core.shapes import ONE, Dim, Shape, dim_text, same
from symbackprop.errors import ShapeError


def _infer(spec: str, args: tuple[Node, ...]) -> tuple[Shape, str]:
    left, out = spec.split("->")
    sizes: dict[str, tuple[Dim, Node]] = {}
    for letters, a in zip(left.split(","), args, strict=True):
        for c, d in zip(letters, a.shape, strict=True):
            known, owner = sizes.setdefault(c, (d, a))
            if not same(known, d):
                raise ShapeError(
                    f"index {c!r} of {spec!r} is {dim_text(known)} in {label(owner)} but {dim_text(d)} in {label(a)}"
                )
    return tuple(sizes[c][0] for c in out), "float"


def _vjp(i: int, upstream: Node, output: Node, *inputs: Node) -> Node | None:
    """The upstream gradient takes the operand's place: ∂L/∂A of C = A B is δ Bᵀ, whatever the pattern."""
    left, out = output.attr.split("->")
    ins = left.split(",")
    operands = [(out, upstream), *[(s, b) for j, (s, b) in enumerate(zip(ins, inputs, strict=True)) if j != i]]
    target, eyes = _separate(ins[i], output.attr, inputs[i])
    operands += eyes
    present = set("".join(s for s, _ in operands))
    kept = "".join(c for c in target if c in present)
    result = build.einsum(",".join(s for s, _ in operands) + "->" + kept, *[b for _, b in operands])
    if kept != target:
        shape = tuple(d if c in present else ONE for c, d in zip(target, inputs[i].shape, strict=True))
        result = output.graph.broadcast(build.reshape(result, shape), inputs[i].shape)
    return noughts.beside_log(result, output, i)


def _reach(i: int, upstream: Node, output: Node) -> Node:
    """Σ |δ| over the axes that the operand has not; those that δ has not are of size 1."""
    left, out = output.attr.split("->")
    letters = left.split(",")[i]
    kept = "".join(c for c in dict.fromkeys(letters) if c in out)
    size = upstream if len(kept) == len(out) else upstream.graph.call("abs", upstream)
    met = build.einsum(f"{out}->{kept}", size)
    first = [c in out and letters.index(c) == k for k, c in enumerate(letters)]
    return build.reshape(met, [d if own else ONE for d, own in zip(output.args[i].shape, first, strict=True)])


def _separate(letters: str, spec: str, operand: Node) -> tuple[str, list[tuple[str, Node]]]:
    """Give a letter that repeats inside one operand a name of its own, tied by an identity matrix."""
    free = iter(c for c in string.ascii_letters if c not in spec)
    target, eyes = "", []
    for k, c in enumerate(letters):
        if c in target:
            fresh = next(free, "")
            if not fresh:
                raise ShapeError(f"einsum {spec!r} has too many letters: its gradient needs more than there are")
            eyes.append((c + fresh, build.eye(operand.graph, operand.shape[k])))
            c = fresh
        target += c
    return target, eyes


def _show(p: Notation, node: Node, args: Sequence[Text]) -> Text:
    """As a matrix product with transposes where there is one, else as an indexed sum."""
    matrix = as_matrix_product(node.attr)
    if matrix is None:
        return _show_special(p, node, args)
    order, flips, flip_result = matrix
    factors = [p.transpose(args[k]) if flip else args[k] for k, flip in zip(order, flips, strict=True)]
    text = factors[0] if len(factors) == 1 else p.matmul(*factors)
    return p.transpose(text) if flip_result else text


def _show_special(p: Notation, node: Node, args: Sequence[Text]) -> Text:
    names = {"a,b->ab": "outer", "aa->": "trace", "aa->a": "diag", "ab,ab->": "inner"}
    name = names.get(node.attr)
    if name and name != "inner":
        return p.function(name, list(args), {})
    left, out = node.attr.split("->")
    if len(args) == 1 and sorted(left) == sorted(out) and len(set(left)) == len(left):
        return p.function("transpose", [args[0], Text("(" + ", ".join(str(left.index(c)) for c in out) + ")")], {})
    return p.indexed_sum(node.attr, args)


def as_matrix_product(spec: str) -> tuple[list[int], list[bool], bool] | None:
    """(order, transposed flags, transpose the result) when the pattern is a product of at most two matrices or vectors,
    the first perhaps with leading batch axes; else None."""
    if spec == "ab->ba":
        return [0], [True], False
    simple = {
        "ab,bc->ac": ([0, 1], [False, False]), "ab,cb->ac": ([0, 1], [False, True]),
        "ab,ac->bc": ([0, 1], [True, False]), "ab,ac->cb": ([1, 0], [True, False]),
        "ab,cb->ca": ([1, 0], [False, True]), "ab,ca->cb": ([1, 0], [False, False]),
        "ab,b->a": ([0, 1], [False, False]), "ab,a->b": ([0, 1], [True, False]),
        "a,ab->b": ([1, 0], [True, False]), "a,ba->b": ([1, 0], [False, False]), "a,a->": ([0, 1], [False, False]),
    }  # fmt: skip
    if spec in simple:
        order, flips = simple[spec]
        return order, flips, False
    flipped = {"ab,bc->ca": ([0, 1], [False, False]), "ab,ca->bc": ([1, 0], [False, False])}
    if spec in flipped:
        order, flips = flipped[spec]
        return order, flips, True
    return _batched(spec)


def _batched(spec: str) -> tuple[list[int], list[bool], bool] | None:
    """…ab,bc->…ac, …ab,cb->…ac and products with equal batch axes, as NumPy's @ reads them."""
    left, out = spec.split("->")
    if left.count(",") != 1:
        return None
    a, b = left.split(",")
    if (len(a) < 3 and len(b) < 3) or len({*a}) < len(a) or len({*b}) < len(b) or len(b) < 2:
        return None
    for order, (x, y) in (([0, 1], (a, b)), ([1, 0], (b, a))):
        batch = y[:-2]
        if len(y) < 2 or len(x) < len(y) or (batch and x[:-2] != batch):
            continue
        if out == x[:-1] + y[-1] and y[-2] == x[-1]:
            return order, [False, False], False
        if not batch and out == x[:-1] + y[-2] and y[-1] == x[-1]:
            return order, [False, True], False
    return None


def _numpy(p: Notation, node: Node, args: Sequence[Text]) -> Text:
    """``@`` and ``.T`` where they say it, else NumPy's einsum. Faster lowerings are the NumPy target's business."""
    if as_matrix_product(node.attr) is not None:
        return _show(p, node, args)
    name = {"a,b->ab": "outer", "aa->": "trace", "aa->a": "diagonal"}.get(node.attr)
    texts = [a.text for a in args]
    if name:
        return Text(f"np.{name}({', '.join(texts)})")
    return Text(f"np.einsum({', '.join([repr(node.attr), *texts])}, optimize=True)".replace("'", '"'))


def _reference(np: Any, spec: str, *arrays: Any) -> Any:
    return np.einsum(spec, *arrays, optimize=len(arrays) > 2)  # two at a time: all at once costs every letter's size


register(
    Op(
        name="einsum",
        signature='einsum("ij,jk->ik", a, b)',
        shape_rule="the sizes of the letters after ->",
        derivative="upstream takes the operand's place in the pattern",
        domain="any floats",
        infer=_infer,
        vjp=_vjp,
        product=True,
        reach=_reach,
        show=_show,
        numpy=_numpy,
        reference=_reference,
        samples=(
            Sample(((2, 3), (3, 4)), "ab,bc->ac"),
            Sample(((2, 3),), "ab->ba"),
            Sample(((3, 3),), "aa->a"),
            Sample(((3, 3),), "aa->"),
            Sample(((2, 3, 4), (4, 5)), "abc,cd->abd"),
            Sample(((2, 3, 4), (2, 5, 4)), "abc,adc->abd"),
            Sample(((3,), (4,)), "a,b->ab"),
            Sample(((2, 3), (2, 3)), "ab,ab->"),
            Sample(((2, 3, 2),), "aba->b"),
        ),
    )
)
