"""What everything in a document is called, and where its name points to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from symbackprop.core import maths
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, nameless_elements
from symbackprop.core.maths import Link, Marked, Math, Sym, shaped
from symbackprop.core.names import free_name, lookalikes, text_index
from symbackprop.core.ops.loop import base
from symbackprop.derive.record import Contribution, Edge
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.model.names import check_notation, python_name
from symbackprop.records import record
from symbackprop.render.axes import AxisLetters
from symbackprop.render.factors import Factor, local_factor
from symbackprop.render.rows import Rows


@record(frozen=True)
class Group:
    """The contributions of one consumer; None is the upstream gradient that an output is given."""

    consumer: Node | None
    contributions: tuple[Contribution, ...]

    @property
    def paths(self) -> list[tuple[Edge, ...]]:
        return [c.path for c in self.contributions]

    @cached_property
    def local(self) -> Factor | None:
        """∂consumer/∂target as a formula; None where a row between them is none."""
        return local_factor(self.contributions)


@record(frozen=True)
class Located:
    """A step with its place in the document: its number, how deep in loops it stands, its anchor."""

    step: Step
    number: int
    depth: int

    @cached_property
    def anchor(self) -> str:
        return f"step-{self.number}"

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The contributions of the step by consumer, in the order they came."""
        found: dict[int | None, list[Contribution]] = {}
        for c in self.step.contributions:
            found.setdefault(None if c.consumer is None else c.consumer.id, []).append(c)
        return tuple([Group(cs[0].consumer, tuple(cs)) for cs in found.values()])


@record(frozen=True)
class LoopMark:
    """The heading of the steps of one loop."""

    loop: LoopStep
    number: int
    depth: int

    @cached_property
    def anchor(self) -> str:
        return f"step-{self.number}"


def serving(derivation: Derivation) -> list[Step | LoopStep]:
    """The steps without those of intermediates that no other step reads, where all derivatives further down are 0."""
    read, wrt = {row.id for row in derivation.model.results()}, {*derivation.wrt}
    found: list[Step | LoopStep] = []
    for step in reversed(derivation.steps):
        if isinstance(step, LoopStep):
            serves = step.loop.id in read
        else:
            ends = (step.target, *(step.target.args if step.target.is_result else ()))
            serves = step.target.name in wrt or any(row.id in read for row in ends)
            read |= {c.consumer.id for c in step.contributions if c.consumer is not None} if serves else set()
        found += [step] if serves else []
    return found[::-1]


def locate(steps: Iterable[Step | LoopStep], depth: int = 0, first: int = 1) -> list[Located | LoopMark]:
    """The steps of a derivation in a flat list, numbered as they are printed."""
    found: list[Located | LoopMark] = []
    for step in steps:
        number = first + len(found)
        if isinstance(step, LoopStep):
            found.append(LoopMark(step, number, depth))
            found += locate(step.steps, depth + 1, number + 1)
        else:
            found.append(Located(step, number, depth))
    return found


class Kept(NamedTuple):
    """A value that a step hands on as it got it: what it is called from there on, and the leaf that it is."""

    name: str
    row: Node


def kept_values(loop: Loop) -> list[Kept]:
    """The carried values that are those of the step before, of another name."""
    pairs = zip(loop.carry, loop.carried, strict=True)
    return [Kept(f"{base(leaf)}[{loop.index}]", row) for leaf, row in pairs if row.is_leaf and row is not leaf]


