"""0·log 0: where its weight is 0, a weighted logarithm is 0, and so is what it contributes to gradients.

Entropies, divergences and cross-entropies count the terms of weight 0 as 0, but 0·(−∞) is nan. Such a product is a
``nought``, which prints as the product itself. It stays one in front of the derivative of the logarithm, so that the
gradient of t·log q is 0 where t and q are, and not 0/0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum, is_view, kind, plainly
from symbackprop.core.graph import Node
from symbackprop.core.hazards import is_unbounded
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import ONE

MAX_DEPTH = 4
DEEP = 60  # answers that are remembered may not depend on how far away they were asked for


def with_noughts(form: f.Formula, args: Sequence[Node]) -> f.Formula:
    """The formula of arithmetic over rows, guarded where one of them is a logarithm."""
    return guarded(form, args) if any(map(is_log, args)) else form


def guarded(form: f.Formula, args: Sequence[Node]) -> f.Formula:
    """The formula with its products of weights and logarithms as noughts."""
    known = f.weight_of(form)
    plain = form if known is None else f.unweighed(form)
    weights = _weights(plain, args)
    if weights and (known is None or set(f.factors(known)) <= set(weights)):
        return f.nought(plain, f.mul(*weights))
    if isinstance(form, (f.Add, f.Neg, f.Div)):
        return f.rebuild(form, tuple([guarded(c, args) for c in form.children]))
    return form


def _weights(form: f.Formula, args: Sequence[Node]) -> list[f.Formula]:
    """What stands beside the logarithms of a product, or of the numerator of a quotient."""
    factors = f.factors(form.num if isinstance(form, f.Div) else f.split_sign(form)[1])
    logs = {x for x in factors if _is_log(x, args)}
    return [x for x in factors if x not in logs and not isinstance(x, f.Num)] if logs else []


def is_log(row: Node, depth: int = DEEP) -> bool:
    """Whether a row, under any name, is a logarithm or a log-softmax, a part of one or a sum with one; remembered."""
    if row.log is None and depth > 0:
        row.log = _look(row, depth)
    return bool(row.log)


def reads_log(row: Node, depth: int = MAX_DEPTH) -> bool:
    """Whether a row is arithmetic with a logarithm."""
    parts = row.args if depth and row.arithmetic is not None else ()
    return is_log(row) or any(reads_log(a, depth - 1) for a in parts)


def _look(row: Node, depth: int) -> bool:
    if row.arithmetic is not None:
        return _is_log(row.arithmetic, row.args, depth - 1)
    if row.function is not None:
        return row.function.logarithm
    seen = _through_loop(row)
    if seen is not None:
        return is_log(seen, depth - 1)
    if kind(row).views or (isinstance(row.attr, Pattern) and len(row.args) == 1):
        return is_log(row.args[0], depth - 1)
    return row.op.logarithm


def _is_log(form: f.Formula, args: Sequence[Node], depth: int = DEEP) -> bool:
    """Whether a part of a formula is infinite where a logarithm in it is. log Σ e^z alone is finite wherever a z is."""
    return any([_is_logsumexp(args[k]) or is_log(args[k], depth) if added else
                not args[k].op.logarithm and is_log(args[k], depth) for k, added in _logs(form)])


@cache
def _logs(form: f.Formula) -> Sequence[tuple[int, bool]]:
    """The arguments of which one has to be a logarithm for a formula to be one; whether it is a term, as it stands."""
    match form:
        case f.Arg(index):
            return [(index, False)]
        case f.Neg(part) | f.Mul((f.Num(), part)) | f.Pow(part, f.Num()) | f.Div(part, _):
            return _logs(part)
        case f.Add(terms):
            found = [(t.body if isinstance(t, f.Neg) else t, logs) for t in terms for logs in _logs(t)]
            return [(k, added or isinstance(term, f.Arg)) for term, (k, added) in found]
    return []


def _is_logsumexp(row: Node) -> bool:
    return plainly(row).op.logarithm


# -- inner products
def weights_a_log(product: Node) -> int | None:
    """Which operand of an einsum of two is the weight, when the other one is a logarithm and no entry of a third axis
    comes in: Σ t·log q, over whatever axes."""
    if not isinstance(product.attr, Pattern) or len(product.args) != 2:
        return None
    left, right = map(set, product.attr.ins)
    logs = [k for k, a in enumerate(product.args) if is_log(a)]
    return 1 - logs[0] if len(logs) == 1 and (left <= right or right <= left) else None


def term_by_term(product: Node) -> Node | None:
    """Σ t·log q as a sum of noughts: a matrix product adds 0·log 0 as nan. None for other rows."""
    if weights_a_log(product) is None:
        return None
    ins, out = product.attr.ins, product.attr.out
    full = max(ins, key=len)
    first, second = (aligned(a, s, full) for a, s in zip(product.args, ins, strict=True))
    total = build.reduce_sum(first * second, tuple(k for k, c in enumerate(full) if c not in out))
    return build.einsum(Pattern(("".join(c for c in full if c in out),), out), total)


def aligned(a: Node, letters: str, full: str) -> Node:
    """An operand with its axes in the order of ``full``, axes of size 1 where it has none."""
    own = build.einsum(Pattern((letters,), "".join(c for c in full if c in letters)), a)
    sizes = dict(zip(letters, a.shape, strict=True))
    return build.reshape(own, tuple(sizes.get(c, ONE) for c in full))


def beside_log(row: Node, product: Node, i: int) -> Node:
    """The cotangent ``row`` of operand i of an inner product; of a weight and a logarithm it is a nought."""
    weight = weights_a_log(product)
    if weight is None:
        return row
    return row.graph.apply(_NOUGHT, row, product.args[i] if weight == i else row)


# -- going back
def cotangent(row: Node, upstream: Node, output: Node, i: int, linear: bool) -> Node:
    """The cotangent ``row`` of argument i of ``output``: after a logarithm, or a quotient, it is nought where its
    upstream gradient is, if that came from a nought; where it is finite and leads to neither it need not be one. The
    upstream gradient may be 0 for another reason if it is not ``linear``: as that of what has levelled off at log 0."""
    if _may_be_steep(output):
        fused = row.form is not None and f.weight_of(row.form) is not None
        weighed = not fused and _came_from_nought(upstream, unseen=output.head is not None)
        return row.graph.apply(_NOUGHT, row, upstream if linear else _weight(upstream)) if weighed else row
    if row.form is not None and has_nought(row.form) and not _leads_to_steep(output.args[i]):
        return row.graph.arithmetic(without_needless(row.form, row.args), row.args)
    return row


def without_needless(form: f.Formula, args: Sequence[Node]) -> f.Formula:
    """The formula without the noughts of what is finite wherever its arguments are."""
    if not has_nought(form):
        return form
    if f.weight_of(form) is not None:
        plain = f.unweighed(form)
        infinite = is_unbounded(plain, args) or any(_reads_log(args[i]) for i in f.arguments(plain))
        return form if infinite else plain
    return f.changed(form, lambda part: without_needless(part, args))


def _reads_log(row: Node) -> bool:
    return is_log(row) or (isinstance(row.attr, Pattern) and any(is_log(a) for a in row.args))


_NOUGHT = f.nought(f.Arg(0), f.Arg(1))


def _may_be_steep(row: Node) -> bool:
    """Whether a row is a logarithm or a quotient."""
    if row.form is None:
        return False
    return f.has(row.form, f.Div) or (row.function is not None and row.function.logarithm)


def _leads_to_steep(row: Node, depth: int = MAX_DEPTH) -> bool:
    """Whether a cotangent of this row goes on to a logarithm or a quotient by sums and views."""
    if _may_be_steep(row) or depth == 0:
        return depth > 0
    seen = _through_loop(row)
    if seen is not None:
        return _leads_to_steep(seen, depth - 1)
    return _adds(row) and any(_leads_to_steep(a, depth - 1) for a in row.args)


def _through_loop(row: Node) -> Node | None:
    """What a row is on the other side of a loop's boundary: the result of the body, or the row outside."""
    if row.is_result:
        loop_result: Node = row.args[0].attr.results()[row.attr]
        return loop_result
    return row.attr.of if row.is_declared else None


