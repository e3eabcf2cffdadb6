"""NumPy's functions on rows: ``np.dot(A, B)`` makes the row of what NumPy would compute, or is refused by its name.

NumPy hands such calls to the operands (NEP 13 for ufuncs, NEP 18 for the rest). The functions that answer stand in one
table, under NumPy's names and with NumPy's arguments; they compose those of the model language. What model text reads
as NumPy calls it is not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from itertools import pairwise, takewhile
from string import ascii_letters
from typing import Any, TypeVar

import sympy as sp

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.functions import graph_of
from symbackprop.core.graph import Leaf, Node, label
from symbackprop.core.indexing import getitem, holds
from symbackprop.core.ops.views import flip
from symbackprop.core.shapes import Axis, Shape, as_shape, normalise_axes, normalise_axis, size_of
from symbackprop.doorway import late
from symbackprop.errors import ModelError, ShapeError, UsageError

G = TypeVar("G", bound=Callable[..., Any])
TABLE: dict[str, Callable[..., Any]] = {}
LETTERS = ascii_letters
ONE_ARRAY = {"a", "b", "x", "x1", "x2", "m", "v", "A", "B", "arr", "ary", "array"}  # NumPy's words for one array


def named(*names: str) -> Callable[[G], G]:
    """Puts a function into the table under the names that NumPy has for it."""

    def put(function: G) -> G:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return put


def rows(*values: Any) -> list[Node]:
    """Rows and numbers as rows of one graph. Raises `ModelError` for arrays of numbers: they are data of the model."""
    graph = graph_of(*values)
    return [graph.lift(v) for v in values]


def flat(a: Node, axis: int | None = None) -> Node:
    """All entries along one axis, unless an axis is given."""
    return build.reshape(a, (-1,)) if axis is None else a


# -- ufuncs, and their methods reduce, accumulate and outer
FUNCTIONS = {"exp", "log", "log1p", "expm1", "sqrt", "sign", "sin", "cos", "tan", "sinh", "cosh", "tanh",
             "floor", "ceil", "trunc", "remainder", "floor_divide", "square", "exp2", "log2", "log10",
             "maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "negative"}
TABLE.update({name: F.FUNCTIONS[name] for name in FUNCTIONS})
TABLE.update(dict.fromkeys(("absolute", "fabs"), F.FUNCTIONS["abs"]))
TABLE.update({f"arc{name}": F.FUNCTIONS[f"a{name}"] for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")})
TABLE |= {"rint": F.FUNCTIONS["round"], "mod": TABLE["remainder"], "i0": F.FUNCTIONS["i0"]}


def _binary(name: str, rule: Callable[[Node, Node], Any]) -> None:
    TABLE[name] = lambda x1, x2: rule(*rows(x1, x2))


TABLE |= {
    "positive": lambda x: x,
    "reciprocal": lambda x: 1 / x,
    "logical_not": lambda x: F.pointwise.equal(x, 0),
}

for _name, _pair in {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "float_power": lambda a, b: a**b,
    "matmul": build.matmul,
    "logical_and": lambda a, b: F.pointwise.not_equal(a, 0) * F.pointwise.not_equal(b, 0),
    "logical_or": lambda a, b: F.pointwise.maximum(F.pointwise.not_equal(a, 0), F.pointwise.not_equal(b, 0)),
    "hypot": lambda a, b: a.graph.call("root", a**2 + b**2),
}.items():
    _binary(_name, _pair)
TABLE["true_divide"] = TABLE["divide"]


def _conditions(*values: Any) -> list[Node]:
    """Rows that hold or do not. Raises a `ModelError` for others: of whole numbers these functions are of their
    bits."""
    found = rows(*values)
    for row in found:
        mask = isinstance(row.attr, Leaf) and row.attr.below == 2
        if not (holds(row) or mask or row.value in (0, 1)):
            raise ModelError(f"&, | and ~ are of conditions, and {label(row)} is none: a * b, maximum(a, b), and the "
                             "opposite of a condition is 1 - a")
    return found


@named("bitwise_and")
def bitwise_and(x1: Any, x2: Any) -> Node:
    a, b = _conditions(x1, x2)
    return a * b


@named("bitwise_or")
def bitwise_or(x1: Any, x2: Any) -> Node:
    return F.pointwise.maximum(*_conditions(x1, x2))


@named("bitwise_not", "invert")
def bitwise_not(x: Any) -> Node:
    return F.pointwise.equal(*_conditions(x), 0)


@named("logaddexp")
def logaddexp(x1: Any, x2: Any) -> Node:
    a, b = rows(x1, x2)
    a, b = (a.graph.broadcast(x, (a + b).shape) for x in (a, b))
    return build.logsumexp(build.concat([build.expand(a, 0), build.expand(b, 0)], 0), 0)


@named("heaviside")
def heaviside(x1: Any, x2: Any) -> Node:
    x, half = rows(x1, x2)
    return F.pointwise.where(F.pointwise.equal(x, 0), half, F.pointwise.where(x > 0, 1, 0))


# -- methods
def _reduced(reduce: Callable[..., Node]) -> Callable[..., Node]:
    def method(array: Node, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Node:
        return reduce(array, axis, keepdims)

    return method


for _name, _reduce in (("add", build.reduce_sum), ("maximum", build.reduce_max), ("minimum", F.reductions.min)):
    TABLE[f"{_name}.reduce"] = _reduced(_reduce)
TABLE["add.accumulate"] = lambda array, axis=0, dtype=None, out=None: F.reductions.cumsum(array, axis)


def _outer(name: str) -> Callable[[Any, Any], Any]:
    def outer(A: Any, B: Any) -> Any:
        a, b = rows(A, B)
        return TABLE[name](build.reshape(a, (*a.shape, *[1] * b.ndim)), b)

    return outer


for _name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "equal", "not_equal", "greater",
              "greater_equal", "less", "less_equal"):
    TABLE[f"{_name}.outer"] = _outer(_name)


# -- reductions; without an axis they take all entries, as NumPy does
def _largest(a: Node, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Node:
    return build.reduce_max(a, axis, keepdims)


def _smallest(a: Node, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Node:
    return F.reductions.min(a, axis, keepdims=keepdims)


@named("var")
def var(a: Node, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False,
        *, correction: int | None = None) -> Node:
    lost = ddof if correction is None else correction
    if not lost:
        return F.reductions.var(a, axis, keepdims=keepdims)
    centred = a - F.reductions.mean(a, axis, keepdims=True)
    count = size_of(a.shape, normalise_axes(axis, a.ndim)) - lost
    average: Node = build.reduce_sum(centred**2, axis, keepdims) / count
    return average


@named("average")
def average(a: Node, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Node:
    if returned:
        raise UsageError("np.average on the rows of a model does not return the sum of the weights")
    if weights is None:
        return F.reductions.mean(a, axis, keepdims=keepdims)
    a, w = rows(a, weights)
    if w.ndim != a.ndim and axis is not None:
        (place,) = normalise_axes(axis, a.ndim)
        w = build.reshape(w, tuple(w.shape[0] if k == place else 1 for k in range(a.ndim)))
    weight = a.graph.broadcast(w, a.shape)
    return build.reduce_sum(a * w, axis, keepdims) / build.reduce_sum(weight, axis, keepdims)


@named("linalg.norm")
def norm(x: Node, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Node:
    """The Euclidean norm, of all entries or along axes; of vectors also the norms 1 and inf."""
    axes = normalise_axes(axis, x.ndim)
    vectors = len(axes) == 1
    if ord is None or (ord == 2 and vectors) or (ord == "fro" and len(axes) == 2):
        return F.reductions.norm(x, axis, keepdims=keepdims)
    size = F.pointwise.abs(x)
    if vectors and ord == 1:
        return build.reduce_sum(size, axis, keepdims)
    if vectors and ord == float("inf"):
        return build.reduce_max(size, axis, keepdims)
    raise UsageError(f"np.linalg.norm on the rows of a model has no ord={ord!r} over {len(axes)} axes")


TABLE |= {
    "sum": lambda a, axis=None, dtype=None, out=None, keepdims=False: build.reduce_sum(a, axis, keepdims),
    "mean": lambda a, axis=None, dtype=None, out=None, keepdims=False: F.reductions.mean(a, axis, keepdims=keepdims),
    "max": _largest,
    "amax": _largest,
    "min": _smallest,
    "amin": _smallest,
    "ptp": lambda a, axis=None, out=None, keepdims=False: (
        _largest(a, axis, out, keepdims) - _smallest(a, axis, out, keepdims)
    ),
    "std": lambda a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=None: (
        F.pointwise.sqrt(var(a, axis, None, None, ddof, keepdims, correction=correction))
    ),
    "cumsum": lambda a, axis=None, dtype=None, out=None: F.reductions.cumsum(flat(a, axis), axis or 0),
    "count_nonzero": lambda a, axis=None, *, keepdims=False: (
        build.reduce_sum(F.pointwise.not_equal(a, 0), axis, keepdims)
    ),
    "any": lambda a, axis=None, out=None, keepdims=False: _largest(F.pointwise.not_equal(a, 0), axis, out, keepdims),
    "all": lambda a, axis=None, out=None, keepdims=False: _smallest(F.pointwise.not_equal(a, 0), axis, out, keepdims),
}


# -- products
def contracted(a: Node, b: Node, axes_a: Sequence[int], axes_b: Sequence[int]) -> Node:
    """Σ over pairs of axes; what is left of a, then of b."""
    left, right = LETTERS[: a.ndim], list(LETTERS[a.ndim : a.ndim + b.ndim])
    for i, j in zip(axes_a, axes_b, strict=True):
        right[j] = left[i]
    out = [c for k, c in enumerate(left) if k not in axes_a] + [c for k, c in enumerate(right) if k not in axes_b]
    return build.einsum(f"{left},{''.join(right)}->{''.join(out)}", a, b)


@named("dot")
def dot(a: Any, b: Any, out: Any = None) -> Node:
    a, b = rows(a, b)
    if not a.ndim or not b.ndim:
        return a * b  # type: ignore[no-any-return]
    return build.matmul(a, b) if a.ndim < 3 and b.ndim < 3 else contracted(a, b, [a.ndim - 1], [max(b.ndim - 2, 0)])


@named("inner")
def inner(a: Any, b: Any) -> Node:
    a, b = rows(a, b)
    return a * b if not a.ndim or not b.ndim else contracted(a, b, [a.ndim - 1], [b.ndim - 1])


@named("tensordot")
def tensordot(a: Any, b: Any, axes: Any = 2) -> Node:
    a, b = rows(a, b)
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    first, second = ([x] if isinstance(x, int) else list(x) for x in axes)
    return contracted(a, b, [k % a.ndim for k in first], [k % b.ndim for k in second])


@named("einsum")
def einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Node:
    if not isinstance(subscripts, str):
        raise UsageError("np.einsum on the rows of a model needs the subscripts as text, as in 'ij,jk->ik'")
    return F.arrange.einsum(subscripts, *rows(*operands))


@named("outer")
def outer(a: Any, b: Any, out: Any = None) -> Node:
    return build.einsum("i,j->ij", *map(flat, rows(a, b)))


@named("vdot")
def vdot(a: Any, b: Any) -> Node:
    return build.einsum("i,i->", *map(flat, rows(a, b)))


TABLE |= {
    "diagonal": F.arrange.diagonal,
    "diag": F.arrange.diag,
    "trace": lambda a, offset=0, axis1=0, axis2=1, dtype=None, out=None: F.arrange.trace(a, offset, axis1, axis2),
}


# -- what makes, moves, joins and chooses entries
@named("full_like")
def full_like(a: Node, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
              ) -> Node:
    return a.graph.broadcast(a.graph.lift(fill_value), a.shape if shape is None else _sizes(shape))


@named("reshape")
def reshape(a: Node, shape: Any = None, order: str = "C", *, newshape: Any = None) -> Node:
    sizes = newshape if shape is None else shape
    return build.reshape(a, sizes if isinstance(sizes, (tuple, list)) else (sizes,))


@named("moveaxis")
def moveaxis(a: Node, source: Any, destination: Any) -> Node:
    froms, tos = ([x] if isinstance(x, int) else list(x) for x in (source, destination))
    froms, tos = ([normalise_axis(x, a.ndim) for x in axes] for axes in (froms, tos))
    order = [k for k in range(a.ndim) if k not in froms]
    for to, k in sorted(zip(tos, froms, strict=True)):
        order.insert(to, k)
    return build.transpose(a, order)


@named("expand_dims")
def expand_dims(a: Node, axis: Any) -> Node:
    wanted = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    for place in sorted(normalise_axis(k, a.ndim + len(wanted)) for k in wanted):
        a = build.expand(a, place)
    return a


@named("atleast_1d")
def atleast_1d(a: Node) -> Node:
    return a if a.ndim else build.reshape(a, (1,))


@named("atleast_2d")
def atleast_2d(a: Node) -> Node:
    return a if a.ndim > 1 else build.reshape(a, (1, -1) if a.ndim else (1, 1))


@named("dstack")
def dstack(tup: Any) -> Node:
    wide = [atleast_2d(a) for a in rows(*tup)]
    return build.concat([a if a.ndim > 2 else build.expand(a, -1) for a in wide], 2)


@named("roll")
def roll(a: Node, shift: Any, axis: Any = None) -> Node:
    if axis is None:
        return build.reshape(F.arrange.roll(flat(a), shift, 0), a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for k, by in zip(axes, shift if isinstance(shift, (tuple, list)) else [shift] * len(axes), strict=True):
        a = F.arrange.roll(a, by, k)
    return a


@named("diff")
def diff(a: Node, n: int = 1, axis: int = -1) -> Node:
    place = normalise_axis(axis, a.ndim)
    for _ in range(n):
        rest = a.shape[place] - 1
        a = build.slice_axis(a, place, 1, rest) - build.slice_axis(a, place, 0, rest)
    return a


# -- joining and splitting
@named("concatenate", "concat")
def concatenate(arrays: Any, axis: int | None = 0, out: Any = None, dtype: Any = None) -> Node:
    parts = rows(*arrays)
    return build.concat([flat(p, axis) for p in parts], axis or 0)


@named("hstack")
def hstack(tup: Any, dtype: Any = None) -> Node:
    parts = [atleast_1d(a) for a in rows(*tup)]
    return build.concat(parts, 0 if parts[0].ndim == 1 else 1)


@named("split", "array_split")
def split(ary: Node, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    place = normalise_axis(axis, ary.ndim)
    whole, cuts = ary.shape[place], indices_or_sections
    if not isinstance(cuts, (tuple, list)):
        share = sp.cancel(whole / cuts)
        if share.is_integer is False or (share.is_Rational and not share.is_Integer):
            raise ShapeError(f"np.split: {whole} entries are not {cuts} equal parts")
        cuts = [share * k for k in range(1, int(cuts))]
    bounds = [0, *cuts, whole]
    return [build.slice_axis(ary, place, a, b - a) for a, b in pairwise(bounds)]


# -- choosing
@named("where")
def where(condition: Any, x: Any = None, y: Any = None) -> Node:
    if x is None or y is None:
        raise UsageError("np.where on the rows of a model needs three arguments: condition, x, y")
    return F.pointwise.where(condition, x, y)


@named("take")
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Node:
    (a, index) = rows(a, indices) if isinstance(indices, Node) else (a, indices)
    index = [*index] if isinstance(index, tuple) else index
    if axis is None:
        return flat(a)[index]
    return getitem(a, (*[slice(None)] * normalise_axis(axis, a.ndim), index))


@named("take_along_axis")
def take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Node:
    row, index = rows(arr, indices)
    return build.take_along(row, index, axis)


def _sizes(shape: Any) -> Shape:
    return as_shape(shape if isinstance(shape, Sequence) else (shape,))


TABLE |= {
    "shape": lambda a: a.shape,
    "ndim": lambda a: a.ndim,
    "size": lambda a, axis=None: size_of(a.shape) if axis is None else a.shape[axis],
    "zeros_like": lambda a, dtype=None, order="K", subok=True, shape=None: full_like(a, 0, shape=shape),
    "ones_like": lambda a, dtype=None, order="K", subok=True, shape=None: full_like(a, 1, shape=shape),
    "broadcast_to": lambda array, shape, subok=False: array.graph.broadcast(array, _sizes(shape)),
    "ravel": lambda a, order="C": build.reshape(a, (-1,)),
    "permute_dims": lambda a, axes=None: build.transpose(a, axes),
    "matrix_transpose": lambda x: build.swapaxes(x, -1, -2),
    "swapaxes": lambda a, axis1, axis2: build.swapaxes(a, axis1, axis2),
    "fliplr": lambda m: flip(m, 1),
    "flipud": lambda m: flip(m, 0),
    "repeat": lambda a, repeats, axis=None: F.arrange.repeat(flat(a, axis), repeats, axis or 0),
    "vstack": lambda tup, dtype=None: build.concat([atleast_2d(a) for a in rows(*tup)], 0),
    "row_stack": lambda tup, dtype=None: build.concat([atleast_2d(a) for a in rows(*tup)], 0),
    "column_stack": lambda tup: build.concat([build.reshape(a, (-1, 1)) if a.ndim < 2 else a for a in rows(*tup)], 1),
}


# -- calls
# What only arrays in memory have; a function of the table that lists one here does so for its place among the others.
OF_MEMORY = {"out", "where", "dtype", "order", "casting", "subok", "initial", "mode", "copy", "device", "like"}
SUBPACKAGES = ("linalg", "fft", "ma")


def of_function(function: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """What a function of NumPy's is on rows."""
    return called(_name_of(function), *_in_order(function, args, options))


