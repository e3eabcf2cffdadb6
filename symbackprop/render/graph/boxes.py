"""From a derivation to a picture: names, formulas and numbers of every box, loops and blocks as frames.

Scalar rows of one elementary operation are gates, drawn as a circle with the operation's sign, as in a circuit.

The blocks of a deep model are rows called alike but for a number (`X3`, `X[3]`, `block3_q`), built alike. A *family* is
what such names share. Blocks are runs of consecutive numbers that the same families have. When every block computes the
same from its own rows, the rows of the block before and rows outside, one frame stands for all of them; else each block
is drawn as one box, if there are at least `FEWEST`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol, TypeAlias

from symbackprop.core import formula as f
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.core.maths import (
    Delta,
    Derivative,
    Entry,
    Fn,
    Letter,
    Math,
    Num,
    Place,
    Pow,
    Range,
    Rounded,
    Several,
    Sym,
    plain,
)
from symbackprop.core.names import lookalikes
from symbackprop.core.printer import Text
from symbackprop.core.scalars import TABLE
from symbackprop.derive.record import Edge
from symbackprop.derive.steps import Derivation, LoopStep
from symbackprop.model.model import nesting_told
from symbackprop.render.axes import AxisLetters
from symbackprop.render.document import ROLES, Value
from symbackprop.render.factors import Factor, path_factor, total
from symbackprop.render.graph.picture import Box, Frame, Item, Picture, Rule, Wire, as_kind
from symbackprop.render.graph.typesetting import line
from symbackprop.render.numbers import DIGITS, Numbers
from symbackprop.render.rows import Rows

# -- blocks
FEWEST = 3
Family: TypeAlias = tuple[str, str]  # what stands before the number, and behind it
Member: TypeAlias = tuple[Family, int]


@dataclass(frozen=True)
class Blocks:
    """``members`` says which family and number a row (by id) has; ``alike`` whether all blocks are the same."""

    first: int
    last: int
    members: Mapping[int, Member]
    alike: bool

    def number_of(self, row: Node) -> int | None:
        member = self.members.get(row.id)
        return None if member is None else member[1]


def find_blocks(rows: Sequence[Drawn], names: Mapping[int, str]) -> Blocks | None:
    """The blocks of a picture, if its names show any."""
    found = {family: _run(sorted(numbers)) for family, numbers in _families(rows, names).items()}
    runs = Counter([run for run in found.values() if run is not None])
    if not runs:
        return None
    first, last = min(runs, key=lambda r: (-runs[r], r[0] - r[1], r))
    members = _members(rows, names, {family for family, run in found.items() if run == (first, last)}, first, last)
    alike = _alike(rows, members, first, last)
    blocks = Blocks(first, last, members, alike)
    return blocks if (alike or last - first + 1 >= FEWEST) and not _come_back(rows, blocks) else None


def _come_back(rows: Sequence[Drawn], blocks: Blocks) -> bool:
    """Whether what a block computes comes back into it, through a loop that is no part of it: as one item it would be
    read by itself."""
    place = {d.row.id: _block_key(d.row, blocks) for d in rows if d.row.id in blocks.members}
    wires = TopologicalSorter[str | int]()
    for d in rows:
        here = place.get(d.row.id, d.row.id)
        wires.add(here, *{place.get(r.id, r.id) for r in d.reads} - {here})
    try:
        wires.prepare()
    except CycleError:
        return True
    return False


def _candidates(name: str) -> list[Member]:
    """Every reading of a name as family and number; zero is what comes before the first block."""
    found = []
    for m in re.finditer(r"\d+", name):
        before, behind = name[: m.start()].rstrip("_[("), name[m.end() :].lstrip("])")
        found.append(((before, behind), int(m[0])))
    return found


def _families(rows: Sequence[Drawn], names: Mapping[int, str]) -> dict[Family, set[int]]:
    families: dict[Family, set[int]] = defaultdict(set)
    for d in rows:
        for family, number in _candidates(_name(d.row, names)):
            families[family].add(number)
    return families


def _run(numbers: Sequence[int]) -> tuple[int, int] | None:
    """The consecutive run of positive numbers that a family has, if it is a run."""
    positive = [n for n in numbers if n > 0]
    if len(positive) < 2 or positive[-1] - positive[0] + 1 != len(positive):
        return None
    return positive[0], positive[-1]


def _members(rows: Sequence[Drawn], names: Mapping[int, str], families: Collection[Family], first: int, last: int
             ) -> dict[int, Member]:
    found: dict[int, Member] = {}
    for d in rows:
        for family, number in _candidates(_name(d.row, names)):
            if first <= number <= last and family in families:
                found.setdefault(d.row.id, (family, number))
    return found


def _name(row: Node, names: Mapping[int, str]) -> str:
    return names.get(row.id) or row.name or ""


# ---------------------------------------------------------------- are the blocks alike?


def _alike(rows: Sequence[Drawn], members: Mapping[int, Member], first: int, last: int) -> bool:
    """Whether all blocks compute the same; what the first one reads from before the blocks may be anything."""
    blocks: dict[int, dict[Family, Any]] = defaultdict(dict)
    for d in rows:
        if d.row.id in members:
            family, number = members[d.row.id]
            blocks[number][family] = _meaning(d, members)
    pattern = blocks[last]
    if any(set(b) != set(pattern) for b in blocks.values()):
        return False
    later = all(blocks[n] == pattern for n in range(first + 1, last + 1))
    return later and all(_matches(blocks[first][f], pattern[f]) for f in pattern)


def _meaning(d: Drawn, members: Mapping[int, Member]) -> tuple[Any, tuple[Any, ...]]:
    """How a row is computed, and which rows it reads, relative to its block."""
    own = members[d.row.id][1]
    slots = {r.id: k for k, r in enumerate(d.reads)}
    return _pattern(d.row, slots, top=True), tuple(_relative(r, own, members) for r in d.reads)


def _relative(row: Node, own: int, members: Mapping[int, Member]) -> Any:
    if row.id not in members:
        return ("outside", row.id)
    family, number = members[row.id]
    return (own - number, family)


def _pattern(row: Node, slots: Mapping[int, int], top: bool = False) -> Any:
    """A row without the identity of what it reads. Unnamed rows between are small, so recursion is shallow."""
    if not top and row.id in slots:
        return slots[row.id]
    if row.is_leaf:
        return (row.op.name, row.shape) if row.is_declared else (row.op.name, row.attr)
    how = (row.origin.function, str(row.origin.options)) if row.origin is not None else (row.op.name, row.attr)
    return (how, tuple([_pattern(a, slots) for a in written_arguments(row)]))


def _matches(found: tuple[Any, tuple[Any, ...]], pattern: tuple[Any, tuple[Any, ...]]) -> bool:
    """The first block reads something from outside where the others read the block before them."""
    if found[0] != pattern[0] or len(found[1]) != len(pattern[1]):
        return False
    return all(a == b or (b[0] == 1 and a[0] == "outside") for a, b in zip(found[1], pattern[1], strict=True))


BLOCK = "ℓ"


def in_blocks(make: Builder, rows: Sequence[Drawn], blocks: Blocks) -> tuple[list[Item], list[Wire]]:
    """Every block as one item; if they are alike, all of them as one frame."""
    inside = [d for d in rows if d.row.id in blocks.members]
    place = {d.row.id: _block_key(d.row, blocks) for d in inside}
    wires = _unique(
        Wire(place.get(r.id) or make.key(r, ""), place.get(d.row.id) or make.key(d.row, ""))
        for d in rows for r in d.reads
    )
    made = [_block_frame(make, rows, blocks)] if blocks.alike else _block_boxes(make, inside, blocks)
    before, after = _around(rows, place)
    return [*make.level(before, {}, "")[0], *made, *make.level(after, {}, "")[0]], wires


def _block_key(row: Node, blocks: Blocks) -> str:
    return "blocks" if blocks.alike else f"block {blocks.number_of(row)}"


def _block_boxes(make: Builder, inside: Sequence[Drawn], blocks: Blocks) -> list[Item]:
    made: list[Item] = []
    for number in range(blocks.first, blocks.last + 1):
        rows = [d.row for d in inside if blocks.number_of(d.row) == number]
        computed = [make.symbol(r, {}) for r in rows if not r.is_leaf]
        shown = line(Several(tuple(computed[:4]), len(computed) > 4))
        name = f"block {number}"
        made.append(Box(name, "block", Text(name), shown, shape=Text(f"{len(computed)} rows")))
    return made


def _block_frame(make: Builder, rows: Sequence[Drawn], blocks: Blocks) -> Frame:
    """The last block with its number replaced by ℓ; rows of the block before it are what is carried."""
    own = [d for d in rows if blocks.number_of(d.row) == blocks.last]
    before = {r.id: r for d in own for r in d.reads if blocks.number_of(r) == blocks.last - 1}
    labels = {d.row.id: _block_name(d.row, blocks, 0) for d in own}
    labels |= {i: _block_name(r, blocks, -1) for i, r in before.items()}
    ids = {d.row.id for d in own} | set(before)
    body = [*[Drawn(r, ()) for r in before.values()],
            *[Drawn(d.row, tuple(r for r in d.reads if r.id in ids)) for d in own]]
    items, wires = make.level(body, labels, "blocks/")
    old = {make.key(r, "blocks/") for r in before.values()}
    items = [as_kind(i, "carry") if i.key in old else i for i in items]
    new = {blocks.members[d.row.id][0]: d.row for d in own}
    backs = [
        Wire(make.key(new[blocks.members[i][0]], "blocks/"), make.key(r, "blocks/"), back=True)
        for i, r in before.items()
    ]
    count = blocks.last - blocks.first + 1
    title = line.row(Text("for "), line(Range(BLOCK, plain(blocks.first), plain(blocks.last))))
    note = f"{count} blocks, built alike"
    return Frame("blocks", Text("the blocks"), title, Picture(tuple(items), (*wires, *backs)), note)


def _around(rows: Sequence[Drawn], place: Mapping[int, str]) -> tuple[list[Drawn], list[Drawn]]:
    """The rows outside the blocks: those that need nothing of the blocks, and the others."""
    after = set(place)
    for d in rows:
        if any(r.id in after for r in d.reads):
            after.add(d.row.id)
    outside = [d for d in rows if d.row.id not in place]
    return [d for d in outside if d.row.id not in after], [d for d in outside if d.row.id in after]


def _block_name(row: Node, blocks: Blocks, before: int) -> Math:
    """What a row is called in the block ``BLOCK``, or in one before it."""
    letter = Letter(BLOCK)
    number = Place(((1, letter), (before, None))) if before else letter
    return Entry(Sym("".join(blocks.members[row.id][0]), row.shape, row.id), (number,), row.ndim)


def _unique(wires: Iterable[Wire]) -> list[Wire]:
    return [w for w in dict.fromkeys(wires) if w.source != w.target]


def picture_of(derivation: Derivation, values: Mapping[str, Any] | None = None, sizes: Mapping[str, int] | None = None,
               digits: int | None = None, expand: bool = False) -> Picture:
    """The graph of a derivation.

    ``values`` (arrays by name) puts the value above and the gradient below every box,
    and the local gradient on every wire between scalars; ``sizes`` are those of dimensions
    that the arrays leave open. A deep model shows one block for all blocks that are alike, unless ``expand`` is set.
    Raises `ModelError` for missing values.
    """
    shown = DIGITS if digits is None else digits
    numbers = None if values is None else Numbers(derivation, values, sizes or {}, shown)
    with nesting_told(derivation.model):
        return Builder(derivation, numbers).picture(expand)


class Known(Protocol):
    """The numbers of a point: of a row, and of a formula over rows; None where they are not known. The ``rule`` says
    what an array makes of its gradient, for an argument; ``factor`` is the derivative, if it has one."""

    def of(self, node: Node) -> Value | None: ...

    def factor(self, factor: Factor) -> Value | None: ...

    def rule(self, row: Node, argument: Node, factor: Factor | None) -> Rule | None: ...


class Builder:
    """Everything that one picture needs; ``names`` grows by what the bodies of loops call their rows."""

    def __init__(self, derivation: Derivation, numbers: Known | None) -> None:
        self.derivation, self.model, self.numbers = derivation, derivation.model, numbers
        self.names = dict(derivation.names)
        self.boxed = dict(drawn_names(derivation))
        fixed = [*self.model.sizes, *self.model.functions]
        self.letters = AxisLetters([*self.model.graph.names, *fixed])
        self.alike = lookalikes(self.names.values(), fixed)
        self.known: dict[int, Node] = {}
        self.own: Own = {}
        self.drawn: set[int] = set()
        self.steps = {s.target.id: s for s in derivation.steps if not isinstance(s, LoopStep)}

    def picture(self, expand: bool) -> Picture:
        rows, self.own = drawn_rows(self.derivation, self.boxed)
        self.drawn = {d.row.id for d in rows}
        self.known |= {d.row.id: d.row for d in rows if not d.row.is_loop}
        blocks = None if expand or len(rows) <= MANY else find_blocks(rows, self.names)
        items, wires = self.level(rows, {}, "") if blocks is None else in_blocks(self, rows, blocks)
        return Picture(tuple(items), tuple(wires), self.model.name)

    # -- one level
    def level(self, rows: Sequence[Drawn], labels: Mapping[int, Math], prefix: str) -> tuple[list[Item], list[Wire]]:
        """The items and wires of rows; ``labels`` are names that are used here only."""
        written = self._rows(rows, labels)
        items: list[Item] = []
        for d in rows:
            if d.row.is_loop:
                items.append(self._loop(d.row, prefix))
            else:
                items.append(self._box(d.row, written, prefix, labels))
        return items, [self.wire(r, d.row, prefix, labels) for d in rows for r in d.reads]

    def wire(self, argument: Node, row: Node, prefix: str, labels: Mapping[int, Math]) -> Wire:
        """From an argument to a row that reads it."""
        local, rule = self._local(argument, row)
        called = local is not None or rule is not None
        name = line(Derivative(self.symbol(row, labels), self.symbol(argument, labels))).text if called else ""
        return Wire(self.key(argument, prefix), self.key(row, prefix), local=local, local_name=name, rule=rule)

    def _local(self, argument: Node, row: Node) -> tuple[Rounded | None, Rule | None]:
        """∂row/∂argument where the sweep went that way: of scalars a number, of arrays perhaps a rule."""
        if self.numbers is None:
            return None, None
        factors = [path_factor(p) for p in self._paths(argument, row)]
        known = [x for x in factors if x is not None]
        factor = total(known) if known and len(known) == len(factors) else None
        if argument.shape or row.shape:
            return None, self.numbers.rule(row, argument, factor)
        value = None if factor is None else self.numbers.factor(factor)
        return None if value is None else value.shown, None

    def _paths(self, argument: Node, row: Node) -> list[tuple[Edge, ...]]:
        """From a row to an argument, also through rows that have no box; none where those are too many."""
        found: list[tuple[Edge, ...]] = []
        waiting: list[tuple[Node, tuple[Edge, ...]]] = [(argument, ())]
        for target, behind in waiting:
            step = self.steps.get(target.id)
            for c in () if step is None else step.contributions:
                if c.consumer is row:
                    found.append((*c.path, *behind))
                elif c.consumer is not None and c.consumer.id not in self.drawn:
                    waiting.append((c.consumer, (*c.path, *behind)))
            if len(waiting) > MANY:
                return []
        return found

    def key(self, row: Node, prefix: str) -> str:
        """The key of a row's box."""
        return f"{prefix}{self.names.get(row.id) or row.name or f'loop{row.id}'}"

    def symbol(self, row: Node, labels: Mapping[int, Math]) -> Math:
        """What a row is called."""
        name = self.names.get(row.id) or row.name or "?"
        own = self.model.notation_of.get(name, "")
        return labels.get(row.id) or Sym(name, row.shape, row.id, own, name in self.alike)

    def _rows(self, rows: Sequence[Drawn], labels: Mapping[int, Math]) -> Rows:
        """Rows that are drawn, here or further out, are called by name in formulas, all others are written out."""
        self.known |= {d.row.id: d.row for d in rows if not d.row.is_loop}
        symbols = {i: self.symbol(r, labels) for i, r in self.known.items()}
        return Rows(symbols, self.letters, (), tuple(self.model.sizes))

    def _box(self, row: Node, rows: Rows, prefix: str, labels: Mapping[int, Math]) -> Box:
        name, kind = self.symbol(row, labels), self._kind(row)
        step = self.steps.get(row.id)
        symbol = gate_symbol(row) if row.args and all(a.id in self.known for a in row.args) else None
        return Box(
            self.key(row, prefix), "gate" if symbol and kind == "row" else kind, line(name),
            self._formula(row, rows), symbol, line(rows.shape(row.shape)) if row.shape else None,
            self._value(row), self._value(step.total if step else None), self._gradient_name(name), row.id,
        )

    def _value(self, row: Node | None) -> Rounded | None:
        value = None if row is None or self.numbers is None else self.numbers.of(row)
        return None if value is None else value.shown

    def _kind(self, row: Node) -> str:
        if row is self.model.loss_row:
            return "loss"
        if any(row is o for o in self.model.output_rows.values()):
            return "output"
        return row.attr.role if isinstance(row.attr, Leaf) and row.attr.role in ROLES else "row"

    def _formula(self, row: Node, rows: Rows) -> Text | None:
        if row.is_leaf:
            return None
        return self._result(row) if row.is_result else line(rows.row(row))

    def _result(self, row: Node) -> Text:
        loop: Loop = row.args[0].attr
        inner = loop.results()[row.attr]
        return line.row(Text("last " if row.attr < len(loop.carry) else "all "), line(self.symbol(inner, {})))

    def _gradient_name(self, name: Math) -> str:
        loss = self.model.loss_row
        return line(Derivative(Sym(loss.name), name) if loss is not None and loss.name else Delta(name)).text

    # -- loops
    def _loop(self, scan: Node, prefix: str) -> Frame:
        """The body of a loop in a frame; what a step hands on goes back to where the next step takes it."""
        loop: Loop = scan.attr
        key = self.key(scan, prefix)
        for leaf in loop.leaves():
            self.names.setdefault(leaf.id, leaf.name or "?")
            self.known[leaf.id] = leaf
        own = self.own.get(scan.id, [])
        rows = body_rows(loop, self._live_results(scan), self.boxed, [inner for inner, _ in own])
        items, wires = self.level(rows, {}, f"{key}/")
        leaves = {self.key(leaf, f"{key}/"): self._leaf_box(leaf, "carry", f"{key}/") for leaf in loop.carry}
        leaves |= {self.key(leaf, f"{key}/"): self._leaf_box(leaf, "element", f"{key}/") for leaf in loop.sequences}
        leaves |= {self.key(inner, f"{key}/"): self._leaf_box(leaf, "", f"{key}/") for inner, leaf in own}
        items = [leaves.get(item.key, item) for item in items]
        backs = [
            Wire(self.key(new, f"{key}/"), self.key(old, f"{key}/"), back=True)
            for old, new in zip(loop.carry, loop.carried, strict=True)
        ]
        t, ends = loop.index, [Num(end, tuple(self.model.sizes)) for end in (loop.begin, loop.end)]
        title = line.row(Text("for "), line(Range(t, *ends)))
        note = f"carried from {t}−1 to {t}" if backs else ""
        return Frame(key, Text(f"the loop over {t}"), title, Picture(tuple(items), (*wires, *backs)), note)

    def _leaf_box(self, leaf: Node, kind: str, prefix: str) -> Box:
        """A leaf of a body, or a leaf of the model that is drawn in a body (``kind`` is then its own)."""
        box = self._box(leaf, self._rows((), {}), prefix, {})
        return replace(box, kind=kind or box.kind, formula=None, symbol=None)

    def _live_results(self, scan: Node) -> list[Node]:
        """What the loop carries and what the model (not the backward pass) reads of its stacks."""
        loop: Loop = scan.attr
        read = {n.attr for n in self.derivation.forward if n.is_result and n.args[0] is scan}
        stacks = [r for k, r in enumerate(loop.results()) if k >= len(loop.carry) and k in read]
        return [*loop.carried, *stacks]


