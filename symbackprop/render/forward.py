"""The forward pass as numbered equations."""

from __future__ import annotations

from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.derive.steps import Derivation
from symbackprop.render.context import Context
from symbackprop.render.document import Equation, Line, Prose


class Forward:
    """Numbers the rows of the forward pass and writes them."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self.rows = sorted(derivation.forward, key=lambda row: row.id)  # in the order in which they were declared
        self.numbers = {row.id: k for k, row in enumerate(self.rows, 1)}
        self.anchors = {row_id: f"eq-{k}" for row_id, k in self.numbers.items()}

    def equations(self, context: Context) -> tuple[Equation, ...]:
        return tuple(self._equation(context, row) for row in self.rows)

    def _equation(self, context: Context, row: Node) -> Equation:
        pen, number = context.pen, self.numbers[row.id]
        value = context.value(row)
        introduced = row.name is None
        line = Line("definition", pen.bare(row), pen.row(row), self._reason(context, row), value=value)
        shape = pen(lambda n: Text(n.shape_text(row.shape))) if row.shape else None
        name = self.derivation.names.get(row.id) or "?"
        return Equation(number, name, self.anchors[row.id], line, shape, introduced, value)

    def _reason(self, context: Context, row: Node) -> Prose:
        if row is context.loss:
            return ("the loss",)
        if row.name in self.derivation.model.output_rows:
            return ("output",)
        return ()
