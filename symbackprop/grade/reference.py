"""The right gradients, with everything that a diagnosis asks about: every branch, every local derivative.

One sweep over a copy of the model keeps the contributions to every row, named or not. A person may write any of the
quantities in it: gradients of parameters, inputs and data, and those of all intermediates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_joined, is_listed
from symbackprop.core.functions.arrange import stack
from symbackprop.core.graph import FLOAT, Graph, Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.maths import Transpose
from symbackprop.core.notation import Notation
from symbackprop.core.reverse import sweep, vjp
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import evaluate_dim, same_shape, shape_text
from symbackprop.derive import Step, derive
from symbackprop.derive.closing import closed_forms
from symbackprop.derive.record import Edge
from symbackprop.errors import ModelError, NameProblem
from symbackprop.model.copying import Span
from symbackprop.model.model import Model

MAX_LENGTHS = 30


def _stacks(row: Node, step: Node) -> bool:
    """Whether a row is a stack of which ``step`` is a part."""
    return step in row.args if is_listed(row) else is_joined(row) and any(step in part.args for part in row.args)


class Reference:
    """The gradients of a model whose loops are unrolled. ``model`` belongs to the reference and gets further rows.

    ``loops`` are the loops that were unrolled, as counters with their first and last steps. The letters that a
    derivation gives to unnamed rows are not among the names then: they depend on the number of steps, and nobody has
    seen them; nor are they without ``letters``.
    """

    def __init__(self, model: Model, loops: Mapping[str, Sequence[Span]] | None = None, letters: bool = True) -> None:
        self.model, self.graph, self.loops = model, model.graph, dict(loops or {})
        derivation = self.derivation = derive(model)
        self.forward = frozenset(derivation.forward_ids)
        steps = {s.target.id: s.total for s in derivation.steps if isinstance(s, Step)}
        unnamed = {i for i in derivation.names if i in self.forward and self.graph.nodes[i].name is None}
        self.lettered = {steps[i].id for i in unnamed if i in steps}
        unseen = unnamed | self.lettered if self.loops or not letters else set()
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

    @cached_property
    def floats(self) -> list[Node]:
        """The named rows of floats, but constants."""
        return [r for r in dict.fromkeys(self.rows.values()) if r.kind == FLOAT and r.value is None]

    def last_step(self, family: str) -> str:
        return f"{family}[{self.lasts.get(family)}]"

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

    def counted(self, counter: str, sizes: Mapping[str, int]) -> range | None:
        """The steps of the loops that count by a letter; None where there are none, or not the same."""
        spans = self.loops.get(counter, ())
        if len(spans) != 1 or not all(s.name in sizes for s in spans[0][1].free_symbols):
            return None
        first, last = (evaluate_dim(dim, sizes) for dim in spans[0])
        return range(first, last + 1)

    def numbered(self, name: str) -> list[str]:
        """The names c[1], c[2] … of all steps of a row c; none where it has no steps."""
        row = self.rows[name]
        names = [f"{name}[{k + 1}]" for k in range(int(row.shape[0]))] if row.shape and row.shape[0].is_Integer else []
        return names if all(n in self.rows for n in names) else []

    def stack(self, name: str) -> bool:
        """Make the steps h[1], h[2] … of a loop known as h when the model itself does not read them as a whole."""
        named = [(n, self.rows[n]) for k in range(1, len(self.rows)) if (n := f"{name}[{k}]") in self.rows]
        steps = [row for n, row in named if row.name == n]  # what a loop backwards begins with is h[T+1] by the way
        if name in self.rows or f"{name}[1]" not in self.rows or not self.loops:
            return False
        self.rows[name] = stack(*steps)
        self.names[self.rows[name].id] = name
        return True

    def solution(self, name: str) -> list[str]:
        """``dz2 = …``, ``dw2 = …``: right answers that `grade` reads, those that lead to ∂L/∂name before it. That is in
        closed form where it is shorter so: ``where(abs(e) <= 1, e, sign(e))`` for the two terms of huber."""
        row = self.answers.get(name)
        if row is None:
            return []
        short = min((row, self._closed(row)), key=self._length)
        lines = [f"{self.spelled[n.id]} = {self.line(n)}" for n in self._before(short, row)]
        return [*lines, f"d{name} = {self.line(short)}"]

    def _closed(self, row: Node) -> Node:
        """The closed form of a gradient, the gradient itself where it has none."""
        forms = closed_forms(self.derivation, printed=True)
        return forms.shown[row.id].whole if forms.rules.get(row.id) and row.id in forms.shown else row

    def _before(self, *forms: Node) -> list[Node]:
        """The gradients with a name that the first of the forms of a row is computed from, the row itself apart."""
        return [n for n in self.graph.topological(forms[:1], self.forward) if n.args and n.id not in self.forward
                and n.id in self.spelled and n not in forms]

    def _length(self, row: Node) -> int:
        """Of the line of a gradient, with those of rows that have a letter instead of a name."""
        return sum(len(self.line(n)) for n in (row, *[n for n in self._before(row) if n.id in self.lettered]))

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

    @cached_property
    def lengths(self) -> list[sp.Expr]:
        """What means divide by: sizes, and products of the sizes of one array."""
        found = {d: None for d in self.dimensions}
        found |= {s: None for d in self.dimensions for s in sorted(d.free_symbols, key=str)}
        for row in self.order:
            axes = [d for d in row.shape if d != 1][:4]
            found |= {sp.Mul(*part): None for count in (2, 3) for part in combinations(axes, count)}
        return sorted(found, key=lambda d: (len(d.free_symbols), sp.count_ops(d), str(d)))[:MAX_LENGTHS]

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
    more = [graph.relu0] if record.role is Role.RECTIFIED else []
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
