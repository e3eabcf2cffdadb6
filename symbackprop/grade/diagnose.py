"""From a wrong answer to the mistake: every single mistake is made on purpose and compared with what the person wrote.

The order is that of plausibility: a constant factor; a mistake in one place of the derivation; the same mistake in
every place like it; a mistake in one place and a wrong constant besides; one of the person's own factors that has no
place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, combinations_with_replacement, permutations

import numpy as np
import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import bracketed, dim_text
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import Candidate, candidates
from symbackprop.grade.equality import ROUNDED, close_numbers, factors_between, same
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
        written = [r for r in self.reference.floats if r.id in self.mentioned]
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


# -- answers taken as products: a multiple of the right gradient, or a chain in which one of the factors is wrong


SMALL, MAX_FACTORS = 64, 9
Pairs = Sequence[tuple[Array, Array]]

# -- multiples of the right gradient


def multiple(reference: Reference, points: Sequence[Point], pairs: Pairs) -> Finding | None:
    """The mistake of an answer that is a constant times the right one, given as (answer, right one) at every point."""
    usual = usual_multiple(reference, points, pairs)
    if usual is not None:
        return usual
    found = factors_between(pairs)
    return None if found is None or all(abs(c - 1) <= ROUNDED for c in found) else _plain_number(found)


def usual_multiple(reference: Reference, points: Sequence[Point], pairs: Pairs) -> Finding | None:
    """The same for the constants that people get wrong: a sign, a 2, a size."""
    found = factors_between(pairs)
    if found is None:
        return None
    dims = reference.dimensions
    sizes = dict.fromkeys([*dims, *[a * b for a, b in combinations_with_replacement(dims, 2)], *reference.lengths])
    usual = multiples(points, sizes, dims)
    return next((Finding(kind, says) for kind, says, values in usual if close_numbers(found, values)), None)


def multiples(points: Sequence[Point], sizes: Iterable[sp.Expr], dims: Sequence[sp.Expr] = ()
              ) -> Iterator[tuple[str, str, list[float]]]:
    """(kind, words, value at every point) of the constants that people get wrong, likelier first; ``sizes`` are those
    that a mean may divide by, ``dims`` those that may stand for one another."""
    for number, kind, words in _NUMBERS:
        yield kind, words, [number] * len(points)
    for d in sizes:
        values, name = [p.number(d) for p in points], dim_text(d)
        for number, also in [(1.0, ""), *[(number, f", and {words}") for number, _, words in _NUMBERS]]:
            large, small = [number * v for v in values], [number / v for v in values]
            yield m.MEAN, f"it is {name} times too large: the mean divides by {name}{also}", large
            yield m.MEAN, f"it is {name} times too small: a sum, not a mean over {name}{also}", small
    for right, wrong in permutations(dims, 2):
        values = [p.number(right) / p.number(wrong) for p in points]
        yield m.MEAN, f"it is divided by {dim_text(wrong)}, where {dim_text(right)} belongs", values


_NUMBERS = (
    (-1.0, m.SIGN, "the sign is wrong"),
    (2.0, m.CONSTANT, "it is twice the right one: the 1/2 that cancels the 2 of a square"),
    (0.5, m.CONSTANT, "it is half of the right one: the 2 of a square, or a 1/2 that has cancelled already"),
    (-2.0, m.CONSTANT, "it is -2 times the right one: the sign, and the 1/2 that cancels the 2 of a square"),
    (-0.5, m.CONSTANT, "it is -1/2 times the right one: the sign, and the 2 of a square"),
)


def _plain_number(found: Sequence[float]) -> Finding | None:
    """A constant that is the same everywhere but is none of the usual ones."""
    first = next(c for c in found if not np.isnan(c))
    if not close_numbers(found, [first] * len(found)):
        return None
    fraction = Fraction(first).limit_denominator(SMALL)
    exact = abs(float(fraction) - first) <= 1e-9 * abs(first)
    if exact and fraction > 0 and 1 in (fraction.numerator, fraction.denominator):
        missing = fraction.numerator == 1
        words = f"the factor {fraction.denominator} is missing" if missing else f"there is a factor {fraction} too many"
        return Finding(m.CONSTANT, words)
    text = str(sp.Rational(fraction.numerator, fraction.denominator)) if exact else f"{first:.6g}"
    return Finding(m.CONSTANT, f"it is {text} times the right one")


# -- the person's factors against those of the chain


@dataclass(frozen=True, eq=False)
class Factor:
    """A factor and its value at every point."""

    text: str
    values: tuple[float, ...]
    name: str = ""


Group = tuple[Factor, ...]


def misfit(
    reference: Reference, points: Sequence[Point], target: Node, given: Sequence[tuple[Node, bool]]
) -> Finding | None:
    """Which factor is wrong, when all others have their place. ``given`` are (row, whether it divides)."""
    right = chain_factors(reference, points, target)
    if right is None or not given or len(given) > MAX_FACTORS or any(row.shape for row, _ in given):
        return None
    mine, rest = _leftover([_given(reference, points, *factor) for factor in given], right)
    return None if len(rest) == len(right) > 1 else _blame(mine, rest)


def _given(reference: Reference, points: Sequence[Point], row: Node, divides: bool) -> Factor:
    text, values = reference.text(row), [float(p.value(row)) for p in points]
    if not divides:
        return Factor(text, tuple(values))
    with np.errstate(all="ignore"):
        return Factor(f"1/({text})", tuple([float(np.divide(1.0, v)) for v in values]))


def chain_factors(reference: Reference, points: Sequence[Point], target: Node) -> list[Factor] | None:
    """The local derivatives from the results down to ``target``, those that are 1 left out; None where paths branch."""
    rows = reference.downstream(target)
    if any(r.shape for r in rows) or any(len(reference.parts.get(r.id, ())) != 1 for r in rows):
        return None
    edges = list(reference.chain(target))
    if not edges or len(edges) > MAX_FACTORS or any(e.consumer.form is None for e in edges):
        return None
    sweeps = [NumericSweep(reference, p, target) for p in points]
    factors = []
    for edge in edges:
        text = reference.written(edge.consumer.attr.partial(edge.index), edge.consumer.args, edge.consumer)
        values = tuple([float(s.local(edge)) for s in sweeps])
        factors.append(Factor(text, values, reference.local_name(edge, target)))
    seed = [p.value for p in reference.parts[rows[0].id]]
    factors += [Factor(reference.name(s), tuple([float(p.value(s)) for p in points]), "upstream") for s in seed]
    return [x for x in factors if not close_numbers(x.values, [1.0] * len(points))]


def _leftover(mine: Sequence[Factor], right: Sequence[Factor]) -> tuple[Sequence[Factor], Sequence[Factor]]:
    """What remains on both sides when equal groups are struck out, single factors first."""
    while (pair := next(_equal_groups(mine, right), None)) is not None:
        mine = [x for x in mine if x not in pair[0]]
        right = [x for x in right if x not in pair[1]]
    return mine, right


def _equal_groups(mine: Sequence[Factor], right: Sequence[Factor]) -> Iterator[tuple[Group, Group]]:
    for a, b in [(1, k) for k in range(1, len(right) + 1)] + [(k, 1) for k in (2, 3)]:
        for left in combinations(mine, a):
            for other in combinations(right, b):
                if close_numbers(_product(left), _product(other)):
                    yield left, other


def _product(group: Sequence[Factor]) -> list[float]:
    return [float(x) for x in np.prod([x.values for x in group], axis=0)]


def _blame(mine: Sequence[Factor], right: Sequence[Factor]) -> Finding | None:
    """The sentence for what is left over."""
    if not mine and not right:
        return None
    names = ", ".join(dict.fromkeys(x.name for x in right))
    shown, wanted = m.clipped(_text(mine)), m.clipped(_text(right))
    if not mine:
        return Finding(m.MISSING_FACTOR, f"the factor {names} = {wanted} is missing", names, wanted)
    if not right:
        return _too_many(mine, shown)
    for number, kind, words in _SLIPPED:
        if close_numbers(_product(mine), [number * x for x in _product(right)]):
            says = f"{words.format(f'your factor {shown}')}: {names} = {wanted}"
            return Finding(kind, says, names, wanted, shown)
    return Finding(m.WRONG_FACTOR, f"your factor {shown} stands where {names} = {wanted} belongs", names, wanted, shown)


_SLIPPED = (
    (-1.0, m.SIGN, "the sign of {0} is wrong"),
    (2.0, m.CONSTANT, "{0} has a factor 2 too many"),
    (0.5, m.CONSTANT, "{0} lacks a factor 2"),
)


def _too_many(mine: Sequence[Factor], shown: str) -> Finding:
    product = _product(mine)
    if close_numbers(product, [-1.0] * len(product)):
        return Finding(m.SIGN, "there is a minus too many", "", "", shown)
    kind = m.CONSTANT if close_numbers(product, [product[0]] * len(product)) else m.EXTRA_FACTOR
    return Finding(kind, f"your factor {shown} does not belong there", "", "", shown)


def _text(group: Sequence[Factor]) -> str:
    """The factors as one product."""
    if len(group) < 2:
        return "".join(x.text for x in group)
    return " * ".join(bracketed(x.text) for x in group)