def _weight(row: Node, depth: int = MAX_DEPTH) -> Node:
    """What a row came to be nought by, summed as it is; the row itself where that is not seen."""
    if row.form is not None:
        weight = f.weight_of(row.form)
        return row if weight is None else row.graph.apply(weight, *row.args)
    inner = _weight(row.args[0], depth - 1) if depth and (is_sum(row) or is_view(row)) else row
    if inner in (row, *row.args):
        return row
    inner = row.graph.broadcast(inner, row.args[0].shape)  # the same one for entries of other arguments
    return row.graph.again(row, [row.graph.call("abs", inner) if is_sum(row) else inner])


def _adds(row: Node) -> bool:
    """Whether entries of a row are sums of its arguments' entries, or one of them."""
    chosen = isinstance(row.form, f.Call) and bool(TABLE[row.form.name].chooses)
    return chosen or row.arithmetic is not None or kind(row).linear


def _came_from_nought(row: Node, unseen: bool, depth: int = MAX_DEPTH) -> bool:
    """Whether noughts were added up to this row; ``unseen`` is the answer for what enters a loop from outside."""
    if row.is_declared and row.attr.of is None:
        return unseen and row.attr.role == "cotangent"
    if row.form is not None and has_nought(row.form):
        return True
    seen = _through_loop(row)
    reads = () if depth == 0 else row.args if _adds(row) else (seen,) if seen is not None else ()
    return any(_came_from_nought(a, unseen, depth - 1) for a in reads)


def without_weights(form: f.Formula) -> f.Formula:
    """A formula as it prints: weights, beside which its parts are 0, do not."""
    if isinstance(form, f.Call) and form.role is Role.NOUGHT:
        return without_weights(form.args[0])
    return f.changed(form, without_weights)


def has_nought(form: f.Formula) -> bool:
    """Whether a part of a formula has a weight beside which it is 0."""
    return Role.NOUGHT in map(f.ROLES.get, f.calls(form))
