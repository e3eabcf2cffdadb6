"""Whether the rows that a Gauss–Newton matrix takes a loss to be a convex function of are all of them, and no more, by
numbers alone: which rows these are is claimed, by the same search that a module is derived with, and tried out here.

A loss that is convex in them lies below its chords, where these meet no kink. Curvature that is left out is found on a
walk back from the loss through whatever is affine: a row that bends the right way on all real numbers, in what no
output stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from symbackprop.core.graph import FLOAT, Leaf, Node
from symbackprop.verify.differences import Objective
from symbackprop.verify.interpreter import Array, Program, Step, is_log, largest
from symbackprop.verify.kinks import Gap, Gaps, crossed

Outer = Callable[[Array], Array]  # what is done with the value of a row

WEIGHTS = (0.05, 0.95)  # data are weights, as documented
CHORDS, SPREAD = 12, (0.03, 0.3, 1.0)
PROBES, WIDE, NARROW, NEARBY, DEPTH = 6, (0.5, 3.0, 30.0), (0.5, 2.0), 1e-2, 3  # σ of 30 is 1 in numbers
BELOW, FLAT, MOST = 1e-7, 1e-9, 0.3
CONVEX, CONCAVE, AFFINE, NEITHER = 1, -1, 0, 2


class Bend(NamedTuple):
    """How a row depends on one of its arguments, by all that was tried: whether it is convex, concave or affine in it,
    and the sign of its slope, 0 where it has both. ``everywhere``: it has numbers for all real ones."""

    curve: int
    slope: int
    everywhere: bool


def weights(leaf: Node, array: Array, rng: Any) -> Array:
    """Numbers between 0 and 1 in place of data that may be any."""
    plain = leaf.kind == FLOAT and isinstance(leaf.attr, Leaf) and not leaf.attr.stated
    return rng.uniform(*WEIGHTS, np.shape(array)) if plain else array


class Claim:
    """The rows of which a loss is claimed to be a convex function, and those that count to first order."""

    def __init__(self, objective: Objective, leaves: Mapping[str, Node], outputs: Sequence[Node], held: Sequence[Node],
                 rng: Any) -> None:
        self.objective, self.outputs, self.held, self.rng = objective, outputs, held, rng
        (self.loss,) = objective.rows
        self.leaves = {row.id for row in leaves.values()}
        self.order = self.loss.graph.topological([self.loss])
        self.steps = {step.row.id: step for step in objective.program.steps}
        nodes = self.loss.graph.nodes
        self.given = {i: a if i in self.leaves else weights(nodes[i], a, rng) for i, a in objective.given.items()}
        with np.errstate(all="ignore"):
            self.base = objective.program.run(self.given)

    @np.errstate(all="ignore")
    def wrong(self) -> Iterator[str]:
        """One sentence for what is not as it is claimed."""
        if not self._lies_below_chords():
            named = ", ".join(map(_label, self.outputs))
            yield f"ggn: {_label(self.loss)} is no convex function of {named}, whose curvature it takes"
        yield from dict.fromkeys(f"ggn: the curvature of {_label(row)} in {_label(of)} is left out"
                                 for row, of in self._left_out())

    # -- no more of them
    def _lies_below_chords(self) -> bool:
        fixed = [row for row in self.order if row.op.held]
        gaps = Gaps()
        loss = Program([self.loss], self.objective.program.sizes,
                       frozenset([row.id for row in (*self.outputs, *self.held, *fixed)]), gaps.watch)

        def on_chord(ends: Sequence[Mapping[int, Array]], t: float) -> tuple[float, list[Gap]]:
            moved = {i: (1 - t) * a + t * ends[1][i] for i, a in ends[0].items()}
            return float(self.objective.total(loss.run({**self.base, **moved}))), gaps.take()

        for k in range(CHORDS):
            ends = [self._reached(SPREAD[k % len(SPREAD)]) for _ in range(2)]
            along = [on_chord(ends, t) for t in (0, 0.25, 0.5, 0.75, 1)]
            values = np.asarray([value for value, _ in along])
            above = values[[1, 2, 3]] - (values[[0, 0, 2]] + values[[2, 4, 4]]) / 2
            kinks = any(crossed(along[0][1], there) for _, there in along)  # pieces are looked at one by one
            if not kinks and np.all(np.isfinite(values)) and np.max(above) > BELOW * np.max(np.abs(values)):
                return False
        return True

    def _reached(self, spread: float) -> dict[int, Array]:
        """The outputs at other parameters."""
        moved = {i: self.given[i] + spread * self.rng.normal(size=np.shape(self.given[i])) for i in self.leaves}
        values = self.objective.program.run({**self.given, **moved})
        return {row.id: values[row.id] for row in self.outputs}

    # -- all of them
    def _left_out(self) -> Iterator[tuple[Node, Node]]:
        """Rows that bend the right way, and what in."""
        ends, free, moving = {r.id for r in self.outputs}, self._moved(self.outputs), self._moved(())
        late, stack, seen = {r.id for r in self.held}, [(self.loss, CONVEX)], set[tuple[int, int]]()
        while stack:
            row, bend = stack.pop()
            if (row.id, bend) in seen or row.id in ends or row.id not in moving or row.id not in self.steps:
                continue
            seen.add((row.id, bend))
            bends, arguments = self._bends(row, moving), {a.id: a for a in row.args}
            known = all(b.curve in (AFFINE, bend) for b in bends.values())
            for of, b in [(arguments[i], b) for i, b in bends.items() if known or len(bends) == 1]:
                if b.curve == AFFINE:
                    stack += [(of, bend * b.slope)] if row.id not in late else []
                elif (row.id in late or of.id in free | late) and self._is_certain(row, of, bend, b, moving):
                    yield row, of

    def _moved(self, stop: Collection[Node]) -> set[int]:
        """The rows that parameters move while ``stop`` stay where they are."""
        still, found = {r.id for r in stop}, set[int]()
        for row in self.order:
            reads = row.id in self.leaves or any(a.id in found for a in row.args)
            if reads and row.id not in still and (row.kind == FLOAT or row.is_loop) and not row.op.held:
                found.add(row.id)
        return found

    def _is_certain(self, row: Node, of: Node, bend: int, own: Bend, moving: Collection[int]) -> bool:
        """Whether a row is known to bend so for all real numbers; a logarithm, and what has no numbers for some, in
        what its argument is made of, which is what it is looked at as."""
        if own.curve == bend and (own.everywhere or of.id in self.leaves) and not (is_log(row) and of.args):
            return True
        outer: Outer = self._in(self.steps[row.id], of, lambda value: value)
        for _ in range(DEPTH):
            inner = self._bends(of, moving, outer) if of.id in self.steps else {}
            if inner and all(b.curve == bend and b.everywhere for b in inner.values()):
                return True
            if len(inner) != 1:
                return False
            below = next(a for a in of.args if a.id in inner)
            of, outer = below, self._in(self.steps[of.id], below, outer)
        return False

    def _in(self, step: Step, of: Node, outer: Outer) -> Outer:
        """What is done with one argument of a row."""
        return lambda value: outer(step.compute(*[value if i == of.id else self.base[i] for i in step.args]))

    def _bends(self, row: Node, moving: Collection[int], outer: Outer | None = None) -> dict[int, Bend]:
        """How a row, or something done with it, depends on its arguments that move; nothing where it has several
        results, cannot be computed, or one argument decides how another one counts."""
        step = self.steps[row.id]
        moved = list(dict.fromkeys(i for i in step.args if i in moving))
        if step.shape is None or not moved:
            return {}

        def at(values: Mapping[int, Array]) -> Array:
            found = step.compute(*[values.get(i, self.base[i]) for i in step.args])
            return np.asarray(found if outer is None else outer(found), float)

        try:
            samples = [self._sample(at, moved, scale, by) for scale in (NARROW if outer else WIDE)
                       for by in (1.0, NEARBY) for _ in range(PROBES)]
        except (TypeError, ValueError, IndexError, np.linalg.LinAlgError):
            return {}
        if not all(s.apart for s in samples):
            return {}
        return {i: _together([s.bends[k] for s in samples]) for k, i in enumerate(moved)}

    def _sample(self, at: Callable[[Mapping[int, Array]], Array], moved: Sequence[int], scale: float, by: float
                ) -> Sample:
        """What a row does around some numbers: moved by steps in each argument, and in all at once."""
        x, d = ({i: scale * self.rng.normal(size=np.shape(self.base[i])) for i in moved} for _ in range(2))
        d = {i: by * a for i, a in d.items()}
        here = at(x)
        ahead, behind, up = ([at({**x, i: x[i] + change(d[i])}) for i in moved] for change in (np.positive, np.negative,
                                                                                             np.abs))
        size = max(map(largest, (here, *ahead, *behind)))
        bent = [a - 2 * here + b for a, b in zip(ahead, behind, strict=True)]
        mixed = at({i: x[i] + d[i] for i in moved}) - here - sum(a - here for a in ahead)
        return Sample([(_signs(b, size), _signs(u - here, size), bool(np.all(np.isfinite(b))), _share(b, here))
                       for b, u in zip(bent, up, strict=True)], not _signs(mixed, size))


class Sample(NamedTuple):
    """For each argument the signs of second and of first differences, whether all are numbers, and the share of entries
    that bend; and whether every argument counts by itself."""

    bends: list[tuple[set[int], set[int], bool, float]]
    apart: bool


def _signs(values: Array, size: float) -> set[int]:
    """The signs of the entries that are more than rounding."""
    values = values[np.isfinite(values)]
    return {sign for sign in (1, -1) if np.any(sign * values > FLAT * size)}


def _share(bent: Array, values: Array) -> float:
    """The share of the entries that bend by more than rounding."""
    return float(np.mean(np.abs(bent) > FLAT * np.abs(values))) if bent.size else 0.0


def _together(samples: Sequence[tuple[set[int], set[int], bool, float]]) -> Bend:
    """What all samples say. Pieces that are straight are bent by small steps where these cross from one to the next
    alone: they count as what is neither."""
    bent, risen = (set[int]().union(*some) for some in ([s[0] for s in samples], [s[1] for s in samples]))
    near = np.mean([s[3] for k, s in enumerate(samples) if k // PROBES % 2])
    curve = AFFINE if not bent else next(iter(bent)) if len(bent) == 1 and near > MOST else NEITHER
    return Bend(curve, next(iter(risen)) if len(risen) == 1 else 0, all(s[2] for s in samples))


def _label(row: Node) -> str:
    return row.name or str(row)
