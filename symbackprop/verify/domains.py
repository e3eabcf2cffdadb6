"""Where a leaf's values may lie, read off the rows that it reaches unchanged: the argument of a log is positive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import TypeAlias

from symbackprop.core import formula as f
from symbackprop.core.facts import kind
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.scalars import ANY, TABLE

Interval: TypeAlias = tuple[float, float]
_POSITIVE: Interval = (0.3, 2.0)


def intervals(rows: Sequence[Node]) -> dict[str, Interval]:
    """An interval for every leaf that some row restricts, by name; where two rows disagree the first one counts."""
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
        if row.op.name == "leaf" and row.name is not None:
            passing[row.id] = {row.name}
            continue
        sources = [passing.get(a.id, set()) for a in row.args]
        passing[row.id] = set().union(*_passed(row, sources))
        if isinstance(row.attr, Loop):
            leaves = row.attr.leaves()
            inner = {leaf.id: names for leaf, names in zip(leaves, sources, strict=True)}
            yield from _restrictions(row.attr.results(), inner, row.attr.stop())
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
            yield from ((i, _POSITIVE) for i in f.arguments(below))
        case f.Pow(base, exponent) if not _whole(exponent):
            yield from ((i, _POSITIVE) for i in f.arguments(base))
    for part in f.children(form):
        yield from _limits(part)


def _whole(exponent: f.Formula) -> bool:
    return isinstance(exponent, f.Num) and bool(exponent.value.is_Integer) and bool(exponent.value > 0)
