"""Vectors as the columns that they are in R, Matlab and Julia, and rows beside them: what products, powers and entries
are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import sympy as sp

from symbackprop.core.build import matmul, transpose
from symbackprop.core.graph import Leaf, Node, label
from symbackprop.core.indexing import getitem
from symbackprop.core.operators import Terms
from symbackprop.core.shapes import is_one, same, shape_text, size_of
from symbackprop.errors import Meant, ModelError, NameProblem, NotDeclared, Place, ShapeError
from symbackprop.model.text import tree, warnings
from symbackprop.model.text.evaluate import LENGTH, Evaluator, Scope, Value, between, binary, has_axes, lift
from symbackprop.model.text.foreign import BELOW, BESIDE, LISTED, MEMBER
from symbackprop.model.text.languages import EITHER, JULIA, PYTHON, Language, R, goes_down
from symbackprop.model.text.trials import is_by_entry

Side: TypeAlias = tuple[Value, bool]  # a value, and whether it is a vector that is a row
_IDENTITY = tree.Name("I")
_ZERO = tree.Number(sp.S.Zero)
_COLUMN = (slice(None), None)
_ROW = (None, slice(None))


def evaluator(scope: Scope) -> Evaluator:
    """What evaluates expressions at a place, in the language of the text."""
    return Evaluator(scope) if scope.language in (None, PYTHON) else OfSides(scope, scope.language)


class OfSides(Evaluator):
    """A vector of one axis is a column. A row has two, but for one that is read where it stands."""

    def __init__(self, scope: Scope, spoken: Language) -> None:
        super().__init__(scope)
        self.spoken = spoken
        self.in_row: tuple[tree.Expr, ...] = ()  # the last places that are some along a row

    def refuse_lists(self, sides: tuple[tree.Expr, tree.Expr], sign: str, values: tuple[Any, Any]) -> None:
        """What is listed is an array there."""

    def value(self, expr: tree.Expr) -> Value:
        if not isinstance(expr, _OF_SIDES):
            try:
                return super().value(expr)
            except NotDeclared:
                if expr != _IDENTITY or not self.spoken.has_products:
                    raise
                raise NameProblem("I is the identity of any size: write eye(n), of the size that is meant",
                                  near=_IDENTITY.name, place=expr.place) from None
        value, row = self.side(expr)
        return getitem(value, _ROW) if row else value

    def side(self, expr: tree.Expr) -> Side:
        """A value with its side."""
        try:
            match expr:
                case tree.Transpose(body):
                    return _turned(*self.side(body))
                case tree.Chain():
                    return self._chained(expr)
                case tree.Index():
                    value = self.index(expr)
                    return value, _is_vector(value) and (self._is_row(expr) or self.in_row is expr.items)
                case tree.Call():
                    value = self.call(expr)
                    return value, _is_vector(value) and goes_down(expr)
        except ModelError as error:
            raise error.about(expr.written or expr.place) from None
        return self.value(expr), False

    def _operand(self, expr: tree.Expr) -> Side:
        """A side of what has to be an array or a number."""
        if not isinstance(expr, _OF_SIDES):
            return self.operand(expr), False
        value, row = self.side(expr)
        return self.checked(expr, value), row

    def _is_row(self, expr: tree.Index) -> bool:
        """Whether it is ``X(1, :)``, which has one axis in R and Julia."""
        return self.spoken.sums_down and len(expr.items) == 2 and isinstance(expr.items[1], tree.Slice)

    def _arguments(self, expr: tree.Call) -> list[Value]:
        """What is added down the columns has the side on which it stands: of a row that is all of it."""
        if len(expr.args) == 1 and goes_down(expr):
            return [self._operand(expr.args[0])[0]]
        values = super()._arguments(expr)
        if expr.function in _OF_MATRICES:
            return [getitem(v, _COLUMN) if isinstance(v, Node) and v.ndim == 1 else v for v in values]
        mixed = {v.ndim for v in values if isinstance(v, Node)} >= {1, 2}
        return self.meeting(expr.function, expr.args, values) if mixed and is_by_entry(expr) else values

    def meeting(self, sign: str, parts: Sequence[tree.Expr], values: list[Any]) -> list[Any]:
        matrices = [(e, v, False) for e, v in zip(parts, values, strict=True) if isinstance(v, Node) and v.ndim == 2]
        if not matrices:
            return values
        matrix = next((m for m in matrices if not is_one(m[1].shape[0])), matrices[0])  # rather than a row
        return [self._beside(sign, (e, v, False), matrix) if _is_vector(v) else v
                for e, v in zip(parts, values, strict=True)]

    def known(self, part: tree.Name | tree.Call) -> None:
        if not isinstance(part, tree.Call) or part.function not in (*_JOINS, *_AS_VECTORS, MEMBER):
            super().known(part)

    def call(self, expr: tree.Call) -> Value:
        if len(expr.args) == 1 and (axis := tree.axis_of(expr)) is not None:
            return self._along(expr, axis)
        if expr.function in _JOINS and expr.args and not expr.options:
            return self._joined(expr.function, [self._operand(a) for a in expr.args])
        if self.spoken == EITHER and expr.function in ("zeros", "ones"):
            _refuse_one_size(expr)
        if expr.function in _OF_VECTORS and expr.args and not any(isinstance(a, tree.Tuple) for a in expr.args):
            made = self._of_row(expr.function, [self.operand(a) for a in expr.args])
            if made is not None:
                return made
        if expr.function == MEMBER:
            return self._member(*expr.args)
        if expr.function in _AS_VECTORS and len(expr.args) == 1 and not expr.options:
            return self._vector(self.row(expr.args[0]))
        if expr.function != LENGTH or len(expr.args) != 1:
            made = super().call(expr)
            return _narrowed(made) if expr.function in _OF_MATRICES else made
        array = self.row(expr.args[0])
        if sum(not is_one(size) for size in array.shape) > 1:
            raise ShapeError(f"{self.spoken.name}'s length of a matrix is the larger of its sizes: write size(X, 1) or "
                             "size(X, 2)", near="length")
        return size_of(array.shape)

    def _along(self, expr: tree.Call, axis: int) -> Value:
        """A call along one of the two axes of an array: along a column or a row all of it, across it every entry."""
        array, row = self._operand(expr.args[0])
        if not isinstance(array, Node):
            return array
        options = {word: self._branch(x) for word, x in expr.options} | {"axis": sp.Integer(axis)}
        matrix = array if array.ndim > 1 else getitem(array, _ROW if row else _COLUMN)
        made = _without_axes(self.applied(expr.function, [matrix], options))
        return made if matrix is array else _narrowed(made)

    def _of_row(self, function: str, values: list[Node | sp.Expr]) -> Value:
        """A function of vectors where one is a row; None where there is none, and of matrices alone."""
        if not any(isinstance(v, Node) and v.ndim == 2 and is_one(v.shape[0]) for v in values):
            if function == "dot" and self.spoken.sums_down and all(has_axes(v) and v.ndim == 2 for v in values):
                products = binary("*", values[0], values[1], self.graph)
                return getitem(self.applied("sum", [products], {"axis": sp.S.Zero}), _ROW)
            return None
        vectors = [self._vector(v) if isinstance(v, Node) else v for v in values]
        made = self.applied(function, vectors if function == "dot" else vectors[:1], {})
        return getitem(made, _ROW) if made.ndim == 1 else made

    def member(self, expr: tree.Member) -> Value:
        if expr.name != "norm" or not expr.args or len(expr.args) != 2:
            return super().member(expr)
        array, order = self.operand(expr.args[0]), self.value(expr.args[1])
        if not isinstance(array, Node) or array.ndim != 2 or not any(map(is_one, array.shape)):
            return super().member(expr)
        return self.applied("norm", [self._vector(array)], {"order": order})

    def _member(self, array: tree.Expr, among: tree.Expr) -> Value:
        """``k %in% c(1, 2)``: whether an entry is one of some numbers."""
        values = among.args if isinstance(among, tree.Call) else (among,)
        if not values or not all(isinstance(value, tree.Number) for value in values):
            raise ModelError("what %in% looks in is written out: k %in% c(1, 2)")
        found = [tree.Compare("==", array, value) for value in values]
        total: tree.Expr = found[0] if not found[1:] else tree.Call("maximum", tuple(found[:2]), ())
        for one in found[2:]:
            total = tree.Call("maximum", (total, one), ())
        return self.value(tree.Compare(">", total, _ZERO))

    def _vector(self, array: Node) -> Node:
        """The entries of an array down its columns; a number is one."""
        if array.ndim < 2:
            return array
        if any(map(is_one, array.shape)):
            return getitem(array, tuple(0 if is_one(size) else slice(None) for size in array.shape))
        made = self.applied("flatten", [transpose(array)], {})
        assert isinstance(made, Node)
        return made

    def _joined(self, function: str, parts: list[Side]) -> Node:
        """What a list has beside or below each other: columns below each other are one, and R's vectors beside each
        other columns, below each other rows."""
        below = _JOINS[function] == 0
        nodes = [lift(value, self.graph) for value, _ in parts]
        rows = [row or function == "rbind" for _, row in parts]
        if below and function != "rbind" and all(node.ndim < 2 for node in nodes) and not any(rows):
            if function == LISTED and any(node.ndim for node in nodes):
                raise ModelError("[a, b] of arrays is beside each other in Matlab, and a list of them in Julia: write "
                                 "[a b] or [a; b]", instead=[_without_commas])
            return self._concat([node if node.ndim else self._stack(node) for node in nodes], 0)
        size = next((n.shape[0 if not below else -1] for n in nodes if n.ndim), sp.S.One)
        full = [self._repeated(node, size, below) if function in ("cbind", "rbind") and not node.ndim else
                getitem(node, (None, None)) if not node.ndim else
                getitem(node, _ROW if row else _COLUMN) if node.ndim == 1 else node
                for node, row in zip(nodes, rows, strict=True)]
        return self._concat(full, 0 if below else 1)

    def _concat(self, nodes: list[Node], axis: int) -> Node:
        joined = self.applied("concat", nodes, {"axis": sp.Integer(axis)}) if nodes[1:] else nodes[0]
        assert isinstance(joined, Node)
        return joined

    def _stack(self, node: Node) -> Node:
        return getitem(node, (None,))

    def _repeated(self, node: Node, size: sp.Expr, below: bool) -> Node:
        """A number as a column, or as a row."""
        made = self.applied("broadcast", [node, (sp.S.One, size) if below else (size, sp.S.One)], {})
        assert isinstance(made, Node)
        return made

    # -- operators
    def _chained(self, expr: tree.Chain) -> Side:
        (value, row), left, terms = self._operand(expr.first), expr.first, None
        for sign, part in expr.rest:
            right, other = self._operand(part)
            try:
                if terms is not None and (row != other or not isinstance(right, Node) or not terms.takes(sign, right)):
                    value, terms = terms.made(), None
                value, right, row, sign = self._aligned(sign, (left, value, row), (part, right, other))
                if terms is None and isinstance(value, Node) and isinstance(right, Node):
                    terms = Terms(value) if Terms(value).takes(sign, right) else None
                if terms is not None and isinstance(right, Node):
                    terms.append(sign, right)
                else:
                    value, row = self._combined(sign, (value, row), (right, other))
            except ModelError as error:
                raise error.about(between(expr, part)) from None
            left = part
        return (value if terms is None else terms.made()), row

    def _combined(self, sign: str, left: Side, right: Side) -> Side:
        (a, row), (b, other) = left, right
        if sign == tree.QUOTIENT:
            return self._divided(a, b), row
        if sign not in _OF_TWO:
            return binary(sign, a, b, self.graph), row
        if not has_axes(a) or not has_axes(b):
            return binary("*", a, b, self.graph), row or other
        return self._multiplied(a, row, b, other)

    def _multiplied(self, a: Node, row: bool, b: Node, other: bool) -> Side:
        """The product of two arrays: of a column and a row every entry with every other, a number for one by one."""
        if a.ndim == 2 and is_one(a.shape[1]) and other:
            a = getitem(a, (slice(None), 0))
        if b.ndim == 2 and is_one(b.shape[0]) and a.ndim == 1 and not row:
            b, other = getitem(b, 0), True
        if a.ndim == b.ndim == 1 and other and not row:
            return self.applied("outer", [a, b], {}), False
        if {a.ndim, b.ndim} == {1, 2} and self.spoken != R and (other if b.ndim == 1 else not row):
            self._turn(*(b, a) if b.ndim == 1 else (a, b))
        product = matmul(a, b)
        number = _without_axes(product)
        return number, row and b.ndim == 2 and number is product

    def _turn(self, vector: Node, matrix: Node) -> None:
        """Tell of a vector that a matrix can only be multiplied with from its other side, as a declared one may be
        meant. Raises a `ShapeError` in Julia, where it is a column."""
        name, other = label(vector), label(matrix)
        if self.spoken == JULIA:
            raise ShapeError(f"a column and a row of it, {name} and {name}', have no such product with {other}, "
                             f"{shape_text(matrix.shape)}: write {other} * {name} or {name}' * {other}")
        self.scope.remark(f"{name} is read as a row in its product with {other}: a column has none on that side")

    def _divided(self, value: Value, by: Value) -> Value:
        """``A / B`` as A·B⁻¹: entries are divided by ./"""
        if not has_axes(by):
            return binary("/", value, by, self.graph)
        if not has_axes(value) or by.ndim != 2 or not same(*by.shape):
            raise ShapeError(f"/ is a product with the inverse of a square matrix here, and {label(by)} is "
                             f"{shape_text(by.shape)}: entries are divided by ./", instead=[_by_entries])
        solved = self.applied("solve", [transpose(by), transpose(value)], {})
        assert isinstance(solved, Node)
        return transpose(solved)

    def _aligned(self, sign: str, *sides: tuple[tree.Expr, Value, bool]) -> tuple[Value, Value, bool, str]:
        """What stands beside a sign of entries, a vector with the axis along which it meets the other side; whether
        that is a row, and the sign."""
        (_, a, row), (_, b, other) = sides
        if sign in (*_OF_TWO, tree.QUOTIENT):
            return a, b, row, sign
        if not has_axes(a) or not has_axes(b):
            return a, b, row or other, sign
        if a.ndim == b.ndim == 1 and row != other and self.spoken != R:
            self._refuse_declared(sign, sides)
            return getitem(a, _ROW if row else _COLUMN), getitem(b, _ROW if other else _COLUMN), False, sign
        if {a.ndim, b.ndim} == {1, 2}:
            first, second = sides
            return self._beside(sign, first, second), self._beside(sign, second, first), False, sign
        return a, b, row, sign

    def _beside(self, sign: str, side: tuple[tree.Expr, Value, bool], matrix: tuple[tree.Expr, Value, bool]) -> Value:
        """One of two sides of a sign: a column beside a matrix meets its columns."""
        _, vector, row = side
        _, beside, _ = matrix
        if vector.ndim != 1 or row:
            return vector
        rows, columns = [same(vector.shape[0], size) for size in beside.shape]
        if is_one(beside.shape[0]) and self.spoken != R:
            rows, columns = columns, rows  # every entry with every other
        if not rows and not is_one(beside.shape[1]):
            if columns and self.spoken in (R, JULIA):
                raise self._along_rows(sign, side, matrix)
            for warning in warnings.of_operator(sign, beside, vector, language=self.spoken):
                self.scope.remark(warning)
            return vector
        if columns and self.spoken not in (R, JULIA):
            self._refuse_declared(sign, (side, matrix))
        return getitem(vector, _COLUMN)

    def _along_rows(self, sign: str, side: tuple[tree.Expr, Value, bool], matrix: tuple[tree.Expr, Value, bool]
                    ) -> ShapeError:
        """What is wrong with a vector that goes along the rows of a matrix, where vectors are columns."""
        vector, beside = label(side[1]), label(matrix[1])
        if self.spoken == JULIA:
            instead: list[Meant] = [] if side[0].place is None else [partial(_written, side[0].place, f"{vector}'")]
            return ShapeError(f"{vector} is a column and does not fit {beside}, {shape_text(matrix[1].shape)}, whose "
                              f"rows meet {vector}'", instead=instead)
        swept = f'sweep({beside}, 2, {vector}, "{sign}")' if sign in ("+", "-", "*", "/") else ""
        return ShapeError(f"R repeats {vector} down the columns of {beside}, {shape_text(matrix[1].shape)}; every row "
                          f"of that meets it in {swept or f't({beside})'}",
                          instead=[swept] * (bool(swept) and matrix[1] is not side[1]))

    def _refuse_declared(self, sign: str, sides: tuple[tuple[tree.Expr, Value, bool], ...]) -> None:
        """Refuse a declared vector that may be a column or a row."""
        expr, vector, _ = next(s for s in sides if s[1].ndim == 1 and not s[2])
        if not isinstance(vector.attr, Leaf) or self.spoken == JULIA:
            return
        other = next(label(v) + "'" * r for e, v, r in sides if v is not vector or r)
        name = label(vector)
        instead: list[Meant] = [] if expr.place is None else [partial(_written, expr.place, f"{name}'"),
                                                              partial(_written, expr.place, f"{name}[:, None]")]
        raise ShapeError(f"a vector has no other side here: {name} {sign} {other} of {self.spoken.name} is one of "
                         f"every entry with a row where {name} is a column, and of single entries where it is a row: "
                         f"write which, {name}[:, None] or {name}'", instead=instead)

    def power(self, expr: tree.Power) -> Value:
        base = self.operand(expr.base)
        if expr.sign != tree.POWER or not has_axes(base) or base.ndim < 2:
            return super().power(expr)
        if base.ndim > 2 or not same(*base.shape):
            raise ShapeError(f"^ is the power of a square matrix here, and {label(base)} is {shape_text(base.shape)}: "
                             "that of its entries is .^", instead=[_of_every_entry])
        return self.applied("matrix_power", [base, self.operand(expr.exponent)], {})

    # -- indices
    def entries(self, base: Node, items: tuple[tree.Expr, ...]) -> tuple[tree.Expr, ...]:
        """The places in an array, of a row those along it. Raises a `ShapeError` for one in a matrix."""
        spoken = self.spoken
        if not base.shape and all(item == _ZERO for item in items):  # the only entry of a matrix
            return (tree.Word(Ellipsis),)
        if base.ndim != 2 or len(items) != 1 or not spoken.counts_down or isinstance(items[0], tree.Word):
            return items
        if is_one(base.shape[0]):
            self.in_row = items if spoken.sums_down else ()
            return (_ZERO, *items)
        if not isinstance(items[0], tree.Slice) and not isinstance(self.value(items[0]), Node):
            raise ShapeError(f"{spoken.name} counts the entries of a matrix down its columns where one place is given; "
                             f"{label(base)} is one, {shape_text(base.shape)}: write its row and its column")
        return items


# what joins arrays, and along which axis
_OF_TWO = ("@", tree.PRODUCT, tree.BESIDE)  # where there are two arrays
_JOINS = {BESIDE: 1, "hcat": 1, "cbind": 1, BELOW: 0, "vcat": 0, "rbind": 0, LISTED: 0}
_OF_MATRICES = ("tile", "kron")  # to which a column has two axes
_AS_VECTORS = ("as_vector", "as_numeric", "as_double", "drop", "vec")
_OF_VECTORS = ("cumsum", "cumprod", "sort", "flip", "softmax", "diag", "dot")  # what knows no rows
_OF_SIDES = (tree.Transpose, tree.Chain, tree.Index, tree.Call)


def _turned(value: Value, row: bool) -> Side:
    """The transpose; a row alone is a column of one axis."""
    if not isinstance(value, Node):
        return value, False
    if value.ndim == 1:
        return value, not row
    if value.ndim == 2 and is_one(value.shape[0]):
        return getitem(value, 0), False
    return transpose(value), False


def _narrowed(value: Value) -> Value:
    """A matrix of one column as the vector that it is."""
    column = isinstance(value, Node) and value.ndim == 2 and is_one(value.shape[1])
    return getitem(value, (slice(None), 0)) if column and isinstance(value, Node) else value


def _refuse_one_size(expr: tree.Call) -> None:
    """Refuse ``zeros(3)``, where it may be Matlab's or Julia's."""
    if len(expr.args) == 1 and isinstance(expr.args[0], (tree.Number, tree.Name)):
        name = expr.function
        raise ModelError(f"{name}(n) is n by n in Matlab, and a vector in Julia: write {name}(n, n) or {name}(n, 1)",
                         near=name)


def _without_axes(value: Value) -> Value:
    """An array of one entry as a number."""
    return getitem(value, (0,) * value.ndim) if has_axes(value) and all(map(is_one, value.shape)) else value


def _is_vector(value: Value) -> bool:
    return isinstance(value, Node) and value.ndim == 1


def _written(there: Place, text: str, line: str, place: Place) -> str:
    """The line with another text at a place."""
    return there.put(line, text)


def _without_commas(line: str, place: Place) -> str:
    """The line with ``[a b]`` for ``[a, b]`` at a place."""
    return place.put(line, place.cut(line)[1].replace(", ", " ").replace(",", " "))


def _of_every_entry(line: str, place: Place) -> str:
    """The line with .^ for ^ in a place."""
    return place.put(line, re.sub(r"(?<!\.)\^", ".^", place.cut(line)[1]))


def _by_entries(line: str, place: Place) -> str:
    """The line with ./ for the last / of a place."""
    left, sign, right = place.cut(line)[1].rpartition("/")
    return place.put(line, f"{left}.{sign}{right}") if sign else line
