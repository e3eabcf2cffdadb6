"""What cannot be written because a formula of it is nested too deeply is told with the place of that formula."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symbackprop.errors import ModelError
from symbackprop.model.model import Model


@contextmanager
def nesting_told(model: Model) -> Iterator[None]:
    """Python's limit on what calls itself, met inside, is the user's error."""
    try:
        yield
    except RecursionError:
        name = deepest(model)
        where = next((s.where for s in model.statements if s.name == name), "")
        raise ModelError(f"the formula of {name} is nested too deeply: name a part of it", where) from None


def deepest(model: Model) -> str:
    """The equation with the most rows without a name in each other."""
    depth: dict[int, int] = {}
    for row in model.graph.topological(list(model.equations.values())):
        depth[row.id] = 1 + max([depth[a.id] for a in row.args if a.name is None], default=0)
    return max(model.equations, key=lambda name: depth[model.equations[name].id])
