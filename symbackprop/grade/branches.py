"""Mistakes that are not in one formula: a path left out, a factor too many, the same mistake at every step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import dim_text, same_shape
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.candidates import Candidate, Swap
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.grade.sweep import Backward

MAX_BRANCHES = 6


def path_candidates(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """Where branches meet: some of them missing, or with a wrong sign or constant."""
    edges = reference.edges(row)
    if len(edges) < 2:
        return
    for count in range(1, len(edges) if len(edges) <= MAX_BRANCHES else 2):
        for gone in combinations(edges, count):
            yield _missing(reference, gone, row, target)
    for edge in edges:
        for factor, kind, words in scales(reference):
            yield _scaled(reference, edge, target, factor, kind, words)


def _missing(reference: Reference, gone: Sequence[Edge], row: Node, target: Node) -> Candidate:
    def tell() -> Finding:
        terms = " and ".join(branch(reference, e, target) for e in gone)
        says = f"{terms} {'is' if len(gone) == 1 else 'are'} missing: {_meeting(reference, row)}"
        return Finding(m.MISSING_PATH, says, reference.local_name(gone[0], target), terms)

    name, step = reference.name(row), (gone[0].consumer.op.name, gone[0].index)
    patterns = (("missing", *step, m.base_name(name)),) if len(gone) == 1 and name.endswith("]") else ()
    return Candidate(m.MISSING_PATH, tell, dict.fromkeys(gone, _nothing), len(gone) - 1, patterns)


def _meeting(reference: Reference, row: Node) -> str:
    name = reference.name(row)
    return f"{len(reference.edges(row))} branches meet at {name} and are summed"


def branch(reference: Reference, edge: Edge, target: Node) -> str:
    """A branch as a person sees it: through a named row, else the term that it contributes."""
    if reference.is_named(edge.consumer):
        return f"the branch through {reference.name(edge.consumer)} ({reference.local_name(edge, target)})"
    parts = reference.parts[edge.argument.id]
    value = next(p.value for p in parts if p.consumer is edge.consumer and p.index == edge.index)
    return f"the term {m.clipped(reference.with_gradients.ref(value).text)}"


def _nothing(sweep: Backward, edge: Edge, upstream: Array) -> Array:
    return np.zeros(sweep.point.size(edge.argument.shape))


def scales(reference: Reference) -> Iterator[tuple[sp.Expr, str, str]]:
    """Constants that a person gets wrong, as (factor, kind, words)."""
    yield sp.S.NegativeOne, m.SIGN, "has the wrong sign"
    yield sp.S(2), m.CONSTANT, "is twice what it should be"
    yield sp.S.Half, m.CONSTANT, "is half of what it should be"
    for d in dimensions(reference):
        yield d, m.MEAN, f"lacks a division by {dim_text(d)}"
        yield 1 / d, m.MEAN, f"is divided by {dim_text(d)} too much"


def dimensions(reference: Reference) -> list[sp.Expr]:
    """All sizes in the model that are not 1, symbols first."""
    found = {d: None for row in reference.order for d in row.shape if d != 1}
    return sorted(found, key=lambda d: (bool(d.is_Integer), str(d)))


def _scaled(reference: Reference, edge: Edge, target: Node, factor: sp.Expr, kind: str, words: str) -> Candidate:
    def tell() -> Finding:
        return Finding(kind, f"{branch(reference, edge, target)} {words}", reference.local_name(edge, target))

    return Candidate(kind, tell, {edge: _times(factor)})


def _times(factor: sp.Expr) -> Swap:
    def swap(sweep: Backward, edge: Edge, upstream: Array) -> Array:
        number = float(factor.subs({s: sweep.point.sizes[s.name] for s in factor.free_symbols}))
        return number * sweep.passed(edge, upstream)

    return swap


# -- factors that do not belong there


def extra_candidates(reference: Reference, row: Node, known: Sequence[Node]) -> Iterator[Candidate]:
    """The gradient of a row multiplied by something of its shape: the row's own value, an activation's derivative."""
    edges = reference.edges(row)
    if not edges:
        return
    name = reference.name(row)
    own = [(words, local) for words, local in _ACTIVATED if row.ndim or reference.is_named(row)]
    for words, local in own:
        yield _extra(name, words.format(name), edges, _with_value(row, local), 2)
    for other in known:
        if same_shape(other.shape, row.shape) or not other.shape:
            yield _extra(name, reference.name(other), edges, _with_value(other, lambda x: x), 0)


_ACTIVATED = (
    ("1 - {0}**2", lambda x: 1 - x**2),
    ("{0} * (1 - {0})", lambda x: x * (1 - x)),
    ("({0} > 0)", lambda x: (x > 0) * 1.0),
)


def lacking_candidates(reference: Reference, target: Node) -> Iterator[Candidate]:
    """A factor left out of the whole answer: a named value, or a part of an activation's derivative."""
    edges = reference.edges(target)
    for name, row in reference.rows.items() if edges else ():
        if row.kind != "float" or row.value is not None or not (same_shape(row.shape, target.shape) or not row.shape):
            continue
        for words, local in _LACKING:
            factor = words.format(name)
            yield _lacking(factor, dict.fromkeys(edges, _without(row, local)))


def _lacking(factor: str, swaps: dict[Edge, Swap]) -> Candidate:
    finding = Finding(m.MISSING_FACTOR, f"a factor {factor} is missing", "", factor)
    return Candidate(m.MISSING_FACTOR, lambda: finding, swaps, 17)


_LACKING = (
    ("{0}", lambda x: x),
    ("(1 - {0})", lambda x: 1 - x),
    ("(1 - {0}**2)", lambda x: 1 - x**2),
    ("{0} * (1 - {0})", lambda x: x * (1 - x)),
)


def _without(row: Node, local: Callable[[Array], Array]) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, upstream) / local(sweep.point.value(row))


def _extra(name: str, factor: str, edges: Sequence[Edge], swap: Swap, cost: int) -> Candidate:
    finding = Finding(m.EXTRA_FACTOR, f"there is a factor {factor} too many (at d{name})", f"d{name}", "", factor)
    return Candidate(m.EXTRA_FACTOR, lambda: finding, dict.fromkeys(edges, swap), cost)


def _with_value(row: Node, local: Callable[[Array], Array]) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, upstream) * local(sweep.point.value(row))


# -- the same mistake in several places


def repeated(candidates: Sequence[tuple[Edge, Candidate]]) -> Iterator[Candidate]:
    """The same mistake made wherever it can be made: at every activation of a kind, at every time step."""
    groups: dict[Hashable, dict[Edge, Candidate]] = {}
    for edge, candidate in candidates:
        for pattern in candidate.patterns:
            groups.setdefault(pattern, {}).setdefault(edge, candidate)
    different = {frozenset(map(id, members.values())): members for members in groups.values()}
    for members in different.values():
        if len(members) > 1:
            yield _everywhere(list(members.values()))


def _everywhere(members: Sequence[Candidate]) -> Candidate:
    def tell() -> Finding:
        found = [c.tell() for c in members]
        factors = ", ".join(dict.fromkeys(x.factor for x in found))
        return replace(found[0], says=f"{found[0].says}; the same wherever it occurs ({factors})", factor=factors)

    swaps = {e: s for c in members for e, s in c.swaps.items()}
    return Candidate(members[0].kind, tell, swaps, members[0].extra_cost + 8)
