"""The numeric sweep of `grade`, with what is kept of the forward pass; the sweep of a loop that runs forwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from symbackprop.core.graph import Node
from symbackprop.derive.record import Edge
from symbackprop.grade.derivation_mistakes import Swap, nothing
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.verify.interpreter import Program


class Sweep(NumericSweep):
    """The sweep, with the values of the forward pass that the gradient is computed from."""

    @cached_property
    def of_kept(self) -> tuple[Program, dict[int, Array]]:
        """The gradient from the values of all rows of the forward pass, and these."""
        kept = {n.id: self.point.value(n) for n in self.reference.order}
        kept |= {u.id: self.point.value(u) for u in self.reference.model.upstream.values()}
        gradient = self.reference.gradient(self.target)
        return Program([gradient], self.point.sizes, frozenset(kept)), kept


# -- a backward loop over time that runs forwards


def forwards_in_time(sweep: Sweep) -> Array | None:
    """The gradient when the loop of backward runs from the first step to the last: h[t] receives what step t − 1 hands
    back, where that of step t + 1 belongs. None where nothing is carried over three steps."""
    reference, point = sweep.reference, sweep.point
    steps = _carried(reference)
    if len(steps) < 4:
        return None
    arriving: dict[int, Array] = {}
    for before, after in zip(steps, steps[2:], strict=False):
        handed = [_handed_back(Sweep(reference, point, row), steps, arriving) for row in before]
        arriving |= {row.id: value for row, value in zip(after, handed, strict=True)}
    return sweep.gradient(_redirected(reference, steps, arriving))


def _carried(reference: Reference) -> list[list[Node]]:
    """The rows that loops carry, at every step from 0 on."""
    rows = reference.rows
    firsts = {n.removesuffix("[1]"): rows.get(n.replace("[1]", "[0]"), rows.get(n.replace("[1]", "0")))
              for n in rows if n.endswith("[1]")}
    names = [n for n, first in firsts.items() if first is not None]
    count = min((sum(f"{n}[{k}]" in rows for k in range(1, len(rows))) for n in names), default=0)
    started = [first for first in firsts.values() if first is not None]
    return [started, *([rows[f"{n}[{k}]"] for n in names] for k in range(1, count + 1))]


def _handed_back(sweep: Sweep, steps: Sequence[Sequence[Node]], arriving: Mapping[int, Array]) -> Array:
    """What the next step hands back to the row that a sweep leads to."""
    cut = _redirected(sweep.reference, steps, arriving)
    kept = {e: swap for e, swap in cut.items() if e.argument is not sweep.target}
    ended = dict.fromkeys(_onward(sweep.reference, sweep.target, steps), nothing)
    return sweep.gradient(kept) - sweep.gradient({**kept, **ended})


def _redirected(reference: Reference, steps: Sequence[Sequence[Node]], arriving: Mapping[int, Array]
                ) -> dict[Edge, Swap]:
    """Nothing comes back from a next step, but what is ``arriving``."""
    swaps: dict[Edge, Swap] = {}
    for row in (r for step in steps[1:] for r in step):
        onward = _onward(reference, row, steps)
        swaps |= dict.fromkeys(onward, nothing)
        if row.id in arriving:
            first = reference.edges(row)[0]
            swaps[first] = _with(arriving[row.id], first not in onward)
    return swaps


def _onward(reference: Reference, row: Node, steps: Sequence[Sequence[Node]]) -> list[Edge]:
    """The edges from a carried row into the next step."""
    place = next(k for k, step in enumerate(steps) if any(r is row for r in step))
    if place + 1 == len(steps):
        return []
    inside = {r.id for r in row.graph.topological(steps[place + 1], frozenset(r.id for r in steps[place]))}
    return [e for e in reference.edges(row) if e.consumer.id in inside]


def _with(arriving: Array, passes: bool) -> Swap:
    return lambda sweep, edge, up: arriving + (sweep.passed(edge, up) if passes else 0)
