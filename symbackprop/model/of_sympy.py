"""A model of a SymPy expression alone: what its symbols are, and which of them are data, is guessed and told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from symbackprop.core.bridge import RowSymbol
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.names import data_among
from symbackprop.model.text import declarations


def of_expression(expr: Any) -> Model:
    """The model whose loss, or output where it has axes, the expression is; ``Eq(L, …)`` gives it a name. Symbols are
    numbers, a `MatrixSymbol` or an `IndexedBase` is an array, symbols in shapes and bounds are sizes. Raises a
    `ModelError` for what no row computes and for rows of another model."""
    if expr.atoms(RowSymbol):
        raise ModelError("an expression of a model's rows belongs to that model: give it to its loss(…) or output(…)")
    name, value = (str(expr.lhs), expr.rhs) if isinstance(expr, sp.Equality) else ("", expr)
    shapes = _shapes(value)
    sizes = {s for shape in shapes.values() for n in shape for s in sp.sympify(n).free_symbols}
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
    name = name or next(n for n in ("LJ" if not row.shape else "YZ") if n not in shapes | dims)
    (model.output if row.shape else model.loss)(name, row)
    model.remark(f"guessed: {', '.join(declarations(model)) or 'nothing has to be declared'}", first=True)
    return model


def _shapes(expr: Any) -> dict[str, Sequence[Any]]:
    """The shapes of what has axes; a matrix of one column is an array of one axis."""
    found = {m.name: [n for n in m.shape if n != 1] if 1 in m.shape else m.shape for m in expr.atoms(sp.MatrixSymbol)}
    entries: dict[Any, list[Any]] = {}
    for entry in sorted(expr.atoms(sp.Indexed), key=sp.default_sort_key):
        entries.setdefault(entry.base, []).append(entry.indices)
    bounds = {s: (first, last) for part in expr.atoms(sp.Sum, sp.Product) for s, first, last in part.limits}
    for base, indices in entries.items():
        found[base.label.name] = base.shape or [_size(places, bounds) for places in zip(*indices, strict=False)]
    return found


def _size(indices: Collection[Any], bounds: dict[Any, tuple[Any, Any]]) -> Any:
    """How long an axis has to be for these indices; letters that begin at 1 count from there."""
    found = list(_needed(indices, bounds))
    return next(n for n in found if all((n - other).is_nonnegative is not False for other in found))


def _needed(indices: Collection[Any], bounds: dict[Any, tuple[Any, Any]]) -> Iterator[Any]:
    from_one = not any(index.subs({s: first for s, (first, _) in bounds.items()}) == 0 for index in indices)
    for index in indices:
        yield sp.expand(index.subs({s: last for s, (_, last) in bounds.items()}) + (0 if from_one else 1))
