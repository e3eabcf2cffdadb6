"""A copy of a model to work on, its loops written out: grading adds rows, numbers that move need every step, and the
user's own model stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter

from symbackprop.core.functions.arrange import stack
from symbackprop.core.graph import Graph, Leaf, Node, dressed
from symbackprop.core.indexing import getitem
from symbackprop.core.loops import Loop
from symbackprop.core.names import unplaced
from symbackprop.core.shapes import Dim, dim_text, evaluate_dim
from symbackprop.core.sizes import sized
from symbackprop.model.model import Model

Sizes = Mapping[str, int]
Span = tuple[Dim, Dim]  # the first and the last step of a loop


def copied(model: Model, sizes: Sizes | None = None, names: Mapping[str, str] | None = None) -> Model:
    """The same model over a graph of its own.

    Dimensions in ``sizes`` become numbers there; it has to hold those that a loop runs over, and loops are unrolled.
    What is in ``names`` is called otherwise there.
    """
    return Copy(model, sizes or {}, names or {}).run()


def by_last_values(model: Model) -> dict[str, str]:
    """Other names for what model text gives several values: the name itself for the last of them, h_1 for the first
    where that is no step of a loop. A parameter keeps its name."""
    last = {n: other for n, other in model.last_values.items() if n not in model.targets()}
    first = {n: f"{n}_1" for n in last if n in model.graph.names}
    free = [n for n in last if first.get(n) not in model.graph.names]
    return {n: first[n] for n in free if n in first} | {last[n]: n for n in free}


def loop_dimensions(model: Model) -> tuple[str, ...]:
    """The symbolic dimensions that loops of the model run over, in order of declaration."""
    found = {s.name for n in model.graph.nodes.values() if isinstance(n.attr, Loop) for s in n.attr.length.free_symbols}
    return tuple(name for name in model.sizes if name in found)


def loop_counters(model: Model) -> dict[str, tuple[Span, ...]]:
    """The counters of the loops that run over a symbolic dimension, with the first and the last steps of these."""
    found = [n.attr for n in model.graph.nodes.values() if isinstance(n.attr, Loop) and n.attr.length.free_symbols]
    spans: dict[str, dict[Span, None]] = {}
    for loop in found:
        spans.setdefault(loop.index, {})[loop.first, loop.last] = None
    return {counter: tuple(those) for counter, those in spans.items()}


class Copy:
    """State of copying one model."""

    def __init__(self, model: Model, sizes: Sizes, names: Mapping[str, str]) -> None:
        self.old, self.sizes, self.names = model, sizes, names
        self.new = Model(model.name, relu0=model.graph.relu0)
        self.graph: Graph = self.new.graph
        self.rows: dict[int, Node] = {}
        self.results: dict[int, list[Node]] = {}

    def run(self) -> Model:
        roots = [*self.old.leaves().values(), *self.old.constants.values(), *self.old.equations.values(),
                 *self.old.results()]
        for node in sorted(self.old.graph.topological(roots), key=attrgetter("id")):  # letters go in order
            self.rows[node.id] = self.row(node, self.rows)
        self._declare()
        return self.new

    def _declare(self) -> None:
        old, new, rows = self.old, self.new, self.rows
        new.sizes = {n: k for n, k in old.sizes.items() if n not in self.sizes}
        new.summary, new.source, new.statements = old.summary, old.source, list(old.statements)
        new.notation_of = {self.names.get(n, n): said for n, said in old.notation_of.items()}
        for table in ("params", "inputs", "data_rows", "constants", "equations", "output_rows"):
            setattr(new, table, {self.names.get(n, n): rows[r.id] for n, r in getattr(old, table).items()})
        new.loss_row = None if old.loss_row is None else rows[old.loss_row.id]

    def row(self, node: Node, rows: Mapping[int, Node], step: int | None = None) -> Node:
        """One row over the rows that stand for its arguments; in a loop at one of its steps."""
        if node.is_declared:
            return self._leaf(node)
        if isinstance(node.attr, Loop):
            return node
        if node.is_result:
            return self._result(node, rows)
        copy = self.graph.again(node, [rows[a.id] for a in node.args], sized(node.attr, self.sizes))
        if node.name is not None:
            copy = self.graph.nameable(copy, self.names.get(node.name, node.name), step)
        return self._named(node, copy, rows, step)

    def _leaf(self, node: Node) -> Node:
        leaf: Leaf = node.attr
        assert node.name is not None
        shape, below, value = (sized(x, self.sizes) for x in (node.shape, leaf.below, leaf.value))
        name = self.names.get(node.name, node.name)
        return self.graph.leaf(name, shape, leaf.role, node.kind, below, value, leaf.stated)

    def _named(self, node: Node, copy: Node, rows: Mapping[int, Node], step: int | None) -> Node:
        name = node.name if node.name is None or step is None else step_name(node.name, step)
        name = self.names.get(name, name) if name is not None else None
        if name is not None and name not in self.graph.names and copy.name is None:
            self.graph.names[name] = self.graph.christen(name, copy)
        return dressed(copy, node, lambda row: rows.get(row.id))

    # -- loops
    def _result(self, node: Node, rows: Mapping[int, Node]) -> Node:
        """A result of a loop: the loop is unrolled when the first of its results is needed."""
        scan = node.args[0]
        if scan.id not in self.results:
            self.results[scan.id] = self._unroll(scan, rows)
        copy = self._named(node, self.results[scan.id][node.attr], rows, None)
        if (name := self.names.get(_last_name(node))) is not None:
            self.graph.names.setdefault(name, copy)
        return copy

    def _unroll(self, scan: Node, around: Mapping[int, Node]) -> list[Node]:
        """Every result of a loop as rows: its body once a step."""
        loop: Loop = scan.attr
        n, m = len(loop.carry), len(loop.sequences)
        length = evaluate_dim(loop.length, self.sizes)
        outer = [around[a.id] for a in scan.args]
        carry = outer[:n]
        first = evaluate_dim(loop.first, self.sizes)
        self._note_initial(loop, carry, first + length - 1 if loop.reverse else first)
        stacks: list[list[Node]] = [[] for _ in loop.stacked]
        order = loop.rows()
        for t in reversed(range(length)) if loop.reverse else range(length):
            inner = dict(zip([x.id for x in loop.carry], carry, strict=True))
            elements = zip(loop.sequences, outer[n : n + m], strict=True)
            inner |= {x.id: self._element(x, getitem(a, t), first + t) for x, a in elements}
            inner |= dict(zip([x.id for x in loop.invariants], outer[n + m :], strict=True))
            for node in order:
                if node.id not in inner:
                    inner[node.id] = self.row(node, inner, first + t)
            carry = [inner[r.id] for r in loop.carried]
            for rows, r in zip(stacks, loop.stacked, strict=True):
                rows.append(inner[r.id])
        return [*carry, *[stack(*(s[::-1] if loop.reverse else s)) for s in stacks]]

    def _element(self, leaf: Node, row: Node, step: int) -> Node:
        """x[t] of a sequence."""
        return row if row.name is not None or leaf.name is None else self._called(step_name(leaf.name, step), row)

    def _note_initial(self, loop: Loop, carry: Sequence[Node], step: int) -> None:
        """The initial state is h[0] too, or h[T+1] where the loop runs backwards."""
        for leaf, row in zip(loop.carry, carry, strict=True):
            if leaf.name and leaf.name.endswith(("-1]", "+1]")):
                self.graph.names.setdefault(step_name(leaf.name, step), row)

    def _called(self, name: str, row: Node) -> Node:
        if name not in self.graph.names and row.name is None:
            self.graph.names[name] = self.graph.christen(name, row)
        return row


def _last_name(row: Node) -> str:
    """``h[T]``, what a loop has handed on at last; nothing of other results."""
    loop: Loop = row.args[0].attr
    leaf = loop.carry[row.attr] if row.attr < len(loop.carry) else None
    return f"{unplaced(leaf.name)}[{dim_text(loop.end)}]" if leaf is not None and leaf.name else ""


def step_name(name: str, step: int) -> str:
    """``h[t]`` at step 2 is ``h[2]``, ``h[t-1]`` is ``h[1]``."""
    return f"{unplaced(name)}[{step + _shift(name)}]"


def _shift(name: str) -> int:
    """How far from step t a name such as h[t-1] lies."""
    found = re.search(r"[+-]\d+(?=\]$)", name)
    return int(found.group()) if found else 0
