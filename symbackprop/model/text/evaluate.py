"""Expressions to rows. A value is a row, an exact number (or one in dimensions), a string, a tuple, a flag, a slice."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeGuard

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.build import matmul, transpose
from symbackprop.core.functions.words import IDLE_OPTIONS
from symbackprop.core.graph import INT, Graph, Node, label
from symbackprop.core.indexing import getitem
from symbackprop.core.operators import FORMS, Terms, operation
from symbackprop.core.scalars import RELATIONS, TABLE
from symbackprop.core.shapes import Shape, dim_text, same, same_shape, shape_text, size_of
from symbackprop.errors import ChoosesEntries, Meant, ModelError, NameProblem, OnPaper, Place, ShapeError, SyntaxProblem
from symbackprop.model.text import dialect, spellings, tree, warnings
from symbackprop.model.text.calls import Callee, asked_arrays, call, callee, known_callee, orders
from symbackprop.model.text.chosen import of_all
from symbackprop.model.text.known_numbers import checked, fold, number_of, of_sizes, short
from symbackprop.model.text.languages import Language, along
from symbackprop.model.text.meant_lines import (
    indexed,
    of_last_axes,
    reordered,
    sum_of_products,
    sums_of_lists,
    with_sign,
)
from symbackprop.model.text.patterns import with_named_axes

Value = Any


class Scope(Protocol):
    """What names mean at a place in a model text."""

    graph: Graph
    language: Language | None

    @property
    def lists(self) -> Collection[str]:
        """The names of what is listed in brackets."""

    def name(self, name: str) -> Node | sp.Expr:
        """The row, dimension or loop counter of that name."""

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        """``h[t]`` where h is a family of names (h[0], h[1] …); None where it is not."""

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        """``row[t, …]`` for the counter t of a loop over a symbolic axis; None where no such counter occurs."""

    def remark(self, text: str) -> None:
        """Tell the writer how a line is read that could have been meant otherwise."""

    def multiplied(self, place: Place | None, sign: str) -> None:
        """Keep which product it is that stands without a sign in front of a place."""

    def noise(self, place: Place, shape: Shape) -> Node | None:
        """The random numbers that are drawn at a place, which are data; None where there can be none."""

    def offset(self, item: tree.Expr) -> int:
        """What to subtract from an index: loop counters count from 1, arrays from 0."""

    def counts_back(self, item: tree.Expr) -> bool:
        """Whether an index in front of the first entry is one from the end, as in Python's own loops."""


_LONGER = ("+", "*")  # what makes a longer list of lists in Python
LENGTH = "len"  # Python's, of an array its first size


