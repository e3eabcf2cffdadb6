"""Python's operators on rows: arithmetic, comparison, matrix product, indexing; SymPy expressions on either side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

from symbackprop.core import formula as f
from symbackprop.core.formula import Arg
from symbackprop.core.kernel import MAX_ARGS, MAX_SIZE
from symbackprop.core.shapes import Shape, same_shape, size_of
from symbackprop.doorway import late

if TYPE_CHECKING:
    import sympy as sp

    from symbackprop.core.graph import Graph, Node

A, B = Arg(0), Arg(1)
FORMS = {"+": A + B, "-": A - B, "*": A * B, "/": A / B, "**": f.power(A, B), "neg": -A}


def operation(sign: str, left: Node, right: Node) -> Node:
    """An operator between two rows, as a user writes it."""
    row: Node = left.graph.arithmetic(FORMS[sign], [left, right])
    return row if sign in "+-" else late("powers")(row)


@lru_cache(maxsize=1 << 10)
def _form(signs: str) -> f.Formula:
    """What signs, of sums or of products, make of as many arguments and one."""
    rest = [Arg(k) for k in range(1, len(signs) + 1)]
    if signs[0] == "*":
        return f.mul(A, *rest)
    return f.add(A, *[term if sign == "+" else -term for sign, term in zip(signs, rest, strict=True)])


class Terms:
    """A sum or a product that is made at once of as many of its terms as stand in one formula: the row that adding them
    one by one makes, without those on the way."""

    def __init__(self, first: Node) -> None:
        self.rows, self.signs = [first], ""
        self.size, self.arguments = first.graph.extent(first)

    def takes(self, sign: str, row: Node) -> bool:
        """Whether a term or factor can join before the row is made: it has the shape of the others, and what is there
        is a part of a formula yet."""
        first = self.rows[0]
        if row.value is not None or first.value is not None or sign not in _TOGETHER[self.signs[:1]]:
            return False
        if sign == "*" and not (_is_factor(row) and (self.signs or _is_factor(first))):
            return False
        return self.size <= MAX_SIZE and self.arguments <= MAX_ARGS and same_shape(row.shape, first.shape)

    def append(self, sign: str, row: Node) -> None:
        size, arguments = row.graph.extent(row)
        self.size, self.arguments = self.size + size + 2, self.arguments + arguments
        self.signs += sign
        self.rows.append(row)

    def plus(self, sign: str, row: Node) -> Terms:
        """With one more term or factor, whatever it is."""
        if not self.takes(sign, row):
            return Terms(operation(sign, self.made(), row))
        self.append(sign, row)
        return self

    def made(self) -> Node:
        """The row of the sum or product."""
        first, *rest = self.rows
        if not rest:
            return first
        if self.signs[0] != "*":
            return first.graph.arithmetic(_form(self.signs), self.rows)
        product = first.graph.arithmetic(_form(self.signs), self.rows) if rest[1:] else None
        return product if product is not None and _is_plain(product.arithmetic) else reduce(_times, self.rows)


_TOGETHER = {"": ("+", "-", "*"), "+": ("+", "-"), "-": ("+", "-"), "*": ("*",)}
_SEEN_TO = f.Pow.bit | f.Div.bit | f.Call.bit  # what is looked at as each factor comes, as `powers` does


def _is_plain(form: f.Formula | None) -> bool:
    return form is not None and not form.kinds & _SEEN_TO


def _is_factor(row: Node) -> bool:
    return row.name is not None or row.arithmetic is None or _is_plain(row.arithmetic)


def _times(left: Node, right: Node) -> Node:
    return operation("*", left, right)


def _by(combine: Callable[[Node, Node], Node]) -> tuple[Callable[..., Node], Callable[..., Node]]:
    """The methods of an operator: with the row on the left, and on the right."""

    def left(self: Node, other: Any) -> Node:
        return combine(self.graph.lift(self), self.graph.lift(other))

    def right(self: Node, other: Any) -> Node:
        return combine(self.graph.lift(other), self.graph.lift(self))

    return left, right


def _sign(sign: str) -> tuple[Callable[..., Node], Callable[..., Node]]:
    return _by(lambda left, right: operation(sign, left, right))


def _call(name: str) -> Callable[..., Node]:
    return _by(lambda left, right: left.graph.call(name, left, right))[0]


def _number_of(shape: Shape) -> int:
    """How many rows an array has. Raises a `TypeError` where no number says so."""
    if not shape:
        raise TypeError("a row without axes has no length and cannot be iterated over")
    if not shape[0].is_Integer:
        raise TypeError(f"a row is symbolic and cannot be iterated over: it has {shape[0]} entries, which is no number "
                        "yet; write it with arrays, or with scan(…)")
    return int(shape[0])


def _numpys(name: str) -> tuple[Callable[..., Node], Callable[..., Node]]:
    """An operator that is a function of NumPy's."""
    return _by(lambda left, right: late("called")(name, (left, right), {}))


