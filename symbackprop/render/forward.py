"""The forward pass as numbered equations, loops with their bodies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from symbackprop.core.graph import Node, arguments_first
from symbackprop.core.loops import Loop
from symbackprop.core.maths import AtStep, Listed, Math, Range, Sym, equal
from symbackprop.core.names import Name, parse_name, unplaced
from symbackprop.core.ops.loop import base
from symbackprop.core.registry import text_of
from symbackprop.derive.steps import Derivation
from symbackprop.render.abridging import ends, omitted, with_gaps
from symbackprop.render.context import Context
from symbackprop.render.document import Equation, Line, Prose, Ref
from symbackprop.render.entries import Entries, index_of
from symbackprop.render.rows import Rows
from symbackprop.render.symbols import Kept, kept_values


def _in_runs(numbers: Sequence[int]) -> Prose:
    """Equations, those that follow one another by the first and the last: (6), (11)–(13)."""
    runs = [[k for _, k in run] for _, run in groupby(enumerate(numbers), lambda place: place[1] - place[0])]
    said: list[str | Math | Ref] = []
    for run in runs:
        first, last = [Ref(f"eq-{k}", f"({k})") for k in (run[0], run[-1])]
        said += [", ", first, "–", last] if run[1:] else [", ", first]
    return tuple(said[1:])


class Forward:
    """Numbers the rows of the forward pass and writes them."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self.entries = self._flat(derivation.forward, 0)
        self.rows = [row for row, _ in self.entries if isinstance(row, Node)]
        self.numbers = {row.id: k for k, (row, _) in enumerate(self.entries, 1) if isinstance(row, Node)}
        self.anchors = {row_id: f"eq-{k}" for row_id, k in self.numbers.items()}
        self.blocks = self._blocks()

    def _blocks(self) -> dict[int, tuple[Node, list[int]]]:
        """The calls that are written out in several equations, and which these are, by the number of the first one that
        no call before has."""
        found: dict[int, tuple[Node, list[int]]] = {}
        told: set[int] = set()
        for call in [self.derivation.model.graph.nodes[i] for i in sorted(self.derivation.expanded)]:
            assert call.origin is not None
            known = {a.id for a in call.origin.args if isinstance(a, Node)}
            inside = arguments_first([call], known=known)  # what the call has made of its arguments
            numbers = sorted([self.numbers[x.id] for x in inside if x.id in self.numbers])
            own = [k for k in numbers if k not in told]
            if len(numbers) > 1 and own:
                found[own[0]] = (call, numbers)
            told.update(numbers)
        return found

    def _flat(self, rows: Iterable[Node], depth: int) -> list[tuple[Node | Kept, int]]:
        """Rows in the order in which they were declared, the body of a loop behind its head."""
        found: list[tuple[Node | Kept, int]] = []
        for row in sorted(rows, key=lambda row: row.id):
            found.append((row, depth))
            if row.is_loop:
                found += self._flat(self.derivation.bodies[row.id], depth + 1)
                found += [(kept, depth + 1) for kept in kept_values(row.attr)]
        return found

    def equations(self, context: Context) -> tuple[Equation, ...]:
        """All of them, or of many the first and the last."""
        shown = self.shown(context.rows.whole)
        numbers = {number for number, _ in shown}
        missing = [(k, depth) for k, (_, depth) in enumerate(self.entries, 1) if k not in numbers]
        return tuple(with_gaps([
            self._equation(context, number, row, depth) if isinstance(row, Node)
            else self._kept(context, number, row, depth) for number, (row, depth) in shown
        ], missing, _left_out))

    def shown(self, whole: bool) -> Sequence[tuple[int, tuple[Node | Kept, int]]]:
        """What stands for them here, with their numbers."""
        return ends([*enumerate(self.entries, 1)], whole, lambda x: x[1][0].form if isinstance(x[1][0], Node) else None)

    def _kept(self, context: Context, number: int, kept: Kept, depth: int) -> Equation:
        left, row = Sym(kept.name, tuple(kept.row.shape), kept.row.id), kept.row
        line = Line("definition", left, context.rows.bare(row), ())
        return Equation(number, kept.name, f"eq-{number}", line, context.shape(row.shape), depth=depth)

    def _equation(self, context: Context, number: int, row: Node, depth: int) -> Equation:
        anchor = self.anchors[row.id]
        if row.is_loop:
            line = Line("loop", None, loop_range(context.rows, row.attr), ("loop",), "for")
            return Equation(number, f"loop-{number}", anchor, line, None, depth=depth)
        r, value = context.rows, context.value(row)
        by_entry = context.rows.by_entry and not row.is_result
        with r.letters.at_step(bool(depth)):
            left, right = _entry(r, row) if by_entry else (r.bare(row), self._result(r, row))
        reason = self._reason(context, row) or self._block(number)
        line = Line("definition", left, right, reason, value=value)
        if by_entry and row.shape and value is not None and value.shown is not None:
            line = replace(line, reason=(*line.reason, equal(r.bare(row), value.shown)), value=None)
        shape = context.shape(row.shape)
        name = self.derivation.names.get(row.id) or "?"
        introduced = row.name is None and not row.is_result
        return Equation(number, name, anchor, line, shape, introduced, value, depth)

    def _result(self, r: Rows, row: Node) -> Math:
        """A row; of a loop the last value of a carry, or the stack of all values."""
        if not row.is_result:
            return r.row(row)
        loop: Loop = row.args[0].attr
        if row.attr >= len(loop.carry):
            part, names = loop.results()[row.attr], self.derivation.names
            name = part.name or names.get(part.id) or names[row.id]
            return Listed(Sym(unplaced(name)), r.size(loop.first), r.size(loop.last))
        name = f"{base(loop.carry[row.attr])}[{loop.end}]"
        if _as_printed(name) == _as_printed(self.derivation.names.get(row.id) or ""):  # r₁ = r₁ says nothing
            return AtStep(r.bare(loop.carried[row.attr]), loop.index, r.size(loop.end))
        return Sym(name)

    def _block(self, number: int) -> Prose:
        """The function that an equation begins to write out: LayerNorm: (1)–(5)."""
        if number not in self.blocks:
            return ()
        call, numbers = self.blocks[number]
        return (f"{text_of(call.origin.function)}: ", *_in_runs(numbers)) if call.origin is not None else ()

    def _reason(self, context: Context, row: Node) -> Prose:
        if row is context.loss:
            return ("the loss",)
        if row.name in self.derivation.model.output_rows:
            return ("output",)
        if row.is_result and row.attr < len(row.args[0].attr.carry):
            return ("after the last step",)
        return ("over all steps",) if row.is_result else ()


def _left_out(first: int, last: int, depth: int) -> Equation:
    """What stands for equations that are not printed."""
    return Equation(first, "", f"left-out-eq-{first}", omitted("equations", first, last), None, depth=depth)


def _entry(r: Rows, row: Node) -> tuple[Math, Math]:
    """An entry of a row, and what it is."""
    index = index_of(r, row)
    e = Entries(r, index)
    return e.named(row, r.bare(row), index), e.row(row, index)


def _as_printed(name: str) -> Name:
    """A name with its index among the subscripts: h_T and h[T] print alike in LaTeX."""
    found = parse_name(name)
    return Name(found.base, found.accents, (*found.subscripts, *filter(None, found.place.split(","))))


def loop_range(r: Rows, loop: Loop) -> Math:
    """t = 1, …, T, or backwards."""
    return Range(loop.index, r.size(loop.begin), r.size(loop.end))