PLUS, MINUS, TIMES, OVER, X = Text("+"), Text("−"), Text("∗"), Text("/"), Sym("x")


def gate_symbol(row: Node) -> Text | None:
    """The sign in the circle; None when the row is no scalar gate."""
    if row.form is None or row.shape or any(a.shape for a in row.args):
        return None
    return _symbol(f.written(row.attr.form))


def _symbol(form: f.Formula) -> Text | None:
    match form:
        case f.Neg(f.Arg()):
            return line.row(TIMES, line(plain(-1)))
        case f.Add(terms):
            return _sum(terms)
        case f.Mul(factors):
            return _product(factors)
        case f.Div(top, f.Arg()) if isinstance(top, (f.Arg, f.Num)):
            return OVER if isinstance(top, f.Arg) else line.row(line(Num(top.value)), OVER, line(X))
        case f.Pow(f.Arg(), f.Num(value)):
            return line(Pow(X, Num(value)))
        case f.Call(name, parts) if all(isinstance(p, f.Arg) for p in parts[: TABLE[name].arity]):
            return line(Fn(name)) if TABLE[name].public else None
    return None


def _sum(terms: Sequence[f.Formula]) -> Text | None:
    numbers = [t for t in terms if isinstance(t, f.Num)]
    others = [t for t in terms if not isinstance(t, f.Num)]
    if all(isinstance(t, f.Arg) for t in others):
        if not numbers:
            return PLUS
        value = numbers[0].value
        signs = [] if f.is_negative(value) else [PLUS]
        return line.row(*signs, line(Num(value))) if len(others) == len(numbers) == 1 else None
    match tuple(terms):
        case (f.Arg(), f.Neg(f.Arg())):
            return MINUS
        case (f.Num(value), f.Neg(f.Arg())):
            return line.row(line(Num(value)), MINUS, line(X))
    return None


