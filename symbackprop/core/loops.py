"""`Loop`, the body of a scan, and building one.

A body is a small graph of its own in the same table. Its leaves are the carried values, the elements of the sequences
at this step, and the invariants (arrays that every step sees whole); it never reads an outer row directly.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy as sp

from symbackprop.core.facts import is_joined, is_part, is_reshaped, is_view
from symbackprop.core.graph import FLOAT, INT, KINDS, Graph, Leaf, Node, Operand, arguments_first, dressed, label
from symbackprop.core.names import unplaced
from symbackprop.core.registry import OPS
from symbackprop.core.shapes import Dim, DimLike, Shape, as_dim, is_one, same, same_shape, shape_text
from symbackprop.errors import ModelError, ShapeError

if TYPE_CHECKING:
    from symbackprop.core.settling import Settled


@dataclass(eq=False)
class Loop:
    """The attribute of a scan row.

    Arguments of the row are the initial values of ``carry``, then one array per ``sequences`` leaf (time first), then
    one per ``invariants`` leaf. Results are the last value of every carry, then a stack over time of each row in
    ``stacked``, which only ever grows: a backward pass adds what it needs to keep. ``index`` names the step counter,
    which counts from ``first`` on. ``swept`` is what the sweep did when this is the body of a reverse loop;
    ``forward`` is then the loop it reverses.
    """

    length: Dim
    carry: list[Node]
    sequences: list[Node]
    invariants: list[Node]
    carried: list[Node]
    stacked: list[Node]
    reverse: bool = False
    index: str = "t"
    swept: tuple[Settled, ...] = ()
    forward: Loop | None = None
    first: Dim = sp.S.One
    walked: tuple[int, list[Node]] = field(default=(0, []), init=False, repr=False)  # its rows with so many results

    @property
    def last(self) -> Dim:
        """The largest number of a step."""
        return sp.expand(self.first + self.length - 1)

    @property
    def begin(self) -> Dim:
        """The step that is computed first."""
        return self.last if self.reverse else self.first

    @property
    def end(self) -> Dim:
        """The step that is computed last."""
        return self.first if self.reverse else self.last

    @property
    def before(self) -> Dim:
        """The step whose value the loop begins with."""
        return self.last + 1 if self.reverse else self.first - 1

    def leaves(self) -> list[Node]:
        return [*self.carry, *self.sequences, *self.invariants]

    def results(self) -> list[Node]:
        return [*self.carried, *self.stacked]

    def number(self, number: int) -> int:
        """The first number of a result: stacks of two rows that a rewrite finds equal are one."""
        stacked = [row.id for row in self.stacked]
        k = number - len(self.carry)
        return number if k < 0 else len(self.carry) + stacked.index(stacked[k])

    @cached_property
    def stop(self) -> frozenset[int]:
        """Where walks through the body end."""
        return frozenset(n.id for n in self.leaves())

    def rows(self) -> list[Node]:
        """All rows of the body, its leaves too, arguments first."""
        results = self.results()
        if self.walked[0] != len(results):
            self.walked = len(results), self.needed(results)
        return self.walked[1]

    def needed(self, roots: Sequence[Node]) -> list[Node]:
        """What rows of the body are computed from, its leaves too, arguments first."""
        return arguments_first(roots, lambda n: () if n.id in self.stop else n.args)


def body_leaf(
    graph: Graph, name: str, shape: Shape, role: str = "body", kind: str = FLOAT, of: Node | None = None,
    gradient_of: Node | None = None,
) -> Node:
    """A leaf inside a body, which stands for ``of``. Its name is for reading (``h[t-1]``), not claimed in the model."""
    node = graph._append(OPS["leaf"], (), Leaf(role, of=of, gradient_of=gradient_of), shape, kind)
    node.name = name
    return node


def make_scan(graph: Graph, loop: Loop, args: Sequence[Node]) -> Node:
    """The row of a loop; every loop is a row of its own."""
    for leaf, result in zip(loop.carry, loop.carried, strict=True):
        if not same_shape(leaf.shape, result.shape):
            raise ShapeError(
                f"the loop over {loop.index} carries {label(leaf)} ({shape_text(leaf.shape)}) "
                f"but computes {shape_text(result.shape)} for the next step"
            )
    return graph.make("scan", args, loop)


def stack_of(scan: Node, row: Node) -> Node:
    """A body row stacked over time: the sequence itself where it is one, a carried value from the stack of what was
    carried, else a (perhaps new) stacked result."""
    loop: Loop = scan.attr
    for leaf, outer in zip(loop.sequences, scan.args[len(loop.carry) :], strict=False):
        if leaf is row:
            return outer
    for i, leaf in enumerate(loop.carry):
        if leaf is row and not is_one(loop.length) and is_computed(loop, i):
            return _shifted(scan, i)
    for number, other in enumerate(loop.stacked):
        if other is row:
            return scan.graph.result(scan, len(loop.carry) + number)
    loop.stacked.append(row)
    return scan.graph.result(scan, len(loop.results()) - 1)


def asked_of_loops(roots: Iterable[Node]) -> dict[int, frozenset[int]]:
    """The numbers of the results of every loop, by its id, that something among the roots reads."""
    found: dict[int, set[int]] = {}
    for row in arguments_first(list(roots)):
        if row.is_result:
            found.setdefault(row.args[0].id, set()).add(row.attr)
    return {id_: frozenset(numbers) for id_, numbers in found.items()}


def forward_rows(scan: Node) -> set[int]:
    """Rows of a body that depend on its step, with every result of the loops inside it: a stack that only another loop
    over these steps asked for belongs to the body too."""
    loop: Loop = scan.attr
    varying = {n.id for n in (*loop.carry, *loop.sequences)}
    for node in loop.rows():
        if any(a.id in varying for a in node.args):
            varying.add(node.id)
            if node.is_loop:
                varying |= {scan.graph.result(node, k).id for k in range(len(node.attr.results()))}
    return varying


def kept_for(scan: Node, rows: Sequence[Node], entering: Iterable[Node]) -> list[Node]:
    """The rows of a body that rows of another loop over its steps read and that change from step to step; ``entering``
    are that loop's own leaves. Integers of an element in another shape, as y[:, None], each pass makes of the
    element."""
    loop: Loop = scan.attr
    known = {n.id for n in (*entering, *loop.invariants)}
    kept = forward_rows(scan) - {n.id for n in loop.rows() if _is_reshaped(n, loop)}
    order = arguments_first(rows, lambda n: () if n.id in kept else n.args, known)
    return [n for n in order if n.id in kept]


def _is_reshaped(row: Node, loop: Loop) -> bool:
    given = row.kind == INT and row.name is None and is_view(row)
    return given and any(a is row.args[0] for a in loop.sequences)


def is_computed(loop: Loop, i: int) -> bool:
    """Whether a carry is more than values of the first step handed round, as in ``a, b = b, a``."""
    places = {leaf.id: k for k, leaf in enumerate(loop.carry)}
    for _ in loop.carry:
        if loop.carried[i].id not in places:
            return True
        i = places[loop.carried[i].id]
    return False


def _shifted(scan: Node, i: int) -> Node:
    """What step t receives: the initial value, then what the step before it computed."""
    from symbackprop.core import build

    loop: Loop = scan.attr
    first = build.expand(scan.args[i], 0)
    later = stack_of(scan, loop.carried[i])
    rest = build.slice_axis(later, 0, 1 if loop.reverse else 0, loop.length - 1)
    row = build.concat([rest, first] if loop.reverse else [first, rest], 0)
    row.hint = row.hint or f"{unplaced(loop.carry[i].name or 'c')}_prev"
    return row


def carry_before(row: Node) -> Node | None:
    """The leaf of the carry whose values at all steps a row holds, as `stack_of` writes them; None for other rows."""
    if not is_joined(row) or row.attr != 0 or len(row.args) != 2:
        return None
    first, rest = sorted(row.args, key=lambda a: is_part(a))
    if not is_reshaped(first) or not is_part(rest) or not rest.args[0].is_result:
        return None
    stack, scan = rest.args[0], rest.args[0].args[0]
    loop: Loop = scan.attr
    for leaf, start, after in zip(loop.carry, scan.args, loop.carried, strict=False):
        if start is first.args[0] and stack.attr >= len(loop.carry) and loop.results()[stack.attr] is after:
            return leaf
    return None


def nameless_elements(scan: Node) -> list[tuple[Node, Node]]:
    """The elements that a loop reads of rows without a name and that are called after nothing of the model, as x0[t]
    is and r[t-1] is not; each with its row."""
    loop: Loop = scan.attr
    pairs = zip(loop.sequences, scan.args[len(loop.carry) :], strict=False)
    return [(leaf, row) for leaf, row in pairs
            if row.name is None and unplaced(leaf.name or "") not in scan.graph.names]


Body = Callable[..., Any]


def scan(
    body: Body,
    init: Operand | Sequence[Operand] = (),
    sequences: Node | Sequence[Node] = (),
    length: DimLike | None = None,
    *,
    reverse: bool = False,
    index: str = "t",
    names: Sequence[str] = (),
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """A loop: ``carry, outputs = body(carry, elements)`` at every step along the first axis of the sequences.

    ``init`` holds the initial carried rows or numbers, ``sequences`` arrays whose first axis is time. ``body`` gets a
    tuple of each and returns the next carry and what to stack (each a row or a tuple of rows); it may read outer rows,
    which become invariants. Returns (last carries, stacks over time). ``names`` name the carries for printing.
    """
    graph = _graph_of(*_tuple(init), *_tuple(sequences))
    start, xs = ([graph.lift(a) for a in _tuple(part)] for part in (init, sequences))
    size = _length(xs, length)
    called = [_carry_name(names, i) for i in range(len(start))]
    before = [f"{name}[{index}{'+' if reverse else '-'}1]" for name in called]
    carry = [body_leaf(graph, name, a.shape, kind=a.kind) for name, a in zip(before, start, strict=True)]
    now = [f"{x.name or 'x' + str(i)}[{index}]" for i, x in enumerate(xs)]
    elements = [body_leaf(graph, name, x.shape[1:], kind=x.kind, of=x) for name, x in zip(now, xs, strict=True)]
    own = frozenset(n.id for n in (*carry, *elements))
    result = body(tuple(carry), tuple(elements))
    if not isinstance(result, tuple) or len(result) != 2:
        raise ModelError("the body of scan returns two things, the next carry and what to stack, as in `return h, h`; "
                         "() where there is nothing to stack")
    carried, stacked = ([graph.lift(a) for a in _tuple(part)] for part in result)
    for name, row in zip(called, carried, strict=False):
        if row.name is None and any(n.id in own for n in graph.topological([row], own)):
            graph.christen(f"{name}[{index}]", row)
    return close_loop(graph, size, carry, elements, carried, stacked, (*start, *xs), reverse, index)


def close_loop(
    graph: Graph,
    length: Dim,
    carry: list[Node],
    elements: list[Node],
    carried: list[Node],
    stacked: list[Node],
    args: Sequence[Node],
    reverse: bool = False,
    index: str = "t",
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Turn body rows that may read outer rows into a scan: outer rows become invariants. The elements of a sequence,
    stacked again, are the sequence."""
    row, copies = open_loop(graph, length, carry, elements, carried, stacked, args, reverse, index)
    n = len(carry)
    whole = dict(zip([leaf.id for leaf in elements], args[n:], strict=False))
    new = [copy for copy in copies if copy.id not in whole]
    row.attr.stacked.extend(new)
    results = [graph.result(row, i) for i in range(n + len(new))]
    made = iter(results[n:])
    return tuple(results[:n]), tuple([whole[c.id] if c.id in whole else next(made) for c in copies])


