"""Random valid inputs of a model: sizes for its dimensions, numbers for its leaves.

Weights are drawn so that activations do not saturate, integers below their bounds with neighbours repeated (added, not
overwritten), and leaves that a function of limited domain reads inside that domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, prod, sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_part, is_product, is_simplex, is_symmetric, kind
from symbackprop.core.graph import INT, Node, label
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop, with_bodies
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import DEFINITE
from symbackprop.core.scalars import ANY, TABLE
from symbackprop.core.shapes import Dim, evaluate_dim, evaluate_shape, shape_text
from symbackprop.errors import ShapeError
from symbackprop.model.model import Model
from symbackprop.verify.cost import require_room, shaped
from symbackprop.verify.interpreter import Program, Watch
from symbackprop.verify.values import learned

Random: TypeAlias = np.random.Generator
Interval: TypeAlias = tuple[float, float]
POSITIVE: Interval = (0.3, 2.0)
SMALL = (3, 4, 5, 6, 7, 8, 9, 10)
SEARCHES = 400


@dataclass(frozen=True)
class Sample:
    """One point to check at: sizes by dimension, arrays by leaf name, upstream gradients by output name."""

    sizes: dict[str, int]
    values: dict[str, Any]
    upstream: dict[str, Any]


def choose_sizes(model: Model, rng: Random, given: Mapping[str, int], trial: int = 0, varied: Sequence[str] = ()
                 ) -> dict[str, int]:
    """Sizes that the model's shapes allow: the given ones, declared defaults, small different numbers for the rest.

    Trials after the first change the free sizes, so that a number written where a dimension belongs shows. They also
    change the defaults in ``varied``, as far as others fit.
    """
    for name, size in given.items():
        if size < 1:
            raise ShapeError(f"the size of dimension {name} has to be positive, not {size}")
    sizes = model.default_sizes(given)
    changed = [n for n in varied if trial and n not in given and model.sizes[n] is not None]
    free = [n for n, default in model.sizes.items() if n not in given and (default is None or n in changed)]
    sizes |= dict(zip(free, _small(len(free), {s for n, s in sizes.items() if n not in free}, rng, trial), strict=True))
    needs = needs_of(model)
    for attempt in range(SEARCHES):
        least = 2 if attempt < SEARCHES // 2 else 1
        if all(sizes[n] != model.sizes[n] for n in changed) and needs.met(sizes, least):
            return sizes
        sizes |= _drawn(sizes, free, rng, attempt + 1)
    if changed:
        return choose_sizes(model, rng, given, trial)
    raise ShapeError(_misfit(model, given))


def _misfit(model: Model, given: Mapping[str, int]) -> str:
    """Why no sizes were found: what is empty at all sizes is the model's own fault."""
    empty = next((row for row in _rows(model) if 0 in row.shape), None)
    if empty is not None:
        why = "; a slice that begins behind the end of its axis is empty" if is_part(empty) else ""
        return f"{label(empty)} ({shape_text(empty.shape)}) of {model.name} has no entries at any sizes{why}"
    shown = ", ".join(f"{n} = {s}" for n, s in model.default_sizes(given).items())
    return f"no sizes fit all shapes of {model.name} (tried {shown} and others); give them with --dim"


