"""scan and its results: a loop over the first axis of its sequences, differentiable like any other row.

Backpropagation through time: the same sweep runs on the body, its leaves as stops. Body rows that the backward body
reads become further stacks of the forward loop. The reverse loop carries the cotangents of the carried values; what
every step contributes to an invariant (a shared weight) is not added up inside it where it can be written as one
product over all steps, which is one large matrix product instead of T small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, reduce
from operator import add
from typing import Any

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_product, is_sum
from symbackprop.core.graph import FLOAT, SEVERAL, Node
from symbackprop.core.hazards import Hazards
from symbackprop.core.loops import Loop, body_leaf, forward_rows, kept_for, make_scan, stack_of
from symbackprop.core.maths import Item, Math, Num, Sym
from symbackprop.core.names import unplaced
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import Cotangents, Op, Sample, register
from symbackprop.core.reverse import sweep, totals
from symbackprop.core.selection import idle_in_loop
from symbackprop.core.settling import Settled
from symbackprop.core.shapes import Shape


class Reversal:
    """The reverse loop of one scan for given cotangents of its results."""

    def __init__(
        self, scan: Node, cotangents: dict[int, Node], wanted: Sequence[bool], idle: dict[int, Hazards]
    ) -> None:
        self.scan, self.cotangents, self.wanted, self.idle = scan, cotangents, wanted, idle
        self.graph = scan.graph
        self.loop: Loop = scan.attr
        self.n, self.m = len(self.loop.carry), len(self.loop.sequences)
        self.stacks = [i for i in sorted(cotangents) if i >= self.n]

    def run(self) -> Cotangents:
        incoming, outside = self._leaves()
        gradients, swept = self._sweep(incoming, outside)
        moving, shared = gradients[: self.n + self.m], gradients[self.n + self.m :]
        body, row = self._reverse_scan(incoming, outside, moving, shared, swept)
        totals = [self._over_all_steps(row, g, a) for g, a in zip(shared, self.loop.invariants, strict=False)]
        firsts = [self.graph.result(row, i) for i in range(self.n)]
        along = [self._along(row, g) if self.wanted[self.n + k] else None for k, g in enumerate(body)]
        return [*firsts, *along, *totals]

    def _leaves(self) -> tuple[list[Node], list[Node]]:
        """Cotangents that enter a step: carried back from the next step, and from what reads the stacks."""
        t = self.loop.index
        incoming = [body_leaf(self.graph, f"d{base(c)}_next", c.shape, "carried cotangent") for c in self.loop.carry]
        results = self.loop.results()
        outside = [
            body_leaf(self.graph, f"d{base(results[i])}[{t}]", results[i].shape, "cotangent", self.cotangents[i].kind,
                      gradient_of=results[i])
            for i in self.stacks
        ]
        return incoming, outside

    def _sweep(self, incoming: list[Node], outside: list[Node]) -> tuple[list[Node], tuple[Settled, ...]]:
        results = self.loop.results()
        outputs = [*self.loop.carried, *[results[i] for i in self.stacks]]
        targets = self.loop.leaves()
        asked = [w or i < self.n for i, w in enumerate(self.wanted)]
        wrt = [t for t, ask in zip(targets, asked, strict=False) if ask and t.kind == "float"]
        idle = idle_in_loop(self.scan, self.idle)
        swept = tuple(sweep(outputs, [*incoming, *outside], wrt, self.loop.stop, idle))
        return totals(swept, targets), swept

    def _reverse_scan(
        self, incoming: list[Node], outside: list[Node], moving: list[Node], shared: list[Node],
        swept: tuple[Settled, ...],
    ) -> tuple[list[Node], Node]:
        """The loop that runs backwards; forward rows it reads arrive as sequences."""
        back, along = moving[: self.n], moving[self.n :]
        asked = [g for k, g in enumerate(along) if self.wanted[self.n + k]]
        stacked = list({g.id: g for g in asked if not self._is_batched(g)}.values())
        shared = [*shared, *[g for g in asked if self._is_batched(g)]]
        needed = [*back, *stacked, *[n for n in self._hoisted_operands(shared) if n.id not in self.forward_rows]]
        kept = kept_for(self.scan, needed, [*incoming, *outside])
        loop = Loop(
            self.loop.length, incoming, [*outside, *kept], self.loop.invariants, back, stacked,
            not self.loop.reverse, self.loop.index, swept, self.loop, self.loop.first,
        )
        start = [self.cotangents.get(i) for i in range(self.n)]
        init = [self.graph.full(0, c.shape) if s is None else s for s, c in zip(start, self.loop.carry, strict=False)]
        sequences = [self.cotangents[i] for i in self.stacks] + [stack_of(self.scan, k) for k in kept]
        row = make_scan(self.graph, loop, [*init, *sequences, *self.scan.args[self.n + self.m :]])
        return along, row

    @cached_property
    def forward_rows(self) -> set[int]:
        return forward_rows(self.scan)

    # -- shared weights: one product over all steps
    def _hoisted_operands(self, shared: Sequence[Node]) -> list[Node]:
        """The body rows that the products over all steps need stacked."""
        found: dict[int, Node] = {}
        for g in shared:
            for term in _terms(g):
                for operand in _operands(term):
                    found.setdefault(operand.id, operand)
        return [n for n in found.values() if n.value is None and self._outer(n) is None]

    def _over_all_steps(self, row: Node, g: Node, leaf: Node) -> Node | None:
        place = self.n + self.m + next(i for i, x in enumerate(self.loop.invariants) if x is leaf)
        if not self.wanted[place]:
            return None
        if g.value is not None:
            return self.graph.full(g.value * self.loop.length, leaf.shape)
        return reduce(add, [self._summed(row, term) for term in _terms(g)])

    def _summed(self, row: Node, term: Node) -> Node:
        """Σ_t of a term of the body, outside the loop."""
        if is_product(term) and any(self._outer(a) is None for a in term.args):
            return self._product(row, term, summed=True)
        if is_sum(term):
            axes, keepdims = term.attr
            inner = build.reduce_sum(self._stacked(row, term.args[0]), (0, *[a + 1 for a in axes]))
            return build.reshape(inner, term.shape) if keepdims else inner
        return build.reduce_sum(self._stacked(row, term), 0)

    # -- sequences: a product with a shared weight is one product for all steps
    def _is_batched(self, g: Node) -> bool:
        """Whether a gradient along a sequence is a sum of products of step values with invariants."""
        return all(
            is_product(t) and 0 < sum(self._outer(a) is None for a in t.args) < len(t.args) for t in _terms(g)
        )

    def _along(self, row: Node, g: Node) -> Node:
        """The gradient of a sequence: a stack of the reverse loop, or computed from its stacks for all steps."""
        if not self._is_batched(g):
            return stack_of(row, g)
        return reduce(add, [self._product(row, term, summed=False) for term in _terms(g)])

    def _product(self, row: Node, term: Node, summed: bool) -> Node:
        """An einsum of the body for all steps at once, summed over them or stacked."""
        moving = [k for k, a in enumerate(term.args) if self._outer(a) is None]
        return build.einsum(term.attr.along(moving, summed), *[self._stacked(row, a) for a in term.args])

    def _outer(self, a: Node) -> Node | None:
        """The outer row of an invariant leaf."""
        for leaf, outer in zip(self.loop.invariants, self.scan.args[self.n + self.m :], strict=False):
            if leaf is a:
                return outer
        return None

    def _stacked(self, row: Node, a: Node) -> Node:
        """A body row over all steps: an invariant as it is, a forward row from that loop, else from the reverse one."""
        outer = self._outer(a)
        if outer is not None:
            return outer
        if a.value is not None:
            return self.graph.full(a.value, (self.loop.length, *a.shape))
        return stack_of(self.scan, a) if a.id in self.forward_rows else stack_of(row, a)


def base(node: Node) -> str:
    """What a body row is called without its time index."""
    return unplaced(node.name or node.wish or "c")


def _terms(g: Node) -> list[Node]:
    """The summands of an unnamed sum of whole rows; the row itself when it is anything else."""
    plain = isinstance(g.arithmetic, f.Add)
    if plain and all(isinstance(t, f.Arg) for t in g.attr.form.terms) and all(a.shape == g.shape for a in g.args):
        return list(g.args)
    return [g]


def _operands(term: Node) -> Sequence[Node]:
    return term.args if isinstance(term.attr, Pattern) or is_sum(term) else [term]


def _reference(np: Any, loop: Loop, *arrays: Any, evaluate: Any, length: int) -> list[Any]:
    """Step by step, in a Python loop. ``evaluate(rows, {leaf id: array})`` computes body rows."""
    n, m = len(loop.carry), len(loop.sequences)
    carry = [_of_kind(np, leaf, a) for leaf, a in zip(loop.carry, arrays, strict=False)]
    fixed = dict(zip([x.id for x in loop.invariants], arrays[n + m :], strict=False))
    stacks: list[list[Any]] = [[] for _ in loop.stacked]
    for t in reversed(range(length)) if loop.reverse else range(length):
        values = dict(zip([c.id for c in loop.carry], carry, strict=False)) | fixed
        values |= {x.id: a[t] for x, a in zip(loop.sequences, arrays[n : n + m], strict=False)}
        found = evaluate(loop.results(), values)
        carry = [_of_kind(np, leaf, a) for leaf, a in zip(loop.carry, found, strict=False)]
        for stack, value in zip(stacks, found[n:], strict=True):
            stack.append(value)
    return [*carry, *[np.stack(s[::-1] if loop.reverse else s) for s in stacks]]


def _of_kind(np: Any, leaf: Node, value: Any) -> Any:
    """What a step hands on, as numbers of the carry's kind: truth values may count, integers become floats."""
    wanted = {"float": np.float64, "int": np.int64}.get(leaf.kind)
    narrow = np.asarray(value).dtype.kind in ("biu" if leaf.kind == "float" else "b")
    return np.asarray(value).astype(wanted) if wanted is not None and narrow else value


