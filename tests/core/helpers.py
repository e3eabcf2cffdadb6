"""What the tests of the language share: numbers for rows, difference quotients, random inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core.graph import Graph, Node
from symbackprop.core.registry import Op
from symbackprop.core.reverse import vjp
from symbackprop.verify.interpreter import evaluate

Arrays = Mapping[str, Any]


def value(row: Node, **arrays: Any) -> Any:
    """The value of one row for the given leaves, sizes read off the arrays."""
    return evaluate([row], arrays)[0]


def gradients(row: Node, wrt: Sequence[Node], arrays: Arrays, upstream: Any = None) -> list[Any]:
    """∂row/∂w for every w in numbers; a row that is no scalar is weighted by ``upstream`` (ones by default)."""
    weights = np.ones(np.shape(evaluate([row], arrays)[0])) if upstream is None else upstream
    seed = row.graph.leaf(fresh(row.graph, "seed"), row.shape, "upstream")
    return evaluate(vjp([row], [seed], wrt), {**arrays, seed.name: weights})


def fresh(graph: Graph, name: str) -> str:
    while name in graph.names:
        name += "_"
    return name


def differences(f: Callable[..., Any], arrays: Sequence[Any], k: int, upstream: Any, h: float = 1e-3) -> Any:
    """∂(upstream·f)/∂arrays[k] by central differences of fourth order."""
    out = np.zeros_like(arrays[k])
    for place in np.ndindex(*out.shape):
        at = {}
        for step in (-2, -1, 1, 2):
            moved = [a.copy() if i == k else a for i, a in enumerate(arrays)]
            moved[k][place] += step * h
            at[step] = np.sum(upstream * f(*moved))
        out[place] = (at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * h)
    return out


def moving(op: Op, attr: Any, *arrays: Any) -> Callable[..., Any]:
    """The reference of an op as a function whose slopes at these arrays are the op's: what is held stays as it is."""
    here = op.reference(np, attr, *arrays)
    return lambda *moved: here if op.held else op.reference(np, attr, *moved)


def by_jax(function: Callable[..., Any], arrays: Sequence[Any], upstream: Any) -> tuple[Any, list[Any]]:
    """JAX's value and vector-Jacobian products of a function, compiled as one."""
    import jax

    def run(upstream: Any, *arrays: Any) -> Any:
        found, back = jax.vjp(function, *arrays)
        return found, back(upstream)

    found, slopes = jax.jit(run)(upstream, *arrays)
    return np.asarray(found), [np.asarray(s) for s in slopes]


def in_sympy(attr: Any) -> Any:
    """A sample's attribute as rows carry it: sizes are SymPy integers."""
    if isinstance(attr, tuple):
        parts = [in_sympy(a) for a in attr]
        return type(attr)(*parts) if hasattr(attr, "_fields") else tuple(parts)
    return sp.Integer(attr) if type(attr) is int else attr


def close(actual: Any, expected: Any, tolerance: float = 1e-10) -> None:
    """Equal up to a tolerance relative to the largest entry; shapes have to be equal too."""
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)
