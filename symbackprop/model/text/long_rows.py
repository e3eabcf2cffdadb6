"""Which rows without a name get a line of their own, so that text stays as short as the table of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from symbackprop.core.graph import Node

MAX_SIZE, MAX_DEPTH, SHARED_SIZE = 120, 20, 12


def parts(node: Node) -> list[Node]:
    """The rows that the text of a row mentions: the arguments of the call that made it, else its own."""
    if node.origin is None:
        return list(node.args)
    return [v for v in (*node.origin.args, *node.origin.options.values()) if isinstance(v, Node)]


def long_rows(order: Iterable[Node], in_place: Callable[[Node], bool]) -> Iterator[Node]:
    """Large rows that are read more than once, and rows nested too deeply, of those written ``in_place``; whoever is
    handed one gives it a name before asking for the next. ``order`` has arguments first."""
    readers: dict[int, int] = {}
    for node in (order := list(order)):
        for a in parts(node):
            readers[a.id] = readers.get(a.id, 0) + 1
    size: dict[int, int] = {}
    depth: dict[int, int] = {}
    for node in order:
        inner = [a for a in parts(node) if a.id in size and in_place(a)]
        size[node.id] = 1 + sum(size[a.id] for a in inner)
        depth[node.id] = 1 + max((depth[a.id] for a in inner), default=0)
        shared = readers.get(node.id, 0) > 1 and size[node.id] > SHARED_SIZE
        if node.args and in_place(node) and (shared or size[node.id] > MAX_SIZE or depth[node.id] > MAX_DEPTH):
            yield node
