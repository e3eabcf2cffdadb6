"""The table of compositions, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from symbackprop.core import build
from symbackprop.core.graph import Node
from tests.conformance.expressed import Composition

CALLS: dict[str, Composition] = {}


def of(*names: str, vectors: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Puts a composition into the table. Its first parameter may be ``s``, the session. With ``vectors`` it gets an
    array of one axis where PyTorch is given a number, which counts as one there."""

    def put(call: Callable[..., Any]) -> Callable[..., Any]:
        takes_session = next(iter(signature(call).parameters), "") == "s"

        def composed(s: Any, x: Any, /, *args: Any, **options: Any) -> Any:
            lead = (s,) if takes_session else ()
            if not (vectors and isinstance(x, Node) and not x.ndim):
                return call(*lead, x, *args, **options)
            return as_numbers(call(*lead, build.reshape(x, (1,)), *args, **options))

        CALLS.update(dict.fromkeys(names, composed))
        return call

    return put


def as_numbers(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return [as_numbers(r) for r in result]
    return build.reshape(result, ()) if isinstance(result, Node) and result.ndim == 1 else result


def sizes(values: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes that are given one by one or as one sequence."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], (tuple, list)) else tuple(values)


def axes(dim: Any) -> Any:
    """PyTorch's dim as an axis: no axis at all means all of them."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return None
    return tuple(dim) if isinstance(dim, (tuple, list)) else dim


def shape(x: Node) -> tuple[int, ...]:
    return tuple(int(d) for d in x.shape)
