"""The derivation as it stands on a board: one line for every δ that is used again, the gradients from the δ's.

A δ that one later line reads is written out in that line where it is short; one that nothing reads any more is left
out. The views write the steps as ever; what stands here chooses among the steps and their lines, which cite each other
by their links.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.maths import (
    Big,
    Delta,
    Letter,
    Link,
    Marked,
    Math,
    Relation,
    Shape,
    Sym,
    Transpose,
    is_nabla,
    replaced,
    walk,
    within,
)
from symbackprop.core.names import free_name
from symbackprop.core.shapes import ONE
from symbackprop.derive.steps import Derivation
from symbackprop.render.anatomy import Anatomy, with_steps_left_out
from symbackprop.render.appendix import LongForm
from symbackprop.render.context import Context, is_loop
from symbackprop.render.descent import STEP
from symbackprop.render.document import Document, Line, Prose, Ref, Row, Step, equations, going_on, of_kinds
from symbackprop.render.glossary import NUMERATOR, slopes
from symbackprop.render.loops import read_as
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from symbackprop.render.results import Results, beyond
from symbackprop.render.symbols import Group, Located, LoopMark
from symbackprop.render.views import BOARD
from symbackprop.render.views.scalar import ScalarView
from symbackprop.render.views.terms import Term, Terms, local, ordered_groups

SHORT, LONG = 40, 72  # letters of a δ that is written out where it is read, of a gradient without δ's
GENERIC = ("v", "u", "q", "w", "x", "y", "z", "s", "r", "p")  # what any quantity may be called


def build_document(derivation: Derivation, options: Options | None = None) -> Document:
    """The finished document of a derivation: the long form, or a board."""
    options = options or Options()
    return (_board(derivation, options) if options.detail == "board" else LongForm(derivation, options)).document()


def _board(derivation: Derivation, options: Options) -> Board:
    board = Board(derivation, options)
    steps = board.steps()
    once = _read_once(steps) if board.view.plain else frozenset()
    left_out = {s.anchor for s in board.printed()} - {s.anchor for s in steps} | once
    closed = {s.anchor for s in steps if any(x.kind == "closed" for x in s.lines)}
    return Board(derivation, options, once, left_out, closed)


class Board(Anatomy):
    """Puts the document of a board together. The steps read ``once`` are written out where they are read, in closed
    form those that end in one; they and others are ``left_out``."""

    most_updates = 1

    def __init__(self, derivation: Derivation, options: Options, once: Collection[str] = (),
                 left_out: Collection[str] = (), closed: Collection[str] = ()) -> None:
        super().__init__(derivation, options)
        self.left_out = left_out
        self.used: dict[int, tuple[Ref, ...]] = {}
        for s in self.context.steps:
            if s.anchor in once:
                self._forget(s, s.anchor in closed)
        self.whole = ScalarView(self.context) if isinstance(self.writer, ScalarView) else None
        if isinstance(self.writer, ScalarView):
            self.writer.terms, self.writer.explains = FromDeltas(self.context, once), False

    def _forget(self, s: Located, closed: bool) -> None:
        """From here on a gradient is written out where it is read, as its step ends."""
        total = s.step.total
        shown = self.closed.shown.get(total.id)
        for row in (total, self.closed.rows.get(total.id, total)):
            self.rows.symbols.pop(row.id, None)
            if shown is not None and closed:
                self.rows.read_as[row.id] = shown.whole

    def steps(self) -> tuple[Step, ...]:
        """Those that are read, the gradients asked for behind the δ's unless one of these reads them."""
        found = _read(self.written())
        there = {s.anchor for s in found}
        found = [replace(s, lines=tuple([_linked(x, there) for x in s.lines])) for s in found]
        early = {a for s in found if not _is_asked(s) for a in _cited([x.right for x in s.lines])}
        early |= {s.anchor for s in found if not _is_asked(s)}
        return _said_once([x for last in (False, True) for x in with_steps_left_out(
            [s for s in found if (s.anchor not in early) == last],
            [s for s in self.unprinted if self._is_asked(s) == last])])

    def _is_asked(self, s: Located | LoopMark) -> bool:
        return isinstance(s, Located) and s.step.target.name in self.context.wanted and not s.depth

    def _step(self, s: Located) -> Step:
        whole = super()._step(s)
        view = self.writer
        whole_array = self.view.entries and whole.lines[0].left == whole.symbol
        chosen = of_kinds(whole.lines, BOARD if whole_array else self.view.board)
        if self.view.entries and any(x.kind == "substitution" for x in chosen):
            chosen = [x for x in chosen if x.kind != "chain"]
        if self.view.rows:
            is_named = isinstance(within(whole.symbol), Delta)
            chosen = self._named(whole, chosen) if is_named and not _is_asked(whole) else _shortest(chosen)
        fixed = view.held_fixed(s) if isinstance(view, ScalarView) else ()
        sized = {x.left: sizes_in(x.reason) for x in chosen} if self.view.rows else {}
        lines = [replace(x, reason=_apart(sized.get(x.left, ()), x.reason))
                 for x in equations(chosen, (*self._used(s), *fixed))]
        shape = self._shape_of(s.step.target, lines[-1].left)
        return replace(whole, lines=(*lines, *self._written_out(s, lines)), shape=shape)

    def _cached(self, s: Located) -> tuple[Ref, ...]:
        """What a step uses stands beside its lines."""
        return ()

    def _path(self, s: Located) -> Prose:
        return ()

    def _shape_of(self, target: Node, left: Math | None) -> Math | None:
        """The shape of what the last line says, which may be a gradient transposed."""
        shape = target.shape if is_nabla(left) else self._shape(target)
        if isinstance(left, Transpose):
            turned = (ONE, *shape) if target.ndim == 1 else shape[::-1]
            shape = target.shape if self._is_row(target) else turned
        return self.context.shape(shape)

    def _written_out(self, s: Located, lines: Sequence[Line]) -> tuple[Line, ...]:
        """A sum over paths without δ's, what they share in front."""
        if self.whole is None:
            return ()
        self.whole.settle(s)
        right = self.whole.terms.shared(s) if s.step.target.name in self.context.wanted else None
        if right is None or len(text(right)) > LONG:
            return ()
        return (Line("written", lines[0].left, right, ("written out",), value=lines[-1].value),)

    def _named(self, s: Step, lines: Sequence[Line]) -> list[Line]:
        """An intermediate's derivative goes by its δ from the start: δ_z = ∂s/∂z = …"""
        by = self.rows.derivative(s.target)
        first = next((k for k, x in enumerate(lines) if x.left is not None and within(x.left) == by), len(lines))
        named = [replace(x, left=s.symbol) if x.left is not None and within(x.left) == by else x for x in lines[first:]]
        return [*lines[:first], *[replace(x, right=going_on(by, x.right)) for x in named[:1]], *named[1:]]

    def _loop(self, mark: LoopMark) -> Step:
        """The heading of a loop; what explains is left out of its reasons, where it stands last."""
        whole = super()._loop(mark)
        lines = [replace(x, reason=x.reason[:-1] or x.reason) for x in whole.lines]
        scan, entering = mark.loop.loop, len(mark.loop.reverse.attr.carry)
        for k in range(min(entering, len(scan.attr.carry))):
            lines[k] = replace(lines[k], reason=(*lines[k].reason, *self._start(scan.graph.result(scan, k))))
        return replace(whole, lines=tuple(lines))

    def _start(self, last: Node) -> Prose:
        """The equations by which a loop's last value, and so the start of the way back, is read."""
        known = self.context.by_target.get(last.id)
        refs = () if known is None else self._used(known)
        return ("; ", *refs) if refs else ()

    def _used(self, s: Located) -> tuple[Ref, ...]:
        """The equations that a line uses, in the order of its terms. Remembered: those of a line that is written out
        where it is read are asked for on every path to it."""
        if s.number not in self.used:
            self.used[s.number] = self._used_in(s)
        return self.used[s.number]

    def _used_in(self, s: Located) -> tuple[Ref, ...]:
        found: list[Ref] = []
        for g in ordered_groups(s, self.context) if isinstance(self.writer, ScalarView) else s.groups:
            found += self._stacks(s.step.target) if g.consumer is None else self._used_between(g.consumer, g)
        return tuple(dict.fromkeys(found))

    @cached_property
    def _scans(self) -> list[tuple[Node, Loop]]:
        """The loops of the forward pass."""
        return [(x.loop.loop, x.loop.loop.attr) for x in self.context.located if isinstance(x, LoopMark)]

    def _stacks(self, row: Node) -> list[Ref]:
        """The equation of the stack of a loop's row, through which a step gets what others read of it."""
        found = [scan.graph.result(scan, len(loop.carry) + k)
                 for scan, loop in self._scans for k, stacked in enumerate(loop.stacked) if stacked is row]
        refs = [self.context.equation_ref(x) for x in found if x.id in self.context.by_target]
        return [ref for ref in refs if ref is not None]

    def _used_between(self, consumer: Node, g: Group) -> tuple[Ref, ...]:
        """Those of one branch: in a loop, those of its steps."""
        known = self.context.by_target
        if is_loop(g) and read_as(g).id in known:
            return self._used(known[read_as(g).id])
        before, ref = known.get(consumer.id), self.context.equation_ref(consumer)
        earlier = self._used(before) if before is not None and before.anchor in self.left_out else ()
        return (*earlier, *(() if ref is None else (ref,)))

    # -- what stands around them
    def document(self) -> Document:
        whole = super().document()
        *kinks, layout = whole.conventions
        rows: tuple[Prose, ...] = ((NUMERATOR,),) if self.view.rows else ()
        told = rows if self.options.layout == "shape" else (layout,)
        said = (*kinks, *told, *self._deltas(whole), *slopes(self.rows, self.model))
        checks = _told(whole.checks, "; central differences, step ", STEP)
        return replace(whole, conventions=said, checks=checks)

    def _updates(self) -> tuple[Line, ...]:
        """Gradient descent; with what the learning rate is."""
        lines = super()._updates()
        if self.options.lr is not None:
            lines = _told(lines, self._rate())
        return lines

    def _table(self, results: Results, steps: Sequence[Step]) -> tuple[Row, ...]:
        return ()

    def _deltas(self, whole: Document) -> tuple[Prose, ...]:
        """δ_v := ∂L/∂v, where a line has a δ, be it only what a step of a loop hands on."""
        if not any(isinstance(x, Delta) for tree in whole.trees() for x in walk(tree)):
            return ()
        trees = [x for line in whole.glossary for tree in line if isinstance(tree, Math) for x in walk(tree)]
        told = {x.name for x in trees if isinstance(x, Letter)}
        name = Sym(free_name({*self.rows.letters.taken, *told}, *GENERIC))
        return ((self.rows.delta(name), " := ", self.rows.derivative(name)),)

    def _notes(self) -> tuple[Prose, ...]:
        return (*self._zeros(), *self._without_blocks(), *beyond(self.context))


