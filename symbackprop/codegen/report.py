"""What a module costs, told before it runs: multiplications, and memory beyond the arrays that it is given.

All is read off the program, in its dimensions; numbers come from their sizes. Variables of a function live until it
returns, as in Python: forward holds all of its arrays in the end, backward all of its own and the cache. The peak is
at the statement where these, and what it needs besides while it is computed, are most. What NumPy allocates inside of
a function, as sorting does, and copies where a transposed array is reshaped for a product, are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import sympy as sp

from symbackprop.codegen.checkpoints import steps_of
from symbackprop.codegen.program import (
    Assign,
    Block,
    For,
    Forget,
    OneHot,
    Program,
    Recompute,
    Softmax,
    Statement,
    Store,
    written,
)
from symbackprop.codegen.rows import sharing, states_before
from symbackprop.core.costs import added, in_formula, own_cost
from symbackprop.core.entry import At, Index, Letter, Place, letters
from symbackprop.core.facts import entries, is_view, kind
from symbackprop.core.graph import BOOL, FLOAT, Node, reached
from symbackprop.core.shapes import Dim, Shape, dim_text, size_of
from symbackprop.model.model import Model, nesting_told
from symbackprop.model.text.write import with_text_names

WHOLE = 8  # bytes of an integer
ROOM = 60  # characters of a formula; a longer one stands on lines of its own


@dataclass
class Account:
    """What one function costs: multiplications, the bytes of its arrays by variable, in the order in which they are
    made, and those that a statement needs besides while it is computed, after so many of them."""

    floats: int
    multiplications: sp.Expr = sp.S.Zero
    arrays: dict[str, sp.Expr] = field(default_factory=dict)
    passing: list[tuple[int, sp.Expr]] = field(default_factory=list)

    def bytes_of(self, shape: Shape, kind: str) -> sp.Expr:
        return size_of(shape) * (self.floats if kind == FLOAT else 1 if kind == BOOL else WHOLE)

    def block(self, block: Block, times: Dim = sp.S.One, again: bool = False) -> None:
        """The statements of a block that runs so many ``times``; ``again``: in a loop, where the value of the step
        before is there until the new one is."""
        for statement in block.statements:
            self.statement(statement, block, times)
            if again and not isinstance(statement, For):
                self.needs(sp.Add(*[self.arrays.get(name, sp.S.Zero) for name in written(statement)]))

    def needs(self, size: sp.Expr) -> None:
        self.passing.append((len(self.arrays), size))

    def at_most(self, about: Callable[[sp.Expr], int]) -> sp.Expr:
        """The bytes at the statement where most are there."""
        sizes = [*self.arrays.values()]
        so_far = [0, *accumulate(map(about, sizes))]
        count, besides = max(self.passing, key=lambda x: so_far[x[0]] + about(x[1]), default=(0, sp.S.Zero))
        return sp.Add(*sizes[:count], besides)

    def statement(self, item: Statement, block: Block, times: Dim) -> None:
        match item:
            case Assign(name, row, own):
                known = block.names.get(row.id)
                inside = computed(row, block) if known is not None and known.variable == name else []
                if own or (inside and not shares(row)):
                    self.arrays[name] = self.bytes_of(row.shape, row.kind)
                self.multiplications += times * added(map(own_cost, inside))
                self.needs(sp.Add(*map(self.besides, inside), *[
                    self.bytes_of(r.shape, r.kind) for r in inside if r is not row and not shares(r)]))
            case OneHot(name, row, base):
                self.multiplications += times * in_formula(base) * size_of(row.shape)
                self.arrays[name] = self.bytes_of(row.shape, row.kind)
                self.needs(sp.S.Zero)
            case Softmax(names, rows):
                self.multiplications += times * added(map(own_cost, rows))
                self.arrays |= {name: self.bytes_of(r.shape, FLOAT) for name, r in zip(names, rows, strict=True)}
                self.needs(self.bytes_of(rows[0].shape, FLOAT))
            case For():
                self.loop(item, block, times)
            case Recompute(inner):
                self.block(inner, times)
            case Forget(names):
                self.arrays |= {f"{name} forgotten": -self.arrays.get(name, sp.S.Zero) for name in names}

    def loop(self, loop: For, block: Block, times: Dim) -> None:
        for item in loop.start:
            self.statement(item, block, times)
        self.stacks(loop.stores)
        self.block(loop.body, times * loop.length, again=True)
        if loop.segments is not None and loop.segments.again is None:
            self.stacks(loop.segments.given)
        if loop.segments is not None and loop.segments.again is not None:
            self.stacks(loop.segments.again.stores)
            self.block(loop.segments.again.body, times * loop.length, again=True)

    def stacks(self, stores: Iterable[Store]) -> None:
        for store in stores:
            more = 0 if store.states is None else 1
            self.arrays[store.stack] = self.bytes_of((store.shape[0] + more, *store.shape[1:]), store.kind)

    def besides(self, row: Node) -> sp.Expr:
        """What a formula of several operations needs beside its result, and a product over windows, whose entries it
        gathers."""
        if row.form is not None:
            several = any(part.children for part in row.form.children)
            return self.bytes_of(row.shape, row.kind) if several else sp.S.Zero
        return self.floats * gathered(row)


def computed(row: Node, block: Block) -> list[Node]:
    """The rows that a statement computes: its own, and those written inside of it."""
    def inside(r: Node) -> list[Node]:
        return [a for a in r.args if a.id not in block.names and not a.is_loop]

    return list(reached([row], inside))


def shares(row: Node) -> bool:
    """Whether a row is its argument's memory seen otherwise, as are windows put back that do not overlap."""
    first, *others = sharing(row)
    return is_view(first) or (bool(others) and size_of(others[0].shape) == size_of(first.shape))