class Symbols:
    """Names rows and gradients. ``deltas``: gradients of intermediates are δ's; otherwise all are derivatives of the
    loss. ``partial``: they are written with ∂; ``as_rows``: those in vectors are rows, whose step is no entry."""

    def __init__(self, derivation: Derivation, places: Mapping[int, str], deltas: bool, partial: bool,
                 as_rows: bool = False) -> None:
        self.derivation, self.places = derivation, places
        self.model = derivation.model
        self.deltas, self.partial, self.as_rows = deltas, partial, as_rows
        self.wanted = frozenset(derivation.wrt)
        self.results = frozenset(row.id for row in self.model.results())
        self.of_loops: dict[int, list[Node]] = {}  # their results, by the loop
        for row in derivation.forward:
            if row.is_result:
                self.of_loops.setdefault(row.args[0].id, []).append(row)
        found = [row for rows in self.of_loops.values() for row in rows if row.id in derivation.names]
        self.stacks = {derivation.names[row.id]: row for row in found}
        fixed = [*self.model.sizes, *self.model.functions]
        counters = {scan.attr.index: scan.attr.length for scan in _scans(derivation)}  # and how far they run
        taken = [*derivation.names.values(), *fixed]
        self.letters = AxisLetters(taken, counters)
        self.loss_name = self._loss_name()
        self.ambiguous = lookalikes(derivation.names.values(), [*fixed, *counters])
        self.body_roles = _body_roles(derivation)

    def rows(self, located: Iterable[Located | LoopMark]) -> Rows:
        """What writes rows, with every name in place."""
        located = list(located)
        r = Rows({}, self.letters, self.derivation.expanded, tuple(self.model.sizes))
        r.loss, r.partial = self.sym(self.loss_name, self.model.loss_row), self.partial
        steps = [x for x in located if isinstance(x, Located)]
        found = {s.step.total.id for s in steps} - self.derivation.forward_ids
        apart = _starts(self.derivation) | _elements(self.derivation)
        names, outer = self.derivation.names, _nameless_outside(self.derivation)
        for node in self._named(steps):
            if node.id not in found:
                own = node.name is None and not self.of_loops  # boards of loops leave letters out
                if own and node.form is not None and len(node.args) > 1:  # 1 − s stays in s·(1 − s)
                    r.computing[node.attr.form, tuple([a.id for a in node.args])] = node
                row = outer.get(node.id, node)
                r.plain[node.id] = self.sym(apart.get(row.id) or names.get(row.id) or row.name or "?", node)
        read = {s.step.target.id for s in steps if len(s.step.contributions) > 1}
        for name, row in self.model.upstream.items():
            output = self.model.output_rows[name]
            given = r.derivative(self.sym(name, output))  # of an output that others read it is one term among several
            r.plain[row.id] = shaped(Marked(given, "given") if output.id in read else given, row.shape)
        r.symbols = {i: Link(self.places[i], m) if i in self.places else m for i, m in r.plain.items()}
        nameless = {i: shaped(r.row(row), row.shape) for i, row in outer.items() if row.id not in names}
        r.symbols |= nameless
        r.plain |= nameless
        self.steps = {s.step.target.id: s.anchor for s in steps}
        for mark in located:
            if isinstance(mark, LoopMark):
                self._name_incoming(r, mark.loop.reverse.attr)
        for s in steps:
            self._name_gradient(r, s)
        return r

    def name_closed(self, r: Rows, located: Iterable[Located | LoopMark], closed: Mapping[int, Node]) -> None:
        """Gradients in closed form go by the names of those that the sweep has found; what is older than that may stand
        in it, as inv(A) does in 1/a·a·inv(A)."""
        for s in located:
            total = s.step.total if isinstance(s, Located) else None
            known = total is not None and total.id in r.symbols and total.id in closed
            if total is not None and known and closed[total.id].id > total.id:
                r.symbols.setdefault(closed[total.id].id, r.symbols[total.id])

    def sym(self, name: str, row: Node | None = None) -> Sym:
        """A name, as the model wants it."""
        shape, number = ((), None) if row is None else (tuple(row.shape), row.id)
        own = self.model.notation_of.get(name)
        return Sym(name, shape, number, check_notation(own) if own else "", name in self.ambiguous)

    def _name_gradient(self, r: Rows, s: Located) -> None:
        target, total = s.step.target, s.step.total
        symbol = self._gradient(r, target)
        r.gradients[target.id] = symbol = shaped(symbol, target.shape) if target.shape else symbol
        r.linked[target.id] = link = Link(s.anchor, symbol)
        if total.value is None and total.id not in r.symbols and total.id not in self.derivation.forward_ids:
            r.symbols[total.id] = link

    def _gradient(self, r: Rows, target: Node) -> Math:
        own = r.plain[target.id]
        role, loop = self.body_roles.get(target.id, ("", None))
        if role == "carry" or self._is_read_as_step(target):
            return Marked(r.delta(own), "later")
        if role == "invariant" and loop is not None:
            return maths.AtStep(r.derivative(own), loop.index)
        wanted = target.name in self.wanted or target.id in self.results
        if self.deltas and not wanted and role != "sequence":
            return r.delta(own)
        return r.derivative(own)

    def _is_read_as_step(self, row: Node) -> bool:
        """Whether a last state is also the last entry of a stack that has a gradient: that of the state is the sum."""
        loop = row.args[0].attr if row.is_result else None
        if loop is None or row.attr >= len(loop.carry):
            return False
        stacks = [x for x in self.of_loops.get(row.args[0].id, ()) if x.id in self.steps]
        return any(x.attr >= len(loop.carry) and loop.results()[x.attr] is loop.carried[row.attr] for x in stacks)

    def _name_incoming(self, r: Rows, reverse: Loop) -> None:
        """Cotangents that enter a step of a reverse loop: from later steps, and from what reads the stacks."""
        assert reverse.forward is not None
        kept = {k.row.id: self.sym(k.name, k.row) for k in kept_values(reverse.forward)}
        for leaf, row in zip(reverse.carry, reverse.forward.carried, strict=True):
            own = kept.get(row.id) or (r.plain[row.id] if row.id in r.plain else r.ref(row))
            r.symbols[leaf.id] = shaped(Marked(r.delta(own), "later"), leaf.shape)
        for leaf in reverse.sequences:
            if leaf.id not in r.symbols and leaf.is_declared and leaf.attr.gradient_of is not None:
                name = base(leaf.attr.gradient_of)
                whole = self.stacks.get(name)
                stack = self._cited(r.delta(self.sym(name, whole)), whole)
                entry = maths.Entry(stack, (maths.Letter(reverse.index),), len(leaf.shape))
                apart = self.as_rows or "[" in text_index(reverse.index)  # δ_s[q] is that of the step s[q]
                element = maths.AtStep(stack, reverse.index) if apart else entry
                r.symbols[leaf.id] = shaped(element, leaf.shape)

    def _cited(self, m: Math, row: Node | None) -> Math:
        """The gradient of a row with a link to its step, where it has one."""
        anchor = None if row is None else self.steps.get(row.id)
        return m if anchor is None else Link(anchor, m)

    def _named(self, steps: list[Located]) -> list[Node]:
        d = self.derivation
        found = {x.id: x for x in (*self.model.graph.names.values(), *d.forward) if not x.is_loop}
        for rows in d.bodies.values():
            found |= {x.id: x for x in rows if not x.is_loop}
        for scan in _scans(d):
            found |= {leaf.id: leaf for leaf in scan.attr.leaves()}
        return [*({s.step.target.id: s.step.target for s in steps} | found).values()]

    def _loss_name(self) -> str:
        if self.model.loss_row is not None:
            return self.model.loss_row.name or "L"
        return free_name(self.letters.taken, "L", "J", "loss")