def open_loop(
    graph: Graph,
    length: Dim,
    carry: list[Node],
    elements: list[Node],
    carried: list[Node],
    named: list[Node],
    args: Sequence[Node],
    reverse: bool = False,
    index: str = "t",
    first: Dim = sp.S.One,
) -> tuple[Node, list[Node]]:
    """The same without stacks: the scan and the body rows that ``named`` became, for `stack_of` to stack when asked."""
    own = {n.id for n in (*carry, *elements)}
    order = graph.topological([*carried, *named], frozenset(own))
    varying = varying_rows(order, own)
    frontier = _frontier(order, varying, [*carried, *named])
    invariants = [body_leaf(graph, n.name or label(n), n.shape, "invariant", n.kind, n) for n in frontier]
    leaves = dict(zip([n.id for n in frontier], invariants, strict=True))
    moving = [n for n in order if n.id in varying and n.id not in own and n.id not in leaves]
    new = _over_leaves(moving, leaves, own, carry, carried)
    loop = Loop(length, new(carry), elements, invariants, new(carried), [], reverse, index, first=first)
    return make_scan(graph, loop, [*args, *frontier]), new(named)


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _graph_of(*values: Any) -> Graph:
    for value in values:
        if isinstance(value, Node):
            return value.graph
    raise ShapeError("a loop needs an array of the model: a sequence, or a first value such as m.constant('zeros', N)")


