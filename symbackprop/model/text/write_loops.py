"""Scans written as ``for t in 1..T:``: what the rows of a body are called, and which of them have lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.notation import Text
from symbackprop.core.shapes import dim_text
from symbackprop.model.model import Model
from symbackprop.model.text.long_rows import long_rows, parts
from symbackprop.model.text.notation import ModelText

LineParts = tuple[str, str, str, Node, int]


def is_stack(row: Node) -> bool:
    """Whether a row is the stack over time of a body row."""
    return row.op.name == "out" and row.attr >= len(row.args[0].attr.carry)


@dataclass
class Plan:
    """How one scan is written: the name of its counter, of every body row with a line, and of the carries.

    ``names`` and ``leaves`` say what rows of the body are called in it and what its leaves stand for: the same row may
    be something else in another loop. Rows in ``expanded`` are not written as the call that made them, since this body
    does not have its arguments.
    """

    scan: Node
    counter: str
    bases: dict[int, str] = field(default_factory=dict)
    carries: list[str] = field(default_factory=list)
    rows: list[Node] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    leaves: dict[int, Callable[[], Text]] = field(default_factory=dict)
    expanded: set[int] = field(default_factory=set)

    @property
    def loop(self) -> Loop:
        loop: Loop = self.scan.attr
        return loop


class Loops:
    """Plans every scan among ``order`` (rows of a model, or of a body) and writes them."""

    def __init__(self, model: Model, notation: ModelText, names: dict[int, str], taken: set[str],
                 fresh: Callable[[str], str], order: Sequence[Node]) -> None:
        self.model, self.notation, self.names, self.taken, self.fresh = model, notation, names, taken, fresh
        self.lets = {row.id: name for name, row in model.equations.items() if is_stack(row)}
        self.lets = {i: n for i, n in self.lets.items() if n not in model.output_rows}
        self.plans: dict[int, Plan] = {}
        self.sequences: set[int] = set()
        self.defined: set[int] = set()
        self.outer: dict[int, Node] = {}
        self.plan(order, names, [])

    # -- planning
    def plan(self, order: Sequence[Node], names: dict[int, str], counters: list[str]) -> None:
        """Names for the rows of every loop in ``order``. ``names`` are those of the rows around it, ``counters`` those
        of the loops around it."""
        for scan in [n for n in order if n.op.name == "scan"]:
            results = {n.attr: n for n in order if n.op.name == "out" and n.args[0] is scan}
            plan = self.plans[scan.id] = Plan(scan, self._counter(scan.attr.index, counters))
            self._name_rows(plan, results, names, counters)

    def _counter(self, wanted: str, counters: list[str]) -> str:
        return wanted if wanted not in counters and wanted not in self.model.graph.names else self.fresh(wanted)

    def _name_rows(self, plan: Plan, results: dict[int, Node], names: dict[int, str], counters: list[str]) -> None:
        loop, n = plan.loop, len(plan.loop.carry)
        stacks = {number: out for number, out in results.items() if number >= n}
        order = plan.scan.graph.topological([*loop.carried, *[loop.stacked[k - n] for k in stacks]], loop.stop())
        for number, out in stacks.items():
            row = loop.stacked[number - n]
            base = plan.bases.setdefault(row.id, self.lets.get(out.id) or self._base(row))
            if self.lets.get(out.id) == base:
                self.defined.add(out.id)
            self.notation.results[out.id] = base
            names.setdefault(out.id, base)  # a body around may have a line for it
        for leaf, row, start in zip(loop.carry, loop.carried, plan.scan.args, strict=False):
            plan.carries.append(self._carry_name(plan, leaf, row, start, names))
        end = "1" if loop.reverse else dim_text(loop.length)
        self.notation.results |= {out.id: f"{plan.carries[k]}[{end}]" for k, out in results.items() if k < n}
        self._name_leaves(plan)
        self._name_inside(plan, order, counters)

    def _name_inside(self, plan: Plan, order: Sequence[Node], counters: list[str]) -> None:
        """The rows of the body: those with a name get a line, and those that loops inside it run over."""
        inside = [row for row in order if row.id not in plan.loop.stop()]
        for row in inside:
            outer = self.model.graph.names.get(row.name or "") is row  # a constant that has its line outside
            if row.name is not None and row.args and row.id not in plan.bases and not outer:
                plan.bases[row.id] = self._base(row)
        plan.names |= {row.id: f"{plan.bases[row.id]}[{plan.counter}]" for row in inside if row.id in plan.bases}
        self.plan(inside, plan.names, [*counters, plan.counter])
        at_hand = {row.id for row in order} | plan.loop.stop()
        plan.expanded = {row.id for row in inside if any(a.args and a.id not in at_hand for a in parts(row))}
        self._give_lines(plan, inside)
        plan.rows = [row for row in order if row.op.name == "scan" or row.id in plan.bases]

    def _give_lines(self, plan: Plan, inside: Sequence[Node]) -> None:
        """Lines for unnamed rows that loops in the body run over, and for those that would make its text too long."""

        def in_place(row: Node) -> bool:
            named = row.name is not None or row.id in plan.names or row.id in plan.leaves
            return not named and row.op.name not in ("scan", "out")

        def give(row: Node) -> None:
            plan.bases[row.id] = self._base(row)
            plan.names[row.id] = f"{plan.bases[row.id]}[{plan.counter}]"

        for row in inside:
            if row.id in self.sequences and row.args and in_place(row):
                give(row)
        for row in long_rows(inside, in_place):
            give(row)

    def _base(self, row: Node) -> str:
        """What a body row wants to be called, without its index."""
        return self.fresh(_stem(row.name or row.hint or "t1"))

    def _carry_name(self, plan: Plan, leaf: Node, row: Node, start: Node, names: dict[int, str]) -> str:
        """The name of a carried value: that of the row that is carried, unless another carry has it already."""
        own, begin, stop = plan.bases.get(row.id), self._begin(plan), plan.loop.stop()
        if own is None or own in plan.carries or row.id in stop or not self._may_begin(own, begin, start, names):
            wanted = _stem((row.name if row.args else None) or leaf.name or "c")
            own = self.fresh(wanted)
            while not self._may_begin(own, begin, start, names):
                own = self.fresh(wanted)
            if row.id not in stop and row.id not in plan.bases:
                plan.bases[row.id] = own
        self.taken.add(_joined(own, begin))
        declared = start.name is not None and (start.name in self.model.graph.names or "[" in start.name)
        if declared and _stem(start.name or "") == _joined(own, begin):
            names[start.id] = f"{own}[{begin}]"
        return own

    def _may_begin(self, name: str, begin: str, start: Node, names: dict[int, str]) -> bool:
        """Whether h0, as ``h[0]`` is spelled too, is free, or is the very row that the loop begins with."""
        spelled = _joined(name, begin)
        own = self.model.graph.names.get(spelled) is start or _stem(names.get(start.id, "")) == spelled
        return own or spelled not in self.taken

    def _begin(self, plan: Plan) -> str:
        """The index of the value before the first step."""
        return dim_text(plan.loop.length + 1) if plan.loop.reverse else "0"

    def _name_leaves(self, plan: Plan) -> None:
        loop, t = plan.loop, plan.counter
        before = f"{t}+1" if loop.reverse else f"{t}-1"
        plan.names |= {leaf.id: f"{name}[{before}]" for leaf, name in zip(loop.carry, plan.carries, strict=True)}
        n, m = len(loop.carry), len(loop.sequences)
        for leaf, row in zip(loop.invariants, plan.scan.args[n + m :], strict=True):
            self.outer[leaf.id] = self.outer.get(row.id, row)
            plan.leaves[leaf.id] = self._whole(row)
        for leaf, row in zip(loop.sequences, plan.scan.args[n : n + m], strict=True):
            plan.leaves[leaf.id] = self._element(self.outer.get(row.id, row), t, leaf.name == loop.index)

    def _whole(self, row: Node) -> Callable[[], Text]:
        return lambda: self.notation.ref(row)

    def _element(self, row: Node, t: str, counts: bool) -> Callable[[], Text]:
        """``c[t]``, ``c[t+1]`` or the counter itself."""
        if counts and row.kind == "int" and row.name is None:
            return lambda: Text(t)
        shift, source = sp.S.Zero, row
        if row.op.name == "slice" and row.name is None and row.attr[0] == 0 and row.attr[3] == 1:
            shift, source = row.attr[1], row.args[0]
        if source.name is None and source.op.name != "out":
            self.sequences.add(source.id)
        place = t if shift == 0 else f"{t}+{dim_text(shift)}"
        return lambda: Text(f"{self.notation.ref(source).text}[{place}]")

    # -- writing
    def lines(self, scan: Node, depth: int) -> list[LineParts]:
        """The loop's initial values where they have no name of their own, its head and its body."""
        plan = self.plans[scan.id]
        loop, t = plan.loop, plan.counter
        found: list[LineParts] = []
        for name, start in zip(plan.carries, scan.args, strict=False):
            first, at = f"{name}[{self._begin(plan)}]", self.notation.ref(start).text
            if at != first:
                found.append(("let", first, at, start, depth))
        length = dim_text(loop.length)
        found.append(("for", t, f"{length}..1" if loop.reverse else f"1..{length}", scan, depth))
        scope = {i: Text(name) for i, name in plan.names.items()} | {i: leaf() for i, leaf in plan.leaves.items()}
        with self.notation.inside(scope, plan.expanded):
            return found + self._body(plan, depth + 1)

    def _body(self, plan: Plan, depth: int) -> list[LineParts]:
        found: list[LineParts] = []
        for row in plan.rows:
            if row.op.name == "scan":
                found += self.lines(row, depth)
            elif row.id in plan.loop.stop():
                found.append(("let", f"{plan.bases[row.id]}[{plan.counter}]", self.notation.ref(row).text, row, depth))
            else:
                found.append(("let", plan.names[row.id], self.notation.row(row).text, row, depth))
        for name, row in zip(plan.carries, plan.loop.carried, strict=True):
            if plan.bases.get(row.id) != name:
                found.append(("let", f"{name}[{plan.counter}]", self.notation.ref(row).text, row, depth))
        return found


def _stem(name: str) -> str:
    """A name without its index."""
    return re.sub(r"\W.*", "", name) or "c"


def _joined(base: str, index: str) -> str:
    """The Python spelling of ``base[index]``."""
    return base + re.sub(r"\W", "", index)
