"""Points to check at: random samples that show something no earlier one has shown, then points on the sides of
conditions that no random one was on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.errors import ShapeError
from symbackprop.model.model import Model
from symbackprop.verify.aiming import Aim, Values
from symbackprop.verify.conditions import Side
from symbackprop.verify.coverage import Coverage
from symbackprop.verify.differences import AUTO, COMPLEX, NotAnalytic, Objective, Prober, Ray, slope
from symbackprop.verify.interpreter import Sizes
from symbackprop.verify.sampling import Random, Sample, choose_sizes, draw, leaf_values

ATTEMPTS, PREFERENCES, FEW = 64, 12, 3
MANY = 30
ARRAYS, FEWEST, WORK = 500, 8, 1e9  # that many gradients are looked at one by one, however long each takes
PLACES = 3  # of each, at least
STEADY = 1e-10  # of a result: how far off rounding may leave it at a point that is aimed at
Found: TypeAlias = tuple[Sample, Objective]


class Points:
    """Finds samples with finite results. ``asleep`` are the gradients, of those looked at one by one, that were 0 at
    every point so far: a missing branch shows only where its gradient is not 0. ``coverage`` knows which sides of
    conditions were visited, the first sizes deciding how many places a maximum has."""

    def __init__(self, model: Model, rng: Random, sizes: Sizes, targets: Mapping[str, Node]) -> None:
        self.model, self.rng, self.targets = model, rng, targets
        self.asleep: set[Any] = set(targets) - set(model.unreached(targets))
        self.coverage = Coverage(model.results(), sizes)
        self.samples: list[Sample] = []
        self.first: Found | None = None  # the others' values need not be kept
        leaves = list(model.leaves().values())
        self.aim = Aim(self.coverage, leaves, rng, self._usable, lambda at: self._weights(self._like(at)))

    def one_by_one(self, names: Iterable[str], objective: Objective) -> set[str]:
        """The gradients whose slopes are taken one by one: all, but for thousands of arrays of a long model, of which
        it is some at random."""
        leaves = sorted(n for n in names if self.targets[n].is_leaf)
        most = max(FEWEST, int(WORK / objective.program.cost / PLACES))
        if len(leaves) <= max(ARRAYS, most) or objective.slopes_of_numbers:
            return {*names}
        return {*names} - {*leaves} | {*self.rng.choice(leaves, most, replace=False).tolist()}

    def next(self, sizes: dict[str, int]) -> Found | None:
        """The sample, of a number of them, that shows the most that is new; None when no finite one was found."""
        best: Found | None = None
        shown: set[Any] = set()
        for attempt in range(ATTEMPTS):
            sample = draw(self.model, sizes, self.rng, attempt)
            objective = self._objective(sample)
            if not np.isfinite(objective.value):
                continue
            self.asleep = self.one_by_one(self.asleep, objective)
            new = self._awake(objective) | self._sides(objective)
            if best is None or len(new) > len(shown):
                best, shown = (sample, objective), new
            if self._shows_all(shown) or attempt >= self._patience(objective):
                break
        return None if best is None else self._take(best, shown)

    def _take(self, found: Found, shown: set[Any]) -> Found:
        self.asleep -= shown
        self.coverage.seen |= {s for s in shown if isinstance(s, Side)}
        self.samples.append(found[0])
        self.first = self.first or found
        return found

    def aimed(self, sizes: dict[str, int]) -> Iterator[Found]:
        """A point for every side that was not seen and can be found from the points so far of these sizes. A point that
        was found may lead to others, so it goes on until nothing new comes."""
        before = -1
        while before < len(self.samples) and self.coverage.missing:
            before = len(self.samples)
            missing = self.coverage.missing
            for side in [*missing[MANY:][-1:], *missing]:  # of w > 1, …, w > 2000 the last one is on all the others too
                found = None if side in self.coverage.seen else self._aim(side, sizes)
                if found is not None:
                    yield self._take(found, {side} | self._awake(found[1]) | self._sides(found[1]))

    def wider(self, given: Mapping[str, int]) -> dict[str, int] | None:
        """Sizes at which integers can equal the numbers that the conditions not seen compare with."""
        wanted = self.aim.sizes_wanted(given)
        try:
            return choose_sizes(self.model, self.rng, {**wanted, **given}) if wanted else None
        except ShapeError:
            return None

    def _aim(self, side: Side, sizes: dict[str, int]) -> Found | None:
        """A point on a side, from points of one set of sizes."""
        bases = [s for s in self.samples if s.sizes == sizes]
        values = self.aim.at(side, [leaf_values(self.model, s) for s in bases], sizes) if bases else None
        return None if values is None else (self._sample(values, sizes), self._at(values, sizes))

    def _usable(self, values: Values, sizes: Sizes) -> int | None:
        """How many entries are 0, where a slope tells little; None at a kink and where the results are not finite, or
        nothing but rounding."""
        objective = self._at(values, sizes)
        moved = [row for row in self.targets.values() if row.is_leaf]
        if not np.isfinite(objective.value) or objective.kinks(moved) or objective.off() > STEADY:
            return None
        return int(sum(np.sum(values[row.id] == 0) for row in moved))

    def _at(self, values: Values, sizes: Sizes) -> Objective:
        return self._objective(self._sample(values, sizes))

    def _sample(self, values: Values, sizes: Sizes) -> Sample:
        upstream = self._like(sizes).upstream
        return Sample(dict(sizes), {n: values[r.id] for n, r in self.model.leaves().items()}, upstream)

    def _like(self, sizes: Sizes) -> Sample:
        """The first sample of these sizes."""
        return next(s for s in self.samples if s.sizes == sizes)

    def _objective(self, sample: Sample) -> Objective:
        weights, also = self._weights(sample), list(self.targets.values())
        return Objective(self.model.results(), weights, leaf_values(self.model, sample), sample.sizes, also)

    def _weights(self, sample: Sample) -> list[Any]:
        return [sample.upstream.get(row.name or "", np.ones(())) for row in self.model.results()]

    def _sides(self, objective: Objective) -> set[Side]:
        """The sides not seen so far that the objective depends on at its point."""
        return self.coverage.shown(objective.given, objective.program.sizes, objective.weights)

    def _awake(self, objective: Objective) -> set[str]:
        """Those of the gradients asleep that are not 0 here: none where the slope along all of them at once is 0, as it
        is where a long model is dead."""
        asleep = sorted(self.asleep)
        return {n for n in asleep if self._moves(objective, n)} if self._some_move(objective, asleep) else set()

    def _some_move(self, objective: Objective, names: Sequence[str]) -> bool:
        """Whether anything moves along a direction through some arrays; also where that cannot be told at once."""
        leaves = [self.targets[n] for n in names]
        if len(leaves) < 2 or not all(leaf.is_leaf for leaf in leaves):
            return True
        rng = np.random.default_rng(0)
        along = {leaf.id: rng.normal(size=np.shape(objective.given[leaf.id])) for leaf in leaves}
        try:
            found = slope(Ray(objective, along), COMPLEX, 1.0)
        except NotAnalytic:
            return True
        return found.kink or found.slope != 0

    def _moves(self, objective: Objective, name: str) -> bool:
        prober = Prober(objective, self.targets[name], AUTO)
        found = prober.along(np.arange(prober.x.size), self.rng.choice([-1.0, 1.0], prober.x.size) * prober.scales)
        return found.kink or abs(found.slope) > found.noise

    def _shows_all(self, shown: set[Any]) -> bool:
        """Whether, with what a sample shows, every gradient was seen not to be 0 and every condition from all sides."""
        return self.asleep <= shown and all(side in shown for side in self.coverage.missing)

    def _patience(self, objective: Objective) -> int:
        """How many samples are looked at before the best of them has to do."""
        slopes = 1 + len(self.asleep)
        return int(np.clip(WORK / objective.program.cost / slopes, FEW, PREFERENCES))
