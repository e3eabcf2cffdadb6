"""∂consumer_K/∂target_T entry by entry, along the rows between them: a product of factors and of 1[k = i].

Walking from the consumer to the target, every index is either known (one of K, or what it became) or free: introduced
by a sum or a product and settled only where the target's own indices are reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.graph import Node
from symbackprop.core.maths import Letter, Math, Num, product, replaced
from symbackprop.core.shapes import is_one
from symbackprop.derive.record import Edge
from symbackprop.render.entries import ONLY, Entries, aligned, equal, reshaped
from symbackprop.render.factors import edge_factor

FREE = "?"  # the name of an index that is still free begins with it


@dataclass
class Walk:
    """The state at one row: its indices, the factors met so far, and what is summed over."""

    entries: Entries
    index: list[Math]
    factors: list[Math] = field(default_factory=list)
    summed: dict[Letter, sp.Expr] = field(default_factory=dict)
    frees: dict[Math, sp.Expr] = field(default_factory=dict)

    def free(self, size: sp.Expr) -> Math:
        letter = Letter(f"{FREE}{len(self.frees) + 1}")
        self.frees[letter] = size
        return letter


def jacobian_entry(entries: Entries, path: Sequence[Edge], consumer: Sequence[Math],
                   target: Sequence[Math]) -> Math | None:  # fmt: skip
    """The entry for one path; None where a row on it has no such form."""
    walk = Walk(entries, list(consumer))
    for edge in path:
        step = STEPS.get(edge.consumer.op.name)
        if step is None or not step(walk, edge):
            return None
    return _settled(walk, path[-1].argument, target)


def _settled(walk: Walk, argument: Node, target: Sequence[Math]) -> Math:
    """Free indices become those of the target; known ones have to equal them. One that a copy let go is summed over."""
    settled = {i: t for i, t in zip(walk.index, target, strict=True) if _is_free(i)}
    ties = [(i, t) for i, t, d in zip(walk.index, target, argument.shape, strict=True)
            if not _is_free(i) and i != t and not is_one(d)]  # fmt: skip
    factors = [*walk.factors, *[equal(i, t) for i, t in ties]]
    lost = [(i, size) for i, size in walk.frees.items() if i not in settled]
    for i, size in lost:
        if any(i in list(maths.walk(x)) for x in factors):
            settled[i] = letter = walk.entries.fresh.letter(size)
            walk.summed[letter] = size
        elif not is_one(size):
            factors.insert(0, Num(size))
    body = product(*factors) if factors else Num(sp.S.One)
    body = walk.entries.sum(body, list(walk.summed), walk.summed.values()) if walk.summed else body
    return replaced(body, settled)


def _is_free(index: Math) -> bool:
    return isinstance(index, Letter) and index.name.startswith(FREE)


def _elementwise(walk: Walk, edge: Edge) -> bool:
    factor = edge_factor(edge)
    assert factor is not None
    if factor.form != f.ONE:
        walk.factors.append(walk.entries.formula(factor.form, factor.rows, walk.index))
    walk.index = _before(edge.argument, walk.index)
    return True


def _einsum(walk: Walk, edge: Edge) -> bool:
    row = edge.consumer
    ins = row.attr.ins
    place: dict[str, Math] = dict(zip(row.attr.out, walk.index, strict=True))
    for c in ins[edge.index]:
        if c not in place:
            place[c] = walk.free(row.attr.sizes([a.shape for a in row.args])[c])
    for s, a in zip(ins, row.args, strict=True):
        for c, size in zip(s, a.shape, strict=True):
            if c not in place:
                place[c] = letter = walk.entries.fresh.letter(size)
                walk.summed[letter] = size
    others = [(s, a) for k, (s, a) in enumerate(zip(ins, row.args, strict=True)) if k != edge.index]
    walk.factors += [walk.entries.ref(a, [place[c] for c in s]) for s, a in others]
    walk.index = [place[c] for c in ins[edge.index]]
    return len(set(ins[edge.index])) == len(ins[edge.index])


def _sum(walk: Walk, edge: Edge) -> bool:
    axes, keepdims = edge.consumer.attr
    rest = iter([x for k, x in enumerate(walk.index) if not (keepdims and k in axes)])
    walk.index = [walk.free(d) if k in axes else next(rest) for k, d in enumerate(edge.argument.shape)]
    return True


def _broadcast(walk: Walk, edge: Edge) -> bool:
    walk.index = _before(edge.argument, walk.index)
    return True


def _before(a: Node, index: Sequence[Math]) -> list[Math]:
    """The indices before copies were made: an axis that was repeated has one entry."""
    return [ONLY if is_one(d) else i for i, d in zip(aligned(a, index), a.shape, strict=True)]


def _reshape(walk: Walk, edge: Edge) -> bool:
    moved = reshaped(edge.consumer, walk.index)
    if moved is not None:
        walk.index = moved
    return moved is not None


def _gather(walk: Walk, edge: Edge) -> bool:
    rows = edge.consumer.args[1]
    walk.index = [walk.entries.ref(rows, walk.index[: rows.ndim]), *walk.index[rows.ndim :]]
    return edge.index == 0


STEPS = {"elementwise": _elementwise, "einsum": _einsum, "sum": _sum, "broadcast": _broadcast, "reshape": _reshape,
         "gather": _gather}  # fmt: skip
