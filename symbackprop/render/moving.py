"""A small model at a point that moves: its graph with numbers, and the sweep through it, one array a step.

No NumPy is needed. Every row is computed by the reference of its op (`core.plain_arrays`), rows that have a stable form
by that, as `Numbers` does it. Dimensions without a size get a small one; loops are written out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import cycle
from math import isfinite, prod
from typing import Any, NamedTuple, TypeAlias

from symbackprop.core.graph import INT, Leaf, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.maths import Delta, Derivative, Relation, Rounded, Shaped, Sym, Values, product
from symbackprop.core.ops.elementwise import evaluate_expr
from symbackprop.core.plain_arrays import Array, Arrays, Missing, asarray, spread
from symbackprop.core.scalars import PLACEHOLDERS
from symbackprop.core.shapes import evaluate_dim, evaluate_shape
from symbackprop.core.sizes import in_numbers, number
from symbackprop.derive import derive
from symbackprop.derive.stable import stable_totals
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.errors import SymbackpropError
from symbackprop.model.copying import copied
from symbackprop.model.model import Model
from symbackprop.render.board import build_document
from symbackprop.render.document import Line, Value
from symbackprop.render.factors import ONE, Factor
from symbackprop.render.graph.boxes import Builder
from symbackprop.render.graph.picture import Box, Picture, Rule, said
from symbackprop.render.graph.typesetting import line
from symbackprop.render.numbers import DIGITS, MAX_ENTRIES, outside_loops
from symbackprop.render.options import Options
from symbackprop.render.print.text import text

START = (1.0, 2.0, -1.0, 0.5, -2.0, 3.0)  # where numbers without an example begin, one after the other
ENTRIES = (0.5, -1.0, 0.8, 0.2, -0.6, 1.0, -0.3)  # and the entries of arrays
SMALL = (2, 3)  # sizes of dimensions without one, one after the other
LOOPS, LONGEST = 2, 4  # steps of a loop over a symbolic axis; of the longest loop that is written out
MOST_ROWS = 400
ARRAYS = Arrays()
Entries: TypeAlias = "Mapping[str, Sequence[float]]"  # of leaves, by name


class Stop(NamedTuple):
    """One array of the sweep: of which box, whether it is a gradient (``back``), and how it is found, in words."""

    key: str
    back: bool
    words: str


def moving(derivation: Derivation) -> Moving | None:
    """The derivation with numbers that move, where the model is small, or may be."""
    model = derivation.model
    if model.functions or any(row.attr.stated for row in model.leaves().values()):
        return None
    loops = [row.attr for row in model.graph.nodes.values() if isinstance(row.attr, Loop)]
    fixed = {s.name: LOOPS for loop in loops for s in loop.length.free_symbols}
    if any(evaluate_dim(loop.length, fixed) > LONGEST for loop in loops):
        return None
    plain = derive(_unrolled(model, fixed)) if loops else derivation
    if len(rows := outside_loops(plain)) > MOST_ROWS:
        return None
    found = (_begun(Moving(plain, rows, sizes, fixed)) for sizes in _sizes(plain.model))
    return next((m for m in found if m is not None), None)


def _unrolled(model: Model, fixed: Mapping[str, int]) -> Model:
    """The model with its loops written out."""
    short = copied(model, fixed)
    short.example = dict(model.example)
    return short


def _sizes(model: Model) -> Iterator[dict[str, int]]:
    """Sizes that may do: those that the model states and small ones, then small ones alone."""
    for stated, small in ((True, SMALL), (True, SMALL[:1]), (False, SMALL[:1])):
        free = cycle(small)
        yield {n: k if stated and k is not None else next(free) for n, k in model.sizes.items()}


def _begun(m: Moving) -> Moving | None:
    """Where the leaves have room for fields and all rows can be computed."""
    try:
        if any(not 0 < prod(shape) <= MAX_ENTRIES for shape in m.shapes.values()):
            return None
        found = m.at(m.start()).found
        finite = all(isfinite(x) for row in m.results for x in found[row.id].entries)
    except (Missing, SymbackpropError, ValueError, IndexError):  # no function, or no such sizes
        return None
    return m if finite or not any(m.shapes.values()) else None


class Moving:
    """The rows of a derivation, to be computed again and again; ``sizes`` of dimensions, those ``fixed`` for loops."""

    def __init__(self, derivation: Derivation, rows: Sequence[Node], sizes: Mapping[str, int],
                 fixed: Mapping[str, int]) -> None:
        self.derivation, self.sizes, self.fixed = derivation, sizes, fixed
        better = stable_totals(derivation)
        self.rows = {row.id: better.get(row.id, row) for row in rows}
        model = derivation.model
        self.order = model.graph.topological([*self.rows.values()])
        self.leaves = {row.name or name: row for name, row in (*model.leaves().items(), *model.upstream.items())}

    @property
    def results(self) -> list[Node]:
        """The outputs of the model, and the gradients."""
        return [*self.derivation.model.results(), *self.derivation.gradients.values()]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """How many fields each leaf has, along every axis."""
        return {name: evaluate_shape(row.shape, self.sizes) for name, row in self.leaves.items()}

    @cached_property
    def below(self) -> dict[str, int]:
        """What integers have to be below."""
        integers = {n: row.attr.below for n, row in self.leaves.items() if row.kind == INT}
        return {n: 2 if bound is None else evaluate_dim(bound, self.sizes) for n, bound in integers.items()}

    @cached_property
    def attributes(self) -> dict[int, Any]:
        return {r.id: in_numbers(r.attr, self.sizes, exact=r.is_number) for r in self.order if not r.is_declared}

    def start(self) -> dict[str, list[float]]:
        """The numbers of the model's example, or some; upstream gradients are 1."""
        example: Mapping[str, Any] = self.derivation.model.example
        some = {name: self._some(name, k) for k, name in enumerate(self.leaves)}
        given = {name: asarray(value) for name, value in example.items() if name in self.leaves}
        return some | {n: [float(x) for x in a.entries] for n, a in given.items() if a.shape == self.shapes[n]}

    def _some(self, name: str, place: int) -> list[float]:
        """Numbers for the leaf at a place among the leaves."""
        count = prod(self.shapes[name])
        if name in self.below:
            return [float((k + 1) % self.below[name]) for k in range(count)]
        if self.leaves[name].attr.role == "upstream":
            return [1.0] * count
        if not self.shapes[name]:
            return [START[place % len(START)]]
        return [ENTRIES[(place + k) % len(ENTRIES)] for k in range(count)]

    def allowed(self, name: str, entries: Sequence[float]) -> bool:
        """Whether a leaf may have these entries."""
        bound = self.below.get(name)
        whole = bound is None or all(x.is_integer() and 0 <= x < bound for x in map(float, entries))
        return len(entries) == prod(self.shapes[name]) and all(map(isfinite, entries)) and whole

    def at(self, values: Entries) -> Moved:
        """All arrays, where the leaves are these."""
        found: dict[int, Array] = {}
        for row in self.order:
            found[row.id] = self._given(row, values) if row.is_declared else self._computed(row, found)
        return Moved(self, {id_: found[row.id] for id_, row in self.rows.items()})

    def _given(self, row: Node, values: Entries) -> Array:
        leaf: Leaf = row.attr
        if leaf.value is not None:
            return asarray(float(number(leaf.value, self.sizes)))
        as_kind = int if row.kind == INT else float
        return Array(self.shapes[row.name or ""], [as_kind(x) for x in values[row.name or ""]])

    def _computed(self, row: Node, found: Mapping[int, Array]) -> Array:
        """The value of a row in its own shape: a formula that ignores an argument ignores its shape."""
        attr = self.attributes[row.id]
        value = asarray(row.op.reference(ARRAYS, attr, *[found[a.id] for a in row.args]))
        return self._shaped(value, row) if isinstance(attr, Kernel) else value

    def _shaped(self, value: Array, row: Node | Factor) -> Array:
        shape = evaluate_shape(row.shape, self.sizes)
        return Array(shape, [*spread(value, shape)])

    def factor(self, factor: Factor, found: Mapping[int, Array]) -> Array:
        """The value of a formula over rows."""
        args = dict(zip(PLACEHOLDERS, [found[r.id] for r in factor.rows], strict=False))
        kernel = in_numbers(Kernel(factor.form), self.sizes)
        return self._shaped(asarray(evaluate_expr(ARRAYS, kernel.expr, args)), factor)

    def picture(self, values: Entries) -> Picture:
        """The graph, with numbers."""
        return Builder(self.derivation, self.at(values)).picture(expand=True)

    # -- what is printed of it
    @cached_property
    def lines(self) -> dict[str, Sequence[Line]]:
        """The lines of the steps, by the names of their rows."""
        page = build_document(self.derivation, Options(view="matrix", whole=True))
        return {step.name: step.lines for step in page.steps}

    @cached_property
    def rules(self) -> dict[tuple[int | None, int | None], Line]:
        """The lines of local derivatives, by the rows: of what, by what."""
        locals_ = [x for lines in self.lines.values() for x in lines if x.kind == "local"]
        return {(x.left.top.row, x.left.bottom.row): x for x in locals_ if isinstance(x.left, Derivative)
                and isinstance(x.left.top, Sym) and isinstance(x.left.bottom, Sym)}