class Evaluator:
    """Evaluates expressions at one place. Who reads more than model text overrides how a node is read."""

    def __init__(self, scope: Scope) -> None:
        self.scope, self.graph = scope, scope.graph

    def value(self, expr: tree.Expr) -> Value:
        """The value of an expression; an error in it is about the innermost part that has it."""
        try:
            match expr:
                case tree.Name(name):
                    return self.scope.name(name)
                case tree.Number() | tree.String() | tree.Word():
                    return expr.value
                case tree.Chain():
                    return self.chain(expr)
                case tree.Call():
                    return self.call(expr)
                case tree.Index():
                    return self.index(expr)
                case tree.Power():
                    return self.power(expr)
                case tree.Negative():
                    return self.negative(expr)
                case tree.Transpose(body):
                    value = self.operand(body)
                    return self.transpose(value) if isinstance(value, Node) else value
                case tree.Compare(sign, left, right):
                    a, b = self.meeting(sign, (left, right), [self.row(left), self.row(right)])
                    return self.graph.call(RELATIONS[sign], a, b)
                case tree.Member():
                    return self.member(expr)
                case tree.Tuple(items):
                    return tuple([self.value(item) for item in items])
                case tree.Function():
                    raise SyntaxProblem("a function is called where it stands, or gets a name on a line of its own, "
                                        "f = lambda z: …")
            raise ModelError("a slice only stands in an index")
        except ModelError as error:
            raise error.about(expr.written or expr.place) from None

    def operand(self, expr: tree.Expr) -> Node | sp.Expr:
        """An expression that has to be an array or a number."""
        if isinstance(expr, tree.Tuple) and expr.items:
            return self.operand(replace(spellings.stacked(expr), place=expr.place))
        return self.checked(expr, self.value(expr))

    def checked(self, expr: tree.Expr, value: Value) -> Node | sp.Expr:
        """The value of an expression, where it is an array or a number."""
        if isinstance(value, (Node, sp.Expr)):
            return value
        if isinstance(value, str):
            raise ModelError("a string only stands where a function asks for one")
        if isinstance(value, tuple) and isinstance(expr, tree.Call):
            raise self._several(expr, value)
        raise ModelError(f"{short(value)} is neither an array nor a number")

    def _several(self, call: tree.Call, values: Sequence[Value]) -> ModelError:
        """Why a call that gives several values is no operand; the one meant is the first that has a derivative."""
        one, name = next((k for k, v in enumerate(values) if not _is_flat(v)), 0), call.function
        return ModelError(f"{name} gives {len(values)} values: take one of them, as in {name}(…)[{one}]",
                          place=call.place, instead=f"…[{one}]")

    def row(self, expr: tree.Expr) -> Node:
        """An expression as a row."""
        return lift(self.operand(expr), self.graph)

    def chain(self, expr: tree.Chain) -> Value:
        value, terms, left = self.operand(expr.first), None, expr.first
        right, row, entries = value, False, False  # the product so far: a row by a transposed vector, one by entries
        for sign, part in expr.rest:
            turned = isinstance(left, tree.Transpose) and has_axes(right) and right.ndim == 1
            row = turned or (row and has_axes(value))
            last, right = right, self.operand(part)
            if left is expr.first and sign in _LONGER:
                self.refuse_lists((left, part), sign, (value, right))
            if isinstance(value, Node) and isinstance(right, Node) and not (
                    sign == "*" and (isinstance(left, tree.Transpose) or isinstance(part, tree.Transpose))):
                terms = terms or Terms(value)
                if terms.takes(sign, right):
                    terms.append(sign, right)
                    left, entries = part, right.shape != ()
                    continue
            value, terms = value if terms is None else terms.made(), None
            if sign in warnings.OF_SIGNS:
                for warning in warnings.OF_SIGNS[sign](warnings.Factors(left, part, value, last, right)):
                    self.scope.remark(warning)
            raised = _is_raised(left, last) or _is_raised(part, right)
            left = part
            for warning in warnings.of_operator(sign, value, right):
                self.scope.remark(warning)
            try:
                if sign == tree.BESIDE:
                    sign = _beside(value, right, row, entries or raised)
                    self.scope.multiplied(part.place, sign)
                entries = sign != "@" and has_axes(value) and has_axes(right)
                value = binary(sign, value, right, self.graph)
            except ModelError as error:
                if isinstance(error, ShapeError):
                    _explain(error, sign, (expr.first, value), (part, right))
                raise error.about(between(expr, part)) from None
        return value if terms is None else terms.made()

    def refuse_lists(self, sides: tuple[tree.Expr, tree.Expr], sign: str, values: tuple[Any, Any]) -> None:
        """``[a, b] + [c]`` is one list behind the other in Python, ``[a, b] * 2`` a list twice: arrays add and multiply
        entries."""
        listed = [*map(self.is_list, sides)]
        if not any(listed):
            return
        if sign == "+" and all(listed):
            raise ModelError("+ of two lists puts one behind the other in Python, and adds entries of arrays: write "
                             "concat(a, b), or np.array(a) + np.array(b)", place=sides[1].place)
        if sign == "*" and any(isinstance(v, sp.Expr) and v.is_integer for v in values):
            raise ModelError("a list times a whole number repeats it in Python, and multiplies entries of arrays: "
                             "write concat(a, a), or 2 * np.array(a)", place=sides[1].place)

    def is_list(self, expr: tree.Expr) -> bool:
        """Whether it is what is listed in brackets, perhaps under a name."""
        return isinstance(expr, tree.Tuple) or (isinstance(expr, tree.Name) and expr.name in self.scope.lists)

    def _is_place(self, expr: tree.Index) -> bool:
        """Whether an index is one whole number, which takes one of what is listed."""
        item = expr.items[0]
        return len(expr.items) == 1 and not isinstance(item, tree.Slice) and isinstance(self.value(item), sp.Integer)

    def transpose(self, value: Node) -> Node:
        return transpose(value)

    def power(self, expr: tree.Power) -> Value:
        base = self.operand(expr.base)
        if expr.exponent == tree.RAISED_T and isinstance(base, Node) and base.shape:
            self._refuse_transpose(expr, label(base) if label(base).isidentifier() else f"({label(base)})")
        base, exponent = self.meeting("^", (expr.base, expr.exponent), [base, self.operand(expr.exponent)])
        return binary("**", base, exponent, self.graph)

    def meeting(self, sign: str, parts: Sequence[tree.Expr], values: list[Any]) -> list[Any]:
        """What a sign or a function combines entry by entry, with the axes along which these meet."""
        return values

    def _refuse_transpose(self, expr: tree.Power, base: str) -> None:
        """``W^T`` of an array is its transpose on paper, and where T is a dimension a power as well."""
        try:
            number = isinstance(self.value(expr.exponent), sp.Symbol)
        except NameProblem as error:
            raise NameProblem(f"{error.message} The transpose is {base}.T", instead=OnPaper(".T"),
                              place=expr.exponent.place) from None
        if number:
            raise NameProblem(f"{base}^T is the transpose, {base}.T, or every entry to the power of the dimension T, "
                             f"pow({base}, T): write which", place=expr.exponent.place, instead=".T")

    def negative(self, expr: tree.Negative) -> Value:
        value = self.operand(expr.body)
        return -value if isinstance(value, sp.Expr) else self.graph.arithmetic(FORMS["neg"], [value])

    def known(self, part: tree.Name | tree.Call) -> None:
        """A `NameProblem` where there is no value of this name, or no function, whatever it is applied to."""
        if isinstance(part, tree.Name):
            if dialect.infinite(part, self.graph.names) is None:
                self.scope.name(part.name)
        elif part.function != LENGTH and not self._is_own(part.function) and dialect.called(part) is None:
            known_callee(part.function, self.graph)

    def _is_own(self, name: str) -> bool:
        """Whether the model gives the name a meaning, whatever libraries mean by it."""
        return name in self.graph.functions or name in self.graph.names

    # -- calls
    def call(self, expr: tree.Call) -> Value:
        if not self._is_own(expr.function):
            expr = with_named_axes(expr, lambda array: self.row(array).ndim)
            meant = dialect.called(expr, self.scope.remark)
            if meant is not None:
                return self.value(replace(meant, place=expr.place))
        try:
            args = self._arguments(expr)
        except ChoosesEntries:
            over_all = of_all(self, expr)
            if over_all is None:
                raise
            self.scope.remark("of entries that truth values choose, all are read, and the others add nothing")
            return self.value(replace(over_all, place=expr.place))
        expr = along(expr, args[0].shape, self.scope.remark) if args and isinstance(args[0], Node) else expr
        if expr.function == LENGTH and len(args) == 1 and isinstance(args[0], Node) and args[0].shape:
            return args[0].shape[0]
        args = [self._with_arrays(value) for value in args]
        _refuse_slips(expr, args)
        options = {k: self._branch(v) for k, v in expr.options if k not in IDLE_OPTIONS or not dialect.is_idle(v)}
        refuse_doubtful(expr, args, options)
        _refuse_sides(expr, args)
        self._refuse_random(expr, args, options)
        try:
            args = self._two_by_two(expr.function, args)
            return self.applied(self._of_two(expr.function, args), args, options)
        except NameProblem:
            raise
        except ModelError as error:
            places = _places(expr)
            shapes = [a.shape for a in args if isinstance(a, Node)]
            if places[1:] and expr.function == "dot" and len(shapes) == len(args) == 2 and same_shape(*shapes):
                error.instead.insert(0, partial(sum_of_products, places[0], places[1]))
            listed = [self.value(a) if isinstance(a, tree.Tuple) else value
                      for a, value in zip(expr.args, args, strict=False)] if places else []
            error.instead += [partial(reordered, places, k)
                              for k in orders(self.callee(expr.function), listed, self.graph)]
            raise

    def _arguments(self, expr: tree.Call) -> list[Value]:
        """The values given by place; a list where one array is asked for is that array, ``diag([a, b])``."""
        found = callee(expr.function)
        asked = asked_arrays(found, len(expr.args))
        needed = 0 if expr.function == "where" or found is None else found.needed
        return [self.operand(a) if array and isinstance(a, tree.Tuple) else
                self._branch(a) if k >= needed and found is not None else self.value(a)
                for k, (a, array) in enumerate(zip(expr.args, asked, strict=True))]

    def _with_arrays(self, value: Value) -> Value:
        """Values that are joined, lists among them as arrays: ``hstack((w, [b]))``."""
        if not isinstance(value, tuple):
            return value
        beside = any(isinstance(part, Node) and part.shape for part in value)
        lists = [isinstance(part, tuple) and (beside or any(isinstance(a, Node) for a in part)) for part in value]
        return tuple([self._array(part) if k else part for k, part in zip(lists, value, strict=True)])

    def _array(self, value: Value) -> Value:
        return self.applied("stack", [*map(self._array, value)], {}) if isinstance(value, tuple) else value

    def _refuse_random(self, expr: tree.Call, args: Sequence[Value], options: Mapping[str, Value]) -> None:
        """Refuse dropout without the mask that it draws, or with a rate in its place: what is drawn is data."""
        found, first = callee(expr.function), expr.args[0].place if expr.args else None
        if found is None or MASK not in found.words:
            return
        names = [*found.signature.parameters]
        drawn = len(args) == 1 or (len(args) == 2 and isinstance(args[1], sp.Expr))
        if not drawn or names[1:2] != [MASK] or MASK in options or not isinstance(args[0], Node):
            return
        name = next(n for k in count(1) if (n := MASK + str(k) * (k > 1)) not in self.graph.names)
        rate = args[1] if args[1:] else options.get(names[2])
        call = f"{expr.function}(…, {name})" if rate is None else f"{expr.function}(…, {name}, {short(rate)})"
        shape = f": {shape_text(args[0].shape)}" if args[0].shape else ""
        raise ModelError(
            f"{expr.function} is random: which entries stay is data, a mask of zeros and ones, as in {call}",
            instead=[] if first is None else [partial(_with_mask, f"data {name}{shape}; ", call, first)])

    def _two_by_two(self, function: str, args: list[Value]) -> list[Value]:
        """``max(a, b, c)`` of numbers, as Python's, as ``max(max(a, b), c)``."""
        if function not in ("max", "min") or not all(
                isinstance(a, sp.Expr) or (isinstance(a, Node) and not a.shape) for a in args):
            return args
        while len(args) > 2:
            args = [self.applied(self._of_two(function, args[:2]), args[:2], {}), *args[2:]]
        return args

    def _of_two(self, function: str, args: Sequence[Value]) -> str:
        """What is called: max and min compare two values where the second is no axis, as Python's do."""
        if function not in ("max", "min") or len(args) != 2 or not isinstance(args[1], (Node, sp.Expr)):
            return function
        compares, first = f"{function}imum", args[0]
        if isinstance(args[1], Node) or not isinstance(first, Node) or not first.shape or not args[1].is_Integer:
            self.scope.remark(f"{function} of two values is read as {compares}")
            return compares
        self.scope.remark(f"{function}({label(first)}, {args[1]}) is taken along axis {args[1]}: {compares} compares "
                          f"with {args[1]}")
        return function

    def applied(self, function: str, args: Sequence[Value], options: dict[str, Value]) -> Value:
        """A function applied to values."""
        found = self.callee(function)
        numbers = not options and all(isinstance(a, sp.Expr) for a in args)
        exact = TABLE[found.name].exact if found.name in TABLE else None
        if exact is not None and numbers and found.fits(len(args), ()):
            return of_sizes(exact, args)
        if not found.words.isdisjoint(warnings.OF_PROBABILITIES):
            for warning in warnings.of_call(found.name, found.parameters, args):
                self.scope.remark(warning)
        value = call(found, self.graph, args, options)
        if len(args) > 1 and isinstance(value, Node) and value.ndim == 2:
            for warning in warnings.of_operator("and", args[0], args[1], f"{found.name} of "):
                self.scope.remark(warning)
        if isinstance(value, tuple):
            return value
        if isinstance(value, sp.Expr):
            return checked(value)
        if value.value is not None:
            checked(value.value)
        return value

    def callee(self, function: str) -> Callee:
        """The function of that name."""
        found = known_callee(function, self.graph)
        if found.name != function:
            self.scope.remark(f"{function} is read as {found.name}")
        return found

    def _branch(self, expr: tree.Expr) -> Value:
        """An argument of ``where`` or an option, where a number may be infinite: ``where(mask, scores, -inf)``."""
        number = dialect.infinite(expr, self.graph.names)
        return self.value(expr) if number is None else number

    def member(self, expr: tree.Member) -> Value:
        """What stands behind a dot, as NumPy and PyTorch mean it."""
        expr = dialect.functional(expr)
        like = dialect.noise_like(expr)
        if like is not None and expr.place is not None and (
                noise := self.scope.noise(expr.place, self.row(like).shape)) is not None:
            return noise
        if expr.name in dialect.CLASSES_SECOND and expr.args and self._axes(expr.args[0]) > 2:
            raise ModelError(f"{expr.name} of PyTorch has the classes along axis 1, cross_entropy and nll along the "
                             "last: write mean(cross_entropy(…)) of logits that have them there", near=expr.name)
        plain = dialect.plain(expr, self.graph.names, tell=self.scope.remark)
        if isinstance(plain, tree.Member):  # of an array's shape, which stays as it is
            shape = self.row(plain.base).shape
            return sp.Integer(len(shape)) if plain.name == dialect.NDIM else size_of(shape) if (
                plain.name == dialect.SIZE) else shape
        if isinstance(plain, tree.Call) and plain.function in ("mean", "sum") and dialect.is_loss(expr.name):
            self.scope.remark(f"{expr.name} takes the {plain.function} over all entries, as PyTorch's does")
        return self.value(replace(plain, place=expr.place))

    def _axes(self, expr: tree.Expr) -> int:
        """How many axes an array has; of what truth values choose none that is known."""
        try:
            value = self.value(expr)
        except ChoosesEntries:
            return 0
        return value.ndim if isinstance(value, Node) else 0

    # -- indices
    def index(self, expr: tree.Index) -> Value:
        if isinstance(expr.base, tree.Name):
            found = self.scope.member(expr.base.name, expr.items)
            if found is not None:
                return found
        first = dialect.first_of_two(expr, self.graph.names)
        if first is not None:
            return self.value(first)
        base = self.value(expr.base)
        if isinstance(base, tuple) and base and isinstance(expr.base, tree.Tuple) and not self._is_place(expr):
            base = self.operand(expr.base)
        if isinstance(base, tuple):
            return _chosen(base, [self.value(item) for item in expr.items])
        if not isinstance(base, Node):
            raise ModelError(f"{short(base)} is a number and has no entries")
        items = self.entries(base, expr.items)
        if not base.shape and not all(isinstance(item, tree.Word) for item in items):
            raise ModelError(f"{label(base)} is a scalar and has no entries")
        element = self.scope.element(base, items)
        return self.subscript(base, items) if element is None else element

    def entries(self, base: Node, items: tuple[tree.Expr, ...]) -> tuple[tree.Expr, ...]:
        """The places in an array that an index means."""
        return items

    def _of_other_axes(self, base: Node, key: Value) -> Sequence[Meant]:
        """What may be meant by an index that the first axis does not take."""
        if isinstance(key, sp.Expr) and base.shape and same(key, base.shape[0]):
            return [partial(indexed, "-1")]
        if not isinstance(key, Node) or not label(key).isidentifier():
            return []
        index = label(key)
        picked = key.ndim == 1 and base.ndim == 2 and same(key.shape[0], base.shape[0])
        keys = [f"arange({dim_text(base.shape[0])}), {index}"] * picked
        keys += [f"{':, ' * k}{index}" for k in range(1, base.ndim)]
        return [partial(indexed, k) for k in keys]

    def subscript(self, base: Node, keys: tuple[tree.Expr, ...]) -> Node:
        """``base[keys]`` as NumPy means it."""
        items = tuple([self._key(item) for item in keys])
        try:
            return getitem(base, items[0] if len(items) == 1 else items)
        except ChoosesEntries:
            raise
        except ShapeError as error:
            error.instead += self._of_other_axes(base, items[0]) if len(items) == 1 else []
            raise

    def _key(self, item: tree.Expr) -> Value:
        """One index: a whole number, a dimension, a slice, None, … or integer data."""
        if isinstance(item, tree.Slice):
            return slice(*(None if p is None else self._place(p) for p in (item.start, item.stop, item.step)))
        value = self._number(item)
        if isinstance(value, sp.Expr):
            offset = self.scope.offset(item)
            if offset and (value - offset).is_negative and not self.scope.counts_back(item):
                raise ShapeError(f"an index is {short(value)} here, before the first entry: arrays count from 1 by the "
                                 "counter of a loop", place=item.place)
            return _whole(value - offset)
        if value is None or value is Ellipsis or isinstance(value, Node):
            return value
        if isinstance(value, tuple) and value and all(isinstance(k, sp.Expr) for k in value):
            return [_whole(k) for k in value]
        raise ModelError(f"an index is a whole number, a slice or integer data, not {short(value)}")

    def _number(self, expr: tree.Expr) -> Value:
        """The value of a place; a number where it is computed of such, as of ``n = X.shape[0]``."""
        value = self.value(expr)
        number = number_of(value) if isinstance(value, Node) else None
        return value if number is None else number

    def _place(self, part: tree.Expr) -> sp.Expr:
        value = self._number(part)
        if not isinstance(value, sp.Expr):
            raise ModelError("the bounds of a slice are whole numbers or dimensions")
        if self.scope.offset(part) and not self.scope.counts_back(part):  # Python's counts as the slice does
            raise ModelError("a loop counter cannot be the bound of a slice")
        return _whole(value)


