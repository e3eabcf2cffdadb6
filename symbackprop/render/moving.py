"""A model of scalars at a point that moves: its circuit with numbers, and the sweep through it, one number a step.

No NumPy is needed. Every row is computed by the reference of its functions (`core.plain`), rows that have a stable form
by that, as `Numbers` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.maths import Rounded
from symbackprop.core.ops.elementwise import evaluate_expr
from symbackprop.core.plain import Plain, Real
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy
from symbackprop.derive.stable import stable_totals
from symbackprop.derive.steps import Derivation, LoopStep
from symbackprop.render.document import Value
from symbackprop.render.factors import Factor
from symbackprop.render.graph.boxes import Builder
from symbackprop.render.graph.picture import Box, Picture
from symbackprop.render.numbers import DIGITS, outside_loops
from symbackprop.render.print.text import text

START = (1.0, 2.0, -1.0, 0.5, -2.0, 3.0)  # where leaves without an example begin, one after the other
PLAIN = Plain()


class Stop(NamedTuple):
    """One number of the sweep: of which box, whether it is a gradient (``back``), and how it is found, in words."""

    key: str
    back: bool
    words: str


def moving(derivation: Derivation) -> Moving | None:
    """The derivation with numbers that move, where all its rows are numbers."""
    rows = outside_loops(derivation)
    if derivation.model.functions or not all(map(_is_number, derivation.model.graph.topological(rows))):
        return None
    return Moving(derivation, rows)


class Moving:
    """The rows of a derivation whose model has numbers alone, to be computed again and again."""

    def __init__(self, derivation: Derivation, rows: Sequence[Node]) -> None:
        self.derivation = derivation
        better = stable_totals(derivation)
        self.rows = {row.id: better.get(row.id, row) for row in rows}
        model = derivation.model
        self.order = model.graph.topological([*self.rows.values()])
        self.leaves = {row.name or name: row for name, row in (*model.leaves().items(), *model.upstream.items())}

    def start(self) -> dict[str, float]:
        """The numbers of the model's example, or some; an upstream gradient is 1."""
        example: Mapping[str, Any] = self.derivation.model.example
        some = {name: START[k % len(START)] for k, name in enumerate(self.leaves)}
        ones = {name: 1.0 for name, row in self.leaves.items() if row.attr.role == "upstream"}
        return some | ones | {name: float(value) for name, value in example.items() if name in self.leaves}

    def at(self, values: Mapping[str, float]) -> Moved:
        """All numbers, where the leaves are these."""
        found: dict[int, Real] = {}
        for row in self.order:
            found[row.id] = Real(values[row.name or ""]) if _formula(row) is None else _computed(row, found)
        return Moved({id_: float(found[row.id]) for id_, row in self.rows.items()})

    def picture(self, values: Mapping[str, float]) -> Picture:
        """The circuit, with numbers."""
        return Builder(self.derivation, self.at(values)).picture(expand=True)


def _is_number(row: Node) -> bool:
    """Whether a row is one number that references compute, or is given; integers do not move."""
    formula = _formula(row)
    if formula is None:
        return row.is_declared and row.kind == FLOAT and not row.shape
    return not row.shape and formula.free_symbols <= {*PLACEHOLDERS}


def _formula(row: Node) -> sp.Expr | None:
    """What a row computes from its arguments; None where it is given, or no function of numbers."""
    if row.is_declared:
        return row.attr.value
    return row.value if row.is_number else row.attr.expr if row.form is not None else None


def _computed(row: Node, found: Mapping[int, Real]) -> Real:
    args = dict(zip(PLACEHOLDERS, [found[a.id] for a in row.args], strict=False))
    return Real(evaluate_expr(PLAIN, _formula(row), args))


class Moved:
    """The numbers of one point, as a picture asks for them."""

    def __init__(self, found: Mapping[int, float]) -> None:
        self.found = found

    def of(self, node: Node) -> Value | None:
        return self._shown(self.found[node.id]) if node.id in self.found else None

    def factor(self, factor: Factor) -> Value | None:
        """The value of a formula over rows."""
        if any(r.id not in self.found for r in factor.rows):
            return None
        args = dict(zip(PLACEHOLDERS, [Real(self.found[r.id]) for r in factor.rows], strict=False))
        return self._shown(float(evaluate_expr(PLAIN, to_sympy(factor.form), args)))

    def _shown(self, number: float) -> Value:
        return Value(Rounded(number, DIGITS, steady=True), number)


# -- the sweep
def sweep(derivation: Derivation, picture: Picture) -> list[Stop]:
    """The values that are computed, forward, then the gradients, backward."""
    boxes = {box.row: box for box in picture.boxes()}
    forward = [Stop(b.key, False, f"{b.equation.text} = {_said(b.value)}") for b in boxes.values() if b.formula]
    targets = [s.target.id for s in derivation.steps if not isinstance(s, LoopStep)]
    return [*forward, *[Stop(boxes[i].key, True, _found(boxes[i], picture)) for i in targets if i in boxes]]


def _found(box: Box, picture: Picture) -> str:
    """∂L/∂x = ∂L/∂y · ∂y/∂x + … = the same in numbers = the sum."""
    by_key = {other.key: other for other in picture.boxes()}
    wires = [w for w in picture.wires if w.source == box.key and w.local is not None]
    names = " + ".join([f"{by_key[w.target].gradient_name} · {w.local_name}" for w in wires])
    numbers = " + ".join([f"{_factor(by_key[w.target].gradient)} · {_factor(w.local)}" for w in wires])
    return " = ".join([x for x in (box.gradient_name, names, numbers, _said(box.gradient)) if x])


def _said(value: Rounded | None) -> str:
    return "" if value is None else text(value)


def _factor(value: Rounded | None) -> str:
    said = _said(value)
    return f"({said})" if said.startswith("−") else said
