"""What names mean while a model text is read: dimensions, arrays, families ``h[0], h[1] …``, loop counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.shapes import dim
from symbackprop.errors import ModelError, NameProblem, did_you_mean
from symbackprop.model.model import Model
from symbackprop.model.text import tree
from symbackprop.model.text.calls import callee, function_names
from symbackprop.model.text.evaluate import evaluate
from symbackprop.model.text.numbers import short, whole

PI = "pi"


class ModelScope:
    """The names of a model. Loop bodies put their own scope on top of it."""

    def __init__(self, model: Model) -> None:
        self.model, self.graph = model, model.graph
        self.counters: dict[str, int] = {}
        self.locals: list[dict[str, str]] = []
        self.families: dict[str, dict[int, str]] = {}
        self.late: dict[str, Callable[[], Node]] = {}
        self.defined_later: Callable[[str], str] = lambda name: ""

    def name(self, name: str) -> Node | sp.Expr:
        for scope in reversed(self.locals):
            if name in scope:
                return self.graph.names[scope[name]]
        if name in self.counters:
            return sp.Integer(self.counters[name])
        if name in self.graph.names:
            return self.graph.names[name]
        if name in self.model.sizes:
            return dim(name)
        if name in self.late:
            return self.late[name]()
        if name == PI:
            return sp.pi
        raise NameProblem(self._unknown(name))

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        """``h[2]`` of the family h."""
        family = self.families.get(name)
        if family is None or len(items) != 1 or isinstance(items[0], tree.Slice):
            return None
        value = evaluate(items[0], self)
        if isinstance(value, sp.Integer) and int(value) in family:
            return self.graph.names[family[int(value)]]
        if name in self.graph.names or name in self.late:
            return None
        raise NameProblem(f"there is no {name}[{short(value)}]; there is {self._members(name)}")

    def offset(self, item: tree.Expr) -> int:
        """1 where a loop counter is part of an index into an array: counters count from 1."""
        return int(any(name in self.counters for name in mentioned(item)))

    # -- families
    def spelled(self, target: tree.Target) -> str:
        """The Python spelling of a target: ``h[0]`` is ``h0``."""
        if target.index is None:
            return target.name
        return self.register(target.name, self.index_of(target.index, target.name))

    def index_of(self, index: tree.Expr, name: str) -> int:
        value = whole(evaluate(index, self), f"the index of {name}[…] on the left of a definition")
        if value < 0:
            raise NameProblem(f"{name}[{value}]: an index of a name cannot be negative")
        return value

    def register(self, base: str, index: int) -> str:
        """Make ``base[index]`` a name."""
        if base in self.graph.names or base in self.model.sizes:
            raise NameProblem(f"{base}[{index}] cannot be a name of its own: {base} is declared already")
        spelled = f"{base}{index}"
        if spelled in self.graph.names or spelled in self.model.sizes:
            raise NameProblem(f"{base}[{index}] is spelled {spelled} in Python, and {spelled} is already taken")
        self.families.setdefault(base, {})[index] = spelled
        return spelled

    def _members(self, name: str) -> str:
        known = sorted(self.families[name])
        listed = ", ".join(f"{name}[{k}]" for k in known[:4])
        return listed + (f" … {name}[{known[-1]}]" if len(known) > 4 else "")

    # -- what went wrong
    def _unknown(self, name: str) -> str:
        shown = name if len(name) <= 40 else name[:40] + "…"
        if name in self.families:
            return f"{shown} is a family of names: write {self._members(name)}"
        later = self.defined_later(name)
        if later:
            return later
        if callee(name) is not None:
            return f"{shown} is a function: write {shown}(…)"
        known = [*self.graph.names, *self.model.sizes, *self.late, *self.families]
        return f"{shown!r} is not declared.{did_you_mean(shown, known) or did_you_mean(shown, function_names())}"


def mentioned(expr: object) -> Iterator[str]:
    """The names that occur in an expression."""
    stack = [expr]
    while stack:
        item = stack.pop()
        if isinstance(item, tree.Name):
            yield item.name
        elif isinstance(item, tuple):
            stack.extend(item)
        elif is_dataclass(item):
            stack.extend(getattr(item, f.name) for f in fields(item))


MAX_DIM = 2**31 - 1
MAX_RANK = 16


def size_of(expr: tree.Expr, scope: ModelScope) -> sp.Expr:
    """A size: a positive whole number or an expression in dimensions."""
    for name in mentioned(expr):
        if name not in scope.model.sizes and name not in scope.counters:
            raise NameProblem(_not_a_dimension(name, scope))
    value = evaluate(expr, scope)
    if not isinstance(value, sp.Expr) or (value.is_integer is False and not value.free_symbols):
        raise ModelError(f"a size is a whole number or made of dimensions, not {short(value)}")
    if value.is_positive is False:
        raise ModelError(f"a size has to be positive, not {short(value)}")
    if value.is_Integer and value > MAX_DIM:
        raise ModelError(f"the size {short(value)} is larger than {MAX_DIM}")
    return value


def _not_a_dimension(name: str, scope: ModelScope) -> str:
    if name in scope.graph.names:
        return f"{name!r} is an array, not a dimension"
    hint = did_you_mean(name[:40], scope.model.sizes)
    return f"the dimension {name[:40]!r} is not declared; write `dim {name[:40]}` above.{hint}"