UNSEEN = "SymPy does not see what a row is computed from: grad(row, [w]) does"


class Operators:
    """Mixin of `Node`. Kernels only come about through `Graph.arithmetic`, which folds and fuses them."""

    __slots__ = ()
    _op_priority = 1000.0  # SymPy then hands ``expr * row`` to the row
    graph: Graph
    shape: Shape

    # -- NumPy's functions
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return late("called")(ufunc.__name__ + (f".{method}" if method != "__call__" else ""), inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return late("of_function")(function, args, options)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("a row is symbolic and has no numbers to make an array of: np.stack joins rows, and this "
                        "package has what SciPy computes of arrays, as softmax and logsumexp")

    # -- operators
    __add__, __radd__ = _sign("+")
    __sub__, __rsub__ = _sign("-")
    __mul__, __rmul__ = _sign("*")
    __truediv__, __rtruediv__ = _sign("/")
    __pow__, __rpow__ = _sign("**")
    __matmul__, __rmatmul__ = _by(lambda left, right: late("matmul")(left, right))
    __gt__ = _call("greater")
    __ge__ = _call("greater_equal")
    __lt__ = _call("less")
    __le__ = _call("less_equal")
    __mod__, __rmod__ = _numpys("remainder")
    __floordiv__, __rfloordiv__ = _numpys("floor_divide")
    __and__, __rand__ = _numpys("bitwise_and")
    __or__, __ror__ = _numpys("bitwise_or")

    def __neg__(self) -> Node:
        return self.graph.arithmetic(FORMS["neg"], [self.graph.lift(self)])

    def __abs__(self) -> Node:
        return self.graph.call("abs", self)

    def __pos__(self) -> Node:
        return self.graph.lift(self)

    def __invert__(self) -> Node:
        row: Node = late("called")("bitwise_not", (self,), {})
        return row

    def __divmod__(self, other: Any) -> tuple[Node, Node]:
        return self // other, self % other

    def __getitem__(self, key: Any) -> Node:
        row: Node = late("getitem")(self, key)
        return row

    @property
    def T(self) -> Node:
        row: Node = late("transpose")(self)
        return row

    # -- as an array
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A method of arrays, ``row.sum(axis=0)``, as model text reads it."""
            if name.startswith("_") or not late("is_method")(name):
                raise AttributeError(f"a row has no {name!r}")
            if late("changes_in_place")(name):
                raise AttributeError(f"{name} changes an array in place, and a row stays what it is: "
                                     f"{name.rstrip('_')}(row) is another row")
            return lambda *args, **options: late("method")(self, name, args, options)

    def diff(self, *by: Any, **options: Any) -> Node:
        raise TypeError(f"{UNSEEN}; differences of neighbours are np.diff(row)")

    @property
    def mT(self) -> Node:
        row: Node = late("called")("matrix_transpose", (self,), {})
        return row

    @property
    def size(self) -> sp.Expr:
        return size_of(self.shape)

    def __len__(self) -> int:
        return _number_of(self.shape)

    def __iter__(self) -> Iterator[Node]:
        return (self[k] for k in range(_number_of(self.shape)))

    def __bool__(self) -> bool:
        raise TypeError("a row has no truth value before it has numbers; use where(condition, a, b)")

    def __float__(self) -> float:
        raise TypeError("a row is symbolic and has no number yet: its functions are NumPy's, np.exp(row), and this "
                        "package's, not those of math")

    __int__ = __complex__ = __float__

    def _sympy_(self) -> sp.Expr:
        return late("RowSymbol")(self)