def _explain(error: ShapeError, sign: str, *sides: tuple[tree.Expr, Value]) -> None:
    """Say of transposes of more than two axes, which a product does not take, how the last two are exchanged, and of
    operators on entries, and of products with numbers, which others there are."""
    if sign != "@":
        error.instead = error.instead or _OTHER_OPERATORS
        return
    if not all(isinstance(value, Node) and value.shape for _, value in sides):  # numbers are no arrays
        error.instead += [_by_entry]
    for expr, value in sides:
        place = expr.place if isinstance(expr, tree.Transpose) and isinstance(value, Node) else None
        if place is not None and value.ndim > 2:
            error.message += f"; .T turns all {value.ndim} axes around, .mT the last two"
            error.instead += [partial(of_last_axes, place)]


def between(expr: tree.Chain, part: tree.Expr) -> Place | None:
    """From the beginning of a chain to one of its parts; all of it where what a helper is given stands elsewhere."""
    first, last, whole = expr.first.place, part.place, expr.place
    if not first or not last or (whole and {first.line, last.line} != {whole.line}):
        return whole
    return first.to(last)


MASK = "mask"  # what parameters that say which entries stay are called


def _with_mask(declared: str, call: str, first: Place, line: str, place: Place) -> str:
    """The line with a mask that is declared in front of it."""
    indent = line[: len(line) - len(line.lstrip())]
    changed = place.put(line, call.replace("…", first.cut(line)[1]))
    return f"{indent}{declared}{changed.removeprefix(indent)}"


