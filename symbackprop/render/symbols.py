"""What everything in a document is called, in both notations, and where its name points to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.notation import ATOM, POWER, Text
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.model.notations import check_notation
from symbackprop.render.axes import AxisLetters
from symbackprop.render.document import Math
from symbackprop.render.escape import latex_text
from symbackprop.render.names import latex_name, text_name
from symbackprop.render.notation_base import shaped
from symbackprop.render.notation_latex import LatexNotation, link
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.notation_text import TextNotation

LATEX_STARTS_SCRIPT = "^"  # a notation with a superscript of its own needs parentheses before it gets another


@dataclass(frozen=True)
class Located:
    """A step with its place in the document: its number, how deep in loops it stands, its anchor."""

    step: Step
    number: int
    depth: int

    @property
    def anchor(self) -> str:
        return f"step-{self.number}"


@dataclass(frozen=True)
class LoopMark:
    """The heading of the steps of one loop."""

    loop: LoopStep
    number: int
    depth: int

    @property
    def anchor(self) -> str:
        return f"step-{self.number}"


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


class Pen:
    """Writes one piece of mathematics in both notations."""

    def __init__(self, text: RowNotation, latex: RowNotation) -> None:
        self.text, self.latex = text, latex

    def __call__(self, write: Callable[[RowNotation], Text]) -> Math:
        return Math(write(self.text).text, write(self.latex).text)

    def ref(self, node: Node) -> Math:
        return self(lambda n: n.ref(node))

    def bare(self, node: Node) -> Math:
        return self(lambda n: n.bare(node))

    def row(self, node: Node) -> Math:
        return self(lambda n: n.row(node))

    @property
    def mentioned(self) -> list[str]:
        """The functions that the document names and a glossary should explain."""
        return list(self.text.mentioned)


class Symbols:
    """Names rows and gradients. ``deltas``: gradients of intermediates are δ's; otherwise all are derivatives of the
    loss. ``partial``: they are written with ∂."""

    def __init__(self, derivation: Derivation, places: Mapping[int, str], deltas: bool, partial: bool) -> None:
        self.derivation, self.places = derivation, places
        self.model = derivation.model
        self.deltas, self.partial = deltas, partial
        self.wanted = frozenset(derivation.wrt)
        self.results = frozenset(row.id for row in self.model.results())
        self.letters = AxisLetters(_taken(derivation))
        self.loss_name = self._loss_name()
        self.ambiguous = _ambiguous(derivation.names.values())
        self.body_roles = _body_roles(derivation)

    def pen(self, located: Iterable[Located | LoopMark]) -> Pen:
        """Both notations, with every name in place."""
        located = list(located)
        text = TextNotation({}, self.letters, self.derivation.expanded)
        latex = LatexNotation({}, self.letters, self.derivation.expanded)
        self._fill(text, located, self._text, lambda anchor, t: t)
        self._fill(latex, located, self._latex, link)
        return Pen(text, latex)

    def _text(self, name: str) -> Text:
        return Text(name if name in self.ambiguous else text_name(name))

    def _latex(self, name: str) -> Text:
        own = self.model.notation_of.get(name)
        if own is None:
            return Text(rf"\mathit{{{latex_text(name)}}}" if name in self.ambiguous else latex_name(name))
        return Text(check_notation(own), POWER if LATEX_STARTS_SCRIPT in own else ATOM)

    def _fill(self, n: RowNotation, located: Iterable[Located | LoopMark], spell: Callable[[str], Text],
              point: Callable[[str, Text], Text]) -> None:  # fmt: skip
        n.dim_order = {name: k for k, name in enumerate(self.model.sizes)}
        n.loss, n.partial = spell(self.loss_name), self.partial
        steps = [x for x in located if isinstance(x, Located)]
        found = {s.step.total.id for s in steps} - self.derivation.forward_ids
        for node in self._named(steps):
            if node.id not in found:
                called = self.derivation.names.get(node.id) or node.name or "?"
                n.plain[node.id] = shaped(spell(called), len(node.shape))
        for name, row in self.model.upstream.items():
            n.plain[row.id] = shaped(n.derivative(n.loss, spell(name), self.partial), len(row.shape))
        n.symbols = {i: point(self.places[i], t) if i in self.places else t for i, t in n.plain.items()}
        for mark in located:
            if isinstance(mark, LoopMark):
                self._name_incoming(n, mark.loop.reverse.attr)
        for s in steps:
            self._name_gradient(n, s, point)

    def _name_gradient(self, n: RowNotation, s: Located, point: Callable[[str, Text], Text]) -> None:
        target, total = s.step.target, s.step.total
        symbol = shaped(self._gradient_text(n, target), len(target.shape))
        n.gradients[target.id] = symbol
        n.linked_gradients[target.id] = point(s.anchor, symbol)
        if total.value is None and total.id not in n.symbols and total.id not in self.derivation.forward_ids:
            n.symbols[total.id] = point(s.anchor, symbol)

    def _gradient_text(self, n: RowNotation, target: Node) -> Text:
        own = n.plain[target.id]
        role, loop = self.body_roles.get(target.id, ("", None))
        if role == "carry":
            return n.later(n.delta(own))
        if role == "invariant" and loop is not None:
            return n.at_step(n.derivative(n.loss, own, self.partial), loop.index)
        wanted = target.name in self.wanted or target.id in self.results
        if self.deltas and not wanted and role != "sequence":
            return n.delta(own)
        return n.derivative(n.loss, own, self.partial)

    def _name_incoming(self, n: RowNotation, reverse: Loop) -> None:
        """Cotangents that enter a step of a reverse loop: from later steps, and from what reads the stacks."""
        assert reverse.forward is not None
        for leaf, row in zip(reverse.carry, reverse.forward.carried, strict=True):
            own = n.plain[row.id] if row.id in n.plain else n.ref(row)
            n.symbols[leaf.id] = shaped(n.later(n.delta(own)), leaf.ndim)
        for leaf in reverse.sequences:
            if leaf.id not in n.symbols and leaf.name is not None and leaf.name.startswith("d"):
                stack = n.delta(Text(n.name(leaf.name[1:].split("[")[0])))
                n.symbols[leaf.id] = shaped(n.at_step(stack, reverse.index), leaf.ndim)

    def _named(self, steps: list[Located]) -> list[Node]:
        d = self.derivation
        found = {x.id: x for x in (*self.model.graph.names.values(), *d.forward) if x.op.name != "scan"}
        for rows in d.bodies.values():
            found |= {x.id: x for x in rows if x.op.name != "scan"}
        for scan in _scans(d):
            found |= {leaf.id: leaf for leaf in scan.attr.leaves()}
        return [*({s.step.target.id: s.step.target for s in steps} | found).values()]

    def _loss_name(self) -> str:
        if self.model.loss_row is not None:
            return self.model.loss_row.name or "L"
        return next(name for name in ("L", "J", "loss_") if name not in self.model.graph.names)


def _taken(derivation: Derivation) -> set[str]:
    """Names of one letter: no index may be called like an array. A lower-case array name also blocks its letter."""
    return {name for name in derivation.names.values() if len(name) == 1}


def _scans(derivation: Derivation) -> list[Node]:
    """The loops of the forward pass, inner ones too."""
    rows = [*derivation.forward, *[row for body in derivation.bodies.values() for row in body]]
    return [row for row in rows if row.op.name == "scan"]


def _body_roles(derivation: Derivation) -> dict[int, tuple[str, Loop | None]]:
    """What each leaf of a loop's body is: carry, sequence or invariant."""
    roles: dict[int, tuple[str, Loop | None]] = {}
    for scan in _scans(derivation):
        loop: Loop = scan.attr
        for role, leaves in (("carry", loop.carry), ("sequence", loop.sequences), ("invariant", loop.invariants)):
            roles |= {leaf.id: (role, loop) for leaf in leaves}
    return roles


def _ambiguous(names: Iterable[str]) -> set[str]:
    """Names that would print like another one, as c2 and c_2: all but the first of them print as they are written."""
    first: dict[str, str] = {}
    for name in sorted(set(names), key=lambda name: ("_" in name, name)):
        first.setdefault(text_name(name), name)
    return {name for name in names if first[text_name(name)] != name}