class FromDeltas(Terms):
    """Products along paths from the nearest δ that has a line of its own."""

    def __init__(self, context: Context, once: Collection[str]) -> None:
        super().__init__(context)
        self.once = once

    def of(self, s: Located) -> list[Term]:
        target = s.step.target
        if target.id not in self.found:
            self.found[target.id] = [t for g in ordered_groups(s, self.context) for t in self._branch(g, target)]
        return self.found[target.id]

    def close(self, s: Located, whole: Node) -> None:
        """Products begin with δ's, whatever these are."""

    def _branch(self, g: Group, target: Node) -> list[Term]:
        if g.consumer is None:
            return [self._seed(target)]
        before = self.context.by_target[g.consumer.id]
        if before.anchor not in self.once:
            return [self._next(g, target)]
        return [t.then(g.consumer, target, local(g)) for t in self.of(before)]


def _said_once(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps without the names for short that an earlier one has given."""
    said: set[Math | None] = set()
    found = []
    for s in steps:
        lines = tuple([x for x in s.lines if x.kind != "part" or x.left not in said])
        said |= {x.left for x in lines if x.kind == "part"}
        found.append(replace(s, lines=lines))
    return tuple(found)


def _apart(first: Prose, second: Prose) -> Prose:
    """What is said of a line one behind the other."""
    return (*first, " ", *second) if first and second else (*first, *second)


def sizes_in(reason: Prose) -> Prose:
    """The sizes of the factors of a product, [1×n][n×5d], which stand last in a reason."""
    first = next((k for k, x in enumerate(reason) if isinstance(x, Shape)), None)
    return () if first is None else reason[first - 1 :]


def _told(lines: Sequence[Line], *words: str | Math) -> tuple[Line, ...]:
    """Lines of which the first says what holds for all."""
    return (*[replace(x, reason=(*x.reason, *words)) for x in lines[:1]], *lines[1:])


def _shortest(lines: Sequence[Line]) -> list[Line]:
    """Lines without the product of all Jacobians, where it is written shorter."""
    shorter = any(x.kind == "result" for x in lines)
    return [x for x in lines if x.kind != "substitution" or not shorter]


def _linked(x: Line, there: Collection[str]) -> Line:
    """A line without links to steps that are not on the board, such as that of a gradient that is given."""
    links = [m for m in walk(x.right) if isinstance(m, Link) and m.anchor.startswith("step-")]
    gone: dict[Math, Math] = {m: m.body for m in links if m.anchor not in there}
    return replace(x, right=replaced(x.right, gone)) if gone else x


def _is_asked(s: Step) -> bool:
    """Whether a step finds a gradient that was asked for, whole."""
    return s.role == "result" and not s.depth


def _is_handed_on(s: Step) -> bool:
    """Whether a step finds what one pass of a loop hands to the next."""
    symbol = within(s.symbol)
    return isinstance(symbol, Marked) and symbol.word == "later"


def _cited(trees: Iterable[Math]) -> list[str]:
    """The anchors that trees refer to, one for every place."""
    return [m.anchor for tree in trees for m in walk(tree) if isinstance(m, Link)]


def _read(steps: Sequence[Step]) -> list[Step]:
    """The steps that the gradients asked for are found with; loops with what their steps hand on."""
    known = {s.anchor: s for s in steps if s.depth or s.role != "seed"}
    waiting = [s.anchor for s in steps if _is_asked(s) or s.role == "loop" or _is_handed_on(s)]
    found: set[str] = set()
    while waiting:
        anchor = waiting.pop()
        if anchor in known and anchor not in found:
            found.add(anchor)
            waiting += _cited([x.right for x in known[anchor].lines])
    return [s for s in steps if s.anchor in found]


def _read_once(steps: Sequence[Step]) -> frozenset[str]:
    """The steps whose gradient stands in one place of one other line, where it is short enough to be put there."""
    own = {s.anchor: s.depth for s in steps}
    places = Counter([(a, s.depth == own.get(a)) for s in steps for a in _cited(map(_last, s.lines))])
    return frozenset([s.anchor for s in steps if _is_passing(s) and places[s.anchor, True] == 1
                      and not places[s.anchor, False] and not _is_over_steps(s, own)])


def _is_over_steps(s: Step, depths: Mapping[str, int]) -> bool:
    """Whether a step adds up what a loop's steps have found, Σ_t δ_zₜ, which cannot be said without its name."""
    sums = [x for x in map(_last, s.lines) if isinstance(within(x), Big)]
    return any(depths.get(anchor, 0) > s.depth for anchor in _cited(sums))


def _last(line: Line) -> Math:
    """What a line comes to."""
    return line.right.right if isinstance(line.right, Relation) else line.right


def _is_passing(s: Step) -> bool:
    """Whether a step is a δ on the way that is short."""
    passing = s.role == "intermediate" or (s.role == "seed" and s.depth > 0)
    return passing and not _is_handed_on(s) and len(s.lines) == 1 and len(text(_last(s.lines[0]))) <= SHORT
