"""From a wrong answer to the mistake: every single mistake is made on purpose and compared with what the person wrote.

The order is that of plausibility: a constant factor; a mistake in one place of the derivation; the same mistake in
every place like it; a mistake in one place and a wrong constant besides; one of the person's own factors that has no
place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.align import aligned
from symbackprop.grade.branches import extra_candidates, lacking_candidates, path_candidates, repeated
from symbackprop.grade.candidates import Candidate
from symbackprop.grade.compare import ROUNDED, same
from symbackprop.grade.links import is_square, link_candidates
from symbackprop.grade.local import exchangeable, local_candidates
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array, Point
from symbackprop.grade.ratio import constant_finding, usual_finding
from symbackprop.grade.reference import Reference
from symbackprop.grade.sweep import Backward

MAX_WORK = 300_000
Factors = Sequence[tuple[Node, bool]]


class Diagnosis:
    """Explains answers for one quantity: ``row`` is what a person gave for the gradient of ``target``.

    ``known`` are the rows whose gradients the person has read off earlier lines, where they count as right.
    """

    def __init__(
        self, reference: Reference, points: Sequence[Point], target: Node, known: frozenset[int] = frozenset()
    ) -> None:
        self.reference, self.points, self.target, self.known = reference, points, target, known
        self.mentioned: frozenset[int] | None = None
        self.right = [p.value(reference.gradient(target)) for p in points]

    def explain(self, row: Node, factors: Factors = (), mentioned: frozenset[int] | None = None) -> Finding:
        """The mistake in an answer of the right shape that is not right. ``factors`` are those of the person's product,
        ``mentioned`` the rows that the person's line names: only these can stand where another belongs."""
        self.mentioned = mentioned
        with np.errstate(all="ignore"):
            return self._explained([p.value(row) for p in self.points], factors)

    def _explained(self, given: Sequence[Array], factors: Factors) -> Finding:
        for rule in (self._undefined, self._zero, self._multiple, self._transposed, self._single, self._rounded):
            finding = rule(given, factors)
            if finding is not None:
                return finding
        own = aligned(self.reference, self.points, self.target, factors)
        return own or Finding(m.UNEXPLAINED, "no single mistake explains this answer")

    # -- rules
    def _undefined(self, given: Sequence[Array], factors: Factors) -> Finding | None:
        if all(np.all(np.isfinite(g)) for g in given):
            return None
        return Finding(
            m.UNDEFINED, "it has no finite value at some points, for example a division by 0 or a log of a negative"
        )

    def _zero(self, given: Sequence[Array], factors: Factors) -> Finding | None:
        if any(np.any(g) for g in given):
            return None
        return Finding(m.WRONG_FACTOR, "it is zero; the gradient is not", "", "", "0")

    def _rounded(self, given: Sequence[Array], factors: Factors) -> Finding | None:
        if all(same(g, r, ROUNDED) for g, r in zip(given, self.right, strict=True)):
            return Finding(
                m.ROUNDED, "it agrees to three digits or more: a number is rounded, or a small constant is left out"
            )
        return None

    def _multiple(self, given: Sequence[Array], factors: Factors) -> Finding | None:
        finding = constant_finding(self.reference, self.points, list(zip(given, self.right, strict=True)))
        if finding is None:
            return None
        own = aligned(self.reference, self.points, self.target, factors)
        if own is not None and own.kind in (finding.kind, m.MISSING_FACTOR, m.EXTRA_FACTOR):
            return own
        return finding

    def _transposed(self, given: Sequence[Array], factors: Factors) -> Finding | None:
        if is_square(self.target) and all(same(g.T, r) for g, r in zip(given, self.right, strict=True)):
            return Finding(m.TRANSPOSE, "it is the transpose of the right one")
        return None

    def _single(self, given: Sequence[Array], factors: Factors) -> Finding | None:
        """One mistake in the derivation, then one mistake and a constant."""
        ranked = self._candidates()
        sweeps = [Backward(self.reference, p, self.target, self.known) for p in self.points]
        best = int(np.argmax([np.count_nonzero(r) for r in self.right]))
        first = [(c, sweeps[best].gradient(c.swaps)) for c in ranked]
        for candidate, value in first:
            if same(given[best], value) and self._confirmed(candidate, sweeps, given):
                return candidate.tell()
        return self._with_constant(first, best, sweeps, given)

    def _confirmed(self, candidate: Candidate, sweeps: Sequence[Backward], given: Sequence[Array]) -> bool:
        return all(same(g, s.gradient(candidate.swaps)) for s, g in zip(sweeps, given, strict=True))

    def _with_constant(self, first: Sequence[tuple[Candidate, Array]], best: int, sweeps: Sequence[Backward],
                       given: Sequence[Array]) -> Finding | None:  # fmt: skip
        """A mistake besides which a constant is wrong as well."""
        for candidate, value in first:
            if usual_finding(self.reference, [self.points[best]], [(given[best], value)]) is None:
                continue
            pairs = [(g, s.gradient(candidate.swaps)) for s, g in zip(sweeps, given, strict=True)]
            extra = usual_finding(self.reference, self.points, pairs)
            if extra is not None:
                finding = candidate.tell()
                says = f"two things: {finding.says}; and besides, {extra.says}"
                return replace(finding, says=says, also=extra.kind)
        return None

    # -- candidates
    def _between(self) -> list[Node]:
        return self.reference.downstream(self.target, self.known)

    def _candidates(self) -> list[Candidate]:
        singles = list(self._singles())
        everything = [c for _, c in singles] + list(repeated([(e, c) for e, c in singles if e is not None]))
        limit = MAX_WORK // len(self._between())
        return sorted(everything, key=lambda c: c.cost)[:limit]

    def _singles(self) -> Iterator[tuple[Edge | None, Candidate]]:
        known = [r for r in exchangeable(self.reference) if self.mentioned is None or r.id in self.mentioned]
        for row in self._between():
            for edge in self.reference.edges(row):
                rule = local_candidates if edge.consumer.op.name == "elementwise" else link_candidates
                yield from ((edge, c) for c in rule(self.reference, edge, self.target, known))
            yield from ((next(iter(c.swaps)), c) for c in path_candidates(self.reference, row, self.target))
            yield from ((None, c) for c in extra_candidates(self.reference, row, known))
        yield from ((None, c) for c in lacking_candidates(self.reference, self.target))
