"""A mistake that may have been made, and how likely its kind is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array
from symbackprop.grade.sweep import Backward

Swap: TypeAlias = Callable[[Backward, Edge, Array], Array]

# A lower cost is tried first; kinds that say more about what went on in a head come before those that say less.
COST = {
    m.MISSING_PATH: 16,
    m.TRANSPOSE: 17,
    m.MEAN: 18,
    m.MISSING_FACTOR: 20,
    m.PRE_ACTIVATION: 22,
    m.STALE_INDEX: 23,
    m.SUBSTITUTION: 24,
    m.SIGN: 25,
    m.TERM: 26,
    m.EXPONENT: 27,
    m.CONSTANT: 28,
    m.WRONG_FACTOR: 29,
    m.WRONG_DERIVATIVE: 30,
    m.EXTRA_FACTOR: 34,
}


@dataclass(frozen=True)
class Candidate:
    """What every edge in ``swaps`` hands back instead of what it should.

    ``tell`` makes the sentence, which is only done for the mistake that is found. Candidates that share one of the
    ``patterns`` are the same mistake in several places, as at every time step.
    """

    kind: str
    tell: Callable[[], Finding]
    swaps: dict[Edge, Swap]
    extra_cost: int = 0
    patterns: tuple[Hashable, ...] = ()

    @property
    def cost(self) -> int:
        return COST[self.kind] + self.extra_cost
