"""What every view needs to know: the derivation, how things are called, where they stand, which numbers they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from symbackprop.core.graph import Node
from symbackprop.core.maths import Math
from symbackprop.core.shapes import Shape
from symbackprop.derive.record import Contribution, Edge
from symbackprop.derive.steps import Derivation
from symbackprop.render.document import Prose, Ref, Value
from symbackprop.render.factors import Factor
from symbackprop.render.numbers import Numbers
from symbackprop.render.rows import Rows
from symbackprop.render.stored import Stored
from symbackprop.render.symbols import Located, LoopMark


@dataclass(frozen=True)
class Group:
    """The contributions of one consumer; None is the upstream gradient that an output is given."""

    consumer: Node | None
    contributions: tuple[Contribution, ...]

    @property
    def paths(self) -> list[tuple[Edge, ...]]:
        return [c.path for c in self.contributions]


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
        self.loss = derivation.model.loss_row
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


def groups(located: Located) -> list[Group]:
    """The contributions of a step by consumer, in the order they came."""
    found: dict[int | None, list[Contribution]] = {}
    for c in located.step.contributions:
        found.setdefault(None if c.consumer is None else c.consumer.id, []).append(c)
    return [Group(cs[0].consumer, tuple(cs)) for cs in found.values()]


def is_loop(group: Group) -> bool:
    """Whether a branch goes through a loop as a whole."""
    return group.consumer is not None and group.consumer.is_loop


def reads(row: Node, wanted: Node, stop: Iterable[int] = ()) -> bool:
    """Whether a row reads another one, without entering rows that have a name (``stop``)."""
    named, stack, seen = set(stop), [row], set()
    while stack:
        node = stack.pop()
        if node is wanted:
            return True
        if node.id in seen or (node is not row and node.id in named):
            continue
        seen.add(node.id)
        stack.extend(node.args)
    return False
