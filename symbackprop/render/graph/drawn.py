"""Which rows of a model are drawn, and what each reads: rows with a name, through the unnamed ones between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.derive.steps import Derivation

MANY = 40  # a picture of more boxes than this shows only rows that the user named, and blocks once


@dataclass(frozen=True)
class Drawn:
    """A row of the picture and the drawn rows that it reads, each once, in the order in which they are written."""

    row: Node
    reads: tuple[Node, ...]


def drawn_names(derivation: Derivation) -> dict[int, str]:
    """The names of rows that get a box. In a large model those are the ones that the user named."""
    names = derivation.names
    bodies = sum(len(rows) for scan, rows in derivation.bodies.items() if scan in derivation.forward_ids)
    if len(level(derivation.model.equations.values(), names)) + bodies <= MANY:
        return names
    nodes = derivation.model.graph.nodes
    return {k: v for k, v in names.items() if k in nodes and (nodes[k].name is not None or nodes[k].is_result)}


Own = dict[int, list[tuple[Node, Node]]]  # by loop: what a leaf is called in the body, and the leaf of the model


def drawn_rows(derivation: Derivation, names: Mapping[int, str]) -> tuple[list[Drawn], Own]:
    """The rows of the outermost level, in order of the model; loops stand in it as one row (op scan). What only one
    loop reads, at every step as a whole, is drawn in that loop."""
    rows = level(derivation.model.equations.values(), names)
    readers = Counter(r.id for d in rows for r in d.reads)
    own = {d.row.id: _own_leaves(d.row, readers) for d in rows if d.row.is_loop}
    inside = {leaf.id for pairs in own.values() for _, leaf in pairs}
    kept = [Drawn(d.row, tuple(r for r in d.reads if r.id not in inside)) for d in rows if d.row.id not in inside]
    return kept, own


def _own_leaves(scan: Node, readers: Mapping[int, int]) -> list[tuple[Node, Node]]:
    loop: Loop = scan.attr
    first = len(loop.carry) + len(loop.sequences)
    moving = {a.id for a in scan.args[:first]}
    pairs = zip(loop.invariants, scan.args[first:], strict=True)
    return [(inner, a) for inner, a in pairs if a.is_declared and readers[a.id] == 1 and a.id not in moving]


def body_rows(loop: Loop, results: Sequence[Node], names: Mapping[int, str], inside: Iterable[Node]) -> list[Drawn]:
    """The rows of a loop's body; invariants are outside, but for those in ``inside``."""
    own = list(inside)
    outside = {n.id for n in loop.invariants} - {n.id for n in own}
    found = level(results, names, loop.stop, frozenset(outside))
    leaves = [Drawn(leaf, ()) for leaf in (*loop.carry, *loop.sequences)]
    known = {d.row.id for d in leaves}
    return [*leaves, *[d for d in found if d.row.id not in known]]


def level(roots: Iterable[Node], names: Mapping[int, str], stop: frozenset[int] = frozenset(),
          outside: frozenset[int] = frozenset()) -> list[Drawn]:
    """Every named row that the roots need down to the rows in ``stop``, arguments first."""
    found: list[Drawn] = []
    seen: set[int] = set(outside)
    stack: list[tuple[Node, tuple[Node, ...] | None]] = [(r, None) for r in reversed(list(roots))]
    while stack:
        row, reads = stack.pop()
        if reads is not None:
            found.append(Drawn(row, tuple(r for r in reads if r.id not in outside)))
        elif row.id not in seen:
            seen.add(row.id)
            reads = () if row.id in stop else operands(row, names, stop)
            stack.append((row, reads))
            stack.extend((r, None) for r in reversed(reads))
    return found


def operands(row: Node, names: Mapping[int, str], stop: frozenset[int]) -> tuple[Node, ...]:
    """The drawn rows that a row reads; a call of a library function reads what it was called with."""
    found: dict[int, Node] = {}
    stack = list(reversed(written_arguments(row)))
    while stack:
        node = stack.pop()
        if node.is_leaf and not isinstance(node.attr, Leaf):
            continue
        if node.is_leaf or node.id in names or node.id in stop or node.is_loop:
            found.setdefault(node.id, node)
        else:
            stack.extend(reversed(written_arguments(node)))
    return tuple(found.values())


def written_arguments(row: Node) -> list[Node]:
    """The arguments as the model was written."""
    if row.origin is not None:
        return [a for a in row.origin.args if isinstance(a, Node)]
    return list(row.args)
