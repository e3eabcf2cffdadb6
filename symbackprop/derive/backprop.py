"""`derive`: one recorded sweep over a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from symbackprop.core import formula as f
from symbackprop.core.graph import SEVERAL, Node
from symbackprop.core.loops import Loop
from symbackprop.core.reverse import sweep, totals
from symbackprop.core.settling import Part, Settled
from symbackprop.core.shapes import same_shape
from symbackprop.derive.assembly import assemble
from symbackprop.derive.record import Contribution, Edge
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.errors import NameProblem, did_you_mean
from symbackprop.model.load import as_model, listed
from symbackprop.model.model import Model


def derive(model: Model | str, wrt: Iterable[str] | str | None = None) -> Derivation:
    """Backpropagation through the model, for all parameters and inputs or for the names in ``wrt`` (which may also be
    intermediates). The model may also be given by name, by path or as model text."""
    return derived(as_model(model), wrt)


def derived(model: Model, wrt: Iterable[str] | str | None = None, strict: bool = True) -> Derivation:
    """`derive`; not ``strict``: what the user calls otherwise need not be there."""
    targets = _targets(model, wrt)
    by, graph = list(targets.values()), model.graph
    with graph.apart():
        count, swept = graph.count, list(sweep(model.results(), model.seeds(), by))
        records = recorded(swept, (graph.nodes[k] for k in range(count, graph.count)))
        return assemble(model, records, dict(zip(targets, totals(swept, by), strict=True)), strict)


def _targets(model: Model, wrt: Iterable[str] | str | None) -> dict[str, Node]:
    if wrt is None:
        return model.targets()
    known = {**model.leaves(), **model.equations}
    for name in (wrt := listed(wrt)):
        if name not in known:
            raise NameProblem(f"no array {name!r} in {model.name}.{did_you_mean(name, known)}")
        if known[name].kind != "float":
            raise NameProblem(f"{name!r} is integer data and has no gradient")
    return {name: known[name] for name in wrt}


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
            return Contribution(way.consumer, way.upstream, (*_without_sum(way.path), edge), part.value)
        return Contribution(part.consumer, self.totals.get(part.consumer.id), (edge,), part.value)


def _without_sum(path: tuple[Edge, ...]) -> tuple[Edge, ...]:
    """A path without its end where that leads from a sum to a sum in it: they are one sum, of however many terms."""
    return path[:-1] if len(path) > 1 and all(map(_is_term, path[-2:])) else path


def _is_term(edge: Edge) -> bool:
    """Whether the argument is a term of a sum, as it stands."""
    row = edge.consumer
    plain = isinstance(row.form, f.Add) and row.attr.partial(edge.index) == f.ONE
    return plain and same_shape(row.shape, edge.argument.shape)
