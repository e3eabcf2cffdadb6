"""The right gradients, with everything that a diagnosis asks about: every branch, every local derivative.

One sweep over a copy of the model keeps the contributions to every row, named or not. A person may write any of the
quantities in it: gradients of parameters, inputs and data, and those of all intermediates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_joined, is_part
from symbackprop.core.functions.arrange import stack
from symbackprop.core.graph import FLOAT, Graph, Leaf, Node, dressed
from symbackprop.core.indexing import getitem
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.maths import Transpose
from symbackprop.core.names import unplaced
from symbackprop.core.notation import Notation
from symbackprop.core.reverse import sweep, vjp
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import evaluate_dim, same_shape, shape_text
from symbackprop.core.sizes import sized
from symbackprop.derive import Step, derive
from symbackprop.derive.record import Edge
from symbackprop.errors import ModelError, NameProblem
from symbackprop.model.model import Model


def _stacks(row: Node, step: Node) -> bool:
    """Whether a row is a concatenation of which ``step`` is a part."""
    return is_joined(row) and any(step in part.args for part in row.args)


class Reference:
    """The gradients of a model whose loops are unrolled. ``model`` belongs to the reference and gets further rows.

    ``loops`` are the loops that were unrolled, as counters with the dimension that they run over. The letters that a
    derivation gives to unnamed rows are not among the names then: they depend on the number of steps, and nobody has
    seen them; nor are they without ``letters``.
    """

    def __init__(self, model: Model, loops: Mapping[str, str] | None = None, letters: bool = True) -> None:
        self.model, self.graph, self.loops = model, model.graph, dict(loops or {})
        derivation = self.derivation = derive(model)
        self.forward = frozenset(derivation.forward_ids)
        steps = {s.target.id: s.total for s in derivation.steps if isinstance(s, Step)}
        unnamed = {i for i in derivation.names if i in self.forward and self.graph.nodes[i].name is None}
        unseen = unnamed | {steps[i].id for i in unnamed if i in steps} if self.loops or not letters else set()
        self.spelled = {i: n for i, n in derivation.names.items() if i not in unseen}
        self.answers = {self.spelled[i]: total for i, total in steps.items() if i in self.spelled}
        self.answers |= derivation.gradients
        self.in_answers = Notation(self.spelled, derivation.expanded)
        self.names = {i: n for i, n in self.spelled.items() if i in self.forward}
        self.names |= {u.id: u.name for u in model.upstream.values() if u.name is not None}
        self.rows = self._named_rows()
        self.results = model.results()
        wanted = [r for r in self.rows.values() if r.kind == FLOAT]
        self.order = self.graph.topological([*self.results, *wanted])
        swept = list(sweep(self.results, model.seeds(), wanted, fused=True))
        self.parts = {s.node.id: s.parts for s in swept}
        self.gradients = {s.node.id: s.total for s in swept}
        self.notation = Notation(self.names)
        own = {self.gradients[i].id: self.spelled[row.id] for i, row in steps.items() if row.id in self.spelled}
        self.with_gradients = Notation(own | self.names)  # writes dX for a gradient: without it, terms grow with depth
        self._lines: dict[int, str] = {}
        self._edges: dict[int, tuple[Edge, ...]] = {}
        self._downstream: dict[tuple[int, frozenset[int]], list[Node]] = {}
        self.graph.writing = False  # from here on rows are answers: o written out is o

    def _named_rows(self) -> dict[str, Node]:
        """Every row that has a name, the model's own first, then those that the derivation found a letter for."""
        given = {u.id: u for u in self.model.upstream.values()}
        found = dict(self.model.graph.names)
        for row_id, name in self.names.items():
            found.setdefault(name, given[row_id] if row_id in given else self.graph.nodes[row_id])
        return found

    @cached_property
    def targets(self) -> dict[str, Node]:
        """What has to be answered."""
        return self.model.targets()

    @cached_property
    def lasts(self) -> dict[str, int]:
        """The number of the last step of every family h[1], h[2] … ."""
        found = filter(None, [re.fullmatch(r"(.+)\[(\d+)\]", name) for name in self.rows])
        return dict(sorted([(x[1], int(x[2])) for x in found]))

    def gradient(self, row: Node) -> Node:
        """∂L/∂row; zero when no result depends on it."""
        known = self.gradients.get(row.id)
        return self.graph.full(0, row.shape) if known is None else known

    def readings(self, name: str) -> list[Node]:
        """What ∂L/∂name may mean: for the stack h of all h[t], what reads the stack, or all ∂L/∂h[t] as a stack."""
        row, steps = self.rows[name], self.steps(name)
        read = [self.gradient(row)] if row.id in self.gradients or not steps else []
        return [*read, stack(*[self.gradient(s) for s in steps])] if steps else read

    def steps(self, name: str) -> list[Node]:
        """The rows h[1], h[2] … that a row h is the stack of; none where it is not."""
        names = self.numbered(name)
        return [self.rows[n] for n in names] if all(_stacks(self.rows[name], self.rows[n]) for n in names) else []

    def numbered(self, name: str) -> list[str]:
        """The names c[1], c[2] … of all steps of a row c; none where it has no steps."""
        row = self.rows[name]
        names = [f"{name}[{k + 1}]" for k in range(int(row.shape[0]))] if row.shape and row.shape[0].is_Integer else []
        return names if all(n in self.rows for n in names) else []

    def stack(self, name: str) -> bool:
        """Make the steps h[1], h[2] … of a loop known as h when the model itself does not read them as a whole."""
        steps = [self.rows[n] for k in range(1, len(self.rows)) if (n := f"{name}[{k}]") in self.rows]
        if name in self.rows or f"{name}[1]" not in self.rows or not self.loops:
            return False
        self.rows[name] = stack(*steps)
        self.names[self.rows[name].id] = name
        return True

    def solution(self, name: str) -> list[str]:
        """``dz2 = …``, ``dw2 = …``: right answers that `grade` reads, those that lead to ∂L/∂name before it."""
        row = self.answers.get(name)
        if row is None:
            return []
        order = [n for n in self.graph.topological([row], self.forward) if n.args and n.id not in self.forward]
        lines = [f"{self.spelled[n.id]} = {self.line(n)}" for n in order if n.id in self.spelled and n is not row]
        return [*lines, f"d{name} = {self.line(row)}"]

    def line(self, row: Node) -> str:
        """The right side of a row as model text, over the model's names and gradients before it."""
        if row.id not in self._lines:
            self._lines[row.id] = self.in_answers.right(row) if row.args else self.in_answers.operand(row)
        return self._lines[row.id]

    def edges(self, row: Node) -> tuple[Edge, ...]:
        """The branches through which ``row`` acts on the results."""
        if row.id not in self._edges:
            parts = self.parts.get(row.id, ())
            self._edges[row.id] = tuple([Edge(p.consumer, p.index) for p in parts if p.consumer is not None])
        return self._edges[row.id]

    def downstream(self, row: Node, known: frozenset[int] = frozenset()) -> list[Node]:
        """The rows between ``row`` and the results, results first, ``row`` last: the order of a reverse sweep.

        Where gradients are ``known``, the sweep begins with these.
        """
        if (row.id, known) not in self._downstream:
            self._downstream[row.id, known] = self._sorted_downstream(row, known)
        return self._downstream[row.id, known]

    def _sorted_downstream(self, row: Node, known: frozenset[int]) -> list[Node]:
        seen: dict[int, Node] = {row.id: row}
        stack = [row]
        while stack:
            for edge in self.edges(stack.pop()):
                if edge.consumer.id not in seen and edge.consumer.id not in known:
                    seen[edge.consumer.id] = edge.consumer
                    stack.append(edge.consumer)
        place = {n.id: k for k, n in enumerate(self.order)}
        return sorted(seen.values(), key=lambda n: place.get(n.id, -1), reverse=True)

    def called(self, name: str) -> str:
        """The one name under which a row is answered: h[0] is what was declared as h0 where that has to be answered."""
        own = self.rows[name].name
        return own if own is not None and own in self.targets else name

    @cached_property
    def dimensions(self) -> list[sp.Expr]:
        """All sizes in the model that are not 1, symbols first."""
        found = {d: None for row in self.order for d in row.shape if d != 1}
        return sorted(found, key=lambda d: (bool(d.is_Integer), str(d)))

    # -- what things are called, and how formulas are written
    def text(self, row: Node) -> str:
        """A row as an operand: its name, else its formula."""
        return self.notation.operand(row)

    def written(self, form: f.Formula, rows: Sequence[Node], out: Node) -> str:
        """A formula over rows and the value of the row ``out`` as model text."""
        note = self.notation
        return note.text(note.formula(form, [note.ref(r) for r in rows], note.ref(out)))

    def transposed(self, row: Node) -> str:
        return self.notation.text(Transpose(self.notation.ref(row)))

    def term(self, edge: Edge) -> str:
        """What an edge contributes to the gradient of its argument; gradients of named rows go by their names."""
        parts = self.parts[edge.argument.id]
        value = next(p.value for p in parts if p.consumer is edge.consumer and p.index == edge.index)
        return self.with_gradients.operand(value)

    @property
    def loss_word(self) -> str:
        """What is differentiated: the loss's name, L where there is none."""
        return (None if self.model.loss_row is None else self.model.loss_row.name) or "L"

    def name(self, row: Node) -> str:
        """The name of a row, else its formula."""
        known = self.names.get(row.id) or row.name
        return known if known is not None else self.text(row)

    def is_named(self, row: Node) -> bool:
        return row.id in self.names or row.name is not None

    def local_name(self, edge: Edge, target: Node) -> str:
        """``do/da`` for an edge on the way to ``target``: an unnamed consumer is called by the first named row that it
        flows into, an unnamed argument by the first one that flows into it."""
        return f"d{self._above(edge.consumer)}/d{self._below(edge.argument, {n.id for n in self.downstream(target)})}"

    def _above(self, row: Node) -> str:
        while not self.is_named(row) and self.edges(row):
            row = self.edges(row)[0].consumer
        return self.name(row)

    def _below(self, row: Node, way: set[int]) -> str:
        while not self.is_named(row):
            row = next(a for a in row.args if a.id in way)
        return self.name(row)

    def chain(self, target: Node) -> Iterator[Edge]:
        """All edges between ``target`` and the results, those next to the results first."""
        for row in self.downstream(target):
            yield from self.edges(row)


