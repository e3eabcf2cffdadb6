"""Calls tried with arrays of one size or another: what shapes they take, and which sizes only where they are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations, product

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import DimLike, as_dim
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.text import tree
from symbackprop.model.text.evaluate import Evaluator
from symbackprop.model.text.scope import ModelScope
from symbackprop.model.text.sizes import is_fixed

_MOST_SIZES = 8  # of which it is tried which are equal
_MOST_AXES = 3  # beyond those that an array has
_ODD = 11
Tried = tree.Call | tree.Index  # a call, or one of several results of it
Shapes = Sequence[Sequence[sp.Expr]]  # of the arguments, in symbols for sizes


def least_equal(expr: Tried, shapes: Shapes, ends: Sequence[str]) -> dict[str, str] | None:
    """Which sizes a call takes only where they are equal, each with the first that it is equal to: found by taking one
    or two at a time apart from the others. None where it takes no such arrays."""

    def taken(equal: Mapping[str, str]) -> bool:
        return _of_symbols(expr, shapes, equal) is not None

    alone = {s: s for s in ends}
    if taken(alone):
        return alone
    equal = dict.fromkeys(ends, ends[0]) if ends else {}
    if len(ends) > _MOST_SIZES or not taken(equal):
        return next((sizes for sizes in (alone, equal) if _of_odd(expr, shapes, _odd_sizes(sizes)) is not None), None)
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


def with_number(expr: Tried, shapes: Shapes, ends: Sequence[str]) -> tuple[int, str] | None:
    """A number among the sizes and the size that has to be that so that a call takes them, as channels of images have
    to be those of a kernel; None where that is not all."""
    numbers = dict.fromkeys(int(size) for size in chain(*shapes) if size.is_Integer)
    for number, end in product(numbers, [s for s in ends if not is_fixed(s)]):
        given, rest = {sp.Symbol(end): sp.Integer(number)}, [s for s in ends if s != end]
        if least_equal(expr, [[size.xreplace(given) for size in shape] for shape in shapes], rest) is not None:
            return number, end
    return None


def shape_of(expr: Tried, shapes: Shapes, equal: Mapping[str, str]) -> Sequence[sp.Expr | None]:
    """The shape of a call on arrays of which some sizes are equal; None for a size of it that is not found."""
    found = _of_symbols(expr, shapes, equal)
    if found is not None:
        return found
    odd = _odd_sizes(equal)
    some, others = (_of_odd(expr, shapes, sizes) or () for sizes in (odd, {s: 3 * size for s, size in odd.items()}))
    back = {size: sp.Symbol(s) for s, size in odd.items()}
    return [back.get(a, sp.Integer(a) if a == b else None) for a, b in zip(some, others, strict=True)]


def least_rank(expr: tree.Call, count: int, shapes: Shapes) -> int:
    """The fewest axes that the first arguments need so that a call takes them, more than one of them has; 0 where it
    takes none."""
    given, rest = [*map(len, shapes[:count])], shapes[count:]
    odd = {s.name: _ODD for size in chain(*shapes) for s in size.free_symbols}
    ranks = range(max(*given, min(given) + 1), max(given) + _MOST_AXES) if given else ()
    return next((k for k in ranks if _of_odd(expr, [*[[sp.Integer(_ODD)] * k] * count, *rest], odd) is not None), 0)


def is_by_entry(expr: tree.Call) -> bool:
    """Whether a function combines its arguments entry by entry: of arrays of one shape it makes one of that."""
    shapes = [[11], [11, 13]]
    return all(_of_odd(expr, [[*map(sp.Integer, shape)]] * len(expr.args), {}) == shape for shape in shapes)


def _odd_sizes(equal: Mapping[str, str]) -> dict[str, int]:
    """A number for each size, the same for those that are equal."""
    names = [*dict.fromkeys(equal.values())]
    return {s: _ODD + 2 * names.index(first) for s, first in equal.items()}


def _of_odd(expr: Tried, shapes: Shapes, odd: Mapping[str, int]) -> list[int] | None:
    """The shape of a call on arrays of these sizes; None where it takes none such."""
    row = _tried(Model(), expr, shapes, odd)
    return None if row is None else [int(s) for s in row.shape]


def _of_symbols(expr: Tried, shapes: Shapes, equal: Mapping[str, str]) -> list[sp.Expr] | None:
    """The shape of a call on arrays of sizes of which nothing is known; None where it takes none such: a trace asks
    which is the smaller one."""
    trial = Model()
    dims = {first: trial.dim(f"s{k}") for k, first in enumerate(dict.fromkeys(equal.values()))}
    row = _tried(trial, expr, shapes, {s: dims[first] for s, first in equal.items()})
    back = {dim: sp.Symbol(first) for first, dim in dims.items()}
    return None if row is None else [as_dim(size).xreplace(back) for size in row.shape]


def _tried(trial: Model, expr: Tried, shapes: Shapes, sizes: Mapping[str, DimLike]) -> Node | None:
    args = list[tree.Expr]()
    values = {sp.Symbol(name): as_dim(size) for name, size in sizes.items()}
    written: dict[str, tree.Expr] = {name: tree.Name(str(size)) if isinstance(size, sp.Symbol) else
                                     tree.Number(sp.Integer(size)) for name, size in sizes.items()}
    of = expr.base if isinstance(expr, tree.Index) else expr
    assert isinstance(of, tree.Call)
    for k, (arg, shape) in enumerate(zip(of.args, shapes, strict=True)):
        if shape:
            trial.data(f"a{k}", tuple([size.xreplace(values) for size in shape]))
        args.append(tree.Name(f"a{k}") if shape else tree.put(arg, written))
    call = tree.Call(of.function, tuple(args), of.options)
    try:
        return Evaluator(ModelScope(trial)).row(replace(expr, base=call) if isinstance(expr, tree.Index) else call)
    except ModelError:
        return None
