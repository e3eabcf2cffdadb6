"""The blocks of a deep model: rows called alike but for a number (`X3`, `X[3]`, `block3_q`), built alike.

A *family* is what such names share. Blocks are runs of consecutive numbers that the same families have. When every
block computes the same from its own rows, the rows of the block before and rows outside, one frame stands for all of
them; else each block is drawn as one box, if there are at least `FEWEST`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from symbackprop.core.graph import Node
from symbackprop.core.maths import Entry, Letter, Math, Place, Range, Several, Sym, plain
from symbackprop.core.printer import Text
from symbackprop.render.graph.drawn import Drawn, written_arguments
from symbackprop.render.graph.picture import Box, Frame, Item, Picture, Wire, as_kind
from symbackprop.render.graph.typesetting import line

if TYPE_CHECKING:
    from symbackprop.render.graph.boxes import Builder

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
        return (row.op.name, row.shape) if row.is_declared else (row.op.name, row.attr)
    how = (row.origin.function, str(row.origin.options)) if row.origin is not None else (row.op.name, row.attr)
    return (how, tuple([_pattern(a, slots) for a in written_arguments(row)]))


def _matches(found: tuple[Any, tuple[Any, ...]], pattern: tuple[Any, tuple[Any, ...]]) -> bool:
    """The first block reads something from outside where the others read the block before them."""
    if found[0] != pattern[0] or len(found[1]) != len(pattern[1]):
        return False
    return all(a == b or (b[0] == 1 and a[0] == "outside") for a, b in zip(found[1], pattern[1], strict=True))


BLOCK = "ℓ"


def in_blocks(make: Builder, rows: Sequence[Drawn], blocks: Blocks) -> tuple[list[Item], list[Wire]]:
    """Every block as one item; if they are alike, all of them as one frame."""
    inside = [d for d in rows if d.row.id in blocks.members]
    place = {d.row.id: _block_key(d.row, blocks) for d in inside}
    wires = _unique(
        Wire(place.get(r.id) or make.key(r, ""), place.get(d.row.id) or make.key(d.row, ""))
        for d in rows for r in d.reads
    )
    made = [_block_frame(make, rows, blocks)] if blocks.alike else _block_boxes(make, inside, blocks)
    before, after = _around(rows, place)
    return [*make.level(before, {}, "")[0], *made, *make.level(after, {}, "")[0]], wires


def _block_key(row: Node, blocks: Blocks) -> str:
    return "blocks" if blocks.alike else f"block {blocks.number_of(row)}"


def _block_boxes(make: Builder, inside: Sequence[Drawn], blocks: Blocks) -> list[Item]:
    made: list[Item] = []
    for number in range(blocks.first, blocks.last + 1):
        rows = [d.row for d in inside if blocks.number_of(d.row) == number]
        computed = [make.symbol(r, {}) for r in rows if not r.is_leaf]
        shown = line(Several(tuple(computed[:4]), len(computed) > 4))
        name = f"block {number}"
        made.append(Box(name, "block", Text(name), shown, shape=Text(f"{len(computed)} rows")))
    return made


def _block_frame(make: Builder, rows: Sequence[Drawn], blocks: Blocks) -> Frame:
    """The last block with its number replaced by ℓ; rows of the block before it are what is carried."""
    own = [d for d in rows if blocks.number_of(d.row) == blocks.last]
    before = {r.id: r for d in own for r in d.reads if blocks.number_of(r) == blocks.last - 1}
    labels = {d.row.id: _block_name(d.row, blocks, 0) for d in own}
    labels |= {i: _block_name(r, blocks, -1) for i, r in before.items()}
    ids = {d.row.id for d in own} | set(before)
    body = [*[Drawn(r, ()) for r in before.values()],
            *[Drawn(d.row, tuple(r for r in d.reads if r.id in ids)) for d in own]]
    items, wires = make.level(body, labels, "blocks/")
    old = {make.key(r, "blocks/") for r in before.values()}
    items = [as_kind(i, "carry") if i.key in old else i for i in items]
    new = {blocks.members[d.row.id][0]: d.row for d in own}
    backs = [
        Wire(make.key(new[blocks.members[i][0]], "blocks/"), make.key(r, "blocks/"), back=True)
        for i, r in before.items()
    ]
    count = blocks.last - blocks.first + 1
    title = line.row(Text("for "), line(Range(BLOCK, plain(blocks.first), plain(blocks.last))))
    note = f"{count} blocks, built alike"
    return Frame("blocks", Text("the blocks"), title, Picture(tuple(items), (*wires, *backs)), note)


def _around(rows: Sequence[Drawn], place: Mapping[int, str]) -> tuple[list[Drawn], list[Drawn]]:
    """The rows outside the blocks: those that need nothing of the blocks, and the others."""
    after = set(place)
    for d in rows:
        if any(r.id in after for r in d.reads):
            after.add(d.row.id)
    outside = [d for d in rows if d.row.id not in place]
    return [d for d in outside if d.row.id not in after], [d for d in outside if d.row.id in after]


def _block_name(row: Node, blocks: Blocks, before: int) -> Math:
    """What a row is called in the block ``BLOCK``, or in one before it."""
    letter = Letter(BLOCK)
    number = Place(((1, letter), (before, None))) if before else letter
    return Entry(Sym("".join(blocks.members[row.id][0]), row.shape, row.id), (number,), row.ndim)


def _unique(wires: Iterable[Wire]) -> list[Wire]:
    return [w for w in dict.fromkeys(wires) if w.source != w.target]
