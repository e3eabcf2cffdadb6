"""`derive`: one recorded sweep over a model, and the derivation that it amounts to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from symbackprop.core import formula as f
from symbackprop.core.facts import is_listed, is_product
from symbackprop.core.graph import SEVERAL, Node, arguments_first, reached
from symbackprop.core.loops import Loop, asked_of_loops, nameless_elements, with_bodies
from symbackprop.core.names import unplaced
from symbackprop.core.reverse import sweep, totals
from symbackprop.core.scalars import TABLE
from symbackprop.core.settling import Part, Settled
from symbackprop.core.shapes import same_shape
from symbackprop.cycles import uncollected
from symbackprop.derive.naming import Names, Roles
from symbackprop.derive.record import Contribution, Edge
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.model.load import as_model
from symbackprop.model.model import Model
from symbackprop.model.names import listed

if TYPE_CHECKING:
    from symbackprop.derive.compressed import Further

# -- from the record to a derivation: order, names, what is cached; loops with the steps of their bodies
Record = Step | LoopStep


def assemble(model: Model, records: Sequence[Record], gradients: dict[str, Node], strict: bool) -> Derivation:
    """The derivation that a recorded sweep amounts to; where it is ``strict``, the user calls rows otherwise that it
    names, and nothing else."""
    assembly = Assembly(model, in_reading_order(records))
    derivation = assembly.derivation(gradients)
    if strict:
        assembly.scope.check()
    return derivation


def in_reading_order(records: Sequence[Record]) -> list[Record]:
    """The gradient of a leaf follows the steps that it is read off from, as at the board: ∂L/∂W₂ before ∂L/∂A₁."""
    inner = [r for r in records if isinstance(r, LoopStep) or r.target.args]
    place, written, leaves = _places(inner), Written.of(inner), dict[int, list[Record]]()
    if (order := _defined_first(inner, place, written)) != [*range(len(inner))]:
        inner = [inner[i] for i in order]
        place, written = _places(inner), Written.of(inner)
    for record in records:
        if isinstance(record, Step) and not record.target.args:
            readers = [place.get(c.consumer.id, 0) for c in record.contributions if c.consumer is not None]
            last = max([*readers, *map(written.last, record.total.args)], default=0)
            leaves.setdefault(last, []).append(record)
    read = {i: _readable(sorted(found, key=_argument_place), written.swept) for i, found in leaves.items()}
    return [r for i, record in enumerate(inner) for r in (record, *read.get(i, ()))] if inner else list(records)


def _places(records: Sequence[Record]) -> dict[int, int]:
    return {(r.loop if isinstance(r, LoopStep) else r.target).id: i for i, r in enumerate(records)}


def _defined_first(records: Sequence[Record], place: Mapping[int, int], written: Written) -> list[int]:
    """The places in the order of the sweep, but that a gradient comes before one that is written with it: where(c, a,
    b) hands on 1[c] to a and 1 − 1[c] = 1 − δ_a to b."""
    order = dict[int, None]()
    for i, record in enumerate(records):
        last = max(map(written.last, record.total.args), default=0) if isinstance(record, Step) else 0
        read = records[last] if last > i else None
        parts = read.contributions if isinstance(read, Step) else ()
        if parts and all(place.get(c.consumer.id, 0) in order for c in parts if c.consumer is not None):
            order[last] = None
        order[i] = None
    return [*order]


@dataclass
class Written:
    """With which steps' gradients rows are written: ``swept`` says the places of these; none is older than ``first``.
    Gradients are written with parts of each other, so what was ``found`` of a row is remembered."""

    swept: Mapping[int, int]
    first: int
    found: dict[int, int]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Written:
        swept = {r.total.id: i for i, r in reversed(list(enumerate(records))) if isinstance(r, Step)}
        return cls(swept, min(swept, default=0), {**swept})

    def last(self, row: Node) -> int:
        """The last of their places; 0 where there is none."""
        if row.id < self.first:
            return 0
        for r in () if row.id in self.found else arguments_first([row], self._reads, self.found):
            self.found[r.id] = max([self.found[a.id] for a in self._reads(r)], default=0)
        return self.found[row.id]

    def _reads(self, row: Node) -> list[Node]:
        return [a for a in row.args if a.id >= self.first]


def _readable(leaves: Sequence[Record], swept: Collection[int]) -> list[Record]:
    """A leaf whose gradient is written with that of another leaf follows it: ∂L/∂V = x (∂L/∂v)ᵀ comes after ∂L/∂v."""
    own = {r.total.id for r in leaves if isinstance(r, Step) and r.total.args}.difference(swept)
    return sorted(leaves, key=lambda r: isinstance(r, Step) and any(a.id in own for a in r.total.args))


def _argument_place(record: Record) -> tuple[int, ...]:
    """Leaves of one equation in the order in which it reads them; a sum within a sum was made before it."""
    assert isinstance(record, Step)
    path = record.contributions[-1].path
    before = [(), *[(edge,) for edge in path]]
    made = [edge.consumer.id if _within_sum(last, edge) else 0 for last, edge in zip(before, path, strict=False)]
    return tuple([x for place in zip(made, [edge.index for edge in path], strict=True) for x in place])


class Assembly:
    """Names everything a derivation talks about, forward rows first, then gradients in the order of the sweep."""

    def __init__(self, model: Model, records: Sequence[Record]) -> None:
        self.model, self.records = model, records
        self.order = sorted(model.graph.topological([*model.results(), *model.equations.values()]), key=lambda n: n.id)
        self.forward_ids = {n.id for n in self.order}
        heads = {row.head for row in model.graph.nodes.values() if row.head is not None}
        symbols = {text for text in (TABLE[head].text for head in heads) if text}
        self.scope = Names([*model.graph.names, *model.sizes, *model.functions], model.called, symbols)
        self.loops = [n.attr for n in with_bodies(self.order) if n.is_loop]
        self.scope.avoided |= {loop.index for loop in self.loops}
        self.scope.avoided |= {unplaced(n.name) for loop in self.loops for n in loop.rows() if n.name is not None}
        self.names = {n.id: n.name for n in self.order if n.name is not None}
        self.names |= {u.id: u.name for u in model.upstream.values() if u.name is not None}
        self.readers: dict[int, list[Node]] = {}
        self.roles = Roles(self.readers, self.names)
        self.bodies: dict[int, tuple[Node, ...]] = {}
        self.expanded: set[int] = set()
        self.settled = {r.target.id for r in _found(records)}
        self.number = 0

    def derivation(self, gradients: dict[str, Node]) -> Derivation:
        reverses = [r.reverse for r in self.records if isinstance(r, LoopStep)]
        self.asked = asked_of_loops([*self.order, *reverses, *gradients.values()]) if self.loops else {}
        forward = self._forward(self.order)
        self._name_gradients(self.records)
        if self.loops:
            self._name_stacks([*self.order, *self.model.graph.topological(list(gradients.values()))])
        steps = self._steps(self.records)
        return Derivation(
            self.model, tuple(gradients), forward, steps, gradients, self.names,
            frozenset(self.forward_ids), frozenset(self.expanded), self.bodies,
        )

    # -- forward
    def _forward(self, order: Sequence[Node], index: str = "") -> tuple[Node, ...]:
        """The rows with a name, named where they are not, and the loops; bodies are entered."""
        self._read(order)
        apart = {n.id for n in order if self._is_apart(n)}
        rows = [n for n in order if n.args and (
            n.name or n.id in self.settled or n.id in apart or n.kind == SEVERAL or n.is_result)]
        for node in rows:
            if node.kind == SEVERAL:
                self._enter(node)
            elif node.is_result and node.id not in self.names:
                self._name_stacks([node])
            elif node.id not in self.names:
                name = self.scope.intermediate(self.roles.wishes(node))
                self.names[node.id] = f"{name}[{index}]" if index else name
        calls = [n for n in order if n.origin is not None and self._has_named_inside(n)]
        self.expanded |= {n.id for n in calls}
        found = {n.id for n in (*rows, *self._shared(order, calls))}
        return tuple([n for n in order if n.id in found])

    def _is_apart(self, node: Node) -> bool:
        """Whether a row without a gradient is said once: a matrix that is written out in a product, what a loop reads
        element by element, and what is long and read in several places."""
        if not node.args or node.value is not None:
            return False
        readers = self.readers.get(node.id, ())
        if any([row is node for r in readers if r.is_loop for _, row in nameless_elements(r)]):
            return True
        if is_listed(node) and node.ndim > 1:
            return any(map(is_product, readers))
        return len(readers) > 1 and not node.hint and _depth(node, LONG) == LONG  # `_shared` names what has a hint

    def _read(self, order: Iterable[Node]) -> None:
        """Remember who reads which row."""
        for node in order:
            for a in node.args:
                self.readers.setdefault(a.id, []).append(node)

    def _shared(self, order: Sequence[Node], calls: Sequence[Node]) -> Iterator[Node]:
        """Rows without a gradient of their own in calls that are written out, as the mean in a normalisation: they go
        by what their maker called them, unless they are short."""
        known = {a.id for call in calls if call.origin is not None for a in call.origin.args if isinstance(a, Node)}
        inside = {n.id for n in self.model.graph.topological(calls)} - known if calls else set()
        for node in [n for n in order if n.hint and n.args and n.id in inside and n.id not in self.names]:
            if any(a.args and a.id not in self.names for a in node.args):
                self.names[node.id] = self.scope.intermediate(self.roles.wishes(node))
                yield node

    def _enter(self, scan: Node) -> None:
        loop, asked = scan.attr, self.asked.get(scan.id, ())
        read = [row for k, row in enumerate(loop.stacked, len(loop.carry)) if k in asked or row.name is not None]
        roots = [*loop.carried, *read]
        self.asked |= asked_of_loops(roots)  # of the loops inside
        order = sorted(scan.graph.topological(roots, loop.stop), key=lambda n: n.id)  # as it was written
        self.names |= {n.id: n.name for n in order if n.name is not None}
        computed = [n for n in order if n.id not in loop.stop]
        self.forward_ids |= {n.id for n in computed}
        self.settled |= {n.id for n in read if n.args}
        self.bodies[scan.id] = self._forward(computed, loop.index)

    def _has_named_inside(self, node: Node) -> bool:
        """Whether a row between this one and the arguments of the call that made it got a name in the derivation."""
        assert node.origin is not None
        known = {a.id for a in node.origin.args if isinstance(a, Node)}
        return any(row.args for row in self._named_below(node.args, known))

    def _named_below(self, rows: Sequence[Node], known: Collection[int]) -> Iterator[Node]:
        """The first rows with a name among these and what they are computed from."""
        found = reached(rows, lambda row: () if row.id in self.names or row.id in known else row.args)
        return (row for row in found if row.id in self.names and row.id not in known)

    # -- gradients
    def _name_gradients(self, records: Iterable[Record], loop: Loop | None = None) -> None:
        for record in records:
            if isinstance(record, LoopStep):
                self._name_body(record)
            elif self._is_unnamed(record.total):
                wanted = self._gradient_name(record.target, loop)
                if wanted is not None:
                    self.names[record.total.id] = self.scope.unique(wanted)

    def _is_unnamed(self, total: Node) -> bool:
        """Whether a gradient may be called one: a row of the forward pass is not called by what happens to equal it."""
        return total.value is None and total.id not in self.names and total.id not in self.forward_ids

    def _name_body(self, record: LoopStep) -> None:
        reverse, loop = record.reverse, record.reverse.attr
        for leaf in loop.leaves():
            self.names.setdefault(leaf.id, leaf.name or "?")
        self._name_gradients(record.steps, loop)
        rows = loop.rows()
        self.bodies[reverse.id] = tuple(n for n in rows if n.args and n.id in self.names and n.id not in loop.stop)

    def _gradient_name(self, node: Node, loop: Loop | None) -> str | None:
        """``d<name>``; in a body ``dh_t``, what is handed back ``dh_prev``, and no name for a share of a weight's."""
        name = self.names.get(node.id, "x")
        if loop is None or loop.forward is None:
            return f"d{name}"
        if any([leaf is node for leaf in loop.invariants]):
            return None
        base = unplaced(name)
        return f"d{base}_prev" if any([leaf is node for leaf in loop.forward.carry]) else f"d{base}_{loop.index}"

    def _name_stacks(self, order: Iterable[Node]) -> None:
        """Results of loops that nobody named are called like the body row they collect; a share of a weight's has no
        name."""
        for node in order:
            if node.is_result and node.id not in self.names:
                named, share = collected(node).id in self.names, node.attr >= len(node.args[0].attr.carry)
                base = stack_name(node, self.names)
                if named or not share:
                    self.names[node.id] = self.scope.stack(base) if named else self.scope.unique(base)

    # -- steps
    def _steps(self, records: Iterable[Record]) -> tuple[Step | LoopStep, ...]:
        return tuple([self._step(r) for r in records])

    def _step(self, record: Record) -> Step | LoopStep:
        self.number += 1
        number = self.number
        if isinstance(record, LoopStep):
            return LoopStep(number, record.loop, record.reverse, self._steps(in_reading_order(record.steps)))
        return Step(number, record.target, record.contributions, record.total)