# -- local derivatives as rows, and derivatives of functions at a place


def local_derivatives(reference: Reference, of: str, by: str) -> list[Node]:
    """∂of/∂by as rows: with all other named rows held fixed, and through every path; one where both are the same.

    Defined where entry i of ``of`` depends on entry i of ``by`` alone, or where one of them is a scalar.
    """
    above, below = reference.rows[of], reference.rows[by]
    if above.shape and below.shape and not same_shape(above.shape, below.shape):
        raise ModelError(
            f"d{of}/d{by} has more axes than an array here ({shape_text(above.shape)} by {shape_text(below.shape)}): "
            "write the product with it"
        )
    if below.id not in {n.id for n in reference.graph.topological([above])}:
        raise NameProblem(f"{of} does not depend on {by}, so d{of}/d{by} is 0")
    named = frozenset(r.id for r in reference.rows.values() if r is not above)
    seed = reference.graph.full(1, above.shape)
    found = [vjp([above], [seed], [below], stop=named)[0], vjp([above], [seed], [below])[0]]
    other_than_0 = [row for row in found if row.value is None or row.value != 0]
    return list({row.id: row for row in other_than_0 or found}.values())


def derivative_of(graph: Graph, function: str, at: Node) -> Node:
    """``tanh'(a)``: the derivative of a scalar function as a row."""
    record = TABLE.get(function)
    if record is None or record.arity != 1:
        raise NameProblem(f"{function}' is no derivative that is known here")
    more = [graph.relu0] if function == "relu" else []
    value = graph.call(function, at, *more)
    partial = Kernel(f.call(function, f.Arg(0), *more)).partial(0)
    over = f.substitute(partial, lambda leaf: leaf if isinstance(leaf, f.Arg) else f.Arg(1))
    return graph.broadcast(graph.apply(over, at, value), at.shape)