def refuse_doubtful(expr: tree.Call, args: Sequence[Value], options: Mapping[str, Value]) -> None:
    """Refuse what may mean something else: bars around a square matrix, norms of matrices by an order, and the order
    of a vector's norm where the axis stands."""
    first = args[0] if args else None
    if not isinstance(first, Node) or not (isinstance(expr, tree.Bars) or expr.function == "norm"):
        return
    name = label(first)
    if expr.function == "norm" and first.ndim == 1 and len(args) > 1 and args[1] not in (0, -1, None):
        order = f"norm({name}, order={short(args[1])})"
        raise ModelError(f"the second argument of norm is an axis, and {name} has one: write {order}", instead=order)
    if not isinstance(expr, tree.Bars) or first.ndim < 2:
        return
    if expr.function not in ("abs", "norm"):
        if same(*first.shape[-2:]):
            raise ModelError(f"{expr.function} of a square matrix is no function of its entries in Julia: write "
                             f"{expr.function}.({name})", instead=f"{expr.function}.({name})")
        return
    if expr.function == "abs" and same(*first.shape[-2:]):
        raise ModelError(f"|{name}| of a square matrix is its determinant, or the size of every entry: write which",
                         instead=(f"det({name})", f"abs({name})"))
    if "order" in options:
        raise ModelError(f"such a norm of a matrix, {name} ({shape_text(first.shape)}), is one of its columns, rows or "
                         "singular values, or of its entries: write which", instead=_norms(name, options["order"]))