LONG = 4  # rows in each other


def _depth(node: Node, most: int) -> int:
    """How many rows without a name stand in each other in a row, up to so many."""
    inside = [a for a in node.args if a.name is None and a.args and a.value is None]
    return 1 + max([_depth(a, most - 1) for a in inside], default=0) if most > 1 else 1


def collected(result: Node) -> Node:
    """The body row of which a result of a loop is the last value, or has all values."""
    row: Node = result.args[0].attr.results()[result.attr]
    return row


def stack_name(result: Node, names: Mapping[int, str]) -> str:
    """What a result of a loop is called after the body row that it collects; ``names`` are those of rows, by id."""
    loop: Loop = result.args[0].attr
    number, row = result.attr, collected(result)
    carried = number < len(loop.carry)
    name = (loop.carry[number].name if carried else names.get(row.id) or row.name) or "s"
    base = unplaced(name).removesuffix(f"_{loop.index}")
    if not carried:
        return f"{base}_prev" if name.endswith(("-1]", "+1]")) else base
    last = loop.end
    if last.is_Integer:
        return f"{base}[{last}]"
    return f"{base}_{last}" if last.is_Symbol else f"{base}_last"


def _found(records: Iterable[Record]) -> list[Step]:
    """All gradients found, those in loop bodies included."""
    return [s for r in records for s in (_found(r.steps) if isinstance(r, LoopStep) else [r])]


