"""What every view needs to know: the derivation, how things are called, where they stand, which numbers they have; and
what all views do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from symbackprop.core.facts import plainly
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, carry_before, is_computed
from symbackprop.core.maths import Math
from symbackprop.core.shapes import Shape
from symbackprop.derive.again import Again
from symbackprop.derive.steps import Derivation, Step
from symbackprop.render.document import Line, Prose, Ref, Value
from symbackprop.render.factors import Factor
from symbackprop.render.numbers import Numbers
from symbackprop.render.rows import Rows
from symbackprop.render.symbols import Group, Located, LoopMark


# -- what backward reads from forward
class Stored:
    """The forward rows that the gradients of a derivation read, by the gradient. States before a step are the leaf of
    the loop's carry; light rows that backward computes again are entered, and what steps of ``reverses`` do."""

    def __init__(self, derivation: Derivation, steps: Sequence[Step], scans: Iterable[Node], reverses: Iterable[Node]
                 ) -> None:
        self.names, self.forward_ids = derivation.names, derivation.forward_ids
        given = [(scan.graph, scan.attr.results(), scan.attr.stop) for scan in reverses]
        inside = [row.id for graph, rows, stop in given for row in graph.topological(rows, stop) if row.id not in stop]
        self.computed = self.forward_ids.intersection(inside)
        self.again = Again(derivation.names)
        self.carries = {leaf.id: (scan, k) for scan in scans for k, leaf in enumerate(scan.attr.carry)}
        self.found = {s.total.id for s in steps}
        self.own = {s.total.id for s in steps if s.target.args or s.target.id in self.carries}
        totals = {s.total.id: s.total for s in steps}
        self.reads = {i: tuple(self._from_forward(self._top(total))) for i, total in totals.items()}

    @cached_property
    def _kept(self) -> dict[object, tuple[int, Node]]:
        """What gradients read, with its place among that, by its id, and by what a stack is all values of."""
        kept = {row.id: row for rows in self.reads.values() for row in rows}
        known = [(key, (place, row)) for place, row in enumerate(kept.values()) for key in (row.id, *_stacked(row))]
        return dict(reversed(known))  # the first of a key

    def of(self, total: Node) -> tuple[Node, ...]:
        """The forward rows that a gradient reads."""
        return tuple(dict.fromkeys([x for row in self.reads[total.id] for x in self._held_as(row)]))

    def is_kept(self, row: Node) -> bool:
        """Whether backward has a row from forward where it reads it."""
        return row.id in self.forward_ids and (row.id in self.names or not self.again.is_cheap(row))

    def _top(self, total: Node) -> tuple[Node, ...]:
        return (total,) if _is_result(total) or total.id in self.forward_ids else self._made_of(total)

    def _from_forward(self, rows: Iterable[Node]) -> Iterator[Node]:
        """The rows of the forward pass that computing these reads."""
        seen, stack = set(), [*rows][::-1]
        while stack:
            row = stack.pop()
            if row.id in seen or row.value is not None:
                continue
            seen.add(row.id)
            leaf = carry_before(row)
            held = self._state(row) if leaf is None else leaf
            if held.id in self.carries or (held.args and held.id not in self.computed and self.is_kept(held)):
                yield held
            elif held.id in self.forward_ids or held.id not in self.found:
                stack.extend(reversed(self._made_of(held)))

    def _made_of(self, row: Node) -> tuple[Node, ...]:
        """What a row is computed from; what a loop backwards stacks from its own rows, if no other step finds it; what
        the leaf of a body stands for."""
        if row.is_leaf:
            return () if not row.is_declared or row.attr.of is None else (row.attr.of,)
        if not row.is_result or row.args[0].attr.forward is None:
            return row.args
        found = row.args[0].attr.results()[row.attr]
        return () if found.id in self.own else self._made_of(found)

    def _held_as(self, row: Node) -> tuple[Node, ...]:
        """States before a step are all but the first among those after the steps, where these are kept anyway. Those of
        a loop that runs backwards are told by these."""
        if row.id not in self.carries:
            return (row,)
        scan, place = self.carries[row.id]
        first, last = scan.args[place], scan.attr.carried[place]
        start = () if plainly(first).is_leaf else tuple(self._from_forward([first]))
        if last.id in self.carries and is_computed(scan.attr, place):  # handed on by another carry
            return (*self._held_as(last), *start)
        after = [self._kept[key] for key in (last.id, (scan.id, last.id)) if key in self._kept]
        if not after and not scan.attr.reverse:
            return (row,)
        return (min(after)[1] if after else last, *start)

    def _state(self, row: Node) -> Node:
        """What a stack that the model does not name is made of: a row of the steps, also of the states before."""
        if row.id in self.forward_ids or not _is_result(row):
            return row
        loop: Loop = row.args[0].attr
        result = loop.results()[row.attr]
        return next((after for leaf, after in zip(loop.carry, loop.carried, strict=True) if leaf is result), result)


