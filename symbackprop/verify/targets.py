"""Which gradients a module promises: those of every parameter and input, or of what its constant GRADIENTS names."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from symbackprop.core.graph import FLOAT, Node
from symbackprop.errors import BrokenModule, did_you_mean
from symbackprop.model.model import Model


def chosen(module: ModuleType) -> tuple[str, ...] | None:
    """The names in the module's GRADIENTS; None where it has no such constant. Raises `BrokenModule` for anything but
    a tuple or a list of names."""
    names = getattr(module, "GRADIENTS", None)
    if names is None:
        return None
    if not isinstance(names, (tuple, list)) or not all(isinstance(n, str) for n in names):
        raise BrokenModule(f'{_place(module)}: GRADIENTS should be a tuple of names, such as ("W",), not {names!r:.60}')
    return tuple(dict.fromkeys(names))


def promised_rows(module: ModuleType, model: Model) -> dict[str, Node]:
    """The rows that the module promises the gradients of, intermediates among them, by name. Raises `BrokenModule`
    where GRADIENTS names what the model does not have or what has no gradient."""
    names = chosen(module)
    if names is None:
        return model.targets()
    known = {**model.leaves(), **model.equations}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise BrokenModule(f"{_place(module)}: GRADIENTS names {name!r:.60}, which is no array of the model.{hint}")
        if known[name].kind != FLOAT:
            raise BrokenModule(f"{_place(module)}: GRADIENTS names {name!r}, which is no array of floats")
    return {name: known[name] for name in names}


def unreached(model: Model, targets: Mapping[str, Node]) -> list[str]:
    """The names of targets that no result depends on: their gradient is zero."""
    reached = {row.id for row in model.graph.topological(model.results())}
    return [name for name, row in targets.items() if row.id not in reached]


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__