def activation_at(reference: Reference, at: Node) -> str:
    """The function that the model applies to a row: what f' means in f'(z)."""
    heads = {n.head for n in reference.order if n.head and n.args[0] is at}
    if len(heads) != 1:
        raise NameProblem(
            f"f' is not clear: the model applies {'no function' if not heads else 'several functions'} to it"
        )
    return str(heads.pop())


# -- a copy of a model to work on, its loops written out: grading adds rows, and the user's own model stays as it is


Sizes = Mapping[str, int]


def copied(model: Model, sizes: Sizes | None = None, names: Mapping[str, str] | None = None) -> Model:
    """The same model over a graph of its own.

    Dimensions in ``sizes`` become numbers there; it has to hold those that a loop runs over, and loops are unrolled.
    What is in ``names`` is called otherwise there.
    """
    return Copy(model, sizes or {}, names or {}).run()


def by_last_values(model: Model) -> dict[str, str]:
    """Other names for what model text gives several values: the name itself for the last of them, h_1 for the first. A
    parameter keeps its name."""
    last = {n: other for n, other in model.last_values.items() if n not in model.targets()}
    first = {n: f"{n}_1" for n in last if f"{n}_1" not in model.graph.names}
    return first | {last[n]: n for n in first}


def loop_dimensions(model: Model) -> tuple[str, ...]:
    """The symbolic dimensions that loops of the model run over, in order of declaration."""
    found = {s.name for n in model.graph.nodes.values() if isinstance(n.attr, Loop) for s in n.attr.length.free_symbols}
    return tuple(name for name in model.sizes if name in found)


