"""Checkpoints between blocks that are written out: forward keeps what crosses from one segment to the next, and
backward computes the statements of a segment again, as forward wrote them, before it goes back through it. So gradients
are what they are without, to the last bit.

A cut is a place in forward where few arrays that gradients pass through are read later, x alone between two residual
blocks. Masks, places and what else is made of data alone do not count: they are computed again, or kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import isqrt

from symbackprop.codegen.program import Assign, Block, Forget, OneHot, Recompute, Softmax, Statement, written
from symbackprop.codegen.rows import Rows
from symbackprop.core.graph import Node

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
            kept |= {word: self.row_of[word] for word in read if not _is_constant(self.row_of[word])}
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


def _is_constant(row: Node) -> bool:
    return row.value is not None or (row.is_declared and row.attr.role == "constant")