def _nameless_outside(derivation: Derivation) -> dict[int, Node]:
    """The rows that the user gave no name of which loops read all at every step, by their leaves in the loops."""
    scans = [(scan, scan.attr) for scan in _scans(derivation)]
    pairs = [pair for scan, loop in scans
             for pair in zip(loop.invariants, scan.args[len(scan.args) - len(loop.invariants) :], strict=True)]
    return {leaf.id: row for leaf, row in pairs if row.name is None and not row.is_leaf}


def _starts(derivation: Derivation) -> dict[int, str]:
    """What loops that run backwards start from, as the first of their steps reads it: r[T+1], not rT1."""
    found = {}
    for scan in [x for x in _scans(derivation) if x.attr.reverse]:
        for leaf, row in zip(scan.attr.carry, scan.args, strict=False):
            name = f"{base(leaf)}[{scan.attr.last}+1]"
            if row.name == python_name(name):
                found[row.id] = name
    return found


def _elements(derivation: Derivation) -> dict[int, str]:
    """What one element is called of an array that got its name in the derivation: a[t] of a."""
    pairs = [(scan.attr.index, *pair) for scan in _scans(derivation) for pair in nameless_elements(scan)]
    return {leaf.id: f"{derivation.names[row.id]}[{index}]" for index, leaf, row in pairs
            if row.id in derivation.names}


def _scans(derivation: Derivation) -> list[Node]:
    """The loops of the forward pass, inner ones too."""
    rows = [*derivation.forward, *[row for body in derivation.bodies.values() for row in body]]
    return [row for row in rows if row.is_loop]


def _body_roles(derivation: Derivation) -> dict[int, tuple[str, Loop | None]]:
    """What each leaf of a loop's body is: carry, sequence or invariant."""
    roles: dict[int, tuple[str, Loop | None]] = {}
    arrays: dict[int, int] = {}
    for scan in _scans(derivation):
        loop: Loop = scan.attr
        arrays |= {leaf.id: row.id for leaf, row in zip(loop.leaves(), scan.args, strict=True)}
        for role, leaves in (("carry", loop.carry), ("sequence", loop.sequences), ("invariant", loop.invariants)):
            roles |= {leaf.id: (role, loop) for leaf in leaves}
    return {leaf: _shared(leaf, roles, arrays) for leaf in roles}


def _shared(leaf: int, roles: Mapping[int, tuple[str, Loop | None]],
            arrays: Mapping[int, int]) -> tuple[str, Loop | None]:
    """What a leaf is; an element of what every step of a loop around reads whole is an invariant of that loop, as each
    of its steps contributes to the gradient of the element."""
    place = leaf
    while place in roles and roles[place][0] == "sequence":
        place = arrays[place]
    around = roles.get(place, ("", None))
    return around if around[0] == "invariant" else roles[leaf]
