"""The factors that a person wrote against the local derivatives of the chain, one by one.

Only for chains of scalars without branches: there a product has one value whatever the order, so factors are told apart
by their values. A person may merge factors (a δ) or split them (o·(1−o)); both are matched as groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.grade import mistakes as m
from symbackprop.grade.compare import close_numbers
from symbackprop.grade.local import written
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Point
from symbackprop.grade.reference import Reference
from symbackprop.grade.sweep import Backward

MAX_FACTORS = 9
CONSTANTS = ((-1.0, m.SIGN, "the sign of {0} is wrong"), (2.0, m.CONSTANT, "{0} has a factor 2 too many"),
             (0.5, m.CONSTANT, "{0} lacks a factor 2"))  # fmt: skip


@dataclass(frozen=True)
class Factor:
    """A factor and its value at every point."""

    text: str
    values: tuple[float, ...]
    name: str = ""


def aligned(
    reference: Reference, points: Sequence[Point], target: Node, given: Sequence[tuple[Node, bool]]
) -> Finding | None:
    """Which factor is wrong, when all others have their place. ``given`` are (row, whether it divides)."""
    right = chain_factors(reference, points, target)
    if right is None or not given or len(given) > MAX_FACTORS or any(row.shape for row, _ in given):
        return None
    mine = [_given(reference, points, row, divides) for row, divides in given]
    rest = _leftover(mine, right)
    return None if len(rest[1]) == len(right) > 1 else _blame(*rest)


def _given(reference: Reference, points: Sequence[Point], row: Node, divides: bool) -> Factor:
    text = reference.notation.ref(row).text
    values = [float(p.value(row)) for p in points]
    with np.errstate(all="ignore"):
        found = tuple(float(np.divide(1.0, v)) for v in values) if divides else tuple(values)
    return Factor(f"1/({text})" if divides else text, found)


def chain_factors(reference: Reference, points: Sequence[Point], target: Node) -> list[Factor] | None:
    """The local derivatives from the results down to ``target``, those that are 1 left out; None where paths branch."""
    rows = reference.downstream(target)
    if any(r.shape for r in rows) or any(len(reference.parts.get(r.id, ())) != 1 for r in rows):
        return None
    edges = list(reference.chain(target))
    if not edges or len(edges) > MAX_FACTORS or any(e.consumer.op.name != "elementwise" for e in edges):
        return None
    sweeps = [Backward(reference, p, target) for p in points]
    factors = []
    for edge in edges:
        text = written(reference, edge.consumer.attr.partial(edge.index), edge.consumer.args, edge.consumer)
        values = tuple([float(s.local(edge)) for s in sweeps])
        factors.append(Factor(text, values, reference.local_name(edge, target)))
    seed = [p.value for p in reference.parts[rows[0].id]]
    factors += [Factor(reference.name(s), tuple([float(p.value(s)) for p in points]), "upstream") for s in seed]
    return [x for x in factors if not close_numbers(x.values, [1.0] * len(points))]


Group = tuple[Factor, ...]


def _leftover(mine: list[Factor], right: list[Factor]) -> tuple[list[Factor], list[Factor]]:
    """What remains on both sides when equal groups are struck out, single factors first."""
    mine, right = list(mine), list(right)
    while True:
        pair = next(_equal_groups(mine, right), None)
        if pair is None:
            return mine, right
        mine = [x for x in mine if not any(x is y for y in pair[0])]
        right = [x for x in right if not any(x is y for y in pair[1])]


def _equal_groups(mine: Sequence[Factor], right: Sequence[Factor]) -> Iterator[tuple[Group, Group]]:
    sizes = [(1, k) for k in range(1, len(right) + 1)] + [(k, 1) for k in (2, 3)]
    for a, b in sizes:
        for left in combinations(mine, a):
            for other in combinations(right, b):
                if close_numbers(_product(left), _product(other)):
                    yield left, other


def _product(group: Sequence[Factor]) -> list[float]:
    return [float(x) for x in np.prod([x.values for x in group], axis=0)]


def _blame(mine: Sequence[Factor], right: Sequence[Factor]) -> Finding | None:
    """The sentence for what is left over."""
    if not mine and not right:
        return None
    names = ", ".join(dict.fromkeys(x.name for x in right))
    shown, wanted = m.clipped(_text(mine)), m.clipped(_text(right))
    if not mine:
        return Finding(m.MISSING_FACTOR, f"the factor {names} = {wanted} is missing", names, wanted)
    if not right:
        return _too_many(mine, shown)
    for number, kind, words in CONSTANTS:
        if close_numbers(_product(mine), [number * x for x in _product(right)]):
            says = words.format(f"your factor {shown}") + f": {names} = {wanted}"
            return Finding(kind, says, names, wanted, shown)
    return Finding(m.WRONG_FACTOR, f"your factor {shown} stands where {names} = {wanted} belongs", names, wanted, shown)


def _too_many(mine: Sequence[Factor], shown: str) -> Finding:
    product = _product(mine)
    if close_numbers(product, [-1.0] * len(product)):
        return Finding(m.SIGN, "there is a minus too many", "", "", shown)
    constant = close_numbers(product, [product[0]] * len(product))
    return Finding(
        m.CONSTANT if constant else m.EXTRA_FACTOR, f"your factor {shown} does not belong there", "", "", shown
    )


def _text(group: Sequence[Factor]) -> str:
    """The factors as one product."""
    if len(group) < 2:
        return "".join(x.text for x in group)
    return " * ".join(x.text if x.text.replace("_", "").isalnum() else f"({x.text})" for x in group)