def derive(model: Model | str, wrt: Iterable[str] | str | None = None, order: int = 1,
           hessian: Iterable[str] | str | None = None, jacobian: str | None = None, ggn: bool = False) -> Derivation:
    """Backpropagation through the model, for all parameters and inputs or for the names in ``wrt`` (which may also be
    intermediates). The model may also be given by name, by path or as model text.

    ``order=2`` adds the second derivatives by the parameters, or by ``wrt``; ``hessian`` names arrays for them,
    ``jacobian`` an intermediate or an output whose derivatives are wanted as well, all entries of it; with ``ggn`` the
    Gauss–Newton matrix takes the place of second derivatives.
    """
    if (order, hessian, jacobian, ggn) == (1, None, None, False):
        return derived(as_model(model), wrt)
    from symbackprop.derive.compressed import Further  # much code, which gradients alone do without

    return derived(as_model(model), wrt, further=Further(order, hessian, jacobian, ggn))


@uncollected()
def derived(model: Model, wrt: Iterable[str] | str | None = None, strict: bool = True,
            further: Further | None = None) -> Derivation:
    """`derive`; not ``strict``: what the user calls otherwise need not be there."""
    targets = model.targets() if wrt is None else {name: model.differentiable(name) for name in listed(wrt)}
    by, graph = list(targets.values()), model.graph
    with graph.apart():
        count, swept = graph.count, list(sweep(model.results(), model.seeds(), by))
        records = recorded(swept, (graph.nodes[k] for k in range(count, graph.count)))
        found = assemble(model, records, dict(zip(targets, totals(swept, by), strict=True)), strict)
        return found if further is None else replace(found, second=further.blocks(found, wrt is not None))


