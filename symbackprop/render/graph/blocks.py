"""Finding the blocks of a deep model: rows called alike but for a number (`X3`, `X[3]`, `block3_q`), built alike.

A *family* is what such names share. Blocks are runs of consecutive numbers that the same families have. When every
block computes the same from its own rows, the rows of the block before and rows outside, one block stands for all of
them; else each block is drawn as one box, if there are at least `FEWEST`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from symbackprop.core.graph import Node
from symbackprop.render.graph.drawn import Drawn, written_arguments

FEWEST = 3
Family: TypeAlias = tuple[str, str]  # what stands before the number, and behind it
Member: TypeAlias = tuple[Family, int]


@dataclass(frozen=True)
class Blocks:
    """``members`` says which family and number a row (by id) has; ``alike`` whether all blocks are the same."""

    first: int
    last: int
    members: Mapping[int, Member]
    alike: bool

    def number_of(self, row: Node) -> int | None:
        member = self.members.get(row.id)
        return None if member is None else member[1]


def find_blocks(rows: Sequence[Drawn], names: Mapping[int, str]) -> Blocks | None:
    """The blocks of a picture, if its names show any."""
    families = _families(rows, names)
    runs = Counter(run for f in families.values() for run in [_run(sorted(f))] if run is not None)
    if not runs:
        return None
    first, last = min(runs, key=lambda r: (-runs[r], r[0] - r[1], r))
    members = _members(rows, names, families, first, last)
    alike = _alike(rows, members, first, last)
    return Blocks(first, last, members, alike) if alike or last - first + 1 >= FEWEST else None


def _candidates(name: str) -> list[Member]:
    """Every reading of a name as family and number; zero is what comes before the first block."""
    found = []
    for m in re.finditer(r"\d+", name):
        before, behind = name[: m.start()].rstrip("_[("), name[m.end() :].lstrip("])")
        found.append(((before, behind), int(m[0])))
    return found


def _families(rows: Sequence[Drawn], names: Mapping[int, str]) -> dict[Family, set[int]]:
    families: dict[Family, set[int]] = defaultdict(set)
    for d in rows:
        for family, number in _candidates(_name(d.row, names)):
            families[family].add(number)
    return families


def _run(numbers: Sequence[int]) -> tuple[int, int] | None:
    """The consecutive run of positive numbers that a family has, if it is a run."""
    positive = [n for n in numbers if n > 0]
    if len(positive) < 2 or positive[-1] - positive[0] + 1 != len(positive):
        return None
    return positive[0], positive[-1]


def _members(rows: Sequence[Drawn], names: Mapping[int, str], families: Mapping[Family, set[int]], first: int,
             last: int) -> dict[int, Member]:
    found: dict[int, Member] = {}
    for d in rows:
        for family, number in _candidates(_name(d.row, names)):
            if first <= number <= last and _run(sorted(families[family])) == (first, last):
                found.setdefault(d.row.id, (family, number))
    return found


def _name(row: Node, names: Mapping[int, str]) -> str:
    return names.get(row.id) or row.name or ""


# ---------------------------------------------------------------- are the blocks alike?


def _alike(rows: Sequence[Drawn], members: Mapping[int, Member], first: int, last: int) -> bool:
    """Whether all blocks compute the same; what the first one reads from before the blocks may be anything."""
    blocks: dict[int, dict[Family, Any]] = defaultdict(dict)
    for d in rows:
        if d.row.id in members:
            family, number = members[d.row.id]
            blocks[number][family] = _meaning(d, members)
    pattern = blocks[last]
    if any(set(b) != set(pattern) for b in blocks.values()):
        return False
    later = all(blocks[n] == pattern for n in range(first + 1, last + 1))
    return later and all(_matches(blocks[first][f], pattern[f]) for f in pattern)


def _meaning(d: Drawn, members: Mapping[int, Member]) -> tuple[Any, tuple[Any, ...]]:
    """How a row is computed, and which rows it reads, relative to its block."""
    own = members[d.row.id][1]
    slots = {r.id: k for k, r in enumerate(d.reads)}
    return _pattern(d.row, slots, top=True), tuple(_relative(r, own, members) for r in d.reads)


def _relative(row: Node, own: int, members: Mapping[int, Member]) -> Any:
    if row.id not in members:
        return ("outside", row.id)
    family, number = members[row.id]
    return (own - number, family)


def _pattern(row: Node, slots: Mapping[int, int], top: bool = False) -> Any:
    """A row without the identity of what it reads. Unnamed rows between are small, so recursion is shallow."""
    if not top and row.id in slots:
        return slots[row.id]
    if row.is_leaf:
        return (row.op.name, row.shape) if row.op.name == "leaf" else (row.op.name, row.attr)
    how = (row.origin.function, str(row.origin.options)) if row.origin is not None else (row.op.name, row.attr)
    return (how, tuple([_pattern(a, slots) for a in written_arguments(row)]))


def _matches(found: tuple[Any, tuple[Any, ...]], pattern: tuple[Any, tuple[Any, ...]]) -> bool:
    """The first block reads something from outside where the others read the block before them."""
    if found[0] != pattern[0] or len(found[1]) != len(pattern[1]):
        return False
    return all(a == b or (b[0] == 1 and a[0] == "outside") for a, b in zip(found[1], pattern[1], strict=True))
