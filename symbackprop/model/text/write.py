"""A model as text that parses back to it: header, declarations, equations and loops in order.

Rows without a name are written in place; one that is large and read several times, or nested very deeply, gets a line
of its own, so the text stays as short as the table of rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import sympy as sp

from symbackprop.core.facts import is_part, is_stack
from symbackprop.core.graph import Leaf, Node, arguments_first
from symbackprop.core.literals import number_text
from symbackprop.core.loops import Loop, stack_of
from symbackprop.core.maths import Math, Num, Sym
from symbackprop.core.shapes import declared, dim_text
from symbackprop.model.model import Model, Statement, nesting_told
from symbackprop.model.names import python_name
from symbackprop.model.text.header import Header, header_lines
from symbackprop.model.text.notation import ModelText

MAX_WIDTH = 100
MAX_SIZE, MAX_DEPTH, SHARED_SIZE = 120, 20, 12
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


def to_text(model: Model, header: bool = True, writer: Writer | None = None) -> str:
    """The model as text; ``header`` says whether name, summary, source … come first as comments. A ``writer`` of the
    model writes no equation twice."""
    lines = [*header_lines(_header(model))] if header else []
    if model.graph.relu0 != 0:
        lines.append(f"convention relu0 = {number_text(model.graph.relu0).text}")
    with nesting_told(model):
        writer = writer or Writer(model)
        for group in _groups(model.statements):
            lines += writer.lines(group)
        lines += [line.text for line in writer.unread]
    lines += [f'notation {writer.spelled(name)} = "{latex}"' for name, latex in model.notation_of.items()]
    return "\n".join(lines) + "\n"


def declarations(model: Model) -> list[str]:
    """What a model declares as text, a keyword each: ``data X: N x D, y: N``."""
    writer, groups = Writer(model), _groups([s for s in model.statements if s.keyword not in EQUATIONS])
    return [f"{group[0].keyword} {', '.join([writer.declaration(s.keyword, s.name) for s in group])}"
            for group in groups]


def with_text_names(model: Model, writer: Writer | None = None) -> Model:
    """The model whose intermediates are all that its text gives names to, as a model parsed from it has them: long rows
    with a line of their own, initial values of loops, and what loops compute. A ``writer`` of it may write the text."""
    writer = writer or Writer(model)
    lines = writer.equations()
    found = {python_name(line.name): line.row for line in lines if line.keyword == "let" and not line.depth}
    found |= {name: row for i, name in writer.names.items() if is_stack(row := model.graph.nodes[i])}
    new = copy(model)
    new.stacks = {name: partial(_itself, row) for name, row in found.items()} | model.stacks
    new.stacks |= {name: stack for name, stack in _in_loops(lines).items() if name not in new.stacks}
    return new


def _in_loops(lines: Sequence[Line]) -> dict[str, Callable[[], Node]]:
    """What the lines of loops compute, by name, and what stacks it over time; names inside inner loops stay there."""
    found: dict[str, Callable[[], Node]] = {}
    for line in lines:
        if line.keyword == "for" and not line.depth:
            loop = line
        elif line.keyword == "let" and line.depth == 1:
            found[python_name(line.name.removesuffix(f"[{loop.name}]"))] = partial(stack_of, loop.row, line.row)
    return found


def _itself(row: Node) -> Node:
    return row


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
        self.said: dict[Statement, list[Line]] = {}
        self.taken = {*model.graph.names, *model.sizes, *model.functions}
        self.notation = ModelText(self.names, [*self.taken])
        self.notation.pending = {row.id for row in model.equations.values()}
        self.stacks = self._unread()
        order = written_rows([*model.equations.values(), *self.stacks])
        self.loops = Loops(self, order)
        self.extra = self._constant_in_loops()
        for node in lines_of_their_own(order, self.loops.sequences, self._in_place):
            self.names[node.id] = self.fresh("t1")
            self.extra.add(node.id)

    def lines(self, group: Sequence[Statement]) -> list[str]:
        keyword = group[0].keyword
        if keyword in EQUATIONS:
            return [line.text for line in self.equation(group[0])]
        return packed(keyword, [self.declaration(keyword, s.name) for s in group])

    def declaration(self, keyword: str, name: str) -> str:
        """``N = 4``, ``X: N x D``, ``y: N int < C``, ``eps = 1 / 2``."""
        if keyword == "dim":
            size = self.model.sizes[name]
            return name if size is None else f"{name} = {size}"
        if keyword == "function":
            return name
        row = self.model.graph.names[name]
        leaf: Leaf = row.attr
        if keyword == "const":
            return f"{name} = {self.notation.text(Num(leaf.value))}"
        below = [f"int < {dim_text(leaf.below)}"] if leaf.below is not None else []
        return declared(self.spelled(name), row.shape, *below, *([leaf.stated] if leaf.stated else []))

    def spelled(self, name: str) -> str:
        """A declared name as text writes it: the initial value of a loop is ``h[0]``."""
        row = self.model.graph.names.get(name)
        return name if row is None else self.names.get(row.id, name)

    def equations(self) -> list[Line]:
        """All lines of equations and loops."""
        return [e for s in self.model.statements if s.keyword in EQUATIONS for e in self.equation(s)] + self.unread

    def _constant_in_loops(self) -> set[int]:
        """Rows that say what a loop assigns and is the same at all steps; a name that is taken is that of a state, or
        of the first value of one, which the loop says."""
        rows = [(name, stack()) for name, stack in self.model.stacks.items() if name not in self.taken]
        found = {row.id: name for name, row in rows if row.name is None and row.args and not is_stack(row)}
        self.names |= found
        self.taken |= {*found.values()}
        return {*found}

    def _unread(self) -> list[Node]:
        """What loops assign that neither an equation nor the body of a loop which one reads has a line for; what is
        the same at all steps first."""
        read = written_rows(list(self.model.equations.values()))
        seen = {n.id for n in read if n.is_loop or not is_stack(n)}
        rows = [stack() for name, stack in self.model.stacks.items() if name not in self.model.graph.names]
        return sorted((r for r in rows if (r.args[0].id if is_stack(r) else r.id) not in seen), key=is_stack)

    @cached_property
    def unread(self) -> list[Line]:
        """The lines of those, once the equations are written."""
        return [e for row in self.stacks for inner in self._pending(row) for e in self._inner(inner)]

    def equation(self, said: Statement) -> list[Line]:
        """An equation, after the loops and the rows with lines of their own that it is the first to need."""
        if said not in self.said:
            self.said[said] = self._equation(said.keyword, said.name)
        return self.said[said]

    def _equation(self, keyword: str, name: str) -> list[Line]:
        row = self.model.graph.names[name]
        self.notation.pending.discard(row.id)
        lines = [e for inner in self._pending(row) for e in self._inner(inner)]
        if keyword == "let" and is_stack(row) and row.id in self.loops.defined:
            return lines
        if is_stack(row):
            return [*lines, Line(keyword, name, self.notation.operand(row), row)]
        return [*lines, Line(keyword, self.spelled(name), self.notation.right(row), row)]

    def _inner(self, row: Node) -> list[Line]:
        self.written.add(row.id)
        if row.is_loop:
            return self.loops.lines(row, 0)
        return [Line("let", self.names[row.id], self.notation.right(row), row)]

    def _pending(self, row: Node) -> list[Node]:
        """Loops and rows with a line of their own that ``row`` needs and that are not written yet, arguments first."""

        def known(n: Node) -> bool:
            named = n.name is not None and n.id not in self.notation.pending
            return n.id in self.written or (named and n is not row and not is_stack(n))

        order = written_rows([row], known)
        return [n for n in order if (n.id in self.extra or n.is_loop) and n.id not in self.written]

    def _in_place(self, node: Node) -> bool:
        return node.name is None and node.id not in self.names and not (node.is_loop or node.is_result)

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


# -- scans, written as for t in 1..T
def _stack_text(base: str, loop: Loop) -> str:
    """What a loop computes, over all steps; of steps whose number is written, which text has one by one, a stack."""
    if not loop.length.is_Integer:
        return base
    return f"stack({', '.join(f'{base}[{dim_text(loop.first + k)}]' for k in range(int(loop.length)))})"


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
    leaves: dict[int, Callable[[], Math]] = field(default_factory=dict)
    expanded: set[int] = field(default_factory=set)

    @property
    def loop(self) -> Loop:
        loop: Loop = self.scan.attr
        return loop


class Loops:
    """Plans every scan among ``order`` (rows of a model, or of a body) and writes them."""

    def __init__(self, writer: Writer, order: Sequence[Node]) -> None:
        self.model, self.notation, self.fresh, self.taken = writer.model, writer.notation, writer.fresh, writer.taken
        self.lets = {row.id: name for name, row in self.model.equations.items() if is_stack(row)}
        self.lets = {i: n for i, n in self.lets.items() if n not in self.model.output_rows}
        self.plans: dict[int, Plan] = {}
        self.sequences: set[int] = set()
        self.defined: set[int] = set()
        self.outer: dict[int, Node] = {}
        self.plan(order, writer.names, [])

    # -- planning
    def plan(self, order: Sequence[Node], names: dict[int, str], counters: list[str]) -> None:
        """Names for the rows of every loop in ``order``. ``names`` are those of the rows around it, ``counters`` those
        of the loops around it."""
        for scan in [n for n in order if n.is_loop]:
            results = {n.attr: n for n in order if n.is_result and n.args[0] is scan}
            plan = self.plans[scan.id] = Plan(scan, self._counter(scan.attr.index, counters))
            self._name_rows(plan, results, names, counters)

    def _counter(self, wanted: str, counters: list[str]) -> str:
        return wanted if wanted not in counters and wanted not in self.model.graph.names else self.fresh(wanted)

    def _name_rows(self, plan: Plan, results: dict[int, Node], names: dict[int, str], counters: list[str]) -> None:
        loop, n = plan.loop, len(plan.loop.carry)
        stacks = {number: out for number, out in results.items() if number >= n}
        written = [row for k, row in enumerate(loop.stacked, n) if k in stacks or row.name is not None]
        order = plan.scan.graph.topological([*written, *loop.carried], loop.stop)
        for number, out in stacks.items():
            row = loop.stacked[number - n]
            base = plan.bases.setdefault(row.id, self.lets.get(out.id) or self._base(row))
            if self.lets.get(out.id) == base:
                self.defined.add(out.id)
            self.notation.results[out.id] = _stack_text(base, loop)
            names.setdefault(out.id, self.notation.results[out.id])  # a body around may have a line for it
        for leaf, row, start in zip(loop.carry, loop.carried, plan.scan.args, strict=False):
            plan.carries.append(self._carry_name(plan, leaf, row, start, names))
        end = dim_text(loop.end)
        self.notation.results |= {out.id: f"{plan.carries[k]}[{end}]" for k, out in results.items() if k < n}
        self._name_leaves(plan)
        self._name_inside(plan, order, counters)

    def _name_inside(self, plan: Plan, order: Sequence[Node], counters: list[str]) -> None:
        """The rows of the body: those with a name get a line, and those that loops inside it run over."""
        inside = [row for row in order if row.id not in plan.loop.stop]
        for row in inside:
            outer = self.model.graph.names.get(row.name or "") is row  # a constant that has its line outside
            if row.name is not None and row.args and row.id not in plan.bases and not outer:
                plan.bases[row.id] = self._base(row)
        plan.names |= {row.id: f"{plan.bases[row.id]}[{plan.counter}]" for row in inside if row.id in plan.bases}
        self.plan(inside, plan.names, [*counters, plan.counter])
        at_hand = {row.id for row in order} | plan.loop.stop
        plan.expanded = {row.id for row in inside if any(a.args and a.id not in at_hand for a in parts(row))}
        self._give_lines(plan, inside)
        plan.rows = [row for row in order if row.is_loop or row.id in plan.bases]

    def _give_lines(self, plan: Plan, inside: Sequence[Node]) -> None:
        """Lines for unnamed rows that loops in the body run over, and for those that would make its text too long."""

        def in_place(row: Node) -> bool:
            named = row.name is not None or row.id in plan.names or row.id in plan.leaves
            return not named and not (row.is_loop or row.is_result)

        for row in lines_of_their_own(inside, self.sequences, in_place):
            plan.bases[row.id] = self._base(row)
            plan.names[row.id] = f"{plan.bases[row.id]}[{plan.counter}]"

    def _base(self, row: Node) -> str:
        """What a body row wants to be called, without its index."""
        return self.fresh(_stem(row.name or row.wish or "t1"))

    def _carry_name(self, plan: Plan, leaf: Node, row: Node, start: Node, names: dict[int, str]) -> str:
        """The name of a carried value: that of the row that is carried, unless another carry has it already."""
        own, begin, stop = plan.bases.get(row.id), dim_text(plan.loop.before), plan.loop.stop
        if own is None or own in plan.carries or row.id in stop or not self._may_begin(own, begin, start, names):
            wanted = _stem((row.name if row.args else None) or leaf.name or "c")
            own = self.fresh(wanted)
            while not self._may_begin(own, begin, start, names):
                own = self.fresh(wanted)
            if row.id not in stop and row.id not in plan.bases:
                plan.bases[row.id] = own
        self.taken.add(python_name(own + begin))
        declared = start.name is not None and (start.name in self.model.graph.names or "[" in start.name)
        if declared and _stem(start.name or "") == python_name(own + begin):
            names[start.id] = f"{own}[{begin}]"
        return own

    def _may_begin(self, name: str, begin: str, start: Node, names: dict[int, str]) -> bool:
        """Whether h0, as ``h[0]`` is spelled too, is free, or is the very row that the loop begins with."""
        spelled = python_name(name + begin)
        own = self.model.graph.names.get(spelled) is start or _stem(names.get(start.id, "")) == spelled
        return own or spelled not in self.taken

    def _name_leaves(self, plan: Plan) -> None:
        loop, t = plan.loop, plan.counter
        before = f"{t}+1" if loop.reverse else f"{t}-1"
        plan.names |= {leaf.id: f"{name}[{before}]" for leaf, name in zip(loop.carry, plan.carries, strict=True)}
        n, m = len(loop.carry), len(loop.sequences)
        for leaf, row in zip(loop.invariants, plan.scan.args[n + m :], strict=True):
            self.outer[leaf.id] = self.outer.get(row.id, row)
            plan.leaves[leaf.id] = partial(self.notation.ref, row)
        for leaf, row in zip(loop.sequences, plan.scan.args[n : n + m], strict=True):
            plan.leaves[leaf.id] = self._element(self.outer.get(row.id, row), plan, leaf.name == loop.index)

    def _element(self, row: Node, plan: Plan, counts: bool) -> Callable[[], Math]:
        """``c[t]``, ``c[t+1]`` or the counter itself."""
        if counts and row.kind == "int" and row.name is None:
            return lambda: Sym(plan.counter)
        start, source = sp.S.Zero, row
        if is_part(row) and row.name is None and row.attr[0] == 0 and row.attr[3] == 1:
            start, source = row.attr[1], row.args[0]
        if source.name is None and not source.is_result:
            self.sequences.add(source.id)
        shift = dim_text(sp.expand(start + 1 - plan.loop.first))
        place = plan.counter + ("" if shift == "0" else shift if shift.startswith("-") else f"+{shift}")
        return lambda: Sym(f"{self.notation.operand(source)}[{place}]")

    # -- writing
    def lines(self, scan: Node, depth: int) -> list[Line]:
        """The loop's initial values where they have no name of their own, its head and its body."""
        plan = self.plans[scan.id]
        loop = plan.loop
        found: list[Line] = []
        for name, start in zip(plan.carries, scan.args, strict=False):
            first, at = f"{name}[{dim_text(loop.before)}]", self.notation.operand(start)
            if at != first:
                found.append(Line("let", first, at, start, depth))
        found.append(Line("for", plan.counter, f"{dim_text(loop.begin)}..{dim_text(loop.end)}", scan, depth))
        scope: dict[int, Math] = {i: Sym(name) for i, name in plan.names.items()}
        scope |= {i: leaf() for i, leaf in plan.leaves.items()}
        with self.notation.inside(scope, plan.expanded):
            return found + self._body(plan, depth + 1)

    def _body(self, plan: Plan, depth: int) -> list[Line]:
        t, found = plan.counter, list[Line]()

        def let(name: str, formula: str, row: Node) -> None:
            found.append(Line("let", name, formula, row, depth))

        for row in plan.rows:
            if row.is_loop:
                found += self.lines(row, depth)
            elif row.id in plan.loop.stop:
                let(f"{plan.bases[row.id]}[{t}]", self.notation.operand(row), row)
            else:
                let(plan.names[row.id], self.notation.right(row), row)
        for name, row in zip(plan.carries, plan.loop.carried, strict=True):
            if plan.bases.get(row.id) != name:
                let(f"{name}[{t}]", self.notation.operand(row), row)
        return found