def gathered(row: Node) -> sp.Expr:
    """How many entries a product over windows has beside its result: those of the argument that is read at places that
    are no letters alone, all copied first, or, where ties say which entries meet, as many as it adds up at a time."""
    made = kind(row)
    if not made.linear or made.moved or made.added:
        return sp.S.Zero
    (term,) = entries(row, letters(row.shape))[:1]
    read = [entry.index for entry in term.entries if isinstance(entry, At)] if len(term.entries) > 1 else []
    if read and any(isinstance(i, Place) for tie in term.ties for i in tie):
        return size_of(row.shape)
    return sp.Add(*[sp.Mul(*{x: x.size for i in index for x in read_by(i)}.values())
                    for index in read if any(isinstance(i, Place) for i in index)])


def read_by(index: Index) -> list[Letter]:
    """The letters that an index is made of."""
    return [x for _, x in index.terms] if isinstance(index, Place) else [index] if isinstance(index, Letter) else []


@dataclass(frozen=True)
class Costs:
    """What a module costs: the accounts of both passes, the bytes that forward keeps for backward; ``lengths``: how
    long the segments of loops with checkpoints are."""

    program: Program
    passes: dict[str, Account]
    cache: sp.Expr
    lengths: dict[str, tuple[int, Dim]]

    @property
    def sizes(self) -> dict[str, int | None]:
        return self.program.dims

    def entries(self) -> Iterator[tuple[str, str, sp.Expr]]:
        """The key, what it is called, and how much it is, in the dimensions."""
        forward, backward = self.passes.values()
        yield "forward", "multiplications, forward", forward.multiplications
        yield "backward", "multiplications, backward", backward.multiplications
        yield "cache", "bytes kept by the cache", self.cache
        where, name, size = self.largest()
        yield "largest", f"largest array ({name}, {where}), bytes", size
        yield "peak", "peak of loss_and_grads, bytes" if self.program.loss else "peak, bytes", self.peak()

    def largest(self) -> tuple[str, str, sp.Expr]:
        found = [(where, name, size) for where, a in self.passes.items() for name, size in a.arrays.items()]
        return max(found, key=lambda x: self.about(x[2]), default=("forward", "none", sp.S.Zero))

    def peak(self) -> sp.Expr:
        """What is there at once: in forward, or in backward, beside which the cache is and the outputs of a layer."""
        forward, backward = [account.at_most(self.about) for account in self.passes.values()]
        held = () if self.program.loss else self.program.results.values()
        outputs = [self.passes["forward"].arrays.get(name, 0) for name in held if name not in self.program.kept]
        return max(forward, backward + self.cache + sp.Add(*outputs), key=self.about)

    def about(self, value: sp.Expr) -> int:
        """A value by which two are compared: sizes that nobody gave count as 32."""
        return self.number(value, {name: size or 32 for name, size in self.sizes.items()})

    def number(self, value: sp.Expr, sizes: Mapping[str, int]) -> int:
        return int(value.subs({s: self.size(s.name, sizes) for s in value.free_symbols}))

    def size(self, name: str, sizes: Mapping[str, int]) -> int:
        """A size in numbers; of the segments of a loop as the module computes it."""
        if name not in self.lengths:
            return sizes[name]
        steps, count = self.lengths[name][0], self.number(self.lengths[name][1], sizes)
        return max(min(steps, count) if steps else round(count**0.5), 1)

    def numbers(self) -> dict[str, int] | None:
        """The values in numbers, by key; None where a size is missing."""
        sizes = {name: size for name, size in self.sizes.items() if size is not None}
        return None if len(sizes) < len(self.sizes) else {k: self.number(v, sizes) for k, _, v in self.entries()}

    def symbolic(self, value: sp.Expr) -> str:
        lengths = {s: self.lengths[s.name] for s in value.free_symbols if s.name in self.lengths}
        return dim_text(sp.expand(value.subs({s: sp.sympify(k) or sp.sqrt(n) for s, (k, n) in lengths.items()})))

    def to_json(self) -> dict[str, Any]:
        p, numbers = self.program, self.numbers() or {}
        told = {"model": p.name, "level": p.level, "dtype": p.dtype, "sizes": p.dims, "checkpoints": p.checkpoints}
        costs = {key: {"formula": self.symbolic(value), "number": numbers.get(key)} for key, _, value in self.entries()}
        return told | {"largest_array": self.largest()[1]} | costs

    def text(self) -> str:
        p, numbers = self.program, self.numbers()
        sizes = ", ".join(f"{n} = {'?' if s is None else s}" for n, s in p.dims.items())
        lines = [f"{p.name}, -O{p.level}, {p.dtype}{': ' if sizes else ''}{sizes}"]
        for key, says, value in self.entries():
            lines.append(f"  {says}: {'' if numbers is None else f'{numbers[key]:,}'}".rstrip())
            if value.free_symbols:
                lines.append(f"    {self.symbolic(value)}")
        if p.checkpoints:
            lines.append(f"  {p.checkpoints}")
        if numbers is None:
            lines.append("  numbers need a size for every dimension (--dim N=4,D=3); which array is the largest was "
                         "judged with 32 for each that has none")
        return "\n".join(lines) + "\n"


