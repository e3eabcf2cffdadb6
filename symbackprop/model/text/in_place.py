"""What Python changes in place under two names: behind ``z = w`` the line ``z *= 2`` changes w too in PyTorch, and in
NumPy where it is an array. Here it gives z another value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeAlias

from symbackprop.core.functions.words import IDLE_METHODS
from symbackprop.model.text import tree
from symbackprop.patterns import lazy

Part: TypeAlias = tuple[int, tuple[tree.Expr, ...]]  # which numbers, and the entries of them; none are all
_VIEWS = """
    reshape view ravel transpose permute swapaxes swapdims squeeze unsqueeze expand_dims moveaxis diagonal broadcast_to
    expand expand_as view_as narrow split chunk unbind detach stop_gradient contiguous to type type_as float double cpu
    cuda numpy asarray asanyarray as_tensor from_numpy atleast_1d atleast_2d t data mT
"""
SHARED = frozenset(_VIEWS.split())  # what has the numbers that it is given
_TURNS = "flip flipud fliplr rot90"
_TURNED = frozenset(_TURNS.split())  # which PyTorch copies
_JAX = lazy(r"\bjnp\.|^[ \t]*(?:import|from) jax\b", re.MULTILINE)
_OPTION, _SEQUENTIAL, _IDLE = "inplace", "Sequential", "Identity"
_ARRANGED = (tree.Word(Ellipsis),)  # all entries, in another order
_PLACES = (tree.Number, tree.Negative, tree.Name, tree.Slice, tree.Word)  # an index of arrays copies
_TORCH = lazy(r"\btorch\b|\bnn\.|\bF\.")
_CHANGING = lazy(r"[a-z]\w*[a-z\d]_")  # add_, relu_, scatter_
_CALLED = lazy(rf"{_CHANGING.pattern}\(")
_LIBRARIES = ("np", "numpy", "torch", "F")
_SAID = "{0} is changed here{1}, in PyTorch, and in NumPy where it is an array{2}"


def with_shared(statements: Sequence[tree.Statement], text: str) -> Sequence[tree.Statement]:
    """The statements, behind those that change what is read under another name below that which has its numbers too;
    arrays of JAX's are not changed."""
    changes = _OPTION in text or _CALLED.search(text) or any(e.changes for e in tree.equations(statements))
    if _JAX.search(text) or not changes:
        return statements
    found: dict[int, dict[tree.Shared, None]] = {}
    for place, shared in _Memory(_TORCH.search(text) is not None).block(statements):
        found.setdefault(place, {})[shared] = None
    return [*_behind(statements, found)] if found else statements


def _behind(statements: Sequence[tree.Statement], found: Mapping[int, Mapping[tree.Shared, None]]
            ) -> Iterator[tree.Statement]:
    for s in statements:
        yield replace(s, body=tuple(_behind(s.body, found))) if isinstance(s, tree.For) else s
        yield from found.get(id(s), ())


def changed_parameters(body: Sequence[tree.Equation], parameters: Mapping[str, object]) -> set[str]:
    """The parameters of a function whose numbers its lines change."""
    memory = _Memory()
    given = {name: memory.fresh() for name in parameters}
    memory.held |= given
    for e in body:
        for _ in memory.equation(e):
            pass
    return {name for name, parts in given.items() if any(_overlap(parts, other) for other in memory.changed)}


