"""The derivation as data: one step for every named quantity, in the order of the reverse sweep.

A step says which gradient is found, the contributions of every branch that reads its target (through which consumer,
times which upstream gradient), and their sum as a row of the model's own language. Printing, code and numbers all read
these steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symbackprop.core.accumulate import total
from symbackprop.core.graph import Node
from symbackprop.core.reverse import Part, vjp
from symbackprop.derive.naming import Names
from symbackprop.errors import NameProblem, did_you_mean
from symbackprop.model.model import Model

_VIEWS = {"broadcast", "reshape", "sum", "slice"}


@dataclass(frozen=True)
class Edge:
    """From a consumer to its argument at ``index``: one factor of the chain rule."""

    consumer: Node
    index: int

    @property
    def argument(self) -> Node:
        return self.consumer.args[self.index]


@dataclass(frozen=True)
class Contribution:
    """What one branch contributes: ``upstream`` (the gradient of ``consumer``) times the local derivatives on ``path``.

    ``path`` runs from the named consumer down to the target, through rows too small to be named. ``value`` is the
    contribution as a row. ``consumer`` is None for the seed of the sweep.
    """

    consumer: Node | None
    upstream: Node | None
    path: tuple[Edge, ...]
    value: Node


@dataclass(frozen=True)
class Step:
    """∂L/∂target = the sum of the contributions = ``total``."""

    number: int
    target: Node
    contributions: tuple[Contribution, ...]
    total: Node
    cached: tuple[Node, ...]


@dataclass(frozen=True)
class Derivation:
    """All steps of one reverse sweep over a model.

    ``forward`` lists the rows with a name, in order; ``names`` gives every name by row id: those the user gave, those
    found for unnamed intermediates, and ``d<name>`` for gradients. ``expanded`` are rows made by a library function whose
    inner rows have names of their own, so that the call says too little. ``gradients`` maps each wanted name to its row.
    """

    model: Model
    wrt: tuple[str, ...]
    forward: tuple[Node, ...]
    steps: tuple[Step, ...]
    gradients: dict[str, Node]
    names: dict[int, str]
    forward_ids: frozenset[int] = field(repr=False)
    expanded: frozenset[int] = field(repr=False)

    def name(self, node: Node) -> str | None:
        return self.names.get(node.id)


def derive(model: Model, wrt: Iterable[str] | None = None) -> Derivation:
    """Backpropagation through the model, for all parameters and inputs or for the names in ``wrt`` (which may also be
    intermediates)."""
    targets = _targets(model, wrt)
    results, seeds = model.results(), model.seeds()
    recorder = Recorder(model, results, list(targets.values()))
    gradients = vjp(results, seeds, list(targets.values()), recorder)
    return recorder.derivation(tuple(targets), gradients)


def _targets(model: Model, wrt: Iterable[str] | None) -> dict[str, Node]:
    if wrt is None:
        return model.targets()
    known = {**model.leaves(), **model.equations}
    for name in (wrt := list(wrt)):
        if name not in known:
            raise NameProblem(f"no array {name!r} in {model.name}.{did_you_mean(name, known)}")
        if known[name].kind != "float":
            raise NameProblem(f"{name!r} is integer data and has no gradient")
    return {name: known[name] for name in wrt}


class Recorder:
    """The observer of the sweep: decides which rows deserve a step, and records it."""

    def __init__(self, model: Model, results: Sequence[Node], targets: Sequence[Node]) -> None:
        self.model, self.results = model, results
        self.graph = model.graph
        self.order = self.graph.topological([*results, *model.equations.values()])
        self.forward_ids = frozenset(n.id for n in self.order)
        self.targets = {t.id for t in targets}
        self.routes: dict[int, tuple[Node, Node, tuple[Edge, ...]]] = {}
        self.totals: dict[int, Node] = {}
        self.records: list[tuple[Node, tuple[Contribution, ...], Node]] = []

    def settle(self, node: Node, parts: Sequence[Part]) -> Node:
        parts = sorted(parts, key=self._comes_last)
        contributions = tuple(self._contribution(p) for p in parts)
        cotangent = total([p.value for p in parts])
        if self._deserves_a_step(node, cotangent):
            self.totals[node.id] = cotangent
            self.graph.sealed.add(cotangent.id)
            self.records.append((node, contributions, cotangent))
        else:
            first = contributions[0]
            assert first.consumer is not None and first.upstream is not None
            self.routes[node.id] = (first.consumer, first.upstream, first.path)
        return cotangent

    def _contribution(self, part: Part) -> Contribution:
        if part.consumer is None:
            return Contribution(None, None, (), part.value)
        edge = Edge(part.consumer, part.index)
        if part.consumer.id in self.routes:
            consumer, upstream, path = self.routes[part.consumer.id]
            return Contribution(consumer, upstream, (*path, edge), part.value)
        return Contribution(part.consumer, self.totals.get(part.consumer.id), (edge,), part.value)

    def _comes_last(self, part: Part) -> bool:
        """A term of the loss itself (a regulariser) is written after the branch through the network."""
        route = self.routes.get(part.consumer.id) if part.consumer is not None else None
        consumer = route[0] if route else part.consumer
        return consumer is self.model.loss_row

    def _deserves_a_step(self, node: Node, cotangent: Node) -> bool:
        named = node.name is not None or node.id in self.targets or node in self.results
        return named or not self._is_simple(cotangent)

    def _is_simple(self, cotangent: Node, depth: int = 4) -> bool:
        """Whether an unnamed row's gradient can be read in passing: a constant, a named gradient or a plain view of one,
        or arithmetic on leaves."""
        if cotangent.is_leaf or cotangent.value is not None or cotangent.id in self.graph.sealed:
            return True
        if depth == 0:
            return False
        view = cotangent.op.name in _VIEWS or (cotangent.op.name == "einsum" and len(cotangent.args) == 1)
        if view:
            return self._is_simple(cotangent.args[0], depth - 1)
        small = cotangent.op.name == "elementwise" and cotangent.attr.head is None
        if small and len(cotangent.args) == 1:
            return self._is_simple(cotangent.args[0], depth - 1)
        return small and all(a.is_leaf for a in cotangent.args)

    # -- the finished record
    def derivation(self, wrt: tuple[str, ...], gradients: Sequence[Node]) -> Derivation:
        forward = self._forward()
        names = self._names(forward)
        steps = tuple(
            Step(i, node, contributions, cotangent, self._cached(cotangent, names))
            for i, (node, contributions, cotangent) in enumerate(self.records, 1)
        )
        return Derivation(
            self.model,
            wrt,
            forward,
            steps,
            dict(zip(wrt, gradients)),
            names,
            self.forward_ids,
            frozenset(n.id for n in self.order if n.origin is not None and self._has_named_inside(n, names)),
        )

    def _has_named_inside(self, node: Node, names: dict[int, str]) -> bool:
        """Whether a row between this one and the arguments of the call that made it got a name in the derivation."""
        assert node.origin is not None
        ends = {a.id for a in node.origin.args if isinstance(a, Node)}
        stack, seen = list(node.args), set(ends)
        while stack:
            row = stack.pop()
            if row.id not in seen:
                seen.add(row.id)
                if row.id in names and row.args:
                    return True
                stack.extend(row.args)
        return False

    def _forward(self) -> tuple[Node, ...]:
        settled = {node.id for node, _, _ in self.records}
        return tuple(n for n in self.order if n.args and (n.name is not None or n.id in settled))

    def _names(self, forward: Sequence[Node]) -> dict[int, str]:
        scope = Names([*self.graph.names, *self.model.sizes])
        names = {n.id: n.name for n in self.order if n.name is not None}
        names |= {u.id: u.name for u in self.model.upstream.values() if u.name is not None}
        for node in forward:
            if node.id not in names:
                names[node.id] = scope.intermediate(node)
        for node, _, cotangent in self.records:
            if cotangent.id not in names and cotangent.value is None:
                names[cotangent.id] = scope.unique("d" + names[node.id])
        return names

    def _cached(self, cotangent: Node, names: dict[int, str]) -> tuple[Node, ...]:
        """The forward rows that this gradient reads, found without entering rows that have a name of their own."""
        found: dict[int, Node] = {}
        stack = list(reversed(cotangent.args))
        while stack:
            node = stack.pop()
            if node.id in self.forward_ids and node.args and node.id in names:
                found.setdefault(node.id, node)
            elif node.id not in names:
                stack.extend(reversed(node.args))
        return tuple(found.values())