def _in_order(function: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """The arguments without which there is no call at their places: only NumPy has to know its words for them."""
    try:
        parameters = [*signature(function).parameters.values()][len(args) :]
    except ValueError:  # a function that is written in C
        return args, options
    needed = [p.name for p in takewhile(lambda p: p.default is p.empty and p.name in options, parameters)]
    return (*args, *[options[name] for name in needed]), {k: v for k, v in options.items() if k not in needed}


def called(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """What ``np.name(*args, **options)`` is on rows; what the table does not have is read as model text reads it.
    Raises `NameProblem` for a function that has no counterpart, `UsageError` for arguments that have none."""
    ours = TABLE.get(name)
    if ours is None:
        return late("in_text")(graph_of(*args, *options.values()), f"np.{name}", args, options)
    parameters = signature(ours).parameters
    try:
        bound = signature(ours).bind(*args, **{k: v for k, v in options.items() if k not in OF_MEMORY - {*parameters}})
    except TypeError as error:
        raise UsageError(f"np.{name} on the rows of a model: {error}") from None
    asked = {k: v for k, v in {**options, **bound.arguments}.items() if k in OF_MEMORY}
    for option, value in asked.items():
        usual = parameters[option].default if option in parameters else None
        if not (_says_nothing(value) or (isinstance(value, (str, bool)) and value == usual)):
            raise UsageError(f"np.{name} on the rows of a model takes no {option}=: a row has no memory of its own")
        bound.arguments.pop(option, None)
    return ours(*bound.args, **bound.kwargs)


def _says_nothing(value: Any) -> bool:
    """Whether an argument asks for nothing special; ``dtype=float`` does not, since rows are floats."""
    return value is None or repr(value) == "<no value>" or (isinstance(value, type) and issubclass(value, float))


def _name_of(function: Any) -> str:
    """What a NumPy function is called behind ``np.``: ``dot``, ``linalg.norm``."""
    home = (getattr(function, "__module__", None) or "").split(".")
    part = home[1] if len(home) > 1 and home[1] in SUBPACKAGES else ""
    name = function.__name__.removesuffix("_")  # round_ of NumPy 1.24
    return f"{part}.{name}" if part else str(name)