def _carry_name(names: Sequence[str], i: int) -> str:
    return names[i] if i < len(names) else f"c{i}"


def _length(xs: Sequence[Node], length: DimLike | None) -> Dim:
    sizes = [x.shape[0] for x in xs] + ([as_dim(length)] if length is not None else [])
    if not sizes:
        raise ShapeError("a loop needs a sequence or a length")
    if not all(same(sizes[0], s) for s in sizes):
        raise ShapeError(f"the sequences of a loop have different lengths: {', '.join(map(str, sizes))}")
    return sizes[0]


def varying_rows(order: Iterable[Node], own: Container[int]) -> set[int]:
    """The ids of rows that depend on one of the rows in ``own``, and of these themselves."""
    varying: set[int] = set()
    for node in order:
        if node.id in own or any(a.id in varying for a in node.args):
            varying.add(node.id)
    return varying


Renewed = Callable[[Iterable[Node]], list[Node]]


def _over_leaves(moving: Sequence[Node], leaves: dict[int, Node], own: Container[int], carry: Sequence[Node],
                 carried: Sequence[Node]) -> Renewed:
    """Body rows over new leaves: what became of rows. A carry is of the kind of its first value and of what the body
    computes for the next step, whichever is the wider: a sum of floats may begin with zeros."""
    while True:
        found = dict(leaves)
        for node in sorted(moving, key=lambda n: n.id):  # as they were written
            found[node.id] = copy_row(node, [found.get(a.id, a) for a in node.args], found, own)
        narrow = [
            (old, row.kind)
            for old, leaf, row in zip(carry, _mapped(found, carry), _mapped(found, carried), strict=True)
            if KINDS.index(leaf.kind) < KINDS.index(row.kind)
        ]
        if not narrow:
            return lambda rows: _mapped(found, rows)
        leaves |= {n.id: body_leaf(n.graph, n.name or "", n.shape, kind=kind) for n, kind in narrow}


