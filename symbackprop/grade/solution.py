"""The right answers as lines that `grade` itself accepts: the last hint, and a model solution for a whole model."""

from __future__ import annotations

from symbackprop.core.graph import Node
from symbackprop.core.notation import Notation
from symbackprop.derive import derive
from symbackprop.model.model import Model

LONG = 100


class Solution:
    """Right answers, one line a named quantity, each using those above it."""

    def __init__(self, model: Model) -> None:
        derivation = derive(model)
        self.names = derivation.names
        self.gradients = {n.id: n for n in derivation.gradients.values()}
        self.wanted = derivation.gradients
        self.forward = derivation.forward_ids
        self.notation = Notation(self.names, derivation.expanded)

    def lines(self, target: str) -> list[str]:
        """``dz2 = …``, ``dw2 = …``: what leads to the gradient of ``target``, which is the last line."""
        row = self.wanted[target]
        needed = [n for n in self._named(row) if n is not row]
        return [
            *[f"{self.names[n.id]} = {self.notation.row(n).text}" for n in needed],
            f"d{target} = {self._last(row)}",
        ]

    def _last(self, row: Node) -> str:
        return self.notation.row(row).text if row.args else self.notation.ref(row).text

    def _named(self, row: Node) -> list[Node]:
        """The named gradients that a gradient reads, in order."""
        order = row.graph.topological([row], frozenset(self.forward))
        return [n for n in order if n.id in self.names and n.id not in self.forward and n.args]