register(Op(
    name="scan",
    signature="for t in 1..T: …",
    shape_rule="last carries as their initial values; stacks with the length in front",
    derivative="the same loop backwards: the cotangent of step t, plus the one carried from step t+1",
    domain="sequences of one length",
    infer=lambda loop, args: ((), SEVERAL),
    vjp=lambda scan, upstream, wanted, idle: Reversal(scan, upstream, wanted, idle).run(),
    no_entry="a loop has several results",
    reference=_reference,
    samples=(Sample(()),),
    loop=True,
))


def _infer_out(number: int, args: tuple[Node, ...]) -> tuple[Shape, str]:
    loop: Loop = args[0].attr
    if number < len(loop.carry):
        return loop.carry[number].shape, loop.carry[number].kind
    row = loop.results()[number]
    return (loop.length, *row.shape), FLOAT if row.value is not None else row.kind


def _show_out(node: Node, args: Sequence[Math]) -> Math:
    loop: Loop = node.args[0].attr
    name, last = Sym(base(loop.results()[node.attr])), node.attr < len(loop.carry)
    return Item(name, (Num(loop.end),)) if last else name


register(Op(
    name="out",
    signature="result k of a scan",
    shape_rule="the last carry, or the stack over time",
    derivative="goes to the loop",
    domain="as the loop",
    infer=_infer_out,
    vjp=lambda output, upstream, *_: (upstream,),
    show=_show_out,
    no_entry="an entry is what the body of the loop computes",
    reference=lambda np, number, results: results[number],
    samples=(Sample(()),),
    result=True,
))