class Moved:
    """The arrays of one point, as a picture asks for them."""

    def __init__(self, moving: Moving, found: Mapping[int, Array]) -> None:
        self.moving, self.found = moving, found

    def of(self, node: Node) -> Value | None:
        return shown(self.found[node.id]) if node.id in self.found else None

    def factor(self, factor: Factor) -> Value | None:
        """The value of a formula over rows."""
        known = all(r.id in self.found for r in factor.rows)
        return shown(self.moving.factor(factor, self.found)) if known else None

    def rule(self, row: Node, argument: Node, factor: Factor | None) -> Rule | None:
        """The local derivative of arrays as the derivation says it, with its entries where it has some."""
        found, upstream = self.moving.rules.get((row.id, argument.id)), Shaped(Delta(), row.shape)
        if found is None:
            return self._of_loss(argument) if row is self.moving.derivation.model.loss_row else None
        if isinstance(found.right, Relation):
            return Rule(line(found.right))
        value = None if factor is None else self.factor(factor)
        formula = upstream if factor == ONE else product(upstream, found.right)
        return Rule(line(Relation(upstream, "↦", formula)), None if value is None else value.shown)

    def _of_loss(self, argument: Node) -> Rule | None:
        """The gradient of what only the loss reads."""
        steps = [s for s in self.moving.derivation.steps if isinstance(s, Step) and s.target is argument]
        if not steps or len(steps[0].contributions) != 1:
            return None
        name, value = self.moving.derivation.name(argument), self.of(steps[0].total)
        formulas = [x.right for x in self.moving.lines.get(name or "", ()) if x.kind == "result"]
        return Rule(line(formulas[0]), None if value is None else value.shown) if formulas else None