def _mapped(found: Mapping[int, Node], rows: Iterable[Node]) -> list[Node]:
    return [found.get(row.id, row) for row in rows]


def _widened(loop: Loop, args: Sequence[Node]) -> Loop:
    """A loop whose arguments may have become wider: the same loop, or one over leaves of their kinds."""
    leaves = {
        leaf.id: body_leaf(leaf.graph, leaf.name or "", leaf.shape, leaf.attr.role, a.kind, leaf.attr.of,
                           leaf.attr.gradient_of)
        for leaf, a in zip(loop.leaves(), args, strict=True)
        if KINDS.index(leaf.kind) < KINDS.index(a.kind)
    }
    if not leaves:
        return loop
    order = loop.rows()
    moving = [n for n in order if n.args and n.id not in loop.stop]
    new = _over_leaves(moving, leaves, loop.stop, loop.carry, loop.carried)
    return Loop(
        loop.length, new(loop.carry), new(loop.sequences), new(loop.invariants), new(loop.carried), new(loop.stacked),
        loop.reverse, loop.index, first=loop.first,
    )


def _frontier(order: Iterable[Node], varying: set[int], results: Sequence[Node]) -> list[Node]:
    """Fixed rows that varying rows or the results read directly; numbers stay where they are."""
    found: dict[int, Node] = {}
    for node in order:
        if node.id in varying:
            found |= {a.id: a for a in node.args if a.id not in varying and not _is_free(a)}
    return list((found | {r.id: r for r in results if r.id not in varying and not _is_free(r)}).values())


def _is_free(node: Node) -> bool:
    """Rows that need nothing from outside: numbers, constant arrays, index ranges."""
    return node.value is not None or (node.is_leaf and not node.is_declared)


def copy_row(node: Node, args: Sequence[Node], moved: Mapping[int, Node], kept: Container[int] = (), attr: Any = None
             ) -> Node:
    """The same row over other arguments, perhaps with another attribute; a named row stays a row of its own. ``moved``
    are the rows that rows became, ``kept`` the ids of those that stay."""
    attr = node.attr if attr is None else attr
    if attr is node.attr and all(a is b for a, b in zip(node.args, args, strict=True)):
        return node
    attr = _widened(attr, args) if isinstance(attr, Loop) else attr
    copy = node.graph.again(node, args, attr, own=node.name is not None and not node.is_result)
    if node.name is not None and copy.name is None:
        node.graph.christen(node.name, copy)
    return dressed(copy, node, lambda row: row if row.id in kept or _is_free(row) else moved.get(row.id))


def with_bodies(rows: Iterable[Node]) -> Iterator[Node]:
    """The rows, and those of the bodies of the loops among them."""
    for row in rows:
        yield row
        if row.is_loop:
            yield from with_bodies(row.attr.rows())
