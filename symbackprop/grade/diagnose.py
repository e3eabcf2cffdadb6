"""From a wrong answer to the mistake: every single mistake is made on purpose and compared with what the person wrote.

The order is that of plausibility: a constant factor; a mistake in one place of the derivation; the same mistake in
every place like it; a mistake in one place and a wrong constant besides; one of the person's own factors that has no
place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symbackprop.core.graph import FLOAT, Node
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import Candidate, candidates
from symbackprop.grade.equality import ROUNDED, same
from symbackprop.grade.factors import misfit, multiple, usual_multiple
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference

MAX_WORK = 300_000


@dataclass
class Diagnosis:
    """The mistake in ``row``, a wrong answer of the right shape for the gradient of ``target``.

    ``known`` are the rows whose gradients the person has read off earlier lines, where they count as right;
    ``mentioned`` those that the line names: only these can stand where another belongs. ``factors`` are those of the
    line's product, each with whether it divides.
    """

    reference: Reference
    points: Sequence[Point]
    target: Node
    row: Node
    known: frozenset[int]
    mentioned: frozenset[int]
    factors: Sequence[tuple[Node, bool]]

    def finding(self) -> Finding:
        """The mistake, or that no single one explains the answer."""
        with np.errstate(all="ignore"):
            self.given = [p.value(self.row) for p in self.points]
            found = next((x for rule in RULES.values() if (x := rule(self)) is not None), None)
        return found or Finding(m.UNEXPLAINED, "no single mistake explains this answer")

    @cached_property
    def right(self) -> list[Array]:
        return [p.value(self.reference.gradient(self.target)) for p in self.points]

    def undefined(self) -> Finding | None:
        if all(np.all(np.isfinite(g)) for g in self.given):
            return None
        return Finding(
            m.UNDEFINED, "it has no finite value at some points, for example a division by 0 or a log of a negative"
        )

    def zero(self) -> Finding | None:
        if any(np.any(g) for g in self.given):
            return None
        return Finding(m.WRONG_FACTOR, "it is zero; the gradient is not", "", "", "0")

    def rounded(self) -> Finding | None:
        if all(same(g, r, ROUNDED) for g, r in zip(self.given, self.right, strict=True)):
            return Finding(
                m.ROUNDED, "it agrees to three digits or more: a number is rounded, or a small constant is left out"
            )
        return None

    # -- factors
    def times_a_constant(self) -> Finding | None:
        """A multiple of the right one; where the person's own factors say which of them is wrong, that is better."""
        finding = multiple(self.reference, self.points, list(zip(self.given, self.right, strict=True)))
        own = None if finding is None else self.factor()
        better = finding and own and own.kind in (finding.kind, m.MISSING_FACTOR, m.EXTRA_FACTOR)
        return own if better else finding

    def factor(self) -> Finding | None:
        """The one of the person's factors that has no place in the chain."""
        return misfit(self.reference, self.points, self.target, self.factors)

    # -- mistakes in the derivation
    @cached_property
    def sweeps(self) -> list[NumericSweep]:
        return [NumericSweep(self.reference, p, self.target, self.known) for p in self.points]

    @cached_property
    def telling(self) -> int:
        """The point at which most entries of the gradient are not 0."""
        return int(np.argmax([np.count_nonzero(r) for r in self.right]))

    @cached_property
    def made(self) -> list[tuple[Candidate, Array]]:
        """Every mistake with what it makes of the gradient at the most telling point."""
        rows = self.reference.downstream(self.target, self.known)
        floats = {r.id: r for r in self.reference.rows.values() if r.kind == FLOAT and r.value is None}
        written = [r for r in floats.values() if r.id in self.mentioned]
        found = candidates(self.reference, rows, self.target, written)[: MAX_WORK // len(rows)]
        return [(c, self.sweeps[self.telling].gradient(c.swaps)) for c in found]

    def one_mistake(self) -> Finding | None:
        """One mistake in the derivation."""
        for candidate, value in self.made:
            if same(self.given[self.telling], value) and self._agrees(candidate):
                return candidate.tell()
        return None

    def _agrees(self, candidate: Candidate) -> bool:
        return all(same(g, s.gradient(candidate.swaps)) for s, g in zip(self.sweeps, self.given, strict=True))

    def with_a_constant(self) -> Finding | None:
        """A mistake in the derivation besides which a constant is wrong as well."""
        given, point = self.given[self.telling], self.points[self.telling]
        for candidate, value in self.made:
            if usual_multiple(self.reference, [point], [(given, value)]) is not None:
                pairs = [(g, s.gradient(candidate.swaps)) for s, g in zip(self.sweeps, self.given, strict=True)]
                extra = usual_multiple(self.reference, self.points, pairs)
                if extra is not None:
                    finding = candidate.tell()
                    says = f"two things: {finding.says}; and besides, {extra.says}"
                    return replace(finding, says=says, also=extra.kind)
        return None


RULES: dict[str, Callable[[Diagnosis], Finding | None]] = {
    "undefined": Diagnosis.undefined,
    "zero": Diagnosis.zero,
    "a constant": Diagnosis.times_a_constant,
    "one mistake": Diagnosis.one_mistake,
    "one mistake and a constant": Diagnosis.with_a_constant,
    "rounded": Diagnosis.rounded,
    "own factors": Diagnosis.factor,
}