def _stem(name: str) -> str:
    """A name without its index."""
    return re.sub(r"\W.*", "", name) or "c"


# -- which rows without a name get a line of their own


def parts(node: Node) -> list[Node]:
    """The rows that the text of a row mentions: the arguments of the call that made it, else its own."""
    if node.origin is None:
        return list(node.args)
    return [v for v in (*node.origin.args, *node.origin.options.values()) if isinstance(v, Node)]


def lines_of_their_own(order: Sequence[Node], run_over: Container[int], in_place: Callable[[Node], bool]
                       ) -> Iterator[Node]:
    """Of the rows written ``in_place`` those that loops run over (by id), then large ones that are read more than once,
    and those nested too deeply; whoever is handed one gives it a name before asking for the next. ``order`` has
    arguments first."""
    yield from (node for node in order if node.id in run_over and node.args and in_place(node))
    readers: dict[int, int] = {}
    for node in order:
        for a in parts(node):
            readers[a.id] = readers.get(a.id, 0) + 1
    size: dict[int, int] = {}
    depth: dict[int, int] = {}
    for node in order:
        inner = [a for a in parts(node) if a.id in size and in_place(a)]
        size[node.id] = 1 + sum(size[a.id] for a in inner)
        depth[node.id] = 1 + max((depth[a.id] for a in inner), default=0)
        shared = readers.get(node.id, 0) > 1 and size[node.id] > SHARED_SIZE
        if node.args and in_place(node) and (shared or size[node.id] > MAX_SIZE or depth[node.id] > MAX_DEPTH):
            yield node
