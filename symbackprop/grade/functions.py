"""Functions that gradients are written with and models are not: adjoints, step functions, hyperbolic functions."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from inspect import signature

from symbackprop.core import build
from symbackprop.core.functions.arrange import one_hot
from symbackprop.core.functions.windows import Pair
from symbackprop.core.graph import INT, Leaf, Node
from symbackprop.core.shapes import Dim, DimLike
from symbackprop.errors import ModelError
from symbackprop.model.text.calls import Callee

EXTRA: dict[str, Callee] = {}


def _extra(function: Callable[..., Node]) -> Callable[..., Node]:
    """Make a function known; its arguments are checked against its annotations."""
    EXTRA[function.__name__] = Callee(function.__name__, function, signature(function))
    return function


_OF_ONE_ARRAY: dict[str, Callable[[Node], Node]] = {
    "step": lambda a: a.graph.call("greater", a, 0),
    "sech": lambda a: 2 / (a.graph.call("exp", a) + a.graph.call("exp", -a)),
    "reciprocal": lambda a: 1 / a,
    "array": lambda a: a,
    "asarray": lambda a: a,
    "tensor": lambda a: a,
    "float32": lambda a: a,
    "float64": lambda a: a,
    "columns": lambda a: build.expand(a, -1),  # b 1ᵀ: b in every column
    "stacked": lambda a: a,  # an array over all steps as a whole, of which an index reads one
}


def _one(a: Node) -> Node:
    """How a function of one array is called."""
    return a


EXTRA |= {name: Callee(name, function, signature(_one)) for name, function in _OF_ONE_ARRAY.items()}


def classes(index: Node) -> Dim | None:
    """What integer data, or a step of it, counts below."""
    while index.kind == INT and len(index.args) == 1:
        index = index.args[0]
    return index.attr.below if isinstance(index.attr, Leaf) else None


@_extra
def at_entries(index: Node, values: Node) -> Node:
    """``d[range(N), y] += values`` adds this: the values at the entries that class indices pick, else 0."""
    below = classes(index)
    if below is None:
        raise ModelError(f"{index.name or 'an index'} is no class index of the model")
    values = build.expand(values, -1) if values.shape else values
    return one_hot(index, below) * values


@_extra
def outer_product(a: Node, b: Node) -> Node:
    """``a ⊗ b``: every entry times every entry; of equal shapes what is meant is entry times entry."""
    if a.shape == b.shape:
        return a * b
    left, right = string.ascii_lowercase[: a.ndim], string.ascii_uppercase[: b.ndim]
    return build.einsum(f"{left},{right}->{left}{right}", a, b)


@_extra
def reshape_to(shape: Sequence[DimLike], a: Node) -> Node:
    return build.reshape(a, shape)


@_extra
def transpose_to(axes: Pair, a: Node) -> Node:
    return build.transpose(a, [axes] if isinstance(axes, int) else axes)
