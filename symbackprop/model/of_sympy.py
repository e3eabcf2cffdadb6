"""A model of a SymPy expression alone: what its symbols are, and which of them are data, is guessed and told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from symbackprop.core.bridge import RowSymbol
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.names import data_among, result_name
from symbackprop.model.text import declarations


def of_expression(expr: Any) -> Model:
    """The model whose loss, or output where it has axes, the expression is; ``Eq(L, …)`` gives it a name. Symbols are
    numbers, a `MatrixSymbol` or an `IndexedBase` is an array, symbols in shapes and bounds are sizes. Raises a
    `ModelError` for what no row computes and for rows of another model."""
    if expr.atoms(RowSymbol):
        raise ModelError("an expression of a model's rows belongs to that model: give it to its loss(…) or output(…)")
    name, value = (str(expr.lhs), expr.rhs) if isinstance(expr, sp.Equality) else ("", expr)
    value = value.as_immutable() if isinstance(value, sp.MatrixBase) else value
    shapes = _shapes(value)
    sizes = {s for shape in shapes.values() for n in shape for s in sp.sympify(n).free_symbols} | _in_bounds(value)
    scalars = [s for s in value.free_symbols if type(s) is sp.Symbol and s not in sizes]
    shapes |= {s.name: () for s in scalars if s.name not in shapes}
    model = Model("expression")
    dims = {s.name: model.dims([s.name])[0] for s in sorted(sizes, key=str)}
    for function in sorted({call.func.__name__ for call in value.atoms(AppliedUndef)}):
        model.function(function)
    data = data_among(sorted(shapes), {s.name for s in scalars if s.is_integer})
    for leaf in sorted(shapes, key=lambda leaf: (leaf not in data, leaf)):
        shape = [sp.sympify(n).subs({s: dims[s.name] for s in sizes}) for n in shapes[leaf]]
        (model.data if leaf in data else model.param)(leaf, shape)
    row = model.graph.lift(value)
    (model.output if row.shape else model.loss)(name or result_name(shapes | dims, bool(row.shape)), row)
    model.remark(f"guessed: {', '.join(declarations(model)) or 'nothing has to be declared'}", first=True)
    return model


def _shapes(expr: Any) -> dict[str, Sequence[Any]]:
    """The shapes of what has axes; a matrix of one column is an array of one axis."""
    found = {m.name: [n for n in m.shape if n != 1] if 1 in m.shape else m.shape for m in expr.atoms(sp.MatrixSymbol)}
    shapes = [part.shape or () for part in expr.atoms(sp.IndexedBase, sp.MatrixSymbol)]
    known = sp.Tuple(*shapes).free_symbols | _in_bounds(expr)
    entries: dict[Any, list[Any]] = {}
    for entry, ends in sorted(_entries(expr), key=lambda found: sp.default_sort_key(found[0])):
        others = sp.Tuple(*entry.indices).free_symbols - known - ends[0].keys()
        if others:
            raise ModelError(f"{entry}: {min(map(str, others))} is no letter of a sum around it and no size")
        entries.setdefault(entry.base, []).append([tuple(i.subs(end) for end in ends) for i in entry.indices])
    for base, indices in entries.items():
        found[base.label.name] = base.shape or [_size(places) for places in zip(*indices, strict=False)]
    return found


def _in_bounds(expr: Any) -> set[Any]:
    """What the sums and products of an expression run to."""
    limits = [limit for part in expr.atoms(sp.Sum, sp.Product) for limit in part.limits]
    return {s for _, *ends in limits for end in ends for s in end.free_symbols} - {letter for letter, *_ in limits}


def _entries(expr: Any) -> Iterator[tuple[Any, Sequence[dict[Any, Any]]]]:
    """The entries ``X[i, j]``, each with the first and the last values of the letters of the sums around it."""
    left: list[tuple[Any, Sequence[dict[Any, Any]]]] = [(expr, ({}, {}))]
    while left:
        part, ends = left.pop()
        if isinstance(part, sp.Indexed):
            yield part, ends
        elif isinstance(part, (sp.Sum, sp.Product)):
            ends = [end | {limit[0]: limit[k] for limit in part.limits} for k, end in enumerate(ends, 1)]
        left += [(inner, ends) for inner in part.args]


def _size(indices: Collection[tuple[Any, Any]]) -> Any:
    """How long an axis has to be for what its indices begin and end with; letters that begin at 1 count from there."""
    from_one = all(first != 0 for first, _ in indices) and any(first != last for first, last in indices)
    found = sorted({sp.expand(last + (0 if from_one else 1)) for _, last in indices},
                   key=lambda n: (not n.free_symbols, sp.default_sort_key(n)))
    return next(n for n in found if all(sp.posify(n - other)[0].is_nonnegative is not False for other in found))
