"""Points at which the conditions of an answer and of the right gradient are on the sides that the usual points miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.grade.points import Array, Point, Points
from symbackprop.verify.aiming import Aim, Values
from symbackprop.verify.conditions import Side
from symbackprop.verify.coverage import Coverage, Unseen
from symbackprop.verify.interpreter import Sizes
from symbackprop.verify.kinks import operands_of

SIZES = 2
GUARD = 1e-6


def _guards(side: Side) -> bool:
    """Whether a condition keeps a number off 0, as the eps of cosine_similarity: a person's formula need not say it."""
    compared = () if side.switch is None else operands_of(side.row.attr, side.switch)
    return any(isinstance(p, f.Num) and p.value.is_number and 0 < p.value <= GUARD for p in compared)


class Beyond:
    """Looks for such points for a pair of rows that agree at the usual ones, and knows in the end what stays unseen."""

    def __init__(self, rows: Sequence[Node], source: Points, usual: Sequence[Point]) -> None:
        self.rows, self.source, self.usual = rows, source, usual
        self.rng = np.random.default_rng(source.seed)
        self.coverage = Coverage(rows, usual[0].sizes, source.reference.results)
        self.coverage.bounds |= {side for side in self.coverage.sides if _guards(side)}
        self.aim = Aim(self.coverage, source.leaves, self.rng, self._usable, self._weights, source.meant)
        self.kept: dict[str, list[Array]] = {}

    def points(self) -> Iterator[Point]:
        """A further point for every side that the usual ones miss and that is found."""
        for point in self.usual:
            self._see(point)
        for sizes in list({str(p.sizes): p.sizes for p in self.usual}.values())[:SIZES]:
            yield from self._aimed([p for p in self.usual if p.sizes == sizes])
        wanted = self.aim.sizes_wanted(self.source.given)
        if wanted:
            first = self.source.more(wanted)
            self._see(first)
            yield first
            yield from self._aimed([first])

    def _aimed(self, bases: list[Point]) -> Iterator[Point]:
        before = -1
        while before < len(bases) and self.coverage.missing:
            before = len(bases)
            for side in self.coverage.missing:
                found = None
                if side not in self.coverage.seen:
                    found = self.aim.at(side, [self._given(p) for p in bases], bases[0].sizes)
                if found is not None:
                    bases.append(self.source.at(found, bases[0].sizes))
                    self.coverage.seen.add(side)
                    self._see(bases[-1])
                    yield bases[-1]

    @property
    def unseen(self) -> list[Unseen]:
        """What no point reached. In gradients sides cancel and are multiplied by 0, so that they need not matter."""
        return self.coverage.unseen(mattering=False)

    def _see(self, point: Point) -> None:
        self.coverage.seen |= self.coverage.shown(self._given(point), point.sizes, self._weights(point.sizes))

    def _given(self, point: Point) -> Values:
        return {leaf.id: point.values[leaf.id] for leaf in self.source.leaves}

    def _usable(self, values: Values, sizes: Sizes) -> int | None:
        """How many entries of the leaves are 0; None where a row is not finite."""
        point = self.source.at(values, sizes)
        if not all(np.all(np.isfinite(point.value(row))) for row in self.rows):
            return None
        return int(sum(np.sum(value == 0) for value in self._given(point).values()))

    def _weights(self, sizes: Sizes) -> list[Array]:
        """Random, so that sums which are always the same tell all the same."""
        if str(sizes) not in self.kept:
            shapes = [Point(sizes, {}, "").size(row.shape) for row in self.rows]
            self.kept[str(sizes)] = [self.rng.normal(size=shape) for shape in shapes]
        return self.kept[str(sizes)]
