"""Gradients that are the right one times a constant: the sign, a 2, the 1/N of a mean, a named constant; or times an
array of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import bracketed, dim_text
from symbackprop.grade import mistakes as m
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference
from symbackprop.own.compare import Pair

ANY = "any number"
SAME_FACTOR = 2e-4
Usual = Iterator[tuple[str, str, list[float]]]


def multiple(reference: Reference, points: Sequence[Point], pairs: Sequence[Pair], values: Sequence[Array],
             steps: Mapping[str, int]) -> Finding | None:
    """Which constant the returned gradients are of ``values``; the factor of one without a meaning is `ANY`. ``steps``
    are the sizes that are written out."""
    factors = [ratio(p, v) for p, v in zip(pairs, values, strict=True)]
    known = [c for c in factors if c is not None]
    off = min(SAME_FACTOR, 10 * max(p.tolerance for p in pairs))
    if len(known) < len(factors) or all(np.isnan(c) for c in known) or _equal(known, [1.0] * len(known), off):
        return None
    for kind, says, usual in _usual(reference, points, steps):
        if _equal(known, usual, off):
            also = [x for _, x, constant in _constants(reference, points) if _equal(known, constant, off) and x != says]
            return Finding(kind, " or ".join([says.partition(":")[0], *also]) if also else says)
    first = next(c for c in known if not np.isnan(c))
    return Finding(m.CONSTANT, _number(first), ANY) if _equal(known, [first] * len(known), off) else None


def rows_lost_or_twice(reference: Reference) -> Iterator[tuple[str, str, Node, int]]:
    """(kind, words, a row, the power of it that is then there too much) of every array that may multiply all of
    a gradient: what stands in front of all its terms, as the 1/s of a normalisation, is lost or there twice."""
    rows = [r for r in reference.order if r.kind == FLOAT and r.value is None]
    for row in sorted(rows, key=lambda r: not reference.is_named(r)):
        power = -1 if any(_divides(r, row) for r in reference.order) else 1
        name = reference.name(row) if row.head else bracketed(reference.name(row))
        text = f"1/{name}" if power < 0 else name
        yield m.MISSING_FACTOR, f"the factor {text} is missing in all of it", row, -power
        yield m.EXTRA_FACTOR, f"the factor {text} is there once too often in all of it", row, power


def _number(factor: float) -> str:
    for turned, words in ((factor, "the factor 1/{} is missing"), (1 / factor, "a factor 1/{} is there too often")):
        if abs(turned - round(turned)) <= SAME_FACTOR and 2 < turned < 1000:
            return f"{words.format(round(turned))}: it is {factor:.6g} times the right one"
    return f"it is {factor:.6g} times the right one"


def ratio(pair: Pair, value: Array) -> float | None:
    """The c with given = c·value; nan where both are zero and any would do."""
    value = np.asarray(value)
    if value.shape != pair.given.shape or not (np.all(np.isfinite(pair.given)) and np.all(np.isfinite(value))):
        return None
    norm = float(np.sum(value * value))
    if norm == 0:
        return float("nan") if not np.any(pair.given) else None
    c = float(np.sum(pair.given * value)) / norm
    scale = max(float(np.max(np.abs(c * value), initial=0.0)), 1e-300)
    return c if c != 0 and np.max(np.abs(pair.given - c * value), initial=0.0) <= pair.tolerance * scale else None


def _equal(a: Sequence[float], b: Sequence[float], off: float) -> bool:
    return all(np.isnan(x) or np.isnan(y) or abs(x - y) <= off * abs(y) for x, y in zip(a, b, strict=True))


def _usual(reference: Reference, points: Sequence[Point], steps: Mapping[str, int]) -> Usual:
    """(kind, words, what it multiplies the gradient with at every point), likelier first."""
    for kind, says, number in _NUMBERS:
        yield kind, says, [number] * len(points)
    yield from _means(_sizes(reference, points, steps))
    yield from _roots(reference, points)
    yield from _constants(reference, points)


def _constants(reference: Reference, points: Sequence[Point]) -> Usual:
    """The named constants and their squares, 1/τ for one that the model divides by."""
    for power, (name, row) in product((1, 2), reference.model.constants.items()):
        divided = power == 1 and any(_divides(r, row) for r in reference.order)
        values = [float(point.value(row)) ** power for point in points]
        text = f"1/{name}" if divided else name if power == 1 else f"{name}**{power}"
        if all(values):
            inverse = [1 / value for value in values]
            yield m.MISSING_FACTOR, f"the factor {text} is missing", values if divided else inverse
            yield m.EXTRA_FACTOR, f"the factor {text} is there once too often", inverse if divided else values


def _divides(row: Node, other: Node) -> bool:
    """Whether a row is something divided by another."""
    match row.form:
        case f.Div(_, f.Arg(place)):
            return row.args[place] is other
    return False


_NUMBERS = (
    (m.SIGN, "the sign is wrong", -1.0),
    (m.CONSTANT, "the factor 1/2 is missing, or a 2 is there once too often: it is twice the right one", 2.0),
    (m.CONSTANT, "the factor 2 is missing, or a 1/2 is there once too often: it is half of the right one", 0.5),
)


def _sizes(reference: Reference, points: Sequence[Point], steps: Mapping[str, int]
           ) -> Iterator[tuple[str, list[float]]]:
    """What means divide by, as a text and as numbers: sizes, steps of a loop, and both together."""
    sizes = [(d, [p.number(d) for p in points]) for d in reference.lengths if d.free_symbols]
    yield from ((bracketed(dim_text(d)), values) for d, values in sizes)
    for name, count in steps.items():
        yield name, [float(count)] * len(points)
        yield from ((bracketed(dim_text(sp.Symbol(name) * d)), [count * v for v in values]) for d, values in sizes)


def _means(sizes: Iterator[tuple[str, list[float]]]) -> Usual:
    for text, values in sizes:
        yield m.MEAN, f"the factor 1/{text} is missing: it is {text} times too large, a sum and not a mean", values
        small = f"the factor 1/{text} is there once too often: it is {text} times too small, a mean and not a sum"
        yield m.MEAN, small, [1 / v for v in values]


def _roots(reference: Reference, points: Sequence[Point]) -> Usual:
    for d in reference.dimensions:
        values, text = [p.number(d) for p in points], bracketed(dim_text(d))
        yield m.MISSING_FACTOR, f"the factor 1/sqrt({text}) is missing", [v**0.5 for v in values]
        yield m.EXTRA_FACTOR, f"the factor 1/sqrt({text}) is there once too often", [v**-0.5 for v in values]
