"""From a derivation to a `Document`: what is said, in which order, in which view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import STATED, Node
from symbackprop.core.maths import AtStep, Link, Marked, Math, Num, Relation, Words, equal, transposed, turned, within
from symbackprop.core.shapes import ONE, Shape
from symbackprop.derive.closing import closed, closed_forms
from symbackprop.derive.steps import Derivation
from symbackprop.render.abridging import DOTS, SHOWN, TERMS, abridged, ends, omitted, spaced, told, with_gaps
from symbackprop.render.closed import ClosedLines
from symbackprop.render.context import Context, is_loop
from symbackprop.render.descent import descended, differences
from symbackprop.render.document import Declaration, Document, Line, Proof, Prose, Ref, Row, Step, listed
from symbackprop.render.forward import Forward
from symbackprop.render.glossary import conventions, glossary
from symbackprop.render.loops import loop_heading
from symbackprop.render.numbers import DIGITS, Numbers
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from symbackprop.render.results import Results, updates
from symbackprop.render.symbols import Located, LoopMark, Symbols, locate, serving
from symbackprop.render.views import VIEWS, choose_view

MAX_PATH, MAX_UPDATES = 8, 6


class Anatomy:
    """Puts a document together. Gradient descent is written for each of ``most_updates`` parameters, else once."""

    most_updates = MAX_UPDATES

    def __init__(self, derivation: Derivation, options: Options) -> None:
        self.derivation, self.options, self.model = derivation, options, derivation.model
        self.located = locate(serving(derivation))
        self.name, self.why = choose_view(derivation, options.view)
        self.view = VIEWS[self.name]
        self.forward = Forward(derivation)
        deltas = not self.view.numbers or options.detail == "board"
        symbols = Symbols(derivation, self.forward.anchors, deltas=deltas, partial=not self.view.numbers,
                          as_rows=self.view.rows)
        self.rows = symbols.rows(self.located)
        self.rows.whole = options.whole
        self.shown = ends(self.located, options.whole, lambda s: s.step.total.form if isinstance(s, Located) else None)
        printed = {s.anchor for s in _with_headings(self.located, {s.anchor for s in self.shown})}
        self.unprinted = [s for s in self.located if s.anchor not in printed]
        self.sought = self._sought()
        self.closed = closed_forms(derivation, True, self.sought)
        symbols.name_closed(self.rows, self.located, self.closed.rows)
        digits = DIGITS if options.digits is None else options.digits
        given = options.values
        self.numbers = None if given is None else Numbers(derivation, given, options.sizes, digits)
        self.context = Context(derivation, self.rows, self.located, self.forward.numbers, self.numbers, options.layout)
        self.writer = self.view.make(self.context)
        self.closed_lines = ClosedLines(self.context, self.closed, self.writer, self.view.plain)

    def _sought(self) -> list[Node] | None:
        """The gradients that closed forms are sought of, where that is not all: of what is abridged none is."""
        steps = [s for s in self.shown if isinstance(s, Located)]
        some = [s.step.total for s in steps if self.options.whole or not _is_abridged(s)]
        return some if self.unprinted or len(some) < len(steps) else None

    def document(self) -> Document:
        forward = self.forward.equations(self.context)
        steps = (*self.steps(), *self._second(len(self.located)))
        results = Results(self.emitted(), self.options.layout, self.view.rows)
        table = self._table(results, steps)
        stored = results.stored(self.forward.rows)
        model = self.model
        whole = Document(
            name=model.name, summary=model.summary, source=model.source, view=self.name,
            layout=self.options.layout, detail=self.options.detail, heading=self._heading(),
            conventions=(*self._left_out(), *conventions(model, self.options.layout, self.view.rows)),
            glossary=(), declarations=self._declarations(), forward=forward,
            steps=steps, table=table, total_cost=results.total_cost, costs=results.costs_said(stored),
            stored=tuple(map(self.rows.bare, self.rows.few(stored))),
            rate=self._rate(), updates=self._updates(), checks=tuple(differences(self.context, self._gradient)),
            notes=self._notes(), rules=self._proofs(),
        )
        return replace(whole, glossary=glossary(self.rows, replace(whole, rules=()).trees(), whole.proved()))

    def _proofs(self) -> tuple[Proof, ...]:
        """The appendix."""
        return ()

    def _rate(self) -> Math:
        """η, or η = 0.1."""
        lr = self.options.lr
        return self.rows.rate if lr is None else Relation(self.rows.rate, "=", Words(f"{lr:g}"))

    def _updates(self) -> tuple[Line, ...]:
        """Gradient descent; with a learning rate, in numbers."""
        rate, most = self.options.lr, self.most_updates if self.options.lr is None else MAX_UPDATES
        lines = updates(self.context, self._gradient, most)
        return lines if rate is None else descended(self.context, lines, rate, self.options.steps)

    def _table(self, results: Results, steps: Sequence[Step]) -> tuple[Row, ...]:
        return results.table({s.anchor: s for s in steps})

    def emitted(self) -> Context:
        """The gradients as code computes them, in closed form where that is shorter; as they were swept where closed
        forms are only sought of some."""
        if not self.closed.rules or self.sought is not None:
            return self.context
        found = closed(self.derivation, self.closed)
        place = self.context
        return Context(found, self.rows, locate(serving(found)), place.equations, self.numbers, place.layout)

    # -- heading
    def _heading(self) -> Prose:
        rows = [self._node(name) for name in self.derivation.wrt]
        names, of = listed(self.rows.named(rows)), self.rows.loss
        if not rows:
            return ("Gradients of ", of, ": there is nothing to take them of.")
        return ("Gradients of ", of, " with respect to ", *names, f". {self.name.capitalize()} view: {self.why}.")

    def _left_out(self) -> tuple[Prose, ...]:
        """What of a long derivation is not printed."""
        equations = self.forward.shown(self.options.whole)
        return told({"equations": [k for k, _ in equations], "steps": [s.number for s in self.shown]})

    def _node(self, name: str) -> Node:
        return self.model.graph.names[name]

    def _declarations(self) -> tuple[Declaration, ...]:
        rows = [*self.model.leaves().values(), *self.model.constants.values(), *self.model.upstream.values()]
        shown = list(map(self._declaration, ends(rows, self.options.whole)))
        gone = Counter([row.attr.role for row in rows[SHOWN:-SHOWN]]) if len(shown) < len(rows) else {}
        return (*shown[:SHOWN], *[_declarations_left_out(*x) for x in gone.items()], *shown[SHOWN:])

    def _declaration(self, row: Node) -> Declaration:
        value = self.context.value(row)
        note: Prose = ()
        if row.attr.below is not None:
            note = ("integers below ", self.rows.size(row.attr.below))
        if row.attr.stated:
            note = (STATED[row.attr.stated],)
        if row.attr.value is not None:
            note, value = ("= ", Num(row.attr.value)), None
        name = row.name or "?"
        shape = self.context.shape(row.shape)
        whole = row.attr.below is not None
        return Declaration(name, f"in-{name}", self.rows.bare(row), row.attr.role, shape, note, value, whole)

    # -- steps
    def steps(self) -> tuple[Step, ...]:
        """Every step, those of a loop behind its heading; of many the first and the last."""
        found = with_steps_left_out(self.written(), self.unprinted)
        return tuple([replace(s, lines=()) if s.role == "omitted" else s for s in found])  # the heading says it

    def written(self) -> list[Step]:
        """Those that are printed."""
        return [self._step(s) if isinstance(s, Located) else self._loop(s) for s in self.printed()]

    def printed(self) -> list[Located | LoopMark]:
        """Where these stand."""
        gone = {s.anchor for s in self.unprinted}
        return [s for s in self.located if s.anchor not in gone]

    def _second(self, steps: int) -> tuple[Step, ...]:
        """Second derivatives, or all entries of the derivative of another row, where they are wanted."""
        found = self.derivation.second
        if found is None:
            return ()
        from symbackprop.render.second import SecondOrder  # and all of blocks, which gradients alone do without

        names = list(dict.fromkeys(b for _, b in found))
        upper = [x for (a, b), x in found.items() if not found.twice or names.index(a) <= names.index(b)]
        told = SecondOrder(self.context, upper, self.rows.loss if found.twice else None, found.outputs)
        return tuple(told.steps(steps + 1, self.options.detail == "board"))

    def _loop(self, mark: LoopMark) -> Step:
        return loop_heading(self.context, mark)

    def _step(self, s: Located) -> Step:
        step, symbol = s.step, self.rows.gradients[s.step.target.id]
        with self.rows.letters.at_step(bool(s.depth) or any(map(is_loop, s.groups))):
            lines = said_once(self.writer.lines(s))
            lines = (*lines, *self.closed_lines.of(s, lines))
            lines = (*lines, *self._layout(s, lines))
        if self.options.detail == "brief":
            lines = brief(lines)
        return Step(
            number=s.number, name=self.derivation.names.get(step.target.id) or "?", anchor=s.anchor,
            target=self.rows.bare(step.target), symbol=symbol, title=self._title(s, symbol), role=self._role(s),
            shape=self.context.shape(self._shape(step.target)), lines=lines, cached=self._cached(s),
            path=self._path(s), value=self.context.value(step.total), depth=s.depth,
        )

    def _layout(self, s: Located, lines: Sequence[Line]) -> tuple[Line, ...]:
        """A result transposed, where Jacobian layout is asked for and the view does not write it so."""
        target = s.step.target
        if not self._flips(target) or self._role(s) != "result" or s.depth:
            return ()
        left, right = self.rows.gradients[target.id], transposed(self._whole(s, lines))
        if self._is_row(target):
            is_row = within([line.left for line in lines if line.left is not None][-1]) == within(left)
            return () if is_row else (Line("layout", left, right, ("in Jacobian layout",)),)
        return (Line("layout", turned(left), right, ("in Jacobian layout",)),)

    def _whole(self, s: Located, lines: Sequence[Line]) -> Math:
        """A gradient as one formula: what comes out of a loop as it was just written."""
        apart = self.view.numbers or self.view.entries
        written = not apart or any(is_loop(g) for g in s.groups)
        return lines[-1].right if written else self.rows.row(s.step.total)

    def _is_row(self, node: Node) -> bool:
        """Whether ∂L/∂node is the transposed gradient in this view."""
        return self.view.rows and node.ndim == 1

    def _shape(self, node: Node) -> Shape:
        return (ONE, *node.shape) if self._is_row(node) else node.shape

    def _gradient(self, node: Node) -> Math:
        """What a gradient is called in the shape of its variable."""
        symbol = self.rows.linked[node.id]
        if not self.view.rows or not node.ndim:
            return symbol
        return Link(self.context.by_target[node.id].anchor, self.rows.nabla(self.rows.plain[node.id]))

    def _flips(self, target: Node) -> bool:
        return self.options.layout == "jacobian" and target.ndim in (1, 2)

    def _title(self, s: Located, symbol: Math) -> Prose:
        whole, own = self.rows.derivative(self.rows.plain[s.step.target.id]), within(symbol)
        is_part = isinstance(own, (AtStep, Marked))  # of a gradient
        return (symbol,) if whole == own or is_part else (symbol, " = ", whole)

    def _role(self, s: Located) -> str:
        if s.step.target.name in self.context.wanted:
            return "result"
        return "seed" if all(c.consumer is None for c in s.step.contributions) else "intermediate"

    def _cached(self, s: Located) -> tuple[Ref, ...]:
        consumers = [g.consumer for g in s.groups]
        known = [self.context.step_ref(c) for c in consumers if c is not None and c.id in self.context.by_target]
        forward = [self.context.equation_ref(row) for row in self.context.stored(s)]
        return tuple(dict.fromkeys([*known, *[r for r in forward if r is not None]]))

    def _path(self, s: Located) -> Prose:
        """``w₁ → b → h → a → o → L``, up to where branches part; a long one is cut."""
        parts: list[str | Math | Ref] = [self.rows.bare(s.step.target)]
        place: Located | None = s
        for length in range(MAX_PATH + 1):
            consumers = [] if place is None else [g.consumer for g in place.groups]
            if len(consumers) != 1 or consumers[0] is None or consumers[0].is_loop:
                break
            consumer = consumers[0]
            if length == MAX_PATH:
                return (*parts, " → …")
            parts += [" → ", self.rows.bare(consumer)]
            place = self.context.by_target.get(consumer.id)
        return tuple(parts)

    # -- what follows
    def _notes(self) -> tuple[Prose, ...]:
        return (*self._zeros(), *self._without_blocks(), *[(note,) for note in self.model.notes])

    def _without_blocks(self) -> tuple[Prose, ...]:
        """Why no second derivatives are written, where they were asked for."""
        second = self.derivation.second
        return () if second is None or not second.why else ((f"{second.why}.",),)

    def _zeros(self) -> tuple[Prose, ...]:
        zero = [name for name in self.derivation.wrt if self._node(name).id not in self.context.by_target]
        return tuple(spaced(zero, self.options.whole, self._zero, lambda count: (f"… {count} more gradients are 0.",)))

    def _zero(self, name: str) -> Prose:
        """A gradient that is asked for and has no step, and why."""
        node, loss = self._node(name), self.rows.loss
        of = self.rows.bare(node)
        zero = equal(self.rows.derivative(of), self.rows.filled(sp.S.Zero, node.shape))
        if self.model.unreached({name: node}):
            return (zero, ": no path leads from ", of, " to ", loss, ".")
        return (zero, ": a derivative on every path from ", of, " to ", loss, " is 0.")


def _is_abridged(s: Located) -> bool:
    """Whether only some branches of a step are printed, or some terms of one."""
    if len(s.step.contributions) > TERMS:
        return True
    rows = [edge.consumer.form for c in s.step.contributions for edge in c.path]
    if sum([f.size(form) for form in rows if form is not None]) <= TERMS:  # nothing long can come of it
        return False
    return any([abridged(g.local.form) is not g.local.form for g in s.groups if g.local is not None])


def _with_headings(located: Sequence[Located | LoopMark], anchors: Collection[str]) -> Iterator[Located | LoopMark]:
    """The steps of these anchors, and the headings of the loops that they stand in."""
    inside = 0  # how deep in loops what was found last stands
    for s in reversed(located):
        if s.anchor in anchors or (isinstance(s, LoopMark) and s.depth < inside):
            inside = s.depth
            yield s
        inside = min(inside, s.depth)


def with_steps_left_out(found: Sequence[Step], left_out: Iterable[Located | LoopMark]) -> tuple[Step, ...]:
    """Steps with what stands for others that are not printed."""
    return tuple(with_gaps(found, [(s.number, s.depth) for s in left_out], _steps_left_out))


def _steps_left_out(first: int, last: int, depth: int) -> Step:
    lines = (omitted("steps", first, last),)
    title = (f"to step {last}: left out",)
    return Step(first, "", f"left-out-{first}", DOTS, DOTS, title, "omitted", None, lines, depth=depth)


def _declarations_left_out(role: str, count: int) -> Declaration:
    return Declaration("", f"in-left-out-{role}", DOTS, role, None, (f"{count} more",))


def said_once(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Without lines that go on with what the one before says already, as where nothing cancels."""
    found: list[Line] = []
    for line in lines:
        if found and line.left is None and text(line.right) == text(found[-1].right):
            found[-1] = replace(found[-1], kind=line.kind, value=line.value)
        else:
            found.append(line)
    return tuple(found)


def brief(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Only the chain rule and what comes of it."""
    kept = [line for line in lines if line.kind in ("chain", "result", "part", "closed", "layout")]
    first = next((line.left for line in lines if line.left is not None), None)
    if kept and kept[0].left is None:
        kept[0] = Line(kept[0].kind, first, kept[0].right, kept[0].reason, kept[0].sign, kept[0].value)
    return tuple(kept)
