"""What functions in printed mathematics mean: those of the model language as it documents them, the others by NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core import maths as m
from symbackprop.core.graph import FLOAT, INT, Graph, Node
from symbackprop.errors import ModelError
from symbackprop.verify.interpreter import evaluate
from tests.render.reading import Wrong

if TYPE_CHECKING:
    from tests.render.strict import Reader, Value

Array = Any
Function = Callable[["Reader", Sequence[m.Math], Mapping[str, m.Math], Sequence[m.Math]], "Value"]


CONSTANTS = (m.Several, m.Shape, m.Num)


def plain(apply: Callable[..., Array]) -> Function:
    """A function of arrays, at every letter by itself; an argument that is a size or a tuple of them stays one."""

    def read(reader: Reader, args: Sequence[m.Math], options: Mapping[str, m.Math], below: Sequence[m.Math]) -> Value:
        given = {k: constant(reader, v) for k, v in options.items()}
        places = {k: constant(reader, a) for k, a in enumerate(args) if isinstance(a, CONSTANTS)}
        values = [reader(a) for k, a in enumerate(args) if k not in places]

        def whole(*arrays: Array) -> Array:
            rest = iter(arrays)
            return apply(*[places[k] if k in places else next(rest) for k in range(len(args))], **given)

        return each(reader, whole, *values)

    return read


def each(reader: Reader, apply: Callable[..., Array], *values: Value) -> Value:
    from tests.render.strict import Value

    n = len(reader.axes)
    front = np.broadcast_shapes(*[v.array.shape[:n] for v in values]) if values else (1,) * n
    arrays = [np.broadcast_to(v.array, (*front, *v.shape)) for v in values]
    found = [np.asarray(apply(*[a[at] for a in arrays])) for at in np.ndindex(*front)]
    return Value(np.stack(found).reshape((*front, *found[0].shape)), n)


def constant(reader: Reader, tree: m.Math) -> Any:
    """A number, a size, or several of them, outside of arrays."""
    match tree:
        case m.Several(items):
            return tuple(constant(reader, x) for x in items)
        case m.Shape(sizes):
            return tuple(int(reader.number(d)) for d in sizes)
        case m.Num(value):
            number = reader.number(value)
            return int(number) if number == int(number) else number
        case m.Words(text):
            return {"True": True, "False": False, "None": None}.get(text, text)
        case m.Prod() | m.Sum() | m.Frac():
            return reader(tree).array.item()
    return reader(tree).array.item()


def language(name: str) -> Function:
    """A function of the model language, on rows of its own."""

    def apply(*args: Any, **options: Any) -> Array:
        graph, given = Graph(), {}
        rows: list[Any] = []
        for a in args:
            if isinstance(a, (np.ndarray, np.generic)):
                row, called = _leaf(graph, a, f"a{len(rows)}")
                given[called] = a
                rows.append(row)
            else:
                rows.append(a)
        try:
            return evaluate([F.FUNCTIONS[name](*rows, **options)], given, {})[0]
        except (ModelError, TypeError) as error:
            raise Wrong(f"{name}: {error}") from None

    return plain(apply)


def _leaf(graph: Graph, array: Array, name: str) -> tuple[Node, str]:
    a = np.asarray(array)
    kind = INT if a.dtype.kind in "iu" else FLOAT
    below = sp.Integer(int(a.max()) + 1) if kind == INT else None
    return graph.leaf(name, tuple(map(sp.Integer, a.shape)), "data", kind=kind, below=below), name


def _below(reader: Reader, tree: m.Math) -> int:
    """How many values an integer array may have: as its declaration says."""
    while isinstance(tree, (m.Link, m.Shaped)):
        tree = tree.body
    assert isinstance(tree, m.Sym) and tree.row is not None
    return reader.world.below(tree.row)


def _one_hot(reader: Reader, args: Sequence[m.Math], options: Mapping[str, m.Math], below: Sequence[m.Math]) -> Value:
    size = _below(reader, args[0])
    return each(reader, lambda y: np.eye(size)[y], reader(args[0]))


def _scatter(reader: Reader, args: Sequence[m.Math], options: Mapping[str, m.Math], below: Sequence[m.Math]) -> Value:
    size = _below(reader, args[1])

    def add(g: Array, index: Array) -> Array:
        found = np.zeros((size, *g.shape[index.ndim :]))
        np.add.at(found, index, g)
        return found

    return each(reader, add, reader(args[0]), reader(args[1]))


def _reshaped(reader: Reader, args: Sequence[m.Math], options: Mapping[str, m.Math], below: Sequence[m.Math]) -> Value:
    shape = constant(reader, below[0])
    return each(reader, lambda a: a.reshape(shape), reader(args[0]))


def _blockdiag(reader: Reader, args: Sequence[m.Math], options: Mapping[str, m.Math], below: Sequence[m.Math]) -> Value:
    """A matrix for every place of a letter, along the diagonal."""
    (tree,) = args
    assert isinstance(tree, m.Array) and len(tree.letters) == 1
    with reader.binding(tree.letters, reader.numbers(tree.sizes)):
        body = reader(tree.body)
        array = np.broadcast_to(body.array, reader._with(body, tree.letters))
    place = reader.axes[tree.letters[0]]
    blocks = np.moveaxis(array, place, -3)
    n, k = blocks.shape[-3:-1]
    whole = np.einsum("ij,...ikl->...ikjl", np.eye(n), blocks).reshape((*blocks.shape[:-3], n * k, n * k))
    return replace(body, array=np.expand_dims(whole, place))


FUNCTIONS: dict[str, Function] = {name: language(name) for name in F.FUNCTIONS} | {
    "one_hot": _one_hot,
    "scatter_add": _scatter,
    "reshape": _reshaped,
    "trace": plain(np.trace),
    "diag": plain(lambda a: np.diag(a)),
    "arange": plain(lambda n: np.arange(n)),
    "causal_mask": plain(lambda n: np.tri(n)),
    "floor": plain(np.floor),
    "vec": plain(np.ravel),
    "blockdiag": _blockdiag,
    "mod": lambda reader, args, *_: reader.together("mod", np.mod, *map(reader, args)),
}
