"""Whether the rows that a Gauss–Newton matrix takes a loss to be a convex function of are all of them, and no more, by
numbers alone: which rows these are is claimed, by the same search that a module is derived with, and tried out here.

A loss that is convex in them lies below its chords, where these meet no kink. Curvature that is left out is found on a
walk back from the loss through whatever is affine: a row that bends the right way on all real numbers, in what no
output stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from symbackprop.core.graph import FLOAT, Leaf, Node
from symbackprop.core.outputs import convex_outputs
from symbackprop.errors import ModelError
from symbackprop.verify.differences import REACHES, ROUNDING, Objective, romberg
from symbackprop.verify.interpreter import Array, Program, Step, is_log, largest
from symbackprop.verify.kinks import Gap, Gaps, crossed
from symbackprop.verify.report import FAIL, INCONCLUSIVE, PASS, ProductReport

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


# -- Gauss–Newton matrices that a module multiplies with, against numbers of the model: ⟨u, JᵀHJ v⟩ = ⟨J u, H J v⟩
# J u is the slope of the outputs along u, and ⟨a, H a⟩ the second difference of the loss where the outputs are moved
# along a, whatever they are computed from.
Arrays = Mapping[str, Array]
NEAR, TOLERANCE, AGREE, SHARP = 2e-2, 1e-5, 1e-6, 1e-8


class Slopes(NamedTuple):
    """Slopes by the ids of rows, and how far off they may be beside their size."""

    values: dict[int, Array]
    off: float


class GaussNewton:
    """The matrix of a model's loss at one point, by the leaves of these names."""

    def __init__(self, objective: Objective, leaves: Mapping[str, Any]) -> None:
        self.objective, self.leaves = objective, leaves
        (loss,) = objective.rows
        try:
            self.outputs, self.held = convex_outputs(loss, list(leaves.values()))
        except ModelError:
            self.outputs, self.held = [], []
        fixed = [row for row in loss.graph.topological([loss]) if row.op.held]
        stop = frozenset([row.id for row in (*self.outputs, *self.held, *fixed)])
        self.gaps = Gaps()
        self.loss = Program([loss], objective.program.sizes, stop, lambda *step: self.gaps.watch(*step))

    def compared(self, name: str, given: Arrays, v: Slopes, u: Arrays) -> ProductReport:
        """What the module gives beside the matrix times v, whose slopes are given: along u, 0 in other arrays."""
        found = float(sum(np.sum(u[n] * given[n]) for n in u))
        right, noise, size = self.product(u, v)
        if not np.isfinite([found, right]).all():
            return ProductReport(name, INCONCLUSIVE if np.isfinite(found) else FAIL, None)
        size = max(size, abs(found), float(sum(np.linalg.norm(u[n] * given[n]) for n in u)))
        error = abs(found - right) / size if size else 0.0
        verdict = PASS if error <= TOLERANCE else INCONCLUSIVE if noise > AGREE * size else FAIL
        return ProductReport(name, verdict, error, (), found, right)

    def product(self, u: Arrays, v: Slopes) -> tuple[float, float, float]:
        """⟨J u, H J v⟩, how far off it may be, and how large it could be; NaN where a kink lies near."""
        (a, far), (b, off) = self.slopes(u), v
        if not a or not b:
            return np.nan, np.inf, 0.0
        scale = [max(float(np.max(np.abs(x), initial=0.0)) for x in some.values()) or 1.0 for some in (a, b)]
        a, b = ({i: x / s for i, x in some.items()} for some, s in zip((a, b), scale, strict=True))
        plus, minus = (self._second({i: a[i] + sign * b[i] for i in a}) for sign in (1, -1))
        by = scale[0] * scale[1] / 4
        size = by * (abs(plus[0]) + abs(minus[0]))
        return by * (plus[0] - minus[0]), by * (plus[1] + minus[1]) + size * (far + off), size

    def slopes(self, v: Arrays) -> Slopes:
        """J v by the ids of the outputs, and how far off it may be beside its size; nothing where a kink lies near."""
        along, best = {self.leaves[n].id: x for n, x in v.items()}, Slopes({}, np.inf)
        for h in REACHES[:3] if self.outputs else ():
            if best.off < SHARP:
                break
            places = [sign * h / by for by in (1, 2, 4) for sign in (1, -1)]
            there = [self.objective.values({i: self.objective.given[i] + t * x for i, x in along.items()})
                     for t in places]
            if any(crossed(self.objective.start, gaps) for _, gaps in there):
                continue
            found = {o.id: romberg(h, [np.asarray(values[o.id], float) for values, _ in there]) for o in self.outputs}
            size, noise = (max(float(np.max(np.abs(x), initial=0.0)) for x in some) for some in
                           ([s.value for s in found.values()], [s.noise for s in found.values()]))
            if (off := noise / size if size else 0.0) < best.off:
                best = Slopes({i: s.value for i, s in found.items()}, off)
        return best

    def _second(self, a: Mapping[int, Array]) -> tuple[float, float]:
        """The second derivative of the loss along a, and how far off it may be; NaN where a kink lies near."""
        here, start = self._moved(a, 0.0)
        top, found = max(NEAR, *(float(np.max(np.abs(x), initial=0.0)) for x in a.values())), list[float]()
        size = max(abs(here), self.objective.magnitude)
        for h in [NEAR / top / 2**k for k in range(3)]:
            (one, gaps), (other, back) = self._moved(a, h), self._moved(a, -h)
            if any(crossed(start, g) for g in (gaps, back)):
                return np.nan, np.inf
            found.append((one - 2 * here + other) / h**2)
        fine = [(4 * y - x) / 3 for x, y in pairwise(found)]
        best = (16 * fine[1] - fine[0]) / 15
        return best, abs(best - fine[1]) + ROUNDING * size / (NEAR / top / 2) ** 2

    def _moved(self, a: Mapping[int, Array], t: float) -> tuple[float, list[Gap]]:
        """The loss with the outputs moved, and the gaps to kinks."""
        base = self.objective.base
        values = self.loss.run({**base, **{i: base[i] + t * x for i, x in a.items()}})
        return float(self.objective.total(values)), self.gaps.take()
