"""What users call: compositions of rows. Their backward is derived, never written here.

Every function takes rows (or numbers and SymPy expressions where a row is among the arguments) and returns a row. Names
are NumPy's where NumPy has them; ``axis`` and ``keepdims`` mean what they mean there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeAlias, TypeVar

import sympy as sp

from symbackprop.core import build
from symbackprop.core.graph import FLOAT, Graph, Node, Operand, Origin, label
from symbackprop.core.indexing import one_hot_along
from symbackprop.core.shapes import DimLike, normalise_axes, normalise_axis, same_shape, shape_text, size_of
from symbackprop.errors import ShapeError

Axis: TypeAlias = int | Sequence[int] | None
FUNCTIONS: dict[str, Callable[..., Node]] = {}
F = TypeVar("F", bound=Callable[..., Node])


def mark(row: Node, name: str, args: tuple[Any, ...], options: dict[str, Any], fresh: bool = False) -> Node:
    """Remember that a row was written as name(args, options); named rows and leaves keep their own form, and so does
    one written before, unless the call has just made it (``fresh``): the outermost call is the shortest text."""
    older = all(a.id < row.id for a in (*args, *options.values()) if isinstance(a, Node))  # else it would mention itself
    if row.name is None and row.args and (fresh or row.origin is None) and older:
        row.origin = Origin(name, args, options)
    return row


def function(call: F) -> F:
    """Make a composition callable from model text, and its rows print as the call that made them."""
    parameters = signature(call).parameters
    needed = {k for k, p in parameters.items() if p.default is Parameter.empty}

    @wraps(call)
    def wrapped(*args: Any, **options: Any) -> Node:
        graph = graph_of(*args, *options.values())
        rows = tuple(whole(a) if isinstance(a, Node) else a for a in _lifted(graph, args))
        given = dict(zip(parameters, rows, strict=False)) | options
        required = tuple(v for k, v in given.items() if k in needed)
        optional = {k: v for k, v in given.items() if k not in needed and not _same(v, parameters[k].default)}
        count = len(graph.nodes)
        row = call(*rows, **options)
        return mark(row, call.__name__, required, optional, fresh=row.id >= count)

    FUNCTIONS[call.__name__] = wrapped
    return wrapped  # type: ignore[return-value]


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


def plain(call: F) -> F:
    """Make a function callable from model text; its row prints by itself."""

    @wraps(call)
    def wrapped(*args: Any, **options: Any) -> Node:
        graph = graph_of(*args, *options.values())
        return call(*_lifted(graph, args), **options)

    FUNCTIONS[call.__name__] = wrapped
    return wrapped  # type: ignore[return-value]


def _lifted(graph: Graph, args: Sequence[Any]) -> list[Any]:
    return [graph.lift(a) if _is_operand(a) else a for a in args]


def _is_operand(value: Any) -> bool:
    """Whether a SymPy expression speaks of rows; one in dimensions alone may be a size."""
    if not isinstance(value, sp.Expr):
        return False
    return any(not (s.is_integer and s.is_positive) for s in value.free_symbols)


def graph_of(*args: Any) -> Graph:
    """The graph that the arguments belong to."""
    from symbackprop.core.bridge import RowSymbol

    for a in args:
        if isinstance(a, (list, tuple)):
            args = (*args, *a)
    for a in args:
        if isinstance(a, Node):
            return a.graph
        if isinstance(a, sp.Expr):
            symbols = sorted(a.atoms(RowSymbol), key=str)
            if symbols:
                graph: Graph = symbols[0].row.graph
                return graph
    raise TypeError("at least one argument has to be a row of a model")


# -- elementwise ---------------------------------------------------------------------------------------------------


def _unary(name: str) -> Callable[[Operand], Node]:
    def apply(x: Operand) -> Node:
        return graph_of(x).call(name, x)

    apply.__name__, apply.__qualname__ = name, name
    apply.__doc__ = f"{name} of every entry."
    FUNCTIONS[name] = apply
    return apply


exp, log, log1p, expm1 = _unary("exp"), _unary("log"), _unary("log1p"), _unary("expm1")
sqrt, abs, sign, sin, cos = _unary("sqrt"), _unary("abs"), _unary("sign"), _unary("sin"), _unary("cos")
tanh, sigmoid, softplus, erf = _unary("tanh"), _unary("sigmoid"), _unary("softplus"), _unary("erf")
normal_cdf, normal_pdf = _unary("normal_cdf"), _unary("normal_pdf")


def _binary(name: str) -> Callable[[Operand, Operand], Node]:
    def apply(a: Operand, b: Operand) -> Node:
        return graph_of(a, b).call(name, a, b)

    apply.__name__, apply.__qualname__ = name, name
    apply.__doc__ = f"Elementwise {name}."
    FUNCTIONS[name] = apply
    return apply


maximum, minimum = _binary("maximum"), _binary("minimum")
equal, not_equal = _binary("equal"), _binary("not_equal")
greater, greater_equal = _binary("greater"), _binary("greater_equal")
less, less_equal = _binary("less"), _binary("less_equal")


@plain
def relu(x: Node) -> Node:
    """max(0, x); its derivative at 0 is the model's relu0 convention."""
    return x.graph.call("relu", x, x.graph.relu0)


