"""Checkpoints: forward keeps what a loop carries at the first step of every segment alone; backward computes the steps
of one segment again, goes back through them, and comes to the segment before (Griewank 1992; Chen, Xu, Zhang and
Guestrin 2016, "Training deep nets with sublinear memory cost").

What is computed again is the same rows of the same values, and sums over all steps stay one product each: gradients are
what they are without, to the last bit. So a stack that such a sum reads is there for all steps while backward runs, and
one that the gradients that enter the loop are made of is kept for all steps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import isqrt

import sympy as sp

from symbackprop.codegen.names import Scope
from symbackprop.codegen.program import Assign, Block, Forget, OneHot, Recompute, Softmax, Statement, written
from symbackprop.codegen.rows import Rows
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, body_leaf
from symbackprop.core.names import unplaced
from symbackprop.core.shapes import bracketed, dim_text
from symbackprop.errors import UsageError

ROOT = 0  # steps of a segment: about the root of how many there are


def steps_of(checkpoint: str) -> int:
    """How many steps a segment has, of ``every:K`` or ``sqrt``. Raises `UsageError` for anything else."""
    found = re.fullmatch(r"every:0*([1-9]\d{0,8})", checkpoint)
    if checkpoint != "sqrt" and found is None:
        raise UsageError(f"a checkpoint is sqrt or every:K, such as every:16, not {checkpoint!r}")
    return ROOT if found is None else int(found[1])


@dataclass(frozen=True)
class Checkpointed:
    """A loop in segments of ``steps``, and the loop backwards that reads it: ``segment`` are the rows that this one has
    for the steps of one segment, ``whole`` those that it leaves for all steps, ``kept`` what forward keeps, a leaf for
    every carry. ``every`` and ``first`` are what code calls the length of a segment and its first step."""

    scan: Node
    reverse: Node
    segment: tuple[Node, ...]
    whole: tuple[Node, ...]
    kept: tuple[Node, ...]
    steps: int
    every: str
    first: str

    @property
    def again(self) -> tuple[Node, ...]:
        return (*self.segment, *self.whole)

    def computed(self, rows: Rows) -> list[Node]:
        """What backward computes itself: such rows, and products that are taken out of the loop."""
        return [*self.again, *[outer for _, outer in rows.hoisted(self.scan)]]

    def reads(self) -> list[Node]:
        """What the loop backwards reads, the initial values of what it carries first: what it computes again is not
        given, but what it is computed from."""
        loop, own = self.scan.attr, {row.id for row in self.again}
        given = [a for a in self.reverse.args if a.id not in own]
        return list({a.id: a for a in (*given, *self.scan.args[len(loop.carry) :], *self.kept)}.values())

    def says(self) -> str:
        """``what the loop over t carries once in 4 steps``."""
        steps = f"{self.steps}" if self.steps else f"about √{bracketed(dim_text(self.scan.attr.length))}"
        return f"what the loop over {self.scan.attr.index} carries once in {steps} steps"


def said(parts: Iterable[Checkpointed]) -> str:
    """What a module says on its checkpoints."""
    kept = " and ".join([part.says() for part in parts])
    if not kept:
        return "Checkpoints: none, since the gradients that enter loops are made of what these compute at every step."
    return f"Checkpoints: forward keeps {kept}; backward computes the steps between them again."


def checkpointed(rows: Rows, results: Iterable[Node], gradients: Sequence[Node], kept: Collection[Node], steps: int,
                 scope: Scope) -> list[Checkpointed]:
    """The loops of a program whose steps backward can compute again, where forward would keep the rows ``kept``."""
    forward, known = rows.order(list(results)), {row.id for row in kept}
    order, scans = rows.order(gradients, known), {id(row.attr): row for row in forward if row.is_loop}
    found = list[Checkpointed]()
    for row in order:
        scan = scans.get(id(row.attr.forward)) if row.is_loop else None
        if scan is not None and sum(r.is_loop and r.attr.forward is scan.attr for r in order) == 1:
            others = [s for s in scans.values() if s is not scan]
            part = _Part(rows, scan, row, order, frozenset([r.id for r in gradients]), found, others)
            segment, whole = part.divided(kept)
            if segment or whole:
                every, first = scope.fresh("every"), scope.fresh("start")
                found.append(Checkpointed(scan, row, segment, whole, _kept(scan, every), steps, every, first))
    return found


def _read(rows: Rows, roots: Sequence[Node], known: Collection[int]) -> set[int]:
    """The ids of the roots and of all that is read to compute them, where some is known."""
    return {a.id for row in rows.order(roots, known) for a in rows.args(row)} | {root.id for root in roots}


def _kept(scan: Node, every: str) -> tuple[Node, ...]:
    """A leaf for what every carry is at the first step of each segment."""
    loop: Loop = scan.attr
    count = sp.ceiling(loop.length / sp.Symbol(every, integer=True, positive=True))
    names = [f"{unplaced(c.name or 'c')}_kept" for c in loop.carry]
    return tuple([body_leaf(scan.graph, name, (count, *c.shape), "checkpoint", c.kind)
                  for name, c in zip(names, loop.carry, strict=True)])


@dataclass(frozen=True)
class _Part:
    """One loop, the loop backwards, what backward computes in ``order``, the ids of what it returns, the loops that are
    ``found`` already, and all ``others``: their steps read what they are computed from once more."""

    rows: Rows
    scan: Node
    reverse: Node
    order: Sequence[Node]
    returned: frozenset[int]
    found: Sequence[Checkpointed]
    others: Sequence[Node]

    def divided(self, kept: Iterable[Node]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """Of the rows that forward would keep of the loop: those that are computed again for the steps of one segment,
        and for all steps."""
        own = {row.id: row for row in kept if self._is_own(row)}
        read = {a.id for row in self.order if row is not self.reverse for a in self.rows.args(row)}
        read |= _read(self.rows, [a for scan in self.others for a in self.rows.args(scan)], own)
        early = self._early(own, kept)
        again = [row for id_, row in own.items() if id_ not in early and not self._stays(row, early)]
        whole = {row.id for row in again if row.id in read}
        whole |= {states.after.id for row in again if row.id in whole and (states := self.rows.states(row)) is not None}
        whole |= {row.id for row in again if (s := self.rows.states(row)) is not None and s.after.id in whole}
        return tuple([r for r in again if r.id not in whole]), tuple([r for r in again if r.id in whole])

    def _early(self, own: Collection[int], kept: Iterable[Node]) -> set[int]:
        """The ids of what is read before the loop backwards begins, by other loops as they compute their steps again
        too."""
        rows = self.rows.like(again=self.found)
        again = {row.id for part in self.found for row in part.computed(rows)}
        return _read(rows, self._outside(own), {*own, *[row.id for row in kept if row.id not in again]})

    def _is_own(self, row: Node) -> bool:
        """Whether a row is a stack of the loop, or of its states before each step."""
        states = self.rows.states(row)
        if states is not None:
            return states.scan is self.scan and self.returned.isdisjoint((row.id, states.after.id))
        stacked = row.is_result and row.args[0] is self.scan and row.attr >= len(self.scan.attr.carry)
        return stacked and row.id not in self.returned

    def _outside(self, own: Collection[int]) -> list[Node]:
        """What the loop backwards reads but for sequences that are the loop's own."""
        n, m = len(self.reverse.attr.carry), len(self.reverse.attr.sequences)
        args = self.rows.args(self.reverse)
        return [a for k, a in enumerate(args) if not (n <= k < n + m and a.id in own)]

    def _stays(self, row: Node, early: Collection[int]) -> bool:
        """Whether the states before each step share an array with a stack that is read too early."""
        states = self.rows.states(row)
        return states is not None and states.after.id in early


