"""A model as text that parses back to it: header, declarations, equations and loops in order.

Rows without a name are written in place; one that is large and read several times, or nested very deeply, gets a line
of its own, so the text stays as short as the table of rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import NamedTuple

from symbackprop.core.graph import Leaf, Node, arguments_first
from symbackprop.core.notation import number_text
from symbackprop.core.shapes import dim_text
from symbackprop.model.model import Model, Statement
from symbackprop.model.text.header import Header, header_lines
from symbackprop.model.text.long_rows import long_rows, parts
from symbackprop.model.text.notation import ModelText
from symbackprop.model.text.write_loops import Loops, is_stack

MAX_WIDTH = 100
EQUATIONS = ("let", "loss", "output")


class Line(NamedTuple):
    """One line of equations: a keyword (let, loss, output, for), the name as written, the formula, the row."""

    keyword: str
    name: str
    formula: str
    row: Node
    depth: int = 0

    @property
    def text(self) -> str:
        if self.keyword == "for":
            return "    " * self.depth + f"for {self.name} in {self.formula}:"
        word = "" if self.keyword == "let" else self.keyword + " "
        return "    " * self.depth + f"{word}{self.name} = {self.formula}"


def to_text(model: Model, header: bool = True) -> str:
    """The model as text; ``header`` says whether name, summary, source … come first as comments."""
    lines = [*header_lines(_header(model))] if header else []
    if model.graph.relu0 != 0:
        lines.append(f"convention relu0 = {number_text(model.graph.relu0).text}")
    writer = Writer(model)
    for group in _groups(model.statements):
        lines += writer.lines(group)
    lines += [f'notation {writer.spelled(name)} = "{latex}"' for name, latex in model.notation_of.items()]
    return "\n".join(lines) + "\n"


def with_text_names(model: Model) -> Model:
    """The model whose intermediates are all that its text gives names to, as a model parsed from it has them: long rows
    with a line of their own, initial values of loops, and what loops compute."""
    writer = Writer(model)
    lines = [line for line in writer.equations() if line.keyword == "let" and not line.depth]
    found = {python_name(line.name): line.row for line in lines}
    found |= {name: row for i, name in writer.names.items() if is_stack(row := model.graph.nodes[i])}
    new = copy(model)
    new.stacks = {name: partial(_itself, row) for name, row in found.items()} | model.stacks
    return new


def _itself(row: Node) -> Node:
    return row


def python_name(name: str) -> str:
    """``h[0]`` as h0."""
    return re.sub(r"\W", "", name)


def _header(model: Model) -> Header:
    example = ", ".join(f"{k}={_value_text(v)}" for k, v in model.example.items())
    return Header(model.name, model.summary, model.source, model.tags, example, list(model.notes))


def _value_text(value: object) -> str:
    return "[" + ", ".join(map(_value_text, value)) + "]" if isinstance(value, list) else repr(value)


def _groups(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """Neighbouring declarations of one keyword share a line; an equation has its own."""
    group: list[Statement] = []
    for s in statements:
        if group and (s.keyword != group[0].keyword or s.keyword in EQUATIONS):
            yield group
            group = []
        group.append(s)
    if group:
        yield group


class Writer:
    """Writes statements; knows which unnamed rows have lines of their own."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.names: dict[int, str] = {}
        self.written: set[int] = set()
        self.taken = {*model.graph.names, *model.sizes}
        self.notation = ModelText(self.names, [*self.taken])
        self.notation.pending = {row.id for row in model.equations.values()}
        order = written_rows(list(model.equations.values()))
        self.loops = Loops(model, self.notation, self.names, self.taken, self.fresh, order)
        self._choose(order)

    def lines(self, group: Sequence[Statement]) -> list[str]:
        keyword = group[0].keyword
        if keyword in EQUATIONS:
            return [line.text for line in self.equation(keyword, group[0].name)]
        return packed(keyword, [self.declaration(keyword, s.name) for s in group])

    def declaration(self, keyword: str, name: str) -> str:
        """``N = 4``, ``X: N x D``, ``y: N int < C``, ``eps = 1 / 2``."""
        if keyword == "dim":
            size = self.model.sizes[name]
            return name if size is None else f"{name} = {size}"
        row = self.model.graph.names[name]
        leaf: Leaf = row.attr
        if keyword == "const":
            return f"{name} = {self.notation.num(leaf.value).text}"
        shape = [" x ".join(dim_text(d) for d in row.shape)] if row.shape else []
        shape += [f"int < {dim_text(leaf.below)}"] if leaf.below is not None else []
        return f"{self.spelled(name)}: {' '.join(shape)}" if shape else self.spelled(name)

    def spelled(self, name: str) -> str:
        """A declared name as text writes it: the initial value of a loop is ``h[0]``."""
        row = self.model.graph.names.get(name)
        return name if row is None else self.names.get(row.id, name)

    def equations(self) -> list[Line]:
        """All lines of equations and loops."""
        return [e for s in self.model.statements if s.keyword in EQUATIONS for e in self.equation(s.keyword, s.name)]

    def equation(self, keyword: str, name: str) -> list[Line]:
        """An equation, after the loops and the rows with lines of their own that it is the first to need."""
        row = self.model.graph.names[name]
        self.notation.pending.discard(row.id)
        lines = [e for inner in self._pending(row) for e in self._inner(inner)]
        if keyword == "let" and is_stack(row) and row.id in self.loops.defined:
            return lines
        if is_stack(row):
            return [*lines, Line(keyword, name, self.notation.ref(row).text, row)]
        return [*lines, Line(keyword, self.spelled(name), self.notation.row(row).text, row)]

    def _inner(self, row: Node) -> list[Line]:
        self.written.add(row.id)
        if row.op.name == "scan":
            return [Line(*line) for line in self.loops.lines(row, 0)]
        return [Line("let", self.names[row.id], self.notation.row(row).text, row)]

    def _pending(self, row: Node) -> list[Node]:
        """Loops and rows with a line of their own that ``row`` needs and that are not written yet, arguments first."""

        def known(n: Node) -> bool:
            named = n.name is not None and n.id not in self.notation.pending
            return n.id in self.written or (named and n is not row and not is_stack(n))

        order = written_rows([row], known)
        return [n for n in order if (n.id in self.extra or n.op.name == "scan") and n.id not in self.written]

    # -- which unnamed rows get a name
    def _choose(self, order: Sequence[Node]) -> None:
        """Unnamed arrays that loops run over, and rows that would make the text too long."""
        self.extra: set[int] = set()
        for node in order:
            if node.id in self.loops.sequences and node.args and self._in_place(node):
                self._give_line(node)
        for node in long_rows(order, self._in_place):
            self._give_line(node)

    def _give_line(self, node: Node) -> None:
        self.names[node.id] = self.fresh("t1")
        self.extra.add(node.id)

    def _in_place(self, node: Node) -> bool:
        return node.name is None and node.id not in self.names and node.op.name not in ("scan", "out")

    def fresh(self, wanted: str) -> str:
        """The name itself or the next one that is free; now taken."""
        stem = wanted.rstrip("0123456789")
        name, count = wanted, int(wanted[len(stem) :] or 1)
        while name in self.taken:
            count += 1
            name = f"{stem}{count}"
        self.taken.add(name)
        return name


def written_rows(roots: Sequence[Node], stop: Callable[[Node], bool] = lambda n: False) -> list[Node]:
    """Every row that the text of the roots mentions, arguments first, without recursion."""
    return arguments_first(roots, lambda node: () if stop(node) else parts(node))


def packed(keyword: str, items: Sequence[str]) -> list[str]:
    """Declarations on as few lines as fit."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= MAX_WIDTH:
            lines[-1] += ", " + item
        else:
            lines.append(f"{keyword} {item}")
    return lines
