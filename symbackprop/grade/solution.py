"""The right answers as lines that `grade` itself accepts: the last hint, and a model solution for a whole model."""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.core.graph import Node
from symbackprop.core.notation import Notation
from symbackprop.derive import Step, derive
from symbackprop.grade.reference import letters
from symbackprop.model.model import Model


class Solution:
    """Right answers, one line a named quantity, each using those above it.

    Loops of the model are unrolled before; where there were any (``loops``), only the model's own names are used.
    """

    def __init__(self, model: Model, loops: bool = False) -> None:
        derivation = derive(model)
        unseen = letters(derivation) if loops else set()
        self.names = {i: n for i, n in derivation.names.items() if i not in unseen}
        self.forward = frozenset(derivation.forward_ids)
        self.notation = Notation(self.names, derivation.expanded)
        steps = [s for s in derivation.steps if isinstance(s, Step)]
        self.rows = {self.names[s.target.id]: s.total for s in steps if s.target.id in self.names}
        self.rows |= derivation.gradients

    def lines(self, name: str) -> list[str]:
        """``dz2 = …``, ``dw2 = …``: what leads to the gradient of ``name``, which is the last line."""
        row = self.rows.get(name)
        if row is None:
            return []
        needed = [n for n in self._named(row) if n is not row]
        return [*[f"{self.names[n.id]} = {self.notation.row(n).text}" for n in needed], f"d{name} = {self._last(row)}"]

    def all_lines(self, names: Iterable[str]) -> list[str]:
        """The lines for several gradients, each once."""
        return list(dict.fromkeys(line for name in names for line in self.lines(name)))

    def _last(self, row: Node) -> str:
        return self.notation.row(row).text if row.args else self.notation.ref(row).text

    def _named(self, row: Node) -> list[Node]:
        """The named gradients that a gradient reads, in order."""
        order = row.graph.topological([row], self.forward)
        return [n for n in order if n.id in self.names and n.id not in self.forward and n.args]