@plain
def leaky_relu(x: Node, slope: Operand = 0.01) -> Node:
    """x where x > 0, else slope·x."""
    return x.graph.call("leaky", x, slope, x.graph.relu0)


@plain
def prelu(x: Node, slope: Node) -> Node:
    """Leaky ReLU whose slope is a parameter."""
    return x.graph.call("leaky", x, slope, x.graph.relu0)


@plain
def elu(x: Node, alpha: Operand = 1) -> Node:
    """x where x > 0, else alpha·(e^x − 1)."""
    return x.graph.call("elu_unit", x, alpha)


@function
def gelu(x: Node) -> Node:
    """x·Φ(x), exact."""
    return x * _hint(normal_cdf(x), "Phi")


@function
def gelu_tanh(x: Node) -> Node:
    """½x(1 + tanh(√(2/π)(x + 0.044715x³)))."""
    inner = _hint(sp.sqrt(2 / sp.pi) * (x + sp.Rational("0.044715") * x**3), "u")
    half: Node = sp.Rational(1, 2) * x
    return half * (1 + _hint(tanh(inner), "t"))


@function
def gelu_sigmoid(x: Node) -> Node:
    """x·σ(1.702x)."""
    return x * _hint(sigmoid(sp.Rational("1.702") * x), "s")


@function
def silu(x: Node) -> Node:
    """x·σ(x)."""
    return x * _hint(sigmoid(x), "s")


@function
def swish(x: Node, beta: Operand = 1) -> Node:
    """x·σ(βx)."""
    return x * _hint(sigmoid(beta * x), "s")


@function
def mish(x: Node) -> Node:
    """x·tanh(softplus(x))."""
    return x * _hint(tanh(softplus(x)), "t")


@plain
def where(condition: Operand, a: Operand, b: Operand) -> Node:
    """a where the condition holds, else b; the branch not taken has no influence on the gradient."""
    graph = graph_of(condition, a, b)
    return graph.call("where", condition, a, b)


def _hint(node: Node, name: str) -> Node:
    """What an unnamed row would like to be called when a derivation has to name it; it stays one row."""
    if node.name is None and node.hint is None:
        node.hint = name
    return whole(node)


def whole(node: Node) -> Node:
    """Keep an unnamed row that is read more than once from being copied into the formulas that read it."""
    node.graph.sealed.add(node.id)
    return node


# -- reductions ----------------------------------------------------------------------------------------------------


