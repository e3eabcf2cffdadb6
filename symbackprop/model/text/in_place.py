"""What Python changes in place under two names: behind ``z = w`` the line ``z *= 2`` changes w too in PyTorch, and in
NumPy where it is an array. Here it gives z another value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TypeAlias

from symbackprop.model.text import tree
from symbackprop.model.text.expressions import FORWARD

Part: TypeAlias = tuple[int, tuple[tree.Expr, ...]]  # which numbers, and the entries of them; none are all
_VIEWS = """
    reshape view ravel transpose permute swapaxes swapdims squeeze unsqueeze expand_dims moveaxis diagonal broadcast_to
    expand expand_as view_as narrow split chunk unbind detach stop_gradient contiguous to type type_as float double cpu
    cuda numpy asarray asanyarray as_tensor from_numpy atleast_1d atleast_2d t data mT
"""
_SHARED = frozenset(_VIEWS.split())  # what has the numbers that it is given
_JAX = re.compile(r"\bjnp\.|^[ \t]*(?:import|from) jax\b", re.MULTILINE)
_OPTION = "inplace"
_PLACES = (tree.Number, tree.Negative, tree.Name, tree.Slice, tree.Word)  # an index of arrays copies
_SAID = "{0} keeps its value here: PyTorch changes it{1}, and so does NumPy where it is an array{2}"


def told(statements: Sequence[tree.Statement], text: str) -> Iterator[tree.Said]:
    """What is told of lines that change what is read under another name below; nothing of arrays of JAX's, which are
    not changed."""
    if _JAX.search(text):
        return
    if _OPTION in text or any(e.changes for e in tree.equations(statements)):
        yield from {(said.line, said.text): said for said in _Memory().block(statements)}.values()


def changed_parameters(body: Sequence[tree.Equation], parameters: Mapping[str, object]) -> set[str]:
    """The parameters of a function whose numbers its lines change."""
    memory = _Memory()
    given = {name: memory.fresh() for name in parameters}
    memory.held |= given
    for e in body:
        for _ in memory.equation(e):
            pass
    return {name for name, parts in given.items() if any(_overlap(parts, other) for other in memory.changed)}


def names_of(expr: tree.Expr) -> tuple[str, ...]:
    """The name whose numbers an expression has, if it has those of one."""
    while not isinstance(expr, tree.Name):
        base = _base(expr)
        if base is None:
            return ()
        expr = base
    return (expr.name,)


class _Memory:
    """Which numbers names have, line by line as Python goes through them."""

    def __init__(self) -> None:
        self.number = count()
        self.held: dict[str, set[Part]] = {}
        self.changed: list[set[Part]] = []
        self.stale: dict[str, tuple[int, str, str]] = {}  # what Python has changed: where, with what, and what to write
        self.layers = set[str]()  # that change what they are given
        self.arrays = set[str]()

    def fresh(self) -> set[Part]:
        return {(next(self.number), ())}

    def block(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Said]:
        for s in statements:
            if isinstance(s, tree.Equation):
                yield from self.equation(s)
            elif isinstance(s, tree.Arrays):
                self.arrays |= {item.target.name for item in s.items}
            elif isinstance(s, tree.For):
                for _ in range(2):  # what a step changes, the next one reads
                    yield from self.block(s.body)

    def equation(self, e: tree.Equation) -> Iterator[tree.Said]:
        """What a line reads that was changed, then what it changes itself."""
        for name in self.stale.keys() & {*tree.mentioned(e.value)}:
            line, other, instead = self.stale.pop(name)
            shared = f" with {other}, which shares its numbers" if other != name else ""
            yield tree.Said(line, _SAID.format(name, shared, instead))
        name = e.target.name
        for other in (*e.changes, *self._changed_by(e.value)):
            self._change(other, e)
        if name in e.changes:
            return
        parts = self.parts(e.value)
        self.held[name] = parts if e.target.index is None else self.held.get(name, set()) | parts
        self.arrays.add(name)
        if e.target.index is None:
            self.stale.pop(name, None)
            self.layers |= {name} if _is_in_place(e.value) else set()

    def _change(self, name: str, e: tree.Equation) -> None:
        parts = self.held.setdefault(name, self.fresh())
        self.changed.append(parts)
        own = name == e.target.name
        sign = e.value.rest[0][0] if own and isinstance(e.value, tree.Chain) else ""
        told = (e.line, name, f": {name} = {name} {sign} … leaves it there too" if sign else "")
        for other, theirs in self.held.items():
            if not (own and other == name) and _overlap(theirs, parts):
                self.stale.setdefault(other, told)

    def parts(self, expr: tree.Expr) -> set[Part]:
        """The numbers that an expression has: those of a name, all or some of its entries, or new ones."""
        if isinstance(expr, tree.Name):
            return self.held.setdefault(expr.name, self.fresh())
        base = _base(expr) or next(iter(self._given(expr)), None)
        if base is None or (isinstance(expr, tree.Index) and not self.arrays.isdisjoint(
                item.name for item in expr.items if isinstance(item, tree.Name))):
            return self.fresh()
        items = expr.items if isinstance(expr, tree.Index) else ()
        return {(root, known or items) for root, known in self.parts(base)}

    def _changed_by(self, expr: tree.Expr) -> Iterator[str]:
        """The names whose numbers an expression changes, as relu(h, inplace=True)."""
        for part in tree.all_parts(expr):
            for given in self._given(part):
                yield from names_of(given)

    def _given(self, expr: tree.Expr) -> Sequence[tree.Expr]:
        """What a call changes that changes what it is given."""
        match expr:
            case tree.Member(made, name, tuple() as args):
                of_layer = name in self.layers or (name == FORWARD and _is_in_place(made))
            case tree.Call(name, args):
                of_layer = name in self.layers
            case _:
                return ()
        return args[:1] if of_layer or _is_in_place(expr) else ()


def _base(expr: tree.Expr) -> tree.Expr | None:
    """What an expression has the numbers of; None where these are new."""
    match expr:
        case tree.Transpose(base):
            return base
        case tree.Index(base, items) if all(isinstance(item, _PLACES) for item in items):
            return base
        case tree.Call(name, (base, *_)) if name in _SHARED:
            return base
        case tree.Member(base, name, args) if name in _SHARED:
            of_library = isinstance(base, tree.Name) and base.name in ("np", "numpy", "torch")
            return (args[0] if args else None) if of_library else base
    return None


def _is_in_place(expr: tree.Expr) -> bool:
    return isinstance(expr, (tree.Call, tree.Member)) and dict(expr.options).get(_OPTION) == tree.Word(True)


def _overlap(some: set[Part], others: set[Part]) -> bool:
    """Whether two have numbers in common, as far as can be known."""
    return any(a == b and not _apart(own, other) for a, own in some for b, other in others)


def _apart(items: Sequence[tree.Expr], others: Sequence[tree.Expr]) -> bool:
    """Whether indices are of different entries: other numbers, or where one slice ends the other begins."""
    return any((isinstance(a, tree.Number) and isinstance(b, tree.Number) and a != b)
               or (isinstance(a, tree.Slice) and isinstance(b, tree.Slice)
                   and (_ends(a, b) or _ends(b, a))) for a, b in zip(items, others, strict=False))


def _ends(first: tree.Slice, then: tree.Slice) -> bool:
    return first.stop is not None and first.stop == then.start
