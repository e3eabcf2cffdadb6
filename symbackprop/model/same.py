"""Whether two models are the same: what they declare, and rows that compute the same from the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symbackprop.core.graph import Leaf, Node, key_of
from symbackprop.core.loops import Loop
from symbackprop.model.model import Model


def first_difference(model: Model, other: Model) -> str | None:
    """The first declared name that says other things in two models, or ``conventions``; None if they are the same."""
    known: dict[Any, int] = {}
    one, two = (_declared(m, known) for m in (model, other))
    return next((name for name in {**one, **two} if one.get(name) != two.get(name)), None)


def _declared(model: Model, known: dict[Any, int]) -> dict[str, Any]:
    rows = {s.name: model.graph.names[s.name] for s in model.statements if s.name in model.graph.names}
    numbers = dict(zip(rows, Numbers(known).of(list(rows.values())), strict=True))
    said = {s.name: (s.keyword, numbers.get(s.name), model.notation_of.get(s.name)) for s in model.statements}
    return said | {"conventions": (model.graph.relu0, model.sizes)}


class Numbers:
    """Numbers of rows: two rows, of other graphs too, have one number where they compute the same from the same."""

    def __init__(self, known: dict[Any, int]) -> None:
        self.known, self.found = known, dict[int, int]()

    def of(self, rows: Sequence[Node], stop: frozenset[int] = frozenset()) -> list[int]:
        for row in rows[0].graph.topological(rows, stop) if rows else ():
            if row.id not in self.found:
                self.found[row.id] = self._number(row.name, row.shape, row.kind, self._key(row))
        return [self.found[row.id] for row in rows]

    def _number(self, *key: Any) -> int:
        return self.known.setdefault(key, len(self.known))

    def _key(self, row: Node) -> Any:
        if isinstance(row.attr, Leaf):
            return row.attr.role, row.attr.below, row.attr.value, row.attr.stated
        attr = self._loop(row.attr) if isinstance(row.attr, Loop) else row.attr
        return key_of(row.op.name, tuple([self.found[a.id] for a in row.args]), attr)

    def _loop(self, loop: Loop) -> Any:
        for leaf in loop.leaves():
            self.found[leaf.id] = self._number(leaf.name, leaf.shape)
        sizes = loop.length, loop.reverse, len(loop.carry), len(loop.sequences)
        return *sizes, *self.of(loop.results(), loop.stop())