# -- between blocks that are written out
# Forward keeps what crosses from one segment to the next, and backward computes the statements of a segment again, as
# forward wrote them, before it goes back through it. A cut is a place in forward where few arrays that gradients pass
# through are read later, x alone between two residual blocks. Masks, places and what else is made of data alone do not
# count: they are computed again, or kept.
MOST_ACROSS = 4  # arrays at a cut


@dataclass
class Reads:
    """Which variables the statements of a block read, and their rows."""

    rows: Rows
    block: Block
    row_of: dict[str, Node] = field(default_factory=dict)

    def of(self, item: Statement) -> set[str]:
        if isinstance(item, Recompute):
            own = Reads(self.rows, item.block, self.row_of)
            return {word for inner in item.block.statements for word in own.of(inner)} - {*written(item)}
        roots = item.rows if isinstance(item, Softmax) else (item.row,) if isinstance(item, (Assign, OneHot)) else ()
        found, seen, stack = set[str](), set[int](), list(roots)
        own_ids = {row.id for row in roots if row.id in self.block.names and self.block.variable(row) in written(item)}
        while stack:
            row = stack.pop()
            word = self.block.variable(row) if row.id in self.block.names and row.id not in own_ids else ""
            if word:
                found.add(word)
                self.row_of[word] = row
            elif row.id not in seen:
                seen.add(row.id)
                stack += self.rows.args(row)
        return found


@dataclass(frozen=True)
class Segmented:
    """Forward and backward in segments, what forward keeps by variable, and how many segments there are."""

    forward: Block
    backward: Block
    kept: dict[str, Node]
    count: int

    def says(self) -> str:
        return (f"Checkpoints: forward keeps what crosses between {self.count} segments; backward computes each but "
                "the last again before it goes back through it.")


