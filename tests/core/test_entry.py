"""What every record says of an entry of its result, summed up by brute force: values are those of ``reference``,
Jacobian entries its slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop import Model, derive
from symbackprop.core import facts
from symbackprop.core.entry import RESULT, At, Digit, Indices, Letter, Place, Term, Terms, jacobian
from symbackprop.core.ops.elementwise import evaluate_expr
from symbackprop.core.registry import OPS, Op, Sample
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy
from tests.core.helpers import close, in_sympy, moving

ARRAYS = [op for op in OPS.values() if not op.is_leaf and not op.no_entry]
CASES = [pytest.param(op, s, id=f"{op.name}-{i}") for op in ARRAYS for i, s in enumerate(op.samples)]
Where = Mapping[Letter, int]


def value_of(index: Any, at: Where, arrays: Mapping[int, Any]) -> float:
    """The number that an index, or an entry, is; 0 outside an array."""
    match index:
        case Letter():
            return at[index]
        case Place():
            return float(sum(k * at[x] for k, x in index.terms) + index.offset)
        case Digit():
            whole = value_of(index.index, at, arrays) // int(index.below)
            return whole if index.size is None else whole % int(index.size)
        case At():
            places = [value_of(i, at, arrays) for i in index.index]
            a = arrays[index.place]
            inside = all(i == int(i) and 0 <= i < d for i, d in zip(places, a.shape, strict=True))
            return float(a[tuple(int(i) for i in places)]) if inside else 0.0
    return float(index)


def total(terms: Terms, at: Where, arrays: Mapping[int, Any]) -> float:
    return sum(_term(t, dict(at), arrays) for t in terms)


def _term(t: Term, at: dict[Letter, int], arrays: Mapping[int, Any]) -> float:
    expr, found = to_sympy(t.form), 0.0
    for places in product(*[range(int(x.size)) for x in t.summed]):
        at |= dict(zip(t.summed, places, strict=True))
        if all(value_of(a, at, arrays) == value_of(b, at, arrays) for a, b in t.ties):
            values = [value_of(x, at, arrays) for x in t.entries]
            found += float(evaluate_expr(np, expr, dict(zip(PLACEHOLDERS, values, strict=False))))
    return found


class Case:
    """A sample in numbers: its arrays, its value and letters for the axes of both."""

    def __init__(self, op: Op, sample: Sample) -> None:
        rng = np.random.default_rng(3)
        self.op, self.sample = op, sample
        self.arrays = [rng.integers(0, sample.below[i], s) if i in sample.below else rng.normal(size=s)
                       for i, s in enumerate(sample.shapes)]
        self.value = np.asarray(op.reference(np, sample.attr, *self.arrays))
        self.out = axes(self.value.shape)
        self.shapes = [tuple(map(sp.Integer, s)) for s in sample.shapes]
        self.attr = in_sympy(sample.attr)
        self.given = dict(enumerate(self.arrays)) | {RESULT: self.value}

    def at(self, letters: Indices, place: Sequence[int]) -> dict[Letter, int]:
        return dict(zip(letters, place, strict=True))  # type: ignore[arg-type]

    def slopes(self, i: int, wanted: Indices) -> Terms:
        if self.op.jacobian is not None:
            return self.op.jacobian(self.attr, self.shapes, self.out, wanted)
        assert self.op.entry is not None
        return jacobian(self.op.entry(self.attr, self.shapes, self.out), i, wanted, self.out)


def axes(shape: Sequence[int]) -> Indices:
    return tuple(Letter(sp.Integer(d)) for d in shape)


@pytest.mark.parametrize(("op", "sample"), [c for c in CASES if c.values[0].entry is not None])
def test_the_entry_form_is_the_reference(op: Op, sample: Sample) -> None:
    case = Case(op, sample)
    terms = op.entry(case.attr, case.shapes, case.out)  # type: ignore[misc]
    found = np.zeros(case.value.shape)
    for place in _some(case.value.shape, terms):
        found[place] = total(terms, case.at(case.out, place), case.given)
        close(found[place], case.value[place], 1e-9)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_jacobian_entries_are_slopes(op: Op, sample: Sample) -> None:
    case = Case(op, sample)
    for i, a in enumerate(case.arrays):
        if i in sample.below or (i and op.jacobian is not None):  # which is that of the first argument
            continue
        wanted = axes(a.shape)
        terms = case.slopes(i, wanted)
        for place in _some(a.shape, terms, 6):
            slope = _slope(case, i, place)
            for k in _some(case.value.shape, terms, 24):
                at = case.at(case.out, k) | case.at(wanted, place)
                close(total(terms, at, case.given), slope[k], 1e-7)


@pytest.mark.parametrize(("op", "sample"), [c for c in CASES if c.values[0].folded is not None])
def test_what_an_entry_is_folded_from_gives_the_reference(op: Op, sample: Sample) -> None:
    case = Case(op, sample)
    whole = op.folded(case.attr, case.shapes, case.out)  # type: ignore[misc]
    for place in np.ndindex(*case.value.shape):
        at = case.at(case.out, place)
        given = [*[value_of(x, at, case.given) for x in whole.entries], total([whole.inner], at, case.given)]
        value = evaluate_expr(np, to_sympy(whole.form), dict(zip(PLACEHOLDERS, given, strict=False)))
        close(float(value), case.value[place], 1e-9)


def _slope(case: Case, i: int, place: tuple[int, ...], h: float = 1e-4) -> Any:
    values, value = [], moving(case.op, case.sample.attr, *case.arrays)
    for step in (h, -h, 2 * h, -2 * h):
        arrays = [a.copy() for a in case.arrays]
        arrays[i][place] += step
        values.append(np.asarray(value(*arrays)))
    return (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * h)  # off by a multiple of h⁴


def _some(shape: tuple[int, ...], terms: Terms, most: int = 200) -> list[tuple[int, ...]]:
    """All places, or as many as can be summed up in a moment."""
    work = max([1, *[prod(int(x.size) for x in t.summed) for t in terms]])
    places = list(np.ndindex(*shape))
    return places[:: max(1, len(places) // max(2, min(most, 4000 // work)))]


@pytest.mark.parametrize("formula", ["x[0]^2", "sum(reshape(x, (1, N, 1))^2)", "sum(x[None]^2)", "(x[:1] @ x[1:2])^2"])
def test_the_kind_of_entries_is_known_whatever_is_asked_first(formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_KINDS", {})
    assert derive(Model.parse(f"dim N\nparam x: N\nloss L = {formula}")).gradients["x"].shape