def _norms(name: str, order: Value) -> tuple[str, ...]:
    """What a norm of a matrix by an order may be."""
    columns, rows, values = f"max(sum(abs({name}), axis=0))", f"max(sum(abs({name}), axis=1))", f"svdvals({name})"
    of_matrix = {"1": columns, "oo": rows, "2": f"max({values})", "nuc": f"sum({values})"}.get(str(order))
    entries = "" if isinstance(order, str) else f"norm({name}, order={'inf' if order == sp.oo else short(order)})"
    return tuple(filter(None, (of_matrix, entries)))


def has_axes(value: Value) -> TypeGuard[Node]:
    return isinstance(value, Node) and value.ndim > 0


def evaluate(expr: tree.Expr, scope: Scope) -> Value:
    """The value of an expression."""
    return Evaluator(scope).value(expr)


# what may be meant where shapes do not broadcast: the axis that a reduction leaves out, or the matrix product
def _kept(line: str, place: Place) -> str:
    end = place.end - 1 - line[: place.end - 1].endswith(")")
    return f"{line[:end]}, keepdims=True{line[end:]}"


def _product(line: str, place: Place) -> str:
    return place.put(line, re.sub(r"(?<!\*)\*(?!\*)(.*)", r"@\1", place.cut(line)[1][::-1], count=1)[::-1])