def loop_counters(model: Model) -> dict[str, str]:
    """The counters of the loops that run over a symbolic dimension, with that dimension, or with several as text."""
    found = [n.attr for n in model.graph.nodes.values() if isinstance(n.attr, Loop) and n.attr.length.free_symbols]
    return {loop.index: str(loop.length) for loop in found}


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
        for node in self.old.graph.topological(roots):
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
        return self._named(node, self.results[scan.id][node.attr], rows, None)

    def _unroll(self, scan: Node, around: Mapping[int, Node]) -> list[Node]:
        """Every result of a loop as rows: its body once a step."""
        loop: Loop = scan.attr
        n, m = len(loop.carry), len(loop.sequences)
        length = evaluate_dim(loop.length, self.sizes)
        outer = [around[a.id] for a in scan.args]
        carry = outer[:n]
        first = _first_step(loop, outer)
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


def step_name(name: str, step: int) -> str:
    """``h[t]`` at step 2 is ``h[2]``, ``h[t-1]`` is ``h[1]``."""
    return f"{unplaced(name)}[{step + _shift(name)}]"


def _shift(name: str) -> int:
    """How far from step t a name such as h[t-1] lies."""
    found = re.search(r"[+-]\d+(?=\]$)", name)
    return int(found.group()) if found else 0


def _first_step(loop: Loop, outer: Sequence[Node]) -> int:
    """The number of a loop's first step: 2 where it begins with h[1], or runs over x[1:] and calls that x[t]."""
    for leaf, begin in zip(loop.carry, outer, strict=False):
        number = re.fullmatch(re.escape(unplaced(leaf.name or "")) + r"(\d+)", begin.name or "")
        if number and not loop.reverse:
            return int(number.group(1)) + 1
    for leaf, row in zip(loop.sequences, outer[len(loop.carry) :], strict=False):
        if leaf.name is not None and "[" in leaf.name:
            start = row.attr[1] if is_part(row) and row.attr[0] == 0 else 0
            return int(start) + 1 - _shift(leaf.name)
    return 1