def _small(count: int, taken: set[int], rng: Random, trial: int) -> list[int]:
    """Small numbers, different ones while they last, so that no axis is taken for another."""
    left = [s for s in SMALL if s not in taken] or list(SMALL)
    chosen = (left * (1 + count // len(left)))[: max(count, 3) if trial else count]
    return [int(s) for s in (rng.permutation(chosen) if trial else chosen)][:count]


def _drawn(sizes: Mapping[str, int], free: Sequence[str], rng: Random, attempt: int) -> dict[str, int]:
    """Small sizes; later multiples of one, then two others, for axes that several sizes have to divide. Each half of
    the attempts begins with small ones, and others are small too, or given: multiples of multiples are soon too large
    to be computed with, and all even."""
    half = SEARCHES // 2
    small = {n: int(rng.integers(2 if attempt < half else 1, 9)) for n in free}
    others = [*{**sizes, **small}.values()]
    by = 3 * (attempt % half) // half
    return {n: s * prod(int(k) for k in rng.choice(others, by)) for n, s in small.items()}


class Needs(NamedTuple):
    """What the sizes of a model have to be: ``shapes`` whole and positive, ``slices`` (start, length, step, size of the
    axis) that stay inside their arrays, ``numbers`` (quotients of sizes) finite: 1/(N − 1), and of ``ranks`` the first
    no smaller than the second: AᵀA of fewer rows than columns has no inverse."""

    shapes: frozenset[Dim]
    slices: frozenset[tuple[Dim, Dim, int, Dim]]
    numbers: frozenset[sp.Expr]
    ranks: frozenset[tuple[Dim, Dim]]

    def met(self, sizes: Mapping[str, int], least: int = 1) -> bool:
        """``least``: how long an axis computed from sizes is at least. At D/h = 1 a lost √(D/h) does not show."""
        try:
            return all(evaluate_dim(d, sizes) >= (1 if d.is_Atom else least) for d in self.shapes) and all(
                _inside(*[evaluate_dim(d, sizes) for d in part]) for part in self.slices
            ) and all(evaluate_dim(n, sizes) >= evaluate_dim(m, sizes) for n, m in self.ranks) and all(
                n.subs({s: sizes[s.name] for s in n.free_symbols}).is_finite for n in self.numbers
            )
        except (ShapeError, ZeroDivisionError):
            return False


def _inside(start: int, length: int, step: int, size: int) -> bool:
    last = start + (length - 1) * step
    return min(start, last) >= 0 and max(start, last) < size


def needs_of(model: Model) -> Needs:
    """What the shapes, bounds, loops and slices of all rows ask of the sizes."""
    shapes, slices, numbers = set[Dim](), set[tuple[Dim, Dim, int, Dim]](), set[sp.Expr]()
    ranks = set[tuple[Dim, Dim]]()
    for row in _rows(model):
        shapes.update(row.shape)
        numbers.update(_quotients(f.Num(row.value) if row.value is not None else row.form))
        if row.kind == INT and row.is_declared and row.attr.below is not None:
            shapes.add(row.attr.below)
        if isinstance(row.attr, Loop):
            shapes.add(row.attr.length)
        if is_part(row):
            axis, start, length, step = row.attr
            slices.add((start, length, step, row.args[0].shape[axis]))
        if row.op.matrices and is_product(row.args[0]) and row.args[0].attr.summed:
            ranks.add((_summed(row.args[0]), row.args[0].shape[-1]))
    return Needs(frozenset(shapes), frozenset(slices), frozenset(numbers), frozenset(ranks))


def _summed(product: Node) -> Dim:
    """How many products one entry of a product of arrays adds up."""
    pattern: Pattern = product.attr
    sizes = pattern.sizes([a.shape for a in product.args])
    return sp.Mul(*[sizes[c] for c in pattern.summed])


def _quotients(form: f.Formula | None) -> Iterator[sp.Expr]:
    """The numbers in a formula that are divided by sizes."""
    if isinstance(form, f.Num):
        yield from (form.value,) if sp.denom(form.value).free_symbols else ()
    for part in () if form is None else form.children:
        yield from _quotients(part)


def _rows(model: Model) -> Iterator[Node]:
    """Every row that the results need, those of loops included."""
    return with_bodies(model.graph.topological([*model.leaves().values(), *model.results()]))


def hidden_dims(model: Model, sizes: Mapping[str, int]) -> list[str]:
    """The dimensions whose sizes the arrays do not show."""
    axes = [(d, evaluate_dim(d, sizes)) for leaf in model.leaves().values() for d in leaf.shape]
    shown = learned(axes, {})
    return [n for n in model.sizes if n not in shown]


def draw(model: Model, sizes: dict[str, int], rng: Random, attempt: int = 0) -> Sample:
    """One sample. Later attempts are for models whose domain the first did not find: positive, small, wide numbers.

    Raises `ShapeError` where the arrays of the model would be too large.
    """
    rows = model.graph.topological([*model.leaves().values(), *model.results()])
    require_room(shaped(rows, sizes), sizes)
    limits = intervals(model.results())
    values = {n: _leaf(row, limits.get(n), sizes, rng, attempt) for n, row in model.leaves().items()}
    values |= {n: conditioned(values[n], kind) for n, kind in _matrices(rows).items()}
    shapes = {n: evaluate_shape(row.shape, sizes) for n, row in model.output_rows.items()}
    return Sample(sizes, values, {n: np.asarray(rng.normal(size=shape)) for n, shape in shapes.items()})


def _leaf(row: Node, limit: Interval | None, sizes: Mapping[str, int], rng: Random, attempt: int) -> Any:
    shape = evaluate_shape(row.shape, sizes)
    if row.kind == INT:
        return _integers(row, shape, sizes, rng, attempt)
    if is_simplex(row):
        return np.asarray(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))
    drawn = _floats(row, shape, limit, rng, attempt)
    return (drawn + drawn.T) / 2 if is_symmetric(row) else drawn


def _floats(row: Node, shape: tuple[int, ...], limit: Interval | None, rng: Random, attempt: int) -> Any:
    if attempt % 4 == 3:
        limit = _within(((0.1, 0.9), (0.5, 3.0))[attempt // 4 % 2], limit)
    if limit is not None:
        return np.asarray(rng.uniform(*limit, shape))
    gain = 1 / sqrt(max(prod(shape[:-1]), 1)) if len(shape) > 1 and row.attr.role == "param" else 1.0
    return np.asarray(rng.normal(size=shape) * gain * (1.0, 1.0, 0.3)[attempt % 4])


def _within(wanted: Interval, limit: Interval | None) -> Interval:
    """The part of an interval that a limit allows, or the limit where that is empty."""
    if limit is None:
        return wanted
    low, high = max(wanted[0], limit[0]), min(wanted[1], limit[1])
    return (low, high) if low < high else limit


def _integers(row: Node, shape: tuple[int, ...], sizes: Mapping[str, int], rng: Random, attempt: int) -> Any:
    """Integers below their bound; in every other attempt from one half of them, for lengths that have to be larger than
    others."""
    bound = evaluate_dim(row.attr.below, sizes) if row.attr.below is not None else 2
    low, high = ((0, bound // 2), (bound // 2, bound))[rng.integers(2)] if attempt % 2 and bound > 3 else (0, bound)
    drawn = np.asarray(rng.integers(low, high, shape))
    if drawn.size > 1:
        _repeat(drawn, apart=attempt % 2 == 1)
    return drawn


def _repeat(drawn: Any, apart: bool) -> None:
    """Puts the first entry at the end as well, or next to itself along every axis, twice where others are left: pairs
    of neighbours are then repeated too, and not the same ones as backwards, which those of a, b, a are."""
    first = (0,) * drawn.ndim
    if apart:
        drawn.reshape(-1)[-1] = drawn[first]
        return
    for axis, size in enumerate(drawn.shape):
        run = (*first[:axis], slice(1, max(2, min(3, size - 1))), *first[axis + 1 :])
        drawn[run] = drawn[first]


def in_single(sample: Sample) -> Sample:
    """The sample with its floats as float32."""
    values = {n: v.astype(np.float32) if v.dtype.kind == "f" else v for n, v in sample.values.items()}
    return Sample(sample.sizes, values, {n: v.astype(np.float32) for n, v in sample.upstream.items()})


def conditioned(a: Any, matrices: str) -> Any:
    """Matrices of a kind made of random ones, far from singular; where the last two axes are of one size."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        return a
    return (a @ np.swapaxes(a, -1, -2) if matrices == DEFINITE else a) / a.shape[-1] + np.eye(a.shape[-1])


def _matrices(rows: Sequence[Node]) -> dict[str, str]:
    """The leaves that a function of matrices of a kind reads as they are, by name."""
    found: dict[str, str] = {}
    for row in rows:
        for a in row.args if row.op.matrices else ():
            if a.is_declared and a.name is not None and found.get(a.name) != DEFINITE:
                found[a.name] = row.op.matrices
    return found


def leaf_values(model: Model, sample: Sample) -> dict[int, Any]:
    """The sample's arrays by leaf id."""
    return {row.id: sample.values[name] for name, row in model.leaves().items()}


def named_values(model: Model, rows: Mapping[str, Node], sample: Sample, watch: Watch | None = None) -> dict[str, Any]:
    """What the interpreter finds for rows of the model, by name."""
    with np.errstate(all="ignore"):
        found = Program([*rows.values()], sample.sizes, watch=watch).run(leaf_values(model, sample))
    return {name: np.asarray(found[row.id]) for name, row in rows.items()}


# -- where a leaf's values may lie, read off the rows that it reaches unchanged: the argument of a log is positive

def intervals(rows: Sequence[Node]) -> Mapping[str, Interval]:
    """An interval for every leaf that some row restricts, by name; where two rows disagree the first one counts."""
    return _intervals(tuple(rows))


@lru_cache(maxsize=8)
def _intervals(rows: tuple[Node, ...]) -> Mapping[str, Interval]:
    found: dict[str, Interval] = {}
    for source, interval in _restrictions(rows, {}):
        low, high = found.get(source, (-inf, inf))
        if max(low, interval[0]) < min(high, interval[1]):
            found[source] = (max(low, interval[0]), min(high, interval[1]))
    return found


def _restrictions(rows: Sequence[Node], outer: Mapping[int, set[str]], stop: frozenset[int] = frozenset()
                  ) -> Iterator[tuple[str, Interval]]:
    """(leaf, interval) for every place where a leaf enters a function of limited domain; loops are entered."""
    passing = {i: set(names) for i, names in outer.items()}
    for row in rows[0].graph.topological(rows, stop) if rows else []:
        if row.id in stop:
            continue
        if row.is_declared and row.name is not None:
            passing[row.id] = {row.name}
            continue
        sources = [passing.get(a.id, set()) for a in row.args]
        passing[row.id] = set().union(*_passed(row, sources))
        if isinstance(row.attr, Loop):
            leaves = row.attr.leaves()
            inner = {leaf.id: names for leaf, names in zip(leaves, sources, strict=True)}
            yield from _restrictions(row.attr.results(), inner, row.attr.stop)
        elif isinstance(row.attr, Kernel):
            for index, interval in _limits(row.attr.form):
                yield from ((name, interval) for name in sorted(sources[index]))


def _passed(row: Node, sources: list[set[str]]) -> list[set[str]]:
    """The leaves whose values a row hands on unchanged."""
    alias = isinstance(row.attr, Kernel) and isinstance(row.attr.form, f.Arg)
    entries = kind(row)
    return [s for k, s in enumerate(sources) if (alias or entries.moved) and k not in entries.indices]


def _limits(form: f.Formula) -> Iterator[tuple[int, Interval]]:
    """(argument, interval) for the arguments of a formula that cannot be anything."""
    match form:
        case f.Call(name, operands):
            for operand, domain in zip(operands, TABLE[name].domain, strict=False):
                if isinstance(operand, f.Arg) and domain != ANY:
                    yield operand.index, domain
        case f.Div(_, below):
            yield from ((i, POSITIVE) for i in f.arguments(below))
        case f.Pow(base, exponent) if not _whole(exponent):
            yield from ((i, POSITIVE) for i in f.arguments(base))
    for part in form.children:
        yield from _limits(part)


def _whole(exponent: f.Formula) -> bool:
    return isinstance(exponent, f.Num) and bool(exponent.value.is_Integer) and bool(exponent.value > 0)
