"""SymPy expressions as rows.

What SymPy sees as a number, a matrix or an entry ``X[i, j]`` under a sum is an array here. A matrix of one column or
one row may be a row of one axis. A letter that a sum runs over is an axis while the sum is read: the first such letter
is the last axis, the next one that before, and so on, so that what lacks an axis broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add, mul
from string import ascii_letters
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.slice import MatrixSlice

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.bridge import RowSymbol
from symbackprop.core.calculus import sorted_terms
from symbackprop.core.formula import AT_RUN_TIME, FEW
from symbackprop.core.graph import Graph, Node, label
from symbackprop.core.indexing import getitem
from symbackprop.core.scalars import BY_HEAD
from symbackprop.core.shapes import as_dim, as_shape, is_one, same, same_shape, shape_text
from symbackprop.doorway import late
from symbackprop.errors import ModelError, NameProblem, ShapeError, did_you_mean

MANY = 1000  # terms of a sum over numbers, from which on it is one over an array


def lower(graph: Graph, expr: Any) -> Node:
    """The row that computes a SymPy expression over rows (and plain symbols named like declared rows)."""
    row = Reader(graph).whole(expr)
    return build.reshape(row, ()) if expr.is_Matrix and expr.shape == (1, 1) else row


@dataclass(frozen=True)
class Letter:
    """What a sum runs over: its axis, counted from the last one, its first value and how many there are."""

    axis: int
    first: sp.Expr
    count: sp.Expr
    from_one: bool


class Reader:
    """Reads one expression; ``letters`` are those of the sums around what is read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.letters: dict[sp.Symbol, Letter] = {}
        self.from_zero: set[Any] = set()  # the arrays of which the expression has an entry 0
        self.origins: dict[Any, set[int]] = {}

    @cached_property
    def sizes(self) -> dict[str, Any]:
        """The sizes in the shapes of declared rows, by their names."""
        return {size.name: size for row in self.graph.names.values() for n in row.shape for size in n.free_symbols}

    def with_sizes(self, expr: Any) -> Any:
        """The expression with the model's sizes where it has symbols of their names, ``sp.Symbol("N")``."""
        others = {s for s in expr.atoms(sp.Symbol) if not isinstance(s, RowSymbol) and s.name not in self.graph.names}
        return expr.xreplace({s: self.sizes[s.name] for s in others if s.name in self.sizes}) if others else expr

    def whole(self, expr: Any) -> Node:
        """The row of an expression that is part of no other."""
        expr = self.with_sizes(expr)
        entries = expr.atoms(sp.Indexed, MatrixElement)
        self.from_zero = {part.args[0] for part in entries for n, i in self._axes(part) if i == 0 and n != 1}
        return self.row(expr)

    def row(self, expr: Any) -> Node:
        if isinstance(expr, sp.MatrixBase):
            return self.matrix(expr)
        if not expr.is_Matrix and not expr.free_symbols and not expr.has(sp.Symbol, AppliedUndef):
            return self.number(expr)
        if not expr.is_Matrix and (expr.is_Add or expr.is_Mul or expr.is_Pow):
            return (self.sum_of_terms if expr.is_Add else self.quotient if expr.is_Mul else self.power)(expr)
        rule: Rule | None = next((rule for kinds, rule in _RULES if isinstance(expr, kinds)), None)
        return self.function(expr) if rule is None else rule(self, expr)

    # -- names and numbers
    def symbol(self, symbol: sp.Symbol) -> Node:
        """A row, a size or the letter of a sum."""
        if symbol in self.letters:
            return self._counter(self.letters[symbol])
        row = self.graph.lift(symbol.row) if isinstance(symbol, RowSymbol) else self._declared(symbol)
        if self.letters and row.ndim:
            raise ModelError(f"{label(row)} stands under a sum over {', '.join(map(str, self.letters))} without an "
                             f"index: write {label(row)}[{next(iter(self.letters))}]")
        return row

    def _declared(self, symbol: Any) -> Node:
        if symbol.name in self.graph.names:
            return self.graph.names[symbol.name]
        if getattr(symbol, "is_integer", False) and symbol.is_positive:
            return self.graph.const(symbol)  # a dimension used as a number
        raise NameProblem(f"the symbol {symbol.name!r} is not declared.{did_you_mean(symbol.name, self.graph.names)}")

    def _counter(self, letter: Letter) -> Node:
        values = build.arange(self.graph, as_dim(letter.count)) + letter.first
        return build.reshape(values, (letter.count, *[1] * letter.axis))

    def number(self, expr: sp.Expr) -> Node:
        """A number without rows; one that model text has no name for, as the float that it is."""
        others = [n for n in expr.atoms(sp.NumberSymbol, sp.Function)
                  if n not in (sp.pi, sp.E) and n.func not in BY_HEAD]
        return self.graph.const(expr.subs({n: n.evalf(17) for n in others}) if others else expr)

    # -- arithmetic, entry by entry
    def sum_of_terms(self, expr: sp.Expr) -> Node:
        first, *rest = sorted_terms(expr)
        return reduce(lambda found, term: found - self.row(-term) if term.as_coeff_Mul()[0].is_negative else
                      found + self.row(term), rest, self.row(first))

    def quotient(self, expr: sp.Expr) -> Node:
        num, den = sp.fraction(expr)
        top = reduce(mul, map(self.row, sp.Mul.make_args(num)))
        return top if den == 1 else top / self.row(den)

    def power(self, expr: sp.Expr) -> Node:
        if expr.exp == sp.Rational(1, 2):
            return self.graph.call("sqrt", self.row(expr.base))
        if expr.exp.is_Number and expr.exp.is_negative:
            return 1 / self.row(sp.Pow(expr.base, -expr.exp))
        return self.row(expr.base) ** self.row(expr.exp)

    # -- functions
    def called(self, name: str, *operands: Any) -> Node:
        """A function of model text of what the operands are."""
        rows = [*map(self.row, operands)]
        try:
            found = late("in_text")(self.graph, name, rows, {})
        except NameProblem:
            raise ModelError(f"the SymPy function {name} has no row: write it in functions that `symbackprop ops` "
                             "lists") from None
        if not isinstance(found, Node):
            raise ModelError(f"{name} has several results: call it on rows, and take one")
        return found

    def in_turn(self, name: str, operands: Sequence[Any]) -> Node:
        """A function of two, of more than two."""
        return reduce(lambda a, b: self.graph.call(name, a, b), map(self.row, operands))

    def function(self, expr: sp.Expr) -> Node:
        """A function of SymPy's that has a record or that model text knows by the same name."""
        record = BY_HEAD.get(expr.func)
        if record is not None and len(expr.args) == len(record.domain):
            return self.graph.call(record.name, *map(self.row, expr.args))
        name = expr.func.__name__
        return self.called(_OTHER_NAMES.get(name, name), *expr.args)

    def rounded(self, name: str, expr: sp.Expr) -> Node:
        """``floor`` of an array, or of a size that windows and slices leave, such as ⌊S/2⌋, which is a number."""
        sizes = [s for s in expr.free_symbols if s.is_integer and s.is_positive and s.name not in self.graph.names]
        return self.graph.const(expr) if len(sizes) == len(expr.free_symbols) else self.called(name, *expr.args)

    def largest(self, expr: sp.Expr) -> Node:
        """Max(0, x) is relu and follows its convention at 0."""
        rest = [a for a in expr.args if a != 0]
        if len(expr.args) == 2 and len(rest) == 1:
            return self.graph.call("relu", self.row(rest[0]), self.graph.relu0)
        return self.in_turn("maximum", expr.args)

    def piecewise(self, expr: sp.Expr) -> Node:
        value, condition = expr.args[-1]
        if condition is not sp.true:
            raise ModelError("a Piecewise needs a last branch that always holds: (value, True)")
        return reduce(lambda below, branch: self.graph.call("where", self.row(branch[1]), self.row(branch[0]), below),
                      reversed(expr.args[:-1]), self.row(value))

    def evaluated(self, expr: sp.Expr) -> Node:
        """A derivative, an integral, a limit or a sum of so many terms, once it is carried out."""
        found = expr.doit()
        if found.has(expr.func):
            raise ModelError(f"SymPy cannot carry out {expr}: write what it is")
        return self.row(found)

    # -- matrices
    def matrix_symbol(self, expr: Any) -> Node:
        row = self._declared(expr)
        said = f"and is a matrix of {expr.shape[0]} x {expr.shape[1]} in a SymPy expression"
        if row.ndim > 2 or (row.ndim < 2 and [*expr.shape].count(1) < 2 - row.ndim):
            raise ShapeError(f"{label(row)} is declared with {row.ndim} axes, {said}")
        sizes = expr.shape if row.ndim == 2 else sorted(expr.shape, key=lambda n: n == 1)[: row.ndim]
        known = not {s for n in sizes for s in n.free_symbols} - {*self.sizes.values()}
        if known and not same_shape(as_shape(sizes), row.shape):
            raise ShapeError(f"{label(row)} is declared as {shape_text(row.shape)}, {said}")
        return row

    def matrix(self, expr: Any) -> Node:
        """A matrix that is written out; of one column it is an array of one axis."""
        if not expr.free_symbols and len(expr) > FEW:
            raise ModelError(f"a matrix of more than {FEW} numbers cannot be part of a model: {AT_RUN_TIME}")
        if 1 in expr.shape:
            return F.arrange.stack(*map(self.row, expr))
        return F.arrange.stack(*[F.arrange.stack(*map(self.row, expr.row(k))) for k in range(expr.rows)])

    def alike(self, operands: Sequence[Any]) -> list[Node]:
        """Matrices of one shape, columns among them in the form that all have."""
        found = [*map(self.row, operands)]
        most = max(row.ndim for row in found)
        return [row if row.ndim == most else build.reshape(row, expr.shape)
                for row, expr in zip(found, operands, strict=True)]

    def entrywise(self, sign: Callable[[Node, Node], Node], operands: Sequence[Any]) -> Node:
        return reduce(sign, self.alike(operands))

    def matrix_sum(self, expr: Any) -> Node:
        return self.entrywise(add, sorted(
            expr.args, key=lambda term: isinstance(term, sp.MatMul) and term.args[0].could_extract_minus_sign()))

    def matrix_product(self, expr: Any) -> Node:
        """A product; numbers in front, and what ends in a column from there, which costs least."""
        factors = [(self.row(a), a.shape) for a in expr.args if a.is_Matrix]
        from_right = expr.shape[1] == 1 and factors[0][1][0] != 1
        row, _ = (reduce(lambda right, left: _product(left, right), reversed(factors)) if from_right else
                  reduce(_product, factors))
        for number in expr.args:
            row = row if number.is_Matrix else row * self.row(number)
        return row

    def matrix_power(self, expr: Any) -> Node:
        base, exponent = expr.args
        if base.shape == (1, 1):
            return self.row(RowSymbol(self.single(base)) ** exponent)
        if not exponent.is_Integer:
            raise ModelError(f"{expr}: the power of a matrix is a whole number")
        base = self.row(base) if exponent > 0 else self.called("inv", base)
        return base if abs(exponent) == 1 else F.matrices.matrix_power(base, int(abs(exponent)))

    def single(self, expr: Any) -> Node:
        """The number that a matrix of one row and one column is."""
        return build.reshape(self.row(expr), ())

    def of_square(self, name: str, expr: Any) -> Node:
        return self.single(expr.arg) if expr.arg.shape == (1, 1) else self.called(name, expr.arg)

    def transposed(self, expr: Any) -> Node:
        row = self.row(expr.args[0])
        return row if row.ndim < 2 else build.swapaxes(row, 0, 1)

    def turned(self, expr: Any, straight: Callable[[Any], Node]) -> Node:
        """What is simpler as a transpose: SymPy writes (X - 1μᵀ)ᵀ as Xᵀ - μ1ᵀ, which would be another row."""
        other = expr.T
        return self.transposed(sp.Transpose(other)) if _transposes(other) < _transposes(expr) else straight(expr)

    def applied(self, expr: Any) -> Node:
        """``X.applyfunc(f)``"""
        (letter,) = expr.function.variables
        return self.row(expr.function.expr.subs(letter, RowSymbol(self.row(expr.expr))))

    def filled(self, number: int, shape: Sequence[Any]) -> Node:
        return self.graph.full(number, [as_dim(n) for n in shape if n != 1])

    def blocks(self, expr: Any) -> Node:
        parts = expr.blocks
        rows = [[build.reshape(self.row(part), part.shape) for part in parts.row(i)] for i in range(parts.rows)]
        return build.concat([build.concat(row, 1) for row in rows], 0)

    def part(self, expr: Any) -> Node:
        """``X[0:2, :]``"""
        return getitem(self.row(expr.parent), tuple([slice(*bounds) for bounds in (expr.rowslice, expr.colslice)]))

    # -- entries and sums over letters
    def entry(self, expr: Any) -> Node:
        """``X[i, 0]``: a number is an entry, counted from 0, a letter of a sum the axis that it runs over."""
        if isinstance(expr, MatrixElement):
            around, self.letters = self.letters, {}
            array, indices, shape = self.row(expr.parent), expr.args[1:], expr.parent.shape
            self.letters = around
            if array.ndim == 1:  # a column, or a row
                indices = [i for i, n in zip(indices, shape, strict=True) if n != 1] or indices[:1]
        else:
            array, indices = self._declared(expr.base.label), expr.indices
        if len(indices) != array.ndim:
            raise ShapeError(f"{expr} has {len(indices)} indices, and {label(array)} has {array.ndim} axes")
        named = [self._letter(i) for i in indices]
        if expr.args[0] in self.from_zero:
            named = [x and replace(x, from_one=False) for x in named]
        self._counted(expr.args[0], [x for x, n in zip(named, array.shape, strict=True) if x or not is_one(n)])
        chosen = getitem(array, tuple([self._part(i, letter) for i, letter in zip(indices, named, strict=True)]))
        return self._spread(chosen, [x for x in named if x is not None])

    def _counted(self, array: Any, named: Sequence[Letter | None]) -> None:
        """Refuse an array of which one entry counts from 0 and a letter from 1."""
        found = self.origins.setdefault(array, set())
        found |= {1 for x in named if x and x.from_one} | {0 for x in named if x is None}
        if len(found) == 2:
            raise ModelError(f"a sum counts the entries of {array} from 1, and a number chooses one of them: numbers "
                             "count from 0, so let the sum begin at 0")

    def _letter(self, index: sp.Expr) -> Letter | None:
        found = [s for s in index.free_symbols if s in self.letters]
        if len(found) > 1 or any((index - s).has(s) for s in found):
            raise ModelError(f"the index {index} is not one letter of a sum, perhaps with a number added")
        others = [s for s in index.free_symbols if s not in found and not self._declared(s).is_number]
        if others:
            raise ModelError(f"the index {index} is no number and no letter of a sum: take(…) chooses by an array")
        return self.letters[found[0]] if found else None

    def _part(self, index: sp.Expr, letter: Letter | None) -> Any:
        if letter is None:
            return int(index) if index.is_Integer else index
        symbol = next(s for s in index.free_symbols if s in self.letters)
        start = index.subs(symbol, letter.first) - int(letter.from_one)
        return slice(start, sp.expand(start + letter.count))

    def _spread(self, array: Node, letters: Sequence[Letter]) -> Node:
        """An array whose axes are those letters with each of them where it belongs."""
        placed = _outermost_first({*letters})
        return build.reshape(build.einsum(f"{_word(letters)}->{_word(placed)}", array), _frame(placed))

    def sum_over(self, expr: Any) -> Node:
        """``Sum(X[i, j]*v[j], (j, 0, D - 1))``; a product of entries is contracted."""
        before, own = dict(self.letters), []
        places = _places(expr.function)
        for symbol, *bounds in sorted(expr.limits, key=lambda limit: -places.get(limit[0], 0)):
            own.append(self._begun(expr, symbol, *bounds))
            self.letters[symbol] = own[-1]
        factors = sp.Mul.make_args(expr.function) if isinstance(expr, sp.Sum) else (expr.function,)
        contracted = len(factors) > 1 and sp.fraction(expr.function)[1] == 1
        found = self._contracted(factors, own) if contracted else self._reduced(expr, own)
        self.letters = before
        return found

    def _begun(self, expr: Any, symbol: sp.Symbol, first: sp.Expr, last: sp.Expr) -> Letter:
        if first.is_infinite or last.is_infinite:
            raise ModelError(f"{symbol} from {first} to {last} has no end, and arrays have: sum to a size")
        if (first.free_symbols | last.free_symbols) & {*self.letters, *[s for s, *_ in expr.limits]}:
            raise ModelError(f"the bounds of {symbol} depend on another letter: sum over all of them, with a "
                             "Piecewise of those that count")
        parts = [p for p in sorted(expr.function.atoms(sp.Indexed, MatrixElement), key=sp.default_sort_key)
                 if p.args[0] not in self.from_zero]
        sizes = [(n, i - symbol) for p in parts for n, i in self._axes(p) if symbol in i.free_symbols]
        over = any(same(as_dim(last + c), as_dim(n)) for n, c in sizes)
        for n, c in sizes:
            past = as_dim(last + c) - as_dim(n)
            if (first + c).is_negative or past.is_positive or (over and first + c == 0):
                low, high = (end(c for _, c in sizes) for end in (min, max))
                raise ModelError(f"{symbol} from {first} to {last} leaves the {n} entries that there are: they count "
                                 f"from 0, ({symbol}, {-low}, {n - 1 - high}), or from 1, ({symbol}, {1 - low}, "
                                 f"{n - high})")
        if sizes and not over and first != 0 and not any(first + c == 0 for _, c in sizes):
            raise ModelError(f"{symbol} from {first} to {last} neither begins at the first entry nor reaches the last: "
                             f"entries count from 0, so write ({symbol}, {first - 1}, {last - 1}) if {symbol} counts "
                             "from 1")
        return Letter(len(self.letters), first, sp.expand(last - first + 1), over)

    def _axes(self, part: Any) -> Sequence[tuple[sp.Expr, sp.Expr]]:
        """The sizes of the axes of an entry's array, each with the index there."""
        shape = part.parent.shape if isinstance(part, MatrixElement) else self._declared(part.base.label).shape
        return [*zip(shape, part.args[1:], strict=False)]

    def _contracted(self, factors: Sequence[sp.Expr], own: Sequence[Letter]) -> Node:
        """A sum of products over letters; what has no letter stands in front."""
        apart, terms = list[Node](), list[tuple[list[Letter], Node]]()
        for factor in factors:
            row = self.row(factor)
            letters = _outermost_first([x for s, x in self.letters.items() if s in factor.free_symbols])
            if letters:
                terms.append((letters, build.reshape(row, [x.count for x in letters])))
            else:
                apart.append(build.reshape(row, ()))
        terms.sort(key=lambda term: -len(term[0]))  # X @ w
        seen = {x for letters, _ in terms for x in letters}
        apart += [self.graph.const(x.count) for x in own if x not in seen]
        if not terms:
            return reduce(mul, apart)
        kept = _outermost_first([x for x in seen if x not in own])
        pattern = f"{','.join(_word(letters) for letters, _ in terms)}->{_word(kept)}"
        found = build.einsum(pattern, *[row for _, row in terms])
        return reduce(mul, apart, build.reshape(found, _frame(kept)))

    def _reduced(self, expr: Any, own: Sequence[Letter]) -> Node:
        row = self.row(expr.function)
        sizes = [*[sp.S.One] * (len(self.letters) - row.ndim), *row.shape]
        for x in own:
            sizes[-x.axis - 1] = as_dim(x.count)
        axes = tuple([-x.axis - 1 for x in own])
        whole = self.graph.broadcast(row, tuple(sizes))
        return build.reduce_sum(whole, axes) if isinstance(expr, sp.Sum) else F.FUNCTIONS["prod"](whole, axes)


