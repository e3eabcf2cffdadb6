"""Gradient rows as arrays are computed best: a pass over a derivation, before its rows become statements.

Every rule takes a row and returns one with the same value, or None; what it leaves out is never computed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import sympy as sp

from symbackprop.codegen.rows import split_one_hot, to_largest
from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_folded, is_put, is_repeated, is_scattered, is_unfolded
from symbackprop.core.functions.arrange import repeat
from symbackprop.core.graph import Graph, Node
from symbackprop.core.kernel import Kernel, renumbered
from symbackprop.core.loops import Loop
from symbackprop.core.roles import Role
from symbackprop.core.shapes import ONE, same, same_shape, size_of
from symbackprop.derive.closing import ClosedForms, closed
from symbackprop.derive.steps import Derivation, LoopStep

Rule = Callable[[Node], Node | None]


def lowered(swept: Derivation, level: int, marks: bool) -> Derivation:
    """What a module computes of a sweep: its closed forms, from -O1 over rows that are computed better. With ``marks``
    entries can be set by their places."""
    derivation = closed(swept)
    if not level:
        return derivation
    forward = [row for row in derivation.model.graph.nodes.values() if row.id in derivation.forward_ids]
    gates = {row.args: row for row in forward if row.form is not None and row.form.role is Role.GATED}
    rules: list[Rule] = [one_scatter, masked_first, repeated, partial(gated_again, gates),
                         *([marked] if marks else [])]
    work = Lowering(derivation.model.graph, rules, derivation.names)
    totals = [s.total for s in derivation.steps if not isinstance(s, LoopStep)]
    work.run([*derivation.gradients.values(), *totals], derivation.forward_ids)
    return closed(derivation, ClosedForms(work.new, {}))


class Lowering:
    """Old rows to new ones, arguments first. What has a name is computed as it is."""

    def __init__(self, graph: Graph, rules: Sequence[Rule], named: Iterable[int]) -> None:
        self.graph, self.rules, self.named = graph, rules, frozenset(named)
        self.new: dict[int, Node] = {}

    def run(self, roots: Sequence[Node], stop: frozenset[int]) -> None:
        for node in self.graph.topological(roots, stop):
            if node.id not in self.new and node.id not in stop:
                self.new[node.id] = self._row(node)

    def _row(self, node: Node) -> Node:
        args = [self.new.get(a.id, a) for a in node.args]
        if isinstance(node.attr, Loop):
            return self._loop(node, args)
        row = self.graph.over(node, args)
        better = [found for rule in self.rules if (found := rule(row)) is not None]
        found = better[0] if better else row
        if node.apart and found is not node:
            self.graph.set_apart(found)
        return found

    def _loop(self, scan: Node, args: list[Node]) -> Node:
        """A reverse loop over such rows; others stay."""
        loop: Loop = scan.attr
        if loop.forward is not None:
            self.run(loop.results(), loop.stop)
            carried, stacked = ([self.new.get(r.id, r) for r in rows] for rows in (loop.carried, loop.stacked))
            if any(a is not b for a, b in zip([*carried, *stacked], loop.results(), strict=True)):
                return self.graph.again(scan, args, replace(loop, carried=carried, stacked=stacked))
        return self.graph.over(scan, args)


def summands(row: Node, fits: Callable[[Node], bool]) -> list[int]:
    """The places of arguments that a row adds up as they are, of its shape, and that ``fits``."""
    terms = row.form.terms if isinstance(row.form, f.Add) else ()
    places = [t.index for t in terms if isinstance(t, f.Arg)]
    return [i for i in places if same_shape(row.args[i].shape, row.shape) and fits(row.args[i])]


def with_sum(row: Node, places: Sequence[int], total: Node) -> Node:
    """The row with one argument in the place of several that it adds up."""
    gone = {f.Arg(i) for i in places}
    rest = [t for t in row.form.terms if t not in gone]  # type: ignore[union-attr]
    if not rest:
        return total
    order = [i for i in range(len(row.args)) if i not in places]
    new = [f.Arg(order.index(i) + 1 if i in order else 0) for i in range(len(row.args))]
    form = f.add(f.Arg(0), *[f.over(t, new) for t in rest])
    return row.graph.make("elementwise", [total, *[row.args[i] for i in order]], Kernel(form))


# -- rows added up into one table


def one_scatter(row: Node) -> Node | None:
    """scatter_add(g, i) + scatter_add(h, j) = scatter_add(concat(g, h), concat(i, j)): one table, gone over once."""
    places = summands(row, is_scattered)
    if len(places) < 2:
        return None
    tables = [row.args[i] for i in places]
    counts = [size_of(t.args[1].shape) for t in tables]
    rows = [build.reshape(t.args[0], (n, *row.shape[1:])) for t, n in zip(tables, counts, strict=True)]
    indices = [build.reshape(t.args[1], (n,)) for t, n in zip(tables, counts, strict=True)]
    return with_sum(row, places, build.scatter_add(build.concat(rows), build.concat(indices), row.shape[0]))


# -- windows that hold the same everywhere


def repeated(row: Node) -> Node | None:
    """fold(broadcast(a, k × n), k·n) = repeat(a, n): windows beside each other, each of which holds one entry n times.
    The gradient of a mean over windows."""
    if not is_folded(row) or not is_repeated(row.args[0]) or row.args[0].args[0].ndim != row.args[0].ndim:
        return None
    (axis, size, stride), wide = row.attr, row.args[0]
    thin, (count, width) = wide.args[0], wide.shape[axis : axis + 2]
    new = [k for k, d in enumerate(thin.shape) if not same(d, wide.shape[k])]
    beside = same(width, sp.Integer(stride)) and same(size, count * width)
    if not beside or axis in new or axis + 1 not in new:
        return None
    a = build.reshape(thin, [d for k, d in enumerate(thin.shape) if k not in new])
    copies = repeat(a, width, axis - len([k for k in new if k < axis]))
    whole = [ONE if k in new else size if k == axis else d for k, d in enumerate(thin.shape) if k != axis + 1]
    return row.graph.broadcast(build.reshape(copies, whole), row.shape)


# -- one entry of every row


def marked(row: Node) -> Node | None:
    """put(g, i) + a = g·onehot(i) + a: a everywhere, and a + g at the entry that i names (`rows.split_one_hot`), where
    put(g, i) would be an array of zeros but for that entry."""
    if row.arithmetic is None:
        return None
    for place in [i for i in f.arguments(row.arithmetic) if is_put(row.args[i])]:
        g, index = row.args[place].args
        hot = build.one_hot_along(index, row.ndim - 1, row.shape[-1]) if index.ndim == row.ndim else None
        if hot is None:
            continue
        args = [g if i == place else a for i, a in enumerate(row.args)]
        product = f.mul(f.Arg(place), f.Arg(len(args)))
        form = f.over(row.arithmetic, [product if i == place else f.Arg(i) for i in range(len(row.args))])
        found = row.graph.make("elementwise", [*args, hot], Kernel(form))
        if split_one_hot(found) is not None:
            return found
    return None


# -- the mask of a ReLU that windows are taken of


def masked_first(row: Node) -> Node | None:
    """fold(to_largest(g, a, m)) · 1[z > 0] = fold(to_largest(g · 1[m > 0], a, m)), where a are windows of relu(z) and m
    is the largest entry of each: where an entry is that, it is above 0 when m is, and there are fewer m. The gradient
    of a ReLU before a pool."""
    if row.form != _PRODUCT:
        return None
    for whole, mask in (row.args, row.args[::-1]):
        folds = [*_inwards(whole, is_folded)]
        found = to_largest(folds[-1])
        if mask.form == _ABOVE_0 and found is not None:
            *windows, inside = _inwards(found.reads[1], is_unfolded)
            of_mask = inside.role is Role.RECTIFIED and inside.args == mask.args
            if of_mask and not any(r.name for r in (*windows, inside)) and _are_adjoint(folds[:-1], windows[::-1]):
                return _masked(folds, mask, found.reads[2])
    return None


_PRODUCT = f.Mul((f.Arg(0), f.Arg(1)))
_ABOVE_0 = f.Call("above", (f.Arg(0), f.ZERO, f.ZERO))


def _inwards(row: Node, goes_on: Callable[[Node], bool]) -> Iterator[Node]:
    """A row and, as long as it goes on, what it is made of: windows that are added up, or that are taken of it."""
    yield row
    while goes_on(row):
        row = row.args[0]
        yield row


def _are_adjoint(folds: Sequence[Node], windows: Sequence[Node]) -> bool:
    """Whether each of the folds adds up the windows that one of the others took."""
    taken = [(axis, w.args[0].shape[axis], stride) for w in windows for axis, _, stride in [w.attr]]
    return [fold.attr for fold in folds] == taken


def _masked(folds: Sequence[Node], mask: Node, largest: Node) -> Node:
    """The same rows with an upstream gradient that is 0 where the largest entry is not above 0."""
    *outer, inner = folds
    graph, spread = inner.graph, inner.args[0]
    g = graph.make("elementwise", [spread.args[0], graph.again(mask, [largest])], Kernel(_PRODUCT))
    row = graph.again(inner, [graph.again(spread, [g]), *inner.args[1:]])
    for fold in reversed(outer):
        row = graph.again(fold, [row])
    return row


# -- the slope of what a sigmoid gates


def gated_again(gates: Mapping[tuple[Node, ...], Node], row: Node) -> Node | None:
    """s·(1 + c·x·(1 − s)) = s + c·y·(1 − s) for y = x·s, which forward has: one product less, and x need not be kept.
    The gradient of silu and swish: s is 0 or 1, and (1 − s) 0, wherever x or y is limited."""
    product = row.form.factors if isinstance(row.form, f.Mul) else ()
    for slope in product:
        match slope:
            case f.Add((f.Num(value=1), f.Mul(factors) as term)):
                parts = [c for c in factors if not isinstance(c, f.Num)]
            case _:
                continue
        match sorted(parts, key=lambda c: isinstance(c, f.Add)):
            case [f.Call(role=Role.LIMITED, args=(f.Arg(x),)) as limit, f.Add((f.Num(value=1), f.Neg(f.Arg(s))))]:
                whole = gates.get((row.args[x], row.args[s]))
                if whole is not None and f.Arg(s) in product:
                    return _with_gate(row, f.Arg(s), slope, term, limit, whole)
    return None


def _with_gate(row: Node, s: f.Arg, slope: f.Formula, term: f.Mul, limit: f.Formula, whole: Node) -> Node:
    """The row with s + c·limited(y)·(1 − s) in the place of the slope and of s."""
    again = f.over(limit, [f.Arg(len(row.args))] * len(row.args))
    new = f.add(s, f.mul(*[again if c is limit else c for c in term.factors]))
    others = [c for c in row.form.factors if c != s and c is not slope]  # type: ignore[union-attr]
    form, args = f.mul(*others, new), (*row.args, whole)
    order = f.arguments(form)
    return row.graph.make("elementwise", [args[k] for k in order], Kernel(renumbered(form, order)))
