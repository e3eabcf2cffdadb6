"""Calls tried with arrays of one size or another: what shapes they take, and which sizes only where they are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, combinations

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import DimLike
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.text import tree
from symbackprop.model.text.evaluate import Evaluator
from symbackprop.model.text.scope import ModelScope

_MOST_SIZES = 8  # of which it is tried which are equal
Size = str | int
Shape = list[Size]


def least_equal(expr: tree.Call, shapes: Sequence[Shape], ends: Sequence[str]) -> dict[str, str] | None:
    """Which sizes a call takes only where they are equal, each with the first that it is equal to: found by taking one
    or two at a time apart from the others. None where it takes no such arrays."""

    def taken(equal: Mapping[str, str]) -> bool:
        return of_odd(expr, shapes, odd_sizes(ends, equal)) is not None and _takes_symbols(expr, shapes, equal)

    alone = {s: s for s in ends}
    if taken(alone):
        return alone
    equal = dict.fromkeys(ends, ends[0]) if ends else {}
    if len(ends) > _MOST_SIZES or not taken(equal):
        return equal if of_odd(expr, shapes, odd_sizes(ends, equal)) is not None else None
    for some in chain(combinations(ends, 1), combinations(ends, 2)):
        apart = equal | dict.fromkeys(some, some[0])
        free = len({equal[s] for s in some}) == 1 and [*equal.values()].count(equal[some[0]]) > len(some)
        if free and taken(_by_first(apart)):
            equal = _by_first(apart)
    return equal


def _by_first(equal: Mapping[str, str]) -> dict[str, str]:
    """The same with the first of those that are equal for each."""
    firsts: dict[str, str] = {}
    return {s: firsts.setdefault(other, s) for s, other in equal.items()}


def is_by_entry(expr: tree.Call) -> bool:
    """Whether a function combines its arguments entry by entry: of arrays of one shape it makes one of that."""
    shapes: list[Shape] = [[11], [11, 13]]
    return all(of_odd(expr, [shape] * len(expr.args), {}) == shape for shape in shapes)


def odd_sizes(ends: Sequence[str], equal: Mapping[str, str]) -> dict[Size, int]:
    """A number for each size, the same for those that are equal."""
    return {s: 11 + 2 * ends.index(first) for s, first in equal.items()}


def of_odd(expr: tree.Call, shapes: Sequence[Shape], odd: Mapping[Size, int]) -> list[int] | None:
    """The shape of a call on arrays of these sizes; None where it takes none such."""
    row = _tried(Model(), expr, shapes, odd)
    return None if row is None else [int(s) for s in row.shape]


def _takes_symbols(expr: tree.Call, shapes: Sequence[Shape], equal: Mapping[str, str]) -> bool:
    """Whether a call takes arrays of sizes of which nothing is known: a trace asks which is the smaller one."""
    trial = Model()
    dims = {first: trial.dim(f"s{k}") for k, first in enumerate(dict.fromkeys(equal.values()))}
    return _tried(trial, expr, shapes, {s: dims[first] for s, first in equal.items()}) is not None


def _tried(trial: Model, expr: tree.Call, shapes: Sequence[Shape], sizes: Mapping[Size, DimLike]) -> Node | None:
    args = list[tree.Expr]()
    written: dict[str, tree.Expr] = {str(end): tree.Name(str(s)) if isinstance(s, sp.Symbol) else
                                     tree.Number(sp.Integer(s)) for end, s in sizes.items()}
    for k, (arg, shape) in enumerate(zip(expr.args, shapes, strict=True)):
        if shape:
            trial.data(f"a{k}", tuple([sizes.get(size, size) for size in shape]))
        args.append(tree.Name(f"a{k}") if shape else tree.put(arg, written))
    try:
        return Evaluator(ModelScope(trial)).row(tree.Call(expr.function, tuple(args), expr.options))
    except ModelError:
        return None