def shown(array: Array) -> Value:
    """An array as it is written in a graph: of more than two axes as the rows that it has along the last."""
    entries = [float(x) for x in array.entries]
    if not array.shape:
        return Value(Rounded(entries[0], DIGITS, steady=True), entries[0])
    size = array.shape[-1]
    rows: Values = tuple([tuple(entries[k : k + size]) for k in range(0, len(entries), size)])
    small = len(entries) <= MAX_ENTRIES
    written = rows[0] if array.ndim == 1 else rows  # type: ignore[index]
    return Value(Rounded(written, DIGITS - 1, steady=True) if small else None, entries)


# -- the sweep
def sweep(moving: Moving, picture: Picture) -> list[Stop]:
    """The values that are computed, forward, then the gradients, backward."""
    boxes = {box.row: box for box in picture.boxes() if box.value is not None}
    forward = [Stop(b.key, False, f"{b.equation.text} = {_said(b.value)}") for b in boxes.values() if b.formula]
    targets = [s.target.id for s in moving.derivation.steps if not isinstance(s, LoopStep)]
    found = [boxes[i] for i in targets if i in boxes and boxes[i].gradient is not None]
    return [*forward, *[Stop(box.key, True, _found(moving, box, picture)) for box in found]]


def _found(moving: Moving, box: Box, picture: Picture) -> str:
    """∂L/∂x = ∂L/∂y · ∂y/∂x + … = the same in numbers = the sum; of arrays the formula in the place of the numbers."""
    by_key = {other.key: other for other in picture.boxes()}
    wires = [w for w in picture.wires if w.source == box.key and w.is_labelled]
    if any(w.local is None for w in wires):
        formulas = [text(x.right) for x in moving.lines[box.key] if x.kind in ("chain", "result")]
        return " = ".join([box.gradient_name, *formulas, _said(box.gradient)])
    names = " + ".join([f"{by_key[w.target].gradient_name} · {w.local_name}" for w in wires])
    numbers = " + ".join([f"{_factor(by_key[w.target].gradient)} · {_factor(w.local)}" for w in wires])
    return " = ".join([x for x in (box.gradient_name, names, numbers, _said(box.gradient)) if x])


def _said(value: Rounded | None) -> str:
    return "" if value is None else said(value)


def _factor(value: Rounded | None) -> str:
    found = _said(value)
    return f"({found})" if found.startswith("−") else found