def tied(body: Sequence[tree.Equation]) -> set[str]:
    """The names that share numbers which lines change."""
    memory = _Memory()
    for e in body:
        for _ in memory.equation(e):
            pass
    return {one for e in body for name in e.changes for other, parts in memory.held.items()
            if other != name and _overlap(parts, memory.held[name]) for one in (name, other)}


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

    def __init__(self, of_numbers: bool = False) -> None:
        self.number = count()
        self.of_numbers, self.depth = of_numbers, 0
        self.held: dict[str, set[Part]] = {}
        self.changed: list[set[Part]] = []
        self.stale: dict[str, tuple[int, tree.Shared]] = {}  # what Python has changed, and where
        self.layers = set[str]()  # that change what they are given
        self.several = set[str]()  # layers one behind the other, of which the first does
        self.arrays = set[str]()

    def fresh(self) -> set[Part]:
        return {(next(self.number), ())}

    def block(self, statements: Sequence[tree.Statement]) -> Iterator[tuple[int, tree.Shared]]:
        for s in statements:
            if isinstance(s, tree.Equation):
                yield from self.equation(s)
            elif isinstance(s, tree.Arrays):
                self.arrays |= {item.target.name for item in s.items}
            elif isinstance(s, tree.For):
                self.depth += 1
                for _ in range(2):  # what a step changes, the next one reads
                    yield from self.block(s.body)
                self.depth -= 1

    def equation(self, e: tree.Equation) -> Iterator[tuple[int, tree.Shared]]:
        """What a line reads that was changed, then what it changes itself."""
        for name in sorted(self.stale.keys() & {*tree.mentioned(e.value)}):
            yield self.stale.pop(name)
        name, changed = e.target.name, [*self._changed_by(e.value)]
        for other in (*e.changes, *changed):
            self._change(other, e)
        for other in dict.fromkeys(changed):
            if other not in e.changes and self._reads_beside(e.value, other):
                told = f"{other} is changed in this line, and read in it too"
                yield id(e), tree.Shared(e.line, other, tree.Name(name), told, False, self.of_numbers)
        if name in e.changes:  # on one side of a condition perhaps, while it is another array on the other
            self.held[name] = self.held[name].union(*map(self.parts, filter(names_of, _sides(e.value))))
            return
        parts = self.parts(e.value)
        self.held[name] = parts if e.target.index is None else self.held.get(name, set()) | parts
        self.arrays.add(name)
        if e.target.index is None:
            self.stale.pop(name, None)
            self.layers |= {name} if _is_in_place(e.value) else set()
            self.several |= {name} if _is_sequential(e.value) else set()

    def _change(self, name: str, e: tree.Equation) -> None:
        parts = self.held.setdefault(name, self.fresh())
        self.changed.append(parts)
        own = name == e.target.name
        sign = e.value.rest[0][0] if own and isinstance(e.value, tree.Chain) else ""
        instead = f": {name} = {name} {sign} … leaves it" if sign else ""
        of, now = name if own else e.target.name, parts if own else self.parts(e.value)
        for other, theirs in self.held.items():
            if not (own and other == name) and _overlap(theirs, parts):
                with_it = f" with {name}, which shares its numbers" if other != name else ""
                is_all = theirs == now and not self.depth
                told = _SAID.format(other, with_it, instead)
                shared = tree.Shared(e.line, other, tree.Name(of), told, is_all, self.of_numbers)
                if other not in self.stale or self.stale[other][1].is_all:  # else some of it is not known any more
                    self.stale[other] = id(e), shared

    def parts(self, expr: tree.Expr) -> set[Part]:
        """The numbers that an expression has: those of a name, all or some of its entries, or new ones."""
        if isinstance(expr, tree.Name):
            return self.held.setdefault(expr.name, self.fresh())
        if isinstance(expr, tree.Choice):
            return set[Part]().union(*map(self.parts, _sides(expr)))
        base = _base(expr) or (None if self._is_of_several(expr) else next(iter(self._given(expr)), None))
        if base is None or (isinstance(expr, tree.Index) and not self.arrays.isdisjoint(
                item.name for item in expr.items if isinstance(item, tree.Name))):
            return self.fresh()
        arranged = _base(expr) is not None and changed_by(expr) is None
        items = expr.items if isinstance(expr, tree.Index) else _ARRANGED if arranged else ()
        return {(root, known or items) for root, known in self.parts(base)}

    def _changed_by(self, expr: tree.Expr) -> Iterator[str]:
        """The names whose numbers an expression changes, as relu(h, inplace=True)."""
        for part in tree.all_parts(expr):
            for given in self._given(part):
                yield from names_of(given)

    def _reads_beside(self, expr: tree.Expr, name: str) -> bool:
        """Whether an expression reads what a part of it changes, besides in that part."""
        parts = [p for p in tree.all_parts(expr) if any(name in names_of(given) for given in self._given(p))]
        return any([*tree.mentioned(part)].count(name) < [*tree.mentioned(expr)].count(name) for part in parts[:1])

    def _is_of_several(self, expr: tree.Expr) -> bool:
        """Whether a call is of layers one behind the other, whose result is another array than the one it changes."""
        match expr:
            case tree.Member(made, name, tuple()):
                return name in self.several or (name == tree.FORWARD and _is_sequential(made))
            case tree.Call(name):
                return name in self.several
        return False

    def _given(self, expr: tree.Expr) -> Sequence[tree.Expr]:
        """What a call changes that changes what it is given."""
        changed = changed_by(expr)
        if changed is not None:
            return (changed,)
        match expr:
            case tree.Member(made, name, tuple() as args):
                of_layer = name in self.layers or (name == tree.FORWARD and _is_in_place(made))
            case tree.Call(name, args):
                of_layer = name in self.layers
            case _:
                return ()
        return args[:1] if of_layer or _is_in_place(expr) else ()


def _sides(expr: tree.Expr) -> Sequence[tree.Expr]:
    """What may be chosen by conditions; of anything else itself."""
    return [side for part in expr.args[1:] for side in _sides(part)] if isinstance(expr, tree.Choice) else [expr]


def _base(expr: tree.Expr) -> tree.Expr | None:
    """What an expression has the numbers of; None where these are new."""
    changed = changed_by(expr)
    if changed is not None:
        return changed
    match expr:
        case tree.Transpose(base):
            return base
        case tree.Index(base, items) if all(isinstance(item, _PLACES) for item in items):
            return base
        case tree.Call(name, (base, *_)) if name in SHARED:
            return base
        case tree.Member(base, name, args) if name in SHARED:
            return (args[0] if args else None) if is_library(base) else base
        case tree.Member(tree.Name("np" | "numpy"), name, (base, *_)) if name in _TURNED:
            return base
    return None


def changes_in_place(name: str) -> bool:
    """Whether a function of PyTorch's is one that changes what it is given, add_ and relu_."""
    return bool(_CHANGING.fullmatch(name)) and name not in IDLE_METHODS


def changed_by(expr: tree.Expr) -> tree.Expr | None:
    """What ``h.add_(x)`` and ``F.relu_(h)`` change, and are; None of any other expression."""
    if not isinstance(expr, tree.Member) or expr.args is None or not changes_in_place(expr.name):
        return None
    return next(iter(expr.args), None) if is_library(expr.base) else expr.base


def is_library(expr: tree.Expr) -> bool:
    return isinstance(expr, tree.Name) and expr.name in _LIBRARIES


def _is_in_place(expr: tree.Expr) -> bool:
    if not isinstance(expr, (tree.Call, tree.Member)):
        return False
    layers = [layer for layer in expr.args or () if tree.called(layer)[0] != _IDLE] if _is_sequential(expr) else []
    return dict(expr.options).get(_OPTION) == tree.Word(True) or any(map(_is_in_place, layers[:1]))


def _is_sequential(expr: tree.Expr) -> bool:
    return isinstance(expr, (tree.Call, tree.Member)) and tree.called(expr)[0].endswith(_SEQUENTIAL)


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
