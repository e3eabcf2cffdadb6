"""The table of NumPy's functions on rows, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters
from typing import Any, TypeVar

from symbackprop.core import build
from symbackprop.core.functions import graph_of
from symbackprop.core.graph import Node

F = TypeVar("F", bound=Callable[..., Any])
TABLE: dict[str, Callable[..., Any]] = {}
LETTERS = ascii_letters


def named(*names: str) -> Callable[[F], F]:
    """Puts a function into the table under the names that NumPy has for it."""

    def put(function: F) -> F:
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