def _by_entry(line: str, place: Place) -> str:
    return place.put(line, "*".join(place.cut(line)[1].rsplit("@", 1)))


_OTHER_OPERATORS: list[Meant] = [_kept, _product]


def lift(value: Node | sp.Expr, graph: Graph) -> Node:
    return value if isinstance(value, Node) else graph.const(value)


def binary(sign: str, a: Node | sp.Expr, b: Node | sp.Expr, graph: Graph) -> Node | sp.Expr:
    """One operator on two values; numbers are folded exactly."""
    if isinstance(a, sp.Expr) and isinstance(b, sp.Expr):
        return fold("*" if sign == "·" else sign, a, b)
    left, right = lift(a, graph), lift(b, graph)
    if sign == "·" and left.shape and right.shape:
        first, second = label(left), label(right)
        raise ModelError(f"{first} · {second} is a matrix product, @, or one of entries, *: write which",
                         instead=(f"{first} @ {second}", f"{first} * {second}"))
    sign = "*" if sign == "·" else sign
    if sign == "@":
        return matmul(left, right)
    result = operation(sign, left, right)
    if result.value is not None:
        checked(result.value)
    return result


def _is_raised(expr: tree.Expr, value: Value) -> bool:
    return isinstance(expr, tree.Power) and isinstance(value, Node) and value.ndim > 1


