"""Which rows of a model are drawn, and what each reads: rows with a name, through the unnamed ones between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.derive.steps import Derivation

HIDDEN = {"const", "eye", "arange"}
MANY = 48  # a picture of more boxes than this shows only rows that the user named, and blocks once


@dataclass(frozen=True)
class Drawn:
    """A row of the picture and the drawn rows that it reads, each once, in the order in which they are written."""

    row: Node
    reads: tuple[Node, ...]


def drawn_rows(derivation: Derivation) -> list[Drawn]:
    """The rows of the outermost level, in order of the model; loops stand in it as one row (op scan)."""
    roots = [*derivation.model.equations.values()]
    names = derivation.names
    full = level(roots, names)
    return full if len(full) <= MANY else level(roots, {k: v for k, v in names.items() if _users(derivation, k)})


def _users(derivation: Derivation, row: int) -> bool:
    node = derivation.model.graph.nodes[row]
    return node.name is not None or node.op.name == "out"


def body_rows(loop: Loop, results: Sequence[Node], names: dict[int, str]) -> list[Drawn]:
    """The rows of a loop's body; the invariants are outside."""
    outside = frozenset(n.id for n in loop.invariants)
    inner = level(results, names, loop.stop(), outside)
    leaves = [Drawn(leaf, ()) for leaf in (*loop.carry, *loop.sequences)]
    known = {d.row.id for d in leaves}
    return [*leaves, *[d for d in inner if d.row.id not in known]]


def level(roots: Iterable[Node], names: dict[int, str], stop: frozenset[int] = frozenset(),
          outside: frozenset[int] = frozenset()) -> list[Drawn]:  # fmt: skip
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


def operands(row: Node, names: dict[int, str], stop: frozenset[int]) -> tuple[Node, ...]:
    """The drawn rows that a row reads; a call of a library function reads what it was called with."""
    found: dict[int, Node] = {}
    stack = list(reversed(written_arguments(row)))
    while stack:
        node = stack.pop()
        if node.op.name in HIDDEN:
            continue
        if node.is_leaf or node.id in names or node.id in stop or node.op.name == "scan":
            found.setdefault(node.id, node)
        else:
            stack.extend(reversed(written_arguments(node)))
    return tuple(found.values())


def written_arguments(row: Node) -> list[Node]:
    """The arguments as the model was written."""
    if row.origin is not None:
        return [a for a in row.origin.args if isinstance(a, Node)]
    return list(row.args)