def _stacked(row: Node) -> list[tuple[int, int]]:
    """The loop, and the row of its body, of which a row is all values; nothing for other rows."""
    place = row.attr - len(row.args[0].attr.carry) if row.is_result else -1
    return [(row.args[0].id, row.args[0].attr.stacked[place].id)] if place >= 0 else []


def _is_result(row: Node) -> bool:
    """Whether a row is what comes out of a loop of the forward pass."""
    return row.is_result and row.args[0].attr.forward is None


class Context:
    """Shared by the views of one document."""

    def __init__(self, derivation: Derivation, rows: Rows, located: Iterable[Located | LoopMark],
                 equations: Mapping[int, int], numbers: Numbers | None, layout: str) -> None:
        self.derivation, self.rows, self.equations = derivation, rows, equations
        self.numbers, self.layout = numbers, layout
        self.located = list(located)
        self.steps = [x for x in self.located if isinstance(x, Located)]
        self.by_target = {s.step.target.id: s for s in self.steps}
        self.first: dict[int, Located] = {}
        for s in self.steps:
            self.first.setdefault(s.step.total.id, s)
        loops = [x.loop for x in self.located if isinstance(x, LoopMark)]
        scans, reverses = [x.loop for x in loops], [x.reverse for x in loops]
        self.from_forward = Stored(derivation, [s.step for s in self.steps], scans, reverses)
        self.loss, self.upstream = derivation.model.loss_row, {*derivation.model.upstream.values()}
        self.wanted = frozenset(derivation.wrt)

    def owns(self, s: Located) -> bool:
        """Whether a step is the first whose gradient is this row; else it only gives an earlier one another name."""
        return self.first[s.step.total.id] is s

    def stored(self, s: Located) -> tuple[Node, ...]:
        """The forward rows that a step reads; none where it only renames an earlier step's gradient."""
        total = s.step.total
        if total.id in self.equations:
            return (total,)
        return self.from_forward.of(total) if self.owns(s) else ()

    # -- references
    def step_ref(self, target: Node) -> Ref:
        located = self.by_target[target.id]
        return Ref(located.anchor, f"step {located.number}")

    def equation_ref(self, node: Node) -> Ref | None:
        number = self.equations.get(node.id)
        return None if number is None else Ref(f"eq-{number}", f"({number})")

    def cached_forward(self, rows: Iterable[Node]) -> Prose:
        """``; o cached by (4)`` for the forward values among rows."""
        parts: list[str | Math | Ref] = []
        for row in {r.id: r for r in rows}.values():
            ref = self.equation_ref(row)
            if ref is not None:
                parts += [", " if parts else "; ", self.rows.bare(row), " cached by ", ref]
        return tuple(parts)

    def shape(self, shape: Shape) -> Math | None:
        """``N × D``; None for a scalar."""
        return self.rows.shape(shape) if shape else None

    # -- numbers
    def value(self, node: Node) -> Value | None:
        return None if self.numbers is None else self.numbers.of(node)

    def factor_value(self, factor: Factor) -> Value | None:
        return None if self.numbers is None else self.numbers.factor(factor)


def is_loop(group: Group) -> bool:
    """Whether a branch goes through a loop as a whole."""
    return group.consumer is not None and group.consumer.is_loop


def reads(row: Node, wanted: Node, stop: Collection[int] = ()) -> bool:
    """Whether a row reads another one, without entering rows that have a name (``stop``), nor those that came before
    what is looked for."""
    level, seen = [row], {row.id}
    while level and wanted.id not in seen:  # what is read directly first: everything of a chain may read one weight
        entered = [n for n in level if n.id > wanted.id and (n is row or n.id not in stop)]
        level = [*{a.id: a for n in entered for a in n.args if a.id not in seen}.values()]
        seen.update(a.id for a in level)
    return wanted.id in seen


class Writer(ABC):
    """Writes the lines of one step, and its gradient in another form."""

    def __init__(self, context: Context) -> None:
        self.context, self.rows = context, context.rows

    @abstractmethod
    def lines(self, s: Located) -> tuple[Line, ...]:
        """How the gradient of a step is found."""

    def shortest(self, s: Located, whole: Node) -> tuple[Math, Math]:
        """The gradient of a step, and a row that it is equal to, which goes by its name if the model gave it one."""
        right = self.rows.row(whole) if whole.name is None else self.rows.ref(whole)
        return self.rows.gradients[s.step.target.id], right

    def close(self, s: Located, whole: Node) -> None:  # noqa: B027
        """From here on the gradient of a step may be quoted as the row that it is equal to."""
