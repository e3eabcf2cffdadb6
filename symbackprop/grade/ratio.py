"""Answers that are a multiple of the right one: what the factor is, and whose fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import sympy as sp

from symbackprop.core.shapes import dim_text
from symbackprop.grade import mistakes as m
from symbackprop.grade.branches import dimensions
from symbackprop.grade.compare import ROUNDED, close_numbers, factors_between
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference

SMALL = 64


def constant_finding(
    reference: Reference, points: Sequence[Point], pairs: Sequence[tuple[Array, Array]]
) -> Finding | None:
    """The mistake of an answer that is a constant times the right one."""
    usual = usual_finding(reference, points, pairs)
    if usual is not None:
        return usual
    found = factors_between(pairs)
    return None if found is None or all(abs(c - 1) <= ROUNDED for c in found) else _plain_number(found)


def usual_finding(
    reference: Reference, points: Sequence[Point], pairs: Sequence[tuple[Array, Array]]
) -> Finding | None:
    """The same for the constants that people get wrong: a sign, a 2, a size, a named constant."""
    found = factors_between(pairs)
    if found is None:
        return None
    sizes = [p.sizes for p in points]
    for kind, words, values in _candidates(reference, sizes):
        if close_numbers(found, values):
            return Finding(kind, words)
    return None


def _candidates(reference: Reference, sizes: Sequence[Mapping[str, int]]) -> Iterator[tuple[str, str, list[float]]]:
    """(kind, words, value at every point), likelier first."""
    for number, kind, words in _NUMBERS[:-1]:
        yield kind, words, [number] * len(sizes)
    dims = dimensions(reference)
    products = [*dims, *[a * b for a, b in combinations_with_replacement(dims, 2)]]
    for d in products:
        values = [float(d.subs({s: k[s.name] for s in d.free_symbols})) for k in sizes]
        name = dim_text(d)
        for number, _, also in _NUMBERS[-1:] + _NUMBERS[:-1]:
            tail = "" if number == 1 else f", and {also}"
            yield (
                m.MEAN,
                f"it is {name} times too large: the mean divides by {name}{tail}",
                [number * v for v in values],
            )
            yield (
                m.MEAN,
                f"it is {name} times too small: a sum, not a mean over {name}{tail}",
                [number / v for v in values],
            )
    for name, row in reference.model.constants.items():
        value = float(row.attr.value)
        if value:
            yield m.MISSING_FACTOR, f"the factor {name} is missing", [1 / value] * len(sizes)
            yield m.EXTRA_FACTOR, f"the factor {name} is there once too often", [value] * len(sizes)


_NUMBERS = (
    (-1.0, m.SIGN, "the sign is wrong"),
    (2.0, m.CONSTANT, "it is twice the right one: the 1/2 that cancels the 2 of a square"),
    (0.5, m.CONSTANT, "it is half of the right one: the 2 of a square, or a 1/2 that has cancelled already"),
    (-2.0, m.CONSTANT, "it is -2 times the right one: the sign, and the 1/2 that cancels the 2 of a square"),
    (-0.5, m.CONSTANT, "it is -1/2 times the right one: the sign, and the 2 of a square"),
    (1.0, "", ""),
)


def _plain_number(found: Sequence[float]) -> Finding | None:
    """A constant that is the same everywhere but is none of the usual ones."""
    known = [c for c in found if not np.isnan(c)]
    if not close_numbers(known, [known[0]] * len(known)):
        return None
    fraction = Fraction(known[0]).limit_denominator(SMALL)
    exact = abs(float(fraction) - known[0]) <= 1e-9 * abs(known[0])
    if exact and fraction > 0 and 1 in (fraction.numerator, fraction.denominator):
        missing = fraction.numerator == 1
        words = f"the factor {fraction.denominator} is missing" if missing else f"there is a factor {fraction} too many"
        return Finding(m.CONSTANT, words)
    text = str(sp.Rational(fraction.numerator, fraction.denominator)) if exact else f"{known[0]:.6g}"
    return Finding(m.CONSTANT, f"it is {text} times the right one")