def _places(expr: Any) -> dict[sp.Symbol, int]:
    """The last place that each letter has as an index: ``X[i, j]`` needs no transpose if j is the last axis."""
    found: dict[sp.Symbol, int] = {}
    for part in expr.atoms(sp.Indexed, MatrixElement):
        for place, index in enumerate(part.args[1:]):
            found |= {s: max(place, found.get(s, 0)) for s in index.free_symbols}
    return found


def _outermost_first(letters: Iterable[Letter]) -> list[Letter]:
    return sorted(letters, key=lambda x: -x.axis)


def _word(letters: Sequence[Letter]) -> str:
    return "".join(ascii_letters[x.axis] for x in letters)


def _frame(letters: Sequence[Letter]) -> list[sp.Expr]:
    """The shape of an array of these letters where those of all sums have an axis."""
    sizes = {x.axis: x.count for x in letters}
    return [as_dim(sizes.get(k, 1)) for k in reversed(range(max(sizes, default=-1) + 1))]


def _product(left: tuple[Node, Any], right: tuple[Node, Any]) -> tuple[Node, Any]:
    """The product of two matrices, columns and rows among them with one axis or two."""
    (a, above), (b, below) = left, right
    shape = (above[0], below[1])
    if not a.ndim or not b.ndim:
        return a * b, shape
    if a.ndim == 1 and above[1] == 1 and below[0] == 1:  # a column times a row
        return build.einsum("i,j->ij", a, build.reshape(b, (-1,))), shape
    if b.ndim == 1 and above[1] == 1 and below[0] == 1:
        return build.matmul(a, build.reshape(b, (1, -1))), shape
    if a.ndim == 1 and b.ndim == 2:  # wᵀXᵀ is what Xw is
        return build.matmul(build.swapaxes(b, 0, 1), a), shape
    return build.matmul(a, b), shape