@plain
def sum(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ over the axes."""
    return build.reduce_sum(a, axis, keepdims)


@function
def mean(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Σ over the axes, divided by how many entries that are."""
    average: Node = build.reduce_sum(a, axis, keepdims) / size_of(a.shape, normalise_axes(axis, a.ndim))
    return average


@plain
def max(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest entry; equal largest entries share the gradient."""
    return build.reduce_max(a, axis, keepdims)


@function
def min(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest entry; equal smallest entries share the gradient."""
    return -build.reduce_max(-a, axis, keepdims)


@function
def var(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The mean squared distance from the mean (divided by n, not n − 1)."""
    centred = _hint(a - mean(a, axis, True), "c")
    return mean(centred**2, axis, keepdims)


@plain
def logsumexp(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """log Σ e^a, stable."""
    return build.logsumexp(a, axis, keepdims)


@plain
def softmax(a: Node, axis: Axis = -1, keepdims: bool = True) -> Node:
    """e^a / Σ e^a along the axes, stable. It has the shape of a, whatever ``keepdims`` says."""
    axes = normalise_axes(axis, a.ndim)
    return build.softmax(a, axes[0]) if len(axes) == 1 else exp(log_softmax(a, axis))


@function
def log_softmax(a: Node, axis: Axis = -1, keepdims: bool = True) -> Node:
    """a − logsumexp(a) along the axes. It has the shape of a, whatever ``keepdims`` says."""
    return a - build.logsumexp(a, axis, keepdims=True)


@function
def norm(a: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The Euclidean norm √Σa²; its gradient at 0 is taken as 0 (the shortest subgradient)."""
    return a.graph.call("root", build.reduce_sum(a**2, axis, keepdims))


@plain
def cumsum(a: Node, axis: int = 0) -> Node:
    """Running sums along an axis, as a product with a triangle of ones."""
    place = normalise_axis(axis, a.ndim)
    n = a.shape[place]
    letters = "abcdefgh"[: a.ndim]
    out = letters.replace(letters[place], "z")
    row = build.einsum(f"z{letters[place]},{letters}->{out}", causal_mask_of(a.graph, n), a)
    return mark(row, "cumsum", (a, axis), {})


# -- losses --------------------------------------------------------------------------------------------------------


@function
def cross_entropy(logits: Node, target: Node) -> Node:
    """−log softmax(logits) at the target, along the last axis, by way of logsumexp.

    ``target`` is integer data of shape logits.shape[:-1] (class indices) or a distribution of the shape of the logits.
    """
    if target.kind != FLOAT:
        return build.logsumexp(logits, -1) - pick(logits, target)
    if not same_shape(logits.shape, target.shape):
        raise ShapeError(
            f"cross_entropy: {label(logits)} ({shape_text(logits.shape)}) needs class indices of shape "
            f"{shape_text(logits.shape[:-1])} or a distribution of its own shape, not {shape_text(target.shape)}"
        )
    return -build.reduce_sum(target * log_softmax(logits), -1)


@function
def pick(a: Node, index: Node) -> Node:
    """a[…, index]: one entry of the last axis for each leading position."""
    if not same_shape(a.shape[:-1], index.shape):
        raise ShapeError(
            f"class indices for {label(a)} ({shape_text(a.shape)}) have shape {shape_text(a.shape[:-1])}, "
            f"not {shape_text(index.shape)}"
        )
    chosen = build.take_along(a, build.expand(index, -1), -1)
    return build.reshape(chosen, index.shape)


@function
def binary_cross_entropy(prob: Node, target: Operand) -> Node:
    """−(y log p + (1 − y) log(1 − p)) for probabilities p; for p = σ(z) its derivative in z is p − y."""
    return prob.graph.call("bernoulli_loss", prob, target)


@function
def binary_cross_entropy_with_logits(logits: Node, target: Operand) -> Node:
    """softplus(z) − y·z, which is −(y log σ(z) + (1 − y) log(1 − σ(z))) without overflow."""
    return softplus(logits) - target * logits


# -- normalisation -------------------------------------------------------------------------------------------------


@function
def layer_norm(x: Node, axis: Axis = -1, eps: Operand = 1e-5) -> Node:
    """(x − mean)/√(var + eps) along the axes, without an affine part."""
    centred = _hint(x - _hint(mean(x, axis, True), "mu"), "c")
    spread = _hint(sqrt(_hint(mean(centred**2, axis, True) + eps, "v")), "s")
    return centred / spread


@function
def rms_norm(x: Node, axis: Axis = -1, eps: Operand = 1e-5) -> Node:
    """x/√(mean(x²) + eps) along the axes, without an affine part."""
    return x / _hint(sqrt(_hint(mean(x**2, axis, True) + eps, "v")), "s")


# -- products and arrangement --------------------------------------------------------------------------------------


@plain
def einsum(spec: str, *args: Node) -> Node:
    """Σ of products by index letters, as NumPy's einsum."""
    return build.einsum(spec, *args)


@plain
def outer(a: Node, b: Node) -> Node:
    """a bᵀ for vectors."""
    return build.einsum("i,j->ij", a, b)


@plain
def dot(a: Node, b: Node) -> Node:
    """The inner product of vectors; otherwise the matrix product."""
    return build.matmul(a, b)


@plain
def diag(a: Node) -> Node:
    """The diagonal of a matrix, or the diagonal matrix of a vector."""
    if a.ndim == 1:
        return build.einsum("i,ij->ij", a, build.eye(a.graph, a.shape[0]))
    return build.einsum("ii->i", a)


@plain
def trace(a: Node) -> Node:
    """Σ of the diagonal."""
    return build.einsum("ii->", a)


@plain
def concat(*parts: Node, axis: int = 0) -> Node:
    """Arrays joined along an axis; they may also come as one list."""
    return build.concat(_listed(parts), axis)


@plain
def stack(*parts: Node, axis: int = 0) -> Node:
    """Arrays of one shape joined along a new axis; they may also come as one list."""
    return build.concat([build.expand(p, axis) for p in _listed(parts)], axis)


def _listed(parts: Sequence[Any]) -> list[Node]:
    inside = parts[0] if len(parts) == 1 and isinstance(parts[0], (list, tuple)) else parts
    graph = graph_of(*inside)
    return [graph.lift(p) for p in inside]


@plain
def reshape(a: Node, *shape: Any) -> Node:
    """The same entries under another shape."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return build.reshape(a, sizes)


@plain
def transpose(a: Node, axes: Sequence[int] | None = None) -> Node:
    """The axes permuted (reversed by default)."""
    return build.transpose(a, axes)


@plain
def take_along_axis(a: Node, index: Node, axis: int = -1) -> Node:
    """NumPy's take_along_axis."""
    return build.take_along(a, index, axis)


@function
def one_hot(index: Node, size: DimLike) -> Node:
    """1 at the index along a new last axis, else 0."""
    if index.kind == FLOAT:
        raise ShapeError(f"one_hot: {label(index)} is not integer data: declare it as `int < SIZE`")
    return one_hot_along(build.expand(index, -1), index.ndim, sp.sympify(size))


@function
def roll(a: Node, shift: int, axis: int = 0) -> Node:
    """Entries moved ``shift`` places along an axis, those that leave coming back at the other end."""
    place = normalise_axis(axis, a.ndim)
    size = a.shape[place]
    offset = sp.sympify(shift) % size if size.is_Integer else sp.sympify(shift)
    if offset == 0:
        return a
    cut = size - offset if offset.is_positive else -offset
    head, tail = build.slice_axis(a, place, 0, cut), build.slice_axis(a, place, cut, size - cut)
    return build.concat([tail, head], place)


@function
def repeat(a: Node, n: DimLike, axis: int = 0) -> Node:
    """Every entry n times along an axis, copies next to each other."""
    place = normalise_axis(axis, a.ndim)
    wide = build.expand(a, place + 1)
    count = sp.sympify(n)
    wide = a.graph.broadcast(wide, (*wide.shape[: place + 1], count, *wide.shape[place + 2 :]))
    return build.reshape(wide, (*a.shape[:place], a.shape[place] * count, *a.shape[place + 1 :]))


# -- constants: these need to be told the graph, since no argument carries it ---------------------------------------


def causal_mask_of(graph: Graph, n: DimLike) -> Node:
    """n x n: 1 where the column is not after the row, else 0."""
    places = build.arange(graph, n)
    mask = graph.call("greater_equal", build.expand(places, 1), build.expand(places, 0))
    return mark(mask, "causal_mask", (sp.sympify(n),), {})


CONSTANTS: dict[str, Callable[..., Node]] = {
    "arange": lambda graph, n: build.arange(graph, n),
    "eye": lambda graph, n: build.eye(graph, n),
    "zeros": lambda graph, *shape: graph.full(0, _dims(shape)),
    "ones": lambda graph, *shape: graph.full(1, _dims(shape)),
    "causal_mask": causal_mask_of,
}


def _dims(shape: Sequence[Any]) -> Sequence[DimLike]:
    return shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


__all__ = [*sorted(FUNCTIONS), "CONSTANTS", "FUNCTIONS"]
