"""Blocks of a deep model as items of its picture: one frame for all that are alike, else one box each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from symbackprop.core.graph import Node
from symbackprop.render.graph.blocks import Blocks, Family
from symbackprop.render.graph.drawn import Drawn
from symbackprop.render.graph.picture import Box, Frame, Item, Picture, Wire, as_kind
from symbackprop.render.names import text_name

BLOCK = "ℓ"


class Maker(Protocol):
    """What makes items and wires of rows."""

    def level(self, rows: Sequence[Drawn], labels: Mapping[int, str], prefix: str) -> tuple[list[Item], list[Wire]]: ...

    def key(self, row: Node, prefix: str) -> str: ...

    def text(self, row: Node, labels: Mapping[int, str]) -> str: ...


def in_blocks(make: Maker, rows: Sequence[Drawn], blocks: Blocks) -> tuple[list[Item], list[Wire]]:
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


def _block_boxes(make: Maker, inside: Sequence[Drawn], blocks: Blocks) -> list[Item]:
    made: list[Item] = []
    for number in range(blocks.first, blocks.last + 1):
        rows = [d.row for d in inside if blocks.number_of(d.row) == number]
        computed = [make.text(r, {}) for r in rows if not r.is_leaf]
        shown = ", ".join(computed[:4]) + (", …" if len(computed) > 4 else "")
        made.append(Box(f"block {number}", "block", f"block {number}", shown, shape=f"{len(computed)} rows"))
    return made


def _block_frame(make: Maker, rows: Sequence[Drawn], blocks: Blocks) -> Frame:
    """The last block with its number replaced by ℓ; rows of the block before it are what is carried."""
    own = [d for d in rows if blocks.number_of(d.row) == blocks.last]
    before = {r.id: r for d in own for r in d.reads if blocks.number_of(r) == blocks.last - 1}
    labels = {d.row.id: _block_name(blocks.members[d.row.id][0], BLOCK) for d in own}
    labels |= {i: _block_name(blocks.members[i][0], f"{BLOCK}−1") for i in before}
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
    title = f"for {BLOCK} = {blocks.first}, …, {blocks.last}"
    note = f"{count} blocks, built alike"
    return Frame("blocks", "the blocks", title, Picture(tuple(items), (*wires, *backs)), note)


def _around(rows: Sequence[Drawn], place: Mapping[int, str]) -> tuple[list[Drawn], list[Drawn]]:
    """The rows outside the blocks: those that need nothing of the blocks, and the others."""
    after = set(place)
    for d in rows:
        if any(r.id in after for r in d.reads):
            after.add(d.row.id)
    outside = [d for d in rows if d.row.id not in place]
    return [d for d in outside if d.row.id not in after], [d for d in outside if d.row.id in after]


def _block_name(family: Family, number: str) -> str:
    base = text_name(family[0] + family[1]) if family[1] else text_name(family[0])
    return f"{base},{number}" if "_" in base else f"{base}_{number}"


def _unique(wires: Iterable[Wire]) -> list[Wire]:
    return [w for w in dict.fromkeys(wires) if w.source != w.target]