def _product(factors: Sequence[f.Formula]) -> Text | None:
    match tuple(factors):
        case (f.Num(value), f.Arg()):
            return line.row(TIMES, line(Num(value)))
    return TIMES if all(isinstance(x, f.Arg) for x in factors) else None


# -- which rows are drawn, and what each reads: rows with a name, through the unnamed ones between them
MANY = 40  # a picture of more boxes than this shows only rows that the user named, and blocks once


@dataclass(frozen=True)
class Drawn:
    """A row of the picture and the drawn rows that it reads, each once, in the order in which they are written."""

    row: Node
    reads: tuple[Node, ...]


def drawn_names(derivation: Derivation) -> dict[int, str]:
    """The names of rows that get a box. In a large model those are the ones that the user named."""
    names = derivation.names
    bodies = sum(len(rows) for scan, rows in derivation.bodies.items() if scan in derivation.forward_ids)
    if len(level(derivation.model.equations.values(), names)) + bodies <= MANY:
        return names
    nodes = derivation.model.graph.nodes
    return {k: v for k, v in names.items() if k in nodes and (nodes[k].name is not None or nodes[k].is_result)}


Own = dict[int, list[tuple[Node, Node]]]  # by loop: what a leaf is called in the body, and the leaf of the model


def drawn_rows(derivation: Derivation, names: Mapping[int, str]) -> tuple[list[Drawn], Own]:
    """The rows of the outermost level, in order of the model; loops stand in it as one row (op scan). What only one
    loop reads, at every step as a whole, is drawn in that loop."""
    rows = level(derivation.model.equations.values(), names)
    readers = Counter(r.id for d in rows for r in d.reads)
    own = {d.row.id: _own_leaves(d.row, readers) for d in rows if d.row.is_loop}
    inside = {leaf.id for pairs in own.values() for _, leaf in pairs}
    kept = [Drawn(d.row, tuple(r for r in d.reads if r.id not in inside)) for d in rows if d.row.id not in inside]
    return kept, own