def _beside(left: Value, right: Value, row: bool, entries: bool) -> str:
    """Which product two values are that stand side by side, as on paper, where matrices are multiplied so; not beside
    ``entries``, a product of those or a power that may be meant so."""
    if not has_axes(left) or not has_axes(right):
        return "*"
    if entries:
        raise ModelError(f"what stands beside {label(right)} may be a product of matrices or one of entries: write the "
                         "brackets and an @ or *")
    if row or max(left.ndim, right.ndim) > 1:
        return "@"
    raise ModelError(f"{label(left)} beside {label(right)}, two vectors, is a matrix product, @, or one of entries, *: "
                     "write which", instead=[partial(with_sign, "*"), partial(with_sign, "@")])


def _chosen(values: tuple[Value, ...], items: Sequence[Value]) -> Value:
    """One of several values, as in ``X.shape[0]``."""
    place = items[0] if len(items) == 1 else None
    if not values:
        raise ModelError("a scalar has no axes")
    if not isinstance(place, sp.Integer) or not -len(values) <= place < len(values):
        raise ModelError(f"one of {len(values)} is chosen by a whole number from {-len(values)} to {len(values) - 1}")
    return values[int(place)]


def _whole(value: sp.Expr) -> sp.Expr:
    if value.is_integer is False or (value.is_Integer and abs(value) >= 2**31):
        raise ModelError(f"an index is a whole number, not {short(value)}")
    return value


