"""Mistakes in the link through a structural row: another operand, a transpose, softmax taken entry by entry."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from symbackprop.core.build import transpose
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same, same_shape
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.candidates import Candidate, Swap
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.grade.sweep import Backward


def link_candidates(reference: Reference, edge: Edge, target: Node, known: Sequence[Node]) -> Iterator[Candidate]:
    """Every single mistake in what a structural row hands back."""
    factor = reference.local_name(edge, target)
    if edge.consumer.op.name == "einsum":
        yield from _operands(reference, edge, factor, known)
        yield from _transposes(reference, edge, factor)
    if edge.consumer.op.name in ("logsumexp", "softmax"):
        yield from _softmax(reference, edge, factor, known)


def _operands(reference: Reference, edge: Edge, factor: str, known: Sequence[Node]) -> Iterator[Candidate]:
    """Another array of the same shape in the product."""
    args = edge.consumer.args
    for place, old in enumerate(args):
        if place == edge.index:
            continue
        for new in known:
            if new is not old and same_shape(new.shape, old.shape):
                names = reference.name(old), reference.name(new)
                kind, words = m.exchange(old, new, *names)
                swap = _through((*args[:place], new, *args[place + 1 :]))
                says = f"in the product for {factor}, {words}"
                moved = m.moved_index(old, new, *names)
                patterns = (("operand", edge.consumer.attr, edge.index, place, moved),) if moved else ()
                yield _candidate(Finding(kind, says, factor, *names), edge, swap, patterns)


def _through(args: tuple[Node, ...]) -> Swap:
    return lambda sweep, edge, upstream: sweep.through(edge, upstream, args)


def _transposes(reference: Reference, edge: Edge, factor: str) -> Iterator[Candidate]:
    """A transpose missing or too many, where the shapes do not tell because they are square."""
    args = edge.consumer.args
    for place, old in enumerate(args):
        if place != edge.index and old.kind == FLOAT and is_square(old):
            name = reference.notation.transpose(reference.notation.ref(old)).text
            swap = _through((*args[:place], transpose(old), *args[place + 1 :]))
            yield _transposed(factor, reference.name(old), name, edge, swap)
    if is_square(edge.consumer):
        yield _transposed(factor, "the upstream gradient", "its transpose", edge, _flipped_upstream)
    if is_square(edge.argument):
        yield _transposed(factor, "the product", "its transpose", edge, _flipped_result)


def _transposed(factor: str, right: str, wrong: str, edge: Edge, swap: Swap) -> Candidate:
    says = f"in the product for {factor}, a transpose of {right} is missing or too many"
    return _candidate(Finding(m.TRANSPOSE, says, factor, right, wrong), edge, swap)


def _flipped_upstream(sweep: Backward, edge: Edge, upstream: Array) -> Array:
    return sweep.passed(edge, np.swapaxes(upstream, -1, -2))


def _flipped_result(sweep: Backward, edge: Edge, upstream: Array) -> Array:
    return np.swapaxes(sweep.passed(edge, upstream), -1, -2)


def is_square(row: Node) -> bool:
    return row.ndim == 2 and same(row.shape[0], row.shape[1])


# -- softmax and logsumexp: each entry acts on all others


def _softmax(reference: Reference, edge: Edge, factor: str, known: Sequence[Node]) -> Iterator[Candidate]:
    consumer = edge.consumer
    axes, spread = _axes(consumer)
    if consumer.op.name == "softmax":
        for says, entrywise in _ENTRYWISE:
            finding = Finding(m.WRONG_DERIVATIVE, f"{factor}: {says}", factor)
            yield _candidate(finding, edge, _entrywise(entrywise))
        return
    argument = edge.argument
    for new in known:
        if same_shape(new.shape, argument.shape):
            name = reference.name(new)
            kind = m.PRE_ACTIVATION if new is argument else m.SUBSTITUTION
            says = f"{name} stands where softmax({reference.name(argument)}) belongs"
            yield _candidate(Finding(kind, says, factor), edge, _weighted(new, axes, spread))


_ENTRYWISE = (
    (
        "softmax is taken as if it acted on each entry alone, p(1 - p); its Jacobian is not diagonal",
        lambda p: p * (1 - p),
    ),
    ("the sum over the other classes is missing, p * upstream is only a part", lambda p: p),
)


def _candidate(finding: Finding, edge: Edge, swap: Swap, patterns: tuple[Hashable, ...] = ()) -> Candidate:
    return Candidate(finding.kind, lambda: finding, {edge: swap}, patterns=patterns)


def _axes(row: Node) -> tuple[tuple[int, ...], bool]:
    """(axes, whether upstream has to get them back as axes of size 1)."""
    if row.op.name == "softmax":
        return (row.attr,), False
    axes, keepdims = row.attr
    return axes, not keepdims


def _entrywise(local: Any) -> Swap:
    return lambda sweep, edge, upstream: upstream * local(sweep.point.value(edge.consumer))


def _weighted(weights: Node, axes: tuple[int, ...], spread: bool) -> Swap:
    def swap(sweep: Backward, edge: Edge, upstream: Array) -> Array:
        wide = np.expand_dims(upstream, axes) if spread else upstream
        return wide * sweep.point.value(weights)

    return swap