def _transposes(expr: Any) -> int:
    """How many there are; those of a row or a column cost nothing."""
    return sum(isinstance(part, sp.Transpose) and 1 not in part.shape for part in sp.preorder_traversal(expr))


Rule = Callable[[Reader, Any], Node]
_OTHER_NAMES = {"Mod": "remainder", "binomial": "binom", "Heaviside": "heaviside", "Abs": "abs", "Sqrt": "sqrt",
                "Cbrt": "cbrt"}


def _in_turn(name: str) -> Rule:
    return lambda reader, expr: reader.in_turn(name, expr.args)


def _rounded(name: str) -> Rule:
    return lambda reader, expr: reader.rounded(name, expr)


def _is_written_out(expr: Any) -> bool:
    """Whether a sum or product is of so many terms, or of infinitely many, that are no entries."""
    counts = [last - first for _, first, last in expr.limits]
    few = all(count.is_number and (count.is_infinite or count < MANY) for count in counts)
    return few and not expr.function.has(sp.Indexed, MatrixElement)


def _over_letters(reader: Reader, expr: Any) -> Node:
    return reader.evaluated(expr) if _is_written_out(expr) else reader.sum_over(expr)


_RULES: Sequence[tuple[Any, Rule]] = [
    (sp.MatrixSymbol, Reader.matrix_symbol),
    (sp.MatMul, lambda reader, expr: reader.turned(expr, reader.matrix_product)),
    (sp.MatAdd, lambda reader, expr: reader.turned(expr, reader.matrix_sum)),
    (sp.HadamardProduct, lambda reader, expr: reader.entrywise(mul, expr.args)),
    (sp.HadamardPower, lambda reader, expr: reader.row(expr.args[0]) ** reader.row(expr.args[1])),
    ((sp.MatPow, sp.Inverse), Reader.matrix_power),
    (sp.Trace, lambda reader, expr: reader.of_square("trace", expr)),
    (sp.Determinant, lambda reader, expr: reader.of_square("det", expr)),
    (sp.DiagMatrix, lambda reader, expr: F.arrange.diag(build.reshape(reader.row(expr.args[0]), (-1,)))),
    ((sp.Transpose, sp.Adjoint), Reader.transposed),
    (sp.KroneckerProduct, lambda reader, expr: reduce(F.matrices.kron, reader.alike(expr.args))),
    (ElementwiseApplyFunction, Reader.applied),
    (sp.Identity, lambda reader, expr: build.eye(reader.graph, as_dim(expr.rows))),
    (sp.ZeroMatrix, lambda reader, expr: reader.filled(0, expr.shape)),
    (sp.OneMatrix, lambda reader, expr: reader.filled(1, expr.shape)),
    (sp.BlockMatrix, Reader.blocks),
    (MatrixSlice, Reader.part),
    ((sp.Indexed, MatrixElement), Reader.entry),
    ((sp.Sum, sp.Product), _over_letters),
    ((sp.Derivative, sp.Integral, sp.Subs, sp.Limit), Reader.evaluated),
    (sp.Symbol, Reader.symbol),
    (sp.Max, Reader.largest),
    (sp.Min, _in_turn("minimum")),
    (sp.Piecewise, Reader.piecewise),
    (sp.ITE, lambda reader, expr: reader.graph.call("where", *map(reader.row, expr.args))),
    (sp.floor, _rounded("floor")),
    (sp.ceiling, _rounded("ceil")),
    (sp.StrictGreaterThan, _in_turn("greater")),
    (sp.GreaterThan, _in_turn("greater_equal")),
    (sp.StrictLessThan, _in_turn("less")),
    (sp.LessThan, _in_turn("less_equal")),
    (sp.Equality, _in_turn("equal")),
    (sp.Unequality, _in_turn("not_equal")),
    (sp.And, lambda reader, expr: reduce(mul, map(reader.row, expr.args))),
    (sp.Or, _in_turn("maximum")),
    (sp.Not, lambda reader, expr: reader.in_turn("equal", [*expr.args, sp.S.Zero])),
    (sp.frac, lambda reader, expr: reader.row(expr.args[0]) - reader.called("floor", *expr.args)),
    (sp.factorial, lambda reader, expr: reader.called("gamma", expr.args[0] + 1)),  # NumPy's is 0 below 0
    (sp.besseli, lambda reader, expr: reader.called(f"i{expr.args[0]}", expr.args[1])),
    (sp.sinc, lambda reader, expr: reader.called("sinc", expr.args[0] / sp.pi)),  # SymPy's is sin(x)/x
]