def _places(expr: tree.Call) -> list[Place]:
    """Where the arguments of a call stand; nothing where they are not all in its brackets, as those of a.f(b)."""
    places, whole = [a.place for a in expr.args if a.place is not None], expr.place
    here = whole is not None and all(p.line == whole.line and p.start > whole.start for p in places)
    return places if here and len(places) == len(expr.args) else []


def _is_flat(value: Value) -> bool:
    """Whether a value is one of a function whose derivative is 0 everywhere, such as a sign."""
    form = value.form if isinstance(value, Node) else None
    return isinstance(form, f.Call) and all(p == f.ZERO for p in TABLE[form.name].partials)


def _refuse_slips(expr: tree.Call, args: Sequence[Value]) -> None:
    """Refuse the sum of a list of arrays, ``sum([a, b])``: an array in Python, and a number in NumPy; and a condition
    that stands last, ``where(a, b, c > 0)``."""
    match expr:
        case tree.Call("where", (tree.Name() | tree.Call() | tree.Number(), _, tree.Compare()), ()):
            if isinstance(args[0], Node) and args[0].kind == INT:  # a mask
                return
            there = [partial(reordered, places, (2, 0, 1))] if (places := _places(expr)) else []
            raise ModelError("the condition of where stands first, in front of both values", instead=there)
        case tree.Call("sum", (tree.Tuple((first, *_)),), ()) if not isinstance(first, tree.Tuple):
            if isinstance(args[0], Node) and args[0].ndim > 1:
                said = "sum of a list is an array in Python, and the sum of all entries in NumPy: write which"
                raise ModelError(said, instead=sums_of_lists)


def _refuse_sides(expr: tree.Call, args: Sequence[Value]) -> None:
    """Refuse a number on one side of a condition and an array on the other: Python has one of them, whose sum or size
    is not that of a where(c, a, b)."""
    shapes = [a.shape if isinstance(a, Node) else () for a in args] if isinstance(expr, tree.Choice) else []
    if len(shapes) == 3 and not shapes[0] and not same_shape(*shapes[1:]):
        raise ShapeError(f"where the condition holds it is {shape_text(shapes[1])}, and {shape_text(shapes[2])} where "
                         "it does not: make both of one shape, as with np.zeros(…), or write where(…)")
