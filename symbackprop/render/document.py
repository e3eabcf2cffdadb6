"""The derivation as a document: finished lines, ready for any format.

`anatomy.py` decides what is said; the formats (text, LaTeX, Markdown, HTML, JSON) only decide where it stands on the
page. All mathematics comes as trees (`core.maths`), which `render.print` prints. A tree knows which of its parts refer
to something computed elsewhere (a forward value, a δ): `maths.Link`.

Anchors: ``eq-3`` is the third forward equation, ``step-4`` the fourth step, ``in-x`` the declared array ``x``. They are
unique in a document and safe as HTML ids and LaTeX labels; ``rule-2`` is the second rule of the appendix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from symbackprop.core.maths import Math, Relation, Rounded, Shape, Sym
from symbackprop.records import record
from symbackprop.render.print.text import text


@record(frozen=True)
class Ref:
    """A reference in prose: ``step 3`` or ``(2)``."""

    anchor: str
    text: str


Prose = tuple[str | Math | Ref, ...]  # running text with mathematics and references between


@record(frozen=True)
class Value:
    """A number or an array: ``shown`` rounded for reading (None when too large to print), ``data`` exact, for JSON."""

    shown: Rounded | None
    data: Any


@record(frozen=True)
class Line:
    """One row of a display: ``left sign right``, with the reason beside it. ``left`` is None where the row above
    goes on.

    ``kind`` is one of

    - ``definition``: a forward equation;
    - ``chain``: the chain rule over named quantities;
    - ``cached``: a factor that an earlier step or the forward pass computed, and where;
    - ``local``: a local derivative, its rule in ``reason``;
    - ``substitution``: the factors put into the chain;
    - ``result``: the final form in which later steps use it, after a simplification with its rule in ``reason``;
    - ``terms``: the two terms that rules leave of a gradient, before a common factor is taken out;
    - ``part``: a name for a part of the closed form below, for this step;
    - ``closed``: the shortest form of a gradient, the rules that lead to it in ``reason``;
    - ``element``: one entry of an array, in index view;
    - ``written``: on a board, a sum over paths without δ's;
    - ``check``: a difference quotient, or the loss at another point;
    - ``omitted``: ⋮, what is left out in this place.

    ``value`` is the number that the line comes to, when numbers were given.
    """

    kind: str
    left: Math | None
    right: Math
    reason: Prose = ()
    sign: str = "="
    value: Value | None = None

    @property
    def number(self) -> Rounded | None:
        """The number to be printed behind the formula; None where the formula is that number already."""
        shown = None if self.value is None else self.value.shown
        return None if shown is None or text(shown) == text(self.right) else shown


# what a declared array is called, one and several of them
ROLES = {"data": ("data", "data"), "input": ("input", "inputs"), "param": ("parameter", "parameters"),
         "constant": ("constant", "constants"), "upstream": ("upstream gradient", "upstream gradients")}


@record(frozen=True)
class Declaration:
    """A declared array: ``role`` is one of `ROLES`; ``whole``: its entries are integers."""

    name: str
    anchor: str
    math: Math
    role: str
    shape: Math | None
    note: Prose = ()
    value: Value | None = None
    whole: bool = False


@record(frozen=True)
class Equation:
    """A numbered line of the forward pass. ``introduced``: the tool named this row ("let a = …"). ``depth`` counts the
    loops around it; a loop itself is an equation of the kind ``loop`` whose ``line.right`` is its range."""

    number: int
    name: str
    anchor: str
    line: Line
    shape: Math | None
    introduced: bool = False
    value: Value | None = None
    depth: int = 0


@record(frozen=True)
class Step:
    """One gradient found.

    ``target`` is the quantity, ``symbol`` what its gradient is called from here on (∂L/∂W₁ or δ_a), ``role`` is seed,
    intermediate, result (a parameter or input asked for), loop (the heading of the steps of one loop, which follow
    with a greater ``depth``) or omitted (it stands for this step and others, which are left out). ``lines`` run from
    the chain rule to the final form; ``cached`` says which earlier lines it uses and where they were computed.
    """

    number: int
    name: str
    anchor: str
    target: Math
    symbol: Math
    title: Prose
    role: str
    shape: Math | None
    lines: tuple[Line, ...]
    cached: tuple[Ref, ...] = ()
    path: Prose = ()
    value: Value | None = None
    depth: int = 0


class BoardLine(NamedTuple):
    """A line of a board as formats print it: how deep it stands, its ``anchor`` where it is the first of a step, the
    shape beside it. The heading of a loop has a ``title`` in the place of a line."""

    anchor: str
    depth: int
    line: Line | None
    title: Prose = ()
    shape: Math | None = None

    @property
    def reason(self) -> Prose:
        """The reason of the line, the shape before it."""
        shape: Prose = () if self.shape is None else ("[", self.shape, "] ")
        return shape if self.line is None else (*shape, *self.line.reason)


def board_lines(steps: Iterable[Step]) -> Iterator[BoardLine]:
    """The lines of the steps of a board; a shape stands beside the last of its step, and beside names for parts. Where
    a loop ends is said."""
    depth = 0
    for s in steps:
        if s.depth < depth:
            yield BoardLine("", s.depth, None, ("after the loop",))
        depth = s.depth + (s.role == "loop")
        if s.role == "loop":
            yield BoardLine(s.anchor, s.depth, None, s.title)
        for k, x in enumerate(s.lines):
            anchor = "" if k or s.role == "loop" else s.anchor
            part = Shape(x.left.shape) if x.kind == "part" and isinstance(x.left, Sym) and x.left.shape else None
            shape = s.shape if k == len(s.lines) - 1 else part
            yield BoardLine(anchor, s.depth + (s.role == "loop"), x, (), shape)


def of_kinds(lines: Sequence[Line], kinds: Sequence[str]) -> list[Line]:
    """Lines of these kinds, each with its left side; a closed form stands in the place of the result."""
    left = None
    found: list[Line] = []
    for x in lines:
        left = x.left or left
        found.append(replace(x, left=left))
    closed = any(x.kind == "closed" for x in found)
    return [x for x in found if x.kind in kinds and not (closed and x.kind == "result")]


def equations(lines: Iterable[Line], reason: Prose) -> tuple[Line, ...]:
    """Lines a = b and then a = c as one, a = b = c. The reason stands at the last."""
    found: list[Line] = []
    for x in lines:
        if found and x.left == found[-1].left:
            before = found.pop()
            x = replace(x, right=going_on(before.right, x.right), value=x.value or before.value)
        found.append(replace(x, reason=()))
    return (*found[:-1], *[replace(x, reason=reason) for x in found[-1:]])


def going_on(before: Math, after: Math) -> Math:
    """b = c, unless both are the same."""
    return after if text(before) == text(after) else Relation(before, "=", after)


def listed(items: Iterable[Math | Ref]) -> Prose:
    """Things with commas between, or none."""
    return tuple([x for m in items for x in (", ", m)][1:]) or ("nothing",)


@record(frozen=True)
class Row:
    """A row of the closing table: a gradient, its shape, its cost in multiplications, what forward stores for it."""

    name: str
    anchor: str
    parameter: Math
    gradient: Math
    shape: Math | None
    cost: Math
    stores: tuple[Math, ...]

    @property
    def step(self) -> Ref:
        """Where the gradient stands too, for a table that has no room for it."""
        return Ref(self.anchor, self.anchor.replace("-", " "))


@record(frozen=True)
class Proof:
    """A rule with its proof, which reasons cite by its number. Its letters stand for any arrays of such shapes."""

    number: int
    anchor: str
    title: str
    lines: tuple[Line, ...]


def _trees(lines: Iterable[Line]) -> Iterator[Math]:
    for x in lines:
        yield from (m for m in (x.left, x.right, *x.reason) if isinstance(m, Math))


@record(frozen=True)
class Document:
    """Everything a format prints, in order."""

    name: str
    summary: str
    source: str
    view: str
    layout: str
    detail: str
    heading: Prose
    conventions: tuple[Prose, ...]
    glossary: tuple[Prose, ...]
    declarations: tuple[Declaration, ...]
    forward: tuple[Equation, ...]
    steps: tuple[Step, ...]
    table: tuple[Row, ...]
    total_cost: Math
    costs: Prose
    stored: tuple[Math, ...]
    rate: Math
    updates: tuple[Line, ...]
    checks: tuple[Line, ...]
    notes: tuple[Prose, ...]
    rules: tuple[Proof, ...] = ()

    def trees(self) -> Iterator[Math]:
        """Everything that is printed as mathematics, but for what names, shapes and numbers are."""
        lines = [*[e.line for e in self.forward], *[x for s in self.steps for x in s.lines]]
        yield from _trees((*lines, *self.updates, *self.checks))
        yield from (row.gradient for row in self.table)
        yield from self.stored
        yield from self.proved()

    def proved(self) -> Iterator[Math]:
        """The same of the appendix, whose letters are its own."""
        yield from _trees(x for proof in self.rules for x in proof.lines)

    def anchors(self) -> Iterator[str]:
        """Every anchor that a reference may point to."""
        yield from (d.anchor for d in self.declarations)
        yield from (e.anchor for e in self.forward)
        yield from (s.anchor for s in self.steps)
        yield from (r.anchor for r in self.rules)
