"""Rows as they are emitted: what is computed in another way than it says, in what order, how often each is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from symbackprop.codegen.stacked import Stacked
from symbackprop.core import formula as f
from symbackprop.core.facts import (
    copies_of,
    has_new_axes,
    is_folded,
    is_joined,
    is_largest,
    is_part,
    is_reshaped,
    is_shift,
    is_sum,
    is_view,
    one_hot_index,
)
from symbackprop.core.graph import Node, arguments_first
from symbackprop.core.loops import Loop
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.shapes import ONE, Shape, is_one, same, same_shape

if TYPE_CHECKING:
    from symbackprop.codegen.checkpoints import Checkpointed

UNROLLED_POWERS = (3, 4)  # x**3 is written x * x * x, which is far cheaper than a general power


class Rows:
    """Reads rows of a graph.

    With ``optimise`` products are taken out of loops (`hoisted_products`), and with ``marks`` too a formula over a
    one-hot array is computed without that array (`split_one_hot`), with ``slices`` the gradient of a maximum over short
    axes without the array of its ties (`to_largest`). Rows in ``given`` come from outside of the block
    that is built, such as the elements of a loop's sequences: nobody looks into how they were computed elsewhere.
    Loops in ``saved`` keep checkpoints; those in ``again`` go back in segments whose steps they compute again first,
    and come with the stacks of these.
    """

    def __init__(self, optimise: bool = False, marks: bool = False, given: Collection[int] = (),
                 slices: bool = False, saved: Iterable[Checkpointed] = (), again: Iterable[Checkpointed] = ()
                 ) -> None:
        self.given = frozenset(given)
        self.tied = frozenset[int]()  # ties that the block computes, because some other row reads them
        self.idle = frozenset[tuple[int, int]]()  # arguments of loops that no result needs which the block reads
        self.saved = {plan.scan.id: plan for plan in saved}
        self.again = {row.id: plan for plan in again for row in (plan.reverse, *plan.again)}
        self._splits: dict[int, Split | None] = {}
        self._states: dict[int, States | None] = {}
        self._stacked: dict[int, Stacked] = {}
        self.asked: Mapping[int, frozenset[int]] = {}
        self.optimise, self.marks, self.slices = optimise, marks, slices

    def like(self, saved: Iterable[Checkpointed] = (), again: Iterable[Checkpointed] = (), given: Collection[int] = ()
             ) -> Rows:
        """The same rows with other checkpoints; what is computed outside of loops is the same."""
        other = Rows(self.optimise, self.marks, given, self.slices, saved, again)
        other.asked, other._stacked = self.asked, self._stacked
        return other

    def within(self, given: Collection[int]) -> Rows:
        """The same rows as seen in a block that is given some of them."""
        found = self.like(given=given)
        found.saved, found.again = self.saved, self.again
        return found

    def split(self, row: Node) -> Split | None:
        """How a row is computed without its one-hot argument."""
        if not (self.optimise and self.marks):
            return None
        if row.id not in self._splits:
            self._splits[row.id] = split_one_hot(row, self.given)
        return self._splits[row.id]

    def to_largest(self, row: Node) -> ToLargest | None:
        """Whether a row is computed slice by slice, as the gradient of a maximum."""
        found = to_largest(row) if self.optimise and self.slices else None
        return None if found is None or (self.given | self.tied).intersection(found.ties) else found

    def states(self, row: Node) -> States | None:
        """Whether a row comes with a loop as the stack of its states before each step."""
        if row.id not in self._states:
            found = states_before(row)
            self._states[row.id] = None if found is None or found.after.id in self.given else found
        return self._states[row.id]

    def stacked(self, scan: Node) -> Stacked:
        """What of a loop is computed for all steps at once."""
        if scan.id not in self._stacked:
            self._stacked[scan.id] = Stacked(scan, self.asked.get(scan.id, ()))
        return self._stacked[scan.id]

    def hoisted(self, scan: Node) -> tuple[tuple[Node, Node], ...]:
        """Rows in the body of a loop that are computed before it, and the rows that hold them for all steps."""
        return tuple(self.stacked(scan).before()) if self.optimise else ()

    def apart(self, row: Node) -> Node | None:
        """How a stack of a loop is computed outside of it, for all steps at once."""
        wanted = row.is_result and self.optimise and row.id not in self.given and row.args[0].id in self.asked
        return self.stacked(row.args[0]).apart(row.attr) if wanted else None

    def args(self, row: Node) -> tuple[Node, ...]:
        """What the computation of a row reads directly."""
        plan = self.again.get(row.id)
        if plan is not None and not row.is_loop:
            return (plan.reverse,)
        if (apart := self.apart(row)) is not None:
            return (apart,)
        if row.is_loop:
            needed = tuple([a for k, a in enumerate(row.args) if (row.id, k) not in self.idle])
            own = needed if plan is None else (*plan.reads(), *[outer for _, outer in self.hoisted(plan.scan)])
            return (*own, *[outer for _, outer in self.hoisted(row)])
        if (source := copies_of(row)) is not None:
            return source[:1]
        if is_joined(row):
            if (states := self.states(row)) is not None:
                return (states.after,)
            return row.args if (shifted := moved(row)) is None else shifted.parts
        if (largest := self.to_largest(row)) is not None:
            return largest.reads
        split = self.split(row)
        return row.args if split is None else split.reads

    def order(self, roots: Iterable[Node], known: Collection[int] = ()) -> list[Node]:
        """Everything that the roots need and that is not known, arguments first."""
        return arguments_first(list(roots), self.args, known)

    def narrowed(self, roots: Sequence[Node], known: Collection[int]) -> list[Node]:
        """`order` where a loop reads, from here on, no more than those of its results need that are read."""
        order = self.order(roots, known)
        while (idle := frozenset(_idle(order))) != self.idle:
            self.idle = idle
            order = self.order(roots, known)
        return order

    def settled(self, roots: Iterable[Node], known: Collection[int] = ()) -> list[Node]:
        """`order` of a block: ties of a maximum that some other row reads, as its second derivative does, are there for
        the gradient of the maximum as well."""
        roots = list(roots)
        order = self.narrowed(roots, known)
        ties = {id_ for row in order if (found := self.to_largest(row)) is not None for id_ in found.ties}
        self.tied = frozenset(ties.intersection([row.id for row in order]))
        return self.order(roots, known) if self.tied else order

    def occurrences(self, row: Node) -> dict[int, int]:
        """How often each argument is written in the code of a row."""
        own = row.id in self.again or self.split(row) is not None or self.to_largest(row) is not None
        if row.is_loop or is_joined(row) or own:
            return dict.fromkeys((a.id for a in self.args(row)), 2)
        counts = dict.fromkeys((a.id for a in self.args(row)), 0)
        if row.form is not None:
            for index, n in argument_counts(row.attr.form).items():
                counts[row.args[index].id] += n
        else:
            for a in self.args(row):
                counts[a.id] = counts.get(a.id, 0) + 1
        return counts

    def uses(self, order: Iterable[Node], roots: Iterable[Node]) -> dict[int, int]:
        """How often each row is written in the code of the rows in ``order``; being a result counts as two."""
        counts: dict[int, int] = {}
        for row in order:
            for argument, n in self.occurrences(row).items():
                counts[argument] = counts.get(argument, 0) + n
        for root in roots:
            counts[root.id] = counts.get(root.id, 0) + 2
        return counts


def _idle(order: Iterable[Node]) -> Iterator[tuple[int, int]]:
    """The arguments of loops, by their number, that only results need which are not in ``order``."""
    order = list(order)
    read = {(row.args[0].id, row.attr) for row in order if row.is_result}
    for scan in [row for row in order if row.is_loop]:
        loop: Loop = scan.attr
        roots = [row for k, row in enumerate(loop.results()) if k < len(loop.carry) or (scan.id, k) in read]
        needed = {row.id for row in loop.needed(roots)}
        places = range(len(loop.carry), len(scan.args))
        yield from [(scan.id, k) for k in places if loop.leaves()[k].id not in needed]


@cache
def argument_counts(form: f.Formula) -> dict[int, int]:
    """How often each argument stands in the code of a formula."""
    counts: dict[int, int] = {}
    stack: list[tuple[f.Formula, int]] = [(form, 1)]
    while stack:
        item, times = stack.pop()
        if isinstance(item, f.Arg):
            counts[item.index] = counts.get(item.index, 0) + times
        elif isinstance(item, f.Pow) and unrolled(item):
            stack.append((item.base, 2))
        else:
            stack.extend((c, times) for c in item.children)
    return counts


def unrolled(form: f.Pow) -> bool:
    """Whether a power is written as a product."""
    return isinstance(form.exponent, f.Num) and form.exponent.value in UNROLLED_POWERS


def is_transpose(row: Node) -> bool:
    """An einsum of one operand that only permutes its axes."""
    return isinstance(row.attr, Pattern) and row.attr.is_transpose


def base(row: Node) -> Node:
    """The row whose memory a row may share."""
    *_, owner = sharing(row)
    return owner


def sharing(row: Node) -> Iterator[Node]:
    """The row, and the rows whose memory it may share, one after the other."""
    yield row
    while ((is_view(row) and not row.is_result) or is_folded(row)) and copies_of(row) is None:
        row = row.args[0]
        yield row


def given_back(form: f.Formula | None) -> int | None:
    """The number of the argument that what computes a formula may be itself, as where_selected(a, s) is a where a is
    finite."""
    if isinstance(form, f.Call) and form.role in (Role.NOUGHT, Role.SELECTED):
        return given_back(form.args[0])
    return form.index if isinstance(form, f.Arg) else None


# -- the states of a loop: those before each step share one array with those after it


class States(NamedTuple):
    """A row that holds the states before each step: the loop, which carry it is, and the stack of states after."""

    scan: Node
    carry: int
    after: Node


def states_before(row: Node) -> States | None:
    """What a row is when it is concat(initial state, states without the last) over time; else None."""
    if not is_joined(row) or row.attr != 0 or len(row.args) != 2 or row.name is not None:
        return None
    first, rest = row.args
    if not is_part(rest) or not rest.args[0].is_result:
        return None
    after = rest.args[0]
    scan = after.args[0]
    loop: Loop = scan.attr
    whole = rest.attr[0] == 0 and rest.attr[1] == 0 and rest.attr[3] == 1 and same(row.shape[0], loop.length)
    number = after.attr - len(loop.carry)
    if loop.reverse or number < 0 or not whole:
        return None
    for carry, (carried, initial) in enumerate(zip(loop.carried, scan.args, strict=False)):
        if _leads(first, initial) and carried is loop.stacked[number] and after.kind == loop.carry[carry].kind:
            return States(scan, carry, after)
    return None


def _leads(first: Node, initial: Node) -> bool:
    """Whether a row is a state, with an axis for time in front."""
    known = first.value is not None and first.value == initial.value
    moved = is_reshaped(first) and first.args[0] is initial
    return (known or moved) and same_shape(first.shape, (ONE, *initial.shape))


class Moved(NamedTuple):
    """A row that holds the states of a loop moved by one step, perhaps not for the first time: its ``parts`` are one
    state and the whole stack, in the order in which they are joined; the ``last`` entry then goes, or the first."""

    parts: tuple[Node, Node]
    last: bool


def moved(row: Node) -> Moved | None:
    """What a row is when it is concat(state, h[:-1]) or concat(h[1:], state), which a loop of no step would leave with
    one state too many; else None."""
    if not is_joined(row) or row.attr != 0 or len(row.args) != 2:
        return None
    for last, (state, rest) in ((True, row.args), (False, row.args[::-1])):
        if is_part(rest) and rest.name is None and is_one(state.shape[0]):
            axis, start, length, step = rest.attr
            whole = rest.args[0]
            by_one = (axis, start, step) == (0, 1 - last, 1) and same(length + 1, whole.shape[0])
            if by_one and (whole.is_result or moved(whole) is not None):
                return Moved((state, whole) if last else (whole, state), last)
    return None


# -- -O1: forward's logsumexp and backward's softmax of the same array come from the same exponentials


def softmax_key(row: Node) -> tuple[int, int] | None:
    """(argument, axis) of a softmax, or of what goes with one along one axis: its logarithm, a logsumexp, the shift, a
    logsumexp of shifted entries."""
    if row.op.distribution:
        return row.args[0].id, row.attr
    if row.op.logarithm and len(row.attr[0]) == 1:
        return row.args[0].id, row.attr[0][0]
    if _is_log_of_shares(row):
        return softmax_key(row.args[2])
    return (row.args[0].id, row.attr[0]) if is_shift(row) and len(row.attr) == 1 else None


def _is_log_of_shares(row: Node) -> bool:
    """Whether a row is log softmax(z) = z − s − log Σe^(z − s), s being the shift of z."""
    if row.form != _LESS_BOTH:
        return False
    z, top, total = row.args
    return is_shift(top) and top.args == (z,) and total.op.logarithm and total.args == (z, top) and total.ndim == z.ndim


def softmax_groups(order: Iterable[Node], roots: Iterable[Node]) -> dict[int, tuple[Node, ...]]:
    """By the ids of all of them, what is computed from the same exponentials: (softmax, its logarithm), (softmax,
    logsumexp), or (softmax, shift, logsumexp of shifted entries)."""
    order, found = list(order), dict[tuple[int, int], dict[str, Node]]()
    for row in order:
        key = softmax_key(row)
        if key is not None:
            found.setdefault(key, {}).setdefault(_part(row), row)
    reads = Counter([*[a.id for row in order for a in row.args], *[row.id for row in roots]])
    for p in found.values():
        if "log of shares" in p and not (p.keys() >= {"top", "total below top"} and _only_for_log(p, reads)):
            del p["log of shares"]
    fitting = [(p, [parts for parts in _TOGETHER if p.keys() >= {*parts}]) for p in found.values()]
    groups = [tuple([p[part] for part in parts[0]]) for p, parts in fitting if parts]
    return {row.id: group for group in groups for row in group}


def inside_logs(groups: Mapping[int, tuple[Node, ...]]) -> set[int]:
    """What no line computes: shifts, and logsumexps of what is below, that only logarithms beside a softmax read."""
    return {a.id for group in groups.values() for log in group[1:] if _is_log_of_shares(log) for a in log.args[1:]}


def _only_for_log(parts: Mapping[str, Node], reads: Mapping[int, int]) -> bool:
    """Whether nothing but the logarithm of a softmax reads the shift, itself and in the logsumexp, and that."""
    return reads[parts["top"].id] == 2 and reads[parts["total below top"].id] == 1


def _part(row: Node) -> str:
    """Which one of those a row is."""
    if row.op.distribution:
        return "shares"
    if row.form is not None:
        return "log of shares"
    return "top" if is_shift(row) else "total" if len(row.args) == 1 else "total below top"


_LESS_BOTH = f.Arg(0) - f.Arg(1) - f.Arg(2)
_TOGETHER = ("shares", "log of shares"), ("shares", "top", "total below top"), ("shares", "total")


# -- -O1: the gradient of a maximum over short axes, slice by slice

MAX_SHORT = 16  # entries of a window that is reduced slice by slice


def are_short(shape: Shape, axes: Collection[int]) -> bool:
    """Whether axes hold so few entries that these are better taken one by one: long runs of memory at a time."""
    sizes = [shape[k] for k in axes]
    short = all(d.is_Integer and d > 1 for d in sizes) and prod(map(int, sizes)) <= MAX_SHORT
    return short and len(shape) - 1 not in axes and len(axes) > 1


class ToLargest(NamedTuple):
    """g·1[a = m]/Σ 1[a = m] for m = max a over ``axes``: each entry that is as large as the largest gets an equal part
    of g. ``reads`` are g, a and m; ``ties`` are the rows of 1[a = m] and of its sum, by id."""

    reads: tuple[Node, ...]
    axes: tuple[int, ...]
    ties: tuple[int, int]


def to_largest(row: Node) -> ToLargest | None:
    """What a row is of a maximum over short axes; None for other rows."""
    match row.form:
        case f.Div(f.Mul((f.Arg(g), f.Arg(hits))), f.Arg(count)):
            upstream, ties, total = (row.args[k] for k in (g, hits, count))
        case _:
            return None
    if ties.role is not Role.EQUALITY or not is_sum(total) or total.args[0] is not ties or ties.name or total.name:
        return None
    a, top = ties.args
    axes, keepdims = total.attr
    largest = top.args[0] if has_new_axes(top) else top
    if not keepdims or not is_largest(largest) or largest.args[0] is not a or largest.attr[0] != axes:
        return None
    given = [r.args[0] for r in (upstream, top) if has_new_axes(r) and same_shape(r.args[0].shape, largest.shape)]
    if len(given) < 2 or not are_short(a.shape, axes) or not same_shape(row.shape, a.shape):
        return None
    return ToLargest((given[0], a, given[1]), axes, (ties.id, total.id))


# -- -O1: (softmax(Z) − onehot(y))/N without forming the one-hot array: one pass, and one entry a row mended


class Split(NamedTuple):
    """An elementwise formula over a one-hot argument, split: its value where that is 0, and where it is 1.

    ``at`` is the index that says where it is 1; ``reads`` are the other arguments and the index array.
    """

    base: f.Formula
    hit: f.Formula
    at: Node
    reads: tuple[Node, ...]


def split_one_hot(row: Node, given: Collection[int] = ()) -> Split | None:
    """The split of a row that reads a one-hot array of its own shape; None for any other row. Arrays in ``given`` are
    there already."""
    if not row.ndim or row.arithmetic is None:
        return None
    for place, arg in enumerate(row.args):
        index = one_hot_index(arg) if arg.name is None and arg.id not in given else None
        if index is not None and same_shape(arg.shape, row.shape) and _fits(row, place):
            base, hit = (_with(row.attr.form, place, value) for value in (f.ZERO, f.ONE))
            others = tuple(a for k, a in enumerate(row.args) if k != place)
            split = Split(base, hit, index, (*others, flat_index(index)))
            return split if base != hit and _is_whole(base, row) else None
    return None


def flat_index(index: Node) -> Node:
    """The index array without its last axis of size 1, where that is a row."""
    plain = is_reshaped(index) and index.name is None and same_shape(index.args[0].shape, index.shape[:-1])
    return index.args[0] if plain else index


def _with(form: f.Formula, place: int, value: f.Num) -> f.Formula:
    return f.substitute(form, lambda leaf: value if leaf is f.Arg(place) else leaf)


def _fits(row: Node, place: int) -> bool:
    """Whether the other arguments can be read at single entries: of the row's shape, without axes, or one per row."""
    return all(
        k == place or not a.ndim or same_shape(a.shape, row.shape) or _is_column(a, row)
        for k, a in enumerate(row.args)
    )


def _is_whole(base: f.Formula, row: Node) -> bool:
    """Whether the value without the one-hot array has the row's shape: a number is filled in, a scalar is none."""
    read = [row.args[i] for i in f.arguments(base)]
    return not read or any(same_shape(a.shape, row.shape) for a in read)


def _is_column(a: Node, row: Node) -> bool:
    return row.ndim > 1 and same_shape(a.shape, (*row.shape[:-1], ONE)) and not is_one(a.shape[0])