def report(model: Model, *, dtype: str = "float64", level: int = 1, wrt: Iterable[str] | None = None,
           checkpoint: str | None = None) -> Costs:
    """What the module for NumPy costs that `codegen` writes with these options."""
    from symbackprop.codegen.lowering import lowered
    from symbackprop.codegen.names import named_for_code
    from symbackprop.codegen.numpy import PRINTER
    from symbackprop.codegen.planning import build_program
    from symbackprop.derive.stable import derive_stable

    model.require_definitions()
    steps = None if checkpoint is None else steps_of(checkpoint)
    with nesting_told(model):
        named = with_text_names(model)
        with named.graph.apart():
            derivation = lowered(named_for_code(derive_stable(named, wrt)), level, PRINTER.arrays.marks)
            return costs(build_program(derivation, named, "", level, dtype, PRINTER.arrays, steps=steps))


def costs(program: Program) -> Costs:
    """What a program costs."""
    floats = 4 if program.dtype == "float32" else 8
    forward, backward = Account(floats), Account(floats)
    forward.block(program.forward)
    backward.block(program.backward)
    cache = sp.Add(*kept(program, forward).values())
    return Costs(program, {"forward": forward, "backward": backward}, cache, lengths(program.forward))


def kept(program: Program, account: Account) -> dict[int, sp.Expr]:
    """The bytes of what forward hands on, by the row that the memory is of; floats that it was given cost nothing,
    integers are copied."""
    found = dict[int, sp.Expr]()
    for row in program.kept.values():
        states = states_before(row)
        *_, owner = sharing(row if states is None else states.after)
        if owner.is_declared and owner.attr.role != "checkpoint" and owner.kind == FLOAT:
            continue
        size = account.bytes_of(owner.shape, owner.kind)
        more = sp.S.Zero if states is None else account.bytes_of(owner.shape[1:], owner.kind)
        found[owner.id] = max(found.get(owner.id, size), size + more, key=lambda x: len(sp.Add.make_args(x)))
    return found


def lengths(block: Block) -> dict[str, tuple[int, Dim]]:
    """How many steps the segments of loops with checkpoints have (0: the root), of how many, by what that is called."""
    parts = [(s.segments, s.length) for s in block.statements if isinstance(s, For) and s.segments is not None]
    return {part.every: (part.steps, length) for part, length in parts}
