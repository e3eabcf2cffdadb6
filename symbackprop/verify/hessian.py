"""Whole Hessians, their diagonals and Jacobians that a module computes, array by array beside differences of its own
gradients and results, which are verified apart. In place of gradients that it does not promise there are slopes of the
model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from symbackprop.apart.files import CallFailed, called
from symbackprop.core.graph import Node
from symbackprop.verify.along import GRADIENTS, RESULTS, Along, Arrays, Near, off
from symbackprop.verify.module import arrays_of, numbers
from symbackprop.verify.report import FAIL, PASS, ProductReport

HESSIAN, DENSE, JACOBIAN = "hessian", "hessian_dense", "jacobian"
DIAGONAL, ESTIMATE = "hessian_diagonal", "hessian_diagonal_estimate"
FEWEST, ENTRIES = 4, 64  # entries of an array that are compared, and of all
SAMPLES, BEYOND, TWICE = 64, 7, 2  # drawn; standard errors off; what one that is told may be off by
SMALL = 1e-5  # beside the largest entry of a column
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Blocks: TypeAlias = Mapping[tuple[str, str], Any]


def wholes(along: Along) -> list[ProductReport]:
    """What the blocks and diagonals that the module has are found to be at one point."""
    return along.as_closely_as_can_be(lambda: _wholes(along))


def _wholes(along: Along) -> Iterator[ProductReport]:
    for names, find in FOUND.items():
        if given := [name for name in names if along.candidate.has(name)]:
            yield from find(along, given)


def _shapes(along: Along, rows: Mapping[str, Node]) -> list[Shapes]:
    """The shapes of the leaves that derivatives are by: of those that gradients are promised of, or of all."""
    found = {n: np.shape(along.sample.values[n]) for n, row in rows.items() if row.is_leaf}
    return [{n: s for n, s in found.items() if n in along.leaves}, found]


def _by(along: Along) -> list[Shapes]:
    return _shapes(along, along.candidate.model.params or along.candidate.model.targets())


def _asked(along: Along, name: str, **options: Any) -> Any:
    return along.candidate.ask(name, *along.candidate.inputs(along.sample), along.sample, **options)


# -- blocks
def hessians(along: Along, names: Sequence[str]) -> Iterator[ProductReport]:
    """The blocks by one array after the other, along random signs in it."""
    if not along.candidate.is_loss:
        return
    matrices = {name: _matrix(along, name) for name in names}
    for b in dict.fromkeys(b for blocks in matrices.values() for _, b in blocks):
        v = along.rng.choice([-1.0, 1.0], np.shape(along.sample.values[b]))
        yield from _columns(along, b, v, {name: {a: _times(block, v) for (a, by), block in blocks.items() if by == b}
                                          for name, blocks in matrices.items()})


def _matrix(along: Along, name: str) -> Blocks:
    return _split(along) if name == DENSE else _blocks(along, name)


def _columns(along: Along, b: str, v: Any, columns: Mapping[str, Arrays]) -> Iterator[ProductReport]:
    """What several matrices say of how gradients change along v in one array."""
    rows = dict.fromkeys(a for some in columns.values() for a in some)
    u = {a: along.rng.choice([-1.0, 1.0], np.shape(along.sample.values[a])) for a in rows if a not in along.leaves}
    near = Near(along.candidate, along.sample, along.objective, {b: v}, [*rows], u)
    for name, some in columns.items():
        found = {a: np.sum(u[a] * x) if a in u else x for a, x in some.items()}
        asked = partial(_column, name, [*found], b, u, v)
        yield from along.compared(f"{name}: ({{}}, {b}) v", GRADIENTS, found, near, asked)


def _column(name: str, rows: Sequence[str], b: str, u: Arrays, v: Any, along: Along) -> Arrays:
    """What a matrix says, at another point."""
    blocks = _matrix(along, name)
    some = {a: _times(blocks[a, b], v) for a in rows}
    return {a: np.sum(u[a] * x) if a in u else x for a, x in some.items()}


def jacobians(along: Along, names: Sequence[str]) -> Iterator[ProductReport]:
    """The same of the results."""
    blocks = _blocks(along, *names)
    for n in dict.fromkeys(n for _, n in blocks):
        v = along.rng.choice([-1.0, 1.0], np.shape(along.sample.values[n]))
        near = Near(along.candidate, along.sample, along.objective, {n: v})
        found = {result: _times(blocks[result, n], v) for result in along.outcome.results}
        yield from along.compared(f"{JACOBIAN}: ({{}}, {n}) v", RESULTS, found, near)


def _times(block: Any, v: Any) -> Any:
    return np.tensordot(block, v, np.ndim(v))


def _split(along: Along) -> Blocks:
    """The blocks of the whole matrix."""
    whole = numbers(_asked(along, DENSE))
    promised, shapes = _by(along)
    if np.shape(whole) == 2 * (sum(_counts(promised)),):
        shapes = promised
    ends = np.cumsum([0, *_counts(shapes)])
    _require(whole, 2 * (int(ends[-1]),), f"{DENSE} returned")
    parts = [np.split(some, ends[1:-1], 1) for some in np.split(whole, ends[1:-1])]
    return {(a, b): part.reshape(shapes[a] + shapes[b])
            for a, some in zip(shapes, parts, strict=True) for b, part in zip(shapes, some, strict=True)}


def _counts(shapes: Shapes) -> list[int]:
    return [int(np.prod(s, dtype=int)) for s in shapes.values()]


def _blocks(along: Along, name: str) -> Blocks:
    """The blocks of a dict by the names of rows and columns, whole."""
    found: dict[Any, Any] = {**along.candidate.mapping(name, _asked(along, name), "a dict of blocks")}
    results = {n: np.shape(a) for n, a in along.outcome.results.items()}
    sides = [(results, s) for s in _shapes(along, along.candidate.model.targets())] if name == JACOBIAN else [
        (s, s) for s in _by(along)]
    rows, columns = next((pair for pair in sides if {*found} == {*product(*pair)}), sides[-1])
    if {*found} != {*product(rows, columns)}:
        said = ", ".join(map(str, found)) or "nothing"
        raise CallFailed(f"{name} returned blocks of {said}, not of {', '.join(rows)} by {', '.join(columns)}")
    blocks = {key: _dense(block) for key, block in found.items()}
    for (a, b), block in blocks.items():
        _require(block, rows[a] + columns[b], f"the block {a}, {b} of {name} is")
    return blocks


def _dense(block: Any) -> Any:
    """All of a block as an array; None where it has none."""
    try:
        return numbers(called(block.dense, "dense", None))
    except Exception:  # which the module's own code may raise
        return None


def _require(array: Any, shape: tuple[int, ...], said: str) -> None:
    if array is None or array.shape != shape:
        what = "no array" if array is None else f"an array of shape {array.shape}"
        raise CallFailed(f"{said} {what}, expected {shape}")


# -- diagonals
def diagonals(along: Along, names: Sequence[str]) -> Iterator[ProductReport]:
    """Some entries of each array, which one of the functions has, exact or estimated."""
    promised, left = _by(along) if along.candidate.is_loss else ({}, {})
    for name in names if left else ():
        parts = _parts(along, name, left)
        left = {n: s for n, s in left.items() if n not in parts[0]}
        share = max(FEWEST, ENTRIES // max(len(parts[0]), 1))
        for n, array in parts[0].items():
            for k in along.rng.permutation(array.size)[:share]:
                place = tuple(map(int, np.unravel_index(k, array.shape)))
                yield from _entry(along, name, [*parts[0]], n, place, *[float(part[n][place]) for part in parts])
    if missing := [n for n in left if n in promised]:
        raise CallFailed(f"{' and '.join(names)} returned nothing for {', '.join(missing)}")


def _parts(along: Along, name: str, shapes: Shapes) -> list[Arrays]:
    """Arrays by name, and of an estimate their standard errors."""
    options: dict[str, Any] = {"rng": 0, "samples": SAMPLES} if name == ESTIMATE else {}
    given = _asked(along, name, **options)
    parts = [arrays_of(along.candidate.mapping(name, part, "a dict of arrays"))
             for part in (along.candidate.pair(given, name) if options else [given])]
    expected = {n: s for n, s in shapes.items() if n in parts[0]}
    if any({n: a.shape for n, a in part.items()} != expected for part in parts):
        raise CallFailed(f"{name} returned other names or shapes than those of {', '.join(shapes)}")
    return parts


def _entry(along: Along, name: str, names: Sequence[str], n: str, place: tuple[int, ...], found: float,
           error: float | None = None) -> Iterator[ProductReport]:
    """An entry in its column of the Hessian; an estimate is the mean of v_i (H v)_i, of the variance Σ_{j≠i} H_ij²,
    where j is in the arrays ``names``."""
    unit = np.zeros(np.shape(along.sample.values[n]))
    unit[place] = 1.0
    known = n in along.leaves
    near = Near(along.candidate, along.sample, along.objective, {n: unit}, [*names], {} if known else {n: unit})
    column = {m: np.array(min(slopes, key=off).value) for m, slopes in near.of(GRADIENTS).items()}
    own, where = column.get(n, np.array(unit) if known else np.zeros(())), place if known else ()
    right = float(own[where])
    own[where] = found if error is None else np.clip(right, found - BEYOND * error, found + BEYOND * error)
    yield from along.compared(f"{name}: {{}}", GRADIENTS, {n: own}, near)
    if error is not None and known and column:
        own[where] = 0.0
        size = max(float(np.max(np.abs(a), initial=abs(right))) for a in column.values())
        others = float(np.sqrt(sum(np.sum(a**2) for a in column.values()) / SAMPLES))
        fits = others / TWICE - SMALL * size <= error <= TWICE * others + SMALL * size
        yield ProductReport(f"{name}, standard error: {n}", PASS if fits else FAIL, None, place, error, others)


Find: TypeAlias = Callable[[Along, Sequence[str]], Iterator[ProductReport]]
FOUND: dict[tuple[str, ...], Find] = {
    (HESSIAN, DENSE): hessians, (DIAGONAL, ESTIMATE): diagonals, (JACOBIAN,): jacobians,
}