def _own_leaves(scan: Node, readers: Mapping[int, int]) -> list[tuple[Node, Node]]:
    loop: Loop = scan.attr
    first = len(loop.carry) + len(loop.sequences)
    moving = {a.id for a in scan.args[:first]}
    pairs = zip(loop.invariants, scan.args[first:], strict=True)
    return [(inner, a) for inner, a in pairs if a.is_declared and readers[a.id] == 1 and a.id not in moving]


def body_rows(loop: Loop, results: Sequence[Node], names: Mapping[int, str], inside: Iterable[Node]) -> list[Drawn]:
    """The rows of a loop's body; invariants are outside, but for those in ``inside``."""
    own = list(inside)
    outside = {n.id for n in loop.invariants} - {n.id for n in own}
    found = level(results, names, loop.stop, frozenset(outside))
    leaves = [Drawn(leaf, ()) for leaf in (*loop.carry, *loop.sequences)]
    known = {d.row.id for d in leaves}
    return [*leaves, *[d for d in found if d.row.id not in known]]


def level(roots: Iterable[Node], names: Mapping[int, str], stop: frozenset[int] = frozenset(),
          outside: frozenset[int] = frozenset()) -> list[Drawn]:
    """Every named row that the roots need down to the rows in ``stop``, arguments first."""
    found: list[Drawn] = []
    seen: set[int] = set(outside)
    stack: list[tuple[Node, tuple[Node, ...] | None]] = [(r, None) for r in reversed(list(roots))]
    while stack:
        row, reads = stack.pop()
        if reads is not None:
            found.append(Drawn(row, tuple(r for r in reads if r.id not in outside)))
        elif row.id not in seen:
            seen.add(row.id)
            reads = () if row.id in stop else operands(row, names, stop)
            stack.append((row, reads))
            stack.extend((r, None) for r in reversed(reads))
    return found


def operands(row: Node, names: Mapping[int, str], stop: frozenset[int]) -> tuple[Node, ...]:
    """The drawn rows that a row reads; a call of a library function reads what it was called with."""
    found: dict[int, Node] = {}
    stack = list(reversed(written_arguments(row)))
    while stack:
        node = stack.pop()
        if node.is_leaf and not isinstance(node.attr, Leaf):
            continue
        if node.is_leaf or node.id in names or node.id in stop or node.is_loop:
            found.setdefault(node.id, node)
        else:
            stack.extend(reversed(written_arguments(node)))
    return tuple(found.values())


def written_arguments(row: Node) -> list[Node]:
    """The arguments as the model was written."""
    if row.origin is not None:
        return [a for a in row.origin.args if isinstance(a, Node)]
    return list(row.args)
