"""Points to check at: random samples that show something no earlier one has shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.model.model import Model
from symbackprop.verify.differences import AUTO, Objective
from symbackprop.verify.numeric import Prober
from symbackprop.verify.plan import cost_of
from symbackprop.verify.sampling import Random, Sample, draw, leaf_values
from symbackprop.verify.targets import unreached

ATTEMPTS, PREFERENCES, FEW = 64, 12, 3
EXPENSIVE = 1e7


class Points:
    """Finds samples with finite results. ``asleep`` are the gradients that were 0 at every point so far: a missing
    branch shows only where its gradient is not 0. ``seen`` are the sides of kinks that were visited."""

    def __init__(self, model: Model, rng: Random, targets: Mapping[str, Node]) -> None:
        self.model, self.rng, self.targets = model, rng, targets
        self.asleep: set[Any] = set(targets) - set(unreached(model, targets))
        self.seen: set[Any] = set()

    def next(self, sizes: dict[str, int]) -> tuple[Sample, Objective] | None:
        """The sample, of a number of them, that shows the most that is new; None when no finite one was found."""
        best: tuple[Sample, Objective] | None = None
        shown: set[Any] = set()
        for attempt in range(ATTEMPTS):
            sample = draw(self.model, sizes, self.rng, attempt)
            objective = self._objective(sample)
            if not np.isfinite(objective.value):
                continue
            new = self._awake(objective) | (objective.sides - self.seen)
            if best is None or len(new) > len(shown):
                best, shown = (sample, objective), new
            if self._shows_all(shown) or attempt >= self._patience(objective):
                break
        self.asleep -= shown
        self.seen |= shown
        return best

    def _objective(self, sample: Sample) -> Objective:
        rows = self.model.results()
        weights = [sample.upstream.get(row.name or "", np.ones(())) for row in rows]
        also = list(self.targets.values())
        return Objective(rows, weights, leaf_values(self.model, sample), sample.sizes, also)

    def _awake(self, objective: Objective) -> set[str]:
        """Those of the gradients asleep that are not 0 here."""
        return {name for name in sorted(self.asleep) if self._moves(objective, name)}

    def _moves(self, objective: Objective, name: str) -> bool:
        prober = Prober(objective, self.targets[name], AUTO)
        found = prober.along(np.arange(prober.x.size), self.rng.choice([-1.0, 1.0], prober.x.size) * prober.scales)
        return found.kink or abs(found.slope) > found.noise

    def _shows_all(self, shown: set[Any]) -> bool:
        """Whether, with what a sample shows, every gradient was seen not to be 0 and every kink from two sides."""
        rows = [side[0] for side in self.seen | shown if isinstance(side, tuple)]
        return self.asleep <= shown and all(rows.count(row) > 1 for row in rows)

    def _patience(self, objective: Objective) -> int:
        """How many samples are looked at before the best of them has to do."""
        return PREFERENCES if cost_of(objective.program.steps, objective.program.sizes) < EXPENSIVE else FEW
