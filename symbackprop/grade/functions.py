"""Functions that gradients are written with and models are not: adjoints, step functions, hyperbolic functions."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy as sp

from symbackprop.core import build
from symbackprop.core.graph import Graph, Node
from symbackprop.core.ops.window import Window
from symbackprop.errors import ModelError
from symbackprop.model.text.evaluate import binary, lift
from symbackprop.model.text.numbers import short

Value = Any
Rule = Callable[[Graph, str, Sequence[Value], Mapping[str, Value]], Value]


def _rule(count: int, apply: Callable[..., Value], rows: int = 0) -> Rule:
    """A function of ``count`` arguments, of which the first ``rows`` have to be arrays."""

    def rule(graph: Graph, name: str, args: Sequence[Value], options: Mapping[str, Value]) -> Value:
        if len(args) != count:
            raise ModelError(f"{name} is called with {count} arguments, not {len(args)}")
        for a in args[:rows]:
            if not isinstance(a, Node):
                raise ModelError(f"{name} needs an array, not {short(a)}")
        return apply(graph, *args, **options)

    return rule


def _row(graph: Graph, value: Value) -> Node:
    if isinstance(value, (Node, sp.Expr)):
        return lift(value, graph)
    raise ModelError(f"{short(value)} is neither an array nor a number")


def _step(graph: Graph, value: Value) -> Node:
    return graph.call("greater", _row(graph, value), 0)


def _power(graph: Graph, base: Value, exponent: Value) -> Value:
    return binary("**", _row(graph, base), _row(graph, exponent), graph)


def _cosh(graph: Graph, value: Value) -> Node:
    at = _row(graph, value)
    result: Node = (graph.call("exp", at) + graph.call("exp", -at)) / 2
    return result


def _sinh(graph: Graph, value: Value) -> Node:
    at = _row(graph, value)
    result: Node = (graph.call("exp", at) - graph.call("exp", -at)) / 2
    return result


def _tan(graph: Graph, value: Value) -> Node:
    at = _row(graph, value)
    result: Node = graph.call("sin", at) / graph.call("cos", at)
    return result


def _conv(op: str) -> Callable[..., Node]:
    def apply(graph: Graph, a: Node, b: Node, size: Value, stride: Value = 1, padding: Value = 0) -> Node:
        return graph.make(op, (a, b), Window(_pair(stride), _pair(padding), tuple(size)))

    return apply


def _pair(value: Value) -> tuple[int, int]:
    first, second = value if isinstance(value, tuple) else (value, value)
    return int(first), int(second)


def _outer(a: Node | sp.Expr, b: Node | sp.Expr) -> Node:
    """``a ⊗ b``: every entry times every entry; of equal shapes what is meant is entry times entry."""
    if not isinstance(a, Node) or not isinstance(b, Node) or a.shape == b.shape:
        return a * b
    left, right = string.ascii_lowercase[: a.ndim], string.ascii_uppercase[: b.ndim]
    return build.einsum(f"{left},{right}->{left}{right}", a, b)


EXTRA: dict[str, Rule] = {
    "step": _rule(1, _step),
    "outer_product": _rule(2, lambda graph, a, b: _outer(a, b)),
    "reshape_to": _rule(2, lambda graph, shape, a: build.reshape(_row(graph, a), shape)),
    "transpose_to": _rule(2, lambda graph, axes, a: build.transpose(_row(graph, a), [int(k) for k in axes])),
    "square": _rule(1, lambda graph, a: _power(graph, a, sp.S(2))),
    "pow": _rule(2, _power),
    "cosh": _rule(1, _cosh),
    "sinh": _rule(1, _sinh),
    "sech": _rule(1, lambda graph, a: 1 / _cosh(graph, a)),
    "tan": _rule(1, _tan),
    "zeros_like": _rule(1, lambda graph, a: graph.full(0, a.shape), 1),
    "ones_like": _rule(1, lambda graph, a: graph.full(1, a.shape), 1),
    "scatter_add": _rule(3, lambda graph, g, index, rows: build.scatter_add(g, index, rows), 2),
    "put_along_axis": _rule(4, lambda graph, g, index, axis, size: build.put_along(g, index, int(axis), size), 2),
    "pad": _rule(4, lambda graph, g, axis, start, size: build.pad_axis(g, int(axis), start, size), 1),
    "conv2d_input": _rule(3, _conv("conv2d_input"), 2),
    "conv2d_kernel": _rule(3, _conv("conv2d_kernel"), 2),
}
