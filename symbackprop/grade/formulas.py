"""Right sides to rows, forgivingly: what can only be meant one way by its shapes is read that way, and told.

Model text is the language (`symbackprop.model.text`); on top of it vectors may be written as columns (``q x.T`` is an
outer product), a product may be of either kind where only one fits, and ``tanh'(a)`` is a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from operator import add, itemgetter
from typing import Any

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.arrange import pick, stack
from symbackprop.core.graph import Node
from symbackprop.core.indexing import getitem
from symbackprop.core.loops import close_loop
from symbackprop.core.ops.matrices import inv
from symbackprop.core.shapes import Dim, Shape, broadcast, dim, dim_text, same, size_of
from symbackprop.errors import ModelError, ShapeError
from symbackprop.grade import naming as f
from symbackprop.grade.functions import EXTRA, classes
from symbackprop.grade.reading import Answer
from symbackprop.grade.reference import Reference, activation_at, derivative_of
from symbackprop.grade.scope import IDENTITY, Beyond, Scope, lengths
from symbackprop.grade.slips import is_index
from symbackprop.model.text import tree
from symbackprop.model.text.calls import Callee, callee
from symbackprop.model.text.evaluate import Evaluator, binary
from symbackprop.model.text.known_numbers import whole

Value = Any
MAX_TERMS = 1_000


class Formula(f.Telling, Evaluator):
    """Evaluates one right side.

    ``answer`` says whether its products have no sign of their own, so that each is of the kind that fits. What may be
    read in two ways, as ``w x`` of two vectors, where both kinds fit, or ``max(a, 1)``, is counted by ``ambiguous``;
    bit k of ``second`` says that the k-th is read in its second way. ``signs`` are those that every chain came to mean,
    and the powers that are transposes or inverses.
    """

    scope: Scope

    def __init__(self, reference: Reference, scope: Scope, answer: Answer, second: int = 0) -> None:
        f.Telling.__init__(self)
        Evaluator.__init__(self, scope)
        self.reference, self.answer = reference, answer
        self.second, self.ambiguous = second, 0
        self.signs: dict[int, list[str]] = {}
        self.rows: set[int] = set()  # products that are written as rows: numbers times x.T

    # -- products
    def chain(self, expr: tree.Chain) -> Value:
        beside = self.operand(expr.rest[0][1]) if expr.first == IDENTITY else None
        with self.scope.beside(beside):
            return self._terms(expr) if expr.rest[0][0] in "+-" else self._factors(expr)

    def _terms(self, expr: tree.Chain) -> Value:
        """A sum; its terms with a step after the last one are 0. Raises `Beyond` where no other is left."""
        self.signs[id(expr)] = [sign for sign, _ in expr.rest]
        total: Value = None
        beyond: Beyond | None = None
        for sign, part in (("+", expr.first), *expr.rest):
            try:
                with self.scope.beside(total):
                    term = self.operand(part)
            except Beyond as error:
                beyond = error
                self.note("what comes after the last step is 0")
                continue
            first = total is None and sign == "+"
            total = term if first else binary(sign, sp.Integer(0) if total is None else total, term, self.graph)
        if beyond is not None and total is None:
            raise beyond
        return total

    def _factors(self, expr: tree.Chain) -> Value:
        value, flipped, left = self.operand(expr.first), self._is_flipped(expr.first), expr.first
        signs = self.signs[id(expr)] = []
        for sign, part in expr.rest:
            with self.scope.beside(value):
                other, row, number = self.operand(part), self._is_flipped(part), _is_number(value)
            flips = row and sign in "*@" if number else flipped and _is_number(other)  # 2xᵀ and xᵀ/2 are rows
            if sign in "*@":
                sign = "'*" if sign == "*" and _is_primed(left) else sign
                value, sign = self._product(sign, value, other, flipped, row)
            else:
                value = binary(sign, value, other, self.graph)
            signs.append(sign)
            flipped, left = flips, part
        if flipped:
            self.rows.add(id(expr))
        return value

    def _product(
        self, sign: str, a: Node | sp.Expr, b: Node | sp.Expr, row_a: bool, row_b: bool
    ) -> tuple[Node | sp.Expr, str]:
        """A product, and the sign that says its kind where the shapes or the spelling decide it; of ``A' * b`` "'*",
        which is a matrix product to those who write a transpose so, before it is one of entries."""
        if not isinstance(a, Node) or not isinstance(b, Node) or not a.shape or not b.shape:
            return binary("*", a, b, self.graph), "*"
        if a.ndim == b.ndim == 1 and (row_a or row_b):
            if "*" in sign and self.answer.entrywise:
                return binary("*", a, b, self.graph), "⊙"
            return self._vectors(a, b, row_b), "@"
        if sign == "@" and not self.answer.juxtaposed:
            return build.matmul(a, b), sign
        fits = same(a.shape[-1], b.shape[0] if b.ndim == 1 else b.shape[-2])
        if sign == "@" and fits and (a.ndim > 1 or b.ndim > 1 or self._in_second_way()):
            return build.matmul(a, b), sign
        if sign == "'*" and fits and not self.answer.entrywise and not self._in_second_way():
            self.note("* behind a transpose ' is a matrix product, as in Matlab and Julia")
            return build.matmul(a, b), "@"
        if _broadcasts(a, b) or not fits:
            return binary("*", a, b, self.graph), "*"
        self.note("* is elementwise; the shapes only fit a matrix product, which is written @")
        return build.matmul(a, b), "@"

    @cached_property
    def _is_of_numbers(self) -> bool:
        """Whether ``max(a, 1)`` is that of each number and 1 in this reading, all over the line, and 1 is no axis."""
        return self._in_second_way()

    def _in_second_way(self) -> bool:
        self.ambiguous += 1
        return bool(self.second >> (self.ambiguous - 1) & 1)

    def _vectors(self, a: Node, b: Node, row_b: bool) -> Node:
        """Column times row is an outer product, row times column an inner one."""
        if row_b:
            self.note("a column times a row, q x.T, is outer(q, x)")
            return build.einsum("i,j->ij", a, b)
        return build.matmul(a, b)

    def _is_flipped(self, expr: tree.Expr) -> bool:
        """Whether an operand is written as a row: ``x.T``."""
        return isinstance(expr, tree.Transpose) or id(expr) in self.rows or self.signs.get(id(expr)) == [f.TURNED]

    def transpose(self, value: Node) -> Node:
        """Of an array of more than two axes the last two change places, as in P.T dO of every head."""
        if value.ndim < 3:
            return build.transpose(value)
        self.note("a transpose exchanges the last two axes")
        return build.transpose(value, (*range(value.ndim - 2), value.ndim - 1, value.ndim - 2))

    def power(self, expr: tree.Power) -> Value:
        """A power; ^T behind an array is a transpose although T is a name of the model: numbers have powers. A⁻¹ is an
        inverse, and A**-1 is not."""
        base = self.operand(expr.base)
        if expr.exponent == tree.Name("T") and isinstance(base, Node) and base.shape:
            self.note("^T is read as a transpose")
            self.signs[id(expr)] = [f.TURNED]
            return build.transpose(base)
        exponent = self.operand(expr.exponent)
        if exponent == -1 and isinstance(base, Node) and _is_square(base) and "**" not in self.answer.text:
            self.signs[id(expr)] = [f.INVERTED]
            return inv(base)
        return binary("**", base, exponent, self.graph)

    # -- calls
    def call(self, expr: tree.Call) -> Value:
        match expr:
            case tree.Call(f.PRIME, (tree.String(function), *args)):
                return self._derivative(function, args)
            case tree.Call(f.ARRAY, (tree.String(letters), *args)):
                each = letters.split(",") if "," in letters else [*letters]
                with self.scope.over(self._sizes(each, args[0]) if args else {}):
                    return self._over_letters(each, args, f"entries at {', '.join(each)} need each as an index")
            case tree.Call(f.MAX, (tree.String(letter), *args)):
                return build.reduce_max(self._over_letters([letter], args), 0)
            case tree.Call(f.SUM, (tree.String(letter), *args)):
                return self._sum(letter, args)
            case tree.Call(f.STACK, (tree.String(letter), *args)):
                return stack(*self._at_steps(letter, args, "stack"))
            case tree.Call("sum", (summand, tree.Name(counter))) if self._counts(counter):
                return self._sum(counter, [summand])
            case tree.Call(function, (array,)) if function in _MEASURES:
                return _MEASURES[function](self.row(array).shape)
        return super().call(expr)

    def index(self, expr: tree.Index) -> Value:
        """``d.shape[0]`` and ``d[range(N), y]``, one entry a row; else as in model text."""
        match expr:
            case tree.Index(tree.Call("shape", (array,)), (place,)):
                shape, k = self.row(array).shape, whole(self.value(place), "an axis")
                if not -len(shape) <= k < len(shape):
                    raise ModelError(f"an array of {len(shape)} axes has no axis {k}")
                return shape[k]
            case tree.Index(base, (tree.Call("range" | "arange", _), tree.Name() as index)):
                return pick(self.row(base), self.row(index))
        return super().index(expr)

    def applied(self, function: str, args: Sequence[Value], options: dict[str, Value]) -> Value:
        if function in ("max", "min") and len(args) == 2:
            function = self._largest(function, args[1])
        called = callee(function)
        if called is not None and function in f.PRINTED and len(args) < called.needed:  # as it prints: scatter(δ, y)
            function = f.PRINTED[function]
        if function == "transpose" and len(args) > 2:
            function = "swapaxes" if len(args) == 3 else "permute"
        return super().applied(function, [*args, *_size_left_out(callee(function), args, self.scope.shape)], options)

    def _largest(self, function: str, second: Value) -> str:
        """``max`` along an axis, or ``maximum`` of two."""
        if isinstance(second, Node):
            self.note(f"{function} of two arrays is written {function}imum(a, b)")
        elif not self._is_of_numbers:
            return function
        return f"{function}imum"

    def callee(self, function: str) -> Callee:
        return EXTRA.get(function) or super().callee(function)

    def _counts(self, name: str) -> bool:
        return name in self.reference.loops

    def _sum(self, counter: str, args: Sequence[tree.Expr]) -> Value:
        """``sum_t(a[t])`` over all steps, ``sum_t(a[t], 2, T)`` over some; ``sum_k(a[k])`` over all entries."""
        if is_index(counter) and args and not self._counts(counter):
            size = self._axis(counter, args[1:])
            if size is not None and counter not in tree.mentioned(args[0]):
                return self._along(counter, size, self.row(args[0]))
            if size is not None or not args[1:]:
                return build.reduce_sum(self._over_letters([counter], args[:1]), 0)
        if not args:
            raise ModelError(f"a sum over steps is written sum_{counter}(formula)")
        return reduce(add, self._at_steps(counter, args, "sum"))

    def _at_steps(self, counter: str, args: Sequence[tree.Expr], what: str) -> list[Node]:
        values = [self.scope.counted(counter, k, lambda: self.row(args[0])) for k in self._steps(counter, args[1:])]
        if not values:
            raise ModelError(f"the {what} over {counter} has no terms")
        return values

    def _axis(self, counter: str, bounds: Sequence[tree.Expr]) -> sp.Expr | None:
        """The size of the axis over which a sum runs by its bounds, or by its letter (n counts to N), if any."""
        if len(bounds) == 2:
            first, last = (self.value(bound) for bound in bounds)
            size = None if isinstance(first, Node) or isinstance(last, Node) else sp.expand(last - first + 1)
            return None if size is None or size.is_number else size
        free = counter.upper() in self.reference.model.sizes and counter.upper() not in self.scope.session.fixed
        return dim(counter.upper()) if free and not bounds else None

    def _along(self, counter: str, size: sp.Expr, row: Node) -> Node:
        axes = [k for k, n in enumerate(row.shape) if same(n, size)]
        if len(axes) != 1:
            raise ModelError(f"a sum over {counter} needs an index, a[{counter}]: {len(axes) or 'no'} axes of what is "
                             f"summed have the size {dim_text(size)}")
        return build.reduce_sum(row, axes[0])

    def _over_letters(self, letters: Sequence[str], args: Sequence[tree.Expr], needs: str = "") -> Node:
        """The array of all values of a formula with index letters: a loop over each, the first outermost. ``needs`` is
        said of a formula without the letter."""
        if len(args) != 1:
            raise ModelError(f"a sum over {', '.join(letters)} has one summand")
        letter, inner = letters[0], letters[1:]
        with self.scope.indexed(letter) as entries, self.scope.over(self._size(letter, args[0])):
            value = self._over_letters(inner, args, needs) if inner else self.row(args[0])
            if letter in self.scope.axes and not entries and value.ndim == len(inner):  # dL_i = 1/N
                self.scope.place(letter)
        if not entries:
            needs = needs or f"a sum over {letter} needs its bounds, sum_{letter}(formula, first, last), or an index"
            raise ModelError(f"{needs}: a[{letter}]")
        whole, leaves = zip(*entries.items(), strict=True)
        sizes = [row.shape[0] for row in whole]  # Σ_k δ[k]·x[k] runs as far as both have entries
        shortest = next((n for n in sizes if all(same(n, other) or _is_longer(other, n) for other in sizes)), sizes[0])
        size = self.scope.axes.get(letter, shortest)
        arrays = [getitem(row, slice(None, size)) if _is_longer(row.shape[0], size) else row for row in whole]
        if not all(same(row.shape[0], arrays[0].shape[0]) for row in arrays):
            told = ", ".join([dim_text(row.shape[0]) for row in arrays])
            raise ShapeError(f"{letter} runs over axes of different lengths: {told}")
        loop = close_loop(self.graph, arrays[0].shape[0], [], list(leaves), [], [value], arrays, index=letter)
        return loop[1][0]

    def _sizes(self, letters: Sequence[str], entry: tree.Expr) -> dict[str, Dim]:
        """Letters that an entry does not mention run over the axes of what is answered: [1 + Y_nh]_ndh."""
        missing = {*letters}.difference(tree.mentioned(entry)) if len(letters) == len(self.scope.shape) else set()
        return {x: size for x, size in zip(letters, self.scope.shape, strict=False) if x in missing}

    def _size(self, letter: str, summand: tree.Expr) -> dict[str, Dim]:
        """A letter runs as far as the axis at which it stands alone: in d[s + 1 - q] * W[q] as far as W. Where it
        never does, h[i + 1] ends with its axis."""
        told = self.scope.session.legend.get(letter)
        if told is not None and letter not in self.scope.axes and letter not in tree.mentioned(summand):
            size = self.value(told)
            return {} if isinstance(size, Node) else {letter: size}
        here = tree.Name(letter)
        parts = [x for x in tree.all_parts(summand) if letter in tree.mentioned(x)]
        uses = [x for x in parts if isinstance(x, tree.Index) and not self._is_of_identity(x)]
        arrays = [x for x in uses if isinstance(x.base, (tree.Name, tree.Index))]
        whole = [x for x in arrays if not self.scope.letters.keys() & {*tree.mentioned(x.base)}]  # M[t] of M[t][n, i]
        named = [(x, k, item) for x in whole for k, item in enumerate(x.items)]
        ends = [(by, x, k) for x, k, item in named if (by := _ahead(letter, item)) is not None]
        compared = any(isinstance(x, tree.Compare) or self._is_of_identity(x) for x in parts)  # which tells no size
        if letter in self.scope.axes or not ends or (all(here in x.items for x in uses) and not compared):
            return {}
        by, use, place = min(ends, key=itemgetter(0))
        row = self.row(use.base)
        return {letter: (row.shape if len(use.items) == row.ndim else lengths(row))[place] - by}

    def _is_of_identity(self, part: tree.Expr) -> bool:
        """Whether a part is ``I[n, i]``."""
        base = part.base if isinstance(part, tree.Index) else part
        return base is not part and isinstance(base, tree.Name) and self.scope.is_identity(base.name)

    def _steps(self, counter: str, bounds: Sequence[tree.Expr]) -> range:
        if len(bounds) > 2:
            raise ModelError(f"a sum over steps has two bounds: sum_{counter}(formula, first, last)")
        steps = self.reference.counted(counter, self.scope.session.fixed)
        if len(bounds) < 2 and steps is None:
            raise ModelError(f"a sum over {counter} needs its bounds: sum_{counter}(formula, first, last)")
        all_of_them = [] if steps is None else [steps.start, steps.stop - 1]
        first, last = [*map(self._whole, bounds), *all_of_them[len(bounds) :]]
        if last - first >= MAX_TERMS:
            raise ModelError(f"a sum of {last - first + 1} terms is too long")
        return range(first, last + 1)

    def _whole(self, expr: tree.Expr) -> int:
        return whole(self.value(expr), "the bound of a sum")

    def _derivative(self, function: str, args: Sequence[tree.Expr]) -> Node:
        if len(args) != 1:
            raise ModelError(f"{function}' is taken at one place: {function}'(z)")
        at = self.row(args[0])
        name = activation_at(self.reference, at) if function in ("f", "g", "phi", "act") else function
        return derivative_of(self.graph, name, at)


def _ahead(letter: str, item: tree.Expr) -> int | None:
    """The 2 of i + 2, the 0 of i; None of what is no such place."""
    match item:
        case tree.Name(name) if name == letter:
            return 0
        case tree.Chain(tree.Name(name), (("+", tree.Number(by)),)) if name == letter:
            return int(by)
    return None


_MEASURES: dict[str, Callable[[Shape], Any]] = {
    "shape": lambda shape: shape, "len": lambda shape: shape[0], "numel": size_of,
}


def _size_left_out(called: Callee | None, args: Sequence[Value], wanted: Shape) -> list[sp.Expr]:
    """The last argument, where it is a size behind integers, is what they count below: ``one_hot(y)``. Of computed ones
    it is the last axis of what is wanted."""
    missing = called.parameters[len(args) :] if called else []
    size = [p.annotation for p in missing] == ["DimLike"]
    index = args[-1] if size and args else None
    if not isinstance(index, Node):
        return []
    below = classes(index) or (wanted[-1] if index.ndim + 1 == len(wanted) else None)
    return [] if below is None else [below]


def _is_square(a: Node) -> bool:
    return a.ndim > 1 and same(*a.shape[-2:])


def _is_longer(one: Dim, other: Dim) -> bool:
    """Whether one size is a multiple of another, as d of d/2, or so many more, as T of T - 2: an index that runs to the
    other reads the first entries."""
    ratio, more = one / other, one - other
    return bool((ratio.is_number and ratio > 1) or (more.is_number and more > 0))


def _is_primed(expr: tree.Expr) -> bool:
    return isinstance(expr, tree.Transpose) and expr.sign == "'"


def _is_number(value: Value) -> bool:
    return not isinstance(value, Node) or not value.shape


def _broadcasts(a: Node, b: Node) -> bool:
    try:
        broadcast([a.shape, b.shape])
    except ShapeError:
        return False
    return True
