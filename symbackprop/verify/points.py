"""Points to check at: random samples that show something no earlier one has shown, then points on the sides of
conditions that no random one was on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from symbackprop.model.model import Model
from symbackprop.verify.aiming import NO, ON_KINKS, YES, Search, Values
from symbackprop.verify.conditions import Side
from symbackprop.verify.coverage import Coverage
from symbackprop.verify.differences import AUTO, Objective
from symbackprop.verify.interpreter import Sizes
from symbackprop.verify.numeric import Prober
from symbackprop.verify.plan import cost_of
from symbackprop.verify.sampling import Random, Sample, draw, leaf_values

ATTEMPTS, PREFERENCES, FEW = 64, 12, 3
EXPENSIVE = 1e7
Found: TypeAlias = tuple[Sample, Objective]


class Points:
    """Finds samples with finite results. ``asleep`` are the gradients that were 0 at every point so far: a missing
    branch shows only where its gradient is not 0. ``coverage`` knows which sides of conditions were visited, the first
    sizes deciding how many places a maximum has."""

    def __init__(self, model: Model, rng: Random, sizes: Sizes) -> None:
        self.model, self.rng = model, rng
        self.targets = model.targets()
        self.asleep: set[Any] = set(self.targets) - set(model.unreached())
        self.coverage = Coverage(model.results(), sizes)
        self.found: list[Found] = []

    def next(self, sizes: dict[str, int]) -> Found | None:
        """The sample, of a number of them, that shows the most that is new; None when no finite one was found."""
        best: Found | None = None
        shown: set[Any] = set()
        for attempt in range(ATTEMPTS):
            sample = draw(self.model, sizes, self.rng, attempt)
            objective = self._objective(sample)
            if not np.isfinite(objective.value):
                continue
            new = self._awake(objective) | self._sides(objective)
            if best is None or len(new) > len(shown):
                best, shown = (sample, objective), new
            if self._shows_all(shown) or attempt >= self._patience(objective):
                break
        return self._take(best, shown)

    def _take(self, found: Found | None, shown: set[Any]) -> Found | None:
        self.asleep -= shown
        self.coverage.seen |= {s for s in shown if isinstance(s, Side)}
        self.found += [] if found is None else [found]
        return found

    def aimed(self, sizes: dict[str, int]) -> Iterator[Found]:
        """A point for every side that was not seen and can be found from the points so far of these sizes."""
        for side in self.coverage.missing:
            if side not in self.coverage.seen:
                found = self._aim(side, [f for f in self.found if f[0].sizes == sizes])
                if found is not None:
                    self._take(found, self._awake(found[1]) | self._sides(found[1]))
                    yield found

    def _aim(self, side: Side, bases: list[Found]) -> Found | None:
        """A point on a side, from points of one set of sizes."""
        if not bases:
            return None
        sample, before = bases[-1]

        def accept(values: Values) -> int:
            objective = self._objective(self._moved(sample, values))
            if not np.isfinite(objective.value) or side not in self._sides(objective, [side]):
                return NO
            return YES if objective.on_kinks <= before.on_kinks else ON_KINKS

        leaves = list(self.model.leaves().values())
        search = Search(side, leaves, sample.sizes, self.rng, accept)
        values = search.found([leaf_values(self.model, s) for s, _ in bases])
        if values is None:
            return None
        moved = self._moved(sample, values)
        return moved, self._objective(moved)

    def _moved(self, sample: Sample, values: Mapping[int, Any]) -> Sample:
        """The sample with other numbers in its leaves."""
        return Sample(sample.sizes, {n: values[r.id] for n, r in self.model.leaves().items()}, sample.upstream)

    def _objective(self, sample: Sample) -> Objective:
        rows = self.model.results()
        weights = [sample.upstream.get(row.name or "", np.ones(())) for row in rows]
        return Objective(rows, weights, leaf_values(self.model, sample), sample.sizes)

    def _sides(self, objective: Objective, of: list[Side] | None = None) -> set[Side]:
        """The sides not seen so far that the objective depends on at its point."""
        return self.coverage.shown(objective.given, objective.program.sizes, objective.weights, of)

    def _awake(self, objective: Objective) -> set[str]:
        """Those of the gradients asleep that are not 0 here."""
        return {name for name in sorted(self.asleep) if self._moves(objective, name)}

    def _moves(self, objective: Objective, name: str) -> bool:
        prober = Prober(objective, self.targets[name], AUTO)
        found = prober.along(np.arange(prober.x.size), self.rng.choice([-1.0, 1.0], prober.x.size) * prober.scales)
        return found.kink or abs(found.slope) > found.noise

    def _shows_all(self, shown: set[Any]) -> bool:
        """Whether, with what a sample shows, every gradient was seen not to be 0 and every condition from all sides."""
        return self.asleep <= shown and all(side in shown for side in self.coverage.missing)

    def _patience(self, objective: Objective) -> int:
        """How many samples are looked at before the best of them has to do."""
        return PREFERENCES if cost_of(objective.program.steps, objective.program.sizes) < EXPENSIVE else FEW
