"""Right sides to rows, forgivingly: what can only be meant one way by its shapes is read that way, and told.

Model text is the language (`symbackprop.model.text`); on top of it vectors may be written as columns (``q x.T`` is an
outer product), a product may be of either kind where only one fits, and ``tanh'(a)`` is a derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any, Protocol

import sympy as sp

from symbackprop.core import build
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.shapes import broadcast, same
from symbackprop.errors import ModelError, ShapeError
from symbackprop.grade.functions import EXTRA
from symbackprop.grade.letters import Letters, letters_of
from symbackprop.grade.locals import activation_at, derivative_of
from symbackprop.grade.passes import PRIME, SUM
from symbackprop.grade.reference import Reference
from symbackprop.model.text import evaluate as rules
from symbackprop.model.text import tree
from symbackprop.model.text.numbers import short, whole

Value = Any
MAX_TERMS = 1_000


class Names(Protocol):
    """What names mean in an answer."""

    def name(self, name: str) -> Node | sp.Expr: ...

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None: ...

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None: ...

    def offset(self, item: tree.Expr) -> int: ...

    def counted(self, counter: str, step: int, value: Callable[[], Node]) -> Node: ...


class Formula:
    """Evaluates one right side.

    ``juxtaposed``: its products have no sign of their own, so each is of the kind that fits. Where both kinds fit, in
    ``w x`` for two vectors, bit k of ``inner`` says that the k-th such product is an inner one; ``vector_products``
    counts them.
    """

    def __init__(self, reference: Reference, names: Names, juxtaposed: bool, inner: int = 0) -> None:
        self.inner, self.vector_products = inner, 0
        self.reference, self.graph, self.names, self.juxtaposed = reference, reference.graph, names, juxtaposed
        self.notes: list[str] = []
        self.signs: dict[int, list[str]] = {}
        self.held: dict[str, Node] = {}

    def row(self, expr: tree.Expr) -> Node:
        """The row of an expression."""
        value = self.value(expr)
        if isinstance(value, (Node, sp.Expr)):
            return rules.lift(value, self.graph)
        raise ModelError(f"{short(value)} is no gradient")

    def value(self, expr: tree.Expr) -> Value:
        match expr:
            case tree.Chain():
                return self._chain(expr)
            case tree.Transpose(body):
                return self._transpose(self.value(body))
            case tree.Call(function, args, options):
                return self._call(function, args, options)
            case tree.Negative(body):
                return rules.evaluate(tree.Negative(self._hold(body)), self)
            case tree.Power(base, tree.Name("T")) if self._is_array(base):
                self.note("^T is read as a transpose")
                self.signs[id(expr)] = [".T"]
                return self._transpose(self.value(base))
            case tree.Power(base, exponent):
                return rules.evaluate(tree.Power(self._hold(base), self._hold(exponent)), self)
            case tree.Compare(sign, left, right):
                return rules.evaluate(tree.Compare(sign, self._hold(left), self._hold(right)), self)
            case tree.Index(base, items) if not isinstance(base, tree.Name):
                return rules.evaluate(tree.Index(self._hold(base), items), self)
        return rules.evaluate(expr, self)

    # -- the scope that the rules of model text ask
    def name(self, name: str) -> Node | sp.Expr:
        return self.held[name] if name in self.held else self.names.name(name)

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        return self.names.member(name, items)

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        return self.names.element(row, items)

    def offset(self, item: tree.Expr) -> int:
        return self.names.offset(item)

    def _hold(self, expr: tree.Expr) -> tree.Expr:
        """An expression that is evaluated here, as a name for the rules of model text; numbers stay what they are."""
        value = self.value(expr)
        if not isinstance(value, Node):
            return tree.Number(value) if isinstance(value, sp.Expr) else expr
        key = f"held{value.id}__"
        self.held[key] = value
        return tree.Name(key)

    def _is_array(self, expr: tree.Expr) -> bool:
        """Whether ^T behind it is a transpose although T is a name of the model: only numbers are raised to it."""
        value = self.value(expr)
        return isinstance(value, Node) and bool(value.shape)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    # -- products
    def _chain(self, expr: tree.Chain) -> Value:
        value, flipped = self.value(expr.first), self._is_flipped(expr.first)
        signs = self.signs[id(expr)] = []
        for sign, part in expr.rest:
            other = self.value(part)
            if not isinstance(value, (Node, sp.Expr)) or not isinstance(other, (Node, sp.Expr)):
                raise ModelError(f"{short(value)} {sign} {short(other)} is no formula")
            if sign in "*@":
                value, sign = self._product(sign, value, other, flipped, self._is_flipped(part))
            else:
                value = rules.binary(sign, value, other, self.graph)
            signs.append(sign)
            flipped = False
        return value

    def _product(
        self, sign: str, a: Node | sp.Expr, b: Node | sp.Expr, row_a: bool, row_b: bool
    ) -> tuple[Node | sp.Expr, str]:
        """A product, and the sign that says its kind where the shapes or the spelling decide it."""
        if not isinstance(a, Node) or not isinstance(b, Node) or not a.shape or not b.shape:
            return rules.binary("*", a, b, self.graph), "*"
        if a.ndim == b.ndim == 1 and (row_a or row_b):
            return self._vectors(a, b, row_b), "@"
        if sign == "@" and not self.juxtaposed:
            return build.matmul(a, b), sign
        fits = _inner_fits(a, b)
        if sign == "@" and fits and (a.ndim > 1 or b.ndim > 1 or self._is_inner()):
            return build.matmul(a, b), sign
        if _broadcasts(a, b) or not fits:
            return rules.binary("*", a, b, self.graph), "*"
        self.note("* is elementwise; the shapes only fit a matrix product, which is written @")
        return build.matmul(a, b), "@"

    def _is_inner(self) -> bool:
        """Whether the next product of two vectors is an inner one in this reading."""
        self.vector_products += 1
        return bool(self.inner >> (self.vector_products - 1) & 1)

    def _vectors(self, a: Node, b: Node, row_b: bool) -> Node:
        """Column times row is an outer product, row times column an inner one."""
        if row_b:
            self.note("a column times a row, q x.T, is outer(q, x)")
            return build.einsum("i,j->ij", a, b)
        return build.matmul(a, b)

    def _is_flipped(self, expr: tree.Expr) -> bool:
        """Whether an operand is written as a row: ``x.T``."""
        return isinstance(expr, tree.Transpose) or (isinstance(expr, tree.Power) and id(expr) in self.signs)

    def _transpose(self, value: Value) -> Value:
        return build.transpose(value) if isinstance(value, Node) else value

    # -- calls
    def _call(self, function: str, args: tuple[tree.Expr, ...], options: tuple[tuple[str, tree.Expr], ...]) -> Value:
        if function.endswith(PRIME):
            return self._derivative(function.removesuffix(PRIME), args)
        if letters_of(function) and not (args[1:] or letters_of(function)[0] in self.reference.loops):
            return self._over_letters(tree.Call(function, args, options))
        if function.startswith(SUM):
            return self._sum(function.removeprefix(SUM), args)
        if (
            function == "sum"
            and len(args) == 2
            and isinstance(args[1], tree.Name)
            and args[1].name in self.reference.loops
        ):
            return self._sum(args[1].name, args[:1])
        args = self._with_size(function, args)
        if function in EXTRA:
            values = [self.value(a) for a in args]
            return EXTRA[function](self.graph, function, values, {k: self.value(v) for k, v in options})
        held = tuple(a if isinstance(a, (tree.String, tree.Word, tree.Tuple)) else self._hold(a) for a in args)
        if function in ("max", "min") and len(held) == 2 and isinstance(held[1], tree.Name):
            self.note(f"{function} of two arrays is written {function}imum(a, b)")
            function += "imum"
        return rules.evaluate(tree.Call(function, held, options), self)

    def _with_size(self, function: str, args: tuple[tree.Expr, ...]) -> tuple[tree.Expr, ...]:
        """``one_hot(y)`` and ``scatter_add(g, y)`` have as many classes or rows as y counts below."""
        place = {"one_hot": 0, "scatter_add": 1}.get(function)
        if place is None or len(args) != place + 1:
            return args
        index = self.value(args[place])
        below = index.attr.below if isinstance(index, Node) and isinstance(index.attr, Leaf) else None
        return args if below is None else (*args, tree.Number(below))

    def _sum(self, counter: str, args: tuple[tree.Expr, ...]) -> Value:
        """``sum_t(a[t])`` over all steps, ``sum_t(a[t], 2, T)`` over some."""
        if not args:
            raise ModelError(f"a sum over steps is written sum_{counter}(formula)")
        values = [self.names.counted(counter, k, lambda: self.row(args[0])) for k in self._steps(counter, args[1:])]
        if not values:
            raise ModelError(f"the sum over {counter} has no terms")
        return reduce(add, values)

    def _over_letters(self, call: tree.Call) -> Node:
        """A sum over an index letter, or the array of some entries."""
        found = Letters(self).value(call)
        assert not found.letters
        return found.row

    def _steps(self, counter: str, bounds: tuple[tree.Expr, ...]) -> range:
        if len(bounds) > 2:
            raise ModelError(f"a sum over steps has two bounds: sum_{counter}(formula, first, last)")
        over = self.reference.loops.get(counter, "")
        if len(bounds) < 2 and not over.isidentifier():
            raise ModelError(f"a sum over {counter} needs its bounds: sum_{counter}(formula, first, last)")
        first = self._whole(bounds[0]) if bounds else 1
        last = self._whole(bounds[1] if len(bounds) == 2 else tree.Name(over))
        if last - first >= MAX_TERMS:
            raise ModelError(f"a sum of {last - first + 1} terms is too long")
        return range(first, last + 1)

    def _whole(self, expr: tree.Expr) -> int:
        return whole(self.value(expr), "the bound of a sum")

    def _derivative(self, function: str, args: tuple[tree.Expr, ...]) -> Node:
        if len(args) != 1:
            raise ModelError(f"{function}' is taken at one place: {function}'(z)")
        at = self.row(args[0])
        name = activation_at(self.reference, at) if function in ("f", "g", "phi", "act") else function
        return derivative_of(self.graph, name, at)


def _inner_fits(a: Node, b: Node) -> bool:
    return same(a.shape[-1], b.shape[0] if b.ndim == 1 else b.shape[-2])


def _broadcasts(a: Node, b: Node) -> bool:
    try:
        broadcast([a.shape, b.shape])
    except ShapeError:
        return False
    return True
