"""The row table as the passes see it: arguments with substitutions made, order, and how often a row is written out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache

from symbackprop.codegen.passes.hoist import hoisted_products
from symbackprop.codegen.passes.onehot import Split, split_one_hot
from symbackprop.codegen.passes.states import States, moved, states_before
from symbackprop.core import formula as f
from symbackprop.core.facts import kind
from symbackprop.core.graph import Node, arguments_first
from symbackprop.core.pattern import Pattern

UNROLLED_POWERS = (3, 4)  # x**3 is written x * x * x, which is far cheaper than a general power


class Rows:
    """Reads rows of a graph.

    With ``optimise`` a formula over a one-hot array is computed without that array (see `passes.onehot`), and products
    are taken out of loops (see `passes.hoist`). Rows in ``given`` come from outside of the block that is built, such as
    the elements of a loop's sequences: nobody looks into how they were computed elsewhere.
    """

    def __init__(self, optimise: bool = False, given: Collection[int] = ()) -> None:
        self.given = frozenset(given)
        self._splits: dict[int, Split | None] = {}
        self._states: dict[int, States | None] = {}
        self._hoisted: dict[int, tuple[tuple[Node, Node], ...]] = {}
        self.optimise = optimise

    def within(self, given: Collection[int]) -> Rows:
        """The same rows as seen in a block that is given some of them."""
        return Rows(self.optimise, given)

    def split(self, row: Node) -> Split | None:
        """How a row is computed without its one-hot argument."""
        if not self.optimise:
            return None
        if row.id not in self._splits:
            self._splits[row.id] = split_one_hot(row, self.given)
        return self._splits[row.id]

    def states(self, row: Node) -> States | None:
        """Whether a row comes with a loop as the stack of its states before each step."""
        if row.id not in self._states:
            found = states_before(row)
            self._states[row.id] = None if found is None or found.after.id in self.given else found
        return self._states[row.id]

    def hoisted(self, scan: Node) -> tuple[tuple[Node, Node], ...]:
        """Products in the body of a loop that are computed before it, and the rows that hold them for all steps."""
        if scan.id not in self._hoisted:
            self._hoisted[scan.id] = tuple(hoisted_products(scan)) if self.optimise else ()
        return self._hoisted[scan.id]

    def args(self, row: Node) -> tuple[Node, ...]:
        """What the computation of a row reads directly."""
        if row.op.name == "scan":
            return (*row.args, *[outer for _, outer in self.hoisted(row)])
        if row.op.name == "concat":
            if (states := self.states(row)) is not None:
                return (states.after,)
            return row.args if (shifted := moved(row)) is None else shifted.parts
        split = self.split(row)
        return row.args if split is None else split.reads

    def order(self, roots: Iterable[Node], known: Collection[int] = ()) -> list[Node]:
        """Everything that the roots need and that is not known, arguments first."""
        return arguments_first(list(roots), self.args, known)

    def occurrences(self, row: Node) -> dict[int, int]:
        """How often each argument is written in the code of a row."""
        if row.op.name in ("scan", "concat") or self.split(row) is not None:
            return dict.fromkeys((a.id for a in self.args(row)), 2)
        counts = dict.fromkeys((a.id for a in row.args), 0)
        if row.op.name == "elementwise":
            for index, n in argument_counts(row.attr.form).items():
                counts[row.args[index].id] += n
        else:
            for a in row.args:
                counts[a.id] += 1
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
            stack.extend((c, times) for c in f.children(item))
    return counts


def unrolled(form: f.Pow) -> bool:
    """Whether a power is written as a product."""
    return isinstance(form.exponent, f.Num) and form.exponent.value in UNROLLED_POWERS


def is_transpose(row: Node) -> bool:
    """An einsum of one operand that only permutes its axes."""
    return isinstance(row.attr, Pattern) and row.attr.is_transpose


def is_alias(row: Node) -> bool:
    """A second name for a row."""
    return row.op.name == "elementwise" and isinstance(row.attr.form, f.Arg)


def is_view(row: Node) -> bool:
    """Rows that move entries without arithmetic and may share memory with their argument."""
    entries = kind(row)
    return (entries.views and not entries.indices and row.value is None) or row.op.name == "out" or is_alias(row)


def base(row: Node) -> Node:
    """The row whose memory a row may share."""
    *_, owner = sharing(row)
    return owner


def sharing(row: Node) -> Iterator[Node]:
    """The row, and the rows whose memory it may share, one after the other."""
    yield row
    while (is_view(row) and row.op.name != "out") or row.op.name == "fold":
        row = row.args[0]
        yield row
