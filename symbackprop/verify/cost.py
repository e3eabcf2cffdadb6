"""How much memory and time the arrays of rows take, told before any of them is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

from symbackprop.core.graph import Node, label
from symbackprop.core.loops import Loop
from symbackprop.core.pattern import Pattern
from symbackprop.core.shapes import evaluate_dim, evaluate_shape, shape_text
from symbackprop.errors import ShapeError
from symbackprop.model.model import Model

MAX_ENTRIES = 2**26  # in all arrays together: 0.5 GiB as float64, 1 GiB in a complex step, as much again in a module
PER_STEP = 30  # a row at one step of a loop takes as long as so many entries
PER_ENTRY = 500  # products of an einsum take as long as one entry does to fill
LARGEST = 10**300  # of an estimate: sizes may go beyond any float
Shaped = tuple[Node, tuple[int, ...] | None]


def shaped(rows: Iterable[Node], sizes: Mapping[str, int]) -> Iterator[Shaped]:
    """Rows with their shapes in numbers; a loop has none of its own."""
    for row in rows:
        yield row, None if isinstance(row.attr, Loop) else evaluate_shape(row.shape, sizes)


def require_room(rows: Iterable[Shaped], sizes: Mapping[str, int]) -> None:
    """Raises `ShapeError` where the values of all rows are more than can be computed in memory and in time."""
    counts = [(_entries(row, shape, sizes), row) for row, shape in rows]
    total = sum(count for count, _ in counts)
    if total <= MAX_ENTRIES:
        return
    count, row = max(counts, key=lambda pair: pair[0])
    dims = sorted({s.name for _, r in counts for d in r.shape for s in getattr(d, "free_symbols", ())})
    given = f"with {', '.join(f'{n} = {sizes[n]}' for n in dims)} " if dims else ""
    largest = f"{count:.2g} of them for {label(row)} ({shape_text(row.shape)})"
    raise ShapeError(
        f"{given}the arrays of the model are too large to be computed here: {total:.2g} entries in all, {largest}; "
        f"at most {MAX_ENTRIES:.2g} are. Give smaller sizes with --dim, or leave the check out"
    )


def _entries(row: Node, shape: tuple[int, ...] | None, sizes: Mapping[str, int]) -> int:
    """Entries of a row's value, or as many as would take as long."""
    if shape is None:
        step = sum(PER_STEP + _entries(r, s, sizes) // PER_ENTRY for r, s in _body(row, sizes))
        return evaluate_dim(row.attr.length, sizes) * step
    own = prod(shape)
    if not isinstance(row.attr, Pattern) or len(row.args) != 2:
        return own
    return max(own, _products(row, sizes) // PER_ENTRY)


def _products(row: Node, sizes: Mapping[str, int]) -> int:
    """How many products an einsum sums up."""
    return prod(row.attr.sizes([evaluate_shape(a.shape, sizes) for a in row.args]).values())


def cost_of(rows: Iterable[Shaped], sizes: Mapping[str, int]) -> float:
    """Entries computed by one evaluation; a call of NumPy counts like 3000 of them."""
    return sum(3000.0 + _work(row, shape, sizes) for row, shape in rows)


def run_cost(model: Model, sizes: Mapping[str, int]) -> float:
    """Entries computed by one run of a model; 0 where its shapes do not allow the sizes."""
    try:
        return cost_of(shaped(model.graph.topological(model.results()), sizes), sizes)
    except ShapeError:
        return 0.0


def _work(row: Node, shape: tuple[int, ...] | None, sizes: Mapping[str, int]) -> float:
    """Entries computed for a row; for a loop, those of all its steps."""
    if isinstance(row.attr, Pattern):
        return float(_products(row, sizes))
    if shape is None:
        return evaluate_dim(row.attr.length, sizes) * cost_of(_body(row, sizes), sizes)
    return float(min(prod(shape), LARGEST))


def _body(row: Node, sizes: Mapping[str, int]) -> Iterator[Shaped]:
    """The rows of one step of a loop."""
    return shaped(row.attr.rows(), sizes)