def recorded(swept: Iterable[Settled], made: Iterable[Node]) -> list[Step | LoopStep]:
    """The record of a sweep; its reverse loops are among the rows that it ``made``."""
    loops = [(n.attr.forward, n) for n in made if isinstance(n.attr, Loop) and n.attr.forward is not None]
    return Recorder({id(forward): row for forward, row in loops}).record(swept)


@dataclass
class Recorder:
    """The reverse loops by the loops that they reverse; the gradients found; the ways through rows read in passing."""

    reverses: dict[int, Node]
    totals: dict[int, Node] = field(default_factory=dict)
    routes: dict[int, Contribution] = field(default_factory=dict)

    def record(self, swept: Iterable[Settled]) -> list[Step | LoopStep]:
        steps = map(self._step, swept)
        return [step for step in steps if step is not None]

    def _step(self, settled: Settled) -> Step | LoopStep | None:
        node = settled.node
        if node.kind == SEVERAL:
            reverse = self.reverses[id(node.attr)]
            return LoopStep(0, node, reverse, tuple(Recorder(self.reverses).record(reverse.attr.swept)))
        contributions = tuple([self._contribution(p) for p in settled.parts])
        if settled.whole:
            self.totals[node.id] = settled.total
            return Step(0, node, contributions, settled.total)
        if contributions[0].consumer is not None:
            self.routes[node.id] = contributions[0]
        return None

    def _contribution(self, part: Part) -> Contribution:
        if part.consumer is None:
            return Contribution(None, None, (), part.value)
        edge, way = Edge(part.consumer, part.index), self.routes.get(part.consumer.id)
        if way is not None:
            return Contribution(way.consumer, way.upstream, (*_towards(way.path, edge), edge), part.value)
        return Contribution(part.consumer, self.totals.get(part.consumer.id), (edge,), part.value)


def _towards(path: tuple[Edge, ...], edge: Edge) -> tuple[Edge, ...]:
    """A path to an edge without its end where that leads from a sum to a sum in it, and the edge to a term of that:
    they are one sum, of however many terms."""
    return path[:-1] if _within_sum(path, edge) and _within_sum(path[:-1], path[-1]) else path


def _within_sum(path: tuple[Edge, ...], edge: Edge) -> bool:
    """Whether a path ends at the term of a sum that is a sum itself, and the edge leads to a term of that."""
    return bool(path) and isinstance(edge.consumer.form, f.Add) and _is_term(path[-1])


def _is_term(edge: Edge) -> bool:
    """Whether the argument is a term of a sum, as it stands."""
    row = edge.consumer
    plain = isinstance(row.form, f.Add) and row.attr.partial(edge.index) == f.ONE
    return plain and same_shape(row.shape, edge.argument.shape)
