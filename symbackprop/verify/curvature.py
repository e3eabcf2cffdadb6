"""Gauss–Newton matrices that a module multiplies with, against numbers of the model: ⟨u, JᵀHJ v⟩ = ⟨J u, H J v⟩.

J u is the slope of the outputs along u, and ⟨a, H a⟩ the second difference of the loss where the outputs are moved
along a, whatever they are computed from. Which rows the outputs are is claimed; `convexity` tries that out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from symbackprop.core.outputs import convex_outputs
from symbackprop.errors import ModelError
from symbackprop.verify.differences import REACHES, ROUNDING, Objective, romberg
from symbackprop.verify.interpreter import Array, Program
from symbackprop.verify.kinks import Gap, Gaps, crossed
from symbackprop.verify.report import FAIL, INCONCLUSIVE, PASS, ProductReport

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