class Cutting:
    """Cuts one program. ``kept`` is what forward keeps without checkpoints, by variable; ``results`` are the variables
    that forward returns; ``targets`` are the ids of the rows whose gradients are asked for."""

    def __init__(self, rows: Rows, forward: Block, backward: Block, kept: dict[str, Node], results: Collection[str],
                 gradients: Collection[str], targets: Collection[int]) -> None:
        self.rows, self.forward, self.backward = rows, forward, backward
        self.kept, self.results, self.gradients = kept, frozenset(results), frozenset(gradients)
        self.items, reads = forward.statements, Reads(rows, forward)
        self.reads = [reads.of(item) for item in self.items]
        self.row_of = reads.row_of | kept
        self.place = {word: k for k, item in enumerate(self.items) for word in written(item)}
        self.moving = self._moving(targets)

    def _moving(self, targets: Collection[int]) -> set[str]:
        """The variables that gradients pass through."""
        found = {word for word, row in self.row_of.items() if row.id in targets}
        for item, read in zip(self.items, self.reads, strict=True):
            found |= {*written(item)} if found & read else set()
        return found

    def _across(self) -> list[int]:
        """After each statement how many arrays that gradients pass through are read later."""
        last, change = {word: k for k, read in enumerate(self.reads) for word in read}, [0] * len(self.items)
        for word in self.moving & self.place.keys() & last.keys():
            change[self.place[word]] += 1
            change[last[word]] -= 1
        return [*accumulate(change)]

    def places(self) -> list[int]:
        """The statements after which forward may be cut: those where as few arrays cross as there may be, so that no
        piece has more than half of what is kept; none where there are no such."""
        across, own = self._across(), [self.place[word] for word in self.kept if word in self.place]
        for most in range(1, MOST_ACROSS + 1):
            cuts = [k for k, n in enumerate(across[:-1]) if 0 < n <= most]
            bounds = [-1, *cuts, len(self.items)]
            pieces = [sum(1 for k in own if a < k <= b) for a, b in pairwise(bounds)]
            if len(cuts) > 1 and 2 * max(pieces) <= len(own):
                return cuts
        return []

    def run(self, steps: int) -> Segmented | None:
        """The program with checkpoints at every so many cuts (0: the root of how many there are); None where that
        saves nothing."""
        cuts = self.places()
        step = steps or max(isqrt(len(cuts)), 1)
        chosen = cuts[step - 1 :: step]
        if not chosen:
            return None
        starts = [0, *[k + 1 for k in chosen]]
        kept = {word: row for word, row in self.kept.items() if self.place.get(word, starts[-1]) >= starts[-1]}
        found = list[Recompute]()
        for start, stop in reversed([*pairwise(starts)]):
            again = self._again(start, stop, kept)
            read = sorted(Reads(self.rows, again.block).of(again))
            rows = {word: self.row_of[word] for word in read}
            kept |= {word: row for word, row in rows.items() if row.value is None and not (
                row.is_declared and row.attr.role == "constant")}
            found += [again] if again.block.statements else []
        less = _arrays(kept) < _arrays(self.kept)
        return Segmented(self._forward(chosen, kept), self._backward(found), kept, len(found) + 1) if less else None

    def _again(self, start: int, stop: int, kept: Collection[str]) -> Recompute:
        """The statements of a segment that compute what backward reads and is not kept."""
        wanted = {word for word in self.kept if start <= self.place.get(word, -1) < stop and word not in kept}
        items = list[Statement]()
        for k in reversed(range(start, stop)):
            if wanted.intersection(written(self.items[k])):
                items.append(self.items[k])
                wanted |= self.reads[k].difference(kept)
        return Recompute(replace(self.forward, statements=items[::-1]))

    def _forward(self, cuts: Collection[int], kept: Collection[str]) -> Block:
        """Forward without what no later segment reads."""
        lasting = self.results.union(kept)
        return replace(self.forward, statements=[*_freed(self.items, self.reads, {k + 1 for k in cuts}, lasting)])

    def _backward(self, again: Iterable[Recompute]) -> Block:
        """Backward with the statements of a segment before the first that reads what they compute."""
        of, before = Reads(self.rows, self.backward).of, dict[int, list[Statement]]()
        first = {word: k for k, item in reversed([*enumerate(self.backward.statements)]) for word in of(item)}
        for part in again:
            before.setdefault(min(first[word] for word in written(part) if word in first), []).append(part)
        items = [x for k, item in enumerate(self.backward.statements) for x in (*before.get(k, ()), item)]
        places = {k for k, item in enumerate(items) if isinstance(item, Recompute)}
        return replace(self.backward, statements=[*_freed(items, [*map(of, items)], places, self.gradients)])


def _freed(items: Sequence[Statement], reads: Sequence[Collection[str]], places: Collection[int],
           lasting: Collection[str]) -> Iterator[Statement]:
    """The statements; before those at these places what has been computed and nothing reads any more is given up."""
    last = {word: k for k, read in enumerate(reads) for word in read}
    there = dict[str, None]()
    for k, item in enumerate(items):
        dead = [word for word in there if last.get(word, -1) < k and word not in lasting] if k in places else []
        if dead:
            yield Forget(tuple(dead))
        for word in dead:
            del there[word]
        there |= dict.fromkeys(written(item))
        yield item


def _arrays(kept: Mapping[str, Node]) -> int:
    """How many arrays are kept that are not given anyway."""
    return sum(row.ndim > 0 and bool(row.args) for row in kept.values())
